# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What a server shows of an engine to tokens that may not manage it. **Private** to the collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client


def visible_mount(client: Client, path: str, above: str = "") -> Mapping[str, Any]:
    """The mount that serves a path. Nothing where there is none, or the server hides it.

    A server shows a mount to each token that has a right below it.

    Args:
        above: the namespaces that the path is in, each with a slash behind it.
    """
    try:
        return client.get(f"{above}sys/internal/ui/mounts/{path}").data
    except ServerError:
        return {}
