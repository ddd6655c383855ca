# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Policies: the rules that each use of a key needs, and their text. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.

The rules were tested on running servers, each with a token that had no other rights. Sources: the documentation of
`policies <https://openbao.org/docs/concepts/policies/>`_ and of the `Transit API
<https://openbao.org/api-docs/secret/transit/>`_.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Iterable, Mapping, NamedTuple, Sequence

from ._attributes.key import FLOORS
from .hcl import attributes, block, text

CAPABILITIES = ("create", "read", "update", "patch", "delete", "list", "sudo", "deny")

# The server's own policies, and names that it reserves.
RESERVED = ("default", "root", "response-wrapping", "control-group")

# Any single part of a path. A `*` would also cover what is below: `keys/NAME/rotate` besides `keys/NAME`.
ANY_KEY = "+"


@dataclass(frozen=True)
class Rule:
    """What may be done at a path.

    Attributes:
        allowed: the only parameters that a request may have, and the values of each (none: any). ``None``: all of them.
        required: those of them that a request has to have.
    """

    path: str
    capabilities: tuple[str, ...]
    allowed: Mapping[str, tuple[str, ...]] | None = None
    required: tuple[str, ...] = ()


def _union(rules: Sequence[Rule]) -> Rule:
    first = rules[0]
    allowed_somewhere = {name for rule in rules for name in rule.capabilities}
    capabilities = tuple(name for name in CAPABILITIES if name in allowed_somewhere)
    restrictions = [rule.allowed for rule in rules if rule.allowed is not None]
    if len(restrictions) < len(rules):
        free = {name for rule in rules if rule.allowed is None for name in rule.capabilities}
        if more := [name for name in capabilities if name not in free]:
            raise ValueError(
                f"two rules for '{first.path}' cannot be one: one restricts parameters for {', '.join(more)}, and the "
                "other one has no restriction"
            )
        return Rule(first.path, capabilities)
    for rule, allowed in zip(rules, restrictions):
        if allowed.keys() != restrictions[0].keys() or set(rule.required) != set(first.required):
            raise ValueError(f"two rules for '{first.path}' restrict different parameters")
    either = {name: _either([allowed[name] for allowed in restrictions]) for name in restrictions[0]}
    return Rule(first.path, capabilities, either, first.required)


