# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Log in with an OIDC provider: in a browser here, in one on another machine (device flow), or by the server itself."""

from __future__ import annotations

import os
import secrets
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from mlkeys._commands.login.callback import Callback, callback
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import printable

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

_SLOWER = 5


@dataclass(frozen=True)
class Flow:
    """How a person logs in.

    Attributes:
        mount: of the auth method, without its namespace.
        browser: whether to open one.
        seconds: to wait for the person.
        say: shows an address or a code.
    """

    mount: str
    namespace: str
    role: str
    port: int
    browser: bool
    seconds: float
    say: Callable[[str], None]


@dataclass(frozen=True)
class _Asked:
    """What the server says about a login that it has begun."""

    url: str
    state: str
    code: str
    interval: float
    nonce: str = field(repr=False)


def log_in(client: Client, flow: Flow) -> Mapping[str, Any]:
    """The server's answer to the login, with the token.

    Raises:
        TransitError: the server refused it.
        MlkeysError: the provider or the person did, or did not answer.
    """
    with callback(flow.port) as listening:
        asked = _begun(client, flow, listening)
        _show(flow, asked)
        if asked.interval:
            return _polled(client, flow, asked)
        answer = listening.wait(asked.state, flow.seconds)
        if "code" not in answer:
            said = printable(answer.get("error_description") or answer.get("error") or "it gave no reason")
            raise MlkeysError(f"The OIDC provider refused the login: {said}.")
        query = {"state": asked.state, "code": answer["code"], "client_nonce": asked.nonce}
        return client.get(f"auth/{flow.mount}/oidc/callback", query, login=True).auth


def _begun(client: Client, flow: Flow, listening: Callback) -> _Asked:
    """The login as the role wants it.

    Only the answer shows whether the provider sends the browser to this machine, to the server, or nowhere.
    """
    asked = _asked(client, flow, listening.url)
    if asked is None or (asked.interval and _redirect(asked.url)):
        namespace = f"{flow.namespace}/" if flow.namespace else ""
        asked = _asked(client, flow, f"{client.url}/v1/{namespace}auth/{flow.mount}/oidc/callback")
    if asked is None:
        raise MlkeysError(
            f"The role does not allow {listening.url}: add it to allowed_redirect_uris of the role, and at the OIDC "
            "provider, or choose another port with --port."
        )
    return asked


def _asked(client: Client, flow: Flow, redirect: str) -> _Asked | None:
    """What the server begins; None if the role does not allow the address."""
    nonce = secrets.token_hex(20)
    body = {"redirect_uri": redirect, "client_nonce": nonce, **({"role": flow.role} if flow.role else {})}
    reply = client.post(f"auth/{flow.mount}/oidc/auth_url", body, login=True)
    url = str(reply.data.get("auth_url") or "")
    if not url.startswith(("https://", "http://")):
        return None
    state = reply.data.get("state") or parse_qs(urlsplit(url).query).get("state", [""])[0]
    interval = _number(reply.data.get("poll_interval"))
    return _Asked(url, str(state), str(reply.data.get("user_code") or ""), interval, nonce)


def _redirect(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]


def _number(value: object) -> float:
    try:
        return float(str(value or 0))
    except ValueError:
        return 0.0


def _show(flow: Flow, asked: _Asked) -> None:
    code = f", and enter the code {printable(asked.code)}" if asked.code else ""
    flow.say(f"Log in at this address{code}:\n\n    {printable(asked.url)}\n")
    if flow.browser and has_browser(os.environ, sys.platform):
        with _silent():
            webbrowser.open(asked.url)


def has_browser(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser would open beside the terminal, not in it."""
    return platform == "darwin" or any(environment.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


@contextmanager
def _silent() -> Iterator[None]:
    """Send what a browser writes to the standard error. The standard output is for the token."""
    sys.stdout.flush()
    before = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)


def _polled(client: Client, flow: Flow, asked: _Asked) -> Mapping[str, Any]:
    """The answer once the person has logged in elsewhere."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError

    end, pause = time.monotonic() + flow.seconds, asked.interval
    body = {"state": asked.state, "client_nonce": asked.nonce}
    while time.monotonic() < end:
        time.sleep(pause)
        try:
            return client.post(f"auth/{flow.mount}/oidc/poll", body, login=True).auth
        except ServerError as refused:
            if refused.says("slow_down"):
                pause += _SLOWER
            elif not refused.says("authorization_pending"):
                raise
    raise MlkeysError(f"Nobody logged in within {flow.seconds:.0f} seconds.")
