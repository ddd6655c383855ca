# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keys of a Transit engine as resources: attributes and their validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Required, Self, TypeAlias, TypedDict, Unpack

from mlkeys._constructs.backend import place_problems
from mlkeys._constructs.material import KeyMaterial, material_problems
from mlkeys._model.attributes import Value
from mlkeys._model.duration import Duration
from mlkeys._model.element import Resource
from mlkeys._model.location import Location, call_site
from mlkeys._model.marks import targets
from mlkeys._model.reference import Reference
from mlkeys._model.tree import Construct
from mlkeys._model.types import instance, wrong
from mlkeys._providers.literals import shown
from mlkeys._shared._attributes.attribute import AT_CREATION, Attribute
from mlkeys._shared._attributes.key import KEY_ATTRIBUTES
from mlkeys._shared.key_types import KEY_TYPES, can_do, key_problems, type_problems, unknown_type_hint, unsuitable
from mlkeys._shared.names import name_problem

KeyType: TypeAlias = Literal[
    "aes128-cbc",
    "aes128-cmac",
    "aes128-gcm96",
    "aes192-cmac",
    "aes256-cbc",
    "aes256-cmac",
    "aes256-gcm96",
    "chacha20-poly1305",
    "ecdsa-p256",
    "ecdsa-p384",
    "ecdsa-p521",
    "ed25519",
    "external-key",
    "hmac",
    "hybrid",
    "managed_key",
    "ml-dsa",
    "rsa-2048",
    "rsa-3072",
    "rsa-4096",
    "slh-dsa",
    "xchacha20-poly1305",
]


class KeyChanges(TypedDict, total=False):
    """Attributes of a key that can be set later, under the names of the API. See `TransitSecretBackendKey`."""

    type: KeyType | None
    derived: bool | None
    convergent_encryption: bool | None
    key_size: int | None
    exportable: bool | None
    allow_plaintext_backup: bool | None
    auto_rotate_period: str | int | Duration | None
    deletion_allowed: bool | None
    min_decryption_version: int | None
    min_encryption_version: int | None
    external_key_ref: str | None
    managed_key_name: str | None
    managed_key_id: str | None
    parameter_set: str | None
    hybrid_key_type_pqc: str | None
    hybrid_key_type_ec: str | None


class KeyAttributes(KeyChanges, total=False):
    """Keywords of `TransitSecretBackendKey`: the attributes of a key, and which one it is."""

    backend: Required[str]
    name: Required[str]
    aliases: Sequence[str]
    material: KeyMaterial | None


