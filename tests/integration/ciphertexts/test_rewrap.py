# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertexts in files of any format: identified, and rewrapped with another key version byte for byte."""

from __future__ import annotations

import base64
import errno
import functools
import gzip
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._module import ciphertexts as _module_ciphertexts
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import reached
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File, NewFile
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import bound

from tests.integration.support.plays import Project, encrypted, make_key, vars_file
from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import VarsFile
from tests.support.ciphertexts import find
from tests.support.modules import ModuleResult, by_action, run_module
from tests.support.server import Bao

INFO, REWRAP = "vault_transit_ciphertext_info", "vault_transit_rewrap"

VALUES = {"openai_api_key": "sk-canary-one", "anthropic_api_key": "sk-ant-canary-two", "hf_token": "hf_canary_three"}


@pytest.fixture(autouse=True)
def on_the_controller() -> Iterator[None]:
    with by_action():
        yield


def totals(**counts: int) -> dict[str, int]:
    words = ("kept", "rewrapped", "foreign", "too_old", "left", "unknown", "stuck")
    return {word: counts.get(word, 0) for word in words}


@dataclass(frozen=True)
class Fleet:
    """Files that hold ciphertexts of one derived key, and of another."""

    bao: Bao
    mount: str
    folder: Path

    def run(self, module: str = REWRAP, *, check: bool = False, **options: Any) -> ModuleResult:
        given = {**self.bao.login, "backend": self.mount, "key": "ml", "paths": [str(self.folder)], **options}
        result = run_module(module, {name: value for name, value in given.items() if value is not None}, check=check)
        shown = json.dumps(result)
        assert "Traceback" not in shown
        assert "canary" not in shown
        return result

    def write(self, name: str, text: str, mode: int = 0o640) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        path.chmod(mode)
        return path

    def rotate(self, key: str = "ml") -> None:
        self.bao.done("POST", f"{self.mount}/keys/{key}/rotate")

    def contents(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()}

    def successors(self, old: Mapping[str, str], before: Mapping[str, bytes]) -> dict[str, str]:
        """What stands where each of the old ones stood; in every file the same."""
        found: dict[str, str] = {}
        for path, content in self.contents().items():
            pairs = zip(find(before[path]), find(content), strict=True)
            for gone, come in pairs:
                assert found.setdefault(gone.text, come.text) == come.text
        assert set(found) == set(old.values())
        return found

    def decrypt(self, name: str, ciphertext: str, key: str = "ml") -> str:
        return VarsFile(self.bao, self.mount, self.folder).decrypt(name, ciphertext, key)


@pytest.fixture
def fleet(bao: Bao, mount: str, tmp_path: Path) -> Fleet:
    folder = tmp_path / "etc"
    folder.mkdir()
    make_key(bao, mount)
    return Fleet(bao, mount, folder)


@pytest.fixture
def old(fleet: Fleet) -> dict[str, str]:
    return encrypted(fleet.bao, fleet.mount, VALUES)


def of_many_formats(fleet: Fleet, texts: Mapping[str, str]) -> None:
    one, two, three = texts.values()
    fleet.write("app/.env", f"# keys\r\nOPENAI_API_KEY='{one}'\r\nexport HF_TOKEN={three}\r\n", 0o600)
    fleet.write("litellm.yaml", f'models:\n  - {{api_key: "{two}"}} # context\n  - key: >-\n      {one}\n')
    fleet.write("settings.toml", f"[a]\nkey = '{three}'\nother='''{one}'''")
    fleet.write("keys.json", json.dumps({"a": {"b": [one, two]}}).replace("/", "\\/"))
    fleet.write("x.service", f'[Service]\nEnvironment="OPENAI_API_KEY={one}" HF_TOKEN={three}\n', 0o644)
    fleet.write("mixed.dat", f"\xff\xfe{two}\xff")
    fleet.write("plain.txt", "nothing here: vault:v1:\n")


def swapped(contents: Mapping[str, bytes], successors: Mapping[str, str]) -> dict[str, bytes]:
    """The contents with one ciphertext for another, in both ways of writing a slash."""
    pairs = [
        (before.encode(), after.encode())
        for old, new in successors.items()
        for before, after in ((old, new), (old.replace("/", "\\/"), new.replace("/", "\\/")))
    ]
    return {
        path: functools.reduce(lambda text, pair: text.replace(*pair), pairs, content)
        for path, content in contents.items()
    }


def test_only_ciphertexts_change_and_they_say_the_same(fleet: Fleet, old: dict[str, str]) -> None:
    of_many_formats(fleet, old)
    fleet.rotate()
    before = fleet.contents()
    states = {path: Path(path).stat() for path in before}
    predicted = fleet.run(check=True, contexts=list(VALUES))
    assert fleet.contents() == before
    done = fleet.run(contexts=list(VALUES))
    assert (predicted.changed, done.changed) == (True, True)
    assert predicted["totals"] == done["totals"] == totals(rewrapped=11)
    assert predicted["diff"] == done["diff"]
    successors = fleet.successors(old, before)
    assert fleet.contents() == swapped(before, successors)
    for path, status in states.items():
        now = Path(path).stat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
    for name, text in old.items():
        assert successors[text].startswith("vault:v2:")
        assert fleet.decrypt(name, successors[text]) == VALUES[name]
    again = fleet.run(contexts=list(VALUES))
    assert (again.changed, again["totals"]["kept"]) == (False, 11)


