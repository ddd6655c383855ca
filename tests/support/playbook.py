# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the real ansible-playbook of the current environment against this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import forks
from tests.support.collection import collections_path


def run_playbook(
    playbook: str | Path,
    *,
    inventory: str | Path = "localhost,",
    extra_vars: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
    cwd: Path | None = None,
    typed: str = "",
    timeout: float = 300.0,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook, given by path or as `mlkeys.transit.NAME`. The caller checks its exit code.

    It neither reads nor writes the user's Ansible folders. Extra vars, which may be secret, are passed in a file: other
    users can read the arguments of a process.
    """
    with tempfile.TemporaryDirectory(prefix="playbook-") as scratch:
        config = Path(scratch, "ansible.cfg")
        config.touch()
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), *args]
        if extra_vars is not None:
            variables = Path(scratch, "vars.json")
            variables.touch(mode=0o600)
            variables.write_text(json.dumps(extra_vars), encoding="utf-8")
            argv += ["-e", f"@{variables}"]
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_HOME": str(Path(scratch, "home")),
            "ANSIBLE_LOCAL_TEMP": str(Path(scratch, "local")),
            "ANSIBLE_REMOTE_TEMP": str(Path(scratch, "remote")),
            "ANSIBLE_NOCOLOR": "1",
            # Discovery may find another Python, which lacks the libraries of this environment.
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        environment = {**os.environ, **settings, **(env or {})}
        return forks.run([*argv, str(playbook)], cwd=cwd or scratch, env=environment, typed=typed, timeout=timeout)
