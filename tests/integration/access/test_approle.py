# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppRole roles and their secret IDs against a real server, and unwrapping them on the machine."""

from __future__ import annotations

import json
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import SecureBao
from tests.integration.support.processes import free_port
from tests.integration.support.runs import Ledger, converge, refused, run, unchanged
from tests.support.modules import ModuleResult, run_module
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

ROLE, SECRET_ID, UNWRAP = "vault_transit_approle", "vault_transit_secret_id", "vault_transit_unwrap"


@pytest.fixture
def path(bao: Bao) -> Iterator[str]:
    """Where an auth method is not mounted yet."""
    made = f"approle-{secrets.token_hex(4)}"
    yield made
    bao.done("DELETE", f"sys/auth/{made}")


@pytest.fixture
def role(bao: Bao, path: str) -> dict[str, Any]:
    """Options that name a role which is there."""
    bao.done("POST", f"sys/auth/{path}", {"type": "approle"})
    bao.done("POST", f"auth/{path}/role/web", {"token_policies": ["default"]})
    return {"role": "web", "path": path}


# Roles


def test_the_method_is_mounted_and_the_role_made_changed_and_deleted(bao: Bao, path: str) -> None:
    wanted: dict[str, Any] = {
        "name": "llm-gateways",
        "path": path,
        "token_policies": ["b", "a", "b"],
        "token_ttl": "1h",
        "token_bound_cidrs": ["127.0.0.1", "10.1.2.3/8"],
        "secret_id_bound_cidrs": ["127.0.0.1"],
        "secret_id_ttl": "90d",
    }
    predicted = run(bao, ROLE, check=True, **wanted)
    assert (predicted.changed, predicted["approle"]["role_id"]) == (True, None)
    made = run(bao, ROLE, **wanted)
    assert {**made["approle"], "role_id": None} == predicted["approle"]
    assert made["diff"] == predicted["diff"]
    there = bao.done("GET", f"auth/{path}/role/llm-gateways")["data"]
    assert there["token_policies"] == ["a", "b"]
    assert there["token_bound_cidrs"] == ["10.0.0.0/8", "127.0.0.1"]
    assert there["secret_id_bound_cidrs"] == ["127.0.0.1/32"]
    assert there["secret_id_ttl"] == 90 * 86400
    role_id = bao.done("GET", f"auth/{path}/role/llm-gateways/role-id")["data"]["role_id"]
    assert made["approle"]["role_id"] == role_id
    unchanged(bao, ROLE, **wanted)
    changed = converge(bao, ROLE, **{**wanted, "token_policies": ["a"], "token_num_uses": 5})
    assert changed["diff"]["before"]["token_policies"] == ["a", "b"]
    assert changed["approle"]["secret_id_ttl"] == 90 * 86400
    gone = converge(bao, ROLE, name="llm-gateways", path=path, state="absent")
    assert gone["approle"] is None
    assert bao.request("GET", f"auth/{path}/role/llm-gateways")[0] == 404


def test_unset_options_are_left_unchanged(bao: Bao, role: dict[str, Any]) -> None:
    bao.done("POST", f"auth/{role['path']}/role/web", {"token_ttl": "2h", "token_policies": ["x"]})
    ledger = Ledger(bao)
    unchanged(bao, ROLE, name="web", path=role["path"])
    assert [path for _operation, path in ledger.requests] == [
        f"auth/{role['path']}/role/web",
        f"auth/{role['path']}/role/web/role-id",
    ]


def test_an_absent_role_of_an_absent_method_is_absent(bao: Bao, path: str) -> None:
    unchanged(bao, ROLE, name="web", path=path, state="absent")


def test_a_method_is_not_mounted_where_that_is_not_wanted(bao: Bao, path: str) -> None:
    assert "No auth method is mounted" in refused(bao, ROLE, name="web", path=path, enable=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bind_secret_id": False}, "bind_secret_id: false needs secret_id_bound_cidrs"),
        ({"token_ttl": "2h", "token_max_ttl": "1h"}, "token_ttl is longer than token_max_ttl"),
        ({"token_num_uses": -1}, "token_num_uses cannot be negative"),
        ({"token_ttl": "soon"}, "token_ttl: 'soon' is not a duration"),
        ({"local_secret_ids": True}, "local_secret_ids is false and cannot become true (it is set at creation)"),
        ({"name": "a/b"}, "'a/b' is not a role's name"),
    ],
)
def test_impossible_options_are_refused(bao: Bao, role: dict[str, Any], options: dict[str, Any], said: str) -> None:
    assert said in refused(bao, ROLE, **{"name": "web", "path": role["path"], **options})


