# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every auth method, with a policy that allows one key and nothing else, over TLS with a private CA."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._devserver.server import _binary
from tests.integration.conftest import SecureBao
from tests.integration.support.jwts import Issuer
from tests.integration.support.kubernetes import ACCOUNT, cluster, token_of_an_account
from tests.integration.support.plays import make_key, vars_file
from tests.integration.support.processes import free_port, listens, started
from tests.integration.support.relay import relay
from tests.integration.support.tls import Authority
from tests.support.lookups import lookup_plugin
from tests.support.modules import ModuleResult, run_module
from tests.support.server import Bao

POLICY = """
path "transit/keys/ml" { capabilities = ["read", "update"] }
path "transit/decrypt/ml" { capabilities = ["update"] }
"""

WRONG = "wrong-canary-Rn3"
NO_LOGIN = (
    "If the auth method is in another namespace, set auth_namespace (ANSIBLE_HASHI_VAULT_AUTH_NAMESPACE, or "
    "--namespace of mlkeys login). "
    "Otherwise, ask an administrator for its path "
    "(bao auth list -address="
)


@dataclass(frozen=True)
class Login:
    """A login by one auth method.

    Attributes:
        options: the options that it requires.
        wrong: an option that makes the server refuse it.
        reason: the reason that the server gives then.
        path: the path of the request.
    """

    options: dict[str, Any] = field(repr=False)
    wrong: dict[str, Any]
    reason: str
    path: str

    @property
    def secrets(self) -> list[str]:
        names = ("token", "password", "secret_id", "jwt")
        return [value for name, value in self.options.items() if name in names]


@pytest.fixture(scope="session")
def server(secure_bao: SecureBao) -> Bao:
    secure_bao.bao.done("PUT", "sys/policies/acl/one-key", {"policy": POLICY})
    return secure_bao.bao


@pytest.fixture(scope="session")
def approle_login(server: Bao) -> Login:
    server.done("POST", "sys/auth/approle", {"type": "approle"})
    server.done("POST", "auth/approle/role/gateway", {"token_policies": ["one-key"]})
    role = server.done("GET", "auth/approle/role/gateway/role-id")["data"]["role_id"]
    secret = server.done("POST", "auth/approle/role/gateway/secret-id", {})["data"]["secret_id"]
    options = {"role_id": role, "secret_id": secret}
    return Login(options, {"secret_id": WRONG}, "invalid role or secret ID", "auth/approle/login")


@pytest.fixture(scope="session")
def userpass_login(server: Bao) -> Login:
    server.done("POST", "sys/auth/people", {"type": "userpass"})
    password = "userpass canary/Kd5 "
    server.done("POST", "auth/people/users/ada", {"password": password, "token_policies": ["one-key"]})
    options = {"username": "ada", "password": password, "mount_point": "/people/"}
    return Login(options, {"password": WRONG}, "invalid username or password", "auth/people/login/ada")


@pytest.fixture(scope="session")
def ldap_login(server: Bao) -> Login:
    # This build of the server has no LDAP plugin. Its login is the same request to another mount.
    server.done("POST", "sys/auth/ldap", {"type": "userpass"})
    password = "ldap-canary-Yt8"
    server.done("POST", "auth/ldap/users/ada", {"password": password, "token_policies": ["one-key"]})
    options = {"username": "ada", "password": password}
    return Login(options, {"password": WRONG}, "invalid username or password", "auth/ldap/login/ada")


@pytest.fixture(scope="session")
def jwt_login(server: Bao) -> Login:
    issuer = Issuer()
    server.done("POST", "sys/auth/jwt", {"type": "jwt"})
    server.done("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [issuer.public_key]})
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["mlkeys"],
        "token_policies": ["one-key"],
    }
    server.done("POST", "auth/jwt/role/ci", role)
    claims = {"sub": "pipeline-7", "aud": "mlkeys"}
    options = {"role_id": "ci", "jwt": issuer.token(claims)}
    return Login(options, {"jwt": Issuer().token(claims)}, "error validating token", "auth/jwt/login")


