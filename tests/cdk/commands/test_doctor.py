# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys doctor`: everything that may be wrong, brought about on real servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Auth
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS, Connection
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._commands.doctor import environment, machine, merges, parity, server, variables
from mlkeys._commands.doctor.check import Check
from mlkeys._shared.policy import grant_rules, hcl
from mlkeys._shared.vars_plugins import WANTED
from mlkeys._system import collection
from mlkeys._system.git import git
from tests.cdk.command import plain
from tests.integration.conftest import SecureBao
from tests.integration.support.plays import approle, live_tokens
from tests.integration.support.processes import free_port
from tests.support.collection import collections_path
from tests.support.server import Bao

PROGRAM = """
from mlkeys import Secret, Stack, export
from mlkeys import transit as vault
engine = vault.TransitSecretBackend("engine", path="ENGINE")
key = vault.TransitSecretBackendKey("key", backend=engine.path, name="ml", derived=True)
sealed = key.encrypt(Secret.env("ML_API_KEY"))
export("opened", key.decrypt(sealed))
"""
ITSELF = """
path "sys/capabilities-self" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"""
#: What a run needs where engine and key are there.
USE = (
    ITSELF
    + """
path "sys/mounts/ENGINE" { capabilities = ["read"] }
path "ENGINE/config/keys" { capabilities = ["read"] }
path "ENGINE/keys/ml" { capabilities = ["read"] }
path "ENGINE/+/ml" { capabilities = ["update"] }
"""
)

