# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Base64 of texts that hold ciphertexts, on one line or on several. **Private** to the collection.

Ciphertexts in it are replaced in the decoded text, which is encoded again with the same alphabet, padding and width.
What does not give the same base64 when nothing changes in it is not touched.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Callable, Iterator, Mapping, Sequence, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.needles import BREAK, NEEDLES, Hit
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import (
    CONTROLS,
    START,
    TOO_LONG,
    Direct,
    Token,
    token_at,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.written import (
    PAD,
    SIGN_ESCAPE,
    Spelling,
    character,
)

UNCLEAR = "it is in base64 that is damaged or of something else than text"

_LINE = rb"(?:[A-Za-z0-9+/_-]+|%s)+" % SIGN_ESCAPE
_PADS = PAD + b"{0,2}"
_RUN = re.compile(rb"%s(?:%s%s)*%s" % (_LINE, BREAK, _LINE, _PADS))
# Behind an escape of something else a run may begin.
_RUN_OR_ESCAPE = re.compile(
    rb"(?P<run>%s)|%%[0-9A-Fa-f]{2}|\\{1,8}(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[^ux\\])|&#?[0-9A-Za-z]{1,8};"
    % _RUN.pattern
)
_BREAK = re.compile(BREAK)
_TAIL = re.compile(_PADS + rb"\Z")
_PAD = re.compile(PAD)
_SIGN = re.compile(SIGN_ESCAPE)
# All that may belong to a run. It is looked for backwards, and then read forwards.
_BROAD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_\\%&#; \t\r\n"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")
# So much tells whether a needle is the beginning of a ciphertext.
_SAMPLE = 4096
_USUAL_WIDTHS = (60, 64, 72, 76)


@dataclass(frozen=True)
class _Lines:
    """Lines of base64: where each begins and ends, and what stands between them."""

    spans: Sequence[tuple[int, int]]
    breaks: Sequence[bytes]


class Contained:
    """Base64 of a text with ciphertexts."""

    __slots__ = ("_inner", "_text", "_written", "end", "start", "tokens")

    def __init__(self, span: tuple[int, int], written: bytes, text: bytes, inner: Sequence[Occurrence]) -> None:
        """
        Args:
            written: as it stands there.
            text: the decoded text.
            inner: the ciphertexts in it.
        """
        self.start, self.end = span
        self._written = written
        self._text = text
        self._inner = inner
        self.tokens: tuple[Token, ...] = tuple(
            token._replace(form=_outer(token.form)) for one in inner for token in one.tokens
        )

    def name(self, name: str) -> None:
        """Give the tokens that have no name inside a name."""
        self.tokens = tuple(token if token.name else token._replace(name=name) for token in self.tokens)

    def written(self, replacements: Mapping[str, str]) -> tuple[bytes, list[str]]:
        """What takes its place, and the forms of what was replaced in it."""
        parts: list[bytes] = []
        forms: list[str] = []
        end = 0
        for one in self._inner:
            new, replaced = one.written(replacements)
            parts += [self._text[end : one.start], new]
            forms += [_outer(form) for form in replaced]
            end = one.end
        if not forms:
            return self._written, []
        return encoded_like(self._written, b"".join([*parts, self._text[end:]])), forms


Occurrence = Union[Direct, Contained]
#: What finds the ciphertexts in a decoded text.
Search = Callable[[bytes], Sequence[Occurrence]]


def raw_of(written: bytes) -> bytes:
    """Base64 without line ends and escapes, in its own alphabet."""
    if b"\n" in written or b"\\" in written:
        written = _BREAK.sub(b"", written)
    tail = _TAIL.search(written)
    pads = b"=" * len(_PAD.findall(tail.group())) if tail else b""
    body = written[: tail.start()] if tail else written
    if len(body.translate(None, b"\\%&")) < len(body):
        body = _SIGN.sub(lambda found: character(found.group()).encode("ascii"), body)
    return body + pads


def decoded(written: bytes) -> bytes | None:
    """The text of a run of base64; ``None`` where it is none, or would not give the same base64 again."""
    raw = raw_of(written)
    standard = raw.translate(_FROM_URL)
    body = standard.rstrip(b"=")
    if len(body) % 4 == 1 or (b"=" in standard and len(standard) % 4):
        return None
    try:
        text = base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    mixed = any(sign in raw for sign in (b"+", b"/")) and any(sign in raw for sign in (b"-", b"_"))
    if mixed or base64.b64encode(text).rstrip(b"=") != body:
        return None
    return text


def encoded_like(old: bytes, text: bytes) -> bytes:
    """A text in base64 that is written as the old one.

    Raises:
        ValueError: nothing shows which alphabet it is, and that makes a difference now.
    """
    raw = raw_of(old)
    new = base64.b64encode(text)
    is_bare = b"=" not in raw and len(raw) % 4 != 0
    if b"-" in raw or b"_" in raw:
        new = new.translate(_TO_URL)
    elif is_bare and b"+" not in raw and b"/" not in raw and (b"+" in new or b"/" in new):
        raise ValueError("the alphabet of its base64 is not known")
    if is_bare:
        new = new.rstrip(b"=")
    breaks = [found.group() for found in _BREAK.finditer(old)]
    first = _BREAK.search(old)
    width = len(raw_of(old[: first.start()])) if first else len(new)
    spelling = Spelling(_BREAK.sub(b"", old) if breaks else old)
    lines = [spelling.write(new[place : place + width].decode("ascii")) for place in range(0, len(new), width)]
    parts = [lines[0]]
    for place, line in enumerate(lines[1:]):
        parts += [breaks[min(place, len(breaks) - 1)], line]
    return b"".join(parts)


def container_at(text: bytes, hit: Hit, floor: int, reach: int, search: Search) -> tuple[Occurrence | None, int]:
    """The base64 around a needle, ``None`` where it holds no ciphertext; and up to where the text is searched.

    Args:
        floor: nothing before belongs to it.
        search: what finds the ciphertexts in what is decoded.
    """
    sample = _sample(text, hit)
    if not _is_promising(sample, hit.needle.levels):
        return None, hit.place
    begin, end = _run_around(text, hit.place, max(floor, hit.place - reach), hit.place + reach)
    fallback = None
    if end - begin < reach:
        for span in _candidates(text, _lines(text, begin, end), hit):
            content = _opened(text[span[0] : span[1]])
            inner = search(content) if content is not None else ()
            if content is not None and inner:
                found = Contained(span, text[span[0] : span[1]], content, inner)
                if not any(token.problem for token in found.tokens):
                    return found, found.end
                fallback = fallback or found
            elif content is not None:
                return fallback, max(end, hit.place)
    if fallback is not None:
        return fallback, fallback.end
    end = max(end, hit.place + len(hit.needle.text))
    shown = _shown(sample)
    if not shown and hit.needle.levels == 1:
        return None, end
    problem = UNCLEAR if end - begin < reach else TOO_LONG
    return Direct(begin, end, Token(shown, "base64", problem), text[begin:end]), end


def _shown(sample: bytes) -> str:
    start = START.search(sample)
    token = token_at(sample, start, _SAMPLE) if start else None
    return token.token.text if token else ""


def _opened(written: bytes) -> bytes | None:
    """The decoded text; ``None`` if it is something else than text."""
    text = decoded(written)
    if text is None or len(text.translate(None, CONTROLS + b"\0")) < len(text):
        return None
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text


def _sample(text: bytes, hit: Hit) -> bytes:
    """The beginning of what a needle's base64 decodes to, from the needle's first group of four on."""
    run = _RUN.match(text, hit.place, hit.place + _SAMPLE)
    raw = raw_of(run.group()).translate(_FROM_URL).rstrip(b"=") if run else b""
    before = _BREAK.sub(b"", text[max(0, hit.place - 256) : hit.place])
    lead = before[len(before) - hit.needle.skipped :] if hit.needle.skipped else b""
    if len(lead) < hit.needle.skipped or lead.strip(_ALPHABET):
        lead = b"A" * hit.needle.skipped
    raw = lead + raw
    return base64.b64decode(raw[: len(raw) // 4 * 4])


def _is_promising(sample: bytes, levels: int) -> bool:
    if START.search(sample):
        return True
    return levels > 1 and any(needle.levels == 1 and needle.text in sample for needle in NEEDLES)


def _run_around(text: bytes, place: int, begin: int, end: int) -> tuple[int, int]:
    """The longest piece of text around a place that may be base64."""
    before = text[begin:place]
    for found in _RUN_OR_ESCAPE.finditer(text, begin + len(before.rstrip(_BROAD)), end):
        if found.end() > place and found.group("run"):
            return found.span()
    return place, place


def _lines(text: bytes, begin: int, end: int) -> _Lines:
    spans, breaks = [], []
    for found in _BREAK.finditer(text, begin, end):
        spans.append((begin, found.start()))
        breaks.append(found.group())
        begin = found.end()
    return _Lines([*spans, (begin, end)], breaks)


def _candidates(text: bytes, lines: _Lines, hit: Hit) -> Iterator[tuple[int, int]]:
    """What may be the whole of the base64 in which a needle is, the likeliest first."""
    own = next(number for number, (_begin, end) in enumerate(lines.spans) if end > hit.place)
    begin, end = lines.spans[own]
    first, last = _block(text, lines, own)
    block = lines.spans[first][0], lines.spans[last][1]
    is_wrapped = first != last and _is_wrapped(text, lines.spans[first : last + 1])
    if is_wrapped:
        yield block
    if hit.place + len(hit.needle.text) <= end:
        yield begin, end
        # Something of the same characters precedes it: a path, or a word and a dash.
        yield begin + len(text[begin : hit.place].rstrip(_ALPHABET)), end
        if hit.needle.skipped == 0:
            yield hit.place, end
    if not is_wrapped and first != last:
        yield block


def _block(text: bytes, lines: _Lines, own: int) -> tuple[int, int]:
    """The first and the last of the lines that are wrapped at one width: all but the last have it."""
    lengths = [len(raw_of(text[begin:end])) for begin, end in lines.spans]
    width = lengths[own]
    if own and lengths[own - 1] > width:
        width = lengths[own - 1]
    first = last = own
    while first and lengths[first - 1] == width and lines.breaks[first - 1] == lines.breaks[own - 1]:
        first -= 1
    while last + 1 < len(lengths) and lengths[last] == width and lengths[last + 1] <= width:
        if lines.breaks[last] != lines.breaks[first]:
            break
        last += 1
    return first, last


def _is_wrapped(text: bytes, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether lines are one text for certain, not several or one and a word below it."""
    if all(_is_one_token(text[begin:end]) for begin, end in spans):
        return False
    width = len(raw_of(text[slice(*spans[0])]))
    tail = raw_of(text[slice(*spans[-1])])
    return len(spans) > 2 or width in _USUAL_WIDTHS or len(tail) >= 16 or tail.endswith(b"=")


def _is_one_token(written: bytes) -> bool:
    content = decoded(written)
    start = START.match(content) if content else None
    token = token_at(content, start, _SAMPLE) if content and start else None
    return content is not None and token is not None and not (token.token.problem or content[token.end :].strip())


def _outer(form: str) -> str:
    return "base64" if form == "plain" else f"base64+{form}"
