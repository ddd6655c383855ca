# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Annotations of constructs: notes and warnings go into the manifest, errors prevent synthesis."""

from __future__ import annotations

from mlkeys._model.location import call_site
from mlkeys._model.not_text import NotText
from mlkeys._model.tree import Construct

_ACKNOWLEDGED = "acknowledged"


class Annotations(NotText):
    """Annotations of one construct: `Annotations.of(key).warning("old", "rotate this key")`.

    Args:
        construct: the construct to annotate.
    """

    def __init__(self, construct: Construct) -> None:
        self._node = construct.node

    @classmethod
    def of(cls, construct: Construct) -> Annotations:
        """Return the annotations of a construct."""
        return cls(construct)

    def info(self, message: str) -> None:
        """Add a note to the manifest."""
        self._node.add_metadata("info", f"{message}")

    def warning(self, id_: str, message: str) -> None:
        """Add a warning. `mlkeys synth` prints it until `acknowledge` is called with its id."""
        self._node.add_warning(f"{id_}", f"{message}")

    def error(self, message: str) -> None:
        """Add an error. While there is one, nothing is written or deployed."""
        self._node.add_problem(f"{message}", call_site())

    def acknowledge(self, id_: str) -> None:
        """Silence the warnings with this id on the construct and on everything below it.

        With `random-text`, accept texts that look like random keys and are none, such as identifiers.
        """
        self._node.add_metadata(_ACKNOWLEDGED, id_)


def is_acknowledged(construct: Construct, id_: str) -> bool:
    """Whether the program has silenced an id on a construct, or on one that it is in."""
    return any((_ACKNOWLEDGED, id_) in scope.node.metadata for scope in construct.node.scopes)
