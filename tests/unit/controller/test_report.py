# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a run says of changes, and that values stay out of it."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.report import (
    Report,
    change_in,
    given_in,
    values_in,
)

REMOVED_C = [{"name": "a", "action": "kept"}, {"name": "c", "action": "removed"}]
ADDED_B = [{"name": "a", "action": "kept"}, {"name": "b", "action": "added"}]


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
        ({"diff": [{"before": {"a": 1}, "after": {"a": 2}}], "results": [{"name": "k"}]}, "changed", ["a"]),
        ({"results": [{"diff": {"before": "", "after": "x"}}, {"skipped": True}, "other"]}, "created", []),
        ({"diff": "text"}, "done", []),
        # New entries in a file of entries that existed
        ({"diff": {"before": {"a": "v1"}, "after": {"a": "v1", "b": "v1"}}, "entries": ADDED_B}, "created", ["b"]),
        ({"diff": {"before": {"a": "v1"}, "after": {"a": "v2", "b": "v2"}}, "entries": ADDED_B}, "changed", ["a", "b"]),
        ({"diff": {"before": {}, "after": {"b": "v1"}}, "entries": ADDED_B}, "created", ["b"]),
        ({"diff": {"before": {"a": "v1"}, "after": {"a": "v2"}}, "entries": "none"}, "changed", ["a"]),
        # Entries that left a file of entries that stay
        ({"diff": {"before": {"a": "v1", "c": "v1"}, "after": {"a": "v1"}}, "entries": REMOVED_C}, "deleted", ["c"]),
        (
            {"diff": {"before": {"a": "v1", "c": "v1"}, "after": {"a": "v2"}}, "entries": REMOVED_C},
            "changed",
            ["a", "c"],
        ),
        ({"diff": {"before": {"state": "absent"}, "after": {"state": "directory"}}}, "created", []),
        ({"diff": {"before": {"state": "file"}, "after": {"state": "absent"}}}, "deleted", []),
    ],
)
def test_the_kind_of_a_change_comes_from_its_diff(result: dict[str, Any], kind: str, names: list[str]) -> None:
    assert change_in(result) == {"kind": kind, "names": names}


@pytest.mark.parametrize(
    ("before", "after", "options", "values"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, (), [["b", 2, 3]]),
        # Of what is new, the server's defaults stay out.
        ({}, {"a": [], "b": ["x"], "c": True}, ("b", "c"), [["b", None, ["x"]], ["c", None, True]]),
        ({"state": "absent"}, {"state": "directory", "mode": "0755"}, ("mode",), [["mode", None, "0755"]]),
        ({"a": 1}, {}, (), []),
        ("x", "y", (), []),
        # Left to --diff
        ({"a": 1, "b": {}, "c": ""}, {"a": "long" * 16, "b": {"x": 1}, "c": "x\ny"}, (), []),
        # Of a task that is not of this collection
        ({"a": 1}, {"a": 2}, None, []),
    ],
)
def test_values_are_short_and_of_the_modules_of_this_collection(
    before: Any, after: Any, options: tuple[str, ...] | None, values: list[list[Any]]
) -> None:
    assert values_in({"diff": {"before": before, "after": after}}, options) == values


def test_attributes_that_a_task_gives_are_those_of_the_server_and_no_templates() -> None:
    key = {"backend": "e", "name": "k", "derived": True, "type": "{{ kind }}", "import": {"content": "sk-key"}}
    assert given_in({**key, "auto_rotate_period": "90d"}) == [
        ["derived", None, True],
        ["auto_rotate_period", None, "90d"],
    ]


def test_each_of_many_keys_has_its_own_values() -> None:
    report = Report()
    key = {"backend": "e", "changed": True, "action": "configured"}
    diffs = [
        {"before": {"a": number}, "after": {"a": 9}, "after_header": f"e/keys/{name}"}
        for number, name in enumerate("xy")
    ]
    found = {"changed": True, "results": [{**key, "name": "y"}, {**key, "name": "x"}], "diff": diffs}
    report.add_change("2 keys", "localhost", found, ["a"])
    report.add_change("Secret", "localhost", {"changed": True, "censored": "hidden"}, ["a"])
    many, hidden = report.document(SimpleNamespace(processed={}, custom={}, **COUNTS))["changes"]
    assert [(one["name"], one["values"]) for one in many["items"]] == [("e/y", [["a", 1, 9]]), ("e/x", [["a", 0, 9]])]
    assert (hidden["values"], hidden["hidden"]) == ([], True)


COUNTS: dict[str, dict[str, int]] = {
    name: {} for name in ("ok", "changed", "dark", "failures", "skipped", "rescued", "ignored")
}


