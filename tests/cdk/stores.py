# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keys on a real server, tokens that may do little with them, and vars files read without the code under test."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.server import Bao

KEY = "ml-api-key"


def make_key(bao: Bao, mount: str, name: str = KEY) -> None:
    """A derived key: what is encrypted with it decrypts under its own name alone."""
    bao.done("POST", f"{mount}/keys/{name}", {"derived": True})


def token_for(mint_token: Callable[[str], str], mount: str, *operations: str) -> str:
    """A token with the capability update on these operations of every key, and nothing else."""
    return mint_token("\n".join(f'path "{mount}/{one}/*" {{ capabilities = ["update"] }}' for one in operations))


def content(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def decrypted(bao: Bao, path: Path) -> dict[str, str]:
    """The plaintexts of a file, by name."""
    held = content(path)
    metadata = held.pop("_transit")
    found = {}
    for name, ciphertext in held.items():
        body = {"ciphertext": ciphertext, "context": base64.b64encode(name.encode()).decode()}
        answer = bao.done("POST", f"{metadata['backend']}/decrypt/{metadata['key']}", body)
        found[name] = base64.b64decode(answer["data"]["plaintext"]).decode()
    return found


def holds_none(folder: Path, secrets: Mapping[str, str], *, but: tuple[Path, ...] = ()) -> None:
    """No file below a folder holds one of the secrets, nor has it in its name."""
    for path in folder.rglob("*"):
        for secret in secrets.values():
            assert secret not in path.name
            if path.is_file() and path not in but:
                assert secret.encode() not in path.read_bytes(), path
