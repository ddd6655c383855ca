# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many keys in one run: the requests and their order, and the messages when some keys fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    NotReady,
    ServerError,
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import (
    CONTINUE,
    FAIL,
    keys_request,
    reconcile_keys,
)
from ansible_collections.mlkeys.transit.plugins.modules import vault_transit_keys

from tests.support.collection import ROOT
from tests.unit.stand_in import Answer, Body, StandIn, refusal

NOW = 1_800_000_000.0
LOST = ServerUnreachable("The connection broke.")
NOT_KNOWN = refusal("POST", "transit/keys/x", 400, "unknown key type x")


def denied(method: str, path: str) -> ServerError:
    return refusal(method, path, 403, "1 error occurred:\n\t* permission denied\n\n")


def stored(name: str, **attributes: Any) -> dict[str, Any]:
    """A key as the server shows it, one hour old."""
    key = {"name": name, "type": "aes256-gcm96", "latest_version": 1, "min_decryption_version": 1}
    return {**key, "keys": {"1": int(NOW) - 3600}, **attributes}


class Server(StandIn):
    """A server that holds `keys`.

    Of writes it knows creation alone; the answers to others are prepared with `on`.
    """

    def __init__(self, *keys: Mapping[str, Any]) -> None:
        super().__init__()
        self.keys = {str(key["name"]): key for key in keys}
        self.prepared: dict[str, list[Answer]] = {}

    def on(self, request: str, *answers: Answer) -> Server:
        """Give these answers, one after the other, before its own ones."""
        self.prepared[request] = list(answers)
        return self

    def answer(self, request: str, body: Body | None) -> Answer:
        prepared = self.prepared.get(request)
        if prepared:
            return prepared.pop(0)
        method, _, path = request.partition(" ")
        name = path.rpartition("/keys/")[2]
        if method == "LIST":
            return {"keys": sorted(self.keys)} if self.keys else refusal(method, path, 404)
        if method == "GET":
            return self.keys.get(name) or refusal(method, path, 404)
        assert (method, "/" in name) == ("POST", False), f"{request} was not expected"
        return stored(name, **(body or {}))


def key(name: str, **options: Any) -> dict[str, Any]:
    """One entry as Ansible hands it over."""
    unset = {attribute.name: None for attribute in KEY_ATTRIBUTES}
    given = {"backend": None, "state": "present", "force": False, "rotate_older_than": None}
    return {**unset, **given, "name": name, **options}


def run(server: Server, *keys: Mapping[str, Any], on_error: str = FAIL, dry_run: bool = False) -> Outcome:
    options = {"keys": list(keys), "backend": "transit", "on_error": on_error}
    return reconcile_keys(server, options, RunContext(dry_run, NOW))


def actions(outcome: Outcome) -> dict[str, str]:
    return {result["name"]: result["action"] for result in outcome.result["results"]}


def errors(outcome: Outcome) -> dict[str, str]:
    return {result["name"]: result["error"] for result in outcome.result["results"] if "error" in result}


# --- what is asked of the server ---


def test_one_list_shows_missing_keys_and_all_keys_are_read_before_any_is_written() -> None:
    server = Server(stored("b"), stored("d", exportable=True)).on("POST transit/keys/d/config", stored("d"))

    outcome = run(server, key("a"), key("b"), key("c"), key("d", deletion_allowed=True))

    assert server.asked == [
        "LIST transit/keys",
        "GET transit/keys/b",
        "GET transit/keys/d",
        "POST transit/keys/a",
        "POST transit/keys/c",
        "POST transit/keys/d/config",
    ]
    assert actions(outcome) == {"a": "created", "b": "kept", "c": "created", "d": "configured"}
    assert [result["changed"] for result in outcome.result["results"]] == [True, False, True, True]
    assert outcome.changed
    assert outcome.failure == ""


def test_a_single_key_is_read_without_a_list() -> None:
    server = Server()

    run(server, key("a"), key("b", backend="other"))

    assert server.asked[:2] == ["GET transit/keys/a", "GET other/keys/b"]