def test_a_report_is_a_line_for_each_task_and_one_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv("MLKEYS_REPORT_FD", str(writing))
    report = Report()
    report.start("Key ml")
    secret = {"before": {"a": "sk-before"}, "after": {"a": "sk-after"}}
    shown = {"before": {"a": 1}, "after": {"a": 2}}
    report.add_change("Key ml", "localhost", {"changed": True, "diff": shown, "msg": "sk-message"}, [])
    # Other modules have a diff where Ansible shows it, so that a check would call the same thing otherwise.
    report.add_change("Copy", "localhost", {"changed": True, "diff": secret})
    report.add_change("Engine", "localhost", {"changed": False, "diff": secret})
    report.send(SimpleNamespace(processed={"localhost": 1}, custom={}, **COUNTS))
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    started, whole = map(json.loads, text.splitlines())
    assert started == {"started": "Key ml"}
    change = {"task": "Key ml", "host": "localhost", "kind": "changed", "names": ["a"], "items": []}
    other = {**change, "task": "Copy", "kind": "done", "names": [], "values": []}
    assert whole["changes"] == [{**one, "hidden": False} for one in ({**change, "values": [["a", 1, 2]]}, other)]
    assert "sk-" not in text


def test_why_a_run_fails_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setenv("MLKEYS_REPORT_FD", str(writing))
    report = Report()
    report.add_failure("Key", "a", {"msg": "No key.\n", "invocation": {"module_args": {"value": "sk-argument"}}})
    report.add_item_failure("Engines", "a", {"msg": "No engine.", "refused": True})
    report.add_failure("Engines", "a", {"msg": "One or more items failed"})
    report.add_failure("Key", "a", {"censored": "hidden"})
    report.add_failure("Start", "b", {"msg": "non-zero return code", "stdout": "", "stderr": "No such unit\n"})
    report.add_unreachable("Start", "c", {"msg": "No route to host", "unreachable": True})
    report.send(SimpleNamespace(processed={}, custom={}, **COUNTS))
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    lines = [json.loads(line) for line in text.splitlines()[:-1]]
    problems = [line["problem"] for line in lines if "problem" in line]
    assert problems == ["No key.", "No engine.", "", "non-zero return code"]
    assert [tuple(line["failed"].values()) for line in lines if "failed" in line] == [
        ("Key", "a", "No key.", ""),
        ("Engines", "a", "No engine.", ""),
        ("Key", "a", "", ""),
        ("Start", "b", "non-zero return code", "No such unit"),
        ("Start", "c", "No route to host", ""),
    ]
    assert "sk-" not in text


def test_what_one_task_makes_is_named_and_what_a_check_cannot_compare_is_counted() -> None:
    report = Report()
    for name, changed in (("a", True), ("b", False), ("c", True)):
        made = {"changed": changed, "diff": {"before": "", "after": "text"}}
        report.add_item("localhost", name, made, [])
    report.add_change("3 policies", "localhost", {"changed": True, "results": [{}]})
    key = {"backend": "transit", "changed": True, "key": {"value": "sk-key"}}
    results = [{**key, "name": "a", "action": "created"}, {**key, "name": "b", "action": "rotated"}]
    report.add_change("2 keys", "localhost", {"changed": True, "results": results})
    engine = {"skipped": True, "false_condition": "not ansible_check_mode or engine.diff.before | length > 0"}
    report.add_awaited("2 keys", "localhost", ["transit/a", "transit/b"], engine)
    report.add_awaited("2 files", "localhost", [""], {"results": [engine, {"changed": False}, engine]})
    for names, false in (([], engine["false_condition"]), ([""], "not ansible_check_mode"), ([""], "x is defined")):
        report.add_awaited("other", "localhost", names, {"skipped": True, "false_condition": false})
    document = report.document(SimpleNamespace(processed={}, custom={}, **COUNTS))
    assert [change["items"] for change in document["changes"]] == [
        [{"name": name, "kind": "created", "values": []} for name in ("a", "c")],
        [
            {"name": f"transit/{name}", "kind": kind, "values": []}
            for name, kind in (("a", "created"), ("b", "changed"))
        ],
    ]
    assert [(one["task"], one["count"], one["changes_before"], one["names"]) for one in document["awaited"]] == [
        ("2 keys", 2, 2, ["transit/a", "transit/b"]),
        ("2 files", 2, 2, []),
    ]


def test_without_a_descriptor_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLKEYS_REPORT_FD", raising=False)
    report = Report()
    report.start("x")
    report.send(SimpleNamespace(processed={}, custom={}))
