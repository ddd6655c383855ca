# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of encrypted vars files, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import Edits, update
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    VarsFile,
    parse,
)

PATH = "keys.transit.yml"
SECRET = "sk-never-to-be-shown"


def sealed(version: int = 1, content: str = "QUJDREVG") -> str:
    return f"vault:v{version}:{content}"


def metadata(hmacs: Mapping[str, str], indent: str = "  ") -> str:
    lines = "".join(f"{indent}{indent}{name}: {value}\n" for name, value in hmacs.items())
    hmac = f"{indent}hmac:\n{lines}" if lines else ""
    return f"{METADATA}:\n{indent}format: 1\n{indent}backend: transit\n{indent}key: ml\n{hmac}"


def changed(
    file: VarsFile,
    ciphertexts: Mapping[str, str] | None = None,
    fingerprints: Mapping[str, str] | None = None,
    removed: Sequence[str] = (),
    fingerprint_key: str = "ml",
) -> str:
    return update(file, Edits("transit", "ml", fingerprint_key, ciphertexts or {}, fingerprints or {}, removed))


def said_of(text: str, path: str = PATH) -> str | None:
    """The message with which it is refused, ``None`` if it is not; no other error is shown with it."""
    try:
        parse(text, path)
    except InvalidOption as error:
        refused = error
    else:
        return None
    assert refused.__cause__ is None
    assert refused.__context__ is None or refused.__suppress_context__
    return refused.message


def refusal(text: str, path: str = PATH) -> str:
    said = said_of(text, path)
    assert said is not None
    return said
