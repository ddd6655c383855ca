# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places on the server that a data file may name, and what becomes of the others."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import AppRoles
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import url_path
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import mount_problem, path_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.belonging import check_document, pointing
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    VarsFile,
    interpret,
    parse,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents

from tests.unit.stand_in import Script

HOSTILE = [
    "transit/keys/other/rotate?",
    "../keys/other/rotate#",
    "transit/../sys",
    "transit/./x",
    "transit//x",
    "transit/%2e%2e/x",
    "transit\n",
    "transit\\x",
    "a b",
    "..",
    ".",
    "",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_that_leads_elsewhere_is_none(path: str) -> None:
    assert path_problem(path)
    assert mount_problem(path)


@pytest.mark.parametrize("path", ["transit", "team-a/transit", "ml/llm_gateways", "v1.2/..x", "a+b@c=d:e,f~g"])
def test_an_ordinary_path_is_one(path: str) -> None:
    assert path_problem(path) is None
    assert mount_problem(path) is None


@pytest.mark.parametrize("path", ["sys", "sys/policies/acl", "auth/token", "team/sys", "identity", "cubbyhole"])
def test_the_server_s_own_places_are_not_engines(path: str) -> None:
    assert path_problem(path) is None
    assert mount_problem(path)


@pytest.mark.parametrize("place", ["a/../b", "..", "a/%2e%2e/b", "a/.%2E/b", "a/."])
def test_no_request_leaves_its_path(place: str) -> None:
    with pytest.raises(InvalidOption, match="is not a path on the server"):
        url_path(place)


def test_what_would_end_a_path_in_a_url_is_quoted() -> None:
    assert url_path("transit/a?b#c d/k") == "transit/a%3Fb%23c%20d/k"
    assert url_path("auth/userpass/login/a%2Fb") == "auth/userpass/login/a%2Fb"


@pytest.mark.parametrize("path", HOSTILE)
def test_no_request_goes_to_such_a_place(path: str) -> None:
    client = Script()
    item = Item(b"vault:v1:AAAA")
    for attempt in (
        lambda: Transit(client, path),
        lambda: Transit(client, "transit").read_key(path),
        lambda: Transit(client, "transit").rotate_key(path),
        lambda: Transit(client, "transit").backup_key(path),
        lambda: Transit(client, "transit").decrypt(path, [item]),
        lambda: Documents(client, path),
        lambda: Documents(client, "secret").read(path),
        lambda: AppRoles(client, path),
    ):
        with pytest.raises(InvalidOption):
            attempt()
    assert client.asked == []


@pytest.mark.parametrize("name", ["backend", "key", "fingerprint_key", "kv_mount", "kv_path"])
def test_a_vars_file_cannot_name_such_a_place(name: str) -> None:
    for path in filter(None, HOSTILE):
        with pytest.raises(InvalidOption, match=rf"keys.transit.yml: _transit\.{name}: "):
            interpret({"_transit": {"format": 1, name: path}}, "keys.transit.yml")


# A file that points to a document


def pointer(**metadata: object) -> VarsFile:
    place = {"format": 1, "store": "kv", "kv_mount": "secret", "kv_path": "ml/keys"}
    return parse(json.dumps({"_transit": {**place, **metadata}}), "keys.transit.json")


def test_a_pointing_file_gets_the_names_of_engine_and_key() -> None:
    file = pointer()
    assert file.place is not None
    again = parse(pointing(file, file.place, "transit", "ml", "prints"), "keys.transit.json")
    assert (again.backend, again.key, again.fingerprint_key) == ("transit", "ml", "prints")
    assert again.place == file.place
    assert pointing(again, file.place, "transit", "ml", "prints") == again.text


def test_a_pointing_file_of_another_key_is_refused() -> None:
    file = pointer(backend="transit", key="other")
    assert file.place is not None
    with pytest.raises(InvalidOption, match="was written with key 'other'"):
        pointing(file, file.place, "transit", "ml", "ml")


@pytest.mark.parametrize(
    ("backend", "key", "said"),
    [
        ("transit", "other", "names key 'ml', but what points to it names 'other'"),
        ("other", "ml", "names backend 'transit', but what points to it names 'other'"),
        ("", "", "must name its engine and key"),
    ],
)
def test_a_document_has_the_engine_and_key_of_what_points_to_it(backend: str, key: str, said: str) -> None:
    document = VarsFile("secret/ml/keys", backend="transit", key="ml")
    check_document(document, "transit", "ml")
    with pytest.raises(InvalidOption, match=said):
        check_document(document, backend, key)
