# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Suggestions for misspelt words.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

from typing import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known word, or nothing."""
    # Only for messages.
    import difflib

    known = list(known)
    # Letters of the other case are far away from each other there.
    near = [one for one in known if one.lower() == word.lower()]
    near = near or difflib.get_close_matches(word, known, n=5, cutoff=0.5)
    compared = difflib.SequenceMatcher(b=word)
    likeness = {}
    for one in sorted(near):
        compared.set_seq1(one)
        likeness[one] = compared.ratio()
    # Of equals the first: who writes sha256 means sha2-256, not sha3-256.
    return f" Did you mean '{max(likeness, key=lambda one: likeness[one])}'?" if near else ""
