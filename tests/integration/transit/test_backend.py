# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_backend against a real server."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend import reconcile_backend

from tests.integration.support.runs import Ledger, at_once, converge, denied, refused, run, unchanged
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

MODULE = "vault_transit_backend"


@pytest.fixture
def path(bao: Bao) -> Iterator[str]:
    """A path where nothing is mounted yet."""
    free = f"engine-{secrets.token_hex(4)}"
    yield free
    for mounted in bao.done("GET", "sys/mounts")["data"]:
        if mounted.startswith(f"{free}/"):
            bao.done("DELETE", f"sys/mounts/{mounted}")


def read(bao: Bao, path: str) -> dict[str, Any] | None:
    status, answer = bao.request("GET", f"sys/mounts/{path}")
    return answer["data"] if status == 200 else None


def encrypts(bao: Bao, path: str, key: str) -> int:
    """The status of an encrypt with a token that may create keys."""
    plaintext = base64.b64encode(b"x").decode()
    return bao.request("POST", f"{path}/encrypt/{key}", {"plaintext": plaintext})[0]


# Options, what the server then shows, and what the module returns.
OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"description": "Encrypts API keys"}, {"description": "Encrypts API keys"}),
    ({"default_lease_ttl": "12h"}, {"default_lease_ttl": 43200}),
    ({"default_lease_ttl": "43200", "max_lease_ttl": "30d"}, {"default_lease_ttl": 43200, "max_lease_ttl": 2592000}),
    ({"default_lease_ttl": "system", "max_lease_ttl": 0}, {"default_lease_ttl": 0, "max_lease_ttl": 0}),
    ({"listing_visibility": "unauth"}, {"listing_visibility": "unauth"}),
    ({"listing_visibility": "hidden"}, {"listing_visibility": "hidden"}),
    ({"audit_non_hmac_request_keys": ["context"]}, {"audit_non_hmac_request_keys": ["context"]}),
    ({"audit_non_hmac_response_keys": ["b", "a"]}, {"audit_non_hmac_response_keys": ["b", "a"]}),
    ({"passthrough_request_headers": ["X-One", "X-Two"]}, {"passthrough_request_headers": ["X-One", "X-Two"]}),
    ({"allowed_response_headers": ["X-One"]}, {"allowed_response_headers": ["X-One"]}),
]
AT_CREATION: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"options": {"a": "b"}}, {"options": {"a": "b"}}),
    ({"local": True}, {"local": True}),
    ({"seal_wrap": True}, {"seal_wrap": True}),
    ({"external_entropy_access": True}, {"external_entropy_access": True}),
    ({"force_no_cache": True}, {"force_no_cache": True}),
]


def named(value: object) -> str:
    return ",".join(value) if isinstance(value, dict) else ""


def shows(bao: Bao, path: str, shown: dict[str, Any]) -> bool:
    actual = read(bao, path)
    assert actual is not None
    plain = {**actual, **actual["config"]}
    return {name: plain.get(name) or (0 if value == 0 else None) for name, value in shown.items()} == shown


# --- enabling and tuning ---


def test_an_engine_is_enabled_and_described(bao: Bao, path: str) -> None:
    result = converge(bao, MODULE, path=path)
    assert result.changed
    assert result["diff"]["before"] == {}
    assert result["backend"] == {
        "path": path,
        "description": "",
        "default_lease_ttl": 0,
        "max_lease_ttl": 0,
        "listing_visibility": "",
        "audit_non_hmac_request_keys": [],
        "audit_non_hmac_response_keys": [],
        "passthrough_request_headers": [],
        "allowed_response_headers": [],
        "plugin_version": "",
        "options": {},
        "local": False,
        "seal_wrap": False,
        "external_entropy_access": False,
        "force_no_cache": False,
        "disable_upsert": True,
    }
    actual = read(bao, path)
    assert actual is not None
    assert actual["type"] == "transit"


@pytest.mark.parametrize(("options", "shown"), OPTIONS + AT_CREATION, ids=named)
def test_an_engine_is_enabled_with_the_set_options(
    bao: Bao, path: str, options: dict[str, Any], shown: dict[str, Any]
) -> None:
    result = converge(bao, MODULE, path=path, **options)
    assert {name: result["backend"][name] for name in shown} == shown
    assert shows(bao, path, shown)


@pytest.mark.parametrize(("options", "shown"), OPTIONS, ids=named)
def test_only_set_options_are_tuned(bao: Bao, path: str, options: dict[str, Any], shown: dict[str, Any]) -> None:
    rest = {"description": "theirs", "config": {"max_lease_ttl": "90d", "passthrough_request_headers": ["X-Their"]}}
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit", **rest})
    bao.done("POST", f"{path}/config/keys", {"disable_upsert": True})
    ledger = Ledger(bao)
    converge(bao, MODULE, path=path, **options)
    assert set(ledger.writes) <= {("update", f"sys/mounts/{path}/tune")}
    assert shows(bao, path, shown)
    theirs = {"description": "theirs", "max_lease_ttl": 7776000, "passthrough_request_headers": ["X-Their"]}
    assert shows(bao, path, {name: value for name, value in theirs.items() if name not in options})


