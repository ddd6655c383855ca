# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys run`."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.secrets.environment import (
    ADDRESSES,
    LOGIN_FACTS,
    check_unused,
    inherited,
    is_credential,
    pairs,
    text_of,
    variables,
)
from mlkeys._commands.secrets.names import complete_one_of_several, complete_pair
from mlkeys._stored.secrets import check_known, chosen_files, only, plaintexts, stored_secrets
from mlkeys._system import collection, core_dumps
from mlkeys._system.memory_files import link, memory_files
from mlkeys._system.own_memory import HandOver, blank, close_to_others, take_over
from mlkeys._system.processes import ChildProcess, exit_status

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Option

# Seconds between two looks at the files.
_POLL = 0.5

_SIGNALS = {name.removeprefix("SIG"): number for name, number in signal.Signals.__members__.items()}


class Options(TypedDict):
    names: tuple[str, ...]
    env_name: str
    env: tuple[str, ...]
    file: tuple[str, ...]
    inherit: bool
    keep_login: bool


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option(
    "-f",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Encrypted vars file, or a folder of them; repeatable. Default: those in the current folder.",
)
@click.option(
    "--only",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_one_of_several,
    help="Only this secret; repeatable.",
)
@click.option(
    "--env-name",
    default="{NAME}",
    metavar="TEMPLATE",
    help="How to name variables, with {name}, or {NAME} for capitals. Default: {NAME}.",
)
@click.option(
    "--env",
    multiple=True,
    metavar="NAME=VARIABLE",
    shell_complete=complete_pair,
    help="The variable of one secret; repeatable.",
)
@click.option(
    "--file",
    multiple=True,
    metavar="NAME=VARIABLE|PATH",
    shell_complete=complete_pair,
    help="Give a secret as a file in memory. Its path is in VARIABLE, or PATH links to it; repeatable.",
)
@click.option(
    "--no-inherit", "inherit", is_flag=True, default=True, flag_value=False, help="Start with a clean environment."
)
@click.option("--keep-login", is_flag=True, help="Let COMMAND have the token or login of the environment.")
@click.option("--watch", is_flag=True, help="Start COMMAND again when a file changes.")
@click.option(
    "--signal",
    "signal_name",
    type=click.Choice(sorted(_SIGNALS), case_sensitive=False),
    metavar="SIGNAL",
    help="With --watch, send this signal instead of starting again, for example HUP.",
)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@failing_plainly
def command(
    files: tuple[Path, ...],
    argv: tuple[str, ...],
    signal_name: str | None,
    *,
    watch: bool,
    **options: Unpack[Options],
) -> None:
    """Run COMMAND with secrets in its environment.

    Each secret of the encrypted vars files (*.transit.yml) becomes a variable: openai_api_key becomes OPENAI_API_KEY,
    and of nested data providers.openai.api_key becomes PROVIDERS_OPENAI_API_KEY.
    They are decrypted with one request for each key. Then COMMAND replaces mlkeys: it has the same process ID, signals
    and terminal, and its exit status is that of this command. Nothing is written to a disk, and no other process holds
    the secrets. Core dumps are turned off.

    COMMAND does not get the token and the credentials of the environment, unless you add --keep-login. A token that
    a login created is revoked before COMMAND starts.

    A file in memory is readable by COMMAND and the processes that it starts. It is gone when they end.

    The token needs the capability update on decrypt of the keys.

    \b
    Examples:
      mlkeys run -- python app.py
      mlkeys run -f group_vars/gateways --only openai_api_key -- uvicorn main:app
      mlkeys run --env hf_token=HUGGING_FACE_HUB_TOKEN -- huggingface-cli whoami
      mlkeys run --file gcp=GOOGLE_APPLICATION_CREDENTIALS -- python train.py
      mlkeys run --watch -- litellm --config config.yaml
    """
    if signal_name and not watch:
        raise click.UsageError("--signal needs --watch.")
    close_to_others()
    take_over()
    paths = chosen_files(files)
    if watch:
        hidden = _hide_login()
        own = _without_watch(files, argv, options)
        sys.exit(_watch(paths, own, hidden, _SIGNALS[signal_name] if signal_name else None))
    core_dumps.turn_off(for_good=True)
    _become(argv, _environment(paths, options))


def _environment(paths: Sequence[Path], options: Options) -> dict[str, str]:
    """The environment of the program, with the secrets."""
    as_files = pairs(options["file"], "--file")
    given = pairs(options["env"], "--env")
    with collection.connected_to_read() as client:
        secrets = only(stored_secrets(lambda: client, paths), options["names"])
        check_known([*given, *as_files], [secret.name for secret in secrets])
        named = variables([one.name for one in secrets if one.name not in as_files], options["env_name"], given)
        environment = _inherited(options)
        check_unused(named, given, environment, keep_login=options["keep_login"])
        values = plaintexts(client, secrets)
    _warn_about_sealed(values)
    made = memory_files({name: values[name] for name in as_files}) if as_files else {}
    for name, place in as_files.items():
        if "/" in place:
            link(Path(place), made[name])
        else:
            environment[place] = str(made[name])
    return {**environment, **{named[name]: os.fsdecode(text_of(name, values[name])) for name in named}}


