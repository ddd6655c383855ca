# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Policies: what a token may do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Self, TypeAlias

from mlkeys._model.attributes import choice_problem
from mlkeys._model.element import Element
from mlkeys._model.location import call_site
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct, where
from mlkeys._providers.literals import shown
from mlkeys._shared.policy import CAPABILITIES, RESERVED, Rule, merged

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")

Capability: TypeAlias = Literal["create", "read", "update", "patch", "delete", "list", "sudo", "deny"]


class Policy(Element):
    """A policy. Rules come from `allow`, or from the grants of a key."""

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        *,
        name: str | None = None,
        description: str = "",
    ) -> None:
        place, own = where(scope, id_)
        super().__init__(place, own)
        self.policy_name = name or own
        self.description = description
        self._rules: list[Rule] = []
        if not _NAME.fullmatch(self.policy_name):
            # It is also the name of a file.
            self.node.add_problem(
                f"{shown(self.policy_name)} is no name for a policy: letters, digits, '_', '-' and '.', beginning with "
                "a letter or digit, and such names with '/' between them"
            )
        if self.policy_name in RESERVED:
            self.node.add_problem(f"the policy {self.policy_name!r} is the server's own")
        self.node.add_validation(self._validate)

    def allow(
        self,
        path: str,
        *capabilities: Capability,
        parameters: Mapping[str, Sequence[str]] | None = None,
    ) -> Self:
        """Allow these at a path; with `parameters`, only requests that have each with one of its values."""
        at = call_site()
        for capability in capabilities:
            if problem := choice_problem("capability", capability, CAPABILITIES):
                self.node.add_problem(problem, at)
        if "${" in path or any(ord(character) < 32 for character in path):
            self.node.add_problem("a path of a policy holds neither '${' nor control characters", at)
        allowed = {name: tuple(values) for name, values in parameters.items()} if parameters is not None else None
        ordered = tuple(name for name in CAPABILITIES if name in capabilities)
        self.add(Rule(path, ordered, allowed, tuple(allowed or ())))
        return self

    def add(self, rule: Rule) -> None:
        """Allow what a rule says."""
        if rule not in self._rules:
            self._rules.append(rule)

    def _validate(self) -> list[str]:
        if not self._rules:
            return ["the policy allows nothing: it has no rule"]
        try:
            merged(self._rules)
        except ValueError as problem:
            return [str(problem)]
        return []

    @property
    def name(self) -> Reference:
        """The policy's name."""
        return self._reference("name")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Its rules, in the order in which they were added; several may be for one path."""
        return tuple(self._rules)

    def known(self, attribute: str, /) -> object | None:
        return self.policy_name if attribute == "name" else None

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "name", self.policy_name
        yield "description", self.description
        for rule in self._rules:
            yield "path", rule.path
            for values in (rule.allowed or {}).values():
                yield from (("parameters", value) for value in values)
