# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files on hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from mlkeys._constructs.inventory import Group, Template
from mlkeys._constructs.raw import texts_in
from mlkeys._model.attributes import choice_problem
from mlkeys._model.element import Element
from mlkeys._model.tree import Construct, where

if TYPE_CHECKING:
    from mlkeys._constructs.approle import AppRole

Delivery = Literal["ciphertext", "plaintext"]

_VARIABLES = ("env", "environment_file", "exports")
SHAPES = ("template", "env", "environment_file", "exports", "yaml", "json", "toml", "agent")


@dataclass(frozen=True, slots=True)
class Agent:
    """A program that gets its secrets from an agent: the agent decrypts, and puts them into its environment alone.

    Args:
        command: the program and its arguments.
        env: variables of the environment, and the ciphertext of each.
        role: what the agent logs in as; it may decrypt and no more.
        user: the system's user that runs it.
        address: of the server, as the host sees it; that of the stack when not given.
        credentials: the folder of the host with the files `role_id` and `secret_id`.
        binary: the agent's program, `bao` or `vault`.
    """

    command: Sequence[str]
    env: Mapping[str, str]
    role: AppRole
    user: str = "root"
    address: str | None = None
    credentials: str = "/etc/mlkeys"
    binary: str = "/usr/bin/bao"


class HostConfig(Element):
    """A file on each host of some groups: a template of yours, or data in one of the known shapes.

    Exactly one of these says what is in it: `template` (a jinja2 file beside the program), `agent`, or data as `env`
    (for python-dotenv), `environment_file` (for systemd), `exports` (for a shell), `yaml`, `json` or `toml`.
    Ciphertext may stand anywhere in the data. Plaintext may only with `delivery="plaintext"`: then Ansible decrypts,
    and the secret lies readable on the host.
    """

    runtime_fields = frozenset({"content"})

    def __init__(  # noqa: PLR0913  each is a keyword that a file has
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        *,
        hosts: Group | Sequence[Group],
        dest: str | Template,
        template: str | None = None,
        env: Mapping[str, Any] | None = None,
        environment_file: Mapping[str, Any] | None = None,
        exports: Mapping[str, Any] | None = None,
        yaml: Any = None,
        json: Any = None,
        toml: Mapping[str, Any] | None = None,
        agent: Agent | None = None,
        delivery: Delivery = "ciphertext",
        mode: str | None = None,
        owner: str | None = None,
        group: str | None = None,
        restart: str | None = None,
    ) -> None:
        super().__init__(*where(scope, id_))
        self.hosts = (hosts,) if isinstance(hosts, Group) else tuple(hosts)
        self.dest = dest
        given = (template, env, environment_file, exports, yaml, json, toml, agent)
        self.contents = {name: value for name, value in zip(SHAPES, given, strict=True) if value is not None}
        self.delivery = delivery
        self.plaintext_fields = frozenset({"content"} if delivery == "plaintext" else ())
        self.mode = mode or ("0600" if delivery == "plaintext" or self.shape in _VARIABLES else "0640")
        self.owner = owner
        self.group = group
        self.restart = restart
        self._report()

    def _report(self) -> None:
        if len(self.contents) != 1:
            self.node.add_problem(f"exactly one of {', '.join(SHAPES)} says what is in the file")
        if problem := choice_problem("delivery", self.delivery, get_args(Delivery)):
            self.node.add_problem(problem)
        if not self.hosts:
            self.node.add_problem("hosts is empty")
        if len(self.mode) not in (3, 4) or not set(self.mode) <= set("01234567"):
            self.node.add_problem(f"mode={self.mode!r} is to be octal digits such as '0640'")
        if self.delivery == "plaintext" and self.mode[-1] != "0":
            self.node.add_problem(f"mode={self.mode!r} would let everyone on the host read the plaintext")

    @property
    def shape(self) -> str:
        """Which of `SHAPES` the content has."""
        return next(iter(self.contents), "template")

    @property
    def content(self) -> Any:
        """What was given under the name of the shape."""
        return self.contents.get(self.shape)

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "dest", self.dest.text if isinstance(self.dest, Template) else self.dest
        if isinstance(self.content, Agent):
            agent = self.content
            yield from (("content", text) for text in texts_in([list(agent.command), dict(agent.env), agent.user]))
            yield "content", agent.role.name
        elif self.shape != "template":
            yield from (("content", text) for text in texts_in(self.content))