def _warn_about_sealed(values: Mapping[str, bytes]) -> None:
    from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import ciphertext_version

    sealed = [name for name, value in values.items() if ciphertext_version(os.fsdecode(value).strip()) is not None]
    if sealed:
        click.echo(
            f"Warning: {', '.join(sealed)}: what it decrypts to is a ciphertext, so it was encrypted twice. Set the "
            "plaintext anew with 'mlkeys set'.",
            err=True,
        )


def _inherited(options: Options) -> dict[str, str]:
    login, addresses = login_variables()
    return inherited(os.environ, login, addresses, all_of_it=options["inherit"], keep_login=options["keep_login"])


def login_variables() -> tuple[set[str], set[str]]:
    """The environment variables of a login, and those of addresses, as the options read them."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import JOB_REQUEST
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

    login = [option for option in OPTIONS if option.secret or option.name in LOGIN_FACTS]
    addresses = [option for option in OPTIONS if option.name in ADDRESSES]
    return {*_variables_of(login), *JOB_REQUEST}, _variables_of(addresses)


def _variables_of(options: Iterable[Option]) -> set[str]:
    # A program may have an account of its cloud, which is not only for the login.
    return {name for one in options for name in (one.environment if one.of_machine else one.all_environment)}


# Bytes, with the name and what ends it. Linux: MAX_ARG_STRLEN.
_LONGEST_VARIABLE = 128 * 1024


def _become(argv: Sequence[str], environment: dict[str, str]) -> None:
    """Replace this process by the program. Returns never."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606  that is what the command is for
    except FileNotFoundError:
        status, problem = 127, "command not found"
    except OSError as error:
        status, problem = 126, error.strerror or "it cannot be run"
        if error.errno == errno.E2BIG:
            problem = _too_long(environment) or problem
    click.echo(f"Error: {argv[0]}: {problem}.", err=True)
    sys.exit(status)


def _too_long(environment: Mapping[str, str]) -> str:
    """What to do about variables that no program can get, empty if there are none."""
    names = [name for name, value in environment.items() if len(os.fsencode(f"{name}={value}")) >= _LONGEST_VARIABLE]
    if not names:
        return ""
    return f"{', '.join(names)}: an environment variable holds less than 128 KiB; give the secret as a file (--file)"


# Watching: this process never holds a secret, since the one that it starts decrypts them. It does hold the login.


def _hide_login() -> list[str]:
    """Take the login from where the program that is started could read it, though it runs as the same user.

    Returns the names of its variables, which this process keeps.
    """
    collection.load_reading()
    login, addresses = login_variables()
    hidden = [name for name in os.environ if name in login | addresses or is_credential(name)]
    blank(hidden)
    return hidden


def _without_watch(files: Sequence[Path], argv: Sequence[str], options: Options) -> list[str]:
    """The command line that runs the program once."""
    own = [sys.executable, "-m", "mlkeys", "run"]
    for path in files:
        own += ["-f", str(path)]
    for name in options["names"]:
        own += ["--only", name]
    own += ["--env-name", options["env_name"]]
    for option in ("env", "file"):
        for pair in options[option]:
            own += [f"--{option}", pair]
    own += [] if options["inherit"] else ["--no-inherit"]
    own += ["--keep-login"] if options["keep_login"] else []
    return [*own, "--", *argv]


def _watch(paths: Sequence[Path], own: Sequence[str], hidden: Sequence[str], number: int | None) -> int:
    """Run the program until it ends by itself; its exit status.

    Args:
        hidden: the variables of the login, which nobody may see beside the program either.
    """
    while True:
        before = _marks(paths)
        changed = False
        with ChildProcess() as child:
            login = HandOver(os.environ, hidden)
            with child.running(own, login.environment, pass_fds=[login.theirs.fileno()]) as process:
                login.give()
                while process.poll() is None and not changed:
                    time.sleep(_POLL)
                    now = _marks(paths)
                    if now != before and child.received is None:
                        before, changed = now, number is None
                        process.send_signal(signal.SIGTERM if number is None else number)
            if not changed or child.received is not None:
                return exit_status(process.returncode)
        click.echo("A file changed: starting again.", err=True)


def _marks(paths: Sequence[Path]) -> list[tuple[int, int, int] | None]:
    """Marks of the files, which differ when one changes. A file that is just being replaced has none."""
    marks: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            status = path.stat()
            marks.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            marks.append(None)
    return marks
