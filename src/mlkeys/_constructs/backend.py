# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The Transit secrets engine and its cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, Self, TypedDict, Unpack

from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.marks import targets
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct
from mlkeys._shared._attributes.attribute import ANY_TIME, AT_CREATION, Attribute
from mlkeys._shared._attributes.mount import MOUNT_ATTRIBUTES
from mlkeys._shared.names import mount_problem


class BackendAttributes(TypedDict, total=False):
    """Keywords of `TransitSecretBackend`, under the names of the API."""

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
    aliases: Sequence[str]


class TransitSecretBackend(Resource):
    """A Transit secrets engine.

    Durations are seconds, or strings such as `"1h"` or `"30d"`. Attributes that are not set are left to the server, and
    are not changed on an existing engine; the defaults below are the server's.

    Source: https://openbao.org/api-docs/system/mounts/#enable-secrets-engine

    Args:
        path: path to mount the engine at. Default: `transit`. Cannot be changed later.
        description: purpose of the engine. Default: empty.
        default_lease_ttl: default lease duration. 0 (default): that of the server.
        max_lease_ttl: longest lease duration. 0 (default): that of the server.
        listing_visibility: whether the user interface lists the engine without a token: `unauth`, `hidden` or `""`.
            Default: `""`, which hides it.
        audit_non_hmac_request_keys: request fields that audit logs show in the clear. `plaintext` is refused.
            Default: none.
        audit_non_hmac_response_keys: response fields that audit logs show in the clear. `plaintext` is refused.
            Default: none.
        passthrough_request_headers: request headers to pass to the engine. Default: none.
        allowed_response_headers: response headers that the engine may set. Default: none.
        plugin_version: version of the engine's plugin. Default: the one that the server runs.
        options: options of the mount. Default: none. Cannot be changed later.
        local: keep the mount out of replication. Default: False. Cannot be changed later.
        seal_wrap: wrap the mount's storage with the seal. Default: False. Cannot be changed later.
        external_entropy_access: use the server's external entropy source. Default: False. Cannot be changed later.
        force_no_cache: disable caching for the mount. Default: False. Cannot be changed later.
        disable_upsert: refuse to encrypt with a key that does not exist, instead of creating it, so that a mistyped
            name is an error. Default: True.
        aliases: former ids of the construct, so that Terraform moves the resource instead of recreating it.
            Default: none.
    """

    OFFERS: ClassVar[Mapping[str, str]] = {"engine": "use its .path", "name": "use its .path"}
    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        attribute.name: attribute
        for attribute in (
            Attribute("path", "str", AT_CREATION, "Path of the engine."),
            *MOUNT_ATTRIBUTES,
            Attribute("disable_upsert", "bool", ANY_TIME, "Encryption does not create keys.", default=True),
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
        self._values.setdefault("path", "transit")
        self.node.add_validation(self._validate)

    @classmethod
    def from_existing(cls, scope: Construct | str, id_: str | None = None, /, *, path: str = "transit") -> Self:
        """Refer to an existing engine, which is neither created nor changed.

        Args:
            path: path of the engine. Default: `transit`.
        """
        return cls._existing(scope, id_, {"path": path})

    def configure(self, **attributes: Unpack[BackendAttributes]) -> None:
        """Set attributes later, for example in an aspect; None unsets one."""
        self._take(attributes)

    def _validate(self) -> list[str]:
        problems = []
        if "plaintext" in _list(self.values.get("audit_non_hmac_request_keys")):
            problems.append("audit_non_hmac_request_keys: 'plaintext' would write every secret to the audit log")
        if "plaintext" in _list(self.values.get("audit_non_hmac_response_keys")):
            problems.append("audit_non_hmac_response_keys: 'plaintext' would write every secret to the audit log")
        default, longest = self.values.get("default_lease_ttl"), self.values.get("max_lease_ttl")
        if isinstance(default, Duration) and isinstance(longest, Duration) and 0 < longest.seconds < default.seconds:
            problems.append(f"default_lease_ttl ({default}) is longer than max_lease_ttl ({longest})")
        return [*problems, *place_problems(self.values)]

    @property
    def path(self) -> Reference:
        """Path of the engine."""
        return self._reference("path")


def place_problems(values: Mapping[str, object], problem_of: Callable[[str], str | None] = mount_problem) -> list[str]:
    """The problems of the path in attributes, which a policy and a request to the server are made of."""
    for name in ("path", "backend"):
        place = str(values.get(name) or "").strip("/")
        if name in values and not any(targets(place)):
            problem = problem_of(place) if place else f"{name} is empty"
            return [problem] if problem else []
    return []


def _list(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


class CacheAttributes(TypedDict, total=False):
    """Keywords of `TransitSecretCacheConfig`."""

    backend: str
    size: int
    aliases: Sequence[str]


class TransitSecretCacheConfig(Resource):
    """The cache of a Transit engine.

    Source: https://openbao.org/api-docs/secret/transit/#configure-cache

    Args:
        backend: path of the engine. Required.
        size: number of keys to cache: 0 for no limit (the server's default), otherwise at least 10. Required.
        aliases: former ids of the construct, so that Terraform moves the resource instead of recreating it.
            Default: none.
    """

    WANTED: ClassVar[Mapping[str, str]] = {"backend": "engine"}
    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        "backend": Attribute("backend", "str", AT_CREATION, "Path of the engine."),
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
        problems = [f"size is {size}: it must be 0 (no limit) or at least 10"] if size in range(1, 10) else []
        return [*problems, *place_problems(self.values)]
