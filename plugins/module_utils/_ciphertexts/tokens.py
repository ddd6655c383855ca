# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ciphertexts that stand in a text as they are, or with single characters escaped. **Private** to the collection."""

from __future__ import annotations

import re
from typing import Iterator, Mapping, Match, NamedTuple

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import SHORTEST
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.written import (
    COLON,
    JOINT,
    PAD,
    PAYLOAD,
    STRONG_JOINT,
    Spelling,
    form_of,
    plain,
)

CUT = "it is cut short, damaged, or continues in a way that is not supported"
TOO_LONG = "it is too long"
PREFIXED = "its length stands before it"
CONTROL = "control characters stand before it, as in binary data"
UNKNOWN = "it is escaped in a way that is not supported"

_REST = b"%(c)s(?:%(j)s)?v(?:%(j)s)?[1-9](?:(?:%(j)s)?[0-9]){0,17}(?:%(j)s)?%(c)s" % {b"c": COLON, b"j": JOINT}
#: Where a token begins.
START = re.compile(b"vault(?:%s)?%s" % (JOINT, _REST))
#: The same where its first word is on two lines.
SPLIT_START = re.compile(b"v%(j)sa%(j)su%(j)sl%(j)st%(j)s" % {b"j": b"(?:%s)?" % JOINT} + _REST)
_NEXT = re.compile(b"vault%sv[1-9]" % COLON)
# Something like a token, in an escape of an escape that nothing here knows.
_SUSPECT = re.compile(
    rb"vault[\\%&#;:uUxX0-9a-fA-F]{2,30}v[1-9][0-9]{0,17}[\\%&#;:uUxX0-9a-fA-F]{2,30}[A-Za-z0-9+/\\%&#;]{20}"
)

# With a nonce and a tag, in base64.
_SHORTEST_PAYLOAD = 40
_PLAIN = re.compile(rb"vault:v[1-9][0-9]{0,17}:([A-Za-z0-9+/]+)(={0,2})")
# More than any token and what follows it.
_CUT_OFF = 1 << 30
_PAD_CODE, _COLON_CODE = ord("="), ord(":")
# What may continue a token without padding: escapes and more padding, and joints.
_JOINING = b"\r\n\"'"
_CONTINUING = b"\\%&:=" + _JOINING
# What cannot be a joint: a line that is not the next one of a folded token, and a quote before something else than one.
_NO_JOINT = re.compile(
    rb"\r?\n[ \t]{0,200}"
    rb"(?:[A-Za-z0-9+/]{0,200}[^A-Za-z0-9+/\\%&=\"'\s]|[A-Za-z0-9+/]{1,200}=[A-Za-z0-9_./-]|\r?\n|\Z)"
    rb"|[\"'](?:[^\s\\\"']|[ \t]{0,200}\r?\n[ \t]{0,200}(?:[^ \t\"']|\Z)|\Z)"
)
_PAYLOAD = re.compile(PAYLOAD)
_PADS = re.compile(PAD + b"{1,2}")
_JOINT = re.compile(JOINT)
_STRONG = re.compile(STRONG_JOINT)
# What may stand behind a part on the last of several lines.
_LINE_END = re.compile(rb"[ \t]{0,200}(?:\r?\n|\\{1,4}\r?\n|[\"']|\Z)")
# Something that glues parts of a token together: `vault:v1:" + "…`.
_GLUED = re.compile(rb"[ \t\r\n]{0,20}[\"'\\][\s\"'\\+.,~&()|$nr]{0,60}([A-Za-z0-9+/]{16,})")
_URL = re.compile(rb"[?&](?:[^\s\"'<>?]{0,200}&)?[A-Za-z0-9_.~\[\]-]{1,100}=$")
# Behind one of these a token is never part of something with a length.
_USUAL = b" \t\r\n=:\"'`>(,[{;/"
# What stands before the length of a text in msgpack, pickle and CBOR.
_TAGGED = re.compile(rb"(?:[\xc4\xd9\x8c]|(?<![0-9A-Za-z_])[xXU])[^\x80-\xff]$")
# So much before a token is looked at.
_BEFORE = 256
_PHP = re.compile(rb"s:([0-9]{1,9}):\\{0,8}\"[^\"]*$")
_NETSTRING = re.compile(rb"(?<![0-9])([0-9]{1,9}):$")
# NUL is left out: a file that holds one is binary whatever else it holds.
CONTROLS = bytes(code for code in range(1, 32) if code not in b"\t\n\v\f\r\x1b")
_MSGPACK = re.compile(rb"\xd9([^\x80-\xbf])")


