# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of TLS are checked before the first request, and read only where a request can use them.

Certificates are verified as the server's own client verifies them.
"""

from __future__ import annotations

import socket
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
    tls_problem,
    with_authorities,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, settings_from


@pytest.mark.parametrize("url", ["http://a.test", "https://a.test"])
def test_a_missing_file_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidOption, match=rf"^ca_cert {tmp_path}/none.pem does not exist on {socket.gethostname()}\.$"
    ):
        check_files(Connection(url, verify=str(tmp_path / "none.pem")))


# What names a file, and what the message says in its place. By themselves, options have no variable.
NAMED = {
    "variables": (
        {},
        ("ca_cert (BAO_CACERT)", "ca_path (VAULT_CAPATH)", "client_cert (BAO_CLIENT_CERT)", "client_key"),
    ),
    "an option before variables": (
        {"ca_cert": "{0}/x"},
        ("ca_cert", "", "client_cert (BAO_CLIENT_CERT)", "client_key"),
    ),
    "only a folder": (
        {"BAO_CACERT": ""},
        ("", "ca_path (VAULT_CAPATH)", "client_cert (BAO_CLIENT_CERT)", "client_key"),
    ),
    "those of the login": (
        {"auth_method": "cert", "cert_auth_public_key": "{0}/x", "cert_auth_private_key": "{0}/x", "role_id": "r"},
        ("ca_cert (BAO_CACERT)", "ca_path (VAULT_CAPATH)", "cert_auth_public_key", "cert_auth_private_key"),
    ),
    "the certificate of the connection that logs in": (
        {"auth_method": "cert"},
        ("ca_cert (BAO_CACERT)", "ca_path (VAULT_CAPATH)", "client_cert (BAO_CLIENT_CERT)", "client_key"),
    ),
}


@pytest.mark.parametrize(("given", "sources"), NAMED.values(), ids=list(NAMED))
def test_a_missing_file_is_named_with_what_gives_its_path_and_the_machine(
    given: dict[str, str], sources: tuple[str, ...], tmp_path: Path
) -> None:
    here = {name: value.format(tmp_path) for name, value in given.items()}
    files = {"BAO_CACERT": "ca", "VAULT_CAPATH": "folder", "BAO_CLIENT_CERT": "cert"}
    environment = {name: str(tmp_path / file) for name, file in files.items()}
    environment.update((name, value) for name, value in here.items() if name.isupper())
    options = {name: value for name, value in here.items() if name.islower()}
    # Also where it has arrived as an option, such as that of a module on another machine.
    options.update(client_key=str(tmp_path / "key"))
    with pytest.raises(InvalidOption) as refused:
        check_files(settings_from({"url": "https://a.test", **options}, environment).connection)
    said = str(refused.value).rstrip(".").split("; ")
    assert [one.partition(f" {tmp_path}/")[0] for one in said] == [source for source in sources if source]
    assert all(one.endswith(f" does not exist on {socket.gethostname()}") for one in said)


def test_a_file_that_tls_cannot_use_is_named_with_what_gives_its_path(tmp_path: Path) -> None:
    file = tmp_path / "junk.pem"
    file.write_text("no certificate", encoding="utf-8")
    names = ("VAULT_CAPATH", "VAULT_CLIENT_CERT", "BAO_CLIENT_KEY")
    made = settings_from({"url": "https://a.test"}, dict.fromkeys(names, str(file))).connection
    with pytest.raises(InvalidOption) as refused:
        check_files(made)
    host = socket.gethostname()
    assert str(refused.value) == (
        f"ca_path (VAULT_CAPATH) {file} is not a readable file of PEM certificates on {host}; "
        f"client_cert (VAULT_CLIENT_CERT) {file} and client_key (BAO_CLIENT_KEY) {file} on {host} are not a readable "
        "PEM certificate and its key without a password."
    )
    of_machine = Connection("https://a.test", ca_of_machine=(("SSL_CERT_FILE", str(file)),))
    assert f"There are no CA certificates on {host} at SSL_CERT_FILE ({file})" in tls_problem(
        with_authorities(of_machine), ssl.SSLError("CERTIFICATE_VERIFY_FAILED")
    )


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
    assert (found.verify, found.ca_beside) == (str(file), (("SSL_CERT_DIR", str(folder)),))
    assert found.ca_source == "SSL_CERT_FILE"
    assert found.ca_of_machine == (("SSL_CERT_DIR", "/nowhere"),)
    # As before, those of the system are not trusted beside them.
    assert with_authorities(Connection("https://a.test", ca_of_machine=tuple(places[:1]))).ca_beside == ()
    assert with_authorities(Connection("https://a.test", ca_of_machine=tuple(places[1:2]))).verify is True
    assert not with_authorities(Connection("http://a.test", ca_of_machine=tuple(places))).ca_of_machine


def test_python_alone_reaches_hosts_with_names_of_other_scripts() -> None:
    assert plain._base_of("https://me:pass@\u00e9cole.test:8200/\u00e9") == "https://xn--cole-9oa.test:8200/%C3%A9"
    assert plain._base_of("http://[::1]:8200") == "http://[::1]:8200"
