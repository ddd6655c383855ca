# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many keys in one run when the server refuses, vanishes or changes in the meantime: what is done and reported."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    NotReady,
    ServerUnreachable,
    TransitError,
    Unauthenticated,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.keys import (
    CONTINUE,
    FAIL,
)

from tests.unit.stand_in import refusal
from tests.unit.transit.keys_server import LOST, NOT_KNOWN, NOW, Server, actions, denied, errors, key, run, stored


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
