# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection in this process and read its answer as Ansible would."""

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
    """What a module returned, as printed: values of secret options are already masked."""

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
        # Since core 2.19 a warning is an object; its text is all that a test looks at.
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
    module = importlib.import_module(f"ansible_collections.mlkeys.transit.plugins.modules.{name}")
    arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_module_name": name}
    printed = io.StringIO()
    with (
        _module_arguments(arguments),
        _as_on_a_target(),
        mock.patch.dict(os.environ, env or {}),
        contextlib.redirect_stdout(printed),
    ):
        status = _status_of(module.main)
    result = ModuleResult(json.loads(printed.getvalue()))
    if status != (1 if result.failed else 0):
        raise AssertionError(f"{name} ended with status {status} and failed={result.failed}")
    return result


def _status_of(main: Callable[[], None]) -> object:
    """The exit status; a module always ends the process, by exit_json or fail_json."""
    try:
        main()
    except SystemExit as ended:
        return ended.code
    raise AssertionError("the module returned without a result")


def _module_arguments(arguments: Mapping[str, Any]) -> contextlib.AbstractContextManager[Any]:
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # before core 2.19
        text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        return mock.patch.object(basic, "_ANSIBLE_ARGS", text)
    return patch_module_args(dict(arguments))


@contextlib.contextmanager
def _as_on_a_target() -> Iterator[None]:
    """Let warnings go into the result, not to the display, and forget those of earlier runs."""
    module_warnings._global_warnings.clear()
    module_warnings._global_deprecations.clear()
    with contextlib.ExitStack() as patches:
        with contextlib.suppress(ImportError):
            from ansible.module_utils import _internal  # the flag is there since core 2.19

            patches.enter_context(mock.patch.object(_internal, "is_controller", new=False, create=True))
        yield
