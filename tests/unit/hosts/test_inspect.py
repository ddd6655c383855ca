# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role takes from a host before it acts as root: records of its own, one line each, and nothing else."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest

from tests.support.neighbour import ANOTHER, as_root, replaced_once_tested
from tests.support.programs import without_starters

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "inspect.sh.j2"
NAME = "no-such-service"


def reported(folder: Path, **more: object) -> list[str]:
    """What is reported of the service and of the host.

    Args:
        more: further facts of the service; `binary`, the path of the program of the agent; `before`, what the shell
            runs before the script; and `places`, other paths by those in the script.
    """
    loader = jinja2.FileSystemLoader(TEMPLATE.parent)
    environment = jinja2.Environment(autoescape=False, loader=loader)  # noqa: S701  it is a shell script
    environment.filters["quote"] = shlex.quote
    environment.filters["hash"] = lambda text, _kind: hashlib.sha256(text.encode()).hexdigest()
    service = {
        "folder": str(folder),
        "name": NAME,
        "state": "absent",
        "runtime": str(folder.parent / "runtime"),
        **more,
    }
    script = environment.get_template(TEMPLATE.name).render(
        vault_transit_host_described=[service],
        inventory_hostname="one",
        vault_transit_host_binary=more.get("binary", ""),
    )
    for place, other in dict(more.get("places", {})).items():  # type: ignore[call-overload]
        script = script.replace(place, str(other))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{more.get('before', '')}{script}"], capture_output=True, check=True, timeout=20
    )
    # As Ansible splits it, which splits at more than line feeds.
    lines = done.stdout.decode().splitlines()
    assert {line.partition(" ")[0] for line in lines} <= {".", NAME}
    return lines


def inspected(folder: Path, **more: object) -> list[str]:
    """What is reported of the service, without its name."""
    return [line.removeprefix(f"{NAME} ") for line in reported(folder, **more) if line.startswith(NAME)]


def look(folder: Path) -> list[str]:
    """The records among it."""
    return [line for line in inspected(folder) if not line.startswith(("holds ", "is ", "leaves "))]


def described(folder: Path) -> list[str]:
    return [line for line in inspected(folder) if line.startswith("is ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "service"
    made.mkdir()
    return made


def test_records_are_read(folder: Path) -> None:
    (folder / "accessor").write_text("0b1f-22")
    (folder / "started").write_text("abc123\n")
    (folder / "placed").write_text("file /srv/app/.env\nuser gw\ngroup gw\n")
    known = ["accessor 0b1f-22", "started abc123", "placed file /srv/app/.env", "placed user gw", "placed group gw"]
    assert look(folder) == ["has folder", *known]


def test_the_user_of_a_secret_id_is_named(folder: Path) -> None:
    (folder / "secret_id").write_text("x")
    os.chown(folder / "secret_id", ANOTHER, -1)
    assert look(folder) == ["has folder", "secret_id of UNKNOWN"]
    os.chown(folder / "secret_id", 0, -1)
    assert look(folder) == ["has folder", "secret_id of root"]
    (folder / "secret_id").rename(folder / "other")
    (folder / "secret_id").symlink_to("other")
    assert look(folder) == ["has folder"]


@pytest.mark.parametrize(
    "text",
    [
        "x\\nplaced file /etc/victim",
        "x\vplaced file /etc/victim",
        "x\x1cplaced file /etc/victim",
        "x\u2028placed file /v",
    ],
)
def test_no_record_becomes_another(folder: Path, text: str) -> None:
    for name in ("accessor", "started"):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "placed").write_text(f"file /srv/{chr(0x0B)}placed file /etc/victim\nother /etc/victim\nfile relative\n")
    assert look(folder) == ["has folder"]


def test_a_name_in_the_folder_is_not_a_record(folder: Path) -> None:
    (folder / "x\nplaced file").mkdir(parents=True)
    (folder / "x\vplaced user root").touch()
    assert look(folder) == ["has folder"]


def test_a_folder_is_not_a_placed_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (folder / "placed").write_text(f"file {tmp_path}\nfile {tmp_path}/link\nfile {tmp_path}/none\n")
    assert look(folder) == ["has folder", f"placed file {tmp_path}/link", f"placed file {tmp_path}/none"]


@pytest.mark.skipif(os.geteuid() != 0, reason="files belong to the user of the tests")
def test_what_is_there_is_described_by_its_hash(folder: Path) -> None:
    folder.chmod(0o750)
    (folder / "agent.hcl").write_text("exit_after_auth = true\n")
    (folder / "agent.hcl").chmod(0o640)
    (folder / "secret_id").write_text("secret")
    digest = hashlib.sha256(b"exit_after_auth = true\n").hexdigest()
    assert described(folder) == ["is . 750 root:root", f"is agent.hcl 640 root:root {digest}"]


def test_what_remains_of_a_service_is_listed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir()
    found = inspected(folder)
    assert {line for line in found if line.startswith("leaves ")} == {f"leaves {tmp_path}/runtime", f"leaves {folder}"}
    assert "has attempts" not in found
    # Its script makes the lock again when it stops the service, and the record of the host goes last.
    (folder / "service").touch()
    left = [line for line in inspected(folder) if line.startswith("leaves ")]
    assert left == [f"leaves {path}" for path in (f"/run/mlkeys-locks-0/service-{NAME}", f"{tmp_path}/runtime", folder)]
    for note in ("attempts", "refused", "locked"):
        (tmp_path / "runtime" / note).touch()
        assert "has attempts" in inspected(folder)
        (tmp_path / "runtime" / note).unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="files belong to the user of the tests")
