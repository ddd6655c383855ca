# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation of the lookup on a real server, with a key of every type: its result, or why there is none."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.ciphertexts import may_be_of
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from mlkeys._shared.key_types import KEY_TYPES
from tests.integration.support.runs import Ledger, asked
from tests.support.chains import printed_with
from tests.support.lookups import Lookup, lookup_with
from tests.support.server import Bao, transit_mount

LOOKUP = "mlkeys.transit.vault_transit"
VALUE = "sk-planted-value"

CIPHERS = ("aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305")
RSA = ("rsa-2048", "rsa-3072", "rsa-4096")
SIGNING = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", *RSA)
TYPES = (*CIPHERS, *SIGNING, "hmac")

# The types of the keys that can do it.
CAN = {
    "encrypt": (*CIPHERS, *RSA),
    "decrypt": (*CIPHERS, *RSA),
    "rewrap": (*CIPHERS, *RSA),
    "datakey": (*CIPHERS, *RSA),
    "sign": SIGNING,
    "verify": SIGNING,
    "hmac": TYPES,
    "verify_hmac": TYPES,
}
VERBS = {"datakey": "encrypt data keys", "verify": "verify signatures"}


@pytest.fixture(scope="module")
def engine(bao: Bao) -> Iterator[str]:
    """An engine with a key of every type, named so."""
    with transit_mount(bao) as mount:
        for name in TYPES:
            bao.done("POST", f"{mount}/keys/{name}", {"type": name, **({"key_size": 32} if name == "hmac" else {})})
        bao.done("POST", f"{mount}/keys/derived", {"type": "ed25519", "derived": True})
        yield mount


@pytest.fixture
def lookup(bao: Bao, engine: str) -> Lookup:
    return lookup_with(**bao.login, backend=engine)


def refusal(lookup: Lookup, *terms: object, **options: object) -> str:
    with pytest.raises(AnsibleError) as refused:
        lookup(*terms, **options)
    assert printed_with(refused.value) == []
    message = str(refused.value)
    assert VALUE not in message
    assert "\n" not in message
    return message


def sealed(lookup: Lookup, kind: str) -> str:
    return str(lookup(VALUE, key=kind, operation="encrypt")[0]) if kind in CAN["encrypt"] else "vault:v1:QUJDRA=="


def done(lookup: Lookup, operation: str, kind: str) -> bool:
    """Do it, and say whether the result is right."""
    one: dict[str, Any] = {"key": kind, "operation": operation}
    if operation in ("encrypt", "hmac", "sign"):
        return str(lookup(VALUE, **one)[0]).startswith("vault:v1:")
    if operation == "decrypt":
        return lookup(sealed(lookup, kind), **one) == [VALUE]
    if operation == "rewrap":
        return lookup(*lookup(sealed(lookup, kind), **one), key=kind) == [VALUE]
    if operation == "datakey":
        [made] = lookup(type="plaintext", **one)
        return lookup(made["ciphertext"], key=kind, encoding="base64") == [made["plaintext"]]
    proof = "hmac" if operation == "verify_hmac" else "signature"
    given = "vault:v1:QUJDRA=="
    if operation == "verify_hmac" or kind in SIGNING:
        given = lookup(VALUE, key=kind, operation="sign" if proof == "signature" else "hmac")[0]
    terms = [{"value": VALUE, proof: given}, {"value": VALUE + "2", proof: given}]
    return lookup(terms, **one) == [True, False]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("operation", CAN)
def test_each_operation_with_each_type_of_key(engine: str, lookup: Lookup, operation: str, kind: str) -> None:
    if kind in CAN[operation]:
        assert done(lookup, operation, kind)
        return
    with pytest.raises(AnsibleError) as refused:
        done(lookup, operation, kind)
    path = "/".join([engine, *{"datakey": ["datakey", "plaintext"]}.get(operation, [operation]), kind])
    said = f"A key of type {kind} cannot {VERBS.get(operation, operation)} at '{path}': use a key of type "
    assert str(refused.value).startswith(said)


def test_the_table_has_every_type_of_this_server(bao: Bao, engine: str) -> None:
    """Types that the server knows and the table does not: those of an external key need a configured device."""
    for name in sorted(set(KEY_TYPES) - set(TYPES)):
        status, answer = bao.request("POST", f"{engine}/keys/another", {"type": name})
        assert status >= 400, (name, answer)


def test_a_cmac_is_refused_where_the_server_has_none(bao: Bao, engine: str, lookup: Lookup) -> None:
    said = refusal(lookup, VALUE, key="aes256-gcm96", operation="cmac", mac_length=8)
    path = f"{engine}/cmac/aes256-gcm96"
    assert said == (
        f"The server has no operation for '{path}': only Vault Enterprise computes CMACs, so use hmac. Asked: "
        f"{bao.addr}, the root namespace."
    )


