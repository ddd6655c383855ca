# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for planted secrets, in any encoding: in what runs print, leave on disk, write temporarily, or have in argv.

For playbooks there is a command line. It prints where on hosts, and in further files, the values of given environment
variables show, and which programs have one of them in their environment:

    python -m tests.support.canary FOLDER-OF-HOSTS --variable OPENAI_API_KEY --file AUDIT-LOG
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import json
import os
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.hosts import WRITTEN, Host


@functools.cache
def forms(secret: str) -> frozenset[bytes]:
    """The ways in which a secret may show: as it is, escaped, URL-encoded, and as base64 at any alignment."""
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
        # The characters at either end also depend on the neighbours, so this looks for those between.
        padded = bytes(alignment) + raw
        whole = padded[: len(padded) - len(padded) % 3]
        found.add(base64.b64encode(whole)[4 if alignment else 0 :])
        found.add(base64.urlsafe_b64encode(whole)[4 if alignment else 0 :])
    return frozenset(found)


def leaks(data: bytes, secrets: Mapping[str, str]) -> set[str]:
    """The names of the secrets that show in the data."""
    return {name for name, secret in secrets.items() if any(form in data for form in forms(secret))}


# A pass over processes and files takes some milliseconds. Most of the processor's time is left to what is watched.
_SECONDS_BETWEEN_PASSES = 0.01
_SHARE_OF_PASSES = 0.25


@dataclass
class Watcher:
    """Looks at the argv of this process's descendants and at temporary files for as long as a run lasts."""

    folders: tuple[Path, ...]
    secrets: Mapping[str, str]
    seen_argv: set[bytes] = field(default_factory=set)
    seen_files: set[str] = field(default_factory=set)
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
            begun = time.thread_time()
            self._look_at_processes()
            self._look_at_files()
            spent = time.thread_time() - begun
            done.wait(max(_SECONDS_BETWEEN_PASSES, spent / _SHARE_OF_PASSES - spent))

    def _look_at_processes(self) -> None:
        for process in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                argv = _content(f"{process}/cmdline")
                if argv not in self.seen_argv:
                    self.seen_argv.add(argv)
                    self.leaks |= {f"{name} in argv" for name in leaks(argv, self.secrets)}

    def _look_at_files(self) -> None:
        for folder in self.folders:
            for path in _files_below(str(folder)):
                if path not in self.seen_files:
                    self._look_at_file(path)

    def _look_at_file(self, path: str) -> None:
        with contextlib.suppress(OSError):
            # An empty one is looked at again, when it has been written.
            if data := _content(path):
                self.seen_files.add(path)
                self.leaks |= {f"{name} in temporary {Path(path).name}" for name in leaks(data, self.secrets)}


def _content(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123  Path is several times slower, and a pass opens hundreds
        return file.read()


def _files_below(folder: str) -> Iterator[str]:
    """Paths of files. They come and go while this looks."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(entry.path)
            elif entry.is_file():
                yield entry.path


def temporary_folders(root: Path) -> tuple[Path, ...]:
    """Where a run that records everything below a folder puts its temporary files."""
    return tuple(root / name for name in ("remote", "local", "tmp"))


def recorders(root: Path) -> dict[str, str]:
    """The environment in which Ansible records all that it can, below one folder."""
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
    """Which secrets show in which files below a folder, or in the names of files."""
    found = set()
    for path in root.rglob("*"):
        # Files of a running machine come and go.
        with contextlib.suppress(FileNotFoundError):
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found |= {f"{name} in {path.relative_to(root)}" for name in leaks(data + str(path).encode(), secrets)}
    return found


def descendants(ancestor: int) -> Iterator[Path]:
    """Folders of a process's children, their children, and so on. A host's first process has all of the host's."""
    parents = [ancestor]
    while parents:
        tasks = f"/proc/{parents.pop()}/task"
        with contextlib.suppress(OSError), os.scandir(tasks) as threads:
            for thread in threads:
                # It may have ended since.
                with contextlib.suppress(OSError):
                    found = _content(f"{thread.path}/children").split()
                    parents += map(int, found)
                    yield from (Path("/proc", child.decode("ascii")) for child in found)


def leaks_of_host(host: Host, secrets: Mapping[str, str]) -> set[str]:
    """Where on a host a secret shows, other than in the environment of a process."""
    found = set()
    for place in WRITTEN:
        found |= {leak.replace(" in ", f" in {place}/", 1) for leak in leaking_files(host.files / place, secrets)}
    for process in descendants(host.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found |= {f"{name} in argv" for name in leaks((process / "cmdline").read_bytes(), secrets)}
    # The journal's files compress what is long.
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


def dumping(host: Host, secrets: Mapping[str, str]) -> set[str]:
    """Programs of a host that have a secret in their environment, and would leave a core file with it."""
    found = set()
    for process in descendants(host.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if leaks((process / "environ").read_bytes(), secrets):
                limits = (process / "limits").read_text(encoding="ascii").splitlines()
                (size,) = [line.split()[4:6] for line in limits if line.startswith("Max core file size")]
                # The limit holds for files alone, not for programs that take core files over.
                parts = int((process / "coredump_filter").read_text(encoding="ascii"), 16)
                if size != ["0", "0"] or parts:
                    found.add((process / "cmdline").read_bytes().split(b"\0")[0].decode())
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
