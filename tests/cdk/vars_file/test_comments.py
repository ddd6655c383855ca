# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which comments of a source hold one of its secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from mlkeys._import.comments import as_written, secrets_of
from mlkeys._import.values import NUMBER, TRUTH, Value

SECRET = 'correct "horse"/ battery?'
DATA = SECRET.encode()
VALUES = (
    Value(("a",), SECRET),
    Value(("pin",), "482913", NUMBER),
    Value(("key",), "-----BEGIN X-----\nabcdefghijkl\n"),
    Value(("on",), "true", TRUTH),
    Value(("region",), "eu-central-1", was_secret=False),
    Value(("short",), "dev"),
)


@pytest.mark.parametrize(
    ("comment", "holds"),
    [
        (f"rotate with {SECRET}, ask Bob", True),
        (f"rotate with {SECRET[:5]}\u200b{SECRET[5:]}", True),
        (base64.b64encode(DATA).decode(), True),
        (base64.b64encode(b"bob:" + DATA).decode(), True),
        (base64.b64encode(b"bobby:" + DATA + b"\n").decode(), True),
        (base64.urlsafe_b64encode(b"jo:" + DATA).decode(), True),
        (json.dumps(SECRET), True),
        (quote(SECRET, safe=""), True),
        ("pin 482913", True),
        ("abcdefghijkl is the key", True),
        ("true for the dev region eu-central-1", False),
    ],
)
def test_a_comment_holds_no_value_in_any_form(comment: str, holds: bool) -> None:
    assert any(one in as_written(comment) for one in secrets_of(VALUES, [])) is holds


def test_a_chosen_value_is_looked_for_as_it_is() -> None:
    assert "dev" in secrets_of(VALUES, [VALUES[-1]])
