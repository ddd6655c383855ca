# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What secrets look like, from the rules in key_patterns.toml or in a file of the same format."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from mlkeys._providers.allowances import Allowance, allowances_in, compiled, entropy
from mlkeys._providers.marks import FAR_ENOUGH, any_of, mark_of, rules_text
from mlkeys._providers.named_values import NamedValue
from mlkeys._providers.words import is_words

PROVIDER = "provider"
CREDENTIAL = "credential"
PRIVATE_KEY = "private key"

_LARGEST = 100

_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
# An encoded character, or a colour of a terminal, whose last letter is not a part of what follows. Logs show the
# escape before a colour as ^[, or leave it out. So is the sign before a default of a shell.
_ESCAPE = re.compile(
    r"(?:%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[nrtbfv0]|&[a-z]{2,6};"
    r"|(?:(?:\x1b|\\e|\\033|\\x1[bB]|\\u001[bB]|\^\[)\[[0-9;]{0,12}|\[[0-9;]{1,12})m"
    # A value that counts where a variable is missing: ${NAME:-KEY}
    r"|\$\{[A-Za-z_][A-Za-z0-9_]{0,60}:?-)\Z"
)
_LONGEST_ESCAPE = 70


@dataclass(frozen=True)
class Form:
    """One kind of secret.

    Attributes:
        what: its name in a sentence.
        kind: `PROVIDER` (an ML provider's), `CREDENTIAL` (of a server, a cloud, a code host) or `PRIVATE_KEY`.
        marks: a text is only searched if it matches one of them in lower case; without marks, every text is.
        regex: the whole secret, or its group. Empty if it is too vague to be searched for in files.
        near: what precedes a secret that has no form of its own.
        sign: what is enough to refuse a text in a program, if that is less than the regex.
        glue: further characters that, next to a match, make it a part of something else.
        prefixes: how secrets begin.
        anywhere: whether a secret may follow other letters immediately.
        group: of the regex; 0 for all of it.
        provider: who issues it.
        variable: what a variable with such a secret is called; empty to go by the provider.
        inside: whether the marks are a part of the secret, in a row of at least 20 letters, digits, `_` and `-`.
        row: whether the secret has a row of at least 20 letters, digits, `_` and `-` with a digit.
        random: whether it is random, and no words of any kind: what has no digit needs enough letters of either case.
        path: of the files that it is searched for in; None for all.
        entropy: of the secret, at least; as gitleaks computes it.
        allowances: what is not a secret all the same.
        ident: of the rule of a user: all that it matches is a secret, whatever it looks like and is next to.
    """

    what: str
    kind: str
    marks: tuple[str, ...]
    regex: str = field(repr=False)
    near: str = ""
    sign: str = ""
    glue: str = ""
    prefixes: tuple[str, ...] = ()
    anywhere: bool = False
    group: int = 0
    provider: str = ""
    variable: str = ""
    inside: bool = False
    row: bool = False
    random: bool = False
    path: re.Pattern[str] | None = None
    entropy: float = 0.0
    allowances: tuple[Allowance, ...] = field(default=(), repr=False)
    ident: str = ""

    @property
    def groups(self) -> int:
        """How many groups the regex has."""
        return self._value.groups

    @cached_property
    def _value(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    @cached_property
    def _named(self) -> NamedValue:
        return NamedValue(self.near, self.regex, self.glue, row=self.row)

    @cached_property
    def _shape(self) -> re.Pattern[str]:
        return self._named.shape if self.near else self._value

    def spans(self, text: str, path: str = "") -> Iterator[tuple[int, int]]:
        """Where such secrets are in a text.

        Args:
            path: of the file with the text.
        """
        if not self.regex or not self._is_searched_in(path):
            return
        for found in self._named.matches(text) if self.near else self._shape.finditer(text):
            start, end = found.span(self._group_of(found))
            # What precedes a group is a matter of the expression.
            begins = bool(self.near) or start == found.start()
            if self._stands_alone(text, start, end, begins=begins) and self._is_one(text, found, path):
                yield start, end

    def _is_searched_in(self, path: str) -> bool:
        return self.path is None or self.path.search(path) is not None

    def _is_one(self, text: str, found: re.Match[str], path: str) -> bool:
        """Whether what has the shape of such a secret is one."""
        secret = found[self._group_of(found)]
        return not (self.random and is_words(secret)) and not self._is_allowed(text, found, secret, path)

    def _group_of(self, found: re.Match[str]) -> int:
        """The first group that matches something, if none is named."""
        groups = range(1, len(found.groups()) + 1)
        return self.group or next((group for group in groups if found[group]), 0)

    def _is_allowed(self, text: str, found: re.Match[str], secret: str, path: str) -> bool:
        if self.entropy and entropy(secret) <= self.entropy:
            return True
        if not self.allowances:
            return False
        end = text.find("\n", found.end())
        line = text[text.rfind("\n", 0, found.start()) + 1 : end if end >= 0 else len(text)]
        return any(one.allows(secret, found.group(), line, path) for one in self.allowances)

    @cached_property
    def _sign(self) -> re.Pattern[str]:
        return re.compile(self.sign) if self.sign else self._shape

    def is_signed(self, text: str) -> bool:
        """Whether a text contains something that might be such a secret."""
        return any(True for _ in self.signed(text))

    def signed(self, text: str) -> Iterator[str]:
        """Yield what may be such secrets."""
        return (found.group() for found in self._sign.finditer(text) if self.sign or self._is_one(text, found, ""))

    def _stands_alone(self, text: str, start: int, end: int, *, begins: bool) -> bool:
        if self.ident:
            return True
        before, behind = text[start - 1 : start], text[end : end + 1]
        if self._glued(behind):
            return False
        if self.anywhere or not begins or not self._glued(before) or (before in "_-" and not self.glue):
            return True
        return _ESCAPE.search(text[max(0, start - _LONGEST_ESCAPE) : start]) is not None

    def _glued(self, character: str) -> bool:
        return character != "" and (character in _WORD or character in self.glue)


@dataclass(frozen=True, eq=False)
class Patterns:
    """Forms, most specific first, and one expression that shows which of them a text may contain."""

    forms: tuple[Form, ...]
    _by_mark: tuple[tuple[Form, re.Pattern[str]], ...] = field(init=False, repr=False)
    _any_mark: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_mark = tuple((one, re.compile("|".join(one.marks))) for one in self.forms if one.marks)
        object.__setattr__(self, "_by_mark", by_mark)
        marks = dict.fromkeys(mark for form in self.forms for mark in form.marks)
        object.__setattr__(self, "_any_mark", any_of(marks) if marks else re.compile("(?!)"))

    def marked(self, lower: str) -> list[Form]:
        """The forms that a text in lower case may contain: nearly always none."""
        here = {lower[found.start() : found.start() + FAR_ENOUGH] for found in self._any_mark.finditer(lower)}
        found = [form for form, mark in self._by_mark if any(mark.search(piece) for piece in here)] if here else []
        return [*found, *(form for form in self.forms if not form.marks)] if self._unmarked else found

    @cached_property
    def of_user(self) -> bool:
        """Whether a user has added some."""
        return any(form.ident for form in self.forms)

    @cached_property
    def _unmarked(self) -> bool:
        return any(not form.marks for form in self.forms)


@cache
def built_in() -> Patterns:
    """The patterns of this package."""
    rules = tomllib.loads(rules_text())["rules"]
    return Patterns(tuple(_built_in(rule) for rule in rules))


def _built_in(rule: Mapping[str, Any]) -> Form:
    return form_of(rule, str(rule.get("regex", "")), tuple(allowance for _, allowance in allowances_in(rule)))


def marked(text: str) -> list[Form]:
    """The forms of this package that a text may contain."""
    return built_in().marked(text.lower())


def form_of(rule: Mapping[str, Any], regex: str, allowances: tuple[Allowance, ...], ident: str = "") -> Form:
    """The form of a rule.

    Args:
        ident: of the rule of a user, which counts as it is written.

    Raises:
        ValueError: a part of it is wrong.
    """
    marks = [*_texts(rule, "marks"), *map(mark_of, _texts(rule, "keywords"))]
    return Form(
        str(rule.get("description") or ident_of(rule)),
        next((tag for tag in _texts(rule, "tags") if tag in (PROVIDER, CREDENTIAL, PRIVATE_KEY)), CREDENTIAL),
        tuple(marks),
        regex,
        near=str(rule.get("near", "")),
        sign=str(rule.get("sign", "")),
        glue=str(rule.get("glue", "")),
        prefixes=tuple(_texts(rule, "prefixes")),
        anywhere=bool(rule.get("anywhere", False)),
        group=int(_number(rule, "secretGroup")),
        provider=str(rule.get("provider", "")),
        variable=str(rule.get("variable", "")),
        inside=bool(rule.get("inside", False)),
        row=bool(rule.get("row", False)),
        random=bool(rule.get("random", False)),
        path=compiled(str(rule["path"]), f"the path of rule {ident_of(rule)}") if rule.get("path") else None,
        entropy=_number(rule, "entropy"),
        allowances=allowances,
        ident=ident,
    )


def ident_of(rule: Mapping[str, Any]) -> str:
    return str(rule.get("id", "without an id"))


def _texts(rule: Mapping[str, Any], name: str) -> list[str]:
    found = rule.get(name, [])
    if not isinstance(found, list) or not all(isinstance(text, str) and text for text in found):
        raise ValueError(f"{name} of rule {ident_of(rule)} must be a list of texts")
    return found


def _number(rule: Mapping[str, Any], name: str) -> int | float:
    found = rule.get(name, 0)
    if isinstance(found, (int, float)) and 0 <= found < _LARGEST:
        return found
    raise ValueError(f"{name} of rule {ident_of(rule)} must be a number")
