# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Servers for programs: some have fixed paths, some need TLS or a server that is not ready."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.conftest import authority, sealed_url, secure_bao, uninitialised_url
from tests.support.server import Bao, running_bao

__all__ = ["authority", "fresh", "sealed_url", "secure_bao", "uninitialised_url"]


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """Return a server for this test alone: the examples have fixed paths."""
    with running_bao(tmp_path_factory.mktemp("deploy")) as server:
        yield server
