# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Policies from grants: read the actual policy, write the wanted one. **Private** to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._access.api import Policies
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    MountNotFound,
    PermissionDenied,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import mount_problem, name_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import (
    FOR_SECRETS,
    RESERVED,
    Rule,
    grant_rules,
    hcl,
    merged,
    read_rules,
    same_policy,
    same_rules,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit

_MANAGED = "Managed by "
_COMMENT = f"# {_MANAGED}"
_NAME = re.compile(r"[a-z0-9_][a-z0-9_./-]*")
_RAW_PATH = re.compile(r'\bpath\s+"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Grant:
    """What a policy allows with one key of an engine.

    Attributes:
        backend: where the engine is mounted.
        key: the key's name, ``None`` for all keys of the engine.
        allow: names of `USES`.
        secrets: the only secrets that the uses are allowed for, ``None`` for all.
    """

    backend: str
    key: str | None
    allow: tuple[str, ...]
    secrets: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PolicyRequest:
    """What is wanted of one policy: the options of ``vault_transit_policy``, checked.

    Attributes:
        text: the whole policy.
        rules: what the grants allow.
        comment: what stands above the rules.
        manager: who may change it, empty for everybody.
        former: managers from whom it is taken over.
        keeps: whether the policy keeps its present grants.
    """

    name: str
    present: bool = True
    grants: tuple[Grant, ...] = ()
    text: str = ""
    rules: tuple[Rule, ...] = ()
    comment: str = ""
    manager: str = ""
    former: tuple[str, ...] = ()
    keeps: bool = False


def policy_request(options: Mapping[str, Any]) -> PolicyRequest:
    """The request that the options of ``vault_transit_policy`` make.

    Raises:
        InvalidOption: with everything that cannot be right.
    """
    # The server knows a policy by lower-case letters only.
    name = options["name"].lower()
    if options["state"] == "absent":
        _refuse(name, _name_problems(name))
        return PolicyRequest(
            name, present=False, manager=options.get("managed_by") or "", keeps=bool(options.get("keep_grants"))
        )
    grants = tuple(_grant(given, options["backend"]) for given in options.get("grants") or ())
    raw = (options.get("rules") or "").strip()
    rules = [rule for grant in grants for rule in _rules_of(grant)]
    manager = options.get("managed_by") or ""
    one_line = [] if "\n" not in manager else ["managed_by is one line"]
    keeps = bool(options.get("keep_grants"))
    both = ["keep_grants and rules exclude each other"] if keeps and raw else []
    _refuse(name, [*_name_problems(name), *one_line, *both, *_problems(grants, raw), *_overlaps(rules, raw)])
    described = [f"{_MANAGED}{manager}"] if manager else []
    described += [options["description"]] if options.get("description") else []
    comment = "\n".join(described)
    return PolicyRequest(
        name,
        grants=grants,
        text=policy_text(rules, raw, comment),
        rules=tuple(rules),
        comment=comment,
        manager=manager,
        former=tuple(options.get("former_managers") or ()),
        keeps=keeps,
    )


def _grant(given: Mapping[str, Any], backend: str) -> Grant:
    secrets = given.get("secrets")
    return Grant(
        backend=(given.get("backend") or backend).strip("/"),
        key=given.get("key"),
        allow=tuple(given["allow"]),
        secrets=None if secrets is None else tuple(secrets),
    )


def reconcile_policy(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Bring one policy to the state that the options of ``vault_transit_policy`` describe."""
    request = policy_request(options)
    policies = Policies(client)
    if not request.present:
        return _remove(policies, request, run)
    actual = policies.read(request.name)
    _check_manager(request, actual)
    warnings = _check_derivation(client, request.grants)
    wanted, problem = _with_kept(request, actual)
    changed = actual is None or not same_policy(actual, wanted)
    if changed and not run.dry_run:
        policies.write(request.name, wanted)
    shown = wanted if changed else actual
    result = {
        "policy": {"name": request.name, "rules": shown},
        "grants_kept": not same_policy(wanted, request.text),
    }
    return Outcome(changed, actual or "", shown, result, (*warnings, *problem))


def _with_kept(request: PolicyRequest, actual: str | None) -> tuple[str, tuple[str, ...]]:
    """The wanted text, with what the policy grants already if that is to stay, and a warning if it cannot."""
    if not request.keeps or actual is None:
        return request.text, ()
    try:
        both = merged([*read_rules(actual), *request.rules])
        # In the order of the grants, unless there is more.
        return request.text if same_rules(both, merged(request.rules)) else hcl(both, request.comment), ()
    except ValueError:
        problem = "held more than grants that this module writes, so that what it allowed could not be kept"
        return request.text, (f"Policy '{request.name}' {problem}.",)


def _check_manager(request: PolicyRequest, actual: str | None) -> None:
    """
    Raises:
        ChangeImpossible: somebody else manages the policy.
    """
    first = (actual or "").partition("\n")[0]
    manager = first[len(_COMMENT) :].strip() if first.startswith(_COMMENT) else ""
    known = [one.split()[-1:] for one in (request.manager, *request.former)]
    if request.manager and manager and manager.split()[-1:] not in known:
        raise ChangeImpossible(
            f"The policy '{request.name}' cannot be changed", [f"it is managed by {manager}, and not by you"]
        )


def _remove(policies: Policies, request: PolicyRequest, run: RunContext) -> Outcome:
    name = request.name
    actual = policies.read(name)
    _check_manager(request, actual)
    if request.keeps and actual is not None:
        result = {"policy": {"name": name, "rules": actual}, "grants_kept": True}
        return Outcome(changed=False, before=actual, after=actual, result=result)
    if actual is not None and not run.dry_run:
        policies.delete(name)
    changed = actual is not None
    return Outcome(changed, actual or "", "", {"policy": None, "grants_kept": False})


def policy_text(rules: Sequence[Rule], raw: str, description: str) -> str:
    """The whole policy: the rules of the grants, then the rules written by hand."""
    parts = [hcl(rules, description)] if rules or description else []
    if raw:
        parts.append(f"{raw}\n")
    return "\n".join(parts)


def _rules_of(grant: Grant) -> list[Rule]:
    return [
        rule
        for use in grant.allow
        # What does not go together is refused later on, with everything else that is wrong.
        for rule in grant_rules(use, grant.backend, grant.key, (grant.secrets or ()) if use in FOR_SECRETS else ())
    ]


def _name_problems(name: str) -> list[str]:
    if name in RESERVED:
        return ["it is the server's own"]
    if not _NAME.fullmatch(name):
        return ["a policy's name is made of letters, digits, '_', '-', '.' and '/'"]
    return []


def _problems(grants: Sequence[Grant], raw: str) -> list[str]:
    problems = []
    if not grants and not raw:
        problems.append("it would allow nothing: give grants or rules")
    for number, grant in enumerate(grants, start=1):
        problems += [f"grant {number}: {problem}" for problem in _grant_problems(grant)]
    return problems


def _grant_problems(grant: Grant) -> list[str]:
    problems = []
    if not grant.allow:
        problems.append("allow is empty")
    places = (mount_problem(grant.backend), None if grant.key is None else name_problem(grant.key))
    problems += [problem for problem in places if problem]
    # These stand for any name in a policy.
    if any(sign in grant.backend for sign in "*+"):
        problems.append(f"'{grant.backend}' cannot be granted: '+' stands for any name in a policy")
    if grant.secrets is not None and not all(grant.secrets):
        problems.append("secrets holds an empty name")
    if grant.secrets == ():
        problems.append("secrets is empty: leave it out to grant access to all secrets")
    unrestricted = [use for use in grant.allow if use not in FOR_SECRETS]
    if grant.secrets and unrestricted:
        problems.append(
            f"{', '.join(unrestricted)} cannot be granted for single secrets, only {', '.join(FOR_SECRETS)} can: "
            "put the uses of the whole key into a grant of its own"
        )
    return problems


def _overlaps(rules: Sequence[Rule], raw: str) -> list[str]:
    granted = {rule.path for rule in rules}
    return [
        f"rules and grants both have the path '{path}', and the server would use the last of them alone"
        for path in dict.fromkeys(_RAW_PATH.findall(raw))
        if path in granted
    ]


def _refuse(name: str, problems: Sequence[str]) -> None:
    if problems:
        raise InvalidOption(f"Policy '{name}': {'; '.join(problems)}.")


def _check_derivation(client: Client, grants: Sequence[Grant]) -> tuple[str, ...]:
    """Refuse to grant single secrets of a key that does not keep them apart.

    Raises:
        ChangeImpossible: the server would let a token decrypt everything that was encrypted with the key.
    """
    warnings = []
    places = dict.fromkeys((grant.backend, grant.key) for grant in grants if grant.secrets and grant.key)
    for backend, key in places:
        what = f"the key '{key}' of the engine '{backend}'"
        unknown = f"Whether {what} is derived is not known (%s). Only a derived key keeps its secrets apart."
        try:
            actual = Transit(client, backend).read_key(key)
        except PermissionDenied:
            warnings.append(unknown % "the token may not read it")
            continue
        except MountNotFound:
            actual = None
        if actual is None:
            warnings.append(unknown % "it does not exist")
        elif not actual.get("derived"):
            raise ChangeImpossible(
                "The policy cannot be written as asked",
                [f"{what} is not derived and would not keep its secrets apart; grant the whole key"],
            )
    return tuple(warnings)
