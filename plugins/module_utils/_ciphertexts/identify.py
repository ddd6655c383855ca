# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Find out whose ciphertexts are, and rewrap them. **Private** to the collection.

A ciphertext shows its key version and nothing else. To find its key and its context, the server is asked to rewrap it,
which shows no plaintext and changes nothing. The contexts of a derived key are the names of its secrets: what the file
calls the ciphertext, then every known name. Only a key that rewraps a ciphertext owns it. What no key rewraps is
unknown: the server cannot distinguish another key from another context, associated data, or damage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Container, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import (
    FoundCiphertext,
    digest,
    is_ciphertext,
    version_of,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    PermissionDenied,
    ServerError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Rewrapped, Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.batch import Item
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name

# What happens to a ciphertext.
KEPT = "kept"
REWRAPPED = "rewrapped"
# Another key owns it.
FOREIGN = "foreign"
# It no longer decrypts: its version is below the key's floor, `min_decryption_version`. The key does not check then
# whose it is: it has a name where an encrypted vars file of the key holds it, and may belong to another key elsewhere.
TOO_OLD = "too old"
# There are more than the limit of one run.
LEFT = "left for the next run"
# No key that was tried owns it.
UNKNOWN = "unknown"

# At most this many contexts are named.
_LISTED = 5


class RewrapResult(NamedTuple):
    """What is known of one ciphertext, and what takes its place.

    Attributes:
        name: of the secret, empty if it is not known.
        successor: empty if it stays as it is.
        reason: why it cannot be rewrapped.
        owner: the engine and the key that own it, where that is another key.
        tried: the keys, each with the contexts, that do not own it.
    """

    action: str
    name: str = ""
    successor: str = ""
    reason: str = ""
    owner: tuple[str, str] = ("", "")
    tried: tuple[str, ...] = ()

    @property
    def is_placed(self) -> bool:
        """Whether it is known whose it is."""
        return self.action != UNKNOWN and (self.action != TOO_OLD or bool(self.name))


@dataclass(frozen=True)
class Wanted:
    """Which key's ciphertexts should be at which version.

    Attributes:
        version: 0 for the latest.
        names: of secrets that may have been encrypted, to try as contexts.
        known: names of secrets by their ciphertexts.
        successors: what took the place of ciphertexts, by the digests of these.
        replaced: what takes the place of all ciphertexts of a secret, by its name.
        limit: how many may be rewrapped, ``None`` for any number.
    """

    key: str
    version: int = 0
    names: Sequence[str] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    successors: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True)
class KeyState:
    """What the server shows of a key.

    Attributes:
        version: that no ciphertext should be behind.
        derived: whether contexts matter. ``True`` where the token may not read the key.
        floor: `min_decryption_version`, as far as the token may read the key.
        actual: the attributes, ``None`` where the token may not read the key.
    """

    version: int
    latest: int
    derived: bool = True
    floor: int = 0
    actual: Mapping[str, Any] | None = None


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
    successors = options.get("replacements") or {}
    if not all(is_ciphertext(str(text)) for text in successors.values()):
        raise InvalidOption("replacements: each value must be a ciphertext (vault:vN:...).")
    names = dict.fromkeys([*known.values(), *(options.get("contexts") or ())])
    return Wanted(checked_name(options["key"]), version, tuple(names), known, successors, limit=limit)


def key_state(transit: Transit, wanted: Wanted) -> KeyState:
    """The key, and the version that no ciphertext should be behind.

    Raises:
        InvalidOption: the key has no such version.
        NotFound: the key does not exist.
    """
    derived, floor, actual = True, 0, None
    try:
        actual = transit.read_key(wanted.key, exists=True)
    except PermissionDenied:
        # An HMAC shows the latest version to tokens that may not read the key.
        latest = ciphertext_version(transit.hmac(wanted.key, [Item(b"")])[0]) or 0
    else:
        if actual is None:
            raise transit.missing(wanted.key)
        latest, derived = int(actual["latest_version"]), bool(actual.get("derived", True))
        floor = int(actual.get("min_decryption_version") or 0)
    if wanted.version > latest:
        raise InvalidOption(
            f"key_version {wanted.version} does not exist: the latest version of key '{wanted.key}' is {latest}."
        )
    return KeyState(wanted.version or latest, latest, derived, floor, actual)


