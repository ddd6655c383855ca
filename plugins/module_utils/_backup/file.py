# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Backup files of keys: a header that everybody may read, then a part that only the recipients can. Pure.

**Private** to the collection. Whether to take a backup, and what restoring one would destroy, is decided here from
three things: a file's header, the backup itself, and the key as the server shows it.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ChangeImpossible, InvalidOption

FORMAT = "mlkeys transit backup 1"

_COMMENT = """\
# A key of the Transit engine, encrypted. Ansible's mlkeys.transit.vault_transit_restore puts it back.
# By hand: sed '1,/^$/d' FILE | age --decrypt --identity KEY_FILE | bao write transit/restore/NAME backup=-
# (gpg --decrypt where it was encrypted by GnuPG; vault has the same command.)
"""

_COUNTS = ("latest_version", "min_decryption_version", "min_encryption_version", "min_available_version")


@dataclass(frozen=True)
class Facts:
    """What distinguishes one state of a key from another, none of it secret.

    Attributes:
        created: when versions were made, in seconds since the epoch, as far as known.
    """

    latest_version: int
    min_decryption_version: int
    min_encryption_version: int
    min_available_version: int
    created: Mapping[int, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in _COUNTS}

    @property
    def versions(self) -> range:
        return range(max(1, self.min_available_version), self.latest_version + 1)

    def missing_in(self, other: Facts) -> list[int]:
        """The versions that the other one lacks, or has as different versions under the same numbers."""
        both = self.created.keys() & other.created.keys()
        others = {version for version in both if self.created[version] != other.created[version]}
        return [version for version in self.versions if version not in other.versions or version in others]


@dataclass(frozen=True)
class Header:
    """What a file says about its backup."""

    key: str
    backend: str
    type: str
    facts: Facts
    taken: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True)
class BackupFile:
    """The content of a backup file.

    Attributes:
        sealed: the encrypted part.
    """

    header: Header
    sealed: str = field(repr=False)


def facts_of_key(actual: Mapping[str, Any], created: Mapping[int, float]) -> Facts:
    """The facts about a key as the server shows it."""
    return _facts(actual, {version: int(moment) for version, moment in created.items()})


def facts_of_backup(backup: str) -> tuple[str, Facts]:
    """The key's name and the facts about it, from a backup as the server makes it.

    Raises:
        ValueError: it is not such a backup. The message holds nothing of it.
    """
    try:
        content = json.loads(base64.b64decode(backup, validate=True))
        policy, archive = content["policy"], content["archived_keys"]["keys"] or ()
        offset = policy["archive_min_version"]
        entries = {number + offset: entry for number, entry in enumerate(archive)}
        entries.update((int(version), entry) for version, entry in policy["keys"].items())
        created = {version: int(entry["creation_time"]) for version, entry in entries.items() if entry["creation_time"]}
        found = str(policy["name"]), _facts(policy, created)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    else:
        return found
    # Outside of the handler: the parser's error holds the key material, and must not live on as this one's context.
    raise ValueError("not a backup of a key")


def _facts(source: Mapping[str, Any], created: Mapping[int, int]) -> Facts:
    def count(name: str) -> int:
        return int(source.get(name) or 0)

    return Facts(
        count("latest_version"),
        count("min_decryption_version"),
        count("min_encryption_version"),
        count("min_available_version"),
        dict(sorted(created.items())),
    )


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime(_TIME)


_TIME = "%Y-%m-%dT%H:%M:%SZ"


def file_text(header: Header, sealed: str) -> str:
    """The file's text."""
    facts = header.facts
    versions = ", ".join(f"{version} {timestamp(moment)}" for version, moment in facts.created.items())
    fields = [
        ("format", FORMAT),
        ("key", header.key),
        ("backend", header.backend),
        ("type", header.type),
        *((name, str(count)) for name, count in facts.counts.items()),
        ("versions", versions),
        ("taken", header.taken),
        *(("recipient", recipient) for recipient in header.recipients),
    ]
    lines = "".join(f"{name}: {value}".rstrip() + "\n" for name, value in fields)
    return f"{_COMMENT}{lines}\n{sealed.strip()}\n"


