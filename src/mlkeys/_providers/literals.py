# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds secrets written into a program, and formats values for messages without showing secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlkeys._providers.marks import may_hold_a_secret

if TYPE_CHECKING:
    from mlkeys._providers.key_patterns import Form

_SHOWN_CHARACTERS = 60


def _forms(text: str) -> list[Form]:
    """The forms of secrets that a text may contain."""
    if not may_hold_a_secret(text):
        return []
    # Loading the rules takes as long as all the rest of a small program.
    from mlkeys._providers.key_patterns import marked  # noqa: PLC0415

    return marked(text)


def secret_form(text: str) -> str | None:
    """Return the kind of secret that a text seems to hold (`an API key`), None when it holds none."""
    return next((form.what for form in _forms(text) if form.is_signed(text)), None)


def secrets_in(text: str) -> list[str]:
    """Return the parts of a text that look like secrets."""
    return [found for form in _forms(text) for found in form.signed(text)]


def hidden(message: str, secrets: Iterable[str] = ()) -> str:
    """Return a message without what looks like a secret, and without the given ones, in whatever case."""
    # The longest first: one may be part of another.
    for secret in sorted({*secrets, *secrets_in(message)}, key=len, reverse=True):
        message = re.sub(re.escape(secret), "(hidden)", message, flags=re.IGNORECASE)
    return message


def shown(value: object) -> str:
    """Format a value for a message: short, and hidden when it may be a secret."""
    text = repr(value)
    if secret_form(text):
        return f"a {type(value).__name__} (hidden)"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
