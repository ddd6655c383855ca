# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches: what is sent for items, and what comes of answers that are whole, half failed, failed or refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ItemsFailed,
    NotFound,
    PermissionDenied,
    ServerError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.stand_in import Answer, Body, StandIn

SECRET = b"sk-never-to-be-shown"
TOO_COMPLEX = "refused JSON input due to high complexity: exceeded maximum number of strings"


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


class FakeServer(StandIn):
    """Answers batches as the real one: the ciphertext of a value is the value itself behind a prefix."""

    def __init__(self, max_items: int = 10_000, build: str = "v2.7.2+builtin.bao", limit_status: int = 400) -> None:
        super().__init__()
        self.max_items = max_items
        self.build = build
        self.limit_status = limit_status
        self.failure = "cipher: message authentication failed"
        self.key: Answer = {"latest_version": 1}

    @property
    def sent(self) -> list[tuple[str, Body]]:
        """The batches: for each its path below the server and its body."""
        return [(request.partition(" ")[2], body) for request, body in self.requests if body is not None]

    def answer(self, request: str, body: Body | None) -> Answer:
        if request.startswith("GET sys/internal/ui/mounts/"):
            return {"running_plugin_version": self.build}
        if body is None:
            return self.key
        operation = request.split("/")[-2]
        items = body["batch_input"]
        if len(items) > self.max_items:
            return ServerError("refused", self.limit_status, [TOO_COMPLEX] if self.limit_status == 400 else [])
        if len({"context" in item for item in items}) > 1:
            return ServerError("mixed context", 400)
        results = [self.result(operation, item) for item in items]
        errors = [result.get("error", "") for result in results]
        if operation in ("encrypt", "decrypt") and all(errors):
            refused = ServerError("all failed", 400)
            refused.item_errors = tuple(errors)
            return refused
        return {"batch_results": results}

    def result(self, operation: str, item: Body) -> dict[str, Any]:
        if operation == "verify":
            if "old" in item["hmac"]:
                return {"error": "cannot verify HMAC: version is too old"}
            if "odd" in item["hmac"]:
                return {"error": "unknown key material"}
            return {"valid": True} if "good" in item["hmac"] else {}
        value = item.get("plaintext") or item.get("ciphertext") or item.get("input") or ""
        if "bad" in value or value == encoded(b"bad"):
            return {"error": self.failure, "plaintext": ""}
        if operation == "decrypt":
            return {"plaintext": value.rpartition(":")[2]}
        sealed = f"vault:v1:{value.rpartition(':')[2] or 'AA=='}"
        return {"ciphertext": sealed, "hmac": sealed}


def transit(server: FakeServer) -> Transit:
    return Transit(server, "/transit/")


def test_an_item_shows_nothing_of_its_value() -> None:
    shown = repr(Item(SECRET, "openai", context=SECRET, associated_data=SECRET))
    assert SECRET.decode() not in shown
    assert "openai" in shown


def test_what_is_sent_for_each_operation() -> None:
    server = FakeServer()
    engine = transit(server)
    full = Item(b"vault:v1:eA==", "n", context=b"c", associated_data=b"a", key_version=3, hmac="good")
    engine.encrypt("ml", [full])
    engine.decrypt("ml", [full])
    engine.rewrap("ml", [full])
    engine.hmac("ml", [full])
    engine.verify("ml", [full])
    common = {"context": encoded(b"c"), "associated_data": encoded(b"a"), "key_version": 3}
    whole = {"partial_failure_response_code": 200}
    assert server.sent == [
        ("transit/encrypt/ml", {"batch_input": [{"plaintext": encoded(full.value), **common}], **whole}),
        ("transit/decrypt/ml", {"batch_input": [{"ciphertext": "vault:v1:eA==", **common}], **whole}),
        ("transit/rewrap/ml", {"batch_input": [{"ciphertext": "vault:v1:eA==", **common}]}),
        ("transit/hmac/ml", {"batch_input": [{"input": encoded(full.value)}], "key_version": 3}),
        ("transit/verify/ml", {"batch_input": [{"input": encoded(full.value), "hmac": "good"}]}),
    ]


