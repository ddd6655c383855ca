# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key material is imported as keys and versions of a real server, which then works with it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.mlkeys.transit.plugins.module_utils._material.material import wrapped
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.locks import exclusive
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import KEY_TYPES, import_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from tests.integration.support.relay import Passed, relay
from tests.integration.support.runs import Ledger, converge, outcome, refused, run, unchanged
from tests.support import key_material
from tests.support.key_material import PAIRS, SIZES, TYPES, check_signature, content, der, pair, pem, public_pem
from tests.support.modules import by_action
from tests.support.server import Bao, transit_mount

MODULE = "vault_transit_key"
TEXT = base64.b64encode(b"artefact 1.2.3").decode("ascii")

both_ways = pytest.mark.usefixtures("both_ways")

_numbers = itertools.count()


@pytest.fixture(scope="module")
def engine(bao: Bao) -> Iterator[str]:
    """One engine for all tests, each of which has keys of its own: it takes a second to make its wrapping key."""
    with transit_mount(bao) as path:
        yield path


@pytest.fixture
def name() -> str:
    return f"own-{next(_numbers)}"


def wanted(engine: str, name: str, key_type: str, **options: Any) -> dict[str, Any]:
    material = {"content": content(key_type), **options.pop("material", {})}
    return {"name": name, "backend": engine, "type": key_type, "import": material, **options}


def works_with(bao: Bao, engine: str, name: str, key_type: str, number: int = 1) -> bool:
    """Whether what the server makes with the key fits the material, as a library that knows no server sees it."""
    text = base64.b64decode(TEXT)
    if key_type == "hmac":
        made = bao.done("POST", f"{engine}/hmac/{name}", {"input": TEXT})["data"]["hmac"]
        mac = hmac.new(key_material.raw(key_type, number), text, hashlib.sha256).digest()
        return base64.b64decode(made.rpartition(":")[2]) == mac
    if key_type in SIZES:
        made = bao.done("POST", f"{engine}/encrypt/{name}", {"plaintext": TEXT})["data"]["ciphertext"]
        sealed = base64.b64decode(made.rpartition(":")[2])
        if key_type == "xchacha20-poly1305":
            # The library has no such cipher.
            return len(sealed) == 24 + len(text) + 16
        kind = ChaCha20Poly1305 if key_type.startswith("chacha") else AESGCM
        return kind(key_material.raw(key_type, number)).decrypt(sealed[:12], sealed[12:], None) == text
    made = bao.done("POST", f"{engine}/sign/{name}", {"input": TEXT, "signature_algorithm": "pkcs1v15"})
    signature = base64.b64decode(made["data"]["signature"].rpartition(":")[2])
    check_signature(pair(key_type, number).public_key(), signature, text)
    return True


@pytest.mark.parametrize("key_type", TYPES)
def test_a_key_of_every_type_is_imported_once(bao: Bao, engine: str, name: str, key_type: str) -> None:
    result = converge(bao, MODULE, **wanted(engine, name, key_type))

    assert result.changed
    assert result["imported"] == {"version": 1, "done": True, "compared": True, "private": "present"}
    assert result["key"]["type"] == key_type
    assert works_with(bao, engine, name, key_type)
    again = run(bao, MODULE, **wanted(engine, name, key_type))
    # What the server does not show cannot be compared.
    assert again["imported"] == {"version": 1, "done": False, "compared": key_type in PAIRS, "private": "unknown"}
    shown = json.dumps([result, again])
    assert content(key_type) not in shown
    assert json.dumps(content(key_type)) not in shown


@both_ways
@pytest.mark.parametrize("key_type", ["ed25519", "aes256-gcm96"])
def test_further_material_becomes_further_versions(bao: Bao, engine: str, name: str, key_type: str) -> None:
    converge(bao, MODULE, **wanted(engine, name, key_type))
    second = wanted(engine, name, key_type, material={"content": content(key_type, 2), "version": 2})

    result = converge(bao, MODULE, **second, min_decryption_version=2, min_encryption_version=2)

    assert result["key"]["latest_version"] == 2
    assert result["imported"]["version"] == 2
    assert works_with(bao, engine, name, key_type, number=2)
    # The first is still known, though the server does not show it any more.
    first = unchanged(bao, MODULE, **wanted(engine, name, key_type))
    assert first["imported"] == {"version": 1, "done": False, "compared": False, "private": "unknown"}


