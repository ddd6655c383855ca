# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key material reaches the server, and nothing else: no output, no log, no file, no host."""

from __future__ import annotations

import json
import secrets
import string
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.support.plays import INVOCATION_SHOWN
from tests.support import key_material
from tests.support.canary import Watcher, leaking_files, recorders, temporary_folders
from tests.support.playbook import run_playbook
from tests.support.server import Bao, transit_mount

# 32 bytes that can be found in any encoding.
PLAIN = "".join(secrets.choice(string.ascii_letters) for _byte in range(32))
PASSPHRASE = "canary-passphrase-Wd7"


@dataclass
class Recorded:
    """A folder below which a run records all that it can, and what must not be there."""

    bao: Bao
    engine: str
    root: Path
    files: Path
    planted: dict[str, str]

    def play(self, tasks: Sequence[dict[str, Any]], *, sent: bool, args: Sequence[str] = ()) -> str:
        """The output of a play with these tasks, on this machine."""
        playbook = self.root / "play.yml"
        # Without pipelining, what is sent is written to a file on the host.
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "tasks": list(tasks),
            "environment": {},
        }
        playbook.write_text(json.dumps([{**play, **({"environment": {"ANY": "thing"}} if sent else {})}]))
        watcher = Watcher(temporary_folders(self.root), self.planted)
        with watcher.watching():
            done = run_playbook(
                playbook,
                inventory="localhost,",
                env={
                    **recorders(self.root),
                    **INVOCATION_SHOWN,
                    "ANSIBLE_PIPELINING": "false",
                    "ANSIBLE_KEEP_REMOTE_FILES": "true",
                    "BAO_ADDR": self.bao.addr,
                    "BAO_TOKEN": self.bao.token,
                    "PLAIN": PLAIN,
                    "PASSPHRASE": PASSPHRASE,
                },
                args=("-vvvv", "--diff", *args),
            )
        (self.root / "output").write_text(done.stdout + done.stderr, encoding="utf-8")
        assert done.returncode == 0, done.stdout + done.stderr
        assert watcher.seen_argv, "the watcher saw no process"
        assert watcher.leaks == set()
        assert leaking_files(self.root, self.planted) == set()
        return done.stdout + done.stderr


@pytest.fixture
def recorded(bao: Bao, tmp_path: Path) -> Iterator[Recorded]:
    # A short name, as for the other canary.
    with tempfile.TemporaryDirectory(prefix="material-") as folder, transit_mount(bao) as engine:
        lines = key_material.pem("ed25519", 7).splitlines()[1:-1]
        sealed = key_material.pem("ecdsa-p256", 7, PASSPHRASE)
        private = key_material.der("ecdsa-p256", 7)
        planted = {
            "the PEM": max(lines, key=len),
            "the bytes": PLAIN,
            "the passphrase": PASSPHRASE,
            "the encrypted PEM": sealed.splitlines()[2],
            # Where the private number is in the DER of such a key.
            "the decrypted PEM": private[36:68].hex(),
        }
        (tmp_path / "own.pem").write_text(key_material.pem("ed25519", 7), encoding="ascii")
        (tmp_path / "sealed.pem").write_text(sealed, encoding="ascii")
        yield Recorded(bao, engine, Path(folder), tmp_path, planted)


