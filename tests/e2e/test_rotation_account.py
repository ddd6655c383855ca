# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of a rotation: what nobody looked at, and what nobody knows, keeps the floor, by name."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.fleets import DONE, KEY, VALUES, Fleet
from tests.integration.support.vars_files import VarsFile
from tests.support.ciphertexts import find

UNTOUCHED = {**DONE, "latest_version": 1, "min_decryption_version": 1, "min_encryption_version": 0}
# Nobody can read the first page of a process.
UNREADABLE = Path("/proc/1/mem")
HELD = {**DONE, "min_decryption_version": 1, "min_encryption_version": 0}


def texts(path: Path) -> list[str]:
    return [one.text for one in find(path.read_bytes())]


def comparable(account: dict[str, Any]) -> dict[str, Any]:
    """An account but for the age of the key, and for which ciphertexts are behind, which a limit leaves to chance."""
    rest = {name: value for name, value in account.items() if name not in ("rotation", "left") or not value}
    if account["left"]:
        del rest["behind"]
    return {**rest, "left": account["left"], "done": account["rotation"].get("done")}


def test_files_that_nobody_declares_are_found_and_rewrapped(fleet: Fleet) -> None:
    own = fleet.folder / "group_vars" / "gateways"
    own.mkdir(parents=True)
    more = VarsFile(fleet.bao, fleet.mount, own / "more.transit.yml")
    more.run({"further_key": "sk-canary-further"}, key=KEY)
    account = fleet.account(vault_transit_rotate_vars_files=None, vault_transit_rotate_trim=True)
    fleet.check_rotated()
    assert set(more.versions().values()) == {2}
    assert (account["clean"], account["trimmed"]) == (True, True)
    assert account["floor"] == {"before": 1, "after": 2}
    # The inventory is searched as well.
    assert account["files"] == 3 + len(fleet.files)
    assert account["ciphertexts"] == [{"key": f"{fleet.mount}/{KEY}", "version": 2, "state": "current", "count": 11}]
    assert fleet.key() == {**DONE, "min_available_version": 2}


def test_what_the_controller_declares_is_searched_although_no_inventory_lists_it(fleet: Fleet) -> None:
    inventory = fleet.folder / "inventory.yml"
    hosts = yaml.safe_load(inventory.read_text(encoding="utf-8"))
    del hosts["all"]["hosts"]["localhost"]
    inventory.write_text(yaml.safe_dump(hosts), encoding="utf-8")
    path = fleet.folder / "controller" / "own.env"
    path.parent.mkdir()
    path.write_text(f"OPENAI_API_KEY={fleet.file.ciphertexts()['openai_api_key']}\n", encoding="utf-8")
    fleet.declare("localhost", vault_transit_host_paths=[str(path.parent)])
    account = fleet.account(vault_transit_rotate_trim=True)
    assert account["trimmed"]
    assert fleet.decrypt(texts(path)[0], "openai_api_key") == VALUES["openai_api_key"]


@pytest.mark.parametrize("variable", ["vault_transit_vars_files", "vault_transit_host_vars_files"])
def test_a_declared_file_that_does_not_exist_is_an_error(fleet: Fleet, variable: str) -> None:
    path = str(fleet.folder / "secret" / "keys.transit.yml")
    of_hosts = variable == "vault_transit_host_vars_files"
    fleet.declare("gateway-a" if of_hosts else "localhost", **{variable: [path if of_hosts else {"path": path}]})
    shown = " ".join(fleet.run(status=2, vault_transit_rotate_vars_files=None).split())
    assert f"{path} ({variable} of" in shown
    assert fleet.key() == UNTOUCHED


def test_variables_that_ansible_cannot_read_are_named(fleet: Fleet) -> None:
    (fleet.folder / "group_vars").mkdir()
    (fleet.folder / "group_vars" / "gateways.yml").symlink_to(UNREADABLE)
    shown = " ".join(fleet.run(status=2).split())
    assert f"Ansible cannot read the variables of the hosts: {fleet.folder}/group_vars/gateways.yml" in shown
    assert fleet.key() == UNTOUCHED


def test_nothing_found_is_an_error(fleet: Fleet) -> None:
    fleet.bao.done("POST", f"{fleet.mount}/keys/unused")
    account = fleet.account(status=2, vault_transit_rotate_key="unused")
    assert f"no ciphertext of {fleet.mount}/unused was found" in account["refused"][0]
    fleet.run(vault_transit_rotate_key="unused", vault_transit_rotate_unused=True)


