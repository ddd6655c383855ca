# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The client certificate of a connection: which options give it, and how TLS gets it. **Private** to the collection."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, Iterator, Mapping

PATHS, TEXTS = ("client_cert", "client_key"), ("client_cert_bytes", "client_key_bytes")
_OF_LOGIN = ("cert_auth_public_key", "cert_auth_private_key")


def options_of_certificate(values: Mapping[str, Any]) -> tuple[str, str]:
    """The options that give the client certificate and its key.

    A connection has one: that of the login wins, then files, as for the server's own client.
    """
    if values["auth_method"] == "cert" and values[_OF_LOGIN[0]]:
        return _OF_LOGIN
    has_files = any(values[name] for name in PATHS)
    return PATHS if has_files or not all(values[name] for name in TEXTS) else TEXTS


def load_texts(context: ssl.SSLContext, texts: tuple[str, str]) -> None:
    """Let a context show the certificate and prove it with the key, both as PEM text.

    Python's TLS reads them from files alone. The key must not be written to one, so it comes through a pipe.

    Raises:
        OSError: they are not a certificate and its key.
    """
    with _read_from(texts[0]) as certificate, _read_from(texts[1]) as key:
        # Without a password, an encrypted key would make it prompt on the terminal.
        context.load_cert_chain(certificate, key, password="")


@contextmanager
def _read_from(text: str) -> Iterator[str]:
    """A path from which the text can be read once."""
    reading, writing = os.pipe()

    def fill() -> None:
        # What reads may stop before the end.
        with suppress(OSError), open(writing, "wb") as pipe:
            pipe.write(text.encode("utf-8", "replace"))

    thread = Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
        thread.join()
