# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records which task changed which host, for scenarios that compare check mode with the run that follows.

Each run creates a file in the folder `changes` of MOLECULE_EPHEMERAL_DIRECTORY.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: changes
type: notification
short_description: Records which task changed which host
description:
  - For tests.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "changes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._playbook = ""
        self._changed: list[tuple[str, str]] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = Path(playbook._file_name).name

    def v2_runner_on_ok(self, result: Any) -> None:
        # Their names differ between versions of Ansible.
        found = getattr(result, "result", None) or result._result
        host, task = getattr(result, "host", None) or result._host, getattr(result, "task", None) or result._task
        if found.get("changed", False):
            self._changed.append((host.get_name(), task.get_name()))

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "changes")
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.iterdir()))
        record = {"playbook": self._playbook, "check": bool(context.CLIARGS["check"]), "changed": self._changed}
        with tempfile.NamedTemporaryFile("w", dir=folder.parent, delete=False, encoding="utf-8") as file:
            json.dump(record, file)
        Path(file.name).rename(folder / f"{number:03}.json")
