# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ciphertext in places where only its plaintext is of use, which would replace a good key. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping

# The shortest ciphertext that the server makes has 38 characters behind the version.
_INSIDE = re.compile(r"vault:v[1-9][0-9]{0,17}:[A-Za-z0-9+/]{16,}")
_WHOLE = re.compile(r"\s*vault:v[1-9][0-9]{0,17}:[A-Za-z0-9+/]+={0,2}\s*")

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
    return _INSIDE.search(text) is not None or _WHOLE.fullmatch(text) is not None


def sealed(value: Any) -> str:
    """What of a value is a ciphertext, as the verb of a sentence: ``is``, ``contains``, or nothing."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return "is"
    return "contains" if paths_of_ciphertexts(value) else ""


def lines_with_ciphertext(text: str) -> list[int]:
    """The numbers of lines that hold a ciphertext."""
    return [number for number, line in enumerate(text.splitlines(), 1) if holds_ciphertext(line)]


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
