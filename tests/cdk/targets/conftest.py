# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures for the files of targets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cdk.terraforming import Terraform


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Terraform]:
    running = Terraform(tmp_path)
    try:
        yield running
    finally:
        running.end()
