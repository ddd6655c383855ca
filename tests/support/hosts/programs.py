# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts need of this machine, and the programs that are downloaded where it lacks them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.support.collection import ROOT

PYTHON = "/usr/bin/python3"

# Program to the Debian packages that it comes from.
_PROGRAMS = {
    "/usr/sbin/sshd": ("openssh-server", "openssh-sftp-server", "libwrap0"),
    "/usr/bin/sudo": ("sudo",),
}
_SUPERVISORS = {"/usr/bin/s6-svscan": "s6", "/usr/bin/supervisord": "supervisor", "/usr/sbin/cron": "cron"}
_DOWNLOADS = ROOT / ".cache" / "hosts"
_APT_SECONDS = 300
_QUIET = ("-qq", "-o", "APT::Sandbox::User=root")


class DownloadError(Exception):
    """A program that hosts need could not be downloaded."""


def missing_requirements() -> str:
    """What this machine lacks to have hosts, as a sentence; empty if nothing."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "hosts need root on Linux"
    missing = [name for name in ("unshare", "nsenter", "dpkg", "ssh-keygen", "ip") if shutil.which(name) is None]
    missing += [PYTHON] if not Path(PYTHON).exists() else []
    return f"hosts need {', '.join(missing)}" if missing else ""


def extra_files() -> Path:
    """A folder that holds the programs which this machine lacks, at the paths where they would be installed."""
    with _locked(_DOWNLOADS):
        missing = [name for program, names in _PROGRAMS.items() if not Path(program).exists() for name in names]
        # This machine may have links of these names. Folders would hide what the links point to.
        without = ("bin", "lib", "sbin", "usr/share", "usr/include", "var")
        return _unpacked("-".join(missing) or "nothing", lambda: missing, without)


def supervisor_files() -> Path:
    """A folder that holds what starts services without systemd, where this machine lacks it. Hosts do not have it."""
    with _locked(_DOWNLOADS):
        missing = [name for program, name in _SUPERVISORS.items() if not Path(program).exists()]
        return _unpacked(f"supervisors-{'-'.join(missing) or 'nothing'}", lambda: _with_dependencies(missing))


def _unpacked(name: str, packages: Callable[[], Sequence[str]], without: Sequence[str] = ()) -> Path:
    """A folder with the content of packages, which is made once.

    Args:
        without: what it leaves out.
    """
    made = _DOWNLOADS / name
    if made.exists():
        return made
    archives, new = _DOWNLOADS / "packages", _DOWNLOADS / "new"
    for folder in (archives, new):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    if names := packages():
        _download(names, archives)
    for archive in archives.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(new)], check=True)  # noqa: S607
    for part in without:
        shutil.rmtree(new / part, ignore_errors=True)
    shutil.rmtree(archives)
    new.rename(made)
    return made


def _with_dependencies(names: Sequence[str]) -> list[str]:
    """These packages, and those of which they need files and which this machine lacks."""
    if not names:
        return []
    needed = _needed(names)
    # Without lists of packages, it finds nothing, without an error.
    if not needed.issuperset(names):
        _update()
        needed = _needed(names)
        if lacking := sorted(set(names) - needed):
            raise DownloadError(f"apt-cache knows no packages {', '.join(lacking)}")
    asked = ["dpkg-query", "--show", "--showformat=${Package} ${Status}\n", *needed]
    known = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return sorted(needed - {line.split()[0] for line in known.splitlines() if line.endswith(" installed")})


def _needed(names: Sequence[str]) -> set[str]:
    """Packages with all on which they depend, as far as this machine knows them."""
    other = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    command = ["apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in other), *names]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {line for line in shown.splitlines() if line[:1].isalnum()}


def bytecode_folder() -> Path:
    """A folder for the bytecode of modules, see kept_bytecode.py. All hosts write into it, as different users."""
    folder = _DOWNLOADS / "bytecode"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o1777)
    return folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other test processes from downloading at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(names: Sequence[str], folder: Path) -> None:
    """Packages from Debian, without installing them: nothing on this machine changes."""
    download = ["apt-get", *_QUIET, "download", *names]
    if subprocess.run(download, cwd=folder, capture_output=True, timeout=_APT_SECONDS, check=False).returncode == 0:
        return
    _update()
    done = subprocess.run(download, cwd=folder, capture_output=True, text=True, timeout=_APT_SECONDS, check=False)
    if done.returncode:
        raise DownloadError(f"apt-get cannot download {', '.join(names)}:\n{done.stderr[-2000:]}")


def _update() -> None:
    update = ["apt-get", *_QUIET, "update"]
    subprocess.run(update, capture_output=True, timeout=_APT_SECONDS, check=False)
