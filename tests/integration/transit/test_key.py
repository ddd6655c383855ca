# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_key against a real server."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import locks
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import reconcile_key

from tests.integration.support.runs import Ledger, at_once, converge, refused, run, unchanged
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

MODULE = "vault_transit_key"

# Every type that this OpenBao makes by itself; an external key needs a KMS.
TYPES = [
    "aes128-gcm96",
    "aes256-gcm96",
    "chacha20-poly1305",
    "ecdsa-p256",
    "ecdsa-p384",
    "ecdsa-p521",
    "ed25519",
    "hmac",
    "rsa-2048",
    "rsa-3072",
    "rsa-4096",
    "xchacha20-poly1305",
]


def make(bao: Bao, mount: str, name: str = "ml", rotations: int = 0, **body: object) -> None:
    bao.done("POST", f"{mount}/keys/{name}", body)
    for _rotation in range(rotations):
        bao.done("POST", f"{mount}/keys/{name}/rotate", {})


def read(bao: Bao, mount: str, name: str = "ml") -> dict[str, Any] | None:
    status, answer = bao.request("GET", f"{mount}/keys/{name}")
    return answer["data"] if status == 200 else None


# --- creating ---


@pytest.mark.parametrize("key_type", TYPES)
def test_a_key_of_every_type_is_created_once(bao: Bao, mount: str, key_type: str) -> None:
    result = converge(bao, MODULE, name="ml", backend=mount, type=key_type)
    assert result.changed
    assert result["diff"]["before"] == {}
    assert result["key"]["type"] == key_type
    actual = read(bao, mount)
    assert actual is not None
    assert {name: actual.get(name, value) for name, value in result["key"].items()} == result["key"]
    assert result["key"].get("key_size") == (32 if key_type == "hmac" else None)
    assert "keys" not in json.dumps(result["key"])


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, {"type": "aes256-gcm96", "derived": False, "latest_version": 1, "min_decryption_version": 1}),
        ({"derived": True}, {"derived": True, "convergent_encryption": False}),
        ({"derived": True, "convergent_encryption": True}, {"convergent_encryption": True}),
        ({"derived": False}, {"derived": False}),
        ({"type": "ed25519", "derived": True}, {"type": "ed25519", "derived": True}),
        ({"type": "hmac", "key_size": 64}, {"key_size": 64}),
        ({"exportable": True}, {"exportable": True}),
        ({"allow_plaintext_backup": True}, {"allow_plaintext_backup": True}),
        ({"auto_rotate_period": "90d"}, {"auto_rotate_period": 7776000}),
        ({"auto_rotate_period": "3600"}, {"auto_rotate_period": 3600}),
        ({"auto_rotate_period": "1h30m"}, {"auto_rotate_period": 5400}),
        ({"auto_rotate_period": "0"}, {"auto_rotate_period": 0}),
        ({"auto_rotate_period": "9223372036"}, {"auto_rotate_period": 9223372036}),
        ({"deletion_allowed": True}, {"deletion_allowed": True}),
        ({"min_decryption_version": 1, "min_encryption_version": 1}, {"min_encryption_version": 1}),
        ({"min_decryption_version": 0, "min_encryption_version": 0}, {"min_decryption_version": 1}),
        (
            {
                "type": "chacha20-poly1305",
                "derived": True,
                "convergent_encryption": True,
                "exportable": True,
                "allow_plaintext_backup": True,
                "auto_rotate_period": "30d",
                "deletion_allowed": True,
                "min_decryption_version": 1,
                "min_encryption_version": 1,
                "rotate_older_than": "30d",
            },
            {"auto_rotate_period": 2592000, "min_encryption_version": 1, "latest_version": 1},
        ),
    ],
    ids=lambda options: ",".join(options) or "nothing",
)
def test_a_key_is_created_with_the_set_options(
    bao: Bao, mount: str, options: dict[str, Any], shown: dict[str, Any]
) -> None:
    result = converge(bao, MODULE, name="ml", backend=mount, **options)
    assert {name: result["key"][name] for name in shown} == shown
    actual = read(bao, mount)
    assert actual is not None
    assert {name: actual.get(name, False) for name in shown} == shown


