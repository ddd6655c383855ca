# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One bad term between two good ones on a real server: each operation, and each way in which a term can be bad."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from ansible.errors import AnsibleError
from ansible_collections.mlkeys.transit.plugins.module_utils._material.material import wrapped
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl

from tests.support.chains import printed_with
from tests.support.key_material import der, public_pem
from tests.support.lookups import Lookup, lookup_with
from tests.support.server import Bao, transit_mount

LOOKUP = "mlkeys.transit.vault_transit"
VALUE = "sk-planted-value"

# The keys, with their attributes.
KEYS: Mapping[str, Mapping[str, object]] = {
    "plain": {"type": "aes256-gcm96"},
    "bound": {"type": "aes256-gcm96", "derived": True},
    "rsa": {"type": "rsa-2048"},
    "signs": {"type": "ed25519"},
    "signs-bound": {"type": "ed25519", "derived": True},
    "signs-rsa": {"type": "rsa-2048"},
}
# Keys with the versions 1 to 4, of which some may not be used any more.
FLOORS: Mapping[str, Mapping[str, int]] = {
    "floor": {"min_decryption_version": 2},
    "floors": {"min_decryption_version": 2, "min_encryption_version": 3},
}
# Imported keys: version 1 is a whole pair, version 2 a public key alone.
HALVES = {"half": "rsa-2048", "signs-half": "ed25519"}


@pytest.fixture(scope="module")
def engine(bao: Bao) -> Iterator[str]:
    with transit_mount(bao) as mount:
        for name, attributes in KEYS.items():
            bao.done("POST", f"{mount}/keys/{name}", dict(attributes))
        for name, kind in HALVES.items():
            wrapping = bao.done("GET", f"{mount}/wrapping_key")["data"]["public_key"]
            sent = {"ciphertext": wrapped(der(kind), wrapping, "SHA256"), "type": kind}
            bao.done("POST", f"{mount}/keys/{name}/import", sent)
            bao.done("POST", f"{mount}/keys/{name}/import_version", {"public_key": public_pem(kind, 2)})
        yield mount


@pytest.fixture(scope="module")
def lookup(bao: Bao, engine: str) -> Lookup:
    return lookup_with(**bao.login, backend=engine)


@pytest.fixture(scope="module")
def made(bao: Bao, engine: str, lookup: Lookup) -> dict[str, str]:
    """What was made with other keys, other versions and versions that are below a floor by now."""
    others = {
        "of bound": lookup(VALUE, key="bound", operation="encrypt", context="c"),
        "of half": lookup(VALUE, key="half", operation="encrypt", key_version=1),
        "of the public half": lookup(VALUE, key="half", operation="encrypt", key_version=2),
    }
    for kind in ("plain", "signs"):
        for name, floors in FLOORS.items():
            key = f"{kind}-{name}"
            bao.done("POST", f"{engine}/keys/{key}", dict(KEYS[kind]))
            others[f"old of {key}"] = lookup(VALUE, key=key, operation="encrypt" if kind == "plain" else "sign")
            others[f"old hmac of {key}"] = lookup(VALUE, key=key, operation="hmac")
            for _time in range(3):
                bao.done("POST", f"{engine}/keys/{key}/rotate", {})
            bao.done("POST", f"{engine}/keys/{key}/config", dict(floors))
    return {name: found[0] for name, found in others.items()}


NO_VERSION = "its key_version does not exist (yet): 0 is the latest"
BELOW = "its key_version is below the key's min_encryption_version: 0 is the latest"
BELOW_FLOOR = "its key_version is below the key's min_decryption_version: 0 is the latest"
NOT_DERIVED = (
    "context has no effect with key '{key}' of type {kind}, which is not derived: leave it out, or use a derived"
)
FOREIGN = "it does not decrypt: another key, another context or associated data, or the ciphertext is damaged"
TOO_NEW = "its key version does not exist (yet): another key, or a key restored from an older backup"
TOO_OLD = "its key version is below the key's min_decryption_version: lower that, or encrypt the value again"
PUBLIC_ALONE = "the server has the public key of this version alone: import the private key, with complete: true"
CUT = "vault:v1:QQ=="
DIGEST = base64.b64encode(hashlib.sha256(VALUE.encode()).digest()).decode()


def no_effect(name: str) -> str:
    return f"{name} has no effect with this operation: leave it out"


class Made(NamedTuple):
    """A ciphertext, signature or fingerprint of `made`."""

    name: str


class Row(NamedTuple):
    """A bad term.

    Attributes:
        changed: what is different in it; what is `None` is left out.
        options: of the whole list.
    """

    operation: str
    key: str
    changed: Mapping[str, object]
    problem: str
    options: Mapping[str, object] = {}


def usual(operation: str) -> str:
    return {"sign": "signs", "verify": "signs", "hash": "", "random": ""}.get(operation, "plain")


def rows() -> Iterator[Row]:
    yield from values()
    yield from contexts()
    yield from bound_data()
    yield from versions()
    yield from ciphertexts()
    yield from proofs()


