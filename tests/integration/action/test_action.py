# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where modules get their options from, where they run, and which token they use there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.handover import with_configuration, with_token
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import controller_options

from tests.integration.support.plays import (
    CALLBACK,
    INVOCATION_SHOWN,
    AppRole,
    Project,
    approle,
    asked,
    live_tokens,
    make_key,
    may_use,
)
from tests.integration.support.relay import relay
from tests.integration.support.runs import Ledger
from tests.support.server import Bao

# Addresses where nothing listens: each source has its own, and the message names the one that was used.
SOURCES = ["task", "defaults", "variable", "ansible env", "ini", "bao env", "vault env"]
# The variables of a task's own environment; the first one wins.
VARIABLES = ["ANSIBLE_HASHI_VAULT_ADDR", "BAO_ADDR", "VAULT_ADDR"]
PORTS = {source: 1 + number for number, source in enumerate([*SOURCES, *VARIABLES])}


def address(source: str) -> str:
    return f"http://127.0.0.1:{PORTS[source]}"


@pytest.fixture
def role(bao: Bao, mount: str) -> Iterator[AppRole]:
    with approle(bao, may_use(mount)) as made:
        yield made


@pytest.mark.parametrize("first", range(len(SOURCES)), ids=SOURCES)
def test_the_order_of_the_sources(tmp_path: Path, first: int) -> None:
    """Of all sources from one on, the first one wins: in process, in a process of its own, and for another host."""
    present = SOURCES[first:]
    project = Project(tmp_path, {"BAO_TOKEN": "none", "ANSIBLE_HASHI_VAULT_TIMEOUT": "3"})
    # Its variable is a template.
    project.hosts(
        2,
        **(
            {"ansible_hashi_vault_url": "http://{{ place }}", "place": address("variable")[7:]}
            if "variable" in present
            else {}
        ),
    )
    options: dict[str, Any] = {"name": "ml", **({"url": address("task")} if "task" in present else {})}
    ways: list[dict[str, Any]] = [{}, {"environment": {"X": "y"}}, {"delegate_to": "gateway1"}]
    tasks: list[dict[str, Any]] = []
    for number, way in enumerate(ways):
        tasks.append(
            {
                "mlkeys.transit.vault_transit_key_info": options,
                "register": f"way_{number}",
                "ignore_errors": True,
                **way,
            }
        )
    wanted = [f"'{address(SOURCES[first])}' in way_{number}.msg" for number in range(len(ways))]
    tasks.append({"ansible.builtin.assert": {"that": wanted}})
    play: dict[str, Any] = {"hosts": "gateway0", "gather_facts": False, "tasks": tasks}
    if "defaults" in present:
        play["module_defaults"] = {"group/mlkeys.transit.vault": {"url": address("defaults")}}
    project.write("play.yml", json.dumps([play]))
    env = {
        "ansible env": ("ANSIBLE_HASHI_VAULT_ADDR", address("ansible env")),
        "bao env": ("BAO_ADDR", address("bao env")),
        "vault env": ("VAULT_ADDR", address("vault env")),
    }
    ini = f"[hashi_vault_collection]\nurl = {address('ini')}\n" if "ini" in present else ""
    config = project.write("ansible.cfg", ini)
    project.run(env={"ANSIBLE_CONFIG": str(config), **dict(env[source] for source in present if source in env)})


# Keywords of a task, and whether it then runs in process.
WAYS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"environment": {}}, True),
    ({"delegate_to": "localhost"}, True),
    ({"loop": [1, 2]}, True),
    ({"timeout": 50}, True),
    ({"environment": {"X": "y"}}, False),
    ({"become": True, "become_method": "stub"}, False),
    ({"become": True, "become_method": "stub", "delegate_to": "localhost"}, False),
    ({"vars": {"ansible_become": True, "ansible_become_method": "stub"}}, False),
]
IN_BACKGROUND = {"async": 30, "poll": 1}

# Becomes another user in name only: the test shows that the module is transferred.
STUB = """
from ansible.plugins.become import BecomeBase

DOCUMENTATION = '''
name: stub
short_description: The same user
description: The same user
options:
  become_user: {description: user, default: root, vars: [{name: ansible_become_user}]}
  become_flags: {description: flags, default: ''}
  become_exe: {description: program, default: ''}
  become_pass: {description: password}
'''


class BecomeModule(BecomeBase):
    name = "stub"

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        return f"env BECAME=yes {cmd}"
"""


