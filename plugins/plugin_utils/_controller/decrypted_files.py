# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decrypt encrypted vars files, each content once. **Private** to the collection."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible.errors import AnsibleError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ServerError,
    ServerUnreachable,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.reading import opened_to_read
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import MOST_BYTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import other_files
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import Entry, VarsFile, assembled
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.sealed import sealed
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import as_in_any_file, as_no_template
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import (
    Connect,
    from_disk,
    load,
    stored,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.whole_files import Decrypt, value_of

# At most this many variables are named in a message.
_NAMED = 3

_MISNAMED = "it is not decrypted, because its name does not end with .transit.yml. Rename the file to NAME.transit.yml."


@dataclass
class Decrypted:
    """The result for one file.

    Attributes:
        values: the variables that decrypted.
        ciphertexts: those that did not.
        plain: those that are not encrypted, marked as templates only if they are from a file.
        open: the same for those that need no encryption.
        problems: a sentence for each that did not decrypt, or for the whole file under an empty name.
        is_valid: false if the file itself is not an encrypted vars file.
        file: what it holds, by which `variables` puts leaves of nested data in their places.
    """

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    ciphertexts: dict[str, str] = field(default_factory=dict)
    plain: Mapping[str, Any] = field(default_factory=dict, repr=False)
    open: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problems: dict[str, str] = field(default_factory=dict)
    is_valid: bool = True
    file: VarsFile | None = None

    def variables(self, leaves: Mapping[str, Any]) -> dict[str, Any]:
        """The variables with these leaves."""
        return dict(leaves) if self.file is None else assembled(self.file, leaves)

    def summary(self, path: str) -> str:
        """The problems as one: of each reason the number of variables, and the first of them."""
        if len(self.problems) == 1:
            return next(iter(self.problems.values()))
        names: dict[str, list[str]] = {}
        for name, problem in self.problems.items():
            about = f"{path}: {name}"
            reason = problem[len(about) :].lstrip(": ") if problem.startswith(about) else problem
            names.setdefault(reason, []).append(name)
        total = len(self.file.entries) if self.file else len(self.problems)
        reasons = [f"{_some(found)}: {reason}" for reason, found in names.items()]
        return f"{path}: {len(self.problems)} of {total} entries do not decrypt: {' '.join(reasons)}"

    def warning(self, path: str, reported: set[str]) -> str:
        """The problems with what follows from them. Empty if a whole file has one that was reported for another file.

        Args:
            reported: the problems of whole files that were reported, without the names of these. This one is added.
        """
        reason = self.problems.get("", "").replace(path, "", 1)
        if reason in reported:
            return ""
        reported.update(filter(None, [reason]))
        return f"{self.summary(path)} {_consequence(list(self.problems))}"

    def problem_of(self, name: str) -> str:
        """Why a variable did not decrypt, with its name behind that of its file."""
        of_file = self.problems.get("", "")
        path = f"{self.file.path}: " if self.file and of_file.startswith(f"{self.file.path}: ") else ""
        return self.problems.get(name) or f"{path}{name}: {of_file[len(path) :]}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _consequence(names: Sequence[str]) -> str:
    if len(names) > 1:
        return "They are undefined: what uses one fails."
    if names[0]:
        return f"{names[0]} is undefined: what uses it fails."
    return "Its variables, and those of other files with this problem, are undefined: what uses one fails."


@dataclass(frozen=True)
class _Pending:
    digest: str
    path: str
    file: VarsFile


class Misnamed:
    """Encrypted vars files of hosts and groups whose names are others, so that their variables would be ciphertext.

    Ansible's own plugin finds and reads them once in a run.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[tuple[str, Decrypted]]] = {}

    def of(self, loader: Any, folder: str, name: str) -> list[tuple[str, Decrypted]]:
        """Those of a host or a group, with what is wrong.

        Args:
            loader: Ansible's, which keeps what it has read.
            folder: `group_vars` or `host_vars`.
        """
        if (folder, name) not in self._known:
            is_place = not (os.sep in name or name.startswith(".")) and os.path.isdir(folder)
            paths = other_files(folder, name) if is_place else []
            self._known[folder, name] = [found for path in paths if (found := self._read(loader, path)) is not None]
        return self._known[folder, name]

    @staticmethod
    def _read(loader: Any, path: str) -> tuple[str, Decrypted] | None:
        try:
            # Ansible's own plugin keeps more, and marks templates.
            content = loader.load_from_file(path, cache="vaulted", unsafe=True)
            file = stored(content, path) if isinstance(content, Mapping) and METADATA in content else None
        except (AnsibleError, TransitError):
            return None
        if file is None or not file.entries:
            return None
        tops = {_top(name) for name in file.entries}
        beside = {
            name: as_no_template(value) for name, value in {**file.open, **file.plain}.items() if _top(name) in tops
        }
        ciphertexts = {entry.name: entry.ciphertext for entry in file.entries.values()}
        return path, Decrypted(ciphertexts=ciphertexts, open=beside, problems={"": f"{path}: {_MISNAMED}"}, file=file)


def _top(name: str) -> str:
    return name.partition(".")[0]


def holds_entries(path: str) -> bool:
    """Whether a file is valid and holds its entries itself, and not in a document of the server."""
    try:
        return bool(from_disk(path).entries)
    except TransitError:
        return False


class DecryptedFiles:
    """Decrypts files of the same key in one request, and each content once."""

    def __init__(self, connect: Connect, decrypt: Decrypt, asked: str = "") -> None:
        """
        Args:
            decrypt: decrypts entries of one key.
            asked: a sentence that says which server is asked, for messages.
        """
        self._connect = connect
        self._decrypt_each = decrypt
        self._asked = f" {asked}" if asked else ""
        self._digests: dict[str, tuple[tuple[int, ...], str]] = {}
        self._known: dict[str, Decrypted] = {}

    def forget(self) -> None:
        self._known.clear()

    def read(self, wanted: Iterable[str], nearby: Callable[[], Iterable[str]]) -> list[tuple[str, Decrypted]]:
        """The wanted files, decrypted.

        Args:
            nearby: further files that are likely to be wanted soon. They go into the same request when there is one.
        """
        digests = [(path, self._digest(path)) for path in wanted]
        if any(digest not in self._known for _path, digest in digests):
            everything = dict(digests)
            everything.update((path, self._digest(path)) for path in nearby())
            self._decrypt({digest: path for path, digest in everything.items() if digest not in self._known})
        return [(path, self._known[digest]) for path, digest in digests]

    def _digest(self, path: str) -> str:
        """A name for the file's path and content. Read again when the file has changed."""
        try:
            status = os.stat(path)
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._digests.get(path)
            if known is not None and known[0] == mark:
                return known[1]
            with opened_to_read(path) as file:
                # The error about a larger one is reported when the file is loaded, too.
                content = file.read(MOST_BYTES + 1)
        except OSError:
            # The error is reported when the file is loaded.
            return f"unreadable {path}"
        digest = hashlib.sha256(os.fsencode(path) + b"\0" + content).hexdigest()
        self._digests[path] = (mark, digest)
        return digest

    def _decrypt(self, paths: Mapping[str, str]) -> None:
        unreachable: TransitError | None = None
        for (backend, key), files in self._load(paths).items():
            # Each key would wait again for a server that does not answer.
            problem = unreachable or self._ask(backend, key, files)
            if problem is not None:
                for pend in files:
                    self._give_up(pend, problem.message)
            unreachable = problem if isinstance(problem, ServerUnreachable) else None

    def _load(self, paths: Mapping[str, str]) -> dict[tuple[str, str], list[_Pending]]:
        """The files with something to decrypt, by engine and key."""
        pending: dict[tuple[str, str], list[_Pending]] = {}
        for digest, path in paths.items():
            try:
                file = load(path, self._connect)
            except TransitError as error:
                # A document that cannot be asked for says nothing about the file.
                is_asked = isinstance(error, (ServerError, ServerUnreachable))
                about = f"{path}: {self._with_server(error.message)}" if is_asked else error.message
                self._known[digest] = Decrypted(problems={"": about}, is_valid=is_asked)
                continue
            # Anyone who writes to a KV engine runs no templates here, nor does a file by what it allows itself.
            mark = as_in_any_file if file.place is None else as_no_template
            self._known[digest] = Decrypted(
                plain={name: mark(value) for name, value in file.plain.items()},
                open={name: as_no_template(value) for name, value in file.open.items()},
                file=file,
            )
            if file.entries:
                pending.setdefault((file.backend, file.key), []).append(_Pending(digest, path, file))
        return pending

    def _ask(self, backend: str, key: str, files: Sequence[_Pending]) -> TransitError | None:
        """Decrypt what files of a key hold, in one request; why that was not possible, or None."""
        entries = [(pend, entry) for pend in files for entry in pend.file.entries.values()]
        try:
            results = self._decrypt_each(sealed(backend, key, (entry for _pending, entry in entries)))
        except TransitError as error:
            return error
        for (pend, entry), result in zip(entries, results):
            self._store(pend, entry, result)
        return None

    def _with_server(self, problem: str) -> str:
        # Some say it themselves.
        return problem if " Asked: " in problem else f"{problem}{self._asked}"

    def _give_up(self, pending: _Pending, problem: str) -> None:
        decrypted = self._known[pending.digest]
        decrypted.problems[""] = f"{pending.path}: {self._with_server(problem)}"
        decrypted.ciphertexts = {entry.name: entry.ciphertext for entry in pending.file.entries.values()}

    def _store(self, pending: _Pending, entry: Entry, result: bytes | str) -> None:
        decrypted = self._known[pending.digest]
        try:
            decrypted.values[entry.name] = value_of(pending.path, entry, result)
        except TransitError as error:
            # Which server was asked matters for what it answered.
            is_answer = isinstance(error, ServerError)
            decrypted.problems[entry.name] = self._with_server(error.message) if is_answer else error.message
            decrypted.ciphertexts[entry.name] = entry.ciphertext