def decide(
    transit: Transit,
    found: Iterable[FoundCiphertext],
    wanted: Wanted,
    key: KeyState,
    unproven: Container[str] = (),
) -> dict[str, RewrapResult]:
    """What happens to each ciphertext, by its text.

    Encrypted vars files of the key vouch for copies of the ciphertexts that they hold. The server is asked about all
    others, also about those at the wanted version: another key may have that version, too.

    Args:
        unproven: nothing vouches for these.
    """
    results: dict[str, RewrapResult] = {}
    pending: dict[str, FoundCiphertext] = {}
    at_version: set[str] = set()
    behind = 0
    for one in found:
        text = one.text
        if text in results or text in pending:
            continue
        version = one.version
        successor = wanted.successors.get(digest(text)) if wanted.successors else None
        if successor is not None and successor != text and version_of(successor) >= key.version:
            results[text] = RewrapResult(REWRAPPED, wanted.known.get(text, ""), successor)
        elif text in wanted.known and text not in unproven and key.version <= version <= key.latest:
            results[text] = _exchanged(one, RewrapResult(KEPT, wanted.known[text]), wanted, key)
        elif version >= key.version:
            at_version.add(text)
            pending[text] = one
        elif wanted.limit is not None and behind >= wanted.limit:
            results[text] = RewrapResult(LEFT)
        else:
            behind += 1
            pending[text] = one
    asked = _asked(transit, list(pending.values()), wanted, key, key.version)
    for text in at_version:
        if asked[text].action == REWRAPPED:
            asked[text] = asked[text]._replace(action=KEPT, successor="")
    if wanted.replaced:
        asked = {text: _exchanged(pending[text], result, wanted, key) for text, result in asked.items()}
    results.update(asked)
    return results


def _exchanged(one: FoundCiphertext, result: RewrapResult, wanted: Wanted, key: KeyState) -> RewrapResult:
    """The same, but for a secret whose ciphertexts are all replaced."""
    if not wanted.replaced or result.action not in (KEPT, REWRAPPED):
        return result
    # Under a key that is not derived, nothing but the name at the place shows what it is.
    names = [result.name] if key.derived or result.name in wanted.replaced else _hints(one)
    new = next((wanted.replaced[name] for name in names if name in wanted.replaced), "")
    return result._replace(action=REWRAPPED, successor=new) if new and new != one.text else result


def identify(
    transit: Transit,
    found: Iterable[FoundCiphertext],
    wanted: Wanted,
    key: KeyState,
    unproven: Container[str] = (),
) -> dict[str, RewrapResult]:
    """Whose each ciphertext is, by its text. Nothing takes its place; `REWRAPPED` means that it is behind."""
    results: dict[str, RewrapResult] = {}
    pending: dict[str, FoundCiphertext] = {}
    for one in found:
        name = wanted.known.get(one.text)
        if name is None or not key.floor <= one.version <= key.latest or one.text in unproven:
            pending[one.text] = one
        else:
            results[one.text] = RewrapResult(KEPT if one.version >= key.version else REWRAPPED, name)
    for text, result in _asked(transit, list(pending.values()), wanted, key, 0).items():
        at_version = result.action == REWRAPPED and pending[text].version >= key.version
        results[text] = result._replace(action=KEPT if at_version else result.action, successor="")
    return results


def find_owners(
    transit: Transit, found: Sequence[FoundCiphertext], wanted: Wanted, *, derived: bool
) -> tuple[dict[str, str], str]:
    """The ciphertexts that a key owns, with the names of their secrets, and what was tried."""
    place = f"{transit.backend}/{wanted.key}"
    try:
        answers = _rewrapped(transit, found, wanted, 0, derived=derived)
    except ServerError:
        return {}, f"{place} (not allowed to rewrap with it)"
    return {text: result.name for text, result in answers.items() if result.action == REWRAPPED}, place


def _asked(
    transit: Transit, found: Sequence[FoundCiphertext], wanted: Wanted, key: KeyState, version: int
) -> dict[str, RewrapResult]:
    """What the server makes of ciphertexts; those that it does not rewrap have a reason."""
    readable = [one for one in found if is_ciphertext(one.text)]
    results = _rewrapped(transit, readable, wanted, version, derived=key.derived)
    for one in found:
        answer = results.get(one.text)
        if answer is None:
            results[one.text] = RewrapResult(UNKNOWN, reason=one.problem or "it is not a whole ciphertext")
        elif answer.action != REWRAPPED:
            results[one.text] = _explained(transit, one, wanted, key, answer)
    return results


def _explained(
    transit: Transit, one: FoundCiphertext, wanted: Wanted, key: KeyState, answer: RewrapResult
) -> RewrapResult:
    """An answer for a ciphertext that was not rewrapped, with what else is known."""
    if answer.action == TOO_OLD and one.text in wanted.known:
        return answer._replace(name=wanted.known[one.text])
    if answer.action == UNKNOWN and one.version > key.latest:
        answer = answer._replace(reason=_too_new(one.version, key.latest))
    return answer._replace(tried=(_tried(transit, one, wanted, key),))


