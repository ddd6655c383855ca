# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The table of diff, deploy and destroy: a row for each thing, and counts that agree with the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkeys._commands.deployment.plan import CHANGED, CREATED, DELETED, KEPT, ONE_OF, REVOKED, Row, rows_of
from mlkeys._commands.deployment.plan_text import Table
from mlkeys._commands.playbook import Awaited, Change, Failure, Run
from mlkeys._commands.stacks import run_each
from mlkeys._targets.ansible import bulk

PROGRAM = Path("/srv/program")
PROJECT = PROGRAM / "mlkeys.out/ansible/app"


def items(kind: str, *names: str) -> list[dict[str, str]]:
    return [{"name": name, "kind": kind} for name in names]


def test_rows_are_in_the_order_of_the_run_and_count_each_host() -> None:
    run = Run(
        changes=[
            Change("Engine e", "localhost", "created"),
            Change("2 keys", "localhost", "changed", ["auto_rotate_period"], items("changed", "e/k")),
            Change("5 policies", "localhost", "changed", (), [*items("created", *"abcd"), *items("changed", "x")]),
            Change("mlkeys.transit.vault_transit_host : Unit", "web-1", "created"),
            Change("mlkeys.transit.vault_transit_host : Unit", "web-2", "created"),
            Change("Restart", "web-1", "done"),
            Change("Folders", "web-1", "created", (), items("created", "/srv/a", "/srv/b")),
        ],
        awaited=[Awaited("Key later", "localhost", 2, 1)],
    )
    assert rows_of(run, PROJECT, PROGRAM) == [
        Row(CREATED, "Engine e"),
        Row(CREATED, "Key later", "needs what is created before it", 2),
        Row(CHANGED, "Key e/k", "auto_rotate_period"),
        Row(CREATED, "4 policies", "a, b, c and 1 more", 4),
        Row(CHANGED, "1 policy", "x"),
        Row(CHANGED, "Unit", "on 2 hosts", 2),
        Row(CHANGED, "Restart", "on web-1"),
        Row(CREATED, "Folders", "on web-1", 2),
    ]


def test_rows_count_what_differs_and_name_files_from_the_program() -> None:
    file = "../../../mlkeys.state/app/transit/second.transit.yml"
    run = Run(
        changes=[
            Change("2 keys", "localhost", "created", (), items("created", "transit/second")),
            Change("2 files of ciphertexts", "localhost", "created", (), items("created", file)),
            Change("2 AppRoles", "localhost", "changed"),
        ],
        awaited=[Awaited("2 files of ciphertexts", "localhost", 1, 1)],
    )
    assert rows_of(run, PROJECT, PROGRAM) == [
        Row(CREATED, "1 key", "transit/second"),
        Row(CREATED, "1 file of ciphertexts", "needs what is created before it"),
        Row(CREATED, "1 file of ciphertexts", "mlkeys.state/app/transit/second.transit.yml"),
        Row(CHANGED, "2 AppRoles"),
    ]


def item(kind: str, name: str, *values: list[object]) -> dict[str, object]:
    return {"name": name, "kind": kind, "values": [*values]}


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        (
            Change("Role r", "localhost", "changed", ["token_ttl", "rules"], values=[["token_ttl", 3600, 5400]]),
            [Row(CHANGED, "Role r", "token_ttl 1h → 90m, rules")],
        ),
        (
            Change(
                *("Role r", "localhost", "created"),
                values=[["name", None, "r"], ["token_policies", None, ["a", "b"]], ["secret_id_num_uses", None, 0]],
            ),
            [Row(CREATED, "Role r", "token_policies a b")],
        ),
        (
            Change("Engine e", "localhost", "changed", ["description"], values=[["description", "", "of a team"]]),
            [Row(CHANGED, "Engine e", 'description none → "of a team"')],
        ),
        # Each change of many has its own values. Only a single new one has them.
        (
            Change(
                *("9 keys", "localhost", "changed", ["auto_rotate_period", "exportable"]),
                items=[
                    item("changed", "e/a", ["auto_rotate_period", 0, 7776000]),
                    item("created", "e/b", ["type", None, "rsa-4096"], ["exportable", None, True]),
                    item("changed", "e/c", ["exportable", False, True]),
                ],
            ),
            [
                Row(CHANGED, "Key e/a", "auto_rotate_period 0 → 90d"),
                Row(CHANGED, "Key e/c", "exportable false → true"),
                Row(CREATED, "Key e/b", "type rsa-4096, exportable"),
            ],
        ),
        (
            Change(
                *("9 keys", "localhost", "created"),
                items=[item("created", f"e/{name}", ["type", None, "rsa-4096"]) for name in "ab"],
            ),
            [Row(CREATED, "2 keys", "e/a, e/b", 2)],
        ),
        # The files stay.
        (Change("Ciphertexts v", "localhost", "deleted", ["old"]), [Row(DELETED, "Ciphertexts v", "old")]),
        (
            Change("9 files of ciphertexts", "localhost", "deleted", ["old"], items=[item("deleted", "a.yml")]),
            [Row(DELETED, "Ciphertexts in a.yml", "old")],
        ),
        (
            Change(
                *("9 files of ciphertexts", "localhost", "deleted"), items=[item("deleted", "a"), item("deleted", "b")]
            ),
            [Row(DELETED, "Ciphertexts in 2 files", "a, b", 2)],
        ),
        (Change("File plain", "a", "done", hidden=True), [Row(CHANGED, "File plain", "hidden by no_log, on a")]),
    ],
    ids=["changed", "created", "description", "each", "many", "out", "out of one", "out of many", "hidden"],
)
def test_a_row_has_the_values_of_what_is_new_and_old_and_new_ones_of_a_change(change: Change, rows: list[Row]) -> None:
    assert rows_of(Run(changes=[change]), PROJECT, PROGRAM) == rows


