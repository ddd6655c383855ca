# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last release of a service is kept and put back by root, in folders that the user of the service may own."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from tests.support.hosts import missing_requirements
from tests.support.neighbour import replaced_once_tested

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

TEMPLATES = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates"
USER, GROUP = 65534, 65534


class Release:
    """A service `gw` with a file and a link in a folder of its user."""

    def __init__(self, root: Path) -> None:
        self.folder, self.runtime, self.elsewhere = root / "etc" / "gw", root / "run" / "gw", root / "elsewhere"
        self.app = root / "srv" / "app"
        self.env, self.link = self.app / "conf" / ".env", self.app / "conf" / "memory"
        for path in (self.folder, self.runtime, self.elsewhere, self.env.parent):
            path.mkdir(parents=True)
        for path in (self.app, self.env.parent):
            os.chown(path, USER, GROUP)
        (self.folder / "placed").write_text(f"file {self.env}\nfile {self.link}\nuser nobody\n")
        (self.folder / "agent.hcl").write_text("old")
        (self.folder / "agent.hcl").chmod(0o640)
        self.env.write_text("OLD=1\n")
        self.env.chmod(0o600)
        os.chown(self.env, USER, GROUP)
        self.link.symlink_to("/run/old")

    def run(self, template: str, before: str = "") -> subprocess.CompletedProcess[str]:
        """Run a script of the role, and something in its shell before that."""
        loader = jinja2.FileSystemLoader(TEMPLATES)
        environment = jinja2.Environment(autoescape=False, loader=loader)  # noqa: S701  it is a shell script
        environment.filters["quote"] = shlex.quote
        service = {"name": "mlkeys-of-no-host", "folder": str(self.folder), "runtime": str(self.runtime)}
        text = before + environment.get_template(template).render(vault_transit_host_service=service)
        return subprocess.run(["/bin/sh", "-c", text], check=False, timeout=20, cwd="/", capture_output=True, text=True)

    def keep(self) -> None:
        assert self.run("keep.sh.j2").returncode == 0

    def change(self) -> None:
        (self.folder / "agent.hcl").write_text("new")
        (self.folder / "fetch").write_text("new")
        self.env.write_text("NEW=1\n")
        self.link.unlink()
        self.link.write_text("NEW=1\n")


@pytest.fixture
def release() -> Iterator[Release]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Release(Path(folder))


def test_files_and_links_are_put_back(release: Release) -> None:
    release.keep()
    release.change()
    assert release.run("restore.sh.j2").returncode == 0
    assert (release.folder / "agent.hcl").read_text() == "old"
    assert (release.folder / "agent.hcl").stat().st_mode & 0o777 == 0o640
    assert not (release.folder / "fetch").exists()
    status = release.env.stat()
    assert (release.env.read_text(), status.st_mode & 0o777, status.st_uid) == ("OLD=1\n", 0o600, USER)
    assert str(release.link.readlink()) == "/run/old"
    assert {path.name for path in release.env.parent.iterdir()} == {".env", "memory"}
    assert not Path(f"{release.runtime}.previous").exists()


@pytest.mark.parametrize(("role_id", "login"), [("one", "new"), ("two", "old")])
def test_a_secret_id_is_put_back_if_it_is_of_another_approle(release: Release, role_id: str, login: str) -> None:
    """The server knows the previous one of the same AppRole no longer."""
    names = ("secret_id", "accessor", "expires")
    for name in names:
        (release.folder / name).write_text("old")
    (release.folder / "role_id").write_text("one")
    release.keep()
    release.change()
    for name in names:
        (release.folder / name).write_text("new")
    (release.folder / "role_id").write_text(role_id)
    done = release.run("restore.sh.j2")
    assert done.returncode == 0
    assert (release.folder / "role_id").read_text() == "one"
    assert [(release.folder / name).read_text() for name in names] == [login] * 3
    # That of the new AppRole is of no use, and its accessor is known to nobody afterwards.
    assert done.stdout == ("unused new\n" if login == "old" else "")


