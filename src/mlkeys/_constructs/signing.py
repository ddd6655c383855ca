# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Signatures by keys, and whether they are valid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypedDict, Unpack

from mlkeys._constructs.key_resource import KeyResource
from mlkeys._model.element import Element
from mlkeys._model.reference import Reference
from mlkeys._model.types import TEXT, now, taken
from mlkeys._providers.literals import shown

_SIGNS = re.compile(r"rsa-|ecdsa-|ed25519|ml-dsa|slh-dsa|hybrid|managed_key|external-key")

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "hash_algorithm": (
        *("none", "sha1", "sha2-224", "sha2-256", "sha2-384", "sha2-512"),
        *("sha3-224", "sha3-256", "sha3-384", "sha3-512"),
    ),
    "signature_algorithm": ("pkcs1v15", "pss"),
    "marshaling_algorithm": ("asn1", "jws"),
    "salt_length": (),
}


class SigningOptions(TypedDict, total=False):
    """How to sign, under the names of the API. What is not set is left to the server."""

    hash_algorithm: str | None
    signature_algorithm: Literal["pkcs1v15", "pss"] | None
    marshaling_algorithm: Literal["asn1", "jws"] | None
    salt_length: str | None


class Signature(Element):
    """What `key.sign(…)` and `key.verify(…)` have in common: a text, and how it is signed."""

    plaintext_fields = frozenset({"text"})
    runtime_fields = frozenset({"text", "signature"})
    #: The operation of the lookup, and the last part of the path on the server.
    OPERATION: str

    def __init__(
        self, key: KeyResource, text: str, context: str | None, options: Mapping[str, object], signature: str | None
    ) -> None:
        super().__init__(key, _free_id(key, self.OPERATION))
        self.key = key
        self.text = taken(self, "text", text, TEXT)
        self.context = None if context is None else now(self, "context", taken(self, "context", context, TEXT))
        self.signature = None if signature is None else taken(self, "signature", signature, TEXT)
        self.options = {name: value for name, value in options.items() if value is not None}
        self.node.add_validation(self._validate)

    def texts(self) -> Iterable[tuple[str, str]]:
        given = {"text": self.text, "context": self.context, "signature": self.signature}
        yield from ((name, value) for name, value in given.items() if value is not None)
        yield from ((name, value) for name, value in self.options.items() if isinstance(value, str))

    def _validate(self) -> list[str]:
        problems = []
        kind = str(self.key.values.get("type", self.key.ATTRIBUTES["type"].default))
        if self.key.managed and not _SIGNS.match(kind):
            problems.append(f"a key of type {kind} cannot sign: use ed25519, ecdsa-p256 or rsa-4096")
        if self.key.derived and self.context is None:
            problems.append(f"a derived key requires a context: {self.OPERATION}(…, context='…')")
        for name, value in self.options.items():
            choices = _CHOICES.get(name)
            if choices is None:
                problems.append(f"{self.OPERATION}() has no {name}")
            elif not isinstance(value, str) or (choices and str(value) not in choices):
                problems.append(f"{name} must be {_one_of(choices)}, not {shown(value)}")
        return problems


class Signed(Signature):
    """A signature; the result of `key.sign(…)`. As a string it is the signature."""

    OPERATION = "sign"
    RUNTIME = frozenset({"signature"})

    @property
    def value(self) -> Reference:
        """The signature as the server returns it; known after deployment."""
        return self._reference("signature")

    def __str__(self) -> str:
        return self.value

    __hash__ = Element.__hash__

    def __eq__(self, other: object) -> bool:
        return self.value == other if isinstance(other, str) else self is other

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


class Verified(Signature):
    """Whether a signature is valid; the result of `key.verify(…)`."""

    OPERATION = "verify"
    RUNTIME = frozenset({"valid"})

    @property
    def valid(self) -> Reference:
        """Whether it is; known after deployment."""
        return self._reference("valid")


def signed(key: KeyResource, text: str, context: str | None, **options: Unpack[SigningOptions]) -> Signed:
    """Return the construct for a signature; it is below the key."""
    return Signed(key, text, context, options, None)


def verified(
    key: KeyResource, text: str, signature: str | Signed, context: str | None, **options: Unpack[SigningOptions]
) -> Verified:
    """Return the construct for a check of a signature; it is below the key."""
    return Verified(key, text, context, options, str(signature) if isinstance(signature, Signed) else signature)


def _one_of(choices: tuple[str, ...]) -> str:
    return f"one of {', '.join(choices)}" if choices else "a string"


def _free_id(key: KeyResource, base: str) -> str:
    while True:
        number = key.uses[base] = key.uses.get(base, 0) + 1
        id_ = base if number == 1 else f"{base}-{number}"
        if key.node.child(id_) is None:
            return id_
