# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The least that is needed to use a key, as rules of a policy."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.policy import Policy
from mlkeys._location import call_site

if TYPE_CHECKING:
    from mlkeys._constructs.key import TransitSecretBackendKey

Grantee: TypeAlias = AppRole | Policy
Verb: TypeAlias = Literal["encrypt", "decrypt", "rewrap", "rotate"]

_SENT = {"encrypt": "plaintext", "decrypt": "ciphertext"}


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted: the policy that says so now."""

    policy: Policy


def grant(key: TransitSecretBackendKey, grantee: Grantee, verb: Verb, names: tuple[str, ...] = ()) -> Grant:
    """Add to the grantee's policy what this use of the key needs, and nothing more."""
    if not isinstance(grantee, (AppRole, Policy)):
        key.node.add_problem(
            f"grant_{verb}() takes an AppRole or a Policy, not a {type(grantee).__name__}", call_site()
        )
        return Grant(Policy(key, f"refused-{verb}").allow("refused", "read"))
    policy = grantee.grants if isinstance(grantee, AppRole) else grantee
    if verb == "rotate":
        policy.allow(f"{key.backend}/keys/{key.name}/rotate", "update")
        policy.allow(f"{key.backend}/keys/{key.name}", "read")
        return Grant(policy)
    if names and not key.derived:
        key.node.add_problem("only a derived key keeps its entries apart: names need derived=True", call_site())
    # The server compares the parameter as it is sent. Without the other name in the list it would be refused, and
    # `batch_input`, which would go round the restriction, is refused by not being there.
    contexts = tuple(base64.b64encode(name.encode()).decode("ascii") for name in names)
    parameters = {_SENT[verb]: (), "context": contexts} if names and verb in _SENT else None
    policy.allow(f"{key.backend}/{verb}/{key.name}", "update", parameters=parameters)
    return Grant(policy)
