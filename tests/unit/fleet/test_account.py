# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of a rotation: what keeps the floor, what is accepted, and what a trim would destroy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.filter.rotation_account import rotation_account
from ansible_collections.mlkeys.transit.plugins.module_utils._module.obstacles import LINKED, MOUNTED
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.account import SEEN, account
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.discovery import INVALID
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.documents import why_empty
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import FILES, PATHS, SERVICES
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.scope import Scope

DECLARED: dict[str, Any] = {PATHS: ["/x"], FILES: [{"src": "x.j2", "dest": "/y"}], SERVICES: [{"name": "z"}]}
FILE = "/project/keys.transit.yml"
OURS = {"backend": "transit", "key": "k", "version": 2, "state": "current", "count": 1}


def row(state: str = "unknown", path: str = "/srv/.env", **more: Any) -> dict[str, Any]:
    values = {
        "line": 7,
        "version": 1,
        "name": "X",
        "secret": "",
        "problem": "",
        "reason": "why",
        "tried": ["transit/k"],
    }
    return {"path": path, "state": state, **values, **more}


def found(*rows: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"ciphertexts": list(rows), "counts": [OURS], "files": 1, "unread": [], "not_searched": [], **more}


def host(name: str = "a", result: Mapping[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
    declared = {"vault_transit_host_paths": ["/srv"]}
    proof = {} if result is None else {"vault_transit_proof": result}
    return {"inventory_hostname": name, **declared, **proof, **variables}


def made(*hosts: Mapping[str, Any], here: Mapping[str, Any] | None = None, **scope: Any) -> dict[str, Any]:
    about = Scope(**{"backend": "transit", "key": "k", "target": 2, "files": [FILE], **scope})
    return account(about, here or found(), "localhost", hosts)


def test_names_of_files_do_not_reach_a_terminal_as_they_are() -> None:
    name = "/srv/a\x1b]0;b\x07\nc"
    scope = {"backend": "transit", "key": "k", "target": 2, "files": [FILE]}
    seen = [host(result=found(row(path=name), unread=[{"path": name, "reason": "why", "kind": "denied"}]))]
    result = rotation_account(seen, scope, found())
    assert result["blocking"]
    assert all(text.isprintable() for part in ("refused", "blocking", "summary") for text in result[part])
    assert result["unread"][0]["path"] == name


def test_a_key_that_is_not_due_is_said_to_be_young() -> None:
    young = {"done": False, "asked": True, "age": "259200", "due": "90d"}
    result = made(rotation=young)
    assert result["rotation"] == {"done": False, "asked": True, "age_seconds": 259200, "due_seconds": 7776000}
    assert "Not rotated: 3 d, due at 90 d (vault_transit_rotate_older_than)." in result["summary"]
    for other in ({**young, "done": True}, {**young, "asked": False}, {}):
        assert "Not rotated" not in "".join(made(rotation=other)["summary"])
    assert made(rotation={**young, "age": ""})["rotation"]["age_seconds"] is None
    assert made(rotation={**young, "asked": False, "due": "soon"})["rotation"]["due_seconds"] is None


def test_all_that_is_at_the_target_is_clean() -> None:
    result = made(host(result=found()))
    assert (result["clean"], result["blocking"], result["files"]) == (True, [], 2)
    assert result["ciphertexts"] == [{"key": "transit/k", "version": 2, "state": "current", "count": 2}]
    assert result["summary"][-1] == "Nothing is open."


@pytest.mark.parametrize(
    ("variables", "is_asked"),
    [
        ({}, True),
        ({FILES: []}, True),
        ({"groups": {"all": ["a"]}}, False),
        ({PATHS: []}, False),
        ({PATHS: ["/srv"], "vault_transit_proof": found()}, False),
        ({"vault_transit_undeclared": True}, False),
        ({"vault_transit_hosts": "a"}, False),
    ],
)
def test_a_controller_that_is_a_host_and_declares_nothing_keeps_the_floor(
    variables: Mapping[str, Any], is_asked: bool
) -> None:
    local = {"inventory_hostname": "localhost", "groups": {"all": ["localhost", "a"]}, **variables}
    result = made(local, host(result=found()), hosts=["a"])
    assert [row["host"] for row in result["hosts"]] == ["localhost"] * is_asked
    assert (bool(result["blocking"]), result["clean"]) == (is_asked, not is_asked)
    assert not is_asked or "vault_transit_host_paths, to []" in result["blocking"][0]
    accepted = made(local, host(result=found()), hosts=["a"], accept_unread=["localhost:*"] if is_asked else [])
    assert (accepted["blocking"], accepted["clean"]) == ([], not is_asked)


def test_a_controller_that_is_a_host_for_its_variables_prevents_a_trim() -> None:
    local = {"inventory_hostname": "localhost", "groups": {"all": ["localhost", "a"]}, "vault_transit_vars_files": []}
    result = made(local, host(result=found()))
    assert (result["blocking"], result["hosts"], result["clean"]) == ([], [], False)
    assert [row["host"] for row in result["not_searched"]] == ["localhost"]
    assert "vault_transit_host_paths, to []" in result["summary"][1]
    assert made({**local, PATHS: []}, host(result=found()))["clean"]


@pytest.mark.parametrize(
    ("result", "named"),
    [
        (found(row()), "nobody knows whose these ciphertexts are: a:/srv/.env:7 (v1 X: why)"),
        (found(row("too old")), "nobody knows whose these ciphertexts are: a:/srv/.env:7"),
        (found(row(version=0, reason="cut")), "a:/srv/.env:7 (v0 X: cut)"),
        (found(row("behind")), "these ciphertexts are still behind: a:/srv/.env:7"),
        (found(row("behind", problem="binary")), "a:/srv/.env:7 (v1 X: binary)"),
        (
            found(unread=[{"path": "/srv/x", "reason": "Permission denied", "kind": "denied"}]),
            "a:/srv/x (Permission den",
        ),
    ],
)
def test_what_is_not_proven_holds_the_floor_by_its_place(result: Mapping[str, Any], named: str) -> None:
    one = made(host(result=result))
    [reason] = one["blocking"]
    assert named in reason
    assert not one["clean"]


def test_the_reason_of_an_unknown_ciphertext_is_that_of_its_place() -> None:
    result = made(host(result=found(row(reason="of one like it", problem="cut short"))))
    assert [one["reason"] for one in result["unknown"]] == ["cut short"]
    assert "cut short" in result["blocking"][0]


def test_what_is_unknown_at_the_target_or_above_it_holds_the_floor_as_well() -> None:
    """It may be a version of a key that was lost, and made again since."""
    for version in (2, 3):
        result = made(host(result=found(row(version=version))))
        [reason] = result["blocking"]
        assert f"a:/srv/.env:7 (v{version} X: why)" in reason
        assert not result["clean"]
    [unknown] = result["unknown"]
    assert (unknown["path"], unknown["tried"]) == ("/srv/.env", ["transit/k"])


def test_of_many_keys_that_were_tried_some_are_in_the_summary() -> None:
    result = made(host(result=found(row(tried=[f"transit/k{number}" for number in range(30)]))))
    [line] = [line for line in result["summary"] if line.startswith("Nobody knows")]
    assert "transit/k9 and 20 more" in line
    assert len(result["unknown"][0]["tried"]) == 30


def test_in_an_encrypted_vars_file_of_the_key_what_is_unknown_always_counts() -> None:
    result = made(here=found(row(path=FILE, version=5)))
    [reason] = result["refused"]
    assert f"localhost:{FILE}:7 (v5 X: why)" in reason
    assert result["blocking"] == [reason]


def test_an_encrypted_vars_file_that_cannot_be_used_keeps_the_key_from_being_rotated() -> None:
    why = "has an unresolved merge conflict (line 2)"
    other = {"path": "kv/ml/keys", "reason": "it is none", "kind": INVALID}
    unread = [{"path": FILE, "reason": f"{FILE} {why}", "kind": INVALID}, other]
    for is_final in (False, True):
        result = made(unread=unread, is_final=is_final)
        [reason] = result["refused"]
        assert reason == f"these encrypted vars files cannot be used: {FILE} {why}; kv/ml/keys: it is none"
        assert result["blocking"] == [reason]
        accepted = made(unread=unread, is_final=is_final, accept_unread=[FILE, "kv/*"])
        assert (accepted["refused"], accepted["blocking"], accepted["clean"]) == ([], [], False)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "left out of this run"),
        ({"vault_transit_proof": {"unreachable": True}}, "unreachable"),
        ({"vault_transit_proof": {"failed": True, "msg": "No sudo."}}, "failed: No sudo"),
        ({"vault_transit_rewrapped": {"failed": True, "msg": "Disk full."}}, "failed: Disk full"),
        ({"vault_transit_seen": {"failed": True, "msg": "No sudo."}}, "failed: No sudo"),
        ({"vault_transit_seen": found()}, "left out of this run"),
    ],
)
@pytest.mark.parametrize("declares", [PATHS, FILES, SERVICES])
@pytest.mark.parametrize("more", [{}, {PATHS: []}], ids=["alone", "without paths"])
def test_a_host_that_declares_something_and_was_not_searched_holds_the_floor(
    variables: dict[str, Any], reason: str, declares: str, more: dict[str, Any]
) -> None:
    one = {"inventory_hostname": "b", **more, declares: DECLARED[declares], **variables}
    result = made(one)
    assert result["hosts"] == [{"host": "b", "reason": reason}]
    assert result["blocking"] == [f"these hosts could not be looked at: b ({reason})"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"unreachable": True}, "unreachable"),
        ({"failed": True, "msg": "No sudo."}, "failed: No sudo"),
        ({"failed": True, "msg": "Not a list.", "skipped": True}, "failed: Not a list"),
    ],
)
@pytest.mark.parametrize("more", [{}, {PATHS: []}, {"vault_transit_undeclared": True}, {"vault_transit_hosts": "b"}])
def test_a_search_that_failed_holds_the_floor_whatever_the_host_declares(
    answer: dict[str, Any], reason: str, more: dict[str, Any]
) -> None:
    one = {"inventory_hostname": "b", **more, "vault_transit_seen": answer}
    assert made({**one, "vault_transit_proof": {"skipped": True}})["hosts"] == [{"host": "b", "reason": reason}]
    assert made({**one, "inventory_hostname": "localhost"})["hosts"] == [{"host": "localhost", "reason": reason}]


