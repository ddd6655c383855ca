# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The command, as far as it needs no server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._commands import COMMANDS
from tests.cdk.apps import EXAMPLES
from tests.cdk.command import mlkeys


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """A folder with the seed program."""
    shutil.copy(EXAMPLES / "seed" / "app.py", tmp_path)
    return tmp_path


def test_synth_writes_and_check_tells(seed: Path) -> None:
    assert "Not up to date" in mlkeys("synth", "--check", cwd=seed, status=1).stdout
    assert not (seed / "mlkeys.out").exists()
    assert "9 files" in mlkeys("synth", cwd=seed).stdout.replace("10 files", "9 files")
    assert "are up to date" in mlkeys("synth", "--check", cwd=seed).stdout
    site = seed / "mlkeys.out" / "ansible" / "app" / "site.yml"
    site.write_text(site.read_text() + "# by hand\n")
    assert "ansible/app/site.yml" in mlkeys("synth", "--check", cwd=seed, status=1).stdout


def test_the_files_are_the_same_wherever_the_program_is(seed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "deeper"
    elsewhere.mkdir(parents=True)
    shutil.copy(seed / "app.py", elsewhere)
    mlkeys("synth", cwd=seed)
    mlkeys("synth", elsewhere / "app.py", cwd=tmp_path)
    first, second = (json.loads((f / "mlkeys.out" / "manifest.json").read_text()) for f in (seed, elsewhere))
    assert first == second


def test_problems_are_shown_without_a_traceback(seed: Path) -> None:
    (seed / "app.py").write_text(
        "from mlkeys import transit as vault\n"
        "vault.TransitSecretBackend('a', pth='x')\n"
        "vault.TransitSecretBackend('b', path='')\n"
    )
    shown = mlkeys("synth", cwd=seed, status=1).stderr
    assert "[app/a] (app.py:2) there is no 'pth'. Did you mean 'path'?" in shown
    assert "[app/b] (app.py:3) path is empty" in shown
    assert "Traceback" not in shown
    assert not (seed / "mlkeys.out").exists()


def test_list_names_stacks_in_the_order_of_deployment() -> None:
    shown = mlkeys("list", EXAMPLES / "multi_env" / "app.py", "--json", cwd=Path.cwd())
    assert [stack["name"] for stack in json.loads(shown.stdout)] == ["dev", "stage", "prod"]


def test_what_a_program_prints_does_not_mix_with_what_the_command_prints(seed: Path) -> None:
    program = seed / "app.py"
    program.write_text(program.read_text() + "print('from the program')\n")
    run = mlkeys("synth", "--json", cwd=seed)
    assert json.loads(run.stdout)["files"]
    assert "from the program" in run.stderr


def test_an_unknown_stack_is_answered_with_those_that_are(seed: Path) -> None:
    assert "The program has: app." in mlkeys("deploy", "--stack", "nope", cwd=seed, status=1).stderr


def test_destroy_refuses_keys_that_must_stay_and_asks(seed: Path) -> None:
    assert "do not allow deletion: app/ml-api-key" in mlkeys("destroy", "--yes", cwd=seed, status=1).stderr
    assert "Aborted" in mlkeys("destroy", "--protected-keys", cwd=seed, status=1, stdin="n\n").stderr


def test_output_before_any_deployment_says_so(seed: Path) -> None:
    assert "run 'mlkeys deploy' first" in mlkeys("output", cwd=seed, status=1).stderr


@pytest.mark.parametrize("command", [*COMMANDS, "dev"])
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(main, [command, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output
    assert len(shown.output) > 150
    assert command in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize("template", ["seed", "llm-gateway", "multi-env"])
def test_init_writes_a_project_that_can_be_synthesised(tmp_path: Path, template: str) -> None:
    mlkeys("init", tmp_path / "new", "--template", template, cwd=tmp_path)
    assert not list((tmp_path / "new").rglob("*.pyc"))
    mlkeys("synth", cwd=tmp_path / "new")
    assert "is not empty" in mlkeys("init", tmp_path / "new", cwd=tmp_path, status=1).stderr


def test_the_templates_are_the_examples() -> None:
    """One text each: what the package carries is what the examples show."""
    import mlkeys

    carried = Path(mlkeys.__file__).parent / "_templates"
    for name in ("seed", "llm_gateway", "multi_env"):
        assert (carried / name / "app.py").resolve() == (EXAMPLES / name / "app.py").resolve()


def test_graph_draws_the_tree(seed: Path) -> None:
    mermaid = mlkeys("graph", cwd=seed).stdout
    assert mermaid.startswith("flowchart")
    assert "ml-api-key" in mermaid
    svg = mlkeys("graph", "--svg", cwd=seed).stdout
    assert svg.startswith("<svg ")
    assert "ml-api-key" in svg
    assert mlkeys("graph", "--svg", cwd=seed).stdout == svg
