# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often whole runs log in, and that they leave no tokens: counted in the server's audit log."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import Sessions
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection, Settings

from tests.integration.conftest import SecureBao
from tests.integration.support.plays import (
    CALLBACK,
    AppRole,
    Project,
    approle,
    asked,
    encrypted,
    live_tokens,
    make_key,
    may_use,
    messages,
    without,
)
from tests.integration.support.relay import relay
from tests.integration.support.runs import Ledger
from tests.support.collection import collections_path
from tests.support.server import Bao

SECRET = "sk-session-canary-3Rw"

DECRYPT = "lookup('mlkeys.transit.vault_transit', token, key='ml', context='token')"
LOOKUP = f'- ansible.builtin.debug: {{msg: "{{{{ {DECRYPT} }}}}"}}\n'


def info(mount: str, more: str = "") -> str:
    return f"- mlkeys.transit.vault_transit_key_info: {{name: ml, backend: {mount}}}\n{more}"


SENT = "  environment: {X: y}\n"


@pytest.fixture
def role(bao: Bao, mount: str) -> Iterator[AppRole]:
    with approle(bao, may_use(mount)) as made:
        yield made


def project_on(bao: Bao, mount: str, role: AppRole, folder: Path, hosts: int = 10) -> Project:
    make_key(bao, mount)
    made = Project(folder, {"BAO_ADDR": bao.addr, **role.environment})
    made.hosts(hosts, **encrypted(bao, mount, {"token": SECRET}), ansible_hashi_vault_engine_mount_point=mount)
    return made


@pytest.fixture
def project(bao: Bao, mount: str, role: AppRole, tmp_path: Path) -> Project:
    return project_on(bao, mount, role, tmp_path)


# --- the number of logins ---


def test_ten_hosts_share_one_login_of_lookups_and_modules(
    bao: Bao, mount: str, project: Project, role: AppRole
) -> None:
    sent = f"{SENT}  when: inventory_hostname in ['gateway1', 'gateway2']\n"
    project.play(LOOKUP + info(mount) + LOOKUP + info(mount, sent))
    ledger = Ledger(bao)
    done = project.run(env=CALLBACK)
    assert messages(done.stdout) == [SECRET] * 20
    kinds = asked(ledger)
    assert (kinds["login"], kinds["decrypt"], kinds["revoke-self"]) == (1, 1, 1)
    assert live_tokens(bao, role) == 0


def test_without_callback_and_plugin_each_task_and_host_logs_in_and_out(
    bao: Bao, mount: str, project: Project, role: AppRole
) -> None:
    loop = "  loop: [1, 2, 3]\n"
    twice = f'- ansible.builtin.debug: {{msg: "{{{{ {DECRYPT} }}}} {{{{ {DECRYPT} }}}}"}}\n'
    project.play(twice + info(mount, loop))
    ledger = Ledger(bao)
    project.run("--limit", "gateway1,gateway2,gateway3")
    kinds = asked(ledger)
    # Both lookups of a task are of one process.
    assert (kinds["login"], kinds["decrypt"], kinds["revoke-self"]) == (6, 3, 6)
    assert live_tokens(bao, role) == 0


def test_each_configuration_has_a_login_of_its_own(bao: Bao, mount: str, project: Project, role: AppRole) -> None:
    with approle(bao, may_use(mount)) as second, relay(bao.addr) as other_server:
        # Half of the hosts use another role, and one of these another server.
        variables = "".join(f"{name}: {value}\n" for name, value in second.variables.items())
        for number in range(5):
            project.write(f"host_vars/gateway{number}.yml", variables)
        with (project.folder / "host_vars/gateway0.yml").open("a", encoding="utf-8") as file:
            file.write(f"ansible_hashi_vault_url: {other_server.url}\n")
        project.play(LOOKUP + LOOKUP)
        ledger = Ledger(bao)
        project.run(env=CALLBACK)
        logins = [path for _operation, path in ledger.requests if path.endswith("/login")]
        assert sorted(logins) == sorted([f"auth/{role.mount}/login", *[f"auth/{second.mount}/login"] * 2])
        assert asked(ledger)["revoke-self"] == 3
        assert len([request for request in other_server.passed if request.path.endswith("/login")]) == 1


def test_namespaces_are_configurations(bao: Bao, mount: str, project: Project) -> None:
    bao.done("POST", "sys/namespaces/team")
    try:
        there = "  vars: {ansible_hashi_vault_namespace: team}\n  ignore_errors: true\n"
        project.play(info(mount) + info("transit", there))
        ledger = Ledger(bao)
        project.run("--limit", "gateway1,gateway2", env=CALLBACK)
        logins = [entry for entry in ledger.entries if entry["path"].endswith("/login")]
        # The role does not exist in the other namespace, so each host tries to log in.
        assert sorted(entry.get("namespace", {}).get("path", "") for entry in logins) == ["", "team/", "team/"]
    finally:
        bao.done("DELETE", "sys/namespaces/team")


