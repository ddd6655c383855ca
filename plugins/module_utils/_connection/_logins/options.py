# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""How to log in: the options of all auth methods, and the settings that they become. **Private** to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import one_line
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean

AUTH_METHODS = (
    "token",
    "approle",
    "userpass",
    "ldap",
    "jwt",
    "kubernetes",
    "aws_iam",
    "azure",
    "gcp",
    "cert",
    "none",
)

KUBERNETES_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount/token"

AZURE_RESOURCE = "https://management.azure.com/"

_TOKEN_FILE = ".vault-token"


PRINTABLE = "text without a line break or another character that cannot be printed"


@dataclass(frozen=True)
class Option:
    """One connection or authentication option.

    Attributes:
        kind: the type in an Ansible argument spec.
        environment: the environment variables that set it; the first one wins.
        late: further ones, which rank below Ansible's own sources (variables, ini).
        of_machine: whether its late ones are about this machine, not about a run: another machine has others.
        meaning: what a value must be, for messages; empty where any text or one of the choices can be one.
        in_configuration: whether ``ansible.cfg`` can set it.
    """

    name: str
    kind: str = "str"
    default: Any = None
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    secret: bool = False
    environment: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    of_machine: bool = False
    meaning: str = ""
    in_configuration: bool = True

    @property
    def all_environment(self) -> tuple[str, ...]:
        return self.environment + self.late

    def variable_in(self, environment: Mapping[str, str]) -> str:
        """The variable that sets it, empty if none does.

        An empty variable sets nothing. As for the server's own client, an empty one of OpenBao's hides Vault's.
        """
        return next(iter(self.variables_in(environment)), "")

    def variables_in(self, environment: Mapping[str, str]) -> list[str]:
        """All variables that could set it, the one that does first."""
        return [name for name in self.all_environment if set_in(environment, name)]

    def accepts(self, value: Any, source: str = "") -> bool:
        """Whether it can have this value, as far as that is a question of words.

        Args:
            source: the variable that sets it.
        """
        if self.kind == "bool" and isinstance(value, str):
            return is_true(value, source) is not None
        return not self.choices or value in self.choices

    def with_places(self, flags: Mapping[str, str] | None) -> str:
        """Its name, and what else sets it.

        Args:
            flags: those of a command that set options; ``None`` for Ansible, which has variables.
        """
        places = [*([flags[self.name]] if flags and self.name in flags else []), *self.all_environment]
        if flags is None:
            places.append(f"the variable ansible_hashi_vault_{self.name}")
        if self.in_configuration:
            places.append(f"{self.name} under [hashi_vault_collection] of ansible.cfg")
        return f"{self.name} ({either(places)})"

    def problem(self, value: Any, source: str = "") -> str:
        """A sentence about a value that it cannot have. It repeats none that may be a secret in the wrong place.

        Args:
            source: what sets it, empty for the option itself.
        """
        place = f" ({source})" if source and source != self.name else ""
        text = str(value) if isinstance(value, (str, int, float)) else ""
        near = "" if text.isdigit() else did_you_mean(text.lower(), self.choices or _FLAGS)
        # A proxy may have a password in its URL.
        is_shown = text and not self.secret and self.name != "proxies" and bool(near or _is_plain(text))
        shown = f" is '{one_line(text)}', but" if is_shown else ""
        meaning = f"one of {', '.join(self.choices)}" if self.choices else self.meaning
        hint = near if is_shown and self.choices else ""
        return f"{self.name}{place}{shown} must be {meaning or _BOOLEAN}.{hint}"


def either(places: Sequence[str]) -> str:
    *others, last = places
    return f"{', '.join(others)} or {last}" if others else last


def _is_plain(text: str) -> bool:
    """Whether it is too short to be a token or a key, or a quantity such as ``10 seconds``."""
    return len(text) < _SHORTEST_SECRET or _QUANTITY.fullmatch(text) is not None


_SHORTEST_SECRET = 8
_QUANTITY = re.compile(r"[-+]?[\d.,:]{1,8}\s?[a-z]{0,8}")
_FLAGS = ("true", "false", "yes", "no", "on", "off")
_BOOLEAN = "true or false"


def set_in(environment: Mapping[str, str], name: str) -> str:
    """The value of a variable, empty where it is not set, or is one of Vault's that an empty one of OpenBao's hides."""
    if name.startswith("VAULT_") and environment.get(f"BAO_{name[len('VAULT_') :]}") == "":
        return ""
    return str(environment.get(name) or "")


# What the server's own client reads, and what Ansible reads in addition.
_YES, _NO = ("1", "t", "true"), ("0", "f", "false")
_ANSIBLES_YES, _ANSIBLES_NO = ("y", "yes", "on"), ("n", "no", "off")


