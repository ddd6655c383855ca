# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Documents in a KV engine, version 2. **Private** to the collection.

API: https://openbao.org/api-docs/secret/kv/kv-v2/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    NotFound,
    PermissionDenied,
    ServerError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import path_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_mount

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

# The server's words, of its listener and of its storage.
_OF_SIZE = ("request body too large", "value being too large")


@dataclass(frozen=True)
class Stored:
    """A document as it is stored.

    Attributes:
        version: of the document, 0 if it never existed.
    """

    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = 0


class Overtaken(ServerError):
    """Somebody else wrote the document after it was read."""


class Documents:
    """The documents of one engine."""

    def __init__(self, client: Client, mount: str) -> None:
        self._client = client
        self._mount = checked_mount(mount)

    def read(self, path: str) -> Stored:
        """The document at a path, empty if it does not exist or was deleted.

        Raises:
            InvalidOption: the engine keeps no versions.
        """
        try:
            reply = self._client.get(self._path(path), answers=NotFound)
        except NotFound as error:
            return Stored(version=error.version)
        version = reply.mapping("metadata").get("version")
        if not isinstance(version, int):
            raise InvalidOption(f"The engine mounted at '{self._mount}' does not look like a KV engine of version 2.")
        return Stored(reply.mapping("data"), version)

    def earlier_versions(self, path: str) -> list[int] | None:
        """The versions before the latest one, but for what was destroyed; ``None`` if the token may not list them."""
        latest, kept = self._versions(path)
        return None if kept is None else [number for number in kept if number < latest]

    def missing(self, path: str) -> tuple[int, list[int] | None] | None:
        """The latest version of a document that cannot be read, and those that are not destroyed; ``None`` if it can.

        The version is 0 for one that never existed. The list is ``None`` if the token may not read it.
        """
        try:
            self._client.get(self._path(path), answers=NotFound)
        except NotFound as error:
            return (error.version, self._versions(path)[1] if error.version else [])
        return None

    def _versions(self, path: str) -> tuple[int, list[int] | None]:
        """The latest version, and all that are not destroyed; ``None`` if the token may not list them."""
        try:
            reply = self._client.get(self._path(path, "metadata"), answers=NotFound)
        except NotFound:
            return 0, []
        except PermissionDenied:
            return 0, None
        kept = [
            int(number)
            for number, version in reply.mapping("versions").items()
            if str(number).isdigit() and isinstance(version, Mapping) and not version.get("destroyed")
        ]
        return reply.number("current_version"), sorted(kept)

    def replace(self, path: str, stored: Stored, content: Mapping[str, Any]) -> None:
        """Replace what was read, unless somebody else wrote the document in the meantime.

        Raises:
            Overtaken: somebody did. Nothing was written.
        """
        try:
            self._client.post(self._path(path), {"options": {"cas": stored.version}, "data": content})
        except ServerError as refused:
            raise _explained(f"{self._mount}/{path}", refused) from None

    def _path(self, path: str, kind: str = "data") -> str:
        problem = path_problem(path.strip("/"))
        if problem:
            raise InvalidOption(f"{problem}.")
        return f"{self._mount}/{kind}/{path.strip('/')}"


def _explained(place: str, refused: ServerError) -> ServerError:
    """What a refusal to write a document means."""
    if refused.says("check-and-set parameter did not match"):
        return Overtaken(
            f"Somebody else wrote '{place}' while this run was working. Their version was kept. Run again.",
            refused.status,
            refused.reasons,
        )
    # A proxy on the way gives no reason.
    if any(refused.says(words) for words in _OF_SIZE):
        return refused.in_words(
            f"The server refused '{place}' because of its size: a document has 1 MiB at most with the storage raft "
            "(max_entry_size), and less than 32 MiB with another (max_request_size of the listener). Put less into "
            "one document."
        )
    return refused
