# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""One deployment after the other on a real server: from clones, with other names, and without what left the program."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlkeys._record.record import parsed
from tests.cdk.command import changes, mlkeys
from tests.integration.support.plays import approle as login_of
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

    def run(self, *arguments: str, status: int = 0, login: Mapping[str, str] | None = None) -> tuple[str, str]:
        login = {"BAO_TOKEN": self.bao.token} if login is None else login
        env = {"BAO_ADDR": self.bao.addr, "KEY_A": VALUE, **VALUES, **login}
        done = mlkeys(*arguments, cwd=self.folder, env=env, status=status)
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


@pytest.fixture(scope="module")
def approle(bao: Bao) -> Iterator[str]:
    path = f"approle-{secrets.token_hex(4)}"
    bao.done("POST", f"sys/auth/{path}", {"type": "approle"})
    yield path
    bao.done("DELETE", f"sys/auth/{path}")


@pytest.fixture
def site(bao: Bao, tmp_path: Path) -> Iterator[Site]:
    engine = f"engine-{secrets.token_hex(4)}"
    folder = tmp_path / "site"
    mlkeys("init", str(folder), cwd=tmp_path)
    yield Site(bao, engine, folder)
    bao.done("DELETE", f"sys/mounts/{engine}")


GENERATED = """
t = vault.TransitSecretBackend("t", path="ENGINE")
k = vault.TransitSecretBackendKey("k", backend=t.path, name="one", derived=True)
g = k.encrypt(Secret.generated(), name="master_key")
k.encrypt(Secret.env("KEY_A"))
web = Inventory("hosts").local("web", ["h1"])
HostConfig("f", hosts=web, dest="HOSTS/h1.env", env={"MASTER": g.ciphertext})
export("plain", k.decrypt(g))
"""


def test_a_clone_deploys_what_is_there(site: Site, tmp_path: Path) -> None:
    site.write(GENERATED.replace("HOSTS", str(tmp_path / "hosts")))
    # A key that is there may have encrypted a former secret. The log of this run does not hold one.
    site.bao.done("POST", f"sys/mounts/{site.engine}", {"type": "transit"})
    site.bao.done("POST", f"{site.engine}/keys/one", {"derived": True})
    assert site.logged(site.folder / "deploy.log") > 0
    value = site.secret()
    clone = site.clone(tmp_path / "clone")
    assert not (clone.folder / "mlkeys.out").exists()
    # It has the modes of the user's umask, since git keeps none.
    for path in (clone.folder / "mlkeys.state").rglob("*.transit.yml"):
        path.chmod(0o600)
    assert clone.changes() == 0
    shutil.rmtree(site.folder / "mlkeys.out")
    assert site.secret() == value
    assert "No differences." in site.run("diff", "--fail")[1]
    assert site.changes() == 0
    # The stack of a program in the flat style is named after its file.
    (clone.folder / "app.py").rename(clone.folder / "site.py")
    assert clone.changes("site.py") == 0
    assert {path.name for path in (clone.folder / "mlkeys.state").iterdir()} == {"site"}
    assert_another_server_is_refused(clone)
    # Without its ciphertext, a random secret is not made again: neither the record nor a host has forgotten it.
    state = site.folder / "mlkeys.state" / "app"
    shutil.rmtree(state / site.engine)
    for _ in ("recorded", "on a host"):
        shown = "".join(site.run("deploy", status=1))
        assert "master_key: made by a former deployment" in shown
        assert "mlkeys deploy --generate master_key" in shown
        (state / "record.json").unlink(missing_ok=True)
    (tmp_path / "hosts" / "h1.env").unlink()
    assert_copies_are_found(site)
    assert site.changes("--generate", "master_key") > 0
    assert site.secret() != value
    # What a file on a host gets in addition was in no former one.
    shutil.rmtree(site.folder / "group_vars")
    program = (site.folder / "app.py").read_text()
    more = ', "MORE": k.encrypt(Secret.generated(), name="more").ciphertext}'
    (site.folder / "app.py").write_text(program.replace("g.ciphertext}", f"g.ciphertext{more}"))
    assert site.changes() > 0
    # Nor is it made again when the key is gone.
    site.bao.done("POST", f"{site.engine}/keys/one/config", {"deletion_allowed": True})
    site.bao.done("DELETE", f"{site.engine}/keys/one")
    for command in ("diff", "deploy", "deploy"):
        shown = " ".join("".join(site.run(command, status=1)).split())
        assert f"master_key, more: mlkeys.state/app/{site.engine}/one.transit.yml has it, and the server does" in shown
    shown = site.run("deploy", "--generate", "more", status=1)[1]
    assert "master_key, more" not in shown
    assert "mlkeys deploy --generate master_key --generate more" in shown
    # Nor by the playbook alone, which finds what the first attempt made.
    for check in (["--check"], [], []):
        shown = " ".join(site.playbook(*check, status=2).split())
        assert "key failed: " in shown
        assert f"master_key, more: mlkeys.state/app/{site.engine}/one.transit.yml has it, and the server does" in shown
    # A new key would be taken for that of the stored ciphertexts.
    assert site.names(f"{site.engine}/keys") == set()
    site.bao.done("DELETE", f"sys/mounts/{site.engine}")
    assert "has it, and the server does" in " ".join(site.playbook("--check", status=2).split())
    assert site.changes("--generate", "master_key", "--generate", "more") > 0
    assert site.decrypted().keys() == {"one/master_key", "one/more", "one/key_a"}


