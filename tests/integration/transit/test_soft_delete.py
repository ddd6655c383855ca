# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys are soft-deleted and restored, and what lasts forever is warned of, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.support.runs import Ledger, converge, refused, run, unchanged
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

MODULE = "vault_transit_key"


def encrypts(bao: Bao, mount: str) -> bool:
    return bao.request("POST", f"{mount}/encrypt/ml", {"plaintext": "YQ=="})[0] == 200


def test_a_key_is_soft_deleted_and_restored(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})
    deleted = converge(bao, MODULE, name="ml", backend=mount, soft_deleted=True)
    assert deleted["diff"] == {
        "before": {**deleted["key"], "soft_deleted": False},
        "after": {**deleted["key"], "soft_deleted": True},
    }
    assert deleted.warnings == []
    assert not encrypts(bao, mount)
    assert "is soft-deleted" in unchanged(bao, MODULE, name="ml", backend=mount).warnings[0]

    restored = converge(bao, MODULE, name="ml", backend=mount, soft_deleted=False)
    assert restored["key"]["soft_deleted"] is False
    assert encrypts(bao, mount)
    unchanged(bao, MODULE, name="ml", backend=mount)


def test_other_changes_come_between(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})
    options = {"name": "ml", "backend": mount, "rotate_older_than": "0"}
    converge(bao, MODULE, repeatable=False, **options, soft_deleted=True)
    assert "it is soft-deleted, and gets no version until it is restored" in refused(bao, MODULE, **options)
    again = converge(bao, MODULE, repeatable=False, **options, soft_deleted=False, deletion_allowed=True)
    assert again["key"]["latest_version"] == 3
    assert encrypts(bao, mount)
    # A soft-deleted key can be configured, and deleted for good.
    converge(bao, MODULE, name="ml", backend=mount, soft_deleted=True)
    converge(bao, MODULE, name="ml", backend=mount, deletion_allowed=False)
    assert converge(bao, MODULE, name="ml", backend=mount, state="absent", force=True)["key"] is None


def test_a_new_key_may_be_soft_deleted(bao: Bao, mount: str) -> None:
    assert converge(bao, MODULE, name="ml", backend=mount, soft_deleted=True)["key"]["soft_deleted"] is True
    assert not encrypts(bao, mount)
    assert converge(bao, MODULE, name="other", backend=mount, soft_deleted=False)["key"]["soft_deleted"] is False


def test_soft_deletion_needs_no_other_right(bao: Bao, mount: str, mint_token: Callable[[str], str]) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})
    token = mint_token(
        f'path "{mount}/keys/ml" {{ capabilities = ["read"] }}\n'
        f'path "{mount}/keys/ml/soft-delete" {{ capabilities = ["delete"] }}\n'
        f'path "{mount}/keys/ml/soft-delete-restore" {{ capabilities = ["update"] }}\n'
    )
    for soft_deleted in (True, False):
        converge(bao, MODULE, name="ml", backend=mount, token=token, soft_deleted=soft_deleted)


@pytest.mark.parametrize("attribute", ["exportable", "allow_plaintext_backup"])
def test_what_cannot_be_undone_is_warned_of_once(bao: Bao, mount: str, attribute: str) -> None:
    for name in ("new", "existing"):
        if name == "existing":
            bao.done("POST", f"{mount}/keys/{name}", {})
        options: dict[str, Any] = {"name": name, "backend": mount, attribute: True}
        predicted = run(bao, MODULE, check=True, **options)
        done = run(bao, MODULE, **options)
        assert f"Key '{name}': {attribute} is turned on, which cannot be undone" in done.warnings[0]
        assert predicted.warnings == done.warnings
        assert run(bao, MODULE, **options).warnings == []


def test_only_a_key_that_is_elsewhere_has_a_place(bao: Bao, mount: str) -> None:
    bao.done("POST", f"{mount}/keys/ml", {})
    ledger = Ledger(bao)
    result = run(bao, MODULE, name="ml", backend=mount, rotate_older_than="0", external_key_ref="config:key")
    assert "external_key_ref is for keys of type external-key, not aes256-gcm96. Nothing was changed." in result.msg
    assert ledger.writes == []
