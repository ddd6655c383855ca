# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What `mlkeys diff` and `deploy` show of changes, and of the task that runs."""

from __future__ import annotations

import io
import json

import pytest

from mlkeys._commands.playbook import Awaited, Change, Run
from mlkeys._commands.progress import progress
from mlkeys._commands.stacks import show_done
from mlkeys._commands.vars_file import writes


def test_a_title_is_not_broken_to_the_width_of_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    path = "group_vars/all/a_rather_long_name_of_a_folder/keys.transit.yml"
    writes.show([(writes.Change("openai_api_key", "added", "new", 1), "")], path)
    assert path in capsys.readouterr().out.splitlines()
    changes = [Change("Engine transit", "localhost", "created")]
    show_done([path, "b"], {path: Run(changes=changes, changed=1)}, "stack")
    assert path in capsys.readouterr().err.splitlines()


def test_a_row_shows_a_change_with_its_hosts_and_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [
        Change("Engine transit", "localhost", "created"),
        Change("Key ml", "localhost", "changed", ["auto_rotate_period", "derived"]),
        *(Change("Write /etc/app.env", host, "changed") for host in ("a", "b", "c")),
        Change("Policy old", "localhost", "deleted"),
        Change("Ciphertexts", "d", "done"),
        *(Change("Restart the service", host, "done") for host in ("a", "b", "a", "b")),
    ]
    show_done(["s"], {"s": Run(changes=changes, changed=11)}, "stack")
    rows = [line.split("  ") for line in capsys.readouterr().err.splitlines()]
    shown = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert shown[:6] == [
        ["+", "Engine transit", "created"],
        ["~", "Key ml", "changed: auto_rotate_period, derived"],
        ["~", "Write /etc/app.env", "changed", "3 hosts"],
        ["-", "Policy old", "deleted"],
        ["*", "Ciphertexts", "done", "d"],
        # Two services of each.
        ["*", "Restart the service", "done", "2 hosts"],
    ]


def test_the_changes_of_several_stacks_stand_below_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    made = {"one": Run(changes=[Change("Key a", "localhost", "created")]), "two": Run()}
    show_done([*made], made, "stack")
    shown = capsys.readouterr().err.splitlines()
    assert [line.strip() for line in shown[:2]] == ["one", "+  Key a  created"]


def test_a_report_gives_the_changes_that_its_last_line_has() -> None:
    run = Run()
    change = {"task": "Key\x1b[2J", "host": "a", "kind": "created", "names": []}
    whole = {"hosts": {}, "refused": 0, "stats": {}, "changes": [change]}
    run.take(json.dumps({"started": "x"}) + "\n" + json.dumps(whole) + "\n")
    assert run.reported
    assert run.changes == [Change("Key\\x1b[2J", "a", "created", [])]
    half = Run()
    half.take(json.dumps({"started": "x"}) + "\n")
    assert not half.reported


def test_runs_that_follow_one_another_count_together() -> None:
    made, later = Change("Key a", "localhost", "created"), Change("Policies", "localhost", "deleted")
    waited = Awaited("Ciphertexts", "localhost", 1, 1)
    whole = Run(changed=1, changes=[made], begun=True).followed_by(Run(2, changed=1, changes=[later], awaited=[waited]))
    assert (whole.status, whole.changed, whole.changes, whole.begun) == (2, 2, [made, later], True)
    assert whole.awaited == [Awaited("Ciphertexts", "localhost", 1, 2)]


def test_without_a_terminal_the_progress_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with progress(shown=True) as shown:
        shown.task("Key ml")
        shown.write("line\n", stream)
    assert stream.getvalue() == "line\n"
    assert capsys.readouterr() == ("", "")
