# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Encrypted vars files on a real server, and a token that may do only what a test names."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlkeys._cli import main
from tests.cdk.stores import KEY, make_key, token_for
from tests.support.server import Bao

Invoke = Callable[..., Result]
Write = Callable[[Mapping[str, str]], Path]
Process = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def allow(
    bao: Bao, mount: str, mint_token: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Make the token of the environment one that may do these operations, and no others."""
    make_key(bao, mount)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAO_ADDR", bao.addr)

    def allowed(*operations: str) -> None:
        monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, *operations))

    return allowed


@pytest.fixture
def invoke() -> Invoke:
    """Run a command in this process, and see it end with a status."""

    def run(*arguments: str, status: int = 0, stdin: str | bytes | None = None) -> Result:
        done = CliRunner().invoke(main, arguments, input=stdin)
        assert done.exit_code == status, (done.output, done.exception)
        return done

    return run


@pytest.fixture
def process() -> Process:
    """Run a command in a process of its own, since it becomes another program."""

    def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            command_line(arguments), capture_output=True, check=False, timeout=60, env=dict(os.environ)
        )
        assert done.returncode == status, (done.stdout, done.stderr)
        return done

    return run


def command_line(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "mlkeys", *arguments]


@pytest.fixture
def stored(allow: Callable[..., None], invoke: Invoke, mount: str) -> Path:
    """A file with two secrets, written with the right to encrypt alone."""
    allow("encrypt", "hmac", "verify")
    path = Path("keys.transit.yml")
    for name, value in SECRETS.items():
        invoke("set", str(path), name, "--key", KEY, "--backend", mount, stdin=value + "\n")
    return path


SECRETS = {"openai_api_key": "sk-run-canary-5Tq", "gcp": '{"private_key": "run canary\\n"}'}

VALUES = {"openai_api_key": "sk-runtime-canary-9Zw", "hf_token": "hf_runtime_canary"}


@pytest.fixture
def write(bao: Bao, mount: str, tmp_path: Path) -> Write:
    """Write an encrypted vars file in place of an earlier one."""
    from tests.integration.support.plays import vars_file

    make_key(bao, mount)

    def written(values: Mapping[str, str]) -> Path:
        new = tmp_path / "new"
        new.write_text(vars_file(bao, mount, values, KEY))
        return new.replace(tmp_path / "keys.transit.json")

    return written


@pytest.fixture
def file(
    bao: Bao,
    mount: str,
    write: Write,
    mint_token: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """A file with two secrets, and a token that may decrypt, in an environment that is left as it was."""
    monkeypatch.setenv("BAO_ADDR", bao.addr)
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "decrypt"))
    handler, limit = signal.getsignal(signal.SIGHUP), resource.getrlimit(resource.RLIMIT_CORE)
    yield write(VALUES)
    from mlkeys.runtime import _secrets

    for one in list(_secrets._open.values()):
        one.close()
    signal.signal(signal.SIGHUP, handler)
    resource.setrlimit(resource.RLIMIT_CORE, limit)
