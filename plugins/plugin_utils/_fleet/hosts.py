# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts may hold ciphertexts, and which of them were not searched. Pure. **Private** to the collection."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterable, Iterator, Mapping

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from jinja2 import Undefined, UndefinedError

# What these variables of a host name is searched there, all of it together.
PATHS, FILES, SERVICES = "vault_transit_host_paths", "vault_transit_host_files", "vault_transit_host_services"
_SEARCHED = (PATHS, FILES, SERVICES)
# The files of services.
_OF_SERVICES = "/etc/mlkeys"

# Encrypted vars files for a host. They are on the controller.
HOST_FILES = "vault_transit_host_vars_files"
# What declares encrypted vars files of the controller, and where to search for more. Any host may set them.
FILES_OF_CONTROLLER, SOURCES = "vault_transit_vars_files", "vault_transit_sources"
ROTATE_FILES, STATUS_FILES = "vault_transit_rotate_vars_files", "vault_transit_status_vars_files"
OF_CONTROLLER = (FILES_OF_CONTROLLER, SOURCES, ROTATE_FILES, STATUS_FILES)

# Variables whose names are checked.
_CHECKED = (*_SEARCHED, HOST_FILES, *OF_CONTROLLER)

# The play searches these hosts alone, and who sets it says that no other one holds any.
_PATTERN = "vault_transit_hosts"
# Patterns of the hosts of one run, by which more may be left out: that of mlkeys, and that of Ansible.
_LIMITS = ("vault_transit_limit", "ansible_limit")
# Whether a host that has none of them is known to hold none: a program describes all that it puts on hosts.
_KNOWN = "vault_transit_undeclared"

# The reason for a host that has none of them. An empty list of paths says that there is nothing.
UNDECLARED = "it declares nothing to search: set vault_transit_host_paths, to [] if it holds no ciphertexts"

# The same for the controller if the inventory has it as a host, and it does not even name encrypted vars files. The
# project is on it, and was searched.
UNDECLARED_THERE = (
    "it declares nothing to search besides the project: set vault_transit_host_paths, to [] if it holds no other "
    "ciphertexts"
)

# With these, the inventory has it for its variables. That does not keep the floor.
NOT_ASKED = (
    "it is in the inventory and declares no places on it, so only the project was searched there: set "
    "vault_transit_host_paths, to [] if it holds no other ciphertexts"
)

# A name that is as near to one of the variables as this is a misspelling.
_NEAR = 0.95
# So are these, which are not as near.
_MISSPELT = {"vault_transit_paths": PATHS}

# The reason for a host without results because no task ran on it, as with --limit.
NOT_TRIED = "left out of this run"


@dataclass(frozen=True)
class Declared:
    """What a host declares.

    Attributes:
        paths: files and folders to search on it.
        optional: the folders of services that should be gone. Until a run has stopped these, they are there.
        is_empty: whether it says that it holds nothing else.
        problem: what is wrong with a variable; empty if nothing is.
        has_services: whether services of it should be there.
    """

    paths: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    is_empty: bool = False
    problem: str = ""
    has_services: bool = False


def declared(variables: Mapping[str, Any]) -> Declared:
    """What the variables of a host declare, added up."""
    paths: dict[str, None] = {}
    optional: list[str] = []
    problems = []
    is_empty = has_services = False
    for name in _SEARCHED:
        if name not in variables:
            continue
        try:
            value = value_of(variables, name)
            part = list(_PARTS[name](value))
            if not (name == SERVICES and _services_have_paths(value, paths)):
                paths.update(dict.fromkeys(part))
            has_services = has_services or (name == SERVICES and bool(part))
            optional += _of_absent(value) if name == SERVICES and _OF_SERVICES not in paths else ()
            is_empty = is_empty or name == PATHS
        except _Wrong:
            problems.append(f"its variable {name} must be a list of {_ELEMENTS[name]}")
        except (AnsibleError, UndefinedError):
            # Ansible templates a variable when it is read, the elements of a list as well.
            problems.append(f"its variable {name} has an error, or uses a variable that is not defined")
    return Declared(tuple(paths), tuple(optional), is_empty and not paths, "; ".join(problems), has_services)


def value_of(variables: Mapping[str, Any], name: str) -> Any:
    value = variables[name]
    # Some releases of Ansible keep the text of a template that has an error.
    if isinstance(value, Undefined) or (isinstance(value, str) and "{{" in value):
        raise UndefinedError
    return value


class _Wrong(Exception):
    """A variable has another type."""


def _of_paths(value: Any) -> Iterator[str]:
    for one in _list(value):
        if not (isinstance(one, str) and one):
            raise _Wrong
        yield str(one)


