# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of connection variables and of all that connects: each gets what the server's own client gets, or nothing.

`test_ways_in.py` runs some of them in whole playbooks.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ansible.inventory.group import Group
from ansible.parsing.dataloader import DataLoader
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import Sealed
from click.testing import CliRunner

from mlkeys import runtime
from mlkeys._cli import main
from mlkeys._devserver.server import _binary, without_server_settings
from tests.integration.conftest import SecureBao, tls_listener
from tests.integration.support.agents import value_or_reason
from tests.integration.support.plays import make_key, vars_file
from tests.integration.support.processes import free_port, listens, started
from tests.integration.support.tls import Authority, Pair
from tests.integration.vars_file.test_vars_plugin import begin_run
from tests.support.lookups import lookup_plugin
from tests.support.modules import by_action, run_module

# Namespaces may have names in any script.
ENGINE, KEY, NAMESPACE = "parity", "ml", "parity-org/\u00e9quipe-\u043c\u043b"
QUOTED = quote(NAMESPACE)
HOST = socket.gethostname()

Environment = dict[str, str]


@dataclass(frozen=True)
class LoggingIn:
    """The listeners of a proxy of OpenBao's that adds its own token to requests that have none."""

    port: int
    client_port: int
    socket: Path


@dataclass(frozen=True)
class Place:
    """A server, and a project with ciphertexts for it.

    Attributes:
        folder: with `root` and `team`, a project for each namespace, and `hashed` with the CA certificates.
        serving: a certificate that is not for clients.
        other: the certificate of another CA.
        proxy: the URL of a proxy that connects to what it is asked for.
        logging_in: a proxy of OpenBao's, which adds a token of its own.
    """

    here: SecureBao
    folder: Path
    certificate: Pair
    serving: Pair
    other: Path
    proxy: str
    logging_in: LoggingIn

    def at(self, port: int) -> Environment:
        return {"BAO_ADDR": f"https://127.0.0.1:{port}", "BAO_CACERT": self.here.ca_cert}

    @property
    def without_token(self) -> Environment:
        """Neither in a variable nor in the home folder."""
        return {"BAO_TOKEN": "", "HOME": str(self.folder / "root")}

    @property
    def client(self) -> Environment:
        return {"BAO_CLIENT_CERT": str(self.certificate.certificate), "BAO_CLIENT_KEY": str(self.certificate.key)}

    @property
    def texts(self) -> Environment:
        return {f"{name}_BYTES": Path(path).read_text(encoding="ascii") for name, path in self.client.items()}


