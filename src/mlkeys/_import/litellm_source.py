# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The secrets in a configuration of LiteLLM, and that configuration with references in their places."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from mlkeys._errors import MlkeysError
from mlkeys._import.comments import forms_of
from mlkeys._import.dotenv_source import REFERENCE as _REFERENCE
from mlkeys._import.values import DATE, NUMBER, TEXT, TRUTH, Index, Value
from mlkeys._import.yaml_source import TEMPLATE, yaml_values
from mlkeys._providers.literals import secret_form

if TYPE_CHECKING:
    from yaml.nodes import Node, ScalarNode

REFERENCE = re.compile(f"{TEMPLATE.pattern}|{_REFERENCE.pattern}")
#: What LiteLLM replaces by the value of an environment variable.
PREFIX = "os.environ/"
_REFERRED = re.compile(rf"{re.escape(PREFIX)}([A-Za-z_][A-Za-z0-9_]*)")

_SECRET = re.compile(
    r"(?:\A|_)(?:api_?key|key|key_id|secret|password|passwd|pass|passphrase|pwd|token|credentials|auth_value|(?:database|redis|connection)_(?:url|string))\Z",
    re.IGNORECASE,
)
_VARIABLES = "environment_variables"
_HEADERS = re.compile(r"headers?\Z", re.IGNORECASE)
_ASSIGNED = re.compile(r"[\w-]+\s*[=:]\s*\S")
_SECRET_HEADER = re.compile(r"auth|cookie|key|secret|token|password|credential|signature", re.IGNORECASE)
# Addresses that let in anyone who knows them: of webhooks, and with a password.
_HOOK = re.compile(r"webhook", re.IGNORECASE)
_LETS_IN = re.compile(
    r"https?://(?:hooks\.slack\.com/|discord(?:app)?\.com/api/webhooks/|[\w.-]+\.webhook\.office\.com/)\S"
    r"|[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@"
)
_INCLUDED = "another configuration; import it, too"
# Several of them: items of a list, or the entries of a mapping.
_SECRETS = re.compile(
    r"(?:\A|_)(?:api_?keys|(?:access|auth|master|secret|virtual)_?(?:keys|tokens)|secrets|passwords|passphrases)\Z",
    re.IGNORECASE,
)
# Shorter values count as whole words only: they may be a part of any other.
_LONG = 16
_IN_A_LIST = "is an item of a list, where LiteLLM replaces nothing"
# They say nothing about what they are for.
_GENERIC = {
    *(
        "api_key",
        "auth_value",
        "authorization",
        "headers",
        "key",
        "master_key",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "pwd",
    ),
    *("secret", "token"),
}
_TAG = "tag:yaml.org,2002:"
_KINDS = {"str": TEXT, "int": NUMBER, "float": NUMBER, "bool": TRUTH, "timestamp": DATE}
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
    """The values that are secrets by their names or their forms, named after the provider or the model.

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
    used = _used_names(root, text)
    # These have to keep their names.
    for names, owner, node in sorted(_secrets(root, (), {}, set()), key=lambda one: one[0][0] != _VARIABLES):
        line = node.start_mark.line + 1
        if isinstance(names[-1], Index):
            values[names] = Value(names, "", line=line, problem=_IN_A_LIST)
            continue
        own = {_plain("_".join(names[1:]))} if names[0] == _VARIABLES else set()
        named = [*own] or _names([one for one in names if not isinstance(one, Index)], owner)
        name = _free(named, values, node.value, used - own)
        value = Value((name,), node.value, _kind(node), line, reference=PREFIX in node.value)
        values.setdefault((name,), value)
        spans.setdefault((name,), []).append(_span(text, node, shift))
    found = Configuration(text, tuple(values.values()), spans)
    found = replace(found, values=(*found.values, *_left(found)))
    if not found.values:
        raise MlkeysError(f"{path} contains no literal secret.")
    return replace(found, values=(*found.values, *_included(root)))


def _included(root: Node) -> Iterator[Value]:
    """The other files of a configuration, which are not read."""
    from yaml.nodes import MappingNode, ScalarNode

    for name, inner in root.value if isinstance(root, MappingNode) else ():
        if name.value == "include":
            for number, one in enumerate([inner] if isinstance(inner, ScalarNode) else inner.value):
                yield Value(("include", Index(number)), "", line=one.start_mark.line + 1, aside=_INCLUDED)


def _left(found: Configuration) -> Iterator[Value]:
    """What no reference can take the place of: in comments, and in names."""
    named = {value.line for value in found.values if value.problem}
    # A reference may have fewer lines than the text in its place, which is why that text keeps its ends of lines.
    hidden = spliced(
        found.text,
        [
            (start, end, "\n" * found.text.count("\n", start, end))
            for spans in found.spans.values()
            for start, end in spans
        ],
    )
    again = _again(found.values, hidden)
    for line, text in enumerate(hidden.split("\n"), 1):
        if line in named:
            continue
        if what := secret_form(text):
            problem = f"contains {what} in a comment or a name, which stays"
        elif line in again:
            problem = f"also contains the value of {again[line]}, which stays"
        else:
            continue
        yield Value((f"line_{line}",), "", line=line, problem=problem)


def _again(values: Sequence[Value], text: str) -> dict[int, str]:
    """The lines of a text that contain one of these values, such as a comment about the one before, and its name."""
    found: dict[int, str] = {}
    for value in values:
        for form in forms_of(value.text) if value.kind == TEXT and not value.problem else ():
            whole = rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _LONG else re.escape(form)
            for at in re.finditer(whole, text):
                found.setdefault(text.count("\n", 0, at.start()) + 1, value.name)
    return found


def _kind(node: ScalarNode) -> str:
    return _KINDS.get(node.tag.removeprefix(_TAG), f"something tagged {node.tag}")


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
        for number, inner in enumerate(node.value):
            yield from _secrets(inner, (*path, Index(number)), owner, seen)
    elif isinstance(node, MappingNode):
        beside = {str(key.value): inner.value for key, inner in node.value if isinstance(inner, ScalarNode)}
        around = {**owner, **beside}
        for key, inner in node.value:
            yield from _secrets(inner, (*path, str(key.value)), around, seen)
    elif isinstance(node, ScalarNode) and _is_secret(path, node):
        yield path, owner, node


def _is_secret(path: tuple[str, ...], node: ScalarNode) -> bool:
    text, kind = node.value, node.tag.removeprefix(_TAG)
    names = [name for name in path if not isinstance(name, Index)]
    if not names or not text or kind == "null" or _is_reference(text):
        return False
    if _VARIABLES in names[:-1]:
        return True
    if kind == "bool":
        return False
    is_header = _HEADERS.search(names[-2]) is not None if len(names) > 1 else False
    is_hook = "://" in text and any(map(_HOOK.search, names))
    # As OpenTelemetry has them: several in one text.
    are_headers = _HEADERS.search(names[-1]) and _ASSIGNED.search(text)
    of_several = any(map(_SECRETS.search, names[-1:] if isinstance(path[-1], Index) else names[-2:-1]))
    if (
        is_hook
        or are_headers
        or of_several
        or _SECRET.search(names[-1])
        or (is_header and _SECRET_HEADER.search(names[-1]))
    ):
        return True
    return _LETS_IN.search(text) is not None or secret_form(text) is not None


def _is_reference(text: str) -> bool:
    """Whether LiteLLM replaces a text, or, in a header, its end."""
    before, reference, _name = text.partition(PREFIX)
    return bool(reference) and secret_form(before) is None and _LETS_IN.search(before) is None


def _names(path: Sequence[str], owner: _Owner) -> list[str]:
    """Names for a variable, best first."""
    own = path[-1]
    if not {"litellm_params", "credential_values"} & set(path):
        return [_plain(f"litellm_{own}" if own in _GENERIC else own)]
    provider = owner.get("model", "").partition("/")[0] if "/" in owner.get("model", "") else ""
    model = owner.get("model_name") or owner.get("credential_name") or owner.get("model", "")
    return [_plain(f"{one}_{own.removeprefix(f'{one}_')}") for one in (provider, model) if one] or [_plain(own)]


def _plain(name: str) -> str:
    return _UNSUITABLE.sub("_", name.lower()).strip("_")


def _used_names(root: Node, text: str) -> set[str]:
    """The variables that the configuration sets or refers to: LiteLLM prefers those of its environment to its own."""
    from yaml.nodes import MappingNode

    of_root = root.value if isinstance(root, MappingNode) else []
    own = [of for name, of in of_root if name.value == _VARIABLES and isinstance(of, MappingNode)]
    return {
        *(_plain(str(name.value)) for of in own for name, _value in of.value),
        *(found.lower() for found in _REFERRED.findall(text)),
    }


def _free(names: Sequence[str], values: Mapping[tuple[str, ...], Value], text: str, used: Collection[str]) -> str:
    """The first name that stands for nothing else."""
    numbered = (f"{names[-1]}_{number}" for number in range(2, len(values) + len(used) + 3))
    for name in chain(names, numbered):
        known = values.get((name,))
        if known.text == text if known else name not in used:
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
