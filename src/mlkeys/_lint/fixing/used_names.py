# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names of variables that files of a project define or refer to, which no other secret may get."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mlkeys._lint.fixing.file_kinds import COMPOSE, DOTENV, ENVIRONMENT, LITELLM, OF_ANSIBLE, kind_of

# These only speak about variables.
_PROSE = (".md", ".rst", ".txt", ".adoc", ".html")
_WORD = re.compile(rf"(?<![\w-]){OF_ANSIBLE}\w+")
# The name of a value, an assignment (INI, set_fact, {% set %}), or the name of a result.
_DEFINES = re.compile(
    rf"(?<![\w-])({OF_ANSIBLE}\w+)[\"']?[ \t]*(?::(?=[ \t\r\n])|=(?!=))"
    rf"|\b(?:register|loop_var|index_var|name)[\"']?[ \t]*[:=][ \t]*[\"']?({OF_ANSIBLE}\w+)"
)
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_IN_CAPITALS = r"[A-Z_][A-Z0-9_]*"
_OF_SHELL = re.compile(
    rf"\$\{{?({_NAME})"
    # A variable without a value, which Compose takes from the shell.
    rf"|^[ \t]*(?:-[ \t]+[\"']?({_IN_CAPITALS})[\"']?|[\"']?({_IN_CAPITALS})[\"']?[ \t]*:)[ \t]*(?:#.*)?\r?$",
    re.MULTILINE,
)
_OF_LITELLM = re.compile(rf"os\.environ/({_NAME})")
_BLOCK = re.compile(rf"^{ENVIRONMENT}[ \t]*:(.*\n(?:(?:[ \t#].*)?\r?\n)*(?:[ \t].*)?)", re.MULTILINE)
_IN_BLOCK = re.compile(rf"(?:^[ \t]+|[{{,][ \t]*)[\"']?({_NAME})[\"']?[ \t]*:", re.MULTILINE)
_OF_DOTENV = re.compile(rf"^[ \t]*(?:export[ \t]+)?[\"']?({_NAME})[\"']?[ \t]*=", re.MULTILINE)


@dataclass(frozen=True)
class UsedNames:
    """Names in lower case: those that get a value somewhere, and those that are only used."""

    defined: frozenset[str] = frozenset()
    referred: frozenset[str] = frozenset()

    def besides(self, stored: Iterable[str]) -> frozenset[str]:
        """Those that stand for something else than the entries of a file."""
        return self.defined | (self.referred - {*stored})

    def __or__(self, other: UsedNames) -> UsedNames:
        return UsedNames(self.defined | other.defined, self.referred | other.referred)


def used_names(text: str, path: str) -> UsedNames:
    """What a file defines and refers to."""
    kind = kind_of(text, path)
    if kind == DOTENV:
        return UsedNames(frozenset(_lower(_OF_DOTENV, text)))
    referred: set[str] = set()
    defined: set[str] = set()
    if kind == COMPOSE:
        referred |= {*_lower(_OF_SHELL, text)}
    elif kind == LITELLM:
        # LiteLLM prefers a variable of its environment to the value that its file has for the same name.
        defined |= {name for block in _BLOCK.finditer(text) for name in _lower(_IN_BLOCK, block[1])}
        referred |= {*_lower(_OF_LITELLM, text)}
    if OF_ANSIBLE in text and not path.endswith(_PROSE):
        referred |= {*_WORD.findall(text)}
        defined |= {found[1] or found[2] for found in _DEFINES.finditer(text)}
    return UsedNames(frozenset(defined), frozenset(referred))


def _lower(expression: re.Pattern[str], text: str) -> Iterator[str]:
    for found in expression.finditer(text):
        yield next(name for name in found.groups() if name).lower()
