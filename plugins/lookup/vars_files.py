# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vars_files
version_added: 0.1.0
short_description: Find the encrypted vars files of a project
description:
  - Finds the files that M(mlkeys.transit.vault_transit_vars) writes, C(*.transit.yml), C(*.transit.yaml) and
    C(*.transit.json), beside the inventories, the playbook and the working directory, and in C(group_vars),
    C(host_vars), C(vars) and C(roles) there. The folders above an inventory are searched as well, up to the nearest one
    with C(.git), C(ansible.cfg) or C(galaxy.yml); if there is none, those with C(group_vars), C(host_vars), C(roles),
    C(playbooks), C(collections), C(site.yml) or C(requirements.yml). A submodule belongs to the repository around it.
  - Other files beside them that hold such content, with a section C(_transit), are encrypted vars files as well,
    whatever their names, such as the variables of a role and copies.
  - Adds the files that C(vault_transit_vars_files) and C(vault_transit_host_vars_files) of any host declare, and the
    documents of a KV engine to which files point.
  - Decrypts nothing.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - hvac (for documents of a KV engine)
options:
  _terms:
    description:
      - Further files and folders of inventories and playbooks, beside which to search, as those of the variable
        C(vault_transit_sources) of any host.
    type: list
    elements: str
  key:
    description:
      - Returns the files of this key apart from those of other keys. If unset, all files are returned together.
    type: str
  backend:
    description:
      - Path where the Transit engine of O(key) is mounted.
    type: str
    default: transit
  declared:
    description:
      - Paths that take the place of C(vault_transit_vars_files).
    type: list
    elements: str
  replace:
    description:
      - Names of secrets. It is a problem if none of the files of O(key) holds one of them.
    type: list
    elements: str
    default: []
  repository:
    description:
      - Whether to search the whole Git repositories of inventories and playbooks, and where there is none, their
        folders and the working directory, with all that is in these. Encrypted vars files of O(key) (of any key if it
        is unset) elsewhere in them are C(unread), and other files there with ciphertexts are C(elsewhere).
        What tools generate is left out, such as virtual environments and C(node_modules), as are C(/), home folders
        themselves, and folders where everybody writes.
    type: bool
    default: false
  besides:
    description:
      - Inventories, programs and folders whose files other runs search. With O(repository), they are left out.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - mlkeys.transit._auth
  - mlkeys.transit._auth.plugins
  - mlkeys.transit._connection
  - mlkeys.transit._connection.plugins
notes:
  - A declared file or source that does not exist is a problem, as are variables of another type and names that are
    almost those of such a variable. With one of the latter, nothing is searched.
seealso:
  - module: mlkeys.transit.vault_transit_vars
"""

EXAMPLES = r"""
- name: Show the encrypted vars files of a key
  ansible.builtin.debug:
    msg: "{{ lookup('mlkeys.transit.vars_files', key='ml-api-key').files | map(attribute='path') }}"
"""

RETURN = r"""
_raw:
  description: One dictionary.
  type: list
  elements: dict
  contains:
    files:
      description:
        - The encrypted vars files, each with C(path), C(backend), C(key), the C(names) of its entries, the C(oldest)
          of their versions, and whether it is C(mixed), that is, also has values that are not encrypted but should be.
      type: list
      elements: dict
    others:
      description: Those of other keys than O(key).
      type: list
      elements: dict
    texts:
      description:
        - Inventories, playbooks, and other files of variables, tasks and templates beside them, which may hold
          ciphertexts as well.
      type: list
      elements: str
    elsewhere:
      description:
        - With O(repository), other files of the same repositories or folders that hold ciphertexts of any key. Nothing
          rewraps them.
      type: list
      elements: str
    read:
      description: With O(repository), what variables declare to be read there. Real paths.
      type: list
      elements: str
    problems:
      description: What has to be corrected before the files can be relied on, as sentences.
      type: list
      elements: str
    unread:
      description: What could not be read, with the C(reason).
      type: list
      elements: dict
  sample:
    - files:
        - path: /srv/project/group_vars/all/keys.transit.yml
          backend: transit
          key: ml-api-key
          names: [openai_api_key]
          oldest: 1
          mixed: false
      others: []
      texts: [/srv/project/inventory.yml]
      elsewhere: []
      read: []
      problems: []
      unread: []
