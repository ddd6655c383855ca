# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Find out whose ciphertexts are, and rewrap them. **Private** to the collection.

A ciphertext shows its key version and nothing else. To find its key and its context, the server is asked to rewrap it,
which shows no plaintext and changes nothing. The contexts of a derived key are the names of its secrets, and those are
tried. A ciphertext that does not rewrap under any of them belongs to another key.
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

# What happens to a ciphertext.
KEPT = "kept"
REWRAPPED = "rewrapped"
# It belongs to another key, or is damaged.
FOREIGN = "foreign"
# It no longer decrypts: its version is below the key's floor, `min_decryption_version`.
TOO_OLD = "too old"
# There are more than the limit of one run.
LEFT = "left for the next run"


@dataclass(frozen=True)
class FoundCiphertext:
    """One ciphertext that was found, and the name that stands before it there."""

    text: str
    hint: str = ""

    @property
    def version(self) -> int:
        return version_of(self.text)


@dataclass(frozen=True)
class RewrapResult:
    """What is known of one ciphertext, and what takes its place.

    Attributes:
        name: of the secret, empty if it is not known.
        successor: empty if it stays as it is.
        reason: why it cannot be rewrapped.
    """

    action: str
    name: str = ""
    successor: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Wanted:
    """Which key's ciphertexts should be at which version.

    Attributes:
        version: 0 for the latest.
        names: of secrets that may have been encrypted, to try as contexts.
        known: names of secrets by their ciphertexts.
        successors: what took the place of ciphertexts, by the digests of these.
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
        known: names of secrets by their ciphertexts in encrypted vars files.

    Raises:
        InvalidOption: an option is invalid.
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
    """The version that no ciphertext should be behind.

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


def decide(transit: Transit, found: Iterable[FoundCiphertext], wanted: Wanted, version: int) -> dict[str, RewrapResult]:
    """What happens to each ciphertext, by its text.

    Those at the wanted version or above stay, whatever key they belong to: the server is not asked about them.
    """
    results: dict[str, RewrapResult] = {}
    pending: dict[str, FoundCiphertext] = {}
    for one in found:
        text = one.text
        name = wanted.known.get(text, "")
        successor = wanted.successors.get(digest(text)) if wanted.successors else None
        if successor is not None:
            results[text] = RewrapResult(REWRAPPED, name, successor)
        elif one.version >= version:
            results[text] = RewrapResult(KEPT, name)
        else:
            pending[text] = one
    behind = list(pending.values())
    if wanted.limit is not None and len(behind) > wanted.limit:
        results.update((one.text, RewrapResult(LEFT)) for one in behind[wanted.limit :])
        behind = behind[: wanted.limit]
    results.update(_rewrapped(transit, behind, wanted, version))
    return results


def identify(
    transit: Transit, found: Iterable[FoundCiphertext], wanted: Wanted, version: int
) -> dict[str, RewrapResult]:
    """Whose each ciphertext is, by its text. Nothing takes its place; `REWRAPPED` means that it is behind."""
    results: dict[str, RewrapResult] = {}
    unknown: dict[str, FoundCiphertext] = {}
    for one in found:
        name = wanted.known.get(one.text)
        if name is None:
            unknown[one.text] = one
        else:
            results[one.text] = RewrapResult(KEPT if one.version >= version else REWRAPPED, name)
    for text, result in _rewrapped(transit, list(unknown.values()), wanted, 0).items():
        at_version = result.action == REWRAPPED and unknown[text].version >= version
        results[text] = RewrapResult(KEPT if at_version else result.action, result.name, reason=result.reason)
    return results


def _rewrapped(
    transit: Transit, found: Sequence[FoundCiphertext], wanted: Wanted, version: int
) -> dict[str, RewrapResult]:
    results: dict[str, RewrapResult] = {}
    rest = list(found)
    tried: dict[str, set[str]] = {one.text: set() for one in rest}
    # First the likely name of each, then every other name.
    rounds: list[str | None] = [None, *wanted.names]
    for common in rounds:
        attempts = []
        for one in rest:
            name = _likely_name(one, wanted) if common is None else common
            if name not in tried[one.text]:
                tried[one.text].add(name)
                attempts.append((one, name))
        if not attempts:
            continue
        items = [_item(one, name, version) for one, name in attempts]
        for (one, name), answer in zip(attempts, transit.rewrap_each(wanted.key, items)):
            result = _result(answer, name)
            known = results.get(one.text)
            # Of several reasons, "too old" is the most precise.
            if known is None or result.action != FOREIGN:
                results[one.text] = result
        rest = [one for one in rest if results[one.text].action == FOREIGN]
    return results


def _likely_name(one: FoundCiphertext, wanted: Wanted) -> str:
    known = wanted.known.get(one.text)
    if known is not None:
        return known
    hint = one.hint.lower().replace("-", "_").replace(".", "_")
    return hint if hint in wanted.names else ""


def _item(one: FoundCiphertext, name: str, version: int) -> Item:
    # A key that is not derived ignores the context.
    context = name.encode("utf-8") if name else None
    return Item(one.text.encode("ascii"), context=context, key_version=version)


def _result(answer: Rewrapped, name: str) -> RewrapResult:
    if answer.text:
        return RewrapResult(REWRAPPED, name, answer.text)
    if answer.foreign:
        return RewrapResult(FOREIGN, reason=answer.reason)
    return RewrapResult(TOO_OLD, reason=answer.reason)
