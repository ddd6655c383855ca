# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys run`: what the program gets, what it does not get, and what is left."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkeys._commands.secrets import programs
from mlkeys._errors import MlkeysError
from mlkeys._system.memory_files import link
from tests.cdk.secrets.conftest import SECRETS, Process, command_line
from tests.integration.support.plays import approle, live_tokens, may_use
from tests.integration.support.runs import Ledger
from tests.support.server import Bao

Allow = Callable[..., None]

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def environment_of(done: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    shown: dict[str, str] = json.loads(done.stdout)
    return shown


def test_the_program_gets_the_secrets_and_no_token(
    bao: Bao, stored: Path, process: Process, allow: Allow, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow("decrypt")
    monkeypatch.setenv("OPENAI_API_KEY", "of the shell")
    ledger = Ledger(bao)
    got = environment_of(process("run", "--", sys.executable, "-c", SHOW))
    assert {name: got[name] for name in ("OPENAI_API_KEY", "GCP")} == {
        "OPENAI_API_KEY": SECRETS["openai_api_key"],
        "GCP": SECRETS["gcp"],
    }
    assert got["BAO_ADDR"] == bao.addr
    assert "BAO_TOKEN" not in got
    assert len(ledger.requests) == 1, "one request for both"
    assert stored.exists()


def test_variables_are_named_as_asked(stored: Path, process: Process, allow: Allow) -> None:
    allow("decrypt")
    arguments = ["-f", str(stored), "--only", "openai_api_key", "--env-name", "TF_VAR_{name}", "--no-inherit"]
    got = environment_of(process("run", *arguments, "--", sys.executable, "-c", SHOW))
    assert got["TF_VAR_openai_api_key"] == SECRETS["openai_api_key"]
    assert not {"GCP", "BAO_ADDR", "BAO_TOKEN", "PYTEST_CURRENT_TEST"} & set(got)
    got = environment_of(process("run", "--env", "gcp=G", "--keep-login", "--", sys.executable, "-c", SHOW))
    assert got["G"] == SECRETS["gcp"]
    assert got["BAO_TOKEN"] == os.environ["BAO_TOKEN"]
    got = environment_of(process("run", "--no-inherit", "--keep-login", "--", sys.executable, "-c", SHOW))
    assert {"BAO_ADDR", "BAO_TOKEN"} <= set(got)
    assert "PYTEST_CURRENT_TEST" not in got


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--only", "gpc", "--", "true"], 1, "Did you mean 'gcp'"),
        (["--env", "gpc=G", "--", "true"], 1, "Did you mean 'gcp'"),
        (["--file", "gcp=/no/such/folder/file", "--", "true"], 1, "cannot be created"),
        (["--env-name", "MY_{NAME}", "--", "true"], 1, "MY_GCP is set in your environment. Leave out the secret 'gcp'"),
        (["--file", "gcp=OPENAI_API_KEY", "--", "true"], 1, "Two secrets would be in OPENAI_API_KEY: gcp and openai"),
        (["--signal", "SIGHUP", "--", "true"], 2, "--signal needs --watch"),
        (["--signal", "UP", "--", "true"], 2, "unknown signal 'UP'. Did you mean"),
        (["--stop-timeout", "0", "--", "true"], 2, "--stop-timeout needs --watch"),
        (["--", "/no/such/program"], 127, "/no/such/program: command not found."),
        (["--", "/etc"], 126, "/etc: "),
        (["-f", "", "--", "true"], 2, "the path is empty"),
        (["--", ""], 127, "Error: The command is empty."),
        (["--watch", "--", ""], 127, "Error: The command is empty."),
        (["--watch", "--signal", "HUP", "--stop-timeout", "3", "--", "true"], 2, "--stop-timeout cannot be used with"),
        (["--", "sh", "-c", "exit 7"], 7, ""),
        (["--watch", "--", "/no/such/program"], 127, "/no/such/program: command not found."),
        (["--watch", "--", "sh", "-c", "kill -HUP $$"], 128 + signal.SIGHUP, ""),
        (["-f", "empty", "--", "true"], 1, "No encrypted vars file (*.transit.yml) in "),
        (["--watch", "-f", "empty", "--", "true"], 1, "No encrypted vars file (*.transit.yml) in "),
    ],
)
def test_the_status_is_that_of_the_program_or_says_why_there_is_none(
    stored: Path,
    process: Process,
    allow: Allow,
    arguments: list[str],
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allow("decrypt")
    monkeypatch.setenv("MY_GCP", "of the shell")
    Path("empty").mkdir()
    assert stored.exists()
    assert words in process("run", *arguments, status=status).stderr.decode()


def test_a_program_that_is_not_found_has_the_status_of_a_shell(tmp_path: Path) -> None:
    refused, missing = PermissionError(errno.EACCES, "Permission denied"), FileNotFoundError(errno.ENOENT, "Missing")
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    search = {"PATH": str(tmp_path)}
    # A folder of the PATH that may not be searched refuses any name.
    assert programs.failure("other", search, refused) == (127, "command not found")
    assert programs.failure("script", search, refused) == (126, "Permission denied")
    assert programs.failure("/root/other", search, refused) == (126, "Permission denied")
    assert programs.failure("script", search, missing) == (127, "the interpreter that it names was not found")
    assert programs.failure(f"{script}s", search, missing) == (127, "command not found")
    for name in ("script", "other", str(tmp_path)):
        with pytest.raises(MlkeysError, match="command not found"):
            programs.check_runnable(name, search)
    script.chmod(0o755)
    programs.check_runnable("script", search)
    with pytest.raises(MlkeysError, match="GCP: an environment variable holds less"):
        programs.check_runnable("script", {**search, "GCP": "y" * 131072})


@pytest.mark.parametrize(
    ("content", "status", "output"),
    [(b"echo $KEY $1\n", 0, "sk-1 two"), (b"", 0, ""), (b"\x7fELF\0echo no\n", 126, "")],
)
def test_a_script_without_an_interpreter_is_one_of_the_shell(
    tmp_path: Path, content: bytes, status: int, output: str
) -> None:
    script = tmp_path / "script"
    script.write_bytes(content)
    script.chmod(0o755)
    search = {"PATH": str(tmp_path), "KEY": "sk-1"}
    program = f"from mlkeys._commands.secrets import run; run._become(['script', 'two'], {search})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (status, output)
    assert ("Exec format error" in done.stderr) is bool(status)


def test_a_secret_that_no_environment_can_hold_is_for_a_file() -> None:
    program = "from mlkeys._commands.secrets import run; run._become(['true'], {'SMALL': 'x', 'GCP': 'y' * 131072})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 126
    assert done.stderr == (
        "Error: true: GCP: an environment variable holds less than 128 KiB; give the secret as a file (--file).\n"
    )


def test_what_does_not_decrypt_stops_all(stored: Path, process: Process, allow: Allow) -> None:
    allow("decrypt")
    stored.write_text(stored.read_text().replace("openai_api_key: ", "other_name: "))
    done = process("run", "--", "echo", "started", status=1)
    assert b"other_name" in done.stderr
    assert done.stdout == b""


def test_files_come_from_the_environment_where_none_is_named(
    stored: Path, process: Process, allow: Allow, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow("decrypt")
    Path("kept").mkdir()
    kept = stored.rename("kept/keys.transit.yml")
    run = ("--only", "gcp", "--", sys.executable, "-c", SHOW)
    for named in (str(kept), ":kept"):
        monkeypatch.setenv("MLKEYS_FILES", named)
        assert environment_of(process("run", *run))["GCP"] == SECRETS["gcp"]
    assert b"none.transit.yml does not exist" in process("run", "-f", "none.transit.yml", *run, status=1).stderr


def test_it_becomes_the_program_and_gives_back_its_login(
    bao: Bao, mount: str, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stored.exists()
    monkeypatch.delenv("BAO_TOKEN")
    with approle(bao, may_use(mount)) as role:
        for name, value in role.environment.items():
            monkeypatch.setenv(name, value)
        program = (
            "import os, resource, sys\n"
            "print(os.getpid(), resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True)\n"
            "sys.stdin.read()"
        )
        with subprocess.Popen(
            command_line(["run", "--", sys.executable, "-c", program]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as started:
            assert started.stdout is not None
            assert started.stdout.readline().split() == [str(started.pid).encode(), b"0"]
            assert live_tokens(bao, role) == 0
            arguments = Path(f"/proc/{started.pid}/cmdline").read_bytes()
            assert not [value for value in SECRETS.values() if value.encode() in arguments]
            environment = Path(f"/proc/{started.pid}/environ").read_bytes()
            assert role.secret_id.encode() not in environment
            started.send_signal(signal.SIGTERM)
            assert started.wait(20) == -signal.SIGTERM


def test_a_secret_as_a_file_is_nowhere_but_in_memory(
    stored: Path, process: Process, allow: Allow, tmp_path: Path
) -> None:
    allow("decrypt")
    assert stored.exists()
    look = (
        "import os, sys\n"
        "path = sys.argv[1] if sys.argv[1:] else os.environ['CREDENTIALS']\n"
        "print(oct(os.stat(path).st_mode))\n"
        "print(open(path).read(), end='')"
    )
    for place, more in (("CREDENTIALS", []), (f"{tmp_path}/gcp.json", [f"{tmp_path}/gcp.json"])):
        done = process("run", "--file", f"gcp={place}", "--", sys.executable, "-c", look, *more)
        assert done.stdout.decode() == "0o100400\n" + SECRETS["gcp"]
    # Again: the link of the former run is replaced. --only need not name a secret of --file.
    process("run", "--only", "openai_api_key", "--file", f"gcp={tmp_path}/gcp.json", "--", "true")
    # It leads nowhere, or to something of another process which has the same number by now.
    assert "memfd" not in os.path.realpath(tmp_path / "gcp.json")
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "other").symlink_to(tmp_path / "mine")
    (tmp_path / "folder").mkdir()
    assert b"was not made by" in process("run", "--file", f"gcp={tmp_path}/mine", "--", "true", status=1).stderr
    for name in ("mine", "other", "folder"):
        with pytest.raises(MlkeysError, match="was not made by"):
            link(tmp_path / name, Path("/proc/self/fd/200"))
    assert (tmp_path / "other").read_text() == "mine"
    for path in tmp_path.iterdir():
        assert not path.is_file() or "run canary" not in path.read_text()


def test_a_name_of_any_length_is_a_file_in_memory_and_a_limit_is_reported() -> None:
    code = (
        "import resource, sys; from mlkeys._system.memory_files import memory_files\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)\n"
        "print(next(iter(memory_files({'a' * 300: b'x'}).values())).read_text())"
    )
    done = [
        subprocess.run([sys.executable, "-c", code, most], capture_output=True, text=True, check=False)
        for most in ("300", "100")
    ]
    assert done[0].stdout == "x\n", done[0].stderr
    assert "MlkeysError" in done[1].stderr
    assert "'ulimit -n' must be above 200" in done[1].stderr


def test_a_file_in_memory_takes_no_number_that_is_in_use(tmp_path: Path) -> None:
    code = (
        "import os, sys; from mlkeys._system.memory_files import memory_files\n"
        "os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 200)\n"
        "made = memory_files({'a': b'x', 'b': b'y'})\n"
        "os.write(200, b'lock')\n"
        "print(*made.values(), os.get_inheritable(201), made['b'].read_text())"
    )
    lock = tmp_path / "lock"
    done = subprocess.run([sys.executable, "-c", code, str(lock)], capture_output=True, text=True, check=True)
    assert done.stdout == "/proc/self/fd/201 /proc/self/fd/202 True y\n"
    assert lock.read_text() == "lock"


def test_what_a_process_was_started_with_can_be_blanked() -> None:
    code = (
        "import ctypes, os, pathlib; from mlkeys._system.own_memory import blank, close_to_others\n"
        "dumpable = lambda: ctypes.CDLL(None).prctl(3)\n"
        "before = dumpable(); blank(['A_TOKEN', 'NONE']); close_to_others()\n"
        "print(before, dumpable(), os.environ['A_TOKEN'], flush=True)\n"
        'os.system(\'tr "\\\\0" "\\\\n" < /proc/$PPID/environ\')'
    )
    given = {**os.environ, "A_TOKEN": "canary-token", "B_TOKEN": "kept"}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    first, *shown = done.stdout.splitlines()
    assert first == "1 0 canary-token"
    if os.geteuid() == 0:
        assert {"A_TOKEN=", "B_TOKEN=kept"} <= set(shown)
    assert "canary-token" not in shown


def test_a_program_gets_the_signals_of_pipes_as_from_a_shell(stored: Path, process: Process, allow: Allow) -> None:
    allow("decrypt")
    assert stored.exists()
    done = process("run", "--", "bash", "-c", "yes | head -n 1; echo ${PIPESTATUS[0]}; grep SigIgn /proc/self/status")
    said, status, ignored = done.stdout.decode().split("\n")[:3]
    assert (said, status) == ("y", str(128 + signal.SIGPIPE))
    assert int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0


def test_what_only_watching_needs_is_not_imported_without_it() -> None:
    code = "import sys, mlkeys._commands.secrets.run as _; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name.startswith("mlkeys.")}
    assert "mlkeys._commands.secrets.run" in loaded
    assert not loaded & {"mlkeys._commands.secrets.watching", "mlkeys._system.processes"}


def test_ctrl_c_shows_no_traceback_while_the_command_is_imported(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    done = subprocess.run(command_line(["run"]), cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("words", ["run -- touch ran", "unset keys.transit.yml gcp"])
def test_an_output_that_is_closed_ends_no_command(stored: Path, allow: Allow, words: str) -> None:
    allow("decrypt")
    closing = ["sh", "-c", 'exec "$@" >&-', "sh", *command_line(words.split())]
    done = subprocess.run(closing, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert Path("ran").exists() is words.startswith("run")
    assert ("gcp" in stored.read_text()) is not words.startswith("unset")
