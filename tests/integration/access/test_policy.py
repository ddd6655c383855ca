# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_policy against a real server: what it writes, leaves unchanged and refuses."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.support.runs import Ledger, converge, refused, run, unchanged
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

MODULE = "vault_transit_policy"


@pytest.fixture
def name(bao: Bao) -> Iterator[str]:
    made = f"policy-{secrets.token_hex(4)}"
    yield made
    bao.done("DELETE", f"sys/policies/acl/{made}")


def held(bao: Bao, name: str) -> str | None:
    status, body = bao.request("GET", f"sys/policies/acl/{name}")
    return body["data"]["policy"] if status == 200 else None


def test_a_policy_is_written_changed_and_removed(bao: Bao, name: str) -> None:
    grants: list[dict[str, Any]] = [{"key": "ml", "allow": ["encrypt", "verify"]}]
    made = converge(bao, MODULE, name=name, grants=grants, description="For CI\nand nobody else")
    assert made["policy"]["rules"] == held(bao, name) == made["diff"]["after"]
    assert held(bao, name) == (
        '# For CI\n# and nobody else\npath "transit/encrypt/ml" {\n  capabilities = ["update"]\n}\n'
        'path "transit/hmac/ml" {\n  capabilities = ["update"]\n}\n'
        'path "transit/verify/ml" {\n  capabilities = ["update"]\n}\n'
    )
    changed = converge(bao, MODULE, name=name, grants=[{"key": "ml", "allow": ["decrypt"], "backend": "/other/"}])
    assert changed["diff"]["before"] == made["diff"]["after"]
    assert held(bao, name) == 'path "other/decrypt/ml" {\n  capabilities = ["update"]\n}\n'
    gone = converge(bao, MODULE, name=name, state="absent")
    assert gone["policy"] is None
    assert held(bao, name) is None


def test_what_was_granted_can_stay_until_its_users_have_changed(bao: Bao, mount: str, name: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {"derived": True})

    def grants(*names: str) -> list[dict[str, Any]]:
        return [{"backend": mount, "key": "ml", "allow": ["decrypt"], "secrets": list(names)}]

    first = converge(bao, MODULE, name=name, grants=grants("a", "b"), keep_grants=True)
    assert first["grants_kept"] is False
    both = converge(bao, MODULE, name=name, grants=grants("b", "c"), keep_grants=True, description="For now")
    assert both["grants_kept"] is True
    assert '"context" = ["YQ==", "Yg==", "Yw=="]' in (held(bao, name) or "")
    # The order of the grants is not a difference of what is granted.
    unchanged(bao, MODULE, name=name, grants=grants("c", "a"), keep_grants=True, description="For now")
    more = [*grants("a", "b", "c"), {"backend": mount, "key": "other", "allow": ["encrypt"]}]
    assert converge(bao, MODULE, name=name, grants=more, keep_grants=True)["grants_kept"] is False
    unchanged(bao, MODULE, name=name, state="absent", keep_grants=True)
    narrow = converge(bao, MODULE, name=name, grants=grants("c"))
    assert narrow["grants_kept"] is False
    assert '"context" = ["Yw=="]' in (held(bao, name) or "")


def test_what_somebody_wrote_by_hand_cannot_be_kept(bao: Bao, name: str) -> None:
    bao.done("PUT", f"sys/policies/acl/{name}", {"policy": 'path "transit/x" { policy = "read" }'})
    done = run(bao, MODULE, name=name, grants=[{"key": "ml", "allow": ["encrypt"]}], keep_grants=True)
    assert f"Policy '{name}' held more than grants that this module writes" in str(done["warnings"])
    assert (held(bao, name) or "").startswith('path "transit/encrypt/ml"')


