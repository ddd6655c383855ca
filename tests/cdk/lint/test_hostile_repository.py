# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A repository that somebody else packed, with settings that run programs: no command of mlkeys runs one."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkeys._commands.vars_file.merge_driver import attributed, is_defined
from tests.cdk import keys
from tests.cdk.lint.linting import git, lint, written
from tests.cdk.secrets.conftest import command_line
from tests.cdk.terminals import on_a_terminal

# Every setting of git-config(1) that names a program for what Git does in a repository. What runs for a task that
# mlkeys never asks for (mail, archives, commits, tools to compare, other servers' hooks) is not here.
PROGRAMS = (
    *("core.fsmonitor", "core.pager", "core.editor", "core.askPass", "core.sshCommand", "core.gitProxy"),
    *("core.alternateRefsCommand", "sequence.editor", "credential.helper", "interactive.diffFilter"),
    *("diff.external", "diff.one.command", "diff.two.textconv", "merge.one.driver"),
    *("filter.one.clean", "filter.one.smudge", "filter.two.process"),
    *("gpg.program", "gpg.ssh.program", "gpg.ssh.defaultKeyCommand", "gpg.x509.program"),
    *("hook.evil.command", "remote.local.uploadpack", "remote.local.receivepack", "submodule.sub.update"),
    *(f"pager.{name}" for name in ("cat-file", "check-attr", "config", "diff", "log", "ls-files", "merge-file")),
)
# What makes Git use them.
SWITCHES = {
    "log.showSignature": "true",
    "log.diffMerges": "remerge",
    "core.repositoryFormatVersion": "1",
    "core.untrackedCache": "true",
    "core.splitIndex": "true",
    "extensions.partialClone": "ssh",
    "protocol.allow": "always",
    "protocol.ext.allow": "always",
    "diff.submodule": "diff",
    "diff.trustExitCode": "true",
    "diff.autoRefreshIndex": "true",
    "hook.evil.event": "post-index-change",
    **{f"remote.{name}.promisor": "true" for name in ("ssh", "ext", "local")},
    "remote.ssh.url": "ssh://nowhere.invalid/a",
    "remote.local.url": "../other",
}
HOOKS = ("post-index-change", "fsmonitor-watchman", "pre-commit", "post-checkout", "reference-transaction")
# What the content of `lost.txt` is called.
LOST = b"00570d69fdb6a0c41a9e645e93a726fb6521120a\n"
SIGNED = """tree {tree}
parent {parent}
author x <x@example.com> 1700000000 +0000
committer x <x@example.com> 1700000000 +0000
gpgsig -----BEGIN PGP SIGNATURE-----
 aGVsbG8=
 -----END PGP SIGNATURE-----

signed
"""


@pytest.fixture
def ran(folder: Path) -> Callable[[], set[str]]:
    """A work tree that is the current folder, with everything in it that a program could run for; and what has run."""
    repository = folder / "repository"
    repository.mkdir()
    os.chdir(repository)
    git("init", "-q", "-b", "main")
    written(".gitattributes", "[ab].* filter=one diff=one merge=one\nc.* filter=two diff=two\n")
    written("a.txt", "1\n")
    written("c.txt", "1\n")
    lost = written("lost.txt", "what a partial clone lacks\n")
    git("add", ".")
    git("commit", "-qm", "first")
    lost.unlink()
    git("checkout", "-qb", "side")
    written("a.txt", "2\n")
    git("commit", "-qam", "side")
    git("checkout", "-q", "main")
    written("a.txt", f"KEY={keys.openai()}\n")
    git("commit", "-qam", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "-q", "side")
    written("a.txt", "3\n")
    git("add", ".")
    git("commit", "-qm", "merged")
    commit = SIGNED.format(tree=git("write-tree").strip(), parent=git("rev-parse", "HEAD").strip())
    Path("../commit").write_text(commit)
    git("update-ref", "HEAD", git("hash-object", "-t", "commit", "-w", "../commit").strip())
    git("add", str(written("b.env", f"KEY={keys.openai()}\n")))
    Path(f".git/objects/{LOST[:2].decode()}/{LOST[2:-1].decode()}").unlink()

    marks = folder / "marks"
    marks.mkdir()

    def program(name: str) -> str:
        path = folder / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n: > '{marks}/{name}'\nexit 1\n")
        path.chmod(0o755)
        return str(path)

    settings = {**SWITCHES, **{name: program(name) for name in PROGRAMS}, "remote.ext.url": f"ext::{program('ext')}"}
    text = ""
    for name, value in settings.items():
        section, _, key = name.partition(".")
        subsection, _, last = key.rpartition(".")
        heading = f'[{section} "{subsection}"]' if subsection else f"[{section}]"
        text += f"{heading}\n\t{last} = {value}\n"
    # In a file that is included, as settings of others often are.
    Path(".git/evil").write_text(text)
    with Path(".git/config").open("a", encoding="utf-8") as file:
        file.write("[include]\n\tpath = evil\n")
    for hook in HOOKS:
        Path(f".git/hooks/{hook}").unlink(missing_ok=True)
        Path(f".git/hooks/{hook}").symlink_to(program(hook))
    # The time and size of a file differ from what the index knows: Git looks at its content.
    written("a.txt", "4\n")
    written("c.txt", "2\n")

    def names() -> set[str]:
        return {path.name for path in marks.iterdir()}

    return names


