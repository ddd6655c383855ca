# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Decides what to do with each value of a source. No value is dropped silently."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mlkeys._import.data import Nesting, other_key, parts_of, type_problem, typed
from mlkeys._import.values import NOTHING, OTHER_NUMBER, SCALARS, TEXT, Source, Value, on_one_line, refuse
from mlkeys._shared._yaml.words import is_reserved
from mlkeys._shared.kept_sealed import holds_ciphertext
from mlkeys._shared.suggestions import did_you_mean
from mlkeys._shared.vars_files import METADATA

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of `mlkeys import`.

    Attributes:
        only: names of values, or of mappings and lists that contain them; empty for all.
        skip: the same, for values to skip.
        renamed: variable names, by the names of values.
        prefix: prepended to all other variable names.
        flatten: import nested values, as parent_child.
        as_text: import numbers, booleans and dates as they are written.
        skip_empty: skip values that are empty.
        literal: import text with references and templates as it is.
        comments: import the comments, too.
        nested: import data as they are: nested, with numbers, booleans and null, under such names.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    flatten: bool = False
    as_text: bool = False
    skip_empty: bool = False
    literal: bool = False
    comments: bool = False
    nested: Nesting | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The values to import, by variable, and the reasons for skipping the others."""

    chosen: Mapping[str, Value]
    left_out: tuple[tuple[Value, str], ...]
    nested: bool = False

    @property
    def secrets(self) -> dict[str, object]:
        return {name: typed(value) if self.nested else value.text for name, value in self.chosen.items()}


def select(source: Source, wishes: Wishes) -> Selection:
    """Decide on each value.

    Raises:
        MlkeysError: the user must decide something first. It lists all such decisions, without values.
    """
    problems = list(_unmatched(source.values, wishes))
    left_out: list[tuple[Value, str]] = []
    named: dict[str, list[Value]] = {}
    refused: dict[str, tuple[str, str]] = {}
    unusable: list[str] = []
    for value in source.values:
        reason = _left_out(value, wishes)
        if reason:
            left_out.append((value, reason))
            continue
        subject, kind, problem = _problem(source, value, wishes)
        if problem:
            refused.setdefault(subject, (kind, problem))
            if kind in (_SCALAR, _OTHER, _REFERS):
                unusable += _unusable(value, wishes)
            continue
        named.setdefault(variable_of(value, wishes), []).append(value)
    problems += _together(refused)
    problems += unusable
    problems += _about_names(named, wishes)
    refuse(source.path, problems)
    return Selection({name: values[0] for name, values in named.items()}, tuple(left_out), wishes.nested is not None)


def is_wanted(path: Sequence[str], line: int, wishes: Wishes) -> bool:
    """Whether a value may be imported, by its names alone: others need not be decrypted."""
    names = set(_names(Value(tuple(path), "", line=line)))
    return not _is_one(names, wishes.skip) and (not wishes.only or _is_one(names, wishes.only))


def _is_one(names: Collection[str], wanted: Collection[str]) -> bool:
    """Whether one of the names is wanted: as it is, or by a pattern with `*`."""
    patterns = [one for one in wanted if "*" in one]
    return any(one in names for one in wanted) or any(
        re.fullmatch(re.escape(one).replace(r"\*", ".*"), name) for one in patterns for name in names
    )


def _unmatched(values: Sequence[Value], wishes: Wishes) -> Iterator[str]:
    known = {name for value in values for name in _names(value)}
    for option, names in (("--only", wishes.only), ("--skip", wishes.skip), ("--rename", tuple(wishes.renamed))):
        for name in names:
            if name not in known and (option == "--rename" or not _is_one(known, (name,))):
                yield f"{option} {name}: no value has this name.{did_you_mean(name, known)}"


def _names(value: Value) -> Iterator[str]:
    """The names that select a value: its own, and those of the mappings and lists around it, also as they are shown."""
    for length in range(1, len(value.path) + 1):
        yield ".".join(value.path[:length])
    # With its line, for one of several values of the same name.
    yield from (value.name, value.place)


def _left_out(value: Value, wishes: Wishes) -> str:
    names = set(_names(value))
    if value.replaced:
        return "assigned again later"
    if _is_one(names, wishes.skip):
        return "--skip"
    if value.aside:
        return value.aside
    # What could not be read has no text either, but is not empty.
    if wishes.skip_empty and not value.problem and value.kind in (TEXT, NOTHING) and not value.text:
        return "--skip-empty"
    if wishes.only:
        return "" if _is_one(names, wishes.only) else "not in --only"
    return "" if value.was_secret else "not encrypted in the source; import it with --only"


def _together(refused: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The problems, and many of one kind as one, so that all of them are on one screen."""
    subjects: dict[str, list[str]] = {}
    for subject, (kind, _problem_of_one) in refused.items():
        subjects.setdefault(kind, []).append(subject)
    said = set()
    for kind, problem in refused.values():
        alike = subjects[kind]
        if len(alike) <= (_FEW if kind in _FOR_MANY else _SOME) or not (kind in _FOR_MANY or kind.startswith(_OWN)):
            yield problem
        elif kind not in said:
            said.add(kind)
            many = f"{_listed(alike)} ({len(alike)} values)"
            yield f"{many} {_FOR_MANY[kind]}" if kind in _FOR_MANY else f"each of {many} {_own_for_many(kind, alike)}"


