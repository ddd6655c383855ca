# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host: started in namespaces of its own, entered as root, ended with everything that runs on it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mlkeys._devserver import state_folder
from mlkeys._system import processes
from tests.support.hosts import control_groups, networks, programs

USER = "ops"
PORT = 2222

#: Folders of a host's files that hold what it has written.
WRITTEN = ("upper", "run", "home", "roots", "tmp", "shm")

# Runs in the new namespaces and becomes the host's first process.
_BOOT = Path(__file__).with_name("boot.sh")
_NAMESPACES = ("--mount", "--uts", "--ipc", "--pid", "--cgroup")
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.02


class HostError(Exception):
    """A host did not start."""


class Host:
    """One host: its name, and a folder for what is known about it."""

    def __init__(
        self, folder: Path, *, systemd: bool = False, python: bool = False, network: Host | bool = False
    ) -> None:
        """
        Args:
            python: whether it has this Python with all its libraries, besides the system's Python without them.
            network: True for a network of its own, which this machine can reach; a host, to join that host's network;
                False to stay in this machine's.
        """
        self.name = folder.name
        self.folder = folder
        self._systemd = systemd
        self._python = python
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process whose end is the end of the host. It is in its namespaces, and sees the files outside of it."""
        return int((self.folder / "pid").read_text(encoding="ascii"))

    @property
    def address(self) -> str:
        return (self.folder / "address").read_text(encoding="ascii")

    @property
    def runs(self) -> bool:
        return state_folder.runs(self.folder)

    @property
    def files(self) -> Path:
        """Everything that the host has written and holds in memory as files."""
        return Path(f"/proc/{self.pid}/root{self._base}")

    @property
    def _base(self) -> str:
        return str(self.folder / "files")

    def launch(self, *, program: str, extra: Path, detached: bool) -> None:
        """Begin to start it.

        Args:
            program: the path of OpenBao's program, which the host has as `bao`.
            extra: a folder with further files, at their paths on the host.
            detached: whether it outlives this process.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        address = self._new_address()
        (self.folder / "address").write_text(address, encoding="ascii")
        Path(self._base).mkdir(mode=0o700, exist_ok=True)
        settings = self._settings(address, program, extra)
        with (
            state_folder.locked(self.folder) as lock,
            (self.folder / "log").open("ab") as log,
            processes.holding_signals() as before_exec,
        ):
            if lock is None:
                raise HostError(f"{self.name} runs already.")
            self._process = subprocess.Popen(
                self._command(),
                cwd="/",
                env=settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
                preexec_fn=self._first_steps(before_exec, detached=detached),  # noqa: PLW1509
            )
            (self.folder / "pid").write_text(f"{self._process.pid}\n", encoding="ascii")
        if self._network is True:
            networks.connect(self.pid, address)

    def _new_address(self) -> str:
        if isinstance(self._network, Host):
            return networks.next_address(self._network.address)
        if self._network:
            return f"{networks.unused_network()}.2"
        return networks.loopback_address(PORT)

    def _settings(self, address: str, program: str, extra: Path) -> dict[str, str]:
        """The environment of boot.sh."""
        # A host has this machine's /usr already, with the programs that were downloaded: bound again, it lacks them.
        visible = [path for path in (sys.prefix, sys.base_prefix) if path != "/usr"] if self._python else []
        return {
            "PATH": os.environ["PATH"],
            "base": self._base,
            "name": self.name,
            "first": "systemd" if self._systemd else "sshd",
            "extra": str(extra),
            "bytecode": str(programs.bytecode_folder()),
            "program": program,
            "visible": ":".join(dict.fromkeys(visible)),
            "folder": str(self.folder.parent),
            "user": USER,
            "port": str(PORT),
            "address": address,
        }

    def _command(self) -> list[str]:
        own_network = ["--net"] if self._network is True else []
        command = ["unshare", *own_network, *_NAMESPACES, "--fork", "--kill-child", "bash", str(_BOOT)]
        if isinstance(self._network, Host):
            return ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", *command]
        return command

    def _first_steps(self, before_exec: Callable[[], None], *, detached: bool) -> Callable[[], None]:
        """What the new process does before it becomes unshare."""
        ending = before_exec if detached else processes.ending_with_parent(before_exec)
        if not self._systemd:
            return ending
        group = control_groups.make(self.name)
        (self.folder / "cgroup").write_text(str(group), encoding="utf-8")

        def begin() -> None:
            ending()
            (group / "cgroup.procs").write_text("0")

        return begin

    def wait(self) -> None:
        """Until its sshd answers."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while self.runs and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((self.address, PORT), timeout=1) as probe:
                if probe.recv(4) == b"SSH-":
                    return
            time.sleep(_POLL_SECONDS)
        log = (self.folder / "log").read_bytes()[-3000:].decode(errors="replace")
        raise HostError(f"{self.name} did not answer. Its log ends:\n{log}")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the host as root, as from its console."""
        return subprocess.run(self.entering(command), capture_output=True, text=True, check=check, timeout=60)

    def entering(self, command: Sequence[str]) -> list[str]:
        """The command line on this machine that runs the command on the host."""
        first = (Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split() or ["0"])[0]
        enter = ["nsenter", f"--target={first}", "--net", *_NAMESPACES]
        return [*enter, f"--root=/proc/{first}/root", f"--wd=/proc/{first}/root", *command]

    def kill(self) -> None:
        """End it, and everything on it, at once."""
        if self.runs:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + _WAIT_SECONDS
        while self.runs and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if self._process is not None:
            self._process.wait(_WAIT_SECONDS)
        noted = self.folder / "cgroup"
        if noted.exists():
            control_groups.remove(Path(noted.read_text(encoding="utf-8")))
            noted.unlink()
