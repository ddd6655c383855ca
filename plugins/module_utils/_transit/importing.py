# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Import key material into a key of an engine. **Private** to the collection.

Material that was not wrapped before is wrapped here, in memory, right before it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    PermissionDenied,
    ServerError,
    UnexpectedAnswer,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._material.import_plan import Imported
from ansible_collections.mlkeys.transit.plugins.module_utils._material.material import (
    Material,
    check_public,
    check_unpacked,
    material_from,
    public_der,
    public_pem,
    wrapped,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.key_types import (
    KEY_TYPES,
    import_problem,
    unknown_type_hint,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit


@dataclass(frozen=True)
class ImportRequest:
    """Material, and what to know about it: the option ``import`` of ``vault_transit_key``, checked.

    Attributes:
        ciphertext: the material if it was wrapped before.
    """

    facts: Imported
    material: Material
    ciphertext: str = ""
    hash_function: str = "SHA256"


# Those in which material is given.
_OPTIONS = ("content", "ciphertext", "public_key", "src")


def import_request(options: Mapping[str, Any]) -> ImportRequest | None:
    """The request that the option ``import`` makes, ``None`` without it.

    Raises:
        InvalidOption: the material cannot be read, or is not for a key of this type.
    """
    given = options.get("import")
    if given is None:
        return None
    if not options.get("type"):
        raise InvalidOption("import needs type, the type of the key to import.")
    problem = import_problem(options["type"])
    if problem:
        raise InvalidOption(f"import: {problem}. Leave import out.")
    if given.get("version", 1) < 1:
        raise InvalidOption("import.version begins with 1.")
    material, ciphertext = _material(given, options["type"]), given.get("ciphertext") or ""
    missing = not (material.secret or material.public or ciphertext)
    facts = Imported(
        given.get("version", 1),
        given.get("allow_rotation"),
        material.public,
        missing,
        secret=bool(material.secret or ciphertext),
        complete=bool(given.get("complete")),
        origin=given.get("origin") or "",
        option=next((name for name in _OPTIONS if given.get(name) is not None), _OPTIONS[0]),
    )
    return ImportRequest(facts, material, ciphertext, given.get("hash_function") or "SHA256")


def _material(given: Mapping[str, Any], key_type: str) -> Material:
    if given.get("src"):
        raise InvalidOption(
            "import.src is a file of the controller, and was not read there. Call the module by its full name, "
            "mlkeys.transit.vault_transit_key."
        )
    if given.get("content"):
        return _material_of(given, key_type)
    text = given.get("public_key") or ""
    check_unpacked(text)
    # Without its frame it would be 32 bytes of anything, such as a private key.
    public = public_der(text) if "-----BEGIN" in text else b""
    if text and not public:
        raise InvalidOption("import.public_key is not a public key in PEM (-----BEGIN PUBLIC KEY-----).")
    check_public(public, key_type, "import.public_key")
    return Material(public=public)


def _material_of(given: Mapping[str, Any], key_type: str) -> Material:
    """The material of the option ``content``. What it must be depends on the type, which may be misspelt."""
    if given.get("encoding") == "raw":
        raise InvalidOption(
            "import.encoding raw is for the bytes of a file (src). Give those of content in base64 or hex."
        )
    try:
        return material_from(given["content"], given.get("encoding") or "", given.get("passphrase") or "", key_type)
    except InvalidOption as error:
        if key_type in KEY_TYPES:
            raise
        hint = f"The type '{key_type}' is not a known one.{unknown_type_hint(key_type)}"
        raise InvalidOption(f"{error.message} {hint}") from None


def send_material(transit: Transit, name: str, request: ImportRequest, body: Mapping[str, Any]) -> None:
    """Import the material as a key, or as the latest version of one.

    Args:
        body: what else to say about a new key.
    """
    sent = wrapped_material(transit, request)
    # What is off is so by default, and a policy may not allow its parameter.
    more = {
        option: value for option, value in {**body, "allow_rotation": request.facts.allow_rotation}.items() if value
    }
    try:
        if request.facts.version > 1:
            transit.import_version(name, sent)
            return
        transit.import_key(name, {**more, **sent})
    except PermissionDenied as error:
        lasting = [option for option in more if option not in _GRANTED]
        if request.facts.version > 1 or not lasting:
            raise
        message = (
            f"{error.message} A policy may also grant the import without {' and '.join(lasting)}, as the grant import "
            "does: leave that out, or import with a token that may do more."
        )
        raise PermissionDenied(message, error.status, error.reasons) from None
    except ServerError as error:
        refusal = _refusal(error.reasons)
        if not refusal:
            raise
        explained = error.in_words(f"The material for key '{name}' was refused: {refusal}")
        explained.not_applied = True
        raise explained from None


# What the grant import of a policy lets an import say about a new key.
_GRANTED = ("derived", "type")

_WRAPPED_OTHERWISE = (
    "import.ciphertext was not wrapped with the server's own wrapping key and hash_function. Correct hash_function, or "
    "wrap the material again."
)
_OTHER_TYPE = "it is not a key of this type. Correct type or the material."

# The server's words for material that it cannot use, and what they mean.
_REFUSALS = (
    ("ciphertext is too short", _WRAPPED_OTHERWISE),
    ("illegal base64 data", _WRAPPED_OTHERWISE),
    ("decryption error", _WRAPPED_OTHERWISE),
    ("kwp: ", _WRAPPED_OTHERWISE),
    ("error importing key: invalid", _OTHER_TYPE),
    ("error parsing asymmetric key", _OTHER_TYPE),
    ("does not support public_key import", "a key of this type has no public key. Correct type, or give the key."),
)


def _refusal(reasons: Sequence[str]) -> str:
    """Why the server cannot use the material, empty if it refused something else."""
    return next((said for words, said in _REFUSALS if any(words in reason for reason in reasons)), "")


def complete_material(transit: Transit, name: str, request: ImportRequest) -> bool:
    """Send the private key to a version that exists, and return whether that had the public key alone.

    The server accepts it only then, and only if the two belong together.

    Raises:
        ServerError: the server rejects it for another reason.
    """
    try:
        transit.import_version(name, {**wrapped_material(transit, request), "version": request.facts.version})
    except ServerError as error:
        if error.says("private key imported"):
            return False
        if not error.says("key pair does not match"):
            raise
        version = request.facts.version
        message = (
            f"Version {version} of key '{name}' cannot be completed: its public key belongs to another private key."
        )
        raise error.in_words(message) from None
    return True


def wrapped_material(transit: Transit, request: ImportRequest) -> dict[str, str]:
    """What to send of the material: wrapped, or a public key if nothing else is known."""
    secret, ciphertext = request.material.secret, request.ciphertext
    if not (secret or ciphertext):
        return {"public_key": public_pem(request.material.public)}
    if not ciphertext:
        try:
            ciphertext = wrapped(secret, transit.wrapping_key(), request.hash_function)
        except ValueError:
            raise UnexpectedAnswer(transit.backend + "/wrapping_key", "public_key") from None
    return {"ciphertext": ciphertext, "hash_function": request.hash_function}
