# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the command `mlkeys` as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.collection import collections_path


def mlkeys(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, status: int = 0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """One run that has to end with the status."""
    run = subprocess.run(
        [sys.executable, "-m", "mlkeys", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections_path()), **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == status, f"{arguments} ended with {run.returncode}\n{run.stdout}\n{run.stderr}"
    return run
