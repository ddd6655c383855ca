# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The collection `mlkeys.transit`, for commands that use its code in their own process.

It is found as Ansible finds it, and logs in as its lookups do: with the environment and with the `ansible.cfg` of the
current folder. Apart from `_import/ansible_vault`, no other file of the package imports Ansible.

Commands that only decrypt use the part that the package carries, without Ansible, whose import takes half a second,
unless an `ansible.cfg` sets something for the login.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkeys._carried import carry
from mlkeys._errors import MlkeysError
from mlkeys._shared.vars_plugins import PLUGIN
from mlkeys._system.terminal import notice

if TYPE_CHECKING:
    from configparser import RawConfigParser

    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, Settings

_HEALTH_SECONDS = 10
_HERE = r"https?://(?:localhost|127\.[0-9.]+|\[::1\])(?:[:/]|$)"
_NO_SERVER = re.compile(rf"\burl is not set\b|\bCannot reach the server at {_HERE}\S* connection refused\b")

#: Says to the session callback of a playbook where to get tokens.
SESSION_VARIABLE = "MLKEYS_SESSION"
NOT_FOUND = (
    "This command needs the collection mlkeys.transit, but Ansible does not find it: "
    "ansible-galaxy collection install mlkeys-transit-*.tar.gz"
)
_shared: dict[str, str] = {}


def load() -> None:
    """Make `ansible_collections.mlkeys.transit` importable.

    Raises:
        MlkeysError: Ansible or the collection is not installed here.
    """
    try:
        with _no_log():
            from ansible.plugins.loader import init_plugin_loader
            from ansible.utils.collection_loader._collection_config import AnsibleCollectionConfig
    except ImportError:
        raise MlkeysError(
            "This command needs Ansible, but ansible-core is not installed beside mlkeys: pip install 'mlkeys[ansible]'"
        ) from None
    except Exception as problem:
        # Its own errors cannot be imported before it has read its configuration.
        if type(problem).__module__ != "ansible.errors":
            raise
        raise MlkeysError(f"Ansible cannot read its configuration: {problem}. Check ANSIBLE_CONFIG.") from None
    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader()
    try:
        import ansible_collections.mlkeys.transit  # noqa: F401
    except ImportError:
        raise MlkeysError(NOT_FOUND) from None


def vars_plugins() -> tuple[list[str], str]:
    """The vars plugins that Ansible's setting lists here, and the configuration that it reads; empty if it reads none.

    Raises:
        MlkeysError: Ansible or the collection is not installed here.
    """
    load()
    from ansible.config.manager import ConfigManager, find_ini_config_file

    # Not what was read when Ansible was imported.
    path = find_ini_config_file()
    return list(ConfigManager(path).get_config_value("VARIABLE_PLUGINS_ENABLED")), str(path or "")


def vars_plugin_problems() -> list[str]:
    """What is wrong with the vars plugin's own settings, as sentences. The collection must be loaded."""
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import own_problems

    return own_problems("vars", _name_of_vars_plugin())


def vars_plugin_off() -> tuple[str, str]:
    """What keeps the vars plugin from decrypting where it is enabled, and what to do; empty if nothing does.

    The collection must be loaded.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import is_true
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import own_value

    for key, stops in (("disabled", is_true), ("decrypt", "never".__eq__)):
        text, source = own_value("vars", _name_of_vars_plugin(), key)
        if source and stops(text):
            of_file = source.endswith(".cfg")
            remedy = f"Remove {key} from [vars_mlkeys_transit]." if of_file else f"Unset {source}."
            return f"{PLUGIN} decrypts nothing, because {key} ({source}) is {text}", remedy
    return "", ""


def configuration_at(path: str) -> tuple[RawConfigParser, dict[str, set[str]]]:
    """What a configuration of Ansible's says, and the keys of the collection's sections; the collection is loaded."""
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller import options

    return options.configuration_at(path), options.keys_in_configuration(("vars", _name_of_vars_plugin()))


def _name_of_vars_plugin() -> str:
    """The name under which Ansible keeps its documentation."""
    from ansible.plugins.loader import vars_loader

    return str(vars_loader.get(PLUGIN, class_only=True)._load_name)  # noqa: SLF001  Ansible keeps the name there


def matching_hosts(inventories: Iterable[Path], more: Iterable[str], pattern: str) -> list[str]:
    """The hosts that a pattern of Ansible names.

    Args:
        more: hosts that are in no inventory.

    Raises:
        MlkeysError: Ansible is not installed here, or cannot read the pattern.
    """
    load()
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    try:
        found = InventoryManager(loader=DataLoader(), sources=[str(one) for one in inventories])
        for name in more:
            found.add_host(name)
        return [str(host) for host in found.list_hosts(pattern)]
    except AnsibleError as problem:
        raise MlkeysError(f"{pattern}: {problem}") from None


@contextmanager
def _no_log() -> Iterator[None]:
    """Keep Ansible from opening a log when it is imported. Commands write none."""
    variable = "ANSIBLE_LOG_PATH"
    before = os.environ.get(variable)
    os.environ[variable] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def version() -> str:
    """The version of the collection that Ansible finds.

    Raises:
        MlkeysError: Ansible or the collection is not installed here.
    """
    load()
    import ansible_collections.mlkeys.transit as found
    import yaml

    folder = Path(next(iter(found.__path__)))
    # An installed collection has the first file, a checkout the second.
    for name, keys in (("MANIFEST.json", ("collection_info", "version")), ("galaxy.yml", ("version",))):
        if (folder / name).is_file():
            try:
                described = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
                for key in keys:
                    described = described[key]
            except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError):
                break
            return str(described)
    return "of an unknown version"


def settings(url: str | None = None, namespace: str | None = None) -> Settings:
    """The address and the login, from the arguments, the environment and `ansible.cfg`.

    Raises:
        MlkeysError: something is missing or invalid.
    """
    load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import read_options

    given = {name: value for name, value in (("url", url), ("namespace", namespace)) if value is not None}
    with in_plain_words():
        configured, refused = read_options({}, None, {})
        return settings_from({**configured, **given}, os.environ, refused, flags={})


def incomplete_settings(url: str | None = None, namespace: str | None = None) -> Settings:
    """The address, the files and the login, where something else is missing or invalid."""
    load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_without_limits
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import read_options

    given = {name: value for name, value in (("url", url), ("namespace", namespace)) if value is not None}
    return settings_without_limits({**read_options({}, None, {})[0], **given}, os.environ)


@contextmanager
def connected() -> Iterator[Client]:
    """A client with a token, for the time of the block. A token from a login is revoked at the end.

    Raises:
        MlkeysError: the login, or the code in the block, raised an error of the collection.
    """
    chosen = settings()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session

    with in_plain_words(), session.connected(chosen, warn) as client:
        yield client


def load_reading() -> None:
    """Make importable what reads and decrypts encrypted vars files.

    Raises:
        MlkeysError: an `ansible.cfg` has settings for it, and Ansible or the collection is not installed here.
    """
    if _may_configure():
        load()
    else:
        carry()


def login_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the connection and the login: the given ones, then those of the environment and of an `ansible.cfg`.

    Raises:
        MlkeysError: something is invalid, or Ansible is needed and missing.
    """
    load_reading()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import environment_options

    with in_plain_words():
        found = _configured() if _may_configure() else {}
        return {**environment_options({**found, **given}, os.environ), **found, **given}


