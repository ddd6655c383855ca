# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that run as root in a folder of another user, who puts links in the place of every file at the same time."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.support.plays import encrypted, make_key
from tests.support.modules import by_action, run_module
from tests.support.neighbour import ANOTHER, as_root, racing
from tests.support.server import Bao

pytestmark = as_root

#: Enough for each of these to fail with a writer whose names can be predicted, or that changes owners by names. The
#: writer itself is tried 200 times, in tests/unit/shared/test_replacing.py.
WRITTEN, UNWRAPPED, REWRAPPED = 30, 15, 50
Facts = tuple[tuple[int, ...], bytes]


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of root's beside the neighbour's folder, which the neighbour can reach, and cannot read."""
    path = tmp_path / "victim"
    path.write_text("ROOT")
    path.chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    return path


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    os.chown(folder, ANOTHER, ANOTHER)
    return folder


@pytest.fixture
def unharmed(victim: Path) -> Iterator[Callable[[], None]]:
    """Checks that the victim is what it was."""

    def facts() -> Facts:
        status = victim.lstat()
        return (status.st_ino, status.st_uid, status.st_gid, status.st_mode), victim.read_bytes()

    before = facts()

    def check() -> None:
        assert facts() == before

    yield check
    check()


def test_files_and_vars_files(bao: Bao, mount: str, theirs: Path, unharmed: Callable[[], None]) -> None:
    make_key(bao, mount)
    connection = {"url": bao.addr, "token": bao.token}
    stored = {"path": str(theirs / "k.transit.yml"), "backend": mount, "key": "ml", "owner": str(ANOTHER)}
    outcomes = []
    with racing(theirs):
        for number in range(WRITTEN):
            written = {"path": str(theirs / "m.env"), "content": f"K={number}", "owner": str(ANOTHER), "mode": "0640"}
            outcomes.append(run_module("vault_transit_file", written).failed)
            if number % 10 == 0:
                secrets = {"hf_token": f"hf-{number}"}
                outcomes.append(run_module("vault_transit_vars", {**connection, **stored, "secrets": secrets}).failed)
            unharmed()
    assert True in outcomes, "nothing was in the way"


@pytest.mark.parametrize("content", ["K=new", "K=old"])
def test_a_file_that_a_neighbour_put_there_before(tmp_path: Path, content: str) -> None:
    path = tmp_path / "shared" / "m.env"
    path.parent.mkdir()
    path.parent.chmod(0o1777)
    path.write_text("K=old")
    os.chown(path, ANOTHER, ANOTHER)
    options = {"path": str(path), "content": content}
    for check in (False, True):
        refused = run_module("vault_transit_file", {**options, "mode": "0640"}, check=check)
        assert refused.msg.startswith(f"{path} was left as it is: it is owned by the user with ID {ANOTHER}")
        assert refused.msg.endswith("Set owner, or remove the file.")
    refused = run_module("vault_transit_files", {"files": [{**options, "state": "file"}]})
    assert f"{path} was left as it is: it is owned" in refused.msg
    assert (path.read_text(), path.stat().st_uid) == ("K=old", ANOTHER)
    with path.open() as held:
        assert run_module("vault_transit_file", {**options, "owner": "root"}).changed
        # A process that had it open has the old one.
        assert os.fstat(held.fileno()).st_ino != path.stat().st_ino
    assert (path.read_text(), path.stat().st_uid, path.stat().st_gid) == (content, 0, 0)


def wrapping_token(bao: Bao) -> str:
    request = urllib.request.Request(  # noqa: S310  of the test's own server
        f"{bao.addr}/v1/sys/wrapping/wrap",
        b'{"secret_id": "s"}',
        {"X-Vault-Token": bao.token, "X-Vault-Wrap-TTL": "60s"},
        method="POST",
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return str(json.load(answer)["wrap_info"]["token"])


def test_unwrapped_files(bao: Bao, theirs: Path, unharmed: Callable[[], None]) -> None:
    outcomes = []
    with racing(theirs):
        for _number in range(UNWRAPPED):
            files = [{"field": "secret_id", "path": str(theirs / "secret_id"), "owner": str(ANOTHER)}]
            options = {"url": bao.addr, "wrapping_token": wrapping_token(bao), "files": files}
            outcomes.append(run_module("vault_transit_unwrap", options).failed)
            unharmed()
    assert True in outcomes, "nothing was in the way"


def test_rewrapped_files(bao: Bao, mount: str, theirs: Path, unharmed: Callable[[], None]) -> None:
    make_key(bao, mount)
    (text,) = encrypted(bao, mount, {"hf_token": "hf-secret"}).values()
    bao.done("POST", f"{mount}/keys/ml/rotate")
    for number in range(REWRAPPED):
        file = theirs / f"app-{number}.env"
        file.write_text(f"hf_token={text}\n")
        os.chown(file, ANOTHER, ANOTHER)
    options = {"url": bao.addr, "token": bao.token, "backend": mount, "key": "ml", "paths": [str(theirs)]}
    with racing(theirs), by_action():
        run_module("vault_transit_rewrap", options)
    unharmed()
