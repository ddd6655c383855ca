# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ansible's setting `vars_plugins_enabled`, held against the encrypted vars files that are there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from mlkeys._lint.ciphertexts import is_vars_file
from mlkeys._lint.findings import VARS_PLUGIN, VARS_PLUGIN_OFF, Finding, finding, is_allowed
from mlkeys._shared.vars_plugins import PLUGIN, SETTING, is_enabled, names_in, problem

_SECTION = re.compile(r"[ \t]*\[([^\]]+)\]")
_SET = re.compile(rf"{SETTING}[ \t]*[=:][ \t]*([^#;\r\n]*)")
# Goes on with the value of the line before.
_MORE = re.compile(r"[ \t]+[^\s#;]")


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting in a configuration.

    Attributes:
        line: where it is, or 0 if it is not set.
        end: the line behind it.
        enabled: the plugins that it lists.
    """

    line: int = 0
    end: int = 0
    enabled: tuple[str, ...] = ()


def setting_in(text: str) -> Setting:
    """The setting in the text of an `ansible.cfg`."""
    section = ""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if heading := _SECTION.match(line):
            section = heading[1].strip()
        elif section == "defaults" and (found := _SET.match(line)):
            more = list(takewhile(_MORE.match, lines[number:]))
            return Setting(number, number + 1 + len(more), tuple(names_in(",".join([found[1], *more]))))
    return Setting()


def with_plugin(text: str) -> str:
    """The text of an `ansible.cfg` that enables the vars plugin behind all others; all else stays."""
    setting = setting_in(text)
    if setting.enabled and is_enabled(setting.enabled) and not problem(setting.enabled):
        return text
    lines = text.splitlines(keepends=True)
    wrong = (PLUGIN, PLUGIN.rpartition(".")[2])
    listed = ",".join([*(name for name in setting.enabled or ("host_group_vars",) if name not in wrong), PLUGIN])
    line = f"{SETTING} = {listed}\n"
    if setting.line:
        lines[setting.line - 1 : setting.end - 1] = [line]
        return "".join(lines)
    for number, one in enumerate(lines):
        if (heading := _SECTION.match(one)) and heading[1].strip() == "defaults":
            lines[number] = one if one.endswith("\n") else f"{one}\n"
            lines.insert(number + 1, line)
            return "".join(lines)
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}[defaults]\n{line}"


def findings(configurations: Mapping[str, str], files: Mapping[str, Iterable[str]]) -> Iterator[Finding]:
    """The findings of configurations.

    Args:
        configurations: the text of each `ansible.cfg`, by its path.
        files: for each of them, the encrypted vars files that Ansible reads with it.
    """
    for path, text in configurations.items():
        setting = setting_in(text)
        if is_allowed(text.splitlines(), setting.line or 1):
            continue
        if wrong := problem(setting.enabled):
            yield finding(VARS_PLUGIN, path, wrong, (setting.line, 1))
        elif not is_enabled(setting.enabled):
            yield finding(VARS_PLUGIN_OFF, path, f"{SETTING} does not list {PLUGIN}", (setting.line or 1, 1))
        else:
            for file in files[path]:
                if not is_vars_file(file):
                    message = "the vars plugin does not read this file: its name does not end with .transit.yml"
                    yield finding(VARS_PLUGIN, file, message)
