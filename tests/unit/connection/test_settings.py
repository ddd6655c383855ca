# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How options and environment variables become settings."""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import messages
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import AUTH_METHODS, Option
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.client_certificates import TEXTS
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.timeouts import DEFAULT_TIMEOUT
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import (
    OPTIONS,
    Settings,
    environment_options,
    read_environment,
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
        of_machine = [path for _variable, path in made.connection.ca_of_machine]
        return of_machine[0] if made.connection.verify is True else made.connection.verify
    if option.name in ("cert_auth_public_key", "client_cert"):
        return (made.connection.client_certificate or ("", ""))[0]
    if option.name in TEXTS:
        return (made.connection.client_certificate_texts or ("", ""))[TEXTS.index(option.name)]
    if option.name in ("cert_auth_private_key", "client_key"):
        return (made.connection.client_certificate or ("", ""))[1]
    field = {"ca_cert_bytes": "ca_data", "tls_server_name": "server_name"}.get(option.name, option.name)
    return getattr(made.connection if hasattr(made.connection, field) else made.auth, field)


@pytest.mark.parametrize("option", TEXT_OPTIONS, ids=lambda option: str(option.name))
def test_the_option_comes_first_then_each_variable_in_its_order(option: Option) -> None:
    base = {"auth_method": "cert", **CREDENTIALS["cert"]} if option.name.startswith("cert_") else {}
    if option.name in ("client_cert", "client_key"):
        base = {"client_cert": "/c.pem", "client_key": "/k.pem"}
    if option.name in TEXTS:
        base = dict.fromkeys(TEXTS, "PEM")
    base.pop(option.name, None)
    environment = {variable: f"from-{variable}" for variable in option.all_environment}
    assert shown(option, settings({**base, option.name: "given"}, environment)) == "given"
    for silence in (None, ""):
        left = dict(environment)
        for variable in option.all_environment:
            assert shown(option, settings({**base, option.name: silence}, left)) == f"from-{variable}"
            # An empty variable sets nothing, but one of OpenBao's hides Vault's.
            left[variable] = ""
            if variable.startswith("BAO_"):
                assert option.variable_in(left) != variable.replace("BAO_", "VAULT_", 1)
                del left[variable]


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
        *((None, {"BAO_SKIP_VERIFY": text}, False) for text in ("1", "t", "true", "TRUE")),
        *((None, {"BAO_SKIP_VERIFY": text}, True) for text in ("", "0", "f", "false")),
        *((None, {"ANSIBLE_HASHI_VAULT_VALIDATE_CERTS": text}, False) for text in ("0", "no", "False", "off")),
        *((None, {"ANSIBLE_HASHI_VAULT_VALIDATE_CERTS": text}, True) for text in ("1", "yes", "True", "on")),
        (None, {"ANSIBLE_HASHI_VAULT_VALIDATE_CERTS": "true", "BAO_SKIP_VERIFY": "true"}, True),
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


@pytest.mark.parametrize("given", [None, True, False])
@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(("BAO_SKIP_VERIFY", text) for text in ("abc", "yes", "on", "2")),
        ("VAULT_SKIP_VERIFY", "y"),
        ("ANSIBLE_HASHI_VAULT_VALIDATE_CERTS", "ture"),
        ("ANSIBLE_HASHI_VAULT_TOKEN_REVOKE", "maybe"),
        ("ANSIBLE_HASHI_VAULT_TOKEN_VALIDATE", "ja"),
    ],
)
def test_a_flag_that_is_misspelt_is_refused(given: bool | None, variable: str, text: str) -> None:
    """Also where Ansible has read it already, as false."""
    (option,) = (option for option in OPTIONS if variable in option.all_environment)
    said = f"{option.name} ({variable}) is '{text}', but must be true or false."
    with pytest.raises(InvalidOption) as error:
        settings({option.name: given}, {variable: text})
    assert error.value.message == said
    with pytest.raises(InvalidOption) as error:
        environment_options({}, {variable: text})
    assert error.value.message == said