class KeyResource(Resource):
    """A key of a Transit engine as a resource."""

    OFFERS: ClassVar[Mapping[str, str]] = {"name": "use its .name", "engine": "use its .backend"}
    WANTED: ClassVar[Mapping[str, str]] = {"backend": "engine", "name": "name"}
    ATTRIBUTES: ClassVar[Mapping[str, Attribute]] = {
        attribute.name: attribute
        for attribute in (
            Attribute("backend", "str", AT_CREATION, "Path of the engine."),
            Attribute("name", "str", AT_CREATION, "Name of the key."),
            *KEY_ATTRIBUTES,
        )
    }
    REQUIRED = ("backend", "name")
    RUNTIME = frozenset({"latest_version", "min_available_version"})
    #: How often each name of a decryption was used.
    uses: dict[str, int]
    #: Names of secrets in grants, with the line of the first.
    granted: dict[str, Location]
    #: What the deployment imports, None for a key that the server makes.
    material: KeyMaterial | None = None
    #: Whether the program grants the rights to encrypt or decrypt with it.
    _encrypts = False

    def __init__(
        self,
        scope: Construct | str,
        id_: str | None = None,
        /,
        **attributes: Unpack[KeyAttributes],
    ) -> None:
        given = {name: value for name, value in attributes.items() if name != "material"}
        super().__init__(scope, id_, given)
        self.material = attributes.get("material")
        self._prepare()
        self.node.add_validation(self._validate)

    def _prepare(self) -> None:
        self.uses = {}
        self.granted = {}

    @classmethod
    def from_existing(
        cls,
        scope: Construct | str,
        id_: str | None = None,
        /,
        *,
        name: str,
        backend: str = "transit",
        derived: bool | None = None,
    ) -> Self:
        """Refer to an existing key, which can be used and is neither created nor changed.

        Args:
            name: name of the key.
            backend: path of the engine. Default: `transit`.
            derived: whether the key is derived, which grants for single secrets require. What the program encrypts gets
                its name as context in either case. Default: unknown, and no such grants.
        """
        made = cls._existing(scope, id_, {"name": name, "backend": backend, "derived": derived})
        made._prepare()  # noqa: SLF001
        made.node.add_validation(made._validate)  # noqa: SLF001  its own class
        return made

    def configure(self, **attributes: Unpack[KeyChanges]) -> None:
        """Set attributes later, for example in an aspect; None unsets one."""
        self._take(attributes)

    @property
    def name(self) -> Reference:
        """Name of the key."""
        return self._reference("name")

    @property
    def backend(self) -> Reference:
        """Path of its engine."""
        return self._reference("backend")

    @property
    def latest_version(self) -> Reference:
        """The latest version of the key; known after deployment."""
        return self._reference("latest_version")

    @property
    def derived(self) -> bool:
        """Whether each ciphertext is bound to a context, here its name."""
        return self.values.get("derived") is True

    @property
    def takes_context(self) -> bool:
        """Whether requests have a context. A key that exists already may be derived, and ignores it if not."""
        return self.derived or not self.managed

    @property
    def type(self) -> str:
        """Its type, empty for a key that exists already: nothing is known of that."""
        return str(self.values.get("type", self.ATTRIBUTES["type"].default)) if self.managed else ""

    def use_problems(self, operation: str) -> list[str]:
        """Return why keys of its type are not for an operation."""
        return [] if can_do(operation, self.type) else [unsuitable(operation, self.type)]

    @property
    def protected(self) -> bool:
        """Whether the server refuses to delete it."""
        return self.values.get("deletion_allowed") is not True

    def texts(self) -> Iterable[tuple[str, str]]:
        own = self.material.texts() if isinstance(self.material, KeyMaterial) else ()
        return [*super().texts(), *own, *(("secrets", name) for name in self.granted)]

    def _validate(self) -> list[str]:
        wanted = {name: _plain(value) for name, value in self.values.items()}
        problems = key_problems(wanted) + type_problems(wanted)
        kind = str(self.values.get("type", self.ATTRIBUTES["type"].default))
        if kind not in KEY_TYPES:
            problems.append(
                f"type={shown(kind)} is not a known key type.{unknown_type_hint(kind)} "
                "Set a newer one with add_override('type', …)."
            )
        if self._encrypts:
            problems += self.use_problems("encrypt")
        if self.material is not None:
            problems += material_problems(self.material, self.values)
        elif kind == "hmac" and not self.values.get("key_size"):
            problems.append("a key of type hmac requires key_size, 32 to 512")
        name = str(self.values.get("name", ""))
        if not any(targets(name)) and name and (problem := name_problem(name)):
            problems.append(problem)
        problems += place_problems(self.values)
        floor, encryption = self.values.get("min_decryption_version"), self.values.get("min_encryption_version")
        if isinstance(floor, int) and isinstance(encryption, int) and 0 < encryption < floor:
            problems.append(f"min_encryption_version {encryption} is below min_decryption_version {floor}")
        return problems


_KEY = instance(KeyResource, "a key", None, wanted="key")


def key_of(construct: Construct, key: object) -> KeyResource:
    """Return the key that a program gives. Another value is reported, and a key stands in for it."""
    if isinstance(key, KeyResource):
        return key
    construct.node.add_problem(wrong("key", _KEY, key), call_site())
    return KeyResource.from_existing(construct, "refused-key", name="refused")


def _plain(value: Value) -> object:
    return value.seconds if isinstance(value, Duration) else value
