# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Runs playbooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mlkeys._commands.ansible_environment import environment
from mlkeys._commands.progress import progress
from mlkeys._errors import MlkeysError
from mlkeys._shared.printable import all_printable, printable
from mlkeys._system import replacing
from mlkeys._system.collection import NOT_FOUND, shared_login
from mlkeys._system.processes import ChildProcess, exit_status

if TYPE_CHECKING:
    from mlkeys._targets.ansible.yaml import Yaml

#: Where the callback of the collection writes its report to.
REPORT_VARIABLE = "MLKEYS_REPORT_FD"


@dataclass(frozen=True, slots=True)
class Change:
    """What a task changed on a host.

    Attributes:
        kind: `created`, `deleted` or `changed`; `done` if the task does not show which.
        names: of attributes or entries that differ, as far as the task shows them.
        items: the things that it changed, if it is about many: their names, kinds and values.
        values: of attributes, as far as they are short and no secrets: name, value before, value after.
        hidden: whether the task hides what it does.
    """

    task: str
    host: str
    kind: str
    names: Sequence[str] = ()
    items: Sequence[Mapping[str, Any]] = ()
    values: Sequence[Sequence[Any]] = ()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a task in check mode did not compare, because what it needs does not exist yet.

    Attributes:
        count: of the things that the task makes.
        changes_before: how many changes of the run were before it.
        names: of these things, as far as the task gives them.
        values: of attributes, if it is about one thing, as in a `Change`.
    """

    task: str
    host: str
    count: int
    changes_before: int
    names: Sequence[str] = ()
    values: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed on a host, with the message that Ansible shows.

    Attributes:
        message: empty if the task hides its results.
        output: of a program that it ran.
    """

    task: str
    host: str
    message: str
    output: str = ""


@dataclass(slots=True)
class Run:
    """The result of a playbook. The counts are totals of all hosts, from the run's own report.

    Attributes:
        begun: whether a task started.
        reported: whether the run wrote its report; a run without one has failed.
        problem: the message of the last failure that it reported; empty if Ansible failed by itself.
        refused: how many of the failures are about changes that no run can make.
        stats: what the playbook set with `ansible.builtin.set_stats`.
        changes: what tasks changed, or would change in check mode.
        awaited: what check mode could not compare.
        failures: of tasks, those that the playbook recovered from included.
        output: what it printed, unless that was shown at once.
    """

    status: int = 0
    seconds: float = 0.0
    begun: bool = False
    reported: bool = False
    problem: str = ""
    ok: int = 0
    changed: int = 0
    unreachable: int = 0
    failed: int = 0
    refused: int = 0
    stats: Mapping[str, Any] = field(default_factory=dict, repr=False)
    changes: Sequence[Change] = field(default=(), repr=False)
    awaited: Sequence[Awaited] = field(default=(), repr=False)
    failures: Sequence[Failure] = field(default=(), repr=False)
    output: str = field(default="", repr=False)

    @property
    def only_refused(self) -> bool:
        """Whether it failed only for changes that no run can make."""
        return self.status != 0 and self.refused == self.failed > 0 and not self.unreachable

    def followed_by(self, more: Run) -> Run:
        """Return this run together with one that followed it, whose status decides."""
        before = len(self.changes)
        return Run(
            status=more.status,
            seconds=self.seconds + more.seconds,
            begun=self.begun or more.begun,
            reported=more.reported,
            problem=more.problem or self.problem,
            ok=self.ok + more.ok,
            changed=self.changed + more.changed,
            unreachable=self.unreachable + more.unreachable,
            failed=self.failed + more.failed,
            refused=self.refused + more.refused,
            stats={**self.stats, **more.stats},
            changes=[*self.changes, *more.changes],
            awaited=[
                *self.awaited,
                *(replace(one, changes_before=before + one.changes_before) for one in more.awaited),
            ],
            failures=[*self.failures, *more.failures],
            output=self.output + more.output,
        )

    def take(self, report: str) -> None:
        """Take the counts from the report of the callback `mlkeys.transit.report`."""
        try:
            # Those before name the tasks that started.
            document = all_printable(json.loads(report.splitlines()[-1]))
            hosts = list(document["hosts"].values())
            self.ok, self.changed, self.unreachable, self.failed = (
                sum(int(host[name]) for host in hosts) for name in ("ok", "changed", "unreachable", "failed")
            )
            self.refused, self.stats = int(document["refused"]), dict(document["stats"])
            self.changes = [Change(**change) for change in document.get("changes", ())]
            self.awaited = [Awaited(**one) for one in document.get("awaited", ())]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return
        self.reported = True


@contextmanager
def files_for_run(project: Path, contents: Mapping[str, Yaml]) -> Iterator[None]:
    """Put YAML files, by name, into a project for the time of the block. Not for secrets.

    A text in them is not a template, unless it is a `Template`: names may come from files and servers.

    Raises:
        MlkeysError: one cannot be written.
    """
    # Importing the target takes longer than most commands.
    from mlkeys._targets.ansible.yaml import document

    try:
        for name, content in contents.items():
            replacing.write(project / name, document(content))
        yield
    except OSError as problem:
        raise MlkeysError(f"{project} cannot be written: {problem.strerror}.") from None
    finally:
        for name in contents:
            # Where it is not there any more, nothing of ours is left.
            with suppress(OSError):
                replacing.remove(project / name)


