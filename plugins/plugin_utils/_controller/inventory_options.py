# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of the inventory that configure the connection, for plugins to which Ansible passes none. **Private**."""

from __future__ import annotations

import os
from typing import Any, Iterator, Mapping, Sequence

from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.group import Group
from ansible.inventory.helpers import sort_groups
from ansible.inventory.host import Host
from ansible.plugins.vars.host_group_vars import VarsModule as FilesReader
from ansible.template import Templar
from ansible.utils.vars import combine_vars, load_extra_vars
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import is_read_by_ansible

PREFIX = "ansible_hashi_vault_"


class InventoryVariables:
    """The variables ``ansible_hashi_vault_*`` of hosts and groups.

    They come from the inventory itself, from ``group_vars`` and ``host_vars`` beside the inventories and playbooks that
    Ansible has asked about, and from extra variables. A host has those of its groups.
    """

    def __init__(self) -> None:
        self._bases: list[str] = []
        self._reader = FilesReader()
        # The entity is kept because its identity is the key.
        self._files: dict[tuple[int, str], tuple[Any, dict[str, Any]]] = {}
        self._known: dict[tuple[int, tuple[str, ...]], tuple[Any, dict[str, Any]]] = {}

    def of(self, loader: Any, base: str, entity: Any) -> dict[str, Any]:
        """Those of a host or a group, with their templates resolved.

        Args:
            base: the folder of the inventory or the playbook that Ansible asks about.

        Raises:
            InvalidOption: a template cannot be resolved.
        """
        if base not in self._bases:
            self._bases.append(base)
        key = (id(entity), tuple(self._bases))
        if key not in self._known:
            self._known[key] = (entity, self._found(loader, entity))
        return self._known[key][1]

    def _found(self, loader: Any, entity: Any) -> dict[str, Any]:
        sources = [*self._sources(loader, entity), load_extra_vars(loader)]
        chosen = {name: value for source in sources for name, value in source.items() if name.startswith(PREFIX)}
        if not chosen:
            return {}
        variables: dict[str, Any] = {}
        for source in sources:
            variables = combine_vars(variables, source)
        templar = Templar(loader=loader, variables=variables)
        return {name: _resolved(templar, name, chosen[name]) for name in sorted(chosen)}

    def _sources(self, loader: Any, entity: Any) -> list[Mapping[str, Any]]:
        """The variables of an entity and of its groups, those that win last."""
        is_host = isinstance(entity, Host)
        groups = sort_groups(entity.get_groups() if is_host else [*entity.get_ancestors(), entity])
        found = [group.vars for group in groups]
        found += [self._in_files(loader, base, group) for group in groups for base in self._bases]
        if is_host:
            found += [entity.vars, *(self._in_files(loader, base, entity) for base in self._bases)]
        return found

    def _in_files(self, loader: Any, base: str, entity: Any) -> dict[str, Any]:
        key = (id(entity), base)
        if key not in self._files:
            try:
                found = self._reader.load_found_files(loader, {}, _files_of(base, entity))
            except (AnsibleError, OSError):
                # Ansible's own plugin meets the same error, and ends what uses these files.
                found = {}
            self._files[key] = (entity, found)
        return self._files[key][1]


def _files_of(base: str, entity: Any) -> list[str]:
    """The files that ansible.builtin.host_group_vars reads for a host or a group, in its order.

    Encrypted vars files are left out: their writers must not choose the server that gets the token.

    Raises:
        OSError: a folder cannot be listed.
    """
    endings = _endings()
    place = os.path.join(base, "host_vars" if isinstance(entity, Host) else "group_vars", entity.name)
    for ending in endings:
        path = place + ending
        if os.path.exists(path):
            return list(_files_in(path, endings, set())) if os.path.isdir(path) else [path]
    return []


def _endings() -> list[str]:
    return ["", *constants.config.get_config_value("YAML_FILENAME_EXTENSIONS")]


def _files_in(folder: str, endings: Sequence[str], listed: set[str]) -> Iterator[str]:
    """Unlike Ansible's own search, it ends where links lead in circles."""
    real = os.path.realpath(folder)
    if real in listed:
        return
    listed.add(real)
    for name in sorted(os.listdir(folder)):
        path, ending = os.path.join(folder, name), os.path.splitext(name)[1]
        if name.startswith(".") or name.endswith("~"):
            continue
        if os.path.isdir(path):
            if not ending:
                yield from _files_in(path, endings, listed)
        elif os.path.isfile(path) and ending in endings and not is_read_by_ansible(name):
            yield path


def _resolved(templar: Any, name: str, value: Any) -> Any:
    try:
        return templar.template(value)
    except AnsibleError:
        raise InvalidOption(
            f"The template of the variable {name} cannot be resolved. Here it can use variables of the inventory and "
            "extra variables only."
        ) from None


def all_entities(entity: Any) -> dict[tuple[str, str], Any]:
    """All hosts and groups of the inventory of one, by the folder of their variables and their names."""
    groups = entity.get_groups() if isinstance(entity, Host) else [entity, *entity.get_ancestors()]
    roots: list[Group] = [group for group in groups if group.name == "all"]
    found = {("group_vars", group.name): group for root in roots for group in [root, *root.get_descendants()]}
    found.update({("host_vars", host.name): host for root in roots for host in root.get_hosts()})
    return found