@both_ways
def test_attributes_are_set_with_and_after_the_import(bao: Bao, engine: str, name: str) -> None:
    attributes = {
        "derived": True,
        "exportable": True,
        "allow_plaintext_backup": True,
        "auto_rotate_period": "2h",
        "deletion_allowed": True,
        "min_encryption_version": 1,
    }
    result = converge(
        bao, MODULE, **wanted(engine, name, "aes256-gcm96", material={"allow_rotation": True}, **attributes)
    )

    shown = {**attributes, "auto_rotate_period": 7200}
    assert {name: result["key"][name] for name in attributes} == shown
    actual = bao.done("GET", f"{engine}/keys/{name}")["data"]
    assert {name: actual[name] for name in attributes} == shown
    assert actual["imported_key_allow_rotation"] is True
    rotated = run(bao, MODULE, **wanted(engine, name, "aes256-gcm96", rotate_older_than="0"))
    assert rotated["key"]["latest_version"] == 2


# With `TYPES`, these are all.
NOT_IMPORTED = [kind for kind in KEY_TYPES if import_problem(kind)]
OF_OTHER_SERVERS = sorted(set(KEY_TYPES) - {*TYPES, *NOT_IMPORTED})


@pytest.mark.parametrize("kind", NOT_IMPORTED)
def test_types_that_no_server_imports_are_refused_in_one_sentence(
    bao: Bao, engine: str, name: str, tmp_path: Path, kind: str
) -> None:
    src = tmp_path / "own.pem"
    src.write_text(pem("ed25519"), encoding="utf-8")
    needed = {"external-key": {"external_key_ref": "kms:own"}, "managed_key": {"managed_key_name": "own"}}
    forms: list[dict[str, Any]] = [
        {"src": str(src)},
        {"src": str(src), "version": 2},
        {"content": pem("ed25519")},
        {"content": content("aes256-gcm96"), "encoding": "base64"},
        {"ciphertext": "QUJD"},
        {"public_key": public_pem("ed25519")},
    ]
    said = f"import: {import_problem(kind)}. Leave import out."
    with by_action():
        for form in forms:
            given = {"name": name, "type": kind, "import": form, **needed.get(kind, {})}
            assert refused(bao, MODULE, backend=engine, **given) == said, form
            assert said in refused(bao, "vault_transit_keys", backend=engine, keys=[given])


@pytest.mark.parametrize("kind", OF_OTHER_SERVERS)
def test_types_of_other_servers_are_refused_in_one_sentence(bao: Bao, engine: str, name: str, kind: str) -> None:
    size = {"aes128": 16, "aes192": 24}.get(kind.partition("-")[0], 32)
    form = {"content": base64.b64encode(bytes(size)).decode(), "encoding": "base64"}
    given: dict[str, Any] = {"name": name, "backend": engine, "type": kind, "import": form}
    result = run(bao, MODULE, **given)
    assert result.failed
    said = f"The server imports no keys of type '{kind}'. It is a type of another version or product."
    assert result.msg == f"{said} Asked: {bao.addr}, the root namespace."


@both_ways
@pytest.mark.parametrize("hash_function", ["SHA1", "SHA224", "SHA256", "SHA384", "SHA512"])
def test_every_hash_of_the_api_wraps(bao: Bao, engine: str, name: str, hash_function: str) -> None:
    assert run(bao, MODULE, **wanted(engine, name, "hmac", material={"hash_function": hash_function})).changed
    assert works_with(bao, engine, name, "hmac")


def test_material_has_more_than_one_form(bao: Bao, engine: str, name: str) -> None:
    ed25519_pair, aes = pair("ed25519"), key_material.raw("aes256-gcm96")
    openssh = ed25519_pair.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    forms: list[tuple[str, dict[str, str]]] = [
        ("ed25519", {"content": base64.b64encode(der("ed25519")).decode(), "encoding": "base64"}),
        ("ed25519", {"content": der("ed25519").hex(), "encoding": "hex"}),
        ("ed25519", {"content": openssh.decode()}),
        ("ed25519", {"content": pem("ed25519", passphrase="s3cret-passphrase"), "passphrase": "s3cret-passphrase"}),
        ("aes256-gcm96", {"content": f"{aes.hex()}\n", "encoding": "hex"}),
        ("aes256-gcm96", {"content": f"{content('aes256-gcm96')}\n"}),
    ]
    for number, (key_type, material) in enumerate(forms):
        converge(bao, MODULE, **wanted(engine, f"{name}-{number}", key_type, material=material))
        assert works_with(bao, engine, f"{name}-{number}", key_type), material


