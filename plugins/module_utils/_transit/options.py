# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Options of modules, checked and in the server's units. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import State
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import Attribute
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.durations import parse_duration
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import mount_problem, name_problem


def checked_name(name: str) -> str:
    """The name of a key.

    Raises:
        InvalidOption: a key cannot have this name.
    """
    problem = name_problem(name)
    if problem:
        raise InvalidOption(f"{problem}.")
    return name


def checked_mount(path: str) -> str:
    """The path of an engine, without slashes around it.

    Raises:
        InvalidOption: no engine can be mounted there.
    """
    bare = path.strip("/")
    problem = mount_problem(bare)
    if problem:
        raise InvalidOption(f"{problem}.")
    return bare


def wanted_attributes(options: Mapping[str, Any], attributes: Sequence[Attribute]) -> State:
    """The attributes that the options set, durations in seconds.

    Raises:
        InvalidOption: with every duration that is not one.
    """
    wanted: State = {}
    problems = []
    for attribute in attributes:
        value = options.get(attribute.name)
        if value is None:
            continue
        try:
            wanted[attribute.name] = _seconds(value, attribute) if attribute.kind == "duration" else value
        except ValueError as error:
            problems.append(f"{attribute.name}: {error}")
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")
    return wanted


def _seconds(value: Any, attribute: Attribute) -> int:
    # The server's own word for "its default" in leases.
    if value == "system" and attribute in MOUNT_ATTRIBUTES:
        return 0
    return parse_duration(value)


def duration_option(name: str, value: Any) -> int | None:
    """An option that is a duration, in seconds.

    Raises:
        InvalidOption: it is not a duration.
    """
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InvalidOption(f"{name}: {error}.") from None
