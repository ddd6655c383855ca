# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Problems of a whole app. While there is one, nothing is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from mlkeys._analysis.cycles import cycle_of_elements, cycle_of_stacks
from mlkeys._analysis.duplicates import duplicates
from mlkeys._analysis.places import place
from mlkeys._analysis.random_texts import NO_LITERAL, password_warnings, random_problem, random_problems
from mlkeys._analysis.view import Pointer, View
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import HostConfig
from mlkeys._constructs.inventory import Group
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._errors import Problem
from mlkeys._model.annotations import is_acknowledged
from mlkeys._model.data import named_texts_in
from mlkeys._model.element import Element
from mlkeys._model.location import Location
from mlkeys._model.marks import Target, damage, has_marks, readable, targets
from mlkeys._model.reference import looking
from mlkeys._model.stack import Root, Stack
from mlkeys._model.tree import Construct, Validation
from mlkeys._providers.literals import hidden, named_form, secret_form, secrets_in
from mlkeys._providers.random_text import SHORTEST_NAMED, random_rows
from mlkeys._shared._attributes.key import FLOORS
from mlkeys._shared.suggestions import did_you_mean

#: How many unknown names of a key are reported one by one.
_SHOWN_NAMES = 5
_INSTEAD = "encrypt a secret, and use an attribute of a construct, as it is or in an f-string without !r"
# As `repr` shows them.
_SECRET = re.compile(r"Secret\.(env|file|prompt|kv|generated)\((['\"][^)]*|\d+)\)")
_CONSTRUCT = re.compile(r"<\w+ (?P<path>[\w./-]+)>")
_ATTRIBUTE = re.compile(r"<(?P<path>[\w./-]+)\.(?P<attribute>[a-z_]+)>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")


def problems_of(view: View) -> tuple[Problem, ...]:
    """Return all problems of an app, in the order of its constructs."""
    found = [problem for construct in view.app.node.walk() for problem in _own_problems(view.app, construct)]
    if not view.app.stacks:
        found.append(_problem(view.app, "the app has no stacks"))
    for construct in view.app.node.walk():
        for field, given in _common_texts(construct):
            found += (_problem(construct, f"{field}{text}") for text in _word_problems(given))
            if (problem := random_problem(construct, field, given)) is not None:
                found.append(_problem(construct, problem))
    for element in view.elements:
        found += (_problem(element, text) for text in _element_problems(view, element))
    found += (_problem(element, text) for element, text in duplicates(view))
    if not found:
        cycles = [*(cycle_of_elements(view, stack) for stack in view.app.stacks), cycle_of_stacks(view)]
        found += (_problem(*cycle) for cycle in cycles if cycle is not None)
    return tuple(dict.fromkeys(found))


