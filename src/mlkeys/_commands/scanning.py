# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The files of `mlkeys lint`: read and searched, by all processors if they are many."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice

from mlkeys._errors import MlkeysError
from mlkeys._lint.declared import declares, loads
from mlkeys._lint.enabled import Uses, uses_in
from mlkeys._lint.findings import Finding, in_order
from mlkeys._lint.modes import mode_findings
from mlkeys._lint.secrets import Found, TooSlow, found_in
from mlkeys._providers.key_patterns import Patterns
from mlkeys._shared.vars_files import is_vars_file_name
from mlkeys._system.time_limit import limited
from mlkeys._system.worktree import Listed, Looked, Skipped, Worktree

# Starting processes takes as long as searching some hundred files.
_MANY = 500
_AT_A_TIME = 50
# For a file, if there are rules of a user. A usual rule takes a second for 50 MiB.
_SECONDS = 10.0
_SECONDS_A_CHARACTER = 1e-5
# git's own length of an abbreviated name in a large repository.
_COMMIT = 12


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was found in a file, and the file itself if it has ciphertexts, or declares or loads files that have some.

    Attributes:
        uses: what it does with encrypted vars files.
    """

    findings: tuple[Finding, ...] = ()
    file: Looked | None = None
    skipped: Skipped | None = None
    uses: Uses = field(default_factory=Uses)


def scanned(tree: Worktree, patterns: Patterns) -> Iterator[Scanned]:
    """Each file of a tree, in order.

    Raises:
        MlkeysError: a path does not exist, or a process was killed.
    """
    listed = list(tree.listed())
    look = partial(_scanned_file, tree, patterns)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(listed) < _MANY or processors == 1:
        found: Iterable[Scanned | None] = map(look, listed)
    else:
        found = _by_all(tree, patterns, listed, processors)
    unlisted = (Scanned(skipped=one) for one in tree.unlisted)
    return chain(unlisted, (one for one in found if one is not None))


def scanned_text(file: Looked | Skipped, patterns: Patterns) -> Scanned:
    """What a text contains."""
    if isinstance(file, Skipped):
        return Scanned(skipped=file)
    secrets = in_order(one for one, _ in found_in_time(file.text, file.path, patterns))
    encrypted = is_vars_file_name(file.path)
    modes = mode_findings(
        file.path, file.mode, checked_out_as=file.checked_out_as, encrypted=encrypted, secrets=bool(secrets)
    )
    kept = file if encrypted or "vault:v" in file.text or declares(file.text) or loads(file.text, file.path) else None
    return Scanned((*secrets, *modes), kept, uses=uses_in(file.path, file.text))


def scanned_history(tree: Worktree, patterns: Patterns) -> Iterator[Scanned]:
    """Each content of each file in the commits. A finding is given once, with the first commit that has it.

    Raises:
        MlkeysError: this is not a git work tree.
    """
    seen: set[str] = set()
    for commit, file in tree.history():
        if isinstance(file, Skipped):
            yield Scanned(skipped=file)
            continue
        secrets = in_order(one for one, _ in found_in_time(file.text, file.path, patterns))
        found = [one for one in secrets if one.digest not in seen]
        seen.update(one.digest for one in found)
        yield Scanned(tuple(replace(one, message=f"{one.message}, in commit {commit[:_COMMIT]}") for one in found))


def found_in_time(text: str, path: str, patterns: Patterns) -> list[tuple[Finding, Found]]:
    """The secrets in a text. The rules of users have a limited time: some expressions take forever.

    Raises:
        MlkeysError: it was not enough.
    """
    if not patterns.of_user:
        return list(found_in(text, path, patterns))
    try:
        with limited(_SECONDS + len(text) * _SECONDS_A_CHARACTER, TooSlow):
            return list(found_in(text, path, patterns))
    except TooSlow as slow:
        what = f"rule {slow.rule}" if slow.rule else "secrets"
        raise MlkeysError(
            f"{path}: the search for {what} needs too much time. Simplify its regex, or --exclude the file."
        ) from None


def _scanned_file(tree: Worktree, patterns: Patterns, listed: Listed) -> Scanned | None:
    file = tree.look(listed)
    return None if file is None else scanned_text(file, patterns)


# A process that is forked inherits these, which need not be sent to it.
_inherited: list[tuple[Worktree, Patterns]] = []


def _by_all(tree: Worktree, patterns: Patterns, listed: list[Listed], processors: int) -> Iterator[Scanned | None]:
    # Most folders need no processes.
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    parts = iter(listed)
    batches = list(iter(lambda: list(islice(parts, _AT_A_TIME)), []))
    _inherited[:] = [(tree, patterns)]
    with ProcessPoolExecutor(processors, mp_context=get_context("fork"), initializer=_leave_signals) as pool:
        try:
            for batch in pool.map(_scanned_batch, batches):
                yield from batch
        except BrokenProcessPool:
            raise MlkeysError("A process that searched the files was killed. Was there enough memory?") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_signals() -> None:
    """The terminal sends an interrupt to each process; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _scanned_batch(batch: list[Listed]) -> list[Scanned | None]:
    (tree, patterns), *_ = _inherited
    return [_scanned_file(tree, patterns, one) for one in batch]
