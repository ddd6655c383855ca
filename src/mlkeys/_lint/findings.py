# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Rules, and what was found by them. A finding never holds a secret, only a digest to know it again by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"
LEVELS = (ERROR, WARNING, NOTE)

#: On the line of a finding, or alone on the line before it.
ALLOWED = "mlkeys: allow"
_COMMENT_ONLY = re.compile(rf"[^\w\n]*{re.escape(ALLOWED)}[^\w\n]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for. Its id never changes its meaning."""

    id: str
    name: str
    level: str
    summary: str
    advice: str


PROVIDER_KEY = Rule(
    "MLK101",
    "provider-key",
    ERROR,
    "The API key of an ML provider is there in plain text.",
    "Replace it at the provider, and keep the new one encrypted (mlkeys import, vault_transit_vars).",
)
CREDENTIAL = Rule(
    "MLK102",
    "credential",
    ERROR,
    "A token or key of a server, a cloud, a code host or a chat is there in plain text.",
    "Revoke it where it was issued, and keep the new one out of files.",
)
PRIVATE_KEY = Rule(
    "MLK103",
    "private-key",
    ERROR,
    "A private key is there in plain text.",
    "Replace the pair, and keep the new private key encrypted.",
)
DAMAGED = Rule(
    "MLK201",
    "damaged-vars-file",
    ERROR,
    "An encrypted vars file cannot be read as one.",
    "Take it from the last commit, or correct the line by hand.",
)
PLAIN_VALUE = Rule(
    "MLK202",
    "plain-value",
    ERROR,
    "An encrypted vars file holds a value that is not encrypted.",
    "Take it out; if it is a secret, replace it at its provider and encrypt the new one (mlkeys edit).",
)
FINGERPRINT = Rule(
    "MLK203",
    "fingerprint",
    WARNING,
    "An entry has no fingerprint that tells whether its value changed.",
    "Give its value again, with vault_transit_vars or mlkeys import: that writes it anew.",
)
MIXED_VERSIONS = Rule(
    "MLK204",
    "mixed-versions",
    NOTE,
    "The entries of an encrypted vars file are of different versions of the key.",
    "Run vault_transit_vars on the file to carry all of them to the latest version.",
)
LOOSE_CIPHERTEXT = Rule(
    "MLK205",
    "loose-ciphertext",
    NOTE,
    "A ciphertext is in a file that no rotation knows.",
    "Nothing, if what writes that file writes it again after a rotation.",
)
UNKNOWN_KEY = Rule(
    "MLK301",
    "unknown-key",
    ERROR,
    "The key that an encrypted vars file names cannot be found.",
    "Correct backend and key in the file, or the address of the server.",
)
BELOW_FLOOR = Rule(
    "MLK302",
    "below-floor",
    ERROR,
    "A ciphertext is of a version that the key no longer decrypts.",
    "Lower min_decryption_version, rewrap the file, and raise it again; or give the value anew.",
)
BEHIND = Rule(
    "MLK303",
    "behind",
    WARNING,
    "A ciphertext is of an older version of the key.",
    "Run vault_transit_vars on the file: it rewraps what is behind.",
)
AHEAD = Rule(
    "MLK304",
    "ahead",
    ERROR,
    "A ciphertext is of a version that the key does not have.",
    "It is of another key or server, or the key was restored from an older backup.",
)
WRITABLE = Rule(
    "MLK401",
    "writable-by-others",
    WARNING,
    "Others than its owner may change an encrypted vars file.",
    "chmod go-w",
)
EXECUTABLE = Rule("MLK402", "executable", WARNING, "An encrypted vars file is executable.", "chmod a-x")
READABLE = Rule(
    "MLK403",
    "readable-by-others",
    ERROR,
    "Others than its owner may read a file with secrets in plain text.",
    "chmod go-rwx, then take the secrets out.",
)

RULES = (
    PROVIDER_KEY,
    CREDENTIAL,
    PRIVATE_KEY,
    DAMAGED,
    PLAIN_VALUE,
    FINGERPRINT,
    MIXED_VERSIONS,
    LOOSE_CIPHERTEXT,
    UNKNOWN_KEY,
    BELOW_FLOOR,
    BEHIND,
    AHEAD,
    WRITABLE,
    EXECUTABLE,
    READABLE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        line: the first is 1; so is the first column. A file as a whole is line 1, column 1.
        digest: the same for the same finding, wherever in its file it moves to.
    """

    path: str
    line: int
    column: int
    rule: Rule
    message: str
    digest: str


def finding(rule: Rule, path: str, message: str, place: tuple[int, int] = (1, 1), identity: str = "") -> Finding:
    """A finding; `identity` is what sets it apart from others of its rule and file."""
    known_by = hashlib.sha256("\0".join((rule.id, path, identity or message)).encode()).hexdigest()[:32]
    return Finding(path, *place, rule, message, known_by)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (one.path, one.line, one.column, one.rule.id, one.message))


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def is_allowed(lines: Sequence[str], line: int) -> bool:
    """Whether a comment in the file allows what is on a line."""
    if line > len(lines):
        return False
    return ALLOWED in lines[line - 1] or (line > 1 and _COMMENT_ONLY.fullmatch(lines[line - 2]) is not None)
