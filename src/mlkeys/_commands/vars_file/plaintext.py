# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The text that `mlkeys edit` opens in an editor: a YAML mapping of names to secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from mlkeys._errors import MlkeysError
from mlkeys._import.data import other_key, parts_of, type_problem, typed
from mlkeys._import.values import NOTHING, OTHER_DATE, SCALARS, TEXT, Value
from mlkeys._import.yaml_source import yaml_values
from mlkeys._shared.printable import one_line

_COMMENT = re.compile(r"[ \t]*#")
_ONLY_COMMENT = re.compile(r"[a-z_][a-z0-9_]*:[ \t]+#")

# Ends of lines, with the empty ones behind and backslashes before.
_BREAKS = re.compile(r"(\\*)[ \t]*((?:\r?\n[ \t]*)+)")

# No value is folded.
_WIDTH = 1_000_000_000

#: The problems of variable names.
NameProblems = Callable[[Sequence[str]], list[str]]


def rendered(secrets: Mapping[str, object], path: str) -> str:
    """The text with the secrets of a file, or with nested data."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes multi-line values as blocks."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    Dumper.add_representer(str, text)
    body = yaml.dump(dict(secrets), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH) if secrets else ""
    return f"{_INTRODUCTION.format(path=one_line(path))}{body}"


def _style(value: str) -> str | None:
    """The style of a value: quoted if it has invisible characters, a block if it has several lines."""
    if not all(line.isprintable() for line in value.split("\n")):
        return '"'
    return "|" if "\n" in value else None


_INTRODUCTION = """\
# The secrets of {path}, in plain text. When you close the editor, changed values are encrypted,
# and this file is overwritten and removed. Remove an entry here to remove it from {path}.
# What that file leaves unencrypted (_transit) is here too, and stays so.
#
#   name: value
#   name: |
#     a value
#     of several lines
#
# To cancel, change nothing, or make the editor fail (in vim, :cq).

"""


def parsed(text: str, name_problems: NameProblems) -> dict[str, str]:
    """The secrets in such a text. Every scalar is text, as it is written.

    Raises:
        MlkeysError: it lists all problems with their lines, but no values.
    """
    found: dict[str, Value] = {}
    problems = []
    values = _values(text)
    lost = list(_lost(text))
    explained = {line for line, _ in lost}
    for value in values:
        problem = _problem(value, found, name_problems)
        if problem and not (not value.text and value.line in explained):
            problems.append(f"  line {value.line}: {problem}")
        found.setdefault(value.path[0], value)
    problems += [f"  line {line}: {problem}" for line, problem in lost]
    if problems:
        raise MlkeysError("\n".join(dict.fromkeys(["The text has errors:", *problems])))
    return {name: value.text for name, value in found.items()}


def holds_nested_data(text: str) -> bool:
    """Whether a name in such a text has a mapping or a list.

    Raises:
        MlkeysError: it is not YAML.
    """
    return any(len(value.path) > 1 for value in _values(text))


_AS_A_BLOCK = "put a value of several lines below `name: |`, with two spaces before each of its lines"


def parsed_leaves(text: str, name_problems: NameProblems) -> dict[str, object]:
    """The leaves of nested data in such a text, by path, with values as YAML reads them.

    Raises:
        MlkeysError: as for `parsed`.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import clashes, joined

    found: dict[str, Value] = {}
    problems = []
    for value in _values(text):
        path = joined(parts_of(value))
        wrong = name_problems([path])
        if not wrong and path in found:
            wrong = [f"{path} is already defined in line {found[path].line}"]
        if not wrong and value.kind not in (TEXT, NOTHING, *SCALARS):
            wrong = [f"{path} must be text (quote it)"]
        if not wrong and (key := other_key(value)[0]):
            wrong = [f"{key} ends with a key that is not text (quote it)"]
        # A date is text as the editor shows it.
        if not wrong and value.kind != OTHER_DATE and (unread := type_problem(value)):
            wrong = [f"{path} is {unread} (quote it)"]
        problems += [f"  line {value.line}: {problem}" for problem in wrong[:1]]
        found.setdefault(path, value)
    problems += [f"  line {line}: {problem}" for line, problem in _lost(text)]
    problems += [f"  {path} is defined twice" for path in clashes(found)]
    if problems:
        raise MlkeysError("\n".join(dict.fromkeys(["The text has errors:", *problems])))
    return {path: typed(value) for path, value in found.items()}


