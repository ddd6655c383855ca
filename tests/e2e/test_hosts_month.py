# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thirty days of services on three hosts, with and without systemd: what may happen to them, in random order."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
import re
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.machines import SECRETS, Site, running_site, service
from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

HOSTS = ("one", "two", "three")
CONTEXT = base64.b64encode(b"openai_api_key").decode()
WANTED = hashlib.sha256(SECRETS["openai_api_key"].encode()).hexdigest()
DAYS = 30
# Such days take seconds, so there are few of them.
RARE = ["crash", "crash away", "crash expired", "reboot", "reboot away"]
COMMON = ["quiet", "rotation", "auto rotation", "outage", "seal", "renewal"]


# Ends when the processes have.
GONE = """
for pid; do
    while case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) in '' | Z* | X*) false ;; esac; do
        sleep 0.05
    done
done
"""


class Network(socketserver.ThreadingTCPServer):
    """The hosts reach the server through it, unless it is away."""

    # What a program that should have ended still holds open does not keep the test from ending.
    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        host, port = target.removeprefix("http://").split(":")
        self.target = (host, int(port))
        self.is_away = False
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1})
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class Connection(socketserver.BaseRequestHandler):
    server: Network

    def handle(self) -> None:
        if self.server.is_away:
            return
        with socket.create_connection(self.server.target) as server, contextlib.suppress(OSError):
            other = {server: self.request, self.request: server}
            while True:
                for source in select.select(list(other), [], [], 60)[0] or list(other):
                    data = source.recv(65536)
                    if not data:
                        return
                    other[source].sendall(data)


class Month:
    """The site, and what may happen to it in a day."""

    def __init__(self, site: Site, network: Network) -> None:
        self.site = site
        self.network = network
        self.version = 1

    def quiet(self, _host: str) -> None:
        """Nothing but that tokens end."""

    def auto_rotation(self, _host: str) -> None:
        """As the server does by auto_rotate_period: nothing is rewrapped, and the floor stays."""
        self.site.bao.done("POST", "transit/keys/ml/rotate", {})
        self.version += 1

    def seal(self, _host: str) -> None:
        """As after a restart of the server, until somebody unseals it."""
        bao = self.site.bao
        bao.done("PUT", "sys/seal")
        self.check_all()
        log = bao.audit_log.with_name("server.log").read_text(encoding="utf-8")
        bao.done("PUT", "sys/unseal", {"key": log.partition("Unseal Key: ")[2].partition("\n")[0]})
        while bao.request("GET", "sys/health")[0] != 200:
            time.sleep(0.05)

    def renewal(self, host: str) -> None:
        """The secret ID is replaced before it ends."""
        former = self._accessor(host)
        self._give_secret_id(host)
        self._destroy(former)

    def _accessor(self, host: str) -> str:
        return self.site.hosts[host].run("cat", "/etc/mlkeys/gw/accessor").stdout

    def _destroy(self, accessor: str) -> None:
        path = "auth/approle/role/gateways/secret-id-accessor/destroy"
        self.site.bao.done("POST", path, {"secret_id_accessor": accessor})

    def _give_secret_id(self, host: str) -> None:
        """As a run of the role does."""
        made = self.site.bao.done("POST", "auth/approle/role/gateways/secret-id", {})["data"]
        for name, owner, text in (
            ("accessor", "root", made["secret_id_accessor"]),
            ("secret_id", "gw", made["secret_id"]),
        ):
            write = 'umask 277; printf %s "$3" > new && chown "$2" new && mv -f new "$1"'
            self.site.hosts[host].run("sh", "-c", f"cd /etc/mlkeys/gw; {write}", "sh", name, owner, text)

    def rotation(self, _host: str) -> None:
        """All ciphertexts are rewrapped, the floor is raised, and older versions are trimmed."""
        bao = self.site.bao
        bao.done("POST", "transit/keys/ml/rotate", {})
        self.version += 1
        for host in HOSTS:
            path = self.site.hosts[host].files / "upper/etc/mlkeys/gw/agent.hcl"
            (old,) = re.findall(r"vault:v[0-9]+:[A-Za-z0-9+/=]+", path.read_text(encoding="utf-8"))
            answer = bao.done("POST", "transit/rewrap/ml", {"ciphertext": old, "context": CONTEXT})
            new = answer["data"]["ciphertext"]
            self.site.hosts[host].run("sed", "-i", f"s|{old}|{new}|", "/etc/mlkeys/gw/agent.hcl")
        floor = {"min_decryption_version": self.version, "min_encryption_version": self.version}
        bao.done("POST", "transit/keys/ml/config", floor)
        bao.done("POST", "transit/keys/ml/trim", {"min_available_version": self.version})

    def outage(self, _host: str) -> None:
        self.network.is_away = True
        self.check_all()
        self.network.is_away = False

    def crash(self, host: str) -> None:
        self._end(host)
        if host != "one":
            self._start(host)

    def crash_away(self, host: str) -> None:
        """The program cannot start again until the server is back."""
        self.network.is_away = True
        self.crash(host)
        time.sleep(1)
        assert processes(self.site, host) == []
        self.network.is_away = False

    def crash_expired(self, host: str) -> None:
        """The program cannot start again until its host gets another secret ID, and then does so by itself."""
        self._destroy(self._accessor(host))
        self.crash(host)
        time.sleep(1)
        assert processes(self.site, host) == []
        self._give_secret_id(host)

    def reboot(self, host: str) -> None:
        if host == "one":
            self.site.hosts[host].run("systemctl", "stop", "gw")
            self.site.hosts[host].run("systemctl", "--no-block", "start", "gw")
            return
        self._end(host)
        self.site.hosts[host].run("rm", "-rf", "/run/mlkeys")
        self._start(host)

    def reboot_away(self, host: str) -> None:
        self.network.is_away = True
        self.reboot(host)
        time.sleep(1)
        assert processes(self.site, host) == []
        self.network.is_away = False

    def _end(self, host: str) -> None:
        ended = processes(self.site, host)
        self.site.hosts[host].run("kill", "-KILL", *ended)
        # Until it has gone, the service runs, and a start has nothing to do.
        self.site.hosts[host].run("sh", "-c", GONE, "sh", *ended)

    def _start(self, host: str) -> None:
        # As cron does it at boot, without waiting.
        self.site.hosts[host].run("sh", "-c", "setsid /etc/mlkeys/gw/service start >/dev/null 2>&1 </dev/null &")

    def check_all(self, patience: float = 100.0) -> None:
        """Each service runs once, with its key, and with nothing beside it."""
        deadline = time.monotonic() + patience
        for host in HOSTS:
            while len(found := environments(self.site, host)) != 1 and time.monotonic() < deadline:
                time.sleep(0.1)
            assert len(found) == 1, f"{host}: {processes(self.site, host)}\n{self.site.log(host, 'gw')[-3000:]}"
            (value,) = [one.removeprefix("KEY=") for one in found[0] if one.startswith("KEY=")]
            assert hashlib.sha256(value.encode()).hexdigest() == WANTED


