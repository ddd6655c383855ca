# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins of a service: a refused one is not repeated until it can work, and no token stays behind."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

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
    def __init__(self, root: Path, is_used_up: bool = False, **variables: Any) -> None:
        self.root, self.runtime = root, root / "run"
        self.runtime.mkdir()
        for name in ("role_id", "secret_id"):
            (root / name).write_text("x", encoding="ascii")
        (root / "agent.hcl").write_text('  address = "http://127.0.0.1:8200"\n', encoding="utf-8")
        environment = jinja2.Environment(autoescape=False)  # noqa: S701  it is a shell script
        environment.filters["quote"] = shlex.quote
        environment.filters["bool"] = bool
        text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
            vault_transit_host_service={
                "name": "gw",
                "folder": str(root),
                "runtime": str(self.runtime),
                "is_used_up": is_used_up,
            },
            vault_transit_host_program=str(root / "agent"),
            **variables,
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


def test_a_secret_id_that_arrives_while_the_former_one_is_refused_is_tried_at_once(service: Service) -> None:
    """It must not count as the refused one, or the service stays down until its pause ends."""
    service.fails(REFUSED)
    replace = f"touch -d @4711 {service.root}/new && mv -f {service.root}/new {service.root}/secret_id\n"
    refuses = (service.root / "agent").read_text(encoding="utf-8")
    service.agent(refuses.replace("exit 1\n", f"{replace}exit 1\n"))
    assert service.once()[0] == 1
    service.agent("#!/bin/sh\n")
    assert service.once(timeout=5)[0] == 0
    assert not (service.runtime / "refused").exists()


def test_a_wrapping_token_that_has_ended_is_not_tried_again(tmp_path: Path) -> None:
    service = Service(tmp_path, is_used_up=True)
    token = tmp_path / "once" / "wrapping_token"
    token.parent.mkdir()
    token.write_text("s.1", encoding="ascii")
    service.fails(ERROR.format(code=400, text="wrapping token is not valid or does not exist"))
    status, said = service.once()
    assert status == 78
    assert "gw: its secret ID was not unwrapped within 5 minutes, or somebody else has unwrapped it." in said
    assert said.endswith("gw has used up its secret ID. Run the role again.\n")
    assert not token.exists()
    # The role may give it another one in the meantime.
    token.write_text("s.1", encoding="ascii")
    refuses = (tmp_path / "agent").read_text(encoding="utf-8")
    replace = f"touch -d @4711 {tmp_path}/new && mv -f {tmp_path}/new {token}\n"
    service.agent(refuses.replace("exit 1\n", f"{replace}exit 1\n"))
    assert service.once()[0] == 1
    assert token.exists()


def test_no_core_file_holds_the_memory_of_an_agent(service: Service) -> None:
    service.agent(f"#!/bin/sh\n{{ ulimit -c; cat /proc/self/coredump_filter; }} > {service.root}/calls\n")
    assert service.once()[0] == 0
    assert service.calls == ["0", "00000000"]


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


def test_an_end_while_a_start_waits_delays_no_start(service: Service) -> None:
    """A unit has no program then, and systemd runs no `fetch asked`."""
    attempts = service.runtime / "attempts"
    service.fails(REFUSED)
    service.once()
    with subprocess.Popen(["/bin/sh", service.root / "fetch", "once"], stderr=subprocess.PIPE) as began:
        assert began.stderr is not None
        assert b"waits for" in began.stderr.readline()
        began.terminate()
        assert began.wait(timeout=5) == 143
    assert not attempts.exists()
    service.agent("#!/bin/sh\n")
    assert service.once(timeout=5)[0] == 0


def test_an_agent_reads_nothing_in_the_home_of_its_user(service: Service) -> None:
    service.agent(f'#!/bin/sh\necho "$HOME" > {service.root}/calls\n')
    assert service.once()[0] == 0
    assert service.calls == ["/nonexistent"]


# --- other logins ---

REMEDY = "Set vault_transit_host_binary to the program vault, which has aws, azure and gcp."


def test_a_refused_login_of_another_method_names_what_to_check(tmp_path: Path) -> None:
    service = Service(tmp_path, vault_transit_host_auth_method="jwt")
    with (service.root / "agent.hcl").open("a", encoding="utf-8") as file:
        file.write('    mount_path = "auth/ci"\n    namespace = "org/team"\n')
    service.fails(ERROR.format(code=400, text="error validating token").replace("approle", "ci"))
    said = service.once()[1]
    assert "gw: the server refuses its login with jwt. Check vault_transit_host_auth_role," in said
    assert "Asked: http://127.0.0.1:8200, namespace org/team. An administrator can look at it: " in said
    assert said.endswith("bao read -namespace=org/team auth/ci/role/ROLE\n")
    assert "secret ID" not in said
    # Nothing locks such logins, so it is tried again after the usual pauses.
    assert not (service.runtime / "locked").exists()


def test_a_method_that_the_program_lacks_is_named_with_the_program_that_has_it(tmp_path: Path) -> None:
    service = Service(tmp_path, vault_transit_host_auth_method="aws")
    service.agent(
        "#!/bin/sh\necho '==> OpenBao Agent started!'\necho '                     Cgo: disabled'\n"
        "echo 'Error creating aws auth method: unknown auth method \"aws\"'\nexit 1\n"
    )
    assert service.once()[1].splitlines() == [
        'Error creating aws auth method: unknown auth method "aws"',
        f"gw: {service.root}/agent has no auth method aws. {REMEDY}",
    ]


def test_a_token_that_something_else_renews_is_not_revoked(tmp_path: Path) -> None:
    service = Service(tmp_path, vault_transit_host_auth_method="token_file")
    service.agent(AGENT.format(folder=tmp_path, token="s.Canary"))
    assert service.once()[0] == 0
    assert not (service.runtime / "token").exists()
    assert [call for call in service.calls if "revoke" in call] == []


def test_a_token_is_revoked_the_way_that_it_was_got(tmp_path: Path) -> None:
    service = Service(tmp_path, vault_transit_host_agent_environment={"HTTPS_PROXY": "http://it's:3128", "N": 5})
    settings = {"client_cert": "/c.pem", "client_key": "/c.key", "tls_server_name": "v.test", "namespace": "org"}
    lines = ['  address = "https://127.0.0.1:8200"', *(f'  {name} = "{value}"' for name, value in settings.items())]
    (tmp_path / "agent.hcl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = "$BAO_CLIENT_CERT $BAO_CLIENT_KEY $VAULT_TLS_SERVER_NAME $BAO_NAMESPACE $HTTPS_PROXY $N"
    service.agent(
        AGENT.format(folder=tmp_path, token="s.Canary").replace("test ", f'echo "{names}" >> {tmp_path}/env\ntest ')
    )
    assert service.once()[0] == 0
    assert (tmp_path / "env").read_text().splitlines() == [
        "http://it's:3128 5".rjust(22),
        "/c.pem /c.key v.test org http://it's:3128 5",
    ]
