# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations that OpenBao does not have, and answers that it does not give on demand."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    PermissionDenied,
    ServerError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.operations import Answer, Operations

from tests.unit.stand_in import Script, refusal

SECRET = "c2VjcmV0LWRhdGEta2V5"


def test_a_cmac_is_requested_as_vault_documents_it() -> None:
    path = "POST transit/cmac/ml"
    first = {"batch_results": [{"cmac": "vault:v1:QQ=="}, {"error": "bad"}]}
    server = Script((path, first), (path, {"batch_results": [{"cmac": "m"}]}))
    items = [Item(b"a"), Item(b"c", key_version=2), Item(b"b")]
    answers = Operations(server, "transit").many("cmac", "ml", items, {"mac_length": 8})
    assert answers == [Answer("vault:v1:QQ=="), Answer("m"), Answer(problem="bad")]
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


def random_bytes(status: int, words: str) -> Answer:
    error = refusal("POST", "transit/random", status, words)
    return Operations(Script(("POST transit/random", error)), "transit").random(1, {})


def test_what_concerns_all_values_is_raised_and_what_concerns_one_is_returned() -> None:
    assert random_bytes(400, "'bytes' should be less") == Answer(problem="'bytes' should be less")
    for status, error in ((403, PermissionDenied), (503, ServerError), (429, ServerError)):
        with pytest.raises(error):
            random_bytes(status, "1 error occurred: * permission denied")
