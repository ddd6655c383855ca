# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The folder beside a program with what must last: ciphertexts, floors and records of its stacks."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import click

from mlkeys._analysis.view import View
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._record.record import Made, Record, parsed
from mlkeys._shared.merge_conflicts import conflict_in
from mlkeys._shared.vars_files import METADATA
from mlkeys._system import collection
from mlkeys._system.replacing import bytes_of, make_folder, read, remove_folder
from mlkeys._system.replacing import rename as renamed
from mlkeys._system.replacing import replace as written
from mlkeys._targets.state_names import FOLDER, RECORD_FILE, VARS_SUFFIX, folder_of, vars_file_of

#: The mode of files of the folder.
PUBLIC = 0o644


@dataclass(slots=True)
class StackState:
    """What lasts of a stack.

    Attributes:
        wanted: what the program makes.
        record: what former deployments made; None before the first one.
        former_names: former names of secrets by present ones, as `aliases` in the program say.
        used: keys of others that the program uses.
        foreign: objects of the server that the program names, and that somebody else made.
        gone: whether the program has the stack no more.
        server: id of the server that this deployment goes to, as far as the record should name it.
        void: keys whose stored ciphertexts nothing decrypts any more, and that the user gave up.
    """

    stack: Stack
    folder: Path
    program: str
    wanted: Made
    record: Record | None
    former_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    foreign: Made = field(default_factory=Made)
    gone: bool = False
    server: str | None = None
    void: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.stack.node.id

    @property
    def former(self) -> Made:
        """What former deployments made."""
        return self.record.made if self.record is not None else Made()

    @property
    def program_folder(self) -> Path:
        """The folder of the program, which the one of the stack is below."""
        return self.folder.parents[1]

    def vars_file(self, key: str) -> Path:
        """The file with the ciphertexts of a key."""
        return self.folder / vars_file_of(*key.rsplit("/", 1))

    def stored(self) -> dict[str, frozenset[str]]:
        """The names of the secrets with a ciphertext, by key."""
        return stored_in(self.folder)

    def adopt(self, found: Made, owner: str | None) -> None:
        """Take over what is on the server. Nothing is written.

        Args:
            owner: who made it, where the server says it.
        """
        if self.record is not None:
            self.record = self.record.with_made(self.former.union(found))
        elif found or owner is not None:
            record = Record(owner or os.urandom(8).hex(), self.program, self.name, found)
            self.record = replace(record, url=self.stack.url, namespace=self.stack.namespace)

    def begin(self) -> None:
        """Record what is about to be made, and what is stored: what a stopped deployment made is not forgotten."""
        record = self.record or Record(os.urandom(8).hex(), self.program, self.name, complete=False)
        made = self.former.union(replace(self._own(), secrets={}, generated=frozenset())).union(self._held())
        record = replace(record, url=self.stack.url, namespace=self.stack.namespace, server=self.server)
        self.write(replace(record, program=self.program, stack=self.name, made=made))
        for key in self.void:
            # The record has the names of random ones: if this run is stopped, they count as lost, and not as stored.
            self.vars_file(key).unlink(missing_ok=True)

    def begin_keys(self) -> None:
        """Record the engines and keys that are about to be made."""
        if self.record is not None:
            own = self._own()
            self.write(self.record.with_made(self.former.union(Made(keys=own.keys, engines=own.engines))))

    def note_stored(self) -> None:
        """Record the secrets that a stopped deployment has stored. Random ones, its playbook has recorded already."""
        if self.record is not None:
            self.write(self.record.with_made(self.former.union(self._held())))

    def _held(self) -> Made:
        """Return the secrets of the program that are stored."""
        held = self.stored()
        secrets = {
            key: found for key, names in self.wanted.secrets.items() if (found := names & held.get(key, frozenset()))
        }
        named = {f"{key}/{name}" for key, names in secrets.items() for name in names}
        return Made(secrets=secrets, generated=self.wanted.generated & named)

    def finish(self, kept: Made) -> None:
        """Record what a complete deployment left."""
        if self.gone and not kept:
            self.forget()
        elif self.record is not None:
            # How to reach a host is what the program says now.
            self.write(replace(self.record.with_made(kept.union(self._own())), complete=True))

    def _own(self) -> Made:
        """What the program makes, and not what it found: to delete that is not up to it."""
        return self.wanted.minus(self.foreign)

    def end(self, kept: Made) -> None:
        """Record what a destruction kept for others: when they have gone, another one deletes it."""
        record = self.record
        self.forget()
        if kept and record is not None:
            self.write(record.with_made(kept))

    def write(self, record: Record) -> None:
        """Write the record."""
        self.record = record
        path = self.folder / RECORD_FILE
        try:
            make_folder(path.parent)
        except OSError as problem:
            raise MlkeysError(f"{path.parent} cannot be made: {problem.strerror}.") from None
        before = read(path)
        if before != record.text():
            # Nothing in it is secret, and a folder of version control has no private files.
            written(path, record.text(), before, PUBLIC)

    def forget(self) -> None:
        """Remove the folder of a stack of which nothing is left."""
        try:
            remove_folder(self.folder)
        except OSError as problem:
            raise MlkeysError(f"{self.folder} cannot be removed: {problem.strerror}.") from None
        self.record = None
        if self.folder.parent.is_dir() and not any(self.folder.parent.iterdir()):
            self.folder.parent.rmdir()


def program_folder(app: Root) -> Path:
    """The folder of a program."""
    return Path(app.node.folder or ".").absolute()


def states_of(app: Root, program: Path, stacks: Sequence[Stack], *, gone: bool = False) -> list[StackState]:
    """What lasts of each stack.

    Args:
        gone: whether the program has the stacks no more.

    Raises:
        MlkeysError: a record cannot be read, or is of another program.
    """
    view, folder = View(app), program_folder(app)
    return [replace(_state(view, folder, program.name, stack), gone=gone) for stack in stacks]


