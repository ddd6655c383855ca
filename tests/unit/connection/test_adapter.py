# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of TLS are checked before the first request, and read only where a request can use them.

Certificates are verified as the server's own client verifies them.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import urllib3
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import plain
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.limits import Watch
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import (
    check_files,
    session_adapter,
    with_authorities,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection


@pytest.mark.parametrize("url", ["http://a.test", "https://a.test"])
def test_a_missing_file_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="is not a readable file"):
        check_files(Connection(url, verify=str(tmp_path / "none.pem")))


def test_the_content_matters_where_a_server_uses_tls(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate", encoding="utf-8")
    check_files(Connection("http://a.test", verify=str(file)))
    check_files(Connection("https://a.test", verify=str(tmp_path)))
    for url in ("https://a.test", "HTTPS://a.test", "http://a.test,https://b.test"):
        with pytest.raises(InvalidOption, match="is not a readable file"):
            check_files(Connection(url, verify=str(file)))


@pytest.mark.parametrize(("verify", "mode"), [(True, ssl.CERT_REQUIRED), (False, ssl.CERT_NONE)])
def test_a_ca_without_key_usage_is_trusted_as_by_the_client_of_the_server(
    verify: bool, mode: ssl.VerifyMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = urllib3.util.ssl_.create_urllib3_context

    def as_in_python_3_13(**options: object) -> ssl.SSLContext:
        context = usual(**options)  # type: ignore[arg-type]
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(urllib3.util.ssl_, "create_urllib3_context", as_in_python_3_13)
    monkeypatch.setattr(urllib3.connection, "create_urllib3_context", as_in_python_3_13)
    used: list[ssl.SSLContext] = []

    def stop(*_arguments: object, ssl_context: ssl.SSLContext, **_options: object) -> None:
        used.append(ssl_context)
        raise OSError

    monkeypatch.setattr(urllib3.connection, "ssl_wrap_socket", stop)
    closed = SimpleNamespace(close=lambda: None)
    monkeypatch.setattr(urllib3.util.connection, "create_connection", lambda *_, **_o: closed)
    adapter = session_adapter(Connection("https://a.test", verify=verify), Watch())
    with pytest.raises(requests.exceptions.ConnectionError):
        adapter.session.get("https://a.test", verify=verify)
    assert [(context.verify_mode, context.verify_flags & ssl.VERIFY_X509_STRICT) for context in used] == [(mode, 0)]


def test_python_alone_verifies_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = plain._Tls

    def strict(protocol: int) -> ssl.SSLContext:
        context = usual(protocol)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(plain, "_Tls", strict)
    assert not plain._tls(Connection("https://a.test")).verify_flags & ssl.VERIFY_X509_STRICT


def test_only_what_is_there_counts_of_what_the_machine_names(tmp_path: Path) -> None:
    file, folder = tmp_path / "ca.pem", tmp_path / "certs"
    file.write_text("-----BEGIN CERTIFICATE-----\n", encoding="ascii")
    folder.mkdir()
    places = [("SSL_CERT_FILE", str(file)), ("SSL_CERT_DIR", "/nowhere"), ("SSL_CERT_DIR", str(folder))]
    found = with_authorities(Connection("https://a.test", ca_of_machine=tuple(places)))
    assert (found.verify, found.ca_beside) == (str(file), (str(folder),))
    assert found.ca_of_machine == (("SSL_CERT_DIR", "/nowhere"),)
    # As before, those of the system are not trusted beside them.
    assert with_authorities(Connection("https://a.test", ca_of_machine=tuple(places[:1]))).ca_beside == ()
    assert with_authorities(Connection("https://a.test", ca_of_machine=tuple(places[1:2]))).verify is True
    assert not with_authorities(Connection("http://a.test", ca_of_machine=tuple(places))).ca_of_machine


def test_python_alone_reaches_hosts_with_names_of_other_scripts() -> None:
    assert plain._base_of("https://me:pass@\u00e9cole.test:8200/\u00e9") == "https://xn--cole-9oa.test:8200/%C3%A9"
    assert plain._base_of("http://[::1]:8200") == "http://[::1]:8200"
