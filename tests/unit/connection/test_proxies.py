# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a request goes through: the rules of Go's package httpproxy, which the server's own client follows."""

from __future__ import annotations

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.proxies import Proxies, proxies_from

PROXY = "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("address", "bypass", "is_used"),
    [
        ("https://bao.test:8200", "", True),
        ("http://localhost:8200", "", False),
        ("http://127.0.0.1:8200", "", False),
        ("https://127.9.9.9", "", False),
        ("https://[::1]:8200", "", False),
        ("https://localhost.test", "", True),
        ("https://10.1.2.3:8200", "10.1.2.3", False),
        ("https://10.1.2.3:8200", "10.0.0.0/8", False),
        ("https://11.1.2.3:8200", "10.0.0.0/8", True),
        ("https://bao.test:8200", "10.0.0.0/8, BAO.test", False),
        ("https://BAO.test:8200", "bao.test", False),
        ("https://a.bao.test:8200", "bao.test", False),
        ("https://abao.test:8200", "bao.test", True),
        ("https://bao.test:8200", ".test", False),
        ("https://bao.test:8200", ".bao.test", True),
        ("https://bao.test:8200", "*.test", False),
        ("https://bao.test:8200", "*", False),
        ("https://bao.test:8200", "bao.test:8200", False),
        ("https://bao.test:8200", "bao.test:443", True),
        ("https://bao.test", "bao.test:443", False),
        ("https://[fd00::1]:8200", "fd00::1", False),
        ("https://[fd00::1]:8200", "[fd00::1]:8200", False),
        ("https://[fd00::1]:8200", "fd00::/8", False),
        ("https://bao.test:8200", ",,", True),
        ("https://bao.test:8200", "no/network", True),
    ],
)
def test_what_is_reached_without_the_proxy_of_the_environment(address: str, bypass: str, is_used: bool) -> None:
    found = proxies_from({"http_proxy": PROXY, "HTTPS_PROXY": PROXY, "no_proxy": bypass})
    assert found.of(address) == (PROXY if is_used else "")


def test_a_proxy_that_was_set_is_used_for_everything() -> None:
    for address in ("http://localhost:1", "https://127.0.0.1", "https://bao.test"):
        assert Proxies((("all", PROXY),), bypass=("*",)).of(address) == PROXY


def test_the_scheme_decides_which_variable_counts() -> None:
    found = proxies_from({"HTTP_PROXY": "one:1", "http_proxy": "two:2", "https_proxy": "", "ALL_PROXY": "three:3"})
    assert found.of("http://bao.test") == "http://one:1"
    assert found.of("https://bao.test") == ""


def test_the_login_of_a_proxy_is_not_shown() -> None:
    assert "hunter2" not in repr(Proxies((("all", "http://u:hunter2@proxy.test"),)))
