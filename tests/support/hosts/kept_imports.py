# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at each start of Python in the environments of tests: keeps what the files of modules import.

To pack a module, Ansible parses it and some seventy files that it needs, and looks for imports in their trees. Each run
of a playbook does so for each of its modules, which takes 0.1 to 0.2 s. This keeps a tree that has only the imports.
"""

from __future__ import annotations

from typing import Any

kept: Any = __import__("kept")


def _change(module: Any) -> None:
    parse = getattr(module, "_compile_module_ast", None)
    if parse is None:
        return  # an older ansible-core

    def parse_once(module_name: str, source_code: Any) -> Any:
        source = source_code if isinstance(source_code, bytes) else str(source_code).encode("utf-8", "surrogatepass")
        # Ansible reads this assignment from the tree as well.
        if b"METADATA" in source:
            return parse(module_name, source_code)
        file = kept.file_of(source, "imports")
        text = kept.read(file)
        if text is not None:
            return module.ast.parse(text)
        tree = parse(module_name, source_code)
        kept.write(file, only_imports(tree))
        return tree

    module._compile_module_ast = parse_once


def only_imports(tree: Any) -> str:
    """A program with the same imports. Those that are not at its top stay so, since they are optional for Ansible."""
    import ast

    top: list[str] = []
    others: list[str] = []

    # As Ansible's own visitor goes.
    def visit(node: ast.AST) -> None:
        for _field, value in ast.iter_fields(node):
            for item in value if isinstance(value, list) else ():
                if isinstance(item, ast.Import | ast.ImportFrom):
                    (top if node is tree else others).append(ast.unparse(item))
                elif isinstance(item, ast.AST):
                    visit(item)

    visit(tree)
    return "\n".join([*top, *(f"if 0: {line}" for line in others)])


kept.after_import("ansible.executor.module_common", _change)
