# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Explicit dependencies as `depends_on`.

A scope that depends on another one means that each resource of the first depends on each of the second. For large
scopes a resource of Terraform's own stands between them, so that there is an entry for each resource, and not one for
each pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlkeys._analysis.order import related
from mlkeys._analysis.view import View
from mlkeys._model.element import Element
from mlkeys._model.tree import Construct
from mlkeys._targets.names import terraform_name

#: How many resources are listed one by one.
_LISTED = 32
_TYPE = "terraform_data"


class Dependencies:
    """The explicit dependencies of the resources of a stack.

    Args:
        address_of: returns the address of an element, None when the stack has no resource for it.
    """

    def __init__(self, view: View, prefix: str, address_of: Callable[[Element], str | None]) -> None:
        self._view = view
        self._prefix = prefix
        self._address_of = address_of
        self._scopes: dict[Construct, tuple[str, ...]] = {}
        self._ends: dict[Construct, tuple[str, ...]] = {}
        #: The resources between scopes, by name.
        self.resources: dict[str, dict[str, Any]] = {}

    def of(self, element: Element) -> list[str]:
        """Return the addresses that the resource of an element depends on."""
        found = {address for scope in element.node.waiting for address in self._of_scope(scope)}
        return sorted(found - {self._address_of(element)}) if found else []

    def blocks(self) -> Mapping[str, Any]:
        """Return the resources between scopes."""
        return {"resource": {_TYPE: self.resources}} if self.resources else {}

    def _of_scope(self, scope: Construct) -> tuple[str, ...]:
        if scope not in self._scopes:
            # Constructs inside of one another are single resources, as anything else would be a cycle.
            inner: set[str] = set()
            outer: set[str] = set()
            for dependency in scope.node.dependencies:
                if related(scope, dependency):
                    inner |= {*self._addresses(dependency)}
                else:
                    outer |= {*self._end(dependency)}
            between = outer if len(outer) <= _LISTED else self._between(scope, "dependencies", outer)
            self._scopes[scope] = tuple({*inner, *between})
        return self._scopes[scope]

    def _end(self, construct: Construct) -> tuple[str, ...]:
        if construct not in self._ends:
            found = self._addresses(construct)
            self._ends[construct] = found if len(found) <= _LISTED else self._between(construct, "all", found)
        return self._ends[construct]

    def _addresses(self, construct: Construct) -> tuple[str, ...]:
        addresses = (self._address_of(element) for element in self._view.below(construct))
        return tuple(address for address in addresses if address is not None)

    def _between(self, construct: Construct, word: str, addresses: Iterable[str]) -> tuple[str, ...]:
        path = construct.node.path
        # The colon is in no id, so that no construct has this name.
        name = terraform_name(f"{path.removeprefix(self._prefix)}:{word}")
        self.resources[name] = {
            "//": {"path": path, "at": construct.node.location_text},
            "depends_on": sorted(addresses),
        }
        return (f"{_TYPE}.{name}",)
