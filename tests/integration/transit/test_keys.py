# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_keys against a real server."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import reconcile_keys
from ansible_collections.mlkeys.transit.plugins.modules import vault_transit_keys

from tests.integration.support.relay import relay
from tests.integration.support.runs import Ledger, asked, at_once, outcome, run
from tests.support.core import CORE
from tests.support.modules import ModuleResult
from tests.support.playbook import run_playbook
from tests.support.server import Bao, transit_mount

pytestmark = pytest.mark.usefixtures("both_ways")

MODULE = "vault_transit_keys"
MANY = 500

Entry = Mapping[str, object]


def make(bao: Bao, mount: str, *names: str, **body: object) -> None:
    for name in names:
        bao.done("POST", f"{mount}/keys/{name}", body)


def held(bao: Bao, mount: str) -> dict[str, dict[str, Any]]:
    """The keys of an engine as the server shows them."""
    status, listed = bao.request("LIST", f"{mount}/keys")
    names = listed["data"]["keys"] if status == 200 else []
    return {name: bao.done("GET", f"{mount}/keys/{name}")["data"] for name in names}


def keys(bao: Bao, mount: str, *entries: Entry, check: bool = False, **params: Any) -> ModuleResult:
    return run(bao, MODULE, check=check, keys=[dict(entry) for entry in entries], backend=mount, **params)


def converge(bao: Bao, mount: str, *entries: Entry, **params: Any) -> ModuleResult:
    """Predict in check mode, then do it. The prediction writes nothing and is what then happens, word for word."""
    ledger = Ledger(bao)
    predicted = keys(bao, mount, *entries, check=True, **params)
    assert ledger.writes == [], "check mode wrote"
    done = keys(bao, mount, *entries, **params)
    assert outcome(predicted) == outcome(done)
    assert done.changed is bool(ledger.writes)
    return done


def actions(result: ModuleResult) -> dict[str, str]:
    return {entry["name"]: entry["action"] for entry in result["results"]}


def errors(result: ModuleResult) -> dict[str, str]:
    return {entry["name"]: entry["error"] for entry in result["results"] if "error" in entry}


# --- what it makes ---


def test_each_key_reaches_the_state_of_its_entry_and_then_nothing_changes(bao: Bao, mount: str) -> None:
    make(bao, mount, "same", "open", "old", "locked")
    make(bao, mount, "going")
    bao.done("POST", f"{mount}/keys/going/config", {"deletion_allowed": True})
    with transit_mount(bao) as other:
        entries: list[Entry] = [
            {"name": "new", "type": "chacha20-poly1305", "derived": True, "auto_rotate_period": "90d"},
            {"name": "new", "engine_mount_point": other, "deletion_allowed": True},
            {"name": "same", "type": "aes256-gcm96"},
            {"name": "open", "exportable": True},
            {"name": "old", "rotate_older_than": "0", "min_encryption_version": 2, "min_decryption_version": 2},
            {"name": "going", "state": "absent"},
            {"name": "locked", "state": "absent", "force": True},
            {"name": "never", "state": "absent"},
        ]

        done = converge(bao, mount, *entries)

        made, elsewhere = held(bao, mount), held(bao, other)
        again = keys(bao, mount, *[entry for entry in entries if "rotate_older_than" not in entry])

    assert not done.failed, done.msg
    assert [entry["action"] for entry in done["results"]] == [
        *("created", "created", "kept", "configured", "rotated", "deleted", "deleted", "kept")
    ]
    assert [entry["backend"] for entry in done["results"]][:3] == [mount, other, mount]
    assert set(made) == {"new", "same", "open", "old"}
    assert (made["new"]["type"], made["new"]["derived"]) == ("chacha20-poly1305", True)
    assert made["new"]["auto_rotate_period"] == 7776000
    assert elsewhere["new"]["deletion_allowed"]
    assert made["open"]["exportable"]
    assert (made["old"]["latest_version"], made["old"]["min_decryption_version"]) == (2, 2)
    for entry in done["results"]:
        actual = {mount: made, other: elsewhere}[entry["backend"]].get(entry["name"])
        if actual is None:
            assert entry["key"] is None
        else:
            # What does not hold for a key, the server leaves out.
            assert {fact: actual.get(fact, False) for fact in entry["key"]} == entry["key"]
    assert (again.failed, again.changed, again["diff"]) == (False, False, [])
    assert {entry["action"] for entry in again["results"]} == {"kept"}


