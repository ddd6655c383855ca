# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reader copes with every text: it understands or refuses it, and in time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS, corpus

EACH = st.sampled_from(sorted(READERS))


@settings(max_examples=300)
@given(st.data())
def test_readers_understand_or_refuse_any_text(data: st.DataObject) -> None:
    reader = READERS[data.draw(EACH)]
    pieces = st.one_of(st.sampled_from(reader.words), st.text(max_size=6))
    text = data.draw(st.lists(pieces, max_size=30).map("".join).map(lambda text: text.encode(errors="replace")))
    reader.read(text)


@given(EACH, st.binary(max_size=60))
def test_readers_understand_or_refuse_any_bytes(name: str, data: bytes) -> None:
    READERS[name].read(data)


@pytest.mark.parametrize("name", READERS)
def test_what_was_found_once_is_read(name: str) -> None:
    for path in corpus(name):
        READERS[name].read(path.read_bytes())


def repetitive(name: str) -> Iterator[bytes]:
    """Long texts in which what is slow about a word happens often."""
    for word in READERS[name].words:
        yield (word * (READERS[name].length // len(word))).encode()


@pytest.mark.parametrize("name", READERS)
def test_readers_are_done_in_time(name: str) -> None:
    for text in repetitive(name):
        READERS[name].read(text)
