# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nested data, and encrypted vars files that hold them without a server."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import Edits, update
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    NESTED,
    VarsFile,
    assembled,
    bound,
    fingerprint_input,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import flattened
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import Json, decoded, encoded
from hypothesis import strategies as st

from tests.support.ciphertext_forms import token

PATHS = ["keys.transit.yml", "keys.transit.json"]
# No ciphertext is shorter.
_NONCE = bytes(28)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ["yes", "null", "0", "080", "1:30", "<<", "a.b", "a%2Eb", "%", "=", "-", "hmac", "_transit", "true", "1e3", "~"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))
NAMES = st.sampled_from(["a", "b", "providers", "n", "_x9"])
DATA = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)


def encrypted(values: Mapping[str, bytes], version: int = 1) -> dict[str, str]:
    """Texts that look like ciphertexts, and hold what is encrypted."""
    return {name: token(version, _NONCE + name.encode() + bytes(1) + value) for name, value in values.items()}


def opened(ciphertext: str) -> tuple[str, bytes]:
    """The name and the content that such a text holds."""
    name, _nul, content = base64.b64decode(ciphertext.split(":")[2])[len(_NONCE) :].partition(b"\0")
    return name.decode(), content


def changed(
    file: VarsFile,
    data: Mapping[str, Any],
    removed: tuple[str, ...] = (),
    version: int = 1,
    same: Collection[str] = (),
) -> str:
    """The text with other data; what is the same is not encrypted again."""
    values = {path: encoded(value) for path, value in flattened(data).items() if path not in same}
    texts = encrypted(values, version)
    prints = {
        name: bound(fingerprint_of(name, values[name]), texts[name], is_json=isinstance(values[name], Json))
        for name in texts
    }
    return update(file, Edits("transit", "ml", "ml", texts, prints, removed, NESTED))


def fingerprint_of(name: str, value: bytes) -> str:
    return "vault:v1:" + base64.b64encode(str(hash(fingerprint_input(name, value))).encode().ljust(32)[:32]).decode()


def decrypted(file: VarsFile) -> dict[str, Any]:
    """The data of a file."""
    contents = {}
    for entry in file.entries.values():
        name, content = opened(entry.ciphertext)
        assert name == entry.name, "under a derived key this does not decrypt"
        contents[name] = entry.opened(content)
    return assembled(file, {**file.open, **{name: decoded(content) for name, content in contents.items()}})


def typed(value: Any) -> Any:
    """A value that differs from those that are only equal to it, such as 1 from 1.0 and from true."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    return [typed(inner) for inner in value] if isinstance(value, list) else (type(value), value)
