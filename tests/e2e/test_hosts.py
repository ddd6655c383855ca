# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role for hosts on real ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.machines import SECRETS, SHA, Site, changed, everything, running_site, service
from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


def test_a_secret_id_that_is_not_kept_serves_once(site: Site) -> None:
    services = [service("once")]
    run: dict[str, Any] = {"vault_transit_host_secret_id_kept": False}
    site.play(services, **run)
    for host in ("one", "two"):
        assert site.got(host, "once") == [SHA["openai_api_key"]]
        listed = site.hosts[host].run("ls", "-A", "/etc/mlkeys/once", "/etc/mlkeys/once/once").stdout.split()
        assert "secret_id" not in listed
        assert "wrapping_token" not in listed
    assert changed(site.play(services, **run)) == {"localhost": 0, "one": 0, "two": 0}
    site.hosts["two"].run("/etc/mlkeys/once/service", "stop")
    again = site.play(services, playbook="hosts", **run)
    assert (changed(again)["one"], changed(again)["two"] > 0) == (0, True)
    assert site.got("two", "once") == [SHA["openai_api_key"]] * 2
    accessors = site.bao.done("LIST", "auth/approle/role/gateways/secret-id")["data"]["keys"]
    assert len(accessors) == 2
    # From one way to the other, and the first leaves nothing.
    site.play(services, playbook="hosts")
    for host in ("one", "two"):
        listed = site.hosts[host].run("ls", "-A", "/etc/mlkeys/once").stdout.split()
        assert "secret_id" in listed
        assert "once" not in listed
    assert len(site.bao.done("LIST", "auth/approle/role/gateways/secret-id")["data"]["keys"]) == 2


def test_plaintext_is_written_only_when_it_is_asked_for(site: Site) -> None:
    files = [
        {"dest": "/etc/plain.env", "shape": "dotenv", "content": {"A": {"secret": "hf_token"}}},
        {"dest": "/etc/plain.yaml", "shape": "yaml", "content": {"b": [{"secret": "db_password"}, "x"]}},
        {"dest": "/etc/plain.json", "shape": "json", "content": {"c": 1}},
    ]
    services = [service("plain", mode="plaintext", files=files, environment={"KEY": "hf_token"})]
    done = site.play(services, "--diff", "-v")
    assert "lie readable on the disk of one, because its mode is plaintext" in done.stdout
    for name in ("one", "two"):
        host = site.hosts[name]
        assert site.got(name, "plain") == [SHA["hf_token"]]
        modes = host.run("stat", "-c", "%a %U %G", "/etc/plain.env", "/etc/plain.yaml", "/etc/plain.json").stdout
        assert modes.splitlines() == ["600 plain plain", "600 plain plain", "640 root plain"]
        assert yaml.safe_load(host.run("cat", "/etc/plain.yaml").stdout) == {"b": [SECRETS["db_password"], "x"]}
    assert changed(site.play(services, playbook="hosts")) == {"one": 0, "two": 0}
    # In memory instead: links take their places, and the agents need a right to decrypt.
    services[0]["mode"] = "credential"
    site.play(services)
    for name in ("one", "two"):
        host = site.hosts[name]
        assert host.run("readlink", "/etc/plain.env").stdout.strip() == "/run/mlkeys/plain/etc/plain.env"
        assert yaml.safe_load(host.run("cat", "/etc/plain.yaml").stdout) == {"b": [SECRETS["db_password"], "x"]}
        assert host.run("stat", "-L", "-c", "%a %U", "/etc/plain.yaml").stdout.split() == ["400", "plain"]
        assert host.run("stat", "-f", "-L", "-c", "%T", "/etc/plain.yaml").stdout.strip() == "tmpfs"
        host.run(*(["systemctl", "stop", "plain"] if name == "one" else ["/etc/mlkeys/plain/service", "stop"]))
        assert "plain" not in host.run("ls", "-A", "/run/mlkeys").stdout
        assert "environment" not in host.run("ls", "-A", "/etc/mlkeys/plain").stdout
    # And back, with one file less.
    services[0].update(mode="plaintext", files=files[:1])
    site.play(services, playbook="hosts")
    for name in ("one", "two"):
        found = site.hosts[name].run("sh", "-c", "ls /etc/plain.*; test -L /etc/plain.env || cat /etc/plain.env").stdout
        assert "plain.yaml" not in found
        assert "A=" in found


def test_what_is_absent_leaves_nothing(site: Site) -> None:
    before = {name: everything(site, name) for name in ("one", "two")}
    files = [{"dest": "/etc/gone.toml", "shape": "toml", "content": {"a": {"secret": "db_password"}}}]
    services = [service("gone"), service("gone2", mode="credential", files=files, user="gone")]
    site.play(services)
    gone = [{"name": name, "state": "absent"} for name in ("gone", "gone2", "once", "plain")]
    foretold = site.play(gone, "--check", playbook="hosts")
    assert changed(foretold) == changed(site.play(gone, playbook="hosts"))
    for name in ("one", "two"):
        left = everything(site, name) - before[name]
        assert not {path for path in left if "mlkeys" in path or "gone" in path or "plain" in path}
        assert site.hosts[name].run("getent", "passwd", "gone", "once", "plain", check=False).stdout == ""
        assert site.hosts[name].run("getent", "group", "gone", "once", "plain", check=False).stdout == ""
    assert site.bao.request("LIST", "auth/approle/role/gateways/secret-id")[0] == 404
    assert changed(site.play(gone[:2], playbook="hosts")) == {"one": 0, "two": 0}


