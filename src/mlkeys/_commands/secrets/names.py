# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names of secrets: completed on the command line, and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import click

from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import unknown_problem
from mlkeys._shared.schema import METADATA


def complete(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[str]:
    """The names in the command's FILE that begin so. None for a file that cannot be read."""
    import yaml

    try:
        content = yaml.safe_load(Path(str(context.params.get("file"))).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return []
    names = content if isinstance(content, dict) else {}
    return [str(name) for name in names if str(name) != METADATA and str(name).startswith(beginning)]


def check_known(names: Iterable[str], known: Collection[str], file: Path | None = None) -> None:
    """Check that there are secrets with these names.

    Args:
        file: where they should be, for the message.

    Raises:
        MlkeysError: one of the names is unknown.
    """
    for name in names:
        if name not in known:
            problem = unknown_problem(name, known, "secret")
            raise MlkeysError(f"{file}: {problem}" if file else problem)
