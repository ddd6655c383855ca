# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of a KV engine, as its API returns them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlkeys._errors import MlkeysError
from mlkeys._import.values import Members, Number, Value, on_one_line, walk

FIRST, SECOND = "1", "2"
_WRAPPED = {"data", "metadata"}
# What version 2 always says about a version of a secret.
_ABOUT = {"created_time", "deletion_time", "destroyed", "version"}
# And about all versions of it.
_ABOUT_ALL = {"current_version", "oldest_version", "versions"}


def kv_values(data: Mapping[str, Any], path: str, version: str = "") -> list[Value]:
    """The values of a secret. Numbers are written as in JSON.

    Args:
        version: of the engine; empty if the token may not read it.

    Raises:
        MlkeysError: it is not clear what of it is the secret.
    """
    return list(walk(_members(data["data"] if _is_wrapped(data, path, version) else data)))


def path_of(text: str) -> str:
    """The path of a secret, which may be that of a request, with the version of the API.

    Raises:
        MlkeysError: it is an address.
    """
    if "://" in text:
        raise MlkeysError(
            f"{on_one_line(text)} is an address. Give the path of the secret, such as secret/data/ml, and set BAO_ADDR "
            "to the address of the server."
        )
    return text.strip("/").removeprefix("v1/")


def check_path(path: str, data: Mapping[str, Any], version: str) -> None:
    """
    Raises:
        MlkeysError: the path is that of a secret's metadata in version 2, not of the secret.
    """
    mount, about, name = path.partition("/metadata/")
    if about and version != FIRST and set(data) >= _ABOUT_ALL:
        raise MlkeysError(
            f"{path} is the metadata of a secret (KV version 2), not the secret itself. Import {mount}/data/{name}"
        )


def _is_wrapped(data: Mapping[str, Any], path: str, version: str) -> bool:
    """Whether the secret is a part of what the engine returns: version 2 adds data about the secret's versions."""
    about = data.get("metadata")
    has_shape = set(data) == _WRAPPED and isinstance(data["data"], Mapping) and isinstance(about, Mapping)
    if version or not has_shape or "data" not in path.split("/")[1:-1]:
        return has_shape and version == SECOND
    if isinstance(about, Mapping) and set(about) >= _ABOUT:
        return True
    fields = ", ".join(on_one_line(str(name)) for name in data["data"]) or "nothing"
    raise MlkeysError(
        f"{path} is the secret with {fields} if the engine has version 2, and one with data and metadata if it has "
        f"version 1, which this token may not ask. Allow read on sys/internal/ui/mounts/{path}."
    )


def _members(content: Any) -> Any:
    if isinstance(content, Mapping):
        return Members((str(name), _members(inner)) for name, inner in content.items())
    if isinstance(content, list):
        return [_members(inner) for inner in content]
    if isinstance(content, (int, float)) and not isinstance(content, bool):
        return Number(json.dumps(content))
    return content
