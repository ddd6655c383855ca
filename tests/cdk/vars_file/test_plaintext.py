# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets as text for an editor, and back."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import decoded, encoded
from hypothesis import given
from hypothesis import strategies as st

from mlkeys import MlkeysError
from mlkeys._commands.vars_file.plaintext import merged, parsed, parsed_leaves, rendered, swallowed
from mlkeys._import.data import Nesting
from mlkeys._import.selection import Wishes, select
from mlkeys._import.values import Source
from mlkeys._import.yaml_source import yaml_values

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True)
# All that the server can give: UTF-8 has no halves of characters.
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(
    [
        "12",
        "0x1",
        "yes",
        "null",
        "~",
        "# a",
        "a: b",
        "a #b",
        " a ",
        "a\n",
        "\na",
        "a\n\n",
        "  a\nb",
        "a \nb",
        "-",
        "'",
        '"',
    ]
)


def no_problems(_names: object) -> list[str]:
    return []


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_what_is_not_touched_comes_back_as_it_was(secrets: dict[str, str]) -> None:
    assert parsed(rendered(secrets, "keys.transit.yml"), no_problems) == secrets


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    found = {}
    with contextlib.suppress(MlkeysError):
        found = parsed(text, no_problems)
    assert all(found.values())


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", "12"), ("0o17", "0o17"), ("1_000", "1_000"), ("yes", "yes"), ("2026-01-02", "2026-01-02"), ("'~'", "~")],
)
def test_what_is_typed_without_quotes_is_text_all_the_same(text: str, value: str) -> None:
    assert parsed(f"a: {text}\n", no_problems) == {"a": value}


PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("mark", ["", "'", '"', ">\n  "], ids=["plain", "single", "double", "folded"])
def test_a_pasted_value_of_several_lines_is_exact_or_refused(mark: str) -> None:
    indented = PEM.strip().replace("\n", "\n  ")
    assert parsed(f"a: |\n  {indented}\n", no_problems) == {"a": PEM}
    for pasted in (indented, PEM.strip()):
        with pytest.raises(MlkeysError, match=r"a value of several lines below `name: \|`") as raised:
            parsed(f"a: {mark}{pasted}{mark[:1].strip('>')}\nb: x\n", no_problems)
        assert "MIIE" not in str(raised.value)


@pytest.mark.parametrize(("style", "width"), [("'", 1000), ('"', 20)])
def test_a_value_of_several_lines_that_a_program_wrote_in_quotes_is_exact(style: str, width: int) -> None:
    lengths = []
    for value in (PEM, PEM.strip(), "b  c\n\n\na \n", "long " * 40, "x\\\n\\\\\n"):
        text = yaml.safe_dump({"a": value}, default_style=style, width=width)
        lengths.append(text.count("\n"))
        assert parsed(text, no_problems) == {"a": value}
        assert parsed_leaves(text.replace("\n", "\r\n"), no_problems) == {"a": value}
    assert max(lengths) > 5, "they are on several lines"


def test_problems_are_reported_without_the_values() -> None:
    with pytest.raises(MlkeysError) as raised:
        parsed("a: [very-secret]\nb:\nvery-secret\n", no_problems)
    assert "very-secret" not in str(raised.value)


SIDES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2", "3"]))


@given(SIDES, SIDES, SIDES)
def test_both_sides_are_merged_or_an_entry_is_named(
    before: dict[str, str], mine: dict[str, str], theirs: dict[str, str]
) -> None:
    assert merged(before, before, theirs) == theirs
    assert merged(before, mine, before) == mine
    assert merged(before, mine, mine) == mine
    conflicts = {
        name
        for name in "abcd"
        if len({side.get(name) for side in (mine, theirs)}) == 2
        and before.get(name) not in (mine.get(name), theirs.get(name))
    }
    if conflicts:
        with pytest.raises(MlkeysError) as raised:
            merged(before, mine, theirs)
        assert set(str(raised.value).partition("meantime: ")[2].rstrip(".").split(", ")) == conflicts
        return
    found = merged(before, mine, theirs)
    for name in "abcd":
        changed = mine if mine.get(name) != before.get(name) else theirs
        assert found.get(name) == changed.get(name)


