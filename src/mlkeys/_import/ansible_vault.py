# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ansible Vault, for `mlkeys import`. Ansible's own code finds the passwords and decrypts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlkeys._errors import MlkeysError
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible.parsing.vault import VaultLib, VaultSecret

_PROMPT = "prompt"
# Of a first line without a vault ID: $ANSIBLE_VAULT;1.1;AES256
_PARTS = 3


class AnsibleVault:
    """Decrypts with the passwords from the options, `ansible.cfg` and the environment, or from a prompt.

    No password is read or prompted for before there is something to decrypt.
    """

    def __init__(self, ids: Sequence[str], password_files: Sequence[str], *, ask: bool) -> None:
        """
        Args:
            ids: as for `--vault-id`: a file or a program, also as `LABEL@FILE`, or `LABEL@prompt`.
            ask: whether to prompt for a password in any case.
        """
        self._ids = ids
        self._password_files = password_files
        self._ask = ask
        self._library: VaultLib | None = None

    def is_encrypted(self, text: str) -> bool:
        """Whether a file is encrypted as a whole."""
        collection.load()
        from ansible.parsing.vault import is_encrypted

        return bool(is_encrypted(text))

    def decrypt(self, text: str, where: str) -> str:
        """The plaintext.

        Raises:
            MlkeysError: no password decrypts it, or the plaintext is not text.
        """
        if self._library is None:
            self._library = self._opened()
        from ansible.errors import AnsibleError

        try:
            plaintext: bytes = self._library.decrypt(text.strip().encode())
            return plaintext.decode()
        except AnsibleError:
            label = _label(text)
            asked = f" Its vault ID is {label}." if label else ""
            raise MlkeysError(f"{where}: none of the vault passwords decrypts it.{asked}") from None
        except UnicodeDecodeError:
            raise MlkeysError(f"{where}: the plaintext is not UTF-8 text.") from None

    def _opened(self) -> VaultLib:
        from ansible import constants
        from ansible.parsing.vault import VaultLib

        # Its names are created at import.
        configured: Any = constants
        given = [*configured.DEFAULT_VAULT_IDENTITY_LIST, *self._ids, *self._password_files]
        if configured.DEFAULT_VAULT_PASSWORD_FILE:
            given.append(configured.DEFAULT_VAULT_PASSWORD_FILE)
        if self._ask or not given:
            given.append(_PROMPT)
        return VaultLib([_labelled(slug, configured.DEFAULT_VAULT_IDENTITY) for slug in given])


def _label(text: str) -> str:
    """The vault ID in the first line of an encrypted text, empty if there is none."""
    parts = text.strip().partition("\n")[0].strip().split(";")
    return "".join(filter(str.isprintable, parts[3])) if len(parts) > _PARTS else ""


def _labelled(slug: str, default: str) -> tuple[str, VaultSecret]:
    """A password and its label, read or prompted for."""
    label, _, source = slug.rpartition("@")
    label = label or default
    from ansible.errors import AnsibleError
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import PromptVaultSecret, get_file_vault_secret

    problem = f"No vault password from {source}: check that it exists and can be read or run."
    try:
        if source in (_PROMPT, "prompt_ask_vault_pass"):
            problem = "Cannot prompt for the vault password without a terminal: use --vault-password-file."
            if sys.stdin.isatty():
                problem = "No vault password was entered."
                secret = PromptVaultSecret(vault_id=label, prompt_formats=[f"Vault password ({label}): "])
                secret.load()
                return label, secret
        else:
            secret = get_file_vault_secret(source, label, loader=DataLoader())
            secret.load()
            return label, secret
    except AnsibleError:
        # Ansible's message may contain the output of a password program.
        pass
    raise MlkeysError(problem)