def test_what_the_server_encrypts_may_be_of_its_key(bao: Bao, engine: str, lookup: Lookup) -> None:
    bao.done("POST", f"{engine}/keys/convergent", {"derived": True, "convergent_encryption": True})
    for kind in (*CAN["encrypt"], "convergent"):
        context = {"context": "c"} if kind == "convergent" else {}
        key = bao.done("GET", f"{engine}/keys/{kind}")["data"]
        for value in ("", VALUE):
            [text] = lookup(value, key=kind, operation="encrypt", **context)
            assert may_be_of(text, key)
            assert not may_be_of(text.replace(":v1:", ":v2:"), key)


# Known answers


def imported(
    bao: Bao, engine: str, name: str, material: bytes, *, token: str | None = None, **attributes: object
) -> None:
    """Import key material as the server wants it: wrapped with an ephemeral key, which the server's own key wraps."""
    pem = bao.request("GET", f"{engine}/wrapping_key", token=token)[1]["data"]["public_key"]
    wrapping = serialization.load_pem_public_key(pem.encode())
    assert isinstance(wrapping, rsa.RSAPublicKey)
    ephemeral = os.urandom(32)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sent = wrapping.encrypt(ephemeral, oaep) + aes_key_wrap_with_padding(ephemeral, material)
    # A key that exists gets another version.
    does = "import" if bao.request("GET", f"{engine}/keys/{name}", token=token)[0] == 404 else "import_version"
    body = {"ciphertext": base64.b64encode(sent).decode(), **attributes}
    assert bao.request("POST", f"{engine}/keys/{name}/{does}", body, token)[0] == 204


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


# RFC 8032, section 7.1, tests 1 to 3: secret key, message, signature.
ED25519 = """
9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
-
e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b

4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb
72
92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00

c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7
af82
6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
"""


@pytest.mark.parametrize("number", range(3))
def test_signatures_of_rfc_8032(bao: Bao, engine: str, lookup: Lookup, number: int) -> None:
    lines = ED25519.split("\n\n")[number].split()
    secret, message, signature = (bytes.fromhex(line.strip("-")) for line in lines)
    key = ed25519.Ed25519PrivateKey.from_private_bytes(secret).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    imported(bao, engine, f"rfc8032-{number}", key, type="ed25519")
    options = {"key": f"rfc8032-{number}", "encoding": "base64"}
    expected = f"vault:v1:{encoded(signature)}"
    assert lookup(encoded(message), operation="sign", **options) == [expected]
    term = {"value": encoded(message), "signature": expected}
    assert lookup(term, operation="verify", **options) == [True]


# RFC 4231, section 4.7, test case 6.
HMACS = {
    "sha2-224": "95e9a0db962095ad aebe9b2d6f0dbce2 d499f112f2d2b727 3fa6870e",
    "sha2-256": "60e431591ee0b67f 0d8a26aacbf5b77f 8e0bc6213728c514 0546040f0ee37f54",
    "sha2-384": """4ece084485813e90 88d2c63a041bc5b4 4f9ef1012a2b588f 3cd11f05033ac4c6 0c2ef6ab4030fe82
                   96248df163f44952""",
    "sha2-512": """80b24263c7c1a3eb b71493c1dd7be8b4 9b46d1f41b4aeec1 121b013783f8f352 6b56d037e05f2598
                   bd0fd2215d6a1e52 95e64f73f63f0aec 8b915a985d786598""",
}


def test_hmacs_of_rfc_4231(bao: Bao, engine: str, lookup: Lookup) -> None:
    imported(bao, engine, "rfc4231", b"\xaa" * 131, type="hmac")
    data = "Test Using Larger Than Block-Size Key - Hash Key First"
    for algorithm, digest in HMACS.items():
        expected = f"vault:v1:{encoded(bytes.fromhex(digest))}"
        assert lookup(data, key="rfc4231", operation="hmac", hash_algorithm=algorithm) == [expected]
        checked = {"key": "rfc4231", "operation": "verify_hmac", "hash_algorithm": algorithm}
        assert lookup({"value": data, "hmac": expected}, **checked) == [True]
        assert lookup({"value": data + ".", "hmac": expected}, **checked) == [False]
    # The name that the server has for it with these operations.
    assert lookup(data, key="rfc4231", operation="hmac", algorithm="sha2-224")[0].endswith(
        encoded(bytes.fromhex(HMACS["sha2-224"]))
    )


