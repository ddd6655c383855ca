# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Ciphertexts replaced where a search found them, without another search. **Private** to the collection.

The digest proves that a file is what was searched. Only ciphertexts that are written without escapes are replaced this
way: the new one then stands there as it is, and nothing but its end depends on what is around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import content_digest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import REACH, WINDOW
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import Rewritten
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import plain_end, stands_alone

# So much behind a new ciphertext shows where it ends.
_BEHIND = 256


@dataclass(frozen=True)
class Spots:
    """Where the ciphertexts of a file are.

    Attributes:
        digest: of the file's content.
        offsets: of each ciphertext, in order.
    """

    digest: str
    offsets: Sequence[int]

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> Spots:
        return cls(str(result["digest"]), [int(offset) for offset in result["offsets"]])


def splice(source: BinaryIO, target: BinaryIO, replacements: Mapping[str, str], spots: Spots) -> Rewritten | None:
    """Write a copy of a stream with other ciphertexts at some spots.

    Args:
        replacements: the new ciphertexts, by the old.

    Returns:
        ``None``, and nothing is written, where that needs another look: the stream is not what was searched, or
        something may continue a new ciphertext.
    """
    content = source.read(WINDOW + 1)
    if content_digest(content) != spots.digest or source.read(1):
        return None
    parts: list[bytes] = []
    done = 0
    for begin in spots.offsets:
        end = plain_end(content, begin, REACH)
        new = replacements.get(content[begin:end].decode("ascii"), "").encode("ascii")
        if not new or begin < done or not stands_alone(new, content[end : end + _BEHIND]):
            return None
        parts += (content[done:begin], new)
        done = end
    parts.append(content[done:])
    target.write(b"".join(parts))
    return Rewritten({"plain": len(spots.offsets)})