@pytest.fixture(scope="session")
def kubernetes_login(server: Bao, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    issuer = Issuer()
    token = token_of_an_account(issuer)
    file = tmp_path_factory.mktemp("serviceaccount") / "token"
    file.write_text(f"{token}\n", encoding="utf-8")
    with cluster(server, authority, token, "kubernetes", ["one-key"]):
        options = {"role_id": "gateway", "kubernetes_token_path": str(file)}
        stolen = Issuer().token({"sub": "x", "kubernetes.io": ACCOUNT})
        yield Login(options, {"jwt": stolen}, "permission denied", "auth/kubernetes/login")


@pytest.fixture(scope="session")
def cert_login(server: Bao, secure_bao: SecureBao) -> Login:
    pair = secure_bao.authority.issue("gateway", client=True)
    server.done("POST", "sys/auth/cert", {"type": "cert"})
    trusted = {
        "certificate": secure_bao.authority.certificate.read_text(encoding="ascii"),
        "allowed_common_names": ["gateway"],
        "token_policies": ["one-key"],
    }
    server.done("POST", "auth/cert/certs/gateways", trusted)
    options = {
        "role_id": "gateways",
        "cert_auth_public_key": str(pair.certificate),
        "cert_auth_private_key": str(pair.key),
    }
    stranger = secure_bao.authority.issue("stranger", client=True)
    wrong = {"cert_auth_public_key": str(stranger.certificate), "cert_auth_private_key": str(stranger.key)}
    return Login(
        options, wrong, "no chain matching all constraints could be found for this login certificate", "auth/cert/login"
    )


LOGINS = ["approle", "userpass", "ldap", "jwt", "kubernetes", "cert"]
WITH_SECRETS = [method for method in LOGINS if method != "cert"]


@pytest.fixture
def login(request: pytest.FixtureRequest) -> Login:
    found: Login = request.getfixturevalue(f"{request.param}_login")
    return found


each_login = pytest.mark.parametrize(("method", "login"), [(m, m) for m in LOGINS], ids=LOGINS, indirect=["login"])
each_login_with_secrets = pytest.mark.parametrize(
    ("method", "login"), [(m, m) for m in WITH_SECRETS], ids=WITH_SECRETS, indirect=["login"]
)


@pytest.fixture
def key(server: Bao) -> Iterator[None]:
    """The key that the policy allows. It does not exist before, also if another test made it, and not afterwards."""
    delete(server, "ml")
    yield
    delete(server, "ml")


def delete(server: Bao, key: str) -> None:
    server.request("POST", f"transit/keys/{key}/config", {"deletion_allowed": True})
    server.request("DELETE", f"transit/keys/{key}")


def accessors(server: Bao) -> set[str]:
    """The accessors of all valid tokens."""
    return set(server.done("LIST", "auth/token/accessors")["data"]["keys"])


def run(method: str, options: dict[str, Any], *, env: dict[str, str] | None = None, **more: Any) -> ModuleResult:
    params = {"name": "ml", "auth_method": method, **options, **more}
    result = run_module("vault_transit_key", params, env=env)
    shown = json.dumps(result)
    assert "Traceback" not in shown
    for secret in ("token", "password", "secret_id", "jwt"):
        if params.get(secret):
            assert params[secret] not in shown
    return result


def refusal(method: str, login: Login) -> str:
    return f"The login with {method} at '{login.path}' was refused: {login.reason}"


# --- all methods ---


@each_login
def test_a_login_has_the_rights_of_its_policy_and_its_token_is_revoked(
    secure_bao: SecureBao, key: None, method: str, login: Login
) -> None:
    before = accessors(secure_bao.bao)
    where: dict[str, Any] = {"url": secure_bao.url, "ca_cert": secure_bao.ca_cert}
    result = run(method, login.options, **where)
    assert not result.failed, result.msg
    assert result.changed
    assert result.warnings == []
    assert accessors(secure_bao.bao) == before
    # The policy does not allow this key.
    denied = run(method, login.options, **where, name="other")
    assert denied.failed
    assert denied.msg.startswith("Permission denied: ")
    assert accessors(secure_bao.bao) == before, "a failing run revokes its token, too"


@each_login
def test_a_login_by_the_environment_alone(secure_bao: SecureBao, key: None, method: str, login: Login) -> None:
    env = {f"ANSIBLE_HASHI_VAULT_{name.upper()}": value for name, value in login.options.items()}
    env.update(BAO_ADDR=secure_bao.url, BAO_CACERT=secure_bao.ca_cert, ANSIBLE_HASHI_VAULT_AUTH_METHOD=method)
    result = run_module("vault_transit_key", {"name": "ml"}, env=env)
    assert not result.failed, result.msg
    assert not [secret for secret in login.secrets if secret in json.dumps(result)]


@each_login
def test_a_login_serves_lookups_and_commands(
    secure_bao: SecureBao, key: None, method: str, login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(secure_bao.bao, "transit")
    stored = vars_file(secure_bao.bao, "transit", {"token": "sk-login-canary-5Vb"})
    (tmp_path / "keys.transit.yml").write_text(stored, encoding="utf-8")
    env = {f"ANSIBLE_HASHI_VAULT_{name.upper()}": value for name, value in login.options.items()}
    env.update(BAO_ADDR=secure_bao.url, BAO_CACERT=secure_bao.ca_cert, ANSIBLE_HASHI_VAULT_AUTH_METHOD=method)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    before = accessors(secure_bao.bao)
    shown = CliRunner().invoke(main, ["show", "keys.transit.yml", "token", "--reveal", "--force"])
    assert (shown.stdout, shown.stderr) == ("sk-login-canary-5Vb", "")
    assert accessors(secure_bao.bao) == before
    plugin = lookup_plugin()
    sealed = json.loads(stored)["token"]
    assert plugin.run([sealed], {}, key="ml", backend="transit", context="token") == ["sk-login-canary-5Vb"]
    run_sessions().close()
    assert accessors(secure_bao.bao) == before


@each_login
def test_wrong_credentials_give_one_clear_sentence(secure_bao: SecureBao, method: str, login: Login) -> None:
    before = accessors(secure_bao.bao)
    where: dict[str, Any] = {"url": secure_bao.url, "ca_cert": secure_bao.ca_cert}
    result = run(method, {**login.options, **login.wrong}, **where)
    assert result.failed
    assert result.msg.startswith(refusal(method, login))
    file = login.wrong.get("cert_auth_public_key")
    of_certificate = f"the client certificate of cert_auth_public_key {file} on "
    suspect = of_certificate if file else "the credentials and mount_point. Asked: "
    assert f". Check {suspect}" in result.msg
    assert "\n" not in result.msg
    assert accessors(secure_bao.bao) == before


@each_login
def test_no_credentials_are_sent_to_an_unverified_server(secure_bao: SecureBao, method: str, login: Login) -> None:
    log = secure_bao.bao.audit_log
    size = log.stat().st_size
    result = run(method, login.options, url=secure_bao.url, env={"REQUESTS_CA_BUNDLE": ""})
    assert result.failed
    assert "its TLS certificate could not be verified" in result.msg
    assert log.stat().st_size == size, "the server was asked"


@each_login
def test_a_token_may_outlive_the_run(secure_bao: SecureBao, key: None, method: str, login: Login) -> None:
    server = secure_bao.bao
    before = accessors(server)
    result = run(method, login.options, url=secure_bao.url, ca_cert=secure_bao.ca_cert, token_revoke=False)
    assert not result.failed, result.msg
    [left] = accessors(server) - before
    server.done("POST", "auth/token/revoke-accessor", {"accessor": left})


@each_login
def test_an_auth_method_that_is_not_mounted(secure_bao: SecureBao, method: str, login: Login) -> None:
    where: dict[str, Any] = {"url": secure_bao.url, "ca_cert": secure_bao.ca_cert}
    result = run(method, {**login.options, "mount_point": "nope"}, **where)
    assert result.failed
    # Without a token, the server does not reveal what is mounted.
    path = login.path.replace(login.path.split("/")[1], "nope", 1)
    assert result.msg == (
        f"The login with {method} at '{path}' was refused: permission denied. Check the credentials and mount_point. "
        f"Asked: {secure_bao.url}, the root namespace. {NO_LOGIN}{secure_bao.url})."
    )


@each_login_with_secrets
def test_a_login_sends_no_token_of_the_environment(server: Bao, key: None, method: str, login: Login) -> None:
    env = dict.fromkeys(("BAO_TOKEN", "VAULT_TOKEN", "ANSIBLE_HASHI_VAULT_TOKEN"), "s.environment-canary")
    with relay(server.addr) as between:
        result = run(method, login.options, url=between.url, env=env)
    assert not result.failed, result.msg
    first, *others = between.passed
    assert (first.method, first.path, first.token) == ("POST", login.path, None)
    [token] = {request.token for request in others}
    assert token not in (None, "s.environment-canary")
    assert (others[-1].method, others[-1].path) == ("POST", "auth/token/revoke-self")


@each_login_with_secrets
def test_a_token_that_fails_validation_is_revoked(server: Bao, method: str, login: Login, key: None) -> None:
    # A failed validation must not leave a valid token behind.
    before = accessors(server)
    with relay(server.addr) as between:
        between.cuts = lambda request: request.path == "auth/token/lookup-self"
        result = run(method, login.options, url=between.url, token_validate=True)
    assert result.failed
    assert accessors(server) == before


@each_login_with_secrets
def test_a_validated_login(server: Bao, key: None, method: str, login: Login) -> None:
    with relay(server.addr) as between:
        result = run(method, login.options, url=between.url, token_validate=True)
    assert not result.failed, result.msg
    assert [request.path for request in between.passed[:2]] == [login.path, "auth/token/lookup-self"]


# --- token ---


@pytest.fixture
def make_token(server: Bao) -> Callable[[], str]:
    def make() -> str:
        body = {"policies": ["one-key"], "ttl": "1h"}
        return str(server.done("POST", "auth/token/create", body)["auth"]["client_token"])

    return make


def sent(server: Bao, options: dict[str, Any], env: dict[str, str] | None = None) -> set[str | None]:
    """The tokens that a run sends."""
    with relay(server.addr) as between:
        result = run("token", options, url=between.url, env=env)
    assert not result.failed, result.msg
    assert not [request for request in between.passed if "auth/" in request.path]
    return {request.token for request in between.passed}


def test_a_token_comes_from_the_option_then_the_environment_then_the_file(
    server: Bao, key: None, make_token: Callable[[], str], tmp_path: Path
) -> None:
    tokens = {name: make_token() for name in ("option", "ansible", "bao", "vault", "file")}
    (tmp_path / ".vault-token").write_text(tokens["file"] + "\n", encoding="utf-8")
    env = {
        "ANSIBLE_HASHI_VAULT_TOKEN": tokens["ansible"],
        "BAO_TOKEN": tokens["bao"],
        "VAULT_TOKEN": tokens["vault"],
        "HOME": str(tmp_path),
    }
    assert sent(server, {"token": tokens["option"]}, env) == {tokens["option"]}
    for variable, name in (("ANSIBLE_HASHI_VAULT_TOKEN", "ansible"), ("BAO_TOKEN", "bao"), ("VAULT_TOKEN", "vault")):
        assert sent(server, {}, env) == {tokens[name]}
        del env[variable]
    assert sent(server, {}, env) == {tokens["file"]}
    # None of them was revoked.
    assert [server.request("GET", "auth/token/lookup-self", token=token)[0] for token in tokens.values()] == [200] * 5


def test_the_token_file_can_be_elsewhere(server: Bao, key: None, make_token: Callable[[], str], tmp_path: Path) -> None:
    token = make_token()
    (tmp_path / "mine").write_text(f"  {token}\n\n", encoding="utf-8")
    assert sent(server, {"token_path": str(tmp_path), "token_file": "mine"}) == {token}
    env = {"ANSIBLE_HASHI_VAULT_TOKEN_PATH": str(tmp_path), "ANSIBLE_HASHI_VAULT_TOKEN_FILE": "mine"}
    assert sent(server, {}, env) == {token}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\xff\xfe", "it is not text"),
        (None, "it is a folder. Set it to the file of the token. Check: mlkeys doctor"),
    ],
)
def test_an_invalid_token_file(server: Bao, tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / ".vault-token"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    result = run("token", {"token_path": str(tmp_path)}, url=server.addr)
    assert result.failed
    assert result.msg == f"token_file {file}: {problem}."
    for variable in ("BAO_TOKEN_PATH", "VAULT_TOKEN_PATH"):
        result = run("token", {}, url=server.addr, env={variable: str(file)})
        assert result.msg == f"{variable} {file}: {problem}."


@pytest.mark.parametrize(
    ("bound", "claims"),
    [
        ({"bound_audiences": ["others"]}, {}),
        ({"bound_subject": "pipeline-8"}, {}),
        ({"bound_claims": {"ref": "main"}}, {"ref": "trunk"}),
    ],
)
def test_what_a_role_binds_is_shown_by_the_command_in_the_refusal(
    server: Bao, bound: dict[str, Any], claims: dict[str, str]
) -> None:
    issuer = Issuer()
    server.done("POST", "sys/auth/jobs", {"type": "jwt"})
    try:
        server.done("POST", "auth/jobs/config", {"jwt_validation_pubkeys": [issuer.public_key]})
        role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["mlkeys"], **bound}
        server.done("POST", "auth/jobs/role/ci", role)
        token = issuer.token({"sub": "pipeline-7", "aud": "mlkeys", **claims})
        result = run("jwt", {"role_id": "ci", "jwt": token, "mount_point": "jobs"}, url=server.addr)
    finally:
        server.done("DELETE", "sys/auth/jobs")
    assert result.failed
    assert result.msg.endswith(f" What the role binds: bao read -address={server.addr} auth/jobs/role/ci.")


