# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to services of two hosts after they have started: rotations, upgrades, new ciphertexts, bad releases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.machines import HOSTS, SHA, Site, running_site, service
from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

APPROLE: dict[str, Any] = {"name": "gateways", "grant_hosts": True, "token_no_default_policy": True}
ROTATION: dict[str, Any] = {"vault_transit_rotate_key": "ml", "vault_transit_rotate_older_than": 0}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("life")) as made:
        yield made


def floor(site: Site) -> int:
    return int(site.bao.done("GET", "transit/keys/ml")["data"]["min_decryption_version"])


def started_with(site: Site, host: str, name: str) -> list[str]:
    """The versions in the record of a service, which is of root."""
    path = f"/run/mlkeys/{name}.versions"
    assert site.hosts[host].run("stat", "-c", "%U %a", path).stdout.split() == ["root", "644"]
    lines = site.hosts[host].run("cat", path).stdout.splitlines()
    return [line.removeprefix("version ") for line in lines if line.startswith("version ")]


def test_a_rotation_shows_what_services_run_on_and_waits_for_those_that_nobody_knows(site: Site) -> None:
    services = [service("turned")]
    site.play(services, vault_transit_approles=[{**APPROLE, "secret_id_ttl": "10d"}])
    shown = site.play(services, playbook="status").stdout
    for name in HOSTS:
        assert f"warning: {name}: the secret ID of turned ends in 9 d (" in shown
    for name in HOSTS:
        assert started_with(site, name, "turned") == ["1"]
        assert site.got(name, "turned") == [SHA["openai_api_key"]]
    # As if an earlier release had started it.
    site.hosts["two"].run("rm", "/run/mlkeys/turned.versions")
    shown = site.play(services, playbook="rotate", status=2, **ROTATION).stdout
    assert "older versions: two: turned (nobody knows which version it started with)" in shown
    assert "Services run, started with: one: turned (v1), two: turned (unknown)." in shown
    assert floor(site) == 1
    shown = site.play(services, playbook="rotate", vault_transit_rotate_restart=True, **ROTATION).stdout
    assert "Services run, started with: one: turned (v2), two: turned (v2)." in shown
    assert floor(site) == 2
    for name in HOSTS:
        assert started_with(site, name, "turned") == ["2"]
        assert len(site.got(name, "turned")) == 2
        site.hosts[name].run(
            *(["systemctl", "stop", "turned"] if name == "one" else ["/etc/mlkeys/turned/service", "stop"])
        )
        assert "versions" not in site.hosts[name].run("ls", "/run/mlkeys").stdout
