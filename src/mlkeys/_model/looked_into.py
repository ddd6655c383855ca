# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a program looks into the text that it is about to make of a reference, as its source says.

A format with more than a reference in it, such as `f"{key.backend}/{key.name}"`, makes a plain string, which cannot
know who looks into it. But the program that makes it can be read: the text may be an operand of `==` right there.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from types import CodeType, FrameType
from typing import NamedTuple


class Use(Enum):
    """What happens to the text.

    Attributes:
        KEPT: nothing that needs the value, as far as the source says.
        LOOKED: the program looks into it, and at once: it needs the value.
        COMPARED: the program compares it with something that may be a text or the value, or looks into it later.
    """

    KEPT = "kept"
    LOOKED = "looked"
    COMPARED = "compared"


#: Modules of Python that make paths, and look for what is there.
_OF_PATHS = frozenset({"pathlib", "posixpath", "ntpath", "genericpath", "glob", "fnmatch"})
#: Methods of a text that leave the mark of a reference in it.
_PASSING_ON = frozenset({"strip", "lstrip", "rstrip", "join", "format", "format_map"})
#: Methods and functions that make a plain string of what they get.
_PLAIN = frozenset({"format", "join", "dumps"})
_LOOKING = frozenset({"len", "int", "float"})
_MODULES = frozenset({"re", "fnmatch"})
#: A file with more is not written by people, and reading it takes a while.
_MOST_LINES = 20_000


class _Source(NamedTuple):
    nodes: dict[tuple[int, ...], ast.AST]
    parents: dict[ast.AST, ast.AST]


def use_of(frame: FrameType) -> Use:
    """Return what a program does with the text of a reference that its frame makes now."""
    if str(frame.f_globals.get("__name__")).partition(".")[0] in _OF_PATHS:
        return Use.LOOKED
    return _use_at(frame.f_code, frame.f_lasti)


@lru_cache(maxsize=4096)
def _use_at(code: CodeType, instruction: int) -> Use:
    source = _source(code.co_filename)
    position = [*code.co_positions()][instruction // 2]
    line, last, column, end = position
    node = source.nodes.get((line or 0, last or 0, column or 0, end or 0)) if source is not None else None
    if source is None or node is None:
        return Use.KEPT
    text, is_plain = _whole(node, source.parents)
    return _use(text, source.parents) if is_plain else Use.KEPT


@lru_cache(maxsize=64)
def _source(file: str) -> _Source | None:
    lines = linecache.getlines(file)
    if not lines or len(lines) > _MOST_LINES:
        return None
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return None
    source = _Source({}, {})
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            source.parents[child] = parent
            if isinstance(child, ast.expr):
                place = (child.lineno, child.end_lineno or 0, child.col_offset, child.end_col_offset or 0)
                # Of two at one place, such as a text in brackets alone, the outer one comes first.
                source.nodes.setdefault(place, child)
    return source


def _whole(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> tuple[ast.AST, bool]:
    """Return the text that a node is a part of, and whether it is a plain string."""
    is_plain = _makes_plain(node)
    while (parent := parents.get(node)) is not None and _is_text(parent, node):
        node, is_plain = parent, is_plain or _makes_plain(parent)
    return node, is_plain


def _is_text(node: ast.AST, part: ast.AST) -> bool:
    """Whether a node makes a text of its part."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return part is not node.func and name in ("format", "join", "dumps", "str")
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, (ast.Add, ast.Mod))
    return isinstance(node, (ast.JoinedStr, ast.FormattedValue, ast.Tuple, ast.List, ast.Dict, ast.keyword))


def _makes_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        return len(node.values) > 1
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mod)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PLAIN


def _use(text: ast.AST, parents: dict[ast.AST, ast.AST]) -> Use:
    parent = parents.get(text)
    if isinstance(parent, ast.Compare):
        return Use.LOOKED if all(map(_is_seen, _operands(parent))) else Use.COMPARED
    if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
        return _use_of_variable(parent, parents)
    return Use.LOOKED if _is_looked_into(text, parents) else Use.KEPT


def _is_looked_into(text: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether what is around a text needs its characters, but for comparisons."""
    parent = parents.get(text)
    if isinstance(parent, ast.Attribute):
        called = parents.get(parent)
        if not isinstance(called, ast.Call) or called.func is not parent:
            return False
        return parent.attr not in _PASSING_ON or _is_looked_into(called, parents)
    if isinstance(parent, ast.Subscript):
        return parent.value is text or isinstance(parent.value, ast.Dict)
    if isinstance(parent, ast.Call):
        name = parent.func.value if isinstance(parent.func, ast.Attribute) else parent.func
        known = _MODULES if isinstance(parent.func, ast.Attribute) else _LOOKING
        return isinstance(name, ast.Name) and name.id in known
    return isinstance(parent, ast.Match) and parent.subject is text


def _use_of_variable(assigned: ast.Assign | ast.AnnAssign | ast.NamedExpr, parents: dict[ast.AST, ast.AST]) -> Use:
    """Return whether the program looks into a variable, or compares it with what it can only be as a value."""
    targets = assigned.targets if isinstance(assigned, ast.Assign) else [assigned.target]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    scope: ast.AST = assigned
    while not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module, ast.Lambda)):
        scope = parents[scope]
    nodes = [*ast.walk(scope)]
    stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    # One that is set again, as in a loop or a comprehension, may hold anything.
    names = {name for name in names if stored.count(name) == 1}
    read = (node for node in nodes if isinstance(node, ast.Name) and node.id in names)
    compared = (node for node in nodes if isinstance(node, ast.Compare))
    if any(_is_looked_into(one, parents) for one in read):
        return Use.COMPARED
    return Use.COMPARED if any(names & {*_compared_with_values(one)} for one in compared) else Use.KEPT


def _compared_with_values(compared: ast.Compare) -> Iterator[str]:
    operands = _operands(compared)
    names = [operand for operand in operands if isinstance(operand, ast.Name)]
    if len(names) == 1 and all(_is_literal(operand) for operand in operands if operand is not names[0]):
        yield names[0].id


def _operands(compared: ast.Compare) -> list[ast.expr]:
    return [compared.left, *compared.comparators]


def _is_seen(operand: ast.AST) -> bool:
    """Whether an operand is a literal, or a text that shows the values, too."""
    is_text = isinstance(operand, (ast.JoinedStr, ast.BinOp)) or _makes_plain(operand)
    return is_text or _is_literal(operand)


def _is_literal(operand: ast.AST) -> bool:
    if isinstance(operand, ast.Dict):
        return all(key is not None and _is_literal(key) for key in operand.keys)
    if isinstance(operand, (ast.Tuple, ast.List, ast.Set)):
        return all(map(_is_literal, operand.elts))
    return isinstance(operand, ast.Constant)
