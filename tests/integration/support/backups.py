# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can read backups, keys that can be backed up, and what must not show of them."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage

from tests.integration.support.runs import run
from tests.support.server import Bao


@dataclass(frozen=True)
class AgeHolder:
    """Somebody with an identity of age."""

    recipient: str
    identity: str = field(repr=False)

    @property
    def options(self) -> dict[str, str]:
        return {"age_identity": self.identity}

    def file(self, folder: Path) -> Path:
        path = folder / "identity.txt"
        path.write_text(f"# created: today\n# public key: {self.recipient}\n{self.identity}\n", encoding="utf-8")
        path.chmod(0o600)
        return path


def age_holder() -> AgeHolder:
    identity = pyrage.x25519.Identity.generate()
    return AgeHolder(str(identity.to_public()), str(identity))


@dataclass(frozen=True)
class GpgHolder:
    """Somebody with a key in a folder of GnuPG."""

    home: str
    recipient: str
    passphrase: str = field(repr=False)

    @property
    def options(self) -> dict[str, str]:
        return {"gpg_home": self.home, "gpg_passphrase": self.passphrase}

    def forget_passphrase(self) -> None:
        command = ["gpgconf", "--homedir", self.home, "--kill", "all"]
        subprocess.run(command, check=True)


@contextmanager
def gpg_holder(passphrase: str = "") -> Iterator[GpgHolder]:
    # A short name: the socket of its agent is in there.
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        Path(home).chmod(0o700)
        command = [
            "gpg",
            "--batch",
            "--quiet",
            "--homedir",
            home,
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            passphrase,
        ]
        make = [*command, "--quick-generate-key", "backup@example.com", "future-default", "default", "never"]
        subprocess.run(make, check=True, capture_output=True)
        listed = subprocess.run([*command, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True)
        fingerprints = [line.split(":")[9] for line in listed.stdout.splitlines() if line.startswith("fpr:")]
        holder = GpgHolder(home, fingerprints[0], passphrase)
        try:
            yield holder
        finally:
            holder.forget_passphrase()


def make_exportable(bao: Bao, mount: str, name: str = "ml", *, versions: int = 1, **more: object) -> str:
    """A key that can be backed up."""
    bao.done("POST", f"{mount}/keys/{name}", {"exportable": True, "allow_plaintext_backup": True, **more})
    for _version in range(1, versions):
        bao.done("POST", f"{mount}/keys/{name}/rotate", {})
    return name


def backup_file(bao: Bao, mount: str, holder: AgeHolder, path: Path, name: str = "saved") -> Path:
    """The backup of a key that is made for it."""
    make_exportable(bao, mount, name)
    params: dict[str, Any] = {"name": name, "backend": mount, "path": str(path), "recipients": [holder.recipient]}
    done = run(bao, "vault_transit_backup", **params)
    assert done.changed, done.msg
    return path


def raw_backup(bao: Bao, mount: str, name: str = "ml") -> str:
    return str(bao.done("GET", f"{mount}/backup/{name}")["data"]["backup"])


def key_material(backup: str) -> dict[str, str]:
    """What is secret in a backup: the whole of it, and each version's keys."""
    content = json.loads(base64.b64decode(backup))
    entries = [*content["policy"]["keys"].values(), *content["archived_keys"]["keys"]]
    found = {entry[part] for entry in entries for part in ("key", "hmac_key") if entry[part]}
    assert found
    texts = {f"key material {number}": text for number, text in enumerate(sorted(found))}
    raw = {f"raw {name}": base64.b64decode(text).hex() for name, text in texts.items()}
    return {**texts, **raw, "the backup": backup[:200], "the end of it": backup[-200:]}


def versions_of(bao: Bao, mount: str, name: str = "ml") -> Mapping[str, object]:
    found = bao.done("GET", f"{mount}/keys/{name}")["data"]
    counts = ("latest_version", "min_decryption_version", "min_encryption_version", "min_available_version")
    return {**{count: found[count] for count in counts}, "keys": found.get("keys")}
