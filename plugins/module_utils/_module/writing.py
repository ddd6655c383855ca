# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Write a file in one step, with its owner, mode and SELinux context. **Private** to the collection.

It needs no connection, and imports nothing for one: modules that only write files start faster.
"""

from __future__ import annotations

import contextlib
import errno
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import FileError, InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._module.attributes import (
    AttributeChange,
    attribute_change,
    known_accounts,
    set_flags,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import ending, succeed
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import folders, locks, replacing
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.attributes import Attributes
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import File
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import lines_with_ciphertext, refusal

_LOOKS = 50


@ending
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
        is_other = text_of(file) != content
        given, unknown = known_accounts(module, module.params)
        attributes = attribute_change(module, file, given)
        new = content.encode("utf-8") if is_other else None
        changed = put(module, file, new, attributes, changed=is_other or bool(unknown))
    succeed(module, changed=changed, path=file.path)


def _check_plaintext(module: AnsibleModule) -> None:
    """
    Raises:
        InvalidOption: the text holds ciphertext without being asked to.
    """
    lines = [] if module.params["allow_ciphertext"] else lines_with_ciphertext(module.params["content"])
    if lines:
        where = "content" if len(module.params["content"].splitlines()) == 1 else f"content, line {lines[0]},"
        raise InvalidOption(f"{module.params['path']} was left as it is: {refusal(where)}")


def open_file(module: AnsibleModule, opened: contextlib.ExitStack, path: str, *, changed: bool = False) -> File:
    """The file at a path, which need not exist.

    Args:
        opened: closes it.
        changed: whether the run has changed something before.

    Raises:
        FileError: it cannot be reached safely.
    """
    try:
        return reached(opened, path, dry_run=module.check_mode)
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(path))
        raise FileError(f"The folder {folder} does not exist. Create it first.", changed=changed) from None
    except locks.Busy as error:
        raise write_error(path, error, changed=changed) from None
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or 'it cannot be read'}.", changed=changed) from None


def reached(opened: contextlib.ExitStack, path: str, *, dry_run: bool) -> File:
    """The file at a path, which need not exist.

    Args:
        opened: closes it.

    Raises:
        OSError: it cannot be reached safely.
    """
    place, name = opened.enter_context(folders.opened(path))
    if not dry_run:
        replacing.sweep(place)
    return _opened(opened, place, name)


def _opened(opened: contextlib.ExitStack, place: folders.Folder, name: str) -> File:
    for _look in range(_LOOKS):
        with contextlib.suppress(replacing.ChangedMeanwhile):
            return opened.enter_context(File(place, name))
    return opened.enter_context(File(place, name))


def text_of(file: File) -> str | None:
    """The file's text, ``None`` if the file does not exist.

    Raises:
        FileError: it cannot be read, or is not text.
    """
    try:
        content = file.read()
        return None if content is None else content.decode("utf-8")
    except OSError as error:
        raise FileError(f"{file.path}: {error.strerror or 'it cannot be read'}.") from None
    except UnicodeDecodeError:
        raise FileError(f"{file.path}: it is not UTF-8 text.") from None


def check_change(file: File, attributes: AttributeChange) -> None:
    """
    Raises:
        FileError: a file whose content is kept would be given away, and may be another one than is meant.
    """
    wanted = attributes.wanted
    if file.status is None or (wanted.uid is None and wanted.gid is None):
        return
    try:
        file.folder.check_moved(file.status)
    except OSError as error:
        raise write_error(file.path, error) from None


def put(
    module: AnsibleModule,
    file: File,
    content: bytes | None,
    attributes: AttributeChange,
    *,
    changed: bool,
    may_retry: bool = False,
    earlier: bool = False,
) -> bool:
    """Give a file a content, if there is another one, and its attributes. Returns whether anything has changed.

    Args:
        earlier: whether the run has changed something before.

    Raises:
        ChangedMeanwhile: with ``may_retry``, if another run was first.
        FileError: it cannot be written.
    """
    # A new file's attributes are not a change of their own.
    differs = changed or bool(attributes.after)
    try:
        _written(file, content, attributes, dry_run=module.check_mode)
    except OSError as error:
        if may_retry and isinstance(error, replacing.ChangedMeanwhile):
            raise
        raise write_error(file.path, error, changed=earlier) from None
    if file.status is None and (content is None or module.check_mode):
        return differs
    return set_flags(module, file, module.params, changed=differs)


def keep_beside(module: AnsibleModule, file: File, content: bytes, label: str) -> str:
    """Keep a file's present content in another file beside it, and return its path. No file is overwritten.

    Args:
        label: what its name has in addition.

    Raises:
        FileError: it cannot be written.
    """
    try:
        return _kept_beside(file, content, label, dry_run=module.check_mode)
    except OSError as error:
        raise write_error(f"A copy of {file.path}", error) from None


def _kept_beside(file: File, content: bytes, label: str, *, dry_run: bool) -> str:
    root, suffix = os.path.splitext(file.name)
    number, path = 0, ""
    present: bytes | None = b""
    while present not in (None, content):
        number += 1
        more = "" if number == 1 else f"-{number}"
        with File(file.folder, f"{root}.{label}{more}{suffix}") as beside:
            path, present = beside.path, beside.read()
            if present is None and not dry_run:
                _copied(file, content, beside)
    return path


def _copied(file: File, content: bytes, target: File) -> None:
    with replacing.NewFile(file.folder) as new:
        new.write(content)
        new.take(file)
        new.place(target)


def _written(file: File, content: bytes | None, attributes: AttributeChange, *, dry_run: bool) -> None:
    """
    Raises:
        OSError: the content is too large, also in a dry run.
        UnsafeOwner: another user may have put the file there, also where its content stays.
    """
    keeps = file.status is None or file.folder.keeps_owner(file.status, attributes.asked.uid)
    if content is None and not (keeps and _may_be_given(file, attributes.wanted)):
        # Who owned the file may have it open, and it may be another one. Nobody has the one that replaces it.
        content = file.read()
    if content is not None:
        replacing.check_size(len(content), "it would be")
    if dry_run:
        return
    if content is not None:
        file.replace(content, attributes.asked)
    elif attributes.after:
        file.set(attributes.wanted)


def _may_be_given(file: File, wanted: Attributes) -> bool:
    """Whether the file itself may get another owner: nobody else has renamed one of root to its name."""
    if file.status is None or (wanted.uid is None and wanted.gid is None):
        return True
    try:
        file.folder.check_moved(file.status)
    except folders.UnsafeFile:
        return False
    return True


def write_error(path: str, error: OSError, *, changed: bool = False) -> FileError:
    """The error that says why a file or folder cannot be written.

    Args:
        changed: whether the run has changed something before.
    """
    return FileError(_why_unwritable(path, error), changed=changed)


def _why_unwritable(path: str, error: OSError) -> str:
    if isinstance(error, replacing.ChangedMeanwhile):
        return f"{path} was changed by somebody else meanwhile. It was left as it is. Run again."
    problem = error.strerror or "unknown error"
    if error.errno == errno.EFBIG:
        return f"{path} was left as it is: {problem}. Put less into one file."
    if isinstance(error, folders.UnsafeOwner):
        return f"{path} was left as it is: {problem}. Set owner, or remove the file."
    if isinstance(error, (folders.UnsafeLink, folders.UnsafeFile, replacing.UnsafeFile)):
        return f"{path} was left as it is: {problem}."
    if isinstance(error, NotADirectoryError):
        return f"{path} was left as it is: what is there, or on the way there, is not a folder. Remove that first."
    folder = os.path.dirname(path.rstrip("/")) or "."
    if isinstance(error, FileNotFoundError) and not os.path.isdir(folder):
        return f"{path} cannot be written: its folder {folder} does not exist. Create it."
    return f"{path} cannot be written ({problem}). Check its folder's permissions and free space."
