# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Generated projects in the eyes of ansible-lint's strictest profile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlkeys._project import write
from tests.cdk.apps import PROGRAMS, files_of_program
from tests.support.collection import collections_path


def test_generated_projects_pass_the_strictest_linter(tmp_path: Path) -> None:
    for name in PROGRAMS:
        write(files_of_program(name), tmp_path / name)
    # One of its stacks is like the other, and each takes seconds.
    for stack in ("dev", "stage"):
        shutil.rmtree(tmp_path / "multi-env" / "ansible" / stack)
    shutil.rmtree(tmp_path / "seed-classes")
    command = [sys.executable, "-m", "ansiblelint", "--profile", "production", "--strict", "--offline", "-q", "."]
    paths = {
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    run = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
