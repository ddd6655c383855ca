# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ciphertexts of secrets, and plaintexts of ciphertexts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, TypeAlias

from mlkeys._constructs.key_resource import KeyResource
from mlkeys._model.element import Element
from mlkeys._model.marks import parts, targets
from mlkeys._model.not_text import instead
from mlkeys._model.reference import Reference
from mlkeys._model.secret import Secret
from mlkeys._model.tree import Construct
from mlkeys._model.types import SECRET, SECRETS, all_now, instance, now, optional, taken, wrong
from mlkeys._providers.literals import kind_of, shown
from mlkeys._shared.names import LONGEST_VARIABLE, VARIABLE_NAME

_NESTED = (
    "A program encrypts single texts. Give each a variable of its own, such as openai_api_key, and nest it where it "
    "is used, as in HostConfig(json={'openai': {'api_key': file['openai_api_key']}}). Nested variables of Ansible are "
    "kept in a vars file beside the program: mlkeys set FILE openai.api_key"
)


class Encrypted(Element):
    """A secret encrypted with a key; the result of `key.encrypt(…)`. As a string it is its ciphertext."""

    OFFERS: ClassVar[Mapping[str, str]] = {
        "data": "use its .ciphertext",
        "key": "use its .key",
        "plaintext": "decrypt it, and use the .plaintext of that",
        "secret": "use its .name",
        "source": "decrypt it first, as in key.encrypt(other.decrypt(…))",
    }
    RUNTIME = frozenset({"ciphertext"})
    plaintext_fields = frozenset({"plaintext"})
    runtime_fields = frozenset({"plaintext"})

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        key: KeyResource,
        plaintext: Plaintext,
        name: str,
        aliases: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, id_)
        self.key = key
        self.plaintext = plaintext
        self.name = now(self, "name", name)
        self.aliases = all_now(self, "aliases", taken(self, "aliases", aliases, SECRETS))
        for problem in (*plaintext_problems(plaintext), *_name_problems(self.name)):
            self.node.add_problem(problem)
        # The type of the key may be set later.
        self.node.add_validation(lambda: key.use_problems("encrypt"))

    @property
    def ciphertext(self) -> Reference:
        """The ciphertext; known after deployment."""
        return self._reference("ciphertext")

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "name", self.name
        yield from (("aliases", name) for name in self.aliases)
        if isinstance(self.plaintext, Secret):
            yield from self.plaintext.texts()
        # A literal is refused elsewhere, and no message may repeat it.
        if isinstance(self.plaintext, str) and any(targets(self.plaintext)):
            yield "plaintext", self.plaintext

    def __str__(self) -> str:
        return str(self.ciphertext)

    __hash__ = Element.__hash__

    def __eq__(self, other: object) -> bool:
        # As a text it is its ciphertext, and no comparison of that is silently false.
        return self.ciphertext == other if isinstance(other, str) else self is other

    def __format__(self, spec: str) -> str:
        return format(self.ciphertext, spec)


class Decrypted(Element):
    """A ciphertext that is decrypted where it is used; the result of `key.decrypt(…)`.

    As a string it is its plaintext.
    """

    OFFERS: ClassVar[Mapping[str, str]] = {
        "ciphertext": "use what it is decrypted from",
        "data": "use what it is decrypted from. Only a HostConfig with delivery='plaintext' may hold the plaintext",
        "key": "use its .key",
        "plaintext": "use its .plaintext",
    }
    RUNTIME = frozenset({"plaintext"})
    SENSITIVE = frozenset({"plaintext"})
    PUBLIC = frozenset({"ciphertext", "context"})
    runtime_fields = frozenset({"ciphertext"})

    def __init__(
        self, scope: Construct, id_: str, *, key: KeyResource, ciphertext: str, context: str | None
    ) -> None:  # fmt: skip
        super().__init__(scope, id_)
        self.key = key
        self.text = ciphertext
        self.context: str | None = optional(self, "context", context, SECRET)
        self.node.add_validation(self._validate)

    @property
    def plaintext(self) -> Reference:
        """The plaintext. It can only be used where no file holds it."""
        return self._reference("plaintext")

    def source(self) -> Encrypted | None:
        """Return the secret that this program encrypts, None when the ciphertext comes from elsewhere."""
        return _encrypted(self.node.root, self.text)

    def effective_context(self) -> str | None:
        """Return the context to decrypt with: the given one, else the name that this program encrypts under."""
        source = self.source()
        return source.name if source is not None and self.context is None else self.context

    def texts(self) -> Iterable[tuple[str, str]]:
        yield "ciphertext", self.text
        if self.context is not None:
            yield "context", self.context

    def _validate(self) -> list[str]:
        problems = self.key.use_problems("decrypt")
        if problems:
            return problems
        source = self.source()
        if source is not None and source.key is not self.key:
            return [f"this ciphertext was made with another key, {source.key.node.path}"]
        if self.key.derived and self.effective_context() is None:
            return ["a derived key requires the context of the ciphertext: decrypt(…, context='…')"]
        if not any(targets(self.text)) and not self.text.startswith("vault:v"):
            return ["this is not a ciphertext, which begins with 'vault:v'"]
        return []

    def __str__(self) -> str:
        return str(self.plaintext)

    __hash__ = Element.__hash__

    def __eq__(self, other: object) -> bool:
        return self.plaintext == other if isinstance(other, str) else self is other

    def __format__(self, spec: str) -> str:
        return format(self.plaintext, spec)


