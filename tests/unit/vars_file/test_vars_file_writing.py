# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files: entries come, change and go, and all else stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.words import needs_quotes
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file import changes
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import Document, plain
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    Entry,
    interpret,
    parse,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.lines import lines_of, placed
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import name_problems
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.vars_file.texts import PATH, changed, metadata, sealed

NAMES = st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), min_size=1, max_size=6, unique=True).filter(
    lambda names: not name_problems(names)
)
COMMENTS = st.sampled_from(
    ["", "# plain\n", "#\u00fcber \U0001f511 vault:v1:AAAA\n", "\n", "\n  # indented\n", "# a: 'b\n"]
)
VALUES = st.sampled_from(["{}", "'{}'", '"{}"', "{}   # end of line"])
PREAMBLES = st.sampled_from(["", "---\n", "# head\n---\n", "%YAML 1.1\n# x\n---   # y\n", "\n# head\n\n"])
ENDS = st.sampled_from(["", "# tail\n", "\n\n"])


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]], str, bool]:
    """Names, the text of each entry with a hole for its ciphertext, the metadata, whether that comes first."""
    names = draw(NAMES)
    parts = [(draw(COMMENTS), f"{name}: {draw(VALUES)}\n") for name in names]
    return names, parts, draw(st.sampled_from(["  ", "    "])), draw(st.booleans())


def written(
    preamble: str,
    parts: Sequence[tuple[str, str]],
    ciphertexts: Sequence[str],
    block: str,
    end: str,
    first: bool,
) -> str:
    entries = "".join(
        comment + line.replace("{}", ciphertext) for (comment, line), ciphertext in zip(parts, ciphertexts, strict=True)
    )
    body = block + entries if first else entries + block
    return preamble + body + end


@given(documents(), PREAMBLES, ENDS, st.data(), st.booleans())
def test_only_the_wanted_text_changes(
    document: tuple[list[str], list[tuple[str, str]], str, bool],
    preamble: str,
    end: str,
    data: st.DataObject,
    crlf: bool,
) -> None:
    """The expected text is made of the same parts: all but ciphertexts and spaces at comments is compared."""
    names, parts, indent, first = document
    chosen = data.draw(st.sets(st.sampled_from(names)))
    old = [sealed(1)] * len(names)
    new = [sealed(2, "TkVX") if name in chosen else sealed(1) for name in names]
    hmacs = {name: sealed(1, "SE1B") for name in names}
    text = written(preamble, parts, old, metadata(hmacs, indent), end, first)
    expected = written(
        preamble,
        parts,
        new,
        metadata({name: sealed(2, "RlA=") if name in chosen else hmacs[name] for name in names}, indent),
        end,
        first,
    )
    if crlf:
        text, expected = text.replace("\n", "\r\n"), expected.replace("\n", "\r\n")

    result = changed(
        parse(text, PATH),
        {name: sealed(2, "TkVX") for name in names if name in chosen},
        {name: sealed(2, "RlA=") for name in names if name in chosen},
    )

    result, block = BEFORE.subn("", result)
    assert re.sub(" +#", " #", result) == re.sub(" +#", " #", expected)
    assert block == bool(chosen)


# What names the ciphertexts that were there before.
BEFORE = re.compile(r"^( +)before:\r?\n(?:\1 +\S+: sha256:[0-9a-f]{32}\r?\n)+", re.MULTILINE)


@given(documents(), PREAMBLES, ENDS, st.data())
def test_entries_come_and_go_and_all_other_lines_stay(
    document: tuple[list[str], list[tuple[str, str]], str, bool], preamble: str, end: str, data: st.DataObject
) -> None:
    names, parts, indent, first = document
    removed = data.draw(st.sets(st.sampled_from(names)))
    added = [name for name in data.draw(NAMES) if name not in names]
    hmacs = {name: sealed(1, "SE1B") for name in names}
    text = written(preamble, parts, [sealed()] * len(names), metadata(hmacs, indent), end, first)

    result = changed(
        parse(text, PATH),
        {name: sealed(2) for name in added},
        {name: sealed(2, "TkVX") for name in added},
        sorted(removed),
    )

    kept = [name for name in names if name not in removed]
    file = parse(result, PATH)
    order = list(file.entries)
    assert [name for name in order if name in kept] == kept
    if kept and kept == sorted(kept):
        # What is before all of them may be first or last, as comments allow.
        in_order = [name for name in order if name >= kept[0]]
        assert in_order == sorted(in_order)
    assert file.entries == {
        **{name: Entry(name, sealed(), sealed(1, "SE1B")) for name in kept},
        **{name: Entry(name, sealed(2), sealed(2, "TkVX")) for name in added},
    }
    # Comments never go, and what is kept is there letter by letter.
    assert result.startswith(preamble)
    assert result.endswith(end)
    for name, (comment, line) in zip(names, parts, strict=True):
        assert comment in result
        assert (line.replace("{}", sealed()).rstrip() in result) or name in removed