def test_all_values_that_are_misread_are_named_at_once() -> None:
    flags = {"VAULT_SKIP_VERIFY": "yes", "ANSIBLE_HASHI_VAULT_TOKEN_VALIDATE": "ja"}
    with pytest.raises(InvalidOption) as error:
        environment_options({}, flags)
    assert all(error.value.message.count(name) == 1 for name in flags)
    _options, refused = read_environment({}, flags)
    with pytest.raises(InvalidOption) as error:
        settings_from({}, {**flags, "BAO_CLIENT_TIMEOUT": "abc"}, ["retries is bad.", *refused])
    for text in ("retries is bad.", *flags, "BAO_CLIENT_TIMEOUT", "url is not set"):
        assert error.value.message.count(text) == 1


def test_an_empty_variable_of_openbao_hides_that_of_vault() -> None:
    hidden = {"BAO_ADDR": "", "VAULT_ADDR": URL}
    with pytest.raises(InvalidOption, match="url is not set"):
        settings_from({}, hidden)
    assert environment_options({}, hidden) == {}
    with_helper = {"HOME": "/h", "BAO_CONFIG_PATH": "", "VAULT_CONFIG_PATH": "/other"}
    assert settings({"token_path": "/h"}, with_helper).auth.client_configs == ("/h/.bao", "/h/.vault")
    assert settings({}, {"BAO_SKIP_VERIFY": "", "VAULT_SKIP_VERIFY": "true"}).connection.verify is True


@pytest.mark.parametrize(
    ("options", "environment", "by_agent"),
    [
        ({}, {"BAO_ADDR": URL}, False),
        ({}, {"BAO_AGENT_ADDR": "http://127.0.0.1:8100/", "BAO_ADDR": URL}, True),
        ({}, {"VAULT_AGENT_ADDR": "http://127.0.0.1:8100"}, True),
        ({"url": "http://127.0.0.1:8100"}, {"VAULT_AGENT_ADDR": "http://127.0.0.1:8100"}, True),
        ({"url": URL}, {"VAULT_AGENT_ADDR": "http://127.0.0.1:8100"}, False),
        ({"url": "unix:///run/agent.sock"}, {}, True),
        ({}, {"BAO_AGENT_ADDR": "", "VAULT_AGENT_ADDR": URL, "BAO_ADDR": URL}, False),
    ],
)
def test_an_agent_may_have_a_token_of_its_own(
    options: dict[str, str], environment: dict[str, str], by_agent: bool
) -> None:
    assert settings_from(options, environment).auth.by_agent is by_agent


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://bao:8200/v1/sys", "https://bao:8200"),
        ("https://bao:8200/v1/sys/health/", "https://bao:8200"),
        ("https://gate/bao/v1/transit/keys/a", "https://gate/bao"),
        ("https://bao:8200/ui", "https://bao:8200"),
        ("https://bao:8200/ui/vault/secrets", "https://bao:8200"),
    ],
)
def test_the_path_of_a_request_does_not_belong_to_an_address(url: str, base: str) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"url": url})
    assert error.value.message == f"url '{url.rstrip('/')}' has the path of a request: set it to {base}."


@pytest.mark.parametrize("url", ["https://me:hunter2@bao:8200/?token=SECRET", "https://bao:8200#SECRET"])
def test_a_query_does_not_belong_to_an_address(url: str) -> None:
    with pytest.raises(
        InvalidOption, match=r"url 'https://bao:8200/?' has a query after it: set it to https://bao:8200\."
    ):
        settings({"url": url})


@pytest.mark.parametrize("url", ["https://gate/bao", "https://bao:8200/v1", "https://gate/ui-team/bao", "https://v1/"])
def test_the_path_of_a_gateway_belongs_to_an_address(url: str) -> None:
    assert settings({"url": url}).connection.url == url.rstrip("/").removesuffix("/v1" if url.endswith("0/v1") else "")


@pytest.mark.parametrize(
    ("value", "retries"),
    [
        (None, {}),
        ("", {}),
        (0, {}),
        ("0", {}),
        (False, {}),
        (3, 3),
        (" 3 ", 3),
        ({"total": 5}, {"total": 5}),
        ('{"total": 5, "backoff_factor": 1.5}', {"total": 5, "backoff_factor": 1.5}),
    ],
)
def test_the_forms_of_retries(value: object, retries: dict[str, object] | int) -> None:
    assert settings({"retries": value}).connection.retries == retries
    if isinstance(value, str):
        assert settings({}, {"ANSIBLE_HASHI_VAULT_RETRIES": value}).connection.retries == retries


