# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The secrets of files, as a mapping."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import unknown_problem
from mlkeys._stored import secrets as stored
from mlkeys._system import collection, core_dumps
from mlkeys.runtime._data import content_of, fields_of, text_of, value_of
from mlkeys.runtime._errors import SecretsError, UnknownSecret, WrongUse, bare, without_values
from mlkeys.runtime._fields import object_of
from mlkeys.runtime._hangup import listen, received
from mlkeys.runtime._held import Held, Marks, marks_of, with_those_kept
from mlkeys.runtime._process import log, option_names, process
from mlkeys.runtime._types import check_fields, fields_in
from mlkeys.runtime._work import PATIENCE, Work

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

T = TypeVar("T")

# Seconds after which it is tried again to renew what could not be renewed.
_PAUSE = 30


class Secrets(Mapping[str, str]):
    """The secrets of encrypted vars files. Made by `secrets`.

    It reads the files, logs in and decrypts when a secret is first used: all secrets of a key with one request. It does
    so again after the lifetime, after a SIGHUP, and when a file has changed. Threads and forked processes may share it.

    Its representation shows no value, and it cannot be pickled.
    """

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
        self._options = options
        self._keep_stale = keep_stale
        self._core_dumps = core_dumps
        self._held: Held | None = None
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

    @without_values
    def as_bytes(self, name: str) -> bytes:
        """The plaintext of a secret.

        Raises:
            UnknownSecret: there is none of this name.
            SecretsError: it does not decrypt, or nothing could be decrypted.
        """
        return _content(self._current(), name)

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
        check_fields(kind)
        hints = fields_in(kind)
        held = self._current()
        found: T = object_of(kind, fields_of(kind, hints, held.values, lambda name: _content(held, name)))
        return found

    @without_values
    def renew(self) -> None:
        """Read and decrypt again now.

        Raises:
            SecretsError: that failed. The secrets stay as they were.
        """
        with process.lock:
            self._held = self._decrypted(marks_of(self._paths))

    def close(self) -> None:
        """Forget the secrets. When no others are in use, revoke the tokens of this process's logins."""
        with process.state:
            self._held = None
            for known in [known for known, one in _open.items() if one is self]:
                del _open[known]
            is_last = not _open
        if is_last:
            process.log_out()

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
        return text_of(name, _content(held, name))

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
        except Exception as problem:  # noqa: BLE001  whoever waits gets it
            return problem

    @without_values
    def _decrypted_if_due(self) -> Held:
        with process.lock:
            held = self._held
            if held is not None and not self._is_due():
                return held
            new = self._renewed(held, marks_of(self._paths))
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
            return replace(old, marks=marks, hangups=received(), until=time.monotonic() + _PAUSE)
        if old is None or not self._keep_stale:
            return new
        values = with_those_kept(new.values, old.values)
        kept = [name for name, value in new.values.items() if values[name] is not value]
        if kept:
            log.warning("Some secrets do not decrypt any more, and stay as they are: %s", ", ".join(kept))
        return replace(new, values=values)

    def _decrypted(self, marks: Marks) -> Held:
        hangups = received()
        try:
            with collection.in_plain_words():
                found = stored.stored_secrets(self._client, stored.chosen_files(self._paths))
                chosen = stored.only(found, self._names)
                if chosen and not self._core_dumps:
                    core_dumps.turn_off(for_good=False)
                values = stored.results(self._client(), chosen) if chosen else {}
        except MlkeysError as problem:
            raise SecretsError(str(problem)) from None
        return Held(values, marks, hangups, time.monotonic() + self._lifetime)

    def _client(self) -> Client:
        return process.client(self._options)


def _content(held: Held, name: str) -> bytes:
    """
    Raises:
        UnknownSecret: there is no secret of this name, or it is not a text.
        SecretsError: it does not decrypt.
    """
    if not isinstance(name, str):
        raise UnknownSecret(f"The name of a secret is a text, and not a value of the type {type(name).__name__}.")
    values = held.values
    if name not in values:
        try:
            stored.check_known([name], values)
        except MlkeysError as problem:
            raise UnknownSecret(str(problem)) from None
    value = values[name]
    if isinstance(value, str):
        raise SecretsError(f"'{name}' does not decrypt: {value}")
    return content_of(value)


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
        only: the names of the secrets to decrypt, for a token that may decrypt no others.
        lifetime: seconds after which the secrets are decrypted again; ``None`` for never.
        keep_stale: whether to keep the secrets that are in memory when they cannot be renewed, with a warning in the
            log ``mlkeys.runtime``. A running program then needs no server, and waits for none: a thread asks it.
        hangup: whether a SIGHUP renews the secrets. By default it does, except in a program that a user runs in a
            terminal, which a SIGHUP ends. Only the main thread can see to that: call this once at an import.
        core_dumps: whether this process may write core dumps, which contain the secrets.
        connection: options of the connection and the login, such as ``url``, ``auth_method`` and ``role_id``, which win
            over those of the environment.

    Raises:
        TypeError: an option is unknown, or has another type.
    """
    _check_options(connection)
    _check_lifetime(lifetime)
    names = _names(only)
    paths = tuple(Path(file).absolute() for file in files or _files_of_environment())
    known = (paths, names, lifetime, keep_stale, core_dumps, _digest(connection))
    with process.state:
        if known not in _open:
            _open[known] = Secrets(paths, names, lifetime, connection, keep_stale=keep_stale, core_dumps=core_dumps)
        listen(always=hangup)
        return _open[known]


def _files_of_environment() -> list[str]:
    """The files that `MLKEYS_FILES` names. An empty part stands for nothing, and alone for the current folder."""
    named = os.environ.get("MLKEYS_FILES", "").split(os.pathsep)
    return [name for name in named if name] or [""]


def _digest(connection: Mapping[str, object]) -> str:
    """What differs for other options, and shows no password."""
    return sha256(repr(sorted(connection.items())).encode()).hexdigest()


def _check_options(given: Collection[str]) -> None:
    for name in given:
        if name not in option_names:
            raise WrongUse(unknown_problem(name, option_names, "option"))


def _check_lifetime(lifetime: object) -> None:
    if lifetime is None:
        return
    # "Not a number" is not as much as 0 either.
    if not isinstance(lifetime, (int, float)) or isinstance(lifetime, bool) or not lifetime >= 0:
        raise WrongUse("lifetime is a number of seconds, or None for no end.")


def _names(only: object) -> tuple[str, ...]:
    names = (only,) if isinstance(only, str) else only
    if not isinstance(names, Collection) or not all(isinstance(name, str) for name in names):
        raise WrongUse("only is the name of a secret, or a list of names.")
    return tuple(names)