def test_what_no_key_owns_keeps_the_floor_until_it_is_accepted_and_a_trim_even_then(fleet: Fleet) -> None:
    bound = fleet.encrypt("sk-canary-bound", "session", associated_data="tenant-7")
    other = fleet.encrypt("sk-canary-tenant", "tenant-7")
    fleet.bao.done("POST", f"{fleet.mount}/keys/theirs")
    theirs = fleet.encrypt("sk-canary-theirs", key="theirs")
    path = fleet.folder / "gateway-a" / "odd.env"
    path.write_text(f"SESSION={bound}\nX={other}\nTHEIRS={theirs}\n", encoding="utf-8")
    account = fleet.account(status=2, vault_transit_rotate_trim=True)
    assert fleet.key() == HELD
    assert [(one["host"], one["path"], one["line"]) for one in account["unknown"]] == [
        ("gateway-a", str(path), 1),
        ("gateway-a", str(path), 2),
    ]
    assert any(f"{fleet.mount}/{KEY} as x, X, hf_token" in one for one in account["unknown"][1]["tried"])
    assert f"{fleet.mount}/theirs" in account["unknown"][1]["tried"]
    assert {"key": f"{fleet.mount}/theirs", "version": 1, "state": "foreign", "count": 1} in account["ciphertexts"]
    accepting: dict[str, Any] = {
        "vault_transit_rotate_accept_unknown": ["gateway-a:*/odd.env"],
        "vault_transit_rotate_trim": True,
    }
    account = fleet.account(status=2, **accepting)
    assert (account["blocking"], account["clean"], account["trimmed"]) == ([], False, False)
    assert account["accepted"] == [f"gateway-a:{path}:1", f"gateway-a:{path}:2"]
    assert fleet.key() == DONE
    account = fleet.account(**accepting, vault_transit_rotate_trim_anyway=True)
    assert account["trimmed"]
    assert texts(path) == [bound, other, theirs]
    assert fleet.decrypt(theirs, key="theirs") == "sk-canary-theirs"


def test_an_accepted_entry_of_the_encrypted_vars_file_stays_as_it_is(fleet: Fleet) -> None:
    """Also where the file is reached by a link, and the next rotation is not held up by it."""
    bound = fleet.encrypt("sk-canary-bound", "other_context")
    # Where the key's own names are the contexts, this entry cannot be decrypted.
    text = fleet.file.text()
    fleet.file.path.write_text(f"orphan: {bound}\n" + text.removeprefix("---\n"), encoding="utf-8")
    link = fleet.folder / "link"
    link.symlink_to(fleet.folder)
    accepting: dict[str, Any] = {"vault_transit_rotate_vars_files": [str(link / fleet.file.path.name)]}
    account = fleet.account(status=2, **accepting)
    assert "do not decrypt" in account["refused"][0]
    assert fleet.key() == UNTOUCHED
    accepting["vault_transit_rotate_accept_unknown"] = [str(fleet.file.path)]
    account = fleet.account(**accepting)
    assert (account["blocking"], account["clean"]) == ([], False)
    assert fleet.key() == DONE
    assert fleet.file.versions() == {"orphan": 1, **dict.fromkeys(VALUES, 2)}
    fleet.run(**accepting)
    assert fleet.key()["min_decryption_version"] == 3
    assert fleet.file.versions() == {"orphan": 1, **dict.fromkeys(VALUES, 3)}


def test_a_context_that_is_given_places_it(fleet: Fleet) -> None:
    path = fleet.folder / "gateway-a" / "odd.env"
    path.write_text(f"X={fleet.encrypt('sk-canary-tenant', 'tenant-7')}\n", encoding="utf-8")
    fleet.run(vault_transit_rotate_contexts=["tenant-7"], vault_transit_rotate_trim=True)
    [text] = texts(path)
    assert fleet.decrypt(text, "tenant-7") == "sk-canary-tenant"
    assert fleet.key() == {**DONE, "min_available_version": 2}


def test_a_place_that_cannot_be_read_keeps_the_floor_until_it_is_accepted(fleet: Fleet) -> None:
    path = fleet.folder / "gateway-b" / "moved" / "[a-z]*.env"
    fleet.declare("gateway-b", vault_transit_host_paths=[str(fleet.folder / "gateway-b"), str(path)])
    account = fleet.account(status=2)
    assert account["unread"][0]["path"] == str(path)
    assert fleet.key() == HELD
    wrong = fleet.account(status=2, vault_transit_rotate_accept_unread=["*/typo"])
    assert "accepted: */typo matches nothing that is unread" in wrong["blocking"]
    account = fleet.account(vault_transit_rotate_accept_unread=[str(path)])
    assert account["accepted"] == [f"gateway-b:{path}"]
    assert fleet.key() == DONE