@given(documents(), PREAMBLES.filter(lambda text: "%" not in text), ENDS, st.data())
def test_a_file_that_is_changed_line_by_line_is_what_the_library_makes_of_it(
    document: tuple[list[str], list[tuple[str, str]], str, bool], preamble: str, end: str, data: st.DataObject
) -> None:
    names, parts, indent, first = document
    chosen = data.draw(st.sets(st.sampled_from(names)))
    removed = sorted(data.draw(st.sets(st.sampled_from(names))) - chosen)
    added = [name for name in data.draw(NAMES) if name not in names]
    hmacs = {name: sealed(1, "SE1B") for name in names}
    text = written(preamble, parts, [sealed()] * len(names), metadata(hmacs, indent), end, first)
    new = {name: sealed(2) for name in [*sorted(chosen), *added]}

    # Names that YAML reads as something else are left to the library.
    assert (lines_of(text) is None) is any(needs_quotes(name) for name in names)
    by_lines = changed(parse(text, PATH), new, new, removed)
    with mock.patch(f"{changes.__name__}.lines_of", return_value=None):
        by_library = changed(parse(text, PATH), new, new, removed)

    assert interpret(plain(Document(text, PATH).content), PATH, text) == parse(text, PATH)
    assert content_lines(by_lines) == content_lines(by_library)
    # The library moves comments of what is removed. Here they stay where they are.
    assert sorted(comment_lines(by_lines)) == sorted(comment_lines(by_library))


def content_lines(text: str) -> list[str]:
    lines = (re.sub(r" *(#.*)?$", "", line) for line in text.splitlines())
    return [line for line in lines if line]


def comment_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


@pytest.mark.parametrize(
    ("names", "at_front", "places"),
    [
        ([], True, {None: ["d", "b", "f"]}),
        (["c", "e"], True, {None: ["b"], "c": ["d"], "e": ["f"]}),
        (["c", "e"], False, {"e": ["b", "f"], "c": ["d"]}),
        (["e", "a", "c"], False, {"a": ["b"], "c": ["d"], "e": ["f"]}),
        (["a"], True, {"a": ["b", "d", "f"]}),
        ([7, "c"], True, {7: ["b"], "c": ["d", "f"]}),
    ],
)
def test_new_entries_have_their_places_by_name(
    names: list[Any], at_front: bool, places: dict[str | None, list[str]]
) -> None:
    assert placed(names, ["d", "b", "f"], at_front=at_front) == places


@pytest.mark.parametrize("suffix", ["yml", "json"])
@pytest.mark.parametrize("head", ["---\n", "# of all\n\n", "# of b\n"])
def test_a_comment_above_the_first_entry_stays_with_it(suffix: str, head: str) -> None:
    text = f"{head}b: {sealed()}\nd: {sealed()}\n"
    if suffix == "json":
        text = json.dumps({"b": sealed(), "d": sealed()})
    file = parse(changed(parse(text, f"keys.{suffix}"), {"c": sealed(2), "a": sealed(2)}), f"keys.{suffix}")
    last = suffix == "yml" and head == "# of b\n"
    assert list(file.entries) == (["b", "c", "d", "a"] if last else ["a", "b", "c", "d"])


@pytest.mark.parametrize(
    "text",
    [
        f"a: {sealed()}\n  more\n",
        f"a: {sealed()}\na: {sealed()}\n",
        f"a: {sealed()}\r\n",
        f"a: {sealed()}\n\x07\n",
        f"a: {sealed()}\n---\nb: {sealed()}\n",
        f"null: {sealed()}\n",
        f"a: {sealed()}#b\n",
        f"a: {sealed()}\n_transit:\n",
        f"a: {sealed()}\n_transit:\n  hmac:\n",
        f"a: {sealed()}\n_transit:\n  key: on\n",
        f"a: {sealed()}\n_transit:\n  key: 1\n",
        f"a: {sealed()}\n_transit:\n   hmac:\n     a: {sealed()}\n    b: {sealed()}\n",
        f"a: {sealed()}\n_transit:\n  hmac:\n    a: {sealed()}\n      b: {sealed()}\n",
        f"_transit: {sealed()}\n",
        f"\ta: {sealed()}\n",
        "a: 1\n",
        "# nothing\n",
    ],
)
def test_what_may_mean_something_else_is_left_to_the_library(text: str) -> None:
    assert lines_of(text) is None


