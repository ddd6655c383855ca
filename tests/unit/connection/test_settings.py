# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How options and environment variables become settings."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import AUTH_METHODS, Option
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import (
    DEFAULT_TIMEOUT,
    OPTIONS,
    Settings,
    environment_options,
    settings_from,
)

URL = "https://bao.example.com:8200"

CREDENTIALS: dict[str, dict[str, str]] = {
    "token": {},
    "none": {},
    "approle": {"role_id": "r"},
    "userpass": {"username": "u", "password": "p"},
    "ldap": {"username": "u", "password": "p"},
    "jwt": {"role_id": "r", "jwt": "j"},
    "kubernetes": {"role_id": "r"},
    "aws_iam": {},
    "azure": {"role_id": "r"},
    "gcp": {"role_id": "r"},
    "cert": {"cert_auth_public_key": "/c.pem", "cert_auth_private_key": "/k.pem"},
}

TEXT_OPTIONS = [
    option for option in OPTIONS if option.kind == "str" and not option.choices and option.name != "rate_limit"
]


def settings(options: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> Settings:
    return settings_from({"url": URL, **(options or {})}, environment or {})


def shown(option: Option, made: Settings) -> object:
    """The setting that an option became."""
    if option.name in ("ca_cert", "ca_path"):
        return made.connection.verify
    if option.name in ("cert_auth_public_key", "client_cert"):
        return (made.connection.client_certificate or ("", ""))[0]
    if option.name in ("cert_auth_private_key", "client_key"):
        return (made.connection.client_certificate or ("", ""))[1]
    field = {"ca_cert_bytes": "ca_data", "tls_server_name": "server_name"}.get(option.name, option.name)
    return getattr(made.connection if hasattr(made.connection, field) else made.auth, field)


@pytest.mark.parametrize("option", TEXT_OPTIONS, ids=lambda option: str(option.name))
def test_the_option_comes_first_then_each_variable_in_its_order(option: Option) -> None:
    base = {"auth_method": "cert", **CREDENTIALS["cert"]} if option.name.startswith("cert_") else {}
    if option.name in ("client_cert", "client_key"):
        base = {"client_cert": "/c.pem", "client_key": "/k.pem"}
    base.pop(option.name, None)
    environment = {variable: f"from-{variable}" for variable in option.all_environment}
    assert shown(option, settings({**base, option.name: "given"}, environment)) == "given"
    for silence in (None, ""):
        left = dict(environment)
        for variable in option.all_environment:
            assert shown(option, settings({**base, option.name: silence}, left)) == f"from-{variable}"
            # An empty variable counts as unset.
            left[variable] = ""


def test_the_url_comes_from_ansible_then_the_agent_then_openbao_then_vault() -> None:
    left = {
        "ANSIBLE_HASHI_VAULT_ADDR": "https://ansible",
        "BAO_AGENT_ADDR": "https://bao-agent",
        "VAULT_AGENT_ADDR": "https://vault-agent",
        "BAO_ADDR": "https://bao",
        "VAULT_ADDR": "https://vault",
    }
    assert settings_from({"url": URL}, left).connection.url == URL
    for variable, url in list(left.items()):
        assert settings_from({}, left).connection.url == url
        del left[variable]


def test_the_names_of_all_variables() -> None:
    for option in OPTIONS:
        if option.name == "validate_certs":
            assert option.all_environment == ("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY")
            continue
        assert option.environment == (
            "ANSIBLE_HASHI_VAULT_ADDR" if option.name == "url" else f"ANSIBLE_HASHI_VAULT_{option.name.upper()}",
        )
        if option.name.startswith("aws_") or option.name in ("region", "jwt"):
            # Those of others: of AWS in the order of community.hashi_vault, and GitLab's.
            assert all(name.startswith(("EC2_", "AWS_")) or name == "VAULT_ID_TOKEN" for name in option.late)
            continue
        of_servers = [name for name in option.late if name not in ("HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")]
        # The server's own client reads a variable of OpenBao's, then the same of Vault's, then the next.
        openbao = of_servers[::2]
        assert of_servers[1::2] == [name.replace("BAO_", "VAULT_", 1) for name in openbao]
        assert all(name.startswith("BAO_") for name in openbao)


@pytest.mark.parametrize(
    ("given", "environment", "verify"),
    [
        (None, {}, True),
        (True, {}, True),
        (False, {}, False),
        (True, {"BAO_SKIP_VERIFY": "1"}, True),
        (False, {"BAO_SKIP_VERIFY": "0"}, False),
        *((None, {"BAO_SKIP_VERIFY": text}, False) for text in ("1", "t", "true", "TRUE", "yes", "y", "on")),
        *((None, {"BAO_SKIP_VERIFY": text}, True) for text in ("", "0", "f", "false", "no", "off", "maybe", "2")),
        (None, {"VAULT_SKIP_VERIFY": "true"}, False),
        (None, {"VAULT_SKIP_VERIFY": "false"}, True),
        (None, {"BAO_SKIP_VERIFY": "false", "VAULT_SKIP_VERIFY": "true"}, True),
        (None, {"BAO_SKIP_VERIFY": "true", "VAULT_SKIP_VERIFY": "false"}, False),
    ],
)
def test_only_an_explicit_yes_turns_verification_off(
    given: bool | None, environment: dict[str, str], verify: bool
) -> None:
    assert settings({"validate_certs": given}, environment).connection.verify is verify
    with_authority = settings({"validate_certs": given, "ca_cert": "/ca.pem"}, environment)
    assert with_authority.connection.verify == ("/ca.pem" if verify else False)


@pytest.mark.parametrize(
    ("value", "retries"),
    [
        (None, {}),
        ("", {}),
        (0, {}),
        ("0", {}),
        (False, {}),
        (3, {"total": 3, "backoff_factor": 0.3}),
        (" 3 ", {"total": 3, "backoff_factor": 0.3}),
        ({"total": 5}, {"total": 5}),
        ('{"total": 5, "backoff_factor": 1.5}', {"total": 5, "backoff_factor": 1.5}),
    ],
)
def test_the_forms_of_retries(value: object, retries: dict[str, object]) -> None:
    assert settings({"retries": value}).connection.retries == retries
    if isinstance(value, str):
        assert settings({}, {"ANSIBLE_HASHI_VAULT_RETRIES": value}).connection.retries == retries


@pytest.mark.parametrize("value", ["many", "3.5", "{total: 3}", [3]])
def test_invalid_retries(value: object) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"retries": value})
    assert error.value.message == ("retries must be a number, or a dictionary of the arguments of urllib3.util.Retry.")


