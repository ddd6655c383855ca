# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Hosts that do not exist any more: nobody deletes the files on them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mlkeys._commands.deployment.departed import Departed, delete
from mlkeys._commands.deployment.gone import project_of
from mlkeys._commands.deployment.state import StackState
from mlkeys._errors import MlkeysError
from mlkeys._record.left import left
from mlkeys._record.record import Made
from mlkeys._shared.suggestions import did_you_mean


def forget_hosts(states: Collection[StackState], names: Collection[str], out: Path) -> None:
    """Take hosts that do not exist any more out of the records.

    Args:
        out: the folder with the generated files.

    Raises:
        MlkeysError: no record has one, the program has it, or it is there.
    """
    known = {host for state in states for host in state.former.files}
    for name in names:
        if any(name in state.wanted.hosts for state in states):
            raise MlkeysError(f"--forget-host {name}: the program has files for this host. Take it out first.")
        if name not in known:
            near = did_you_mean(name, known)
            raise MlkeysError(f"--forget-host {name}: no former deployment made files on this host.{near}")
    for name in dict.fromkeys(names):
        for state in states:
            if _is_there(state, name, project_of(state, out)):
                raise MlkeysError(
                    f"--forget-host {name}: the host is reachable, and what left the program can be deleted there. "
                    "Leave the option out: then it is deleted."
                )
    for state in states:
        if state.record is not None and names:
            state.record = state.record.with_made(state.former.without_hosts(names))


def _is_there(state: StackState, host: str, project: Path) -> bool:
    """Whether what must not stay on a host can be deleted there, as a prediction finds out."""
    former = state.former
    made = Made(
        files={host: former.files.get(host, {})},
        agents={host: former.agents.get(host, {})},
        hosts={host: former.hosts.get(host, {})},
    )
    gone = left(made, Made())
    if not gone.deleted:
        return False
    return not delete(Departed(state, gone), project, None, ["--check"], force=False).status
