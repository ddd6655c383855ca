# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""HCL that is read back as it was meant, by the rules of its first version."""

from __future__ import annotations

import re

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.hcl import attributes, block, literal, text, texts
from hypothesis import given
from hypothesis import strategies as st

ODD = ["$", "${", "$${", "%{", "{", "}", '"', "\\", "\n", "\0", "\u0085", "\u2028", "\ufeff", "\ue123"]
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TEXTS = st.lists(st.sampled_from(ODD) | ANY, max_size=8).map("".join)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "\\": "\\"}


def read(quoted: str) -> str:
    """A text as the scanner and `strconv.Unquote` of HCL 1 read it."""
    assert re.fullmatch(r'"([^"\\\n]|\\.)*"', quoted), "it ends early"
    inner = quoted[1:-1]
    assert not set(inner) & {"\0", "\ue123"}, "a character that the scanner refuses"
    assert "${" not in inner, "an interpolation"
    return re.sub(r"\\(?:u([0-9a-f]{4})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else ESCAPES[m[2]], inner)


@given(TEXTS)
def test_a_text_is_read_back(value: str) -> None:
    assert read(text(value)) == value


@given(TEXTS, TEXTS)
def test_a_block_leaves_the_lines_of_its_attributes_whole(first: str, second: str) -> None:
    made = block("a", block("b", attributes({"x": first, "long": [second]})))
    head, inner, one, two, *ends = made.split("\n")
    assert (head, inner, ends) == ("a {", "  b {", ["  }", "}", ""])
    assert read(one.removeprefix("    x    = ")) == first
    assert two.startswith("    long = [")
    assert read(two.removeprefix("    long = [").removesuffix("]")) == second


@pytest.mark.parametrize(
    ("value", "written"),
    [(True, "true"), (False, "false"), (5, "5"), ("5", '"5"'), (["a", "b"], '["a", "b"]'), ((), "[]")],
)
def test_a_literal_has_the_form_of_its_type(value: object, written: str) -> None:
    assert literal(value) == written


def test_attributes_are_aligned_unless_asked_otherwise() -> None:
    assert attributes({"a": 1, "long": 2}) == "a    = 1\nlong = 2\n"
    assert attributes({"a": 1, "long": 2}, aligned=False) == "a = 1\nlong = 2\n"


def test_parts_of_a_block_are_separated_by_a_gap() -> None:
    parts = attributes({"a": 1}), "", block("b")
    assert block("x", *parts) == "x {\n  a = 1\n\n  b {\n  }\n}\n"
    assert block("x", *parts, gap="") == "x {\n  a = 1\n  b {\n  }\n}\n"
    assert texts(["it's", "${x}"]) == '["it\'s", "\\u0024{x}"]'
