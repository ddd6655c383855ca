# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the items of a batch are divided among requests."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._transit import batch
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import OPENBAO_MAX_STRINGS, chunks
from hypothesis import given, settings
from hypothesis import strategies as st

Body = dict[str, Any]

fields = st.fixed_dictionaries(
    {"plaintext": st.just("c2VjcmV0")},
    optional={"context": st.just("bmFtZQ=="), "associated_data": st.just("YWFk"), "key_version": st.just(3)},
)


def strings(body: Body) -> int:
    """What the server counts of an item: each name, and each value that is a text."""
    return len(body) + len([value for value in body.values() if isinstance(value, str)])


@given(st.lists(fields, max_size=400).map(lambda bodies: bodies * 4), st.none() | st.integers(1, 2000))
@settings(max_examples=50)
def test_every_item_is_in_one_chunk_that_the_server_takes(bodies: list[Body], max_items: int | None) -> None:
    found = list(chunks(bodies, max_items))
    assert sorted(index for chunk in found for index in chunk) == list(range(len(bodies)))
    for chunk in found:
        assert chunk == sorted(chunk)
        assert len({"context" in bodies[index] for index in chunk}) == 1
        if max_items:
            assert len(chunk) <= max_items
        else:
            # The names batch_input and partial_failure_response_code come on top.
            assert 2 + sum(strings(bodies[index]) for index in chunk) <= OPENBAO_MAX_STRINGS


@given(st.lists(fields, min_size=1, max_size=300))
def test_no_request_is_sent_that_another_had_room_for(bodies: list[Body]) -> None:
    found = list(chunks(bodies))
    for chunk, following in itertools.pairwise(found):
        if ("context" in bodies[chunk[0]]) is ("context" in bodies[following[0]]):
            more = strings(bodies[following[0]])
            assert 2 + sum(strings(bodies[index]) for index in chunk) + more > OPENBAO_MAX_STRINGS


@pytest.mark.parametrize(
    ("body", "items"),
    [
        ({"plaintext": "x"}, 499),
        ({"plaintext": "x", "context": "y"}, 249),
        ({"plaintext": "x", "context": "y", "associated_data": "z"}, 166),
        ({"ciphertext": "x", "context": "y", "key_version": 2}, 199),
    ],
)
def test_how_many_items_go_into_one_request(body: Body, items: int) -> None:
    assert [len(chunk) for chunk in chunks([body] * (items + 1))] == [items, 1]


def test_a_request_stays_below_the_size_that_servers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_BODY_BYTES", 1000)
    bodies: list[Body] = [{"plaintext": "x" * size} for size in (400, 400, 400, 5000, 10)]
    assert list(chunks(bodies, 10000)) == [[0, 1], [2], [3], [4]]
    assert list(chunks(bodies)) == [[0, 1], [2], [3], [4]]


def test_nothing_makes_no_chunk() -> None:
    assert list(chunks([])) == []
