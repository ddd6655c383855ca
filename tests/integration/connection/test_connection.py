# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of modules when the server is unreachable, another one, not ready, or denies a request."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import SecureBao
from tests.integration.support.relay import relay, serving
from tests.integration.support.runs import Ledger, bad_token, converge, denied, no_engine, refused, run
from tests.integration.support.tls import Authority
from tests.support.core import CORE
from tests.support.modules import ModuleResult, run_module
from tests.support.server import Bao

TOKEN = "s.connection-canary-Vx4"

MODULES: dict[str, dict[str, Any]] = {
    "vault_transit_backend": {"path": "transit"},
    "vault_transit_key": {"name": "ml"},
    "vault_transit_key_info": {"name": "ml"},
}

PATHS = {
    "vault_transit_backend": "sys/mounts/transit",
    "vault_transit_key": "transit/keys/ml",
    "vault_transit_key_info": "transit/keys/ml",
}


def status(url: str) -> str:
    return f"Check: bao status -address={url}."


def unreached(url: str) -> str:
    return f"Check url (BAO_AGENT_ADDR, BAO_ADDR, VAULT_ADDR) and that the server is running. {status(url)}"


each_module = pytest.mark.parametrize("module", MODULES)


def failing(module: str, **params: Any) -> str:
    """The message of a run that fails, without a trace of the token or of Python."""
    result = run_module(module, {**MODULES[module], "token": TOKEN, **params})
    assert result.failed
    assert not result.changed
    shown = json.dumps(result)
    assert TOKEN not in shown
    assert "Traceback" not in shown
    assert "exception" not in result
    assert result.warnings == []
    return result.msg


# --- no server, or another one ---


NO_URL = (
    "url is not set: set url (ANSIBLE_HASHI_VAULT_ADDR, BAO_AGENT_ADDR, VAULT_AGENT_ADDR, BAO_ADDR, VAULT_ADDR, the "
    "variable ansible_hashi_vault_url or url under [hashi_vault_collection] of ansible.cfg)."
)


@each_module
def test_no_url(module: str) -> None:
    assert failing(module) == NO_URL


@each_module
def test_a_url_without_a_scheme(module: str) -> None:
    assert failing(module, url="127.0.0.1:8200") == "url '127.0.0.1:8200' must start with https://, http:// or unix://."


@each_module
def test_all_invalid_options_are_reported_at_once(module: str) -> None:
    assert failing(module, url="bao", auth_method="ldap", timeout=-1, retries="x", proxies=[1]) == (
        "timeout is '-1', but must be a number of seconds, or a duration such as 1m30s or 500ms. retries is 'x', but "
        "must be 0 or more, or a dictionary of the arguments of urllib3.util.Retry. proxies must be a URL, or a "
        "dictionary of URL scheme to proxy URL, which begin with http:// or https:// (SOCKS is not supported). "
        "url 'bao' must start with https://, http:// or unix://; auth_method ldap requires username "
        "(ANSIBLE_HASHI_VAULT_USERNAME or the variable ansible_hashi_vault_username) and password "
        "(ANSIBLE_HASHI_VAULT_PASSWORD or the variable ansible_hashi_vault_password)."
    )


@each_module
def test_retries_with_unknown_arguments(bao: Bao, module: str) -> None:
    assert failing(module, url=bao.addr, retries={"times": 3}) == (
        "retries: invalid arguments for urllib3.util.Retry. Check their names and values."
    )