def test_the_diff_shows_lines_names_and_versions(fleet: Fleet, old: dict[str, str]) -> None:
    path = fleet.write("a.env", f"# x\nOPENAI_API_KEY='{old['openai_api_key']}'\nX={old['hf_token']}\n")
    fleet.rotate()
    done = fleet.run(contexts=list(VALUES))
    assert done["diff"] == {
        "before": {str(path): ["line 2 openai_api_key: v1", "line 3 hf_token: v1"]},
        "after": {str(path): ["line 2 openai_api_key: v2", "line 3 hf_token: v2"]},
    }


def test_names_that_lines_give_need_one_request_and_others_one_for_each_context(
    fleet: Fleet, old: dict[str, str]
) -> None:
    fleet.write("a.env", "".join(f"{name.upper()}={text}\n" for name, text in old.items()))
    fleet.rotate()
    ledger = Ledger(fleet.bao)
    fleet.run(contexts=list(VALUES))
    assert ledger.requests == [("read", f"{fleet.mount}/keys/ml"), ("update", f"{fleet.mount}/rewrap/ml")]
    fleet.write("b.txt", "\n".join(old.values()))
    ledger = Ledger(fleet.bao)
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(rewrapped=3, kept=3)
    assert len(ledger.requests) == 2 + len(VALUES)


def test_ciphertexts_of_other_keys_are_reported_and_left_alone(bao: Bao, fleet: Fleet, old: dict[str, str]) -> None:
    make_key(bao, fleet.mount, "other")
    theirs = encrypted(bao, fleet.mount, {"openai_api_key": "sk-theirs"}, "other")["openai_api_key"]
    damaged = old["hf_token"][:-8] + "AAAAAAA="
    path = fleet.write("a.env", f"OPENAI_API_KEY={theirs}\nHF={damaged}\nMINE={old['openai_api_key']}\n")
    fleet.rotate()
    before = path.read_text()
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(rewrapped=1, foreign=1, unknown=1)
    [problem] = done["problems"]
    assert (problem["line"], problem["name"], problem["state"]) == (2, "HF", "unknown")
    assert f"{fleet.mount}/other" in problem["tried"]
    assert f"{path}:2 (unknown" in done["warnings"][0]
    strict = fleet.run(contexts=list(VALUES), strict=True)
    assert strict.failed
    assert f"{path}:2 (unknown" in strict.msg
    head, _mine, tail = before.partition(old["openai_api_key"])
    assert path.read_text().startswith(f"{head}vault:v2:")
    assert path.read_text().endswith(tail)
    assert (fleet.run(contexts=list(VALUES)).changed, path.stat().st_mode & 0o777) == (False, 0o640)


def test_what_fell_below_the_floor_is_reported_as_such(bao: Bao, fleet: Fleet, old: dict[str, str]) -> None:
    fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    fleet.rotate()
    bao.done("POST", f"{fleet.mount}/keys/ml/config", {"min_decryption_version": 2})
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"]["too_old"] == 1
    [problem] = done["problems"]
    assert (problem["state"], "below the key's min_decryption_version" in problem["reason"]) == ("too old", True)
    assert not done.changed


def test_a_key_that_is_not_derived_needs_no_context(bao: Bao, mount: str, tmp_path: Path) -> None:
    make_key(bao, mount, "plain", derived=False)
    text = encrypted(bao, mount, {"x": "sk-plain"}, "plain")["x"]
    fleet = Fleet(bao, mount, tmp_path)
    fleet.write("a.env", f"OPENAI_API_KEY={text}\n")
    fleet.rotate("plain")
    fleet.run(key="plain")
    [new] = find(b"".join(fleet.contents().values()))
    assert fleet.decrypt("", new.text, "plain") == "sk-plain"


def test_vars_files_give_the_key_the_names_and_what_is_known(fleet: Fleet, tmp_path: Path) -> None:
    file = VarsFile(fleet.bao, fleet.mount, tmp_path / "keys.transit.yml")
    file.run(VALUES, key="ml")
    old = file.ciphertexts()
    fleet.write("a.txt", "\n".join(old.values()))
    fleet.rotate()
    ledger = Ledger(fleet.bao)
    predicted = fleet.run(check=True, key=None, backend=None, vars_files=[str(file.path)])
    assert predicted["totals"]["rewrapped"] == 3
    assert len(ledger.requests) == 2, "all are known"
    moved = file.run(key="ml", return_successors=True)
    ledger = Ledger(fleet.bao)
    done = fleet.run(key=None, vars_files=[str(file.path)], replacements=moved["successors"])
    assert [path for _operation, path in ledger.requests] == [f"{fleet.mount}/keys/ml"], "successors are known"
    assert done["totals"]["rewrapped"] == 3
    assert (fleet.folder / "a.txt").read_text().split("\n") == list(file.ciphertexts().values())


def test_a_vars_file_among_the_files_keeps_its_fingerprints(fleet: Fleet) -> None:
    file = VarsFile(fleet.bao, fleet.mount, fleet.folder / "keys.transit.yml")
    file.run(VALUES, key="ml")
    before = file.fingerprints()
    fleet.rotate()
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(rewrapped=3)
    assert file.fingerprints() == before
    assert file.plaintexts("ml") == VALUES


