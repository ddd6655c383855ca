# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys import`."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.vars_file.writes import Change, Target, show, target
from mlkeys._errors import MlkeysError
from mlkeys._import.selection import Selection, Wishes, is_wanted, select
from mlkeys._import.values import Source, refuse
from mlkeys._system import collection
from mlkeys._system.decoding import decoded

_REFUSED = "refused"
Read = Callable[[Wishes], Source]

_ABOUT_SEALED = "When everything works with the new file, remove the values from the old one ({how})."
_ABOUT_PLAIN_TEXT = (
    "It still contains them in plain text: delete them there. If they were ever in a commit, a backup or a message, "
    "replace them at their providers."
)


@click.group("import")
def command() -> None:
    """Import secrets into an encrypted vars file.

    Plaintext passes through memory and pipes only, never through a file. Other entries of the target are kept, with
    their comments and order. No value is dropped silently: if a value cannot become a variable, the command lists your
    choices before it writes anything.

    Variables are named after the values in the source, in lower case and with '_' for unsuitable characters.

    The token needs the capability update on encrypt, hmac and verify of the key. It need not be able to decrypt. If the
    target points to a KV document (store: kv), the entries are stored there, which needs read, create and update on it.

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
        help="The encrypted vars file (*.transit.yml, .yaml or .json). Created if needed.",
    ),
    click.option("--key", metavar="NAME", help="The key to encrypt with. Default: the key of FILE."),
    click.option("--backend", metavar="PATH", help="Path of the Transit engine. Default: that of FILE, or transit."),
    click.option("--only", multiple=True, metavar="NAME", help="Import only this value or mapping; repeatable."),
    click.option("--skip", multiple=True, metavar="NAME", help="Do not import this value or mapping; repeatable."),
    click.option(
        "--rename", multiple=True, metavar="OLD=NEW", help="Name the variable for the value OLD NEW; repeatable."
    ),
    click.option("--prefix", default="", metavar="TEXT", help="Prefix for variable names."),
    click.option("--flatten", is_flag=True, help="Import nested values, as parent_child and parent_0."),
    click.option("--as-text", is_flag=True, help="Import numbers, booleans and dates as text."),
    click.option("--skip-empty", is_flag=True, help="Skip values that are empty."),
    click.option("--literal", is_flag=True, help="Import references and templates as literal text."),
    click.option("--replace", is_flag=True, help="Overwrite entries of FILE that have another value."),
    click.option("--dry-run", is_flag=True, help="Show what would be imported, without writing anything."),
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
    """Import from SOURCE, a vars file that Ansible Vault encrypted as a whole or in single values (!vault).

    If the file is not encrypted as a whole, only its !vault values are imported; name others with --only. Passwords are
    read as Ansible reads them (ansible.cfg, ANSIBLE_VAULT_PASSWORD_FILE, ...), or prompted for.

    \b
    Examples:
      mlkeys import ansible-vault group_vars/all/vault.yml --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import ansible-vault vault.yml --to keys.transit.yml --vault-id prod@~/.vault-prod --only vault_openai_key
    """
    from mlkeys._import.ansible_vault import AnsibleVault
    from mlkeys._import.yaml_source import TEMPLATE, yaml_values

    vault = AnsibleVault(vault_id, vault_password_file, ask=ask_vault_pass)

    def read(wishes: Wishes) -> Source:
        text = _text(source)
        encrypted = vault.is_encrypted(text)
        if encrypted:
            text = vault.decrypt(text, str(source))

        def decrypt(inner: str, path: tuple[str, ...], line: int) -> str | None:
            return vault.decrypt(inner, f"{source}, line {line}") if is_wanted(path, wishes) else None

        values = tuple(yaml_values(text, str(source), decrypt, encrypted=encrypted))
        how = f"ansible-vault edit {source}" if encrypted else "delete the !vault entries in an editor"
        return Source(str(source), values, TEMPLATE, _ABOUT_SEALED.format(how=how))

    _import(read, options)


@command.command("sops")
@_source
@_importing
@click.option(
    "--input-type",
    type=click.Choice(["yaml", "json", "dotenv", "ini", "binary"]),
    help="Format of SOURCE, if its name does not show it.",
)
@failing_plainly
def sops(source: Path, input_type: str | None, **options: Any) -> None:
    """Import from SOURCE, a file that is encrypted with SOPS (YAML, JSON, dotenv or INI).

    Requires `sops`, which finds its keys as usual (SOPS_AGE_KEY_FILE, GnuPG, a cloud KMS).

    \b
    Examples:
      mlkeys import sops secrets.enc.yaml --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import sops secrets.enc.ini --to keys.transit.yml --flatten --only openai
    """
    from mlkeys._import.sops_source import sops_values

    def read(_wishes: Wishes) -> Source:
        values = tuple(sops_values(source, input_type))
        return Source(str(source), values, advice=_ABOUT_SEALED.format(how=f"sops edit {source}"))

    _import(read, options)


@command.command("dotenv")
@click.argument("source", type=click.Path(dir_okay=False, exists=True, allow_dash=True, path_type=Path))
@_importing
@failing_plainly
def dotenv(source: Path, **options: Any) -> None:
    """Import from SOURCE, a .env file, or - for standard input.

    Of a name that is assigned several times, the last value is imported.

    \b
    Examples:
      mlkeys import dotenv .env --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import dotenv .env --to keys.transit.yml --only OPENAI_API_KEY --prefix dev_
    """
    from mlkeys._import.dotenv_source import REFERENCE, dotenv_values

    def read(_wishes: Wishes) -> Source:
        return Source(str(source), tuple(dotenv_values(_text(source), str(source))), REFERENCE, _ABOUT_PLAIN_TEXT)

    _import(read, options)


def _text(source: Path) -> str:
    """The text of a file in any Unicode encoding, or of standard input for `-`."""
    try:
        data = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
        text = decoded(data, errors="strict")
    except OSError as error:
        raise MlkeysError(f"{source}: {error.strerror or 'it cannot be read'}.") from None
    except UnicodeDecodeError:
        raise MlkeysError(f"{source}: it is not UTF-8 text.") from None
    if text is None:
        raise MlkeysError(f"{source}: it is not text.")
    return text


def _import(read: Read, options: Mapping[str, Any]) -> None:
    """Read, decide, encrypt and report."""
    # A core dump would contain the plaintext.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    dry_run, may_replace = options["dry_run"], options["replace"]
    wishes = _wishes(options)
    aim = target(options["file"], options["key"], options["backend"])
    source = read(wishes)
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
    _report(source, selection, changes, f"{source.path} -> {aim.path}")
    if dry_run:
        click.echo("Nothing was written (--dry-run).", err=True)
    elif changes:
        click.echo(_farewell(source, selection, aim), err=True)


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
        skip_empty=options["skip_empty"],
        literal=options["literal"],
    )


def _decided(change: Change, may_replace: bool) -> Change:
    """A change, refused if it would overwrite another value without --replace."""
    if change.action != "updated" or may_replace:
        return change
    why = "has another value" if change.reason == "the value changed" else f"may have another value ({change.reason})"
    return replace(change, action=_REFUSED, reason=f"{change.name} exists and {why}: use --replace to overwrite it")


def _report(source: Source, selection: Selection, changes: Sequence[Change], title: str) -> None:
    rows = [(change, selection.chosen[change.name].name) for change in changes]
    rows += [(Change("", "skipped", reason, None), value.name) for value, reason in selection.left_out]
    if rows:
        show(rows, title)
    if not changes:
        click.echo(f"Nothing was imported from {source.path}.", err=True)


def _farewell(source: Source, selection: Selection, aim: Target) -> str:
    """What to do with the source now, which is left to the user."""
    left = len(selection.left_out)
    kept = f" {left} of its values {'was' if left == 1 else 'were'} skipped, and exist only there."
    texts = {name: value.text for name, value in selection.chosen.items()}
    ending = [name for name, text in texts.items() if text.find("\n") == len(text) - 1]
    lines = f" A newline ends {', '.join(ending)} and is a part of the value, as in the source." if ending else ""
    done = f"{aim.path} now holds {len(selection.chosen)} values from {source.path}, which is unchanged."
    return f"{done}{kept if left else ''}{lines} {source.advice}"
