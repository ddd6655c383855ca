# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Problems with regard to Terraform and its provider."""

from __future__ import annotations

from collections.abc import Iterator

from mlkeys._analysis.view import View
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.output import Output
from mlkeys._model.element import Element, Resource
from mlkeys._targets.terraform.resources import is_unknown, kind_of
from mlkeys._targets.terraform.secrets import RESERVED_VARIABLES


def terraform_problems(view: View, element: Element) -> Iterator[str]:
    """Return the problems of an element."""
    kind = kind_of(element)
    if kind is not None and isinstance(element, Resource):
        for name in kind.unsupported:
            if name in element.values:
                yield f"{name}: the Terraform provider lacks it. Leave that target out: App(targets=['ansible'])"
    stack = view.stack_of[element]
    mode = stack.terraform_secrets if stack is not None else None
    if isinstance(element, (Encrypted, Decrypted)) and mode is not None:
        yield from _secret(view, element, mode)
    if kind is None or isinstance(element, (Output, Encrypted, Decrypted)):
        return
    for field, text in element.texts():
        for pointer in view.pointers(text):
            if isinstance(pointer.element, (Encrypted, Decrypted)) and mode != "state":
                yield f"{field} would write a secret to Terraform's plan and state"


def _secret(view: View, element: Encrypted | Decrypted, mode: str) -> Iterator[str]:
    if isinstance(element, Encrypted) and element.name in RESERVED_VARIABLES:
        yield f"{element.name!r} is reserved in Terraform and cannot name a variable: choose another name"
    if mode == "state":
        stack = view.stack_of[element]
        unknown = (is_unknown(view, pointer, stack) for _, text in element.texts() for pointer in view.pointers(text))
        if any(unknown):
            yield "Terraform cannot know what another stack encrypts. Leave that target out: App(targets=['ansible'])"
