# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The collection in commands: found as Ansible finds it, logged in as its lookups log in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlkeys import MlkeysError
from mlkeys._system import collection
from tests.integration.support.plays import approle, live_tokens, may_use
from tests.support.server import Bao


@pytest.fixture(autouse=True)
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have begun a run of Ansible in this process, and a run keeps its logins."""
    collection.load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session

    monkeypatch.setattr(session, "_of_this_run", [])


def test_it_logs_in_with_the_environment_and_revokes_the_token(
    bao: Bao, mount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with approle(bao, may_use(mount)) as role:
        for name, value in {"BAO_ADDR": bao.addr, **role.environment}.items():
            monkeypatch.setenv(name, value)
        with collection.connected() as client:
            assert live_tokens(bao, role) == 1
            assert client.post(f"{mount}/keys/ml", {}).data["name"] == "ml"
        assert live_tokens(bao, role) == 0


def test_errors_of_the_collection_keep_their_message(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MlkeysError, match=r"url is not set.* To start a development server: mlkeys dev -- sh"):
        collection.connected().__enter__()
    monkeypatch.setenv("VAULT_ADDR", bao.addr)
    monkeypatch.setenv("VAULT_TOKEN", "wrong")
    with pytest.raises(MlkeysError, match="does not accept the token"), collection.connected() as client:
        client.get("sys/mounts")


def test_bad_values_of_a_configuration_name_it_and_the_value(tmp_path: Path) -> None:
    lines = ["[hashi_vault_collection]", "auth_method = app-role", "timeout = abc", "retries = -1"]
    (tmp_path / "ansible.cfg").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "keys.transit.yml").write_text("---\n", encoding="utf-8")
    command = [sys.executable, "-m", "mlkeys", "check", "keys.transit.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    for said in (
        "auth_method (ansible.cfg) is 'app-role'",
        "timeout (ansible.cfg) is 'abc'",
        "Did you mean 'approle'?",
    ):
        assert said in done.stderr
    assert "retries (ansible.cfg) is '-1', but must be 0 or more, or " in done.stderr


@pytest.mark.parametrize(
    ("host", "is_ours"), [("127.0.0.1", True), ("localhost", True), ("127.0.0.1.nip.invalid", False)]
)
def test_a_server_of_this_machine_that_is_away_can_be_started(
    host: str, is_ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_ADDR", f"http://{host}:1")
    monkeypatch.setenv("BAO_TOKEN", "any")
    monkeypatch.setenv("BAO_MAX_RETRIES", "0")
    with pytest.raises(MlkeysError, match="Cannot reach the server") as error, collection.connected() as client:
        client.get("sys/mounts")
    assert ("mlkeys dev -- sh" in str(error.value)) is is_ours


@pytest.mark.parametrize("problem", ["its TLS certificate could not be verified (…).", "no response in time."])
def test_a_server_that_is_there_needs_no_other_one(problem: str) -> None:
    assert collection.with_way_to_a_server(text := f"Cannot reach the server at https://127.0.0.1:1: {problem}") == text


@pytest.mark.parametrize(
    ("isolated", "reason"),
    [
        (False, "needs the collection mlkeys.transit, but Ansible does not find it"),
        (True, "ansible-core is not installed"),
    ],
)
def test_missing_software_is_reported(tmp_path: Path, isolated: bool, reason: str) -> None:
    # Another process: here both are loaded already.
    program = "import sys; sys.modules |= {'ansible': None} if sys.argv[1] else {}\n"
    program += "from mlkeys._system import collection\ncollection.load()"
    environment = {"HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, "yes" if isolated else ""],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert reason in done.stderr


@pytest.mark.parametrize("command", [["status"], ["rotate", "--key", "transit/ml", "--yes"]], ids=["status", "rotate"])
def test_a_playbook_of_a_missing_collection_is_reported_as_elsewhere(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {}}")
    done = subprocess.run(
        [Path(sys.executable).parent / "mlkeys", *command, "-i", "hosts.yml"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "ANSIBLE_COLLECTIONS_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"Error: {collection.NOT_FOUND}"
