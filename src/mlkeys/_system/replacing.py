# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Text files that are replaced in one step or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from mlkeys._errors import MlkeysError

_NEW_MODE = 0o600


class ChangedMeanwhile(MlkeysError):
    """The file was changed after it was read."""


def read(path: Path) -> str | None:
    """The file's text with its own line ends, None if it does not exist.

    Raises:
        MlkeysError: it cannot be read, or is not text.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    raise MlkeysError(f"{path}: {problem}.")


def replace(path: Path, text: str, before: str | None) -> None:
    """Replace a file's text. Its mode and owner are kept, and a link is followed.

    Args:
        before: what `read` returned. A file that was changed since then is not replaced.

    Raises:
        ChangedMeanwhile: it was changed.
        MlkeysError: it cannot be written. It is unchanged.
    """
    real = Path(os.path.realpath(path))
    check_unchanged(real, before)
    problem = ""
    try:
        temporary = _written_beside(real, text)
        try:
            os.replace(temporary, real)  # noqa: PTH105  both are names already
        except OSError:
            _remove(temporary)
            raise
        _flush_folder(real.parent)
    except OSError as error:
        problem = error.strerror or "unknown error"
    if problem:
        raise MlkeysError(f"{path} cannot be written ({problem}). Check its folder's permissions and free space.")


def check_unchanged(path: Path, before: str | None) -> None:
    """
    Args:
        before: what `read` returned.

    Raises:
        ChangedMeanwhile: the file was changed since then.
    """
    if read(path) != before:
        raise ChangedMeanwhile(f"{path} was changed in the meantime. Nothing was written; run the command again.")


def _written_beside(real: Path, text: str) -> str:
    """The new text in a file of its own, in the same folder, which is on disk as far as the system knows."""
    try:
        status = real.stat()
    except FileNotFoundError:
        status = None
    descriptor, temporary = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            if status is not None and (status.st_uid, status.st_gid) != _owner(descriptor):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, _NEW_MODE if status is None else stat.S_IMODE(status.st_mode))
            if status is not None:
                _copy_attributes(real, descriptor)
            os.fsync(descriptor)
    except OSError:
        _remove(temporary)
        raise
    return temporary


def _owner(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_uid, status.st_gid


def _copy_attributes(real: Path, descriptor: int) -> None:
    """What else belongs to the file, such as its SELinux context, as far as one may set it."""
    with suppress(OSError):
        for name in os.listxattr(real):
            with suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(real, name))


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(temporary: str) -> None:
    with suppress(OSError):
        os.unlink(temporary)  # noqa: PTH108  it is a name already