@each_module
def test_a_refused_connection(module: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert failing(module, url=url) == f"Cannot reach the server at {url}: connection refused. {unreached(url)}"


class WebServer(BaseHTTPRequestHandler):
    """Another server, which sends a web page."""

    kind = "text/html"
    status = 200
    body = b"<html><body>Welcome</body></html>"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST = do_LIST = do_DELETE = answer  # noqa: N815  the names are the base class's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  so is this one
        pass


class JsonApi(WebServer):
    kind = "application/json"
    status = 404
    body = b'{"message": "not found"}'


@each_module
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("server", [WebServer, JsonApi])
def test_another_web_server(module: str, server: type[WebServer], state: str) -> None:
    # Its 404 must not be mistaken for a missing key.
    wanted = {"state": state} if module != "vault_transit_key_info" else {}
    with serving(server) as url:
        assert failing(module, url=url, **wanted) == (
            f"The server at {url} is not Vault or OpenBao (HTTP {server.status}, {server.kind}). "
            "Check url (BAO_ADDR), and what listens on its port. Check: mlkeys doctor."
        )


def test_no_response_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        message = failing("vault_transit_key", url=url, timeout=1)
        assert time.monotonic() - begun < 5
    assert message == f"Cannot reach the server at {url}: no response within 1 seconds. {unreached(url)}"


# --- TLS ---


@each_module
def test_http_to_an_https_port(secure_bao: SecureBao, module: str) -> None:
    url = secure_bao.url.replace("https://", "http://")
    assert failing(module, url=url) == (
        f"The server at {url} expects HTTPS. Start url (BAO_ADDR) with https://. Check: mlkeys doctor."
    )


@each_module
def test_https_to_an_http_port(bao: Bao, module: str) -> None:
    url = bao.addr.replace("http://", "https://")
    assert failing(module, url=url) == (
        f"Cannot reach the server at {url}: it does not use TLS. Start url with http://, or correct the port. "
        f"{status(url)}"
    )


@each_module
def test_an_unknown_ca(secure_bao: SecureBao, module: str) -> None:
    message = failing(module, url=secure_bao.url)
    assert message.startswith(
        f"Cannot reach the server at {secure_bao.url}: its TLS certificate could not be verified ("
    )
    assert "unable to get local issuer certificate" in message
    ending = "). Set ca_cert (BAO_CACERT, VAULT_CACERT) to the certificate of the CA that signed it. "
    assert message.endswith(ending + status(secure_bao.url))


@each_module
def test_a_certificate_for_another_host(secure_bao: SecureBao, module: str) -> None:
    url = f"https://localhost:{secure_bao.port}"
    message = failing(module, url=url, ca_cert=secure_bao.ca_cert)
    assert message.startswith(
        f"Cannot reach the server at {url}: its TLS certificate could not be verified: it is for another"
    )
    assert "Hostname mismatch, certificate is not valid for 'localhost'" in message


@each_module
@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_unreadable_ca_certificates(secure_bao: SecureBao, module: str, content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    fault = "does not exist" if content is None else "is not a readable file of PEM certificates"
    assert failing(module, url=secure_bao.url, ca_cert=str(file)) == (
        f"ca_cert {file} {fault} on {socket.gethostname()}."
    )


@each_module
def test_a_damaged_certificate_beside_good_ones(secure_bao: SecureBao, module: str, tmp_path: Path) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"
    stranger = Authority(tmp_path, "stranger").certificate.read_text(encoding="ascii")
    # What the server is verified with is found, or the rest is: both are read.
    for beside, reached in ((Path(secure_bao.ca_cert).read_text(encoding="ascii"), True), (stranger, False)):
        file = tmp_path / "bundle.pem"
        file.write_text(damaged + beside, encoding="ascii")
        message = failing(module, url=secure_bao.url, ca_cert=str(file), token="s.wrong")
        said = f"Certificate 1 of ca_cert {file} on {socket.gethostname()} cannot be read, and is left out."
        assert ("does not accept the token" in message) == reached
        assert (said in message) != reached


@each_module
def test_a_client_certificate_that_has_expired(secure_bao: SecureBao, module: str) -> None:
    pair = secure_bao.authority.issue("expired", client=True, days=-3)
    own = {"client_cert": str(pair.certificate), "client_key": str(pair.key)}
    message = failing(
        module, url=f"https://127.0.0.1:{secure_bao.client_port}", ca_cert=secure_bao.ca_cert, retries=0, **own
    )
    assert f"client_cert {pair.certificate} on {socket.gethostname()}, which has expired at 20" in message


CA = "the certificate of the private CA"


@pytest.mark.parametrize(
    ("options", "env"),
    [
        ({"ca_cert": CA}, {}),
        ({"cacert": CA}, {}),
        ({"ca_cert": CA, "validate_certs": True}, {"BAO_SKIP_VERIFY": "true"}),
        ({}, {"ANSIBLE_HASHI_VAULT_CA_CERT": CA, "BAO_CACERT": "/nowhere"}),
        ({}, {"BAO_CACERT": CA, "VAULT_CACERT": "/nowhere"}),
        ({}, {"VAULT_CACERT": CA}),
        ({"validate_certs": False}, {}),
        ({}, {"BAO_SKIP_VERIFY": "true"}),
        ({}, {"VAULT_SKIP_VERIFY": "1"}),
        # Another library's variable does not override the option.
        ({"ca_cert": CA}, {"REQUESTS_CA_BUNDLE": "/etc/hostname"}),
        ({"ca_cert": CA}, {"CURL_CA_BUNDLE": "/etc/hostname"}),
        ({"ca_cert": CA, "retries": 2}, {}),
        ({"validate_certs": False, "retries": 2}, {}),
    ],
)
def test_a_private_ca_is_trusted_if_it_is_named(
    secure_bao: SecureBao, options: dict[str, Any], env: dict[str, str]
) -> None:
    options = {name: secure_bao.ca_cert if value == CA else value for name, value in options.items()}
    env = {name: secure_bao.ca_cert if value == CA else value for name, value in env.items()}
    result = run_module(
        "vault_transit_key_info", {"url": secure_bao.url, "token": secure_bao.bao.token, **options}, env=env
    )
    assert not result.failed, result.msg
    assert result.warnings == []


@pytest.mark.parametrize(
    "env", [{}, {"REQUESTS_CA_BUNDLE": "{ca}"}, {"BAO_SKIP_VERIFY": "false"}, {"BAO_SKIP_VERIFY": ""}]
)
def test_verification_is_only_turned_off_explicitly(secure_bao: SecureBao, env: dict[str, str]) -> None:
    other = secure_bao.authority.issue("someone-else")
    env = {name: value.format(ca=secure_bao.ca_cert) for name, value in env.items()}
    result = run_module(
        "vault_transit_key_info",
        {"url": secure_bao.url, "token": secure_bao.bao.token, "ca_cert": str(other.certificate)},
        env=env,
    )
    assert result.failed
    assert "its TLS certificate could not be verified" in result.msg


# --- not ready ---


@each_module
def test_a_sealed_server(sealed_url: str, module: str) -> None:
    assert failing(module, url=sealed_url) == (
        f"The server is not ready for '{PATHS[module]}': Vault is sealed. Unseal it (bao operator unseal, vault "
        "operator unseal), or wait until a node is active. "
        f"Asked: {sealed_url}, the root namespace. {status(sealed_url)}"
    )


@each_module
def test_an_uninitialised_server(uninitialised_url: str, module: str) -> None:
    message = failing(module, url=uninitialised_url)
    assert message.startswith("The server is not ready for '")
    assert "Vault is sealed" in message


# --- denied ---


@each_module
@pytest.mark.parametrize("validate", [False, True])
def test_a_wrong_token(bao: Bao, module: str, validate: bool) -> None:
    ledger = Ledger(bao)
    path = "auth/token/lookup-self" if validate else PATHS[module]
    assert failing(module, url=bao.addr, token_validate=validate) == bad_token(bao, path)
    assert ledger.writes == []


def token(bao: Bao, **facts: object) -> str:
    return str(bao.done("POST", "auth/token/create", {"policies": ["root"], **facts})["auth"]["client_token"])


@each_module
def test_a_revoked_token(bao: Bao, module: str) -> None:
    revoked = token(bao)
    bao.done("POST", "auth/token/revoke", {"token": revoked})
    assert refused(bao, module, **MODULES[module], token=revoked) == bad_token(bao, PATHS[module])


def test_an_expired_token(bao: Bao) -> None:
    expired = token(bao, ttl="1s", no_parent=True)
    deadline = time.monotonic() + 10
    while bao.request("GET", "auth/token/lookup-self", token=expired)[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert refused(bao, "vault_transit_key", name="ml", token=expired) == bad_token(bao, "transit/keys/ml")


def test_a_used_up_token(bao: Bao, mount: str) -> None:
    once = token(bao, num_uses=1)
    result = run(bao, "vault_transit_key", name="ml", backend=mount, token=once)
    assert result.failed
    assert not result.changed
    assert result.msg == bad_token(bao, f"{mount}/keys/ml")


def test_no_token_at_all(bao: Bao, tmp_path: Path) -> None:
    result = run_module("vault_transit_key", {"url": bao.addr, "name": "ml", "token_path": str(tmp_path)})
    assert result.failed
    assert result.msg == (
        "No token: set token, BAO_TOKEN or VAULT_TOKEN, log in with mlkeys login, bao or vault so that "
        f"{tmp_path}/.vault-token exists, or choose another auth_method."
    )


@each_module
def test_a_missing_namespace(bao: Bao, module: str) -> None:
    assert refused(bao, module, **MODULES[module], namespace="nowhere") == (
        "The namespace 'nowhere' does not exist on this server. Check namespace (or BAO_NAMESPACE, VAULT_NAMESPACE). "
        f"Asked: {bao.addr}. Check: bao namespace list -address={bao.addr} -namespace=/."
    )


def test_a_missing_engine(bao: Bao) -> None:
    assert refused(bao, "vault_transit_key", name="ml", backend="no/such", state="absent") == no_engine(
        bao, "no/such/keys/ml"
    )


def test_a_missing_engine_may_be_predicted_by_check_mode(bao: Bao) -> None:
    predicted = run(bao, "vault_transit_key", check=True, name="ml", backend="no/such")
    assert predicted.changed
    assert predicted.warnings == [
        "The engine 'no/such' is not enabled. Without check mode this fails unless an earlier task enables it."
    ]
    assert run(bao, "vault_transit_key", name="ml", backend="no/such").msg == no_engine(bao, "no/such/keys/ml")


def test_each_denial_names_capability_and_path(bao: Bao, mount: str, mint_token: Callable[[str], str]) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})

    def limited_to(grant: str, module: str = "vault_transit_key", **params: Any) -> ModuleResult:
        limited = mint_token(grant.replace("MOUNT", mount))
        return run(bao, module, **{"name": "ml", "backend": mount, "token": limited, **params})

    nothing = 'path "nothing" { capabilities = ["read"] }'
    reading = 'path "MOUNT/keys/+" { capabilities = ["read"] }'
    configuring = reading + ' path "MOUNT/keys/+/config" { capabilities = ["update"] }'
    keys = f"{mount}/keys"
    cases = [
        (limited_to(nothing), "read", f"{keys}/ml"),
        (limited_to(nothing, "vault_transit_key_info"), "read", f"{keys}/ml"),
        (limited_to(nothing, "vault_transit_key_info", name=None), "list", keys),
        (limited_to(reading, name="new"), "update", f"{keys}/new"),
        (limited_to(reading, exportable=True), "update", f"{keys}/ml/config"),
        (limited_to(configuring, rotate_older_than="0"), "update", f"{keys}/ml/rotate"),
    ]
    for result, capability, path in cases:
        assert result.failed
        assert not result.changed
        assert result.msg == denied(bao, capability, path)
    # The token may make the key deletable, but not delete it: the message lists what was done.
    result = limited_to(configuring, state="absent", force=True)
    assert result.failed
    assert result.changed
    assert result.msg == denied(bao, "delete", f"{keys}/ml") + " Already done: deletion_allowed was set."


# --- lost responses ---


@pytest.mark.parametrize("retries", [None, 3])
def test_a_rotation_whose_response_is_lost_is_done_once(bao: Bao, mount: str, retries: int | None) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})
    with relay(bao.addr) as between:
        between.cuts = lambda request: request.path.endswith("/rotate")
        result = run(
            bao,
            "vault_transit_key",
            url=between.url,
            name="ml",
            backend=mount,
            rotate_older_than="0",
            retries=retries,
        )
        rotations = [request for request in between.passed if request.path.endswith("/rotate")]
    assert not result.failed, result.msg
    assert result.changed
    assert result["key"]["latest_version"] == 2
    assert len(rotations) == 1
    assert bao.done("GET", f"{mount}/keys/ml")["data"]["latest_version"] == 2