def test_a_public_key_alone_is_imported(bao: Bao, engine: str, name: str) -> None:
    public: dict[str, Any] = {"name": f"{name}-verifies", "backend": engine, "type": "rsa-2048"}
    run(bao, MODULE, **wanted(engine, name, "rsa-2048"))
    converge(bao, MODULE, **{**public, "import": {"public_key": public_pem("rsa-2048")}})
    signature = bao.done("POST", f"{engine}/sign/{name}", {"input": TEXT})["data"]["signature"]

    asked = {"input": TEXT, "signature": signature}
    assert bao.done("POST", f"{engine}/verify/{name}-verifies", asked)["data"]["valid"] is True
    assert bao.request("POST", f"{engine}/sign/{name}-verifies", {"input": TEXT})[0] == 500
    assert unchanged(bao, MODULE, **{**public, "import": {"content": public_pem("rsa-2048")}})["imported"]["compared"]


@both_ways
@pytest.mark.parametrize("key_type", ["ed25519", "rsa-2048"])
def test_a_version_with_a_public_key_alone_is_completed(bao: Bao, engine: str, name: str, key_type: str) -> None:
    public = {**wanted(engine, name, key_type), "import": {"public_key": public_pem(key_type)}}
    assert run(bao, MODULE, **public)["imported"]["private"] == "absent"
    private = unchanged(bao, MODULE, **wanted(engine, name, key_type))["imported"]
    # An equal public key proves no private one.
    assert private == {"version": 1, "done": False, "compared": True, "private": "unknown"}
    completing = wanted(engine, name, key_type, material={"complete": True})
    assert run(bao, MODULE, check=True, **completing)["imported"]["private"] == "unknown"

    result = run(bao, MODULE, **completing)

    assert result.changed
    assert result["imported"] == {"version": 1, "done": True, "compared": True, "private": "present"}
    assert works_with(bao, engine, name, key_type)
    again = run(bao, MODULE, **completing)
    assert not again.changed
    assert again["imported"] == {"version": 1, "done": False, "compared": True, "private": "present"}


def test_one_of_many_keys_is_completed(bao: Bao, engine: str, name: str) -> None:
    entry: dict[str, Any] = {"name": name, "type": "ed25519", "import": {"public_key": public_pem("ed25519")}}
    run(bao, "vault_transit_keys", backend=engine, keys=[entry])
    entry["import"] = {"content": content("ed25519"), "complete": True}
    assert run(bao, "vault_transit_keys", backend=engine, keys=[entry])["results"][0]["action"] == "imported"
    assert run(bao, "vault_transit_keys", backend=engine, keys=[entry])["results"][0]["action"] == "kept"
    assert works_with(bao, engine, name, "ed25519")


@both_ways
def test_a_version_that_cannot_be_completed_has_a_reason(bao: Bao, engine: str, name: str) -> None:
    public = {"public_key": public_pem("ed25519"), "allow_rotation": True}
    run(bao, MODULE, **{**wanted(engine, name, "ed25519"), "import": public})
    run(bao, MODULE, name=name, backend=engine, rotate_older_than="0")
    message = refused(bao, MODULE, **wanted(engine, name, "ed25519", material={"complete": True}))
    assert "the server has rotated the key since" in message


