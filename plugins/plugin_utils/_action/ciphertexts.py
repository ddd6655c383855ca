# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ciphertexts in the files of a host, about which the controller asks the server. **Private** to the collection.

The host needs neither a token nor a library: modules report what is in its files and put other ciphertexts there, and
the controller sends all requests to the server.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.identify import (
    KeyState,
    Wanted,
    key_state,
    wanted_from,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import INFO
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.answers import (
    after_in,
    counts_in,
    digests_in,
    found_in,
    number_in,
    places_in,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.base import TransitAction
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.spelling import checked, spelling_problem
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import load, load_document

_SEARCH = ("paths", "optional_paths", "patterns", "exclude", "max_bytes")


@dataclass(frozen=True)
class Origin:
    """The key that ciphertexts may belong to, and what its encrypted vars files hold.

    Attributes:
        known: names of the ciphertexts.
        successors: what took the place of ciphertexts, by the digests of these.
        fingerprints: what the files store as the fingerprints of the ciphertexts; empty for those of other values.
    """

    backend: str
    key: str
    known: Mapping[str, str]
    successors: Mapping[str, str]
    fingerprints: Mapping[str, str]


@dataclass(frozen=True)
class KeyMatcher:
    """Finds the ciphertexts of one key, and those of them that are behind a version."""

    origin: Origin
    transit: Transit
    wanted: Wanted
    key: KeyState

    @property
    def place(self) -> tuple[str, str]:
        return self.origin.backend, self.origin.key


@dataclass
class Position:
    """How far a search is: the last file and the place in it, as the module reports them. ``None`` at the end."""

    after: dict[str, Any] | None = None

    def part_of(self, path: str) -> dict[str, Any] | None:
        """The bookmark in a file, ``None`` where none of it or all of it is searched."""
        bookmark = self.after["bookmark"] if self.after and self.after["path"] == path else None
        return bookmark if bookmark is None else dict(bookmark)


@dataclass(frozen=True)
class Part:
    """What some of the host's files hold.

    Attributes:
        seen: the number of files in this part and those before it, out of all `files`.
        alone: whether this is the only part.
        digests: of the files that are in it as a whole, by path.
        begin: where it begins.
        end: where it ends. The code that rewrites the last file sets it to where that is afterwards.
    """

    found: list[dict[str, Any]]
    seen: int
    files: int
    alone: bool
    begin: Position
    end: Position
    unread: list[dict[str, str]] = field(default_factory=list)
    not_searched: list[dict[str, str]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


class HostFailed(Exception):
    """A module on the host failed; its result has the reason."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        super().__init__("a module on the host failed")
        self.result = dict(result)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """No search for cycles: many thousand ciphertexts form none, and the search takes a quarter of the time.

    Where one is asked for, it leaves out what was there before.
    """
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


class CiphertextAction(TransitAction):
    """What the two actions have in common: asking the host, and asking the server."""

    LOGS_IN = False

    SPEC: Callable[[], Spec]
    """The options. The action checks them, since it asks the server before a module runs."""

    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        # The parent class would run the module; this needs only what every action does first.
        result: dict[str, Any] = ActionBase.run(self, tmp, variables)
        problem = spelling_problem(self.MODULE, self._task.args)
        if problem:
            return {**result, "failed": True, "msg": problem}
        try:
            options = checked(type(self).SPEC(), self._arguments(variables))
            with _without_collector():
                result.update(self._work(options, variables))
        except TransitError as error:
            result.update(failed=True, msg=error.message, changed=error.changed)
        except HostFailed as failure:
            result.update(failure.result)
        return result

    def _work(self, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The task's result.

        Raises:
            TransitError: a request to the server failed.
            HostFailed: a module on the host failed.
        """
        raise NotImplementedError

    def _client(self, options: Mapping[str, Any]) -> Client:
        return run_sessions().client(settings_from(options, os.environ), Display().warning)

    def _search(self, options: Mapping[str, Any], variables: dict[str, Any]) -> Iterator[Part]:
        """The ciphertexts of the host's files, a part of them at a time."""
        asked: dict[str, Any] = {name: options[name] for name in _SEARCH if options[name] is not None}
        place = Position()
        while True:
            if place.after is not None:
                asked["after"] = json.dumps(place.after)
            result = self._on_host(INFO, asked, variables)
            begin, place = place, Position(after_in(INFO, result))
            # The caller keeps it; keeping it here as well would double the memory.
            yield Part(
                found_in(INFO, {"ciphertexts": result.pop("ciphertexts", None)}),
                number_in(INFO, result, "seen"),
                number_in(INFO, result, "files"),
                begin.after is None and place.after is None,
                begin,
                place,
                places_in(INFO, result, "unread"),
                places_in(INFO, result, "not_searched"),
                counts_in(INFO, result, "left_out") if "left_out" in result else {},
                digests_in(INFO, result),
            )
            if place.after is None:
                return
            # Modules that ran in this process are cycles, and hold what they were given.
            gc.collect()

    def _on_host(self, module: str, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        result = self._run_module(module, dict(arguments), variables, logs_in=False)
        if result.get("failed") or result.get("unreachable"):
            raise HostFailed(result)
        return result

    def _origins(self, options: Mapping[str, Any], files: Sequence[VarsFile]) -> list[Origin]:
        """The keys that the options and the encrypted vars files name.

        Raises:
            InvalidOption: the options contradict each other.
        """
        backend = options["backend"].strip("/")
        if options["key"] and options.get("keys"):
            raise InvalidOption("key and keys exclude each other.")
        if options["key"]:
            places = [(backend, options["key"])]
        else:
            named = [((one["backend"] or backend).strip("/"), one["name"]) for one in options.get("keys") or ()]
            places = list(dict.fromkeys([*named, *((file.backend, file.key) for file in files if file.entries)]))
        return [_origin(place, files) for place in places]

    def _vars_files(self, options: Mapping[str, Any]) -> list[VarsFile]:
        """The encrypted vars files, and after them the documents of a KV engine.

        Raises:
            TransitError: one cannot be read.
        """
        paths = [self._loader.path_dwim(path) for path in options["vars_files"]]
        files = [load(path, lambda: self._client(options)) for path in paths]
        places = [(one["kv_mount"].strip("/"), one["kv_path"].strip("/")) for one in options["documents"]]
        return files + [load_document(*place, lambda: self._client(options)) for place in places]

    def _matcher(self, options: Mapping[str, Any], origin: Origin) -> KeyMatcher:
        transit = Transit(self._client(options), origin.backend)
        wanted = wanted_from({**options, "key": origin.key}, origin.known)
        return KeyMatcher(origin, transit, wanted, key_state(transit, wanted))


def _origin(place: tuple[str, str], files: Sequence[VarsFile]) -> Origin:
    entries = [entry for file in files if (file.backend, file.key) == place for entry in file.entries.values()]
    return Origin(
        *place,
        {entry.ciphertext: entry.name for entry in entries},
        {entry.before: entry.ciphertext for entry in entries if entry.before},
        {entry.ciphertext: "" if entry.is_misbound else entry.stored_fingerprint for entry in entries},
    )


def found_ciphertexts(found: Sequence[Mapping[str, Any]]) -> list[FoundCiphertext]:
    return [
        FoundCiphertext(one["text"], one["line"], one["name"], one["form"], one.get("problem", "")) for one in found
    ]


def held_by(vars_files: Sequence[str], found: Sequence[Mapping[str, Any]]) -> set[str]:
    """The ciphertexts that are in encrypted vars files, which cannot vouch for themselves."""
    files = {os.path.realpath(path) for path in vars_files}
    return {one["text"] for one in found if one["path"] in files or not one["line"]}
