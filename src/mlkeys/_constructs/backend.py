# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The Transit engine and its cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self, TypedDict, Unpack

from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct
from mlkeys._shared.schema import ANY_TIME, AT_CREATION, MOUNT_ATTRIBUTES, Attribute


class BackendAttributes(TypedDict, total=False):
    """Attributes of a Transit engine, under the API's own names."""

    path: str
    description: str | None
    default_lease_ttl: str | int | Duration | None
    max_lease_ttl: str | int | Duration | None
    listing_visibility: Literal["", "hidden", "unauth"] | None
    audit_non_hmac_request_keys: Sequence[str] | None
    audit_non_hmac_response_keys: Sequence[str] | None
    passthrough_request_headers: Sequence[str] | None
    allowed_response_headers: Sequence[str] | None
    plugin_version: str | None
    options: Mapping[str, str] | None
    local: bool | None
    seal_wrap: bool | None
    external_entropy_access: bool | None
    force_no_cache: bool | None
    disable_upsert: bool | None


class TransitSecretBackend(Resource):
    """A Transit engine. With `disable_upsert` (the default), encrypting with a mistyped key name is an error."""

    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        attribute.name: attribute
        for attribute in (
            Attribute("path", "str", AT_CREATION, "Where the engine is mounted."),
            *MOUNT_ATTRIBUTES,
            Attribute("disable_upsert", "bool", ANY_TIME, "Encrypting makes no key.", default=True),
        )
    }

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        **attributes: Unpack[BackendAttributes],
    ) -> None:
        super().__init__(scope, id_, {"path": "transit", "disable_upsert": True, **attributes})
        self.node.add_validation(self._validate)

    @classmethod
    def from_existing(cls, scope: Construct | str, id_: str | None = None, /, *, path: str = "transit") -> Self:
        """An engine that is already there: it can be referred to, and is neither made nor changed."""
        return cls._existing(scope, id_, {"path": path})

    def configure(self, **attributes: Unpack[BackendAttributes]) -> None:
        """Set attributes after the fact, as an aspect does; None takes one away."""
        self._take(attributes)

    def _validate(self) -> list[str]:
        problems = []
        if "plaintext" in _list(self.values.get("audit_non_hmac_request_keys")):
            problems.append("audit_non_hmac_request_keys with 'plaintext' would write every secret into the audit log")
        if "plaintext" in _list(self.values.get("audit_non_hmac_response_keys")):
            problems.append("audit_non_hmac_response_keys with 'plaintext' would write every secret into the audit log")
        default, longest = self.values.get("default_lease_ttl"), self.values.get("max_lease_ttl")
        if isinstance(default, Duration) and isinstance(longest, Duration) and 0 < longest.seconds < default.seconds:
            problems.append(f"default_lease_ttl ({default}) is longer than max_lease_ttl ({longest})")
        if not str(self.values["path"]).strip("/"):
            problems.append("path is empty")
        return problems

    @property
    def path(self) -> Reference:
        """Where it is mounted."""
        return self._reference("path")


def _list(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


class CacheAttributes(TypedDict, total=False):
    """Attributes of an engine's cache."""

    backend: str
    size: int


class TransitSecretCacheConfig(Resource):
    """How many keys the cache of an engine holds: 0 for no limit, otherwise at least 10."""

    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        "backend": Attribute("backend", "str", AT_CREATION, "The engine's path."),
        "size": Attribute("size", "int", ANY_TIME, "Number of keys."),
    }
    REQUIRED = ("backend", "size")

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        **attributes: Unpack[CacheAttributes],
    ) -> None:
        super().__init__(scope, id_, attributes)
        self.node.add_validation(self._validate)

    def _validate(self) -> list[str]:
        size = self.values.get("size")
        return [f"size is {size}: it must be 0 (no limit) or at least 10"] if size in range(1, 10) else []
