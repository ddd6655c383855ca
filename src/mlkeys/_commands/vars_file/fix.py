# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint --fix`: secrets move into an encrypted vars file, and references replace them."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mlkeys._commands.scanning import found_in_time
from mlkeys._commands.vars_file.env_files import named_by_compose
from mlkeys._commands.vars_file.writes import Planned, Target, target
from mlkeys._errors import MlkeysError
from mlkeys._lint.findings import Finding
from mlkeys._lint.fixing.file_kinds import DOTENV, kind_of
from mlkeys._lint.fixing.loading import is_apart, loading
from mlkeys._lint.fixing.moving import Move, Moves, moves_in, variables
from mlkeys._lint.fixing.used_names import UsedNames, used_names
from mlkeys._lint.ignored_folders import IGNORED_FOLDERS
from mlkeys._providers.key_patterns import Patterns
from mlkeys._system import collection, replacing
from mlkeys._system.worktree import Looked, Worktree

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client


@dataclass(frozen=True)
class Aim:
    """Where to move secrets to: the options of the command."""

    file: Path
    key: str | None
    backend: str | None


def moved(tree: Worktree, patterns: Patterns, aim: Aim, allowed: Container[Finding]) -> list[str]:
    """Move what can be moved, and say what was moved and what was not. Secrets are stored before they are removed.

    Raises:
        MlkeysError: something cannot be read or written.
    """
    # A core dump would contain the plaintext.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    texts, unread = _texts(tree, patterns, aim.file)
    decide = partial(_decided, texts, patterns, allowed, named_by_compose(tree, texts), aim.file)
    used = _used(tree, aim.file) if texts else UsedNames()
    found = decide(used.besides(()), ())
    if any(moves.done for moves in found.values()):
        to = target(aim.file, aim.key, aim.backend)
        with collection.connected() as client:
            to.check_key(client)
            found, planned = _planned(client, to, partial(decide, used.besides(to.file.entries)))
            if any(change.action != "kept" for change in planned.changes):
                to.write(client, planned)
        for path, moves in found.items():
            if moves.done:
                replacing.replace(Path(path), moves.text(texts[path]), texts[path])
    return [*unread, *(line for path, moves in found.items() for line in _said(path, moves, aim.file))]


_LINKED = "the file has another name (a hard link), which would keep the secret; remove one of them"


def _texts(tree: Worktree, patterns: Patterns, file: Path) -> tuple[dict[str, str], list[str]]:
    """The files with secrets, but for the one that the secrets move to, and lines about what else stays."""
    texts, unread = {}, []
    for listed in tree.listed():
        looked = tree.look(listed)
        if not isinstance(looked, Looked):
            continue
        secrets = found_in_time(looked.text, looked.path, patterns)
        if not secrets:
            continue
        path = Path(looked.path)
        if file.exists() and path.samefile(file):
            continue
        if path.stat().st_nlink > 1:
            unread += [f"{looked.path}:{one.line}: not moved: {_LINKED}." for one, _ in secrets]
            continue
        # As it is: its byte order mark and the ends of its lines stay.
        try:
            texts[looked.path] = replacing.read(path) or ""
        except MlkeysError:
            reason = "not moved: the file is not UTF-8; convert it first"
            unread += [f"{looked.path}:{one.line}: {reason}." for one, _ in secrets]
    return texts, unread


def _used(tree: Worktree, to: Path) -> UsedNames:
    """The names that files of the project use: those to check, and those of the current folder."""
    used, seen = UsedNames(), {os.path.realpath(to)}
    for listed in chain(tree.listed(), Worktree((), ignored=IGNORED_FOLDERS).listed()):
        real = os.path.realpath(listed.path)
        if real in seen or is_apart(str(Path(listed.path).absolute()), str(to.absolute())):
            continue
        seen.add(real)
        looked = tree.look(listed)
        if isinstance(looked, Looked):
            used |= used_names(looked.text, looked.path)
    return used


def _decided(
    texts: dict[str, str],
    patterns: Patterns,
    allowed: Container[Finding],
    named: Mapping[str, str],
    to: Path,
    reserved: Collection[str],
    taken: Collection[str],
) -> dict[str, Moves]:
    known: dict[str, str] = {}
    found = {}
    # Variables that have to keep their names come first.
    for path, text in sorted(texts.items(), key=lambda one: kind_of(one[1], one[0]) != DOTENV):
        loaded = loading(str(Path(path).absolute()), str(to.absolute()), named.get(path, ""))
        found[path] = moves_in(text, path, patterns, known, taken, allowed, loaded, reserved)
        known |= variables(found[path].done)
    return {path: found[path] for path in texts}


def _planned(
    client: Client, to: Target, decide: Callable[[Collection[str]], dict[str, Moves]]
) -> tuple[dict[str, Moves], Planned]:
    """The moves, with names that stand for nothing else in the file."""
    taken: set[str] = set()
    while True:
        found = decide(taken)
        moves: list[Move] = [move for one in found.values() for move in one.done]
        planned = to.planned(client, variables(moves), purge=False)
        others = {change.name for change in planned.changes if change.action == "updated"}
        if not others:
            return found, planned
        taken |= others


def _said(path: str, moves: Moves, file: Path) -> Iterable[str]:
    yield from (f"{path}:{move.line}: moved to {file} as {move.variable}." for move in moves.done)
    if moves.done and moves.about:
        yield f"{path}: {moves.about}."
    yield from (f"{path}:{line}: not moved: {reason}." for line, reason in moves.left)