def test_each_engine_is_listed_once() -> None:
    server = Server()

    outcome = run(server, key("a"), key("a", backend="other/"), key("b"), key("b", backend="/other"))

    assert [request for request in server.asked if request.startswith("LIST")] == [
        "LIST transit/keys",
        "LIST other/keys",
    ]
    assert [result["backend"] for result in outcome.result["results"]] == ["transit", "other", "transit", "other"]
    assert server.written == [
        "POST transit/keys/a",
        "POST other/keys/a",
        "POST transit/keys/b",
        "POST other/keys/b",
    ]


def test_where_a_list_is_not_allowed_each_key_is_read() -> None:
    server = Server(stored("a")).on("LIST transit/keys", denied("LIST", "transit/keys"))

    outcome = run(server, key("a"), key("b"))

    assert server.asked == ["LIST transit/keys", "GET transit/keys/a", "GET transit/keys/b", "POST transit/keys/b"]
    assert actions(outcome) == {"a": "kept", "b": "created"}


def test_an_absent_key_is_read_although_the_list_does_not_have_it() -> None:
    # A policy with a pagination limit cuts a list short.
    server = Server(stored("a"), stored("b"), stored("z", deletion_allowed=True))
    server.on("LIST transit/keys", {"keys": ["a", "b"]}).on("DELETE transit/keys/z", {})

    outcome = run(server, key("a"), key("b"), key("z", state="absent"))

    assert server.written == ["DELETE transit/keys/z"]
    assert actions(outcome) == {"a": "kept", "b": "kept", "z": "deleted"}


def test_only_present_keys_are_worth_a_list() -> None:
    server = Server()

    outcome = run(server, key("a", state="absent"), key("b", state="absent"), key("c"))

    assert not any(request.startswith("LIST") for request in server.asked)
    assert actions(outcome) == {"a": "kept", "b": "kept", "c": "created"}


def test_nothing_is_asked_for_no_keys() -> None:
    server = Server()

    outcome = run(server)

    assert outcome == Outcome(changed=False, result={"results": []}, diffs=[])
    assert server.asked == []


def test_check_mode_asks_the_same_and_writes_nothing() -> None:
    server = Server(stored("a"), stored("b", deletion_allowed=True))

    outcome = run(server, key("a", exportable=True), key("b", state="absent"), key("c"), key("d"), dry_run=True)

    assert server.asked == ["LIST transit/keys", "GET transit/keys/a", "GET transit/keys/b"]
    assert actions(outcome) == {"a": "configured", "b": "deleted", "c": "created", "d": "created"}
    assert outcome.changed


# --- diffs ---


def test_there_is_a_diff_for_each_key_that_changed_and_no_other() -> None:
    server = Server(stored("a"), stored("b"), stored("c", deletion_allowed=True))
    server.on("POST transit/keys/a/config", stored("a", exportable=True)).on("DELETE transit/keys/c", {})

    outcome = run(server, key("a", exportable=True), key("b"), key("c", state="absent"), key("d", derived=True))

    assert outcome.diffs is not None
    assert [diff["before_header"] for diff in outcome.diffs] == ["transit/keys/a", "transit/keys/c", "transit/keys/d"]
    assert [diff["after_header"] for diff in outcome.diffs] == ["transit/keys/a", "transit/keys/c", "transit/keys/d"]
    changed, deleted, created = outcome.diffs
    assert (changed["before"]["exportable"], changed["after"]["exportable"]) == (False, True)
    assert deleted["before"]["name"] == "c"
    assert deleted["after"] == created["before"] == {}
    assert created["after"]["derived"] is True
    results = {result["name"]: result["key"] for result in outcome.result["results"]}
    assert results["c"] is None
    assert results["d"] == created["after"]


# --- bad entries ---


