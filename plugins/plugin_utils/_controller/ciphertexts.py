# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ciphertext shows without the server. Pure. **Private** to the collection."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version

# Bytes that a ciphertext is longer than its plaintext: nonce and tag.
_OVERHEADS = {"aes128-gcm96": 28, "aes256-gcm96": 28, "chacha20-poly1305": 28, "xchacha20-poly1305": 40}
# Bytes of every ciphertext.
_SIZES = {"rsa-2048": 256, "rsa-3072": 384, "rsa-4096": 512}
# Keys of these types encrypt nothing.
_OTHERS = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "hmac")


def version_of(value: Any) -> int | None:
    """The key version of a ciphertext, ``None`` for what is not a ciphertext in form."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    version = ciphertext_version(text)
    return version if version and _payload(text) is not None else None


def may_be_of(value: Any, key: Mapping[str, Any]) -> bool:
    """Whether a ciphertext may be of this key, by its version and its size. Whether it is, only the server knows.

    Args:
        key: as ``vault_transit_key_info`` returns it.

    Raises:
        ValueError: it is not a key with a type and a latest version.
    """
    kind, latest = key.get("type"), key.get("latest_version")
    if not isinstance(kind, str) or not isinstance(latest, int):
        raise ValueError("the key has no type or latest_version")
    version = version_of(value)
    if version is None or kind in _OTHERS:
        return False
    oldest = key.get("min_available_version") or 1
    payload = _payload(str(value).strip()) or b""
    fits = len(payload) == _SIZES[kind] if kind in _SIZES else len(payload) >= _OVERHEADS.get(kind, 1)
    return int(oldest) <= version <= latest and fits


def _payload(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.rpartition(":")[2], validate=True)
    except (binascii.Error, ValueError):
        return None
