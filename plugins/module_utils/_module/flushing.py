# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Folders that are flushed once, however many files are placed in them. **Private** to the collection."""

from __future__ import annotations

import contextlib
import os

from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import Folder, flush_folder

# So many folders are kept open at a time.
_MOST = 100


class Flusher:
    """Flushes folders in which files were placed. To be used as a context manager."""

    def __init__(self) -> None:
        # A folder may get another name while it waits, so it stays open.
        self._waiting: dict[tuple[int, int], tuple[int, str]] = {}

    def __enter__(self) -> Flusher:  # noqa: PYI034  Python 3.8 has no `Self`
        return self

    def __exit__(self, *_exception: object) -> None:
        # Something is left only where another failure is reported.
        while self._waiting:
            with contextlib.suppress(OSError):
                self.flush()

    def add(self, folder: Folder) -> None:
        """Flush a folder later.

        Raises:
            OSError: what `flush` raises.
        """
        try:
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder.descriptor)
        except PermissionError:
            # What may not be read cannot be flushed.
            return
        status = os.fstat(descriptor)
        if self._waiting.setdefault((status.st_dev, status.st_ino), (descriptor, folder.path))[0] != descriptor:
            os.close(descriptor)
        if len(self._waiting) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Flush the folders that wait.

        Raises:
            OSError: one, which is the error's file name, cannot be flushed.
        """
        while self._waiting:
            descriptor, path = self._waiting.popitem()[1]
            try:
                flush_folder(descriptor)
            except OSError as error:
                raise OSError(error.errno, error.strerror, path) from None
            finally:
                os.close(descriptor)