def test_every_bad_entry_is_named_and_nothing_is_written() -> None:
    server = Server(stored("taken"), stored("locked"))

    outcome = run(
        server,
        key("good"),
        key("a/b"),
        key("taken", type="rsa-2048", exportable=False),
        key("late", auto_rotate_period="soon"),
        key("locked", state="absent"),
    )

    assert server.written == []
    assert not outcome.changed
    assert actions(outcome) == {
        "good": "skipped",
        "a/b": "refused",
        "taken": "refused",
        "late": "refused",
        "locked": "refused",
    }
    assert errors(outcome)["taken"] == ("type is 'aes256-gcm96' and cannot become 'rsa-2048' (it is set at creation)")
    duration = "'soon' is not a duration: write for instance 30d, 720h, 1h30m or a number of seconds"
    assert outcome.failure == (
        "4 of 5 keys failed: transit/keys/a/b: 'a/b' is not a key name: letters, digits, '_', '-' and '.', beginning "
        "and ending with a letter, digit or '_'; "
        "transit/keys/taken: type is 'aes256-gcm96' and cannot become 'rsa-2048' (it is set at creation); "
        f"transit/keys/late: auto_rotate_period: {duration}; "
        "transit/keys/locked: deletion_allowed is false on the server, which protects everything encrypted with the "
        "key; set deletion_allowed: true first, or give force: true. "
        "Nothing was changed. Not begun: 1 key."
    )


def test_the_other_plans_are_applied_with_on_error_continue() -> None:
    server = Server(stored("taken"), stored("same"))

    outcome = run(server, key("a"), key("taken", type="hmac"), key("same"), key("b"), on_error=CONTINUE)

    assert server.written == ["POST transit/keys/a", "POST transit/keys/b"]
    assert outcome.changed
    assert actions(outcome) == {"a": "created", "taken": "refused", "same": "kept", "b": "created"}
    assert outcome.failure == (
        "1 of 4 keys failed: transit/keys/taken: type is 'aes256-gcm96' and cannot become 'hmac' "
        "(it is set at creation). Changed: transit/keys/a, transit/keys/b."
    )


def test_check_mode_predicts_the_failure_of_both_kinds_of_run() -> None:
    keys = [key("a"), key("taken", type="hmac")]

    strict = run(Server(stored("taken")), *keys, dry_run=True)
    lenient = run(Server(stored("taken")), *keys, on_error=CONTINUE, dry_run=True)

    assert (strict.changed, actions(strict)) == (False, {"a": "skipped", "taken": "refused"})
    assert (lenient.changed, actions(lenient)) == (True, {"a": "created", "taken": "refused"})
    assert lenient.failure.endswith("(it is set at creation). Would be changed: transit/keys/a.")


@pytest.mark.parametrize("backend", ["transit", "/transit/"])
@pytest.mark.parametrize("on_error", [FAIL, CONTINUE])
def test_a_key_that_is_listed_twice_is_refused_both_times(on_error: str, backend: str) -> None:
    server = Server()

    outcome = run(server, key("a"), key("b"), key("a", backend=backend, exportable=True), on_error=on_error)

    assert [result["action"] for result in outcome.result["results"]][::2] == ["refused", "refused"]
    assert set(errors(outcome).values()) == {"it is listed 2 times (entries 1, 3)"}
    assert "POST transit/keys/a" not in server.asked
    assert server.written == (["POST transit/keys/b"] if on_error == CONTINUE else [])


def test_the_same_name_in_two_engines_is_two_keys() -> None:
    options = {"keys": [key("a"), key("a", backend="other")], "backend": "transit", "on_error": FAIL}
    assert not any(entry.error for entry in keys_request(options).entries)


def test_a_missing_engine_is_asked_once_and_reported_for_each_of_its_keys() -> None:
    server = Server().on("LIST gone/keys", refusal("LIST", "gone/keys", 404, "no handler for route 'gone/keys'"))

    outcome = run(server, key("a", backend="gone"), key("b", backend="gone"), key("c"), on_error=CONTINUE)

    assert server.asked == ["LIST gone/keys", "GET transit/keys/c", "POST transit/keys/c"]
    assert actions(outcome) == {"a": "refused", "b": "refused", "c": "created"}
    assert errors(outcome)["b"].startswith("No secrets engine is mounted for 'gone/keys'.")


def test_of_many_bad_entries_all_are_named_and_some_with_their_reasons() -> None:
    names = [f"k{number}" for number in range(30)]
    server = Server(*(stored(name) for name in names))

    outcome = run(server, *(key(name, type="hmac") for name in names))

    assert outcome.failure.startswith("30 of 30 keys failed: transit/keys/k0: type is 'aes256-gcm96'")
    assert outcome.failure.count("(it is set at creation)") == 10
    assert [name for name in names if f"/{name}:" not in outcome.failure] == names[10:]
    assert [name for name in names[10:] if f"transit/keys/{name}" not in outcome.failure] == []
    assert len(errors(outcome)) == 30


