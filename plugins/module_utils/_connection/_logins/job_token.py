# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ask GitHub Actions for the JWT of the job that this runs in. **Private** to the collection."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.limits import (
    TooLarge,
    content_within,
    done_within,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import is_unusual
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption

_SECONDS = 30.0


def job_token(auth: Auth) -> str:
    """The JWT of this job, for an audience.

    Raises:
        InvalidOption: GitHub gave none.
    """
    import http.client

    url, token = auth.jwt_request
    if is_unusual(token):
        raise InvalidOption("ACTIONS_ID_TOKEN_REQUEST_TOKEN has other characters than printable ASCII.")
    if urlsplit(url).scheme != "https":
        raise InvalidOption("ACTIONS_ID_TOKEN_REQUEST_URL must start with https://.")
    if auth.jwt_audience:
        url += f"{'&' if '?' in url else '?'}audience={quote(auth.jwt_audience, safe='')}"
    try:
        status, content = done_within(_SECONDS, lambda: _received(url, token))
    except (OSError, ValueError, TooLarge, http.client.HTTPException) as error:
        raise InvalidOption(f"GitHub Actions gave no JWT for this job: {_problem(error)}.") from None
    found = _value(content) if status == 200 else ""
    if not found:
        raise InvalidOption(
            f"GitHub Actions gave no JWT for this job (HTTP status {status}). Does the job have the permission "
            "'id-token: write'?"
        )
    return found


def _received(url: str, token: str) -> tuple[int, bytes]:
    """The response, of a server whose certificate is verified. Redirects are not followed: they would get the token."""
    import ssl
    import urllib.request

    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    opener.add_handler(urllib.request.UnknownHandler())
    headers = {"Authorization": f"bearer {token}", "Accept": "application/json; api-version=2.0"}
    # Its only handlers of schemes are that of HTTPS and that of unknown ones.
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    response: Any = opener.open(request, timeout=_SECONDS)
    with response:
        return response.status, content_within(response, _SECONDS)


def _value(content: bytes) -> str:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    value = answer.get("value") if isinstance(answer, dict) else None
    return value if isinstance(value, str) else ""


def _problem(error: Exception) -> str:
    import ssl

    # That of an error of urllib is the error below it.
    reason = getattr(error, "reason", error)
    if isinstance(error, ssl.SSLError) or isinstance(reason, ssl.SSLError):
        return "the certificate of ACTIONS_ID_TOKEN_REQUEST_URL could not be verified"
    if isinstance(reason, TimeoutError):
        return f"no response within {_SECONDS:.0f} seconds"
    return "ACTIONS_ID_TOKEN_REQUEST_URL did not respond"
