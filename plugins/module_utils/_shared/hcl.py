# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Writes HCL as servers and agents read it: policies and configurations. Also what agents can log in with. Pure.

They read the first version of the language, in which a text cannot span lines. See
`its grammar <https://github.com/hashicorp/hcl/tree/v1.0.0>`_.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any, Iterable, Iterator, Mapping, NamedTuple

# "${" begins an interpolation, in which quotes and escapes mean something else. HCL's own library reserves U+E123.
_ESCAPES = {"${": "\\u0024{", "\ue123": "\\ue123"}


def text(value: str) -> str:
    """Return a text in quotes, in which every character means itself."""
    quoted = json.dumps(str(value), ensure_ascii=False)
    for special, escape in _ESCAPES.items():
        quoted = quoted.replace(special, escape)
    return quoted


def texts(values: Iterable[str]) -> str:
    """Return a list of texts."""
    return f"[{', '.join(map(text, values))}]"


def literal(value: Any) -> str:
    """Return a flag, a whole number, a text or a list of texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return texts(value) if isinstance(value, (list, tuple)) else text(value)


def attributes(values: Mapping[str, Any], *, aligned: bool = True) -> str:
    """Return a line for each attribute, by default with the values below one another."""
    width = max(map(len, values), default=0) if aligned else 0
    return "".join(f"{name.ljust(width)} = {literal(value)}\n" for name, value in values.items())


def block(head: str, *parts: str, gap: str = "\n") -> str:
    """Return a block of attributes and other blocks, each as the functions of this file return it.

    Args:
        gap: what separates the parts, by default an empty line.
    """
    inner = gap.join(part for part in parts if part)
    # Not `splitlines`, which also breaks texts at characters that HCL leaves alone.
    indented = "".join(f"  {line}\n" if line else "\n" for line in inner.split("\n")[:-1])
    return f"{head} {{\n{indented}}}\n"


APPROLE = "approle"
TOKEN_FILE = "token_file"


class Method(NamedTuple):
    """An auth method of agents beside AppRole: https://openbao.org/docs/agent-and-proxy/autoauth/

    Attributes:
        role: what the agent calls the role; empty if the method has none.
        required: settings that the agent cannot do without.
        optional: further ones.
        fixed: settings whose defaults do not suit a host that starts its services again and again; each can be set.
    """

    role: str = "role"
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = MappingProxyType({})


METHODS: Mapping[str, Method] = {
    "aws": Method(
        optional=("type", "region", "header_value", "nonce", "credential_poll_interval"),
        fixed={"type": "iam"},
    ),
    "azure": Method(
        required=("resource",),
        optional=("object_id", "client_id", "scope", "authenticate_from_environment"),
    ),
    "cert": Method(role="name", optional=("reload",)),
    "gcp": Method(optional=("type", "credentials", "service_account", "jwt_exp"), fixed={"type": "gce"}),
    # The agent would remove the file after the first login.
    "jwt": Method(
        required=("path",),
        optional=("remove_jwt_follows_symlinks", "skip_token_check"),
        fixed={"remove_jwt_after_reading": False},
    ),
    "kubernetes": Method(optional=("token_path",)),
    TOKEN_FILE: Method(role="", required=("token_file_path",)),
}
_SECRET_SETTINGS = ("access_key", "secret_key", "session_token")


def problems_of_method(
    prefix: str, name: str, role: str, config: Mapping[str, Any], *, certificate: bool
) -> Iterator[str]:
    """What is wrong with the settings of an auth method beside AppRole.

    Args:
        prefix: of the names of the settings.
        certificate: whether there is a client certificate.
    """
    method = METHODS.get(name)
    if method is None:
        yield f"{prefix}auth_method '{name}' is not one of {', '.join(sorted((APPROLE, *METHODS)))}"
        return
    known = sorted({*method.required, *method.optional, *method.fixed})
    about = f"{prefix}auth_config with the auth method {name}"
    for setting in sorted(set(config) - set(known)):
        if setting in _SECRET_SETTINGS:
            yield (
                f"{about}: {setting} would stand in a file of the host. Give the machine a role, or name a profile in "
                f"{prefix}agent_environment"
            )
        else:
            yield f"{about}: '{setting}' is not one of {', '.join(known)}"
    for setting in method.required:
        if not config.get(setting):
            yield f"{about}: {setting} is missing"
    for setting, value in sorted(config.items()):
        if not isinstance(value, (str, int)):
            yield f"{about}: {setting} must be a text, a number or a flag"
    if method.role == "role" and not role:
        yield f"the auth method {name} needs a role: set {prefix}auth_role"
    if name == "cert" and not certificate:
        yield f"the auth method cert needs {prefix}client_cert and {prefix}client_key"
