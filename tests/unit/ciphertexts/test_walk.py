# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are searched. Whatever is not, and was not left out by the user, is named."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.walk import Places, Walk, walk
from ansible_collections.mlkeys.transit.plugins.module_utils._run import outputs

from tests.support.collection import ROOT

WALK = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.walk import Places, walk
print(json.dumps(walk(Places(*json.loads(sys.argv[2]))).as_result()))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name in ("a.env", "sub/b.env", "sub/deep/c.yml", ".hidden/d.env", ".git/config", "sub/.svn/e"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tree


def names(walked: Walk, tree: Path) -> list[str]:
    return [os.path.relpath(path, tree) for path in walked.files]


def unread(walked: Walk, tree: Path) -> dict[str, str]:
    assert all(one.reason for one in walked.unread)
    return {os.path.relpath(one.path, tree): one.kind for one in walked.unread}


def test_folders_files_and_patterns(tree: Path) -> None:
    everything = walk(Places([str(tree)]))
    assert names(everything, tree) == [
        ".git/config",
        ".hidden/d.env",
        "a.env",
        "sub/.svn/e",
        "sub/b.env",
        "sub/deep/c.yml",
    ]
    assert (everything.unread, everything.skipped, everything.linked) == ((), {}, {})
    assert names(walk(Places([f"{tree}/a.env", f"{tree}/sub/deep/", f"{tree}/a.env"])), tree) == [
        "a.env",
        "sub/deep/c.yml",
    ]
    assert names(walk(Places([f"{tree}/*.env", f"{tree}/*/deep/c.yml"])), tree) == ["a.env", "sub/deep/c.yml"]
    # A file of variables is often called .env, and nobody means to leave it out.
    (tree / ".env").write_text("")
    assert names(walk(Places([f"{tree}/*"])), tree) == [".env", *names(everything, tree)]
    assert names(walk(Places([f"{tree}/*.env"])), tree) == [".env", "a.env"]
    assert names(walk(Places([f"{tree}/.h*/d.???"])), tree) == [".hidden/d.env"]
    assert names(walk(Places([f"{tree}/.git"])), tree) == [".git/config"]


def test_a_pattern_of_nothing_is_named(tree: Path) -> None:
    walked = walk(Places([f"{tree}/*.none", f"{tree}/none/*/x", f"{tree}/*/deep"]))
    assert walked.unmatched == (f"{tree}/*.none", f"{tree}/none/*/x")
    assert names(walked, tree) == ["sub/deep/c.yml"]
    assert unread(walked, tree) == {"*.none": "failed", "none/*/x": "failed"}


def test_a_name_with_the_signs_of_a_pattern_is_a_name_if_it_exists(tree: Path) -> None:
    (tree / "[a]").write_text("")
    assert names(walk(Places([f"{tree}/[a]"])), tree) == ["[a]"]


def test_what_the_user_leaves_out_is_counted(tree: Path) -> None:
    (tree / "link.env").symlink_to("sub/deep/c.yml")
    walked = walk(Places([str(tree), f"{tree}/a.env"], patterns=["*.env"], exclude=["sub", "a.*"]))
    assert names(walked, tree) == [".hidden/d.env", "sub/deep/c.yml"]
    assert walked.skipped == {"not of a searched name": 1, "excluded": 3}
    walked = walk(Places([str(tree)], patterns=["*.yml"]))
    assert names(walked, tree) == ["sub/deep/c.yml"]
    assert walked.skipped == {"not of a searched name": 6}


def test_the_compressed_histories_of_version_control_are_named(tree: Path) -> None:
    """All else that it keeps is searched, also a folder of the same name."""
    for name in (".git/HEAD", ".git/refs/x", ".git/objects/aa/bb", "bare.git/HEAD", "bare.git/refs/x"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("")
    for name in ("bare.git/objects/pack/p", ".hg/store/data", ".hg/hgrc", "sub/objects/f", "sub/store/g"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("")
    walked = walk(Places([str(tree)]))
    histories = {".git/objects": "compressed", "bare.git/objects": "compressed", ".hg/store": "compressed"}
    assert unread(walked, tree) == histories
    assert {".hg/hgrc", "sub/objects/f", "sub/store/g", "bare.git/HEAD"} <= set(names(walked, tree))
    assert not any(name.startswith(tuple(histories)) for name in names(walked, tree))
    (tree / "link").symlink_to("bare.git/objects/pack/p")
    inside = ["bare.git/objects/pack", "bare.git/objects", ".git/objects/aa/bb", ".hg/store/data", "link"]
    walked = walk(Places([f"{tree}/{name}" for name in inside]))
    assert (unread(walked, tree), walked.files) == (dict.fromkeys(inside, "compressed"), ())
    assert walk(Places([f"{tree}/sub/objects/f"])).unread == ()


def test_names_of_a_file_outside_of_the_places_are_counted(tree: Path, tmp_path: Path) -> None:
    (tree / "twin.env").hardlink_to(tree / "a.env")
    (tree / "link.env").symlink_to("a.env")
    assert walk(Places([str(tree)])).linked == {}
    (tmp_path / "outside").hardlink_to(tree / "a.env")
    assert walk(Places([str(tree)])).linked == {f"{tree}/a.env": 1, f"{tree}/twin.env": 1}
    assert walk(Places([f"{tree}/a.env"])).linked == {f"{tree}/a.env": 2}


def test_links_are_followed_and_each_folder_is_read_once(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "f.env").write_text("")
    (tmp_path / "elsewhere" / "back").symlink_to(tree)
    (tree / "conf.d").symlink_to("../elsewhere")
    (tree / "again").symlink_to("../elsewhere")
    (tree / "self").symlink_to(".")
    (tree / "file").symlink_to("../elsewhere/f.env")
    walked = walk(Places([str(tree), str(tree / "conf.d")]))
    expected = ["../elsewhere/f.env", *names(walk(Places([f"{tree}/.git", f"{tree}/.hidden", f"{tree}/a.env"])), tree)]
    assert names(walked, tree) == [*expected, "sub/.svn/e", "sub/b.env", "sub/deep/c.yml"]
    assert walked.unread == ()


def test_what_is_not_there_is_named(tree: Path) -> None:
    (tree / "dangling").symlink_to("gone")
    (tree / "loop").symlink_to("loop")
    walked = walk(Places([str(tree), f"{tree}/none", f"{tree}/a.env/none", f"{tree}/sub/dangling", f"{tree}/dangling"]))
    assert unread(walked, tree) == {
        "a.env/none": "missing",
        "dangling": "dangling",
        "loop": "dangling",
        "none": "missing",
        "sub/dangling": "missing",
    }


def test_other_than_regular_files_are_named_and_not_opened(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tree)  # the path of a socket is short
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    walked = walk(Places([str(tree), "/dev/null", f"{tree}/pip*"]))
    assert unread(walked, tree) == {
        "pipe": "special",
        "socket": "special",
        os.path.relpath("/dev/null", tree): "special",
    }
    assert not any(one.blocks() or one.blocks(strict=True) for one in walked.unread)
    assert {one.reason for one in walked.unread} == {"a named pipe", "a socket", "a character device"}


@pytest.fixture
def closed(tree: Path) -> Iterator[Path]:
    """The tree with a folder that may not be listed, and one whose entries may not be reached."""
    folders = [tree / "closed", tree / "listed"]
    for folder, mode in zip(folders, (0o000, 0o600), strict=True):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "x.env").write_text("")
        folder.chmod(mode)
    yield tree
    for folder in folders:
        folder.chmod(0o700)


def walk_without_rights(places: list[str], patterns: list[str]) -> dict[str, Any]:
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    command = [sys.executable, "-c", WALK, str(ROOT / ".cache" / "collections"), json.dumps([places, patterns])]
    prefix = drop if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_what_may_not_be_read_is_named(closed: Path) -> None:
    places = [str(closed), f"{closed}/closed/inner", f"{closed}/closed/*/x.env", f"{closed}/c*/inner/x.env"]
    result = walk_without_rights(places, ["*"])
    kinds = {os.path.relpath(one["path"], closed): one["kind"] for one in result["unread"]}
    assert kinds == {"closed": "denied", "closed/inner": "denied", "listed/inner": "denied"}
    files = [os.path.relpath(path, closed) for path in result["files"]]
    assert files == [".git/config", ".hidden/d.env", "a.env", "sub/.svn/e", "sub/b.env", "sub/deep/c.yml"]


def test_what_may_be_a_folder_is_named_whatever_files_are_searched(closed: Path) -> None:
    result = walk_without_rights([str(closed)], ["*.none"])
    kinds = {os.path.relpath(one["path"], closed): one["kind"] for one in result["unread"]}
    assert kinds == {"closed": "denied", "listed/inner": "denied"}


def test_names_that_are_not_text_are_found(tree: Path) -> None:
    with open(os.fsencode(tree / "sub") + b"/\xff.env", "wb"):  # noqa: PTH123
        pass
    walked = walk(Places([str(tree)]))
    assert [os.fsencode(path).endswith(b"/\xff.env") for path in walked.files].count(True) == 1
    assert json.loads(json.dumps(walked.as_result())) == walked.as_result()


ANOTHER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
CIPHERTEXT = f"vault:v1:{'A' * 40}"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of another user, beside what is not that user's."""
    theirs = tmp_path / "theirs"
    (theirs / "releases" / "1").mkdir(parents=True)
    (theirs / "releases" / "1" / "app.env").write_text(CIPHERTEXT)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "secret.env").write_text(CIPHERTEXT)
    (tmp_path / "victim" / "program").write_text("no ciphertext")
    (theirs / "current").symlink_to("releases/1")
    (theirs / "absolute").symlink_to(theirs / "releases" / "1" / "app.env")
    for path in (theirs, *theirs.rglob("*")):
        os.chown(path, ANOTHER, ANOTHER, follow_symlinks=False)
    return theirs


def linked(folder: Path, name: str, target: str | Path, owner: int) -> None:
    (folder / name).symlink_to(target)
    os.chown(folder / name, owner, owner, follow_symlinks=False)


@as_root
@pytest.mark.parametrize("owner", [ANOTHER, 0])
def test_links_of_another_user_lead_nowhere_else(theirs: Path, owner: int) -> None:
    for name, target in {"up": "..", "folder": "../victim", "file": "../victim/secret.env", "root": "/"}.items():
        linked(theirs, name, target, owner)
    linked(theirs, "program", "../victim/program", owner)
    linked(theirs, "system", "/proc", owner)
    linked(theirs, "memory", "/proc/self/mem", owner)
    walked = walk(Places([str(theirs)]))
    assert names(walked, theirs) == ["releases/1/app.env"]
    assert unread(walked, theirs) == {
        **dict.fromkeys(("up", "folder", "file", "root"), "failed"),
        **dict.fromkeys(("system", "memory"), "special"),
    }
    assert all(one.blocks() for one in walked.unread if one.kind == "failed")
    reasons = {Path(one.path).name: one.reason for one in walked.unread}
    assert f"leads out of {theirs}, to which the user with ID {ANOTHER} may write" in reasons["up"]
    assert reasons["file"].startswith(f"it holds ciphertext, and {theirs}/file is a link that leads out of")
    # What is searched by its own name needs no link.
    walked = walk(Places([str(theirs), f"{theirs.parent}/victim"]))
    assert set(unread(walked, theirs)) == {"up", "root", "system", "memory"}


@as_root
def test_links_of_another_user_are_followed_within_what_is_theirs(theirs: Path) -> None:
    for place in (theirs, theirs / "current", theirs / "current" / "app.env", theirs / "absolute"):
        walked = walk(Places([str(place)]))
        assert (names(walked, theirs), walked.unread) == (["releases/1/app.env"], ())


@as_root
def test_a_link_that_the_user_names_leads_nowhere_else_either(theirs: Path) -> None:
    linked(theirs, "file", "../victim/secret.env", ANOTHER)
    linked(theirs, "folder", "../victim", ANOTHER)
    for name in ("file", "folder", "folder/secret.env", "fold*", "fold*/*"):
        walked = walk(Places([f"{theirs}/{name}"]))
        assert (walked.files, [one.kind for one in walked.unread][:1]) == ((), ["failed"])


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="the system does not list what is mounted")
def test_file_systems_of_the_kernel_are_named_and_not_read(tree: Path) -> None:
    (tree / "system").symlink_to("/proc")
    places = [str(tree), "/proc/self/environ", "/proc/*/environ", "/proc/self/task"]
    walked = walk(Places(places))
    assert {path for path in walked.files if not path.startswith(f"{tree}/")} == set()
    assert f"{tree}/a.env" in walked.files
    assert {one.path: (one.kind, one.reason) for one in walked.unread} == dict.fromkeys(
        (f"{tree}/system", "/proc/self/environ", "/proc", "/proc/self/task"),
        ("special", "a file system of the kernel (proc)"),
    )