@pytest.mark.parametrize("name", ["a", "A_1", "_x", "x_", "a.b-c", "ml-api-key", "0"])
def test_every_name_that_the_server_routes_is_accepted(bao: Bao, mount: str, name: str) -> None:
    assert converge(bao, MODULE, name=name, backend=mount)["key"]["name"] == name


@pytest.mark.parametrize("name", ["-a", "a-", ".a", "a.", "a/b", "a b", "a/../b"])
def test_a_name_that_the_server_does_not_route_is_refused_without_a_request(bao: Bao, mount: str, name: str) -> None:
    ledger = Ledger(bao)
    assert refused(bao, MODULE, name=name, backend=mount) == (
        f"'{name}' is not a key name: letters, digits, '_', '-' and '.', beginning and ending with a letter, digit or "
        "'_'."
    )
    assert ledger.requests == []


def test_the_engine_may_be_named_with_slashes_and_by_its_other_name(bao: Bao, mount: str) -> None:
    converge(bao, MODULE, name="ml", backend=f"/{mount}/")
    unchanged(bao, MODULE, name="ml", engine_mount_point=mount)


# --- changing ---


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"exportable": True}, {"exportable": True}),
        ({"allow_plaintext_backup": True}, {"allow_plaintext_backup": True}),
        ({"auto_rotate_period": "30d"}, {"auto_rotate_period": 2592000}),
        ({"auto_rotate_period": "0"}, {"auto_rotate_period": 0}),
        ({"deletion_allowed": True}, {"deletion_allowed": True}),
        ({"min_decryption_version": 2}, {"min_decryption_version": 2}),
        ({"min_encryption_version": 3}, {"min_encryption_version": 3}),
        (
            {"min_decryption_version": 3, "min_encryption_version": 3},
            {"min_decryption_version": 3, "min_encryption_version": 3},
        ),
    ],
    ids=",".join,
)
def test_a_change_is_one_request(bao: Bao, mount: str, options: dict[str, Any], body: dict[str, Any]) -> None:
    make(bao, mount, rotations=2, auto_rotate_period=7200)
    ledger = Ledger(bao)
    result = converge(bao, MODULE, name="ml", backend=mount, **options)
    assert result.changed
    assert ledger.writes == [("update", f"{mount}/keys/ml/config")]
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert {name: after[name] for name in after if before[name] != after[name]} == body


def test_minimum_versions_go_down_again_together(bao: Bao, mount: str) -> None:
    make(bao, mount, rotations=3)
    converge(bao, MODULE, name="ml", backend=mount, min_decryption_version=4, min_encryption_version=4)
    converge(bao, MODULE, name="ml", backend=mount, min_decryption_version=2, min_encryption_version=2)
    converge(bao, MODULE, name="ml", backend=mount, min_decryption_version=1, min_encryption_version=0)


def test_unset_options_are_left_unchanged(bao: Bao, mount: str) -> None:
    make(bao, mount, derived=True, exportable=True, auto_rotate_period=7200)
    bao.done("POST", f"{mount}/keys/ml/config", {"deletion_allowed": True})
    unchanged(bao, MODULE, name="ml", backend=mount)


