# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that several files state are the same in all of them."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from importlib.metadata import metadata, version
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlkeys._commands import COMMANDS
from tests.support.collection import ROOT
from tests.support.matrix import passed_before, results_of, session_of, table, tree_of

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
PLUGIN_MARKUP = re.compile(r"\b(?:[BCEILMOPRUV]|RV)\(")
WORD = re.compile(r"`(?:mlkeys )?(\w+)`")
LOCKED = sorted(path.stem for path in (ROOT / "requirements").glob("*.txt"))


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def pins(path: Path) -> dict[str, str]:
    """Return exact versions by normalised name, including those of included files."""
    text = path.read_text(encoding="utf-8")
    found = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PINNED.findall(text)}
    for included in re.findall(r"^-r (\S+)", text, re.MULTILINE):
        found |= pins(path.parent / included)
    return found


def test_the_package_has_the_version_of_the_collection() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in described["project"]["dynamic"]
    source = described["tool"]["hatch"]["version"]
    assert source["path"] == "galaxy.yml"
    (found,) = re.finditer(source["pattern"], (ROOT / source["path"]).read_text(encoding="utf-8"), re.MULTILINE)
    assert found["version"] == read_yaml("galaxy.yml")["version"] == version("mlkeys")


def test_the_collection_and_the_package_name_the_same_addresses() -> None:
    described = read_yaml("galaxy.yml")
    addresses = [entry.split(", ") for entry in metadata("mlkeys").get_all("Project-URL") or ()]
    named = {name.lower(): url for name, url in addresses}
    assert named == {name: described[name] for name in ("documentation", "homepage", "issues", "repository")}
    assert all(url.startswith(described["repository"]) for url in named.values())


def test_the_page_of_the_package_is_the_readme_with_links_to_the_repository() -> None:
    repository, page = read_yaml("galaxy.yml")["repository"], metadata("mlkeys")["Description"]
    links = re.findall(r"\]\((.+?)\)", page)
    assert f"{repository}/raw/main/docs/_static/start.svg" in links
    assert f"{repository}/blob/main/docs/compare.md" in links
    assert all(link.startswith(("https://", "#")) for link in links)
    within = [link.removeprefix(f"{repository}/").split("/", 2)[2] for link in links if link.startswith(repository)]
    assert [path for path in within if not (ROOT / path.partition("#")[0]).exists()] == []
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.sub(r"\]\(.+?\)", "]()", page).strip() == re.sub(r"\]\(.+?\)", "]()", readme).strip()


def test_the_controller_needs_the_same_libraries_everywhere() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    lines = (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if line and not line.startswith("#")}
    needed = [library for name in ("ansible", "aws", "azure", "backup", "gcp") for library in extras[name]]
    assert listed == {*needed} - {"ansible-core>=2.16"}
    assert set(extras["runtime"]) <= set(extras["ansible"])


def of_noxfile(name: str) -> Any:
    """A constant of the noxfile. Nox itself is in another environment."""
    module = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    found = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    core = ast.literal_eval(found["CORE"])
    plain = ast.parse(ast.unparse(found[name]).replace("CORE", repr(core)), mode="eval")
    return ast.literal_eval(plain.body)


def test_the_table_of_versions_is_what_the_matrix_runs() -> None:
    releases, whole = of_noxfile("RELEASES"), of_noxfile("WHOLE")
    pythons = {core.rpartition(".")[0]: each for core, each in releases.items()}
    made = table(pythons, lambda release, python: "all" if whole.get(release) == python else "core")
    page = (ROOT / "docs/start/install.md").read_text(encoding="utf-8")
    assert made in page, made
    versions = [*pythons, *dict.fromkeys(python for each in pythons.values() for python in each)]
    for name in ("ansible-core", "Python"):
        row = page.partition(f"| {name} |")[2].partition("\n")[0].split("|")[1]
        first, last = re.findall(r"\d\.\d+", row)
        assert {first, last} <= set(versions)


