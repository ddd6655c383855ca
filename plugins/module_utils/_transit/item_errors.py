# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What the server's words for a failed item of a batch mean. It sends no requests. **Private** to the collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import OF_SOME_TYPES, unsuitable

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

NOT_GRANTED = "permission denied"

# The server answers so for a whole batch with a key such as RSA, if one item is not of the key, or is of a version that
# has the public key alone.
_NOT_OF_KEY = "failed to RSA decrypt"
_FAILS_ALL = (_NOT_OF_KEY, "does not have a private counterpart")

# Both mean that this fingerprint proves nothing (any more), not that the request was wrong.
UNVERIFIABLE = ("too old", "too new", "invalid HMAC")

# Of a signature by a key on a curve: what it is not valid for is not even of its form.
NOT_A_SIGNATURE = "supplied signature is invalid"

# Of the one version or the key of a whole request.
NO_SUCH_VERSION = "key version does not exist"
_BELOW_FLOOR = "no such key version"
_OF_ALL = (
    NO_SUCH_VERSION,
    _BELOW_FLOOR,
    "version is too old (disallowed by policy)",
    "refusing to use soft-deleted key",
)

_HTTP_TOO_LARGE = 413
# In Vault's words for a text of more bytes than its listener takes.
TOO_LONG = "exceeds allowed length"
_HTTP_NOT_FOUND = 404

_PUBLIC_ALONE = (
    "the server has the public key of this version alone: import the private key, with complete: true in option import "
    "of vault_transit_key"
)

_NO_VERSION = "its key_version does not exist (yet): 0 is the latest"
_BELOW_ENCRYPTION = "its key_version is below the key's min_encryption_version: 0 is the latest"

_NOT_ALLOWED = "the token's policies do not allow it for this name: add the name to 'secrets' of the grant"

_NOT_A_CIPHERTEXT = "it is not a Transit ciphertext (vault:vN:...)"
_NOT_AN_HMAC = "its hmac is not a Transit HMAC (vault:vN:...)"
_NOT_TRANSIT_SIGNATURE = "its signature is not a Transit signature (vault:vN:...)"

_MEANINGS: tuple[tuple[str, str], ...] = (
    ("invalid HMAC to verify: no prefix", _NOT_AN_HMAC),
    ("invalid HMAC: version number", _NOT_AN_HMAC),
    ("invalid signature: no prefix", _NOT_TRANSIT_SIGNATURE),
    ("invalid signature: version number", _NOT_TRANSIT_SIGNATURE),
    (
        "message authentication failed",
        "it does not decrypt: another key, another context or associated data, or the ciphertext is damaged",
    ),
    (_NOT_OF_KEY, "it does not decrypt: another key, or the ciphertext is damaged"),
    ("decryption not supported", "keys of this type encrypt nothing"),
    (
        "disallowed by policy (too old)",
        "its key version is below the key's min_decryption_version: lower that, or encrypt the value again",
    ),
    (
        "version is too new",
        "its key version does not exist (yet): another key, or a key restored from an older backup",
    ),
    ("missing ciphertext", "it is empty"),
    ("no prefix", _NOT_A_CIPHERTEXT),
    ("version number could not be decoded", _NOT_A_CIPHERTEXT),
    ("could not decode base64", "the ciphertext is damaged or cut off"),
    ("invalid ciphertext length", "the ciphertext is damaged or cut off"),
    (
        "missing 'context' for key derivation",
        "the key is derived and needs the context under which the value was encrypted",
    ),
    ("illegal base64", "the ciphertext is damaged or cut off"),
    ("does not contain a private part", _PUBLIC_ALONE),
    ("does not have a private counterpart", _PUBLIC_ALONE),
    ("less than the minimum encryption key version", _BELOW_ENCRYPTION),
    ("higher than the latest key version", _NO_VERSION),
    (NO_SUCH_VERSION, _NO_VERSION),
    (_BELOW_FLOOR, "its key_version is below the key's min_decryption_version: 0 is the latest"),
    ("message too long for RSA", "it is too long for this key: an RSA key encrypts a few hundred bytes at most"),
    ("input must be hashed with given hash", "it is not a digest of hash_algorithm, which prehashed says that it is"),
    ("input length does not match", "it is not a digest of hash_algorithm, which prehashed says that it is"),
    ("invalid base64 signature value", "it is not a Transit signature, or in another marshaling_algorithm"),
    ("refusing to use soft-deleted key", "the key is soft-deleted: restore it"),
    ("requested salt length", "its salt_length is too long for the key and hash_algorithm"),
    (NOT_GRANTED, _NOT_ALLOWED),
)

