# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint` and git, called by tests."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from click.testing import CliRunner, Result

from mlkeys._cli import main


def lint(*arguments: str, status: int = 0) -> Result:
    done = CliRunner().invoke(main, ["lint", *arguments])
    assert done.exit_code == status, (done.output, done.exception)
    return done


def listed(*arguments: str) -> list[str]:
    """Rule and place of each finding."""
    done = CliRunner().invoke(main, ["lint", "--notes", "--format", "json", *arguments])
    found = json.loads(done.stdout)["findings"]
    assert done.exit_code == (1 if any(one["level"] != "note" for one in found) else 0)
    return [f"{one['rule']} {one['path']}:{one['line']}" for one in found]


def written(name: str, text: str, mode: int = 0o600) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout  # noqa: S607
