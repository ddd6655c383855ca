# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Pictures that fit on a screen or two: many boxes that are alike become one with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from mlkeys._analysis.picture import COLUMNS, VARIABLES, Box, Picture, natural

#: More secrets of one key than this are one box.
_MOST_SECRETS = 8
#: A column with more boxes than this fills more than a large screen.
MOST_BOXES = 24
#: Variables of more groups of hosts than this have no lines to them.
_MOST_GROUPS = 3

#: What several boxes are called, by the first word of their details, or by their kind.
_PLURALS = {
    "key": "keys",
    "secret": "secrets",
    "hosts": "groups of hosts",
    "policy": "policies",
    "AppRole": "AppRoles",
    "variables": "vars files",
    "output": "outputs",
    "service": "services",
}


def folded(drawn: Picture) -> Picture:
    """Return the same picture with one box for the secrets of a key that has many, and for what fills a column.

    In a column that is still too long, boxes of one sort become one if the same boxes lead to them. If that is not
    enough, those of the most frequent sort do if they lead to the same boxes, then all of it, then those of the next
    one.
    """
    done = _without_common_variables(_secrets_of_keys(drawn, _MOST_SECRETS))
    # What leads to a box is known when the columns before its own are done.
    for kind in COLUMNS:
        if kind == "engine" or _length(done, kind) <= MOST_BOXES:
            continue
        done = _joined(done, kind, _before(done))
        sorts = Counter(_sort(box) for box in done.boxes.values() if box.kind == kind)
        for sort, _number in sorts.most_common() if kind not in ("key", "secret") else ():
            for beside in (_after(done), {}):
                if _length(done, kind) > MOST_BOXES:
                    done = _joined(done, kind, beside, sort)
    return done


def _length(drawn: Picture, kind: str) -> int:
    return sum(box.kind == kind for box in drawn.boxes.values())


def _before(drawn: Picture) -> dict[str, set[str]]:
    """What leads to each box."""
    found: dict[str, set[str]] = {}
    for start, end in drawn.lines:
        found.setdefault(end, set()).add(start)
    return found


def _after(drawn: Picture) -> dict[str, set[str]]:
    """What each box leads to."""
    found: dict[str, set[str]] = {}
    for start, end in drawn.lines:
        found.setdefault(start, set()).add(end)
    return found


def _secrets_of_keys(drawn: Picture, most: int) -> Picture:
    of_key: dict[str, list[str]] = {}
    for start, end in drawn.lines:
        if drawn.boxes[start].kind == "key" and drawn.boxes[end].kind == "secret":
            of_key.setdefault(start, []).append(end)
    many = {key: ones for key, ones in of_key.items() if len(ones) > most}
    return _folded(drawn, {f"secrets of {key}": ones for key, ones in many.items()})


def _joined(drawn: Picture, kind: str, beside: Mapping[str, AbstractSet[str]], only: str = "") -> Picture:
    """Return the picture with one box for those of a column that are of one sort, and beside the same boxes.

    Args:
        beside: what leads to each box, or what it leads to.
        only: the only sort whose boxes become one; empty for all.
    """
    found: dict[tuple[str, frozenset[str]], list[str]] = {}
    for one, box in drawn.boxes.items():
        if box.kind == kind and only in ("", _sort(box)):
            found.setdefault((_sort(box), frozenset(beside.get(one, ()))), []).append(one)
    return _folded(drawn, {f"like {ones[0]}": ones for ones in found.values() if len(ones) > 1})


def _sort(box: Box) -> str:
    return box.detail.partition(" ")[0] if box.kind in ("role", "file") else box.kind


def _folded(drawn: Picture, groups: dict[str, list[str]]) -> Picture:
    """Return the picture with one box, with the given id, for the boxes of each group."""
    place = {one: group for group, ones in groups.items() for one in ones}
    before = _before(drawn)
    done = Picture({one: box for one, box in drawn.boxes.items() if one not in place})
    for group, ones in groups.items():
        leading = {start for one in ones for start in before.get(one, ())}
        done.boxes[group] = _together(drawn, ones, leading)
    for (start, end), meanings in drawn.lines.items():
        for meaning in meanings.split(", "):
            done.connect(place.get(start, start), place.get(end, end), meaning)
    return done


def _together(drawn: Picture, ones: Iterable[str], leading: AbstractSet[str]) -> Box:
    """Return the box that stands for others, which may stand for others themselves.

    Args:
        leading: what leads to any of them.
    """
    boxes = {one: drawn.boxes[one] for one in ones}
    named = {inner: name for one, box in boxes.items() for inner, name in (box.names or {one: box.name}).items()}
    names = dict(sorted(named.items(), key=lambda item: natural(item[1])))
    first = next(iter(boxes.values()))
    sort = _sort(first)
    texts = [*names.values()]
    detail = f"{texts[0]} … {texts[-1]}"
    if first.kind in ("key", "secret") and len(leading) == 1:
        (lead,) = leading
        # A box for several keys has no name of its own.
        detail = f"of {drawn.boxes[lead].name}" if drawn.boxes[lead].names else f"of {_whole_name(drawn, lead)}"
    return Box(first.kind, f"{len(names)} {_PLURALS.get(sort, f'{sort} files')}", detail, names=names)


def _whole_name(drawn: Picture, one: str) -> str:
    """Return the name of an engine or a key with that of the engine before it."""
    engine = next((f"{drawn.boxes[start].name}/" for start, end in drawn.lines if end == one), "")
    return f"{engine}{drawn.boxes[one].name}"


def _without_common_variables(drawn: Picture) -> Picture:
    """Return the same picture without the lines from variables to many groups of hosts: their detail says it."""
    groups: dict[str, list[str]] = {}
    for (start, end), meaning in drawn.lines.items():
        if meaning == VARIABLES:
            groups.setdefault(start, []).append(end)
    many = {one: len(those) for one, those in groups.items() if len(those) > _MOST_GROUPS}
    return Picture(
        {
            one: replace(box, detail=f"{box.detail} of {many[one]} groups") if one in many else box
            for one, box in drawn.boxes.items()
        },
        {(start, end): text for (start, end), text in drawn.lines.items() if start not in many or text != VARIABLES},
    )