def test_the_documented_rights_are_enough(bao: Bao, path: str, mint_token: Callable[[str], str]) -> None:
    rights = f"""
path "auth/{path}/role/web" {{ capabilities = ["create", "read", "update", "delete"] }}
path "auth/{path}/role/web/role-id" {{ capabilities = ["read"] }}
"""
    mount = f'path "sys/auth/{path}" {{ capabilities = ["update", "sudo"] }}\n'
    less, more = mint_token(rights), mint_token(rights + mount)
    assert "capability 'update' on 'sys/auth/" in run(bao, ROLE, name="web", path=path, token=less).msg
    assert run(bao, ROLE, name="web", path=path, token=more).changed
    for token in (less, more):
        converge(bao, ROLE, name="web", path=path, token=token, token_ttl="2h")
    converge(bao, ROLE, name="web", path=path, token=less, state="absent")


# Secret IDs


def unwrap(bao: Bao, made: ModuleResult, folder: Path, **more: Any) -> ModuleResult:
    files = [
        {"field": "secret_id", "path": str(folder / "secret_id")},
        {"field": "secret_id_accessor", "path": str(folder / "accessor"), "mode": "0444"},
    ]
    found = made["secret_id"]
    options = {"wrapping_token": found["wrapping_token"], "creation_path": found["creation_path"], "files": files}
    result = run_module(UNWRAP, {"url": bao.addr, **options, **more})
    assert found["wrapping_token"] not in json.dumps(result)
    return result