def assert_another_server_is_refused(site: Site) -> None:
    with recorded_elsewhere(site.folder / "mlkeys.state" / "site"):
        for command in (["deploy"], ["diff"], ["destroy"], ["rotate", "--now"], ["rotate", "--dry-run"]):
            assert "mlkeys.state/site belongs to another server" in site.run(*command, "site.py", status=1)[1]


@contextmanager
def recorded_elsewhere(state: Path) -> Iterator[None]:
    record = state / "record.json"
    text = record.read_text()
    own = parsed(text).server
    assert own
    record.write_text(text.replace(own, "of-another-server"))
    yield
    record.write_text(record.read_text().replace("of-another-server", own))


def test_deployments_at_the_same_time_take_turns(site: Site) -> None:
    program = """
t = vault.TransitSecretBackend("t", path="ENGINE")
k = vault.TransitSecretBackendKey("k", backend=t.path, name="one", derived=True)
for name in ("one", "two"):
    k.encrypt(Secret.generated(), name=name)
EncryptedVars("v", key=k, secrets={"three": Secret.generated()})
k.grant_decrypt(vault.Policy("ENGINEp"))
"""
    site.write(program)
    with ThreadPoolExecutor(2) as pool:
        done = [*pool.map(lambda _number: site.run("deploy"), range(2))]
    shown = [text for text, _ in done]
    assert sorted(map(changes, shown)) == [0, 6]
    # Each random secret is new, and none is foreign to the task that makes another one.
    assert sum("6 created, 0 changed" in text for text in shown) == 1
    assert ["Waiting for another run" in text for _, text in done].count(True) == 1
    assert not any("not declared" in text for _, text in done)
    record = parsed((site.folder / "mlkeys.state" / "app" / "record.json").read_text())
    policy = site.bao.done("GET", f"sys/policies/acl/{site.engine}p")["data"]["policy"]
    assert f"owner {record.owner}\n" in policy
    # Nothing is lost of these.
    value = site.decrypted()
    assert "Note: --generate two: not lost" in site.run("deploy", "--generate", "two")[1]
    assert site.decrypted() == value
    # Two clones that did not know of each other need no other names.
    other = site.clone(site.folder.parent / "other")
    other_record = other.folder / "mlkeys.state" / "app" / "record.json"
    other_record.write_text(record.text().replace(record.owner, "0123456789abcdef"))
    assert "use mlkeys.state/app of that clone" in other.run("deploy", status=1)[1]
    for pattern in ("nowhere", "!localhost"):
        assert f"No host matches the limit {pattern}." in site.run("deploy", "--limit", pattern, status=1)[1]
    assert site.changes("--limit", "localhost") == 0


