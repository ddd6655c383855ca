# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Words that YAML reads as a flag or as null where a text was meant, in whatever case. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import re

# Every reader of YAML 1.1 turns these into a flag or null.
FLAGS = ("yes", "no", "true", "false", "on", "off")
NULL = "null"
_RESERVED = frozenset((*FLAGS, NULL))

# Some readers turn these too.
_AMBIGUOUS = frozenset(("n", "none", "y", "~"))

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def spellings(*words: str) -> str:
    """The expression for words as YAML 1.1 reads them: in lower case, with a capital, and in capitals."""
    return "|".join(f"{word}|{word.capitalize()}|{word.upper()}" for word in words)


def is_reserved(word: str) -> bool:
    """Whether a name cannot be written in YAML without quotes."""
    return word.lower() in _RESERVED


def needs_quotes(word: str) -> bool:
    """Whether some reader turns a text without quotes into something else."""
    return is_reserved(word) or word.lower() in _AMBIGUOUS


def is_plain_key(key: str) -> bool:
    """Whether every reader understands a key without quotes as this text."""
    return _PLAIN_KEY.fullmatch(key) is not None and not needs_quotes(key)
