# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the playbooks of `mlkeys rotate` and `mlkeys status` get to know about a program."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkeys._commands.fleet.targets import Fleet, _sources, alongside
from mlkeys._errors import MlkeysError
from mlkeys._synthesis.program import load

PROGRAM = """
import json, click
import keys_of_{name}
from own import keys
from mlkeys import App, Stack
Stack(App(), "one")
"""


@pytest.mark.parametrize("linked", [False, True])
def test_the_modules_in_the_folder_of_a_program_belong_to_it(tmp_path: Path, *, linked: bool) -> None:
    """Somebody may have written a ciphertext into one of them."""
    expected = []
    for name in ("first", "second"):
        folder = tmp_path / name
        (folder / "own").mkdir(parents=True)
        for place in (f"keys_of_{name}.py", "own/__init__.py", "own/keys.py"):
            (folder / place).touch()
        program = folder / "app.py"
        program.write_text(PROGRAM.format(name=name))
        if linked:
            (tmp_path / f"{name}-link").symlink_to(folder)
            program = tmp_path / f"{name}-link" / "app.py"
        load(program)
        places = ["app.py", f"keys_of_{name}.py", "own/__init__.py", "own/keys.py"]
        expected.append((program, [str(folder / place) for place in places]))
    for program, files in expected:
        assert _sources(program) == files


def test_a_project_beside_is_a_program_or_an_inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places = ["program", "inventory", "inventory/hosts.yml", "dynamic.py"]
    for place in ("program/app.py", "inventory/hosts.yml", "dynamic.py"):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROGRAM.partition("from mlkeys")[1] + PROGRAM.partition("from mlkeys")[2])
    (tmp_path / "dynamic.py").chmod(0o755)
    found = [*alongside(places), *alongside(["program/app.py"])]
    assert [(one.name, one.generated, one.also) for one in found] == [
        ("program: one", True, "program"),
        ("inventory", False, "inventory"),
        ("inventory/hosts.yml", False, "inventory/hosts.yml"),
        ("dynamic.py", False, "dynamic.py"),
        ("program/app.py: one", True, "program/app.py"),
    ]
    assert not any(one.selected for one in found)
    with pytest.raises(MlkeysError, match=r"--also \./dynamic\.py: this project is named already\."):
        alongside(["./dynamic.py"], [Fleet("x", Path(), ["inventory", "dynamic.py"])])
    with pytest.raises(MlkeysError, match=r"--also program/app\.py: this project is named already\."):
        alongside(["inventory", "program", "program/app.py"])


def test_a_folder_of_other_texts_is_refused(tmp_path: Path) -> None:
    """Ansible would treat each word in them as a host."""
    (tmp_path / "token").write_text("s.4711\n")
    (tmp_path / ".hosts.yml").touch()
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").touch()
    with pytest.raises(MlkeysError, match="this is neither a program nor an inventory"):
        alongside([str(tmp_path)])
    for name, text in (("production", "[web]\none\n"), ("hosts", "one\n"), ("aws/x.yaml", "")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        assert [one.inventories for one in alongside([str(tmp_path)])] == [[str(tmp_path)]]
        path.unlink()


def test_an_inventory_of_another_project_has_the_settings_of_that_project(tmp_path: Path) -> None:
    (tmp_path / "deep" / "inventories").mkdir(parents=True)
    inventory = tmp_path / "deep" / "inventories" / "hosts.yml"
    inventory.touch()
    [found] = alongside([str(inventory)])
    assert (found.folder, found.inventories) == (inventory.parent, [str(inventory)])
    (tmp_path / "deep" / "ansible.cfg").touch()
    for path in (inventory, inventory.parent):
        [found] = alongside([str(path)])
        assert found.folder == tmp_path / "deep"


def test_only_a_deployment_renames_the_folder_of_a_stack(tmp_path: Path) -> None:
    own = tmp_path / "mlkeys.state" / "old"
    own.mkdir(parents=True)
    text = "from mlkeys import App, Stack\nStack(App(), 'new', aliases=['old'])\n"
    (tmp_path / "app.py").write_text(text)
    (fleet,) = alongside([str(tmp_path / "app.py")])
    assert fleet.generated
    assert [path.name for path in own.parent.iterdir()] == ["old"]
