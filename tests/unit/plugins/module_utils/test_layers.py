# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file may import what: data and decisions know neither Ansible nor the network, and nothing goes in circles."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.support.collection import ROOT

PLUGINS = ROOT / "plugins"
OURS = "ansible_collections.mlkeys.transit.plugins."
SHARED = OURS + "module_utils."

# What each file may import of the collection. What is not named here has no place yet.
ALLOWED: dict[str, set[str]] = {
    "_schema": set(),
    "_policy": set(),
    "_shapes": set(),
    "_errors": set(),
    "_settings": {"_errors"},
    "_plan": {"_errors", "_schema"},
    "_ciphertexts": set(),
    "_file_search": {"_errors"},
    "_plan_approle": {"_plan", "_schema"},
    "_vars_document": {"_errors"},
    "_encrypted_vars": {"_ciphertexts", "_errors", "_schema", "_vars_document"},
    "_backup_file": {"_errors"},
    "_sealing": {"_errors"},
    "_cluster": set(),
    "_client": {"_cluster", "_errors", "_settings"},
    "_auth": {"_client", "_errors", "_settings"},
    "_session": {"_auth", "_client", "_errors", "_settings"},
    "_transit": {"_client", "_errors"},
    "_access": {"_client", "_errors"},
    "_kv": {"_client", "_errors"},
    "_unwrap": {"_errors", "_settings"},
    "_reconcile": {"_client", "_errors", "_plan", "_schema", "_transit"},
    "_reconcile_keys": {"_client", "_errors", "_plan", "_reconcile", "_transit"},
    "_reconcile_vars": {
        *("_ciphertexts", "_client", "_encrypted_vars", "_errors", "_kv", "_reconcile", "_schema", "_transit"),
    },
    "_reconcile_policy": {"_access", "_client", "_errors", "_policy", "_reconcile", "_schema", "_transit"},
    "_reconcile_approle": {"_access", "_client", "_errors", "_plan_approle", "_reconcile", "_schema"},
    "_reconcile_backup": {"_backup_file", "_client", "_errors", "_reconcile", "_sealing", "_transit"},
    "_values": {
        *("_client", "_encrypted_vars", "_errors", "_kv", "_reconcile", "_reconcile_vars", "_schema", "_transit"),
    },
    "_module": {"_auth", "_client", "_errors", "_policy", "_reconcile", "_schema", "_session", "_settings"},
    "_module_files": {"_errors", "_module", "_settings", "_unwrap"},
    "_module_backup": {"_module", "_module_files", "_reconcile_backup", "_sealing"},
    "_module_ciphertexts": {"_ciphertexts", "_errors", "_file_search", "_module", "_module_files"},
    "_reconcile_ciphertexts": {"_ciphertexts", "_errors", "_reconcile", "_schema", "_transit"},
}
MODULES_MAY = {
    "_module",
    "_module_backup",
    "_module_ciphertexts",
    "_module_files",
    "_reconcile",
    "_reconcile_approle",
    "_reconcile_keys",
    "_reconcile_policy",
    "_reconcile_vars",
    "_schema",
}
# The same for what runs on the controller alone.
PLUGIN_UTILS: dict[str, set[str]] = {
    "_action": {"_session"},
    "_ciphertext_action": {
        *("_ciphertexts", "_client", "_errors", "_module", "_module_ciphertexts", "_reconcile_ciphertexts"),
        *("_session", "_settings", "_transit"),
    },
    "_decrypted_files": {"_encrypted_vars", "_errors", "_reconcile_vars", "_transit"},
    "_handover": {"_errors", "_module", "_session", "_settings"},
    "_here": set(),
    "_host_agent": {"_shapes"},
    "_host_secrets": {"_encrypted_vars", "_errors", "_schema"},
    "_host_services": {"_encrypted_vars", "_errors", "_shapes"},
    "_lookup": {"_client", "_errors", "_session", "_settings"},
    "_marking": set(),
    "_options": {"_settings"},
    "_rewrap_action": {"_ciphertexts", "_errors", "_module_ciphertexts", "_reconcile_ciphertexts", "_transit"},
    "_rotation": set(),
    "_status": set(),
    "_vars_files": {"_client", "_encrypted_vars", "_errors", "_kv"},
}
PLUGINS_MAY: dict[str, set[str]] = {
    "action": set(),
    "callback": {"_session"},
    "filter": {"_errors", "_shapes"},
    "lookup": {"_values"},
    "vars": {"_client", "_encrypted_vars", "_session", "_settings"},
}
WITH_CODE = ("module_utils", "plugin_utils", "modules", *PLUGINS_MAY)

# Who may use what is outside of the collection and of the standard library.
ALLOWED_OUTSIDE: dict[str, set[str]] = {
    "_client": {"hvac", "requests", "urllib3"},
    "_vars_document": {"ruamel"},
    "_sealing": {"pyrage"},
    "_module": {"ansible"},
    "_module_backup": {"ansible"},
    "_module_ciphertexts": {"ansible"},
    "_module_files": {"ansible"},
    "_unwrap": {"ansible"},
}

