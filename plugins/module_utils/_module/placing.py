# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Many files, folders and links of a machine in one run, with the difference of each. **Private** to the collection."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._module.attributes import (
    AttributeChange,
    attribute_change,
    known_accounts,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._module.masking import ending, succeed
from ansible_collections.mlkeys.transit.plugins.module_utils._module.writing import open_file, put, write_error
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files import folders, replacing
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.attributes import (
    belong_to_caller,
    give,
    label_of,
)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# To reach what is in it, which needs no right to read it.
_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC

# A file system's clock may be behind by a tick, or the one of a network's server by more.
_CLOCK_SECONDS = 2.0

# What symbolic modes of a new folder begin with, less what the process may not give.
_NEW_FOLDER = stat.S_IFDIR | 0o777

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Placed:
    """What a run changed at one place, or would change."""

    diffs: list[dict[str, Any]]

    @property
    def changed(self) -> bool:
        return bool(self.diffs)


@ending
def run_placing(module: AnsibleModule) -> None:
    """Bring each place to its state, in the order of the list."""
    # They are kept out of the machine's log, and are not secret.
    module.no_log_values.clear()
    done: list[Placed] = []
    for item in module.params["files"]:
        changed = any(one.changed for one in done)
        done.append(_STATES[item["state"]](module, item, changed))
    succeed(
        module,
        changed=any(one.changed for one in done),
        diff=[diff for one in done for diff in one.diffs],
        files=[{"path": item["path"], "changed": one.changed} for item, one in zip(module.params["files"], done)],
    )


def _file(module: AnsibleModule, item: Item, changed: bool) -> Placed:
    path, text = item["path"], item["content"] or ""
    if _is_predicted(module, os.path.dirname(os.path.realpath(path))):
        return Placed([_texts(path, b"", text)])
    given, unknown = known_accounts(module, item)
    with contextlib.ExitStack() as opened:
        file = open_file(module, opened, path, changed=changed)
        old = _content(file, changed)
        attributes = attribute_change(module, file, given, changed=changed)
        differs = old != text.encode("utf-8")
        new = text.encode("utf-8") if differs else None
        put(module, file, new, attributes, changed=differs, earlier=changed)
    diffs = [_texts(path, old or b"", text)] if differs else []
    if file.status is not None:
        diffs += _attributes(path, attributes, unknown)
    return Placed(diffs)


def _content(file: replacing.File, changed: bool) -> bytes | None:
    try:
        return file.read()
    except OSError as error:
        raise write_error(file.path, error, changed=changed) from None


def _directory(module: AnsibleModule, item: Item, changed: bool) -> Placed:
    above = os.path.dirname(item["path"])
    diffs: list[dict[str, Any]] = []
    if item["parents"] and not os.path.isdir(above):
        diffs = _directory(module, {**item, "path": above}, changed).diffs
    return Placed([*diffs, *_one_directory(module, item, changed or bool(diffs)).diffs])


def _one_directory(module: AnsibleModule, item: Item, changed: bool) -> Placed:
    path = item["path"]
    if _is_predicted(module, os.path.dirname(path)):
        return Placed([_states(path, "absent", "directory")])
    given, unknown = known_accounts(module, item)
    try:
        with _Directory(path, create=not module.check_mode) as found:
            attributes = attribute_change(module, found, given, changed=changed, new=_NEW_FOLDER)
            found.check_change(attributes)
            if not module.check_mode:
                owner = os.geteuid() if attributes.asked.uid is None else attributes.asked.uid
                if found.status is None and found.folder.opens_to_others(owner):
                    belong_to_caller(found.descriptor)
                give(found.descriptor, attributes.wanted)
    except OSError as error:
        raise write_error(path, error, changed=changed) from None
    if found.status is None:
        return Placed([_states(path, "absent", "directory")])
    diffs = _attributes(path, attributes, unknown)
    return Placed(diffs)