def test_the_matrix_shows_each_cell_with_the_result_of_its_session(tmp_path: Path) -> None:
    whole, pythons = {"2.16": "3.9"}, {"2.16": ["3.9", "3.10"], "2.17": ["3.10"]}
    ended = {"tests-2.16": "success", "core-2.16-3.10": "skipped", "core-2.17-3.10": "failed"}
    report = tmp_path / "report.json"
    assert results_of(report) == {}
    of_nox = [{"name": "core", "signatures": ["core", name], "result": how} for name, how in ended.items()]
    report.write_text(json.dumps({"sessions": of_nox}), encoding="utf-8")
    results = results_of(report)
    assert table(pythons, lambda release, python: results[session_of(release, python, whole)]) == (
        "| ansible-core | Python 3.9 | Python 3.10         |\n"
        "| ------------ | ---------- | ------------------- |\n"
        "| 2.16         | passed     | not on this machine |\n"
        "| 2.17         |            | FAILED              |"
    )


def test_the_matrix_goes_on_where_it_was_stopped_unless_a_file_has_changed(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)  # noqa: S607
    (tmp_path / ".gitignore").write_text("*.log\n", encoding="utf-8")
    record, seen = tmp_path / "matrix.log", [tree_of(tmp_path)]
    assert passed_before(record, seen[0]) == {}
    record.write_text(json.dumps({"files": seen[0], "passed": ["lint"]}), encoding="utf-8")
    for name, text in (("new", "1"), ("new", "2"), ("other", "2")):
        assert passed_before(record, tree_of(tmp_path)) == ({"lint": "passed"} if len(seen) == 1 else {})
        (tmp_path / name).write_text(text, encoding="utf-8")
        seen.append(tree_of(tmp_path))
    assert len(set(seen)) == len(seen)
    assert not (tmp_path / ".git" / "index").exists()


def test_every_module_is_in_the_action_group() -> None:
    group = read_yaml("meta/runtime.yml")["action_groups"]["vault"]
    names = [entry for entry in group if isinstance(entry, str)]
    assert names == sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


def test_every_module_and_command_is_in_the_list_of_parts() -> None:
    page = (ROOT / "docs" / "reference" / "contents.md").read_text(encoding="utf-8")
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert {name for name in modules if f"`mlkeys.transit.{name}`" not in page} == set()
    listed = {
        name for cell in re.findall(r"^\| (`mlkeys.*?) \| command", page, re.MULTILINE) for name in WORD.findall(cell)
    }
    assert set(COMMANDS) - listed == set()


def test_changelog_fragments_have_no_markup_of_plugins() -> None:
    """They are reStructuredText, which would show the markup literally."""
    fragments = (ROOT / "changelogs/fragments").glob("*.yml")
    assert [found for path in fragments for found in PLUGIN_MARKUP.findall(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("name", LOCKED)
def test_locked_requirements_hold_the_pins_they_are_made_from(name: str) -> None:
    locked = pins(ROOT / "requirements" / f"{name}.txt")
    wanted = pins(ROOT / "requirements" / f"{name}.in")
    assert wanted
    assert {name: locked.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("name", LOCKED)
def test_locked_requirements_carry_hashes(name: str) -> None:
    """One without would make an installation refuse all others."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_all_locked_requirements_exist() -> None:
    tests = {"tests-2.16", "tests-2.19", "tests-2.21"}
    assert {
        "build",
        "demo",
        "docs",
        "fuzz",
        "lint",
        "molecule",
        "nox",
        "peer",
        "sanity",
        "sbom",
        "scanners",
    } | tests == set(LOCKED)


def test_the_readme_is_about_one_screen() -> None:
    # GitHub shows 45 to 50 lines of text and code at once. A link counts as its text.
    readme = re.sub(r"<!--.*?-->\n?|\]\(.+?\)", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    rows = sum(max(1, -(-len(line) // 95)) for line in readme.splitlines() if line and not line.startswith("```"))
    drawing = (ROOT / "docs/_static/start.svg").read_text(encoding="utf-8")
    ((wide, high, shown),) = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)" width="(\d+)"', drawing)
    assert rows <= 40
    assert float(high) * int(shown) / float(wide) < 200, "the recording leaves room for what to type"
    # Its letters are 20 units high. The column of a telephone is 358 pixels wide, and has a drawing of its own.
    (phone,) = re.findall(r'class="phone" viewBox="0 [\d.]+ ([\d.]+) ', drawing)
    assert 20 * 358 / float(phone) > 10
