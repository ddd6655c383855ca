# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""How the agents of a program log in: the variables of the role that deploys them."""

from __future__ import annotations

from typing import Any

import pytest

from mlkeys import Agent, HostConfig, Inventory, Secret
from mlkeys import transit as vault
from tests.cdk.apps import key_in, plays, problems, stack

JWT: dict[str, Any] = {"auth_method": "jwt", "auth_role": "gateways", "auth_config": {"path": "/run/id.jwt"}}


def planted(**settings: Any) -> Any:
    s = stack("s", targets=("ansible",))
    role = vault.AppRole(s, "r", token_policies=["default"]) if settings.pop("approle", False) else None
    env = {"A": key_in(s).encrypt(Secret.env("A")).ciphertext}
    agent = Agent(["/bin/app"], env, role, address="https://v", **settings)
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "f", hosts=web, dest="/etc/systemd/system/f.service", agent=agent)
    return s


def test_a_host_logs_in_by_what_it_has() -> None:
    certificate = {"client_cert": "/c.pem", "client_key": "/c.key", "tls_server_name": "v.test", "ca_path": "/ca"}
    environment = {"BAO_CLIENT_TIMEOUT": "9s"}
    part = planted(**JWT, **certificate, auth_namespace="org", namespace="org/team", agent_environment=environment)
    of_plays = [task for play in plays(part) for task in play.get("tasks", ())]
    (variables,) = [task["vars"] for task in of_plays if "ansible.builtin.include_role" in task]
    found = {name.removeprefix("vault_transit_host_"): value for name, value in variables.items()}
    wanted = {**JWT, **certificate, "auth_namespace": "org", "namespace": "org/team", "agent_environment": environment}
    assert {name: found.get(name) for name in wanted} == wanted
    assert not {"approle", "approle_path", "auth_path"} & set(found)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "set the role that it logs in as, or another auth_method"),
        ({**JWT, "approle": True}, "an AppRole does not log in with jwt: remove role, and set auth_role"),
        ({**JWT, "auth_config": {}}, "agent.auth_config with the auth method jwt: path is missing"),
        ({"auth_method": "cert"}, "needs agent.client_cert and agent.client_key"),
        ({"auth_method": "oidc"}, "agent.auth_method 'oidc' is not one of approle, aws"),
        ({**JWT, "agent_environment": {"A": 1}}, "agent.agent_environment must be a dictionary of strings"),
    ],
)
def test_a_login_that_cannot_work_is_a_problem(settings: dict[str, Any], words: str) -> None:
    assert words in "\n".join(problems(planted(**settings)))
