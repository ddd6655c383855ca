# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The `environment:` of services in a file of Docker Compose."""

from __future__ import annotations

import re
from dataclasses import replace

from mlkeys._errors import MlkeysError
from mlkeys._import.dotenv_source import STORED
from mlkeys._import.values import NOTHING, TEXT, Value, named_apart
from mlkeys._import.yaml_source import yaml_values

REFERENCE = re.compile(STORED)
_REPLACED = re.compile(r"\$(?:(\$)|(?=[{A-Za-z_]))")
# services, its name, environment, and the name or the number of an entry
_DEPTH = 4


def compose_values(text: str, path: str) -> list[Value]:
    """The values as the services get them: `$$` is a dollar sign.

    Raises:
        MlkeysError: it is not such a file.
    """
    found = [value for value in yaml_values(text, path, lambda *_: None, encrypted=True) if _is_entry(value)]
    if not found:
        raise MlkeysError(f"{path} has no environment: in any service.")
    return named_apart((value.path[1], _entry(value)) for value in found)


def _is_entry(value: Value) -> bool:
    return len(value.path) == _DEPTH and value.path[0] == "services" and value.path[2] == "environment"


def _entry(value: Value) -> Value:
    """The value of an entry, of a mapping or of a list of NAME=value. One without a value comes from the shell."""
    name, text, kind = value.path[-1], value.text, value.kind
    if name.isdigit():
        name, assigned, text = text.partition("=")
        kind = kind if assigned else NOTHING
    refers = any(not found.group(1) for found in _REPLACED.finditer(text))
    plain = text if refers else text.replace("$$", "$")
    return replace(value, path=(name,), text=plain, kind=kind, reference=refers and kind == TEXT)