def test_digests(lookup: Lookup) -> None:
    assert lookup("abc", "", operation="hash") == [hashlib.sha256(text).hexdigest() for text in (b"abc", b"")]
    assert lookup("abc", operation="hash", hash_algorithm="sha3-512", format="base64") == [
        encoded(hashlib.sha3_512(b"abc").digest())
    ]


# Signatures with options


def public_key(bao: Bao, engine: str, name: str) -> Any:
    pem = bao.done("GET", f"{engine}/keys/{name}")["data"]["keys"]["1"]["public_key"]
    return serialization.load_pem_public_key(pem.encode())


def raw(signature: str) -> bytes:
    return base64.b64decode(signature.rpartition(":")[2])


def test_options_of_rsa_signatures(bao: Bao, engine: str, lookup: Lookup) -> None:
    public = public_key(bao, engine, "rsa-2048")
    digest = encoded(hashlib.sha512(VALUE.encode()).digest())
    sign = {"key": "rsa-2048", "operation": "sign", "hash_algorithm": "sha2-512"}
    [simple] = lookup(VALUE, signature_algorithm="pkcs1v15", **sign)
    public.verify(raw(simple), VALUE.encode(), padding.PKCS1v15(), hashes.SHA512())
    [salted] = lookup(digest, encoding="base64", prehashed=True, salt_length="20", **sign)
    pss = padding.PSS(padding.MGF1(hashes.SHA512()), 20)
    public.verify(raw(salted), base64.b64decode(digest), pss, Prehashed(hashes.SHA512()))
    for given, options in ((simple, {"signature_algorithm": "pkcs1v15"}), (salted, {"salt_length": "20"})):
        term = {"value": VALUE, "signature": given}
        assert lookup(term, **{**sign, "operation": "verify"}, **options) == [True]
        assert lookup(term, key="rsa-2048", operation="verify", **options) == [False]  # another hash algorithm
    for algorithm in ("sha1", "sha3-256"):
        both = {"key": "rsa-2048", "hash_algorithm": algorithm}
        term = {"value": VALUE, "signature": lookup(VALUE, operation="sign", **both)[0]}
        assert lookup(term, operation="verify", **both) == [True]
    bare = {"key": "rsa-2048", "prehashed": True, "hash_algorithm": "none", "signature_algorithm": "pkcs1v15"}
    term = {"value": VALUE, "signature": lookup(VALUE, operation="sign", **bare)[0]}
    assert lookup(term, operation="verify", **bare) == [True]
    assert "it is not a digest of hash_algorithm" in refusal(lookup, VALUE, prehashed=True, **sign)
    assert refusal(lookup, VALUE, salt_length="191", **sign) == (
        "salt_length must be at most 190 with key 'rsa-2048' of type rsa-2048 and this hash_algorithm, not 191."
    )
    assert lookup(VALUE, salt_length="190", **sign)


def test_options_of_signatures_on_curves(bao: Bao, engine: str, lookup: Lookup) -> None:
    public = public_key(bao, engine, "ecdsa-p384")
    [der] = lookup(VALUE, key="ecdsa-p384", operation="sign", hash_algorithm="sha2-384")
    public.verify(raw(der), VALUE.encode(), ec.ECDSA(hashes.SHA384()))
    [jws] = lookup(VALUE, key="ecdsa-p384", operation="sign", marshaling_algorithm="jws")
    assert re.fullmatch(r"vault:v1:[\w-]{128}", jws)
    term = {"value": VALUE, "signature": jws}
    assert lookup(term, key="ecdsa-p384", operation="verify", marshaling_algorithm="jws") == [True]
    digest = hashlib.sha256(VALUE.encode()).digest()
    ready = {"key": "ecdsa-p256", "prehashed": True, "encoding": "base64"}
    [der] = lookup(encoded(digest), operation="sign", **ready)
    public_key(bao, engine, "ecdsa-p256").verify(raw(der), VALUE.encode(), ec.ECDSA(hashes.SHA256()))
    # The server would use the first 32 bytes as the digest.
    longer = {"value": encoded(digest + b"more"), "signature": der}
    for operation, term in (("verify", longer), ("sign", longer["value"])):
        assert "it is not a digest of hash_algorithm" in refusal(lookup, term, operation=operation, **ready)
    # What is not of the form of such a signature is not valid either.
    damaged = {"value": VALUE, "signature": "vault:v1:QUJD"}
    assert lookup(damaged, key="ecdsa-p384", operation="verify") == [False]


