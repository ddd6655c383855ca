# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when others act at the same moment, and when an answer is lost: what no real server does on demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    PermissionDenied,
    ServerError,
    ServerUnreachable,
    TransitError,
    from_answer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import KEY_ATTRIBUTES, MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import (
    key_info,
    latest_age,
    reconcile_backend,
    reconcile_key,
)

NOW = 1_800_000_000.0

KEY: dict[str, Any] = {
    "name": "ml",
    "type": "aes256-gcm96",
    "derived": False,
    "exportable": False,
    "allow_plaintext_backup": False,
    "auto_rotate_period": 0,
    "deletion_allowed": False,
    "min_decryption_version": 1,
    "min_encryption_version": 0,
    "min_available_version": 0,
    "latest_version": 1,
    "keys": {"1": int(NOW) - 7200},
}

MOUNT: dict[str, Any] = {
    "type": "transit",
    "description": "",
    "config": {"default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": False},
}

KEY_OPTIONS: dict[str, Any] = {
    **{attribute.name: None for attribute in KEY_ATTRIBUTES},
    "name": "ml",
    "backend": "transit",
    "state": "present",
    "force": False,
    "rotate_older_than": None,
}

MOUNT_OPTIONS: dict[str, Any] = {
    **{attribute.name: None for attribute in MOUNT_ATTRIBUTES},
    "path": "transit",
    "state": "present",
    "force": False,
    "cache_size": None,
    "disable_upsert": None,
}

LOST = ServerUnreachable("The connection broke.")


def refusal(method: str, path: str, status: int, *reasons: str) -> ServerError:
    return from_answer(method, path, status, reasons)


class Script(Client):
    """A client whose server answers as written down, in that order and nothing else."""

    def __init__(self, *exchanges: tuple[str, Mapping[str, Any] | TransitError | None]) -> None:
        super().__init__(Connection(url="http://127.0.0.1:1"), warn=lambda _text: None)
        self.exchanges = list(exchanges)
        self.bodies: list[Mapping[str, Any] | None] = []

    def find_active(self) -> bool:
        return True

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        wrap_ttl: int = 0,
    ) -> Reply:
        assert query is None
        assert wrap_ttl == 0
        assert repeatable is not path.endswith("/rotate")
        assert self.exchanges, f"{method} {path} comes too late"
        expected, result = self.exchanges.pop(0)
        assert f"{method} {path}" == expected
        self.bodies.append(body)
        if isinstance(result, TransitError):
            raise result
        return Reply(result or {})


def run_key(script: Script, options: Mapping[str, Any], *, dry_run: bool = False) -> Outcome:
    return reconcile_key(script, options, RunContext(dry_run, NOW))


def run_mount(script: Script, options: Mapping[str, Any], *, dry_run: bool = False) -> Outcome:
    return reconcile_backend(script, options, RunContext(dry_run, NOW))


def run_info(script: Script, options: Mapping[str, Any], *, dry_run: bool = False) -> Outcome:
    return key_info(script, options, RunContext(dry_run, NOW))


def key(**options: object) -> dict[str, Any]:
    return {**KEY_OPTIONS, **options}


def mount(**options: object) -> dict[str, Any]:
    return {**MOUNT_OPTIONS, **options}


READ = "GET transit/keys/ml"
WRITE = "POST transit/keys/ml"
CONFIGURE = "POST transit/keys/ml/config"
ROTATE = "POST transit/keys/ml/rotate"
DELETE = "DELETE transit/keys/ml"
MISSING = refusal("GET", "transit/keys/ml", 404)
SYS = "sys/mounts/transit"


# --- keys ---


def test_a_key_that_somebody_else_made_in_the_same_moment_is_brought_to_what_is_wanted() -> None:
    theirs = {**KEY, "deletion_allowed": True}
    script = Script(
        (READ, MISSING),
        (WRITE, theirs),
        (CONFIGURE, {**theirs, "exportable": True, "auto_rotate_period": 86400}),
    )
    outcome = run_key(script, key(exportable=True, auto_rotate_period="24h"))
    assert outcome.changed
    assert script.bodies[1:] == [
        {"exportable": True, "auto_rotate_period": 86400},
        {"exportable": True, "auto_rotate_period": 86400},
    ]
    assert outcome.result["key"]["deletion_allowed"]
    assert not script.exchanges


def test_a_key_of_another_type_made_in_the_same_moment_is_refused() -> None:
    script = Script((READ, MISSING), (WRITE, {**KEY, "type": "rsa-4096"}))
    with pytest.raises(ChangeImpossible, match="type is 'rsa-4096' and cannot become 'ed25519'"):
        run_key(script, key(type="ed25519"))