def test_a_server_that_disappears_after_a_rotation(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})
    with relay(bao.addr) as between:
        between.cuts = lambda _request: any(request.path.endswith("/rotate") for request in between.passed)
        result = run(bao, "vault_transit_key", url=between.url, name="ml", backend=mount, rotate_older_than="0")
        url = between.url
    assert result.failed
    assert result.msg == (
        f"Cannot reach the server at {url}: the connection was lost. {unreached(url)} Key 'ml' may have been "
        "rotated or not: read it before trying again."
    )


def test_other_requests_whose_responses_are_lost_are_repeated(bao: Bao, mount: str) -> None:
    with relay(bao.addr) as between:
        lost: set[tuple[str, str]] = set()

        def first_time(request: Any) -> bool:
            seen = (request.method, request.path) in lost
            lost.add((request.method, request.path))
            return not seen

        between.cuts = first_time
        result = run(
            bao,
            "vault_transit_key",
            url=between.url,
            name="ml",
            backend=mount,
            deletion_allowed=True,
            retries={"total": 2, "backoff_factor": 0},
        )
        asked = [(request.method, request.path) for request in between.passed]
    assert asked == [
        *[("GET", f"{mount}/keys/ml")] * 2,
        *[("POST", f"{mount}/keys/ml")] * 2,
        *[("POST", f"{mount}/keys/ml/config")] * 2,
    ]
    assert not result.failed, result.msg
    assert result["key"]["deletion_allowed"]
    # Since core 2.19 Ansible shows the same warning only once.
    times = 3 if CORE < (2, 19) else 1
    assert [warning.partition(":")[0] for warning in result.warnings] == ["Retrying"] * times