def values() -> Iterator[Row]:
    for operation in ("encrypt", "decrypt", "rewrap", "hmac", "verify_hmac", "sign", "verify", "hash"):
        for value in (5, None, ["x"], "\udc80"):
            yield Row(operation, usual(operation), {"value": value}, "its value must be text")
        yield Row(
            operation, usual(operation), {"sk-x": "c"}, "one of its fields is not known in a term, only value, name"
        )
    for operation in ("encrypt", "hmac", "verify_hmac", "sign", "verify", "hash"):
        yield Row(operation, usual(operation), {"value": "sk-?"}, "not valid base64", {"encoding": "base64"})
    for operation in ("sign", "verify"):
        options = {"encoding": "base64", "prehashed": True}
        yield Row(operation, "signs-rsa", {"value": "QUJD"}, "it is not a digest of hash_algorithm", options)
    yield Row("encrypt", "rsa", {"value": "x" * 500}, "it is too long for this key: an RSA key encrypts a few hundred")
    yield Row("encrypt", "plain", {"value": CUT}, "its value is a ciphertext (vault:vN:...). To encrypt it neverthel")
    yield Row("datakey", "plain", {"value": "x"}, "'value' is not known in a term, only name, context, ")
    sizes: tuple[object, ...] = (0, -1, "x", None, "", 131073, [], True)
    for size in sizes:
        yield Row("random", "", {"value": size}, "it must be a number of bytes, 1 to 131072")


def contexts() -> Iterator[Row]:
    for operation in ("encrypt", "decrypt", "rewrap", "sign", "verify", "datakey"):
        bound = "signs-bound" if usual(operation) == "signs" else "bound"
        for nothing in (None, ""):
            yield Row(operation, bound, {"context": nothing}, "the key is derived and needs ")
        for value in (["c"], {"c": 1}, True, 5, "\udc80"):
            yield Row(operation, bound, {"context": value}, "its context must be text")
    for operation in ("encrypt", "sign", "verify", "datakey"):
        yield Row(operation, usual(operation), {"context": "c"}, NOT_DERIVED)
    for operation in ("decrypt", "rewrap"):
        yield Row(operation, "bound", {"context": "d"}, FOREIGN)
    for operation in ("hmac", "verify_hmac", "hash", "random"):
        yield Row(operation, usual(operation), {"context": "c"}, no_effect("context"))


def bound_data() -> Iterator[Row]:
    for operation in ("hmac", "verify_hmac", "hash", "random", "sign", "verify"):
        yield Row(operation, usual(operation), {"associated_data": "a"}, no_effect("associated_data"))
    for operation in ("encrypt", "datakey"):
        yield Row(
            operation, "rsa", {"associated_data": "a"}, "a key of type rsa-2048 cannot bind a value to associated"
        )
    for operation in ("encrypt", "decrypt", "datakey"):
        for value in (["a"], True):
            yield Row(operation, "plain", {"associated_data": value}, "its associated_data must be text")
    yield Row("decrypt", "plain", {"associated_data": "a"}, FOREIGN)
    yield Row("rewrap", "plain", {"associated_data": "a"}, "the server cannot rewrap what is bound to associated data")


def versions() -> Iterator[Row]:
    for operation in ("encrypt", "rewrap", "hmac", "sign", "datakey"):
        key = f"{usual(operation)}-floors"
        for version, problem in ((1, BELOW), (2, BELOW), (9, NO_VERSION), (10**10, NO_VERSION), (10**25, NO_VERSION)):
            yield Row(operation, key, {"key_version": version}, problem)
        for wrong in (-1, "x", True, [1]):
            yield Row(operation, key, {"key_version": wrong}, "its key_version must be a number, 0 for the latest")
        if operation != "rewrap":
            yield Row(operation, f"{usual(operation)}-floor", {"key_version": 1}, BELOW_FLOOR)
    for operation in ("decrypt", "verify", "verify_hmac", "hash", "random"):
        yield Row(operation, usual(operation), {"key_version": 1}, no_effect("key_version"))
    yield Row("sign", "signs-half", {"key_version": 2}, PUBLIC_ALONE)


def ciphertexts() -> Iterator[Row]:
    for operation in ("decrypt", "rewrap"):
        yield Row(operation, "plain", {"value": ""}, "it is empty")
        for value in ("no ciphertext", "vault:vx:QUJD", f"vault:v{10**25}:QUJD"):
            yield Row(operation, "plain", {"value": value}, "it is not a Transit ciphertext (vault:vN:...)")
        for value in (CUT, "vault:v1:?"):
            yield Row(operation, "plain", {"value": value}, "the ciphertext is damaged or cut off")
        yield Row(operation, "plain", {"value": Made("of bound")}, FOREIGN)
        yield Row(operation, "plain", {"value": "vault:v7:QUJD"}, TOO_NEW)
        yield Row(operation, "plain-floors", {"value": Made("old of plain-floors")}, TOO_OLD)
        yield Row(
            operation, "rsa", {"value": Made("of half")}, "it does not decrypt: another key, or the ciphertext is "
        )
        yield Row(operation, "half", {"value": Made("of the public half")}, PUBLIC_ALONE)