@pytest.mark.parametrize("moment", ["recorded", "stored", "on a host"])
def test_a_killed_deployment_loses_no_random_secret(site: Site, tmp_path: Path, moment: str) -> None:
    site.write(GENERATED.replace("HOSTS", str(tmp_path / "hosts")))
    state, host = site.folder / "mlkeys.state" / "app", tmp_path / "hosts" / "h1.env"
    record, stored = state / "record.json", state / site.engine / "one.transit.yml"
    moments = {"recorded": record, "stored": stored, "on a host": host}
    site.killed_when(moments[moment].exists)
    text = record.read_text()
    assert parsed(text).text() == text
    if host.exists():
        assert parsed(text).made.generated == {f"{site.engine}/one/master_key"}
    value = site.decrypted().get("one/master_key") if stored.exists() else None
    clone, elsewhere = site.clone(tmp_path / "clone"), tmp_path / "elsewhere"
    clone.run("deploy")
    assert value in (None, clone.secret())
    ciphertext = host.read_text().strip().removeprefix("MASTER=")
    assert ciphertext in (clone.folder / stored.relative_to(site.folder)).read_text()
    again = clone.clone(elsewhere)
    assert again.changes() == 0
    status = ["git", "status", "--porcelain"]
    assert subprocess.run(status, cwd=elsewhere, check=True, capture_output=True, text=True).stdout == ""


COPY = """
k.encrypt(Secret.generated(), name="other_key")
place = {"store": "kv", "kv_mount": "kv-ENGINE", "kv_path": "named", "backend": t.path, "key": k.name}
AnsibleTask("copy", task={"mlkeys.transit.vault_transit_vars": {**place, "secrets": {}}, "tags": "never"})
"""


def assert_copies_are_found(site: Site) -> None:
    """Documents of a KV engine which the program or a vars file beside it names say what existed."""
    program, kv = (site.folder / "app.py").read_text(), f"kv-{site.engine}"
    place, key = {"store": "kv", "kv_mount": kv, "kv_path": "ml/keys"}, {"backend": site.engine, "key": "one"}
    pointer = site.folder / "group_vars" / "all" / "keys.transit.yml"
    pointer.parent.mkdir(parents=True)
    pointer.write_text(json.dumps({"_transit": {"format": 1, **place, **key}}))
    (site.folder / "app.py").write_text(program + COPY.replace("ENGINE", site.engine))
    site.bao.done("POST", f"sys/mounts/{kv}", {"type": "kv", "options": {"version": "2"}})
    held = {"master_key": "vault:v1:AAAA", "_transit": {"format": 1, **key}}
    site.bao.done("POST", f"{kv}/data/ml/keys", {"data": held})
    site.bao.done("POST", f"{kv}/data/named", {"data": {"other_key": "vault:v1:AAAA"}})
    shown = " ".join("".join(site.run("deploy", status=1)).split())
    assert "master_key, other_key: made by a former deployment" in shown
    assert f"copy the ciphertext from {kv}/named, {pointer}." in shown
    # What this login may not read may have it.
    rules = {"*": ["create", "read", "update", "delete", "list", "sudo"], f"{kv}/*": ["deny"]}
    policy = "\n".join(f'path "{path}" {{ capabilities = {json.dumps(allowed)} }}' for path, allowed in rules.items())
    site.bao.done("PUT", f"sys/policies/acl/{kv}", {"policy": policy})
    token = site.bao.done("POST", "auth/token/create", {"policies": [kv]})["auth"]["client_token"]
    shown = " ".join("".join(site.run("deploy", status=1, login={"BAO_TOKEN": token})).split())
    assert f"master_key, other_key: not in mlkeys.state/app/{site.engine}/one.transit.yml" in shown
    assert f"{kv}/named was not read. The KV engine does not return it" in shown
    assert "mlkeys deploy --generate master_key --generate other_key" in shown
    # What cannot be read may have it.
    (site.folder / "app.py").write_text(program)
    site.bao.done("DELETE", f"sys/mounts/{kv}")
    shown = " ".join("".join(site.run("deploy", status=1)).split())
    assert f"A former deployment may have made it: {pointer} was not read. No secrets engine is mounted" in shown
    assert "mlkeys deploy --generate master_key" in shown


