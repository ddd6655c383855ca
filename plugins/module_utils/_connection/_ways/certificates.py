# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Certificates as PEM text: which of them TLS can read, and why a server may refuse one. **Private** to the collection.

Python's TLS refuses a text with one damaged certificate as a whole. The server's own client takes the others.
"""

from __future__ import annotations

import base64
import re
import ssl
from datetime import datetime, timezone
from typing import Iterator, NamedTuple

_BLOCK = re.compile(
    r"^-----BEGIN CERTIFICATE-----[ \t]*$(.*?)(^-----END CERTIFICATE-----[ \t]*$|(?=^-----BEGIN )|\Z)",
    re.MULTILINE | re.DOTALL,
)


class Readable(NamedTuple):
    """What TLS can read of a text.

    Attributes:
        text: its certificates that TLS can read, empty if there is none.
        damaged: the numbers of those that it cannot, counted from 1.
    """

    text: str
    damaged: tuple[int, ...] = ()


def readable(text: str) -> Readable:
    """Which certificates of a text TLS can read."""
    # One by one: OpenSSL refuses all because of one, or passes over those behind it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found = [_certificate_in(block, context) for block in _BLOCK.finditer(text.replace("\r\n", "\n"))]
    good = "".join(ssl.DER_cert_to_PEM_cert(one) for one in found if one)
    return Readable(good, tuple(number for number, one in enumerate(found, 1) if not one))


def _certificate_in(block: re.Match[str], context: ssl.SSLContext) -> bytes:
    """The certificate of a block, empty if TLS cannot read it."""
    try:
        certificate = base64.b64decode("".join(block[1].split()), validate=True) if block[2] else b""
        context.load_verify_locations(cadata=certificate)
    except (OSError, ValueError):
        return b""
    return certificate


def text_of(path: str) -> str:
    """The text of a file, empty if it cannot be read. Comments in it may have any characters."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


# What a server refuses. The tags and identifiers of X.509 (RFC 5280), which the library of Python has no reader for.
_VERSION, _EXTENSIONS, _TIME_WITH_CENTURY = 0xA0, 0xA3, 0x18
_EXTENDED_KEY_USAGE = b"\x55\x1d\x25"
_ANY_USAGE, _CLIENTS = b"\x55\x1d\x25\x00", b"\x2b\x06\x01\x05\x05\x07\x03\x02"


def fault_of_client(text: str, now: float) -> str:
    """Why a server will refuse the first certificate of a text from a client, as far as it shows; else empty.

    Args:
        text: PEM.
        now: seconds since the epoch.
    """
    block = _BLOCK.search(text.replace("\r\n", "\n"))
    try:
        return _fault(_certificate_in(block, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)), now) if block else ""
    except (IndexError, StopIteration, ValueError):
        # TLS has its own reader, which says what it cannot read.
        return ""


def _fault(certificate: bytes, now: float) -> str:
    (_tag, whole), *_rest = _parts(certificate)
    (_tag, signed), *_rest = _parts(whole)
    fields = [field for field in _parts(signed) if field[0] != _VERSION]
    start, end = (_time(*field) for field in _parts(fields[3][1]))
    if end.timestamp() < now:
        return f"has expired at {end:%Y-%m-%dT%H:%M:%SZ}"
    if start.timestamp() > now:
        return f"is not valid before {start:%Y-%m-%dT%H:%M:%SZ}"
    usages = _usages(fields)
    if usages and not {_ANY_USAGE, _CLIENTS} & usages:
        return "is not for clients (its extended key usage lacks clientAuth)"
    return ""


def _usages(fields: list[tuple[int, bytes]]) -> set[bytes]:
    """What a certificate is for, empty for everything."""
    for tag, content in fields:
        if tag == _EXTENSIONS:
            for _tag, extension in _parts(next(_parts(content))[1]):
                parts = list(_parts(extension))
                if parts[0][1] == _EXTENDED_KEY_USAGE:
                    return {usage for _tag, usage in _parts(next(_parts(parts[-1][1]))[1])}
    return set()


def _parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags and the contents of the values that stand one behind the other in DER."""
    at = 0
    while at < len(content):
        tag, size, at = content[at], content[at + 1], at + 2
        if size & 0x80:
            more = size & 0x7F
            size, at = int.from_bytes(content[at : at + more], "big"), at + more
        yield tag, content[at : at + size]
        at += size


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag != _TIME_WITH_CENTURY:
        # Years of two digits are those from 1950 to 2049.
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
