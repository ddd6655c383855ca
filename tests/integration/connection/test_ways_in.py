# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to reach a server that its own client has, in whole playbooks. `test_parity.py` has the table of variables."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways import pace
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._devserver.server import _binary, without_server_settings
from tests.integration.conftest import SecureBao
from tests.integration.support.plays import (
    CALLBACK,
    VARS_PLUGIN,
    Project,
    approle,
    make_key,
    may_use,
    messages,
    tasks_of_all_kinds,
    vars_file,
)
from tests.support.modules import run_module
from tests.support.server import Bao

SECRET = "sk-way-in-canary-8Kd"

Environment = dict[str, str]


@pytest.fixture(scope="module")
def engine(secure_bao: SecureBao) -> Iterator[str]:
    # One of its own: other tests delete keys of the other.
    secure_bao.bao.done("POST", "sys/mounts/ways", {"type": "transit"})
    make_key(secure_bao.bao, "ways")
    yield "ways"
    secure_bao.bao.done("DELETE", "sys/mounts/ways")


@pytest.fixture(scope="module")
def client(secure_bao: SecureBao) -> Environment:
    pair = secure_bao.authority.issue("client", client=True)
    return {"BAO_CLIENT_CERT": str(pair.certificate), "BAO_CLIENT_KEY": str(pair.key)}


def with_certificate(here: SecureBao, client: Environment) -> Environment:
    made = {"BAO_ADDR": f"https://127.0.0.1:{here.client_port}", "BAO_CACERT": here.ca_cert, **client}
    return {name.replace("BAO_", "VAULT_", 1): value for name, value in made.items()}


def at_a_socket(here: SecureBao, _client: Environment) -> Environment:
    # Without a proxy for it, although there is one for everything.
    return {
        "BAO_AGENT_ADDR": f"unix://{here.socket}",
        "BAO_ADDR": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
    }


WAYS: list[Callable[[SecureBao, Environment], Environment]] = [
    with_certificate,
    at_a_socket,
]


