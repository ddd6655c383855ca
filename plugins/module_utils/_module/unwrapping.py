# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Put what a server keeps for the holder of a wrapping token into files. **Private** to the collection."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.unwrap import Wrapped, checked_fields
from ansible_collections.mlkeys.transit.plugins.module_utils._module.attributes import attribute_change
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import ending, succeed, worth_masking
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import open_file, write_error
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File, NewFile


@ending
def run_unwrapping(module: AnsibleModule) -> None:
    """Put what is wrapped into files.

    The token can be used once. So everything that may fail without it is done before: the files are made, still empty.
    """
    places = module.params["files"]
    with contextlib.ExitStack() as opened:
        files = [open_file(module, opened, place["path"]) for place in places] if not module.check_mode else []
        prepared = [_prepared(module, opened, file, place) for file, place in zip(files, places)]
        found = _unwrapped(module, places)
        for new, file, place in zip(prepared, files, places):
            _place(new, file, str(found[place["field"]]))
    succeed(module, changed=True, files=[os.path.realpath(place["path"]) for place in places])


def _prepared(module: AnsibleModule, opened: contextlib.ExitStack, file: File, place: Mapping[str, Any]) -> NewFile:
    """A file that is still empty and has all else that the one at its place should have."""
    given = {name: value for name, value in place.items() if name in ("owner", "group", "mode")}
    attributes = attribute_change(module, file, {**module.params, **given})
    new = NewFile(file.folder)
    try:
        opened.enter_context(new)
        new.take(file, attributes.asked)
    except OSError as error:
        raise write_error(file.path, error) from None
    return new


def _place(new: NewFile, file: File, text: str) -> None:
    try:
        new.write(text.encode("utf-8"))
        new.place(file)
    except OSError as error:
        raise write_error(file.path, error, changed=True) from None


def _unwrapped(module: AnsibleModule, places: list[dict[str, Any]]) -> Mapping[str, Any]:
    """What was wrapped, nothing in check mode."""
    connection = settings_from({**module.params, "auth_method": "none"}, os.environ).connection
    wrapped = Wrapped(connection, module.params["wrapping_token"])
    _check_origin(wrapped.creation_path(), module.params["creation_path"] or "")
    if module.check_mode:
        return {}
    found = wrapped.unwrap()
    module.no_log_values.update(worth_masking(value for value in found.values() if isinstance(value, str)))
    checked_fields(places, found)
    return found


def _check_origin(made_at: str, expected: str) -> None:
    if expected.strip("/") not in ("", made_at):
        raise InvalidOption(
            f"The wrapping token holds an answer to '{made_at}', not to '{expected.strip('/')}'. Somebody may have put "
            "it in the place of the right one. It was not used."
        )
