# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ansible Vault, for `mlkeys import`: passwords are found, and files decrypted, by Ansible's own code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlkeys._errors import MlkeysError
from mlkeys._system import collection

if TYPE_CHECKING:
    from ansible.parsing.vault import VaultLib, VaultSecret

_PROMPT = "prompt"


class AnsibleVault:
    """Decrypts with the passwords of the options, `ansible.cfg` and the environment, or with one that it asks for.

    Nothing is read or asked for before something has to be decrypted.
    """

    def __init__(self, ids: Sequence[str], password_files: Sequence[str], *, ask: bool) -> None:
        """
        Args:
            ids: as for `--vault-id`: a file, a program, or `LABEL@` and one of these or `prompt`.
            ask: whether to ask for a password in any case.
        """
        self._ids = ids
        self._password_files = password_files
        self._ask = ask
        self._library: VaultLib | None = None

    def is_encrypted(self, text: str) -> bool:
        """Whether a whole file is encrypted."""
        collection.load()
        from ansible.parsing.vault import is_encrypted

        return bool(is_encrypted(text))

    def decrypt(self, text: str, where: str) -> str:
        """The plaintext.

        Raises:
            MlkeysError: no password fits, or what was encrypted is no text.
        """
        if self._library is None:
            self._library = self._opened()
        from ansible.errors import AnsibleError

        problem = "none of the vault passwords decrypts it"
        try:
            plaintext: bytes = self._library.decrypt(text.strip().encode())
            return plaintext.decode()
        except AnsibleError:
            pass
        except UnicodeDecodeError:
            problem = "what is encrypted there is not UTF-8 text"
        raise MlkeysError(f"{where}: {problem}.")

    def _opened(self) -> VaultLib:
        from ansible import constants
        from ansible.parsing.vault import VaultLib

        # Its names are made when it is imported.
        configured: Any = constants
        given = [*configured.DEFAULT_VAULT_IDENTITY_LIST, *self._ids, *self._password_files]
        if configured.DEFAULT_VAULT_PASSWORD_FILE:
            given.append(configured.DEFAULT_VAULT_PASSWORD_FILE)
        if self._ask or not given:
            given.append(_PROMPT)
        return VaultLib([_labelled(slug, configured.DEFAULT_VAULT_IDENTITY) for slug in given])


def _labelled(slug: str, default: str) -> tuple[str, VaultSecret]:
    """A password by its label, read or asked for."""
    label, _, source = slug.rpartition("@")
    label = label or default
    from ansible.errors import AnsibleError
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import PromptVaultSecret, get_file_vault_secret

    problem = f"{source} gave no vault password: is it there, and may it be read or run?"
    try:
        if source in (_PROMPT, "prompt_ask_vault_pass"):
            problem = "There is no terminal to ask for the vault password: give --vault-password-file."
            if sys.stdin.isatty():
                problem = "No vault password was given."
                secret = PromptVaultSecret(vault_id=label, prompt_formats=[f"Vault password ({label}): "])
                secret.load()
                return label, secret
        else:
            secret = get_file_vault_secret(source, label, loader=DataLoader())
            secret.load()
            return label, secret
    except AnsibleError:
        # Its words may be those of a program that was to print the password.
        pass
    raise MlkeysError(problem)
