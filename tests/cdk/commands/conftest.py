# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What tests of commands need of a server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cdk.command import mlkeys
from tests.cdk.commands.sites import Site
from tests.support.server import Bao


@pytest.fixture
def site(bao: Bao, tmp_path: Path) -> Iterator[Site]:
    engine = f"engine-{secrets.token_hex(4)}"
    folder = tmp_path / "site"
    mlkeys("init", str(folder), cwd=tmp_path)
    yield Site(bao, engine, folder)
    bao.done("DELETE", f"sys/mounts/{engine}")
