# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The collection `mlkeys.transit`, for commands that do its work in their own process.

With `_ansible_vault`, the only file of the package that knows Ansible: it finds the collection as Ansible does, and
logs in as its lookups do, with the environment and the `ansible.cfg` of the current folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkeys._errors import MlkeysError

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, Settings

_HEALTH_SECONDS = 10


def load() -> None:
    """Make `ansible_collections.mlkeys.transit` importable.

    Raises:
        MlkeysError: Ansible or the collection is not installed here.
    """
    try:
        from ansible.plugins.loader import init_plugin_loader
        from ansible.utils.collection_loader._collection_config import AnsibleCollectionConfig
    except ImportError:
        missing = "ansible-core is not installed beside mlkeys: pip install 'mlkeys[ansible]'"
    else:
        if AnsibleCollectionConfig.collection_finder is None:
            init_plugin_loader()
        try:
            import ansible_collections.mlkeys.transit  # noqa: F401
        except ImportError:
            missing = (
                "the collection mlkeys.transit is not installed where Ansible looks for it: "
                "ansible-galaxy collection install mlkeys.transit"
            )
        else:
            return
    raise MlkeysError(f"This command works with Ansible, and {missing}")


def version() -> str:
    """The version of the collection that Ansible finds.

    Raises:
        MlkeysError: Ansible or the collection is not installed here.
    """
    load()
    import ansible_collections.mlkeys.transit as found
    import yaml

    folder = Path(next(iter(found.__path__)))
    # What was installed has the one, a checkout the other.
    for name, keys in (("MANIFEST.json", ("collection_info", "version")), ("galaxy.yml", ("version",))):
        if (folder / name).is_file():
            described = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
            for key in keys:
                described = described[key]
            return str(described)
    return "of an unknown version"


def settings(url: str | None = None, namespace: str | None = None) -> Settings:
    """Where the server is and who to be, as the environment and `ansible.cfg` say, if not given.

    Raises:
        MlkeysError: they do not say enough.
    """
    load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import controller_options

    given = {name: value for name, value in (("url", url), ("namespace", namespace)) if value is not None}
    with in_plain_words():
        return settings_from({**controller_options({}, None, {}), **given}, os.environ)


@contextmanager
def connected() -> Iterator[Client]:
    """A client that may speak, for the time of the block. A token that a login creates is revoked at its end.

    Raises:
        MlkeysError: with the words of the collection's error, also for one that is raised inside of the block.
    """
    chosen = settings()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session

    with in_plain_words(), session.connected(chosen, _warn) as client:
        yield client


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Make an error of the collection one of ours, for what is done in the block. The collection has to be loaded.

    Raises:
        MlkeysError: with the words of the collection's error.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError

    try:
        yield
    except TransitError as error:
        problem = error.message
    else:
        return
    raise MlkeysError(problem)


def health(connection: Connection) -> Mapping[str, Any]:
    """What a server says of itself, also a sealed one. Nobody needs to be anybody to hear it.

    Raises:
        TransitError: there is no answer, or none that such a server gives.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

    # It lies outside of all namespaces.
    asked = replace(connection, namespace="", timeout=min(connection.timeout, _HEALTH_SECONDS))
    return Client(asked, _warn).request("GET", "sys/health").data


def _warn(message: str) -> None:
    import click

    click.secho(f"Warning: {message}", fg="yellow", err=True)
