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


@dataclass(frozen=True, slots=True)
class Allowance:
    """Expressions and words that show that something is not a secret.

    Attributes:
        target: what the expressions are for: the `secret`, the whole `match`, or the `line`. Words are for the secret.
        both: whether it takes an expression and a word.
    """

    expressions: tuple[re.Pattern[str], ...]
    words: tuple[str, ...]
    target: str = _SECRET
    both: bool = False

    def allows(self, secret: str, match: str, line: str) -> bool:
        text = {_MATCH: match, _LINE: line}.get(self.target, secret)
        by_expression = any(one.search(text) for one in self.expressions)
        by_word = any(word in secret.lower() for word in self.words)
        if self.both and self.expressions and self.words:
            return by_expression and by_word
        return by_expression or by_word


def allowances_in(table: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Allowance]]:
    """Those of a rule or of a whole file, each with its table. What is about paths and commits allows nothing here.

    Raises:
        ValueError: one cannot be read.
    """
    given = table.get("allowlists", [])
    listed = [*(given if isinstance(given, list) else [given]), table.get("allowlist", {})]
    for one in listed:
        if not isinstance(one, Mapping):
            raise ValueError("an allowlist must be a table")
        both = str(one.get("condition", "")).upper() in ("AND", "&&")
        expressions, words = _texts(one, "regexes"), _texts(one, "stopwords")
        if (expressions or words) and not (both and (one.get("paths") or one.get("commits"))):
            target = str(one.get("regexTarget") or _SECRET)
            compiled = tuple(_compiled(expression) for expression in expressions)
            yield one, Allowance(compiled, tuple(word.lower() for word in words), target, both)


def _texts(table: Mapping[str, Any], name: str) -> list[str]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{name} of an allowlist must be a list of texts")
    return found


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(for_python(expression))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"an expression of an allowlist cannot be read: {error}") from None


def entropy(text: str) -> float:
    """Shannon's, in bits for each character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts) if text else 0.0
