# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Keep the API keys of ML services encrypted with the Transit engine of OpenBao or HashiCorp Vault.

A program of constructs becomes an Ansible project, Terraform configurations and policies::

    from mlkeys import Secret, export
    from mlkeys import transit as vault

    engine = vault.TransitSecretBackend(
        "transit", path="transit"
    )
    key = vault.TransitSecretBackendKey(
        "ml-api-key",
        backend=engine.path,
        name="ml-api-key",
    )
    value = Secret.env("ML_API_KEY")
    export("ciphertext", key.encrypt(value))

Run `mlkeys synth PROGRAM` to write the files.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlkeys._constructs.encrypted_vars import EncryptedVars
    from mlkeys._constructs.host_config import Agent, HostConfig
    from mlkeys._constructs.inventory import Group, Inventory, Template
    from mlkeys._constructs.output import Output, export
    from mlkeys._constructs.raw import AnsibleTask, TerraformBlock
    from mlkeys._errors import AppInvalid, MlkeysError, Problem
    from mlkeys._model.annotations import Annotations
    from mlkeys._model.duration import Duration
    from mlkeys._model.reference import Reference
    from mlkeys._model.secret import Secret
    from mlkeys._model.stack import Stack
    from mlkeys._model.tree import Aspect, Construct
    from mlkeys.app import App

# The module of each name. It is imported when the name is used: who only uses secrets needs none of them.
_PLACES = {
    "Agent": "mlkeys._constructs.host_config",
    "Annotations": "mlkeys._model.annotations",
    "AnsibleTask": "mlkeys._constructs.raw",
    "App": "mlkeys.app",
    "AppInvalid": "mlkeys._errors",
    "Aspect": "mlkeys._model.tree",
    "Construct": "mlkeys._model.tree",
    "Duration": "mlkeys._model.duration",
    "EncryptedVars": "mlkeys._constructs.encrypted_vars",
    "Group": "mlkeys._constructs.inventory",
    "HostConfig": "mlkeys._constructs.host_config",
    "Inventory": "mlkeys._constructs.inventory",
    "MlkeysError": "mlkeys._errors",
    "Output": "mlkeys._constructs.output",
    "Problem": "mlkeys._errors",
    "Reference": "mlkeys._model.reference",
    "Secret": "mlkeys._model.secret",
    "Stack": "mlkeys._model.stack",
    "Template": "mlkeys._constructs.inventory",
    "TerraformBlock": "mlkeys._constructs.raw",
    "export": "mlkeys._constructs.output",
}

__all__ = [
    "Agent",
    "Annotations",
    "AnsibleTask",
    "App",
    "AppInvalid",
    "Aspect",
    "Construct",
    "Duration",
    "EncryptedVars",
    "Group",
    "HostConfig",
    "Inventory",
    "MlkeysError",
    "Output",
    "Problem",
    "Reference",
    "Secret",
    "Stack",
    "Template",
    "TerraformBlock",
    "export",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