def test_a_run_that_needs_no_server_makes_no_request(bao: Bao, project: Project) -> None:
    project.play("- ansible.builtin.debug: {msg: hello}\n")
    ledger = Ledger(bao)
    project.run(env=CALLBACK)
    project.play(LOOKUP)
    for look in ("--syntax-check", "--list-tasks"):
        project.run(look, env=CALLBACK)
    assert ledger.requests == []


def test_check_mode_makes_no_more_requests_than_a_run(bao: Bao, mount: str, project: Project) -> None:
    key = f"- mlkeys.transit.vault_transit_key: {{name: ml, backend: {mount}, derived: true}}\n"
    project.play(LOOKUP + info(mount) + key)
    counts = []
    for args in (["--check"], []):
        ledger = Ledger(bao)
        project.run(*args, env=CALLBACK)
        counts.append(asked(ledger))
    assert counts[0] == counts[1]


def test_lookups_of_the_process_that_runs_the_play_share_its_login(bao: Bao, mount: str, project: Project) -> None:
    project.write("more.yml", LOOKUP)
    project.play(f"- ansible.builtin.include_tasks: more.yml\n  when: {DECRYPT} == '{SECRET}'\n")
    ciphertext = encrypted(bao, mount, {"where": "gateways"})["where"]
    where = f"'{ciphertext}', key='ml', context='where', backend='{mount}'"
    hosts = f"hosts: \"{{{{ lookup('mlkeys.transit.vault_transit', {where}) }}}}\"\n  strategy: free"
    text = (project.folder / "play.yml").read_text(encoding="utf-8")
    project.write("play.yml", text.replace("hosts: all", hosts))
    ledger = Ledger(bao)
    done = project.run(env=CALLBACK)
    assert messages(done.stdout) == [SECRET] * 10
    kinds = asked(ledger)
    assert (kinds["login"], kinds["revoke-self"]) == (1, 1)


def test_a_token_with_limited_uses_is_used_by_one_task(bao: Bao, mount: str, tmp_path: Path) -> None:
    with approle(bao, may_use(mount), token_num_uses=2) as few:
        made = project_on(bao, mount, few, tmp_path)
        made.play(LOOKUP)
        ledger = Ledger(bao)
        done = made.run(env=CALLBACK)
        assert messages(done.stdout) == [SECRET] * 10
        kinds = asked(ledger)
        # That of each host, and that of the process which decrypts for them.
        assert (kinds["login"], kinds["decrypt"]) == (11, 1)
        assert live_tokens(bao, few) == 0


# --- the end ---


def test_a_failed_play_and_a_second_playbook_end_with_one_revocation(bao: Bao, project: Project, role: AppRole) -> None:
    project.play(LOOKUP + "- ansible.builtin.fail: {msg: on purpose}\n")
    ledger = Ledger(bao)
    project.run(env=CALLBACK, status=2)
    assert asked(ledger) == {"login": 1, "decrypt": 1, "revoke-self": 1}

    project.play(LOOKUP)
    ledger = Ledger(bao)
    project.run("--limit", "gateway1", "play.yml", "play.yml", env=CALLBACK)
    assert asked(ledger) == {"login": 1, "decrypt": 1, "revoke-self": 1}
    assert live_tokens(bao, role) == 0


def test_a_token_is_kept_if_that_is_configured(bao: Bao, project: Project, role: AppRole) -> None:
    project.play(LOOKUP)
    ledger = Ledger(bao)
    project.run("--limit", "gateway1", env={**CALLBACK, "ANSIBLE_HASHI_VAULT_TOKEN_REVOKE": "false"})
    assert asked(ledger) == {"login": 1, "decrypt": 1}
    assert live_tokens(bao, role) == 1


def test_a_given_token_is_never_revoked(bao: Bao, mount: str, project: Project, role: AppRole) -> None:
    given = without({**project.environment, "BAO_TOKEN": bao.token}, *role.environment)
    project.play(LOOKUP + info(mount, SENT) + info(mount))
    ledger = Ledger(bao)
    for env in (CALLBACK, {}):
        Project(project.folder, given).run("--limit", "gateway1", env=env)
    assert not {"login", "revoke-self", "renew-self"} & set(asked(ledger))
    assert bao.request("GET", "auth/token/lookup-self")[0] == 200