def test_all_impossible_changes_are_refused_at_once_and_nothing_is_written(bao: Bao, mount: str) -> None:
    make(bao, mount, type="rsa-2048", exportable=True, allow_plaintext_backup=True)
    assert refused(
        bao,
        MODULE,
        name="ml",
        backend=mount,
        type="aes256-gcm96",
        derived=True,
        convergent_encryption=True,
        exportable=False,
        allow_plaintext_backup=False,
        auto_rotate_period="59m",
        min_decryption_version=7,
        min_encryption_version=6,
        deletion_allowed=True,
    ) == (
        "Key 'ml' cannot be changed as asked: type is 'rsa-2048' and cannot become 'aes256-gcm96' (it is set at "
        "creation); derived is false and cannot become true (it is set at creation); convergent_encryption is false "
        "and cannot become true (it is set at creation); exportable is on and cannot be turned off again: put new "
        "secrets under a new key, or accept it with exportable: true; allow_plaintext_backup is on and cannot be "
        "turned off again: put new secrets under a new key, or accept it with allow_plaintext_backup: true; "
        "auto_rotate_period is 3540 seconds: it must be 0 (off) or at least one hour; min_decryption_version cannot "
        "be 7: the latest version is 1; "
        "min_encryption_version cannot be 6: the latest version is 1; min_encryption_version 6 would be below "
        "min_decryption_version 7. Nothing was changed."
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"convergent_encryption": True}, "convergent_encryption needs derived: true"),
        ({"type": "rsa-2048", "derived": True}, "a key of type rsa-2048 cannot be derived"),
        (
            {"auto_rotate_period": "59m"},
            "auto_rotate_period is 3540 seconds: it must be 0 (off) or at least one hour",
        ),
        ({"min_decryption_version": 2}, "min_decryption_version cannot be 2: the latest version is 1"),
        ({"min_encryption_version": -1}, "min_encryption_version cannot be negative"),
    ],
    ids=lambda options: ",".join(options) if isinstance(options, dict) else "",
)
def test_an_impossible_key_is_not_created(bao: Bao, mount: str, options: dict[str, Any], reason: str) -> None:
    assert refused(bao, MODULE, name="ml", backend=mount, **options) == (
        f"Key 'ml' cannot be created as asked: {reason}. Nothing was changed."
    )
    assert read(bao, mount) is None


@pytest.mark.parametrize("option", ["auto_rotate_period", "rotate_older_than"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("soon", "'soon' is not a duration: write for example 30d, 720h, 1h30m or a number of seconds."),
        ("-1", "'-1' is not a duration: write for example 30d, 720h, 1h30m or a number of seconds."),
        ("0.5s", "'0.5s' is not a whole number of seconds."),
        ("9223372037", "'9223372037' is out of range: at most 9223372036 seconds."),
    ],
)
def test_an_invalid_duration_is_refused_without_a_request(
    bao: Bao, mount: str, option: str, value: str, problem: str
) -> None:
    ledger = Ledger(bao)
    assert refused(bao, MODULE, name="ml", backend=mount, **{option: value}) == f"{option}: {problem}"
    assert ledger.requests == []


def test_trimmed_versions_cannot_be_the_minimum(bao: Bao, mount: str) -> None:
    make(bao, mount, rotations=3)
    bao.done("POST", f"{mount}/keys/ml/config", {"min_decryption_version": 3, "min_encryption_version": 3})
    bao.done("POST", f"{mount}/keys/ml/trim", {"min_available_version": 3})
    assert refused(bao, MODULE, name="ml", backend=mount, min_decryption_version=2, min_encryption_version=0) == (
        "Key 'ml' cannot be changed as asked: min_decryption_version cannot be 2: versions below 3 were trimmed; "
        "min_encryption_version cannot be 0: versions below 3 were trimmed. Nothing was changed."
    )
    unchanged(bao, MODULE, name="ml", backend=mount, min_decryption_version=3)


def test_old_versions_are_destroyed_with_min_available_version(bao: Bao, mount: str) -> None:
    make(bao, mount, rotations=3)
    message = refused(bao, MODULE, name="ml", backend=mount, min_available_version=3)
    assert "min_available_version cannot be 3: min_decryption_version is 1, and what it lets through stays" in message
    floors: dict[str, Any] = {"min_decryption_version": 3, "min_encryption_version": 3}
    trimmed = converge(bao, MODULE, name="ml", backend=mount, min_available_version=3, **floors)
    assert trimmed["key"]["min_available_version"] == 3
    assert bao.done("GET", f"{mount}/keys/ml")["data"]["min_available_version"] == 3
    assert "do not come back" in refused(bao, MODULE, name="ml", backend=mount, min_available_version=2)