class Token(NamedTuple):
    """One token of an occurrence, with the attributes of `FoundCiphertext`."""

    text: str
    form: str = "plain"
    problem: str = ""
    name: str = ""


class Direct:
    """A token at a place of a text."""

    __slots__ = ("_in_url", "_written", "end", "start", "token")

    def __init__(self, start: int, end: int, token: Token, written: bytes, *, in_url: bool = False) -> None:
        self.start = start
        self.end = end
        self.token = token
        self._written = written
        self._in_url = in_url

    @property
    def tokens(self) -> tuple[Token, ...]:
        return (self.token,)

    @property
    def is_plain(self) -> bool:
        """Whether the token stands there as it is, and so can another one."""
        return self.token.form == "plain" and not (self.token.problem or self._in_url)

    def name(self, name: str) -> None:
        """Give the token a name."""
        self.token = self.token._replace(name=name)

    def written(self, replacements: Mapping[str, str]) -> tuple[bytes, list[str]]:
        """What takes its place, and the forms of what was replaced in it."""
        new = replacements.get(self.token.text)
        if new is None or self.token.problem:
            return self._written, []
        if self.token.form == "plain" and not self._in_url:
            return new.encode("ascii"), ["plain"]
        return Spelling(self._written, in_url=self._in_url).write(new), [self.token.form]


class _Part(NamedTuple):
    """A payload up to one of its joints.

    Attributes:
        length: without what is not of the payload.
        joined: whether it continues the parts before it for certain.
    """

    end: int
    length: int
    joined: bool


def found_at(text: bytes, place: int, reach: int) -> Direct | None:
    """What begins at the word of a token; ``None`` where that is all there is of one."""
    end = plain_end(text, place, reach)
    if end:
        return _plain(text, place, end)
    start = START.match(text, place) or SPLIT_START.match(text, place)
    return _composed(text, place, start.end(), reach) if start else suspect_at(text, place)


def token_at(text: bytes, start: Match[bytes], reach: int) -> Direct | None:
    """The token that begins at a match of `START`; ``None`` where only its first characters are there."""
    begin = start.start()
    end = plain_end(text, begin, reach)
    return _plain(text, begin, end) if end else _composed(text, begin, start.end(), reach)


def plain_end(text: bytes, begin: int, reach: int) -> int:
    """Where a token ends that is written without escapes and joints; 0 for none, and where more may belong to it."""
    simple = _PLAIN.match(text, begin, begin + reach)
    if simple is None:
        return 0
    end = simple.end()
    if (end - simple.start(1)) % 4 or not SHORTEST <= end - begin < reach:
        return 0
    if text[end - 1] == _PAD_CODE or end == len(text) or text[end] not in _CONTINUING:
        return end
    if text[end] in _JOINING and (_NO_JOINT.match(text, end) or not _JOINT.match(text, end)):
        return end
    return 0


def stands_alone(token: bytes, behind: bytes) -> bool:
    """Whether a token, written plainly before other text, is read as it is."""
    return plain_end(token + behind, 0, _CUT_OFF) == len(token)


def suspect_at(text: bytes, begin: int) -> Direct | None:
    """Something like a token that nothing here can read."""
    found = _SUSPECT.match(text, begin)
    if found is None:
        return None
    return Direct(begin, found.end(), Token(plain(found.group()), "unknown", UNKNOWN), found.group())


def _composed(text: bytes, begin: int, payload: int, reach: int) -> Direct | None:
    prefix = plain(text[begin:payload])
    first = max(0, begin - 200)
    before = text[max(first, text.rfind(b"\n", first, begin) + 1) : begin]
    parts = list(_parts(text, payload, begin + reach, before))
    best = None
    for part in parts:
        is_whole = part.length % 4 == 0 and len(prefix) + part.length >= SHORTEST
        if is_whole and (best is None or part.joined or best.length < _SHORTEST_PAYLOAD):
            best = part
    if best is not None:
        return _direct(text, begin, best.end, prefix + plain(text[payload : best.end]))
    end = parts[0].end if parts else payload
    found = prefix + plain(text[payload:end])
    problem = TOO_LONG if parts and parts[-1].end >= begin + reach else CUT
    if len(found) >= SHORTEST or _is_glued(text, end):
        return Direct(begin, end, Token(found, form_of(text[begin:end]), problem), text[begin:end])
    return None