def test_ciphertexts_follow_the_name_of_their_key(site: Site, tmp_path: Path) -> None:
    site.write(GENERATED.replace("HOSTS", str(tmp_path / "hosts")))
    site.run("deploy")
    value, engine = site.secret(), site.engine
    text = (site.folder / "app.py").read_text().replace('"one"', '"two"')
    (site.folder / "app.py").write_text(text)
    for command in ("diff", "deploy"):
        assert f"mlkeys move {engine}/one {engine}/two" in site.run(command, status=1)[1]
    assert site.names(f"{engine}/keys") == {"one"}
    with recorded_elsewhere(site.folder / "mlkeys.state" / "app"):
        move = ["move", f"{engine}/one", f"{engine}/two"]
        assert "belongs to another server" in (refused := site.run(*move, status=1)[1])
        assert "give --adopt" in " ".join(refused.split())
        shown = " ".join(site.run("deploy", "--adopt", status=1)[1].split())
        assert f"mlkeys {' '.join(move)} --adopt" in shown
        assert site.names(f"{engine}/keys") == {"one"}
        assert "Moved 2 secrets" in site.run(*move, "--adopt")[0]
        assert "of-another-server" not in (site.folder / "mlkeys.state" / "app" / "record.json").read_text()
    shown = site.run("deploy")[1]
    assert f"key {engine}/one (kept)" in shown
    assert site.decrypted() == {"two/master_key": value, "two/key_a": VALUE}
    # A random secret of another name would be made again.
    (site.folder / "app.py").write_text(text.replace('name="master_key"', 'name="main"'))
    assert f"mlkeys move {engine}/two/master_key {engine}/two/main" in site.run("deploy", status=1)[1]
    assert site.decrypted() == {"two/master_key": value, "two/key_a": VALUE}
    aliased = text.replace('"two"', '"three", aliases=["two"]')
    (site.folder / "app.py").write_text(aliased.replace('name="master_key"', 'name="main", aliases=["master_key"]'))
    assert f"moves from {engine}/two to {engine}/three\n" in site.run("diff")[0]
    assert site.reported("deploy") >= {"Key k", "Encrypt with the new key", "Remove the former ciphertexts"}
    assert site.decrypted() == {"three/main": value, "three/key_a": VALUE}
    assert "no ciphertexts of" in site.run("move", f"{engine}/none", f"{engine}/two", status=1)[1]


FOLLOWERS = """
app = App()
one, two = Stack(app, "one"), Stack(app, "two")
t = vault.TransitSecretBackend(one, "t", path="ENGINE")
k = vault.TransitSecretBackendKey(one, "k", backend=t.path, name=KEY, derived=True)
a = k.encrypt(Secret.env("KEY_1"), name=A)
made = k.encrypt(Secret.generated(), name="made")
v = EncryptedVars(one, "v", key=k, secrets=MORE)
only = vault.TransitSecretBackendKey(one, "only", backend=t.path, name="only", derived=True)
only.encrypt(Secret.generated(), name="alone")
again = only.encrypt(k.decrypt(v["b"]), name="again")
of_two = vault.TransitSecretBackendKey(two, "k", backend=t.path, name="two", derived=True)
copy = of_two.encrypt(k.decrypt(a), name="c")
plain = {"A": k.decrypt(a).plaintext, "MADE": k.decrypt(made).plaintext}
for stack in (one, two):
    web = Inventory(stack, "hosts").local("web", ["h1"])
    sealed = {"AGAIN": again.ciphertext, "A": a.ciphertext, "B": v["b"]} if stack is one else {"C": copy.ciphertext}
    HostConfig(stack, "sealed", hosts=web, dest=f"HOSTS/{stack.node.id}.env", env=sealed)
    HostConfig(stack, "plain", hosts=web, dest=f"HOSTS/{stack.node.id}.plain", env=plain, delivery="plaintext")
lookup = dict(template="lookup.j2", delivery="plaintext")
HostConfig(one, "template", hosts=Inventory(one, "more").local("more", ["h2"]), dest="HOSTS/template.txt", **lookup)
"""


