# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Findings as text, as JSON, as SARIF, and as a baseline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlkeys._lint.findings import ERROR, LEVELS, NOTE, RULES, Finding, Rule
from mlkeys._shared.printable import printable

SARIF_VERSION = "2.1.0"
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_SEVERITY = {ERROR: "9.0", "warning": "5.0", NOTE: "1.0"}
_FORMAT, _FORMAT_OF_A_FOLDER = 2, 1


def on_one_line(text: str) -> str:
    """A message with all control characters as escapes: the name of a file could otherwise add lines of its own."""
    return printable(text).replace("\n", "\\n")


def line(one: Finding) -> str:
    return on_one_line(f"{one.path}:{one.line}:{one.column}: {one.rule.id}: {one.message}")


def advice(findings: Iterable[Finding]) -> list[str]:
    """The advice of each rule, once."""
    rules = dict.fromkeys(one.rule for one in findings)
    return [f"{rule.id}: {rule.advice}" for rule in rules]


def counts(findings: Sequence[Finding], files: int) -> str:
    """The number of findings and files, in a sentence."""
    numbers = {level: sum(one.rule.level == level for one in findings) for level in LEVELS}
    parts = [f"{number} {level}{'' if number == 1 else 's'}" for level, number in numbers.items() if number]
    looked = f"{files} file{'' if files == 1 else 's'}"
    return f"{', '.join(parts)} in {looked}." if parts else f"No findings in {looked}."


def as_json(findings: Sequence[Finding], files: int, skipped: Sequence[str]) -> str:
    shown = [
        {
            "rule": one.rule.id,
            "level": one.rule.level,
            "path": one.path,
            "line": one.line,
            "column": one.column,
            "message": one.message,
            "digest": one.digest,
        }
        for one in findings
    ]
    return json.dumps({"findings": shown, "files": files, "skipped": list(skipped)}, indent=2)


def as_sarif(findings: Sequence[Finding], skipped: Sequence[str], version: str) -> str:
    """Static Analysis Results Interchange Format, for code hosts and editors."""
    notifications = [
        {"level": "note", "message": {"text": reason}, "descriptor": {"id": "skipped"}} for reason in skipped
    ]
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "mlkeys", "version": version, "rules": [_sarif_rule(rule) for rule in RULES]}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "results": [_sarif_result(one) for one in findings],
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [run]}, indent=2)


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.advice},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": ["security"], "security-severity": _SEVERITY[rule.level]},
    }


def _sarif_result(one: Finding) -> dict[str, Any]:
    # A relative path is relative to the folder of the run.
    path = quote(one.path, errors="surrogateescape")
    uri = f"file://{path}" if one.path.startswith("/") else path
    return {
        "ruleId": one.rule.id,
        "ruleIndex": RULES.index(one.rule),
        "level": one.rule.level,
        "message": {"text": one.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri},
                    "region": {"startLine": one.line, "startColumn": one.column},
                }
            }
        ],
        "partialFingerprints": {"mlkeys/v1": one.digest},
    }


@dataclass(frozen=True)
class Known:
    """The findings of a baseline.

    Attributes:
        placed: the path in the baseline of a path in a message.
        found: paths in the baseline, rules and digests of contents.
        digests: those of a baseline of the first format, which is for the folder that it was written in.
    """

    placed: Callable[[str], str]
    found: frozenset[tuple[str, str, str]] = frozenset()
    digests: frozenset[str] = frozenset()

    def __contains__(self, one: object) -> bool:
        return isinstance(one, Finding) and (one.digest in self.digests or _known_by(one, self.placed) in self.found)


def _known_by(one: Finding, placed: Callable[[str], str]) -> tuple[str, str, str]:
    return placed(one.path), one.rule.id, one.content


def baseline(findings: Iterable[Finding], placed: Callable[[str], str]) -> str:
    """The text of a baseline. It contains digests of known findings, which do not reveal secrets."""
    known = sorted({_known_by(one, placed) for one in findings})
    listed = [{"path": path, "rule": rule, "digest": digest} for path, rule, digest in known]
    return json.dumps({"format": _FORMAT, "findings": listed}, indent=2) + "\n"


def known(text: str, placed: Callable[[str], str]) -> Known:
    """The findings of a baseline.

    Raises:
        ValueError: it is not a baseline.
    """
    try:
        content = json.loads(text)
        if content["format"] == _FORMAT:
            found = ((str(one["path"]), str(one["rule"]), str(one["digest"])) for one in content["findings"])
            return Known(placed, found=frozenset(found))
        if content["format"] == _FORMAT_OF_A_FOLDER:
            return Known(placed, digests=frozenset(str(one["digest"]) for one in content["findings"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ValueError("it is not a baseline of mlkeys lint")
