# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Inventories: groups of hosts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from mlkeys._model.data import texts_in
from mlkeys._model.element import Element
from mlkeys._model.not_text import NotText
from mlkeys._model.reference import legible
from mlkeys._model.tree import Construct, where
from mlkeys._model.types import MAPPING, TEXTS, named_now, now, report_foreign, taken
from mlkeys._providers.literals import shown
from mlkeys._shared.names import VARIABLE_NAME


@dataclass(frozen=True, slots=True)
class Template(NotText):
    """A jinja2 template for Ansible. Every other string of a program is literal text, braces included.

    Args:
        text: the template, such as `{{ inventory_hostname }}`.
    """

    text: str


#: Variables of a host that is the deploying machine itself.
LOCAL: Mapping[str, str | Template] = {
    "ansible_connection": "local",
    "ansible_python_interpreter": Template("{{ ansible_playbook_python }}"),
}

#: Plain data, references and templates.
Data: TypeAlias = Any

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_OWN_GROUPS = ("all", "ungrouped")


class Group(Element):
    """A group of hosts; the result of `Inventory.group`."""

    OFFERS: ClassVar[Mapping[str, str]] = {"name": "use its .name"}
    runtime_fields = frozenset({"vars"})

    def __init__(
        self, scope: Construct, id_: str, *, hosts: Mapping[str, Mapping[str, Data]], variables: object
    ) -> None:
        super().__init__(scope, id_)
        self.name = self.node.id
        found = {
            now(self, "hosts", name): taken(self, f"variables of {name}", given, MAPPING)
            for name, given in hosts.items()
        }
        self.hosts: dict[str, dict[str, Data]] = {
            name: legible(self, named_now(self, "the variables", own)) for name, own in found.items()
        }
        self.variables: dict[str, Data] = legible(
            self, named_now(self, "the variables", taken(self, "variables", variables, MAPPING))
        )
        report_foreign(self, "the variables of hosts", [self.variables, self.hosts], Template)
        if not VARIABLE_NAME.fullmatch(self.name) or self.name in _OWN_GROUPS:
            self.node.add_problem(
                f"{shown(self.name)} is not a group name: use letters, digits and '_', and none of "
                f"{', '.join(_OWN_GROUPS)}"
            )
        for name in self.hosts:
            if not _HOST.fullmatch(name):
                self.node.add_problem(f"{shown(name)} is not a host name")
        if not hosts:
            self.node.add_problem("the group has no hosts")

    def texts(self) -> Iterable[tuple[str, str]]:
        return (("vars", text) for data in (self.variables, self.hosts) for text in texts_in(untagged(data)))

    def named(self) -> Iterable[tuple[str, object]]:
        return (("vars", untagged(data)) for data in (self.variables, self.hosts))


class Inventory(Construct):
    """The inventory of a stack. Add groups of hosts with `group` or `local`."""

    OFFERS: ClassVar[Mapping[str, str]] = {"group": "use one of its groups, the result of group()"}

    def __init__(self, scope: Construct | str, id_: str | None = None, /) -> None:
        super().__init__(*where(scope, id_))

    def group(
        self,
        name: str,
        hosts: Sequence[str] | Mapping[str, Mapping[str, Data]],
        *,
        variables: Mapping[str, Data] | None = None,
    ) -> Group:
        """Add a group of hosts.

        Args:
            name: name of the group.
            hosts: host names, or host variables by host name.
            variables: variables of the group. Default: none.
        """
        given: Any = hosts
        if TEXTS.fits(hosts) and not isinstance(hosts, Mapping):
            given = {host: {} for host in (sorted(hosts) if isinstance(hosts, AbstractSet) else hosts)}
        group = Group(self, name, hosts=given if MAPPING.fits(given) else {}, variables=variables or {})
        if not MAPPING.fits(given):
            group.node.add_problem("hosts must be a list of host names, or a dictionary with their variables")
        return group

    def local(self, name: str, hosts: Sequence[str], *, variables: Mapping[str, Data] | None = None) -> Group:
        """Add a group whose hosts all are the deploying machine, for tests.

        Args:
            name: name of the group.
            hosts: host names.
            variables: variables of the group. Default: none.
        """
        return self.group(name, hosts, variables={**LOCAL, **(variables or {})})


def untagged(data: Data) -> Data:
    """Return the data with templates as strings."""
    if isinstance(data, Template):
        return data.text
    if isinstance(data, Mapping):
        return {name: untagged(value) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [untagged(value) for value in data]
    return data
