# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The environment of a program that gets secrets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mlkeys._errors import MlkeysError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Without these, hardly a program starts or is found.
_KEPT = ("PATH", "HOME", "USER", "LANG", "TERM", "TZ")
#: Variables of a login that are not secret, and useless or misleading without the others.
LOGIN_FACTS = ("ANSIBLE_HASHI_VAULT_ROLE_ID", "ANSIBLE_HASHI_VAULT_USERNAME")


def pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """The values of an option such as `--env NAME=VARIABLE`, by name.

    Raises:
        MlkeysError: one is not of this form, or a name is there twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not (separator and name and value):
            raise MlkeysError(f"{option} '{text}' must have the form NAME=VALUE.")
        if name in found:
            raise MlkeysError(f"{option} names '{name}' twice.")
        found[name] = value
    return found


def variables(names: Iterable[str], template: str, given: Mapping[str, str]) -> dict[str, str]:
    """The variable of each secret.

    Args:
        template: a text with `{name}`, or with `{NAME}` for capitals.
        given: variables by secret, which win.

    Raises:
        MlkeysError: a variable has no valid name, or two secrets have the same.
    """
    if "{name}" not in template and "{NAME}" not in template:
        raise MlkeysError(f"--env-name '{template}' must contain {{name}} or {{NAME}}.")
    found: dict[str, str] = {}
    for name in names:
        variable = given.get(name) or template.replace("{name}", name).replace("{NAME}", name.upper())
        if not _VARIABLE.fullmatch(variable):
            raise MlkeysError(f"'{variable}', for the secret '{name}', is not a name for a variable.")
        if variable in found.values():
            raise MlkeysError(f"Two secrets would be in {variable}. Set another one with --env {name}=VARIABLE.")
        found[name] = variable
    return found


def inherited(
    environment: Mapping[str, str], login: Iterable[str], *, all_of_it: bool, keep_login: bool
) -> dict[str, str]:
    """What a program gets of this process's environment.

    Args:
        login: the variables that hold credentials for the server. The program needs none.
    """
    hidden = set() if keep_login else {*login, *LOGIN_FACTS}
    return {
        name: value
        for name, value in environment.items()
        if name not in hidden and (all_of_it or name in _KEPT or name.startswith("LC_"))
    }


def text_of(name: str, value: bytes) -> bytes:
    """The value, which can be in a variable.

    Raises:
        MlkeysError: it holds a NUL byte.
    """
    if b"\0" in value:
        raise MlkeysError(f"'{name}' holds a NUL byte, which no variable can hold. Use --file {name}=VARIABLE.")
    return value
