# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Text files that are replaced in one step or not at all, with messages for people."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mlkeys._errors import MlkeysError
from mlkeys._shared._files import folders, replacing
from mlkeys._shared._files.attributes import Attributes
from mlkeys._shared._files.reading import opened_to_read

#: What the caller has open. It is written to as it is.
OPEN_ALREADY = re.compile(r"/dev/(?:stdout|stderr|null|tty|fd/\d+)|/proc/self/fd/\d+")


class ChangedMeanwhile(MlkeysError):
    """The file was changed after it was read."""


def read(path: Path) -> str | None:
    """The file's text with its own line ends, None if it does not exist.

    Raises:
        MlkeysError: it cannot be read, or is not text.
    """
    try:
        return bytes_of(path).decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MlkeysError(f"{path}: {error.strerror or 'it cannot be read'}.") from None
    except UnicodeDecodeError:
        raise MlkeysError(f"{path}: it is not UTF-8 text.") from None


def bytes_of(path: Path) -> bytes:
    """The whole file.

    Raises:
        OSError: it cannot be read, or is larger than what is read as a whole.
    """
    with opened_to_read(str(path)) as file:
        return whole(file)


def whole(stream: BinaryIO) -> bytes:
    """All that can be read.

    Raises:
        OSError: that is too much.
    """
    content = stream.read(replacing.MOST_BYTES + 1)
    replacing.check_size(len(content))
    return content


def replace(path: Path, text: str, before: str | None, mode: int | None = None) -> None:
    """Replace a file's text. Its owner is kept, and a link is followed.

    Args:
        before: what `read` returned. A file that was changed since then is not replaced.
        mode: what the file gets. Default: the one that it has, or private for a new file.

    Raises:
        ChangedMeanwhile: it was changed.
        MlkeysError: it cannot be written. It is unchanged.
    """
    try:
        with opened(path) as file:
            if file.read() != (None if before is None else before.encode()):
                raise _changed(path)
            file.replace(text.encode(), Attributes(mode=mode))
    except replacing.ChangedMeanwhile:
        raise _changed(path) from None
    except (folders.UnsafeLink, folders.UnsafeFile, replacing.UnsafeFile) as error:
        raise MlkeysError(f"{path} cannot be written: {error.strerror}.") from None
    except OSError as error:
        problem = error.strerror or "unknown error"
        if error.errno == errno.EFBIG:
            raise MlkeysError(f"{path} cannot be written: {problem}. Put less into one file.") from None
        if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
            raise MlkeysError(
                f"{path} cannot be written: its folder {path.parent} does not exist. Create it."
            ) from None
        raise MlkeysError(
            f"{path} cannot be written ({problem}). Check its folder's permissions and free space."
        ) from None


def write(path: Path, text: str) -> None:
    """Write an output file, whatever it held before. A new one follows the umask.

    Raises:
        OSError: it cannot be written, or somebody else decides where the path leads.
    """
    if OPEN_ALREADY.fullmatch(str(path)):
        # What it holds already stays, as with the shell's >>.
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
        return
    with opened(path) as file:
        mode = _mode_of_new(0o666) if file.status is None else None
        file.replace(text.encode(), Attributes(mode=mode))


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Create a folder if it does not exist, and those above it.

    Args:
        mode: of a new one, less what the umask takes away. Those above have all that this leaves.

    Raises:
        OSError: it cannot be created, or somebody else decides where the path leads.
    """
    if path.parent == path:
        return
    make_folder(path.parent)
    with suppress(FileExistsError, IsADirectoryError), folders.opened(str(path)) as (folder, name):
        os.mkdir(name, mode, dir_fd=folder.descriptor)


def remove(path: Path) -> None:
    """Remove a file or a link, if there is one.

    Raises:
        OSError: it cannot be removed, or somebody else decides where its folder is.
    """
    with suppress(FileNotFoundError), folders.folder_at(str(path.parent)) as folder:
        os.unlink(path.name, dir_fd=folder.descriptor)


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, if there is one, as far as it can be removed.

    Raises:
        OSError: somebody else decides where it is.
    """
    with suppress(FileNotFoundError), folders.folder_at(str(path.parent)) as folder:
        import shutil  # noqa: PLC0415  it brings the libraries of archives along

        shutil.rmtree(path.name, ignore_errors=True, dir_fd=folder.descriptor)


def rename(old: Path, new: Path) -> None:
    """Give a file or a folder another name.

    Raises:
        OSError: it cannot be renamed, or somebody else decides where it is, or would be.
    """
    with folders.folder_at(str(old.parent)) as source, folders.folder_at(str(new.parent)) as target:
        os.rename(old.name, new.name, src_dir_fd=source.descriptor, dst_dir_fd=target.descriptor)


def _mode_of_new(mode: int) -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return mode & ~umask


@contextmanager
def opened(path: Path) -> Iterator[replacing.File]:
    """The file at a path, to be replaced. What killed runs left beside it is removed.

    Raises:
        OSError: it cannot be reached, or the way there is not safe.
    """
    with folders.opened(str(path)) as (folder, name):
        replacing.sweep(folder)
        with replacing.File(folder, name) as file:
            yield file


def check_unchanged(path: Path, before: str | None) -> None:
    """
    Args:
        before: what `read` returned.

    Raises:
        ChangedMeanwhile: the file was changed since then.
    """
    if read(path) != before:
        raise _changed(path)


def _changed(path: Path) -> ChangedMeanwhile:
    return ChangedMeanwhile(f"{path} was changed in the meantime. Nothing was written; run the command again.")
