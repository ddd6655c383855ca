# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What programs pass to `secrets`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from hashlib import sha256

from mlkeys._model.attributes import unknown_problem
from mlkeys.runtime._errors import WrongUse
from mlkeys.runtime._process import option_names


def files_of_environment() -> list[str]:
    """The files that `MLKEYS_FILES` names. An empty part stands for nothing, and alone for the current folder."""
    named = os.environ.get("MLKEYS_FILES", "").split(os.pathsep)
    return [name for name in named if name] or [""]


def digest_of(connection: Mapping[str, object]) -> str:
    """What differs for other options, and shows no password."""
    return sha256(repr(sorted(connection.items())).encode()).hexdigest()


def check_options(given: Collection[str]) -> None:
    """
    Raises:
        WrongUse: one is unknown.
    """
    for name in given:
        if name not in option_names:
            raise WrongUse(unknown_problem(name, option_names, "option"))


def check_lifetime(lifetime: object) -> None:
    """
    Raises:
        WrongUse: it is neither a number of seconds nor ``None``.
    """
    if lifetime is None:
        return
    # "Not a number" is not as much as 0 either.
    if not isinstance(lifetime, (int, float)) or isinstance(lifetime, bool) or not lifetime >= 0:
        raise WrongUse("lifetime is a number of seconds, or None for no end.")


def names_in(only: object) -> tuple[str, ...]:
    """The names in a list, or the one name.

    Raises:
        WrongUse: it is neither.
    """
    names = (only,) if isinstance(only, str) else only
    if not isinstance(names, Collection) or not all(isinstance(name, str) for name in names):
        raise WrongUse("only is the name of a secret, or a list of names.")
    return tuple(names)
