# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Turn options into frozen settings: how to reach a server, and how to log in. **Private** to the collection.

Names, aliases and environment variables are those of community.hashi_vault, so that one configuration works for both.
After them come OpenBao's own variables (``BAO_*``), then Vault's (``VAULT_*``), as in OpenBao's client.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login

AUTH_METHODS = ("token", "approle", "userpass", "ldap", "jwt", "kubernetes", "cert", "none")

KUBERNETES_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount/token"

DEFAULT_TIMEOUT = 30


@dataclass(frozen=True)
class Option:
    """One connection or authentication option.

    Attributes:
        kind: the type in an Ansible argument spec.
        environment: the environment variables that set it; the first one wins.
        late: further ones, which rank below Ansible's own sources (variables, ini).
    """

    name: str
    kind: str = "str"
    default: Any = None
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    secret: bool = False
    environment: tuple[str, ...] = ()
    late: tuple[str, ...] = ()

    @property
    def all_environment(self) -> tuple[str, ...]:
        return self.environment + self.late


def _option(name: str, *, own: bool = True, **facts: Any) -> Option:
    return Option(name, environment=("ANSIBLE_HASHI_VAULT_" + name.upper(),) if own else (), **facts)


OPTIONS: tuple[Option, ...] = (
    Option("url", kind="raw", environment=("ANSIBLE_HASHI_VAULT_ADDR",), late=("BAO_ADDR", "VAULT_ADDR")),
    _option("namespace", late=("BAO_NAMESPACE", "VAULT_NAMESPACE")),
    _option("ca_cert", aliases=("cacert",), late=("BAO_CACERT", "VAULT_CACERT")),
    _option("validate_certs", own=False, kind="bool", late=("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY")),
    _option("timeout", kind="int"),
    _option("retries", kind="raw"),
    _option("retry_action", choices=("ignore", "warn"), default="warn"),
    _option("proxies", kind="raw"),
    _option("auth_method", choices=AUTH_METHODS, default="token"),
    _option("mount_point"),
    _option("token", secret=True, late=("BAO_TOKEN", "VAULT_TOKEN")),
    _option("token_path", late=("HOME",)),
    _option("token_file", default=".vault-token"),
    _option("token_validate", kind="bool", default=False),
    _option("token_revoke", kind="bool", default=True),
    _option("username"),
    _option("password", secret=True),
    _option("role_id"),
    _option("secret_id", secret=True),
    _option("jwt", secret=True),
    _option("kubernetes_token_path", default=KUBERNETES_TOKEN_PATH),
    _option("cert_auth_public_key"),
    _option("cert_auth_private_key"),
)

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "approle": ("role_id",),
    "userpass": ("username", "password"),
    "ldap": ("username", "password"),
    "jwt": ("role_id", "jwt"),
    "kubernetes": ("role_id",),
    "cert": ("cert_auth_public_key", "cert_auth_private_key"),
}


@dataclass(frozen=True)
class Connection:
    """How to reach the server.

    Attributes:
        url: the address, or those of a cluster's members, separated by commas.
        verify: ``True`` for the system's CA certificates, a path to others, ``False`` not to verify.
        retries: keyword arguments of `urllib3.util.Retry`; empty for no retries.
        timeout: seconds for one request.
    """

    url: str
    namespace: str = ""
    verify: bool | str = True
    client_certificate: tuple[str, str] | None = None
    timeout: int = DEFAULT_TIMEOUT
    retries: Mapping[str, Any] = field(default_factory=dict, hash=False)
    warn_on_retry: bool = True
    proxies: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(self.url.split(","))


@dataclass(frozen=True)
class Auth:
    """How to log in. Secrets do not show in the representation."""

    method: str = "token"
    mount_point: str = ""
    token: str = field(default="", repr=False)
    token_path: str = ""
    token_file: str = ""
    token_validate: bool = False
    token_revoke: bool = True
    username: str = ""
    password: str = field(default="", repr=False)
    role_id: str = ""
    secret_id: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)
    kubernetes_token_path: str = ""

    @property
    def secrets(self) -> list[str]:
        return [value for value in (self.token, self.password, self.secret_id, self.jwt) if value]


@dataclass(frozen=True)
class Settings:
    connection: Connection
    auth: Auth


