# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys dev`."""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.secrets.programs import check_command, exit_as_shell
from mlkeys._devserver.server import TEMPORARY_SERVER, DevServer, without_server_settings
from mlkeys._devserver.state_folder import stop_detached
from mlkeys._system.processes import ChildProcess, exit_status


@click.command("dev", context_settings={"allow_interspersed_args": False})
@click.option(
    "--persist",
    metavar="DIR",
    type=PathType(file_okay=False),
    help="Keep the data in DIR, and use it again next time.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=PathType(file_okay=False),
    help="Folder for the token and the address of an in-memory server.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port on 127.0.0.1. Default: a free port.")
@click.option("--detach", is_flag=True, help="Return when the server is ready, and leave it running.")
@click.option("--stop", is_flag=True, help="Stop the server that --detach started with this folder.")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@failing_plainly
def command(
    persist: Path | None,
    state: Path | None,
    port: int | None,
    *,
    detach: bool,
    stop: bool,
    argv: tuple[str, ...],
) -> None:
    """Run an OpenBao development server while COMMAND runs, or until Ctrl-C.

    The server listens on 127.0.0.1 only and keeps its data in memory. BAO_ADDR and BAO_TOKEN (and VAULT_ADDR,
    VAULT_TOKEN) point COMMAND to it. The server stops when COMMAND exits, and mlkeys exits with the status of
    COMMAND; with 126 if it cannot be run, with 127 if it is not found.

    Use it for development only: the token is the root token, and --persist stores the unseal key beside the data.

    \b
    Examples:
      Run a playbook against its own server
        mlkeys dev -- ansible-playbook site.yml
      Run a server for other shells, until Ctrl-C
        mlkeys dev
      Keep the data between runs
        mlkeys dev --persist ~/.local/share/mlkeys-dev
      Run it in the background
        mlkeys dev --detach --state ./bao
        export BAO_ADDR="$(cat ./bao/address)" BAO_TOKEN="$(cat ./bao/token)"
        mlkeys dev --stop --state ./bao
    """
    check_command(argv)
    if persist is not None and state is not None:
        raise click.UsageError("--state cannot be used with --persist: both name the folder.")
    folder = state if persist is None else persist
    if (detach or stop) and folder is None:
        raise click.UsageError(f"--{'detach' if detach else 'stop'} needs --state DIR (or --persist DIR).")
    if argv and (detach or stop):
        raise click.UsageError("COMMAND cannot be used with --detach or --stop.")
    if detach and stop:
        raise click.UsageError("--detach and --stop cannot be used together.")
    if stop and folder is not None:
        _stop_server(folder)
        return
    with _folder(folder) as own:
        server = DevServer(own, port=port, persist=persist is not None, detached=detach)
        status = _detach(server) if detach else _serve(server, argv)
    sys.exit(status)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The given folder, or a temporary one."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="mlkeys-dev-") as scratch:
        yield Path(scratch)


def _stop_server(folder: Path) -> None:
    if stop_detached(folder):
        click.echo(f"Stopped the server in {folder}.")
    else:
        click.echo(f"No server runs in {folder}.")


def _detach(server: DevServer) -> int:
    server.start()
    click.echo(_how_to_use(server))
    click.echo(f"Stop it with: mlkeys dev --stop --{'persist' if server.persist else 'state'} {server.state}")
    return 0


def _serve(server: DevServer, command: tuple[str, ...]) -> int:
    """Keep the server until the command exits, or without a command until a signal; the exit status."""
    with ChildProcess() as child, server:
        if server.persist:
            click.echo(f"For development only: {server.state} holds the data and its unseal key.", err=True)
        if command:
            environment = _with_scripts(without_server_settings(os.environ)) | server.client_environment
            if not server.persist:
                environment[TEMPORARY_SERVER] = server.address
            try:
                with child.running(command, environment) as process:
                    pass
                return exit_status(process.returncode)
            except OSError as error:
                exit_as_shell(command[0], environment, error)
        click.echo(_how_to_use(server))
        click.echo("Press Ctrl-C to stop it.")
        server.wait()
    return 0


def _with_scripts(environment: Mapping[str, str]) -> dict[str, str]:
    """With the programs installed beside this one, such as bao, whether or not their virtual environment is active.

    They come last, so that they replace none of the user's.
    """
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    return {**environment, "PATH": os.pathsep.join(dict.fromkeys([*folders, sysconfig.get_path("scripts")]))}


def _how_to_use(server: DevServer) -> str:
    kept = f"Its data stays in {server.state}." if server.persist else "Its data is lost when it stops."
    token = shlex.quote(str(server.state / "token"))
    return "\n".join(
        [
            f"OpenBao is running at {server.address}. {kept}",
            "To use it in a shell:",
            f"  export BAO_ADDR={server.address} VAULT_ADDR={server.address}",
            f'  export BAO_TOKEN="$(cat {token})" VAULT_TOKEN="$(cat {token})"',
        ]
    )
