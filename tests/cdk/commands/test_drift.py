# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys diff --fail` finds, on a real server, keys that were changed by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cdk.command import changes, mlkeys
from tests.support.server import Bao

PROGRAM = """
from mlkeys import App, Secret, Stack
from mlkeys import transit as vault

app = App()
first, second = Stack(app, "first"), Stack(app, "second")
engine = vault.TransitSecretBackend(first, "engine", path="{mount}")
key = vault.TransitSecretBackendKey(first, "key", backend=engine.path, name="providers", derived=True,
                                    min_decryption_version=1)
key.encrypt(Secret.env("OPENAI_API_KEY"))
vault.TransitSecretBackendKey(first, "open", backend=engine.path, name="open", exportable=True)
vault.TransitSecretBackendKey(second, "floored", backend="{mount}", name="floored", min_encryption_version=1)
second.node.add_dependency(first)
"""

FLOORS = ("min_decryption_version", "min_encryption_version")


@dataclass(frozen=True)
class Place:
    """Where a program lies, and its server."""

    folder: Path
    bao: Bao
    mount: str

    def run(self, *arguments: str, status: int = 0, token: str | None = None) -> tuple[str, str]:
        env = {"BAO_ADDR": self.bao.addr, "BAO_TOKEN": token or self.bao.token, "OPENAI_API_KEY": "FAKE-value"}
        done = mlkeys(*arguments, cwd=self.folder, env=env, status=status)
        return done.stdout, done.stderr

    def by_hand(self, name: str, what: str = "config", **config: Any) -> None:
        self.bao.done("POST", f"{self.mount}/keys/{name}/{what}", config)

    def floors(self, name: str) -> tuple[int, ...]:
        key = self.bao.done("GET", f"{self.mount}/keys/{name}")["data"]
        return tuple(key[floor] for floor in FLOORS)


def test_changes_of_keys_by_hand_are_found(bao: Bao, mount: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM.format(mount=mount))
    bao.done("DELETE", f"sys/mounts/{mount}")
    place = Place(tmp_path, bao, mount)
    place.run("deploy")
    place.run("rotate", "--now")
    assert (place.floors("providers"), place.floors("floored")) == ((2, 2), (1, 1))

    # The one floor is what the rotation raised it to above the declared one, the other was declared.
    shown, messages = place.run("diff", "--fail")
    assert "No differences." in messages
    assert "min_decryption_version=1 has no effect: a rotation raised it to 2." in messages
    place.by_hand("providers", min_decryption_version=1, min_encryption_version=0)
    place.by_hand("floored", min_encryption_version=0)
    shown, messages = place.run("diff", "--fail", status=2)
    assert changes(shown) == 2
    floors = "min_decryption_version 1 → 2, min_encryption_version 0 → 2"
    assert f"  ~ Key {mount}/providers  change   {floors}\n" in shown
    assert "Different: first, second." in messages
    place.run("deploy", "--stack", "first")
    assert place.floors("providers") == (2, 2)
    assert "No differences." in place.run("diff", "--fail", "--stack", "first")[1]

    place.by_hand("providers", "rotate")
    shown, messages = place.run("diff", "--fail", "--stack", "first", status=2)
    assert changes(shown) == 1
    assert "Different: first." in messages

    place.by_hand("providers", exportable=True)
    reason = (
        f"1 of 2 keys failed: {mount}/keys/providers: exportable is on and cannot be turned off again: put new secrets "
        "under a new key, or accept it with exportable: true. Nothing was changed."
    )
    shown, messages = place.run("diff", "--fail", status=2)
    assert f"Failed on localhost: 2 keys\n  {reason}\n" in messages
    assert "TASK [" not in shown + messages
    # The other stack is compared all the same.
    assert "Different: first, second." in messages
    assert "deploy cannot change: first." in messages
    assert reason in place.run("deploy", "--stack", "first", status=1)[1]

    # A server that gives no answer is not drift.
    _, messages = place.run("diff", "--fail", "--stack", "first", status=1, token="wrong")
    assert "Not compared: first." in messages
    assert "deploy cannot change" not in messages
