# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The root of a tree, and its units of deployment."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import choice_problem
from mlkeys._model.tree import Construct, Node, ambient, where

TargetName = Literal["ansible", "terraform"]
TerraformSecrets = Literal["ephemeral", "state"]

TARGETS: tuple[TargetName, ...] = get_args(TargetName)


@dataclass
class Session:
    """A program that the command runs, and the roots that the program makes."""

    roots: list[Root] = field(default_factory=list)


#: Set while the command runs a program: the command then decides where files go.
session: ContextVar[Session | None] = ContextVar("session", default=None)


class Root(Construct):
    """The root of a tree, as checks and targets know it; `mlkeys.App` adds the way to files."""

    def __init__(self, *, targets: Sequence[TargetName] = TARGETS) -> None:
        self.node = Node(self, None, "")
        self.targets = tuple(targets)
        for target in self.targets:
            if problem := choice_problem("targets", target, TARGETS):
                self.node.add_problem(problem)
        running = session.get()
        if running is not None:
            running.roots.append(self)

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """All stacks, in the order in which they were made."""
        return tuple(construct for construct in self.node.walk() if isinstance(construct, Stack))


class Stack(Construct):
    """A unit of deployment: one Ansible project, one Terraform configuration.

    Args:
        url: the server; from the environment (`BAO_ADDR`, `VAULT_ADDR`, …) when not given.
        namespace: the namespace on it.
        description: what the stack is for.
        terraform_secrets: how Terraform may handle plaintext and ciphertext. Not at all unless given:
            `"ephemeral"` keeps both out of plan and state, `"state"` writes both into the state.
        terraform_kv: for `"ephemeral"`, the KV engine (version 2) that ciphertexts are written to. Terraform never
            compares what it wrote there: raise the variable `ciphertexts_version` after a secret has changed.
    """

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        *,
        url: str | None = None,
        namespace: str | None = None,
        description: str = "",
        terraform_secrets: TerraformSecrets | None = None,
        terraform_kv: str = "secret",
    ) -> None:
        place, name = where(scope, id_)
        super().__init__(place, name)
        self.url = url
        self.namespace = namespace
        self.description = description
        self.terraform_secrets = terraform_secrets
        self.terraform_kv = terraform_kv
        self._entered: list[Token[Construct | None]] = []
        if place.node.nearest(Stack) is not None:
            self.node.add_problem("a stack cannot be part of another stack")
        if terraform_secrets is not None and (
            problem := choice_problem("terraform_secrets", terraform_secrets, get_args(TerraformSecrets))
        ):
            self.node.add_problem(problem)

        if terraform_secrets == "state":
            self.node.add_warning("terraform-state-secrets", "Terraform writes plaintext and ciphertext into its state")

    def __enter__(self) -> Self:
        """Make this the scope of constructs that name none."""
        self._entered.append(ambient.set(self))
        return self

    def __exit__(self, *_exception: object) -> None:
        ambient.reset(self._entered.pop())


def root_of(construct: Construct) -> Root:
    """The root of the tree that a construct is in."""
    root = construct.node.root
    if not isinstance(root, Root):
        raise MlkeysError(f"[{construct.node.path}] is in no app")
    return root
