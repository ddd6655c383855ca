# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What the lookup has to do, by its options. Pure. **Private** to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.terms import TermDefaults
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import DIGESTS, signing_problems
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name

# The fields of a term beside those in `_EFFECTIVE`, with their operations. The others take `_USUAL`.
_USUAL = ("value", "name")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "datakey": ("name",),
    "verify": ("value", "name", "signature"),
    "verify_hmac": ("value", "name", "hmac"),
}

# The values of these are plaintext; those of the others are ciphertext.
_OF_PLAINTEXT = ("cmac", "encrypt", "hash", "hmac", "sign", "verify", "verify_hmac")
_WITHOUT_KEY = ("hash", "kv_get", "random", "read")
_OF_DOCUMENTS = ("kv_get", "read")

# Options that all operations take, and the operations with which they have an effect. The server would drop them.
_EFFECTIVE: Mapping[str, tuple[str, ...]] = {
    "context": ("datakey", "decrypt", "encrypt", "rewrap", "sign", "verify"),
    "associated_data": ("datakey", "decrypt", "encrypt", "rewrap"),
    "key_version": ("cmac", "datakey", "encrypt", "hmac", "rewrap", "sign"),
}

# Options that only some operations have, with the server's name for each.
_SIGNING = {
    "hash_algorithm": "hash_algorithm",
    "signature_algorithm": "signature_algorithm",
    "marshaling_algorithm": "marshaling_algorithm",
    "salt_length": "salt_length",
    "prehashed": "prehashed",
}
_PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "cmac": {"mac_length": "mac_length"},
    "datakey": {"bits": "bits"},
    "hash": {"hash_algorithm": "algorithm", "format": "format"},
    "hmac": {"hash_algorithm": "algorithm"},
    "random": {"format": "format", "source": "source"},
    "sign": _SIGNING,
    "verify": _SIGNING,
    "verify_hmac": {"hash_algorithm": "hash_algorithm"},
}
# Those that do not become a parameter of requests.
_OTHERS = {"allow_ciphertext": ("encrypt",), "bytes": ("random",), "type": ("datakey",)}

# The server treats 0 as auto, and -1 as hash.
_SALT = re.compile(r"auto|hash|[1-9][0-9]{0,5}")

# Hash algorithms that the server has for signatures alone.
_OF_SIGNATURES = ("none", "sha1")

# The names of all of these options.
OWN_OPTIONS = tuple(sorted({name for names in _PARAMETERS.values() for name in names} | set(_OTHERS)))

_BYTES = 32


@dataclass(frozen=True)
class LookupRequest:
    """What the lookup has to do: the options of ``vault_transit``, checked.

    Attributes:
        kv_path: the document whose entries the terms name, empty when the terms are the values.
        defaults: what applies to every term that does not set it itself.
        parameters: more fields of requests, by the server's names.
        kind: of data keys, whether they are returned in plaintext as well.
        size: how many random bytes to return where no term says so.
        term_errors: what to do about terms that fail.
    """

    operation: str
    backend: str
    key: str
    base64: bool
    kv_mount: str
    kv_path: str
    defaults: TermDefaults
    parameters: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    size: int = _BYTES
    term_errors: str = "strict"


def lookup_request(options: Mapping[str, Any]) -> LookupRequest:
    """The request that the options of the lookup ``vault_transit`` make.

    Raises:
        InvalidOption: options do not go together, or a key cannot have this name.
    """
    operation = options["operation"]
    _check_together(operation, options)
    as_base64 = options["encoding"] == "base64"
    names = _PARAMETERS.get(operation, {})
    return LookupRequest(
        operation=operation,
        backend=options["backend"],
        key="" if operation in _WITHOUT_KEY else checked_name(options["key"]),
        base64=as_base64,
        kv_mount=options["kv_mount"],
        kv_path=options.get("kv_path") or "",
        defaults=TermDefaults(
            plaintext=operation in _OF_PLAINTEXT,
            rewrap=operation == "rewrap",
            sealed=operation != "encrypt" or bool(options.get("allow_ciphertext")),
            base64=as_base64,
            context=options.get("context"),
            associated_data=options.get("associated_data"),
            key_version=options.get("key_version"),
            fields=_fields(operation),
            digest=_digest_size(options),
        ),
        parameters={sent: options[name] for name, sent in names.items() if options.get(name) is not None},
        kind=options.get("type") or "wrapped",
        size=_BYTES if options.get("bytes") is None else options["bytes"],
        term_errors=options.get("term_errors") or "strict",
    )


def _fields(operation: str) -> tuple[str, ...]:
    """What a term of the operation may have."""
    shared = (name for name, with_it in _EFFECTIVE.items() if operation in with_it)
    return (*_FIELDS.get(operation, _USUAL), *shared)


def _check_together(operation: str, options: Mapping[str, Any]) -> None:
    in_kv = bool(options.get("kv_path"))
    if in_kv and operation not in ("decrypt", *_OF_DOCUMENTS):
        raise InvalidOption("kv_path can only be used with the operations decrypt, kv_get and read.")
    if not in_kv and operation in _OF_DOCUMENTS:
        raise InvalidOption(f"operation {operation} needs kv_path: the path of the document to read.")
    if operation not in _WITHOUT_KEY and not options.get("key"):
        raise InvalidOption("key is missing: the name of the key.")
    for name in OWN_OPTIONS:
        with_it = _OTHERS.get(name, tuple(other for other, names in _PARAMETERS.items() if name in names))
        if options.get(name) is not None and operation not in with_it:
            those = f"operation {with_it[0]}" if len(with_it) == 1 else f"the operations {_listed(with_it)}"
            raise InvalidOption(f"{name} can only be used with {those}.")
    algorithm = options.get("hash_algorithm")
    if algorithm in _OF_SIGNATURES and operation not in ("sign", "verify"):
        raise InvalidOption(f"hash_algorithm {algorithm} can only be used with the operations sign and verify.")
    _check_signing(options)
    _check_effect(operation, options)


def _check_effect(operation: str, options: Mapping[str, Any]) -> None:
    """
    Raises:
        InvalidOption: an option would have no effect, which means that it is not the operation that is meant.
    """
    if operation in ("hash", "random") and options.get("key"):
        raise InvalidOption(f"key has no effect with operation {operation}, which uses no key: leave it out.")
    for name, with_it in _EFFECTIVE.items():
        if options.get(name) and operation not in (*with_it, *_OF_DOCUMENTS):
            raise InvalidOption(f"{name} has no effect with operation {operation}: leave it out.")
    if options.get("encoding") == "base64" and operation == "random":
        raise InvalidOption("encoding has no effect with operation random: use format.")


def _check_signing(options: Mapping[str, Any]) -> None:
    # Without this, the server says so for each request, in words that repeat other options masked.
    is_ready = options.get("prehashed") and options.get("signature_algorithm") == "pkcs1v15"
    if options.get("hash_algorithm") == "none" and not is_ready:
        raise InvalidOption("hash_algorithm none needs prehashed: true and signature_algorithm: pkcs1v15.")
    salt = options.get("salt_length")
    if salt is not None and not _SALT.fullmatch(str(salt)):
        raise InvalidOption("salt_length must be auto, hash or a number of bytes, 1 or more.")
    for problem in signing_problems(options):
        raise InvalidOption(f"{problem}.")


def _digest_size(options: Mapping[str, Any]) -> int:
    """Of how many bytes each value is, if it is a digest, else 0. The server signs what is left of a longer one."""
    return DIGESTS.get(options.get("hash_algorithm") or "sha2-256", 0) if options.get("prehashed") else 0


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