def test_unset_fields_are_not_sent() -> None:
    server = FakeServer()
    transit(server).encrypt("ml", [Item(b"")])
    assert server.sent[0][1]["batch_input"] == [{"plaintext": ""}]


def test_fingerprints_of_each_version_are_a_request_of_their_own() -> None:
    """In this one operation the server ignores an item's own version."""
    server = FakeServer()
    items = [Item(str(n).encode(), key_version=n % 3) for n in range(6)]
    assert transit(server).hmac("ml", items) == [f"vault:v1:{encoded(item.value)}" for item in items]
    assert [(body.get("key_version", 0), len(body["batch_input"])) for _path, body in server.sent] == [
        (0, 2),
        (1, 2),
        (2, 2),
    ]


def test_no_items_are_not_request() -> None:
    server = FakeServer()
    assert transit(server).encrypt("ml", []) == []
    assert not server.sent
    assert not server.asked


ITEMS = st.lists(
    st.builds(Item, st.integers(0, 9**9).map(lambda n: str(n).encode()), context=st.sampled_from([None, b"c", b""])),
    min_size=1,
    max_size=60,
)


@given(ITEMS, st.integers(1, 70), st.sampled_from([400, 413]), st.integers(1, 30))
def test_order_is_kept_over_requests_contexts_and_halves(
    few: list[Item], limit: int, status: int, repeated: int
) -> None:
    items = few * repeated
    server = FakeServer(max_items=limit, limit_status=status)
    assert transit(server).encrypt("ml", items) == [f"vault:v1:{encoded(item.value)}" for item in items]
    # A request that was refused for its size was not carried out, so nothing was done twice.
    done = [item for _path, body in server.sent if len(body["batch_input"]) <= limit for item in body["batch_input"]]
    assert len(done) == len(items)


def test_a_single_item_that_is_too_much_is_refused() -> None:
    server = FakeServer(max_items=0)
    with pytest.raises(ServerError) as refused:
        transit(server).hmac("ml", [Item(SECRET)])
    assert refused.value.says("high complexity")
    assert len(server.sent) == 1


def test_another_refusal_is_not_tried_in_halves() -> None:
    server = FakeServer(max_items=1, limit_status=500)
    with pytest.raises(ServerError):
        transit(server).hmac("ml", [Item(b"a"), Item(b"b")])
    assert len(server.sent) == 1


@pytest.mark.parametrize(
    ("build", "requests"), [("v2.7.2+builtin.bao", 3), ("v1.20.3+builtin.vault", 1), ("v0.1.0-custom", 3)]
)
def test_the_server_decides_how_much_fits_in_a_request(build: str, requests: int) -> None:
    server = FakeServer(build=build)
    transit(server).hmac("ml", [Item(b"a")] * 1200)
    assert len(server.sent) == requests
    assert server.read == ["GET sys/internal/ui/mounts/transit"]


def test_a_few_items_fit_every_server() -> None:
    server = FakeServer()
    transit(server).hmac("ml", [Item(b"a")] * 499)
    assert (len(server.sent), server.read) == (1, [])


def test_the_server_is_asked_once() -> None:
    server = FakeServer()
    engine = transit(server)
    engine.hmac("ml", [Item(b"a")] * 600)
    engine.hmac("ml", [Item(b"a")] * 600)
    assert len(server.read) == 1


BAD = Item(b"vault:v1:bad", "hf_token")
GOOD = Item(b"vault:v1:" + encoded(SECRET).encode(), "openai")
MEANING = "it does not decrypt: another key, another context or associated data, or the ciphertext is damaged"
ASKED = "Asked: http://127.0.0.1:1, the root namespace. Check: bao read transit/keys/ml."


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([GOOD, BAD, GOOD], f"decrypt failed for 1 of 3 items at transit/decrypt/ml: item 2 (hf_token): {MEANING}. "),
        ([BAD], f"decrypt failed for 1 of 1 item at transit/decrypt/ml: item 1 (hf_token): {MEANING}. "),
        (
            [BAD, Item(b"vault:v1:bad")],
            f"decrypt failed for 2 of 2 items at transit/decrypt/ml: item 1 (hf_token): {MEANING}; item 2: {MEANING}. ",
        ),
    ],
)
def test_failed_items_are_named_and_nothing_is_shown(items: list[Item], message: str) -> None:
    with pytest.raises(ItemsFailed) as failed:
        transit(FakeServer()).decrypt("ml", items)
    assert failed.value.message == message + ASKED
    assert failed.value.__context__ is None


