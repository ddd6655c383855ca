# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Contents of files on hosts: data in a known shape, as the text of a template."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mlkeys._targets.ansible.jinja import Expression, in_file

#: Cuts a text into what is known and what is code.
Render = Callable[[str], "Sequence[str | Expression]"]

_BARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


class Unfit(ValueError):
    """The data does not fit into the shape."""


def rendered(shape: str, data: Any, render: Render) -> str:
    """The template's text, without a header."""
    return _SHAPES[shape](data, render)


def problem_of(shape: str, data: Any) -> str | None:
    """Why the data does not fit into the shape, None when it does."""
    try:
        rendered(shape, data, lambda text: [text])
    except Unfit as problem:
        return str(problem)
    return None


def _quoted(pieces: Sequence[str | Expression]) -> str:
    """A text in double quotes with JSON's escapes, which YAML and TOML read as well."""
    return f'"{"".join(_in_quotes(piece) for piece in pieces)}"'


def _in_quotes(piece: str | Expression) -> str:
    if isinstance(piece, Expression):
        return f"{{{{ (({piece.code}) | string | to_json(ensure_ascii=false))[1:-1] }}}}"
    escaped = json.dumps(piece, ensure_ascii=False)[1:-1]
    return in_file(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped))


# Line breaks and the like, which some readers take for the end of a line or leave out.
_UNSEEN = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff]")


def _env(data: Any, render: Render) -> str:
    lines = []
    for name, value in _mapping("env", data).items():
        if not name.isidentifier() or not name.isascii():
            raise Unfit(f"{name!r} is no name for a variable of the environment")
        lines.append(f"{name}={_env_value(name, value, render)}")
    return "\n".join(lines) + "\n"


def _env_value(name: str, value: Any, render: Render) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise Unfit(f"{name} is a {type(value).__name__}: a variable of the environment is text, a number or a flag")
    if "\n" in value or "'" in value:
        raise Unfit(f"{name} holds a quote or a line break, which readers of such files take differently")
    # Single quotes: nothing in them has a meaning for shells, systemd, Docker and dotenv alike.
    return f"'{''.join(map(_in_single_quotes, render(value)))}'"


def _in_single_quotes(piece: str | Expression) -> str:
    if isinstance(piece, str):
        return in_file(piece)
    if not piece.plaintext:
        return f"{{{{ {piece.code} }}}}"
    # What may not stand there is only seen where it is decrypted, which is to happen once.
    hint = "a secret with a quote or a line break has no place in such a file"
    fits = "\"'\" not in secret and (secret ~ '.').splitlines() | length == 1"
    return f"{{% set secret = {piece.code} %}}{{{{ secret if {fits} else undef(hint='{hint}') }}}}"


def _json(data: Any, render: Render) -> str:
    return "\n".join(_json_lines(data, render, "")) + "\n"


def _json_lines(data: Any, render: Render, indent: str) -> Iterator[str]:
    if isinstance(data, (Mapping, list, tuple)) and data:
        is_object = isinstance(data, Mapping)
        yield "{" if is_object else "["
        entries = list(data.items()) if isinstance(data, Mapping) else [(None, value) for value in data]
        for number, (name, value) in enumerate(entries):
            head = f"{_quoted([str(name)])}: " if is_object else ""
            first, *rest = _json_lines(value, render, indent + "  ")
            lines = [f"{indent}  {head}{first}", *rest]
            if number + 1 < len(entries):
                lines[-1] += ","
            yield from lines
        yield f"{indent}{'}' if is_object else ']'}"
    else:
        yield _scalar(data, render)


def _scalar(data: Any, render: Render) -> str:
    if isinstance(data, str):
        return _quoted(render(data))
    if isinstance(data, (Mapping, list, tuple)):
        return "{}" if isinstance(data, Mapping) else "[]"
    if data is None or isinstance(data, (bool, int, float)):
        return json.dumps(data)
    raise Unfit(f"a {type(data).__name__} has no place in such a file")


def _yaml(data: Any, render: Render) -> str:
    return "\n".join(_yaml_lines(data, render, "")) + "\n"


def _yaml_lines(data: Any, render: Render, indent: str) -> Iterator[str]:
    if isinstance(data, Mapping) and data:
        for name, value in data.items():
            head = f"{indent}{_key(str(name))}:"
            if isinstance(value, (Mapping, list, tuple)) and value:
                yield head
                yield from _yaml_lines(value, render, indent + "  ")
            else:
                yield f"{head} {_scalar(value, render)}"
    elif isinstance(data, (list, tuple)) and data:
        for value in data:
            first, *rest = _yaml_lines(value, render, indent + "  ")
            yield f"{indent}- {first.strip() if len(rest) == 0 else first[len(indent) + 2 :]}"
            yield from rest
    else:
        yield indent + _scalar(data, render)


def _key(name: str) -> str:
    plain = name and set(name) <= set(_BARE) and not name[0].isdigit() and name[0] != "-"
    if plain and name.lower() not in ("y", "n", "yes", "no", "true", "false", "on", "off", "null"):
        return name
    return _quoted([name])


def _toml(data: Any, render: Render) -> str:
    return "\n".join(_toml_table(_mapping("toml", data), render, ())) + "\n"


def _toml_table(data: Mapping[str, Any], render: Render, path: tuple[str, ...]) -> Iterator[str]:
    tables = {name: value for name, value in data.items() if isinstance(value, Mapping)}
    if path and (len(tables) < len(data) or not data):
        yield f"[{'.'.join(map(_toml_key, path))}]"
    for name, value in data.items():
        if name not in tables:
            yield f"{_toml_key(name)} = {_toml_value(name, value, render)}"
    for number, (name, value) in enumerate(tables.items()):
        if number or len(tables) < len(data):
            yield ""
        yield from _toml_table(value, render, (*path, name))


def _toml_key(name: str) -> str:
    return name if name and set(name) <= set(_BARE) else _quoted([name])


def _toml_value(name: str, value: Any, render: Render) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_value(name, inner, render) for inner in value)}]"
    if value is None or isinstance(value, Mapping):
        raise Unfit(f"{name}: TOML has no place for {'null' if value is None else 'a table in a list'}")
    return _scalar(value, render)


def _mapping(shape: str, data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        raise Unfit(f"{shape} takes a dictionary")
    return data


_SHAPES: Mapping[str, Callable[[Any, Render], str]] = {"env": _env, "json": _json, "toml": _toml, "yaml": _yaml}
