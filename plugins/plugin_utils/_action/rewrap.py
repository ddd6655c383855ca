# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rewrap the ciphertexts in the files of a host. **Private** to the collection."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ansible.utils.display import Display
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FAILED, version_of
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.identify import (
    FOREIGN,
    KEPT,
    LEFT,
    REWRAPPED,
    TOO_OLD,
    UNKNOWN,
    RewrapResult,
    decide,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import REWRAP, rewrap_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.obstacles import UNWRITABLE
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import all_printable, one_line
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.answers import counts_in, moved_in, texts_in
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.ciphertexts import (
    CiphertextAction,
    HostFailed,
    KeyMatcher,
    Part,
    found_ciphertexts,
    held_by,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.owners import OtherKeys

# It belongs to the key, and its place in the file cannot hold another one.
_STUCK = "stuck"
_COUNTS = {
    KEPT: "kept",
    REWRAPPED: "rewrapped",
    FOREIGN: "foreign",
    TOO_OLD: "too_old",
    LEFT: "left",
    UNKNOWN: "unknown",
    _STUCK: "stuck",
}
_OPEN = (TOO_OLD, UNKNOWN, _STUCK)

# At most this many problems are listed; all are counted.
_LISTED = 100
# So many are named in a message.
_NAMED = 10


@dataclass
class _Report:
    """The results, file by file."""

    counts: Counter[str] = field(default_factory=Counter)
    files: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, str]] = field(default_factory=list)
    not_searched: list[dict[str, str]] = field(default_factory=list)
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    unwritable: dict[str, str] = field(default_factory=dict)
    changed: bool = False

    def add(
        self,
        found: Sequence[Mapping[str, Any]],
        results: Mapping[str, RewrapResult],
        refused: Mapping[str, str],
        *,
        diff: bool,
    ) -> None:
        """
        Args:
            refused: why files could not be rewritten.
        """
        words: dict[str, list[str]] = {}
        for one in found:
            result, path = results[one["text"]], one["path"]
            if result.action == REWRAPPED and (reason := one.get("problem") or refused.get(path, "")):
                result = result._replace(action=_STUCK, reason=reason)
            if path not in words:
                words[path] = []
            words[path].append(_COUNTS[result.action])
            if result.action == _STUCK and result.reason.startswith(UNWRITABLE):
                self.unwritable[path] = result.reason
            if result.action in _OPEN and len(self.problems) < _LISTED:
                self.problems.append(_problem(one, result))
            if diff and result.action == REWRAPPED:
                label = f"line {one['line']} {result.name or one['name']}".rstrip()
                self.before.setdefault(one["path"], []).append(f"{label}: v{version_of(one['text'])}")
                self.after.setdefault(one["path"], []).append(f"{label}: v{version_of(result.successor)}")
        for path, counted in words.items():
            self.counts.update(counted)
            self.files.setdefault(path, Counter()).update(counted)

    def result(self, version: int) -> dict[str, Any]:
        files = [{"path": path, **_all_counts(counts)} for path, counts in self.files.items()]
        return {
            "key_version": version,
            "files": files,
            "totals": _all_counts(self.counts),
            "problems": self.problems,
            "unread": self.unread,
            "not_searched": self.not_searched,
        }

    def failure(self) -> str:
        """What the system did not allow. All other files were rewritten."""
        named = [f"{path} {reason.partition(' ')[2]}" for path, reason in sorted(self.unwritable.items())]
        return f"{_some(named, len(named))}. Check the permissions of the folders and their free space."

    def open_points(self) -> list[str]:
        """What is not rewrapped, or not known not to need it."""
        points = []
        number = sum(self.counts[_COUNTS[action]] for action in _OPEN)
        if number:
            places = [f"{one['path']}:{one['line']} ({one['state']}: {one['reason']})" for one in self.problems]
            noun = "ciphertext was" if number == 1 else "ciphertexts were"
            points.append(f"{number} {noun} not rewrapped: {_some(places, number)}.")
        if self.unread:
            places = [f"{one['path']} ({one['reason']})" for one in self.unread]
            points.append(f"Not searched, or not changed: {_some(places, len(places))}.")
        return points


def _some(places: Sequence[str], number: int) -> str:
    shown = places[:_NAMED]
    return ", ".join(shown) + (f" and {number - len(shown)} more" if number > len(shown) else "")


def _problem(one: Mapping[str, Any], result: RewrapResult) -> dict[str, Any]:
    place = {name: one[name] for name in ("path", "line", "name")}
    return {
        **place,
        "version": version_of(one["text"]),
        "state": result.action,
        "reason": result.reason,
        "tried": list(result.tried),
    }


def _all_counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {word: counts.get(word, 0) for word in _COUNTS.values()}


def _show_progress(variables: Mapping[str, Any], report: _Report, part: Part) -> None:
    host, number = variables["inventory_hostname"], sum(report.counts.values())
    # Not to the standard output, which another program may read.
    Display().display(f"{REWRAP}: {host}: {number:,} ciphertexts in {part.seen:,} of {part.files:,} files", stderr=True)


def _place(part: Part, path: str, offsets: Sequence[int | None]) -> dict[str, Any]:
    """What part of a file it is, or where in the file the ciphertexts are, as far as that is known."""
    begin, end = part.begin.part_of(path), part.end.part_of(path)
    if begin or end:
        return {"begin": begin, "end": end}
    if path in part.digests and None not in offsets:
        return {"spots": {"digest": part.digests[path], "offsets": offsets}}
    return {}