def test_a_comparison_counts_what_the_deployment_does(site: Site, tmp_path: Path) -> None:
    def counted(more: str, key: str = '"one"', a: str = '"a"') -> list[int]:
        program = FOLLOWERS
        for word, text in {"HOSTS": str(tmp_path / "hosts"), "KEY,": f"{key},", "=A)": f"={a})", "MORE": more}.items():
            program = program.replace(word, text)
        site.write(program)
        done = site.deploys_what_it_announces()
        return [done[kind] for kind in ("created", "changed", "deleted")]

    # Stacks know nothing of the folders of each other.
    (tmp_path / "hosts").mkdir()
    options = f"backend='{site.engine}', key='one', context='b'"
    (site.folder / "lookup.j2").write_text(f"{{{{ lookup('mlkeys.transit.vault_transit', b, {options}) }}}}")
    first = '{"b": Secret.env("KEY_2"), "d": Secret.env("KEY_3")}'
    # An engine with three keys, what six tasks encrypt, and two files. Those with plaintext hide that they are new.
    assert counted(first) == [12, 3, 0]
    # The ciphertexts are others, and no value is: files with plaintext stay, and so do copies under other keys.
    site.bao.done("POST", f"{site.engine}/keys/one/rotate")
    assert counted(first) == [0, 3, 0]
    # The copy under another key, its file, and the template follow.
    changed = '{"b": Secret.env("OTHER_2"), "d": Secret.env("KEY_3")}'
    assert counted(changed) == [0, 4, 0]
    # The value is the same under another name.
    fewer = '{"b": Secret.env("OTHER_2")}'
    assert counted(fewer, a='"x", aliases=["a"]') == [0, 2, 1]
    # The template names a key that then has none of the secrets.
    (site.folder / "lookup.j2").write_text("none")
    assert counted(fewer, key='"uno", aliases=["one"]', a='"x"') == [1, 5, 0]


@dataclass(frozen=True)
class Model:
    """What a random program has.

    Attributes:
        secrets: by key, with the variable that has the value.
        made: the keys with a random secret.
        roles: with the keys that they are granted.
        sealed: files with the ciphertexts of all secrets. The plaintexts are in the other ones.
    """

    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    made: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()

    @classmethod
    def any(cls, chance: random.Random) -> Model:
        def some(names: list[str], least: int = 0) -> tuple[str, ...]:
            return tuple(sorted(chance.sample(names, chance.randint(least, len(names)))))

        keys = some(["k1", "k2", "k3"], 1)
        used: dict[str, tuple[str, ...]] = {}
        for key in keys:
            # A secret has one name in a stack. Under another key it would have to be moved.
            used[key] = some([chance.choice([f"KEY_{key[-1]}", f"OTHER_{key[-1]}"])])
        roles = {role: some([*keys], 1) for role in some(["r1", "r2"])}
        files, sealed = some(["f1", "f2"]), some(["c1", "c2"])
        # Another one than before could be the same under another key.
        made = some([key for key in keys if key == "k1"])
        return cls(used, made, roles, some(["p1", "p2"]), files, sealed)

    def program(self, prefix: str, approle: str, hosts: Path) -> str:
        lines = ['t = vault.TransitSecretBackend("t", path="ENGINE")', 'web = Inventory("hosts").local("web", ["h1"])']
        for key, names in self.secrets.items():
            make = "vault.TransitSecretBackendKey"
            lines.append(f'{key} = {make}("{key}", backend=t.path, name="{key}", derived=True)')
            lines += [f's_{key} = {key}.encrypt(Secret.env("{name}"), name="key_{key[-1]}")' for name in names]
            # In the same file, by a task of its own.
            if key in self.made:
                lines.append(f'EncryptedVars("m_{key}", key={key}, secrets={{"made_{key}": Secret.generated()}})')
        for role, keys in self.roles.items():
            lines.append(f'{role} = vault.AppRole("{role}", name="{prefix}{role}", backend="{approle}")')
            lines += [f"{key}.grant_decrypt({role})" for key in keys]
        for policy in self.policies:
            name = f'vault.Policy("{policy}", name="{prefix}{policy}")'
            lines.append(f'{name}.allow("{prefix}/x", "read")')
        for name in self.files:
            sealed = (key for key, names in self.secrets.items() if names)
            plain = "".join(f', "{key}": {key}.decrypt(s_{key}).plaintext' for key in sealed)
            given = f'dest="{hosts}/{name}", env={{"A": "b"{plain}}}, delivery="plaintext"'
            lines.append(f'HostConfig("{name}", hosts=web, {given})')
        for name in self.sealed:
            env = ", ".join(f'"{key}": s_{key}.ciphertext' for key, names in self.secrets.items() if names)
            lines.append(f'HostConfig("{name}", hosts=web, dest="{hosts}-sealed/{name}", env={{"A": "b", {env}}})')
        return "\n".join(lines)


