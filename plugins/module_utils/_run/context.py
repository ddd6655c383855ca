# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What every reconciler knows of the run that it is part of. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunContext:
    """The run that a reconciler is part of.

    Attributes:
        dry_run: make the plan and skip the writes, as in check mode: the prediction is the plan that a run applies.
        now: when the run began, in seconds since the epoch.
    """

    dry_run: bool
    now: float
