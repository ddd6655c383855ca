# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`mlkeys login` and `mlkeys logout`, and where a token is kept, over TLS with a private CA."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.token_helper import stored_token
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._devserver.server import _binary, without_server_settings
from tests.integration.conftest import SecureBao
from tests.integration.support import oidc
from tests.integration.support.plays import VARS_PLUGIN, Project
from tests.integration.support.processes import free_port
from tests.support.chains import printed_with

Run = Callable[..., Any]

HELPER = """#!/bin/sh
echo "$1 $VAULT_ADDR" >> {log}
case $1 in
  get) cat {kept} ;;
  store) cat > {kept} ;;
  erase) rm {kept} ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def run(secure_bao: SecureBao, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(home)
    where = {"HOME": str(home), "BAO_ADDR": secure_bao.url, "BAO_CACERT": secure_bao.ca_cert}

    def run(
        *arguments: str, stdin: str = "", status: int = 0, program: str = "", env: dict[str, str] | None = None
    ) -> Any:
        environment = {**without_server_settings(os.environ), **where, **(env or {})}
        if program:
            done: Any = subprocess.run(
                [program, *arguments],
                env=environment,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        else:
            with mock.patch.dict(os.environ, environment, clear=True):
                done = CliRunner().invoke(main, arguments, input=stdin)
        assert getattr(done, "returncode", None) == status or getattr(done, "exit_code", None) == status, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def token(secure_bao: SecureBao) -> str:
    body = {"policies": ["default"], "ttl": "2h", "display_name": "ada"}
    return str(secure_bao.bao.done("POST", "auth/token/create", body)["auth"]["client_token"])


def is_valid(here: SecureBao, token: str) -> bool:
    return here.bao.request("GET", "auth/token/lookup-self", token=token)[0] == 200


def found(environment: dict[str, str]) -> str:
    """The token that all other parts find: there is none in an option or a variable."""
    auth = settings_from({"url": "https://bao.example.com"}, environment).auth
    return auth.token or stored_token(auth, "https://bao.example.com")


# --- tokens ---


def test_a_token_is_kept_as_bao_keeps_it_and_revoked_and_removed(
    secure_bao: SecureBao, run: Run, home: Path, token: str
) -> None:
    # One that others could read must not stay so.
    file = home / ".vault-token"
    file.write_text("old", encoding="ascii")
    file.chmod(0o644)
    done = run("login", stdin=token + "\n")
    assert done.stdout == ""
    assert f"Logged in to {secure_bao.url} as token-ada, with the policies default." in done.stderr
    assert re.search(rf"The token is valid for [12] h \d+ min and is kept in {file}\.", done.stderr)
    assert token not in done.stderr
    assert file.read_text(encoding="ascii") == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [".vault-token"]
    # Both clients use it now.
    assert run("token", "lookup", "-field=display_name", program=_binary()).stdout == "token-ada"
    gone = json.loads(run("logout", "--json").stdout)
    assert gone == {"url": secure_bao.url, "revoked": True, "removed": str(file)}
    assert not file.exists()
    assert not is_valid(secure_bao, token)
    assert "There is no token to remove." in run("logout").stderr


def test_a_token_that_is_refused_is_not_kept(run: Run, home: Path) -> None:
    done = run("login", stdin="s.wrong-canary\n", status=1)
    assert "The server does not accept the token" in done.stderr
    assert "wrong-canary" not in done.stderr
    assert "No token: nothing was entered." in run("login", status=1).stderr
    assert list(home.iterdir()) == []


def test_a_logout_without_the_server_keeps_the_token(run: Run, home: Path, token: str, secure_bao: SecureBao) -> None:
    file = home / ".vault-token"
    file.write_text(token, encoding="ascii")
    away = {"BAO_ADDR": "https://127.0.0.1:1"}
    assert "Cannot reach the server" in run("logout", env=away, status=1).stderr
    assert file.exists()
    assert f"Logged out. It is removed from {file}." in run("logout", "--no-revoke", env=away).stderr
    assert not file.exists()
    assert is_valid(secure_bao, token)
    # One that has expired is removed all the same.
    file.write_text("s.expired", encoding="ascii")
    assert json.loads(run("logout", "--json").stdout)["revoked"] is False
    assert not file.exists()


def test_a_variable_that_wins_is_named(run: Run, token: str) -> None:
    done = run("login", stdin=token, env={"BAO_TOKEN": "other"})
    assert "Warning: BAO_TOKEN is set and wins over this token. Unset it." in done.stderr


# --- token helpers ---


@pytest.fixture
def helper(tmp_path: Path, home: Path) -> Path:
    """A token helper, and the log of its calls."""
    program, log = tmp_path / "a helper", tmp_path / "log"
    program.write_text(HELPER.format(log=log, kept=tmp_path / "kept"), encoding="ascii")
    program.chmod(0o700)
    (home / ".bao").write_text(f'# where\ntoken_helper = "{program}"\n', encoding="ascii")
    return log


def test_a_token_helper_keeps_and_gives_the_token(
    secure_bao: SecureBao, run: Run, home: Path, tmp_path: Path, helper: Path, token: str
) -> None:
    made = json.loads(run("login", "--json", stdin=token).stdout)
    assert made == {
        "url": secure_bao.url,
        "method": "token",
        "display_name": "token-ada",
        "policies": ["default"],
        "ttl": made["ttl"],
        "renewable": True,
        "stored": str(tmp_path / "a helper"),
    }
    assert (tmp_path / "kept").read_text(encoding="ascii") == token
    assert not (home / ".vault-token").exists()
    # It is asked, as by the server's client.
    assert found({"HOME": str(home)}) == token
    assert f"It is removed by the token helper {tmp_path}/a helper." in run("logout").stderr
    assert not (tmp_path / "kept").exists()
    assert not is_valid(secure_bao, token)
    assert set(helper.read_text(encoding="ascii").splitlines()) == {
        f"{verb} {secure_bao.url}" for verb in ("get", "store", "erase")
    } | {"get https://bao.example.com"}


def test_the_clients_of_the_server_find_the_same_token(run: Run, tmp_path: Path, token: str, home: Path) -> None:
    """The program, the variables for it, and the file: in the order of the server's client."""
    program, config, kept = tmp_path / "helper", tmp_path / "config", tmp_path / "kept"
    program.write_text(f"#!/bin/sh\nprintf {token}\n", encoding="ascii")
    program.chmod(0o700)
    config.write_text(json.dumps({"token_helper": str(program)}), encoding="ascii")
    kept.write_text(token, encoding="ascii")
    for env in (
        {"BAO_CONFIG_PATH": str(config), "BAO_TOKEN_PATH": "/nowhere"},
        {"VAULT_CONFIG_PATH": str(config)},
        {"BAO_TOKEN_PATH": str(kept)},
        {"VAULT_TOKEN_PATH": str(kept)},
    ):
        assert run("token", "lookup", "-field=display_name", program=_binary(), env=env).stdout == "token-ada"
        assert found({"HOME": str(home), **env}) == token, env
    # Options that name another file say where the token is.
    elsewhere = {"HOME": str(home), "BAO_CONFIG_PATH": str(config), "ANSIBLE_HASHI_VAULT_TOKEN_FILE": "mine"}
    (home / "mine").write_text("s.mine", encoding="ascii")
    assert found(elsewhere) == "s.mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("#!/bin/sh\necho secret-canary >&2; exit 3\n", "get failed with exit status 3."),
        ("#!/bin/sh\n", "has none. Log in with mlkeys login, bao or vault."),
        ("nothing to execute", "get: Exec format error."),
        (None, "does not exist."),
    ],
)
def test_a_token_helper_that_fails(home: Path, tmp_path: Path, helper: Path, content: str | None, message: str) -> None:
    program = tmp_path / "a helper"
    if content is None:
        program.unlink()
    else:
        program.write_text(content, encoding="ascii")
    with pytest.raises(InvalidOption) as error:
        found({"HOME": str(home)})
    assert error.value.message.endswith(message)
    assert "secret-canary" not in str(printed_with(error.value))


