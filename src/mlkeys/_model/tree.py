# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The tree of constructs. What belongs to the tree is on `.node`, so that `.path` is free for Vault's paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Protocol, TypeVar, runtime_checkable

from mlkeys._errors import MlkeysError
from mlkeys._model.location import Location, call_site

T = TypeVar("T")
Validation = Callable[[], Iterable[str]]

#: The construct under which those are made that name no scope. Set by `with stack:` and by the command.
ambient: ContextVar[Construct | None] = ContextVar("ambient", default=None)

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@runtime_checkable
class Aspect(Protocol):
    """Something that visits every construct below the one it was added to, before validation."""

    def visit(self, construct: Construct) -> None:
        """Look at a construct, and perhaps change it or add to it."""


class Node:
    """The place of a construct in the tree, and what is known about that place."""

    __slots__ = (
        "_aspects", "_children", "_dependencies", "_locked", "_metadata", "_problems", "_validations", "_warnings",
        "construct", "id", "location", "path", "scope",
    )  # fmt: skip

    def __init__(self, construct: Construct, scope: Construct | None, id_: str) -> None:
        self.construct = construct
        self.scope = scope
        self.id = id_
        self.location = call_site()
        above = scope.node.path if scope is not None else ""
        self.path: str = f"{above}/{id_}" if above else id_
        self._children: dict[str, Construct] = {}
        # Most nodes have none of these; empty tuples instead of lists make a big tree a third smaller.
        self._dependencies: tuple[Construct, ...] = ()
        self._aspects: tuple[tuple[int, Aspect], ...] = ()
        self._metadata: tuple[tuple[str, object], ...] = ()
        self._validations: tuple[Validation, ...] = ()
        self._problems: tuple[tuple[str, Location], ...] = ()
        self._warnings: tuple[tuple[str, str], ...] = ()
        self._locked = False
        if scope is not None:
            scope.node.adopt(self)

    def __repr__(self) -> str:
        return f"<node {self.path or '(root)'}>"

    def adopt(self, child: Node) -> None:
        """Take in a new child; a node does so by itself when it is made."""
        if any(scope.node.locked for scope in self.scopes):
            raise MlkeysError(f"[{child.path}] constructs cannot be added while files are being made")
        if not _ID.fullmatch(child.id):
            child.add_problem(
                f"{child.id!r} is no id: letters, digits, '_', '-' and '.', beginning with a letter, digit or '_'"
            )
        first = self._children.setdefault(child.id, child.construct)
        if first is not child.construct:
            # The child is not part of the tree, so it is its parent that has the problem.
            self.add_problem(
                f"there is already a construct {child.path!r}; the other one is at {first.node.location_text}",
                child.location,
            )

    @property
    def location_text(self) -> str:
        """`file:line` of the construct, seen from the folder of the program."""
        return self.location.seen_from(self.root.node.folder)

    @property
    def folder(self) -> str:
        """The folder that file names are shown relative to: that of the file in which the root was made."""
        return self.location.file.rpartition("/")[0]

    @property
    def scopes(self) -> tuple[Construct, ...]:
        """The constructs from the root down to this one."""
        above = self.scope.node.scopes if self.scope is not None else ()
        return (*above, self.construct)

    @property
    def root(self) -> Construct:
        node = self
        while node.scope is not None:
            node = node.scope.node
        return node.construct

    @property
    def children(self) -> tuple[Construct, ...]:
        return tuple(self._children.values())

    def child(self, id_: str) -> Construct | None:
        """The construct of that id right below this one."""
        return self._children.get(id_)

    def find(self, path: str) -> Construct | None:
        """The construct at a path below this one, None when there is none."""
        found: Construct | None = self.construct
        for part in path.split("/"):
            found = found.node.child(part) if found is not None else None
        return found

    def walk(self) -> Iterator[Construct]:
        """This construct and all below it, parents first, in the order in which they were made."""
        stack = [self.construct]
        while stack:
            construct = stack.pop()
            yield construct
            stack.extend(reversed(construct.node.children))

    def nearest(self, kind: type[T]) -> T | None:
        """The nearest of that kind among this construct and those above it."""
        node: Node | None = self
        while node is not None:
            if isinstance(node.construct, kind):
                return node.construct
            node = node.scope.node if node.scope is not None else None
        return None

    @property
    def dependencies(self) -> tuple[Construct, ...]:
        return self._dependencies

    def add_dependency(self, *constructs: Construct) -> None:
        """Everything below this construct is made after everything below those."""
        self._dependencies += tuple(c for c in constructs if c not in self._dependencies)

    @property
    def metadata(self) -> tuple[tuple[str, object], ...]:
        return self._metadata

    def add_metadata(self, kind: str, value: object) -> None:
        """Keep something that is known about the construct."""
        self._metadata += ((kind, value),)

    @property
    def aspects(self) -> tuple[tuple[int, Aspect], ...]:
        return self._aspects

    def add_aspect(self, aspect: Aspect, *, priority: int = 100) -> None:
        """Let it visit this construct and all below, those of a lower number first."""
        self._aspects += ((priority, aspect),)

    @property
    def validations(self) -> tuple[Validation, ...]:
        return self._validations

    def add_validation(self, validation: Validation) -> None:
        """A function that says what is wrong, called once the whole app is there."""
        self._validations += (validation,)

    @property
    def problems(self) -> tuple[tuple[str, Location], ...]:
        return self._problems

    def add_problem(self, message: str, location: Location | None = None) -> None:
        """Say what is wrong; no file is made as long as there is anything."""
        self._problems += ((message, location or self.location),)

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Pairs of an id, by which it can be acknowledged, and a text."""
        return self._warnings

    def add_warning(self, id_: str, message: str) -> None:
        """Say what is doubtful, under an id by which that can be acknowledged."""
        if (id_, message) not in self._warnings:
            self._warnings += ((id_, message),)

    @property
    def locked(self) -> bool:
        return self._locked

    def lock(self) -> None:
        """From now on nothing can be added below."""
        self._locked = True

    def unlock(self) -> None:
        """Things can be added again."""
        self._locked = False


class Construct:
    """A part of an app. Give the scope as first argument, or leave it out inside of `with stack:`."""

    node: Node

    def __init__(self, scope: Construct | str, id_: str | None = None, /) -> None:
        place, name = where(scope, id_)
        self.node = Node(self, place, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.node.path or '(root)'}>"


def where(scope: Construct | str, id_: str | None) -> tuple[Construct, str]:
    """The scope and the id that a construct's first arguments mean."""
    if isinstance(scope, Construct) and isinstance(id_, str):
        return scope, id_
    if isinstance(scope, str) and id_ is None:
        around = ambient.get()
        if around is None:
            raise MlkeysError(
                f"there is no stack for {scope!r}: run the program with 'mlkeys synth PROGRAM', "
                "or make one: with Stack(App(), 'name'): …"
            )
        return around, scope
    raise MlkeysError("the first arguments are the scope (a construct) and the id (text), or the id alone")
