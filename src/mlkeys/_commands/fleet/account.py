# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The account of a rotation: what it read, what it found, and what keeps the floor where it is. Pure.

The playbook `mlkeys.transit.rotate` sets it with `ansible.builtin.set_stats`, and shows it in its own output as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: The name under which the playbook sets it.
STATISTIC = "vault_transit_account"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """The account of one key.

    Attributes:
        document: everything, as the playbook set it.
    """

    document: Mapping[str, Any]

    @property
    def key(self) -> str:
        return str(self.document["key"])

    @property
    def target(self) -> int:
        """The version that all ciphertexts are carried to."""
        return int(self.document["target"])

    @property
    def files(self) -> int:
        return int(self.document["files"])

    @property
    def clean(self) -> bool:
        return bool(self.document["clean"])

    @property
    def created(self) -> str:
        """When the oldest version that the key has was created; empty if that is not known."""
        return str(self.document.get("created") or "")

    @property
    def trimmed(self) -> bool:
        return bool(self.document.get("trimmed"))

    @property
    def left(self) -> int:
        """How many ciphertexts wait for the next run, because of a limit."""
        return int(self.document.get("left") or 0)

    @property
    def floor(self) -> tuple[int, int]:
        """The key's `min_decryption_version` before and after the run."""
        floor = self.document["floor"]
        return int(floor["before"]), int(floor["after"])

    @property
    def lowered_from(self) -> int:
        """Where the floor may have been before a run that did not end; 0 if nothing shows that it was higher.

        A rotation raises both minimal versions, and one that recovers ciphertexts lowers that of decryption meanwhile.
        """
        raised = int(self.document.get("raised") or 0)
        return raised if raised > self.floor[1] else 0

    @property
    def rotation(self) -> Mapping[str, Any]:
        """Whether a version was created, or why not; empty if the run did not come to that."""
        return self.document.get("rotation") or {}

    @property
    def blocking(self) -> list[str]:
        """Why the floor has to stay where it is, in sentences."""
        return [_sentence(str(text)) for text in self.document.get("blocking") or ()]

    @property
    def replaced(self) -> dict[str, str]:
        """Where each replaced secret was replaced: `everywhere`, `incomplete` or `nowhere`."""
        return {str(name): str(where) for name, where in (self.document.get("replaced") or {}).items()}

    @property
    def unnamed(self) -> int:
        """Of how many ciphertexts nothing shows which secret they are, where secrets were replaced."""
        return int((self.document.get("unnamed") or {}).get("count") or 0) if self.replaced else 0

    @property
    def unnamed_rows(self) -> list[Row]:
        """The first of these."""
        return list((self.document.get("unnamed") or {}).get("first") or ()) if self.replaced else []

    @property
    def unused(self) -> dict[str, list[str]]:
        """The accepted patterns that match nothing, by what they should match: `unknown` or `unread`."""
        return {str(kind): [*map(str, patterns)] for kind, patterns in (self.document.get("unused") or {}).items()}

    @property
    def ciphertexts(self) -> list[Row]:
        """Numbers of ciphertexts, by key, version and state."""
        return self.rows("ciphertexts")

    def rows(self, name: str) -> list[Row]:
        """One of the lists of the account: `unknown`, `unread`, `hosts`, `behind`, `lost`, `accepted`, …"""
        return [row if isinstance(row, Mapping) else {"path": str(row)} for row in self.document.get(name) or ()]

    def open_rows(self, name: str) -> list[Row]:
        """Those of a list that were not accepted."""
        accepted = {str(row["path"]) for row in self.rows("accepted")}
        return [row for row in self.rows(name) if _line(row) not in accepted]

    @property
    def recoverable(self) -> bool:
        """Whether ciphertexts are below the floor, and their versions still exist."""
        return any("--recover" in sentence for sentence in self.blocking)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def account_in(stats: Mapping[str, Any]) -> Account | None:
    """The account among what a run set; None if the run has none, or one that is not complete."""
    document = stats.get(STATISTIC)
    if not isinstance(document, Mapping):
        return None
    account = Account(document)
    try:
        _ = (account.key, account.target, account.files, account.clean, account.floor)
    except (KeyError, TypeError, ValueError):
        return None
    return account


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a rotation was asked for, as far as it decides whether the rotation is finished.

    Attributes:
        anyway: whether versions are trimmed although something is accepted.
        follow: whether the floor waits for other stacks and projects that use the key.
        rotates: whether the run rotates the key if it is due, and not an earlier one for others that use the key.
    """

    floor: bool = True
    trim: bool = False
    limited: bool = False
    dry_run: bool = False
    anyway: bool = False
    follow: bool = False
    rotates: bool = True


def finished(account: Account, wanted: Wanted) -> bool:
    """Whether the run did all that it was asked for, or a dry run predicts that it would."""
    # What leaked may still be in use.
    if account.rows("refused") or account.unnamed:
        return False
    if wanted.limited and account.left:
        # The limit was asked for as well: the next run goes on.
        return not any(account.rows(name) for name in ("unknown", "unread", "hosts"))
    if not wanted.floor:
        return True
    if wanted.follow:
        return not (account.blocking or account.left) and (account.clean or wanted.anyway or not wanted.trim)
    _, after = account.floor
    # The floor may have been there before, and the run refused to begin.
    raised = not account.blocking and (wanted.dry_run or after >= account.target)
    trimmed = account.trimmed or account.clean or not wanted.trim or wanted.dry_run
    return raised and trimmed


def everywhere(account: Account, wanted: Wanted) -> bool:
    """Whether the run left every ciphertext of the key at the target version."""
    return not (account.blocking or account.left or wanted.follow or wanted.dry_run)


def place(row: Row) -> str:
    """A row's file and line, with its host, as the accepting options expect it."""
    path = str(row.get("path", ""))
    return f"{row['host']}:{path}" if row.get("host") and path else path or str(row.get("host", ""))


