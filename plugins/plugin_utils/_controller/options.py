# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the controller's configuration: variables, environment and ini, as the lookup documents them. **Private**."""

from __future__ import annotations

import configparser
import functools
import os
import re
from typing import Any, Iterable, Mapping

from ansible import constants
from ansible.config.manager import find_ini_config_file
from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Option, set_in
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.addresses import OF_AGENT
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import (
    OPTIONS,
    are_readable,
    environment_options,
    problem_with,
    read_environment,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import as_utf8, one_line
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean

# Its documentation names the sources of every option, for everything on the controller.
LOOKUP = "mlkeys.transit.vault_transit"


def templated_variables(load_name: str, variables: Mapping[str, Any], templar: Any) -> dict[str, Any]:
    """Those of the variables that configure the lookup, with their templates resolved.

    Args:
        load_name: the name under which Ansible keeps the lookup's documentation.
    """
    options = constants.config.get_configuration_definitions("lookup", load_name).values()
    names = {entry["name"] for option in options for entry in option.get("vars") or ()}
    return {name: templar.template(variables[name]) for name in names if name in variables}


def server_for_hosts(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """The ``url``, the ``namespace`` and the ``ca_cert_bytes`` of the controller's connection, for other machines.

    Args:
        options: those of a plugin, ``None`` for what nothing sets.

    Returns:
        No address where other machines cannot use that of the controller: a socket, or several addresses. The address
        of the controller's agent is never returned.

    Raises:
        InvalidOption: a variable has a value that it cannot have.
    """
    chosen = {name: value for name, value in options.items() if value not in (None, "")}
    others = {name: value for name, value in environment.items() if name not in OF_AGENT}
    found = {**environment_options(chosen, others), **chosen}
    url = found.get("url") or ""
    addresses = list(map(str, url)) if isinstance(url, list) else str(url).split(",")
    only = addresses[0].strip() if len(addresses) == 1 else ""
    return {
        "url": "" if only.startswith("unix:") else only,
        "namespace": str(found.get("namespace") or "").strip("/"),
        "ca_cert_bytes": "" if found.get("ca_cert") else str(found.get("ca_cert_bytes") or ""),
    }


# What Ansible itself gives to a lookup: before 2.19 to one of a loop, too.
_OF_ANSIBLE = ("allow_unsafe", "errors", "wantlist")


def refuse_unknown(load_name: str, given: Iterable[str]) -> None:
    """Refuse options that the lookup does not have, which Ansible passes on: one that is misspelt would do nothing.

    Args:
        load_name: the name under which Ansible keeps the lookup's documentation.

    Raises:
        AnsibleError: there are such options. It repeats no value.
    """
    known = {
        name
        for option, entry in constants.config.get_configuration_definitions("lookup", load_name).items()
        for name in (option, *_names(entry.get("aliases")))
        if not name.startswith("_")
    }
    unknown = [str(name) for name in given if name not in known and name not in _OF_ANSIBLE]
    if unknown:
        named = " and ".join(f"'{one_line(name)}'" for name in unknown)
        hint = did_you_mean(unknown[0].lower(), known)
        plural, own = "s" if len(unknown) > 1 else "", load_name.rpartition(".")[2]
        raise AnsibleError(f"{own}: the lookup does not have the option{plural} {named}.{hint}")


def _names(aliases: Any) -> Iterable[str]:
    """Aliases, which Ansible has as texts or as mappings with a name."""
    return [str(one["name"]) if isinstance(one, Mapping) else str(one) for one in aliases or ()]


def load_definitions() -> str:
    """Load the lookup, which is what reads its documentation, and return the name that Ansible keeps it under."""
    return str(lookup_loader.get(LOOKUP).load_name)


def controller_options(variables: Mapping[str, Any], templar: Any, environment: Mapping[str, str]) -> dict[str, Any]:
    """The options of connection and authentication that variables, environment and ini set.

    Args:
        environment: that of the task, which wins over the controller's own environment and ini.

    Raises:
        InvalidOption: some of them have values that they cannot have; all of them are named at once.
    """
    found, problems = read_options(variables, templar, environment)
    if problems:
        raise InvalidOption(" ".join(problems))
    return found


def read_options(
    variables: Mapping[str, Any], templar: Any, environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """The same, and a sentence about each value that an option cannot have."""
    load_name = load_definitions()
    chosen = templated_variables(load_name, variables, templar)
    problems = misspelt_flags(chosen, {**os.environ, **environment})
    found: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for option in OPTIONS:
        value, origin, problem = read_option(option, ("lookup", load_name), chosen)
        if problem:
            problems.append(problem)
        elif value is not None and origin != "default":
            (found if origin.startswith("var: ") else others)[option.name] = value
    of_environment, misread = read_environment(found, environment)
    return {**others, **of_environment, **found}, list(dict.fromkeys([*problems, *misread]))


def read_option(
    option: Option, plugin: tuple[str, str], variables: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> tuple[Any, str, str]:
    """The value of an option, its origin in Ansible's words, and a sentence if it cannot have this value.

    Args:
        plugin: its type, and the name under which Ansible keeps its documentation.
        given: options of a call.
    """
    kind, name = plugin
    try:
        value, origin = constants.config.get_config_value_and_origin(
            option.name, plugin_type=kind, plugin_name=name, variables=dict(variables), direct=given
        )
    except AnsibleError:
        return None, "", problem_of(option, variables, given)
    if value in (None, "") or option.kind == "bool":
        return value, str(origin), ""
    return value, str(origin), problem_with(option, value, _source(str(origin)))


def _source(origin: str) -> str:
    """What sets an option, as messages name it; empty for the option itself."""
    if origin.startswith(("var: ", "env: ")):
        return origin[len("var: ") :]
    return "ansible.cfg" if os.path.isabs(origin) else ""


def set_options(plugin: Any, load_name: str, variables: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Set the options of a lookup, as its own method does.

    Raises:
        AnsibleError: one of them has a value that it cannot have.
    """
    misspelt = _misspelt(load_name, given)
    if misspelt:
        raise AnsibleError(misspelt)
    problems = misspelt_flags(variables, os.environ)
    try:
        plugin.set_options(var_options=variables, direct=given)
    except AnsibleError:
        # Ansible's own message takes several sentences, and does not always say where the value is from.
        problems += _problems(load_name, variables, given)
        if not problems:
            raise
    else:
        if problems or not are_readable(plugin.get_option):
            problems += _problems(load_name, variables, given)
    if problems:
        raise AnsibleError(" ".join(problems))


def _misspelt(load_name: str, given: Mapping[str, Any]) -> str:
    """Which option of a call has a word or a number that it cannot have; empty if none has.

    Ansible reads a flag that is neither true nor false as false, and its message about a wrong choice does not show the
    choices where a task fails.
    """
    of_connection = {option.name: option for option in OPTIONS}
    for name, entry in constants.config.get_configuration_definitions("lookup", load_name).items():
        choices = tuple(str(one) for one in entry.get("choices") or ())
        kind = str(entry.get("type") or "str")
        option = of_connection.get(name) or Option(
            name, kind, choices=choices, meaning=_NUMBER if kind == "int" else ""
        )
        for source in (name, *_names(entry.get("aliases"))):
            value = given.get(source)
            wrong_number = kind == "int" and not _WHOLE.fullmatch(str(value))
            if isinstance(value, (str, int)) and (wrong_number or not option.accepts(_word(value))):
                return option.problem(_word(value), source)
    return ""


_NUMBER = "a whole number"
_WHOLE = re.compile(r"\s*[+-]?\d+\s*")


def _word(value: Any) -> Any:
    """A number as the text that choices have."""
    return value if isinstance(value, bool) else str(value).strip()


def _problems(load_name: str, variables: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """A sentence about each option of the connection that has a value which it cannot have."""
    read = (read_option(option, ("lookup", load_name), variables, given) for option in OPTIONS)
    return [problem for _value, _origin, problem in read if problem]


def problem_of(option: Option, variables: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> str:
    """Which source of an option has which value, and what it can be. Only texts are secret, and any text is valid."""
    sources = {
        **{name: (given or {}).get(name) for name in (option.name, *option.aliases)},
        f"ansible_hashi_vault_{option.name}": variables.get(f"ansible_hashi_vault_{option.name}"),
        **{name: set_in(os.environ, name) for name in option.all_environment},
    }
    found = next(((name, value) for name, value in sources.items() if value), None)
    source, value = found or ("ansible.cfg", in_configuration(option.name))
    return option.problem(value, source)


def in_configuration(name: str) -> str:
    """What the configuration that Ansible reads says about an option, as it is written there."""
    return _written(constants.config.get_configuration_definitions("lookup", load_definitions())[name])


def _written(entry: Mapping[str, Any]) -> str:
    """The same for an option that its documentation describes."""
    parser = configuration_at(str(find_ini_config_file() or ""))
    if not parser.sections():
        return ""
    written = (parser.get(str(one["section"]), str(one["key"]), fallback="") for one in entry.get("ini") or ())
    return next(filter(None, written), "")


def own_problems(kind: str, load_name: str) -> list[str]:
    """A sentence about each of a plugin's own settings that has a word which it cannot have, with what sets it.

    Ansible reads such a flag as false, and calls a wrong choice in a vars plugin a bug.

    Args:
        load_name: the name under which Ansible keeps the plugin's documentation.
    """
    of_connection = {option.name for option in OPTIONS}
    found = []
    for name, entry in constants.config.get_configuration_definitions(kind, load_name).items():
        option = Option(name, str(entry.get("type") or "str"), choices=tuple(entry.get("choices") or ()))
        text, source = _own_value(entry)
        if name not in of_connection and source and not option.accepts(text):
            found.append(option.problem(text, source))
    return found


def keys_in_configuration(*plugins: tuple[str, str]) -> dict[str, set[str]]:
    """The keys of each section that the connection and plugins have in ``ansible.cfg``.

    Args:
        plugins: type of each, and the name under which Ansible keeps its documentation.
    """
    found: dict[str, set[str]] = {}
    for kind, name in (("lookup", load_definitions()), *plugins):
        for entry in constants.config.get_configuration_definitions(kind, name).values():
            for one in entry.get("ini") or ():
                found.setdefault(str(one["section"]), set()).add(str(one["key"]))
    return found


def own_value(kind: str, load_name: str, name: str) -> tuple[str, str]:
    """What is written for one of a plugin's own settings, and what sets it; both empty if nothing does."""
    return _own_value(constants.config.get_configuration_definitions(kind, load_name)[name])


def _own_value(entry: Mapping[str, Any]) -> tuple[str, str]:
    variable = next((str(one["name"]) for one in entry.get("env") or () if one["name"] in os.environ), "")
    text = os.environ[variable] if variable else _written(entry)
    return text, variable or ("ansible.cfg" if text else "")


# Ansible, too, reads it once.
@functools.lru_cache(maxsize=1)
def configuration_at(path: str) -> configparser.RawConfigParser:
    """What a configuration of Ansible's says; nothing if it cannot be read, which Ansible says itself."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return configparser.RawConfigParser()
    return parser


def misspelt_flags(variables: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """A sentence about each flag that is neither true nor false, which Ansible reads as false, with what sets it."""
    sources = ((option, _source_of_flag(option, variables, environment)) for option in OPTIONS if option.kind == "bool")
    return [option.problem(value, name) for option, (name, value) in sources if not option.accepts(value, name)]


def _source_of_flag(option: Option, variables: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[str, Any]:
    """The variable, or the configuration, that sets a flag, and what is written there."""
    name = f"ansible_hashi_vault_{option.name}"
    if variables.get(name) is not None:
        return name, variables[name]
    variable = option.variable_in(environment)
    if variable:
        return variable, environment[variable]
    return "ansible.cfg", in_configuration(option.name) or None


def system_reason(error: BaseException) -> str:
    """What the system said where Ansible could not read a file, otherwise what Ansible said, without lines of files."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.filename:
            # Older releases open files by their names in bytes.
            return f"{as_utf8(os.fsdecode(cause.filename))}: {cause.strerror}"
        cause = cause.__cause__ or cause.__context__
    # Older releases quote the lines of the file below, and those may hold plaintext.
    return str(error).partition("\n")[0].rstrip(".")
