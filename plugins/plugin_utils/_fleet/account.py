# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account of a key's rotation: what was searched, what was found, and what blocks. Pure. **Private**.

The floor (`min_decryption_version`) may be raised when nothing blocks: every place was searched to its end, every
ciphertext has an owner, and those of the key are at the target. Versions may be trimmed when nothing is open at all,
not even what a user accepts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.acceptance import Acceptance, unused
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.account_words import (
    described,
    listed,
    names_in,
    place_of,
    rotation_row,
    row_of,
    some,
    summary,
    unknown_row,
    ways,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.beyond import (
    ELSEWHERE,
    PACKED,
    left_over,
    sorted_out,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.discovery import INVALID
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.documents import DELETED, SUPERSEDED, superseded
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    UNDECLARED,
    UNDECLARED_THERE,
    declared,
    is_silent_controller,
    missing_reason,
    not_asked,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.prediction import (
    BEHIND,
    CURRENT,
    counts_after,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.scope import Scope
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.services import (
    RUNNING,
    Service,
    known,
    not_up,
    services_of,
    why_down,
    why_holding,
    why_no_restart,
)

# Results of the playbook rotate.yml for a host: of the searches before and after, and of the rewrap.
SEEN, PROOF, REWRAPPED = "vault_transit_seen", "vault_transit_proof", "vault_transit_rewrapped"

# More states of vault_transit_ciphertext_info.
TOO_OLD, UNKNOWN = "too old", "unknown"

# Kinds of places that were not searched. Sockets and devices store nothing, and nobody reads old documents unasked.
COMPRESSED = "compressed"
_HOLDING_NOTHING = ("special", SUPERSEDED, PACKED)
# Of places on the controller that the discovery names, these are not errors.
_NOT_SEARCHED = (COMPRESSED, PACKED, "dangling", "output", DELETED)

# So begin the reasons for files of which another name, or what is mounted there, would keep the old content.
LINKED = ("it has other names", "it is mounted by itself")


# Hosts that declare nothing may be accepted.
_SILENT = (UNDECLARED, UNDECLARED_THERE)


@dataclass
class _Findings:
    """What the searches report, by what follows from it."""

    counts: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    files: int = 0
    behind: list[dict[str, Any]] = field(default_factory=list)
    lost: list[dict[str, Any]] = field(default_factory=list)
    linked: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    not_searched: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    stuck: dict[str, list[str]] = field(default_factory=dict)
    left: int = 0
    unnamed: int = 0
    unnamed_places: list[dict[str, Any]] = field(default_factory=list)
    undeclared: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, host: str, found: Mapping[str, Any], scope: Scope, refusals: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """
        Args:
            refusals: why files could not be rewritten, by path.
        """
        self.files += int(found.get("files", 0))
        for one in found.get("counts", ()):
            place = f"{one['backend']}/{one['key']}" if one["key"] else ""
            self.counts[place, int(one["version"]), one["state"]] += int(one["count"])
        unnamed = found.get("unnamed") or {}
        self.unnamed += int(unnamed.get("count", 0))
        self.unnamed_places += [{"host": host, **one} for one in unnamed.get("first", ())]
        self.unread += [{"host": host, **one} for one in found.get("unread", ())]
        self.not_searched += [{"host": host, **one} for one in found.get("not_searched", ())]
        for row in found.get("ciphertexts", ()):
            problem = row["problem"] or refusals.get(row["path"], "")
            self._sort({"host": host, **row, "problem": problem}, scope)

    def _sort(self, row: dict[str, Any], scope: Scope) -> None:
        if row["path"] in scope.files and not scope.is_final and row["problem"].startswith(LINKED):
            self.linked.append(row)
        if row["state"] in (CURRENT, BEHIND):
            # Before the rewrap, what can be rewrapped is not behind for long, and what cannot soon will be.
            if row["version"] < scope.target and (scope.is_final or row["problem"]):
                self.behind.append(row)
        elif row["state"] == TOO_OLD and (row["secret"] or _may_be_recovered(row, scope)):
            self.lost.append(row)
        elif row["state"] in (TOO_OLD, UNKNOWN):
            self.unknown.append(row)

    def of(self, name: str) -> int:
        return sum(count for (place, _version, _state), count in self.counts.items() if place == name)


def _may_be_recovered(row: Mapping[str, Any], scope: Scope) -> bool:
    """Whether a lower floor will show whose a ciphertext is. Below it, a key does not check that."""
    return scope.recover and not scope.is_final and row["version"] >= max(1, scope.available)


def account(
    scope: Scope, here: Mapping[str, Any], controller: str, hosts: Iterable[Mapping[str, Any]], seen: str = PROOF
) -> dict[str, Any]:
    """The account.

    Args:
        here: the result of the search of the encrypted vars files.
        controller: the name of the host that holds these.
        hosts: the variables of each host.
        seen: the variable with the result of ``vault_transit_ciphertext_info`` for a host.
    """
    findings = _Findings()
    _add_discovered(findings, scope, controller)
    findings.add(controller, here, scope, _refusals(scope.refused))
    documents = here.get("documents", ())
    earlier = superseded(documents, scope.target, is_final=scope.is_final)
    findings.not_searched += [{"host": controller, **row} for row in earlier]
    for variables in hosts:
        host = str(variables["inventory_hostname"])
        results = [variables.get(name) or {} for name in dict.fromkeys((seen, REWRAPPED, SEEN))]
        reason = missing_reason(variables, results, is_controller=host == controller, pattern=scope.hosts)
        if reason is not None:
            findings.missing[host] = reason
        elif host == controller and is_silent_controller(variables, scope.hosts):
            findings.not_searched.append(not_asked(host))
        if not results[0].get("failed"):
            findings.add(host, results[0], scope, _refusals(results[1].get("unread", ())))
        looked = variables.get(RUNNING) or {}
        if looked.get("unreachable") or looked.get("failed"):
            findings.missing.setdefault(host, "its services could not be looked at")
        elif scope.is_final and not looked and declared(variables).has_services:
            findings.missing.setdefault(host, "its services were not looked at")
        if stuck := why_no_restart(variables):
            findings.stuck.setdefault(stuck, []).append(host)
        findings.services += known(services_of(host, looked), scope.name)
        findings.left += int((results[1].get("totals") or {}).get("left", 0))
    if scope.predicts:
        held = [int(row["version"]) for row in findings.behind]
        findings.counts = counts_after(findings.counts, held, findings.left, scope)
    return _account(scope, findings)


def _add_discovered(findings: _Findings, scope: Scope, controller: str) -> None:
    """Add what the discovery could not read, or found where nothing declares it."""
    discovered = [one for one in scope.unread if one.get("kind") != ELSEWHERE]
    findings.add(
        controller,
        {
            name: [one for one in discovered if (one.get("kind") in _NOT_SEARCHED) is is_other]
            for name, is_other in (("unread", False), ("not_searched", True))
        },
        scope,
    )
    undeclared, rest = sorted_out(scope.beyond, scope.read, everything=scope.follow)
    findings.add(controller, rest, scope)
    undeclared += [dict(one) for one in scope.unread if one.get("kind") == ELSEWHERE]
    places = [{"host": controller, **one} for one in undeclared]
    rows = left_over(places, scope.declared, scope.undeclared, scope.read)
    # Another run may read these. The last one knows.
    (findings.undeclared if scope.follow else findings.unread).extend(rows)


def _refusals(places: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Why a rewrap left files as they were, by path."""
    return {str(one["path"]): str(one["reason"]) for one in places}


def _account(scope: Scope, findings: _Findings) -> dict[str, Any]:
    places = [*findings.unread, *findings.not_searched]
    unknown = Acceptance(scope.accept_unknown, [*findings.unknown, *findings.lost])
    unread = Acceptance(scope.accept_unread, places)
    accepted_unknown = [row for row in findings.unknown if unknown.covers(row)]
    # What was accepted once is below the floor from then on.
    accepted_lost = [row for row in findings.lost if unknown.covers(row)]
    findings.lost = [row for row in findings.lost if row not in accepted_lost]
    accepted_unread = [row for row in places if unread.covers(row)]
    silent = [{"host": host, "path": ""} for host, why in findings.missing.items() if why in _SILENT]
    accepted_hosts = [row for row in silent if unread.covers(row)]
    for row in accepted_hosts:
        del findings.missing[row["host"]]
    down = [one for one in findings.services if why_down(one)]
    accepted_down = [one.place for one in down if unread.covers(one.place)]
    open_unknown = [row for row in findings.unknown if row not in accepted_unknown]
    open_unread = [row for row in findings.unread if row not in accepted_unread]
    if scope.strict:
        packed = [row for row in findings.not_searched if row.get("kind") in (COMPRESSED, PACKED)]
        open_unread += [row for row in packed if row not in accepted_unread]
    patterns, unmatched, wrong = unused(unknown, unread, scope.used, findings.missing)
    # They may match in a place of the next run.
    unmatched = [] if scope.follow else unmatched
    invalid = [row for row in open_unread if row.get("kind") == INVALID]
    refused = _refused(scope, findings, open_unknown, invalid)
    if not scope.is_final:
        refused += [one for one in wrong if one in unmatched]
    blocking = [
        *refused,
        *_blocking(scope, findings, open_unknown, [row for row in open_unread if row not in invalid]),
        *not_up(one for one in down if one.place not in accepted_down),
        *(one for one in unmatched if one not in refused),
    ]
    held = [row for row in places if row.get("kind") not in _HOLDING_NOTHING]
    open_points = (held, findings.unknown, findings.missing, findings.left, findings.behind, findings.lost)
    result = {
        **_document(scope, findings),
        "accepted": [
            place_of(row)
            for row in (*accepted_unknown, *accepted_lost, *accepted_unread, *accepted_hosts, *accepted_down)
        ],
        "leave": names_in((*accepted_unknown, *accepted_lost), scope.files),
        "unused": patterns,
        "refused": refused,
        "blocking": blocking,
        "replaced": dict.fromkeys(scope.replaced, _extent(findings, blocking)),
        "clean": not (any(open_points) or accepted_lost or accepted_hosts or accepted_down or blocking),
    }
    return {**result, "summary": summary(result)}


def _extent(findings: _Findings, blocking: Sequence[str]) -> str:
    """Where the old value of a secret was replaced."""
    # Without derivation, nothing shows which secret a ciphertext is that no encrypted vars file holds.
    return "incomplete" if blocking or findings.left or findings.unnamed else "everywhere"


def _document(scope: Scope, findings: _Findings) -> dict[str, Any]:
    """What was found, before anything is decided."""
    return {
        "key": scope.name,
        "created": scope.created,
        "target": scope.target,
        "files": findings.files,
        "ciphertexts": [
            {"key": place, "version": version, "state": state, "count": count}
            for (place, version, state), count in sorted(findings.counts.items())
        ],
        "unknown": [unknown_row(row) for row in findings.unknown],
        "unread": findings.unread,
        "not_searched": findings.not_searched,
        "undeclared": findings.undeclared,
        "read": list(scope.declared),
        "hosts": [{"host": host, "reason": reason} for host, reason in findings.missing.items()],
        "services": [
            {**one.row(), "up": not why_down(one), "reason": why_down(one) or why_holding(one, scope.target)}
            for one in sorted(findings.services, key=lambda one: (one.host, one.name))
        ],
        "left": findings.left,
        "unnamed": {"count": findings.unnamed, "first": findings.unnamed_places},
        "behind": [row_of(row) for row in findings.behind],
        "lost": [row_of(row) for row in findings.lost],
        "floor": {"before": scope.floor, "after": scope.floor},
        "raised": scope.raised,
        "rotation": rotation_row(scope.rotation),
        "trimmed": False,
    }


def _refused(
    scope: Scope, findings: _Findings, unknown: Sequence[Mapping[str, Any]], invalid: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What a rotation cannot begin with."""
    reasons = [f"these encrypted vars files cannot be used: {described(invalid)}"] if invalid else []
    own = [row for row in unknown if row["path"] in scope.files]
    if own:
        reasons.append(f"these entries of encrypted vars files do not decrypt: {some(own, reasons=True)}")
    # A search of the project in vain says enough about a controller that declares nothing.
    elif not (
        scope.unused or findings.of(scope.name) or findings.lost or {*findings.missing.values()} - {UNDECLARED_THERE}
    ):
        reasons.append(
            f"no ciphertext of {scope.name} was found: declare the encrypted vars files (vault_transit_vars_files) and "
            "the files of hosts (vault_transit_host_paths), or correct the name of the key"
        )
    reasons += [f"the services of {listed(hosts)} cannot restart: {why}" for why, hosts in findings.stuck.items()]
    if findings.linked:
        reasons.append(f"these encrypted vars files cannot be rewritten: {some(findings.linked, reasons=True)}")
    trimmed = [row for row in findings.lost if row["version"] < scope.available]
    if trimmed:
        reasons.append(
            f"these ciphertexts have versions below {scope.available}, which are trimmed: {some(trimmed)}. Only a "
            "backup of the key, a newer revision of the file, or the secret itself brings them back"
        )
    below = [row for row in findings.lost if row["version"] >= scope.available]
    if below and not scope.recover:
        since = f" (version {scope.floor} was created at {scope.floor_since})" if scope.floor_since else ""
        reasons.append(
            f"these ciphertexts are below the floor v{scope.floor}{since}: {some(below)}. Rewrap them: "
            "mlkeys rotate --recover"
        )
    return reasons


def _blocking(
    scope: Scope,
    findings: _Findings,
    unknown: Sequence[Mapping[str, Any]],
    unread: Sequence[Mapping[str, Any]],
) -> list[str]:
    """What keeps the floor where it is."""
    reasons = []
    if findings.missing:
        hosts = [f"{host} ({reason})" for host, reason in findings.missing.items()]
        reasons.append(f"these hosts could not be looked at: {listed(hosts)}")
    # The limit of a run leaves some behind, which is not an error.
    if findings.behind and not findings.left:
        reasons.append(f"these ciphertexts are still behind: {some(findings.behind, reasons=True)}")
    if others := [name for name, version in scope.elsewhere.items() if int(version) < scope.target]:
        reasons.append(f"these places use the key as well, and may have older ciphertexts: {listed(others)}")
    holding = [one for one in findings.services if scope.floor < scope.target and why_holding(one, scope.target)]
    if holding:
        named = [f"{one.host}: {one.name} ({why_holding(one, scope.target)})" for one in holding]
        reasons.append(
            f"these services may still have to decrypt older versions: {listed(named)}. Restart them: "
            "ansible-playbook mlkeys.transit.site"
        )
    # Also those at the target, which the floor does not touch: an equal number may be a version of a key that is gone.
    if elsewhere := [row for row in unknown if row["path"] not in scope.files]:
        helping = ways(elsewhere, scope.floor, scope.available, recover=scope.recover)
        reasons.append(f"nobody knows whose these ciphertexts are: {some(elsewhere, reasons=True)}{helping}")
    if unread:
        places = [f"{row['host']}:{row['path']} ({row['reason']})" for row in unread]
        reasons.append(f"these places were not searched, or cannot be changed: {listed(places)}")
    return reasons
