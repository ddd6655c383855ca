# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The files of an earlier run in an output folder: which they are, and how they are removed.

Anybody may have written the manifest that lists them, and links into the folder. So only what is in the folder itself
is removed, and nothing behind a link.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path

# There is none of this name, or something else: a folder, a link to one, or a file in place of a folder.
_NO_FILE = (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def listed(manifest: str | None) -> set[str]:
    """Return the files that a manifest lists; none for one that is damaged, which the next one replaces."""
    try:
        found = json.loads(manifest or "{}")["files"]
        return {name for name in found if isinstance(name, str) and _is_inside(name)}
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()


def _is_inside(name: str) -> bool:
    """Whether a name is that of a file below the folder. Synthesis never writes another one."""
    parts = name.split("/")
    return all(part not in ("", ".", "..") for part in parts) and "\0" not in name and _is_text(name)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def behind_links(outdir: Path, names: Collection[str]) -> dict[str, list[str]]:
    """Return the names of existing files that a link leads out of the folder to, by the link."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        link = next((above for above in _above(name) if os.path.islink(outdir / above)), None)  # noqa: PTH114
        # Those of `Path` raise for some names.
        if link is not None and os.path.exists(outdir / name):  # noqa: PTH110
            found.setdefault(link, []).append(name)
    return found


def _above(name: str) -> Iterator[str]:
    """Yield the folders of a file, the outermost first."""
    parts = name.split("/")
    return ("/".join(parts[:number]) for number in range(1, len(parts)))


def remove(outdir: Path, name: str) -> None:
    """Remove a file, unless a link leads to it, and the folders that it leaves empty.

    Raises:
        OSError: it cannot be removed.
    """
    *above, last = name.split("/")
    with contextlib.ExitStack() as stack:
        folders = [_opened(stack, str(outdir), None)]
        try:
            for part in above:
                folders.append(_opened(stack, part, folders[-1]))
            os.unlink(last, dir_fd=folders[-1])
        except OSError as problem:
            if problem.errno in _NO_FILE:
                return
            raise
        for part, folder in zip(reversed(above), reversed(folders[:-1]), strict=True):
            try:
                os.rmdir(part, dir_fd=folder)
            except OSError as problem:
                if problem.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
                raise


def _opened(stack: contextlib.ExitStack, name: str, above: int | None) -> int:
    # The output folder itself may be a link: it is where the user wants it.
    flags = _FOLDER if above is not None else _FOLDER & ~os.O_NOFOLLOW
    descriptor = os.open(name, flags, dir_fd=above)
    stack.callback(os.close, descriptor)
    return descriptor