def is_true(text: str, source: str = "") -> bool | None:
    """What a text means, ``None`` for one that is neither true nor false.

    Args:
        source: the variable that it is from. Those of the server's own client have its words.
    """
    word, of_client = text.strip().lower(), source.startswith(("BAO_", "VAULT_"))
    if word in _YES or (word in _ANSIBLES_YES and not of_client):
        return True
    return False if word in _NO or (word in _ANSIBLES_NO and not of_client) else None


def named(name: str, *, own: bool = True, **facts: Any) -> Option:
    """An option with the variable that community.hashi_vault would give it."""
    return Option(name, environment=("ANSIBLE_HASHI_VAULT_" + name.upper(),) if own else (), **facts)


LOGIN_OPTIONS: tuple[Option, ...] = (
    named("auth_method", choices=AUTH_METHODS, default="token"),
    named("mount_point"),
    named("token", secret=True, in_configuration=False, late=("BAO_TOKEN", "VAULT_TOKEN")),
    named("token_path", late=("HOME",), of_machine=True),
    named("token_file", default=_TOKEN_FILE),
    named("token_validate", kind="bool", default=False),
    named("token_revoke", kind="bool", default=True),
    named("username", in_configuration=False),
    named("password", secret=True, in_configuration=False),
    named("role_id"),
    named("secret_id", secret=True, in_configuration=False),
    # GitLab's documentation gives the token of a job this name.
    named("jwt", secret=True, in_configuration=False, late=("VAULT_ID_TOKEN",)),
    named("jwt_audience"),
    named("kubernetes_token_path", default=KUBERNETES_TOKEN_PATH),
    # What botocore reads itself (AWS_PROFILE, AWS_ACCESS_KEY_ID, …) is left to it, and has its order.
    named("aws_profile", aliases=("boto_profile",)),
    named(
        "aws_access_key",
        aliases=("aws_access_key_id",),
        in_configuration=False,
        late=("EC2_ACCESS_KEY", "AWS_ACCESS_KEY"),
        of_machine=True,
    ),
    named(
        "aws_secret_key",
        aliases=("aws_secret_access_key",),
        secret=True,
        in_configuration=False,
        late=("EC2_SECRET_KEY", "AWS_SECRET_KEY"),
        of_machine=True,
    ),
    named("aws_security_token", secret=True, in_configuration=False, late=("EC2_SECURITY_TOKEN",), of_machine=True),
    named("region", late=("EC2_REGION", "AWS_REGION"), of_machine=True),
    named("aws_iam_server_id", meaning=PRINTABLE),
    named("azure_tenant_id"),
    named("azure_client_id"),
    named("azure_client_secret", secret=True, in_configuration=False),
    named("azure_resource", default=AZURE_RESOURCE),
    named("cert_auth_public_key"),
    named("cert_auth_private_key"),
)

_OPTIONS: Mapping[str, Option] = {option.name: option for option in LOGIN_OPTIONS}

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "approle": ("role_id",),
    "userpass": ("username", "password"),
    "ldap": ("username", "password"),
    "jwt": ("role_id",),
    "kubernetes": ("role_id",),
    "azure": ("role_id",),
    "gcp": ("role_id",),
    "cert": ("cert_auth_public_key", "cert_auth_private_key"),
}

# A job of GitHub Actions that may request tokens has both.
JOB_REQUEST = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")


@dataclass(frozen=True)
class Auth:
    """How to log in. Secrets do not show in the representation.

    Attributes:
        client_token_path: the file in which the server's own client keeps the token, if no option names another one.
        client_token_source: the variable that names it.
        client_configs: where its configuration may be, which may name a token helper; the first that exists counts.
        jwt_request: where a CI job asks for its JWT, and the token for that; empty elsewhere.
        by_agent: whether requests go to an agent or a proxy, which may add a token of its own where there is none.
    """

    method: str = "token"
    mount_point: str = ""
    token: str = field(default="", repr=False)
    token_path: str = ""
    token_file: str = ""
    client_token_path: str = ""
    client_token_source: str = ""
    client_configs: tuple[str, ...] = ()
    token_validate: bool = False
    token_revoke: bool = True
    username: str = ""
    password: str = field(default="", repr=False)
    role_id: str = ""
    secret_id: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)
    jwt_audience: str = ""
    jwt_request: tuple[str, str] = field(default=("", ""), repr=False)
    kubernetes_token_path: str = ""
    aws_profile: str = ""
    aws_access_key: str = ""
    aws_secret_key: str = field(default="", repr=False)
    aws_security_token: str = field(default="", repr=False)
    region: str = ""
    aws_iam_server_id: str = ""
    azure_tenant_id: str = ""
    azure_client_id: str = ""
    azure_client_secret: str = field(default="", repr=False)
    azure_resource: str = ""
    by_agent: bool = False

    @property
    def secrets(self) -> list[str]:
        return [value for value in (getattr(self, one.name) for one in LOGIN_OPTIONS if one.secret) if value]


