# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint --history`: secrets in commits, on a real git. And many files, which all processors search."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from mlkeys._commands import scanning
from mlkeys._system.worktree import Listed
from tests.cdk import keys
from tests.cdk.lint.linting import git, lint, listed, written


def committed(*names: str) -> str:
    git("add", "--", *names)
    git("commit", "-qm", "x", "--allow-empty")
    return git("rev-parse", "HEAD").strip()


def test_a_secret_that_was_removed_is_found_with_its_first_commit() -> None:
    git("init", "-q")
    assert lint("--history").stderr == "No findings in 0 files.\n"
    secret = keys.openai()
    first = committed(str(written("sub/a.env", f"# keys\nA={secret}\n")))
    committed(str(written("sub/a.env", f"# more\n# keys\nA={secret}\nB=1\n")))
    committed(str(written("sub/a.env", "B=1\n")))
    lint()
    done = lint("--history", status=1)
    assert done.stdout == f"sub/a.env:2:3: MLK101: an OpenAI API key (sk-…) in plain text, in commit {first[:12]}\n"
    assert secret not in done.output
    os.chdir("sub")
    assert lint("--history", status=1).stdout.startswith("a.env:2:3")
    os.chdir("..")
    Path("else").mkdir()
    os.chdir("else")
    assert lint("--history", status=1).stdout.startswith("../sub/a.env:2:3")
    assert lint("--history", ".").stdout == ""
    os.chdir("..")
    assert lint("--history", "other", status=2).stderr.startswith("Not checked: other: git does not know it.\n")
    written("new", "")
    assert lint("--history", "new").stdout == ""
    lint("--history", "--exclude", "sub/*")
    baseline = ["--baseline", "known.json"]
    lint("--history", *baseline, "--update-baseline")
    lint("--history", *baseline)


def test_all_branches_tags_stashes_and_merges_are_read() -> None:
    git("init", "-q", "-b", "main")
    committed(str(written("a.txt", "1\n")))
    git("checkout", "-qb", "side")
    committed(str(written("b.env", f"B={keys.openai()}\n")))
    git("checkout", "-q", "main")
    git("tag", "old", committed(str(written("c.env", f"C={keys.anthropic()}\n"))))
    git("reset", "-q", "--hard", "HEAD~")
    written("a.txt", f"1\nA={keys.hugging_face()}\n")
    git("stash")
    git("merge", "-q", "--no-ff", "--no-commit", "side")
    written("d.env", f"D={keys.openai()}\n")
    committed("d.env")
    found = [one["path"] for one in json.loads(lint("--history", "--format", "json", status=1).stdout)["findings"]]
    assert found == ["a.txt", "b.env", "c.env", "d.env"]


def test_odd_names_links_and_binaries_in_commits() -> None:
    git("init", "-q")
    for name in (":a\n.env", "ü b.env", 'quote".env'):
        written(name, f"A={keys.openai()}\n")
    Path("link.env").symlink_to("ü b.env")
    Path("binary").write_bytes(b"\0\1\2" + keys.openai().encode())
    committed(".")
    found = [one["path"] for one in json.loads(lint("--history", "--format", "json", status=1).stdout)["findings"]]
    assert found == sorted((":a\n.env", "ü b.env", 'quote".env'))


def test_a_shallow_clone_is_not_a_whole_history() -> None:
    git("init", "-q", "origin")
    os.chdir("origin")
    committed(str(written("a.env", f"A={keys.openai()}\n")))
    committed(str(written("a.env", "A=1\n")))
    git("clone", "-q", "--depth", "1", f"file://{Path.cwd()}", "../clone")
    os.chdir("../clone")
    assert "Not checked: older commits: this clone is shallow" in lint("--history", status=2).stderr


def test_history_needs_a_repository_and_stands_alone() -> None:
    assert "--history checks the commits, and this is not a git work tree" in lint("--history", status=2).stderr
    for other in ("--staged", "--server"):
        assert "without --staged and --server" in lint("--history", other, status=2).stderr


def test_many_files_are_searched_by_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_MANY", 10)
    monkeypatch.setattr(scanning, "_AT_A_TIME", 3)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    for number in range(40):
        written(f"{number:02}.env", f"A={keys.openai()}\n" if number % 7 == 0 else "A=1\n")
    pids: list[int] = []
    monkeypatch.setattr(scanning, "_leave_signals", lambda: pids.append(os.getpid()))
    assert listed() == [f"MLK101 {number:02}.env:1" for number in range(0, 40, 7)]
    assert "6 errors in 40 files." in lint(status=1).stderr
    # They ran elsewhere.
    assert pids == []


def killed(_batch: list[Listed]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_MANY", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})

    monkeypatch.setattr(scanning, "_scanned_batch", killed)
    written("a.env", "A=1\n")
    written("b.env", "A=1\n")
    assert "A process that searched the files was killed" in lint(status=2).stderr
