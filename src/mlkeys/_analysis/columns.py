# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Where the boxes of a picture stand in their columns: parts that belong together in the order of their names.

A library orders each part so that few lines cross. Then boxes and the bends of lines move towards their neighbours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import TypeAlias

from mlkeys._analysis.picture import Picture, natural

#: Of a box, of its row and of a bend, in pixels.
HEIGHT, _ROW, _BEND = 42, 54, 10
#: How far down the first box of a column can be, in pixels.
_SEEN_FIRST = 360
#: How often the library orders columns, and boxes move towards their neighbours.
_ROUNDS, _TURNS = 100, 24

#: A box, or the bend of a line in a column that it crosses.
_Place: TypeAlias = str | tuple[str, str, str]
_Neighbours: TypeAlias = Mapping[_Place, Sequence[_Place]]


def heights(
    drawn: Picture, kinds: Sequence[str], top: float, igraph: ModuleType
) -> tuple[dict[str, float], dict[tuple[str, str], list[tuple[str, float]]]]:
    """Return the top of each box, and the column and height of the bends of lines, all in pixels.

    Args:
        kinds: of the columns, from left to right.
        top: of the first box.
        igraph: the library.
    """
    if not drawn.boxes:
        return {}, {}
    left, right = _neighbours(drawn, kinds)
    columns = _ordered(_first_order(drawn, kinds, right), right, igraph)
    places = _placed(columns, {one: [*left[one], *right[one]] for one in left}, top)
    bends: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for kind, column in zip(kinds, columns, strict=True):
        for one in column:
            if not isinstance(one, str):
                bends.setdefault(one[:2], []).append((kind, places[one]))
    return {one: places[one] for one in drawn.boxes}, bends


def _neighbours(drawn: Picture, kinds: Sequence[str]) -> tuple[dict[_Place, list[_Place]], dict[_Place, list[_Place]]]:
    """Return what each box or bend is connected to in the column before its own, and in the one after it."""
    left: dict[_Place, list[_Place]] = {one: [] for one in drawn.boxes}
    right: dict[_Place, list[_Place]] = {one: [] for one in drawn.boxes}
    for start, end in sorted(drawn.lines, key=lambda ends: [natural(drawn.boxes[one].name) for one in ends]):
        crossed = kinds[kinds.index(drawn.boxes[start].kind) + 1 : kinds.index(drawn.boxes[end].kind)]
        chain: list[_Place] = [start, *((start, end, kind) for kind in crossed), end]
        for one, other in itertools.pairwise(chain):
            right.setdefault(one, []).append(other)
            left.setdefault(other, []).append(one)
    for one in {*left, *right}:
        left.setdefault(one, [])
        right.setdefault(one, [])
    return left, right


def _first_order(drawn: Picture, kinds: Sequence[str], right: _Neighbours) -> list[list[_Place]]:
    """Return the columns with what follows from a box together, all else in the order of the names."""
    columns: list[list[_Place]] = [[] for _ in kinds]
    seen: set[_Place] = set()
    ones = sorted(drawn.boxes, key=lambda one: (kinds.index(drawn.boxes[one].kind), natural(drawn.boxes[one].name)))
    for one in ones:
        for found in _following(one, right, seen):
            kind = drawn.boxes[found].kind if isinstance(found, str) else found[2]
            columns[kinds.index(kind)].append(found)
    return columns


def _following(one: _Place, right: _Neighbours, seen: set[_Place]) -> Iterator[_Place]:
    waiting = [one]
    while waiting:
        if (found := waiting.pop()) not in seen:
            seen.add(found)
            yield found
            waiting += reversed(right[found])


def _ordered(columns: Sequence[Sequence[_Place]], right: _Neighbours, igraph: ModuleType) -> list[list[_Place]]:
    """Return the columns in an order in which few lines cross, with the parts of the picture below each other."""
    ones = [(one, number) for number, column in enumerate(columns) for one in column]
    numbers = {one: number for number, (one, _) in enumerate(ones)}
    lines = [(numbers[one], numbers[other]) for one, _ in ones for other in right[one]]
    found: list[list[_Place]] = [[] for _ in columns]
    # Of all parts at once, the library would mix those that have nothing to do with each other.
    for part in sorted(igraph.Graph(len(ones), lines).connected_components(), key=min):
        members = sorted(part)
        inside = {number: place for place, number in enumerate(members)}
        graph = igraph.Graph(
            len(members), [(inside[one], inside[other]) for one, other in lines if one in inside], directed=True
        )
        layout = graph.layout_sugiyama(layers=[ones[number][1] for number in members], maxiter=_ROUNDS)
        # Each line is between columns beside each other, so it has no bends of its own.
        across = dict(zip(members, layout.coords, strict=False))
        for number in sorted(members, key=lambda number: across[number][0]):
            one, column = ones[number]
            found[column].append(one)
    return found


def _placed(
    columns: Sequence[Sequence[_Place]], neighbours: Mapping[_Place, Sequence[_Place]], top: float
) -> dict[_Place, float]:
    """Return the top of each box and bend: as near to its neighbours as the order of its column allows."""
    places: dict[_Place, float] = {}
    for column in columns:
        places.update(zip(column, itertools.accumulate((_room(one) for one in column), initial=0.0), strict=False))
    for number in range(_TURNS):
        for column in columns if number % 2 == 0 else reversed(columns):
            wanted = [
                sum(places[other] + _room(other) / 2 for other in near) / len(near) - _room(one) / 2
                if (near := neighbours[one])
                else places[one]
                for one in column
            ]
            places.update(zip(column, _apart(wanted, [_room(one) for one in column]), strict=True))
    highest = min(places.values())
    places = {one: place - highest + top for one, place in places.items()}
    for column in columns:
        places[column[0]] = min(places[column[0]], _SEEN_FIRST)
    return places


def _apart(wanted: Sequence[float], rooms: Sequence[int]) -> list[float]:
    """Return heights in the same order as near to the wanted ones as possible, each with its room."""
    above = [0, *itertools.accumulate(rooms)]
    # Neighbours that would overlap stand together, around the mean of what they want.
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, above, strict=False):
        mean, size = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, count = blocks.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, above, strict=False)]


def _room(one: _Place) -> int:
    """Return the height that a box or a bend takes in its column."""
    return _ROW if isinstance(one, str) else _BEND
