# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What results show: no secret, and all else as it is, also where a secret is short."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.support.plays import INVOCATION_SHOWN, Project
from tests.support.server import Bao

CANARY = "canary-misspelt-Qz7"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in process", "in a process of its own"])
def test_a_short_secret_turns_nothing_into_asterisks(bao: Bao, mount: str, tmp_path: Path, *, elsewhere: bool) -> None:
    bao.done("POST", f"{mount}/keys/ml-1", {})
    project = Project(tmp_path, {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **INVOCATION_SHOWN})
    project.hosts(1)
    project.play(
        f"""
        - mlkeys.transit.vault_transit_vars:
            path: "{{{{ playbook_dir }}}}/keys.transit.yml"
            backend: {mount}
            key: ml-1
            secrets: {{openai_api_key: "1"}}
            return_successors: true
          {"environment: {A: b}" if elsewhere else ""}
          register: made
        - ansible.builtin.assert:
            that:
              - made.entries[0].version == 1
              - made.entries[0].name == 'openai_api_key'
            quiet: true
        """
    )
    shown = project.run("-vvv").stdout
    assert '"key": "ml-1"' in shown
    assert '"secrets": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"' in shown
    headings = ("PLAY", "TASK")
    assert [line for line in shown.splitlines() if "********" in line and not line.startswith(headings)] == []


def test_a_misspelt_option_shows_no_value(bao: Bao, mount: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {
        "BAO_ADDR": bao.addr,
        "BAO_TOKEN": bao.token,
        "ANSIBLE_LOG_PATH": str(log),
        "CANARY": CANARY,
        **INVOCATION_SHOWN,
    }
    project = Project(tmp_path, environment)
    project.hosts(1)
    project.play(
        f"""
        - mlkeys.transit.vault_transit_vars:
            path: "{{{{ playbook_dir }}}}/keys.transit.yml"
            backend: {mount}
            key: ml
            secret: {{openai_api_key: "{{{{ lookup('ansible.builtin.env', 'CANARY') }}}}"}}
          register: failed
          ignore_errors: true
        - mlkeys.transit.vault_transit_rewrap:
            paths: ["{{{{ playbook_dir }}}}"]
            Token: "{{{{ lookup('ansible.builtin.env', 'CANARY') }}}}"
          register: also
          ignore_errors: true
        - mlkeys.transit.vault_transit_keys:
            keys:
              - name: ml
                nmae: "{{{{ lookup('ansible.builtin.env', 'CANARY') }}}}"
          register: within
          ignore_errors: true
        - ansible.builtin.debug: {{var: failed}}
        - ansible.builtin.assert:
            that:
              - failed is failed and also is failed
              - "'secrets' in failed.msg and 'token' in also.msg"
              - "'keys.nmae' in within.msg"
            quiet: true
        """
    )
    done = project.run("-vvv", "--diff")
    assert CANARY not in done.stdout + done.stderr + log.read_text(encoding="utf-8")