def _parts(text: bytes, place: int, limit: int, before: bytes) -> Iterator[_Part]:
    """A payload up to each of its joints. Padding ends it.

    Args:
        before: what precedes the token on its line.
    """
    # Of the lines of the block that the token begins.
    indentation = b"" if before.strip() else before
    length = pads = 0
    strong, is_aligned = True, False
    leading = _JOINT.match(text, place, limit)
    if leading is not None:
        strong, place = _is_strong(leading), leading.end()
    while True:
        begin = place
        piece = _PAYLOAD.match(text, place, limit)
        place = _end_of(text, piece.start(), piece.end()) if piece else place
        padding = _PADS.match(text, place, limit)
        end = padding.end() if padding else place
        if end == begin or (pads and place > begin):
            return
        body = plain(text[begin:place])
        if not strong and not _ends_line(text, end, b"" if _is_random(body) else before):
            return
        if not strong and not length and not _is_random(body):
            return
        added = len(plain(text[place:end]))
        length, pads = length + len(body) + added, pads + added
        if pads > 2:
            return
        yield _Part(end, length, strong or is_aligned or bool(added) or _is_random(body))
        joint = _JOINT.match(text, end, limit)
        if joint is None or (pads and length % 4 == 0):
            return
        strong, place = _is_strong(joint), joint.end()
        is_aligned = bool(indentation) and joint.group().endswith(b"\n" + indentation)


def _ends_line(text: bytes, end: int, before: bytes) -> bool:
    """Whether a part may be the last on its line.

    Args:
        before: where the token begins. What is there and opens no quote needs none that closes it.
    """
    found = _LINE_END.match(text, end)
    quote = found.group()[-1:] if found else b""
    return found is not None and (quote not in (b"'", b'"') or not before.strip() or quote in before)


def _is_strong(joint: Match[bytes]) -> bool:
    return _STRONG.fullmatch(joint.group()) is not None


def _end_of(text: bytes, begin: int, end: int) -> int:
    """The end of a payload, which the next token may follow without anything between."""
    if text[end - 5 : end] == b"vault" and _NEXT.match(text, end - 5):
        return max(begin, end - 5)
    return end


def _is_random(text: str) -> bool:
    """Whether it looks like part of a payload, not like a word."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return len(text) >= 16 and sum(any(kind(char) for char in text) for kind in kinds) >= 2


def _is_glued(text: bytes, end: int) -> bool:
    glued = _GLUED.match(text, end)
    return glued is not None and _is_random(glued.group(1).decode("ascii"))


def _plain(text: bytes, begin: int, end: int) -> Direct:
    written, before = text[begin:end], text[max(0, begin - _BEFORE) : begin]
    token = Token(written.decode("ascii"), "plain", _problem(before, end - begin))
    return Direct(begin, end, token, written, in_url=_is_in_url(before))


def _direct(text: bytes, begin: int, end: int, found: str) -> Direct:
    written, before = text[begin:end], text[max(0, begin - _BEFORE) : begin]
    # Each escape is longer than what it stands for.
    form = "plain" if len(found) == len(written) else form_of(written)
    return Direct(begin, end, Token(found, form, _problem(before, len(written))), written, in_url=_is_in_url(before))


def _is_in_url(before: bytes) -> bool:
    return before.endswith(b"=") and b"?" in before and _URL.search(before) is not None


def _problem(before: bytes, length: int) -> str:
    """Why another length may not fit behind what stands before a token."""
    if not before:
        return ""
    last = before[-1]
    if last == length and last not in _USUAL and _TAGGED.search(before):
        return PREFIXED
    if b"\xd9" in before and _has_msgpack(before, length):
        return PREFIXED
    if last == _COLON_CODE:
        number = _NETSTRING.search(before)
        if number is not None and int(number.group(1)) == length:
            return PREFIXED
    if b"s:" in before:
        php = _PHP.search(before)
        if php is not None and int(php.group(1)) >= length:
            return PREFIXED
    return CONTROL if len(before.translate(None, CONTROLS)) < len(before) else ""


def _has_msgpack(before: bytes, length: int) -> bool:
    return any(found.group(1)[0] >= len(before) - found.end() + length for found in _MSGPACK.finditer(before))