def _state(view: View, folder: Path, program: str, stack: Stack) -> StackState:
    # Importing the target takes longer than most commands.
    from mlkeys._synthesis.made import former_names, keys_of_others, made_by

    own = folder / folder_of(stack.stored_as)
    record = record_in(own)
    if record is not None and record.program != program and (folder / record.program).is_file():
        raise MlkeysError(
            f"{FOLDER}/{stack.node.id} belongs to the program {record.program}, which has a stack of the same name: "
            "give one of the stacks another name, or put the programs into folders of their own."
        )
    used = keys_of_others(view, stack)
    return StackState(stack, own, program, made_by(view, stack), record, former_names(view, stack), used)


def record_in(folder: Path) -> Record | None:
    """The record of a stack, None when there is none.

    Raises:
        MlkeysError: it cannot be read.
    """
    path = folder / RECORD_FILE
    try:
        content = bytes_of(path)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise MlkeysError(f"{path}: {problem.strerror or 'it cannot be read'}.") from None
    try:
        return parsed(content.decode())
    except UnicodeDecodeError:
        raise MlkeysError(f"{path}: it is not UTF-8 text. Restore the file from version control.") from None
    except ValueError as problem:
        if conflict_in(content, path.name):
            # A deployment adds what the program has. The other side of its ciphertexts has a message of its own.
            raise MlkeysError(
                f"{path} has an unresolved merge conflict. Keep this file of one side: git checkout --ours {path}, or "
                "--theirs."
            ) from None
        raise MlkeysError(f"{path}: {problem}. Restore the file from version control.") from None


def stored_in(folder: Path) -> dict[str, frozenset[str]]:
    """The names of the secrets with a ciphertext in the folder of a stack, by key.

    Raises:
        MlkeysError: one of its files holds something else, or does not have the name of a key.
    """
    found = {}
    for path in sorted(folder.rglob(f"*{VARS_SUFFIX}")):
        names = frozenset(ciphertexts_in(path))
        key = unquote(path.relative_to(folder).as_posix().removesuffix(VARS_SUFFIX))
        if names and folder / vars_file_of(*_parts(key)) != path:
            raise MlkeysError(f"{path} does not have the name ENGINE/KEY{VARS_SUFFIX}: move it away.")
        if names:
            found[key] = names
    return found


def _parts(key: str) -> tuple[str, str]:
    engine, _, name = key.rpartition("/")
    return engine, name


def ciphertexts_in(path: Path) -> Mapping[str, str]:
    """The ciphertexts of a file, by the names of the secrets.

    Raises:
        MlkeysError: it holds something else.
    """
    return _interpreted(str(path), read(path) or "")


# A command compares them with its program, its record and its aliases, and looks whether a run has changed one.
@functools.lru_cache(maxsize=10_000)
def _interpreted(path: str, text: str) -> Mapping[str, str]:
    collection.load()
    from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import interpreted

    with collection.in_plain_words(), io.BytesIO(text.encode()) as content:
        found = {name: entry.ciphertext for name, entry in interpreted(content, path).entries.items()}
    if not found and METADATA not in text:
        # A full disk or a merge may leave it empty, while its ciphertexts are elsewhere.
        raise MlkeysError(f"{path} is empty. Restore the file from version control, or remove it.")
    return found


def rename(app: Root, program: Path, *, writes: bool) -> None:
    """Rename folders of stacks that have another name now: by `aliases`, or as the name of the program's file.

    Args:
        writes: whether to rename them. If not, their stacks use them as they are.
    """
    folder = program_folder(app)
    for stack, former in _renamed(app, program):
        if writes:
            move(former, folder / folder_of(stack.node.id))
        else:
            stack.stored_as = former.name
            click.echo(f"{FOLDER}/{former.name} becomes {FOLDER}/{stack.node.id} with the next deployment.", err=True)


def _renamed(app: Root, program: Path) -> Iterator[tuple[Stack, Path]]:
    """Yield the stacks that have another name now, with their former folders."""
    folder = program_folder(app)
    present = {stack.node.id for stack in app.stacks}
    taken: set[Path] = set()
    for stack in app.stacks:
        if (folder / folder_of(stack.node.id)).exists():
            continue
        former = [folder / folder_of(name) for name in stack.aliases if name not in present]
        if stack.node.id == program.stem:
            former += _of_renamed_programs(folder, present)
        found = [path for path in former if path.is_dir() and path not in taken]
        if len(found) == 1:
            taken.add(found[0])
            yield stack, found[0]


def move(former: Path, own: Path) -> None:
    """Rename a folder of a stack, and say so."""
    try:
        make_folder(own.parent)
        renamed(former, own)
    except OSError as problem:
        raise MlkeysError(f"{former} cannot be renamed to {own.name}: {problem.strerror}.") from None
    click.echo(f"{FOLDER}/{former.name} is {FOLDER}/{own.name} now.", err=True)


def _of_renamed_programs(folder: Path, present: set[str]) -> list[Path]:
    """Folders of stacks that have the name of a program's file which does not exist any more."""
    found = []
    for path in sorted((folder / FOLDER).glob(f"*/{RECORD_FILE}")):
        record = record_in(path.parent)
        gone = record is not None and not (folder / record.program).is_file()
        if gone and record is not None and record.stack == Path(record.program).stem and record.stack not in present:
            found.append(path.parent)
    return found


def names_of(made: Mapping[str, frozenset[str]]) -> str:
    """Names of secrets, for a message."""
    return ", ".join(f"{key}/{name}" for key, names in sorted(made.items()) for name in sorted(names))
