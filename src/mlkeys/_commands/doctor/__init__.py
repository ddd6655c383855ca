# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlkeys._commands.deployment.state import states_of
from mlkeys._commands.doctor import configuration as configuration_file
from mlkeys._commands.doctor import environment, machine, merges, parity, server, variables
from mlkeys._commands.doctor.check import Check
from mlkeys._commands.errors import failing_plainly, show_json
from mlkeys._commands.paths import command_line
from mlkeys._commands.project import (
    chosen,
    json_option,
    out_folder,
    out_option,
    program_argument,
    stack_option,
)
from mlkeys._commands.sources import missing_sources
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._shared.printable import printable
from mlkeys._synthesis.program import load
from mlkeys._synthesis.project import differences, synthesize_for
from mlkeys._system import collection
from mlkeys._targets.terraform.stack import terraform_version

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings

_MARKS = {"ok": ("ok", "green"), "remark": ("remark", "yellow"), "wrong": ("WRONG", "red")}


@click.command("doctor")
@program_argument
@out_option
@stack_option
@json_option
@failing_plainly
def command(program: Path, out: Path | None, stacks: tuple[str, ...], *, as_json: bool) -> None:
    """Diagnose problems.

    Checks what is installed, PROGRAM (app.py) if it exists, the settings, the server, the login, and whether the token
    has the capabilities that deploying PROGRAM needs. In an Ansible project, it also checks whether Ansible decrypts
    the encrypted vars files (vars_plugins_enabled in ansible.cfg), and in a clone of Git whether Git merges them with
    'mlkeys merge'. Reports where bao would use another server or other settings in the same environment. Logs in as a
    deployment does, changes nothing, and shows no secrets. Exits with 1 if something is wrong. A remark points out
    something that works but may be unexpected.

    \b
    Examples:
      mlkeys doctor
      mlkeys doctor --stack prod
      mlkeys doctor --json | jq '.[] | select(.ok | not)'
    """
    checks = list(_all(program, out, stacks))
    if as_json:
        show_json([check.as_data() for check in checks])
    else:
        for check in checks:
            _show(check)
    sys.exit(0 if all(check.level != "wrong" for check in checks) else 1)


def _show(check: Check) -> None:
    mark, colour = _MARKS[check.level]
    click.secho(f"{mark:7}", fg=colour, nl=False)
    about = f"{check.name} of {check.stack}" if check.stack else check.name
    # A server or a file may say what is found.
    click.echo(printable(f"{about}: {check.found}"))
    if check.advice:
        click.echo(printable(f"{'':7}{check.advice}"))


def _all(program: Path, out: Path | None, names: Sequence[str]) -> Iterator[Check]:
    stacks: list[Stack] = []
    oldest_terraform = ""
    if program.exists():
        app = _app(program)
        if isinstance(app, Check):
            yield app
        else:
            stacks = chosen(app, names)
            oldest_terraform = _oldest_terraform(app, stacks)
            folder = out_folder(program, out)
            yield from _program(app, program, stacks, folder)
            _configure(folder / "ansible" / stacks[0].node.id / "ansible.cfg")
    yield from machine.libraries()
    if (broken := _configuration()) is None:
        yield machine.collection()
    yield from machine.programs(oldest_terraform)
    files = variables.encrypted_files(Path())
    encrypted = [*files.named, *files.misnamed, *variables.loaded_files(Path())]
    yield from merges.conflicts(Path(), encrypted)
    yield from variables.loaded_as_they_are(Path(), encrypted)
    yield from merges.check(Path(), files.named)
    if broken is not None:
        yield broken
        return
    try:
        collection.load()
    except MlkeysError:
        yield Check("server", "remark", "not checked: this needs Ansible and the collection")
        return
    enabled, configuration = collection.vars_plugins()
    yield from configuration_file.check(configuration, *collection.configuration_at(configuration))
    yield from variables.check(
        files,
        enabled,
        configuration,
        collection.vars_plugin_problems,
        collection.vars_plugin_off,
        lambda: variables.would_use_ciphertext(Path(), configuration),
    )
    yield from _settings_and_servers(stacks)


def _configuration() -> Check | None:
    """A configuration that Ansible cannot read. Without it, other settings would be checked."""
    try:
        collection.check_configuration()
    except MlkeysError as problem:
        return Check("ansible.cfg", "wrong", str(problem))
    return None


def _configure(project: Path) -> None:
    """Let Ansible read the project's configuration, as in a deployment, and not that of the current folder."""
    if project.is_file():
        os.environ["ANSIBLE_CONFIG"] = str(project.absolute())


def _app(program: Path) -> Root | Check:
    """The program's app, or the check that failed."""
    try:
        app = load(program)
        synthesize_for(app, program.parent)
    except MlkeysError as problem:
        return Check("program", "wrong", str(problem))
    return app


def _program(app: Root, program: Path, stacks: Sequence[Stack], folder: Path) -> Iterator[Check]:
    if different := differences(synthesize_for(app, folder).files, folder):
        yield Check(
            "program", "remark", f"{len(different)} files in {folder} are not up to date", command_line("synth")
        )
    else:
        yield Check("program", "ok", f"the files in {folder} are up to date")
    try:
        missing = missing_sources(states_of(app, program, stacks))
    except MlkeysError as problem:
        yield Check("secrets", "remark", str(problem))
        return
    for one in missing:
        yield Check("secrets", "remark", str(one), "deploy needs it.")


def _oldest_terraform(app: Root, stacks: Sequence[Stack]) -> str:
    if "terraform" not in app.targets:
        return ""
    return max(map(terraform_version, stacks), key=machine.numbers)


def _settings_and_servers(stacks: Sequence[Stack]) -> Iterator[Check]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

    yield from environment.variables(OPTIONS, os.environ)
    groups: dict[tuple[str | None, str | None], list[Stack]] = {} if stacks else {(None, None): []}
    for stack in stacks:
        groups.setdefault((stack.url, stack.namespace), []).append(stack)
    for (url, namespace), members in groups.items():
        names = ", ".join(stack.node.id for stack in members) if len(groups) > 1 else ""
        for check in _server(url, namespace, members):
            yield check if check.stack else replace(check, stack=names)


def _server(url: str | None, namespace: str | None, stacks: Sequence[Stack]) -> Iterator[Check]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

    try:
        settings = collection.settings(url, namespace)
    except MlkeysError as problem:
        yield Check("settings", "wrong", str(problem))
        yield from server.files(collection.incomplete_settings(url, namespace))
        return
    option = next(option for option in OPTIONS if option.name == "url")
    yield from environment.connection(
        settings.connection, "the program" if url else environment.origin(option, os.environ)
    )
    if (found := parity.in_effect(settings.connection, os.environ)) is not None:
        yield found
    yield from _differences(settings)
    yield from server.checks_of(settings, stacks)


def _differences(settings: Settings) -> Iterator[Check]:
    """Where `bao` would use something else. Without its variables, it would use its defaults, which means nothing."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from

    try:
        of_bao = settings_from({}, parity.environment_of_bao(os.environ), flags={})
    except InvalidOption:
        return
    yield from parity.differences(settings, of_bao, os.environ)
    if (found := parity.helper(settings.auth)) is not None:
        yield found
