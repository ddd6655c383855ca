# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures for pytest, which loads this in each session: it imports nothing that a session may not need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from mlkeys._testing.project import Server


@pytest.fixture(scope="session")
def mlkeys_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a throwaway OpenBao server on this machine until the end of the session."""
    from mlkeys._devserver.server import DevServer  # noqa: PLC0415
    from mlkeys._testing.project import Server  # noqa: PLC0415

    with DevServer(tmp_path_factory.mktemp("mlkeys-server")) as server:
        yield Server(server.address, server.token, server.client_environment, server.request)


@pytest.fixture
def mlkeys_snapshot(request: pytest.FixtureRequest) -> SnapshotAssertion:
    """Compare a project with the one in `__snapshots__`: `assert project == mlkeys_snapshot`. It needs syrupy."""
    from mlkeys._testing.snapshots import ProjectSnapshot  # noqa: PLC0415

    snapshot: SnapshotAssertion = request.getfixturevalue("snapshot")
    return snapshot.use_extension(ProjectSnapshot)
