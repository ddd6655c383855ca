# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of Python in the environments of tests: keeps the bytecode of collections.

Python keeps that of all other modules. Ansible compiles the modules of a collection in each process that imports them,
which takes 0.05 to 0.1 s for those of a playbook.
"""

from __future__ import annotations

from typing import Any

kept: Any = __import__("kept")


def _change(module: Any) -> None:
    def compile_once(*, source: Any, filename: str, **options: Any) -> Any:
        text = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
        # Code holds the name of its file.
        file = kept.file_of(repr((filename, sorted(options.items()))).encode() + text, "collection")
        code = kept.read(file)
        if code is None:
            code = compile(source, filename, **options)
            kept.write(file, code)
        return code

    module.compile = compile_once


kept.after_import("ansible.utils.collection_loader._collection_finder", _change)