Found = list[dict[str, Any]]
Doctor = Callable[..., Found]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Doctor:
    """Runs the command in this process, with these variables; what it found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ML_API_KEY", "FAKE-plaintext")

    def run(*arguments: str, status: int = 0, **variables: str) -> Found:
        with pytest.MonkeyPatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            done = CliRunner().invoke(main, ["doctor", "--json", *arguments])
        assert done.exit_code == status, done.output + str(done.exception)
        hidden = [value for name, value in variables.items() if "TOKEN" in name or "SECRET" in name]
        assert not [value for value in (*hidden, "FAKE-plaintext") if value.strip() in done.stdout]
        found: Found = json.loads(done.stdout)
        return found

    return run


def shown(found: Found, name: str, level: str) -> str:
    """The texts of the checks with a name and a level."""
    return "\n".join(f"{c['found']} {c['advice']}" for c in found if (c["name"], c["level"]) == (name, level))


def wrong(found: Found) -> list[str]:
    return [f"{check['name']}: {check['found']}" for check in found if not check["ok"]]


def written(engine: str, program: str = PROGRAM) -> None:
    Path("app.py").write_text(program.replace("ENGINE", engine))


# --- what is installed ---


def test_what_is_too_old_or_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"ansible-core": "2.15.13", "hvac": "2.4.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setenv("PATH", "")
    assert list(machine.libraries()) == [
        Check("ansible-core", "wrong", "2.15.13", "pip install 'ansible-core>=2.16'"),
        Check("cryptography", "wrong", "not installed beside mlkeys", "pip install 'cryptography>=3.1'"),
        Check("hvac", "ok", "2.4.0"),
        Check("python-dotenv", "wrong", "not installed beside mlkeys", "pip install 'python-dotenv>=1.0'"),
        Check("ruamel-yaml", "wrong", "not installed beside mlkeys", "pip install 'ruamel-yaml>=0.18'"),
    ]


def test_a_collection_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.collection().level == "ok"
    monkeypatch.setattr(collection, "version", lambda: "0.0.9")
    found = machine.collection()
    assert (found.level, found.found.split(",")[0]) == ("wrong", "0.0.9")
    assert "ansible-galaxy collection install" in found.advice


def test_without_ansible_the_rest_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    blocked = "import sys; sys.modules['ansible'] = None\nfrom mlkeys._cli import main\nmain(['doctor', '--json'])"
    run = subprocess.run(
        [sys.executable, "-c", blocked],
        cwd=tmp_path,
        env={"PATH": "/nowhere", "HOME": str(tmp_path), "BAO_ADDR": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    found = json.loads(run.stdout)
    assert "ansible-core is not installed beside mlkeys" in shown(found, "mlkeys.transit", "wrong")
    assert "not checked" in shown(found, "server", "remark")
    assert "not up to date" in shown(found, "program", "remark")
    assert "ML_API_KEY is not set" in shown(found, "secrets", "remark")
    assert "not installed" in shown(found, "bao", "ok")


def test_an_old_terraform_is_remarked_on_where_it_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "terraform"
    binary.write_text("#!/bin/sh\necho Terraform v1.4.7\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    levels = {needed: {c.name: c.level for c in machine.programs(needed)}["terraform"] for needed in ("", ">= 1.5.0")}
    assert levels == {"": "ok", ">= 1.5.0": "remark"}


@pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not on PATH: install it to look at what it does"
)
def test_terraform_leaves_nothing_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CHECKPOINT_DISABLE", raising=False)
    found = {check.name: check.found for check in machine.programs()}
    assert found["terraform"][0].isdigit()
    assert [*tmp_path.iterdir()] == []


# --- the program and the settings ---


def test_a_program_with_problems_is_not_reason_to_stop(doctor: Doctor, bao: Bao) -> None:
    written("")
    found = doctor(status=1, BAO_ADDR=bao.addr, BAO_TOKEN=bao.token)
    assert "path is empty" in shown(found, "program", "wrong")
    assert shown(found, "server", "ok")


@pytest.mark.parametrize(
    ("variable", "value", "meaning"),
    [
        ("ANSIBLE_HASHI_VAULT_AUTH_METHOD", "app-role", "but must be one of token, approle"),
        ("ANSIBLE_HASHI_VAULT_TIMEOUT", "abc", "but must be a number of seconds"),
        ("BAO_CLIENT_TIMEOUT", "abc", "but must be a number of seconds"),
        ("VAULT_SKIP_VERIFY", "yes", "but must be true or false"),
    ],
)
def test_a_value_that_a_setting_cannot_have_is_one_sentence(
    doctor: Doctor, bao: Bao, variable: str, value: str, meaning: str
) -> None:
    text = shown(doctor(status=1, BAO_ADDR=bao.addr, **{variable: value}), "settings", "wrong")
    assert meaning in text
    assert f"({variable}) is '{value}'" in text


def test_missing_settings_are_reported_all_at_once(doctor: Doctor) -> None:
    text = shown(doctor(status=1, ANSIBLE_HASHI_VAULT_AUTH_METHOD="approle"), "settings", "wrong")
    assert "url is not set: set url (ANSIBLE_HASHI_VAULT_ADDR, BAO_AGENT_ADDR, VAULT_AGENT_ADDR, BAO_ADDR, " in text
    assert "auth_method approle requires role_id" in text
    assert "must start with https://" in shown(doctor(status=1, BAO_ADDR="127.0.0.1:8200"), "settings", "wrong")


def test_all_values_that_settings_cannot_have_are_reported_at_once(doctor: Doctor) -> None:
    variables = {
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "app-role",
        "ANSIBLE_HASHI_VAULT_RETRY_ACTION": "shout",
        "VAULT_SKIP_VERIFY": "yes",
        "BAO_CLIENT_TIMEOUT": "abc",
        "BAO_RATE_LIMIT": "fast",
    }
    text = shown(doctor(status=1, **variables), "settings", "wrong")
    for name, value in variables.items():
        assert text.count(f"({name}) is '{value}', but must be") == 1
    assert text.count("url is not set") == 1
    assert text.count("mlkeys dev") == 1


def test_bad_values_and_files_are_reported_at_once(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_ADDR", "https://127.0.0.1:1")
    files = {"BAO_CACERT": "/nowhere/ca.pem", "BAO_CLIENT_CERT": "/nowhere/c.pem", "BAO_CLIENT_KEY": "/nowhere/c.key"}
    text = shown(doctor(status=1, ANSIBLE_HASHI_VAULT_TIMEOUT="abc", **files), "settings", "wrong")
    for said in ("(ANSIBLE_HASHI_VAULT_TIMEOUT) is 'abc'", *files.values()):
        assert said in text
    # Which it has in a pod alone.
    monkeypatch.setenv("ANSIBLE_HASHI_VAULT_KUBERNETES_TOKEN_PATH", str(tmp_path / "none"))
    login = {"ANSIBLE_HASHI_VAULT_AUTH_METHOD": "kubernetes", "ANSIBLE_HASHI_VAULT_ROLE_ID": "r"}
    text = " ".join(wrong(doctor(status=1, BAO_CACERT_BYTES="junk", BAO_CAPATH="/nowhere/certs", **login)))
    for said in (str(tmp_path / "none"), "ca_cert_bytes (BAO_CACERT_BYTES", "/nowhere/certs does not exist"):
        assert said in text


@pytest.mark.parametrize("content", ["[defaults\n", "junk"])
def test_a_configuration_that_ansible_cannot_read_is_an_error(
    doctor: Doctor, bao: Bao, tmp_path: Path, content: str
) -> None:
    (tmp_path / "ansible.cfg").write_text(content, encoding="utf-8")
    (said,) = wrong(doctor(status=1, BAO_ADDR=bao.addr, BAO_TOKEN=bao.token))
    assert said.startswith("ansible.cfg: Ansible cannot read its configuration ansible.cfg: it is not an INI file")
    (tmp_path / "keys.transit.yml").write_text("---\n", encoding="utf-8")
    # With other settings than Ansible's, another server could be asked.
    done = CliRunner().invoke(main, ["check", "keys.transit.yml"])
    assert (done.exit_code, "Ansible cannot read its configuration" in done.output) == (1, True)


def test_what_bao_does_not_read_is_remarked_on(tmp_path: Path) -> None:
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\n", encoding="ascii")
    helper.chmod(0o700)
    (tmp_path / ".vault").write_text(f'token_helper = "{helper}"\n', encoding="ascii")
    auth = Auth(client_configs=(str(tmp_path / ".bao"), str(tmp_path / ".vault")))
    remark = parity.helper(auth)
    assert remark is not None
    assert remark.found == f"token helper: {tmp_path}/.vault names one, which is used. bao does not read this file"
    (tmp_path / ".bao").write_text("", encoding="ascii")
    assert parity.helper(auth) is None


def test_an_address_with_which_bao_fails_is_remarked_on() -> None:
    (one,) = environment.variables(OPTIONS, {"BAO_ADDR": "https://a.test:8200/v1/"})
    assert (one.level, one.found) == ("remark", "BAO_ADDR ends with /v1, which bao adds itself: its commands fail")
    assert not list(environment.variables(OPTIONS, {"ANSIBLE_HASHI_VAULT_ADDR": "https://a.test:8200/v1/"}))


def test_variables_that_differ_are_remarked_on_and_the_first_is_used(doctor: Doctor, bao: Bao) -> None:
    found = doctor(BAO_ADDR=bao.addr, VAULT_ADDR="http://127.0.0.1:1", BAO_TOKEN=bao.token, VAULT_TOKEN=f"{bao.token}x")
    text = shown(found, "environment", "remark")
    assert "BAO_ADDR, VAULT_ADDR differ BAO_ADDR is used" in text
    assert "BAO_TOKEN, VAULT_TOKEN differ BAO_TOKEN is used" in text
    assert "(BAO_ADDR)" in shown(found, "address", "ok")


def test_variables_that_all_count_do_not_differ() -> None:
    given = {"SSL_CERT_FILE": "/a.pem", "SSL_CERT_DIR": "/certs", "BAO_CAPATH": "/more"}
    assert list(environment.variables(OPTIONS, given)) == []
    (one,) = environment.variables(OPTIONS, {**given, "VAULT_CAPATH": "/other"})
    assert (one.found, one.advice) == ("BAO_CAPATH, VAULT_CAPATH differ", "BAO_CAPATH is used. Unset the others.")


def test_a_lookup_of_services_that_only_bao_does_is_remarked_on() -> None:
    (one,) = environment.variables(OPTIONS, {"BAO_SRV_LOOKUP": "true", "VAULT_SRV_LOOKUP": "false"})
    assert one.found.startswith("BAO_SRV_LOOKUP: bao asks DNS")


def test_settings_in_effect_are_named_with_what_sets_them(doctor: Doctor, secure_bao: SecureBao) -> None:
    variables = {"BAO_CACERT": secure_bao.ca_cert, "VAULT_CLIENT_TIMEOUT": "9s", "BAO_RATE_LIMIT": "50:100"}
    found = doctor(BAO_ADDR=secure_bao.url, BAO_TOKEN=secure_bao.bao.token, **variables)
    assert shown(found, "settings", "ok").strip() == (
        f"CA certificates {secure_bao.ca_cert} (BAO_CACERT); timeout 9 s (VAULT_CLIENT_TIMEOUT); "
        "rate 50 requests a second, 100 at once (BAO_RATE_LIMIT)"
    )
    assert shown(found, "bao", "remark") == ""


def test_ansible_cfg_is_named_before_variables_that_rank_below(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configuration = tmp_path / "configured.cfg"
    configuration.write_text("[hashi_vault_collection]\nurl = https://a.test\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(configuration))
    url, timeout = (next(one for one in OPTIONS if one.name == name) for name in ("url", "timeout"))
    given = {"BAO_ADDR": "https://b.test", "BAO_CLIENT_TIMEOUT": "9"}
    assert environment.origin(url, given) == "ansible.cfg"
    assert environment.origin(url, {**given, "ANSIBLE_HASHI_VAULT_ADDR": "c"}) == "ANSIBLE_HASHI_VAULT_ADDR"
    assert environment.origin(timeout, given) == "BAO_CLIENT_TIMEOUT"


def test_what_bao_would_use_instead_is_remarked_on(doctor: Doctor, bao: Bao) -> None:
    found = doctor(
        ANSIBLE_HASHI_VAULT_ADDR=bao.addr,
        ANSIBLE_HASHI_VAULT_TOKEN=bao.token,
        BAO_ADDR="http://127.0.0.1:1",
        BAO_TOKEN="s.other-token-canary",
        ANSIBLE_HASHI_VAULT_NAMESPACE="",
        BAO_CLIENT_TIMEOUT="20",
        ANSIBLE_HASHI_VAULT_TIMEOUT="25",
    )
    text = shown(found, "bao", "remark")
    assert f"address: bao would use http://127.0.0.1:1, and {bao.addr} is used (ANSIBLE_HASHI_VAULT_ADDR)" in text
    assert "timeout: bao would use 20 s, and 25 s is used (ANSIBLE_HASHI_VAULT_TIMEOUT)" in text
    assert "token: bao would use another one than is used (ANSIBLE_HASHI_VAULT_TOKEN)" in text
    assert text.count("bao would use") == 3


def test_an_empty_variable_that_hides_another_one_is_remarked_on(doctor: Doctor, bao: Bao) -> None:
    found = doctor(status=0, BAO_ADDR=bao.addr, BAO_TOKEN=bao.token, BAO_NAMESPACE="", VAULT_NAMESPACE="nowhere")
    assert "BAO_NAMESPACE is empty, and hides VAULT_NAMESPACE" in shown(found, "environment", "remark")


def test_blanks_around_a_value_are_found(doctor: Doctor, bao: Bao) -> None:
    found = doctor(status=1, BAO_ADDR=bao.addr, BAO_TOKEN=f"{bao.token}\n")
    assert wrong(found) == ["environment: BAO_TOKEN has whitespace around its value"]


@pytest.mark.parametrize(
    ("url", "remarks"),
    [
        ("http://127.0.0.1:8200", 0),
        ("http://[::1]:8200", 0),
        ("http://localhost:8200", 0),
        ("https://bao.example.com", 0),
        ("http://bao.example.com", 1),
        ("http://127.0.0.1,http://192.0.2.1,http://10.0.0.1", 2),
    ],
)
def test_an_open_way_to_another_machine_is_remarked_on(url: str, remarks: int) -> None:
    assert sum(check.level == "remark" for check in environment.connection(Connection(url), "")) == remarks


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    (shown,) = environment.connection(Connection("https://me:hunter2@bao.example.com:8200"), "BAO_ADDR")
    assert shown.found == "https://bao.example.com:8200 (BAO_ADDR)"


def test_a_damaged_certificate_beside_that_of_the_server_is_remarked_on(
    doctor: Doctor, secure_bao: SecureBao, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.pem"
    good = Path(secure_bao.ca_cert).read_text(encoding="ascii")
    file.write_text(f"{good}-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n{good}", encoding="ascii")
    found = doctor(BAO_ADDR=secure_bao.url, BAO_TOKEN=secure_bao.bao.token, BAO_CACERT=str(file))
    text = shown(found, "CA certificates", "remark")
    assert f"Certificate 2 of ca_cert (BAO_CACERT) {file} on " in text


def test_certificates_that_are_not_verified_are_remarked_on(doctor: Doctor, secure_bao: SecureBao) -> None:
    found = doctor(BAO_ADDR=secure_bao.url, BAO_TOKEN=secure_bao.bao.token, VAULT_SKIP_VERIFY="1")
    assert "can impersonate the server" in shown(found, "TLS", "remark")
    assert shown(found, "server", "ok")


# --- the server ---


def test_a_server_that_does_not_answer_is_diagnosed(doctor: Doctor, bao: Bao, secure_bao: SecureBao) -> None:
    cases = {
        f"http://127.0.0.1:{free_port()}": "connection refused",
        "http://nowhere.invalid:8200": "its name does not resolve",
        secure_bao.url: "Set ca_cert (BAO_CACERT, VAULT_CACERT)",
        bao.addr.replace("http:", "https:"): "it does not use TLS",
        secure_bao.url.replace("https:", "http:"): "Start url (BAO_ADDR) with https://",
    }
    for address, said in cases.items():
        found = doctor(status=1, BAO_ADDR=address, BAO_TOKEN="a-token")
        assert said in shown(found, "server", "wrong"), address
        assert ("mlkeys dev" in shown(found, "server", "wrong")) is (said == "connection refused")
        assert not shown(found, "login", "wrong")


def test_a_server_that_is_not_ready_is_diagnosed(doctor: Doctor, sealed_url: str, uninitialised_url: str) -> None:
    for address, said in ((sealed_url, "sealed bao operator unseal"), (uninitialised_url, "bao operator init")):
        found = doctor(status=1, BAO_ADDR=address, BAO_TOKEN="a-token")
        assert said in shown(found, "server", "wrong")


def test_each_member_of_a_cluster_is_asked(doctor: Doctor, bao: Bao, sealed_url: str) -> None:
    found = doctor(status=1, BAO_ADDR=f"{sealed_url},{bao.addr}", BAO_TOKEN=bao.token)
    assert shown(found, "server", "wrong")
    assert shown(found, "server", "ok")
    assert shown(found, "login", "ok")


@pytest.mark.parametrize("first", [True, False])
def test_an_address_that_commands_pass_over_is_a_remark(doctor: Doctor, bao: Bao, first: bool) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    addresses = [dead, bao.addr] if first else [bao.addr, dead]
    found = doctor(BAO_ADDR=",".join(addresses), BAO_TOKEN=bao.token)
    assert f"Cannot reach the server at {dead}: connection refused" in shown(found, "server", "remark")
    assert "Commands go on with the next address." in shown(found, "server", "remark")
    assert "mlkeys dev" not in shown(found, "server", "remark")
    assert shown(found, "server", "ok")
    assert shown(found, "login", "ok")


def test_an_address_at_which_commands_stop_is_wrong(doctor: Doctor, bao: Bao, sealed_url: str) -> None:
    cases = {
        bao.addr.replace("http:", "https:"): bao.addr,
        f"http://127.0.0.1:{free_port()}": sealed_url,
    }
    for address, other in cases.items():
        found = doctor(status=1, BAO_ADDR=f"{address},{other}", BAO_TOKEN=bao.token)
        assert f"Cannot reach the server at {address}" in shown(found, "server", "wrong")
        assert not shown(found, "server", "remark")


@pytest.mark.parametrize("key", ["standby", "performance_standby"])
def test_a_standby_is_called_one(key: str) -> None:
    health = {"initialized": True, "sealed": False, "version": "1", key: True}
    assert server.server_state(health) == Check("server", "ok", "1, standby")


def test_clocks_that_differ_are_remarked_on(doctor: Doctor, bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token}
    assert shown(doctor(**given), "clock", "ok")
    for seconds, word in ((3600, "ahead of"), (-3600, "behind")):
        monkeypatch.setattr(server, "time", SimpleNamespace(time=lambda off=seconds: time.time() + off))
        text = shown(doctor(**given), "clock", "remark")
        assert word in text
        assert "36" in text or "35" in text
    assert server.clock({"sealed": False}, 0.0) is None


# --- the login ---


def test_logins_that_are_refused_say_why(doctor: Doctor, bao: Bao) -> None:
    at = {"BAO_ADDR": bao.addr}
    assert "does not accept the token" in shown(doctor(status=1, BAO_TOKEN="no-such-token", **at), "login", "wrong")
    assert "set token, BAO_TOKEN or VAULT_TOKEN" in shown(doctor(status=1, **at), "login", "wrong")
    with approle(bao, ITSELF) as role:
        refused = doctor(status=1, **at, **{**role.environment, "ANSIBLE_HASHI_VAULT_SECRET_ID": "no-such-secret"})
        assert "was refused" in shown(refused, "login", "wrong")
    assert "'nope' does not exist" in shown(
        doctor(status=1, BAO_TOKEN=bao.token, BAO_NAMESPACE="nope", **at), "login", "wrong"
    )


def test_any_method_logs_in_and_leaves_nothing(doctor: Doctor, bao: Bao) -> None:
    with approle(bao, ITSELF) as role:
        found = doctor(BAO_ADDR=bao.addr, **role.environment)
        assert shown(found, "login", "ok").startswith("approle; policies approle-")
        assert not shown(found, "login", "remark")
        assert live_tokens(bao, role) == 0
    # What listens adds no token, so every request of a run would be refused.
    none = doctor(status=1, BAO_ADDR=bao.addr, ANSIBLE_HASHI_VAULT_AUTH_METHOD="none")
    assert "there is no token, and what listens at url adds none" in shown(none, "login", "wrong")


@pytest.mark.parametrize(
    ("token", "remark"),
    [
        ({"policies": ["root"], "ttl": "1h"}, "root: it may do everything"),
        ({"policies": ["default"], "ttl": "5m"}, "the token expires in"),
        ({"policies": ["default"], "ttl": "1h", "num_uses": 50}, "more times"),
    ],
)
def test_a_token_with_a_catch_is_remarked_on(doctor: Doctor, bao: Bao, token: dict[str, Any], remark: str) -> None:
    made = bao.done("POST", "auth/token/create", token)["auth"]["client_token"]
    assert remark in shown(doctor(BAO_ADDR=bao.addr, BAO_TOKEN=made), "login", "remark")
    usual = bao.done("POST", "auth/token/create", {"policies": ["default"], "ttl": "1h"})["auth"]["client_token"]
    assert not shown(doctor(BAO_ADDR=bao.addr, BAO_TOKEN=usual), "login", "remark")


def test_a_token_that_may_not_look_up_itself_is_accepted(
    doctor: Doctor, bao: Bao, mount: str, mint_token: Callable[[str], str]
) -> None:
    written(mount)
    found = doctor(BAO_ADDR=bao.addr, BAO_TOKEN=mint_token(USE.removeprefix(ITSELF).replace("ENGINE", mount)))
    assert "may not look up itself" in shown(found, "login", "ok")
    assert "may not query its own capabilities" in shown(found, "rights", "remark")


# --- the rights ---


def test_a_token_with_exactly_what_is_needed_is_right(
    doctor: Doctor, bao: Bao, mount: str, mint_token: Callable[[str], str]
) -> None:
    written(mount)
    bao.done("POST", f"{mount}/keys/ml", {"derived": True})
    found = doctor(BAO_ADDR=bao.addr, BAO_TOKEN=mint_token(USE.replace("ENGINE", mount)))
    assert "enough on" in shown(found, "rights", "ok")
    assert not shown(found, "rights", "remark")
    # An engine that a deployment changes.
    tuned = 'description="keys", max_lease_ttl="2h"'
    written(mount, PROGRAM.replace('path="ENGINE"', f'path="ENGINE", {tuned}'))
    environment = {"BAO_ADDR": bao.addr, "BAO_TOKEN": mint_token(USE.replace("ENGINE", mount))}
    assert f"lacks update on sys/mounts/{mount}/tune" in shown(doctor(status=1, **environment), "rights", "wrong")
    bao.done("POST", f"sys/mounts/{mount}/tune", {"description": "keys", "max_lease_ttl": "2h"})
    assert not shown(doctor(**environment), "rights", "wrong")


def test_what_a_token_lacks_is_named(doctor: Doctor, bao: Bao, mount: str, mint_token: Callable[[str], str]) -> None:
    # The token may use the engine and the key, but not create them.
    written(f"{mount}-new")
    token = mint_token(USE.replace("ENGINE", f"{mount}-new").replace(f"{mount}-new/+", f"{mount}-new/encrypt"))
    found = doctor(status=1, BAO_ADDR=bao.addr, BAO_TOKEN=token)
    text = shown(found, "rights", "wrong")
    for need in (
        f"update on sys/mounts/{mount}-new",
        f"update on {mount}-new/keys/ml",
        f"update on {mount}-new/hmac/ml",
    ):
        assert need in text
    assert f"{mount}-new/encrypt" not in text
    assert "/tune" not in text
    assert "--show-secrets" in shown(found, "rights", "remark")


def test_a_token_that_rotates_is_checked_for_the_rest_of_a_rotation(
    doctor: Doctor, bao: Bao, mount: str, mint_token: Callable[[str], str]
) -> None:
    written(mount)
    bao.done("POST", f"{mount}/keys/ml", {"derived": True})
    rotating = f'{USE}path "ENGINE/keys/ml/rotate" {{ capabilities = ["update"] }}\n'.replace("ENGINE", mount)
    text = shown(doctor(BAO_ADDR=bao.addr, BAO_TOKEN=mint_token(rotating)), "rights", "remark")
    for need in (
        f"update on {mount}/keys/ml/config (only min_decryption_version, min_encryption_version)",
        f"update on {mount}/rewrap/+",
        f"list on {mount}/keys;",
    ):
        assert need in text
    assert f"{mount}/rewrap/ml" not in text
    everything = USE.replace("ENGINE", mount) + hcl(grant_rules("rotate", mount, "ml"))
    assert not shown(doctor(BAO_ADDR=bao.addr, BAO_TOKEN=mint_token(everything)), "rights", "remark")


def test_what_a_token_has_too_much_of_is_named(
    doctor: Doctor, bao: Bao, mount: str, mint_token: Callable[[str], str]
) -> None:
    # An engine that somebody else made, and that makes keys for anyone who may create them.
    program = PROGRAM.replace('TransitSecretBackend("engine"', 'TransitSecretBackend.from_existing("engine"')
    Path("app.py").write_text(program.replace("ENGINE", mount))
    bao.done("POST", f"{mount}/keys/ml", {"derived": True})
    everything = f'{ITSELF}\npath "{mount}/*" {{ capabilities = ["create", "read", "update"] }}'
    found = doctor(BAO_ADDR=bao.addr, BAO_TOKEN=mint_token(everything))
    text = shown(found, "rights", "remark")
    assert f"create on {mount}/encrypt/ml: a mistyped name creates a new key" in text
    assert f"read on {mount}/backup/ml" in text
    assert "enough on" in shown(found, "rights", "ok")


SEVERAL = """
from mlkeys import App, Stack
from mlkeys import transit as vault
app = App()
for name, url in (("here", "HERE"), ("there", "THERE")):
    with Stack(app, name, url=url):
        vault.TransitSecretBackend("engine", path="transit")
