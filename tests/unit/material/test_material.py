# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Material is wrapped as the standards have it, and nothing of it is in a message, a representation or a traceback."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, LibraryMissing
from ansible_collections.mlkeys.transit.plugins.module_utils._material.import_plan import Imported, published_keys
from ansible_collections.mlkeys.transit.plugins.module_utils._material.material import (
    Material,
    check_public,
    key_wrapped,
    material_from,
    public_der,
    public_pem,
    public_type,
    wrapped,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import (
    KEY_TYPES,
    WRAPPING_HASHES,
    import_problem,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.importing import ImportRequest, import_request
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import ssh

from tests.support import key_material
from tests.support.chains import printed_with

# The two of RFC 5649, section 6.
KEK = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
VECTORS = [
    (
        "c37b7e6492584340bed12207808941155068f738",
        "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
    ),
    ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
]


@pytest.mark.parametrize(("key", "sealed"), VECTORS)
def test_a_key_is_wrapped_as_in_rfc_5649(key: str, sealed: str) -> None:
    assert key_wrapped(KEK, bytes.fromhex(key)).hex() == sealed


@pytest.fixture(scope="module")
def server_key() -> rsa.RSAPrivateKey:
    """The private key of a server's wrapping key, which has 4096 bits on a real one."""
    return rsa.generate_private_key(65537, 2048)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode("ascii")


@pytest.mark.parametrize("hash_function", WRAPPING_HASHES)
def test_the_server_unwraps_what_was_wrapped_for_it(server_key: rsa.RSAPrivateKey, hash_function: str) -> None:
    secret = key_material.raw("hmac")
    sent = base64.b64decode(wrapped(secret, pem_of(server_key), hash_function))

    # The first part has the size of the server's key.
    chosen: hashes.HashAlgorithm = getattr(hashes, hash_function)()
    ephemeral = server_key.decrypt(sent[:256], padding.OAEP(padding.MGF1(chosen), chosen, None))
    assert len(ephemeral) == 32
    assert keywrap.aes_key_unwrap_with_padding(ephemeral, sent[256:]) == secret


def test_each_wrapping_has_a_key_of_its_own(server_key: rsa.RSAPrivateKey) -> None:
    made = {wrapped(b"x" * 32, pem_of(server_key), "SHA256")[-40:] for _time in range(5)}
    assert len(made) == 5


@pytest.mark.parametrize("key_type", ["ed25519", "rsa-2048", *key_material.CURVES])
def test_public_keys_are_compared_in_one_form(key_type: str) -> None:
    material = material_from(key_material.pem(key_type), "", "", key_type)
    shown = key_material.public_pem(key_type)
    assert material.public == public_der(shown)
    assert public_pem(material.public) == shown


def test_a_server_shows_ed25519_keys_without_their_frame() -> None:
    form = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    public = key_material.pair("ed25519").public_key().public_bytes(*form)
    versions = {
        "1": {"public_key": base64.b64encode(public).decode("ascii")},
        "2": {"public_key": ""},
        "3": 1700000000,
        "4": {"public_key": "AAAA"},
    }
    assert published_keys({"keys": versions}) == {1: public_der(key_material.public_pem("ed25519"))}
    assert published_keys({"keys": None}) == {}


def test_text_that_is_hex_and_base64_needs_an_encoding() -> None:
    digits = key_material.raw("hmac").hex()
    for text in (digits, digits.upper(), f"{digits}\n"):
        with pytest.raises(InvalidOption, match="may be hex as well as base64"):
            material_from(text, "", "", "hmac")
    assert material_from(digits, "hex", "", "hmac").secret == key_material.raw("hmac")
    assert len(material_from(digits, "base64", "", "hmac").secret) == 72
    assert material_from(key_material.content("hmac"), "", "", "hmac").secret == key_material.raw("hmac")


def test_a_pem_that_is_still_in_another_text_is_named() -> None:
    pem, key_type = key_material.pem("ed25519"), "ed25519"
    escaped, in_json = pem.replace("\n", "\\n"), json.dumps({"private_key": pem})
    public = key_material.public_pem("ed25519").replace("\n", "\\n")
    for text in (escaped, f'"{escaped}"', escaped.replace("\\n", "\\r\\n"), public):
        with pytest.raises(InvalidOption, match=r"line breaks of the PEM are written as \\n"):
            material_from(text, "", "", key_type)
    with pytest.raises(InvalidOption, match=r"line breaks of the PEM are written as \\n"):
        import_request({"type": key_type, "import": {"public_key": public}})
    # Ansible before 2.19 makes a dictionary of it.
    for text in (in_json, f"\n{in_json}", str(json.loads(in_json))):
        with pytest.raises(InvalidOption, match=r"is JSON, such .* Pass the private key alone"):
            material_from(text, "", "kX9-passphrase", key_type)
    # What the message says of a template.
    assert material_from(json.loads(f'"{escaped}"'), "", "", key_type).secret


SECRET = "qHv7c0sn4EzJ9wT3pXyL5mA8Rd2Ku6BgfVhiNQoZe1Y="


@pytest.mark.parametrize(
    ("content", "encoding", "key_type"),
    [
        (SECRET, "", "aes128-gcm96"),
        (SECRET[:-1], "", "aes256-gcm96"),
        (SECRET, "hex", "aes256-gcm96"),
        (SECRET, "base64", "ed25519"),
        (f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n", "", "ed25519"),
        (f"-----BEGIN PUBLIC KEY-----\n{SECRET}!\n-----END PUBLIC KEY-----\n", "", "ed25519"),
        (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\n", "", "ed25519"),
        (f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}", "", "rsa-2048"),
        (f"{SECRET}é", "", "aes256-gcm96"),
    ],
)
@pytest.mark.parametrize("passphrase", ["", "kX9-passphrase"])
def test_an_error_holds_nothing_of_the_material(content: str, encoding: str, key_type: str, passphrase: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        material_from(content, encoding, passphrase, key_type)
    # A traceback would show what the error was raised from, and its context.
    shown = caught.value.message + repr(caught.value) + "".join(map(repr, printed_with(caught.value)))
    assert SECRET[:12] not in shown
    assert "kX9" not in shown
    assert caught.value.__context__ is None


def openssh(cipher: str) -> str:
    """A private key as OpenSSH encrypts it, except that nothing is in it."""

    def text(content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + content

    public = text(b"ssh-ed25519") + text(bytes(32))
    options = text(bytes(16)) + (16).to_bytes(4, "big")
    parts = [cipher.encode(), b"bcrypt", options]
    content = b"openssh-key-v1\0" + b"".join(map(text, parts)) + (1).to_bytes(4, "big") + text(public) + text(bytes(64))
    framed = base64.encodebytes(content).decode()
    return f"-----BEGIN OPENSSH {PRIVATE}-----\n{framed}-----END OPENSSH {PRIVATE}-----\n"


PRIVATE = "PRIVATE KEY"


def test_an_encrypted_key_of_openssh_needs_bcrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_given: object) -> bytes:
        raise UnsupportedAlgorithm("Need bcrypt module")

    monkeypatch.setattr(ssh, "_bcrypt_kdf", missing)
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(LibraryMissing, match="The required Python library bcrypt is not installed") as caught:
        material_from(openssh("aes256-ctr"), "", "kX9-passphrase", "ed25519")
    assert caught.value.library == "bcrypt"
    assert "kX9" not in "".join(map(repr, printed_with(caught.value)))
    # Without a passphrase, none is missing yet.
    with pytest.raises(InvalidOption, match="If it is encrypted, set passphrase"):
        material_from(openssh("aes256-ctr"), "", "", "ed25519")
    # With the library, it may be a cipher that is not known.
    monkeypatch.setitem(sys.modules, "bcrypt", ssh)
    with pytest.raises(
        InvalidOption, match=r"encrypted in a way, that the library cryptography does not read"
    ) as other:
        material_from(openssh("aes256-unknown"), "", "kX9-passphrase", "ed25519")
    assert "kX9" not in "".join(map(repr, printed_with(other.value)))


def test_what_can_be_imported_can_be_read() -> None:
    """Each type, of which the list says whether a server imports it."""
    for kind in KEY_TYPES:
        if import_problem(kind):
            with pytest.raises(InvalidOption):
                material_from(key_material.pem("ed25519"), "", "", kind)
        elif kind in key_material.PAIRS:
            assert material_from(key_material.pem(kind), "", "", kind).public
        else:
            sizes = [size for size in (16, 24, 32) if _is_read(bytes(size), kind)]
            assert len(sizes) == 1, kind


def _is_read(raw: bytes, kind: str) -> bool:
    try:
        return material_from(raw.hex(), "hex", "", kind).secret == raw
    except InvalidOption:
        return False


def test_a_representation_holds_nothing_of_the_material() -> None:
    material = Material(b"sk-material", b"public")
    shown = repr(ImportRequest(Imported(public=b"public"), material))
    assert "public" in shown
    assert "sk-material" not in shown


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    calls: list[Any] = [
        lambda: material_from(key_material.pem("ed25519"), "", "", "ed25519"),
        lambda: wrapped(b"x" * 32, "", "SHA256"),
    ]
    for call in calls:
        with pytest.raises(LibraryMissing) as error:
            call()
        assert error.value.library == "cryptography"


@pytest.mark.parametrize("key_type", sorted(key_material.PAIRS))
def test_the_type_of_a_public_key_shows_without_a_library(key_type: str) -> None:
    if key_type.startswith("rsa-"):
        # Nobody has its private key, which would take seconds to make.
        key = rsa.RSAPublicNumbers(65537, (1 << int(key_type[4:])) - 1).public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = key.public_bytes(serialization.Encoding.DER, form)
    else:
        public = public_der(key_material.public_pem(key_type))
    assert public_type(public) == key_type
    check_public(public, key_type, "import")
    # The server decides about types that it alone knows.
    check_public(public, "ml-dsa", "import")


def test_other_bytes_have_no_type() -> None:
    for der in (b"", b"\x30\x00", bytes(64)):
        assert public_type(der) == ""


def test_a_public_key_of_another_form_is_named() -> None:
    key = rsa.RSAPublicNumbers(65537, (1 << 2048) - 1).public_key()
    text = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()
    with pytest.raises(InvalidOption, match=r"the public key is in PKCS#1\. Convert it"):
        material_from(text, "", "", "rsa-2048")
