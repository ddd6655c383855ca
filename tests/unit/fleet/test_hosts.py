# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts declare to be searched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.mlkeys.transit.plugins.filter.host_places import host_places
from ansible_collections.mlkeys.transit.plugins.lookup.vars_files import _searched
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import system_reason
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    FILES,
    NOT_TRIED,
    PATHS,
    SERVICES,
    UNDECLARED,
    declared,
    missing_reason,
)
from jinja2 import Undefined

FOUND: dict[str, Any] = {"ciphertexts": []}
FILE = [{"src": "x.j2", "dest": "/srv/.env"}]


@pytest.mark.parametrize(
    ("variables", "paths"),
    [
        ({PATHS: ["/a", "/b"]}, ["/a", "/b"]),
        ({PATHS: ["/a"], FILES: FILE, SERVICES: [{"name": "x"}]}, ["/a", "/srv/.env", "/etc/mlkeys"]),
        ({PATHS: [], FILES: FILE}, ["/srv/.env"]),
        ({PATHS: ["/srv/.env"], FILES: FILE}, ["/srv/.env"]),
        ({SERVICES: [{"name": "x", "state": "absent"}]}, []),
        ({SERVICES: [{"name": "x", "state": "absent"}, {"name": "y", "state": "present"}]}, ["/etc/mlkeys"]),
        ({PATHS: []}, []),
        ({}, []),
    ],
)
def test_what_a_host_declares_adds_up(variables: dict[str, Any], paths: list[str]) -> None:
    """The same where the playbooks search hosts, and where the search of the controller leaves out what they search."""
    assert list(declared(variables).paths) == paths
    assert host_places(*(variables.get(name, []) for name in (PATHS, FILES, SERVICES))) == paths
    assert _searched(variables) == paths
    assert declared(variables).is_empty is (variables == {PATHS: []})


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        *((PATHS, value, "paths") for value in (False, None, "", "/srv", 7, {"x": "/y"}, [""], [None], [["/x"]])),
        *((FILES, value, "files, each with src and dest") for value in (None, "/x", ["/x"], [{"src": "/x"}])),
        *((SERVICES, value, "services, each with name") for value in (None, "x", ["x"])),
    ],
)
def test_a_variable_of_another_type_is_named(variable: str, value: Any, what: str) -> None:
    """Also if all else that the host declares was searched."""
    other = FILES if variable == PATHS else PATHS
    one = {"inventory_hostname": "a", other: FILE if other == FILES else ["/x"], variable: value}
    assert missing_reason(one, [FOUND]) == f"its variable {variable} must be a list of {what}"
    assert missing_reason(one, [], is_controller=True) is not None


@pytest.mark.parametrize("value", ["{{ nosuch }}", Undefined(name="nosuch")])
def test_a_variable_that_cannot_be_templated_is_named(value: Any) -> None:
    reason = f"its variable {PATHS} has an error, or uses a variable that is not defined"
    assert missing_reason({"inventory_hostname": "a", PATHS: value}, [FOUND]) == reason


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["/etc/mlkeys/web/*", "/etc/mlkeys/api/"], ("/etc/mlkeys/web/*", "/etc/mlkeys/api/")),
        # One file leaves out the others.
        (["/etc/mlkeys/web/x", "/etc/mlkeys/api"], ("/etc/mlkeys/web/x", "/etc/mlkeys/api", "/etc/mlkeys")),
        (["/etc/mlkeys/web"], ("/etc/mlkeys/web", "/etc/mlkeys")),
        (["/etc/mlkeys/web", "/etc/mlkeys/apis"], ("/etc/mlkeys/web", "/etc/mlkeys/apis", "/etc/mlkeys")),
        ([], ("/etc/mlkeys",)),
    ],
)
def test_services_that_have_paths_leave_those_of_others_alone(paths: list[str], found: tuple[str, ...]) -> None:
    services = [{"name": "web"}, {"name": "api"}, {"name": "gone", "state": "absent"}]
    assert declared({PATHS: paths, SERVICES: services}).paths == found


def test_the_folder_of_a_service_that_should_be_gone_is_searched_while_it_is_there() -> None:
    """Until a run of the role, the service runs as before."""
    services = [{"name": "gone", "state": "absent"}]
    one = {"inventory_hostname": "a", PATHS: [], SERVICES: services}
    assert (declared(one).paths, declared(one).optional) == ((), ("/etc/mlkeys/gone",))
    assert host_places([], [], services, absent=True) == ["/etc/mlkeys/gone"]
    assert missing_reason(one, []) == NOT_TRIED
    assert missing_reason(one, [FOUND]) is None
    # Nobody knows what else is on a host that says nothing more.
    silent = {"inventory_hostname": "a", SERVICES: services}
    assert [missing_reason(silent, results) for results in ([], [FOUND])] == [UNDECLARED, UNDECLARED]
    assert missing_reason({**silent, "vault_transit_undeclared": True}, []) == NOT_TRIED
    assert missing_reason({**silent, "vault_transit_undeclared": True}, [FOUND]) is None
    assert declared({SERVICES: [*services, {"name": "web"}]}).paths == ("/etc/mlkeys",)
    assert not declared({SERVICES: [*services, {"name": "web"}]}).optional


def test_lines_of_a_file_that_ansible_cannot_read_are_not_repeated() -> None:
    quoting = "Syntax Error while loading YAML.\n\nThe offending line appears to be:\n\nopenai_api_key: sk-canary\n"
    assert system_reason(AnsibleError(quoting)) == "Syntax Error while loading YAML"
    system = AnsibleError("an error occurred")
    system.__cause__ = OSError(13, "Permission denied", "/srv/x.yml")
    assert system_reason(system) == "/srv/x.yml: Permission denied"
