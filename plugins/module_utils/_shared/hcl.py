# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Writes HCL as servers and agents read it: policies and configurations. Pure.

They read the first version of the language, in which a text cannot span lines. See
`its grammar <https://github.com/hashicorp/hcl/tree/v1.0.0>`_.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping

# "${" begins an interpolation, in which quotes and escapes mean something else. HCL's own library reserves U+E123.
_ESCAPES = {"${": "\\u0024{", "\ue123": "\\ue123"}


def text(value: str) -> str:
    """Return a text in quotes, in which every character means itself."""
    quoted = json.dumps(str(value), ensure_ascii=False)
    for special, escape in _ESCAPES.items():
        quoted = quoted.replace(special, escape)
    return quoted


def texts(values: Iterable[str]) -> str:
    """Return a list of texts."""
    return f"[{', '.join(map(text, values))}]"


def literal(value: Any) -> str:
    """Return a flag, a whole number, a text or a list of texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return texts(value) if isinstance(value, (list, tuple)) else text(value)


def attributes(values: Mapping[str, Any], *, aligned: bool = True) -> str:
    """Return a line for each attribute, by default with the values below one another."""
    width = max(map(len, values), default=0) if aligned else 0
    return "".join(f"{name.ljust(width)} = {literal(value)}\n" for name, value in values.items())


def block(head: str, *parts: str, gap: str = "\n") -> str:
    """Return a block of attributes and other blocks, each as the functions of this file return it.

    Args:
        gap: what separates the parts, by default an empty line.
    """
    inner = gap.join(part for part in parts if part)
    # Not `splitlines`, which also breaks texts at characters that HCL leaves alone.
    indented = "".join(f"  {line}\n" if line else "\n" for line in inner.split("\n")[:-1])
    return f"{head} {{\n{indented}}}\n"
