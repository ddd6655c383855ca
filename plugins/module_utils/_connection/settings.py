# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Turn options into frozen settings: how to reach a server, and how to log in. **Private** to the collection.

Names, aliases and environment variables are those of community.hashi_vault, so that one configuration works for both.
After them come OpenBao's own variables (``BAO_*``), then Vault's (``VAULT_*``), as in OpenBao's client.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import (
    LOGIN_OPTIONS,
    Auth,
    Option,
    login_of,
    login_problems,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import named as _option
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.pace import rate_of
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import without_login
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import parse_duration

DEFAULT_TIMEOUT = 30


# Not settings of a run: another machine has others.
_AUTHORITIES_OF_THE_MACHINE = ("SSL_CERT_FILE", "SSL_CERT_DIR")

OPTIONS: tuple[Option, ...] = (
    Option(
        "url",
        kind="raw",
        environment=("ANSIBLE_HASHI_VAULT_ADDR",),
        late=("BAO_AGENT_ADDR", "VAULT_AGENT_ADDR", "BAO_ADDR", "VAULT_ADDR"),
    ),
    _option("namespace", late=("BAO_NAMESPACE", "VAULT_NAMESPACE")),
    _option("auth_namespace"),
    _option("ca_cert", aliases=("cacert",), late=("BAO_CACERT", "VAULT_CACERT")),
    _option("ca_cert_bytes", late=("BAO_CACERT_BYTES", "VAULT_CACERT_BYTES")),
    _option("ca_path", late=("BAO_CAPATH", "VAULT_CAPATH", *_AUTHORITIES_OF_THE_MACHINE)),
    _option("client_cert", late=("BAO_CLIENT_CERT", "VAULT_CLIENT_CERT")),
    _option("client_key", late=("BAO_CLIENT_KEY", "VAULT_CLIENT_KEY")),
    _option("tls_server_name", late=("BAO_TLS_SERVER_NAME", "VAULT_TLS_SERVER_NAME")),
    _option("validate_certs", own=False, kind="bool", late=("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY")),
    _option("timeout", kind="raw", late=("BAO_CLIENT_TIMEOUT", "VAULT_CLIENT_TIMEOUT")),
    _option("retries", kind="raw", late=("BAO_MAX_RETRIES", "VAULT_MAX_RETRIES")),
    _option("retry_action", choices=("ignore", "warn"), default="warn"),
    _option("rate_limit", late=("BAO_RATE_LIMIT", "VAULT_RATE_LIMIT")),
    _option("proxies", kind="raw", late=("BAO_PROXY_ADDR", "VAULT_PROXY_ADDR", "BAO_HTTP_PROXY", "VAULT_HTTP_PROXY")),
    *LOGIN_OPTIONS,
)


