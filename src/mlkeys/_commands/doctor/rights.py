# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The capabilities that a stack needs of its token, and those that the token should not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlkeys._analysis.view import View
from mlkeys._commands.doctor.check import Check
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.auth import AppRoleAuth
from mlkeys._constructs.backend import TransitSecretBackend, TransitSecretCacheConfig
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.output import Output
from mlkeys._constructs.policy import Policy
from mlkeys._model.duration import Duration
from mlkeys._model.element import Element, Resource
from mlkeys._model.secret import KvSecret
from mlkeys._model.stack import Stack
from mlkeys._shared._attributes.mount import MOUNT_ATTRIBUTES
from mlkeys._shared.policy import grant_rules

_READ = frozenset({"read"})


@dataclass(frozen=True, slots=True)
class Need:
    """Capabilities that a deployment needs at a path of the server.

    Attributes:
        always: needed whether or not the object exists.
        to_make: needed in addition while the object does not exist.
        about: why a missing capability is not a failure; empty if it is one.
        parameters: the only parameters that it is needed with; empty if they do not matter.
        updating: only tokens that may update this path need it; empty if all do.
        tuning: needed only while the engine has other attributes than these.
    """

    path: str
    always: frozenset[str] = frozenset()
    to_make: frozenset[str] = frozenset()
    about: str = ""
    parameters: tuple[str, ...] = ()
    updating: str = ""
    tuning: Mapping[str, object] = field(default_factory=dict, compare=False)

    def applies(self, granted: Mapping[str, frozenset[str]]) -> bool:
        """Whether a token with these capabilities needs it."""
        return not self.updating or "update" in granted[self.updating]

    def missing(self, granted: Mapping[str, frozenset[str]], present: Mapping[str, bool]) -> str:
        """The capabilities that a token lacks here, in words; empty if it lacks none."""
        wanted = self.always | (frozenset() if present.get(self.path, True) else self.to_make)
        lacking = wanted - granted[self.path]
        if not lacking:
            return ""
        only = f" (only {', '.join(self.parameters)})" if self.parameters else ""
        return f"{', '.join(sorted(lacking))} on {self.path}{only}"


def needs_of(view: View, stack: Stack) -> Iterator[Need]:
    """Everything that deploying a stack needs."""
    for element in view.in_stack(stack):
        if not isinstance(element, Resource) or element.managed:
            yield from _made(view, element)
        if isinstance(element, EncryptedVars):
            for use in ("encrypt", "verify", "rewrap"):
                yield from _using(view, element.key, use)
            yield from _rotating(view, element.key)
        if isinstance(element, HostConfig) and isinstance(element.content, Agent):
            yield from _logging_in(view, element.content)
        if isinstance(element, Encrypted) and isinstance(element.plaintext, KvSecret):
            yield Need(f"{element.plaintext.mount}/data/{element.plaintext.path}", _READ)
    readers = {element: list(_decrypted_by(view, element)) for element in view.in_stack(stack)}
    for element, decrypted in readers.items():
        about = "Only 'mlkeys output --show-secrets' needs it." if isinstance(element, Output) else ""
        for one in decrypted:
            yield from _using(view, one.key, "decrypt", about)


def _logging_in(view: View, agent: Agent) -> Iterator[Need]:
    """What delivering a secret ID to a host needs."""
    if agent.role is None:
        return
    path = f"auth/{view.text(str(agent.role.backend))}/role/{view.text(str(agent.role.name))}"
    yield Need(path, _READ)
    yield Need(f"{path}/role-id", _READ)
    for below in ("secret-id", "secret-id-accessor/lookup", "secret-id-accessor/destroy"):
        yield Need(f"{path}/{below}", frozenset({"update"}))


def _using(view: View, key: KeyResource, use: str, about: str = "") -> Iterator[Need]:
    """The rights of a use, as the policies grant them that this package writes."""
    for rule in grant_rules(use, view.text(str(key.backend)), view.text(str(key.name))):
        yield Need(rule.path, frozenset(rule.capabilities), about=about)


def _rotating(view: View, key: KeyResource) -> Iterator[Need]:
    """What `mlkeys rotate` needs besides. A token that may not rotate is not meant for it, and needs none of it."""
    backend, name = view.text(str(key.backend)), view.text(str(key.name))
    for rule in grant_rules("rotate", backend, name):
        yield Need(
            rule.path,
            frozenset(rule.capabilities),
            about="Only 'mlkeys rotate' and 'mlkeys status' need it. The grant 'rotate' includes it.",
            parameters=tuple(rule.allowed or ()),
            updating=f"{backend}/keys/{name}/rotate",
        )


