# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Key material that a server is to import: read it, and wrap it for the way there. **Private** to the collection.

It is only in memory, and what leaves here is wrapped: an AES key encrypts it (RFC 5649), and the server's RSA key
encrypts that (OAEP), as `Transit <https://openbao.org/api-docs/secret/transit/#import-key>`_ wants it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library

BASE64 = "base64"
HEX = "hex"
PEM = "pem"

# Types whose key is a number of bytes, and their number.
_SIZES = {
    "aes128-cbc": (16, 16),
    "aes128-cmac": (16, 16),
    "aes128-gcm96": (16, 16),
    "aes192-cmac": (24, 24),
    "aes256-cbc": (32, 32),
    "aes256-cmac": (32, 32),
    "aes256-gcm96": (32, 32),
    "chacha20-poly1305": (32, 32),
    "hmac": (32, 512),
    "xchacha20-poly1305": (32, 32),
}

_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384", "secp521r1": "ecdsa-p521"}

# Of RFC 8410: what comes before the 32 bytes of a public key.
_ED25519 = bytes.fromhex("302a300506032b6570032100")

# The algorithm of a public key, and of a curve its name, as DER has them.
_RSA = bytes.fromhex("06092a864886f70d010101")
_ALGORITHMS = {
    bytes.fromhex("06032b6570"): "ed25519",
    bytes.fromhex("06082a8648ce3d030107"): "ecdsa-p256",
    bytes.fromhex("06052b81040022"): "ecdsa-p384",
    bytes.fromhex("06052b81040023"): "ecdsa-p521",
}
_RSA_SIZES = (2048, 3072, 4096)

_HEX = re.compile("[0-9A-Fa-f]+")

_PRIVATE_PEM = re.compile("-----BEGIN [A-Z ]*PRIVATE KEY-----")
_PUBLIC_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----(.*)-----END PUBLIC KEY-----\s*", re.DOTALL)


@dataclass(frozen=True)
class Material:
    """A key as the server imports it.

    Attributes:
        secret: the key itself; of a key pair, the private key in PKCS#8. Empty if only a public key is known.
        public: of a key pair, the public key in DER.
    """

    secret: bytes = field(default=b"", repr=False)
    public: bytes = b""


