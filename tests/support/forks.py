# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible-playbook` in a fork of a process that has imported the libraries that it needs.

That process has nothing of the product, and nothing of Ansible that depends on settings. A run has its own environment,
folder, arguments, streams and session, and ends as the command does. This file is also the program of that process.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

# Modules of Ansible that do not read its settings, and what it or the collection uses besides.
_LIBRARIES = """
    ansible._internal._collection_proxy ansible._internal._datatag._wrappers ansible._internal._ssh._ssh_agent
    ansible._internal._templating._access ansible._internal._templating._jinja_patches ansible._internal._yaml._errors
    ansible.config.manager ansible.module_utils.common.file ansible.module_utils.common.process
    ansible.module_utils.common.sys_info ansible.module_utils.json_utils ansible.parsing.splitter
    ansible.parsing.utils.addresses ansible.utils.collection_loader ansible.utils.lock ansible.vars.hostvars
    cryptography.hazmat.backends cryptography.hazmat.primitives.ciphers cryptography.hazmat.primitives.kdf.pbkdf2
    cryptography.hazmat.primitives.padding hvac jinja2.sandbox multiprocessing.queues yaml
"""
# Python and its libraries read these when they start. Where they differ, the command itself runs.
_AT_START = ("GLIBC_", "LANG", "LC_", "LD_", "MALLOC", "OPENSSL_", "PYTHON", "TZ")
_PIPES: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)


def run(
    argv: list[str], *, cwd: Path | str, env: Mapping[str, str], typed: str = "", timeout: float, session: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program of Python as `subprocess.run` does with captured output. To measure coverage, run the command.

    Args:
        typed: its input, which has to fit into a pipe.
        session: whether it gets a session of its own.

    Raises:
        subprocess.TimeoutExpired: it did not end in time, and was killed.
    """
    if _at_start(env) != _at_start(os.environ) or any(name.startswith("COVERAGE_") for name in env):
        options: Any = {"cwd": cwd, "env": env, "input": typed, "timeout": timeout, "start_new_session": session}
        return subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    request = json.dumps({"argv": argv, "cwd": str(cwd), "env": dict(env), "session": session})
    with contextlib.ExitStack() as opened:
        (stdin, to), (out, stdout), (err, stderr), (ended, status) = (
            [opened.enter_context(os.fdopen(end, mode)) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)]
            for _ in range(4)
        )
        to.write(typed.encode())
        to.close()
        theirs = [stdin, stdout, stderr, status]
        socket.send_fds(_forking(), [request.encode()], [end.fileno() for end in theirs])
        for end in theirs:
            end.close()
        process = int(ended.readline())
        try:
            shown = _read(argv, [out, err], timeout)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(argv, os.waitstatus_to_exitcode(int(ended.readline())), *shown)


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_AT_START) and name != "PYTHONPATH"}


def _read(argv: list[str], streams: Sequence[IO[bytes]], timeout: float) -> list[str]:
    """All that comes through the streams, up to their ends."""
    shown, deadline = [b""] * len(streams), time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for number, stream in enumerate(streams):
            selector.register(stream, selectors.EVENT_READ, number)
        while selector.get_map():
            ready = selector.select(deadline - time.monotonic())
            if not ready:
                raise subprocess.TimeoutExpired(argv, timeout, *shown)
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                shown[key.data] += part
                if not part:
                    selector.unregister(key.fileobj)
    return [text.decode().replace("\r\n", "\n").replace("\r", "\n") for text in shown]


@functools.cache
def _forking() -> socket.socket:
    """The connection to the process that forks, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, __file__, str(theirs.fileno())]
    # Python makes its streams once, and differently for pipes.
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], **_PIPES)
    theirs.close()
    atexit.register(process.communicate)
    atexit.register(ours.close)
    return ours


def _serve(requests: socket.socket) -> None:
    """Fork for each request, until there are no more. In a fork, return when it is what the program needs."""
    # Before ansible-core 2.19, nearly all of its modules read its settings.
    is_new = importlib.util.find_spec("ansible._internal") is not None
    for library in _LIBRARIES.split():
        if library.startswith("ansible.") and not is_new:
            continue
        with contextlib.suppress(ImportError):  # releases of Ansible differ
            importlib.import_module(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, ends, _, _ = socket.recv_fds(requests, 1 << 20, 4)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            break
        for end in ends:
            os.close(end)
    requests.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if process := os.fork():
        for end in (0, 1, 2, *ends[:3]):
            os.close(end)
        os.write(ends[3], f"{process}\n".encode())
        os.write(ends[3], f"{os.waitpid(process, 0)[1]}\n".encode())
        os._exit(0)
    for number, end in enumerate(ends[:3]):
        os.dup2(end, number)
    os.closerange(3, max(ends) + 1)
    _become(**json.loads(message))


def _become(argv: list[str], cwd: str, env: dict[str, str], session: bool) -> None:
    if session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[:], sys.orig_argv[:] = argv, [sys.executable, *argv]
    sys.path[:1] = [os.path.dirname(argv[0]), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]  # noqa: PTH120


if __name__ == "__main__":
    sys.path[0] = os.path.dirname(sys.executable)  # noqa: PTH120  not the folder of this file
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_path(sys.argv[0], run_name="__main__")
