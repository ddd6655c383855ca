# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Remarks on constructs: notes and warnings go into the manifest, errors keep files from being made."""

from __future__ import annotations

from mlkeys._model.location import call_site
from mlkeys._model.tree import Construct


class Annotations:
    """The remarks on one construct: `Annotations.of(key).warning("old", "rotate this one")`."""

    def __init__(self, construct: Construct) -> None:
        self._node = construct.node

    @classmethod
    def of(cls, construct: Construct) -> Annotations:
        """The remarks on that construct."""
        return cls(construct)

    def info(self, message: str) -> None:
        """Something that a reader of the manifest should know."""
        self._node.add_metadata("info", message)

    def warning(self, id_: str, message: str) -> None:
        """Something doubtful. The id is what it is acknowledged by."""
        self._node.add_warning(id_, message)

    def error(self, message: str) -> None:
        """Something that must not be deployed."""
        self._node.add_problem(message, call_site())

    def acknowledge(self, id_: str) -> None:
        """Say that a warning about this construct or one below it is known."""
        self._node.add_metadata("acknowledged", id_)
