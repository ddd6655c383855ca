# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names for targets, from paths of constructs: one path always gives one name, two paths give two."""

from __future__ import annotations

import hashlib
import re

from mlkeys._shared.names import VARIABLE_NAME

_HASH_DIGITS = 8
_HASHED = re.compile(f"_[0-9a-f]{{{_HASH_DIGITS}}}$")
_TERRAFORM, _NOT_IN_TERRAFORM = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*"), re.compile(r"[^A-Za-z0-9_-]")
_NOT_IN_VARIABLES = re.compile(r"[^A-Za-z0-9_]")
#: The variable by which a check knows secrets with former names: by stack and present name, how they decrypt.
MOVED = "moved_secrets"
#: What a check reports of a stack, and the variable by which that of another one knows it: secrets with new values.
NEW_VALUES, NEW_VALUES_OF = "new_values", "new_values_of_stacks"
#: The most that file systems allow for one name, in bytes.
LONGEST = 255


def length_problem(what: str, path: str) -> str | None:
    """Return the problem of a path whose names no file can have, None when there is none.

    Args:
        what: what the path is made of, such as "the name of the policy".
    """
    longest = max(len(name.encode()) for name in path.split("/"))
    if longest <= LONGEST:
        return None
    return f"{what} is too long by {longest - LONGEST}: the name of its file can have {LONGEST} bytes"


def terraform_name(path: str) -> str:
    """Return a name for a block: the path where that is a valid name, else a changed path with a hash."""
    return _named(path, _NOT_IN_TERRAFORM, _TERRAFORM)


def variable_name(path: str) -> str:
    """Return a name for a variable of Ansible."""
    return _named(path, _NOT_IN_VARIABLES, VARIABLE_NAME)


def _named(path: str, foreign: re.Pattern[str], legal: re.Pattern[str]) -> str:
    # A path that already looks like a hashed one gets a hash as well, so that names cannot be made to collide.
    if legal.fullmatch(path) and not _HASHED.search(path):
        return path
    text = foreign.sub("_", path)
    prefix = "" if legal.match(text) else "_"
    return f"{prefix}{text}_{hashlib.sha256(path.encode()).hexdigest()[:_HASH_DIGITS]}"