def test_the_server_has_what_the_program_says_and_what_was_announced(site: Site, approle: str, tmp_path: Path) -> None:
    seed = secrets.randbelow(1 << 32)
    chance = random.Random(seed)  # noqa: S311  nothing here is a secret
    hosts, prefix = tmp_path / "hosts", site.engine[-8:]
    site.bao.done("PUT", f"sys/policies/acl/{prefix}other", {"policy": 'path "x" { capabilities = ["read"] }'})
    known: set[str] = set()
    for _ in range(4):
        after = Model.any(chance)
        site.write(after.program(prefix, approle, hosts))
        for key in chance.sample(sorted(known), chance.randint(0, len(known))):
            site.bao.done("POST", f"{site.engine}/keys/{key}/rotate")
        report = json.loads(site.run("diff", "--json")[0])["stacks"][0]
        deployed = json.loads(site.run("deploy", "--json")[0])["stacks"][0]
        assert deployed["counts"] == report["counts"], seed
        kept = {line.rpartition("/")[2] for line in report["kept"] if line.startswith("key ")}
        expected = {**dict.fromkeys(after.secrets, "made"), **dict.fromkeys(kept, "kept")}
        known |= set(after.secrets)
        assert site.names(f"{site.engine}/keys") == set(expected) == known, seed
        policies = {name for name in site.names("sys/policies/acl") if name.startswith(prefix)}
        assert policies == {f"{prefix}{name}" for name in (*after.policies, *after.roles, "other")}, seed
        roles = {name for name in site.names(f"auth/{approle}/role") if name.startswith(prefix)}
        assert roles == {f"{prefix}{name}" for name in after.roles}, seed
        assert site.grants(approle, roles) == {f"{prefix}{name}": {*keys} for name, keys in after.roles.items()}, seed
        assert {path.name for path in hosts.glob("*")} == set(after.files), seed
        stored = {f"{key}/key_{key[-1]}": VALUES[n] for key, names in after.secrets.items() for n in names}
        found = site.decrypted()
        assert {name for name in found if "/made_" in name} == {f"{key}/made_{key}" for key in after.made}, seed
        assert {name: value for name, value in found.items() if "/made_" not in name} == stored, seed
        assert {name for name in after.sealed if not (tmp_path / "hosts-sealed" / name).exists()} == set(), seed
        assert "No differences." in site.run("diff", "--fail")[1], seed
    site.bao.done("DELETE", f"sys/policies/acl/{prefix}other")


