# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of each value of a source. None is dropped without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mlkeys._import.values import SCALARS, TEXT, Source, Value, refuse
from mlkeys._shared.schema import did_you_mean
from mlkeys._shared.yaml_words import is_reserved

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_]+")
# The vars file's own entry.
_METADATA = "_transit"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for.

    Attributes:
        only: names of values or of what they are in; empty for all.
        skip: the same, for what is left out.
        renamed: variable names by names of values.
        prefix: put before the names of all others.
        flatten: take what is in mappings and lists, as parent_child.
        as_text: take numbers, truth values and dates as they are written.
        literal: take texts with references and templates in them as they stand.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    flatten: bool = False
    as_text: bool = False
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """What is imported, by variable, and why the rest is not."""

    chosen: Mapping[str, Value]
    left_out: tuple[tuple[Value, str], ...]

    @property
    def secrets(self) -> dict[str, str]:
        return {name: value.text for name, value in self.chosen.items()}


def select(source: Source, wishes: Wishes) -> Selection:
    """Decide on each value.

    Raises:
        MlkeysError: something has to be decided first; all of it at once, without a value.
    """
    problems = list(_unmatched(source.values, wishes))
    left_out: list[tuple[Value, str]] = []
    named: dict[str, list[Value]] = {}
    refused: dict[str, str] = {}
    for value in source.values:
        reason = _left_out(value, wishes)
        if reason:
            left_out.append((value, reason))
            continue
        subject, problem = _problem(source, value, wishes)
        if problem:
            refused.setdefault(subject, problem)
            continue
        named.setdefault(_variable(value, wishes), []).append(value)
    problems += refused.values()
    problems += [problem for name, values in named.items() for problem in _about_name(name, values)]
    refuse(source.path, problems)
    return Selection({name: values[0] for name, values in named.items()}, tuple(left_out))


def _unmatched(values: Sequence[Value], wishes: Wishes) -> Iterator[str]:
    known = {name for value in values for name in _names(value)}
    for option, names in (("--only", wishes.only), ("--skip", wishes.skip), ("--rename", tuple(wishes.renamed))):
        for name in names:
            if name not in known:
                yield f"{option} {name}: there is nothing of that name.{did_you_mean(name, known)}"


def _names(value: Value) -> Iterator[str]:
    """All names by which a value may be called: its own, and those of what it is in."""
    for length in range(1, len(value.path) + 1):
        yield ".".join(value.path[:length])


def _left_out(value: Value, wishes: Wishes) -> str:
    names = set(_names(value))
    if names & set(wishes.skip):
        return "--skip"
    if wishes.only:
        return "" if names & set(wishes.only) else "not among --only"
    return "" if value.was_secret else "not encrypted there; --only takes it as well"


def _problem(source: Source, value: Value, wishes: Wishes) -> tuple[str, str]:
    """What has to be decided about a value, and of what that is said: a whole mapping once, not each of its values."""
    if len(value.path) > 1 and not wishes.flatten:
        outer = value.path[0]
        return outer, (
            f"{outer} holds further values: --flatten makes variables such as {_joined(value.path)} of them, "
            f"--skip {outer} leaves them out"
        )
    skip = f"--skip {value.name} leaves it out"
    if value.kind in SCALARS and not wishes.as_text:
        return value.place, f"{value.place} is {value.kind}: --as-text takes it as it is written, {skip}"
    if value.kind not in (TEXT, *SCALARS):
        return value.place, f"{value.place} holds {value.kind}, which is no secret: {skip}"
    if not value.text:
        return value.place, f"{value.place} is empty: {skip}"
    if source.reference is not None and source.reference.search(value.text) and not wishes.literal:
        return value.place, (
            f"{value.place} refers to something else, which would not be looked up: --literal takes it as it stands, "
            f"{skip}"
        )
    return "", ""


def _variable(value: Value, wishes: Wishes) -> str:
    return wishes.renamed.get(value.name) or f"{wishes.prefix}{_joined(value.path)}"


def _joined(path: Sequence[str]) -> str:
    return _NOT_IN_NAMES.sub("_", "_".join(path).lower()).strip("_") if path else ""


def _about_name(name: str, values: Sequence[Value]) -> Iterator[str]:
    if len(values) > 1:
        places = ", ".join(value.place for value in values)
        yield f"{places}: all of them would become {name}. Choose with --only or --skip, or --rename OLD=NEW"
    elif not _NAME.fullmatch(name) or name == _METADATA or is_reserved(name):
        old = values[0].name
        yield f"{values[0].place} would become '{name}', which is no name for a variable: --rename {old}=NEW"
