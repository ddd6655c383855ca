# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The file of `mlkeys status --history`: how many ciphertexts used which version at each look, a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlkeys._errors import MlkeysError

# Of a number; more than any fleet has.
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a key of a fleet found.

    Attributes:
        when: local time, to the minute.
        total: number of ciphertexts.
        latest: number of those that used the latest version.
    """

    fleet: str
    when: str
    key: str
    total: int
    latest: int


def line(fleet: str, report: Mapping[str, Any], now: datetime) -> str:
    """Return the line that a look at a fleet adds to the file."""
    keys = {
        f"{key['backend']}/{key['name']}": {
            "latest_version": key["latest_version"],
            "ciphertexts": {str(one["version"]): one["ciphertexts"] for one in key["versions"] if one["ciphertexts"]},
        }
        for key in report["keys"]
    }
    return json.dumps({"time": now.isoformat(timespec="seconds"), "fleet": fleet, "keys": keys}) + "\n"


def extended(former: str, added: str) -> str:
    """Return the text of the file with lines added. Somebody may have cut the end of the last one."""
    end = "\n" if former and not former.endswith("\n") else ""
    return f"{former}{end}{added}"


def looks(text: str, path: Path) -> list[Look]:
    """Return the looks of a file, the newest first.

    Raises:
        MlkeysError: a line is not one that `line` returns.
    """
    found: list[Look] = []
    for number, row in enumerate(text.splitlines(), 1):
        try:
            found += _looks_of(json.loads(row))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            raise MlkeysError(
                f"{path}:{number}: this is not a line of 'mlkeys status --history'. Nothing was added to the file."
            ) from None
    return found[::-1]


def _looks_of(entry: Mapping[str, Any]) -> Iterable[Look]:
    when = datetime.fromisoformat(entry["time"]).strftime("%Y-%m-%d %H:%M")
    fleet = _text(entry["fleet"])
    for key, seen in entry["keys"].items():
        counts = {_version(version): _number(count) for version, count in seen["ciphertexts"].items()}
        yield Look(fleet, when, _text(key), sum(counts.values()), counts.get(_number(seen["latest_version"]), 0))


def _text(found: object) -> str:
    """A text that can be written; what is not raises a ValueError here as in the other functions."""
    if not isinstance(found, str):
        raise TypeError
    # JSON can hold half of a character.
    found.encode()
    return found


def _version(found: str) -> int:
    if not (found.isascii() and found.isdigit() and len(found) <= _MOST_DIGITS):
        raise ValueError
    return int(found)


def _number(found: object) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 10**_MOST_DIGITS:
        raise ValueError
    return found


def of_fleet(found: Sequence[Look], name: str) -> list[Look]:
    """Return the looks at a fleet."""
    return [look for look in found if look.fleet == name]
