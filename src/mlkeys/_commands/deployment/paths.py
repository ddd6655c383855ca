# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Paths of files on hosts whose variables only Ansible knows. Records hold them as they are: variables change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from mlkeys._commands.deployment.state import StackState
from mlkeys._commands.playbook import ansible_playbook
from mlkeys._errors import MlkeysError
from mlkeys._record.record import Files, Made
from mlkeys._shared.suggestions import did_you_mean

#: Evaluated paths by template, by host.
Paths = Mapping[str, Mapping[str, str]]


def evaluate(state: StackState, project: Path) -> None:
    """Put the paths that a stack's files have on each host into what it makes, and into what it made."""
    # Importing the target takes longer than most commands.
    from mlkeys._targets.ansible.hosts import PATHS_FILE, templates_of_paths
    from mlkeys._targets.ansible.jinja import in_file

    templates = templates_of_paths(state.stack.node.walk())
    if not templates:
        return
    run = ansible_playbook(project, PATHS_FILE, show=None)
    paths = {
        host: {templates[int(number)]: in_file(str(path)) for number, path in found.items()}
        for host, found in run.stats.get("paths", {}).items()
    }
    put(state, templates, paths)


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


def forget_hosts(states: Collection[StackState], names: Collection[str]) -> None:
    """Take hosts that do not exist any more out of the records.

    Raises:
        MlkeysError: no record has one, or the program has it.
    """
    known = {host for state in states for host in state.former.files}
    for name in names:
        if any(name in state.wanted.hosts for state in states):
            raise MlkeysError(f"--forget-host {name}: the program has files for this host. Take it out first.")
        if name not in known:
            near = did_you_mean(name, known)
            raise MlkeysError(f"--forget-host {name}: no former deployment made files on this host.{near}")
    for state in states:
        if state.record is not None and names:
            state.record = state.record.with_made(state.former.without_hosts(names))