def imports(recorded: Recorded) -> list[dict[str, Any]]:
    """Tasks that import from a file, from a variable and from an encrypted file, that do nothing, and that fail."""
    own = {"type": "ed25519", "backend": recorded.engine}
    file = {"src": str(recorded.files / "own.pem")}
    plain = {"content": "{{ lookup('ansible.builtin.env', 'PLAIN') | b64encode }}"}
    sealed = {"src": str(recorded.files / "sealed.pem")}
    passphrase = "{{ lookup('ansible.builtin.env', 'PASSPHRASE') }}"
    aes = {"name": "plain", "type": "aes256-gcm96", "backend": recorded.engine, "import": plain}
    keys: list[dict[str, Any]] = [
        {"name": "own", **own, "import": file},
        aes,
        {"name": "sealed", **own, "type": "ecdsa-p256", "import": {**sealed, "passphrase": passphrase}},
    ]
    wrong: list[dict[str, Any]] = [
        {"name": "own", **own, "import": {**file, "version": 3}},
        {"name": "other", **own, "import": plain},
        {"name": "other", **own, "type": "ecdsa-p256", "import": sealed},
        {"name": "other", **own, "type": "hmac", "import": file},
        {**aes, "import": {**plain, "encodnig": "hex"}},
        {**aes, "import": {**plain, "encoding": "hex"}},
        {**aes, "import": plain["content"]},
    ]
    single = "mlkeys.transit.vault_transit_key"
    many = {"mlkeys.transit.vault_transit_keys": {"backend": recorded.engine, "keys": keys}}
    return [
        {**many, "check_mode": True},
        *({single: key} for key in keys[:2]),
        {**many, "register": "many"},
        {"ansible.builtin.debug": {"var": "many"}},
        *({single: key, "ignore_errors": True} for key in wrong),
    ]


def through_the_role(tasks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A task that imports the same keys by the role."""
    (many,) = [task["mlkeys.transit.vault_transit_keys"] for task in tasks if "register" in task]
    keys = [{**key, "backend": many["backend"]} for key in many["keys"]]
    return {
        "ansible.builtin.include_role": {"name": "mlkeys.transit.vault_transit"},
        "vars": {"vault_transit_keys": keys},
    }


@pytest.mark.parametrize("sent", [False, True], ids=["in process", "sent"])
def test_an_import_is_silent(recorded: Recorded, sent: bool) -> None:
    tasks = imports(recorded)
    if not sent:
        # With all of its tasks in this process it takes a tenth of the time.
        tasks.insert(0, through_the_role(tasks))
    else:
        # No host gets material from a controller that cannot wrap it.
        own = {"name": "other", "type": "ed25519", "backend": recorded.engine, "url": "http://127.0.0.1:1"}
        unwrapped = {**own, "import": {"src": str(recorded.files / "own.pem")}}
        tasks.append({"mlkeys.transit.vault_transit_key": unwrapped, "ignore_errors": True})
    shown = recorded.play(tasks, sent=sent)

    assert shown.count("...ignoring") == 7 + sent
    assert ("cannot wrap the material, which is not sent" in shown) is sent
    # The misspelt option and what cannot be read or wrapped are refused before there is a module to send.
    assert shown.count("Using module file") == (5 if sent else 0)
    listed = recorded.bao.done("LIST", f"{recorded.engine}/keys")["data"]["keys"]
    # The first one has the server's wrapping key.
    assert listed == ["import/", "own", "plain", "sealed"]
    assert '"done": true' in shown
    made = recorded.bao.done("GET", f"{recorded.engine}/keys/own")["data"]
    assert made["imported_key"] is True


@pytest.mark.parametrize("sent", [False, True], ids=["in process", "sent"])
def test_an_export_is_in_its_file_alone(recorded: Recorded, sent: bool) -> None:
    recorded.bao.done("POST", f"{recorded.engine}/keys/out", {"type": "ed25519", "exportable": True})
    keys = recorded.bao.done("GET", f"{recorded.engine}/export/signing-key/out")["data"]["keys"]
    recorded.planted = {"the exported key": keys["1"]}
    options = {
        "name": "out",
        "backend": recorded.engine,
        "key_type": "signing-key",
        "path": str(recorded.files / "out.key"),
        "i_understand": "whoever reads the file has the key",
    }
    export = {"mlkeys.transit.vault_transit_key_export": options, "register": "exported"}
    shown = recorded.play(
        [
            {**export, "check_mode": True},
            export,
            {"ansible.builtin.debug": {"var": "exported"}},
            {**export, "environment": {}},
            {"mlkeys.transit.vault_transit_key_export": {**options, "version": 2}, "ignore_errors": True},
        ],
        sent=sent,
    )
    assert "changed=2 " in shown
    assert shown.count("...ignoring") == 1
    assert (recorded.files / "out.key").read_text(encoding="ascii") == keys["1"] + "\n"
