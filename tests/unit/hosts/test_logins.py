# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins of a service: a refused one is not repeated until it can work, and no token stays behind."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "fetch.j2"
INFO = "2026-11-27T00:53:29.105Z [INFO]  agent.auth.handler: authenticating"
ERROR = """2026-11-27T00:53:29.105Z [ERROR] agent: runtime error encountered:
  error=
  | Error making API request.
  |
  | URL: PUT http://127.0.0.1:8200/v1/auth/approle/login
  | Code: {code}. Errors:
  |
  | * {text}
   exitCode=1"""
REFUSED = ERROR.format(code=400, text="invalid role or secret ID")
LOCKED = ERROR.format(code=403, text="permission denied")
# Writes what a configuration asks for, and a token. Says how it was called otherwise.
AGENT = """#!/bin/sh
echo "$1 $2" "${{BAO_ADDR:-}}" "${{BAO_TOKEN:-}}" >> {folder}/calls
test "$1" = agent || exit 0
echo {token} > {folder}/run/token
echo KEY=1 > {folder}/run/environment
"""


class Service:
    def __init__(self, root: Path) -> None:
        self.root, self.runtime = root, root / "run"
        self.runtime.mkdir()
        for name in ("role_id", "secret_id"):
            (root / name).write_text("x", encoding="ascii")
        (root / "agent.hcl").write_text('  address = "http://127.0.0.1:8200"\n', encoding="utf-8")
        environment = jinja2.Environment(autoescape=False)  # noqa: S701  it is a shell script
        environment.filters["quote"] = shlex.quote
        environment.filters["bool"] = bool
        text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
            vault_transit_host_service={"name": "gw", "folder": str(root), "runtime": str(self.runtime)},
            vault_transit_host_program=str(root / "agent"),
            vault_transit_host_secret_id_kept=True,
        )
        (root / "fetch").write_text(text.replace("sleep 5", "sleep 0.1"), encoding="utf-8")

    def agent(self, script: str) -> None:
        (self.root / "agent").write_text(script, encoding="utf-8")
        (self.root / "agent").chmod(0o755)

    def fails(self, words: str) -> None:
        self.agent(f"#!/bin/sh\necho x >> {self.root}/calls\ncat >&2 <<'END'\n{INFO}\n{words}\nEND\nexit 1\n")

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def once(self, timeout: float = 10.0) -> tuple[int, str]:
        script = ["/bin/sh", str(self.root / "fetch"), "once"]
        done = subprocess.run(script, check=False, timeout=timeout, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stderr


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_a_refused_login_is_repeated_with_another_secret_id_alone(service: Service) -> None:
    service.fails(REFUSED)
    status, said = service.once()
    assert status == 1
    assert "gw: the server does not know its secret ID any more, or its AppRole. Run the role again." in said
    with pytest.raises(subprocess.TimeoutExpired) as waits:
        service.once(timeout=0.7)
    assert b"or until it gets another secret ID: the server has refused its own." in (waits.value.stderr or b"")
    assert len(service.calls) == 1
    os.utime(service.root / "secret_id", (4711, 4711))
    service.agent("#!/bin/sh\n")
    assert service.once()[0] == 0
    assert not (service.runtime / "refused").exists()


def test_refusals_are_further_apart_than_what_locks_an_approle(service: Service) -> None:
    """Five within 15 minutes do."""
    service.fails(REFUSED)
    service.once()
    refused = service.runtime / "refused"
    for count, least, most in ((1, 900, 1800), (2, 1800, 3600), (30, 43200, 86400)):
        _count, rest = refused.read_text(encoding="ascii").split(" ", 1)
        refused.write_text(f"{count} {rest}", encoding="ascii")
        with pytest.raises(subprocess.TimeoutExpired) as waits:
            service.once(timeout=0.5)
        seconds = int((waits.value.stderr or b"").split(b" waits for ")[1].split()[0])
        assert least - 5 <= seconds <= most
    assert len(service.calls) == 1


def test_a_locked_approle_is_named_with_what_unlocks_it(service: Service) -> None:
    service.fails(LOCKED)
    said = service.once()[1]
    assert "bao write -f sys/locked-users/ACCESSOR_OF_MOUNT/unlock/x" in said
    assert (service.runtime / "locked").exists()
    service.agent("#!/bin/sh\n")
    service.once()
    assert not (service.runtime / "locked").exists()


def test_only_the_last_error_of_an_agent_is_shown(service: Service) -> None:
    service.fails(f"{ERROR.format(code=1, text='the first')}\n{INFO}\n{ERROR.format(code=500, text='sealed')}")
    assert service.once()[1].splitlines() == [
        "[ERROR] agent: runtime error encountered:",
        "  error=",
        "  | Error making API request.",
        "  | URL: PUT http://127.0.0.1:8200/v1/auth/approle/login",
        "  | Code: 500. Errors:",
        "  | * sealed",
        "   exitCode=1",
    ]


@pytest.mark.parametrize(("token", "revoked"), [("s.Canary", True), ("hvs.Canary", True), ("b.AAAA", False)])
def test_no_token_outlives_the_attempt_that_it_was_for(service: Service, token: str, revoked: bool) -> None:
    service.agent(AGENT.format(folder=service.root, token=token))
    assert service.once()[0] == 0
    assert not (service.runtime / "token").exists()
    wanted = [f"token revoke http://127.0.0.1:8200 {token}"] if revoked else []
    assert service.calls[1:] == wanted


def test_a_stop_that_somebody_asks_for_delays_no_start(service: Service) -> None:
    """A program that ends by itself again and again logs in ever less often."""
    attempts = service.runtime / "attempts"
    attempts.write_text("5 1", encoding="ascii")
    script = ["/bin/sh", str(service.root / "fetch"), "asked"]
    without = {name: value for name, value in os.environ.items() if name != "MAINPID"}
    subprocess.run(script, check=True, env=without)
    assert attempts.exists()
    subprocess.run(script, check=True, env={**without, "MAINPID": "4711"})
    assert not attempts.exists()
