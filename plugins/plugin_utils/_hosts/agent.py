# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of an agent: how it logs in, what it decrypts and for whom. Pure. **Private** to the collection.

The language is HCL. The agent writes what it decrypts by templates, which are strings in its configuration.
Documentation: https://openbao.org/docs/agent-and-proxy/agent/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.hcl import attributes, block
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import (
    agent_code,
    agent_literal,
    agent_text,
    rendered,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import SECRET, Sealed, is_secret

_HEAD = "# Managed by Ansible, role mlkeys.transit.vault_transit_host. It holds ciphertext, and no key.\n"

# An agent requests its secrets again after a while, unless it has ended by then.
_NEVER = "87600h"

Seal = Callable[[str], Sealed]


@dataclass(frozen=True)
class Login:
    """Where the server is, and how the agent logs in.

    Attributes:
        folder: on the host, with the files that it logs in with.
        runtime: the folder in memory for the token, which is revoked once the agent has ended.
        kept: whether the folder keeps a secret ID. Otherwise it holds a wrapping token, which the agent uses up.
    """

    url: str
    approle: str
    approle_path: str
    folder: str
    runtime: str
    kept: bool = True
    ca_cert: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class Rendered:
    """A file that the agent writes.

    Attributes:
        content: data, in which ``{secret: NAME}`` stands for a secret.
    """

    path: str
    shape: str
    content: Any
    mode: str


def writing(login: Login, files: Iterable[Rendered], seal: Seal) -> str:
    """The configuration of an agent that writes files, and ends."""
    templates = [
        block(
            "template",
            attributes(
                {
                    "contents": _of_file(file, seal),
                    "destination": file.path,
                    "perms": file.mode,
                    "error_on_missing_key": True,
                }
            ),
        )
        for file in files
    ]
    return _document(login, attributes({"exit_after_auth": True}), _ONCE, *templates)


_ONCE = block("template_config", attributes({"exit_on_retry_failure": True, "static_secret_render_interval": _NEVER}))


def _document(login: Login, *parts: str) -> str:
    server = {"address": login.url, **({"ca_cert": login.ca_cert} if login.ca_cert else {})}
    return "\n".join([_HEAD, block("vault", attributes(server)), _auth(login), *parts])


def _auth(login: Login) -> str:
    path = login.approle_path.strip("/")
    config: dict[str, Any] = {"role_id_file_path": f"{login.folder}/role_id"}
    if login.kept:
        config["secret_id_file_path"] = f"{login.folder}/secret_id"
    else:
        config["secret_id_file_path"] = f"{login.folder}/once/wrapping_token"
        config["secret_id_response_wrapping_path"] = f"auth/{path}/role/{login.approle}/secret-id"
    config["remove_secret_id_file_after_reading"] = not login.kept
    method: dict[str, Any] = {"type": "approle", "mount_path": f"auth/{path}"}
    if login.namespace:
        method["namespace"] = login.namespace
    method["exit_on_err"] = True
    sink = block('sink "file"', block("config =", attributes({"path": f"{login.runtime}/token"})))
    return block("auto_auth", block("method", attributes(method), block("config =", attributes(config))), sink)


def _of_file(file: Rendered, seal: Seal) -> str:
    def leaf(value: Any) -> str | None:
        return _decrypting(seal(value[SECRET]), agent_code(file.shape)) if is_secret(value) else None

    return rendered(file.shape, file.content, leaf, agent_literal)


def _decrypting(secret: Sealed, code: str) -> str:
    """Code of a template that decrypts, and then writes by the given code, in which ``$v`` is the plaintext."""
    call = [
        f"{secret.backend}/decrypt/{secret.key}",
        f"ciphertext={secret.ciphertext}",
        f"context={secret.context}",
    ]
    asked = f"with secret {' '.join(map(agent_text, call))}"
    return f"{{{{ {asked} }}}}{{{{ $v := base64Decode .Data.plaintext }}}}{code}{{{{ end }}}}"
