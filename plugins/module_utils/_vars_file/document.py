# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Read and change the text of a vars file. **Private** to the collection.

YAML keeps its comments and order, thanks to ruamel.yaml, and JSON its order. No message repeats a line,
which may hold a secret.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import warnings
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.libraries import library
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.limits import MOST_LEVELS, yaml_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.words import FLAGS, NULL, spellings
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.merge_conflicts import conflict_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.lines import in_quotes_of, lines_of, placed

# What precedes the first entry: byte order mark, directives, comments, blank lines. ruamel.yaml would drop some of it.
_BLANK = r"(?:[ \t]*(?:#.*)?\r?\n)*"
_PREAMBLE = re.compile("\ufeff?" + rf"(?:(?:%.*\r?\n)*{_BLANK}---[ \t]*(?:#.*)?\r?\n)?{_BLANK}")

# What JSON may hold as it is, and YAML may not. Ansible reads both as YAML.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")

# The first line of a nested mapping.
_INDENTED = re.compile(r"^\w+:[ \t]*\r?\n( +)\w+:", re.MULTILINE)


def is_json(path: str) -> bool:
    return path.endswith(".json")


def content_of(text: str, path: str) -> Any:
    """The mapping of a file, as plain data: the values that Ansible reads.

    Raises:
        InvalidOption: as for `Document`.
    """
    lines = None if is_json(path) else lines_of(text)
    return plain(Document(text, path, to_read=True).content) if lines is None else lines.content


class Document:
    """The content of a file.

    Attributes:
        content: its mapping, which may be changed.
    """

    def __init__(self, text: str, path: str, *, to_read: bool = False) -> None:
        """
        Args:
            path: names it in messages. A path that ends with ``.json`` makes it JSON.
            to_read: whether its values are those that Ansible reads. Such a document cannot be written.

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
            self._preamble, content = _load_yaml(text, path, _reader() if to_read else _yaml())
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


def _replace(mapping: MutableMapping[Any, Any], name: str, value: Any) -> None:
    """Set the value of an entry, in the quotes of the old value."""
    mapping[name] = in_quotes_of(mapping[name], value)


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


def put(
    mapping: MutableMapping[Any, Any], values: Mapping[str, Any], names: Sequence[str] = (), *, at_front: bool = False
) -> None:
    """Set values of entries. New ones have their places among ``names``, as in `placed`."""
    new = []
    for name in values:
        if name in mapping:
            _replace(mapping, name, values[name])
        else:
            mapping[name] = values[name]
            new.append(name)
    arrange(mapping, placed(names, new, at_front=at_front))


def arrange(mapping: MutableMapping[Any, Any], groups: Mapping[Any, Sequence[str]]) -> None:
    """Move new entries behind others (``None``: to the front), above the comments below those."""
    now = list(mapping)
    new = {name for group in groups.values() for name in group}
    below = {behind: _take_below(mapping, behind) for behind in groups}
    order = list(groups.get(None, ()))
    for name in now:
        if name not in new:
            order += [name, *groups.get(name, ())]
    same = next((number for number, name in enumerate(order) if name != now[number]), len(order))
    # It keeps the comments of an entry, which stay with its name. JSON has none.
    move = getattr(mapping, "move_to_end", None)
    for name in order[same:]:
        if move:
            move(name)
        else:
            mapping[name] = mapping.pop(name)
    for behind, group in groups.items():
        put_below(mapping, group[-1], below[behind])


def has_free_front(mapping: MutableMapping[Any, Any]) -> bool:
    """Whether an entry can come before the first one of a nested mapping: no comment is above that."""
    above = mapping.ca.comment if hasattr(mapping, "ca") else None
    return not (above and above[1])


def is_first_free(text: str) -> bool:
    """Whether an entry can come before the first one of a file: no comment is right above that."""
    preamble = _PREAMBLE.match(text)
    above = preamble[0].splitlines()[-1:] if preamble else []
    return not any(line.lstrip().startswith("#") for line in above)


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


def _load_yaml(text: str, path: str, yaml: Any) -> tuple[str, Any]:
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


# How PyYAML, and so Ansible, reads text without quotes: YAML 1.1 without `y` and `n`. Kind, expression, beginnings.
_SCALARS = (
    ("bool", spellings(*FLAGS), "yYnNtTfFoO"),
    (
        "float",
        (
            r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
            r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        "-+0123456789.",
    ),
    (
        "int",
        r"[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+",
        "-+0123456789",
    ),
    ("merge", r"<<", "<"),
    ("null", f"~|{spellings(NULL)}|", ("~", "n", "N", "")),
    (
        "timestamp",
        (
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
            r"(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?"
        ),
        "0123456789",
    ),
    ("value", r"=", "="),
)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?"
    r"(?:[ \t]*(Z|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?)?"
)


def _reader() -> Any:
    """Reads values as Ansible does. Everything else here writes, and leaves them as they are written."""
    yaml = library("ruamel.yaml").YAML(typ="safe", pure=True)
    yaml.Resolver, yaml.Constructor = _classes_to_read()
    return yaml


@lru_cache(maxsize=None)
def _classes_to_read() -> tuple[Any, Any]:
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.resolver import VersionedResolver

    rules: dict[str, list[Any]] = {}
    for kind, expression, first in _SCALARS:
        for char in first:
            rules.setdefault(char, []).append((f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{expression})\\Z")))
    resolver = type("Resolver", (VersionedResolver,), {"versioned_resolver": rules})
    constructor: Any = type("Constructor", (SafeConstructor,), {})
    for kind, read in (("int", _integer), ("float", _decimal), ("timestamp", _time)):
        constructor.add_constructor(f"tag:yaml.org,2002:{kind}", _construct(read))
    constructor.add_constructor(None, lambda _self, _node: Tagged())
    return resolver, constructor


class Tagged:
    """A value with a tag that is not one of YAML's own, such as ``!vault``."""


