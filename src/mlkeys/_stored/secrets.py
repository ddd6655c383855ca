# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Read encrypted vars files where they are only used: which files, which entries, their plaintexts.

The collection's modules must be importable, through `mlkeys._carried` or through Ansible, before a function is called.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import unknown_problem
from mlkeys._shared.printable import one_line
from mlkeys._shared.vars_files import VARS_FILE_SUFFIXES, is_vars_file_name
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry, VarsFile


@dataclass(frozen=True)
class Secret:
    """A stored secret, or a value of nested data that needs no encryption, and where it is."""

    name: str
    path: Path
    file: VarsFile = field(repr=False)

    @property
    def is_open(self) -> bool:
        """Whether it is not encrypted, since its file says that it is not a secret."""
        return self.name not in self.file.entries

    @property
    def version(self) -> int:
        """The version of the key, 0 if it is not encrypted."""
        return 0 if self.is_open else self.file.entries[self.name].version

    @property
    def key(self) -> str:
        """The key, empty if it is not encrypted."""
        return "" if self.is_open else f"{self.file.backend}/{self.file.key}"


@dataclass(frozen=True)
class FileProblem:
    """Why the secrets of a file, or of the files in a folder, are not known."""

    path: Path
    problem: str


#: The environment variable that names files, and folders of them, for programs.
FILES_VARIABLE = "MLKEYS_FILES"


def names_of_files(value: str) -> list[str]:
    """The files that a value of this variable names, separated by colons. An empty part stands for nothing."""
    return [name for name in value.split(os.pathsep) if name]


def chosen_files(named: Sequence[Path]) -> list[Path]:
    """The encrypted vars files that were named, those in folders that were named, or those of the current folder.

    Raises:
        MlkeysError: one does not exist or has another name, or a folder has none.
    """
    found: list[Path] = []
    for path in named or [Path()]:
        found += _chosen(path, _inside)
    return list(dict.fromkeys(found))


def files_below(named: Sequence[Path]) -> tuple[list[Path], list[FileProblem]]:
    """The same, also in folders of folders except for hidden ones; and what could not be searched, or has no file."""
    found: list[Path] = []
    problems: list[FileProblem] = []

    def below(folder: Path) -> Iterator[Path]:
        def note(error: OSError) -> None:
            # That of the folder itself is reported where it was named.
            where = Path(error.filename)
            if where == folder:
                raise error
            problems.append(FileProblem(where, _unreadable(where, error)))

        for place, folders, names in os.walk(folder, onerror=note):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (one for one in (Path(place, name) for name in names) if _is_vars_file(one))

    for path in named or [Path()]:
        try:
            found += _chosen(path, below)
        except MlkeysError as error:
            problems.append(FileProblem(path, str(error)))
    return list(dict.fromkeys(found)), problems


def _chosen(path: Path, inside: Callable[[Path], Iterable[Path]]) -> list[Path]:
    """The files that a path stands for.

    Raises:
        MlkeysError: there is none.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        found = sorted(inside(path)) if is_folder else [path]
    except FileNotFoundError:
        raise MlkeysError(f"{path} does not exist.") from None
    except OSError as error:
        raise MlkeysError(_unreadable(path, error)) from None
    if not found:
        raise MlkeysError(f"No encrypted vars file (*{VARS_FILE_SUFFIXES[0]}) in {path.absolute()}.")
    return found


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path}: {error.strerror or 'it cannot be read'}."


def _inside(folder: Path) -> Iterator[Path]:
    return (one for one in folder.iterdir() if _is_vars_file(one))


def _is_vars_file(path: Path) -> bool:
    """Whether it is a file of such a name, or should be one, so that reading it says what is wrong."""
    if not is_vars_file_name(path.name):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        # Editors mark files that they have open with hidden links that lead nowhere.
        return not path.name.startswith(".")
    except OSError:
        return True


def stored_secrets(connect: Callable[[], Client], paths: Iterable[Path]) -> list[Secret]:
    """All secrets of files, or of the KV documents that they point to, each with a name of its own.

    Args:
        connect: returns a client. It is called only for KV documents.

    Raises:
        MlkeysError: a file is not valid, holds values that are not encrypted, or two files hold the same name.
    """
    found: dict[str, Secret] = {}
    for secret in secrets_of_each(connect, paths):
        before = found.setdefault(secret.name, secret)
        if before is not secret:
            raise MlkeysError(
                f"'{secret.name}' is in {before.path} and in {secret.path}. Name the files that you want, with one of "
                "these."
            )
    return list(found.values())


def secrets_of_each(connect: Callable[[], Client], paths: Iterable[Path]) -> list[Secret]:
    """The same, where files may hold the same names, as those of several groups do.

    Raises:
        MlkeysError: as for `secrets_of`.
    """
    return [secret for path in paths for secret in secrets_of(connect, path)]


def secrets_of(connect: Callable[[], Client], path: Path) -> list[Secret]:
    """The secrets of one file, at least one.

    Raises:
        MlkeysError: it is not valid, holds values that are not encrypted, or holds nothing, as after a write that was
            cut short. Anyone who uses it would go on without what it held.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import load

    with collection.in_plain_words():
        file = load(str(path), connect)
    if file.plain:
        names = ", ".join(one_line(str(name)) for name in file.plain)
        raise MlkeysError(f"{path} has values that are not encrypted: {names}.")
    found = [Secret(name, path, file) for name in file.order or file.entries]
    if not found:
        raise MlkeysError(f"{file.path} holds no secrets. Restore it, or remove it if it is not needed.")
    return found


