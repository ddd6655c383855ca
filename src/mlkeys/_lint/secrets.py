# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds plaintext secrets, and distinguishes them from placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from mlkeys._lint.encoded import Value, decoded_texts, decoded_values
from mlkeys._lint.escapes import unescaped_texts
from mlkeys._lint.findings import (
    ALLOWED,
    CREDENTIAL,
    PRIVATE_KEY,
    PROVIDER_KEY,
    Finding,
    finding,
    in_order,
    is_allowed,
    place,
)
from mlkeys._lint.sieve import Rows, long_rows, sieve_of
from mlkeys._providers.key_patterns import CREDENTIAL as A_CREDENTIAL
from mlkeys._providers.key_patterns import PRIVATE_KEY as A_PRIVATE_KEY
from mlkeys._providers.key_patterns import PROVIDER, Form, Patterns, built_in

_RULES = {PROVIDER: PROVIDER_KEY, A_CREDENTIAL: CREDENTIAL, A_PRIVATE_KEY: PRIVATE_KEY}

_ANYWHERE = ("example", "placeholder", "redacted", "changeme", "notreal", "dummy", "canary")
# Too short to be meaningful in the middle of random text: only at a beginning, and where people go on as in words. In
# capitals, they stand out.
_AT_A_BEGINNING = ("fake", "your", "test", "demo", "mock", "sample", "not-", "no-real")
_AS_WORDS_GO_ON = re.compile(r"\Z|[-_.]|[A-Z]?[a-z]{2}|[0-9]{3}|(?<=-)")
_ONE_CASE = re.compile(r"[A-Z]?[a-z]*|[A-Z]*")
# Behind the prefix of a shape.
_FAR_FROM_BEGINNING = 24
# The fixed prefix of a shape, which may be shown.
_BEGINNING = re.compile(r"[A-Za-z0-9]{1,4}[_.-](?:[a-z0-9]{2,3}-)?")
_SAME = re.compile(r"(.)\1{5,}")
# Of digits, and those of base 16, as many in a row are random in a long text.
_LONG_OF_DIGITS = re.compile(r"[0-9a-f]{10,}")
_SAME_DIGITS = 8
# Of a token of OpenBao, which begins with zeros in base64.
_ZEROS = "b.AAAAA"
_STEPS = 8
_BASE64, _ESCAPED = "in base64", "with encoded characters"


class TooSlow(Exception):
    """A search takes too long. The code that limits its time raises it in the search.

    Attributes:
        rule: of the user, that was searched for; empty if it was another one.
    """

    rule = ""


@dataclass(frozen=True)
class Found:
    """A secret and its place.

    Attributes:
        end: behind it, or behind what it is encoded in.
        encoded: how it is encoded, as a part of a sentence; empty if it is not.
    """

    form: Form
    secret: str = field(repr=False)
    start: int
    end: int
    encoded: str = ""


def secrets_in(text: str, path: str, patterns: Patterns | None = None) -> list[Finding]:
    """The secrets in a text."""
    return in_order(one for one, _ in found_in(text, path, patterns or built_in()))


def found_in(text: str, path: str, patterns: Patterns) -> Iterator[tuple[Finding, Found]]:
    """The secrets in a text that no comment allows, as findings and as they are."""
    lines: list[str] | None = None
    for found in _found(text, path, patterns):
        if lines is None:
            # `splitlines` would shift the offsets.
            lines = text.split("\n") if ALLOWED in text else []
        line, column = place(text, found.start)
        if not is_allowed(lines, line):
            message = f"{found.form.what}{_shown(found.secret, found.form)} {found.encoded or 'in plain text'}"
            yield finding(_RULES[found.form.kind], path, message, (line, column), found.secret), found


def _found(text: str, path: str, patterns: Patterns) -> Iterator[Found]:
    rows = long_rows(text)
    forms = sieve_of(patterns).forms_in(text, rows)
    values = _values(text, rows, forms)
    taken: list[Found] = []
    for found in (
        *_encoded_values(values, path, patterns),
        *(found for found in _plain(text, path, forms) if not any(one.contains(found.start) for one in values)),
        *_encoded(text, path, rows, patterns),
        *_escaped(text, path, patterns),
    ):
        # The first matching form of the table is the most specific one.
        if any(found.start < other.end and other.start < found.end for other in taken):
            continue
        # The random text of a private key may contain the other words of placeholders.
        is_key = found.form.kind == A_PRIVATE_KEY
        is_fake = "EXAMPLE" in found.secret if is_key else is_placeholder(found.secret)
        # A rule of the user says itself what it allows.
        if found.form.ident or not is_fake:
            taken.append(found)
            yield found


