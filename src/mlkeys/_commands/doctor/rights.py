# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a stack needs the token to be allowed to do, and what it had better not be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlkeys._analysis.view import View
from mlkeys._commands.doctor.check import Check
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.output import Output
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element, Resource
from mlkeys._model.secret import KvSecret
from mlkeys._model.stack import Stack

_USE = frozenset({"update"})


@dataclass(frozen=True, slots=True)
class Need:
    """Something at a path of the server.

    Attributes:
        always: capabilities that are needed whether it is there or not.
        to_make: those that are needed as well while it is not.
        about: why the lack of them is no reason to fail; empty where it is one.
    """

    path: str
    always: frozenset[str] = frozenset()
    to_make: frozenset[str] = frozenset()
    about: str = ""


def needs_of(view: View, stack: Stack) -> Iterator[Need]:
    """Everything that deploying a stack needs."""
    for element in view.in_stack(stack):
        if not isinstance(element, Resource) or element.managed:
            yield from _made(view, element)
        if isinstance(element, EncryptedVars):
            for verb in ("encrypt", "hmac", "verify", "rewrap"):
                yield Need(_of_key(view, element.key, verb), _USE)
        if isinstance(element, Encrypted) and isinstance(element.plaintext, KvSecret):
            yield Need(f"{element.plaintext.mount}/data/{element.plaintext.path}", frozenset({"read"}))
    readers = {element: list(_decrypted_by(view, element)) for element in view.in_stack(stack)}
    for element, decrypted in readers.items():
        about = "Only 'mlkeys output --show-secrets' needs it." if isinstance(element, Output) else ""
        for one in decrypted:
            yield Need(_of_key(view, one.key, "decrypt"), _USE, about=about)


def _made(view: View, element: Element) -> Iterator[Need]:
    read = frozenset({"read"})
    if isinstance(element, TransitSecretBackend):
        path = view.text(str(element.path))
        yield Need(f"sys/mounts/{path}", read, _USE)
        if "disable_upsert" in element.values:
            yield Need(f"{path}/config/keys", read)
    elif isinstance(element, TransitSecretCacheConfig):
        yield Need(f"{view.text(str(element.values['backend']))}/cache-config", read)
    elif isinstance(element, KeyResource):
        yield Need(_of_key(view, element, "keys"), read, _USE)
    elif isinstance(element, Policy):
        yield Need(f"sys/policies/acl/{view.text(element.policy_name)}", read, _USE)
    elif isinstance(element, AppRoleAuth):
        yield Need(f"sys/auth/{view.text(str(element.path))}", read, frozenset({"update", "sudo"}))
    elif isinstance(element, AppRole):
        path = f"auth/{view.text(str(element.backend))}/role/{view.text(str(element.name))}"
        yield Need(path, read, frozenset({"create"}))


def _decrypted_by(view: View, element: Element) -> Iterator[Decrypted]:
    for _, text in element.texts():
        for pointer in view.pointers(text):
            if isinstance(pointer.element, Decrypted):
                yield pointer.element


def _of_key(view: View, key: KeyResource, verb: str) -> str:
    return f"{view.text(str(key.backend))}/{verb}/{view.text(str(key.name))}"


def dangers_of(view: View, stack: Stack) -> Mapping[str, tuple[str, str]]:
    """Paths at which one capability is too much, that, and what it leads to."""
    found = {}
    for element in view.in_stack(stack):
        if isinstance(element, KeyResource):
            if not _refuses_unknown_keys(view, element):
                makes = "a mistyped name makes a new key (disable_upsert keeps the engine from it)"
                found[_of_key(view, element, "encrypt")] = ("create", makes)
            for verb in ("export/encryption-key", "backup"):
                found[_of_key(view, element, verb)] = ("read", "it gives key material out, where the key allows that")
    return found


def _refuses_unknown_keys(view: View, key: KeyResource) -> bool:
    return any(
        isinstance(element, TransitSecretBackend)
        and element.values.get("disable_upsert") is True
        and view.known_text(str(element.path)) == view.known_text(str(key.backend))
        for element in view.elements
    )


def verdicts(
    needs: Iterable[Need],
    dangers: Mapping[str, tuple[str, str]],
    granted: Mapping[str, frozenset[str]],
    present: Mapping[str, bool],
    stack: str,
) -> Iterator[Check]:
    """What a token lacks, and what it has too much of. The root token has been remarked on already.

    Args:
        granted: the token's capabilities at each path.
        present: whether there is something at a path, for those that something is made at.
    """
    if all("root" in capabilities for capabilities in granted.values()):
        return
    lacking: dict[str, list[str]] = {}
    for need in dict.fromkeys(needs):
        wanted = need.always | (frozenset() if present.get(need.path, True) else need.to_make)
        if missing := wanted - granted[need.path]:
            lacking.setdefault(need.about, []).append(f"{', '.join(sorted(missing))} on {need.path}")
    for about, found in sorted(lacking.items()):
        lacks = f"lacks {'; '.join(found)}"
        if about:
            yield Check("rights", "remark", lacks, about, stack)
        else:
            yield Check("rights", "wrong", lacks, "A policy has to allow it.", stack)
    for path, (capability, leads_to) in dangers.items():
        if capability in granted[path]:
            advice = "Take it from the token's policies."
            yield Check("rights", "remark", f"{capability} on {path}: {leads_to}", advice, stack)
    if not lacking.get(""):
        yield Check("rights", "ok", f"enough on {len(granted) - len(dangers)} paths", stack=stack)