def test_the_diff_has_one_part_for_each_key_that_changes(bao: Bao, mount: str) -> None:
    make(bao, mount, "same", "open")

    done = converge(bao, mount, {"name": "same"}, {"name": "open", "exportable": True}, {"name": "new"})

    changed, created = done["diff"]
    assert changed["before_header"] == changed["after_header"] == f"{mount}/keys/open"
    assert {fact for fact in changed["after"] if changed["after"][fact] != changed["before"][fact]} == {"exportable"}
    assert created["before_header"] == created["after_header"] == f"{mount}/keys/new"
    assert (created["before"], created["after"]) == ({}, done["results"][2]["key"])


# --- what it asks ---


def test_many_keys_cost_one_request_each_on_one_connection(bao: Bao, mount: str) -> None:
    entries: list[Entry] = [{"name": f"key-{number}", "derived": True} for number in range(MANY)]

    creating = Ledger(bao)
    first = keys(bao, mount, *entries)
    created = creating.requests
    checking = Ledger(bao)
    second = keys(bao, mount, *entries, check=True)
    checked = checking.entries
    third = keys(bao, mount, *entries)

    assert (first.failed, first.changed, second.changed, third.changed) == (False, True, False, False)
    assert Counter(operation for operation, _path in created) == {"update": MANY, "list": 1}
    assert len(set(created)) == MANY + 1
    requests = Counter(entry["operation"] for entry in checked)
    assert requests == {"read": MANY, "list": 1}
    assert len({entry["remote_port"] for entry in checked}) == 1
    assert Counter(entry["operation"] for entry in checking.entries) == {"read": 2 * MANY, "list": 2}
    assert len(bao.done("LIST", f"{mount}/keys")["data"]["keys"]) == MANY


# --- bad entries ---


def test_with_a_bad_entry_nothing_is_written(bao: Bao, mount: str) -> None:
    make(bao, mount, "taken")
    before = held(bao, mount)

    done = converge(
        bao,
        mount,
        {"name": "good"},
        {"name": "taken", "type": "ed25519", "exportable": True},
        {"name": "-bad"},
        {"name": "soon", "rotate_older_than": "soon"},
        {"name": "versions", "min_decryption_version": 7},
    )

    assert (done.failed, done.changed) == (True, False)
    assert held(bao, mount) == before
    assert actions(done) == {
        "good": "skipped",
        **dict.fromkeys(("taken", "-bad", "soon", "versions"), "refused"),
    }
    assert done.msg.startswith(f"4 of 5 keys failed: {mount}/keys/taken: type is 'aes256-gcm96' and cannot become")
    assert done.msg.endswith("the latest version is 1. Nothing was changed. Not begun: 1 key.")
    assert all(f"{mount}/keys/{name}: " in done.msg for name in errors(done))


def test_with_on_error_continue_the_rest_is_applied_and_the_module_fails(bao: Bao, mount: str) -> None:
    make(bao, mount, "taken", "open")
    entries: list[Entry] = [
        {"name": "taken", "type": "ed25519"},
        {"name": "open", "exportable": True},
        {"name": "convergent", "convergent_encryption": True},
        {"name": "good"},
    ]

    check = keys(bao, mount, *entries, on_error="continue", check=True)
    done = keys(bao, mount, *entries, on_error="continue")

    assert (done.failed, done.changed) == (True, True)
    assert actions(done) == {"taken": "refused", "open": "configured", "convergent": "refused", "good": "created"}
    assert set(held(bao, mount)) == {"taken", "open", "good"}
    assert done.msg == (
        f"2 of 4 keys failed: {mount}/keys/taken: type is 'aes256-gcm96' and cannot become 'ed25519' (it is set at "
        f"creation); {mount}/keys/convergent: convergent_encryption needs derived: true. "
        f"Changed: {mount}/keys/open, {mount}/keys/good."
    )
    # The prediction is the same but for the tense.
    assert check.msg == done.msg.replace("Changed: ", "Would be changed: ")
    assert (check["results"], check["diff"], check.changed) == (done["results"], done["diff"], True)


@pytest.mark.parametrize(("on_error", "made"), [("fail", {"a"}), ("continue", {"a", "z"})])
def test_an_unknown_type_is_reported_with_the_changes(bao: Bao, mount: str, on_error: str, made: set[str]) -> None:
    entries: list[Entry] = [{"name": "a"}, {"name": "odd", "type": "aes256-gcm"}, {"name": "z"}]

    done = keys(bao, mount, *entries, on_error=on_error)

    assert (done.failed, done.changed) == (True, True)
    assert set(held(bao, mount)) == made
    said = "The server does not know the key type 'aes256-gcm'. Did you mean 'aes256-gcm96'?"
    assert errors(done) == {"odd": f"{said} Asked: {bao.addr}, the root namespace"}
    assert actions(done)["odd"] == "failed"
    assert actions(done)["z"] == ("created" if "z" in made else "skipped")
    assert any(f"{mount}/keys/odd: The key type 'aes256-gcm' is not one" in warning for warning in done.warnings)