ROLES = """
t = vault.TransitSecretBackend("t", path="ENGINE")
k = vault.TransitSecretBackendKey("k", backend=t.path, name="one", derived=True)
k.encrypt(Secret.env("KEY_A"))
for name in ROLES:
    k.grant_decrypt(vault.AppRole(f"ENGINE{name}", backend="APPROLE"))
"""


def test_what_a_lost_record_made_is_found_on_the_server(site: Site, approle: str, tmp_path: Path) -> None:
    text = ROLES.replace("APPROLE", approle)
    site.write(text.replace("ROLES", '["a", "b"]'))
    site.run("deploy")
    # A comment can be copied into a policy whose name is code.
    victim = tmp_path / "victim"
    text_of_policy = site.bao.done("GET", f"sys/policies/acl/{site.engine}a")["data"]["policy"]
    hostile = "sys/policies/acl/" + urllib.parse.quote(f"{{{{ lookup('pipe', 'touch {victim}') }}}}".lower(), safe="")
    site.bao.done("PUT", hostile, {"policy": text_of_policy})
    # Another program does not touch what it finds, and its policies are not touched.
    other = Site(site.bao, site.engine, tmp_path / "other")
    other.folder.mkdir()
    other.write(text.replace("ROLES", '["b", "c"]'))
    assert f"the policy {site.engine}b on the server belongs to" in other.run("deploy", status=1)[1]
    assert f"{site.engine}c" not in site.names(f"auth/{approle}/role")
    # Anybody may give a role a policy of the program.
    manual = f"auth/{approle}/role/{site.engine}manual"
    site.bao.done("POST", manual, {"token_policies": [f"{site.engine}a"]})
    # The same program without its record.
    (site.folder / "mlkeys.state" / "app" / "record.json").unlink()
    site.write(text.replace("ROLES", '["b"]'))
    assert "--adopt" in site.run("diff", status=1)[1]
    with login_of(
        site.bao, 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
    ) as role:
        assert "--adopt" in site.run("deploy", status=1, login=role.environment)[1]
        logins = role.logins(site.bao)
        shown = site.run("deploy", "--adopt", login=role.environment)[1]
        # What it finds out, the deployment, and what it takes away.
        assert role.logins(site.bao) - logins == 1
    assert f"AppRole {approle}/{site.engine}a" in shown
    assert f"AppRole {approle}/{site.engine}manual of somebody else, which has the policy {site.engine}a" in shown
    roles = {name for name in site.names(f"auth/{approle}/role") if name.startswith(site.engine)}
    assert roles == {f"{site.engine}b", f"{site.engine}manual"}
    # A key goes when it is named, and nothing is left of a destroyed program.
    site.write('t = vault.TransitSecretBackend("t", path="ENGINE")')
    site.run("deploy", "--delete-keys", f"{site.engine}/one")
    assert site.names(f"{site.engine}/keys") == set()
    site.run("destroy", "--yes")
    assert not (site.folder / "mlkeys.state").exists()
    assert not victim.exists()
    assert site.bao.request("GET", manual)[0] == 200
    site.bao.done("DELETE", hostile)


STACKS = """
app = App()
one, two = Stack(app, "one"), Stack(app, "two")
t = vault.TransitSecretBackend(one, "t", path="ENGINE")
key = vault.TransitSecretBackendKey(one, "k", backend=t.path, name="one", derived=True)
first = key.encrypt(Secret.env("KEY_A"))
own = vault.TransitSecretBackendKey(two, "k", backend=t.path, name="two", derived=True)
export("again", own.encrypt(key.decrypt(first), name="again"))
own.grant_decrypt(vault.Policy(two, "ENGINEp"))
theirs = vault.TransitSecretBackendKey.from_existing(two, "theirs", name="theirs", backend="ENGINE")
export("found", theirs.decrypt(theirs.encrypt(Secret.env("KEY_1"), name="found")), scope=two)
EncryptedVars(two, "v", key=key, secrets={"shared": Secret.env("KEY_1")})
export("ciphertext", first.ciphertext, scope=two)
export("plain", key.decrypt(first).plaintext, scope=two)
export("version", f"v{key.latest_version} v{theirs.latest_version}", scope=two)
web = Inventory(two, "hosts").local("web", ["h1"])
used = {"A": key.decrypt(first).plaintext}
HostConfig(two, "f", hosts=web, dest="HOSTS/two.env", env=used, delivery="plaintext")
HostConfig(two, "g", hosts=web, dest="HOSTS/two.txt", template="two.j2", delivery="plaintext")
"""
NEW_SECRETS = """used |= {"B": key.decrypt(key.encrypt(Secret.env("KEY_2"))).plaintext}
used |= {"C": own.decrypt(own.encrypt(Secret.env("KEY_3"))).plaintext}
HostConfig(two, "f","""
TEMPLATE = "{{ lookup('mlkeys.transit.vault_transit', NAME, backend='ENGINE', key='two', context='NAME') }}"


