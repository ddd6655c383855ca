# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup files: what is written is read, and what would be lost is decided from versions alone."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._backup.file import (
    Facts,
    Header,
    facts_of_backup,
    facts_of_key,
    file_text,
    label_to_keep,
    read_file,
    reason_not_to_restore,
    reason_to_take,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible, InvalidOption

from tests.support.chains import printed_with

ANN, BEN = "age1ann", "age1ben"


def facts(latest: int, *, floor: int = 1, oldest: int = 0, made: int = 1_700_000_000) -> Facts:
    return Facts(latest, floor, 0, oldest, {version: made + version for version in range(max(1, oldest), latest + 1)})


def header(known: Facts, **more: Any) -> Header:
    return Header(**{"key": "ml", "backend": "transit", "type": "hmac", "facts": known, "recipients": (ANN,), **more})


@pytest.mark.parametrize("known", [facts(1), facts(12, floor=3, oldest=2), Facts(1, 1, 0, 0)])
def test_what_is_written_is_read(known: Facts) -> None:
    written = header(known, taken="2026-11-25T05:00:00Z", recipients=(ANN, "ssh-ed25519 AAAA"))
    read = read_file(file_text(written, "-----BEGIN-----\n\nbody\n"), "f")
    assert read.header == written
    assert read.sealed == "-----BEGIN-----\n\nbody\n"


@pytest.mark.parametrize("text", ["", "x", "format: other\n\nbody", "format: mlkeys transit backup 1\n\nbody"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption):
        read_file(text, "f")


def entry(made: int) -> dict[str, Any]:
    return {"key": "canary", "creation_time": made}


@pytest.mark.parametrize("oldest", [0, 2])
def test_a_backup_and_its_key_have_the_same_facts(oldest: int) -> None:
    made = {version: 1_700_000_000 + version for version in range(max(1, oldest), 4)}
    policy = {"name": "ml", "latest_version": 3, "min_decryption_version": 3, "min_available_version": oldest}
    archive = [entry(made.get(version, 0)) for version in range(oldest, 4)]
    content = {"policy": {**policy, "archive_min_version": oldest, "keys": {"3": entry(made[3])}}}
    backup = base64.b64encode(json.dumps({**content, "archived_keys": {"keys": archive}}).encode()).decode()
    name, known = facts_of_backup(backup)
    assert name == "ml"
    assert known == facts_of_key(policy, {version: float(moment) for version, moment in made.items()})


@pytest.mark.parametrize("text", ["canary!", "Y2FuYXJ5", base64.b64encode(b'{"policy": {"canary": 1}}').decode()])
def test_what_is_not_backup_does_not_show(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a backup of a key$") as caught:
        facts_of_backup(text)
    assert printed_with(caught.value) == []


@pytest.mark.parametrize(
    ("stored", "wanted", "reason"),
    [
        (None, header(facts(1)), "there is none yet"),
        (header(facts(2)), header(facts(2)), ""),
        # The server shows no times of versions below the floor, nor of keys of type hmac.
        (header(facts(2)), header(Facts(2, 1, 0, 0)), ""),
        (header(facts(1)), header(facts(2)), "the key has other versions"),
        (header(facts(2)), header(facts(2, oldest=2)), "the key has other versions"),
        (header(facts(2)), header(facts(2, floor=2)), "the key has another floor"),
        (header(facts(2)), header(facts(2), recipients=(ANN, BEN)), "it is for other recipients"),
    ],
)
def test_when_a_backup_is_taken(stored: Header | None, wanted: Header, reason: str) -> None:
    assert reason_to_take("f", stored, wanted, force=False) == reason
    assert reason_to_take("f", stored, wanted, force=True)


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (header(facts(3)), "it holds version 3 of"),
        (header(facts(4)), "it holds versions 3 to 4 of"),
        (header(facts(2, made=1_600_000_000)), "it holds versions 1 to 2 of"),
    ],
)
def test_versions_that_only_the_file_has_are_kept(stored: Header, words: str) -> None:
    wanted = header(facts(2))
    with pytest.raises(ChangeImpossible, match=words):
        reason_to_take("f", stored, wanted, force=False)
    assert reason_to_take("f", stored, wanted, force=True)


@pytest.mark.parametrize(
    ("stored", "wanted", "label"),
    [
        (None, header(facts(1)), ""),
        (header(facts(2)), header(facts(3)), ""),
        (header(facts(1)), header(facts(2, oldest=2)), "v1"),
        (header(facts(3)), header(facts(3, oldest=3)), "v1-v3"),
        (header(facts(4, oldest=3)), header(facts(5, oldest=4)), "v3-v4"),
    ],
)
def test_a_backup_with_versions_that_were_trimmed_since_is_kept(
    stored: Header | None, wanted: Header, label: str
) -> None:
    assert label_to_keep(stored, wanted) == label


@pytest.mark.parametrize("other", [{"key": "other"}, {"backend": "other"}])
@pytest.mark.parametrize("force", [False, True])
def test_a_backup_of_another_key_is_kept(other: dict[str, str], force: bool) -> None:
    with pytest.raises(ChangeImpossible, match="give another path"):
        reason_to_take("f", header(facts(1), **other), header(facts(1)), force=force)


SAME = "the key exists with the same versions"


@pytest.mark.parametrize(
    ("backup", "actual", "words", "needs"),
    [
        (facts(2), None, "", set()),
        (facts(2), facts(2), SAME, set()),
        (facts(2), facts(2, floor=2), "", {"force"}),
        (facts(3), facts(2), "", {"force"}),
        (facts(1), facts(2), "", {"force", "destroy"}),
        (facts(2, oldest=2), facts(2), "", {"force", "destroy"}),
        (facts(2), facts(2, made=1_600_000_000), "", {"force", "destroy"}),
    ],
)
def test_what_a_restore_needs_to_be_allowed(backup: Facts, actual: Facts | None, words: str, needs: set[str]) -> None:
    for given in ({"force", "destroy"}, {"force"}, {"destroy"}, set[str]()):
        said = {"force": "force" in given, "destroy": "destroy" in given}
        if given >= needs:
            assert reason_not_to_restore("ml", backup, actual, **said) == words
        elif actual is not None and actual.versions == backup.versions and "destroy" not in needs:
            assert reason_not_to_restore("ml", backup, actual, **said) == SAME
        else:
            with pytest.raises(ChangeImpossible, match="cannot be restored"):
                reason_not_to_restore("ml", backup, actual, **said)