# Nothing is stored in a socket, a pipe or a device.
_EMPTY = "special"
# An encrypted vars file that was read, and is none.
_INVALID = "invalid"


def losses(account: Account) -> list[str]:
    """What may need the old versions, if they are trimmed anyway."""
    accepted = {_line(row) for row in account.rows("accepted")}
    described = [
        *((_line(row), f"v{row.get('version', '?')}, not identified") for row in account.rows("unknown")),
        *((_line(row), "behind") for row in account.rows("behind")),
        *((_line(row), "below the floor") for row in account.rows("lost")),
        *((place(row), f"not read: {row.get('reason', 'no reason given')}") for row in account.rows("unread")),
        *((str(row.get("host", "?")), f"not looked at: {row.get('reason', '?')}") for row in account.rows("hosts")),
        *(
            (place(row), str(row.get("reason", "not searched")))
            for row in account.rows("not_searched")
            if row.get("kind") != _EMPTY
        ),
    ]
    lines = [f"{where}: {what}{' (accepted)' if where in accepted else ''}" for where, what in described]
    others = accepted - {where for where, _what in described}
    return list(dict.fromkeys([*lines, *(f"{where}: accepted" for where in sorted(others))]))


def _line(row: Row) -> str:
    return f"{place(row)}:{row['line']}" if row.get("line") else place(row)


# What the reasons begin with for hosts that can be reached.
_UNDECLARED, _MISSPELT, _WRONG = "it declares nothing", "nothing reads its variable", "its variable"
_DECLARE = "Set vault_transit_host_paths for the hosts that declare nothing, to [] where there are no ciphertexts."
_CORRECT = (
    "Correct these variables, and run it again. Those of the group all are for the controller (localhost) as well, "
    "also if the inventory does not list it: set them for a group of your hosts."
)

_UNNAMED = (
    "Replace by hand the ciphertexts that may hold an old value. Or name their lines like the secret, so that this "
    "replaces them:"
)


