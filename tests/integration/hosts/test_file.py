# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file with secrets is written and kept, and its content is never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import replacing

from tests.support.modules import ModuleResult, run_module

pytestmark = pytest.mark.usefixtures("both_ways")

SECRET = "sk-file-canary-Kp3\n"


def write(path: Path, **more: Any) -> ModuleResult:
    result = run_module("vault_transit_file", {"path": str(path), "content": SECRET, **more})
    assert SECRET.strip() not in json.dumps(result)
    return result


def test_it_is_written_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    predicted = run_module("vault_transit_file", {"path": str(path), "content": SECRET}, check=True)
    assert predicted.changed
    assert not path.exists()
    assert write(path).changed
    assert path.read_text() == SECRET
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.stat()
    assert not write(path).changed
    assert path.stat().st_ino == before.st_ino
    assert write(path, mode="0640").changed
    assert path.stat().st_mode & 0o777 == 0o640
    assert write(path, mode="0640", content="x").changed
    assert path.read_text() == "x"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    assert write(tmp_path / "link")["path"] == str(tmp_path / "real")
    assert (tmp_path / "real").read_text() == SECRET


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    assert write(path).msg == f"The folder {tmp_path}/none does not exist. Create it first."
    assert run_module("vault_transit_file", {"path": str(path), "content": SECRET}, check=True).changed


def test_an_owner_whom_an_earlier_task_may_create_is_predicted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    given = {"path": str(path), "content": SECRET}
    for name, what in (("owner", "user"), ("group", "group")):
        given[name] = "nobody-yet"
        for _exists in (False, True):
            assert run_module("vault_transit_file", given, check=True).changed
            assert run_module("vault_transit_file", given).msg == f"There is no {what} 'nobody-yet' on this machine."
            path.write_text(SECRET)
        path.unlink()
        del given[name]


@pytest.mark.parametrize("check", [False, True])
def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    monkeypatch.setattr(replacing, "MOST_BYTES", 1 << 20)
    path = tmp_path / "file"
    result = run_module("vault_transit_file", {"path": str(path), "content": "a" * (1 << 20) + "b"}, check=check)
    assert result.msg == f"{path} was left as it is: it would be larger than 1 MiB. Put less into one file."
    assert not path.exists()


SEALED = "vault:v1:5ZfQm1ab3WHDOjf7mq6+5ZfQm1ab3WHDOjf7mq6="


@pytest.mark.parametrize("check", [False, True])
def test_ciphertext_never_replaces_a_key(tmp_path: Path, check: bool) -> None:
    path = tmp_path / "litellm.yaml"
    path.write_text("key: sk-FAKE-0001\n")
    given = {"path": str(path), "content": f"model: x\nkey: {SEALED}\n"}
    refused = run_module("vault_transit_file", given, check=check)
    assert refused.failed
    assert refused.msg.startswith(f"{path} was left as it is: content, line 2, is a ciphertext (vault:vN:...).")
    assert SEALED not in json.dumps(refused)
    assert path.read_text() == "key: sk-FAKE-0001\n"
    assert run_module("vault_transit_file", {**given, "allow_ciphertext": True}, check=check).changed
    assert (SEALED in path.read_text()) is not check
