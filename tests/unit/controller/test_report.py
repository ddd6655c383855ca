# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a run says of changes, and that values stay out of it."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.report import Report, change_in


@pytest.mark.parametrize(
    ("result", "kind", "names"),
    [
        ({}, "done", []),
        ({"diff": []}, "done", []),
        ({"diff": {"before": {"a": 1}, "after": {"a": 1}}}, "done", []),
        ({"diff": {"before": {}, "after": {"a": 1}}}, "created", []),
        ({"diff": {"before": "", "after": "text"}}, "created", []),
        ({"diff": [{"before": {"a": 1, "c": 1}, "after": {"a": 2, "b": 1, "c": 1}}]}, "changed", ["a", "b"]),
        ({"diff": {"before": "x", "after": "y"}}, "changed", []),
        ({"diff": {"before": {"a": 1}, "after": None}}, "deleted", []),
        ({"diff": [{"before": "", "after": "x"}, {"before": "y", "after": ""}]}, "changed", []),
        ({"diff": [{"before": "", "after": "x"}, {"before": "y", "after": "y"}]}, "created", []),
        ({"results": [{"diff": {"before": "", "after": "x"}}, {"skipped": True}, "other"]}, "created", []),
        ({"diff": "text"}, "done", []),
    ],
)
def test_the_kind_of_a_change_comes_from_its_diff(result: dict[str, Any], kind: str, names: list[str]) -> None:
    assert change_in(result) == {"kind": kind, "names": names}


COUNTS: dict[str, dict[str, int]] = {
    name: {} for name in ("ok", "changed", "dark", "failures", "skipped", "rescued", "ignored")
}


def test_a_report_is_a_line_for_each_task_and_one_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv("MLKEYS_REPORT_FD", str(writing))
    report = Report()
    report.start("Key ml")
    secret = {"before": {"a": "sk-before"}, "after": {"a": "sk-after"}}
    report.add_change("Key ml", "localhost", {"changed": True, "diff": secret, "msg": "sk-message"})
    report.add_change("Engine", "localhost", {"changed": False, "diff": secret})
    report.send(SimpleNamespace(processed={"localhost": 1}, custom={}, **COUNTS))
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    started, whole = map(json.loads, text.splitlines())
    assert started == {"started": "Key ml"}
    assert whole["changes"] == [{"task": "Key ml", "host": "localhost", "kind": "changed", "names": ["a"]}]
    assert "sk-" not in text


def test_why_a_run_fails_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv("MLKEYS_REPORT_FD", str(writing))
    report = Report()
    report.add_failure({"msg": "No key.\n"})
    report.add_item_failure({"msg": "No engine.", "refused": True})
    report.add_failure({"msg": "One or more items failed"})
    report.add_failure({"censored": "hidden"})
    report.send(SimpleNamespace(processed={}, custom={}, **COUNTS))
    with os.fdopen(reading) as pipe:
        problems = [json.loads(line)["problem"] for line in pipe.readlines()[:-1]]
    assert problems == ["No key.", "No engine.", ""]


def test_without_a_descriptor_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLKEYS_REPORT_FD", raising=False)
    report = Report()
    report.start("x")
    report.send(SimpleNamespace(processed={}, custom={}))
