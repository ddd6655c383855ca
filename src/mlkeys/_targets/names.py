# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Names for targets, from paths of constructs: the same path always gives the same name, two paths never do."""

from __future__ import annotations

import hashlib
import re

_HASH_DIGITS = 8


def terraform_name(path: str) -> str:
    """A name for a block. It is the path itself where that is one; a changed text gets a hash of the path."""
    return _named(path, r"[^A-Za-z0-9_-]", r"[A-Za-z_][A-Za-z0-9_-]*")


def variable_name(path: str) -> str:
    """A name for a variable of Ansible."""
    return _named(path, r"[^A-Za-z0-9_]", r"[A-Za-z_][A-Za-z0-9_]*")


def _named(path: str, foreign: str, legal: str) -> str:
    # A path that already looks like a hashed one gets a hash as well, so that nothing can be made to meet.
    if re.fullmatch(legal, path) and not re.search(f"_[0-9a-f]{{{_HASH_DIGITS}}}$", path):
        return path
    text = re.sub(foreign, "_", path)
    prefix = "" if re.match(legal, text) else "_"
    return f"{prefix}{text}_{hashlib.sha256(path.encode()).hexdigest()[:_HASH_DIGITS]}"
