# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Which texts a request can carry, and how. Pure. **Private** to the collection."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption


def header_value(text: str) -> str:
    """A text as a header carries it for the server's own client: UTF-8, where Python's libraries send Latin-1."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def header_text(value: Any) -> str:
    """The value of an option that becomes a header.

    Raises:
        ValueError: it has a character that cannot be printed, which no header has.
    """
    text = str(value or "")
    if not text.isprintable():
        raise ValueError
    return text


def host_name(value: Any) -> str:
    """The name of a host as TLS and DNS have it: that of another script in ASCII.

    Raises:
        ValueError: it is not one.
    """
    text = header_text(value)
    return text if text.isascii() else text.encode("idna").decode("ascii")


def is_unusual(text: str) -> bool:
    """Whether a text has characters that tokens and IDs get by mistake alone."""
    return not (text.isascii() and text.isprintable())


def ascii_url(url: str) -> str:
    """The URL without a login, in ASCII.

    Raises:
        ValueError: its host has a name that cannot be one.
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    host, colon, port = (place, "", "") if place.startswith("[") else place.partition(":")
    return f"{parts.scheme}://{host_name(host)}{colon}{port}{quote(parts.path, safe='/%')}"


def url_path(path: str) -> str:
    """The path as a part of a URL, where it cannot become more than a path, nor lead to another one.

    Raises:
        InvalidOption: it has '.' or '..' as a name, which the libraries below resolve.
    """
    if any(name in (".", "..") for name in unquote(path).split("/")):
        raise InvalidOption(f"'{path}' is not a path on the server: no name in it can be '.' or '..'.")
    try:
        # A user name is quoted already, since it may hold a slash.
        return quote(path, safe="/%")
    except UnicodeEncodeError:
        raise InvalidOption(f"'{path}' is not a path on the server: it is not text in UTF-8.") from None


def json_or_text(value: Any) -> Any:
    """The mapping that a text holds as JSON, another text without blanks around it, and ``None`` for a blank one.

    Raises:
        ValueError: it begins as JSON does, and is something else.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    if value.lstrip().startswith("{"):
        return json.loads(value)
    return value.strip()
