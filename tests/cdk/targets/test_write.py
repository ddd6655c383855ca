# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files are written all or not at all, other files stay, and outdated files are found."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mlkeys import MlkeysError
from mlkeys._synthesis import former_files
from mlkeys._synthesis.project import differences, write, write_app
from tests.cdk.apps import app_of, key_in, stack
from tests.support.neighbour import ANOTHER, as_root

FILES = {"a/b.txt": "one\n", "c.txt": "two\n", "manifest.json": json.dumps({"files": {"a/b.txt": "", "c.txt": ""}})}


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    write(FILES, tmp_path / "out")
    assert tree(tmp_path) == {f"out/{name}": text for name, text in FILES.items()}


def test_other_files_stay_and_obsolete_ones_are_removed(tmp_path: Path) -> None:
    write(FILES, tmp_path)
    (tmp_path / "a" / "state.transit.yml").write_text("vault:v1:x")
    write({"c.txt": "new\n", "manifest.json": json.dumps({"files": {"c.txt": ""}})}, tmp_path)
    assert set(tree(tmp_path)) == {"a/state.transit.yml", "c.txt", "manifest.json"}


def test_empty_folders_go_with_their_files(tmp_path: Path) -> None:
    write(FILES, tmp_path)
    write({"manifest.json": "{}"}, tmp_path)
    assert not (tmp_path / "a").exists()


def test_a_manifest_cannot_point_out_of_the_folder(tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("keep")
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text(json.dumps({"files": {"../victim.txt": "", str(victim): "", "c.txt": ""}}))
    write(FILES, out)
    assert victim.read_text() == "keep"


@as_root
@pytest.mark.parametrize("link", ["out", "out/a", "out/manifest.json"])
def test_nothing_is_written_or_created_behind_a_link_of_somebody_else(tmp_path: Path, link: str) -> None:
    victim = tmp_path / "victim"
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(victim)
    os.chown(tmp_path / link, ANOTHER, ANOTHER, follow_symlinks=False)
    os.chown(tmp_path, ANOTHER, ANOTHER)
    if link == "out/manifest.json":
        # A file takes the place of a link, and what it led to stays.
        write(FILES, tmp_path / "out")
        assert not victim.exists()
        return
    victim.mkdir()
    with pytest.raises(MlkeysError, match=f"is a link of the user with ID {ANOTHER}, and is not followed"):
        write({**FILES, "a/new/d.txt": ""}, tmp_path / "out")
    assert list(victim.iterdir()) == []


def test_a_link_in_the_folder_leads_to_no_removal_outside(tmp_path: Path) -> None:
    victim, out = tmp_path / "elsewhere" / "b.txt", tmp_path / "out"
    write(FILES, out)
    shutil.rmtree(out / "a")
    victim.parent.mkdir()
    victim.write_text("keep")
    (out / "a").symlink_to(victim.parent)
    before = tree(out)
    with pytest.raises(MlkeysError, match=r"out/a is a link, and nothing behind it is removed: .*: a/b\.txt"):
        write({"c.txt": "new\n", "manifest.json": "{}"}, out)
    assert tree(out) == before
    # Also if it comes in between.
    former_files.remove(out, "a/b.txt")
    assert victim.read_text() == "keep"
    # What is not there is not in the way, and a folder that is a link itself is the user's own.
    victim.rename(victim.parent / "other.txt")
    (tmp_path / "link").symlink_to("out")
    write({"manifest.json": "{}"}, tmp_path / "link")
    assert not (out / "c.txt").exists()
    assert (victim.parent / "other.txt").read_text() == "keep"


@pytest.mark.parametrize(
    "manifest",
    [
        *("{", "[]", "null", "1", '{"files": 3}', '{"files": [1, null]}', '{"files": null}', '{"files": {"a": 1}}'),
        *('{"files": [""]}', '{"files": ["."]}', '{"files": ["a/"]}', '{"files": ["a\\u0000b", "\\ud800"]}'),
        json.dumps({"files": ["x" * 300, "x" * 300 + "/y", "c.txt/d", "a"]}),
        '{"files":' + "[" * 100_000,
    ],
)
def test_a_damaged_manifest_removes_nothing(tmp_path: Path, manifest: str) -> None:
    write(FILES, tmp_path)
    (tmp_path / "manifest.json").write_text(manifest)
    write({**FILES, "d.txt": "three\n"}, tmp_path)
    assert set(tree(tmp_path)) == {*FILES, "d.txt"}


@pytest.mark.parametrize("content", [b"mine\n", b"", b"\xff"])
@pytest.mark.parametrize("name", ["manifest.json", "c.txt"])
def test_a_file_that_no_run_wrote_is_not_replaced(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MlkeysError, match=rf"did not write, and they are not replaced: {name}\. Name another folder"):
        write(FILES, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == content


def test_a_folder_with_files_of_others_alone_is_not_written_into(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("g", "f/inner", "e", "d2", "d1", "b"):
        (out / name).mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(MlkeysError, match=r"out is not empty, and no run .* has b, d1, d2, e, f …\. Name another"):
        write(FILES, out)
    assert tree(tmp_path) == before
    shutil.rmtree(out)
    # A repository of generated files is one.
    (out / ".git").mkdir(parents=True)
    (out / ".gitignore").write_text("")
    write(FILES, out)
    # What comes into it later stays, and so does what is beside a damaged manifest.
    (out / "mine").write_text("")
    write({**FILES, "c.txt": "changed\n"}, out)
    write(FILES, out)
    (out / "manifest.json").write_text("{")
    write(FILES, out)
    assert {"mine", *FILES} <= {*tree(out)}


def test_a_manifest_of_another_program_is_not_replaced(tmp_path: Path) -> None:
    manifest = '{"name": "An app of the web", "icons": []}'
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(MlkeysError, match=r"manifest\.json"):
        write(FILES, tmp_path)
    assert (tmp_path / "manifest.json").read_text() == manifest


def test_a_generated_file_is_known_without_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("---\n# Generated by mlkeys from app.py:1. Change the program.\nold\n")
    write(FILES, tmp_path)
    assert (tmp_path / "c.txt").read_text() == "two\n"


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    write(FILES, tmp_path)
    os.utime(tmp_path / "c.txt", ns=(1, 1))
    write({**FILES, "a/b.txt": "changed\n"}, tmp_path)
    assert (tmp_path / "c.txt").stat().st_mtime_ns == 1


def test_when_writing_fails_everything_is_as_it_was(tmp_path: Path) -> None:
    write(FILES, tmp_path)
    before = tree(tmp_path)
    # `a/b.txt` would have to be a file and a folder.
    with pytest.raises(MlkeysError, match="cannot be written"):
        write({**FILES, "c.txt": "changed\n", "a/b.txt/c": "x"} | {"a/b.txt": "changed"}, tmp_path)
    assert tree(tmp_path) == before


def test_outdated_files_are_named(tmp_path: Path) -> None:
    write(FILES, tmp_path)
    assert differences(FILES, tmp_path) == []
    (tmp_path / "c.txt").write_text("by hand")
    assert differences({**FILES, "new.txt": ""}, tmp_path) == ["c.txt", "new.txt"]
    assert differences({"manifest.json": FILES["manifest.json"]}, tmp_path) == ["a/b.txt", "c.txt"]


def test_the_api_writes_what_the_command_writes(tmp_path: Path) -> None:
    s = stack()
    key_in(s)
    app_of(s).synth(tmp_path / "one")
    write_app(app_of(s), tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert json.loads((tmp_path / "one" / "manifest.json").read_text())["stacks"]["s"]["targets"]
