# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Questions about a program in memory, and the fixtures that pytest gets."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from mlkeys import (
    AnsibleTask,
    App,
    AppInvalid,
    EncryptedVars,
    HostConfig,
    Inventory,
    MlkeysError,
    Secret,
    Stack,
    testing,
)
from mlkeys import transit as vault
from mlkeys._shared.policy import Rule, hcl
from mlkeys._testing import rights
from tests.cdk.apps import PROGRAMS, key_in, stack
from tests.support.server import Bao

pytest_plugins = ["pytester"]


def gateway() -> Stack:
    s = stack("gateway")
    key = key_in(s, "ml", derived=True, auto_rotate_period="90d")
    EncryptedVars(s, "v", key=key, secrets={name: Secret.env(name.upper()) for name in ("openai", "anthropic")})
    key.grant_decrypt(vault.AppRole(s, "host"), secrets=["openai"])
    key.grant_encrypt(vault.Policy(s, "writer"))
    return s


def test_keys_are_found_by_name_and_attributes() -> None:
    project = testing.synth(gateway())
    assert project.has_key("ml", derived=True, auto_rotate_period=7776000, backend="transit", deletion_allowed=None)
    refused = project.has_key("ml", derived=False)
    assert not refused
    assert repr(refused) == "<no: transit/ml: derived is True, not False>"
    assert "there is no key 'mk', only transit/ml. Did you mean 'ml'?" in repr(project.has_key("mk"))
    assert not project.has_key("ml", backend="other")
    with pytest.raises(MlkeysError, match="unknown keyword 'derivd'"):
        project.has_key("ml", derivd=True)


def test_grants_are_those_of_single_secrets() -> None:
    project = testing.synth(gateway())
    assert project.grants("host", "openai")
    assert not project.grants("host", "anthropic")
    assert not project.grants("host", "openai", use="encrypt")
    assert project.grants("writer", "anthropic", use="encrypt")
    # A misspelt name would make every `assert not` pass.
    with pytest.raises(MlkeysError, match=r"encrypts no secret 'opnai'\. Did you mean 'openai'\?"):
        project.grants("host", "opnai")
    with pytest.raises(MlkeysError, match=r"no AppRole or policy 'hosts'\. Did you mean 'host'\?"):
        project.grants("hosts", "openai")
    with pytest.raises(MlkeysError, match="use='frobnicate' cannot be granted for a secret"):
        project.grants("host", "openai", use=cast("Any", "frobnicate"))


@pytest.mark.parametrize(
    ("path", "parameters", "granted"),
    [
        ("transit/decrypt/ml", None, True),
        ("transit/+/ml", None, True),
        ("transit/*", None, True),
        ("transit/decrypt/m", None, False),
        ("transit/decrypt/ml", {"context": [], "ciphertext": []}, True),
        ("transit/decrypt/ml", {"ciphertext": []}, False),
        ("transit/decrypt/ml", {"context": ["b3RoZXI="], "ciphertext": []}, False),
    ],
)
def test_rules_by_hand_count_as_well(path: str, parameters: dict[str, list[str]] | None, *, granted: bool) -> None:
    s = stack()
    EncryptedVars(s, "v", key=key_in(s, "ml", derived=True), secrets={"openai": Secret.env("A")})
    vault.Policy(s, "p").allow(path, "update", parameters=parameters)
    assert bool(testing.synth(s).grants("p", "openai")) is granted


UPDATE = {"context": ("b3BlbmFp",), "ciphertext": ()}
# Rules of policies, with whether a token that has all of them may decrypt.
RIGHTS: list[tuple[list[Rule], bool]] = [
    ([Rule("t/decrypt/ml", ("update",)), Rule("t/decrypt/ml", ("deny",))], False),
    ([Rule("t/decrypt/ml", ("update",)), Rule("t/*", ("deny",))], True),
    ([Rule("t/*", ("update",)), Rule("t/decrypt/*", ("deny",))], False),
    ([Rule("t/*", ("update",)), Rule("t/encrypt/*", ("deny",))], True),
    ([Rule("t/*", ("update",)), Rule("t/decrypt/ml", ("read",))], False),
    ([Rule("t/decrypt/*", ("deny",)), Rule("t/decrypt/+", ("update",))], True),
    ([Rule("t/decrypt/m*", ("deny",)), Rule("t/decrypt/+", ("update",))], False),
    ([Rule("+/+/ml", ("deny",)), Rule("+/decrypt/ml", ("update",))], True),
    ([Rule("+/*", ("deny",)), Rule("+/+/ml", ("update",))], True),
    ([Rule("t/+", ("update",))], False),
    ([Rule("t/+/m*", ("update",))], True),
    ([Rule("t/decrypt/ml", ("update",), UPDATE, (*UPDATE,))], True),
    ([Rule("t/decrypt/ml", ("update",), UPDATE, ("nonce",))], False),
    ([Rule("t/decrypt/ml", ("update",), {**UPDATE, "context": ("eA==",)})], False),
    ([Rule("t/decrypt/ml", ("update",), {**UPDATE, "context": ("b3Bl*",)})], True),
    ([Rule("t/decrypt/ml", ("update",), {"*": ()})], True),
    ([Rule("t/decrypt/ml", ("update",), {"context": ()})], False),
    # A rule without parameters does not lift the restrictions of another one.
    ([Rule("t/decrypt/ml", ("update",), {**UPDATE, "context": ("eA==",)}), Rule("t/decrypt/ml", ("update",))], False),
    (
        [Rule("t/decrypt/ml", ("update",), {**UPDATE, "context": ("eA==",)}), Rule("t/decrypt/ml", ("read",), UPDATE)],
        True,
    ),
]