def _values(text: str) -> list[Value]:
    try:
        return yaml_values(text, "The text", _no_vault, encrypted=True)
    except MlkeysError as problem:
        if "-----BEGIN " not in text:
            raise
        # A key was pasted.
        raise MlkeysError(f"{problem} To enter a key, {_AS_A_BLOCK}.") from None


def _lost(text: str) -> Iterator[tuple[int, str]]:
    """Lines where YAML reads a part of a value as something else, or joins its lines."""
    import yaml

    yield from (
        (number, "put a value that begins with # in quotes")
        for number, line in enumerate(text.split("\n"), 1)
        if _ONLY_COMMENT.match(line)
    )
    # This loader refuses some texts that the other one reads; its message contains the line.
    with suppress(yaml.YAMLError):
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            # The number of a line is YAML's own, which knows more ends of lines.
            line = token.end_mark.line
            if isinstance(token, yaml.AnchorToken):
                yield line + 1, "put a value that begins with & in quotes"
            elif isinstance(token, yaml.TagToken):
                yield line + 1, "put a value that begins with ! in quotes"
            elif isinstance(token, yaml.ScalarToken) and token.style != "|" and token.start_mark.line != line:
                if _joins_lines(token.style, text[token.start_mark.index : token.end_mark.index]):
                    yield token.start_mark.line + 1, _AS_A_BLOCK
            elif isinstance(token, yaml.ScalarToken) and token.plain and _COMMENT.match(text, token.end_mark.index):
                yield line + 1, "put a value with # in quotes, and a comment on a line of its own"


def _joins_lines(style: str | None, scalar: str) -> bool:
    """Whether YAML joins lines of a value by spaces, which no key survives. Programs write empty lines between them."""
    if style not in ("'", '"'):
        return True
    # In double quotes, what ends with a backslash goes on without a space.
    breaks = _BREAKS.finditer(scalar)
    return any(found[2].count("\n") == 1 and not (style == '"' and len(found[1]) % 2) for found in breaks)


def _problem(value: Value, found: Mapping[str, Value], name_problems: NameProblems) -> str:
    name = value.path[0]
    if wrong := name_problems([name]):
        return wrong[0]
    if len(value.path) > 1:
        return f"{name} must be text, not a mapping or a list (quote it, or run 'mlkeys upgrade' on the file first)"
    if name in found:
        return f"{name} is already defined in line {found[name].line}"
    if value.kind == NOTHING or not value.text:
        return f"{name} has no value: add one, or remove the line"
    return "" if value.kind in (TEXT, *SCALARS) else f"{name} must be text (quote it)"


def _no_vault(_text: str, _path: tuple[str, ...], line: int) -> NoReturn:
    raise MlkeysError(f"The text contains an Ansible Vault value in line {line}: enter the plaintext.")


def merged(before: Mapping[str, str], mine: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """The changes of both sides, entry by entry, in the order of their side.

    Raises:
        MlkeysError: both sides changed an entry, in different ways.
    """
    conflicts = [
        name
        for name in dict.fromkeys((*mine, *theirs))
        if mine.get(name) != theirs.get(name) and before.get(name) not in (mine.get(name), theirs.get(name))
    ]
    if conflicts:
        raise MlkeysError(f"Somebody else changed the same entries in the meantime: {', '.join(conflicts)}.")
    names = dict.fromkeys((*theirs, *mine))
    chosen = {name: (theirs if mine.get(name) == before.get(name) else mine).get(name) for name in names}
    return {name: value for name, value in chosen.items() if value is not None}


def swallowed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The entries that are gone, and whose names begin a line of a value that was changed: indented, they belong to it.

    Args:
        before: as the text was opened, with values as text or as JSON.
    """
    changed = [value for name, value in after.items() if before.get(name) != value]
    gone = [name for name in before if name not in after]
    return [name for name in gone if any(_line_of(name).search(value) for value in changed)]


def _line_of(name: str) -> re.Pattern[str]:
    # Of nested data, the last name of the path is on the line.
    return re.compile(rf"(?:\A|\n|\\n|\")[ ]*[\"']?{re.escape(name.rpartition('.')[2])}[\"']?[ ]*:(?:\s|\\n|\Z)")
