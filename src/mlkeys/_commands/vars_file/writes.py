# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Encrypted vars files as `mlkeys import` and `mlkeys edit` write them, with the collection's own code.

Only changed values are encrypted. Entries behind the key's latest version stay as they are: rewrapping is up to
`vault_transit_vars` and `mlkeys rotate`, and needs a capability of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mlkeys._commands.errors import show_json
from mlkeys._errors import MlkeysError
from mlkeys._import.comments import with_comments
from mlkeys._shared.ciphertext_version import ciphertext_version
from mlkeys._shared.kept_sealed import sealed
from mlkeys._shared.printable import one_line
from mlkeys._shared.vars_files import VARS_FILE_SUFFIXES, is_vars_file_name
from mlkeys._system import collection as _collection
from mlkeys._system import replacing

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import Edits
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Stored
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import VarsPlan

_WIDE = 200
# Give up after losing the race to write a file this many times.
_ATTEMPTS = 5

Result = TypeVar("Result")
_COLOURS = {"added": "green", "updated": "yellow", "removed": "red"}


@dataclass(frozen=True)
class Change:
    """What happens to one entry: `added`, `updated`, `removed` or `kept`, and why."""

    name: str
    action: str
    reason: str
    version: int | None


@dataclass(frozen=True)
class Planned:
    """The changes to a file, and the collection's plan for them."""

    changes: tuple[Change, ...]
    plan: VarsPlan = field(repr=False)

    @property
    def lacks_fingerprints(self) -> bool:
        """Whether what is written gets no fingerprint."""
        return not self.plan.fingerprints


