# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Minimum versions of keys. Rotations raise them, and the provider would set them back."""

from __future__ import annotations

import json
from typing import Any

from mlkeys._analysis.places import place
from mlkeys._analysis.view import View
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._model.stack import Stack
from mlkeys._shared._attributes.key import FLOORS
from mlkeys._targets.state_names import FLOORS_FILE, folder_of
from mlkeys._targets.terraform.text import escaped, read_json


class Floors:
    """The minimum versions of the keys of a stack. A file that is read with each plan says what rotations raised."""

    def __init__(self, view: View, stack: Stack, program_folder: str) -> None:
        self._view = view
        self._file = read_json(f"{program_folder}/{folder_of(stack.stored_as)}/{FLOORS_FILE}")
        # Rotations of a program rewrap these.
        rotated = "ansible" in view.app.targets
        self._keys = {file.key for file in view.of_kind(stack, EncryptedVars)} if rotated else set()

    def kept(self, key: TransitSecretBackendKey, body: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a key and those of the program, with which Terraform lowers none of the two."""
        kept = dict(body)
        if key in self._keys and (found := place(self._view, key)) is not None:
            raised = f"try({self._file}[{json.dumps(escaped(found[1]), ensure_ascii=False)}], 0)"
            # An override may be a template, which is a text in quotes within an expression.
            set_here = {name: json.dumps(body[name], ensure_ascii=False) for name in FLOORS if name in body}
            kept |= {name: f"${{max({value}, {raised})}}" for name, value in set_here.items()}
        lifecycle = body.get("lifecycle", {})
        ignored = lifecycle.get("ignore_changes", [])
        unset = sorted(name for name in FLOORS if name not in body)
        # Terraform has the text "all" as well, which is more.
        if unset and isinstance(ignored, list):
            kept["lifecycle"] = {**lifecycle, "ignore_changes": [*dict.fromkeys([*unset, *ignored])]}
        return kept