def test_a_host_that_holds_nothing_does_not() -> None:
    hosts = (
        {"inventory_hostname": "localhost"},
        {"inventory_hostname": "a", PATHS: []},
        {"inventory_hostname": "b", PATHS: [], FILES: [], SERVICES: [], "vault_transit_proof": {"skipped": True}},
        {"inventory_hostname": "c", "vault_transit_hosts": "b"},
        {"inventory_hostname": "d", "vault_transit_undeclared": True, "vault_transit_proof": {"skipped": True}},
    )
    assert made(*hosts)["clean"]


@pytest.mark.parametrize("limit", ["vault_transit_limit", "ansible_limit"])
def test_a_host_that_a_limit_leaves_out_holds_the_floor_whatever_pattern_there_is(limit: str) -> None:
    left_out = {"inventory_hostname": "b", limit: "a"}
    for more, hosts in (({}, []), ({"vault_transit_hosts": "all"}, ["a", "b"])):
        result = made({**left_out, **more}, hosts=hosts)
        assert result["hosts"] == [{"host": "b", "reason": "left out of this run"}]
    assert made({**left_out, "vault_transit_hosts": "a"}, hosts=["a"])["clean"]


SKIPPED = {"vault_transit_proof": {"skipped": True}}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {**SKIPPED, "vault_transit_hosts": "all"},
        {**SKIPPED, "vault_transit_host_vars_files": ["/project/keys.transit.yml"]},
        {**SKIPPED, FILES: []},
        {**SKIPPED, SERVICES: []},
        {**SKIPPED, SERVICES: [{"name": "x", "state": "absent"}]},
        {**SKIPPED, "vault_transit_undeclared": "false"},
    ],
)
def test_a_host_that_declares_nothing_at_all_holds_the_floor(more: dict[str, Any]) -> None:
    one = {"inventory_hostname": "b", **more}
    result = made(one)
    [reason] = result["blocking"]
    assert "b (it declares nothing to search: set vault_transit_host_paths" in reason
    accepted = made(one, accept_unread=["b:*"])
    assert (accepted["blocking"], accepted["clean"], accepted["hosts"]) == ([], False, [])
    assert accepted["accepted"] == ["b"]


