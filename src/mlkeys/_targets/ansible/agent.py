# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The agent that decrypts on a host: its configuration and systemd unit."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace

from mlkeys._analysis.view import View
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._model.reference import Target, parts
from mlkeys._shared.hcl import attributes, block, text
from mlkeys._shared.shapes import agent_text
from mlkeys._targets.ansible.jinja import in_file
from mlkeys._targets.ansible.values import Values


def problems_of(view: View, config: HostConfig, agent: Agent) -> Iterable[str]:
    """Return the problems of an agent."""
    if not agent.command or isinstance(agent.command, str):
        yield "agent: command must be a list, the program and its arguments"
    for name in ("user", "address", "credentials", "binary"):
        value = getattr(agent, name)
        if not isinstance(value, str) and (value is not None or name != "address"):
            yield f"agent: {name} must be a string, not a {type(value).__name__}"
    for name, ciphertext in agent.env.items():
        if not name.isidentifier():
            yield f"agent: {name!r} is not a valid name for an environment variable"
        if _encrypted(view, ciphertext) is None:
            yield f"agent: {name} must be a ciphertext of this program, such as key.encrypt(…).ciphertext"
    if not isinstance(config.dest, str) or not config.dest.endswith(".service"):
        yield "agent: dest must be the path of a systemd unit, such as /etc/systemd/system/NAME.service"
    if agent.address is None and (stack := view.stack_of[config]) is not None and stack.url is None:
        yield "agent: set the address of the agent or the url of the stack"


def _encrypted(view: View, text: str) -> Encrypted | None:
    found = parts(str(text))
    if len(found) != 1 or not isinstance(found[0], Target):
        return None
    pointer = view.pointer(found[0])
    return pointer.element if pointer is not None and isinstance(pointer.element, Encrypted) else None


def resolved(agent: Agent, values: Values) -> Agent:
    """Return the agent with the references in its settings replaced; those in `env` are ciphertexts and stay."""
    text = values.view.text
    return replace(
        agent,
        command=[text(word) for word in agent.command],
        user=text(agent.user),
        address=text(agent.address or values.stack.url or ""),
        credentials=text(agent.credentials),
        binary=text(agent.binary),
    )


def config_path(name: str, agent: Agent) -> str:
    """Return the path of the agent's configuration on the host."""
    return f"{agent.credentials}/{name}.hcl"


def unit(name: str, agent: Agent) -> str:
    """Return the systemd unit, as a template."""
    return in_file(
        f"""[Unit]
Description=mlkeys agent {name}
After=network-online.target
Wants=network-online.target

[Service]
User={agent.user}
ExecStart={agent.binary} agent -config={config_path(name, agent)}
Restart=on-failure
NoNewPrivileges=true
ProtectSystem=strict
PrivateTmp=true
LimitCORE=0

[Install]
WantedBy=multi-user.target
"""
    )


def configuration(values: Values, agent: Agent) -> str:
    """Return the agent's configuration, as a template. It holds ciphertexts, and no plaintext."""
    mount_path = f"auth/{values.view.text(str(agent.role.backend))}"
    login = {
        "role_id_file_path": f"{agent.credentials}/role_id",
        "secret_id_file_path": f"{agent.credentials}/secret_id",
        "remove_secret_id_file_after_reading": False,
    }
    method = attributes({"type": "approle", "mount_path": mount_path})
    blocks = [
        block("vault", attributes({"address": agent.address or ""})),
        block("auto_auth", block("method", method, block("config =", attributes(login)))),
        block("template_config", attributes({"exit_on_retry_failure": True})),
        block("exec", attributes({"command": list(agent.command), "restart_on_secret_changes": "never"})),
        *(_variable(values, name, ciphertext) for name, ciphertext in sorted(agent.env.items())),
    ]
    # The remaining references are ciphertexts, which need no escapes in HCL.
    pieces = values.pieces("\n".join(blocks))
    return "".join(in_file(piece) if isinstance(piece, str) else f"{{{{ {piece.code} }}}}" for piece in pieces)


def _variable(values: Values, name: str, ciphertext: str) -> str:
    """Return the block for an environment variable. Its template is one of the agent, in a string of HCL."""
    entry = _encrypted(values.view, ciphertext)
    if entry is None:
        raise ValueError(f"{name} is not a ciphertext of this program")
    call = [values.view.text(f"{entry.key.backend}/decrypt/{entry.key.name}"), f"ciphertext={ciphertext}"]
    if entry.key.derived:
        call.append(f"context={base64.b64encode(entry.name.encode()).decode('ascii')}")
    contents = (
        f"{{{{ with secret {' '.join(map(agent_text, call))} }}}}{{{{ base64Decode .Data.plaintext }}}}{{{{ end }}}}"
    )
    return block(f"env_template {text(name)}", attributes({"contents": contents, "error_on_missing_key": True}))
