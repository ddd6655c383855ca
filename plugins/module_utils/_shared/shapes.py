# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Data as a file that programs read: how each value is quoted, whoever writes the file. Pure.

There are three writers. Ansible knows each value. A template of the Python package knows the texts around those that
Ansible puts in later. An agent on a host decrypts: `agent_code` makes its template quote whatever comes out.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Optional

from .yaml_words import needs_quotes

SHAPES = ("dotenv", "environment_file", "json", "shell", "toml", "yaml")

Leaf = Callable[[Any], Optional[str]]
"""What stands in the file for a value, quotes included; ``None`` for a value that stands for itself."""

Literal = Callable[[str], str]
"""How a text is written in the language of the template that is made."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

# Line breaks and the like, which some readers take for the end of a line, leave out or refuse.
_UNSEEN = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff]")

# Code points that will never be characters. systemd takes them for damage.
_NONCHARACTERS = re.compile(
    f"[\ufdd0-\ufdef{''.join(chr(end + 0xFFFE) + chr(end + 0xFFFF) for end in range(0, 0x110000, 0x10000))}]"
)


class Unfit(ValueError):
    """The data does not fit into the shape. The text shows names, and no value."""


@dataclass(frozen=True)
class _Quotes:
    """One way to quote a text.

    Attributes:
        replaced: what is written in place of what, one after the other.
        unfit: characters of which it can hold none.
    """

    mark: str
    replaced: tuple[tuple[str, str], ...] = ()
    unfit: str = ""

    def around(self, text: str) -> str:
        for old, new in self.replaced:
            text = text.replace(old, new)
        return f"{self.mark}{text}{self.mark}"


# Of these the first that can hold the text. Single quotes come first: most readers take all in them as it is.
_QUOTES: dict[str, tuple[_Quotes, ...]] = {
    # By the rules of python-dotenv, which fills in ${NAME:-DEFAULT} in all kinds of quotes. So a default is the way to
    # write a "$" before a brace, and a backslash that is not the beginning of something.
    "dotenv": (
        _Quotes("'", (("${", "${:-$}{"),), unfit="'\\\r"),
        _Quotes('"', (("${", "${:-$}{"), ("\\", "${:-\\\\}"), ('"', '\\"'), ("\r", "\\r"), ("\n", "\\n"))),
    ),
    # By those of systemd. A shell reads the same in both.
    "environment_file": (
        _Quotes("'", unfit="'"),
        _Quotes('"', (("\\", "\\\\"), ('"', '\\"'), ("`", "\\`"), ("$", "\\$"))),
    ),
    "shell": (_Quotes("'", (("'", "'\\''"),)),),
}

# These have JSON's escapes. Code of an agent's template for each, of which `$v` is the text.
_AGENT_ESCAPES = {
    "json": "{{ toJSON $v }}",
    "toml": '{{ toJSON $v | replaceAll "\\u007f" "\\\\u007f" }}',
    # Go's own quotes, in plain ASCII: YAML has all of their escapes.
    "yaml": '{{ printf "%+q" $v }}',
}


def _itself(_value: Any) -> str | None:
    return None


def rendered(shape: str, data: Any, leaf: Leaf = _itself, literal: Literal = str) -> str:
    """The text of a file, or of a template of it.

    Raises:
        Unfit: the data does not fit into the shape.
    """
    return _WRITERS[shape](data, _Writer(shape, leaf, literal))


def quoted(shape: str, value: Any) -> str:
    """A single value as it stands in a file of this shape: a text, a number, a flag, and nothing where there can be.

    Raises:
        Unfit: there is no way to write it.
    """
    if isinstance(value, str):
        return _quoted_text(shape, str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and math.isfinite(value):
        # "1e+22" is no number for YAML, "1.0e+22" is one for all.
        return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))
    if value is None and shape in ("json", "yaml"):
        return "null"
    raise Unfit(f"{_kind(value)} has no place in such a file")


def _quoted_text(shape: str, text: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise Unfit("what is no text has no place in such a file")
    if shape not in _QUOTES:
        return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))
    if "\0" in text:
        raise Unfit("no variable of an environment can hold the character NUL")
    if shape == "environment_file" and _NONCHARACTERS.search(text):
        raise Unfit("systemd reads no text with code points that are no characters")
    *others, last = _QUOTES[shape]
    quotes = next((one for one in others if not set(one.unfit) & set(text)), last)
    return quotes.around(text)


def agent_code(shape: str) -> str:
    """Code of an agent's template that writes the text ``$v`` with its quotes, whatever it is."""
    if shape not in _QUOTES:
        return _AGENT_ESCAPES[shape]
    *others, last = _QUOTES[shape]
    code = _agent_replacing(last)
    for quotes in reversed(others):
        unfit = agent_text(f"[{re.escape(quotes.unfit)}]")
        code = f"{{{{ if regexMatch {unfit} $v }}}}{code}{{{{ else }}}}{_agent_replacing(quotes)}{{{{ end }}}}"
    return code


def _agent_replacing(quotes: _Quotes) -> str:
    steps = [f"replaceAll {agent_text(old)} {agent_text(new)}" for old, new in quotes.replaced]
    return f"{quotes.mark}{{{{ {' | '.join(['$v', *steps])} }}}}{quotes.mark}"