# What the server ignores, by the beginning of the type.
RSA_ONLY = ", only with keys of type rsa-*: leave it out."
IGNORED = {
    "rsa": {},
    "ecdsa": {"signature_algorithm": RSA_ONLY, "salt_length": RSA_ONLY},
    "ed25519": {
        "signature_algorithm": RSA_ONLY,
        "salt_length": RSA_ONLY,
        "hash_algorithm": ", which hashes in its own way: leave it out.",
        "prehashed": ", which hashes in its own way: leave it out.",
    },
}
GIVEN = {
    "signature_algorithm": "pkcs1v15",
    "salt_length": "20",
    "hash_algorithm": "sha3-256",
    "prehashed": True,
    "marshaling_algorithm": "jws",
}


@pytest.mark.parametrize("kind", SIGNING)
def test_options_that_the_server_ignores_for_a_type_are_refused(
    bao: Bao, engine: str, lookup: Lookup, kind: str
) -> None:
    digest = encoded(hashlib.sha256(VALUE.encode()).digest())
    for option, value in GIVEN.items():
        own = {"key": kind, "encoding": "base64", option: value}
        raw_answer = bao.done("POST", f"{engine}/sign/{kind}", {"input": digest, option: value})
        term = {"value": digest, "signature": raw_answer["data"]["signature"]}
        reason = IGNORED[kind.partition("-")[0]].get(option)
        if reason is None:
            assert lookup(term, operation="verify", **own) == [True]
            assert lookup(digest, operation="sign", **own)
            continue
        # It had no effect: the signature is valid without it.
        assert lookup(term, key=kind, encoding="base64", operation="verify") == [True]
        for operation, given in (("sign", digest), ("verify", term)):
            said = refusal(lookup, given, operation=operation, term_errors="ignore", **own)
            assert said == f"{option} has no effect with key '{kind}' of type {kind}{reason}"


def test_more_options_that_are_not_for_the_key(bao: Bao, engine: str, lookup: Lookup, mint_token: Any) -> None:
    bare = {"prehashed": True, "hash_algorithm": "none", "signature_algorithm": "pkcs1v15"}
    assert refusal(lookup, VALUE, key="ecdsa-p256", operation="sign", **bare) == (
        "hash_algorithm none is not for key 'ecdsa-p256' of type ecdsa-p256, only for keys of type rsa-*: name another "
        "one."
    )
    proof = {"value": VALUE, "signature": "vault:v1:QUJD", "context": "c"}
    terms = {"sign": {"value": VALUE, "context": "c"}, "verify": proof, "datakey": {"context": "c"}}
    for operation, term in {**terms, "encrypt": {"value": VALUE, "context": "c"}}.items():
        kind = "ed25519" if operation in ("sign", "verify") else "aes256-gcm96"
        assert refusal(lookup, term, key=kind, operation=operation) == (
            f"item 1: context has no effect with key '{kind}' of type {kind}, which is not derived: leave it out, or "
            "use a derived key."
        )
    # What vars files hold has names as contexts under any key.
    text = sealed(lookup, "aes256-gcm96")
    assert lookup(*lookup(text, key="aes256-gcm96", context="c", operation="rewrap"), key="aes256-gcm96") == [VALUE]
    assert lookup(text, key="aes256-gcm96", context="c") == [VALUE]
    said = refusal(lookup, VALUE, key="rsa-2048", operation="encrypt", associated_data="a")
    assert said.endswith(
        "item 1: a key of type rsa-2048 cannot bind a value to associated data: leave associated_data out."
    )
    # A token that may not read the key learns what the server says.
    token = mint_token(hcl(grant_rules("sign", engine, "ed25519")))
    assert lookup(VALUE, key="ed25519", operation="sign", token=token, hash_algorithm="sha2-512")


def test_a_derived_key_signs_with_a_context_of_each_term(bao: Bao, engine: str, lookup: Lookup) -> None:
    one, two = lookup({"value": VALUE, "context": "a"}, VALUE, key="derived", operation="sign", context="b")
    assert one != two
    terms = [{"value": VALUE, "context": "a", "signature": one}, {"value": VALUE, "context": "a", "signature": two}]
    assert lookup(terms, key="derived", operation="verify") == [True, False]
    said = refusal(lookup, VALUE, key="derived", operation="sign")
    assert said.endswith("the key is derived and needs a context, with which the signature is verified.")
    said = refusal(lookup, {"value": VALUE, "signature": one}, key="derived", operation="verify")
    assert said.endswith("the key is derived and needs the context with which the value was signed.")