def only(secrets: Sequence[Secret], names: Sequence[str]) -> list[Secret]:
    """Those with these names, or below them; all of them for no names.

    Raises:
        MlkeysError: one of the names is unknown.
    """
    if not names:
        return list(secrets)
    found = {name: place for place, name in enumerate(named(names, {secret.name: None for secret in secrets}))}
    return sorted((secret for secret in secrets if secret.name in found), key=lambda secret: found[secret.name])


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
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import located

    found = results_of_each(client, secrets)
    return {
        secret.name: located(client, secret.file.backend, secret.file.key, result)
        if isinstance(result, str)
        else result
        for secret, result in zip(secrets, found, strict=True)
    }


def results_of_each(client: Client, secrets: Sequence[Secret]) -> list[bytes | str]:
    """The same, in the order of the secrets, whose names may occur several times."""
    found: list[bytes | str] = [open_content(secret) if secret.is_open else "" for secret in secrets]
    for (backend, key), places in _by_key(secrets).items():
        entries = [secrets[place].file.entries[secrets[place].name] for place in places]
        for place, result in zip(places, _decrypted(client, backend, key, entries), strict=True):
            found[place] = result
    return found


def open_content(secret: Secret) -> bytes:
    """The value of one that is not encrypted."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import NotEncryptable, encoded

    value = secret.file.open[secret.name]
    if isinstance(value, bytes):
        return value
    try:
        return _in_json(encoded(value))
    except NotEncryptable:
        # A date, which programs take as text.
        return str(value).encode("utf-8", "replace")


def answers(client: Client, backend: str, key: str, entries: Sequence[Entry]) -> dict[str, bytes | str]:
    """The same for entries of one key, in one request."""
    found = _decrypted(client, backend, key, entries)
    return {entry.name: result for entry, result in zip(entries, found, strict=True)}


def _decrypted(client: Client, backend: str, key: str, entries: Sequence[Entry]) -> list[bytes | str]:
    from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item

    items = [stored_item(entry) for entry in entries]
    found = Transit(client, backend).decrypt_each(key, items) if items else []
    return [
        result if isinstance(result, str) else _opened(entry, result)
        for entry, result in zip(entries, found, strict=True)
    ]


def _opened(entry: Entry, content: bytes) -> bytes | str:
    """The plaintext of an entry, or the reason why its type is not known."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import TypeUnknown

    try:
        return _in_json(entry.opened(content))
    except TypeUnknown as problem:
        return problem.why


def _in_json(content: bytes) -> bytes:
    """A value as it is encrypted. A number that Python has and JSON has not is a text: nan, inf or -inf."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import Json

    return _NO_JSON.get(content, content) if isinstance(content, Json) else content


_NO_JSON = {b"NaN": b"nan", b"Infinity": b"inf", b"-Infinity": b"-inf"}


def plaintexts(client: Client, secrets: Sequence[Secret]) -> dict[str, bytes]:
    """The plaintext of each secret, as programs get it.

    Raises:
        MlkeysError: one does not decrypt; all of them are named.
    """
    found = plaintexts_of_each(client, secrets)
    return {secret.name: content for secret, content in zip(secrets, found, strict=True)}


def plaintexts_of_each(client: Client, secrets: Sequence[Secret]) -> list[bytes]:
    """The same, in the order of the secrets, whose names may occur several times."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import as_content

    with collection.in_plain_words():
        found = results_of_each(client, secrets)
    problems = [
        f"  {secret.path}: {secret.name}: {result}"
        for secret, result in zip(secrets, found, strict=True)
        if isinstance(result, str)
    ]
    if problems:
        places = dict.fromkeys(f"{one.file.backend}/keys/{one.file.key}" for one in secrets if not one.is_open)
        asked = client.asked_with("read", *places) if len(places) == 1 else client.server_asked
        raise MlkeysError("\n".join(["Some secrets do not decrypt:", *problems, asked]))
    return [as_content(result) for result in found if isinstance(result, bytes)]


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


def _by_key(secrets: Sequence[Secret]) -> Mapping[tuple[str, str], list[int]]:
    """The places of the secrets of each key."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, secret in enumerate(secrets):
        if not secret.is_open:
            groups.setdefault((secret.file.backend, secret.file.key), []).append(place)
    return groups
