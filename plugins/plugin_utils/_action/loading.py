# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load the secrets of an encrypted vars file as variables of a host. **Private** to the collection.

Since ansible-core 2.21 an action can set variables. Before, it can only return facts, which Ansible keeps in the fact
cache. So they are returned only where that is in memory.
"""

from __future__ import annotations

import keyword
from typing import Any, Iterable, Mapping

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins import action
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.utils.vars import load_extra_vars
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import paths_of_ciphertexts
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.base import TransitAction
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.spelling import checked, spec_of
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import (
    connected,
    connection_options,
    decrypting,
    plainly,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import as_in_any_file, as_no_template
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import load, not_found
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.whole_files import values_of

# New in ansible-core 2.21.
_LAYERS = getattr(action, "VariableLayer", None)

_IN_MEMORY = ("memory", "ansible.builtin.memory", "ansible.legacy.memory")
_OTHER_WAYS = (
    "use the lookup mlkeys.transit.vault_transit_vars or the filter mlkeys.transit.decrypt_vars, or update to "
    "ansible-core 2.21"
)


class LoadAction(TransitAction):
    """Decrypts a file in this process, and gives its secrets to the host of the task."""

    MODULE = "load_vars"

    LOGS_IN = False

    _requires_connection = False
    # A job in the background could not set variables.
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        known = task_vars or {}
        # The parent class would run the module; this needs only what every action does first.
        result: dict[str, Any] = ActionBase.run(self, tmp, known)
        try:
            self._check_names()
            options = checked(spec_of(self.MODULE), self._arguments(known))
            _check_cache()
            path = self._path(str(options["file"]))
            variables = plainly(lambda: _variables(path, options, str(self._loader.get_basedir())))
            if options["template"]:
                templar = Templar(self._loader, variables={**known, **variables})
                variables = _evaluated(variables, path, templar)
            _check_precedence(path, variables, known, load_extra_vars(self._loader))
        except InvalidOption as error:
            return {**result, "failed": True, "msg": error.message}
        except AnsibleError as error:
            return {**result, "failed": True, "msg": str(error.message)}
        result.update(changed=False, ansible_included_var_files=[path])
        self._give(result, variables)
        return result

    def _path(self, name: str) -> str:
        search: Any = self._find_needle
        try:
            return str(search("vars", name))
        except AnsibleError:
            raise InvalidOption(not_found(name)) from None

    def _give(self, result: dict[str, Any], variables: dict[str, Any]) -> None:
        """Set the variables of the host."""
        if _LAYERS is not None:
            register: Any = getattr(self, "register_host_variables")  # noqa: B009  older releases do not have it
            register(variables, _LAYERS.INCLUDE_VARS)
            return
        result["ansible_facts"] = variables
        # Callbacks get the result, and that of a loop by what the task says.
        result["_ansible_no_log"] = self._task.no_log = True


def _check_cache() -> None:
    """
    Raises:
        InvalidOption: this release of Ansible would store what is loaded, or keep it from tasks.
    """
    if _LAYERS is not None:
        return
    cache = str(constants.config.get_config_value("CACHE_PLUGIN"))
    if cache not in _IN_MEMORY:
        raise InvalidOption(
            f"load_vars: before ansible-core 2.21, Ansible stores what a task loads in the fact cache, and '{cache}' "
            "(fact_caching in ansible.cfg, or ANSIBLE_CACHE_PLUGIN) would store the plaintext. Set it to 'memory', "
            f"{_OTHER_WAYS}."
        )
    if not constants.config.get_config_value("INJECT_FACTS_AS_VARS"):
        raise InvalidOption(
            "load_vars: before ansible-core 2.21, Ansible treats what a task loads as facts, and facts are not "
            "variables here (inject_facts_as_vars in ansible.cfg, or ANSIBLE_INJECT_FACT_VARS). Set it to 'true', "
            f"{_OTHER_WAYS}."
        )


def _check_precedence(
    path: str, variables: Mapping[str, Any], known: Mapping[str, Any], extra: Mapping[str, Any]
) -> None:
    """Refuse what another variable would still hide, if that is a ciphertext: tasks would use it as the secret.

    Args:
        known: the variables of the task.
        extra: those of ``--extra-vars``, which nothing hides.

    Raises:
        InvalidOption: there is such a variable.
    """
    hidden = [
        name
        for name, value in variables.items()
        if known.get(name) != value
        and paths_of_ciphertexts(known.get(name))
        and (name in extra or (_LAYERS is None and not _is_of_inventory(name, known)))
    ]
    if hidden:
        places = "-e" if _LAYERS is not None else "vars, vars_files, include_vars, a role or -e"
        raise InvalidOption(
            f"{path}: {', '.join(hidden)} would still be ciphertext, since a variable of the same name from {places} "
            "has precedence over what this task loads. Remove the file from there, or set the option 'name'."
        )


def _is_of_inventory(name: str, known: Mapping[str, Any]) -> bool:
    """Whether a variable comes from the inventory, its group_vars or host_vars, as far as that can be seen."""
    hostvars, host = known["hostvars"], str(known["inventory_hostname"])
    # Without those of plays, roles and tasks. With those of include_vars, which are kept apart.
    included: Mapping[str, Any] = getattr(getattr(hostvars, "_variable_manager", None), "_vars_cache", {})
    return name in hostvars.raw_get(host) and name not in included.get(host, {})


def _variables(path: str, options: Mapping[str, Any], base: str) -> dict[str, Any]:
    """The variables that a file becomes.

    Args:
        base: the folder of the playbook.

    Raises:
        TransitError: it does not decrypt, or has names that are not those of variables.
    """
    connection = connection_options(options.get)
    file = load(path, lambda: connected(connection))
    name = options["name"]
    if name is not None:
        _check_variables(path, [name])
    mark = as_in_any_file if options["template"] else as_no_template
    values = values_of(file, decrypting(connection, base="" if options["names"] else base), options["names"], mark)
    if name is not None:
        return {name: values}
    _check_variables(path, values)
    return values


def _evaluated(value: Any, where: str, templar: Templar) -> Any:
    """What a value whose texts are templates evaluates to, with no template left.

    Args:
        where: what is named if it cannot be evaluated. Ansible's own message repeats the template.

    Raises:
        InvalidOption: it cannot be evaluated.
    """
    if isinstance(value, dict):
        return {name: _evaluated(inner, f"{where}: {name}", templar) for name, inner in value.items()}
    if isinstance(value, list):
        return [_evaluated(inner, f"{where}: {place}", templar) for place, inner in enumerate(value)]
    try:
        return as_no_template(templar.template(value))
    except Exception:  # noqa: BLE001  a template can raise anything
        raise InvalidOption(
            f"{where}: the template cannot be evaluated with the variables of this task. If this is not a template, "
            "leave out the option 'template'."
        ) from None


def _check_variables(path: str, names: Iterable[str]) -> None:
    for name in names:
        if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
            raise InvalidOption(f"{path}: '{name}' cannot be the name of a variable. Set the option 'name' to one.")
        # Ansible leaves out facts with names of this kind that control it.
        if _LAYERS is None and name.startswith("ansible_"):
            raise InvalidOption(
                f"{path}: before ansible-core 2.21, a task cannot load {name}. Keep it in group_vars or host_vars, "
                "where the vars plugin mlkeys.transit.vault_transit decrypts it."
            )