def test_every_option_is_tuned_back(bao: Bao, path: str) -> None:
    everything: dict[str, Any] = {}
    for options, _shown in OPTIONS:
        everything.update(options)
    everything.update(default_lease_ttl="1h", max_lease_ttl="2h")
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    ledger = Ledger(bao)
    converge(bao, MODULE, path=path, **everything)
    assert ledger.writes == [("update", f"sys/mounts/{path}/tune"), ("update", f"{path}/config/keys")]
    unchanged(bao, MODULE, path=path)
    nothing: dict[str, Any] = {name: [] for name in everything}
    nothing.update(description="", listing_visibility="", default_lease_ttl="0", max_lease_ttl="system")
    result = converge(bao, MODULE, path=path, **nothing)
    assert result["backend"] == run(bao, MODULE, path=path)["backend"]
    assert all(
        value in ("", 0, [], {}, False)
        for name, value in result["backend"].items()
        if name not in ("path", "disable_upsert")
    )


@pytest.mark.parametrize("seconds", ["30d", "720h", "43200m", "2592000s", "2592000"])
def test_a_duration_is_compared_in_seconds(bao: Bao, path: str, seconds: str) -> None:
    body = {"type": "transit", "config": {"max_lease_ttl": "2592000s"}}
    bao.done("POST", f"sys/mounts/{path}", body)
    bao.done("POST", f"{path}/config/keys", {"disable_upsert": True})
    unchanged(bao, MODULE, path=path, max_lease_ttl=seconds)


def test_the_path_may_be_deep_and_have_slashes_and_other_names(bao: Bao, path: str) -> None:
    deep = f"{path}/vision/transit"
    assert converge(bao, MODULE, path=f"/{deep}/")["backend"]["path"] == deep
    unchanged(bao, MODULE, backend=deep)
    unchanged(bao, MODULE, engine_mount_point=deep)


@pytest.mark.parametrize(("options", "shown"), AT_CREATION, ids=named)
def test_what_is_set_at_creation_cannot_be_tuned(
    bao: Bao, path: str, options: dict[str, Any], shown: dict[str, Any]
) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    [name] = options
    message = refused(bao, MODULE, path=path, description="new", **options)
    assert message.startswith(f"The engine at '{path}' cannot be changed as asked: {name} is ")
    assert message.endswith("(it is set at creation). Nothing was changed.")


def test_all_reasons_come_at_once(bao: Bao, path: str) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    assert refused(bao, MODULE, path=path, local=True, seal_wrap=True, options={"a": "b"}) == (
        f"The engine at '{path}' cannot be changed as asked: options is {{}} and cannot become {{'a': 'b'}} (it is set "
        "at creation); local is false and cannot become true (it is set at creation); seal_wrap is false and cannot "
        "become true (it is set at creation). Nothing was changed."
    )


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_engine_of_another_type_is_refused(bao: Bao, path: str, state: str) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "kv"})
    problem = {
        "present": "be a Transit engine: an engine of type 'kv' is mounted there; choose another path",
        "absent": "be disabled: it is of type 'kv', not transit",
    }
    assert refused(bao, MODULE, path=path, state=state, force=True) == (
        f"The engine at '{path}' cannot {problem[state]}. Nothing was changed."
    )


def nested(path: str) -> str:
    return (
        f"The engine at '{path}' cannot be enabled: another engine is mounted above or below that path, and engines do "
        "not nest; choose another path. Nothing was changed."
    )


@pytest.mark.parametrize("outer", ["transit", "kv"])
def test_an_engine_within_an_engine_is_refused(bao: Bao, path: str, outer: str) -> None:
    # Of such a path the server shows the outer engine, and tunes that.
    bao.done("POST", f"sys/mounts/{path}", {"type": outer})
    within = f"{path}/within"
    assert refused(bao, MODULE, path=within, description="inner") == nested(within)
    assert unchanged(bao, MODULE, path=within, state="absent", force=True)["backend"] is None
    actual = read(bao, path)
    assert actual is not None
    assert actual["description"] == ""


def test_an_engine_above_an_engine_is_refused(bao: Bao, path: str) -> None:
    bao.done("POST", f"sys/mounts/{path}/below", {"type": "transit"})
    result = run(bao, MODULE, path=path)
    assert result.failed
    assert not result.changed
    assert result.msg == nested(path)


