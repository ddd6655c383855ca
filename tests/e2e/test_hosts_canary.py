# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over the whole path a key is nowhere but in the memory of the process that it is for.

From the controller through the server to hosts: what Ansible prints, logs, caches and keeps, all files of the hosts,
their processes' arguments and environments, their journal and logs, and the server's logs. The controller's token stays
there, and what a host logs in with is on that host alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.machines import SECRETS, SHA, Site, running_site, service
from tests.support.canary import (
    Watcher,
    holders,
    leaking_files,
    leaks,
    leaks_of_host,
    recorders,
    temporary_folders,
)
from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

# Those that the hosts get, in plain letters as keys of providers are. The lines of another one show otherwise in logs.
KEYS = {name: SECRETS[name] for name in ("openai_api_key", "hf_token")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("canary")) as made:
        yield made


def unseen(site: Site) -> dict[str, str]:
    """What is to be nowhere: the keys, and the controller's token."""
    return {**KEYS, "the token": site.bao.token}


def play(site: Site, services: list[dict[str, Any]], *args: str) -> None:
    """With everything on that Ansible can record, and kept on the hosts what it sends there."""
    root = site.folder / "controller"
    root.mkdir(exist_ok=True)
    watcher = Watcher(temporary_folders(root), unseen(site))
    with watcher.watching():
        done = site.play(services, "-vvvv", "--diff", *args, env={**recorders(root), "ANSIBLE_KEEP_REMOTE_FILES": "1"})
    assert watcher.seen_argv, "the watcher saw no process"
    assert watcher.leaks == set()
    (root / f"output-{len(list(root.iterdir()))}").write_text(done.stdout + done.stderr, encoding="utf-8")


def test_a_key_is_in_the_environment_of_its_program_and_nowhere_else(site: Site) -> None:
    services = [service("app"), service("other", environment={"KEY": "hf_token"})]
    play(site, services, "--check")
    play(site, services)
    site.bao.done("POST", "transit/keys/ml/rotate")
    play(site, services)
    for name in ("one", "two"):
        host = site.hosts[name]
        assert site.got(name, "app") == [SHA["openai_api_key"]] * 2
        assert list((host.files / "tmp").rglob("AnsiballZ_*")), "no module was kept on the host"
        assert leaks_of_host(host, unseen(site)) == set()
        assert holders(host, unseen(site)) == {"sleep": set(KEYS)}
    check_controller_and_server(site)
    check_secret_ids(site)


def test_a_credential_is_in_memory_alone(site: Site) -> None:
    files = [{"dest": "/etc/app.yaml", "shape": "yaml", "content": {"key": {"secret": "hf_token"}}}]
    services = [service("app", mode="credential", files=files, environment={"KEY": "openai_api_key"})]
    # Another test may have left a service that has the other key in its environment.
    play(site, [*services, service("other", state="absent")])
    for name in ("one", "two"):
        host = site.hosts[name]
        found = leaks_of_host(host, unseen(site))
        wanted = {"openai_api_key in run/mlkeys/app/environment"}
        assert {leak for leak in found if not leak.startswith("hf_token in run/mlkeys/app/etc/app.yaml")} == wanted
        assert holders(host, KEYS) == {"sleep": {"openai_api_key"}}
    check_controller_and_server(site)


def check_secret_ids(site: Site) -> None:
    """Each is on its own host, in its own file."""
    file = "upper/etc/mlkeys/app/secret_id"
    found = {name: (site.hosts[name].files / file).read_text(encoding="ascii").strip() for name in ("one", "two")}
    assert len(set(found.values())) == 2
    for name in ("one", "two"):
        assert leaks_of_host(site.hosts[name], found) == {f"{name} in {file}"}
        assert holders(site.hosts[name], found) == {}
    assert leaking_files(site.folder, found) == set()
    assert leaks(site.bao.audit_log.read_bytes(), found) == set()


def check_controller_and_server(site: Site) -> None:
    """Plaintext went over the wire, and is in the audit log as HMACs alone."""
    assert leaking_files(site.folder, unseen(site)) == set()
    log = site.bao.audit_log.read_bytes()
    assert leaks(log, {**SECRETS, **unseen(site)}) == set()
    # This one shows the token of a server for tests when it starts.
    assert leaks((site.bao.audit_log.parent / "server.log").read_bytes(), SECRETS) == set()
    entries = [json.loads(line) for line in log.splitlines()]
    decrypted = [
        entry for entry in entries if entry["type"] == "response" and entry["request"]["path"] == "transit/decrypt/ml"
    ]
    assert decrypted
    answers = [entry["response"]["data"]["plaintext"] for entry in decrypted if not entry.get("error")]
    assert answers
    assert all(answer.startswith("hmac-sha256:") for answer in answers)
