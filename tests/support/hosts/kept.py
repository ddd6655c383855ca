# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other files of this name have in common: changes of modules when they are imported, and kept files."""

from __future__ import annotations

import _frozen_importlib_external
import _imp
import contextlib
import marshal
import os
import sys
from typing import Any

_FOLDER = f"{os.path.dirname(__file__)}/kept-bytecode"  # noqa: PTH120  pathlib is slow
_functions: dict[str, Any] = vars(_frozen_importlib_external)
_VERSION = _functions["_RAW_MAGIC_NUMBER"]


class _Finder:
    """Finds one module, and changes it once it is loaded."""

    def __init__(self, name: str, change: Any) -> None:
        self.name, self.change = name, change

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec: Any = _functions["PathFinder"].find_spec(name, path, target)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                self.change(module)

            spec.loader.exec_module = exec_module
        return spec


def after_import(name: str, change: Any) -> None:
    """Call `change` with the module when it has been imported."""
    sys.meta_path.insert(0, _Finder(name, change))


def file_of(key: bytes, kind: str) -> str:
    """The file for what is made of the key by this version of Python."""
    return f"{_FOLDER}/{_imp.source_hash(_VERSION, key).hex()}{len(key):x}.{kind}"


def read(file: str, form: Any = marshal) -> Any:
    """What is kept in the file; None if there is nothing."""
    with contextlib.suppress(OSError, EOFError, ValueError), open(file, "rb") as kept:  # noqa: PTH123
        return form.loads(kept.read())
    return None


def write(file: str, made: Any, form: Any = marshal) -> None:
    """Keep it, if that is possible."""
    with contextlib.suppress(OSError, ValueError):
        data = form.dumps(made)
        new = f"{file}.{os.urandom(8).hex()}"
        with open(new, "wb") as kept:  # noqa: PTH123
            kept.write(data)
        os.replace(new, file)  # noqa: PTH105
