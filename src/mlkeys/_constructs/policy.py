# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Policies: the rights of a token."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, Self, TypeAlias

from mlkeys._model.attributes import choice_problem
from mlkeys._model.element import Element
from mlkeys._model.location import Location, call_site
from mlkeys._model.reference import Reference, is_seen_by_program, seen
from mlkeys._model.tree import Construct, where
from mlkeys._model.types import MAPPING, NAME, TEXT, TEXTS, all_now, named_now, now, optional, taken
from mlkeys._providers.literals import shown
from mlkeys._shared.policy import CAPABILITIES, RESERVED, Rule

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")

Capability: TypeAlias = Literal["create", "read", "update", "patch", "delete", "list", "sudo", "deny"]


class Policy(Element):
    """A policy. Add rules with `allow`, or with grants such as `key.grant_decrypt(policy)`.

    Source: https://openbao.org/docs/concepts/policies/

    Args:
        name: name of the policy. Default: the id of the construct.
        description: purpose of the policy, a comment in its text. Default: empty.
        aliases: former ids of the construct, so that Terraform moves the resource instead of recreating it.
            Default: none.
    """

    OFFERS: ClassVar[Mapping[str, str]] = {"name": "use its .name", "policy": "use its .name"}

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        *,
        name: str | None = None,
        description: str = "",
        aliases: Sequence[str] = (),
    ) -> None:
        place, own = where(scope, id_)
        super().__init__(place, own)
        self.policy_name: str = now(self, "name", optional(self, "name", name, NAME) or own)
        self.description: str = taken(self, "description", description, TEXT)
        self.aliases: tuple[str, ...] = all_now(self, "aliases", taken(self, "aliases", aliases, TEXTS))
        # Without duplicates, in order.
        self._rules: dict[Hashable, tuple[Rule, Location]] = {}
        if not _NAME.fullmatch(self.policy_name):
            # It is also the name of a file.
            self.node.add_problem(
                f"{shown(self.policy_name)} is not a policy name: use letters, digits, '_', '-' and '.', beginning "
                "with a letter or digit; separate several such names with '/'"
            )
        if self.policy_name in RESERVED:
            self.node.add_problem(f"{self.policy_name!r} is reserved by the server")
        self.node.add_validation(self._validate)

    def allow(
        self,
        path: str,
        *capabilities: Capability,
        parameters: Mapping[str, Sequence[str]] | None = None,
    ) -> Self:
        """Add a rule.

        Args:
            path: path of the API, such as `transit/keys/ml`. `+` stands for one segment, `*` at the end for the rest.
            capabilities: what to allow there.
            parameters: parameters that a request must have, at least one, with the values allowed for each (empty:
                any). Default: requests are not restricted.
        """
        at = call_site()
        path = taken(self, "path", path, TEXT)
        parameters = named_now(self, "parameters", optional(self, "parameters", parameters, MAPPING))
        for capability in capabilities:
            if problem := choice_problem("capability", capability, CAPABILITIES):
                self.node.add_problem(problem, at)
        if "${" in path or any(ord(character) < 32 for character in path):
            self.node.add_problem("a policy path cannot hold '${' or control characters", at)
        if parameters == {}:
            # The server would restrict nothing.
            self.node.add_problem("parameters is empty: leave it out to allow requests with all parameters", at)
        if not all(TEXTS.fits(values) for values in (parameters or {}).values()):
            self.node.add_problem("the values of parameters must be lists of strings", at)
            parameters = {}
        allowed = {name: tuple(values) for name, values in parameters.items()} if parameters is not None else None
        ordered = tuple(name for name in CAPABILITIES if name in capabilities)
        self.add(Rule(path, ordered, allowed, tuple(allowed or ())))
        return self

    def add(self, rule: Rule) -> None:
        """Add a rule."""
        allowed = None if rule.allowed is None else tuple(sorted(rule.allowed.items()))
        self._rules.setdefault((str(rule.path), rule.capabilities, allowed, rule.required), (rule, call_site()))

    def _validate(self) -> list[str]:
        return [] if self._rules else ["the policy has no rules"]

    @property
    def name(self) -> Reference:
        """Name of the policy."""
        return self._reference("name")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order of the program; several may be for one path."""
        found = tuple(rule for rule, _ in self._rules.values())
        if not is_seen_by_program():
            return found
        return tuple(replace(rule, path=seen(self, rule.path), allowed=seen(self, rule.allowed)) for rule in found)

    def lines(self) -> Iterable[tuple[Rule, Location]]:
        """Return each rule with the line of the program that added it."""
        return self._rules.values()

    def known(self, attribute: str, /) -> object | None:
        return self.policy_name if attribute == "name" else None

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "name", self.policy_name
        yield "description", self.description
        yield from (("aliases", name) for name in self.aliases)
        for rule in self.rules:
            yield "path", rule.path
            for name, values in (rule.allowed or {}).items():
                yield from (("parameters", text) for text in (name, *values))

    def named(self) -> Iterable[tuple[str, object]]:
        return (("parameters", rule.allowed) for rule in self.rules if rule.allowed)
