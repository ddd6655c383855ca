# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Policies: what a token may do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias, get_args

from mlkeys._attributes import choice_problem
from mlkeys._element import Element
from mlkeys._location import call_site
from mlkeys._reference import Reference
from mlkeys._tree import Construct, where

Capability: TypeAlias = Literal["create", "read", "update", "patch", "delete", "list", "sudo", "deny"]

_CAPABILITIES: tuple[str, ...] = get_args(Capability)
# The server has these itself, and they mean something else there.
_RESERVED = ("default", "root", "response-wrapping", "control-group")


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done at a path. `parameters` restricts requests: the name of each, and its values (none: any)."""

    path: str
    capabilities: tuple[str, ...]
    parameters: Mapping[str, tuple[str, ...]] | None = None

    def union(self, other: Rule) -> Rule:
        """Both at one path: what either allows."""
        capabilities = tuple(name for name in _CAPABILITIES if name in self.capabilities + other.capabilities)
        if self.parameters is None or other.parameters is None:
            return Rule(self.path, capabilities)
        if self.parameters.keys() != other.parameters.keys():
            raise ValueError(f"two rules for {self.path!r} restrict different parameters")
        return Rule(
            self.path,
            capabilities,
            {name: _either(self.parameters[name], other.parameters[name]) for name in self.parameters},
        )


def _either(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    # No value means any value.
    return tuple(dict.fromkeys((*some, *others))) if some and others else ()


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
        if self.policy_name in _RESERVED:
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
            if problem := choice_problem("capability", capability, _CAPABILITIES):
                self.node.add_problem(problem, at)
        if "${" in path or any(ord(character) < 32 for character in path):
            self.node.add_problem("a path of a policy holds neither '${' nor control characters", at)
        restricted = {name: tuple(values) for name, values in parameters.items()} if parameters is not None else None
        rule = Rule(path, tuple(name for name in _CAPABILITIES if name in capabilities), restricted)
        if rule not in self._rules:
            self._rules.append(rule)
        return self

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
        return self._reference("name")

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(self._rules)

    def known(self, attribute: str, /) -> object | None:
        return self.policy_name if attribute == "name" else None

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "name", self.policy_name
        yield "description", self.description
        for rule in self._rules:
            yield "path", rule.path
            for values in (rule.parameters or {}).values():
                yield from (("parameters", value) for value in values)


def merged(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """One rule for each path, by path. The server takes the last of two, so that a grant could take one away."""
    found: dict[str, Rule] = {}
    for rule in rules:
        found[rule.path] = found[rule.path].union(rule) if rule.path in found else rule
    return tuple(replace(found[path]) for path in sorted(found))


def hcl(rules: Iterable[Rule], description: str = "") -> str:
    """The policy as its server reads it."""
    blocks = [f"# {line}" for line in description.splitlines()]
    blocks += [_block(rule) for rule in merged(rules)]
    return "\n".join(blocks) + "\n"


def _block(rule: Rule) -> str:
    lines = [f"path {_text(rule.path)} {{", f"  capabilities = {_list(rule.capabilities)}"]
    if rule.parameters is not None:
        lines.append(f"  required_parameters = {_list(sorted(rule.parameters))}")
        lines.append("  allowed_parameters = {")
        lines += [f"    {_text(name)} = {_list(values)}" for name, values in sorted(rule.parameters.items())]
        lines.append("  }")
    return "\n".join([*lines, "}"])


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
