# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed data in base64, as in user data of cloud-init and in releases of Helm, is named like compressed files."""

from __future__ import annotations

import base64
import gzip
import io
import os

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import COMPRESSED
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan

PACKED = base64.b64encode(gzip.compress(b"OPENAI_API_KEY=vault:v1:" + base64.b64encode(os.urandom(40)))).decode()


def kind(text: str, sizes: Sizes | None = None) -> str | None:
    scan = Scan(io.BytesIO(text.encode()), sizes=sizes)
    list(scan)
    unread = scan.unread("/srv/x")
    return unread.kind if unread else None


@pytest.mark.parametrize(
    "text",
    [
        f"write_files:\n  - encoding: gz+b64\n    content: {PACKED}\n",
        "content: |\n" + "".join(f"  {PACKED[place : place + 20]}\n" for place in range(0, len(PACKED), 20)),
        f'{{"release": "{base64.b64encode(PACKED.encode()).decode()}"}}',
    ],
    ids=["cloud-init", "lines", "helm"],
)
def test_it_is_named(text: str) -> None:
    assert kind(text) == COMPRESSED
    # Wherever one part of the stream ends.
    assert {kind(text, Sizes(window, 64, 64)) for window in (7, 16, 50)} == {COMPRESSED}


@pytest.mark.parametrize("text", ["H4sI\n", f"x{PACKED}", f"token: {'A' * 40}H4sI{'A' * 40}", "a: H4sIA==\n"])
def test_other_texts_are_not(text: str) -> None:
    assert kind(text) is None