class _Directory:
    """A folder that a run creates if it does not exist.

    Attributes:
        status: what it was before, ``None`` if it did not exist.
    """

    def __init__(self, path: str, *, create: bool) -> None:
        self.path = path
        self.status: os.stat_result | None = None
        self.descriptor = -1
        self._create = create
        self._above = contextlib.ExitStack()

    def __enter__(self) -> _Directory:  # noqa: PYI034  Python 3.8 has no `Self`
        with contextlib.ExitStack() as above:
            self.folder, name = above.enter_context(folders.opened(self.path))
            if not self._opened(name) and self._create:
                begun = time.time()
                try:
                    os.mkdir(name, 0o700, dir_fd=self.folder.descriptor)
                except FileExistsError:
                    # Another run has made it meanwhile, such as that of another name of the same host.
                    if not self._opened(name):
                        raise
                else:
                    self.descriptor = os.open(name, _FOLDER, dir_fd=self.folder.descriptor)
                    self._check_new(begun)
            self._above = above.pop_all()
        return self

    def _opened(self, name: str) -> bool:
        """Whether the folder existed."""
        try:
            self.descriptor = os.open(name, _FOLDER, dir_fd=self.folder.descriptor)
        except FileNotFoundError:
            return False
        self.status = os.fstat(self.descriptor)
        return True

    def check_change(self, attributes: AttributeChange) -> None:
        """
        Raises:
            UnsafeFile: somebody else may have renamed another folder to this name, whose owner or mode would change.
        """
        if self.status is not None and attributes.after:
            self.folder.check_moved(self.status)

    def _check_new(self, begun: float) -> None:
        """Who owns the folder above may have put another one in its place: of their own, or one that root made before.

        Args:
            begun: when it did not exist yet.
        """
        status = os.fstat(self.descriptor)
        is_old = status.st_mtime < begun - _CLOCK_SECONDS or os.listdir(self.descriptor)
        if status.st_uid != os.geteuid() or (is_old and self.folder.tree is not None):
            self.__exit__()
            raise replacing.ChangedMeanwhile(errno.ESTALE, "it was changed by somebody else meanwhile")

    def __exit__(self, *_exception: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self._above.close()

    def label(self) -> str | None:
        return label_of(self.descriptor)


def _link(module: AnsibleModule, item: Item, changed: bool) -> Placed:
    path, target = item["path"], item["target"] or ""
    if _is_predicted(module, os.path.dirname(path)):
        return Placed([_links(path, None, target)])
    try:
        with folders.folder_at(os.path.dirname(path)) as folder:
            name = os.path.basename(path)
            old = _target(folder, name)
            if old != target and not module.check_mode:
                _replace_by_link(folder, name, target)
    except OSError as error:
        raise write_error(path, error, changed=changed) from None
    return Placed([] if old == target else [_links(path, old, target)])


def _target(folder: folders.Folder, name: str) -> str | None:
    """Where a link leads, ``None`` if it is not a link."""
    try:
        return os.readlink(name, dir_fd=folder.descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return None


def _replace_by_link(folder: folders.Folder, name: str, target: str) -> None:
    """In one step. A folder is not replaced."""
    new = replacing.temporary_name()
    with folder.locked():
        os.symlink(target, new, dir_fd=folder.descriptor)
        try:
            os.replace(new, name, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
        except OSError:
            os.unlink(new, dir_fd=folder.descriptor)
            raise


def _absent(module: AnsibleModule, item: Item, changed: bool) -> Placed:
    path, kind = item["path"], "absent"
    try:
        with folders.folder_at(os.path.dirname(path)) as folder:
            name = os.path.basename(path)
            kind = _kind(os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_mode)
            if not module.check_mode:
                _remove(folder, name)
            elif kind == "directory":
                _check_removed(folder, name)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise write_error(path, error, changed=changed) from None
    return Placed([] if kind == "absent" else [_states(path, kind, "absent")])


def _kind(mode: int) -> str:
    return "link" if stat.S_ISLNK(mode) else "directory" if stat.S_ISDIR(mode) else "file"


def _check_removed(folder: folders.Folder, name: str) -> None:
    """
    Raises:
        UnsafeFile: somebody else may have renamed a folder to this name that only its owner may empty, or one above it.
    """
    if folder.tree is not None:
        _walk(folder, name, remove=False)


def _check_emptied(folder: folders.Folder, descriptor: int) -> None:
    if os.listdir(descriptor):
        folder.check_moved(os.fstat(descriptor))


def _remove(folder: folders.Folder, name: str) -> None:
    """A file, a link, or a folder with all that is in it, however deep. No link is followed.

    Raises:
        ChangedMeanwhile: somebody else moved a folder.
        UnsafeFile: as for `_check_removed`, mostly before anything is removed.
    """
    _check_removed(folder, name)
    _walk(folder, name, remove=True)


def _walk(folder: folders.Folder, name: str, *, remove: bool) -> None:
    """One folder is open at a time: a tree may be deeper than a process may have folders open. Raises as `_remove`."""
    above: list[tuple[str, tuple[int, int], list[str]]] = []
    here, left = os.dup(folder.descriptor), [name]
    try:
        while left or above:
            if left:
                entry = left.pop()
                inner = _unlinked_or_opened(here, entry, remove=remove)
                if inner is not None:
                    above.append((entry, _identity(here), left))
                    os.close(here)
                    here = inner
                    _check_emptied(folder, here)
                    left = os.listdir(here)
            else:
                entry, outer, left = above.pop()
                back = os.open("..", _WAY, dir_fd=here)
                os.close(here)
                here = back
                if _identity(here) != outer:
                    raise replacing.ChangedMeanwhile(errno.ESTALE, "it was changed by somebody else meanwhile")
                if remove:
                    os.rmdir(entry, dir_fd=here)
    finally:
        os.close(here)


def _unlinked_or_opened(folder: int, name: str, *, remove: bool) -> int | None:
    """Remove what is not a folder, if that is wanted. Returns the descriptor of a folder."""
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
    if remove:
        os.unlink(name, dir_fd=folder)
    return None


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


_STATES: dict[str, Callable[[AnsibleModule, Item, bool], Placed]] = {
    "absent": _absent,
    "directory": _directory,
    "file": _file,
    "link": _link,
}


def _is_predicted(module: AnsibleModule, folder: str) -> bool:
    """Whether an earlier task or item may create the folder, and check mode has only predicted it."""
    return bool(module.check_mode) and not os.path.isdir(folder)


def _texts(path: str, old: bytes, new: str) -> dict[str, Any]:
    headers = {"before_header": path, "after_header": path}
    try:
        return {**headers, "before": old.decode("utf-8"), "after": new}
    except UnicodeDecodeError:
        return {**headers, "dst_binary": True, "after": new}


def _states(path: str, before: str, after: str) -> dict[str, Any]:
    return {"before": {"path": path, "state": before}, "after": {"path": path, "state": after}}


def _links(path: str, before: str | None, after: str) -> dict[str, Any]:
    return {"before": {"path": path, "target": before}, "after": {"path": path, "target": after}}


def _attributes(path: str, change: AttributeChange, unknown: Mapping[str, str]) -> list[dict[str, Any]]:
    if not change.after and not unknown:
        return []
    return [{"before": {"path": path, **change.before}, "after": {"path": path, **change.after, **unknown}}]