@both_ways
@pytest.mark.parametrize(
    ("key_type", "options", "reason"),
    [
        ("aes128-gcm96", {"material": {"content": content("aes256-gcm96")}}, "has 32 bytes, and a key of type aes128-"),
        ("hmac", {"material": {"content": "AAAA"}}, "has 3 bytes, and a key of type hmac has 32 to 512"),
        ("hmac", {"key_size": 32}, "key_size is 32, and the material has 48 bytes"),
        ("rsa-2048", {"material": {"content": pem("ed25519")}}, "is a key of type ed25519, and type is rsa-2048"),
        ("ecdsa-p256", {"material": {"content": pem("ecdsa-p384")}}, "is a key of type ecdsa-p384"),
        ("ed25519", {"material": {"content": content("aes256-gcm96")}}, "is not a PEM"),
        ("aes256-gcm96", {"type": "aes256-gcm"}, "is not a known one. Did you mean 'aes256-gcm96'?"),
        ("aes256-gcm96", {"material": {"content": pem("ed25519"), "encoding": "pem"}}, "is not a PEM. Give its bytes"),
        ("aes256-gcm96", {"material": {"content": "not base64 at all"}}, "is not base64"),
        ("aes256-gcm96", {"material": {"content": "0g" * 32, "encoding": "hex"}}, "is not hex"),
        ("ed25519", {"material": {"content": pem("ed25519", passphrase="known")}}, "set passphrase"),
        (
            "ed25519",
            {"material": {"content": pem("ed25519", passphrase="known"), "passphrase": "other"}},
            "the passphrase is wrong",
        ),
        ("aes256-gcm96", {"convergent_encryption": True, "derived": True}, "convergent_encryption cannot be imported"),
        ("aes256-gcm96", {"auto_rotate_period": "2h"}, "auto_rotate_period needs import.allow_rotation: true"),
        ("aes256-gcm96", {"material": {"encoding": "raw"}}, "import.encoding raw is for the bytes of a file (src)"),
        (
            "ed25519",
            {"material": {"content": pem("ed25519") + pem("ed25519", 2)}},
            "import: the PEM has more than one private key. Give the one to import.",
        ),
        ("aes256-gcm96", {"rotate_older_than": "1h"}, "rotate_older_than needs import.allow_rotation: true"),
        ("aes256-gcm96", {"key_size": 32}, "key_size is not for an imported key"),
        ("aes256-gcm96", {"material": {"version": 2}}, "must have import.version: 1, not 2"),
        ("aes256-gcm96", {"material": {"version": 0}}, "import.version begins with 1"),
        ("aes256-gcm96", {"material": {"ciphertext": "AAAA"}}, "mutually exclusive"),
        ("", {}, "import needs type"),
    ],
)
def test_what_cannot_be_imported_is_refused_before_anything_is_asked(
    bao: Bao, engine: str, name: str, key_type: str, options: dict[str, Any], reason: str
) -> None:
    given = wanted(engine, name, key_type or "aes256-gcm96", **options)
    if not key_type:
        del given["type"]

    message = refused(bao, MODULE, **given)

    assert reason in message
    assert given["import"]["content"].strip() not in message


@both_ways
def test_material_may_be_gone_after_the_import(bao: Bao, engine: str, name: str) -> None:
    gone = wanted(engine, name, "ed25519", material={"content": ""})
    assert "import.content is empty, and version 1 does not exist" in refused(bao, MODULE, **gone)
    for option in ("ciphertext", "public_key"):
        reason = f"import.{option} is empty, and version 1 does not exist"
        assert reason in refused(bao, MODULE, **{**gone, "import": {option: ""}})
    converge(bao, MODULE, **wanted(engine, name, "ed25519"))
    known = {"version": 1, "done": False, "compared": False, "private": "unknown"}
    assert unchanged(bao, MODULE, **gone)["imported"] == known


@both_ways
def test_a_key_with_other_material_is_refused(bao: Bao, engine: str, name: str) -> None:
    converge(bao, MODULE, **wanted(engine, name, "ed25519"))
    made = f"{name}-made"
    bao.done("POST", f"{engine}/keys/{made}", {"type": "ed25519"})
    other = {"content": content("ed25519", 2)}

    for key, material, reason in (
        (name, other, "version 1 has another public key than the material; to add this one as a version, set import"),
        (name, {**other, "version": 3}, "import.version cannot be 3: the latest version is 1"),
        (name, {"version": 2}, "version 1 already has this material"),
        (name, {"allow_rotation": True}, "import.allow_rotation is false and cannot become true"),
        (made, other, "the server made its material"),
        (made, {**other, "version": 2}, "the server made its latest version"),
    ):
        message = refused(bao, MODULE, **wanted(engine, key, "ed25519", material=material))
        assert reason in message, material
    for age in ("0", "1h"):
        assert "rotate_older_than: the server does not rotate the key" in refused(
            bao, MODULE, name=name, backend=engine, rotate_older_than=age
        )
    further = wanted(engine, name, "ed25519", rotate_older_than="1h", material={**other, "version": 2})
    assert "rotate_older_than: the server does not rotate the key" in refused(bao, MODULE, **further)
    assert "auto_rotate_period: the server does not rotate" in refused(
        bao, MODULE, name=name, backend=engine, auto_rotate_period="2h"
    )


