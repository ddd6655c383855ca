# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The commands that messages name can be pasted: they are for the program and the folder of the command that ran."""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from mlkeys._commands.paths import command_line
from tests.cdk.command import mlkeys
from tests.support.server import Bao

VALUE = f"FAKE-{secrets.token_hex(8)}"
PROGRAM = """
from mlkeys import *
from mlkeys import transit as vault
for name in ("first", "second"):
    with Stack(App() if name == "first" else stack.node.scope, name) as stack:
        t = vault.TransitSecretBackend("t", path=f"ENGINE-{name}")
        k = vault.TransitSecretBackendKey("k", backend=t.path, name="one", derived=True)
        k.encrypt(Secret.generated(), name="random")
        secret = k.encrypt(Secret.env("KEY_A"))
        export("plain", k.decrypt(secret))
        export("ciphertext", secret)
"""


@dataclass(frozen=True)
class Site:
    """A program that is not app.py, in a folder with a space in its name."""

    folder: Path
    engine: str
    env: dict[str, str]

    @property
    def program(self) -> Path:
        return self.folder / "my programs" / "renamed.py"

    def replace(self, old: str, new: str) -> None:
        self.program.write_text(self.program.read_text().replace(old, new))

    def run(self, *arguments: str, status: int = 0, **env: str) -> tuple[str, str]:
        done = mlkeys(*arguments, cwd=self.folder, env={**self.env, **env}, status=status)
        return done.stdout, done.stderr

    def on_program(self, *arguments: str, status: int = 0, **env: str) -> tuple[str, str]:
        return self.run(*arguments, "my programs/renamed.py", "--out", "build", status=status, **env)

    def paste(self, text: str, *, begin: str, status: int = 0) -> tuple[str, str]:
        """Run the command behind the beginning of a hint."""
        _, found, command = " ".join(text.split()).partition(begin)
        assert found, text
        name, *arguments = shlex.split(command)
        assert name == "mlkeys"
        return self.run(*arguments, status=status)


@pytest.fixture
def site(bao: Bao, tmp_path: Path) -> Iterator[Site]:
    engine = f"engine-{secrets.token_hex(4)}"
    made = Site(tmp_path, engine, {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, "KEY_A": VALUE})
    made.program.parent.mkdir()
    made.program.write_text(PROGRAM.replace("ENGINE", engine))
    yield made
    for name in ("first", "second"):
        bao.done("DELETE", f"sys/mounts/{engine}-{name}")


def test_what_a_message_names_can_be_pasted(site: Site, bao: Bao) -> None:
    refused = site.on_program("output", "--stack", "second", status=1)[1]
    assert "First run: mlkeys deploy --stack second --out build 'my programs/renamed.py'\n" in refused
    site.paste(refused, begin="First run: ")
    assert {path.name for path in (site.program.parent / "mlkeys.state").iterdir()} == {"second"}
    site.on_program("deploy")
    site.replace('"one"', '"two"')
    refused = site.on_program("diff", "--stack", "first", status=1)[1]
    shown = site.paste(refused, begin="To take it along, run: ")
    # It shows its own result as a deployment does, and none of Ansible's.
    assert shown[0].splitlines()[-1].startswith("Moved 2 secrets from ")
    assert f"moves from {site.engine}-first/one to {site.engine}-first/two\n" in shown[0]
    assert "+ Key k" in shown[0]
    assert "PLAY" not in "".join(shown)
    refused = site.on_program("deploy", "--stack", "second", status=1)[1]
    verbose = site.on_program("move", f"{site.engine}-second/one", f"{site.engine}-second/two", "-v")
    assert "PLAY [Move ciphertexts of stack second]" in verbose[0]
    assert VALUE not in "".join((*shown, *verbose))
    assert "Encrypt with the new key" in verbose[0]
    deployed = site.paste(verbose[0], begin="Next: ")
    assert "Deployed: 0 created" in deployed[0]
    # A random secret whose ciphertext is lost: the playbook of the deployment names the command.
    state = site.program.parent / "mlkeys.state"
    shutil.rmtree(state / "first" / f"{site.engine}-first")
    refused = site.on_program("deploy", status=1)[1]
    command = "mlkeys deploy --out build 'my programs/renamed.py' --generate random"
    assert command in " ".join(refused.split())
    site.run(*shlex.split(command)[1:])
    bao.done("POST", f"{site.engine}-first/keys/two/config", {"deletion_allowed": True})
    bao.done("DELETE", f"{site.engine}-first/keys/two")
    refused = site.on_program("deploy", status=1)[1]
    site.paste(refused, begin="replace the old ones everywhere: ")


