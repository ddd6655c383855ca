# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys output`."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.errors import failing_plainly, show_json
from mlkeys._commands.paths import command_line
from mlkeys._commands.playbook import Run, ansible_playbook
from mlkeys._commands.project import (
    chosen,
    json_option,
    out_folder,
    out_option,
    program_argument,
    stack_option,
    synthesised,
)
from mlkeys._constructs.output import Output
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Stack
from mlkeys._providers.literals import hidden
from mlkeys._synthesis.program import load
from mlkeys._system.collection import with_way_to_a_server
from mlkeys._system.replacing import read
from mlkeys._targets.ansible.project import OUTPUT_MARK, OUTPUTS_FILE, SHOWING

_HIDDEN = "(sensitive; show it with --show-secrets)"


class _Hidden:
    """Stands for the value of a sensitive output that is not shown."""


#: What a lookup of the collection says, in the message of a task that failed.
_OF_LOOKUP = re.compile(
    r"lookup plugin 'mlkeys\.transit\.\w+'(?: failed:|.*? original message:) (.+?)(?:\. \1)?$", re.DOTALL
)
_SHOWN = re.compile(re.escape(OUTPUT_MARK) + r"([A-Za-z0-9+/=]+)")


@click.command("output")
@program_argument
@click.argument("name", required=False)
@out_option
@stack_option
@json_option
@click.option("--show-secrets", is_flag=True, help="Decrypt and show sensitive outputs too.")
@failing_plainly
def command(
    program: Path, name: str | None, out: Path | None, stacks: tuple[str, ...], *, as_json: bool, show_secrets: bool
) -> None:
    """Show the outputs of a deployment: all of them, or the one called NAME.

    Sensitive outputs are not stored in any file. --show-secrets decrypts them on the server. Without it, NAME of a
    sensitive output is an error, and in JSON its value is {"sensitive": true}.

    \b
    Examples:
      mlkeys output                                 all outputs of app.py
      mlkeys output ciphertext                      the bare value of one output
      mlkeys output other.py ciphertext             an output of another program
      mlkeys output --json --stack prod
      mlkeys output --show-secrets api_key | program-that-reads-a-key
    """
    if program.suffix != ".py" and name is None:
        program, name = Path("app.py"), str(program)
        # Messages name the program of the command.
        click.get_current_context().params["program"] = program
    # What decrypts is generated, and may be deleted at any time.
    app, folder = synthesised(program, out, writes=False) if show_secrets else (load(program), out_folder(program, out))
    found = {stack.node.id: _values(stack, folder, show_secrets=show_secrets) for stack in chosen(app, stacks)}
    if name is not None:
        _show_one(name, found, as_json=as_json)
    elif as_json:
        shown = {stack: {name: _plain(value) for name, value in values.items()} for stack, values in found.items()}
        show_json(shown if len(shown) > 1 else next(iter(shown.values())))
    else:
        for stack, values in found.items():
            for output, value in values.items():
                click.echo(f"{f'{stack}.' if len(found) > 1 else ''}{output} = {_text(value)}")


def _show_one(name: str, found: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    holders = [stack for stack, values in found.items() if name in values]
    if not holders:
        known = sorted({output for values in found.values() for output in values})
        raise MlkeysError(f"Output {name!r} does not exist. Known outputs: {', '.join(known) or 'none'}.")
    if len(holders) > 1:
        raise MlkeysError(f"Several stacks have an output {name!r}: choose one of {', '.join(holders)} with --stack.")
    value = found[holders[0]][name]
    if isinstance(value, _Hidden):
        raise MlkeysError(f"Output {name!r} is sensitive: show it with --show-secrets.")
    if as_json:
        show_json(value)
    else:
        click.echo(_text(value))


def _plain(value: Any) -> Any:
    return {"sensitive": True} if isinstance(value, _Hidden) else value


def _text(value: Any) -> str:
    if isinstance(value, _Hidden):
        return _HIDDEN
    return value if isinstance(value, str) else json.dumps(value)


def _values(stack: Stack, folder: Path, *, show_secrets: bool) -> dict[str, Any]:
    outputs = [construct for construct in stack.node.walk() if isinstance(construct, Output)]
    project = folder / "ansible" / stack.node.id
    written = _written(project) if any(not output.sensitive for output in outputs) else {}
    hidden = _decrypted(project) if show_secrets and any(output.sensitive for output in outputs) else {}
    return {
        output.name: hidden.get(output.name, _Hidden()) if output.sensitive else written.get(output.name)
        for output in sorted(outputs, key=lambda output: output.name)
    }


def _written(project: Path) -> dict[str, Any]:
    path = project / OUTPUTS_FILE
    text = read(path)
    if text is None:
        raise MlkeysError(f"Stack {project.name} has no outputs yet. First run: {command_line('deploy')}")
    return _mapping(text, f"{path} is damaged. To write it again, run: {command_line('deploy')}")


def _decrypted(project: Path) -> dict[str, Any]:
    """The sensitive outputs. They are read from a pipe and not stored."""
    run = ansible_playbook(project, "outputs.yml", show=None)
    found = _SHOWN.search(run.output)
    if run.status or found is None:
        raise MlkeysError(f"The outputs of stack {project.name} were not decrypted. {_cause(run)}")
    try:
        text = base64.b64decode(found[1])
    except ValueError:
        text = b""
    return _mapping(text, f"The playbook of stack {project.name} returned no outputs.")


def _cause(run: Run) -> str:
    """Why a run decrypted nothing: the collection's own words, which hold no secret. Ansible's might quote one."""
    if found := _OF_LOOKUP.search(run.problem):
        return with_way_to_a_server(hidden(found[1]))
    if run.failures and run.failures[-1].task != SHOWING:
        return f"Failed: {run.failures[-1].task}. If it is not deployed, run: {command_line('deploy')}"
    return f"Check that it is deployed, and that the login may decrypt: {command_line('doctor')}"


def _mapping(text: str | bytes, problem: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MlkeysError(problem)
    return found
