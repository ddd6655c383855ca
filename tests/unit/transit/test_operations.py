# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations that OpenBao does not have, and answers that it does not give on demand."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    PermissionDenied,
    ServerError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.operations import Answer, Operations

from tests.unit.stand_in import Body, Script, StandIn, refusal

SECRET = "c2VjcmV0LWRhdGEta2V5"


def test_a_cmac_is_requested_as_vault_documents_it() -> None:
    path = "POST transit/cmac/ml"
    first = {"batch_results": [{"cmac": "vault:v1:QQ=="}, {"error": "bad"}]}
    server = Script((path, first), (path, {"batch_results": [{"cmac": "vault:v2:Qg=="}]}))
    items = [Item(b"a"), Item(b"c", key_version=2), Item(b"b")]
    answers = Operations(server, "transit").many("cmac", "ml", items, {"mac_length": 8})
    assert answers == [Answer("vault:v1:QQ=="), Answer("vault:v2:Qg=="), Answer(problem="bad")]
    both = [{"input": value, "mac_length": 8} for value in ("YQ==", "Yg==")]
    alone = {"batch_input": [{"input": "Yw==", "mac_length": 8}], "key_version": 2}
    assert server.bodies == [{"batch_input": both}, alone]


def test_a_fingerprint_that_does_not_match_may_have_no_field() -> None:
    results = [{"valid": True}, {"valid": False}, {"reference": ""}]
    server = Script(("POST transit/verify/ml", {"batch_results": results}))
    items = [Item(b"a", hmac="h")] * 3
    answers = Operations(server, "transit").many("verify_hmac", "ml", items, {})
    assert [answer.value for answer in answers] == [True, False, False]


def test_answers_show_no_value() -> None:
    assert SECRET not in repr(Answer({"plaintext": SECRET}))


@pytest.mark.parametrize("answer", [{}, {"ciphertext": "c"}, {"ciphertext": "c", "plaintext": 5}])
def test_a_data_key_that_is_none_is_refused(answer: dict[str, object]) -> None:
    server = Script(("POST transit/datakey/plaintext/ml", answer))
    with pytest.raises(UnexpectedAnswer, match="text' is missing or malformed"):
        Operations(server, "transit").data_key("ml", "plaintext", Item(b""), {})


def test_a_source_of_random_bytes_is_in_the_path() -> None:
    """The server ignores one in the body."""
    server = Script(("POST transit/random/seal", {"random_bytes": "QUI="}))
    assert Operations(server, "transit").random(2, {"source": "seal", "format": "base64"}) == Answer("QUI=")
    assert server.bodies == [{"bytes": 2, "format": "base64"}]


def random_bytes(status: int, words: str) -> Answer:
    error = refusal("POST", "transit/random", status, words)
    return Operations(Script(("POST transit/random", error)), "transit").random(1, {})


def test_what_concerns_all_values_is_raised_and_what_concerns_one_is_returned() -> None:
    assert random_bytes(400, "'bytes' should be less") == Answer(problem="'bytes' should be less")
    for status, error in ((403, PermissionDenied), (503, ServerError), (429, ServerError)):
        with pytest.raises(error):
            random_bytes(status, "1 error occurred: * permission denied")


LARGE = base64.b64encode(b"large").decode()


class Limited(StandIn):
    """Refuses each request that has one certain value, for its size."""

    def __init__(self, status: int, *reasons: str) -> None:
        super().__init__()
        self.status, self.reasons = status, reasons

    def answer(self, request: str, body: Body | None) -> Body | ServerError:
        method, path = request.split()
        items = (body or {}).get("batch_input", [])
        # A ciphertext is sent as it is.
        if (
            any(large in item.values() for large in (LARGE, "large") for item in items)
            or (body or {}).get("context") == LARGE
        ):
            return refusal(method, path, self.status, *self.reasons)
        return {"batch_results": [{"ciphertext": "vault:v1:QQ=="}] * len(items)} if items else {}


TOO_LARGE: list[tuple[Any, ...]] = [
    (413, "failed to parse JSON input: http: request body too large"),
    # Of a proxy.
    (413,),
    (400, "failed to parse JSON input: string value exceeds allowed length"),
]


@pytest.mark.parametrize("words", TOO_LARGE)
def test_a_value_that_is_too_large_leaves_the_others(words: tuple[Any, ...]) -> None:
    server = Limited(*words)
    items = [Item(b"a"), Item(b"b"), Item(b"large"), Item(b"c"), Item(b"large", context=b"d"), Item(b"e", context=b"f")]
    answers = Operations(server, "transit").many("encrypt", "ml", items, {})
    assert [bool(answer.problem) for answer in answers] == [False, False, True, False, True, False]
    assert re.match(r"The server refused .*[^.]$", answers[2].problem)
    # What writes a file names what was too large and stops.
    with pytest.raises(ServerError, match="The server refused "):
        Transit(server, "transit").encrypt("ml", items)
    [alone] = [Operations(server, "transit").data_key("ml", "wrapped", Item(b"", context=b"large"), {})]
    assert re.match(r"The server refused .*[^.]$", alone.problem)