def test_an_imported_key_is_compared_like_any_other(bao: Bao, mount: str) -> None:
    make(bao, mount, "source", exportable=True, allow_plaintext_backup=True)
    backup = bao.done("GET", f"{mount}/backup/source")["data"]["backup"]
    bao.done("POST", f"{mount}/restore/ml", {"backup": backup})
    unchanged(bao, MODULE, name="ml", backend=mount, type="aes256-gcm96", exportable=True)


def test_a_soft_deleted_key_is_warned_of(bao: Bao, mount: str) -> None:
    make(bao, mount)
    bao.done("DELETE", f"{mount}/keys/ml/soft-delete")
    result = unchanged(bao, MODULE, name="ml", backend=mount)
    assert result.warnings == ["Key 'ml' is soft-deleted: it neither encrypts nor decrypts until it is restored."]


# --- unknown types ---


def test_the_server_decides_on_types(bao: Bao, mount: str) -> None:
    ledger = Ledger(bao)
    predicted = run(bao, MODULE, check=True, name="ml", backend=mount, type="aes265-gcm96")
    assert predicted.changed
    [warning] = predicted.warnings
    assert warning == (
        "The key type 'aes265-gcm96' is not one that this collection knows; the server decides. Did you mean "
        "'aes256-gcm96'?"
    )
    assert ledger.writes == []
    result = run(bao, MODULE, name="ml", backend=mount, type="aes265-gcm96")
    assert result.failed
    assert not result.changed
    said = "The server does not know the key type 'aes265-gcm96'. Did you mean 'aes256-gcm96'?"
    assert result.msg == f"{said} Asked: {bao.addr}, the root namespace."
    assert read(bao, mount) is None


def test_a_type_of_the_other_product_is_passed_on_without_a_warning(bao: Bao, mount: str) -> None:
    assert run(bao, MODULE, check=True, name="ml", backend=mount, type="ml-dsa").warnings == []
    result = run(bao, MODULE, name="ml", backend=mount, type="ml-dsa", parameter_set="44")
    assert result.failed
    assert result.msg.startswith("The server does not know the key type 'ml-dsa'.")
    material: dict[str, Any] = {"import": {"content": "A" * 43 + "="}}
    result = run(bao, MODULE, name="ml", backend=mount, type="aes256-cmac", **material)
    assert result.msg.startswith("The server imports no keys of type 'aes256-cmac'.")


def test_an_external_key_that_the_server_does_not_have_is_named(bao: Bao, mount: str) -> None:
    result = run(bao, MODULE, name="ml", backend=mount, type="external-key", external_key_ref="kms:ml")
    assert result.failed
    said = "The server has no external key 'kms:ml': configure it there, or correct external_key_ref."
    assert result.msg == f"{said} Asked: {bao.addr}, the root namespace."


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"type": "hmac", "key_size": 31}, "key_size cannot be 31: a key of type hmac has 32 to 512 bytes"),
        ({"type": "hmac", "key_size": 513}, "key_size cannot be 513: a key of type hmac has 32 to 512 bytes"),
        ({"key_size": 64}, "key_size is for keys of type hmac, not aes256-gcm96"),
        (
            {"type": "ed25519", "derived": True, "convergent_encryption": True},
            "convergent_encryption is for keys that encrypt, not ed25519",
        ),
        ({"external_key_ref": "kms:ml"}, "external_key_ref is for keys of type external-key, not aes256-gcm96"),
    ],
)
def test_what_a_new_key_of_its_type_cannot_have_is_refused_in_check_mode_as_well(
    bao: Bao, mount: str, options: dict[str, Any], reason: str
) -> None:
    message = refused(bao, MODULE, name="ml", backend=mount, **options)
    assert message == f"Key 'ml' cannot be created as asked: {reason}. Nothing was changed."