def test_a_policy_of_another_manager_is_left_alone(bao: Bao, name: str) -> None:
    grants: list[dict[str, Any]] = [{"key": "ml", "allow": ["encrypt"]}]
    converge(bao, MODULE, name=name, grants=grants, managed_by="program app.py, owner one", description="For CI")
    text = held(bao, name) or ""
    assert text.splitlines()[:2] == ["# Managed by program app.py, owner one", "# For CI"]
    for given in ({"grants": grants}, {"state": "absent"}):
        shown = refused(bao, MODULE, name=name, managed_by="program app.py, owner two", **given)
        assert "it is managed by program app.py, owner one, and not by you" in shown
        assert held(bao, name) == text
    # Only the last word counts.
    converge(bao, MODULE, name=name, grants=grants, managed_by="program site.py, owner one")
    assert (held(bao, name) or "").startswith("# Managed by program site.py, owner one\n")
    taken = converge(
        bao, MODULE, name=name, grants=grants, managed_by="owner two", former_managers=["stack s, owner one"]
    )
    assert taken["policy"]["rules"].startswith("# Managed by owner two")
    converge(bao, MODULE, name=name, state="absent", managed_by="owner two")
    assert held(bao, name) is None


def test_rules_go_behind_grants(bao: Bao, name: str) -> None:
    rules = 'path "auth/token/lookup-self" { capabilities = ["read"] }'
    converge(bao, MODULE, name=name, rules=rules)
    assert held(bao, name) == f"{rules}\n"
    converge(bao, MODULE, name=name, grants=[{"key": "ml", "allow": ["decrypt"]}], rules=f"\n{rules}\n\n")
    assert held(bao, name) == f'path "transit/decrypt/ml" {{\n  capabilities = ["update"]\n}}\n\n{rules}\n'


@pytest.mark.parametrize(
    "stored",
    [
        'path   "a/b" {capabilities=["read","list"]}',
        'path "a/b" {\n\tcapabilities = [ "read",\n "list" ]\n}\n\n\n',
        '\n  path "a/b"\n{ capabilities = ["read", "list"] }',
    ],
)
def test_white_space_is_not_a_difference(bao: Bao, name: str, stored: str) -> None:
    bao.done("PUT", f"sys/policies/acl/{name}", {"policy": stored})
    result = unchanged(bao, MODULE, name=name, rules='path "a/b" { capabilities = ["read", "list"] }')
    assert result["policy"]["rules"] == held(bao, name) == stored


@pytest.mark.parametrize(
    "stored",
    [
        'path "a/b" { capabilities = ["list", "read"] }',
        'path "a/ b" { capabilities = ["read", "list"] }',
        '# why\npath "a/b" { capabilities = ["read", "list"] }',
    ],
)
def test_anything_else_is_a_difference(bao: Bao, name: str, stored: str) -> None:
    bao.done("PUT", f"sys/policies/acl/{name}", {"policy": stored})
    converge(bao, MODULE, name=name, rules='path "a/b" { capabilities = ["read", "list"] }')


def test_the_server_knows_lower_case_names_only(bao: Bao, name: str) -> None:
    made = converge(bao, MODULE, name=name.upper(), grants=[{"key": "ml", "allow": ["decrypt"]}])
    assert made["policy"]["name"] == name
    assert held(bao, name)
    converge(bao, MODULE, name=name.upper(), state="absent")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "it would allow nothing: give grants or rules"),
        ({"grants": []}, "it would allow nothing: give grants or rules"),
        ({"grants": [{"key": "ml", "allow": []}]}, "grant 1: allow is empty"),
        ({"grants": [{"key": "a/b", "allow": ["decrypt"]}]}, "grant 1: 'a/b' is not a key name"),
        ({"grants": [{"backend": "tra*", "allow": ["decrypt"]}]}, "grant 1: 'tra*' is not a path on the server"),
        ({"grants": [{"backend": "tra+", "allow": ["decrypt"]}]}, "grant 1: 'tra+' cannot be granted"),
        (
            {"grants": [{"backend": "sys/policies", "allow": ["decrypt"]}]},
            "grant 1: 'sys/policies' cannot be an engine",
        ),
        (
            {"grants": [{"key": "ml", "allow": ["encrypt", "verify", "rotate"], "secrets": ["a"]}]},
            "grant 1: verify, rotate cannot be granted for single secrets, only decrypt, encrypt, rewrap can",
        ),
        ({"grants": [{"key": "ml", "allow": ["decrypt"], "secrets": []}]}, "grant 1: secrets is empty: leave it out"),
        ({"grants": [{"key": "ml", "allow": ["decrypt"], "secrets": [""]}]}, "grant 1: secrets holds an empty name"),
        (
            {"grants": [{"key": "ml", "allow": ["decrypt"]}], "rules": 'path "transit/decrypt/ml" {}'},
            "rules and grants both have the path 'transit/decrypt/ml', and the server would use the last of them",
        ),
        (
            {"grants": [{"key": "ml", "allow": ["decrypt"]}], "keep_grants": True, "rules": 'path "x" {}'},
            "keep_grants and rules exclude each other",
        ),
    ],
)
def test_impossible_options_are_refused(bao: Bao, name: str, options: dict[str, Any], said: str) -> None:
    message = refused(bao, MODULE, name=name, **options)
    assert message.startswith(f"Policy '{name}': ")
    assert said in message


