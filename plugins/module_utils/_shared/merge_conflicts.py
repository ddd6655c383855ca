# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The marks that git leaves in a text where two sides of a merge differ. Pure.

This file is **private** to the collection, uses the standard library alone and imports nothing of the
collection: the Python package ``mlkeys`` carries the same file.
"""

from __future__ import annotations

import re

#: The setting of Git that names the command.
SETTING = "merge.mlkeys.driver"
#: The command that makes Git merge encrypted vars files entry by entry in a clone.
DEFINE = f"git config {SETTING} 'mlkeys merge %O %A %B %P'"

_MARK = re.compile(r"(<{7}|={7}|>{7})(?: (.*))?")
# Names of branches and commits. Anything else is not shown.
_LABEL = re.compile(r"[\w./~^@:-]{1,100}(?: \([^()\n]{1,60}\))?", re.ASCII)


def conflict_problem(text: str, path: str) -> str:
    """The message about the first conflict in a text, empty if there is none. It repeats no line.

    Args:
        path: of the file with the text.
    """
    if "<<<<<<<" not in text:
        return ""
    begin = middle = 0
    ours = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = _MARK.fullmatch(line)
        if mark is None:
            continue
        if mark[1][0] == "<":
            begin, middle, ours = number, 0, mark[2] or ""
        elif mark[1][0] == "=" and begin:
            middle = number
        elif mark[1][0] == ">" and middle:
            return _message(path, (begin, ours), (middle, mark[2] or ""))
    return ""


def conflict_in(content: bytes, path: str) -> str:
    """The same for the content of a file. That of nearly all files is not even decoded."""
    return conflict_problem(content.decode("utf-8", "replace"), path) if b"<<<<<<<" in content else ""


def _message(path: str, ours: tuple[int, str], theirs: tuple[int, str]) -> str:
    return (
        f"{path} has an unresolved merge conflict (line {ours[0]}): {_side(path, *ours, 'one')} and "
        f"{_side(path, *theirs, 'the other')}. To keep what both sides added, let Git merge the file entry by entry: "
        f"{DEFINE} && git checkout --merge {path}. Or keep the lines of one side for each secret that both have, its "
        "ciphertext and its hmac, keep or remove those that only one side has, and remove the marks."
    )


def _side(path: str, line: int, label: str, which: str) -> str:
    name = f" ({label})" if _LABEL.fullmatch(label) else ""
    return f"{which} side is at {path}:{line}{name}"
