# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What left a program: a former deployment made it, and the program has it no more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlkeys._record.record import Made

PLAINTEXT = "plaintext"
_WORDS = (
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
        deleted: rights, plaintext and ciphertexts, and the keys and engines that the user named.
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
        files=_delivered(gone.files, plaintext=True),
        hosts=gone.hosts,
    )
    kept = Made(
        # Others may have roles there.
        auth_methods=gone.auth_methods,
        keys=gone.keys - deleted.keys,
        engines=gone.engines - deleted.engines,
        files=_delivered(gone.files, plaintext=False),
        hosts=gone.hosts,
    )
    return Left(deleted, kept)


def _delivered(files: Mapping[str, Mapping[str, str]], *, plaintext: bool) -> dict[str, dict[str, str]]:
    found = {
        host: {path: way for path, way in those.items() if (way == PLAINTEXT) is plaintext}
        for host, those in files.items()
    }
    return {host: those for host, those in found.items() if those}


def lines(made: Made) -> Iterator[str]:
    """Yield a line for each thing."""
    for kind, word in _WORDS:
        yield from (f"{word} {name}" for name in sorted(getattr(made, kind)))
    for key, names in sorted(made.secrets.items()):
        yield from (f"ciphertext {key}/{name}" for name in sorted(names))
    for host, found in sorted(made.files.items()):
        yield from (f"{way} file {path} on {host}" for path, way in sorted(found.items()))


def variables(made: Made, owner: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the variables of the playbook that deletes it.

    Args:
        owner: of the stack.
        files: paths of vars files by key, for keys whose secrets all left.
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
        "vars_files": sorted(files[key] for key in made.secrets if key in files),
        "files": {host: sorted(found) for host, found in made.files.items()},
    }
