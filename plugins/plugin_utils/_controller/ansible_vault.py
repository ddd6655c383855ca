# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ciphertexts within what Ansible Vault encrypted. Plaintext stays in memory. **Private** to the collection."""

from __future__ import annotations

import io
import re
from typing import Any, Iterator

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan, open_file
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_places import NotSearched

_BEGIN = b"$ANSIBLE_VAULT;"
# The value of a variable, or a text in JSON with its line ends escaped. A sentence about it has no digits.
_ENCRYPTED = re.compile(rb"(\$ANSIBLE_VAULT;[\w.;@-]+)((?:(?:\s|\\[nr])+[0-9a-f]{2,80})+)")
_LINE_ENDS = re.compile(rb"(?:\s|\\[nr])+")
_CHUNK = 1 << 20
# Ansible holds what it decrypts in memory several times.
_MOST_BYTES = 1 << 26

_LOCKED = "it is encrypted with Ansible Vault, and no vault secret of this run decrypts it (vault_password_file)"
_HOLDS = (
    "it is encrypted with Ansible Vault, and holds a ciphertext, which cannot be rewrapped there: move the ciphertext "
    "to a file that is not encrypted, or remove it"
)
_LARGE = f"it is encrypted with Ansible Vault, and larger than {_MOST_BYTES >> 20} MiB"


class VaultedFiles:
    """Files with something that Ansible Vault encrypted."""

    def __init__(self, loader: Any) -> None:
        """
        Args:
            loader: that of the run, which has its vault secrets.
        """
        self._vault = VaultLib(loader._vault.secrets)  # noqa: SLF001  Ansible has no other way without files

    def problem(self, path: str) -> NotSearched | None:
        """Why a file cannot be left as it is; ``None`` if it can, or cannot be read."""
        try:
            with open_file(path) as stream:
                if not _has(stream, _BEGIN):
                    return None
                stream.seek(0)
                text = stream.read(_MOST_BYTES + 1)
        except OSError:
            # The search of it names it.
            return None
        if len(text) > _MOST_BYTES:
            return NotSearched(path, _LARGE, "failed")
        is_locked = False
        for one in _encrypted(text):
            try:
                if any(Scan(io.BytesIO(self._vault.decrypt(one))).groups()):
                    return NotSearched(path, _HOLDS, "failed")
            except (AnsibleError, ValueError):
                is_locked = True
        return NotSearched(path, _LOCKED, "failed") if is_locked else None


def _has(stream: Any, wanted: bytes) -> bool:
    end = b""
    while chunk := stream.read(_CHUNK):
        if wanted in end + chunk:
            return True
        end = chunk[-len(wanted) :]
    return False


def _encrypted(text: bytes) -> Iterator[bytes]:
    if text.startswith(_BEGIN):
        yield text
        return
    for header, body in _ENCRYPTED.findall(text):
        yield header + _LINE_ENDS.sub(b"\n", body) + b"\n"
