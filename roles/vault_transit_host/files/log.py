# SPDX-FileCopyrightText: 2026, mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare lines of a log for people who may not see what its service holds. For root on the host: see ``health.sh.j2``.

``configuration RUNTIME FOLDER`` makes, from the configuration of an agent, that of one which writes each of its
plaintexts to ``FOLDER/values``, in base64 and one a line. ``lines FOLDER [FILE]`` prints the last lines without these
plaintexts and without the content of a file. Both read standard input.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import string
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

# So many characters of a value identify it. Fewer are hidden only if they are the whole value.
PART = 8
MASK = b"********"
# Longer values are not looked for in texts within texts, such as JSON in JSON.
NESTED = 4096
# Of values that are longer together, the search would take too long on a small host.
MOST = 128 * 1024
LINES = 8
LONGEST = 1000
BASE64 = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()

_CALL = re.compile(r"\{\{ (with secret .*?) \}\}\{\{ \$v := base64Decode \.Data\.plaintext \}\}")


def configuration(text: str, runtime: str, folder: str) -> str:
    """The configuration of an agent that writes plaintexts, and does not quote them for a file of the service."""
    calls = dict.fromkeys(_CALL.findall(text))
    contents = "".join(f"{{{{ {call} }}}}{{{{ .Data.plaintext }}}}\\n{{{{ end }}}}" for call in calls)
    head = text.partition("\ntemplate {\n")[0].replace(f'"{runtime}/', f'"{folder}/')
    settings = {"contents": contents, "destination": f"{folder}/values", "perms": "0400"}
    lines = [f'  {name} = "{value}"' for name, value in settings.items()]
    return "\n".join([head, "template {", *lines, "  error_on_missing_key = true", "}", ""])


def escaped(value: bytes) -> set[bytes]:
    """How programs write a value in texts of other languages: JSON, Python, shells, HTML and URLs."""
    text = value.decode("utf-8", "surrogateescape")
    texts = [
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        html.escape(text),
        html.escape(text, quote=False),
        text.replace("'", "'\\''"),
        text.replace("'", "'\"'\"'"),
        text.replace("'", "''"),
        re.sub(r"""([\\"$`])""", r"\\\1", text),
    ]
    urls = [quote(value), quote(value, safe=""), quote_plus(value)]
    return {value, value.strip(), *(one.encode("utf-8", "surrogateescape") for one in texts), *map(os.fsencode, urls)}


def encoded(value: bytes) -> set[bytes]:
    """The value in hexadecimal digits, and in base64, wherever it begins in what is encoded."""
    found = {base64.b16encode(value), base64.b32encode(value).rstrip(b"=")}
    for one in in_base64(value):
        found |= {one, one.translate(bytes.maketrans(b"+/", b"-_"))}
    return {one for one in found if len(one) >= PART // 2}


def in_base64(value: bytes) -> Iterator[bytes]:
    """The value after no, one or two other bytes of a group of three.

    Its first and its last character may have bits of what is beside it, and so be any of several.
    """
    for before in range(3):
        whole = base64.b64encode(bytes(before) + value).rstrip(b"=")[before:]
        rest = (before + len(value)) % 3
        firsts = _characters(whole[0], 4 ** (3 - before), 4**before) if before and whole else []
        lasts = _characters(whole[-1], 1, 4 ** (3 - rest)) if rest and whole else []
        inner = whole[len(firsts[:1]) : len(whole) - len(lasts[:1])]
        yield inner
        if len(inner) < PART:
            yield from (first + inner + last for first in firsts or [b""] for last in lasts or [b""])
        yield from (first + inner[: PART - 1] for first in firsts)
        yield from (inner[1 - PART :] + last for last in lasts)


def _characters(character: int, step: int, count: int) -> list[bytes]:
    """All characters of base64 that have the same bits as one that has zeros elsewhere."""
    at = BASE64.index(character)
    return [BASE64[at + step * number :][:1] for number in range(count)]


def forms(value: bytes) -> set[bytes]:
    """All forms of a value that are looked for, without spaces, in lower case."""
    texts = escaped(value)
    if len(value) <= NESTED:
        texts = {twice for once in texts for twice in escaped(once)}
    text = value.decode("utf-8", "surrogateescape")
    texts |= {one.encode("utf-8", "surrogateescape") for one in (text.upper(), text.lower())}
    every = texts.union(*map(encoded, texts))
    # An encoded text may be in a URL.
    every |= {os.fsencode(quote(one, safe="")) for one in every}
    return {b"".join(one.split()).lower() for one in every} - {b""}


def hidden(text: bytes, values: Iterable[bytes]) -> bytes:
    """The text with a mask for each value, in whatever form, and for each part of one that has 8 characters or more.

    Neither case nor spaces and line breaks matter.
    """
    places = [place for place, byte in enumerate(text) if not bytes((byte,)).isspace()]
    known = bytes(text[place] for place in places).lower()
    parts: dict[bytes, list[int]] = {}
    for place in range(len(known) - PART + 1):
        parts.setdefault(known[place : place + PART], []).append(place)
    covered = bytearray(len(known))
    for form in set().union(*map(forms, values)):
        if len(form) < PART:
            for match in re.finditer(re.escape(form), known):
                covered[match.start() : match.end()] = b"\1" * len(form)
        for start in range(len(form) - PART + 1):
            for place in parts.pop(form[start : start + PART], ()):
                covered[place : place + PART] = b"\1" * PART
    shown: list[bytes] = []
    after = 0
    for run in re.finditer(b"\1+", covered):
        shown += [text[after : places[run.start()]], MASK]
        after = places[run.end() - 1] + 1
    return b"".join([*shown, text[after:]])


def lines(text: bytes, values: Iterable[bytes]) -> bytes:
    """The last lines of a text, without values, and without control characters."""
    found = re.sub(rb"[\x00-\x08\x0b-\x1f\x7f]", b"?", hidden(text, values)).splitlines()[-LINES:]
    return b"".join(line[:LONGEST] + b"\n" for line in found)


def main(command: str, *arguments: str) -> None:
    if command == "configuration":
        sys.stdout.write(configuration(sys.stdin.read(), *arguments))
        return
    folder, *files = arguments
    values = [base64.b64decode(line) for line in Path(folder, "values").read_bytes().split()]
    values += [Path(path).read_bytes().strip() for path in files if Path(path).exists()]
    if sum(map(len, values)) > MOST:
        sys.exit("The values are too long to be looked for.")
    sys.stdout.buffer.write(lines(sys.stdin.buffer.read(), values))


if __name__ == "__main__":
    main(*sys.argv[1:])