def _either(alternatives: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    # No value means any value.
    if not all(alternatives):
        return ()
    return tuple(dict.fromkeys(value for values in alternatives for value in values))


class _Use(NamedTuple):
    """The paths and capabilities that a use of a key needs, below the engine's path, with KEY for the key's name.

    Attributes:
        engine: what the use also needs for all keys of the engine, with ENGINE for the engine's path.
        beside: what the use needs of the engine's other keys even for a single key, with ENGINE for the engine's path.
        parameters: for paths of `rules`, the only parameters that requests may have.
        sent: the parameter that carries the value, where access can be granted for single secrets.
        versions: whether the version of the key can be chosen.
    """

    rules: tuple[tuple[str, tuple[str, ...]], ...]
    engine: tuple[tuple[str, tuple[str, ...]], ...] = ()
    beside: tuple[tuple[str, tuple[str, ...]], ...] = ()
    parameters: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    sent: str = ""
    versions: bool = False


_USES: dict[str, _Use] = {
    # The key's versions show whether a backup is out of date, and what restoring one would destroy.
    "backup": _Use((("keys/KEY", ("read",)), ("backup/KEY", ("read",)), ("restore/KEY", ("update",)))),
    # Who gets a data key in plaintext could as well have one without.
    "datakey": _Use((("datakey/plaintext/KEY", ("update",)), ("datakey/wrapped/KEY", ("update",)))),
    "decrypt": _Use((("decrypt/KEY", ("update",)),), sent="ciphertext"),
    "delete": _Use((("keys/KEY", ("read", "delete")),)),
    # Not `create`, with which a mistyped name would make a key.
    "encrypt": _Use((("encrypt/KEY", ("update",)),), sent="plaintext", versions=True),
    "hmac": _Use((("hmac/KEY", ("update",)),)),
    # The key's public key, or that it exists, shows whether there is anything to import.
    "import": _Use(
        (("keys/KEY", ("read",)), ("keys/KEY/import", ("update",)), ("keys/KEY/import_version", ("update",))),
        beside=(("ENGINE/wrapping_key", ("read",)),),
        # As for `rotate`: nothing that could never be turned off again, and no rotation by the server.
        parameters={"keys/KEY/import": ("ciphertext", "derived", "hash_function", "public_key", "type")},
    ),
    "provision": _Use(
        # Creating a key is an update as well.
        (("keys/KEY", ("read", "update")), ("keys/KEY/config", ("update",))),
        engine=(
            ("sys/mounts/ENGINE", ("read", "update")),
            ("sys/mounts/ENGINE/tune", ("read", "update")),
            ("ENGINE/keys", ("list",)),
            ("ENGINE/config/keys", ("read", "update")),
            ("ENGINE/cache-config", ("read", "update")),
        ),
    ),
    "read": _Use((("keys/KEY", ("read",)),), engine=(("ENGINE/keys", ("list",)),)),
    "rewrap": _Use((("rewrap/KEY", ("update",)),), sent="ciphertext", versions=True),
    # The whole life of a rotation, without decrypt.
    "rotate": _Use(
        (
            ("keys/KEY", ("read",)),
            ("keys/KEY/config", ("update",)),
            ("keys/KEY/rotate", ("update",)),
            ("keys/KEY/trim", ("update",)),
            ("hmac/KEY", ("update",)),
            ("rewrap/KEY", ("update",)),
            ("verify/KEY", ("update",)),
        ),
        # A ciphertext that another key can rewrap belongs to that key, and may stay as it is.
        beside=(
            ("ENGINE/keys", ("list",)),
            (f"ENGINE/keys/{ANY_KEY}", ("read",)),
            (f"ENGINE/rewrap/{ANY_KEY}", ("update",)),
        ),
        # `exportable` and `allow_plaintext_backup` could never be turned off again.
        parameters={"keys/KEY/config": FLOORS},
    ),
    "sign": _Use((("sign/KEY", ("update",)),)),
    "trim": _Use((("keys/KEY", ("read",)), ("keys/KEY/trim", ("update",)))),
    # A stored fingerprint is compared with a new one. Signatures take `verify/KEY` alone.
    "verify": _Use((("hmac/KEY", ("update",)), ("verify/KEY", ("update",)))),
}

USES = tuple(_USES)

# These can be granted for single secrets of a derived key.
FOR_SECRETS = tuple(name for name, use in _USES.items() if use.sent)


def grant_rules(use: str, backend: str, key: str | None = None, secrets: Sequence[str] = ()) -> tuple[Rule, ...]:
    """The rules that a token needs for this use of a key, and no more.

    Args:
        use: one of `USES`.
        backend: the engine's path.
        key: the key's name, ``None`` for all keys of the engine.
        secrets: names, which are contexts of a derived key. The use is then allowed for these alone, one per request.
            Under a key that is not derived the server ignores the context, and the secrets would not be kept apart.
    """
    needed = _USES[use]
    allowed, required = _only(needed, secrets)
    rules = [
        Rule(
            f"{backend}/{path.replace('KEY', key or ANY_KEY)}",
            capabilities,
            dict.fromkeys(needed.parameters[path], ()) if path in needed.parameters else allowed,
            required,
        )
        for path, capabilities in needed.rules
    ]
    more = (*needed.beside, *(needed.engine if key is None else ()))
    rules += [Rule(path.replace("ENGINE", backend), capabilities) for path, capabilities in more]
    return merged(rules) if needed.beside else tuple(rules)


def _only(needed: _Use, secrets: Sequence[str]) -> tuple[Mapping[str, tuple[str, ...]] | None, tuple[str, ...]]:
    """The parameters that requests for these secrets may have, and those that they must have."""
    if not secrets:
        return None, ()
    # The server compares a parameter as it is sent. `batch_input`, which would circumvent the restriction,
    # is refused because it is not listed.
    contexts = tuple(base64.b64encode(name.encode("utf-8")).decode("ascii") for name in secrets)
    allowed = {needed.sent: (), "context": contexts, **({"key_version": ()} if needed.versions else {})}
    return allowed, ("context", needed.sent)


def merged(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """One rule for each path, by path. Of two rules for a path the server uses the last one alone.

    Raises:
        ValueError: two rules for one path restrict different parameters, or one of them frees what the other restricts.
    """
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.path, []).append(rule)
    return tuple(same[0] if len(same) == 1 else _union(same) for _path, same in sorted(found.items()))


def hcl(rules: Iterable[Rule], description: str = "") -> str:
    """The policy in the server's language. The description becomes a comment.

    Raises:
        ValueError: as `merged`.
    """
    blocks = [f"# {line}".rstrip() for line in description.splitlines()]
    blocks += [_block(rule).rstrip("\n") for rule in merged(rules)]
    return "\n".join(blocks) + "\n"


def _block(rule: Rule) -> str:
    parts = [attributes({"capabilities": rule.capabilities})]
    if rule.required:
        parts.append(attributes({"required_parameters": sorted(rule.required)}))
    if rule.allowed is not None:
        allowed = {text(name): values for name, values in sorted(rule.allowed.items())}
        parts.append(block("allowed_parameters =", attributes(allowed, aligned=False)))
    return block(f"path {text(rule.path)}", *parts, gap="")


def read_rules(policy: str) -> tuple[Rule, ...]:
    """The rules of a policy that `hcl` wrote.

    Raises:
        ValueError: the policy holds something that `hcl` does not write.
    """
    tokens = [token for token in _tokens(policy) if not token.startswith("#")]
    rules = []
    while tokens:
        rule, tokens = _read_rule(tokens)
        rules.append(rule)
    # Not only what the reader knows how to skip: nothing may be lost.
    if not same_policy(hcl(rules), "\n".join(token for token in _tokens(policy) if not token.startswith("#"))):
        raise ValueError("the policy holds more than grants")
    return tuple(rules)


def _read_rule(tokens: Sequence[str]) -> tuple[Rule, list[str]]:
    if len(tokens) < _SHORTEST or tokens[0] != "path" or tokens[2] != "{":
        raise ValueError("the policy holds something else than paths")
    capabilities: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    allowed: dict[str, tuple[str, ...]] | None = None
    rest = list(tokens[3:])
    while rest and rest[0] != "}":
        name, rest = rest[0], rest[2:]
        if name == "allowed_parameters":
            allowed, rest = _read_parameters(rest[1:])
        elif name in ("capabilities", "required_parameters"):
            values, rest = _read_texts(rest)
            capabilities, required = (values, required) if name == "capabilities" else (capabilities, values)
        else:
            raise ValueError(f"the policy sets {name}")
    return Rule(_read_text(tokens[1]), capabilities, allowed, required), rest[1:]


def _read_parameters(tokens: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    allowed: dict[str, tuple[str, ...]] = {}
    rest = list(tokens)
    while rest and rest[0] != "}":
        name = _read_text(rest[0])
        allowed[name], rest = _read_texts(rest[2:])
    return allowed, rest[1:]


def _read_texts(tokens: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    if not tokens or tokens[0] != "[" or "]" not in tokens:
        raise ValueError("the policy has no list where one is expected")
    end = list(tokens).index("]")
    return tuple(_read_text(token) for token in tokens[1:end] if token != ","), list(tokens[end + 1 :])


def _read_text(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError("the policy has no text where one is expected")
    value: str = json.loads(token)
    return value


def same_rules(one: Iterable[Rule], other: Iterable[Rule]) -> bool:
    """Whether rules, merged, allow the same, in any order."""
    return set(map(_unordered, one)) == set(map(_unordered, other))


def _unordered(rule: Rule) -> tuple[object, ...]:
    allowed = None if rule.allowed is None else frozenset((name, frozenset(of)) for name, of in rule.allowed.items())
    return (rule.path, frozenset(rule.capabilities), allowed, frozenset(rule.required))


# path "NAME" {
_SHORTEST = 3

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|(?:#|//)[^\n]*|/\*.*?\*/|[\w.+*/-]+|\S', re.DOTALL)


def same_policy(one: str, other: str) -> bool:
    """Whether two texts differ at most in white space outside of quotes."""
    return _tokens(one) == _tokens(other)


def _tokens(text: str) -> list[str]:
    return [token.rstrip() for token in _TOKEN.findall(text)]
