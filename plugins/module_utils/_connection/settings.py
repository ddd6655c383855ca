# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Turn options into frozen settings: how to reach a server, and how to log in. **Private** to the collection.

Names, aliases and environment variables are those of community.hashi_vault, so that one configuration works for both.
After them come OpenBao's own variables (``BAO_*``), then Vault's (``VAULT_*``), as in OpenBao's client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import (
    LOGIN_OPTIONS,
    PRINTABLE,
    Auth,
    Option,
    incomplete_pair,
    is_true,
    login_of,
    login_problems,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import named as _option
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.addresses import (
    OF_CLIENT,
    Place,
    address_of_client,
    addresses_of,
    are_of_agent,
    problems_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.authorities import (
    AUTHORITIES_OF_THE_MACHINE,
    authorities_from,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.client_certificates import (
    PATHS,
    TEXTS,
    options_of_certificate,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.pace import rate_of, retries_of
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.proxies import (
    DIRECT,
    Proxies,
    is_of_http,
    is_of_other_kind,
    proxies_from,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.texts import (
    header_text,
    host_name,
    json_or_text,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.timeouts import (
    DEFAULT_TIMEOUT,
    timeout_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption

# They mean the opposite of their option.
_SKIP_VERIFY = ("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY")

OPTIONS: tuple[Option, ...] = (
    Option(
        "url",
        kind="raw",
        environment=("ANSIBLE_HASHI_VAULT_ADDR",),
        late=OF_CLIENT,
    ),
    _option("namespace", late=("BAO_NAMESPACE", "VAULT_NAMESPACE"), meaning=PRINTABLE),
    _option("auth_namespace", meaning=PRINTABLE),
    _option("ca_cert", aliases=("cacert",), late=("BAO_CACERT", "VAULT_CACERT")),
    _option("ca_cert_bytes", late=("BAO_CACERT_BYTES", "VAULT_CACERT_BYTES")),
    _option("ca_path", late=("BAO_CAPATH", "VAULT_CAPATH", *AUTHORITIES_OF_THE_MACHINE)),
    _option("client_cert", late=("BAO_CLIENT_CERT", "VAULT_CLIENT_CERT")),
    _option("client_key", late=("BAO_CLIENT_KEY", "VAULT_CLIENT_KEY")),
    _option("client_cert_bytes", late=("BAO_CLIENT_CERT_BYTES", "VAULT_CLIENT_CERT_BYTES"), of_machine=True),
    _option(
        "client_key_bytes",
        secret=True,
        in_configuration=False,
        late=("BAO_CLIENT_KEY_BYTES", "VAULT_CLIENT_KEY_BYTES"),
        of_machine=True,
    ),
    _option("tls_server_name", late=("BAO_TLS_SERVER_NAME", "VAULT_TLS_SERVER_NAME"), meaning="the name of a host"),
    _option("validate_certs", kind="bool", in_configuration=False, late=_SKIP_VERIFY),
    _option(
        "timeout",
        kind="raw",
        late=("BAO_CLIENT_TIMEOUT", "VAULT_CLIENT_TIMEOUT"),
        meaning="a number of seconds, or a duration such as 1m30s or 500ms",
    ),
    _option(
        "retries",
        kind="raw",
        late=("BAO_MAX_RETRIES", "VAULT_MAX_RETRIES"),
        meaning="0 or more, or a dictionary of the arguments of urllib3.util.Retry",
    ),
    _option("retry_action", choices=("ignore", "warn"), default="warn"),
    _option(
        "rate_limit",
        late=("BAO_RATE_LIMIT", "VAULT_RATE_LIMIT"),
        meaning="requests for each second, or those and a burst, such as 10:20",
    ),
    _option(
        "proxies",
        kind="raw",
        late=("BAO_PROXY_ADDR", "VAULT_PROXY_ADDR", "BAO_HTTP_PROXY", "VAULT_HTTP_PROXY"),
        meaning="a URL, or a dictionary of URL scheme to proxy URL, which begin with http:// or https:// (SOCKS is not "
        "supported)",
    ),
    *LOGIN_OPTIONS,
)
_BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


@dataclass(frozen=True)
class Connection:
    """How to reach the server.

    Attributes:
        url: the address, or those of a cluster's members, separated by commas.
        auth_namespace: where the auth method is mounted, ``None`` for ``namespace``.
        verify: ``True`` for the system's CA certificates, a path to others, ``False`` not to verify.
        ca_source: what names the path in ``verify``.
        ca_beside: folders and files with more of them, each with what names it.
        ca_data: CA certificates as PEM text, instead of the system's.
        ca_of_machine: more files and folders, each with the variable that names it. What is missing does not count.
        client_certificate: the files with the client certificate and its key.
        client_certificate_texts: the two as PEM text, in place of files.
        certificate_sources: what gives them.
        server_name: the name that the server's certificate must have, empty for that of the address.
        retries: how many, or keyword arguments of `urllib3.util.Retry`; empty for none.
        timeout: seconds for one request.
        rate: requests for each second, and how many at once; ``None`` for no limit.
        proxies: those that were set, or those of the environment.
        of_client: the address that the server's own client uses in the same environment, if that is known.
    """

    url: str
    namespace: str = ""
    auth_namespace: str | None = None
    verify: bool | str = True
    ca_source: str = field(default="ca_cert", compare=False)
    ca_beside: tuple[tuple[str, str], ...] = ()
    ca_data: str = ""
    ca_of_machine: tuple[tuple[str, str], ...] = ()
    server_name: str = ""
    client_certificate: tuple[str, str] | None = None
    client_certificate_texts: tuple[str, str] | None = field(default=None, repr=False)
    certificate_sources: tuple[str, str] = field(default=("client_cert", "client_key"), compare=False)
    timeout: float = DEFAULT_TIMEOUT
    retries: Mapping[str, Any] | int = field(default_factory=dict, hash=False)
    warn_on_retry: bool = True
    rate: tuple[float, int] | None = None
    proxies: Proxies = DIRECT
    of_client: str = field(default="", compare=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(self.url.split(","))

    def place(self, address: str, namespace: str) -> Place:
        """Where a request is sent, for messages."""
        return Place(address, namespace, elsewhere=self.of_client not in ("", address))


@dataclass(frozen=True)
class Settings:
    connection: Connection
    auth: Auth

    @property
    def secrets(self) -> list[str]:
        return [*self.auth.secrets, *(self.connection.client_certificate_texts or ())[1:]]


def settings_from(
    options: Mapping[str, Any],
    environment: Mapping[str, str],
    refused: Sequence[str] = (),
    flags: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from options and, for those that are not set, from environment variables.

    Args:
        refused: sentences about values of other sources that are invalid.
        flags: for messages, those of a command that set options; ``None`` for Ansible, which has variables.

    Raises:
        InvalidOption: options are missing or invalid; all of them are named at once.
    """
    values = {option.name: _value(option, options.get(option.name), environment) for option in OPTIONS}
    certificate = options_of_certificate(values)
    if values["auth_method"] == "cert" and not values["cert_auth_public_key"]:
        values["cert_auth_public_key"], values["cert_auth_private_key"] = (values[name] for name in certificate)
    wrong = dict.fromkeys([*refused, *_misread(values, environment)])
    problems = _problems(values, environment, flags)
    if wrong or problems:
        raise InvalidOption(" ".join([*wrong, *([f"{'; '.join(problems)}."] if problems else [])]))
    connection = _connection(values, environment, certificate)
    return Settings(connection, login_of(values, environment, by_agent=are_of_agent(connection.addresses, environment)))


def settings_without_limits(options: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """The address, the files and the login, where other settings may be invalid: files have problems of their own."""
    values = {option.name: _value(option, options.get(option.name), environment) for option in OPTIONS}
    for name in _READERS:
        values[name] = None
    certificate = options_of_certificate(values)
    if values["auth_method"] == "cert":
        values["auth_method"] = "none"
    connection = _connection(values, environment, certificate)
    return Settings(connection, login_of(values, environment, by_agent=are_of_agent(connection.addresses, environment)))


def environment_options(given: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that environment variables set and that are not among the given ones.

    Raises:
        InvalidOption: flags are neither true nor false; all of them are named at once.
    """
    found, problems = read_environment(given, environment)
    if problems:
        raise InvalidOption(" ".join(problems))
    return found


def read_environment(given: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The same, and a sentence about each flag that is neither true nor false."""
    found, problems = {}, []
    variables = {**environment, **dict.fromkeys(AUTHORITIES_OF_THE_MACHINE, "")}
    for option in OPTIONS:
        if any(name in given for name in (option.name, *option.aliases)):
            continue
        own = {**variables, **dict.fromkeys(option.late, "")} if option.of_machine else variables
        value = _environment_value(option, own)
        if option.kind == "bool" and isinstance(value, str):
            problems.append(option.problem(value, option.variable_in(own)))
        elif value is not None:
            found[option.name] = value
    return found, problems


def _value(option: Option, given: Any, environment: Mapping[str, str]) -> Any:
    if given is not None and given != "":
        # A program may give what it has read as text.
        flag = is_true(given) if option.kind == "bool" and isinstance(given, str) else None
        return given if flag is None else flag
    value = _environment_value(option, environment)
    return option.default if value is None else value


def _environment_value(option: Option, environment: Mapping[str, str]) -> Any:
    """The value, of a flag that is neither true nor false its text."""
    variable = option.variable_in(environment)
    if not variable:
        return None
    text = str(environment[variable])
    if option.kind != "bool" or not option.accepts(text, variable):
        return text
    return bool(is_true(text, variable)) is not (variable in _SKIP_VERIFY)


def misread(options: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """A sentence about each value that an option cannot have: one of the options, or else of the environment."""
    values = {option.name: _value(option, options.get(option.name), environment) for option in OPTIONS}
    return _misread(values, environment)


def _misread(values: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """A sentence about each value that an option cannot have, with the variable that it is from."""
    found = []
    for option in OPTIONS:
        value, variable = values[option.name], option.variable_in(environment)
        text = str(environment.get(variable) or "")
        # Ansible reads a flag that is misspelt as false, and what it gives then is not what was written.
        if option.kind == "bool" and variable and not option.accepts(text, variable):
            found.append(option.problem(text, variable))
        elif said := problem_with(option, value, variable if text == str(value) else ""):
            found.append(said)
    return found


def are_readable(value_of: Callable[[str], Any]) -> bool:
    """Whether the options that are read further, such as numbers, have values that they can have."""
    return all(_is_readable(name, value_of(name), "") for name in _READERS)


def problem_with(option: Option, value: Any, source: str) -> str:
    """A sentence about a value that an option cannot have, empty for one that it can have.

    Args:
        source: what sets it, empty for the option itself.
    """
    is_right = option.accepts(value) and _is_readable(option.name, value, source)
    return "" if is_right else option.problem(value, source)


def _is_readable(name: str, value: Any, source: str) -> bool:
    # For the server's own client, what has no scheme is not the URL of a proxy.
    if name == "proxies" and source.startswith(("BAO_", "VAULT_")) and not is_of_http(str(value).strip()):
        return False
    try:
        _READERS.get(name, str)(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _problems(values: Mapping[str, Any], environment: Mapping[str, str], flags: Mapping[str, str] | None) -> list[str]:
    addresses = addresses_of(values["url"])
    missing = [] if addresses else [f"url is not set: set {_BY_NAME['url'].with_places(flags)}"]
    problems = [*missing, *problems_of(addresses)]
    problems += login_problems(values, environment, flags)
    for pair in (PATHS, TEXTS):
        problems += incomplete_pair(*pair, values, _BY_NAME, flags)
    if not values["proxies"]:
        problems += [problem for problem in map(proxies_from(environment).problem_at, addresses) if problem]
    return problems


def _connection(
    values: Mapping[str, Any], environment: Mapping[str, str], certificate_options: tuple[str, str]
) -> Connection:
    auth_namespace = values["auth_namespace"]
    trusted = authorities_from(values, environment)
    certificate, key = certificate_options
    given = str(values[certificate] or ""), str(values[key] or "")
    return Connection(
        url=",".join(addresses_of(values["url"])),
        namespace=str(values["namespace"] or "").strip("/"),
        auth_namespace=None if auth_namespace is None else str(auth_namespace).strip("/"),
        verify=trusted.verify,
        ca_source=_source(trusted.option or "ca_cert", values, environment),
        ca_beside=trusted.beside,
        ca_data=trusted.text,
        ca_of_machine=trusted.of_machine,
        server_name=str(values["tls_server_name"] or ""),
        client_certificate=given if all(given) and certificate_options != TEXTS else None,
        client_certificate_texts=given if all(given) and certificate_options == TEXTS else None,
        certificate_sources=(_source(certificate, values, environment), _source(key, values, environment)),
        timeout=timeout_of(values["timeout"]),
        retries=retries_of(values["retries"]),
        warn_on_retry=values["retry_action"] == "warn",
        rate=rate_of(values["rate_limit"]),
        proxies=_proxies_of(values, environment),
        of_client=address_of_client(environment),
    )


def _variable(name: str, values: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The variable that sets an option, empty if none does. What it says may have arrived as the option."""
    variable = _BY_NAME[name].variable_in(environment)
    return variable if variable and environment[variable] == str(values[name]) else ""


def _source(name: str, values: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    variable = _variable(name, values, environment)
    return f"{name} ({variable})" if variable else name


def _proxies_of(values: Mapping[str, Any], environment: Mapping[str, str]) -> Proxies:
    if not values["proxies"]:
        return proxies_from(environment)
    source = _variable("proxies", values, environment)
    urls = _proxies(values["proxies"])
    return Proxies(urls, variables=tuple((scheme, source) for scheme, _url in urls))


def _proxies(value: Any) -> tuple[tuple[str, str], ...]:
    """``http://proxy:3128`` for every scheme, ``{"https": …}``, or the same as JSON.

    Raises:
        ValueError: it is something else.
    """
    parsed = json_or_text(value)
    if not parsed:
        return ()
    if isinstance(parsed, str):
        parsed = {"all": parsed}
    if not isinstance(parsed, dict) or any(is_of_other_kind(str(url)) for url in parsed.values()):
        raise ValueError
    return tuple((str(scheme), str(url)) for scheme, url in parsed.items())


_READERS: Mapping[str, Callable[[Any], object]] = {
    "namespace": header_text,
    "auth_namespace": header_text,
    "tls_server_name": host_name,
    "aws_iam_server_id": header_text,
    "timeout": timeout_of,
    "retries": retries_of,
    "rate_limit": rate_of,
    "proxies": _proxies,
}
