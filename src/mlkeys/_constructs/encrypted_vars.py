# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Files of ciphertexts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from mlkeys._constructs.encryption import Decrypted, Encrypted, Plaintext
from mlkeys._constructs.inventory import Group
from mlkeys._constructs.key_resource import KeyResource, key_of
from mlkeys._errors import MlkeysError
from mlkeys._model.element import Element
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct, where
from mlkeys._model.types import MAPPING, instance, optional
from mlkeys._providers.literals import shown
from mlkeys._shared.suggestions import did_you_mean


class EncryptedVars(Element):
    """A vars file of the Ansible project with ciphertexts of one key, under the names of variables.

    `file[name]` is the ciphertext of a secret. The file holds texts, each under the name of a variable. Nest them where
    they are used, as in `HostConfig(json={"openai": {"api_key": file["openai_api_key"]}})`.

    Args:
        key: the key to encrypt with.
        secrets: sources of secrets by variable name, such as `{"openai_api_key": Secret.env("OPENAI_API_KEY")}`.
            Default: none; see `add`.
        hosts: the group of hosts that the variables are for. Default: all hosts.
    """

    OFFERS: ClassVar[Mapping[str, str]] = {
        "ciphertext": "use that of a secret in it, such as file['openai_api_key']",
        "data": "use the ciphertext of a secret in it, such as file['openai_api_key']",
        "key": "use its .key",
        "source": "name one of its secrets, such as key.decrypt(file['openai_api_key'])",
    }

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
        self.key = key_of(self, key)
        self.hosts: Group | None = optional(
            self, "hosts", hosts, instance(Group, "a group of an inventory", None, "group")
        )
        for name, plaintext in (optional(self, "secrets", secrets, MAPPING) or {}).items():
            self.add(name, plaintext)

    def add(self, name: str, plaintext: Plaintext, *, aliases: Sequence[str] = ()) -> Encrypted:
        """Add a secret.

        Args:
            name: name of the variable. With a derived key it is also the context.
            plaintext: where the secret comes from.
            aliases: former names, under which its ciphertext may be stored. Default: none.
        """
        source = plaintext.plaintext if isinstance(plaintext, Decrypted) else plaintext
        return Encrypted(self, name, key=self.key, plaintext=source, name=name, aliases=aliases)

    def __getitem__(self, name: str) -> Reference:
        """Return the ciphertext of a secret.

        Raises:
            MlkeysError: there is none of this name.
        """
        found = self.node.child(name)
        if isinstance(found, Encrypted):
            return found.ciphertext
        near = did_you_mean(name, [entry.name for entry in self.entries])
        # The name may be a value by mistake.
        raise MlkeysError(f"{self.node.path} has no secret {shown(name)}.{near}")

    def __contains__(self, name: object) -> bool:
        """Whether it has a secret of this name."""
        return any(entry.name == name for entry in self.entries)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of its secrets, in the order of the program."""
        return (entry.name for entry in self.entries)

    @property
    def entries(self) -> tuple[Encrypted, ...]:
        """The secrets, in the order of the program."""
        return tuple(child for child in self.node.children if isinstance(child, Encrypted))

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "backend", self.key.backend
        yield "key", self.key.name