def test_a_run_that_is_interrupted_revokes_its_token(bao: Bao, project: Project, role: AppRole, tmp_path: Path) -> None:
    mark = tmp_path / "here"
    # In one task: Ansible does not end a worker that it is just starting.
    project.play(LOOKUP + f"- ansible.builtin.shell: touch {mark}; sleep 60\n")
    environment = {
        **os.environ,
        **project.environment,
        **CALLBACK,
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    command = Path(sys.executable).parent / "ansible-playbook"
    running = subprocess.Popen(
        [str(command), "-i", "inventory.yml", "--limit", "gateway1", "play.yml"],
        cwd=project.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Shells ignore interrupts for processes in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    try:
        deadline = time.monotonic() + 60
        while not mark.exists():
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert live_tokens(bao, role) == 1
        running.send_signal(signal.SIGINT)
        assert running.wait(30) != 0
    finally:
        running.kill()
        running.wait()
    assert live_tokens(bao, role) == 0


# --- long runs ---


def test_a_run_outlives_its_token(bao: Bao, mount: str, tmp_path: Path) -> None:
    with approle(bao, may_use(mount), token_ttl="2s") as short:
        made = project_on(bao, mount, short, tmp_path, hosts=2)
        made.play(LOOKUP + "- ansible.builtin.pause: {seconds: 3}\n" + LOOKUP)
        ledger = Ledger(bao)
        done = made.run(env=CALLBACK)
        assert messages(done.stdout) == [SECRET] * 4
        assert asked(ledger)["login"] == 2
        assert live_tokens(bao, short) == 0


@pytest.mark.parametrize(
    ("options", "renewals", "logins"),
    [
        ({"token_ttl": "20s"}, 1, 1),
        ({"token_ttl": "20s", "token_type": "batch"}, 0, 2),
    ],
    ids=["renewable", "batch"],
)
def test_a_token_near_its_end(
    bao: Bao,
    mount: str,
    options: dict[str, object],
    renewals: int,
    logins: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = 0.0

    # The listeners of earlier tests in this process go on, and sleep.
    monkeypatch.setattr(session, "time", SimpleNamespace(time=lambda: time.time() + late, sleep=time.sleep))
    monkeypatch.setattr(session, "_at_exit", lambda _end: None)
    with approle(bao, may_use(mount), **options) as short:
        auth = Auth(method="approle", mount_point=short.mount, role_id=short.role_id, secret_id=short.secret_id)
        settings = Settings(Connection(url=bao.addr), auth)
        sessions = Sessions()
        ledger = Ledger(bao)
        first = sessions.lease(settings, print)
        late = 18.5
        second = sessions.lease(settings, print)
        kinds = asked(ledger)
        assert (second.token == first.token) is (logins == 1)
        assert (kinds.get("renew-self", 0), kinds["login"]) == (renewals, logins)
        sessions.close()
        assert live_tokens(bao, short) == 0


# --- over TLS, and on disk ---


def test_twenty_workers_over_tls(secure_bao: SecureBao, tmp_path: Path) -> None:
    bao = secure_bao.bao
    with approle(bao, may_use("transit")) as role:
        made = project_on(bao, "transit", role, tmp_path, hosts=20)
        made.play(LOOKUP + info("transit"))
        ledger = Ledger(bao)
        secure = {**CALLBACK, "BAO_ADDR": secure_bao.url, "BAO_CACERT": secure_bao.ca_cert}
        done = made.run(env=secure, forks=20)
        assert messages(done.stdout) == [SECRET] * 20
        kinds = asked(ledger)
        assert (kinds["login"], kinds["revoke-self"]) == (1, 1)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder near the root: the path of a socket must be short."""
    made = Path(tempfile.mkdtemp(prefix="s-"))
    yield made
    shutil.rmtree(made)


def test_nothing_is_on_disk_during_or_after_the_run(
    bao: Bao, mount: str, project: Project, tmp_path: Path, scratch: Path
) -> None:
    home, temporary, seen = scratch / "HOME", scratch / "TMP", tmp_path / "seen"
    for folder in (home, temporary, seen):
        folder.mkdir()
    look = f"cp -r {home} {temporary} {seen}/; find {temporary} -type s > {seen}/sockets"
    project.play(LOOKUP + info(mount) + f"- ansible.builtin.shell: {look}\n")
    environment = {
        **CALLBACK,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_LOCAL_TEMP": str(temporary / "local"),
        "ANSIBLE_REMOTE_TEMP": str(temporary / "remote"),
    }
    with relay(bao.addr) as server:
        project.run("--limit", "gateway1", env={**environment, "BAO_ADDR": server.url})
        [token] = {request.token for request in server.passed if request.token}
    assert "/listener-" in (seen / "sockets").read_text(encoding="utf-8")
    assert [path for path in temporary.rglob("*") if path.is_socket()] == []
    files = [path for folder in (tmp_path, scratch) for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if token.encode() in path.read_bytes()] == []
