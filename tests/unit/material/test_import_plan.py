# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When material has to be imported, and when that is impossible."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._material.import_plan import (
    ABSENT,
    PRESENT,
    UNKNOWN,
    Imported,
    ImportPlan,
    never_rotated,
    plan_import,
)

# The server shows keys of type ed25519 without their frame.
FRAME = bytes.fromhex("302a300506032b6570032100")
A, B = FRAME + b"a" * 32, FRAME + b"b" * 32


def with_public(actual: dict[str, Any] | None, published: dict[int, bytes]) -> dict[str, Any] | None:
    """The key as a server shows it, with these public keys."""
    shown = {version: base64.b64encode(der[len(FRAME) :]).decode("ascii") for version, der in published.items()}
    keys = {str(version): {"public_key": text} for version, text in shown.items()}
    return None if actual is None else {**actual, "keys": keys}


def key(latest: int = 1, *, imported: bool = True, rotates: bool | None = False) -> dict[str, Any]:
    rotation = {"imported_key_allow_rotation": rotates} if imported else {}
    return {"name": "own", "latest_version": latest, "imported_key": imported, **rotation}


@pytest.mark.parametrize(
    ("imported", "actual", "published", "plan"),
    [
        # A key that does not exist.
        (Imported(), None, {}, ImportPlan(needed=True, compared=True, private=ABSENT)),
        (Imported(secret=True), None, {}, ImportPlan(needed=True, compared=True, private=PRESENT)),
        (Imported(public=A), None, {}, ImportPlan(needed=True, compared=True, private=ABSENT)),
        # A version that exists.
        (Imported(public=A), key(), {1: A}, ImportPlan(needed=False, compared=True)),
        (Imported(), key(), {}, ImportPlan(needed=False, compared=False)),
        (Imported(public=A), key(), {}, ImportPlan(needed=False, compared=False)),
        (Imported(public=A), key(3), {3: B}, ImportPlan(needed=False, compared=False)),
        (Imported(missing=True), key(), {1: A}, ImportPlan(needed=False, compared=False)),
        # No server shows a private key. To send it is the only way to learn whether it is there.
        (Imported(public=A, secret=True), key(), {1: A}, ImportPlan(needed=False, compared=True, private=UNKNOWN)),
        (
            Imported(public=A, secret=True, complete=True),
            key(),
            {1: A},
            ImportPlan(needed=False, compared=True, completes=True),
        ),
        (Imported(public=A, complete=True), key(), {1: A}, ImportPlan(needed=False, compared=True)),
        (Imported(secret=True, complete=True), key(), {}, ImportPlan(needed=False, compared=False)),
        # After a rotation the server no longer says that versions were imported.
        (Imported(public=A), key(2, imported=False), {1: A, 2: B}, ImportPlan(needed=False, compared=True)),
        (Imported(allow_rotation=True), key(2, imported=False), {}, ImportPlan(needed=False, compared=False)),
        # The next version.
        (
            Imported(version=2, public=B, secret=True),
            key(),
            {1: A},
            ImportPlan(needed=True, compared=True, private=PRESENT),
        ),
        (Imported(version=3), key(2), {}, ImportPlan(needed=True, compared=True, private=ABSENT)),
        (Imported(version=2, allow_rotation=False), key(), {}, ImportPlan(needed=True, compared=True, private=ABSENT)),
    ],
)
def test_material_is_imported_where_its_version_is_missing(
    imported: Imported, actual: dict[str, Any] | None, published: dict[int, bytes], plan: ImportPlan
) -> None:
    assert plan_import(imported, {"type": "ed25519"}, with_public(actual, published)) == plan


@pytest.mark.parametrize(
    ("imported", "actual", "published", "reason"),
    [
        (Imported(version=2), None, {}, "it does not exist, so the first material must have import.version: 1, not 2"),
        (Imported(public=B), key(), {1: A}, "version 1 has another public key than the material"),
        (Imported(public=A), key(2), {1: B, 2: A}, "set import.version: 3"),
        (Imported(), key(imported=False), {}, "the server made its material, so it was not imported"),
        (Imported(public=B), key(imported=False), {1: A}, "the server made its material, so it was not imported"),
        (Imported(public=B), key(2, imported=False), {1: A}, "than the material; import this one under another name"),
        (
            Imported(public=A, secret=True, complete=True),
            key(2, imported=False),
            {1: A, 2: B},
            "import.complete: the server",
        ),
        # With a rotation allowed, it may have been imported, and else not.
        (Imported(), key(2, imported=False), {}, "does not show whether the others were imported; if they were, set"),
        (Imported(missing=True), key(3, imported=False), {}, "does not show whether the others were imported"),
        (Imported(version=2), key(imported=False), {}, "the server made its latest version"),
        (Imported(missing=True), None, {}, "import.content is empty, and version 1 does not exist"),
        (Imported(version=2, missing=True), key(), {1: A}, "import.content is empty, and version 2 does not"),
        (Imported(missing=True, origin="a.pem"), None, {}, "import.content (a.pem) is empty, and version 1 does not"),
        (Imported(version=4), key(2), {}, "import.version cannot be 4: the latest version is 2"),
        (Imported(version=2, public=A), key(), {1: A}, "version 1 already has this material"),
        (Imported(allow_rotation=True), key(), {}, "import.allow_rotation is false and cannot become true"),
        (Imported(allow_rotation=False), key(rotates=True), {}, "import.allow_rotation is true and cannot become"),
    ],
)
def test_what_is_impossible_has_a_reason(
    imported: Imported, actual: dict[str, Any] | None, published: dict[int, bytes], reason: str
) -> None:
    reasons = plan_import(imported, {"type": "ed25519"}, with_public(actual, published)).reasons
    assert [reason in text for text in reasons] == [True]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"type": "hmac", "key_size": 32}, 0),
        ({"type": "aes256-gcm96", "key_size": 32}, 1),
        ({"type": "aes256-gcm96", "convergent_encryption": True, "auto_rotate_period": 7200}, 2),
        ({"type": "ed25519", "derived": True}, 1),
        ({"type": "aes256-gcm96", "derived": True}, 0),
        ({"type": "managed_key", "managed_key_name": "hsm", "managed_key_id": "1"}, 2),
        ({"type": "external-key", "external_key_ref": "a:b"}, 1),
        ({"type": "hybrid", "parameter_set": "44", "hybrid_key_type_pqc": "a", "hybrid_key_type_ec": "b"}, 3),
    ],
)
def test_attributes_that_an_import_cannot_have_are_refused(asked: dict[str, Any], count: int) -> None:
    assert len(plan_import(Imported(), asked, None).reasons) == count


def test_a_server_rotates_only_keys_that_it_may() -> None:
    assert never_rotated(key())
    assert not never_rotated(key(rotates=True))
    assert not never_rotated(key(imported=False))
    assert not never_rotated({"name": "made"})