def test_of_many_hosts_some_are_in_the_reason_and_all_in_the_account() -> None:
    result = made(*({"inventory_hostname": f"h{number}"} for number in range(300)))
    [reason] = result["blocking"]
    assert reason.endswith("and 290 more")
    assert len(result["hosts"]) == 300


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("vault_transit_hosts_paths", "vault_transit_host_paths"),
        ("vault_transit_host_path", "vault_transit_host_paths"),
        ("vault_transit_paths", "vault_transit_host_paths"),
        ("vault_transit_host_file", "vault_transit_host_files"),
        ("vault_transit_host_service", "vault_transit_host_services"),
        ("vault_transit_host_vars_file", "vault_transit_host_vars_files"),
    ],
)
def test_a_variable_of_a_host_that_nothing_reads_is_named(wrong: str, right: str) -> None:
    """Also if the host declares something else, which was searched."""
    known: dict[str, Any] = dict.fromkeys(
        ("vault_transit_host_secret_id_kept", "vault_transit_host_key", "vault_transit_hosts"), 1
    )
    known["vault_transit_host_running"] = {"stdout_lines": []}
    searched = {"inventory_hostname": "b", **DECLARED, "vault_transit_proof": found(), **known}
    assert made(searched)["clean"]
    without = {name: value for name, value in searched.items() if name != right}
    for one in (searched, without):
        [reason] = made({**one, wrong: ["/y"]})["blocking"]
        assert f"nothing reads its variable {wrong}. Did you mean '{right}'?" in reason


