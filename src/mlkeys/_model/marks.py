# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Marks of references in text, and the values that they stand for."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from mlkeys._errors import MlkeysError

# From the private use area of Unicode: no text of a program has them by accident.
_BEGIN, _MIDDLE, _END = "\ue000", "\ue001", "\ue002"
_MARKED = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_MIDDLE}([a-z_0-9]+){_END}")
_STRAY = re.compile(f"[{_BEGIN}{_MIDDLE}{_END}]|\\\\u[eE]00[012]")
# What the beginning of a mark looks like in base64, wherever in a group of four it is, in hexadecimal digits, and in
# addresses.
_ENCODED = re.compile(r"7oCA|[Oeu+-]6Ag|ugI[A-D]|(?i:ee8080|%ee%80%8[012])")
_ROW = re.compile(r"[A-Za-z0-9+/_-]+")
_URL_SAFE = str.maketrans("-_", "+/")


class Target(NamedTuple):
    """The construct and attribute that a reference points to."""

    path: str
    attribute: str

    def __str__(self) -> str:
        return f"<{self.path}.{self.attribute}>"


def mark(path: str, attribute: str) -> str:
    """Return the mark of an attribute of the construct at a path."""
    return f"{_BEGIN}{path}{_MIDDLE}{attribute}{_END}"


def parts(text: str) -> list[str | Target]:
    """Split a text at its references; no part is empty."""
    # A reference itself shows its value; as a string it is its mark.
    text = str(text)
    if _BEGIN not in text:
        return [text] if text else []
    found: list[str | Target] = []
    end = 0
    for match in _MARKED.finditer(text):
        if match.start() > end:
            found.append(text[end : match.start()])
        found.append(Target(match[1], match[2]))
        end = match.end()
    if end < len(text):
        found.append(text[end:])
    return found


def targets(text: str) -> Iterable[Target]:
    """Return the references in a text."""
    text = str(text)
    return (Target(match[1], match[2]) for match in _MARKED.finditer(text)) if _BEGIN in text else ()


def damage(text: str) -> str | None:
    """Return what is wrong with the references in a text, None when nothing is."""
    text = str(text)
    is_stray = (not text.isascii() or "\\" in text) and _STRAY.search(_MARKED.sub("", text)) is not None
    if is_stray or (_ENCODED.search(text) is not None and _is_encoded(text)):
        return (
            "a reference was cut apart or encoded (by slicing, json.dumps, repr, base64, …); "
            "pass it on whole, or in an f-string"
        )
    return None


def _is_encoded(text: str) -> bool:
    """Whether a text has the mark of a reference in base64, in hexadecimal digits, or as in an address."""
    if "%ee%80%8" in text.lower():
        return True
    return any(_BEGIN in row and _MIDDLE in row for found in _ROW.findall(text) for row in _decodings(found))


def _decodings(row: str) -> Iterable[str]:
    """Yield what letters and digits may be the encoding of."""
    whole = row[: len(row) - (len(row) % 4 == 1)].translate(_URL_SAFE)
    for decode, text in ((base64.b64decode, whole + "=" * (-len(whole) % 4)), (bytes.fromhex, row)):
        try:
            yield decode(text).decode(errors="replace")
        except (binascii.Error, ValueError):
            continue


def has_marks(text: str) -> bool:
    """Whether a text has marks of references, escaped ones included."""
    return _BEGIN in text or ("\\" in text and ("\\ue000" in text or "\\uE000" in text))


def known(construct: Any, attribute: str) -> str | None:
    """Return the value that the program sets for an attribute of a construct, None when it sets none."""
    find = getattr(construct, "known", None)
    value = find(attribute) if find is not None else None
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if type(text) is str and _BEGIN not in text:
        return text
    done = [_known_part(construct, part) for part in parts(text)]
    return None if None in done else "".join(part for part in done if part is not None)


def _known_part(construct: Any, part: str | Target) -> str | None:
    if isinstance(part, str):
        return part
    owner = construct.node.root.node.find(part.path)
    return None if owner is None else known(owner, part.attribute)


def resolved(construct: Any, text: str) -> str:
    """Return a text with the values of its references.

    Args:
        construct: any one of the app.

    Raises:
        MlkeysError: a reference has no value before deployment.
    """
    if type(text) is str and _BEGIN not in text:
        return text
    done = []
    for part in parts(text):
        value = _known_part(construct, part)
        if value is None:
            raise MlkeysError(f"{part} has no value before deployment, and must have one here")
        done.append(value)
    return "".join(done)


def readable(construct: Any, text: str) -> str:
    """Return a text for people, with the values of its references, or where there are none with their names."""
    return "".join(_known_part(construct, part) or str(part) for part in parts(text))