def _too_new(version: int, latest: int) -> str:
    return f"version {version} does not exist in this key (latest {latest}): another key, or the key was re-created"


def _tried(transit: Transit, one: FoundCiphertext, wanted: Wanted, key: KeyState) -> str:
    place = f"{transit.backend}/{wanted.key}"
    names = list(dict.fromkeys([*_likely(one, wanted), *wanted.names])) if key.derived else []
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{place} as {', '.join(names[:_LISTED])}{more}" if names else place


def _rewrapped(
    transit: Transit, found: Sequence[FoundCiphertext], wanted: Wanted, version: int, *, derived: bool
) -> dict[str, RewrapResult]:
    ask = _Asking(transit, wanted, version, derived=derived)
    if not derived:
        # No context: the name is the likeliest one, for reports.
        return ask.results([(one, (_likely(one, wanted) or [""])[0]) for one in found])
    results: dict[str, RewrapResult] = {}
    likely = {one.text: _likely(one, wanted) for one in found}
    rest = list(found)
    tried: dict[str, set[str]] = {one.text: set() for one in rest}
    # First what the file calls each, then every other name.
    rounds: list[int | str] = [0, 1, *wanted.names]
    if not any(likely.values()) and not wanted.names:
        rounds = [""]
    for common in rounds:
        attempts = []
        for one in rest:
            name = _attempt(likely[one.text], common)
            if name is not None and name not in tried[one.text]:
                tried[one.text].add(name)
                attempts.append((one, name))
        for text, result in ask.results(attempts).items():
            # Of several reasons, "too old" is the most precise.
            if text not in results or result.action != UNKNOWN:
                results[text] = result
        rest = [one for one in rest if one.text not in results or results[one.text].action == UNKNOWN]
    nothing = RewrapResult(UNKNOWN, reason="the key is derived, and no context is known to try")
    return {one.text: results.get(one.text, nothing) for one in found}


class _Asking:
    """Has the server rewrap ciphertexts.

    Where the latest version is wanted it is not named: the server takes that by itself, and more ciphertexts fit in a
    request. Only a standby that does not know of it yet gets its number.
    """

    def __init__(self, transit: Transit, wanted: Wanted, version: int, *, derived: bool) -> None:
        self._transit = transit
        self._wanted = wanted
        self._version = version
        self._derived = derived

    def results(self, attempts: Sequence[tuple[FoundCiphertext, str]]) -> dict[str, RewrapResult]:
        """What comes of ciphertexts under names."""
        results = self._sent(attempts, self._wanted.version and self._version)
        if not self._wanted.version and self._version:
            wanted = f"vault:v{self._version}:"
            others = [one for one in attempts if not results[one[0].text].successor.startswith(wanted)]
            late = [one for one in others if 0 < version_of(results[one[0].text].successor) < self._version]
            results.update(self._sent(late, self._version))
        return results

    def _sent(self, attempts: Sequence[tuple[FoundCiphertext, str]], version: int) -> dict[str, RewrapResult]:
        if not attempts:
            return {}
        if self._derived:
            contexts = [name.encode("utf-8") if name else None for _one, name in attempts]
        else:
            # Such a key ignores it.
            contexts = [None] * len(attempts)
        items = [
            Item(one.text.encode("ascii"), "", context, None, version)
            for (one, _name), context in zip(attempts, contexts)
        ]
        answers = self._transit.rewrap_each(self._wanted.key, items)
        return {one.text: _result(answer, name) for (one, name), answer in zip(attempts, answers)}


def _attempt(likely: Sequence[str], common: int | str) -> str | None:
    """The name to try in a round, ``None`` for none."""
    if isinstance(common, str):
        return common
    return likely[common] if common < len(likely) else None


def _likely(one: FoundCiphertext, wanted: Wanted) -> list[str]:
    known = wanted.known.get(one.text)
    return [known] if known is not None else _hints(one)


def _hints(one: FoundCiphertext) -> list[str]:
    """What the file calls it: as a variable, and as it stands there."""
    if not one.name:
        return []
    name = one.name.lower().replace("-", "_").replace(".", "_")
    return [name] if name == one.name else [name, one.name]


def _result(answer: Rewrapped, name: str) -> RewrapResult:
    if answer.text:
        return RewrapResult(REWRAPPED, name, answer.text)
    if answer.foreign:
        return RewrapResult(UNKNOWN, reason=answer.reason)
    return RewrapResult(TOO_OLD, reason=answer.reason)
