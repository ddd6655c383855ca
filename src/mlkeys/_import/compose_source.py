# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The `environment:` of services in a file of Docker Compose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlkeys._errors import MlkeysError
from mlkeys._import.dotenv_source import STORED
from mlkeys._import.names import of_variable
from mlkeys._import.values import NOTHING, OTHER_NUMBER, TEXT, Index, Value, named_apart, with_text_keys
from mlkeys._import.yaml_source import yaml_values
from mlkeys._providers.literals import secret_form

REFERENCE = re.compile(STORED)
_REPLACED = re.compile(r"\$(?:(\$)|(?=[{A-Za-z_]))")
# services, its name, environment, and the name or the number of an entry
_DEPTH = 4
_NAMED = 2
# With an exponent, or octal.
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+|0o[0-7]+")
_MISSHAPEN = "has a shape that Compose refuses"
_ELSEWHERE = "is not in environment:, which is all that this command imports; move it by hand"
_NOT_TAKEN = "not in environment:; move it by hand if it is a secret"
_HOOKS = ("post_start", "pre_stop")
# Of a service, and beside the services, where a secret may be as well.
_OF_SERVICES = (
    *("command", "entrypoint", "healthcheck", "labels", "annotations", "build", "deploy", "logging", "networks"),
    *("provider", "storage_opt", "volumes", *_HOOKS),
)
_BESIDE_SERVICES = ("configs", "models", "networks", "secrets", "volumes")
_WORDS = r"(?:pass(?!thr|ive)\w*|pwd|secret|token|(?:api|access|private|encryption)[-_]?key|credentials?|basicauth)"
# An option or a variable that gets a secret, but not from a file or from Compose.
_GETS_ONE = re.compile(
    rf"(?:\A|[\s;,&|'\"])(?:--?|[A-Z0-9_]*)[\w-]*?{_WORDS}(?![\w.-]*(?:file|path))[\w.-]*[\"']?(?:[=:]|\s+|\Z)(?!\s*[\"']?\$)"
    r"|[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$)[^/\s@]+@",
    re.IGNORECASE,
)
_NAMES_ONE = re.compile(_WORDS, re.IGNORECASE)
# In an item of a list, such as a label.
_ITEM = re.compile(rf"[a-z][\w./-]*?{_WORDS}(?![\w.-]*(?:file|path))[\w.-]*=(?!\$).", re.IGNORECASE)
# Options of a letter that get a password.
_OF_PROGRAM = re.compile(
    r"\bredis-cli\b[^;&|]*?\s-a\s+[\"']?(?!\$)\S|\b(?:mysql|mariadb)[\w-]*\b[^;&|]*?\s-p[\"']?(?!\$)[^\s\"']"
    r"|\bcurl\b[^;&|]*?\s(?:-u|--user)[\s=]+[\"']?[^\s:$\"']+:(?!\$)\S"
)


def compose_values(text: str, path: str) -> list[Value]:
    """The values as the services get them: `$$` is a dollar sign.

    Raises:
        MlkeysError: it is not such a file.
    """
    lines = text.split("\n")
    read = yaml_values(text, path, lambda *_: None, encrypted=True)
    written = [_as_number(with_text_keys(one), lines) for one in read]
    commands = _with_passwords(written)
    found = [
        (_owner(value), one)
        for value in written
        if (one := _entry(value, in_command=value.path[:-1] in commands)) is not None
    ]
    # What services share by an anchor stands in an extension, too.
    taken = {one.line for _, one in found if not (one.problem or one.path[0].startswith("x-"))}
    found = [(owner, one) for owner, one in found if not one.path[0].startswith("x-") or one.line not in taken]
    if all(one.aside for _, one in found):
        raise MlkeysError(f"{path} has no environment: in any service.")
    return named_apart(found)


def _owner(value: Value) -> str:
    return value.path[1] if len(value.path) > 1 else ""


