# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The account of a rotation: when the rotation is finished, what people see of it, and what they are to type next."""

from __future__ import annotations

import fnmatch
import io
from typing import Any

import pytest
from rich.console import Console

from mlkeys._commands.fleet.account import Account, Wanted, account_in, advice, again, finished, losses, rotating
from mlkeys._commands.fleet.account_text import LISTED, show_account, show_losses
from mlkeys._commands.fleet.rotate import what_helps
from mlkeys._commands.playbook import Run

CLEAN: dict[str, Any] = {
    "key": "transit/ml",
    "target": 2,
    "files": 3,
    "ciphertexts": [{"key": "transit/ml", "version": 2, "state": "current", "count": 7}],
    "unknown": [],
    "unread": [],
    "not_searched": [],
    "hosts": [],
    "left": 0,
    "behind": [],
    "accepted": [],
    "blocking": [],
    "clean": True,
    "floor": {"before": 1, "after": 2},
    "trimmed": False,
    "replaced": {},
}
UNKNOWN = {"host": "a", "path": "/srv/[x].env", "line": 2, "version": 1, "name": "SESSION", "tried": ["session", "x"]}
UNREAD = {"host": "a", "path": "/srv/closed", "reason": "Permission denied", "kind": "folder"}
BLOCKED: dict[str, Any] = {
    **CLEAN,
    "unknown": [UNKNOWN],
    "unread": [UNREAD],
    "blocking": ["these places were not searched: a:/srv/closed (Permission denied)"],
    "clean": False,
    "floor": {"before": 1, "after": 1},
}
WORDS = ["mlkeys", "rotate", "-i", "inventory.yml", "--now"]


def account(**changed: Any) -> Account:
    return Account({**CLEAN, **changed})


def shown(of: Account, wanted: Wanted | None = None) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=250, soft_wrap=True, markup=False, highlight=False)
    show_account(of, wanted or Wanted(), WORDS, console)
    return stream.getvalue()


@pytest.mark.parametrize(
    "stats", [{}, {"vault_transit_account": None}, {"vault_transit_account": {"key": "transit/ml", "clean": True}}]
)
def test_half_an_account_is_none(stats: dict[str, Any]) -> None:
    assert account_in(stats) is None
    assert account_in({"vault_transit_account": CLEAN}) == Account(CLEAN)


@pytest.mark.parametrize(
    ("changed", "wanted", "expected"),
    [
        ({}, Wanted(), True),
        ({"floor": {"before": 1, "after": 1}}, Wanted(), False),
        ({"floor": {"before": 1, "after": 1}}, Wanted(floor=False), True),
        ({"floor": {"before": 1, "after": 1}, "left": 3}, Wanted(limited=True), True),
        ({"floor": {"before": 1, "after": 1}, "left": 3}, Wanted(), False),
        ({"floor": {"before": 1, "after": 1}, "left": 3, "unread": [UNREAD]}, Wanted(limited=True), False),
        ({"floor": {"before": 1, "after": 1}, "left": 3, "hosts": [{"host": "b"}]}, Wanted(limited=True), False),
        ({"trimmed": True}, Wanted(trim=True), True),
        ({"clean": False}, Wanted(trim=True), False),
        ({"clean": False}, Wanted(), True),
        ({"clean": False, "trimmed": True}, Wanted(trim=True), True),
        # The floor was there before, and the run did not begin, or found what it should not have.
        ({"floor": {"before": 2, "after": 2}, "blocking": ["x"]}, Wanted(), False),
        ({"refused": ["x"], "blocking": ["x"]}, Wanted(floor=False), False),
        ({"floor": {"before": 1, "after": 1}}, Wanted(dry_run=True), True),
        ({"floor": {"before": 1, "after": 1}, "blocking": ["x"]}, Wanted(dry_run=True), False),
    ],
)
def test_a_rotation_is_finished_when_it_did_what_was_asked_for(
    changed: dict[str, Any], wanted: Wanted, *, expected: bool
) -> None:
    assert finished(account(**changed), wanted) is expected


def test_a_clean_account_shows_what_was_read_and_the_new_floor() -> None:
    text = shown(account(replaced={"openai_api_key": "everywhere", "hf_token": "incomplete"}))
    assert "Account of transit/ml" in text
    assert "3 files were read." in text
    row = next(line for line in text.splitlines() if "current" in line)
    assert row.split() == ["transit/ml", "v2", "current", "7"]
    assert "openai_api_key was replaced everywhere." in text
    assert "hf_token was not replaced everywhere." in text
    assert "was raised from v1 to v2." in text
    assert "mlkeys rotate" not in text


