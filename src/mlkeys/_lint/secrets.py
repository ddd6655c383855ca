# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds plaintext secrets, and distinguishes them from placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

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
from mlkeys._providers import key_patterns as forms

_RULES = {forms.PROVIDER: PROVIDER_KEY, forms.CREDENTIAL: CREDENTIAL, forms.PRIVATE_KEY: PRIVATE_KEY}

_ANYWHERE = ("example", "placeholder", "redacted", "changeme", "notreal", "dummy")
# Too short to be meaningful in the middle of random text.
_AT_A_BEGINNING = ("fake", "your", "test", "demo", "mock", "sample", "not-", "no-real")
# The fixed prefix of a shape, which may be shown.
_BEGINNING = re.compile(r"[A-Za-z0-9]{1,4}[_.-](?:[a-z0-9]{2,3}-)?")
_SAME = re.compile(r"(.)\1{5}")
_STEPS = 8


def secrets_in(text: str, path: str) -> list[Finding]:
    """The secrets that a text holds."""
    chosen = forms.marked(text)
    if not chosen:
        return []
    # `splitlines` would shift the offsets.
    lines = text.split("\n") if ALLOWED in text else []
    found = []
    for form, start, end in _found(text, chosen):
        line, column = place(text, start)
        if not is_allowed(lines, line):
            secret = text[start:end]
            message = f"{form.what}{_shown(secret, form)} in plain text"
            found.append(finding(_RULES[form.kind], path, message, (line, column), secret))
    return in_order(found)


def _found(text: str, chosen: list[forms.Form]) -> Iterator[tuple[forms.Form, int, int]]:
    taken: list[tuple[int, int]] = []
    for form in chosen:
        for start, end in form.spans(text):
            # The first matching form of the table is the most specific one.
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            if form.kind == forms.PRIVATE_KEY or not is_placeholder(text[start:end]):
                taken.append((start, end))
                yield form, start, end


def _shown(secret: str, form: forms.Form) -> str:
    """The prefix that all secrets of a kind have, which may be shown."""
    beginning = _BEGINNING.match(secret)
    return (
        f" ({beginning.group()}…)" if beginning and form.shape.startswith(beginning.group().replace(".", r"\.")) else ""
    )


def is_placeholder(secret: str) -> bool:
    """Whether a text of the right shape is not a secret: it contains a word like `example`, or it is not random."""
    lower = secret.lower()
    if any(word in lower for word in _ANYWHERE):
        return True
    if any(part.startswith(_AT_A_BEGINNING) for part in _parts(lower)):
        return True
    longest = max(re.split(r"[-_.]", secret), key=len)
    return _SAME.search(secret) is not None or len(set(longest)) < min(8, len(longest) // 4) or _counts_up(lower)


def _parts(lower: str) -> Iterator[str]:
    """The text, and the rest of it after each punctuation mark."""
    yield lower
    yield from (lower[found.end() :] for found in re.finditer(r"[-_.]", lower))


def _counts_up(text: str) -> bool:
    """Whether eight characters are consecutive, as in 12345678 or abcdefgh."""
    run = 1
    for previous, character in pairwise(text):
        run = run + 1 if ord(character) == ord(previous) + 1 else 1
        if run == _STEPS:
            return True
    return False
