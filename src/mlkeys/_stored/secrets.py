# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Read encrypted vars files where they are only used: which files, which entries, their plaintexts.

The collection's modules must be importable, through `mlkeys._carried` or through Ansible, before a function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import unknown_problem
from mlkeys._shared.printable import one_line
from mlkeys._shared.schema import VARS_FILE_SUFFIXES
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry, VarsFile


@dataclass(frozen=True)
class Secret:
    """A stored secret, and where it is."""

    name: str
    path: Path
    file: VarsFile = field(repr=False)

    @property
    def version(self) -> int:
        return self.file.entries[self.name].version

    @property
    def key(self) -> str:
        return f"{self.file.backend}/{self.file.key}"


def chosen_files(named: Sequence[Path]) -> list[Path]:
    """The encrypted vars files that were named, those in folders that were named, or those of the current folder.

    Raises:
        MlkeysError: one does not exist or has another name, or a folder has none.
    """
    found: list[Path] = []
    for path in named or [Path()]:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.name.endswith(VARS_FILE_SUFFIXES) and one.is_file())
            if not inside:
                raise MlkeysError(f"No encrypted vars file (*{VARS_FILE_SUFFIXES[0]}) in {path.absolute()}.")
            found += inside
        elif not path.exists():
            raise MlkeysError(f"{path} does not exist.")
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def stored_secrets(connect: Callable[[], Client], paths: Iterable[Path]) -> list[Secret]:
    """All secrets of files, or of the KV documents that they point to.

    Args:
        connect: returns a client. It is called only for KV documents.

    Raises:
        MlkeysError: a file is not valid, holds values that are not encrypted, or two files hold the same name.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import load

    found: dict[str, Secret] = {}
    for path in paths:
        with collection.in_plain_words():
            file = load(str(path), connect)
        if file.plain:
            names = ", ".join(one_line(str(name)) for name in file.plain)
            raise MlkeysError(f"{path} has values that are not encrypted: {names}.")
        for name in file.entries:
            if name in found:
                raise MlkeysError(f"'{name}' is in {found[name].path} and in {path}. Name one of the files with -f.")
            found[name] = Secret(name, path, file)
    return list(found.values())


def only(secrets: Sequence[Secret], names: Sequence[str]) -> list[Secret]:
    """Those with these names, or below them; all of them for no names.

    Raises:
        MlkeysError: one of the names is unknown.
    """
    known = {secret.name: secret for secret in secrets}
    found = named(names, known)
    return [known[name] for name in found] if names else list(secrets)


def named(names: Iterable[str], known: Collection[str], file: Path | None = None) -> list[str]:
    """The names of secrets, each of them for itself or for all that are below it in nested data.

    Raises:
        MlkeysError: one of the names is unknown.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import chosen

    found = chosen(dict.fromkeys(names), known)
    check_known([name for name, paths in found.items() if not paths], known, file)
    return list(dict.fromkeys(path for paths in found.values() for path in paths if path in known))


def results(client: Client, secrets: Sequence[Secret]) -> dict[str, bytes | str]:
    """For each secret its plaintext, or as text the reason why it has none. One request for each key.

    Raises:
        TransitError: the server refuses a whole request.
    """
    found: dict[str, bytes | str] = {}
    for (backend, key), group in _by_key(secrets).items():
        found |= answers(client, backend, key, [secret.file.entries[secret.name] for secret in group])
    return found


def answers(client: Client, backend: str, key: str, entries: Sequence[Entry]) -> dict[str, bytes | str]:
    """The same for entries of one key, in one request."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

    items = [stored_item(entry) for entry in entries]
    found = Transit(client, backend).decrypt_each(key, items) if items else []
    return {
        entry.name: result if isinstance(result, str) else _opened(entry, result)
        for entry, result in zip(entries, found, strict=True)
    }


def _opened(entry: Entry, content: bytes) -> bytes | str:
    """The plaintext of an entry, or the reason why its type is not known."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import TypeUnknown

    try:
        return entry.opened(content)
    except TypeUnknown as problem:
        return problem.why


def plaintexts(client: Client, secrets: Sequence[Secret]) -> dict[str, bytes]:
    """The plaintext of each secret, as programs get it.

    Raises:
        MlkeysError: one does not decrypt; all of them are named.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import as_content

    with collection.in_plain_words():
        found = results(client, secrets)
    where = {secret.name: secret.path for secret in secrets}
    problems = [f"  {where[name]}: {name}: {reason}" for name, reason in found.items() if isinstance(reason, str)]
    if problems:
        raise MlkeysError("\n".join(["Some secrets do not decrypt:", *problems]))
    return {name: as_content(value) for name, value in found.items() if isinstance(value, bytes)}


def check_known(names: Iterable[str], known: Collection[str], file: Path | None = None) -> None:
    """Check that there are secrets with these names.

    Args:
        file: where they should be, for the message.

    Raises:
        MlkeysError: one of the names is unknown.
    """
    for name in names:
        if name not in known:
            problem = unknown_problem(name, known, "secret")
            raise MlkeysError(f"{file}: {problem}" if file else problem)


def _by_key(secrets: Iterable[Secret]) -> Mapping[tuple[str, str], list[Secret]]:
    groups: dict[tuple[str, str], list[Secret]] = {}
    for secret in secrets:
        groups.setdefault((secret.file.backend, secret.file.key), []).append(secret)
    return groups