@pytest.fixture(scope="module")
def place(secure_bao: SecureBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    bao, folder = secure_bao.bao, tmp_path_factory.mktemp("parity")
    for path in ("sys/namespaces/parity-org", f"parity-org/sys/namespaces/{QUOTED.rpartition('/')[2]}"):
        bao.done("POST", path, {})
    for name, prefix in (("root", ""), ("team", f"{QUOTED}/")):
        bao.done("POST", f"{prefix}sys/mounts/{ENGINE}", {"type": "transit"})
        make_key(bao, f"{prefix}{ENGINE}")
        project = folder / name
        (project / "group_vars/gateways").mkdir(parents=True)
        file = json.loads(vars_file(bao, f"{prefix}{ENGINE}", {"token": f"canary-{name}-3Fw"}))
        file["_transit"]["backend"] = ENGINE
        (project / "group_vars/gateways/keys.transit.yml").write_text(json.dumps(file), encoding="utf-8")
    hashed = folder / "hashed"
    hashed.mkdir()
    shutil.copy(secure_bao.ca_cert, hashed / "ca.pem")
    plain = folder / "plain"
    plain.mkdir()
    shutil.copy(secure_bao.ca_cert, plain / "authority")
    subprocess.run([shutil.which("openssl") or "openssl", "rehash", str(hashed)], check=True, capture_output=True)
    (folder / ".vault-token").write_text(bao.token, encoding="ascii")
    helper = folder / "helper"
    helper.write_text('#!/bin/sh\n[ "$1" = get ] && cat "$(dirname "$0")/.vault-token"\n', encoding="ascii")
    helper.chmod(0o700)
    (folder / "config-of-bao").write_text(f'token_helper = "{helper}"\n', encoding="ascii")
    other = Authority(folder, "other").certificate
    client, serving = secure_bao.authority.issue("parity", client=True), secure_bao.authority.issue("serving")
    with connecting_proxy() as proxy, proxy_that_logs_in(secure_bao, folder) as logging_in:
        yield Place(secure_bao, folder, client, serving, other, proxy, logging_in)
    bao.done("DELETE", f"sys/mounts/{ENGINE}")
    bao.done("DELETE", f"{QUOTED}/sys/mounts/{ENGINE}")
    bao.done("DELETE", f"parity-org/sys/namespaces/{QUOTED.rpartition('/')[2]}")


@contextmanager
def proxy_that_logs_in(here: SecureBao, folder: Path) -> Iterator[LoggingIn]:
    port, client_port = free_port(), free_port()
    # The path of a socket is at most 107 bytes long.
    with tempfile.TemporaryDirectory() as short:
        made = LoggingIn(port, client_port, Path(short, "proxy.sock"))
        pair, token = here.authority.issue("proxy", ip="127.0.0.1"), folder / "token-of-proxy"
        # It answers nothing about its own token, which is another one than that of an agent of a host.
        token.write_text(here.bao.done("POST", "auth/token/create", {})["auth"]["client_token"], encoding="ascii")
        config = folder / "proxy.hcl"
        config.write_text(
            f'vault {{\n  address = "{here.bao.addr}"\n}}\n'
            'auto_auth {\n  method "token_file" {\n    config = {\n'
            f'      token_file_path = "{token}"\n    }}\n  }}\n}}\n'
            "api_proxy {\n  use_auto_auth_token = true\n}\n"
            f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n}}\n'
            f'listener "unix" {{\n  address = "{made.socket}"\n  tls_disable = true\n}}\n'
            + tls_listener(client_port, pair, here.authority, "tls_require_and_verify_client_cert = true"),
            encoding="utf-8",
        )
        command = [_binary(), "proxy", f"-config={config}"]
        with started(command, lambda: all(map(listens, (port, client_port))) and made.socket.exists(), folder):
            yield made


class connecting_proxy:  # noqa: N801  it is used as a context manager
    """A proxy on loopback for `CONNECT`, and for whole requests to http URLs."""

    def __enter__(self) -> str:
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __exit__(self, *_error: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=(client,), daemon=True).start()

    def _hand_on(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096) or b"\r\n\r\n"
            method, target, *_rest = head.decode("latin-1").split()
            host, _colon, port = target.removeprefix("http://").partition("/")[0].rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    server.sendall(head)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def vaults(environment: Environment) -> Environment:
    """The same in the variables of Vault."""
    return {name.replace("BAO_", "VAULT_", 1): value for name, value in environment.items()}


Row = Callable[[Place], Environment]

