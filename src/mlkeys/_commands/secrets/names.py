# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names of secrets, completed on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import click

from mlkeys._shared.schema import METADATA

_IN_YAML = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)[ ]?:(?=[ \n])", re.MULTILINE)
_IN_JSON = re.compile(r"\"([A-Za-z_][A-Za-z0-9_]*)\"[ ]?:[ ]?\"vault:v")


def complete(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[str]:
    """The names in the command's FILE that begin so. None for a file that cannot be read."""
    try:
        text = Path(str(context.params.get("file"))).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [name for name in names_in(text) if name.startswith(beginning)]


def names_in(text: str) -> list[str]:
    """The names in an encrypted vars file, in YAML or JSON, as far as a shell takes them for nothing else.

    Whoever presses the tab key must not wait for the file to be loaded, nor run what its writer thought of.
    """
    found = _IN_YAML.findall(text) or _IN_JSON.findall(text)
    return [name for name in dict.fromkeys(found) if name != METADATA]
