# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The command `mlkeys`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click

from mlkeys._commands import Commands
from mlkeys._openbao import (
    STOPPING,
    DevServer,
    DevServerError,
    ending_with_parent,
    holding_signals,
    stop_detached,
    without_server_settings,
)
from mlkeys._terminal import in_foreground


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlkeys", message="%(package)s %(version)s")
def main() -> None:
    """Keep the API keys of ML services encrypted with the Transit engine of OpenBao or Vault."""


@main.command(context_settings={"allow_interspersed_args": False})
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
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def dev(
    persist: Path | None,
    state: Path | None,
    port: int | None,
    *,
    detach: bool,
    stop: bool,
    command: tuple[str, ...],
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
    if command and (detach or stop):
        raise click.UsageError("A COMMAND goes neither with --detach nor with --stop.")
    if detach and stop:
        raise click.UsageError("--detach starts and --stop stops: give one of them.")
    try:
        if stop and folder is not None:
            _stop(folder)
        else:
            with _folder(folder) as own:
                server = DevServer(own, port=port, persist=persist is not None, detached=detach)
                status = _detach(server) if detach else _attend(server, command)
            sys.exit(status)
    except DevServerError as problem:
        raise click.ClickException(str(problem)) from None


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
    attendance = _Attendance()
    with attendance, server:
        if server.persist:
            click.echo(f"For development only: {server.state} holds the data and its unseal key.", err=True)
        if command:
            return attendance.run(command, without_server_settings(os.environ) | server.client_environment)
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


class _Attendance:
    """What a stopping signal means: the end while there is no command, else news for the command."""

    def __init__(self) -> None:
        self._command: subprocess.Popen[bytes] | None = None
        self._group = False
        self._over = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._on_signal) for number in STOPPING}

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        # Under a terminal the command must stay in our group, which is the one that may use the terminal.
        # Elsewhere it leads a group, so that a signal also reaches what it started.
        self._group = not in_foreground()
        try:
            with holding_signals() as before_exec:
                self._command = subprocess.Popen(
                    command,
                    env=environment,
                    process_group=0 if self._group else None,
                    preexec_fn=ending_with_parent(before_exec),  # noqa: PLW1509  one thread
                )
            status = self._command.wait()
        except OSError as problem:
            raise DevServerError(f"{command[0]} cannot be run: {problem.strerror}.") from None
        finally:
            self._over = True
        return status if status >= 0 else 128 - status

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._over:
            return  # the server is being stopped already
        if self._command is None:
            self._over = True
            sys.exit(128 + number)
        with suppress(ProcessLookupError):
            if self._group:
                os.killpg(self._command.pid, number)
            elif number != signal.SIGINT:  # the terminal sends Ctrl-C to the command itself
                os.kill(self._command.pid, number)
