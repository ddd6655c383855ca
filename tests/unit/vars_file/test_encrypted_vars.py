# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files: what is read, what is refused, what happens to an entry, and that nothing else is touched."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.find import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    ADDED,
    KEPT,
    METADATA,
    REFRESHED,
    REMOVED,
    REWRAPPED,
    UPDATED,
    Edits,
    Entry,
    Fate,
    VarsFile,
    check_ownership,
    decide,
    fingerprint_input,
    interpret,
    name_problems,
    parse,
    plain_names_problem,
    summary,
    update,
)
from hypothesis import assume, given
from hypothesis import strategies as st

PATH = "keys.transit.yml"
SECRET = "sk-never-to-be-shown"


def sealed(version: int = 1, content: str = "QUJDREVG") -> str:
    return f"vault:v{version}:{content}"


def metadata(hmacs: Mapping[str, str], indent: str = "  ") -> str:
    lines = "".join(f"{indent}{indent}{name}: {value}\n" for name, value in hmacs.items())
    hmac = f"{indent}hmac:\n{lines}" if lines else ""
    return f"{METADATA}:\n{indent}format: 1\n{indent}backend: transit\n{indent}key: ml\n{hmac}"


def changed(
    file: VarsFile,
    ciphertexts: Mapping[str, str] | None = None,
    fingerprints: Mapping[str, str] | None = None,
    removed: Sequence[str] = (),
    fingerprint_key: str = "ml",
) -> str:
    return update(file, Edits("transit", "ml", fingerprint_key, ciphertexts or {}, fingerprints or {}, removed))


def said_of(text: str, path: str = PATH) -> str | None:
    """The message with which it is refused; no other error lies behind it."""
    try:
        parse(text, path)
    except InvalidOption as error:
        refused = error
    else:
        return None
    assert refused.__cause__ is None
    assert refused.__context__ is None
    return refused.message


def refusal(text: str, path: str = PATH) -> str:
    said = said_of(text, path)
    assert said is not None
    return said


# Reading


def test_a_file_is_read() -> None:
    file = parse(
        f"""
a: {sealed(2)}
b: {sealed(3)}
_transit: {{format: 1, backend: team/transit, key: ml, fingerprint_key: fp, hmac: {{a: "{sealed(1, "SE1B")}"}}}}
""",
        PATH,
    )
    assert (file.backend, file.key, file.fingerprint_key) == ("team/transit", "ml", "fp")
    assert file.entries == {"a": Entry("a", sealed(2), sealed(1, "SE1B")), "b": Entry("b", sealed(3))}
    assert [entry.version for entry in file.entries.values()] == [2, 3]


@pytest.mark.parametrize("text", ["", "\n", "---\n", "# only\n", "---\n# only\n", "# one\n---\n", "{}\n"])
def test_a_file_that_holds_nothing_has_no_entries_and_gets_some(text: str) -> None:
    file = parse(text, PATH)
    assert file.entries == {}

    result = changed(file, {"a": sealed()}, {"a": sealed(1, "SE1B")})

    assert parse(result, PATH).entries == {"a": Entry("a", sealed(), sealed(1, "SE1B"))}
    assert all(line in result for line in text.replace("{}", "").splitlines())


def test_a_new_file_looks_as_documented() -> None:
    result = changed(
        parse("", PATH),
        {"openai_api_key": sealed(3), "anthropic_api_key": sealed(3, "QQ==")},
        {"openai_api_key": sealed(3, "SE1B"), "anthropic_api_key": sealed(3, "SE1C")},
    )
    assert (
        result
        == """\
---
openai_api_key: vault:v3:QUJDREVG
anthropic_api_key: vault:v3:QQ==
_transit:
  format: 1
  backend: transit
  key: ml
  hmac:
    openai_api_key: vault:v3:SE1B
    anthropic_api_key: vault:v3:SE1C
"""
    )


def test_a_key_of_its_own_for_fingerprints_is_noted() -> None:
    result = changed(parse("", PATH), {"a": sealed()}, {"a": sealed()}, fingerprint_key="fp")
    assert parse(result, PATH).fingerprint_key == "fp"


def test_ciphertext_may_be_written_in_any_style() -> None:
    file = parse(
        f"""
plain: {sealed()}
single: '{sealed()}'
double: "{sealed()}"
literal: |
  {sealed()}
folded: >-
  {sealed()}
below:
  {sealed()}
anchored: &here {sealed()}
? explicit
: {sealed()}
""",
        PATH,
    )
    assert {entry.ciphertext for entry in file.entries.values()} == {sealed()}
    assert len(file.entries) == 8


