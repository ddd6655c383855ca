# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Signatures in Terraform: of texts that are in the program anyway. Its state has what is signed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from mlkeys._analysis.view import View
from mlkeys._constructs.signing import Signature, Signed

#: Terraform's names of options, where it has others.
_TYPES = {"sign": "vault_transit_sign", "verify": "vault_transit_verify"}


def signature_problems(view: View, element: Signature) -> Iterator[str]:
    """Yield why Terraform cannot sign or verify."""
    if view.known_text(element.text) is None:
        yield (
            f"Terraform would write what {element.OPERATION}() gets, and only a deployment knows, to its plan and "
            "state. Leave that target out: App(targets=['ansible'])"
        )


def type_of(element: Signature) -> str:
    """Return the type of the data source."""
    return _TYPES[element.OPERATION]


def code_of(element: Signature, name: str) -> str:
    """Return the expression by which other blocks read the value."""
    return f"data.{type_of(element)}.{name}.{'signature' if isinstance(element, Signed) else 'valid'}"


def body_of_signature(element: Signature, view: View, key: str, render: Callable[[str], str]) -> dict[str, Any]:
    """Return the arguments of the data source.

    Args:
        key: a template for the name of the key, which depends on it.
    """
    body: dict[str, Any] = {"path": render(element.key.backend), "name": key, "input": _base64(view.text(element.text))}
    if element.context is not None:
        body["context"] = _base64(element.context)
    if element.signature is not None:
        body["signature"] = render(element.signature)
    return {**body, **{name: render(str(value)) for name, value in element.options.items()}}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")