def test_versions_of_signatures(bao: Bao, engine: str, lookup: Lookup) -> None:
    bao.done("POST", f"{engine}/keys/versions", {"type": "ed25519"})
    bao.done("POST", f"{engine}/keys/versions/rotate", {})
    terms = [VALUE, {"value": VALUE, "key_version": 1}, VALUE]
    given = lookup(terms, key="versions", operation="sign")
    assert [signature[:9] for signature in given] == ["vault:v2:", "vault:v1:", "vault:v2:"]
    proofs = [{"value": VALUE, "signature": signature} for signature in given]
    assert lookup(proofs, key="versions", operation="verify") == [True, True, True]
    said = refusal(lookup, VALUE, key="versions", operation="sign", key_version=7)
    look = asked(bao, f" Check: bao read {engine}/keys/versions")
    assert said.endswith(f"item 1: its key_version does not exist (yet): 0 is the latest.{look}")
    [fingerprint] = lookup({"value": VALUE, "key_version": 1}, key="versions", operation="hmac")
    bao.done("POST", f"{engine}/keys/versions/config", {"min_decryption_version": 2, "min_encryption_version": 2})
    said = refusal(lookup, proofs[1], key="versions", operation="verify")
    assert said.endswith(f"is of a version below the key's min_decryption_version: lower that, or sign again.{look}")
    said = refusal(lookup, {"value": VALUE, "hmac": fingerprint}, key="versions", operation="verify_hmac")
    assert "its hmac is of a version below the key's min_decryption_version" in said
    terms = [VALUE, {"value": VALUE, "key_version": 1}]
    newest, old = lookup(terms, key="versions", operation="hmac", term_errors="ignore")
    assert (newest[:9], old) == ("vault:v2:", None)
    said = refusal(lookup, terms, key="versions", operation="hmac")
    assert said.endswith(f"item 2: its key_version is below the key's min_encryption_version: 0 is the latest.{look}")


def test_a_soft_deleted_key_is_named(bao: Bao, engine: str, lookup: Lookup) -> None:
    bao.done("POST", f"{engine}/keys/gone", {"type": "rsa-2048"})
    bao.done("DELETE", f"{engine}/keys/gone/soft-delete")
    proof = {"value": VALUE, "signature": "vault:v1:QUJD"}
    for operation in ("encrypt", "decrypt", "rewrap", "datakey", "sign", "hmac", "verify"):
        term = {"verify": proof, "datakey": ""}.get(operation, VALUE)
        said = refusal(lookup, term, key="gone", operation=operation)
        look = asked(bao, f" Check: bao read {engine}/keys/gone")
        assert said.endswith(f"item 1: the key is soft-deleted: restore it.{look}"), operation


def test_many_signatures_take_few_requests(bao: Bao, engine: str, lookup: Lookup) -> None:
    values = [f"value-{number}" for number in range(600)]
    ledger = Ledger(bao)
    given = lookup(values, key="ed25519", operation="sign", marshaling_algorithm="asn1", prehashed=False)
    proofs = [{"value": value, "signature": one} for value, one in zip(values, given, strict=True)]
    assert lookup(proofs, key="ed25519", operation="verify") == [True] * 600
    # No request is refused because of its size: 498 values fit beside two options, 249 values with their signatures.
    paths = [path.split("/")[1] for _operation, path in ledger.requests]
    assert (paths.count("sign"), paths.count("verify")) == (2, 3)


# Data keys and random bytes


def test_data_keys(bao: Bao, engine: str, lookup: Lookup) -> None:
    make = {"key": "aes256-gcm96", "operation": "datakey"}
    [wrapped] = lookup(**make)
    assert set(wrapped) == {"ciphertext", "key_version"}
    one, two = lookup("first", {"name": "second", "associated_data": "x"}, type="plaintext", bits=512, **make)
    assert len(base64.b64decode(one["plaintext"])) == 64
    assert lookup(one["ciphertext"], key="aes256-gcm96", encoding="base64") == [one["plaintext"]]
    opened = {"key": "aes256-gcm96", "encoding": "base64", "associated_data": "x"}
    assert lookup(two["ciphertext"], **opened) == [two["plaintext"]]
    said = refusal(lookup, "first", {"name": "second", "key_version": 9}, **make)
    assert said == (
        f"datakey failed for 1 of 2 items at {engine}/datakey/wrapped/aes256-gcm96: item 2 (second): its key_version "
        f"does not exist (yet): 0 is the latest.{asked(bao, f' Check: bao read {engine}/keys/aes256-gcm96')}"
    )


def test_random_bytes(engine: str, lookup: Lookup) -> None:
    [default] = lookup(operation="random")
    assert len(base64.b64decode(default)) == 32
    one, two = lookup(8, {"value": "16", "name": "salt"}, operation="random", format="hex", source="platform")
    assert (len(one), len(two)) == (16, 32)
    assert len(base64.b64decode(lookup(operation="random", bytes=5)[0])) == 5
    assert len(base64.b64decode(lookup(131072, operation="random")[0])) == 131072
    for wrong in ("many", 131073, 0, "0" * 9):
        said = refusal(lookup, wrong, operation="random")
        assert said == "item 1: it must be a number of bytes, 1 to 131072."


