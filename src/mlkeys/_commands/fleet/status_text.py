# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The report of the playbook `mlkeys.transit.status`, in words."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlkeys._commands.fleet.status_history import Look
from mlkeys._commands.paths import command_line
from mlkeys._shared.durations import age_text


@dataclass(frozen=True, slots=True)
class Version:
    """A key version and its number of ciphertexts. `state` is `current`, `behind` or `too old`."""

    number: int
    age: str
    ciphertexts: int
    state: str
    share: float
    created: str = ""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key: a row of the table, or a bar of the page.

    Attributes:
        oldest: the oldest version that exists on the server, as older ones were trimmed; None if that is not known.
    """

    path: str
    kind: str
    latest: int
    floor: int
    oldest: int | None
    age: str
    rotated_every: str
    overdue: bool
    versions: Sequence[Version]

    @property
    def ciphertexts(self) -> int:
        return sum(version.ciphertexts for version in self.versions)

    @property
    def used(self) -> list[Version]:
        """The versions in use."""
        return [version for version in self.versions if version.ciphertexts]


_LATER = "Once their versions are destroyed (trimmed), only a backup of the key, or the original secrets, can help."
_TRIMMED = "Their versions are destroyed (trimmed): only a backup of the key, or the original secrets, can help."


@dataclass(frozen=True, slots=True)
class TooOld:
    """Ciphertexts of a key that are below its floor (`min_decryption_version`), such as those of an old branch."""

    key: KeyStatus
    rows: Sequence[Mapping[str, Any]]

    @property
    def sentences(self) -> list[str]:
        """Which they are, since when, and what to do."""
        recover = f"Bring them back: {command_line('rotate', '--recover')}"
        oldest = self.key.oldest
        if oldest is None:
            return self._about(self.rows, f"{_LATER} {recover}")
        kept = [row for row in self.rows if row["version"] >= oldest]
        destroyed = [row for row in self.rows if row["version"] < oldest]
        return [*self._about(kept, recover), *self._about(destroyed, _TRIMMED)]

    def _about(self, rows: Sequence[Mapping[str, Any]], remedy: str) -> list[str]:
        if not rows:
            return []
        versions = ", ".join(f"v{number}" for number in sorted({row["version"] for row in rows}))
        are = "1 ciphertext is" if len(rows) == 1 else f"{len(rows)} ciphertexts are"
        floor = next((version for version in self.key.versions if version.number == self.key.floor), None)
        at = f" (at {floor.created})" if floor is not None and floor.created else ""
        since = f", at the earliest since v{floor.number} was made {floor.age} ago{at}" if floor and floor.age else ""
        return [f"{self.key.path}: {are} at {versions}, below the floor v{self.key.floor}{since}. {remedy}"]


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The report on one fleet, and what earlier ones found."""

    name: str
    report: Mapping[str, Any]
    history: Sequence[Look] = ()

    @property
    def keys(self) -> list[KeyStatus]:
        return [_key(row) for row in self.report["keys"]]

    @property
    def problems(self) -> list[Mapping[str, str]]:
        return list(self.report["problems"])

    @property
    def ciphertexts(self) -> list[Mapping[str, Any]]:
        return list(self.report["ciphertexts"])

    @property
    def looked_at(self) -> str:
        """The number of hosts that were searched, and the controller, in words."""
        return str(self.report["hosts"]["looked_at"])

    @property
    def controller(self) -> str:
        """The name of the host that holds the encrypted vars files."""
        return str(self.report["hosts"]["controller"])

    @property
    def missing(self) -> dict[str, str]:
        return dict(self.report["hosts"]["missing"])

    @property
    def unread(self) -> list[Mapping[str, Any]]:
        """The places that could not be read."""
        return list(self.report.get("unread") or ())

    @property
    def not_searched(self) -> list[Mapping[str, Any]]:
        """The places that were not searched, which is not an error."""
        return [row for row in self.report.get("not_searched") or () if row.get("kind") != "special"]

    @property
    def unknown(self) -> list[Mapping[str, Any]]:
        """The ciphertexts that no key could be found for."""
        return list(self.report.get("unknown") or ())

    def named_from(self, project: Path) -> FleetStatus:
        """Return the same report with places on the controller named from a folder, if they are below it."""

        def named(row: Mapping[str, Any]) -> Mapping[str, Any]:
            if row.get("host") != self.controller or "path" not in row:
                return row
            return {**row, "path": below(str(row["path"]), str(project))}

        lists = {name: [named(row) for row in self.report.get(name) or ()] for name in _WITH_PLACES}
        # A host may have a folder of the same name.
        here = re.compile(rf"(^|[\s('\"])({re.escape(self.controller)}:)?{re.escape(str(project))}/")
        problems = [{**one, "text": here.sub(r"\1\2", one["text"])} for one in self.problems]
        return replace(self, report={**self.report, **lists, "problems": problems})

    @property
    def healthy(self) -> bool:
        return bool(self.report["healthy"]) and not self.unread and not self.unknown

    @property
    def verdict(self) -> str:
        """The last line about a healthy fleet. It never claims more than what was looked at."""
        places = len(self.not_searched)
        but = f", but {places} {'place was' if places == 1 else 'places were'} not searched" if places else ""
        return f"Nothing is overdue on {self.looked_at}{but}."

    @property
    def too_old(self) -> list[TooOld]:
        """The keys with ciphertexts below their floors."""
        rows = [row for row in self.ciphertexts if row["state"] == "too old" and row["key"]]
        return [
            TooOld(key, tuple(found))
            for key in self.keys
            if (found := [row for row in rows if f"{row['backend']}/{row['key']}" == key.path])
        ]

    def by_host(self) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
        """The ciphertexts of each host, by the folder of their file."""
        found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        for row in self.ciphertexts:
            found.setdefault(row["host"], {}).setdefault(folder_of(row), []).append(row)
        return found

    def by_secret(self) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
        """The ciphertexts of each secret, by host; those whose secret is not known are left out."""
        found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        for row in self.ciphertexts:
            if row["secret"]:
                found.setdefault(row["secret"], {}).setdefault(row["host"], []).append(row)
        return dict(sorted(found.items()))


