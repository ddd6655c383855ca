# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds secrets written into a program, and formats values for messages without showing secrets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mlkeys._providers.marks import may_hold_a_secret
from mlkeys._providers.random_text import SHORTEST_NAMED, is_random, is_secret_name, random_rows

if TYPE_CHECKING:
    from mlkeys._providers.key_patterns import Form

_SHOWN_CHARACTERS = 60

# A text that stands for another one (`$NAME`, `{{ x }}`, `os.environ/NAME`, `env:NAME`, a path, an address), and words.
_ELSEWHERE = re.compile(r".*[${}<>%\ue000].*|[/~@.!].*|\w[\w.+-]*[:/].*|[\W_]*|(.)\1*", re.DOTALL)
_WORD = re.compile(
    r".*(?:example|placeholder|redacted|change_?me|dummy|not_?real|fake).*"
    r"|none|null|nil|true|false|yes|no|on|off|auto|default|required|optional|empty|unused|disabled|enabled"
    r"|passw(?:or)?d|secret|token|(?:api_?)?key",
    re.IGNORECASE | re.DOTALL,
)
_SHORTEST_PASSWORD = 4

# A name and a value, in code, in JSON, or in a log. What has brackets is code.
_ASSIGNED = re.compile(
    r"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]{0,99})[\"']?\s{0,9}[=:]\s{0,9}"
    r"[\"']?(?P<value>[^\s\"'(){}\[\],;]{4,})(?![^\s\"'){}\],;])"
)

# As long as the shortest secrets in base64. A key of a provider is a multiple of this.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")


def _decoded(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a text has in base64, as it is and decoded, if that is text."""
    for found in _BASE64.finditer(text):
        row = found.group().rstrip("=").translate(_URL_SAFE)
        try:
            decoded = base64.b64decode(row + "=" * (-len(row) % 4)).decode("ascii")
        except (binascii.Error, ValueError):
            continue
        yield found.group(), decoded


def _forms(text: str) -> list[Form]:
    """The forms of secrets that a text may contain."""
    if not may_hold_a_secret(text):
        return []
    # Loading the rules takes as long as all the rest of a small program.
    from mlkeys._providers.key_patterns import marked  # noqa: PLC0415

    return marked(text)


def secret_form(text: str) -> str | None:
    """Return the kind of secret that a text seems to hold (`an API key`), None when it holds none."""
    if found := next((form.what for form in _forms(text) if form.is_signed(text)), None):
        return found
    for _, decoded in _decoded(text):
        if found := next((form.what for form in _forms(decoded) if form.is_signed(decoded)), None):
            return f"{found} in base64"
    return None


def secrets_in(text: str) -> list[str]:
    """Return the parts of a text that look like secrets."""
    encoded = [row for row, decoded in _decoded(text) if any(form.is_signed(decoded) for form in _forms(decoded))]
    return [*(found for form in _forms(text) for found in form.signed(text)), *encoded]


def named_form(name: str, text: str) -> str | None:
    """Return the kind of secret that a text seems to be under its name, None when it seems to be none.

    Args:
        name: of the variable or argument, with those that it is in (`provider.vault.token`).
    """
    if not any(character.isdigit() for character in text):
        return None
    both = f'{name}: "{text}"'
    if form := next((form for form in _forms(both) if form.near and any(form.spans(both))), None):
        return form.what
    if is_secret_name(name) and is_random(text, SHORTEST_NAMED):
        return "a secret"
    return None


def may_be_password(name: str, text: str) -> bool:
    """Whether a text that neither its form nor its letters show to be a secret has a name that says it is one.

    Args:
        name: of the variable or argument, with those that it is in (`provider.vault.token`).
    """
    if len(text) < _SHORTEST_PASSWORD or not is_secret_name(name):
        return False
    return not _ELSEWHERE.fullmatch(text) and not _WORD.fullmatch(text)


def named_secrets_in(text: str) -> list[str]:
    """Return the values in a text of a program that names show to be secrets, as in `api_key='…'`."""
    found = []
    for match in _ASSIGNED.finditer(text):
        name, value = match["name"], match["value"]
        if named_form(name, value) or (any(map(str.isdigit, value)) and may_be_password(name, value)):
            found.append(value)
    return found


def hidden(message: str, secrets: Iterable[str] = ()) -> str:
    """Return a message without what looks like a secret, and without the given ones, in whatever case."""
    # The longest first: one may be part of another.
    for secret in sorted({*secrets, *secrets_in(message), *random_rows(message)}, key=len, reverse=True):
        message = re.sub(re.escape(secret), "(hidden)", message, flags=re.IGNORECASE)
    return message


def kind_of(value: object) -> str:
    """Name the type of a value for a message that must not repeat the value, such as `an int`."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeio' else 'a'} {name}"


def shown(value: object) -> str:
    """Format a value for a message: short, and hidden when it may be a secret."""
    text = repr(value)
    if secret_form(text) or random_rows(text):
        return f"{kind_of(value)} (hidden)"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