def test_a_limit_leaves_the_rest_for_the_next_run(fleet: Fleet, old: dict[str, str]) -> None:
    of_many_formats(fleet, old)
    fleet.rotate()
    seen = []
    for _run in range(3):
        done = fleet.run(contexts=list(VALUES), limit=1)
        seen.append((done["totals"]["rewrapped"], done["totals"]["left"], done["totals"]["kept"]))
    # One ciphertext is in several places.
    assert seen[-1][1] == 0
    assert sum(rewrapped for rewrapped, _left, _kept in seen) == 11
    assert not fleet.run(contexts=list(VALUES)).changed


def test_a_pinned_version_is_not_passed(fleet: Fleet, old: dict[str, str]) -> None:
    path = fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    fleet.rotate()
    fleet.rotate()
    fleet.run(contexts=list(VALUES), key_version=2)
    assert "vault:v2:" in path.read_text()
    assert not fleet.run(contexts=list(VALUES), key_version=2).changed
    assert "key_version 9 does not exist" in fleet.run(contexts=list(VALUES), key_version=9).msg


def test_many_files_go_a_part_at_a_time_and_progress_is_shown(
    fleet: Fleet, old: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_module_ciphertexts, "AT_ONCE", 4)
    for number in range(10):
        fleet.write(f"{number}.env", "".join(f"{name.upper()}={text}\n" for name, text in old.items()))
    fleet.rotate()
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(rewrapped=30), done["problems"]
    assert len(done["files"]) == 10
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        f"vault_transit_rewrap: localhost: {number} ciphertexts in {files} of 10 files"
        for number, files in ((4, 1), (8, 2), (12, 3), (16, 5), (20, 6), (24, 7), (28, 9), (30, 10))
    ]
    monkeypatch.undo()
    assert not fleet.run(contexts=list(VALUES)).changed
    # Where all is one part, there is nothing to show.
    assert not capsys.readouterr().err


def test_one_large_file_goes_a_part_at_a_time_and_all_else_in_it_stays(
    fleet: Fleet, old: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_module_ciphertexts, "AT_ONCE", 4)
    for _number in range(8):
        fleet.rotate()
    path = fleet.write("big.txt", "".join(f"# {'x' * 999}\n{text} {text}\n" for text in list(old.values()) * 7))
    fleet.rotate()
    before = fleet.contents()
    assert fleet.run(check=True, contexts=list(VALUES))["totals"] == totals(rewrapped=42)
    assert fleet.contents() == before
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(rewrapped=42), done["problems"]
    # v1 becomes v10: a character longer.
    assert path.stat().st_size == len(before[str(path)]) + 42
    texts = [one.text for one in find(path.read_bytes())]
    pairs = zip((one.text for one in find(before[str(path)])), texts, strict=True)
    content = before[str(path)]
    for was, became in pairs:
        content = content.replace(was.encode(), became.encode(), 1)
    assert path.read_bytes() == content
    assert not fleet.run(contexts=list(VALUES)).changed


def test_the_file_shows_the_contexts_itself(fleet: Fleet) -> None:
    """Names of variables, as they are written, and names that nothing else knows."""
    file = VarsFile(fleet.bao, fleet.mount, fleet.folder / "keys.transit.yml")
    file.run(VALUES, key="ml")
    written = encrypted(fleet.bao, fleet.mount, {"TENANT-7": "sk-seven"})["TENANT-7"]
    fleet.write("a.json", json.dumps({"TENANT-7": written}))
    fleet.rotate()
    done = fleet.run()
    assert done["totals"] == totals(rewrapped=4), done["problems"]
    assert file.plaintexts("ml") == VALUES
    assert "warnings" not in done


def test_all_copies_of_a_secret_become_what_the_vars_file_holds(fleet: Fleet, tmp_path: Path) -> None:
    file = VarsFile(fleet.bao, fleet.mount, tmp_path / "keys.transit.yml")
    file.run(VALUES, key="ml")
    old = file.ciphertexts()
    # A copy that the file does not know, and one of a value before the last one.
    other = encrypted(fleet.bao, fleet.mount, {"hf_token": "hf_older"})["hf_token"]
    path = fleet.write("a.env", f"HF_TOKEN={other}\nX={old['hf_token']}\nOPENAI_API_KEY={old['openai_api_key']}\n")
    fleet.rotate()
    file.run({**VALUES, "hf_token": "hf_canary_new"}, key="ml")
    new = file.ciphertexts()
    done = fleet.run(key=None, vars_files=[str(file.path)], replace=["hf_token"])
    assert done["totals"] == totals(rewrapped=3)
    assert [one.text for one in find(path.read_bytes())] == [new["hf_token"], new["hf_token"], new["openai_api_key"]]
    wrong = fleet.run(key=None, vars_files=[str(file.path)], replace=["hf_tokne"])
    assert "do not hold hf_tokne" in wrong.msg
    assert "must be a ciphertext" in fleet.run(replacements={"sha256:0": "vault:v1:****"}).msg


