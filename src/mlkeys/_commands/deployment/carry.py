# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Moves ciphertexts to keys and secrets with other names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from mlkeys._commands.deployment.state import StackState, ciphertexts_in
from mlkeys._commands.fleet.servers import is_another
from mlkeys._commands.playbook import Run, ansible_playbook, files_for_run
from mlkeys._errors import MlkeysError
from mlkeys._record.record import Move, moved_keys, moves
from mlkeys._system import collection, replacing

_VARIABLES = "moves.yml"


def moves_of(state: StackState) -> list[Move]:
    """What follows the aliases of a program."""
    return moves(state.stored(), state.wanted.secrets, state.former_names)


def check_moved(state: StackState) -> None:
    """Check that no secret is stored under another key than the program has, unless an alias names that one.

    Raises:
        MlkeysError: one is.
    """
    follows = {(move.key, name) for move in moves_of(state) for name in move.names}
    for name, former, key in moved_keys(state.stored(), state.wanted.secrets):
        if (key, name) not in follows:
            replaced = state.record is not None and is_another(state.record.server, state.server or "")
            raise MlkeysError(
                f"Nothing was changed: the secret {name} is stored under the key {former}, and the program has it "
                f"under {key}. To take it along, run: mlkeys move {former} {key}{' --adopt' if replaced else ''}"
            )


def make_keys(project: Path, show: TextIO | None) -> Run:
    """Make the keys of the program that ciphertexts move to. What follows has the same login."""
    collection.share()
    return ansible_playbook(project, "site.yml", ["--tags", "keys"], show=show, brief=True)


def decrypting(state: StackState) -> dict[str, dict[str, str]]:
    """Return how the secrets decrypt that move to another key or name, by their present names.

    Raises:
        MlkeysError: a file cannot be read.
    """
    moved: dict[str, dict[str, str]] = {}
    for move in moves_of(state):
        content = ciphertexts_in(state.vars_file(move.former))
        backend, _, key = move.former.rpartition("/")
        place = {"backend": backend, "key": key}
        moved |= {name: {"value": content[old], "context": old, **place} for name, old in move.names.items()}
    return moved


def carry(state: StackState, found: Sequence[Move], project: Path, show: TextIO | None) -> Run:
    """Decrypt with the former keys and encrypt with those of the program, in one process.

    Raises:
        MlkeysError: a file cannot be read or written.
    """
    given = []
    for move in found:
        coming = frozenset(name for other in found if other.key == move.key for name in other.names)
        given.append(_variables(state, move, ciphertexts_in(state.vars_file(move.former)), coming))
        _make_folder(state.vars_file(move.key).parent)
    with files_for_run(project, {_VARIABLES: {"moves": given}}):
        run = ansible_playbook(project, "move.yml", ["--extra-vars", f"@{_VARIABLES}"], show=show, brief=True)
    if not run.status:
        for move in found:
            if move.former not in state.stored():
                _remove(state.vars_file(move.former))
    return run


def _make_folder(path: Path) -> None:
    try:
        replacing.make_folder(path)
    except OSError as problem:
        raise MlkeysError(f"{path} cannot be made: {problem.strerror}.") from None


def _remove(path: Path) -> None:
    try:
        replacing.remove(path)
    except OSError as problem:
        raise MlkeysError(f"{path} cannot be removed: {problem.strerror}.") from None


def _variables(state: StackState, move: Move, content: Mapping[str, str], coming: frozenset[str]) -> dict[str, Any]:
    """Return the variables of the playbook for a move. What it decrypts is ciphertext here.

    Args:
        content: ciphertexts of the former file, by the names of the secrets.
        coming: names of all secrets that move to the file.
    """
    backend, _, key = move.key.rpartition("/")
    former_backend, _, former_key = move.former.rpartition("/")
    rest = state.stored()[move.former] - {*move.names.values()}
    return {
        "file": str(state.vars_file(move.key)),
        "backend": backend,
        "key": key,
        "names": list(move.names),
        # They are not foreign to the task that writes some of them.
        "others": sorted(state.stored().get(move.key, frozenset()) | coming),
        "terms": [{"value": content[old], "context": old} for old in move.names.values()],
        "former_file": str(state.vars_file(move.former)),
        "former_backend": former_backend,
        "former_key": former_key,
        # Under one key, the secrets with new names are in the same file.
        "keep": sorted(rest | ({*move.names} if move.former == move.key else frozenset())),
    }
