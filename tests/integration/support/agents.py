# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent of a host with the settings of the role that variables of the server's client name."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.agent import Rendered, writing
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import AUTHORITIES, Login, problems
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import Sealed

from mlkeys._devserver.server import _binary

_FETCH = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "fetch.j2"

# By the ends of the names of their variables.
_SETTINGS = {
    "CACERT": "ca_cert",
    "CACERT_BYTES": "ca_cert_bytes",
    "CAPATH": "ca_path",
    "CLIENT_CERT": "client_cert",
    "CLIENT_KEY": "client_key",
    "TLS_SERVER_NAME": "tls_server_name",
    "NAMESPACE": "namespace",
}


def value_or_reason(environment: Mapping[str, str], token: str, sealed: Sealed, folder: Path) -> str:
    """What an agent decrypts; else what the role refuses, or what the service says that waits for it.

    Args:
        token: what it logs in with, unless the environment names another one.
        folder: for its files.
    """
    own = folder / "token_of_host"
    own.write_text(environment.get("BAO_TOKEN") or token, encoding="utf-8")
    config = {"token_file_path": str(own)}
    login = Login(
        **_settings(environment), auth_method="token_file", auth_config=config, folder=str(folder), runtime=str(folder)
    )
    if refused := "; ".join(problems(login)):
        return refused
    if login.ca_cert_bytes:
        (folder / AUTHORITIES).write_text(login.ca_cert_bytes, encoding="ascii")
    seen = Rendered(str(folder / "seen"), "json", {"a": {"secret": sealed.name}}, "0400")
    (folder / "agent.hcl").write_text(writing(login, [seen], lambda _name: sealed), encoding="utf-8")
    (folder / "fetch").write_text(_script(login), encoding="utf-8")
    done = subprocess.run(
        ["/bin/sh", str(folder / "fetch"), "once"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    if done.returncode == 0:
        return str(json.loads(Path(seen.path).read_text(encoding="utf-8"))["a"])
    assert not Path(seen.path).exists()
    return done.stderr


def _settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Settings of the role for what it has settings for, else variables of the agent."""
    settings: dict[str, Any] = {"url": ""}
    rest: dict[str, str] = {}
    for name, value in environment.items():
        end = name.removeprefix("BAO_").removeprefix("VAULT_")
        if name.startswith("VAULT_") and f"BAO_{end}" in environment:
            continue
        if end in ("ADDR", "AGENT_ADDR"):
            settings["url"] = settings["url"] or value
        elif setting := _SETTINGS.get(end):
            settings[setting] = value.strip("/") if end == "NAMESPACE" else value
        elif end not in ("TOKEN", "HOME"):
            rest[name] = value
    return {**settings, "agent_environment": rest}


def _script(login: Login) -> str:
    """What a service waits for, but not for long."""
    templates = jinja2.Environment(autoescape=False)  # noqa: S701  it is a shell script
    templates.filters["quote"] = shlex.quote
    text = templates.from_string(_FETCH.read_text(encoding="utf-8")).render(
        vault_transit_host_service={"name": "gw", "folder": login.folder, "runtime": login.runtime},
        vault_transit_host_program=str(_binary()),
        vault_transit_host_auth_method=login.auth_method,
        vault_transit_host_agent_environment=login.agent_environment,
    )
    assert "patience=60" in text
    return text.replace("patience=60", "patience=4").replace("spread=10", "spread=1")
