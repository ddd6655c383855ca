# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Modules that write files: each is replaced in one step, with its owner, mode and SELinux context.

**Private** to the collection.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Callable, Mapping, NoReturn, TypeVar

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption, TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.unwrap import Wrapped, checked_fields
from ansible_collections.mlkeys.transit.plugins.module_utils._module.attributes import (
    AttributeChange,
    attribute_change,
    set_flags,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import give_up, succeed, worth_masking
from ansible_collections.mlkeys.transit.plugins.module_utils._module.run import fail, one_diff, outcome_of, run
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome
from ansible_collections.mlkeys.transit.plugins.module_utils._shared import folders, replacing
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import lines_with_ciphertext, refusal
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.replacing import File, NewFile

Request = TypeVar("Request")

# For so long a run that finds that another one was first begins again.
_PATIENCE_SECONDS = 120.0
_LOOKS = 50


def _end(module: AnsibleModule, msg: str, *, changed: bool = False) -> NoReturn:
    """Fail. To be called outside of handlers, or Ansible would add their traceback."""
    give_up(module, msg, changed=changed)


def cannot_write(module: AnsibleModule, path: str, error: OSError, *, changed: bool = False) -> NoReturn:
    """End the module with what stands in the way."""
    _end(module, _unwritable(path, error), changed=changed)


def _unwritable(path: str, error: OSError) -> str:
    if isinstance(error, replacing.ChangedMeanwhile):
        return f"{path} was changed by somebody else meanwhile. It was left as it is. Run again."
    problem = error.strerror or "unknown error"
    return f"{path} cannot be written ({problem}). Check its folder's permissions and free space."


def run_on_file(
    module: AnsibleModule,
    request_from: Callable[[Mapping[str, Any], str], Request],
    reconcile: Callable[[Client, Request, RunContext], Outcome],
) -> None:
    """Reconcile a text file at the option ``path``.

    Without a path it is a run like any other. The file is replaced in one step, when everything else is done, and keeps
    its owner, mode and SELinux context or gets the ones that are asked for.

    Args:
        request_from: makes the request out of the options and the file's text.
    """
    if not module.params["path"]:
        run(module, lambda client, options, context: reconcile(client, request_from(options, ""), context))
    last = time.monotonic() + _PATIENCE_SECONDS
    done = None
    while done is None:
        done = _tried(module, request_from, reconcile, is_last=time.monotonic() > last)
    outcome, attributes, changed = done
    diff = one_diff(outcome)
    for side, shown in (("before", attributes.before), ("after", attributes.after)):
        if shown and isinstance(diff[side], dict):
            diff[side].update(shown)
    succeed(module, changed=changed, diff=diff, **outcome.result)


def _tried(
    module: AnsibleModule,
    request_from: Callable[[Mapping[str, Any], str], Request],
    reconcile: Callable[[Client, Request, RunContext], Outcome],
    *,
    is_last: bool,
) -> tuple[Outcome, AttributeChange, bool] | None:
    """The outcome, what changed of the file's attributes, and whether anything did. ``None`` if another run was first.

    Args:
        is_last: whether that ends the module.
    """
    with contextlib.ExitStack() as opened:
        file = open_file(module, opened, module.params["path"])
        try:
            if not module.check_mode:
                file.wait_for_others()
        except replacing.ChangedMeanwhile:
            if not is_last:
                return None
        text = text_of(module, file)
        attributes = attribute_change(module, file, module.params)
        outcome = outcome_of(
            module,
            lambda client, options, context: reconcile(client, request_from(options, text or ""), context),
            module.params,
        )
        # Line ends are the text's own.
        content = None if outcome.text is None else outcome.text.encode("utf-8")
        try:
            changed = put(module, file, content, attributes, changed=outcome.changed, may_retry=not is_last)
        except replacing.ChangedMeanwhile:
            return None
        return outcome, attributes, changed


def run_writing(module: AnsibleModule) -> None:
    """Put a text into a file, without showing either side of the difference."""
    path = module.params["path"]
    _check_plaintext(module)
    # In check mode the task that makes the folder may have made none either.
    if module.check_mode and not os.path.isdir(os.path.dirname(os.path.realpath(path))):
        succeed(module, changed=True, path=os.path.realpath(path))
    with contextlib.ExitStack() as opened:
        file = open_file(module, opened, path)
        content = module.params["content"]
        is_other = text_of(module, file) != content
        attributes = attribute_change(module, file, module.params)
        new = content.encode("utf-8") if is_other and not module.check_mode else None
        changed = put(module, file, new, attributes, changed=is_other)
    succeed(module, changed=changed, path=file.path)


def _check_plaintext(module: AnsibleModule) -> None:
    """End the module if the text holds ciphertext without being asked to."""
    lines = [] if module.params["allow_ciphertext"] else lines_with_ciphertext(module.params["content"])
    if lines:
        where = "content" if len(module.params["content"].splitlines()) == 1 else f"content, line {lines[0]},"
        _end(module, f"{module.params['path']} was left as it is: {refusal(where)}")


def put(
    module: AnsibleModule,
    file: File,
    content: bytes | None,
    attributes: AttributeChange,
    *,
    changed: bool,
    may_retry: bool = False,
) -> bool:
    """Give a file a content, if there is another one, and its attributes. Returns whether anything has changed.

    Raises:
        ChangedMeanwhile: with ``may_retry``, if another run was first.
    """
    # A new file's attributes are not a change of their own.
    differs = changed or bool(attributes.after)
    problem: OSError | None = None
    try:
        if content is not None:
            file.replace(content, attributes.wanted)
        elif attributes.after and not module.check_mode:
            file.set(attributes.wanted)
    except replacing.ChangedMeanwhile as error:
        if may_retry:
            raise
        problem = error
    except OSError as error:
        problem = error
    if problem is not None:
        cannot_write(module, file.path, problem)
    if file.status is None and content is None:
        return differs
    return set_flags(module, file, module.params, changed=differs)


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
    try:
        new = opened.enter_context(NewFile(file.folder))
        new.take(file, attributes.wanted)
    except OSError as error:
        problem = error
    else:
        return new
    cannot_write(module, file.path, problem)


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


def open_file(module: AnsibleModule, opened: contextlib.ExitStack, path: str, *, changed: bool = False) -> File:
    """The file at a path, which need not exist. Ends the module where it cannot be reached safely.

    Args:
        opened: closes it.
        changed: whether the run has changed something before.
    """
    try:
        place, name = opened.enter_context(folders.opened(path))
        if not module.check_mode:
            replacing.sweep(place)
        return _opened(opened, place, name)
    except FileNotFoundError:
        msg = f"The folder {os.path.dirname(os.path.realpath(path))} does not exist. Create it first."
    except folders.Busy as error:
        msg = _unwritable(path, error)
    except OSError as error:
        msg = f"{path}: {error.strerror or 'it cannot be read'}."
    _end(module, msg, changed=changed)


def _opened(opened: contextlib.ExitStack, place: folders.Folder, name: str) -> File:
    for _look in range(_LOOKS):
        with contextlib.suppress(replacing.ChangedMeanwhile):
            return opened.enter_context(File(place, name))
    return opened.enter_context(File(place, name))


def text_of(module: AnsibleModule, file: File) -> str | None:
    """The file's text, ``None`` when there is no file."""
    try:
        content = file.read()
        return None if content is None else content.decode("utf-8")
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    _end(module, f"{file.path}: {problem}.")