def _as_number(value: Value, lines: Sequence[str]) -> Value:
    """A value, with its kind if YAML of Compose reads a number where that of Ansible reads a text."""
    if value.kind != TEXT or not _NUMBER.fullmatch(value.text):
        return value
    name = re.escape(value.path[-1])
    is_plain = re.search(rf"{name}[\"']?:[ \t]+{re.escape(value.text)}[ \t]*(?:[,}}#\r]|\Z)", lines[value.line - 1])
    return replace(value, kind=OTHER_NUMBER) if is_plain else value


def _with_passwords(values: Iterable[Value]) -> set[tuple[str, ...]]:
    """The lists that are a command with a password in an item of its own."""
    words: dict[tuple[str, ...], list[str]] = {}
    for value in values:
        if isinstance(value.path[-1], Index):
            words.setdefault(value.path[:-1], []).append(value.text)
    return {path for path, parts in words.items() if _OF_PROGRAM.search(" ".join(parts))}


def _entry(value: Value, *, in_command: bool = False) -> Value | None:
    """What is imported of a value, or said about it; None for what holds no secret."""
    path = value.path
    if path[0] == "services" and (len(path) < 3 or isinstance(path[1], Index)) and value.kind != NOTHING:
        return replace(value, problem=_MISSHAPEN)
    if path[0] == "services" and path[2:3] == ("environment",):
        if len(path) == _DEPTH:
            return _assigned(value)
        return None if value.kind == NOTHING and len(path) < _DEPTH else replace(value, problem=_MISSHAPEN)
    if reason := _about(path):
        return replace(value, aside=reason)
    if _is_elsewhere(path) or secret_form(value.text) is not None:
        return replace(value, problem=_ELSEWHERE)
    # Of a command, its first word stands for it.
    is_its_first = in_command and value.path[-1] == "0"
    return replace(value, aside=_NOT_TAKEN) if is_its_first or _may_be_secret(value) else None


def _assigned(value: Value) -> Value:
    """The value of an entry, of a mapping or of a list of NAME=value. One without a value comes from the shell."""
    name, text, kind = value.path[-1], value.text, value.kind
    if isinstance(name, Index):
        name, assigned, text = text.partition("=")
        kind = kind if assigned else NOTHING
    refers = any(not found.group(1) for found in _REPLACED.finditer(text))
    plain = text if refers else text.replace("$$", "$")
    return of_variable(replace(value, text=plain, kind=kind, reference=refers and kind == TEXT), name)


def _about(path: Sequence[str]) -> str:
    """What names other files, which are not read."""
    if path[0] == "include":
        return "another file of Compose; import it, too"
    if path[0] == "services" and path[2:3] == ("env_file",):
        return "a .env file; import it with mlkeys import dotenv"
    if path[0] == "services" and path[2:3] == ("extends",):
        return "a service elsewhere; import its file, too"
    return ""


def _is_elsewhere(path: Sequence[str]) -> bool:
    """Whether a value is for a build, a hook or a provider, or the content of a configuration or a secret."""
    of_service = tuple(path[2:]) if path[0] == "services" else ()
    in_hook = of_service[:1] in [(hook,) for hook in _HOOKS] and "environment" in of_service[2:3]
    if in_hook or of_service[:2] in (("build", "args"), ("provider", "options")):
        return True
    return path[0] in ("configs", "secrets") and path[2:3] == ("content",)


def _may_be_secret(value: Value) -> bool:
    """Whether a part of a command, a label or an option of a driver seems to be a secret, by its name."""
    path = value.path
    is_of_service = path[0] == "services" and any(one in _OF_SERVICES or one.startswith("x-") for one in path[2:3])
    # What is at the second place is a name that the file gives.
    is_beside = path[0].startswith("x-") or (path[0] in _BESIDE_SERVICES and len(path) > _NAMED)
    if not value.text or not (is_of_service or is_beside):
        return False
    if isinstance(path[-1], Index):
        is_named = _ITEM.match(value.text) is not None
    else:
        is_named = _NAMES_ONE.search(path[-1]) is not None and not value.text.startswith("$")
    return is_named or any(one.search(value.text) for one in (_GETS_ONE, _OF_PROGRAM))
