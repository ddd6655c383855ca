# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What Terraform, or its provider, would not understand."""

from __future__ import annotations

from collections.abc import Iterator

from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.output import Output
from mlkeys._element import Element, Resource
from mlkeys._targets.terraform.resources import kind_of
from mlkeys._view import View


def terraform_problems(view: View, element: Element) -> Iterator[str]:
    """Problems of one element."""
    kind = kind_of(element)
    if kind is not None and isinstance(element, Resource):
        for name in kind.unsupported:
            if name in element.values:
                yield f"{name}: the Terraform provider has none. Leave that target out: App(targets=['ansible'])"
    if kind is None or isinstance(element, (Output, Encrypted, Decrypted)):
        return
    for field, text in element.texts():
        for pointer in view.pointers(text):
            stack = view.stack_of[element]
            secret = isinstance(pointer.element, (Encrypted, Decrypted))
            if secret and stack is not None and stack.terraform_secrets != "state":
                yield f"{field} would put a secret into Terraform's plan and state"
