# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several of these tests begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.server import Bao

if TYPE_CHECKING:
    from tests.e2e.fleets import Fleet


@pytest.fixture
def fleet(bao: Bao, mount: str, tmp_path: Path) -> Fleet:
    # This file may be read before Ansible can find the collection.
    from tests.e2e.fleets import make_fleet

    return make_fleet(bao, mount, tmp_path)