def test_a_renamed_stack_says_so(site: Site) -> None:
    site.on_program("deploy", "--stack", "first")
    site.replace('"first"', '"primary"')
    site.replace(f'"{site.engine}-{{name}}"', f'"{site.engine}-first" if name == "primary" else "{site.engine}-second"')
    site.replace('f"', '"')
    assert site.on_program("move", "first", "primary")[0] == (
        "Moved mlkeys.state/first to mlkeys.state/primary. Next: mlkeys deploy --out build 'my programs/renamed.py'\n"
    )


def test_a_failed_move_shows_why(site: Site, bao: Bao) -> None:
    site.on_program("deploy")
    site.replace('"one"', '"two"')
    engine = f"{site.engine}-first"
    bao.done("POST", f"{engine}/keys/one/config", {"deletion_allowed": True})
    bao.done("DELETE", f"{engine}/keys/one")
    out, err = site.on_program("move", f"{engine}/one", f"{engine}/two", status=1)
    assert "Stack first: failed" in out
    assert "+ Key k" in out
    assert "moves from" not in out
    assert "does not exist" in err
    assert VALUE not in out + err
    assert f"The ciphertexts of {engine}/one were not moved. The errors are shown above." in err


def test_outputs_that_are_not_decrypted_have_a_cause(site: Site, bao: Bao) -> None:
    show = ("output", "my programs/renamed.py", "--out", "build", "--show-secrets", "plain", "--stack", "first")
    site.on_program("deploy")
    state = site.program.parent / "mlkeys.state"
    state.rename(site.folder / "state")
    refused = site.run(*show, status=1)[1]
    (site.folder / "state").rename(state)
    assert "were not decrypted. Failed: Read " in refused
    site.paste(refused, begin="If it is not deployed, run: ")
    assert site.run(*show)[0] == f"{VALUE}\n"

    def cause(**env: str) -> str:
        found = site.run(*show, "--json", status=1, **env)
        assert VALUE not in "".join(found)
        assert not any(word in found[1] for word in env.values() if word.startswith("hidden"))
        message = json.loads(found[0])["error"]
        assert message.startswith("The outputs of stack first were not decrypted. "), message
        assert "lookup plugin" not in message
        return str(message)

    assert "Cannot reach the server at http://127.0.0.1:1: connection refused." in cause(BAO_ADDR="http://127.0.0.1:1")
    assert "The server does not accept the token" in cause(BAO_TOKEN="hidden-token")
    bao.done("POST", f"sys/auth/{site.engine}", {"type": "approle"})
    login = {
        "ANSIBLE_HASHI_VAULT_AUTH_METHOD": "approle",
        "ANSIBLE_HASHI_VAULT_MOUNT_POINT": site.engine,
        "ANSIBLE_HASHI_VAULT_ROLE_ID": "no-role",
        "ANSIBLE_HASHI_VAULT_SECRET_ID": "hidden-secret-id",
    }
    assert f"The login with approle at 'auth/{site.engine}/login' was refused" in cause(**login)
    bao.done("DELETE", f"sys/auth/{site.engine}")
    bao.done("POST", f"{site.engine}-first/keys/one/config", {"deletion_allowed": True})
    bao.done("DELETE", f"{site.engine}-first/keys/one")
    assert f"The key for '{site.engine}-first/decrypt/one' does not exist." in cause()


def lines(**given: object) -> list[str]:
    command = click.Command("any")
    with click.Context(command) as context:
        context.params |= given
        return [command_line("deploy", "--adopt"), command_line("move", "a", "b"), command_line("graph")]


def test_a_command_line_is_for_the_program_of_the_command() -> None:
    assert command_line("deploy") == "mlkeys deploy"
    assert lines(program=Path("app.py"), out=None, stacks=()) == [
        "mlkeys deploy --adopt",
        "mlkeys move a b",
        "mlkeys graph",
    ]
    assert lines(program=Path("a b.py"), out=Path("c"), stacks=("d",)) == [
        "mlkeys deploy --adopt --stack d --out c 'a b.py'",
        "mlkeys move a b --out c 'a b.py'",
        "mlkeys graph 'a b.py'",
    ]
    assert lines(program=Path("app.py"), inventories=("a.yml", "b"))[1] == "mlkeys move a b -i a.yml -i b"
