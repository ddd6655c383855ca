# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for planted secrets, in any encoding: in what runs print, leave on disk, write for a moment, have in argv.

For playbooks there is a command line. It prints where on hosts, and in further files, values of variables of its
environment show, and which programs have one in theirs:

    python -m tests.support.canary FOLDER-OF-HOSTS --variable OPENAI_API_KEY --file AUDIT-LOG
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.hosts import WRITTEN, Host


def forms(secret: str) -> set[bytes]:
    """The ways in which a secret may show: as it is, escaped, URL-encoded, and as base64 wherever it begins."""
    raw = secret.encode()
    found = {
        raw,
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        repr(secret)[1:-1].encode(),
        urllib.parse.quote(secret, safe="").encode(),
        urllib.parse.quote(secret).encode(),
        urllib.parse.quote_plus(secret).encode(),
        raw.hex().encode(),
    }
    for alignment in range(3):
        # The characters at either end also depend on the neighbours, so only those between are looked for.
        padded = bytes(alignment) + raw
        whole = padded[: len(padded) - len(padded) % 3]
        found.add(base64.b64encode(whole)[4 if alignment else 0 :])
        found.add(base64.urlsafe_b64encode(whole)[4 if alignment else 0 :])
    return found


def leaks(data: bytes, secrets: Mapping[str, str]) -> set[str]:
    """The names of the secrets that show in the data."""
    return {name for name, secret in secrets.items() if any(form in data for form in forms(secret))}


@dataclass
class Watcher:
    """Looks at the argv of this process's descendants and at temporary files for as long as a run lasts."""

    folders: tuple[Path, ...]
    secrets: Mapping[str, str]
    seen_argv: set[bytes] = field(default_factory=set)
    seen_files: set[Path] = field(default_factory=set)
    leaks: set[str] = field(default_factory=set)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.is_set():
            self._look_at_processes()
            self._look_at_files()
            time.sleep(0.01)

    def _look_at_processes(self) -> None:
        for process in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                argv = (process / "cmdline").read_bytes()
                if argv not in self.seen_argv:
                    self.seen_argv.add(argv)
                    self.leaks |= {f"{name} in argv" for name in leaks(argv, self.secrets)}

    def _look_at_files(self) -> None:
        for folder in self.folders:
            # Files come and go under the watcher's eyes.
            with contextlib.suppress(OSError):
                for path in folder.rglob("*"):
                    self._look_at_file(path)

    def _look_at_file(self, path: Path) -> None:
        if path in self.seen_files or not path.is_file():
            return
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            # An empty one is looked at again, when it has been written.
            if data:
                self.seen_files.add(path)
                self.leaks |= {f"{name} in temporary {path.name}" for name in leaks(data, self.secrets)}


def temporary_folders(root: Path) -> tuple[Path, ...]:
    """Where a run that records everything below a folder has its temporary files."""
    return tuple(root / name for name in ("remote", "local", "tmp"))


def recorders(root: Path) -> dict[str, str]:
    """The environment in which Ansible keeps all that it can, below one folder."""
    for name in ("home", "tmp", "ansible", "local", "remote", "facts", "retry"):
        (root / name).mkdir(exist_ok=True)
    return {
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "ANSIBLE_HOME": str(root / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(root / "local"),
        "ANSIBLE_REMOTE_TEMP": str(root / "remote"),
        "ANSIBLE_LOG_PATH": str(root / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(root / "facts"),
        "ANSIBLE_RETRY_FILES_ENABLED": "1",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(root / "retry"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1",
    }


def leaking_files(root: Path, secrets: Mapping[str, str]) -> set[str]:
    """Which secrets show in which files below a folder, or in their names."""
    found = set()
    for path in root.rglob("*"):
        # Files of a running machine come and go.
        with contextlib.suppress(FileNotFoundError):
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found |= {f"{name} in {path.relative_to(root)}" for name in leaks(data + str(path).encode(), secrets)}
    return found


def descendants(ancestor: int) -> Iterator[Path]:
    """Folders of a process's children, and theirs, and so on. The first process of a host has all of its."""
    parents = [ancestor]
    while parents:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{parents.pop()}/task").glob("*/children"):
                found = children.read_text(encoding="ascii").split()
                parents += map(int, found)
                yield from (Path("/proc", child) for child in found)


def leaks_of_host(host: Host, secrets: Mapping[str, str]) -> set[str]:
    """Where on a host a secret shows, other than in the environment of a process."""
    found = set()
    for place in WRITTEN:
        found |= {leak.replace(" in ", f" in {place}/", 1) for leak in leaking_files(host.files / place, secrets)}
    for process in descendants(host.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found |= {f"{name} in argv" for name in leaks((process / "cmdline").read_bytes(), secrets)}
    # It compresses what is long.
    journal = host.run("sh", "-c", "test ! -d /run/systemd/system || journalctl --no-pager --all").stdout
    return found | {f"{name} in the journal" for name in leaks(journal.encode(), secrets)}


def holders(host: Host, secrets: Mapping[str, str]) -> dict[str, set[str]]:
    """Programs of a host that have a secret in their environment, and which."""
    found: dict[str, set[str]] = {}
    for process in descendants(host.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if names := leaks((process / "environ").read_bytes(), secrets):
                argv = (process / "cmdline").read_bytes().split(b"\0")
                found.setdefault(argv[0].decode(), set()).update(names)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Where secrets show.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variable", action="append", default=[])
    parser.add_argument("--file", action="append", default=[], type=Path)
    given = parser.parse_args()
    secrets = {name: os.environ[name] for name in given.variable}
    hosts = [Host(path.parent) for path in sorted(given.folder.absolute().glob("*/pid"))]
    shown = {
        host.name: {
            "leaks": sorted(leaks_of_host(host, secrets)),
            "holders": {program: sorted(names) for program, names in sorted(holders(host, secrets).items())},
        }
        for host in hosts
    }
    files = sorted(name for file in given.file for name in leaks(file.read_bytes(), secrets))
    print(json.dumps({"hosts": shown, "files": files}))  # noqa: T201


if __name__ == "__main__":
    main()
