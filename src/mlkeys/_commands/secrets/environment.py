# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The environment of a program that gets secrets. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from mlkeys._errors import MlkeysError
from mlkeys._shared.names import VARIABLE_NAME
from mlkeys._shared.shapes import steering_problem

_NO_WORD = re.compile(r"[^A-Za-z0-9_]+")
# Without these, hardly a program starts or is found.
_KEPT = ("PATH", "HOME", "USER", "LANG", "TERM", "TZ")
#: Options of a login, besides the secret ones: without those, they are useless or misleading.
LOGIN_FACTS = frozenset(
    {
        *("username", "role_id", "token_file", "kubernetes_token_path", "client_cert", "client_key"),
        "client_cert_bytes",
        *("cert_auth_public_key", "cert_auth_private_key", "aws_access_key", "aws_profile", "azure_client_id"),
    }
)
#: Options whose values are addresses, which may name a user and a password.
ADDRESSES = frozenset(("url", "proxies"))
# Shorter ones, such as the token `root`, may be what other variables happen to hold.
_LEAST_SECRET = 8
# What other programs for the same servers, and mlkeys itself, have credentials in.
_CREDENTIAL = re.compile(
    r"(?:ANSIBLE_HASHI_VAULT|VAULT|BAO|OPENBAO|MLKEYS)_(?:\w+_)?"
    r"(?:TOKEN|TOKEN_ID|TOKEN_FILE|PASSWORD|PASSPHRASE|SECRET|SECRET_ID|ROLE_ID|JWT|IDENTITY|SESSION|UNSEAL_KEYS?)"
)
# Variables that hold nothing but secrets: what the shell has in them, the secret of the file may replace.
_HOLDS_A_SECRET = re.compile(
    r"\w*_(?:KEY|KEY_ID|TOKEN|SECRET|PASSWORD|PASSPHRASE)|(?:TOKEN|SECRET|PASSWORD|PASSPHRASE)", re.IGNORECASE
)
# With these, a login goes to another server than the user's. The second ones, many programs read.
_OF_A_SERVER = re.compile(r"(?:ANSIBLE_HASHI_VAULT|VAULT|BAO|OPENBAO|MLKEYS)_\w+", re.IGNORECASE)
_WAY = re.compile(r"\w+_PROXY|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE", re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^\s,\"]*@|(?:^|(?<=,))[^\s,\"/]*@")


def pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """The values of an option such as `--env NAME=VARIABLE`, by name.

    Raises:
        MlkeysError: one is not of this form, or a name is there twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not (separator and name and value):
            form = "NAME=VARIABLE or NAME=PATH" if option == "--file" else "NAME=VARIABLE"
            raise MlkeysError(f"{option} '{text}' must have the form {form}.")
        if name in found:
            raise MlkeysError(f"{option} names '{name}' twice.")
        found[name] = value
    return found


def check_files(files: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Check that each file gets a place of its own.

    Args:
        files: the variable, or the path, of each secret that is given as a file.
        given: the variables of secrets that the user chose.

    Raises:
        MlkeysError: two files would have one place, a secret would have both, or a variable has no valid name.
    """
    found: dict[str, str] = {}
    for name, place in files.items():
        if name in given:
            raise MlkeysError(f"'{name}' has both --file and --env. Give one of them.")
        if "/" not in place and not VARIABLE_NAME.fullmatch(place):
            raise MlkeysError(
                f"'{place}', for the secret '{name}', is not a name for a variable. For a path, write ./{place}."
            )
        first = found.setdefault(os.path.normpath(place), name)
        if first != name:
            raise MlkeysError(
                f"Two secrets would be in {place}: {first} and {name}. Set another place with --file {name}=VARIABLE."
            )


