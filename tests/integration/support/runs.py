# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run modules against the server and see, in its audit log, what each run really asked and wrote."""

from __future__ import annotations

import collections
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import RunContext
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import Outcome

from tests.support.modules import ModuleResult, run_module
from tests.support.server import Bao

# What carries a run's own login is not work on what the run is about (it may name its user at its end), and some things
# can only be asked by an update.
WRITES_NOTHING = re.compile(r"auth/(token/(lookup|renew|revoke)-self|.+/login(/[^/]+)?|.+/secret-id-accessor/lookup)")


def asked(bao: Bao, check: str) -> str:
    """What follows a refusal: where it came from, and what to type next."""
    # No variable leads the server's own client there.
    with_address = _COMMAND.sub(rf"\g<0> -address={bao.addr}", check)
    return f" Asked: {bao.addr}, the root namespace.{with_address}."


_COMMAND = re.compile(r"Check: bao (?:token (?:lookup|capabilities)|(?:secrets |auth |namespace )?list|read|path-help)")


def bad_token(bao: Bao, path: str) -> str:
    """The message for a token that the server does not accept."""
    return (
        "The server does not accept the token: it is wrong, expired, revoked, used up, or bound to other networks. "
        f"Refused at '{path}'; log in again or give another token.{asked(bao, ' Check: bao token lookup')}"
    )


def denied(bao: Bao, capability: str, path: str) -> str:
    """The message for what no policy allows."""
    check = f" Policies are case-sensitive. Check: bao token capabilities {path}"
    return (
        f"Permission denied: the token's policies do not grant the capability '{capability}' on '{path}'. The server "
        f"answers the same when the engine or the key in that path does not exist.{asked(bao, check)}"
    )


def no_engine(bao: Bao, path: str) -> str:
    """The message for a path at which nothing is mounted."""
    check = " If it is in another namespace, set namespace. Check: bao secrets list"
    return f"No secrets engine is mounted for '{path}'. Enable it, or correct the engine's path.{asked(bao, check)}"


class Ledger:
    """What the server was asked since this was made, as (operation, path)."""

    def __init__(self, bao: Bao) -> None:
        self._log = bao.audit_log
        self._start = self._log.stat().st_size

    @property
    def entries(self) -> list[dict[str, Any]]:
        with self._log.open("rb") as log:
            log.seek(self._start)
            entries = [json.loads(line) for line in log]
        return [entry["request"] for entry in entries if entry["type"] == "request"]

    @property
    def requests(self) -> list[tuple[str, str]]:
        return [(str(entry["operation"]), str(entry["path"])) for entry in self.entries]

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [
            (operation, path)
            for operation, path in self.requests
            if operation not in ("read", "list") and not WRITES_NOTHING.fullmatch(path)
        ]


def run(
    bao: Bao, module: str, *, check: bool = False, env: Mapping[str, str] | None = None, **params: Any
) -> ModuleResult:
    """One run with the root token, unless `token` is among the parameters."""
    result = run_module(module, {**bao.login, **params}, check=check, env=env)
    shown = json.dumps(result)
    for secret in (bao.token, str(params.get("token") or bao.token)):
        assert secret not in shown, "the token shows in the result"
    assert "Traceback" not in shown
    return result


def outcome(result: ModuleResult) -> dict[str, Any]:
    """What a run says it did: all that it returned but the echo of its options, warnings, and what nobody predicts."""
    return {name: value for name, value in result.items() if name not in ("invocation", "warnings", "successors")}


def converge(bao: Bao, module: str, *, repeatable: bool = True, **params: Any) -> ModuleResult:
    """Predict in check mode, do it, do it again.

    The prediction has to be what then happens and to write nothing; the second run has to find nothing to do.
    """
    before = Ledger(bao)
    predicted = run(bao, module, check=True, **params)
    assert not predicted.failed, predicted.msg
    assert before.writes == [], "check mode wrote"
    real = Ledger(bao)
    done = run(bao, module, **params)
    assert not done.failed, done.msg
    assert outcome(predicted) == outcome(done)
    assert done.changed is bool(real.writes), real.writes
    assert done.changed is (done["diff"]["before"] != done["diff"]["after"])
    if repeatable:
        unchanged(bao, module, **params)
    return done


def unchanged(bao: Bao, module: str, **params: Any) -> ModuleResult:
    """A run that finds everything as it should be, and writes nothing."""
    ledger = Ledger(bao)
    result = run(bao, module, **params)
    assert not result.failed, result.msg
    assert not result.changed
    assert ledger.writes == []
    assert result["diff"]["before"] == result["diff"]["after"]
    return result


def refused(bao: Bao, module: str, **params: Any) -> str:
    """What a run says that fails, alike in check mode and for real, before anything is written."""
    ledger = Ledger(bao)
    messages = set()
    for check in (True, False):
        result = run(bao, module, check=check, **params)
        assert result.failed, result
        assert not result.changed
        messages.add(result.msg)
    assert ledger.writes == []
    [message] = messages
    return message


def at_once(
    bao: Bao, reconcile: Callable[[Client, Mapping[str, Any], RunContext], Outcome], options: Mapping[str, Any]
) -> list[Outcome]:
    """What eight hosts that want the same at the same moment get."""
    hosts = 8
    ready = threading.Barrier(hosts)

    def host(_number: int) -> Outcome:
        client = Client(Connection(url=bao.addr), warn=print, token=bao.token)
        ready.wait()
        run = RunContext(dry_run=False, now=time.time())
        return reconcile(client, collections.defaultdict(lambda: None, options), run)

    with ThreadPoolExecutor(hosts) as pool:
        return list(pool.map(host, range(hosts)))
