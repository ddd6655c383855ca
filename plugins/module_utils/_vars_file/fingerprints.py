# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Fingerprints of entries: whether a value is the stored one, without the right to decrypt. **Private**."""

from __future__ import annotations

from typing import Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import PermissionDenied
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    NESTED,
    Entry,
    VarsFile,
    fingerprint_input,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.request import Secrets, VarsRequest
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.sealed import recalled_each, sealed
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import (
    Json,
    TypeUnknown,
    is_same,
    may_be_json,
)


def compare(
    transit: Transit, request: VarsRequest, file: VarsFile, fingerprints: Mapping[str, str]
) -> dict[str, str | None]:
    """``None`` for each given secret that is the stored one, else the reason to write it."""
    secrets = request.secrets
    stored = {name: entry for name, entry in file.entries.items() if name in secrets}
    verified = _verified(transit, request, stored, fingerprints)
    unverifiable = [entry for name, entry in stored.items() if verified.get(name) is None]
    plaintexts = _decrypt_if_allowed(transit, request.key, unverifiable, secrets)
    reasons: dict[str, str | None] = {}
    for name, value in secrets.items():
        if name not in stored:
            reasons[name] = "new"
        elif verified.get(name) or (name in plaintexts and is_same(plaintexts[name], value)):
            reasons[name] = None
        elif verified.get(name) is False or name in plaintexts:
            reasons[name] = "the value changed"
        else:
            reasons[name] = _why_not_verified(stored[name])
    return reasons


def _why_not_verified(entry: Entry) -> str:
    if entry.is_misbound:
        return "fingerprint of another ciphertext"
    return "fingerprint expired" if entry.fingerprint else "no fingerprint"


def _verified(
    transit: Transit, request: VarsRequest, stored: Mapping[str, Entry], fingerprints: Mapping[str, str]
) -> dict[str, bool | None]:
    """Whether the value behind each stored fingerprint is the given one, ``None`` where that cannot be verified."""
    verified: dict[str, bool | None] = {}
    older: dict[str, Item] = {}
    for name, entry in stored.items():
        if entry.is_misbound:
            continue
        if ciphertext_version(entry.fingerprint) == ciphertext_version(fingerprints[name]):
            # With one version of the key, the same value always has the same HMAC.
            verified[name] = entry.fingerprint == fingerprints[name]
        elif entry.fingerprint:
            older[name] = Item(fingerprint_input(name, request.secrets[name]), name, hmac=entry.fingerprint)
    if not older:
        return verified
    try:
        verified.update(zip(older, transit.verify(request.fingerprint_key, list(older.values()))))
    except PermissionDenied:
        if not request.may_lack_fingerprints:
            raise
    return verified


def _decrypt_if_allowed(transit: Transit, key: str, entries: list[Entry], given: Secrets) -> dict[str, bytes]:
    """Plaintexts of entries, as far as the token may decrypt them and they do decrypt.

    Args:
        given: values, whose type an entry has that does not say its own.
    """
    if not entries:
        return {}
    try:
        values = recalled_each(transit.client, sealed(transit.backend, key, entries))
    except PermissionDenied:
        return {}
    opened = {}
    for entry, value in zip(entries, values):
        if not isinstance(value, bytes):
            continue
        try:
            opened[entry.name] = entry.opened(value)
        except TypeUnknown:
            if entry.name in given:
                opened[entry.name] = Json(value) if isinstance(given[entry.name], Json) else value
    return opened


def stale_entries(file: VarsFile, request: VarsRequest, latest: int) -> list[Entry]:
    """Entries that were not given and need another fingerprint: of a newer key version, or of their own ciphertext."""
    goes = frozenset(file.entries) - request.keep - request.ungiven if request.purge else frozenset()
    untouched = {*request.secrets, *request.plain, *request.left, *request.gone, *goes}
    others = [entry for name, entry in file.entries.items() if name not in untouched]
    return [
        entry
        for entry in others
        if entry.is_misbound or (request.refresh_fingerprints and (ciphertext_version(entry.fingerprint) or 0) < latest)
    ]


def new_fingerprints(
    transit: Transit, request: VarsRequest, entries: list[Entry], dry_run: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """New fingerprints of entries, as far as the token may decrypt these.

    Args:
        dry_run: whether it is enough to know which there will be. Nothing is decrypted then.
    """
    if not dry_run:
        values = _decrypt_if_allowed(transit, request.key, entries, {})
    else:
        values = dict.fromkeys((entry.name for entry in entries), b"") if transit.may_decrypt(request.key) else {}
    missing = [entry.name for entry in entries if entry.name not in values]
    misbound = [entry.name for entry in entries if entry.name in missing and entry.is_misbound]
    expiring = [name for name in missing if name not in misbound]
    warnings = (*([_not_refreshed(expiring)] if expiring else ()), *([_not_healed(misbound)] if misbound else ()))
    if not values or dry_run:
        return dict.fromkeys(values, ""), warnings
    return fingerprints_of(transit, request.fingerprint_key, values), warnings


def _not_refreshed(names: list[str]) -> str:
    return (
        f"The fingerprints of {', '.join(names)} stay as they are, since the token may not decrypt. When the key's "
        "min_decryption_version passes their version, they cannot be verified any more."
    )


def _not_healed(names: list[str]) -> str:
    return (
        f"The fingerprints of {', '.join(names)} are those of other ciphertexts, as after a merge that took lines of "
        "both sides. Check which value is meant. To renew them, pass the values, or use a token that may decrypt."
    )


def needs_fingerprints(secrets: Secrets, file: VarsFile) -> bool:
    """Whether a fingerprint has to say of a value whether it is a text."""
    return file.format == NESTED and any(isinstance(value, Json) or may_be_json(value) for value in secrets.values())


def fingerprints_of(transit: Transit, fingerprint_key: str, secrets: Secrets) -> dict[str, str]:
    """Fingerprints of all given secrets; if there are none, one of an empty value, for the version that it shows."""
    names = sorted(secrets) or [""]
    items = [Item(fingerprint_input(name, secrets.get(name, b"")), name) for name in names]
    return dict(zip(names, transit.hmac(fingerprint_key, items)))
