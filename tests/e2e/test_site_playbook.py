# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/site.yml on the three gateways of the example, and what the README shows, against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.e2e.gateways import (
    GATEWAYS,
    KEY,
    PROVIDER_KEYS,
    changes,
    ciphertexts_of,
    copy_of_example,
    decrypted,
    free_engine_path,
    host_files,
    server_environment,
    versions,
    without_ciphertext,
)
from tests.support.collection import ROOT
from tests.support.playbook import run_playbook
from tests.support.server import Bao

SITE = ROOT / "playbooks/site.yml"


@dataclass(frozen=True)
class Site:
    """One copy of the example and the engine that it uses."""

    bao: Bao
    engine: str
    work: Path
    inventory: Path

    def play(self, *args: str, playbook: str | Path = SITE) -> subprocess.CompletedProcess[str]:
        return run_playbook(
            playbook,
            inventory=self.inventory,
            extra_vars={"ml_keys_engine": self.engine},
            env=server_environment(self.bao),
            args=args,
        )

    def changes(self, *args: str) -> list[str]:
        done = self.play(*args)
        assert done.returncode == 0, done.stdout + done.stderr
        return changes(done.stdout)


@pytest.fixture
def site(bao: Bao, tmp_path: Path) -> Iterator[Site]:
    work = tmp_path / "work"
    with free_engine_path(bao) as engine:
        yield Site(bao, engine, work, copy_of_example(work))


def test_runs_change_what_check_mode_predicts_and_nothing_twice(site: Site) -> None:
    before = sorted(site.work.rglob("*"))

    predicted = site.play("--check", "--diff")

    assert predicted.returncode == 0, predicted.stdout + predicted.stderr
    assert "+OPENAI_API_KEY='(new ciphertext of openai_api_key)'" in predicted.stdout
    assert sorted(site.work.rglob("*")) == before
    assert site.bao.request("GET", f"sys/mounts/{site.engine}")[0] == 400
    done = site.changes()
    assert changes(predicted.stdout) == done
    # Engine, key and vars file; then the folders, in one task, and three files on each gateway.
    assert len(done) == 3 + 3 * (1 + 3)
    files = host_files(site.work)
    assert site.changes("--check", "--diff") == []
    # Somebody who has no plaintext deploys.
    nothing = {name: value for name, value in server_environment(site.bao).items() if name not in PROVIDER_KEYS}
    again = run_playbook(SITE, inventory=site.inventory, extra_vars={"ml_keys_engine": site.engine}, env=nothing)
    assert again.returncode == 0, again.stdout + again.stderr
    assert changes(again.stdout) == []
    assert host_files(site.work) == files

    # A rotation moves the ciphertexts, and nothing else.
    site.bao.done("POST", f"{site.engine}/keys/{KEY}/rotate")
    moves = site.changes("--check")
    assert host_files(site.work) == files
    assert site.changes() == moves
    assert len(moves) == 1 + 3 * 3
    after = host_files(site.work)
    assert without_ciphertext(after) == without_ciphertext(files)
    assert all(versions(text) == {1} for text in files.values())
    assert all(versions(text) == {2} for text in after.values())

    # Nor does another provider key, whose own ciphertext is the only one that changes.
    old = ciphertexts_of(site.work / "hosts/gateway-a")["config.yaml"]
    environment = {**server_environment(site.bao), "HF_TOKEN": "hf_a-new-one"}
    last = run_playbook(SITE, inventory=site.inventory, extra_vars={"ml_keys_engine": site.engine}, env=environment)
    assert last.returncode == 0, last.stdout + last.stderr
    new = ciphertexts_of(site.work / "hosts/gateway-a")["config.yaml"]
    assert {name for name in old if old[name] != new[name]} == {"hf_token"}
    assert decrypted(site.bao, site.engine, new["hf_token"], "hf_token") == "hf_a-new-one"
    different = [path for path, text in host_files(site.work).items() if text != after[path]]
    assert len(changes(last.stdout)) == 1 + len(different)


