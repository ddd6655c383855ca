# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that hosts need, derived from the variables that describe their services."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import (
    encrypted_files,
    grants_by_role,
    is_secret,
    sealed,
    secrets_of,
)


def host(*services: dict[str, Any], role: str | None = "web", **variables: Any) -> dict[str, Any]:
    named = {} if role is None else {"vault_transit_host_approle": role}
    return {"vault_transit_host_services": list(services), "vault_transit_host_key": "ml", **named, **variables}


def service(*secrets: str, **more: Any) -> dict[str, Any]:
    return {"name": "s", "environment": {name.upper(): name for name in secrets}, **more}


def grant(*secrets: str, backend: str = "transit", key: str = "ml") -> dict[str, Any]:
    return {"backend": backend, "key": key, "allow": ["decrypt"], "secrets": list(secrets)}


def test_the_secrets_of_a_service_are_those_of_its_environment_and_its_files() -> None:
    content = {"a": [{"b": {"secret": "in_list"}}, "openai"], "secret": {"secret": "below"}, "c": None}
    files = [{"content": content}, {"dest": "/x"}, {"content": {"secret": "alone"}}]
    assert secrets_of({"environment": {"X": "x", "Y": "x"}, "files": files}) == ["alone", "below", "in_list", "x"]
    assert secrets_of({}) == secrets_of({"environment": None, "files": None}) == []


@pytest.mark.parametrize(
    ("value", "stands"),
    [({"secret": "a"}, True), ({"secret": "a", "b": 1}, False), ({"secret": 1}, False), ("secret", False), ({}, False)],
)
def test_only_a_dictionary_with_a_name_as_secret_stands_for_one(value: Any, stands: bool) -> None:
    assert is_secret(value) is stands


def test_a_leaf_of_nested_data_has_its_path_as_context() -> None:
    text = "vault:v1:QUJDREVG"
    metadata = {"format": 2, "backend": "transit", "key": "ml", "unencrypted": ["a.region"]}
    content = {"a": {"k": [text], "region": "eu"}, "_transit": metadata}
    files = encrypted_files([{"path": "keys.transit.yml", "content": content}])
    found = sealed("a.k.0", files, "transit", "ml", predicted=False)
    assert (found.ciphertext, base64.b64decode(found.context)) == (text, b"a.k.0")
    with pytest.raises(InvalidOption, match=r"the secret 'a' is not in keys\.transit\.yml"):
        sealed("a", files, "transit", "ml", predicted=False)


def test_hosts_of_a_role_add_up_and_roles_are_kept_apart() -> None:
    hosts = [
        host(service("b", "a")),
        host(service("c"), service("a")),
        host(service("z"), role="batch"),
        host(service("nobody"), role=None),
        {},
    ]
    assert grants_by_role(hosts) == {"batch": [grant("z")], "web": [grant("a", "b", "c")]}


def test_grants_of_different_keys_and_engines_are_kept_apart() -> None:
    hosts = [
        host(service("a"), service("b", key="other"), service("c", backend="t2")),
        host(service("d"), vault_transit_host_backend="t3", vault_transit_host_key="k3"),
    ]
    assert grants_by_role(hosts)["web"] == [
        grant("c", backend="t2"),
        grant("d", backend="t3", key="k3"),
        grant("a"),
        grant("b", key="other"),
    ]


def test_plaintext_and_absent_services_need_no_grant() -> None:
    assert grants_by_role([host(service("a", mode="plaintext"), service("b", state="absent"))]) == {}
    assert grants_by_role([host(service())]) == {"web": []}


def test_a_service_without_a_key_is_named() -> None:
    hosts = [{**host(service("a")), "vault_transit_host_key": "", "inventory_hostname": "gateway-a"}]
    problem = "The service 's' of the host 'gateway-a' names no key: set vault_transit_host_key"
    with pytest.raises(InvalidOption, match=problem):
        grants_by_role(hosts)


def test_hosts_with_another_login_have_the_grants_of_its_role() -> None:
    jwt = {"vault_transit_host_auth_method": "jwt", "vault_transit_host_auth_role": "ci"}
    hosts = [
        host(service("a"), role="web"),
        host(service("b"), role="web", **jwt),
        host(service("c"), role=None, **jwt),
    ]
    assert grants_by_role(hosts) == {"ci": [grant("b", "c")], "web": [grant("a")]}


def test_a_policy_in_a_namespace_above_leads_down_to_the_engine() -> None:
    names = {"vault_transit_host_namespace": "org/team/", "vault_transit_host_auth_namespace": "org"}
    assert grants_by_role([host(service("a"), **names)]) == {"web": [grant("a", backend="team/transit")]}
    assert grants_by_role([host(service("a"), **names)], "other") == {"web": [grant("a", backend="team/transit")]}
    of_login = {"vault_transit_host_auth_namespace": "org"}
    assert grants_by_role([host(service("a"), **of_login)], "org/x") == {"web": [grant("a", backend="x/transit")]}
    names["vault_transit_host_auth_namespace"] = "/"
    assert grants_by_role([host(service("a"), **names)]) == {"web": [grant("a", backend="org/team/transit")]}
