# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook rotate: the whole life of a rotation, killed anywhere, held up, and finished by the next run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts import find

from tests.integration.support.plays import make_key
from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import VarsFile
from tests.support.collection import collections_path
from tests.support.server import Bao

VALUES = {"openai_api_key": "sk-canary-one", "hf_token": "hf_canary-two"}
HOSTS = ("gateway-a", "gateway-b")
KEY = "ml-api-key"


@dataclass(frozen=True)
class Fleet:
    """Two hosts that are folders, each with two files of ciphertexts, and the vars file that these came from."""

    bao: Bao
    mount: str
    folder: Path
    file: VarsFile

    @property
    def files(self) -> list[Path]:
        return [self.folder / host / name for host in HOSTS for name in ("srv/app.env", "etc/config.yaml")]

    def fill(self) -> None:
        self.file.run(VALUES, key=KEY)
        ciphertexts = self.file.ciphertexts()
        for path in self.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"{name.upper()}={text}\n" for name, text in ciphertexts.items()]
            path.write_text("# made by hand\n" + "".join(lines), encoding="utf-8")
            path.chmod(0o640)

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        status: int = 0,
        **variables: object,
    ) -> str:
        """Run the playbook in a group of processes of its own, and see it end with this status."""
        settings = {
            "vault_transit_rotate_key": KEY,
            "vault_transit_rotate_backend": self.mount,
            "vault_transit_rotate_vars_files": [str(self.file.path)],
            "vault_transit_rotate_older_than": 0,
            **variables,
        }
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "killing,mlkeys.transit.session",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "BAO_ADDR": self.bao.addr,
            "BAO_TOKEN": self.bao.token,
            "KILL_MOVES": str(self.folder / "moves"),
            **(env or {}),
        }
        argv = ["-i", str(self.folder / "inventory.yml"), "-e", json.dumps(settings), *arguments]
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), *argv, "mlkeys.transit.rotate"],
            cwd=self.folder,
            env=environment,
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert done.returncode == status, shown
        assert "Traceback" not in shown
        assert "canary" not in shown
        return shown

    def key(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bao.done("GET", f"{self.mount}/keys/{KEY}")["data"]
        return {
            name: found[name]
            for name in ("latest_version", "min_decryption_version", "min_encryption_version", "min_available_version")
        }

    def carried_through(self, version: int = 2, values: Mapping[str, str] = VALUES) -> None:
        """Every copy holds what the vars file holds, that is of the version, and decrypts."""
        assert set(self.file.versions().values()) == {version}
        assert self.file.plaintexts(KEY) == values
        for path in self.files:
            texts = [found.text for found in find(path.read_bytes())]
            assert texts == list(self.file.ciphertexts().values()), path
            assert path.read_text(encoding="utf-8").startswith("# made by hand\n")
            assert path.stat().st_mode & 0o777 == 0o640
        left = [path for path in self.folder.rglob("*") if path.name.endswith(".mlkeys-new")]
        assert left == []


@pytest.fixture
def fleet(bao: Bao, mount: str, tmp_path: Path) -> Fleet:
    make_key(bao, mount, KEY)
    made = Fleet(bao, mount, tmp_path, VarsFile(bao, mount, tmp_path / "keys.transit.yml"))
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    paths = {"vault_transit_host_paths": [str(tmp_path / "{{ inventory_hostname }}")]}
    inventory = {
        "all": {
            "hosts": {"localhost": None},
            "children": {"gateways": {"hosts": dict.fromkeys(HOSTS), "vars": paths}},
            "vars": local,
        }
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    made.fill()
    return made


DONE = {"latest_version": 2, "min_decryption_version": 2, "min_encryption_version": 2, "min_available_version": 0}


def rotations(ledger: Ledger) -> int:
    return sum(path.endswith("/rotate") for _operation, path in ledger.requests)


def test_all_is_carried_over_the_floor_raised_and_a_second_run_changes_nothing(fleet: Fleet) -> None:
    foretold = fleet.run("--check")
    assert "changed: [localhost]" in foretold
    assert fleet.key()["latest_version"] == 1
    ledger = Ledger(fleet.bao)
    fleet.run()
    fleet.carried_through()
    assert fleet.key() == DONE
    assert rotations(ledger) == 1
    # One for the vars file; the hosts are only looked at twice, for what they get is known.
    assert sum("/rewrap/" in path for _operation, path in ledger.requests) == 1 + 2 * len(HOSTS)
    again = fleet.run(vault_transit_rotate_older_than="90d")
    assert "changed=0" in again
    assert "changed=1" not in again


TASKS = [
    "Read the key",
    "See whether one of them is behind",
    "Find the ciphertexts",
    "Rotate the key",
    "Read the version that all is carried to",
    "Carry the encrypted vars files over",
    "Rewrap",
    "Look again",
    "Let older versions neither decrypt nor encrypt any more",
    "Destroy the older versions",
]


@pytest.mark.parametrize("task", TASKS)
def test_a_run_that_is_killed_after_a_task_is_finished_by_the_next(fleet: Fleet, task: str) -> None:
    ledger = Ledger(fleet.bao)
    trim: dict[str, Any] = {"vault_transit_rotate_trim": True}
    fleet.run(env={"KILL_AFTER": task}, status=-9, **trim)
    # Everything decrypts at any moment.
    assert fleet.file.plaintexts(KEY) == VALUES
    unfinished = rotations(ledger)
    fleet.run(**trim, vault_transit_rotate_older_than="90d" if unfinished else 0)
    fleet.carried_through()
    assert fleet.key() == {**DONE, "min_available_version": 2}
    assert rotations(ledger) == 1


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_run_that_is_killed_between_writing_and_renaming_is_finished_by_the_next(fleet: Fleet, number: int) -> None:
    ledger = Ledger(fleet.bao)
    fleet.run(env={"KILL_AT_MOVE": str(number)}, status=-9)
    assert len((fleet.folder / "moves").read_text(encoding="utf-8").splitlines()) >= number
    assert any(path.name.endswith(".mlkeys-new") for path in fleet.folder.rglob("*"))
    assert fleet.file.plaintexts(KEY) == VALUES
    # Demanded again, but the one before it is not carried through yet.
    fleet.run()
    fleet.carried_through()
    assert fleet.key() == DONE
    assert rotations(ledger) == 1


def test_a_leaked_key_is_replaced_everywhere_in_the_same_run(fleet: Fleet) -> None:
    new = {**VALUES, "openai_api_key": "sk-canary-new"}
    secrets = {"openai_api_key": "{{ lookup('ansible.builtin.env', 'NEW_KEY') }}", "unknown_api_key": "x"}
    environment = {"NEW_KEY": new["openai_api_key"]}
    fleet.run(
        env={**environment, "KILL_AFTER": "Carry the encrypted vars files over"},
        status=-9,
        vault_transit_rotate_secrets=secrets,
    )
    fleet.run(env=environment, vault_transit_rotate_secrets=secrets)
    fleet.carried_through(values=new)
    assert fleet.key() == DONE


def test_a_host_that_cannot_be_reached_is_named_and_keeps_the_floor_down(fleet: Fleet) -> None:
    lost = ["-e", json.dumps({"lost": True})]
    inventory = yaml.safe_load((fleet.folder / "inventory.yml").read_text())
    reached = dict(inventory["all"]["children"]["gateways"]["hosts"])
    inventory["all"]["children"]["gateways"]["hosts"]["gateway-b"] = {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": 1,
    }
    (fleet.folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    shown = fleet.run(*lost, status=2)
    assert "these hosts could not be looked at: gateway-b (unreachable)" in shown
    assert fleet.key() == {**DONE, "min_decryption_version": 1, "min_encryption_version": 0}
    inventory["all"]["children"]["gateways"]["hosts"] = reached
    (fleet.folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    fleet.run()
    fleet.carried_through()
    assert fleet.key() == DONE


def test_a_limit_goes_step_by_step_and_the_floor_waits(fleet: Fleet) -> None:
    # Copies that the vars file does not know.
    for path in fleet.files:
        path.write_text(path.read_text().replace("# made by hand\n", "# made by hand\n# "), encoding="utf-8")
    fleet.file.path.unlink()
    fleet.file.run(VALUES, key=KEY)
    shown = fleet.run(vault_transit_rotate_limit=1)
    assert "ciphertexts are left by the limit" in shown
    assert fleet.key()["min_decryption_version"] == 1
    fleet.run(vault_transit_rotate_limit=1)
    assert fleet.key() == DONE


def test_hosts_go_one_after_the_other_where_that_is_asked_for(fleet: Fleet) -> None:
    shown = fleet.run(vault_transit_rotate_serial=1)
    assert shown.count("TASK [Rewrap]") == len(HOSTS)
    fleet.carried_through()


def test_without_the_right_to_raise_the_floor_all_else_is_done(fleet: Fleet, mint_token: Callable[[str], str]) -> None:
    uses = ("rewrap", "hmac", "encrypt", "decrypt", "verify")
    policy = "".join(f'path "{fleet.mount}/{use}/{KEY}" {{ capabilities = ["update"] }}\n' for use in uses)
    policy += f'path "{fleet.mount}/keys/{KEY}" {{ capabilities = ["read"] }}\n'
    policy += f'path "{fleet.mount}/keys/{KEY}/rotate" {{ capabilities = ["update"] }}\n'
    shown = fleet.run(env={"BAO_TOKEN": mint_token(policy)}, status=2)
    assert f"capability 'update' on '{fleet.mount}/keys/{KEY}/config'" in shown
    fleet.carried_through()
    more = policy + f'path "{fleet.mount}/keys/{KEY}/config" {{ capabilities = ["update"] }}\n'
    fleet.run(env={"BAO_TOKEN": mint_token(more)})
    assert fleet.key() == DONE


def test_a_key_that_is_not_there_is_said_so(fleet: Fleet) -> None:
    shown = fleet.run(status=2, vault_transit_rotate_key="nothing")
    assert f"There is no key nothing in the engine {fleet.mount}." in shown