def _plain(text: str, path: str, forms: Sequence[Form]) -> Iterator[Found]:
    for form in forms:
        try:
            for start, end in form.spans(text, path):
                yield Found(form, text[start:end], start, end)
        except TooSlow as slow:
            slow.rule = form.ident
            raise


def _values(text: str, rows: Rows, forms: Sequence[Form]) -> list[Value]:
    """What is a text in base64. Its base64 does not count as a secret, though some have no form but their name."""
    any_length = any(form.kind == PROVIDER and not (form.inside or form.row) for form in forms)
    return list(decoded_values(text, rows, short=any_length))


def _encoded_values(values: Iterable[Value], path: str, patterns: Patterns) -> Iterator[Found]:
    for value in values:
        for found in _plain(value.text, path, sieve_of(patterns).forms_in(value.text, long_rows(value.text))):
            if value.begin <= found.start < value.end:
                end = value.place(min(found.end, value.end) - 1) + 1
                yield replace(found, start=value.place(found.start), end=end, encoded=_BASE64)


def _encoded(text: str, path: str, rows: Rows, patterns: Patterns) -> Iterator[Found]:
    for decoded in decoded_texts(text, patterns, rows):
        for found in _plain(decoded.text, path, patterns.marked(decoded.text.lower())):
            yield replace(found, start=decoded.place(found.start), end=decoded.place(found.end) + 1, encoded=_BASE64)


def _escaped(text: str, path: str, patterns: Patterns) -> Iterator[Found]:
    for part in unescaped_texts(text):
        for found in _plain(part.text, path, sieve_of(patterns).forms_in(part.text, long_rows(part.text))):
            yield replace(found, start=part.place(found.start), end=part.place(found.end), encoded=_ESCAPED)


def _shown(secret: str, form: Form) -> str:
    """The prefix that all secrets of a kind have, which may be shown."""
    beginning = _BEGINNING.match(secret)
    return (
        f" ({beginning.group()}…)" if beginning and form.regex.startswith(beginning.group().replace(".", r"\.")) else ""
    )


def is_placeholder(secret: str) -> bool:
    """Whether a text of the right shape is not a secret: it contains a word like `example`, or it is not random."""
    if any(form in secret for word in _ANYWHERE for form in _cases(word)):
        return True
    if any(_begins_with_a_word(secret, start) for start in _beginnings(secret)):
        return True
    longest = max(re.split(r"[-_.]", secret), key=len)
    return _has_many_of_one(secret) or len(set(longest)) < min(8, len(longest) // 4) or _counts_up(secret.lower())


def _cases(word: str) -> tuple[str, ...]:
    """How people write a word. Random letters are hardly ever of one case."""
    return word, word.upper(), word.capitalize()


def _beginnings(secret: str) -> Iterator[int]:
    """Where the text begins, and the rest of it after each punctuation mark."""
    yield 0
    yield from (found.end() for found in re.finditer(r"[-_.]", secret))


def _begins_with_a_word(secret: str, start: int) -> bool:
    word = next((form for word in _AT_A_BEGINNING for form in _cases(word) if secret.startswith(form, start)), "")
    if not word:
        return False
    behind = start + len(word)
    if start < _FAR_FROM_BEGINNING:
        return word.isupper() or _AS_WORDS_GO_ON.match(secret, behind) is not None
    return _ONE_CASE.fullmatch(re.split(r"[-_.]", secret[start:], maxsplit=1)[0]) is not None


def _has_many_of_one(secret: str) -> bool:
    """Whether a character is repeated as it is not in random text."""
    return any(
        len(found.group()) >= _SAME_DIGITS
        or not any(
            digits.start() <= found.start() and found.end() <= digits.end()
            for digits in _LONG_OF_DIGITS.finditer(secret.removeprefix(_ZEROS))
        )
        for found in _SAME.finditer(secret.removeprefix(_ZEROS))
    )


def _counts_up(text: str) -> bool:
    """Whether eight characters are consecutive, as in 12345678 or abcdefgh."""
    run = 1
    for previous, character in pairwise(text):
        run = run + 1 if ord(character) == ord(previous) + 1 else 1
        if run == _STEPS:
            return True
    return False
