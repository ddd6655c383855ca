# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertexts outside of encrypted vars files and hosts: in documents of a KV engine, and in any file of a project."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import parse

from tests.e2e.fleets import DONE, KEY, Fleet
from tests.integration.support.plays import make_key
from tests.integration.support.vars_files import VarsFile
from tests.support.ciphertexts import find

PLACE = "ml/keys"


@pytest.fixture
def kv(fleet: Fleet) -> Iterator[str]:
    """A document without a file, and one to which a file points. A host has a copy of the secret of the first."""
    mount = f"kv-{secrets.token_hex(4)}"
    fleet.bao.done("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
    for name in ("own_key", "pointed_key"):
        pointer = str(fleet.folder / "pointer.transit.yml") if name == "pointed_key" else None
        path = "ml/pointed" if pointer else PLACE
        fleet.file.run({name: f"sk-canary-{name}"}, key=KEY, store="kv", kv_mount=mount, kv_path=path, path=pointer)
    (fleet.folder / "gateway-a" / "own.env").write_text(f"OWN_KEY={stored(fleet, mount)}\n", encoding="utf-8")
    fleet.declare("localhost", vault_transit_vars_files=[{"store": "kv", "kv_mount": mount, "kv_path": PLACE}])
    yield mount
    fleet.bao.done("DELETE", f"sys/mounts/{mount}")


def stored(fleet: Fleet, mount: str, place: str = PLACE, name: str = "own_key") -> str:
    text: str = fleet.bao.done("GET", f"{mount}/data/{place}")["data"]["data"][name]
    return text


NESTED = {"providers": {"openai": {"api_key": "sk-canary-nested"}, "tags": ["sk-canary-tag", True]}}
LEAF = "providers.openai.api_key"


@pytest.fixture
def nested(fleet: Fleet) -> VarsFile:
    """A file of nested data. A host has a copy of one leaf."""
    file = replace(fleet.file, path=fleet.folder / "nested.transit.yml")
    file.run(NESTED, key=KEY)
    leaf = file.variables()["providers"]["openai"]["api_key"]
    (fleet.folder / "gateway-b" / "leaf.env").write_text(f"OPENAI_API_KEY={leaf}\n", encoding="utf-8")
    return file


def test_all_of_them_are_counted_rewrapped_and_replaced(fleet: Fleet, kv: str, nested: VarsFile) -> None:
    loose = {
        "group_vars/all.yml": ("loose_key", "loose_key: {}\n"),
        "play.yml": (
            "other_key",
            "- vars: {{x: \"{{{{ lookup('mlkeys.transit.vault_transit', '{}') }}}}\"}}\n",
        ),
        "templates/.env.j2": ("own_key", "OWN_KEY='{}'\n"),
    }
    for name, (context, text) in loose.items():
        (fleet.folder / name).parent.mkdir(exist_ok=True)
        (fleet.folder / name).write_text(text.format(fleet.encrypt("sk-canary-old", context)), encoding="utf-8")
    copies = [fleet.folder / "roles" / "app" / "vars" / "main.yml", fleet.folder / "nested.transit.yml.orig"]
    for copy in copies:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(nested.text(), encoding="utf-8")
    account = fleet.account(
        vault_transit_rotate_vars_files=None,
        vault_transit_rotate_trim=True,
        vault_transit_rotate_secrets={"own_key": "sk-canary-new", LEAF: "sk-canary-newer"},
        # Nothing in the playbook shows it.
        vault_transit_rotate_contexts=["other_key"],
    )
    assert account["ciphertexts"] == [{"key": f"{fleet.mount}/{KEY}", "version": 2, "state": "current", "count": 26}]
    assert account["replaced"] == {"own_key": "everywhere", LEAF: "everywhere"}
    # Nothing rewraps them. They hold nothing, since nobody reads them without being asked to.
    assert {row["path"]: row["reason"].partition(" may keep")[0] for row in account["not_searched"]} == dict.fromkeys(
        [f"{kv}/{PLACE}", f"{kv}/ml/pointed"], "its earlier versions (1)"
    )
    assert account["clean"]
    assert fleet.key() == {**DONE, "min_available_version": 2}
    assert fleet.decrypt(stored(fleet, kv, "ml/pointed", "pointed_key"), "pointed_key") == "sk-canary-pointed_key"
    assert fleet.decrypt(stored(fleet, kv), "own_key") == "sk-canary-new"
    assert (fleet.folder / "gateway-a" / "own.env").read_text(encoding="utf-8") == f"OWN_KEY={stored(fleet, kv)}\n"
    providers = nested.variables()["providers"]
    assert fleet.decrypt(providers["openai"]["api_key"], LEAF) == "sk-canary-newer"
    assert [fleet.decrypt(text, f"providers.tags.{place}") for place, text in enumerate(providers["tags"])] == [
        *("sk-canary-tag", "true"),
    ]
    # The types of their values are in the fingerprints, each of which is for one ciphertext.
    for copy in copies:
        entries = parse(copy.read_text(encoding="utf-8"), str(copy)).entries
        assert {name: (one.version, one.is_misbound, one.is_json) for name, one in entries.items()} == {
            LEAF: (2, False, False),
            "providers.tags.0": (2, False, False),
            "providers.tags.1": (2, False, True),
        }
        assert fleet.decrypt(entries[LEAF].ciphertext, LEAF) == "sk-canary-newer"
    leaf = (fleet.folder / "gateway-b" / "leaf.env").read_text(encoding="utf-8")
    assert leaf == f"OPENAI_API_KEY={providers['openai']['api_key']}\n"
    for name, (context, text) in loose.items():
        written = (fleet.folder / name).read_text(encoding="utf-8")
        [found] = find(written.encode())
        assert written == text.format(found.text)
        assert fleet.decrypt(found.text, context) == ("sk-canary-new" if context == "own_key" else "sk-canary-old")


def test_a_version_of_a_lost_key_is_noticed_although_the_new_key_has_it_too(fleet: Fleet, kv: str) -> None:
    fleet.bao.done("POST", f"{fleet.mount}/keys/{KEY}/config", {"deletion_allowed": True})
    fleet.bao.done("DELETE", f"{fleet.mount}/keys/{KEY}")
    make_key(fleet.bao, fleet.mount, KEY)
    fleet.file.path.unlink()
    fleet.fill()
    [reason] = fleet.account("--check", status=2, vault_transit_rotate_vars_files=None)["refused"]
    assert f"localhost:{kv}/{PLACE} (v1 own_key: " in reason
    assert f"localhost:{fleet.folder}/pointer.transit.yml (v1 pointed_key: " in reason


CONFLICT = "<<<<<<< HEAD\nother_key: {0}\n=======\nother_key: {0}\n>>>>>>> branch\n"


def test_what_nothing_rewraps_is_refused_before_the_key_is_rotated(fleet: Fleet, kv: str) -> None:
    documents = {place: fleet.bao.done("GET", f"{kv}/data/{place}")["data"]["data"] for place in (PLACE, "ml/pointed")}
    for place, content in documents.items():
        fleet.bao.done("POST", f"{kv}/data/{place}", {"data": {**content, "region": "eu"}})
    shown = " ".join(fleet.run(status=2, vault_transit_rotate_vars_files=None).split())
    assert "nothing rewraps such a document: " in shown
    assert all(f"{kv}/{place}" in shown for place in documents)
    for place, content in documents.items():
        fleet.bao.done("POST", f"{kv}/data/{place}", {"data": content})
    path = fleet.folder / "vars" / "more.transit.yml"
    path.parent.mkdir()
    path.write_text(f"---\n{CONFLICT.format(fleet.file.ciphertexts()['hf_token'])}", encoding="utf-8")
    [reason] = fleet.account(status=2, vault_transit_rotate_vars_files=None)["refused"]
    assert f"{path} has an unresolved merge conflict (line 2): " in reason
    assert fleet.key()["latest_version"] == 1