def read_file(text: str, path: str) -> BackupFile:
    """The backup file with this text.

    Raises:
        InvalidOption: it is not a backup file, or damaged.
    """
    head, _gap, sealed = text.partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.splitlines():
        if not line.startswith("#"):
            name, _colon, value = line.partition(":")
            fields.setdefault(name, []).append(value.strip())
    if fields.get("format") != [FORMAT]:
        raise InvalidOption(f"{path} is not a backup that vault_transit_backup has written.")
    try:
        facts = _facts({name: fields[name][0] for name in _COUNTS}, _created(fields["versions"][0]))
        single = {name: fields[name][0] for name in ("key", "backend", "type", "taken")}
        header = Header(**single, facts=facts, recipients=tuple(fields["recipient"]))
    except (KeyError, ValueError):
        raise _damaged(path) from None
    if not sealed.strip():
        raise _damaged(path)
    return BackupFile(header, sealed)


def _damaged(path: str) -> InvalidOption:
    return InvalidOption(f"{path} is damaged: its header or what follows it is incomplete. Take another backup.")


def _created(text: str) -> dict[int, int]:
    created = {}
    for part in filter(None, text.split(", ")):
        version, _space, moment = part.partition(" ")
        parsed = datetime.strptime(moment, _TIME).replace(tzinfo=timezone.utc)
        created[int(version)] = int(parsed.timestamp())
    return created


def reason_to_take(path: str, stored: Header | None, wanted: Header, *, force: bool) -> str:
    """Why a backup has to be taken, empty if the file already holds the same.

    Raises:
        ChangeImpossible: the file holds something that would be lost.
    """
    if stored is None:
        return "there is none yet"
    if (stored.key, stored.backend) != (wanted.key, wanted.backend):
        other = (
            f"it holds a backup of the key '{stored.key}' of the engine '{stored.backend}', not of '{wanted.key}' of "
            f"'{wanted.backend}'; give another path, or remove it"
        )
        raise ChangeImpossible(f"{path} cannot be written", [other])
    # Trimmed versions were destroyed on purpose, so they need not stay in the backup.
    lost = [one for one in stored.facts.missing_in(wanted.facts) if one >= wanted.facts.min_available_version]
    if lost and not force:
        last = (
            f"it holds {_named(lost)} of the key '{stored.key}', which the server's key does not have (any more): "
            "somebody restored an older backup, or made another key of that name. Give another path, or force: true to "
            "lose them"
        )
        raise ChangeImpossible(f"{path} cannot be written", [last])
    if stored.facts.missing_in(wanted.facts) or wanted.facts.missing_in(stored.facts):
        return "the key has other versions"
    if stored.facts.counts != wanted.facts.counts:
        return "the key has another floor"
    if set(stored.recipients) != set(wanted.recipients):
        return "it is for other recipients"
    return "it was asked for" if force else ""


def label_to_keep(stored: Header | None, wanted: Header) -> str:
    """What to call the stored backup beside the new one, empty if the new one has all of its versions."""
    if stored is None or not stored.facts.missing_in(wanted.facts):
        return ""
    versions = stored.facts.versions
    return f"v{versions[0]}" if len(versions) == 1 else f"v{versions[0]}-v{versions[-1]}"


def reason_not_to_restore(name: str, backup: Facts, actual: Facts | None, *, force: bool, destroy: bool) -> str:
    """Why there is nothing to do, empty if the backup has to be restored.

    Args:
        destroy: whether versions of the key that the backup lacks may be destroyed.

    Raises:
        ChangeImpossible: that would overwrite a key, and the options do not allow it.
    """
    if actual is None:
        return ""
    lost = actual.missing_in(backup)
    more = backup.missing_in(actual)
    if not lost and not more:
        if not force or actual.counts == backup.counts:
            return "the key exists with the same versions"
        return ""
    reasons = []
    if not force:
        has = f" and has {_named(lost)}, which the backup lacks" if lost else ""
        lacks = f" and lacks {_named(more)} of the backup" if more else ""
        reasons.append(f"it exists{has}{lacks}. To put the backup in its place, set force: true")
    if lost and not destroy:
        reasons.append(
            f"the backup lacks {_named(lost)}, and everything encrypted with it would be lost for good. Take a "
            "backup of the key as it is (vault_transit_backup, another path), and set destroy_versions: true as well"
        )
    if reasons:
        raise ChangeImpossible(f"The key '{name}' cannot be restored", reasons)
    return ""


def _named(versions: Sequence[int]) -> str:
    if len(versions) == 1:
        return f"version {versions[0]}"
    whole = list(range(versions[0], versions[-1] + 1)) == list(versions)
    return f"versions {versions[0]} to {versions[-1]}" if whole else f"versions {', '.join(map(str, versions))}"