def test_a_link_that_vanishes_does_not_end_the_search(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "dangling").symlink_to("gone")
    read = os.readlink

    def vanishing(path: str) -> str:
        Path(path).unlink()
        Path(path).write_text("")
        return read(path)

    monkeypatch.setattr(os, "readlink", vanishing)
    assert unread(walk(Places([str(tree)])), tree) == {"dangling": "missing"}


def test_a_text_that_cannot_be_a_path_is_named() -> None:
    assert [one.reason for one in walk(Places(["/tmp/a\0b"])).unread] == ["not a path"]  # noqa: S108


def test_folders_of_the_run_itself_are_not_searched(tree: Path) -> None:
    walked = walk(Places([str(tree)], own=[f"{tree}/sub", f"{tree}/gone"]))
    assert names(walked, tree) == names(walk(Places([str(tree)], exclude=["sub"])), tree)
    assert (walked.unread, walked.skipped) == ((), {})


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_log_of_a_run_is_named_and_not_searched(tree: Path, monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    with (tree / "run.log").open("wb") as log:
        streams = (log, None) if stream == "stdout" else (None, log)
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        running = subprocess.Popen(command, stdout=streams[0], stderr=streams[1])
    try:
        os.link(tree / "run.log", tree / "other name")
        monkeypatch.setattr(outputs, "os", SimpleNamespace(getpid=lambda: running.pid, stat=os.stat))
        walked = walk(Places([str(tree)]))
    finally:
        running.kill()
        running.wait()
    assert not {"run.log", "other name"} & set(names(walked, tree))
    found = [one for one in walked.unread if one.kind == "output"]
    assert {Path(one.path).name for one in found} == {"run.log", "other name"}
    assert {one.reason for one in found} == {"this run writes its output to it"}
    assert not any(one.blocks() for one in found)
    assert all(one.blocks(strict=True) for one in found)
    assert {"run.log", "other name"} <= set(names(walk(Places([str(tree)])), tree)), "it has ended"
