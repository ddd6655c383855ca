# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_transit
version_added: 0.1.0
short_description: Decrypt encrypted vars files beside inventory and playbook
description:
  - Decrypts the files that M(mlkeys.transit.vault_transit_vars) writes, C(*.transit.yml), C(*.transit.yaml) and
    C(*.transit.json), in C(group_vars) and C(host_vars) beside inventory and playbook. C(group_vars/NAME/*.transit.yml)
    and C(group_vars/NAME.transit.yml) are both read.
  - Files are decrypted once per run, in the process that runs the play, with one request for each key. A file that
    changes during the run is read again. A policy for single secrets allows no request for several, so with such a
    token there is one request for each name.
  - A file can also point to a document in a KV engine (O(mlkeys.transit.vault_transit_vars#module:store=kv)), which is
    read once per run.
  - Files of nested data (format 2) become nested variables with the types that the values had.
  - Lookups and modules share the plugin's login for the whole run.
  - List it after P(ansible.builtin.host_group_vars#vars) in C(vars_plugins_enabled), because that plugin reads the same
    files and returns the ciphertext. The plugin warns if it is listed before. The other plugin also ends the run for
    a file with an unresolved merge conflict, without a word of that, and so do C(vars_files) and C(include_vars). So
    this one warns of such files beside inventories and playbooks when it is loaded, with the lines of both sides.
  - A file in these folders with another name, such as C(keys.yml), is not decrypted. The plugin warns of it, and its
    secrets are undefined, as O(on_error) says.
  - Without this plugin, the variables hold ciphertext. M(mlkeys.transit.vault_transit_file) and the filters
    P(mlkeys.transit.quoted#filter) and P(mlkeys.transit.shaped#filter) then refuse to write them.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac
options:
  stage:
    ini:
      - key: stage
        section: vars_mlkeys_transit
    env:
      - name: MLKEYS_TRANSIT_VARS_STAGE
  cache:
    description:
      - Whether to keep a decrypted file in memory until it changes.
      - If V(false), files are decrypted for every host and task.
    type: bool
    default: true
    ini:
      - key: cache
        section: vars_mlkeys_transit
    env:
      - name: MLKEYS_TRANSIT_VARS_CACHE
  on_error:
    description:
      - What to do with a variable that does not decrypt.
      - With V(undefined), the variable is undefined, with the reason as a hint. Only what uses it fails, so a run that
        uses no secret needs neither the server nor permission to decrypt. One warning for each file names the reason,
        and how many variables it is for.
        Tests and filters such as C(is defined) and C(default) take the variable as undefined, too. Before ansible-core
        2.19, they fail for another variable whose template uses it.
      - V(error) ends the run. V(warn) warns and returns the ciphertext. V(ciphertext) returns the ciphertext silently.
      - A file that is not a valid encrypted vars file ends the run with V(undefined), too. So does an option or a
        variable for the connection that has a value which it cannot have.
    type: str
    choices:
      - ciphertext
      - error
      - undefined
      - warn
    default: undefined
    ini:
      - key: on_error
        section: vars_mlkeys_transit
    env:
      - name: MLKEYS_TRANSIT_VARS_ON_ERROR
  unencrypted:
    description:
      - What to do with a value in such a file that is not encrypted.
      - V(error) ends the run. V(warn) warns and uses the value. V(allow) uses the value silently.
    type: str
    choices:
      - allow
      - error
      - warn
    default: error
    ini:
      - key: unencrypted
        section: vars_mlkeys_transit
    env:
      - name: MLKEYS_TRANSIT_VARS_UNENCRYPTED
  decrypt:
    description:
      - When to decrypt. Otherwise the variables hold ciphertext, and the server is not contacted.
      - V(runs) decrypts for commands that run tasks. Commands that only look get ciphertext, because they print
        variables or do nothing with them. These are C(ansible-inventory), C(ansible-doc), C(ansible-lint),
        C(--syntax-check), C(--list-hosts), C(--list-tasks) and C(--list-tags).
        The playbook C(mlkeys.transit.status) decrypts only what a variable of it uses.
      - V(always) decrypts for these too, so that C(ansible-inventory --list) prints every secret.
      - V(never) decrypts for no command. C(mlkeys rotate) and C(mlkeys status) use it, unless the
        environment variable is set.
    type: str
    choices:
      - always
      - never
      - runs
    default: runs
    ini:
      - key: decrypt
        section: vars_mlkeys_transit
    env:
      - name: MLKEYS_TRANSIT_VARS_DECRYPT
  template:
    description:
      - Whether to evaluate templates in decrypted values. Leave it off for API keys, which can contain braces.
    type: bool
    default: false
    ini:
      - key: template
        section: vars_mlkeys_transit
    env:
      - name: MLKEYS_TRANSIT_VARS_TEMPLATE
  disabled:
    description:
      - Whether to turn the plugin off, so that variables stay ciphertext. Use it with controllers such as AWX, which
        store every variable of an inventory that they can read.
    type: bool
    default: false
    ini:
      - key: disabled
        section: vars_mlkeys_transit
    env:
      - name: MLKEYS_TRANSIT_VARS_DISABLED
extends_documentation_fragment:
  - ansible.builtin.vars_plugin_staging
  - mlkeys.transit._auth
  - mlkeys.transit._auth.plugins
  - mlkeys.transit._connection
  - mlkeys.transit._connection.plugins
notes:
  - The first request of a run takes along the entries of the same key in other files, also those beside the playbook,
    in its C(vars) and in those of its roles. What no permission is for is undefined, and fails nothing.
  - Connection and authentication can be set by environment, ini and variables. The variables C(ansible_hashi_vault_*)
    of a group or host apply to its own files. They are read from the inventory, from C(group_vars) and C(host_vars)
    beside it and beside the playbook, and from extra variables. Ansible passes no others to vars plugins, such as those
    of a play. So one run can use several servers and namespaces.
  - With O(stage=inventory), set P(ansible.builtin.host_group_vars#vars) to the same stage. Otherwise it returns the
    ciphertext again for every task.
  - Anyone who runs tasks can print variables, for example with C(ansible all -m debug -a var=hostvars). Set
    O(decrypt=never) for runs that need no secrets.
seealso:
  - module: mlkeys.transit.load_vars
  - module: mlkeys.transit.vault_transit_vars
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# vars_plugins_enabled = host_group_vars,mlkeys.transit.vault_transit
#
# [hashi_vault_collection]
# url = https://vault.example.com:8200
# auth_method = approle
# role_id = 6bc2a4f1-7f0e-4e43-8a7e-2d4a6f0f6d0c
#
# group_vars/staging/server.yml, for a group whose secrets are elsewhere
# ansible_hashi_vault_namespace: staging

- name: Use the decrypted variable like any other
  ansible.builtin.assert:
    that:
      - openai_api_key is defined
"""

import contextlib
import json
import os
from typing import Any, Iterable, Mapping

from ansible import constants, context
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin
from ansible.utils.display import Display
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS, misread
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import vars_plugins
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import one_line
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import VARS_FILE_SUFFIXES
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import plain_names_problem
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller import project
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.conflicts import conflicts
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.decrypted_files import (
    Decrypted,
    DecryptedFiles,
    Misnamed,
    holds_entries,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.inventory_options import (
    InventoryVariables,
    all_entities,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked, undefined
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import (
    misspelt_flags,
    own_problems,
    read_option,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import StoredVariables, when_used

display = Display()

# Ansible compiles what it imports of a collection, in each run. So what talks to a server is imported where it is used,
# by a run that decrypts.

# Ansible creates several instances of a vars plugin in one run.
_files: dict[str, DecryptedFiles] = {}
_names = project.Names()
_below = project.Below()
_misnamed = Misnamed()
_stored = StoredVariables()
_variables = InventoryVariables()
# Why whole files do not decrypt. What uses a variable names its file, so one warning for all of them is enough.
_reasons: set[str] = set()


class VarsModule(BaseVarsPlugin):
    # Ansible then keeps one instance for all hosts. What it keeps is known by the state of files.
    is_stateless = True

    _asked: tuple[bool, bool] | None = None

    def __init__(self) -> None:
        super().__init__()
        # Ansible makes its plugins before one of them reads a file. The display shows the same warning once.
        for problem in conflicts(context.CLIARGS):
            display.warning(problem)

    def get_vars(self, loader: Any, path: str, entities: Any, cache: bool = True) -> dict[str, Any]:
        self._basedir = project.base_of(path)
        is_disabled, decrypts = self._known_settings()
        if is_disabled:
            return {}
        wanted = {id(entity): _files_of(self._basedir, entity) for entity in _as_list(entities)}
        if not decrypts:
            try:
                return _stored.of(
                    (file for files in wanted.values() for file in files),
                    may_control=self.get_option("unencrypted") != "error",
                )
            except InvalidOption as error:
                raise AnsibleParserError(error.message) from None
        from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions

        run_sessions().share()
        values: dict[str, Any] = {}
        for entity in _as_list(entities):
            # Ansible has read these as well, under names that this plugin does not decrypt.
            for file, problem in _misnamed.of(loader, *_place_of(self._basedir, entity)):
                values.update(self._values(file, problem))
            if wanted[id(entity)]:
                values.update(self._decrypted(loader, path, entity, wanted[id(entity)], cache=cache))
        return values

    def _decrypted(self, loader: Any, path: str, entity: Any, wanted: list[str], *, cache: bool) -> dict[str, Any]:
        """The variables in the files of a host or a group, from the server that its variables name."""
        try:
            variables = _variables.of(loader, path, entity)
            files = self._files_at(variables)
        except InvalidOption as error:
            raise AnsibleParserError(f"{wanted[0]}: {error.message}") from None
        if not (cache and self.get_option("cache")):
            files.forget()
        reports = project.only_reports(tuple(context.CLIARGS.get("args") or ())) and not self.get_option("template")
        values: dict[str, Any] = {file: when_used(file) if reports else None for file in wanted}
        now = [file for file in wanted if values[file] is None]
        found = files.read(now, lambda: self._nearby(loader, path, entity, variables)) if now else []
        values.update((file, self._values(file, decrypted)) for file, decrypted in found)
        return {name: value for file in wanted for name, value in values[file].items()}

    def _files_at(self, variables: Mapping[str, Any]) -> DecryptedFiles:
        """What is decrypted at one server with one login."""
        from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller import lookup

        key = json.dumps(variables, sort_keys=True, default=str)
        if key not in _files:
            options = self._options_with(variables)
            keep = bool(self.get_option("cache"))
            _files[key] = DecryptedFiles(
                lambda: lookup.connected(options), lookup.decrypting(options, keep=keep), lookup.server_asked(options)
            )
        return _files[key]

    def _options_with(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The options of connection and authentication.

        Raises:
            InvalidOption: some options have values that they cannot have; all of them are named at once.
        """
        from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import connection_options

        found, problems = {}, misspelt_flags(variables, os.environ)
        if not (variables or problems):
            # The error of one is Ansible's own; below it is found once more, and named.
            with contextlib.suppress(AnsibleError, KeyError):
                options = connection_options(self.get_option)
                if not misread(options, os.environ):
                    return options
        for option in OPTIONS:
            # The plugin itself would keep the first value for all hosts.
            value, _origin, problem = read_option(option, ("vars", self._load_name), variables)
            found[option.name] = value
            problems += [problem] if problem else []
        if problems:
            raise InvalidOption(" ".join(problems))
        return found

    def _nearby(self, loader: Any, path: str, entity: Any, variables: Mapping[str, Any]) -> Iterable[str]:
        """Further files that are decrypted at the same server with the same login."""
        known = all_entities(entity)
        for owner, file in project.files_of_all(holds_entries, self._basedir, str(loader.get_basedir())):
            other = known.get(owner)
            try:
                theirs = {} if other is None else _variables.of(loader, path, other)
            except InvalidOption:
                # It is reported when that one is asked about.
                continue
            if theirs == variables:
                yield file

    def _known_settings(self) -> tuple[bool, bool]:
        """What is asked for every host. Ansible looks a setting up in some 50 microseconds."""
        if self._asked is None:
            if problems := own_problems("vars", self._load_name):
                raise AnsibleParserError(" ".join(problems))
            _warn_of_order()
            self._asked = (bool(self.get_option("disabled")), _decrypts(str(self.get_option("decrypt"))))
        return self._asked

    def set_options(self, *arguments: Any, **options: Any) -> None:
        self._asked = None
        super().set_options(*arguments, **options)

    def _values(self, path: str, decrypted: Decrypted) -> dict[str, Any]:
        how = self.get_option("on_error")
        if how == "undefined" and not decrypted.is_valid:
            how = "error"
        if decrypted.problems:
            self._report(decrypted.warning(path, _reasons) if how == "undefined" else decrypted.summary(path), how)
        if decrypted.plain:
            self._report(plain_names_problem(decrypted.plain, path), self.get_option("unencrypted"))
        template = bool(self.get_option("template"))
        values = {
            name: marked(value, template) if isinstance(value, str) else value
            for name, value in decrypted.values.items()
        }
        others: dict[str, Any] = dict(decrypted.ciphertexts)
        if how == "undefined":
            others = {name: undefined(one_line(decrypted.problem_of(name))) for name in others}
        return decrypted.variables({**decrypted.open, **decrypted.plain, **others, **values})

    def _report(self, problem: str, how: str) -> None:
        # It may quote names of the file.
        if how == "error":
            raise AnsibleParserError(one_line(problem))
        if problem and how in ("undefined", "warn"):
            display.warning(one_line(problem))


def _warn_of_order() -> None:
    """Warn if another plugin puts the ciphertext back. The display shows the same warning once."""
    if problem := vars_plugins.problem(constants.config.get_config_value("VARIABLE_PLUGINS_ENABLED")):
        display.warning(f"Variables of encrypted vars files are ciphertext: {problem}.")


def _decrypts(when: str) -> bool:
    """Whether this command gets plaintext."""
    if when != "runs":
        return when == "always"
    only_looks = any(context.CLIARGS.get(name) for name in ("syntax", "listhosts", "listtasks", "listtags"))
    # What runs tasks has an option for how many at a time. ansible-inventory, for one, has not.
    return "forks" in context.CLIARGS and not only_looks


def _as_list(entities: Any) -> list[Any]:
    return list(entities) if isinstance(entities, (list, tuple)) else [entities]


def _place_of(base: str, entity: Any) -> tuple[str, str]:
    """The folder and the name of the files of a host or a group."""
    return os.path.join(base, "host_vars" if isinstance(entity, Host) else "group_vars"), str(entity.name)


def _files_of(base: str, entity: Any) -> list[str]:
    folder, name = _place_of(base, entity)
    # A host's name may be anything, also a path that leads out of this folder.
    if os.sep in name or name.startswith("."):
        return []
    names = _names.of(folder)
    beside = [os.path.join(folder, name + suffix) for suffix in VARS_FILE_SUFFIXES if name + suffix in names]
    inside = _below.of(os.path.join(folder, name)) if name in names else []
    return [file for file in beside if os.path.isfile(file)] + inside