@dataclass(frozen=True)
class Connection:
    """How to reach the server.

    Attributes:
        url: the address, or those of a cluster's members, separated by commas.
        auth_namespace: where the auth method is mounted, ``None`` for ``namespace``.
        verify: ``True`` for the system's CA certificates, a path to others, ``False`` not to verify.
        ca_folders: folders with more of them, beside the path.
        ca_data: CA certificates as PEM text, instead of the system's.
        server_name: the name that the server's certificate must have, empty for that of the address.
        retries: keyword arguments of `urllib3.util.Retry`; empty for no retries.
        timeout: seconds for one request.
        rate: requests for each second, and how many at once; ``None`` for no limit.
    """

    url: str
    namespace: str = ""
    auth_namespace: str | None = None
    verify: bool | str = True
    ca_folders: tuple[str, ...] = ()
    ca_data: str = ""
    server_name: str = ""
    client_certificate: tuple[str, str] | None = None
    timeout: float = DEFAULT_TIMEOUT
    retries: Mapping[str, Any] = field(default_factory=dict, hash=False)
    warn_on_retry: bool = True
    rate: tuple[float, int] | None = None
    proxies: Mapping[str, str] | None = field(default=None, hash=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(self.url.split(","))


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
    if values["auth_method"] == "cert" and not values["cert_auth_public_key"]:
        values["cert_auth_public_key"], values["cert_auth_private_key"] = values["client_cert"], values["client_key"]
    values["timeout"] = _seconds(values["timeout"])
    problems = _problems(values, environment)
    if problems:
        raise InvalidOption(f"{'; '.join(problems)}.")
    return Settings(_with_folder_of_machine(_connection(values), environment), login_of(values, environment))


def environment_options(given: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that environment variables set and that are not among the given ones."""
    found = {}
    variables = {**environment, **dict.fromkeys(_AUTHORITIES_OF_THE_MACHINE, "")}
    for option in OPTIONS:
        if any(name in given for name in (option.name, *option.aliases)):
            continue
        own = {**variables, **dict.fromkeys(option.late, "")} if option.of_machine else variables
        value = _environment_value(option, own)
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


def _seconds(value: Any) -> Any:
    """Whole seconds of a number or a duration such as ``2s``, which the server's client takes; others unchanged."""
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except ValueError:
        return value


_FALSE = ("0", "f", "false", "n", "no", "off")
_TRUE = ("1", "t", "true", "y", "yes", "on")


def _from_environment(option: Option, text: str) -> Any:
    if option.name == "validate_certs":
        # Only an explicit yes to "skip verification" turns verification off.
        return text.lower() not in _TRUE
    if option.kind == "bool":
        return text.lower() not in _FALSE
    return text


def _timeout_problem(timeout: Any, environment: Mapping[str, str]) -> str:
    """What is wrong with it, and the variable that sets it, if one does."""
    names = next(option for option in OPTIONS if option.name == "timeout").all_environment
    variable = next((name for name in names if environment.get(name) == str(timeout)), "")
    named = f"; timeout ({variable}) is '{timeout}'" if variable else ""
    return f"timeout must be a number of seconds, at least 1{named}"


def _problems(values: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    problems = []
    addresses = _addresses(values["url"])
    if not addresses:
        problems.append("url is not set: set url, BAO_ADDR or VAULT_ADDR")
    problems += [
        f"url '{without_login(address)}' must start with https://, http:// or unix://"
        for address in addresses
        if not address.startswith(("http://", "https://", "unix:///"))
    ]
    problems += login_problems(values, environment)
    if bool(values["client_cert"]) != bool(values["client_key"]):
        problems.append("client_cert and client_key must be set together")
    timeout = values["timeout"]
    if timeout is not None and (not isinstance(timeout, int) or timeout < 1):
        problems.append(_timeout_problem(timeout, environment))
    for name, parse in (("retries", _retries), ("proxies", _proxies), ("rate_limit", rate_of)):
        try:
            parse(values[name])
        except (TypeError, ValueError, RecursionError):
            problems.append(_MEANINGS[name])
    return problems


_MEANINGS = {
    "retries": "retries must be a number, or a dictionary of the arguments of urllib3.util.Retry",
    "rate_limit": "rate_limit must be requests for each second, or those and a burst, such as 10:20",
    "proxies": "proxies must be a URL, or a dictionary of URL scheme to proxy URL",
}


def _connection(values: Mapping[str, Any]) -> Connection:
    auth_namespace = values["auth_namespace"]
    verify, ca_data = _authorities(values)
    return Connection(
        url=",".join(_addresses(values["url"])),
        namespace=str(values["namespace"] or "").strip("/"),
        auth_namespace=None if auth_namespace is None else str(auth_namespace).strip("/"),
        verify=verify,
        ca_data=ca_data,
        server_name=str(values["tls_server_name"] or ""),
        client_certificate=_client_certificate(values),
        timeout=values["timeout"] or DEFAULT_TIMEOUT,
        retries=_retries(values["retries"]),
        warn_on_retry=values["retry_action"] == "warn",
        rate=rate_of(values["rate_limit"]),
        proxies=_proxies(values["proxies"]),
    )


def _authorities(values: Mapping[str, Any]) -> tuple[bool | str, str]:
    """How to verify, and CA certificates as text, in the order of the server's own client."""
    if values["validate_certs"] is False:
        return False, ""
    if values["ca_cert"]:
        return str(values["ca_cert"]), ""
    if values["ca_cert_bytes"]:
        return True, str(values["ca_cert_bytes"])
    return str(values["ca_path"]) if values["ca_path"] else True, ""


def _with_folder_of_machine(connection: Connection, environment: Mapping[str, str]) -> Connection:
    """With the machine's folders of CA certificates beside its file: the server's own client reads both."""
    file, folders = (str(environment.get(name) or "") for name in _AUTHORITIES_OF_THE_MACHINE)
    if not folders or connection.verify not in (file, folders):
        return connection
    return replace(connection, verify=file or folders.split(":")[0], ca_folders=tuple(folders.split(":")))


def _client_certificate(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Its path and that of its key. That of the login wins: a connection has one."""
    if values["auth_method"] == "cert":
        return str(values["cert_auth_public_key"]), str(values["cert_auth_private_key"])
    if values["client_cert"]:
        return str(values["client_cert"]), str(values["client_key"])
    return None


def _addresses(value: Any) -> list[str]:
    """``https://a:8200``, ``https://a:8200,https://b:8200``, or a list of them, without repetitions."""
    texts = value if isinstance(value, (list, tuple)) else str(value or "").split(",")
    return list(dict.fromkeys(address for address in map(_address, texts) if address))


def _address(text: Any) -> str:
    """An address without what people copy with it: a slash at its end, the API's version, capitals in its scheme."""
    scheme, separator, rest = str(text).strip().partition("://")
    address = (scheme.lower() + separator + rest if separator else scheme).rstrip("/")
    return address[: -len("/v1")].rstrip("/") if separator and rest.rstrip("/").endswith("/v1") else address


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
