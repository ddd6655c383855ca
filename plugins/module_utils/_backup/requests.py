# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What a task wants to be backed up or restored. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._backup.sealing import (
    Keyring,
    Recipients,
    keyring_from,
    recipients_from,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_name


@dataclass(frozen=True)
class BackupRequest:
    """A key, and the file that should hold its backup.

    Attributes:
        path: of the file, for messages.
        text: the file's present text, empty if there is no file.
    """

    name: str
    backend: str
    path: str
    text: str
    recipients: Recipients
    force: bool = False


@dataclass(frozen=True)
class RestoreRequest:
    """A backup, and the key to restore from it.

    Attributes:
        name: of the key, empty for the one in the backup.
        path: of the file, for messages.
        keyring: what opens the backup.
    """

    name: str
    backend: str
    path: str
    text: str
    keyring: Keyring = field(repr=False)
    force: bool = False
    destroy_versions: bool = False


def backup_request(options: Mapping[str, Any], text: str) -> BackupRequest:
    """The request that the options of ``vault_transit_backup`` make.

    Raises:
        InvalidOption: an option is invalid.
    """
    return BackupRequest(
        checked_name(options["name"]),
        options["backend"],
        options["path"],
        text,
        recipients_from(options["recipients"], keyring_from(options)),
        bool(options["force"]),
    )


def restore_request(options: Mapping[str, Any], text: str) -> RestoreRequest:
    """The request that the options of ``vault_transit_restore`` make."""
    return RestoreRequest(
        options["name"] or "",
        options["backend"],
        options["path"],
        text,
        keyring_from(options),
        bool(options["force"]),
        bool(options["destroy_versions"]),
    )
