# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What keys of each type can have, and which operations and options are for them. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.

Sources of the rules: the API documentation of `OpenBao <https://openbao.org/api-docs/secret/transit/>`_ and of
`Vault <https://developer.hashicorp.com/vault/api-docs/secret/transit>`_, and the behaviour of running servers.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple

from ._attributes.key import KEY_ATTRIBUTES
from .suggestions import did_you_mean

# The union of what both products document. Never a filter: a newer server may know more types, and decides.
KEY_TYPES: tuple[str, ...] = (
    "aes128-cbc",
    "aes128-cmac",
    "aes128-gcm96",
    "aes192-cmac",
    "aes256-cbc",
    "aes256-cmac",
    "aes256-gcm96",
    "chacha20-poly1305",
    "ecdsa-p256",
    "ecdsa-p384",
    "ecdsa-p521",
    "ed25519",
    "external-key",
    "hmac",
    "hybrid",
    "managed_key",
    "ml-dsa",
    "rsa-2048",
    "rsa-3072",
    "rsa-4096",
    "slh-dsa",
    "xchacha20-poly1305",
)

# Where the material of a key is, if it is elsewhere.
REFERENCES = ("external_key_ref", "managed_key_name", "managed_key_id")

# What a type cannot do without: one of these.
_NEEDED_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "external-key": ("external_key_ref",),
    "managed_key": ("managed_key_name", "managed_key_id"),
}

# The types of keys that an attribute belongs to. All others are for keys of any type.
_TYPES_OF: Mapping[str, tuple[str, ...]] = {
    "key_size": ("hmac",),
    "external_key_ref": ("external-key",),
    "managed_key_name": ("managed_key",),
    "managed_key_id": ("managed_key",),
    "parameter_set": ("hybrid", "ml-dsa", "slh-dsa"),
    "hybrid_key_type_pqc": ("hybrid",),
    "hybrid_key_type_ec": ("hybrid",),
}