def test_a_key_that_somebody_else_deleted_in_the_same_moment_is_gone() -> None:
    script = Script(
        (READ, {**KEY, "deletion_allowed": True}),
        (DELETE, refusal("DELETE", "x", 400, "error deleting policy ml: could not delete key; not found")),
    )
    outcome = run_key(script, key(state="absent"))
    assert outcome.changed
    assert outcome.result == {"key": None}


def test_a_rotation_whose_answer_is_lost_but_which_was_done() -> None:
    script = Script((READ, KEY), (ROTATE, LOST), (READ, {**KEY, "latest_version": 2}))
    outcome = run_key(script, key(rotate_older_than="1h"))
    assert outcome.changed
    assert outcome.result["key"]["latest_version"] == 2
    assert not script.exchanges


def test_a_rotation_whose_answer_is_lost_and_which_was_not_done() -> None:
    script = Script((READ, KEY), (ROTATE, LOST), (READ, KEY))
    with pytest.raises(ServerUnreachable) as error:
        run_key(script, key(rotate_older_than="1h"))
    assert error.value.message == "The connection broke. Key 'ml' was not rotated."
    assert not error.value.changed
    assert error.value.__context__ is None


def test_a_rotation_that_was_certainly_not_done_is_sent_once_more_where_retries_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Script, "may_retry", True)
    again = Script((READ, KEY), (ROTATE, LOST), (READ, KEY), (ROTATE, {**KEY, "latest_version": 2}))
    assert run_key(again, key(rotate_older_than="1h")).result["key"]["latest_version"] == 2
    in_vain = Script((READ, KEY), (ROTATE, LOST), (READ, KEY), (ROTATE, LOST), (READ, KEY))
    with pytest.raises(ServerUnreachable):
        run_key(in_vain, key(rotate_older_than="1h"))
    assert not in_vain.exchanges


def test_a_rotation_that_may_still_be_going_on_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "may_retry", True)
    late = ServerUnreachable("No answer.")
    late.unfinished = True
    script = Script((READ, KEY), (ROTATE, late), (READ, KEY))
    with pytest.raises(ServerUnreachable) as error:
        run_key(script, key(rotate_older_than="1h"))
    assert error.value.message == ("No answer. Key 'ml' may have been rotated or not: read it before trying again.")


@pytest.mark.parametrize(("status", "words"), [(500, "leadership lost while committing log"), (503, "Vault is sealed")])
def test_a_rotation_that_the_server_broke_off_may_have_been_done(status: int, words: str) -> None:
    broken = refusal("POST", "transit/keys/ml/rotate", status, words)
    script = Script((READ, KEY), (ROTATE, broken), (READ, {**KEY, "latest_version": 2}))
    assert run_key(script, key(rotate_older_than="1h")).result["key"]["latest_version"] == 2


def test_a_rotation_that_the_server_refused_was_not_done() -> None:
    script = Script((READ, KEY), (ROTATE, refusal("POST", "transit/keys/ml/rotate", 403, "1 error occurred:\n\t* no")))
    with pytest.raises(PermissionDenied):
        run_key(script, key(rotate_older_than="1h"))
    assert not script.exchanges


def test_a_lost_rotation_of_which_nothing_can_be_learnt() -> None:
    script = Script((READ, KEY), (ROTATE, LOST), (READ, LOST))
    with pytest.raises(ServerUnreachable) as error:
        run_key(script, key(rotate_older_than="1h"))
    assert error.value.message == (
        "The connection broke. Key 'ml' may have been rotated or not: read it before trying again."
    )


def test_an_error_in_a_later_step_says_what_was_done() -> None:
    script = Script(
        (READ, MISSING),
        (WRITE, KEY),
        (CONFIGURE, refusal("POST", "transit/keys/ml/config", 403, "1 error occurred:\n\t* permission denied\n\n")),
    )
    with pytest.raises(PermissionDenied) as error:
        run_key(script, key(deletion_allowed=True))
    assert error.value.changed
    assert error.value.message.endswith(" Already done: the key was created.")


def test_rotation_and_configuration_are_two_steps() -> None:
    rotated = {**KEY, "latest_version": 2}
    script = Script(
        (READ, KEY),
        (ROTATE, rotated),
        (CONFIGURE, {**rotated, "min_encryption_version": 2, "min_decryption_version": 2}),
    )
    options = key(rotate_older_than="0", min_encryption_version=2, min_decryption_version=2)
    outcome = run_key(script, options)
    assert script.bodies[2] == {"min_encryption_version": 2, "min_decryption_version": 2}
    assert outcome.result["key"] == outcome.after
    assert isinstance(outcome.before, Mapping)
    assert outcome.before["latest_version"] == 1


