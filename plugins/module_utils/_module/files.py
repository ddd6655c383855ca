# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Modules that write files: each is replaced in one step, with its owner, mode and SELinux context.

**Private** to the collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.unwrap import Wrapped, checked_fields
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import (
    Reconcile,
    fail,
    one_diff,
    outcome_of,
    run,
)

_NEW_MODE = "0600"


def run_on_file(module: AnsibleModule, reconcile: Reconcile) -> None:
    """Carry out ``reconcile`` for a text file at the option ``path``, whose text it gets as ``text``.

    Without a path it is a run like any other. The file is replaced in one step, when everything else is done, and keeps
    its owner, mode and SELinux context or gets the ones that are asked for.
    """
    if not module.params["path"]:
        run(module, reconcile)
    # A link stays a link; what it points to is replaced.
    path = os.path.realpath(module.params["path"])
    text = read_text(module, path)
    outcome = outcome_of(module, reconcile, {**module.params, "text": text or ""})
    diff = one_diff(outcome)
    changed = outcome.changed
    attributes = module.load_file_common_arguments({**module.params, "path": path})
    if text is None and attributes["mode"] is None:
        attributes["mode"] = _NEW_MODE
    if outcome.text is not None:
        with NewFile(module, path) as file:
            # Line ends are the text's own.
            file.put(outcome.text.encode("utf-8"))
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
    before = None if is_new else read_text(module, path)
    changed = before != module.params["content"]
    attributes = module.load_file_common_arguments({**module.params, "path": path})
    if changed and not module.check_mode:
        with NewFile(module, path) as file:
            file.put(module.params["content"].encode("utf-8"))
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
    with contextlib.ExitStack() as opened:
        prepared = (
            [] if module.check_mode else [opened.enter_context(NewFile(module, place["path"])) for place in places]
        )
        found, failure = _unwrapped(module, places)
        if failure is not None:
            fail(module, failure)
        for file, place in zip(prepared, places):
            file.put(str(found[place["field"]]).encode("utf-8"))
            given = {name: value for name, value in place.items() if name in ("owner", "group", "mode")}
            attributes = module.load_file_common_arguments({**module.params, **given, "path": place["path"]})
            module.set_fs_attributes_if_different(attributes, changed=True)
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


class NewFile:
    """What will take the place of a file, in one step or not at all.

    It lies beside that file, under a name that is always the same: what a run leaves that was killed is taken away by
    the next one. A lock tells it from what another run is just writing.
    """

    def __init__(self, module: AnsibleModule, path: str, *, changed: bool = False) -> None:
        """
        Args:
            changed: whether the run has changed something before, for what it says when it fails.
        """
        self._module = module
        self._path = path
        self._changed = changed
        folder, name = os.path.split(path)
        self._temporary = os.path.join(folder, f".{name}.mlkeys-new")
        self._descriptor = -1

    def __enter__(self) -> NewFile:  # noqa: PYI034  Python 3.8 has no `Self`
        problem = ""
        try:
            self._open()
        except BlockingIOError:
            problem = "another run is just writing it"
        except OSError as error:
            problem = error.strerror or "unknown error"
        if problem:
            self._fail(problem)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)
        self._close()

    def put(self, content: bytes) -> None:
        """Write it, and put it in the place of the file, whose owner, mode and SELinux context it takes."""
        problem = ""
        try:
            with open(self._descriptor, "wb", closefd=False) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            problem = error.strerror or "unknown error"
        if problem:
            self._fail(problem)
        self._module.atomic_move(self._temporary, self._path)
        self._close()

    def _open(self) -> None:
        try:
            self._create()
        except FileExistsError:
            self._take_away()
            self._create()

    def _create(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._temporary, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _take_away(self) -> None:
        """Remove what a killed run left.

        Raises:
            BlockingIOError: the run is alive.
        """
        left = os.open(self._temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(self._temporary)
        finally:
            os.close(left)

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def _fail(self, problem: str) -> None:
        self.__exit__()
        self._module.fail_json(
            msg=f"{self._path} cannot be written ({problem}). Check its folder's permissions and free space.",
            changed=self._changed,
        )


def read_text(module: AnsibleModule, path: str) -> str | None:
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
