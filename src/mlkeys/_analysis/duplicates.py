# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a program defines twice. Two constructs with one identity would overwrite each other at each deployment."""

from __future__ import annotations

import posixpath
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from mlkeys._analysis.view import View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import HostConfig
from mlkeys._constructs.inventory import Group, Template
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.output import Output
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element, Resource
from mlkeys._model.stack import Stack


class _Kind(NamedTuple):
    """What must be unique.

    Attributes:
        word: what it is.
        advice: what to do about two of them.
    """

    word: str
    advice: str


_SHARE = "Use the first construct in both places, from_existing in another program, or another {}"
_OTHER_NAME = "Give one of them another name"
_FILE = _Kind("file", "Give one of them another dest, or put both into one HostConfig")

# What identifies an object on the server.
_ON_SERVER: tuple[tuple[type[Element], _Kind, tuple[str, ...]], ...] = (
    (TransitSecretBackend, _Kind("engine", _SHARE.format("path")), ("path",)),
    (TransitSecretCacheConfig, _Kind("cache of", "Take one of them out"), ("backend",)),
    (TransitSecretBackendKey, _Kind("key", _SHARE.format("name")), ("backend", "name")),
    (Policy, _Kind("policy", "Add the rules to one of them, or give one another name"), ("name",)),
    (AppRoleAuth, _Kind("auth method", "Take one of them out, or give one another path"), ("path",)),
    (AppRole, _Kind("role", _SHARE.format("name")), ("backend", "name")),
)


def duplicates(view: View) -> Iterator[tuple[Element, str]]:
    """Yield each construct that defines what another one does, with the message."""
    seen: dict[Hashable, tuple[Element, str]] = {}
    for element in view.elements:
        stack = view.stack_of[element]
        if stack is None or (isinstance(element, Resource) and not element.managed):
            continue
        names: list[tuple[Hashable, _Kind, str]] = [(stack, kind, name) for kind, name in _in_stack(element)]
        for kind, word, attributes in _ON_SERVER:
            if isinstance(element, kind):
                known = (view.known_text(str(element.known(attribute))) for attribute in attributes)
                names.append(((stack.url, stack.namespace), word, "/".join(map(str, known))))
        for where, word, name in names:
            first, given = seen.setdefault((where, word, _as_kept(element, name)), (element, name))
            if first is not element:
                yield element, _message(word, name, first, given)
    yield from _files(view)


def _in_stack(element: Element) -> Iterator[tuple[_Kind, str]]:
    """Yield what must be unique within a stack: of two with one name, one would be lost."""
    if isinstance(element, Encrypted):
        yield (
            _Kind("ciphertext", "Use the first one in both places, or set another name: encrypt(…, name='…')"),
            element.name,
        )
    elif isinstance(element, Output):
        yield _Kind("output", _OTHER_NAME), element.name
    elif isinstance(element, Group):
        yield _Kind("group", f"{_OTHER_NAME}, or put all hosts into one"), element.name


def _files(view: View) -> Iterator[tuple[Element, str]]:
    """Yield each file on a host that another construct writes, too."""
    by_path: dict[tuple[Stack, str], list[HostConfig]] = {}
    for element in view.elements:
        if isinstance(element, HostConfig) and (stack := view.stack_of[element]) is not None:
            dest = element.dest.text if isinstance(element.dest, Template) else element.dest
            by_path.setdefault((stack, posixpath.normpath(view.known_text(dest) or "")), []).append(element)
    for (_, path), found in by_path.items():
        hosts: dict[str, HostConfig] = {}
        for element in found if len(found) > 1 else ():
            own = {host: group.name for group in element.hosts for host in group.hosts}
            both = [host for host in own if hosts.setdefault(host, element) is not element]
            if both:
                yield element, _message(_FILE, f"{path} of {_named(element, both)}", hosts[both[0]], "")


def _named(element: HostConfig, hosts: list[str]) -> str:
    """Return the groups whose hosts all are among these, else the first host."""
    groups = [group.name for group in element.hosts if group.hosts and set(group.hosts) <= set(hosts)]
    return ", ".join(groups) if groups else hosts[0]


def _as_kept(element: Element, name: str) -> str:
    """Return a name as the server keeps it: those of policies and AppRoles in lower case."""
    above, slash, last = name.rpartition("/")
    if isinstance(element, Policy):
        return name.lower()
    return f"{above}{slash}{last.lower()}" if isinstance(element, AppRole) else name


def _message(kind: _Kind, name: str, first: Element, given: str) -> str:
    other = f"[{first.node.path}] at {first.node.location_text}"
    if given and name != given:
        other = f"{given!r}, {other}: the server does not distinguish upper and lower case here"
    return f"the {kind.word} {name!r} is defined twice; the other definition is {other}. {kind.advice}"
