# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Read and change the text of a vars file. **Private** to the collection.

YAML keeps its comments and order, thanks to ruamel.yaml, and JSON its order. No message repeats a line,
which may hold a secret.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import MutableMapping
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.merge_conflicts import conflict_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.yaml_limits import MOST_LEVELS, yaml_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.yaml_words import needs_quotes
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.lines import lines_of

# What precedes the first entry: byte order mark, directives, comments, blank lines. ruamel.yaml would drop some of it.
_BLANK = r"(?:[ \t]*(?:#.*)?\r?\n)*"
_PREAMBLE = re.compile("\ufeff?" + rf"(?:(?:%.*\r?\n)*{_BLANK}---[ \t]*(?:#.*)?\r?\n)?{_BLANK}")

# Keys that every reader of YAML takes for text without quotes.
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

# What JSON may hold as it is, and YAML may not. Ansible reads both as YAML.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")

# The first line of a nested mapping.
_INDENTED = re.compile(r"^\w+:[ \t]*\r?\n( +)\w+:", re.MULTILINE)


def is_json(path: str) -> bool:
    return path.endswith(".json")


def content_of(text: str, path: str) -> Any:
    """The mapping of a file, as plain data.

    Raises:
        InvalidOption: as for `Document`.
    """
    lines = None if is_json(path) else lines_of(text)
    return plain(Document(text, path).content) if lines is None else lines.content


class Document:
    """The content of a file.

    Attributes:
        content: its mapping, which may be changed.
    """

    def __init__(self, text: str, path: str) -> None:
        """
        Args:
            path: names it in messages. A path that ends with ``.json`` makes it JSON.

        Raises:
            InvalidOption: the text is not YAML or JSON, not a mapping, or has two sides of a merge.
        """
        conflict = conflict_problem(text, path)
        if conflict:
            raise InvalidOption(conflict)
        self._is_json = is_json(path)
        indented = _INDENTED.search(text)
        self._indent = len(indented.group(1)) if indented else 2
        self._line_end = "\r\n" if "\r\n" in text else "\n"
        if self._is_json:
            self._preamble, content = "", _load_json(text, path)
        else:
            self._preamble, content = _load_yaml(text, path)
        if not isinstance(content, MutableMapping):
            raise InvalidOption(f"{path} is not a vars file: it must hold a mapping of names to ciphertexts.")
        self.content: MutableMapping[Any, Any] = content

    def text(self) -> str:
        if self._is_json:
            text = json.dumps(self.content, indent=2, ensure_ascii=False) + "\n"
            return _NOT_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
        stream = io.StringIO()
        _yaml(self._indent).dump(self.content, stream)
        return self._preamble + stream.getvalue().replace("\n", self._line_end)


def _replace(mapping: MutableMapping[Any, Any], name: str, value: str) -> None:
    """Set the value of an entry, in the quotes of the old value."""
    old = mapping[name]
    quoted = type(old).__name__ in ("DoubleQuotedScalarString", "SingleQuotedScalarString")
    mapping[name] = type(old)(value) if quoted else value


def remove(mapping: MutableMapping[Any, Any], name: str) -> str:
    """Remove an entry if it exists. Returns the comment lines below it if no entry is left to hold them."""
    if name not in mapping:
        return ""
    names = list(mapping)
    place = names.index(name)
    below = _take_below(mapping, name)
    del mapping[name]
    if not mapping:
        return below
    put_below(mapping, names[place - 1] if place else None, below)
    return ""


def put(mapping: MutableMapping[Any, Any], values: Mapping[str, Any], after: Any = None) -> None:
    """Set values of entries. New entries go after ``after`` (``None``: to the front), above the comments below that."""
    for name in values:
        if name in mapping:
            _replace(mapping, name, values[name])
    added = {name: value for name, value in values.items() if name not in mapping}
    if not added:
        return
    names = list(mapping)
    place = names.index(after) + 1 if after is not None else 0
    below = _take_below(mapping, after)
    if hasattr(mapping, "insert"):
        for offset, (name, value) in enumerate(added.items()):
            mapping.insert(place + offset, name, value)
    else:
        following = {name: mapping.pop(name) for name in names[place:]}
        mapping.update({**added, **following})
    put_below(mapping, list(added)[-1], below)