def test_nobody_else_names_the_program(home: Path, helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = (home / ".bao").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        # What root has is everybody's.
        os.chown(home / ".bao", 12345, -1)
    with pytest.raises(InvalidOption, match="the file belongs to another user, and names a program to run"):
        found({"HOME": str(home)})
    assert not helper.exists()


def test_a_token_that_cannot_be_kept_is_revoked(
    secure_bao: SecureBao, run: Run, home: Path, tmp_path: Path, helper: Path, token: str
) -> None:
    """One that a login created. The one that somebody enters is theirs."""
    (tmp_path / "a helper").write_text('#!/bin/sh\ncat > "$0.token"; exit 3\n', encoding="ascii")
    secure_bao.bao.done("POST", "sys/auth/kept", {"type": "userpass"})
    secure_bao.bao.done("POST", "auth/kept/users/ada", {"password": "kept-canary", "token_policies": ["default"]})
    arguments = ("login", "-m", "userpass", "--mount-point", "kept", "--username", "ada")
    assert "store failed with exit status 3." in run(*arguments, stdin="kept-canary\n", status=1).stderr
    given = (tmp_path / "a helper.token").read_text(encoding="ascii")
    assert given
    assert not is_valid(secure_bao, given)
    run("login", stdin=f"{token}\n", status=1)
    assert is_valid(secure_bao, token)
    secure_bao.bao.done("DELETE", "sys/auth/kept")


# --- other methods ---


def test_userpass_asks_for_the_password(secure_bao: SecureBao, run: Run, home: Path) -> None:
    secure_bao.bao.done("POST", "sys/auth/staff", {"type": "userpass"})
    secure_bao.bao.done("POST", "auth/staff/users/ada", {"password": "staff-canary", "token_policies": ["default"]})
    arguments = ("login", "-m", "userpass", "--mount-point", "staff", "--username", "ada")
    done = run(*arguments, "--no-store", stdin="staff-canary\n")
    assert is_valid(secure_bao, done.stdout.strip())
    assert list(home.iterdir()) == []
    refused = run(*arguments, stdin="wrong-canary\n", status=1).stderr
    assert "The login with userpass at 'auth/staff/login/ada' was refused: invalid username or password." in refused
    assert "wrong-canary" not in refused
    assert "Name the user: --username." in run("login", "-m", "userpass", status=1).stderr
    secure_bao.bao.done("DELETE", "sys/auth/staff")


def test_what_is_missing_or_unknown_is_one_sentence(run: Run) -> None:
    assert (
        "auth_method approle requires role_id (--role, ANSIBLE_HASHI_VAULT_ROLE_ID or "
        in run("login", "-m", "approle", status=1).stderr
    )
    assert "'app-role' is not one of" in run("login", "-m", "app-role", status=2).stderr
    none = {"ANSIBLE_HASHI_VAULT_AUTH_METHOD": "none"}
    assert "auth_method 'none' logs in nowhere." in run("login", env=none, status=1).stderr


PLAY = """
- mlkeys.transit.vault_transit_key_info: {name: ml}
  ignore_errors: true
- mlkeys.transit.vault_transit_key_info: {name: ml}
  environment: {SENT: "yes"}
  ignore_errors: true
- ansible.builtin.debug: {msg: "{{ lookup('mlkeys.transit.vault_transit', 'vault:v1:YQ==', key='ml') }}"}
  ignore_errors: true
"""


@pytest.mark.parametrize(
    ("misspelt", "configuration", "said"),
    [
        (
            {"ANSIBLE_HASHI_VAULT_AUTH_METHOD": "app-role"},
            "",
            ["auth_method (ANSIBLE_HASHI_VAULT_AUTH_METHOD) is 'app-role', but must be one of token,"],
        ),
        # Ansible reads both as false.
        (
            {"ANSIBLE_HASHI_VAULT_VALIDATE_CERTS": "maybe"},
            "token_revoke = ture",
            [
                "validate_certs (ANSIBLE_HASHI_VAULT_VALIDATE_CERTS) is 'maybe', but must be true or false.",
                "token_revoke (ansible.cfg) is 'ture', but must be true or false.",
            ],
        ),
    ],
    ids=["method", "flags"],
)
def test_a_misspelt_setting_has_one_sentence_everywhere(
    run: Run, tmp_path: Path, misspelt: dict[str, str], configuration: str, said: list[str]
) -> None:
    configured = {**misspelt, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}
    project = Project(tmp_path, {"BAO_ADDR": "https://127.0.0.1:1", "BAO_TOKEN": "t"})
    project.hosts(1)
    project.write("ansible.cfg", f"[hashi_vault_collection]\n{configuration}\n")
    project.play(PLAY)
    shown = project.run(env=configured).stdout
    failed = [line for line in shown.splitlines() if line.startswith("fatal: ")]
    assert len(failed) == 3, shown
    assert all(sentence in line for line in failed for sentence in said), failed
    encrypted = '{"token": "vault:v1:YQ==", "_transit": {"format": 1, "backend": "transit", "key": "ml", "hmac": {}}}'
    project.write("group_vars/gateways/keys.transit.yml", encrypted)
    project.play('- ansible.builtin.debug: {msg: "{{ token }}"}')
    read = project.run(env={**VARS_PLUGIN, **configured}, status=4).stderr
    assert "keys.transit.yml: " in read
    assert "probably a bug" not in read
    refused = run("login", env=configured, status=1).stderr
    assert refused.startswith("Error: ")
    assert len(refused.splitlines()) == 1
    for sentence in said:
        assert sentence in read
        assert sentence in refused
    doctor = run("doctor", env=configured, status=1).stdout
    assert all(sentence in doctor for sentence in said), doctor


# --- OIDC ---


@pytest.fixture(scope="module")
def provider(secure_bao: SecureBao) -> Iterator[oidc.Provider]:
    bao = secure_bao.bao
    with oidc.provider() as made:
        bao.done("POST", "sys/auth/oidc", {"type": "oidc"})
        config = {"oidc_discovery_url": made.url, "oidc_client_id": oidc.CLIENT, "oidc_client_secret": oidc.SECRET}
        bao.done("POST", "auth/oidc/config", {**config, "default_role": "client"})
        yield made
        bao.done("DELETE", "sys/auth/oidc")


@pytest.fixture
def log_in(secure_bao: SecureBao, provider: oidc.Provider, run: Run, tmp_path: Path) -> Any:
    browser = tmp_path / "browser"
    browser.write_text(oidc.BROWSER.format(python=sys.executable), encoding="ascii")
    browser.chmod(0o700)
    provider.pending, provider.refuses = 1, False

    def log_in(mode: str, *arguments: str, **more: Any) -> Any:
        port = free_port()
        direct = f"{secure_bao.url}/v1/auth/oidc/oidc/callback"
        role = {
            "role_type": "oidc",
            "user_claim": "sub",
            "token_policies": ["default"],
            "allowed_redirect_uris": [direct if mode == "direct" else f"http://localhost:{port}/oidc/callback"],
            "callback_mode": mode,
            "poll_interval": 1,
            "oidc_disable_confirmation": True,
        }
        secure_bao.bao.done("POST", f"auth/oidc/role/{mode}", role)
        where = {"BROWSER": str(browser), "NO_PROXY": "*"}
        # The server's own address is one of TLS with a private CA.
        trusted = {"SSL_CERT_FILE": secure_bao.ca_cert} if mode == "direct" else {}
        # A process of its own, which opens a browser.
        command = ("-m", "mlkeys", "login", "-m", "oidc", "--port", str(port), *arguments)
        return run(*command, program=sys.executable, env={**where, **trusted}, **more)

    return log_in


@pytest.mark.parametrize("mode", ["client", "device", "direct"])
def test_a_person_logs_in_with_a_provider(secure_bao: SecureBao, log_in: Any, home: Path, mode: str) -> None:
    done = log_in(mode, "--role", mode, "--json")
    made = json.loads(done.stdout)
    assert (made["display_name"], made["method"], made["policies"]) == ("oidc-ada", "oidc", ["default"])
    token = (home / ".vault-token").read_text(encoding="ascii")
    assert is_valid(secure_bao, token)
    assert token not in done.stdout + done.stderr
    assert oidc.SECRET not in done.stdout + done.stderr
    assert ("Log in at this address, and enter the code ABCD-EFGH:\n" in done.stderr) is (mode == "device")


def test_the_role_of_the_server_is_the_default(log_in: Any) -> None:
    assert log_in("client", "--no-store").stdout.strip()


def test_a_person_who_is_refused(log_in: Any, provider: oidc.Provider, home: Path) -> None:
    provider.refuses = True
    done = log_in("client", status=1)
    assert "Error: The OIDC provider refused the login: not today." in done.stderr
    assert list(home.iterdir()) == []


def test_a_role_that_does_not_exist_or_allows_another_address(
    secure_bao: SecureBao, provider: oidc.Provider, run: Run
) -> None:
    refused = run("login", "-m", "oidc", "--role", "nope", status=1).stderr
    assert "Error: The login with oidc at 'auth/oidc' was refused: " in refused
    assert "could not be found. Check --role and --mount-point." in refused
    absent = run("login", "-m", "oidc", "--mount-point", "nope", status=1).stderr
    assert "Error: The login with oidc at 'auth/nope' was refused: permission denied. Check --role and" in absent
    elsewhere = {"role_type": "oidc", "user_claim": "sub", "allowed_redirect_uris": ["https://elsewhere.example.com"]}
    secure_bao.bao.done("POST", "auth/oidc/role/elsewhere", elsewhere)
    refused = run("login", "-m", "oidc", "--role", "elsewhere", status=1).stderr
    assert "The role does not allow http://localhost:8250/oidc/callback: add it to allowed_redirect_uris" in refused
