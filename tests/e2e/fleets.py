# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are folders of this machine, with ciphertexts in their files, and playbooks that are run over them."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.support.plays import make_key
from tests.integration.support.vars_files import VarsFile
from tests.support import forks
from tests.support.ciphertexts import find
from tests.support.collection import ROOT, collections_path
from tests.support.server import Bao

VALUES = {"openai_api_key": "sk-canary-one", "hf_token": "hf_canary-two"}
HOSTS = ("gateway-a", "gateway-b")
KEY = "ml-api-key"

# The key when it was rotated once and every ciphertext was rewrapped.
DONE = {"latest_version": 2, "min_decryption_version": 2, "min_encryption_version": 2, "min_available_version": 0}


@dataclass(frozen=True)
class Fleet:
    """Two hosts that are folders, each with two files of ciphertexts, and the vars file that these came from."""

    bao: Bao
    mount: str
    folder: Path
    file: VarsFile

    @property
    def files(self) -> list[Path]:
        return [self.folder / host / name for host in HOSTS for name in ("srv/app.env", "etc/config.yaml")]

    @property
    def report(self) -> Path:
        return self.folder / "status.json"

    def fill(self) -> None:
        self.file.run(VALUES, key=KEY)
        ciphertexts = self.file.ciphertexts()
        for path in self.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = [f"{name.upper()}={text}\n" for name, text in ciphertexts.items()]
            path.write_text("# made by hand\n" + "".join(lines), encoding="utf-8")
            path.chmod(0o640)

    def run(
        self,
        *arguments: str,
        playbook: str = "rotate",
        env: Mapping[str, str] | None = None,
        status: int | None = 0,
        **variables: object,
    ) -> str:
        """Run the playbook in a group of processes of its own, and see it end with this status, if one is given.

        Variables that are `None` are not set.
        """
        settings = {
            name: value for name, value in {**SETTINGS[playbook](self), **variables}.items() if value is not None
        }
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(collections_path()),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "killing,mlkeys.transit.session",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "BAO_ADDR": self.bao.addr,
            "BAO_TOKEN": self.bao.token,
            "KILL_MOVES": str(self.folder / "moves"),
            # The callbacks are part of the tests.
            "PYTHONPATH": str(ROOT),
            **(env or {}),
        }
        argv = ["-i", str(self.folder / "inventory.yml"), "-e", json.dumps(settings), *arguments]
        command = [str(Path(sys.executable).parent / "ansible-playbook"), *argv, f"mlkeys.transit.{playbook}"]
        done = forks.run(command, cwd=self.folder, env=environment, timeout=120, session=True)
        shown = done.stdout + done.stderr
        assert status in (None, done.returncode), shown
        assert "Traceback" not in shown
        assert "canary" not in shown
        return shown

    def account(self, *arguments: str, status: int | None = 0, **variables: Any) -> dict[str, Any]:
        """Run the playbook rotate, and return the account that it sets."""
        return account_in(self.run(*arguments, status=status, **variables))

    def declare(self, host: str, **variables: object) -> None:
        """Give a host variables of its own."""
        path = self.folder / "host_vars" / f"{host}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(variables), encoding="utf-8")

    def encrypt(self, value: str, context: str = "", key: str = KEY, **more: str) -> str:
        """A ciphertext, made without the product."""
        fields = {"plaintext": value, **({"context": context} if context else {}), **more}
        body = {name: base64.b64encode(text.encode()).decode() for name, text in fields.items()}
        ciphertext: str = self.bao.done("POST", f"{self.mount}/encrypt/{key}", body)["data"]["ciphertext"]
        return ciphertext

    def decrypt(self, ciphertext: str, context: str = "", key: str = KEY, **more: str) -> str | None:
        """Its value, ``None`` if it does not decrypt."""
        fields = {**({"context": context} if context else {}), **more}
        body = {name: base64.b64encode(text.encode()).decode() for name, text in fields.items()}
        path = f"{self.mount}/decrypt/{key}"
        status, answer = self.bao.request("POST", path, {"ciphertext": ciphertext, **body})
        return base64.b64decode(answer["data"]["plaintext"]).decode() if status == 200 else None

    @contextmanager
    def without(self, host: str) -> Iterator[None]:
        """The host cannot be reached, for the time of the block."""
        with self._connected(host, "ssh"):
            yield

    @contextmanager
    def losing(self, host: str, task: str) -> Iterator[dict[str, str]]:
        """The host cannot be reached any more when a run has had its first result of the task.

        Yields the environment that the run needs.
        """
        lost = self.folder / "lost"
        with self._connected(host, f"{{{{ 'ssh' if '{lost}' is file else 'local' }}}}"):
            yield {"LOSE_AFTER": task, "LOST": str(lost)}
        assert lost.exists()

    @contextmanager
    def _connected(self, host: str, connection: str) -> Iterator[None]:
        path = self.folder / "inventory.yml"
        before = path.read_text(encoding="utf-8")
        inventory = yaml.safe_load(before)
        inventory["all"]["children"]["gateways"]["hosts"][host] = {
            "ansible_connection": connection,
            "ansible_host": "127.0.0.1",
            "ansible_port": 1,
        }
        path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
        yield
        path.write_text(before, encoding="utf-8")

    def allow_backups(self) -> None:
        allowed = {"exportable": True, "allow_plaintext_backup": True}
        self.bao.done("POST", f"{self.mount}/keys/{KEY}/config", allowed)

    def key(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bao.done("GET", f"{self.mount}/keys/{KEY}")["data"]
        return {
            name: found[name]
            for name in ("latest_version", "min_decryption_version", "min_encryption_version", "min_available_version")
        }

    def check_rotated(self, version: int = 2, values: Mapping[str, str] | None = None) -> None:
        """Every copy holds what the vars file holds, that is of the version, and decrypts."""
        assert set(self.file.versions().values()) == {version}
        assert self.file.plaintexts(KEY) == (VALUES if values is None else values)
        for path in self.files:
            texts = [found.text for found in find(path.read_bytes())]
            assert texts == list(self.file.ciphertexts().values()), path
            assert path.read_text(encoding="utf-8").startswith("# made by hand\n")
            assert path.stat().st_mode & 0o777 == 0o640
        left = [path for path in self.folder.rglob("*") if path.name.startswith(".mlkeys-")]
        assert left == []


def account_in(shown: str) -> dict[str, Any]:
    """The account that a run of the playbook rotate set."""
    account: dict[str, Any] = json.loads(shown.partition("RUN: ")[2].partition("\n")[0])["vault_transit_account"]
    return account


SETTINGS: dict[str, Callable[[Fleet], dict[str, object]]] = {
    "rotate": lambda fleet: {
        "vault_transit_rotate_key": KEY,
        "vault_transit_rotate_backend": fleet.mount,
        "vault_transit_rotate_vars_files": [str(fleet.file.path)],
        "vault_transit_rotate_older_than": 0,
    },
    "status": lambda fleet: {
        "vault_transit_status_backends": [fleet.mount],
        "vault_transit_status_vars_files": [str(fleet.file.path)],
        "vault_transit_status_file": str(fleet.report),
    },
}


def make_fleet(bao: Bao, mount: str, folder: Path) -> Fleet:
    """Two hosts that are reached, and the vars file that their ciphertexts came from."""
    make_key(bao, mount, KEY)
    made = Fleet(bao, mount, folder, VarsFile(bao, mount, folder / "keys.transit.yml"))
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    paths = {"vault_transit_host_paths": [str(folder / "{{ inventory_hostname }}")]}
    inventory = {
        "all": {
            "hosts": {"localhost": {"vault_transit_host_paths": []}},
            "children": {"gateways": {"hosts": dict.fromkeys(HOSTS), "vars": paths}},
            "vars": local,
        }
    }
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    made.fill()
    return made
