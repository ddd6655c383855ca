# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ciphertext in places where only its plaintext is of use, which would replace a good key. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import binascii
import re
from typing import Any, Iterator, Mapping
from urllib.parse import unquote

# The shortest ciphertext that the server makes has 38 characters behind the version.
_INSIDE = re.compile(r"vault:v[1-9][0-9]{0,17}:[A-Za-z0-9+/]{16,}")
_WHOLE = re.compile(r"\s*vault:v[1-9][0-9]{0,17}:[A-Za-z0-9+/]+={0,2}\s*")
# What is quoted of a ciphertext, or of its base64, for a URL.
_QUOTED = re.compile(r"%(?:25)*(?:3[Aa]|2[Bb]|2[Ff]|3[Dd])")
# Base64 that is long enough for one, also in lines, and for URLs.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}(?:(?:\\n|\s{1,200})[A-Za-z0-9+/_-]{20,})*")
_BREAK = re.compile(r"\\n|\s")
_STANDARD = str.maketrans("-_", "+/")
# Of a ciphertext in base64.
_SHORTEST = 34
# A program may encode what is encoded, such as a password in a document in a document.
_DEEPEST = 3

ADVICE = (
    "A program that reads it cannot use it as a key. Likely causes: vars_plugins_enabled does not list "
    "mlkeys.transit.vault_transit behind host_group_vars; Ansible runs in another folder than that of the project's "
    "ansible.cfg; the name of the vars file does not end with .transit.yml. 'mlkeys doctor' finds out which. If the "
    "program decrypts it itself, set allow_ciphertext: true."
)


def refusal(what: str) -> str:
    """The message about a value that is a ciphertext. It does not show the value.

    Args:
        what: names the value.
    """
    return f"{what} is a ciphertext (vault:vN:...). {ADVICE}"


def holds_ciphertext(text: str) -> bool:
    """Whether a text is or contains a ciphertext, also one that was encoded for a URL or in base64."""
    return _WHOLE.fullmatch(text) is not None or _holds(text, _DEEPEST)


def _holds(text: str, depth: int) -> bool:
    if _INSIDE.search(text):
        return True
    return depth > 0 and any(_holds(inner, depth - 1) for inner in _decoded(text))


def _decoded(text: str) -> Iterator[str]:
    """What may have been encoded in a text."""
    if _QUOTED.search(text):
        yield unquote(text)
    for found in _BASE64.finditer(text):
        written = _BREAK.sub("", found.group()).translate(_STANDARD)
        # Something else may stand before it.
        for begin in range(4 if len(written) > _SHORTEST else 0):
            whole = written[begin : len(written) - (len(written) - begin) % 4]
            yield binascii.a2b_base64(whole).decode("latin-1")


def sealed(value: Any) -> str:
    """What of a value is a ciphertext, as the verb of a sentence: ``is``, ``contains``, or nothing."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return "is"
    return "contains" if paths_of_ciphertexts(value) else ""


def lines_with_ciphertext(text: str) -> list[int]:
    """The numbers of lines that hold a ciphertext. One that is encoded in several lines counts for the first."""
    if not holds_ciphertext(text):
        return []
    return [number for number, line in enumerate(text.splitlines(), 1) if holds_ciphertext(line)] or [1]


def paths_of_ciphertexts(data: Any) -> list[str]:
    """The paths of the values in nested data that hold a ciphertext, such as ``models[0].api_key``."""
    return list(_paths(data, ""))


def _paths(data: Any, here: str) -> Iterator[str]:
    if isinstance(data, str):
        if holds_ciphertext(data):
            yield here
    elif isinstance(data, Mapping):
        for name, value in data.items():
            # A name may hold anything.
            shown = "(a name)" if holds_ciphertext(str(name)) else str(name)
            if shown != str(name):
                yield f"{here}.{shown}" if here else shown
            yield from _paths(value, f"{here}.{shown}" if here else shown)
    elif isinstance(data, (list, tuple)):
        for number, value in enumerate(data):
            yield from _paths(value, f"{here}[{number}]")
