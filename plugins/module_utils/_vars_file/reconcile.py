# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From given secrets and a stored file to the file's new text. **Private** to the collection.

At most two requests decide (hmac, and verify for fingerprints of older versions), and at most two more do the work
(encrypt, rewrap), for any number of secrets that fits into the server's limits. The token needs no right to decrypt.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.find import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    MountNotFound,
    NotFound,
    PermissionDenied,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    ADDED,
    IN_KV,
    KEPT,
    REMOVED,
    REWRAPPED,
    UPDATED,
    Entry,
    Fate,
    Place,
    VarsFile,
    check_ownership,
    decide,
    fingerprint_input,
    name_problems,
    parse,
    pointing,
    summary,
    update,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents, Stored

Secrets = Mapping[str, bytes]


def reconcile_vars(client: Client, options: Mapping[str, Any], run: RunContext) -> Outcome:
    """Bring an encrypted vars file, or a document of a KV engine, in step with the given secrets.

    Args:
        options: those of ``vault_transit_vars``, with the file's present text as ``text``.
    """
    if options["store"] == IN_KV:
        return _reconcile_document(client, options, _place(options), run.dry_run)
    path = str(options["path"])
    file = parse(options["text"], path)
    if file.place is not None:
        return _reconcile_document(client, options, file.place, run.dry_run)
    return _reconcile(client, options, file, run.dry_run)


def _reconcile_document(client: Client, options: Mapping[str, Any], place: Place, dry_run: bool) -> Outcome:
    """The same for a document of a KV engine, and for a file that points to it where there is to be one."""
    pointer = None
    if options.get("path"):
        file = parse(options["text"], str(options["path"]))
        text = pointing(file, place)
        pointer = text if text != file.text else None
    stored, document = read_document(client, place)
    outcome = _reconcile(client, options, document, dry_run)
    if outcome.text is not None:
        replace_document(client, place, stored, outcome.text)
    return replace(outcome, changed=outcome.changed or pointer is not None, text=None if dry_run else pointer)


def read_document(client: Client, place: Place) -> tuple[Stored, VarsFile]:
    """A document as it is stored, and as a file with the same text: there is one way of reading and changing entries.

    Raises:
        InvalidOption: it is no document of this kind.
    """
    stored = Documents(client, place.mount).read(place.path)
    text = json.dumps(stored.content) if stored.content else ""
    return stored, parse(text, str(place), as_json=True)


def replace_document(client: Client, place: Place, stored: Stored, text: str) -> None:
    """Put what a text says in the place of what was read.

    Raises:
        Overtaken: somebody else was faster.
    """
    Documents(client, place.mount).replace(place.path, stored, json.loads(text))


def _place(options: Mapping[str, Any]) -> Place:
    place = Place(str(options["kv_mount"]).strip("/"), str(options.get("kv_path") or "").strip("/"))
    if not (place.mount and place.path):
        raise InvalidOption("store: kv needs kv_mount and kv_path.")
    return place


def _reconcile(client: Client, options: Mapping[str, Any], file: VarsFile, dry_run: bool) -> Outcome:
    path, key = file.path, checked_name(options["key"])
    fingerprint_key = checked_name(options.get("fingerprint_key") or key)
    transit = Transit(client, options["backend"])
    secrets = _checked_secrets(options["secrets"])
    asked = int(options.get("key_version") or 0)
    if asked < 0:
        raise InvalidOption("key_version must not be negative: it is a version of the key, or 0 for the latest.")
    check_ownership(file, transit.backend, key, fingerprint_key, path)
    if not secrets and not file.entries:
        return Outcome(changed=False, result={"entries": []})

    try:
        fingerprints = _fingerprints(transit, fingerprint_key, secrets)
    except (MountNotFound, NotFound):
        if not dry_run or file.entries:
            raise
        return _foretold(key, secrets)
    same = _compare(transit, key, fingerprint_key, file, secrets, fingerprints)
    latest_fingerprint = max(ciphertext_version(text) or 0 for text in fingerprints.values())
    refreshed: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    if options.get("refresh_fingerprints"):
        stale = _stale(file, secrets, latest_fingerprint)
        refreshed, warnings = _fingerprints_anew(transit, key, fingerprint_key, stale)
    same.update(dict.fromkeys(refreshed))
    fingerprints.update(refreshed)
    version = _wanted_version(transit, key, fingerprint_key, latest_fingerprint, asked)
    fates = decide(
        file.entries, same, version=version, fingerprint_version=latest_fingerprint, purge=bool(options["purge"])
    )
    changed = any(fate.action != KEPT for fate in fates)
    text = None
    ciphertexts: dict[str, str] = {}
    if changed and not dry_run:
        ciphertexts = _ciphertexts(transit, key, file, secrets, fates, version)
        text = update(
            file,
            backend=transit.backend,
            key=key,
            fingerprint_key=fingerprint_key,
            ciphertexts=ciphertexts,
            fingerprints={fate.name: fingerprints[fate.name] for fate in fates if fate.fingerprint},
            removed=[fate.name for fate in fates if fate.action == REMOVED],
        )
    return Outcome(
        changed,
        summary(fates, after=False),
        summary(fates, after=True),
        {
            "entries": [_entry_result(fate) for fate in fates],
            **({"successors": _successors(file, ciphertexts)} if options.get("return_successors") else {}),
        },
        warnings=warnings,
        text=text,
    )


