# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of hosts without systemd, under the real programs that start them: s6, supervisord and cron."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.e2e.machines import SECRETS, SHA, Site, running_site, service
from tests.support.hosts import missing_requirements
from tests.support.hosts.programs import supervisor_files

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

CONFIGURATION = """[unix_http_server]
file=/run/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
logfile=/var/log/supervisord.log
pidfile=/run/supervisord.pid
[supervisorctl]
serverurl=unix:///run/supervisor.sock
[include]
files=/etc/supervisor/conf.d/*.conf
"""

# What a host has before its supervisor starts.
PREPARE = {
    "s6": "mkdir -p /etc/services.d",
    "supervisord": f"mkdir -p /etc/supervisor/conf.d; printf %s '{CONFIGURATION}' > /etc/supervisor/supervisord.conf",
    "cron": "mkdir -p /etc/cron.d /var/spool/cron/crontabs; rm -f /etc/cron.d/*",
}
# As s6-overlay does it: s6 works on a copy in memory of what is on the disk.
BOOT = {
    "s6": "rm -rf /run/service; cp -r /etc/services.d /run/service; setsid s6-svscan /run/service",
    "supervisord": "setsid supervisord -n -c /etc/supervisor/supervisord.conf",
    "cron": "rm -f /run/crond.*; setsid cron -f",
}
# All that runs but sshd, and what is in memory.
END = """
pkill -KILL -x 's6-svscan|s6-supervise|supervisord|cron'
pkill -KILL -f '^/bin/sh /etc/mlkeys/[a-z]*/service'
pkill -KILL -u kept
rm -rf /run/mlkeys /run/supervisor*
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = supervisor_files()
    with running_site(tmp_path_factory.mktemp("supervisors"), tuple(BOOT), systemd=()) as made:
        for name, script in PREPARE.items():
            shutil.copytree(files, made.hosts[name].files / "root", symlinks=True, dirs_exist_ok=True)
            made.hosts[name].run("sh", "-c", script)
            boot(made, name)
        yield made


def boot(site: Site, name: str) -> None:
    site.hosts[name].run("sh", "-c", f"({BOOT[name]}) >/dev/null 2>&1 </dev/null &")


FILES = [{"dest": "/etc/kept.json", "shape": "json", "content": {"KEY": {"secret": "hf_token"}}}]


def processes(site: Site, name: str) -> list[str]:
    return site.hosts[name].run("pgrep", "-u", "kept", "-xf", "sleep 3600", check=False).stdout.split()


def wait_for_another(site: Site, name: str, before: list[str]) -> None:
    deadline = time.monotonic() + 30
    while (found := processes(site, name)) in ([], before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(found) == 1, site.log(name, "kept")
    assert found != before


def test_a_supervisor_starts_a_service_after_its_end_and_at_boot_and_forgets_it(site: Site) -> None:
    done = site.play([service("kept", mode="credential", files=FILES)])
    assert "Nothing starts kept" not in done.stdout
    before = {name: processes(site, name) for name in BOOT}
    for name in BOOT:
        hurry = "s/^booted=.*/booted=0/; s/^free=.*/free=1000/; s/sleep 5/sleep 0.3/"
        site.hosts[name].run("sed", "-i", hurry, "/etc/mlkeys/kept/fetch")
    # cron starts nothing that has ended: `tests/e2e/test_hosts.py`.
    for name in ("s6", "supervisord"):
        site.hosts[name].run("kill", "-KILL", *before[name])
    for name in ("s6", "supervisord"):
        wait_for_another(site, name, before[name])
    # A running program does not notice that the server is away. After a boot, it starts once the server is back.
    before = {name: processes(site, name) for name in BOOT}
    site.bao.done("PUT", "sys/seal")
    time.sleep(1)
    assert {name: processes(site, name) for name in BOOT} == before
    for name in BOOT:
        site.hosts[name].run("sh", "-c", END)
        boot(site, name)
    time.sleep(1)
    assert {name: processes(site, name) for name in BOOT} == {name: [] for name in BOOT}
    log = site.bao.audit_log.with_name("server.log").read_text(encoding="utf-8")
    site.bao.done("PUT", "sys/unseal", {"key": log.partition("Unseal Key: ")[2].partition("\n")[0]})
    for name in BOOT:
        wait_for_another(site, name, before[name])
        assert set(site.got(name, "kept")) == {SHA["openai_api_key"]}
        assert json.loads(site.hosts[name].run("cat", "/etc/kept.json").stdout) == {"KEY": SECRETS["hf_token"]}
    site.play([{"name": "kept", "state": "absent"}], playbook="hosts")
    for name in BOOT:
        left = site.hosts[name].run("pgrep", "-f", "[k]ept", check=False).stdout
        assert left == "", left
        found = site.hosts[name].run("find", "/etc", "/run", "-name", "mlkeys-kept*", check=False).stdout
        assert found == "", found
        assert site.hosts[name].run("pgrep", "-xc", "s6-svscan|supervisord|cron").stdout.strip() == "1"
