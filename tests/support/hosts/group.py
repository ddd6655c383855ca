# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts that start and stop together, and what Ansible needs to know to reach them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from mlkeys._devserver import server, state_folder
from tests.support.hosts.host import PORT, USER, Host, HostError
from tests.support.hosts.programs import PYTHON, extra_files, missing_requirements


class Hosts:
    """Several hosts, as a context manager; with `detached` they outlive this process until `stop`."""

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        *,
        systemd: Sequence[str] = (),
        python: Sequence[str] = (),
        network: bool = False,
        detached: bool = False,
    ) -> None:
        """
        Args:
            systemd: names of the hosts that run systemd.
            python: names of the hosts that have this Python with its libraries.
            network: whether the first host gets a network of its own, which all others join.
        """
        self.folder = folder.absolute()
        self._detached = detached
        self.hosts: dict[str, Host] = {}
        for name in names:
            first = next(iter(self.hosts.values()), None)
            self.hosts[name] = Host(
                self.folder / name,
                systemd=name in systemd,
                python=name in python,
                network=(first or True) if network else False,
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def start(self) -> None:
        """Start all hosts, or none: if one does not start, the others are stopped.

        Raises:
            HostError: this machine cannot have hosts, or one of them did not start.
        """
        if problem := missing_requirements():
            raise HostError(problem)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_keys()
        extra = extra_files()
        try:
            for host in self.hosts.values():
                host.launch(program=server._binary(), extra=extra, detached=self._detached)
            for host in self.hosts.values():
                host.wait()
        except BaseException:
            self.stop()
            raise
        state_folder.write_private(self.folder / "hosts.json", json.dumps(self.variables()))

    def _make_keys(self) -> None:
        """The key of the user, and the one by which all hosts identify themselves."""
        for name in ("key", "host_key"):
            if not (self.folder / name).exists():
                command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
                subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def variables(self) -> dict[str, dict[str, object]]:
        """The variables by which Ansible reaches each host."""
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return {
            name: {
                "ansible_host": host.address,
                "ansible_port": PORT,
                "ansible_user": USER,
                "ansible_ssh_private_key_file": str(self.folder / "key"),
                "ansible_ssh_common_args": options,
                "ansible_python_interpreter": PYTHON,
            }
            for name, host in self.hosts.items()
        }

    def stop(self) -> None:
        """End all hosts; harmless when some never ran."""
        for host in self.hosts.values():
            if host.folder.exists():
                host.kill()


def stop(folder: Path) -> None:
    """End the hosts of a folder, whichever process started them."""
    names = [path.parent.name for path in folder.glob("*/pid")]
    Hosts(folder, names).stop()