def public_der(text: str) -> bytes:
    """A public key in DER: of a PEM, or of base64 as servers show those of ed25519. Empty if it is something else."""
    match = _PUBLIC_PEM.fullmatch(text)
    try:
        found = base64.b64decode("".join((match[1] if match else text).split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if match or not found else _ED25519 + found if len(found) == 32 else b""


def public_type(der: bytes) -> str:
    """The server's name for the type of a public key in DER, empty if the type is not known.

    It needs no library, which a host that sends a public key on may not have.
    """
    # What comes before the key itself is short.
    if _RSA in der[:32]:
        # The modulus is a little shorter than the whole.
        return next((f"rsa-{size}" for size in _RSA_SIZES if 0 < len(der) - size // 8 < 64), "")
    return next((kind for oid, kind in _ALGORITHMS.items() if oid in der[:32]), "")


def check_public(der: bytes, key_type: str, option: str) -> None:
    """
    Args:
        option: where the public key is.

    Raises:
        InvalidOption: it is not one of a key of this type.
    """
    if not der:
        return
    if key_type in _SIZES:
        raise InvalidOption(f"{option}: a key of type {key_type} has no public key. Correct type, or give the key.")
    found = public_type(der)
    if found and key_type in (*_ALGORITHMS.values(), *(f"rsa-{size}" for size in _RSA_SIZES)) and found != key_type:
        raise InvalidOption(
            f"{option}: the public key is one of type {found}, and type is {key_type}. Correct type or the public key."
        )


def public_pem(der: bytes) -> str:
    """A public key in DER as PEM."""
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[place : place + 64] for place in range(0, len(text), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"


def material_from(content: str, encoding: str, passphrase: str, key_type: str) -> Material:
    """The key material of a text.

    Args:
        encoding: one of `BASE64`, `HEX` and `PEM`; empty for what is usual for the type.
        passphrase: of an encrypted PEM.

    Raises:
        InvalidOption: it is not material for a key of this type. The message holds nothing of it.
        LibraryMissing: the library for key pairs, or that for encrypted keys of OpenSSH, is missing.
    """
    usual = BASE64 if key_type in _SIZES else PEM
    if (encoding or usual) == PEM:
        check_unpacked(content)
        _check_pem(content, key_type)
        return _pair(content.strip().encode("utf-8"), passphrase, key_type, der=False)
    if not encoding and key_type == "hmac":
        _check_unambiguous(content)
    raw = _decoded(content, encoding or usual)
    if key_type not in _SIZES:
        return _pair(raw, passphrase, key_type, der=True)
    least, most = _SIZES[key_type]
    if not least <= len(raw) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise InvalidOption(
            f"import: the material has {len(raw)} bytes, and a key of type {key_type} has {wanted}. Correct type, "
            "encoding or the material."
        )
    return Material(raw)


def _check_unambiguous(content: str) -> None:
    """A key of any length may be of either encoding, and no length shows which was meant."""
    text = "".join(content.split())
    if len(text) % 4 == 0 and len(text) // 2 >= _SIZES["hmac"][0] and _HEX.fullmatch(text):
        raise InvalidOption("import: the material may be hex as well as base64. Set encoding.")


def _decoded(content: str, encoding: str) -> bytes:
    text = "".join(content.split())
    problem = False
    try:
        raw = bytes.fromhex(text) if encoding == HEX else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        problem = True
    # Outside of the handler: the error may hold the material, and must not live on as this one's context.
    if problem or not raw:
        raise InvalidOption(f"import: the material is not {encoding}. Correct encoding or the material.")
    return raw


def check_unpacked(content: str) -> None:
    """
    Raises:
        InvalidOption: it is a PEM as another text holds it, such as JSON.
    """
    # No PEM begins so, and Ansible may have made a dictionary of the text and a text of that.
    if content.lstrip().startswith("{"):
        raise InvalidOption(
            "import: the material is JSON, such as the file of a service account. Pass the private key alone, in a "
            "template as (lookup('file', 'FILE') | from_json).private_key."
        )
    if "-----BEGIN" in content and "\\n" in content:
        raise InvalidOption(
            "import: the line breaks of the PEM are written as \\n. Pass it with real line breaks, in a template "
            "as ('\"' ~ TEXT ~ '\"') | from_json."
        )


def _check_pem(content: str, key_type: str) -> None:
    if key_type in _SIZES:
        raise InvalidOption(
            f"import: a key of type {key_type} is not a PEM. Give its bytes in base64 or hex, and set encoding."
        )
    if "-----BEGIN" not in content:
        raise InvalidOption(
            f"import: the material for a key of type {key_type} is not a PEM (-----BEGIN PRIVATE KEY-----). For the "
            "DER of PKCS#8 in base64 or hex, set encoding."
        )
    if len(_PRIVATE_PEM.findall(content)) > 1:
        raise InvalidOption("import: the PEM has more than one private key. Give the one to import.")
    if "-----BEGIN RSA PUBLIC KEY-----" in content:
        raise InvalidOption(
            "import: the public key is in PKCS#1. Convert it to -----BEGIN PUBLIC KEY----- (openssl rsa "
            "-RSAPublicKey_in -pubout)."
        )


def _pair(content: bytes, passphrase: str, key_type: str, *, der: bool) -> Material:
    """A key pair, or a public key alone."""
    if not der and _PUBLIC_PEM.fullmatch(content.decode("utf-8")):
        public = public_der(content.decode("utf-8"))
        if not public:
            raise InvalidOption("import: the public key is damaged.")
        check_public(public, key_type, "import")
        return Material(public=public)
    key = _private_key(content, passphrase, der=der)
    _check_type(key, key_type)
    serialization = _cryptography("serialization")
    secret = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Material(secret, public)


def _private_key(content: bytes, passphrase: str, *, der: bool) -> Any:
    serialization = _cryptography("serialization")
    unsupported = library("cryptography.exceptions").UnsupportedAlgorithm
    load: Callable[..., Any] = serialization.load_der_private_key if der else serialization.load_pem_private_key
    if b"-----BEGIN OPENSSH PRIVATE KEY-----" in content:
        load = serialization.load_ssh_private_key
    key, is_known = None, True
    # What is raised may hold the material, and must not live on as the context of the errors below.
    with contextlib.suppress(TypeError, ValueError):
        try:
            key = load(content, passphrase.encode("utf-8") or None)
        except unsupported:
            is_known = False
    if key is not None:
        return key
    if not is_known:
        if load is serialization.load_ssh_private_key:
            # OpenSSH derives the key that encrypts this one with it.
            library("bcrypt")
        raise InvalidOption(
            "import: the private key is of a kind, or encrypted in a way, that the library cryptography does not read. "
            "Convert it to PKCS#8 (-----BEGIN PRIVATE KEY-----)."
        )
    if passphrase:
        raise InvalidOption(
            "import: the private key cannot be read: the passphrase is wrong, or the key is not encrypted or damaged."
        )
    raise InvalidOption(
        "import: the material is not a private key that can be read: PKCS#8 is, in PEM or DER. If it is encrypted, set "
        "passphrase."
    )


def _check_type(key: Any, key_type: str) -> None:
    found = _type_of(key)
    if found != key_type:
        raise InvalidOption(
            f"import: the material is a key of type {found}, and type is {key_type}. Correct type or the material."
        )


def _type_of(key: Any) -> str:
    """The server's name for the type of a key pair."""
    if isinstance(key, _cryptography("asymmetric.rsa").RSAPrivateKey):
        return f"rsa-{int(key.key_size)}"
    if isinstance(key, _cryptography("asymmetric.ec").EllipticCurvePrivateKey):
        curve = str(key.curve.name)
        return _CURVES.get(curve, curve)
    if isinstance(key, _cryptography("asymmetric.ed25519").Ed25519PrivateKey):
        return "ed25519"
    return "that no server imports"


def wrapped(secret: bytes, wrapping_key: str, hash_function: str) -> str:
    """The material as only the server can read it, in base64.

    Args:
        wrapping_key: the server's public RSA key, a PEM.
        hash_function: one of `WRAPPING_HASHES`.

    Raises:
        ValueError: the server's key is not such a PEM.
    """
    serialization, padding = _cryptography("serialization"), _cryptography("asymmetric.padding")
    chosen = getattr(_cryptography("hashes"), hash_function)()
    public = serialization.load_pem_public_key(wrapping_key.encode("utf-8"))
    ephemeral = os.urandom(32)
    sealed = public.encrypt(ephemeral, padding.OAEP(padding.MGF1(chosen), chosen, None))
    return base64.b64encode(sealed + key_wrapped(ephemeral, secret)).decode("ascii")


def key_wrapped(wrapping: bytes, key: bytes) -> bytes:
    """A key of any length, wrapped by an AES key as RFC 5649 has it."""
    sealed: bytes = _cryptography("keywrap").aes_key_wrap_with_padding(wrapping, key)
    return sealed


def _cryptography(part: str) -> Any:
    # Named as a whole where it is missing.
    library("cryptography")
    return library(f"cryptography.hazmat.primitives.{part}")