@pytest.mark.parametrize("options", [{"key_size": 32}, {"derived": True, "convergent_encryption": True}])
def test_check_mode_refuses_the_attributes_that_the_server_refuses(
    bao: Bao, mount: str, options: dict[str, Any]
) -> None:
    for key_type in ("aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305", "ecdsa-p256", "ed25519", "hmac"):
        given = {"name": key_type, "backend": mount, "type": key_type, **options}
        refused_by_server = bao.request("POST", f"{mount}/keys/{key_type}", {"type": key_type, **options})[0] >= 400
        bao.request("POST", f"{mount}/keys/{key_type}/config", {"deletion_allowed": True})
        bao.request("DELETE", f"{mount}/keys/{key_type}")
        assert run(bao, MODULE, check=True, **given).failed is refused_by_server, key_type


# --- rotating ---


@pytest.mark.parametrize("key_type", ["aes256-gcm96", "rsa-2048", "ecdsa-p256", "ed25519"])
def test_a_key_is_rotated_only_at_the_requested_age(bao: Bao, mount: str, key_type: str) -> None:
    make(bao, mount, type=key_type)
    unchanged(bao, MODULE, name="ml", backend=mount, rotate_older_than="1h")
    result = converge(bao, MODULE, repeatable=False, name="ml", backend=mount, rotate_older_than="0")
    assert result.changed
    assert result["key"]["latest_version"] == 2
    assert result["diff"]["before"]["latest_version"] == 1
    unchanged(bao, MODULE, name="ml", backend=mount, rotate_older_than="1h")


def test_zero_rotates_in_every_run(bao: Bao, mount: str) -> None:
    make(bao, mount)
    for version in (2, 3):
        result = converge(bao, MODULE, repeatable=False, name="ml", backend=mount, rotate_older_than=0)
        assert result["key"]["latest_version"] == version


