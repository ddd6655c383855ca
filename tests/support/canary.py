# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for planted secrets, in any encoding: in what runs print, leave on disk, write for a moment, have in argv."""

from __future__ import annotations

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
        parents: dict[int, int] = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    stat = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
                    parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        own = {os.getpid()}
        while grown := {pid for pid, parent in parents.items() if parent in own} - own:
            own |= grown
        for pid in own - {os.getpid()}:
            with contextlib.suppress(OSError):
                argv = Path(f"/proc/{pid}/cmdline").read_bytes()
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
