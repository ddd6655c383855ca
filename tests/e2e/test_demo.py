# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/llm_gateway/demo.py as its users run it, with independent checks of its claims."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.gateways import (
    GATEWAYS,
    KEY,
    PROVIDER_KEYS,
    ciphertexts_of,
    decrypted,
    free_engine_path,
    host_files,
    server_environment,
    versions,
)
from tests.support.collection import ROOT, collections_path
from tests.support.server import Bao

DEMO = ROOT / "examples/llm_gateway/demo.py"


@pytest.fixture
def engine(bao: Bao) -> Iterator[str]:
    with free_engine_path(bao) as path:
        yield path


def demo_environment(bao: Bao) -> dict[str, str]:
    own = {"ANSIBLE_COLLECTIONS_PATH": str(collections_path())}
    return {**os.environ, **server_environment(bao), **own}


def run_demo(
    environment: dict[str, str], *args: str, demo: Path = DEMO, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(demo), *args]
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, timeout=300, check=False
    )


def test_its_claims_are_true(bao: Bao, engine: str, tmp_path: Path) -> None:
    work = tmp_path / "work"

    done = run_demo(demo_environment(bao), "--throwaway", "--engine", engine, "--work", str(work))

    assert done.returncode == 0, done.stdout + done.stderr
    assert bao.done("GET", f"{engine}/keys/{KEY}")["data"]["latest_version"] == 2
    assert all(versions(text) == {2} for text in host_files(work).values())
    for gateway in GATEWAYS:
        for ciphertexts in ciphertexts_of(work / "hosts" / gateway).values():
            for name, ciphertext in ciphertexts.items():
                assert decrypted(bao, engine, ciphertext, name) == PROVIDER_KEYS[name.upper()]
    printed = done.stdout + done.stderr
    assert not [secret for secret in [*PROVIDER_KEYS.values(), bao.token] if secret in printed]
    assert f"It ends in {PROVIDER_KEYS['OPENAI_API_KEY'][-4:]} and is the same as OPENAI_API_KEY" in done.stdout
    second_run = done.stdout.split("== 4.")[1].split("== 5.")[0]
    assert second_run.count("changed=0") == 4
    assert done.stdout.count("\n$ ansible") == 5


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The collection where Ansible installs it."""
    collection = tmp_path / "collections/ansible_collections/mlkeys/transit"
    for part in ("examples", "meta", "playbooks", "plugins", "roles", "galaxy.yml"):
        source, target = ROOT / part, collection / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source,
                target,
                ignore=shutil.ignore_patterns("__pycache__", "mlkeys.out", "mlkeys.state", "*.transit.yml"),
            )
        else:
            shutil.copy2(source, target)
    return collection


def test_an_installed_one_works_in_the_current_folder_and_explains_how_to_clean_up(
    bao: Bao, engine: str, installed: Path, tmp_path: Path
) -> None:
    bao.done("POST", f"sys/mounts/{engine}", {"type": "transit"})
    bao.done("POST", f"{engine}/keys/{KEY}", {"derived": True})
    for _rotation in range(2):
        bao.done("POST", f"{engine}/keys/{KEY}/rotate")
    environment = demo_environment(bao)
    del environment["HF_TOKEN"]
    # Ansible would write the bytecode of plugins beside them.
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "other"), "PYTHONDONTWRITEBYTECODE": "1"}
    before = sorted(installed.rglob("*"))
    (tmp_path / "current").mkdir()
    example = installed / "examples/llm_gateway/demo.py"

    done = run_demo(environment, "--engine", engine, demo=example, folder=tmp_path / "current")

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(installed.rglob("*")) == before
    assert len(host_files(tmp_path / "current/mlkeys-demo")) == 9
    introduction = done.stdout.split("== 1.")[0]
    assert f"a Transit engine at {engine}/" in introduction
    assert "Using placeholders for unset keys: HF_TOKEN." in introduction
    assert "moved from v3 to v4" in done.stdout
    remove = shlex.split(done.stdout.splitlines()[-1])
    assert remove[:4] == ["ansible", "localhost", "-m", "mlkeys.transit.vault_transit_backend"]
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(installed.parents[2])
    subprocess.run(remove, check=True, capture_output=True, env=with_ansible(environment))
    assert bao.request("GET", f"sys/mounts/{engine}")[0] == 400


def with_ansible(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }


def test_a_failed_expectation_ends_it_with_one_sentence(bao: Bao, engine: str, tmp_path: Path) -> None:
    bao.done("POST", f"sys/mounts/{engine}", {"type": "transit"})
    bao.done("POST", f"{engine}/keys/{KEY}", {"derived": False})

    done = run_demo(demo_environment(bao), "--engine", engine, "--work", str(tmp_path / "work"))

    assert done.returncode == 1
    assert done.stderr == "\nFailed: ansible-playbook failed with exit code 2. See its output above.\n"
    assert "derived" in done.stdout
    assert "Traceback" not in done.stdout


def test_without_a_server_it_names_the_variables_to_set(bao: Bao, tmp_path: Path) -> None:
    environment = demo_environment(bao)
    del environment["BAO_ADDR"]

    done = run_demo(environment, "--work", str(tmp_path / "work"))

    assert done.returncode == 1
    assert done.stderr == "\nFailed: No server is configured: set BAO_ADDR or VAULT_ADDR, or run make demo.\n"
    assert not (tmp_path / "work").exists()


def test_it_refuses_a_folder_with_other_files(bao: Bao, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept", encoding="utf-8")

    done = run_demo(demo_environment(bao), "--work", str(tmp_path))

    assert done.returncode == 1
    assert "contains other files; choose another folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_an_interrupt_stops_it_and_all_that_it_started(bao: Bao, engine: str, tmp_path: Path) -> None:
    # A test run in the background may ignore interrupts, which children inherit.
    demo = subprocess.Popen(
        [
            "/usr/bin/env",
            "--default-signal=INT",
            sys.executable,
            str(DEMO),
            "--throwaway",
            "--engine",
            engine,
            "--work",
            str(tmp_path / "work"),
        ],
        env=demo_environment(bao),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    for line in demo.stdout or ():
        # The first change: Ansible runs by then.
        if ": changed" in line:
            break
    os.killpg(demo.pid, signal.SIGINT)
    _stdout, stderr = demo.communicate(timeout=30)

    assert demo.returncode == 130
    assert stderr == "\nStopped.\n"
    assert left_running(str(tmp_path)) == []


def left_running(word: str) -> list[str]:
    """The command lines of running processes that contain the word. Workers of Ansible have that of their parent."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # That of a zombie is empty.
            command_line = (process / "cmdline").read_text(encoding="utf-8").replace("\0", " ")
            if word in command_line:
                found.append(command_line)
    return found
