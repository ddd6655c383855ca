# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets of Kubernetes, as in a manifest or as `kubectl get secret -o yaml` shows them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mlkeys._errors import MlkeysError
from mlkeys._import.dotenv_source import STORED
from mlkeys._import.values import NOTHING, TEXT, Index, Value, named_apart, with_text_keys
from mlkeys._import.yaml_source import TEMPLATE, yaml_documents

REFERENCE = re.compile(f"{TEMPLATE.pattern}|{STORED}")
_PARTS = ("data", "stringData")
_PARTS_IN_LOWER_CASE = ("data", "stringdata")
_WRONG_CASE = "is in a field that Kubernetes does not know: it is data: or stringData:"
_BINARY = "contains binary data, and variables are text"
_NOT_BASE64 = "contains data that is not base64"


def kubernetes_values(text: str, path: str) -> list[Value]:
    """The values of each Secret in a file, decoded. As in a cluster, `stringData` comes before `data`.

    Raises:
        MlkeysError: it is not YAML or JSON, or contains no Secret.
    """
    read = yaml_documents(text, path, lambda *_: None, encrypted=True)
    documents = [list(map(with_text_keys, document)) for document in read]
    objects = [one for document in documents for one in _objects(document)]
    secrets = [one for one in objects if _text(one, "kind") == "Secret"]
    if not secrets:
        kinds = ", ".join(sorted({_text(one, "kind") or "something without a kind" for one in objects})) or "nothing"
        raise MlkeysError(f"{path} contains no Secret of Kubernetes, but {kinds}.")
    names = _owners(secrets)
    others = (_other(one) for one in objects if _text(one, "kind") != "Secret")
    return named_apart(
        [
            *((name, value) for name, one in zip(names, secrets, strict=True) for value in _values(one, name)),
            *(("", value) for value in others),
        ]
    )


# The values of an object, by their paths in it.
_Object = Sequence[Value]


def _objects(values: Sequence[Value], kind: str = "") -> Iterator[_Object]:
    """A document, or each item of a list. An item of a SecretList need not say that it is a Secret.

    Args:
        kind: of an item that has none.
    """
    own = _text(values, "kind")
    items: dict[str, list[Value]] = {}
    rest = []
    for value in values:
        if own.endswith("List") and value.path[0] == "items" and len(value.path) > 2:
            items.setdefault(value.path[1], []).append(replace(value, path=value.path[2:]))
        else:
            rest.append(value)
    if not own and kind:
        yield [*values, Value(("kind",), kind)]
    elif not own.endswith("List"):
        yield values
    for item in items.values():
        yield from _objects(item, own.removesuffix("List"))
    yield from ([value] for value in rest if own.endswith("List") and _is_lost(value))


def _is_lost(value: Value) -> bool:
    return value.path[0] == "items" and value.kind != NOTHING


def _text(one: _Object, *path: str) -> str:
    return next((value.text for value in one if value.path == path), "")


def _owners(secrets: Sequence[_Object]) -> list[str]:
    """A name for each Secret: with its namespace if others have the same one."""
    named = [(_text(one, "metadata", "name"), _text(one, "metadata", "namespace")) for one in secrets]
    spaces: dict[str, set[str]] = {}
    for name, space in named:
        spaces.setdefault(name, set()).add(space)
    return [
        (f"{space}_{name}" if len(spaces[name]) > 1 and space else name) or f"secret_{number}"
        for number, (name, space) in enumerate(named)
    ]


def _other(one: _Object) -> Value:
    """An object that is not a Secret, which is said."""
    kind, name = _text(one, "kind"), _text(one, "metadata", "name")
    if not kind:
        return replace(one[0], problem="is in an object without a kind, which Kubernetes refuses")
    return Value((kind, name) if name else (kind,), line=one[0].line, text="", aside="not a Secret")


def _values(one: _Object, name: str) -> Iterator[Value]:
    plain = {value.path[1] for value in one if len(value.path) == 2 and value.path[0] == "stringData"}
    for value in one:
        part = value.path[0]
        if part not in _PARTS and part.lower() in _PARTS_IN_LOWER_CASE and value.kind != NOTHING:
            yield replace(value, path=(name, *value.path), problem=_WRONG_CASE)
        if part not in _PARTS or (len(value.path) == 1 and value.kind == NOTHING):
            continue
        if len(value.path) != 2 or isinstance(value.path[1], Index):
            yield replace(value, path=(name, *value.path), problem="has a shape that Kubernetes refuses")
        elif part == "stringData":
            yield replace(value, path=value.path[1:])
        else:
            yield replace(_decoded(value), path=value.path[1:], replaced=value.path[1] in plain)


def _decoded(value: Value) -> Value:
    if value.kind == NOTHING:
        return value
    try:
        text = base64.b64decode("".join(value.text.split()), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        problem = _BINARY if isinstance(error, UnicodeDecodeError) else _NOT_BASE64
        return replace(value, text="", problem=problem)
    return replace(value, text=text, kind=TEXT)
