# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys rotate`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TextIO, Unpack

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.fleet.account import Wanted, account_in, finished
from mlkeys._commands.fleet.account_text import output, show_account, show_losses
from mlkeys._commands.fleet.rotation import (
    Options,
    Proof,
    Rotation,
    chosen,
    follows,
    proof_of,
    variable_of,
    variables_of,
)
from mlkeys._commands.fleet.targets import Fleet, alongside, check_servers, for_fleets, with_one_name_each
from mlkeys._commands.paths import PathType
from mlkeys._commands.playbook import Run
from mlkeys._commands.progress import terminal
from mlkeys._commands.project import json_option, verbose_option
from mlkeys._commands.stacks import run_each, show_done, show_report
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable
from mlkeys._system.collection import with_way_to_a_server
from mlkeys._system.terminal import ask_unseen


def _serial(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and re.fullmatch(r"[1-9][0-9]*%?", value) is None:
        raise click.BadParameter("give a number of hosts, or a percentage such as 25%.")
    return value


@click.command("rotate")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="ENGINE/NAME",
    help="Rotate this key; repeatable. Default: all keys of PROGRAM.",
)
@click.option(
    "--older-than",
    metavar="DAYS",
    type=click.IntRange(1),
    default=90,
    show_default=True,
    help="Rotate keys whose latest version is at least this old.",
)
@click.option("--now", is_flag=True, help="Rotate regardless of age.")
@click.option(
    "--replace",
    "replaced",
    multiple=True,
    metavar="SECRET",
    help="Replace a leaked secret everywhere, and rotate the keys that encrypt it now; repeatable. The new value is "
    "read from the environment (OPENAI_API_KEY for openai_api_key), or prompted for.",
)
@click.option(
    "--context",
    "contexts",
    multiple=True,
    metavar="NAME",
    help="Also try this secret name, the context of a derived key, to identify ciphertexts; repeatable.",
)
@click.option("--limit", metavar="PATTERN", help="Only these hosts. The floor is not raised until all hosts are done.")
@click.option(
    "--accept-unknown",
    multiple=True,
    metavar="PATH|GLOB",
    type=PathType(path_type=str),
    help="Accept the ciphertexts in these files that cannot be identified: they may be lost. Prefix a host to limit "
    "it, as in 'gateway-a:/srv/*.env'; repeatable.",
)
@click.option(
    "--accept-unread",
    multiple=True,
    metavar="PATH|GLOB",
    type=PathType(path_type=str),
    help="Accept that these files and folders are not read: their ciphertexts may be lost; repeatable.",
)
@click.option(
    "--also",
    multiple=True,
    metavar="PATH",
    type=PathType(exists=True, path_type=str),
    help="Another program (or a folder with app.py) or inventory that uses the same keys, for example of another "
    "repository: its ciphertexts are rewrapped, too, and hold the floor; repeatable.",
)
@click.option("--strict", is_flag=True, help="Do not raise the floor while compressed files have not been searched.")
@click.option(
    "--at-most",
    metavar="COUNT",
    type=click.IntRange(0),
    help="Rewrap at most this many ciphertexts on each host in this run.",
)
@click.option("--serial", metavar="HOSTS", callback=_serial, help="Hosts at a time, as a number or a percentage.")
@click.option(
    "--restart",
    is_flag=True,
    help="Restart all services of the role vault_transit_host, too. Stops at the first one that does not come up.",
)
@click.option(
    "--keep-floor",
    is_flag=True,
    help="Do not raise the floor (min_decryption_version): old versions can still decrypt.",
)
@click.option(
    "--trim",
    is_flag=True,
    help="Delete the key versions below the floor permanently, if the account is clean and nothing had to be accepted.",
)
@click.option(
    "--trim-anyway",
    is_flag=True,
    help="Trim although something was accepted, or cannot be identified. Lists what may be lost, and asks. First "
    "accept whatever keeps the floor from rising.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation of --trim-anyway.")