# What works for the server's client.
WORKS: dict[str, Row] = {
    "http": lambda p: {"BAO_ADDR": p.here.bao.addr},
    "scheme in capitals": lambda p: {"BAO_ADDR": p.here.bao.addr.replace("http", "HTTP")},
    "slash": lambda p: {"VAULT_ADDR": f"{p.here.bao.addr}/"},
    "bao before vault": lambda p: {"BAO_ADDR": p.here.bao.addr, "VAULT_ADDR": "http://127.0.0.1:1"},
    "agent": lambda p: {"BAO_AGENT_ADDR": p.here.bao.addr, "BAO_ADDR": "http://127.0.0.1:1"},
    "agent of vault": lambda p: {"VAULT_AGENT_ADDR": p.here.bao.addr},
    "socket": lambda p: {"BAO_ADDR": f"unix://{p.here.socket}"},
    "socket of an agent": lambda p: {"VAULT_AGENT_ADDR": f"unix://{p.here.socket}", "ALL_PROXY": "http://127.0.0.1:1"},
    "tls": lambda p: p.at(p.here.port),
    "tls of vault": lambda p: vaults(p.at(p.here.port)),
    "text of authorities": lambda p: {
        "BAO_ADDR": p.here.url,
        "BAO_CACERT_BYTES": Path(p.here.ca_cert).read_text(encoding="ascii"),
    },
    "folder of authorities": lambda p: {"BAO_ADDR": p.here.url, "BAO_CAPATH": str(p.folder / "hashed")},
    "folder that is not prepared": lambda p: {"BAO_ADDR": p.here.url, "VAULT_CAPATH": str(p.folder / "plain")},
    "SSL_CERT_FILE": lambda p: {"BAO_ADDR": p.here.url, "SSL_CERT_FILE": p.here.ca_cert},
    "SSL_CERT_DIR": lambda p: {"BAO_ADDR": p.here.url, "SSL_CERT_DIR": str(p.folder / "hashed")},
    "authority of the machine beside another one": lambda p: {
        "BAO_ADDR": p.here.url,
        "BAO_CACERT": str(p.other),
        "SSL_CERT_FILE": p.here.ca_cert,
    },
    "folder of the machine beside a text": lambda p: {
        "BAO_ADDR": p.here.url,
        "VAULT_CACERT_BYTES": p.other.read_text(encoding="ascii"),
        "SSL_CERT_DIR": str(p.folder / "hashed"),
    },
    "folder beside a file": lambda p: {
        "BAO_ADDR": p.here.url,
        "BAO_CACERT": str(p.other),
        "BAO_CAPATH": str(p.folder / "plain"),
    },
    # It reads nothing over http, and passes over what is missing.
    "stale file of the machine": lambda p: {"BAO_ADDR": p.here.bao.addr, "SSL_CERT_FILE": "/nowhere/ca.pem"},
    "stale file and folder of the machine": lambda p: {
        "BAO_ADDR": p.here.url,
        "SSL_CERT_FILE": "/nowhere/ca.pem",
        "SSL_CERT_DIR": f"/nowhere:{p.folder / 'hashed'}",
    },
    "not verified": lambda p: {"BAO_ADDR": p.here.url, "BAO_SKIP_VERIFY": "true"},
    "client certificate": lambda p: {**p.at(p.here.client_port), **p.client},
    "client certificate of vault": lambda p: vaults({**p.at(p.here.client_port), **p.client}),
    "text of a client certificate": lambda p: {**p.at(p.here.client_port), **p.texts},
    "text of a client certificate of vault": lambda p: vaults({**p.at(p.here.client_port), **p.texts}),
    "files before texts": lambda p: {
        **p.at(p.here.client_port),
        **p.client,
        "BAO_CLIENT_CERT_BYTES": "no certificate",
        "BAO_CLIENT_KEY_BYTES": "no key",
    },
    "other name": lambda p: {**p.at(p.here.named_port), "BAO_TLS_SERVER_NAME": "named.test"},
    "namespace": lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_NAMESPACE": NAMESPACE},
    "namespace with slashes": lambda p: {"BAO_ADDR": p.here.bao.addr, "VAULT_NAMESPACE": f"/{NAMESPACE}/"},
    "namespace over tls": lambda p: {**p.at(p.here.client_port), **p.client, "BAO_NAMESPACE": NAMESPACE},
    "timeout, retries, rate": lambda p: {
        "BAO_ADDR": p.here.bao.addr,
        "BAO_CLIENT_TIMEOUT": "90s",
        "BAO_MAX_RETRIES": "0",
        "BAO_RATE_LIMIT": "100:200",
    },
    "plain timeout": lambda p: {"BAO_ADDR": p.here.bao.addr, "VAULT_CLIENT_TIMEOUT": "45", "VAULT_RATE_LIMIT": "50"},
    "proxy": lambda p: {**p.at(p.here.port), "BAO_HTTP_PROXY": p.proxy},
    "proxy for all": lambda p: {**p.at(p.here.port), "VAULT_PROXY_ADDR": p.proxy},
    "proxy before proxy": lambda p: {
        **p.at(p.here.port),
        "BAO_PROXY_ADDR": p.proxy,
        "BAO_HTTP_PROXY": "http://127.0.0.1:1",
    },
    "empty hides": lambda p: {
        "BAO_ADDR": p.here.bao.addr,
        **{f"BAO_{name}": "" for name in ("AGENT_ADDR", "NAMESPACE", "SKIP_VERIFY", "CLIENT_TIMEOUT")},
        "VAULT_AGENT_ADDR": "http://127.0.0.1:1",
        "VAULT_NAMESPACE": "nowhere",
        "VAULT_SKIP_VERIFY": "abc",
        "VAULT_CLIENT_TIMEOUT": "abc",
    },
    "proxy of the environment": lambda p: {
        **p.at(p.here.port),
        **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1"),
        "BAO_CLIENT_TIMEOUT": "0",
        "BAO_RATE_LIMIT": "0",
    },
    "short timeout": lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_CLIENT_TIMEOUT": "9500ms", "BAO_SKIP_VERIFY": "T"},
    # Together, over each kind of listener.
    "proxy, namespace and limits with a client certificate": lambda p: {
        **p.at(p.here.client_port),
        **p.client,
        "BAO_NAMESPACE": NAMESPACE,
        "BAO_HTTP_PROXY": p.proxy,
        "BAO_CLIENT_TIMEOUT": "1m30s",
        "BAO_MAX_RETRIES": "1",
        "BAO_RATE_LIMIT": "100:200",
    },
    "text of authorities with a client certificate": lambda p: {
        "BAO_ADDR": f"https://127.0.0.1:{p.here.client_port}",
        "BAO_CACERT_BYTES": Path(p.here.ca_cert).read_text(encoding="ascii"),
        **p.client,
    },
    "folder of authorities with a client certificate": lambda p: {
        "VAULT_ADDR": f"https://127.0.0.1:{p.here.client_port}",
        "VAULT_CAPATH": str(p.folder / "hashed"),
        **vaults(p.client),
    },
    "SSL_CERT_FILE with a client certificate and a namespace": lambda p: {
        "BAO_ADDR": f"https://127.0.0.1:{p.here.client_port}",
        "SSL_CERT_FILE": p.here.ca_cert,
        **p.client,
        "VAULT_NAMESPACE": NAMESPACE,
    },
    "not verified with a client certificate": lambda p: {
        "BAO_ADDR": f"https://127.0.0.1:{p.here.client_port}",
        "VAULT_SKIP_VERIFY": "1",
        **p.client,
    },
    "other name by a proxy": lambda p: {
        **p.at(p.here.named_port),
        "VAULT_TLS_SERVER_NAME": "named.test",
        "VAULT_PROXY_ADDR": p.proxy,
    },
    "namespace and limits at a socket": lambda p: {
        "BAO_ADDR": f"unix://{p.here.socket}",
        "BAO_NAMESPACE": NAMESPACE,
        "BAO_CLIENT_TIMEOUT": "45",
        "BAO_MAX_RETRIES": "0",
        "BAO_RATE_LIMIT": "50",
    },
    "proxy that logs in": lambda p: {"BAO_AGENT_ADDR": f"http://127.0.0.1:{p.logging_in.port}", **p.without_token},
    "proxy that logs in, with a namespace": lambda p: {
        "BAO_AGENT_ADDR": f"http://127.0.0.1:{p.logging_in.port}",
        "BAO_NAMESPACE": NAMESPACE,
        **p.without_token,
    },
    "socket of a proxy that logs in": lambda p: {
        "BAO_ADDR": f"unix://{p.logging_in.socket}",
        "BAO_NAMESPACE": NAMESPACE,
        **p.without_token,
    },
    "proxy that logs in and asks for a certificate": lambda p: {
        **vaults({"BAO_AGENT_ADDR": f"https://127.0.0.1:{p.logging_in.client_port}", "BAO_CACERT": p.here.ca_cert}),
        **p.client,
        **p.without_token,
    },
    "token helper": lambda p: {
        "BAO_ADDR": p.here.bao.addr,
        "BAO_TOKEN": "",
        "BAO_CONFIG_PATH": str(p.folder / "config-of-bao"),
    },
    "token helper of vault": lambda p: {
        "VAULT_ADDR": p.here.bao.addr,
        "BAO_TOKEN": "",
        "VAULT_CONFIG_PATH": str(p.folder / "config-of-bao"),
    },
    "path of a token": lambda p: {
        "BAO_ADDR": p.here.bao.addr,
        "BAO_TOKEN": "",
        "BAO_TOKEN_PATH": str(p.folder / ".vault-token"),
    },
    "file of a token": lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_TOKEN": "", "HOME": str(p.folder)},
}