def test_a_token_from_a_file_is_masked_in_the_result(
    server: Bao, key: None, tmp_path: Path, make_token: Callable[[], str]
) -> None:
    token = make_token()
    (tmp_path / ".vault-token").write_text(token, encoding="utf-8")
    # A name that holds the token puts it into messages.
    result = run("token", {"token_path": str(tmp_path)}, url=server.addr, name=f"x{token.replace('.', '_')}")
    assert result.failed
    assert token not in json.dumps(result)


# --- kubernetes ---


@pytest.mark.parametrize(("content", "problem"), [(None, "No such file or directory"), ("", "it is empty")])
def test_a_service_account_without_a_token(server: Bao, tmp_path: Path, content: str | None, problem: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    options = {"role_id": "gateway", "kubernetes_token_path": str(file)}
    result = run("kubernetes", options, url=server.addr)
    assert result.failed
    assert result.msg == f"kubernetes_token_path {file}: {problem}."


# --- cert ---


def test_a_client_certificate_that_cannot_be_read(secure_bao: SecureBao, tmp_path: Path) -> None:
    file = tmp_path / "no.pem"
    file.write_text("no certificate", encoding="utf-8")
    options = {"cert_auth_public_key": str(file), "cert_auth_private_key": str(file)}
    result = run("cert", options, url=secure_bao.url, ca_cert=secure_bao.ca_cert)
    assert result.failed
    assert result.msg == (
        f"cert_auth_public_key {file} and cert_auth_private_key {file} on {socket.gethostname()} are not a readable "
        "PEM certificate and its key without a password."
    )


@pytest.mark.parametrize(("days", "fault"), [(-3, "has expired at "), (3, "is not valid before "), (0, "is not for")])
def test_a_client_certificate_that_is_refused_is_named_with_its_fault(
    secure_bao: SecureBao, cert_login: Login, days: int, fault: str
) -> None:
    # One for today is for servers.
    pair = secure_bao.authority.issue(f"gateway{days}", client=bool(days), days=days)
    options = {"cert_auth_public_key": str(pair.certificate), "cert_auth_private_key": str(pair.key)}
    result = run("cert", {**cert_login.options, **options}, url=secure_bao.url, ca_cert=secure_bao.ca_cert)
    assert result.failed
    assert "The login with cert at 'auth/cert/login' was refused: " in result.msg
    named = f"cert_auth_public_key {pair.certificate} on {socket.gethostname()}, which {fault}"
    assert f". Check the client certificate of {named}" in result.msg
    assert "the server's log" not in result.msg
    assert "bao status" not in result.msg


def test_a_client_certificate_is_only_shown_for_its_own_method(
    secure_bao: SecureBao, cert_login: Login, approle_login: Login, key: None
) -> None:
    options = {**cert_login.options, **approle_login.options, "cert_auth_public_key": "/nowhere"}
    result = run("approle", options, url=secure_bao.url, ca_cert=secure_bao.ca_cert)
    assert not result.failed, result.msg


# --- none ---


@pytest.fixture(scope="session")
def proxy_url(server: Bao, approle_login: Login, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's own proxy, which logs in by itself and adds its token to requests without one."""
    folder = tmp_path_factory.mktemp("proxy")
    for name in ("role_id", "secret_id"):
        (folder / name).write_text(approle_login.options[name], encoding="utf-8")
    port = free_port()
    config = folder / "config.hcl"
    config.write_text(
        f"""
vault {{ address = "{server.addr}" }}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{folder}/role_id"
      secret_id_file_path = "{folder}/secret_id"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
api_proxy {{ use_auto_auth_token = true }}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
""",
        encoding="utf-8",
    )
    with started([_binary(), "proxy", f"-config={config}"], lambda: listens(port), folder):
        yield f"http://127.0.0.1:{port}"


def test_with_none_a_proxy_adds_the_token(proxy_url: str, server: Bao, key: None, tmp_path: Path) -> None:
    (tmp_path / ".vault-token").write_text("s.file-canary", encoding="utf-8")
    env = {"BAO_TOKEN": "s.environment-canary", "VAULT_TOKEN": "s.environment-canary", "HOME": str(tmp_path)}
    with relay(proxy_url) as between:
        result = run("none", {}, url=between.url, env=env)
    assert not result.failed, result.msg
    assert result.changed
    assert {request.token for request in between.passed} == {None}
    assert server.request("GET", "transit/keys/ml")[0] == 200


def test_with_none_and_no_proxy_there_is_not_token(server: Bao) -> None:
    result = run("none", {}, url=server.addr)
    assert result.failed
    assert result.msg.startswith(
        "Refused at 'transit/keys/ml': there is no token, and what listens at url adds none. Set token, BAO_TOKEN"
    )


def test_the_address_of_an_agent_is_enough(proxy_url: str, server: Bao, key: None, tmp_path: Path) -> None:
    env = {"BAO_AGENT_ADDR": proxy_url, "BAO_ADDR": "http://127.0.0.1:1", "HOME": str(tmp_path)}
    result = run("token", {}, env=env)
    assert not result.failed, result.msg
    assert result.changed


def test_an_agent_that_adds_no_token_is_named(server: Bao, tmp_path: Path) -> None:
    result = run("token", {}, env={"BAO_AGENT_ADDR": server.addr, "HOME": str(tmp_path)})
    assert result.msg.startswith("Refused at 'transit/keys/ml': there is no token, and what listens at url adds none.")
    # Without an agent, nothing is asked.
    result = run("token", {}, env={"BAO_ADDR": "http://127.0.0.1:1", "HOME": str(tmp_path)})
    assert result.msg.startswith("No token: set token, BAO_TOKEN")


def test_a_login_from_another_network_is_refused_in_plain_words(server: Bao) -> None:
    server.done("POST", "sys/auth/bound", {"type": "approle"})
    server.done("POST", "auth/bound/role/far", {"secret_id_bound_cidrs": "10.0.0.0/8"})
    role = server.done("GET", "auth/bound/role/far/role-id")["data"]["role_id"]
    secret = server.done("POST", "auth/bound/role/far/secret-id", {})["data"]["secret_id"]
    result = run("approle", {"mount_point": "bound", "role_id": role, "secret_id": secret}, url=server.addr)
    assert result.msg == (
        "The login with approle at 'auth/bound/login' was refused: source address \"127.0.0.1\" unauthorized by CIDR "
        "restrictions on the role. Check the credentials and mount_point. "
        f"Asked: {server.addr}, the root namespace. {NO_LOGIN}{server.addr})."
    )
    server.done("DELETE", "sys/auth/bound")
