# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of Python in the environments of tests: lets Ansible load its plugins before it forks.

Ansible loads filters and tests when it evaluates the first template, and connections when it needs one, which is in the
process of a task. So each of these processes loads all of them again, which is a third of what a task costs. One that
uses a filter of the collection loads all of those as well.

What there is at a fork is no longer looked through for garbage: that would copy all of the memory to the new process.
"""

from __future__ import annotations

import gc
import os
import sys


def _load() -> None:
    if "ansible.executor.process.worker" in sys.modules:
        loaders = sys.modules["ansible.plugins.loader"]
        loaders.filter_loader.get("bool")
        loaders.test_loader.get("defined")
        loaders.connection_loader.get("local", class_only=True)
        loaders.shell_loader.get("sh", class_only=True)
        if "ansible_collections.mlkeys.transit" in sys.modules:
            loaders.filter_loader.get("mlkeys.transit.shaped")
        gc.freeze()


os.register_at_fork(before=_load)