def test_how_it_ended_and_what_it_ran_with_before_an_interrupted_run_is_reported(folder: Path, tmp_path: Path) -> None:
    ended, previous = tmp_path / "runtime.ended", tmp_path / "runtime.previous"
    for text in ("3 $(id)\n", "x 3\n", ""):
        ended.write_text(text)
        assert look(folder) == ["has folder"]
    ended.write_text("137 1700000000\n")
    [report] = look(folder)[1:]
    assert report.startswith("ended status 137 2023-11-1")
    ended.unlink()
    previous.mkdir()
    assert look(folder) == ["has folder"]
    (previous / "4").write_text("file /srv/app/.env\nuser gw\n")
    (previous / "5").write_text("abc-1")
    paths = f"1 64:1 {folder}/agent.hcl\n4 64:1 {folder}/placed\n5 64:1 {folder}/accessor\n"
    (previous / "paths").write_text(paths)
    # Of the secret ID that it had, if it has none any more.
    assert look(folder) == ["has folder", "has previous", "kept file /srv/app/.env", "accessor abc-1"]
    (previous / "5").write_text("$(id)")
    assert look(folder) == ["has folder", "has previous", "kept file /srv/app/.env"]
    (previous / "5").write_text("abc-1")
    (folder / "accessor").write_text("abc-2")
    assert [line for line in look(folder) if line.startswith("accessor")] == ["accessor abc-2"]
    assert f"leaves {previous}" in inspected(folder)


@pytest.mark.parametrize(
    ("code", "began", "reported"),
    [(1, 7, ["ended status 9 today"]), (2, 7, ["ended signal 9 today"]), (3, 7, ["ended signal 9 today"]), (1, 3, [])],
)
def test_how_a_unit_has_failed_is_reported_if_its_program_has_begun(
    folder: Path, tmp_path: Path, code: int, began: int, reported: list[str]
) -> None:
    says = {"Status": 9, "Code": code, "StartTimestamp": "today", "StartTimestampMonotonic": began}
    answers = [f"*=ExecMain{name}) echo {value} ;;" for name, value in says.items()]
    answers += ["*=InactiveExitTimestampMonotonic) echo 5 ;;", "is-active) return 3 ;;"]
    systemctl = (
        f"systemctl() {{ case $1$2 in --quiet*) set -- $2 ;; esac; case ${{2:-$1}} in {' '.join(answers)} esac; }}\n"
    )
    found = inspected(folder, before=systemctl, places={"/run/systemd/system": tmp_path})
    assert [line for line in found if line.startswith("ended")] == reported


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_others_own_is_not_read(folder: Path, tmp_path: Path) -> None:
    for name, text in (("accessor", "abc"), ("placed", "file /etc/victim\n"), ("started", "abc")):
        (folder / name).write_text(text)
        os.chown(folder / name, 12345, 12345)
    assert look(folder) == ["has folder"]
    (tmp_path / "mine").write_text("abc")
    (folder / "accessor").unlink()
    (folder / "accessor").symlink_to(tmp_path / "mine")
    assert look(folder) == ["has folder"]
    (folder / "fetch").symlink_to(tmp_path / "mine")
    assert [line.split()[1] for line in described(folder)] == ["."]


