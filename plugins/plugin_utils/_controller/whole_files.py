# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decrypt what an encrypted vars file holds, all of it or nothing. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Callable, List, Sequence, Union

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    ServerError,
    ServerUnreachable,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.suggestions import did_you_mean
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    Entry,
    VarsFile,
    assembled,
    plain_names_problem,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import chosen
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.sealed import Sealed, sealed
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import TypeUnknown, decoded
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import as_no_template

#: Decrypts entries of one key: for each its plaintext, or as text the reason why there is none.
Decrypt = Callable[[Sequence[Sealed]], List[Union[bytes, str]]]


def values_of(
    file: VarsFile, decrypt: Decrypt, names: Sequence[str], mark: Callable[[Any], Any] = as_no_template
) -> dict[str, Any]:
    """The secrets of a file by name.

    Args:
        decrypt: decrypts entries of one key.
        names: the secrets to decrypt, or data around them; all of them if there is none.
        mark: marks a value, by default so that no text is a template.

    Raises:
        InvalidOption: the file has no such secret, or values that are not encrypted.
        TransitError: a secret does not decrypt.
    """
    if file.plain:
        raise InvalidOption(plain_names_problem(file.plain, file.path))
    leaves = chosen(names or file.entries, [*file.entries, *file.open])
    missing = [name for name, paths in leaves.items() if not paths or paths[0] not in {**file.entries, **file.open}]
    if missing:
        hint = did_you_mean(missing[0], file.entries)
        raise InvalidOption(f"{file.path} has no secret {', '.join(missing)}.{hint}")
    wanted = [path for paths in leaves.values() for path in paths]
    others = file.open if not names else {path: file.open[path] for path in wanted if path in file.open}
    values = {path: mark(value) for path, value in others.items()}
    entries = [file.entries[path] for path in dict.fromkeys(wanted) if path in file.entries]
    if entries:
        try:
            results = decrypt(sealed(file.backend, file.key, entries))
        except (ServerError, ServerUnreachable) as error:
            raise error.about(file.path) from None
        found = {entry.name: value_of(file.path, entry, result) for entry, result in zip(entries, results)}
        values.update({path: mark(value) for path, value in found.items()})
    return assembled(file, values)


def value_of(path: str, entry: Entry, result: bytes | str) -> Any:
    """The value of an entry, from what a request that decrypts many returned for it.

    Raises:
        ServerError: the entry did not decrypt.
        InvalidOption: it is not what its file says, text or JSON, or the file does not say it.
    """
    if isinstance(result, str):
        raise ServerError(f"{path}: {entry.name}: {result.rstrip('.')}.")
    try:
        return decoded(entry.opened(result))
    except TypeUnknown as error:
        raise InvalidOption(f"{path}: {entry.name}: {error.why}.") from None
    except ValueError:
        raise InvalidOption(f"{path}: {entry.name} is not {'JSON' if entry.is_json else 'text'}.") from None