# Refusing

NO_MAPPING = "is not a vars file: it must hold a mapping of names to ciphertexts."
PLAIN = "is not ciphertext (vault:vN:...). If it is a plaintext secret, others may have read it: replace it"
NAMELESS = f"the value of an entry without a variable's name {PLAIN}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SECRET, NO_MAPPING),
        (f"OPENAI_API_KEY={SECRET}", NO_MAPPING),
        (f"- {SECRET}", NO_MAPPING),
        (f"[{SECRET}]", NO_MAPPING),
        ("~", NO_MAPPING),
        (f"a: [{SECRET}", "is not YAML (line "),
        (f'ok: {sealed()}\nb: "{SECRET}', "is not YAML (line 2)."),
        (f"a: b: {SECRET}", "is not YAML (line 1)."),
        (f"a:\n\t- {SECRET}", "is not YAML (line 2)."),
        (f"a: {SECRET}\x01", "is not YAML."),
        (f"a: *{SECRET}", "is not YAML (line 1)."),
        (f"a: {sealed()}\n---\nb: {SECRET}", "is not YAML (line 2)."),
        (f"a: {SECRET}", f"the value of a {PLAIN}"),
        (f"a: {sealed()}\nb: {SECRET}\nc: {SECRET}", f"the value of b, c {PLAIN}"),
        (f"a: vault:v0:{SECRET}", f"the value of a {PLAIN}"),
        (f"a: vault:v1:{SECRET}", f"the value of a {PLAIN}"),
        ("a: 5", f"the value of a {PLAIN}"),
        ("a:", f"the value of a {PLAIN}"),
        ("a: 2001-99-99", "is not YAML."),
        (f"a: {{b: {sealed()}}}", f"the value of a {PLAIN}"),
        (f"a: [{sealed()}]", f"the value of a {PLAIN}"),
        (f"a: !!int {SECRET}", "is not YAML."),
        (f"a: !!bool {SECRET}", "is not YAML."),
        (f"a: !!timestamp {SECRET}", "is not YAML (line 1)."),
        (f"a: !unsafe {sealed()}", f"the value of a {PLAIN}"),
        (f"a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  {SECRET}", f"the value of a {PLAIN}"),
        ("a: " + "[" * 5_000 + "]" * 5_000, "is not YAML."),
        (f"a: {sealed()}\na: {sealed(2)}", "holds a name twice (line 2)."),
        (f"1: {sealed()}", NAMELESS),
        (f"{{{SECRET}}}", NAMELESS),
        (f"[{SECRET}]: {sealed()}", NAMELESS),
        (f"<<: {{a: {SECRET}}}", f"the value of a {PLAIN}"),
        ("_transit: 3", "_transit must be a mapping with format, backend, key and hmac."),
        ("_transit:", "_transit must be a mapping with format, backend, key and hmac."),
        ("_transit: {hmac: 3}", "_transit must be a mapping with format, backend, key and hmac."),
        ("_transit: {format: 2}", "has another format than 1, the only one that this version knows."),
        (f"_transit: {{format: {SECRET}}}", "has another format than 1, the only one that this version knows."),
        (f"_transit: {{hmac: {{a: {SECRET}}}}}", "the hmac of a is damaged. Take that line out of the file."),
    ],
)
def test_what_is_no_encrypted_vars_file_is_refused(text: str, message: str) -> None:
    said = refusal(text)
    assert said.startswith(PATH)
    assert message in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a: {SECRET}", "is not JSON (line 1)."),
        (f'{{"ok": "{sealed()}",\n"a": {SECRET}}}', "is not JSON (line 2)."),
        ("[" * 100_000, "is not JSON (line 1)."),
        (f'["{SECRET}"]', NO_MAPPING),
        ("3", NO_MAPPING),
        (f'{{"a": "{SECRET}"}}', f"the value of a {PLAIN}"),
        ('{"a": 3}', f"the value of a {PLAIN}"),
        ('{"a": null}', f"the value of a {PLAIN}"),
        (f'{{"a": {{"b": "{SECRET}"}}}}', f"the value of a {PLAIN}"),
        (f'{{"a": "{sealed()}", "a": "{sealed()}"}}', "a name is there twice."),
        (f'{{"{SECRET}": "{sealed()}"}}', NAMELESS),
        ('{"_transit": []}', "_transit must be a mapping with format, backend, key and hmac."),
        ('{"_transit": {"format": "2"}}', "has another format than 1"),
    ],
)
def test_json_is_held_to_the_same(text: str, message: str) -> None:
    said = refusal(text, "keys.json")
    assert said.startswith("keys.json")
    assert message in said
    assert SECRET not in said