@pytest.mark.parametrize("value", ["many", "3.5", "-1", -1, "{total: 3}", [3]])
def test_invalid_retries(value: object) -> None:
    said = " must be 0 or more, or a dictionary of the arguments of urllib3.util.Retry."
    shown = "" if value in ("{total: 3}", [3]) else f" is '{value}', but"
    with pytest.raises(InvalidOption) as error:
        settings({"retries": value})
    assert error.value.message == f"retries{shown}{said}"
    if isinstance(value, str) and value[0] != "{":
        with pytest.raises(InvalidOption) as error:
            settings({}, {"BAO_MAX_RETRIES": value})
        assert error.value.message == f"retries (BAO_MAX_RETRIES){shown}{said}"


@pytest.mark.parametrize(
    ("value", "proxies"),
    [
        (None, ["", ""]),
        ("", ["", ""]),
        ({}, ["", ""]),
        ("http://proxy:3128", ["http://proxy:3128", "http://proxy:3128"]),
        ("proxy:3128", ["http://proxy:3128", "http://proxy:3128"]),
        ({"https": "http://proxy:3128"}, ["", "http://proxy:3128"]),
        ('{"https": "http://proxy:3128"}', ["", "http://proxy:3128"]),
    ],
)
def test_the_forms_of_proxies(value: object, proxies: list[str]) -> None:
    made = settings({"proxies": value}).connection.proxies
    assert [made.of("http://bao:1"), made.of("https://bao:1")] == proxies


PROXIES = (
    "proxies{} must be a URL, or a dictionary of URL scheme to proxy URL, which begin with http:// or https:// "
    "(SOCKS is not supported)."
)


@pytest.mark.parametrize(
    "value", [5, ["http://proxy:3128"], "{https: x}", "socks5://u:p@proxy:1080", {"https": "socks5h://proxy"}]
)
def test_invalid_proxies(value: object) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"proxies": value})
    assert error.value.message == PROXIES.format("")


def test_a_proxy_of_socks_is_named_by_its_variable() -> None:
    with pytest.raises(InvalidOption) as error:
        settings({}, {"BAO_HTTP_PROXY": "socks5://u:p@proxy:1080"})
    assert error.value.message == PROXIES.format(" (BAO_HTTP_PROXY)")
    with pytest.raises(InvalidOption) as error:
        settings({}, {"https_proxy": "socks5://u:p@proxy:1080"})
    assert error.value.message == "https_proxy must begin with http:// or https:// (SOCKS is not supported)."
    elsewhere = {"https_proxy": "socks5://proxy:1080", "NO_PROXY": "example.com", "ALL_PROXY": "socks5://proxy:1080"}
    assert settings({}, elsewhere).connection.proxies.of(URL) == ""


@pytest.mark.parametrize(
    ("given", "environment", "timeout"),
    [(None, {}, DEFAULT_TIMEOUT), (5, {}, 5), (None, {"ANSIBLE_HASHI_VAULT_TIMEOUT": "7"}, 7)],
)
def test_the_timeout(given: int | None, environment: dict[str, str], timeout: int) -> None:
    assert settings({"timeout": given}, environment).connection.timeout == timeout


@pytest.mark.parametrize(
    ("given", "environment"),
    [
        (-1, {}),
        ("soon", {}),
        (True, {}),
        *((None, {"ANSIBLE_HASHI_VAULT_TIMEOUT": text}) for text in ("soon", "-1", "-5s", "1.5", "1e400")),
        (None, {"BAO_CLIENT_TIMEOUT": "abc"}),
    ],
)
def test_an_invalid_timeout(given: object, environment: dict[str, str]) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"timeout": given}, environment)
    variable = next(iter(environment), "")
    place = f" ({variable})" if variable else ""
    assert error.value.message == (
        f"timeout{place} is '{environment.get(variable, given)}', but must be a number of seconds, or a duration "
        "such as 1m30s or 500ms."
    )


