# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What commands report to scripts: JSON on standard output, whatever happens, and statuses that none can miss."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cdk.command import mlkeys, mlkeys_on_terminal

PROGRAM = """
from mlkeys import App, Secret, Stack, export
from mlkeys import transit as vault

with Stack(App(), "s"):
    engine = vault.TransitSecretBackend("engine", path="transit")
    key = vault.TransitSecretBackendKey("key", backend=engine.path, name="key", type="TYPE")
    made = key.encrypt(Secret.env("A_KEY"))
    export("hidden", key.decrypt(made))
    export("shown", engine.path)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a program, and what its deployment would have written."""
    (tmp_path / "app.py").write_text(PROGRAM.replace("TYPE", "aes256-gcm96"))
    project = tmp_path / "mlkeys.out" / "ansible" / "s"
    mlkeys("synth", cwd=tmp_path)
    (project / "outputs.json").write_text('{"shown": "transit"}')
    return tmp_path


def test_a_hidden_output_is_an_error_and_never_a_placeholder(folder: Path) -> None:
    asked = mlkeys("output", "hidden", cwd=folder, status=1)
    assert asked.stdout == ""
    assert asked.stderr == "Error: Output 'hidden' is sensitive: show it with --show-secrets.\n"
    shown = json.loads(mlkeys("output", "hidden", "--json", cwd=folder, status=1).stdout)
    assert shown == {"error": "Output 'hidden' is sensitive: show it with --show-secrets."}
    assert mlkeys("output", "shown", cwd=folder).stdout == "transit\n"
    everything = json.loads(mlkeys("output", "--json", cwd=folder).stdout)
    assert everything == {"hidden": {"sensitive": True}, "shown": "transit"}


@pytest.mark.parametrize(
    "text", ["{", "[1]", '"x"', "[" * 100_000, "\udcff"], ids=["cut", "list", "text", "deep", "bytes"]
)
def test_a_damaged_file_is_a_sentence(folder: Path, text: str) -> None:
    name = "mlkeys.out/ansible/s/outputs.json"
    file = folder / name
    file.write_bytes(text.encode(errors="surrogateescape"))
    refused = mlkeys("output", "shown", cwd=folder, status=1)
    assert refused.stderr.startswith(f"Error: {name}")
    assert ("is damaged. To write it again, run: mlkeys deploy\n" in refused.stderr) or (
        "it is not UTF-8 text" in refused.stderr
    )
    file.unlink()
    assert "has no outputs yet" in mlkeys("output", "shown", cwd=folder, status=1).stderr


def test_a_refusal_is_json_where_json_is_asked_for(folder: Path) -> None:
    (folder / "app.py").write_text(PROGRAM.replace("TYPE", "aes-256"))
    for command in ("synth", "deploy", "diff"):
        refused = mlkeys(command, "--json", cwd=folder, status=1)
        (problem,) = json.loads(refused.stdout)["problems"]
        assert (problem["path"], problem["at"]) == ("s/key", "app.py:7")
        assert "Did you mean 'aes256-gcm96'?" in problem["message"]
    unknown = mlkeys("output", "--json", "--stack", "t", cwd=folder, status=1)
    assert json.loads(unknown.stdout) == {"error": "Unknown stack t. The program has: s."}
    unread = mlkeys("lint", "--json", "--patterns", "none.toml", cwd=folder, status=2)
    assert json.loads(unread.stdout)["error"].startswith("none.toml: ")


def test_graph_init_and_lint_speak_json(folder: Path) -> None:
    graph = json.loads(mlkeys("graph", "--json", cwd=folder).stdout)
    assert {"path": "s/key", "kind": "TransitSecretBackendKey", "at": "app.py:7"} in graph["constructs"]
    assert {"from": "s/key", "to": "s/engine"} in graph["references"]
    mlkeys("graph", "--json", "--out", "graph.json", cwd=folder)
    assert json.loads((folder / "graph.json").read_text()) == graph
    made = json.loads(mlkeys("init", "new", "--json", cwd=folder).stdout)
    assert made == {"folder": "new", "files": ["app.py", ".gitignore"]}
    full = json.loads(mlkeys("init", "new", "--json", cwd=folder, status=1).stdout)
    assert full == {"error": "new is not empty."}
    for arguments in (["diff", "--json", "--nope"], ["init", "--json", "--template", "x"]):
        wrong = mlkeys(*arguments, cwd=folder, status=2)
        assert json.loads(wrong.stdout)["error"].rstrip(".") in wrong.stderr
    assert mlkeys("run", "--nope", "--", "a", "--json", cwd=folder, status=2).stdout == ""
    linted = mlkeys("lint", "--json", "app.py", cwd=folder)
    assert linted.stdout == mlkeys("lint", "--format", "json", "app.py", cwd=folder).stdout


@pytest.mark.parametrize("arguments", [["list"], ["synth", "--json"], ["--help"], ["graph"]], ids=" ".join)
def test_a_full_disk_is_a_sentence(folder: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "mlkeys", *arguments],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == 1
    assert run.stderr == "Error: The output cannot be written: No space left on device.\n"


def test_a_full_disk_names_the_file_that_init_writes(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mlkeys", "init", "new"],
        cwd=tmp_path,
        # As a full disk, for files alone.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (1, "Error: new/app.py cannot be written: File too large.\n")


def test_a_configuration_that_ansible_cannot_read_is_a_sentence(folder: Path) -> None:
    (folder / "ansible.txt").touch()
    shown = mlkeys("diff", cwd=folder, env={"ANSIBLE_CONFIG": "ansible.txt"}, status=1).stderr
    assert "Error: Ansible cannot read its configuration: Unsupported configuration file extension" in shown
    assert "Traceback" not in shown


def test_no_color_holds_for_the_command_itself(folder: Path) -> None:
    leak = folder / "leak.env"
    # Assembled here, so that this file holds none.
    leak.write_text("OPENAI_API_KEY=sk-" + "proj-" + "T3BlbkFJ" * 8 + "\n")
    shown = {
        value: mlkeys_on_terminal("lint", "leak.env", cwd=folder, env={"NO_COLOR": value}, answers={}, status=1)
        for value in ("", "1")
    }
    assert "\x1b[3" in shown[""]
    assert "\x1b[" not in shown["1"]
