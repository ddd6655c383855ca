# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files: what is read."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry, parse

from tests.unit.vars_file.texts import PATH, changed, sealed


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
