# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files: what is refused, and that no message repeats what a file holds."""

from __future__ import annotations

import string
from collections.abc import Sequence

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.belonging import check_ownership
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    Entry,
    VarsFile,
    fingerprint_input,
    interpret,
    parse,
    plain_names_problem,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import name_problems
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vars_file.texts import PATH, SECRET, refusal, said_of, sealed

NO_MAPPING = "is not a vars file: it must hold a mapping of names to ciphertexts."
PLAIN = "is not ciphertext (vault:vN:...). If it is a plaintext secret, others may have read it: replace it"
NAMELESS = f"the value of an entry without a valid name {PLAIN}"


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
        ("a: 2001-99-99", "is not YAML (line 1)."),
        (f"a: {{b: {sealed()}}}", f"the value of a {PLAIN}"),
        (f"a: [{sealed()}]", f"the value of a {PLAIN}"),
        (f"a: !!int {SECRET}", "is not YAML (line 1)."),
        (f"a: !!bool {SECRET}", "is not YAML."),
        (f"a: !!timestamp {SECRET}", "is not YAML (line 1)."),
        (f"a: !unsafe {sealed()}", f"the value of a {PLAIN}"),
        (f"a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  {SECRET}", f"the value of a {PLAIN}"),
        ("a: " + "[" * 5_000 + "]" * 5_000, "is nested too deeply."),
        (f"a: {sealed()}\na: {sealed(2)}", "contains a duplicate entry (line 2)."),
        (f"a: &x {SECRET}\nb: &x {SECRET}", f"the value of a, b {PLAIN}"),
        ("a: &x [*x]", "contains a value that contains itself."),
        (
            "a: &x0 [1, 2]\n" + "".join(f"b{n}: &x{n + 1} [{f'*x{n}, ' * 9}]\n" for n in range(9)),
            "repeats its values too",
        ),
        ("- " * 50_000, "is nested too deeply."),
        (
            f"a: {sealed()}\n<<<<<<< HEAD\nb: {SECRET}\n=======\nb: {SECRET}2\n>>>>>>> feature/keys\n",
            "(line 2): one side is at keys.transit.yml:2 (HEAD) and the other side is at keys.transit.yml:4 (feature/k",
        ),
        (
            f"<<<<<<< {SECRET} \ue000\na: b\n||||||| x\n=======\n>>>>>>> y\n",
            "one side is at keys.transit.yml:1 and the",
        ),
        (f"<<<<<<< ours\nb: [{SECRET}\n", "is not YAML (line"),
        (f"1: {sealed()}", NAMELESS),
        (f"{{{SECRET}}}", NAMELESS),
        (f"[{SECRET}]: {sealed()}", NAMELESS),
        (f"<<: {{a: {SECRET}}}", f"the value of a {PLAIN}"),
        ("_transit: 3", "_transit must be a mapping with format, backend, key and hmac."),
        ("_transit:", "_transit must be a mapping with format, backend, key and hmac."),
        ("_transit: {hmac: 3}", "_transit must be a mapping with format, backend, key and hmac."),
        ("_transit: {format: 3}", "has an unknown format. This version knows only formats 1 and 2."),
        (f"_transit: {{format: {SECRET}}}", "has an unknown format. This version knows only formats 1 and 2."),
        (f"_transit: {{hmac: {{a: {SECRET}}}}}", "the hmac of a is damaged. Remove that line from the file."),
        *(
            (f"_transit: {{{name}: {value}}}", f"_transit.{name}: it must be text: put it in quotes.")
            for name in ("backend", "key", "fingerprint_key", "kv_mount", "kv_path")
            for value in ("true", "1.5", ".nan", "2001-01-01", "[]", "{}", "[transit]", "{a: b}", "!!binary QUJD")
        ),
        *(
            (f"_transit: {{key: {key}}}", "is not a key name")
            for key in ("/", "/ml", "ml/", "//", "../ml", "ml?", "'ml '")
        ),
        *(
            (f"_transit: {{backend: {path}}}", "_transit.backend: ")
            for path in ("a/../b", "a//b", "sys/seal", "a?b", "'{{ a }}'")
        ),
    ],
)
def test_what_is_not_encrypted_vars_file_is_refused(text: str, message: str) -> None:
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
        (f'{{"a": "{sealed()}", "a": "{sealed()}"}}', "contains a duplicate entry."),
        (f'{{"{SECRET}": "{sealed()}"}}', NAMELESS),
        ('{"_transit": []}', "_transit must be a mapping with format, backend, key and hmac."),
        ('{"_transit": {"format": "3"}}', "has an unknown format. This version knows only formats 1 and 2."),
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
    assert f"{PATH}: the value of b, an entry without a valid name, an " in plain_names_problem(file.plain, PATH)
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
        ("2fast", "is not a valid variable name"),
        ("open-ai", "is not a valid variable name"),
        ("", "is not a valid variable name"),
        ("a b", "is not a valid variable name"),
        ("schl\u00fcssel", "is not a valid variable name"),
        ("line\n", "is not a valid variable name"),
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
