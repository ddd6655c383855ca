# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Names of keys, roles and variables, and paths on the server.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import re

# What Ansible accepts as a variable or a group, and every shell as a variable of the environment.
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# How long the name of a secret, or its path in nested data, can be. A search for ciphertexts reads no more of it.
LONGEST_VARIABLE = 200

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
# Names between slashes in a path of the server. Neither can lead elsewhere ('..') or end the path ('?', '#', '%').
_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~@+=,:-]+"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
# Vault and OpenBao keep these mounts for themselves.
_OWN_MOUNTS = ("audit", "auth", "cubbyhole", "identity", "sys")


def is_name(text: str) -> bool:
    """Whether a key or a role may have this name. The server answers another one with a bare 404."""
    return _NAME.fullmatch(text) is not None


# The server takes longer names, and seconds for each request with one.
_MOST_CHARACTERS = 512


def _too_long(text: str) -> str:
    return f"'{text[:40]}…' has {len(text)} characters, and at most {_MOST_CHARACTERS} are used"


def name_problem(name: str) -> str | None:
    """What is wrong with a key's name, ``None`` when nothing is."""
    if len(name) > _MOST_CHARACTERS:
        return _too_long(name)
    if is_name(name):
        return None
    return (
        f"'{name}' is not a key name: letters, digits, '_', '-' and '.', "
        "beginning and ending with a letter, digit or '_'"
    )


def path_problem(path: str) -> str | None:
    """What is wrong with a path on the server (a mount, a document of a KV engine), ``None`` when nothing is."""
    if len(path) > _MOST_CHARACTERS:
        return _too_long(path)
    if _PATH.fullmatch(path):
        return None
    return (
        f"'{path}' is not a path on the server: names of letters, digits and '_.~@+=,:-', separated by '/', "
        "none of them '.' or '..'"
    )


def mount_problem(path: str) -> str | None:
    """What is wrong with the path of a mounted engine, ``None`` when nothing is."""
    if len(path) > _MOST_CHARACTERS:
        return _too_long(path)
    first, *others = path.split("/")
    if first in _OWN_MOUNTS or "sys" in others:
        return f"'{path}' cannot be an engine's path: the server keeps '{', '.join(_OWN_MOUNTS)}' for itself"
    return path_problem(path)
