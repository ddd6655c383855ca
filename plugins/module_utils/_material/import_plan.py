# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Whether key material has to be imported, or is there already. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._material.material import public_der
from ansible_collections.mlkeys.transit.plugins.module_utils._run.plan import fixed

# What the importing call accepts of a key's attributes. The others can be set afterwards, or not at all.
AT_IMPORT = ("type", "derived", "exportable", "allow_plaintext_backup", "auto_rotate_period")


@dataclass(frozen=True)
class Imported:
    """What is known about key material.

    Attributes:
        version: which version of the key it is or becomes.
        allow_rotation: whether the server may rotate the key, ``None`` for either.
        public: of a key pair, the public key in DER.
        missing: whether there is none, which suffices for a version that exists.
        secret: whether there is more than a public key.
        complete: whether to send the private key to a version that may have the public key alone.
        origin: what the material comes from, in words.
        option: which option it is given in.
    """

    version: int = 1
    allow_rotation: bool | None = None
    public: bytes = b""
    missing: bool = False
    secret: bool = False
    complete: bool = False
    origin: str = ""
    option: str = "content"


# What is known of the secret part of a version: no server shows whether it has the private key of a pair.
PRESENT, ABSENT, UNKNOWN = "present", "absent", "unknown"


@dataclass(frozen=True)
class ImportPlan:
    """
    Attributes:
        needed: whether the material has to be imported.
        compared: whether the key's material is known to be this one, of a key pair its public key.
        private: what is then known of the secret part: `PRESENT`, `ABSENT` or `UNKNOWN`.
        completes: whether to send the private key to the version that exists, which shows whether it was missing.
        completed: whether it was.
    """

    needed: bool
    compared: bool
    private: str = UNKNOWN
    completes: bool = False
    completed: bool = False
    reasons: tuple[str, ...] = ()


def plan_import(
    imported: Imported,
    asked: Mapping[str, Any],
    actual: Mapping[str, Any] | None,
) -> ImportPlan:
    """Whether to import the material, or why that is impossible.

    Args:
        asked: the attributes that are wanted of the key.
        actual: the key as the server shows it, ``None`` when it does not exist.
    """
    sent = PRESENT if imported.secret else ABSENT
    if actual is None:
        reasons = [*_new_problems(imported, asked), *_missing(imported)]
        return ImportPlan(needed=True, compared=True, private=sent, reasons=tuple(reasons))
    reasons, published = _rotation_problems(imported, actual), published_keys(actual)
    latest = actual["latest_version"]
    if imported.version <= latest:
        known = imported.public and published.get(imported.version)
        if not actual.get("imported_key") and (latest == 1 or not known):
            reasons += _origin_problems(imported, latest)
        elif known and known != imported.public:
            # The server takes further versions of a key as long as the latest one is an imported one.
            further = f"to add this one as a version, set import.version: {latest + 1}"
            advice = further if actual.get("imported_key") else "import this one under another name"
            reasons.append(f"version {imported.version} has another public key than the material; {advice}")
        if imported.complete and not actual.get("imported_key"):
            reasons.append("import.complete: the server has rotated the key since, and takes no private key any more")
        completes = bool(known) and imported.complete and imported.secret
        return ImportPlan(needed=False, compared=bool(known), completes=completes, reasons=tuple(reasons))
    reasons += _missing(imported)
    if imported.version > latest + 1:
        reasons.append(f"import.version cannot be {imported.version}: the latest version is {latest}")
    elif not actual.get("imported_key"):
        reasons.append(
            "the server made its latest version, and takes no further material then; import under another name"
        )
    elif imported.public and published.get(latest) == imported.public:
        reasons.append(f"version {latest} already has this material, so it cannot become version {imported.version}")
    return ImportPlan(needed=True, compared=True, private=sent, reasons=tuple(reasons))


def _origin_problems(imported: Imported, latest: int) -> list[str]:
    """Why a version that cannot be compared may not be an imported one, of a key whose latest one is not."""
    if latest == 1:
        return ["the server made its material, so it was not imported; import under another name"]
    if imported.allow_rotation:
        return []
    reason = "the server made its latest version, and does not show whether the others were imported"
    return [f"{reason}; if they were, set import.allow_rotation: true, without which it would not have rotated the key"]


def _missing(imported: Imported) -> list[str]:
    if not imported.missing:
        return []
    origin = f" ({imported.origin})" if imported.origin else ""
    return [f"import.{imported.option}{origin} is empty, and version {imported.version} does not exist"]


def _new_problems(imported: Imported, asked: Mapping[str, Any]) -> list[str]:
    problems = []
    if imported.version > 1:
        problems.append(f"it does not exist, so the first material must have import.version: 1, not {imported.version}")
    if asked.get("auto_rotate_period") and not imported.allow_rotation:
        problems.append("auto_rotate_period needs import.allow_rotation: true")
    if asked.get("convergent_encryption"):
        problems.append("a key with convergent_encryption cannot be imported")
    if asked.get("derived") and asked.get("type") == "ed25519":
        problems.append("a derived key of type ed25519 cannot be imported: the server cannot use it")
    problems += [
        f"{name} is not for an imported key"
        for name in (*_NOT_FOR_IMPORT, *(("key_size",) if asked.get("type") != "hmac" else ()))
        if asked.get(name)
    ]
    return problems


_NOT_FOR_IMPORT = (
    "external_key_ref",
    "managed_key_name",
    "managed_key_id",
    "parameter_set",
    "hybrid_key_type_pqc",
    "hybrid_key_type_ec",
)


def published_keys(actual: Mapping[str, Any]) -> dict[int, bytes]:
    """The public keys of a key's versions in DER, as far as the server shows them."""
    versions = actual.get("keys") or {}
    texts = {int(version): one.get("public_key") for version, one in versions.items() if isinstance(one, dict)}
    found = {version: public_der(text) for version, text in texts.items() if isinstance(text, str)}
    return {version: der for version, der in found.items() if der}


def never_rotated(actual: Mapping[str, Any]) -> bool:
    """Whether the server refuses to rotate the key."""
    return bool(actual.get("imported_key")) and not actual.get("imported_key_allow_rotation")


def _rotation_problems(imported: Imported, actual: Mapping[str, Any]) -> list[str]:
    # Shown only as long as the latest version is an imported one.
    before = actual.get("imported_key_allow_rotation") if actual.get("imported_key") else None
    if before is None or imported.allow_rotation is None or imported.allow_rotation == before:
        return []
    return [fixed("import.allow_rotation", before, imported.allow_rotation)]