_DUE = "v2 is 3 d old, and due at 90 d (--older-than)."
_NOW = "mlkeys rotate -i inventory.yml --key transit/ml --now"
YOUNG = {"done": False, "asked": True, "age_seconds": 259200, "due_seconds": 7776000}


@pytest.mark.parametrize(
    ("changed", "wanted", "expected"),
    [
        (
            {},
            Wanted(),
            f"transit/ml was not rotated: {_DUE} To rotate it now:\n  {_NOW}\n",
        ),
        ({}, Wanted(dry_run=True), "transit/ml would not be rotated: v2 is 3 d old"),
        ({"age_seconds": None}, Wanted(), "v2 is of unknown age"),
        (
            {"asked": False},
            Wanted(),
            f"transit/ml was not rotated: v2 was not everywhere. Now it is. To rotate the key now:\n  {_NOW}\n",
        ),
        ({"asked": False}, Wanted(follow=True), "transit/ml was not rotated: first, v2 has to be everywhere.\n"),
        ({"asked": False}, Wanted(dry_run=True), "would not be rotated: first, v2 has to be everywhere.\n"),
        ({"due_seconds": 0}, Wanted(), "transit/ml was not rotated: another run has rotated it meanwhile.\n"),
        ({"done": True}, Wanted(), "transit/ml was rotated to v2.\n"),
        ({"done": True}, Wanted(dry_run=True), "transit/ml would be rotated to v2.\n"),
    ],
)
def test_whether_the_key_was_rotated_is_said_and_why_not(
    changed: dict[str, Any], wanted: Wanted, expected: str
) -> None:
    assert expected in shown(account(rotation={**YOUNG, **changed}), wanted)


def test_a_key_whose_version_is_not_everywhere_yet_has_to_wait() -> None:
    for open_ in ({"left": 2}, {"blocking": ["a place was not read"]}):
        text = shown(account(rotation={**YOUNG, "asked": False}, **open_))
        assert "transit/ml was not rotated: first, v2 has to be everywhere.\n" in text


def test_of_a_key_that_another_run_rotates_nothing_is_said() -> None:
    assert " rotated" not in shown(account(rotation=YOUNG), Wanted(rotates=False))
    assert " rotated" not in shown(account())


def test_the_command_that_rotates_a_key_now_is_about_it_alone() -> None:
    words = ["mlkeys", "rotate", "app.py", "--key", "a/b", "--key=transit/ml", "--older-than", "30", "--dry-run"]
    assert rotating(words, "transit/ml") == ["mlkeys", "rotate", "app.py", "--key", "transit/ml", "--now"]


def test_what_is_accepted_is_not_to_be_accepted_again() -> None:
    unread = [{"host": "a", "path": "/srv/x", "reason": "why"}]
    unknown = [{"host": "a", "path": "/srv/y", "line": 3, "version": 1}]
    document = {**BLOCKED, "unread": unread, "unknown": unknown}
    options = [words[0] for _, words in advice(Account(document), Wanted()) if words]
    assert {"--accept-unread", "--accept-unknown"} < set(options)
    accepted = {**document, "accepted": ["a:/srv/x", "a:/srv/y:3"]}
    options = [words[0] for _, words in advice(Account(accepted), Wanted()) if words]
    assert not {"--accept-unread", "--accept-unknown", "--context"}.intersection(options)


def test_an_invalid_encrypted_vars_file_has_its_own_advice() -> None:
    invalid = {"host": "localhost", "path": "/p/keys.transit.yml", "reason": "is not YAML", "kind": "invalid"}
    text = shown(account(unread=[invalid], refused=["x"], blocking=["x"], floor={"before": 1, "after": 1}))
    assert "Correct these files, and run it again. Or leave them out.\n" in text
    assert "--accept-unread localhost:/p/keys.transit.yml\n" in text
    assert "become" not in text


def test_where_a_leaked_value_may_still_be_is_named() -> None:
    first = [{"host": "a", "path": "/srv/.env", "line": number, "name": f"TOKEN_{number}"} for number in range(1, 101)]
    unnamed = account(unnamed={"count": 103, "first": first}, replaced={"openai_api_key": "incomplete"})
    assert not finished(unnamed, Wanted())
    text = shown(unnamed)
    assert "openai_api_key was not replaced everywhere." in text
    assert "Ciphertexts that may hold the old value as well: 103\n" in text
    assert ["a", "/srv/.env:1", "TOKEN_1"] in [line.split() for line in text.splitlines()]
    assert "and 93 more; --json lists 100\n" in text
    assert "The key transit/ml is not derived" in text
    # Where nothing is replaced, no secret has to be known.
    other = account(unnamed={"count": 103, "first": first})
    assert finished(other, Wanted())
    assert "TOKEN" not in shown(other)


