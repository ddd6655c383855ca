# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Generated projects pass the strictest profile of ansible-lint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mlkeys._synthesis.project import write
from tests.cdk.apps import files_of_program
from tests.support.collection import collections_path

# Linting a stack takes seconds; the stacks left out are like one of these.
STACKS = {"seed": "app", "llm-gateway": "app", "multi-env": "prod", "everything": "main"}


def test_generated_projects_pass_the_strictest_linter(tmp_path: Path) -> None:
    for name, stack in STACKS.items():
        made = files_of_program(name)
        write({path: text for path, text in made.items() if path.startswith(f"ansible/{stack}/")}, tmp_path / name)
    assert len(list(tmp_path.rglob("site.yml"))) == len(STACKS)
    command = [sys.executable, "-m", "ansiblelint", "--profile", "production", "--strict", "--offline", "-q", "."]
    paths = {
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    run = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
