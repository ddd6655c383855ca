# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Ansible's setting `vars_plugins_enabled`, held against the encrypted vars files that are there."""

from __future__ import annotations

import configparser
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlkeys._lint.findings import VARS_PLUGIN, VARS_PLUGIN_OFF, Finding, finding, is_allowed
from mlkeys._shared.vars_files import is_vars_file_name
from mlkeys._shared.vars_plugins import PLUGIN, SETTING, is_enabled, names_in, problem

_OTHERWISE = re.compile(
    r"vault_transit_(?:host|hosts|sources|vars_files|rotat|status)|(?:decrypt|load)_vars|mlkeys\.transit\.(?:site|rotate|status)\b"
    r"|mlkeys\.transit\.vault_transit(?:_vars)?['\"]|ANSIBLE_VARS_ENABLED\b.*mlkeys\.transit"
    r"|mlkeys (?:run|rotate|status)|mlkeys\.runtime"
)
# These decrypt variables, whatever file they are from. All others are for files that they name, or on other machines.
_VARIABLES = re.compile(r"decrypt_vars|mlkeys\.transit\.vault_transit['\"]")
# One of these is in whatever the expression finds. They are found ten times as fast.
_SIGNS = ("mlkeys", "vault_transit", "decrypt_vars", "load_vars")
_PLAY = re.compile(r"^[ \t]*(?:-[ \t]+)?hosts[ \t]*:", re.MULTILINE)
_PLAYBOOKS = (".yml", ".yaml")
_SECTION = re.compile(r"[ \t]*\[([^\]]+)\]")
_SET = re.compile(rf"([ \t]*){SETTING}[ \t]*[=:](.*)", re.IGNORECASE | re.DOTALL)
# Ansible knows no others behind a value.
_INLINE = re.compile(r"(?:^|\s);(.*)", re.DOTALL)
# What somebody meant to be a comment.
_MEANT = re.compile(r"\s+#(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting in a configuration.

    Attributes:
        line: where it is, or 0 if it is not set in the section `defaults`.
        end: the line behind it.
        enabled: the plugins that it lists.
    """

    line: int = 0
    end: int = 0
    enabled: tuple[str, ...] = ()


def setting_in(text: str) -> Setting:
    """The setting in the text of an `ansible.cfg`, as Ansible reads it.

    Raises:
        ValueError: Ansible cannot read it.
    """
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
        value = parser.get("defaults", SETTING, raw=True, fallback="") or ""
    except configparser.Error as error:
        # Its message contains a line.
        first = next(iter(getattr(error, "errors", ())), (getattr(error, "lineno", None),))[0]
        where = f"line {first} of it" if first else "it"
        raise ValueError(f"Ansible cannot read {where}: it is not an INI file") from None
    line, end = _place(text.split("\n"))
    return Setting(line, end, tuple(names_in(value.replace("\n", ","))))


def _place(lines: Sequence[str]) -> tuple[int, int]:
    """The line of the setting and the line behind it; 0 for both if there is none."""
    section = ""
    for number, line in enumerate(lines, 1):
        if ((heading := _SECTION.match(line)) and not line.startswith((" ", "\t"))) or (heading and not section):
            section = heading[1]
        elif section == "defaults" and (found := _SET.match(line)):
            end = number
            for more in range(number, len(lines)):
                if _is_value(lines[more]) and _indent(lines[more]) <= len(found[1]):
                    break
                end = more + 1 if _is_value(lines[more]) else end
            return number, end + 1
    return 0, 0


def _is_value(line: str) -> bool:
    return bool(line.strip()) and line.lstrip()[0] not in "#;"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def with_plugin(text: str) -> str:
    """The text of an `ansible.cfg` that enables the vars plugin behind all others; all else stays.

    Raises:
        ValueError: Ansible cannot read it.
    """
    setting = setting_in(text)
    if setting.enabled and is_enabled(setting.enabled) and not problem(setting.enabled):
        return text
    lines = text.split("\n")
    end = "\r" if lines[0].endswith("\r") else ""
    names = [_MEANT.sub("", name) for name in setting.enabled] or ["host_group_vars"]
    wrong = (PLUGIN, PLUGIN.rpartition(".")[2])
    line = f"{SETTING} = {','.join([*(name for name in names if name and name not in wrong), PLUGIN])}"
    if setting.line:
        old = lines[setting.line - 1 : setting.end - 1]
        comments = " ".join(comment for one in old if (comment := _comment(one)))
        lines[setting.line - 1 : setting.end - 1] = [
            f"{line}{f' ; {comments}' if comments else ''}{end}",
            *(one for one in old[1:] if not _is_value(one)),
        ]
        return "\n".join(lines)
    for number, one in enumerate(lines):
        if (heading := _SECTION.match(one)) and heading[1] == "defaults":
            lines[number + 1 :] = [f"{line}{end}", *(lines[number + 1 :] or [""])]
            return "\n".join(lines)
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}[defaults]{end}\n{line}{end}\n"


def _comment(line: str) -> str:
    """The comment on the line of a value."""
    if not _is_value(line):
        return ""
    found = _INLINE.search(line) or _MEANT.search(line)
    return found[1].strip() if found else ""


@dataclass(frozen=True, slots=True)
class Uses:
    """What the files of a project do with its encrypted vars files.

    Attributes:
        decrypts: whether one names what decrypts such files without the vars plugin: on hosts, or from a path.
        plays: whether one may be a playbook.
        decrypting: the paths of those that decrypt variables, whatever file these are from.
    """

    decrypts: bool = False
    plays: bool = False
    decrypting: frozenset[str] = frozenset()

    def __or__(self, other: Uses) -> Uses:
        decrypting = self.decrypting | other.decrypting
        return Uses(self.decrypts or other.decrypts, self.plays or other.plays, decrypting)

    def get_ciphertext(self, *, configured: bool = False) -> bool:
        """Whether tasks get ciphertext where the vars plugin is not enabled: something runs, and nothing decrypts.

        Args:
            configured: whether the project has a configuration of Ansible, which a run reads.
        """
        return (configured or self.plays) and not self.decrypts


def uses_in(path: str, text: str) -> Uses:
    """What one file does."""
    found = _OTHERWISE.findall(text) if any(sign in text for sign in _SIGNS) else []
    decrypting = frozenset([path] if any(map(_VARIABLES.fullmatch, found)) else ())
    return Uses(bool(found), path.endswith(_PLAYBOOKS) and _PLAY.search(text) is not None, decrypting)


def findings(
    configurations: Mapping[str, str], files: Mapping[str, Iterable[str]], unused: Collection[str] = ()
) -> Iterator[Finding]:
    """The findings of configurations.

    Args:
        configurations: the text of each `ansible.cfg`, by its path.
        files: for each of them, the encrypted vars files that Ansible reads with it.
        unused: those in whose projects nothing but the vars plugin could decrypt the files.
    """
    for path, text in configurations.items():
        setting = setting_in(text)
        if is_allowed(text.splitlines(), setting.line or 1):
            continue
        if wrong := problem(setting.enabled):
            yield finding(VARS_PLUGIN, path, wrong, (setting.line, 1))
        elif not is_enabled(setting.enabled):
            is_alone = path in unused
            else_ = ", and nothing else in the project decrypts its encrypted vars files" if is_alone else ""
            rule = VARS_PLUGIN if is_alone else VARS_PLUGIN_OFF
            yield finding(rule, path, f"{SETTING} does not list {PLUGIN}{else_}", (setting.line or 1, 1))
        else:
            for file in files[path]:
                if not is_vars_file_name(file):
                    message = "the vars plugin does not read this file: its name does not end with .transit.yml"
                    yield finding(VARS_PLUGIN, file, message)


def findings_without(files: Iterable[tuple[str, str]], overruled: str = "") -> Iterator[Finding]:
    """The findings of encrypted vars files, by path and text, for which no configuration enables the vars plugin.

    Args:
        overruled: why one that is there does not count.
    """
    why = overruled or f"no ansible.cfg lists {PLUGIN} in {SETTING}"
    for path, text in files:
        if not is_allowed(text.splitlines(), 1):
            yield finding(
                VARS_PLUGIN,
                path,
                f"{why}, and nothing else in the project decrypts this file",
            )