REMEDIES = {
    "decrypt": "Check that the value is a single ciphertext. If it is, raise that limit",
    "rewrap": "Check that the value is a single ciphertext. If it is, raise that limit",
    "encrypt": "Encrypt less in one value, or encrypt the content with a data key (operation datakey)",
    "sign": "Sign the digest of the content, with prehashed=true and encoding=base64 if the key is of type rsa-*",
    "verify": "Verify with the digest of the content, with prehashed=true and encoding=base64 if the key is of",
    "hmac": "Use the digest of the content as the value: filter hash, or for a file the checksum of the module",
    "verify_hmac": "Use the digest of the content as the value: filter hash, or for a file the checksum of the",
}


@pytest.mark.parametrize("operation", REMEDIES)
def test_what_to_do_with_a_value_that_is_too_large_depends_on_the_operation(operation: str) -> None:
    for words in TOO_LARGE:
        [answer] = Operations(Limited(*words), "transit").many(operation, "ml", [Item(b"large")], {})
        # The message about a proxy has another remedy.
        assert (REMEDIES[operation] in answer.problem) is (len(words) > 1)
    # What writes a file asks for fingerprints first, and encrypts.
    with pytest.raises(ServerError, match=re.escape(REMEDIES["encrypt"])):
        Transit(Limited(*TOO_LARGE[0]), "transit").hmac("ml", [Item(b"large")])
    with pytest.raises(ServerError, match=re.escape(REMEDIES["decrypt"])):
        Transit(Limited(*TOO_LARGE[0]), "transit").decrypt("ml", [Item(b"large")])


@pytest.mark.parametrize("valid", ["false", 1, [], "true"])
@pytest.mark.parametrize("operation", ["verify", "verify_hmac"])
def test_only_true_is_valid(operation: str, valid: object) -> None:
    server = Script(("POST transit/verify/ml", {"batch_results": [{"valid": valid}]}))
    with pytest.raises(UnexpectedAnswer, match="'valid' is missing or malformed"):
        Operations(server, "transit").many(operation, "ml", [Item(b"a", hmac="h", signature="s")], {})
    server = Script(("POST transit/verify/ml", {"batch_results": [{"valid": valid}]}))
    with pytest.raises(UnexpectedAnswer, match="'valid' is missing or malformed"):
        Transit(server, "transit").verify("ml", [Item(b"a", hmac="h")])


@pytest.mark.parametrize("text", ["", "SIGNATURE-NOT-TRANSIT", "vault:v0:QQ==", "vault:v1:", "vault:v1:QQ==\x1b[31m"])
@pytest.mark.parametrize(
    ("operation", "field"),
    [("sign", "signature"), ("hmac", "hmac"), ("cmac", "cmac"), ("encrypt", "ciphertext"), ("rewrap", "ciphertext")],
)
def test_what_is_not_of_transit_is_refused(operation: str, field: str, text: str) -> None:
    server = Script((f"POST transit/{operation}/ml", {"batch_results": [{field: text}]}))
    with pytest.raises(UnexpectedAnswer, match=f"'{field}' is missing or malformed"):
        Operations(server, "transit").many(operation, "ml", [Item(b"a")], {})


@pytest.mark.parametrize(
    ("parameters", "text", "expected"),
    [
        ({}, "QUI=", True),
        ({"format": "hex"}, "4142", True),
        ({}, "", False),
        ({}, "QQ==", False),
        ({}, "QUJD", False),
        ({}, "QUI=\x1b", False),
        ({"format": "hex"}, "41 42", False),
        ({"format": "hex"}, "QUI=", False),
    ],
)
def test_so_many_random_bytes_are_those_that_were_asked_for(
    parameters: dict[str, str], text: str, expected: bool
) -> None:
    operations = Operations(Script(("POST transit/random", {"random_bytes": text})), "transit")
    if expected:
        assert operations.random(2, parameters) == Answer(text)
        return
    with pytest.raises(UnexpectedAnswer, match="'random_bytes' is missing or malformed"):
        operations.random(2, parameters)


@pytest.mark.parametrize(
    ("parameters", "text", "expected"),
    [
        ({}, "ab" * 32, True),
        ({"algorithm": "sha3-512", "format": "base64"}, "QUFB" * 21 + "QQ==", True),
        ({}, "ab" * 31, False),
        ({}, "\x1b[31m" + "ab" * 32, False),
        ({"algorithm": "sha2-512"}, "ab" * 32, False),
    ],
)
def test_a_digest_has_the_length_of_its_algorithm(parameters: dict[str, str], text: str, expected: bool) -> None:
    operations = Operations(Script(("POST transit/hash", {"sum": text})), "transit")
    if expected:
        assert operations.digest(Item(b""), parameters) == Answer(text)
        return
    with pytest.raises(UnexpectedAnswer, match="'sum' is missing or malformed"):
        operations.digest(Item(b""), parameters)


@pytest.mark.parametrize(
    ("bits", "plaintext", "expected"), [(None, "QUFB" * 10 + "QUE=", True), (128, "QUFB" * 10 + "QUE=", False)]
)
def test_a_data_key_has_the_size_that_was_asked_for(bits: int | None, plaintext: str, expected: bool) -> None:
    answer = {"ciphertext": "vault:v1:QQ==", "plaintext": plaintext, "key_version": 1}
    operations = Operations(Script(("POST transit/datakey/plaintext/ml", answer)), "transit")
    parameters = {} if bits is None else {"bits": bits}
    if expected:
        assert operations.data_key("ml", "plaintext", Item(b""), parameters) == Answer(answer)
        return
    with pytest.raises(UnexpectedAnswer, match="'plaintext' is missing or malformed"):
        operations.data_key("ml", "plaintext", Item(b""), parameters)