def test_rights_are_those_of_the_server(bao: Bao) -> None:
    engine = f"engine-{secrets.token_hex(4)}"
    bao.done("POST", f"sys/mounts/{engine}", {"type": "transit"})
    bao.done("POST", f"{engine}/keys/ml", {"derived": True})
    given = {"context": "b3BlbmFp", "plaintext": "eA=="}
    ciphertext = bao.done("POST", f"{engine}/encrypt/ml", given)["data"]["ciphertext"]
    body = {"context": given["context"], "ciphertext": ciphertext}
    made: list[str] = []
    for rules, expected in RIGHTS:
        own = [replace(rule, path=re.sub(r"^t/", f"{engine}/", rule.path)) for rule in rules]
        names = [f"{engine}-{len(made)}-{number}" for number in range(len(own))]
        for name, rule in zip(names, own, strict=True):
            bao.done("POST", f"sys/policies/acl/{name}", {"policy": hcl([rule])})
        made += names
        token = bao.done("POST", "auth/token/create", {"policies": names, "no_default_policy": True})
        status, _ = bao.request("POST", f"{engine}/decrypt/ml", body, token=token["auth"]["client_token"])
        call = rights.Call(f"{engine}/decrypt/ml", "update", {"context": given["context"], "ciphertext": None})
        assert ((status == 200), rights.allowed(own, call)) == (expected, expected), rules
    for name in made:
        bao.done("DELETE", f"sys/policies/acl/{name}")
    bao.done("DELETE", f"sys/mounts/{engine}")


def test_a_denied_or_more_specific_path_decides_what_a_role_is_granted() -> None:
    s = gateway()
    (key,) = (one for one in s.node.walk() if isinstance(one, vault.TransitSecretBackendKey))
    denied = vault.Policy(s, "denied")
    key.grant_decrypt(denied)
    denied.allow("transit/decrypt/ml", "deny")
    vault.Policy(s, "wide").allow("transit/*", "update").allow("transit/decrypt/*", "deny")
    vault.AppRole(s, "both", token_policies=["host", "wide"])
    project = testing.synth(s)
    assert not project.grants("denied", "openai")
    assert not project.grants("wide", "openai")
    assert project.grants("wide", "openai", use="encrypt")
    assert project.grants("both", "openai")


def test_files_on_hosts_are_not_written_through_links_of_others() -> None:
    s = stack()
    web = Inventory(s, "i").group("web", ["h"])
    ml = EncryptedVars(s, "v", key=key_in(s, "ml", derived=True), hosts=web, secrets={"openai": Secret.env("A")})
    HostConfig(s, "sealed", hosts=web, dest="/srv/a/a", env={"A": ml["openai"]}, owner="app")
    for name, allowed in (("plain", False), ("mixed", True)):
        given = {"A": ml["openai"], "B": "b"} if allowed else {"B": "b"}
        HostConfig(s, name, hosts=web, dest=f"/srv/a/{name}", env=given, delivery="plaintext", allow_ciphertext=allowed)
    project = testing.synth(s)
    tasks = [task for play in project.plays() if play["hosts"] == "web" for task in play["tasks"]]
    # These follow each link, and the last one puts the text into a temporary file of the controller.
    assert not {f"ansible.builtin.{name}" for name in ("copy", "file", "template")} & {
        name for one in tasks for name in one
    }
    plain, mixed = [task for task in tasks if "mlkeys.transit.vault_transit_file" in task]
    for task in (plain, mixed):
        assert (task["no_log"], task["diff"], task["vars"]["ansible_pipelining"]) == (True, False, True)
    assert "allow_ciphertext" not in plain["mlkeys.transit.vault_transit_file"]
    assert mixed["mlkeys.transit.vault_transit_file"]["allow_ciphertext"] is True


def test_a_project_is_parsed() -> None:
    s = gateway()
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "c", hosts=web, dest="/etc/a", json={"a": 1})
    project = testing.synth(s)
    module = "mlkeys.transit.vault_transit_keys"
    (made,) = [task[module]["keys"] for task in project.tasks() if module in task]
    assert [key["name"] for key in made] == ["ml"]
    assert [play["hosts"] for play in project.plays()][-1] == "web"
    assert project.tasks()[-1]["mlkeys.transit.vault_transit_files"]["files"][0]["path"] == "/etc/a"
    assert project.terraform()["resource"]["vault_transit_secret_backend_key"]["ml"]["derived"] is True
    assert sorted(project.policies()) == ["host", "writer"]
    assert 'path "transit/encrypt/ml"' in project.policies()["writer"]
    assert project.warnings == ()


