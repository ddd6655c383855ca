# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module returns the same result in process as in a process of its own.

One play runs the whole table for each way, each on an engine of its own: starting Ansible for every case would take
minutes. An environment of the task forces a process of its own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.backups import age_holder
from tests.integration.support.plays import CALLBACK, INVOCATION_SHOWN, Project, make_key, may_use
from tests.integration.support.relay import Passed, relay
from tests.support.server import Bao, policy_token, transit_mount

HOLDER = age_holder()
SECRET = "sk-both-ways-canary-9Zt"

# Facts about how a task ran, not about its result.
OF_THE_TASK = ("age_seconds", "duration", "start", "end")
# Values that the server generates for each engine.
DRAWN = ("role_id", "accessor", "wrapping_token")

TIME = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
LONG_AGO = 1_700_000_000

BACKEND: dict[str, Any] = {"path": "ENGINE-made", "description": "both ways", "default_lease_ttl": "2h"}
KEY: dict[str, Any] = {"name": "made", "backend": "ENGINE", "derived": True}
KEYS: dict[str, Any] = {"backend": "ENGINE", "keys": [{"name": "many-a"}, {"name": "many-b", "type": "ed25519"}]}
VARS: dict[str, Any] = {
    "path": "FOLDER/keys.transit.yml",
    "backend": "ENGINE",
    "key": "ml",
    "secrets": {"openai": SECRET, "hf": "hf_both_ways"},
}
FILE: dict[str, Any] = {"path": "FOLDER/file", "content": SECRET}
FILES: dict[str, Any] = {
    "files": [
        {"path": "FOLDER/app", "state": "directory", "mode": "0750"},
        {"path": "FOLDER/app/agent.hcl", "content": "a = 1"},
        {"path": "FOLDER/link", "state": "link", "target": "app"},
    ]
}
POLICY: dict[str, Any] = {
    "name": "ENGINE-policy",
    "backend": "ENGINE",
    "grants": [{"key": "ml", "allow": ["decrypt"], "secrets": ["openai"]}],
}
ROLE: dict[str, Any] = {"name": "web", "path": "ENGINE-approle", "token_policies": ["b", "a"], "token_ttl": "1h"}
REWRAP: dict[str, Any] = {"backend": "ENGINE", "key": "ml", "contexts": ["openai"]}
BACKUP: dict[str, Any] = {
    "name": "saved",
    "backend": "ENGINE",
    "path": "FOLDER/saved.backup",
    "recipients": ["RECIPIENT"],
}
RESTORE: dict[str, Any] = {"path": "FOLDER/saved.backup", "backend": "ENGINE", "age_identity": "IDENTITY"}
SAVED: dict[str, Any] = {"name": "saved", "backend": "ENGINE", "exportable": True, "allow_plaintext_backup": True}
EXPORT: dict[str, Any] = {
    "name": "saved",
    "backend": "ENGINE",
    "key_type": "encryption-key",
    "path": "FOLDER/saved.key",
    "i_understand": "whoever reads the file has the key",
}
SECRET_ID: dict[str, Any] = {"role": "web", "path": "ENGINE-approle"}

