# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys run`."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.secrets.environment import (
    ADDRESSES,
    LOGIN_FACTS,
    check_files,
    check_unused,
    inherited,
    pairs,
    same_values,
    text_of,
    variables,
)
from mlkeys._commands.secrets.names import complete_command, complete_one_of_several, complete_pair
from mlkeys._commands.secrets.programs import check_command, check_runnable, exit_as_shell, is_text, runnable
from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import unknown_problem
from mlkeys._stored.secrets import (
    FILES_VARIABLE,
    check_known,
    chosen_files,
    names_of_files,
    only,
    plaintexts,
    stored_secrets,
)
from mlkeys._system import collection, core_dumps
from mlkeys._system.memory_files import fill, link, memory_files
from mlkeys._system.own_memory import Parent, close_to_others, take_over
from mlkeys._system.terminal import notice

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Option

    from mlkeys._commands.secrets.watching import Options

_SIGNALS = {name.removeprefix("SIG"): number for name, number in signal.Signals.__members__.items()}
# Seconds.
_STOP_TIMEOUT = 10


def _number(_context: click.Context, _parameter: click.Parameter, name: str | None) -> int | None:
    """The number of a signal, from its name, such as HUP or SIGHUP."""
    if name is None:
        return None
    number = _SIGNALS.get(name.upper().removeprefix("SIG"))
    if number is None:
        raise click.BadParameter(unknown_problem(name, sorted(_SIGNALS), "signal"))
    return number


def _complete_signal(_context: click.Context, _parameter: click.Parameter, beginning: str) -> list[str]:
    return [name for name in sorted(_SIGNALS) if name.startswith(beginning.upper())]


