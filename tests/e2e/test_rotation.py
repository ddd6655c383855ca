# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook rotate: the whole life of a rotation, killed anywhere, held up, and finished by the next run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import bound

from tests.e2e.fleets import DONE, HOSTS, KEY, VALUES, Fleet, account_in
from tests.integration.support.backups import age_holder
from tests.integration.support.runs import Ledger, run
from tests.integration.support.vars_files import VarsFile


def rotations(ledger: Ledger) -> int:
    return sum(path.endswith("/rotate") for _operation, path in ledger.requests)


def test_all_is_rewrapped_the_floor_raised_and_a_second_run_changes_nothing(fleet: Fleet) -> None:
    predicted = fleet.run("--check")
    assert "changed: [localhost]" in predicted
    assert fleet.key()["latest_version"] == 1
    ledger = Ledger(fleet.bao)
    fleet.run()
    fleet.check_rotated()
    assert fleet.key() == DONE
    assert rotations(ledger) == 1
    # One rewraps the vars file, and one before and after it proves what it holds. Copies of that on hosts are known.
    assert sum("/rewrap/" in path for _operation, path in ledger.requests) == 3
    again = fleet.run(vault_transit_rotate_older_than="90d")
    assert "changed=0" in again
    assert "changed=1" not in again


TASKS = [
    "Read the key",
    "Check encrypted vars files",
    "Find ciphertexts",
    "Rotate the key",
    "Read the target version",
    "Rewrap encrypted vars files",
    "Rewrap ciphertexts",
    "Search again",
    "Raise the floor",
    "Trim older versions",
]


def test_runs_that_are_killed_after_each_task_are_finished_by_the_next(fleet: Fleet) -> None:
    ledger = Ledger(fleet.bao)
    settings: dict[str, Any] = {"vault_transit_rotate_trim": True, "vault_transit_rotate_older_than": 0}
    for task in TASKS:
        fleet.run(env={"KILL_AFTER": task}, status=-9, **settings)
        # Everything can be decrypted at all times.
        assert fleet.file.plaintexts(KEY) == VALUES, task
        if rotations(ledger):
            settings["vault_transit_rotate_older_than"] = "90d"
    fleet.run(**settings)
    fleet.check_rotated()
    assert fleet.key() == {**DONE, "min_available_version": 2}
    assert rotations(ledger) == 1


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_run_that_is_killed_between_writing_and_renaming_is_finished_by_the_next(fleet: Fleet, number: int) -> None:
    ledger = Ledger(fleet.bao)
    fleet.run(env={"KILL_AT_MOVE": str(number)}, status=-9)
    assert len((fleet.folder / "moves").read_text(encoding="utf-8").splitlines()) >= number
    assert any(path.name.startswith(".mlkeys-") for path in fleet.folder.rglob("*"))
    assert fleet.file.plaintexts(KEY) == VALUES
    # Demanded again, but the one before it is not finished yet.
    fleet.run()
    fleet.check_rotated()
    assert fleet.key() == DONE
    assert rotations(ledger) == 1


def test_a_leaked_key_is_replaced_everywhere_in_the_same_run(fleet: Fleet) -> None:
    new = {**VALUES, "openai_api_key": "sk-canary-new"}
    secrets = {"openai_api_key": "{{ lookup('ansible.builtin.env', 'NEW_KEY') }}"}
    environment = {"NEW_KEY": new["openai_api_key"]}
    fleet.run(
        env={**environment, "KILL_AFTER": "Rewrap encrypted vars files"},
        status=-9,
        vault_transit_rotate_secrets=secrets,
    )
    shown = fleet.run(env=environment, vault_transit_rotate_secrets=secrets)
    assert "not declared" not in shown
    fleet.check_rotated(values=new)
    assert fleet.key() == DONE


def test_a_host_that_cannot_be_reached_is_named_and_keeps_the_floor_down(fleet: Fleet) -> None:
    with fleet.without("gateway-b"):
        shown = fleet.run(status=2)
    assert "these hosts could not be looked at: gateway-b (unreachable)" in shown
    assert fleet.key() == {**DONE, "min_decryption_version": 1, "min_encryption_version": 0}
    fleet.run()
    fleet.check_rotated()
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
    """Another run rotates the key after this one searched, which does not do that again, whatever its age."""
    other = fleet.folder / "other_run"
    other.write_text(
        # Some releases of ansible-core evaluate an option more than once.
        f"import pathlib, sys\nfrom urllib.request import Request, urlopen\n"
        f"done = pathlib.Path({str(fleet.folder / 'other_run_done')!r})\ndone.exists() and sys.exit()\ndone.touch()\n"
        f"urlopen(Request({fleet.bao.addr!r} + "
        f"'/v1/{fleet.mount}/keys/{KEY}/rotate', b'', {{'X-Vault-Token': {fleet.bao.token!r}}}, method='POST'))\n",
        encoding="utf-8",
    )
    meanwhile = f"{{{{ lookup('ansible.builtin.pipe', '{sys.executable} {other}') }}}}0"
    # An empty list of paths does not take the place of files.
    own = [{"src": "x.j2", "dest": str(path)} for path in fleet.files if "gateway-b" in path.parts]
    fleet.declare("gateway-b", vault_transit_host_paths=[], vault_transit_host_files=own)
    ledger = Ledger(fleet.bao)
    # Ages are whole seconds. Only a version that is some seconds old differs in age from one that was made meanwhile.
    time.sleep(4)
    shown = fleet.run(vault_transit_rotate_serial=1, vault_transit_rotate_older_than=meanwhile)
    assert rotations(ledger) == 1
    # The controller is a host like the others.
    assert shown.count("TASK [Rewrap ciphertexts]") == 1 + len(HOSTS)
    fleet.check_rotated()
    assert fleet.key() == DONE