def test_what_holds_nothing_is_named_and_keeps_no_floor(fleet: Fleet) -> None:
    host = fleet.folder / "gateway-b"
    os.mkfifo(host / "pipe")
    (host / "lost").symlink_to("unmounted")
    trim: dict[str, Any] = {"vault_transit_rotate_trim": True}
    account = fleet.account(status=2, **trim)
    assert [(one["path"], one["kind"]) for one in account["not_searched"]] == [
        (f"{host}/lost", "dangling"),
        (f"{host}/pipe", "special"),
    ]
    assert (account["blocking"], account["unread"], account["trimmed"]) == ([], [], False)
    assert fleet.key() == DONE
    # What a link leads to may come back, so only a trim waits for it.
    (host / "lost").unlink()
    assert fleet.account(**trim)["trimmed"]


def test_hosts_that_a_limit_leaves_out_keep_the_floor(fleet: Fleet) -> None:
    fleet.declare("gateway-b", vault_transit_host_services=[{"name": "gw"}], vault_transit_host_paths=[])
    shown = fleet.run("--limit", "localhost", status=2, vault_transit_limit="nope")
    assert "No host matches the limit nope." in " ".join(shown.split())
    assert fleet.key() == UNTOUCHED
    fleet.declare("gateway-b", vault_transit_host_paths="{{ nosuch }}", vault_transit_hosts="all")
    wrong = "gateway-b (its variable vault_transit_host_paths has an error, or uses a variable that is not defined)"
    assert wrong in " ".join(fleet.run("--check", status=2).split())
    (fleet.folder / "host_vars" / "gateway-b.yml").unlink()
    inventory = fleet.folder / "inventory.yml"
    undeclared = {"hosts": {"gateway-c": {"vault_transit_hosts": "all"}}}
    described = yaml.safe_load(inventory.read_text(encoding="utf-8"))
    described["all"]["children"]["undeclared"] = undeclared
    inventory.write_text(yaml.safe_dump(described), encoding="utf-8")
    shown = " ".join(fleet.run("--limit", "gateway-a", status=2).split())
    assert "leaves out localhost, which asks the server. Add it: --limit gateway-a,localhost" in shown
    shown = fleet.run("--limit", "localhost,gateway-a", status=2, vault_transit_rotate_trim=True)
    left_out = "gateway-b (left out of this run), gateway-c (left out of this run)"
    assert f"these hosts could not be looked at: {left_out}" in " ".join(shown.split())
    assert fleet.key() == HELD


def test_places_of_an_inventory_that_loses_keep_the_floor(fleet: Fleet) -> None:
    path = fleet.folder / "archive" / "old.env"
    path.parent.mkdir()
    path.write_text(f"OPENAI_API_KEY={fleet.file.ciphertexts()['openai_api_key']}\n", encoding="utf-8")
    first, last = fleet.folder / "first.ini", fleet.folder / "last.ini"
    for inventory, place in ((first, path.parent), (last, fleet.folder / "gateway-a")):
        inventory.write_text(f"[all:vars]\nvault_transit_host_paths=['{place}']\n", encoding="utf-8")
    account = fleet.account("-i", str(first), "-i", str(last), status=2)
    reason = f"line 2: vault_transit_host_paths names {path.parent}, which no host of this run declares"
    assert any(f"{first} ({reason}" in sentence for sentence in account["blocking"])
    assert fleet.decrypt(texts(path)[0], "openai_api_key") == VALUES["openai_api_key"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"vault_transit_rotate_trim": True}, {"vault_transit_rotate_limit": 3}, {"vault_transit_rotate_floor": False}],
)
def test_check_mode_predicts_the_account(fleet: Fleet, settings: dict[str, object]) -> None:
    more = fleet.folder / "gateway-b" / "more.env"
    more.write_bytes(fleet.files[0].read_bytes())
    with fleet.without("gateway-b"):
        predicted = fleet.account("--check", status=2, **settings)
        assert fleet.key() == UNTOUCHED
        done = fleet.account(status=2, **settings)
    assert comparable(predicted) == comparable(done)
    # The same for a run that finishes one, and for what is left by a limit.
    predicted, done = fleet.account("--check", status=None, **settings), fleet.account(status=None, **settings)
    assert comparable(predicted) == comparable(done)
    predicted, done = fleet.account("--check", status=None, **settings), fleet.account(status=None, **settings)
    assert comparable(predicted) == comparable(done)


