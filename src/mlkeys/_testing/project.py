# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A program's files in memory, and questions about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mlkeys._analysis.view import View
from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.key import TransitSecretBackendKey
from mlkeys._constructs.policy import Policy
from mlkeys._errors import MlkeysError, Problem
from mlkeys._model.attributes import Value, checked, unknown_problem
from mlkeys._model.element import Element
from mlkeys._model.stack import Root, Stack, root_of
from mlkeys._shared.policy import FOR_SECRETS, Rule, grant_rules, merged
from mlkeys._shared.suggestions import did_you_mean
from mlkeys._synthesis.program import load
from mlkeys._synthesis.project import synthesize_for
from mlkeys._testing.rights import Call, allowed

#: What can be granted for single secrets.
Use: TypeAlias = Literal["encrypt", "decrypt", "rewrap"]
# The comment above policies, which only a deployment knows.
_OWNER = "${local.mlkeys_managed_by}"


@dataclass(frozen=True, slots=True)
class Match:
    """The answer to a question, which is true or false. As text it says why, so that a failed `assert` shows it.

    Attributes:
        holds: the answer.
        reason: what it follows from.
    """

    holds: bool
    reason: str

    def __bool__(self) -> bool:
        return self.holds

    def __repr__(self) -> str:
        return f"<{'yes' if self.holds else 'no'}: {self.reason}>"