def test_a_deep_engine_in_a_namespace(bao: Bao) -> None:
    name = f"team-{secrets.token_hex(3)}"
    bao.done("POST", f"sys/namespaces/{name}", {})
    converge(bao, MODULE, path="a/b/transit", namespace=name)
    assert refused(bao, MODULE, path="a/b/transit/c", namespace=name) == nested("a/b/transit/c")
    converge(bao, MODULE, path="a/b/transit", namespace=name, state="absent")
    bao.done("DELETE", f"sys/namespaces/{name}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"listing_visibility": "everyone"}, "invalid listing_visibility ***"),
        ({"plugin_version": "v9.9.9"}, "plugin not found in the catalog"),
    ],
)
def test_a_refusal_of_the_server_is_reported_in_its_words(
    bao: Bao, path: str, options: dict[str, Any], words: str
) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    result = run(bao, MODULE, path=path, disable_upsert=False, **options)
    assert result.failed
    assert not result.changed
    assert result.msg.startswith(f"The server refused 'sys/mounts/{path}/tune' (HTTP 400). The server said: ")
    assert words in result.msg


def test_invalid_durations_are_refused_without_a_request(bao: Bao, path: str) -> None:
    ledger = Ledger(bao)
    assert refused(bao, MODULE, path=path, default_lease_ttl="-1", max_lease_ttl="9223372037") == (
        "default_lease_ttl: '-1' is not a duration: write for example 30d, 720h, 1h30m or a number of seconds; "
        "max_lease_ttl: '9223372037' is out of range: at most 9223372036 seconds."
    )
    assert ledger.requests == []


@pytest.mark.parametrize("empty", ["/", "//"])
def test_a_path_is_needed(bao: Bao, empty: str) -> None:
    assert refused(bao, MODULE, path=empty) == "path must not be empty."


def test_plaintext_in_the_audit_log_is_warned_of(bao: Bao, path: str) -> None:
    result = run(bao, MODULE, check=True, path=path, audit_non_hmac_request_keys=["plaintext"])
    assert result.warnings == [
        "audit_non_hmac_request_keys with 'plaintext' writes every secret readable into the audit log."
    ]


# --- the engine's own settings ---


def test_by_default_a_mistyped_key_is_not_created(bao: Bao, path: str) -> None:
    run(bao, MODULE, path=path)
    assert encrypts(bao, path, "mistyped") == 400
    assert bao.request("GET", f"{path}/keys/mistyped")[0] == 404
    result = converge(bao, MODULE, path=path, disable_upsert=False)
    assert result.changed
    assert result["backend"]["disable_upsert"] is False
    assert encrypts(bao, path, "mistyped") == 200
    assert converge(bao, MODULE, path=path).changed


def test_an_engine_that_creates_keys_is_corrected(bao: Bao, path: str) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    ledger = Ledger(bao)
    result = converge(bao, MODULE, path=path)
    assert result["diff"]["before"]["disable_upsert"] is False
    assert result["diff"]["after"]["disable_upsert"] is True
    assert ledger.writes == [("update", f"{path}/config/keys")]


def test_the_size_of_the_cache(bao: Bao, path: str) -> None:
    assert converge(bao, MODULE, path=path, cache_size=0)["backend"]["cache_size"] == 0
    result = converge(bao, MODULE, path=path, cache_size=500)
    assert result["diff"]["before"]["cache_size"] == 0
    assert bao.done("GET", f"{path}/cache-config")["data"]["size"] == 500
    assert "cache_size" not in run(bao, MODULE, path=path)["backend"]
    result = run(bao, MODULE, path=path, cache_size=5)
    assert result.failed
    assert "size must be 0 or a value greater or equal to 10" in result.msg


# --- disabling ---


def test_an_engine_without_keys_is_disabled(bao: Bao, path: str) -> None:
    run(bao, MODULE, path=path)
    ledger = Ledger(bao)
    result = converge(bao, MODULE, path=path, state="absent")
    assert result.changed
    assert result["backend"] is None
    assert ledger.writes == [("delete", f"sys/mounts/{path}")]
    assert read(bao, path) is None


def test_an_engine_with_keys_is_disabled_only_with_force(bao: Bao, path: str) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    for number in range(7):
        bao.done("POST", f"{path}/keys/k{number}", {})
    assert refused(bao, MODULE, path=path, state="absent") == (
        f"The engine at '{path}' cannot be disabled: it holds keys (k0, k1, k2, k3, k4 and 2 more) and disabling it "
        "destroys them for good; delete them first, or give force: true. Nothing was changed."
    )
    assert converge(bao, MODULE, path=path, state="absent", force=True).changed
    assert read(bao, path) is None


def test_a_missing_engine_is_absent(bao: Bao, path: str) -> None:
    for force in (False, True):
        assert unchanged(bao, MODULE, path=path, state="absent", force=force)["backend"] is None


