# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keys on a real server, tokens with few rights, and vars files read without the code under test."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.server import Bao

KEY = "ml-api-key"


def make_key(bao: Bao, mount: str, name: str = KEY) -> None:
    """Create a derived key: a ciphertext only decrypts under its own name."""
    bao.done("POST", f"{mount}/keys/{name}", {"derived": True})


def token_for(mint_token: Callable[[str], str], mount: str, *operations: str, rules: str = "") -> str:
    """Return a token with the capability update on these operations of every key, and further rules."""
    allowed = [f'path "{mount}/{one}/*" {{ capabilities = ["update"] }}' for one in operations]
    return mint_token("\n".join([*allowed, rules]))


def content(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def decrypted(bao: Bao, path: Path) -> dict[str, str]:
    """Return the plaintexts of a file, by name."""
    return decrypted_content(bao, content(path))


def decrypted_content(bao: Bao, held: dict[str, Any]) -> dict[str, str]:
    metadata = held.pop("_transit")
    found = {}
    for name, ciphertext in held.items():
        body = {"ciphertext": ciphertext, "context": base64.b64encode(name.encode()).decode()}
        answer = bao.done("POST", f"{metadata['backend']}/decrypt/{metadata['key']}", body)
        found[name] = base64.b64decode(answer["data"]["plaintext"]).decode()
    return found


class KvDocument:
    """A document of a KV engine, and a vars file that points to it."""

    def __init__(self, bao: Bao, mount: str, pointer: Path, engine: str) -> None:
        self._bao, self.data = bao, f"{mount}/data/ml/keys"
        self.name = f"{mount}/ml/keys"
        self.rules = f'path "{self.data}" {{ capabilities = ["read", "create", "update"] }}'
        place = f"  store: kv\n  kv_mount: {mount}\n  kv_path: ml/keys\n"
        self.pointer = pointer
        self.text = f"_transit:\n  format: 1\n{place}  backend: {engine}\n  key: {KEY}\n"
        pointer.write_text(self.text)

    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = self._bao.done("GET", self.data)["data"]["data"]
        return content

    def decrypted(self) -> dict[str, str]:
        return decrypted_content(self._bao, self.content())


@contextlib.contextmanager
def kv_document(bao: Bao, mount: str, pointer: Path) -> Iterator[KvDocument]:
    """Mount a KV engine without a document."""
    path = f"kv-{mount}"
    bao.done("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": "2"}})
    try:
        yield KvDocument(bao, path, pointer, mount)
    finally:
        bao.done("DELETE", f"sys/mounts/{path}")


def holds_none(folder: Path, secrets: Mapping[str, str], *, but: tuple[Path, ...] = ()) -> None:
    """Check that no file below a folder has one of the secrets in its content or name."""
    for path in folder.rglob("*"):
        for secret in secrets.values():
            assert secret not in path.name
            if path.is_file() and path not in but:
                assert secret.encode() not in path.read_bytes(), path
