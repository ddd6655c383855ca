# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What left a program: a former deployment made it, and the program has it no more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlkeys._record.record import Files, Made

#: How files are delivered that do not stay: what is readable there, and what runs.
_TAKEN = {"plaintext": "plaintext file", "agent": "service"}
_UNIT_SUFFIX = ".service"
#: What one thing is, by the kind of a record.
WORDS = (
    ("policies", "policy"),
    ("roles", "AppRole"),
    ("auth_methods", "auth method"),
    ("keys", "key"),
    ("engines", "engine"),
)


@dataclass(frozen=True, slots=True)
class Left:
    """What left a program.

    Attributes:
        deleted: rights, plaintext, services and ciphertexts, and the keys and engines that the user named.
        kept: everything else, which nobody can use any more than before.
    """

    deleted: Made = field(default_factory=Made)
    kept: Made = field(default_factory=Made)


def left(former: Made, present: Made, named: Collection[str] = (), *, everything: bool = False) -> Left:
    """Return what left a program.

    Args:
        former: what deployments made.
        present: what the program has.
        named: keys (as ENGINE/KEY) and engines to delete.
        everything: whether to delete all keys and engines.
    """
    gone = former.minus(present)
    chosen = frozenset(named)
    keys = gone.keys if everything else gone.keys & chosen
    deleted = Made(
        policies=gone.policies,
        roles=gone.roles,
        keys=keys,
        engines=gone.engines if everything else gone.engines & chosen,
        secrets=gone.secrets,
        files=_delivered(gone.files, taken=True),
        agents=gone.agents,
        hosts=gone.hosts,
    )
    files = _delivered(gone.files, taken=False)
    kept = Made(
        # Others may have roles there.
        auth_methods=gone.auth_methods,
        keys=gone.keys - deleted.keys,
        engines=gone.engines - deleted.engines,
        files=files,
        hosts={host: gone.hosts[host] for host in files if host in gone.hosts},
    )
    return Left(deleted, kept)


def _delivered(files: Files, *, taken: bool) -> dict[str, dict[str, str]]:
    found = {
        host: {path: way for path, way in those.items() if (way in _TAKEN) is taken} for host, those in files.items()
    }
    return {host: those for host, those in found.items() if those}


def lines(made: Made) -> Iterator[str]:
    """Yield a line for each thing."""
    for kind, word in WORDS:
        yield from (f"{word} {name}" for name in sorted(getattr(made, kind)))
    for key, names in sorted(made.secrets.items()):
        yield from (f"ciphertext {key}/{name}" for name in sorted(names))
    for host, found in sorted(made.files.items()):
        for path, way in sorted(found.items()):
            shown = _service(path) if way == "agent" else path
            yield f"{_TAKEN.get(way, f'{way} file')} {shown} on {host}"


def _service(path: str) -> str:
    """Return the name of the service of a unit."""
    return path.rpartition("/")[2].removesuffix(_UNIT_SUFFIX)


def variables(made: Made, owner: str, vars_files: Mapping[str, str]) -> dict[str, Any]:
    """Return the variables of the playbook that deletes it.

    Args:
        owner: of the stack.
        vars_files: their paths by key, for keys whose secrets all left.
    """

    def named(name: str, above: str) -> dict[str, str]:
        head, _, last = name.rpartition("/")
        return {above: head, "name": last}

    return {
        "manager": f"owner {owner}",
        "policies": sorted(made.policies),
        "roles": [named(name, "path") for name in sorted(made.roles)],
        "keys": [named(name, "backend") for name in sorted(made.keys)],
        "engines": sorted(made.engines),
        "vars_files": sorted(vars_files[key] for key in made.secrets if key in vars_files),
        "files": {host: files for host in made.files if (files := _files(made, host))},
        "services": {host: services for host in made.files if (services := _services(made, host))},
    }


def _files(made: Made, host: str) -> list[str]:
    return sorted(path for path, way in made.files[host].items() if way == "plaintext")


def _services(made: Made, host: str) -> list[dict[str, Any]]:
    """Return the services of a host by the roles that they log in as, for which they have secret IDs."""
    by_role: dict[str, list[str]] = {}
    for path, way in sorted(made.files[host].items()):
        if way == "agent":
            role = made.agents.get(host, {}).get(path, "")
            # Secret IDs of a deleted role are gone already.
            by_role.setdefault("" if role in made.roles else role, []).append(_service(path))
    found = []
    for role, names in sorted(by_role.items()):
        path, _, name = role.rpartition("/")
        services = [{"name": one, "state": "absent"} for one in names]
        found.append({"approle": name, "approle_path": path or "approle", "services": services})
    return found
