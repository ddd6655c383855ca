# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts may hold ciphertexts, and which of them were not searched. Pure. **Private** to the collection."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import Any, Iterable, Mapping

# A host that has one of these variables may hold ciphertexts.
PLACES = (
    "vault_transit_host_paths",
    "vault_transit_host_files",
    "vault_transit_host_services",
    "vault_transit_host_vars_files",
)

# The play searches these hosts alone, and who sets it says that no other one holds any.
_PATTERN = "vault_transit_hosts"
# The pattern of the hosts of one run, by which more may be left out.
_LIMIT = "vault_transit_limit"
# Whether a host that has none of them is known to hold none: a program describes all that it puts on hosts.
_KNOWN = "vault_transit_undeclared"

# The reason for a host that has none of them. An empty list says that there is nothing.
UNDECLARED = "it declares nothing to search: set vault_transit_host_paths, to [] if it holds no ciphertexts"

# A name that is as near to one of the variables as this is a misspelling.
_NEAR = 0.95

# The reason for a host without results because no task ran on it, as with --limit.
NOT_TRIED = "left out of this run"


def missing_reason(
    variables: Mapping[str, Any], results: Iterable[Mapping[str, Any]], *, is_controller: bool = False
) -> str | None:
    """Why a host was not searched; ``None`` if it was, or has nothing to search.

    Args:
        results: those of the tasks that search it, the last one first. After a failed task there are no more.
        is_controller: whether it holds the encrypted vars files, and need not have anything else.
    """
    wrong = misspelt(variables)
    if wrong:
        return wrong
    answers = list(results)
    if answers and "ciphertexts" in answers[0] and not answers[0].get("failed"):
        return None
    if not any(variables.get(name) for name in PLACES):
        if is_controller or _is_empty(variables, answers):
            return None
        return NOT_TRIED if variables.get(_LIMIT) and not any(answers) else UNDECLARED
    for answer in answers:
        if answer.get("unreachable"):
            return "unreachable"
        if answer.get("failed"):
            return f"failed: {str(answer.get('msg', '')).rstrip('.')}"
        if answer.get("skipped"):
            # Nothing on this host is declared that could hold one.
            return None
    return NOT_TRIED


def _is_empty(variables: Mapping[str, Any], answers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether somebody says that a host without any of the variables holds nothing."""
    if variables.get(_KNOWN) or any(variables.get(name) is not None for name in PLACES):
        return True
    return variables.get(_PATTERN) is not None and not any(answers)


def misspelt(variables: Mapping[str, Any]) -> str:
    """What is wrong with the name of a variable that nothing reads; empty if nothing is."""
    for name in variables:
        meant = _meant(name) if "transit" in str(name) else ""
        if meant and meant not in variables:
            return f"nothing reads its variable {name}. Did you mean '{meant}'?"
    return ""


@lru_cache(maxsize=1000)
def _meant(name: str) -> str:
    near = [] if name in PLACES else difflib.get_close_matches(name, PLACES, n=1, cutoff=_NEAR)
    return near[0] if near else ""
