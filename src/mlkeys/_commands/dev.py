# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys dev`."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._devserver.server import DevServer, without_server_settings
from mlkeys._devserver.state_folder import stop_detached
from mlkeys._errors import DevServerError
from mlkeys._system.processes import Attendance, exit_status


@click.command("dev", context_settings={"allow_interspersed_args": False})
@click.option(
    "--persist",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data in DIR and open it again next time.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the token and the address of a server in memory.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port on 127.0.0.1; a free one when not given.")
@click.option("--detach", is_flag=True, help="Return when the server answers; it stays.")
@click.option("--stop", is_flag=True, help="Stop what --detach started with that folder.")
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
    """Run a real OpenBao on this machine, for COMMAND or until Ctrl-C.

    It listens on 127.0.0.1 only and keeps everything in memory. COMMAND finds it by BAO_ADDR and
    BAO_TOKEN (and VAULT_ADDR, VAULT_TOKEN); its exit status becomes that of mlkeys, and the server is
    gone when it ends.

    This is for development: the token is the root token, and --persist stores the key that unseals the data
    right beside the data.

    \b
    Examples:
      A playbook against a server of its own
        mlkeys dev -- ansible-playbook site.yml
      A server for other shells, until Ctrl-C
        mlkeys dev
      The same data each time
        mlkeys dev --persist ~/.local/share/mlkeys-dev
      In the background, for a test run
        mlkeys dev --detach --state ./bao
        export BAO_ADDR="$(cat ./bao/address)" BAO_TOKEN="$(cat ./bao/token)"
        mlkeys dev --stop --state ./bao
    """
    if persist is not None and state is not None:
        raise click.UsageError("--persist DIR already names the folder: leave --state out.")
    folder = state if persist is None else persist
    if (detach or stop) and folder is None:
        raise click.UsageError(f"--{'detach' if detach else 'stop'} needs --state DIR (or --persist DIR).")
    if argv and (detach or stop):
        raise click.UsageError("A COMMAND goes neither with --detach nor with --stop.")
    if detach and stop:
        raise click.UsageError("--detach starts and --stop stops: give one of them.")
    if stop and folder is not None:
        _stop(folder)
        return
    with _folder(folder) as own:
        server = DevServer(own, port=port, persist=persist is not None, detached=detach)
        status = _detach(server) if detach else _attend(server, argv)
    sys.exit(status)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The folder that was asked for, else one that goes when the server goes."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="mlkeys-dev-") as scratch:
        yield Path(scratch)


def _stop(folder: Path) -> None:
    if stop_detached(folder):
        click.echo(f"Stopped the server of {folder}.")
    else:
        click.echo(f"No server runs on {folder}.")


def _detach(server: DevServer) -> int:
    server.start()
    click.echo(_how_to_use(server))
    click.echo(f"Stop it with: mlkeys dev --stop --{'persist' if server.persist else 'state'} {server.state}")
    return 0


def _attend(server: DevServer, command: tuple[str, ...]) -> int:
    """Keep the server for as long as the command, or without one until a signal; the exit status."""
    with Attendance() as attendance, server:
        if server.persist:
            click.echo(f"For development only: {server.state} holds the data and its unseal key.", err=True)
        if command:
            environment = without_server_settings(os.environ) | server.client_environment
            try:
                with attendance.running(command, environment) as process:
                    pass
            except OSError as problem:
                raise DevServerError(f"{command[0]} cannot be run: {problem.strerror}.") from None
            return exit_status(process.returncode)
        click.echo(_how_to_use(server))
        click.echo("Ctrl-C stops it.")
        server.wait()
    return 0


def _how_to_use(server: DevServer) -> str:
    kept = f"its data stays in {server.state}" if server.persist else "everything in it is gone when it stops"
    token = shlex.quote(str(server.state / "token"))
    return "\n".join(
        [
            f"OpenBao answers at {server.address}; {kept}.",
            "In a shell that shall use it:",
            f"  export BAO_ADDR={server.address} VAULT_ADDR={server.address}",
            f'  export BAO_TOKEN="$(cat {token})" VAULT_TOKEN="$(cat {token})"',
        ]
    )
