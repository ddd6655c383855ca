# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What documents in a KV engine may keep that no search sees. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

# The kind of their earlier versions.
SUPERSEDED = "superseded"


def superseded(documents: Iterable[Mapping[str, Any]], target: int, *, is_final: bool) -> Iterator[dict[str, Any]]:
    """The earlier versions of documents, as they are when a run has ended."""
    for one in documents:
        if one.get("problem"):
            continue
        # What will be rewrapped becomes an earlier version by that.
        grows = not is_final and one["oldest"] < target
        if one["earlier"]:
            versions = f"its earlier versions ({', '.join(map(str, one['earlier']))})"
        elif one["is_known"] and not grows:
            continue
        elif one["is_known"]:
            versions = "its present version, which is an earlier one after the rewrap,"
        else:
            versions = "earlier versions of it, which the token may not list,"
        reason = f"{versions} may keep ciphertexts below v{target}, and do not decrypt below the floor"
        yield {"path": one["path"], "reason": reason, "kind": SUPERSEDED}


def gone(documents: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Documents that are declared, and not there."""
    for one in documents:
        if one.get("problem"):
            yield {"path": one["path"], "reason": one["problem"], "kind": "missing"}
