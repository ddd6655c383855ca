# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds secrets that were written into the program itself, and shows values without showing those."""

from __future__ import annotations

from mlkeys._providers.key_patterns import marked

_SHOWN_CHARACTERS = 60


def secret_form(text: str) -> str | None:
    """What secret a text seems to hold (`an API key`), None when it holds none."""
    return next((form.what for form in marked(text) if form.is_signed(text)), None)


def shown(value: object) -> str:
    """A value for a message: short, and not if it may be a secret."""
    text = repr(value)
    if secret_form(text):
        return f"a {type(value).__name__} that is not shown"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
