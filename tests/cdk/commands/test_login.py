# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What `mlkeys login` does on this machine while a person logs in elsewhere."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from mlkeys._commands.login.callback import callback
from mlkeys._commands.login.oidc import has_browser
from mlkeys._errors import MlkeysError


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, ""


def test_only_the_request_with_the_state_of_the_login_is_its_answer(port: int) -> None:
    with callback(port) as listening:
        assert listening.url == f"http://localhost:{port}/oidc/callback"
        here = f"http://127.0.0.1:{port}"
        assert ask(f"{here}/other?state=right&code=forged")[0] == 404
        assert ask(f"{here}/oidc/callback?state=wrong&code=forged")[0] == 200
        assert ask(f"{here}/oidc/callback?code=forged")[0] == 200
        status, page = ask(f"{here}/oidc/callback?state=right&code=real")
        assert status == 200
        assert "real" not in page
        assert listening.wait("right", 5) == {"state": "right", "code": "real"}
        with pytest.raises(MlkeysError, match="Nobody logged in within 0 seconds"):
            listening.wait("right", 0.01)


def test_a_port_that_is_in_use_is_named_when_it_is_needed() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with callback(port) as listening, pytest.raises(MlkeysError, match=r"Address already in use\. Choose another"):
            listening.wait("right", 5)


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        # One that fills the terminal would hide the address.
        ({}, "linux", False),
        ({}, "darwin", True),
    ],
)
def test_a_browser_opens_where_it_has_a_window(environment: dict[str, str], platform: str, expected: bool) -> None:
    assert has_browser(environment, platform) is expected
