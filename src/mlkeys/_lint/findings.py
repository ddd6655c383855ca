# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Rules and findings. A finding never contains a secret, only a digest to recognise it by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"
LEVELS = (ERROR, WARNING, NOTE)

#: A text without this has no comment that allows a finding.
ALLOWED = "mlkeys:"
# In a comment on the line of a finding, or alone in one on the line before it.
_WORDS = r"(?:#|//|--|;|<!--|/\*)[ \t]*mlkeys:[ \t]*allow"
_COMMENT = re.compile(rf"(?:\A|(?<=[\s,;(){{}}\[\]\"'`])){_WORDS}(?=\s|\Z|-->|\*/)")
_COMMENT_ONLY = re.compile(rf"[\s{{]*{_WORDS}(?:\s*(?:-->|\*/|#\}}))?\s*")
# An apostrophe in a word begins no text.
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*(?:\"|\Z)|(?<!\w)'(?:\\.|[^'\\])*(?:'|\Z)|`[^`]*(?:`|\Z)")
# Those of programs are longer, and everything in them is on the line of a comment.
_LONGEST_LINE = 2000


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. The meaning of an ID never changes."""

    id: str
    name: str
    level: str
    summary: str
    advice: str


PROVIDER_KEY = Rule(
    "MLK101",
    "provider-key",
    ERROR,
    "An API key of an ML provider in plain text.",
    "Replace it at the provider, and encrypt the new one (mlkeys import, vault_transit_vars).",
)
CREDENTIAL = Rule(
    "MLK102",
    "credential",
    ERROR,
    "A token or key of a server, a cloud, a code host or a chat in plain text.",
    "Revoke it, and keep the new one out of files.",
)
PRIVATE_KEY = Rule(
    "MLK103",
    "private-key",
    ERROR,
    "A private key in plain text.",
    "Replace the key pair, and encrypt the new private key.",
)
DAMAGED = Rule(
    "MLK201",
    "damaged-vars-file",
    ERROR,
    "A damaged encrypted vars file.",
    "If a merge left marks of a conflict, keep the lines of one side for each secret. Otherwise restore the file from "
    "the last commit, or correct the line by hand.",
)
PLAIN_VALUE = Rule(
    "MLK202",
    "plain-value",
    ERROR,
    "A value in an encrypted vars file that is not encrypted.",
    "Remove it. If it is a secret, replace it at its provider and encrypt the new one (mlkeys edit).",
)
FINGERPRINT = Rule(
    "MLK203",
    "fingerprint",
    WARNING,
    "An entry without a valid fingerprint, so that changes of its value are not noticed.",
    "Write its value again, with mlkeys set or vault_transit_vars.",
)
MIXED_VERSIONS = Rule(
    "MLK204",
    "mixed-versions",
    NOTE,
    "Entries of an encrypted vars file with different key versions.",
    "Run vault_transit_vars on the file to rewrap all of them.",
)
LOOSE_CIPHERTEXT = Rule(
    "MLK205",
    "loose-ciphertext",
    NOTE,
    "A ciphertext outside of encrypted vars files.",
    "Rotations find it beside the inventory and the playbook, and on hosts. Nothing to do there, or if the file is "
    "generated again after each rotation.",
)
KV_DOCUMENT = Rule(
    "MLK206",
    "kv-document",
    NOTE,
    "Entries in a document of a KV engine.",
    "Check them with --server, with a token that may read the document, or with mlkeys status.",
)
MISSING_FILE = Rule(
    "MLK207",
    "missing-vars-file",
    NOTE,
    "A declared encrypted vars file that does not exist.",
    "Nothing to do if the playbook mlkeys.transit.site writes it. Otherwise correct the path: rotations need it.",
)
UNRESOLVED = Rule(
    "MLK208",
    "unresolved-vars-file",
    NOTE,
    "A declared encrypted vars file whose path only Ansible knows.",
    "Check it by its path (mlkeys lint FILE), or with mlkeys status.",
)
VARS_PLUGIN = Rule(
    "MLK209",
    "vars-plugin",
    WARNING,
    "Encrypted variables that stay ciphertext: the vars plugin does not decrypt them, and nothing else does.",
    "Correct vars_plugins_enabled in ansible.cfg (mlkeys init --ansible), or rename the file to NAME.transit.yml.",
)
VARS_PLUGIN_OFF = Rule(
    "MLK210",
    "vars-plugin-off",
    NOTE,
    "An ansible.cfg that does not enable the vars plugin, so that variables of encrypted vars files are ciphertext.",
    "Nothing to do if hosts, a lookup or a filter decrypt. Otherwise enable the plugin (mlkeys init --ansible).",
)
LOADED = Rule(
    "MLK211",
    "loaded-ciphertext",
    WARNING,
    "An encrypted vars file that Ansible loads as it is, where nothing decrypts its variables.",
    "Load it with the module mlkeys.transit.load_vars.",
)
UNKNOWN_KEY = Rule(
    "MLK301",
    "unknown-key",
    ERROR,
    "The key of an encrypted vars file does not exist or cannot be read.",
    "Correct backend and key in the file, or the address of the server.",
)
BELOW_FLOOR = Rule(
    "MLK302",
    "below-floor",
    ERROR,
    "A ciphertext with a key version that can no longer decrypt.",
    "Lower min_decryption_version, rewrap the file, and raise it again; or write the value again.",
)
BEHIND = Rule(
    "MLK303",
    "behind",
    WARNING,
    "A ciphertext with an older key version.",
    "Run vault_transit_vars on the file to rewrap it.",
)
AHEAD = Rule(
    "MLK304",
    "ahead",
    ERROR,
    "A ciphertext with a key version that does not exist.",
    "It belongs to another key or server, or the key was restored from an older backup.",
)
WRITABLE = Rule(
    "MLK401",
    "writable-by-others",
    WARNING,
    "An encrypted vars file that other users can write.",
    "chmod go-w",
)
EXECUTABLE = Rule("MLK402", "executable", WARNING, "An executable encrypted vars file.", "chmod a-x")
READABLE = Rule(
    "MLK403",
    "readable-by-others",
    ERROR,
    "A file with plaintext secrets that other users can read.",
    "chmod go-rwx, then remove the secrets.",
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
    KV_DOCUMENT,
    MISSING_FILE,
    UNRESOLVED,
    VARS_PLUGIN,
    VARS_PLUGIN_OFF,
    LOADED,
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
    """One finding.

    Attributes:
        line: counted from 1, as is the column. Both are 1 for a finding about a whole file.
        digest: the same for the same finding, even if it moves within its file.
        content: the same, wherever the file is.
    """

    path: str
    line: int
    column: int
    rule: Rule
    message: str
    digest: str
    content: str


def finding(rule: Rule, path: str, message: str, place: tuple[int, int] = (1, 1), identity: str = "") -> Finding:
    """A finding; `identity` distinguishes it from others with the same rule and file."""
    what = identity or message
    return Finding(path, *place, rule, message, _digest(rule.id, path, what), _digest(rule.id, what))


def _digest(*known_by: str) -> str:
    return hashlib.sha256("\0".join(known_by).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (one.path, one.line, one.column, one.rule.id, one.message))


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def is_allowed(lines: Sequence[str], line: int) -> bool:
    """Whether a comment allows a finding on a line."""
    if line > len(lines):
        return False
    return _has_comment(lines[line - 1]) or (line > 1 and _COMMENT_ONLY.fullmatch(lines[line - 2]) is not None)


def _has_comment(line: str) -> bool:
    """Whether a line has the comment, which what is quoted there is not."""
    if ALLOWED not in line or len(line) > _LONGEST_LINE:
        return False
    return _COMMENT.search(_QUOTED.sub('""', line)) is not None
