# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What a key makes of a secret, and a secret of that again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from mlkeys._constructs.key_resource import KeyResource
from mlkeys._model.element import Element
from mlkeys._model.reference import Reference, parts, targets
from mlkeys._model.secret import Secret
from mlkeys._model.tree import Construct

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Encrypted(Element):
    """A secret under a key. Wherever its ciphertext is wanted as text, it can stand itself."""

    RUNTIME = frozenset({"ciphertext"})
    plaintext_fields = frozenset({"plaintext"})
    runtime_fields = frozenset({"plaintext"})

    def __init__(
        self, scope: Construct, id_: str, *, key: KeyResource, plaintext: Plaintext, name: str
    ) -> None:  # fmt: skip
        super().__init__(scope, id_)
        self.key = key
        self.plaintext = plaintext
        self.name = name
        for problem in (*plaintext_problems(plaintext), *_name_problems(name)):
            self.node.add_problem(problem)

    @property
    def ciphertext(self) -> Reference:
        """The ciphertext; known only once deployed."""
        return self._reference("ciphertext")

    def texts(self) -> Iterable[tuple[str, str]]:
        # A literal was refused already, and no message may repeat it.
        if isinstance(self.plaintext, str) and any(targets(self.plaintext)):
            yield "plaintext", self.plaintext

    def __str__(self) -> str:
        return self.ciphertext

    def __format__(self, spec: str) -> str:
        return format(self.ciphertext, spec)


class Decrypted(Element):
    """A ciphertext that is decrypted where it is used. Wherever text is wanted, it can stand itself."""

    RUNTIME = frozenset({"plaintext"})
    SENSITIVE = frozenset({"plaintext"})
    runtime_fields = frozenset({"ciphertext"})

    def __init__(
        self, scope: Construct, id_: str, *, key: KeyResource, ciphertext: str, context: str | None
    ) -> None:  # fmt: skip
        super().__init__(scope, id_)
        self.key = key
        self.text = ciphertext
        self.context = context
        self.node.add_validation(self._validate)

    @property
    def plaintext(self) -> Reference:
        """The plaintext; it may stand where no file holds it."""
        return self._reference("plaintext")

    def source(self) -> Encrypted | None:
        """What was encrypted by this very program, None when the ciphertext is from elsewhere."""
        return _encrypted(self.node.root, self.text)

    def wanted_context(self) -> str | None:
        """The context to decrypt with: the name that the program encrypted under, else what was given."""
        source = self.source()
        return source.name if source is not None and self.context is None else self.context

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "ciphertext", self.text
        if self.context is not None:
            yield "context", self.context

    def _validate(self) -> list[str]:
        source = self.source()
        if source is not None and source.key is not self.key:
            return [f"this ciphertext was made with another key, {source.key.node.path}"]
        if self.key.derived and self.wanted_context() is None:
            return ["the key is derived, so the context of the ciphertext is needed: decrypt(…, context='…')"]
        if not any(targets(self.text)) and not self.text.startswith("vault:v"):
            return ["this is no ciphertext: one begins with 'vault:v'"]
        return []

    def __str__(self) -> str:
        return self.plaintext

    def __format__(self, spec: str) -> str:
        return format(self.plaintext, spec)


Plaintext: TypeAlias = Secret | Decrypted | Reference | str


def decrypt(key: KeyResource, ciphertext: str | Encrypted, context: str | None) -> Decrypted:
    """What `key.decrypt` makes: below the key, one for each use of a ciphertext."""
    source = _encrypted(key.node.root, str(ciphertext))
    text, wrong = (str(ciphertext), None)
    if not isinstance(ciphertext, (str, Encrypted)):
        text, wrong = "vault:v0:", f"decrypt() takes a ciphertext as text, not a {type(ciphertext).__name__}"
    made = Decrypted(key, _free_id(key, source.name if source else ""), key=key, ciphertext=text, context=context)
    if wrong:
        made.node.add_problem(wrong)
    return made


def plaintext_problems(plaintext: object) -> list[str]:
    """Why this cannot be encrypted; the words never repeat it."""
    advice = "Use Secret.env('NAME'), Secret.file(…), Secret.prompt(…) or Secret.kv(…)."
    if isinstance(plaintext, Secret):
        problem = plaintext.problem()
        return [problem] if problem else []
    if isinstance(plaintext, str):
        if any(targets(plaintext)):
            return []
        return [f"the plaintext is a literal: it would be written to disk. {advice}"]
    return [f"the plaintext is a {type(plaintext).__name__}. {advice}"]


def _name_problems(name: str) -> list[str]:
    if not VARIABLE.fullmatch(name):
        return [f"{name!r} is no name for a variable (letters, digits and '_'): say encrypt(…, name='…')"]
    return []


def _free_id(key: KeyResource, name: str) -> str:
    """An id among the key's children: one ciphertext may be decrypted at several places."""
    wanted = f"decrypt-{name}" if name else "decrypt"
    number, id_ = 1, wanted
    while key.node.child(id_) is not None:
        number += 1
        id_ = f"{wanted}-{number}"
    return id_


def _encrypted(root: Construct, text: str) -> Encrypted | None:
    found = parts(text)
    if len(found) != 1 or isinstance(found[0], str):
        return None
    construct = root.node.find(found[0].path)
    return construct if isinstance(construct, Encrypted) else None