@click.option(
    "--recover",
    is_flag=True,
    help="Also rewrap ciphertexts below the floor, for example of an old branch: lowers the floor while it does.",
)
@click.option(
    "--backup-dir",
    metavar="DIR",
    type=PathType(file_okay=False, exists=True),
    help="Store an encrypted backup of each key in this folder, before and after its rotation. The key must allow "
    "backups. Requires the Python package pyrage (pip install mlkeys[backup]) or GnuPG.",
)
@click.option(
    "--backup-recipient",
    "backup_recipients",
    multiple=True,
    metavar="RECIPIENT",
    help="Who can decrypt the backups: an age or SSH public key, or the fingerprint of a GnuPG key; repeatable.",
)
@click.option(
    "--dry-run", is_flag=True, help="Predict what would be done and what would block, without changing anything."
)
@verbose_option
@json_option
@failing_plainly
@for_fleets
def command(
    fleets: list[Fleet], *, as_json: bool, verbose: bool, keys: Sequence[str], **options: Unpack[Options]
) -> None:
    """Rotate keys and rewrap their ciphertexts everywhere.

    Rotates each key that is old enough, rewraps its ciphertexts in the encrypted vars files and in the files of the
    hosts, looks at all of them again, and then raises the floor (min_decryption_version), below which the server
    decrypts nothing. If a run is interrupted, run the command again to finish it.

    At the end, it shows an account: what was read, which ciphertexts were found, which could not be identified, and
    which places and hosts could not be read. As long as one of these may hold a ciphertext of the key, the floor stays
    where it is, and the command exits with 1. Accept a ciphertext or a place by name to take responsibility for it.

    If several stacks of PROGRAM use a key, it is rotated once and rewrapped in all of them, also with --stack. The
    floor is raised when nothing is left behind in any of them. Other programs and inventories that use the key are not
    seen: name them with --also.

    The hosts are those of PROGRAM (app.py) or of an inventory (see the playbook mlkeys.transit.rotate for its
    variables). They need neither a token nor additional libraries.

    \b
    Examples:
      mlkeys rotate --dry-run                        predict the account
      mlkeys rotate                                  keys older than 90 days, for cron
      mlkeys rotate --key transit/ml-api-key --now
      mlkeys rotate --replace openai_api_key         after a leak
      mlkeys rotate -i inventory.yml --key transit/ml-api-key --serial 25%
      mlkeys rotate --accept-unread '/srv/archive/*'
      mlkeys rotate --also ../chatbot                another repository with the same key
      mlkeys rotate --recover                        after an old branch came back
      mlkeys rotate --backup-dir backups --backup-recipient age1...
    """
    _check(options)
    _named(options["replaced"])
    rotations = _chosen([*fleets, *alongside(options["also"], fleets)], keys, options["replaced"])
    environment = _new_values(options["replaced"])
    if options["trim_anyway"] and not options["dry_run"]:
        _confirm_losses(list(rotations.values()), options, environment)
    run, wanted = _runner(rotations, options, environment)
    # A failure of one key must not hold up the others.
    done = run_each([*rotations], run, kind="key", as_json=as_json, verbose=verbose, go_on=True)
    if as_json:
        show_report([*rotations], done, "key", lambda name, ran: {**_details(ran), "searched": rotations[name].places})
    else:
        _show(rotations, done, wanted)
    if failed := [name for name, ran in done.items() if ran.status]:
        raise MlkeysError(f"Not finished: {', '.join(failed)}. {what_helps(failed, done)}")


def _chosen(fleets: Sequence[Fleet], keys: Sequence[str], replaced: Sequence[str]) -> dict[str, Rotation]:
    """Return the rotations by their names.

    Raises:
        MlkeysError: there is none, or a stack goes to another server than its record names.
    """
    rotations = {str(one): one for one in chosen(with_one_name_each(fleets), keys, replaced)}
    if not rotations:
        raise MlkeysError("No key to rotate: the program encrypts nothing.")
    check_servers(fleets, {one.fleet.name for one in rotations.values()})
    return rotations


def what_helps(failed: Sequence[str], done: Mapping[str, Run]) -> str:
    """What to do about rotations that failed."""
    if not all(_is_unchanged(done[name]) for name in failed):
        return "Fix the errors and rerun; completed steps are kept."
    reasons = dict.fromkeys(with_way_to_a_server(problem) for name in failed if (problem := done[name].problem))
    return f"Nothing was changed. {' '.join(reasons) or 'Fix the error above and rerun.'}"


def _is_unchanged(ran: Run) -> bool:
    """Whether a run ended before it changed anything: the playbook sets the account before that."""
    return account_in(ran.stats) is None and (ran.reported or not ran.begun)


def _runner(
    rotations: Mapping[str, Rotation], options: Options, environment: Mapping[str, str]
) -> tuple[Callable[[str, TextIO | None], Run], Mapping[str, Wanted]]:
    """Return what runs a rotation by its name, and, of those that ran, what makes them finished."""
    wanted: dict[str, Wanted] = {}
    proofs: dict[tuple[object, ...], dict[str, Proof]] = {}

    def run(name: str, show: TextIO | None) -> Run:
        rotation = rotations[name]
        proved = proofs.setdefault(rotation.group, {})
        rotates = rotation.is_first or options["dry_run"]
        wanted[name] = replace(_wanted(options), follow=follows(rotation, proved), rotates=rotates)
        ran = _run(rotation, options, environment, show, brief=True, dry_run=options["dry_run"], proofs=proved)
        account = account_in(ran.stats)
        proved[rotation.fleet.name] = proof_of(account)
        # A run that ended well did what its account shows, and nothing else.
        if account is None or not finished(account, wanted[name]):
            ran.status = ran.status or 1
        return ran

    return run, wanted


