# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys run --watch`: what a program gets when a file changes, and what does not end it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cdk.secrets.conftest import SECRETS, Invoke, command_line
from tests.cdk.stores import KEY
from tests.cdk.terminals import on_a_terminal, state_of

Allow = Callable[..., None]


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
    own = ["run", "--watch", *(["--signal", f"SIG{number}"] if number else []), "--", sys.executable, "-c", program]
    with subprocess.Popen(command_line(own), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as started:
        assert started.stdout is not None
        assert started.stdout.readline().decode().strip() == SECRETS["openai_api_key"]
        environment = Path(f"/proc/{started.pid}/environ").read_bytes()
        assert b"BAO_TOKEN=" in environment
        assert not [
            text for text in (SECRETS["openai_api_key"], os.environ["BAO_TOKEN"]) if text.encode() in environment
        ]
        # Two looks at a file that was written again as it was: nothing happens.
        stored.write_bytes(stored.read_bytes())
        time.sleep(1.5)
        # Nor where it is away for a moment, and back while a process decrypts.
        away = stored.rename("away")
        time.sleep(1)
        away.rename(stored)
        time.sleep(1.5)
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
    how = ["--signal", number] if number else ["--stop-timeout", "1"]
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
    assert ("did not end within 1 second: killing it" in rest) is (number is None)
    assert "stays as it is" not in rest


# Shows its secrets, and each signal that it handles.
HANDLED = "HUP INT QUIT USR1 USR2 WINCH CONT TTIN TTOU HUP"
HANDLING = f"""
HANDLED = {HANDLED!r}
"""
HANDLING += """
import os, signal, time
# Signals may come one upon the other, which print refuses.
show = lambda *what: os.write(1, f"{os.getpid()} {what[0]}\\n".encode())
for number in (*(getattr(signal, f"SIG{name}") for name in HANDLED.split()), signal.SIGRTMIN + 3):
    signal.signal(number, show)
show(",".join(os.environ.get(name, "") for name in ("OPENAI_API_KEY", "HF_TOKEN")))
time.sleep(60)
"""


def test_watching_goes_on_while_the_program_runs(stored: Path, invoke: Invoke, allow: Allow, mount: str) -> None:
    allow("decrypt", "encrypt", "hmac", "verify")
    right, program = stored.read_text(), Path("program")
    program.write_text(f"#!{sys.executable}\n{HANDLING}")
    program.chmod(0o755)
    own = command_line(["run", "--watch", "-f", ".", "--", "./program"])
    with subprocess.Popen(
        own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        pid, shown = started.stdout.readline().split()
        assert shown == SECRETS["openai_api_key"] + ","
        # Without a handler, it would be the end of this one.
        for number in (*(getattr(signal, f"SIG{name}") for name in HANDLED.split()), signal.SIGRTMIN + 3):
            started.send_signal(number)
            assert started.stdout.readline().split() == [pid, str(int(number))]
        for text, words in (
            ("", "keys.transit.yml holds no secrets."),
            (right[: right.index("_transit")], "keys.transit.yml does not name the key"),
            (None, "keys.transit.yml does not exist."),
        ):
            if text is None:
                stored.unlink()
            else:
                stored.write_text(text)
            assert f"the program stays as it is, until this is fixed: {words}" in started.stderr.readline()
            # No process that could not decrypt is left, not even as a defunct one.
            children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text()
            assert children.split() == [pid]
        stored.write_text(right)
        invoke("set", str(stored), "openai_api_key", stdin="second")
        assert started.stderr.readline() == "A file changed: starting again.\n"
        assert started.stdout.readline().split()[1:] == ["second,"]
        invoke("set", "more.transit.yml", "hf_token", "--key", KEY, "--backend", mount, stdin="third")
        assert started.stderr.readline() == "A file changed: starting again.\n"
        assert started.stdout.readline().split()[1:] == ["second,third"]
        program.unlink()
        invoke("set", str(stored), "gcp", stdin="fourth")
        assert "until this is fixed: ./program: command not found." in started.stderr.readline()
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 128 + signal.SIGTERM
        assert started.stdout.read() + started.stderr.read() == ""


def test_no_module_of_the_current_folder_gets_the_login(stored: Path, allow: Allow) -> None:
    allow("decrypt")
    assert stored.exists()
    Path("click.py").write_text("raise SystemExit(9)")
    own = [str(Path(sys.executable).parent / "mlkeys"), "run", "--watch", "--", "echo", "started"]
    assert subprocess.run(own, stdout=subprocess.PIPE, check=True).stdout == b"started\n"


def test_an_error_output_that_cannot_be_written_ends_nothing(stored: Path, invoke: Invoke, allow: Allow) -> None:
    allow("decrypt", "encrypt", "hmac", "verify")
    # A warning, which is not worth the program either.
    invoke("set", str(stored), "twice", "--allow-ciphertext", stdin="vault:v1:QUJDREVG")
    reading, writing = os.pipe()
    os.close(reading)
    own = command_line(["run", "--watch", "--", sys.executable, "-c", HANDLING])
    with subprocess.Popen(own, stdout=subprocess.PIPE, stderr=writing, text=True) as started:
        os.close(writing)
        assert started.stdout is not None
        assert started.stdout.readline().split()[1:] == [SECRETS["openai_api_key"] + ","]
        invoke("set", str(stored), "openai_api_key", stdin="second")
        assert started.stdout.readline().split()[1:] == ["second,"]
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 128 + signal.SIGTERM


@pytest.mark.parametrize("place", ["/dev/full", "closed pipe"])
def test_a_notice_is_written_or_not(place: str) -> None:
    program = (
        "import sys; from mlkeys._system.terminal import notice\n"
        "notice('one', 'yellow'); notice('two'); sys.stderr.flush(); print('done', flush=True)"
    )
    reading, writing = os.pipe()
    os.close(reading)
    with Path("/dev/full").open("w") as full:
        error = full.fileno() if place == "/dev/full" else writing
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=error, check=False)
    os.close(writing)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_the_program_ends_with_the_process_that_watches(stored: Path, allow: Allow) -> None:
    allow("decrypt")
    assert stored.exists()
    own = command_line(["run", "--watch", "--", sys.executable, "-c", HANDLING])
    with subprocess.Popen(own, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline().split()[1:] == [SECRETS["openai_api_key"] + ","]
        started.kill()
        assert started.stdout.read() == ""


def test_a_shell_stops_and_continues_the_program_with_the_process_that_watches(
    stored: Path, allow: Allow, tmp_path: Path
) -> None:
    allow("decrypt")
    assert stored.exists()
    own = shlex.join(command_line(["run", "--watch", "--", "cat"]))
    script = f'{own} & echo "pid" $!; read -r; jobs; fg; echo "left" $?; fg; echo "status" $?'
    with on_a_terminal(["bash", "--norc", "-ic", script], tmp_path, os.environ) as terminal:
        terminal.wait_for("pid ")
        terminal.wait_until(lambda: re.search(r"pid \d+\r", terminal.shown) is not None)
        pid = int(re.findall(r"pid (\d+)\r", terminal.shown)[0])
        # It reads from the terminal, in the background.
        terminal.wait_until(lambda: state_of(pid) == "T")
        terminal.type("\n")
        terminal.wait_for("Stopped")
        terminal.wait_until(lambda: state_of(pid) == "S")
        terminal.type("typed\n")
        terminal.wait_until(lambda: terminal.shown.count("typed") == 2)
        terminal.type("\x1a")
        terminal.wait_for(f"left {128 + signal.SIGTSTP}")
        terminal.wait_until(lambda: state_of(pid) == "S")
        terminal.type("\x04")
        terminal.wait_for("status 0")


def test_a_stopped_program_does_not_outlive_its_terminal(stored: Path, allow: Allow, tmp_path: Path) -> None:
    allow("decrypt")
    assert stored.exists()
    own = shlex.join(command_line(["run", "--watch", "--", "cat"]))
    with on_a_terminal(["bash", "--norc", "-ic", f"{own} & read -r"], tmp_path, os.environ) as terminal:
        children = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children")
        terminal.wait_until(lambda: children.read_text() != "")
        (watching,) = map(int, children.read_text().split())
        terminal.wait_until(lambda: state_of(watching) == "T")
        (program,) = map(int, Path(f"/proc/{watching}/task/{watching}/children").read_text().split())
        terminal.process.kill()
        terminal.wait_until(lambda: not state_of(watching) and not state_of(program))


# Leaves a process that ends to process 1, and waits until that has collected it.
ORPHANING = """
import os, time
if not os.fork():
    print(os.spawnlp(os.P_NOWAIT, "true", "true"), flush=True)
    os._exit(0)
os.wait()
while [name for name in os.listdir("/proc") if name.isdigit() and "(true) Z 1 " in open(f"/proc/{name}/stat").read()]:
    time.sleep(0.1)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a namespace of processes")
def test_the_first_process_of_a_container_collects_orphans(stored: Path, allow: Allow) -> None:
    allow("decrypt")
    assert stored.exists()
    own = ["unshare", "--pid", "--kill-child", "--mount-proc", *command_line(["run", "--watch", "--", sys.executable])]
    done = subprocess.run([*own, "-c", ORPHANING], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().isdigit()
