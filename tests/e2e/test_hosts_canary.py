# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Over the whole path a key is nowhere but in the memory of the process that it is for.

From the controller through the server to hosts: what Ansible prints, logs, caches and keeps, all files of the hosts,
their processes' arguments and environments, their journal and logs, and the server's audit log.
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
from tests.support.hosts import needed

pytestmark = pytest.mark.skipif(bool(needed()), reason=needed())

# Those that the hosts get, in plain letters as keys of providers are. The lines of another one show otherwise in logs.
KEYS = {name: SECRETS[name] for name in ("openai_api_key", "hf_token")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("canary")) as made:
        yield made


def play(site: Site, services: list[dict[str, Any]], *args: str) -> None:
    """With everything on that Ansible can record, and kept on the hosts what it sends there."""
    root = site.folder / "controller"
    root.mkdir(exist_ok=True)
    watcher = Watcher(temporary_folders(root), KEYS)
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
        assert leaks_of_host(host, KEYS) == set()
        assert holders(host, KEYS) == {"sleep": set(KEYS)}
    assert leaking_files(site.folder, KEYS) == set()
    check_audit_log(site)


def test_a_credential_is_in_memory_alone(site: Site) -> None:
    files = [{"dest": "/etc/app.yaml", "shape": "yaml", "content": {"key": {"secret": "hf_token"}}}]
    services = [service("app", mode="credential", files=files, environment={"KEY": "openai_api_key"})]
    # Another test may have left a service that has the other key in its environment.
    play(site, [*services, service("other", state="absent")])
    for name in ("one", "two"):
        host = site.hosts[name]
        found = leaks_of_host(host, KEYS)
        wanted = {"openai_api_key in run/mlkeys/app/environment"}
        assert {leak for leak in found if not leak.startswith("hf_token in run/mlkeys/app/etc/app.yaml")} == wanted
        assert holders(host, KEYS) == {"sleep": {"openai_api_key"}}
    assert leaking_files(site.folder, KEYS) == set()
    check_audit_log(site)


def check_audit_log(site: Site) -> None:
    """Plaintext went over the wire, and is in the log as HMACs alone."""
    log = site.bao.audit_log.read_bytes()
    assert leaks(log, SECRETS) == set()
    entries = [json.loads(line) for line in log.splitlines()]
    decrypted = [
        entry for entry in entries if entry["type"] == "response" and entry["request"]["path"] == "transit/decrypt/ml"
    ]
    assert decrypted
    answers = [entry["response"]["data"]["plaintext"] for entry in decrypted if not entry.get("error")]
    assert answers
    assert all(answer.startswith("hmac-sha256:") for answer in answers)
