# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What programs pass to `secrets`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path

from mlkeys._model.attributes import unknown_problem
from mlkeys._stored.secrets import FILES_VARIABLE, names_of_files
from mlkeys.runtime._errors import WrongUse
from mlkeys.runtime._process import option_names


def places_of(files: Collection[object]) -> tuple[Path, ...]:
    """The files and folders that were named, those of the environment, or the current folder.

    Raises:
        WrongUse: one is neither a text nor a path, or is empty.
    """
    named = [_place(file) for file in files]
    return tuple(Path(name).absolute() for name in named or names_of_files(os.environ.get(FILES_VARIABLE, "")) or [""])


def _place(file: object) -> str:
    name = os.fspath(file) if isinstance(file, (str, os.PathLike)) else file
    if not isinstance(name, str):
        holds_several = isinstance(file, Collection) and not isinstance(file, bytes)
        advice = ": pass several with an asterisk, secrets(*files)" if holds_several else ""
        raise WrongUse(f"A file is a text or a path, and not a value of the type {type(file).__name__}{advice}.")
    if not name or "\0" in name:
        raise WrongUse(f"The path of a file {'contains the character NUL' if name else 'is empty'}.")
    return name


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
