# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys import`."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.vars_file.writes import Change, Target, show, target
from mlkeys._errors import MlkeysError
from mlkeys._import.selection import Selection, Wishes, select
from mlkeys._import.values import Source, refuse
from mlkeys._system import collection, replacing

_REFUSED = "refused"
Read = Callable[[], Source]

_ABOUT_PLAIN_TEXT = (
    "They still stand there in plain text: delete them, and if they ever were in a commit, a backup or a message, "
    "replace them at their providers."
)


@click.group("import")
def command() -> None:
    """Bring secrets from elsewhere into an encrypted vars file.

    Plaintext goes through memory and pipes only, never into a file. Entries of the target that are not imported stay
    as they are, with their comments and order. A value that cannot become a variable is never dropped silently: each
    is named, with what there is to choose, before anything is written.

    NAME in the source becomes the variable name: in lower case, with '_' for what a variable's name cannot hold.

    The token needs the capability update on encrypt, hmac and verify of the key; no right to decrypt. When the target
    points to a document of a KV engine (store: kv), entries get there, which needs read, create and update on it.

    \b
    Examples:
      mlkeys import dotenv .env --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import ansible-vault group_vars/all/vault.yml --to group_vars/all/keys.transit.yml
      mlkeys import sops secrets.enc.yaml --to keys.transit.yml --key ml-api-key --flatten --dry-run
    """


_OPTIONS = (
    click.option(
        "--to",
        "file",
        required=True,
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The encrypted vars file (*.transit.yml, .yaml or .json); made when it is not there.",
    ),
    click.option("--key", metavar="NAME", help="The key to encrypt with; that of FILE when not given."),
    click.option("--backend", metavar="PATH", help="The engine's mount; that of FILE, else transit."),
    click.option("--only", multiple=True, metavar="NAME", help="Import only this value, or what is in it; repeatable."),
    click.option("--skip", multiple=True, metavar="NAME", help="Leave this value, or what is in it, out; repeatable."),
    click.option("--rename", multiple=True, metavar="OLD=NEW", help="Call the variable of value OLD NEW; repeatable."),
    click.option("--prefix", default="", metavar="TEXT", help="Put TEXT before the names of variables."),
    click.option("--flatten", is_flag=True, help="Take values in mappings and lists, as parent_child and parent_0."),
    click.option("--as-text", is_flag=True, help="Take numbers, truth values and dates as they are written."),
    click.option("--literal", is_flag=True, help="Take references and templates as they stand; none is looked up."),
    click.option("--replace", is_flag=True, help="Let entries of FILE get another value."),
    click.option("--dry-run", is_flag=True, help="Show what would happen, and write nothing."),
)


def _importing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every source."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_source = click.argument("source", type=click.Path(dir_okay=False, exists=True, path_type=Path))


@command.command("ansible-vault")
@_source
@_importing
@click.option("--vault-password-file", multiple=True, metavar="FILE", help="As for ansible-playbook; repeatable.")
@click.option("--vault-id", multiple=True, metavar="LABEL@FILE", help="As for ansible-playbook; repeatable.")
@click.option("--ask-vault-pass", is_flag=True, help="Ask for the vault password.")
@failing_plainly
def ansible_vault(
    source: Path,
    vault_password_file: tuple[str, ...],
    vault_id: tuple[str, ...],
    *,
    ask_vault_pass: bool,
    **options: Any,
) -> None:
    """Import from SOURCE, a vars file that is encrypted with Ansible Vault, as a whole or in single values (!vault).

    Of a file that is not encrypted as a whole only its !vault values are taken; --only takes others as well.
    Passwords are found where Ansible finds them (ansible.cfg, ANSIBLE_VAULT_PASSWORD_FILE, ...), or asked for.

    \b
    Examples:
      mlkeys import ansible-vault group_vars/all/vault.yml --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import ansible-vault vault.yml --to keys.transit.yml --vault-id prod@~/.vault-prod --only vault_openai_key
    """
    from mlkeys._import.ansible_vault import AnsibleVault
    from mlkeys._import.yaml_source import TEMPLATE, yaml_values

    vault = AnsibleVault(vault_id, vault_password_file, ask=ask_vault_pass)

    def read() -> Source:
        text = _text(source)
        encrypted = vault.is_encrypted(text)
        if encrypted:
            text = vault.decrypt(text, str(source))

        def decrypt(inner: str, line: int) -> str:
            return vault.decrypt(inner, f"{source}, line {line}")

        return Source(str(source), tuple(yaml_values(text, str(source), decrypt, encrypted=encrypted)), TEMPLATE)

    advice = f"When all works with the new file, take the values out of the old one (ansible-vault edit {source})."
    _import(read, advice, options)


