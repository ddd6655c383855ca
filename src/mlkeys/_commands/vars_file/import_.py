# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys import`."""

from __future__ import annotations

import shlex
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.vars_file import import_more
from mlkeys._commands.vars_file.import_run import (
    ABOUT_SEALED,
    importing,
    run_import,
    run_import_of_text,
    text_of,
)
from mlkeys._errors import MlkeysError
from mlkeys._import.selection import Wishes, is_wanted
from mlkeys._import.values import Source


@click.group("import")
def command() -> None:
    """Import secrets into an encrypted vars file.

    Plaintext passes through memory and pipes only, never through a file. Other entries of the target are kept, with
    their comments and order. No value is dropped silently: if a value cannot become a variable, the command lists your
    choices before it writes anything.

    Variables are named after the values in the source, in lower case and with '_' for unsuitable characters.

    The token needs the capability update on encrypt, hmac and verify of the key. It need not be able to decrypt. If the
    target points to a KV document (store: kv), the entries are stored there, which needs read, create and update on it.

    Needs Ansible on this machine: pip install 'mlkeys[ansible]'.

    \b
    Examples:
      mlkeys import dotenv .env --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import ansible-vault group_vars/all/vault.yml --to group_vars/all/keys.transit.yml
      mlkeys import sops secrets.enc.yaml --to keys.transit.yml --key ml-api-key --flatten --dry-run
    """


_source = click.argument("source", type=PathType(dir_okay=False, exists=True))


@command.command("ansible-vault", short_help="Import a vars file of Ansible Vault.")
@_source
@importing
@click.option(
    "--vault-password-file",
    multiple=True,
    type=PathType(path_type=str),
    metavar="FILE",
    help="As for ansible-playbook; repeatable.",
)
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
        text = text_of(source)
        encrypted = vault.is_encrypted(text)
        if encrypted:
            text = vault.decrypt(text, str(source))
            _check_vars(text, source)

        def decrypt(inner: str, path: tuple[str, ...], line: int) -> str | None:
            place = f"{source}, line {line}"
            if is_wanted(path, line, wishes):
                return vault.decrypt(inner, place)
            if wishes.comments:
                # No comment may hold it. Where its password is unknown, so are the comments about it.
                with suppress(MlkeysError):
                    return vault.decrypt(inner, place)
            return None

        values = tuple(yaml_values(text, str(source), decrypt, encrypted=encrypted))
        how = f"ansible-vault edit {source}" if encrypted else "delete the !vault entries in an editor"
        return Source(str(source), values, TEMPLATE, ABOUT_SEALED.format(how=how))

    run_import(read, options)


def _check_vars(text: str, source: Path) -> None:
    """
    Raises:
        MlkeysError: what Ansible Vault encrypted is not a vars file.
    """
    from mlkeys._import.dotenv_source import is_dotenv

    if text.startswith("-----BEGIN "):
        what, how = "a key or a certificate (PEM)", "file - --to FILE --rename stdin=NAME"
    elif is_dotenv(text):
        what, how = "a .env file", "dotenv - --to FILE"
    else:
        return
    view = f"ansible-vault view {shlex.quote(str(source))}"
    raise MlkeysError(f"{source} is {what}, and no vars file. Import it as it is: {view} | mlkeys import {how}")


@command.command("sops", short_help="Import a SOPS file.")
@_source
@importing
@click.option(
    "--input-type",
    type=click.Choice(["yaml", "json", "dotenv", "ini", "binary"]),
    help="Format of SOURCE, if its name does not show it.",
)
@failing_plainly
def sops(source: Path, input_type: str | None, **options: Any) -> None:
    """Import from SOURCE, a file that is encrypted with SOPS (YAML, JSON, dotenv or INI).

    Requires `sops`, which finds its keys as usual (SOPS_AGE_KEY_FILE, GnuPG, a cloud KMS). Values that stand for
    something else, such as {{ a_template }}, op://vault/item or ${NAME}, are refused without --literal.

    \b
    Examples:
      mlkeys import sops secrets.enc.yaml --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import sops secrets.enc.ini --to keys.transit.yml --flatten --only openai
    """
    from mlkeys._import.dotenv_source import STANDS_FOR
    from mlkeys._import.sops_source import BINARY, form_of, has_comments, sops_values

    def read(wishes: Wishes) -> Source:
        values = tuple(sops_values(source, input_type, comments=wishes.comments))
        advice = ABOUT_SEALED.format(how=f"sops edit {source}")
        reference = None if (input_type or form_of(source.name)) == BINARY else STANDS_FOR
        return Source(str(source), values, reference, advice=advice, has_comments=has_comments(source))

    run_import(read, options)


@command.command("dotenv", short_help="Import a .env file.")
@click.argument("source", type=PathType(dir_okay=False, exists=True, allow_dash=True))
@importing
@failing_plainly
def dotenv(source: Path, **options: Any) -> None:
    """Import from SOURCE, a .env file, or - for standard input.

    Of a name that is assigned several times, the last value is imported.

    \b
    Examples:
      mlkeys import dotenv .env --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import dotenv .env --to keys.transit.yml --only OPENAI_API_KEY --prefix dev_
    """
    from mlkeys._import.dotenv_source import REFERENCE_ANYWHERE, dotenv_values

    run_import_of_text(source, partial(dotenv_values, in_shell=True), REFERENCE_ANYWHERE, options)


for _source_command in import_more.COMMANDS:
    command.add_command(_source_command)
