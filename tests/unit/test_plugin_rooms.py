# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which room of the plugins may import what. Data and decisions know neither Ansible nor the network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.collection import ROOT
from tests.support.imports import heavy, imported, outside

PLUGINS = ROOT / "plugins"
OURS = "ansible_collections.mlkeys.transit.plugins."
WITH_CODE = ("module_utils", "plugin_utils", "modules", "action", "callback", "filter", "lookup", "test", "vars")

#: What each room may import of the others. A new room needs a row here.
ROOMS: dict[str, set[str]] = {
    "module_utils/_shared": set(),
    "module_utils/_connection": {"_shared"},
    "module_utils/_run": {"_connection"},
    "module_utils/_material": {"_connection", "_run"},
    "module_utils/_transit": {"_shared", "_connection", "_run", "_material"},
    "module_utils/_access": {"_shared", "_connection", "_run", "_transit"},
    "module_utils/_ciphertexts": {"_shared", "_connection", "_run", "_transit"},
    "module_utils/_backup": {"_connection", "_run", "_transit"},
    "module_utils/_vars_file": {"_shared", "_connection", "_run", "_transit", "_ciphertexts"},
    "module_utils/_lookup": {"_shared", "_connection", "_run", "_transit", "_vars_file"},
    "module_utils/_module": {"_shared", "_connection", "_run", "_transit", "_ciphertexts", "_backup"},
    "plugin_utils/_controller": {"_shared", "_connection", "_run", "_transit", "_ciphertexts", "_vars_file"},
    "plugin_utils/_action": {
        *("_shared", "_connection", "_run", "_material", "_transit", "_ciphertexts", "_vars_file", "_module"),
        "_controller",
    },
    "plugin_utils/_hosts": {"_shared", "_connection", "_vars_file"},
    "plugin_utils/_fleet": {"_shared", "_transit"},
    "modules": {"_shared", "_transit", "_access", "_vars_file", "_module"},
    "action": {"_action"},
    "callback": {"_connection", "_controller"},
    "filter": {"_shared", "_connection", "_controller", "_hosts", "_fleet"},
    "lookup": {"_shared", "_connection", "_lookup", "_controller", "_fleet"},
    "test": {"_controller"},
    "vars": {"_shared", "_connection", "_vars_file", "_controller"},
}

#: Who may use what is outside of the collection and of the standard library, by file or by room.
OUTSIDE: dict[str, set[str]] = {
    "module_utils/_connection/adapter": {"hvac", "requests", "urllib3"},
    "module_utils/_connection/_logins/aws": {"botocore"},
    "module_utils/_connection/_logins/azure": {"azure"},
    "module_utils/_connection/_logins/gcp": {"google", "requests"},
    "module_utils/_connection/_ways/limits": {"requests", "urllib3"},
    "module_utils/_connection/plain": {"certifi"},
    "module_utils/_connection/transport": {"requests", "urllib3"},
    "module_utils/_connection/_ways/unix_sockets": {"requests", "urllib3"},
    "module_utils/_vars_file/document": {"ruamel"},
    "module_utils/_vars_file/leaves": {"ruamel"},
    "module_utils/_backup/sealing": {"pyrage"},
    "module_utils/_material/material": {"bcrypt", "cryptography"},
    "module_utils/_module": {"ansible"},
    # The controller has both.
    "plugin_utils": {"ansible", "yaml"},
    "plugin_utils/_fleet": {"jinja2"},
    # It knows what is undefined.
    "plugin_utils/_controller/vars_files": {"jinja2"},
    # It reads variables of the template.
    "filter/decrypt_vars": {"jinja2"},
    **{name: {"ansible"} for name in ("modules", "action", "callback", "filter", "lookup", "test", "vars")},
}

PURE = (
    "_shared/_attributes/approle",
    "_shared/_attributes/attribute",
    "_shared/_attributes/key",
    "_shared/_attributes/mount",
    "_shared/_yaml/words",
    "_shared/ciphertext_version",
    "_shared/durations",
    "_shared/kept_sealed",
    "_shared/key_types",
    "_shared/merge_conflicts",
    "_shared/printable",
    "_shared/names",
    "_shared/policy",
    "_shared/shapes",
    "_shared/hcl",
    "_shared/suggestions",
    "_shared/vars_files",
    "_shared/vars_plugins",
    "_connection/errors",
    "_connection/_logins/options",
    "_connection/messages",
    "_connection/reasons",
    "_connection/settings",
    "_connection/cluster",
    "_run/plan",
    "_material/import_plan",
    "_transit/key_plan",
    "_transit/backend_plan",
    "_transit/options",
    "_transit/copies",
    "_transit/timestamps",
    "_transit/item_errors",
    "_access/approle_plan",
    "_lookup/request",
    "_lookup/results",
    "_lookup/terms",
    "_backup/file",
    "_vars_file/entries",
    "_vars_file/document",
)

CODE = sorted(
    path for folder in WITH_CODE for path in (PLUGINS / folder).rglob("*.py") if path.name != "__init__.py"
)  # fmt: skip


def place(path: Path) -> str:
    """A file as the tables name it: its path below plugins without the suffix."""
    return path.relative_to(PLUGINS).with_suffix("").as_posix()