def _check(options: Options) -> None:
    """Refuse options that contradict one another."""
    if bool(options["backup_dir"]) is not bool(options["backup_recipients"]):
        raise click.UsageError(
            "--backup-dir and --backup-recipient must be used together: backups are always encrypted."
        )
    if options["also"] and options["replaced"]:
        raise click.UsageError("--also and --replace exclude one another: replace a secret in each project by itself.")
    if options["keep_floor"] and (options["trim"] or options["trim_anyway"]):
        raise click.UsageError(
            "--keep-floor and --trim exclude one another: only versions below the floor are trimmed."
        )


def _wanted(options: Options) -> Wanted:
    """What makes a rotation with these options finished."""
    return Wanted(
        floor=not options["keep_floor"],
        trim=options["trim"] or options["trim_anyway"],
        limited=options["at_most"] is not None,
        dry_run=options["dry_run"],
        anyway=options["trim_anyway"],
    )


def _run(
    rotation: Rotation,
    options: Options,
    environment: Mapping[str, str],
    show: TextIO | None,
    *,
    brief: bool,
    dry_run: bool,
    proofs: Mapping[str, Proof] | None = None,
) -> Run:
    return rotation.fleet.run(
        "rotate",
        variables_of(rotation, options, proofs),
        ["--check", "--diff"] if dry_run else [],
        limit=options["limit"],
        show=show,
        brief=brief,
        extra=environment,
    )


def _details(run: Run) -> Mapping[str, object]:
    """What the report of a key has in JSON besides the counts."""
    account = account_in(run.stats)
    return {"account": account.document if account is not None else None}


def _show(rotations: Mapping[str, Rotation], done: Mapping[str, Run], wanted: Mapping[str, Wanted]) -> None:
    """Show what was changed, and the accounts."""
    show_done([*rotations], done, "key")
    console = output()
    for name, run in done.items():
        account = account_in(run.stats)
        if account is None:
            console.print(f"\n{_without_account(name, run)}", style="red")
        else:
            show_account(account, wanted[name], _words(), console)
    _show_places(rotations.values())


def _show_places(rotations: Iterable[Rotation]) -> None:
    """Show what was searched for each key. Nothing else is known to have no ciphertexts of it."""
    console = output()
    console.print()
    for rotation in rotations:
        if rotation.is_last:
            console.print(f"Searched for ciphertexts of {rotation.key}: {', '.join(rotation.places)}.")
    console.print("Other programs, inventories and repositories are not seen: name those that use a key with --also.")


def _without_account(name: str, run: Run) -> str:
    # A run that was stopped has no report.
    if _is_unchanged(run):
        return f"The run of {name} ended before anything was changed. Its output has the reason."
    return f"The run of {name} ended without an account, so it is unknown what was done."


def _words() -> list[str]:
    """The words of this command."""
    return ["mlkeys", *sys.argv[1:]]


def _confirm_losses(rotations: Sequence[Rotation], options: Options, environment: Mapping[str, str]) -> None:
    """Ask before versions are destroyed that something may still need.

    Raises:
        MlkeysError: it is not known what would be lost, or nobody agreed.
    """
    console = terminal()
    losing = False
    for rotation in rotations:
        console.print(f"Predicting what trimming {rotation} destroys …", style="dim")
        ran = _run(rotation, options, environment, None, brief=False, dry_run=True)
        account = account_in(ran.stats)
        if account is None:
            click.echo(printable(ran.output), err=True)
            raise MlkeysError(
                f"--trim-anyway: what {rotation} would lose could not be determined. Nothing was changed."
            )
        if account.blocking:
            show_account(account, replace(_wanted(options), dry_run=True), _words(), console)
            raise MlkeysError(f"--trim-anyway: the floor of {rotation} would stay where it is. Nothing was changed.")
        # Of a key with one version, nothing is destroyed.
        if not account.clean and account.target > 1:
            losing = True
            show_losses(account, console)
    if not losing or options["yes"]:
        return
    if not sys.stdin.isatty():
        raise MlkeysError(
            "--trim-anyway asks before it destroys anything, which needs a terminal. Nothing was changed. To agree "
            "without a terminal, also give --yes."
        )
    if not click.confirm("Destroy the old versions, and lose these ciphertexts?", default=False, err=True):
        raise MlkeysError("Nothing was changed.")


# A variable, or the path of a leaf below it.
_SECRET = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_%-]+)*")


def _named(secrets: Sequence[str]) -> None:
    for name in secrets:
        if not _SECRET.fullmatch(name):
            raise MlkeysError(f"--replace {name}: this is not the name of a secret.")


def _new_values(names: Sequence[str]) -> dict[str, str]:
    """The new values of leaked secrets, as environment variables."""
    values: dict[str, str] = {}
    for name in names:
        variable = variable_of(name)
        if not os.environ.get(variable):
            if not sys.stdin.isatty():
                raise MlkeysError(f"The new value of {name} is missing: set {variable}.")
            while not values.get(variable):
                values[variable] = ask_unseen(f"New value of {name}", f"set {variable}")
    return values
