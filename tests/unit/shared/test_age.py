# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ages in words: the largest unit that fits, rounded down."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.age import age_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0 min"), (59, "0 min"), (3599, "59 min"), (3600, "1 h"), (86399, "23 h"), (90 * 86400, "90 d")],
)
def test_an_age_has_the_largest_unit_that_fits(seconds: int | None, text: str) -> None:
    assert age_text(seconds) == text