# Module, options, further keywords of the task. Each continues from the state of the one before it.
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("vault_transit_backend", BACKEND, {"check_mode": True}),
    ("vault_transit_backend", BACKEND, {}),
    ("vault_transit_backend", BACKEND, {}),
    ("vault_transit_backend", {**BACKEND, "default_lease_ttl": "3h"}, {"diff": False}),
    ("vault_transit_backend", {"path": "ENGINE-made", "state": "absent"}, {"check_mode": True}),
    ("vault_transit_backend", {"path": "ENGINE-made", "state": "absent", "force": True}, {}),
    ("vault_transit_backend", {"path": "sys"}, {}),
    ("vault_transit_backend", {"path": "x", "state": "nowhere"}, {}),
    ("vault_transit_key", KEY, {"check_mode": True}),
    ("vault_transit_key", KEY, {}),
    ("vault_transit_key", KEY, {}),
    ("vault_transit_key", {**KEY, "derived": False, "type": "ed25519"}, {}),
    ("vault_transit_key", {**KEY, "rotate_older_than": "0"}, {}),
    ("vault_transit_key", {**KEY, "min_decryption_version": "{{ 1 + 1 }}"}, {"diff": False}),
    ("vault_transit_key", {**KEY, "min_decryption_version": "two"}, {}),
    ("vault_transit_key", {"name": "made", "backend": "ENGINE-none"}, {}),
    ("vault_transit_key", {"name": "made", "backend": "ENGINE", "state": "absent"}, {}),
    (
        "vault_transit_key",
        {"name": "made", "backend": "ENGINE", "state": "absent", "force": True},
        {"check_mode": True},
    ),
    ("vault_transit_key", {"name": "made", "backend": "ENGINE", "state": "absent", "force": True}, {}),
    ("vault_transit_key", {"backend": "ENGINE"}, {}),
    ("vault_transit_key", {**KEY, "colour": "red"}, {}),
    ("vault_transit_key", {**KEY, "token": "wrong-token-both-ways"}, {}),
    ("vault_transit_key", {**KEY, "url": "http://127.0.0.1:1"}, {}),
    ("vault_transit_key_info", {"name": "ml", "backend": "ENGINE"}, {}),
    ("vault_transit_key_info", {"name": "none", "engine_mount_point": "ENGINE"}, {}),
    ("vault_transit_key_info", {"backend": "ENGINE"}, {"check_mode": True}),
    ("vault_transit_key_info", {"backend": "ENGINE-none"}, {}),
    ("vault_transit_keys", KEYS, {"check_mode": True}),
    ("vault_transit_keys", KEYS, {}),
    ("vault_transit_keys", KEYS, {}),
    ("vault_transit_keys", {**KEYS, "keys": [{"name": "many-a", "type": "ed25519"}, {"name": "many-c"}]}, {}),
    ("vault_transit_vars", VARS, {"check_mode": True}),
    ("vault_transit_vars", VARS, {}),
    ("vault_transit_vars", VARS, {}),
    ("vault_transit_vars", {**VARS, "secrets": {"openai": SECRET + "-new"}, "purge": True}, {"diff": False}),
    ("vault_transit_vars", {**VARS, "mode": "0640"}, {}),
    ("vault_transit_vars", {**VARS, "path": "FOLDER/none/keys.transit.yml"}, {}),
    ("vault_transit_vars", {**VARS, "key": "none", "path": "FOLDER/other.transit.yml"}, {}),
    ("vault_transit_vars", {**VARS, "secrets": {"no name": SECRET}}, {}),
    ("vault_transit_file", FILE, {"check_mode": True}),
    ("vault_transit_file", FILE, {}),
    ("vault_transit_file", FILE, {}),
    ("vault_transit_file", {**FILE, "mode": "0640"}, {"check_mode": True}),
    ("vault_transit_file", {**FILE, "content": SECRET + "-new"}, {}),
    ("vault_transit_file", {**FILE, "path": "FOLDER/none/file"}, {}),
    ("vault_transit_files", FILES, {"check_mode": True}),
    ("vault_transit_files", FILES, {}),
    ("vault_transit_files", FILES, {}),
    ("vault_transit_files", {"files": [{"path": "FOLDER/link", "state": "absent"}, {"path": "FOLDER"}]}, {}),
    ("vault_transit_policy", POLICY, {"check_mode": True}),
    ("vault_transit_policy", POLICY, {}),
    ("vault_transit_policy", POLICY, {}),
    ("vault_transit_policy", {**POLICY, "rules": 'path "x" {'}, {}),
    ("vault_transit_policy", {"name": "ENGINE-policy"}, {}),
    ("vault_transit_policy", {"name": "ENGINE-policy", "state": "absent"}, {"diff": False}),
    ("vault_transit_approle", ROLE, {"check_mode": True}),
    ("vault_transit_approle", ROLE, {}),
    ("vault_transit_approle", ROLE, {}),
    ("vault_transit_approle", {**ROLE, "token_max_ttl": "1m"}, {}),
    ("vault_transit_secret_id", SECRET_ID, {"check_mode": True}),
    ("vault_transit_secret_id", SECRET_ID, {}),
    ("vault_transit_secret_id", {**SECRET_ID, "accessor": "none", "state": "absent"}, {}),
    ("vault_transit_secret_id", {**SECRET_ID, "role": "none"}, {}),
    ("vault_transit_approle", {**ROLE, "state": "absent"}, {}),
    ("vault_transit_ciphertext_info", {"paths": ["FOLDER/keys.transit.yml"]}, {}),
    ("vault_transit_ciphertext_info", {"paths": ["FOLDER/keys.transit.yml"], **REWRAP}, {}),
    ("vault_transit_ciphertext_info", {"paths": ["FOLDER/none"]}, {}),
    ("vault_transit_key", {"name": "ml", "backend": "ENGINE", "rotate_older_than": "0"}, {}),
    ("vault_transit_rewrap", {"paths": ["FOLDER/keys.transit.yml"], **REWRAP}, {"check_mode": True}),
    ("vault_transit_rewrap", {"paths": ["FOLDER/keys.transit.yml"], **REWRAP}, {}),
    ("vault_transit_rewrap", {"paths": ["FOLDER/keys.transit.yml"], **REWRAP}, {}),
    ("vault_transit_rewrap", {"paths": ["FOLDER/none"], **REWRAP}, {}),
    ("vault_transit_backup", BACKUP, {"check_mode": True}),
    ("vault_transit_key", SAVED, {}),
    ("vault_transit_backup", BACKUP, {"check_mode": True}),
    ("vault_transit_backup", BACKUP, {}),
    ("vault_transit_backup", BACKUP, {}),
    ("vault_transit_backup", {**BACKUP, "recipients": ["nobody"]}, {}),
    ("vault_transit_backup", {**BACKUP, "name": "ml", "path": "FOLDER/ml.backup"}, {}),
    ("vault_transit_key_export", EXPORT, {"check_mode": True}),
    ("vault_transit_key_export", EXPORT, {}),
    ("vault_transit_key_export", EXPORT, {}),
    ("vault_transit_key_export", {**EXPORT, "name": "ml"}, {}),
    ("vault_transit_restore", RESTORE, {}),
    ("vault_transit_restore", {**RESTORE, "name": "saved-again"}, {"check_mode": True}),
    ("vault_transit_restore", {**RESTORE, "name": "saved-again"}, {}),
    ("vault_transit_restore", {**RESTORE, "name": "ml"}, {"diff": False}),
    ("vault_transit_restore", {**RESTORE, "age_identity": "wrong-identity-both-ways"}, {}),
]