def test_check_mode_predicts_what_blocks(fleet: Fleet) -> None:
    path = fleet.folder / "gateway-a" / "odd.env"
    path.write_text(f"X={fleet.encrypt('sk-canary-tenant', 'tenant-7')}\n", encoding="utf-8")
    (fleet.folder / "gateway-b" / "cache.db").write_bytes(b"\0" + fleet.files[0].read_bytes())
    config = fleet.folder / "gateway-b" / ".git" / "config"
    config.parent.mkdir()
    config.write_bytes(fleet.files[0].read_bytes())
    twice = fleet.folder / "gateway-b" / "twice.env"
    twice.write_bytes(fleet.files[0].read_bytes())
    (fleet.folder / "other-name").hardlink_to(twice)
    template = fleet.folder / "templates" / "x.j2"
    template.parent.mkdir()
    template.symlink_to("/unmounted/x.j2")
    with fleet.without("gateway-b"):
        predicted = fleet.account("--check", status=2)
        assert fleet.key() == UNTOUCHED
        done = fleet.account(status=2)
    assert comparable(predicted) == comparable(done)
    assert done["target"] == 2
    predicted, done = fleet.account("--check", status=2), fleet.account(status=2)
    assert comparable(predicted) == comparable(done)
    for name, reason in (("cache.db", "binary"), (".git/config", "it is in .git"), ("twice.env", "hard links")):
        assert any(one["path"].endswith(name) and reason in one["problem"] for one in done["behind"])
        assert any(name in sentence for sentence in done["blocking"])
    assert [(one["path"], one["kind"]) for one in done["not_searched"]] == [(str(template), "dangling")]


def test_short_values_are_replaced_without_a_trace_of_masking(fleet: Fleet) -> None:
    values = {**VALUES, "pin": "1234", **{f"secret_{number}": f"sk-canary-{number}" for number in range(20)}}
    fleet.file.run(values, key=KEY)
    for path in fleet.files:
        lines = [f"{name.upper()}='{text}'\n" for name, text in fleet.file.ciphertexts().items()]
        path.write_text("# made by hand\n" + "".join(lines), encoding="utf-8")
    environment = {"NEW": "7"}
    fleet.run(
        env=environment, vault_transit_rotate_secrets={"pin": "{{ lookup('ansible.builtin.env', 'NEW') | string }}"}
    )
    fleet.check_rotated(values={**values, "pin": "7"})
    assert fleet.key() == DONE


def test_a_secret_that_no_file_holds_is_not_replaced_and_nothing_is_rotated(fleet: Fleet) -> None:
    shown = fleet.run(status=2, vault_transit_rotate_secrets={"openia_api_key": "sk-x"})
    assert "Did you mean 'openai_api_key'?" in " ".join(shown.split())
    assert fleet.key() == UNTOUCHED


def test_a_server_that_came_back_empty_is_noticed(fleet: Fleet) -> None:
    fleet.run()
    fleet.bao.done("POST", f"{fleet.mount}/keys/{KEY}/config", {"deletion_allowed": True})
    fleet.bao.done("DELETE", f"{fleet.mount}/keys/{KEY}")
    fleet.bao.done("POST", f"{fleet.mount}/keys/{KEY}", {"derived": True})
    account = fleet.account(status=2)
    assert "version 2 does not exist in this key (latest 1)" in account["refused"][0]
    # The numbers alone would fit now.
    fleet.bao.done("POST", f"{fleet.mount}/keys/{KEY}/rotate")
    fleet.bao.done("POST", f"{fleet.mount}/keys/{KEY}/rotate")
    account = fleet.account(status=2)
    assert f"localhost:{fleet.file.path}" in account["refused"][0]
    assert fleet.key()["min_decryption_version"] == 1