def ansible_playbook(
    folder: Path,
    playbook: str,
    arguments: Sequence[str] = (),
    *,
    show: TextIO | None,
    generated: bool = True,
    brief: bool = False,
    extra: Mapping[str, str] | None = None,
) -> Run:
    """Run a playbook of a project.

    Args:
        generated: whether the project is generated, so that its own configuration is used and no other.
        brief: whether the output has only the tasks that change something or fail, and a terminal shows the name of the
            task that runs.
        extra: further environment variables.
        show: where to show the output. None to collect it, with errors unless `brief`: Ansible's warnings are shown.

    Raises:
        MlkeysError: it cannot be run, or Ansible does not find the collection.
        SystemExit: a signal stopped it. Ansible had the time to end by itself.
    """
    argv = [_tool("ansible-playbook"), playbook, *arguments]
    given = {**os.environ, **shared_login(), **(extra or {})}
    made = environment(given, coloured=show is not None and show.isatty(), generated=generated, brief=brief)
    start = time.monotonic()
    try:
        done, received = _carry_out(argv, made, folder, show, brief=brief)
    except OSError as problem:
        raise MlkeysError(f"{argv[0]} cannot be run: {problem.strerror}.") from None
    if received is not None:
        sys.exit(128 + received)
    done.seconds = time.monotonic() - start
    if done.status and not (done.begun or done.reported) and not _finds_collection(made, folder):
        raise MlkeysError(NOT_FOUND)
    if not done.status and not done.reported:
        raise MlkeysError(
            f"{playbook} ended without a report, so it is unknown what it did. Is the collection mlkeys.transit "
            "of the same version as this command? 'mlkeys doctor' shows both."
        )
    return done


def _finds_collection(made: Mapping[str, str], folder: Path) -> bool:
    """Whether Ansible finds the collection where a run did not begin. What does not answer is not to blame for it."""
    argv = [_tool("ansible-galaxy"), "collection", "list", "mlkeys.transit", "--format", "json"]
    try:
        listed = subprocess.run(
            argv, cwd=folder, env=dict(made), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:
        return True
    return listed.returncode != 0 or "mlkeys.transit" in listed.stdout


def _carry_out(
    argv: Sequence[str], made: Mapping[str, str], folder: Path, show: TextIO | None, *, brief: bool
) -> tuple[Run, int | None]:
    """Run the command to its end; also the signal that stopped it, if one did."""
    done, kept = Run(), []
    with (
        _pipe() as pipe,
        ChildProcess(orphans=True) as child,
        child.running(
            argv,
            {**made, REPORT_VARIABLE: str(pipe.writing)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if show is None and not brief else None,
            pass_fds=(pipe.writing,),
        ) as process,
    ):
        with progress(shown=brief) as shown:
            pipe.read(shown.task)
            for line in process.stdout or ():
                if show is None:
                    kept.append(line)
                else:
                    shown.write(line, show)
        done.take(pipe.report())
        done.begun, done.problem = pipe.begun, all_printable(pipe.problem)
        done.failures = pipe.failures
    done.status, done.output = exit_status(process.returncode), "".join(kept)
    return done, child.received


class _ReportPipe:
    """The pipe that a run's report comes through. A thread empties it: a report may be larger than a pipe.

    Attributes:
        begun: whether a task started.
        problem: the message of the last failure.
        failures: all of tasks, printable.
    """

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self._text = ""
        self.begun = False
        self.problem = ""
        self.failures: list[Failure] = []
        self._thread: threading.Thread | None = None
        self._started: Callable[[str], None] = lambda _task: None

    def read(self, started: Callable[[str], None]) -> None:
        """Begin to read, once the process that writes has its end of the pipe.

        Args:
            started: is called with the name of each task that starts.
        """
        self._started = started
        os.close(self.writing)
        self.writing = -1
        self._thread = threading.Thread(target=self._empty, daemon=True)
        self._thread.start()

    def report(self) -> str:
        """All that was written, once the process and all that it started have ended."""
        if self._thread is not None:
            self._thread.join()
        return self._text

    def close(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
        if self._thread is None:
            os.close(self._reading)

    def _empty(self) -> None:
        with os.fdopen(self._reading, encoding="utf-8", errors="replace") as pipe:
            for line in pipe:
                self._text = line
                with suppress(ValueError, KeyError, TypeError):
                    self._take(json.loads(line))

    def _take(self, line: Mapping[str, Any]) -> None:
        if "started" in line:
            self.begun = True
            self._started(str(line["started"]))
        elif "problem" in line:
            self.problem = str(line["problem"])
        elif "failed" in line:
            self.failures.append(Failure(**{name: printable(str(text)) for name, text in line["failed"].items()}))


@contextmanager
def _pipe() -> Iterator[_ReportPipe]:
    pipe = _ReportPipe()
    try:
        yield pipe
    finally:
        pipe.close()


def _tool(name: str) -> str:
    """A program from the environment of mlkeys, or else from the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MlkeysError(f"{name} is not installed: pip install ansible-core")
    return found
