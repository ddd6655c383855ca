# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a program describes, as a person would draw it: columns from the engine to the hosts, and lines between them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from mlkeys._analysis.view import View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Decrypted, Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._constructs.inventory import Group, Template
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._constructs.output import Output
from mlkeys._constructs.policy import Policy
from mlkeys._model.element import Element
from mlkeys._model.secret import GeneratedSecret, Secret
from mlkeys._model.tree import Construct
from mlkeys._providers.literals import hidden
from mlkeys._shared.policy import ANY_KEY
from mlkeys._shared.printable import one_line

#: The kinds of boxes with the headings of their columns, from left to right.
COLUMNS = {
    "engine": "Engines",
    "key": "Keys",
    "secret": "Secrets",
    "role": "Who may use them",
    "file": "Files and services",
    "hosts": "Hosts",
}

E = TypeVar("E", bound=Element)

#: Returns the names that a template file uses.
NamesIn = Callable[[str], AbstractSet[str]]

_MOST_HOSTS = 3
#: What a line from variables to a group of hosts means.
VARIABLES = "are variables of"


@dataclass(frozen=True, slots=True)
class Box:
    """Something that a program describes.

    Attributes:
        kind: one of `COLUMNS`.
        name: what its readers call it.
        detail: what it is.
        path: of the construct, empty for what exists outside the program.
        names: of the boxes that this one stands for, by their ids.
    """

    kind: str
    name: str
    detail: str
    path: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Picture:
    """Boxes by an id that is stable from run to run, and the lines between them with what they mean."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lines: dict[tuple[str, str], str] = field(default_factory=dict)

    def connect(self, start: str, end: str, meaning: str) -> None:
        """Add a line; a second one between the same boxes adds its meaning to the first."""
        known = self.lines.get((start, end))
        if known is None:
            self.lines[start, end] = meaning
        elif meaning not in known.split(", "):
            self.lines[start, end] = f"{known}, {meaning}"

    def around(self, names: Iterable[str]) -> Picture:
        """Return what leads to some boxes, what follows from them, and who may use the keys among these.

        Raises:
            KeyError: no box has this name or path.
        """
        chosen: set[str] = set()
        for name in names:
            found = {one for one, box in self.boxes.items() if name in (box.name, box.path)}
            if not found:
                raise KeyError(name)
            near = _reached(found, self.lines) | _reached(found, [(end, start) for start, end in self.lines])
            if any(self.boxes[one].kind != "role" for one in found):
                # A grant of a whole key is one of its secrets as well, and has a line from the key alone.
                near |= {end for start, end in self.lines if start in near and self.boxes[end].kind == "role"}
            chosen |= near
        return Picture(
            {one: box for one, box in self.boxes.items() if one in chosen},
            {ends: meaning for ends, meaning in self.lines.items() if {*ends} <= chosen},
        )

    def place_of(self, one: str) -> str:
        """Return the id of the box that stands for another one, or of that itself."""
        return next((place for place, box in self.boxes.items() if one in box.names), one)


def natural(name: str) -> list[tuple[int, str]]:
    """Return the order of a name among others: `key-2` is before `key-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name.lower())]


def _printable(drawn: Picture) -> Picture:
    """The same picture without control characters, which no SVG may contain."""
    return Picture(
        {
            one_line(one): Box(box.kind, one_line(box.name), one_line(box.detail), one_line(box.path))
            for one, box in drawn.boxes.items()
        },
        {(one_line(start), one_line(end)): one_line(meaning) for (start, end), meaning in drawn.lines.items()},
    )


def _source(secret: Secret) -> str:
    """Return where a secret comes from, such as `env OPENAI_API_KEY`."""
    kind = type(secret).__name__.removesuffix("Secret").lower()
    text = "" if isinstance(secret, GeneratedSecret) else next((text for _, text in secret.texts()), "")
    return hidden(f"{kind} {text}".strip())


def _right(path: str) -> tuple[str, str]:
    """Return the name of a key in a path of its engine, and what a rule for this path allows."""
    operation, _, rest = path.partition("/")
    name, _, part_of_it = rest.partition("/")
    return name, (part_of_it or "read") if operation == "keys" else operation


def _reached(start: AbstractSet[str], lines: Iterable[tuple[str, str]]) -> set[str]:
    following: dict[str, list[str]] = {}
    for one, other in lines:
        following.setdefault(one, []).append(other)
    found, left = set(start), [*start]
    while left:
        new = [other for other in following.get(left.pop(), ()) if other not in found]
        found.update(new)
        left += new
    return found


def picture(view: View, names_in: NamesIn) -> Picture:
    """Return the picture of an app.

    Args:
        names_in: returns the names that a template of the program uses.
    """
    return _Drawing(view, names_in).drawn()


class _Drawing:
    def __init__(self, view: View, names_in: NamesIn) -> None:
        self._view, self._names_in = view, names_in
        self._done = Picture()
        self._has_stacks = len(view.app.stacks) > 1

    def drawn(self) -> Picture:
        steps: tuple[tuple[type[Element], Callable[[Any], None]], ...] = (
            (KeyResource, self._key),
            (Encrypted, self._secret),
            (AppRole, self._role),
            (Policy, self._policy),
            (Group, self._hosts),
            (EncryptedVars, self._vars_file),
            (HostConfig, self._file),
            (Output, self._output),
        )
        for kind, draw in steps:
            for element in self._of(kind):
                draw(element)
        return _printable(self._done)

    def _of(self, kind: type[E]) -> Iterator[E]:
        return (one for one in self._view.elements if isinstance(one, kind))

    @cached_property
    def _keys(self) -> dict[str, dict[str, KeyResource]]:
        """The keys of each engine, by name."""
        found: dict[str, dict[str, KeyResource]] = {}
        for key in self._of(KeyResource):
            found.setdefault(self._text(key.backend), {})[self._text(key.name)] = key
        return found

    @cached_property
    def _secrets(self) -> dict[KeyResource, dict[str, Encrypted]]:
        """The secrets of each key, by their context as a policy has it."""
        found: dict[KeyResource, dict[str, Encrypted]] = {}
        for secret in self._of(Encrypted):
            found.setdefault(secret.key, {})[base64.b64encode(secret.name.encode()).decode()] = secret
        return found

    def _text(self, text: object) -> str:
        known = self._view.known_text(str(text))
        return "(known after deployment)" if known is None else hidden(known)

    def _box(self, construct: Construct, kind: str, name: object, detail: str) -> str:
        stack = self._view.stack_of.get(construct)
        detail = f"{detail} · {stack.node.id}" if self._has_stacks and stack is not None else detail
        self._done.boxes[construct.node.path] = Box(kind, self._text(name), detail, construct.node.path)
        return construct.node.path

    def _key(self, key: KeyResource) -> None:
        path = self._text(key.backend)
        engine = f"engine {path}"
        made = next((one.element for one in self._view.pointers(str(key.backend))), None)
        self._done.boxes[engine] = Box("engine", path, "Transit engine", made.node.path if made else "")
        kind = self._view.known_text(str(key.values.get("type") or "")) or "key"
        self._done.connect(
            engine, self._box(key, "key", key.name, f"{kind}, derived" if key.derived else kind), "holds"
        )

    def _secret(self, secret: Encrypted) -> None:
        source = secret.plaintext
        box = self._box(secret, "secret", secret.name, _source(source) if isinstance(source, Secret) else "")
        self._done.connect(secret.key.node.path, box, "encrypts")

    def _role(self, role: AppRole) -> None:
        self._box(role, "role", role.name, "AppRole")

    def _policy(self, policy: Policy) -> None:
        # The policy of a role is drawn with the role.
        role = policy.node.scope if isinstance(policy.node.scope, AppRole) else None
        box = role.node.path if role else self._box(policy, "role", policy.name, "policy")
        for rule in policy.rules:
            path = self._text(rule.path)
            for engine, keys in self._keys.items():
                if path.startswith(f"{engine}/"):
                    name, right = _right(path[len(engine) + 1 :])
                    for key in keys.values() if name in (ANY_KEY, "*") else filter(None, [keys.get(name)]):
                        self._allow(key, right, (rule.allowed or {}).get("context", ()), box)

    def _allow(self, key: KeyResource, right: str, contexts: Iterable[str], box: str) -> None:
        named = self._secrets.get(key, {})
        found: list[Element] = [named[context] for context in contexts if context in named]
        for one in found or [key]:
            self._done.connect(one.node.path, box, right)

    def _hosts(self, group: Group) -> None:
        names = list(group.hosts)
        shown = ", ".join(names[:_MOST_HOSTS]) + (" …" if len(names) > _MOST_HOSTS else "")
        self._box(group, "hosts", group.name, f"{len(names)} {'host' if len(names) == 1 else 'hosts'}: {shown}")

    def _vars_file(self, file: EncryptedVars) -> None:
        box = self._box(file, "file", file.node.id, "variables")
        for secret in file.entries:
            self._done.connect(secret.node.path, box, "is in")
        for group in self._groups_of(file):
            self._done.connect(box, group.node.path, VARIABLES)

    def _groups_of(self, file: EncryptedVars) -> Sequence[Group]:
        if file.hosts is not None:
            return (file.hosts,)
        stack = self._view.stack_of[file]
        return self._view.of_kind(stack, Group) if stack is not None else ()

    def _file(self, config: HostConfig) -> None:
        agent = config.content if isinstance(config.content, Agent) else None
        what = "service" if agent else "plaintext" if config.delivery == "plaintext" else config.shape
        dest = config.dest.text if isinstance(config.dest, Template) else config.dest
        box = self._box(config, "file", config.node.id, f"{what} {self._text(dest)}")
        for _, text in config.texts():
            for pointer in self._view.pointers(text):
                self._use(pointer.element, box)
        if config.shape == "template" and isinstance(config.content, str):
            self._variables(config, self._names_in(config.content), box)
        if agent and agent.role is not None:
            self._done.connect(agent.role.node.path, box, "logs in for")
        for group in config.hosts:
            self._done.connect(box, group.node.path, "is on")

    def _variables(self, config: HostConfig, names: AbstractSet[str], box: str) -> None:
        hosts = {host for group in config.hosts for host in group.hosts}
        stack = self._view.stack_of[config]
        for file in self._view.of_kind(stack, EncryptedVars) if stack is not None else ():
            if any(hosts & group.hosts.keys() for group in self._groups_of(file)):
                for secret in file.entries:
                    if secret.name in names:
                        self._done.connect(secret.node.path, box, "is used in")

    def _use(self, element: Element, box: str) -> None:
        secret = element.source if isinstance(element, Decrypted) else element
        if isinstance(secret, Encrypted):
            meaning = "is decrypted in" if isinstance(element, Decrypted) else "is used in"
            self._done.connect(secret.node.path, box, meaning)

    def _output(self, output: Output) -> None:
        found = [pointer.element for _, text in output.texts() for pointer in self._view.pointers(text)]
        if any(isinstance(one, (Encrypted, Decrypted)) for one in found):
            box = self._box(output, "file", output.name, "output")
            for element in found:
                self._use(element, box)
