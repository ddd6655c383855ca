# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keep a token where `bao` and `vault` keep theirs, and remove it from there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._system import replacing
from mlkeys._system.replacing import ChangedMeanwhile

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth


def keep(auth: Auth, url: str, token: str) -> str:
    """Where the token is now: the path of a file that only its owner reads, or of a token helper.

    Raises:
        TransitError: the token helper failed.
        MlkeysError: the file cannot be written.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.token_helper import (
        call_helper,
        helper_of,
        token_file,
    )

    if helper := helper_of(auth):
        call_helper(helper, "store", url, token)
        return helper
    path = Path(token_file(auth))
    try:
        replacing.replace(path, token, replacing.read(path), mode=0o600)
    except ChangedMeanwhile:
        raise MlkeysError(f"{path} was written by somebody else at the same time. Log in again.") from None
    return str(path)


def forget(auth: Auth, url: str) -> str:
    """Where the token was.

    Raises:
        TransitError: the token helper failed.
        MlkeysError: the file cannot be removed.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.token_helper import (
        call_helper,
        helper_of,
        token_file,
    )

    if helper := helper_of(auth):
        call_helper(helper, "erase", url)
        return helper
    path = token_file(auth)
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise MlkeysError(f"{path} cannot be removed: {error.strerror}.") from None
    return path


def winning(environment: Mapping[str, str]) -> str:
    """The variable whose token is used instead of the kept one, empty if there is none."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import LOGIN_OPTIONS

    (token,) = (option for option in LOGIN_OPTIONS if option.name == "token")
    return token.variable_in(environment)
