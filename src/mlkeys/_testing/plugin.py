# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What pytest gets, which loads this in each session: it imports nothing that a session may not need."""

from __future__ import annotations

import sys
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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Show an error of a program where the user's code led to it, without the frames of this package."""
    # Where nothing of the package was imported, no error is one of its own.
    errors = sys.modules.get("mlkeys._errors")
    if errors is None or call.excinfo is None or not isinstance(call.excinfo.value, errors.MlkeysError):
        return
    from mlkeys._model.location import without_our_frames  # noqa: PLC0415

    problem = call.excinfo.value
    call.excinfo = pytest.ExceptionInfo.from_exception(problem.with_traceback(without_our_frames(call.excinfo.tb)))


@pytest.fixture
def mlkeys_snapshot(request: pytest.FixtureRequest) -> SnapshotAssertion:
    """Compare a project with the one in `__snapshots__`: `assert project == mlkeys_snapshot`. It needs syrupy."""
    from mlkeys._testing.snapshots import ProjectSnapshot  # noqa: PLC0415

    snapshot: SnapshotAssertion = request.getfixturevalue("snapshot")
    return snapshot.use_extension(ProjectSnapshot)
