# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Words of people, as opposed to random letters."""

from __future__ import annotations

#: A name has fewer capitals than one in this many letters.
CAPITALS_OF_VALUES = 6
# Random letters and digits without a capital have more digits.
_DIGITS_OF_NAMES = 3


def is_words(text: str) -> bool:
    """Whether letters, digits, `_` and `-` are words: of one case or with few capitals, and hardly a digit."""
    digits = sum(map(str.isdigit, text))
    capitals = sum(map(str.isupper, text))
    small = sum(map(str.islower, text))
    if not (capitals and small):
        return digits < _DIGITS_OF_NAMES
    return not digits and min(capitals, small) * CAPITALS_OF_VALUES < capitals + small
