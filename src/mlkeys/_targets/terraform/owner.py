# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The first comment of policies, which says who made them, as the Ansible project writes it.

Without it, each of the two would undo what the other one wrote.
"""

from __future__ import annotations

import json
from typing import Any

from mlkeys._analysis.view import View
from mlkeys._model.stack import Stack
from mlkeys._targets.state_names import RECORD_FILE, folder_of
from mlkeys._targets.terraform.text import read_json

_LOCAL = "mlkeys_managed_by"
#: What texts of policies begin with.
OWNER = f"${{local.{_LOCAL}}}"


class Owner:
    """The comment of a stack's policies. Its record, which only exists after a deployment, says who the owner is."""

    def __init__(self, view: View, stack: Stack, program_folder: str) -> None:
        self._used = False
        self._stack = stack
        # Without the other target, nothing is recorded.
        self._recorded = "ansible" in view.app.targets
        self._folder = program_folder

    def named(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a resource, with the comment if it is a policy."""
        if "policy" not in body or not self._recorded:
            return body
        self._used = True
        return {**body, "policy": f"{OWNER}{body['policy']}"}

    def blocks(self) -> dict[str, Any]:
        """Return the block that computes the comment, if there is a policy."""
        if not self._used:
            return {}
        record = read_json(f"{self._folder}/{folder_of(self._stack.stored_as)}/{RECORD_FILE}")
        comment = json.dumps("# Managed by program %s, stack %s, owner %s\n\n")
        values = f"{record}.program, {json.dumps(self._stack.node.id)}, {record}.owner"
        return {"locals": {_LOCAL: f'${{try(format({comment}, {values}), "")}}'}}
