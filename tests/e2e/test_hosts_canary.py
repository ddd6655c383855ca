# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key is in the memory of its own process and nowhere else, on the whole path from the controller to a host.

The test looks at what Ansible prints, logs, caches and keeps, at all files of the hosts, the arguments and environments
of their processes, their journal and logs, and at the server's logs. The controller's token stays on the controller.
What a host logs in with is on that host alone.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machines import HOSTS, SECRETS, SHA, Site, running_site, service
from tests.support.canary import (
    Watcher,
    descendants,
    dumping,
    holders,
    leaking_files,
    leaks,
    leaks_of_host,
    recorders,
    temporary_folders,
)
from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

# Secrets that the hosts get, in plain letters as keys of providers are. One with line breaks looks different in logs.
KEYS = {name: SECRETS[name] for name in ("openai_api_key", "hf_token")}

# On a signal it writes the names in its environment, as reports on errors do, and crashes in a way that dumps core.
CRASHING = """perl -e '$SIG{USR1} = sub {
    print STDERR "Traceback: ", join(" ", sort keys %ENV), "\\n"; kill SEGV => $$
}; sleep 1 while 1'"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("canary")) as made:
        yield made


def unseen(site: Site) -> dict[str, str]:
    """What must be nowhere: the keys, and the controller's token."""
    return {**KEYS, "the token": site.bao.token}


# Writes its key in several forms, and parts of it, before it ends.
REVEALING = """echo "key $KEY"; echo "Basic $(printf 'u:%s' "$KEY" | base64)"; printf %s "$KEY" | od -An -v -tx1
printf '"%s\\n' "$KEY" | cut -c 1-9; printf %s "$KEY" | tr 'a-z' 'A-Z'; echo; echo 'bad port 70000'; exit 3"""


def play(site: Site, services: list[dict[str, Any]], *args: str, status: int = 0) -> str:
    """With everything on that Ansible can record, and kept on the hosts what it sends there."""
    root = site.folder / "controller"
    root.mkdir(exist_ok=True)
    watcher = Watcher(temporary_folders(root), unseen(site))
    with watcher.watching():
        env = {**recorders(root), "ANSIBLE_KEEP_REMOTE_FILES": "1"}
        done = site.play(services, "-vvvv", "--diff", *args, env=env, status=status)
    assert watcher.seen_argv, "the watcher saw no process"
    assert watcher.leaks == set()
    (root / f"output-{len(list(root.iterdir()))}").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.stdout


def test_a_key_is_in_the_memory_of_its_program_and_nowhere_else(site: Site) -> None:
    other = service("other", goes_on_as=CRASHING, environment={"KEY": "hf_token"})
    programs = {"sleep": {"openai_api_key"}, "perl": {"hf_token"}}

    play(site, [service("app"), other], "--check")
    play(site, [service("app"), other])
    for name in HOSTS:
        host = site.hosts[name]
        assert site.got(name, "app") == [SHA["openai_api_key"]]
        assert list((host.files / "tmp").rglob("AnsiballZ_*")), "no module was kept on the host"
        assert holders(host, unseen(site)) == programs
        assert dumping(host, unseen(site)) == set()
    check_hosts(site, shown=set())
    check_controller_and_server(site)

    # Rotated, and with one of the services in the other mode: its files are in memory.
    site.bao.done("POST", "transit/keys/ml/rotate")
    files = [{"dest": "/etc/app.yaml", "shape": "yaml", "content": {"key": {"secret": "hf_token"}}}]
    play(site, [service("app", mode="credential", files=files), other])
    for name in HOSTS:
        host = site.hosts[name]
        assert site.got(name, "app", 2) == [SHA["openai_api_key"]] * 2
        # A rewrap restarts nothing.
        assert site.got(name, "other") == [SHA["hf_token"]]
        assert holders(host, unseen(site)) == programs
    shown = {"openai_api_key in run/mlkeys/app/environment", "hf_token in run/mlkeys/app/etc/app.yaml"}
    check_hosts(site, shown)
    check_controller_and_server(site)
    check_crash(site)
    check_hosts(site, shown)