@pytest.mark.parametrize("on_error", ["fail", "continue"])
def test_a_key_that_is_listed_twice_is_refused(bao: Bao, mount: str, on_error: str) -> None:
    twice: list[Entry] = [{"name": "a"}, {"name": "b"}, {"name": "a", "backend": f"{mount}/", "exportable": True}]

    done = keys(bao, mount, *twice, on_error=on_error)

    assert done.failed
    assert done.msg.startswith(f"2 of 3 keys failed: {mount}/keys/a: it is listed 2 times (entries 1, 3)")
    assert set(held(bao, mount)) == ({"b"} if on_error == "continue" else set())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "a", "tpye": "hmac"}, "keys.tpye"),
        ({"type": "hmac"}, "missing required arguments: name found in keys"),
        ({"name": "a", "state": "gone"}, "value of state must be one of: absent, present, got: gone found in keys"),
        ({"name": "a", "key_size": "big"}, "big" if CORE >= (2, 19) else "key_size"),
    ],
)
def test_an_invalid_entry_is_refused_without_a_request(bao: Bao, mount: str, entry: Entry, message: str) -> None:
    ledger = Ledger(bao)

    done = keys(bao, mount, {"name": "good"}, entry, on_error="continue")

    assert done.failed
    assert message in done.msg
    assert ledger.requests == []


def test_a_missing_engine_is_reported_for_its_keys_alone(bao: Bao, mount: str) -> None:
    done = keys(bao, mount, {"name": "lost", "backend": "nowhere"}, {"name": "good"}, on_error="continue")

    assert done.failed
    assert set(held(bao, mount)) == {"good"}
    (error,) = errors(done).items()
    assert error[0] == "lost"
    assert error[1].startswith("No secrets engine is mounted for 'nowhere/keys/lost'. Enable it, or correct the engine")


@pytest.mark.parametrize("kind", ["kv", "pki"])
def test_an_engine_of_another_kind_is_reported_for_its_keys_alone(bao: Bao, mount: str, kind: str) -> None:
    other = f"{mount}-{kind}"
    bao.done("POST", f"sys/mounts/{other}", {"type": kind})
    try:
        # A store of keys and values takes whatever is written to it.
        if kind == "kv":
            bao.done("POST", f"{other}/keys/held", {"derived": True})
        entries: list[Entry] = [{"name": name, "backend": other, "derived": True} for name in ("held", "new")]

        done = keys(bao, mount, *entries, {"name": "good"}, on_error="continue")
    finally:
        bao.done("DELETE", f"sys/mounts/{other}")

    assert done.failed
    assert set(errors(done)) == {"held", "new"}
    assert set(held(bao, mount)) == {"good"}
    if kind == "kv":
        assert errors(done)["held"] == (
            f"What is mounted at '{other}' does not look like a Transit engine: "
            "its answer for 'keys/held' is not a key. Correct the engine's path."
            f"{asked(bao, ' Check: bao secrets list').rstrip('.')}"
        )
        assert errors(done)["new"].endswith(f" Already done: something was written to '{other}/keys/new'")


# --- a run that breaks off ---


def test_an_interrupted_run_reports_its_changes_and_the_next_one_does_the_rest(bao: Bao, mount: str) -> None:
    entries: list[Entry] = [{"name": name} for name in "abcdef"]
    with relay(bao.addr) as broken:
        broken.cuts = lambda request: (request.method, request.path) == ("POST", f"{mount}/keys/c")
        cut = keys(bao, mount, *entries, url=broken.url, on_error="continue")

    assert (cut.failed, cut.changed) == (True, True)
    assert "".join(action[0] for action in actions(cut).values()) == "ccfsss"
    assert cut.msg.startswith(f"1 of 6 keys failed: {mount}/keys/c: Cannot reach the server at {broken.url}")
    assert cut.msg.endswith(f" Changed: {mount}/keys/a, {mount}/keys/b. Not begun: 3 keys.")

    # The server had made c before the answer was lost.
    rest = keys(bao, mount, *entries)
    assert (rest.failed, "".join(action[0] for action in actions(rest).values())) == (False, "kkkccc")
    assert {key["latest_version"] for key in held(bao, mount).values()} == {1}


# --- others at work ---


