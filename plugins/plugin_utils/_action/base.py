# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands before all modules of the collection on the controller. **Private** to the collection."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.session import run_sessions
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.handover import with_configuration, with_token
from ansible_collections.mlkeys.transit.plugins.plugin_utils._action.in_process import can_run_here, load_here, run_here
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import controller_options


class TransitAction(ActionBase):
    """Adds the controller's configuration to the task's options, and runs the module where it is cheapest.

    A task that stays on the controller as the same user runs the module's code in this process. Everywhere else the
    module is sent as usual, and gets the run's token instead of credentials where the controller can obtain one.
    """

    MODULE: str
    """Name of the module, which each action plugin gives."""

    LOGS_IN = True
    """Whether the module needs a token of its own."""

    TRANSFERS_FILES = False
    _supports_async = True

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Import the module when Ansible loads the plugin.

        Ansible loads it before it forks a worker for each task and host. The workers inherit what is imported then, and
        each of them would need 100 ms to import it by itself.
        """
        super().__init_subclass__(**arguments)
        if hasattr(cls, "MODULE"):
            load_here(cls.MODULE)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        result.update(self._carry_out(self.MODULE, self._arguments(variables), variables, logs_in=self.LOGS_IN))
        return result

    def _arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The task's options, completed by what else configures the connection."""
        configured = controller_options(variables, self._templar, self._task_environment())
        return with_configuration(self._task.args, configured)

    def _carry_out(
        self, module: str, arguments: dict[str, Any], variables: dict[str, Any], *, logs_in: bool
    ) -> dict[str, Any]:
        """The result of a module, run where it is cheapest."""
        full_name = f"mlkeys.transit.{module}"
        if self._stays_here() and can_run_here(module):
            # The module finds them and keeps its login for the other items of a loop.
            run_sessions()
            self._update_module_args(full_name, arguments, variables)
            return run_here(module, arguments)
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

    def _stays_here(self) -> bool:
        """Whether the module would run on this machine, as this user, in this environment, while the task waits."""
        if self._connection.transport != "local" or self._task.async_val:
            return False
        if self._task.become or self._play_context.become:
            return False
        return not any(self._task.environment or ())
