# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The keys of a Transit engine, and what they are used for."""

from __future__ import annotations

from collections.abc import Sequence

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted, Plaintext, decrypt, plaintext_problems
from mlkeys._constructs.grants import Grant, Grantee, grant
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._model.location import call_site
from mlkeys._model.secret import Secret


class TransitSecretBackendKey(KeyResource):
    """A key of a Transit engine. What is not said is left to the server, and not touched on an existing key.

    But for two things that can never be taken back: a key is not exportable and allows no plaintext backup unless
    that is said, and one that does so all the same is refused.
    """

    _ciphertexts: EncryptedVars | None = None

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
