# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Paths in the arguments and options of commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class PathType(click.Path):
    """A path, as `pathlib` has it unless `path_type` says otherwise.

    An empty path is a variable of a script that is not set, and not the current folder. An option refuses a path that
    begins with two hyphens: its own was forgotten.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"path_type": Path, **settings})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty", param, ctx)
        if isinstance(param, click.Option) and isinstance(value, str) and value.startswith("--"):
            self.fail(f"a path is missing before {value}. A file of this name is ./{value}", param, ctx)
        return super().convert(value, param, ctx)
