# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertexts of which every character is escaped: they are named, and left as they are."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan

from tests.support.ciphertext_forms import token
from tests.support.ciphertexts import find, replace

OLD = token(12, bytes(range(150, 190)))
NEW = token(13, bytes(range(44)))
PROBLEM = "it is escaped in a way that is not supported"


def each(format_: str) -> Callable[[str], str]:
    return lambda text: "".join(format_.format(ord(char), ord(char)) for char in text)


WAYS: dict[str, Callable[[str], str]] = {
    "JSON": each("\\u{:04x}"),
    "JSON, upper case": each("\\u{:04X}"),
    "JSON in JSON": each("\\\\u{:04x}"),
    "YAML and Python": each("\\U{:08x}"),
    "JavaScript": each("\\u{{{:x}}}"),
    "hexadecimal escapes": each("\\x{:02x}"),
    "octal escapes": each("\\{:03o}"),
    "octal escapes of printf": each("\\0{:03o}"),
    "URL": each("%{:02X}"),
    "URL in URL": each("%25{:02x}"),
    "XML, decimal": each("&#{};"),
    "XML, hexadecimal": each("&#x{:x};"),
    "HTML in XML": each("&amp;#{};"),
    "hexadecimal": each("{:02x}"),
    "hexadecimal, upper case": each("{:02X}"),
    "hexadecimal, blanks": lambda text: text.encode().hex(" "),
    "hexadecimal, colons": lambda text: text.encode().hex(":"),
    "hexadecimal, pairs": lambda text: text.encode().hex(" ", 2),
    "hexadecimal, wrapped": lambda text: "\n  ".join(
        text.encode().hex()[place : place + 20] for place in range(0, 2 * len(text), 20)
    ),
    "hexadecimal, C": lambda text: ", ".join(f"0x{ord(char):02x}" for char in text),
    "hexadecimal, C, compact": lambda text: ",".join(f"0x{ord(char):02X}" for char in text),
    "hexadecimal, xxd -i": lambda text: "".join(
        f"0x{ord(char):02x}{',' if place + 1 < len(text) else ''}{chr(10) + '  ' if place % 12 == 11 else ' '}"
        for place, char in enumerate(text)
    ).strip(),
    "hexadecimal, commas": lambda text: text.encode().hex(","),
    "registry of Windows": lambda text: ",\\\r\n  ".join(
        text.encode("utf-16-le")[place : place + 25].hex(",") for place in range(0, 2 * len(text), 25)
    ),
    "UTF-16": lambda text: text.encode("utf-16-le").hex(),
    "UTF-16, big-endian, blanks": lambda text: text.encode("utf-16-be").hex(" ")[3:],
    "UTF-16, C": lambda text: ", ".join(f"0x{code:02x}" for code in text.encode("utf-16-le")),
    "UTF-32": lambda text: text.encode("utf-32-le").hex(),
    "numbers of UTF-16": lambda text: str(list(text.encode("utf-16-le"))),
    "numbers": lambda text: str(list(text.encode())),
    "numbers in lines": lambda text: json.dumps(list(text.encode()), indent=2)[4:],
    "first letter": lambda text: f"\\u0076{text[1:]}",
    "one letter": lambda text: text.replace("u", "%75", 1),
    "last letter, and slashes": lambda text: text.replace("t", "\\x74", 1).replace("/", "\\/"),
    "behind the word": lambda text: f"vault{each('&#{};')(text[5:])}",
    "version": lambda text: f"vault:{each(chr(92) + 'u{:04x}')(text[6:9])}{text[9:]}",
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_found_as_what_it_is_and_left_alone(way: str) -> None:
    text = f'# \\u00fc %20\n"API_KEY": "{WAYS[way](OLD)}"\nB={OLD}\n'
    plain = FoundCiphertext(OLD, 3 + WAYS[way](OLD).count("\n"), "B")
    assert find(text.encode()) == [FoundCiphertext(OLD, 2, "API_KEY", "unknown", PROBLEM), plain]
    assert replace(text.encode(), {OLD: NEW}) == (text.replace(f"B={OLD}", f"B={NEW}").encode(), 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_found_in_wide_text(way: str, encoding: str) -> None:
    found = find(f"API_KEY={WAYS[way](OLD)}\n".encode(encoding))
    assert [one.text for one in found] == [OLD]
    assert found[0].problem


@pytest.mark.parametrize("way", WAYS)
def test_windows_do_not_hide_it(way: str) -> None:
    written = WAYS[way](OLD)
    for before in range(0, 64, 7):
        content = ("#" * before + f"\n'{written}'\n" + "#" * 2000).encode()
        scan = Scan(io.BytesIO(content), sizes=Sizes(64, 1024, 512))
        assert [found.text for found in scan] == [OLD], before


@pytest.mark.parametrize(
    "text",
    [
        "\\u0076\\u0061\\u0075\\u006c\\u0074 is escaped",
        "\\u0076ault:v1:short",
        "7661756c743a7631",
        "7661756c743a76313a" + "00" * 30,
        "%76%61%75%6c%74%3a%76%30%3a" + "%41" * 40,
        "c:\\vault\\u0061\\x74",
        "the vault: \\x76\\x31",
        "[118, 97, 117, 108, 116, 58, 118, 49, 58]",
        "0x76, 0x61, 0x75, 0x6c, 0x74, 0x3a, 0x76, 0x31, 0x3a",
        "[118, 97, 117, 108, 116, 58, 118, 49, 58, " + "1, " * 40 + "0]",
    ],
)
def test_less_than_a_ciphertext_is_not_found(text: str) -> None:
    assert find(text.encode()) == []


LOOK_ALIKES = [
    "\\u0061",
    "%61",
    "&#97;",
    "\\141",
    "v\\u0061",
    "7661756",
    "&amp;" * 9,
    "118, 97, 117, ",
    "0x76, 0x61, 0x75, ",
]
BEGINNINGS = [
    "\\166ault:v1:",
    "7661756c743a7631",
    "0x76,0x61,0x75,0x6c,0x74,0x3a,0x76,0x31,",
    "118,97,117,108,116,58,118,49,",
]


@pytest.mark.parametrize("unit", [*LOOK_ALIKES, *BEGINNINGS, "\\" * 50 + "u"])
def test_it_takes_no_longer_where_much_looks_like_one(unit: str) -> None:
    content = (unit * (300_000 // len(unit))).encode()
    begin = time.process_time()
    assert find(content) == []
    assert time.process_time() - begin < 5
