# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cluster: reads through standbys, members that die or are sealed, rate limits, interrupted rotations."""

from __future__ import annotations

import base64
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import client, transport
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import cluster as _cluster

from tests.integration.support.backups import age_holder
from tests.integration.support.relay import Passed, relay
from tests.support.cluster import Cluster, Node
from tests.support.modules import ModuleResult, run_module
from tests.support.pauses import instead_of_pauses

# Enough for the election of a new active node, and for a rate limit to pass.
PATIENT = {"total": 30, "backoff_factor": 0.1, "backoff_max": 0.4}

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    """The cluster, with all members running at the start of each test."""
    running.heal()
    return running


@pytest.fixture
def engine(cluster: Cluster) -> str:
    """A Transit engine that all nodes know."""
    path = f"transit-{next(_numbers)}"
    cluster.done("POST", f"sys/mounts/{path}", {"type": "transit"})
    cluster.wait_until_whole()
    return path


def key_version(cluster: Cluster, engine: str, name: str) -> int:
    """The latest version of a key on the active node."""
    return int(cluster.done("GET", f"{engine}/keys/{name}")["data"]["latest_version"])


def run(module: str, cluster: Cluster, url: object, /, **options: object) -> ModuleResult:
    return run_module(module, {"url": url, "token": cluster.token, **options})


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def killing_leader(cluster: Cluster, after: int, path: str) -> threading.Thread:
    """Kill the active node in the background, at so many requests after this returns."""
    watching = threading.Event()
    thread = in_background(lambda: cluster.kill_leader(after, path, watching.set))
    assert watching.wait(30)
    return thread


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


# --- reading what was written ---


def use_new(cluster: Cluster, standby: Node, engine: str, file: Path) -> list[ModuleResult]:
    """Create an engine and a key, configure, rotate and use it, each step by a module and so a client of its own."""

    def key(**options: object) -> ModuleResult:
        return run("vault_transit_key", cluster, standby.address, backend=engine, name="ml", **options)

    def vars_file() -> ModuleResult:
        options = {"path": str(file), "backend": engine, "key": "ml", "secrets": {"a": "sk-cluster"}}
        return run("vault_transit_vars", cluster, standby.address, **options)

    return [
        run("vault_transit_backend", cluster, standby.address, path=engine),
        key(type="aes256-gcm96", derived=True),
        key(deletion_allowed=True, auto_rotate_period="720h"),
        key(rotate_older_than="0"),
        key(min_encryption_version=2),
        vars_file(),
        vars_file(),
        key(min_encryption_version=2, deletion_allowed=True),
        run("vault_transit_key_info", cluster, standby.address, backend=engine, name="ml"),
    ]


def test_what_was_written_through_a_standby_is_read_through_it(cluster: Cluster, tmp_path: Path) -> None:
    stale = []
    for number in range(30):
        file = tmp_path / f"{number}.transit.yml"
        steps = use_new(cluster, cluster.standbys[number % 2], f"sequence-{number}", file)
        assert [step.msg for step in steps if step.failed] == []
        changed = [step.changed for step in steps]
        versions = (steps[5]["entries"][0]["version"], steps[8]["transit_keys"][0]["latest_version"])
        if changed != [True] * 6 + [False] * 3 or versions != (2, 2):
            stale.append((number, changed, versions))
    assert stale == []


def test_a_forced_restore_sees_versions_that_a_standby_does_not_know_yet(
    cluster: Cluster, engine: str, tmp_path: Path
) -> None:
    holder, standby = age_holder(), cluster.standbys[0].address
    allowed = {"exportable": True, "allow_plaintext_backup": True}
    restore: dict[str, Any] = {"backend": engine, "age_identity": holder.identity, "force": True}
    for number in range(10):
        name = f"ml{number}"
        path = str(tmp_path / name)
        cluster.done("POST", f"{engine}/keys/{name}", allowed)
        cluster.wait_until_whole()
        backup = {"name": name, "backend": engine, "path": path, "recipients": [holder.recipient]}
        taken = run("vault_transit_backup", cluster, standby, **backup)
        assert taken.changed, taken.msg
        cluster.done("POST", f"{engine}/keys/{name}/config", {"min_encryption_version": 1})
        cluster.wait_until_whole()
        # The key differs from its backup in this alone, until somebody rotates it.
        cluster.done("POST", f"{engine}/keys/{name}/rotate")
        refused = run("vault_transit_restore", cluster, standby, **restore, path=path)
        assert "the backup lacks version 2" in refused.msg
        assert key_version(cluster, engine, name) == 2


