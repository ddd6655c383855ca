# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the collection's action plugins. **Private** to the collection."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.handover import (
    with_configuration,
    with_token,
    without_connection,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.in_process import (
    can_run_in_process,
    check_as_a_linter,
    load_in_process,
    run_in_process,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.spelling import spelling_problem
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import (
    load_definitions,
    read_options,
)


class TransitAction(ActionBase):
    """Adds the controller's configuration to the task's options, and runs the module where it is fastest.

    For a task on the controller as the same user, the module's code runs in this process. Otherwise Ansible transfers
    the module as usual, with the run's token instead of credentials where the controller can log in.
    """

    MODULE: str
    """Name of the module, set by each action plugin."""

    LOGS_IN = True
    """Whether the module needs a token of its own."""

    CONNECTS = True
    """Whether the module needs the server. Otherwise nothing of the connection is sent."""

    TRANSFERS_FILES = False
    _supports_async = True

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Import the module, and read what the options can be, when Ansible loads the plugin.

        Ansible loads it before it forks a worker for each task and host. The workers inherit what is imported then, and
        each of them would need 200 ms to do this by itself.
        """
        super().__init_subclass__(**arguments)
        if hasattr(cls, "MODULE"):
            load_in_process(cls.MODULE)
            load_definitions()

    @classmethod
    def main(cls) -> None:
        """Of the module, for linters that look for it here."""
        check_as_a_linter(cls.MODULE)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        try:
            self._check_names()
            arguments = self._arguments(variables)
        except InvalidOption as error:
            return {**result, "failed": True, "msg": error.message}
        result.update(self._run_module(self.MODULE, arguments, variables, logs_in=self.LOGS_IN))
        return result

    def _check_names(self) -> None:
        """
        Raises:
            InvalidOption: the task has an option that the module does not have.
        """
        problem = spelling_problem(self.MODULE, self._task.args)
        if problem:
            raise InvalidOption(problem)

    def _arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The task's options, completed by the controller's configuration of the connection."""
        if not self.CONNECTS:
            return without_connection(self._task.args)
        configured, refused = read_options(variables, self._templar, self._task_environment())
        return with_configuration(self._task.args, configured, refused)

    def _run_module(
        self, module: str, arguments: dict[str, Any], variables: dict[str, Any], *, logs_in: bool
    ) -> dict[str, Any]:
        """Run a module where it is fastest."""
        full_name = f"mlkeys.transit.{module}"
        if self._runs_in_process() and can_run_in_process(module):
            # The module then uses them, and keeps its login for the other items of a loop.
            run_sessions()
            self._update_module_args(full_name, arguments, variables)
            return run_in_process(module, arguments)
        # A job in the background may outlive the run, and so the run's token.
        shared = logs_in and not self._task.async_val
        result: dict[str, Any] = self._execute_module(
            module_name=full_name,
            module_args=with_token(arguments) if shared else arguments,
            task_vars=variables,
            wrap_async=bool(self._task.async_val),
        )
        return result

    def _task_environment(self) -> dict[str, str]:
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        return environment

    def _runs_in_process(self) -> bool:
        """Whether the module would run on this machine, as this user, in this environment, while the task waits."""
        if self._connection.transport != "local" or self._task.async_val:
            return False
        if self._task.become or self._play_context.become:
            return False
        return not any(self._task.environment or ())
