# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection in this process and read its result as Ansible would.

Either alone, as on a target, or by its action plugin, as in a worker on the controller.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.common import warnings as module_warnings


class ModuleResult(dict[str, Any]):
    """The result of a module, as printed: values of secret options are already masked."""

    @property
    def failed(self) -> bool:
        return bool(self.get("failed", False))

    @property
    def changed(self) -> bool:
        return bool(self.get("changed", False))

    @property
    def msg(self) -> str:
        return str(self.get("msg", ""))

    @property
    def warnings(self) -> list[str]:
        # Since core 2.19 a warning is an object, of which tests need the text.
        return [item if isinstance(item, str) else item["event"]["msg"] for item in self.get("warnings", [])]


def run_module(
    name: str,
    params: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = True,
    env: Mapping[str, str] | None = None,
) -> ModuleResult:
    """Run `mlkeys.transit.<name>` and return its result; an exception that escapes it escapes here too."""
    if _by_action:
        return _run_action(name, params, check=check, diff=diff, env=env or {})
    module = importlib.import_module(f"ansible_collections.mlkeys.transit.plugins.modules.{name}")
    arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_module_name": name}
    printed = io.StringIO()
    with (
        module_arguments(arguments),
        _as_on_a_target(),
        mock.patch.dict(os.environ, env or {}),
        contextlib.redirect_stdout(printed),
    ):
        status = _status_of(module.main)
    result = ModuleResult(json.loads(printed.getvalue()))
    if status != (1 if result.failed else 0):
        raise AssertionError(f"{name} ended with status {status} and failed={result.failed}")
    return result


_by_action: list[bool] = []


@contextlib.contextmanager
def by_action() -> Iterator[None]:
    """Let `run_module` use the action plugins, which run the module in process if possible."""
    _by_action.append(True)
    try:
        yield
    finally:
        _by_action.pop()


def _run_action(
    name: str, params: Mapping[str, Any], *, check: bool, diff: bool, env: Mapping[str, str]
) -> ModuleResult:
    from ansible.parsing.dataloader import DataLoader
    from ansible.playbook.play_context import PlayContext
    from ansible.playbook.task import Task
    from ansible.plugins.loader import action_loader, connection_loader
    from ansible.template import Templar

    loader = DataLoader()
    task = Task.load({f"mlkeys.transit.{name}": dict(params), "check_mode": check, "diff": diff}, loader=loader)
    context = PlayContext()
    with mock.patch.dict(os.environ, env), _as_on_a_target(), _a_run_of_its_own():
        action = action_loader.get(
            f"mlkeys.transit.{name}",
            task=task,
            connection=connection_loader.get("ansible.builtin.local", context),
            play_context=context,
            loader=loader,
            templar=Templar(loader=loader, variables={}),
            shared_loader_obj=None,
        )
        if not action._runs_in_process():
            raise AssertionError("the module would be transferred")
        return ModuleResult(action.run(task_vars={"inventory_hostname": "localhost"}))


@contextlib.contextmanager
def _a_run_of_its_own() -> Iterator[None]:
    """Sessions that start and end with this run, as in a real one."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection import session

    sessions = session.Sessions()
    with mock.patch.object(session, "_of_this_run", [sessions]):
        try:
            yield
        finally:
            sessions.close()


def _status_of(main: Callable[[], None]) -> object:
    """The exit status; a module always ends the process, by exit_json or fail_json."""
    try:
        main()
    except SystemExit as ended:
        return ended.code
    raise AssertionError("the module returned without a result")


def module_arguments(arguments: Mapping[str, Any]) -> contextlib.AbstractContextManager[Any]:
    """What the next module gets as its options."""
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # before core 2.19
        text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        return mock.patch.object(basic, "_ANSIBLE_ARGS", text)
    return patch_module_args(dict(arguments))


@contextlib.contextmanager
def _as_on_a_target() -> Iterator[None]:
    """Put warnings into the result, not on the display, and forget those of earlier runs."""
    module_warnings._global_warnings.clear()
    module_warnings._global_deprecations.clear()
    with contextlib.ExitStack() as patches:
        with contextlib.suppress(ImportError):
            from ansible.module_utils import _internal  # the flag is new in core 2.19

            patches.enter_context(mock.patch.object(_internal, "is_controller", new=False, create=True))
        yield
