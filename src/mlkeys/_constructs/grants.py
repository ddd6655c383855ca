# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Grants: the least rights that a use of a key needs, as rules of a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.policy import Policy
from mlkeys._model.location import call_site
from mlkeys._model.not_text import NotText
from mlkeys._model.types import SECRETS, all_now, instance, taken, wrong
from mlkeys._providers.literals import shown
from mlkeys._shared.policy import grant_rules

Grantee: TypeAlias = AppRole | Policy
Verb: TypeAlias = Literal["datakey", "decrypt", "encrypt", "import", "rewrap", "rotate", "sign", "verify"]


@dataclass(frozen=True, slots=True)
class Grant(NotText):
    """A grant.

    Attributes:
        policy: the policy that holds its rules.
    """

    OFFERS: ClassVar[Mapping[str, str]] = {"policy": "use its .policy.name"}

    policy: Policy


_GRANTEE = instance((AppRole, Policy), "an AppRole or a Policy", None, wanted="grantee")


def grant(key: KeyResource, grantee: Grantee, verb: Verb, secrets: Sequence[str] | None = None) -> Grant:
    """Add the rights that this use of the key needs, and no others, to the grantee's policy."""
    if not isinstance(grantee, (AppRole, Policy)):
        key.node.add_problem(wrong(f"the grantee of grant_{verb}()", _GRANTEE, grantee), call_site())
        return Grant(Policy(key, f"refused-{verb}").allow("refused", "read"))
    policy = grantee.grants if isinstance(grantee, AppRole) else grantee
    names = () if secrets is None else _names(key, secrets)
    if names and not key.derived:
        key.node.add_problem("secrets requires a derived key: set derived=True", call_site())
    for name in names:
        key.granted.setdefault(name, call_site())
    for rule in grant_rules(verb, str(key.backend), str(key.name), names):
        policy.add(rule)
    return Grant(policy)


def _names(key: KeyResource, secrets: object) -> tuple[str, ...]:
    """Return the names of secrets in a grant; anything else is reported."""
    if isinstance(secrets, str):
        key.node.add_problem(f"secrets must be a list of names, such as secrets=[{shown(secrets)}]", call_site())
        return (secrets,)
    if not SECRETS.fits(secrets):
        key.node.add_problem(wrong("secrets", SECRETS, secrets), call_site())
        return ("refused",)
    names = all_now(key, "secrets", taken(key, "secrets", secrets, SECRETS))
    if not names:
        key.node.add_problem("secrets is empty: leave it out to grant access to all secrets", call_site())
    elif not all(names):
        key.node.add_problem("secrets holds an empty name", call_site())
    return names
