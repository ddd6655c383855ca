# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a program has and its Terraform configuration does not, and what a value must be given for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlkeys._analysis.view import Pointer, View
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.host_config import HostConfig
from mlkeys._constructs.output import Output
from mlkeys._constructs.raw import AnsibleTask
from mlkeys._model.secret import DataKeySecret, GeneratedSecret
from mlkeys._model.stack import Stack
from mlkeys._targets.names import variable_name
from mlkeys._targets.terraform.remote import is_known_elsewhere
from mlkeys._targets.terraform.resources import is_unknown

#: So many names of a kind are in a warning.
_NAMED = 5


class Part(NamedTuple):
    """Something that is left out.

    Attributes:
        kind: such as `output`.
        way: what helps.
    """

    kind: str
    name: str
    way: str


_SECRETS = "For secrets, set terraform_secrets='ephemeral' or 'state' on the stack"
_STATE = (
    "With terraform_secrets='ephemeral', no output has a ciphertext or plaintext: read ciphertexts from the KV engine"
)
_KEYS = "Terraform cannot read a key that it does not make"
_HOSTS = "Only the target 'ansible' reaches hosts"
_ENCRYPTED = "Only the target 'ansible' encrypts what another stack or key has encrypted"


def left_out(view: View, stack: Stack) -> Iterator[Part]:
    """Yield what the configuration of a stack leaves out, in the order of the program."""
    for element in view.in_stack(stack):
        if isinstance(element, Encrypted):
            if stack.terraform_secrets is None:
                yield Part("ciphertext", element.name, _SECRETS)
            elif stack.terraform_secrets == "ephemeral" and isinstance(element.plaintext, str):
                yield Part("ciphertext", element.name, _ENCRYPTED)
        elif isinstance(element, Output) and (way := omission(view, stack, element)):
            yield Part("output", element.name, way)
        elif isinstance(element, HostConfig | AnsibleTask) and "ansible" not in view.app.targets:
            yield Part("file" if isinstance(element, HostConfig) else "task", element.node.path, _HOSTS)


def omission(view: View, stack: Stack, output: Output) -> str:
    """Return why the configuration does not have an output; empty if it does."""
    pointers = list(view.pointers(str(output.value)))
    if stack.terraform_secrets != "state" and any(isinstance(p.element, Encrypted | Decrypted) for p in pointers):
        return _SECRETS if stack.terraform_secrets is None else _STATE
    return _KEYS if any(_is_unknown(view, stack, pointer) for pointer in pointers) else ""


def _is_unknown(view: View, stack: Stack, pointer: Pointer) -> bool:
    return not is_known_elsewhere(view, pointer, stack) and is_unknown(view, pointer, stack)


def warn(view: View, stack: Stack) -> None:
    """Warn of what nothing else deploys, and of random secrets, which Terraform does not make."""
    parts = [*left_out(view, stack)] if "ansible" not in view.app.targets else []
    if parts:
        ways = ". ".join(dict.fromkeys(part.way for part in parts))
        text = f"Terraform's configuration leaves out {' and '.join(_listed(parts))}. {ways}"
        stack.node.add_warning("terraform-left-out", text)
    if stack.terraform_secrets is None:
        return
    for element in view.of_kind(stack, Encrypted):
        source = element.plaintext
        if isinstance(source, GeneratedSecret) and not isinstance(source, DataKeySecret):
            text = (
                f"Terraform does not make the random secret {element.name}: give it a value, in the variable "
                f"{variable_name(element.name)} (TF_VAR_{variable_name(element.name)})"
            )
            element.node.add_warning("terraform-generated", text)


def _listed(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the names of each kind."""
    kinds: dict[str, list[str]] = {}
    for part in parts:
        kinds.setdefault(part.kind, []).append(part.name)
    for kind, names in kinds.items():
        more = len(names) - _NAMED
        shown = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield f"the {kind}{'' if len(names) == 1 else 's'} {shown}"
