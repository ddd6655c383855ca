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
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import Login, auth, server
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import SECRET, Sealed, is_secret

_HEAD = "# Managed by Ansible, role mlkeys.transit.vault_transit_host. It holds ciphertext, and no key.\n"

# An agent requests its secrets again after a while, unless it has ended by then.
_NEVER = "87600h"

Seal = Callable[[str], Sealed]


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
                    "contents": _of_file(file, seal, login.prefix),
                    "destination": file.path,
                    "perms": file.mode,
                    "error_on_missing_key": True,
                }
            ),
        )
        for file in files
    ]
    parts = [attributes({"exit_after_auth": True}), _ONCE, *templates]
    return "\n".join([_HEAD, server(login), auth(login), *parts])


_ONCE = block("template_config", attributes({"exit_on_retry_failure": True, "static_secret_render_interval": _NEVER}))


def _of_file(file: Rendered, seal: Seal, prefix: str) -> str:
    def leaf(value: Any) -> str | None:
        if not is_secret(value):
            return None
        return _decrypting(seal(value[SECRET]), prefix, agent_code(file.shape))

    return rendered(file.shape, file.content, leaf, agent_literal)


def _decrypting(secret: Sealed, prefix: str, code: str) -> str:
    """Code of a template that decrypts, and then writes by the given code, in which ``$v`` is the plaintext."""
    call = [
        f"{prefix}{secret.backend}/decrypt/{secret.key}",
        f"ciphertext={secret.ciphertext}",
        f"context={secret.context}",
    ]
    asked = f"with secret {' '.join(map(agent_text, call))}"
    return f"{{{{ {asked} }}}}{{{{ $v := base64Decode .Data.plaintext }}}}{code}{{{{ end }}}}"
