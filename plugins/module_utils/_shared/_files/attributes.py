# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Owner, mode, SELinux context and other attributes of files and folders that are open. **Private**.

This file uses the standard library alone and imports nothing of the collection: the package `mlkeys` has it as well.
All errors are `OSError`.
"""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

_LABEL = "security.selinux"
# These describe the content, which is new.
_NOT_COPIED = ("security.capability", "security.evm", "security.ima", _LABEL)
# The rights of single users and groups: to what is open, and to all that is made in a folder later.
_ACCESS_LISTS = ("system.posix_acl_access", "system.posix_acl_default")


class Attributes(NamedTuple):
    """What a file is given. ``None`` keeps what it has; a new file is its creator's alone.

    Attributes:
        label: the SELinux context.
    """

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    label: str | None = None


KEEP = Attributes()


def keep_owner(status: os.stat_result, new: int) -> bool:
    """Give a new file the owner and the group of the old one, as far as the caller may."""
    own = os.fstat(new)
    if (own.st_uid, own.st_gid) == (status.st_uid, status.st_gid):
        return True
    with contextlib.suppress(PermissionError):
        os.fchown(new, status.st_uid, status.st_gid)
        return True
    with contextlib.suppress(PermissionError):
        os.fchown(new, -1, status.st_gid)
    return False


def give(descriptor: int, attributes: Attributes) -> None:
    """Give attributes to what is open. Rights that a former owner gave to others end with the ownership."""
    former = os.fstat(descriptor).st_uid
    if former not in (0, os.geteuid()) and attributes.uid not in (None, former):
        _remove_access_lists(descriptor)
    if attributes.label is not None:
        # Not all file systems that have labels let them be set.
        with contextlib.suppress(OSError):
            os.setxattr(descriptor, _LABEL, attributes.label.encode("utf-8") + b"\0")
    uid, gid = (-1 if one is None else one for one in (attributes.uid, attributes.gid))
    if (uid, gid) != (-1, -1):
        os.fchown(descriptor, uid, gid)
    if attributes.mode is not None:
        # After the owner, whose change takes bits away.
        os.fchmod(descriptor, attributes.mode)


def belong_to_caller(descriptor: int) -> None:
    """Take from a new file or folder the group and the rights that it has from the folder in which it was made."""
    _remove_access_lists(descriptor)
    os.fchown(descriptor, -1, os.getegid())


def _remove_access_lists(descriptor: int) -> None:
    for name in _ACCESS_LISTS:
        # A system or a file system may have none.
        with contextlib.suppress(AttributeError, OSError):
            os.removexattr(descriptor, name)


def label_of(descriptor: int) -> str | None:
    """The SELinux context of what is open, ``None`` where there is none."""
    with contextlib.suppress(AttributeError, OSError):
        return os.getxattr(descriptor, _LABEL).rstrip(b"\0").decode("utf-8")
    return None


def copy_attributes(old: int, new: int, prefix: str) -> None:
    """Copy attributes whose names begin with a prefix, such as access control lists, as far as the caller may."""
    with contextlib.suppress(AttributeError, OSError):
        for name in os.listxattr(old):
            if name.startswith(prefix) and name not in _NOT_COPIED:
                with contextlib.suppress(OSError):
                    os.setxattr(new, name, os.getxattr(old, name))
