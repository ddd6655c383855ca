# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What all plans have in common: states, and the refusal of what cannot be reached. Pure. **Private**.

A plan is always made, also in check mode; its ``before`` and ``after`` are the diff. A state that cannot be reached is
refused before the first write, with all reasons at once.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible

State = Dict[str, Any]


def refuse(subject: str, reasons: Sequence[str]) -> None:
    """Raise `ChangeImpossible` when there is any reason to."""
    if reasons:
        raise ChangeImpossible(subject, reasons)


def fixed(name: str, before: Any, value: Any) -> str:
    """The reason why an attribute cannot change."""
    return f"{name} is {_text(before)} and cannot become {_text(value)} (it is set at creation)"


def _text(value: Any) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else f"'{value}'" if isinstance(value, str) else str(value)