def test_positions_are_those_of_the_caller_over_requests_and_contexts() -> None:
    items = [Item(b"vault:v1:QQ==", context=b"c" if n % 2 else None) for n in range(1300)]
    items[1001] = Item(b"vault:v1:bad", "odd", context=b"c")
    items[1202] = Item(b"vault:v1:bad", "even")
    with pytest.raises(ItemsFailed) as failed:
        transit(FakeServer()).decrypt("ml", items)
    assert [label for label, _reason in failed.value.failures] == ["item 1002 (odd)", "item 1203 (even)"]


def test_of_many_failures_ten_are_shown() -> None:
    with pytest.raises(ItemsFailed) as failed:
        transit(FakeServer()).decrypt("ml", [BAD] * 30)
    assert failed.value.message.count(MEANING) == 10
    assert failed.value.message.endswith(f"; and 20 more. {ASKED}")


def test_each_item_has_its_plaintext_or_a_reason() -> None:
    assert transit(FakeServer()).decrypt_each("ml", [GOOD, BAD, GOOD]) == [SECRET, MEANING, SECRET]


def test_a_fingerprint_is_right_or_wrong_or_cannot_be_verified() -> None:
    items = [Item(b"a", hmac=hmac) for hmac in ("good", "other", "old")]
    assert transit(FakeServer()).verify("ml", items) == [True, False, None]


def test_a_fingerprint_that_fails_for_another_reason_is_an_error() -> None:
    with pytest.raises(ItemsFailed, match=r"item 1 \(n\): unknown key material"):
        transit(FakeServer()).verify("ml", [Item(b"a", "n", hmac="odd")])


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("cipher: message authentication failed", MEANING),
        ("chacha20poly1305: message authentication failed", MEANING),
        (
            "ciphertext or signature version is disallowed by policy (too old)",
            "its key version is below the key's min_decryption_version: lower that, or encrypt the value again",
        ),
        (
            "invalid ciphertext: version is too new",
            "its key version does not exist (yet): another key, or a key restored from an older backup",
        ),
        ("invalid ciphertext: no prefix", "it is not a Transit ciphertext (vault:vN:...)"),
        ("invalid ciphertext: could not decode base64", "the ciphertext is damaged or cut off"),
        ("invalid ciphertext length", "the ciphertext is damaged or cut off"),
        (
            "missing 'context' for key derivation; the key was created using a derived key, which means",
            "the key is derived and needs the context under which the value was encrypted",
        ),
        ("some new\n\twords", "some new words"),
    ],
)
def test_the_words_of_the_server_become_advice(words: str, meaning: str) -> None:
    server = FakeServer()
    server.failure = words
    with pytest.raises(ItemsFailed) as failed:
        transit(server).decrypt("ml", [BAD])
    assert failed.value.failures == (("item 1 (hf_token)", meaning),)


def test_a_value_to_encrypt_needs_some_context_and_no_certain_one() -> None:
    server = FakeServer()
    server.failure = "missing 'context' for key derivation; the key was created using a derived key"
    with pytest.raises(ItemsFailed) as failed:
        transit(server).encrypt("ml", [Item(b"bad", "hf_token")])
    assert failed.value.failures == (
        ("item 1 (hf_token)", "the key is derived and needs a context, with which the value decrypts"),
    )


def test_an_encrypt_may_ask_first_whether_its_key_exists() -> None:
    server = FakeServer()
    assert transit(server).existing_key("ml") is not None
    assert server.read == ["GET transit/keys/ml"]

    server.key = NotFound("nothing there", 404)
    with pytest.raises(NotFound, match=r"^The key 'ml' does not exist in the engine 'transit'\. Create it"):
        transit(server).existing_key("ml")

    server.key = PermissionDenied("may not read", 403)
    assert transit(server).existing_key("ml") is None