"""


def test_each_server_of_a_program_is_looked_at(doctor: Doctor, bao: Bao, secure_bao: SecureBao) -> None:
    Path("app.py").write_text(SEVERAL.replace("THERE", secure_bao.bao.addr).replace("HERE", bao.addr))
    given = {"BAO_ADDR": "http://127.0.0.1:1", "BAO_TOKEN": bao.token}
    found = doctor(status=1, **given)
    assert {check["stack"]: check["level"] for check in found if check["name"] == "login"} == {
        "here": "remark",
        "there": "wrong",
    }
    assert "(the program)" in shown(found, "address", "ok")
    assert not wrong(doctor("--stack", "here", **given))


# --- for people ---


def test_people_get_lines_and_colours_on_a_terminal_alone(bao: Bao, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mlkeys", "doctor"],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
            "BAO_ADDR": bao.addr,
            "BAO_TOKEN": bao.token,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == plain(run.stdout)
    assert bao.token not in run.stdout
    assert "server" in run.stdout
    assert "root: it may do everything" in run.stdout


VARS_FILE = "a: vault:v1:AAAA\n_transit:\n  format: 1\n  key: k\n"


@pytest.mark.parametrize(
    ("name", "listed", "level", "said"),
    [
        ("keys.transit.yml", "host_group_vars", "wrong", "and nothing else here decrypts them"),
        ("keys.transit.yml", "mlkeys.transit.vault_transit,host_group_vars", "wrong", "before host_group_vars"),
        ("keys.transit.yml", "host_group_vars,mlkeys.transit.vault_transit", "ok", "decrypts group_vars/all/keys"),
        ("keys.yml", "host_group_vars,mlkeys.transit.vault_transit", "wrong", "does not end with .transit.yml"),
        (
            "keys.transit.yml",
            "host_group_vars,mlkeys.transit.vault_transit\n[vars_mlkeys_transit]\ndisabled = ture",
            "wrong",
            "disabled (ansible.cfg) is 'ture', but must be true or false",
        ),
        (
            "keys.transit.yml",
            "host_group_vars,mlkeys.transit.vault_transit\n[vars_mlkeys_transit]\ndisabled = yes",
            "wrong",
            "decrypts nothing, because disabled (ansible.cfg) is yes: variables of group_vars/all/keys.transit.yml are",
        ),
        (
            "keys.transit.yml",
            "host_group_vars,mlkeys.transit.vault_transit\n[vars_mlkeys_transit]\ndecrypt = never",
            "wrong",
            "decrypts nothing, because decrypt (ansible.cfg) is never: variables of",
        ),
        (
            "keys.transit.yml",
            "host_group_vars,mlkeys.transit.vault_transit\n[vars_mlkeys_transit]\ndisabled = no\ndecrypt = always",
            "ok",
            "decrypts group_vars/all/keys",
        ),
    ],
)
def test_the_setting_of_the_vars_plugin_is_held_against_the_files(
    doctor: Doctor, tmp_path: Path, bao: Bao, name: str, listed: str, level: str, said: str
) -> None:
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "group_vars/all" / name).write_text(VARS_FILE)
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nvars_plugins_enabled = {listed}\n")
    found = doctor(status=level == "wrong", BAO_ADDR=bao.addr, BAO_TOKEN=bao.token)
    assert said in shown(found, "vars plugin", level)
    assert {one["level"] for one in found if one["name"] == "vars plugin"} == {level}


def test_a_variable_that_turns_the_vars_plugin_off_is_named(doctor: Doctor, tmp_path: Path, bao: Bao) -> None:
    """It is meant, if something else decrypts."""
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "group_vars/all/keys.transit.yml").write_text(VARS_FILE)
    (tmp_path / "run.sh").write_text("mlkeys run -f group_vars/all/keys.transit.yml -- app\n")
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nvars_plugins_enabled = {WANTED}\n")
    found = doctor(BAO_ADDR=bao.addr, BAO_TOKEN=bao.token, MLKEYS_TRANSIT_VARS_DISABLED="true")
    assert "because disabled (MLKEYS_TRANSIT_VARS_DISABLED) is true" in shown(found, "vars plugin", "remark")
    assert "If tasks need plaintext: Unset MLKEYS_TRANSIT_VARS_DISABLED." in [one["advice"] for one in found]


def test_misspelt_names_in_the_configuration_are_named(doctor: Doctor, tmp_path: Path, bao: Bao) -> None:
    """Ansible passes over what it does not know."""
    (tmp_path / "ansible.cfg").write_text(
        f"[defaults]\nforks = 3\nvars_plugin_enabled = {WANTED}\n[hashi_vault_collection]\nauth_metod = approle\n"
        "TIMEOUT = 7\nnothing_like_it = 1\n[vars_mlkeys_transit]\non_eror = warn\n[hashi_vault_colection]\nurl = x\n"
        "[ssh_connection]\npipelining = true\n[callback_of_ours]\nmetod = x\n"
    )
    found = doctor(status=1, BAO_ADDR=bao.addr, BAO_TOKEN=bao.token)
    said = [one["found"].partition("ansible.cfg: ")[2] for one in found if one["name"] == "ansible.cfg"]
    assert said == [
        "[defaults] has no key 'vars_plugin_enabled'. Did you mean 'vars_plugins_enabled'?",
        "[hashi_vault_collection] has no key 'auth_metod'. Did you mean 'auth_method'?",
        "[hashi_vault_collection] has no key 'nothing_like_it'.",
        "[vars_mlkeys_transit] has no key 'on_eror'. Did you mean 'on_error'?",
        "nothing reads the section [hashi_vault_colection]. Did you mean 'hashi_vault_collection'?",
    ]


PLAY = "- hosts: all\n  tasks: [{ansible.builtin.debug: {msg: '{{ a }}'}}]\n"


@pytest.mark.parametrize(
    ("configuration", "files", "expected"),
    [
        ("project/ansible.cfg", {}, True),
        ("", {"play.yml": PLAY}, True),
        ("elsewhere/ansible.cfg", {"play.yml": PLAY}, True),
        ("", {"roles/a/tasks/main.yml": "- ansible.builtin.debug: {msg: '{{ a }}'}\n"}, False),
        (
            "project/ansible.cfg",
            {"play.yml": PLAY, "site.yml": "- hosts: all\n  roles: [mlkeys.transit.vault_transit_host]\n"},
            False,
        ),
        ("project/ansible.cfg", {"tasks/main.yml": "- mlkeys.transit.load_vars: {file: f}\n"}, False),
        ("project/ansible.cfg", {"run.sh": "mlkeys run group_vars/all/keys.transit.yml -- app\n"}, False),
    ],
)
def test_what_would_use_ciphertext_is_wrong(
    tmp_path: Path, configuration: str, files: dict[str, str], *, expected: bool
) -> None:
    project = tmp_path / "project"
    for name, text in {"group_vars/all/keys.transit.yml": VARS_FILE, **files}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    read = str(tmp_path / configuration) if configuration else ""
    assert variables.would_use_ciphertext(project, read) is expected


@pytest.mark.parametrize(
    ("attributes", "driver", "level", "said"),
    [
        ("*.transit.yml merge=mlkeys\n", "", "remark", "git config merge.mlkeys.driver 'mlkeys merge %O %A %B %P'"),
        ("*.transit.json merge=mlkeys\n", "mlkeys merge", "remark", "name it for group_vars/all/keys.transit.yml"),
        ("", "mlkeys merge", "remark", "mlkeys init --ansible"),
        ("*.transit.yml merge=mlkeys\n", "mlkeys merge", "ok", "entry by entry"),
        ("", "", "", ""),
    ],
)
def test_the_attributes_are_held_against_the_merge_driver(
    tmp_path: Path, attributes: str, driver: str, level: str, said: str
) -> None:
    files = ["group_vars/all/keys.transit.yml"]
    assert list(merges.check(tmp_path, files)) == [], "no work tree"
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitattributes").write_text(attributes)
    if driver:
        git(tmp_path, "config", "merge.mlkeys.driver", driver)
    found = [(check.level, f"{check.found} {check.advice}") for check in merges.check(tmp_path, files)]
    assert [one for one, _text in found] == ([level] if level else [])
    assert all(said in text for _level, text in found)


def test_a_merge_conflict_is_explained(tmp_path: Path) -> None:
    (tmp_path / "keys.transit.yml").write_text(f"<<<<<<< HEAD\n{VARS_FILE}=======\n{VARS_FILE}>>>>>>> new-key\n")
    [found] = merges.conflicts(tmp_path, ["gone.transit.yml", "keys.transit.yml"])
    assert found.level == "wrong"
    assert (
        "one side is at keys.transit.yml:1 (HEAD) and the other side is at keys.transit.yml:6 (new-key)" in found.found
    )


def test_a_merge_conflict_beside_a_playbook_is_found(tmp_path: Path, doctor: Doctor, bao: Bao) -> None:
    for name in ("keys.transit.yml", "roles/r/vars/keys.transit.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"<<<<<<< HEAD\n{VARS_FILE}=======\n{VARS_FILE}>>>>>>> new-key\n")
    found = doctor(status=1, BAO_ADDR=bao.addr, BAO_TOKEN=bao.token)
    said = shown(found, "merge conflict", "wrong")
    assert "keys.transit.yml:1 (HEAD)" in said
    assert "roles/r/vars/keys.transit.yml:1 (HEAD)" in said


def test_a_file_that_is_to_come_is_merged_too(tmp_path: Path, doctor: Doctor, bao: Bao) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitattributes").write_text("*.transit.* merge=mlkeys\n")
    found = doctor(BAO_ADDR=bao.addr, BAO_TOKEN=bao.token)
    assert "this clone does not define it" in shown(found, "merge driver", "remark")