def works_for_the_servers_client(environment: Environment) -> bool:
    done = subprocess.run(
        [_binary(), "token", "lookup"],
        env={**without_server_settings(os.environ), **environment},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
def test_what_works_for_the_servers_client_works_everywhere(
    secure_bao: SecureBao, engine: str, client: Environment, tmp_path: Path, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**way(secure_bao, client), "BAO_TOKEN": secure_bao.bao.token}
    assert works_for_the_servers_client(environment)
    project = Project(tmp_path, environment)
    project.hosts(1)
    project.write("group_vars/gateways/keys.transit.yml", vars_file(secure_bao.bao, engine, {"token": SECRET}))
    project.play(tasks_of_all_kinds("ways"))
    done = project.run(env={**CALLBACK, **VARS_PLUGIN})
    assert messages(done.stdout) == ["by lookup", SECRET]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(main, ["doctor", "--json"])
    checks = json.loads(shown.stdout)
    assert {check["name"] for check in checks if check["ok"]} >= {"server", "login"}, checks
    assert [check for check in checks if not check["ok"] and check["name"] in ("server", "login")] == []
    read = CliRunner().invoke(main, ["show", "group_vars/gateways", "token", "--reveal", "--force"])
    assert read.stdout == SECRET


# --- what is missing is named ---


def failing(**options: Any) -> str:
    result = run_module("vault_transit_key_info", {"name": "ml", **options})
    assert result.failed
    return result.msg


def test_a_listener_that_asks_for_a_certificate_names_the_options(secure_bao: SecureBao) -> None:
    url = f"https://127.0.0.1:{secure_bao.client_port}"
    message = failing(url=url, token=secure_bao.bao.token, ca_cert=secure_bao.ca_cert)
    assert "it may require a client certificate. Set client_cert and client_key (BAO_CLIENT_CERT" in message


@pytest.mark.parametrize("name", ["", "other.test"])
def test_a_name_that_the_certificate_does_not_have_is_not_a_missing_authority(secure_bao: SecureBao, name: str) -> None:
    url = f"https://127.0.0.1:{secure_bao.named_port}"
    options = {"tls_server_name": name} if name else {}
    message = failing(url=url, token="t", ca_cert=secure_bao.ca_cert, **options)
    assert "it is for another name" in message
    assert ("Correct tls_server_name 'other.test'" if name else "set tls_server_name (BAO_TLS_SERVER_NAME") in message
    assert "ca_cert" not in message


def test_a_name_does_not_replace_the_authority(secure_bao: SecureBao) -> None:
    url = f"https://127.0.0.1:{secure_bao.named_port}"
    assert "Set ca_cert" in failing(url=url, token="t", tls_server_name="named.test")


def test_a_text_that_is_not_of_authorities(secure_bao: SecureBao) -> None:
    assert failing(url=secure_bao.url, token="t", ca_cert_bytes="PEM") == (
        "ca_cert_bytes (BAO_CACERT_BYTES, VAULT_CACERT_BYTES) is not a text of PEM certificates."
    )


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/no.sock"
    assert failing(url=url, token="t").startswith(f"Cannot reach the server at {url}: there is no socket at this path.")


def test_an_agent_at_a_socket_adds_its_token(secure_bao: SecureBao) -> None:
    # A listener of the server stands for the agent's: both answer a request without a token, each in its way.
    result = run_module(
        "vault_transit_key_info", {"name": "ml", "url": f"unix://{secure_bao.socket}", "auth_method": "none"}
    )
    assert result.failed
    assert "there is no token, and what listens at url adds none" in result.msg


# --- namespaces ---


@pytest.fixture
def namespaces(secure_bao: SecureBao) -> Iterator[str]:
    """The namespace `org/team` with an engine."""
    bao = secure_bao.bao
    for path in ("sys/namespaces/org", "org/sys/namespaces/team"):
        bao.done("POST", path, {})
    bao.done("POST", "org/team/sys/mounts/transit", {"type": "transit"})
    yield "org/team"
    bao.done("DELETE", "org/sys/namespaces/team")
    # A namespace is deleted in the background.
    deadline = time.monotonic() + 20
    while bao.request("DELETE", "sys/namespaces/org")[0] >= 400 and time.monotonic() < deadline:
        time.sleep(0.05)


def test_a_login_in_another_namespace(secure_bao: SecureBao, namespaces: str, tmp_path: Path) -> None:
    bao = secure_bao.bao
    with approle(bao, may_use(f"{namespaces}/transit")) as role:
        login = {
            "auth_method": "approle",
            "role_id": role.role_id,
            "secret_id": role.secret_id,
            "mount_point": role.mount,
        }
        options = {"url": bao.addr, "namespace": namespaces, "name": "ml", **login}
        assert "another namespace, set auth_namespace (" in run_module("vault_transit_key", options).msg
        elsewhere = run_module("vault_transit_key", {**options, "auth_namespace": "org"}).msg
        assert f"Asked: {bao.addr}, namespace 'org'. auth_namespace (" in elsewhere
        assert "correct it if the auth method is in another namespace, such as namespace 'org/team'." in elsewhere
        made = run_module("vault_transit_key", {**options, "auth_namespace": "/", "token_validate": True})
        assert not made.failed, made.msg
        # The token lives in the namespace of the login: there it is revoked, too.
        entries = [entry["request"] for entry in bao.audit_entries()[-8:]]
        revoked = [entry for entry in entries if entry["path"].endswith("auth/token/revoke-self")]
        assert [entry.get("namespace", {}).get("path", "") for entry in revoked] == [""]
    assert bao.request("GET", f"{namespaces}/transit/keys/ml")[0] == 200
    check_unwrapping(
        bao, {"url": bao.addr, "token": bao.token, "auth_namespace": "/"}, namespaces, tmp_path / "secret_id"
    )


def check_unwrapping(bao: Bao, options: dict[str, Any], namespace: str, file: Path) -> None:
    """A wrapping token belongs to the namespace that created it, and is found from there and from those above it."""
    bao.done("POST", f"{namespace}/sys/auth/approle", {"type": "approle"})
    bao.done("POST", f"{namespace}/auth/approle/role/svc", {})
    for asked in (namespace, "org", ""):
        wrapped = run_module("vault_transit_secret_id", {**options, "namespace": namespace, "role": "svc"})
        files = [{"field": "secret_id", "path": str(file)}]
        given = {**options, "namespace": asked, "auth_namespace": "elsewhere", "files": files}
        secret_id = wrapped["secret_id"]
        place = {"wrapping_token": secret_id["wrapping_token"], "creation_path": secret_id["creation_path"]}
        unwrapped = run_module("vault_transit_unwrap", {**given, **place})
        assert not unwrapped.failed, unwrapped.msg
        login = {"role_id": bao.done("GET", f"{namespace}/auth/approle/role/svc/role-id")["data"]["role_id"]}
        bao.done("POST", f"{namespace}/auth/approle/login", {**login, "secret_id": file.read_text()})
        file.unlink()


# --- the pace, and proxies ---


def test_a_rate_limit_is_kept(secure_bao: SecureBao, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: 1000.0, sleep=waited.append))
    settings = settings_from({**secure_bao.bao.login, "rate_limit": "4:1"}, {})
    client = Client(settings.connection, print, secure_bao.bao.token)
    for _one in range(3):
        client.get(f"{engine}/keys/ml")
    # The clock stands still: each has to wait for the ones before it.
    assert waited == [0.25, 0.5]
