# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Where ``bao`` and ``vault`` keep a token: in a file, or where their token helper does. **Private** to the collection.

The configuration of both clients may name a token helper: a program that is called with ``get``, ``store`` or
``erase``, gets a token on its standard input, and writes it to its standard output.
"""

from __future__ import annotations

import json
import os
import re

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.reading import opened_to_read

_MOST_BYTES = 65536
# A helper may ask its user to unlock something.
_SECONDS = 30

# The only setting that these files have, as HCL or JSON.
_HELPER = re.compile(r'"?\btoken_helper\b"?[ \t]*[=:][ \t]*("(?:[^"\\\n]|\\.)*")')
_TEXT_OR_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|(?:#|//)[^\n]*|/\*.*?\*/', re.DOTALL)


class NoToken(InvalidOption):
    pass


def stored_token(auth: Auth, url: str) -> str:
    """The token that is kept there.

    Args:
        url: of the server, for a helper that keeps several.

    Raises:
        NoToken: there is none.
        InvalidOption: it cannot be read.
    """
    helper = helper_of(auth)
    if not helper:
        return _from_file(token_file(auth), auth.client_token_source or "token_file")
    token = _called(helper, "get", url).strip()
    if not token:
        raise NoToken(f"No token: the token helper {helper} has none. Log in with mlkeys login, bao or vault.")
    return token


def helper_of(auth: Auth) -> str:
    """The path of the token helper, empty if there is none.

    Raises:
        InvalidOption: it is not a program, somebody else names it, or a configuration cannot be read.
    """
    for config in auth.client_configs:
        try:
            with opened_to_read(config) as file:
                owner, text = os.fstat(file.fileno()).st_uid, file.read(_MOST_BYTES).decode("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise InvalidOption(f"{config}: {error.strerror or 'it cannot be read'}.") from None
        helper = _helper_in(text, config)
        if not helper:
            return ""
        if owner not in (0, os.geteuid()):
            raise InvalidOption(
                f"token_helper in {config}: the file belongs to another user, and names a program to run."
            )
        if os.path.isabs(helper) and not os.path.exists(helper):
            raise InvalidOption(f"token_helper in {config}: {helper} does not exist.")
        if not os.path.isabs(helper) or not os.access(helper, os.X_OK) or os.path.isdir(helper):
            raise InvalidOption(f"token_helper in {config} must be the absolute path of a program.")
        return helper
    return ""


def token_file(auth: Auth) -> str:
    """The file for the token where there is no helper."""
    return auth.client_token_path or os.path.join(auth.token_path, auth.token_file)


def call_helper(helper: str, verb: str, url: str, token: str = "") -> None:
    """Let a helper ``store`` a token, or ``erase`` the one that it has.

    Raises:
        InvalidOption: it failed.
    """
    _called(helper, verb, url, token)


def _called(helper: str, verb: str, url: str, token: str = "") -> str:
    import subprocess

    environment = {**os.environ, "VAULT_ADDR": url, "BAO_ADDR": url}
    try:
        # What it writes to its standard error may hold the token, and is not shown.
        done = subprocess.run(
            [helper, verb], input=token.encode(), env=environment, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"it did not end within {_SECONDS} seconds"
        raise InvalidOption(f"The token helper {helper} {verb}: {reason}.") from None
    if done.returncode != 0:
        raise InvalidOption(f"The token helper {helper} {verb} failed with exit status {done.returncode}.")
    return done.stdout[:_MOST_BYTES].decode("utf-8", "replace")


def _from_file(path: str, source: str) -> str:
    if not os.path.exists(path):
        raise NoToken(
            "No token: set token, BAO_TOKEN or VAULT_TOKEN, log in with mlkeys login, bao or vault so that "
            f"{path} exists, or choose another auth_method."
        )
    if os.path.isdir(path):
        raise InvalidOption(f"{source} {path}: it is a folder. Set it to the file of the token. Check: mlkeys doctor.")
    return text_of(path, source)


def text_of(path: str, option: str) -> str:
    """The text of a file that an option names, without blanks around it.

    Raises:
        InvalidOption: there is none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except OSError as error:
        raise InvalidOption(f"{option} {path}: {error.strerror or 'it cannot be read'}.") from None
    except UnicodeDecodeError:
        raise InvalidOption(f"{option} {path}: it is not text.") from None
    if not text:
        raise InvalidOption(f"{option} {path}: it is empty.")
    return text


def _helper_in(text: str, config: str) -> str:
    """The path of the helper that a configuration names, empty if it names none.

    A mistake is an error, as for the server's own client: without the helper, another token would be used.

    Raises:
        InvalidOption: there is something else. It is not shown: files of this name may hold a password.
    """
    # Only lines count for messages.
    code = _TEXT_OR_COMMENT.sub(lambda found: found.group(1) or "\n" * found.group().count("\n"), text)
    helper = _HELPER.search(code)
    rest = _HELPER.sub("", code, count=1)
    other = re.search(r"[^\s{},]", rest)
    try:
        if other is None:
            return str(json.loads(helper.group(1))) if helper else ""
        line = rest.count("\n", 0, other.start()) + 1
    except ValueError:
        line = code.count("\n", 0, helper.start() if helper else 0) + 1
    raise InvalidOption(
        f'{config}, line {line}: this is not the configuration of bao or vault, which is token_helper = "/path". '
        "Correct the file, or name another one in BAO_CONFIG_PATH."
    )
