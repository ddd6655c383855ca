# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Variables of a project for the playbooks `mlkeys.transit.rotate` and `mlkeys.transit.status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlkeys._constructs.backend import TransitSecretBackend
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.encryption import Encrypted
from mlkeys._constructs.host_config import Agent, HostConfig
from mlkeys._constructs.inventory import Template
from mlkeys._constructs.output import Output
from mlkeys._model.element import Element
from mlkeys._targets.ansible import services
from mlkeys._targets.ansible.hosts import HostFile
from mlkeys._targets.ansible.jinja import in_file
from mlkeys._targets.ansible.values import Values
from mlkeys._targets.state_names import FLOORS_FILE

#: Beside the inventory: variables beside a playbook apply to that playbook alone.
FILE = "inventory/group_vars/all/rotation.yml"
#: Ciphertexts among the outputs are rewrapped as well.
OUTPUTS = "inventory/host_vars/localhost/rotation.yml"


def variables(
    elements: Iterable[Element],
    values: Values,
    vars_files: Mapping[Element, str],
    host_files: Mapping[HostConfig, Iterable[HostFile]],
) -> dict[str, Any]:
    """Return engines, encrypted vars files and places of ciphertexts on hosts; empty without encrypted vars files."""
    encrypted = [element for element in elements if isinstance(element, EncryptedVars)]
    if not encrypted:
        return {}
    paths: dict[str, dict[Any, None]] = {}
    served: dict[str, dict[str, None]] = {}
    for config, files in host_files.items():
        if config.delivery == "plaintext":
            continue
        for group in config.hosts:
            dests = (file.dest if isinstance(file.dest, Template) else values.text(file.dest) for file in files)
            paths.setdefault(group.name, {}).update(dict.fromkeys(dests))
            if isinstance(config.content, Agent):
                # All of it, so that the folders of other programs on the same host need not be searched.
                paths[group.name][f"{services.FOLDER}/{services.name_of(config)}"] = None
                served.setdefault(group.name, {})[services.name_of(config)] = None
    # One file for each key.
    by_file = {vars_files[element]: element for element in encrypted}
    found: dict[str, Any] = {
        "vault_transit_backends": [{"path": path} for path in _backends(elements, encrypted, values)],
        "vault_transit_vars_files": [
            {
                "path": _beside(file),
                "key": values.plain(element.key.name),
                "backend": values.plain(element.key.backend),
            }
            for file, element in by_file.items()
        ],
        "vault_transit_rotate_floors_file": _beside(values.state(FLOORS_FILE)),
    }
    if paths:
        found["vault_transit_paths_of_groups"] = {name: list(known) for name, known in paths.items()}
        found["vault_transit_host_paths"] = _of_groups("vault_transit_paths_of_groups")
    if served:
        # Their files belong to root.
        names = {name: [{"name": service} for service in known] for name, known in served.items()}
        found["vault_transit_services_of_groups"] = names
        found["vault_transit_host_services"] = _of_groups("vault_transit_services_of_groups")
    return found


def _of_groups(variable: str) -> Template:
    """Return what a variable has for the groups of a host."""
    chosen = f"group_names | select('in', {variable})"
    return Template(f"{{{{ {chosen} | map('extract', {variable}) | flatten | unique }}}}")


def _beside(file: str) -> Template:
    """Return the path of a file of the project, from the inventory."""
    return Template(f"{{{{ inventory_dir }}}}/../{in_file(file)}")


def _backends(elements: Iterable[Element], encrypted: Iterable[EncryptedVars], values: Values) -> list[Any]:
    named = [element.values["path"] for element in elements if isinstance(element, TransitSecretBackend)]
    used = [element.key.backend for element in encrypted]
    return list(dict.fromkeys(str(values.plain(path)) for path in (*named, *used)))


def outputs_variables(values: Values, outputs: Iterable[Output], file: str) -> dict[str, Any]:
    """Return where the controller holds ciphertexts beside the encrypted vars files; empty when it holds none."""
    pointed = (
        pointer.element for output in outputs for _, text in output.texts() for pointer in values.view.pointers(text)
    )
    if not any(isinstance(element, Encrypted) for element in pointed):
        return {}
    # It is output, which may have been deleted since.
    return {"vault_transit_host_paths": Template(f"{{{{ [inventory_dir ~ '/../{file}'] | select('file') | list }}}}")}