def test_the_first_request_after_a_login_names_the_state_that_knows_the_token(
    cluster: Cluster, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.done("POST", f"{engine}/keys/ml", {})
    cluster.done("POST", f"sys/auth/{engine}", {"type": "userpass"})
    cluster.done("PUT", f"sys/policies/acl/{engine}", {"policy": f'path "{engine}/keys/ml" {{capabilities=["read"]}}'})
    cluster.done("POST", f"auth/{engine}/users/ml", {"password": "pw", "token_policies": [engine]})
    cluster.wait_until_whole()
    named: list[str | None] = []
    headers = _cluster.consistency_headers

    def noted(index: str | None, **how: bool) -> dict[str, str]:
        named.append(index)
        return headers(index, **how)

    monkeypatch.setattr(transport, "consistency_headers", noted)
    found = run_module(
        "vault_transit_key_info",
        {
            "url": cluster.standbys[0].address,
            "auth_method": "userpass",
            "mount_point": engine,
            "username": "ml",
            "password": "pw",
            "backend": engine,
            "name": "ml",
        },
    )
    assert not found.failed, found.msg
    login, read, _revocation = named
    assert (login, bool(read)) == (None, True)


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with OpenBao 2.5 and 2.6: standbys answer reads, and no response names its state."""
    monkeypatch.setattr(transport, "INDEX", "X-Not-There")


def refusals_in_sequences(cluster: Cluster, name: str, count: int) -> list[str]:
    standby = cluster.standbys[0]
    refusals = []
    for number in range(count):
        engine = f"{name}-{number}"
        steps = [
            run("vault_transit_backend", cluster, standby.address, path=engine),
            run("vault_transit_key", cluster, standby.address, backend=engine, name="ml", deletion_allowed=True),
        ]
        refusals += [step.msg for step in steps if step.failed]
    return refusals


def test_without_an_index_a_lagging_standby_is_asked_again(cluster: Cluster, no_index: None) -> None:
    assert refusals_in_sequences(cluster, "asked", 5) == []


def test_standbys_do_lag_behind(cluster: Cluster, no_index: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test before this one proves nothing."""
    monkeypatch.setattr(client, "LAG_SECONDS", 0.0)
    refusals = refusals_in_sequences(cluster, "hasty", 5)
    assert refusals
    signs = ("No secrets engine is mounted", "/keys/ml/config' does not exist")
    assert [refusal for refusal in refusals if not any(sign in refusal for sign in signs)] == []


def test_an_engine_that_was_just_enabled_elsewhere_is_found(cluster: Cluster) -> None:
    standby = cluster.standbys[0]
    for number in range(5):
        cluster.done("POST", f"sys/mounts/theirs-{number}", {"type": "transit"})
        enabled = run("vault_transit_backend", cluster, standby.address, path=f"theirs-{number}")
        assert not enabled.failed, enabled.msg


def test_a_missing_key_is_reported_without_waiting(
    cluster: Cluster, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    instead_of_pauses(monkeypatch, pauses.append)
    for url in (cluster.leader.address, cluster.standbys[0].address):
        found = run("vault_transit_key_info", cluster, url, backend=engine, name="nothing")
        assert found["transit_keys"] == []
    assert pauses == []


# --- members ---


@pytest.mark.parametrize("form", [",".join, ", ".join, list])
def test_the_next_member_is_tried_when_one_is_down(
    cluster: Cluster, engine: str, form: Callable[[list[str]], object]
) -> None:
    url = form([unused_url(), cluster.standbys[0].address, cluster.leader.address])
    assert not run("vault_transit_key", cluster, url, backend=engine, name="ml").failed


def test_the_next_member_is_tried_over_https_too(cluster: Cluster, engine: str) -> None:
    url = [unused_url().replace("http", "https"), cluster.standbys[0].https_address]
    made = run("vault_transit_key", cluster, url, backend=engine, name="ml", ca_cert=cluster.ca_cert)
    assert made.changed


def test_the_next_member_is_tried_when_one_is_sealed(cluster: Cluster, engine: str) -> None:
    sealed, standby = cluster.standbys
    sealed.seal(cluster.token)
    made = run("vault_transit_key", cluster, [sealed.address, standby.address], backend=engine, name="ml")
    assert made.changed
    alone = run("vault_transit_key", cluster, sealed.address, backend=engine, name="ml")
    assert alone.msg == (
        f"The server is not ready for '{engine}/keys/ml': Vault is sealed. Unseal it (bao operator unseal, vault "
        f"operator unseal), or wait until a node is active. Asked: {sealed.address}, the root namespace. Check: bao "
        f"status -address={sealed.address}."
    )


def test_no_member_responds(cluster: Cluster) -> None:
    dead = [unused_url(), unused_url()]
    failed = run("vault_transit_key", cluster, dead, name="ml")
    assert failed.msg == (
        f"No member of the cluster could serve the request. Last error: Cannot reach the server at {dead[1]}: "
        "connection refused. Check url (BAO_AGENT_ADDR, BAO_ADDR, VAULT_ADDR) and that the server is running. "
        f"Check: bao status -address={dead[1]}."
    )


# --- the active node dies ---


def test_retries_wait_for_a_new_active_node(cluster: Cluster, engine: str) -> None:
    standby, other = cluster.standbys
    cluster.leader.kill()
    options: dict[str, Any] = {"backend": engine, "name": "ml"}
    at_once = run("vault_transit_key", cluster, standby.address, **options)
    assert at_once.failed
    assert not at_once.changed
    assert at_once.msg.startswith(("Cannot reach the server at ", "The server at ", "The server is not ready for "))
    patient = run("vault_transit_key", cluster, [standby.address, other.address], retries=PATIENT, **options)
    assert (patient.failed, patient.changed) == (False, True)
    assert [warning.partition(":")[0] for warning in patient.warnings] == ["Retrying"] * len(patient.warnings)
    assert patient.warnings
    assert key_version(cluster, engine, "ml") == 1


def test_nothing_is_lost_when_the_active_node_dies_while_it_encrypts(
    cluster: Cluster, engine: str, tmp_path: Path
) -> None:
    cluster.done("POST", f"{engine}/keys/ml", {"derived": True})
    secrets = {f"secret_{number}": f"sk-{number}" for number in range(2000)}
    file = tmp_path / "keys.transit.yml"
    url = [node.address for node in (cluster.leader, *cluster.standbys)]
    options: dict[str, Any] = {"path": str(file), "backend": engine, "key": "ml", "secrets": secrets}
    killer = killing_leader(cluster, after=4, path=f"{engine}/encrypt/ml")
    written = run("vault_transit_vars", cluster, url, retries=PATIENT, **options)
    killer.join()
    assert not written.failed, written.msg
    assert not cluster.nodes[[node.address for node in cluster.nodes].index(url[0])].runs
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert decrypted(cluster, engine, {name: content[name] for name in secrets}) == secrets
    assert set(content) == {*secrets, "_transit"}
    again = run("vault_transit_vars", cluster, url, retries=PATIENT, **options)
    assert (again.failed, again.changed) == (False, False)


def decrypted(cluster: Cluster, engine: str, ciphertexts: dict[str, str]) -> dict[str, str]:
    names = list(ciphertexts)
    found: dict[str, str] = {}
    for start in range(0, len(names), 200):
        batch = names[start : start + 200]
        items = [
            {"ciphertext": ciphertexts[name], "context": base64.b64encode(name.encode()).decode()} for name in batch
        ]
        results = cluster.done("POST", f"{engine}/decrypt/ml", {"batch_input": items})["data"]["batch_results"]
        found.update(
            (name, base64.b64decode(item["plaintext"]).decode()) for name, item in zip(batch, results, strict=True)
        )
    return found


def test_a_rotation_whose_response_died_with_the_active_node_is_detected(cluster: Cluster, engine: str) -> None:
    cluster.done("POST", f"{engine}/keys/ml", {})
    leader = cluster.leader
    others = [node.address for node in cluster.standbys]

    def kill_after_rotation(request: Passed) -> bool:
        if not request.path.endswith("/rotate"):
            return False
        leader.kill()
        return True

    with relay(leader.address) as before_leader:
        before_leader.cuts = kill_after_rotation
        url = [before_leader.url, *others]
        rotated = run(
            "vault_transit_key", cluster, url, retries=PATIENT, backend=engine, name="ml", rotate_older_than="0"
        )
    assert not rotated.failed, rotated.msg
    assert rotated["key"]["latest_version"] == 2
    assert key_version(cluster, engine, "ml") == 2


@pytest.mark.parametrize("through", ["leader", "standby"])
def test_a_rotation_is_done_once_when_the_active_node_dies_during_it(
    cluster: Cluster, engine: str, through: str
) -> None:
    cluster.done("POST", f"{engine}/keys/ml", {})
    cluster.wait_until_whole()
    nodes = [cluster.leader, *cluster.standbys]
    url = [node.address for node in (nodes if through == "leader" else nodes[1:])]
    killer = killing_leader(cluster, after=1, path=f"{engine}/keys/ml/rotate")
    rotated = run("vault_transit_key", cluster, url, retries=PATIENT, backend=engine, name="ml", rotate_older_than="0")
    killer.join()
    assert not rotated.failed, rotated.msg
    assert rotated["key"]["latest_version"] == key_version(cluster, engine, "ml") == 2


# --- rate limits ---


@pytest.fixture
def limited(cluster: Cluster, engine: str) -> Iterator[str]:
    """An engine with a limit of two requests per second."""
    cluster.done("POST", f"sys/quotas/rate-limit/{engine}", {"path": f"{engine}/", "rate": 2, "interval": "1s"})
    cluster.wait_until_whole()
    yield engine
    cluster.done("DELETE", f"sys/quotas/rate-limit/{engine}")


@pytest.mark.parametrize("with_header", [True, False])
def test_retries_wait_for_a_rate_limit(
    cluster: Cluster, limited: str, with_header: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.done("POST", "sys/quotas/config", {"enable_rate_limit_response_headers": with_header})
    asked: list[str | None] = []
    wanted: list[float] = []
    pauses: list[float] = []

    def pause_before(backoff: float, retry_after: str | None, timeout: int) -> float | None:
        asked.append(retry_after)
        pause = _cluster.pause_before(backoff, retry_after, timeout)
        assert pause is not None
        assert pause >= int(retry_after or 0)
        wanted.append(pause)
        return pause

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        really_sleep(seconds)

    really_sleep = time.sleep
    instead_of_pauses(monkeypatch, sleep)

    monkeypatch.setattr(client, "pause_before", pause_before)
    keys = [
        run("vault_transit_key", cluster, cluster.leader.address, retries=PATIENT, backend=limited, name=f"k{number}")
        for number in range(3)
    ]
    assert [key.changed for key in keys] == [True] * 3
    assert asked
    assert all((text is not None) is with_header for text in asked)
    # The client also waits for keys that a node does not know yet.
    assert set(wanted) <= set(pauses)


def test_a_rate_limit_is_an_error_without_retries(cluster: Cluster, limited: str) -> None:
    url = cluster.leader.address
    results = [run("vault_transit_key_info", cluster, url, backend=limited, name="ml") for _number in range(6)]
    failed = [result.msg for result in results if result.failed]
    assert failed
    assert failed[0] == (
        f"The server's rate limit was exceeded at '{limited}/keys/ml': request path \"{limited}/keys/ml\": rate "
        f"limit quota exceeded. Try again later, or set retries. Asked: {url}, the root namespace. Check: bao list "
        f"-address={url} sys/quotas/rate-limit."
    )
