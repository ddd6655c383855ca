# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_key_export against a real server."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.integration.support.runs import converge, outcome, refused, run, unchanged
from tests.support.key_material import PAIRS, SIZES, check_signature
from tests.support.server import Bao, transit_mount

pytestmark = pytest.mark.usefixtures("both_ways")

MODULE = "vault_transit_key_export"
UNDERSTOOD = "whoever reads the file has the key"
TEXT = base64.b64encode(b"artefact").decode("ascii")
# The larger keys of RSA differ in nothing but the time that they take.
EXPORTED = sorted({*PAIRS, *SIZES} - {"rsa-3072", "rsa-4096"})


@pytest.fixture(scope="module")
def engine(bao: Bao) -> Iterator[str]:
    """An engine with an exportable key of each type."""
    with transit_mount(bao) as path:
        for key_type in EXPORTED:
            size = {"key_size": 32} if key_type == "hmac" else {}
            bao.done("POST", f"{path}/keys/{key_type}", {"type": key_type, "exportable": True, **size})
        bao.done("POST", f"{path}/keys/kept", {})
        pem = bao.done("GET", f"{path}/export/public-key/ed25519?format=pem")["data"]["keys"]["1"]
        bao.done("POST", f"{path}/keys/verifies/import", {"type": "ed25519", "public_key": pem, "exportable": True})
        bao.done("POST", f"{path}/keys/gone", {"exportable": True})
        bao.done("DELETE", f"{path}/keys/gone/soft-delete")
        yield path


def export(engine: str, path: Path, name: str, key_type: str, **options: Any) -> dict[str, Any]:
    given = {"name": name, "backend": engine, "key_type": key_type, "path": str(path), "i_understand": UNDERSTOOD}
    return {**given, **options}


def purposes(key_type: str) -> list[str]:
    signs = ["signing-key"] if key_type in PAIRS else []
    encrypts = ["encryption-key"] if key_type.startswith("rsa") or (key_type in SIZES and key_type != "hmac") else []
    return ["hmac-key", *signs, *encrypts]


def written(bao: Bao, options: dict[str, Any]) -> str:
    """What a run leaves in the file: the prediction holds, the file is for its owner alone, and nothing shows it."""
    path = Path(options["path"])
    predicted = run(bao, MODULE, check=True, **options)
    existed = path.exists()
    result = run(bao, MODULE, **options)
    assert not result.failed, result.msg
    assert outcome(predicted) == outcome(result)
    assert result.changed
    unchanged(bao, MODULE, **options)
    text = path.read_text(encoding="ascii")
    assert path.stat().st_mode & 0o777 == 0o600
    assert existed or predicted["diff"]["before"] == {}
    body = text.splitlines()[1 if "BEGIN" in text else 0]
    assert body not in json.dumps([predicted, result])
    return text


@pytest.mark.parametrize("key_type", EXPORTED)
def test_every_type_is_exported_for_all_that_it_does(bao: Bao, engine: str, tmp_path: Path, key_type: str) -> None:
    for purpose in purposes(key_type):
        path = tmp_path / purpose
        text = written(bao, export(engine, path, key_type, purpose))
        known = bao.done("GET", f"{engine}/export/{purpose}/{key_type}")["data"]["keys"]["1"]
        assert text.strip() == known.strip()
    for purpose in {"encryption-key", "signing-key"} - set(purposes(key_type)):
        message = refused(bao, MODULE, **export(engine, tmp_path / "none", key_type, purpose))
        assert (
            f"a key of type {key_type} has no {purpose}: it has hmac-key" in message or "it has encryption-" in message
        )
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ed25519", "rsa-2048"])
def test_a_private_key_in_pkcs_8_signs_without_the_server(bao: Bao, engine: str, tmp_path: Path, key_type: str) -> None:
    path = tmp_path / "key.pem"
    text = written(bao, export(engine, path, key_type, "signing-key", format="pem"))
    assert "BEGIN PRIVATE KEY" in text
    private = serialization.load_pem_private_key(text.encode(), None)
    assert hasattr(private, "public_key")
    body = {"input": TEXT, "signature_algorithm": "pkcs1v15"}
    made = bao.done("POST", f"{engine}/sign/{key_type}", body)["data"]["signature"]
    check_signature(private.public_key(), base64.b64decode(made.split(":")[2]), b"artefact")