def test_a_comment_stays_with_its_entry() -> None:
    text = (
        f"# of a\na: {sealed()}\n# of b\nb: {sealed()}  # b's end\n\n# ours\n{metadata({'a': sealed(), 'b': sealed()})}"
    )
    result = changed(parse(text, PATH), {"c": sealed(2)}, {"c": sealed(2)}, ["a"])
    assert result == (
        f"# of a\n# of b\nb: {sealed()}  # b's end\nc: {sealed(2)}\n\n# ours\n"
        f"{metadata({'b': sealed(), 'c': sealed(2)})}"
    )


@pytest.mark.parametrize("style", ["|\n  {}\n", ">-\n  {}\n", "\n  {}\n", "&x {}\n", "{}"])
def test_a_value_of_any_style_can_be_replaced(style: str) -> None:
    text = f"b: {sealed()}\na: {style.format(sealed())}"
    assert parse(changed(parse(text, PATH), {"a": sealed(2)}), PATH).entries["a"].ciphertext == sealed(2)


@pytest.mark.parametrize(
    "text",
    [
        f"a: {sealed()}\nb: {sealed()}",
        f"a: {sealed()}\nb: {sealed()}\n_transit: {{hmac: {{}}}}\n",
        f"a: {sealed()}\nb: {sealed()}\n_transit:\n  key: ml\n  hmac: {{a: '{sealed()}', b: '{sealed()}'}}\n",
        f"a: {sealed()}\nb: {sealed()}\n_transit:\n  key: ml\n  more: [1, {{x: y}}]\n",
        f"{{a: '{sealed()}', b: '{sealed()}'}}",
        f"--- {{a: '{sealed()}', b: '{sealed()}'}} # end\n",
        f"\ufeffa: {sealed()}\nb: {sealed()}\n",
        f"  a: {sealed()}\n  b: {sealed()}\n",
    ],
)
def test_metadata_is_completed_whatever_is_there_of_it(text: str) -> None:
    result = changed(parse(text, PATH), {"a": sealed(2), "c": sealed(2)}, {"a": sealed(2), "c": sealed(2)}, ["b"])
    file = parse(result, PATH)
    assert file.entries == {
        "a": Entry("a", sealed(2), sealed(2), before=digest(sealed())),
        "c": Entry("c", sealed(2), sealed(2)),
    }
    assert (file.backend, file.key) == ("transit", "ml")
    assert yaml.safe_load(result)[METADATA].get("more") == (yaml.safe_load(text).get(METADATA) or {}).get("more")
    assert not any(line.endswith(" ") for line in result.splitlines())


def test_the_last_fingerprint_may_go() -> None:
    text = f"a: {sealed()}\n{metadata({'a': sealed()})}"
    result = changed(parse(text, PATH), removed=["a"])
    assert result == metadata({})
    assert parse(result, PATH).entries == {}


@given(st.dictionaries(st.from_regex(r"[a-z]{3,8}", fullmatch=True), st.integers(1, 9), max_size=5), st.booleans())
def test_ansible_reads_what_was_written(versions: Mapping[str, int], as_json: bool) -> None:
    assume(not name_problems(list(versions)))
    ciphertexts = {name: sealed(version) for name, version in versions.items()}
    path = "keys.json" if as_json else PATH
    result = changed(parse("", path), ciphertexts, ciphertexts)
    variables: dict[str, Any] = json.loads(result) if as_json else yaml.safe_load(result)
    own = variables.pop(METADATA)
    assert variables == ciphertexts
    marks = {"hmac": ciphertexts} if ciphertexts else {}
    assert own == {"format": 1, "backend": "transit", "key": "ml", **marks}


def test_json_keeps_order_and_its_other_data() -> None:
    text = json.dumps(
        {
            "b": sealed(),
            "a": sealed(),
            METADATA: {"format": 1, "note": "\u00fc", "hmac": {"b": sealed(), "a": sealed()}},
        }
    )
    result = changed(parse(text, "keys.json"), {"a": sealed(2), "c": sealed(2)}, {"c": sealed(2)}, ["b"])
    content = json.loads(result)
    assert list(content) == ["a", "c", METADATA]
    assert content[METADATA]["note"] == "\u00fc"
    assert content[METADATA]["hmac"] == {"a": sealed(), "c": sealed(2)}
    assert result.endswith("}\n")
