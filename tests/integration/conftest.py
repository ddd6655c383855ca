# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for what the usual one cannot show. Each is started once for a test process, when the first test asks."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlkeys._devserver.server import DevServer, _binary
from tests.integration.support.processes import free_port, listens, started
from tests.integration.support.tls import Authority, Pair
from tests.support.modules import by_action
from tests.support.server import Bao, running_bao


@pytest.fixture(params=["target", "worker"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test twice: modules alone, and in the controller's worker by their action plugins."""
    with by_action() if request.param == "worker" else contextlib.nullcontext():
        yield


@dataclass(frozen=True)
class SecureBao:
    """A server that also listens with TLS, under certificates of a private authority, and at a socket.

    Attributes:
        port: of the listener with TLS.
        named_port: of one whose certificate is for the name `named.test` alone.
        client_port: of one that requires a certificate of its clients.
        socket: the path of the Unix socket.
    """

    bao: Bao
    authority: Authority
    port: int
    named_port: int
    client_port: int
    socket: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_cert(self) -> str:
        return str(self.authority.certificate)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "test-authority")


@pytest.fixture(scope="session")
def secure_bao(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecureBao]:
    pair, named = authority.issue("server", ip="127.0.0.1"), authority.issue("named")
    port, named_port, client_port = free_port(), free_port(), free_port()
    # The path of a socket is at most 107 bytes long.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bao.sock")
        listeners = (
            tls_listener(port, pair, authority)
            + tls_listener(named_port, named, authority)
            + tls_listener(client_port, pair, authority, "tls_require_and_verify_client_cert = true")
            + f'listener "unix" {{\n  address = {json.dumps(str(path))}\n  tls_disable = true\n}}\n'
        )
        with running_bao(tmp_path_factory.mktemp("secure"), listeners) as bao:
            bao.done("POST", "sys/mounts/transit", {"type": "transit"})
            yield SecureBao(bao, authority, port, named_port, client_port, path)


def tls_listener(port: int, pair: Pair, authority: Authority, more: str = "") -> str:
    return f"""
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = {json.dumps(str(pair.certificate))}
  tls_key_file = {json.dumps(str(pair.key))}
  tls_client_ca_file = {json.dumps(str(authority.certificate))}
  {more}
}}
"""


@pytest.fixture(scope="session")
def sealed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with DevServer(tmp_path_factory.mktemp("sealed")) as server:
        assert server.request("PUT", "sys/seal")[0] == 204
        yield server.address


@pytest.fixture(scope="session")
def uninitialised_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("uninitialised")
    port = free_port()
    config = folder / "config.hcl"
    config.write_text(
        f'storage "inmem" {{}}\nlistener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n}}\n',
        encoding="utf-8",
    )
    with started([_binary(), "server", f"-config={config}"], lambda: listens(port), folder):
        yield f"http://127.0.0.1:{port}"
