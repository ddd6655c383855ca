# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names of secrets, completed on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import click

from mlkeys._shared.schema import METADATA, VARS_FILE_SUFFIXES
from mlkeys._system import replacing

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


def complete_pair(context: click.Context, _parameter: click.Parameter, beginning: str) -> list[str]:
    """The same for NAME=VARIABLE, with the variable that the secret has anyway."""
    pairs = [f"{name}={name.upper()}" for name in _names(context.params.get("files") or ["."])]
    return [pair for pair in pairs if pair.startswith(beginning)]


def _names(places: Iterable[object]) -> list[str]:
    found: list[str] = []
    for place in map(Path, map(str, places)):
        try:
            inside = sorted(place.iterdir()) if place.is_dir() else [place]
            for file in inside:
                if file.name.endswith(VARS_FILE_SUFFIXES):
                    found += names_in(replacing.bytes_of(file).decode())
        except (OSError, UnicodeDecodeError):
            continue
    return found


def names_in(text: str) -> list[str]:
    """The names in an encrypted vars file, in YAML or JSON, as far as a shell takes them for nothing else.

    Whoever presses the tab key must not wait for the file to be loaded, nor run what its writer thought of.
    """
    kind = _NESTED.search(text)
    if kind:
        # The leaves of nested data have their paths there.
        return list(dict.fromkeys(_PATH.findall(text, text.rfind("hmac"))))
    found = _IN_YAML.findall(text) or _IN_JSON.findall(text)
    return [name for name in dict.fromkeys(found) if name != METADATA]
