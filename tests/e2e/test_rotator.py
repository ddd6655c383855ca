# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token that has only the grant to rotate: it runs the whole life of a rotation, and can do nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl

from tests.e2e.fleets import DONE, KEY, Fleet
from tests.integration.support.plays import encrypted, make_key
from tests.support.collection import ROOT
from tests.support.server import Bao

_BLOCK = re.compile(r'path "([^"]+)"\s*\{(.*?)\}(?:\s*\})?$', re.DOTALL | re.MULTILINE)


@pytest.fixture
def rotator(fleet: Fleet, mint_token: Callable[[str], str]) -> str:
    return mint_token(hcl(grant_rules("rotate", fleet.mount, KEY)))


def documented() -> str:
    guide = ROOT / "docs" / "guides" / "policies.md"
    return guide.read_text(encoding="utf-8").partition("# rotator.hcl\n")[2].partition("```")[0]


def test_the_documented_rights_are_enough_beside_a_key_of_others(
    bao: Bao, fleet: Fleet, mint_token: Callable[[str], str]
) -> None:
    """What the grant writes is the same, as another test shows."""
    assert "/decrypt" not in documented()
    make_key(bao, fleet.mount, "other")
    theirs = encrypted(bao, fleet.mount, {"x_api_key": "y"}, "other")["x_api_key"]
    other = fleet.files[0].with_name("other.env")
    other.write_text(f"X_API_KEY={theirs}\n", encoding="utf-8")
    env = {"BAO_TOKEN": mint_token(documented().replace('"transit/', f'"{fleet.mount}/'))}
    shown = fleet.run(env=env, vault_transit_rotate_trim=True, vault_transit_rotate_contexts=["x_api_key"])
    assert "since the token may not decrypt" in " ".join(shown.split())
    fleet.check_rotated()
    assert fleet.key() == {**DONE, "min_available_version": 2}
    assert other.read_text(encoding="utf-8") == f"X_API_KEY={theirs}\n"
    fleet.run(playbook="status", env=env)


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_rights_that_are_missing_later_are_refused_before_anything_changes(
    fleet: Fleet, mint_token: Callable[[str], str], arguments: tuple[str, ...]
) -> None:
    """If the token may ask what it may do. The policy `default` allows that."""
    granted = [rule for rule in grant_rules("rotate", fleet.mount, KEY) if not rule.path.endswith(("config", "trim"))]
    asks = 'path "sys/capabilities-self" { capabilities = ["update"] }'
    env = {"BAO_TOKEN": mint_token(f"{hcl(granted)}\n{asks}")}
    secrets = {"openai_api_key": "sk-canary-rights"}
    shown = fleet.run(
        *arguments, env=env, status=2, vault_transit_rotate_trim=True, vault_transit_rotate_secrets=secrets
    )
    paths = [f"{fleet.mount}/{path}" for path in (f"encrypt/{KEY}", f"keys/{KEY}/config", f"keys/{KEY}/trim")]
    assert f"The key {KEY} was not rotated: the token lacks update on {', '.join(paths)}." in shown
    assert fleet.key()["latest_version"] == 1


def test_restarts_that_the_token_cannot_do_are_refused_before_anything_changes(
    fleet: Fleet, mint_token: Callable[[str], str]
) -> None:
    role = f"auth/{fleet.mount}-login/role/gw"
    fleet.bao.done("POST", f"sys/auth/{fleet.mount}-login", {"type": "approle"})
    fleet.bao.done("POST", role, {"token_policies": ["default"]})
    service = {"name": "gw", "command": ["/bin/true"], "environment": {"OPENAI_API_KEY": "openai_api_key"}}
    fleet.declare(
        "gateway-a",
        ansible_become=False,
        vault_transit_host_services=[service],
        vault_transit_host_approle="gw",
        vault_transit_host_approle_path=f"{fleet.mount}-login",
    )
    lent = [f'path "{path}" {{ capabilities = ["read"] }}' for path in (role, f"{role}/role-id")]
    # The policy `default` allows that.
    lent.append('path "sys/capabilities-self" { capabilities = ["update"] }')
    env = {"BAO_TOKEN": mint_token("\n".join([hcl(grant_rules("rotate", fleet.mount, KEY)), *lent]))}
    account = fleet.account(env=env, status=2, vault_transit_rotate_restart=True)
    [refused] = [one for one in account["refused"] if "cannot restart" in one]
    assert refused.startswith("the services of gateway-a cannot restart: ")
    assert f"it lacks update on {role}/secret-id, {role}/secret-id-accessor/lookup" in refused
    assert fleet.key()["latest_version"] == 1
    fleet.bao.done("DELETE", f"sys/auth/{fleet.mount}-login")


@pytest.mark.parametrize("attribute", ["exportable", "allow_plaintext_backup", "deletion_allowed"])
def test_it_changes_no_other_attribute_of_the_key(fleet: Fleet, rotator: str, attribute: str) -> None:
    path = f"{fleet.mount}/keys/{KEY}/config"
    for body in ({attribute: True}, {attribute: True, "min_decryption_version": 1}):
        assert fleet.bao.request("POST", path, body, rotator)[0] == 403
    assert (
        fleet.bao.request("POST", path, {"min_decryption_version": 1, "min_encryption_version": 1}, rotator)[0] == 200
    )


@pytest.mark.parametrize("operation", ["decrypt", "encrypt", "backup", "export/encryption-key", "datakey/plaintext"])
def test_it_sees_no_plaintext_and_no_key_material(fleet: Fleet, rotator: str, operation: str) -> None:
    method = "GET" if operation.startswith(("backup", "export")) else "POST"
    assert fleet.bao.request(method, f"{fleet.mount}/{operation}/{KEY}", None, rotator)[0] == 403


def rights(policy: str) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """The capabilities and the allowed parameters of each path."""
    found = {}
    for path, body in _BLOCK.findall(re.sub(r"#.*", "", policy)):
        capabilities, _word, allowed = body.partition("allowed_parameters")
        parameters = re.findall(r'"(\w+)"\s*=', allowed)
        found[path] = (frozenset(re.findall(r'"(\w+)"', capabilities)), frozenset(parameters))
    return found


def test_the_documented_policy_is_what_the_grant_writes() -> None:
    granted = rights(hcl(grant_rules("rotate", "transit", "ml-api-key")))
    assert granted["transit/keys/ml-api-key/config"][1] == {"min_decryption_version", "min_encryption_version"}
    assert len(granted) == 10
    assert rights(documented()) == granted