def test_why_a_file_was_not_rewritten_is_in_the_account() -> None:
    refused = {"totals": {}, "unread": [{"path": "/srv/.env", "reason": "Read-only file system", "kind": "failed"}]}
    result = made(host(result=found(row("behind", secret="x")), vault_transit_rewrapped=refused))
    assert "a:/srv/.env:7 (v1 X: Read-only file system)" in result["blocking"][0]
    assert result["behind"][0]["problem"] == "Read-only file system"


@pytest.mark.parametrize("kind", ["dangling", "output"])
def test_what_the_discovery_does_not_search_holds_a_trim_only(kind: str) -> None:
    gone = {"path": "/project/x.yml", "reason": "a link to /y, which does not exist", "kind": kind}
    result = made(host(result=found()), unread=[gone])
    assert (result["blocking"], result["clean"], result["unread"]) == ([], False, [])
    assert result["not_searched"] == [{"host": "localhost", **gone}]


def test_a_pattern_that_matches_nothing_is_refused_before_anything_changes() -> None:
    seen: dict[str, Any] = {"vault_transit_seen": found()}
    for option in ("accept_unknown", "accept_unread"):
        scope: dict[str, Any] = {option: ["*/typo"], "is_final": False}
        about = Scope("transit", "k", 2, files=[FILE], **scope)
        result = account(about, found(), "localhost", [host(**seen)], SEEN)
        assert result["refused"] == result["blocking"]
        assert "*/typo matches nothing" in result["refused"][0]
        # What a host has that is missing, nobody knows.
        result = account(about, found(), "localhost", [host(**seen), host("b")], SEEN)
        assert result["refused"] == []
        assert any("*/typo" in reason for reason in result["blocking"])


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("b:*", "accepted: b:* cannot stand for a host that was not looked at (unreachable)"),
        ("a:*", "accepted: a:* matches nothing that is unread"),
    ],
)
def test_a_host_that_was_not_looked_at_cannot_be_accepted(pattern: str, problem: str) -> None:
    """Nor one that was: nothing is rotated until the pattern is correct."""
    there: dict[str, Any] = {"vault_transit_seen": found(), "vault_transit_host_paths": ["/x"]}
    gone: dict[str, Any] = {"vault_transit_seen": {"unreachable": True}, "vault_transit_host_paths": ["/x"]}
    about = Scope("transit", "k", 2, files=[FILE], accept_unread=[pattern], is_final=False)
    result = account(about, found(), "localhost", [host(**there), host("b", **gone)], SEEN)
    assert result["refused"] == [problem]


