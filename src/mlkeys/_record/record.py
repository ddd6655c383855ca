# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The record of a stack: what it made on servers and hosts, by the names that these have there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

FORMAT = 1

#: Objects of a server, in the order in which they can be deleted.
KINDS = ("policies", "roles", "auth_methods", "keys", "engines")

_OF_THE_SERVER = ("url", "namespace", "server")

Names = frozenset[str]
#: How files are delivered, by host and path.
Files = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Made:
    """What a program makes, or what a former deployment of it made.

    Attributes:
        keys: as ENGINE/KEY.
        roles: as AUTH_METHOD/ROLE.
        secrets: names by key.
        generated: the random ones of them, as ENGINE/KEY/NAME.
        files: on hosts.
        agents: roles that agents on hosts log in as, by the path of the unit.
        hosts: how Ansible reaches them.
    """

    policies: Names = frozenset()
    roles: Names = frozenset()
    auth_methods: Names = frozenset()
    keys: Names = frozenset()
    engines: Names = frozenset()
    secrets: Mapping[str, Names] = field(default_factory=dict)
    generated: Names = frozenset()
    files: Files = field(default_factory=dict)
    agents: Files = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any((*(getattr(self, kind) for kind in KINDS), self.secrets, self.files))

    def union(self, other: Made) -> Made:
        """Return both together; how to reach a host is taken from the other."""
        return Made(
            **{kind: getattr(self, kind) | getattr(other, kind) for kind in KINDS},
            secrets={
                key: self.secrets.get(key, frozenset()) | other.secrets.get(key, frozenset())
                for key in {**self.secrets, **other.secrets}
            },
            generated=self.generated | other.generated,
            files=_both(self.files, other.files),
            agents=_both(self.agents, other.agents),
            hosts={**self.hosts, **other.hosts},
        )

    def random(self) -> dict[str, Names]:
        """Return the names of the random secrets by key."""
        found: dict[str, set[str]] = {}
        for full in self.generated:
            key, _, name = full.rpartition("/")
            found.setdefault(key, set()).add(name)
        return {key: frozenset(names) for key, names in sorted(found.items())}

    def on_server(self) -> Made:
        """Return the objects of the server alone."""
        return Made(**{kind: getattr(self, kind) for kind in KINDS})

    def without_hosts(self, names: Collection[str]) -> Made:
        """Return the rest of it, without what is on these hosts."""

        def rest(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
            return {host: given for host, given in found.items() if host not in names}

        return replace(self, files=rest(self.files), agents=rest(self.agents), hosts=rest(self.hosts))

    def both(self, other: Made) -> Made:
        """Return the objects of the server that both have."""
        return Made(**{kind: getattr(self, kind) & getattr(other, kind) for kind in KINDS})

    def minus(self, other: Made) -> Made:
        """Return what the other does not have."""
        secrets = {key: names - other.secrets.get(key, frozenset()) for key, names in self.secrets.items()}
        files = _without(self.files, other.files)
        return Made(
            **{kind: getattr(self, kind) - getattr(other, kind) for kind in KINDS},
            secrets={key: names for key, names in secrets.items() if names},
            generated=self.generated - other.generated,
            files=files,
            agents=_without(self.agents, other.files),
            hosts={host: given for host, given in self.hosts.items() if host in files},
        )


def _both(some: Files, others: Files) -> Files:
    return {host: {**some.get(host, {}), **others.get(host, {})} for host in {**some, **others}}


def _without(some: Files, others: Files) -> Files:
    left = {
        host: {path: way for path, way in found.items() if path not in others.get(host, {})}
        for host, found in some.items()
    }
    return {host: found for host, found in left.items() if found}


@dataclass(frozen=True, slots=True)
class Record:
    """The record of a stack.

    Attributes:
        owner: names the stack on servers. Other stacks of the same name have another one.
        program: the file of the program.
        url: address of the server, None where the environment says it.
        namespace: on the server, None where the environment says it.
        server: id of the cluster, None where it is unknown or a development server that has ended since.
        complete: whether a deployment came to its end, so that the record has all secrets; None where it is unknown.
    """

    owner: str
    program: str
    stack: str
    made: Made = field(default_factory=Made)
    url: str | None = None
    namespace: str | None = None
    server: str | None = None
    complete: bool | None = None

    def text(self) -> str:
        """Return the file."""
        made = self.made
        data = {
            "format": FORMAT,
            "owner": self.owner,
            "program": self.program,
            "stack": self.stack,
            **{name: given for name in _OF_THE_SERVER if (given := getattr(self, name)) is not None},
            **({"complete": self.complete} if self.complete is not None else {}),
            **{kind: sorted(getattr(made, kind)) for kind in KINDS},
            "secrets": {key: sorted(names) for key, names in made.secrets.items()},
            "generated": sorted(made.generated),
            "files": {host: dict(found) for host, found in made.files.items()},
            "agents": {host: dict(found) for host, found in made.agents.items()},
            "hosts": {host: dict(given) for host, given in made.hosts.items()},
        }
        return f"{json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False)}\n"

    def with_made(self, made: Made) -> Record:
        """Return the record of something else that was made."""
        return replace(self, made=made)


def on_servers(records: Iterable[Record]) -> Made:
    """Return the objects of servers that records have."""
    made = Made()
    for record in records:
        made = made.union(record.made.on_server())
    return made


def parsed(text: str) -> Record:
    """Read a record.

    Raises:
        ValueError: it is not a record, or of a newer format. The message says which.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if isinstance(data, dict) and data.get("format", FORMAT) != FORMAT:
        raise ValueError(f"its format is {data['format']}, and this version reads format {FORMAT}")
    try:
        return _record(data)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("it is not a record of mlkeys") from None


def _record(data: Any) -> Record:
    secrets = {key: _texts(names) for key, names in data["secrets"].items()}
    made = Made(
        **{kind: _texts(data[kind]) for kind in KINDS if kind != "roles"},
        roles=frozenset(map(_role, _texts(data["roles"]))),
        secrets=secrets,
        # A record of the first version does not say which of them are random: any may be.
        generated=_texts(data["generated"]) if "generated" in data else _all(secrets),
        files=_files(data["files"]),
        # Records of the first version have none.
        agents={
            host: {path: _role(role) for path, role in those.items()}
            for host, those in _files(data.get("agents", {})).items()
        },
        hosts={host: {**given} for host, given in data["hosts"].items()},
    )
    # Records of the first version do not have the server.
    place = {name: _text(data[name]) for name in _OF_THE_SERVER if name in data}
    complete = data.get("complete")
    known = complete if isinstance(complete, bool) else None
    owner, program, stack = (_text(data[name]) for name in ("owner", "program", "stack"))
    return Record(owner, program, stack, made, **place, complete=known)


def _role(place: str) -> str:
    """Return AUTH_METHOD/ROLE with the role as the server has it. Older records have it as the program writes it."""
    method, slash, name = place.rpartition("/")
    return f"{method}{slash}{name.lower()}"


def _all(secrets: Mapping[str, Names]) -> Names:
    return frozenset(f"{key}/{name}" for key, names in secrets.items() for name in names)


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError
    return found


def _texts(found: Any) -> Names:
    if not isinstance(found, list):
        raise TypeError
    return frozenset(map(_text, found))


def _files(found: Any) -> Files:
    return {host: {path: _text(way) for path, way in those.items()} for host, those in found.items()}


@dataclass(frozen=True, slots=True)
class Move:
    """Secrets that move from one key to another, or to other names.

    Attributes:
        names: former names by new ones.
    """

    former: str
    key: str
    names: Mapping[str, str]


def moves(stored: Mapping[str, Names], wanted: Mapping[str, Names], former: Mapping[str, Iterable[str]]) -> list[Move]:
    """Return what is stored under former names only.

    Args:
        former: former names of secrets (ENGINE/KEY/NAME) by present ones.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for present, names in former.items():
        key, _, name = present.rpartition("/")
        if name in stored.get(key, ()):
            continue
        for old in names:
            old_key, _, old_name = old.rpartition("/")
            if old_name in stored.get(old_key, ()) and old_name not in wanted.get(old_key, ()):
                found.setdefault((old_key, key), {})[name] = old_name
                break
    return [Move(old, new, names) for (old, new), names in found.items()]


def moved_keys(stored: Mapping[str, Names], wanted: Mapping[str, Names]) -> Iterable[tuple[str, str, str]]:
    """Yield secrets whose key has another name now: the secret, its former and its new key.

    Args:
        stored: names of secrets with a ciphertext, by key.
        wanted: the same, as the program has it.
    """
    for key, names in wanted.items():
        for name in sorted(names - stored.get(key, frozenset())):
            for former, held in sorted(stored.items()):
                if former != key and name in held and name not in wanted.get(former, frozenset()):
                    yield name, former, key
