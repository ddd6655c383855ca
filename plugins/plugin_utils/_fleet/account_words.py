# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account of a rotation in rows and words. Pure. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.durations import age_text, parse_duration

# At most this many places are named in a message. The account has all.
_LISTED = 10


def row_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("host", "path", "line", "version", "name", "secret", "problem")}


def names_in(rows: Iterable[Mapping[str, Any]], files: Sequence[str]) -> dict[str, list[str]]:
    """The names of entries of encrypted vars files, by path."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["path"] in files:
            found.setdefault(row["path"], []).append(row["name"])
    return found


def unknown_row(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("host", "path", "line", "version", "name", "tried")
    # What is wrong with it where it stands. The server's answer is the same for all that begin alike.
    return {**{name: row[name] for name in names}, "reason": row.get("problem") or row["reason"]}


def rotation_row(rotation: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a version was created, or why not; empty before that is decided."""
    if not rotation:
        return {}
    age = str(rotation["age"])
    return {
        "done": bool(rotation["done"]),
        "asked": bool(rotation["asked"]),
        "age_seconds": int(age) if age else None,
        # The module that rotates has read it. Without it, nobody has.
        "due_seconds": parse_duration(rotation["due"]) if rotation["asked"] else None,
    }


def place_of(row: Mapping[str, Any]) -> str:
    """The host with path and line: an entry of a document has no line, and a host of which nothing is known no path."""
    path, line = (f":{row[name]}" if row.get(name) else "" for name in ("path", "line"))
    return f"{row['host']}{path}{line}"


def some(rows: Sequence[Mapping[str, Any]], *, reasons: bool = False) -> str:
    shown = []
    for row in rows[:_LISTED]:
        why = row.get("problem") or row.get("reason", "") if reasons else ""
        name = f"v{row['version']} {row['name']}".rstrip()
        shown.append(f"{place_of(row)} ({name}{': ' if why else ''}{why})")
    return listed(shown, len(rows))


def described(rows: Sequence[Mapping[str, Any]]) -> str:
    """Files with reasons, most of which name the file."""
    shown = [row["reason"] if row["path"] in row["reason"] else f"{row['path']}: {row['reason']}" for row in rows]
    return "; ".join(shown[:_LISTED]) + (f"; and {len(shown) - _LISTED} more" if len(shown) > _LISTED else "")


def listed(places: Sequence[str], total: int | None = None, *, most: int = _LISTED) -> str:
    number = len(places) if total is None else total
    shown = places[:most]
    return ", ".join(shown) + (f" and {number - len(shown)} more" if number > len(shown) else "")


def ways(rows: Sequence[Mapping[str, Any]], floor: int, available: int, *, recover: bool) -> str:
    """What helps if ciphertexts below the floor are of the key."""
    below = [row for row in rows if row["state"] == "too old"]
    found = []
    if any(row["version"] >= available for row in below) and not recover:
        found.append(f"Rewrap those below the floor v{floor} that are of this key: mlkeys rotate --recover")
    if any(row["version"] < available for row in below):
        found.append(
            f"Versions below {available} are trimmed: only a backup of the key, a newer revision of the file, or "
            "the secret itself brings those of this key back"
        )
    return "".join(f". {way}" for way in found)


def summary(found: Mapping[str, Any]) -> list[str]:
    """The account in words."""
    counts = [
        f"{one['count']} of {one['key'] or 'no known key'} at v{one['version']} ({one['state']})"
        for one in found["ciphertexts"]
    ]
    lines = [f"{found['key']}: {found['files']} files searched; ciphertexts: {', '.join(counts) or 'none'}."]
    rotation = found["rotation"]
    if rotation and rotation["asked"] and not rotation["done"]:
        age, due = age_text(rotation["age_seconds"]), age_text(rotation["due_seconds"])
        lines.append(f"Not rotated: {age or 'of unknown age'}, due at {due} (vault_transit_rotate_older_than).")
    for title, rows in (
        ("Nobody knows whose these are", found["unknown"]),
        ("Not searched", [*found["unread"], *found["not_searched"]]),
    ):
        if rows:
            lines.append(f"{title}: {listed([_described(row) for row in rows])}.")
    up = [_started(row) for row in found["services"] if row["up"]]
    down = [_down(row) for row in found["services"] if not row["up"]]
    if up:
        lines.append(f"Services run, started with: {listed(up)}.")
    if down:
        lines.append(f"Services are not up: {listed(down)}.")
    if found["accepted"]:
        lines.append(f"Accepted: {listed(found['accepted'])}.")
    lines += [f"Blocks: {reason}." for reason in found["blocking"]]
    if found["clean"]:
        lines.append("Nothing is open.")
    return lines


def _started(row: Mapping[str, Any]) -> str:
    versions = ", ".join(f"v{version}" for version in row["versions"])
    return f"{row['host']}: {row['service']} ({versions or 'unknown'})"


def _down(row: Mapping[str, Any]) -> str:
    return f"{row['host']}: {row['service']} ({row['reason']})"


def _described(row: Mapping[str, Any]) -> str:
    tried = f"; tried: {listed(row['tried'])}" if row.get("tried") else ""
    name = f" {row['name']}" if row.get("name") else ""
    return f"{place_of(row)}{name} ({row['reason']}{tried})"
