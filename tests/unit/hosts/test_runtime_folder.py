# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder in memory of a service belongs to its user. Root makes it again at each start, and is not misled."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import jinja2
import pytest

from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "service.j2"
USER, GROUP = 65534, 65534
# Of another service, which logs in with it.
SECRET_ID = "6a174c20-f6de-a53c-74d2-6018fcceff64"


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder of the user nobody, in a folder of root in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder).chmod(0o755)
        made = Path(folder, "gw")
        made.mkdir(mode=0o700)
        os.chown(made, USER, GROUP)
        yield made


def make_folder(runtime: Path) -> None:
    """Run that function of the script as root."""
    loader = jinja2.FileSystemLoader(TEMPLATE.parent)
    environment = jinja2.Environment(autoescape=False, loader=loader)  # noqa: S701  it is a shell script
    environment.filters["quote"] = shlex.quote
    service = {"name": "gw", "user": "nobody", "group": "nogroup", "folder": str(runtime.parent), "command": ["true"]}
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        vault_transit_host_service={**service, "runtime": str(runtime), "agent": "x", "mode": "agent"}
    )
    script = text.partition("\ncase ${1:-} in")[0].replace("/run/mlkeys", str(runtime.parent)) + "\nmake_folder\n"
    subprocess.run(["/bin/sh", "-c", script], check=True, timeout=20, cwd="/")


def private(runtime: Path) -> None:
    (runtime.parent / "secret_id").touch(mode=0o600)
    (runtime.parent / "secret_id").write_text(SECRET_ID, encoding="ascii")
    (runtime / "attempts").symlink_to("../secret_id")


def words(runtime: Path) -> None:
    (runtime / "attempts").write_text("3 $(id)", encoding="ascii")


@pytest.mark.parametrize("hostile", [private, words])
def test_root_reads_no_file_of_its_own_for_the_user(runtime: Path, hostile: Callable[[Path], None]) -> None:
    hostile(runtime)
    make_folder(runtime)
    assert list(runtime.iterdir()) == []
    assert (runtime.stat().st_uid, runtime.stat().st_mode & 0o777) == (USER, 0o700)


def test_the_number_of_attempts_stays(runtime: Path) -> None:
    attempts = runtime / "attempts"
    attempts.write_text("3 4711\n", encoding="ascii")
    os.chown(attempts, USER, GROUP)
    make_folder(runtime)
    assert attempts.read_text(encoding="ascii") == "3 4711\n"
    assert attempts.stat().st_uid == USER


@pytest.mark.parametrize("proved", [False, True])
def test_a_folder_that_is_closed_to_the_user_does_not_keep_its_files(runtime: Path, proved: bool) -> None:
    """A service is started from wherever somebody is, such as the home folder of the user of Ansible."""
    loader = jinja2.FileSystemLoader(TEMPLATE.parent)
    environment = jinja2.Environment(autoescape=False, loader=loader)  # noqa: S701  it is a shell script
    environment.filters["quote"] = shlex.quote
    environment.filters["bool"] = bool
    service = {"name": "gw", "folder": str(runtime.parent), "runtime": str(runtime), "watch": True}
    fetch = runtime.parent / "fetch"
    text = environment.from_string((TEMPLATE.parent / "fetch.j2").read_text(encoding="utf-8")).render(
        vault_transit_host_service=service, vault_transit_host_program="false", vault_transit_host_secret_id_kept=True
    )
    fetch.write_text(text, encoding="utf-8")
    agent = runtime.parent / "agent.hcl"
    agent.write_text("x", encoding="ascii")
    digest = "sha256sum <../agent.hcl | cut -d ' ' -f 1 >.proof.digest"
    made = f"printf old >old; mkdir .proof; printf new >.proof/new; {digest}"
    user = ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "/bin/sh"]
    subprocess.run([*user, "-c", made], check=True, timeout=20, cwd=runtime)
    home = runtime.parent / "home"
    home.mkdir(mode=0o700)
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(home), *user, str(fetch), "once" if proved else "clear"],
        check=False,
        timeout=20,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in runtime.iterdir()] == (["new"] if proved else [])