@dataclass(frozen=True, slots=True)
class Server:
    """A throwaway server, empty but for what earlier tests left on it; the value of the fixture `mlkeys_server`.

    Attributes:
        address: its address.
        token: its root token.
        environment: environment variables with which `mlkeys`, Ansible and the command `bao` find it.
    """

    address: str
    token: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    _request: Any = field(repr=False)

    def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call the API with the root token, and return the answer.

        Args:
            method: HTTP method, or `LIST`.
            path: path below `/v1/`, such as `transit/keys/ml-api-key`.
            body: data to send as JSON. Default: none.

        Raises:
            MlkeysError: the server refuses the call.
        """
        status, answer = self._request(method, path, body)
        if status >= 400:
            raise MlkeysError(f"{method} {path}: the server responds with {status}")
        found: dict[str, Any] = answer
        return found


class Project:
    """What a program generates. Nothing is written.

    Where a program has several stacks, name the one that a question is about.

    Attributes:
        files: contents of all files by path, relative to the output folder.
        warnings: warnings that are not acknowledged.
    """

    def __init__(self, app: Root, files: Mapping[str, str], warnings: Sequence[Problem]) -> None:
        self.files = files
        self.warnings = tuple(warnings)
        self._view = View(app)

    def __repr__(self) -> str:
        return f"<project of {', '.join(self.stacks)}: {len(self.files)} files>"

    @property
    def stacks(self) -> tuple[str, ...]:
        """Names of the stacks, in the order of the program."""
        return tuple(stack.node.id for stack in self._view.app.stacks)

    def plays(self, stack: str | None = None) -> list[dict[str, Any]]:
        """Return the plays of the stack's playbook.

        Args:
            stack: name of the stack. Default: the only one.
        """
        loaded: list[dict[str, Any]] = _yaml(self._file("ansible", stack, "site.yml"))
        return loaded

    def tasks(self, stack: str | None = None) -> list[dict[str, Any]]:
        """Return the tasks of all plays of the stack's playbook, in their order.

        Tasks that make random secrets follow the task that includes them.

        Args:
            stack: name of the stack. Default: the only one.
        """
        return [one for play in self.plays(stack) for task in play.get("tasks", ()) for one in self._with(task, stack)]

    def terraform(self, stack: str | None = None) -> dict[str, Any]:
        """Return the stack's Terraform configuration.

        Args:
            stack: name of the stack. Default: the only one.
        """
        loaded: dict[str, Any] = json.loads(self._file("terraform", stack, "cdk.tf.json"))
        return loaded

    def policies(self, stack: str | None = None) -> dict[str, str]:
        """Return the texts of the stack's policies, by name.

        Args:
            stack: name of the stack. Default: the only one.
        """
        folder = f"ansible/{self._stack(stack).node.id}/policies/"
        found = {name: text for name, text in self.files.items() if name.startswith(folder)}
        if "ansible" in self._view.app.targets:
            return {name.removeprefix(folder).removesuffix(".hcl"): text for name, text in found.items()}
        resources = self.terraform(stack).get("resource", {}).get("vault_policy", {})
        return {resource["name"]: resource["policy"].removeprefix(_OWNER) for resource in resources.values()}

    def __eq__(self, other: object) -> bool:
        """Whether two programs generate the same files."""
        # A snapshot compares itself.
        return dict(self.files) == dict(other.files) if isinstance(other, Project) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self.files.items()))

    def has_key(
        self, name: str, *, stack: str | None = None, backend: str | None = None, **attributes: object
    ) -> Match:
        """Return whether the program makes a key with these attributes.

        Args:
            name: name of the key.
            stack: name of the stack. Default: any.
            backend: path of the engine. Default: any.
            attributes: keywords of `TransitSecretBackendKey` and their values. What the program leaves to the server is
                None.

        Overrides count too.

        Raises:
            MlkeysError: a key has no such attribute.
        """
        wanted = {attribute: _normal(attribute, value) for attribute, value in attributes.items()}
        known, reasons = [], []
        for key in self._keys(stack):
            place = f"{self._view.text(str(key.backend))}/{self._view.text(str(key.name))}"
            known.append(place)
            if place != f"{backend if backend is not None else place.rpartition('/')[0]}/{name}":
                continue
            actual = {attribute: _given(key, attribute) for attribute in wanted}
            different = [
                f"{attribute} is {actual[attribute]!r}, not {value!r}"
                for attribute, value in wanted.items()
                if actual[attribute] != value
            ]
            if not different:
                return _yes(f"{place} has {', '.join(sorted(wanted)) or 'no other condition'}")
            reasons.append(f"{place}: {', '.join(different)}")
        near = did_you_mean(name, {place.rpartition("/")[2] for place in known})
        return _no("; ".join(reasons) or f"there is no key {name!r}, only {', '.join(known) or 'none'}.{near}")

    def grants(self, role: str, secret: str, *, use: Use = "decrypt", stack: str | None = None) -> Match:
        """Return whether a role may use the key of a secret for that secret.

        All rules of its policies count as on the server: the more specific path decides, and `deny` denies.

        Args:
            role: name of an AppRole, or of a policy.
            secret: name of the secret.
            use: what it may do: `"decrypt"` (default), `"encrypt"` or `"rewrap"`.
            stack: name of the stack. Default: any.

        Raises:
            MlkeysError: the program does not have the role, policy or secret, or the use is unknown.
        """
        if use not in FOR_SECRETS:
            raise MlkeysError(f"use={use!r} cannot be granted for a secret.{did_you_mean(use, FOR_SECRETS)}")
        keys = dict.fromkeys(entry.key for entry in self._of_kind(stack, Encrypted) if entry.name == secret)
        if not keys:
            known = sorted({entry.name for entry in self._of_kind(stack, Encrypted)})
            raise MlkeysError(f"The program encrypts no secret {secret!r}.{did_you_mean(secret, known)}")
        names = {self._name(one) for one in (*self._of_kind(stack, AppRole), *self._of_kind(stack, Policy))}
        if role not in names:
            raise MlkeysError(f"There is no AppRole or policy {role!r}.{did_you_mean(role, sorted(names))}")
        policies = self._policies_of(role, stack)
        if not policies:
            return _no(f"the program makes none of the policies of {role!r}")
        rules = [rule for policy in policies for rule in self._rules(policy)]
        named = ", ".join(repr(policy.policy_name) for policy in policies)
        for key in keys:
            backend, name = self._view.text(str(key.backend)), self._view.text(str(key.name))
            if allowed(rules, _call(use, backend, name, secret if key.derived else None)):
                return _yes(f"{named} allows {use} on {backend}/{name}")
        return _no(f"no rule of {named} allows to {use} {secret!r}")

    def _rules(self, policy: Policy) -> Iterator[Rule]:
        """Yield the rules of a policy's text whose paths are known."""
        for rule in merged(policy.rules):
            path = self._view.known_text(str(rule.path))
            if path is not None:
                yield replace(rule, path=path)

    def _policies_of(self, role: str, stack: str | None) -> list[Policy]:
        names = {role} | {
            self._view.text(policy)
            for element in self._of_kind(stack, AppRole)
            if self._name(element) == role
            for policy in _policies_given(element)
        }
        return [policy for policy in self._of_kind(stack, Policy) if policy.policy_name in names]

    def _name(self, element: AppRole | Policy) -> str:
        return self._view.text(str(element.name))

    def _keys(self, stack: str | None) -> list[TransitSecretBackendKey]:
        return [key for key in self._of_kind(stack, TransitSecretBackendKey) if key.managed]

    def _of_kind(self, stack: str | None, kind: Any) -> Iterator[Any]:
        for one in self._view.app.stacks if stack is None else (self._stack(stack),):
            yield from self._view.of_kind(one, kind)

    def _stack(self, name: str | None) -> Stack:
        found = {stack.node.id: stack for stack in self._view.app.stacks}
        if name is None and len(found) == 1:
            return next(iter(found.values()))
        if name is None:
            raise MlkeysError(f"The program has several stacks: name one of {', '.join(found)}.")
        if name not in found:
            raise MlkeysError(f"The program has no stack {name!r}.{did_you_mean(name, found)}")
        return found[name]

    def _with(self, task: dict[str, Any], stack: str | None) -> Iterator[dict[str, Any]]:
        """Yield a task, and those of generated files that it may include."""
        yield task
        if "ansible.builtin.include_tasks" in task:
            folder = f"ansible/{self._stack(stack).node.id}"
            given = [one for value in task.get("vars", {}).values() if isinstance(value, list) for one in value]
            for one in given:
                path = f"{folder}/{one['tasks']}" if isinstance(one, Mapping) and "tasks" in one else ""
                yield from _yaml(self.files[path]) if path in self.files else ()

    def _file(self, target: str, stack: str | None, name: str) -> str:
        path = f"{target}/{self._stack(stack).node.id}/{name}"
        if path not in self.files:
            raise MlkeysError(f"The program does not have the target {target!r}.")
        return self.files[path]


