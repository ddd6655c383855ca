# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The environment that commands run Ansible in."""

from __future__ import annotations

import pytest

from mlkeys._commands.ansible_environment import environment

#: Settings of a shell that would change what a run reports, or what it leaves on disk.
MEDDLING = {
    "ANSIBLE_STDOUT_CALLBACK": "minimal",
    "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit,ansible.builtin.tree",
    "ANSIBLE_CALLBACK_WHITELIST": "junit",
    "ANSIBLE_CALLBACK_PLUGINS": "/somewhere",
    "ANSIBLE_CALLBACK_TREE_DIR": "/somewhere",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    "ANSIBLE_CACHE_PLUGIN": "jsonfile",
    "ANSIBLE_CACHE_PLUGIN_CONNECTION": "/somewhere",
    "ANSIBLE_DEBUG": "1",
    "ANSIBLE_DISPLAY_FAILED_STDERR": "1",
    "ANSIBLE_ENABLE_TASK_DEBUGGER": "1",
    "ANSIBLE_FORCE_COLOR": "1",
    "ANSIBLE_KEEP_REMOTE_FILES": "1",
    "ANSIBLE_LOG_PATH": "/somewhere/log",
    "ANSIBLE_STRATEGY": "free",
    "ANSIBLE_STRATEGY_PLUGINS": "/somewhere",
    "ANSIBLE_VERBOSITY": "4",
    "JUNIT_OUTPUT_DIR": "/somewhere",
}
NEEDED = {
    "ANSIBLE_BECOME_PASSWORD_FILE": "/etc/pass",
    "ANSIBLE_COLLECTIONS_PATH": "/collections",
    "ANSIBLE_FORKS": "50",
    "ANSIBLE_HASHI_VAULT_ADDR": "https://vault.example:8200",
    "ANSIBLE_HOST_KEY_CHECKING": "0",
    "ANSIBLE_PRIVATE_KEY_FILE": "/keys/one",
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
    "ANSIBLE_SSH_ARGS": "-o ControlPersist=60s",
    "ANSIBLE_VAULT_PASSWORD_FILE": "/etc/pass",
    "BAO_ADDR": "https://bao.example:8200",
    "OPENAI_API_KEY": "sk-FAKE",
    "PATH": "/usr/bin",
}
OF_AN_INVENTORY = {
    "ANSIBLE_CONFIG": "/project/ansible.cfg",
    "ANSIBLE_FILTER_PLUGINS": "/project/filters",
    "ANSIBLE_INVENTORY_ENABLED": "ini",
    "ANSIBLE_VARS_ENABLED": "host_group_vars,community.sops.sops",
}


@pytest.mark.parametrize("generated", [True, False])
def test_settings_of_the_shell_reach_no_run(generated: bool) -> None:
    plain = environment({}, coloured=False, generated=generated)
    assert environment(MEDDLING, coloured=False, generated=generated) == plain
    assert plain["ANSIBLE_NOCOLOR"] == plain["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] == "1"
    assert "mlkeys.transit.report" in plain["ANSIBLE_CALLBACKS_ENABLED"]


@pytest.mark.parametrize("generated", [True, False])
def test_what_a_run_needs_to_reach_hosts_and_the_server_stays(generated: bool) -> None:
    made = environment(NEEDED, coloured=False, generated=generated)
    assert made.items() >= NEEDED.items()


def test_an_inventory_keeps_its_own_configuration_and_a_generated_project_has_no_other() -> None:
    assert environment(OF_AN_INVENTORY, coloured=False, generated=False).items() >= OF_AN_INVENTORY.items()
    assert not environment(OF_AN_INVENTORY, coloured=False, generated=True).keys() & OF_AN_INVENTORY.keys()


@pytest.mark.parametrize(
    ("coloured", "no_color", "variable"),
    [
        (True, "", "ANSIBLE_FORCE_COLOR"),
        (True, "1", "ANSIBLE_NOCOLOR"),
        (False, "", "ANSIBLE_NOCOLOR"),
    ],
)
def test_colour_is_for_terminals_whose_user_wants_it(coloured: bool, no_color: str, variable: str) -> None:
    made = environment({"NO_COLOR": no_color} if no_color else {}, coloured=coloured, generated=True)
    assert {"ANSIBLE_FORCE_COLOR", "ANSIBLE_NOCOLOR"} & made.keys() == {variable}


def test_playbooks_of_ours_show_what_changes_and_the_shell_may_ask_for_all() -> None:
    assert environment({}, coloured=False, generated=True, brief=True)["ANSIBLE_DISPLAY_OK_HOSTS"] == "0"
    assert "ANSIBLE_DISPLAY_OK_HOSTS" not in environment({}, coloured=False, generated=True)
    asked = {"ANSIBLE_DISPLAY_OK_HOSTS": "1", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "1"}
    assert environment(asked, coloured=False, generated=True, brief=True).items() >= asked.items()
