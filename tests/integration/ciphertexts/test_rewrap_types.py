# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted vars files after a rotation: every writer leaves values and their types, in the file and in its copies."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._module import ciphertexts as _module_ciphertexts
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile as Content
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import assembled, interpret
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import flattened, leaf_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import decoded
from hypothesis import HealthCheck, assume, example, given, settings

from tests.integration.support.vars_files import VarsFile, encoded
from tests.support.modules import ModuleResult, by_action, run_module
from tests.support.server import Bao
from tests.unit.vars_file.nested_data import DATA, typed

KEY = "derived"
TYPES: dict[str, Any] = {"a": 3, "b": {"on": True, "text": "3", "none": None, "empty": "", "list": []}, "c": "sk"}


@dataclass(frozen=True)
class Keys:
    """An encrypted vars file, and copies of it on a host."""

    file: VarsFile
    host: Path

    def encrypt(self, data: dict[str, Any], **options: Any) -> ModuleResult:
        return self.done(self.file.run(data, key=KEY, store_empty=list(data), **options))

    def rewrap(self, **options: Any) -> ModuleResult:
        given = {**self.file.bao.login, "backend": self.file.mount, "key": KEY, "paths": [str(self.host)], **options}
        return run_module("vault_transit_rewrap", given)

    def read(self, path: Path | None = None) -> tuple[dict[str, Any], set[int]]:
        """What the file, or a copy, holds, and the versions of its ciphertexts."""
        text = (path or self.file.path).read_text(encoding="utf-8")
        content = VarsFile(self.file.bao, self.file.mount, path or self.file.path).variables()
        found = interpret(content, str(path), text)
        return self.opened(found), {entry.version for entry in found.entries.values()}

    def opened(self, file: Content) -> dict[str, Any]:
        entries = list(file.entries.values())
        items = [{"ciphertext": entry.ciphertext, "context": encoded(entry.name)} for entry in entries]
        answers = self.file.bao.done("POST", f"{self.file.mount}/decrypt/{KEY}", {"batch_input": items})
        contents = [base64.b64decode(one["plaintext"] or "") for one in answers["data"]["batch_results"]]
        leaves = {entry.name: decoded(entry.opened(one)) for entry, one in zip(entries, contents, strict=True)}
        return assembled(file, {**file.open, **leaves})

    @staticmethod
    def done(result: ModuleResult) -> ModuleResult:
        assert not result.failed, result
        return result


@pytest.fixture
def keys(bao: Bao, mount: str, tmp_path: Path) -> Iterator[Keys]:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key(KEY, derived=True)
    (tmp_path / "host").mkdir()
    with by_action():
        yield Keys(file, tmp_path / "host")


WRITERS: dict[str, Callable[[Keys], ModuleResult]] = {
    "the vars module": lambda keys: keys.file.run(key=KEY),
    "the vars module, with fingerprints": lambda keys: keys.file.run(key=KEY, refresh_fingerprints=True),
    "the rewrap": lambda keys: keys.rewrap(paths=[str(keys.file.path)], vars_files=[str(keys.file.path)]),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
@given(data=DATA)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(data=TYPES)
def test_each_writer_leaves_values_and_types(
    keys: Keys, writer: Callable[[Keys], ModuleResult], data: dict[str, Any]
) -> None:
    assume(not any(map(leaf_problem, flattened(data))))
    keys.file.path.unlink(missing_ok=True)
    keys.encrypt(data)
    before, versions = keys.read()
    keys.file.rotate(KEY)
    Keys.done(writer(keys))
    after, rewrapped = keys.read()
    assert typed(after) == typed(before)
    assert {version + 1 for version in versions} == rewrapped


def test_copies_on_a_host_keep_their_types_beside_other_lines(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.encrypt(TYPES)
    text = keys.file.text()
    copy, beside, merged = (keys.host / name for name in ("copy.yml", "beside.yml", "merged.yml"))
    copy.write_text(text)
    beside.write_text(text.replace("---\n", "---\nregion: eu\n"))
    *lines, last = text.rstrip("\n").split("\n")
    merged.write_text("\n".join([*lines, "<<<<<<< HEAD", last, "=======", last, ">>>>>>> other", ""]))
    keys.file.rotate(KEY)
    # A file may be rewritten a part at a time.
    monkeypatch.setattr(_module_ciphertexts, "AT_ONCE", 3)
    done = Keys.done(keys.rewrap(vars_files=[str(keys.file.path)], strict=True))
    assert done["totals"]["rewrapped"] == 3 * len(flattened(TYPES)), done
    for path in (copy, beside):
        assert (typed(keys.read(path)[0]), keys.read(path)[1]) == (typed(TYPES), {2})
    *lines, _begin, last, _middle, _other, _end = merged.read_text().rstrip("\n").split("\n")
    merged.write_text("\n".join([*lines, last, ""]))
    assert typed(keys.read(merged)[0]) == typed(TYPES)


def test_copies_of_a_value_that_was_replaced_have_the_type_of_the_new_one(keys: Keys) -> None:
    keys.encrypt(TYPES)
    copy = keys.host / "copy.yml"
    copy.write_text(keys.file.text())
    keys.file.rotate(KEY)
    other = {"a": "3", "b": {"on": 1, "text": 3, "none": "sk", "empty": None, "list": "[]"}, "c": {}}
    successors = keys.encrypt(other, return_successors=True)["successors"]
    before = copy.read_bytes()
    refused = keys.rewrap(replacements=successors)
    assert [(one["path"], one["kind"]) for one in refused["unread"]] == [(str(copy), "failed")]
    assert "vars_files" in refused["unread"][0]["reason"]
    assert copy.read_bytes() == before
    Keys.done(keys.rewrap(vars_files=[str(keys.file.path)], strict=True))
    assert keys.read(copy) == (other, {2})
    assert typed(keys.read(copy)[0]) == typed(other)