@pytest.mark.parametrize("module", ["vault_transit_key", "vault_transit_keys"])
def test_of_two_runs_by_age_the_second_finds_the_key_young(
    bao: Bao, mount: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the other one runs on another machine, and shares no lock with it."""
    make(bao, mount)
    time.sleep(3.1)
    wanted = {"name": "ml", "rotate_older_than": "3s"}
    options: dict[str, Any] = wanted if module == MODULE else {"keys": [wanted]}
    with ThreadPoolExecutor() as threads:
        # As another run does, from reading the age until the key is rotated.
        with locks.exclusive(f"rotate {mount}/ml"):
            waiting = threads.submit(run, bao, module, backend=mount, **options)
            time.sleep(0.5)
            assert not waiting.done()
            monkeypatch.setattr(locks, "_parent", lambda: str(tmp_path))
            assert run(bao, module, backend=mount, **options).changed
        assert not waiting.result().changed
    found = read(bao, mount)
    assert found is not None
    assert found["latest_version"] == 2


def test_a_new_version_may_become_the_minimum_in_the_same_run(bao: Bao, mount: str) -> None:
    make(bao, mount)
    ledger = Ledger(bao)
    result = converge(
        bao,
        MODULE,
        repeatable=False,
        name="ml",
        backend=mount,
        rotate_older_than="0",
        min_encryption_version=2,
        min_decryption_version=2,
    )
    assert ledger.writes == [("update", f"{mount}/keys/ml/rotate"), ("update", f"{mount}/keys/ml/config")]
    assert result["key"]["min_decryption_version"] == 2


def test_a_key_without_times_cannot_be_rotated_by_age(bao: Bao, mount: str) -> None:
    make(bao, mount, type="hmac", key_size=32)
    assert refused(bao, MODULE, name="ml", backend=mount, rotate_older_than="1h") == (
        "Key 'ml' cannot be changed as asked: the server does not report the age of a key of type hmac. Nothing was "
        "changed."
    )


# --- deleting ---


def test_a_key_that_may_be_deleted_is_deleted(bao: Bao, mount: str) -> None:
    make(bao, mount)
    bao.done("POST", f"{mount}/keys/ml/config", {"deletion_allowed": True})
    ledger = Ledger(bao)
    result = converge(bao, MODULE, name="ml", backend=mount, state="absent")
    assert result.changed
    assert result["key"] is None
    assert result["diff"]["after"] == {}
    assert ledger.writes == [("delete", f"{mount}/keys/ml")]
    assert read(bao, mount) is None


def test_a_protected_key_is_deleted_only_with_force(bao: Bao, mount: str) -> None:
    make(bao, mount)
    assert refused(bao, MODULE, name="ml", backend=mount, state="absent") == (
        "Key 'ml' cannot be deleted: deletion_allowed is false on the server, which protects everything encrypted "
        "with the key; set deletion_allowed: true first, or give force: true. Nothing was changed."
    )
    ledger = Ledger(bao)
    converge(bao, MODULE, name="ml", backend=mount, state="absent", force=True)
    assert ledger.writes == [("update", f"{mount}/keys/ml/config"), ("delete", f"{mount}/keys/ml")]
    assert read(bao, mount) is None


def test_a_missing_key_is_absent(bao: Bao, mount: str) -> None:
    for force in (False, True):
        result = unchanged(bao, MODULE, name="ml", backend=mount, state="absent", force=force)
        assert result["key"] is None


# --- many at once ---


def test_hosts_that_create_the_same_key_at_once_all_succeed(bao: Bao, mount: str) -> None:
    wanted = {"name": "ml", "backend": mount, "state": "present", "deletion_allowed": True}
    outcomes = at_once(bao, reconcile_key, wanted)
    assert [outcome.result["key"]["latest_version"] for outcome in outcomes] == [1] * len(outcomes)
    actual = read(bao, mount)
    assert actual is not None
    assert actual["deletion_allowed"]


def test_runs_that_rotate_by_age_at_once_rotate_once(bao: Bao, mount: str) -> None:
    make(bao, mount)
    time.sleep(1.1)
    wanted = {"name": "ml", "backend": mount, "state": "present", "rotate_older_than": "1s"}
    outcomes = at_once(bao, reconcile_key, wanted)
    assert sum(outcome.changed for outcome in outcomes) == 1
    actual = read(bao, mount)
    assert actual is not None
    assert actual["latest_version"] == 2


def test_hosts_that_delete_the_same_key_at_once_all_succeed(bao: Bao, mount: str) -> None:
    make(bao, mount)
    bao.done("POST", f"{mount}/keys/ml/config", {"deletion_allowed": True})
    at_once(bao, reconcile_key, {"name": "ml", "backend": mount, "state": "absent"})
    assert read(bao, mount) is None


# --- namespaces ---


@pytest.fixture
def namespace(bao: Bao) -> Iterator[str]:
    name = f"team-{secrets.token_hex(3)}"
    bao.done("POST", f"sys/namespaces/{name}", {})
    bao.done("POST", f"{name}/sys/mounts/transit", {"type": "transit"})
    yield name
    bao.done("DELETE", f"{name}/sys/mounts/transit")
    bao.done("DELETE", f"sys/namespaces/{name}")


@pytest.mark.parametrize("form", ["{}", "/{}/"])
def test_a_key_in_a_namespace(bao: Bao, namespace: str, form: str) -> None:
    converge(bao, MODULE, name="ml", namespace=form.format(namespace), type="ed25519")
    assert bao.done("GET", f"{namespace}/transit/keys/ml")["data"]["type"] == "ed25519"
    assert bao.request("GET", "transit/keys/ml")[0] == 404


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        (["ANSIBLE_HASHI_VAULT_NAMESPACE", "BAO_NAMESPACE", "VAULT_NAMESPACE"], "ANSIBLE_HASHI_VAULT_NAMESPACE"),
        (["BAO_NAMESPACE", "VAULT_NAMESPACE"], "BAO_NAMESPACE"),
        (["VAULT_NAMESPACE"], "VAULT_NAMESPACE"),
    ],
)
def test_the_namespace_of_the_environment(bao: Bao, namespace: str, variables: list[str], found: str) -> None:
    env = {variable: namespace if variable == found else "nowhere" for variable in variables}
    assert run(bao, MODULE, name="ml", env=env).changed
    assert bao.request("GET", f"{namespace}/transit/keys/ml")[0] == 200