def test_a_folder_that_several_plays_need_is_made_once() -> None:
    def made(host: str, *paths: str) -> Change:
        return Change("Folders", host, "created", items=[item("created", path) for path in paths])

    changes = [made("a", "/x"), made("b", "/x"), made("a", "/x"), made("a", "/x", "/y")]
    assert rows_of(Run(changes=changes), PROJECT, PROGRAM) == [Row(CREATED, "Folders", "on 2 hosts", 3)]


def test_what_a_check_cannot_compare_has_the_names_and_values_of_its_task() -> None:
    run = Run(
        awaited=[
            Awaited("2 keys", "localhost", 2, 0, ["e/a", "e/b"]),
            Awaited(
                "Key c", "localhost", 1, 0, ["e/c"], [["type", None, "rsa-4096"], ["auto_rotate_period", None, "30d"]]
            ),
        ]
    )
    assert rows_of(run, PROJECT, PROGRAM) == [
        Row(CREATED, "2 keys", "e/a, e/b", 2),
        Row(CREATED, "Key c", "type rsa-4096, auto_rotate_period 30d"),
    ]


def test_each_task_for_many_has_a_word_for_one() -> None:
    assert {*bulk._MANY.values(), "keys"} == {*ONE_OF}


ROWS = {
    "dev": [Row(CREATED, "Engine e"), Row(CHANGED, "Key k", "exportable\x1b"), Row(REVOKED, "policy p", "gone")],
    "prod": [Row(DELETED, "ciphertext c", "gone", 2), Row(KEPT, "key t/k", "gone")],
    "stage": [],
}


def test_a_plan_and_a_deployment_say_the_same_in_their_own_tense(capsys: pytest.CaptureFixture[str]) -> None:
    plan = Table(ROWS, {"prod": "no longer in the program"}, planned=True)
    plan.show()
    assert capsys.readouterr().out.splitlines() == [
        "Stack dev",
        "  + Engine e      create",
        "  ~ Key k         change   exportable\\x1b",
        "  - policy p      revoke   gone",
        "Stack prod: no longer in the program",
        "  - ciphertext c  delete   gone",
        "    key t/k       keep     gone",
        "Stack stage: no changes",
    ]
    counts = "Plan: 1 to create, 1 to change, 1 to revoke, 2 to delete, 1 kept. Compared in 1.2 s."
    assert plan.last_line("Compared", 1.23) == counts
    made = Table({"dev": ROWS["dev"]}, {})
    made.show()
    assert "  - policy p  revoked  gone" in capsys.readouterr().out
    assert made.last_line("Deployed", 12.0) == "Deployed: 1 created, 1 changed, 1 revoked, 0 kept in 12.0 s."
    assert made.last_line("Destroyed", 1, (DELETED,)).startswith(
        "Destroyed: 1 created, 1 changed, 1 revoked, 0 deleted in"
    )


def test_what_failed_and_what_was_not_run_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(ROWS, {"dev": "failed", "prod": "not run", "stage": "not run"})
    table.show()
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("Stack")] == [
        *("Stack dev: failed", "Stack prod: not run", "Stack stage: not run"),
    ]
    assert table.last_line("Deployed", 1).startswith("Deployed in part: ")


def test_nothing_was_deployed_where_each_stack_failed_before_its_first_change() -> None:
    assert Table({"dev": [], "prod": []}, {"dev": "failed", "prod": "not run"}).last_line("Deployed", 1) == (
        "Nothing was deployed."
    )
    for table in (Table({"dev": [], "prod": []}, {"prod": "failed"}), Table({"dev": ROWS["dev"]}, {"dev": "failed"})):
        assert table.last_line("Deployed", 1).startswith("Deployed in part: ")
    assert Table({"dev": []}, {}).last_line("Deployed", 1).startswith("Deployed: 0 created, ")


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        (Run(2, failures=[Failure("Key k", "localhost", "No key.")]), "Failed on localhost: Key k\n  No key.\n"),
        (
            Run(2, failures=[Failure("Start", "a", "non-zero return code", "No such unit\nGone")]),
            "Failed on a: Start\n  non-zero return code\n  No such unit\n  Gone\n",
        ),
        (Run(2, failures=[Failure("Key", "a", "")]), "Failed on a: Key\n  The task hides its result (no_log).\n"),
        # Ansible failed by itself.
        (Run(4, output="ERROR! No such file\n"), "ERROR! No such file\n"),
        # The playbook recovered.
        (Run(0, failures=[Failure("Key k", "localhost", "No key.")], output="x"), ""),
    ],
    ids=["message", "output", "hidden", "ansible", "recovered"],
)
def test_failures_are_shown_where_the_output_of_ansible_is_not(
    run: Run, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for verbose in (False, True):
        run_each(["s"], lambda _name, _show: run, kind="stack", as_json=False, verbose=verbose)
        assert capsys.readouterr().err == "[1/1] stack s\n" + ("" if verbose else shown)