@pytest.mark.parametrize(
    ("value", "proxies"),
    [
        (None, None),
        ("", None),
        ({}, None),
        ("http://proxy:3128", {"http": "http://proxy:3128", "https": "http://proxy:3128"}),
        ({"https": "http://proxy:3128"}, {"https": "http://proxy:3128"}),
        ('{"https": "http://proxy:3128"}', {"https": "http://proxy:3128"}),
    ],
)
def test_the_forms_of_proxies(value: object, proxies: dict[str, str] | None) -> None:
    assert settings({"proxies": value}).connection.proxies == proxies


@pytest.mark.parametrize("value", [5, ["http://proxy:3128"], "{https: x}"])
def test_invalid_proxies(value: object) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"proxies": value})
    assert error.value.message == "proxies must be a URL, or a dictionary of URL scheme to proxy URL."


@pytest.mark.parametrize(
    ("given", "environment", "timeout"),
    [(None, {}, DEFAULT_TIMEOUT), (5, {}, 5), (None, {"ANSIBLE_HASHI_VAULT_TIMEOUT": "7"}, 7)],
)
def test_the_timeout(given: int | None, environment: dict[str, str], timeout: int) -> None:
    assert settings({"timeout": given}, environment).connection.timeout == timeout


@pytest.mark.parametrize(
    ("given", "environment"),
    [
        (0, {}),
        (-1, {}),
        ("soon", {}),
        (None, {"ANSIBLE_HASHI_VAULT_TIMEOUT": "soon"}),
        (None, {"ANSIBLE_HASHI_VAULT_TIMEOUT": "0"}),
        (None, {"ANSIBLE_HASHI_VAULT_TIMEOUT": "-1"}),
    ],
)
def test_an_invalid_timeout(given: object, environment: dict[str, str]) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"timeout": given}, environment)
    variable = next(iter(environment), "")
    more = f"; timeout ({variable}) is '{environment[variable]}'" if variable else ""
    assert error.value.message == f"timeout must be a number of seconds, at least 1{more}."