# Single terms that fail


def test_terms_that_fail_leave_the_others(bao: Bao, engine: str, lookup: Lookup, capsys: Any) -> None:
    good = sealed(lookup, "aes256-gcm96")
    terms = [good, {"name": "openai", "value": good[:-8] + "AAAAAAA="}, 5, "no ciphertext", good]
    for term_errors in ("ignore", "warn"):
        found = lookup(terms, key="aes256-gcm96", term_errors=term_errors)
        assert found == [VALUE, None, None, None, VALUE]
        shown = " ".join(capsys.readouterr().err.split())
        assert ("decrypt failed for 3 of 5 items at" in shown) is (term_errors == "warn")
        assert ("item 3: its value must be text" in shown) is (term_errors == "warn")
        assert VALUE not in shown
    binary = lookup(encoded(b"\xff"), key="aes256-gcm96", operation="encrypt", encoding="base64")
    assert lookup(*binary, good, key="aes256-gcm96", term_errors="ignore") == [None, VALUE]
    assert refusal(lookup, 5, good, key="aes256-gcm96") == "item 1: its value must be text."


@pytest.mark.parametrize(
    ("operation", "bad"),
    [
        ("encrypt", {"value": VALUE, "key_version": 9}),
        ("hmac", {"value": VALUE, "key_version": "x"}),
        ("hmac", {"value": VALUE, "key_version": 9}),
        ("sign", {"value": VALUE, "key_version": 9}),
        ("rewrap", "no ciphertext"),
        ("hash", None),
        ("random", 200000),
        ("datakey", {"key_version": 9}),
    ],
)
def test_one_bad_term_of_each_operation(lookup: Lookup, operation: str, bad: object) -> None:
    good: object = {"random": 4, "rewrap": sealed(lookup, "aes256-gcm96")}.get(operation, VALUE)
    key = {} if operation in ("hash", "random") else {"key": "ed25519" if operation == "sign" else "aes256-gcm96"}
    options = {"operation": operation, **key}
    first, second, third = lookup([good, bad, good], term_errors="ignore", **options)
    assert second is None
    assert first is not None
    assert third is not None
    # All of them bad: no answer of the server is a whole one.
    assert lookup([bad, bad], term_errors="ignore", **options) == [None, None]
    with pytest.raises(AnsibleError):
        lookup([good, bad, good], **options)


@pytest.mark.parametrize("given", ["errors", "term_errors"])
def test_errors_of_ansible_hold_for_single_terms(
    bao: Bao, engine: str, lookup: Lookup, capsys: Any, given: str
) -> None:
    loader = DataLoader()
    good = sealed(lookup, "aes256-gcm96")
    # Ansible shows a warning once.
    bad = {"name": given, "value": "damaged"}
    variables = {"login": {**bao.login, "backend": engine, "key": "aes256-gcm96"}, "good": good, "bad": bad}
    templar = Templar(loader=loader, variables=variables)

    def query(errors: str) -> Any:
        text = f"query('{LOOKUP}', good, bad, good, {given}='{errors}', **login)"
        return templar.template(marked("{{ " + text + " }}", template=True))

    assert query("ignore") == [VALUE, None, VALUE]
    assert "decrypt failed" not in capsys.readouterr().err
    assert query("warn") == [VALUE, None, VALUE]
    assert "decrypt failed for 1 of 3 items" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(AnsibleError, match="decrypt failed for 1 of 3 items"):
        query("strict")


def test_single_terms_of_an_rsa_key(lookup: Lookup) -> None:
    good = sealed(lookup, "rsa-2048")
    options = {"key": "rsa-2048", "term_errors": "ignore"}
    damaged = good[:-8] + "AAAAAA=="
    assert lookup(good, damaged, "x", good, **options) == [VALUE, None, None, VALUE]
    again = lookup(good, damaged, operation="rewrap", **options)
    assert [text is None for text in again] == [False, True]
    made = lookup(VALUE, "x" * 500, {"value": VALUE, "associated_data": "a"}, operation="encrypt", **options)
    assert [text is None for text in made] == [False, True, True]
    said = refusal(lookup, "x" * 500, key="rsa-2048", operation="encrypt")
    assert said.endswith("it is too long for this key: an RSA key encrypts a few hundred bytes at most.")


