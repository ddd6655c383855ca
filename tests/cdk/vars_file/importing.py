# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What tests of `mlkeys import` have in common."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from tests.cdk import keys

OPENAI, ANTHROPIC, OTHER = keys.openai(), keys.anthropic(), "correct horse"
TARGET = Path("keys.transit.yml")

Importing = Callable[..., Result]


def sealed(name: str, text: str, recipient: str, *options: str) -> str:
    """A file that the real sops has encrypted."""
    Path(name).write_text(text)
    command = ["sops", "encrypt", "--age", recipient, *options, "--in-place", name]
    subprocess.run(command, check=True, capture_output=True)
    assert "ENC[AES256_GCM" in Path(name).read_text()
    return name
