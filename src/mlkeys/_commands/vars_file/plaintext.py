# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The text that `mlkeys edit` gives to an editor: a secret for each name, in YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from mlkeys._errors import MlkeysError
from mlkeys._import.values import NOTHING, SCALARS, TEXT, Value
from mlkeys._import.yaml_source import yaml_values

# Wide enough for no value to be folded.
_WIDTH = 1_000_000_000

#: What is wrong with names that are to become variables.
NameProblems = Callable[[Sequence[str]], list[str]]


def rendered(secrets: Mapping[str, str], path: str) -> str:
    """The text for these secrets, which are those of a file."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes a text of several lines as one."""

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    Dumper.add_representer(str, text)
    body = yaml.dump(dict(secrets), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH) if secrets else ""
    return f"{_INTRODUCTION.format(path=path)}{body}"


def _style(value: str) -> str | None:
    """How a text is written: with escapes if something in it cannot be seen, as lines if it has several."""
    if not all(line.isprintable() for line in value.split("\n")):
        return '"'
    return "|" if "\n" in value else None


_INTRODUCTION = """\
# The secrets of {path}, in plain text. When the editor ends, what was changed is encrypted,
# and this file is overwritten and removed. An entry that is taken out here is taken out there.
#
#   name: value
#   name: |
#     a value
#     of several lines
#
# To write nothing, change nothing, or let the editor fail (in vim, :cq).

"""


def parsed(text: str, name_problems: NameProblems) -> dict[str, str]:
    """The secrets of such a text. Every value is text, as it is written.

    Raises:
        MlkeysError: with all problems and their lines, but without a value.
    """
    found: dict[str, Value] = {}
    problems = []
    for value in yaml_values(text, "The text", _no_vault, encrypted=True):
        problem = _problem(value, found, name_problems)
        if problem:
            problems.append(f"  line {value.line}: {problem}")
        found.setdefault(value.path[0], value)
    if problems:
        raise MlkeysError("\n".join(dict.fromkeys(["The text cannot be taken as it is:", *problems])))
    return {name: value.text for name, value in found.items()}


def _problem(value: Value, found: Mapping[str, Value], name_problems: NameProblems) -> str:
    name = value.path[0]
    if wrong := name_problems([name]):
        return wrong[0]
    if len(value.path) > 1:
        return f"{name} must be text, not a mapping or a list (quote it)"
    if name in found:
        return f"{name} is there already, in line {found[name].line}"
    if value.kind == NOTHING or not value.text:
        return f"{name} has no value: give one, or take the line out"
    return "" if value.kind in (TEXT, *SCALARS) else f"{name} must be text (quote it)"


def _no_vault(_text: str, line: int) -> NoReturn:
    raise MlkeysError(f"The text holds something of Ansible Vault in line {line}: give the value itself.")
