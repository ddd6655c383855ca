# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The secrets in a configuration of LiteLLM, and that configuration with references in their places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._import.dotenv_source import REFERENCE as _REFERENCE
from mlkeys._import.values import TEXT, Value
from mlkeys._import.yaml_source import TEMPLATE, yaml_values

if TYPE_CHECKING:
    from yaml.nodes import Node, ScalarNode

REFERENCE = re.compile(f"{TEMPLATE.pattern}|{_REFERENCE.pattern}")
#: What LiteLLM replaces by the value of an environment variable.
PREFIX = "os.environ/"

_SECRET = re.compile(
    r"(?:\A|_)(?:api_?key|key|key_id|secret|password|token|credentials|(?:database|redis|connection)_(?:url|string))\Z",
    re.IGNORECASE,
)
_VARIABLES = "environment_variables"
# They say nothing about what they are for.
_GENERIC = {"api_key", "key", "master_key", "password", "secret", "token"}
_TEXT_TAG = "tag:yaml.org,2002:str"
_UNSUITABLE = re.compile(r"[^a-z0-9]+")
# Before a value: an anchor and a tag.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)+")


@dataclass(frozen=True)
class Configuration:
    """A configuration, and where each of its values is written."""

    text: str = field(repr=False)
    values: tuple[Value, ...]
    spans: Mapping[tuple[str, ...], Sequence[tuple[int, int]]]

    def with_references(self, variables: Mapping[tuple[str, ...], str]) -> str:
        """The text with a reference to an environment variable for each of these values. All else stays as it is."""
        places = [
            (start, end, PREFIX + variables[path]) for path in variables for start, end in self.spans.get(path, ())
        ]
        return spliced(self.text, places)


def spliced(text: str, places: Sequence[tuple[int, int, str]]) -> str:
    """A text with other words between the given offsets."""
    for start, end, words in sorted(places, reverse=True):
        text = text[:start] + words + text[end:]
    return text


def litellm_configuration(text: str, path: str) -> Configuration:
    """The values that are secrets by their names, named after the provider or the model.

    Raises:
        MlkeysError: it is not YAML, or has no such value.
    """
    yaml_values(text, path, lambda *_: None, encrypted=True)
    import yaml

    try:
        # The other loader counts bytes.
        root = yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        # Its message contains a line of the file.
        raise MlkeysError(f"{path} is not YAML.") from None
    if root is None:
        raise MlkeysError(f"{path} is empty.")
    shift = 1 if text.startswith("\ufeff") else 0
    values: dict[tuple[str, ...], Value] = {}
    spans: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for names, owner, node in _secrets(root, (), {}, set()):
        name = _free(_names(names, owner), values, node.value)
        span = _span(text, node, shift)
        values.setdefault((name,), Value((name,), node.value, TEXT, node.start_mark.line + 1))
        spans.setdefault((name,), []).append(span)
    if not values:
        raise MlkeysError(f"{path} contains no secret that is written in it.")
    return Configuration(text, tuple(values.values()), spans)


_Owner = Mapping[str, str]


def _secrets(
    node: Node, path: tuple[str, ...], owner: _Owner, seen: set[int]
) -> Iterator[tuple[tuple[str, ...], _Owner, ScalarNode]]:
    """Each secret with its path, and the texts beside and above it, such as the name of the model."""
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        for inner in node.value:
            yield from _secrets(inner, path, owner, seen)
    elif isinstance(node, MappingNode):
        beside = {str(key.value): inner.value for key, inner in node.value if isinstance(inner, ScalarNode)}
        around = {**owner, **beside}
        for key, inner in node.value:
            yield from _secrets(inner, (*path, str(key.value)), around, seen)
    elif isinstance(node, ScalarNode) and node.tag == _TEXT_TAG and _is_secret(path, node.value):
        yield path, owner, node


def _is_secret(path: tuple[str, ...], text: str) -> bool:
    if not path or not text or text.startswith(PREFIX):
        return False
    return _SECRET.search(path[-1]) is not None or _VARIABLES in path[:-1]


def _names(path: tuple[str, ...], owner: _Owner) -> list[str]:
    """Names for a variable, best first."""
    own = path[-1]
    if not {"litellm_params", "credential_values"} & set(path):
        return [_plain(f"litellm_{own}" if own in _GENERIC else own)]
    provider = owner.get("model", "").partition("/")[0] if "/" in owner.get("model", "") else ""
    model = owner.get("model_name") or owner.get("credential_name") or owner.get("model", "")
    return [_plain(f"{one}_{own.removeprefix(f'{one}_')}") for one in (provider, model) if one] or [_plain(own)]


def _plain(name: str) -> str:
    return _UNSUITABLE.sub("_", name.lower()).strip("_")


def _free(names: Sequence[str], values: Mapping[tuple[str, ...], Value], text: str) -> str:
    """The first name that no other value has."""
    numbered = (f"{names[-1]}_{number}" for number in range(2, len(values) + 3))
    for name in (*names, *numbered):
        if (name,) not in values or values[name,].text == text:
            return name
    raise ValueError("there are more names than values")


def _span(text: str, node: ScalarNode, shift: int) -> tuple[int, int]:
    """Where the words of a value are, inside of quotes, an anchor and a tag."""
    start, end = node.start_mark.index + shift, node.end_mark.index + shift
    properties = _PROPERTIES.match(text, start, end)
    start = properties.end() if properties else start
    if node.style in ("'", '"'):
        return start + 1, end - 1
    if node.style in ("|", ">"):
        # What ends a block is not a part of it.
        end = start + len(text[start:end].rstrip())
    return start, end
