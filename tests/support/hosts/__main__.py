# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, enter and stop hosts from the command line. `start` leaves the file `hosts.json` in the folder.

python -m tests.support.hosts start FOLDER one two three --systemd one
python -m tests.support.hosts enter FOLDER one -- systemctl status
python -m tests.support.hosts stop FOLDER
python -m tests.support.hosts check
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.support.hosts.group import Hosts, stop
from tests.support.hosts.host import Host
from tests.support.hosts.programs import missing_requirements


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Hosts on loopback.")
    commands = made.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start hosts that run until they are stopped")
    enter = commands.add_parser("enter", help="run a command on a host as root")
    commands.add_parser("check", help="report what this machine lacks")
    for command in (start, enter, commands.add_parser("stop", help="end the hosts of a folder")):
        command.add_argument("folder", type=Path)
    start.add_argument("names", nargs="+")
    start.add_argument("--systemd", action="append", default=[], help="a host that runs systemd")
    start.add_argument("--python", action="append", default=[], help="a host that has this Python and its libraries")
    start.add_argument("--network", action="store_true", help="put the hosts into a network of their own")
    enter.add_argument("name")
    enter.add_argument("words", nargs=argparse.REMAINDER)
    return made


def main() -> None:
    given = parser().parse_args()
    if given.command == "check":
        sys.exit(missing_requirements() or 0)
    folder = given.folder.absolute()
    if given.command == "start":
        options = {"systemd": given.systemd, "python": given.python, "network": given.network}
        Hosts(folder, given.names, detached=True, **options).start()
    elif given.command == "enter":
        words = given.words[1:] if given.words[:1] == ["--"] else given.words
        command = Host(folder / given.name).entering(words)
        os.execvp(command[0], command)  # noqa: S606
    else:
        stop(folder)


if __name__ == "__main__":
    main()
