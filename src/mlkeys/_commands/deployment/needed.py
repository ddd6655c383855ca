# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keys that ciphertexts still need, of whichever stack: they are not deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mlkeys._commands.deployment.carry import moves_of
from mlkeys._commands.deployment.departed import Departed
from mlkeys._commands.deployment.state import StackState, record_in, stored_in
from mlkeys._errors import MlkeysError
from mlkeys._record.record import Made


def check_needed(found: Sequence[Departed], states: Collection[StackState], *, everything: bool = False) -> None:
    """Check that no key is deleted that ciphertexts need.

    Args:
        found: what left the stacks of this run.
        states: all stacks of the program.
        everything: whether what the stacks of this run have is deleted too.

    Raises:
        MlkeysError: one is.
    """
    keys = {key for one in found for key in one.left.deleted.keys}
    if everything:
        keys |= {key for one in found for key in one.destroyed.keys}
    if not keys:
        return
    for stack, held in _held(found, states, everything=everything).items():
        for key in sorted(keys & held.secrets.keys()):
            raise MlkeysError(
                f"Nothing was deleted: ciphertexts of the stack {stack} need the key {key} "
                f"({', '.join(sorted(held.secrets[key]))}). Take them out of that stack first."
            )
        for key in sorted(keys & held.keys):
            raise MlkeysError(
                f"Nothing was deleted: the program still uses the key {key} in the stack {stack}. Take it out first."
            )


def _held(found: Sequence[Departed], states: Collection[StackState], *, everything: bool) -> Mapping[str, Made]:
    """Return the ciphertexts that stay, and the keys that the program uses, by stack."""
    running = {one.state.folder: one for one in found}
    known = {state.folder: state for state in states}
    held = {}
    beside = {folder for one in found for folder in one.state.folder.parent.glob("*") if folder.is_dir()}
    for folder in sorted(beside | known.keys()):
        one, state = running.get(folder), known.get(folder)
        if one is not None and everything:
            continue
        stays = _remembered(folder)
        if state is not None and not everything:
            stays = stays.union(Made(secrets=state.wanted.secrets, keys=state.used))
        held[folder.name] = stays.minus(_leaving(one)) if one is not None else stays
    return held


def _remembered(folder: Path) -> Made:
    """Return the ciphertexts of a stack, those stored and those that its record names."""
    record = record_in(folder)
    recorded = record.made.secrets if record is not None else {}
    # A deployment that stopped has stored what it has not recorded.
    return Made(secrets=stored_in(folder)).union(Made(secrets=recorded))


def _leaving(one: Departed) -> Made:
    """Return the ciphertexts that this run deletes, or encrypts with another key."""
    moved = Made()
    for move in moves_of(one.state):
        moved = moved.union(Made(secrets={move.former: frozenset(move.names.values())}))
    return moved.union(Made(secrets=one.left.deleted.secrets))