def login_problems(
    values: Mapping[str, Any], environment: Mapping[str, str], flags: Mapping[str, str] | None = None
) -> list[str]:
    """What is missing or invalid, in words.

    Args:
        flags: those of a command that set options; ``None`` for Ansible, which has variables.
    """
    problems = []
    method = values["auth_method"]
    missing = _missing(_REQUIRED.get(method, ()), values, flags)
    if method == "jwt" and not values["jwt"] and not all(_request(environment)):
        job = _job_problem(environment)
        missing.append(f"jwt: {job}" if job else _OPTIONS["jwt"].with_places(flags))
    if missing:
        # What logs in on the transport logs in here, too.
        either_way = ", or client_cert and client_key (BAO_CLIENT_CERT and BAO_CLIENT_KEY)" if method == "cert" else ""
        problems.append(f"auth_method {method} requires {' and '.join(missing)}{either_way}")
    if method == "aws_iam":
        problems += incomplete_pair("aws_access_key", "aws_secret_key", values, _OPTIONS, flags)
    if method == "azure" and values["azure_client_secret"]:
        needed = _missing(("azure_tenant_id", "azure_client_id"), values, flags)
        if needed:
            problems.append(f"azure_client_secret requires {' and '.join(needed)}")
    return problems


def _missing(names: Iterable[str], values: Mapping[str, Any], flags: Mapping[str, str] | None) -> list[str]:
    """The options that have no value, and what sets them."""
    return [_OPTIONS[name].with_places(flags) for name in names if not values[name]]


def incomplete_pair(
    first: str,
    second: str,
    values: Mapping[str, Any],
    options: Mapping[str, Option],
    flags: Mapping[str, str] | None,
) -> list[str]:
    """What is wrong with two options of which only one has a value; nothing if both have one, or none."""
    if bool(values[first]) == bool(values[second]):
        return []
    missing = options[second if values[first] else first].with_places(flags)
    return [f"{first} and {second} must be set together: set {missing}"]


def _job_problem(environment: Mapping[str, str]) -> str:
    """Why a CI job has no JWT, as far as it says which one it is; else empty."""
    if environment.get("GITHUB_ACTIONS") == "true":
        unset = " and ".join(name for name in JOB_REQUEST if not environment.get(name))
        return (
            f"this job of GitHub Actions may not request one ({unset} not set), so give it the permission "
            "'id-token: write'"
        )
    if environment.get("GITLAB_CI") == "true":
        return "this job of GitLab has none in VAULT_ID_TOKEN, so declare that under id_tokens of the job"
    return ""


def login_of(values: Mapping[str, Any], environment: Mapping[str, str], *, by_agent: bool) -> Auth:
    """How to log in, from values without problems."""

    def text(name: str) -> str:
        return str(values[name] or "")

    client_token_path, client_token_source, client_configs = _of_the_client(values, environment)
    plain = (
        *("token_path", "token_file", "username", "password", "role_id", "secret_id", "jwt_audience"),
        *("kubernetes_token_path", "aws_profile", "aws_access_key", "aws_secret_key", "aws_security_token", "region"),
        *("aws_iam_server_id", "azure_tenant_id", "azure_client_id", "azure_client_secret", "azure_resource"),
    )
    return Auth(
        method=values["auth_method"],
        mount_point=text("mount_point").strip("/"),
        token=text("token").strip(),
        client_token_path=client_token_path,
        client_token_source=client_token_source,
        client_configs=client_configs,
        token_validate=bool(values["token_validate"]),
        token_revoke=bool(values["token_revoke"]),
        jwt=text("jwt").strip(),
        jwt_request=_request(environment) if values["auth_method"] == "jwt" else ("", ""),
        by_agent=by_agent,
        **{name: text(name) for name in plain},
    )


def _of_the_client(values: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[str, str, tuple[str, ...]]:
    """Where ``bao`` and ``vault`` keep their token, the variable that says so, and where their configuration is.

    Nothing if options name another file.
    """
    home = str(environment.get("HOME") or "")
    if values["token_file"] != _TOKEN_FILE or (values["token_path"] or "") != home:
        return "", "", ()
    source = "BAO_TOKEN_PATH" if set_in(environment, "BAO_TOKEN_PATH") else "VAULT_TOKEN_PATH"
    kept = set_in(environment, source)
    config = set_in(environment, "BAO_CONFIG_PATH") or set_in(environment, "VAULT_CONFIG_PATH")
    return kept, source if kept else "", (config,) if config else (f"{home}/.bao", f"{home}/.vault") if home else ()


def _request(environment: Mapping[str, str]) -> tuple[str, str]:
    url, token = (str(environment.get(name) or "") for name in JOB_REQUEST)
    return url, token