def test_what_was_not_searched_is_named(fleet: Fleet, old: dict[str, str]) -> None:
    line = f"OPENAI_API_KEY={old['openai_api_key']}\n"
    fleet.write("a.env", line)
    large = fleet.write("large.env", line + "#" * 2000)
    (fleet.folder / "a.env.gz").write_bytes(gzip.compress(line.encode()))
    binary = fleet.write("a.db", f"\0{line}")
    fleet.rotate()
    before = binary.read_bytes()
    done = fleet.run(max_bytes=1000)
    assert [(one["path"], one["kind"]) for one in done["unread"]] == [(str(binary), "binary"), (str(large), "large")]
    assert [one["path"] for one in done["not_searched"]] == [f"{fleet.folder}/a.env.gz"]
    assert done["totals"] == totals(rewrapped=1, stuck=1)
    assert f"{large} (larger than max_bytes" in " ".join(done["warnings"])
    assert binary.read_bytes() == before
    found = fleet.run(INFO, states=["unknown"])
    [row] = found["ciphertexts"]
    assert (row["path"], row["state"], row["problem"]) == (str(binary), "behind", "binary file holds a ciphertext")


def test_a_short_secret_of_the_connection_is_not_searched_in_ciphertexts(fleet: Fleet, old: dict[str, str]) -> None:
    path = fleet.write("a.env", "".join(f"{name.upper()}={text}\n" for name, text in old.items()))
    fleet.rotate()
    # Ansible masks such a value in results of modules.
    assert fleet.run(password="v").changed
    assert b"*" not in path.read_bytes()
    assert len(find(path.read_bytes())) == 3


def test_a_module_by_itself_reports_ciphertexts_whole_whatever_its_secrets_are(
    fleet: Fleet, old: dict[str, str]
) -> None:
    """An old controller, or a task of somebody else's, may give it secrets that are part of ciphertexts."""
    path = fleet.write("a.env", "".join(f"{name.upper()}={text}\n" for name, text in old.items()))
    options = {"paths": [str(fleet.folder)], "password": "vault"}
    found = on_a_target(INFO, options)
    assert [(place, [row[0] for row in rows]) for place, rows in json.loads(found["ciphertexts"])] == [
        (str(path), list(old.values()))
    ]
    # A replacement, as the controller sends it.
    texts = {old["hf_token"]: old["openai_api_key"]}
    done = on_a_target(REWRAP, {**options, "paths": [str(path)], "texts": json.dumps(texts)})
    assert done["replaced"] == {str(path): 1}
    # Since 2.21, a module shows its options only if it is asked to.
    assert "vault" not in json.dumps(done.get("invocation"))
    assert [one.text for one in find(path.read_bytes())].count(old["openai_api_key"]) == 2


def on_a_target(module: str, options: Mapping[str, Any]) -> ModuleResult:
    """The result of the module, without an action plugin."""
    with mock.patch("tests.support.modules._by_action", []):
        return run_module(module, options)


def test_where_files_are_looked_for(fleet: Fleet, old: dict[str, str], tmp_path: Path) -> None:
    line = f"OPENAI_API_KEY={old['openai_api_key']}\n"
    for name in ("a.env", "b.yaml", "sub/c.env", "sub/skip/d.env", ".git/e.env", "big.env"):
        fleet.write(name, line)
    fleet.write("big.env", line + "#" * 2000)
    (fleet.folder / "link.env").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text(line)
    (fleet.folder / "dead.env").symlink_to(tmp_path / "nowhere")
    os.mkfifo(fleet.folder / "pipe.env")
    found = fleet.run(INFO, patterns=["*.env"], exclude=["skip"], max_bytes=1000)
    names = {os.path.relpath(one["path"], fleet.folder) for one in found["ciphertexts"]}
    assert names == {"a.env", "sub/c.env", ".git/e.env", "../elsewhere"}
    globbed = fleet.run(INFO, paths=[str(fleet.folder / "*.yaml"), str(fleet.folder / "none" / "*.x")])
    assert [Path(one["path"]).name for one in globbed["ciphertexts"]] == ["b.yaml"]
    missing = fleet.run(INFO, paths=[str(fleet.folder / "none"), str(fleet.folder)])
    assert missing.failed
    assert missing.msg == f"paths: {fleet.folder / 'none'} does not exist."


def test_links_stay_links(fleet: Fleet, old: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(f"OPENAI_API_KEY={old['openai_api_key']}\n")
    (fleet.folder / "link.env").symlink_to(tmp_path / "elsewhere")
    fleet.rotate()
    assert fleet.run(contexts=list(VALUES)).changed
    assert (fleet.folder / "link.env").is_symlink()
    assert "vault:v2:" in (tmp_path / "elsewhere").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": None}, "key is missing, and vars_files name none."),
        ({"key": "a/b"}, "'a/b' is not a key name"),
        ({"key": "none"}, "The key 'none' does not exist"),
        ({"key_version": -1}, "key_version must not be negative"),
        ({"limit": -1}, "limit must not be negative"),
        ({"vars_files": ["/nowhere/keys.transit.yml"]}, "/nowhere/keys.transit.yml: No such file or directory."),
        ({"backend": "nowhere"}, "No secrets engine is mounted"),
        ({"pahts": []}, "pahts"),
        ({"limit": "some"}, "limit"),
    ],
)
def test_what_cannot_be_is_refused_before_a_file_is_touched(
    fleet: Fleet, old: dict[str, str], options: dict[str, Any], said: str
) -> None:
    fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    fleet.rotate()
    before = fleet.contents()
    for check in (True, False):
        failed = fleet.run(check=check, **{"contexts": list(VALUES), **options})
        assert failed.failed
        assert said in failed.msg
        assert not failed.changed
    assert fleet.contents() == before


