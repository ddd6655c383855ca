# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys run`: what the program gets, what it does not get, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkeys._errors import MlkeysError
from mlkeys._system.memory_files import link
from tests.cdk.secrets.conftest import SECRETS, Invoke, Process, command_line
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


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--only", "gpc", "--", "true"], 1, "Did you mean 'gcp'"),
        (["--env", "gpc=G", "--", "true"], 1, "Did you mean 'gcp'"),
        (["--file", "gcp=/no/such/folder/file", "--", "true"], 1, "cannot be created"),
        (["--env-name", "MY_{NAME}", "--", "true"], 1, "MY_GCP is set in your environment. Leave out the secret 'gcp'"),
        (["--signal", "HUP", "--", "true"], 2, "--signal needs --watch"),
        (["--", "/no/such/program"], 127, "/no/such/program: command not found."),
        (["--", "/etc"], 126, "/etc: "),
        (["--", "sh", "-c", "exit 7"], 7, ""),
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
    assert stored.exists()
    assert words in process("run", *arguments, status=status).stderr.decode()


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
    assert not (tmp_path / "gcp.json").exists(), "a link that leads nowhere"
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


@pytest.fixture
def started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what each Python program that starts was started with, by its process ID."""
    folder = tmp_path / "site"
    (folder / "seen").mkdir(parents=True)
    code = f"import os; open(f'{folder}/seen/{{os.getpid()}}', 'ab').write(open('/proc/self/environ', 'rb').read())"
    (folder / "sitecustomize.py").write_text(code)
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), before))))
    return folder / "seen"


@pytest.mark.parametrize("number", [None, "HUP"])
def test_a_changed_file_starts_the_program_again_or_sends_a_signal(
    stored: Path, invoke: Invoke, allow: Allow, number: str | None, started_with: Path
) -> None:
    allow("decrypt", "encrypt", "hmac", "verify")
    program = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGHUP, lambda *a: (print('hup', flush=True), os._exit(3)))\n"
        "print(os.environ['OPENAI_API_KEY'], flush=True)\n"
        "time.sleep(60)"
    )
    own = ["run", "--watch", *(["--signal", number] if number else []), "--", sys.executable, "-c", program]
    with subprocess.Popen(command_line(own), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as started:
        assert started.stdout is not None
        assert started.stdout.readline().decode().strip() == SECRETS["openai_api_key"]
        environment = Path(f"/proc/{started.pid}/environ").read_bytes()
        assert b"BAO_TOKEN=" in environment
        assert not [
            text for text in (SECRETS["openai_api_key"], os.environ["BAO_TOKEN"]) if text.encode() in environment
        ]
        invoke("set", str(stored), "openai_api_key", stdin="sk-second")
        if number:
            assert started.stdout.readline() == b"hup\n"
            assert started.wait(20) == 3
        else:
            assert started.stdout.readline() == b"sk-second\n"
            started.send_signal(signal.SIGTERM)
            assert started.wait(20) == 128 + signal.SIGTERM
        inner = [path.read_bytes() for path in started_with.iterdir() if path.name != str(started.pid)]
        assert inner
        assert not [seen for seen in inner if os.environ["BAO_TOKEN"].encode() in seen]


# Names what it has, ignores the signal to end, and names its file again on another signal.
STUBBORN = (
    "import os, signal, time\n"
    "shown = lambda *_: print(os.getpid(), os.environ['OPENAI_API_KEY'], open(os.environ['F']).read(), flush=True)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGHUP, shown)\n"
    "shown()\n"
    "time.sleep(60)"
)


@pytest.mark.parametrize("number", [None, "HUP"])
def test_what_cannot_be_decrypted_ends_no_program(
    stored: Path, invoke: Invoke, allow: Allow, number: str | None
) -> None:
    allow("decrypt", "encrypt", "hmac", "verify")
    invoke("set", str(stored), "gcp", stdin="a long first file")
    right, other = stored.read_text(), Path("other") / stored
    other.parent.mkdir()
    other.write_text(right)
    for name in SECRETS:
        invoke("set", str(other), name, stdin="second")
    how = ["--signal", number] if number else ["--stop-timeout", "0"]
    own = ["run", "--watch", *how, "--file", "gcp=F", "--", sys.executable, "-c", STUBBORN]
    with subprocess.Popen(command_line(own), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        assert started.stdout.readline().split(" ", 1)[1] == f"{SECRETS['openai_api_key']} a long first file\n"
        stored.write_text("<<<<<<< HEAD\n" + right)
        said = started.stderr.readline()
        assert "the program stays as it is, until this is fixed: keys.transit.yml is not YAML" in said
        other.replace(stored)
        process, *shown = started.stdout.readline().split()
        assert shown == [SECRETS["openai_api_key"] if number else "second", "second"]
        os.kill(int(process), signal.SIGKILL)
        rest = started.stderr.read()
        assert started.wait(20) == 128 + signal.SIGKILL
    assert ("did not end within 0 seconds: killing it" in rest) is (number is None)
    assert "stays as it is" not in rest


def test_a_program_gets_the_signals_of_pipes_as_from_a_shell(stored: Path, process: Process, allow: Allow) -> None:
    allow("decrypt")
    assert stored.exists()
    done = process("run", "--", "bash", "-c", "yes | head -n 1; echo ${PIPESTATUS[0]}; grep SigIgn /proc/self/status")
    said, status, ignored = done.stdout.decode().split("\n")[:3]
    assert (said, status) == ("y", str(128 + signal.SIGPIPE))
    assert int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0


@pytest.mark.parametrize("words", ["run -- touch ran", "unset keys.transit.yml gcp"])
def test_an_output_that_is_closed_ends_no_command(stored: Path, allow: Allow, words: str) -> None:
    allow("decrypt")
    closing = ["sh", "-c", 'exec "$@" >&-', "sh", *command_line(words.split())]
    done = subprocess.run(closing, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert Path("ran").exists() is words.startswith("run")
    assert ("gcp" in stored.read_text()) is not words.startswith("unset")
