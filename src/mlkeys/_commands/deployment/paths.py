# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Paths of files on hosts.

Only Ansible knows the variables in some. Records hold what they stood for: variables change. Where a host is this
machine, what is beside the program has another path in each clone, and records have it relative to the program.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from mlkeys._commands.deployment.state import StackState
from mlkeys._commands.playbook import ansible_playbook
from mlkeys._record.record import Files, Made

#: Evaluated paths by template, by host.
Paths = Mapping[str, Mapping[str, str]]

#: How a path begins that is relative to the folder of the program.
_BESIDE = f".{os.sep}"


def evaluate(state: StackState, project: Path) -> None:
    """Put the paths that a stack's files have on each host into what it makes, and into what it made."""
    # Importing the target takes longer than most commands.
    from mlkeys._targets.ansible.hosts import PATHS_FILE, templates_of_paths
    from mlkeys._targets.ansible.jinja import in_file

    if templates := templates_of_paths(state.stack.node.walk()):
        run = ansible_playbook(project, PATHS_FILE, show=None)
        paths = {
            host: {templates[int(number)]: in_file(str(path)) for number, path in found.items()}
            for host, found in run.stats.get("paths", {}).items()
        }
        put(state, templates, paths)
    state.wanted = relative(state.wanted, state.program_folder)
    if state.record is not None:
        state.record = state.record.with_made(relative(state.former, state.program_folder))


def put(state: StackState, templates: Collection[str], paths: Paths) -> None:
    """Put evaluated paths in the place of templates. Those that are still unknown leave what a host has alone."""
    # Where a path is unknown, the deployment fails and says why. Nothing has left until then.
    unknown = [host for host, found in state.wanted.files.items() if {*found} & {*templates} - {*paths.get(host, ())}]
    state.wanted = evaluated(state.wanted, paths)
    if state.record is not None:
        former = evaluated(state.former, paths)
        state.record = state.record.with_made(former)
        kept = Made(files={host: former.files[host] for host in unknown if host in former.files})
        state.wanted = kept.union(state.wanted)


def evaluated(made: Made, paths: Paths) -> Made:
    """Return what was made, with paths as they are."""
    return replace(made, files=_evaluated(made.files, paths), agents=_evaluated(made.agents, paths))


def _evaluated(files: Files, paths: Paths) -> Files:
    return {
        host: {paths.get(host, {}).get(path, path): way for path, way in found.items()} for host, found in files.items()
    }


def relative(made: Made, program: Path) -> Made:
    """Return what was made, with the paths of files of this machine relative to the program they are beside.

    Args:
        program: the folder of the program.
    """
    # Ansible resolves links in the paths of its files.
    above = {f"{folder.rstrip(os.sep)}{os.sep}" for folder in (str(program), os.path.realpath(program))}

    def changed(path: str) -> str:
        normal = os.path.normpath(path) if path.startswith(os.sep) else path
        return next((f"{_BESIDE}{normal.removeprefix(one)}" for one in above if normal.startswith(one)), path)

    return _with_paths(made, changed, _of_this_machine(made))


def absolute(made: Made, program: Path) -> Made:
    """Return what was made, with paths as they are in this clone.

    Args:
        program: the folder of the program.
    """
    # Importing the target takes longer than most commands.
    from mlkeys._targets.ansible.jinja import in_file

    folder = f"{in_file(str(program)).rstrip(os.sep)}{os.sep}"

    def changed(path: str) -> str:
        return f"{folder}{path.removeprefix(_BESIDE)}" if path.startswith(_BESIDE) else path

    return _with_paths(made, changed, made.files)


def _of_this_machine(made: Made) -> frozenset[str]:
    return frozenset(host for host, given in made.hosts.items() if given.get("ansible_connection") == "local")


def _with_paths(made: Made, changed: Callable[[str], str], hosts: Collection[str]) -> Made:
    def of(files: Files) -> Files:
        return {
            host: {changed(path): way for path, way in found.items()} if host in hosts else found
            for host, found in files.items()
        }

    return replace(made, files=of(made.files), agents=of(made.agents))