PURE = (
    "_schema",
    "_policy",
    "_shapes",
    "_errors",
    "_settings",
    "_cluster",
    "_plan",
    "_plan_approle",
    "_backup_file",
    "_encrypted_vars",
    "_vars_document",
)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(path: Path) -> set[str]:
    """The full names of all that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module or "")
    return names


def shared(path: Path) -> set[str]:
    return {name[len(SHARED) :] for name in imported(path) if name.startswith(SHARED)}


def outside(path: Path) -> set[str]:
    tops = {name.partition(".")[0] for name in imported(path)}
    return tops - sys.stdlib_module_names - {"ansible_collections"}


def files(folder: str) -> list[Path]:
    return sorted((PLUGINS / folder).glob("*.py"))


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


@pytest.mark.parametrize("path", files("module_utils"), ids=lambda path: str(path.stem))
def test_a_shared_file_imports_what_its_layer_may(path: Path) -> None:
    assert path.stem in ALLOWED, "say in this table what the new file may import"
    assert shared(path) <= ALLOWED[path.stem]
    assert outside(path) <= ALLOWED_OUTSIDE.get(path.stem, set())
    ours = {name for name in imported(path) if name.startswith("ansible_collections")}
    assert all(name.startswith(SHARED) for name in ours)


def test_the_table_names_no_file_that_is_gone() -> None:
    assert set(ALLOWED) == set(names(files("module_utils")))
    assert set(PLUGIN_UTILS) == set(names(files("plugin_utils")))
    folders = {path.name for path in PLUGINS.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders == {*WITH_CODE, "doc_fragments"}


def test_nothing_imports_in_circles() -> None:
    done: set[str] = set()
    while len(done) < len(ALLOWED):
        ready = {name for name, allowed in ALLOWED.items() if name not in done and allowed <= done}
        assert ready, f"a circle among {set(ALLOWED) - done}"
        done |= ready


@pytest.mark.parametrize("path", files("modules"), ids=lambda path: str(path.stem))
def test_a_module_is_its_documentation_its_options_and_one_call(path: Path) -> None:
    assert shared(path) <= MODULES_MAY
    assert {name for name in imported(path) if name.startswith("ansible.")} == {"ansible.module_utils.basic"}
    assert outside(path) <= {"ansible"}
    functions = [node.name for node in parsed(path).body if isinstance(node, ast.FunctionDef)]
    assert functions == ["main"]


@pytest.mark.parametrize(
    ("folder", "path"),
    [(folder, path) for folder in PLUGINS_MAY for path in files(folder)],
    ids=lambda value: str(getattr(value, "stem", value)),
)
def test_a_plugin_speaks_through_the_edge(folder: str, path: Path) -> None:
    assert shared(path) <= PLUGINS_MAY[folder]
    assert outside(path) <= {"ansible"}


@pytest.mark.parametrize("path", files("plugin_utils"), ids=lambda path: str(path.stem))
def test_the_edge_towards_plugins(path: Path) -> None:
    assert path.stem in PLUGIN_UTILS, "say in this table what the new file may import"
    assert shared(path) <= PLUGIN_UTILS[path.stem]
    # The controller has both.
    assert outside(path) <= {"ansible", "yaml"}


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_asks_neither_the_clock_nor_chance_nor_the_system(name: str) -> None:
    impure = {"os", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib.request"}
    assert not imported(PLUGINS / "module_utils" / f"{name}.py") & impure


@pytest.mark.parametrize("path", files("module_utils"), ids=lambda path: str(path.stem))
def test_nothing_heavy_is_imported_before_it_is_needed(path: Path) -> None:
    at_once = {
        alias.name.partition(".")[0]
        for node in parsed(path).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in ([ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names)
    }
    assert not at_once & {"hvac", "pyrage", "requests", "urllib3", "yaml"}


def texts_of_exceptions(path: Path) -> list[int]:
    """Handlers, by their line, in which the caught exception becomes text: by ``str``, ``repr``, ``%`` or f-string."""
    lines = []
    handlers = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ExceptHandler) and node.name]
    for handler in handlers:
        for node in ast.walk(handler):
            used: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("str", "repr"):
                used = node.args
            elif isinstance(node, ast.FormattedValue):
                used = [node.value]
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
                used = [node.right, *(node.right.elts if isinstance(node.right, ast.Tuple) else [])]
            if any(isinstance(value, ast.Name) and value.id == handler.name for value in used):
                lines.append(handler.lineno)
    return lines


# Exceptions of our own parsers, which hold an option's text and no secret.
OWN_TEXTS = {
    "_reconcile": "ValueError",
    "_encrypted_vars": "ValueError",
    "_values": "ValueError",
    "_host_services": "Unfit",
    "quoted": "Unfit",
    "shaped": "Unfit",
}


@pytest.mark.parametrize(
    "path",
    [path for folder in WITH_CODE for path in files(folder)],
    ids=lambda path: str(path.stem),
)
def test_no_foreign_exception_becomes_text(path: Path) -> None:
    # hvac's and requests' hold whole answers, and the answer to a decrypt holds plaintext.
    lines = texts_of_exceptions(path)
    caught = {
        ast.unparse(node.type)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler) and node.type is not None and node.lineno in lines
    }
    assert caught <= {OWN_TEXTS.get(path.stem, "")}


@pytest.mark.parametrize("folder", [*WITH_CODE, "doc_fragments"])
def test_every_file_says_its_licence(folder: str) -> None:
    licence = "BSD-2-Clause" if folder == "module_utils" else "GPL-3.0-or-later"
    for path in files(folder):
        head = path.read_text(encoding="utf-8")[:400]
        # REUSE-IgnoreStart
        assert f"SPDX-License-Identifier: {licence}\n" in head, path
        # REUSE-IgnoreEnd
        assert "2026" in head, path


@pytest.mark.parametrize("folder", [*WITH_CODE, "doc_fragments"])
def test_plugins_narrow_by_if_not_by_assert_and_hide_nothing_from_the_checkers(folder: str) -> None:
    for path in files(folder):
        assert not [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Assert)], path
        assert "type: ignore" not in path.read_text(encoding="utf-8"), path
        bare = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.ExceptHandler) and n.type is None]
        assert not bare, path