def test_what_concerns_all_terms_fails_in_any_case(bao: Bao, engine: str, lookup: Lookup) -> None:
    for operation in ("sign", "verify_hmac", "datakey", "encrypt"):
        term = {"value": VALUE, "hmac": "x"} if operation == "verify_hmac" else VALUE
        said = refusal(lookup, term, key="missing", operation=operation, term_errors="ignore")
        assert "'missing' does not exist" in said or "missing' does not exist" in said
    said = refusal(lookup, VALUE, key="hmac", operation="sign", term_errors="ignore")
    assert said.startswith("A key of type hmac cannot sign at ")
    assert "Cannot reach the server" in refusal(
        lookup, operation="random", term_errors="ignore", url="http://127.0.0.1:9"
    )


def test_a_value_that_is_too_large_is_named_with_its_size(bao: Bao, engine: str, lookup: Lookup) -> None:
    said = refusal(lookup, "x" * 25_300_000, key="aes256-gcm96", operation="encrypt")
    assert said == (
        f"encrypt failed for 1 of 1 item at {engine}/encrypt/aes256-gcm96: item 1: "
        f"The server refused a request of 32.2 MiB to '{engine}/encrypt/aes256-gcm96': it is larger than the server's "
        "limit, 32 MiB unless max_request_size of its listener is set, and base64 makes a value a third longer. "
        "Encrypt less in one value, or encrypt the content with a data key (operation datakey). "
        f"Asked: {bao.addr}, the root namespace."
    )


def test_a_value_that_is_too_large_leaves_the_others(engine: str, lookup: Lookup, capsys: Any) -> None:
    digest = hashlib.sha256(VALUE.encode()).hexdigest()
    assert lookup("x" * 25_300_000, VALUE, operation="hash", term_errors="warn") == [None, digest]
    said = " ".join(capsys.readouterr().err.split())
    assert f"hash failed for 1 of 2 items at {engine}/hash: item 1: The server refused a request of 32.2 MiB to" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"operation": "encrypt", "hash_algorithm": "sha2-256"},
            "hash_algorithm can only be used with the ",
        ),
        ({"operation": "hash", "hash_algorithm": "sha1"}, "hash_algorithm sha1 can only be used with "),
        ({"operation": "sign", "hash_algorithm": "none"}, "hash_algorithm none needs prehashed: true and signature_a"),
        ({"operation": "sign", "salt_length": "x"}, "salt_length must be auto, hash or a number of bytes, 1 or more."),
        # To the server, they are auto and hash.
        ({"operation": "sign", "salt_length": "0"}, "salt_length must be auto, hash or a number of bytes, 1 or more."),
        ({"operation": "verify", "salt_length": "-1"}, "salt_length must be auto, hash or a number of bytes"),
        (
            {"operation": "sign", "salt_length": "20", "signature_algorithm": "pkcs1v15"},
            "salt_length has no effect with signature_algorithm pkcs1v15: leave one of them out.",
        ),
        (
            {"operation": "sign", "prehashed": True},
            "item 1: it is not a digest of hash_algorithm, which prehashed says that it is.",
        ),
        ({"operation": "sign", "associated_data": "a"}, "associated_data has no effect with operation sign: leave it"),
        ({"operation": "hmac", "context": "a"}, "context has no effect with operation hmac: leave it out."),
        ({"operation": "hash", "key": None, "context": "a"}, "context has no effect with operation hash: leave it out"),
        ({"operation": "decrypt", "key_version": 1}, "key_version has no effect with operation decrypt: leave it out."),
        ({"operation": "hash", "key": None, "key_version": 1}, "key_version has no effect with operation hash: leave"),
        ({"operation": "hash"}, "key has no effect with operation hash, which uses no key: leave it out."),
        ({"operation": "random", "key": None, "encoding": "base64"}, "encoding has no effect with operation random:"),
        ({"operation": "sign", "bits": 128}, "bits can only be used with operation datakey."),
        ({"operation": "hash", "bytes": 5}, "bytes can only be used with operation random."),
        (
            {"operation": "verify"},
            "item 1: its signature is missing: a term of",
        ),
        ({"operation": "verify_hmac"}, "item 1: its hmac is missing: a term of this operation has value and hmac."),
        ({"operation": "sign", "key": None}, "key is missing: the name of the key."),
        # Wrong words, of which Ansible shows no choices, or which it reads as false.
        (
            {"operation": "sgin"},
            "operation is 'sgin', but must be one of cmac, datakey, decrypt, encrypt, hash, hmac, ",
        ),
        (
            {"operation": "sign", "hash_algorithm": "sha256"},
            "hash_algorithm is 'sha256', but must be one of none, sha1, sha2-224, sha2-256, sha2-384, sha2-512, sha3-",
        ),
        ({"operation": "hmac", "algorithm": "md5"}, "hash_algorithm (algorithm) is 'md5', but must be one of none, "),
        ({"operation": "sign", "marshaling_algorithm": "JWS"}, "marshaling_algorithm is 'JWS', but must be one of asn"),
        ({"operation": "datakey", "bits": 123}, "bits is '123', but must be one of 128, 256, 512."),
        ({"operation": "datakey", "type": "plain"}, "type is 'plain', but must be one of plaintext, wrapped. Did you"),
        ({"operation": "sign", "key_version": "x"}, "key_version is 'x', but must be a whole number."),
        ({"operation": "sign", "prehashed": "maybe"}, "prehashed is 'maybe', but must be true or false."),
        ({"operation": "sign", "validate_certs": "ture"}, "validate_certs is 'ture', but must be true or false."),
    ],
)
def test_options_that_do_not_go_together(lookup: Lookup, options: dict[str, Any], message: str) -> None:
    assert refusal(lookup, VALUE, **{"key": "ed25519", **options}).startswith(message)


