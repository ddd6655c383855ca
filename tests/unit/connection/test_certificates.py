# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that are damaged, beside good ones, and what is seen to be wrong with one for a client."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import plain
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.certificates import (
    fault_of_client,
    readable,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import (
    check_files,
    damaged_authorities,
    tls_problem,
    trusted,
    unwelcome,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from cryptography import x509

from tests.integration.support.tls import Authority

BEGIN, END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"


@pytest.fixture
def good(tmp_path: Path) -> str:
    return Authority(tmp_path, "good").certificate.read_text(encoding="ascii")


def damaged(good: str) -> dict[str, str]:
    lines = good.splitlines()
    return {
        "no base64": f"{BEGIN}this is !! no base64\n{END}",
        "truncated": f"{BEGIN}{lines[1]}\n{END}",
        "without its end": f"{BEGIN}{lines[1]}\n",
        "no certificate": f"{BEGIN}{base64.b64encode(b'no certificate').decode()}\n{END}",
        "empty": f"{BEGIN}{END}",
        "other characters": f"{BEGIN}\N{LATIN SMALL LETTER E WITH ACUTE}\n{END}",
    }


@pytest.mark.parametrize("kind", list(damaged("\n\n")))
def test_good_certificates_are_read_beside_a_damaged_one(good: str, kind: str, tmp_path: Path) -> None:
    # Each was tried with the server's own client, which takes the good ones.
    bad = damaged(good)[kind]
    for text, number in ((bad + good, 1), (f"{good}caf\N{LATIN SMALL LETTER E WITH ACUTE}\n{bad}", 2)):
        assert readable(text) == (good, (number,))
        file = tmp_path / "bundle.pem"
        file.write_text(text, encoding="utf-8")
        for connection in (
            Connection("https://a.test", verify=str(file), ca_source="ca_cert (BAO_CACERT)"),
            Connection("https://a.test", ca_data=text),
        ):
            check_files(connection)
            assert trusted(connection) == ("", "", good)
            assert len(plain._tls(connection).get_ca_certs()) == 1
            (said,) = damaged_authorities(connection)
            assert said.startswith(f"Certificate {number} of ca_cert")
            assert said.endswith(f" on {socket.gethostname()} cannot be read, and is left out.")
            assert tls_problem(connection, ssl.SSLError("CERTIFICATE_VERIFY_FAILED")).endswith(f" {said}")


@pytest.mark.parametrize("kind", list(damaged("\n\n")))
def test_nothing_is_trusted_where_all_certificates_are_damaged(good: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "bundle.pem"
    file.write_text(damaged(good)[kind] * 2, encoding="utf-8")
    with pytest.raises(InvalidOption, match="is not a readable file of PEM certificates"):
        check_files(Connection("https://a.test", verify=str(file)))
    with pytest.raises(InvalidOption, match="is not a text of PEM certificates"):
        check_files(Connection("https://a.test", ca_data=file.read_text(encoding="utf-8")))


def test_a_file_without_a_damaged_certificate_is_used_as_it_is(good: str, tmp_path: Path) -> None:
    file = tmp_path / "bundle.pem"
    file.write_text(f"text\r\n{good}between\n{good}", encoding="utf-8")
    connection = Connection("https://a.test", verify=str(file))
    assert trusted(connection) == (str(file), "", "")
    assert damaged_authorities(connection) == []


@pytest.mark.parametrize(("days", "client"), [(-30, True), (30, True), (0, False), (0, True), (-30, False)])
def test_the_fault_of_a_client_certificate_is_read_as_a_library_reads_it(
    days: int, client: bool, tmp_path: Path
) -> None:
    pair = Authority(tmp_path, "a").issue("b", client=client, days=days)
    text = pair.certificate.read_text(encoding="ascii")
    made = x509.load_pem_x509_certificate(text.encode("ascii"))
    wanted = "" if client else "is not for clients (its extended key usage lacks clientAuth)"
    if days < 0:
        wanted = f"has expired at {made.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    if days > 0:
        wanted = f"is not valid before {made.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}"
    assert fault_of_client(text, time.time()) == wanted
    sources = ("client_cert (BAO_CLIENT_CERT)", "client_key")
    files = Connection("", client_certificate=(str(pair.certificate), ""), certificate_sources=sources)
    texts = Connection("", client_certificate_texts=(text, ""), certificate_sources=sources)
    which = f", which {wanted}" if wanted else ""
    for connection, place in ((files, f" {pair.certificate}"), (texts, "")):
        assert unwelcome(connection, "https://a.test", "?").startswith(
            f"it may reject the client certificate of {sources[0]}{place} on {socket.gethostname()}{which}. Use one"
        )


@pytest.mark.parametrize("text", ["", "no certificate", f"{BEGIN}MAA=\n{END}", f"{BEGIN}!\n{END}", BEGIN])
def test_other_text_than_a_certificate_has_no_known_fault(text: str) -> None:
    assert fault_of_client(text, time.time()) == ""