# OpenBao before 2.5.5 crashes when an RSA key is asked to be derived (GHSA-8w8f-r2xv-4q4j), so this is checked here.
NOT_DERIVABLE_TYPES = frozenset(("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "hmac", "rsa-2048", "rsa-3072", "rsa-4096"))

# The types that no server imports. What is not here may be imported by some server.
_NOT_IMPORTED = ("external-key", "hybrid", "managed_key", "ml-dsa", "slh-dsa")

# The documented default. The server refuses an hmac key without a size although its documentation has one.
HMAC_KEY_SIZE = 32

# The hashes of RSA-OAEP that a server knows when it imports a key.
WRAPPING_HASHES = ("SHA1", "SHA224", "SHA256", "SHA384", "SHA512")

MIN_AUTO_ROTATE_SECONDS = 3600

# Bytes of the digests of each hash algorithm.
DIGESTS: Mapping[str, int] = {
    "sha1": 20,
    **{f"{family}-{bits}": bits // 8 for family in ("sha2", "sha3") for bits in (224, 256, 384, 512)},
}
DIGEST = 32  # of the server's default, sha2-256


class _Does(NamedTuple):
    """What keys do in an operation, which types of keys do it, and which of them to recommend."""

    verb: str
    types: str
    advice: str


_CIPHERS = r"aes\d+-(?:gcm96|cbc)|x?chacha20-poly1305|rsa-\d+|managed_key|external-key"
_SIGNERS = r"rsa-\d+|ecdsa-p\d+|ed25519|ml-dsa|slh-dsa|hybrid|managed_key|external-key"
_USUAL_CIPHERS = "aes256-gcm96, chacha20-poly1305 or another that encrypts"
_USUAL_SIGNERS = "ed25519, ecdsa-* or rsa-*"
_OPERATIONS: Mapping[str, _Does] = {
    "sign": _Does("sign", _SIGNERS, _USUAL_SIGNERS),
    "verify": _Does("verify signatures", _SIGNERS, _USUAL_SIGNERS),
    "encrypt": _Does("encrypt", _CIPHERS, _USUAL_CIPHERS),
    "decrypt": _Does("decrypt", _CIPHERS, _USUAL_CIPHERS),
    "rewrap": _Does("rewrap", _CIPHERS, _USUAL_CIPHERS),
    "datakey": _Does("encrypt data keys", _CIPHERS, _USUAL_CIPHERS),
    "cmac": _Does("compute CMACs", r"aes\d+-cmac", "aes128-cmac, aes192-cmac or aes256-cmac"),
}

# The operations that not every type of key is for.
OF_SOME_TYPES = tuple(_OPERATIONS)

# What the server does with options is known of these alone.
_DOCUMENTED = re.compile(r"aes\d+-gcm96|x?chacha20-poly1305|rsa-\d+|ecdsa-p\d+|ed25519|hmac")
_RSA = re.compile(r"rsa-(\d+)")

# Decrypting and rewrapping take a context with any key: what writes vars files passes names under any key.
_BINDS = ("datakey", "encrypt", "sign", "verify")
_SIGNING = ("hash_algorithm", "prehashed", "salt_length", "signature_algorithm")


_HASH = re.compile(r"sha[0-9]*|md5")


def unknown_type_hint(key_type: str) -> str:
    """Advice for a type that the server refused: the nearest known one, or the list."""
    if key_type in KEY_TYPES:
        return " It is a type of another version or product."
    word = _squashed(key_type)
    # The nearest by letters would be one that signs.
    if _HASH.fullmatch(word):
        return " It is a hash. A key that computes HMACs has the type 'hmac'."
    family = re.match("[a-z]*", word)
    # By letters alone, ``aes-256`` is nearest to a type that cannot encrypt.
    near = (
        [known for known in KEY_TYPES if word and _squashed(known).startswith(word)]
        # ``hmac-sha256``: more than the server has
        or [known for known in KEY_TYPES if word.startswith(_squashed(known))]
        or [known for known in KEY_TYPES if family and family[0] and _squashed(known).startswith(family[0])]
    )
    usual = [known for known in near if known.endswith("gcm96") and _squashed(known).startswith(word)]
    if usual:
        return f" Did you mean '{usual[-1]}'?"
    return did_you_mean(key_type, near or KEY_TYPES) or f" Known types: {', '.join(KEY_TYPES)}."


def _squashed(key_type: str) -> str:
    return re.sub("[^a-z0-9]", "", key_type.lower())


def key_problems(wanted: Mapping[str, Any]) -> list[str]:
    """Everything wrong with the wanted attributes of a key, whatever the server holds.

    ``auto_rotate_period`` is in seconds. Attributes that are absent or ``None`` are not wanted.
    """
    problems = []
    if wanted.get("convergent_encryption") and not wanted.get("derived"):
        problems.append("convergent_encryption needs derived: true")
    if wanted.get("derived") and wanted.get("type") in NOT_DERIVABLE_TYPES:
        problems.append(f"a key of type {wanted['type']} cannot be derived")
    needed = _NEEDED_BY_TYPE.get(str(wanted.get("type")), ())
    if needed and not any(wanted.get(name) for name in needed):
        problems.append(f"a key of type {wanted['type']} needs {' or '.join(needed)}")
    period = wanted.get("auto_rotate_period")
    if period is not None and 0 < period < MIN_AUTO_ROTATE_SECONDS:
        problems.append(f"auto_rotate_period is {period} seconds: it must be 0 (off) or at least one hour")
    problems += [
        f"{name} cannot be negative"
        for name in ("min_decryption_version", "min_encryption_version")
        if (wanted.get(name) or 0) < 0
    ]
    return problems


def type_problems(wanted: Mapping[str, Any]) -> list[str]:
    """Which of the wanted attributes a new key of this type cannot have. A type that is not known may have any."""
    kind = wanted.get("type") or KEY_ATTRIBUTES[0].default
    if kind not in KEY_TYPES:
        return []
    problems = [
        f"{name} is for keys of type {' or '.join(types)}, not {kind}"
        for name, types in _TYPES_OF.items()
        if wanted.get(name) and kind not in types
    ]
    size = wanted.get("key_size")
    if size is not None and kind == "hmac" and not 32 <= size <= 512:
        problems.append(f"key_size cannot be {size}: a key of type hmac has 32 to 512 bytes")
    if wanted.get("convergent_encryption") and kind == "ed25519":
        problems.append("convergent_encryption is for keys that encrypt, not ed25519")
    return problems


def import_problem(kind: str) -> str:
    """Why keys of a type cannot be imported, empty if they can. A type that is not known may be."""
    if kind not in _NOT_IMPORTED:
        return ""
    elsewhere = _NEEDED_BY_TYPE.get(kind)
    remedy = f"its material stays where {' or '.join(elsewhere)} says" if elsewhere else "let the server make it"
    return f"a key of type {kind} cannot be imported: {remedy}"


def can_do(operation: str, kind: str) -> bool:
    """Whether keys of a type are for an operation. A type or an operation that is not known is for any."""
    does = _OPERATIONS.get(operation)
    return does is None or kind not in KEY_TYPES or re.fullmatch(does.types, kind) is not None


def unsuitable(operation: str, kind: str, place: str = "") -> str:
    """That a key of this type is not for one of `OF_SOME_TYPES`: a sentence with a place, without one a reason."""
    does = _OPERATIONS[operation]
    if place:
        return f"A key of type {kind} cannot {does.verb} at '{place}': use a key of type {does.advice}."
    return f"a key of type {kind} cannot {does.verb}: use a key of type {does.advice}"


def signing_problems(options: Mapping[str, Any]) -> list[str]:
    """Which options of a signature exclude each other, whatever the key is."""
    if options.get("salt_length") is None or options.get("signature_algorithm") != "pkcs1v15":
        return []
    return ["salt_length has no effect with signature_algorithm pkcs1v15: leave one of them out"]


def depends_on_key(operation: str, options: Mapping[str, Any]) -> bool:
    """Whether `use_problems` may find any, for some key."""
    names = (*(("context",) if operation in _BINDS else ()), *(_SIGNING if operation in ("sign", "verify") else ()))
    return any(options.get(name) for name in names)


def use_problems(key: str, facts: Mapping[str, Any], operation: str, options: Mapping[str, Any]) -> list[str]:
    """Why options of an operation are not for a key. The server ignores most of them, and does something else.

    Args:
        key: how messages name the key, such as ``key 'releases'``.
        facts: the key as the server shows it, or its ``type`` and whether it is ``derived``, as far as they are known.
        options: by the API's names; those that are ``None`` are not set. ``context`` is that of any value; to the
            server, an empty one is none.
    """
    kind = str(facts.get("type") or "")
    which = f"{key} of type {kind}" if kind else key
    problems = []
    if options.get("context") and operation in _BINDS and not facts.get("derived"):
        problems.append(f"context has no effect with {which}, which is not derived: leave it out, or use a derived key")
    if operation in ("sign", "verify") and _DOCUMENTED.fullmatch(kind):
        rsa = _RSA.fullmatch(kind)
        problems += _rsa_problems(which, int(rsa[1]), options) if rsa else _curve_problems(which, facts, options)
    return problems


def _rsa_problems(which: str, bits: int, options: Mapping[str, Any]) -> list[str]:
    salt = str(options.get("salt_length"))
    most = bits // 8 - DIGESTS.get(str(options.get("hash_algorithm")), DIGEST) - 2
    if options.get("signature_algorithm") == "pkcs1v15" or not salt.isdigit() or int(salt) <= most:
        return []
    return [f"salt_length must be at most {most} with {which} and this hash_algorithm, not {salt}"]


def _curve_problems(which: str, facts: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    problems, algorithm = [], options.get("hash_algorithm")
    if facts["type"] != "ed25519" and algorithm == "none":
        problems.append(f"hash_algorithm none is not for {which}, only for keys of type rsa-*: name another one")
    # Vault Enterprise has such signatures of digests. Only OpenBao shows whether a key is soft-deleted.
    of_digests = options.get("prehashed") and algorithm == "sha2-512" and "soft_deleted" not in facts
    if facts["type"] == "ed25519" and not of_digests:
        problems += [
            f"{name} has no effect with {which}, which hashes in its own way: leave it out"
            for name in ("hash_algorithm", "prehashed")
            if options.get(name)
        ]
    return problems + [
        f"{name} has no effect with {which}, only with keys of type rsa-*: leave it out"
        for name in ("signature_algorithm", "salt_length")
        if options.get(name) is not None
    ]