Plaintext: TypeAlias = Secret | Decrypted | Reference | str


_UNKNOWN_CONTEXT = (
    "if the existing key is derived, this ciphertext needs its context: decrypt(…, context='…'). If not, say so: "
    "from_existing(…, derived=False)"
)


_CIPHERTEXT = instance((str, Encrypted), "a string, or the result of encrypt()", "", wanted="ciphertext")


def decrypt(key: KeyResource, ciphertext: str | Encrypted, context: str | None) -> Decrypted:
    """Return the construct for a use of a ciphertext; it is below the key."""
    fits = _CIPHERTEXT.fits(ciphertext)
    text = str(ciphertext) if fits else "vault:v0:"
    source = _encrypted(key.node.root, text)
    made = Decrypted(key, _free_id(key, source.name if source else ""), key=key, ciphertext=text, context=context)
    if fits and source is None and context is None and not key.managed and "derived" not in key.values:
        made.node.add_warning("unknown-context", _UNKNOWN_CONTEXT)
    if not fits:
        made.node.add_problem(wrong("the ciphertext", _CIPHERTEXT, ciphertext))
    return made


def plaintext_problems(plaintext: object) -> list[str]:
    """Return why this cannot be encrypted, without repeating it."""
    advice = "Use Secret.env('NAME'), Secret.file(…), Secret.prompt(…) or Secret.kv(…)."
    if isinstance(plaintext, Secret):
        if any(any(targets(text)) for _, text in plaintext.texts()):
            return ["the source of a secret cannot hold a reference"]
        problem = plaintext.type_problem() or plaintext.problem()
        return [problem] if problem else []
    if isinstance(plaintext, str):
        if any(targets(plaintext)):
            return []
        return [f"the plaintext is a literal, which would be written to disk. {advice}"]
    if isinstance(plaintext, (Mapping, list, tuple)):
        kind = "mapping" if isinstance(plaintext, Mapping) else "list"
        return [f"the plaintext is a {kind}. {_NESTED}"]
    return [f"the plaintext is {kind_of(plaintext)}{instead(plaintext, 'source') or f'. {advice}'}"]


def _name_problems(name: str) -> list[str]:
    if name.partition(".")[2] and VARIABLE_NAME.fullmatch(name.partition(".")[0]):
        return [f"{shown(name)} is the path of nested data. {_NESTED}"]
    if not VARIABLE_NAME.fullmatch(name):
        return [f"{shown(name)} is not a variable name (letters, digits and '_'): set one with encrypt(…, name='…')"]
    if len(name) > LONGEST_VARIABLE:
        return [f"the name is too long by {len(name) - LONGEST_VARIABLE}: it can have {LONGEST_VARIABLE} characters"]
    return []


def _free_id(key: KeyResource, name: str) -> str:
    """Return a free id below the key: a ciphertext may be decrypted in several places."""
    base = f"decrypt-{name}" if name else "decrypt"
    while True:
        number = key.uses[base] = key.uses.get(base, 0) + 1
        id_ = base if number == 1 else f"{base}-{number}"
        if key.node.child(id_) is None:
            return id_


def _encrypted(root: Construct, text: str) -> Encrypted | None:
    found = parts(text)
    if len(found) != 1 or isinstance(found[0], str):
        return None
    construct = root.node.find(found[0].path)
    return construct if isinstance(construct, Encrypted) else None
