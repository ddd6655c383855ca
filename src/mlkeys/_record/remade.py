# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Random secrets that would be made again under another name, while the former one is still known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlkeys._record.record import Made, Names


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a stack.

    Attributes:
        wanted: what the program has in it; None for a stack that left the program.
        recorded: what former deployments made; None without a record.
        stored: names of secrets with a ciphertext, by key.
        moves: former names (ENGINE/KEY/NAME) of secrets by present ones, which a deployment takes along.
    """

    wanted: Made | None
    recorded: Made | None
    stored: Mapping[str, Names]
    moves: Mapping[str, str] = field(default_factory=dict)

    def unmade(self) -> list[str]:
        """Return the random secrets that are not stored."""
        wanted = self.wanted.generated if self.wanted is not None else frozenset()
        return sorted(wanted - _full(self.stored) - self.moves.keys())

    def former(self) -> list[str]:
        """Return the random secrets that the program does not have any more."""
        stored = _full(self.stored)
        recorded = self.recorded or Made()
        # What a stopped deployment stored is in no record.
        known = recorded.generated | (stored - _full(recorded.secrets))
        present = _full(self.wanted.secrets) if self.wanted is not None else frozenset()
        return sorted(known - present - frozenset(self.moves.values()))


def _full(names: Mapping[str, Names]) -> Names:
    return frozenset(f"{key}/{name}" for key, found in names.items() for name in found)


def remade(stack: str, known: Mapping[str, Known]) -> Iterator[tuple[str, str, str]]:
    """Yield random secrets that a stack would make, and that may be former ones, with the stack and name of those.

    A former one may be of the same stack, of one that left the program, under the same key, or of the same name.
    """
    former = [(other, name) for other, found in known.items() for name in found.former()]
    for present in known[stack].unmade():
        for other, name in former:
            is_near = other == stack or known[other].wanted is None
            if is_near or _parts(name)[0] == _parts(present)[0] or _parts(name)[1] == _parts(present)[1]:
                yield present, other, name
                break


def _parts(name: str) -> tuple[str, str]:
    key, _, last = name.rpartition("/")
    return key, last
