# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what callbacks such as json and profile_tasks show into the file that EVERYTHING names: results and tasks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: everything
type: notification
short_description: Writes all that callbacks are given into a file
description:
  - For tests.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "everything"
    CALLBACK_NEEDS_ENABLED = True

    def v2_on_any(self, *args: Any, **kwargs: Any) -> None:
        with Path(os.environ["EVERYTHING"]).open("a", encoding="utf-8") as file:
            for value in (*args, *kwargs.values()):
                shown = (getattr(value, name, None) for name in ("_result", "result", "args", "name"))
                file.write(f"{value!r} {[*shown]!r}\n")
