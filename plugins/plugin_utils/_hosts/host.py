# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings that all services of a host have in common. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.hcl import APPROLE
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import Login


@dataclass(frozen=True)
class Host:
    """Settings of all services of a host.

    Attributes:
        predicted: whether a text stands for each ciphertext that does not exist yet, as in check mode.
    """

    backend: str
    key: str
    approle: str
    approle_path: str
    url: str
    ca_cert: str
    namespace: str
    secret_id_kept: bool
    predicted: bool
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    auth_method: str = APPROLE
    auth_path: str = ""
    auth_role: str = ""
    auth_namespace: str = ""
    auth_config: Mapping[str, Any] = field(default_factory=dict)
    agent_environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_secret_id(self) -> bool:
        return self.auth_method == APPROLE

    @property
    def is_used_up(self) -> bool:
        """Whether each start uses up a login that Ansible has to renew."""
        return self.has_secret_id and not self.secret_id_kept

    def login(self, folder: str, runtime: str) -> Login:
        """How the agent of a service logs in."""
        return Login(
            url=self.url.rstrip("/"),
            approle=self.approle,
            approle_path=self.approle_path,
            folder=folder,
            runtime=runtime,
            kept=self.secret_id_kept,
            ca_cert=self.ca_cert,
            namespace=self.namespace,
            ca_path=self.ca_path,
            client_cert=self.client_cert,
            client_key=self.client_key,
            tls_server_name=self.tls_server_name,
            method=self.auth_method,
            auth_path=self.auth_path,
            auth_role=self.auth_role,
            auth_namespace=self.auth_namespace,
            config=self.auth_config,
            environment=self.agent_environment,
        )
