# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Policies, roles by which machines log in, and their secret IDs, as methods. **Private** to the collection.

API: https://openbao.org/api-docs/system/policies/ and https://openbao.org/api-docs/auth/approle/
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client, Reply
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    MountNotFound,
    NotFound,
    ServerError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.approle import APPROLE_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import malformed
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import path_problem


class Policies:
    """The server's policies. The server keeps a text as it is sent."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def read(self, name: str) -> str | None:
        """The policy's text, ``None`` when there is none."""
        try:
            return str(self._client.get(_policy_path(name), answers=NotFound).data.get("policy", ""))
        except NotFound:
            return None

    def write(self, name: str, text: str) -> None:
        self._client.post(_policy_path(name), {"policy": text})

    def delete(self, name: str) -> None:
        self._client.delete(_policy_path(name))


def _policy_path(name: str) -> str:
    return f"sys/policies/acl/{name}"


def _checked_path(path: str) -> str:
    problem = path_problem(path.strip("/"))
    if problem:
        raise InvalidOption(f"{problem}.")
    return path.strip("/")


_FOR_SECRET_IDS = ("secret-id", "secret-id-accessor/lookup", "secret-id-accessor/destroy")


class AppRoles:
    """The auth method AppRole, mounted at ``auth/PATH``."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self.path = _checked_path(path)

    def mount(self) -> Mapping[str, Any] | None:
        """What is mounted there, ``None`` for nothing."""
        try:
            return self._client.get(f"sys/auth/{self.path}", answers=MountNotFound).data
        except MountNotFound:
            return None

    def describe(self, description: str) -> None:
        """Change what the mount is described as."""
        self._client.post(f"sys/auth/{self.path}/tune", {"description": description})

    def disable(self) -> None:
        """Unmount the method. This deletes its roles."""
        self._client.delete(f"sys/auth/{self.path}")

    def names(self) -> list[str]:
        """The names of its roles."""
        try:
            return self._client.list(f"auth/{self.path}/role").texts("keys")
        except NotFound:
            return []

    def enable(self, description: str = "") -> bool:
        """Mount the method. ``False``: something is mounted there already."""
        body = {"type": "approle", **({"description": description} if description else {})}
        try:
            self._client.post(f"sys/auth/{self.path}", body)
        except ServerError as error:
            if error.says("path is already in use"):
                return False
            raise
        return True

    def read(self, role: str, *, exists: bool = False) -> Mapping[str, Any] | None:
        """The role's attributes, ``None`` when it does not exist.

        With ``exists``, where nothing can be done without it, a standby gets the time to learn of it.

        Raises:
            MountNotFound: no auth method is mounted there.
        """
        try:
            reply = self._client.get(self._role(role), answers=() if exists else (NotFound, MountNotFound))
        except NotFound:
            return None
        wrong = malformed(APPROLE_ATTRIBUTES, reply.data)
        if wrong:
            raise UnexpectedAnswer(reply.path, wrong)
        return reply.data

    def missing(self, role: str) -> NotFound:
        """The error about a role that does not exist."""
        return NotFound(
            f"The role '{role}' does not exist in '{self.path}'. Create it (vault_transit_approle), or correct its "
            f"name. {self._client.asked_with('list', f'auth/{self.path}/role')}"
        )

    def write(self, role: str, body: Mapping[str, Any]) -> None:
        self._client.post(self._role(role), body)

    def delete(self, role: str) -> None:
        self._client.delete(self._role(role))

    def role_id(self, role: str) -> str:
        return self._client.get(self._role(role) + "/role-id").text("role_id")

    def secret_id(self, role: str, accessor: str) -> Mapping[str, Any] | None:
        """What is known of a secret ID, ``None`` when there is none (any more)."""
        body = {"secret_id_accessor": accessor}
        try:
            # The server answers without data about a secret ID of another role.
            return self._client.post(self._role(role) + "/secret-id-accessor/lookup", body, writes=False).data or None
        except NotFound:
            return None
        except ServerError as error:
            if error.says("failed to find accessor entry"):
                return None
            raise

    def denied(self, role: str) -> list[str]:
        """Where the token may not create, look up and destroy secret IDs. Nothing if it may not ask what it may do."""
        paths = [f"{self._role(role)}/{what}" for what in _FOR_SECRET_IDS]
        granted = self._client.capabilities(paths) or {}
        return [path for path, may in granted.items() if may and not {"update", "root"}.intersection(may)]

    def wrapped_secret_id(self, role: str, body: Mapping[str, Any], wrap_ttl: int) -> Reply:
        """Make a secret ID that the server keeps for the first who presents the token in the reply.

        Args:
            wrap_ttl: seconds for which the server keeps it.
        """
        # Each one is a credential that lives on, so none is made twice.
        return self._client.post(self._role(role) + "/secret-id", body, wrap_ttl=wrap_ttl, repeatable=False)

    def destroy_secret_id(self, role: str, accessor: str) -> None:
        self._client.post(self._role(role) + "/secret-id-accessor/destroy", {"secret_id_accessor": accessor})

    def _role(self, role: str) -> str:
        return f"auth/{self.path}/role/{role}"
