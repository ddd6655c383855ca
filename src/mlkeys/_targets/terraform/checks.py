# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Problems with regard to Terraform and its provider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlkeys._analysis.view import View
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.output import Output
from mlkeys._constructs.raw import TerraformBlock
from mlkeys._constructs.signing import Signature
from mlkeys._model.element import Element, Resource
from mlkeys._model.secret import DataKeySecret
from mlkeys._targets.terraform.remote import backends, is_known_elsewhere, partial_backend
from mlkeys._targets.terraform.resources import is_unknown, kind_of
from mlkeys._targets.terraform.secrets import RESERVED_VARIABLES
from mlkeys._targets.terraform.signatures import signature_problems


def terraform_problems(view: View, element: Element) -> Iterator[str]:
    """Return the problems of an element."""
    kind = kind_of(element)
    if kind is not None and isinstance(element, Resource):
        yield from _resource(element, kind.unsupported)
    if isinstance(element, Signature):
        yield from signature_problems(view, element)
    stack = view.stack_of[element]
    mode = stack.terraform_secrets if stack is not None else None
    if isinstance(element, (Encrypted, Decrypted)) and mode is not None:
        yield from _secret(view, element, mode)
    if isinstance(element, TerraformBlock):
        yield from _blocks(view, element)
    if kind is None or isinstance(element, (Output, Encrypted, Decrypted)):
        return
    for field, text in element.texts():
        for pointer in view.pointers(text):
            if isinstance(pointer.element, (Encrypted, Decrypted)) and mode != "state":
                yield f"{field} would write a secret to Terraform's plan and state"


def _resource(element: Resource, unsupported: Iterable[str]) -> Iterator[str]:
    for name in unsupported:
        if name in element.values:
            yield f"{name}: the Terraform provider lacks it. {_LEAVE_OUT}"
    if isinstance(element, KeyResource) and element.material is not None:
        yield f"Terraform cannot import key material without writing it to its plan and state. {_LEAVE_OUT}"


_LEAVE_OUT = "Leave that target out: App(targets=['ansible'])"


def _blocks(view: View, element: TerraformBlock) -> Iterator[str]:
    stack = view.stack_of[element]
    for field, text in element.texts():
        for pointer in view.pointers(text):
            place = f"{field} refers to {pointer.attribute} of {pointer.element.node.path!r}"
            if isinstance(pointer.element, (Encrypted, Decrypted)):
                yield f"{place}, which is only known after deployment"
            elif is_unknown(view, pointer, stack) and not is_known_elsewhere(view, pointer, stack):
                yield f"{place}, which Terraform cannot know: the provider reads no keys"
    own = [kind for kind, _ in backends(element.data)]
    if not own or stack is None:
        return
    kinds = [kind for block in view.of_kind(stack, TerraformBlock) for kind, _ in backends(block.data)]
    if other := next((kind for kind in own if kind != kinds[0]), None):
        yield f"the backend {other!r} is the second one of the stack, after {kinds[0]!r}, and Terraform takes one"
    if partial := partial_backend(view, stack):
        element.node.add_warning(
            "partial-backend",
            f"the backend {partial}, and another stack reads this state: what 'terraform init -backend-config' adds "
            "does not reach it. Set it in the program",
        )


def _secret(view: View, element: Encrypted | Decrypted, mode: str) -> Iterator[str]:
    if isinstance(element, Encrypted) and element.name in RESERVED_VARIABLES:
        yield f"{element.name!r} is reserved in Terraform and cannot name a variable: choose another name"
    if isinstance(element, Encrypted) and isinstance(element.plaintext, DataKeySecret):
        yield f"Terraform keeps no data key without writing it to its plan and state. {_LEAVE_OUT}"
    if mode == "state":
        stack = view.stack_of[element]
        unknown = (is_unknown(view, pointer, stack) for _, text in element.texts() for pointer in view.pointers(text))
        if any(unknown):
            yield f"Terraform cannot know what another stack encrypts. {_LEAVE_OUT}"