@pytest.mark.parametrize("problem", [LINKED, MOUNTED])
def test_an_encrypted_vars_file_that_has_to_stay_is_refused_before_a_rotation(problem: str) -> None:
    """Whatever its version: the rotation comes after this account."""
    about = Scope("transit", "k", 1, files=[FILE], is_final=False)
    result = account(about, found(row("current", path=FILE, problem=problem)), "localhost", [], SEEN)
    assert f"localhost:{FILE}:7 (v1 X: {problem[:20]}" in result["refused"][0]
    # Others are the matter of what writes the file.
    result = account(about, found(row("current", path=FILE, problem="it cannot be written")), "localhost", [], SEEN)
    assert result["refused"] == []


@pytest.mark.parametrize(
    ("document", "is_final", "begins"),
    [
        ({"earlier": [1, 3], "is_known": True, "oldest": 2}, True, "its earlier versions (1, 3) may keep"),
        ({"earlier": [1, 3], "is_known": True, "oldest": 1}, False, "its earlier versions (1, 3) may keep"),
        ({"earlier": [], "is_known": True, "oldest": 2}, True, None),
        ({"earlier": [], "is_known": True, "oldest": 2}, False, None),
        # What will be rewrapped becomes an earlier version.
        ({"earlier": [], "is_known": True, "oldest": 1}, False, "its present version"),
        (
            {"earlier": [], "is_known": False, "oldest": 2},
            True,
            "earlier versions of it, which the token may not list,",
        ),
    ],
)
def test_earlier_versions_of_documents_are_named_and_hold_nothing(
    document: dict[str, Any], is_final: bool, begins: str | None
) -> None:
    looked = {**found(), "documents": [{"path": "secret/ml/keys", **document}]}
    about = Scope("transit", "k", 2, unused=True, is_final=is_final)
    result = account(about, looked, "localhost", [], SEEN)
    reasons = [row["reason"] for row in result["not_searched"] if row["path"] == "secret/ml/keys"]
    assert [reason.startswith(begins or "-") for reason in reasons] == ([True] if begins else [])
    assert (result["blocking"], result["clean"]) == ([], True)
    # Not even with strict.
    assert account(replace(about, strict=True), looked, "localhost", [], SEEN)["blocking"] == []


@pytest.mark.parametrize(
    ("version", "kept", "blocks", "said"),
    [
        (0, [], True, "its document secret/ml/keys does not exist"),
        # All of its versions are destroyed.
        (2, [], True, "its document secret/ml/keys does not exist"),
        (2, [1, 2], False, "version 2 of its document secret/ml/keys is deleted, and may be undeleted. "),
        (2, None, False, "version 2 of its document secret/ml/keys is deleted, and may be undeleted. "),
    ],
)
def test_a_document_that_is_not_there_holds_the_floor_or_a_trim(
    version: int, kept: list[int] | None, blocks: bool, said: str
) -> None:
    reason, kind = why_empty("secret/ml/keys", version, kept)
    assert reason.startswith(said)
    for is_final in (True, False):
        result = made(unread=[{"path": FILE, "reason": reason, "kind": kind}], is_final=is_final)
        assert (bool(result["blocking"]), result["clean"]) == (blocks, False)
        assert result["unread" if blocks else "not_searched"][0]["path"] == FILE