def test_a_project_has_the_tasks_that_are_included() -> None:
    s = stack()
    for number in range(2):
        key_in(s, f"k{number}").encrypt(Secret.generated(), name=f"made_{number}")
    AnsibleTask(s, "own", task={"ansible.builtin.include_tasks": "own.yml", "vars": {"a": [{"tasks": "b"}, "c"]}})
    shown = [task["name"] for task in testing.synth(s).tasks()]
    made = [f"Random secret k{number}/ciphertexts/made_{number}, if missing" for number in range(2)]
    assert [name for name in shown if name.endswith("if missing")] == ["Random secrets, if missing", *made]
    assert shown[-1] == "Task own"


def test_programs_are_run_and_their_stacks_are_named(tmp_path: Path) -> None:
    project = testing.synth(PROGRAMS["multi-env"])
    assert project.stacks == ("dev", "stage", "prod")
    with pytest.raises(MlkeysError, match=re.escape("name one of dev, stage, prod")):
        project.tasks()
    assert project.has_key("prod-providers", stack="prod")
    assert not project.has_key("prod-providers", stack="dev")
    with pytest.raises(MlkeysError, match="no stack 'prd'"):
        project.tasks("prd")
    with pytest.raises(MlkeysError, match="does not have the target 'terraform'"):
        testing.synth(stack_of_one_target()).terraform()
    with pytest.raises(AppInvalid, match="the app has no stacks"):
        testing.synth(App())
    assert not list(tmp_path.iterdir())


def stack_of_one_target() -> Stack:
    s = stack(targets=("ansible",))
    key_in(s)
    return s


TESTS = """
from mlkeys import testing

def test_whole(mlkeys_snapshot):
    assert testing.synth("app.py") == mlkeys_snapshot

def test_server(mlkeys_server):
    mlkeys_server.request("POST", "sys/mounts/t", {"type": "transit"})
    assert "t/" in mlkeys_server.request("GET", "sys/mounts")["data"]
    assert mlkeys_server.environment["BAO_ADDR"] == mlkeys_server.address

def test_refused(mlkeys_server):
    mlkeys_server.request("GET", "no/such/path")
"""
PROGRAM = """
from mlkeys import transit as vault
vault.TransitSecretBackend("e", path="PATH")
"""


def test_pytest_gets_a_server_and_snapshots(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(app=PROGRAM, test_app=TESTS)
    pytester.runpytest_subprocess("--snapshot-update").assert_outcomes(passed=2, failed=1)
    snapshot = pytester.path / "__snapshots__" / "test_app" / "test_whole.txt"
    assert "# Generated by mlkeys from app.py. Change the program" in snapshot.read_text()
    # Lines of the program may move; what it makes may not change unseen.
    pytester.makepyfile(app="# moved\n" + PROGRAM)
    again = pytester.runpytest_subprocess()
    again.assert_outcomes(passed=2, failed=1)
    again.stdout.fnmatch_lines(["*MlkeysError: GET no/such/path: the server responds with 404*"])
    # The user's lines alone.
    again.stdout.fnmatch_lines([">*mlkeys_server.request*no/such/path*"])
    again.stdout.no_fnmatch_line("*project.py*")
    pytester.makepyfile(app=PROGRAM.replace("PATH", "other"))
    pytester.runpytest_subprocess("-k", "whole").assert_outcomes(failed=1)


def test_overrides_count() -> None:
    app = App()
    s = Stack(app, "s")
    key = vault.TransitSecretBackendKey(s, "k", backend="t", name="k", derived=True)
    key.encrypt(Secret.env("A"), name="one")
    key.grant_decrypt(vault.Policy(s, "p"), secrets=["one"])
    role = vault.AppRole(s, "r", token_policies=["none"])
    assert not testing.synth(app).grants("r", "one")
    key.add_override("exportable", bool("yes"))
    role.add_override("token_policies", ["p"])
    project = testing.synth(app)
    assert project.has_key("k", exportable=True)
    assert not project.has_key("k", exportable=None)
    assert project.grants("r", "one")
    assert project == testing.synth(app)
    assert project != testing.synth(program_of("k2"))


def program_of(name: str) -> App:
    app = App()
    vault.TransitSecretBackendKey(Stack(app, "s"), "k", backend="t", name=name)
    return app


def test_programs_have_their_own_modules(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings_of_it.py").write_text(f"NAME = 'from-{name}'\n")
        text = "from settings_of_it import NAME\nfrom mlkeys import transit as vault\n"
        text += "vault.TransitSecretBackendKey('k', backend='t', name=NAME)\n"
        (tmp_path / name / "app.py").write_text(text)
        made.append(testing.synth(tmp_path / name / "app.py"))
    assert made[0].has_key("from-a")
    assert made[1].has_key("from-b")
