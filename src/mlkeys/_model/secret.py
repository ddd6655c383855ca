# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Sources of secrets: where to find one at deployment, never its value."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from mlkeys._model.not_text import NotText
from mlkeys._providers.literals import kind_of


class Secret(NotText):
    """The source of a secret. Only the deployment reads the value; no file of the project holds it."""

    __slots__ = ()

    OFFERS: ClassVar[Mapping[str, str]] = {
        "ciphertext": "encrypt it, and use the ciphertext",
        "data": "encrypt it, and use the ciphertext",
    }

    @staticmethod
    def env(name: str) -> EnvSecret:
        """Read an environment variable of the machine that deploys.

        Args:
            name: name of the variable. It must be set and not empty.
        """
        return EnvSecret(name)

    @staticmethod
    def file(path: str) -> FileSecret:
        """Read a file of the machine that deploys, without its trailing newline.

        Args:
            path: absolute, beginning with `~`, or relative to the folder of the program.
        """
        return FileSecret(path)

    @staticmethod
    def prompt(question: str) -> PromptSecret:
        """Ask on the terminal, without echo, at every deployment.

        The answer is one line of less than 4,095 bytes, where a terminal cuts it. Use `Secret.file` for longer values,
        and for those of several lines.

        Args:
            question: the prompt.
        """
        return PromptSecret(question)

    @staticmethod
    def kv(path: str, field: str, *, mount: str = "secret") -> KvSecret:
        """Read a field of a secret in a KV engine (version 2) of the same server.

        Args:
            path: path of the secret in the engine.
            field: name of the field.
            mount: path of the engine. Default: `secret`.
        """
        return KvSecret(path, field, mount)

    @staticmethod
    def generated(length: int = 32, characters: str = string.ascii_letters + string.digits) -> GeneratedSecret:
        """Generate a random value at the first deployment and keep it from then on.

        Args:
            length: number of characters, at least 8. Default: 32.
            characters: characters to choose from, at least 2 different ones. Default: ASCII letters and digits.
        """
        return GeneratedSecret(length, characters)

    @property
    def name(self) -> str | None:
        """A name for the ciphertext of the secret, None when the source suggests none."""
        return None

    def texts(self) -> Iterable[tuple[str, str]]:
        """Return every string that the program gives, with the name of its field."""
        fields: tuple[str, ...] = type(self).__slots__
        given = ((name, getattr(self, name)) for name in fields)
        return ((name, value) for name, value in given if isinstance(value, str))

    def type_problem(self) -> str | None:
        """Return which field has the wrong type, None when none has."""
        fields: tuple[str, ...] = type(self).__slots__
        for name in fields:
            value, wanted = getattr(self, name), int if name == "length" else str
            if not isinstance(value, wanted):
                kind = "an integer" if wanted is int else "a string"
                return f"the {name} of a secret must be {kind}, not {kind_of(value)}"
        return None

    def problem(self) -> str | None:
        """Return what is wrong with the source, None when nothing is."""
        return None

    def _advice(self) -> str:
        return "pass it to encrypt() or EncryptedVars"


@dataclass(frozen=True, slots=True)
class EnvSecret(Secret):
    """The result of `Secret.env`."""

    variable: str

    def __repr__(self) -> str:
        return f"Secret.env({self.variable!r})"

    @property
    def name(self) -> str:
        return self.variable.lower()

    def problem(self) -> str | None:
        if self.variable and "=" not in self.variable and self.variable.isprintable():
            return None
        return "Secret.env requires the name of an environment variable"


@dataclass(frozen=True, slots=True)
class FileSecret(Secret):
    """The result of `Secret.file`."""

    path: str

    def __repr__(self) -> str:
        return f"Secret.file({self.path!r})"

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2].partition(".")[0].lower()

    def problem(self) -> str | None:
        return None if self.path and "\0" not in self.path else "Secret.file requires the path of a file"


@dataclass(frozen=True, slots=True)
class PromptSecret(Secret):
    """The result of `Secret.prompt`."""

    question: str

    def __repr__(self) -> str:
        return f"Secret.prompt({self.question!r})"


@dataclass(frozen=True, slots=True)
class KvSecret(Secret):
    """The result of `Secret.kv`."""

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
        return "Secret.kv requires the path of a secret, the name of a field and a mount"


@dataclass(frozen=True, slots=True)
class GeneratedSecret(Secret):
    """The result of `Secret.generated`."""

    length: int
    characters: str

    def __repr__(self) -> str:
        return f"Secret.generated({self.length})"

    def problem(self) -> str | None:
        if self.length < 8 or len(set(self.characters)) < 2:
            return "Secret.generated requires a length of at least 8 and at least 2 different characters"
        return None


@dataclass(frozen=True, slots=True)
class DataKeySecret(GeneratedSecret):
    """The source of `key.datakey`: this many random bytes, which the server makes."""

    def __repr__(self) -> str:
        return f"<a data key of {self.length * 8} bits>"

    def problem(self) -> str | None:
        return None if self.length in (16, 32, 64) else "a data key has 128, 256 or 512 bits"
