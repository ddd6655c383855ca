# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Decide what happens to each entry of an encrypted vars file, and write it down. Pure. **Private**."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Collection, Iterable, Mapping, MutableMapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import (
    Document,
    arrange,
    content_of,
    has_free_front,
    is_first_free,
    is_json,
    put,
    put_below,
    remove,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    FLAT,
    NESTED,
    Entry,
    VarsFile,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.leaves import change_leaves, safe_text
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.lines import Block, edited, lines_of, remaining
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import flattened

KEPT = "kept"
ADDED = "added"
UPDATED = "updated"
REWRAPPED = "rewrapped"
REFRESHED = "refreshed"
REMOVED = "removed"

# Why an entry has neither version nor fingerprint.
UNENCRYPTED = "unencrypted"

# Bytes of a nonce and of a tag.
_SEAL = 12 + 16
_MOST_NAMED = 10


@dataclass(frozen=True)
class EntryChange:
    """What happens to one entry, and why.

    Attributes:
        before: the stored key version, ``None`` for a new entry.
        after: the version that it gets, ``None`` for a removed entry.
        fingerprint: whether it gets a new fingerprint.
    """

    name: str
    action: str
    reason: str = ""
    before: int | None = None
    after: int | None = None
    fingerprint: bool = False

    @property
    def result(self) -> dict[str, Any]:
        """It as the module returns it."""
        return {"name": self.name, "action": self.action, "reason": self.reason, "version": self.after}


@dataclass(frozen=True)
class Edits:
    """New values of entries, and the keys that they were made with.

    Attributes:
        ciphertexts: by name, in the order in which new ones are added.
        fingerprints: by name.
        origins: of entries whose ciphertext is another one, and whose value is not, by name.
        unproven: names of entries that have no fingerprint any more.
        plain: values of leaves that are not encrypted, by name.
    """

    backend: str
    key: str
    fingerprint_key: str
    ciphertexts: Mapping[str, str] = field(repr=False)
    fingerprints: Mapping[str, str] = field(repr=False)
    removed: Sequence[str] = ()
    format: int = FLAT
    origins: Mapping[str, str] = field(default_factory=dict)
    unproven: Sequence[str] = ()
    plain: Mapping[str, Any] = field(default_factory=dict, repr=False)


def without_fingerprints(entries: Mapping[str, Entry], names: Iterable[str]) -> list[EntryChange]:
    """What happens to each entry when the named ones are written, and their values cannot be compared."""
    changes = {
        name: EntryChange(name, KEPT, before=entry.version, after=entry.version) for name, entry in entries.items()
    }
    for name in names:
        before = entries[name].version if name in entries else None
        changes[name] = EntryChange(name, ADDED if before is None else UPDATED, "no fingerprint", before=before)
    return list(changes.values())


def decide(
    entries: Mapping[str, Entry],
    same: Mapping[str, str | None],
    *,
    version: int,
    fingerprint_version: int,
    purge: bool,
    keep: Collection[str] = (),
    left: Collection[str] = (),
    gone: Mapping[str, str] = MappingProxyType({}),
) -> list[EntryChange]:
    """What happens to each entry, in the order of the file, then new ones sorted by name, or nested data as given.

    Args:
        entries: what the file holds.
        same: for each given secret, ``None`` if its value is the stored one, else the reason to write it.
        version: the key version that entries should not be behind.
        fingerprint_version: the same for fingerprints of given secrets.
        purge: whether to remove entries that were not given.
        keep: names of those that stay nevertheless.
        left: entries that were not given and stay as they are.
        gone: why entries have no place any more beside the given secrets.
    """
    changes = []
    is_nested = any("." in name for name in same)
    for entry in entries.values():
        if entry.name in gone:
            changes.append(EntryChange(entry.name, REMOVED, gone[entry.name], before=entry.version))
        elif entry.name in same:
            changes.append(_change_of_given(entry, same[entry.name], version, fingerprint_version))
        elif entry.name in left:
            changes.append(EntryChange(entry.name, KEPT, before=entry.version, after=entry.version))
        elif purge and entry.name not in keep:
            changes.append(EntryChange(entry.name, REMOVED, "not among secrets", before=entry.version))
        else:
            changes.append(_change_of_stored(entry, version))
    changes += [
        EntryChange(name, ADDED, reason or "", after=version, fingerprint=True)
        for name, reason in (same.items() if is_nested else sorted(same.items()))
        if name not in entries
    ]
    return changes


def _change_of_given(entry: Entry, reason: str | None, version: int, fingerprint_version: int) -> EntryChange:
    if reason is not None:
        return EntryChange(entry.name, UPDATED, reason, entry.version, version, fingerprint=True)
    stale = entry.is_misbound or (ciphertext_version(entry.fingerprint) or 0) < fingerprint_version
    change = _change_of_stored(entry, version)
    if change.action == KEPT and stale:
        why = "fingerprint of another ciphertext" if entry.is_misbound else "fingerprint of an older version"
        return EntryChange(entry.name, REFRESHED, why, entry.version, entry.version, fingerprint=True)
    return EntryChange(change.name, change.action, change.reason, change.before, change.after, stale)


def _change_of_stored(entry: Entry, version: int) -> EntryChange:
    if entry.version < version:
        return EntryChange(entry.name, REWRAPPED, f"behind version {version}", entry.version, version)
    return EntryChange(entry.name, KEPT, before=entry.version, after=entry.version)


