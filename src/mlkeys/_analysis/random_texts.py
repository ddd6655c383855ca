# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Texts that no form shows to be secrets: random ones, unless the program says that they are public, and passwords."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlkeys._model.annotations import is_acknowledged
from mlkeys._model.data import named_texts_in
from mlkeys._model.element import Element
from mlkeys._model.marks import damage
from mlkeys._model.tree import Construct
from mlkeys._providers.literals import may_be_password, named_form, secret_form
from mlkeys._providers.random_text import is_public_name, random_rows

NO_LITERAL = "do not write secrets into a program, use Secret.env('NAME')"
_ID = "random-text"
_IF_PUBLIC = f"If it is public, call Annotations.of(construct).acknowledge('{_ID}')"


def random_problem(construct: Construct, field: str, text: str) -> str | None:
    """Return the problem of a text that is random, None when it is not, or when the program says that it is public."""
    return _problem(field) if _is_random(text) and not is_acknowledged(construct, _ID) else None


def random_problems(element: Element, texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the problems of the random texts of an element that no form or name shows to be secrets.

    Args:
        texts: those of the element, with the names of their fields.
    """
    found = [(field, text) for field, text in texts if field not in element.PUBLIC and random_rows(text)]
    if not found or is_acknowledged(element, _ID):
        return
    named = [(field, name, text) for field, data in element.named() for name, text in named_texts_in(data)]
    for field, name, text in named:
        if _is_random(text) and not is_public_name(name) and not named_form(name, text):
            yield _problem(field, name)
    under_names = {text for _, _, text in named}
    yield from (_problem(field) for field, text in found if text not in under_names and _is_random(text))


def password_warnings(element: Element) -> Iterator[str]:
    """Yield a warning for each text that may be a secret by its name alone. Nothing else shows whether it is one."""
    for field, data in element.named():
        for name in dict.fromkeys(name for name, text in named_texts_in(data) if may_be_password(name, text)):
            yield f"{field} has a text under the name {name!r}. If it is a secret: {NO_LITERAL}."


def _problem(field: str, name: str = "") -> str:
    under = f" under the name {name!r}" if name else ""
    return f"{field} holds what looks like a random key{under}: {NO_LITERAL}. {_IF_PUBLIC}"


def _is_random(text: str) -> bool:
    """Whether a text is random, and not a problem for another reason."""
    return bool(random_rows(text)) and secret_form(text) is None and damage(text) is None
