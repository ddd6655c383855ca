# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Run aspects over the tree until no construct is left to visit: an aspect may add constructs and aspects."""

from __future__ import annotations

from mlkeys._errors import MlkeysError
from mlkeys._model.location import raised_at
from mlkeys._model.reference import looking
from mlkeys._model.tree import Aspect, Construct

_ROUNDS = 100


def visit_all(root: Construct) -> None:
    """Let each aspect visit the construct that it was added to and all below, once; lower priorities first."""
    visited: set[tuple[int, int]] = set()
    for _ in range(_ROUNDS):
        due = [(priority, number, aspect, construct) for number, (priority, aspect, construct) in enumerate(_all(root))]
        due = [entry for entry in due if (id(entry[2]), id(entry[3])) not in visited]
        if not due:
            return
        for _, _, aspect, construct in sorted(due, key=lambda entry: entry[:2]):
            visited.add((id(aspect), id(construct)))
            _visit(aspect, construct)
    raise MlkeysError(f"aspects still add constructs after {_ROUNDS} rounds")


def _visit(aspect: Aspect, construct: Construct) -> None:
    """Let an aspect visit a construct, and report its error like any other problem, with its line."""
    in_aspect = looking.set(True)
    try:
        aspect.visit(construct)
    except MlkeysError as problem:
        where = raised_at(problem) or construct.node.location
        construct.node.add_problem(f"the aspect {type(aspect).__name__} failed: {problem}", where)
    finally:
        looking.reset(in_aspect)


def _all(root: Construct) -> list[tuple[int, Aspect, Construct]]:
    return [
        (priority, aspect, below)
        for construct in root.node.walk()
        for priority, aspect in construct.node.aspects
        for below in construct.node.walk()
    ]
