# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The root of the tree, and its stacks: the units of deployment."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Literal, Self, get_args

from mlkeys._errors import MlkeysError
from mlkeys._model.attributes import choice_problem
from mlkeys._model.tree import Construct, Node, ambient, where
from mlkeys._model.types import TEXT, TEXTS, now, optional, taken

TargetName = Literal["ansible", "terraform"]
TerraformSecrets = Literal["ephemeral", "state"]
TerraformAuth = Literal["approle", "jwt"]

TARGETS: tuple[TargetName, ...] = get_args(TargetName)


@dataclass
class Session:
    """A program run by a command, and the roots that it makes."""

    roots: list[Root] = field(default_factory=list)


#: Set while a command runs a program: the command then decides where files go.
session: ContextVar[Session | None] = ContextVar("session", default=None)


class Root(Construct):
    """The root of the tree, as checks and targets know it; `mlkeys.App` adds how to write files."""

    def __init__(self, *, targets: Sequence[TargetName] = TARGETS) -> None:
        self.node = Node(self, None, "")
        self.targets: tuple[TargetName, ...] = tuple(taken(self, "targets", targets, TEXTS))
        if targets in ([], ()):
            self.node.add_problem("targets is empty: leave it out for all")
        for target in self.targets:
            if problem := choice_problem("targets", target, TARGETS):
                self.node.add_problem(problem)
        running = session.get()
        if running is not None:
            running.roots.append(self)

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """All stacks, in the order of the program."""
        return tuple(construct for construct in self.node.walk() if isinstance(construct, Stack))


class Stack(Construct):
    """A unit of deployment: one Ansible project, one Terraform configuration.

    Inside of `with stack:` constructs may leave out their scope.

    Args:
        url: address of the server, such as `https://bao.example.com:8200`. Default: from the environment
            (`ANSIBLE_HASHI_VAULT_ADDR`, `BAO_ADDR`, `VAULT_ADDR`).
        namespace: namespace on the server. Default: from the environment.
        description: purpose of the stack, for the manifest. Default: empty.
        terraform_secrets: how Terraform handles plaintext and ciphertext. `"ephemeral"` keeps both out of plan and
            state, `"state"` writes both to the state. Each secret is an input variable then, with the name of its
            ciphertext (`TF_VAR_NAME`), whatever its source is: Terraform makes no random secrets. Default: Terraform
            handles neither, and its configuration leaves out ciphertexts, and outputs of them.
        terraform_kv: with `"ephemeral"`, the path of the KV engine (version 2) that ciphertexts are written to.
            Terraform never compares what it wrote there: raise the variable `ciphertexts_version` after a secret
            changed. Default: `secret`.
        terraform_auth: how Terraform's provider logs in: `"approle"`, with the variables `vault_role_id` and
            `vault_secret_id`, or `"jwt"`, with the variable `vault_jwt`. Default: with the token of the environment.
        terraform_auth_path: path of that auth method. Default: `approle` or `jwt`.
        terraform_auth_role: role of the auth method `jwt`, which requires it. Default: none.
        aliases: former names of the stack, under which its ciphertexts and its record may be stored. Default: none.
    """

    def __init__(  # noqa: PLR0913  each is a keyword that a stack has
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
        terraform_auth: TerraformAuth | None = None,
        terraform_auth_path: str | None = None,
        terraform_auth_role: str | None = None,
        aliases: Sequence[str] = (),
    ) -> None:
        place, name = where(scope, id_)
        super().__init__(place, name)
        self.url = url
        self.namespace = namespace
        self.description = description
        self.terraform_secrets = terraform_secrets
        self.terraform_kv = terraform_kv
        self.terraform_auth = terraform_auth
        self.terraform_auth_path = terraform_auth_path
        self.terraform_auth_role = terraform_auth_role
        self.aliases: tuple[str, ...] = tuple(taken(self, "aliases", aliases, TEXTS))
        #: Where its ciphertexts and its record are, as the name of a folder.
        self.stored_as = self.node.id
        self._entered: list[Token[Construct | None]] = []
        if place.node.nearest(Stack) is not None:
            self.node.add_problem("a stack cannot be inside of another stack")
        self._report()

    def _report(self) -> None:
        for name in ("url", "namespace", "description", "terraform_kv", "terraform_auth_path", "terraform_auth_role"):
            given = optional(self, name, getattr(self, name), TEXT)
            setattr(self, name, given if given is None else now(self, name, given))
        self.description = self.description or ""
        choices = {
            "terraform_secrets": (self.terraform_secrets, get_args(TerraformSecrets)),
            "terraform_auth": (self.terraform_auth, get_args(TerraformAuth)),
        }
        for name, (given, known) in choices.items():
            if given is not None and (problem := choice_problem(name, given, known)):
                self.node.add_problem(problem)
        if self.terraform_auth == "jwt" and not self.terraform_auth_role:
            self.node.add_problem("terraform_auth='jwt' requires terraform_auth_role")
        if self.terraform_secrets == "state":
            self.node.add_warning("terraform-state-secrets", "Terraform writes plaintext and ciphertext to its state")

    def __enter__(self) -> Self:
        """Make this the scope of constructs that are given none."""
        self._entered.append(ambient.set(self))
        return self

    def __exit__(self, *_exception: object) -> None:
        ambient.reset(self._entered.pop())


def root_of(construct: Construct) -> Root:
    """Return the root of the tree that a construct is in."""
    root = construct.node.root
    if not isinstance(root, Root):
        raise MlkeysError(f"[{construct.node.path}] is not in an app")
    return root
