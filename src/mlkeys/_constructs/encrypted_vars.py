# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files of ciphertext."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlkeys._constructs.encryption import Decrypted, Encrypted, Plaintext
from mlkeys._constructs.inventory import Group
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._model.element import Element
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct, where


class EncryptedVars(Element):
    """A vars file of the Ansible project whose values are ciphertexts of one key, under the names of variables.

    With `hosts` it is a file of that group's variables, else of all hosts'.
    """

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        *,
        key: KeyResource,
        secrets: Mapping[str, Plaintext] | None = None,
        hosts: Group | None = None,
    ) -> None:
        super().__init__(*where(scope, id_))
        self.key = key
        self.hosts = hosts
        for name, plaintext in (secrets or {}).items():
            self.add(name, plaintext)

    def add(self, name: str, plaintext: Plaintext) -> Encrypted:
        """Encrypt one more secret."""
        source = plaintext.plaintext if isinstance(plaintext, Decrypted) else plaintext
        return Encrypted(self, name, key=self.key, plaintext=source, name=name)

    def __getitem__(self, name: str) -> Reference:
        """The ciphertext under that name."""
        found = self.node.child(name)
        if isinstance(found, Encrypted):
            return found.ciphertext
        raise KeyError(name)

    @property
    def entries(self) -> tuple[Encrypted, ...]:
        """Its secrets, in the order in which they were added."""
        return tuple(child for child in self.node.children if isinstance(child, Encrypted))

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "backend", self.key.backend
        yield "key", self.key.name