def test_what_is_accepted_by_name_holds_nothing_but_a_trim() -> None:
    unread = [{"path": "/srv/x", "reason": "Permission denied", "kind": "denied"}]
    hosts = [host(result=found(row(), unread=unread)), host("b", found(row(path="/srv/b")))]
    for unknown in (["/srv/*"], ["a:/srv/.env", "b:*"]):
        result = made(*hosts, accept_unknown=unknown, accept_unread=["a:/srv/x"])
        assert (result["blocking"], result["clean"]) == ([], False)
        assert result["accepted"] == ["a:/srv/.env:7", "b:/srv/b:7", "a:/srv/x"]
    assert made(*hosts, accept_unknown=["a:*"], accept_unread=["*"])["blocking"] == [
        "nobody knows whose these ciphertexts are: b:/srv/b:7 (v1 X: why)"
    ]


def test_a_path_with_the_signs_of_a_pattern_is_accepted_as_it_is() -> None:
    odd = found(row(path="/srv/a[1].env"), unread=[{"path": "/srv/[x]", "reason": "why", "kind": "denied"}])
    accepted = made(host(result=odd), accept_unknown=["/srv/a[1].env"], accept_unread=["a:/srv/[x]"])
    assert accepted["blocking"] == []
    assert made(host(result=odd))["blocking"] != []
    # And no other one.
    both = found(row(path="/srv/a[1].env"), row(path="/srv/a1.env"))
    for pattern in ("/srv/a[1].env", "a:/srv/a[1].env"):
        result = made(host(result=both), accept_unknown=[pattern])
        assert result["blocking"] == ["nobody knows whose these ciphertexts are: a:/srv/a1.env:7 (v1 X: why)"]
    assert made(host(result=both), accept_unknown=["/srv/a[1]*"])["accepted"] == ["a:/srv/a1.env:7"]


def test_what_accepts_nothing_is_an_error() -> None:
    result = made(host(result=found()), accept_unknown=["/srv/typo"], accept_unread=["/x"])
    assert result["blocking"] == [
        "accepted: /srv/typo matches nothing that is unknown",
        "accepted: /x matches nothing that is unread",
    ]


def test_compressed_files_are_named_and_hold_the_floor_only_where_that_is_asked_for() -> None:
    packed = found(not_searched=[{"path": "/srv/a.gz", "reason": "compressed (gzip)", "kind": "compressed"}])
    result = made(host(result=packed))
    assert (result["blocking"], result["clean"]) == ([], False)
    assert "a:/srv/a.gz (compressed (gzip))" in result["summary"][1]
    assert made(host(result=packed), strict=True)["blocking"]
    assert not made(host(result=packed), strict=True, accept_unread=["*.gz"])["blocking"]


def test_an_accepted_entry_of_an_encrypted_vars_file_is_left_also_when_it_is_below_the_floor() -> None:
    entries = [row(path=FILE, name="a"), row("too old", path=FILE, name="b", secret="b"), row(name="c")]
    result = made(here=found(*entries), accept_unknown=[FILE])
    assert result["leave"] == {FILE: ["a", "b"]}
    assert (result["refused"], result["lost"], result["clean"]) == ([], [], False)
    assert result["accepted"] == [f"localhost:{FILE}:7", f"localhost:{FILE}:7"]
    assert not made(here=found(entries[1]), accept_unknown=[FILE])["clean"]
    assert "below the floor" in made(here=found(entries[1]))["refused"][0]


@pytest.mark.parametrize(("kind", "clean"), [("special", True), ("dangling", False)])
def test_what_holds_nothing_does_not_hold_the_floor_and_a_link_to_nothing_holds_a_trim(kind: str, clean: bool) -> None:
    nothing = found(not_searched=[{"path": "/srv/x", "reason": "why", "kind": kind}])
    for strict in (False, True):
        result = made(host(result=nothing), strict=strict)
        assert (result["blocking"], result["clean"]) == ([], clean)
        assert "a:/srv/x (why)" in result["summary"][1]


