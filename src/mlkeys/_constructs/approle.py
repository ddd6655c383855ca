# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""AppRoles: identities of machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Self, TypedDict, Unpack

from mlkeys._constructs.policy import Policy
from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct
from mlkeys._shared.schema import APPROLE_ATTRIBUTES, AT_CREATION, Attribute


class AppRoleAttributes(TypedDict, total=False):
    """Attributes of an AppRole, under the API's own names."""

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


class AppRole(Resource):
    """A role of the AppRole auth method. What a key grants to it becomes a policy of its own."""

    _grants: Policy | None = None

    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        "name": Attribute("name", "str", AT_CREATION, "The role's name."),
        "backend": Attribute("backend", "str", AT_CREATION, "Where the auth method is mounted."),
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
        """A role that is already there: it can be referred to, and is neither made nor changed."""
        return cls._existing(scope, id_, {"name": name, "backend": backend})

    def configure(self, **attributes: Unpack[AppRoleAttributes]) -> None:
        """Set attributes after the fact, as an aspect does; None takes one away."""
        self._take(attributes)

    @property
    def name(self) -> Reference:
        """The role's name."""
        return self._reference("name")

    @property
    def backend(self) -> Reference:
        """Where its auth method is mounted."""
        return self._reference("backend")

    @property
    def grants(self) -> Policy:
        """The policy that holds what this role was granted; made with the first grant."""
        if self._grants is None:
            if not self.managed:
                self.node.add_problem("a role that is already there cannot be granted anything: grant to a Policy")
            self._grants = Policy(self, "policy", name=str(self.values["name"]))
        return self._grants

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of all its policies."""
        given = self.values.get("token_policies")
        own = (str(self._grants.name),) if self._grants is not None else ()
        return (*(given if isinstance(given, tuple) else ()), *own)

    def texts(self) -> Iterable[tuple[str, str]]:
        yield from super().texts()
        if self._grants is not None:
            yield "token_policies", self._grants.name

    def _validate(self) -> list[str]:
        if self.policies:
            return []
        return ["the role may do nothing: give token_policies, or grant it something, as key.grant_encrypt(role)"]