@pytest.mark.skipif(os.geteuid() != 0, reason="files belong to the user of the tests")
def test_of_placed_files_it_is_reported_only_that_they_are_as_described(folder: Path, tmp_path: Path) -> None:
    same, other = tmp_path / "same file", tmp_path / "other"
    for path in (same, other):
        path.write_text("text")
        path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to("/run/x")
    places = [{"path": str(path), "content": content} for path, content in ((same, "text"), (other, "secret"))]
    more = {"state": "present", "user": "root", "group": "root", "placed": [str(same), str(other), str(link)]}
    found = inspected(folder, **more, places=[*places, {"path": str(link), "state": "link"}])
    digest = hashlib.sha256(b"text").hexdigest()
    reported = [line for line in found if line.startswith("is ")]
    assert reported[1:] == [f"is {link} link /run/x", f"is {same} 640 root:root {digest}"]
    assert {"has user", "has group", f"link {link}"} <= set(found)
    os.chown(same, 12345, 12345)
    assert not [line for line in inspected(folder, **more, places=places) if str(same) in line]


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="this machine has systemd")
def test_a_host_without_systemd_hears_no_program_before_anything_changes(folder: Path) -> None:
    service = {"state": "present", "user": "root", "group": "root", "placed": [], "places": []}
    said = f". problem {NAME} has ready with notify, which needs systemd, and one has none. Set port, url or command"
    [problem] = [line for line in reported(folder, **service, ready={"notify": True}) if "problem" in line]
    assert problem.startswith(said)
    assert not [line for line in reported(folder, **service) if "problem" in line]


def test_a_program_that_the_host_lacks_is_refused_by_its_path(folder: Path) -> None:
    lacking = f"{folder}/bao"
    named = f". problem vault_transit_host_binary is {lacking}, and one has no such program. "
    for binary, agent, said in (
        (lacking, "x", [named]),
        (str(folder), "x", [str(folder)]),
        (lacking, "", []),
        ("/bin/sh", "x", []),
    ):
        problems = [line for line in reported(folder, binary=binary, agent=agent) if line.startswith(". problem")]
        assert len(problems) == len(said)
        assert all(one in line for one, line in zip(said, problems, strict=True))


def test_a_login_that_the_server_has_refused_is_reported_until_it_is_another(folder: Path) -> None:
    """Its accessor may be as it was, where somebody has damaged the secret ID."""
    runtime = folder.parent / "runtime"
    runtime.mkdir()
    logins = [folder / "role_id", folder / "secret_id"]
    for path in logins:
        path.touch()
    # As the service notes it.
    login = " ".join(f"{path.stat().st_ino} {int(path.stat().st_mtime)}" for path in logins)
    (runtime / "refused").write_text(f"1 4711 {login} \n")
    assert "has refused" in look(folder)
    (runtime / "refused").rename(runtime / "elsewhere")
    (runtime / "refused").symlink_to("elsewhere")
    assert "has refused" not in look(folder)
    (runtime / "elsewhere").rename(runtime / "refused")
    os.utime(folder / "secret_id", (1, 1))
    assert "has refused" not in look(folder)
    # A token of another mode may be there still.
    (folder / "once").mkdir()
    logins.append(folder / "once" / "wrapping_token")
    logins[-1].touch()
    login = " ".join(f"{path.stat().st_ino} {int(path.stat().st_mtime)}" for path in logins)
    (runtime / "refused").write_text(f"1 4711 {login} \n")
    assert "has refused" in look(folder)


