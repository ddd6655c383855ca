# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The edge of the modules that take and restore backups. **Private** to the collection."""

from __future__ import annotations

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import env_fallback
from ansible_collections.mlkeys.transit.plugins.module_utils._backup.reconcile import (
    reconcile_backup,
    reconcile_restore,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._backup.requests import backup_request, restore_request
from ansible_collections.mlkeys.transit.plugins.module_utils._backup.sealing import misplaced_secrets
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import FileError
from ansible_collections.mlkeys.transit.plugins.module_utils._module.files import run_on_file
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import ending
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec, run
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import open_file, text_of


def _gpg_spec() -> Spec:
    return {
        "gpg_binary": {"type": "str", "default": "gpg"},
        "gpg_home": {"type": "path"},
    }


def backup_spec() -> Spec:
    """The options of ``vault_transit_backup``."""
    return {
        **connection_spec(),
        **backend_spec(),
        **_gpg_spec(),
        "name": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "recipients": {"type": "list", "elements": "str", "required": True},
        "force": {"type": "bool", "default": False},
    }


def restore_spec() -> Spec:
    """The options of ``vault_transit_restore``."""
    return {
        **connection_spec(),
        **backend_spec(),
        **_gpg_spec(),
        "name": {"type": "str"},
        "path": {"type": "path", "required": True},
        "age_identity": {"type": "str", "no_log": True, "fallback": (env_fallback, ["MLKEYS_AGE_IDENTITY"])},
        "age_identity_file": {"type": "path", "fallback": (env_fallback, ["MLKEYS_AGE_IDENTITY_FILE"])},
        "gpg_passphrase": {"type": "str", "no_log": True, "fallback": (env_fallback, ["MLKEYS_GPG_PASSPHRASE"])},
        "force": {"type": "bool", "default": False},
        "destroy_versions": {"type": "bool", "default": False},
    }


def run_backup(module: AnsibleModule) -> None:
    """Bring the file at the option ``path`` in step with the key."""
    # A private key that was given as a recipient by mistake must not show in the invocation.
    module.no_log_values.update(misplaced_secrets(module.params["recipients"]))
    run_on_file(module, backup_request, reconcile_backup)


@ending
def run_restore(module: AnsibleModule) -> None:
    """Make a key out of the file at the option ``path``."""
    with contextlib.ExitStack() as opened:
        file = open_file(module, opened, module.params["path"])
        text = text_of(file)
    if text is None:
        raise FileError(f"The file {file.path} does not exist.")
    run(module, lambda client, options, context: reconcile_restore(client, restore_request(options, text), context))