def _listed(subjects: Sequence[str]) -> str:
    """Subjects, those that are only lines as ranges."""
    numbers = [int(found[1]) if (found := _ONLY_LINE.fullmatch(one)) else 0 for one in subjects]
    if not all(numbers):
        return ", ".join(subjects)
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return "lines " + ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _own_for_many(kind: str, subjects: Sequence[str]) -> str:
    each = "--skip 'line_*'" if all(map(_ONLY_LINE.fullmatch, subjects)) else "--skip NAME for each"
    return f"{kind.removeprefix(_OWN)}: use {each}"


_OWN = "problem: "
_ONLY_LINE = re.compile(r"line_([0-9]+) \(line \1\)")


# What is fewer has a line of its own: where there is one option for all, and where each needs its own.
_FEW, _SOME = 3, 8
_NESTED, _KEYS, _SCALAR, _OTHER = "nested", "keys", "scalar", "other"
_NOTHING, _EMPTY, _REFERS = "nothing", "empty", "refers"
_SKIP_EACH = "or --skip NAME for each"
_FOR_MANY = {
    _NESTED: "contain nested values: use --nested to import them as they are, --flatten to import them as "
    f"parent_child, {_SKIP_EACH}",
    _KEYS: "end with keys that YAML reads as something else, and keys are stored as text: use --as-text to make them "
    f"text, {_SKIP_EACH}",
    _SCALAR: f"are numbers, dates, true or false: use --as-text to import them as they are written, {_SKIP_EACH}",
    _OTHER: "are numbers that YAML reads in another form: use --as-text to import them as they are written, "
    f"{_SKIP_EACH}",
    _NOTHING: "contain nothing: use --skip-empty",
    _EMPTY: "are empty: use --skip-empty",
    _REFERS: f"refer to something else, or are encrypted: use --literal to import them as they are, {_SKIP_EACH}",
}


