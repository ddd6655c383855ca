# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decrypt what an encrypted vars file holds, all of it or nothing. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, ServerError
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import did_you_mean
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.api import Transit
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import VarsFile, plain_names_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import stored_item
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import Connect


def values_of(file: VarsFile, connect: Connect, names: Sequence[str]) -> dict[str, Any]:
    """The secrets of a file by name, none of which is a template.

    Args:
        names: the secrets to decrypt; all of them if there is none.

    Raises:
        InvalidOption: the file has no such secret, or values that are not encrypted.
        TransitError: a secret does not decrypt.
    """
    if file.plain:
        raise InvalidOption(plain_names_problem(file.plain, file.path))
    missing = [name for name in names if name not in file.entries]
    if missing:
        hint = did_you_mean(missing[0], file.entries)
        raise InvalidOption(f"{file.path} has no secret {', '.join(missing)}.{hint}")
    entries = [file.entries[name] for name in names or file.entries]
    if not entries:
        return {}
    results = Transit(connect(), file.backend).decrypt_each(file.key, [stored_item(entry) for entry in entries])
    values: dict[str, Any] = {}
    for entry, result in zip(entries, results):
        if isinstance(result, str):
            raise ServerError(f"{file.path}: {entry.name}: {result}.")
        try:
            values[entry.name] = marked(result.decode("utf-8"), template=False)
        except UnicodeDecodeError:
            raise InvalidOption(f"{file.path}: {entry.name} is not text.") from None
    return values
