# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Auth methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypedDict, Unpack

from mlkeys._model.element import Resource
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct
from mlkeys._shared._attributes.attribute import ANY_TIME, AT_CREATION, Attribute


class AuthAttributes(TypedDict, total=False):
    """Keywords of `AppRoleAuth`."""

    path: str
    description: str | None
    aliases: Sequence[str]


class AppRoleAuth(Resource):
    """The auth method AppRole.

    Source: https://openbao.org/api-docs/system/auth/#enable-auth-method

    Args:
        path: path to mount it at. Default: `approle`. Cannot be changed later.
        description: purpose of the auth method. Default: empty.
        aliases: former ids of the construct, so that Terraform moves the resource instead of recreating it.
            Default: none.
    """

    OFFERS: ClassVar[Mapping[str, str]] = {"auth": "use its .path", "name": "use its .path"}
    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        "path": Attribute("path", "str", AT_CREATION, "Path of the auth method."),
        "description": Attribute("description", "str", ANY_TIME, "Purpose of the auth method."),
    }

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        **attributes: Unpack[AuthAttributes],
    ) -> None:
        super().__init__(scope, id_, {"path": "approle", **attributes})
        self._values.setdefault("path", "approle")

    @property
    def path(self) -> Reference:
        """Path of the auth method."""
        return self._reference("path")
