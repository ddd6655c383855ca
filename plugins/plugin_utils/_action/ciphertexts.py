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
from collections import Counter
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sequence

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.find import version_of
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.identify import (
    FOREIGN,
    KEPT,
    REWRAPPED,
    TOO_OLD,
    FoundCiphertext,
    RewrapResult,
    Wanted,
    identify,
    wanted_from,
    wanted_version,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import STATES, info_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import Spec
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.base import TransitAction
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.spelling import spelling_problem
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import load

INFO = "vault_transit_ciphertext_info"

_SEARCH = ("paths", "patterns", "exclude", "max_bytes")


@dataclass(frozen=True)
class Origin:
    """The key that ciphertexts may belong to.

    Attributes:
        known: names of the ciphertexts in encrypted vars files.
    """

    backend: str
    key: str
    known: Mapping[str, str]


@dataclass(frozen=True)
class KeyMatcher:
    """Finds the ciphertexts of one key, and those of them that are behind a version."""

    origin: Origin
    transit: Transit
    wanted: Wanted
    version: int


@dataclass(frozen=True)
class Part:
    """What some of the host's files hold.

    Attributes:
        seen: the number of files in this part and those before it, out of all `files`.
        alone: whether this is the only part.
    """

    found: list[dict[str, Any]]
    seen: int
    files: int
    alone: bool


class HostFailed(Exception):
    """A module on the host failed; its result has the reason."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        super().__init__("a module on the host failed")
        self.result = dict(result)


def _problem(error: Exception) -> str:
    text = str(error).rstrip(".") + "."
    return f"Unsupported parameters: {text}" if isinstance(error, UnsupportedError) else text


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """No search for cycles: many thousand ciphertexts form none, and the search takes a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
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
            options = self._checked(self._arguments(variables))
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

    def _checked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        understood = ArgumentSpecValidator(type(self).SPEC()).validate(dict(arguments))
        if understood.errors.errors:
            raise InvalidOption("; ".join(map(_problem, understood.errors.errors)))
        checked: dict[str, Any] = understood.validated_parameters
        return checked

    def _client(self, options: Mapping[str, Any]) -> Client:
        return run_sessions().client(settings_from(options, os.environ), Display().warning)

    def _search(self, options: Mapping[str, Any], variables: dict[str, Any]) -> Iterator[Part]:
        """The ciphertexts of the host's files, a part of them at a time."""
        asked: dict[str, Any] = {name: options[name] for name in _SEARCH}
        while True:
            result = self._on_host(INFO, asked, variables)
            alone = "after" not in asked and "after" not in result
            # The caller keeps it; keeping it here as well would double the memory.
            yield Part(json.loads(result.pop("ciphertexts")), result["seen"], result["files"], alone)
            if "after" not in result:
                return
            asked["after"] = result["after"]

    def _on_host(self, module: str, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        result = self._run_module(module, dict(arguments), variables, logs_in=False)
        if result.get("failed") or result.get("unreachable"):
            raise HostFailed(result)
        return result

    def _origins(self, options: Mapping[str, Any]) -> list[Origin]:
        """The keys that the options and the encrypted vars files name.

        Raises:
            InvalidOption: the options contradict each other.
            TransitError: a file cannot be read.
        """
        paths = [self._loader.path_dwim(path) for path in options["vars_files"]]
        files = [load(path, lambda: self._client(options)) for path in paths]
        backend = options["backend"].strip("/")
        if options["key"] and options.get("keys"):
            raise InvalidOption("key and keys exclude each other.")
        if options["key"]:
            places = [(backend, options["key"])]
        else:
            named = [((one["backend"] or backend).strip("/"), one["name"]) for one in options.get("keys") or ()]
            places = list(dict.fromkeys([*named, *((file.backend, file.key) for file in files if file.entries)]))
        return [
            Origin(
                *place,
                {
                    entry.ciphertext: entry.name
                    for file in files
                    if (file.backend, file.key) == place
                    for entry in file.entries.values()
                },
            )
            for place in places
        ]

    def _matcher(self, options: Mapping[str, Any], origin: Origin) -> KeyMatcher:
        transit = Transit(self._client(options), origin.backend)
        wanted = wanted_from({**options, "key": origin.key}, origin.known)
        return KeyMatcher(origin, transit, wanted, wanted_version(transit, wanted))


_STATES = {KEPT: "current", REWRAPPED: "behind", FOREIGN: "foreign", TOO_OLD: "too old"}


class InfoAction(CiphertextAction):
    """Reports which ciphertexts a host has, and whose they are if keys are given."""

    MODULE = INFO
    SPEC = staticmethod(info_spec)

    def _work(self, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        matchers = [self._matcher(options, origin) for origin in self._origins(options)]
        states = set(options["states"] or STATES)
        rows: list[dict[str, Any]] = []
        counts: Counter[tuple[str, str, int, str]] = Counter()
        for part in self._search(options, variables):
            verdicts = identified(found_ciphertexts(part.found), matchers)
            for one in part.found:
                row = _row(one, verdicts.get(one["ciphertext"]))
                counts[row["backend"], row["key"], row["version"], row["state"]] += 1
                if row["state"] in states:
                    rows.append(row)
        return {
            "changed": False,
            "ciphertexts": rows,
            "counts": [
                {"backend": backend, "key": key, "version": version, "state": state, "count": count}
                for (backend, key, version, state), count in sorted(counts.items())
            ],
            "keys": [
                {"backend": matcher.origin.backend, "name": matcher.origin.key, "key_version": matcher.version}
                for matcher in matchers
            ],
        }


def identified(
    found: Sequence[FoundCiphertext], matchers: Sequence[KeyMatcher]
) -> dict[str, tuple[Origin | None, RewrapResult]]:
    """Whose each ciphertext is, by its text. Empty where no key is given.

    A key reports a ciphertext below its floor (`min_decryption_version`) as too old without checking whose it is. That
    counts only if no other key knows the ciphertext, and names the key only if no other key reports the same.
    """
    verdicts: dict[str, tuple[Origin | None, RewrapResult]] = {}
    rest = list(found)
    for matcher in matchers:
        for text, result in identify(matcher.transit, rest, matcher.wanted, matcher.version).items():
            before = verdicts.get(text)
            if before is None or result.action not in (FOREIGN, TOO_OLD):
                verdicts[text] = (matcher.origin, result)
            elif result.action == TOO_OLD:
                verdicts[text] = (None if before[1].action == TOO_OLD else matcher.origin, result)
        rest = [one for one in rest if verdicts[one.text][1].action in (FOREIGN, TOO_OLD)]
    return verdicts


def _row(one: Mapping[str, Any], verdict: tuple[Origin | None, RewrapResult] | None) -> dict[str, Any]:
    origin, result = verdict or (None, None)
    ours = origin is not None and result is not None and result.action != FOREIGN
    return {
        "path": one["path"],
        "line": one["line"],
        "name": one["name"],
        "version": version_of(one["ciphertext"]),
        "state": _STATES[result.action] if result is not None else "unknown",
        "secret": result.name if result is not None else "",
        "backend": origin.backend if ours and origin else "",
        "key": origin.key if ours and origin else "",
    }


def found_ciphertexts(found: Sequence[Mapping[str, Any]]) -> list[FoundCiphertext]:
    return [FoundCiphertext(one["ciphertext"], one["name"]) for one in found]