def test_by_collection_name_every_file_holds_what_its_format_and_the_server_can_read(site: Site) -> None:
    done = site.play(playbook="mlkeys.transit.site")

    assert done.returncode == 0, done.stdout + done.stderr
    for gateway in GATEWAYS:
        root = site.work / "hosts" / gateway
        for name, ciphertexts in ciphertexts_of(root).items():
            found = {
                variable: decrypted(site.bao, site.engine, ciphertext, variable)
                for variable, ciphertext in ciphertexts.items()
            }
            assert found == {variable: PROVIDER_KEYS[variable.upper()] for variable in found}, name
        assert (root / "srv/assistant/.env").stat().st_mode & 0o777 == 0o600


def test_only_the_hosts_asked_for_get_files(site: Site) -> None:
    done = run_playbook(
        SITE,
        inventory=site.inventory,
        extra_vars={"ml_keys_engine": site.engine, "vault_transit_hosts": "gateway-b"},
        env=server_environment(site.bao),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in (site.work / "hosts").iterdir()) == ["gateway-b"]


def test_another_host_may_talk_to_the_server(site: Site) -> None:
    (site.work / "host_vars/localhost.yml").rename(site.work / "host_vars/gateway-c.yml")

    done = run_playbook(
        SITE,
        inventory=site.inventory,
        extra_vars={"ml_keys_engine": site.engine, "vault_transit_controller": "gateway-c"},
        env=server_environment(site.bao),
        args=["--limit", "gateway-a,gateway-c"],
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "localhost" not in done.stdout
    assert sorted(path.name for path in (site.work / "hosts").iterdir()) == ["gateway-a"]
    assert versions((site.work / "hosts/gateway-a/srv/assistant/.env").read_text(encoding="utf-8")) == {1}


def test_a_value_that_is_neither_given_nor_stored_is_named_and_nothing_is_written(site: Site) -> None:
    environment = server_environment(site.bao)
    del environment["HF_TOKEN"]

    done = run_playbook(SITE, inventory=site.inventory, extra_vars={"ml_keys_engine": site.engine}, env=environment)

    assert done.returncode != 0
    shown = " ".join((done.stdout + done.stderr).split())
    assert "the value of 'hf_token' is empty" in shown
    assert "mlkeys set" in shown
    assert not list(site.work.rglob("*.transit.yml"))
    assert not (site.work / "hosts").exists()


def test_what_the_readme_shows_works(bao: Bao, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(readme.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    guide = (ROOT / "docs" / "guides" / "delivery.md").read_text(encoding="utf-8")
    decrypt = next(line for line in guide.splitlines() if line.startswith("bao write -field=plaintext "))
    file = tmp_path / "group_vars/all/keys.transit.yml"
    file.parent.mkdir(parents=True)
    environment = server_environment(bao)
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    try:
        first = run_playbook(playbook, env=environment, args=["--connection", "local"])
        assert first.returncode == 0, first.stdout + first.stderr
        stored = ["mlkeys", "set", str(file), "openai_api_key", "--from-env", "OPENAI_API_KEY", "--key", KEY]
        subprocess.run(stored, env={**os.environ, **environment, "PATH": tools}, capture_output=True, check=True)
        second = run_playbook(playbook, env=environment, args=["--connection", "local"])
        ciphertext = yaml.safe_load(file.read_text(encoding="utf-8"))["openai_api_key"]
        shell = ["/bin/sh", "-c", decrypt]
        by_hand = subprocess.run(
            shell,
            env={**environment, "PATH": tools, "HOME": str(tmp_path), "CIPHERTEXT": ciphertext},
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        bao.done("DELETE", "sys/mounts/transit")

    assert len(changes(first.stdout)) == 2
    assert changes(second.stdout) == []
    assert by_hand.stdout == PROVIDER_KEYS["OPENAI_API_KEY"]