@pytest.mark.parametrize("ways", [WAYS, [(IN_BACKGROUND, False)]], ids=["waited for", "in background"])
def test_which_tasks_run_in_process(
    bao: Bao, mount: str, tmp_path: Path, role: AppRole, ways: list[tuple[dict[str, Any], bool]]
) -> None:
    make_key(bao, mount)
    project = Project(tmp_path, {"BAO_ADDR": bao.addr, **role.environment, **CALLBACK})
    project.hosts(1, ansible_async_dir=str(tmp_path / "jobs"))
    project.write("become_plugins/stub.py", STUB)
    tasks: list[dict[str, Any]] = []
    for number, (keywords, _in_process) in enumerate(ways):
        asking = {"mlkeys.transit.vault_transit_key_info": {"name": "ml", "backend": mount}, "register": "out"}
        tasks.append({"name": f"Way {number} begins", **asking, **keywords})
        found = "(out.results | default([out]))[0].transit_keys[0].name == 'ml'"
        tasks.append({"name": f"Way {number} ends", "ansible.builtin.assert": {"that": [found]}})
    project.write("play.yml", json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    ledger = Ledger(bao)
    done = project.run("-vvvv", env={**INVOCATION_SHOWN, "ANSIBLE_BECOME_PLUGINS": str(tmp_path / "become_plugins")})
    for number, (keywords, in_process) in enumerate(ways):
        shown = done.stdout.partition(f"TASK [Way {number} begins]")[2].partition(f"TASK [Way {number} ends]")[0]
        assert shown
        assert ("AnsiballZ_vault_transit_key_info" not in shown) is in_process, keywords
        if not in_process:
            # A job in the background logs in by itself, because it may outlive the run. All others use the run's token.
            assert ('"auth_method": "token"' in shown) is ("async" not in keywords), keywords
    assert asked(ledger)["login"] == 1
    assert live_tokens(bao, role) == 0
    for secret in (role.secret_id, bao.token):
        assert secret not in done.stdout + done.stderr


def test_a_token_passed_to_a_module_is_not_shown(bao: Bao, mount: str, tmp_path: Path, role: AppRole) -> None:
    make_key(bao, mount)
    project = Project(tmp_path, {**role.environment, **CALLBACK})
    project.hosts(1)
    task = f"- mlkeys.transit.vault_transit_key_info: {{name: ml, backend: {mount}}}\n"
    hidden = f"{task}  environment: {{X: y}}\n  no_log: true\n"
    project.play(task + f"{task}  environment: {{X: y}}\n" + hidden)
    with relay(bao.addr) as server:
        done = project.run("-vvvv", env={**INVOCATION_SHOWN, "BAO_ADDR": server.url})
        [token] = {request.token for request in server.passed if request.token}
    assert '"token": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"' in done.stdout
    assert "censored" in done.stdout
    for secret in (token, role.secret_id, bao.token):
        assert secret not in done.stdout + done.stderr


# --- what is passed to modules ---


@pytest.fixture
def arguments(bao: Bao, role: AppRole, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    sessions = session.Sessions()
    monkeypatch.setattr(session, "_of_this_run", [sessions])
    monkeypatch.setattr(session, "_at_exit", lambda _end: None)
    yield {"name": "ml", "url": bao.addr, **role.options}
    sessions.close()


def test_the_token_replaces_the_credentials(arguments: dict[str, Any], bao: Bao) -> None:
    passed = with_token({**arguments, "token_validate": True})
    assert set(passed) == {"name", "url", "auth_method", "token"}
    assert passed["auth_method"] == "token"
    found = bao.done("POST", "auth/token/lookup", {"token": passed["token"]})
    assert found["data"]["path"].startswith("auth/approle-")


@pytest.mark.parametrize(
    "odd",
    [
        {"timeout": "20"},
        {"token_validate": "false"},
        {"validate_certs": "no"},
        {"cacert": None},
        {"retries": "2"},
        {"proxies": {}},
    ],
    ids=str,
)
def test_the_token_is_passed_with_options_that_a_module_converts(
    arguments: dict[str, Any], odd: dict[str, Any]
) -> None:
    assert with_token({**arguments, **odd})["auth_method"] == "token"


@pytest.mark.parametrize(
    "other",
    [
        {"url": "http://127.0.0.1:1"},
        {"secret_id": "wrong"},
        {"auth_method": "kubernetes", "jwt": "x"},
        {"auth_method": "none"},
        {"auth_method": "nonsense"},
        {"timeout": "soon"},
        {"url": "https://127.0.0.1:1", "cacert": "/on/the/target/only.pem"},
    ],
    ids=str,
)
def test_the_target_logs_in_if_the_controller_cannot(arguments: dict[str, Any], other: dict[str, Any]) -> None:
    given = {**arguments, **other}
    assert with_token(given) == given


@pytest.mark.parametrize(
    ("given", "configured", "said"),
    [
        (
            {"auth_method": "app-role"},
            {},
            "auth_method is 'app-role', but must be one of token, .* Did you mean 'approle'",
        ),
        ({}, {"retry_action": "wran"}, "retry_action is 'wran', but must be one of ignore, warn. Did you mean 'warn'"),
        ({"token_revoke": "maybe"}, {}, "token_revoke is 'maybe', but must be true or false."),
    ],
)
def test_a_misspelt_option_has_the_words_of_a_misspelt_variable(
    given: dict[str, str], configured: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidOption, match=said):
        with_configuration(given, configured)


def test_a_task_names_all_values_that_options_cannot_have(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"BAO_SKIP_VERIFY": "maybe", "ANSIBLE_HASHI_VAULT_TOKEN_REVOKE": "ja", "BAO_RATE_LIMIT": "x"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # Ansible has read the second one as false.
    with pytest.raises(InvalidOption) as error:
        with_configuration({"timeout": "abc"}, {"token_revoke": False}, ["url is bad."])
    for text in ("url is bad.", "timeout is 'abc'", *(f"({name}) is '{value}'" for name, value in variables.items())):
        assert error.value.message.count(text) == 1


def test_a_host_needs_no_token_where_an_agent_adds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_of_this_run", [session.Sessions()])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BAO_AGENT_ADDR", "http://127.0.0.1:1")
    given = with_configuration({"name": "ml"}, {})
    assert with_token(given) == {**given, "auth_method": "none"}
    monkeypatch.setenv("BAO_AGENT_ADDR", "unix:///run/agent.sock")
    # The host may have a token of its own.
    given = with_configuration({"name": "ml"}, {})
    assert with_token(given) == given
    monkeypatch.delenv("BAO_AGENT_ADDR")
    monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
    given = with_configuration({"name": "ml"}, {})
    assert with_token(given) == given


def test_an_alias_sets_the_option(arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAO_CACERT", "/other.pem")
    completed = with_configuration({"cacert": "/mine.pem"}, {"ca_cert": "/variable.pem", "timeout": 5})
    assert completed == {"cacert": "/mine.pem", "timeout": 5}
    assert with_token({**arguments, "url": "https://127.0.0.1:1", **completed})["auth_method"] == "approle"


def test_the_tasks_environment_ranks_between_variables_and_the_controllers_environment(tmp_path: Path) -> None:
    project = Project(tmp_path, {"BAO_TOKEN": "none", **dict.fromkeys(VARIABLES, "http://127.0.0.1:99")})
    project.hosts(1)
    project.write("ansible.cfg", "[hashi_vault_collection]\nurl = http://127.0.0.1:98\n")
    tasks: list[dict[str, Any]] = []
    for number, name in enumerate(VARIABLES):
        own = {name: "{{ '" + address(name) + "' }}" for name in VARIABLES[number:]}
        for variables in ({}, {"ansible_hashi_vault_url": address("variable")}):
            tasks.append(
                {
                    "mlkeys.transit.vault_transit_key_info": {"name": "ml"},
                    "environment": own,
                    "vars": variables,
                    "register": "asked",
                    "ignore_errors": True,
                }
            )
            wanted = address("variable" if variables else name)
            tasks.append({"ansible.builtin.assert": {"that": [f"'{wanted}:' in asked.msg"]}})
    project.write("play.yml", json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    project.run(env={"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")})


def test_only_variables_of_the_connection_are_evaluated() -> None:
    variables = {
        "ansible_hashi_vault_role_id": "r-1",
        "ansible_hashi_vault_timeout": "7",
        "unrelated": "{{ undefined }}",
    }
    found = controller_options(variables, Templar(loader=DataLoader(), variables=variables), {})
    assert found == {"role_id": "r-1", "timeout": "7"}