@command.command("sops")
@_source
@_importing
@click.option(
    "--input-type",
    type=click.Choice(["yaml", "json", "dotenv", "ini", "binary"]),
    help="Format of SOURCE, where its name does not say.",
)
@failing_plainly
def sops(source: Path, input_type: str | None, **options: Any) -> None:
    """Import from SOURCE, a file that is encrypted with SOPS (YAML, JSON, dotenv or INI).

    `sops` has to be installed, and finds its keys as ever (SOPS_AGE_KEY_FILE, GnuPG, the cloud's KMS).

    \b
    Examples:
      mlkeys import sops secrets.enc.yaml --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import sops secrets.enc.ini --to keys.transit.yml --flatten --only openai
    """
    from mlkeys._import.sops_source import sops_values

    def read() -> Source:
        return Source(str(source), tuple(sops_values(source, input_type)))

    _import(
        read, f"When all works with the new file, take the values out of the old one (sops edit {source}).", options
    )


@command.command("dotenv")
@_source
@_importing
@failing_plainly
def dotenv(source: Path, **options: Any) -> None:
    """Import from SOURCE, a .env file.

    \b
    Examples:
      mlkeys import dotenv .env --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import dotenv .env --to keys.transit.yml --only OPENAI_API_KEY --prefix dev_
    """
    from mlkeys._import.dotenv_source import REFERENCE, dotenv_values

    def read() -> Source:
        return Source(str(source), tuple(dotenv_values(_text(source), str(source))), REFERENCE)

    _import(read, _ABOUT_PLAIN_TEXT, options)


def _text(source: Path) -> str:
    text = replacing.read(source)
    if text is None:
        raise MlkeysError(f"{source} does not exist.")
    return text


def _import(read: Read, advice: str, options: Mapping[str, Any]) -> None:
    """Read, decide, encrypt, tell; `advice` is what to do with the source then."""
    # A core dump would hold the plaintext.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    dry_run, may_replace = options["dry_run"], options["replace"]
    wishes = _wishes(options)
    aim = target(options["file"], options["key"], options["backend"])
    source = read()
    selection = select(source, wishes)
    changes: list[Change] = []
    if selection.chosen:
        with collection.connected() as client:
            aim.check_key(client)
            planned = aim.planned(client, selection.secrets, purge=False)
            changes = [_decided(one, may_replace) for one in planned.changes if one.name in selection.chosen]
            refuse(str(aim.path), [] if dry_run else [change.reason for change in changes if change.action == _REFUSED])
            if not dry_run and any(change.action != "kept" for change in changes):
                aim.write(client, planned)
    _tell(source, selection, changes, f"{source.path} -> {aim.path}")
    if dry_run:
        click.echo("Nothing was written: this was --dry-run.", err=True)
    elif changes:
        click.echo(_farewell(source, selection, aim, advice), err=True)


def _wishes(options: Mapping[str, Any]) -> Wishes:
    renamed = {}
    for pair in options["rename"]:
        old, separator, new = pair.rpartition("=")
        if not (old and separator and new):
            raise click.UsageError(f"--rename takes OLD=NEW, not '{pair}'.")
        renamed[old] = new
    return Wishes(
        only=options["only"],
        skip=options["skip"],
        renamed=renamed,
        prefix=options["prefix"],
        flatten=options["flatten"],
        as_text=options["as_text"],
        literal=options["literal"],
    )


def _decided(change: Change, may_replace: bool) -> Change:
    """What the user is told of a change: an entry that has another value is replaced on request only."""
    if change.action != "updated" or may_replace:
        return change
    why = (
        "it has another value"
        if change.reason == "the value changed"
        else f"it may have another value ({change.reason})"
    )
    return replace(change, action=_REFUSED, reason=f"{change.name} is there, and {why}: --replace takes the new one")


def _tell(source: Source, selection: Selection, changes: Sequence[Change], title: str) -> None:
    rows = [(change, selection.chosen[change.name].name) for change in changes]
    rows += [(Change("", "left out", reason, None), value.name) for value, reason in selection.left_out]
    if rows:
        show(rows, title)
    if not changes:
        click.echo(f"Nothing of {source.path} was imported.", err=True)


def _farewell(source: Source, selection: Selection, aim: Target, advice: str) -> str:
    """What to do with the source now. That is up to the user."""
    left = len(selection.left_out)
    kept = f" {left} of its values {'was' if left == 1 else 'were'} left out: only it has them."
    done = f"{aim.path} holds {len(selection.chosen)} of the values of {source.path}, which is as it was."
    return f"{done}{kept if left else ''} {advice}"