def synth(app: Root | Stack | str | Path) -> Project:
    """Synthesise a program in memory. It reads the templates that the program names, and nothing else.

    Args:
        app: the `App`, one of its stacks, or the path of a program.

    Raises:
        AppInvalid: the app has problems.
        MlkeysError: the program cannot be run.
    """
    root = load(Path(app)) if isinstance(app, (str, Path)) else root_of(app)
    made = synthesize_for(root, Path(root.node.folder or ".") / "mlkeys.out")
    return Project(root, made.files, made.warnings)


def _given(element: Element, name: str) -> object:
    """Return an attribute as the generated files have it."""
    found: object = element.known(name)
    for target, path, value in getattr(element, "overrides", ()):
        if path == name and target in (None, "ansible"):
            found = value
    return found


def _policies_given(role: AppRole) -> Sequence[str]:
    given = _given(role, "token_policies")
    overridden = any(path == "token_policies" for _, path, _ in role.overrides)
    return [str(name) for name in given] if overridden and isinstance(given, (list, tuple)) else [*role.policies]


def _yes(reason: str) -> Match:
    return Match(holds=True, reason=reason)


def _no(reason: str) -> Match:
    return Match(holds=False, reason=reason)


def _normal(name: str, value: object) -> Value | None:
    known = TransitSecretBackendKey.ATTRIBUTES
    if name not in known:
        raise MlkeysError(unknown_problem(name, known))
    try:
        return None if value is None else checked(known[name], value)
    except ValueError as problem:
        raise MlkeysError(str(problem)) from None


def _call(use: Use, backend: str, key: str, secret: str | None) -> Call:
    """Return the call of the API for a use of a key.

    Args:
        secret: whose name is the context. None for a key that is not derived.
    """
    (needed,) = grant_rules(use, backend, key, (secret or "",))
    (capability,), given = needed.capabilities, needed.allowed or {}
    # A list with one value for the context, and an empty one for what is sent.
    sent = {name: next(iter(given[name]), None) for name in needed.required if name != "context" or secret is not None}
    return Call(needed.path, capability, sent)


def _yaml(text: str) -> Any:
    try:
        import yaml  # noqa: PLC0415  only tests need it
    except ImportError:
        raise MlkeysError("Tests need PyYAML: pip install 'mlkeys[testing]'") from None

    class Loader(yaml.SafeLoader):
        """Reads text that is not a template as text."""

    def as_text(loader: Loader, node: yaml.ScalarNode) -> str:
        return str(loader.construct_scalar(node))

    Loader.add_constructor("!unsafe", as_text)
    return yaml.load(text, Loader)  # noqa: S506  a safe loader