# --- who may not ---


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_engine_that_may_not_be_read_is_not_absent(
    bao: Bao, path: str, mint_token: Callable[[str], str], state: str
) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    blind = mint_token(f'path "{path}/*" {{ capabilities = ["read", "update", "list"] }}')
    assert refused(bao, MODULE, path=path, state=state, force=True, token=blind) == denied(
        bao, "read", f"sys/mounts/{path}"
    )
    assert read(bao, path) is not None


def test_keys_that_may_not_be_listed_protect_their_engine(
    bao: Bao, path: str, mint_token: Callable[[str], str]
) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    bao.done("POST", f"{path}/keys/ml", {})
    blind = mint_token(f'path "sys/mounts/{path}" {{ capabilities = ["read", "update", "delete"] }}')
    message = refused(bao, MODULE, path=path, state="absent", token=blind)
    assert f"do not grant the capability 'list' on '{path}/keys'" in message
    assert read(bao, path) is not None


def test_a_run_that_fails_halfway_reports_its_changes(bao: Bao, path: str, mint_token: Callable[[str], str]) -> None:
    mounter = mint_token(f'path "sys/mounts/{path}" {{ capabilities = ["read", "update"] }}')
    result = run(bao, MODULE, path=path, token=mounter)
    assert result.failed
    assert result.changed
    assert f"do not grant the capability 'update' on '{path}/config/keys'" in result.msg
    assert result.msg.endswith(" Already done: the engine was enabled.")


# --- many at once ---


def test_hosts_that_enable_the_same_engine_at_once_all_succeed(bao: Bao, path: str) -> None:
    wanted = {"path": path, "state": "present", "description": "ours", "max_lease_ttl": "1h", "disable_upsert": True}
    outcomes = at_once(bao, reconcile_backend, wanted)
    assert {outcome.result["backend"]["description"] for outcome in outcomes} == {"ours"}
    assert shows(bao, path, {"description": "ours", "max_lease_ttl": 3600})
    assert bao.done("GET", f"{path}/config/keys")["data"]["disable_upsert"] is True


def test_hosts_that_disable_the_same_engine_at_once_all_succeed(bao: Bao, path: str) -> None:
    bao.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    at_once(bao, reconcile_backend, {"path": path, "state": "absent", "force": True})
    assert read(bao, path) is None


# --- namespaces ---


def test_a_path_that_leads_through_namespaces(bao: Bao) -> None:
    """As other requests take it: the key's path works from above, so its engine does."""
    # A namespace that is being deleted keeps its name for a while.
    top = f"from-above-{secrets.token_hex(3)}"
    bao.done("POST", f"sys/namespaces/{top}", {})
    bao.done("POST", f"{top}/sys/namespaces/team", {})
    path = f"{top}/team/transit"
    made = converge(bao, MODULE, path=path, description="one")
    assert made["backend"]["path"] == path
    converge(bao, MODULE, path=path, description="two", max_lease_ttl="1h")
    inside = bao.done("GET", f"{top}/team/sys/mounts/transit")["data"]
    assert (inside["description"], inside["config"]["max_lease_ttl"]) == ("two", 3600)
    unchanged(bao, MODULE, path="team/transit", namespace=top, description="two")
    converge(bao, "vault_transit_key", name="ml", backend=path)
    assert bao.request("GET", f"{top}/team/transit/keys/ml")[0] == 200
    converge(bao, MODULE, path=path, state="absent", force=True)
    assert bao.request("GET", f"{top}/team/sys/mounts/transit")[0] == 400
    manage_from_above(bao, top)
    bao.done("DELETE", f"{top}/sys/namespaces/team")


FROM_ABOVE = """
path "sys/namespaces/team" { capabilities = ["read"] }
path "team/sys/mounts/transit" { capabilities = ["read", "update", "delete"] }
path "team/sys/mounts/transit/tune" { capabilities = ["update"] }
path "team/transit/config/keys" { capabilities = ["read", "update"] }
path "team/transit/keys" { capabilities = ["list"] }
"""


def manage_from_above(bao: Bao, top: str) -> None:
    """With the rights that the guide names, and no others: none on a path that begins with sys/mounts."""
    bao.done("PUT", f"{top}/sys/policies/acl/manager", {"policy": FROM_ABOVE})
    token = bao.done("POST", f"{top}/auth/token/create", {"policies": ["manager"]})["auth"]["client_token"]
    options = {"path": "team/transit", "namespace": top, "token": token}
    converge(bao, MODULE, description="one", **options)
    converge(bao, MODULE, description="two", **options)
    converge(bao, MODULE, state="absent", **options)
    bao.done("PUT", f"{top}/sys/policies/acl/manager", {"policy": FROM_ABOVE.replace("sys/namespaces", "none")})
    assert "'read' on 'sys/mounts/team/transit'" in refused(bao, MODULE, **options)