def test_before_the_rewrap_only_what_cannot_be_rewrapped_is_behind() -> None:
    rows = [row("behind"), row("behind", path="/srv/db", problem="binary")]
    result = account(
        Scope("transit", "k", 2, is_final=False), found(), "localhost", [host(vault_transit_seen=found(*rows))], SEEN
    )
    assert [one["path"] for one in result["behind"]] == ["/srv/db"]


def test_what_the_limit_of_a_run_leaves_is_not_an_error_and_not_clean() -> None:
    result = made(host(result=found(row("behind")), vault_transit_rewrapped={"totals": {"left": 3}}))
    assert (result["left"], result["blocking"], result["clean"]) == (3, [], False)


def test_nothing_found_is_not_success() -> None:
    nothing = {**found(), "counts": []}
    [reason] = made(here=nothing)["refused"]
    assert "no ciphertext of transit/k was found" in reason
    assert not made(here=nothing, unused=True)["blocking"]
    # Of the ciphertexts of other keys there may be any number.
    assert made(here={**found(), "counts": [{**OURS, "key": "other"}]})["refused"]
    # The hosts that were not searched may hold some.
    assert not made(host(), here=nothing)["refused"]


def test_an_old_branch_shows_what_helps() -> None:
    lost = found(row("too old", FILE, secret="x", version=3))
    [reason] = made(here=lost, floor=4, available=2, floor_since="2026-01-02T03:04:05Z")["refused"]
    assert f"localhost:{FILE}:7" in reason
    assert "below the floor v4 (version 4 was created at 2026-01-02T03:04:05Z)" in reason
    assert reason.endswith("mlkeys rotate --recover")
    assert not made(here=lost, floor=4, available=2, recover=True)["refused"]
    for recover in (False, True):
        [reason] = made(here=lost, floor=4, available=4, recover=recover)["refused"]
        assert "versions below 4, which are trimmed" in reason
        assert "--recover" not in reason


def test_of_many_places_a_message_names_ten() -> None:
    rows = [row(path=f"/srv/{number}") for number in range(14)]
    result = made(host(result=found(*rows)))
    assert result["blocking"][0].endswith("and 4 more")
    assert len(result["unknown"]) == 14


def test_other_stacks_that_use_the_key_hold_the_floor_until_they_are_at_its_version() -> None:
    for version, blocking in ((1, 1), (2, 0), (3, 0)):
        result = made(host(result=found()), elsewhere={"two": version})
        assert len(result["blocking"]) == blocking
        assert result["clean"] is not bool(blocking)
    assert "may have older ciphertexts: two" in made(host(result=found()), elsewhere={"two": 0})["blocking"][0]


@pytest.mark.parametrize(
    ("result", "extent"),
    [
        pytest.param(found(), "everywhere", id="nothing is open"),
        pytest.param(found(row()), "incomplete", id="one is unknown"),
        pytest.param(found(unnamed={"count": 2, "first": []}), "incomplete", id="two may be any secret"),
    ],
)
def test_a_secret_is_replaced_everywhere_if_no_other_ciphertext_can_hold_it(
    result: Mapping[str, Any], extent: str
) -> None:
    assert made(host(result=result), replaced=["x"])["replaced"] == {"x": extent}


def test_ciphertexts_that_may_be_any_secret_are_counted_on_all_hosts() -> None:
    place = {"path": "/srv/.env", "line": 1, "name": "X"}
    results = [found(unnamed={"count": 101, "first": [place]}), found(unnamed={"count": 1, "first": [place]})]
    unnamed = made(*(host(name, result) for name, result in zip("ab", results, strict=True)))["unnamed"]
    assert unnamed == {"count": 102, "first": [{"host": "a", **place}, {"host": "b", **place}]}


