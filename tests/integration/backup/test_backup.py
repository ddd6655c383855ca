# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of keys: taken when they are out of date, encrypted or not at all, and put back where nothing is lost."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action import in_process
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mlkeys._devserver.server import _binary
from tests.integration.support.backups import (
    GpgHolder,
    age_holder,
    gpg_holder,
    key_material,
    make_exportable,
    raw_backup,
    versions_of,
)
from tests.integration.support.plays import encrypted
from tests.integration.support.relay import Passed, relay
from tests.integration.support.runs import Ledger, converge, outcome, refused, run
from tests.support.modules import ModuleResult
from tests.support.server import Bao, running_bao

pytestmark = pytest.mark.usefixtures("both_ways")

HOLDER = age_holder()


@pytest.fixture(scope="session")
def other_bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A server of its own, which knows nothing of the first one."""
    with running_bao(tmp_path_factory.mktemp("other")) as bao:
        yield bao


@pytest.fixture
def empty_engine(other_bao: Bao) -> Iterator[str]:
    other_bao.done("POST", "sys/mounts/transit", {"type": "transit"})
    yield "transit"
    other_bao.done("DELETE", "sys/mounts/transit")


@pytest.fixture(scope="module")
def gpg() -> Iterator[GpgHolder]:
    with gpg_holder("a passphrase") as holder:
        yield holder


@dataclass(frozen=True)
class Backup:
    """A key, and the file with its backup."""

    bao: Bao
    mount: str
    path: Path

    def run(self, *, check: bool = False, **params: Any) -> ModuleResult:
        given = {
            "name": "ml",
            "backend": self.mount,
            "path": str(self.path),
            "recipients": [HOLDER.recipient],
            **params,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return run(self.bao, "vault_transit_backup", check=check, **given)

    def taken(self, **params: Any) -> ModuleResult:
        """Predicted, taken, and found to be up to date."""
        ledger, before = Ledger(self.bao), self.state()
        predicted = self.run(check=True, **params)
        assert predicted.changed, predicted.msg
        assert self.asked(ledger) == 0
        assert self.state() == before
        done = self.run(**params)
        assert done.changed, done.msg
        assert outcome(predicted) == outcome(done)
        assert self.asked(ledger) == 1
        self.kept(**{**params, "force": False})
        return done

    def kept(self, **params: Any) -> None:
        ledger, before = Ledger(self.bao), self.state()
        for check in (True, False):
            result = self.run(check=check, **params)
            assert not result.failed, result.msg
            assert not result.changed
            assert result["reason"] == ""
            assert result["diff"]["before"] == result["diff"]["after"]
        assert self.asked(ledger) == 0
        assert self.state() == before

    def refused(self, **params: Any) -> str:
        """What is said, alike in check mode, before the key was asked for and anything was written."""
        ledger, before = Ledger(self.bao), self.state()
        messages = set()
        for check in (True, False):
            result = self.run(check=check, **params)
            assert result.failed
            assert not result.changed
            messages.add(result.msg)
        assert self.asked(ledger) == 0
        assert self.state() == before
        [message] = messages
        return message

    def state(self) -> Any:
        return {path.name: path.read_bytes() for path in self.path.parent.iterdir()}

    def asked(self, ledger: Ledger) -> int:
        return sum(path.startswith(f"{self.mount}/backup/") for _operation, path in ledger.requests)

    def rotate(self) -> None:
        self.bao.done("POST", f"{self.mount}/keys/ml/rotate", {})

    def configure(self, **options: object) -> None:
        self.bao.done("POST", f"{self.mount}/keys/ml/config", options)

    def remove(self) -> None:
        self.configure(deletion_allowed=True)
        self.bao.done("DELETE", f"{self.mount}/keys/ml")

    def restore(self, **params: Any) -> dict[str, Any]:
        """The options that restore it where it was, for `run` and its like. Those that are `None` are not given."""
        given = {"path": str(self.path), "backend": self.mount, **HOLDER.options, **params}
        return {name: value for name, value in given.items() if value is not None}


@pytest.fixture
def backup(bao: Bao, mount: str, tmp_path: Path) -> Backup:
    make_exportable(bao, mount)
    return Backup(bao, mount, tmp_path / "ml.backup")


RESTORE = "vault_transit_restore"


def wait_for_another_second() -> None:
    """The server shows in whole seconds when versions were made."""
    time.sleep(1.1)


# --- taking ---


def test_it_is_taken_when_it_is_out_of_date(backup: Backup) -> None:
    done = backup.taken()
    assert done["reason"] == "there is none yet"
    assert done["backup"] == {
        "key": "ml",
        "backend": backup.mount,
        "type": "aes256-gcm96",
        "latest_version": 1,
        "min_decryption_version": 1,
        "min_encryption_version": 0,
        "min_available_version": 0,
        "recipients": [HOLDER.recipient],
    }
    assert backup.path.stat().st_mode & 0o777 == 0o600
    head = backup.path.read_text().partition("\n\n")[0]
    assert "key: ml\n" in head
    assert f"recipient: {HOLDER.recipient}" in head
    backup.rotate()
    assert backup.taken()["reason"] == "the key has other versions"
    backup.configure(min_decryption_version=2, min_encryption_version=2)
    done = backup.taken()
    assert done["reason"] == "the key has another floor"
    assert done["diff"]["before"]["min_decryption_version"] == 1
    assert done["diff"]["after"]["min_decryption_version"] == 2
    backup.bao.done("POST", f"{backup.mount}/keys/ml/trim", {"min_available_version": 2})
    # Trimmed versions are in the older backup alone.
    older, beside = backup.path.read_bytes(), backup.path.with_suffix(f".v1-v2{backup.path.suffix}")
    backup.path.chmod(0o640)
    assert (backup.run(check=True)["kept"], beside.exists()) == (str(beside), False)
    beside.write_text("of another time")
    done = backup.taken()
    assert done["reason"] == "the key has other versions"
    kept = backup.path.with_suffix(f".v1-v2-2{backup.path.suffix}")
    assert (done["kept"], kept.read_bytes(), beside.read_text()) == (str(kept), older, "of another time")
    assert (kept.stat().st_mode & 0o777, backup.path.stat().st_mode & 0o777) == (0o640, 0o640)
    second = age_holder()
    done = backup.taken(recipients=["# of the team", "", HOLDER.recipient, second.recipient])
    assert done["reason"] == "it is for other recipients"
    backup.kept(recipients=[second.recipient, HOLDER.recipient])
    first = backup.path.read_bytes()
    assert backup.taken(recipients=[second.recipient, HOLDER.recipient], force=True)["reason"] == "it was asked for"
    assert backup.path.read_bytes() != first


def test_what_is_encrypted_is_what_the_server_gave(backup: Backup) -> None:
    backup.taken()
    sealed = backup.path.read_text().partition("\n\n")[2]
    opened = pyrage.decrypt(sealed.encode(), [pyrage.x25519.Identity.from_str(HOLDER.identity)])
    assert key_material(opened.decode()).keys() == key_material(raw_backup(backup.bao, backup.mount)).keys()
    backup.bao.done("POST", f"{backup.mount}/restore/by-hand", {"backup": opened.decode()})


def test_mode_and_what_is_not_backup(backup: Backup) -> None:
    backup.taken(mode="0640")
    assert backup.path.stat().st_mode & 0o777 == 0o640
    backup.kept()
    result = backup.run(mode="0600")
    assert result.changed
    assert result["reason"] == ""
    assert backup.path.stat().st_mode & 0o777 == 0o600
    backup.path.write_text("a letter\n")
    assert "is not a backup that vault_transit_backup has written" in backup.refused(force=True)
    backup.path.write_bytes(b"\xff\xfe")
    assert "it is not UTF-8 text" in backup.refused(force=True)


def test_a_backup_of_another_key_or_of_lost_versions_is_not_overwritten(backup: Backup) -> None:
    make_exportable(backup.bao, backup.mount, "other")
    backup.taken(name="other")
    message = backup.refused(force=True)
    assert f"it holds a backup of the key 'other' of the engine '{backup.mount}', not of 'ml'" in message
    backup.path.unlink()
    old = raw_backup(backup.bao, backup.mount)
    backup.rotate()
    backup.rotate()
    backup.taken()
    backup.bao.done("POST", f"{backup.mount}/restore/ml", {"backup": old, "force": True})
    assert (
        "it holds versions 2 to 3 of the key 'ml', which the server's key does not have (any more)" in backup.refused()
    )
    # Another key under the same name and with as many versions.
    backup.remove()
    wait_for_another_second()
    make_exportable(backup.bao, backup.mount, versions=3)
    assert "force: true to lose them" in backup.refused()
    assert backup.taken(force=True)["reason"] == "the key has other versions"


@pytest.mark.parametrize("allowed", [(), ("exportable",), ("allow_plaintext_backup",)])
def test_a_key_that_does_not_allow_it(bao: Bao, mount: str, tmp_path: Path, allowed: tuple[str, ...]) -> None:
    bao.done("POST", f"{mount}/keys/ml", dict.fromkeys(allowed, True))
    message = Backup(bao, mount, tmp_path / "ml.backup").refused()
    for option in ("exportable", "allow_plaintext_backup"):
        assert (f"{option}: true" in message) is (option not in allowed)
    assert "cannot be undone" in message


@pytest.mark.parametrize(
    ("recipients", "message"),
    [
        ([], "recipients is empty: a backup is only ever written encrypted to somebody"),
        (["", "# nobody"], "recipients is empty"),
        (["backup@example.com"], "is neither a recipient of age"),
        ([HOLDER.recipient[:-1]], "is mistyped or cut off"),
        (["ssh-ed25519 AAAA"], "is mistyped or cut off"),
        ([HOLDER.recipient, "A" * 40], "either all or none of them must be GnuPG's"),
        (["A" * 40], "GnuPG does not accept " + "A" * 40 + ": it has no key of that fingerprint"),
    ],
)
def test_a_recipient_that_is_invalid(backup: Backup, recipients: list[str], message: str) -> None:
    assert message in backup.refused(recipients=recipients)


def test_a_private_key_among_the_recipients_is_refused_and_does_not_show(backup: Backup) -> None:
    secret = age_holder().identity
    result = backup.run(recipients=[HOLDER.recipient, secret])
    assert result.failed
    assert "one of them is a private key" in result.msg
    assert secret not in json.dumps(result)


def test_without_recipients_or_tools_there_is_not_backup(backup: Backup) -> None:
    assert "missing required arguments: recipients" in backup.refused(recipients=None)
    assert "The program no-gpg was not found. Install GnuPG" in backup.refused(
        recipients=["A" * 40], gpg_binary="no-gpg"
    )


def test_a_library_that_is_missing_is_named(backup: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    monkeypatch.setattr(in_process, "_is_installed", lambda _library: True)
    assert "Failed to import the required Python library (pyrage)" in backup.refused()


def test_a_key_that_is_not_there(bao: Bao, mount: str, tmp_path: Path) -> None:
    backup = Backup(bao, mount, tmp_path / "ml.backup")
    predicted = backup.run(check=True)
    assert predicted.changed
    assert "fails unless an earlier task creates it" in predicted.warnings[0]
    assert "The key 'ml' does not exist" in backup.run().msg
    assert not backup.path.exists()
    assert "No secrets engine is mounted" in backup.run(backend=f"{mount}-none").msg
    assert "Create it first" in backup.refused(path=str(tmp_path / "none" / "ml.backup"))


# --- restoring ---

TYPES = ["aes256-gcm96", "chacha20-poly1305", "ed25519", "rsa-2048", "hmac"]


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_comes_back_with_its_versions_and_floors(
    backup: Backup, other_bao: Bao, empty_engine: str, type_: str
) -> None:
    name = make_exportable(
        backup.bao, backup.mount, type_, versions=3, type=type_, **({"key_size": 32} if type_ == "hmac" else {})
    )
    backup.bao.done("POST", f"{backup.mount}/keys/{name}/config", {"min_decryption_version": 2})
    backup.taken(name=name)
    params: dict[str, Any] = {"path": str(backup.path), "backend": empty_engine, **HOLDER.options}
    done = converge(other_bao, RESTORE, **params)
    assert done.changed
    assert versions_of(other_bao, empty_engine, name) == versions_of(backup.bao, backup.mount, name)
    again = run(other_bao, RESTORE, **params)
    assert again["reason"] == "nothing to do: the key exists with the same versions"


def test_every_ciphertext_decrypts_on_an_empty_server(backup: Backup, other_bao: Bao, empty_engine: str) -> None:
    name = make_exportable(backup.bao, backup.mount, "derived", derived=True)
    ciphertexts: list[dict[str, str]] = []
    for number in range(3):
        ciphertexts.append(encrypted(backup.bao, backup.mount, {"openai": f"sk-{number}", "hf": f"hf-{number}"}, name))
        backup.bao.done("POST", f"{backup.mount}/keys/{name}/rotate", {})
    # The first version is kept below the floor, and comes back as well.
    backup.bao.done("POST", f"{backup.mount}/keys/{name}/config", {"min_decryption_version": 2})
    backup.taken(name=name)
    converge(other_bao, RESTORE, **backup.restore(backend=empty_engine))
    assert versions_of(other_bao, empty_engine, name) == versions_of(backup.bao, backup.mount, name)
    body = {"ciphertext": ciphertexts[0]["hf"], "context": base64.b64encode(b"hf").decode()}
    assert "too old" in str(other_bao.request("POST", f"transit/decrypt/{name}", body))
    other_bao.done("POST", f"{empty_engine}/keys/{name}/config", {"min_decryption_version": 1})
    for number, texts in enumerate(ciphertexts):
        for secret, text in texts.items():
            body = {"ciphertext": text, "context": base64.b64encode(secret.encode()).decode()}
            opened = other_bao.done("POST", f"transit/decrypt/{name}", body)["data"]["plaintext"]
            assert base64.b64decode(opened).decode() == f"{'sk' if secret == 'openai' else 'hf'}-{number}"


def test_an_identity_may_be_in_a_file_or_in_the_environment(backup: Backup, tmp_path: Path) -> None:
    backup.taken()
    path = HOLDER.file(tmp_path)
    for number, given in enumerate(({"MLKEYS_AGE_IDENTITY": HOLDER.identity}, {"MLKEYS_AGE_IDENTITY_FILE": str(path)})):
        result = run(backup.bao, RESTORE, env=given, **backup.restore(name=f"by-{number}", age_identity=None))
        assert result.changed, result.msg
    converge(backup.bao, RESTORE, **backup.restore(name="by-file", age_identity=None, age_identity_file=str(path)))


def test_an_ssh_key_serves(backup: Backup, tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    key = tmp_path / "id_ed25519"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    done = backup.taken(recipients=[f"{public} somebody@example.com"])
    assert done["backup"]["recipients"] == [public]
    converge(backup.bao, RESTORE, **backup.restore(name="by-ssh", age_identity=None, age_identity_file=str(key)))


def test_gnupg_serves(backup: Backup, gpg: GpgHolder) -> None:
    spelled = " ".join(gpg.recipient[at : at + 4] for at in range(0, 40, 4)).lower()
    done = backup.taken(recipients=[spelled], gpg_home=gpg.home)
    assert done["backup"]["recipients"] == [gpg.recipient]
    params = backup.restore(name="by-gpg", age_identity=None, gpg_home=gpg.home)
    gpg.forget_passphrase()
    assert "GnuPG could not use the private key" in refused(backup.bao, RESTORE, **params)
    assert "GnuPG could not use the private key" in refused(backup.bao, RESTORE, **params, gpg_passphrase="wrong")
    converge(backup.bao, RESTORE, **params, gpg_passphrase=gpg.passphrase)
    by_hand = 'sed \'1,/^$/d\' "$FILE" | gpg --homedir "$HOME_OF_GPG" --decrypt | "$BAO" write "$PLACE" backup=-'
    environment = {
        **os.environ,
        "FILE": str(backup.path),
        "HOME_OF_GPG": gpg.home,
        "BAO": _binary(),
        "PLACE": f"{backup.mount}/restore/by-hand",
        "BAO_ADDR": backup.bao.addr,
        "BAO_TOKEN": backup.bao.token,
    }
    shell = ["bash", "-o", "pipefail", "-c", by_hand]
    subprocess.run(shell, env=environment, check=True, capture_output=True)
    assert versions_of(backup.bao, backup.mount, "by-hand") == versions_of(backup.bao, backup.mount)
    with gpg_holder() as stranger:
        message = refused(backup.bao, RESTORE, **{**params, "name": "none", "gpg_home": stranger.home})
    assert "GnuPG has no private key of its recipients" in message
    text = backup.path.read_text()
    backup.path.write_text(text[:-200] + "\n-----END PGP MESSAGE-----\n")
    message = refused(backup.bao, RESTORE, **{**params, **gpg.options, "name": "none"})
    assert "is damaged: GnuPG cannot decrypt it" in message


def test_what_cannot_be_opened_is_said_before_anything_is_written(backup: Backup, tmp_path: Path) -> None:
    backup.taken()

    def said(**more: Any) -> str:
        return refused(backup.bao, RESTORE, **backup.restore(**{"name": "none", **more}))

    assert "set age_identity_file (MLKEYS_AGE_IDENTITY_FILE)" in said(age_identity=None)
    assert "is encrypted to others" in said(**age_holder().options)
    assert "holds no age identity" in said(age_identity="nonsense")
    missing = str(tmp_path / "none")
    assert "cannot be read: No such file or directory" in said(age_identity=None, age_identity_file=missing)
    assert f"The file {missing} does not exist." in said(path=missing)
    text = backup.path.read_text()
    head, gap, sealed = text.partition("\n\n")
    damaged = {
        head: "is damaged: its header or what follows it is incomplete",
        head + gap + sealed[:200] + "\n": "is damaged: age cannot decrypt it",
        head + gap + "no armor\n": "encrypted neither with age nor with GnuPG",
        text.replace("latest_version: 1\n", "latest_version: x\n"): "is damaged: its header",
        text.replace("latest_version: 1\n", "latest_version: 2\n"): "its header does not describe the backup in it",
        text.replace("key: ml\n", "key: other\n"): "which is of the key 'ml' up to version 1",
        text.replace("format: mlkeys", "format: others"): "is not a backup that vault_transit_backup has written",
    }
    for broken, message in damaged.items():
        backup.path.write_text(broken)
        assert message in said(), message
    other = pyrage.encrypt(b"no backup", [pyrage.x25519.Recipient.from_str(HOLDER.recipient)], armored=True).decode()
    backup.path.write_text(head + gap + other)
    assert "its encrypted content is not a backup of a key" in said()


def test_a_key_that_is_there_is_not_overwritten_unasked(backup: Backup) -> None:
    bao = backup.bao
    backup.taken()
    backup.rotate()
    message = refused(bao, RESTORE, **backup.restore())
    assert (
        "it exists and has version 2, which the backup lacks. To put the backup in its place, set force: true"
        in message
    )
    message = refused(bao, RESTORE, **backup.restore(force=True))
    assert "everything encrypted with it would be lost for good" in message
    assert "set destroy_versions: true as well" in message
    assert "force: true" in refused(bao, RESTORE, **backup.restore(destroy_versions=True))
    done = converge(bao, RESTORE, **backup.restore(force=True, destroy_versions=True))
    assert (done["diff"]["before"]["latest_version"], done["diff"]["after"]["latest_version"]) == (2, 1)
    assert versions_of(bao, backup.mount)["latest_version"] == 1


def test_a_newer_backup_needs_force_alone_and_so_does_another_floor(backup: Backup) -> None:
    bao = backup.bao
    old = raw_backup(bao, backup.mount)
    backup.rotate()
    backup.taken()
    bao.done("POST", f"{backup.mount}/restore/ml", {"backup": old, "force": True})
    assert "it exists and lacks version 2 of the backup" in refused(bao, RESTORE, **backup.restore())
    assert converge(bao, RESTORE, **backup.restore(force=True)).changed
    backup.configure(min_decryption_version=2)
    assert not converge(bao, RESTORE, **backup.restore()).changed
    assert converge(bao, RESTORE, **backup.restore(force=True)).changed
    assert versions_of(bao, backup.mount)["min_decryption_version"] == 1


def test_another_key_of_the_same_name_is_recognized(backup: Backup) -> None:
    backup.taken()
    backup.remove()
    wait_for_another_second()
    make_exportable(backup.bao, backup.mount)
    message = refused(backup.bao, RESTORE, **backup.restore(force=True))
    assert "the backup lacks version 1" in message


def test_an_engine_that_is_not_there(backup: Backup) -> None:
    backup.taken()
    params = backup.restore(backend=f"{backup.mount}-none")
    predicted = run(backup.bao, RESTORE, check=True, **params)
    assert predicted.changed
    assert "is not enabled" in predicted.warnings[0]
    result = run(backup.bao, RESTORE, **params)
    assert result.failed
    assert "No secrets engine is mounted" in result.msg


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("retries", [None, 3])
def test_a_restore_whose_answer_is_lost_is_sent_once(backup: Backup, retries: int | None, force: bool) -> None:
    backup.taken()
    if force:
        backup.rotate()
    cut: list[str] = []

    def cuts(request: Passed) -> bool:
        if "/restore/" in request.path:
            cut.append(request.path)
        return "/restore/" in request.path

    with relay(backup.bao.addr) as server:
        server.cuts = cuts
        params = backup.restore(
            **({"force": True, "destroy_versions": True} if force else {"name": "again"}),
            url=server.url,
            retries=retries,
        )
        result = run(backup.bao, RESTORE, **params)
    assert result.changed, result.msg
    assert len(cut) == 1


def test_the_documented_rights_are_enough(backup: Backup, mint_token: Callable[[str], str]) -> None:
    grant = {"key": "ml", "allow": ["backup"]}
    made = run(backup.bao, "vault_transit_policy", name=f"{backup.mount}-p", backend=backup.mount, grants=[grant])
    token = mint_token(made["policy"]["rules"])
    backup.bao.done("DELETE", f"sys/policies/acl/{backup.mount}-p")
    backup.taken(token=token)
    backup.remove()
    converge(backup.bao, RESTORE, **backup.restore(token=token))
    rights = 'path "M/keys/ml" {capabilities = ["read"]}\npath "M/%s/ml" {capabilities = ["%s"]}'
    taker = mint_token((rights % ("backup", "read")).replace("M", backup.mount))
    backup.taken(token=taker, force=True)
    backup.remove()
    assert "capability 'update' on" in run(backup.bao, RESTORE, **backup.restore(token=taker)).msg
    restorer = mint_token((rights % ("restore", "update")).replace("M", backup.mount))
    converge(backup.bao, RESTORE, **backup.restore(token=restorer))
    assert "'read' on" in backup.run(token=restorer, force=True).msg
    for operation in ("export/encryption-key/ml", "encrypt/ml", "decrypt/ml", "keys/ml/rotate"):
        assert backup.bao.request("POST", f"{backup.mount}/{operation}", {}, token=token)[0] == 403


def test_nothing_of_the_key_shows(backup: Backup, tmp_path: Path) -> None:
    secrets = key_material(raw_backup(backup.bao, backup.mount))
    results = [backup.taken(), backup.run(force=True), backup.run(path=str(tmp_path / "none" / "x"))]
    results += [run(backup.bao, RESTORE, **backup.restore(name=name)) for name in ("a", "a", "no/name")]
    backup.rotate()
    results.append(run(backup.bao, RESTORE, **backup.restore()))
    shown = json.dumps(results) + backup.path.read_text() + backup.bao.audit_log.read_text()
    assert [name for name, secret in secrets.items() if secret in shown] == []
    assert HOLDER.identity not in json.dumps(results)


def test_what_the_server_says_of_a_backup_that_it_cannot_read_does_not_show(bao: Bao, mount: str) -> None:
    # Its parser repeats the number, which in an RSA key is a part of the key.
    broken = {"policy": {"name": "ml", "latest_version": 12345678901234567890123}}
    backup = base64.b64encode(json.dumps(broken).encode()).decode()
    assert "12345678901234567890123" in str(bao.request("POST", f"{mount}/restore/ml", {"backup": backup}))
    transit = Transit(Client(Connection(url=bao.addr), warn=print, token=bao.token), mount)
    with pytest.raises(ServerError) as caught:
        transit.restore_key("ml", backup, force=False)
    refused = f"The server refused '{mount}/restore/ml' (HTTP 500)."
    assert str(caught.value) == f"{refused} Asked: {bao.addr}, the root namespace."