def empty(like: Any, *, is_list: bool) -> Any:
    """An empty mapping or list of the library that loaded the file."""
    if not type(like).__module__.startswith("ruamel"):
        return [] if is_list else {}
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    return CommentedSeq() if is_list else CommentedMap()


def safe_key(mapping: Any, key: str) -> str:
    """A key, in quotes where a reader of the file could take it for something else."""
    is_yaml = type(mapping).__module__.startswith("ruamel")
    if not is_yaml or key in mapping or (_PLAIN_KEY.fullmatch(key) and not needs_quotes(key)):
        return key
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    quoted: str = DoubleQuotedScalarString(key)
    return quoted


def _take_below(mapping: Any, name: Any) -> str:
    """Take the comment lines below an entry, which ruamel.yaml attaches to the entry."""
    mapping, name = _innermost(mapping, name)
    tokens = mapping.ca.items.get(name) if hasattr(mapping, "ca") else None
    token = tokens[2] if tokens and len(tokens) > 2 else None
    if token is None:
        return ""
    own, *below = str(token.value).split("\n", 1)
    token.value = own + "\n"
    return "".join(below)


def put_below(mapping: Any, name: Any, below: str) -> None:
    """Put comment lines below an entry, or above the first one for ``None``."""
    if not below:
        return
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    if name is None:
        above = mapping.ca.comment or [None, None]
        above[1] = [*(above[1] or []), CommentToken(below, CommentMark(0), None)]
        mapping.ca.comment = above
        return
    mapping, name = _innermost(mapping, name)
    tokens = mapping.ca.items.setdefault(name, [None, None, None, None])
    if tokens[2] is None:
        tokens[2] = CommentToken("\n" + below, CommentMark(0), None)
    else:
        tokens[2].value += below


def _innermost(mapping: Any, name: Any) -> tuple[Any, Any]:
    """The last name in an entry: its own, or the last one of the mapping that it holds."""
    while isinstance(mapping.get(name), MutableMapping) and mapping[name] and hasattr(mapping[name], "ca"):
        mapping = mapping[name]
        name = list(mapping)[-1]
    return mapping, name


class _TwiceError(ValueError):
    pass


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(members)
    if len(content) < len(members):
        raise _TwiceError
    return content


def _load_json(text: str, path: str) -> Any:
    try:
        content = json.loads(text if text.strip() else "{}", object_pairs_hook=_once)
    except _TwiceError:
        raise InvalidOption(f"{path} contains a duplicate entry.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidOption(f"{path} is not JSON (line {getattr(error, 'lineno', 1)}).") from None
    if _is_deeper(content, MOST_LEVELS):
        raise InvalidOption(f"{path} is nested too deeply.")
    return content


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _load_yaml(text: str, path: str) -> tuple[str, Any]:
    yaml = _yaml()
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    head = _PREAMBLE.match(text)
    preamble = head.group() if head else ""
    body = text[len(preamble) :].replace("\r\n", "\n")
    if not body.strip() or (body.startswith("#") and "\n" not in body):
        return f"{text.rstrip()}\n" if text.strip() else "---\n", CommentedMap()
    try:
        problem = yaml_problem(body.encode("utf-8", "replace"), lambda: yaml.parse(body))
        if problem:
            raise InvalidOption(f"{path} {problem}.")
        with warnings.catch_warnings():
            # They repeat lines of the file.
            warnings.simplefilter("ignore")
            document = yaml.load(body)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {preamble.count(chr(10)) + mark.line + 1})" if mark else ""
        problem = "contains a duplicate entry" if isinstance(error, DuplicateKeyError) else "is not YAML"
        raise InvalidOption(f"{path} {problem}{where}.") from None
    except (YAMLError, *ODD_TEXT_RAISES):
        raise InvalidOption(f"{path} is not YAML.") from None
    # An empty mapping in braces becomes one in lines.
    return preamble, CommentedMap() if document == {} else document


# On hostile text, libraries for YAML also raise errors of their internals.
ODD_TEXT_RAISES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


def _yaml(indent: int = 2) -> Any:
    yaml = library("ruamel.yaml").YAML(typ="rt")
    yaml.preserve_quotes = True
    # Never break a ciphertext over lines.
    yaml.width = 1_000_000
    yaml.indent(mapping=indent, sequence=indent + 2, offset=2)
    return yaml


def plain(value: Any) -> Any:
    """A loaded value as plain data, without what ruamel.yaml attaches to it."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    return value
