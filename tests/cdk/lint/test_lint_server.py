# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint --server`: the versions of ciphertexts compared with the keys on a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlkeys._cli import main
from tests.support.server import Bao

CIPHERTEXT = "vault:v{}:" + "c2VjcmV0" * 8


@pytest.fixture(autouse=True)
def login(
    bao: Bao, mount: str, mint_token: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key at version 4 that decrypts from 2 and encrypts from 3 on, and a token that may read it."""
    monkeypatch.chdir(tmp_path)
    bao.done("POST", f"{mount}/keys/ml", {})
    for _ in range(3):
        bao.done("POST", f"{mount}/keys/ml/rotate")
    bao.done("POST", f"{mount}/keys/ml/config", {"min_decryption_version": 2, "min_encryption_version": 3})
    monkeypatch.setenv("BAO_ADDR", bao.addr)
    monkeypatch.setenv("BAO_TOKEN", mint_token(f'path "{mount}/keys/*" {{ capabilities = ["read"] }}'))


def vars_file(mount: str, name: str = "a", key: str = "ml", **versions: int) -> None:
    """A file with an entry of each version, each with a fingerprint of version 4."""
    lines = [f"{entry}: {CIPHERTEXT.format(version)}" for entry, version in versions.items()]
    prints = [f"    {entry}: {CIPHERTEXT.format(4)}" for entry in versions]
    metadata = ["_transit:", f"  backend: {mount}", f"  key: {key}", "  hmac:", *prints]
    Path(f"{name}.transit.yml").write_text("\n".join([*lines, *metadata, ""]))
    Path(f"{name}.transit.yml").chmod(0o600)


def listed(*arguments: str) -> list[tuple[str, int, str]]:
    done = CliRunner().invoke(main, ["lint", "--server", "--format", "json", *arguments])
    assert done.exit_code in (0, 1), done.output
    found = json.loads(done.stdout)["findings"]
    assert done.exit_code == (1 if found else 0)
    return [(one["rule"], one["line"], one["message"]) for one in found]


def test_what_each_version_means(mount: str) -> None:
    vars_file(mount, one=1, two=2, three=3, four=4, five=5)
    subject = "{} has version {} of the key 'ml'"
    assert listed() == [
        ("MLK302", 1, subject.format("one", 1) + ", below min_decryption_version 2: it can no longer be decrypted"),
        ("MLK303", 2, subject.format("two", 2) + ", below min_encryption_version 3"),
        ("MLK303", 3, subject.format("three", 3) + ", behind the latest, 4"),
        ("MLK304", 5, subject.format("five", 5) + ", whose latest is 4"),
    ]


def test_all_at_the_latest_version_is_clean(mount: str) -> None:
    vars_file(mount, one=4, two=4)
    assert listed() == []


def test_a_fingerprint_below_the_floor_is_a_finding(mount: str) -> None:
    vars_file(mount, one=4)
    file = Path("a.transit.yml")
    file.write_text(file.read_text().replace(f"    one: {CIPHERTEXT.format(4)}", f"    one: {CIPHERTEXT.format(1)}"))
    message = "the fingerprint of one (v1) is below min_decryption_version 2 and cannot be verified"
    assert listed() == [("MLK203", 1, message)]


def test_a_key_or_an_engine_that_is_not_there(mount: str) -> None:
    vars_file(mount, "a", key="other", one=1)
    vars_file("nowhere", "b", one=1)
    vars_file(mount, "c", key="..", one=1)
    missing, denied, bad = listed()
    assert missing[:2] == ("MLK301", 1)
    assert missing[2].startswith(f"The key 'other' does not exist in the engine '{mount}'. ")
    assert missing[2].endswith(f", the root namespace. Check: bao list {mount}/keys")
    assert denied[0] == "MLK301"
    assert "'read' on 'nowhere/keys/ml'" in denied[2]
    assert bad[0] == "MLK201"
    assert "is not a key name" in bad[2]


def test_a_key_is_asked_for_once_however_many_files_name_it(bao: Bao, mount: str) -> None:
    for number in range(20):
        vars_file(mount, f"f{number}", one=4, two=4)
    vars_file(mount, "other", key="missing", one=4)
    before = len(bao.audit_entries())
    assert len(listed()) == 1
    asked = [entry["request"]["path"] for entry in bao.audit_entries()[before:]]
    assert sorted(path for path in asked if path.startswith(mount)) == [f"{mount}/keys/missing", f"{mount}/keys/ml"]


def test_the_fingerprint_key_is_looked_at_too(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/prints", {})
    bao.done("POST", f"{mount}/keys/prints/rotate")
    bao.done("POST", f"{mount}/keys/prints/config", {"min_decryption_version": 2})
    vars_file(mount, one=4)
    file = Path("a.transit.yml")
    file.write_text(file.read_text().replace("  hmac:", "  fingerprint_key: prints\n  hmac:"))
    assert listed() == []
    file.write_text(file.read_text().replace(f"    one: {CIPHERTEXT.format(4)}", f"    one: {CIPHERTEXT.format(1)}"))
    assert [rule for rule, _, _ in listed()] == ["MLK203"]


def test_a_server_that_cannot_be_asked_is_an_error(mount: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vars_file(mount, one=4)
    monkeypatch.setenv("BAO_TOKEN", "wrong")
    done = CliRunner().invoke(main, ["lint", "--server"])
    assert done.exit_code == 2
    assert "does not accept the token" in done.stderr
    monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
    assert CliRunner().invoke(main, ["lint", "--server"]).exit_code == 2


def test_an_answer_without_versions_is_named(mount: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

    vars_file(mount, one=4)
    monkeypatch.setattr(Transit, "read_key", lambda *_: {"latest_version": 4})
    ((rule, _, message),) = listed()
    assert (rule, message) == ("MLK301", f"the answer for the key 'ml' of '{mount}' does not look like Transit's")


def test_without_a_vars_file_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAO_ADDR")
    assert listed() == []


def test_documents_of_a_kv_engine_are_read_with_the_server(
    bao: Bao, mount: str, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One to which a file points, and one that a variable declares."""
    kv = f"kv-{mount}"
    bao.done("POST", f"sys/mounts/{kv}", {"type": "kv", "options": {"version": "2"}})
    metadata = {"backend": mount, "key": "ml", "hmac": {"one": CIPHERTEXT.format(4)}}
    for path in ("pointed", "declared"):
        bao.done("POST", f"{kv}/data/{path}", {"data": {"one": CIPHERTEXT.format(1), "_transit": metadata}})
    place = f"store: kv, kv_mount: {kv}, kv_path"
    Path("a.transit.yml").write_text(f"_transit: {{{place}: pointed, backend: {mount}, key: ml}}\n")
    Path("a.transit.yml").chmod(0o600)
    Path("hosts.yml").write_text(f"all: {{vars: {{vault_transit_vars_files: [{{{place}: declared}}]}}}}\n")
    unread = CliRunner().invoke(main, ["lint", "--server"])
    assert unread.exit_code == 2
    for path, file in (("pointed", "a.transit.yml"), ("declared", "hosts.yml")):
        assert f"Not checked: {file}: the document '{kv}/{path}'" in unread.stderr
    policy = f'path "{mount}/keys/*" {{ capabilities = ["read"] }}\npath "{kv}/data/*" {{ capabilities = ["read"] }}'
    monkeypatch.setenv("BAO_TOKEN", mint_token(policy))
    message = "one has version 1 of the key 'ml', below min_decryption_version 2: it can no longer be decrypted"
    assert listed() == [("MLK302", 1, message)] * 2
    bao.done("DELETE", f"sys/mounts/{kv}")
