# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which names of values may be shown: a secret on a line of its own, or in the place of a name, is read as a name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from mlkeys._import.values import NOTHING, Value
from mlkeys._providers.literals import secret_form

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*|[0-9][A-Za-z0-9_.-]{0,7}")
# What shells export is in capitals; a password without a name may be any other word.
_BARE = re.compile(r"(?:[A-Z_]+|(?=[A-Z0-9]*_)[A-Z_][A-Z0-9_]*|[A-Z][A-Z0-9]{0,11})")
_LONGEST = 64
# As random as names are not.
_RANDOM = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9]).{20,}")
_HIDDEN = "has a name that may be a secret, which is not shown"
_NOTHING_ASSIGNED = "assigns nothing, and is not shown"


def of_variable(value: Value, name: str) -> Value:
    """A value by the name of its environment variable, or by its line if the name may be a secret."""
    is_bare = value.kind == NOTHING or (not value.text.strip("=") and value.text != "")
    fits = _VARIABLE.fullmatch(name) and len(name) <= _LONGEST and not _RANDOM.fullmatch(name)
    if not fits or secret_form(name) or (is_bare and not _BARE.fullmatch(name)):
        return _by_line(value, _NOTHING_ASSIGNED if is_bare else _HIDDEN)
    return replace(value, path=(name,))


def shown_by_name(values: Iterable[Value]) -> tuple[Value, ...]:
    """Values, those by their lines whose names look like secrets."""
    return tuple(_by_line(one, _HIDDEN) if any(map(secret_form, one.path)) else one for one in values)


def _by_line(value: Value, problem: str) -> Value:
    name = f"line_{value.line}" if value.line else "without_a_name"
    return replace(value, path=(name,), text="", problem=problem, aside="", replaced=False, comments=())
