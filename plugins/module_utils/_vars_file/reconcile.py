# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From given secrets and a stored file to the file's new text. **Private** to the collection.

At most two requests decide (hmac, and verify for fingerprints of older versions), and at most two more do the work
(encrypt, rewrap), for any number of secrets that fits into the server's limits. The token needs no right to decrypt.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
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
    Edits,
    Entry,
    Fate,
    Place,
    VarsFile,
    check_ownership,
    decide,
    edit,
    encrypted,
    fingerprint_input,
    interpret,
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
    outcome, edits = _reconcile(client, options, file, run.dry_run)
    return outcome if edits is None else replace(outcome, text=update(file, edits))


def _reconcile_document(client: Client, options: Mapping[str, Any], place: Place, dry_run: bool) -> Outcome:
    """The same for a document of a KV engine, and for a file that points to it where there is to be one."""
    pointer = None
    if options.get("path"):
        file = parse(options["text"], str(options["path"]))
        text = pointing(file, place)
        pointer = text if text != file.text else None
    stored, document = read_document(client, place)
    outcome, edits = _reconcile(client, options, document, dry_run)
    if edits is not None:
        replace_document(client, document, stored, edits)
    return replace(outcome, changed=outcome.changed or pointer is not None, text=None if dry_run else pointer)


def read_document(client: Client, place: Place) -> tuple[Stored, VarsFile]:
    """A document as it is stored, and its entries.

    Raises:
        InvalidOption: it is no document of this kind.
    """
    stored = Documents(client, place.mount).read(place.path)
    return stored, replace(encrypted(interpret(dict(stored.content), str(place))), place=place)


def replace_document(client: Client, document: VarsFile, stored: Stored, edits: Edits) -> None:
    """Put a document with other entries in the place of what was read.

    Raises:
        Overtaken: somebody else was faster.
    """
    if document.place is None:
        raise ValueError("a file is not a document")
    content = deepcopy(dict(stored.content))
    edit(content, document.entries, edits)
    Documents(client, document.place.mount).replace(document.place.path, stored, content)


def _place(options: Mapping[str, Any]) -> Place:
    place = Place(str(options["kv_mount"]).strip("/"), str(options.get("kv_path") or "").strip("/"))
    if not (place.mount and place.path):
        raise InvalidOption("store: kv needs kv_mount and kv_path.")
    return place


@dataclass(frozen=True)
class _Task:
    """A file, the secrets that it is to hold, and the keys for that; all of it checked."""

    transit: Transit
    key: str
    fingerprint_key: str
    file: VarsFile
    secrets: Secrets = field(repr=False)


@dataclass(frozen=True)
class VarsPlan:
    """What happens to each entry of a file.

    Attributes:
        version: the key version that changed entries get.
        fingerprints: those of the given secrets, and those that are made anew.
    """

    task: _Task
    version: int
    fates: list[Fate]
    fingerprints: Mapping[str, str] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def without_upkeep(self) -> VarsPlan:
        """The same, but entries of the file whose values stay are left as they are, whatever version they have."""
        fates = [
            fate if fate.action in (ADDED, UPDATED, REMOVED) else Fate(fate.name, KEPT, "", fate.before, fate.before)
            for fate in self.fates
        ]
        return replace(self, fates=fates)


def plan_vars(client: Client, options: Mapping[str, Any], file: VarsFile) -> VarsPlan:
    """What has to be done for a file to hold the given secrets. Nothing is written.

    Args:
        options: those of ``vault_transit_vars``, less what says where the file is.
    """
    task = _task(client, options, file)
    return _planned(task, options, _fingerprints(task.transit, task.fingerprint_key, task.secrets))


def carry_out(plan: VarsPlan) -> Edits:
    """Encrypt and rewrap what the plan says. The file is for the caller to write."""
    task = plan.task
    return Edits(
        backend=task.transit.backend,
        key=task.key,
        fingerprint_key=task.fingerprint_key,
        ciphertexts=_ciphertexts(task.transit, task.key, task.file, task.secrets, plan.fates, plan.version),
        fingerprints={fate.name: plan.fingerprints[fate.name] for fate in plan.fates if fate.fingerprint},
        removed=[fate.name for fate in plan.fates if fate.action == REMOVED],
    )


def _reconcile(
    client: Client, options: Mapping[str, Any], file: VarsFile, dry_run: bool
) -> tuple[Outcome, Edits | None]:
    task = _task(client, options, file)
    if not task.secrets and not file.entries:
        return Outcome(changed=False, result={"entries": []}), None
    try:
        fingerprints = _fingerprints(task.transit, task.fingerprint_key, task.secrets)
    except (MountNotFound, NotFound):
        if not dry_run or file.entries:
            raise
        return _foretold(task.key, task.secrets), None
    plan = _planned(task, options, fingerprints)
    changed = any(fate.action != KEPT for fate in plan.fates)
    edits = carry_out(plan) if changed and not dry_run else None
    result: dict[str, Any] = {"entries": [_entry_result(fate) for fate in plan.fates]}
    if options.get("return_successors"):
        result["successors"] = _successors(file, edits.ciphertexts if edits is not None else {})
    before, after = summary(plan.fates, after=False), summary(plan.fates, after=True)
    return Outcome(changed, before, after, result, warnings=plan.warnings), edits


def _task(client: Client, options: Mapping[str, Any], file: VarsFile) -> _Task:
    key = checked_name(options["key"])
    fingerprint_key = checked_name(options.get("fingerprint_key") or key)
    transit = Transit(client, options["backend"])
    secrets = _checked_secrets(options["secrets"])
    if int(options.get("key_version") or 0) < 0:
        raise InvalidOption("key_version must not be negative: it is a version of the key, or 0 for the latest.")
    check_ownership(file, transit.backend, key, fingerprint_key, file.path)
    return _Task(transit, key, fingerprint_key, file, secrets)


def _planned(task: _Task, options: Mapping[str, Any], fingerprints: dict[str, str]) -> VarsPlan:
    transit, key, fingerprint_key, file = task.transit, task.key, task.fingerprint_key, task.file
    same = _compare(transit, key, fingerprint_key, file, task.secrets, fingerprints)
    latest_fingerprint = max(ciphertext_version(text) or 0 for text in fingerprints.values())
    refreshed: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    if options.get("refresh_fingerprints"):
        stale = _stale(file, task.secrets, latest_fingerprint)
        refreshed, warnings = _fingerprints_anew(transit, key, fingerprint_key, stale)
    same.update(dict.fromkeys(refreshed))
    asked = int(options.get("key_version") or 0)
    version = _wanted_version(transit, key, fingerprint_key, latest_fingerprint, asked)
    fates = decide(
        file.entries, same, version=version, fingerprint_version=latest_fingerprint, purge=bool(options["purge"])
    )
    return VarsPlan(task, version, fates, {**fingerprints, **refreshed}, warnings)


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
