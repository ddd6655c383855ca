# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts without an agent's program get one from the package index on request."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machines import HOSTS, SHA, Site, changed, running_site, service
from tests.support.hosts import Host, missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path) as made:
        for host in made.hosts.hosts.values():
            host.run("umount", "/usr/local/bin/bao")
            host.run("rm", "/usr/local/bin/bao")
            know_package_index(host)
        yield made


def know_package_index(host: Host) -> None:
    """Give root on the host the settings of pip that this user and the environment have."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(Path.home() / ".config/pip/pip.conf")
    if not settings.has_section("global"):
        settings.add_section("global")
    for name in ("index_url", "extra_index_url", "find_links", "cert", "trusted_host"):
        if value := os.environ.get(f"PIP_{name.upper()}"):
            settings.set("global", name.replace("_", "-"), value)
    folder = host.files / "roots/.config/pip"
    folder.mkdir(parents=True)
    with (folder / "pip.conf").open("w", encoding="utf-8") as file:
        settings.write(file)


def test_the_program_is_installed_and_removed_with_the_last_service(site: Site) -> None:
    services = [service("app")]
    run: dict[str, Any] = {"vault_transit_host_install": True}
    site.play(services, **run)
    for name in HOSTS:
        assert site.got(name, "app") == [SHA["openai_api_key"]]
        # What a start runs, and that it is there.
        program = site.hosts[name].run("sed", "-n", "s/^program=//p", "/etc/mlkeys/app/fetch").stdout.strip()
        assert program.startswith("/opt/mlkeys/")
        assert "OpenBao" in site.hosts[name].run(program, "version").stdout
    assert changed(site.play(services, playbook="hosts", **run)) == {"one": 0, "two": 0}

    site.play([{"name": "app", "state": "absent"}], playbook="hosts")
    for name in HOSTS:
        assert not (site.hosts[name].files / "upper/opt/mlkeys").exists()