def test_runs_at_the_same_moment_do_not_fail_each_other(bao: Bao, mount: str) -> None:
    make(bao, mount, "old0", "old1")

    def entry(name: str, **options: object) -> Mapping[str, Any]:
        return defaultdict(lambda: None, {"name": name, "state": "present", "force": False, **options})

    entries = [entry(f"key-{number}", exportable=True, deletion_allowed=True) for number in range(20)]
    entries += [entry("old0", state="absent", force=True), entry("old1", state="absent", force=True)]

    outcomes = at_once(bao, reconcile_keys, {"keys": entries, "backend": mount, "on_error": "fail"})

    assert [outcome.failure for outcome in outcomes] == [""] * len(outcomes)
    made = held(bao, mount)
    assert set(made) == {f"key-{number}" for number in range(20)}
    for key in made.values():
        assert (key["latest_version"], key["exportable"], key["deletion_allowed"]) == (1, True, True)
    for done in outcomes:
        assert all(result["key"] is None or result["key"]["exportable"] for result in done.result["results"])


# --- what a token needs ---


def test_a_token_that_may_provision_and_nothing_else_suffices(
    bao: Bao, mount: str, mint_token: Callable[[str], str]
) -> None:
    token = mint_token(
        f'path "{mount}/keys" {{ capabilities = ["list"] }}'
        f'path "{mount}/keys/+" {{ capabilities = ["read", "update"] }}'
        f'path "{mount}/keys/+/config" {{ capabilities = ["update"] }}'
    )
    entries: list[Entry] = [{"name": "a", "deletion_allowed": True}, {"name": "b", "type": "hmac"}]

    first = keys(bao, mount, *entries, token=token)
    second = keys(bao, mount, *entries, token=token)

    assert (first.failed, first.changed, second.failed, second.changed) == (False, True, False, False)


def test_a_token_that_may_not_list_reads_each_key(bao: Bao, mount: str, mint_token: Callable[[str], str]) -> None:
    make(bao, mount, "a")
    token = mint_token(f'path "{mount}/keys/+" {{ capabilities = ["read", "update"] }}')
    ledger = Ledger(bao)

    done = keys(bao, mount, {"name": "a"}, {"name": "b"}, token=token)

    assert not done.failed, done.msg
    assert actions(done) == {"a": "kept", "b": "created"}
    assert ledger.requests == [
        ("list", f"{mount}/keys/"),
        ("read", f"{mount}/keys/a"),
        ("read", f"{mount}/keys/b"),
        ("update", f"{mount}/keys/b"),
    ]


@pytest.mark.parametrize(
    ("on_error", "made"),
    [("fail", {"denied", "mine", "not-mine"}), ("continue", {"denied", "mine", "next", "not-mine"})],
)
def test_a_key_that_the_policy_does_not_allow_is_named_with_path_and_capability(
    bao: Bao, mount: str, mint_token: Callable[[str], str], on_error: str, made: set[str]
) -> None:
    make(bao, mount, "not-mine", "denied", "mine")
    token = mint_token(
        f'path "{mount}/keys/+" {{ capabilities = ["read", "update"] }}'
        f'path "{mount}/keys/not-mine" {{ capabilities = ["deny"] }}'
    )
    entries: list[Entry] = [{"name": "not-mine"}, {"name": "denied", "exportable": True}, {"name": "next"}]

    done = keys(bao, mount, *entries, token=token, on_error=on_error)

    assert done.failed
    assert set(held(bao, mount)) == made
    assert f"the capability 'read' on '{mount}/keys/not-mine'" in errors(done)["not-mine"]
    assert actions(done)["not-mine"] == "refused"
    if on_error == "continue":
        assert f"the capability 'update' on '{mount}/keys/denied/config'" in errors(done)["denied"]
        assert actions(done) == {"not-mine": "refused", "denied": "failed", "next": "created"}


# --- in plays ---


