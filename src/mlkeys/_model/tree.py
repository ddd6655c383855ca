# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The construct tree. Data of the tree is on `.node`, so that `.path` is free for Vault's paths."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Protocol, TypeVar, runtime_checkable

from mlkeys._errors import MlkeysError
from mlkeys._model.location import Location, call_site, is_ours
from mlkeys._model.marks import readable, resolved
from mlkeys._model.not_text import NotText
from mlkeys._providers.literals import shown

T = TypeVar("T")
Validation = Callable[[], Iterable[str]]

#: The scope of constructs that are given none. Set by `with stack:` and by commands.
ambient: ContextVar[Construct | None] = ContextVar("ambient", default=None)

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@runtime_checkable
class Aspect(Protocol):
    """Visits the construct that it was added to and every construct below, before validation.

    Add one with `construct.node.add_aspect(aspect)`.
    """

    def visit(self, construct: Construct) -> None:
        """Inspect a construct; change it, or add constructs to it."""


class Node:
    """The place of a construct in the tree, and its dependencies, aspects, validations and messages."""

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
        # Most nodes have none of these; empty tuples instead of lists make a large tree a third smaller.
        self._dependencies: dict[Construct, Location] | None = None
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
        """Add a child. The constructor of a node calls this."""
        if self._is_locked():
            raise MlkeysError(f"[{child.path}] constructs cannot be added during synthesis")
        if not _ID.fullmatch(child.id):
            child.add_problem(
                f"{shown(child.id)} is not a valid id: use letters, digits, '_', '-' and '.', beginning with a letter, "
                "digit or '_'"
            )
        first = self._children.setdefault(child.id, child.construct)
        if first is not child.construct:
            # The child is not part of the tree, so its parent has the problem.
            self.add_problem(
                f"duplicate id: there is already a construct {child.path!r}, at {first.node.location_text}",
                child.location,
            )

    def _is_locked(self) -> bool:
        node: Node | None = self
        while node is not None and not node.locked:
            node = node.scope.node if node.scope is not None else None
        return node is not None

    @property
    def location_text(self) -> str:
        """`file:line` of the construct, relative to the folder of the program."""
        return self.location.seen_from(self.root.node.folder)

    @property
    def folder(self) -> str:
        """The folder that file names are relative to: that of the file which makes the root."""
        return self.location.file.rpartition("/")[0]

    @property
    def scopes(self) -> tuple[Construct, ...]:
        """The constructs from the root down to this one."""
        above = self.scope.node.scopes if self.scope is not None else ()
        return (*above, self.construct)

    @property
    def waiting(self) -> tuple[Construct, ...]:
        """Those of the scopes that depend on something, nearly always none."""
        found: tuple[Construct, ...] = ()
        node: Node | None = self
        while node is not None:
            if node.depends:
                found = (node.construct, *found)
            node = node.scope.node if node.scope is not None else None
        return found

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
        """Return the direct child with an id, None when there is none."""
        return self._children.get(id_)

    def find(self, path: str) -> Construct | None:
        """Return the construct at a path below this one, None when there is none."""
        found: Construct | None = self.construct
        for part in path.split("/"):
            found = found.node.child(part) if found is not None else None
        return found

    def walk(self) -> Iterator[Construct]:
        """Yield this construct and all below it, parents first, in the order of the program."""
        stack = [self.construct]
        while stack:
            construct = stack.pop()
            yield construct
            stack.extend(reversed(construct.node.children))

    def nearest(self, kind: type[T]) -> T | None:
        """Return the nearest construct of a class among this one and those above it."""
        node: Node | None = self
        while node is not None:
            if isinstance(node.construct, kind):
                return node.construct
            node = node.scope.node if node.scope is not None else None
        return None

    @property
    def dependencies(self) -> tuple[Construct, ...]:
        return tuple(self._dependencies or ())

    @property
    def dependency_lines(self) -> tuple[tuple[Construct, str], ...]:
        """What the construct itself depends on, with the line that says so."""
        folder = self.root.node.folder
        return tuple((other, at.seen_from(folder)) for other, at in (self._dependencies or {}).items())

    @property
    def depends(self) -> bool:
        """Whether the construct itself depends on something."""
        return bool(self._dependencies)

    def add_dependency(self, *constructs: Construct) -> None:
        """Create this construct and everything below it after the others and everything below them."""
        for other in constructs:
            if not isinstance(other, Construct):
                self.add_problem(f"add_dependency takes constructs, not {shown(other)}", call_site())
                return
        if self._dependencies is None:
            self._dependencies = {}
        at = call_site()
        for other in constructs:
            self._dependencies.setdefault(other, at)

    @property
    def metadata(self) -> tuple[tuple[str, object], ...]:
        return self._metadata

    def add_metadata(self, kind: str, value: object) -> None:
        """Attach metadata to the construct."""
        # What cannot be text is refused here, where the program gives it.
        text = readable(self.construct, f"{value}")
        self._metadata += ((kind, text if isinstance(value, str) else value),)

    @property
    def aspects(self) -> tuple[tuple[int, Aspect], ...]:
        return self._aspects

    def add_aspect(self, aspect: Aspect, *, priority: int = 100) -> None:
        """Let an aspect visit this construct and all below it.

        Args:
            priority: aspects with a lower number run first. Default: 100.
        """
        if not callable(getattr(aspect, "visit", None)):
            self.add_problem(f"add_aspect takes an object with a method visit, not {shown(aspect)}", call_site())
            return
        self._aspects += ((priority, aspect),)

    @property
    def validations(self) -> tuple[Validation, ...]:
        return self._validations

    def add_validation(self, validation: Validation) -> None:
        """Add a function that returns problems, called when the app is complete."""
        if not callable(validation):
            self.add_problem(f"add_validation takes a function, not {shown(validation)}", call_site())
            return
        self._validations += (validation,)

    @property
    def problems(self) -> tuple[tuple[str, Location], ...]:
        return self._problems

    def add_problem(self, message: str, location: Location | None = None) -> None:
        """Report a problem. While there is one, nothing is written."""
        self._problems += ((readable(self.construct, message), location or self.location),)

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Pairs of an id and a message."""
        return self._warnings

    def add_warning(self, id_: str, message: str) -> None:
        """Report a warning, under an id by which it can be acknowledged."""
        found = id_, readable(self.construct, message)
        if found not in self._warnings:
            self._warnings += (found,)

    @property
    def locked(self) -> bool:
        return self._locked

    def lock(self) -> None:
        """Refuse new constructs below this one."""
        self._locked = True

    def unlock(self) -> None:
        """Accept new constructs again."""
        self._locked = False


class Construct(NotText):
    """A part of an app; base class of all constructs.

    Args:
        scope: the construct to be below. Leave it out inside of `with stack:` and in flat programs.
        id_: name of the construct, unique within its scope.
    """

    node: Node

    def __init__(self, scope: Construct | str, id_: str | None = None, /) -> None:
        place, name = where(scope, id_)
        self.node = Node(self, place, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.node.path or '(root)'}>"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and not is_ours(sys._getframe(1).f_code.co_filename):
            # False would be silently wrong: a guard of the program would not apply.
            raise MlkeysError(f"{self!r} is compared with a text, and is none: {self._advice()}")
        return NotImplemented


def where(scope: Construct | str, id_: str | None) -> tuple[Construct, str]:
    """Return the scope and the id that the first arguments of a construct mean."""
    if isinstance(scope, Construct) and isinstance(id_, str):
        return scope, resolved(scope, id_)
    if isinstance(scope, str) and id_ is None:
        around = ambient.get()
        if around is None:
            raise MlkeysError(
                f"{shown(scope)} is outside of a stack: run the program with 'mlkeys synth PROGRAM', "
                "or put it inside of one: with Stack(App(), 'name'): …"
            )
        return around, resolved(around, scope)
    raise MlkeysError("the first arguments must be the scope (a construct) and the id (a string), or the id alone")
