# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The keys that `mlkeys rotate` rotates, and what the playbook `mlkeys.transit.rotate` is given for each."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from mlkeys._commands.fleet.account import Account, Row
from mlkeys._commands.fleet.targets import Fleet, Key, besides
from mlkeys._errors import MlkeysError
from mlkeys._shared.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key of one fleet.

    Attributes:
        replaced: names of the secrets of this key that get new values.
        others: the other fleets that have ciphertexts of the key. Each is rewrapped by a rotation of its own.
        is_first, is_last: the place among these. The first rotates the key, and the last raises the floor.
        urgent: whether a secret of the key is replaced in one of these.
        group: what they have in common: a server, and the key.
        may_hold_none: whether nobody said that this fleet has ciphertexts of this very key.
        besides: what the other fleets are searched in.
    """

    fleet: Fleet
    key: Key
    replaced: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    is_first: bool = True
    is_last: bool = True
    urgent: bool = False
    group: tuple[object, ...] = ()
    may_hold_none: bool = False
    besides: tuple[str, ...] = ()

    @property
    def places(self) -> list[str]:
        """The names of all fleets that are searched for ciphertexts of the key."""
        return [*self.others, self.fleet.name]

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
    also: tuple[str, ...]
    strict: bool
    trim: bool
    trim_anyway: bool
    yes: bool
    recover: bool
    backup_dir: Path | None
    backup_recipients: tuple[str, ...]
    dry_run: bool


def variable_of(name: str) -> str:
    """The environment variable for the new value of a secret; of nested data, the name is a path."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).upper()


def chosen(fleets: Sequence[Fleet], names: Sequence[str], replaced: Sequence[str]) -> list[Rotation]:
    """The rotations to run: of these keys, or of all keys, or of those that encrypt the replaced secrets.

    Raises:
        MlkeysError: a key or a secret does not exist, as far as a program shows it.
    """
    if not fleets[0].generated:
        if not names:
            raise MlkeysError("An inventory does not define keys: name them with --key ENGINE/NAME.")
        secrets = tuple(replaced)
        return _together(fleets, [Rotation(fleets[0], _key(name), secrets) for name in dict.fromkeys(names)])
    known = [Rotation(fleet, key) for fleet in fleets if fleet.selected for key in fleet.keys]
    keys = sorted({str(rotation.key) for rotation in known})
    for name in names:
        if name not in keys:
            raise MlkeysError(f"--key {name}: the program encrypts nothing with this key.{_hint(name, keys)}")
    wanted = [rotation for rotation in known if not names or str(rotation.key) in names]
    return _together(fleets, _holding(wanted, replaced) if replaced else wanted)


def _together(fleets: Sequence[Fleet], rotations: Sequence[Rotation]) -> list[Rotation]:
    """The rotations, and after each those of the same key in other fleets: a key has one floor for all of them."""
    found: list[Rotation] = []
    several = len({rotation.key for rotation in rotations}) > 1
    done: set[tuple[object, ...]] = set()
    chosen_ones = {(one.fleet.name, one.key): one for one in rotations}
    for rotation in rotations:
        place = (rotation.fleet.server, rotation.key)
        if place in done:
            continue
        done.add(place)
        sharing = [one for one in fleets if _shares(one, rotation)]
        # Who manages the key notes its floor.
        sharing.sort(key=lambda one: (not one.also, rotation.key in one.owned))
        group = [chosen_ones.get((one.name, rotation.key), Rotation(one, rotation.key)) for one in sharing]
        urgent = any(one.replaced for one in group)
        for number, one in enumerate(group, 1):
            others = tuple(other.name for other in sharing if other is not one.fleet)
            found.append(
                replace(
                    one,
                    others=others,
                    is_first=number == 1,
                    is_last=number == len(group),
                    urgent=urgent,
                    group=place,
                    may_hold_none=several and bool(one.fleet.also),
                    besides=besides(one.fleet, fleets),
                )
            )
    _check_use(fleets, found)
    return found


def _shares(fleet: Fleet, rotation: Rotation) -> bool:
    """Whether a fleet has ciphertexts of the key, as far as it is known."""
    if fleet.name == rotation.fleet.name:
        return True
    if fleet.also:
        # An inventory does not show which keys it uses.
        return rotation.key in fleet.keys or not fleet.generated
    return fleet.server == rotation.fleet.server and rotation.key in fleet.keys


def _check_use(fleets: Sequence[Fleet], rotations: Sequence[Rotation]) -> None:
    used = {rotation.fleet.also for rotation in rotations}
    for fleet in fleets:
        if fleet.also and fleet.also not in used:
            keys = ", ".join(sorted({str(rotation.key) for rotation in rotations}))
            raise MlkeysError(f"--also {fleet.also}: this program encrypts nothing with {keys or 'a key to rotate'}.")