def _configured() -> Mapping[str, Any]:
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import controller_options

    return controller_options({}, None, {})


def client_of(settings: Settings) -> Client:
    """A client that needs no other libraries, and has no token yet. The collection must be loaded."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

    return Client(settings.connection, warn, plain=True)


@contextmanager
def connected_to_read() -> Iterator[Client]:
    """The same as `connected`, for reading and decrypting encrypted vars files.

    Raises:
        MlkeysError: as for `connected`.
    """
    if _may_configure():
        with connected() as client:
            yield client
        return
    carry()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.auth import log_in
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import connected as logged_in
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from

    with in_plain_words():
        chosen = settings_from({}, os.environ, flags={})
        if chosen.auth.method not in ("token", "none"):
            with logged_in(chosen, warn) as client:
                yield client
            return
        # Then nothing has to be revoked, and hvac, whose import takes longer than all else, is not needed.
        client = Client(chosen.connection, warn, plain=True)
        log_in(client, chosen.auth, time.time())
        yield client


def check_configuration() -> None:
    """Refuse a configuration that Ansible cannot read.

    Raises:
        MlkeysError: it cannot.
    """
    first = next(_configurations(), None)
    if first is None:
        return
    import configparser

    path, content = first
    is_ini = Path(path).suffix in (".cfg", ".ini")
    try:
        configparser.ConfigParser(inline_comment_prefixes=(";",)).read_string(content.decode())
    except (configparser.Error, UnicodeDecodeError):
        is_ini = False
    if not is_ini:
        raise MlkeysError(
            f"Ansible cannot read its configuration {path}: it is not an INI file (.cfg or .ini). Correct it, or "
            "name another one in ANSIBLE_CONFIG."
        )


def passes_over(folder: Path) -> bool:
    """Whether Ansible ignores the configuration in a folder, because everybody may write there."""
    return bool(folder.stat().st_mode & stat.S_IWOTH)


def _configurations() -> Iterator[tuple[str, bytes]]:
    """The files that Ansible may read its configuration from, in its order, and their contents. It reads the first."""
    named = os.environ.get("ANSIBLE_CONFIG", "")
    for place in (named, f"{named}/ansible.cfg", "ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg"):
        try:
            if place != "ansible.cfg" or not passes_over(Path()):
                yield place, Path(place).expanduser().read_bytes()
        except (OSError, RuntimeError):
            continue


def _may_configure() -> bool:
    """Whether one of the files that Ansible may read its configuration from names an option of a login.

    Raises:
        MlkeysError: Ansible cannot read the one that it reads.
    """
    check_configuration()
    return any(b"hashi_vault" in content for _path, content in _configurations())


def share() -> None:
    """Log in once for all playbooks that this process runs, when the first of them asks.

    Raises:
        MlkeysError: Ansible or the collection is not installed here.
    """
    load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions

    run_sessions().share()
    if invitation := run_sessions().invitation():
        _shared[SESSION_VARIABLE] = invitation


def shared_login() -> Mapping[str, str]:
    """The environment variables by which a playbook finds that login; none before `share`."""
    return dict(_shared)


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turn the collection's errors into ours. The collection must be loaded.

    Raises:
        MlkeysError: with the message of the collection's error.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError

    try:
        yield
    except TransitError as error:
        raise MlkeysError(with_way_to_a_server(error.message)) from None


def with_way_to_a_server(message: str) -> str:
    """An error of the collection, with what a user without a server can do, if that is the problem."""
    return f"{message} To start a development server: mlkeys dev -- sh" if _NO_SERVER.search(message) else message


def health(connection: Connection) -> Mapping[str, Any]:
    """The health of a server, even of a sealed one. Needs no login.

    Raises:
        TransitError: the server does not answer, or not as OpenBao and Vault do.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

    # The path is outside of all namespaces.
    asked = replace(connection, namespace="", timeout=min(connection.timeout, _HEALTH_SECONDS))
    return Client(asked, warn).request("GET", "sys/health").data


def warn(message: str) -> None:
    notice(f"Warning: {message}", "yellow")