def _stale(file: VarsFile, secrets: Secrets, latest: int) -> list[Entry]:
    """Entries that were not given, and whose fingerprints an old version of the key made."""
    others = [entry for name, entry in file.entries.items() if name not in secrets]
    return [entry for entry in others if (ciphertext_version(entry.fingerprint) or 0) < latest]


def _fingerprints_anew(
    transit: Transit, key: str, fingerprint_key: str, entries: list[Entry]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """New fingerprints of entries, as far as the token may decrypt them."""
    values = _decrypt_if_allowed(transit, key, entries)
    missing = [entry.name for entry in entries if entry.name not in values]
    warnings: tuple[str, ...] = ()
    if missing:
        warnings = (_not_refreshed(missing),)
    if not values:
        return {}, warnings
    return _fingerprints(transit, fingerprint_key, values), warnings


def _not_refreshed(names: list[str]) -> str:
    return (
        f"The fingerprints of {', '.join(names)} stay as they are, since the token may not decrypt. When the key's "
        "min_decryption_version passes their version, they tell nothing any more."
    )


def _successors(file: VarsFile, ciphertexts: Mapping[str, str]) -> dict[str, str]:
    """What took the place of each ciphertext that is known to have been there, by its digest."""
    successors = {}
    for entry in file.entries.values():
        if entry.name in ciphertexts:
            successors[digest(entry.ciphertext)] = ciphertexts[entry.name]
        if entry.before:
            successors[entry.before] = ciphertexts.get(entry.name, entry.ciphertext)
    return successors


def _foretold(key: str, secrets: Secrets) -> Outcome:
    """The prediction for a key that is not there: an earlier task may be about to create it."""
    fates = decide({}, dict.fromkeys(secrets, "new"), version=1, fingerprint_version=1, purge=False)
    return Outcome(
        changed=True,
        after=summary(fates, after=True),
        result={"entries": [_entry_result(fate) for fate in fates]},
        warnings=(f"The key '{key}' does not exist. Without check mode this fails unless an earlier task creates it.",),
    )


def _checked_secrets(given: Mapping[str, Any]) -> dict[str, bytes]:
    problems = name_problems([str(name) for name in given])
    problems += [f"the value of '{name}' must be text (quote it)" for name, value in given.items() if _no_text(value)]
    problems += [f"the value of '{name}' is empty" for name, value in given.items() if value == ""]
    if problems:
        raise InvalidOption(f"secrets: {'; '.join(problems)}.")
    return {name: value.encode("utf-8") for name, value in given.items()}


def _no_text(value: Any) -> bool:
    # What was no UTF-8 arrives with lone surrogates, which cannot be sent.
    return not isinstance(value, str) or any("\ud800" <= char <= "\udfff" for char in value)


def _compare(
    transit: Transit,
    key: str,
    fingerprint_key: str,
    file: VarsFile,
    secrets: Secrets,
    fingerprints: Mapping[str, str],
) -> dict[str, str | None]:
    """For each given secret ``None`` when it is the stored one, else the reason to write it."""
    stored = {name: entry for name, entry in file.entries.items() if name in secrets}
    verified = _verified(transit, fingerprint_key, stored, secrets, fingerprints)
    unverifiable = [entry for name, entry in stored.items() if verified.get(name) is None]
    plaintexts = _decrypt_if_allowed(transit, key, unverifiable)
    reasons: dict[str, str | None] = {}
    for name, value in secrets.items():
        if name not in stored:
            reasons[name] = "new"
        elif verified.get(name) or plaintexts.get(name) == value:
            reasons[name] = None
        elif verified.get(name) is False or name in plaintexts:
            reasons[name] = "the value changed"
        else:
            reasons[name] = "fingerprint expired" if stored[name].fingerprint else "no fingerprint"
    return reasons


def _verified(
    transit: Transit,
    fingerprint_key: str,
    stored: Mapping[str, Entry],
    secrets: Secrets,
    fingerprints: Mapping[str, str],
) -> dict[str, bool | None]:
    """What the stored fingerprints tell: the same value, another one, or nothing."""
    verified: dict[str, bool | None] = {}
    older: dict[str, Item] = {}
    for name, entry in stored.items():
        if ciphertext_version(entry.fingerprint) == ciphertext_version(fingerprints[name]):
            # Under one version the same value has always the same HMAC: there is nothing to ask.
            verified[name] = entry.fingerprint == fingerprints[name]
        elif entry.fingerprint:
            older[name] = Item(fingerprint_input(name, secrets[name]), name, hmac=entry.fingerprint)
    if older:
        verified.update(zip(older, transit.verify(fingerprint_key, list(older.values()))))
    return verified


def _decrypt_if_allowed(transit: Transit, key: str, entries: list[Entry]) -> dict[str, bytes]:
    """Plaintexts of entries whose fingerprint tells nothing, as far as the token may and they do decrypt."""
    if not entries:
        return {}
    try:
        values = transit.decrypt_each(key, [stored_item(entry) for entry in entries])
    except PermissionDenied:
        return {}
    return {entry.name: value for entry, value in zip(entries, values) if isinstance(value, bytes)}


def stored_item(entry: Entry, key_version: int = 0) -> Item:
    return Item(
        entry.ciphertext.encode("utf-8"), entry.name, context=entry.name.encode("utf-8"), key_version=key_version
    )


def _fingerprints(transit: Transit, fingerprint_key: str, secrets: Secrets) -> dict[str, str]:
    """Fingerprints of all given secrets; with none given, one of nothing, for the version that it shows."""
    names = sorted(secrets) or [""]
    items = [Item(fingerprint_input(name, secrets.get(name, b"")), name) for name in names]
    return dict(zip(names, transit.hmac(fingerprint_key, items)))


def _wanted_version(transit: Transit, key: str, fingerprint_key: str, latest_fingerprint: int, asked: int) -> int:
    """The version that no entry shall be behind. An HMAC tells the latest one without the right to read the key."""
    if fingerprint_key == key:
        latest = latest_fingerprint
    else:
        actual = transit.read_key(key, exists=True)
        if actual is None:
            raise NotFound(f"The key '{key}' does not exist in the engine '{transit.backend}'.")
        latest = int(actual["latest_version"])
    if asked > latest:
        raise InvalidOption(f"key_version {asked} does not exist: the latest version of key '{key}' is {latest}.")
    return asked or latest


def _ciphertexts(
    transit: Transit, key: str, file: VarsFile, secrets: Secrets, fates: list[Fate], version: int
) -> dict[str, str]:
    written = [fate.name for fate in fates if fate.action in (ADDED, UPDATED)]
    rewrapped = [fate.name for fate in fates if fate.action == REWRAPPED]
    ciphertexts: dict[str, str] = {}
    if rewrapped:
        items = [stored_item(file.entries[name], version) for name in rewrapped]
        ciphertexts.update(zip(rewrapped, transit.rewrap(key, items)))
    if written:
        items = [Item(secrets[name], name, context=name.encode("utf-8"), key_version=version) for name in written]
        ciphertexts.update(zip(written, transit.encrypt(key, items)))
    return ciphertexts


def _entry_result(fate: Fate) -> dict[str, Any]:
    return {"name": fate.name, "action": fate.action, "reason": fate.reason, "version": fate.after}