@both_ways
def test_many_keys_are_imported(bao: Bao, engine: str, name: str) -> None:
    entries: list[dict[str, Any]] = [
        {"name": f"{name}-1", "type": "ed25519", "import": {"content": content("ed25519")}},
        {"name": f"{name}-2", "type": "hmac", "import": {"content": content("hmac")}},
        {"name": f"{name}-3"},
    ]
    predicted = run(bao, "vault_transit_keys", check=True, backend=engine, keys=entries)
    result = run(bao, "vault_transit_keys", backend=engine, keys=entries)
    assert outcome(predicted) == outcome(result)
    assert [one["action"] for one in result["results"]] == ["created", "created", "created"]
    assert result["results"][0]["imported"] == {"version": 1, "done": True, "compared": True, "private": "present"}
    assert works_with(bao, engine, f"{name}-1", "ed25519")
    assert works_with(bao, engine, f"{name}-2", "hmac")
    entries[0]["import"] = {"content": content("ed25519", 2), "version": 2}
    again = run(bao, "vault_transit_keys", backend=engine, keys=entries)
    assert [one["action"] for one in again["results"]] == ["imported", "kept", "kept"]


@both_ways
def test_an_import_needs_no_other_right(bao: Bao, engine: str, name: str, mint_token: Callable[[str], str]) -> None:
    token = mint_token(hcl(grant_rules("import", engine, name)))
    given = wanted(engine, name, "ed25519", token=token)
    converge(bao, MODULE, **given)
    converge(bao, MODULE, **{**given, "import": {"content": content("ed25519", 2), "version": 2}})
    fresh = {**given, "name": f"{name}-3", "token": mint_token(hcl(grant_rules("import", engine, f"{name}-3")))}
    rotated = {"import": {**given["import"], "allow_rotation": True}}
    for option, named in (
        ({"exportable": True}, "exportable"),
        ({"allow_plaintext_backup": True}, "allow_plaintext_backup"),
        (rotated, "allow_rotation"),
    ):
        result = run(bao, MODULE, **{**fresh, **option})
        assert result.failed
        assert f"A policy may also grant the import without {named}, as the grant import does: leave that" in result.msg
    assert bao.request("GET", f"{engine}/keys/{name}-3")[0] == 404
    off = {"exportable": False, "auto_rotate_period": "0", "import": {**given["import"], "allow_rotation": False}}
    converge(bao, MODULE, **{**fresh, **off})


def test_check_mode_makes_no_wrapping_key(bao: Bao, mount: str, name: str) -> None:
    ledger = Ledger(bao)
    assert run(bao, MODULE, check=True, **wanted(mount, name, "aes256-gcm96")).changed
    assert [path for _operation, path in ledger.requests if path.endswith("wrapping_key")] == []


def test_an_earlier_task_may_enable_the_engine(bao: Bao) -> None:
    result = run(bao, MODULE, check=True, **wanted("none-here", "own", "aes256-gcm96"))
    assert result.changed
    assert "is not enabled" in result.warnings[0]


