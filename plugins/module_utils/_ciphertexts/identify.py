# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""From ciphertexts that were found somewhere to what they are, and to their successors. **Private** to the collection.

A ciphertext tells its key version and nothing else. Which key it belongs to, and under which context, is found out by
asking the server to rewrap it, which shows no plaintext and changes nothing: a derived key's contexts are the names of
its secrets, and those are tried. What does not rewrap under any of them belongs to another key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.find import digest, version_of
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    NotFound,
    PermissionDenied,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Rewrapped, Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name

# What becomes of a ciphertext.
KEPT = "kept"
REWRAPPED = "rewrapped"
# It belongs to another key, or is damaged.
FOREIGN = "foreign"
# It does not decrypt any more, because it fell below the key's floor.
TOO_OLD = "too old"
# There were more than the limit of one run.
LEFT = "left for the next run"


@dataclass(frozen=True)
class Sighting:
    """One ciphertext that was found, and what it is called there."""

    text: str
    hint: str = ""

    @property
    def version(self) -> int:
        return version_of(self.text)


@dataclass(frozen=True)
class Fate:
    """What is known of one ciphertext, and what shall take its place.

    Attributes:
        name: of the secret, empty where it is not known.
        successor: empty where it stays as it is.
        reason: why it cannot be rewrapped.
    """

    action: str
    name: str = ""
    successor: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Wanted:
    """Which key's ciphertexts are to be at which version.

    Attributes:
        version: 0 for the latest.
        names: of secrets that may have been encrypted, which are the contexts to try.
        known: names of ciphertexts that are known.
        successors: what took the place of ciphertexts, by their digests.
        limit: how many may be rewrapped, ``None`` for any number.
    """

    key: str
    version: int = 0
    names: Sequence[str] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    successors: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None


def wanted_from(options: Mapping[str, Any], known: Mapping[str, str]) -> Wanted:
    """What the options of a module ask for.

    Args:
        known: names of the ciphertexts of encrypted vars files.

    Raises:
        InvalidOption: it cannot be.
    """
    version, limit = int(options.get("key_version") or 0), options.get("limit")
    if version < 0:
        raise InvalidOption("key_version must not be negative: it is a version of the key, or 0 for the latest.")
    if limit is not None and limit < 0:
        raise InvalidOption("limit must not be negative.")
    names = dict.fromkeys([*known.values(), *(options.get("contexts") or ())])
    return Wanted(
        checked_name(options["key"]),
        version,
        tuple(names),
        known,
        options.get("replacements") or {},
        limit,
    )


def wanted_version(transit: Transit, wanted: Wanted) -> int:
    """The version that no ciphertext shall be behind.

    Raises:
        InvalidOption: the key has no such version.
        NotFound: the key does not exist.
    """
    try:
        actual = transit.read_key(wanted.key, exists=True)
    except PermissionDenied:
        # An HMAC shows the latest version to tokens that may not read the key.
        latest = ciphertext_version(transit.hmac(wanted.key, [Item(b"")])[0]) or 0
    else:
        if actual is None:
            raise NotFound(f"The key '{wanted.key}' does not exist in the engine '{transit.backend}'.")
        latest = int(actual["latest_version"])
    if wanted.version > latest:
        raise InvalidOption(
            f"key_version {wanted.version} does not exist: the latest version of key '{wanted.key}' is {latest}."
        )
    return wanted.version or latest


def decide(transit: Transit, sightings: Iterable[Sighting], wanted: Wanted, version: int) -> dict[str, Fate]:
    """What becomes of each ciphertext, by its text.

    Those at the wanted version or above stay, whoever they belong to: nobody is asked about them.
    """
    fates: dict[str, Fate] = {}
    pending: dict[str, Sighting] = {}
    for sighting in sightings:
        text = sighting.text
        name = wanted.known.get(text, "")
        successor = wanted.successors.get(digest(text)) if wanted.successors else None
        if successor is not None:
            fates[text] = Fate(REWRAPPED, name, successor)
        elif sighting.version >= version:
            fates[text] = Fate(KEPT, name)
        else:
            pending[text] = sighting
    behind = list(pending.values())
    if wanted.limit is not None and len(behind) > wanted.limit:
        fates.update((sighting.text, Fate(LEFT)) for sighting in behind[wanted.limit :])
        behind = behind[: wanted.limit]
    fates.update(_rewrapped(transit, behind, wanted, version))
    return fates


def identify(transit: Transit, sightings: Iterable[Sighting], wanted: Wanted, version: int) -> dict[str, Fate]:
    """Whose each ciphertext is, by its text. Nothing takes its place; `REWRAPPED` says that it would."""
    fates: dict[str, Fate] = {}
    unknown: dict[str, Sighting] = {}
    for sighting in sightings:
        name = wanted.known.get(sighting.text)
        if name is None:
            unknown[sighting.text] = sighting
        else:
            fates[sighting.text] = Fate(KEPT if sighting.version >= version else REWRAPPED, name)
    for text, fate in _rewrapped(transit, list(unknown.values()), wanted, 0).items():
        at_version = fate.action == REWRAPPED and unknown[text].version >= version
        fates[text] = Fate(KEPT if at_version else fate.action, fate.name, reason=fate.reason)
    return fates


def _rewrapped(transit: Transit, sightings: Sequence[Sighting], wanted: Wanted, version: int) -> dict[str, Fate]:
    fates: dict[str, Fate] = {}
    rest = list(sightings)
    tried: dict[str, set[str]] = {sighting.text: set() for sighting in rest}
    # First what each is likely to be, then every other name that there is.
    rounds: list[str | None] = [None, *wanted.names]
    for common in rounds:
        attempts = []
        for sighting in rest:
            name = _likely_name(sighting, wanted) if common is None else common
            if name not in tried[sighting.text]:
                tried[sighting.text].add(name)
                attempts.append((sighting, name))
        if not attempts:
            continue
        items = [_item(sighting, name, version) for sighting, name in attempts]
        for (sighting, name), answer in zip(attempts, transit.rewrap_each(wanted.key, items)):
            fate = _fate(answer, name)
            known = fates.get(sighting.text)
            # Of several reasons the one that says most is that it is too old.
            if known is None or fate.action != FOREIGN:
                fates[sighting.text] = fate
        rest = [sighting for sighting in rest if fates[sighting.text].action == FOREIGN]
    return fates


def _likely_name(sighting: Sighting, wanted: Wanted) -> str:
    known = wanted.known.get(sighting.text)
    if known is not None:
        return known
    hint = sighting.hint.lower().replace("-", "_").replace(".", "_")
    return hint if hint in wanted.names else ""


def _item(sighting: Sighting, name: str, version: int) -> Item:
    # A key that is not derived takes no notice of a context.
    context = name.encode("utf-8") if name else None
    return Item(sighting.text.encode("ascii"), context=context, key_version=version)


def _fate(answer: Rewrapped, name: str) -> Fate:
    if answer.text:
        return Fate(REWRAPPED, name, answer.text)
    if answer.foreign:
        return Fate(FOREIGN, reason=answer.reason)
    return Fate(TOO_OLD, reason=answer.reason)
