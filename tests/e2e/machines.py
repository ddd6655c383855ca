# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server and real hosts: one with systemd, one without, over SSH and with sudo."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.hosts import WRITTEN, Hosts
from tests.support.playbook import run_playbook
from tests.support.server import Bao, running_bao

SECRETS = {"openai_api_key": "sk-hosts-canary-Wq1", "hf_token": "hf_hosts-canary-'\"$ Wq2", "db_password": "it's\nmine"}
SHA = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in SECRETS.items()}

HOSTS = ("one", "two")

# Reports what it has got, and goes on as a program by whose name it is found.
REPORT = 'echo "got $(printf %s "$KEY" | sha256sum)"; exec'


@dataclass
class Site:
    """A server, two hosts, and the services that run on them."""

    bao: Bao
    hosts: Hosts
    folder: Path

    def play(
        self,
        services: list[dict[str, Any]],
        *args: str,
        limit: str = "all",
        playbook: str = "site",
        status: int = 0,
        env: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Configure the server and the hosts as these services need it.

        Args:
            playbook: one of those in the folder: "site" for the server and the hosts, "server" or "hosts" for one
                of them, "rotate", "status".
            variables: further ones, or others in place of those that are given here.
        """
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
            "vault_transit_vars_files": self.vars_files(SECRETS),
            "vault_transit_approles": [{"name": "gateways", "grant_hosts": True, "token_no_default_policy": True}],
            **variables,
        }
        done = run_playbook(
            self.folder / f"{playbook}.yml",
            inventory=inventory,
            extra_vars=known,
            args=["--limit", f"localhost,{limit}", *args],
            env={"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"), **(env or {})},
        )
        assert done.returncode == status, done.stdout + done.stderr
        for secret in SECRETS.values():
            assert secret not in done.stdout + done.stderr
        return done

    def vars_files(self, secrets: Mapping[str, str]) -> list[dict[str, object]]:
        """The variable of the role, for a file that holds these secrets."""
        return [{"path": str(self.folder / "keys.transit.yml"), "key": "ml", "secrets": dict(secrets)}]

    def secret_ids(self) -> list[str]:
        """Accessors of all secret IDs of the hosts."""
        status, answer = self.bao.request("LIST", "auth/approle/role/gateways/secret-id")
        return [] if status == 404 else list(answer["data"]["keys"])

    def log(self, host: str, service: str) -> str:
        if host == "one":
            return self.hosts[host].run("journalctl", "--no-pager", "-o", "cat", "-u", service).stdout
        return self.hosts[host].run("cat", f"/var/log/mlkeys/{service}.log", check=False).stdout

    def got(self, host: str, service: str, starts: int = 1) -> list[str]:
        """SHA-256 of the secret that the program reported, once for each of its starts.

        Waits for so many `starts`: a service counts as started before its program has said anything.
        """
        deadline = time.monotonic() + 30
        while len(found := re.findall(r"got (\w+)", self.log(host, service))) < starts and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def changed(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return {host: int(count) for host, count in re.findall(r"^(\w+) .*changed=(\d+)", done.stdout, re.MULTILINE)}


SERVER = """
- hosts: localhost
  gather_facts: false
  roles:
    - mlkeys.transit.vault_transit
"""
GATEWAYS = """
- hosts: gateways
  gather_facts: false
  roles:
    - mlkeys.transit.vault_transit_host
"""
ROTATION = """
- ansible.builtin.import_playbook: mlkeys.transit.rotate
"""
STATUS = """
- ansible.builtin.import_playbook: mlkeys.transit.status
"""


@contextlib.contextmanager
def running_site(folder: Path, names: Sequence[str] = HOSTS, systemd: Sequence[str] = HOSTS[:1]) -> Iterator[Site]:
    """A site that keeps its data in the folder, until the end of the block."""
    # A short name: sockets of ssh are below it, and the paths of those are limited to about 100 characters.
    with (
        tempfile.TemporaryDirectory(prefix="hosts-") as short,
        running_bao(folder / "bao") as bao,
        Hosts(folder / "hosts", names, systemd=systemd) as hosts,
    ):
        playbooks = {
            "site": SERVER + GATEWAYS,
            "server": SERVER,
            "hosts": GATEWAYS,
            "rotate": ROTATION,
            "status": STATUS,
        }
        for name, plays in playbooks.items():
            (Path(short) / f"{name}.yml").write_text(plays, encoding="utf-8")
        yield Site(bao, hosts, Path(short))


def service(name: str, goes_on_as: str = "sleep 3600", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "command": ["/bin/sh", "-c", f"{REPORT} {goes_on_as}"],
        "environment": {"KEY": "openai_api_key"},
        "startup_grace": 0.2,
        **more,
    }


def everything(site: Site, name: str) -> set[str]:
    """Paths of all that a host has written."""
    files = site.hosts[name].files
    return {
        str(path.relative_to(files))
        for place in WRITTEN
        for path in (files / place).rglob("*")
        # The overlay shows a removed file of a lower layer as a device. Hosts of tests put a file of their own into the
        # folder of packages.
        if not path.is_char_device() and "dist-packages" not in path.parts
    }