def in_all_places(name: str, *variables: str) -> str:
    """An option, and all that sets it for Ansible."""
    return (
        f"{name} ({', '.join([f'ANSIBLE_HASHI_VAULT_{name.upper()}', *variables])}, the variable "
        f"ansible_hashi_vault_{name} or {name} under [hashi_vault_collection] of ansible.cfg)"
    )


ROLE = in_all_places("role_id")
USER = (
    "username (ANSIBLE_HASHI_VAULT_USERNAME or the variable ansible_hashi_vault_username) and password "
    "(ANSIBLE_HASHI_VAULT_PASSWORD or the variable ansible_hashi_vault_password)"
)


@pytest.mark.parametrize("method", AUTH_METHODS)
def test_each_method_accepts_its_credentials(method: str) -> None:
    made = settings({"auth_method": method, **CREDENTIALS[method]})
    assert made.auth.method == method
    certificate = ("/c.pem", "/k.pem") if method == "cert" else None
    assert made.connection.client_certificate == certificate


@pytest.mark.parametrize(
    ("method", "message"),
    [
        *((method, f"auth_method {method} requires {ROLE}.") for method in ("approle", "kubernetes", "azure", "gcp")),
        ("userpass", f"auth_method userpass requires {USER}."),
        ("ldap", f"auth_method ldap requires {USER}."),
        (
            "jwt",
            (
                f"auth_method jwt requires {ROLE} and jwt (ANSIBLE_HASHI_VAULT_JWT, VAULT_ID_TOKEN or the variable "
                "ansible_hashi_vault_jwt)."
            ),
        ),
        (
            "cert",
            (
                f"auth_method cert requires {in_all_places('cert_auth_public_key')} and "
                f"{in_all_places('cert_auth_private_key')}, or client_cert and client_key (BAO_CLIENT_CERT and "
                "BAO_CLIENT_KEY)."
            ),
        ),
        *(
            (word, f"auth_method is '{word}', but must be one of {', '.join(AUTH_METHODS)}.{hint}")
            for word, hint in (
                ("aprole", " Did you mean 'approle'?"),
                ("app-role", " Did you mean 'approle'?"),
                ("aws", " Did you mean 'aws_iam'?"),
                ("K8S", ""),
            )
        ),
    ],
)
def test_a_method_names_its_missing_credentials(method: str, message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"auth_method": method})
    assert error.value.message == message


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"GITHUB_ACTIONS": "true"},
            (
                ": this job of GitHub Actions may not request one (ACTIONS_ID_TOKEN_REQUEST_URL and "
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN not set), so give it the permission 'id-token: write'."
            ),
        ),
        (
            {"GITLAB_CI": "true", "VAULT_ID_TOKEN": ""},
            ": this job of GitLab has none in VAULT_ID_TOKEN, so declare that under id_tokens of the job.",
        ),
        (
            {"CI": "true"},
            " (ANSIBLE_HASHI_VAULT_JWT, VAULT_ID_TOKEN or the variable ansible_hashi_vault_jwt).",
        ),
    ],
)
def test_a_job_without_its_jwt_learns_what_is_missing(environment: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        settings({"auth_method": "jwt", "role_id": "ci"}, environment)
    assert error.value.message == f"auth_method jwt requires jwt{message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"auth_method": "ldap", "username": "ada"},
            "auth_method ldap requires password (ANSIBLE_HASHI_VAULT_PASSWORD)",
        ),
        (
            {"auth_method": "approle"},
            (
                "auth_method approle requires role_id (--role, ANSIBLE_HASHI_VAULT_ROLE_ID or role_id under "
                "[hashi_vault_collection] of ansible.cfg)"
            ),
        ),
        (
            {"client_cert": "/c.pem"},
            (
                "client_cert and client_key must be set together: set client_key (ANSIBLE_HASHI_VAULT_CLIENT_KEY, "
                "BAO_CLIENT_KEY, VAULT_CLIENT_KEY or client_key under [hashi_vault_collection] of ansible.cfg)"
            ),
        ),
        (
            {"auth_method": "aws_iam", "aws_secret_key": "s"},
            (
                "aws_access_key and aws_secret_key must be set together: set aws_access_key "
                "(ANSIBLE_HASHI_VAULT_AWS_ACCESS_KEY, EC2_ACCESS_KEY or AWS_ACCESS_KEY)"
            ),
        ),
    ],
)
def test_a_command_names_what_sets_a_missing_option_there(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        settings_from({"url": URL, **options}, {}, flags={"role_id": "--role"})
    assert error.value.message == f"{message}."


def test_a_variable_with_a_misspelt_choice_is_named() -> None:
    with pytest.raises(InvalidOption) as error:
        settings({}, {"ANSIBLE_HASHI_VAULT_RETRY_ACTION": "wran"})
    assert error.value.message == (
        "retry_action (ANSIBLE_HASHI_VAULT_RETRY_ACTION) is 'wran', but must be one of ignore, warn. "
        "Did you mean 'warn'?"
    )


@pytest.mark.parametrize("name", ["auth_method", "validate_certs", "retry_action", "timeout", "retries", "rate_limit"])
@pytest.mark.parametrize("by_variable", [False, True])
def test_a_secret_in_the_place_of_another_value_is_not_repeated(name: str, by_variable: bool) -> None:
    secret = token_urlsafe()
    given, variable = {name: secret}, f"ANSIBLE_HASHI_VAULT_{name.upper()}"
    with pytest.raises(InvalidOption) as error:
        settings(*(({}, {variable: secret}) if by_variable else (given,)))
    assert error.value.message.startswith(f"{name} ({variable}) must be " if by_variable else f"{name} must be ")
    assert secret not in error.value.message


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(InvalidOption) as error:
        settings_from(
            {"url": "bao.example.com", "auth_method": "ldap", "timeout": -1, "retries": "x", "proxies": 1}, {}
        )
    assert error.value.message == (
        "timeout is '-1', but must be a number of seconds, or a duration such as 1m30s or 500ms. retries is 'x', "
        f"but must be 0 or more, or a dictionary of the arguments of urllib3.util.Retry. {PROXIES.format('')} "
        f"url 'bao.example.com' must start with https://, http:// or unix://; auth_method ldap requires {USER}."
    )


NO_URL = (
    "url is not set: set url (ANSIBLE_HASHI_VAULT_ADDR, BAO_AGENT_ADDR, VAULT_AGENT_ADDR, BAO_ADDR, VAULT_ADDR, the "
    "variable ansible_hashi_vault_url or url under [hashi_vault_collection] of ansible.cfg)."
)


def test_a_message_gives_the_address_to_commands_that_would_ask_another_server() -> None:
    here, other = "https://a.test", "https://b.test"
    command = "Check: bao list -namespace=org sys/x."
    for environment, needed in (
        ({"BAO_ADDR": f"{here}/"}, False),
        ({"BAO_AGENT_ADDR": here, "BAO_ADDR": other}, False),
        ({"VAULT_ADDR": other}, True),
        ({"BAO_ADDR": f"{here},{other}"}, True),
        ({}, True),
    ):
        connection = settings_from({"url": here}, environment).connection
        said = messages.check(connection.place(here, "org"), "list", "sys/x")
        assert said == (command.replace("list", f"list -address={here}") if needed else command)
    assert not settings_from({"url": "https://127.0.0.1:8200"}, {}).connection.place("https://127.0.0.1:8200", "")[2]


def test_a_url_is_required() -> None:
    with pytest.raises(InvalidOption) as error:
        settings_from({}, {})
    assert error.value.message == NO_URL


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
    made = settings({**secrets, "auth_method": "token", "client_cert_bytes": "PEM"})
    assert sorted(made.secrets) == sorted(secrets.values())
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


@pytest.mark.parametrize("given", ["http://[::1", "https://bao:port", "https://me:hunter2@bao:70000"])
def test_an_address_that_is_none(given: str) -> None:
    with pytest.raises(InvalidOption, match="is not an address: write it as https://HOST:PORT") as refused:
        settings({"url": given})
    assert "hunter2" not in str(refused.value)


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
    texts = {"client_cert_bytes": "CERTIFICATE", "client_key_bytes": "KEY"}
    made = settings({"auth_method": "cert", **texts}).connection
    assert (made.client_certificate, made.client_certificate_texts) == (None, ("CERTIFICATE", "KEY"))
    both = {"client_cert": "/c.pem", "client_key": "/k.pem"}
    assert settings({**both, **texts}).connection.client_certificate_texts is None
    assert settings({"auth_method": "cert", **both}).connection.client_certificate == ("/c.pem", "/k.pem")
    of_login = {"cert_auth_public_key": "/login.pem", "cert_auth_private_key": "/login.key"}
    assert settings({"auth_method": "cert", **both, **of_login}).connection.client_certificate == (
        "/login.pem",
        "/login.key",
    )


@pytest.mark.parametrize(("given", "namespace"), [(None, None), ("", None), ("/", ""), ("org/", "org"), ("a/b", "a/b")])
def test_the_namespace_of_the_login(given: str | None, namespace: str | None) -> None:
    assert settings({"auth_namespace": given, "namespace": "team"}).connection.auth_namespace == namespace


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        *(("90", 90), ("2s", 2), ("1m30s", 90), ("0.5s", 0.5), ("500ms", 0.5), ("1.5s", 1.5), ("1d", 86400)),
        *((".5m", 30), ("1.s", 1), ("+1h", 3600), ("5000us", 0.005), ("5000\u00b5s", 0.005), ("5000000ns", 0.005)),
        *(("0", DEFAULT_TIMEOUT), ("0s", DEFAULT_TIMEOUT)),
    ],
)
def test_the_timeout_of_the_servers_client_is_a_duration(given: str, seconds: float) -> None:
    assert settings({}, {"BAO_CLIENT_TIMEOUT": given}).connection.timeout == seconds


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        (None, None),
        ("", None),
        ("0", None),
        ("10", (10.0, 10)),
        ("0.5", (0.5, 1)),
        ("10:20", (10.0, 20)),
        ("10:0", (10.0, 1)),
    ],
)
def test_the_forms_of_a_rate_limit(given: str | None, rate: tuple[float, int] | None) -> None:
    assert settings({"rate_limit": given}).connection.rate == rate
    assert settings({}, {"VAULT_RATE_LIMIT": given or ""}).connection.rate == rate


