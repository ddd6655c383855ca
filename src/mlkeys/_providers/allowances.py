# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the rules of gitleaks allow: texts of the right shape that are not secrets."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlkeys._providers.go_expressions import for_python

_SECRET, _MATCH, _LINE = "secret", "match", "line"


_OF_ALLOWLISTS = {"description", "condition", "commits", "paths", "regexTarget", "regexes", "stopwords", "targetRules"}
_OR, _AND = ("", "OR", "||"), ("AND", "&&")
_KINDS = ("commits", "paths", "regexes", "stopwords")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What shows that something is not a secret: each of these, or all of those that there are.

    Attributes:
        expressions: for the target.
        words: in the secret, in lower case.
        paths: expressions for the path of the file.
        target: what the expressions are for: the `secret`, the whole `match`, or the `line`.
        both: whether it takes all of them.
    """

    expressions: tuple[re.Pattern[str], ...]
    words: tuple[str, ...]
    paths: tuple[re.Pattern[str], ...] = ()
    target: str = _SECRET
    both: bool = False

    def allows(self, secret: str, match: str, line: str, path: str) -> bool:
        text = {_MATCH: match, _LINE: line}.get(self.target, secret)
        shown = [
            any(one.search(text) for one in self.expressions),
            any(word in secret.lower() for word in self.words),
            any(one.search(path) for one in self.paths),
        ]
        if self.both:
            return all(
                one for one, given in zip(shown, (self.expressions, self.words, self.paths), strict=True) if given
            )
        return any(shown)


def allowances_in(table: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Allowance]]:
    """Those of a rule or of a whole file, each with its table. What is about commits allows nothing here.

    Raises:
        ValueError: one cannot be read.
    """
    for one in tables_in(table):
        both = _checked(one)
        expressions, words, paths = (_texts(one, name) for name in ("regexes", "stopwords", "paths"))
        if (expressions or words or paths) and not (both and one.get("commits")):
            yield (
                one,
                Allowance(
                    tuple(compiled(expression, _IN_ALLOWLISTS) for expression in expressions),
                    tuple(word.lower() for word in words),
                    tuple(compiled(expression, _IN_ALLOWLISTS) for expression in paths),
                    str(one.get("regexTarget") or _SECRET),
                    both,
                ),
            )


def tables_in(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The tables of the allowlists of a rule or of a whole file, in either spelling.

    Raises:
        ValueError: one is not a table.
    """
    given = table.get("allowlists", [])
    for one in [*(given if isinstance(given, list) else [given]), table.get("allowlist", {})]:
        if not isinstance(one, Mapping):
            raise ValueError("an allowlist must be a table")
        if one:
            yield one


def _checked(table: Mapping[str, Any]) -> bool:
    """Whether an allowlist takes all of its parts.

    Raises:
        ValueError: a part has another name or value than gitleaks has for it, or there is none.
    """
    for name in table:
        if name not in _OF_ALLOWLISTS:
            raise ValueError(f"an allowlist has an unknown part: {name}")
    condition, target = str(table.get("condition", "")).upper(), table.get("regexTarget") or _SECRET
    if condition not in (*_OR, *_AND):
        raise ValueError("the condition of an allowlist must be OR or AND")
    if target not in (_SECRET, _MATCH, _LINE):
        raise ValueError("regexTarget of an allowlist must be secret, match or line")
    if not any(_texts(table, name) for name in _KINDS):
        raise ValueError("an allowlist must have commits, paths, regexes or stopwords")
    return condition in _AND


def _texts(table: Mapping[str, Any], name: str) -> list[str]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{name} of an allowlist must be a list of texts")
    return found


_IN_ALLOWLISTS = "an expression of an allowlist"


def compiled(expression: str, what: str) -> re.Pattern[str]:
    """An expression of Go.

    Raises:
        ValueError: it is not one.
    """
    try:
        return re.compile(for_python(expression))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{what} cannot be read: {error}") from None


def entropy(text: str) -> float:
    """Shannon's, in bits for each character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) if text else 0.0