def test_all_problems_are_reported_at_once(bao: Bao) -> None:
    message = refused(bao, MODULE, name="root", grants=[{"key": "a/b", "allow": []}, {"backend": "", "allow": []}])
    for part in ("it is the server's own", "grant 1: allow is empty", "not a key name", "grant 2: allow is empty"):
        assert part in message


@pytest.mark.parametrize("name", ["root", "default", "Response-Wrapping", "control-group", "a b", "a?b", ""])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_reserved_and_invalid_names_are_refused(bao: Bao, name: str, state: str) -> None:
    rules = {"rules": 'path "a" { capabilities = ["read"] }'} if state == "present" else {}
    assert refused(bao, MODULE, name=name, state=state, **rules).startswith("Policy '")


def test_the_servers_error_about_rules_is_reported(bao: Bao, name: str) -> None:
    result = run(bao, MODULE, name=name, rules='path "a" { capabilities = ["rd"] }')
    assert result.failed
    assert 'invalid capability "rd"' in result.msg
    assert held(bao, name) is None


def test_single_secrets_of_a_key_that_is_not_derived_are_refused(bao: Bao, mount: str, name: str) -> None:
    bao.done("POST", f"{mount}/keys/plain", {})
    bao.done("POST", f"{mount}/keys/derived", {"derived": True})
    grant = {"backend": mount, "allow": ["decrypt"], "secrets": ["openai_api_key"]}
    message = refused(bao, MODULE, name=name, grants=[{**grant, "key": "plain"}])
    assert f"the key 'plain' of the engine '{mount}' is not derived and would not keep its secrets apart" in message
    assert converge(bao, MODULE, name=name, grants=[{**grant, "key": "derived"}]).warnings == []
    done = converge(bao, MODULE, name=name, grants=[{**grant, "key": "nowhere"}])
    [warning] = done.warnings
    assert warning.startswith(f"Whether the key 'nowhere' of the engine '{mount}' is derived is not known (it does not")


def test_the_documented_rights_are_enough(bao: Bao, mount: str, name: str, mint_token: Callable[[str], str]) -> None:
    bao.done("POST", f"{mount}/keys/ml", {"derived": True})
    policy = f'path "sys/policies/acl/{name}" {{ capabilities = ["read", "update", "delete"] }}\n'
    token = mint_token(policy + f'path "{mount}/keys/ml" {{ capabilities = ["read"] }}')
    grants = [{"key": "ml", "backend": mount, "allow": ["decrypt"], "secrets": ["a"]}]
    assert converge(bao, MODULE, name=name, grants=grants, token=token).warnings == []
    converge(bao, MODULE, name=name, state="absent", token=token)
    less = mint_token(policy)
    [warning] = converge(bao, MODULE, name=name, grants=grants, token=less).warnings
    assert "(the token may not read it)" in warning
    assert "capability 'read' on 'sys/policies/acl/other'" in refused(
        bao, MODULE, name="other", grants=grants, token=token
    )


def test_a_run_that_changes_nothing_is_one_request(bao: Bao, name: str) -> None:
    grants = [{"key": "ml", "allow": ["encrypt"]}]
    run(bao, MODULE, name=name, grants=grants)
    ledger = Ledger(bao)
    unchanged(bao, MODULE, name=name, grants=grants)
    assert ledger.requests == [("read", f"sys/policies/acl/{name}")]
