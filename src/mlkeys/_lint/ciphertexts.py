# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Findings about ciphertexts, in encrypted vars files and in other files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlkeys._lint.findings import (
    AHEAD,
    BEHIND,
    BELOW_FLOOR,
    FINGERPRINT,
    LOOSE_CIPHERTEXT,
    MIXED_VERSIONS,
    Finding,
    finding,
    is_allowed,
    place,
)

# Nonce and tag alone are 40 characters.
_LOOSE = re.compile(r"vault:v[1-9][0-9]{0,17}:[A-Za-z0-9+/]{38,}={0,2}")


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry of a file: the key versions of its ciphertext and of its fingerprint (0 for none), and its line.

    Attributes:
        is_misbound: whether the fingerprint is that of another ciphertext.
    """

    name: str
    version: int
    fingerprint: int
    line: int
    is_misbound: bool = False


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An encrypted vars file, as far as it can be read without decrypting."""

    path: str
    backend: str
    key: str
    fingerprint_key: str
    entries: tuple[StoredEntry, ...]

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The engine and name of each key of the file."""
        return tuple(dict.fromkeys(((self.backend, self.key), (self.backend, self.fingerprint_key))))


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key's versions on the server: the latest, and the oldest ones that may decrypt and encrypt."""

    latest: int
    oldest_decrypting: int
    oldest_encrypting: int


def loose_ciphertexts(text: str, path: str) -> list[Finding]:
    """The ciphertexts in a text that is not an encrypted vars file."""
    lines = text.split("\n")
    found = []
    for match in _LOOSE.finditer(text):
        line, column = place(text, match.start())
        if not is_allowed(lines, line):
            message = f"a ciphertext of version {_version(match.group())} outside of encrypted vars files"
            found.append(finding(LOOSE_CIPHERTEXT, path, message, (line, column), match.group()))
    return found


def _version(ciphertext: str) -> str:
    return ciphertext.split(":")[1].removeprefix("v")


def stored_findings(file: StoredFile) -> Iterator[Finding]:
    """Findings that need no server."""
    for entry in file.entries:
        if not entry.fingerprint:
            yield finding(FINGERPRINT, file.path, f"{entry.name} has no fingerprint", (entry.line, 1))
        elif entry.is_misbound:
            message = f"{entry.name} has the fingerprint of another ciphertext, as after a merge of two values"
            yield finding(FINGERPRINT, file.path, message, (entry.line, 1))
    versions = sorted({entry.version for entry in file.entries})
    if len(versions) > 1:
        listed = ", ".join(f"v{version}" for version in versions)
        yield finding(MIXED_VERSIONS, file.path, f"its entries have versions {listed} of the key '{file.key}'")


def server_findings(file: StoredFile, keys: Mapping[tuple[str, str], KeyState]) -> Iterator[Finding]:
    """Findings from the versions on the server. Keys that are not in `keys` are skipped."""
    state = keys.get((file.backend, file.key))
    prints = keys.get((file.backend, file.fingerprint_key))
    for entry in file.entries:
        where = (entry.line, 1)
        if state is not None:
            yield from _version_findings(file, entry, state)
        if prints is not None and 0 < entry.fingerprint < prints.oldest_decrypting:
            message = f"the fingerprint of {entry.name} (v{entry.fingerprint}) is below min_decryption_version"
            yield finding(FINGERPRINT, file.path, f"{message} {prints.oldest_decrypting} and cannot be verified", where)


def _version_findings(file: StoredFile, entry: StoredEntry, state: KeyState) -> Iterator[Finding]:
    subject = f"{entry.name} has version {entry.version} of the key '{file.key}'"
    where = (entry.line, 1)
    if entry.version < state.oldest_decrypting:
        floor = f"below min_decryption_version {state.oldest_decrypting}"
        yield finding(BELOW_FLOOR, file.path, f"{subject}, {floor}: it can no longer be decrypted", where, entry.name)
    elif entry.version > state.latest:
        yield finding(AHEAD, file.path, f"{subject}, whose latest is {state.latest}", where, entry.name)
    elif entry.version < state.oldest_encrypting:
        floor = f"below min_encryption_version {state.oldest_encrypting}"
        yield finding(BEHIND, file.path, f"{subject}, {floor}", where, entry.name)
    elif entry.version < state.latest:
        yield finding(BEHIND, file.path, f"{subject}, behind the latest, {state.latest}", where, entry.name)