@pytest.mark.parametrize("given", ["fast", "-1", "nan", "inf", "10:1.5", "1:2:3", "10:", "1_0", " 10"])
def test_an_invalid_rate_limit(given: str) -> None:
    with pytest.raises(InvalidOption, match=r"^rate_limit \(BAO_RATE_LIMIT\) is '.+', but must be requests for"):
        settings({}, {"BAO_RATE_LIMIT": given})


def test_what_belongs_to_the_machine_is_not_sent_to_another_one() -> None:
    environment = {
        "HOME": "/root",
        "SSL_CERT_FILE": "/etc/ssl/cert.pem",
        "SSL_CERT_DIR": "/etc/ssl",
        "BAO_CAPATH": "/ca",
    }
    named = settings({}, {"SSL_CERT_FILE": "/etc/ssl/cert.pem"}).connection.ca_of_machine
    assert named == (("SSL_CERT_FILE", "/etc/ssl/cert.pem"),)
    assert environment_options({}, environment) == {"ca_path": "/ca"}


@pytest.mark.parametrize("variable", ["BAO_PROXY_ADDR", "VAULT_HTTP_PROXY"])
@pytest.mark.parametrize("given", ["127.0.0.1:21720", "proxy"])
def test_a_proxy_of_the_client_without_a_scheme(variable: str, given: str) -> None:
    with pytest.raises(InvalidOption, match=rf"^proxies \({variable}\) must be a URL.+ begin with http:// or https://"):
        settings({}, {variable: given})


@pytest.mark.parametrize("given", [".", ".s", "+", "1.", "-1s", "1..s", "++1s", "1 s"])
def test_what_go_does_not_read_as_a_duration(given: str) -> None:
    with pytest.raises(InvalidOption, match="BAO_CLIENT_TIMEOUT"):
        settings({}, {"BAO_CLIENT_TIMEOUT": given})


@pytest.mark.parametrize("name", ["namespace", "auth_namespace", "tls_server_name", "aws_iam_server_id"])
def test_a_header_or_a_name_of_two_lines_is_refused_without_its_value(name: str) -> None:
    with pytest.raises(InvalidOption, match=rf"^{name} (?:\(\w+\) )?must be ") as refused:
        settings({name: "team-a-of-the-organisation\nX-Evil: 1"})
    assert "team-a" not in refused.value.message