def test_git_itself_runs_them(ran: Callable[[], set[str]]) -> None:
    """So that the other tests show something."""
    for command in (
        ["ls-files", "--others"],
        ["diff"],
        ["log", "-m", "-p", "--ext-diff"],
        ["cat-file", "--batch-check"],
    ):
        subprocess.run(["git", *command], check=False, capture_output=True, input=LOST)  # noqa: S607
    expected = {
        "core.fsmonitor",
        "core.sshCommand",
        "diff.one.command",
        "ext",
        "filter.one.clean",
        "filter.two.process",
    }
    assert ran() >= {*expected, "gpg.program", "merge.one.driver", "remote.local.uploadpack"}


def test_mlkeys_runs_none(ran: Callable[[], set[str]], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_COMMAND", "SSH", "EXTERNAL_DIFF", "PAGER", "ASKPASS", "EDITOR", "PROXY_COMMAND"):
        monkeypatch.setenv(f"GIT_{name}", str(folder / "programs/core.pager"))
    monkeypatch.setenv("GIT_EXEC_PATH", str(folder / "programs"))
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:ssh:file")
    settings = {"COUNT": "1", "KEY_0": "core.fsmonitor", "VALUE_0": str(folder / "programs/core.fsmonitor")}
    for name, value in settings.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'log.showsignature'='true'")
    found = "b.env:1:5: MLK101: an OpenAI API key (sk-…) in plain text"
    assert lint(status=1).stdout.startswith(found)
    assert lint("--staged", status=1).stdout.startswith(found)
    history = lint("--history", status=1)
    assert history.stdout.startswith("a.txt:1:5: MLK101")
    lost = (
        r"Not checked: lost.txt in commit [0-9a-f]+: this clone does not have it; run git fetch --refetch --no-filter"
    )
    assert re.search(lost, history.stderr)
    assert is_defined(Path()) is False
    assert attributed(Path(), ["a.txt"]) == []
    assert ran() == set()


def test_merge_on_a_terminal_runs_none(ran: Callable[[], set[str]], folder: Path) -> None:
    for name in ("base", "ours", "theirs"):
        written(name, f"a: [{name}\n")
    with on_a_terminal([*command_line(["merge"]), "base", "ours", "theirs"], Path(), {}) as terminal:
        assert terminal.wait() == 1
    assert "is merged as text" in terminal.shown
    assert "<<<<<<< ours" in Path("ours").read_text()
    assert ran() == set()


def test_an_index_that_git_gives_to_a_hook_is_the_one_that_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `git commit FILE`, with which Git commits another index than its own."""
    git("init", "-q")
    git("commit", "-qm", "first", "--allow-empty")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/next-index")
    git("read-tree", "HEAD")
    git("add", str(written("other.env", f"KEY={keys.openai()}\n")))
    assert lint("--staged", status=1).stdout.startswith("other.env:1:5: MLK101")
