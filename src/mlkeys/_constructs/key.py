# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The keys of a Transit engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Required, Self, TypeAlias, TypedDict, Unpack

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted, Plaintext, decrypt, plaintext_problems
from mlkeys._constructs.grants import Grant, Grantee, grant
from mlkeys._model.attributes import Value
from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.location import call_site
from mlkeys._model.reference import Reference, targets
from mlkeys._model.secret import Secret
from mlkeys._model.tree import Construct
from mlkeys._providers.literals import shown
from mlkeys._shared.schema import (
    AT_CREATION,
    KEY_ATTRIBUTES,
    KEY_TYPES,
    Attribute,
    key_problems,
    name_problem,
    unknown_type_hint,
)

KeyType: TypeAlias = Literal[
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
]


_SIGNING_ONLY = re.compile(r"ecdsa-|ed25519|hmac|ml-dsa|slh-dsa|hybrid|aes\d+-cmac")


class KeyChanges(TypedDict, total=False):
    """Attributes of a key, under the API's own names."""

    type: KeyType | None
    derived: bool | None
    convergent_encryption: bool | None
    key_size: int | None
    exportable: bool | None
    allow_plaintext_backup: bool | None
    auto_rotate_period: str | int | Duration | None
    deletion_allowed: bool | None
    min_decryption_version: int | None
    min_encryption_version: int | None
    external_key_ref: str | None
    managed_key_name: str | None
    managed_key_id: str | None
    parameter_set: str | None
    hybrid_key_type_pqc: str | None
    hybrid_key_type_ec: str | None


class KeyAttributes(KeyChanges, total=False):
    """Attributes of a key, and which one it is."""

    backend: Required[str]
    name: Required[str]


class TransitSecretBackendKey(Resource):
    """A key of a Transit engine. What is not said is left to the server, and not touched on an existing key.

    But for two things that can never be taken back: a key is not exportable and allows no plaintext backup unless
    that is said, and one that does so all the same is refused.
    """

    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        attribute.name: attribute
        for attribute in (
            Attribute("backend", "str", AT_CREATION, "The engine's path."),
            Attribute("name", "str", AT_CREATION, "The key's name."),
            *KEY_ATTRIBUTES,
        )
    }
    REQUIRED = ("backend", "name")
    RUNTIME = frozenset({"latest_version", "min_available_version"})
    _ciphertexts: EncryptedVars | None = None
    _encrypts = False

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        **attributes: Unpack[KeyAttributes],
    ) -> None:
        super().__init__(scope, id_, attributes)
        self.node.add_validation(self._validate)

    @classmethod
    def from_existing(
        cls,
        scope: Construct | str,
        id_: str | None = None,
        /,
        *,
        name: str,
        backend: str = "transit",
        derived: bool = False,
    ) -> Self:
        """A key that is already there: it can be used, and is neither made nor changed."""
        made = cls._existing(scope, id_, {"name": name, "backend": backend, "derived": derived})
        made.node.add_validation(made._validate)  # noqa: SLF001  its own class
        return made

    def configure(self, **attributes: Unpack[KeyChanges]) -> None:
        """Set attributes after the fact, as an aspect does; None takes one away."""
        self._take(attributes)

    @property
    def name(self) -> Reference:
        """The key's name."""
        return self._reference("name")

    @property
    def backend(self) -> Reference:
        """The path of its engine."""
        return self._reference("backend")

    @property
    def latest_version(self) -> Reference:
        """The version that encrypts; known only once deployed."""
        return self._reference("latest_version")

    @property
    def derived(self) -> bool:
        """Whether each ciphertext belongs to a context, which here is its name."""
        return self.values.get("derived") is True

    @property
    def protected(self) -> bool:
        """Whether the server refuses to delete it."""
        return self.values.get("deletion_allowed") is not True

    def encrypt(self, plaintext: Plaintext, *, name: str | None = None) -> Encrypted:
        """The ciphertext of a secret. It is made once and kept as long as the secret is the same.

        Under a derived key, the name is the context: the ciphertext decrypts under that name alone.
        """
        suggested = plaintext.name if isinstance(plaintext, Secret) else None
        if name is None and suggested is None and not plaintext_problems(plaintext):
            self.node.add_problem("the ciphertext needs a name: encrypt(…, name='…')", call_site())
        return self.ciphertexts.add(name or suggested or f"unnamed_{len(self.ciphertexts.entries)}", plaintext)

    @property
    def ciphertexts(self) -> EncryptedVars:
        """The file of what `encrypt` makes; there with the first."""
        self._encrypts = True
        if self._ciphertexts is None:
            self._ciphertexts = EncryptedVars(self, "ciphertexts", key=self)
        return self._ciphertexts

    def decrypt(self, ciphertext: str | Encrypted, *, context: str | None = None) -> Decrypted:
        """The plaintext of a ciphertext, for use at deployment; no file ever holds it."""
        self._encrypts = True
        return decrypt(self, ciphertext, context)

    def grant_encrypt(self, grantee: Grantee, *, secrets: Sequence[str] = ()) -> Grant:
        """Let it encrypt; with secrets (names of a derived key's entries), only these."""
        self._encrypts = True
        return grant(self, grantee, "encrypt", secrets)

    def grant_decrypt(self, grantee: Grantee, *, secrets: Sequence[str] = ()) -> Grant:
        """Let it decrypt; with secrets (names of a derived key's entries), only these."""
        self._encrypts = True
        return grant(self, grantee, "decrypt", secrets)

    def grant_rewrap(self, grantee: Grantee, *, secrets: Sequence[str] = ()) -> Grant:
        """Let it carry ciphertexts to the latest version, without seeing a plaintext; with secrets, only theirs."""
        return grant(self, grantee, "rewrap", secrets)

    def grant_verify(self, grantee: Grantee) -> Grant:
        """Let it tell whether a secret is the one that a file of ciphertexts holds, without seeing a plaintext."""
        return grant(self, grantee, "verify")

    def grant_rotate(self, grantee: Grantee) -> Grant:
        """Let it rotate the key, and read its versions."""
        return grant(self, grantee, "rotate")

    def _validate(self) -> list[str]:
        problems = key_problems({name: _plain(value) for name, value in self.values.items()})
        usual = str(self.ATTRIBUTES["type"].default)
        kind = str(self.values.get("type", usual))
        if kind not in KEY_TYPES:
            # The usual one first: of two that are as near, it is what was meant.
            near = f" Did you mean {usual!r}?" if usual.startswith(kind) else unknown_type_hint(kind)
            problems.append(
                f"type={shown(kind)} is no key type.{near} A newer one can be set with add_override('type', …)."
            )
        if self._encrypts and _SIGNING_ONLY.match(kind):
            problems.append(f"a key of type {kind} neither encrypts nor decrypts")
        if kind == "hmac" and not self.values.get("key_size"):
            problems.append("a key of type hmac needs key_size, 32 to 512")
        name = str(self.values.get("name", ""))
        if not any(targets(name)) and name and (problem := name_problem(name)):
            problems.append(problem)
        floor, encryption = self.values.get("min_decryption_version"), self.values.get("min_encryption_version")
        if isinstance(floor, int) and isinstance(encryption, int) and 0 < encryption < floor:
            problems.append(f"min_encryption_version {encryption} is below min_decryption_version {floor}")
        return problems


def _plain(value: Value) -> object:
    return value.seconds if isinstance(value, Duration) else value