def test_an_old_branch_comes_back(fleet: Fleet) -> None:
    before = {path: path.read_bytes() for path in [fleet.file.path, *fleet.files]}
    # No encrypted vars file has this one, and a key does not look at what is below its floor.
    own = fleet.encrypt("sk-canary-own", "openai_api_key")
    fleet.run()
    for path, content in before.items():
        path.write_bytes(content)
    account = fleet.account(status=2, vault_transit_rotate_older_than="90d")
    assert "below the floor v2" in account["refused"][0]
    assert "mlkeys rotate --recover" in account["refused"][0]
    # A host is left out, and the floor is not lower than before for that.
    limit = ("--limit", "localhost,gateway-a")
    account = fleet.account(*limit, status=2, vault_transit_rotate_older_than="90d", vault_transit_rotate_recover=True)
    assert account["floor"] == {"before": 2, "after": 2}
    assert fleet.key() == DONE
    for path, content in before.items():
        path.write_bytes(content)
    path = fleet.folder / "gateway-a" / "own.env"
    path.write_text(f"OPENAI_API_KEY={own}\n", encoding="utf-8")
    fleet.run(vault_transit_rotate_older_than="90d", vault_transit_rotate_recover=True, vault_transit_rotate_trim=True)
    fleet.check_rotated()
    assert fleet.decrypt(texts(path)[0], "openai_api_key") == "sk-canary-own"
    assert fleet.key() == {**DONE, "min_available_version": 2}
    for path, content in before.items():
        path.write_bytes(content)
    account = fleet.account(status=2, vault_transit_rotate_recover=True)
    assert "versions below 2, which are trimmed" in account["refused"][0]


def test_every_form_is_put_back_as_it_was(fleet: Fleet) -> None:
    folder = fleet.folder / "gateway-a"
    text = fleet.encrypt("sk-canary-form", "openai_api_key")
    escaped = text.replace("/", "\\/").replace("+", "\\u002b").replace(":", "\\u003a")
    (folder / "a.json").write_text(f'{{"openai_api_key": "{escaped}"}}\n')
    (folder / "url").write_text(f"https://x/?openai_api_key={urllib.parse.quote(text, safe='')}\n")
    secret = {"kind": "Secret", "data": {"openai_api_key": base64.b64encode(text.encode()).decode()}}
    (folder / "secret.json").write_text(json.dumps(secret))
    big = folder / "big.env"
    big.write_text("#" * 11_000_000 + f"\nOPENAI_API_KEY='{text}'\n")
    # In a folder that the search of the project leaves out.
    elsewhere = fleet.folder / ".tox"
    elsewhere.mkdir()
    (folder / "conf.d").symlink_to("../.tox")
    (elsewhere / "x.env").write_text(f"OPENAI_API_KEY={text}\n")
    fleet.run(vault_transit_rotate_trim=True)
    stored = json.loads((folder / "secret.json").read_text())["data"]["openai_api_key"]
    values = [
        json.loads((folder / "a.json").read_text())["openai_api_key"],
        urllib.parse.unquote((folder / "url").read_text().rpartition("=")[2].strip()),
        base64.b64decode(stored).decode(),
        *texts(big),
        *texts(elsewhere / "x.env"),
    ]
    assert [value.partition(":")[2][:3] for value in values] == ["v2:"] * 5
    assert [fleet.decrypt(value, "openai_api_key") for value in values] == ["sk-canary-form"] * 5
    assert big.read_bytes().count(b"#") == 11_000_000
    assert fleet.key() == {**DONE, "min_available_version": 2}


def test_status_names_what_nobody_read_and_does_not_call_lost_what_nobody_knows(fleet: Fleet) -> None:
    fleet.run()
    missing = fleet.folder / "gateway-a" / "moved*"
    fleet.declare("gateway-a", vault_transit_host_paths=[str(fleet.folder / "gateway-a"), str(missing)])
    path = fleet.folder / "gateway-b" / "odd.env"
    fleet.bao.done("POST", f"sys/mounts/{fleet.mount}-other", {"type": "transit"})
    fleet.bao.done("POST", f"{fleet.mount}-other/keys/{KEY}")
    body = {"plaintext": base64.b64encode(b"sk-canary-x").decode()}
    other = fleet.bao.done("POST", f"{fleet.mount}-other/encrypt/{KEY}", body)["data"]["ciphertext"]
    path.write_text(f"X={other}\n", encoding="utf-8")
    fleet.run(playbook="status")
    report = json.loads(fleet.report.read_text(encoding="utf-8"))
    fleet.bao.done("DELETE", f"sys/mounts/{fleet.mount}-other")
    assert not report["healthy"]
    problems = [(one["severity"], one["text"]) for one in report["problems"]]
    assert [severity for severity, _text in problems] == ["error", "warning"]
    assert f"gateway-a:{missing}" in problems[0][1]
    assert "of no key that is known" in problems[1][1]
    assert f"gateway-b:{path}:1" in problems[1][1]
