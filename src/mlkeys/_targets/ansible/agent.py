# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The agent that decrypts on a host: its configuration, and the systemd unit that runs it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

from mlkeys._analysis.view import View
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._model.reference import Target, parts
from mlkeys._targets.ansible.jinja import in_file
from mlkeys._targets.ansible.values import Values


def problems_of(view: View, config: HostConfig, agent: Agent) -> Iterable[str]:
    """What is wrong with the description of an agent."""
    if not agent.command:
        yield "agent: command is empty"
    for name, ciphertext in agent.env.items():
        if not name.isidentifier():
            yield f"agent: {name!r} is no name for a variable of the environment"
        if _encrypted(view, ciphertext) is None:
            yield f"agent: {name} is to be a ciphertext of this program, as key.encrypt(…).ciphertext"
    if not isinstance(config.dest, str) or not config.dest.endswith(".service"):
        yield "agent: dest is the systemd unit, /etc/systemd/system/NAME.service"
    if agent.address is None and (stack := view.stack_of[config]) is not None and stack.url is None:
        yield "agent: neither the agent's address nor the url of the stack says where the server is"


def _encrypted(view: View, text: str) -> Encrypted | None:
    found = parts(str(text))
    if len(found) != 1 or not isinstance(found[0], Target):
        return None
    pointer = view.pointer(found[0])
    return pointer.element if pointer is not None and isinstance(pointer.element, Encrypted) else None


def config_path(name: str, agent: Agent) -> str:
    """Where the configuration of the agent of that name lies on the host."""
    return f"{agent.credentials}/{name}.hcl"


def unit(name: str, agent: Agent) -> str:
    """The systemd unit, as the text of a template."""
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
    """The agent's configuration, as the text of a template. It holds ciphertext, and where the rest is found."""
    login = {
        "role_id_file_path": f"{agent.credentials}/role_id",
        "secret_id_file_path": f"{agent.credentials}/secret_id",
    }
    head = f"""vault {{
  address = {_text(agent.address or values.stack.url or "")}
}}

auto_auth {{
  method {{
    type       = "approle"
    mount_path = {_text(f"auth/{values.view.text(str(agent.role.backend))}")}

    config = {{
      role_id_file_path                   = {_text(login["role_id_file_path"])}
      secret_id_file_path                 = {_text(login["secret_id_file_path"])}
      remove_secret_id_file_after_reading = false
    }}
  }}
}}

template_config {{
  exit_on_retry_failure = true
}}

exec {{
  command                   = [{", ".join(_text(values.view.text(word)) for word in agent.command)}]
  restart_on_secret_changes = "never"
}}
"""
    return in_file(head) + "".join(_environment(values, name, text) for name, text in sorted(agent.env.items()))


def _environment(values: Values, name: str, ciphertext: str) -> str:
    """One variable. Its template is the agent's, inside of HCL, inside of a template of Ansible."""
    entry = _encrypted(values.view, ciphertext)
    if entry is None:
        raise ValueError(f"{name} is no ciphertext of this program")
    path = values.view.text(f"{entry.key.backend}/decrypt/{entry.key.name}")
    arguments = [path, "ciphertext=@@"]
    if entry.key.derived:
        arguments.append(f"context={base64.b64encode(entry.name.encode()).decode('ascii')}")
    call = " ".join(map(_text, arguments))
    contents = _text(f"{{{{ with secret {call} }}}}{{{{ base64Decode .Data.plaintext }}}}{{{{ end }}}}")
    before, after = contents.split("@@")
    block = f'\nenv_template "{name}" {{\n  contents             = '
    end = "\n  error_on_missing_key = true\n}\n"
    return f"{in_file(block)}{in_file(before)}{{{{ {values.expression(ciphertext)} }}}}{in_file(after + end)}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