def agent_text(text: str) -> str:
    """A text inside of an agent's code."""
    return json.dumps(text, ensure_ascii=False)


_AGENT_OPENING = re.compile(r"\{(?=\{|\Z)")


def agent_literal(text: str) -> str:
    """A text outside of an agent's code."""
    return _AGENT_OPENING.sub('{{ "{" }}', text)


@dataclass(frozen=True)
class _Writer:
    shape: str
    leaf: Leaf
    literal: Literal

    def key(self, name: str) -> str:
        return self.literal(_quoted_text(self.shape, name))

    def value(self, value: Any) -> str | None:
        """What stands for a value that is no list or mapping, or that stands for something else."""
        found = self.leaf(value)
        if found is not None:
            return found
        if isinstance(value, (Mapping, list, tuple)):
            return None
        return self.literal(quoted(self.shape, value))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


def _variables(data: Any, writer: _Writer) -> str:
    lines = []
    for name, value in _mapping(writer.shape, data).items():
        if not _NAME.fullmatch(name):
            raise Unfit(f"{name!r} is no name for a variable of the environment")
        written = writer.value(value) if value is not None else None
        if written is None:
            raise Unfit(f"{name} is {_kind(value)}: a variable of the environment is text, a number or a flag")
        lines.append(f"{'export ' if writer.shape == 'shell' else ''}{name}={written}\n")
    return "".join(lines)


def _json(data: Any, writer: _Writer) -> str:
    return "\n".join(_json_lines(data, writer, "")) + "\n"


def _json_lines(data: Any, writer: _Writer, indent: str) -> Iterator[str]:
    written = writer.value(data)
    if written is not None:
        yield written
    elif data:
        is_object = isinstance(data, Mapping)
        yield "{" if is_object else "["
        entries = list(data.items()) if is_object else [(None, value) for value in data]
        for number, (name, value) in enumerate(entries):
            head = f"{writer.key(str(name))}: " if is_object else ""
            first, *rest = _json_lines(value, writer, indent + "  ")
            lines = [f"{indent}  {head}{first}", *rest]
            if number + 1 < len(entries):
                lines[-1] += ","
            yield from lines
        yield f"{indent}{'}' if is_object else ']'}"
    else:
        yield "{}" if isinstance(data, Mapping) else "[]"


def _yaml(data: Any, writer: _Writer) -> str:
    return "\n".join(_yaml_lines(data, writer, "")) + "\n"


def _yaml_lines(data: Any, writer: _Writer, indent: str) -> Iterator[str]:
    written = writer.value(data)
    if written is not None:
        yield indent + written
    elif isinstance(data, Mapping) and data:
        for name, value in data.items():
            head = f"{indent}{_yaml_key(str(name), writer)}:"
            first, *rest = _yaml_lines(value, writer, indent + "  ")
            if _is_filled(value, writer):
                yield head
                yield from (first, *rest)
            else:
                yield f"{head} {first[len(indent) + 2 :]}"
    elif data:
        for value in data:
            first, *rest = _yaml_lines(value, writer, indent + "  ")
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest
    else:
        yield indent + ("{}" if isinstance(data, Mapping) else "[]")


def _is_filled(value: Any, writer: _Writer) -> bool:
    return writer.value(value) is None and bool(value)


def _yaml_key(name: str, writer: _Writer) -> str:
    if _PLAIN_KEY.fullmatch(name) and not needs_quotes(name):
        return name
    return writer.key(name)


def _toml(data: Any, writer: _Writer) -> str:
    return "\n".join(_toml_table(_mapping("toml", data), writer, ())) + "\n"


def _toml_table(data: Mapping[str, Any], writer: _Writer, path: tuple[str, ...]) -> Iterator[str]:
    tables = {name: value for name, value in data.items() if isinstance(value, Mapping) and writer.value(value) is None}
    if path and (len(tables) < len(data) or not data):
        yield f"[{'.'.join(_toml_key(part, writer) for part in path)}]"
    for name, value in data.items():
        if name not in tables:
            yield f"{_toml_key(name, writer)} = {_toml_value(name, value, writer)}"
    for number, (name, value) in enumerate(tables.items()):
        if number or len(tables) < len(data):
            yield ""
        yield from _toml_table(_mapping("toml", value), writer, (*path, name))


def _toml_key(name: str, writer: _Writer) -> str:
    return name if _BARE_KEY.fullmatch(name) else writer.key(name)


def _toml_value(name: str, value: Any, writer: _Writer) -> str:
    written = None if value is None else writer.value(value)
    if written is not None:
        return written
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_value(name, inner, writer) for inner in value)}]"
    raise Unfit(f"{name}: TOML has no place for {'null' if value is None else 'a table in a list'}")


def _mapping(shape: str, data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise Unfit(f"{shape} takes a dictionary with texts as names")
    return data


_WRITERS: Mapping[str, Callable[[Any, _Writer], str]] = {
    "dotenv": _variables,
    "environment_file": _variables,
    "json": _json,
    "shell": _variables,
    "toml": _toml,
    "yaml": _yaml,
}
