# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The secrets of files, by name."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, overload

from mlkeys._errors import MlkeysError
from mlkeys._stored import secrets as stored
from mlkeys._system import collection, core_dumps
from mlkeys.runtime._data import fields_of, text_of, value_of
from mlkeys.runtime._errors import SecretsError, UnknownSecret, bare, without_values
from mlkeys.runtime._fields import object_of
from mlkeys.runtime._hangup import listen, received
from mlkeys.runtime._held import Entries, Held, Marks, content, marks_of, with_those_kept
from mlkeys.runtime._options import check_lifetime, check_options, digest_of, names_in, places_of
from mlkeys.runtime._process import is_refusal, log, process
from mlkeys.runtime._types import checked_fields
from mlkeys.runtime._work import PATIENCE, Work

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

    _Connecting = Callable[[], AbstractContextManager[Callable[[], Client]]]

T = TypeVar("T")

# Seconds after which it is tried again to renew what could not be renewed.
_PAUSE = 30


class Secrets:
    """The secrets of encrypted vars files, by name. Made by `secrets`.

    It reads the files, logs in and decrypts when a secret is first used: all secrets of a key with one request. It does
    so again after the lifetime, after a SIGHUP, and when a file has changed. Threads and forked processes may share it.

    It has methods of a mapping, but is none for `isinstance`: debug pages and error trackers unpack the mappings,
    sets and sequences that they find in a frame. Its representation shows no value, and it cannot be pickled. Neither
    `dict()` nor `vars()` takes its values out: web frameworks try both for objects that they encode as JSON.

    Args:
        paths: the files and folders that it reads.
        names: the secrets to decrypt; none for all.
        lifetime: seconds after which the secrets are decrypted again; ``None`` for never.
        options: options of the connection and the login.
        keep_stale: whether to keep the secrets that are in memory when they cannot be renewed.
        core_dumps: whether this process may write core dumps.
    """

    __slots__ = (
        *("_paths", "_names", "_lifetime", "_keep_stale", "_core_dumps", "_held", "_renewing", "_connecting"),
        *("_failed", "_work", "__weakref__"),
    )

    def __init__(
        self,
        paths: tuple[Path, ...],
        names: tuple[str, ...],
        lifetime: float | None,
        options: Mapping[str, object],
        *,
        keep_stale: bool,
        core_dumps: bool,
    ) -> None:
        self._paths = paths
        self._names = names
        self._lifetime = float("inf") if lifetime is None else lifetime
        self._keep_stale = keep_stale
        self._core_dumps = core_dumps
        self._held: Held | None = None
        # Before that of a login, and held until all is decrypted: one request is enough for all threads.
        self._renewing = lock = process.new_lock()
        # The options may hold a token, which those who look at the attributes of an object do not get from a function.
        self._connecting: _Connecting = lambda: process.connecting(lock, options)
        # When an attempt failed, and why.
        self._failed = (0.0, "")
        self._work: Work[Held | Exception] = Work()

    def __getitem__(self, name: str) -> str:
        return self._text(self._current(), name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._current().values)

    def __len__(self) -> int:
        return len(self._current().values)

    def __contains__(self, name: object) -> bool:
        # That of a mapping would hide why a secret does not decrypt.
        return name in self._current().values

    def keys(self) -> NoReturn:
        """Refuse, with a `TypeError`, what `dict()` and `**` begin with."""
        raise TypeError(
            "This would take out all secrets. For their names use list(); for all values, dict() of items()."
        )

    def values(self) -> Entries[str]:
        """The texts of the secrets."""
        return Entries(self, self.__getitem__)

    def items(self) -> Entries[tuple[str, str]]:
        """The names of the secrets with their texts."""
        return Entries(self, lambda name: (name, self[name]))

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: T) -> str | T: ...
    def get(self, name: str, default: object = None) -> object:
        """The text of a secret, or the default if there is none of this name.

        Args:
            name: name of the secret.
            default: what to return if there is none. Default: ``None``.
        """
        try:
            return self[name]
        except UnknownSecret:
            return default

    @without_values
    def as_bytes(self, name: str) -> bytes:
        """The plaintext of a secret.

        Raises:
            UnknownSecret: there is none of this name.
            SecretsError: it does not decrypt, or nothing could be decrypted.
        """
        return content(self._current(), name)

    @without_values
    def value(self, name: str) -> Any:
        """A secret of nested data with its type, such as a number, or all data below a name, such as ``providers``.

        Raises:
            UnknownSecret: there is none of this name.
            SecretsError: it does not decrypt, or nothing could be decrypted.
        """
        return value_of(name, self._current().values, self.as_bytes)

    async def fetch(self, name: str) -> str:
        """The text of a secret, without blocking the event loop while it is decrypted."""
        held = self._held
        if held is None or self._is_due():
            held = await self._fetched(held)
        return self._text(held, name)

    def callable(self, name: str) -> Callable[[], str]:
        """A function that returns the text of a secret, for clients that ask for it before each request."""
        return lambda: self[name]

    def async_callable(self, name: str) -> Callable[[], Awaitable[str]]:
        """The same for asynchronous clients, which wait for it."""
        return lambda: self.fetch(name)

    @without_values
    def into(self, kind: type[T]) -> T:
        """An object of a class with annotated fields, such as a dataclass, from the secrets of their names.

        A field may be a `str`, `bytes`, `int`, `float`, `bool`, `Literal`, `Enum`, any type that takes a text, a list,
        mapping or class of these, or one of several. Fields without a secret keep their defaults.

        Raises:
            TypeError: a field has another type. No server is asked.
            SecretsError: a secret does not decrypt, is not a value of the field's type, or is missing.
        """
        hints = checked_fields(kind)
        held = self._current()
        found: T = object_of(kind, fields_of(kind, hints, held.values, lambda name: content(held, name)))
        return found

    @without_values
    def renew(self) -> None:
        """Read and decrypt again now, for as long as a request may take.

        Raises:
            SecretsError: that failed, for all secrets or for the ones that it names, also at the first use. With
                ``keep_stale``, these stay as they were, and the next attempt is that of the next renewal, 30 seconds
                later at the earliest.
        """
        with self._renewing.lock:
            old, marks = self._held, marks_of(self._paths)
            try:
                new = self._decrypted(marks)
            except SecretsError:
                if old is not None and self._keep_stale and old.is_due(marks, received(), time.monotonic()):
                    self._held = _put_off(old, marks)
                raise
            self._held, lost = self._merged(new, old)
        failing = [name for name, value in new.values.items() if isinstance(value, str)]
        if failing:
            since = " any more" if failing == lost else ""
            raise SecretsError(f"Some secrets do not decrypt{since}: {', '.join(failing)}")

    @without_values
    def close(self) -> None:
        """Forget the secrets. When no others use their login, revoke its token, in a few seconds at most."""
        with process.state:
            self._held = None
            for known in [known for known, one in _open.items() if one is self]:
                del _open[known]
        process.leave(self._renewing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Secrets of {', '.join(map(str, self._paths))}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Secrets cannot be pickled: they would leave this process.")

    def _is_due(self) -> bool:
        held = self._held
        return held is None or held.is_due(marks_of(self._paths), received(), time.monotonic())

    @without_values
    def _text(self, held: Held, name: str) -> str:
        return text_of(name, content(held, name))

    @without_values
    def _current(self) -> Held:
        """What is in memory, renewed where it must be.

        Raises:
            SecretsError: it cannot be, and nothing may be kept.
        """
        held = self._held
        if held is not None and not self._is_due():
            return held
        if held is None or not self._keep_stale:
            return self._decrypted_if_due()
        begun = self._work.begin(self._outcome)
        if begun is not None:
            with suppress(TimeoutError):
                begun.result(PATIENCE)
        return self._held or held

    async def _fetched(self, held: Held | None) -> Held:
        """The same, without blocking the event loop."""
        import asyncio  # noqa: PLC0415  it takes longer than all else

        if held is not None and self._keep_stale:
            begun = self._work.begin(self._outcome)
            if begun is not None:
                await asyncio.wait([asyncio.wrap_future(begun)], timeout=PATIENCE)
            return self._held or held
        outcome = await asyncio.wrap_future(self._work.joined(self._outcome))
        if isinstance(outcome, Exception):
            raise bare(outcome)
        return outcome

    def _outcome(self) -> Held | Exception:
        try:
            return self._decrypted_if_due()
        except Exception as problem:  # noqa: BLE001  the waiting thread gets it
            return problem

    @without_values
    def _decrypted_if_due(self) -> Held:
        wanted = time.monotonic()
        with self._renewing.lock:
            held = self._held
            if held is not None and not self._is_due():
                return held
            when, problem = self._failed
            if when >= wanted:
                # It has waited for this attempt, as others may wait for the next one.
                raise SecretsError(problem)
            try:
                new = self._renewed(held, marks_of(self._paths))
            except SecretsError as failed:
                self._failed = (time.monotonic(), str(failed))
                raise
            with process.state:
                # It may have been closed meanwhile.
                if self._held is held:
                    self._held = new
            return new

    def _renewed(self, old: Held | None, marks: Marks) -> Held:
        try:
            new = self._decrypted(marks)
        except SecretsError as problem:
            if old is None or not self._keep_stale:
                raise
            log.warning("The secrets could not be renewed, and stay as they are: %s", problem)
            return _put_off(old, marks)
        merged, lost = self._merged(new, old)
        if lost and self._keep_stale:
            log.warning("Some secrets do not decrypt any more, and stay as they are: %s", ", ".join(lost))
        return merged

    def _merged(self, new: Held, old: Held | None) -> tuple[Held, list[str]]:
        """What is held now, and the secrets that do not decrypt any more."""
        if old is None:
            return new, []
        values = with_those_kept(new.values, old.values)
        lost = [name for name, value in new.values.items() if values[name] is not value]
        return (replace(new, values=values) if self._keep_stale else new), lost

    def _decrypted(self, marks: Marks) -> Held:
        hangups = received()
        try:
            values = self._values()
        except MlkeysError as problem:
            raise SecretsError(str(problem)) from None
        return Held(values, marks, hangups, time.monotonic() + self._lifetime)

    def _values(self) -> Mapping[str, bytes | str]:
        """What the files hold, with a new login where the server does not accept the token of the last one."""
        refused = ""
        try:
            return self._read()
        except MlkeysError as problem:
            if not (is_refusal(problem) and process.forget(self._renewing)):
                raise
            refused = str(problem)
        try:
            return self._read()
        except MlkeysError as problem:
            raise MlkeysError(f"{refused} A new login did not help: {problem}") from None

    def _read(self) -> Mapping[str, bytes | str]:
        with collection.in_plain_words(), self._connecting() as connect:
            found = stored.stored_secrets(connect, stored.chosen_files(self._paths))
            chosen = stored.only(found, self._names)
            if chosen and not self._core_dumps:
                core_dumps.turn_off(for_good=False)
            return stored.results(connect(), chosen) if chosen else {}


def _put_off(held: Held, marks: Marks) -> Held:
    """The same, to be decrypted again after a pause."""
    return replace(held, marks=marks, hangups=received(), until=time.monotonic() + _PAUSE)


_open: dict[object, Secrets] = {}


@without_values
def secrets(
    *files: str | os.PathLike[str],
    only: Collection[str] = (),
    lifetime: float | None = 3600,
    keep_stale: bool = True,
    hangup: bool | None = None,
    core_dumps: bool = False,
    **connection: object,
) -> Secrets:
    """The secrets of encrypted vars files, or of folders of them.

    Without any, those that the environment variable ``MLKEYS_FILES`` names, separated by colons, or those of the
    current folder.

    Calls with the same arguments return the same object, so a call costs nothing.

    Args:
        files: the files and folders.
        only: the names of the secrets to decrypt, for a token that may decrypt no others. Default: all.
        lifetime: seconds after which the secrets are decrypted again; ``None`` for never. Default: 3600.
        keep_stale: whether to keep the secrets that are in memory when they cannot be renewed, with a warning in the
            log ``mlkeys.runtime``. A running program then needs no server, and waits for none: a thread asks it.
            Default: ``True``.
        hangup: whether a SIGHUP renews the secrets. By default it does, except in a program that a user runs in a
            terminal, which a SIGHUP ends. Only the main thread can see to that: call this once at an import.
        core_dumps: whether this process may write core dumps, which contain the secrets. Default: ``False``.
        connection: options of the connection and the login, such as ``url``, ``auth_method`` and ``role_id``, which win
            over those of the environment.

    Raises:
        TypeError: an option is unknown or has another type, or a path is none or empty.
    """
    check_options(connection)
    check_lifetime(lifetime)
    names = names_in(only)
    paths = places_of(files)
    known = (paths, names, lifetime, keep_stale, core_dumps, digest_of(connection))
    with process.state:
        if known not in _open:
            _open[known] = Secrets(paths, names, lifetime, connection, keep_stale=keep_stale, core_dumps=core_dumps)
        listen(always=hangup)
        return _open[known]
