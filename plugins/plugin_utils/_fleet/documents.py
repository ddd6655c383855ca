# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What documents in a KV engine may keep that no search sees. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

# The kind of their earlier versions, and of a latest version that is deleted, which its owner may undelete.
SUPERSEDED, DELETED = "superseded", "deleted"


def why_empty(place: str, version: int, versions: list[int] | None) -> tuple[str, str]:
    """Why a document has nothing to search, and the kind of that.

    Args:
        place: ``ENGINE/PATH``.
        version: the latest one, which is deleted; 0 if there never was one.
        versions: those that are kept, ``None`` if the token may not list them.
    """
    if versions is None:
        versions = [version] if version else []
    if not versions:
        return f"its document {place} does not exist", "failed"
    kept = f"version {version} of its document {place} is deleted, and may be undeleted"
    return f"{kept}. The ciphertexts in it are not rewrapped, and do not decrypt below the floor", DELETED


def superseded(documents: Iterable[Mapping[str, Any]], target: int, *, is_final: bool) -> Iterator[dict[str, Any]]:
    """The earlier versions of documents, as they are when a run has ended."""
    for one in documents:
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