def without_secrets(view: View, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems that repeat no text of the program that looks like a secret."""
    texts = [text for construct in view.app.node.walk() for _, text in _common_texts(construct)]
    texts += [str(text) for element in view.elements for _, text in element.texts()]
    secrets = {part for text in texts if (found := secrets_in(text)) for part in (text, *found)}
    named = (one for element in view.elements for _, data in element.named() for one in named_texts_in(data))
    secrets |= {text for name, text in named if len(text) >= SHORTEST_NAMED and named_form(name, text)}
    secrets |= {row for text in texts for row in random_rows(text)}
    return tuple(
        Problem(hidden(one.path, secrets), hidden(one.at, secrets), hidden(one.message, secrets)) for one in problems
    )


def warnings_of(view: View, floors: Mapping[Stack, Mapping[str, int]]) -> tuple[Problem, ...]:
    """Return the warnings that are not acknowledged.

    Args:
        floors: what rotations raised `min_decryption_version` of keys to, as ENGINE/KEY, by stack.
    """
    return tuple(
        Problem(construct.node.path, location.seen_from(view.app.node.folder), f"warning {id_}: {text}")
        for construct in view.app.node.walk()
        for id_, text, location in (*_warnings(view, construct), *_floor_warnings(view, construct, floors))
        if not is_acknowledged(construct, id_)
    )


def _floor_warnings(
    view: View, construct: Construct, floors: Mapping[Stack, Mapping[str, int]]
) -> Iterator[tuple[str, str, Location]]:
    """Yield a warning for each version that a program sets and a rotation has raised."""
    if not isinstance(construct, TransitSecretBackendKey) or (stack := view.stack_of[construct]) is None:
        return
    _, name = place(view, construct) or ("", "")
    floor = floors.get(stack, {}).get(name, 0)
    for option in FLOORS:
        given = construct.values.get(option)
        if isinstance(given, int) and given < floor:
            text = f"{option}={given} has no effect: a rotation raised it to {floor}. Take it out of the program."
            yield "lower-floor", text, construct.node.location


def _warnings(view: View, construct: Construct) -> Iterator[tuple[str, str, Location]]:
    yield from ((id_, text, construct.node.location) for id_, text in construct.node.warnings)
    if isinstance(construct, Element):
        yield from (("literal-secret", text, construct.node.location) for text in password_warnings(construct))
    if isinstance(construct, TransitSecretBackendKey) and construct.granted:
        known = view.names_under(construct)
        missing = [name for name in construct.granted if name not in known]
        if not construct.managed:
            # Other programs may encrypt with it, so only what looks mistyped is.
            missing = [name for name in missing if did_you_mean(name, known)]
        for name in missing[:_SHOWN_NAMES]:
            text = f"the program grants the secret {name!r}, which none of its vars files has."
            yield "unknown-secret", f"{text}{did_you_mean(name, known)}", construct.granted[name]
        if more := missing[_SHOWN_NAMES:]:
            text = f"the program grants {len(more)} more secrets which none of its vars files has."
            yield "unknown-secret", text, construct.granted[more[0]]


def _problem(construct: Construct, message: str) -> Problem:
    return Problem(construct.node.path, construct.node.location_text, message)


def _own_problems(app: Root, construct: Construct) -> Iterator[Problem]:
    for message, location in construct.node.problems:
        yield Problem(construct.node.path, location.seen_from(app.node.folder), message)
    for validation in construct.node.validations:
        yield from (_problem(construct, readable(construct, message)) for message in _messages(validation))


def _messages(validation: Validation) -> list[str]:
    in_validation = looking.set(True)
    try:
        found: object = validation()
        if isinstance(found, Iterable) and not isinstance(found, (str, bytes)):
            messages = [*found]
            if all(isinstance(message, str) for message in messages):
                return messages
    finally:
        looking.reset(in_validation)
    name = getattr(validation, "__name__", type(validation).__name__)
    return [f"the validation {name} must return a list of texts, which is empty where it finds no problem"]


def _element_problems(view: View, element: Element) -> Iterator[str]:
    if view.stack_of[element] is None:
        yield "this construct is outside of a stack"
    texts = [(field, str(given)) for field, given in element.texts()]
    for field, text in texts:
        yield from (f"{field}{problem}" for problem in _word_problems(text))
        if "<" in text or "Secret." in text or has_marks(text):
            yield from _text_problems(view, element, field, text)
    for field, name, form in _named_secrets(element):
        yield f"{field} holds what looks like {form} under the name {name!r}: {NO_LITERAL}"
    yield from random_problems(element, texts)


def _named_secrets(element: Element) -> Iterator[tuple[str, str, str]]:
    """Yield where an element has a secret that only its name shows, as field, name and kind."""
    for field, data in element.named():
        for name, text in named_texts_in(data):
            if len(text) >= SHORTEST_NAMED and not has_marks(text) and (form := named_form(name, text)):
                yield field, name, form


def _common_texts(construct: Construct) -> Iterator[tuple[str, str]]:
    """Yield the texts that every construct may have."""
    yield "id", construct.node.id
    yield from ((kind, f"{value}") for kind, value in construct.node.metadata)
    yield from (("warning", text) for warning in construct.node.warnings for text in warning)
    if isinstance(construct, Stack):
        given = {"url": construct.url, "namespace": construct.namespace, "terraform_kv": construct.terraform_kv}
        given |= {"terraform_auth_path": construct.terraform_auth_path}
        given |= {"terraform_auth_role": construct.terraform_auth_role}
        yield from ((name, value) for name, value in given.items() if value is not None)
        yield "description", construct.description
        yield from (("aliases", name) for name in construct.aliases)


def _text_problems(view: View, element: Element, field: str, text: str) -> Iterator[str]:
    if ("<" in text or "Secret." in text) and (found := _representation(view, text)):
        yield f"{field} holds {found}, which is only its name for messages: {_INSTEAD}"
    if has_marks(text):
        yield from _reference_problems(view, element, field, text)


@lru_cache(maxsize=1024)
def _word_problems(text: str) -> tuple[str, ...]:
    """Return the problems of a text by itself, nearly always none, as what follows the name of its field."""
    found = []
    if problem := damage(text):
        found.append(f": {problem}")
    if form := secret_form(text):
        found.append(f" holds what looks like {form}: {NO_LITERAL}")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        found.append(" holds a lone surrogate, which no file can hold")
    if _CONTROL.search(text):
        found.append(" holds control characters")
    return tuple(found)


def _representation(view: View, text: str) -> str | None:
    """Return what a program has written into a text as `repr` or `!r` shows it, None when there is nothing."""
    if found := _SECRET.search(text):
        return found[0]
    for found in _CONSTRUCT.finditer(text):
        construct = view.app.node.find(found["path"])
        if construct is not None and found[0] == repr(construct):
            return found[0]
    for found in _ATTRIBUTE.finditer(text):
        construct = view.app.node.find(found["path"])
        if isinstance(construct, Element) and view.pointer(Target(construct.node.path, found["attribute"])):
            return found[0]
    return None


def _reference_problems(view: View, element: Element, field: str, text: str) -> Iterator[str]:
    for target in targets(text):
        pointer = view.pointer(target)
        if pointer is None:
            yield f"{field} refers to {target.attribute} of {target.path!r}, which this app does not have"
        elif pointer.sensitive and field not in element.plaintext_fields:
            yield f"{field} would write the plaintext of {target.path!r} to disk"
        elif pointer.sensitive and isinstance(element, HostConfig) and _is_json(text):
            yield (
                f"{field} holds JSON that the program has made, in which quotation marks of the plaintext of "
                f"{target.path!r} would not be escaped: give the data itself, as json={{…}}, or make it in a template"
            )
        elif _stays_behind(view, element, pointer):
            yield (
                f"{field} refers to {target.attribute} of {target.path!r}, which is in another stack, and rotations of "
                "that stack would not find it on hosts of this one: encrypt it here, with key.encrypt(other.decrypt(…))"
            )
        elif pointer.runtime and field not in element.runtime_fields:
            yield f"{field} refers to {target.attribute} of {target.path!r}, which is only known after deployment"


def _is_json(text: str) -> bool:
    """Whether a text is what `json.dumps` makes of a mapping or a list."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _stays_behind(view: View, element: Element, pointer: Pointer) -> bool:
    """Whether a ciphertext would be on hosts that the rotations of its stack do not know."""
    elsewhere = view.stack_of[pointer.element] is not view.stack_of[element]
    return elsewhere and isinstance(pointer.element, Encrypted) and isinstance(element, (HostConfig, Group))
