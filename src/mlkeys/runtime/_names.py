# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Find a secret by the name that another program has for it."""

from __future__ import annotations

from collections.abc import Collection


def names_for(name: str) -> tuple[str, str]:
    """The names of a secret for a variable of this name: OPENAI_API_KEY is that of openai_api_key."""
    return name, name.lower()


def secret_named(name: str, known: Collection[str]) -> str | None:
    """The secret of this name, or of the variable of this name."""
    return next((one for one in names_for(name) if one in known), None)