def _key(row: Mapping[str, Any]) -> KeyStatus:
    total = sum(version["ciphertexts"] for version in row["versions"])
    period = row["auto_rotate_period"]
    return KeyStatus(
        path=f"{row['backend']}/{row['name']}",
        kind=row["type"],
        latest=row["latest_version"],
        floor=row["min_decryption_version"],
        oldest=row.get("min_available_version"),
        age=age_text(row["age_seconds"]),
        rotated_every=age_text(period) if period else "",
        overdue=row["overdue"],
        versions=[
            Version(
                version["version"],
                age_text(version["age_seconds"]),
                version["ciphertexts"],
                version["state"],
                100 * version["ciphertexts"] / total if total else 0,
                version.get("creation_time", ""),
            )
            for version in row["versions"]
        ],
    )


def place(row: Mapping[str, Any]) -> str:
    """The file and the line of a ciphertext; no line for an entry of a document in a KV engine."""
    return f"{row['path']}:{row['line']}" if row["line"] else str(row["path"])


def folder_of(row: Mapping[str, Any]) -> str:
    """The folder of the file that a ciphertext is in; of a document in a KV engine, its path without the last part."""
    return str(row["path"]).rpartition("/")[0] or "/"


def common_folder(folders: Sequence[str]) -> str:
    """Return the folder that several folders are in; empty if they have none but the root, or are a single one."""
    if len(folders) < 2 or len({folder.startswith("/") for folder in folders}) > 1:
        return ""
    return os.path.commonpath(folders).removesuffix("/")


def below(path: str, folder: str) -> str:
    """Return a path as named from a folder: unchanged if it is elsewhere, `.` for the folder itself."""
    if path == folder:
        return "."
    return path.removeprefix(f"{folder}/") if folder else path


def shortened(path: str) -> str:
    """A path that fits on a line: its middle parts give way to an ellipsis."""
    parts = path.split("/")
    if len(path) <= _LONGEST_PATH or len(parts) <= _KEPT_PARTS:
        return path
    return "/".join((*parts[:2], "…", *parts[-2:]))


def broken(path: str, width: int) -> str:
    """A path in lines of so many columns at most, which end behind a slash. Only a longer name is a longer line."""
    lines = [""]
    for part in re.findall("[^/]*/|[^/]+", path):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def parts(problem: str) -> tuple[str, str]:
    """What a problem is, and the command that solves it: empty if the text names none."""
    what, _, run = problem.partition(" Run: ")
    return what, run


def brief(text: str) -> str:
    """Return a sentence with its absolute paths shortened."""
    return _ABSOLUTE.sub(lambda path: shortened(path[0]), text)


def short_hosts(hosts: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return the names of hosts without the domain that all of them with a domain have, and this domain.

    It is empty if there are not several such hosts, or if two hosts would have the same name.
    """
    labels = {host: host.split(".") for host in hosts if "." in host and not _ADDRESS.fullmatch(host)}
    kept = [list(reversed(one[1:])) for one in labels.values()]
    same = list(itertools.takewhile(lambda column: len(set(column)) == 1, zip(*kept, strict=False)))
    names = {host: ".".join(labels[host][: -len(same)]) if same and host in labels else host for host in hosts}
    if len(labels) < 2 or len(set(names.values())) < len(names):
        return {host: host for host in hosts}, ""
    return names, ".".join(column[0] for column in reversed(same))


def worst(rows: Sequence[Mapping[str, Any]]) -> str:
    """The state that decides about several ciphertexts of a secret on a host."""
    return max((str(row["state"]) for row in rows), key=weight)


def weight(state: str) -> int:
    """How bad a state is. One that is not known is the worst."""
    return _WEIGHTS.get(state, len(_WEIGHTS))


#: The lists of a report whose rows have a path.
_WITH_PLACES = ("ciphertexts", "unknown", "unread")
_LONGEST_PATH, _KEPT_PARTS = 44, 4
_ABSOLUTE = re.compile(r"(?<![\w./…])/(?!/)[^\s:,;'\"]+")
_ADDRESS = re.compile(r"[\d.]+")
_WEIGHTS = {state: weight for weight, state in enumerate(("current", "foreign", "behind", "unknown", "too old"))}

_ERROR = re.compile(r"^(?:fatal|failed|ERROR|\[ERROR\]).*$", re.MULTILINE)
_MESSAGE = re.compile(r'"msg": ("(?:[^"\\]|\\.)*")')


def reason_in(output: str) -> str:
    """The reason in what a failed playbook printed."""
    messages = [_unquoted(text) for text in _MESSAGE.findall("\n".join(_ERROR.findall(output)))]
    lines = messages or _ERROR.findall(output) or [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "the playbook printed nothing."


def _unquoted(text: str) -> str:
    # Callbacks other than Ansible's own show something else than JSON.
    with contextlib.suppress(ValueError):
        return str(json.loads(text))
    return text[1:-1]