def test_only_what_has_changed_is_restarted(site: Site) -> None:
    services = [service("first"), service("second", environment={"KEY": "hf_token"})]
    site.play(services, limit="two")
    secrets = {**SECRETS, "hf_token": "hf_another-canary-Wq3"}
    files = [{"path": str(site.folder / "keys.transit.yml"), "key": "ml", "secrets": secrets}]
    more: dict[str, Any] = {"vault_transit_vars_files": files}
    site.play(services, limit="two", **more)
    assert site.got("two", "first") == [SHA["openai_api_key"]]
    assert site.got("two", "second")[1:] == [hashlib.sha256(secrets["hf_token"].encode()).hexdigest()]
    assert changed(site.play(services, limit="two", **more)) == {"localhost": 0, "two": 0}
    # What a run has left undone the next one does, although nothing differs any more.
    site.hosts["two"].run("sh", "-c", "echo other > /etc/mlkeys/first/started")
    assert changed(site.play(services, limit="two", playbook="hosts", **more)) == {"two": 2}
    assert site.got("two", "first") == [SHA["openai_api_key"]] * 2


def test_a_rotation_reaches_services_and_starts_those_anew_that_have_another_secret(site: Site) -> None:
    services = [service("turned"), service("left", environment={"KEY": "hf_token"})]
    site.play(services)
    site.play(services, playbook="rotate", vault_transit_rotate_key="ml", vault_transit_rotate_older_than=0)
    for name in ("one", "two"):
        agents = ["/etc/mlkeys/turned/agent.hcl", "/etc/mlkeys/left/agent.hcl"]
        assert re.findall(r"vault:v(\d+):", site.hosts[name].run("cat", *agents).stdout) == ["2", "2"]
        assert site.got(name, "turned") == [SHA["openai_api_key"]]
    assert site.bao.done("GET", "transit/keys/ml")["data"]["min_decryption_version"] == 2
    leaked = {"openai_api_key": "sk-hosts-canary-Wq9"}
    rotation: dict[str, Any] = {"vault_transit_rotate_key": "ml", "vault_transit_rotate_older_than": 0}
    site.play(services, playbook="rotate", vault_transit_rotate_secrets=leaked, **rotation)
    for name in ("one", "two"):
        begun = [SHA["openai_api_key"], hashlib.sha256(leaked["openai_api_key"].encode()).hexdigest()]
        assert site.got(name, "turned") == begun
    files = [{"path": str(site.folder / "keys.transit.yml"), "key": "ml", "secrets": {**SECRETS, **leaked}}]
    assert changed(site.play(services, vault_transit_vars_files=files)) == {"localhost": 0, "one": 0, "two": 0}


def test_what_is_wrong_is_said_before_anything_is_changed(site: Site) -> None:
    before = everything(site, "two")
    wrong = [
        service("bad", environment={"KEY": "openai_api_ky"}),
        service("worse", files=[{"dest": "/x", "shape": "json", "content": {"secret": "hf_token"}}]),
    ]
    done = site.play(wrong, limit="two", status=2)
    assert "The service 'bad': the secret 'openai_api_ky' is not in" in done.stdout
    assert "Did you mean 'openai_api_key'?" in done.stdout
    assert "The service 'worse': the file '/x': an agent puts secrets into the environment alone" in done.stdout
    refused = site.play([{"nam": "x"}], limit="two", status=2, playbook="hosts")
    assert "missing required arguments: name found in vault_transit_host_services" in refused.stdout
    elsewhere = site.play(
        [service("x")], limit="two", status=2, playbook="hosts", vault_transit_host_approle="elsewhere"
    )
    assert "There is no AppRole 'elsewhere' in 'approle'" in elsewhere.stdout
    assert everything(site, "two") - before == set()


HIDING = """
mv /etc/sudoers.d/ops /etc/sudoers.d/.ops
printf 'Defaults secure_path=/usr/bin:/bin\\nops ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/path
"""


def test_a_program_that_is_not_there_is_said_with_all_ways_to_get_one(site: Site) -> None:
    host = site.hosts["two"]
    host.run("sh", "-c", HIDING)
    try:
        done = site.play([service("x")], limit="two", status=2)
    finally:
        host.run("sh", "-c", "mv /etc/sudoers.d/.ops /etc/sudoers.d/ops; rm /etc/sudoers.d/path")
    said = re.sub(r"\s+", " ", done.stdout)
    assert "There is neither bao nor vault on the PATH of this host." in said
    assert "vault_transit_host_binary" in said
    assert "vault_transit_host_install to true" in said


def test_a_unit_of_somebody_else_is_left_alone(site: Site) -> None:
    unit = "/etc/systemd/system/foreign.service"
    site.hosts["one"].run("sh", "-c", f"printf '[Service]\nExecStart=/bin/true\n' > {unit}")
    done = site.play([service("foreign")], limit="one", status=2)
    assert "somebody else made" in done.stdout
    site.play([{"name": "foreign", "state": "absent"}], limit="one", playbook="hosts")
    assert "ExecStart=/bin/true" in site.hosts["one"].run("cat", unit).stdout
