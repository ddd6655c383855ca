# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are replaced in one step or not at all, and nobody else gains anything by that."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import folders, replacing
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.attributes import KEEP, Attributes
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File, NewFile

from tests.support.neighbour import ANOTHER, AS_ANOTHER, as_root, give_rights, racing

ROUNDS = 200


@contextmanager
def opened(path: Path) -> Iterator[File]:
    with folders.opened(str(path)) as place, File(*place) as file:
        yield file


def replace(path: Path, content: bytes = b"new", attributes: Attributes = KEEP) -> None:
    with opened(path) as file:
        file.replace(content, attributes)


def set_attributes(path: Path, attributes: Attributes) -> None:
    with opened(path) as file:
        file.set(attributes)


def facts(path: Path) -> tuple[object, ...]:
    """All of a file that a neighbour might want to change."""
    status = path.lstat()
    return (status.st_ino, status.st_uid, status.st_gid, status.st_mode, status.st_nlink, path.read_bytes())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app" / "m.env"


@pytest.fixture(autouse=True)
def folder(path: Path) -> Path:
    path.parent.mkdir()
    return path.parent


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def only(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


# What a file is after that


def test_a_new_file_is_its_creators_alone(path: Path) -> None:
    replace(path)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert only(path)


def test_the_new_content_has_the_mode_the_owner_and_the_attributes_of_the_old(path: Path) -> None:
    path.write_text("old")
    if os.geteuid() == 0:
        os.chown(path, 0, 23456)
    path.chmod(0o2640)
    os.setxattr(path, "user.note", b"kept")
    before = path.stat()
    replace(path)
    after = path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.getxattr(path, "user.note") == b"kept"
    assert only(path)


@as_root
def test_attributes_that_are_given_take_their_place(path: Path) -> None:
    path.write_text("old")
    path.chmod(0o4755)
    replace(path, attributes=Attributes(uid=ANOTHER))
    status = path.stat()
    # The right to run as the owner goes with the owner.
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (ANOTHER, 0, 0o755)
    replace(path, attributes=Attributes(gid=23456, mode=0o4640))
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (ANOTHER, 23456, 0o4640)


@as_root
def test_attributes_alone_leave_the_file(path: Path) -> None:
    path.write_text("old")
    before = path.stat()
    with opened(path) as file:
        file.set(Attributes(uid=ANOTHER, mode=0o640))
        assert file.read() == b"old"
    after = path.stat()
    assert (after.st_ino, after.st_uid, after.st_gid) == (before.st_ino, ANOTHER, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o640


@as_root
def test_a_label_is_kept_or_given(path: Path) -> None:
    try:
        path.write_text("old")
        os.setxattr(path, "security.selinux", b"system_u:object_r:etc_t:s0\0")
    except OSError:
        pytest.skip("this file system has no labels")
    replace(path)
    with opened(path) as file:
        assert file.label() == "system_u:object_r:etc_t:s0"
    replace(path, attributes=Attributes(label="system_u:object_r:tmp_t:s0"))
    assert os.getxattr(path, "security.selinux") == b"system_u:object_r:tmp_t:s0\0"


@as_root
@pytest.mark.parametrize("owner", [0, ANOTHER])
def test_rights_that_others_gave_to_their_file_do_not_open_the_new_one(path: Path, owner: int) -> None:
    path.write_text("old")
    os.setxattr(path, "user.note", b"harmless")
    give_rights(path, "access")
    os.chown(path, owner, owner)
    replace(path)
    kept = {"user.note", "system.posix_acl_access"} if owner == 0 else {"user.note"}
    assert set(os.listxattr(path)) == kept


@as_root
@pytest.mark.parametrize("owner", [0, ANOTHER])
def test_what_root_makes_has_neither_rights_nor_group_from_a_folder_of_another_user(path: Path, owner: int) -> None:
    give_rights(path.parent, "default")
    os.chown(path.parent, owner, ANOTHER)
    path.parent.chmod(0o2755)
    for content in (b"first", b"second"):
        replace(path, content, Attributes(mode=0o640))
        assert path.stat().st_gid == (ANOTHER if owner == 0 else os.getegid())
        assert set(os.listxattr(path)) == ({"system.posix_acl_access"} if owner == 0 else set())


@as_root
def test_what_belongs_to_the_owner_of_a_folder_has_the_rights_and_the_group_of_the_folder(path: Path) -> None:
    give_rights(path.parent, "default")
    os.chown(path.parent, ANOTHER, ANOTHER)
    path.parent.chmod(0o2755)
    for attributes in (Attributes(uid=ANOTHER, mode=0o640), Attributes(mode=0o640)):
        replace(path, str(attributes).encode(), attributes)
        assert (path.stat().st_uid, path.stat().st_gid) == (ANOTHER, ANOTHER)
        assert os.listxattr(path) == ["system.posix_acl_access"]


@as_root
def test_rights_that_an_owner_gave_end_with_the_ownership(path: Path) -> None:
    path.write_text("old")
    give_rights(path, "access")
    os.chown(path, ANOTHER, ANOTHER)
    set_attributes(path, Attributes(mode=0o640))
    assert os.listxattr(path)
    set_attributes(path, Attributes(uid=0))
    assert not os.listxattr(path)


@as_root
def test_who_may_not_give_files_away_keeps_the_new_one(path: Path) -> None:
    path.write_text("old")
    path.chmod(0o4664)
    path.parent.chmod(0o777)
    program = f"""
from mlkeys._shared._files import folders, replacing
import os; {AS_ANOTHER}
with folders.opened("m.env") as (folder, name), replacing.File(folder, name) as file:
    file.replace(b"new")
"""
    search = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", program]
    subprocess.run(command, cwd=path.parent, env={**os.environ, "PYTHONPATH": search}, check=True)
    status = path.stat()
    assert path.read_bytes() == b"new"
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (ANOTHER, 0o664)


# What goes wrong


@pytest.mark.parametrize("step", ["replace", "fsync", "fchmod"])
def test_a_write_that_fails_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path.write_text("old")
    before = descriptors()

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left on device"):
        replace(path)
    assert path.read_bytes() == b"old"
    assert only(path)
    assert descriptors() == before


def test_a_run_that_is_interrupted_leaves_everything_as_it_was(path: Path) -> None:
    path.write_text("old")
    with opened(path) as file, suppress(KeyboardInterrupt), NewFile(file.folder) as new:
        new.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert only(path)


@pytest.mark.parametrize("what", ["changed", "replaced", "removed", "made"])
def test_a_file_that_is_not_what_it_was_is_left_alone(path: Path, what: str) -> None:
    if what != "made":
        path.write_text("old")
    with opened(path) as file:
        if what == "replaced":
            path.rename(path.with_name("away"))
        if what == "removed":
            path.unlink()
        else:
            path.write_text("theirs")
        with pytest.raises(replacing.ChangedMeanwhile):
            file.replace(b"new")
    assert what == "removed" or path.read_bytes() == b"theirs"
    assert {entry.name for entry in path.parent.iterdir()} <= {"m.env", "away"}


def test_a_link_in_the_place_of_the_new_file_is_not_followed(
    path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    path.with_name(f".mlkeys-{bytes(8).hex()}").symlink_to(victim)
    before = facts(victim)
    with pytest.raises(FileExistsError):
        replace(path)
    assert facts(victim) == before


def test_a_new_file_that_somebody_swaps_is_noticed(path: Path) -> None:
    with opened(path) as file, NewFile(file.folder) as new:
        new.write(b"new")
        [temporary] = path.parent.iterdir()
        temporary.unlink()
        temporary.write_text("theirs")
        with pytest.raises(replacing.ChangedMeanwhile):
            new.place(file)


def test_runs_of_several_users_take_turns(path: Path) -> None:
    """The lock that they share is that of the folder, as a run of another user would hold it."""
    path.write_text("old")
    other = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)

    def finish() -> None:
        path.with_name("theirs").write_text("theirs")
        path.with_name("theirs").replace(path)
        os.close(other)

    with opened(path) as file:
        turn = threading.Timer(0.2, finish)
        turn.start()
        with pytest.raises(replacing.ChangedMeanwhile):
            file.replace(b"ours")
        turn.join()
    assert path.read_text() == "theirs"


TEAM = 23456


def as_member(uid: int, folder: Path, work: Callable[[], int]) -> int:
    """Start a process of a user of the team that works in a folder. Its exit status is what the work returns."""
    process = os.fork()
    if process:
        return process
    status = 255
    try:
        os.chdir(folder)
        os.setgroups([TEAM])
        os.setgid(TEAM)
        os.setuid(uid)
        status = work()
    finally:
        os._exit(status)


def counted(rounds: int) -> int:
    done = 0
    while done < rounds:
        with suppress(replacing.ChangedMeanwhile), opened(Path("count")) as file:
            file.replace(str(int(file.read() or b"0") + 1).encode())
            done += 1
    return done


def created(rounds: int) -> int:
    """How many files are new by this user."""
    made = 0
    for number in range(rounds):
        while not Path(f"start{number}").exists():
            pass
        with suppress(replacing.ChangedMeanwhile, FileExistsError), opened(Path(f"new{number}")) as file:
            if file.status is None:
                file.replace(str(os.getuid()).encode())
                made += 1
    return made


@as_root
def test_users_of_a_folder_that_none_of_them_may_read_lose_nothing(folder: Path) -> None:
    """Nor runs of one user."""
    os.chown(folder, 0, TEAM)
    folder.chmod(0o730)
    file = folder / "count"
    file.write_text("0")
    os.chown(file, ANOTHER, TEAM)
    file.chmod(0o660)
    users = (ANOTHER, ANOTHER, ANOTHER + 1)
    members = [as_member(uid, folder, lambda: counted(40)) for uid in users]
    assert [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in members] == [40, 40, 40]
    assert file.read_text() == "120"
    members = [as_member(uid, folder, lambda: created(40)) for uid in users]
    for number in range(40):
        (folder / f"start{number}").touch()
        time.sleep(0.005)
    made = [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in members]
    assert sum(made) == 40
    owners = [int((folder / f"new{number}").read_text()) for number in range(40)]
    assert owners.count(ANOTHER + 1) == made[2]


def test_who_keeps_a_folder_locked_delays_a_run_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "_others", {"seconds": 0.3})
    other = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    begin = time.monotonic()
    for turn in range(5):
        with opened(path) as file:
            file.replace(f"{turn}".encode())
    os.close(other)
    assert path.read_text() == "4"
    assert 0.2 < time.monotonic() - begin < 1.5


def test_what_killed_runs_left_is_swept_and_what_is_being_written_is_not(path: Path) -> None:
    left, living = (path.with_name(f".mlkeys-{digit * 16}") for digit in "ab")
    left.write_text("half of a fi")
    left.chmod(0o400)
    similar = [path.with_name(name) for name in (".mlkeys-abc", "mlkeys-" + "a" * 16, ".mlkeys-" + "g" * 16)]
    for other in similar:
        other.write_text("theirs")
    with living.open("w") as file, folders.folder_at(str(path.parent)) as folder:
        fcntl.flock(file, fcntl.LOCK_EX)
        replacing.sweep(folder)
    assert set(path.parent.iterdir()) == {living, *similar}


def test_a_file_that_is_being_written_is_not_swept(path: Path) -> None:
    with opened(path) as file, NewFile(file.folder) as new:
        replacing.sweep(file.folder)
        new.write(b"new")
        new.place(file)
    assert path.read_bytes() == b"new"


def test_many_files_wait_in_a_folder_of_their_own(path: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        staging = stack.enter_context(folders.folder_at(str(tmp_path)))
        file = stack.enter_context(opened(path))
        new = stack.enter_context(NewFile(staging, 0o644))
        new.write(b"new", flush=False)
        new.close()
        assert list(path.parent.iterdir()) == []
        new.place(file, flush=False)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path.parent]


# Hostile neighbours


def test_a_file_of_a_few_blocks_is_not_read_as_a_whole(path: Path) -> None:
    path.touch()
    os.truncate(path, replacing.MOST_BYTES)
    with opened(path) as file:
        assert len(file.read() or b"") == replacing.MOST_BYTES
    os.truncate(path, 1 << 42)
    with opened(path) as file, pytest.raises(OSError, match="larger than 64 MiB"):
        file.read()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the caller's alone."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    victim.chmod(0o600)
    return victim


@pytest.fixture
def theirs(path: Path) -> Path:
    os.chown(path.parent, ANOTHER, ANOTHER)
    return path


@as_root
def test_a_link_of_a_neighbour_is_refused(theirs: Path, victim: Path) -> None:
    before = facts(victim)
    theirs.symlink_to(victim)
    os.chown(theirs, ANOTHER, ANOTHER, follow_symlinks=False)
    with pytest.raises(folders.UnsafeLink):
        replace(theirs, attributes=Attributes(uid=ANOTHER))
    assert facts(victim) == before
    assert theirs.is_symlink()


@as_root
def test_a_hard_link_of_a_neighbour_is_refused(theirs: Path, victim: Path) -> None:
    theirs.hardlink_to(victim)
    before = facts(victim)
    with pytest.raises(replacing.UnsafeFile, match="other names"):
        set_attributes(theirs, Attributes(uid=ANOTHER))
    assert facts(victim) == before


@pytest.fixture
def planted(path: Path) -> Path:
    """A file that a neighbour put where all may, before its writer came."""
    path.parent.chmod(0o1777)
    path.write_text("old")
    path.chmod(0o666)
    os.chown(path, ANOTHER, ANOTHER)
    return path


@as_root
def test_what_a_neighbour_put_into_a_shared_folder_is_not_written_for_that_neighbour(planted: Path) -> None:
    before = facts(planted)
    with pytest.raises(folders.UnsafeOwner, match=rf"owned by the user with ID {ANOTHER}.*{planted.parent}"):
        replace(planted)
    planted.parent.chmod(0o777)
    with pytest.raises(folders.UnsafeOwner):
        replace(planted, attributes=Attributes(mode=0o600))
    assert facts(planted) == before
    assert only(planted)


@as_root
def test_it_is_replaced_for_whom_the_writer_names(planted: Path) -> None:
    replace(planted, attributes=Attributes(uid=ANOTHER + 1))
    status = planted.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (ANOTHER + 1, 0, 0o600)
    os.chown(planted, ANOTHER, ANOTHER)
    replace(planted, attributes=Attributes(uid=ANOTHER))
    assert planted.stat().st_uid == ANOTHER


@as_root
def test_the_owner_of_a_folder_keeps_what_is_in_it(theirs: Path) -> None:
    theirs.write_text("old")
    os.chown(theirs, ANOTHER, ANOTHER)
    replace(theirs)
    assert theirs.stat().st_uid == ANOTHER


def test_a_hard_link_in_a_folder_of_ones_own_is_replaced(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)
    replace(path)
    assert (path.read_bytes(), victim.read_bytes()) == (b"new", b"mine")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_not_a_file_is_refused_and_holds_nobody_up(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(OSError, match=r"regular file|Is a directory"), opened(path):
        pass


@as_root
def test_a_racing_neighbour_gets_hold_of_nothing(theirs: Path, victim: Path) -> None:
    victim.parent.chmod(0o711)
    before = facts(victim)[:-2], victim.read_bytes()
    done = refused = 0
    with racing(theirs.parent):
        for number in range(ROUNDS):
            try:
                with opened(theirs) as file:
                    if file.status is not None:
                        file.set(Attributes(uid=ANOTHER, mode=0o666))
                    file.replace(b"secret %d" % number, Attributes(uid=ANOTHER, mode=0o640))
            except OSError:
                refused += 1
            else:
                done += 1
            assert (facts(victim)[:-2], victim.read_bytes()) == before
    assert done + refused == ROUNDS
    assert refused