def test_material_comes_from_a_file_of_the_controller(bao: Bao, engine: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text(pem("ed25519"), encoding="ascii")
    (tmp_path / "own.key").write_bytes(key_material.raw("aes256-gcm96"))
    (tmp_path / "large").write_bytes(bytes(100_000))
    sealed = VaultLib([("default", VaultSecret(b"a-password"))]).encrypt(pem("ed25519"))
    (tmp_path / "vaulted.pem").write_bytes(sealed)
    with by_action():
        converge(bao, MODULE, **_from_file(engine, f"{name}-1", "ed25519", tmp_path / "own.pem"))
        converge(bao, MODULE, **_from_file(engine, f"{name}-2", "aes256-gcm96", tmp_path / "own.key", encoding="raw"))
        assert works_with(bao, engine, f"{name}-1", "ed25519")
        assert works_with(bao, engine, f"{name}-2", "aes256-gcm96")
        for file, more, reason in (
            (
                "none",
                {},
                "src must be the path of a file of the controller, and there is no such file that can be read",
            ),
            ("none.pem", {}, "none.pem that can be read"),
            ("own.key", {}, "is not text. For a file of bytes, set encoding: raw"),
            ("large", {"encoding": "raw"}, "is not a file, or too large to be a key"),
            (
                "vaulted.pem",
                {},
                "vaulted.pem is encrypted with ansible-vault, and no vault password decrypts it: pass --vault-id or",
            ),
        ):
            result = run(bao, MODULE, **_from_file(engine, name, "hmac", tmp_path / file, **more))
            assert result.failed
            assert reason in result.msg
    alone = run(bao, MODULE, **_from_file(engine, f"{name}-1", "ed25519", tmp_path / "own.pem"))
    assert "was not read there" in alone.msg


@both_ways
def test_material_that_the_server_cannot_use_is_refused_once(bao: Bao, engine: str, name: str) -> None:
    sent = wrapped(der("ed25519"), bao.done("GET", f"{engine}/wrapping_key")["data"]["public_key"], "SHA256")
    for given, key_type, reason in (
        ({"ciphertext": "AAAA"}, "ed25519", "import.ciphertext was not wrapped with the server's own wrapping key"),
        ({"ciphertext": sent[:-8]}, "ed25519", "import.ciphertext was not wrapped with the server's own wrapping"),
        ({"ciphertext": sent, "hash_function": "SHA512"}, "ed25519", "Correct hash_function"),
        ({"ciphertext": sent}, "ecdsa-p256", "it is not a key of this type. Correct type or the material."),
        ({"ciphertext": sent}, "aes256-gcm96", "it is not a key of this type. Correct type or the material."),
    ):
        ledger = Ledger(bao)
        options: dict[str, Any] = {"name": name, "backend": engine, "type": key_type, "import": given}
        result = run(bao, MODULE, **options, retries=1)
        assert result.failed
        assert result.msg.startswith(f"The material for key '{name}' was refused: ")
        assert reason in result.msg
        assert len([path for _operation, path in ledger.requests if path.endswith("/import")]) == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"src": pem("ed25519")}, "import.src must be the path of a file of the controller"),
        ({"src": content("aes256-gcm96")}, "import.src must be the path of a file of the controller"),
        (pem("ed25519"), "import must be a dictionary"),
        (f"content={content('aes256-gcm96')}", "import must be a dictionary"),
        (content("aes256-gcm96"), "import must be a dictionary"),
        ({"public_key": content("aes256-gcm96")}, "import.public_key is not a public key in PEM"),
        ({"public_key": pem("ed25519")}, "import.public_key is not a public key in PEM"),
        ({"content": 12345678901234567890123456789012}, "import.content must be text, not a number"),
        (
            {"content": "a", "encoding": content("aes256-gcm96")},
            "import.encoding must be one of base64, hex, pem,",
        ),
        ({"content": "a", "hash_function": content("aes256-gcm96")}, "import.hash_function must be one of SHA1,"),
        ({"content": "a", "allow_rotation": content("aes256-gcm96")}, "import.allow_rotation must be true or false."),
        ({"content": "a", "version": content("aes256-gcm96")}, "import.version must be a number."),
    ],
    # The keys are new in each process.
    ids=[
        "pem as src",
        "bytes as src",
        "pem",
        "assignment",
        "bytes",
        "bytes as public key",
        "private as public key",
        "number",
        "bytes as encoding",
        "bytes as hash function",
        "bytes as yes or no",
        "bytes as version",
    ],
)
def test_material_at_the_wrong_place_is_not_repeated(bao: Bao, engine: str, name: str, given: Any, reason: str) -> None:
    with by_action():
        result = run(bao, MODULE, **{"name": name, "backend": engine, "type": "ed25519", "import": given})
    assert result.failed
    assert reason in result.msg
    shown = json.dumps(dict(result))
    for line in (pem("ed25519").splitlines()[1], content("aes256-gcm96").strip("="), "1234567890"):
        assert line not in shown


def test_a_public_key_without_its_frame_is_none(bao: Bao, engine: str, name: str) -> None:
    bare = {"name": name, "backend": engine, "type": "ed25519", "import": {"public_key": content("aes256-gcm96")}}
    assert "import.public_key is not a public key in PEM" in refused(bao, MODULE, **bare)


