# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a rotation is reported and loses nothing, and the next run finishes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleets import DONE, KEY, VALUES, Fleet, make_fleet
from tests.support.cluster import Cluster
from tests.support.server import Bao

# Memory is given to a file system in pages of this size.
PAGE = os.sysconf("SC_PAGE_SIZE")

_MOUNT, _UMOUNT = "/bin/mount", "/bin/umount"


@contextmanager
def small_disk(fleet: Fleet, host: str) -> Iterator[Path]:
    """The folder of a host is a file system of its own, and full."""
    folder = fleet.folder / host
    subprocess.run([_MOUNT, "-t", "tmpfs", "-o", f"size={64 * PAGE}", "tmpfs", str(folder)], check=True)
    try:
        fleet.fill()
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(PAGE))
        yield folder
    finally:
        subprocess.run([_UMOUNT, str(folder)], check=True)


def test_a_full_disk(fleet: Fleet) -> None:
    with small_disk(fleet, "gateway-b") as folder:
        before = [path.read_bytes() for path in fleet.files if folder in path.parents]
        shown = " ".join(fleet.run(status=2).split())
        assert "cannot be written (No space left on device)" in shown
        assert fleet.key() == {**DONE, "min_decryption_version": 1, "min_encryption_version": 0}
        assert [path.read_bytes() for path in fleet.files if folder in path.parents] == before
        assert fleet.file.plaintexts(KEY) == VALUES
        (folder / "filler").unlink()
        fleet.run()
        fleet.check_rotated()
    assert fleet.key() == DONE


def test_a_disk_that_cannot_be_written(fleet: Fleet) -> None:
    with small_disk(fleet, "gateway-a") as folder:
        (folder / "filler").unlink()
        subprocess.run([_MOUNT, "-o", "remount,ro", str(folder)], check=True)
        shown = " ".join(fleet.run(status=2).split())
        assert "cannot be written (Read-only file system)" in shown
        assert fleet.key()["min_decryption_version"] == 1
        subprocess.run([_MOUNT, "-o", "remount,rw", str(folder)], check=True)
        fleet.run()
        fleet.check_rotated()
    assert fleet.key() == DONE


@pytest.mark.parametrize("task", ["Find ciphertexts", "Rewrap encrypted vars files", "Rewrap ciphertexts"])
def test_a_host_that_is_lost_half_way(fleet: Fleet, task: str) -> None:
    with fleet.losing("gateway-b", task) as environment:
        shown = fleet.run(env=environment, status=2)
    assert "these hosts could not be looked at: gateway-b (unreachable)" in " ".join(shown.split())
    assert fleet.key() == {**DONE, "min_decryption_version": 1, "min_encryption_version": 0}
    fleet.run()
    fleet.check_rotated()
    assert fleet.key() == DONE


@pytest.mark.parametrize("uses", [1, 4, 7, 10])
def test_a_token_that_ends_in_the_middle(fleet: Fleet, uses: int) -> None:
    created = fleet.bao.done("POST", "auth/token/create", {"num_uses": uses, "policies": ["root"]})
    shown = " ".join(fleet.run(env={"BAO_TOKEN": created["auth"]["client_token"]}, status=2).split())
    assert "The server does not accept the token" in shown
    assert fleet.file.plaintexts(KEY) == VALUES
    begun = fleet.key()["latest_version"] == 2
    fleet.run(vault_transit_rotate_older_than="90d" if begun else 0)
    fleet.check_rotated()
    assert fleet.key() == DONE


class _Members:
    """What a server is for those who arrange its state."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def request(self, method: str, path: str, body: object, _token: str | None) -> tuple[int, dict[str, Any]]:
        return self._cluster.request(method, path, body)


def test_through_standbys(tmp_path: Path) -> None:
    with Cluster(tmp_path / "cluster") as cluster:
        for number, node in enumerate(cluster.standbys):
            mount, folder = f"ml-{number}", tmp_path / f"fleet-{number}"
            folder.mkdir()
            cluster.done("POST", f"sys/mounts/{mount}", {"type": "transit"})
            cluster.wait_until_whole()
            server: Any = _Members(cluster)
            fleet = make_fleet(Bao(node.address, cluster.token, node.folder / "audit.log", server), mount, folder)
            fleet.run()
            fleet.check_rotated()
            assert fleet.key() == DONE
