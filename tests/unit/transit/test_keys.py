# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many keys in one run: the requests and their order."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import (
    CONTINUE,
    FAIL,
    keys_request,
)

from tests.unit.stand_in import refusal
from tests.unit.transit.keys_server import Server, actions, denied, errors, key, run, stored

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
    duration = "'soon' is not a duration: write for example 30d, 720h, 1h30m or a number of seconds"
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
