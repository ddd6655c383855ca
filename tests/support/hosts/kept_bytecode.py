# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of a Python to which Ansible sends modules: keeps their bytecode.

A module comes as an archive of sources, which Python compiles again for each task. This is a quarter of the time that
a module takes. All hosts of this machine share the bytecode, since a new one would compile everything once more. So do
the environments of tests, see noxfile.py.
"""

from __future__ import annotations

import _imp
import contextlib
import marshal
import os
import zipimport
from types import CodeType
from typing import Any

_FOLDER = f"{os.path.dirname(__file__)}/kept-bytecode"  # noqa: PTH120  pathlib is slow
_functions: dict[str, Any] = vars(zipimport)
_compile = _functions["_compile_source"]
_VERSION = _functions["_bootstrap_external"]._RAW_MAGIC_NUMBER


def _compile_once(path: str, source: bytes) -> CodeType:
    # The hash differs for each version of bytecode, as in the files that Python itself keeps.
    file = f"{_FOLDER}/{_imp.source_hash(_VERSION, source).hex()}{len(source):x}"
    with contextlib.suppress(OSError, EOFError, ValueError), open(file, "rb") as kept:  # noqa: PTH123
        # Marshal's own reading of a file takes ten times as long, in small pieces.
        code: CodeType = marshal.loads(kept.read())  # noqa: S302  written below
        return code
    code = _compile(path, source)
    # A hardened service cannot write there.
    with contextlib.suppress(OSError):
        # Processes of different hosts can have the same number.
        new = f"{file}.{os.urandom(8).hex()}"
        with open(new, "wb") as kept:  # noqa: PTH123
            marshal.dump(code, kept)
        os.replace(new, file)  # noqa: PTH105
    return code


_functions["_compile_source"] = _compile_once
