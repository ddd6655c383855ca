# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which of the secrets in a text can become references to a variable, and the text with these references."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from mlkeys._lint.findings import Finding
from mlkeys._lint.secrets import Found, found_in
from mlkeys._providers.key_patterns import PRIVATE_KEY, Patterns
from mlkeys._shared.yaml_words import is_reserved

_ANSIBLE, _TEMPLATE, _LITELLM, _COMPOSE = "Ansible", "template", "LiteLLM", "Compose"
# How variables begin to which Ansible refers: as its own documentation names them.
_OF_ANSIBLE = "vault_"
_FOLDERS = {"group_vars", "host_vars", "playbooks", "roles", "tasks", "handlers", "defaults", "vars", "inventory"}
_PLAY = re.compile(r"^[ \t-]*hosts[ \t]*:", re.MULTILINE)
_MODELS = re.compile(r"^model_list[ \t]*:", re.MULTILINE)
_COMPOSE_NAME = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml")

# What stands before a value: its name, and how it is assigned.
_ASSIGNED = re.compile(r"([A-Za-z_][\w-]*)[\"']?[ \t]*[:=][ \t]*(?:![a-z]+[ \t]+)?[\"']?(?:(?i:bearer|token)[ \t]+)?\Z")
_WHOLE_BEFORE = re.compile(r"(?:[:\[,{][ \t]*|(?:^|[ \t])-[ \t]+)([\"']?)\Z")
_WHOLE_BEHIND = re.compile(r"[ \t]*(?:[,\]}].*|#.*)?\r?\Z")
_GENERIC = {
    *("api_key", "apikey", "api_token", "auth", "authorization", "bearer", "credential", "default", "environment"),
    *("key", "master_key", "msg", "password", "secret", "token", "value"),
}
_UNSUITABLE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Move:
    """A secret that becomes the value of a variable, and the words that refer to it in its place."""

    variable: str
    secret: str = field(repr=False)
    line: int
    start: int
    end: int
    reference: str


@dataclass(frozen=True)
class Moves:
    """What can be moved out of a text, and the line and the reason of what cannot."""

    done: tuple[Move, ...]
    left: tuple[tuple[int, str], ...]

    def text(self, before: str) -> str:
        """The text with references."""
        for move in sorted(self.done, key=lambda one: one.start, reverse=True):
            before = before[: move.start] + move.reference + before[move.end :]
        return before


def moves_in(
    text: str, path: str, patterns: Patterns, known: Mapping[str, str], taken: Container[str], allowed: Container[str]
) -> Moves:
    """
    Args:
        known: the secrets that variables already stand for.
        taken: names that no other secret may get.
        allowed: the digests of findings that are to stay.
    """
    kind = _kind(text, path)
    names = {secret: variable for variable, secret in known.items() if _is_of_ansible(kind) == _is_prefixed(variable)}
    done: list[Move] = []
    left: list[tuple[int, str]] = []
    for one, found in found_in(text, path, patterns):
        if one.digest in allowed:
            continue
        reason = _reason(text, kind, found)
        if reason:
            left.append((one.line, reason))
            continue
        names.setdefault(found.secret, _free(_name(text, kind, found), {*known, *names.values()}, taken))
        done.append(_move(text, kind, one, found, names[found.secret]))
    return Moves(tuple(done), tuple(left))


def _is_of_ansible(kind: str) -> bool:
    return kind in (_ANSIBLE, _TEMPLATE)


def _is_prefixed(variable: str) -> bool:
    return variable.startswith(_OF_ANSIBLE)


def _kind(text: str, path: str) -> str:
    """The kind of a file by what its program replaces in it; empty if that is not known."""
    *folders, name = path.split("/")
    if name.endswith(".j2"):
        return _TEMPLATE
    if not name.endswith((".yml", ".yaml")):
        return ""
    if _COMPOSE_NAME.fullmatch(name):
        return _COMPOSE
    if _MODELS.search(text):
        return _LITELLM
    return _ANSIBLE if _FOLDERS & {*folders} or _PLAY.search(text) else ""


def _reason(text: str, kind: str, found: Found) -> str:
    """Why a secret stays, empty if it can be moved."""
    before, behind = _line(text, found)
    if found.form.kind == PRIVATE_KEY:
        return "a private key has several lines; use mlkeys import file"
    if found.encoded:
        return "it is encoded"
    if not kind:
        return "this kind of file has no known reference to a variable"
    if "!unsafe" in before or "!vault" in before:
        return "Ansible replaces nothing in this value"
    if kind == _LITELLM and not _is_whole(before, behind):
        return "LiteLLM replaces whole values only"
    if kind == _ANSIBLE and _begins_plain(before) and not _is_whole(before, behind):
        return "it begins a longer value that is not quoted"
    return ""


def _line(text: str, found: Found) -> tuple[str, str]:
    """What is before and behind a secret on its line."""
    end = text.find("\n", found.end)
    return text[text.rfind("\n", 0, found.start) + 1 : found.start], text[found.end : end if end >= 0 else len(text)]


def _is_whole(before: str, behind: str) -> bool:
    """Whether what is between is a whole value of YAML."""
    begins = _WHOLE_BEFORE.search(before)
    if begins is None or not behind.startswith(begins.group(1)):
        return False
    return _WHOLE_BEHIND.match(behind[len(begins.group(1)) :]) is not None


def _begins_plain(before: str) -> bool:
    """Whether what follows begins a value without quotes."""
    begins = _WHOLE_BEFORE.search(before)
    return begins is not None and not begins.group(1)


def _move(text: str, kind: str, one: Finding, found: Found, variable: str) -> Move:
    before, _ = _line(text, found)
    if kind == _COMPOSE:
        reference = f"${{{variable.upper()}}}"
    elif kind == _LITELLM:
        reference = f"os.environ/{variable.upper()}"
    else:
        reference = f"{{{{ {variable} }}}}"
        # A plain value of YAML cannot begin with a brace.
        if kind == _ANSIBLE and _begins_plain(before):
            reference = f'"{reference}"'
    return Move(variable, found.secret, one.line, found.start, found.end, reference)


def _name(text: str, kind: str, found: Found) -> str:
    assigned = _ASSIGNED.search(_line(text, found)[0])
    own = _UNSUITABLE.sub("_", assigned.group(1).lower()).strip("_") if assigned else ""
    issuer = _UNSUITABLE.sub("_", found.form.provider.lower()).strip("_")
    name = own if own and own not in _GENERIC else f"{issuer}_api_key" if issuer not in ("", "several") else "api_key"
    if _is_of_ansible(kind):
        # In a vars file, a variable that refers to one of the same name has no value.
        return f"{_OF_ANSIBLE}{name}"
    return f"key_{name}" if name[:1].isdigit() or is_reserved(name) else name


def _free(name: str, used: Container[str], taken: Container[str]) -> str:
    if name not in used and name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in used or f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def variables(moves: Sequence[Move]) -> dict[str, str]:
    """The secrets by variable."""
    return {move.variable: move.secret for move in moves}