def test_a_file_that_cannot_be_written_fails_the_run_and_no_other_file(fleet: Fleet, old: dict[str, str]) -> None:
    for name in ("a", "b", "c"):
        fleet.write(f"{name}.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    fleet.rotate()
    really = NewFile.take

    def full(new: NewFile, file: File) -> None:
        if file.name == "b.env":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(new, file)

    with mock.patch.object(NewFile, "take", full):
        failed = fleet.run(contexts=list(VALUES))
    assert failed.failed
    assert failed.changed
    assert f"{fleet.folder}/b.env cannot be written (No space left on device)" in failed.msg
    assert [b"vault:v2:" in content for content in fleet.contents().values() if content] == [True, False, True]
    assert failed["unread"] == [
        {"path": f"{fleet.folder}/b.env", "reason": "it cannot be written (No space left on device)", "kind": "failed"}
    ]
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(rewrapped=1, kept=2)


def test_a_file_that_others_rewrite_at_the_same_time_is_tried_again(fleet: Fleet, old: dict[str, str]) -> None:
    """As where hosts have a file system together."""
    path = fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    fleet.rotate()
    really = NewFile.place
    changes: list[str] = []

    def late(new: NewFile, file: File, **options: Any) -> None:
        if len(changes) < most:
            changes.append(path.read_text())
            path.write_text("#\n" + changes[-1])
        really(new, file, **options)

    with mock.patch.object(NewFile, "place", late):
        most = 2
        assert fleet.run(contexts=list(VALUES))["totals"] == totals(rewrapped=1)
        assert path.read_text().startswith("#\n#\nOPENAI_API_KEY=vault:v2:")
        changes.clear()
        fleet.rotate()
        most = 99
        done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(stuck=1)
    assert "it keeps being changed by somebody else" in done.warnings[0]


def test_what_stands_in_the_way_of_a_rewrite_is_known_before(fleet: Fleet, old: dict[str, str]) -> None:
    line = f"OPENAI_API_KEY={old['openai_api_key']}\n"
    inside = fleet.write("app/.git/config", line)
    twice = fleet.write("twice.env", line)
    fleet.write("once.env", line)
    fleet.folder.with_name("outside").hardlink_to(twice)
    before = fleet.contents()
    fleet.rotate()
    seen = fleet.run(INFO, contexts=list(VALUES))
    problems = {one["path"]: one["problem"] for one in seen["ciphertexts"] if one["problem"]}
    assert problems.keys() == {str(inside), str(twice)}
    assert "it is in .git" in problems[str(inside)]
    assert "other names (hard links)" in problems[str(twice)]
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(rewrapped=1, stuck=2)
    assert {path for path, content in fleet.contents().items() if content != before[path]} == {
        f"{fleet.folder}/once.env"
    }
    # Once all names are searched, each gets the new one.
    fleet.folder.with_name("outside").rename(fleet.folder / "inside")
    assert fleet.run(contexts=list(VALUES))["totals"]["rewrapped"] == 2


def test_a_file_whose_name_is_not_text_is_named_if_it_holds_ciphertexts(fleet: Fleet, old: dict[str, str]) -> None:
    fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    for name, content in ((b"\xff.env", old["openai_api_key"]), (b"\xfe.env", "none")):
        Path(os.fsdecode(os.fsencode(fleet.folder) + b"/" + name)).write_text(content)
    Path(os.fsdecode(os.fsencode(fleet.folder) + b"/\xfd")).symlink_to("nowhere")
    for module in (INFO, REWRAP):
        seen = fleet.run(module, contexts=list(VALUES))
        assert seen["unread"] == [
            {
                "path": f"{fleet.folder}/\\udcff.env",
                "reason": "its name is not UTF-8, and it holds ciphertexts",
                "kind": "failed",
            }
        ]
        assert [one["path"] for one in seen["not_searched"]] == [f"{fleet.folder}/\\udcfd"]
    assert not seen.failed


def test_a_ciphertext_that_is_escaped_as_a_whole_is_named(fleet: Fleet, old: dict[str, str]) -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in old["openai_api_key"])
    path = fleet.write("a.json", f'{{"openai_api_key": "{escaped}"}}\n')
    before = path.read_bytes()
    fleet.rotate()
    done = fleet.run()
    assert done["totals"] == totals(stuck=1)
    assert f"{path}:1 (stuck: it is escaped in a way that is not supported)" in done.warnings[0]
    assert path.read_bytes() == before