def test_a_machine_gets_a_secret_id_that_nobody_else_saw(bao: Bao, role: dict[str, Any], tmp_path: Path) -> None:
    made = run(bao, SECRET_ID, **role, metadata={"host": "gateway-a"}, num_uses=7)
    assert made.changed
    assert made["reason"] == "the machine has no secret ID"
    shown = {"accessor", "wrapping_token", "wrapping_ttl", "creation_path", "expiration_time"}
    assert set(made["secret_id"]) == shown
    done = unwrap(bao, made, tmp_path)
    assert not done.failed, done.msg
    assert done["files"] == [str(tmp_path / "secret_id"), str(tmp_path / "accessor")]
    secret_id = (tmp_path / "secret_id").read_text()
    assert secret_id not in json.dumps([made, done])
    assert stat.S_IMODE((tmp_path / "secret_id").stat().st_mode) == 0o400
    assert (tmp_path / "accessor").read_text() == made["secret_id"]["accessor"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["accessor", "secret_id"]
    role_id = bao.done("GET", f"auth/{role['path']}/role/web/role-id")["data"]["role_id"]
    login = bao.done("POST", f"auth/{role['path']}/login", {"role_id": role_id, "secret_id": secret_id})
    assert login["auth"]["client_token"]
    known = unchanged(bao, SECRET_ID, **role, accessor=made["secret_id"]["accessor"])
    assert known["secret_id"]["expiration_time"] == made["secret_id"]["expiration_time"]
    assert known["secret_id"]["metadata"] == {"host": "gateway-a"}
    assert known["secret_id"]["num_uses"] == 6


def test_a_valid_secret_id_is_kept_and_an_invalid_one_is_replaced(bao: Bao, role: dict[str, Any]) -> None:
    made = run(bao, SECRET_ID, **role, ttl="1h")
    accessor = made["secret_id"]["accessor"]
    unchanged(bao, SECRET_ID, **role, accessor=accessor)
    unchanged(bao, SECRET_ID, **role, accessor=accessor, renew_before="50m")
    predicted = run(bao, SECRET_ID, check=True, **role, accessor=accessor, renew_before="2h")
    assert (predicted.changed, predicted["secret_id"]) == (True, None)
    another = run(bao, SECRET_ID, **role, accessor=accessor, renew_before="2h")
    assert another.changed
    assert another["reason"].startswith("the current secret ID expires in 3")
    assert another["diff"]["before"] == {"accessor": accessor}
    converge(bao, SECRET_ID, **role, accessor=accessor, state="absent")
    again = run(bao, SECRET_ID, **role, accessor=accessor)
    assert again["reason"] == "the current secret ID is used up, expired or destroyed"


def test_a_secret_id_that_every_run_would_replace_is_refused(bao: Bao, role: dict[str, Any]) -> None:
    life = "lives for 3600: every run would create another one"
    result = run(bao, SECRET_ID, **role, ttl="1h", renew_before="1h")
    assert life in result.msg
    bao.done("POST", f"auth/{role['path']}/role/web", {"secret_id_ttl": "1h"})
    for check in (True, False):
        result = run(bao, SECRET_ID, check=check, **role, renew_before="2h")
        assert life in result.msg
    assert run(bao, SECRET_ID, **role, renew_before="59m").changed
    # What the option says counts.
    assert "lives for 1800" in run(bao, SECRET_ID, **role, ttl="30m", renew_before="40m").msg


def test_missing_rights_are_named_before_anything_changes(
    bao: Bao, role: dict[str, Any], mint_token: Callable[[str], str]
) -> None:
    path = f"auth/{role['path']}/role/web"
    asks = 'path "sys/capabilities-self" { capabilities = ["update"] }'
    rules = [f'path "{path}" {{ capabilities = ["read"] }}', asks]
    for what in ("secret-id", "secret-id-accessor/lookup", "secret-id-accessor/destroy"):
        result = run(bao, SECRET_ID, check=True, **role, check_rights=True, token=mint_token("\n".join(rules)))
        assert f"lacks update on {path}/{what}" in result.msg
        rules.append(f'path "{path}/{what}" {{ capabilities = ["update"] }}')
    enough = mint_token("\n".join(rules))
    assert run(bao, SECRET_ID, check=True, **role, check_rights=True, token=enough).changed
    assert run(bao, SECRET_ID, check=True, **role, check_rights=True).changed
    # Who may not ask gets no answer, and is refused later, if at all.
    deaf = mint_token(rules[0])
    assert run(bao, SECRET_ID, check=True, **role, check_rights=True, token=deaf).changed


def test_a_secret_id_of_another_role_is_replaced(bao: Bao, role: dict[str, Any]) -> None:
    """The server answers with nothing about one, and refuses to destroy it as if rights were missing."""
    other = {**role, "role": "other"}
    run(bao, ROLE, name="other", path=role["path"])
    accessor = run(bao, SECRET_ID, **other)["secret_id"]["accessor"]
    unchanged(bao, SECRET_ID, **role, accessor=accessor, state="absent")
    another = run(bao, SECRET_ID, **role, accessor=accessor)
    assert another["reason"] == "the current secret ID is used up, expired or destroyed"
    assert run(bao, SECRET_ID, **role, accessor=another["secret_id"]["accessor"], state="absent").changed


def test_a_secret_id_that_never_expires_is_kept(bao: Bao, role: dict[str, Any]) -> None:
    made = run(bao, SECRET_ID, **role)
    unchanged(bao, SECRET_ID, **role, accessor=made["secret_id"]["accessor"], renew_before="3650d")


def test_a_secret_id_is_replaced_by_its_age(bao: Bao, role: dict[str, Any]) -> None:
    made = run(bao, SECRET_ID, **role)
    accessor = made["secret_id"]["accessor"]
    unchanged(bao, SECRET_ID, **role, accessor=accessor, max_age="1h")
    time.sleep(1.1)
    unchanged(bao, SECRET_ID, **role, accessor=accessor)
    another = run(bao, SECRET_ID, **role, accessor=accessor, max_age="1s")
    assert re.fullmatch(r"the current secret ID is \d+ seconds old", another["reason"])
    assert another["secret_id"]["accessor"] != accessor


def test_a_wrapping_token_works_once(bao: Bao, role: dict[str, Any], tmp_path: Path) -> None:
    made = run(bao, SECRET_ID, **role)
    bao.done("POST", "sys/wrapping/unwrap", {"token": made["secret_id"]["wrapping_token"]})
    failed = unwrap(bao, made, tmp_path)
    assert failed.failed
    assert "If this machine has not used it, someone else has" in failed.msg
    assert list(tmp_path.iterdir()) == []


def test_a_wrapping_token_expires(bao: Bao, role: dict[str, Any], tmp_path: Path) -> None:
    made = run(bao, SECRET_ID, **role, wrap_ttl="1s")
    time.sleep(1.3)
    assert "already used, expired" in unwrap(bao, made, tmp_path).msg


def test_a_replaced_wrapping_token_is_detected_and_not_used(bao: Bao, role: dict[str, Any], tmp_path: Path) -> None:
    bao.done("POST", f"auth/{role['path']}/role/evil", {})
    made = run(bao, SECRET_ID, **role)
    other = run(bao, SECRET_ID, **{**role, "role": "evil"})
    made["secret_id"]["wrapping_token"] = other["secret_id"]["wrapping_token"]
    failed = unwrap(bao, made, tmp_path)
    assert f"holds an answer to 'auth/{role['path']}/role/evil/secret-id', not to" in failed.msg
    assert list(tmp_path.iterdir()) == []
    bao.done("POST", "sys/wrapping/lookup", {"token": other["secret_id"]["wrapping_token"]})


def test_check_mode_looks_the_token_up_and_does_not_use_it(bao: Bao, role: dict[str, Any], tmp_path: Path) -> None:
    made = run(bao, SECRET_ID, **role)
    token = {"wrapping_token": made["secret_id"]["wrapping_token"]}
    files = [{"field": "secret_id", "path": str(tmp_path / "secret_id")}]
    predicted = run_module(UNWRAP, {"url": bao.addr, **token, "files": files}, check=True)
    assert predicted.changed
    assert list(tmp_path.iterdir()) == []
    assert not unwrap(bao, made, tmp_path).failed


def test_where_files_cannot_be_made_the_token_is_kept(bao: Bao, role: dict[str, Any], tmp_path: Path) -> None:
    made = run(bao, SECRET_ID, **role)
    failed = unwrap(bao, made, tmp_path / "nowhere")
    assert failed.msg == f"The folder {tmp_path}/nowhere does not exist. Create it first."
    assert not unwrap(bao, made, tmp_path).failed


def test_a_missing_field_of_the_answer_is_named(bao: Bao, role: dict[str, Any], tmp_path: Path) -> None:
    made = run(bao, SECRET_ID, **role)
    failed = unwrap(bao, made, tmp_path, files=[{"field": "sekret_id", "path": str(tmp_path / "x")}])
    assert "The wrapped data has no sekret_id, only secret_id, secret_id_accessor" in failed.msg
    assert list(tmp_path.iterdir()) == []


def test_tls_is_verified_on_the_machine_as_well(secure_bao: SecureBao, tmp_path: Path) -> None:
    bao = secure_bao.bao
    path = f"approle-{secrets.token_hex(4)}"
    bao.done("POST", f"sys/auth/{path}", {"type": "approle"})
    bao.done("POST", f"auth/{path}/role/web", {})
    made = run(bao, SECRET_ID, role="web", path=path)
    failed = unwrap(bao, made, tmp_path, url=secure_bao.url)
    assert "its TLS certificate could not be verified" in failed.msg
    assert "connection refused" in unwrap(bao, made, tmp_path, url=f"http://127.0.0.1:{free_port()}").msg
    several = f"http://127.0.0.1:{free_port()},{secure_bao.url}"
    done = unwrap(bao, made, tmp_path, url=several, ca_cert=str(secure_bao.authority.certificate))
    assert not done.failed, done.msg


@pytest.mark.parametrize("way", ["certificate", "name", "authorities", "socket"])
def test_a_machine_reaches_the_server_in_each_way(secure_bao: SecureBao, tmp_path: Path, way: str) -> None:
    here, files = secure_bao, [{"field": "secret_id", "path": str(tmp_path / "a")}]
    path = f"approle-{secrets.token_hex(4)}"
    here.bao.done("POST", f"sys/auth/{path}", {"type": "approle"})
    here.bao.done("POST", f"auth/{path}/role/web", {})
    pair = here.authority.issue("client", client=True)
    more = {
        "certificate": {
            "url": f"https://127.0.0.1:{here.client_port}",
            "ca_cert": here.ca_cert,
            "client_cert": str(pair.certificate),
            "client_key": str(pair.key),
        },
        "name": {
            "url": f"https://127.0.0.1:{here.named_port}",
            "ca_cert": here.ca_cert,
            "tls_server_name": "named.test",
        },
        "authorities": {"url": here.url, "ca_cert_bytes": Path(here.ca_cert).read_text(encoding="utf-8")},
        "socket": {"url": f"unix://{here.socket}"},
    }[way]

    def done(**options: Any) -> ModuleResult:
        made = run(here.bao, SECRET_ID, role="web", path=path)["secret_id"]
        wrapped = {"wrapping_token": made["wrapping_token"], "files": files}
        return run_module(UNWRAP, {**wrapped, **options})

    result = done(**more)
    assert not result.failed, result.msg
    assert len((tmp_path / "a").read_text()) == 36
    url = more.pop("url")
    without = done(url=url, **{name: value for name, value in more.items() if name == "ca_cert"})
    wanted = {
        "certificate": "et client_cert and client_key (BAO_CLIENT_CERT",
        "name": "it is for another name",
        "authorities": "Set ca_cert",
        "socket": "",
    }[way]
    assert without.failed == bool(wanted)
    assert wanted in (without.msg or "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"role": "none"}, "does not exist"),
        ({"wrap_ttl": "0"}, "wrap_ttl must be at least one second"),
        ({"wrap_ttl": "soon"}, "wrap_ttl: 'soon' is not a duration"),
        ({"state": "absent"}, "state: absent needs accessor"),
        ({"role": "a/b"}, "'a/b' is not a role's name"),
    ],
)
def test_invalid_options_are_refused(bao: Bao, role: dict[str, Any], options: dict[str, Any], said: str) -> None:
    for check in (True, False):
        failed = run(bao, SECRET_ID, check=check, **{**role, **options})
        assert failed.failed
        assert said in failed.msg