# Nothing of what the sentences say themselves, so that finding it in one is a leak.
MARK = "Zq9"
SECRETS = st.text(
    string.ascii_letters + string.digits + string.punctuation + " \t\n\u00e9\u2028\U0001f511", max_size=40
).map(lambda text: MARK + text)


@given(
    SECRETS,
    st.sampled_from(
        [
            "a: {}",
            "a: '{}'",
            'a: "{}"',
            "a: |\n  {}",
            "a: [{}",
            "a: {{b: {}}}",
            "a: !x {}",
            "%{}\n---\na: b",
            "- {}",
        ]
    ),
    st.sampled_from([PATH, "keys.json"]),
)
def test_no_refusal_repeats_what_the_file_holds(secret: str, template: str, path: str) -> None:
    assert MARK not in (said_of(template.format(secret), path) or "")


@given(st.text(max_size=200), st.sampled_from([PATH, "keys.json"]))
def test_any_text_is_read_or_refused_in_one_sentence_of_ours(text: str, path: str) -> None:
    said = said_of(text, path)
    assert said is None or (said.startswith(path) and "\n" not in said)


def test_what_is_not_encrypted_can_be_set_apart() -> None:
    content = {"a": sealed(), "b": SECRET, 3: sealed(), SECRET: sealed(), METADATA: {"hmac": {"a": sealed(2)}}}
    file = interpret(content, PATH)
    assert file.entries == {"a": Entry("a", sealed(), sealed(2))}
    assert list(file.plain) == ["b", 3, SECRET]
    assert f"{PATH}: the value of b, an entry without a variable's name, an " in plain_names_problem(file.plain, PATH)
    assert SECRET not in plain_names_problem(file.plain, PATH)


def test_nothing_that_was_read_shows_in_a_representation() -> None:
    file = parse(f"# {SECRET}\na: {sealed()}\n", PATH)
    assert SECRET not in repr(file)
    assert sealed() not in repr(file)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("openai_api_key", None),
        ("_hidden", None),
        ("K2", None),
        ("2fast", "is not a name for a variable"),
        ("open-ai", "is not a name for a variable"),
        ("", "is not a name for a variable"),
        ("a b", "is not a name for a variable"),
        ("schl\u00fcssel", "is not a name for a variable"),
        ("line\n", "is not a name for a variable"),
        ("_transit", "is reserved for the file itself"),
        ("No", "is reserved for YAML itself"),
        ("null", "is reserved for YAML itself"),
    ],
)
def test_names_are_those_of_variables(name: str, problem: str | None) -> None:
    problems = name_problems([name])
    assert len(problems) == (problem is not None)
    assert problem is None or problem in problems[0]


def test_equal_values_have_different_fingerprints_under_different_names() -> None:
    assert fingerprint_input("a", b"value") == b"a\0value"
    assert fingerprint_input("ab", b"c") != fingerprint_input("a", b"bc")


# Ownership


@pytest.mark.parametrize(
    ("stored", "asked", "named"),
    [
        (("transit", "ml", ""), ("transit", "ml", "ml"), []),
        (("transit", "ml", "fp"), ("transit", "ml", "fp"), []),
        (("", "", ""), ("other", "any", "fp"), []),
        (("transit", "ml", ""), ("other", "ml", "ml"), ["backend 'transit', not 'other'"]),
        (("transit", "ml", ""), ("transit", "x", "x"), ["key 'ml', not 'x'", "fingerprint_key 'ml', not 'x'"]),
        (("transit", "ml", ""), ("transit", "ml", "fp"), ["fingerprint_key 'ml', not 'fp'"]),
        (("transit", "ml", "fp"), ("transit", "ml", "ml"), ["fingerprint_key 'fp', not 'ml'"]),
        (("", "", "fp"), ("transit", "ml", "ml"), ["fingerprint_key 'fp', not 'ml'"]),
    ],
)
def test_a_file_belongs_to_its_keys(
    stored: tuple[str, str, str], asked: tuple[str, str, str], named: Sequence[str]
) -> None:
    backend, key, fingerprint_key = stored
    file = VarsFile(PATH, "", backend=backend, key=key, fingerprint_key=fingerprint_key)
    if not named:
        check_ownership(file, *asked, PATH)
        return
    with pytest.raises(InvalidOption) as refused:
        check_ownership(file, *asked, PATH)
    assert refused.value.message.startswith(f"{PATH} was written with {' and '.join(named)}. ")
    assert "move the file away" in refused.value.message