def _provisioned(path: str, backend: str, key: str | None = None, *, makes: bool = True) -> Need:
    """A path that provisioning an engine or a key reads, and writes to while the object does not exist."""
    (rule,) = (rule for rule in grant_rules("provision", backend, key) if rule.path == path)
    capabilities = frozenset(rule.capabilities)
    return Need(path, capabilities & _READ, capabilities - _READ if makes else frozenset())


def _made(view: View, element: Element) -> Iterator[Need]:
    if isinstance(element, TransitSecretBackend):
        path = view.text(str(element.path))
        yield _provisioned(f"sys/mounts/{path}", path)
        if tuning := {
            a.name: plain(view, element.values[a.name]) for a in MOUNT_ATTRIBUTES if a.name in element.values
        }:
            yield Need(f"sys/mounts/{path}/tune", frozenset({"update"}), tuning=tuning)
        if "disable_upsert" in element.values:
            yield _provisioned(f"{path}/config/keys", path, makes=False)
    elif isinstance(element, TransitSecretCacheConfig):
        path = view.text(str(element.values["backend"]))
        yield _provisioned(f"{path}/cache-config", path, makes=False)
    elif isinstance(element, KeyResource):
        backend, name = view.text(str(element.backend)), view.text(str(element.name))
        yield _provisioned(f"{backend}/keys/{name}", backend, name)
    elif isinstance(element, Policy):
        yield Need(f"sys/policies/acl/{view.text(element.policy_name)}", _READ, frozenset({"update"}))
    elif isinstance(element, AppRoleAuth):
        yield Need(f"sys/auth/{view.text(str(element.path))}", _READ, frozenset({"update", "sudo"}))
    elif isinstance(element, AppRole):
        path = f"auth/{view.text(str(element.backend))}/role/{view.text(str(element.name))}"
        yield Need(path, _READ, frozenset({"create"}))
        yield Need(f"{path}/role-id", _READ)


def plain(view: View, value: object) -> object:
    """Return the value of an attribute as the server has it."""
    if isinstance(value, str):
        return view.text(value)
    if isinstance(value, Duration):
        return value.seconds
    return [plain(view, one) for one in value] if isinstance(value, (list, tuple)) else value


def _decrypted_by(view: View, element: Element) -> Iterator[Decrypted]:
    for _, text in element.texts():
        for pointer in view.pointers(text):
            if isinstance(pointer.element, Decrypted):
                yield pointer.element


def dangers_of(view: View, stack: Stack) -> Mapping[str, tuple[str, str]]:
    """Paths at which one capability is too much, with that capability and what it allows."""
    found = {}
    for element in view.in_stack(stack):
        if isinstance(element, KeyResource):
            backend, name = view.text(str(element.backend)), view.text(str(element.name))
            if not _refuses_unknown_keys(view, element):
                makes = "a mistyped name creates a new key (set disable_upsert on the engine to prevent it)"
                found[f"{backend}/encrypt/{name}"] = ("create", makes)
            for verb in ("export/encryption-key", "backup"):
                leaks = "it returns key material, if the key allows it"
                found[f"{backend}/{verb}/{name}"] = ("read", leaks)
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
    """Missing and excessive capabilities of a token. Nothing for the root token: the check of the login reports it.

    Args:
        granted: the token's capabilities at each path.
        present: whether an object exists, for each path at which a deployment may create one.
    """
    if all("root" in capabilities for capabilities in granted.values()):
        return
    lacking: dict[str, list[str]] = {}
    applying = [need for need in dict.fromkeys(needs) if need.applies(granted)]
    for need in applying:
        if missing := need.missing(granted, present):
            lacking.setdefault(need.about, []).append(missing)
    for about, found in sorted(lacking.items()):
        lacks = f"lacks {'; '.join(found)}"
        if about:
            yield Check("rights", "remark", lacks, about, stack)
        else:
            yield Check("rights", "wrong", lacks, "Allow it in one of the token's policies.", stack)
    for path, (capability, leads_to) in dangers.items():
        if capability in granted[path]:
            advice = "Remove it from the token's policies."
            yield Check("rights", "remark", f"{capability} on {path}: {leads_to}", advice, stack)
    if not lacking.get(""):
        yield Check("rights", "ok", f"enough on {len({need.path for need in applying})} paths", stack=stack)