def _problem(source: Source, value: Value, wishes: Wishes) -> tuple[str, str, str]:
    """The subject, kind and text of a decision about a value. A mapping is one subject, not each of its values."""
    skip = f"--skip {_quoted(value.name)}"
    if value.problem:
        return value.place, f"{_OWN}{value.problem}", f"{value.place} {value.problem}: use {skip}"
    if len(value.path) > 1 and not (wishes.flatten or wishes.nested) and value.name not in wishes.renamed:
        outer = value.path[0]
        flat = f"--flatten to import them as {_joined(value.path)} and so on"
        advice = f"use --nested to import them as they are, {flat}, or --skip {outer}"
        return outer, _NESTED, f"{outer} contains nested values: {advice}"
    key, what = other_key(value) if wishes.nested and value.name not in wishes.renamed else ("", "")
    if key and not wishes.as_text:
        advice = f"use --as-text to make them text, or --skip {_quoted(key)}"
        return key, _KEYS, f"{key} ends with a key that YAML reads as {what}, and keys are stored as text: {advice}"
    unread = type_problem(value) if wishes.nested else ""
    if wishes.nested and value.kind in (*SCALARS, NOTHING) and (wishes.as_text or not unread):
        return "", "", ""
    if value.kind in SCALARS and not wishes.as_text:
        advice = f"use --as-text to import it as it is written, or {skip}"
        kind = unread or (_OTHER if value.kind == OTHER_NUMBER else _SCALAR)
        return value.place, kind, f"{value.place} is {unread or value.kind}: {advice}"
    if value.kind == NOTHING:
        without = f"{value.place} contains nothing{source.about_nothing}: use --skip-empty, or {skip}"
        return value.place, _NOTHING, without
    if value.kind not in (TEXT, *SCALARS):
        return value.place, "unknown", f"{value.place} contains {value.kind}, which is not a secret: use {skip}"
    if not value.text and not wishes.nested:
        return value.place, _EMPTY, f"{value.place} is empty: use --skip-empty, or {skip}"
    refers = value.reference or (source.reference is not None and source.reference.search(value.text))
    # Of any source: it would be encrypted twice.
    refers = refers or holds_ciphertext(value.text)
    if refers and not wishes.literal:
        advice = f"use --literal to import it as it is, or {skip}"
        return value.place, _REFERS, f"{value.place} refers to something else, or is encrypted: {advice}"
    return "", "", ""


def _quoted(word: str) -> str:
    """A word for a shell, as short as it can be."""
    return word if _PLAIN_WORD.fullmatch(word) else "'" + word.replace("'", "'\\''") + "'"


def variable_of(value: Value, wishes: Wishes) -> str:
    """What the variable for a value is called."""
    if wishes.nested:
        return wishes.renamed.get(value.name) or f"{wishes.prefix}{wishes.nested.joined(parts_of(value))}"
    return wishes.renamed.get(value.name) or f"{wishes.prefix}{_joined(value.path)}"


def _joined(path: Sequence[str]) -> str:
    return _NOT_IN_NAMES.sub("_", "_".join(path).lower()).strip("_") if path else ""


def _unusable(value: Value, wishes: Wishes) -> Iterator[str]:
    """What else is to decide about a value that an option imports: that its name cannot be a variable's."""
    name = variable_of(value, wishes)
    if not _is_usable(name, wishes):
        yield from _about_name(name, [value], wishes)


def _is_usable(name: str, wishes: Wishes) -> bool:
    if wishes.nested:
        return not wishes.nested.problem(name)
    return bool(_NAME.fullmatch(name)) and name != METADATA and not is_reserved(name)


def _about_names(named: Mapping[str, Sequence[Value]], wishes: Wishes) -> Iterator[str]:
    """The problems of variables, and many that stand for several values as one."""
    several = {name: values for name, values in named.items() if len(values) > 1}
    if len(several) > _SOME:
        listed = "; ".join(
            f"{on_one_line(name)}: {', '.join(value.place for value in values)}" for name, values in several.items()
        )
        yield (
            f"{len(several)} names stand for several values each. Choose with --only, --skip or --rename OLD=NEW, or "
            f"rename them in the source: {listed}"
        )
    for name, values in named.items():
        if name not in several or len(several) <= _SOME:
            yield from _about_name(name, values, wishes)


def _about_name(name: str, values: Sequence[Value], wishes: Wishes) -> Iterator[str]:
    if len(values) > 1:
        places = ", ".join(value.place for value in values)
        advice = "Choose with --only, --skip or --rename OLD=NEW"
        if len({value.place for value in values}) < len(values):
            # What skips one of them skips the other.
            advice = "Rename one of them in the source"
        elif len({value.name for value in values}) == 1:
            advice = f"Choose with --skip {_quoted(values[0].place)}, or define it once"
        yield f"{places}: all of them would become {on_one_line(name)}. {advice}"
    elif not _is_usable(name, wishes):
        old = values[0].name
        better = _joined([name]) if old in wishes.renamed and _is_usable(_joined([name]), wishes) else "NEW"
        advice = f"use --rename {_quoted(f'{old}={better}')}"
        yield f"{values[0].place} would become '{on_one_line(name)}', which is not a variable name: {advice}"