def test_a_lost_response_is_an_error_without_retries(bao: Bao, mount: str) -> None:
    with relay(bao.addr) as between:
        between.cuts = lambda request: request.method == "POST"
        result = run(bao, "vault_transit_key", url=between.url, name="ml", backend=mount)
        assert result.failed
        assert (
            result.msg == f"Cannot reach the server at {between.url}: the connection was lost. {unreached(between.url)}"
        )
    converge(bao, "vault_transit_key", name="ml", backend=mount)


# --- proxies ---


class Proxy(WebServer):
    """A proxy that refuses requests and records them."""

    asked: list[str]
    status = 502
    body = b"refused"

    def answer(self) -> None:
        type(self).asked.append(self.path)
        super().answer()

    do_GET = answer  # noqa: N815  the name is the base class's


@pytest.mark.parametrize("form", ["{url}", '{{"http": "{url}"}}'])
def test_a_proxy_is_used(form: str) -> None:
    Proxy.asked = []
    with serving(Proxy) as url:
        failing("vault_transit_key", url="http://bao.invalid:8200", proxies=form.format(url=url))
    assert Proxy.asked == ["http://bao.invalid:8200/v1/transit/keys/ml"]


# --- the missing library ---


@contextlib.contextmanager
def without(library: str) -> Iterator[None]:
    """As on a host where a library is not installed."""
    import sys
    from importlib.abc import MetaPathFinder
    from unittest import mock

    class Missing(MetaPathFinder):
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002
            if fullname.partition(".")[0] == library:
                raise ModuleNotFoundError(name=library)

    left = {name: module for name, module in sys.modules.items() if name.partition(".")[0] != library}
    with (
        mock.patch.dict(sys.modules, left, clear=True),
        mock.patch.object(sys, "meta_path", [Missing(), *sys.meta_path]),
    ):
        yield


@each_module
def test_a_missing_library_is_named_as_ansible_does(module: str) -> None:
    with without("hvac"):
        message = failing(module, url="http://127.0.0.1:1")
    assert message.startswith("Failed to import the required Python library (hvac) on ")
    assert "ansible_python_interpreter. Install it: pip install hvac; " in message
