# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Reads the templates of a program and writes its project: the only part of synthesis that touches files."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mlkeys._constructs.host_config import HostConfig
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Root, Stack
from mlkeys._shared._files.folders import Folder, folder_at, opened
from mlkeys._shared._files.reading import opened_to_read
from mlkeys._shared._files.replacing import File, NewFile
from mlkeys._synthesis import former_files
from mlkeys._synthesis.synth import MANIFEST, Synthesis, synthesize
from mlkeys._targets.state_names import FLOORS_FILE, folder_of

# Generated files are for everybody whom the user's umask lets read them.
_MODE = 0o666


def synthesize_for(app: Root, outdir: Path) -> Synthesis:
    """Synthesize an app for an output folder."""
    program = Path(app.node.folder or ".").absolute()
    sources = _sources(app, program)
    folder = Path(os.path.relpath(program, outdir.absolute())).as_posix()
    return synthesize(app, sources=sources, program_folder=folder, floors=_floors(app, program))


def write_app(app: Root, outdir: Path) -> Synthesis:
    """Write the files of an app to a folder; other files in it stay."""
    made = synthesize_for(app, outdir)
    write(made.files, outdir)
    return made


def _sources(app: Root, program: Path) -> dict[str, str]:
    """Return the texts of the templates that the program names, as far as they can be read."""
    found = {}
    for construct in app.node.walk():
        if isinstance(construct, HostConfig) and isinstance(construct.contents.get("template"), str):
            name = construct.contents["template"]
            try:
                found[name] = _text(program / name)
            except (OSError, UnicodeDecodeError):
                continue  # a check reports it, with its place in the program
    return found


def _floors(app: Root, program: Path) -> dict[Stack, dict[str, int]]:
    """Return what rotations raised the floors of keys to. What cannot be read, a deployment refuses."""
    found = {}
    for stack in app.stacks:
        with suppress(OSError, ValueError, RecursionError):
            given = json.loads(_text(program / folder_of(stack.stored_as) / FLOORS_FILE))
            if isinstance(given, dict):
                found[stack] = {name: floor for name, floor in given.items() if isinstance(floor, int)}
    return found


def write(files: Mapping[str, str], outdir: Path) -> None:
    """Write all files or none: they are written to a staging folder first, then moved.

    Files of an earlier run that are not part of this one are removed. The manifest is moved last: until it matches the
    files, `differences` reports them.

    Raises:
        MlkeysError: they cannot be written, or a link leads out of the folder to a file of the earlier run.
    """
    stale = _files_of(outdir) - files.keys()
    _check_links(outdir, stale)
    changed = [name for name in _manifest_last(files) if _read(outdir / name) != files[name]]
    try:
        _make_folder(outdir)
        with _staging(outdir) as folder, ExitStack() as stack:
            staged = {}
            for name in changed:
                _make_folder((outdir / name).parent)
                staged[name] = stack.enter_context(NewFile(folder, _MODE))
                staged[name].write(files[name].encode(), flush=False)
                # There may be more of them than a process may have open.
                staged[name].close()
            for name, new in staged.items():
                _place(new, outdir / name)
        for name in stale:
            former_files.remove(outdir, name)
    except OSError as problem:
        raise MlkeysError(f"{outdir} cannot be written: {problem.strerror}") from None


def _check_links(outdir: Path, stale: Collection[str]) -> None:
    for link, names in former_files.behind_links(outdir, stale).items():
        raise MlkeysError(
            f"{outdir / link} is a link, and nothing behind it is removed: remove the link, or the files that the "
            f"program no longer makes: {', '.join(names)}"
        )


def _place(new: NewFile, path: Path) -> None:
    """Put a file at a path, in place of a link as well. What can be made again need not outlast a power cut."""
    if path.is_symlink():
        with folder_at(str(path.parent)) as folder:
            os.unlink(path.name, dir_fd=folder.descriptor)
    with folder_at(str(path.parent)) as folder, File(folder, path.name) as file:
        new.place(file, flush=False)


def _make_folder(path: Path, mode: int = 0o777) -> None:
    """Create a folder that does not exist, and those above it, but behind no link that somebody else has put there."""
    if path.is_dir():
        return
    _make_folder(path.parent)
    with opened(str(path)) as (above, name):
        try:
            os.mkdir(name, mode, dir_fd=above.descriptor)
        except FileExistsError:
            if not path.is_dir():
                raise


@contextmanager
def _staging(outdir: Path) -> Iterator[Folder]:
    """A folder for files on their way. (`tempfile` would take as long to import as a small app takes to be made.)"""
    path = outdir / f".mlkeys-{os.urandom(8).hex()}"
    _make_folder(path, 0o700)
    try:
        with folder_at(str(path)) as folder:
            yield folder
    finally:
        path.rmdir()


def differences(files: Mapping[str, str], outdir: Path) -> list[str]:
    """Return the files that are missing, out of date or left over."""
    different = {name for name, text in files.items() if _read(outdir / name) != text}
    return sorted(different | (_files_of(outdir) - files.keys()))


def _manifest_last(files: Mapping[str, str]) -> list[str]:
    return sorted(files, key=lambda name: (name == MANIFEST, name))


def _files_of(outdir: Path) -> set[str]:
    """Return what an earlier run wrote, by its manifest."""
    text = _read(outdir / MANIFEST)
    return set() if text is None else former_files.listed(text) | {MANIFEST}


def _text(path: Path) -> str:
    with opened_to_read(str(path)) as file:
        return file.read().decode()


def _read(path: Path) -> str | None:
    try:
        return _text(path)
    except (OSError, UnicodeDecodeError):
        return None
