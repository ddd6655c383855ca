# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that vault_transit_vars writes: its mode, links, and what a killed run leaves."""

from __future__ import annotations

import fcntl
import grp
import multiprocessing
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._module import files
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import folders, replacing
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File, NewFile

from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import SECRETS, VarsFile

pytestmark = pytest.mark.usefixtures("both_ways")

ANOTHER = 12345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


def test_line_ends_stay(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    vars_file.path.write_bytes(vars_file.path.read_bytes().replace(b"\n", b"\r\n"))
    vars_file.converge({"openai_api_key": "sk-rolled-secret", "hf_token": "hf-new-secret"})
    assert vars_file.path.read_bytes().count(b"\r\n") == vars_file.path.read_bytes().count(b"\n") > 8


def test_a_new_file_is_for_its_owner_alone(vars_file: VarsFile, umask: None) -> None:
    vars_file.converge(SECRETS)
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o600


def test_mode_and_owner_can_be_asked_for(vars_file: VarsFile, umask: None) -> None:
    vars_file.run(SECRETS)
    done = vars_file.run(SECRETS, mode="0640", owner=str(os.getuid()), group=str(os.getgid()))
    assert done.changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o640
    vars_file.converge({"openai_api_key": "sk-rolled-secret"}, mode="0640")
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o640
    assert vars_file.run(mode="u=rw,g=,o=").changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o600


def test_a_file_that_is_there_keeps_its_mode_when_nothing_is_said(vars_file: VarsFile, umask: None) -> None:
    vars_file.run(SECRETS)
    vars_file.path.chmod(0o644)
    assert not vars_file.run(SECRETS).changed
    assert vars_file.run({"openai_api_key": "sk-rolled-secret"}).changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o644


def test_check_mode_predicts_a_change_of_mode(vars_file: VarsFile, umask: None) -> None:
    vars_file.run(SECRETS)
    predicted = vars_file.run(SECRETS, check=True, mode="0644")
    assert predicted.changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(vars_file: VarsFile, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "keys.transit.yml"
    vars_file.path.symlink_to(target)
    vars_file.converge(SECRETS)
    vars_file.converge({"openai_api_key": "sk-rolled-secret"})
    assert vars_file.path.is_symlink()
    assert target.is_file()
    assert not target.is_symlink()


@pytest.mark.parametrize("exists", [False, True])
def test_a_run_that_dies_before_the_last_step_leaves_the_old_file(vars_file: VarsFile, exists: bool) -> None:
    if exists:
        vars_file.run(SECRETS)
    folder = vars_file.path.parent
    before, files = vars_file.state(), set(folder.iterdir())
    written = []

    def die(_new: NewFile, file: File, **_options: object) -> None:
        assert file.path == str(vars_file.path)
        [new] = set(folder.iterdir()) - files
        written.append(new.read_text(encoding="utf-8"))
        raise KeyboardInterrupt

    with mock.patch.object(NewFile, "place", die), pytest.raises(KeyboardInterrupt):
        vars_file.run({"openai_api_key": "sk-rolled-secret"})
    assert "openai_api_key: vault:v1:" in written[0]
    assert vars_file.state() == before
    assert set(folder.iterdir()) == files


def left_file(path: Path) -> Path:
    """What a run that is killed between writing and renaming leaves."""
    return path.with_name(".mlkeys-0123456789abcdef")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_what_a_killed_run_left_is_removed(vars_file: VarsFile, mode: int) -> None:
    left = left_file(vars_file.path)
    left.write_text("half of a fi", encoding="utf-8")
    left.chmod(mode)
    vars_file.converge(SECRETS)
    assert not left.exists()
    assert vars_file.plaintexts() == SECRETS


def test_what_another_run_is_writing_is_left_alone(vars_file: VarsFile) -> None:
    left = left_file(vars_file.path)
    with left.open("w", encoding="utf-8") as file:
        file.write("theirs")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        vars_file.run(SECRETS)
        assert left.read_text(encoding="utf-8") == "theirs"


def test_a_folder_that_another_run_holds_is_named(vars_file: VarsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_PATIENCE_SECONDS", 0.1)
    with folders.folder_at(str(vars_file.path.parent)) as folder, folder.locked():
        assert "cannot be written (another run is writing in its folder)" in vars_file.refused(SECRETS)
    vars_file.converge(SECRETS)


@pytest.mark.parametrize("check", [True, False])
def test_nothing_is_written_that_cannot_be_read_again(
    vars_file: VarsFile, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    vars_file.run(SECRETS)
    monkeypatch.setattr(replacing, "MOST_BYTES", 1 << 20)
    # Its ciphertext is a third larger.
    refused = vars_file.refused({**SECRETS, "large": "a" * 800_000}, check=check)
    assert refused == f"{vars_file.path} was left as it is: it would be larger than 1 MiB. Put less into one file."


def test_the_size_of_a_file_is_predicted_to_the_byte(vars_file: VarsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    large = {**SECRETS, "large": "a" * 400_000}
    vars_file.run(large)
    size = vars_file.path.stat().st_size
    vars_file.path.unlink()
    monkeypatch.setattr(replacing, "MOST_BYTES", size - 1)
    assert "it would be larger than" in vars_file.refused(large, check=True)
    monkeypatch.setattr(replacing, "MOST_BYTES", size)
    vars_file.converge(large)


THEIRS = "theirs: vault:v1:QUJDREVG\n"


def interfering(vars_file: VarsFile, times: int) -> Callable[..., None]:
    """A replacement before which somebody else writes the file, the first times."""
    really, left = File.replace, [None] * times

    def late(file: File, *arguments: Any) -> None:
        if left:
            left.pop()
            vars_file.path.write_text(vars_file.text() + THEIRS.replace("theirs", f"theirs{len(left)}"), "utf-8")
        really(file, *arguments)

    return late


def decrypted(vars_file: VarsFile) -> str:
    return vars_file.decrypt("openai_api_key", vars_file.ciphertexts()["openai_api_key"])


def test_what_others_write_meanwhile_is_kept_beside_the_own(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    with mock.patch.object(File, "replace", interfering(vars_file, 2)):
        done = vars_file.run({"openai_api_key": "sk-rolled-secret"})
    assert (done.failed, done.changed) == (False, True)
    assert [vars_file.ciphertexts()[name] for name in ("theirs0", "theirs1")] == ["vault:v1:QUJDREVG"] * 2
    assert decrypted(vars_file) == "sk-rolled-secret"


def test_a_file_that_never_rests_is_left_as_it_is(vars_file: VarsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    vars_file.run(SECRETS)
    monkeypatch.setattr(files, "_PATIENCE_SECONDS", 0)
    with mock.patch.object(File, "replace", interfering(vars_file, 9)):
        failed = vars_file.run({"openai_api_key": "sk-rolled-secret"})
    assert failed.failed
    assert failed.msg == f"{vars_file.path} was changed by somebody else meanwhile. It was left as it is. Run again."
    assert "theirs8" in vars_file.text()
    assert decrypted(vars_file) == SECRETS["openai_api_key"]


@pytest.mark.parametrize("writers", [2, 8])
def test_writers_of_one_file_lose_nothing_of_each_other(vars_file: VarsFile, writers: int) -> None:
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    running = [context.Process(target=add, args=(vars_file, number, results)) for number in range(writers)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [results.get() for _process in running] == [None] * writers
    assert vars_file.plaintexts() == {name: value for number in range(writers) for name, value in own(number).items()}


def own(number: int) -> dict[str, str]:
    return {f"w{number}_{turn}": f"sk-secret-of-{number}-{turn}" for turn in range(6)}


def add(vars_file: VarsFile, number: int, results: multiprocessing.SimpleQueue[str | None]) -> None:
    """Add the secrets of one writer, one at a time, and say what failed."""
    failed = [str(done.msg) for name, value in own(number).items() if (done := vars_file.run({name: value})).failed]
    results.put(failed[0] if failed else None)


@as_root
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_root_does_not_follow_the_links_of_others(
    vars_file: VarsFile, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "app"
    victim.write_text("mine: vault:v1:QUJDREVG\n", encoding="utf-8")
    folder.mkdir()
    theirs = folder / "keys.transit.yml"
    link(victim, theirs)
    for path in (folder, theirs) if link is os.symlink else (folder,):
        os.chown(path, ANOTHER, ANOTHER, follow_symlinks=False)
    before = victim.stat()
    for more in ({}, {"owner": str(ANOTHER)}, {"mode": "0666"}):
        message = vars_file.refused(SECRETS, path=str(theirs), **more)
        assert message.startswith(f"{theirs}: ")
        assert "is not followed" in message or "it has other names (hard links)" in message
    assert victim.stat() == before
    assert victim.read_text(encoding="utf-8") == "mine: vault:v1:QUJDREVG\n"


@as_root
def test_root_does_not_give_away_a_file_that_another_user_may_have_renamed(vars_file: VarsFile, tmp_path: Path) -> None:
    theirs = tmp_path / "app" / "keys.transit.yml"
    theirs.parent.mkdir()
    vars_file.run(SECRETS, path=str(theirs))
    os.chown(theirs.parent, ANOTHER, ANOTHER)
    for more in ({"owner": str(ANOTHER)}, {"group": str(ANOTHER)}):
        message = vars_file.refused({"hf_token": "hf-other"}, path=str(theirs), **more)
        assert "it belongs to the user with ID 0, and may be another file that was renamed in" in message
    assert (theirs.stat().st_uid, theirs.stat().st_gid) == (0, 0)
    os.chown(theirs, ANOTHER, ANOTHER)
    assert vars_file.run(SECRETS, path=str(theirs), owner="0").changed


@as_root
def test_flags_are_not_set_where_others_may_write(vars_file: VarsFile, tmp_path: Path) -> None:
    os.chown(tmp_path, ANOTHER, ANOTHER)
    assert "attributes cannot be set in a folder that others may write to" in vars_file.refused(SECRETS, attributes="d")
    assert not vars_file.path.exists()


@as_root
def test_owner_and_group_may_be_names(vars_file: VarsFile) -> None:
    vars_file.converge(SECRETS, owner="nobody", group="nogroup", mode="u=rw,g=r,o=")
    status = vars_file.path.stat()
    assert (status.st_uid, status.st_gid) == (pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid)
    assert stat.S_IMODE(status.st_mode) == 0o640
    shown = vars_file.run(SECRETS, check=True, owner="0", mode="0600")["diff"]
    assert (shown["before"]["owner"], shown["after"]["owner"]) == (status.st_uid, 0)
    assert (shown["before"]["mode"], shown["after"]["mode"]) == ("0640", "0600")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"owner": "no-such-user"}, "There is no user 'no-such-user' on this machine."),
        ({"group": "no-such-group"}, "There is no group 'no-such-group' on this machine."),
        ({"mode": "rw"}, "mode: 'rw' is neither an octal number nor a symbolic mode such as u=rw,g=r."),
        ({"mode": "7777777"}, "mode: 7777777 holds more than permissions."),
    ],
)
def test_attributes_that_make_no_sense_are_refused_before_anything_is_asked(
    vars_file: VarsFile, options: dict[str, str], message: str
) -> None:
    ledger = Ledger(vars_file.bao)
    assert vars_file.refused(SECRETS, **options) == message
    assert vars_file.requests(ledger) == []
    assert not vars_file.path.exists()


def test_a_folder_that_is_missing_is_not_made(vars_file: VarsFile, tmp_path: Path) -> None:
    ledger = Ledger(vars_file.bao)
    missing = tmp_path / "nowhere"
    assert vars_file.refused(SECRETS, path=str(missing / "keys.transit.yml")) == (
        f"The folder {missing} does not exist. Create it first."
    )
    assert not missing.exists()
    assert vars_file.requests(ledger) == []


def test_a_folder_that_takes_no_file(vars_file: VarsFile) -> None:
    # Not even root may make a file here.
    message = vars_file.refused(SECRETS, path="/proc/keys.transit.yml")
    assert "/proc" in message
    assert "cannot be written" in message


def test_a_path_that_is_a_folder(vars_file: VarsFile, tmp_path: Path) -> None:
    assert vars_file.refused(SECRETS, path=str(tmp_path)) == f"{tmp_path}: Is a directory."
