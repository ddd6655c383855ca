# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the doctor found, thing by thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `remark` is for what works and yet may surprise; only `wrong` is a reason to fail.
Level = Literal["ok", "remark", "wrong"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. No part of it is ever a secret.

    Attributes:
        name: of the thing.
        found: how it is.
        advice: what to do about it.
        stack: which stack of the program it is about, where not all.
    """

    name: str
    level: Level
    found: str
    advice: str = ""
    stack: str = ""

    def as_data(self) -> dict[str, object]:
        """For a machine to read."""
        return {
            "name": self.name,
            "stack": self.stack,
            "level": self.level,
            "ok": self.level != "wrong",
            "found": self.found,
            "advice": self.advice,
        }
