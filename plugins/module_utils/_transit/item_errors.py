# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What the server's words for a failed item of a batch mean. Pure. **Private** to the collection."""

from __future__ import annotations

NOT_GRANTED = "permission denied"

# With a key such as RSA the server answers so for a whole batch, if one item is not of the key.
FAILS_ALL = "failed to RSA decrypt"

# Both mean that this fingerprint proves nothing (any more), not that the request was wrong.
UNVERIFIABLE = ("too old", "too new", "invalid HMAC")

_MEANINGS: tuple[tuple[str, str], ...] = (
    (
        "message authentication failed",
        "it does not decrypt: another key, another context or associated data, or the ciphertext is damaged",
    ),
    (FAILS_ALL, "it does not decrypt: another key, or the ciphertext is damaged"),
    ("decryption not supported", "keys of this type encrypt nothing"),
    (
        "disallowed by policy (too old)",
        "its key version is below the key's min_decryption_version: lower that, or encrypt the value anew",
    ),
    (
        "version is too new",
        "its key version does not exist (yet): another key, or a key restored from an older backup",
    ),
    ("no prefix", "it is not a Transit ciphertext (vault:vN:...)"),
    ("could not decode base64", "the ciphertext is damaged or cut off"),
    ("invalid ciphertext length", "the ciphertext is damaged or cut off"),
    (
        "missing 'context' for key derivation",
        "the key is derived and needs the context under which the value was encrypted",
    ),
    ("illegal base64", "the ciphertext is damaged or cut off"),
    (NOT_GRANTED, "the token's policies do not allow it for this name"),
)

# It belongs to another key or another context, or it is damaged: the server cannot distinguish these.
_FOREIGN = (
    FAILS_ALL,
    "decryption not supported",
    "message authentication failed",
    "version is too new",
    "invalid ciphertext",
    "could not decode base64",
    "missing 'context'",
)


def meaning(words: str) -> str:
    """The server's words for a failed item as advice that one can act on."""
    for sign, advice in _MEANINGS:
        if sign in words:
            return advice
    return " ".join(words.split())


def is_foreign(words: str) -> bool:
    """Whether the item may belong to another key or context."""
    return any(sign in words for sign in _FOREIGN)
