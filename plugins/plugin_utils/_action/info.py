# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Report which ciphertexts the files of a host hold. **Private** to the collection."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, Container, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext, version_of
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.identify import (
    FOREIGN,
    KEPT,
    REWRAPPED,
    TOO_OLD,
    UNKNOWN,
    RewrapResult,
    identify,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.occurrences import CALLED, CALLED_WITHOUT
from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import INFO, STATES, info_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.copies import may_be_copied
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.ciphertexts import (
    CiphertextAction,
    KeyMatcher,
    found_ciphertexts,
    held_by,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.owners import OtherKeys

_STATES = {KEPT: "current", REWRAPPED: "behind", FOREIGN: "foreign", TOO_OLD: "too old", UNKNOWN: "unknown"}

# At most this many ciphertexts of which nothing shows the secret are listed; all are counted.
_LISTED = 100


class InfoAction(CiphertextAction):
    """Reports which ciphertexts a host has, and whose they are if keys are given."""

    MODULE = INFO
    SPEC = staticmethod(info_spec)

    def _work(self, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        vars_files = self._vars_files(options)
        matchers = [self._matcher(options, origin) for origin in self._origins(options, vars_files)]
        others = self._others(options, matchers, vars_files)
        derived = {matcher.place for matcher in matchers if matcher.key.derived}
        report = _Report(set(options["states"] or STATES), derived)
        for found in self._found(options, variables, vars_files, report):
            candidates = found_ciphertexts(found)
            unproven = held_by(options["vars_files"], found)
            verdicts = identified(candidates, matchers, unproven)
            if matchers:
                results = {text: result for text, (_place, result) in verdicts.items()}
                for text, result in others.place(candidates, results).items():
                    verdicts[text] = (verdicts[text][0], result)
            report.add(found, verdicts)
            report.note_unnamed(found, verdicts, matchers)
        keys = [
            {"backend": matcher.origin.backend, "name": matcher.origin.key, "key_version": matcher.key.version}
            for matcher in matchers
        ]
        documents = {"documents": list(self._histories(options, vars_files))} if options["report_documents"] else {}
        return {"changed": False, **report.result(), "keys": keys, **documents}

    def _histories(self, options: Mapping[str, Any], vars_files: Sequence[VarsFile]) -> Iterator[dict[str, Any]]:
        """Which earlier versions documents have. Nothing in these is ever rewrapped."""
        stored = {str(file.place): file for file in vars_files if file.place is not None and file.entries}
        for name, file in stored.items():
            place = file.place
            if place is not None:
                earlier = Documents(self._client(options), place.mount).earlier_versions(place.path)
                oldest = min(version_of(entry.ciphertext) for entry in file.entries.values())
                yield {"path": name, "earlier": earlier or [], "is_known": earlier is not None, "oldest": oldest}

    def _others(
        self, options: Mapping[str, Any], matchers: Sequence[KeyMatcher], vars_files: Sequence[VarsFile]
    ) -> OtherKeys:
        names = [*options["contexts"], *(name for file in vars_files for name in file.entries)]
        backends = [*(matcher.origin.backend for matcher in matchers), *options["other_backends"]]
        given = [matcher.place for matcher in matchers]
        return OtherKeys(lambda: self._client(options), backends, given, list(dict.fromkeys(names)))

    def _found(
        self,
        options: Mapping[str, Any],
        variables: dict[str, Any],
        vars_files: Sequence[VarsFile],
        report: _Report,
    ) -> Iterator[list[dict[str, Any]]]:
        for part in self._search(options, variables):
            report.files = part.files
            report.unread += part.unread
            report.not_searched += part.not_searched
            report.left_out.update(part.left_out)
            yield part.found
            del part
        stored = list(_stored(options, vars_files))
        if stored:
            yield stored


def _stored(options: Mapping[str, Any], vars_files: Sequence[VarsFile]) -> Iterator[dict[str, Any]]:
    """The entries of documents in a KV engine: those to which searched files point, and those that are asked for."""
    searched = {os.path.realpath(path) for path in options["paths"]}
    paths = [os.path.realpath(path) for path in options["vars_files"]]
    stored = [(path, file) for path, file in zip(paths, vars_files) if file.place is not None and path in searched]
    if options["report_documents"]:
        stored += [(str(file.place), file) for file in vars_files[len(paths) :]]
    for path, file in stored:
        for entry in file.entries.values():
            yield {"path": path, "line": 0, "name": entry.name, "text": entry.ciphertext, "form": "plain"}


class _Report:
    def __init__(self, states: set[str], derived: set[tuple[str, str]]) -> None:
        """
        Args:
            derived: the keys that decrypt with one context alone.
        """
        self.files = 0
        self.unread: list[dict[str, str]] = []
        self.not_searched: list[dict[str, str]] = []
        self.left_out: dict[str, int] = {}
        self._states = states
        self._derived = derived
        self._rows: list[dict[str, Any]] = []
        self._counts: Counter[tuple[str, str, int, str]] = Counter()
        self._unnamed = 0
        self._unnamed_places: list[dict[str, Any]] = []

    def add(
        self,
        found: Sequence[Mapping[str, Any]],
        verdicts: Mapping[str, tuple[tuple[str, str], RewrapResult]],
    ) -> None:
        for one in found:
            row = _row(one, _as_called(one, verdicts.get(one["text"]), self._derived))
            self._counts[row["backend"], row["key"], row["version"], row["state"]] += 1
            if row["state"] in self._states or (row["problem"] and row["state"] != "foreign"):
                self._rows.append(row)

    def note_unnamed(
        self,
        found: Sequence[Mapping[str, Any]],
        verdicts: Mapping[str, tuple[tuple[str, str], RewrapResult]],
        matchers: Sequence[KeyMatcher],
    ) -> None:
        """Note of which ciphertexts nothing shows the secret: their key is not derived, and no vars file has them."""
        plain = {
            one.place: (one.origin.known, set(one.origin.known.values())) for one in matchers if not one.key.derived
        }
        for one in found:
            place, result = verdicts.get(one["text"], (("", ""), None))
            if result is None or place not in plain or result.action not in (KEPT, REWRAPPED):
                continue
            known, names = plain[place]
            if one["text"] not in known and result.name not in names:
                self._unnamed += 1
                if len(self._unnamed_places) < _LISTED:
                    self._unnamed_places.append({name: one[name] for name in ("path", "line", "name")})

    def result(self) -> dict[str, Any]:
        counts = [
            {"backend": backend, "key": key, "version": version, "state": state, "count": count}
            for (backend, key, version, state), count in sorted(self._counts.items())
        ]
        return {
            "ciphertexts": self._rows,
            "counts": counts,
            "unnamed": {"count": self._unnamed, "first": self._unnamed_places},
            "files": self.files,
            "unread": self.unread,
            "not_searched": self.not_searched,
            "left_out": self.left_out,
        }


def identified(
    found: Sequence[FoundCiphertext], matchers: Sequence[KeyMatcher], unproven: Container[str] = ()
) -> dict[str, tuple[tuple[str, str], RewrapResult]]:
    """Whose each ciphertext is, by its text. Empty where no key is given.

    A key reports a ciphertext below its floor (`min_decryption_version`) as too old without checking whose it is. That
    names the key only if no other key reports the same.
    """
    verdicts: dict[str, tuple[tuple[str, str], RewrapResult]] = {}
    rest = list(found)
    # The key of the encrypted vars file that holds a ciphertext is likely to own it, and then no other key is asked.
    for is_likely in (True, False):
        for matcher in matchers:
            asked = [one for one in rest if (one.text in matcher.origin.known) is is_likely]
            for text, result in identify(matcher.transit, asked, matcher.wanted, matcher.key, unproven).items():
                verdicts[text] = _verdict(verdicts.get(text), (matcher.place, result))
            rest = [one for one in rest if one.text not in verdicts or not verdicts[one.text][1].is_placed]
    for ours, copy in _copies(matchers):
        _give_back(found, verdicts, ours, copy)
    return verdicts


def _copies(matchers: Sequence[KeyMatcher]) -> Iterator[tuple[KeyMatcher, KeyMatcher]]:
    """Keys with encrypted vars files, each with a key without them that may be a copy of it."""
    for copy in matchers:
        if not copy.origin.known and copy.key.actual and copy.key.actual.get("restore_info"):
            yield from ((ours, copy) for ours in matchers if ours.origin.known and ours.key.actual)


def _give_back(
    found: Sequence[FoundCiphertext],
    verdicts: dict[str, tuple[tuple[str, str], RewrapResult]],
    ours: KeyMatcher,
    copy: KeyMatcher,
) -> None:
    """Count what only a copy of a key still decrypts as ciphertexts of the key, which are too old for it."""
    for one in found:
        place, result = verdicts[one.text]
        if place != copy.place or one.version >= ours.key.floor or result.action not in (KEPT, REWRAPPED):
            continue
        if may_be_copied(ours.key.actual or {}, copy.key.actual, one.version):
            reason = f"only {'/'.join(copy.place)} decrypts it, which may be a copy of the key"
            verdicts[one.text] = ours.place, RewrapResult(TOO_OLD, result.name, reason=reason)


def _verdict(
    before: tuple[tuple[str, str], RewrapResult] | None, now: tuple[tuple[str, str], RewrapResult]
) -> tuple[tuple[str, str], RewrapResult]:
    """What two keys report together."""
    if before is None or now[1].is_placed:
        return now
    tried = (*before[1].tried, *now[1].tried)
    if before[1].action == now[1].action == TOO_OLD:
        return ("", ""), now[1]._replace(tried=tried)
    place, result = before if before[1].action == TOO_OLD else now
    return place, result._replace(tried=tried)


def _as_called(
    one: Mapping[str, Any],
    verdict: tuple[tuple[str, str], RewrapResult] | None,
    derived: Container[tuple[str, str]],
) -> tuple[tuple[str, str], RewrapResult] | None:
    """The same, unless a template decrypts the ciphertext with another context than its own: nothing there reads it."""
    if verdict is None or verdict[0] not in derived or not one["form"].endswith((CALLED, CALLED_WITHOUT)):
        return verdict
    place, result = verdict
    is_bound = one["form"].endswith(CALLED)
    if result.action not in (KEPT, REWRAPPED) or (is_bound and result.name == one["name"]):
        return verdict
    context = f"the context {one['name']}" if is_bound else "no context"
    reason = f"the template decrypts it with {context}, and it is a ciphertext of {result.name or 'no context'}"
    return place, result._replace(action=UNKNOWN, reason=reason)


def _row(one: Mapping[str, Any], verdict: tuple[tuple[str, str], RewrapResult] | None) -> dict[str, Any]:
    place, result = verdict or (("", ""), RewrapResult(UNKNOWN))
    if result.action == FOREIGN:
        place = result.owner
    elif result.action == UNKNOWN:
        place = ("", "")
    return {
        "path": one["path"],
        "line": one["line"],
        "name": one["name"],
        "form": one["form"],
        "problem": one.get("problem", ""),
        "version": version_of(one["text"]),
        "state": _STATES[result.action],
        "secret": result.name,
        "backend": place[0],
        "key": place[1],
        "reason": result.reason,
        "tried": list(result.tried),
    }