class _Places(PathType):
    """Files and folders, of which the variable can name several."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return names_of_files(rv)


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option(
    "-f",
    "files",
    multiple=True,
    envvar=FILES_VARIABLE,
    type=_Places(readable=False),
    metavar="FILE|DIR",
    help="Encrypted vars file, or a folder of them; repeatable. Default: those of MLKEYS_FILES, or of this folder.",
)
@click.option(
    "--only",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_one_of_several,
    help="Only this secret, and those of --file; repeatable.",
)
@click.option(
    "--env-name",
    default="{NAME}",
    metavar="TEMPLATE",
    help="How to name variables, with {name}, or {NAME} for upper case. Default: {NAME}.",
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
    "--no-inherit",
    "inherit",
    is_flag=True,
    default=True,
    flag_value=False,
    help="Pass on no variables but PATH, HOME, USER, TERM, TZ and those of the locale. With --keep-login, those of "
    "the login and its connection, too.",
)
@click.option("--keep-login", is_flag=True, help="Pass the token or login of the environment to COMMAND.")
@click.option("--watch", is_flag=True, help="Start COMMAND again when a file changes.")
@click.option(
    "--signal",
    "number",
    callback=_number,
    shell_complete=_complete_signal,
    metavar="SIGNAL",
    help="With --watch, send this signal instead of starting again, for example HUP.",
)
@click.option(
    "--stop-timeout",
    type=click.IntRange(0),
    metavar="SECONDS",
    help="With --watch, how long COMMAND has to end before it is killed and started again. Default: 10.",
)
@click.argument(
    "argv",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
    metavar="-- COMMAND...",
    shell_complete=complete_command,
)
@failing_plainly
def command(
    files: tuple[Path, ...],
    argv: tuple[str, ...],
    number: int | None,
    stop_timeout: int | None,
    *,
    watch: bool,
    **options: Unpack[Options],
) -> None:
    """Run COMMAND with secrets in its environment.

    Each secret of the encrypted vars files (*.transit.yml) becomes a variable: openai_api_key becomes OPENAI_API_KEY,
    and in nested data, providers.openai.api_key becomes PROVIDERS_OPENAI_API_KEY. They are decrypted with one request
    for each key. Then COMMAND replaces mlkeys: it has the same process ID, signals and terminal, and its exit status
    becomes that of mlkeys. Nothing is written to disk, and no other process holds the secrets. Core dumps are turned
    off.

    COMMAND does not get the token and the credentials of the environment, unless you add --keep-login. A token that
    a login created is revoked before COMMAND starts.

    A file in memory is readable by COMMAND, and by the processes that it starts without closing open files, which
    Python's subprocess and sudo do. It is gone when they end. A link to it, at PATH, stays, and leads nowhere.

    With --watch, a changed file is decrypted first. While that fails, COMMAND keeps running.

    The token needs the capability update on decrypt of the keys.

    \b
    Examples:
      mlkeys run -- python app.py
      mlkeys run -f group_vars/gateways --only openai_api_key -- uvicorn main:app
      mlkeys run --env hf_token=HUGGING_FACE_HUB_TOKEN -- huggingface-cli whoami
      mlkeys run --file gcp=GOOGLE_APPLICATION_CREDENTIALS -- python train.py
      mlkeys run --watch -- litellm --config config.yaml
      mlkeys run --watch --signal HUP --file tls_key=/run/app/tls.key -- gateway
    """
    _check_watching(number, stop_timeout, watch=watch)
    check_command(argv)
    close_to_others()
    parent = take_over()
    if watch:
        sys.exit(_watch(files, argv, options, number, _STOP_TIMEOUT if stop_timeout is None else stop_timeout))
    if parent:
        from mlkeys._system.processes import hold_out

        hold_out()
    core_dumps.turn_off(for_good=True)
    _run(files, argv, options, parent)


def _check_watching(number: int | None, stop_timeout: int | None, *, watch: bool) -> None:
    """
    Raises:
        click.UsageError: an option has no meaning without another, or beside it.
    """
    for option, given in (("--signal", number), ("--stop-timeout", stop_timeout)):
        if given is not None and not watch:
            raise click.UsageError(f"{option} needs --watch.")
    if number is not None and stop_timeout is not None:
        raise click.UsageError("--stop-timeout cannot be used with --signal, which lets COMMAND go on.")


def _watch(files: Sequence[Path], argv: Sequence[str], options: Options, number: int | None, stop_timeout: int) -> int:
    # Commands that only run a program need not wait for its import.
    from mlkeys._commands.secrets.watching import Watched, watch_files

    return watch_files(Watched(files, argv, options, number, stop_timeout), login_variables)


def _run(files: Sequence[Path], argv: Sequence[str], options: Options, parent: Parent | None) -> None:
    """Decrypt, and become the program, when the process that watches lets it. Returns never."""
    orders = parent.orders if parent else {}
    shared: Mapping[str, int] = orders.get("files", {})
    environment: dict[str, str] = {}
    try:
        prepared = _prepared(chosen_files(files), options)
        if not orders.get("refresh"):
            environment = {**prepared.environment, **_file_variables(prepared, options, shared)}
        if orders.get("replaces"):
            check_runnable(argv[0], environment)
    except MlkeysError as problem:
        if parent is None:
            raise
        parent.refuse(str(problem))
        sys.exit(1)
    if parent and not parent.lets_go():
        sys.exit(0)
    if orders.get("refresh"):
        for name, descriptor in shared.items():
            fill(descriptor, prepared.files[name])
        sys.exit(0)
    _become(argv, environment)


@dataclass(frozen=True)
class Prepared:
    """What the program gets: variables, and the contents of files by the names of their secrets."""

    environment: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)


def _prepared(paths: Sequence[Path], options: Options) -> Prepared:
    """Decrypt, and decide what the program gets.

    Raises:
        MlkeysError: a secret does not decrypt, or cannot be given to a program as asked.
    """
    as_files = pairs(options["file"], "--file")
    given = pairs(options["env"], "--env")
    check_files(as_files, given)
    collection.load_reading()
    with ExitStack() as stack:
        connect = cache(lambda: stack.enter_context(collection.connected_to_read()))
        # A file that was named is expected to have its secret.
        wanted = [*options["names"], *as_files] if options["names"] else []
        secrets = only(stored_secrets(connect, paths), wanted)
        check_known([*given, *as_files], [secret.name for secret in secrets])
        others = [one.name for one in secrets if one.name not in as_files]
        named = variables(others, options["env_name"], given, as_files)
        environment = _inherited(options)
        check_unused(named, given, environment, keep_login=options["keep_login"])
        values = plaintexts(connect(), secrets)
    _warn_about_sealed(values)
    texts = {variable: os.fsdecode(text_of(name, values[name])) for name, variable in named.items()}
    return Prepared({**environment, **texts}, {name: values[name] for name in as_files})


def _file_variables(prepared: Prepared, options: Options, shared: Mapping[str, int]) -> dict[str, str]:
    """Make the files in memory, and the links to them. The variables that hold paths of files."""
    made = memory_files(prepared.files, shared) if prepared.files else {}
    found = {}
    for name, place in pairs(options["file"], "--file").items():
        if "/" in place:
            link(Path(place), made[name])
        else:
            found[place] = str(made[name])
    return found


def _warn_about_sealed(values: Mapping[str, bytes]) -> None:
    from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version

    sealed = [name for name, value in values.items() if ciphertext_version(os.fsdecode(value).strip()) is not None]
    if sealed:
        notice(
            f"Warning: {', '.join(sealed)}: what it decrypts to is a ciphertext, so it was encrypted twice. Set the "
            "plaintext again with 'mlkeys set'."
        )


def _inherited(options: Options) -> dict[str, str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

    login, addresses = login_variables()
    connection = login | _variables_of(OPTIONS)
    kinds = {"all_of_it": options["inherit"], "keep_login": options["keep_login"]}
    return inherited(os.environ, login, addresses, connection, **kinds)


def login_variables() -> tuple[set[str], set[str]]:
    """The environment variables of a login, under whatever names, and those of addresses, as the options read them."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import JOB_REQUEST
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS

    secret = _variables_of(option for option in OPTIONS if option.secret)
    facts = _variables_of(option for option in OPTIONS if option.name in LOGIN_FACTS)
    addresses = [option for option in OPTIONS if option.name in ADDRESSES]
    return {*secret, *same_values(os.environ, secret), *facts, *JOB_REQUEST}, _variables_of(addresses)


def _variables_of(options: Iterable[Option]) -> set[str]:
    # A program may have an account of its cloud, which is not only for the login.
    return {
        name
        for one in options
        for name in one.all_environment
        if name in one.environment or not one.of_machine or name.startswith(("BAO_", "VAULT_"))
    }


def _become(argv: Sequence[str], environment: dict[str, str]) -> None:
    """Replace this process by the program. Returns never."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these, and the program would inherit that: the first part of a pipe would not end with the last.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        _execute(argv, environment)
    except OSError as error:
        exit_as_shell(argv[0], environment, error)


def _execute(argv: Sequence[str], environment: dict[str, str]) -> None:
    """Replace this process, as the C library's execvp does: a script that names no interpreter is one of the shell.

    Raises:
        OSError: the program cannot be run.
    """
    try:
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606  that is what the command is for
    except OSError as error:
        script = next(filter(is_text, runnable(argv[0], environment)), None)
        if error.errno != errno.ENOEXEC or script is None:
            raise
        os.execve("/bin/sh", ["/bin/sh", str(script), *argv[1:]], environment)  # noqa: S606
