# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names for targets, from paths of constructs: one path always gives one name, two paths give two."""

from __future__ import annotations

import hashlib
import re

_HASH_DIGITS = 8


def terraform_name(path: str) -> str:
    """Return a name for a block: the path where that is a valid name, else a changed path with a hash."""
    return _named(path, r"[^A-Za-z0-9_-]", r"[A-Za-z_][A-Za-z0-9_-]*")


def variable_name(path: str) -> str:
    """Return a name for a variable of Ansible."""
    return _named(path, r"[^A-Za-z0-9_]", r"[A-Za-z_][A-Za-z0-9_]*")


def _named(path: str, foreign: str, legal: str) -> str:
    # A path that already looks like a hashed one gets a hash as well, so that names cannot be made to collide.
    if re.fullmatch(legal, path) and not re.search(f"_[0-9a-f]{{{_HASH_DIGITS}}}$", path):
        return path
    text = re.sub(foreign, "_", path)
    prefix = "" if re.match(legal, text) else "_"
    return f"{prefix}{text}_{hashlib.sha256(path.encode()).hexdigest()[:_HASH_DIGITS]}"