def _of_files(value: Any) -> Iterator[str]:
    for one in _list(value):
        path = one.get("dest") if isinstance(one, Mapping) else None
        if not (isinstance(path, str) and path):
            raise _Wrong
        yield str(path)


def _of_services(value: Any) -> Iterator[str]:
    services = _list(value)
    if not all(isinstance(one, Mapping) for one in services):
        raise _Wrong
    if any(not _is_absent(one) for one in services):
        yield _OF_SERVICES


def _of_absent(services: Any) -> list[str]:
    return [_folder(one) for one in services if _is_absent(one)]


def _is_absent(service: Mapping[str, Any]) -> bool:
    return bool(service.get("state", "present") == "absent")


def _folder(service: Mapping[str, Any]) -> str:
    return f"{_OF_SERVICES}/{service.get('name')}"


def _services_have_paths(services: Any, paths: Iterable[str]) -> bool:
    """Whether the paths name the folder of each service.

    Then the folder of all services is not searched: it may also hold those of another project. A file in the folder of
    a service says nothing about the other ones.
    """
    whole = {path.rstrip("/") for path in paths}
    return all({_folder(one), f"{_folder(one)}/*"} & whole for one in services if not _is_absent(one))


def _list(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _Wrong
    return value


_ELEMENTS = {PATHS: "paths", FILES: "files, each with src and dest", SERVICES: "services, each with name"}
_PARTS = {PATHS: _of_paths, FILES: _of_files, SERVICES: _of_services}


def missing_reason(
    variables: Mapping[str, Any],
    results: Iterable[Mapping[str, Any]],
    *,
    is_controller: bool = False,
    pattern: Iterable[str] = (),
) -> str | None:
    """Why a host was not searched; ``None`` if it was, or has nothing to search.

    Args:
        results: those of the tasks that search it, the last one first. After a failed task there are no more.
        is_controller: whether it holds the encrypted vars files, and need not have anything else. As a host of the
            inventory, it says so as any other one, or names encrypted vars files.
        pattern: the names of the hosts to search, whether or not a run is limited to some of them.
    """
    places = declared(variables)
    wrong = misspelt(variables) or places.problem
    if wrong or (is_controller and is_silent_controller(variables, pattern) and not _names_files(variables)):
        return wrong or UNDECLARED_THERE
    answers = list(results)
    may_be_silent = is_controller or boolean(variables.get(_KNOWN) or False, strict=False)
    # That a service should be gone says nothing about the rest of the host.
    is_silent = not (places.paths or places.is_empty or may_be_silent)
    if answers and "ciphertexts" in answers[0] and not answers[0].get("failed"):
        return UNDECLARED if is_silent and places.optional else None
    for answer in answers:
        if answer.get("unreachable"):
            return "unreachable"
        if answer.get("failed"):
            return f"failed: {str(answer.get('msg', '')).rstrip('.')}"
    if places.paths or (places.optional and not is_silent):
        return NOT_TRIED
    if not is_silent:
        return None
    if any(answers):
        return UNDECLARED
    if variables.get(_PATTERN) is not None:
        # That no task ran on it says nothing: it may be left out of this run.
        return NOT_TRIED if variables["inventory_hostname"] in pattern else None
    return NOT_TRIED if any(variables.get(name) for name in _LIMITS) else UNDECLARED


def _names_files(variables: Mapping[str, Any]) -> bool:
    return any(name in variables for name in OF_CONTROLLER)


def is_silent_controller(variables: Mapping[str, Any], pattern: Iterable[str]) -> bool:
    """Whether the inventory has the controller as a host that declares nothing to search.

    Args:
        pattern: as for `missing_reason`.
    """
    host = variables["inventory_hostname"]
    if host not in (variables.get("groups") or {}).get("all", ()):
        return False
    if boolean(variables.get(_KNOWN) or False, strict=False):
        return False
    if variables.get(_PATTERN) is not None and host not in pattern:
        return False
    places = declared(variables)
    return not (places.paths or places.is_empty)


def not_asked(host: str) -> dict[str, str]:
    """The place that was not searched because the controller declares none."""
    return {"host": host, "path": "", "reason": NOT_ASKED, "kind": "silent"}


def misspelt(variables: Iterable[str], among: Iterable[str] = _CHECKED) -> str:
    """What is wrong with the name of a variable that nothing reads; empty if nothing is.

    Args:
        among: the variables that may be meant.
    """
    for name in variables:
        meant = _meant(name) if "transit" in str(name) else ""
        if meant in among:
            return f"nothing reads its variable {name}. Did you mean '{meant}'?"
    return ""


@lru_cache(maxsize=1000)
def _meant(name: str) -> str:
    if name in _MISSPELT:
        return _MISSPELT[name]
    near = [] if name in _CHECKED else difflib.get_close_matches(name, _CHECKED, n=1, cutoff=_NEAR)
    return near[0] if near else ""