def advice(account: Account, wanted: Wanted) -> list[tuple[str, tuple[str, ...]]]:
    """The next steps: a sentence, and the options to add to the same command."""
    steps: list[tuple[str, tuple[str, ...]]] = []
    reasons = [str(row.get("reason", "")) for row in account.rows("hosts")]
    if any(reason.startswith(_UNDECLARED) for reason in reasons):
        steps.append((f"{_DECLARE} Or accept such a host.", ("--accept-unread", "HOST:*")))
    if any(reason.startswith((_MISSPELT, _WRONG)) for reason in reasons):
        steps.append((_CORRECT, ()))
    if not all(reason.startswith((_UNDECLARED, _MISSPELT, _WRONG)) for reason in reasons):
        steps.append(("Make the hosts reachable, or take them out of the inventory, and run it for all of them.", ()))
    if account.recoverable:
        steps.append(("Bring back the ciphertexts below the floor, while their versions still exist.", ("--recover",)))
    if account.unnamed:
        steps.append((_UNNAMED, ()))
    unknown = account.open_rows("unknown")
    if unknown:
        steps.append(
            ("If an unidentified ciphertext belongs to this key under another name, name it.", ("--context", "NAME"))
        )
        steps.append(("If you know that it is not of this key, accept it.", _accepting("--accept-unknown", unknown)))
    steps += _about_unread(account.open_rows("unread"))
    if not steps and any(row.get("problem") for row in account.rows("behind")):
        steps.append(("Correct what keeps the ciphertexts from being replaced, and run it again.", ()))
    elif not steps and (account.left or account.rows("behind")):
        steps.append(("Run it again to rewrap the rest.", ()))
    if wanted.trim and not account.clean and not account.trimmed and not account.blocking:
        steps.append(
            (
                "Versions can be trimmed only if the account is clean. To trim anyway:",
                ("--trim-anyway",),
            )
        )
    return steps


def _about_unread(rows: Sequence[Row]) -> list[tuple[str, tuple[str, ...]]]:
    invalid = [row for row in rows if row.get("kind") == _INVALID]
    others = [row for row in rows if row not in invalid]
    return [
        (sentence, _accepting("--accept-unread", places))
        for sentence, places in (
            ("Correct these files, and run it again. Or leave them out.", invalid),
            ("Let the run read the places (become), or accept them.", others),
        )
        if places
    ]


#: More patterns than this are not a command to type.
_PATTERNS = 3


def _accepting(option: str, rows: Sequence[Row]) -> tuple[str, ...]:
    places = list(dict.fromkeys(place(row) for row in rows))
    words = [word for name in places[:_PATTERNS] for word in (option, _escaped(name))]
    return (*words, *((option, "…") if len(places) > _PATTERNS else ()))


def _escaped(path: str) -> str:
    """The path as a glob that matches only itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


def again(words: Iterable[str], options: Sequence[str]) -> list[str]:
    """The words of the same command with more options, for all hosts, and not as a dry run."""
    left_out = {"--dry-run", "--json", *{"--recover", "--now"}.intersection(options)}
    kept = [word for word in _without(words, "--limit") if word not in left_out]
    # What is accepted is not clean, so that it keeps --trim from trimming.
    if {"--trim-anyway", "--accept-unknown", "--accept-unread"}.intersection(options):
        kept = [word for word in kept if word != "--trim"]
    return [*kept, *options]


def rotating(words: Iterable[str], key: str) -> list[str]:
    """The words of the same command for one key, whatever its age."""
    return again(_without(_without(words, "--key"), "--older-than"), ("--key", key, "--now"))


def _without(words: Iterable[str], option: str) -> list[str]:
    """The words without an option and its value."""
    kept: list[str] = []
    is_value = False
    for word in words:
        if not (is_value or word == option or word.startswith(f"{option}=")):
            kept.append(word)
        is_value = word == option
    return kept
