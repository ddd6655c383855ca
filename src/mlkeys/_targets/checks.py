# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Problems of an app with regard to its targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlkeys._analysis.view import View
from mlkeys._errors import Problem
from mlkeys._model.stack import Stack
from mlkeys._targets.names import length_problem
from mlkeys._targets.policies import policy_problems


def target_problems_of(view: View, sources: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return the problems that only the targets of the app have."""
    found: list[Problem] = []
    for element in view.elements:
        texts: list[str] = [*policy_problems(view, element)]
        if "ansible" in view.app.targets:
            from mlkeys._targets.ansible.checks import ansible_problems  # noqa: PLC0415  as in synthesis

            texts += ansible_problems(view, element, sources)
        if "terraform" in view.app.targets:
            from mlkeys._targets.terraform.checks import terraform_problems  # noqa: PLC0415

            texts += terraform_problems(view, element)
        found += (Problem(element.node.path, element.node.location_text, text) for text in texts)
    if "terraform" in view.app.targets and not found:
        from mlkeys._targets.terraform.left_out import warn  # noqa: PLC0415

        for stack in view.app.stacks:
            warn(view, stack)
    found += _stacks(view)
    return tuple(found)


def _stacks(view: View) -> Iterator[Problem]:
    seen: dict[str, Stack] = {}
    for stack in view.app.stacks:
        if problem := length_problem("the id of the stack", stack.node.id):
            yield Problem(stack.node.path, stack.node.location_text, problem)
        first = seen.setdefault(stack.node.id.lower(), stack)
        if first is not stack:
            yield Problem(
                stack.node.path,
                stack.node.location_text,
                f"the stack [{first.node.path}] at {first.node.location_text} would be written to the same folder",
            )