def test_without_the_right_to_raise_the_floor_all_else_is_done(fleet: Fleet, mint_token: Callable[[str], str]) -> None:
    uses = ("rewrap", "hmac", "encrypt", "decrypt", "verify")
    policy = "".join(f'path "{fleet.mount}/{use}/{KEY}" {{ capabilities = ["update"] }}\n' for use in uses)
    policy += f'path "{fleet.mount}/keys/{KEY}" {{ capabilities = ["read"] }}\n'
    policy += f'path "{fleet.mount}/keys/{KEY}/rotate" {{ capabilities = ["update"] }}\n'
    shown = fleet.run(env={"BAO_TOKEN": mint_token(policy)}, status=2)
    assert f"capability 'update' on '{fleet.mount}/keys/{KEY}/config'" in shown
    fleet.check_rotated()
    more = policy + f'path "{fleet.mount}/keys/{KEY}/config" {{ capabilities = ["update"] }}\n'
    fleet.run(env={"BAO_TOKEN": mint_token(more)})
    assert fleet.key() == DONE


HOLDER = age_holder()


def backed_up(fleet: Fleet, **variables: Any) -> dict[str, Any]:
    (fleet.folder / "backups").mkdir(exist_ok=True)
    folder = {"vault_transit_rotate_backup_dir": str(fleet.folder / "backups")}
    return {**folder, "vault_transit_rotate_backup_recipients": [HOLDER.recipient], **variables}


def test_a_backup_is_kept_before_and_after_and_brings_everything_back(fleet: Fleet) -> None:
    fleet.allow_backups()
    path = fleet.folder / "backups" / f"{fleet.mount}_{KEY}.backup"
    fleet.run("--check", **backed_up(fleet))
    assert not path.exists()
    fleet.run(env={"KILL_AFTER": "Back up the key"}, status=-9, **backed_up(fleet))
    assert "\nlatest_version: 1\n" in path.read_text(encoding="utf-8")
    assert fleet.key()["latest_version"] == 1
    fleet.run(env={"KILL_AFTER": "Back up the new version"}, status=-9, **backed_up(fleet))
    assert "\nlatest_version: 2\n" in path.read_text(encoding="utf-8")
    fleet.run(**backed_up(fleet))
    assert fleet.key() == DONE
    again = fleet.run(**backed_up(fleet, vault_transit_rotate_older_than="90d"))
    assert "changed=0" in again
    assert "changed=1" not in again
    fleet.bao.done("POST", f"{fleet.mount}/keys/{KEY}/config", {"deletion_allowed": True})
    fleet.bao.done("DELETE", f"{fleet.mount}/keys/{KEY}")
    restored = run(
        fleet.bao, "vault_transit_restore", path=str(path), backend=fleet.mount, age_identity=HOLDER.identity
    )
    assert restored.changed, restored.msg
    fleet.check_rotated()
    assert fleet.key() == DONE


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "Set exportable: true and allow_plaintext_backup: true"),
        ({"vault_transit_rotate_backup_recipients": []}, "a backup is only ever written encrypted to somebody"),
    ],
)
def test_a_key_that_cannot_be_backed_up_is_not_rotated(fleet: Fleet, variables: dict[str, Any], message: str) -> None:
    shown = fleet.run(status=2, **backed_up(fleet, **variables))
    assert message in shown
    # Nothing that was found before the rotation is mistaken for its result.
    account = account_in(shown)
    assert account["blocking"] == [
        "the run ended before everything was searched again. Correct its errors, and run it again"
    ]
    assert not account["clean"]
    assert fleet.key()["latest_version"] == 1
    assert list((fleet.folder / "backups").iterdir()) == []


def test_a_key_that_is_not_there_is_said_so(fleet: Fleet) -> None:
    shown = fleet.run(status=2, vault_transit_rotate_key="nothing")
    assert f"The key nothing does not exist in the engine {fleet.mount}. Correct its name, or the server" in shown
    assert f"Check: bao list {fleet.mount}/keys." in shown
    shown = fleet.run(status=2, vault_transit_rotate_key=None)
    assert "Set vault_transit_rotate_key to the name of the key: -e vault_transit_rotate_key=NAME" in shown


def test_types_stay_in_files_that_nothing_writes_as_a_whole(fleet: Fleet) -> None:
    """A copy on a host, and a file of the project with a value that is not encrypted and not named."""
    data = {"limits": {"retries": 3, "beta": True, "digits": "3"}}
    nested = VarsFile(fleet.bao, fleet.mount, fleet.folder / "nested.transit.yml")
    assert nested.run(data, key=KEY).changed
    beside = fleet.folder / "group_vars/gateways/beside.transit.yml"
    beside.parent.mkdir(parents=True)
    beside.write_text(nested.text().replace("---\n", "---\nregion: eu\n"), encoding="utf-8")
    copy = fleet.folder / HOSTS[0] / "srv/keys.yml"
    copy.write_text(nested.text(), encoding="utf-8")
    fleet.run(vault_transit_rotate_vars_files=[str(fleet.file.path), str(nested.path)])
    assert fleet.key() == DONE
    for path in (nested.path, beside, copy):
        content = VarsFile(fleet.bao, fleet.mount, path).variables()
        for name, kind in (("retries", True), ("beta", True), ("digits", False)):
            ciphertext = content["limits"][name]
            assert ciphertext.startswith("vault:v2:")
            assert content["_transit"]["hmac"][f"limits.{name}"].endswith(bound("", ciphertext, is_json=kind))