def variables(
    names: Iterable[str], template: str, given: Mapping[str, str], files: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variable of each secret.

    Args:
        template: a text with `{name}`, or with `{NAME}` for upper case.
        given: variables by secret, which win.
        files: what other secrets are given as: a variable with the path of a file, or a path.

    Raises:
        MlkeysError: a variable has no valid name, or one that only the user may choose, or two secrets have the same.
    """
    if "{name}" not in template and "{NAME}" not in template:
        raise MlkeysError(f"--env-name '{template}' must contain {{name}} or {{NAME}}.")
    taken = {place: name for name, place in (files or {}).items()}
    found: dict[str, str] = {}
    for name in names:
        # The path of a secret in nested data.
        word = _NO_WORD.sub("_", name)
        variable = given.get(name) or template.replace("{name}", word).replace("{NAME}", word.upper())
        if not VARIABLE_NAME.fullmatch(variable):
            raise MlkeysError(f"'{variable}', for the secret '{name}', is not a name for a variable.")
        if name not in given and (problem := steering_problem(variable)):
            raise MlkeysError(
                f"{problem}. Leave out the secret '{name}' with --only, or set another variable with "
                f"--env {name}=VARIABLE."
            )
        first = taken.setdefault(variable, name)
        if first != name:
            raise MlkeysError(
                f"Two secrets would be in {variable}: {first} and {name}. Set another one with --env {name}=VARIABLE."
            )
        found[name] = variable
    return found


def check_unused(
    named: Mapping[str, str], given: Mapping[str, str], environment: Iterable[str], *, keep_login: bool
) -> None:
    """Check that no file decides what the variables of the user say.

    Args:
        named: the variable of each secret.
        given: those that the user chose, which may be any.
        environment: the variables that the program gets besides.
        keep_login: whether these include the login.

    Raises:
        MlkeysError: it would.
    """
    used = set(environment)
    for name, variable in named.items():
        if name in given:
            continue
        if keep_login and (_OF_A_SERVER.fullmatch(variable) or _WAY.fullmatch(variable)):
            problem = f"{variable} may decide where the login goes that --keep-login passes on"
        elif variable in used and not _HOLDS_A_SECRET.fullmatch(variable):
            problem = f"{variable} is set in your environment"
        else:
            continue
        raise MlkeysError(
            f"{problem}. Leave out the secret '{name}' with --only, or choose its variable with --env {name}=VARIABLE."
        )


def is_credential(name: str) -> bool:
    """Whether a variable, by its name, holds a credential for a server, though no option of ours reads it."""
    return _CREDENTIAL.fullmatch(name) is not None


def same_values(environment: Mapping[str, str], secret: Iterable[str]) -> set[str]:
    """The variables that hold what one of the secret ones holds, as where a CI system gave it another name at first."""
    values = {value for name in secret if len(value := environment.get(name, "")) >= _LEAST_SECRET}
    return {name for name, value in environment.items() if value in values}


def inherited(
    environment: Mapping[str, str],
    login: Iterable[str],
    addresses: Iterable[str],
    connection: Iterable[str],
    *,
    all_of_it: bool,
    keep_login: bool,
) -> dict[str, str]:
    """What a program gets of this process's environment.

    Args:
        login: the variables of a login to the server. The program needs none.
        addresses: the variables that hold addresses. The program does not get users and passwords in them.
        connection: all variables that a connection is made of, which a program that logs in needs.
    """
    needed = {*_KEPT, *connection} if keep_login else {*_KEPT}
    kept = {
        name: value
        for name, value in environment.items()
        if all_of_it or name in needed or name.startswith("LC_") or (keep_login and _WAY.fullmatch(name))
    }
    if keep_login:
        return kept
    hidden, stripped = set(login), set(addresses)
    return {
        name: _USER.sub("", value) if name in stripped else value
        for name, value in kept.items()
        if name not in hidden and not is_credential(name)
    }


def text_of(name: str, value: bytes) -> bytes:
    """The value, which can be in a variable.

    Raises:
        MlkeysError: it holds a NUL byte.
    """
    if b"\0" in value:
        raise MlkeysError(f"'{name}' holds a NUL byte, which no variable can hold. Use --file {name}=VARIABLE.")
    return value
