# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ciphertexts of a content."""

from __future__ import annotations

import io
from collections.abc import Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import rewrite
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan


def find(content: bytes) -> list[FoundCiphertext]:
    """Those in a file's content, in order."""
    return list(Scan(io.BytesIO(content)))


def replace(content: bytes, replacements: Mapping[str, str]) -> tuple[bytes, int]:
    """The content with other ciphertexts in place of some, and how many were replaced."""
    target = io.BytesIO()
    done = rewrite(io.BytesIO(content), target, replacements)
    return target.getvalue(), done.total