def invocations(shown: str) -> list[Any]:
    """The options that modules report as their invocation, in the order of the tasks."""
    decoder = json.JSONDecoder()
    places = [match.end() for match in re.finditer(r'"invocation": ', shown)]
    return [decoder.raw_decode(shown, place)[0] for place in places]


def tasks_of(words: dict[str, str], folder: Path, *, sent: bool) -> list[dict[str, Any]]:
    """A task for every case, with the words replaced, and one that writes their results to a file."""

    def placed(value: Any) -> Any:
        text = json.dumps(value)
        for word, stands_for in words.items():
            text = text.replace(word, stands_for)
        return json.loads(text)

    tasks: list[dict[str, Any]] = [
        {
            f"mlkeys.transit.{module}": placed(options),
            "register": f"case_{number}",
            "ignore_errors": True,
            "diff": True,
            **more,
            **({"environment": {"ELSEWHERE": "yes"}} if sent else {}),
        }
        for number, (module, options, more) in enumerate(CASES)
    ]
    kept = {f"case_{number}": f"{{{{ case_{number} }}}}" for number in range(len(CASES))}
    copy = {"dest": f"{folder}/results.json", "content": "{{ kept | to_json }}"}
    return [*tasks, {"ansible.builtin.copy": copy, "vars": {"kept": kept}}]