def bad(place: Place, variable: str, value: str) -> Environment:
    return {"BAO_ADDR": place.here.bao.addr, variable: value}


# What does not, with what a message of this project says about it.
FAILS: dict[str, tuple[Row, str]] = {
    "no server": (lambda _p: {"BAO_ADDR": "http://127.0.0.1:1"}, "connection refused"),
    "no socket": (lambda p: {"BAO_ADDR": f"unix://{p.folder}/none"}, "there is no socket at this path"),
    "unknown authority": (lambda p: {"BAO_ADDR": p.here.url}, "Set ca_cert (BAO_CACERT"),
    "other name": (lambda p: p.at(p.here.named_port), "it is for another name"),
    "no certificate": (
        lambda p: p.at(p.here.client_port),
        "certificate. Set client_cert and client_key (BAO_CLIENT_CERT",
    ),
    "certificate that is not for clients": (
        lambda p: {
            **p.at(p.here.client_port),
            "BAO_CLIENT_CERT": str(p.serving.certificate),
            "BAO_CLIENT_KEY": str(p.serving.key),
        },
        ", which is not for clients (its extended key usage lacks clientAuth). Use one that is valid",
    ),
    "no namespace": (lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_NAMESPACE": "nowhere"}, "'nowhere' does not exist"),
    "wrong token": (lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_TOKEN": "s.x"}, "does not accept the token"),
    "token of two lines": (
        lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_TOKEN": f"{p.here.bao.token}\nx"},
        "The token has characters that cannot be printed, such as a line break in it.",
    ),
    "token in typographic quotes": (
        lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_TOKEN": f"\N{LEFT DOUBLE QUOTATION MARK}{p.here.bao.token}"},
        "token has other characters than printable ASCII, such as typographic quotes.",
    ),
    "namespace of two lines": (
        lambda p: {"BAO_ADDR": p.here.bao.addr, "BAO_NAMESPACE": "org\nX-Evil: 1"},
        "namespace (BAO_NAMESPACE) must be text without a line break",
    ),
    "stale file of the machine": (
        lambda p: {"BAO_ADDR": p.here.url, "SSL_CERT_FILE": "/nowhere/ca.pem"},
        f"There are no CA certificates on {HOST} at SSL_CERT_FILE (/nowhere/ca.pem). Set ca_cert",
    ),
    "stale file and folder of the machine": (
        lambda p: {"BAO_ADDR": p.here.url, "SSL_CERT_FILE": "/nowhere/ca.pem", "SSL_CERT_DIR": "/nowhere"},
        "at SSL_CERT_FILE (/nowhere/ca.pem) and SSL_CERT_DIR (/nowhere). Correct them, or set ca_cert",
    ),
    "no file of authorities": (
        lambda p: {"BAO_ADDR": p.here.url, "BAO_CACERT": "/nowhere/ca.pem"},
        f"ca_cert (BAO_CACERT) /nowhere/ca.pem does not exist on {HOST}.",
    ),
    "no folder of authorities": (
        lambda p: {"BAO_ADDR": p.here.url, "VAULT_CAPATH": "/nowhere/certs"},
        f"ca_path (VAULT_CAPATH) /nowhere/certs does not exist on {HOST}.",
    ),
    "no folder beside a file": (
        lambda p: {**p.at(p.here.port), "BAO_CAPATH": "/nowhere/certs"},
        f"ca_path (BAO_CAPATH) /nowhere/certs does not exist on {HOST}.",
    ),
    "no key": (
        lambda p: {**p.at(p.here.client_port), **p.client, "BAO_CLIENT_KEY": "/nowhere/c.key"},
        f"client_key (BAO_CLIENT_KEY) /nowhere/c.key does not exist on {HOST}.",
    ),
    "proxy is away": (
        lambda p: {**p.at(p.here.port), "BAO_PROXY_ADDR": "http://127.0.0.1:1"},
        "does not respond. Check proxies (BAO_PROXY_ADDR).",
    ),
    "text beside a file": (
        lambda p: {
            "BAO_ADDR": p.here.url,
            "BAO_CACERT": str(p.other),
            "BAO_CACERT_BYTES": Path(p.here.ca_cert).read_text(encoding="ascii"),
        },
        "Set ca_cert (BAO_CACERT",
    ),
    "bad timeout": (
        lambda p: bad(p, "BAO_CLIENT_TIMEOUT", "abc"),
        "timeout (BAO_CLIENT_TIMEOUT) is 'abc', but must be",
    ),
    "bad retries": (lambda p: bad(p, "BAO_MAX_RETRIES", "-1"), "retries (BAO_MAX_RETRIES) is '-1', but must be"),
    "bad rate": (lambda p: bad(p, "BAO_RATE_LIMIT", "abc"), "rate_limit (BAO_RATE_LIMIT) is 'abc', but must be"),
    "bad flag": (
        lambda p: bad(p, "VAULT_SKIP_VERIFY", "yes"),
        "validate_certs (VAULT_SKIP_VERIFY) is 'yes', but must be",
    ),
    "path of a request": (
        lambda p: {"BAO_ADDR": f"{p.here.bao.addr}/v1/sys"},
        "has the path of a request: set it to http://127.0.0.1:",
    ),
    "proxy is away beside NO_PROXY": (
        lambda p: {**p.at(p.here.port), "BAO_HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "*"},
        "does not respond. Check proxies (BAO_HTTP_PROXY).",
    ),
    "key of another certificate": (
        lambda p: {
            **p.at(p.here.client_port),
            "BAO_CLIENT_CERT": p.here.ca_cert,
            "BAO_CLIENT_KEY": str(p.certificate.key),
        },
        "Set both to one pair. Check: mlkeys doctor.",
    ),
    "half a certificate": (
        lambda p: {**p.at(p.here.port), "BAO_CLIENT_CERT": str(p.certificate.certificate)},
        "client_cert and client_key must be set together",
    ),
    "text of a certificate without its key": (
        lambda p: {**p.at(p.here.client_port), **p.texts, "BAO_CLIENT_KEY_BYTES": ""},
        "client_cert_bytes and client_key_bytes must be set together: set client_key_bytes (",
    ),
    "text of another key": (
        lambda p: {
            **p.at(p.here.client_port),
            **p.texts,
            "BAO_CLIENT_KEY_BYTES": p.serving.key.read_text(encoding="ascii"),
        },
        "client_cert_bytes (BAO_CLIENT_CERT_BYTES) and client_key_bytes (BAO_CLIENT_KEY_BYTES) on ",
    ),
    "text of something else": (
        lambda p: {**p.at(p.here.client_port), **p.texts, "BAO_CLIENT_KEY_BYTES": "x" * 70_000},
        "are not a readable PEM certificate and its key without a password",
    ),
    "https to http": (
        lambda p: {"BAO_ADDR": p.here.bao.addr.replace("http:", "https:")},
        "Start url with http://",
    ),
}


# What the agent of a host says about the same, or its role before it.
SAID_OF_AGENTS = {
    "no server": "connection refused",
    "no socket": "connect: no such file or directory",
    "unknown authority": "certificate signed by unknown authority",
    "other name": "doesn't contain any IP SANs",
    "no certificate": "tls: certificate required",
    "certificate that is not for clients": "tls: bad certificate",
    "no namespace": "namespace not found",
    "wrong token": "permission denied",
    "token of two lines": "contains non-printable characters",
    "token in typographic quotes": "permission denied",
    "namespace of two lines": "vault_transit_host_auth_namespace must be text without a line break",
    "stale file of the machine": "certificate signed by unknown authority",
    "stale file and folder of the machine": "certificate signed by unknown authority",
    "no file of authorities": "open /nowhere/ca.pem: no such file or directory",
    "no folder of authorities": "/nowhere/certs: no such file or directory",
    "no folder beside a file": "/nowhere/certs: no such file or directory",
    "no key": "open /nowhere/c.key: no such file or directory",
    "proxy is away": "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused",
    "text beside a file": "certificate signed by unknown authority",
    "bad timeout": 'could not parse "BAO_CLIENT_TIMEOUT"',
    "bad retries": "out of range",
    "bad rate": "BAO_RATE_LIMIT was provided but incorrectly formatted",
    "bad flag": "could not parse BAO_SKIP_VERIFY",
    "path of a request": "has the path of a request: set it to http://127.0.0.1:",
    "proxy is away beside NO_PROXY": "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused",
    "key of another certificate": "private key does not match public key",
    "half a certificate": "vault_transit_host_client_cert and vault_transit_host_client_key must be set together",
    **dict.fromkeys(
        (
            "text of a certificate without its key",
            "text of another key",
            "text of something else",
        ),
        "set vault_transit_host_client_cert and vault_transit_host_client_key to files on the host",
    ),
    "https to http": "server gave HTTP response to HTTPS client",
}


@pytest.fixture
def environment(request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """The environment of a row, which is that of this process, too."""
    row = request.param[0] if isinstance(request.param, tuple) else request.param
    made = {"BAO_TOKEN": place.here.bao.token, **row(place)}
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    team = made.get("BAO_NAMESPACE") or made.get("VAULT_NAMESPACE")
    monkeypatch.chdir(place.folder / ("team" if team and NAMESPACE in team else "root"))
    return made


def wanted() -> str:
    return f"canary-{Path.cwd().name}-3Fw"


def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("group_vars/gateways/keys.transit.yml").read_text(encoding="utf-8"))
    return found


def by_bao(environment: Environment) -> bool:
    done = subprocess.run(
        [_binary(), "read", f"{ENGINE}/keys/{KEY}"],
        env={**without_server_settings(os.environ), "BAO_MAX_RETRIES": "0", **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode == 0


def by_module(*, sent: bool) -> str:
    with nullcontext() if sent else by_action():
        result = run_module("vault_transit_key_info", {"name": KEY, "backend": ENGINE})
    return result.msg if result.failed else wanted()


def by_lookup() -> str:
    plugin = lookup_plugin()
    (found,) = plugin.run([stored()["token"]], {}, key=KEY, backend=ENGINE, context="token")
    return str(found)


def by_vars_plugin(monkeypatch: pytest.MonkeyPatch) -> str:
    found = begin_run(monkeypatch).get_vars(DataLoader(), os.fspath(Path.cwd()), [Group("gateways")])
    return str(found.get("token"))


def by_mlkeys() -> str:
    done = CliRunner().invoke(main, ["show", "group_vars/gateways", "token", "--reveal", "--force"])
    return done.stdout if done.exit_code == 0 else done.output


ALL: dict[str, Callable[[pytest.MonkeyPatch], str]] = {
    "module here": lambda _patch: by_module(sent=False),
    "module sent": lambda _patch: by_module(sent=True),
    "lookup": lambda _patch: by_lookup(),
    "vars plugin": by_vars_plugin,
    "mlkeys": lambda _patch: by_mlkeys(),
}

# What the agent of a host cannot do: its role refuses the text of a private key, and of several places for
# authorities, what decrypts reads one.
NOT_OF_AGENTS = {
    "CLIENT_CERT_BYTES": "an agent would wait forever with ",
    "CACERT SSL_CERT_FILE": "certificate signed by unknown authority",
    "CACERT_BYTES SSL_CERT_DIR": "certificate signed by unknown authority",
    "CACERT CAPATH": "certificate signed by unknown authority",
}


def by_agent(environment: Environment, place: Place, folder: Path) -> str:
    return value_or_reason(environment, place.here.bao.token, Sealed("token", stored()["token"], ENGINE, KEY), folder)


def beyond_agents(environment: Environment) -> str:
    """What an agent says about what only others can do, empty if it can do it."""
    ends = {name.removeprefix("BAO_").removeprefix("VAULT_") for name in environment}
    return next((said for names, said in NOT_OF_AGENTS.items() if set(names.split()) <= ends), "")


@pytest.mark.parametrize("environment", WORKS.values(), ids=WORKS, indirect=True)
def test_what_works_for_the_servers_client_works_for_all(
    environment: Environment, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_bao(environment)
    found = {name: get(monkeypatch) for name, get in ALL.items()}
    said = by_agent(environment, place, tmp_path)
    if reason := beyond_agents(environment):
        assert reason in said
    else:
        found["agent"] = said
    assert found == dict.fromkeys(found, wanted())


@pytest.mark.parametrize(
    ("environment", "words", "of_agent"),
    [(row, row[1], SAID_OF_AGENTS[name]) for name, row in FAILS.items()],
    ids=FAILS,
    indirect=["environment"],
)
def test_what_does_not_is_one_sentence_about_the_same_fault_everywhere(
    environment: Environment, words: str, of_agent: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not by_bao(environment)
    # Within its time: it has decrypted nothing then.
    said = by_agent(environment, place, tmp_path)
    for _attempt in range(9):
        # Over TLS 1.3, the connection may be gone before the agent has read the server's reason.
        if of_agent in said:
            break
        said = by_agent(environment, place, tmp_path)
    assert of_agent in said
    for name, get in ALL.items():
        try:
            said = get(monkeypatch)
        except Exception as error:  # noqa: BLE001  plugins raise Ansible's
            said = str(error)
        assert words in said, name
        assert "Traceback" not in said, name
        assert wanted() not in said, name


def by_command(*arguments: str) -> str:
    return CliRunner().invoke(main, list(arguments), env={"EDITOR": "true"}).output


def by_runtime() -> str:
    with runtime.secrets("group_vars/gateways") as keys:
        return str(keys["token"])


def by_whole_file() -> str:
    plugin = lookup_plugin("vault_transit_vars")
    return str(plugin.run(["group_vars/gateways/keys.transit.yml"], {}))


FILE = "group_vars/gateways/keys.transit.yml"

# All that decrypts.
DECRYPTS: dict[str, Callable[[pytest.MonkeyPatch], str]] = {
    **{name: ALL[name] for name in ("lookup", "mlkeys")},
    "lookup of a file": lambda _patch: by_whole_file(),
    "check": lambda _patch: by_command("check", FILE),
    "check in JSON": lambda _patch: by_command("check", FILE, "--json"),
    "edit": lambda _patch: by_command("edit", FILE),
    "run": lambda _patch: by_command("run", "-f", FILE, "--", "true"),
    "runtime": lambda _patch: by_runtime(),
}


@pytest.mark.parametrize("name", DECRYPTS)
def test_a_ciphertext_of_another_namespace_names_the_one_that_was_asked(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, a key of this name is another one, and only the namespace says so."""
    environment = {"BAO_ADDR": place.here.bao.addr, "BAO_TOKEN": place.here.bao.token, "BAO_NAMESPACE": NAMESPACE}
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(place.folder / "root")
    try:
        said = DECRYPTS[name](monkeypatch)
    except Exception as error:  # noqa: BLE001  plugins raise Ansible's
        said = str(error)
    assert "it does not decrypt: another key" in said
    shown = NAMESPACE if NAMESPACE in said else json.dumps(NAMESPACE).strip('"')
    assert said.count(f"Asked: {place.here.bao.addr}, namespace '{shown}'.") == 1
