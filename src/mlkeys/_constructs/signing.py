# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Signatures by keys, and whether they are valid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, TypedDict, Unpack

from mlkeys._constructs.key_resource import KeyResource
from mlkeys._model.element import Element
from mlkeys._model.reference import Reference
from mlkeys._model.types import DATA, SECRET, TEXT, now, taken
from mlkeys._providers.literals import shown
from mlkeys._shared.key_types import DIGESTS, signing_problems, use_problems

#: The values of each option.
# The server has the hash algorithm "none" as well, for texts that are hashed already, which nothing here is.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "hash_algorithm": tuple(DIGESTS),
    "signature_algorithm": ("pkcs1v15", "pss"),
    "marshaling_algorithm": ("asn1", "jws"),
    "salt_length": ("auto", "hash"),
}

# The server treats 0 as auto.
_NUMBER = re.compile(r"[1-9]\d{0,3}")


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
    # A text may be a digest.
    PUBLIC = frozenset({"text", "context", "signature"})
    #: The operation of the lookup, and the last part of the path on the server.
    OPERATION: str

    def __init__(
        self, key: KeyResource, text: str, context: str | None, options: Mapping[str, object], signature: str | None
    ) -> None:
        super().__init__(key, _free_id(key, self.OPERATION))
        self.key = key
        self.text = taken(self, "text", text, DATA)
        self.context = None if context is None else now(self, "context", taken(self, "context", context, SECRET))
        self.signature = None if signature is None else taken(self, "signature", signature, TEXT)
        self.options = {name: value for name, value in options.items() if value is not None}
        self.node.add_validation(self._validate)

    def texts(self) -> Iterable[tuple[str, str]]:
        given = {"text": self.text, "context": self.context, "signature": self.signature}
        yield from ((name, value) for name, value in given.items() if value is not None)
        yield from ((name, value) for name, value in self.options.items() if isinstance(value, str))

    def _validate(self) -> list[str]:
        problems = self.key.use_problems(self.OPERATION)
        if problems:
            return problems
        if self.key.derived and not self.context:
            problems.append(f"a derived key requires a context: {self.OPERATION}(…, context='…')")
        for name, value in self.options.items():
            if name not in CHOICES:
                problems.append(f"{self.OPERATION}() has no {name}")
            elif problem := _value_problem(name, value):
                problems.append(problem)
        return problems or self._option_problems()

    def _option_problems(self) -> list[str]:
        facts = {"type": self.key.type, "derived": self.key.derived}
        return signing_problems(self.options) or use_problems(
            "the key", facts, self.OPERATION, {**self.options, "context": self.context}
        )


class Signed(Signature):
    """A signature; the result of `key.sign(…)`. As a string it is the signature."""

    OPERATION = "sign"
    OFFERS: ClassVar[Mapping[str, str]] = {"data": "use its .value", "key": "use its .key"}
    RUNTIME = frozenset({"signature"})

    @property
    def value(self) -> Reference:
        """The signature as the server returns it; known after deployment."""
        return self._reference("signature")

    def __str__(self) -> str:
        return str(self.value)

    __hash__ = Element.__hash__

    def __eq__(self, other: object) -> bool:
        return self.value == other if isinstance(other, str) else self is other

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


class Verified(Signature):
    """Whether a signature is valid; the result of `key.verify(…)`."""

    OPERATION = "verify"
    OFFERS: ClassVar[Mapping[str, str]] = {"data": "use its .valid", "key": "use its .key"}
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


def _value_problem(name: str, value: object) -> str | None:
    """Return why an option cannot have this value, None if it can."""
    choices, is_salt = CHOICES[name], name == "salt_length"
    if isinstance(value, str) and (value in choices or (is_salt and _NUMBER.fullmatch(value))):
        return None
    if (name, value) == ("hash_algorithm", "none"):
        return "hash_algorithm 'none' is for digests, and the server hashes this text itself: leave it out"
    wanted = "'auto', 'hash' or a number of bytes as a string" if is_salt else f"one of {', '.join(choices)}"
    return f"{name} must be {wanted}, not {shown(value)}"


def _free_id(key: KeyResource, base: str) -> str:
    while True:
        number = key.uses[base] = key.uses.get(base, 0) + 1
        id_ = base if number == 1 else f"{base}-{number}"
        if key.node.child(id_) is None:
            return id_