# --- errors on the way ---


@pytest.mark.parametrize(
    ("on_error", "expected"),
    [
        (FAIL, {"a": "created", "b": "failed", "c": "skipped", "d": "skipped"}),
        (CONTINUE, {"a": "created", "b": "failed", "c": "kept", "d": "created"}),
    ],
)
def test_a_refused_write_ends_the_run_unless_it_continues(on_error: str, expected: dict[str, str]) -> None:
    server = Server(stored("c")).on("POST transit/keys/b", NOT_KNOWN)

    outcome = run(server, key("a"), key("b", type="aes256"), key("c"), key("d"), on_error=on_error)

    assert actions(outcome) == expected
    assert outcome.changed
    assert "transit/keys/b: The server does not know the key type 'aes256'. Did you mean 'aes256-" in outcome.failure
    changed = "transit/keys/a" if on_error == FAIL else "transit/keys/a, transit/keys/d"
    begun = " Not begun: 2 keys." if on_error == FAIL else ""
    assert outcome.failure.endswith(f" Changed: {changed}.{begun}")


@pytest.mark.parametrize("on_error", [FAIL, CONTINUE])
@pytest.mark.parametrize("error", [LOST, NotReady("It is sealed."), Unauthenticated("The token is gone.")])
def test_an_unreachable_server_ends_any_run_and_the_changes_are_reported(on_error: str, error: TransitError) -> None:
    server = Server().on("POST transit/keys/c", error)

    outcome = run(server, *(key(name) for name in "abcdef"), on_error=on_error)

    assert server.written == ["POST transit/keys/a", "POST transit/keys/b", "POST transit/keys/c"]
    assert outcome.changed
    assert list(actions(outcome).values()) == ["created", "created", "failed", "skipped", "skipped", "skipped"]
    assert outcome.failure == (
        f"1 of 6 keys failed: transit/keys/c: {error.message} Changed: transit/keys/a, transit/keys/b. "
        "Not begun: 3 keys."
    )
    assert [diff["before_header"] for diff in outcome.diffs or ()] == ["transit/keys/a", "transit/keys/b"]


@pytest.mark.parametrize("request_", ["LIST transit/keys", "GET transit/keys/b"])
def test_an_unreachable_server_before_all_is_planned_is_the_only_error(request_: str) -> None:
    server = Server(stored("b")).on(request_, LOST)

    with pytest.raises(ServerUnreachable) as caught:
        run(server, key("a"), key("b"), on_error=CONTINUE)

    assert server.written == []
    assert not caught.value.changed


def test_a_key_that_was_made_but_not_configured_has_changed() -> None:
    server = Server().on("POST transit/keys/a/config", denied("POST", "transit/keys/a/config"))

    outcome = run(server, key("a", deletion_allowed=True), key("b"))

    first, second = outcome.result["results"]
    assert (first["action"], first["changed"], first["key"]) == ("failed", True, None)
    assert first["error"].endswith("Already done: the key was created")
    assert (second["action"], second["changed"]) == ("skipped", False)
    assert outcome.changed
    assert " Changed: transit/keys/a. " in outcome.failure


def test_of_many_changes_before_an_error_some_are_named() -> None:
    server = Server().on("POST transit/keys/k50", LOST)

    outcome = run(server, *(key(f"k{number}") for number in range(100)))

    assert "transit/keys/k9 and 40 more. Not begun: 49 keys." in outcome.failure


# --- others at work ---


def test_a_key_is_read_again_before_it_is_rotated() -> None:
    old, new = stored("a"), stored("a", latest_version=2, keys={"1": int(NOW) - 3600, "2": int(NOW)})
    server = Server(old, stored("b")).on("GET transit/keys/a", old, new)

    outcome = run(server, key("a", rotate_older_than="1h"), key("b"))

    assert server.asked.count("GET transit/keys/a") == 2
    assert server.written == []
    assert (outcome.changed, actions(outcome)["a"]) == (False, "kept")
    assert outcome.result["results"][0]["key"]["latest_version"] == 2