def _fingerprints(texts: Mapping[str, str], matcher: KeyMatcher) -> dict[str, str]:
    """What is stored as the fingerprints of ciphertexts that may hold other values than those that they replace.

    A ciphertext that the server rewrapped just now is none of them. Of others the vars files know the value.
    """
    known, wanted = matcher.origin.fingerprints, matcher.wanted
    given = {*wanted.successors.values(), *wanted.replaced.values()}
    return {new: known.get(new, "") for new in texts.values() if new in given} if given else {}


class RewrapAction(CiphertextAction):
    """Finds ciphertexts, has the server rewrap them, and puts them back, a part of the files at a time."""

    MODULE = REWRAP
    SPEC = staticmethod(rewrap_spec)

    def _work(self, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        files = self._vars_files(options)
        matcher = self._only_matcher(options, files)
        engines = [matcher.origin.backend, *options["other_backends"]]
        others = OtherKeys(lambda: self._client(options), engines, [matcher.place], matcher.wanted.names)
        report = _Report()
        try:
            self._rewrap(options, variables, matcher, others, report)
        except TransitError as error:
            error.changed = error.changed or report.changed
            raise
        except HostFailed as failure:
            failure.result["changed"] = bool(failure.result.get("changed")) or report.changed
            raise
        result = {"changed": report.changed, **report.result(matcher.key.version)}
        if self._task.diff:
            result["diff"] = {"before": report.before, "after": report.after}
        points = all_printable(report.open_points())
        if report.unwritable:
            result.update(failed=True, msg=one_line(report.failure()))
        elif points and options["strict"]:
            result.update(failed=True, msg=" ".join(points))
        elif points:
            result["warnings"] = points
        return result

    def _only_matcher(self, options: Mapping[str, Any], files: Sequence[VarsFile]) -> KeyMatcher:
        origins = self._origins(options, files)
        if len(origins) != 1:
            named = "name several keys: run once for each" if origins else "name none"
            raise InvalidOption(f"key is missing, and vars_files {named}.")
        matcher = self._matcher(options, origins[0])
        # From the files, never from results of other tasks: Ansible masks what looks like a secret in these.
        successors = {**origins[0].successors, **matcher.wanted.successors}
        current = {name: text for text, name in origins[0].known.items()}
        missing = [name for name in options["replace"] if name not in current]
        if missing:
            raise InvalidOption(f"replace: the vars_files of key '{origins[0].key}' do not hold {', '.join(missing)}.")
        replaced = {name: current[name] for name in options["replace"]}
        return replace(matcher, wanted=replace(matcher.wanted, successors=successors, replaced=replaced))

    def _rewrap(
        self,
        options: Mapping[str, Any],
        variables: dict[str, Any],
        matcher: KeyMatcher,
        others: OtherKeys,
        report: _Report,
    ) -> None:
        wanted = matcher.wanted
        for part in self._search(options, variables):
            candidates = found_ciphertexts(part.found)
            unproven = held_by(options["vars_files"], part.found)
            results = others.place(candidates, decide(matcher.transit, candidates, wanted, matcher.key, unproven))
            report.unread += part.unread
            report.not_searched += part.not_searched
            self._put(part, results, matcher, report, variables)
            if not part.alone:
                _show_progress(variables, report, part)
            if wanted.limit is not None:
                used = sum(result.action == REWRAPPED for result in results.values())
                wanted = replace(wanted, limit=max(0, wanted.limit - used))
            # Two parts at once would need twice the memory.
            del part, candidates, results, unproven

    def _put(
        self,
        part: Part,
        results: Mapping[str, RewrapResult],
        matcher: KeyMatcher,
        report: _Report,
        variables: dict[str, Any],
    ) -> None:
        chosen: dict[str, list[int | None]] = {}
        for one in part.found:
            if results[one["text"]].successor and not one.get("problem"):
                chosen.setdefault(one["path"], []).append(one.get("offset"))
        expected = {path: len(chosen[path]) for path in sorted(chosen)}
        refused: dict[str, str] = {}
        if expected:
            texts = {text: result.successor for text, result in results.items() if result.successor}
            parts = {path: place for path, offsets in chosen.items() if (place := _place(part, path, offsets))}
            prints = _fingerprints(texts, matcher)
            arguments = {
                "paths": list(expected),
                "texts": json.dumps(texts),
                "fingerprints": json.dumps(prints),
                "parts": json.dumps(parts),
            }
            done = self._on_host(REWRAP, arguments, variables)
            report.changed = report.changed or bool(done.get("changed"))
            refused = texts_in(REWRAP, done, "problems")
            replaced = counts_in(REWRAP, done, "replaced")
            for path, number in expected.items():
                if path not in refused and replaced.get(path, 0) < number:
                    refused[path] = "it changed since it was read"
            moved = moved_in(REWRAP, done)
            if part.end.after and part.end.after["path"] in moved:
                part.end.after = moved[part.end.after["path"]]
            report.unread += [{"path": path, "reason": reason, "kind": FAILED} for path, reason in refused.items()]
        report.add(part.found, results, refused, diff=bool(self._task.diff))