def test_of_equally_near_words_the_usual_one_is_meant(lookup: Lookup) -> None:
    said = refusal(lookup, VALUE, key="ed25519", operation="sign", hash_algorithm="sha256")
    assert said.endswith("sha3-512. Did you mean 'sha2-256'?")


def test_numbers_and_flags_may_be_texts(lookup: Lookup) -> None:
    [made] = lookup(operation="datakey", key="aes256-gcm96", bits="128", type="plaintext", key_version=" 1 ")
    assert len(base64.b64decode(made["plaintext"])) == 16
    assert lookup(VALUE, operation="sign", key="ecdsa-p256", prehashed="no")


def test_an_empty_list_of_terms_has_no_result(lookup: Lookup) -> None:
    assert lookup([], operation="random") == []
    assert lookup([], operation="datakey", key="aes256-gcm96") == []


def test_a_signature_must_be_text(lookup: Lookup) -> None:
    term = {"value": VALUE, "signature": 5}
    assert refusal(lookup, term, key="ed25519", operation="verify") == "item 1: its signature must be text."


# With a token that has one right


def test_each_grant_is_enough_for_its_operations(bao: Bao, engine: str, lookup: Lookup, mint_token: Any) -> None:
    def token(use: str, key: str) -> str:
        return str(mint_token(hcl(grant_rules(use, engine, key))))

    signer, verifier = token("sign", "ed25519"), token("verify", "ed25519")
    [signature] = lookup(VALUE, key="ed25519", operation="sign", token=signer)
    proof = {"value": VALUE, "signature": signature}
    assert lookup(proof, key="ed25519", operation="verify", token=verifier) == [True]
    maker = token("datakey", "aes256-gcm96")
    for kind in ("plaintext", "wrapped"):
        assert lookup(key="aes256-gcm96", operation="datakey", type=kind, token=maker)[0]["key_version"] == 1
    for use, term, operation in ((verifier, VALUE, "sign"), (signer, proof, "verify"), (maker, VALUE, "datakey")):
        assert refusal(lookup, term, key="ed25519", operation=operation, token=use).startswith("Permission denied")
    importer = token("import", "granted")
    for _version in range(2):
        imported(bao, engine, "granted", os.urandom(32), token=importer)
    assert bao.done("GET", f"{engine}/keys/granted")["data"]["latest_version"] == 2
    for path in ("keys/granted/rotate", "keys/granted/config", "encrypt/granted", "export/encryption-key/granted"):
        assert bao.request("POST", f"{engine}/{path}", {}, importer)[0] == 403


def test_a_right_to_single_contexts_signs_with_all_options(
    bao: Bao, engine: str, lookup: Lookup, mint_token: Any
) -> None:
    bao.done("POST", f"{engine}/keys/single", {"type": "ed25519", "derived": True})
    bao.done("POST", f"{engine}/keys/single/rotate", {})
    parameters = '"input" = [], "context" = ["YQ=="], "key_version" = [], "hash_algorithm" = []'
    token = mint_token(
        f'path "{engine}/sign/single" {{ capabilities = ["update"]\n required_parameters = ["input", "context"]\n'
        f" allowed_parameters = {{ {parameters} }} }}"
    )
    options = {"key": "single", "operation": "sign", "token": token, "hash_algorithm": "sha2-512"}
    # Such a policy allows no batch, so each value goes by itself, with what it would share in one.
    [signature] = lookup(VALUE, context="a", key_version=1, **options)
    assert signature.startswith("vault:v1:")
    terms = [{"value": VALUE, "context": context} for context in "ab"]
    [good, bad] = lookup(terms, term_errors="ignore", **options)
    assert good.startswith("vault:v2:")
    assert bad is None