@dataclass(frozen=True)
class Target:
    """An encrypted vars file to write, and the key to encrypt with.

    Attributes:
        before: the file's text, None for a new file.
        file: its content, or that of the KV document that it points to.
        stored: that document as it was read, None for a file that holds its own entries.
    """

    path: Path
    before: str | None
    file: VarsFile
    backend: str
    key: str
    stored: Stored | None = None

    def check_key(self, client: Client) -> None:
        """Fail before anything is sent if the key is known to be missing, or the engine is one that would store values.

        Who may write the file chooses both.

        Raises:
            MlkeysError: the engine is of another type.
            TransitError: the key or its engine does not exist.
        """
        from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

        _check_engine(client, self.backend)
        if not self.file.entries:
            Transit(client, self.backend).existing_key(self.key)

    def create_key(self, client: Client) -> list[str]:
        """Enable the engine and create a derived key, where they are missing, and return what was created.

        An engine or a key that exists stays as it is.

        Raises:
            TransitError: the token may not, or something else is mounted at the path.
        """
        from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
        from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
        from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend import (
            BackendRequest,
            apply_backend,
        )
        from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key import (
            KeyRequest,
            apply_key,
            plan_request,
        )

        run = RunContext(dry_run=False, now=time.time())
        transit = Transit(client, self.backend, predicting=True)
        found = transit.read_key(self.key)
        if found is not None:
            return []
        created = []
        # Only a missing engine asks for the right to enable one.
        if transit.is_predicted:
            apply_backend(client, BackendRequest(self.backend), run)
            created.append(f"the engine {self.backend}")
        request = KeyRequest(self.backend, self.key, wanted={"derived": True})
        apply_key(transit, request, plan_request(request, found, run))
        return [*created, f"the key {self.key}"]

    @property
    def is_nested(self) -> bool:
        """Whether the file holds nested data, and values that are not texts."""
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import NESTED

        return self.file.format == NESTED

    def planned(
        self, client: Client, secrets: Mapping[str, object], *, purge: bool, may_lack_fingerprints: bool = False
    ) -> Planned:
        """The changes that make the file hold these secrets. Nothing is written, neither here nor on the server.

        Args:
            may_lack_fingerprints: whether the right to encrypt is enough. Without fingerprints, values cannot be
                compared, and are written.

        Raises:
            MlkeysError: a secret would take the place of others that nobody removes.
        """
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import plan_vars
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.request import (
            VarsRequest,
            checked_leaves,
            checked_secrets,
        )

        # An empty text is nothing in a file of texts.
        is_typed = any(not isinstance(value, str) or not value for value in secrets.values())
        # A new file becomes what its first secrets need.
        nests = any("." in name for name in secrets) or (is_typed and not self.file.entries)
        request = VarsRequest(
            backend=self.backend,
            key=self.key,
            fingerprint_key=self.file.fingerprint_key or self.key,
            secrets=checked_leaves(secrets) if nests or self.is_nested else checked_secrets(secrets),
            purge=purge,
            nests=nests,
            may_lack_fingerprints=may_lack_fingerprints,
        )
        plan = plan_vars(client, request, self.file).without_upkeep()
        if plan.request.gone and not purge:
            raise MlkeysError(
                f"{self.path} holds {', '.join(plan.request.gone)}, which cannot stay beside {', '.join(secrets)}. "
                "Remove what you do not need any more with 'mlkeys unset'."
            )
        return Planned(tuple(Change(one.name, one.action, one.reason, one.after) for one in plan.changes), plan)

    def write(
        self,
        client: Client,
        planned: Planned,
        removed: Sequence[str] = (),
        comments: Mapping[str, Sequence[str]] | None = None,
    ) -> Planned:
        """Encrypt the new values, replace the file or the document, and return the changes, all with their versions.

        Args:
            removed: entries to remove as well.
            comments: what to write above entries of a YAML file.

        Raises:
            ChangedMeanwhile: the file or the document was changed after it was read.
        """
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import carry_out

        edits = carry_out(planned.plan)
        client.settle()
        self._replace(client, replace(edits, removed=[*edits.removed, *removed]), comments)
        versions = {name: ciphertext_version(text) for name, text in edits.ciphertexts.items()}
        changes = [replace(one, version=versions.get(one.name, one.version)) for one in planned.changes]
        return replace(planned, changes=tuple(changes))

    def remove(self, names: Sequence[str]) -> None:
        """Remove entries, and replace the file or the document. Only the latter needs the server.

        Raises:
            ChangedMeanwhile: the file or the document was changed after it was read.
        """
        self.change(self._edits(list(dict.fromkeys(names)), self.file.format))

    def upgrade(self) -> None:
        """Make the file, or the document, one for nested data. The same for what needs the server.

        Raises:
            ChangedMeanwhile: the file or the document was changed after it was read.
            MlkeysError: the fingerprint of an entry is missing, which says there that a value such as `true` is a text.
        """
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import NESTED

        if unproven := [name for name, one in self.file.entries.items() if one.is_misbound or not one.fingerprint]:
            raise MlkeysError(
                f"{self.path} has no fingerprint of {', '.join(unproven)}, and format 2 needs it to know whether a "
                "value is a text. Nothing was changed. Store these values again with 'mlkeys set' and a token that may "
                "use hmac of the key, or let 'mlkeys rotate' make the fingerprints."
            )
        self.change(self._edits([], NESTED))

    def _edits(self, removed: Sequence[str], kind: int) -> Edits:
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import Edits

        return Edits(self.backend, self.key, self.file.fingerprint_key or self.key, {}, {}, removed, kind)

    def change(self, edits: Edits) -> None:
        """Make changes that need nothing of a key."""
        if self.stored is None:
            with _collection.in_plain_words():
                self._replace(None, edits)
            return
        with _collection.connected() as client:
            self._replace(client, edits)

    def _replace(
        self, client: Client | None, edits: Edits, comments: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import update
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Overtaken
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import replace_document

        if self.stored is None or client is None:
            replacing.replace(self.path, with_comments(update(self.file, edits), comments or {}), self.before)
            return
        try:
            replace_document(client, self.file, self.stored, edits)
        except Overtaken as error:
            raise replacing.ChangedMeanwhile(error.message) from None


def _check_engine(client: Client, backend: str) -> None:
    """Refuse an engine of another type, such as a KV engine, which would store values as they are.

    Raises:
        MlkeysError: it is of another type.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.mounts import visible_mount

    kind = visible_mount(client, backend).get("type")
    if kind and kind != "transit":
        raise MlkeysError(
            f"The engine at '{backend}' is not a Transit engine: its type is '{kind}'. No value was sent to it. "
            "Correct the engine's path."
        )


def target(path: Path, key: str | None, backend: str | None) -> Target:
    """The file, or the KV document that it points to, with the given key and engine or else its own.

    Args:
        path: of the file, which need not exist.
        key: NAME, or ENGINE/NAME as other commands show keys and take them.
        backend: path of the engine.

    Raises:
        MlkeysError: it is not an encrypted vars file, was written with another key, no key is known, or `key` names
            another engine than `backend`.
    """
    key, backend = _key_and_engine(key, backend)
    if not is_vars_file_name(path.name):
        raise MlkeysError(
            f"{path} is not a name for an encrypted vars file: it must end with {', '.join(VARS_FILE_SUFFIXES)}."
        )
    if not path.parent.is_dir():
        raise MlkeysError(f"The folder {path.parent} does not exist. Create it first.")
    _collection.load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.belonging import check_ownership
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import parse
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import read_document

    before = replacing.read(path)
    with _collection.in_plain_words():
        named = file = parse(before or "", str(path))
        stored = None
        if file.place is not None:
            with _collection.connected() as client:
                stored, file = read_document(client, file.place)
        # A document does not choose its key: what points to it does, or the user.
        chosen_key, chosen_backend = key or named.key, (backend or named.backend or "transit").strip("/")
        if not chosen_key:
            raise MlkeysError(_no_key(path, before, file))
        check_ownership(file, chosen_backend, chosen_key, named.fingerprint_key or chosen_key, str(path))
    return Target(path, before, file, chosen_backend, chosen_key, stored)


def _no_key(path: Path, before: str | None, file: VarsFile) -> str:
    if before is None:
        return f"{path} does not exist yet: name the key with --key."
    if file.entries:
        return f"{path} does not name its key: name the key with --key."
    # Not all commands that change a file have --key.
    return f"{path} holds no secrets and names no key. Restore it, or set a secret with 'mlkeys set' and --key."


def _key_and_engine(key: str | None, backend: str | None) -> tuple[str | None, str | None]:
    engine, _, name = (key or "").rpartition("/")
    if not engine:
        return key, backend
    if backend and backend.strip("/") != engine.strip("/"):
        raise MlkeysError(f"--key {key} names the engine {engine}, and --backend names {backend}. Leave one out.")
    return name, engine


def refuse_ciphertext(secrets: Mapping[str, object]) -> None:
    """
    Raises:
        MlkeysError: a value is or contains a ciphertext.
    """
    verbs = {name: verb for name, value in secrets.items() if (verb := sealed(value))}
    if verbs:
        names, is_one = list(verbs), len(verbs) == 1
        many = "contain" if "contains" in verbs.values() else "are"
        what = f"value of {names[0]} {verbs[names[0]]} a ciphertext"
        what = what if is_one else f"values of {', '.join(names)} {many} ciphertexts"
        raise MlkeysError(
            f"The {what} (vault:vN:...), not plaintext. To encrypt {'it' if is_one else 'them'} nevertheless, add "
            "--allow-ciphertext."
        )


def in_turn(aim: Target, work: Callable[[Target], Result]) -> Result:
    """What the work on a file returns. Commands that change it at the same time take turns.

    Args:
        aim: as it was read. The work gets it as it is by now, and once more if somebody else changes it meanwhile.

    Raises:
        ChangedMeanwhile: the file keeps changing.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.locks import exclusive

    with exclusive(f"vars file {aim.path.resolve()}"):
        for _ in range(_ATTEMPTS - 1):
            try:
                replacing.check_unchanged(aim.path, aim.before)
                return work(aim)
            except replacing.ChangedMeanwhile:
                aim = target(aim.path, aim.key, aim.backend)
        return work(aim)


def show(rows: Sequence[tuple[Change, str]], title: str) -> None:
    """Show a table of changes, with their sources if there are any. Names are not markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    sources = any(source for _, source in rows)
    for heading in ("variable", *(("from",) if sources else ()), "change", "version", "reason"):
        table.add_column(heading, overflow="fold")
    for change, source in rows:
        version = "" if change.version is None else f"v{change.version}"
        cells = [change.name, *((source,) if sources else ()), change.action, version, change.reason]
        table.add_row(*(Text(one_line(cell), style=_style(cell, change)) for cell in cells))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    console.print(Text(one_line(title), style="table.title"), soft_wrap=True)
    console.print(table)


def show_as_json(changes: Iterable[Change], path: Path) -> None:
    """Write the same as JSON."""
    rows = [
        {"name": one.name, "change": one.action, "version": one.version, "reason": one.reason or None}
        for one in changes
    ]
    show_json({"file": str(path), "changes": rows})


def _style(cell: str, change: Change) -> str:
    return _COLOURS.get(change.action, "dim") if cell == change.action else ""
