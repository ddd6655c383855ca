# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names of secrets, completed on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlkeys._shared.vars_files import METADATA, is_vars_file_name
from mlkeys._system import replacing

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_IN_YAML = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)[ ]?:(?=[ \n])", re.MULTILINE)
_NESTED = re.compile(r"[\"' ]format[\"']?[ ]?: ?[\"']?2\b")
_PATH = re.compile(r"([A-Za-z_][A-Za-z0-9_.%-]*)[\"']?[ ]?:[ ]?[\"']?vault:v")
_IN_JSON = re.compile(r"\"([A-Za-z_][A-Za-z0-9_]*)\"[ ]?:[ ]?\"vault:v")


def complete(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[str]:
    """The names in the command's FILE, a folder too, that begin so. None for what cannot be read."""
    return [name for name in _names([context.params.get("file")]) if name.startswith(beginning)]


def complete_one_of_several(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[str]:
    """The same for the names in the files of the option -f, or of the current folder."""
    return [name for name in _names(context.params.get("files") or ["."]) if name.startswith(beginning)]


def complete_pair(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """The same for NAME=VARIABLE, with the variable that the secret has anyway, and for NAME=PATH."""
    from click.shell_completion import CompletionItem

    place = beginning.partition("=")[2]
    if "/" in place:
        return [CompletionItem(place, type="file")]
    pairs = [f"{name}={name.upper()}" for name in _names(context.params.get("files") or ["."])]
    return [CompletionItem(pair) for pair in pairs if pair.startswith(beginning)]


def complete_command(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """Programs for the first word of a command, files for all others, or for the first one if it is a path."""
    from click.shell_completion import CompletionItem

    if context.params.get("argv") or "/" in beginning or not beginning:
        return [CompletionItem(beginning, type="file")]
    found: set[str] = set()
    for folder in map(Path, os.get_exec_path()):
        with suppress(OSError):
            inside = (place for place in folder.iterdir() if place.name.startswith(beginning))
            found.update(place.name for place in inside if os.access(place, os.X_OK))
    return [CompletionItem(name) for name in sorted(found)]


def _names(places: Iterable[object]) -> list[str]:
    found: list[str] = []
    for place in map(Path, map(str, places)):
        try:
            inside = sorted(place.iterdir()) if place.is_dir() else [place]
            for file in inside:
                if is_vars_file_name(file.name):
                    found += names_in(replacing.bytes_of(file).decode())
        except (OSError, UnicodeDecodeError):
            continue
    return found


def names_in(text: str) -> list[str]:
    """The names in an encrypted vars file, in YAML or JSON, those that a shell reads as plain words.

    Anyone who presses the tab key must not wait for the file to be loaded, nor run what its writer thought of.
    """
    kind = _NESTED.search(text)
    if kind:
        # The leaves of nested data have their paths there.
        return list(dict.fromkeys(_PATH.findall(text, text.rfind("hmac"))))
    found = _IN_YAML.findall(text) or _IN_JSON.findall(text)
    return [name for name in dict.fromkeys(found) if name != METADATA]
