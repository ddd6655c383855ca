# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keys of a Transit engine and their uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Unpack

from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted, Plaintext, decrypt, plaintext_problems
from mlkeys._constructs.grants import Grant, Grantee, grant
from mlkeys._constructs.key_resource import KeyAttributes, KeyResource
from mlkeys._constructs.signing import Signed, SigningOptions, Verified, signed, verified
from mlkeys._model.location import call_site
from mlkeys._model.secret import DataKeySecret, Secret
from mlkeys._model.types import SECRET, optional


class TransitSecretBackendKey(KeyResource):
    """A key of a Transit engine.

    Attributes that are not set are left to the server, and are not changed on an existing key. The exceptions are
    `exportable` and `allow_plaintext_backup`, which cannot be turned off again: an existing key that has one of them
    is refused unless the program sets it.

    Source: https://openbao.org/api-docs/secret/transit/#create-key and
    https://developer.hashicorp.com/vault/api-docs/secret/transit#create-key

    Args:
        backend: path of the engine. Required.
        name: name of the key. Required.
        type: type of the key. Default: `aes256-gcm96`. Cannot be changed later.
        derived: derive a separate key for each context. Here the context is the name of the ciphertext, so that a
            ciphertext only decrypts under its own name. Default: False. Cannot be changed later.
        convergent_encryption: produce the same ciphertext for the same plaintext and context. Requires `derived`.
            Default: False. Cannot be changed later.
        key_size: size of an `hmac` key in bytes, 32 to 512. Default: 32. Cannot be changed later.
        exportable: allow export of the key material. Default: False. Cannot be turned off.
        allow_plaintext_backup: allow plaintext backups of the key. Default: False. Cannot be turned off.
        auto_rotate_period: rotate the key after this time: seconds, or a string such as `"90d"`; at least one hour.
            0 (default): never.
        deletion_allowed: allow deletion of the key. Default: False.
        min_decryption_version: oldest version that may decrypt (the floor). Signatures of older ones can no longer be
            verified. Rotations raise it, and then a lower one has no effect. Default: 1.
        min_encryption_version: oldest version that may encrypt or sign. Rotations raise it, and then a lower one has
            no effect. 0 (default): any that may decrypt.
        external_key_ref: reference of an `external-key`, `CONFIG:KEY`. Default: none; such a key requires it.
            OpenBao only. Cannot be changed later.
        managed_key_name: name of the key behind a `managed_key`. Default: none; such a key requires it, or
            `managed_key_id`. Vault only. Cannot be changed later.
        managed_key_id: UUID of the key behind a `managed_key`. Default: none. Vault only. Cannot be changed later.
        parameter_set: parameter set of an `ml-dsa` or `slh-dsa` key. Default: none; such a key requires it. Vault only.
            Cannot be changed later.
        hybrid_key_type_pqc: post-quantum part of a `hybrid` key. Default: none; such a key requires it. Vault only.
            Cannot be changed later.
        hybrid_key_type_ec: elliptic-curve part of a `hybrid` key. Default: none; such a key requires it. Vault only.
            Cannot be changed later.
        material: where the deployment finds the material to import as the key, such as
            `KeyMaterial(Secret.file("artefacts.pem"))`. Requires `type`. Default: the server makes the key.
        aliases: former names of the key, as NAME or ENGINE/NAME: a deployment decrypts the ciphertexts that are stored
            under them, and encrypts them with this key. Also former ids of the construct, so that Terraform moves the
            resource instead of recreating it. Default: none.
    """

    _ciphertexts: EncryptedVars | None = None

    def encrypt(self, plaintext: Plaintext, *, name: str | None = None, aliases: Sequence[str] = ()) -> Encrypted:
        """Encrypt a secret. Its ciphertext is kept for as long as the secret stays the same.

        Args:
            plaintext: where the secret comes from, such as `Secret.env("OPENAI_API_KEY")`.
            name: name of the ciphertext, a variable name. With a derived key it is also the context. Default: taken
                from the source, such as `openai_api_key`.
            aliases: former names, under which its ciphertext may be stored. Default: none.
        """
        suggested = plaintext.name if isinstance(plaintext, Secret) and not plaintext.type_problem() else None
        if name is None and suggested is None and not plaintext_problems(plaintext):
            self.node.add_problem("a name is required here: encrypt(…, name='…')", call_site())
        found = optional(self, "name", name, SECRET) or suggested or f"unnamed_{len(self.ciphertexts.entries)}"
        return self.ciphertexts.add(found, plaintext, aliases=aliases)

    @property
    def ciphertexts(self) -> EncryptedVars:
        """The file with the results of `encrypt`, created with the first one."""
        if self._ciphertexts is None:
            self._ciphertexts = EncryptedVars(self, "ciphertexts", key=self)
        return self._ciphertexts

    def decrypt(self, ciphertext: str | Encrypted, *, context: str | None = None) -> Decrypted:
        """Decrypt a ciphertext at deployment. No file of the project holds the plaintext.

        Args:
            ciphertext: a ciphertext of this program, or one that begins with `vault:v`.
            context: context of a ciphertext that is not of this program, where a derived key requires it. Default: the
                name under which this program encrypts the ciphertext.
        """
        return decrypt(self, ciphertext, context)

    def datakey(self, name: str, *, bits: Literal[128, 256, 512] = 256) -> Encrypted:
        """Let the server make a data key at the first deployment, and keep it from then on, encrypted with this key.

        Its plaintext is base64. Use it as that of any other ciphertext, such as with
        `key.decrypt(key.datakey("archive"))`.

        Args:
            name: name of the ciphertext, a variable name. With a derived key it is also the context.
            bits: size of the data key. Default: 256.
        """
        length = bits // 8 if bits in {128, 256, 512} else 0
        return self.encrypt(DataKeySecret(length, ""), name=name)

    def sign(self, text: str, *, context: str | None = None, **options: Unpack[SigningOptions]) -> Signed:
        """Sign a text where the signature is used, at each deployment.

        Keys of type `ed25519`, and RSA keys with `signature_algorithm="pkcs1v15"`, sign a text the same way each time.
        Other signatures are different at each deployment, which then changes what holds them.

        Args:
            text: what to sign. It may hold references.
            context: context of a derived key. Default: none.
            options: as in the API of the server. `hash_algorithm`: `sha1`, `sha2-224`, `sha2-256`, `sha2-384`,
                `sha2-512`, `sha3-224`, `sha3-256`, `sha3-384` or `sha3-512`. `signature_algorithm` of RSA keys: `pss`
                or `pkcs1v15`. `marshaling_algorithm` of ECDSA keys: `asn1` or `jws`. `salt_length` of `pss`: `auto`,
                `hash`, or a number of bytes as a string. Default: left to the server.
        """
        return signed(self, text, context, **options)

    def verify(
        self, text: str, signature: str | Signed, *, context: str | None = None, **options: Unpack[SigningOptions]
    ) -> Verified:
        """Check a signature at each deployment; `.valid` is the result.

        Args:
            text: what was signed. It may hold references.
            signature: the signature, `vault:v1:…`.
            context: context of a derived key. Default: none.
            options: how it was signed, as for `sign()`.
        """
        return verified(self, text, signature, context, **options)

    def grant_encrypt(self, grantee: Grantee, *, secrets: Sequence[str] | None = None) -> Grant:
        """Allow a role or policy to encrypt.

        Args:
            grantee: the AppRole or Policy.
            secrets: names of secrets to restrict it to, at least one; requires a derived key. Default: all.
        """
        self._encrypts = True
        return grant(self, grantee, "encrypt", secrets)

    def grant_decrypt(self, grantee: Grantee, *, secrets: Sequence[str] | None = None) -> Grant:
        """Allow a role or policy to decrypt.

        Args:
            grantee: the AppRole or Policy.
            secrets: names of secrets to restrict it to, at least one; requires a derived key. Default: all.
        """
        self._encrypts = True
        return grant(self, grantee, "decrypt", secrets)

    def grant_rewrap(self, grantee: Grantee, *, secrets: Sequence[str] | None = None) -> Grant:
        """Allow a role or policy to rewrap ciphertexts to the latest key version, without seeing plaintext.

        Args:
            grantee: the AppRole or Policy.
            secrets: names of secrets to restrict it to, at least one; requires a derived key. Default: all.
        """
        return grant(self, grantee, "rewrap", secrets)

    def grant_verify(self, grantee: Grantee) -> Grant:
        """Allow a role or policy to check signatures, and secrets against stored fingerprints, without plaintext."""
        return grant(self, grantee, "verify")

    def grant_sign(self, grantee: Grantee) -> Grant:
        """Allow a role or policy to sign with an asymmetric key."""
        return grant(self, grantee, "sign")

    def grant_datakey(self, grantee: Grantee) -> Grant:
        """Allow a role or policy to make data keys, in plaintext as well. Stored ones take `grant_decrypt`."""
        return grant(self, grantee, "datakey")

    def grant_import(self, grantee: Grantee) -> Grant:
        """Allow a role or policy to import the key or versions of it, and to read it."""
        return grant(self, grantee, "import")

    def grant_rotate(self, grantee: Grantee) -> Grant:
        """Allow a role or policy to run `mlkeys rotate` and `mlkeys status` for the key, without decrypting.

        The rights include to raise `min_decryption_version` and `min_encryption_version` (and to change nothing else of
        the key), and to trim. To identify the ciphertexts of other keys, they include to list and read the keys of the
        engine, and to rewrap with them.
        """
        return grant(self, grantee, "rotate")


# help() of the dictionary shows what each keyword is for: the same that it shows of the class.
_about, _found, _keywords = (TransitSecretBackendKey.__doc__ or "").partition("Args:\n")
if _found:  # unless Python removes docstrings
    # Before Python 3.13, the lines are indented as in this file.
    _indent = _about[_about.rfind("\n") + 1 :]
    KeyAttributes.__doc__ = f"{KeyAttributes.__doc__}\n\n{_indent}{_found}{_keywords}"
