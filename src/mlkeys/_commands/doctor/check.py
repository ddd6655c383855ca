# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The results of `mlkeys doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `remark`: works, but may be unexpected. Only `wrong` makes the command fail.
Level = Literal["ok", "remark", "wrong"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. It never contains a secret.

    Attributes:
        name: what was checked.
        found: the result.
        advice: what to do about it.
        stack: the stack of the program that it is about; empty for all.
    """

    name: str
    level: Level
    found: str
    advice: str = ""
    stack: str = ""

    def as_data(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "stack": self.stack,
            "level": self.level,
            "ok": self.level != "wrong",
            "found": self.found,
            "advice": self.advice,
        }
