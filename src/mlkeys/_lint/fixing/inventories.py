# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Inventories of Ansible in INI: where a value may be a reference."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAMES = {"hosts", "inventory", "hosts.ini", "inventory.ini"}
_FOLDERS = {"inventory", "inventories"}
_OF_VARIABLES = {"group_vars", "host_vars"}
_SECTION = re.compile(r"^\[([^\]\n]+)\][ \t]*(?:[#;].*)?\r?$", re.MULTILINE)
_OF_ANSIBLE = re.compile(r"\bansible_[a-z_]+[ \t]*=")
# Variables of a host are words, as for a shell.
_WORD = re.compile(r"(?:\A|\s)[A-Za-z_]\w*=(?:([\"'])[^\"']*)?\Z")
_VARIABLE = re.compile(r"[ \t]*[A-Za-z_]\w*[ \t]*=")


def is_inventory(text: str, folders: Sequence[str], name: str) -> bool:
    """Whether a file is an inventory in INI, by its name and its content."""
    in_one = bool(_FOLDERS & {*folders}) and (name.endswith(".ini") or "." not in name)
    if not (name in _NAMES or in_one) or _OF_VARIABLES & {*folders} or text.startswith("#!"):
        return False
    return _SECTION.search(text) is not None or _OF_ANSIBLE.search(text) is not None


def reason_in_inventory(text: str, start: int, before: str, behind: str) -> str:
    """Why no reference can be written at a place of an inventory; empty if one can.

    Args:
        before: what stands before it on its line.
        behind: and behind it.
    """
    if before.lstrip().startswith(("#", ";")):
        return "it is in a comment; delete the line"
    if _is_of_group(text, start):
        return "" if _VARIABLE.match(before) else "it is not the value of a variable"
    word = _WORD.search(before)
    if word is None or not (word[1] or behind[:1].isspace() or not behind):
        return "it is not the whole value of a variable; put the value in quotation marks first"
    return ""


def needs_quotes(text: str, start: int, before: str) -> bool:
    """Whether a reference, which contains spaces, has to be in quotation marks at a place."""
    word = _WORD.search(before)
    return not _is_of_group(text, start) and word is not None and not word[1]


def _is_of_group(text: str, start: int) -> bool:
    """Whether a place is in the variables of a group, of which each has a line of its own."""
    sections = [found[1] for found in _SECTION.finditer(text, 0, start)]
    return bool(sections) and sections[-1].strip().endswith(":vars")
