# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A vars file with its key, for the tests of vault_transit_vars."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.server import Bao

if TYPE_CHECKING:
    from tests.integration.support.vars_files import VarsFile


@pytest.fixture
def vars_file(bao: Bao, mount: str, tmp_path: Path) -> VarsFile:
    # The collection has its name only once pytest is configured.
    from tests.integration.support.vars_files import VarsFile

    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key()
    return file


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)