@dataclass(frozen=True, slots=True)
class Proof:
    """What the rotation of a key in one fleet showed.

    Attributes:
        version: that no ciphertext is behind; 0 if something blocks.
        clean: whether nothing at all is open.
        left: whether a limit left some for the next run.
        created: when the key was created, unlike that of another one of its name; empty if not known.
        read: the files in its repositories that it declares.
        undeclared: the files with ciphertexts there that it does not.
        unused: the accepted patterns that match nothing there, by kind.
    """

    version: int = 0
    clean: bool = False
    left: bool = False
    created: str = ""
    read: tuple[str, ...] = ()
    undeclared: tuple[Row, ...] = ()
    unused: Mapping[str, Sequence[str]] = field(default_factory=dict)


def proof_of(account: Account | None) -> Proof:
    if account is None:
        return Proof()
    blocked = account.blocking or account.rows("refused") or account.left
    return Proof(
        0 if blocked else account.target,
        account.clean,
        bool(account.left),
        account.created,
        tuple(str(row["path"]) for row in account.rows("read")),
        tuple(account.rows("undeclared")),
        account.unused,
    )


def follows(rotation: Rotation, proofs: Mapping[str, Proof]) -> bool:
    """Whether the floor is not for this rotation to raise: others of the key follow, or have more to do."""
    return not rotation.is_last or any(proofs.get(name, Proof()).left for name in rotation.others)


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


# No key is as old as this. The first of several fleets has rotated it, if it was old enough.
_NEVER = "36500d"


def _age(rotation: Rotation, options: Options) -> int | str:
    if not (rotation.is_first or options["dry_run"]):
        return _NEVER
    return 0 if options["now"] or rotation.urgent else f"{options['older_than']}d"


def variables_of(rotation: Rotation, options: Options, proofs: Mapping[str, Proof] | None = None) -> dict[str, object]:
    """The variables of the playbook.

    Args:
        proofs: what earlier rotations of the same key showed, by their fleets; None to ask for none.
    """
    known = {} if proofs is None else {name: proofs.get(name, Proof()) for name in rotation.others}
    may_trim = options["trim_anyway"] or all(one.clean for one in known.values())
    given: dict[str, object] = {
        "key": rotation.key.name,
        "backend": rotation.key.backend,
        "older_than": _age(rotation, options),
        "follow": (proofs is not None and follows(rotation, proofs)) or None,
        "elsewhere": {name: one.version for name, one in known.items()} if rotation.is_last and known else None,
        "besides": list(rotation.besides) or None,
        **_of_earlier(known, options, is_last=rotation.is_last),
        "created": next((one.created for one in known.values() if one.created), None),
        "unused": rotation.may_hold_none or None,
        "contexts": list(options["contexts"]) or None,
        "limit": options["at_most"],
        "serial": options["serial"],
        "restart": options["restart"] or None,
        "floor": False if options["keep_floor"] else None,
        "accept_unknown": [_everywhere(pattern) for pattern in options["accept_unknown"]] or None,
        "accept_unread": [_everywhere(pattern) for pattern in options["accept_unread"]] or None,
        "strict": options["strict"] or None,
        "trim": ((options["trim"] and may_trim) or options["trim_anyway"]) or None,
        "trim_anyway": options["trim_anyway"] or None,
        "recover": options["recover"] or None,
        "secrets": {
            name: f"{{{{ lookup('ansible.builtin.env', '{variable_of(name)}') }}}}" for name in rotation.replaced
        }
        or None,
        # The playbook runs in another folder.
        "backup_dir": str(folder.resolve()) if (folder := options["backup_dir"]) else None,
        "backup_recipients": list(options["backup_recipients"]) or None,
    }
    return {f"vault_transit_rotate_{name}": value for name, value in given.items() if value is not None}


# More of them say nothing more.
_MOST_ROWS = 50


def _of_earlier(known: Mapping[str, Proof], options: Options, *, is_last: bool) -> dict[str, object]:
    """What earlier rotations of the key found in repositories, which may be those of this one, too."""
    read = sorted({path for one in known.values() for path in one.read})
    if not is_last or not known:
        return {"read": read or None}
    undeclared = [row for one in known.values() for row in one.undeclared if row["path"] not in read]
    accepted = {"unknown": options["accept_unknown"], "unread": options["accept_unread"]}
    used = {
        kind: [
            pattern
            for pattern in map(_everywhere, patterns)
            if any(one.unused and pattern not in one.unused.get(kind, ()) for one in known.values())
        ]
        for kind, patterns in accepted.items()
    }
    return {"read": read or None, "undeclared": undeclared[:_MOST_ROWS] or None, "used": used}


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
