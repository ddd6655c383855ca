# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Plaintexts that are in memory, and whether they are still what the files hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from mlkeys._errors import MlkeysError
from mlkeys._stored.marks import Mark, mark_of
from mlkeys._stored.secrets import check_known, chosen_files
from mlkeys.runtime._data import content_of
from mlkeys.runtime._errors import SecretsError, UnknownSecret

T = TypeVar("T")

Marks = tuple[tuple[Path, Mark], ...]


@dataclass(frozen=True)
class Held:
    """What was decrypted, and when it must be decrypted again.

    Attributes:
        values: the plaintext of each secret, or as text why it has none.
        marks: of the files, when they were read.
        hangups: how many signals there had been.
        until: in seconds of the monotonic clock.
    """

    values: Mapping[str, bytes | str] = field(repr=False)
    marks: Marks
    hangups: int
    until: float

    def is_due(self, marks: Marks, hangups: int, now: float) -> bool:
        """Whether it must be decrypted again."""
        return marks != self.marks or hangups != self.hangups or now >= self.until


def content(held: Held, name: str) -> bytes:
    """The plaintext of a secret.

    Raises:
        UnknownSecret: no secret has this name, or the name is not a text.
        SecretsError: it does not decrypt.
    """
    if not isinstance(name, str):
        raise UnknownSecret(f"The name of a secret is a text, and not a value of the type {type(name).__name__}.")
    values = held.values
    if name not in values:
        try:
            check_known([name], values)
        except MlkeysError as problem:
            raise UnknownSecret(str(problem)) from None
    value = values[name]
    if isinstance(value, str):
        raise SecretsError(f"'{name}': {value}")
    return content_of(value)


class Entries(Generic[T]):
    """What belongs to each of some names, made when it is asked for.

    Not a view of a mapping: error trackers unpack those.
    """

    def __init__(self, names: Collection[str], entry: Callable[[str], T]) -> None:
        self._names = names
        self._entry = entry

    def __iter__(self) -> Iterator[T]:
        return map(self._entry, self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<Entries of {self._names!r}>"


def with_those_kept(new: Mapping[str, bytes | str], old: Mapping[str, bytes | str]) -> dict[str, bytes | str]:
    """The new values; for secrets that do not decrypt any more, the old ones."""
    return {
        name: old[name] if isinstance(value, str) and isinstance(old.get(name), bytes) else value
        for name, value in new.items()
    }


def marks_of(paths: Iterable[Path]) -> Marks:
    """What changes when a file changes, or the list of those in a folder. Empty without any file."""
    found: list[tuple[Path, Mark]] = []
    for path in paths:
        try:
            inside = chosen_files([path])
        except MlkeysError:
            continue
        found += [(file, mark) for file in inside if (mark := mark_of(file))]
    return tuple(found)