# Deciding


def stored(name: str, version: int, fingerprint: int | None = 1) -> Entry:
    return Entry(name, sealed(version), sealed(fingerprint) if fingerprint else "")


@pytest.mark.parametrize(
    ("entry", "same", "version", "fingerprint_version", "purge", "fate"),
    [
        # Given, and the same value as the stored one.
        (stored("a", 1), {"a": None}, 1, 1, False, Fate("a", KEPT, "", 1, 1)),
        (stored("a", 1), {"a": None}, 1, 1, True, Fate("a", KEPT, "", 1, 1)),
        (stored("a", 1), {"a": None}, 2, 2, False, Fate("a", REWRAPPED, "behind version 2", 1, 2, fingerprint=True)),
        (stored("a", 1), {"a": None}, 2, 1, False, Fate("a", REWRAPPED, "behind version 2", 1, 2)),
        (
            stored("a", 2),
            {"a": None},
            2,
            2,
            False,
            Fate("a", REFRESHED, "fingerprint of an older version", 2, 2, fingerprint=True),
        ),
        (
            stored("a", 1, None),
            {"a": None},
            1,
            1,
            False,
            Fate("a", REFRESHED, "fingerprint of an older version", 1, 1, fingerprint=True),
        ),
        # A newer entry than the pinned version stays.
        (stored("a", 3, 3), {"a": None}, 2, 3, False, Fate("a", KEPT, "", 3, 3)),
        (stored("a", 3, 3), {}, 2, 3, False, Fate("a", KEPT, "", 3, 3)),
        # Given, and another value.
        (
            stored("a", 1),
            {"a": "the value changed"},
            1,
            1,
            False,
            Fate("a", UPDATED, "the value changed", 1, 1, fingerprint=True),
        ),
        (
            stored("a", 1),
            {"a": "fingerprint expired"},
            4,
            4,
            False,
            Fate("a", UPDATED, "fingerprint expired", 1, 4, fingerprint=True),
        ),
        # Not given.
        (stored("a", 1), {}, 1, 1, False, Fate("a", KEPT, "", 1, 1)),
        (stored("a", 1, None), {}, 1, 1, False, Fate("a", KEPT, "", 1, 1)),
        (stored("a", 1), {}, 2, 2, False, Fate("a", REWRAPPED, "behind version 2", 1, 2)),
        (stored("a", 1), {}, 1, 1, True, Fate("a", REMOVED, "not among secrets", 1, None)),
        (stored("a", 1), {}, 2, 2, True, Fate("a", REMOVED, "not among secrets", 1, None)),
        # Not stored.
        (None, {"a": "new"}, 1, 1, False, Fate("a", ADDED, "new", None, 1, fingerprint=True)),
        (None, {"a": "new"}, 7, 9, True, Fate("a", ADDED, "new", None, 7, fingerprint=True)),
    ],
)
def test_what_happens_to_an_entry(
    entry: Entry | None,
    same: Mapping[str, str | None],
    version: int,
    fingerprint_version: int,
    purge: bool,
    fate: Fate,
) -> None:
    entries = {entry.name: entry} if entry else {}
    fates = decide(entries, same, version=version, fingerprint_version=fingerprint_version, purge=purge)
    assert fates == [fate]


def test_fates_are_in_the_order_of_the_file_and_then_of_names() -> None:
    entries = {name: stored(name, 1) for name in ("z", "m", "a")}
    fates = decide(
        entries, {"y": "new", "b": "new", "a": None, "m": None}, version=1, fingerprint_version=1, purge=False
    )
    assert [fate.name for fate in fates] == ["z", "m", "a", "b", "y"]


def test_the_diff_has_names_versions_and_reasons() -> None:
    fates = [
        Fate("kept", KEPT, "", 1, 1),
        Fate("new", ADDED, "new", None, 2, fingerprint=True),
        Fate("old", REWRAPPED, "behind version 2", 1, 2),
        Fate("gone", REMOVED, "not among secrets", 1, None),
    ]
    assert summary(fates, after=False) == {"kept": "v1", "old": "v1", "gone": "v1"}
    assert summary(fates, after=True) == {
        "kept": "v1",
        "new": "v2 (added: new)",
        "old": "v2 (rewrapped: behind version 2)",
    }


# Writing

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
    assert list(file.entries) == kept + added
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
