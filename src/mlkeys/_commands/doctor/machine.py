# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Installed software: libraries, the collection, programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata

from mlkeys._commands.doctor.check import Check, Level
from mlkeys._errors import MlkeysError
from mlkeys._system import collection as _collection

_NEEDED = re.compile(r"([\w.-]+)>=([\d.]+); extra == ['\"]ansible['\"]")
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_SECONDS = 10.0

# Shown if the program is missing.
_PROGRAMS = {
    "bao": "only needed for using OpenBao by hand, and as an agent on hosts",
    "vault": "only needed for using Vault by hand",
    "terraform": "only needed for the target terraform",
    "tofu": "only needed for the target terraform",
}


def libraries() -> Iterator[Check]:
    """The libraries of the extra `ansible`."""
    for requirement in metadata.requires("mlkeys") or ():
        needed = _NEEDED.fullmatch(requirement)
        if needed is None:
            continue
        name, oldest = needed.groups()
        advice = f"pip install '{name}>={oldest}'"
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Check(name, _missing(), "not installed beside mlkeys", advice)
        else:
            old = numbers(found) < numbers(oldest)
            yield Check(name, "wrong" if old else "ok", found, advice if old else "")


def collection() -> Check:
    """Whether Ansible finds the collection, in the version of this package."""
    name, own = "mlkeys.transit", metadata.version("mlkeys")
    try:
        found = _collection.version()
    except MlkeysError as problem:
        return Check(name, _missing(), str(problem))
    if found == own:
        return Check(name, "ok", found)
    advice = f"Install both from the same release: ansible-galaxy collection install mlkeys-transit-{own}.tar.gz"
    return Check(name, "wrong", f"{found}, but mlkeys is {own}", advice)


def _missing() -> Level:
    """The level of a missing library: deployments may use an Ansible that is installed elsewhere."""
    return "remark" if shutil.which("ansible-playbook") else "wrong"


def programs(oldest_terraform: str = "") -> Iterator[Check]:
    """Other useful programs. None of them is required.

    Args:
        oldest_terraform: the oldest version that can read the generated files; empty without such files.
    """
    for name, purpose in _PROGRAMS.items():
        path = shutil.which(name)
        if path is None:
            yield Check(name, "ok", f"not installed ({purpose})")
            continue
        found = _version_of(path)
        if name == "terraform" and numbers(found) < numbers(oldest_terraform):
            yield Check(name, "remark", found, f"The program needs {oldest_terraform}.")
        else:
            yield Check(name, "ok", found)


def _version_of(path: str) -> str:
    try:
        run = subprocess.run(
            [path, "version"], env=_quiet(), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer"
    found = _VERSION.search(run.stdout)
    return found[0] if found else "of an unknown version"


def _quiet() -> dict[str, str]:
    """The environment in which Terraform neither asks for newer versions, nor keeps a file of that in the home."""
    return {**os.environ, "CHECKPOINT_DISABLE": "1"}


def numbers(version: str) -> tuple[int, ...]:
    """A version that can be compared."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
