# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Import blocks of Terraform for what exists on the server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from mlkeys._analysis.view import View
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._synthesis.synth import MANIFEST
from mlkeys._system import collection
from mlkeys._targets.json_text import json_text
from mlkeys._targets.terraform.former import IMPORTS_FILE, Importable, importable, imports_text

#: The first for what is not mounted.
_MISSING = (400, 404)


def with_import_blocks(app: Root, files: Mapping[str, str]) -> dict[str, str]:
    """Return the files of an app, with import blocks for all that exists.

    Raises:
        MlkeysError: the server cannot be asked, or Terraform is not a target.
    """
    if "terraform" not in app.targets:
        raise MlkeysError("--with-imports needs the target 'terraform', which the program does not have.")
    view, found = View(app), dict(files)
    for stack in app.stacks:
        if there := [*_existing(stack, importable(view, stack))]:
            found[f"terraform/{stack.node.id}/{IMPORTS_FILE}"] = imports_text(there)
    manifest = json.loads(found.pop(MANIFEST))
    manifest["files"] = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(found.items())}
    return {**found, MANIFEST: json_text(manifest)}


def _existing(stack: Stack, candidates: list[Importable]) -> Iterator[Importable]:
    chosen = collection.settings(stack.url, stack.namespace)
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ServerError

    with collection.in_plain_words(), session.connected(chosen, lambda _message: None) as client:
        for one in candidates:
            try:
                client.get(one.path)
            except ServerError as error:
                if error.status in _MISSING:
                    continue
                raise
            yield one