def test_all_durations_that_are_none_are_named_before_the_server_is_asked() -> None:
    with pytest.raises(InvalidOption) as error:
        run_mount(Script(), mount(default_lease_ttl="soon", max_lease_ttl="-1"))
    assert error.value.message == (
        "default_lease_ttl: 'soon' is not a duration: write for instance 30d, 720h, 1h30m or a number of seconds; "
        "max_lease_ttl: '-1' is not a duration: write for instance 30d, 720h, 1h30m or a number of seconds."
    )
    for name in ("auto_rotate_period", "rotate_older_than"):
        with pytest.raises(InvalidOption, match=f"^{name}: 'system' is not a duration"):
            run_key(Script(), key(**{name: "system"}))


# --- ages ---


@pytest.mark.parametrize(
    ("versions", "age"),
    [
        ({"1": int(NOW) - 60}, 60.0),
        ({"1": {"creation_time": "2027-01-15T07:59:00.508052072Z"}}, 60.0),
        ({"1": {"creation_time": "2027-01-15T08:59:00.5+01:00"}}, 60.0),
        ({"1": int(NOW) + 60}, 0.0),
        ({"2": int(NOW) - 60}, None),
        ({"1": {"creation_time": "yesterday"}}, None),
        ({"1": {}}, None),
        ({"1": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_age_of_the_latest_version(versions: object, age: float | None) -> None:
    assert latest_age({"latest_version": 1, "keys": versions}, NOW) == age


def test_a_key_that_vanishes_while_all_are_read_is_left_out() -> None:
    script = Script(
        ("LIST transit/keys", {"keys": ["gone", "ml"]}),
        ("GET transit/keys/gone", refusal("GET", "transit/keys/gone", 404)),
        (READ, KEY),
    )
    outcome = run_info(script, {"backend": "transit", "name": None})
    assert [found["name"] for found in outcome.result["transit_keys"]] == ["ml"]
    assert not outcome.changed


# --- engines ---


def no_mount() -> ServerError:
    return refusal("GET", SYS, 400, "No secret engine mount at transit/")


def in_use() -> ServerError:
    return refusal("POST", SYS, 400, "path is already in use at transit/")


def test_an_engine_that_somebody_else_enabled_in_the_same_moment_is_tuned() -> None:
    script = Script(
        (f"GET {SYS}", no_mount()),
        (f"POST {SYS}", in_use()),
        (f"GET {SYS}", MOUNT),
        ("GET transit/config/keys", {"disable_upsert": False}),
        (f"POST {SYS}/tune", None),
        ("POST transit/config/keys", {"disable_upsert": True}),
    )
    outcome = run_mount(script, mount(description="ours", disable_upsert=True))
    assert outcome.changed
    assert script.bodies[4:] == [{"description": "ours"}, {"disable_upsert": True}]
    assert not script.exchanges


def test_an_engine_of_another_type_enabled_in_the_same_moment_is_refused() -> None:
    script = Script((f"GET {SYS}", no_mount()), (f"POST {SYS}", in_use()), (f"GET {SYS}", {**MOUNT, "type": "kv"}))
    with pytest.raises(ChangeImpossible, match="an engine of type 'kv' is mounted there"):
        run_mount(script, mount())


def test_an_engine_within_another_is_refused() -> None:
    script = Script((f"GET {SYS}", no_mount()), (f"POST {SYS}", in_use()), (f"GET {SYS}", no_mount()))
    with pytest.raises(ChangeImpossible, match="engines do not nest"):
        run_mount(script, mount())


def test_a_step_that_fails_after_the_engine_was_enabled() -> None:
    script = Script(
        (f"GET {SYS}", no_mount()),
        (f"POST {SYS}", None),
        (
            "POST transit/config/keys",
            refusal("POST", "transit/config/keys", 403, "1 error occurred:\n\t* permission denied"),
        ),
    )
    with pytest.raises(PermissionDenied) as error:
        run_mount(script, mount(disable_upsert=True))
    assert error.value.changed
    assert error.value.message.endswith(" Already done: the engine was enabled.")


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_an_engine_needs_a_path(path: str) -> None:
    with pytest.raises(InvalidOption, match=r"^path must not be empty\.$"):
        run_mount(Script(), mount(path=path))


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_only_reads(state: str) -> None:
    run_key(Script((READ, {**KEY, "deletion_allowed": True})), key(state=state, exportable=True), dry_run=True)
    engine = [(f"GET {SYS}", MOUNT)]
    if state == "absent":
        engine.append(("LIST transit/keys", {"keys": []}))
    run_mount(Script(*engine), mount(state=state, description="new"), dry_run=True)