def test_old_copies_on_hosts_are_recovered_if_their_versions_exist() -> None:
    """Below the floor, the server does not look whose a ciphertext is."""
    old = host(result=found(row("too old", version=2), row("too old", version=3)))
    scope: dict[str, Any] = {"target": 4, "floor": 4, "available": 3}
    [reason] = made(old, **scope)["blocking"]
    assert ". Rewrap those below the floor v4 that are of this key: mlkeys rotate --recover. Versions below 3" in reason
    assert reason.endswith("brings those of this key back")
    begun = made(old, **scope, recover=True, is_final=False)
    assert [one["version"] for one in begun["lost"]] == [3]
    assert [one["version"] for one in begun["unknown"]] == [2]
    assert not begun["refused"]
    ended = made(old, **scope, recover=True)
    assert (len(ended["unknown"]), "--recover" in ended["blocking"][0]) == (2, False)
    accepted = made(old, **scope, recover=True, is_final=False, accept_unknown=["/srv/.env"])
    assert (accepted["lost"], accepted["blocking"]) == ([], [])


THERE = "/project/other/vars.yml"


def beyond(*rows: Mapping[str, Any]) -> dict[str, Any]:
    return found(*rows, counts=[OURS, {**OURS, "key": "", "backend": "", "state": "unknown"}])


def test_ciphertexts_of_the_key_that_nothing_declares_keep_the_floor() -> None:
    rows = [row("current", THERE, secret="a", line=3), row("behind", THERE, line=5)]
    result = made(host(result=found()), beyond=beyond(*rows))
    assert f"localhost:{THERE} (it is not declared, and holds 2 ciphertexts of the key" in result["blocking"][0]
    assert not result["clean"]
    # They are nothing that this run rewraps.
    assert [one for one in result["ciphertexts"] if one["key"]] == [
        {"key": "transit/k", "version": 2, "state": "current", "count": 2}
    ]
    accepted = made(host(result=found()), beyond=beyond(*rows), accept_unread=["/project/other/*"])
    assert (accepted["blocking"], accepted["accepted"], accepted["clean"]) == ([], [f"localhost:{THERE}:3"], False)


def test_ciphertexts_elsewhere_that_nobody_knows_keep_the_floor() -> None:
    result = made(host(result=found()), beyond=beyond(row("unknown", THERE)))
    assert result["blocking"] == [f"nobody knows whose these ciphertexts are: localhost:{THERE}:7 (v1 X: why)"]


def test_the_last_run_knows_what_others_read() -> None:
    undeclared = {"path": "/project/keys.transit.yml", "reason": "why", "kind": "undeclared"}
    rows = [row("current", THERE), row("unknown", "/project/c.txt")]
    first = made(host(result=found()), unread=[undeclared], beyond=beyond(*rows), declared=["/d"], follow=True)
    assert (first["blocking"], first["clean"], first["read"]) == ([], True, ["/d"])
    assert [one["path"] for one in first["undeclared"]] == [THERE, "/project/c.txt", undeclared["path"]]
    last = made(host(result=found()), undeclared=first["undeclared"], unread=[undeclared], read=[undeclared["path"]])
    assert [one["path"] for one in last["unread"]] == [THERE, "/project/c.txt", undeclared["path"]]
    last = made(host(result=found()), unread=[undeclared], read=[undeclared["path"]], beyond=beyond(*rows))
    assert [one["path"] for one in last["unread"]] == [THERE]
    assert [one["path"] for one in last["unknown"]] == ["/project/c.txt"]


def test_a_pattern_is_used_wherever_it_matches() -> None:
    first = made(host(result=found()), accept_unread=["/x", "/y"], follow=True)
    assert (first["blocking"], first["unused"]) == ([], {"unknown": [], "unread": ["/x", "/y"]})
    last = made(host(result=found()), accept_unread=["/x", "/y"], used={"unread": ["/x"]})
    assert last["blocking"] == ["accepted: /y matches nothing that is unread"]
