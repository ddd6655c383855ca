# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys destroy`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import click

from mlkeys._commands.deployment.comparison import Choices, compared
from mlkeys._commands.deployment.departed import Departed, agreed, delete, show
from mlkeys._commands.deployment.gone import gone_stacks, project_of
from mlkeys._commands.deployment.owners import say_adopted
from mlkeys._commands.deployment.plan import DELETED, KEPT, ONE_OF, Row, rows_of, rows_of_gone
from mlkeys._commands.deployment.plan_text import show_done
from mlkeys._commands.errors import failing_plainly
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
from mlkeys._commands.stacks import run_each
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Stack
from mlkeys._record.record import KINDS, Made

#: Words for many of each kind of a record.
_MANY = {
    "policies": "policies",
    "roles": "AppRoles",
    "auth_methods": "auth methods",
    "keys": "keys",
    "engines": "engines",
}


@click.command("destroy")
@program_argument
@out_option
@stack_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--protected-keys", is_flag=True, help="Also delete keys without deletion_allowed.")
@click.option(
    "--forget-host", multiple=True, metavar="NAME", help="Give up the files on this host, which is gone; repeatable."
)
@click.option("--adopt", is_flag=True, help="Include what a lost record made.")
@verbose_option
@json_option
@failing_plainly
@taking_turns
def command(  # noqa: PLR0913  each is an argument of the command
    program: Path,
    out: Path | None,
    stacks: tuple[str, ...],
    *,
    yes: bool,
    protected_keys: bool,
    forget_host: tuple[str, ...],
    adopt: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Delete what PROGRAM (app.py) created: roles, policies, ciphertexts, keys, engines.

    Everything that was ever encrypted with a deleted key is lost permanently. If a key does not have deletion_allowed,
    nothing is deleted unless you give --protected-keys. A key that ciphertexts of another stack need is refused, and an
    engine that contains other keys is kept. On hosts, services of an agent and files with plaintext are deleted, and
    other files are kept.

    What former deployments made and the program no longer has is deleted too.

    \b
    Examples:
      mlkeys destroy --stack dev
      mlkeys destroy --yes --protected-keys        in CI, on a test server
    """
    app, folder = synthesised(program, out)
    gone = gone_stacks(app, program, folder)
    todo = list(reversed(chosen(app, stacks, gone.stacks)))
    compares = compared(app, gone, program, todo, Choices(forget=forget_host, adopt=adopt, everything=True), folder)
    found = {one.state.name: one.departed for one in compares}
    if not protected_keys:
        _check_keys([*found.values()])
    show([*found.values()])
    if not yes and not agreed(_question(todo, [*found.values()])):
        raise MlkeysError("Nothing was destroyed.")
    say_adopted([one.adopted for one in compares], "Takes over")

    start = time.monotonic()
    rows: dict[str, list[Row]] = {stack.node.id: [] for stack in todo}

    def run(name: str, show: TextIO | None) -> Run:
        return _destroy(found[name], folder, show, rows[name], force=protected_keys)

    done = run_each([*rows], run, kind="stack", as_json=as_json, verbose=verbose)
    show_done(compares, rows, done, "Destroyed", start, usual=(DELETED, KEPT), as_json=as_json)
    if failed := [name for name, run in done.items() if run.status]:
        raise MlkeysError(f"Stack {failed[0]} was not destroyed completely. Fix the errors and rerun.")


def _check_keys(found: Sequence[Departed]) -> None:
    """Check that all keys that are deleted allow that.

    Raises:
        MlkeysError: one does not.
    """
    own = sorted({key for one in found for key in one.destroyed.keys & one.locked})
    left = sorted({key for one in found for key in one.left.deleted.keys & one.locked} - {*own})
    if own:
        raise MlkeysError(
            f"These keys do not allow deletion: {', '.join(own + left)}. Set deletion_allowed=True and deploy, or give "
            "--protected-keys."
        )
    if left:
        # What left the program cannot be set there.
        raise MlkeysError(f"These keys do not allow deletion: {', '.join(left)}. Give --protected-keys.")


def _question(stacks: Sequence[Stack], found: Sequence[Departed]) -> str:
    going = Made()
    for one in found:
        going = going.union(one.destroyed).union(one.left.deleted.on_server())
    counted = [counts for kind, many in _MANY.items() if (counts := _counted(len(getattr(going, kind)), many))]
    what = f" with {', '.join(counted)}" if counted else ""
    lost = ", and lose everything that was ever encrypted with these keys" if going.keys else ""
    return f"Destroy {', '.join(stack.node.id for stack in stacks)}{what}{lost}?"


def _counted(number: int, many: str) -> str:
    return f"{number} {ONE_OF[many] if number == 1 else many}" if number else ""


def _destroy(one: Departed, folder: Path, show: TextIO | None, rows: list[Row], *, force: bool) -> Run:
    """Destroy what is left of a stack, then what it has.

    Args:
        rows: gets what was done.
    """
    run, project = Run(), project_of(one.state, folder)
    if one.left.deleted:
        run = delete(one, project, show, force=force)
        if run.status:
            return run
    rows += rows_of_gone(one, why="")
    if not one.state.gone:
        own = {kind: sorted(getattr(one.destroyed, kind)) for kind in KINDS}
        arguments = ["--extra-vars", json.dumps({"destroyed": own, **({"force_keys": True} if force else {})})]
        made = ansible_playbook(project, "destroy.yml", arguments, show=show, brief=True)
        rows += rows_of(made, project, one.state.program_folder)
        run = run.followed_by(made)
    if not run.status:
        one.state.end(one.shared)
    return run
