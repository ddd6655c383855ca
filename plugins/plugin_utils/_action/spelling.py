# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse options that a module does not have, or not so, before a result can show their values. **Private**.

Only options that a module knows to be secret are masked. The value of a misspelt one would be shown.
"""

from __future__ import annotations

import functools
import importlib
import re
from typing import Any, Iterator, Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.errors import UnsupportedError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import printable
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean

# Names of options in other modules, and what they are called in those of this collection.
_ELSEWHERE = {
    "approle": ("role", "name"),
    "dest": ("path",),
    "engine": ("backend",),
    "file": ("path",),
    "key": ("name",),
    "key_name": ("key", "name"),
    "mount": ("backend",),
    "name": ("role", "key"),
    "only": ("names",),
    "path": ("file",),
    "policies": ("token_policies", "policy"),
    "role": ("name",),
    "role_name": ("role", "name"),
    "src": ("path",),
    "text": ("content",),
    "values": ("secrets",),
    "vars": ("secrets",),
}


_WORD = re.compile("[a-z_]{1,24}")


@functools.lru_cache(maxsize=None)
def spec_of(module: str) -> Spec:
    """The options of ``mlkeys.transit.MODULE``, as it declares them."""
    code: Any = importlib.import_module(f"ansible_collections.mlkeys.transit.plugins.modules.{module}")
    spec: Spec = code.argument_spec()
    return spec


def spelling_problem(module: str, given: Mapping[str, Any]) -> str:
    """A sentence about options that the module does not have, empty if there are none. It repeats no value."""
    options = {name: value for name, value in given.items() if not name.startswith("_ansible_")}
    unknown = dict(_unknown(options, spec_of(module), ""))
    if not unknown:
        return ""
    named = " and ".join(f"'{printable(name)}'" for name in unknown)
    plural = "s" if len(unknown) > 1 else ""
    hint = next(iter(unknown.values()))
    return f"mlkeys.transit.{module} does not have the option{plural} {named}.{hint} Nothing was done."


def checked(spec: Spec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an action that does its work without its module.

    Raises:
        InvalidOption: a module would refuse them.
    """
    understood = ArgumentSpecValidator(spec).validate(dict(arguments))
    if understood.errors.errors:
        raise InvalidOption("; ".join(map(_problem, understood.errors.errors)))
    options: dict[str, Any] = understood.validated_parameters
    return options


def _problem(error: Exception) -> str:
    text = str(error).rstrip(".") + "."
    return f"Unsupported parameters: {text}" if isinstance(error, UnsupportedError) else text


def _unknown(given: Mapping[Any, Any], spec: Spec, outer: str) -> Iterator[tuple[str, str]]:
    """Options that are not in a spec, by their full names, with what may be meant."""
    known = _by_name(spec)
    for name, value in given.items():
        if name not in known:
            yield f"{outer}{name}", _hint(str(name).lower(), known)
            continue
        inner: Spec = known[name].get("options") or {}
        for one in _mappings(value) if inner else ():
            yield from _unknown(one, inner, f"{outer}{name}.")


def _hint(name: str, known: Mapping[str, Any]) -> str:
    """What may be meant: what other modules call it, the same within another option, or what looks like it."""
    other = next((own for own in _ELSEWHERE.get(name, ()) if own in known), "")
    for own, option in known.items():
        other = other or (f"{own}.{name}" if name in _by_name(option.get("options") or {}) else "")
    return f" Did you mean '{other}'?" if other else did_you_mean(name, known)


def _by_name(spec: Spec) -> dict[str, dict[str, Any]]:
    return {name: option for own, option in spec.items() for name in (own, *(option.get("aliases") or ()))}


def _mappings(value: Any) -> Iterator[Mapping[Any, Any]]:
    """The mappings of an option that has options of its own, in each way that Ansible allows to write them."""
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, Mapping):
            yield one
        elif isinstance(one, str):
            try:
                found = check_type_dict(one)
            except (TypeError, ValueError):
                continue  # The module refuses it.
            # Base64 ends with the sign between a name and a value, so what looks like a name may be a secret.
            yield {name if _WORD.fullmatch(str(name)) else "***": value for name, value in found.items()}
