# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Random texts of a program, which are secrets unless the program says that they are public."""

from __future__ import annotations

from collections.abc import Iterator

from mlkeys._model.data import named_texts_in
from mlkeys._model.element import Element
from mlkeys._model.marks import damage
from mlkeys._model.tree import Construct
from mlkeys._providers.literals import named_form, secret_form
from mlkeys._providers.random_text import is_public_name, random_rows

NO_LITERAL = "do not write secrets into a program, use Secret.env('NAME')"
_IF_PUBLIC = "If it is public, call Annotations.of(construct).acknowledge('random-text')"


def random_problem(construct: Construct, field: str, text: str) -> str | None:
    """Return the problem of a text that is random, None when it is not, or when the program says that it is public."""
    return _problem(field) if _is_random(text) and not _is_acknowledged(construct) else None


def random_problems(element: Element) -> Iterator[str]:
    """Yield the problems of the random texts of an element that no form or name shows to be secrets."""
    named: set[str] = set()
    found: list[str] = []
    for field, data in element.named():
        for name, text in named_texts_in(data):
            named.add(text)
            if _is_random(text) and not is_public_name(name) and not named_form(name, text):
                found.append(_problem(field, name))
    for field, given in element.texts():
        text = str(given)
        if text not in named and field not in element.PUBLIC and _is_random(text):
            found.append(_problem(field))
    if found and not _is_acknowledged(element):
        yield from found


def _problem(field: str, name: str = "") -> str:
    under = f" under the name {name!r}" if name else ""
    return f"{field} holds what looks like a random key{under}: {NO_LITERAL}. {_IF_PUBLIC}"


def _is_random(text: str) -> bool:
    """Whether a text is random, and not a problem for another reason."""
    return bool(random_rows(text)) and secret_form(text) is None and damage(text) is None


def _is_acknowledged(construct: Construct) -> bool:
    return any(("acknowledged", "random-text") in scope.node.metadata for scope in construct.node.scopes)
