# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Sources of `mlkeys import` that are not files of secrets by themselves: a KV engine, and files of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.vars_file.import_run import (
    ABOUT_PLAIN_TEXT,
    check_plain,
    exact_text_of,
    importing,
    run_import,
    run_import_of_text,
)
from mlkeys._errors import MlkeysError
from mlkeys._import.compose_source import REFERENCE as OF_COMPOSE
from mlkeys._import.compose_source import compose_values
from mlkeys._import.dotenv_source import STANDS_FOR
from mlkeys._import.kubernetes_source import REFERENCE as OF_KUBERNETES
from mlkeys._import.kubernetes_source import kubernetes_values
from mlkeys._import.kv_source import FIRST, check_path, kv_values, path_of
from mlkeys._import.litellm_source import PREFIX, litellm_configuration
from mlkeys._import.litellm_source import REFERENCE as OF_LITELLM
from mlkeys._import.selection import Wishes
from mlkeys._import.values import Source, Value
from mlkeys._system import collection, replacing

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

_file = click.argument("source", type=PathType(dir_okay=False, exists=True))
_file_or_input = click.argument("source", type=PathType(dir_okay=False, exists=True, allow_dash=True))


@click.command("kv", short_help="Import a secret in a KV engine.")
@click.argument("path", metavar="PATH")
@importing
@failing_plainly
def kv(path: str, **options: Any) -> None:
    """Import from PATH, a secret in a KV engine, as in the API: secret/data/ml for version 2, secret/ml for version 1.
    It may begin with /v1/, as in a request.

    The token also needs the capability read on PATH. Each field of the secret becomes a variable. The newest version is
    imported. Values that stand for something else, such as {{ a_template }} or op://vault/item, are refused without
    --literal.

    \b
    Examples:
      mlkeys import kv secret/data/ml --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys import kv secret/data/ml --to keys.transit.yml --only openai --rename openai=openai_api_key
    """

    def read(_wishes: Wishes) -> Source:
        where = path_of(path)
        data, version, command = _stored(where)
        return Source(
            path,
            tuple(kv_values(data, where, version)),
            STANDS_FOR,
            advice=f"{_WHEN_IT_WORKS}, delete the old secret: {removal(where, version, command)}",
            advice_on_rest=f"{_WHEN_IT_WORKS}, write the old secret again without the imported fields. {_NOT_DELETED}",
        )

    run_import(read, options)


_WHEN_IT_WORKS = "When everything works with the new file"
_NOT_DELETED = (
    "Do not delete it, since that deletes the skipped ones, too. In version 2 of the engine, its earlier versions "
    "still contain the imported fields: destroy them with bao kv destroy."
)


def removal(path: str, version: str, command: Callable[..., str]) -> str:
    """The command that deletes a secret of a KV engine, in version 2 with all of its versions.

    Args:
        command: makes a command of the server's own client for the same server.
    """
    mount, data, name = path.partition("/data/")
    if version == FIRST or not data:
        return command("delete", path)
    deletes_all = command("kv metadata delete", f"{mount}/{name}")
    if version:
        return deletes_all
    return f"{deletes_all} (version 2 of the engine), or {command('delete', path)} (version 1)"


def _stored(path: str) -> tuple[Mapping[str, Any], str, Callable[..., str]]:
    """What a KV engine has at a path, and the engine's version; empty if it is not known.

    The last is what makes a command for the same server.

    Raises:
        MlkeysError: nothing, or no secret, or it cannot be read.
    """
    collection.load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import NotFound

    with collection.connected() as client:
        try:
            data, version = client.get(path, answers=NotFound).data, _version(client, path)
        except NotFound:
            version = _version(client, path)
        else:
            check_path(path, data, version)
            return data, version, client.command
    if version == FIRST:
        raise MlkeysError(f"There is no secret at {path}.")
    raise MlkeysError(
        f"There is no secret at {path}, or its newest version is deleted. In version 2 of the engine, the path of "
        "secret/ml is secret/data/ml."
    )


def _version(client: Client, path: str) -> str:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.mounts import visible_mount

    mount = visible_mount(client, path)
    # An engine without options has the first version.
    return str((mount.get("options") or {}).get("version") or FIRST) if mount.get("type") in ("kv", "generic") else ""