@as_root
@pytest.mark.parametrize("name", ["refused", "app.env"])
def test_a_pipe_in_the_folder_of_the_user_keeps_nobody_waiting(folder: Path, name: str) -> None:
    runtime = folder.parent / "runtime"
    runtime.mkdir()
    os.chown(runtime, ANOTHER, ANOTHER)
    held, pipe = runtime / name, folder.parent / "pipe"
    (folder / "role_id").touch()
    status = (folder / "role_id").stat()
    text = f"1 1 {status.st_ino} {int(status.st_mtime)} \n"
    held.write_text(text)
    place = {"path": str(runtime / "app.env"), "content": text}
    more = {"state": "present", "user": "root", "group": "root", "placed": [], "places": [place]}
    reports = "has refused" if name == "refused" else f"is {held} 644 root:root"
    assert [line for line in inspected(folder, **more) if line.startswith(reports)]
    os.mkfifo(pipe)
    found = inspected(folder, before=replaced_once_tested(held, pipe), **more)
    assert held.is_fifo()
    assert not [line for line in found if line.startswith(reports)]
    assert [path.name for path in runtime.iterdir()] == [name]


def test_what_supervisord_has_loaded_is_reported_even_without_its_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{without_starters(tmp_path / 'others')}")
    (programs / "supervisord").write_text("#!/bin/sh\n")
    (programs / "supervisord").chmod(0o755)
    assert ". lacks supervisorctl" in reported(folder)
    for loaded, expected in ((f"mlkeys-{NAME}", True), (f"mlkeys-{NAME}2", False)):
        (programs / "supervisorctl").write_text(f"#!/bin/sh\necho '{loaded}   RUNNING   pid 42, uptime 0:00:09'\n")
        (programs / "supervisorctl").chmod(0o755)
        assert ("supervised" in look(folder)) is expected
        assert ". lacks supervisorctl" not in reported(folder)


def test_what_logrotate_has_kept_of_a_log_is_left_too(folder: Path, tmp_path: Path) -> None:
    kept = [f"{NAME}.log.1", f"{NAME}.log.2.gz", f"{NAME}.log-20261128.gz"]
    for name in (*kept, f"{NAME}.log.1.log", f"{NAME}.logs", f"a{NAME}.log.1"):
        (tmp_path / name).touch()
    found = inspected(folder, places={"/var/log/mlkeys": tmp_path})
    left = [line for line in found if line.startswith("leaves ")]
    assert left == [f"leaves {path}" for path in (*(tmp_path / name for name in kept), folder)]


def boots(folder: Path, tmp_path: Path, *, installed: list[str], running: list[str]) -> list[str]:
    """What may start services at boot, on a host that has these programs, and runs those."""
    etc, programs, processes = (tmp_path / name for name in ("etc", "programs", "processes"))
    for path in (etc / "local.d", etc / "service", etc / "services.d", etc / "cron.d", programs, processes / "1"):
        path.mkdir(parents=True)
    for name in installed:
        (programs / name).touch(mode=0o755)
    for number, name in enumerate(running):
        (processes / f"{number}").mkdir(exist_ok=True)
        (processes / f"{number}" / "comm").write_text(f"{name}\n", encoding="ascii")
    if "local" in running:
        (etc / "runlevels" / "default").mkdir(parents=True)
        (etc / "runlevels" / "default" / "local").touch()
    places: dict[str, object] = {
        "/etc/local.d": etc / "local.d",
        "/etc/service": etc / "service",
        "/etc/cron.d": etc / "cron.d",
    }
    places |= {"/etc/runlevels": etc / "runlevels", "/proc/[0-9]": f"{processes}/[0-9]"}
    others = without_starters(tmp_path / "others")
    found = reported(folder, before=f"PATH={programs}:{others}\n", places=places)
    return [line.removeprefix(". ") for line in found if line.startswith((". boots ", ". idle "))]


def test_what_runs_comes_before_what_is_only_installed(folder: Path, tmp_path: Path) -> None:
    found = boots(folder, tmp_path, installed=["rc-service", "runsv", "cron"], running=["cron", "runsv"])
    assert found == ["boots cron", "boots openrc", "idle openrc", "boots runit", "idle runit"]


def test_openrc_starts_scripts_if_a_runlevel_has_its_service_local(folder: Path, tmp_path: Path) -> None:
    found = boots(folder, tmp_path, installed=["rc-service", "crond"], running=["local", "crond"])
    assert found == ["boots openrc", "boots cron"]
