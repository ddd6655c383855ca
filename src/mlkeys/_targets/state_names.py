# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names in the folder of what must last: ciphertexts, floors, and the record of what was deployed.

It is beside the program and belongs into version control. Everything in it is named by what it is, and not by ids of
constructs: `mlkeys.state/STACK/BACKEND/KEY.transit.yml`.
"""

from __future__ import annotations

import re

from mlkeys._shared.vars_files import VARS_FILE_SUFFIXES

FOLDER = "mlkeys.state"
RECORD_FILE = "record.json"
#: Minimum versions of keys (`min_decryption_version`, the floor) after rotations.
FLOORS_FILE = "floors.json"
VARS_SUFFIX = VARS_FILE_SUFFIXES[0]

_FOREIGN = re.compile(r"^\.|[^A-Za-z0-9_.-]")


def folder_of(stack: str) -> str:
    """Return the folder of a stack, relative to that of the program."""
    return f"{FOLDER}/{stack}"


def vars_file_of(backend: str, key: str) -> str:
    """Return the file of a key's ciphertexts, relative to the folder of the stack."""
    *above, last = [_FOREIGN.sub(_escaped, part) for part in (*backend.strip("/").split("/"), key)]
    return "/".join([*above, f"{last}{VARS_SUFFIX}"])


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
