# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files on hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mlkeys._constructs.approle import AppRole
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.inventory import Group, Template
from mlkeys._model.attributes import choice_problem
from mlkeys._model.data import texts_in
from mlkeys._model.element import Element
from mlkeys._model.not_text import NotText
from mlkeys._model.reference import legible, seen_by_program
from mlkeys._model.tree import Construct, where
from mlkeys._model.types import (
    MAPPING,
    TEXTS,
    Kind,
    foreign_to,
    instance,
    named_now,
    now,
    report_foreign,
    taken,
    wrong,
)
from mlkeys._providers.literals import kind_of
from mlkeys._shared.hcl import APPROLE

Delivery = Literal["ciphertext", "plaintext"]

VARIABLES = ("env", "environment_file", "exports", "docker_env")
SHAPES = ("template", "env", "environment_file", "exports", "docker_env", "yaml", "json", "toml", "agent")


@dataclass(frozen=True, slots=True)
class Agent(NotText):
    """A service that receives its secrets from an agent, which decrypts them into the environment of the service.

    The role `mlkeys.transit.vault_transit_host` deploys it. It needs root on the hosts.

    Source: https://openbao.org/docs/agent-and-proxy/agent/

    Args:
        command: the program and its arguments. A program without a path is searched on the `PATH` of the host.
        env: ciphertexts by the name of the environment variable, all of one key.
        role: the AppRole that the agent logs in as. Grant it nothing but to decrypt. Default: none, with another
            `auth_method`.
        user: user that runs the service. The role creates it if it does not exist. Default: `root`.
        address: address of the server as seen from the host. Default: `url` of the stack.
        credentials: folder of role ID and secret ID. The role ignores it, and uses `/etc/mlkeys/NAME`. Default: none.
        binary: path of the agent on the host, `bao` or `vault`. Default: the one on the `PATH`.
        ca_cert: file on the host with the CA certificates to verify the server with. Default: those of the system.
        namespace: namespace on the server. Default: that of the stack.
        install: install the agent on hosts that have none. Default: False.
        ca_path: folder on the host with the CA certificates, if `ca_cert` is not set. Default: none.
        client_cert: file on the host with the client certificate. Default: none.
        client_key: file on the host with its private key. Default: none.
        tls_server_name: name that the server's certificate must be for. Default: that of the address.
        auth_method: `aws`, `azure`, `cert`, `gcp`, `jwt`, `kubernetes` or `token_file`. The host has what it logs in
            with. The agent of OpenBao lacks `aws`, `azure` and `gcp`. Default: `approle`.
        auth_path: path at which the auth method is mounted. Default: the name of the method.
        auth_role: role of the auth method that the agent logs in as. Default: none.
        auth_namespace: namespace of the auth method, if it is above `namespace`. Default: `namespace`.
        auth_config: settings of the auth method in the configuration of the agent, such as `{"path": …}` for `jwt`.
            Default: none.
        agent_environment: environment variables of the agent, such as a proxy. Not secret. Default: none.
    """

    command: Sequence[str]
    env: Mapping[str, str | Encrypted]
    role: AppRole | None = None
    user: str = "root"
    address: str | None = None
    credentials: str | None = None
    binary: str | None = None
    ca_cert: str | None = None
    namespace: str | None = None
    install: bool = False
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    tls_server_name: str | None = None
    auth_method: str = APPROLE
    auth_path: str | None = None
    auth_role: str | None = None
    auth_namespace: str | None = None
    auth_config: Mapping[str, str | int | bool] = field(default_factory=dict)
    agent_environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that are texts, by their names, as far as they are set."""
        given = {name: getattr(self, name) for name in TEXTS_OF_AGENT}
        return {name: value for name, value in given.items() if isinstance(value, str)}

    @property
    def ciphertexts(self) -> dict[str, str]:
        """The ciphertexts of `env`, as texts."""
        return {name: str(value) for name, value in self.env.items()}


#: The settings of an agent that are texts.
TEXTS_OF_AGENT = (
    *("user", "address", "credentials", "binary", "ca_cert", "namespace", "ca_path", "client_cert", "client_key"),
    *("tls_server_name", "auth_method", "auth_path", "auth_role", "auth_namespace"),
)

_GROUPS: Kind[tuple[Group, ...]] = Kind(
    "a group of an inventory, or a list of groups",
    lambda value: isinstance(value, (list, tuple)) and all(isinstance(one, Group) for one in value),
    (),
    "group",
)
_DEST = instance((str, Template), "a string or a Template", "/")
_SWITCH = instance(bool, "True or False", False)  # noqa: FBT003
_COMMAND: Kind[Any] = Kind(
    "a list, the program and its arguments", lambda value: isinstance(value, Sequence) and TEXTS.fits(value), ()
)
_TEXT_OR_NONE = instance((str, type(None)), "a string", None)


def _mapping_of(kinds: tuple[type, ...], words: str, wanted: str = "") -> Kind[Any]:
    def fits(value: object) -> bool:
        return (
            isinstance(value, Mapping) and MAPPING.fits(value) and all(isinstance(one, kinds) for one in value.values())
        )

    return Kind(words, fits, {}, wanted)


#: What the settings of an agent take.
_AGENT: tuple[tuple[str, Kind[Any]], ...] = (
    ("command", _COMMAND),
    ("env", _mapping_of((str, Encrypted), "a dictionary of ciphertexts", "ciphertext")),
    ("role", instance((AppRole, type(None)), "an AppRole", None, "role")),
    *((name, _TEXT_OR_NONE) for name in TEXTS_OF_AGENT),
    ("install", instance(bool, "True or False", None)),
    ("auth_config", _mapping_of((str, int), "a dictionary of strings, numbers and flags")),
    ("agent_environment", _mapping_of((str,), "a dictionary of strings")),
)


def _problems_of_agent(agent: object) -> list[str]:
    if not isinstance(agent, Agent):
        return [wrong("agent", instance(Agent, "an Agent", None, "agent"), agent)]
    given = [(name, kind, getattr(agent, name)) for name, kind in _AGENT]
    return [wrong(f"agent.{name}", kind, value) for name, kind, value in given if not kind.fits(value)]


class HostConfig(Element):
    """A file on each host of some groups.

    Set exactly one of `template`, `env`, `environment_file`, `exports`, `docker_env`, `yaml`, `json`, `toml` and
    `agent`. Ciphertexts may stand anywhere in the data.

    Args:
        hosts: the group or groups of hosts.
        dest: absolute path of the file; with `agent`, of the systemd unit, `/etc/systemd/system/NAME.service`.
        template: path of a jinja2 template, relative to the folder of the program.
        env: variables for python-dotenv.
        environment_file: variables for `EnvironmentFile=` of a systemd unit.
        exports: variables for a shell to source.
        docker_env: variables for `docker run --env-file`. It refuses line breaks.
        yaml: data to write as YAML.
        json: data to write as JSON.
        toml: data to write as TOML.
        agent: a service that an agent starts with its secrets in the environment. It has no `mode`, `owner` or `group`.
        delivery: `"ciphertext"` (default), or `"plaintext"`: Ansible decrypts at deployment and the secret is
            readable in the file. The task then shows neither diff nor result.
        allow_ciphertext: with plaintext, whether the file may hold ciphertext as well, for a program that decrypts it
            itself. Otherwise the deployment refuses it: a variable that was not decrypted would replace a good key.
            Default: False.
        mode: permissions as octal digits. Default: `0600` for plaintext and variables, otherwise `0640`. Set `0644`
            for a file that you commit: git does not keep the mode, so that a deployment would change each new clone.
        owner: owner of the file. Default: the user that Ansible logs in as.
        group: group of the file. Default: the group of that user.
        restart: systemd service to restart when the file changes. Default: none.
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
        docker_env: Mapping[str, Any] | None = None,
        yaml: Any = None,
        json: Any = None,
        toml: Mapping[str, Any] | None = None,
        agent: Agent | None = None,
        delivery: Delivery = "ciphertext",
        allow_ciphertext: bool = False,
        mode: str | None = None,
        owner: str | None = None,
        group: str | None = None,
        restart: str | None = None,
    ) -> None:
        super().__init__(*where(scope, id_))
        given_hosts = (hosts,) if isinstance(hosts, Group) else hosts
        self.hosts: tuple[Group, ...] = tuple(taken(self, "hosts", given_hosts, _GROUPS))
        given_dest: str | Template = taken(self, "dest", dest, _DEST)
        self.dest = given_dest if isinstance(given_dest, Template) else now(self, "dest", given_dest)
        given = (template, env, environment_file, exports, docker_env, yaml, json, toml, agent)
        self.contents = {
            name: named_now(self, name, value) for name, value in zip(SHAPES, given, strict=True) if value is not None
        }
        self.delivery = delivery
        self.allow_ciphertext: bool = taken(self, "allow_ciphertext", allow_ciphertext, _SWITCH)
        self.plaintext_fields = frozenset({"content"} if delivery == "plaintext" else ())
        self.mode = mode or ("0600" if delivery == "plaintext" or self.shape in VARIABLES else "0640")
        self.owner = legible(self, owner)
        self.group = legible(self, group)
        self.restart = legible(self, restart)
        self._report()
        if isinstance(agent, Agent):
            settings = {"mode": mode, "owner": owner, "group": group, "credentials": agent.credentials}
            if ignored := [name for name, value in settings.items() if value is not None]:
                text = f"the role vault_transit_host sets {' and '.join(ignored)}: what the program gives is ignored"
                self.node.add_warning("agent-settings", text)

    def _report(self) -> None:
        if len(self.contents) != 1:
            self.node.add_problem(f"set exactly one of {', '.join(SHAPES)}")
        self._report_content()
        if problem := choice_problem("delivery", self.delivery, get_args(Delivery)):
            self.node.add_problem(problem)
        if not self.hosts:
            self.node.add_problem("hosts is empty")
        given = {"template": self.contents.get("template"), "owner": self.owner, "group": self.group}
        for name, value in {**given, "restart": self.restart, "mode": self.mode}.items():
            if value is not None and not isinstance(value, str):
                self.node.add_problem(f"{name} must be a string, not {kind_of(value)}")
        if not isinstance(self.mode, str):
            return
        if len(self.mode) not in (3, 4) or not set(self.mode) <= set("01234567"):
            self.node.add_problem(f"mode={self.mode!r} must be octal digits such as '0640'")
        if self.delivery == "plaintext" and self.mode[-1] != "0":
            self.node.add_problem(f"mode={self.mode!r} would let every user of the host read the plaintext")

    def _report_content(self) -> None:
        if "agent" not in self.contents:
            is_plain = self.delivery == "plaintext" and not self.allow_ciphertext
            if self.shape != "template" and isinstance(foreign_to(self.content, Template), NotText):
                wanted = "plaintext" if is_plain else "data"
                report_foreign(self, self.shape, self.content, Template, wanted=wanted)
            return
        problems = _problems_of_agent(self.contents["agent"])
        for problem in problems:
            self.node.add_problem(problem)
        if problems:
            # Nothing that follows can use it.
            del self.contents["agent"]

    @property
    def shape(self) -> str:
        """The keyword of `SHAPES` that is set."""
        return next(iter(self.contents), "template")

    @property
    def content(self) -> Any:
        """The value of that keyword."""
        return seen_by_program(self, self.contents.get(self.shape))

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "dest", self.dest.text if isinstance(self.dest, Template) else self.dest
        given = {"mode": self.mode, "owner": self.owner, "group": self.group, "restart": self.restart}
        yield from ((name, value) for name, value in given.items() if isinstance(value, str))
        if isinstance(self.content, Agent):
            agent = self.content
            yield from (("content", text) for text in texts_in([list(agent.command), agent.ciphertexts]))
            yield from ((f"agent.{name}", value) for name, value in agent.settings.items())
            for name in ("auth_config", "agent_environment"):
                yield from ((f"agent.{name}", text) for text in texts_in(dict(getattr(agent, name))))
            if agent.role is not None:
                yield "content", agent.role.name
        elif self.shape == "template":
            yield "template", self.content if isinstance(self.content, str) else ""
        else:
            yield from (("content", text) for text in texts_in(self.content))

    def named(self) -> Iterable[tuple[str, object]]:
        agent = self.content if isinstance(self.content, Agent) else None
        return (("content", agent.ciphertexts if agent is not None else self.content),)