def test_the_documented_rights_are_enough_for_secret_ids(
    bao: Bao, role: dict[str, Any], mint_token: Callable[[str], str]
) -> None:
    below = f"auth/{role['path']}/role/web"
    token = mint_token(
        f'path "{below}" {{ capabilities = ["read"] }}\n'
        + "".join(
            f'path "{below}/{rest}" {{ capabilities = ["update"] }}\n'
            for rest in ("secret-id", "secret-id-accessor/lookup", "secret-id-accessor/destroy")
        )
    )
    assert run(bao, SECRET_ID, check=True, **role, token=token).changed
    accessor = run(bao, SECRET_ID, **role, token=token)["secret_id"]["accessor"]
    unchanged(bao, SECRET_ID, **role, token=token, accessor=accessor)
    converge(bao, SECRET_ID, **role, token=token, accessor=accessor, state="absent")


# The auth method alone


def test_the_method_alone_is_mounted_described_and_unmounted(bao: Bao, path: str) -> None:
    converge(bao, ROLE, path=path, description="Machines")
    converge(bao, ROLE, path=path, description="Machines of the gateway")
    assert bao.done("GET", f"sys/auth/{path}")["data"]["description"] == "Machines of the gateway"
    unchanged(bao, ROLE, path=path)
    converge(bao, ROLE, path=path, state="absent")
    unchanged(bao, ROLE, path=path, state="absent")