@pytest.mark.parametrize("method", AUTH_METHODS)
def test_each_method_accepts_its_credentials(method: str) -> None:
    made = settings({"auth_method": method, **CREDENTIALS[method]})
    assert made.auth.method == method
    certificate = ("/c.pem", "/k.pem") if method == "cert" else None
    assert made.connection.client_certificate == certificate


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("approle", "auth_method approle requires role_id."),
        ("userpass", "auth_method userpass requires username and password."),
        ("ldap", "auth_method ldap requires username and password."),
        ("jwt", "auth_method jwt requires role_id and jwt."),
        ("kubernetes", "auth_method kubernetes requires role_id."),
        ("cert", "auth_method cert requires cert_auth_public_key and cert_auth_private_key."),
        ("azure", "auth_method azure requires role_id."),
        ("gcp", "auth_method gcp requires role_id."),
        *(
            (word, f"auth_method '{word}' is not one of {', '.join(AUTH_METHODS)}{hint}.")
            for word, hint in (
                ("aprole", " (Did you mean 'approle'?)"),
                ("app-role", " (Did you mean 'approle'?)"),
                ("aws", " (Did you mean 'aws_iam'?)"),
                ("K8S", ""),
            )
        ),
    ],
)
def test_a_method_names_its_missing_credentials(method: str, message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"auth_method": method})
    assert error.value.message == message


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(InvalidOption) as error:
        settings_from(
            {"url": "bao.example.com", "auth_method": "ldap", "timeout": -1, "retries": "x", "proxies": 1}, {}
        )
    assert error.value.message == (
        "url 'bao.example.com' must start with https://, http:// or unix://; auth_method ldap requires username and "
        "password; timeout must be a number of seconds, at least 1; retries must be a number, or a dictionary of the "
        "arguments of urllib3.util.Retry; proxies must be a URL, or a dictionary of URL scheme to proxy URL."
    )


def test_a_url_is_required() -> None:
    with pytest.raises(InvalidOption) as error:
        settings_from({}, {})
    assert error.value.message == "url is not set: set url, BAO_ADDR or VAULT_ADDR."


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("url", f"{URL}/", URL),
        ("namespace", "/team-a/vision/", "team-a/vision"),
        ("mount_point", "/ldap-of-berlin/", "ldap-of-berlin"),
        ("token", " s.abc\n", "s.abc"),
        ("jwt", "a.b.c\n", "a.b.c"),
        ("password", " with blanks ", " with blanks "),
        ("secret_id", " with blanks ", " with blanks "),
    ],
)
def test_trimmed_values(name: str, given: str, kept: str) -> None:
    made = settings({name: given})
    part = made.connection if name in ("url", "namespace") else made.auth
    assert getattr(part, name) == kept


def test_no_secret_shows_in_the_representation() -> None:
    secrets = {option.name: f"secret-{option.name}" for option in OPTIONS if option.secret}
    made = settings({**secrets, "auth_method": "token"})
    assert sorted(made.auth.secrets) == sorted(secrets.values())
    assert "secret-" not in repr(made)
    assert URL in repr(made)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("token_validate", "true", True),
        ("token_validate", "no", False),
        ("token_revoke", "0", False),
        ("token_revoke", "1", True),
        ("token_revoke", "off", False),
    ],
)
def test_booleans_in_the_environment(name: str, text: str, value: bool) -> None:
    assert getattr(settings({}, {f"ANSIBLE_HASHI_VAULT_{name.upper()}": text}).auth, name) is value


def test_defaults() -> None:
    made = settings()
    assert made.connection.namespace == ""
    assert made.connection.warn_on_retry
    assert made.auth.method == "token"
    assert made.auth.token_file == ".vault-token"
    assert made.auth.kubernetes_token_path == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert not made.auth.token_validate
    assert made.auth.token_revoke


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("HTTPS://Bao.example.com:8200", "https://Bao.example.com:8200"),
        ("https://bao.example.com:8200/v1", "https://bao.example.com:8200"),
        ("https://bao.example.com:8200/v1/", "https://bao.example.com:8200"),
        ("https://example.com/bao/", "https://example.com/bao"),
        ("unix:///run/bao.sock", "unix:///run/bao.sock"),
        ("unix:///run/v1", "unix:///run"),
    ],
)
def test_what_people_copy_with_an_address(given: str, address: str) -> None:
    assert settings({"url": given}).connection.url == address