def environments(site: Site, host: str) -> list[list[str]]:
    """The environment of each process of the program. One that ends at this moment has none."""
    read = [site.hosts[host].run("cat", f"/proc/{one}/environ", check=False) for one in processes(site, host)]
    return [done.stdout.split("\0") for done in read if done.stdout]


def processes(site: Site, host: str) -> list[str]:
    """The processes of the program, once it has begun."""
    return site.hosts[host].run("pgrep", "-u", "gw", "-xf", "sleep 3600", check=False).stdout.split()


def everywhere(site: Site) -> dict[str, list[str]]:
    return {host: processes(site, host) for host in HOSTS}


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    with running_site(tmp_path_factory.mktemp("month"), HOSTS) as site:
        network = Network(site.bao.addr)
        site.play([service("gw")], vault_transit_host_url=network.address)
        # So that a host does not wait for others after it has booted, and attempts do not add up over three months.
        for host in HOSTS:
            fetch = "/etc/mlkeys/gw/fetch"
            site.hosts[host].run(
                "sed", "-i", "s/^booted=.*/booted=0/; s/^free=.*/free=1000/; s/sleep 5/sleep 0.5/", fetch
            )
        yield Month(site, network)
        network.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_a_month_each_service_runs_once_with_its_key(month: Month, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    days = RARE + chance.choices(COMMON, k=DAYS - len(RARE))
    chance.shuffle(days)
    # What is common ends no program: none of them restarts by a rotation, without a server, or at the end of a login.
    ran = everywhere(month.site)
    for day in days:
        if day in RARE:
            assert everywhere(month.site) == ran, json.dumps(days)
        happen: Callable[[str], None] = getattr(month, day.replace(" ", "_"))
        happen(chance.choice(HOSTS))
        if day in RARE:
            month.check_all()
            ran = everywhere(month.site)
    assert everywhere(month.site) == ran, json.dumps(days)
    month.check_all()
    for host in HOSTS:
        assert month.site.hosts[host].run("pgrep", "-fc", "bao agent", check=False).stdout.strip() == "0"
        left = month.site.hosts[host].run("ls", "/run/mlkeys/gw").stdout.split()
        assert left == ["attempts"]
    accessors = month.site.bao.done("LIST", "auth/token/accessors")["data"]["keys"]
    assert len(accessors) <= 3, json.dumps(days)