@click.command("compose", short_help="Import the environment of services of Docker Compose.")
@_file_or_input
@importing
@failing_plainly
def compose(source: Path, **options: Any) -> None:
    """Import from SOURCE, a file of Docker Compose or - for standard input: the environment of each of its services.

    A variable that has different values in several services is named after the service, too: as gateway.OPENAI_API_KEY
    for --only, --skip and --rename, and as gateway_openai_api_key with --flatten. Values with ${NAME} are filled in by
    Compose, and refused without --literal. Import files of env_file: with 'mlkeys import dotenv'.

    \b
    Examples:
      mlkeys import compose compose.yaml --to keys.transit.yml --key ml-api-key --only OPENAI_API_KEY
      mlkeys import compose compose.yaml --to keys.transit.yml \\
        --only gateway.OPENAI_API_KEY --rename gateway.OPENAI_API_KEY=openai_api_key
    """
    run_import_of_text(
        source, compose_values, OF_COMPOSE, options, ", since Compose takes the value from its own environment"
    )


@click.command("kubernetes", short_help="Import Secrets of Kubernetes.")
@_file_or_input
@importing
@failing_plainly
def kubernetes(source: Path, **options: Any) -> None:
    """Import from SOURCE, a file with Secrets of Kubernetes in YAML or JSON, or - for standard input.

    Values of data are decoded; those of stringData come first. A key that has different values in several Secrets is
    named after the Secret, too (--flatten). Other objects in the file are named and skipped.

    \b
    Examples:
      mlkeys import kubernetes secret.yaml --to keys.transit.yml --key ml-api-key
      kubectl get secret ml -o yaml | mlkeys import kubernetes - --to keys.transit.yml
    """
    run_import_of_text(source, kubernetes_values, OF_KUBERNETES, options)


@click.command("file", short_help="Import a file as one secret.")
@_file_or_input
@importing
@failing_plainly
def file(source: Path, **options: Any) -> None:
    """Import SOURCE as a whole, as one secret: the JSON file of a service account, or a private key (PEM).

    The variable is named after the file, such as account_json, unless you --rename it.

    \b
    Examples:
      mlkeys import file account.json --to keys.transit.yml --key ml-api-key
      mlkeys import file tls.pem --to keys.transit.yml --rename tls.pem=gateway_private_key
    """

    def read(wishes: Wishes) -> Source:
        name = "stdin" if str(source) == "-" else source.name
        text = exact_text_of(source)
        check_plain(text, source, wishes)
        return Source(str(source), (Value((name,), text),), advice=ABOUT_PLAIN_TEXT)

    run_import(read, options)


@click.command("litellm", short_help="Import a configuration of LiteLLM.")
@_file
@importing
@failing_plainly
def litellm(source: Path, **options: Any) -> None:
    """Import from SOURCE, a configuration of LiteLLM, and replace the secrets in it by references.

    Values of names such as api_key, master_key, password and database_url are secrets, and so are headers such as
    Authorization, addresses of webhooks or with a password, what looks like an API key, and everything under
    environment_variables. They are named after their provider or model, as in mistral_api_key, and replaced by
    os.environ/MISTRAL_API_KEY. Everything else in SOURCE stays as it is. Start LiteLLM with these variables in its
    environment, as 'mlkeys run' does.

    \b
    Examples:
      mlkeys import litellm config.yaml --to keys.transit.yml --key ml-api-key
      mlkeys run -f keys.transit.yml -- litellm --config config.yaml
    """
    configuration = litellm_configuration(_kept(source), str(source))

    def read(_wishes: Wishes) -> Source:
        return Source(str(source), configuration.values, OF_LITELLM, _ABOUT_COMMITS)

    def refer(variables: Mapping[tuple[str, ...], str]) -> str:
        named = {path: name.upper() for path, name in variables.items()}
        replacing.replace(source, configuration.with_references(named), configuration.text)
        return f"which now refers to them as {PREFIX}NAME: {', '.join(sorted(set(named.values())))}. {_OTHERS}"

    run_import(read, options, refer)


_OTHERS = "All other values stay in it as they are: look for secrets with other names there."
_ABOUT_COMMITS = "If the old file was ever in a commit, a backup or a message, replace the secrets at their providers."


def _kept(source: Path) -> str:
    text = replacing.read(source)
    if text is None:
        raise MlkeysError(f"{source} does not exist.")
    return text


COMMANDS = (compose, file, kubernetes, kv, litellm)