def changes_of_plain(file: VarsFile, plain: Mapping[str, Any]) -> list[EntryChange]:
    """What happens to leaves that the file leaves unencrypted, also if they were encrypted until now."""
    changes = []
    for name, value in plain.items():
        held = file.open.get(name)
        if name in file.open and (type(held), held) == (type(value), value):
            changes.append(EntryChange(name, KEPT, UNENCRYPTED))
        else:
            is_there = name in file.open or name in file.entries
            changes.append(EntryChange(name, UPDATED if is_there else ADDED, UNENCRYPTED))
    return changes


def summary(changes: Sequence[EntryChange], *, after: bool) -> dict[str, str]:
    """One side of the diff: names, versions and reasons."""
    shown = {}
    for change in changes:
        version = change.after if after else change.before
        if change.reason == UNENCRYPTED and (after or change.action != ADDED):
            shown[change.name] = f"{UNENCRYPTED} ({change.action})" if after and change.action != KEPT else UNENCRYPTED
        elif version is not None:
            reason = f" ({change.action}: {change.reason})" if after and change.action != KEPT else ""
            shown[change.name] = f"v{version}{reason}"
    return shown


def stand_ins(changes: Sequence[EntryChange], secrets: Mapping[str, bytes]) -> dict[str, str]:
    """For each new ciphertext a text as long as one of AES-GCM, which is enough to predict the size of the file."""
    return {
        change.name: f"vault:v{change.after}:{'A' * (-(-(len(secrets[change.name]) + _SEAL) // 3) * 4)}"
        for change in changes
        if change.action in (ADDED, UPDATED) and change.name in secrets
    }


def kept_undeclared(file: VarsFile, names: list[str]) -> str:
    """Somebody who drops a secret from a task may think that this removes it."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return (
        f"{file.path}: kept, not declared: {', '.join(names[:_MOST_NAMED])}{more}. If they should stay, declare them "
        "in 'secrets' without values, or in 'keep'. To remove them, use 'purge' or 'mlkeys unset'."
    )


def update(file: VarsFile, edits: Edits) -> str:
    """The file's new text: old entries in their places, new ones in their alphabetical ones, all else as it was."""
    at_front = is_first_free(file.text)
    lines = None if is_json(file.path) else lines_of(file.text)
    text = None
    if lines is not None and not edits.plain:
        blocks = _blocks(file.entries, edits)
        text = edited(lines, _settings(edits), edits.ciphertexts, blocks, edits.removed, at_front=at_front)
    if text is not None:
        return text
    document = Document(file.text, file.path)
    edit(document.content, file.entries, edits, at_front=at_front)
    new = document.text()
    _check_plain(new, file.path, edits.plain)
    return new


def _check_plain(text: str, path: str, plain: Mapping[str, Any]) -> None:
    """
    Raises:
        InvalidOption: Ansible would read a value that is not encrypted as another one.
    """
    leaves = flattened(content_of(text, path)) if plain else {}
    wrong = [name for name, value in plain.items() if (type(leaves[name]), leaves[name]) != (type(value), value)]
    if wrong:
        raise InvalidOption(
            f"{path}: Ansible would read the value of {', '.join(wrong)} as another one, since the file leaves it "
            "unencrypted. Write it into the file by hand, or remove it from unencrypted."
        )


def edit(
    content: MutableMapping[Any, Any], entries: Mapping[str, Entry], edits: Edits, *, at_front: bool = True
) -> None:
    """The same for a loaded file, in place.

    Args:
        at_front: whether an entry may come before all others.
    """
    if edits.format == NESTED:
        plain = {
            name: safe_text(content, value) if isinstance(value, str) else value for name, value in edits.plain.items()
        }
        change_leaves(content, {**edits.ciphertexts, **plain}, edits.removed, at_front=at_front)
    else:
        stored = [name for name in content if name != METADATA]
        names = remaining(stored, edits.removed)
        put(content, edits.ciphertexts, names, at_front=at_front and stored[:1] == list(content)[:1])
    metadata = content.setdefault(METADATA, {})
    metadata.update(_settings(edits))
    for name in edits.removed if edits.format == FLAT else ():
        remove(content, name)
    for name, block in _blocks(entries, edits).items():
        _put_block(metadata, name, block.values, block.removed)


def _settings(edits: Edits) -> dict[str, Any]:
    own = {} if edits.fingerprint_key == edits.key else {"fingerprint_key": edits.fingerprint_key}
    return {"format": edits.format, "backend": edits.backend, "key": edits.key, **own}


def _blocks(entries: Mapping[str, Entry], edits: Edits) -> dict[str, Block]:
    replaced = {
        name: f"{digest(entries[name].ciphertext)} {edits.origins.get(name, '')}".rstrip()
        for name in edits.ciphertexts
        if name in entries
    }
    return {
        "hmac": Block(edits.fingerprints, [*edits.removed, *edits.unproven]),
        "before": Block(replaced, [*edits.removed, *edits.plain]),
    }


def _put_block(
    metadata: MutableMapping[Any, Any], name: str, values: Mapping[str, str], removed: Sequence[str]
) -> None:
    """Update a block of the metadata, and remove it if it becomes empty."""
    if name in metadata:
        block = metadata[name]
        put(block, values, remaining(block, removed), at_front=has_free_front(block))
        _remove_from(metadata, name, removed)
    elif values:
        # Comments at the end of a file belong to its last block, so that must stay the last one.
        others = [other for other in metadata if other != "hmac"]
        block = type(metadata)()
        put(block, values)
        metadata[name] = block
        arrange(metadata, {others[-1]: [name]})


def _remove_from(metadata: MutableMapping[Any, Any], name: str, removed: Sequence[str]) -> None:
    block = metadata[name]
    for gone in removed:
        left = remove(block, gone)
        if not block:
            del metadata[name]
            put_below(metadata, list(metadata)[-1], left)
            return