def test_a_stack_uses_what_another_one_makes(site: Site) -> None:
    program, template = STACKS.replace("HOSTS", str(site.folder.parent)), TEMPLATE.replace("ENGINE", site.engine)
    site.write(program)
    (site.folder / "two.j2").write_text(template.replace("NAME", "again"))
    site.run("diff")
    site.run("deploy", "--stack", "one")
    site.bao.done("POST", f"{site.engine}/keys/theirs", {"derived": True})
    site.bao.done("POST", f"{site.engine}/keys/theirs/rotate", {})
    site.run("deploy")
    shared = {"one/shared": VALUES["KEY_1"], "theirs/found": VALUES["KEY_1"]}
    assert site.decrypted() == {"one/key_a": VALUE, "two/again": VALUE, **shared}
    shown = json.loads(site.run("output", "--json", "--show-secrets", "--stack", "two")[0])
    assert shown["version"] == "v1 v2"
    assert shown["ciphertext"].startswith("vault:v1:")
    assert shown["plain"] == VALUE
    # The program does not say that this key is derived.
    assert shown["found"] == VALUES["KEY_1"]
    assert changes(site.run("deploy")[0]) == 0
    # What a check does not encrypt it cannot decrypt either: it announces the files.
    site.write(program.replace('HostConfig(two, "f",', NEW_SECRETS))
    (site.folder / "two.j2").write_text(template.replace("NAME", "key_3"))
    shown = " ".join(site.run("diff", "--fail", status=2)[0].split())
    assert "+ Ciphertexts k/ciphertexts create key_3 ~ File f change hidden by no_log, on h1" in shown, shown
    assert "Plan: 2 to create, 2 to change" in shown
    refused = site.run("destroy", "--yes", "--protected-keys", "--stack", "one", status=1)[1]
    assert f"ciphertexts of the stack two need the key {site.engine}/one (shared)" in refused
    assert site.names(f"{site.engine}/keys") == {"one", "two", "theirs"}
    # A stack that leaves the program takes its rights and ciphertexts along, and its keys when they are named.
    left = [line for line in program.splitlines() if not {"two", "own", "used"} & {*re.findall(r"\w+", line)}]
    site.write("\n".join(left).replace("app = App()", "app = App()\none = Stack(app, 'one')"))
    shown = " ".join(site.run("diff", "--fail", status=2)[0].split())
    assert f"Stack two: no longer in the program - policy {site.engine}p revoke no longer in the program" in shown
    assert (
        f"key {site.engine}/two keep no longer in the program; to delete it: --delete-keys {site.engine}/two" in shown
    )
    named = ("--delete-keys", f"{site.engine}/two")
    assert site.reported("deploy", *named) >= {"Policies", "Files of ciphertexts", "Keys", "Files with plaintext"}
    assert f"{site.engine}p" not in site.names("sys/policies/acl")
    assert site.names(f"{site.engine}/keys") == {"one", "theirs"}
    assert site.decrypted() == {"one/key_a": VALUE}
    assert {path.name for path in (site.folder / "mlkeys.state").iterdir()} == {"one"}