"""

import os
from collections import ChainMap
from typing import Any, Iterator, Optional, Tuple

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.lookup import LookupBase
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import as_utf8
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import missing_inventories
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.ansible_vault import VaultedFiles
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.lookup import connected, connection_options
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import (
    refuse_unknown,
    set_options,
    system_reason,
    templated_variables,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import (
    NotSearched,
    beside,
    configured_folders,
    inventories_of,
    is_there,
    sources_of,
    texts_beside,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.repository import (
    Known,
    others_in,
    read_by_others,
    searched_as_a_whole,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import (
    Connect,
    is_vars_file,
    load,
    load_document,
    missing_document,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.written import written, written_in_inventories
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.beyond import ELSEWHERE, NOT_DECLARED
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.discovery import (
    DECLARING,
    INVALID,
    Declared,
    FoundFile,
    declared,
    document_problem,
    missing_problem,
    missing_source_problem,
    of_key,
    replace_problem,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.documents import why_empty
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import declared as declared_places
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.overridden import NAMES, overridden

_NOT_UTF_8 = "its name is not UTF-8"
# Engine and key; None for any.
_Of = Optional[Tuple[str, str]]
_LISTS = ("files", "others", "texts", "elsewhere", "read", "unread")


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        facts = variables or {}
        configured = templated_variables(str(self._load_name), facts, self._templar)
        refuse_unknown(str(self._load_name), kwargs)
        set_options(self, str(self._load_name), configured, kwargs)
        options = connection_options(self.get_option)
        try:
            hosts = _hosts(facts, self._templar)
            named = declared(hosts, self.get_option("declared"))
        except AnsibleError as error:
            return _nothing([f"Ansible cannot read the variables of the hosts: {system_reason(error)}."])
        further = [*(Declared(str(one), "a term of the lookup") for one in terms), *named.sources]
        if named.problems:
            return _nothing(list(named.problems))
        sources = sources_of(facts, [one.path for one in further])
        places = _places(sources, [one for one in named.files if not one.path or is_there(one.path)])
        key, backend = self.get_option("key"), self.get_option("backend")
        files, unread = _read(places, lambda: connected(options), (backend, key) if key else None)
        # A document of a KV engine has no path.
        known = [*(file.path for file in files if file.path), *_searched(hosts[0])]
        beside_them, vaulted = _beside(sources, unread), VaultedFiles(self._loader)
        texts = [path for path in beside_them if not _is_within(path, known) and as_utf8(path) == path]
        unread += [_as_unread(locked) for locked in map(vaulted.problem, texts) if locked]
        own = of_key(files, backend, key) if key else files
        elsewhere, read, whole = [], [], []
        if self.get_option("repository"):
            of = (backend.strip("/"), key) if key else None
            whole = searched_as_a_whole(sources, configured_folders())
            read = _declared_to_be_read(hosts, named.files)
            seen = Known([*known, *map(os.path.realpath, beside_them), *(one["path"] for one in unread)], read)
            others = [seen, read_by_others(self.get_option("besides"))]
            unread += _overridden(facts, hosts, beside_them, [*others, Known((), whole)], self._loader)
            elsewhere = _elsewhere(whole, others, vaulted, of, unread)
        problems = [as_utf8(missing_inventories(inventories_of(facts))), *map(as_utf8, _missing(named.files, further))]
        if key:
            problems += [document_problem(own), replace_problem(own, self.get_option("replace"), f"{backend}/{key}")]
        return [
            {
                "files": [file.as_result() for file in own],
                "others": [file.as_result() for file in files if file not in own],
                "texts": texts,
                "elsewhere": elsewhere,
                "read": sorted({path for path in read if _is_within(path, whole)}),
                "problems": [problem for problem in problems if problem],
                "unread": unread,
            }
        ]


def _nothing(problems: list[str]) -> list[dict[str, Any]]:
    return [{**{name: [] for name in _LISTS}, "problems": list(map(as_utf8, problems))}]


def _hosts(variables: dict[str, Any], templar: Any) -> list[Any]:
    """The variables of each host. The first one is that of the play, which may have variables of its own."""
    hosts = variables["hostvars"]
    own = str(variables["inventory_hostname"])
    of_play = {name: templar.template(variables[name]) for name in DECLARING if name in variables}
    first = ChainMap(of_play, hosts[own], variables)
    return [first, *(hosts[name] for name in (variables.get("groups") or {}).get("all", ()) if name != own)]


def _overridden(
    facts: dict[str, Any], hosts: list[Any], paths: list[str], known: list[Known], loader: Any
) -> Iterator[dict[str, Any]]:
    """What inventories and files beside the sources declare, and no host does."""
    # A program describes all that it puts on its hosts.
    if not boolean(facts.get("vault_transit_undeclared") or False, strict=False):
        named = [*written(paths, NAMES), *written_in_inventories(inventories_of(facts), NAMES, facts["groups"], loader)]
        raw = [facts["hostvars"].raw_get(str(host["inventory_hostname"])) for host in hosts]
        found = overridden(named, raw, hosts, lambda path: any(path in one for one in known))
        yield from ({**one, "path": as_utf8(one["path"])} for one in found)


def _missing(files: list[Declared], sources: list[Declared]) -> Iterator[str]:
    """What is wrong with declared places that do not exist."""
    missing = [one for one in files if one.path and not is_there(one.path)]
    if missing:
        yield missing_problem(missing)
    missing = [one for one in sources if not is_there(one.path)]
    if missing:
        yield missing_source_problem(missing)


def _searched(variables: Any) -> list[str]:
    """What is searched on the controller as on any host."""
    return [os.path.realpath(os.path.expanduser(path)) for path in declared_places(variables).paths]


def _declared_to_be_read(hosts: list[Any], files: list[Declared]) -> list[str]:
    return [
        *(os.path.realpath(one.path) for one in files if one.path),
        *(place for host in hosts for place in _searched(host)),
    ]


def _is_within(path: str, places: list[str]) -> bool:
    return any(path == place or path.startswith(place + os.sep) for place in places)


def _places(sources: list[str], named: list[Declared]) -> tuple[list[Declared], list[dict[str, str]]]:
    """The files by path, and what could not be read on the way to them."""
    unread: list[dict[str, str]] = []
    found = {os.path.realpath(one.path) if one.path else str(one.place): one for one in named}
    for path in beside(sources, lambda error: _note(unread, error, set())):
        found.setdefault(os.path.realpath(path), Declared(path, ""))
    # Copies, and variables of roles. What cannot be read there is noted with the other texts.
    others = [path for path in texts_beside(sources, lambda _error: None) if os.path.realpath(path) not in found]
    copies = [Declared(path, "") for path in others if as_utf8(path) == path and is_vars_file(path)]
    # Of two successors of one ciphertext, the last one takes its place elsewhere.
    return [*copies, *found.values()], unread


def _beside(sources: list[str], unread: list[dict[str, str]]) -> list[str]:
    """All files beside the sources. What cannot be read is added to the rest of that."""
    noted = {one["path"] for one in unread}
    found = texts_beside(sources, lambda error: _note(unread, error, noted))
    odd = [as_utf8(path) for path in found if as_utf8(path) != path]
    unread += [_unread(path, _NOT_UTF_8) for path in odd if path not in noted]
    return found


def _note(unread: list[dict[str, str]], error: OSError, noted: set[str]) -> None:
    """Add what cannot be read, unless it was noted before."""
    if str(error.filename) not in noted:
        unread.append(_as_unread(error))


def _as_unread(error: OSError) -> dict[str, str]:
    kind = error.kind if isinstance(error, NotSearched) else "failed"
    return {**_unread(as_utf8(str(error.filename)), error.strerror or "it cannot be read"), "kind": kind}


def _read(
    places: tuple[list[Declared], list[dict[str, str]]], connect: Connect, of: _Of = None
) -> tuple[list[FoundFile], list[dict[str, str]]]:
    named, unread = places
    files = []
    for one in named:
        if as_utf8(one.path) != one.path:
            unread.append(_unread(as_utf8(one.path), _NOT_UTF_8))
            continue
        try:
            file = load(one.path, connect) if one.path else load_document(*one.place, connect)
            # To which key a document without a file belongs, only its content says.
            may_be_ours = of is None or not one.path or of == (file.backend, file.key)
            if not file.entries and may_be_ours:
                unread += _gone(one.path, file, connect)
        except TransitError as error:
            row = _unread(one.path or "/".join(one.place), error.message.rstrip("."))
            unread.append({**row, "kind": INVALID} if isinstance(error, InvalidOption) else row)
            continue
        if file.entries:
            names = sorted(file.entries)
            oldest = min(entry.version for entry in file.entries.values())
            # Searches report real paths.
            path = os.path.realpath(one.path) if one.path else ""
            about = (file.backend, file.key, file.fingerprint_key, names, oldest, one.place)
            stored = str(file.place) if file.place else ""
            files.append(FoundFile(path, *about, mixed=bool(file.plain), document=stored))
    return files, unread


def _elsewhere(
    tops: list[str], known: list[Known], vaulted: VaultedFiles, of: _Of, unread: list[dict[str, str]]
) -> list[str]:
    """The files elsewhere in the same repositories and folders with ciphertexts.

    Args:
        unread: gets the encrypted vars files of the key among them, and what could not be read.
    """
    texts = []
    for top in tops:
        others = others_in(top, known, vaulted, lambda error: _note(unread, error, set()))
        texts += others.texts
        for path, (backend, key) in others.vars_files.items():
            if of in (None, (backend.strip("/"), key)):
                row = _unread(path, NOT_DECLARED)
                unread.append({**row, "kind": ELSEWHERE, "backend": backend.strip("/"), "key": key})
    unread.extend(_unread(as_utf8(path), _NOT_UTF_8) for path in texts if as_utf8(path) != path)
    return [path for path in texts if as_utf8(path) == path]


def _gone(path: str, file: Any, connect: Connect) -> list[dict[str, str]]:
    """A document that nothing can be read from."""
    missing = missing_document(file, connect)
    if missing is None:
        return []
    reason, kind = why_empty(str(file.place), *missing)
    return [{"path": path or str(file.place), "reason": reason, "kind": kind}]


def _unread(path: str, reason: str) -> dict[str, str]:
    return {"path": path, "reason": reason, "kind": "failed"}
