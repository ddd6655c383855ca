# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Auth methods that roles live in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypedDict, Unpack

from mlkeys._model.element import Resource
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct
from mlkeys._shared.schema import ANY_TIME, AT_CREATION, Attribute


class AuthAttributes(TypedDict, total=False):
    """Attributes of an auth method."""

    path: str
    description: str | None


class AppRoleAuth(Resource):
    """The auth method AppRole, where the server does not have it yet."""

    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        "path": Attribute("path", "str", AT_CREATION, "Where it is mounted."),
        "description": Attribute("description", "str", ANY_TIME, "What it is for."),
    }

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        **attributes: Unpack[AuthAttributes],
    ) -> None:
        super().__init__(scope, id_, {"path": "approle", **attributes})

    @property
    def path(self) -> Reference:
        """Where it is mounted."""
        return self._reference("path")
