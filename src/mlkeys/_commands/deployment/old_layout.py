# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Moves what must last out of an output folder of a former version, which kept it there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.deployment.state import PUBLIC, program_folder
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root
from mlkeys._shared._yaml.limits import yaml_problem
from mlkeys._shared.names import mount_problem, name_problem
from mlkeys._shared.vars_files import METADATA
from mlkeys._system.replacing import make_folder, read, remove, replace
from mlkeys._targets.state_names import FLOORS_FILE, FOLDER, VARS_SUFFIX, folder_of, vars_file_of

# On hostile text, PyYAML also raises errors of its internals.
_ODD_TEXT_RAISES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def move_state(app: Root, out: Path) -> None:
    """Move ciphertexts and floors from the output folder to the folder beside the program, and say so.

    Raises:
        MlkeysError: a file cannot be read or written. What was not moved stays where it is.
    """
    moved = []
    for stack in app.stacks:
        project = out / "ansible" / stack.node.id
        own = program_folder(app) / folder_of(stack.node.id)
        for old in sorted(project.glob(f"inventory/group_vars/*/*{VARS_SUFFIX}")):
            _move_ciphertexts(old, own)
            moved.append(old)
        if (project / FLOORS_FILE).is_file():
            _move_floors(project / FLOORS_FILE, own / FLOORS_FILE)
            moved.append(project / FLOORS_FILE)
    if moved:
        files = "1 file" if len(moved) == 1 else f"{len(moved)} files"
        click.echo(
            f"Moved {files} with ciphertexts and floors from {out.name} to {FOLDER}. Commit that folder: {out.name} is "
            "output that can be deleted.",
            err=True,
        )


def _move_ciphertexts(old: Path, own: Path) -> None:
    import yaml

    content = _loaded(old)
    new = own / vars_file_of(content[METADATA]["backend"], content[METADATA]["key"])
    before = read(new)
    if before is None:
        _write(new, read(old) or "", None)
    else:
        present = _loaded(new)
        merged = _merged(present, content)
        if merged != present:
            _write(new, yaml.safe_dump(merged, sort_keys=False, explicit_start=True, width=1 << 16), before)
    _remove(old)


def _remove(path: Path) -> None:
    try:
        remove(path)
    except OSError as problem:
        raise MlkeysError(f"{path} cannot be removed: {problem.strerror}.") from None


def _loaded(path: Path) -> dict[str, Any]:
    """Return the content of a file of ciphertexts, which names its engine and key.

    Raises:
        MlkeysError: it holds something else.
    """
    import yaml

    text = read(path) or ""
    try:
        refused = yaml_problem(text.encode(), lambda: yaml.parse(text))
        content: dict[str, Any] = {} if refused else yaml.safe_load(text)
        metadata = content[METADATA]
        # The file is named after them.
        is_sound = not (mount_problem(metadata["backend"]) or name_problem(metadata["key"]))
        is_sound = is_sound and all(isinstance(one, dict) for one in (content, metadata))
    except (yaml.YAMLError, *_ODD_TEXT_RAISES):
        is_sound = False
    if not is_sound:
        raise MlkeysError(f"{path} is not a file of ciphertexts: move it away, or correct it.")
    return content


def _merged(present: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a file with the entries of another one that it does not have."""
    missing = {name: value for name, value in old.items() if name not in present}
    metadata = dict(present[METADATA])
    for name, known in old[METADATA].items():
        if isinstance(known, Mapping):
            metadata[name] = {**{entry: known[entry] for entry in known if entry in missing}, **metadata.get(name, {})}
    entries = {name: value for name, value in present.items() if name != METADATA}
    return {**entries, **missing, METADATA: metadata}


def _move_floors(old: Path, new: Path) -> None:
    floors, before = _floors(read(old), old), read(new)
    present = _floors(before, new)
    raised = {key: max(floor, present.get(key, 0)) for key, floor in floors.items()}
    _write(new, f"{json.dumps({**present, **raised}, indent=4, sort_keys=True)}\n", before)
    _remove(old)


def _floors(text: str | None, path: Path) -> dict[str, int]:
    try:
        return {key: int(floor) for key, floor in json.loads(text or "{}").items()}
    except _ODD_TEXT_RAISES:
        raise MlkeysError(f"{path} holds no floors: move it away, or correct it.") from None


def _write(path: Path, text: str, before: str | None) -> None:
    try:
        make_folder(path.parent)
    except OSError as problem:
        raise MlkeysError(f"{path.parent} cannot be made: {problem.strerror}.") from None
    replace(path, text, before, PUBLIC if before is None else None)
