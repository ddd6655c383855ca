# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""The ciphertexts of files, whatever their size, and why a file cannot vouch for having none. **Private**."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from dataclasses import replace
from typing import BinaryIO, Iterator, cast

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.containers import Occurrence
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import (
    BINARY,
    COMPRESSED,
    DENIED,
    ENCODING,
    FAILED,
    MISSING,
    Bookmark,
    FileResult,
    FoundCiphertext,
    Unread,
    content_digest,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.occurrences import (
    CALLED,
    CALLED_WITHOUT,
    context_at,
    name_at,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.packed import compression
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Piece, Reader, Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.tokens import Direct

_CHUNK = 1 << 20
# A file with more in holes than that is not read through them, of which this many bytes are left.
_LARGE_HOLES = 1 << 24
_HOLE = 1 << 12
BINARY_REASON = "binary file holds a ciphertext"
# What Git keeps revisions in, which are compressed.
_GIT = (
    (b"# v2 git bundle\n", "bundle of Git"),
    (b"# v3 git bundle\n", "bundle of Git"),
    (b"PACK\0\0\0\2", "pack of Git"),
    (b"PACK\0\0\0\3", "pack of Git"),
)


class Scan:
    """The ciphertexts of a stream. Iterate to read it; the attributes are complete at its end.

    Attributes:
        count: how many there were so far.
        has_wide: whether one of them is in UTF-16 or UTF-32.
        offsets: of those that are written plainly and have no problem, -1 for the others.
    """

    def __init__(self, stream: BinaryIO, bookmark: Bookmark | None = None, sizes: Sizes | None = None) -> None:
        """
        Args:
            bookmark: where an earlier search of it ended; the stream must allow to go there then.
        """
        self._stream = stream
        self._reader = Reader(stream, bookmark, sizes)
        self.count = bookmark.found if bookmark else 0
        self.has_wide = False
        self.offsets: list[int] = []
        self._is_binary: bool | None = None

    @property
    def bookmark(self) -> Bookmark:
        """Where another search of the same stream can go on."""
        return replace(self._reader.bookmark, found=self.count)

    @property
    def compression(self) -> str:
        head = self._reader.head
        return compression(head) or next((name for magic, name in _GIT if head.startswith(magic)), "")

    @property
    def is_binary(self) -> bool:
        return bool(self._is_binary) or self._reader.has_nul

    def groups(self) -> Iterator[list[FoundCiphertext]]:
        """The ciphertexts; those together that one place encodes together. A bookmark is valid between two groups."""
        for piece in self._reader.pieces(gaps=False):
            if piece.found is None:
                continue
            if self._is_binary is None:
                self._is_binary = has_nul(self._stream)
            group = self._group(piece.found, piece)
            self.count += len(group)
            yield group

    def __iter__(self) -> Iterator[FoundCiphertext]:
        for group in self.groups():
            yield from group

    def _group(self, found: Occurrence, piece: Piece) -> list[FoundCiphertext]:
        name, line = name_at(piece.text, piece.begin), piece.line
        reason = BINARY_REASON if self._is_binary or self._reader.has_nul else ""
        context = context_at(piece.text, piece.begin, piece.end) if isinstance(found, Direct) else None
        if not reason and isinstance(found, Direct) and found.is_plain:
            self.offsets.append(self._reader.offset - piece.end + piece.begin)
            return [FoundCiphertext(found.token.text, line, context or found.token.name or name, _called(context))]
        group = []
        for text, form, problem, own in found.tokens:
            self.has_wide = self.has_wide or form.startswith("utf-")
            self.offsets.append(-1)
            shown = form if context is None else f"{form}+{_called(context)}"
            group.append(FoundCiphertext(text, line, context or own or name, shown, problem or reason))
        return group

    @property
    def digest(self) -> str:
        """That of the content, if it was read at once."""
        first = self._reader.first
        return content_digest(first) if self.count and len(first) == self._reader.offset else ""

    def unread(self, path: str) -> Unread | None:
        """Why the file at a path is not searched, or cannot be changed."""
        if self.count and self.has_wide:
            return Unread(path, "UTF-16 or UTF-32 text holds a ciphertext", ENCODING)
        if self.count and (self.is_binary or self.compression):
            return Unread(path, BINARY_REASON, BINARY)
        if self.compression:
            return Unread(path, f"compressed ({self.compression}), not searched", COMPRESSED)
        packed = self._reader.packed
        if packed:
            return Unread(path, f"holds compressed data in base64 ({packed}), which was not searched", COMPRESSED)
        return None


def _called(context: str | None) -> str:
    """The form of a ciphertext, by the context with which a template decrypts it."""
    return "plain" if context is None else CALLED if context else CALLED_WITHOUT


def has_nul(stream: BinaryIO) -> bool:
    """Whether there is a NUL in a stream's file, wherever it is read just now. ``False`` where there is no file."""
    try:
        descriptor = stream.fileno()
        offset = 0
        while True:
            chunk = os.pread(descriptor, _CHUNK, offset)
            if not chunk or b"\0" in chunk:
                return bool(chunk)
            offset += len(chunk)
    except (OSError, ValueError):
        return False


def open_file(path: str) -> BinaryIO:
    """A file to read.

    Raises:
        OSError: it cannot be opened.
        IsADirectoryError: it is not a regular file, but maybe a link to one. Nothing was read of it.
    """
    # To open a device may do something to it.
    if not stat.S_ISREG(os.stat(path, follow_symlinks=False).st_mode):
        raise IsADirectoryError(path)
    # A pipe that has come since would wait for its writer, and a link might lead to one.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise IsADirectoryError(path)
    if status.st_size - status.st_blocks * 512 > _LARGE_HOLES:
        return cast("BinaryIO", _Sparse(descriptor))
    return os.fdopen(descriptor, "rb", buffering=0)


class _Sparse(io.RawIOBase):
    """A file whose holes, which read as NULs without an end, are cut short.

    Places in it are those of what is left. Its content has no digest, and with its NULs nothing in it is replaced.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._at = self._place = 0

    def read(self, size: int = -1) -> bytes:
        """This many bytes, fewer at the end."""
        parts: list[bytes] = []
        while size > 0:
            part = self._part(size)
            if not part:
                break
            parts.append(part)
            size -= len(part)
            self._place += len(part)
        # Anyone who asks the system how far the file was read learns it.
        os.lseek(self._descriptor, self._at, os.SEEK_SET)
        return b"".join(parts)

    def _part(self, size: int) -> bytes:
        data = self._next(os.SEEK_DATA)
        if data > self._at:
            hole = min(data - self._at, size, _HOLE)
            self._at = data
            return bytes(hole)
        part = os.pread(self._descriptor, min(size, max(1, self._next(os.SEEK_HOLE) - self._at)), self._at)
        self._at += len(part)
        return part

    def _next(self, what: int) -> int:
        try:
            return os.lseek(self._descriptor, self._at, what)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        return max(self._at, os.fstat(self._descriptor).st_size)

    def seek(self, place: int, _whence: int = os.SEEK_SET) -> int:
        """Go to a place from the beginning."""
        self._at = self._place = 0
        while self._place < place and self.read(min(_CHUNK, place - self._place)):
            pass
        return self._place

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def scan_file(
    path: str, *, most: int | None = None, bookmark: Bookmark | None = None, sizes: Sizes | None = None
) -> FileResult:
    """The ciphertexts of a file.

    Args:
        most: stop when there are as many; the result's bookmark is where to go on.
    """
    found: list[FoundCiphertext] = []
    try:
        with open_file(path) as stream:
            scan = Scan(stream, bookmark, sizes)
            for group in scan.groups():
                found += group
                if most is not None and len(found) >= most:
                    return FileResult(path, tuple(found), scan.unread(path), scan.bookmark)
            unread = scan.unread(path) or _shrunk(path, stream)
            digest = "" if isinstance(stream, _Sparse) else scan.digest
    except OSError as error:
        unread = unread_of(path, error)
        return FileResult(path, tuple(found), unread)
    return FileResult(path, tuple(found), unread, None, digest, tuple(scan.offsets))


def _shrunk(path: str, stream: BinaryIO) -> Unread | None:
    with contextlib.suppress(OSError):
        if os.fstat(stream.fileno()).st_size > os.lseek(stream.fileno(), 0, os.SEEK_CUR):
            return Unread(path, "it changed while it was read", FAILED)
    return None


def unread_of(path: str, error: OSError) -> Unread:
    """Why something could not be read."""
    if isinstance(error, IsADirectoryError):
        # It was one when the file was found.
        return Unread(path, "not a regular file", FAILED)
    kind = FAILED
    if isinstance(error, PermissionError):
        kind = DENIED
    elif isinstance(error, (FileNotFoundError, NotADirectoryError)):
        kind = MISSING
    return Unread(path, error.strerror or "it cannot be read", kind)
