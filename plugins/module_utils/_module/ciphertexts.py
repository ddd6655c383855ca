# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The modules that find and replace ciphertexts on a host, which needs nothing but Python. **Private**."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Mapping, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.files import read, search_from
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.find import find, replace
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._module.files import cannot_write, open_file
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import succeed
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import (
    Spec,
    backend_spec,
    connection_spec,
    fail,
)

# This many ciphertexts at a time keep the memory of a run small, however many files there are.
AT_ONCE = 20000

# The states of a ciphertext in results.
STATES = ("current", "behind", "too old", "foreign", "unknown")


def _search_spec() -> Spec:
    """The options that set where to search."""
    return {
        "paths": {"type": "list", "elements": "str", "required": True},
        "patterns": {"type": "list", "elements": "str", "default": ["*"]},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "max_bytes": {"type": "int", "default": 10 * 1024 * 1024},
    }


def _origin_spec() -> Spec:
    """The options that set whose ciphertexts they are."""
    return {
        **backend_spec(),
        "key": {"type": "str", "no_log": False},
        "contexts": {"type": "list", "elements": "str", "default": []},
        "vars_files": {"type": "list", "elements": "str", "default": []},
        "key_version": {"type": "int", "default": 0, "no_log": False},
    }


def info_spec() -> Spec:
    """The options of ``vault_transit_ciphertext_info``."""
    return {
        **connection_spec(),
        **_search_spec(),
        **_origin_spec(),
        "keys": {
            "type": "list",
            "elements": "dict",
            "no_log": False,
            "options": {"name": {"type": "str", "required": True}, "backend": {"type": "str"}},
        },
        "states": {"type": "list", "elements": "str", "choices": list(STATES)},
        "after": {"type": "str"},
    }


def rewrap_spec() -> Spec:
    """The options of ``vault_transit_rewrap``."""
    return {
        **connection_spec(),
        **_search_spec(),
        **_origin_spec(),
        "limit": {"type": "int"},
        "replacements": {"type": "dict", "default": {}},
        "texts": {"type": "json", "default": "{}"},
    }


def run_search(module: AnsibleModule) -> None:
    """Report the ciphertexts in files, a part of the files at a time."""
    try:
        found = _part(search_from(module.params).files(), module.params["after"] or "")
    except TransitError as error:
        failure = error
    else:
        succeed(module, changed=False, **found)
    fail(module, failure)


def _part(paths: Sequence[str], after: str) -> dict[str, Any]:
    """The ciphertexts in the files after one of them, the number of files seen, and the last file if more are left.

    The ciphertexts are one JSON text: Ansible inspects each value of results and arguments, which would take longer
    than the search itself.
    """
    found: list[dict[str, Any]] = []
    last = ""
    for seen, path in enumerate(paths):
        if path <= after:
            continue
        if len(found) >= AT_ONCE:
            return {"ciphertexts": json.dumps(found), "seen": seen, "files": len(paths), "after": last}
        found += [
            {"path": path, "line": one.line, "name": one.name, "ciphertext": one.text} for one in find(read(path))
        ]
        last = path
    return {"ciphertexts": json.dumps(found), "seen": len(paths), "files": len(paths)}


def run_replacing(module: AnsibleModule) -> None:
    """Replace ciphertexts by others in the files at the option ``paths``. Each file is replaced in one step."""
    replaced: dict[str, int] = {}
    texts: dict[str, str] = json.loads(module.params["texts"])
    for path in module.params["paths"]:
        count = _replaced(module, path, texts, changed=bool(replaced))
        if count:
            replaced[path] = count
    succeed(module, changed=bool(replaced), replaced=replaced)


def _replaced(module: AnsibleModule, path: str, texts: Mapping[str, str], *, changed: bool) -> int:
    """Replace ciphertexts in one file, and return how many there were.

    Args:
        changed: whether the run has changed a file before.
    """
    problem = None
    with contextlib.ExitStack() as opened:
        file = open_file(module, opened, path, changed=changed)
        try:
            content, count = replace(file.read() or b"", texts)
            if count and not module.check_mode:
                file.replace(content)
        except OSError as error:
            problem = error
    if problem is not None:
        cannot_write(module, path, problem, changed=changed)
    return count