def test_what_was_placed_is_on_the_disk_when_the_run_ends(fleet: Fleet, old: dict[str, str]) -> None:
    """Each folder once, when all of its files have their places."""
    names = ("one/a.env", "one/b.env", "two/c.env")
    for name in names:
        fleet.write(name, f"OPENAI_API_KEY={old['openai_api_key']}\n")
    really, flushed = os.fsync, []

    def watched(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            flushed.append((str(path), [b"vault:v2:" in fleet.contents()[f"{fleet.folder}/{name}"] for name in names]))
        really(descriptor)

    fleet.rotate()
    with mock.patch.object(os, "fsync", watched):
        assert fleet.run(contexts=list(VALUES)).changed
        assert dict(flushed) == {f"{fleet.folder}/{name}": [True, True, True] for name in ("one", "two")}
        assert len(flushed) == 2


def test_a_folder_that_cannot_be_flushed_fails_the_run(fleet: Fleet, old: dict[str, str]) -> None:
    fleet.write("one/a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    really = os.fsync

    def broken(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        really(descriptor)

    fleet.rotate()
    with mock.patch.object(os, "fsync", broken):
        failed = fleet.run(contexts=list(VALUES))
    assert failed.failed
    assert failed.changed
    assert f"{fleet.folder}/one cannot be written (Input/output error)" in failed.msg


def test_a_file_that_changes_after_the_search_keeps_what_changed(fleet: Fleet, old: dict[str, str]) -> None:
    path = fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    really = reached

    def late(*arguments: Any, **options: Any) -> File:
        path.write_text(f"# a comment\nHF_TOKEN=none\nOPENAI_API_KEY={old['openai_api_key']}\nB=c\n")
        return really(*arguments, **options)

    fleet.rotate()
    with mock.patch.object(_module_ciphertexts, "reached", late):
        assert fleet.run(contexts=list(VALUES))["totals"] == totals(rewrapped=1)
    lines = path.read_text().splitlines()
    assert lines[2].startswith("OPENAI_API_KEY=vault:v2:")
    assert [*lines[:2], *lines[3:]] == ["# a comment", "HF_TOKEN=none", "B=c"]


def test_the_documented_rights_are_enough(fleet: Fleet, old: dict[str, str], mint_token: Callable[[str], str]) -> None:
    fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    rewrap = f'path "{fleet.mount}/rewrap/ml" {{ capabilities = ["update"] }}\n'
    read = f'path "{fleet.mount}/keys/ml" {{ capabilities = ["read"] }}\n'
    hmac = f'path "{fleet.mount}/hmac/ml" {{ capabilities = ["update"] }}\n'
    for policy in (rewrap + read, rewrap + hmac):
        fleet.rotate()
        assert fleet.run(contexts=list(VALUES), token=mint_token(policy)).changed
    fleet.rotate()
    failed = fleet.run(contexts=list(VALUES), token=mint_token(read))
    assert f"capability 'update' on '{fleet.mount}/rewrap/ml'" in failed.msg


# What is where


def test_whose_they_are_is_reported(bao: Bao, fleet: Fleet, old: dict[str, str]) -> None:
    make_key(bao, fleet.mount, "other")
    theirs = encrypted(bao, fleet.mount, {"x": "y"}, "other")["x"]
    fleet.rotate()
    new = encrypted(bao, fleet.mount, {"hf_token": "hf"})["hf_token"]
    unknown = encrypted(bao, fleet.mount, {"tenant-7": "z"}, "other")["tenant-7"]
    path = fleet.write("a.env", f"A={old['openai_api_key']}\nX={theirs}\n\nC={new}\nD={unknown}\n")
    raw = fleet.run(INFO, key=None)
    assert [one["state"] for one in raw["ciphertexts"]] == ["unknown"] * 4
    found = fleet.run(INFO, contexts=list(VALUES))
    assert found["keys"] == [{"backend": fleet.mount, "name": "ml", "key_version": 2}]
    ours = {"backend": fleet.mount, "key": "ml"}
    others = {"backend": fleet.mount, "key": "other"}
    nobody = {"backend": "", "key": ""}
    row = {"path": str(path), "form": "plain", "problem": "", "reason": "", "tried": []}
    tried = found["ciphertexts"][3].pop("tried")
    assert tried == [f"{fleet.mount}/ml as d, D, {', '.join(VALUES)}", f"{fleet.mount}/other"]
    assert "another key, another context" in found["ciphertexts"][3].pop("reason")
    assert found["ciphertexts"] == [
        {**row, "line": 1, "name": "A", "version": 1, "state": "behind", "secret": "openai_api_key", **ours},
        {**row, "line": 2, "name": "X", "version": 1, "state": "foreign", "secret": "", **others},
        {**row, "line": 4, "name": "C", "version": 2, "state": "current", "secret": "hf_token", **ours},
        {
            **{name: row[name] for name in ("path", "form", "problem")},
            "line": 5,
            "name": "D",
            "version": 1,
            "state": "unknown",
            "secret": "",
            **nobody,
        },
    ]
    assert found["counts"] == [
        {**nobody, "version": 1, "state": "unknown", "count": 1},
        {**ours, "version": 1, "state": "behind", "count": 1},
        {**ours, "version": 2, "state": "current", "count": 1},
        {**others, "version": 1, "state": "foreign", "count": 1},
    ]
    assert found["files"] == 1
    few = fleet.run(INFO, contexts=list(VALUES), states=["foreign"])
    assert [one["name"] for one in few["ciphertexts"]] == ["X"]
    assert few["counts"] == found["counts"]
    bao.done("POST", f"{fleet.mount}/keys/ml/config", {"min_decryption_version": 2})
    states = [one["state"] for one in fleet.run(INFO, contexts=list(VALUES))["ciphertexts"]]
    assert states == ["too old", "foreign", "current", "too old"]


def test_a_copy_of_the_key_hides_nothing_that_is_dead(bao: Bao, fleet: Fleet, old: dict[str, str]) -> None:
    """The documented test of a backup restores it under another name, and that key decrypts what this one cannot."""
    bao.done("POST", f"{fleet.mount}/keys/ml/config", {"exportable": True, "allow_plaintext_backup": True})
    backup = bao.done("GET", f"{fleet.mount}/backup/ml")["data"]["backup"]
    bao.done("POST", f"{fleet.mount}/restore/ml-tried", {"backup": backup})
    fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    vars_file = VarsFile(bao, fleet.mount, fleet.folder.parent / "ml.transit.yml")
    fleet.rotate()
    bao.done("POST", f"{fleet.mount}/keys/ml/config", {"min_decryption_version": 2})
    assert vars_file.run({"openai_api_key": "sk-canary-one"}, key="ml").changed
    dead = ("ml", "too old", "openai_api_key")

    def states(**options: Any) -> list[tuple[str, str, str]]:
        rows = fleet.run(INFO, vars_files=[str(vars_file.path)], **options)["ciphertexts"]
        return [(row["key"], row["state"], row["secret"]) for row in rows]

    assert states() == [dead]
    assert states(key=None, keys=[{"name": "ml"}, {"name": "ml-tried"}]) == [dead]
    assert states(key=None, keys=[{"name": "ml-tried"}, {"name": "ml"}]) == [dead]
    done = fleet.run(contexts=list(VALUES))
    assert done["totals"] == totals(too_old=1)
    assert "ml-tried (decrypts it, and may be a copy of the key)" in done["problems"][0]["tried"][-1]


def test_without_derivation_nothing_shows_which_secret_a_ciphertext_is(bao: Bao, fleet: Fleet) -> None:
    make_key(bao, fleet.mount, "plain", derived=False)
    vars_file = VarsFile(bao, fleet.mount, fleet.folder.parent / "plain.transit.yml")
    vars_file.run({"openai_api_key": "sk-canary-one"}, key="plain")
    [known] = vars_file.ciphertexts().values()
    texts = encrypted(bao, fleet.mount, {"a": "sk-canary-one", "b": "sk-canary-one"}, "plain")
    path = fleet.write("a.env", f"X={known}\nAPI_TOKEN={texts['a']}\nOPENAI_API_KEY={texts['b']}\n")
    given: dict[str, Any] = {"key": "plain", "vars_files": [str(vars_file.path)]}
    unnamed = {"count": 1, "first": [{"path": str(path), "line": 2, "name": "API_TOKEN"}]}
    assert fleet.run(INFO, **given)["unnamed"] == unnamed
    assert fleet.run(INFO, **{**given, "vars_files": []})["unnamed"]["count"] == 3
    assert fleet.run(INFO)["unnamed"] == {"count": 0, "first": []}


def test_of_several_keys_each_gets_its_own(bao: Bao, fleet: Fleet, old: dict[str, str]) -> None:
    for name in ("other", "third"):
        make_key(bao, fleet.mount, name)
    theirs = encrypted(bao, fleet.mount, {"x": "y"}, "other")["x"]
    nobodys = encrypted(bao, fleet.mount, {"x": "y"}, "third")["x"]
    fleet.write("a.env", f"A={old['hf_token']}\nB={theirs}\nC={nobodys}\n")
    keys = [{"name": "ml"}, {"name": "other", "backend": f"/{fleet.mount}/"}]
    asked: dict[str, Any] = {"key": None, "keys": keys, "contexts": ["hf_token", "x"]}

    def states() -> list[tuple[str, str, str]]:
        return [(row["key"], row["state"], row["secret"]) for row in fleet.run(INFO, **asked)["ciphertexts"]]

    assert states() == [("ml", "current", "hf_token"), ("other", "current", "x"), ("third", "foreign", "")]
    # A key does not look at what is below its floor, but another may know it.
    fleet.rotate()
    bao.done("POST", f"{fleet.mount}/keys/ml/config", {"min_decryption_version": 2})
    assert states() == [("ml", "too old", ""), ("other", "current", "x"), ("third", "foreign", "")]
    fleet.rotate("other")
    bao.done("POST", f"{fleet.mount}/keys/other/config", {"min_decryption_version": 2})
    assert states() == [("", "too old", ""), ("", "too old", ""), ("third", "foreign", "")]
    assert "does not have the option 'nothing'" in fleet.run(INFO, **asked, nothing=1).msg
    assert "exclude each other" in fleet.run(INFO, **{**asked, "key": "ml"}).msg


def test_hosts_that_are_reached_otherwise_need_nothing_but_python(fleet: Fleet, old: dict[str, str]) -> None:
    """The modules are sent, with neither a token nor an address."""
    file = fleet.write("a.env", f"OPENAI_API_KEY={old['openai_api_key']}\n")
    keys = VarsFile(fleet.bao, fleet.mount, fleet.folder.parent / "keys.transit.yml")
    keys.run({"limits": {"retries": 3}}, key="ml")
    copy = fleet.write("keys.yml", f"region: eu\n{keys.text()[4:]}")
    fleet.rotate()
    project = Project(fleet.folder.parent, {"BAO_ADDR": fleet.bao.addr, "BAO_TOKEN": fleet.bao.token})
    # Ansible's own folder has the arguments for as long as a module runs.
    project.hosts(1, ansible_remote_tmp=str(fleet.folder / "tmp"))
    project.play(
        f"""
        - mlkeys.transit.vault_transit_rewrap:
            paths: [{fleet.folder}]
            exclude: ["{old["openai_api_key"]}"]
            key: ml
            backend: {fleet.mount}
            contexts: [openai_api_key, limits.retries]
          environment: {{ELSEWHERE: "yes", BAO_ADDR: "{fleet.bao.addr}"}}
          register: done
        - ansible.builtin.assert:
            that: [done is changed, done.totals.rewrapped == 2]
        """
    )
    shown = project.run("-vvvv", "--diff", env={"ANSIBLE_INJECT_INVOCATION": "true"}).stdout
    assert shown.count("Using module file") == 2
    assert fleet.bao.token not in shown
    assert "line 1 openai_api_key: v1" in shown
    assert "vault:v2:" in file.read_text()
    content = VarsFile(fleet.bao, fleet.mount, copy).variables()
    assert bound("", content["limits"]["retries"], is_json=True) in content["_transit"]["hmac"]["limits.retries"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize("module", [INFO, REWRAP])
def test_an_encrypted_vars_file_does_not_vouch_for_itself(fleet: Fleet, module: str) -> None:
    """Its ciphertexts may be of a key that is gone, and have a version that the new key of this name has as well."""
    path = fleet.folder / "keys.transit.yml"
    VarsFile(fleet.bao, fleet.mount, path).run(VALUES, key="ml")
    fleet.bao.done("POST", f"{fleet.mount}/keys/ml/config", {"deletion_allowed": True})
    fleet.bao.done("DELETE", f"{fleet.mount}/keys/ml")
    make_key(fleet.bao, fleet.mount)
    result = fleet.run(module, vars_files=[str(path)])
    states = [one["state"] for one in result["problems" if module == REWRAP else "ciphertexts"]]
    assert states == ["unknown"] * len(VALUES)


def test_optional_places_are_searched_where_they_are(fleet: Fleet, old: dict[str, str]) -> None:
    path = fleet.write("service/.env", f"HF_TOKEN={old['hf_token']}\n")
    fleet.rotate()
    given: dict[str, Any] = {"paths": [], "optional_paths": [str(path.parent), "/etc/none/x"]}
    assert [one["state"] for one in fleet.run(INFO, **given)["ciphertexts"]] == ["behind"]
    assert fleet.run(**given)["totals"] == totals(rewrapped=1)
    assert fleet.run(**{**given, "optional_paths": ["/etc/none/x"]})["files"] == []


def test_a_template_must_decrypt_a_ciphertext_with_its_own_context(bao: Bao, fleet: Fleet, old: dict[str, str]) -> None:
    """Nothing gets the secret from a line with another one, or with none. A key that is not derived ignores both."""
    make_key(bao, fleet.mount, "flat", derived=False)
    flat = encrypted(bao, fleet.mount, {"x": "sk"}, key="flat")["x"]

    def called(text: str, context: str) -> str:
        bound = f' "context={base64.b64encode(context.encode()).decode()}"' if context else ""
        return f'{{{{ with secret "t/decrypt/k" "ciphertext={text}"{bound} }}}}{{{{ end }}}}\n'

    lines = [called(old["hf_token"], name) for name in ("hf_token", "openai_api_key", "")]
    file = fleet.write("agent.hcl", "".join([*lines, called(flat, "hf_token"), called(flat, "")]))
    keys = [{"name": "ml"}, {"name": "flat"}]
    found = fleet.run(INFO, paths=[str(file)], key=None, keys=keys, contexts=[*VALUES])["ciphertexts"]
    assert [one["state"] for one in found] == ["current", "unknown", "unknown", "current", "current"]
    reason = "the template decrypts it with {}, and it is a ciphertext of hf_token"
    assert found[1]["reason"] == reason.format("the context openai_api_key")
    assert found[2]["reason"] == reason.format("no context")


def test_the_key_of_a_vars_file_is_asked_first_and_others_about_what_it_does_not_own(bao: Bao, fleet: Fleet) -> None:
    make_key(bao, fleet.mount, "empty")
    names = ("a_key", "b_key")
    for name in names:
        make_key(bao, fleet.mount, name)
    texts = {name: vars_file(bao, fleet.mount, {f"{name}_{part}": "x" for part in "cd"}, name) for name in names}
    paths = [str(fleet.write(f"{name}.transit.yml", text)) for name, text in texts.items()]
    asked: dict[str, Any] = {
        "key": None,
        "keys": [{"name": name} for name in ("empty", *reversed(names))],
        "vars_files": paths,
    }
    ledger = Ledger(bao)
    found = fleet.run(INFO, **asked)
    assert [(row["key"], row["state"]) for row in found["ciphertexts"]] == [(n, "current") for n in names for _ in "cd"]
    assert sorted(path for _kind, path in ledger.requests if "/rewrap/" in path) == [
        f"{fleet.mount}/rewrap/{name}" for name in names
    ]
    # A file may name a key that does not own its ciphertexts.
    fleet.write("a_key.transit.yml", texts["a_key"].replace('"key": "a_key"', '"key": "empty"'))
    rows = fleet.run(INFO, **asked)["ciphertexts"]
    assert [row["key"] for row in rows] == ["a_key", "a_key", "b_key", "b_key"]