def room(name: str) -> str:
    """The room of such a place, or of a dotted name below plugins."""
    parts = name.replace(".", "/").split("/")
    return "/".join(parts[:2]) if parts[0] in ("module_utils", "plugin_utils") else parts[0]


@pytest.mark.parametrize("path", CODE, ids=place)
def test_a_room_imports_what_the_table_allows(path: Path) -> None:
    here = room(place(path))
    assert here in ROOMS, "say in this table what the new room may import"
    there = {room(name[len(OURS) :]) for name in imported(path) if name.startswith(OURS)} - {here}
    assert {name.rpartition("/")[2] for name in there} <= ROOMS[here]
    assert not here.startswith("module_utils") or all(name.startswith("module_utils") for name in there)
    allowed = OUTSIDE.get(place(path), set()) | OUTSIDE.get(here, set()) | OUTSIDE.get(here.partition("/")[0], set())
    assert outside(path) - {"ansible_collections"} <= allowed


def test_the_tables_name_nothing_that_is_gone() -> None:
    assert set(ROOMS) == {room(place(path)) for path in CODE}
    assert all((PLUGINS / "module_utils" / f"{name}.py").is_file() for name in PURE)
    assert all((PLUGINS / name).is_dir() or (PLUGINS / f"{name}.py").is_file() for name in OUTSIDE)
    folders = {path.name for path in PLUGINS.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert folders == {*WITH_CODE, "doc_fragments"}


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("*.py")), ids=place)
def test_a_module_is_its_documentation_its_options_and_one_call(path: Path) -> None:
    # Not the class of Ansible, whose errors about options are masked in another way.
    assert not [name for name in imported(path) if name.startswith("ansible.")]
    functions = [node.name for node in parsed(path).body if isinstance(node, ast.FunctionDef)]
    assert functions == ["argument_spec", "main"]


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_asks_neither_the_clock_nor_chance_nor_the_system(name: str) -> None:
    impure = {"os", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib.request"}
    assert not imported(PLUGINS / "module_utils" / f"{name}.py") & impure


@pytest.mark.parametrize("path", sorted((PLUGINS / "module_utils").rglob("*.py")), ids=place)
def test_nothing_heavy_is_imported_before_it_is_needed(path: Path) -> None:
    assert not heavy(
        path, {"azure", "botocore", "cryptography", "google", "hvac", "pyrage", "requests", "urllib3", "yaml"}
    )


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


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
    "module_utils/_transit/options": "ValueError",
    "module_utils/_vars_file/entries": "ValueError",
    "module_utils/_lookup/terms": "ValueError",
    "plugin_utils/_hosts/services": "UnsupportedValue",
    "filter/quoted": "UnsupportedValue",
    "filter/shaped": "UnsupportedValue",
}


@pytest.mark.parametrize("path", CODE, ids=place)
def test_no_foreign_exception_becomes_text(path: Path) -> None:
    # hvac's and requests' hold whole answers, and the answer to a decrypt holds plaintext.
    lines = texts_of_exceptions(path)
    caught = {
        ast.unparse(node.type)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler) and node.type is not None and node.lineno in lines
    }
    assert caught <= {OWN_TEXTS.get(place(path), "")}


# Who keeps an error to raise it, or to end with it, once the handler is left, and why ``from None`` is not enough.
KEPT = {
    "module_utils/_module/masking",  # Ansible adds the traceback of a handler to what ends a module in it
    "module_utils/_transit/api",  # the refusal may quote a backup
    "module_utils/_transit/key",  # whether it is raised at all depends on more requests
}


@pytest.mark.parametrize("path", CODE, ids=place)
def test_errors_are_raised_in_their_handlers(path: Path) -> None:
    handlers = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ExceptHandler) and node.name]
    keeping = [
        handler.lineno
        for handler in handlers
        for node in ast.walk(handler)
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and isinstance(node.value, ast.Name)
        and node.value.id == handler.name
    ]
    assert not keeping or place(path) in KEPT


@pytest.mark.parametrize("folder", [*WITH_CODE, "doc_fragments"])
def test_every_file_says_its_licence(folder: str) -> None:
    licence = "BSD-2-Clause" if folder == "module_utils" else "GPL-3.0-or-later"
    for path in (PLUGINS / folder).rglob("*.py"):
        head = path.read_text(encoding="utf-8")[:400]
        if not head and path.name == "__init__.py":
            continue  # ansible-test wants them empty; REUSE.toml speaks for them
        # REUSE-IgnoreStart
        assert f"SPDX-License-Identifier: {licence}\n" in head, path
        # REUSE-IgnoreEnd
        assert "2026" in head, path


@pytest.mark.parametrize("folder", [*WITH_CODE, "doc_fragments"])
def test_plugins_narrow_by_if_not_by_assert_and_hide_nothing_from_the_checkers(folder: str) -> None:
    for path in (PLUGINS / folder).rglob("*.py"):
        assert not [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Assert)], path
        assert "type: ignore" not in path.read_text(encoding="utf-8"), path
        bare = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.ExceptHandler) and n.type is None]
        assert not bare, path