def proofs() -> Iterator[Row]:
    for operation, key, proof, called in (
        ("verify", "signs", "signature", "Transit signature"),
        ("verify", "signs-rsa", "signature", "Transit signature"),
        ("verify_hmac", "plain", "hmac", "Transit HMAC"),
    ):
        for missing in (None, " "):
            yield Row(operation, key, {proof: missing}, f"its {proof} is missing")
        yield Row(operation, key, {proof: 5}, f"its {proof} must be text")
        for value in ("nothing", "vault:vx:QUJD", f"vault:v{10**25}:QUJD"):
            yield Row(operation, key, {proof: value}, f"its {proof} is not a {called} (vault:vN:...)")
        yield Row(operation, key, {proof: "vault:v7:QUJD"}, TOO_NEW)
        damaged = "its hmac is damaged" if proof == "hmac" else "it is not a Transit signature, or in another marsh"
        yield Row(operation, key, {proof: "vault:v1:?"}, damaged)
        old = Made("old hmac of plain-floors" if proof == "hmac" else "old of signs-floors")
        yield Row(
            operation, f"{usual(operation)}-floors", {proof: old}, f"its {proof} is of a version below the key's min_d"
        )


def good_term(lookup: Lookup, row: Row) -> dict[str, object]:
    """A term that succeeds under the row's key."""
    context = {"context": "c"} if row.key.endswith("bound") else {}
    more = {"key": row.key, **context, **({"key_version": 1} if row.key in HALVES else {})}
    value = DIGEST if row.options else VALUE
    if row.operation == "random":
        return {"value": 4}
    if row.operation == "datakey":
        return dict(context)
    if row.operation in ("decrypt", "rewrap"):
        return {"value": lookup(value, operation="encrypt", **more)[0], **context}
    if row.operation == "verify":
        return {"value": value, "signature": lookup(value, operation="sign", **more, **row.options)[0], **context}
    if row.operation == "verify_hmac":
        return {"value": value, "hmac": lookup(value, operation="hmac", **more, **row.options)[0]}
    return {"value": value, **{name: one for name, one in more.items() if name != "key"}}


@pytest.mark.parametrize("operation", sorted({row.operation for row in rows()}))
def test_one_bad_term_leaves_the_others_and_is_named(lookup: Lookup, made: dict[str, str], operation: str) -> None:
    for row in (row for row in rows() if row.operation == operation):
        good = good_term(lookup, row)
        changed = {name: made[value.name] if isinstance(value, Made) else value for name, value in row.changed.items()}
        bad = {name: value for name, value in {**good, **changed, "name": "bad"}.items() if value is not None}
        options = {"operation": operation, **({"key": row.key} if row.key else {}), **row.options}
        first, second, third = lookup([good, bad, good], term_errors="ignore", **options)
        assert second is None, row
        assert [first, third] == [True, True] if operation.startswith("verify") else first and third, row
        with pytest.raises(AnsibleError) as refused:
            lookup([good, bad, good], **options)
        said = str(refused.value)
        kind = KEYS.get(row.key, {}).get("type")
        assert f"item 2 (bad): {row.problem.format(key=row.key, kind=kind)}" in said, row
        assert printed_with(refused.value) == []
        assert VALUE not in said
        assert "item 1" not in said
        assert "\n" not in said


@pytest.mark.parametrize("operation", ["encrypt", "sign", "verify", "datakey"])
def test_a_context_for_all_terms_is_refused_as_a_whole(lookup: Lookup, operation: str) -> None:
    row = Row(operation, usual(operation), {}, "")
    with pytest.raises(AnsibleError, match=r"^context has no effect with key '"):
        lookup(good_term(lookup, row), operation=operation, key=row.key, context="c", term_errors="ignore")


def test_what_is_empty_is_left_out(lookup: Lookup, made: dict[str, str]) -> None:
    for operation in sorted({row.operation for row in rows()}):
        row = Row(operation, usual(operation), {}, "")
        term = {**good_term(lookup, row), "context": "", "associated_data": "", "key_version": 0}
        key = {"key": row.key} if row.key else {}
        assert lookup(term, operation=operation, **key) not in ([None], [False])


def test_what_a_token_may_not_do_fails_as_a_whole(engine: str, lookup: Lookup, mint_token: Any) -> None:
    token = mint_token(hcl(grant_rules("rewrap", engine, "plain")))
    for operation in sorted({row.operation for row in rows()} - {"rewrap"}):
        row = Row(operation, usual(operation), {}, "")
        key = {"key": row.key} if row.key else {}
        with pytest.raises(AnsibleError, match=r"^Permission denied"):
            lookup(good_term(lookup, row), operation=operation, token=token, term_errors="ignore", **key)
