# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""AppRoles: logins for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self, TypedDict, Unpack

from mlkeys._constructs.backend import place_problems
from mlkeys._constructs.policy import Policy
from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.marks import readable
from mlkeys._model.reference import Reference, seen_by_program
from mlkeys._model.tree import Construct
from mlkeys._shared._attributes.approle import APPROLE_ATTRIBUTES
from mlkeys._shared._attributes.attribute import AT_CREATION, Attribute
from mlkeys._shared.names import path_problem

#: The server refuses longer ones.
_LONGEST_NAME = 4096


class AppRoleAttributes(TypedDict, total=False):
    """Keywords of `AppRole`, under the names of the API."""

    name: str
    backend: str
    token_policies: Sequence[str] | None
    token_ttl: str | int | Duration | None
    token_max_ttl: str | int | Duration | None
    token_explicit_max_ttl: str | int | Duration | None
    token_period: str | int | Duration | None
    token_num_uses: int | None
    token_bound_cidrs: Sequence[str] | None
    token_no_default_policy: bool | None
    token_type: Literal["default", "service", "batch"] | None
    bind_secret_id: bool | None
    secret_id_ttl: str | int | Duration | None
    secret_id_num_uses: int | None
    secret_id_bound_cidrs: Sequence[str] | None
    local_secret_ids: bool | None
    aliases: Sequence[str]


class AppRole(Resource):
    """A role of the AppRole auth method. What a key grants to it becomes a policy with the role's name.

    Durations are seconds, or strings such as `"1h"` or `"30d"`. Attributes that are not set are left to the server,
    whose defaults are below.

    Source: https://openbao.org/api-docs/auth/approle/#create-update-approle

    Args:
        name: name of the role. Default: the id of the construct.
        backend: path of the auth method. Default: `approle`.
        token_policies: names of policies, in addition to what keys grant. Default: none.
        token_ttl: lifetime of a token, renewable up to `token_max_ttl`. 0 (default): that of the auth method.
        token_max_ttl: longest time for which a token can be renewed. 0 (default): that of the auth method.
        token_explicit_max_ttl: longest lifetime of a token, whatever renews it. 0 (default): none.
        token_period: renewal period of a token without a maximum lifetime. 0 (default): none.
        token_num_uses: how often a token can be used. 0 (default): any number.
        token_bound_cidrs: networks from which a token may be used, in CIDR notation. Empty (default): any.
        token_no_default_policy: do not attach the policy `default` to tokens. Default: False.
        token_type: `default`, `service` or `batch`. Default: `default`, that of the auth method.
        bind_secret_id: require a secret ID to log in. Default: True.
        secret_id_ttl: lifetime of a secret ID. 0 (default): it does not expire.
        secret_id_num_uses: how often a secret ID can be used. 0 (default): any number.
        secret_id_bound_cidrs: networks from which the role may log in, in CIDR notation. Empty (default): any.
        local_secret_ids: keep secret IDs out of replication. Default: False. Cannot be changed later.
        aliases: former ids of the construct, so that Terraform moves the resource instead of recreating it.
            Default: none.
    """

    _grants: Policy | None = None

    OFFERS: ClassVar[Mapping[str, str]] = {
        "name": "use its .name",
        "auth": "use its .backend",
        "policy": "use its .grants.name",
    }
    WANTED: ClassVar[Mapping[str, str]] = {"backend": "auth", "name": "name", "token_policies": "policy"}
    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        "name": Attribute("name", "str", AT_CREATION, "Name of the role."),
        "backend": Attribute("backend", "str", AT_CREATION, "Path of the auth method."),
        **{attribute.name: attribute for attribute in APPROLE_ATTRIBUTES},
    }

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        **attributes: Unpack[AppRoleAttributes],
    ) -> None:
        super().__init__(scope, id_, attributes)
        self._values.setdefault("name", self.node.id)
        self._values.setdefault("backend", "approle")
        self.node.add_validation(self._validate)

    @classmethod
    def from_existing(
        cls, scope: Construct | str, id_: str | None = None, /, *, name: str, backend: str = "approle"
    ) -> Self:
        """Refer to an existing role, which is neither created nor changed.

        Args:
            name: name of the role.
            backend: path of the auth method. Default: `approle`.
        """
        return cls._existing(scope, id_, {"name": name, "backend": backend})

    def configure(self, **attributes: Unpack[AppRoleAttributes]) -> None:
        """Set attributes later, for example in an aspect; None unsets one."""
        self._take(attributes)

    @property
    def name(self) -> Reference:
        """Name of the role."""
        return self._reference("name")

    @property
    def backend(self) -> Reference:
        """Path of its auth method."""
        return self._reference("backend")

    @property
    def grants(self) -> Policy:
        """The policy with the grants of this role, created with the first one."""
        if self._grants is None:
            if not self.managed:
                self.node.add_problem("an existing role cannot receive grants: grant to a Policy instead")
            self._grants = Policy(self, "policy", name=str(self.values["name"]))
        return self._grants

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of all policies of the role."""
        given = self.values.get("token_policies")
        own = (str(self._grants.name),) if self._grants is not None else ()
        return seen_by_program(self, (*(given if isinstance(given, tuple) else ()), *own))

    def texts(self) -> Iterable[tuple[str, str]]:
        yield from super().texts()
        if self._grants is not None:
            yield "token_policies", self._grants.name

    def _validate(self) -> list[str]:
        problems = place_problems(self.values, path_problem)
        longer = len(readable(self, str(self.values["name"])).encode()) - _LONGEST_NAME
        if longer > 0:
            problems.append(f"the name of the role is too long by {longer}: it can have {_LONGEST_NAME} bytes")
        if self.policies:
            return problems
        return [
            *problems,
            "the role has no policy: set token_policies, or grant it something, such as key.grant_encrypt(role)",
        ]
