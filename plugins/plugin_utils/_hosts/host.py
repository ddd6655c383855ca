# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings that all services of a host have in common. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.hcl import APPROLE
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import Access, Login


@dataclass(frozen=True)
class Host(Access):
    """Settings of all services of a host.

    Attributes:
        backend: engine of services that set none, and ``key`` their key.
        predicted: whether a text stands for each ciphertext that does not exist yet, as in check mode.
        new_ciphertexts: secrets whose stored ciphertext an earlier task would replace, with what it does to them.
    """

    backend: str = "transit"
    key: str = ""
    predicted: bool = False
    new_ciphertexts: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_secret_id(self) -> bool:
        return self.auth_method == APPROLE

    @property
    def is_used_up(self) -> bool:
        """Whether each start uses up a login that Ansible has to renew."""
        return self.has_secret_id and not self.secret_id_kept

    def login(self, folder: str, runtime: str) -> Login:
        """How the agent of a service logs in."""
        access = {one.name: getattr(self, one.name) for one in fields(Access)}
        return Login(**access, folder=folder, runtime=runtime)