def play(path: Path, tasks: object) -> Path:
    path.write_text(
        yaml.safe_dump([{"hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks}]),
        encoding="utf-8",
    )
    return path


@pytest.fixture
def environment(bao: Bao) -> dict[str, str]:
    return {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token}


def test_the_examples_run_as_they_stand(bao: Bao, environment: Mapping[str, str], tmp_path: Path) -> None:
    examples = yaml.safe_load(vault_transit_keys.EXAMPLES)
    path = play(tmp_path / "play.yml", examples)
    bao.done("POST", "sys/mounts/transit", {"type": "transit"})
    try:
        first = run_playbook(path, env=environment, args=["--diff"])
        made = held(bao, "transit")
    finally:
        bao.done("DELETE", "sys/mounts/transit")

    assert first.returncode == 0, first.stdout
    assert f"ok={len(examples)}    changed={len(examples)} " in first.stdout
    assert "+++ after: transit/keys/openai" in first.stdout
    assert set(made) == {"anthropic", "openai", "signatures"}
    assert bao.token not in first.stdout


def test_a_play_stops_after_a_failure_although_the_rest_was_applied(
    bao: Bao, mount: str, environment: Mapping[str, str], tmp_path: Path
) -> None:
    task = {
        "mlkeys.transit.vault_transit_keys": {
            "backend": mount,
            "keys": [{"name": "good"}, {"name": "b/d"}],
            "on_error": "continue",
        }
    }
    path = play(tmp_path / "play.yml", [task, {"ansible.builtin.debug": {"msg": "went on"}}])

    done = run_playbook(path, env=environment)

    assert done.returncode == 2
    assert "went on" not in done.stdout
    assert f"1 of 2 keys failed: {mount}/keys/b/d: " in done.stdout
    assert set(held(bao, mount)) == {"good"}
    assert json.dumps(bao.token) not in done.stdout


def test_keys_are_not_set_below_their_floors(bao: Bao, mount: str) -> None:
    names = ("raised", "lower", "higher", "other")
    for name in names:
        bao.done("POST", f"{mount}/keys/{name}", {})
        for _ in range(2):
            bao.done("POST", f"{mount}/keys/{name}/rotate", {})
    listed: list[dict[str, Any]] = [
        {"name": "raised"},
        {"name": "lower", "min_decryption_version": 1, "min_encryption_version": 0},
        {"name": "higher", "min_decryption_version": 3},
        {"name": "other"},
    ]
    floors = {f"{mount}/{name}": 2 for name in ("raised", "lower", "higher")} | {"elsewhere/other": 2}
    converge(bao, mount, *listed, floors=floors)
    found = [bao.done("GET", f"{mount}/keys/{name}")["data"] for name in names]
    assert [key["min_decryption_version"] for key in found] == [2, 2, 3, 1]
    assert [key["min_encryption_version"] for key in found] == [2, 2, 3, 0]
    failed = keys(bao, mount, *listed, floors={f"{mount}/raised": "many"})
    assert failed.msg.startswith(f"floors: '{mount}/raised' must be the number of a version.")


def test_a_key_that_must_exist_is_not_created(bao: Bao, mount: str) -> None:
    make(bao, mount, "there")
    needed = {f"{mount}/{name}": "a.yml needs it. Restore it." for name in ("gone", "there")}
    why = f"{mount}/keys/gone: it does not exist, and is not created. a.yml needs it. Restore it."
    refused = converge(bao, mount, {"name": "new"}, {"name": "gone"}, {"name": "there"}, must_exist=needed)
    assert refused.msg == f"1 of 3 keys failed: {why} Nothing was changed. Not begun: 2 keys."
    assert refused["refused"] is True
    # Alone, it is not in a list that is asked for. An engine that is not there has no keys.
    assert converge(bao, mount, {"name": "gone"}, must_exist=needed).msg.startswith(f"1 of 1 key failed: {why}")
    nowhere = {"name": "gone", "backend": f"{mount}-no"}
    predicted = keys(bao, mount, nowhere, must_exist={f"{mount}-no/gone": "a.yml needs it"}, check=True)
    assert "it does not exist, and is not created. a.yml needs it. Nothing" in predicted.msg
    assert set(held(bao, mount)) == {"there"}
    others = [{"name": "new"}, {"name": "gone"}]
    partly = keys(bao, mount, *others, must_exist=needed, on_error="continue")
    assert (actions(partly), partly.msg.endswith(f"Changed: {mount}/keys/new.")) == (
        {"new": "created", "gone": "refused"}, True,
    )  # fmt: skip
    assert "is not created. Nothing was" in keys(bao, mount, {"name": "gone"}, must_exist={f"{mount}/gone": None}).msg
    # A key whose absence is wanted may be missing.
    assert not converge(bao, mount, {"name": "gone", "state": "absent"}, must_exist=needed).changed


def test_a_state_that_no_run_reaches_is_marked(bao: Bao, mount: str) -> None:
    for name in ("a", "b"):
        bao.done("POST", f"{mount}/keys/{name}", {"exportable": True})
    wanted: list[dict[str, Any]] = [{"name": "a", "exportable": False}, {"name": "b"}]
    assert keys(bao, mount, *wanted, check=True)["refused"] is True
    # A server that refuses a write may accept it tomorrow.
    mixed = [*wanted, {"name": "c", "type": "no-such-type"}]
    assert "refused" not in keys(bao, mount, *mixed, on_error="continue")