def carried_out(bao: Bao, folder: Path, *, sent: bool) -> tuple[list[dict[str, Any]], str]:
    """The registered result of every case, and all output."""
    folder.mkdir()
    with (
        transit_mount(bao) as engine,
        policy_token(
            bao, 'path "*" { capabilities = ["sudo", "create", "read", "update", "delete", "list"] }'
        ) as token,
    ):
        make_key(bao, engine)
        project = Project(folder, {**CALLBACK, "BAO_ADDR": bao.addr, "BAO_TOKEN": token})
        project.hosts(1)

        words = {
            "ENGINE": engine,
            "FOLDER": str(folder),
            "RECIPIENT": HOLDER.recipient,
            "IDENTITY": HOLDER.identity,
        }
        tasks = tasks_of(words, folder, sent=sent)
        project.write("play.yml", json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        # A process for each case takes long.
        done = project.run("-vvvv", env={**INVOCATION_SHOWN, "ANSIBLE_PIPELINING": "true"}, timeout=400)
        text = (folder / "results.json").read_text(encoding="utf-8")
        for secret in (token, SECRET, "hf_both_ways", HOLDER.identity, "wrong-identity-both-ways"):
            assert secret not in text
            assert secret not in done.stdout + done.stderr
        shown = (done.stdout + done.stderr).rsplit("TASK [ansible.builtin.copy]")[0]
        text, shown = (part.replace(engine, "ENGINE").replace(str(folder), "FOLDER") for part in (text, shown))
        results = json.loads(text)
        return [results[f"case_{number}"] for number in range(len(CASES))], shown


def comparable(value: Any) -> Any:
    """The result without facts about the task and without times, which differ between the two engines."""
    if isinstance(value, dict):
        return {name: comparable(inner) for name, inner in value.items() if name not in OF_THE_TASK + DRAWN}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    if isinstance(value, int) and value > LONG_AGO:
        return "TIME"
    return TIME.sub("TIME", value) if isinstance(value, str) else value


def test_the_results_are_the_same(bao: Bao, tmp_path: Path) -> None:
    in_process, shown_in_process = carried_out(bao, tmp_path / "in_process", sent=False)
    sent, shown_sent = carried_out(bao, tmp_path / "sent", sent=True)

    # The output names each module that was transferred.
    assert shown_in_process.count("Using module file") == 0
    # One module finds ciphertexts, another one replaces them.
    twice = sum(
        case[0] == "vault_transit_rewrap" and result["changed"] for case, result in zip(CASES, sent, strict=True)
    )
    assert twice == 2
    # A misspelt option is refused before anything is sent.
    misspelt = sum("does not have the option" in str(result.get("msg")) for result in sent)
    assert misspelt == 1
    assert shown_sent.count("Using module file") == len(CASES) + twice - misspelt
    for case, one, other in zip(CASES, in_process, sent, strict=True):
        assert comparable(one) == comparable(other), case
    # Some options are refused before there is an invocation.
    assert len(invocations(shown_in_process)) >= len(CASES) - 6
    assert invocations(shown_in_process) == invocations(shown_sent)

    for module in {case[0] for case in CASES}:
        results = [result for result, case in zip(in_process, CASES, strict=True) if case[0] == module]
        assert {result["failed"] for result in results} == {False, True}, module
        changes = {result["changed"] for result in results if not result["failed"]}
        assert changes == ({False} if module.endswith("_info") else {False, True}), module
    for trouble in ("Traceback", "MODULE FAILURE"):
        assert trouble not in shown_in_process + shown_sent


@pytest.mark.parametrize("sent", [False, True], ids=["in process", "sent"])
def test_a_warning_is_shown_once_and_stays_with_its_item(bao: Bao, mount: str, tmp_path: Path, sent: bool) -> None:
    project = Project(tmp_path, {"BAO_TOKEN": bao.token, "ANSIBLE_HASHI_VAULT_RETRIES": "3"})
    project.hosts(1)
    make_key(bao, mount)
    task = {
        "mlkeys.transit.vault_transit_key_info": {"name": "{{ item }}", "backend": mount},
        "loop": ["ml", "ml2", "ml3"],
        "register": "result",
        **({"environment": {"ELSEWHERE": "yes"}} if sent else {}),
    }
    make_key(bao, mount, "ml2")
    make_key(bao, mount, "ml3")
    project.write("play.yml", json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    cut: list[str] = []

    def cuts(request: Passed) -> bool:
        if request.path.endswith("/ml2") and not cut:
            cut.append(request.path)
            return True
        return False

    with relay(bao.addr) as server:
        server.cuts = cuts
        done = project.run(env={"BAO_ADDR": server.url})
    assert cut
    assert (done.stdout + done.stderr).count("Retrying") == 1


def test_policies_hold_both_ways(bao: Bao, mount: str, tmp_path: Path) -> None:
    make_key(bao, mount)
    with policy_token(bao, may_use(f"{mount}-other")) as token:
        project = Project(tmp_path, {"BAO_ADDR": bao.addr, "BAO_TOKEN": token})
        project.hosts(1)
        project.play(
            f"""
            - mlkeys.transit.vault_transit_key_info: {{name: ml, backend: {mount}}}
              register: in_process
              ignore_errors: true
            - mlkeys.transit.vault_transit_key_info: {{name: ml, backend: {mount}}}
              register: sent
              ignore_errors: true
              environment: {{X: y}}
            - ansible.builtin.assert:
                that: [in_process is failed, sent is failed, in_process.msg == sent.msg, "'ermission' in sent.msg"]
            """
        )
        project.run()