def test_an_exported_key_can_be_imported(bao: Bao, engine: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    text = written(bao, export(engine, path, "aes256-gcm96", "encryption-key"))
    name = f"imported-{os.urandom(4).hex()}"
    again: dict[str, Any] = {"name": name, "backend": engine, "type": "aes256-gcm96", "import": {"content": text}}
    assert converge(bao, "vault_transit_key", **again).changed
    made = bao.done("POST", f"{engine}/encrypt/aes256-gcm96", {"plaintext": TEXT})["data"]["ciphertext"]
    assert bao.done("POST", f"{engine}/decrypt/{name}", {"ciphertext": made})["data"]["plaintext"] == TEXT


def test_a_file_follows_the_key_and_gets_its_mode_back(bao: Bao, mount: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    bao.done("POST", f"{mount}/keys/ml", {"exportable": True})
    path.write_text("something else\n", encoding="ascii")
    path.chmod(0o644)
    options = export(mount, path, "ml", "encryption-key")
    first = written(bao, options)

    bao.done("POST", f"{mount}/keys/ml/rotate", {})
    second = written(bao, options)
    assert first != second
    assert run(bao, MODULE, **options, version=1)["export"]["version"] == 1
    assert path.read_text(encoding="ascii") == first
    path.chmod(0o640)
    assert run(bao, MODULE, **options, version=1).changed
    assert path.stat().st_mode & 0o777 == 0o600
    assert run(bao, MODULE, **options, version=1, mode="0400").changed
    assert path.stat().st_mode & 0o777 == 0o400


def test_what_cannot_be_exported_is_refused(bao: Bao, engine: str, mount: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    for options, reason in (
        (export(engine, path, "kept", "encryption-key"), "Set exportable: true (vault_transit_key). That cannot be"),
        (export(engine, path, "ed25519", "signing-key", version=2), "version cannot be 2: versions 1 to 1 can be"),
        (export(engine, path, "ed25519", "signing-key", version=-1), "version cannot be -1"),
        (export(engine, path, "ed25519", "signing-key", i_understand="yes"), f"must be one of: {UNDERSTOOD}"),
        (export(engine, path, "ecdsa-p256", "signing-key", format="raw"), "of this type is exported as der or pem"),
        (export(engine, path, "rsa-2048", "hmac-key", format="pem"), "the hmac-key of this type is exported as raw"),
        (export(engine, path, "aes256-gcm96", "encryption-key", format="der"), "format cannot be der: the encryption-"),
        (
            export(engine, path, "verifies", "signing-key"),
            "version 1 has the public key alone, which vault_transit_key",
        ),
        (
            export(engine, path, "gone", "encryption-key"),
            "it is soft-deleted. Set soft_deleted: false (vault_transit_k",
        ),
        (export(engine, path, "a/b", "signing-key"), "is not a key name"),
        (export(engine, tmp_path / "no" / "key", "ed25519", "signing-key"), "does not exist. Create it first"),
    ):
        assert reason in refused(bao, MODULE, **options)
    without = {name: value for name, value in export(engine, path, "ed25519", "hmac-key").items() if name[1] != "_"}
    assert "missing required arguments: i_understand" in refused(bao, MODULE, **without)
    missing = run(bao, MODULE, **export(engine, path, "none", "signing-key"))
    assert "The key 'none' does not exist in the engine" in missing.msg
    predicted = run(bao, MODULE, check=True, **export(engine, path, "none", "signing-key"))
    assert predicted.changed
    assert predicted["export"] is None
    assert "Without check mode this fails unless an earlier task creates it" in predicted.warnings[0]
    assert not path.exists()


def test_an_export_needs_no_other_right(
    bao: Bao, engine: str, tmp_path: Path, mint_token: Callable[[str], str]
) -> None:
    token = mint_token(
        f'path "{engine}/keys/ed25519" {{ capabilities = ["read"] }}\n'
        f'path "{engine}/export/signing-key/ed25519/+" {{ capabilities = ["read"] }}\n'
    )
    path = tmp_path / "key"
    written(bao, export(engine, path, "ed25519", "signing-key", token=token))
    other = run(bao, MODULE, **export(engine, path, "ed25519", "hmac-key", token=token))
    assert "'read' on" in other.msg
