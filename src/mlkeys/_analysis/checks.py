# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with a whole app. Nothing is written while there is anything."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator

from mlkeys._analysis.view import View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import HostConfig
from mlkeys._constructs.inventory import Group, Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.output import Output
from mlkeys._constructs.policy import Policy
from mlkeys._errors import Problem
from mlkeys._model.element import Element, Resource
from mlkeys._model.reference import damage, targets
from mlkeys._model.stack import Root, Stack
from mlkeys._model.tree import Construct
from mlkeys._providers.literals import secret_form

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")


def problems_of(view: View) -> tuple[Problem, ...]:
    """All problems of an app, in the order of its constructs."""
    found = [problem for construct in view.app.node.walk() for problem in _own(view.app, construct)]
    if not view.app.stacks:
        found.append(_problem(view.app, "the app has no stack"))
    for construct in view.app.node.walk():
        found += (
            _problem(construct, text) for field, given in _remarks(construct) for text in _about_words(field, given)
        )
    for element in view.elements:
        found += (_problem(element, text) for text in _about_element(view, element))
    found += (_problem(element, text) for element, text in _twins(view))
    if not found:
        for stack in view.app.stacks:
            _, circle = view.in_order(view.in_stack(stack))
            if circle:
                names = ", ".join(element.node.path for element in circle)
                found.append(_problem(circle[0], f"these wait for one another: {names}"))
    return tuple(dict.fromkeys(found))


def warnings_of(app: Root) -> tuple[Problem, ...]:
    """The warnings that nobody has acknowledged."""
    return tuple(
        _problem(construct, f"warning {id_}: {text}")
        for construct in app.node.walk()
        for id_, text in construct.node.warnings
        if not any(("acknowledged", id_) in scope.node.metadata for scope in construct.node.scopes)
    )


def _problem(construct: Construct, message: str) -> Problem:
    return Problem(construct.node.path, construct.node.location_text, message)


def _own(app: Root, construct: Construct) -> Iterator[Problem]:
    for message, location in construct.node.problems:
        yield Problem(construct.node.path, location.seen_from(app.node.folder), message)
    for validation in construct.node.validations:
        for message in validation():
            yield _problem(construct, message)


def _about_element(view: View, element: Element) -> Iterator[str]:
    if view.stack_of[element] is None:
        yield "this belongs into a stack"
    for field, text in element.texts():
        yield from _about_text(view, element, field, text)


def _remarks(construct: Construct) -> Iterator[tuple[str, str]]:
    """Texts that any construct may have."""
    yield "id", construct.node.id
    yield from ((kind, str(value)) for kind, value in construct.node.metadata)
    yield from (("warning", text) for warning in construct.node.warnings for text in warning)
    if isinstance(construct, Stack):
        given = {"url": construct.url, "namespace": construct.namespace, "terraform_kv": construct.terraform_kv}
        yield from ((name, value) for name, value in given.items() if value is not None)
        yield "description", construct.description


def _about_text(view: View, element: Element, field: str, text: str) -> Iterator[str]:
    yield from _about_words(field, text)
    if any(True for _ in targets(text)):
        yield from _about_references(view, element, field, text)


def _about_words(field: str, text: str) -> Iterator[str]:
    if problem := damage(text):
        yield f"{field}: {problem}"
    if form := secret_form(text):
        yield f"{field} holds what looks like {form}: secrets do not belong into a program. Use Secret.env('NAME')"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        yield f"{field} holds half of a character (a lone surrogate), which no file can hold"
    if _CONTROL.search(text):
        yield f"{field} holds control characters"


def _about_references(view: View, element: Element, field: str, text: str) -> Iterator[str]:
    for target in targets(text):
        pointer = view.pointer(target)
        if pointer is None:
            yield f"{field} refers to {target.attribute} of {target.path!r}, which this app does not have"
        elif pointer.sensitive and field not in element.plaintext_fields:
            yield f"{field} would write the plaintext of {target.path!r} to disk"
        elif pointer.runtime and view.stack_of[pointer.element] is not view.stack_of[element]:
            yield (
                f"{field} refers to {target.attribute} of {target.path!r}, which is in another stack "
                "and only known once that is deployed"
            )
        elif pointer.runtime and field not in element.runtime_fields:
            yield f"{field} refers to {target.attribute} of {target.path!r}, which is only known at deployment"


# What the server tells apart: two constructs with the same identity would undo each other's work.
_ON_SERVER: tuple[tuple[type[Element], str, tuple[str, ...]], ...] = (
    (TransitSecretBackend, "engine", ("path",)),
    (TransitSecretCacheConfig, "cache of", ("backend",)),
    (TransitSecretBackendKey, "key", ("backend", "name")),
    (Policy, "policy", ("name",)),
    (AppRoleAuth, "auth method", ("path",)),
    (AppRole, "role", ("backend", "name")),
)


def _in_stack(view: View, element: Element) -> Iterator[tuple[str, str]]:
    """What files of a stack tell apart: of two with the same name, one would be lost."""
    if isinstance(element, Encrypted):
        yield "ciphertext", element.name
    elif isinstance(element, Output):
        yield "output", element.name
    elif isinstance(element, Group):
        yield "group", element.name
    elif isinstance(element, HostConfig):
        dest = element.dest.text if isinstance(element.dest, Template) else element.dest
        yield from (("file", f"{view.known_text(dest)} of {group.name}") for group in element.hosts)


def _twins(view: View) -> Iterator[tuple[Element, str]]:
    seen: dict[Hashable, Element] = {}
    for element in view.elements:
        stack = view.stack_of[element]
        if stack is None or (isinstance(element, Resource) and not element.managed):
            continue
        names: list[tuple[Hashable, str, str]] = [(stack, word, name) for word, name in _in_stack(view, element)]
        for kind, word, attributes in _ON_SERVER:
            if isinstance(element, kind):
                known = (view.known_text(str(element.known(attribute))) for attribute in attributes)
                names.append(((stack.url, stack.namespace), word, "/".join(map(str, known))))
        for where, word, name in names:
            first = seen.setdefault((where, word, name), element)
            if first is not element:
                yield element, _twin(word, name, first)


def _twin(word: str, name: str, first: Element) -> str:
    return f"the {word} {name!r} is described twice; the other one is [{first.node.path}] at {first.node.location_text}"
