# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The HTTP API of a server on loopback, as far as starting it needs."""

from __future__ import annotations

import errno
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

# The server is on loopback: no proxy from the environment may see the request.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def request(
    address: str, method: str, path: str, body: object = None, token: str | None = None, timeout: float = 30.0
) -> tuple[int, dict[str, Any]]:
    """One API call: the status and the decoded body, also for error statuses.

    Raises:
        OSError: the server does not answer, or is neither OpenBao nor Vault.
    """
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["X-Vault-Token"] = token
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(f"{address}/v1/{path}", data=data, headers=headers, method=method)  # noqa: S310  ours
    try:
        with _open(call, timeout=timeout) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            status, text = refusal.code, refusal.read()
    except http.client.HTTPException:
        raise _foreign(address) from None
    try:
        content = json.loads(text or "{}")
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _foreign(address)
    return status, content


def _foreign(address: str) -> OSError:
    return OSError(errno.EPROTO, f"{address} does not answer as OpenBao or Vault do")