def test_what_blocks_is_named_with_the_command_that_accepts_it() -> None:
    text = shown(Account(BLOCKED))
    assert "stays at v1:" in text
    assert "- These places were not searched: a:/srv/closed (Permission denied)." in text
    for cell in ("/srv/[x].env", "SESSION", "session, x", "Permission denied"):
        assert cell in text
    assert "  mlkeys rotate -i inventory.yml --now --accept-unread a:/srv/closed\n" in text
    assert "  mlkeys rotate -i inventory.yml --now --accept-unknown 'a:/srv/[[]x].env'\n" in text


def test_a_floor_that_was_higher_is_named_as_long_as_it_is_down() -> None:
    assert "it may have been v3 (min_encryption_version): a run with --recover did not" in shown(
        Account({**BLOCKED, "raised": 3})
    )
    for changed in ({}, {"raised": 1}, {"raised": 3, "floor": {"before": 1, "after": 3}}):
        assert "--recover did not" not in shown(Account({**BLOCKED, **changed}))


def test_the_pattern_that_is_advised_matches_the_place_alone() -> None:
    [pattern] = [words[1] for _, words in advice(Account(BLOCKED), Wanted()) if words[:1] == ("--accept-unknown",)]
    assert fnmatch.fnmatchcase("a:/srv/[x].env", pattern)
    assert not fnmatch.fnmatchcase("a:/srv/x.env", pattern)


def test_a_dry_run_predicts() -> None:
    assert "Predicted account of transit/ml" in shown(Account(BLOCKED), Wanted(dry_run=True))
    assert "would stay at v1:" in shown(Account(BLOCKED), Wanted(dry_run=True))
    raised = account(floor={"before": 1, "after": 1})
    assert "would be raised from v1 to v2." in shown(raised, Wanted(dry_run=True))


def test_long_lists_are_cut_and_say_so() -> None:
    rows = [{**UNREAD, "path": f"/srv/{number:02}"} for number in range(LISTED + 5)]
    text = shown(Account({**BLOCKED, "unread": rows}))
    assert f"Places that were not read: {LISTED + 5}" in text
    assert "/srv/09" in text
    assert "/srv/10" not in text
    assert "and 5 more" in text


def test_hosts_versions_below_the_floor_and_trimming_have_their_own_advice() -> None:
    behind = account(
        hosts=[{"host": "b", "reason": "unreachable"}],
        lost=[{"host": "a", "path": "/srv/.env", "line": 1, "version": 1, "name": "openai_api_key"}],
        blocking=["these are below the floor: a:/srv/.env:1. Rewrap them: mlkeys rotate --recover"],
        clean=False,
        floor={"before": 2, "after": 2},
        target=3,
    )
    text = shown(behind, Wanted(trim=True))
    assert "Make the hosts reachable" in text
    assert "  mlkeys rotate -i inventory.yml --now --recover\n" in text
    assert "Ciphertexts below the floor: 1" in text
    assert "- These are below the floor: a:/srv/.env:1." in text
    assert "No version was destroyed." in text
    # What blocks comes first.
    assert "--trim-anyway" not in text
    accepted = account(accepted=["a:/srv/old.env"], clean=False)
    assert "  mlkeys rotate -i inventory.yml --now --trim-anyway\n" in shown(accepted, Wanted(trim=True))
    # Versions that were trimmed do not come back.
    trimmed = account(lost=behind.rows("lost"), blocking=["these were trimmed"], floor={"before": 1, "after": 1})
    assert "--recover" not in shown(trimmed)


def test_a_key_with_one_version_has_none_that_is_destroyed() -> None:
    wanted = Wanted(trim=True)
    first = shown(account(target=1, trimmed=True, floor={"before": 1, "after": 1}), wanted)
    assert "The key has one version, so none is destroyed." in first
    assert "below v1" not in first
    assert "The versions below v2 are destroyed." in shown(account(trimmed=True), wanted)


def test_what_is_accepted_is_not_advised_together_with_a_trim_that_cannot_happen() -> None:
    unread = account(unread=[UNREAD], blocking=["x"], clean=False, floor={"before": 1, "after": 1})
    stream = io.StringIO()
    console = Console(file=stream, width=250, soft_wrap=True, markup=False, highlight=False)
    show_account(unread, Wanted(trim=True), [*WORDS, "--trim"], console)
    assert "  mlkeys rotate -i inventory.yml --now --accept-unread a:/srv/closed\n" in stream.getvalue()