def test_a_text_that_only_one_loader_reads_is_not_shown() -> None:
    assert parsed("a: \tsecret\n", no_problems) == {"a": "secret"}


def test_the_name_of_a_file_is_on_one_line() -> None:
    text = rendered({"a": "one"}, "a\ninjected: planted\n#.transit.yml")
    assert parsed(text, lambda _names: []) == {"a": "one"}


BEFORE = {"a": "1", "b": "2", "c": "3", "d": "4"}


@pytest.mark.parametrize(
    ("after", "gone"),
    [
        ({"a": "1", "b": "2\nc: 3\nd: 4\n"}, ["c", "d"]),
        ({"a": "1", "b": "c: 3", "d": "4"}, ["c"]),
        ({"a": "1", "b": '"2\\nc: 3"', "d": "4"}, ["c"]),
        ({"a": "1", "b": "2", "d": "4"}, []),
        ({"a": "1", "b": "2", "d": "abc: 3"}, []),
        ({"a": "1", "b": "2", "d": "c:3"}, []),
    ],
)
def test_entries_that_became_lines_of_another_are_seen(after: dict[str, str], gone: list[str]) -> None:
    assert swallowed(BEFORE, after) == gone
    # What was in a value before says nothing.
    assert swallowed({**after, "c": "3"}, after) == []


#: Values without quotes that YAML 1.1 reads as something else than they look like, or that Python cannot hold.
ODD = [
    *("2024-01-02", "2024-01-02T03:04:05Z", "2024-01-02 03:04:05.5 +2", "2024-01-02 03:04:05", "2024-13-45"),
    *(".inf", "-.INF", ".nan", "1.0e+400", "-1.0e+400", "1e400", "1" * 5000, "0x_", "0b_", "0x1F", "0b101"),
    *("1:30", "1:30.5", "1:60", "0644", "0o644", "08", "1_000", "+5", "5.", "-0.0", "1e3", "1.5e+3", "yes", "off", "~"),
    *('!!int "x"', '!!int "[1"', '!!float ""', '!!timestamp "x"', '!!bool "x"', '!!int "2024-01-02"'),
]


@pytest.mark.parametrize("written", ODD)
def test_what_is_imported_with_its_type_is_what_the_source_shows(written: str) -> None:
    path = "top.value"
    values = tuple(yaml_values(f"top: {{value: {written}}}", "source.yml", lambda *_: None, encrypted=True))
    source, nesting = Source("source.yml", values), Nesting(lambda parts: ".".join(map(str, parts)), lambda _path: "")
    stored: object = None
    refused = ""
    try:
        stored = select(source, Wishes(nested=nesting)).secrets[path]
    except MlkeysError as problem:
        refused = str(problem)
    if refused:
        assert "top.value (line 1) is a " in refused
        # As it is written, it is text, for who wants that.
        assert select(source, Wishes(nested=nesting, as_text=True)).secrets[path] == values[0].text
    else:
        assert str(decoded(encoded(stored))) == str(yaml.safe_load(written))


@pytest.mark.parametrize("written", ODD)
def test_what_is_edited_is_what_the_editor_shows(written: str) -> None:
    stored: object = None
    refused = ""
    try:
        stored = parsed_leaves(f"top: {{value: {written}}}", lambda _paths: [])["top.value"]
    except MlkeysError as problem:
        refused = str(problem)
    if refused:
        assert "top.value is a number that cannot be read" in refused or "begins with !" in refused
        return
    again = parsed_leaves(rendered({"top": {"value": decoded(encoded(stored))}}, "file"), lambda _paths: [])
    assert repr(again["top.value"]) == repr(stored)
    assert isinstance(stored, str) or str(stored) == str(yaml.safe_load(written))
