# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of keys and of all ciphertexts of a fleet. Pure. **Private** to the collection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.durations import age_text
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.account_words import listed, place_of
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.beyond import ELSEWHERE, PACKED, files_by_key
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.documents import DELETED
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    NOT_TRIED,
    is_silent_controller,
    missing_reason,
    not_asked,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.services import (
    RUNNING,
    Service,
    services_of,
    undeclared,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.status_words import ciphertexts_are, counted, line

# Results of the playbook status.yml for a host, and for the encrypted vars files of the controller.
SEEN, SEEN_HERE = "vault_transit_seen", "vault_transit_seen_here"
PROJECT = "vault_transit_project"
# The same for other files of the project, which nothing rewraps.
SEEN_ELSEWHERE = "vault_transit_seen_elsewhere"

# Severities of problems.
ERROR, WARNING, NOTE = "error", "warning", "note"

# The server checks once an hour which keys are due.
_SLACK = 2 * 3600

# Places that the discovery names and that are not errors.
_NOT_SEARCHED = ("compressed", "dangling", "output", DELETED, PACKED)

# This many places of ciphertexts are listed.
_some = partial(listed, most=5)
# The same where a command follows, which must be in sight.
_EXAMPLES = 2

_RISKS = {
    "exportable": "its key material can be read from the server",
    "allow_plaintext_backup": "it can be backed up in plaintext, with its key material",
    "deletion_allowed": "it can be deleted, and with it everything that it encrypted",
}


@dataclass
class _Key:
    """One key as the server shows it, and its ciphertexts."""

    info: Mapping[str, Any]
    controller: str = ""
    counts: Counter[int] = field(default_factory=Counter)
    places: dict[int, list[str]] = field(default_factory=dict)
    hosts: dict[int, set[str]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"{self.info['backend']}/{self.info['name']}"

    @property
    def latest(self) -> int:
        return int(self.info["latest_version"])

    @property
    def floor(self) -> int:
        return int(self.info["min_decryption_version"])

    @property
    def ages(self) -> dict[int, int]:
        return {int(one["version"]): int(one["age_seconds"]) for one in self.info["versions"]}

    @property
    def created(self) -> dict[int, str]:
        return {int(one["version"]): str(one.get("creation_time") or "") for one in self.info["versions"]}

    def state(self, version: int) -> str:
        """The state of a ciphertext of this version."""
        if version < self.floor:
            return "too old"
        return "current" if version >= self.latest else "behind"

    def add(self, version: int, host: str, place: str) -> None:
        self.counts[version] += 1
        self.places.setdefault(version, []).append(place)
        self.hosts.setdefault(version, set()).add(host)

    def between(self, first: int, end: int) -> list[str]:
        """The places of ciphertexts of versions from ``first`` up to, not including, ``end``."""
        return [place for number in sorted(self.places) if first <= number < end for place in self.places[number]]

    def behind(self) -> str:
        """What still uses versions that decrypt and are not the latest, empty if nothing does."""
        versions = [number for number in sorted(self.places) if self.floor <= number < self.latest]
        if not versions:
            return ""
        places = self.between(self.floor, self.latest)
        hosts = {host for number in versions for host in self.hosts[number]}
        where = counted(hosts, self.controller)
        used = " and ".join(f"v{number}" for number in versions)
        one = len(places) == 1
        use = f"1 ciphertext on {where} still uses" if one else f"{len(places)} ciphertexts on {where} still use"
        return f"{use} {used}: {listed(places, most=_EXAMPLES)}."


@dataclass(frozen=True)
class Logins:
    """When secret IDs of hosts are about to expire.

    Attributes:
        now: seconds since the epoch.
        within: a warning is due when one expires within this many seconds.
        site: the command that deploys services to these hosts.
    """

    now: float = 0.0
    within: int = 0
    site: str = "ansible-playbook mlkeys.transit.site"


def status(
    keys: Iterable[Mapping[str, Any]],
    hosts: Iterable[Mapping[str, Any]],
    older_than: int,
    logins: Logins = Logins(),
    pattern: Iterable[str] = (),
    rotate: str = "mlkeys rotate",
) -> dict[str, Any]:
    """The state of keys and of all ciphertexts, and the problems.

    Args:
        keys: as ``vault_transit_key_info`` returns them.
        hosts: the variables of each host, with the results of ``vault_transit_ciphertext_info``.
        older_than: seconds after which a key is overdue that the server does not rotate by itself.
        logins: when secret IDs are about to expire.
        pattern: the names of the hosts to look at, whether or not a run is limited to some of them.
        rotate: the command that rotates keys of these hosts, without the option ``--key``.
    """
    found = _Found(pattern=frozenset(pattern))
    for variables in sorted(hosts, key=lambda one: str(one["inventory_hostname"])):
        found.add(variables)
    known = {(key["backend"], key["name"]): _Key(key, found.controller) for key in keys}
    unknown = _unknown(found.rows, known)
    for row in found.rows:
        if row not in unknown:
            key = known[row["backend"], row["key"]]
            key.add(row["version"], str(row["host"]), place_of(row))
            row["state"] = key.state(row["version"])
    elsewhere = files_by_key(found.elsewhere, (key.path for key in known.values()), lambda row: _owner(row, known))
    complete = not (found.missing or found.unread or any(map(_is_nobodys, unknown)))
    described = [
        _described(key, older_than, rotate, complete=complete and not (elsewhere[""] or elsewhere[key.path]))
        for key in known.values()
    ]
    problems = [*found.problems(logins), *(problem for one in described for problem in one.pop("problems"))]
    problems += [*_elsewhere_problems(elsewhere, known.values()), *_unplaced_problems(unknown)]
    problems.sort(key=lambda problem: (ERROR, WARNING, NOTE).index(problem["severity"]))
    return {
        "keys": described,
        "ciphertexts": found.rows,
        "services": [{**one.row(), "runs": one.runs, "login_expires": one.expires} for one in found.services],
        "unread": found.unread,
        "not_searched": [*found.not_searched, *(row for rows in elsewhere.values() for row in rows)],
        "hosts": found.hosts(),
        "problems": problems,
        "healthy": all(problem["severity"] == NOTE for problem in problems),
        "summary": [*map(line, described), *(f"{one['severity']}: {one['text']}" for one in problems)],
    }


@dataclass
class _Found:
    """What the searches of all hosts report."""

    pattern: frozenset[str] = frozenset()
    rows: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    not_searched: list[dict[str, Any]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    elsewhere: list[dict[str, Any]] = field(default_factory=list)
    controller: str = ""

    def hosts(self) -> dict[str, Any]:
        looked_at = counted({*self.seen, self.controller} - {""}, self.controller)
        return {"seen": self.seen, "controller": self.controller, "looked_at": looked_at, "missing": self.missing}

    def add(self, variables: Mapping[str, Any]) -> None:
        host = str(variables["inventory_hostname"])
        answers = [variables.get(name) or {} for name in (SEEN_HERE, SEEN)]
        if answers[0]:
            self.controller = host
        named = {"ciphertexts": self.rows, "unread": self.unread, "not_searched": self.not_searched}
        for answer in answers:
            for name, rows in named.items():
                rows += [{"host": host, **row} for row in answer.get(name, ())]
        # The discovery of encrypted vars files has places of its own.
        for row in (variables.get(PROJECT) or {}).get("unread", ()):
            rows = self.not_searched if row.get("kind") in _NOT_SEARCHED else self.unread
            (self.elsewhere if row.get("kind") == ELSEWHERE else rows).append({"host": host, **row})
        self.elsewhere += [
            {"host": host, **row} for row in (variables.get(SEEN_ELSEWHERE) or {}).get("ciphertexts", ())
        ]
        looked = variables.get(RUNNING) or {}
        self.services += services_of(host, looked)
        reason = missing_reason(variables, answers[1:], is_controller=bool(answers[0]), pattern=self.pattern)
        if reason is None and (looked.get("failed") or looked.get("unreachable")):
            reason = "its services did not answer"
        if reason is not None:
            self.missing[host] = reason
            return
        if answers[0] and is_silent_controller(variables, self.pattern):
            self.not_searched.append(not_asked(host))
        if "ciphertexts" in answers[1] and host != self.controller:
            self.seen.append(host)

    def problems(self, logins: Logins) -> Iterator[dict[str, str]]:
        yield from (_unseen(host, why) for host, why in self.missing.items())
        for severity, rows in ((ERROR, self.unread), (NOTE, self.not_searched)):
            if rows:
                places = [f"{place_of(row)} ({row['reason']})" for row in rows]
                yield {"severity": severity, "text": f"Not searched: {_some(places)}."}
        for service in self.services:
            yield from _start_problems(service, logins.site)
            yield from _login_problems(service, logins)


def _unknown(rows: Iterable[dict[str, Any]], known: Mapping[tuple[str, str], _Key]) -> list[dict[str, Any]]:
    """The ciphertexts of no known key, without the key that calls them too old: it says so of those of others, too."""
    unknown = [row for row in rows if not _is_placed(row, known)]
    for row in unknown:
        if row["state"] == "too old":
            row.update(state="unknown", backend="", key="")
    return unknown


def _is_placed(row: Mapping[str, Any], known: Mapping[tuple[str, str], _Key]) -> bool:
    """Whether it is proven to belong to a known key. Below its floor, a key does not check what is whose."""
    if (row["backend"], row["key"]) not in known or row["state"] == "unknown":
        return False
    return row["state"] != "too old" or bool(row.get("secret"))


def _is_nobodys(row: Mapping[str, Any]) -> bool:
    return bool(row["state"] != "foreign")


def _unplaced_problems(unknown: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    rows = list(unknown)
    nobodys = [place_of(row) for row in rows if _is_nobodys(row)]
    foreign = [place_of(row) for row in rows if not _is_nobodys(row)]
    if nobodys:
        text = f"{ciphertexts_are(nobodys)} of no key that is known, or bound to an unknown context: {_some(nobodys)}."
        yield {"severity": WARNING, "text": text}
    if foreign:
        yield {"severity": NOTE, "text": f"{ciphertexts_are(foreign)} of keys that are not listed: {_some(foreign)}."}


def _owner(row: Mapping[str, Any], known: Mapping[tuple[str, str], _Key]) -> str:
    key = known.get((str(row.get("backend")), str(row.get("key"))))
    return key.path if key is not None and (row.get("kind") == ELSEWHERE or _is_placed(row, known)) else ""


def _elsewhere_problems(
    elsewhere: Mapping[str, Sequence[Mapping[str, Any]]], keys: Iterable[_Key]
) -> Iterator[dict[str, str]]:
    """What keeps floors although nothing here is behind. Keys that nothing here uses are those of other projects."""
    used = {key.path for key in keys if any(key.counts.values())}
    for path, rows in elsewhere.items():
        if rows:
            places = [f"{place_of(row)} ({row['reason']})" for row in rows]
            severity = WARNING if path in used else NOTE
            yield {"severity": severity, "text": f"Elsewhere in the project: {_some(places)}.{_DECLARE}"}


_DECLARE = " If they belong to it, declare them, or add their folder to vault_transit_sources."


def _unseen(host: str, why: str) -> dict[str, str]:
    if why == NOT_TRIED:
        return {"severity": NOTE, "text": f"{host} was {why}."}
    return {"severity": ERROR, "text": f"{host} could not be looked at: {why}."}


def _start_problems(service: Service, site: str) -> Iterator[dict[str, str]]:
    if service.undeclared:
        yield {"severity": WARNING, "text": undeclared(service, site)}
    elif not service.runs:
        text = f"{service.host}: {service.name} does not run, or waits for its secrets. See its log."
        yield {"severity": ERROR, "text": text}
    elif not service.started:
        text = f"{service.host}: {service.name} runs, but what was deployed last did not come up. Deploy it again."
        yield {"severity": WARNING, "text": text}


def _login_problems(service: Service, logins: Logins) -> Iterator[dict[str, str]]:
    """A service whose secret ID has expired runs on, and cannot start again."""
    end = service.login_ends
    if end is None or not logins.now or end - logins.now > logins.within:
        return
    left = int(end - logins.now)
    when = f"ends in {age_text(left)}" if left > 0 else "has ended"
    # A time before the end might be longer than a secret ID lives.
    option = "vault_transit_host_secret_id_max_age=1s"
    yield {
        "severity": WARNING if left > 0 else ERROR,
        "text": f"{service.host}: the secret ID of {service.name} {when} ({service.expires}), and without one it "
        f"cannot start. Replace it: {logins.site} -e {option}",
    }


def _described(key: _Key, older_than: int, rotate: str, *, complete: bool) -> dict[str, Any]:
    info, ages = key.info, key.ages
    period = int(info["auto_rotate_period"])
    age = ages.get(key.latest)
    limit = period + _SLACK if period else older_than
    overdue = age is not None and bool(limit) and age > limit
    versions = sorted({*ages, *key.counts, key.latest})
    return {
        "backend": info["backend"],
        "name": info["name"],
        "type": info["type"],
        "latest_version": key.latest,
        "min_decryption_version": key.floor,
        "min_available_version": info.get("min_available_version", 0),
        "age_seconds": age,
        "auto_rotate_period": period,
        "overdue": overdue,
        "versions": [
            {
                "version": version,
                "age_seconds": ages.get(version),
                "creation_time": key.created.get(version, ""),
                "ciphertexts": key.counts[version],
                "state": key.state(version),
            }
            for version in versions
        ],
        "problems": _problems(
            key, age, period, f"{rotate} --key {key.path}", overdue=overdue, older_than=older_than, complete=complete
        ),
    }


def _problems(
    key: _Key, age: int | None, period: int, rotate: str, *, overdue: bool, older_than: int, complete: bool
) -> list[dict[str, str]]:
    found = []

    def add(severity: str, text: str) -> None:
        found.append({"severity": severity, "text": f"{key.path}: {text}"})

    lost = key.between(0, key.floor)
    if lost:
        since = f" (v{key.floor} was created at {key.created[key.floor]})" if key.created.get(key.floor) else ""
        add(
            ERROR,
            f"{ciphertexts_are(lost)} below the floor v{key.floor}, which nobody can decrypt{since}: {_some(lost)}.",
        )
    behind = key.behind()
    if behind:
        add(WARNING, f"{behind} The latest is v{key.latest}. Run: {rotate}")
    if overdue and age is not None:
        limit = age_text(period or older_than)
        due = f"the server should rotate it every {limit}" if period else f"{limit} are allowed"
        add(WARNING, f"v{key.latest} is {age_text(age)} old, and {due}.")
    if complete and not lost and not behind and key.floor < key.latest and any(key.counts.values()):
        text = f"the floor is v{key.floor}, and all ciphertexts use v{key.latest}"
        add(NOTE, f"{text}. Raise it: {rotate}")
    raised = int(key.info.get("min_encryption_version") or 0)
    if key.floor < raised:
        add(
            NOTE,
            f"the floor is v{key.floor}, below min_encryption_version v{raised}. If nobody set it so, a rotation with "
            f"--recover did not end. Finish it: {rotate}.",
        )
    for attribute, risk in _RISKS.items():
        if key.info.get(attribute):
            add(NOTE, f"{risk} ({attribute}).")
    return found