def test_a_method_with_roles_is_not_unmounted(bao: Bao, role: dict[str, Any]) -> None:
    assert refused(bao, ROLE, path=role["path"], state="absent") == (
        f"The auth method at '{role['path']}' cannot be disabled: it holds roles (web) and disabling it deletes them; "
        "delete them first. Nothing was changed."
    )


def test_a_method_of_another_kind_is_refused(bao: Bao, path: str) -> None:
    bao.done("POST", f"sys/auth/{path}", {"type": "userpass"})
    said = "an auth method of type 'userpass' is mounted there; choose another path. Nothing was changed."
    assert refused(bao, ROLE, path=path).endswith(said)
    assert refused(bao, ROLE, path=path, state="absent").endswith(said)


def test_the_documented_rights_are_enough_for_the_method(bao: Bao, path: str, mint_token: Callable[[str], str]) -> None:
    token = mint_token(
        f'path "sys/auth/{path}" {{ capabilities = ["read", "update", "delete", "sudo"] }}\n'
        f'path "sys/auth/{path}/tune" {{ capabilities = ["update", "sudo"] }}\n'
        f'path "auth/{path}/role" {{ capabilities = ["list"] }}\n'
    )
    steps: tuple[dict[str, Any], ...] = ({"description": "a"}, {"description": "b"}, {"state": "absent"})
    for options in steps:
        converge(bao, ROLE, path=path, token=token, **options)
