# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What `mlkeys.runtime` does beside the program: a server that hangs stops none, and tokens are renewed in time."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlkeys.runtime import SecretsError, _logins, _secrets, _work, secrets
from mlkeys.runtime._process import process
from tests.cdk.secrets.conftest import VALUES
from tests.integration.support.plays import approle, may_use
from tests.integration.support.runs import Ledger
from tests.support.server import Bao

# Seconds: more than a program may be kept waiting, and much less than the timeout of a request.
SOON = 10.0


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of a server that accepts connections, and says nothing until the end of the test."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def stuck(file: Path, hanging: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[_secrets.Secrets]:
    """Secrets in memory that are due, while their server hangs."""
    keys = secrets(file, timeout=25)
    assert keys["hf_token"] == VALUES["hf_token"]
    monkeypatch.setenv("BAO_ADDR", hanging)
    monkeypatch.setattr(_work, "PATIENCE", 0.2)
    monkeypatch.setattr(_secrets, "PATIENCE", 0.2)
    os.utime(file, ns=(1, 1))
    yield keys
    # What still waits gets its end from the server's.
    keys._held = None


def test_a_server_that_hangs_keeps_no_thread_waiting(stuck: _secrets.Secrets) -> None:
    begun = time.monotonic()
    assert stuck["openai_api_key"] == VALUES["openai_api_key"]
    assert stuck.value("hf_token") == VALUES["hf_token"]
    assert "other" in repr(secrets("other.transit.yml"))
    child = os.fork()
    if child == 0:
        os._exit(0 if stuck["hf_token"] == VALUES["hf_token"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    stuck.close()
    assert time.monotonic() - begun < SOON


def test_a_server_that_hangs_keeps_no_event_loop_waiting(stuck: _secrets.Secrets) -> None:
    async def all_of_them() -> float:
        beats = [time.monotonic()]

        async def beat() -> None:
            while True:
                # The default executor is free for others.
                await asyncio.to_thread(time.monotonic)
                beats.append(time.monotonic())
                await asyncio.sleep(0.02)

        beating = asyncio.create_task(beat())
        got = await asyncio.gather(*(stuck.fetch("openai_api_key") for _number in range(64)))
        assert set(got) == {VALUES["openai_api_key"]}
        beating.cancel()
        return max(after - before for before, after in itertools.pairwise(beats))

    begun = time.monotonic()
    assert asyncio.run(all_of_them()) < SOON / 3
    assert time.monotonic() - begun < SOON


def test_who_has_waited_for_an_attempt_that_failed_does_not_try_again(bao: Bao, file: Path) -> None:
    ledger = Ledger(bao)
    keys = secrets(file)
    keys._failed = (time.monotonic() + SOON, "The server did not respond.")
    with pytest.raises(SecretsError, match="did not respond"):
        keys["hf_token"]
    assert ledger.requests == []
    keys._failed = (time.monotonic(), "The server did not respond.")
    assert keys["hf_token"] == VALUES["hf_token"]


def test_a_token_of_a_login_is_renewed_while_the_program_does_something_else(
    bao: Bao, mount: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BAO_TOKEN")
    # So that a renewal is due a second after the login, and the token far from its end.
    monkeypatch.setattr(_logins, "LEFT", 0.95)
    with approle(bao, may_use(mount), token_ttl="20s", secret_id_num_uses=1) as role:
        for name, value in role.environment.items():
            monkeypatch.setenv(name, value)
        with secrets(file, keep_stale=False) as keys:
            assert keys["hf_token"] == VALUES["hf_token"]
            ledger = Ledger(bao)
            end = time.monotonic() + SOON
            while "auth/token/renew-self" not in [path for _operation, path in ledger.requests]:
                assert time.monotonic() < end
                time.sleep(0.1)
            keys.renew()
        assert keys._renewing not in process._used


def test_a_token_that_is_not_renewed_is_left_alone(
    bao: Bao, mount: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BAO_TOKEN")
    said: list[str] = []
    with approle(bao, may_use(mount), token_ttl="90s", token_max_ttl="90s", token_no_default_policy=True) as role:
        for name, value in role.environment.items():
            monkeypatch.setenv(name, value)
        with secrets(file) as keys:
            assert keys["hf_token"] == VALUES["hf_token"]
            login = process._used[keys._renewing]
            monkeypatch.setattr(login, "_warn", said.append)
            due = login.due_in(time.time())
            assert due is not None
            assert 50 < due < 61
            with login.lock.lock:
                login.renew_due(time.time() + 60)
            assert login.due_in(time.time()) is None
    assert ["not renewed and ends with its TTL" in text for text in said] == [True]


def test_a_signal_that_cannot_be_handled_is_warned_about(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    def once(hangup: bool | None) -> None:
        other = threading.Thread(target=secrets, args=(file,), kwargs={"hangup": hangup})
        other.start()
        other.join()

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for hangup in (None, False):
        once(hangup)
    assert caplog.text == ""
    once(hangup=True)
    assert "SIGHUP renews no secrets" in caplog.text
    caplog.clear()
    secrets(file, hangup=True)
    once(hangup=True)
    assert caplog.text == ""