def test_a_program_that_writes_its_key_and_ends_is_shown_without_it(site: Site) -> None:
    revealing = {**service("revealing"), "command": ["/bin/sh", "-c", REVEALING]}
    said = play(site, [revealing], status=2)
    failures = re.findall(r'"msg": "(revealing is not up.*?)"\n', said)
    assert len(failures) == len(HOSTS), said
    key = KEYS["openai_api_key"]
    for failure in failures:
        assert "The last lines of its log:" in failure
        assert "key ********\\n" in failure
        assert "bad port 70000" in failure
        for part in (
            key[:8],
            key[-8:].upper(),
            key[2:10].encode().hex(" "),
            base64.b64encode(f"u:{key}".encode()).decode()[8:16],
        ):
            assert part not in failure
    # Nothing of it stays.
    for name in HOSTS:
        assert site.hosts[name].run("sh", "-c", "ls -d /run/mlkeys/*.values", check=False).stdout == ""
    # In this mode, the script of a service without systemd cleans up after its program.
    off = site.play([{**revealing, "mode": "credential"}], status=2, vault_transit_host_show_log=False).stdout
    assert "bad port" not in off
    assert "To see its log on one: journalctl" in " ".join(off.split())


def check_crash(site: Site) -> None:
    """Let a program crash, and then an agent whose requests are refused. Their logs have no key: see `check_hosts`."""
    site.bao.done("POST", "transit/keys/ml/rotate")
    site.bao.done("POST", "transit/keys/ml/config", {"min_decryption_version": 3})
    for name in HOSTS:
        host = site.hosts[name]
        [crashing] = [one for one in descendants(host.pid) if (one / "cmdline").read_bytes().startswith(b"perl\0")]
        os.kill(int(crashing.name), signal.SIGUSR1)
        assert "Traceback: " in logged(site, name, r"Traceback: .*\bKEY\b")
        wait_until_gone(crashing)
        # It is started again, and its agent gets an error.
        host.run("sed", "-i", "s/^patience=.*/patience=10/", "/etc/mlkeys/other/fetch")
        again = "systemctl restart --no-block other" if name == "one" else "/etc/mlkeys/other/service start"
        host.run("sh", "-c", f"{again} > /dev/null 2>&1 &")
    for name in HOSTS:
        logged(site, name, "disallowed by policy|too old")


def logged(site: Site, host: str, pattern: str) -> str:
    """The log of the service, once it has something. An agent's errors are there when it gives up."""
    wait_for(lambda: re.search(pattern, site.log(host, "other")) is not None, seconds=90)
    return site.log(host, "other")


def wait_until_gone(process: Path) -> None:
    wait_for(lambda: not process.exists())


def wait_for(done: Callable[[], bool], seconds: int = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def secret_ids(site: Site) -> dict[str, str]:
    """Those of the service, by the host."""
    file = "upper/etc/mlkeys/app/secret_id"
    return {name: (site.hosts[name].files / file).read_text(encoding="ascii").strip() for name in HOSTS}


def check_hosts(site: Site, shown: set[str]) -> None:
    """Each key shows where it may. Each secret ID is on its own host, in its own file."""
    found = secret_ids(site)
    assert len(set(found.values())) == 2
    for name in HOSTS:
        own = f"{name} in upper/etc/mlkeys/app/secret_id"
        assert leaks_of_host(site.hosts[name], {**unseen(site), **found}) == {own, *shown}
        assert holders(site.hosts[name], found) == {}
    assert leaking_files(site.folder, {**unseen(site), **found}) == set()
    assert leaks(site.bao.audit_log.read_bytes(), found) == set()


def check_controller_and_server(site: Site) -> None:
    """Plaintext went over the wire, and is in the audit log as HMACs alone."""
    log = site.bao.audit_log.read_bytes()
    assert leaks(log, {**SECRETS, **unseen(site)}) == set()
    # A server for tests prints its token when it starts.
    assert leaks((site.bao.audit_log.parent / "server.log").read_bytes(), SECRETS) == set()
    entries = [json.loads(line) for line in log.split(b"\n") if line]
    decrypted = [
        entry for entry in entries if entry["type"] == "response" and entry["request"]["path"] == "transit/decrypt/ml"
    ]
    assert decrypted
    answers = [entry["response"]["data"]["plaintext"] for entry in decrypted if not entry.get("error")]
    assert answers
    assert all(answer.startswith("hmac-sha256:") for answer in answers)
