# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of Kubernetes, as in a manifest or as `kubectl get secret -o yaml` shows them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from mlkeys._errors import MlkeysError
from mlkeys._import.dotenv_source import STORED
from mlkeys._import.values import NOTHING, TEXT, Value, named_apart
from mlkeys._import.yaml_source import TEMPLATE, yaml_documents

REFERENCE = re.compile(f"{TEMPLATE.pattern}|{STORED}")
_BINARY, _NOT_BASE64 = "binary data", "data that is not base64"


def kubernetes_values(text: str, path: str) -> list[Value]:
    """The values of each Secret in a file, decoded. As in a cluster, `stringData` comes before `data`.

    Raises:
        MlkeysError: it is not YAML or JSON, or contains no Secret.
    """
    documents = yaml_documents(text, path, lambda *_: None, encrypted=True)
    objects = [one for document in documents for one in _objects(document)]
    secrets = [one for one in objects if _text(one, "kind") == "Secret"]
    if not secrets:
        kinds = ", ".join(sorted({_text(one, "kind") or "something without a kind" for one in objects})) or "nothing"
        raise MlkeysError(f"{path} contains no Secret of Kubernetes, but {kinds}.")
    return named_apart(
        (_text(one, "metadata", "name") or f"secret_{number}", value)
        for number, one in enumerate(secrets)
        for value in _values(one)
    )


_Object = Mapping[tuple[str, ...], Value]


def _objects(values: Iterable[Value]) -> Iterator[_Object]:
    """A document, or each item of a list."""
    whole = {value.path: value for value in values}
    if not _text(whole, "kind").endswith("List"):
        yield whole
        return
    items: dict[str, dict[tuple[str, ...], Value]] = {}
    for path, value in whole.items():
        if path[0] == "items" and len(path) > 2:
            items.setdefault(path[1], {})[path[2:]] = value
    yield from items.values()


def _text(one: _Object, *path: str) -> str:
    found = one.get(path)
    return found.text if found else ""


def _values(one: _Object) -> Iterator[Value]:
    plain = {path[1] for path in one if len(path) == 2 and path[0] == "stringData"}
    for path, value in one.items():
        if len(path) == 2 and path[0] == "stringData":
            yield replace(value, path=path[1:])
        elif len(path) == 2 and path[0] == "data":
            yield replace(_decoded(value), path=path[1:], replaced=path[1] in plain)


def _decoded(value: Value) -> Value:
    try:
        text = base64.b64decode("".join(value.text.split()), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        kind = _BINARY if isinstance(error, UnicodeDecodeError) else _NOT_BASE64
        return replace(value, text="", kind=kind)
    return replace(value, text=text, kind=TEXT if value.kind != NOTHING else NOTHING)
