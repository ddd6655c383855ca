# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The keys that `mlkeys rotate` rotates, and what the playbook `mlkeys.transit.rotate` is given for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from mlkeys._commands.fleet.targets import Fleet, Key
from mlkeys._errors import MlkeysError
from mlkeys._shared.schema import did_you_mean


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key of one fleet.

    Attributes:
        replaced: names of the secrets of this key that get new values.
    """

    fleet: Fleet
    key: Key
    replaced: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.key} of {self.fleet.name}"


class Options(TypedDict):
    """The options; `limit` selects hosts, `at_most` limits ciphertexts."""

    older_than: int
    now: bool
    replaced: tuple[str, ...]
    contexts: tuple[str, ...]
    limit: str | None
    at_most: int | None
    serial: str | None
    restart: bool
    keep_floor: bool
    accept_unknown: tuple[str, ...]
    accept_unread: tuple[str, ...]
    strict: bool
    trim: bool
    trim_anyway: bool
    yes: bool
    recover: bool
    backup_dir: Path | None
    backup_recipients: tuple[str, ...]
    dry_run: bool


def chosen(fleets: Sequence[Fleet], names: Sequence[str], replaced: Sequence[str]) -> list[Rotation]:
    """The rotations to run: of these keys, or of all keys, or of those that encrypt the replaced secrets.

    Raises:
        MlkeysError: a key or a secret does not exist, as far as a program shows it.
    """
    if not fleets[0].generated:
        if not names:
            raise MlkeysError("An inventory does not define keys: name them with --key ENGINE/NAME.")
        return [Rotation(fleets[0], _key(name), tuple(replaced)) for name in names]
    known = [Rotation(fleet, key) for fleet in fleets for key in fleet.keys]
    keys = sorted({str(rotation.key) for rotation in known})
    for name in names:
        if name not in keys:
            raise MlkeysError(f"--key {name}: the program encrypts nothing with this key.{_hint(name, keys)}")
    wanted = [rotation for rotation in known if not names or str(rotation.key) in names]
    return _holding(wanted, replaced) if replaced else wanted


def _holding(rotations: Sequence[Rotation], replaced: Sequence[str]) -> list[Rotation]:
    """The rotations of the keys that encrypt these secrets, each with its own secrets."""
    known = sorted({name for rotation in rotations for name in rotation.fleet.secrets_of(rotation.key)})
    for name in replaced:
        if name not in known:
            hint = did_you_mean(name, known) or (f" It has: {', '.join(known)}." if known else "")
            raise MlkeysError(
                f"--replace {name}: the program encrypts no secret of this name.{hint} No key was rotated."
            )
    held = [
        replace(one, replaced=tuple(name for name in replaced if name in one.fleet.secrets_of(one.key)))
        for one in rotations
    ]
    return [one for one in held if one.replaced]


def _hint(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known) or (f" Choose from: {', '.join(known)}." if known else "")


def _key(text: str) -> Key:
    backend, slash, name = text.strip("/").rpartition("/")
    if not slash:
        raise MlkeysError(f"--key {text}: include the engine, as in transit/{text}.")
    return Key(backend, name)


def variables_of(rotation: Rotation, options: Options) -> dict[str, object]:
    """The variables of the playbook."""
    given: dict[str, object] = {
        "key": rotation.key.name,
        "backend": rotation.key.backend,
        "older_than": 0 if options["now"] or rotation.replaced else f"{options['older_than']}d",
        "contexts": list(options["contexts"]) or None,
        "limit": options["at_most"],
        "serial": options["serial"],
        "restart": options["restart"] or None,
        "floor": False if options["keep_floor"] else None,
        "accept_unknown": [_everywhere(pattern) for pattern in options["accept_unknown"]] or None,
        "accept_unread": [_everywhere(pattern) for pattern in options["accept_unread"]] or None,
        "strict": options["strict"] or None,
        "trim": options["trim"] or options["trim_anyway"] or None,
        "trim_anyway": options["trim_anyway"] or None,
        "recover": options["recover"] or None,
        "secrets": {name: f"{{{{ lookup('ansible.builtin.env', '{name.upper()}') }}}}" for name in rotation.replaced}
        or None,
        # The playbook runs in another folder.
        "backup_dir": str(folder.resolve()) if (folder := options["backup_dir"]) else None,
        "backup_recipients": list(options["backup_recipients"]) or None,
    }
    return {f"vault_transit_rotate_{name}": value for name, value in given.items() if value is not None}


def _everywhere(pattern: str) -> str:
    """The pattern as the account names places: what exists below the current folder gets its absolute path."""
    if not pattern or pattern.startswith(("/", "*")):
        return pattern
    try:
        # A name may have the signs of a pattern.
        exists = os.path.lexists(pattern) or any(Path().glob(pattern))
    except ValueError:
        return pattern
    return str(Path(pattern).absolute()) if exists else pattern
