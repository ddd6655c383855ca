# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys when others act at the same moment, and when an answer is lost: what no real server does on demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    PermissionDenied,
    ServerError,
    ServerUnreachable,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import (
    RunContext,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import (
    Outcome,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import (
    reconcile_key,
)

from tests.support.chains import printed_with
from tests.unit.stand_in import Script, refusal

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

KEY_OPTIONS: dict[str, Any] = {
    **{attribute.name: None for attribute in KEY_ATTRIBUTES},
    "name": "ml",
    "backend": "transit",
    "state": "present",
    "force": False,
    "rotate_older_than": None,
}

LOST = ServerUnreachable("The connection broke.")


def run_key(script: Script, options: Mapping[str, Any], *, dry_run: bool = False) -> Outcome:
    return reconcile_key(script, options, RunContext(dry_run, NOW))


def key(**options: object) -> dict[str, Any]:
    return {**KEY_OPTIONS, **options}


READ = "GET transit/keys/ml"
WRITE = "POST transit/keys/ml"
CONFIGURE = "POST transit/keys/ml/config"
ROTATE = "POST transit/keys/ml/rotate"
DELETE = "DELETE transit/keys/ml"
MISSING = refusal("GET", "transit/keys/ml", 404)


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


IMPORT = "POST transit/keys/ml/import"
WRAPPED = {"version": 1, "ciphertext": "wrapped-elsewhere", "hash_function": "SHA512", "allow_rotation": True}
OWN = {**KEY, "imported_key": True, "imported_key_allow_rotation": True}


def test_material_that_was_wrapped_elsewhere_is_passed_on() -> None:
    script = Script((READ, MISSING), (IMPORT, {}), (READ, OWN))
    outcome = run_key(script, key(**{"type": "aes256-gcm96", "import": WRAPPED}))
    assert script.bodies[1] == {
        "type": "aes256-gcm96",
        "ciphertext": "wrapped-elsewhere",
        "hash_function": "SHA512",
        "allow_rotation": True,
    }
    assert outcome.result["imported"] == {"version": 1, "done": True, "compared": True, "private": "present"}
    assert not script.exchanges


def test_an_import_whose_answer_is_lost_is_not_done_twice() -> None:
    script = Script((READ, MISSING), (IMPORT, LOST), (READ, OWN))
    outcome = run_key(script, key(**{"type": "aes256-gcm96", "import": WRAPPED}))
    assert outcome.changed
    assert script.written == [IMPORT]
    assert not script.exchanges


@pytest.mark.parametrize(
    ("read", "result"),
    [(MISSING, "was not imported"), (LOST, "may have been imported or not: read it before trying again")],
)
def test_an_import_whose_answer_is_lost_says_what_is_known(read: Any, result: str) -> None:
    script = Script((READ, MISSING), (IMPORT, LOST), (READ, read))
    with pytest.raises(ServerUnreachable) as error:
        run_key(script, key(**{"type": "aes256-gcm96", "import": WRAPPED}))
    assert error.value.message == f"The connection broke. Key 'ml' {result}."


def test_a_version_that_is_elsewhere_is_rotated_to_its_new_place() -> None:
    elsewhere = {**KEY, "type": "external-key"}
    script = Script((READ, elsewhere), (ROTATE, {**elsewhere, "latest_version": 2}))
    run_key(script, key(type="external-key", external_key_ref="hsm:second", rotate_older_than="1h"))
    assert script.bodies[1] == {"external_key_ref": "hsm:second"}


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


def test_a_rotation_in_the_same_moment_as_that_of_another_machine_says_so() -> None:
    """No lock reaches from one machine to another."""
    for latest, warnings in ((2, 0), (3, 1)):
        outcome = run_key(Script((READ, KEY), (ROTATE, {**KEY, "latest_version": latest})), key(rotate_older_than="1h"))
        assert len(outcome.warnings) == warnings
    assert "at the same time: its latest version is 3" in outcome.warnings[0]


def test_a_rotation_whose_answer_is_lost_and_which_was_not_done() -> None:
    script = Script((READ, KEY), (ROTATE, LOST), (READ, KEY))
    with pytest.raises(ServerUnreachable) as error:
        run_key(script, key(rotate_older_than="1h"))
    assert error.value.message == "The connection broke. Key 'ml' was not rotated."
    assert not error.value.changed
    assert printed_with(error.value) == []


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


def test_a_lost_rotation_whose_result_is_unknown() -> None:
    script = Script((READ, KEY), (ROTATE, LOST), (READ, LOST))
    with pytest.raises(ServerUnreachable) as error:
        run_key(script, key(rotate_older_than="1h"))
    assert error.value.message == (
        "The connection broke. Key 'ml' may have been rotated or not: read it before trying again."
    )


def test_an_error_in_a_later_step_reports_the_steps_before() -> None:
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


@pytest.mark.parametrize("name", ["auto_rotate_period", "rotate_older_than"])
def test_a_duration_of_a_key_is_checked_before_the_server_is_asked(name: str) -> None:
    with pytest.raises(InvalidOption, match=f"^{name}: 'system' is not a duration"):
        run_key(Script(), key(**{name: "system"}))


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_only_reads(state: str) -> None:
    script = Script((READ, {**KEY, "deletion_allowed": True}))
    run_key(script, key(state=state, exportable=True), dry_run=True)
    assert script.written == []


def test_a_key_that_somebody_else_imports_first_is_compared() -> None:
    first = ServerError("taken", 500, ["the import path cannot be used with an existing key; use import-version"])
    script = Script((READ, MISSING), (IMPORT, first), (READ, OWN))
    outcome = run_key(script, key(**{"type": "aes256-gcm96", "import": WRAPPED}))
    assert not outcome.changed
    assert outcome.result["imported"] == {"version": 1, "done": False, "compared": False, "private": "unknown"}
