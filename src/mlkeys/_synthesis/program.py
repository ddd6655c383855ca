# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs a program and returns the app that it makes."""

from __future__ import annotations

import contextlib
import gc
import runpy
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from mlkeys._errors import AppInvalid, MlkeysError
from mlkeys._model.location import Location, is_users, raised_at
from mlkeys._model.stack import Root, Session, Stack, session
from mlkeys._model.tree import ambient
from mlkeys._providers.literals import hidden, named_secrets_in

if TYPE_CHECKING:
    import traceback


def load(program: Path) -> Root:
    """Run a program and return its app.

    A program that makes no `App` is in the flat style: its constructs are in one stack, named after its file.

    Raises:
        MlkeysError: it cannot be run, or does not make exactly one app.
    """
    path = program.absolute()
    if not path.is_file():
        raise MlkeysError(f"The program {program} does not exist. Create one with 'mlkeys init'.")
    flat, stack = _flat_app(path)
    # The tree lives until the process ends. Searching it for garbage all the time would take a tenth of the whole.
    gc.set_threshold(100_000, 50, 100)
    running = Session()
    before, modules = list(sys.path), {*sys.modules}
    sys.path.insert(0, str(path.parent))
    in_session, in_stack = session.set(running), ambient.set(stack)
    try:
        # What the program prints is not output of the command.
        with contextlib.redirect_stdout(sys.stderr):
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        # A program may end like any other: sys.exit(main()).
        if end.code not in (None, 0):
            text = f"{program} ended with {_status(end)}: nothing was made of it."
            raise MlkeysError(hidden(text, named_secrets_in(text))) from None
    except SyntaxError as mistake:
        raise MlkeysError(f"{mistake.filename}:{mistake.lineno}: {mistake.msg}") from None
    except AppInvalid:
        raise
    except MlkeysError as problem:
        raise MlkeysError(hidden(f"{_line(problem)}: {problem}")) from None
    finally:
        ambient.reset(in_stack)
        session.reset(in_session)
        sys.path[:] = before
        _imported[path] = _forget_modules(path.parent, {*sys.modules} - modules)
    return _the_app(program, running, flat, stack)


#: The files of the modules beside each program that was loaded.
_imported: dict[Path, frozenset[Path]] = {}


def modules_of(program: Path) -> frozenset[Path]:
    """Return the files of the modules beside a program that it imported when it was loaded."""
    return _imported.get(program.absolute(), frozenset())


def _forget_modules(folder: Path, names: Collection[str]) -> frozenset[Path]:
    """Forget the modules beside a program, and return their files. Another program has its own of the same name."""
    files = set()
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts:
            del sys.modules[name]
            files.add(Path(file))
    return frozenset(files)


def _status(end: SystemExit) -> str:
    return f"status {end.code}" if isinstance(end.code, int) else f"the message {str(end.code)!r}"


def _line(problem: MlkeysError) -> str:
    """Return the innermost line of the program that led to the problem."""
    where = raised_at(problem)
    return f"{Path(where.file).name}:{where.line}" if where is not None else "mlkeys"


def users_traceback(problem: Exception) -> str | None:
    """Return the traceback of an exception with the user's frames alone, None when it has none."""
    import traceback  # noqa: PLC0415  only for programs that fail

    shown = traceback.TracebackException.from_exception(problem)
    if not _keep_users(shown):
        return None
    text = "".join(shown.format())
    return hidden(text, named_secrets_in(text))


def _keep_users(shown: traceback.TracebackException) -> bool:
    """Remove all other frames, and return whether any is left."""
    frames = [frame for frame in shown.stack if is_users(frame.filename)]
    shown.stack = type(shown.stack).from_list(frames)
    inner = [one for one in (shown.__cause__, shown.__context__, *(shown.exceptions or ())) if one is not None]
    return any([bool(frames), *(_keep_users(one) for one in inner)])


def _flat_app(path: Path) -> tuple[Root, Stack]:
    app = Root()
    # Problems of the app and its stack point to the first line of the program.
    app.node.location = Location(str(path), 1)
    stack = Stack(app, path.stem)
    stack.node.location = app.node.location
    return app, stack


def _the_app(program: Path, running: Session, flat: Root, stack: Stack) -> Root:
    used = bool(stack.node.children)
    if not running.roots and not used:
        raise MlkeysError(f"{program} makes no constructs: there is nothing to synthesize.")
    if len(running.roots) + used > 1:
        raise MlkeysError(
            f"{program} makes {len(running.roots)} App objects"
            + (" and constructs outside of them: give those a scope, or put them under 'with stack:'." if used else ".")
        )
    return running.roots[0] if running.roots else flat
