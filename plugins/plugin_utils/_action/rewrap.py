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
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.find import version_of
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.identify import (
    FOREIGN,
    KEPT,
    LEFT,
    REWRAPPED,
    TOO_OLD,
    RewrapResult,
    decide,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._module.ciphertexts import rewrap_spec
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.ciphertexts import (
    CiphertextAction,
    HostFailed,
    Part,
    found_ciphertexts,
)

REWRAP = "vault_transit_rewrap"

_COUNTS = {KEPT: "kept", REWRAPPED: "rewrapped", FOREIGN: "foreign", TOO_OLD: "too_old", LEFT: "left"}

# So many problems are listed; all are counted.
_LISTED = 100


@dataclass
class _Report:
    """The results, file by file."""

    counts: Counter[str] = field(default_factory=Counter)
    files: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)
    changed: bool = False

    def add(self, found: Sequence[Mapping[str, Any]], results: Mapping[str, RewrapResult], *, diff: bool) -> None:
        for one in found:
            result = results[one["ciphertext"]]
            word = _COUNTS[result.action]
            self.counts[word] += 1
            self.files.setdefault(one["path"], Counter())[word] += 1
            if result.reason and len(self.problems) < _LISTED:
                place = {name: one[name] for name in ("path", "line", "name")}
                self.problems.append({**place, "state": result.action, "reason": result.reason})
            if diff and result.action == REWRAPPED:
                label = f"line {one['line']} {result.name or one['name']}".rstrip()
                self.before.setdefault(one["path"], []).append(f"{label}: v{version_of(one['ciphertext'])}")
                self.after.setdefault(one["path"], []).append(f"{label}: v{version_of(result.successor)}")

    def result(self, version: int) -> dict[str, Any]:
        files = [{"path": path, **_all_counts(counts)} for path, counts in self.files.items()]
        return {"key_version": version, "files": files, "totals": _all_counts(self.counts), "problems": self.problems}


def _all_counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {word: counts.get(word, 0) for word in _COUNTS.values()}


def _show_progress(variables: Mapping[str, Any], report: _Report, part: Part) -> None:
    host, number = variables["inventory_hostname"], sum(report.counts.values())
    # Not to the standard output, which another program may read.
    Display().display(f"{REWRAP}: {host}: {number:,} ciphertexts in {part.seen:,} of {part.files:,} files", stderr=True)


class RewrapAction(CiphertextAction):
    """Finds ciphertexts, has the server rewrap them, and puts them back, a part of the files at a time."""

    MODULE = REWRAP
    SPEC = staticmethod(rewrap_spec)

    def _work(self, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        origins = self._origins(options)
        if len(origins) != 1:
            named = "name several keys: run once for each" if origins else "name none"
            raise InvalidOption(f"key is missing, and vars_files {named}.")
        matcher = self._matcher(options, origins[0])
        transit, wanted, version = matcher.transit, matcher.wanted, matcher.version
        report = _Report()
        try:
            for part in self._search(options, variables):
                results = decide(transit, found_ciphertexts(part.found), wanted, version)
                self._put(part.found, results, report, variables)
                if not part.alone:
                    _show_progress(variables, report, part)
                if wanted.limit is not None:
                    used = sum(result.action == REWRAPPED for result in results.values())
                    wanted = replace(wanted, limit=max(0, wanted.limit - used))
                # Two parts at once would need twice the memory.
                del part, results
        except TransitError as error:
            error.changed = error.changed or report.changed
            raise
        except HostFailed as failure:
            failure.result["changed"] = bool(failure.result.get("changed")) or report.changed
            raise
        result = {"changed": report.changed, **report.result(version)}
        if self._task.diff:
            result["diff"] = {"before": report.before, "after": report.after}
        return result

    def _put(
        self,
        found: Sequence[Mapping[str, Any]],
        results: Mapping[str, RewrapResult],
        report: _Report,
        variables: dict[str, Any],
    ) -> None:
        successors = {text: result.successor for text, result in results.items() if result.successor}
        if successors:
            paths = sorted({one["path"] for one in found if one["ciphertext"] in successors})
            done = self._on_host(REWRAP, {"paths": paths, "texts": json.dumps(successors)}, variables)
            report.changed = report.changed or bool(done["changed"])
        report.add(found, results, diff=bool(self._task.diff))