_COMPUTED_HERE = "filter hash, or for a file the checksum of the module ansible.builtin.stat"
_AS_VALUE = f"Use the digest of the content as the value: {_COMPUTED_HERE}."
_BY_DIGEST = "with prehashed=true and encoding=base64 if the key is of type rsa-* or ecdsa-*, else as the value"
_ONE_CIPHERTEXT = (
    "Check that the value is a single ciphertext. If it is, raise that limit to what it was when the value was "
    "encrypted."
)
# What to do with a value that is too large for an operation.
_SMALLER: Mapping[str, str] = {
    "cmac": _AS_VALUE,
    "datakey": "Use a shorter context and less associated data.",
    "decrypt": _ONE_CIPHERTEXT,
    "encrypt": "Encrypt less in one value, or encrypt the content with a data key (operation datakey).",
    "hash": f"Compute the digest on the controller: {_COMPUTED_HERE}.",
    "hmac": _AS_VALUE,
    "rewrap": _ONE_CIPHERTEXT,
    "sign": f"Sign the digest of the content, {_BY_DIGEST}.",
    "verify": f"Verify with the digest of the content, {_BY_DIGEST} that was signed.",
    "verify_hmac": _AS_VALUE,
}

_NEEDS_CONTEXT = "missing 'context' for key derivation"
_TOO_OLD = "too old"

# What some of them mean with operations that have nothing to do with a ciphertext.
_MEANINGS_OF: Mapping[str, tuple[tuple[str, str], ...]] = {
    "datakey": ((_NEEDS_CONTEXT, "the key is derived and needs a context, with which the data key decrypts"),),
    "encrypt": ((_NEEDS_CONTEXT, "the key is derived and needs a context, with which the value decrypts"),),
    "cmac": ((_TOO_OLD, _BELOW_ENCRYPTION),),
    "hmac": ((_TOO_OLD, _BELOW_ENCRYPTION),),
    "sign": ((_NEEDS_CONTEXT, "the key is derived and needs a context, with which the signature is verified"),),
    "verify": (
        (_NEEDS_CONTEXT, "the key is derived and needs the context with which the value was signed"),
        (_TOO_OLD, "its signature is of a version below the key's min_decryption_version: lower that, or sign again"),
    ),
    "verify_hmac": (
        ("illegal base64", "its hmac is damaged or cut off"),
        (_TOO_OLD, "its hmac is of a version below the key's min_decryption_version: lower that, or compute it again"),
    ),
}

# It belongs to another key or another context, or it is damaged: the server cannot distinguish these.
_FOREIGN = (
    _NOT_OF_KEY,
    "decryption not supported",
    "message authentication failed",
    "version is too new",
    "invalid ciphertext",
    "could not decode base64",
    "missing 'context'",
)


_NOT_BOUND = re.compile(r"provided for non-AEAD cipher suite ([\w-]+)")
# The server's two ways to say it.
_TYPE = re.compile(r"key type (\S+) does not support|not supported for key type (\S+)")


def wrong_type(path: str, words: str) -> str:
    """For the server's words that the key's type cannot do what was requested at the path, a sentence; else empty."""
    found = _TYPE.search(words)
    # The last part is the key's name, for data keys behind that of the kind.
    operation = next((part for part in path.split("/")[-3:-1][::-1] if part in OF_SOME_TYPES), "")
    if not (found and operation):
        return ""
    return unsuitable(operation, found[1] or found[2], path)


def missing_operation(path: str, status: int, words: str) -> str:
    """For the server's words that it has no such operation, a sentence; else empty."""
    if status != _HTTP_NOT_FOUND or "unsupported path" not in words or path.split("/")[-2:-1] != ["cmac"]:
        return ""
    return f"The server has no operation for '{path}': only Vault Enterprise computes CMACs, so use hmac."


