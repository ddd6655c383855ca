# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Put what a server keeps for the holder of a wrapping token into files. **Private** to the collection."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.unwrap import Wrapped, checked_fields
from ansible_collections.mlkeys.transit.plugins.module_utils._module.attributes import attribute_change
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import fail, succeed, worth_masking
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import cannot_write, open_file
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File, NewFile


def run_unwrapping(module: AnsibleModule) -> None:
    """Put what is wrapped into files.

    The token can be used once. So everything that may fail without it is done before: the files are made, still empty.
    """
    places = module.params["files"]
    with contextlib.ExitStack() as opened:
        files = [open_file(module, opened, place["path"]) for place in places] if not module.check_mode else []
        prepared = [_prepared(module, opened, file, place) for file, place in zip(files, places)]
        found, failure = _unwrapped(module, places)
        if failure is not None:
            fail(module, failure)
        for new, file, place in zip(prepared, files, places):
            _place(module, new, file, str(found[place["field"]]))
    succeed(module, changed=True, files=[os.path.realpath(place["path"]) for place in places])


def _prepared(module: AnsibleModule, opened: contextlib.ExitStack, file: File, place: Mapping[str, Any]) -> NewFile:
    """A file that is still empty and has all else that the one at its place should have."""
    given = {name: value for name, value in place.items() if name in ("owner", "group", "mode")}
    attributes = attribute_change(module, file, {**module.params, **given})
    new, problem = NewFile(file.folder), None
    try:
        opened.enter_context(new)
        new.take(file, attributes.asked)
    except OSError as error:
        problem = error
    if problem is not None:
        cannot_write(module, file.path, problem)
    return new


def _place(module: AnsibleModule, new: NewFile, file: File, text: str) -> None:
    problem = None
    try:
        new.write(text.encode("utf-8"))
        new.place(file)
    except OSError as error:
        problem = error
    if problem is not None:
        cannot_write(module, file.path, problem, changed=True)


def _unwrapped(module: AnsibleModule, places: list[dict[str, Any]]) -> tuple[Mapping[str, Any], TransitError | None]:
    """What was wrapped, nothing in check mode; or why there is nothing."""
    found: Mapping[str, Any] = {}
    try:
        connection = settings_from({**module.params, "auth_method": "none"}, os.environ).connection
        wrapped = Wrapped(connection, module.params["wrapping_token"])
        _check_origin(wrapped.creation_path(), module.params["creation_path"] or "")
        if not module.check_mode:
            found = wrapped.unwrap()
            module.no_log_values.update(worth_masking(value for value in found.values() if isinstance(value, str)))
            checked_fields(places, found)
    except TransitError as error:
        return {}, error
    return found, None


def _check_origin(made_at: str, expected: str) -> None:
    if expected.strip("/") not in ("", made_at):
        raise InvalidOption(
            f"The wrapping token holds an answer to '{made_at}', not to '{expected.strip('/')}'. Somebody may have put "
            "it in the place of the right one. It was not used."
        )