@pytest.mark.parametrize("given", ["unix://run/bao.sock", "ftp://bao", "bao.example.com:8200"])
def test_an_address_of_another_kind(given: str) -> None:
    with pytest.raises(InvalidOption, match="must start with https://, http:// or unix://"):
        settings({"url": given})


AUTHORITIES = {"ca_cert": "/file.pem", "ca_cert_bytes": "PEM", "ca_path": "/folder"}


@pytest.mark.parametrize(
    ("names", "verify", "text"),
    [
        (("ca_cert", "ca_cert_bytes", "ca_path"), "/file.pem", ""),
        (("ca_cert_bytes", "ca_path"), True, "PEM"),
        (("ca_path",), "/folder", ""),
        ((), True, ""),
    ],
)
def test_certificates_of_authorities_in_the_order_of_the_servers_client(
    names: tuple[str, ...], verify: bool | str, text: str
) -> None:
    chosen = {name: AUTHORITIES[name] for name in names}
    for made in (
        settings(chosen),
        settings({}, {f"ANSIBLE_HASHI_VAULT_{name.upper()}": chosen[name] for name in names}),
    ):
        assert (made.connection.verify, made.connection.ca_data) == (verify, text)
    unverified = settings({**chosen, "validate_certs": False}).connection
    assert (unverified.verify, unverified.ca_data) == (False, "")


def test_a_client_certificate_without_its_key() -> None:
    for option in ("client_cert", "client_key"):
        with pytest.raises(InvalidOption, match="client_cert and client_key must be set together"):
            settings({option: "/one.pem"})


def test_the_certificate_of_the_connection_also_logs_in() -> None:
    both = {"client_cert": "/c.pem", "client_key": "/k.pem"}
    assert settings({"auth_method": "cert", **both}).connection.client_certificate == ("/c.pem", "/k.pem")
    of_login = {"cert_auth_public_key": "/login.pem", "cert_auth_private_key": "/login.key"}
    assert settings({"auth_method": "cert", **both, **of_login}).connection.client_certificate == (
        "/login.pem",
        "/login.key",
    )


@pytest.mark.parametrize(("given", "namespace"), [(None, None), ("", None), ("/", ""), ("org/", "org"), ("a/b", "a/b")])
def test_the_namespace_of_the_login(given: str | None, namespace: str | None) -> None:
    assert settings({"auth_namespace": given, "namespace": "team"}).connection.auth_namespace == namespace


@pytest.mark.parametrize(("given", "seconds"), [("90", 90), ("2s", 2), ("1m30s", 90)])
def test_the_timeout_of_the_servers_client_is_a_duration(given: str, seconds: int) -> None:
    assert settings({}, {"BAO_CLIENT_TIMEOUT": given}).connection.timeout == seconds


@pytest.mark.parametrize("given", ["abc", "0.5s", "-1"])
def test_a_timeout_that_is_not_a_number_of_seconds(given: str) -> None:
    with pytest.raises(InvalidOption, match="timeout must be a number of seconds, at least 1"):
        settings({}, {"BAO_CLIENT_TIMEOUT": given})


@pytest.mark.parametrize(
    ("given", "rate"), [(None, None), ("", None), ("10", (10.0, 10)), ("0.5", (0.5, 1)), ("10:20", (10.0, 20))]
)
def test_the_forms_of_a_rate_limit(given: str | None, rate: tuple[float, int] | None) -> None:
    assert settings({"rate_limit": given}).connection.rate == rate
    assert settings({}, {"VAULT_RATE_LIMIT": given or ""}).connection.rate == rate


@pytest.mark.parametrize("given", ["fast", "0", "-1", "nan", "inf", "10:0", "10:1.5", "1:2:3"])
def test_an_invalid_rate_limit(given: str) -> None:
    with pytest.raises(InvalidOption, match="rate_limit must be requests for each second"):
        settings({"rate_limit": given})


def test_what_belongs_to_the_machine_is_not_sent_to_another_one() -> None:
    environment = {
        "HOME": "/root",
        "SSL_CERT_FILE": "/etc/ssl/cert.pem",
        "SSL_CERT_DIR": "/etc/ssl",
        "BAO_CAPATH": "/ca",
    }
    assert settings({}, {"SSL_CERT_FILE": "/etc/ssl/cert.pem"}).connection.verify == "/etc/ssl/cert.pem"
    assert environment_options({}, environment) == {"ca_path": "/ca"}
