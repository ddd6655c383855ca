# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key material of every type that a server imports, made once for a test process."""

from __future__ import annotations

import base64
import functools
import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

#: Types whose key is a number of bytes.
SIZES = {
    "aes128-gcm96": 16,
    "aes256-gcm96": 32,
    "chacha20-poly1305": 32,
    "hmac": 48,
    "xchacha20-poly1305": 32,
}
CURVES = {"ecdsa-p256": ec.SECP256R1(), "ecdsa-p384": ec.SECP384R1(), "ecdsa-p521": ec.SECP521R1()}
PAIRS = (*CURVES, "ed25519", "rsa-2048", "rsa-3072", "rsa-4096")
TYPES = sorted((*SIZES, *PAIRS))


def pair(key_type: str, number: int = 1) -> PrivateKeyTypes:
    """A key pair; a different one for each number."""
    return _pair(key_type, number)


@functools.cache
def _pair(key_type: str, _number: int) -> PrivateKeyTypes:
    if key_type in CURVES:
        return ec.generate_private_key(CURVES[key_type])
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(key_type.partition("-")[2]))


def raw(key_type: str, number: int = 1) -> bytes:
    """The bytes of a key; different ones for each number."""
    return _raw(key_type, number)


@functools.cache
def _raw(key_type: str, _number: int) -> bytes:
    return os.urandom(SIZES[key_type])


def pem(key_type: str, number: int = 1, passphrase: str = "") -> str:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    key = pair(key_type, number)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode("ascii")


def der(key_type: str, number: int = 1) -> bytes:
    return pair(key_type, number).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key_type: str, number: int = 1) -> str:
    public = pair(key_type, number).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode("ascii")


def check_signature(public: PublicKeyTypes, signature: bytes, signed: bytes) -> None:
    """Verify what a server made, of an RSA key with `pkcs1v15`, by a library that knows no server.

    Raises:
        InvalidSignature: another key made it.
    """
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, signed)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    elif isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise TypeError(type(public))


def content(key_type: str, number: int = 1) -> str:
    """The material as the option `import.content` takes it without an encoding."""
    if key_type in SIZES:
        return base64.b64encode(raw(key_type, number)).decode("ascii")
    return pem(key_type, number)
