# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report
type: aggregate
version_added: 0.1.0
short_description: Report a run to the program that started it
description:
  - Writes JSON documents to a file descriptor, one a line. The last one, when the playbook ends, holds the counts of
    each host, what tasks changed, what a check could not compare because it does not exist yet, how many tasks a
    server refused for good, and what tasks set with M(ansible.builtin.set_stats). Those before it name the tasks that
    start, and the tasks that fail with their messages.
  - Of what changed it has the names of attributes. Values are those in the diffs of this collection's modules, if they
    are short. These diffs hold no secrets, and Ansible shows them with C(--diff).
  - Warns of encrypted vars files beside inventories with a merge conflict, of which Ansible's own error says nothing.
  - The command C(mlkeys) enables this callback for the playbooks that it runs. A run without a report has failed.
  - Without the environment variable E(MLKEYS_REPORT_FD), it does nothing.
author:
  - mlkeys contributors (@mlkeys)
requirements:
  - It has to be enabled, C(callbacks_enabled=mlkeys.transit.report) in C(ansible.cfg).
"""

EXAMPLES = r"""
# MLKEYS_REPORT_FD=3 ANSIBLE_CALLBACKS_ENABLED=mlkeys.transit.report ansible-playbook site.yml 3> report.json
"""

from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.conflicts import conflicts
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.report import Report, given_in

#: How the names of this collection's modules begin.
_OWN = "mlkeys.transit."


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "mlkeys.transit.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._report = Report()

    def v2_playbook_on_start(self, *_: Any) -> None:
        for problem in conflicts(context.CLIARGS):
            self._display.warning(problem)
            self._report.add_problem(problem)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002  named by Ansible
        self._report.start(task.get_name().strip())

    # `result.result` and its siblings are newer than core 2.16.

    def v2_runner_item_on_ok(self, result: Any) -> None:
        # A label that the author of the task chose is a name. An item itself may be anything, a secret included.
        if result._task.loop_control.label is not None:  # noqa: SLF001
            label = self._get_item_label(result._result)  # noqa: SLF001
            self._report.add_item(_host(result), label, result._result, _options(result))  # noqa: SLF001

    def v2_runner_on_ok(self, result: Any) -> None:
        self._add_awaited(result)
        self._report.add_change(_task(result), _host(result), result._result, _options(result))  # noqa: SLF001

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._add_awaited(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._report.add_failure(_task(result), _host(result), result._result)  # noqa: SLF001

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._report.add_item_failure(_task(result), _host(result), result._result)  # noqa: SLF001

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._report.add_unreachable(_task(result), _host(result), result._result)  # noqa: SLF001

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._report.send(stats)

    def _add_awaited(self, result: Any) -> None:
        keys = _keys(result) if _is_own(result) else []
        given = given_in(keys[0]) if len(keys) == 1 else []
        self._report.add_awaited(_task(result), _host(result), _made(result), result._result, given)  # noqa: SLF001


def _task(result: Any) -> str:
    return str(result._task.get_name()).strip()  # noqa: SLF001


def _host(result: Any) -> str:
    return str(result._host.get_name())  # noqa: SLF001


def _made(result: Any) -> list[str]:
    """The names of the keys that a task of this collection makes, or one name for whatever else it makes."""
    if not _is_own(result):
        return []
    if keys := _keys(result):
        return [f"{key.get('backend', '')}/{key.get('name', '')}" for key in keys]
    return [""]


def _options(result: Any) -> list[str] | None:
    """The names of options that a task of this collection sets. None for another task."""
    if not _is_own(result):
        return None
    args = result._task.args  # noqa: SLF001
    return [*args, *(name for key in _keys(result) for name in key)]


def _is_own(result: Any) -> bool:
    return bool(result._task.action.startswith(_OWN))  # noqa: SLF001


def _keys(result: Any) -> list[dict[str, Any]]:
    keys = result._task.args.get("keys")  # noqa: SLF001
    return keys if isinstance(keys, list) and all(isinstance(key, dict) for key in keys) else []
