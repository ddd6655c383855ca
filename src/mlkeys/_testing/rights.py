# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What policies allow, decided as the server does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mlkeys._shared.policy import Rule

_ANY_SEGMENT, _ANY_END, _DENY = "+", "*", "deny"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the API.

    Attributes:
        parameters: with their values; None where it may have any value.
    """

    path: str
    capability: str
    parameters: Mapping[str, str | None] = field(default_factory=dict)


def allowed(rules: Iterable[Rule], call: Call) -> bool:
    """Return whether a token may make a call.

    Args:
        rules: of all policies of the token.
    """
    by_path: dict[str, list[Rule]] = {}
    for rule in rules:
        by_path.setdefault(rule.path.removeprefix("/"), []).append(rule)
    found = [path for path in by_path if _matches(path, call.path)]
    # One path decides, and not all that match.
    return bool(found) and _allows(by_path[max(found, key=_precedence)], call)


def _matches(path: str, called: str) -> bool:
    is_prefix = path.endswith(_ANY_END)
    parts, others = path.removesuffix(_ANY_END).split("/"), called.split("/")
    if is_prefix and _ANY_SEGMENT not in parts:
        return called.startswith(path.removesuffix(_ANY_END))
    if len(others) < len(parts) or (len(others) > len(parts) and not is_prefix):
        return False
    last = len(parts) - 1
    return all(
        part in (_ANY_SEGMENT, other) or (is_prefix and number == last and other.startswith(part))
        for number, (part, other) in enumerate(zip(parts, others, strict=False))
    )


def _precedence(path: str) -> tuple[int, bool, int, int, str]:
    """Return what the server compares of two paths that match: the greater one decides."""
    is_prefix = path.endswith(_ANY_END)
    plain = path.removesuffix(_ANY_END)
    segments = plain.split("/").count(_ANY_SEGMENT)
    # An exact path has none at all, and decides before all others.
    first = plain.index(_ANY_SEGMENT) if segments else len(plain) + (not is_prefix)
    return first, not is_prefix, -segments, len(plain), plain


def _allows(rules: Sequence[Rule], call: Call) -> bool:
    """Whether the rules for one path allow a call together."""
    if any(_DENY in rule.capabilities for rule in rules):
        return False
    if not any(call.capability in rule.capabilities for rule in rules):
        return False
    if any(name not in call.parameters for rule in rules for name in rule.required):
        return False
    # A rule without parameters does not lift the restrictions of another one.
    restrictions = [rule.allowed for rule in rules if rule.allowed]
    values: dict[str, list[tuple[str, ...]]] = {}
    for allowed_of in restrictions:
        for name, given in allowed_of.items():
            values.setdefault(name.lower(), []).append(given)
    return not restrictions or all(_may_have(values, name, value) for name, value in call.parameters.items())


def _may_have(values: Mapping[str, Sequence[tuple[str, ...]]], name: str, value: str | None) -> bool:
    alternatives = values.get(name, ())
    if not alternatives:
        # `*` stands for all that have no entry of their own.
        return _ANY_END in values
    return not all(alternatives) or any(_is_one(value, one) for given in alternatives for one in given)


def _is_one(value: str | None, pattern: str) -> bool:
    """Whether a value is one that a rule lists, which may begin and end with a `*`."""
    if value is None:
        return pattern == _ANY_END
    inner = pattern.removeprefix(_ANY_END).removesuffix(_ANY_END)
    before, after = pattern.startswith(_ANY_END), pattern.endswith(_ANY_END)
    if before and after:
        return inner in value
    return value.endswith(inner) if before else value.startswith(inner) if after else value == pattern
