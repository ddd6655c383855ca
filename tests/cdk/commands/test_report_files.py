# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Reports replace earlier reports, whatever their format, and no other file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._commands.fleet.status_page import page
from mlkeys._errors import MlkeysError
from mlkeys._system import replacing, report_files

PROGRAM = """from mlkeys import transit as vault
vault.TransitSecretBackend("engine", path="transit")
"""
FORMATS: tuple[list[str], ...] = ([], ["--svg"], ["--html"], ["--json"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(PROGRAM)
    return tmp_path


def graph(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["graph", *arguments])
    return done.exit_code, done.stderr


def test_a_report_replaces_any_earlier_one(folder: Path) -> None:
    reports = {"new": "", "status": page([], datetime.now(UTC), folder)}
    for number, words in enumerate(FORMATS):
        assert graph(*words, "--out", f"{number}") == (0, "")
        reports[f"{number}"] = (folder / f"{number}").read_text()
    for text in reports.values():
        for former in reports.values():
            (folder / "report").write_text(former)
            report_files.write(folder / "report", text or "anything")


def test_a_picture_goes_to_the_file_after_its_format_as_the_page_of_status_does(folder: Path) -> None:
    for words in FORMATS[1:]:
        end = words[0].removeprefix("--")
        assert graph(*words, "--out", f"out.{end}") == (0, "")
        expected = (folder / f"out.{end}").read_text()
        for number, order in enumerate(
            ([*words, "{}"], ["app.py", *words, "{}"], [*words, "{}", "app.py"], [*words, "app.py", "{}"])
        ):
            name = f"{number}.{end}"
            assert graph(*(word.format(name) for word in order)) == (0, "")
            assert (folder / name).read_text() == expected
    for many in (["app.py", "a.svg"], ["--svg", "a.svg", "--out", "b.svg"], ["--svg", "a.svg", "b.svg"]):
        assert graph(*many)[0] == 2
    assert not {"a.svg", "b.svg"} & {file.name for file in folder.iterdir()}


@pytest.mark.parametrize("words", FORMATS)
def test_a_picture_replaces_no_other_file(folder: Path, words: list[str]) -> None:
    shown = graph(*words, "--out", "app.py")
    says = "app.py is not a report of mlkeys and is not replaced: name another file, or remove this one first."
    assert shown == (1, f"Error: {says}\n")
    assert (folder / "app.py").read_text() == PROGRAM


@pytest.mark.parametrize(
    "text",
    [
        "all:\n  hosts: {}\n",
        "{}\n",
        '{"generator": "others"}\n',
        "\n",
        "flowchart LR\n  a --> b\n",
        '<!doctype html>\n<html lang="en">\n<head>\n<meta name="generator" content="Hugo">\n</head>\nof mlkeys graph\n',
        "<!-- a page about the generator: mlkeys graph -->\n",
        "# The generator: mlkeys graph\n",
        f"<svg {' ' * 512} generator: mlkeys graph",
    ],
)
def test_what_only_looks_like_a_report_stays(folder: Path, text: str) -> None:
    (folder / "other").write_text(text)
    with pytest.raises(MlkeysError, match="is not a report of mlkeys"):
        report_files.write(folder / "other", "new")
    assert (folder / "other").read_text() == text


def test_what_the_caller_has_open_gets_the_report_after_what_it_holds(folder: Path) -> None:
    (folder / "notes.md").write_text("notes\n")
    with (folder / "notes.md").open("a") as notes:
        report_files.write(Path(f"/dev/fd/{notes.fileno()}"), "report\n")
    assert (folder / "notes.md").read_text() == "notes\nreport\n"


def test_a_folder_that_does_not_exist_is_named(folder: Path) -> None:
    with pytest.raises(MlkeysError, match="none/out cannot be written: the folder none does not exist"):
        report_files.write(Path("none/out"), "")
    assert not (folder / "none").exists()


def test_what_is_folded_is_printed(folder: Path) -> None:
    assert graph("--html", "--out", "graph.html") == (0, "")
    for text in ((folder / "graph.html").read_text(), page([], datetime.now(UTC), folder)):
        assert "details::details-content { content-visibility: visible; }" in text.partition("@media print")[2]


def test_a_missing_folder_of_a_replaced_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "status.jsonl"
    with pytest.raises(MlkeysError, match=r"none/status\.jsonl cannot be written: its folder .*/none does not exist\."):
        replacing.replace(path, "text", None)
