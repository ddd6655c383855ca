# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Material that the deployment imports as a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mlkeys._model.attributes import Value
from mlkeys._model.not_text import NotText
from mlkeys._model.secret import EnvSecret, FileSecret, KvSecret, Secret
from mlkeys._providers.literals import kind_of, shown
from mlkeys._shared.key_types import import_problem

Encoding: TypeAlias = Literal["base64", "hex", "pem"]

_ENCODINGS = ("base64", "hex", "pem")
_ELSEWHERE = "Use Secret.env('NAME'), Secret.file(…) or Secret.kv(…)."


@dataclass(frozen=True, slots=True)
class KeyMaterial(NotText):
    """Where the material of an imported key comes from. No file of the project holds it.

    Once the version exists on the server, the source may be gone.

    Source: https://openbao.org/api-docs/secret/transit/#import-key

    Args:
        source: `Secret.env(…)`, `Secret.file(…)` or `Secret.kv(…)`.
        version: which version of the key it is. To replace the material, give the new one and increase this by one.
            Default: 1.
        encoding: what the material is: `"pem"` (default for key pairs), `"base64"` (default for all others) or `"hex"`.
        passphrase: where the passphrase of an encrypted PEM comes from. Default: none.
        allow_rotation: whether the server may rotate the key. Default: False. Cannot be changed later.
        complete: whether each deployment sends the private key to a version that has the public key alone. Use it once,
            to learn that the server has it, before you destroy your copy. Default: False.
    """

    source: Secret
    version: int = 1
    encoding: Encoding | None = None
    passphrase: Secret | None = None
    allow_rotation: bool | None = None
    complete: bool = False

    def texts(self) -> Iterable[tuple[str, str]]:
        """Return every string that the program gives, with the name of its field."""
        for field, secret in (("material", self.source), ("passphrase", self.passphrase)):
            if isinstance(secret, Secret):
                yield from ((field, text) for _, text in secret.texts())


def material_problems(material: object, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield what is wrong with the material of a key, without repeating any of it."""
    if not isinstance(material, KeyMaterial):
        yield f"material must be KeyMaterial(Secret.env('NAME')) or such, not {kind_of(material)}"
        return
    sources: list[tuple[str, object]] = [("the material", material.source)]
    if material.passphrase is not None:
        sources.append(("the passphrase", material.passphrase))
    for word, source in sources:
        if not isinstance(source, (EnvSecret, FileSecret, KvSecret)):
            yield f"{word} is {kind_of(source)}. {_ELSEWHERE}"
        elif problem := source.type_problem() or source.problem():
            yield f"{word}: {problem}"
    yield from _option_problems(material, values)


def _option_problems(material: KeyMaterial, values: Mapping[str, Value]) -> Iterator[str]:
    version: object = material.version
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        yield f"the version of the material must be a number from 1, not {shown(version)}"
    encoding: object = material.encoding
    # A reference is a text without a value yet, and cannot be compared.
    if encoding is not None and (type(encoding) is not str or encoding not in _ENCODINGS):
        yield f"the encoding of the material must be one of {', '.join(_ENCODINGS)}, not {shown(material.encoding)}"
    if not isinstance(material.complete, bool):
        yield f"complete must be True or False, not {shown(material.complete)}"
    if "type" not in values:
        yield "material requires type, the type of the key"
    elif problem := import_problem(str(values["type"])):
        yield problem
    if values.get("convergent_encryption"):
        yield "a key with convergent_encryption cannot be imported"
    if values.get("derived") and values.get("type") == "ed25519":
        yield "a derived key of type ed25519 cannot be imported: the server cannot use it"
    if values.get("auto_rotate_period") not in (None, 0) and not material.allow_rotation:
        yield "auto_rotate_period requires KeyMaterial(…, allow_rotation=True)"
