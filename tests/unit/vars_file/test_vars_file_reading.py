# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files: what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import content_of
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry, bound, parse

from tests.unit.vars_file.texts import PATH, changed, metadata, refusal, sealed


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


def test_a_fingerprint_says_which_ciphertext_it_is_for() -> None:
    mark, other = sealed(1, "SE1B"), sealed(1, "T1RI")
    hmacs = {"old": mark, "own": bound(mark, sealed()), "merged": bound(mark, other), "none": ""}
    lines = {name: text for name, text in hmacs.items() if text}
    text = "".join(f"{name}: {sealed()}\n" for name in hmacs) + metadata(lines)
    # Both readers, and JSON.
    in_json = json.dumps({**dict.fromkeys(hmacs, sealed()), "_transit": {"key": "ml", "hmac": lines}})
    for file in (parse(text, PATH), parse(text.replace("_transit:", "_transit: # x"), PATH), parse(in_json, "x.json")):
        assert {name: entry.fingerprint for name, entry in file.entries.items()} == {
            **dict.fromkeys(hmacs, mark),
            "none": "",
        }
        assert [name for name, entry in file.entries.items() if entry.is_misbound] == ["merged"]


@pytest.mark.parametrize("tail", [" sha256:xyz", " sha256:12", " x", " md5:" + 32 * "0"])
def test_a_damaged_digest_is_refused(tail: str) -> None:
    assert "the hmac of a is damaged" in refusal(f"a: {sealed()}\n{metadata({'a': sealed() + tail})}")


SCALARS = """
yes no on off y n Y N Yes YES tRue true ~ null Null none 0644 0o644 0 08 -0 +12 0x1F 0b101 1_000 0_ 0b_ 1__2 -010
99999999999999999999 1e3 1.5e3 1.5e+3 1. .5 1.e+1 -.5 12:30 190:20:30 1:2:3.5 .nan .NaN .inf -.inf +.inf .INF _1 '0' '='
2026-01-31 2026-1-3 2026-13-01 2026-01-31T10:00:00Z 2001-12-14t21:59:43.10-05:00 2001-12-14T1:59:43.1234567+5 'yes'
"""
TAGGED = (
    "!!str 5",
    '!!int "0x1f"',
    '!!float "3"',
    "!!binary aGk=",
    "!!timestamp '2026-01-31 10:00:00'",
    "[yes, {on: 07}]",
)


@pytest.mark.parametrize("written", [*SCALARS.split(), *TAGGED])
def test_values_are_those_that_ansible_reads(written: str) -> None:
    text = f"a: {written}\n"
    try:
        expected: Any = yaml.load(text, Loader=yaml.CSafeLoader)["a"]
    except (yaml.YAMLError, ValueError):
        with pytest.raises(InvalidOption, match=r"is not YAML \(line 1\)"):
            content_of(text, PATH)
        return
    found = content_of(text, PATH)["a"]
    # What is not a number equals nothing.
    assert (type(found), repr(found)) == (type(expected), repr(expected))
