# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_vars and the versions of keys: entries, fingerprints and successors follow a rotation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest

from tests.integration.support.vars_files import KEPT, KEY, SECRETS, UNDECLARED, VarsFile, actions
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")


def test_after_a_rotation_everything_moves_up_and_the_plaintexts_stay(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    old = vars_file.fingerprints()
    vars_file.rotate()

    done = vars_file.converge({"openai_api_key": SECRETS["openai_api_key"]})

    assert actions(done) == dict.fromkeys(SECRETS, ("rewrapped", "behind version 2"))
    assert set(vars_file.versions().values()) == {2}
    assert vars_file.plaintexts() == SECRETS
    assert vars_file.fingerprints()["openai_api_key"].startswith("vault:v2:")
    # Without the secret there is nothing to make the fingerprint of.
    assert vars_file.fingerprints()["anthropic_api_key"] == old["anthropic_api_key"]

    later = vars_file.converge(SECRETS)
    assert actions(later)["anthropic_api_key"] == ("refreshed", "fingerprint of an older version")
    assert vars_file.fingerprints()["anthropic_api_key"].startswith("vault:v2:")


def test_a_pinned_version_holds_back_and_takes_nothing_back(vars_file: VarsFile) -> None:
    vars_file.run({"a": "secret-of-a"})
    vars_file.rotate()
    vars_file.rotate()
    vars_file.converge({"a": "secret-of-a", "b": "secret-of-b"}, key_version=2)
    assert vars_file.versions() == {"a": 2, "b": 2}

    vars_file.converge({"c": "secret-of-c"})
    assert vars_file.versions() == {"a": 3, "b": 3, "c": 3}

    done = vars_file.converge({"d": "secret-of-d"}, key_version=1)
    assert actions(done) == {"a": UNDECLARED, "b": UNDECLARED, "c": UNDECLARED, "d": ("added", "new")}
    assert vars_file.versions() == {"a": 3, "b": 3, "c": 3, "d": 1}
    assert vars_file.plaintexts() == {name: f"secret-of-{name}" for name in "abcd"}


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, f"key_version 2 does not exist: the latest version of key '{KEY}' is 1."),
        (-1, "key_version must not be negative: it is a version of the key, or 0 for the latest."),
    ],
)
def test_a_version_that_does_not_exist_is_refused(vars_file: VarsFile, version: int, message: str) -> None:
    assert vars_file.refused(SECRETS, key_version=version) == message


def test_fingerprints_move_up_without_the_secrets_where_that_is_asked_for(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    old = vars_file.ciphertexts()
    vars_file.rotate()
    moved = vars_file.converge(refresh_fingerprints=True, return_successors=True)
    assert set(actions(moved).values()) == {("rewrapped", "behind version 2")}
    assert {text.split(":")[1] for text in vars_file.fingerprints().values()} == {"v2"}
    new = vars_file.ciphertexts()
    first = {name: digest(text) for name, text in old.items()}
    assert vars_file.variables()["_transit"]["before"] == {name: f"{text} {text}" for name, text in first.items()}
    successors = {digest(old[name]): new[name] for name in SECRETS}
    assert moved["successors"] == vars_file.run(return_successors=True)["successors"] == successors
    vars_file.configure(min_decryption_version=2, min_encryption_version=2)
    # They can still be verified.
    assert set(actions(vars_file.converge(SECRETS)).values()) == {KEPT}
    assert vars_file.ciphertexts() == new
    # What shows that a value is still the same one stays through all rewraps.
    vars_file.rotate()
    vars_file.converge(refresh_fingerprints=True)
    befores = {name: f"{digest(text)} {first[name]}" for name, text in new.items()}
    assert vars_file.variables()["_transit"]["before"] == befores


def test_a_changed_value_follows_to_copies_of_the_old_one(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    old = vars_file.ciphertexts()
    changed = vars_file.run({"openai_api_key": "sk-other-secret"}, return_successors=True)
    new = vars_file.ciphertexts()
    assert changed["successors"] == {digest(old["openai_api_key"]): new["openai_api_key"]}
    assert vars_file.variables()["_transit"]["before"] == {"openai_api_key": digest(old["openai_api_key"])}
    vars_file.converge({"anthropic_api_key": SECRETS["anthropic_api_key"]}, purge=True)
    assert "before" not in vars_file.variables()["_transit"]


def test_fingerprints_alone_move_up_when_ciphertexts_are_there_already(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    vars_file.rotate()
    vars_file.run()
    moved = vars_file.converge(refresh_fingerprints=True, return_successors=True)
    assert set(actions(moved).values()) == {("refreshed", "fingerprint of an older version")}


def test_fingerprints_stay_where_the_token_may_not_decrypt(
    bao: Bao, vars_file: VarsFile, mint_token: Callable[[str], str]
) -> None:
    vars_file.run(SECRETS)
    vars_file.rotate()
    uses = ("encrypt", "hmac", "verify", "rewrap")
    token = mint_token(
        "".join(f'path "{vars_file.mount}/{use}/{KEY}" {{ capabilities = ["update"] }}\n' for use in uses)
    )
    moved = vars_file.run(refresh_fingerprints=True, token=token)
    assert {text.split(":")[1] for text in vars_file.fingerprints().values()} == {"v1"}
    [warning] = moved.warnings
    assert "stay as they are, since the token may not decrypt" in warning


def test_fingerprints_under_a_key_of_their_own_outlive_rotations(vars_file: VarsFile) -> None:
    vars_file.make_key("marks")
    vars_file.converge(SECRETS, fingerprint_key="marks")
    assert vars_file.variables()["_transit"]["fingerprint_key"] == "marks"
    marks = vars_file.fingerprints()
    vars_file.rotate()
    vars_file.configure(min_decryption_version=1)

    done = vars_file.converge(SECRETS, fingerprint_key="marks")

    assert actions(done) == dict.fromkeys(SECRETS, ("rewrapped", "behind version 2"))
    assert vars_file.fingerprints() == marks
    assert vars_file.plaintexts() == SECRETS


def test_an_expired_fingerprint_is_refreshed_by_one_who_may_decrypt(vars_file: VarsFile) -> None:
    vars_file.make_key("marks")
    vars_file.run({**SECRETS, "rolled": "old-secret"}, fingerprint_key="marks")
    before = vars_file.ciphertexts()
    vars_file.rotate("marks")
    vars_file.configure("marks", min_decryption_version=2)

    done = vars_file.converge({**SECRETS, "rolled": "new-secret"}, fingerprint_key="marks")

    assert actions(done) == {
        **dict.fromkeys(SECRETS, ("refreshed", "fingerprint of an older version")),
        "rolled": ("updated", "the value changed"),
    }
    assert {name: vars_file.ciphertexts()[name] for name in SECRETS} == {name: before[name] for name in SECRETS}
    assert vars_file.plaintexts() == {**SECRETS, "rolled": "new-secret"}


def test_a_file_without_fingerprints_gets_them(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    sealed = vars_file.ciphertexts()
    vars_file.path.write_text("".join(f"{name}: {text}\n" for name, text in sealed.items()), encoding="utf-8")

    done = vars_file.converge(SECRETS)

    assert {action for action, _reason in actions(done).values()} == {"refreshed"}
    assert vars_file.ciphertexts() == sealed
