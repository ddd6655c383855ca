# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Refuses to make random secrets again that the program has under another name, before anything is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from mlkeys._analysis.places import place
from mlkeys._analysis.view import View
from mlkeys._commands.deployment.carry import moves_of
from mlkeys._commands.deployment.state import StackState, ciphertexts_in, record_in, stored_in
from mlkeys._commands.paths import command_line
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import root_of
from mlkeys._record.record import Move
from mlkeys._record.remade import Known, remade
from mlkeys._targets.state_names import FOLDER, vars_file_of

_FLOOR = "min_decryption_version"


def known_of(folder: Path, program: str, states: Collection[StackState]) -> dict[str, Known]:
    """Return what is known of the stacks of a program, by name: those that it has, and those that left it.

    Args:
        folder: with the folders of all stacks.
        program: its file.
    """
    known = {}
    # One may have its folder under a former name.
    own = {state.folder for state in states if not state.gone}
    for path in sorted({*folder.glob("*")} - own):
        record = record_in(path) if path.is_dir() else None
        theirs = record is not None and record.program != program and (folder.parent / record.program).is_file()
        if path.is_dir() and not theirs:
            known[path.name] = Known(None, record.made if record is not None else None, stored_in(path))
    for state in states:
        if not state.gone:
            recorded = state.record.made if state.record is not None else None
            known[state.name] = Known(state.wanted, recorded, state.stored(), _names(moves_of(state)))
    return known


def _names(moves: Collection[Move]) -> dict[str, str]:
    return {f"{one.key}/{new}": f"{one.former}/{old}" for one in moves for new, old in one.names.items()}


def check_generated(state: StackState, known: Mapping[str, Known], generate: Collection[str], *, adopts: bool) -> None:
    """Check that no random secret is made again.

    Args:
        generate: names of secrets to make again.
        adopts: whether a former deployment is known, and not what it made.

    Raises:
        MlkeysError: one is.
    """
    for present, stack, former in remade(state.name, known):
        if (name := present.rpartition("/")[2]) not in generate:
            raise MlkeysError(
                f"Nothing was changed: {FOLDER}/{stack} has the random secret {former}, which the program does not "
                f"have any more, and {present} of the stack {state.name} is new. If it is the same, "
                f"{_way(state.name, present, stack, former, known)}. If not, make a new value: "
                f"{command_line('deploy', '--generate', name)}"
            )
    if adopts and (lost := [name for name in known[state.name].unmade() if name.rpartition("/")[2] not in generate]):
        named = [word for name in lost for word in ("--generate", name.rpartition("/")[2])]
        raise MlkeysError(
            f"Nothing was changed: {', '.join(lost)}: a former deployment may have made it, and its record is lost. "
            f"Restore {FOLDER}/{state.name} from version control or a backup. To make new values, which replace the "
            f"old ones everywhere: {command_line('deploy', '--adopt', *named)}"
        )


def check_floors(state: StackState) -> None:
    """Check that no key gets a floor above stored random secrets, which nothing would decrypt then.

    Raises:
        MlkeysError: one does.
    """
    view, random = View(root_of(state.stack)), state.wanted.random()
    keys = [one for one in state.stack.node.walk() if isinstance(one, TransitSecretBackendKey) and _FLOOR in one.values]
    for floor, found in ((key.values[_FLOOR], place(view, key)) for key in keys):
        name = found[1] if found is not None else ""
        if not isinstance(floor, int) or name not in random or name in state.void:
            continue
        file = state.vars_file(name)
        if low := [f"{one} (v{version})" for one, version in _versions(file, random[name]) if version < floor]:
            raise MlkeysError(
                f"Nothing was changed: {_FLOOR}={floor} of {name} is above random secrets in "
                f"{file.relative_to(state.program_folder)}: {', '.join(low)}. If the key was rotated elsewhere, get "
                f"that file from version control. If not, take {_FLOOR} out of the program, and run: "
                f"{command_line('rotate', '--key', name)}"
            )


def _versions(file: Path, names: Collection[str]) -> list[tuple[str, int]]:
    """Return the versions of the key that have encrypted secrets of a file."""
    stored = ciphertexts_in(file) if file.exists() else {}
    if not stored:
        return []
    from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import version_of

    return [(name, version_of(stored[name])) for name in sorted(names) if name in stored]


def held(states: Collection[StackState], generate: Collection[str]) -> dict[str, str]:
    """Return the stored ciphertexts of random secrets to make again, by ENGINE/KEY/NAME below the stack."""
    found = {}
    for state in states:
        for full in state.wanted.generated:
            key, _, name = full.rpartition("/")
            if name in generate and name in state.stored().get(key, ()):
                found[f"{state.name}/{full}"] = ciphertexts_in(state.vars_file(key))[name]
    return found


def not_lost(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return what to say of secrets that should have been made again and were not, as nothing is lost of them."""
    names = sorted({full.rpartition("/")[2] for full, ciphertext in before.items() if after.get(full) == ciphertext})
    if not names:
        return ""
    return (
        f"Note: --generate {', '.join(names)}: not lost, so no new value was made. To replace a value, give the new "
        f"one: {command_line('rotate', '--replace', names[0])}"
    )


def _way(own: str, present: str, stack: str, former: str, known: Mapping[str, Known]) -> str:
    """Return how to take a secret along."""
    if stack == own:
        return f"take it along: {command_line('move', former, present)} (or aliases in the program)"
    if known[stack].wanted is None and known[own].recorded is None and not known[own].stored:
        return f"rename its stack first: {command_line('move', stack, own)} (or aliases in the program)"
    source, target = (f"{FOLDER}/{one}/{_file(name)}" for one, name in ((stack, former), (own, present)))
    if former.rpartition("/")[0] == present.rpartition("/")[0]:
        return f"move its ciphertext from {source} to {target}"
    return f"move {source} to {FOLDER}/{own}/{_file(former)}, then: {command_line('move', former, present)}"


def _file(name: str) -> str:
    engine, key = name.rpartition("/")[0].rsplit("/", 1)
    return vars_file_of(engine, key)
