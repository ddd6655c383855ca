# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Secrets, as a program may speak of them: where one is found at deployment, never what it is."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import NoReturn

from mlkeys._errors import MlkeysError


class Secret:
    """Says where a secret is found when the program is deployed. Only the deployment ever sees it."""

    __slots__ = ()

    @staticmethod
    def env(name: str) -> EnvSecret:
        """The environment variable of that name, on the machine that deploys."""
        return EnvSecret(name)

    @staticmethod
    def file(path: str) -> FileSecret:
        """What a file of the deploying machine holds; a relative path is relative to the program's folder."""
        return FileSecret(path)

    @staticmethod
    def prompt(question: str) -> PromptSecret:
        """What a person answers to the question at deployment."""
        return PromptSecret(question)

    @staticmethod
    def kv(path: str, field: str, *, mount: str = "secret") -> KvSecret:
        """A field of a secret in a KV engine (version 2) of the same server."""
        return KvSecret(path, field, mount)

    @staticmethod
    def generated(length: int = 32, characters: str = string.ascii_letters + string.digits) -> GeneratedSecret:
        """A random text, made at the first deployment and kept from then on."""
        return GeneratedSecret(length, characters)

    @property
    def name(self) -> str | None:
        """A name for what is made of the secret, None when it suggests none."""
        return None

    def problem(self) -> str | None:
        """What is wrong with the description, None when nothing is."""
        return None

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, _spec: str) -> NoReturn:
        raise MlkeysError(f"{self!r} cannot be put into text: only encrypt() and EncryptedVars take a secret")


@dataclass(frozen=True, slots=True)
class EnvSecret(Secret):
    """What `Secret.env` makes."""

    variable: str

    def __repr__(self) -> str:
        return f"Secret.env({self.variable!r})"

    @property
    def name(self) -> str:
        return self.variable.lower()

    def problem(self) -> str | None:
        if self.variable and "=" not in self.variable and self.variable.isprintable():
            return None
        return "Secret.env takes the name of an environment variable"


@dataclass(frozen=True, slots=True)
class FileSecret(Secret):
    """What `Secret.file` makes."""

    path: str

    def __repr__(self) -> str:
        return f"Secret.file({self.path!r})"

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2].partition(".")[0].lower()

    def problem(self) -> str | None:
        return None if self.path and "\0" not in self.path else "Secret.file takes the path of a file"


@dataclass(frozen=True, slots=True)
class PromptSecret(Secret):
    """What `Secret.prompt` makes."""

    question: str

    def __repr__(self) -> str:
        return f"Secret.prompt({self.question!r})"


@dataclass(frozen=True, slots=True)
class KvSecret(Secret):
    """What `Secret.kv` makes."""

    path: str
    field: str
    mount: str

    def __repr__(self) -> str:
        return f"Secret.kv({self.path!r}, {self.field!r}, mount={self.mount!r})"

    @property
    def name(self) -> str:
        return self.field.lower()

    def problem(self) -> str | None:
        if self.path and self.field and self.mount:
            return None
        return "Secret.kv takes the path of a secret and the name of a field"


@dataclass(frozen=True, slots=True)
class GeneratedSecret(Secret):
    """What `Secret.generated` makes."""

    length: int
    characters: str

    def __repr__(self) -> str:
        return f"Secret.generated({self.length})"

    def problem(self) -> str | None:
        if self.length < 8 or len(set(self.characters)) < 2:
            return "Secret.generated wants at least 8 characters out of at least 2 different ones"
        return None
