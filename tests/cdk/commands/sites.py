# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A program in a folder of its own, and its server."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cdk.command import changes, mlkeys
from tests.support.collection import collections_path
from tests.support.server import Bao

VALUE = f"FAKE-{secrets.token_hex(8)}"
VALUES = {f"{word}_{number}": f"{VALUE}-{word}-{number}" for word in ("KEY", "OTHER") for number in "123"}


@dataclass(frozen=True)
class Site:
    """A program and its server."""

    bao: Bao
    engine: str
    folder: Path

    def write(self, text: str, name: str = "app.py") -> None:
        head = "from mlkeys import *\nfrom mlkeys import transit as vault\n"
        (self.folder / name).write_text(head + text.replace("ENGINE", self.engine))

    def run(
        self, *arguments: str, status: int = 0, login: Mapping[str, str] | None = None, stdin: str = ""
    ) -> tuple[str, str]:
        login = {"BAO_TOKEN": self.bao.token} if login is None else login
        env = {"BAO_ADDR": self.bao.addr, "KEY_A": VALUE, **VALUES, **login}
        done = mlkeys(*arguments, cwd=self.folder, env=env, status=status, stdin=stdin)
        return done.stdout, done.stderr

    def playbook(self, *arguments: str, status: int) -> str:
        """What the generated playbook says without the command."""
        env = {"ANSIBLE_COLLECTIONS_PATH": str(collections_path()), "KEY_A": VALUE}
        login = {"BAO_ADDR": self.bao.addr, "BAO_TOKEN": self.bao.token}
        command = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [command, "site.yml", *arguments], cwd=self.folder / "mlkeys.out" / "ansible" / "app",
            env={**os.environ, **env, **login}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def logged(self, log: Path) -> int:
        """What a deployment changes whose output goes to a file."""
        shell = ["sh", "-c", 'exec "$0" -m mlkeys deploy >"$1" 2>&1', sys.executable, str(log)]
        login = {"BAO_ADDR": self.bao.addr, "BAO_TOKEN": self.bao.token}
        env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections_path()), "KEY_A": VALUE, **login}
        done = subprocess.run(shell, cwd=self.folder, env=env, timeout=300, check=False)
        assert done.returncode == 0, log.read_text()
        return changes(log.read_text())

    def killed_when(self, happened: Callable[[], bool]) -> None:
        """Kill a deployment as soon as something has happened, and wait for the end of all that it started."""
        login = {"BAO_ADDR": self.bao.addr, "BAO_TOKEN": self.bao.token}
        env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections_path()), "KEY_A": VALUE, **login}
        command = [sys.executable, "-m", "mlkeys", "deploy"]
        with subprocess.Popen(
            command, cwd=self.folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        ) as p:
            while not happened():
                assert p.poll() is None, "it ended before"
                time.sleep(0.001)
            p.kill()
        while self.is_used():
            time.sleep(0.01)

    def is_used(self) -> bool:
        """Whether a process works in the folder."""
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if link.readlink().is_relative_to(self.folder):
                    return True
        return False

    def changes(self, *arguments: str) -> int:
        return changes(self.run("deploy", *arguments)[0])

    def reported(self, *arguments: str) -> set[str]:
        """The tasks that a command reports as changes."""
        stacks = json.loads(self.run(*arguments, "--json")[0])["stacks"]
        return {change["task"] for stack in stacks for change in stack["changes"]}

    def counts(self, command: str) -> dict[str, int]:
        """What a command counts in all stacks, by kind."""
        stacks = json.loads(self.run(command, "--json")[0])["stacks"]
        assert all(stack["changed"] == sum(stack["counts"].values()) - stack["counts"]["kept"] for stack in stacks)
        return {kind: sum(stack["counts"][kind] for stack in stacks) for kind in stacks[0]["counts"]}

    def deploys_what_it_announces(self) -> dict[str, int]:
        """The counts of a deployment, which a comparison has announced, and after which none is left to do."""
        planned, done, again = (self.counts(command) for command in ("diff", "deploy", "deploy"))
        assert planned == done
        assert again == {**dict.fromkeys(done, 0), "kept": done["kept"]}
        return done

    def secret(self) -> str:
        return self.run("output", "--show-secrets", "plain")[0].strip()

    def clone(self, target: Path) -> Site:
        git = ["git", "-c", "user.name=n", "-c", "user.email=n@example.com"]
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["clone", "-q", ".", str(target)]):
            subprocess.run([*git, *arguments], cwd=self.folder, check=True, capture_output=True)
        return Site(self.bao, self.engine, target)

    def names(self, path: str) -> set[str]:
        status, body = self.bao.request("LIST", path)
        return set(body["data"]["keys"]) if status == 200 else set()

    def grants(self, approle: str, roles: set[str]) -> dict[str, set[str]]:
        """The keys that each role may decrypt with, by all of its policies."""
        found: dict[str, set[str]] = {role: set() for role in roles}
        for role in roles:
            for policy in self.bao.done("GET", f"auth/{approle}/role/{role}")["data"]["token_policies"]:
                text = self.bao.done("GET", f"sys/policies/acl/{policy}")["data"]["policy"]
                found[role] |= set(re.findall(rf'"{self.engine}/decrypt/(\w+)"', text))
        return found

    def decrypted(self) -> dict[str, str]:
        """The plaintexts of all ciphertexts beside the program, by ENGINE/KEY/NAME."""
        found = {}
        for path in (self.folder / "mlkeys.state").rglob("*.transit.yml"):
            for line in path.read_text().partition("_transit:")[0].splitlines():
                name, _, text = line.partition(": ")
                if text.startswith("vault:"):
                    body = {"ciphertext": text, "context": base64.b64encode(name.encode()).decode()}
                    key = f"{self.engine}/decrypt/{path.name.removesuffix('.transit.yml')}"
                    answer = self.bao.done("POST", key, body)["data"]["plaintext"]
                    found[f"{path.name.removesuffix('.transit.yml')}/{name}"] = base64.b64decode(answer).decode()
        return found
