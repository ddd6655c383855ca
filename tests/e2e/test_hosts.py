# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role for hosts on real ones. A play takes seconds, so a test follows its services through several changes."""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cdk.command import changes, mlkeys
from tests.e2e.machines import HOSTS, REPORT, SECRETS, SHA, Site, changed, everything, running_site, service
from tests.integration.support.jwts import Issuer
from tests.integration.support.tls import Authority
from tests.support.hosts import Host, missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

FILES: list[dict[str, Any]] = [
    {"dest": "/etc/plain.env", "shape": "dotenv", "content": {"A": {"secret": "hf_token"}}},
    {"dest": "/etc/plain.yaml", "shape": "yaml", "content": {"b": [{"secret": "db_password"}, "x"]}},
    {"dest": "/etc/plain.json", "shape": "json", "content": {"c": 1}},
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


def test_services_start_change_their_modes_and_leave_nothing(site: Site) -> None:
    before = {name: everything(site, name) for name in HOSTS}
    once = service("once")
    plain = service("plain", mode="plaintext", files=FILES, environment={"KEY": "hf_token"})
    used_up: dict[str, Any] = {"vault_transit_host_secret_id_kept": False}

    done = site.play([once, plain], "--diff", "-v", **used_up)
    assert "are stored in plaintext on the disk of one, because its mode is plaintext" in one_line(done.stdout)
    for name in HOSTS:
        check_used_up_secret_id(site, name)
        check_plaintext(site, name)
    check_plaintext_after_reboot(site)
    touched = put_a_template_into_the_secrets(site)
    again = site.play([once, plain], **used_up)
    assert not touched.exists()
    assert changed(again) == {"localhost": 0, "one": 0, "two": 0}
    assert sent(done.stdout) >= {
        "Record the planned state",
        "Write its files",
        "Write its start record",
    }
    assert sent(again.stdout) == set()

    # Without a secret ID of its own, a service that has ended needs a run of the role, whatever goes on starting it.
    # The other service moves its secrets into memory: links take the places of its files.
    memory = {**plain, "mode": "credential"}
    toml = [{"dest": "/etc/gone.toml", "shape": "toml", "content": {"a": {"secret": "db_password"}}}]
    gone = service("gone", mode="credential", files=toml, user="once")
    site.hosts["two"].run("sh", "-c", SUPERVISING)
    left_alone = written_at(site, "one", "/etc/mlkeys/once")
    site.play([once, memory, gone], **used_up)
    site.hosts["two"].run("pkill", "-f", "while test")
    assert written_at(site, "one", "/etc/mlkeys/once") == left_alone
    assert [len(site.got(name, "once", starts)) for name, starts in zip(HOSTS, (1, 2), strict=True)] == [1, 2]
    assert set(site.got("two", "once")) == {SHA["openai_api_key"]}
    assert len(site.secret_ids()) == 3 * len(HOSTS)
    for name in HOSTS:
        check_memory(site, name)

    # With a secret ID, and the other service back on the disk with fewer files.
    site.play([once, {**plain, "files": FILES[:1]}], playbook="hosts")
    assert len(site.secret_ids()) == 2 * len(HOSTS)
    for name in HOSTS:
        check_kept_secret_id(site, name)
        found = site.hosts[name].run("sh", "-c", "ls /etc/plain.*; test -L /etc/plain.env || cat /etc/plain.env").stdout
        assert "plain.yaml" not in found
        assert "A=" in found
    check_another_login(site, once)

    # The service for which the user was created goes first, and another one still has it.
    absent = [{"name": name, "state": "absent"} for name in ("once", "gone", "plain")]
    site.play(absent[:1], playbook="hosts")
    for name in HOSTS:
        assert site.hosts[name].run("id", "once").stdout
    site.hosts["one"].run("sh", "-c", FAILING)
    assert "plain.service" in failed_units(site)
    predicted = site.play(absent, "--check", playbook="hosts")
    assert changed(predicted) == changed(site.play(absent, playbook="hosts"))
    for name in HOSTS:
        left = everything(site, name) - before[name]
        assert {path for path in left if re.search("mlkeys|once|plain|gone", path)} <= {"run/mlkeys-locks-0"}
        assert site.hosts[name].run("getent", "passwd", "once", "plain", "gone", check=False).stdout == ""
        assert site.hosts[name].run("getent", "group", "once", "plain", "gone", check=False).stdout == ""
    assert failed_units(site) == ""
    assert site.secret_ids() == []
    assert changed(site.play(absent[:2], playbook="hosts")) == {"one": 0, "two": 0}


def check_another_login(site: Site, wanted: dict[str, Any]) -> None:
    """With a token of its platform, a host needs no secret ID, and keeps none of what it had for one."""
    issuer = Issuer()
    site.bao.done("POST", "sys/auth/platform", {"type": "jwt"})
    site.bao.done("POST", "auth/platform/config", {"jwt_validation_pubkeys": [issuer.public_key]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["mlkeys"], "token_policies": ["machines"]}
    site.bao.done("POST", "auth/platform/role/machines", {**role, "token_no_default_policy": True})
    for name in HOSTS:
        token = issuer.token({"sub": name, "aud": "mlkeys"})
        site.hosts[name].run("sh", "-c", f"umask 022; echo {token} > /etc/identity.jwt")
    starts = {name: len(site.got(name, "once")) for name in HOSTS}
    login: dict[str, Any] = {
        "vault_transit_policies": [{"name": "machines", "grant_hosts": True}],
        "vault_transit_host_auth_method": "jwt",
        "vault_transit_host_auth_path": "platform",
        "vault_transit_host_auth_role": "machines",
        "vault_transit_host_auth_config": {"path": "/etc/identity.jwt"},
    }
    kept = len(site.secret_ids())
    site.play([wanted], **login)
    assert len(site.secret_ids()) == kept - len(HOSTS)
    for name in HOSTS:
        held = site.hosts[name].run("ls", "/etc/mlkeys/once", "/etc/identity.jwt").stdout.split()
        assert {"agent.hcl", "fetch", "/etc/identity.jwt"} <= set(held)
        assert not {"secret_id", "role_id", "accessor", "expires"} & set(held)
        assert len(site.got(name, "once", starts[name] + 1)) == starts[name] + 1
        assert set(site.got(name, "once")) == {SHA["openai_api_key"]}
    assert changed(site.play([wanted], **login)) == {"localhost": 0, "one": 0, "two": 0}


# As runit and s6 do: starts the service whenever it does not run.
SUPERVISING = """
/etc/mlkeys/once/service stop
exec >/dev/null 2>&1 </dev/null
setsid sh -c 'while test -e /etc/mlkeys; do /etc/mlkeys/once/service follow; sleep 0.2; done' &
sleep 2
"""


# Ends the unit so that it stays in systemd's list of failed ones, also without its file.
FAILING = """
own=/run/systemd/system/plain.service.d
mkdir "$own" && printf '[Service]\\nRestart=no\\n' > "$own/no.conf"
systemctl daemon-reload && systemctl kill -s KILL plain && sleep 1; rm -r "$own"
"""


def failed_units(site: Site) -> str:
    return site.hosts["one"].run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout


def one_line(text: str) -> str:
    """The text without the line breaks that Ansible may add."""
    return re.sub(r"\s+", " ", text)


def sent(output: str) -> set[str]:
    """The tasks that wrote files of the role's own, or only looked whether they have to."""
    blocks = [(block.partition("]")[0].partition(" : ")[2], block) for block in output.split("TASK [")]
    return {name for name, block in blocks if name.startswith(("Write its ", "Record ")) and not_skipped(block)}


def not_skipped(block: str) -> bool:
    return re.search(r"^(ok|changed): ", block, re.MULTILINE) is not None


def written_at(site: Site, name: str, folder: str) -> str:
    """Every file of a folder, with the time when it was last written."""
    return site.hosts[name].run("find", folder, "-type", "f", "-printf", "%p %T@\\n").stdout


def put_a_template_into_the_secrets(site: Site) -> Path:
    """Put a template into the encrypted vars file, as who may write secrets can. Returns what it would create."""
    stored, touched = site.folder / "keys.transit.yml", site.folder / "touched"
    template = f"{{{{ lookup('pipe', 'touch {touched}') }}}}"
    text = stored.read_text(encoding="utf-8")
    stored.write_text(text.replace("  format: 1", f'  format: 1\n  note: "{template}"'), encoding="utf-8")
    assert template in stored.read_text(encoding="utf-8")
    return touched


def check_used_up_secret_id(site: Site, name: str) -> None:
    """The service started with a secret ID that is not on the host any more."""
    assert site.got(name, "once") == [SHA["openai_api_key"]]
    listed = site.hosts[name].run("ls", "-A", "/etc/mlkeys/once", "/etc/mlkeys/once/once").stdout.split()
    assert "secret_id" not in listed
    assert "wrapping_token" not in listed


def check_kept_secret_id(site: Site, name: str) -> None:
    """The host keeps a secret ID, and nothing of the other way to log in is left."""
    listed = site.hosts[name].run("ls", "-A", "/etc/mlkeys/once").stdout.split()
    assert "secret_id" in listed
    assert "once" not in listed


def check_plaintext(site: Site, name: str) -> None:
    """The files are on the disk, and only those without secrets are for others than the service."""
    host = site.hosts[name]
    assert site.got(name, "plain") == [SHA["hf_token"]]
    modes = host.run("stat", "-c", "%a %U %G", "/etc/plain.env", "/etc/plain.yaml", "/etc/plain.json").stdout
    assert modes.splitlines() == ["600 plain plain", "600 plain plain", "640 root plain"]
    assert yaml.safe_load(host.run("cat", "/etc/plain.yaml").stdout) == {"b": [SECRETS["db_password"], "x"]}


def check_plaintext_after_reboot(site: Site) -> None:
    """The service starts again with what is on the disk, which knows no server."""
    host = site.hosts["two"]
    asking = host.run("grep", "-rlE", f"vault:v[0-9]|{site.bao.addr}|bao", "/etc/mlkeys/plain", check=False)
    assert (asking.returncode, asking.stdout) == (1, "")
    host.run("sh", "-c", "pkill -KILL -u plain; rm -rf /run/mlkeys/plain*; /etc/mlkeys/plain/service start")
    assert site.got("two", "plain", 2) == [SHA["hf_token"]] * 2


def check_memory(site: Site, name: str) -> None:
    """The files with secrets are in memory until the service stops."""
    host = site.hosts[name]
    assert host.run("readlink", "/etc/plain.env").stdout.strip() == "/run/mlkeys/plain/etc/plain.env"
    assert yaml.safe_load(host.run("cat", "/etc/plain.yaml").stdout) == {"b": [SECRETS["db_password"], "x"]}
    assert host.run("stat", "-L", "-c", "%a %U", "/etc/plain.yaml").stdout.split() == ["400", "plain"]
    assert host.run("stat", "-f", "-L", "-c", "%T", "/etc/plain.yaml").stdout.strip() == "tmpfs"
    host.run(*(["systemctl", "stop", "plain"] if name == "one" else ["/etc/mlkeys/plain/service", "stop"]))
    assert "plain" not in host.run("ls", "-A", "/run/mlkeys").stdout
    assert "environment" not in host.run("ls", "-A", "/etc/mlkeys/plain").stdout


# The program bao is in none of these folders.
HIDING = r"""
mv /etc/sudoers.d/ops /etc/sudoers.d/.ops
printf 'Defaults secure_path=/usr/bin:/bin\nops ALL=(ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/path
"""
UNIT = "/etc/systemd/system/foreign.service"


@contextlib.contextmanager
def hidden_program(host: Host) -> Iterator[None]:
    host.run("sh", "-c", HIDING)
    try:
        yield
    finally:
        host.run("sh", "-c", "mv /etc/sudoers.d/.ops /etc/sudoers.d/ops; rm /etc/sudoers.d/path")


def know_package_index(host: Host) -> None:
    """Give root on the host the settings of pip that this user and the environment have."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(Path.home() / ".config/pip/pip.conf")
    if not settings.has_section("global"):
        settings.add_section("global")
    for name in ("index_url", "extra_index_url", "find_links", "cert", "trusted_host"):
        if value := os.environ.get(f"PIP_{name.upper()}"):
            settings.set("global", name.replace("_", "-"), value)
    folder = host.files / "roots/.config/pip"
    folder.mkdir(parents=True)
    with (folder / "pip.conf").open("w", encoding="utf-8") as file:
        settings.write(file)


def test_a_unit_of_somebody_else_is_left_alone_and_a_missing_program_is_named_and_installed(site: Site) -> None:
    one, two = (site.hosts[name] for name in HOSTS)
    one.run("sh", "-c", f"printf '[Service]\nExecStart=/bin/true\n' > {UNIT}")
    know_package_index(two)
    services = [service("foreign")]
    install: dict[str, Any] = {"limit": "two", "playbook": "hosts", "vault_transit_host_install": True}
    with hidden_program(two):
        reported = one_line(site.play(services, status=2).stdout)
        assert "This host has a unit foreign.service in /etc/systemd/system that" in reported
        # With all ways to get one.
        assert "There is neither bao nor vault on the PATH of this host." in reported
        assert "vault_transit_host_binary" in reported
        assert "vault_transit_host_install to true" in reported

        site.play(services, **install)
        assert site.got("two", "foreign") == [SHA["openai_api_key"]]
        # What a start runs, and that it is there.
        program = two.run("sed", "-n", "s/^program=//p", "/etc/mlkeys/foreign/fetch").stdout.strip()
        assert program.startswith("/opt/mlkeys/")
        assert "OpenBao" in two.run(program, "version").stdout
        assert changed(site.play(services, **install)) == {"two": 0}
        # One that has ended since then is started, and named.
        two.run("sh", "-c", "pkill -KILL -u foreign; until test -e /run/mlkeys/foreign.ended; do sleep 0.1; done")
        ended = site.play(services, status=2, **install)
        said = one_line(ended.stdout)
        assert re.search(
            r"foreign has ended by itself with status 137\. It was started at 20[0-9-]{8} [0-9:]{8} ", said
        )
        assert "To see its log on two: tail -n 20 /var/log/mlkeys/foreign.log What had ended runs again." in said
        assert site.got("two", "foreign", 2) == [SHA["openai_api_key"]] * 2
    site.play([{"name": "foreign", "state": "absent"}], playbook="hosts")
    assert "ExecStart=/bin/true" in one.run("cat", UNIT).stdout
    # With the last service.
    assert two.run("ls", "/etc/mlkeys", check=False).returncode != 0
    assert not (two.files / "upper/opt/mlkeys").exists()


def test_new_secrets_and_rotations_restart_only_the_services_that_they_concern(site: Site) -> None:
    # The journal keeps the names of all tests.
    written = service("written", mode="plaintext", environment={"KEY": "hf_token"})
    services = [service("turned"), service("left", environment={"KEY": "hf_token"}), written]
    secrets = dict(SECRETS)
    site.play(services)

    secrets["hf_token"] = "hf_another-canary-Wq3"
    predicted = site.play(services, "--check", vault_transit_vars_files=site.vars_files(secrets))
    done = site.play(services, vault_transit_vars_files=site.vars_files(secrets))
    # A file, a restart and its record, of the service with an agent and of the one with plaintext.
    assert changed(predicted) == changed(done) == {"localhost": 1, "one": 6, "two": 6}
    for name in HOSTS:
        assert site.got(name, "turned") == [SHA["openai_api_key"]]
        for restarted in ("left", "written"):
            assert site.got(name, restarted, 2) == [SHA["hf_token"], sha256(secrets["hf_token"])]

    # A rotation changes the ciphertexts alone.
    rotation: dict[str, Any] = {"vault_transit_rotate_key": "ml", "vault_transit_rotate_older_than": 0}
    site.play(services, playbook="rotate", **rotation)
    for name in HOSTS:
        agents = ["/etc/mlkeys/turned/agent.hcl", "/etc/mlkeys/left/agent.hcl"]
        assert re.findall(r"vault:v(\d+):", site.hosts[name].run("cat", *agents).stdout) == ["2", "2"]
        assert (len(site.got(name, "turned")), len(site.got(name, "left", 2))) == (1, 2)
    assert site.bao.done("GET", "transit/keys/ml")["data"]["min_decryption_version"] == 2

    # The next run does nothing for new ciphertexts. It does what an earlier one left out, although no file differs.
    site.hosts["two"].run("sh", "-c", "echo other > /etc/mlkeys/left/started")
    last = site.play(services, vault_transit_vars_files=site.vars_files(secrets))
    assert changed(last) == {"localhost": 0, "one": 0, "two": 2}
    assert [len(site.got(name, "left", starts)) for name, starts in zip(HOSTS, (2, 3), strict=True)] == [2, 3]
    assert [(len(site.got(name, "turned")), len(site.got(name, "written", 2))) for name in HOSTS] == [(1, 2)] * 2
    # A restart by the role counts no earlier attempts, and so waits for none.
    assert site.hosts["two"].run("cut", "-d", " ", "-f", "1", "/run/mlkeys/left/attempts").stdout.strip() == "1"

    # Unless it brings a new secret.
    leaked = {"openai_api_key": "sk-hosts-canary-Wq9"}
    secrets |= leaked
    site.play(services, playbook="rotate", vault_transit_rotate_secrets=leaked, **rotation)
    for name in HOSTS:
        assert site.got(name, "turned", 2) == [SHA["openai_api_key"], sha256(secrets["openai_api_key"])]
    assert [len(site.got(name, "left", starts)) for name, starts in zip(HOSTS, (2, 3), strict=True)] == [2, 3]

    # Where a run rewraps, the configurations of agents alone differ, and nothing restarts.
    site.bao.done("POST", "transit/keys/ml/rotate")
    predicted = site.play(services, "--check", vault_transit_vars_files=site.vars_files(secrets))
    done = site.play(services, vault_transit_vars_files=site.vars_files(secrets))
    assert changed(predicted) == changed(done) == {"localhost": 1, "one": 2, "two": 2}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_problems_are_reported_before_anything_is_changed(site: Site) -> None:
    before = everything(site, "two")
    site.play([], playbook="server")
    wrong = [
        service("bad", environment={"KEY": "openai_api_ky"}),
        service("worse", files=[{"dest": "/x", "shape": "json", "content": {"secret": "hf_token"}}]),
    ]
    refused: dict[str, Any] = {"limit": "two", "playbook": "hosts", "status": 2}
    done = site.play(wrong, **refused)
    assert "The service 'bad': the secret 'openai_api_ky' is not in" in done.stdout
    assert "Did you mean 'openai_api_key'?" in done.stdout
    assert "The service 'worse': the file '/x': an agent passes secrets in the environment only" in done.stdout
    misspelled = site.play([{"nam": "x"}], **refused)
    assert "missing required arguments: name found in vault_transit_host_services" in misspelled.stdout
    elsewhere = site.play([service("x")], vault_transit_host_approle="elsewhere", **refused)
    said = " ".join(elsewhere.stdout.split())
    assert "There is no AppRole 'elsewhere' in 'approle' in the root namespace of http" in said
    few = [{"name": "few", "token_num_uses": 1}]
    site.play([], playbook="server", vault_transit_approles=few)
    used_up = site.play([service("x")], vault_transit_host_approle="few", **refused)
    assert "set token_num_uses to 2 or more" in " ".join(used_up.stdout.split())
    assert everything(site, "two") - before == set()


def test_certificates_that_the_controller_has_as_a_text_reach_the_agents(site: Site, tmp_path: Path) -> None:
    text = Authority(tmp_path, "of-hosts").certificate.read_text(encoding="ascii")
    other = Authority(tmp_path, "of-others").certificate.read_text(encoding="ascii")

    def play(text: str) -> int:
        return changed(site.play([service("ca")], limit="two", env={"BAO_CACERT_BYTES": text}))["two"]

    def file(name: str) -> str:
        return site.hosts["two"].run("cat", f"/etc/mlkeys/ca/{name}").stdout

    assert play(text) > 0
    assert file("ca.pem") == text
    assert 'ca_cert = "/etc/mlkeys/ca/ca.pem"' in file("agent.hcl")
    assert play(text) == 0
    # The agent of the next start reads it, and the program goes on.
    assert play(f"{text}{other}") > 0
    assert file("ca.pem") == f"{text}{other}"
    assert site.got("two", "ca") == [SHA["openai_api_key"]]
    # Of a text that nothing sets any more, the file goes.
    assert play("") > 0
    assert "ca_cert" not in file("agent.hcl")
    assert not {path for path in everything(site, "two") if path.endswith("ca.pem")}
    site.play([service("ca", state="absent")], limit="two")
    assert not {path for path in everything(site, "two") if "etc/mlkeys/ca" in path}


PROGRAM = """
from mlkeys import Agent, App, EncryptedVars, HostConfig, Inventory, Secret, Stack
from mlkeys import transit as vault

with Stack(App(targets=["ansible"]), "s", url="URL"):
    engine = vault.TransitSecretBackend("engine", path="by-program")
    key = vault.TransitSecretBackendKey("key", backend=engine.path, name="key", derived=True)
    keys = EncryptedVars("keys", key=key, secrets={"openai_api_key": Secret.env("OPENAI_API_KEY")})
    auth = vault.AppRoleAuth("auth", path="by-program")
    role = vault.AppRole("by-program", backend=auth.path, token_no_default_policy=True)
    key.grant_decrypt(role, secrets=["openai_api_key"])
    web = Inventory("hosts").group("web", {"one": HOST})
    HostConfig(
        "service",
        hosts=web,
        dest="/etc/systemd/system/programmed.service",
        agent=Agent(COMMAND, {"KEY": keys["openai_api_key"]}, role, user="programmed"),
    )
    HostConfig(
        "other",
        hosts=web,
        dest="/etc/systemd/system/other.service",
        agent=Agent(["/bin/sleep", "3600"], {"KEY": keys["openai_api_key"]}, role, user="programmed"),
    )
"""


def test_a_program_of_constructs_deploys_a_service_by_the_role(site: Site) -> None:
    command = ["/bin/sh", "-c", f'echo "with $0 $HOME"; {REPORT} sleep 3600', "it's ${HOME} {{ x }} $"]
    filled = {"URL": site.bao.addr, "HOST": repr(site.hosts.variables()["one"]), "COMMAND": repr(command)}
    program = PROGRAM
    for word, text in filled.items():
        program = program.replace(word, text)
    folder = site.folder / "program"
    folder.mkdir()
    (folder / "app.py").write_text(program, encoding="utf-8")
    env = {
        "BAO_TOKEN": site.bao.token,
        "OPENAI_API_KEY": SECRETS["openai_api_key"],
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(site.folder / "cp"),
    }
    mlkeys("deploy", cwd=folder, env=env)
    assert site.got("one", "programmed") == [SHA["openai_api_key"]]
    assert "with it's ${HOME} {{ x }} $ " in site.log("one", "programmed")
    assert changes(mlkeys("deploy", cwd=folder, env=env).stdout) == 0
    # A comparison announces what follows from another secret: for both services a file, a restart, and its record.
    env["OPENAI_API_KEY"] = "sk-hosts-canary-Wq8"
    planned, done = (mlkeys(command, cwd=folder, env=env).stdout for command in ("diff", "deploy"))
    assert "0 to create, 7 to change" in planned
    assert "0 created, 7 changed" in done
    assert site.got("one", "programmed", 2)[1] == sha256(env["OPENAI_API_KEY"])
    # The rotation finds what the role wrote, which only root can read.
    mlkeys("rotate", "--now", cwd=folder, env=env)
    assert "vault:v2:" in site.hosts["one"].run("cat", "/etc/mlkeys/programmed/agent.hcl").stdout
    assert len(site.got("one", "programmed", 2)) == 2
    # Without its construct, the service goes, and not what another one shares with it.
    left = re.sub(r' +HostConfig\(\n +"service".*?\n    \)\n', "", program, flags=re.DOTALL)
    (folder / "app.py").write_text(left, encoding="utf-8")
    before = site.bao.done("LIST", "auth/by-program/role/by-program/secret-id")["data"]["keys"]
    assert "s: service programmed on one" in mlkeys("deploy", cwd=folder, env=env).stderr
    after = site.bao.done("LIST", "auth/by-program/role/by-program/secret-id")["data"]["keys"]
    assert (len(before), len(after)) == (2, 1)
    host = site.hosts["one"]
    names = host.run("ls", "/etc/mlkeys").stdout.split()
    assert ("programmed" in names, "other" in names) == (False, True)
    assert host.run("pgrep", "-u", "programmed", "-a").stdout.split()[1:] == ["/bin/sleep", "3600"]
    # Nothing that runs is left of a destroyed program.
    mlkeys("destroy", "--yes", "--protected-keys", cwd=folder, env=env)
    assert host.run("pgrep", "-u", "programmed", check=False).stdout == ""
    assert "other" not in host.run("ls", "/etc/mlkeys", check=False).stdout.split()
