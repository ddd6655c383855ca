# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Modules that write files: each is replaced in one step, with its owner, mode and SELinux context.

**Private** to the collection.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._module import Reconcile, fail, one_diff, outcome_of, run
from ansible_collections.mlkeys.transit.plugins.module_utils._settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._unwrap import Wrapped, checked_fields


def run_on_file(module: AnsibleModule, reconcile: Reconcile) -> None:
    """Carry out ``reconcile`` for a text file at the option ``path``, whose text it gets as ``text``.

    Without a path it is a run like any other. The file is replaced in one step, when everything else is done, and keeps
    its owner, mode and SELinux context or gets the ones that are asked for.
    """
    if not module.params["path"]:
        run(module, reconcile)
    # A link stays a link; what it points to is replaced.
    path = os.path.realpath(module.params["path"])
    text = _read(module, path)
    outcome = outcome_of(module, reconcile, {**module.params, "text": text or ""})
    diff = one_diff(outcome)
    changed = outcome.changed
    attributes = module.load_file_common_arguments({**module.params, "path": path})
    if outcome.text is not None:
        _replace(module, path, outcome.text)
    if text is not None:
        changed = module.set_fs_attributes_if_different(attributes, changed, diff)
    elif outcome.text is not None:
        # A new file's attributes are no difference to show, and check mode has none to compare.
        module.set_fs_attributes_if_different(attributes, changed)
    module.exit_json(changed=changed, diff=diff, **outcome.result)


def run_writing(module: AnsibleModule) -> None:
    """Put a text into a file, without showing either side of the difference."""
    path = os.path.realpath(module.params["path"])
    # In check mode the task that makes the folder may have made none either.
    is_new = module.check_mode and not os.path.isdir(os.path.dirname(path))
    before = None if is_new else _read(module, path)
    changed = before != module.params["content"]
    attributes = module.load_file_common_arguments({**module.params, "path": path})
    if changed and not module.check_mode:
        _replace(module, path, module.params["content"])
    # A new file's attributes are no change of their own, and check mode has none to compare.
    if before is not None:
        changed = module.set_fs_attributes_if_different(attributes, changed)
    elif not module.check_mode:
        module.set_fs_attributes_if_different(attributes, changed)
    module.exit_json(changed=changed, path=path)


def run_unwrapping(module: AnsibleModule) -> None:
    """Put what is wrapped into files.

    The token serves once. So everything that may fail without it is done before: the files are made, still empty.
    """
    places = [dict(file, path=os.path.realpath(file["path"])) for file in module.params["files"]]
    result = {"files": [place["path"] for place in places]}
    prepared: list[str] = []
    try:
        if not module.check_mode:
            prepared += [_new_file(module, place["path"]) for place in places]
        found, failure = _unwrapped(module, places)
        if failure is not None:
            fail(module, failure)
        for temporary, place in zip(list(prepared), places):
            _fill(temporary, str(found[place["field"]]))
            module.atomic_move(temporary, place["path"])
            prepared.remove(temporary)
            given = {name: value for name, value in place.items() if name in ("owner", "group", "mode")}
            attributes = module.load_file_common_arguments({**module.params, **given, "path": place["path"]})
            module.set_fs_attributes_if_different(attributes, changed=True)
    finally:
        for temporary in prepared:
            module.cleanup(temporary)
    module.exit_json(changed=True, **result)


def _unwrapped(module: AnsibleModule, places: list[dict[str, Any]]) -> tuple[Mapping[str, Any], TransitError | None]:
    """What was wrapped, nothing in check mode; or why there is nothing."""
    found: Mapping[str, Any] = {}
    try:
        connection = settings_from({**module.params, "auth_method": "none"}, os.environ).connection
        wrapped = Wrapped(connection, module.params["wrapping_token"])
        _check_origin(wrapped.creation_path(), module.params["creation_path"] or "")
        if not module.check_mode:
            found = wrapped.unwrap()
            module.no_log_values.update(value for value in found.values() if value and isinstance(value, str))
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


def _new_file(module: AnsibleModule, path: str) -> str:
    """An empty file beside the one that it will replace, for its owner alone."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".ansible_tmp", dir=os.path.dirname(path))
    except OSError as error:
        problem = error.strerror or "unknown error"
    else:
        os.close(descriptor)
        return temporary
    module.fail_json(msg=f"{path} cannot be written ({problem}). Check its folder's permissions and free space.")
    return ""


def _fill(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read(module: AnsibleModule, path: str) -> str | None:
    """The file's text, ``None`` when there is no file."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        module.fail_json(msg=f"The folder {folder} does not exist. Create it first.")
    problem = "it cannot be read"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = error.strerror or problem
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    module.fail_json(msg=f"{path}: {problem}.")
    return None


def _replace(module: AnsibleModule, path: str, text: str) -> None:
    # Beside the file: only there can it take the file's place in one step.
    temporary = _new_file(module, path)
    try:
        _fill(temporary, text)
    except OSError as error:
        problem = error.strerror or "unknown error"
    else:
        module.atomic_move(temporary, path)
        return
    module.cleanup(temporary)
    module.fail_json(msg=f"{path} cannot be written ({problem}). Check its folder's permissions and free space.")