def _construct(read: Callable[[str], Any]) -> Callable[[Any, Any], Any]:
    from ruamel.yaml.constructor import ConstructorError

    def construct(_self: Any, node: Any) -> Any:
        try:
            return read(node.value)
        except ODD_TEXT_RAISES:
            # Those of Python repeat the text.
            raise ConstructorError(None, None, "not a value of its type", node.start_mark) from None

    return construct


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    sign, digits = -1 if digits[0] == "-" else 1, digits.lstrip("+-")
    if digits.startswith(("0b", "0x")):
        return sign * int(digits, 0)
    return sign * (int(digits, 8) if digits[0] == "0" else int(_of_base_60(digits, int)))


def _decimal(text: str) -> float:
    digits = text.replace("_", "").lower()
    sign, digits = -1 if digits[0] == "-" else 1, digits.lstrip("+-")
    # Python has the same names for these, without the point.
    return sign * (float(digits[1:]) if digits in (".inf", ".nan") else float(_of_base_60(digits, float)))


def _of_base_60(digits: str, read: Callable[[str], float]) -> float:
    """The value of minutes and seconds, or degrees and minutes, with colons; that of a number without one."""
    value = read("0")
    for part in digits.split(":"):
        value = value * 60 + read(part)
    return value


def _time(text: str) -> Any:
    """A date, or the time of a day in the zone that it names."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if found[4] is None:
        return dt.date(year, month, day)
    offset = dt.timedelta(hours=int(found[10] or 0), minutes=int(found[11] or 0))
    zone = dt.timezone(-offset if found[9] == "-" else offset) if found[8] else None
    return dt.datetime(year, month, day, hour, minute, second, int((found[7] or "")[:6].ljust(6, "0")), zone)


def plain(value: Any) -> Any:
    """A loaded value as plain data, without what ruamel.yaml attaches to it."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(inner) for inner in value]
    return value
