# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The key version in a ciphertext.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import re

_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,17}):[A-Za-z0-9+/]+={0,2}")


def ciphertext_version(text: str) -> int | None:
    """The key version of a ciphertext or HMAC (``vault:vN:…``), ``None`` when the text does not have that form."""
    match = _CIPHERTEXT.fullmatch(text)
    return int(match.group(1)) if match else None