def test_what_keeps_a_file_as_it_is_comes_first() -> None:
    stuck = {**UNREAD, "line": 1, "version": 1, "name": "X", "problem": "it cannot be written"}
    blocked = {"blocking": ["x"], "clean": False, "floor": {"before": 1, "after": 1}}
    assert "Correct what keeps the ciphertexts from being replaced" in shown(account(behind=[stuck], **blocked))
    assert "Run it again to rewrap the rest." in shown(account(behind=[{**stuck, "problem": ""}], **blocked))


def test_the_same_command_again_is_not_dry_run_and_trims_once() -> None:
    assert again(["mlkeys", "rotate", "--trim", "--dry-run"], ("--trim-anyway",)) == [
        "mlkeys",
        "rotate",
        "--trim-anyway",
    ]


def test_hosts_that_declare_nothing_have_their_own_advice_and_no_limit_is_repeated() -> None:
    silent = {"host": "b", "reason": "it declares nothing to search: set vault_transit_host_paths, to [] if …"}
    wrong = {"host": "c", "reason": "nothing reads its variable vault_transit_hosts_paths. Did you mean …?"}
    text = shown(account(hosts=[silent, wrong], blocking=["b"], clean=False, floor={"before": 1, "after": 1}))
    assert "Set vault_transit_host_paths for the hosts that declare nothing" in text
    assert "--accept-unread 'HOST:*'" in text
    assert "Make the hosts reachable" not in text
    for words in (["mlkeys", "--limit", "b", "--now"], ["mlkeys", "--limit=b", "--now"]):
        assert again(words, ()) == ["mlkeys", "--now"]


@pytest.mark.parametrize(
    "reason",
    [
        "its variable vault_transit_host_paths has an error, or uses a variable that is not defined",
        "nothing reads its variable vault_transit_paths. Did you mean 'vault_transit_host_paths'?",
    ],
)
def test_a_host_with_a_wrong_variable_is_not_to_be_made_reachable(reason: str) -> None:
    hosts = [{"host": "localhost", "reason": reason}]
    text = shown(account(hosts=hosts, blocking=["x"], clean=False, floor={"before": 1, "after": 1}))
    assert "Correct these variables, and run it again. Those of the group all are for the controller" in text
    assert "Make the hosts reachable" not in text


def test_of_many_keys_that_were_tried_some_are_shown() -> None:
    text = shown(Account({**BLOCKED, "unknown": [{**UNKNOWN, "tried": [f"transit/k{number}" for number in range(9)]}]}))
    assert "transit/k2 and 6 more" in text
    assert "transit/k3" not in text


def test_what_trimming_may_lose_is_listed() -> None:
    not_searched = [
        {"path": "/x.gz", "reason": "compressed (gzip), not searched", "kind": "compressed"},
        {"path": "/x.sock", "reason": "a socket", "kind": "special"},
    ]
    accepted = [{"host": "a", "path": "/srv/old"}, "a:/srv/[x].env:2"]
    found = losses(Account({**BLOCKED, "accepted": accepted, "not_searched": not_searched}))
    assert found == [
        "a:/srv/[x].env:2: v1, not identified (accepted)",
        "a:/srv/closed: not read: Permission denied",
        "/x.gz: compressed (gzip), not searched",
        "a:/srv/old: accepted",
    ]
    stream = io.StringIO()
    show_losses(Account(BLOCKED), Console(file=stream, width=250, markup=False))
    assert "destroys the versions below v2 permanently" in stream.getvalue()
    assert "a:/srv/[x].env:2: v1, not identified" in stream.getvalue()


def test_why_nothing_was_changed_is_the_last_line() -> None:
    problem = "Nothing can be replaced: no encrypted vars file of transit/ml holds 'openai_api_kee'."
    failed = Run(1, begun=True, reported=True, problem=problem)
    nothing = {"transit/ml": failed, "transit/other": failed}
    assert what_helps(list(nothing), nothing) == f"Nothing was changed. {problem}"
    # Ansible itself failed, before a task.
    assert what_helps(["a"], {"a": Run(1)}) == "Nothing was changed. Fix the error above and rerun."
    begun = Run(1, begun=True, reported=True, problem=problem, stats={"vault_transit_account": CLEAN})
    for stopped in (begun, Run(1, begun=True, problem=problem)):
        text = what_helps(["a", "b"], {"a": failed, "b": stopped})
        assert text == "Fix the errors and rerun; completed steps are kept."
