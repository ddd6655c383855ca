# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Rules of policies, one for each path of the server. Of two rules for a path, the server uses the last one alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlkeys._analysis.view import View
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element
from mlkeys._model.location import Location
from mlkeys._shared.policy import Rule, merged


def rules_of(view: View, policy: Policy) -> tuple[Rule, ...]:
    """Return the rules of a policy. A path is written as in its first rule: a reference may stand for the same."""
    return merged(rule for found in _by_path(view, policy) for rule, _ in found)


def policy_problems(view: View, element: Element) -> Iterator[str]:
    """Yield a problem for each path whose rules cannot be one."""
    for found in _by_path(view, element) if isinstance(element, Policy) else ():
        try:
            merged(rule for rule, _ in found)
        except ValueError as problem:
            lines = dict.fromkeys(at.seen_from(view.app.node.folder) for _, at in found)
            yield f"{view.text(str(problem))} ({', '.join(lines)})"


def _by_path(view: View, policy: Policy) -> list[list[tuple[Rule, Location]]]:
    """Return rules with their lines by path."""
    found: dict[str, list[tuple[Rule, Location]]] = {}
    for rule, at in policy.lines():
        # The server leaves the first slash out.
        same = found.setdefault(view.text(str(rule.path)).lstrip("/"), [])
        same.append((replace(rule, path=same[0][0].path) if same else rule, at))
    return list(found.values())
