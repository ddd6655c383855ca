# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Encrypted vars files as `mlkeys import` and `mlkeys edit` write them, by the collection's own code.

Only what changed is encrypted. Entries behind the key's latest version stay so: carrying them on is the work of
`vault_transit_vars` and of a rotation, and needs a right of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkeys._errors import MlkeysError
from mlkeys._lint.ciphertexts import SUFFIXES, is_vars_file
from mlkeys._system import collection as _collection
from mlkeys._system import replacing

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Place, VarsFile
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Stored

_WIDE = 200
_COLOURS = {"added": "green", "updated": "yellow", "removed": "red"}


@dataclass(frozen=True)
class Change:
    """What happens to one entry: `added`, `updated`, `removed` or `kept`, and why."""

    name: str
    action: str
    reason: str
    version: int | None


@dataclass(frozen=True)
class InKv:
    """The document of a KV engine that a vars file points to, as it was read."""

    place: Place
    stored: Stored


@dataclass(frozen=True)
class Target:
    """An encrypted vars file that is to be written, with the key that it is written with.

    Attributes:
        before: the file's text.
        file: what it holds, or the document that it points to.
    """

    path: Path
    before: str | None
    file: VarsFile
    backend: str
    key: str
    document: InKv | None = None

    @property
    def fingerprint_key(self) -> str:
        return self.file.fingerprint_key or self.key

    def check_key(self, client: Client) -> None:
        """Refuse to go on when there is certainly no key to encrypt with.

        Raises:
            TransitError: the key or its engine does not exist.
        """
        from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

        if not self.file.entries:
            Transit(client, self.backend).check_key_exists(self.key)

    def changes(self, client: Client, secrets: Mapping[str, str], *, purge: bool) -> list[Change]:
        """What has to be done for the file to hold these secrets. Nothing is written, here or on the server."""
        from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import reconcile_vars

        options = {**self._options, "text": self.file.text, "secrets": secrets, "purge": purge}
        outcome = reconcile_vars(client, options, RunContext(dry_run=True, now=time.time()))
        return [
            Change(entry["name"], entry["action"], entry["reason"], entry["version"])
            if entry["action"] in _COLOURS
            else Change(entry["name"], "kept", "", self.file.entries[entry["name"]].version)
            for entry in outcome.result["entries"]
        ]

    def write(self, client: Client, secrets: Mapping[str, str], changes: Iterable[Change]) -> None:
        """Carry the changes out: encrypt what has to be, and replace the file or the document.

        Raises:
            ChangedMeanwhile: somebody else was faster.
        """
        from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import parse, update
        from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import reconcile_vars

        todo = {change.name: change.action for change in changes if change.action in _COLOURS}
        chosen = {name: secrets[name] for name, action in todo.items() if action != "removed"}
        # As for a file with nothing in it: then nothing but these is touched.
        options = {**self._options, "text": "", "secrets": chosen}
        outcome = reconcile_vars(client, options, RunContext(dry_run=False, now=time.time()))
        client.settle()
        written = parse(outcome.text or "", self.file.path).entries
        text = update(
            self.file,
            backend=self.backend,
            key=self.key,
            fingerprint_key=self.fingerprint_key,
            ciphertexts={name: entry.ciphertext for name, entry in written.items()},
            fingerprints={name: entry.fingerprint for name, entry in written.items()},
            removed=[name for name, action in todo.items() if action == "removed"],
        )
        if self.document is None:
            replacing.replace(self.path, text, self.before)
        else:
            _replace_document(client, self.document, text)

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "path": self.file.path,
            "store": "file",
            "backend": self.backend,
            "key": self.key,
            "fingerprint_key": self.file.fingerprint_key or None,
            "purge": False,
        }


def target(path: Path, key: str | None, backend: str | None) -> Target:
    """The file as it is, or what it points to, and the key that was asked for, else its own.

    Raises:
        MlkeysError: it is no encrypted vars file, was written with another key, or nobody says with which.
    """
    if not is_vars_file(path.name):
        raise MlkeysError(f"{path} is no name for an encrypted vars file: it must end with {', '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise MlkeysError(f"The folder {path.parent} does not exist. Create it first.")
    _collection.load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import check_ownership, parse

    before = replacing.read(path)
    with _collection.in_plain_words():
        file = parse(before or "", str(path))
        document = None
        if file.place is not None:
            document, file = _read_document(file.place)
        chosen_key, chosen_backend = key or file.key, (backend or file.backend or "transit").strip("/")
        if not chosen_key:
            why = "does not say which key encrypts it" if before else "does not exist yet"
            raise MlkeysError(f"{path} {why}: give the name of the key with --key.")
        check_ownership(file, chosen_backend, chosen_key, file.fingerprint_key or chosen_key, str(path))
    return Target(path, before, file, chosen_backend, chosen_key, document)


def _read_document(place: Place) -> tuple[InKv, VarsFile]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import read_document

    with _collection.connected() as client:
        stored, file = read_document(client, place)
    return InKv(place, stored), file


def _replace_document(client: Client, document: InKv, text: str) -> None:
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Overtaken
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.reconcile import replace_document

    try:
        replace_document(client, document.place, document.stored, text)
    except Overtaken as error:
        problem = error.message
    else:
        return
    raise replacing.ChangedMeanwhile(problem)


def show(rows: Sequence[tuple[Change, str]], title: str) -> None:
    """A table of what happens to each entry, and of where it comes from where that is said."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    sources = any(source for _, source in rows)
    for heading in ("variable", *(("from",) if sources else ()), "what happens", "version", "why"):
        table.add_column(heading, overflow="fold")
    for change, source in rows:
        version = "" if change.version is None else f"v{change.version}"
        cells = [change.name, *((source,) if sources else ()), change.action, version, change.reason]
        # Names of others are no markup.
        table.add_row(*(Text(cell, style=_style(cell, change)) for cell in cells))
    # Who reads it from a pipe has no margin.
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE).print(table)


def _style(cell: str, change: Change) -> str:
    return _COLOURS.get(change.action, "dim") if cell == change.action else ""
