# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Finds random texts: keys and passwords that no form shows. People do not write such texts, they paste them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

#: Random texts under names that say "secret", and elsewhere, have at least as many characters.
SHORTEST_NAMED, _SHORTEST = 16, 24
# Without capitals, letters and digits hold less, and versions and dates are among them.
_SHORTEST_OF_ONE_CASE, _FEWEST_DIGITS = 32, 4
# Of the parts between separators, the longest. What has only shorter ones is made of words, numbers and abbreviations.
_SHORTEST_PART, _SHORTEST_OTHER_PART, _MOST_IN_PARTS = 12, 8, 0.6
_FEWEST_DIFFERENT_DIGITS = 8

_ROW = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-f]{32,}|[0-9A-F]{32,})\Z")
_SEPARATOR = re.compile(r"[+/_-]")

# Pairs of letters that make up 82 % of the words in programs and documentation, and 22 % of random letters.
_PAIRS = (
    "ab ac ad ag ai al am an ap ar as at au ba be bl ca ce ch ck cl co cr ct da de di do ea ec ed ee ef el em en ep er "
    "es et ev ex fi fo ge gr ha he ho ia ic id ie ig il im in io ir is it ke la le li ll lo ls lt ly ma me mi mo mp na "
    "nc nd ne ng ni no np ns nt oc od ol om on oo op or os ot ou ow pa pe pi pl po pr pt pu qu ra rc re ri ro rr rs rt "
    "sa sc se sh si so sp ss st su sw sy ta tc te th ti to tp tr ts tt tu ty ul un up ur us ut va ve vi wi xt yn"
)
_MOST_OF_WORDS = 0.5
# An alphabet is in order.
_MOST_IN_ORDER = 0.3

# Nearly no text of a program is random, so only the expression for rows is compiled at once.

# What is random, and for everyone to see. A part that is kept has a group.
_PUBLIC = (
    # A construct, a digest, a ciphertext or signature of Transit, a public key, a hash of a password
    r"\ue000[^\ue002]*\ue002"
    r"|(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
    r"|(?i:\b(?:sha-?(?:1|2|3|224|256|384|512)|md5|blake[23][a-z0-9]{0,3}))[:=-][A-Za-z0-9+/_-]+={0,2}"
    r"|\bvault:v[0-9]+:[A-Za-z0-9+/_-]+={0,2}"
    r"|\bAAAA[BCEGI][A-Za-z0-9+/]+={0,2}"
    r"|\bage1[0-9a-z]{58}\b"
    r"|-----BEGIN (?![A-Z ]*PRIVATE)[A-Z0-9 ]+-----[^-]*"
    r"|\$[0-9a-z-]{1,12}\$[^\s\"']+"
    r"|\bdata:[a-z]+/[^,\s]{1,80},[^\s\"']+"
    r"|/nix/store/[0-9a-z]{32}"
    # The path of an address: what is before its host, and behind its path, is kept
    r"|\b[a-z][a-z0-9+.-]{0,20}://(?:([^\s/@\"']{1,400})@)?[^\s?#\"'<>]*"
)
_PUBLIC_WORDS = (
    r"sha[0-9]{0,3}|md5|digests?|checksums?|hash(?:es)?|(?:finger|thumb)prints?|commit|rev(?:ision)?|ref|version|tag"
    r"|ids?|uuid|arn|pub(?:lic)?(?:_?keys?)?|cert(?:ificate)?s?|ca|integrity|etag|context|nonce|iv|ciphertexts?"
    r"|signatures?|hmac|accessors?|known_?hosts|authorized_?keys|kid|image|oid|checkout"
)
_PUBLIC_NAME = rf"(?:^|[._-]|(?<=[a-z])(?=[A-Z]))(?i:{_PUBLIC_WORDS})\Z"
_NAMES_OF_KEYS = (
    r"(?i)(?:^|[._-])(?:token|password|passwd|secret|secret_?id|secret_?key|salt_?key|api_?key|master_?key)\Z"
)
# A name before its value, as in `--commit=…`, `"sha": "…"`, `git checkout …`, or an image before its tag.
_NAME_BEFORE = (
    r"(?:([A-Za-z][A-Za-z0-9_.-]{0,60})[\"']?(?:[ \t]{0,4}[:=][ \t]{0,4}|[ \t])[\"']?|/([a-z0-9._-]{1,60}):)\Z"
)
_LONGEST_NAME = 80


def is_secret_name(name: str) -> bool:
    """Whether a name, with those that it is in (`provider.vault.token`), says that its value is a secret."""
    return re.search(_NAMES_OF_KEYS, name) is not None


def is_public_name(name: str) -> bool:
    """Whether a name, with those that it is in, says that its value may be random and is not a secret."""
    return re.search(_PUBLIC_NAME, name) is not None and not is_secret_name(name)


@lru_cache(maxsize=1024)
def random_rows(text: str) -> tuple[str, ...]:
    """Return the parts of a text that are random, and that nothing around them shows to be public."""
    if not _ROW.search(text):
        return ()
    return tuple(dict.fromkeys(_rows(re.sub(_PUBLIC, lambda found: f"{found[1] or ''} ", text))))


def _rows(text: str) -> Iterator[str]:
    for found in _ROW.finditer(text):
        row = found.group()
        # A path, whose parts stand for themselves. Releases have the digests of commits as names of folders.
        parts = [part for part in row.split("/") if not _HEX.match(part)] if row.startswith("/") else [row]
        if rows := [part for part in parts if is_random(part)]:
            named = re.search(_NAME_BEFORE, text[max(0, found.start() - _LONGEST_NAME) : found.start()])
            if not named or not (named[2] or is_public_name(named[1])):
                yield from rows


def is_random(row: str, shortest: int = _SHORTEST) -> bool:
    """Whether a text is one row of letters, digits and separators, and random.

    Args:
        shortest: how many characters it has at least.
    """
    if len(row) < shortest or not _ROW.fullmatch(row):
        return False
    if _HEX.match(row):
        return len({*row.lower()}) >= _FEWEST_DIFFERENT_DIGITS and not row.isdecimal() and not _is_in_order(row)
    parts = [part for part in _SEPARATOR.split(row.rstrip("=")) if len(part) >= _SHORTEST_OTHER_PART]
    if not parts or len(max(parts, key=len)) < _SHORTEST_PART:
        return False
    whole = "-".join(parts)
    if len(whole) < len(row) * _MOST_IN_PARTS or _is_in_order(whole):
        return False
    return _is_mixed(whole, min(_SHORTEST_OF_ONE_CASE, 2 * shortest)) and not _is_of_words(whole)


def _is_mixed(text: str, shortest_of_one_case: int) -> bool:
    """Whether a text has digits and letters of both cases, or is long and has many digits."""
    digits = sum(map(str.isdigit, text))
    if text in (text.lower(), text.upper()):
        return len(text) >= shortest_of_one_case and digits >= _FEWEST_DIGITS and any(map(str.isalpha, text))
    return digits > 0


def _is_in_order(text: str) -> bool:
    steps = sum(ord(second) - ord(first) in (0, 1) for first, second in pairwise(text))
    return steps > len(text) * _MOST_IN_ORDER


def _is_of_words(text: str) -> bool:
    lower = text.lower()
    pairs = [first + second for first, second in pairwise(lower) if (first + second).isalpha()]
    return sum(pair in _PAIRS for pair in pairs) >= len(pairs) * _MOST_OF_WORDS
