# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The logins of `mlkeys.runtime`: tokens that end too soon, forks, servers that hang, and connections."""

from __future__ import annotations

import gc
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mlkeys.runtime import Secrets, SecretsError, _process, secrets
from mlkeys.runtime._process import process
from tests.cdk.secrets.conftest import VALUES, Write
from tests.cdk.stores import token_for
from tests.integration.support.plays import AppRole, approle, live_tokens, may_use
from tests.integration.support.runs import Ledger
from tests.support.server import Bao

# Seconds: more than the end of a login may take, and much less than the timeout of a request.
SOON = 10.0


@pytest.fixture
def uses() -> dict[str, object]:
    """Parameters of the AppRole."""
    return {}


@pytest.fixture
def role(
    bao: Bao, mount: str, file: Path, uses: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> Iterator[AppRole]:
    """An AppRole that the environment logs in with."""
    monkeypatch.delenv("BAO_TOKEN")
    with approle(bao, may_use(mount), **uses) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def keys(role: AppRole, file: Path) -> Secrets:
    """Secrets that are in memory."""
    found = secrets(file, timeout=25)
    assert found["hf_token"] == VALUES["hf_token"]
    return found


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """A server that accepts connections, and says nothing until the end of the test."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield server


def address_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def revoke_all(bao: Bao, role: AppRole) -> None:
    bao.done("PUT", f"sys/leases/revoke-prefix/auth/{role.mount}", {})
    assert live_tokens(bao, role) == 0


def test_a_token_that_was_revoked_is_replaced_once(bao: Bao, role: AppRole, keys: Secrets) -> None:
    revoke_all(bao, role)
    ledger = Ledger(bao)
    keys.renew()
    assert [path for _operation, path in ledger.requests if "login" in path] == [f"auth/{role.mount}/login"]
    assert live_tokens(bao, role) == 1
    assert keys["hf_token"] == VALUES["hf_token"]


@pytest.mark.parametrize("uses", [{"secret_id_num_uses": 1}])
def test_a_login_that_cannot_be_repeated_is_said_and_takes_nothing_away(bao: Bao, role: AppRole, keys: Secrets) -> None:
    revoke_all(bao, role)
    with pytest.raises(SecretsError, match=r"does not accept the token.* A new login did not help: The login with app"):
        keys.renew()
    assert keys["hf_token"] == VALUES["hf_token"]


def test_a_token_that_is_revoked_before_its_renewal_is_replaced(bao: Bao, role: AppRole, keys: Secrets) -> None:
    revoke_all(bao, role)
    login = process._used[keys._renewing]
    with login.lock.lock:
        login.renew_due(time.time() + 500)
        assert login.due_in(time.time()) is None
    keys.renew()
    assert live_tokens(bao, role) == 1


def test_a_given_token_that_was_revoked_is_asked_with_once(
    bao: Bao, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_TOKEN", "s.none")
    ledger = Ledger(bao)
    with pytest.raises(SecretsError, match=r"log in again or give another token\. Asked: [^ ]+, the root namespace"):
        secrets(file)["hf_token"]
    assert len(ledger.requests) == 1


def in_child(work: Callable[[], bool]) -> int:
    """Start a process that does work, and ends with 0 if it is done."""
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            status = 0 if work() else 2
        os._exit(status)
    return child


@pytest.mark.parametrize("uses", [{}, {"secret_id_num_uses": 1}])
def test_a_child_logs_in_itself_where_it_can_and_revokes_nothing_of_its_parent(
    bao: Bao, role: AppRole, keys: Secrets, uses: dict[str, object]
) -> None:
    def work() -> bool:
        keys.renew()
        login = process._used[keys._renewing]
        right = login._lease is not None and login._lease.created is not bool(uses)
        keys.close()
        return right

    assert os.waitpid(in_child(work), 0)[1] == 0
    assert live_tokens(bao, role) == 1
    keys.renew()


def test_a_daemon_goes_on_after_its_parent_has_ended(bao: Bao, role: AppRole, keys: Secrets) -> None:
    ready, go = os.pipe()

    def work() -> bool:
        os.close(go)
        os.read(ready, 1)
        keys.renew()
        return keys["hf_token"] == VALUES["hf_token"]

    child = in_child(work)
    keys.close()
    assert live_tokens(bao, role) == 0
    os.close(go)
    os.close(ready)
    assert os.waitpid(child, 0)[1] == 0


@contextmanager
def waiting(keys: Secrets, server: socket.socket) -> Iterator[threading.Thread]:
    """A thread that waits for a server that does not respond, for the time of the block."""

    def use() -> None:
        with suppress(SecretsError):
            keys.renew()

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    server.settimeout(SOON)
    with server.accept()[0]:
        yield thread
    thread.join(SOON)


def test_a_server_that_hangs_keeps_nobody_waiting_for_another_one(file: Path, hanging: socket.socket) -> None:
    elsewhere = secrets(file, url=address_of(hanging), timeout=25)
    with waiting(elsewhere, hanging) as thread:
        assert secrets(file)["hf_token"] == VALUES["hf_token"]
        assert thread.is_alive()


def test_the_end_waits_for_no_server_that_hangs(
    keys: Secrets, file: Path, hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_process, "END_PATIENCE", 0.5)
    logging_in = secrets(file, url=address_of(hanging), timeout=26)
    with waiting(logging_in, hanging) as thread:
        login = process._used[keys._renewing]
        hung = replace(login._settings.connection, url=address_of(hanging), retries={"total": 3})
        login._settings = replace(login._settings, connection=hung)
        begun = time.monotonic()
        process._end()
        assert time.monotonic() - begun < SOON
        assert thread.is_alive()


def test_renew_takes_no_secret_away(
    file: Path, write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys = secrets(file)
    assert keys["hf_token"] == VALUES["hf_token"]
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "hf_token": stored["openai_api_key"]}))
    with caplog.at_level(logging.WARNING, "mlkeys.runtime"):
        with pytest.raises(SecretsError, match="do not decrypt any more: hf_token"):
            keys.renew()
        assert dict(keys.items()) == VALUES
        file.write_text("")
        with pytest.raises(SecretsError, match=r"No secret is left in|holds no secrets"):
            keys.renew()
        monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
        write(VALUES)
        with pytest.raises(SecretsError, match="Cannot reach"):
            keys.renew()
        assert dict(keys.items()) == VALUES
    assert caplog.text == "", "the caller has the errors"
    file.write_text("")
    assert dict(keys.items()) == VALUES
    assert "stay as they are" in caplog.text


def sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(number.readlink()).startswith("socket:")
    return found


@pytest.mark.parametrize("uses", [{"token_num_uses": 2}])
def test_new_tokens_leave_no_connection(
    mount: str, file: Path, keys: Secrets, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, logins = sockets(), len(process._logins)
    gc.disable()
    try:
        for _number in range(50):
            keys.renew()
        assert sockets() <= before
        for _number in range(5):
            monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "decrypt"))
            monkeypatch.setenv("ANSIBLE_HASHI_VAULT_AUTH_METHOD", "token")
            keys.renew()
        assert len(process._logins) == logins
        assert sockets() <= before
    finally:
        gc.enable()
