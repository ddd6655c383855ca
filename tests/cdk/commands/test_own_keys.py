# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A program imports keys, keeps data keys and signs on a real server, and leaves no material behind."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tests.cdk.apps import PROGRAMS
from tests.cdk.command import changes, mlkeys
from tests.support import key_material
from tests.support.canary import leaking_files
from tests.support.key_material import check_signature
from tests.support.server import Bao

PASSPHRASE = "canary-passphrase-Rr4"
ARCHIVE = "canary key of exactly 32 letters"


def test_a_program_with_own_keys_is_deployed(fresh: Bao, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.mkdir()
    shutil.copy(PROGRAMS["own-keys"], program / "app.py")
    (program / "artefacts.pem").write_text(key_material.pem("ed25519", 9, PASSPHRASE), encoding="ascii")
    server = {"BAO_ADDR": fresh.addr, "BAO_TOKEN": fresh.token}
    sources = {"ARTEFACTS_PASSPHRASE": PASSPHRASE, "ARCHIVE_KEY": ARCHIVE.encode().hex()}

    first = mlkeys("deploy", cwd=program, env={**server, **sources})
    file = program / "mlkeys.out/ansible/own-keys/outputs.json"
    outputs = json.loads(file.read_text(encoding="utf-8"))

    assert outputs["valid"] in (True, "True")
    signature = base64.b64decode(outputs["signature"].split(":")[2])
    public = serialization.load_pem_public_key(key_material.public_pem("ed25519", 9).encode())
    check_signature(public, signature, b"release 1.0 for archive, in '{braces}'")
    sealed = {"ciphertext": outputs["data_key"], "context": base64.b64encode(b"archive_2026").decode()}
    plaintext = fresh.done("POST", "own-keys/decrypt/archive", sealed)["data"]["plaintext"]
    data_key = base64.b64decode(plaintext).decode()
    assert len(base64.b64decode(data_key)) == 32

    # Once imported, the material may be gone. A data key stays.
    (program / "artefacts.pem").unlink()
    second = mlkeys("deploy", cwd=program, env=server)
    assert changes(second.stdout) == 0
    assert json.loads(file.read_text(encoding="utf-8")) == outputs

    for run in (first, second):
        (program / "shown").write_text(run.stdout + run.stderr, encoding="utf-8")
        planted = {"the passphrase": PASSPHRASE, "the key": ARCHIVE, "the data key": data_key}
        assert leaking_files(program, planted) == set()
