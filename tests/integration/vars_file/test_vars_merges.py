# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_vars on files that a merge put together from lines of two sides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest

from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import KEY, VarsFile, actions


@pytest.fixture
def merged(vars_file: VarsFile) -> VarsFile:
    """Two values of a secret were merged: the ciphertext of theirs, and the fingerprint of mine."""
    vars_file.run({"a": "theirs secret", "b": "other secret"})
    theirs = vars_file.ciphertexts()["a"]
    vars_file.run({"a": "mine secret"})
    vars_file.put("a", theirs)
    assert vars_file.plaintexts()["a"] == "theirs secret"
    return vars_file


def policy(file: VarsFile, *rights: str) -> str:
    may_ask = 'path "sys/capabilities-self" { capabilities = ["update"] }\n'
    return may_ask + "".join(f'path "{file.mount}/{one}/{KEY}" {{ capabilities = ["update"] }}\n' for one in rights)


MERGED = "fingerprint of another ciphertext"


@pytest.mark.parametrize("rights", [("encrypt", "hmac", "verify"), ("encrypt", "hmac", "verify", "decrypt")])
def test_lines_of_two_sides_are_noticed_and_the_given_value_wins(
    merged: VarsFile, mint_token: Callable[[str], str], rights: tuple[str, ...]
) -> None:
    done = merged.converge({"a": "mine secret", "b": "other secret"}, token=mint_token(policy(merged, *rights)))
    reason = "the value changed" if "decrypt" in rights else MERGED
    assert actions(done) == {"a": ("updated", reason), "b": ("kept", "")}
    assert merged.plaintexts() == {"a": "mine secret", "b": "other secret"}
    assert merged.digests() == {name: digest(text) for name, text in merged.ciphertexts().items()}


def test_their_value_heals_the_fingerprint_alone_where_decryption_is_allowed(merged: VarsFile) -> None:
    before = merged.ciphertexts()
    assert actions(merged.converge({"a": "theirs secret"}))["a"] == ("refreshed", MERGED)
    assert merged.ciphertexts() == before


def test_without_a_value_it_is_healed_or_warned_of(merged: VarsFile, mint_token: Callable[[str], str]) -> None:
    warned = merged.converge(token=mint_token(policy(merged, "hmac")))
    assert not warned.changed
    assert ["as after a merge" in text for text in warned.warnings] == [True]
    before = merged.ciphertexts()
    assert actions(merged.converge()) == {"a": ("refreshed", MERGED), "b": ("kept", "")}
    assert merged.ciphertexts() == before


def test_a_prediction_decrypts_nothing(merged: VarsFile) -> None:
    """One digest shows the latest version of the key to tokens that may not read it."""
    merged.rotate()
    ledger = Ledger(merged.bao)
    predicted = merged.run(check=True, refresh_fingerprints=True)
    assert merged.requests(ledger) == ["hmac"]
    done = merged.run(refresh_fingerprints=True)
    assert actions(predicted) == actions(done) == dict.fromkeys("ab", ("rewrapped", "behind version 2"))


def test_a_rotation_hides_no_merge(merged: VarsFile, mint_token: Callable[[str], str]) -> None:
    merged.rotate()
    token = mint_token(policy(merged, "hmac", "verify", "encrypt", "rewrap"))
    assert actions(merged.converge(token=token))["a"] == ("rewrapped", "behind version 2")
    assert merged.digests()["b"] == digest(merged.ciphertexts()["b"])
    assert actions(merged.converge({"a": "mine secret"}, token=token))["a"] == ("updated", MERGED)


def test_a_file_of_an_older_version_stays_as_it_is(merged: VarsFile) -> None:
    merged.run({"a": "mine secret"})
    for name, text in merged.fingerprints().items():
        merged.put(name, text, hmac=True)
    before = merged.state()
    merged.converge({"a": "mine secret", "b": "other secret"})
    assert merged.state() == before
    merged.converge({"a": "new secret"})
    assert merged.digests() == {"a": digest(merged.ciphertexts()["a"]), "b": ""}
    merged.rotate()
    merged.converge({"b": "other secret"})
    assert merged.digests() == {name: digest(text) for name, text in merged.ciphertexts().items()}