def settings_from(options: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """The settings from options and, for those that are not set, from environment variables.

    Raises:
        InvalidOption: options are missing or invalid; all of them are named at once.
    """
    values = {option.name: _value(option, options.get(option.name), environment) for option in OPTIONS}
    problems = _problems(values)
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")
    return Settings(_connection(values), _auth(values))


def environment_options(given: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that environment variables set and that are not among the given ones."""
    found = {}
    for option in OPTIONS:
        if any(name in given for name in (option.name, *option.aliases)):
            continue
        # HOME is not a setting: another machine has another one.
        value = _environment_value(option, {**environment, "HOME": ""})
        if value is not None:
            found[option.name] = value
    return found


def _value(option: Option, given: Any, environment: Mapping[str, str]) -> Any:
    if given is not None and given != "":
        return given
    value = _environment_value(option, environment)
    return option.default if value is None else value


def _environment_value(option: Option, environment: Mapping[str, str]) -> Any:
    for variable in option.all_environment:
        text = str(environment.get(variable) or "")
        if text:
            return _from_environment(option, text)
    return None


_FALSE = ("0", "f", "false", "n", "no", "off")
_TRUE = ("1", "t", "true", "y", "yes", "on")


def _from_environment(option: Option, text: str) -> Any:
    if option.name == "validate_certs":
        # Only an explicit yes to "skip verification" turns verification off.
        return text.lower() not in _TRUE
    if option.kind == "bool":
        return text.lower() not in _FALSE
    if option.kind == "int":
        return int(text) if text.isdigit() else text
    return text


def _problems(values: Mapping[str, Any]) -> list[str]:
    problems = []
    addresses = _addresses(values["url"])
    if not addresses:
        problems.append("url is not set: set url, BAO_ADDR or VAULT_ADDR")
    problems += [
        f"url '{without_login(address)}' must start with https:// or http://"
        for address in addresses
        if not address.startswith(("http://", "https://"))
    ]
    method = values["auth_method"]
    if method not in AUTH_METHODS:
        problems.append(f"auth_method '{method}' is not one of {', '.join(AUTH_METHODS)}")
    missing = [name for name in _REQUIRED.get(method, ()) if not values[name]]
    if missing:
        problems.append(f"auth_method {method} requires {' and '.join(missing)}")
    timeout = values["timeout"]
    if timeout is not None and (not isinstance(timeout, int) or timeout < 1):
        problems.append("timeout must be a number of seconds, at least 1")
    for name, parse in (("retries", _retries), ("proxies", _proxies)):
        try:
            parse(values[name])
        except (TypeError, ValueError):
            problems.append(_MEANINGS[name])
    return problems


_MEANINGS = {
    "retries": "retries must be a number, or a dictionary of the arguments of urllib3.util.Retry",
    "proxies": "proxies must be a URL, or a dictionary of URL scheme to proxy URL",
}


def _connection(values: Mapping[str, Any]) -> Connection:
    verify: bool | str = values["validate_certs"] is not False
    if verify and values["ca_cert"]:
        verify = str(values["ca_cert"])
    certificate = None
    if values["auth_method"] == "cert":
        certificate = (values["cert_auth_public_key"], values["cert_auth_private_key"])
    return Connection(
        url=",".join(_addresses(values["url"])),
        namespace=str(values["namespace"] or "").strip("/"),
        verify=verify,
        client_certificate=certificate,
        timeout=values["timeout"] or DEFAULT_TIMEOUT,
        retries=_retries(values["retries"]),
        warn_on_retry=values["retry_action"] == "warn",
        proxies=_proxies(values["proxies"]),
    )


def _auth(values: Mapping[str, Any]) -> Auth:
    def text(name: str) -> str:
        return str(values[name] or "")

    return Auth(
        method=values["auth_method"],
        mount_point=text("mount_point").strip("/"),
        token=text("token").strip(),
        token_path=text("token_path"),
        token_file=text("token_file"),
        token_validate=bool(values["token_validate"]),
        token_revoke=bool(values["token_revoke"]),
        username=text("username"),
        password=text("password"),
        role_id=text("role_id"),
        secret_id=text("secret_id"),
        jwt=text("jwt").strip(),
        kubernetes_token_path=text("kubernetes_token_path"),
    )


def _addresses(value: Any) -> list[str]:
    """``https://a:8200``, ``https://a:8200,https://b:8200``, or a list of them, without repetitions."""
    texts = value if isinstance(value, (list, tuple)) else str(value or "").split(",")
    addresses = [str(text).strip().rstrip("/") for text in texts]
    return list(dict.fromkeys(address for address in addresses if address))


def _retries(value: Any) -> dict[str, Any]:
    """``3``, ``"3"``, ``{"total": 3, …}`` or the same as JSON; empty for no retries."""
    parsed = _json_or_text(value)
    if parsed is None or parsed is False:
        return {}
    if isinstance(parsed, dict):
        return parsed
    total = int(parsed)
    return {"total": total, "backoff_factor": 0.3} if total > 0 else {}


def _proxies(value: Any) -> dict[str, str] | None:
    """``http://proxy:3128`` for every scheme, ``{"https": …}``, or the same as JSON."""
    parsed = _json_or_text(value)
    if not parsed:
        return None
    if isinstance(parsed, dict):
        return {str(scheme): str(url) for scheme, url in parsed.items()}
    if not isinstance(parsed, str):
        raise ValueError
    return {"http": parsed, "https": parsed}


def _json_or_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    if value.lstrip().startswith("{"):
        return json.loads(value)
    return value.strip()