def test_a_key_that_is_still_old_is_rotated_once() -> None:
    server = Server(stored("a")).on("POST transit/keys/a/rotate", stored("a", latest_version=2))

    outcome = run(server, key("a", rotate_older_than="1h"))

    assert server.asked == ["GET transit/keys/a", "GET transit/keys/a", "POST transit/keys/a/rotate"]
    assert actions(outcome) == {"a": "rotated"}
    assert outcome.result["results"][0]["key"]["latest_version"] == 2


def test_a_key_that_somebody_else_created_differently_is_an_error_of_that_key() -> None:
    server = Server().on("POST transit/keys/a", stored("a", type="hmac"))

    outcome = run(server, key("a", type="ed25519"), key("b"), on_error=CONTINUE)

    assert actions(outcome) == {"a": "failed", "b": "created"}
    assert errors(outcome) == {"a": "type is 'hmac' and cannot become 'ed25519' (it is set at creation)"}


def test_the_result_of_a_key_is_what_the_server_has() -> None:
    server = Server().on("POST transit/keys/a", stored("a", exportable=True))

    outcome = run(server, key("a"))

    assert outcome.result["results"][0]["key"]["exportable"]
    assert (outcome.diffs or [{}])[0]["after"]["exportable"]


@pytest.mark.parametrize("step", ["POST transit/keys/a/config", "DELETE transit/keys/a"])
def test_a_key_that_somebody_deleted_in_the_meantime_is_gone(step: str) -> None:
    gone = refusal("POST", "x", 400, "no existing key named a could be found")
    server = Server(stored("a")).on("POST transit/keys/a/config", stored("a")).on(step, gone)

    outcome = run(server, key("a", state="absent", force=True))

    assert actions(outcome) == {"a": "deleted"}
    assert outcome.failure == ""


def test_warnings_name_their_key() -> None:
    server = Server(stored("a", soft_deleted=True))

    outcome = run(server, key("a"), key("b", type="zzz"))

    assert [warning.partition(": ")[0] for warning in outcome.warnings] == ["transit/keys/a", "transit/keys/b"]
    assert "soft-deleted" in outcome.warnings[0]
    assert "'zzz'" in outcome.warnings[1]


# --- one truth ---


class _Specified(Exception):
    """Ends the module when it declares its options."""


def specified_entry() -> dict[str, Any]:
    made = mock.Mock(side_effect=_Specified)
    with mock.patch.object(vault_transit_keys, "AnsibleModule", made), pytest.raises(_Specified):
        vault_transit_keys.main()
    options: dict[str, Any] = made.call_args.kwargs["argument_spec"]["keys"]["options"]
    return options


def documented(module: str) -> dict[str, Any]:
    path = str(ROOT / f"plugins/modules/{module}.py")
    doc = get_docstring(path, fragment_loader, collection_name="mlkeys.transit", plugin_type="module")[0]
    options: dict[str, Any] = doc["options"]
    return options


def facts(option: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": option.get("type", "str"),
        "default": option.get("default"),
        "required": option.get("required", False),
        "choices": sorted(option.get("choices", [])),
        "aliases": sorted(option.get("aliases", [])),
    }


def test_an_entry_takes_what_is_documented_and_what_the_schema_knows() -> None:
    spec = specified_entry()
    documentation = documented("vault_transit_keys")["keys"]["suboptions"]

    assert {name: facts(option) for name, option in spec.items()} == {
        name: facts(option) for name, option in documentation.items()
    }
    own = {"name", "backend", "state", "force", "rotate_older_than", "min_available_version"}
    assert set(spec) - own == {attribute.name for attribute in KEY_ATTRIBUTES}


def test_an_entry_is_documented_as_the_single_key_is() -> None:
    many, one = documented("vault_transit_keys"), documented("vault_transit_key")
    entry = many["keys"]["suboptions"]

    assert set(entry) == {name for name in one if name == "backend" or name not in many}
    for name in set(entry) - {"backend"}:
        assert facts(entry[name]) == facts(one[name]), name
        text = [line.replace("O(keys[].", "O(") for line in entry[name]["description"]]
        assert text == one[name]["description"], name
    # Every cross-reference leads to an option of the same entry, but for the default engine.
    references = [line for option in entry.values() for line in option["description"] if "O(" in line]
    assert [line for line in references if "O(keys[]." not in line] == [
        "Where this key's engine is mounted. The default is O(backend)."
    ]