def too_large(path: str, size: int) -> str:
    """For a value that the server refuses because of its size in bytes, a sentence."""
    return (
        f"The server refused a request of {size / 1024 / 1024:.1f} MiB to '{path}': it is larger than the server's "
        "limit, 32 MiB unless max_request_size of its listener is set, and base64 makes a value a third longer."
    )


def too_long(path: str, words: str) -> str:
    """For the words of Vault that a text in a request is too long, a sentence; else empty."""
    if TOO_LONG not in words:
        return ""
    return (
        f"The server refused a value at '{path}' because of its length: Vault accepts 1 MiB in one value unless "
        "max_json_string_value_length of its listener is set."
    )


def explained(path: str, refused: ServerError, size: int) -> ServerError:
    """The refusal of a request whose parts would be refused as well, as advice that one can act on.

    Args:
        size: of the request in bytes.
    """
    words = "; ".join(refused.reasons)
    advice = wrong_type(path, words) or missing_operation(path, refused.status, words) or too_long(path, words)
    # A proxy on the way gives no reason.
    if refused.status == _HTTP_TOO_LARGE and refused.reasons:
        advice = too_large(path, size)
    return refused.in_words(advice) if advice else refused


def with_remedy(operation: str, refused: ServerError) -> ServerError:
    """The refusal of a value for its size, and what to do in place of the operation if the server itself said so."""
    if not refused.reasons:
        return refused
    said = refused.message.partition(refused.asked)[0].rstrip() if refused.asked else refused.message
    return refused.in_words(f"{said} {_SMALLER.get(operation, _SMALLER['encrypt'])}")


def meaning(words: str, operation: str = "") -> str:
    """The server's words for a failed item as advice that one can act on.

    Args:
        operation: of the lookup, where that is known.
    """
    not_bound = _NOT_BOUND.search(words)
    if not_bound:
        return f"a key of type {not_bound[1]} cannot bind a value to associated data: leave associated_data out"
    for sign, advice in (*_MEANINGS_OF.get(operation, ()), *_MEANINGS):
        if sign in words:
            return advice
    return " ".join(words.split())


# What the attributes of a key show.
_OF_THE_KEY = (
    "another key",
    "min_decryption_version",
    "min_encryption_version",
    "does not exist (yet)",
    "soft-deleted",
)


def about_key(client: Client, backend: str, key: str) -> str:
    """Which server was asked, and the command that shows a key, as sentences."""
    return client.asked_with("read", f"{backend}/keys/{key}")


def about_items(client: Client, backend: str, path: str, problems: Sequence[str]) -> str:
    """The same for items that failed, with a blank before it; empty where the server does not matter.

    Args:
        path: of the request, which ends with the key.
        problems: what `meaning` returned for them.
    """
    if any(_NOT_ALLOWED in problem for problem in problems):
        return f" {client.asked_with('token capabilities', path)}"
    # On another server or in another namespace, a key of the same name is another one.
    if any(sign in problem for problem in problems for sign in _OF_THE_KEY):
        return f" {about_key(client, backend, path.rpartition('/')[2])}"
    return ""


def located(client: Client, backend: str, key: str, problem: str) -> str:
    """What `meaning` returned for one item that does not decrypt, with the same."""
    said = about_items(client, backend, f"{backend}/decrypt/{key}", [problem])
    return f"{problem}.{said}" if said else problem


def is_foreign(words: str) -> bool:
    """Whether the item may belong to another key or context."""
    return any(sign in words for sign in _FOREIGN)


def is_of_size(refused: ServerError) -> bool:
    """Whether the server, or what is before it, refused a request for the size of one of its values."""
    return refused.status == _HTTP_TOO_LARGE or refused.says(TOO_LONG)


def words_for_each(refused: ServerError, items: int) -> str:
    """The server's words that are the error of each of so many items of a request, else empty."""
    known = (*_OF_ALL, *(_FAILS_ALL if items == 1 else ()))
    return next((words for words in known if refused.says(words)), "")


def is_for_halves(refused: ServerError) -> bool:
    """Whether parts of the request may succeed. The server refuses before it does anything."""
    # Its limit was set lower than the default, or one item fails all.
    return (
        refused.says("JSON input due to high complexity") or is_of_size(refused) or any(map(refused.says, _FAILS_ALL))
    )