def test_a_release_that_had_no_secret_id_keeps_none_of_the_one_after_it(release: Release) -> None:
    names = ("secret_id", "accessor", "expires", "role_id")
    release.keep()
    release.change()
    for name in names:
        (release.folder / name).write_text("new")
    assert release.run("restore.sh.j2").stdout == "unused new\n"
    assert not [name for name in names if (release.folder / name).exists()]


def test_a_secret_id_that_a_run_has_not_replaced_yet_is_not_unused(release: Release) -> None:
    """It was interrupted after it had written the role ID of another AppRole."""
    for name in ("secret_id", "accessor", "role_id"):
        (release.folder / name).write_text("old")
    release.keep()
    release.change()
    (release.folder / "role_id").write_text("new")
    assert release.run("restore.sh.j2").stdout == ""
    assert (release.folder / "secret_id").read_text() == "old"


def test_what_is_kept_is_roots_alone(release: Release) -> None:
    release.keep()
    kept = Path(f"{release.runtime}.previous")
    assert (kept.stat().st_uid, kept.stat().st_mode & 0o777) == (0, 0o700)


def test_a_folder_that_leads_elsewhere_is_refused(release: Release) -> None:
    victim = release.elsewhere / ".env"
    victim.write_text("of another service")
    release.keep()
    release.env.parent.rename(release.app / "moved")
    release.env.parent.symlink_to(release.elsewhere)
    done = release.run("restore.sh.j2")
    assert done.returncode != 0
    assert f"{release.env} was not put back: somebody has changed its folder." in done.stderr
    assert victim.read_text() == "of another service"
    assert [path.name for path in release.elsewhere.iterdir()] == [".env"]
    # The rest is.
    assert (release.folder / "agent.hcl").read_text() == "old"


def test_a_link_in_the_place_of_a_file_is_replaced_itself(release: Release) -> None:
    victim = release.elsewhere / "victim"
    victim.write_text("of another service")
    release.keep()
    release.env.unlink()
    release.env.symlink_to(victim)
    assert release.run("restore.sh.j2").returncode == 0
    assert victim.read_text() == "of another service"
    assert (release.env.is_symlink(), release.env.read_text()) == (False, "OLD=1\n")


@pytest.mark.parametrize("linked", [False, True], ids=["folder", "link to a folder"])
def test_a_folder_in_the_place_of_a_file_receives_nothing(release: Release, linked: bool) -> None:
    release.keep()
    release.env.unlink()
    if linked:
        release.env.symlink_to(release.elsewhere)
    else:
        release.env.mkdir()
    done = release.run("restore.sh.j2")
    assert (done.returncode == 0) == linked
    assert list(release.elsewhere.iterdir()) == []
    assert not release.env.is_dir() or list(release.env.iterdir()) == []
    assert not list(release.env.parent.glob(".mlkeys.*"))


# The owner of the folder around a new one moves a folder of root to its name, before anything happens by that name.
RENAMED = 'mktemp() { made=$(command mktemp "$@") && mv "$made" away && mv important "$made" && echo "$made"; }\n'


@pytest.mark.parametrize("template", ["keep.sh.j2", "restore.sh.j2"])
def test_a_folder_of_root_by_the_name_of_a_new_one_stays(release: Release, template: str) -> None:
    release.keep()
    important = release.env.parent / "important"
    important.mkdir(mode=0o700)
    (important / "file").write_text("root's")
    done = release.run(template, RENAMED)
    assert done.returncode != 0
    assert f"{release.env} was not " in done.stderr
    [moved] = release.env.parent.glob(".mlkeys.*")
    assert (moved / "file").read_text() == "root's"


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_only_files_and_links_are_kept(release: Release, kind: str) -> None:
    other = release.app / "other"
    before = ""
    if kind == "pipe":
        os.mkfifo(other)
        before = replaced_once_tested(release.env, other)
    else:
        release.env.unlink()
        release.env.mkdir()
    done = release.run("keep.sh.j2", before)
    assert done.returncode != 0
    assert f"{release.env} was not kept: it is neither a file nor a link, or somebody is changing it." in done.stderr
    assert not list(release.env.parent.glob(".mlkeys.*"))
