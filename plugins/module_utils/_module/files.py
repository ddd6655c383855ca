# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Modules that write files: each is replaced in one step, with its owner, mode and SELinux context.

**Private** to the collection.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import Any, Callable, Mapping, TypeVar

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._module.attributes import (
    AttributeChange,
    attribute_change,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import ending, succeed
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import one_diff, outcome_of, run
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import (
    check_change,
    keep_beside,
    open_file,
    put,
    text_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import replacing

Request = TypeVar("Request")

# For so long a run that finds that another one was first begins again.
_PATIENCE_SECONDS = 120.0


@ending
def run_on_file(
    module: AnsibleModule,
    request_from: Callable[[Mapping[str, Any], str], Request],
    reconcile: Callable[[Client, Request, RunContext], Outcome],
) -> None:
    """Reconcile a text file at the option ``path``.

    Without a path it is a run like any other. The file is replaced in one step, when everything else is done, and keeps
    its owner, mode and SELinux context or gets the ones that are asked for.

    Args:
        request_from: makes the request out of the options and the file's text.
    """
    if not module.params["path"]:
        run(module, lambda client, options, context: reconcile(client, request_from(options, ""), context))
    last = time.monotonic() + _PATIENCE_SECONDS
    done = None
    while done is None:
        done = _tried(module, request_from, reconcile, is_last=time.monotonic() > last)
    outcome, attributes, changed = done
    diff = one_diff(outcome)
    for side, shown in (("before", attributes.before), ("after", attributes.after)):
        if shown and isinstance(diff[side], dict):
            diff[side].update(shown)
    succeed(module, changed=changed, diff=diff, **outcome.result)


def _tried(
    module: AnsibleModule,
    request_from: Callable[[Mapping[str, Any], str], Request],
    reconcile: Callable[[Client, Request, RunContext], Outcome],
    *,
    is_last: bool,
) -> tuple[Outcome, AttributeChange, bool] | None:
    """The outcome, what changed of the file's attributes, and whether anything did. ``None`` if another run was first.

    Args:
        is_last: whether that ends the module.
    """
    with contextlib.ExitStack() as opened:
        file = open_file(module, opened, module.params["path"])
        try:
            if not module.check_mode:
                file.wait_for_others()
        except replacing.ChangedMeanwhile:
            if not is_last:
                return None
        text = text_of(file)
        attributes = attribute_change(module, file, module.params)
        check_change(file, attributes)
        outcome = outcome_of(
            module,
            lambda client, options, context: reconcile(client, request_from(options, text or ""), context),
            module.params,
        )
        # Line ends are the text's own.
        content = None if outcome.text is None else outcome.text.encode("utf-8")
        if outcome.beside and text is not None:
            kept = keep_beside(module, file, text.encode("utf-8"), outcome.beside)
            outcome = replace(outcome, result={**outcome.result, "kept": kept})
        try:
            changed = put(module, file, content, attributes, changed=outcome.changed, may_retry=not is_last)
        except replacing.ChangedMeanwhile:
            return None
        return outcome, attributes, changed
