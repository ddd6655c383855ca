# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Documents in a KV engine, version 2. **Private** to the collection.

API: https://openbao.org/api-docs/secret/kv/kv-v2/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    NotFound,
    ServerError,
)


@dataclass(frozen=True)
class Stored:
    """What is there.

    Attributes:
        version: of the document, 0 when there never was one.
    """

    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = 0


class Overtaken(ServerError):
    """Somebody else wrote the document after it was read."""


class Documents:
    """The documents of one engine."""

    def __init__(self, client: Client, mount: str) -> None:
        self._client = client
        self._mount = mount.strip("/")

    def read(self, path: str) -> Stored:
        """The document at a path; an empty one where there is none or it was deleted.

        Raises:
            InvalidOption: the engine keeps no versions.
        """
        try:
            data = self._client.get(self._path(path), answers=NotFound).data
        except NotFound as error:
            return Stored(version=error.version)
        metadata = data.get("metadata")
        if not isinstance(metadata, Mapping) or "version" not in metadata:
            raise InvalidOption(
                f"What is mounted at '{self._mount}' is no KV engine of version 2, going by its answer."
            )
        return Stored(data.get("data") or {}, int(metadata["version"]))

    def replace(self, path: str, stored: Stored, content: Mapping[str, Any]) -> None:
        """Put other content in place of what was read, unless somebody else was faster.

        Raises:
            Overtaken: the document is another one by now, and stays as it is.
        """
        try:
            self._client.post(self._path(path), {"options": {"cas": stored.version}, "data": content})
        except ServerError as error:
            refused = error
        else:
            return
        if refused.says("check-and-set parameter did not match"):
            raise Overtaken(
                f"Somebody else wrote '{self._mount}/{path}' in the meantime, and that was left as it is. Run again.",
                refused.status,
                refused.reasons,
            )
        raise refused

    def _path(self, path: str) -> str:
        return f"{self._mount}/data/{path.strip('/')}"
