# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role for hosts on real ones, over SSH and with sudo: one with systemd, one without."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.hosts import Hosts, needed
from tests.support.playbook import run_playbook
from tests.support.server import Bao, running_bao

pytestmark = pytest.mark.skipif(bool(needed()), reason=needed())

SECRETS = {"openai_api_key": "sk-hosts-canary-Wq1", "hf_token": "hf_hosts-canary-'\"$ Wq2", "db_password": "it's\nmine"}
SHA = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in SECRETS.items()}

# Says what it has got, and goes on.
PROGRAM = 'echo "got $(printf %s "$KEY" | sha256sum)"; exec sleep 3600'


@dataclass
class Site:
    """A server, two hosts, and what runs on them."""

    bao: Bao
    hosts: Hosts
    folder: Path
    variables: dict[str, Any] = field(default_factory=dict)

    def play(
        self,
        services: list[dict[str, Any]],
        *args: str,
        limit: str = "all",
        status: int = 0,
        env: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Make the server and the hosts be as these services need it."""
        gateways = {
            "hosts": self.hosts.variables(),
            "vars": {
                "ansible_become": True,
                "vault_transit_host_services": services,
                "vault_transit_host_approle": "gateways",
                "vault_transit_host_key": "ml",
                "vault_transit_host_vars_files": [str(self.folder / "keys.transit.yml")],
            },
        }
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"children": {"gateways": gateways}}}), encoding="utf-8")
        known = {
            "vault_transit_connection": self.bao.login,
            "vault_transit_keys": [{"name": "ml", "derived": True}],
            "vault_transit_backends": [{"path": "transit"}],
            "vault_transit_vars_files": [
                {"path": str(self.folder / "keys.transit.yml"), "key": "ml", "secrets": SECRETS}
            ],
            "vault_transit_approles": [{"name": "gateways", "grant_hosts": True, "token_no_default_policy": True}],
            **variables,
        }
        done = run_playbook(
            self.folder / "site.yml",
            inventory=inventory,
            extra_vars=known,
            args=["--limit", f"localhost,{limit}", *args],
            env={"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"), **(env or {})},
        )
        assert done.returncode == status, done.stdout + done.stderr
        for secret in SECRETS.values():
            assert secret not in done.stdout + done.stderr
        return done

    def log(self, host: str, service: str) -> str:
        if host == "one":
            return self.hosts[host].run("journalctl", "--no-pager", "-o", "cat", "-u", service).stdout
        return self.hosts[host].run("cat", f"/var/log/mlkeys/{service}.log", check=False).stdout

    def got(self, host: str, service: str) -> list[str]:
        """What the program has said of its secret each time that it began."""
        deadline = time.monotonic() + 10
        while not (found := re.findall(r"got (\w+)", self.log(host, service))) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found


def changed(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return {host: int(count) for host, count in re.findall(r"^(\w+) .*changed=(\d+)", done.stdout, re.MULTILINE)}


PLAYS = """
- hosts: localhost
  gather_facts: false
  roles:
    - mlkeys.transit.vault_transit
- hosts: gateways
  gather_facts: false
  roles:
    - mlkeys.transit.vault_transit_host
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bao, Hosts, Path]]:
    # A short name: sockets of ssh are below it, and the paths of those are limited to about 100 characters.
    with (
        tempfile.TemporaryDirectory(prefix="hosts-") as short,
        running_bao(tmp_path_factory.mktemp("bao")) as bao,
        Hosts(tmp_path_factory.mktemp("hosts"), ["one", "two"], systemd=["one"]) as hosts,
    ):
        (Path(short) / "site.yml").write_text(PLAYS, encoding="utf-8")
        yield bao, hosts, Path(short)


@pytest.fixture
def site(machines: tuple[Bao, Hosts, Path]) -> Site:
    return Site(*machines)


def service(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "command": ["/bin/sh", "-c", PROGRAM],
        "environment": {"KEY": "openai_api_key"},
        **more,
    }


def test_a_secret_id_that_is_not_kept_serves_once(site: Site) -> None:
    services = [service("once")]
    run = {"vault_transit_host_secret_id_kept": False}
    site.play(services, **run)
    for host in ("one", "two"):
        assert site.got(host, "once") == [SHA["openai_api_key"]]
        listed = site.hosts[host].run("ls", "-A", "/etc/mlkeys/once", "/etc/mlkeys/once/once").stdout.split()
        assert "secret_id" not in listed
        assert "wrapping_token" not in listed
    assert changed(site.play(services, **run)) == {"localhost": 0, "one": 0, "two": 0}
    site.hosts["two"].run("/etc/mlkeys/once/service", "stop")
    again = site.play(services, **run)
    assert (changed(again)["one"], changed(again)["two"] > 0) == (0, True)
    assert site.got("two", "once") == [SHA["openai_api_key"]] * 2
    accessors = site.bao.done("LIST", "auth/approle/role/gateways/secret-id")["data"]["keys"]
    assert len(accessors) == 2
    # From one way to the other, and the first leaves nothing.
    site.play(services)
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
    assert changed(site.play(services)) == {"localhost": 0, "one": 0, "two": 0}
    # In memory instead: links take their places.
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
    site.play(services)
    for name in ("one", "two"):
        found = site.hosts[name].run("sh", "-c", "ls /etc/plain.*; test -L /etc/plain.env || cat /etc/plain.env").stdout
        assert "plain.yaml" not in found
        assert "A=" in found


def test_what_is_absent_leaves_nothing(site: Site) -> None:
    before = {name: everything(site, name) for name in ("one", "two")}
    files = [{"dest": "/etc/gone.toml", "shape": "toml", "content": {"a": {"secret": "db_password"}}}]
    services = [service("gone"), service("gone2", mode="credential", files=files, user="gone")]
    site.play(services)
    foretold = site.play([{"name": name, "state": "absent"} for name in ("gone", "gone2", "once", "plain")], "--check")
    done = site.play([{"name": name, "state": "absent"} for name in ("gone", "gone2", "once", "plain")])
    assert changed(foretold) == changed(done)
    for name in ("one", "two"):
        left = everything(site, name) - before[name]
        assert not {path for path in left if "mlkeys" in path or "gone" in path or "plain" in path}
        assert site.hosts[name].run("getent", "passwd", "gone", "once", "plain", check=False).stdout == ""
        assert site.hosts[name].run("getent", "group", "gone", "once", "plain", check=False).stdout == ""
    assert site.bao.request("LIST", "auth/approle/role/gateways/secret-id")[0] == 404
    again = site.play([{"name": name, "state": "absent"} for name in ("gone", "gone2")])
    assert changed(again) == {"localhost": 0, "one": 0, "two": 0}


def everything(site: Site, name: str) -> set[str]:
    files = site.hosts[name].files
    return {
        str(path.relative_to(files))
        for place in ("upper", "run", "home", "roots", "tmp", "shm")
        for path in (files / place).rglob("*")
        # What was removed shows as something of its own where a lower layer had it.
        if not path.is_char_device()
    }