@both_ways
def test_a_public_key_of_another_type_is_refused_before_anything_is_asked(bao: Bao, engine: str, name: str) -> None:
    for given, key_type, reason in (
        ("ed25519", "ecdsa-p256", "import.public_key: the public key is one of type ed25519, and type is ecdsa-p256."),
        ("rsa-3072", "rsa-2048", "import.public_key: the public key is one of type rsa-3072, and type is rsa-2048."),
        ("ed25519", "aes256-gcm96", "import.public_key: a key of type aes256-gcm96 has no public key."),
    ):
        public = {"name": name, "backend": engine, "type": key_type, "import": {"public_key": public_pem(given)}}
        assert reason in refused(bao, MODULE, **public)
    public["import"] = {"content": public_pem("ecdsa-p384")}
    assert "import: the public key is one of type ecdsa-p384" in refused(bao, MODULE, **{**public, "type": "ed25519"})


@both_ways
def test_a_wrapped_key_with_the_public_key_of_another_one_is_named(bao: Bao, engine: str, name: str) -> None:
    sent = wrapped(der("ed25519"), bao.done("GET", f"{engine}/wrapping_key")["data"]["public_key"], "SHA256")
    options: dict[str, Any] = {"name": name, "backend": engine, "type": "ed25519"}
    options["import"] = {"ciphertext": sent, "public_key": public_pem("ed25519", 2)}
    result = run(bao, MODULE, **options)
    assert (result.failed, result.changed) == (True, True)
    assert result.msg == (
        f"import.ciphertext was imported as version 1 of key '{name}', and its public key is not import.public_key. "
        "Correct public_key if the key is the one you mean. Already done: the material was imported."
    )
    options["import"]["public_key"] = public_pem("ed25519")
    assert unchanged(bao, MODULE, **options)["imported"]["compared"] is True


def add_version(bao: Bao, engine: str, name: str) -> None:
    """Add the second material to a key, as somebody else would."""
    pem = bao.done("GET", f"{engine}/wrapping_key")["data"]["public_key"]
    sent = wrapped(key_material.raw("aes256-gcm96", 2), pem, "SHA256")
    bao.done("POST", f"{engine}/keys/{name}/import_version", {"ciphertext": sent})


def test_tasks_take_turns_at_adding_a_version(bao: Bao, engine: str, name: str) -> None:
    """Nothing shows what an AES key is, so each host of a play would add its own version to what the others added."""
    with by_action():
        # The first one takes its time to load.
        run(bao, MODULE, **wanted(engine, name, "aes256-gcm96"))
    begun = threading.Event()

    def another_task() -> None:
        with exclusive(f"import {engine}/{name}"):
            begun.set()
            # As long as a task needs that does not wait.
            time.sleep(0.3)
            add_version(bao, engine, name)

    other = threading.Thread(target=another_task)
    other.start()
    assert begun.wait(10)
    second = {"content": content("aes256-gcm96", 2), "version": 2}
    with by_action():
        result = run(bao, MODULE, **wanted(engine, name, "aes256-gcm96", material=second))
    other.join()

    assert not result.failed, result.msg
    assert (result.changed, result["imported"]["done"]) == (False, False)
    assert bao.done("GET", f"{engine}/keys/{name}")["data"]["latest_version"] == 2


def test_a_version_that_somebody_else_adds_at_once_is_named(bao: Bao, engine: str, name: str) -> None:
    """Another controller has locks of its own."""
    run(bao, MODULE, **wanted(engine, name, "aes256-gcm96"))
    second = {"content": content("aes256-gcm96", 2), "version": 2}

    def overtaken(request: Passed) -> bool:
        if request.path.endswith("import_version"):
            add_version(bao, engine, name)
        return False

    with relay(bao.addr) as between:
        between.cuts = overtaken
        result = run(bao, MODULE, **wanted(engine, name, "aes256-gcm96", material=second), url=between.url)

    said = f"Somebody else added a version to key '{name}' at the same time: the material is one of 2 to 3."
    assert result.warnings == [said]


def _from_file(engine: str, name: str, key_type: str, path: Path, **more: str) -> dict[str, Any]:
    return {"name": name, "backend": engine, "type": key_type, "import": {"src": str(path), **more}}
