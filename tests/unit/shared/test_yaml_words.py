# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that YAML does not read as text, held against real readers."""

from __future__ import annotations

import io

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.words import is_reserved, needs_quotes
from ruamel.yaml import YAML

WORDS = ["yes", "no", "on", "off", "true", "false", "null", "y", "n", "~", "none", "text", "yess", "key"]


@pytest.mark.parametrize("word", [form for word in WORDS for form in (word, word.upper(), word.title())])
def test_what_a_reader_turns_into_something_else_needs_quotes(word: str) -> None:
    first = YAML(typ="safe")
    first.version = (1, 1)
    changed = not isinstance(yaml.safe_load(word), str) or not isinstance(first.load(io.StringIO(word)), str)
    assert needs_quotes(word) or not changed
    assert is_reserved(word) or isinstance(yaml.safe_load(word), str) or word == "~"


@pytest.mark.parametrize("word", ["text", "yess", "key", "nope", "on_call", ""])
def test_other_words_need_none(word: str) -> None:
    assert not needs_quotes(word)
    assert not is_reserved(word)


@pytest.mark.parametrize("word", ["y", "N", "none", "~"])
def test_what_only_some_readers_turn_is_allowed_as_a_name(word: str) -> None:
    assert needs_quotes(word)
    assert not is_reserved(word)
