# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Bring an encrypted vars file in step with given secrets. **Private** to the collection.

At most two requests decide (hmac, and verify for fingerprints of older versions), and at most two more do the work
(encrypt, rewrap), for as many secrets as the server's limits allow. The token needs no right to decrypt.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    MountNotFound,
    NotFound,
    PermissionDenied,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import replacing
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.belonging import check_ownership, pointing
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import (
    ADDED,
    KEPT,
    REFRESHED,
    REMOVED,
    REWRAPPED,
    UPDATED,
    Edits,
    EntryChange,
    changes_of_plain,
    decide,
    edit,
    kept_undeclared,
    stand_ins,
    summary,
    update,
    without_fingerprints,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    NESTED,
    Entry,
    Place,
    VarsFile,
    bound,
    encrypted,
    interpret,
    parse,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.fingerprints import (
    compare,
    fingerprints_of,
    needs_fingerprints,
    new_fingerprints,
    stale_entries,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents, Stored
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.request import (
    VarsRequest,
    fitted,
    nothing_to_keep,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.sealed import known_by_now, sealed
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import Json

# Why an entry was kept without a look at its value.
NOT_GIVEN = "no value given"
NOT_DECLARED = "not declared"


def reconcile_vars(client: Client, request: VarsRequest, run: RunContext) -> Outcome:
    """Bring an encrypted vars file, or a document of a KV engine, in step with the given secrets."""
    if request.place is not None:
        return _reconcile_document(client, request, request.place, run)
    file = parse(request.text, request.path)
    if file.place is not None:
        return _reconcile_document(client, request, file.place, run)
    outcome, edits = _reconcile(client, request, file, run)
    return outcome if edits is None else replace(outcome, text=update(file, edits))


def _reconcile_document(client: Client, request: VarsRequest, place: Place, run: RunContext) -> Outcome:
    """The same for a document of a KV engine, and for the file, if any, that should point to it."""
    pointer = None
    if request.path:
        file = parse(request.text, request.path)
        text = pointing(file, place, request.backend, request.key, request.fingerprint_key)
        pointer = text if text != file.text else None
    stored, document = read_document(client, place)
    outcome, edits = _reconcile(client, request, document, run)
    if edits is not None and not run.dry_run:
        replace_document(client, document, stored, edits)
    return replace(outcome, changed=outcome.changed or pointer is not None, text=None if run.dry_run else pointer)


def read_document(client: Client, place: Place) -> tuple[Stored, VarsFile]:
    """A document as it is stored, and its entries.

    Raises:
        InvalidOption: it is not a document of this kind.
    """
    stored = Documents(client, place.mount).read(place.path)
    return stored, replace(encrypted(interpret(dict(stored.content), str(place))), place=place)


def replace_document(client: Client, document: VarsFile, stored: Stored, edits: Edits) -> None:
    """Put a document with other entries in the place of the one that was read.

    Raises:
        Overtaken: somebody else wrote it in the meantime.
    """
    if document.place is None:
        raise ValueError("a file is not a document")
    content = deepcopy(dict(stored.content))
    edit(content, document.entries, edits)
    Documents(client, document.place.mount).replace(document.place.path, stored, content)


@dataclass(frozen=True)
class VarsPlan:
    """What happens to each entry of a file.

    Attributes:
        version: the key version that changed entries get, 0 for the latest if that is not known.
        fingerprints: those of the given secrets, and those of stored ones that are refreshed.
    """

    transit: Transit
    request: VarsRequest
    file: VarsFile
    version: int
    changes: list[EntryChange]
    fingerprints: Mapping[str, str] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def without_upkeep(self) -> VarsPlan:
        """The same, but entries whose values stay are left as they are, whatever version they have.

        But fingerprints of other ciphertexts are renewed.
        """
        changes = [
            change
            if change.action in (ADDED, UPDATED, REMOVED) or (change.action == REFRESHED and self._is_misbound(change))
            else EntryChange(change.name, KEPT, "", change.before, change.before)
            for change in self.changes
        ]
        return replace(self, changes=changes)

    def _is_misbound(self, change: EntryChange) -> bool:
        entry = self.file.entries.get(change.name)
        return entry is not None and entry.is_misbound


def plan_vars(client: Client, request: VarsRequest, file: VarsFile) -> VarsPlan:
    """What has to be done for a file to hold the given secrets. Nothing is written."""
    transit = _owner(client, request, file)
    request, file = fitted(request, file)
    try:
        fingerprints = fingerprints_of(transit, request.fingerprint_key, request.secrets)
    except PermissionDenied:
        if not request.may_lack_fingerprints or needs_fingerprints(request.secrets, file):
            raise
        changes = _with_plain(without_fingerprints(file.entries, request.secrets), request, file)
        return VarsPlan(transit, request, file, version=0, changes=changes, fingerprints={})
    return _planned(transit, request, file, fingerprints)


def carry_out(plan: VarsPlan) -> Edits:
    """Encrypt and rewrap what the plan says. The caller writes the file."""
    return _edits(plan, _ciphertexts(plan))


def _edits(plan: VarsPlan, ciphertexts: Mapping[str, str]) -> Edits:
    written = [change for change in plan.changes if change.action in (ADDED, UPDATED)]
    return Edits(
        backend=plan.transit.backend,
        key=plan.request.key,
        fingerprint_key=plan.request.fingerprint_key,
        ciphertexts=ciphertexts,
        fingerprints=_bound_fingerprints(plan, ciphertexts),
        removed=[change.name for change in plan.changes if change.action == REMOVED],
        format=plan.file.format,
        origins={one.name: plan.file.entries[one.name].origin for one in plan.changes if one.action == REWRAPPED},
        unproven=[one.name for one in plan.changes if one.action == UPDATED and not one.fingerprint],
        plain={one.name: plan.request.plain[one.name] for one in written if one.name in plan.request.plain},
    )


def _bound_fingerprints(plan: VarsPlan, ciphertexts: Mapping[str, str]) -> dict[str, str]:
    """The new fingerprints, and those of rewrapped entries: the value is the same, but the ciphertext is not."""
    fingerprints = {}
    for change in plan.changes:
        entry = plan.file.entries.get(change.name)
        if change.fingerprint:
            ciphertext = ciphertexts.get(change.name) or (entry.ciphertext if entry else "")
            given = plan.request.secrets.get(change.name)
            # Of those that are not given, texts alone get a new fingerprint in the place of another's.
            stays = entry is not None and entry.is_json and not entry.is_misbound
            is_json = isinstance(given, Json) if given is not None else stays
            fingerprints[change.name] = bound(plan.fingerprints[change.name], ciphertext, is_json=is_json)
        elif change.action == REWRAPPED and entry is not None and entry.bound_to and not entry.is_misbound:
            fingerprints[change.name] = bound(entry.fingerprint, ciphertexts[change.name], is_json=entry.is_json)
    return fingerprints


def _reconcile(client: Client, request: VarsRequest, file: VarsFile, run: RunContext) -> tuple[Outcome, Edits | None]:
    """The outcome but for what is written, and what has to be: in a dry run of the same size, if it may be large."""
    transit = _owner(client, request, file)
    request, file = fitted(request, file)
    _check_ungiven(request, file)
    if not (request.secrets or request.plain or file.entries):
        return Outcome(changed=False, result={"entries": []}), None
    try:
        fingerprints = fingerprints_of(transit, request.fingerprint_key, request.secrets)
    except (MountNotFound, NotFound):
        if not run.dry_run or file.entries:
            raise
        return _predicted(request, file), None
    plan = _planned(transit, request, file, fingerprints, dry_run=run.dry_run)
    changed = any(change.action != KEPT for change in plan.changes)
    edits = None
    if changed and not run.dry_run:
        edits = carry_out(plan)
        _keep_known(client, plan, edits)
    elif changed and len(file.text) + 2 * sum(map(len, request.secrets.values())) > replacing.MOST_BYTES:
        # The file may become too large, which is seen when it would be written.
        edits = _edits(plan, stand_ins(plan.changes, request.secrets))
    result: dict[str, Any] = {"entries": [change.result for change in plan.changes]}
    if request.return_successors:
        made = edits.ciphertexts if edits is not None and not run.dry_run else {}
        result["successors"] = _successors(file, made)
    before, after = summary(plan.changes, after=False), summary(plan.changes, after=True)
    undeclared = [change.name for change in plan.changes if change.reason == NOT_DECLARED]
    warnings = (*plan.warnings, *([kept_undeclared(file, undeclared)] if undeclared else ()))
    return Outcome(changed, before, after, result, warnings=warnings), edits


def _keep_known(client: Client, plan: VarsPlan, edits: Edits) -> None:
    """Keep the run from decrypting what it has just encrypted or rewrapped itself."""
    values, rewrapped = {}, {}
    for name, text in edits.ciphertexts.items():
        (new,) = sealed(edits.backend, edits.key, [Entry(name, text)])
        if name in plan.request.secrets:
            values[new] = bytes(plan.request.secrets[name])
        elif name in plan.file.entries:
            (rewrapped[new],) = sealed(edits.backend, edits.key, [plan.file.entries[name]])
    known_by_now(client, values, rewrapped)


def _owner(client: Client, request: VarsRequest, file: VarsFile) -> Transit:
    """The engine whose key encrypts the file.

    Raises:
        InvalidOption: the file was written with another key.
    """
    transit = Transit(client, request.backend)
    check_ownership(file, transit.backend, request.key, request.fingerprint_key, file.path)
    return transit


def _why_kept(change: EntryChange, request: VarsRequest) -> str:
    """The reason of a change. A task that names no secrets at all declares none, and leaves them to the file."""
    if change.action != KEPT or change.name in request.secrets:
        return change.reason
    if change.name in request.ungiven:
        return NOT_GIVEN
    declares = bool(request.secrets or request.ungiven or request.plain)
    return NOT_DECLARED if declares and change.name not in request.keep | request.left else change.reason


def _check_ungiven(request: VarsRequest, file: VarsFile) -> None:
    """
    Raises:
        InvalidOption: a secret without a value has no stored ciphertext either.
    """
    missing = sorted(request.ungiven - frozenset(file.entries) - frozenset(file.open))
    if missing:
        raise InvalidOption(nothing_to_keep(missing, file.path, typed=file.format == NESTED or not file.entries))


def _planned(
    transit: Transit, request: VarsRequest, file: VarsFile, fingerprints: Mapping[str, str], *, dry_run: bool = False
) -> VarsPlan:
    same = compare(transit, request, file, fingerprints)
    latest_fingerprint = max(ciphertext_version(text) or 0 for text in fingerprints.values())
    stale = stale_entries(file, request, latest_fingerprint)
    refreshed, warnings = new_fingerprints(transit, request, stale, dry_run) if stale else ({}, ())
    same.update(dict.fromkeys(refreshed))
    version = _wanted_version(transit, request, latest_fingerprint)
    changes = decide(
        file.entries,
        same,
        version=version,
        fingerprint_version=latest_fingerprint,
        purge=request.purge,
        keep=request.keep | request.ungiven,
        left=request.left,
        gone=request.gone,
    )
    changes = [replace(change, reason=_why_kept(change, request)) for change in changes]
    changes = _with_plain(changes, request, file)
    return VarsPlan(transit, request, file, version, changes, {**fingerprints, **refreshed}, warnings)


def _with_plain(changes: list[EntryChange], request: VarsRequest, file: VarsFile) -> list[EntryChange]:
    others = [change for change in changes if change.name not in request.plain]
    return [*others, *changes_of_plain(file, request.plain)]


def _successors(file: VarsFile, ciphertexts: Mapping[str, str]) -> dict[str, str]:
    """What replaced each ciphertext that the file is known to have held, by the digest of that."""
    successors = {}
    for entry in file.entries.values():
        if entry.name in ciphertexts:
            successors[digest(entry.ciphertext)] = ciphertexts[entry.name]
        if entry.before:
            successors[entry.before] = ciphertexts.get(entry.name, entry.ciphertext)
    return successors


def _predicted(request: VarsRequest, file: VarsFile) -> Outcome:
    """The prediction for a key that does not exist: an earlier task may be about to create it."""
    changes = decide({}, dict.fromkeys(request.secrets, "new"), version=1, fingerprint_version=1, purge=False)
    changes = _with_plain(changes, request, file)
    warning = (
        f"The key '{request.key}' does not exist. Without check mode this fails unless an earlier task creates it."
    )
    return Outcome(
        changed=True,
        after=summary(changes, after=True),
        result={"entries": [change.result for change in changes]},
        warnings=(warning,),
    )


def _wanted_version(transit: Transit, request: VarsRequest, latest_fingerprint: int) -> int:
    """The version that no entry should be behind. An HMAC shows the latest one without the right to read the key."""
    key, asked = request.key, request.key_version
    if request.fingerprint_key == key:
        latest = latest_fingerprint
    else:
        actual = transit.read_key(key, exists=True)
        if actual is None:
            raise transit.missing(key)
        latest = int(actual["latest_version"])
    if asked > latest:
        raise InvalidOption(f"key_version {asked} does not exist: the latest version of key '{key}' is {latest}.")
    return asked or latest


def _ciphertexts(plan: VarsPlan) -> dict[str, str]:
    transit, key, version, secrets = plan.transit, plan.request.key, plan.version, plan.request.secrets
    written = [one.name for one in plan.changes if one.action in (ADDED, UPDATED) and one.name in secrets]
    rewrapped = [change.name for change in plan.changes if change.action == REWRAPPED]
    ciphertexts: dict[str, str] = {}
    if rewrapped:
        items = [stored_item(plan.file.entries[name], version) for name in rewrapped]
        ciphertexts.update(zip(rewrapped, transit.rewrap(key, items)))
    if written:
        items = [Item(secrets[name], name, context=name.encode("utf-8"), key_version=version) for name in written]
        ciphertexts.update(zip(written, transit.encrypt(key, items)))
    return ciphertexts
