# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The edge of the module that exports the secret material of keys. **Private** to the collection."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.files import run_on_file
from ansible_collections.mlkeys.transit.plugins.module_utils._module.options import Spec, connection_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import backend_spec
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.exporting import (
    FORMATS,
    PURPOSES,
    UNDERSTOOD,
    export_request,
    reconcile_export,
)


def export_spec() -> Spec:
    """The options of ``vault_transit_key_export``."""
    return {
        **connection_spec(),
        **backend_spec(),
        "name": {"type": "str", "required": True},
        "key_type": {"type": "str", "required": True, "choices": list(PURPOSES), "no_log": False},
        "version": {"type": "int", "default": 0},
        "format": {"type": "str", "choices": list(FORMATS)},
        "path": {"type": "path", "required": True},
        "i_understand": {"type": "str", "required": True, "choices": [UNDERSTOOD]},
    }


def run_export(module: AnsibleModule) -> None:
    """Bring the file at the option ``path`` in step with the key."""
    # Whatever was there before: the text that replaces it is a secret.
    module.params["mode"] = module.params["mode"] if module.params["mode"] is not None else "0600"
    run_on_file(module, export_request, reconcile_export)
