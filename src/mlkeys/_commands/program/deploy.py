# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys deploy`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import click

from mlkeys._commands.deployment import departed
from mlkeys._commands.deployment.carry import carry, make_keys, moves_of
from mlkeys._commands.deployment.comparison import Choices, Comparison, compared
from mlkeys._commands.deployment.generated import held, not_lost
from mlkeys._commands.deployment.gone import gone_stacks, project_of
from mlkeys._commands.deployment.owners import say_adopted
from mlkeys._commands.deployment.plan import Row, rows_of, rows_of_gone, rows_of_moves
from mlkeys._commands.deployment.plan_text import show_done
from mlkeys._commands.deployment.state import states_of
from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import command_line
from mlkeys._commands.playbook import Run, ansible_playbook
from mlkeys._commands.project import (
    chosen,
    json_option,
    out_option,
    program_argument,
    stack_option,
    synthesised,
    taking_turns,
    verbose_option,
)
from mlkeys._commands.sources import require_sources
from mlkeys._commands.stacks import run_each
from mlkeys._errors import MlkeysError
from mlkeys._system import collection


@click.command("deploy")
@program_argument
@out_option
@stack_option
@click.option("--limit", metavar="PATTERN", help="Only these hosts. The server is always included.")
@click.option("--yes", is_flag=True, help="On a terminal, do not ask before deleting what left the program.")
@click.option(
    "--delete-keys", multiple=True, metavar="NAME", help="Also delete this key (ENGINE/KEY) or engine; repeatable."
)
@click.option("--generate", multiple=True, metavar="NAME", help="Make a new value for this lost secret; repeatable.")
@click.option(
    "--forget-host", multiple=True, metavar="NAME", help="Give up the files on this host, which is gone; repeatable."
)
@click.option("--adopt", is_flag=True, help="Take over what exists on the server but in no record.")
@verbose_option
@json_option
@failing_plainly
@taking_turns
def command(  # noqa: PLR0913  each is an argument of the command
    program: Path,
    out: Path | None,
    stacks: tuple[str, ...],
    limit: str | None,
    *,
    yes: bool,
    delete_keys: tuple[str, ...],
    generate: tuple[str, ...],
    forget_host: tuple[str, ...],
    adopt: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Deploy what PROGRAM (app.py) describes.

    Generates the files, then runs the playbook of each stack. The server and the login are read from the environment
    (BAO_ADDR, BAO_TOKEN, VAULT_ADDR, …), unless the stack sets them. A second run changes nothing.

    Ciphertexts and the record of deployments are in the folder mlkeys.state beside the program: commit it. A secret
    whose source is missing keeps its ciphertext.

    What an earlier deployment created and the program no longer contains is shown and then deleted, even a whole stack:
    policies, AppRoles, ciphertexts, and on hosts services of an agent and files with plaintext. On a terminal, deploy
    asks first. Without one, it deletes without asking, even without --yes. Keys and engines stay: see --delete-keys.

    A table shows what was created, changed, revoked, deleted and kept, and the last line counts it. With --json, only
    the counts of each stack are written to standard output.

    \b
    Examples:
      mlkeys deploy --stack prod
      mlkeys deploy --limit 'web-1*'
      mlkeys deploy --delete-keys transit/old-key
      mlkeys deploy --json | jq '.stacks[].changed'
      mlkeys dev -- mlkeys deploy       a new program, to a temporary development server
    """
    start = time.monotonic()
    app, folder = synthesised(program, out)
    todo = chosen(app, stacks, (gone := gone_stacks(app, program, folder)).stacks)
    require_sources(states_of(app, program, [stack for stack in todo if stack in app.stacks]))
    found = compared(app, gone, program, todo, Choices(delete_keys, generate, forget_host, adopt=adopt), folder)
    arguments = _limited(limit, found, folder)
    if departed.show([one.departed for one in found]):
        departed.confirm(yes=yes)
    made = _Deployment({one.state.name: one for one in found}, folder, arguments, generate)
    done = made.run_all([stack.node.id for stack in todo], as_json=as_json, verbose=verbose)
    show_done(found, {**dict.fromkeys(made.found, ()), **made.rows}, done, "Deployed", start, as_json=as_json)
    if failed := [name for name, run in done.items() if run.status]:
        raise MlkeysError(made.problem(failed[0]))


def _limited(pattern: str | None, found: Sequence[Comparison], folder: Path) -> list[str]:
    """Return the arguments of Ansible for a pattern of hosts. One may have left the program with files to delete.

    Raises:
        MlkeysError: it names none.
    """
    if pattern is None:
        return []
    left = sorted({host for one in found for host in one.departed.left.deleted.files})
    inventories = [project_of(one.state, folder) / "inventory" for one in found if not one.state.gone]
    if not collection.matching_hosts(inventories, left, pattern):
        raise MlkeysError(f"No host matches the limit {pattern}. Nothing was changed.")
    return ["--limit", f"localhost,{pattern}"]


@dataclass(frozen=True, slots=True)
class _Deployment:
    """The deployment of stacks.

    Attributes:
        found: what must be known of each stack.
        arguments: of Ansible.
        generate: names of random secrets to make again.
        rows: what was done.
        unreached: hosts with files that left a stack and may still be there.
    """

    found: Mapping[str, Comparison]
    folder: Path
    arguments: Sequence[str]
    generate: Sequence[str]
    rows: dict[str, list[Row]] = field(default_factory=dict)
    unreached: dict[str, list[str]] = field(default_factory=dict)

    def run_all(self, names: Sequence[str], *, as_json: bool, verbose: bool) -> dict[str, Run]:
        """Deploy stacks, and say which random secrets were not made again, although the user asked for that."""
        say_adopted([one.adopted for one in self.found.values()], "Takes over")
        states = [one.state for one in self.found.values() if not one.state.gone]
        before = held(states, self.generate)
        done = run_each(names, self.run, kind="stack", as_json=as_json, verbose=verbose)
        if not any(run.status for run in done.values()) and (note := not_lost(before, held(states, self.generate))):
            click.echo(note, err=True)
        return done

    def run(self, name: str, show: TextIO | None) -> Run:
        """Deploy a stack, then delete what left it. The record is written before and after."""
        one, complete = self.found[name], False
        one.state.begin()
        try:
            run = self._run(one, name, show)
            complete = not run.status
        finally:
            # Also where a signal ends it.
            if not complete:
                one.state.note_stored()
        return run

    def _run(self, one: Comparison, name: str, show: TextIO | None) -> Run:
        rows = self.rows.setdefault(name, [])
        project = project_of(one.state, self.folder)
        run = Run()
        if found := moves_of(one.state):
            run = make_keys(project, show)
            rows += rows_of(run, project, one.state.program_folder)
            if not run.status:
                run = run.followed_by(carry(one.state, found, project, show))
            if run.status:
                return run
            rows += rows_of_moves(found)
        if not one.state.gone:
            arguments = [*self.arguments, *one.arguments(self.generate)]
            done = ansible_playbook(project, "site.yml", arguments, show=show, brief=True)
            rows += rows_of(done, project, one.state.program_folder)
            run = run.followed_by(done)
        if run.status:
            return run
        if one.departed.left.deleted:
            run = run.followed_by(departed.delete(one.departed, project, show, self.arguments, force=True))
            if run.status and run.unreachable:
                self.unreached[name] = sorted(one.departed.left.deleted.files)
        if not run.status:
            remaining = one.departed.remaining(everywhere=not self.arguments)
            rows += rows_of_gone(one.departed, remaining)
            one.state.finish(remaining)
        return run

    def problem(self, failed: str) -> str:
        """Return what a stack that failed needs."""
        if not (hosts := self.unreached.get(failed)):
            return f"Stack {failed} failed. Fix the errors and rerun; completed steps are kept."
        named = [word for host in hosts for word in ("--forget-host", host)]
        return (
            f"Not all files that left stack {failed} were deleted: a host is unreachable. Rerun when it is back. If it "
            f"is gone for good, with its disk, give up its files: {command_line('deploy', *named)}"
        )
