# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys status` and `mlkeys rotate`, of a program and of an inventory, on a real server."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cdk.command import mlkeys, mlkeys_on_terminal, plain
from tests.integration.support.backups import age_holder
from tests.support.playbook import run_playbook
from tests.support.server import Bao

OLD, NEW, TOKEN = "FAKE-old-value", "FAKE-new-value", "FAKE-token"

PROGRAM = """
from mlkeys import EncryptedVars, HostConfig, Inventory, Secret, Template, export
from mlkeys import transit as vault

engine = vault.TransitSecretBackend("engine", path="{mount}")
key = vault.TransitSecretBackendKey("key", backend=engine.path, name="providers", derived=True)
other = vault.TransitSecretBackendKey("other", backend=engine.path, name="other", derived=True)
hosts = Inventory("hosts").local("gateways", ["gateway-a", "gateway-b"])
keys = EncryptedVars("keys", key=key, hosts=hosts, secrets={{"openai_api_key": Secret.env("OPENAI_API_KEY")}})
HostConfig(
    "env",
    hosts=hosts,
    env={{"OPENAI_API_KEY": keys["openai_api_key"], "PORT": "80"}},
    dest=Template("{{{{ inventory_dir }}}}/../hosts/{{{{ inventory_hostname }}}}/.env"),
)
export("hf_token", other.encrypt(Secret.env("HF_TOKEN"), name="hf_token"))
"""


@dataclass(frozen=True)
class Place:
    """A program that was deployed."""

    folder: Path
    bao: Bao
    mount: str

    @property
    def env(self) -> dict[str, str]:
        return {"BAO_ADDR": self.bao.addr, "BAO_TOKEN": self.bao.token}

    @property
    def project(self) -> Path:
        return self.folder / "mlkeys.out" / "ansible" / "app"

    def status(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        done = mlkeys("status", "--json", *arguments, cwd=self.folder, env=self.env, status=status)
        [fleet] = json.loads(done.stdout)["fleets"]
        found: dict[str, Any] = fleet
        return found

    def rotate(self, *arguments: str, env: dict[str, str] | None = None, status: int = 0) -> str:
        done = mlkeys("rotate", *arguments, cwd=self.folder, env={**self.env, **(env or {})}, status=status)
        assert "--verbose" in arguments or "PLAY" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def versions(self) -> dict[str, int]:
        """The version of every ciphertext on hosts, in vars files and among the outputs."""
        stored = (self.folder / "mlkeys.state").rglob("*.transit.yml")
        paths = [*self.project.rglob("*.env"), *stored, self.project / "outputs.json"]
        found = {}
        for path in paths:
            texts = re.findall(
                r"^[^#\n]*?vault:v(\d+):[^\"'\n]*", path.read_text().partition("_transit:")[0], re.MULTILINE
            )
            assert len(texts) == 1, path
            found[str(path.relative_to(self.folder))] = int(texts[0])
        return found

    def key(self, name: str = "providers") -> tuple[int, int]:
        data = self.bao.done("GET", f"{self.mount}/keys/{name}")["data"]
        return data["latest_version"], data["min_decryption_version"]

    def available(self) -> int:
        """The oldest version that exists, 0 if none was trimmed."""
        found: int = self.bao.done("GET", f"{self.mount}/keys/providers")["data"]["min_available_version"]
        return found

    def opened(self) -> set[str]:
        """What the hosts' files hold, decrypted."""
        texts = [
            re.search(r"OPENAI_API_KEY=['\"]?(vault:v[^'\"\n]*)", path.read_text())
            for path in self.project.glob("hosts/*/.env")
        ]
        body = {"context": "b3BlbmFpX2FwaV9rZXk="}
        return {
            self.bao.done("POST", f"{self.mount}/decrypt/providers", {**body, "ciphertext": text.group(1)})["data"][
                "plaintext"
            ]
            for text in texts
            if text
        }


@pytest.fixture
def place(bao: Bao, mount: str, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "app.py").write_text(PROGRAM.format(mount=mount))
    bao.done("DELETE", f"sys/mounts/{mount}")
    made = Place(tmp_path, bao, mount)
    mlkeys("deploy", cwd=tmp_path, env={**made.env, "OPENAI_API_KEY": OLD, "HF_TOKEN": TOKEN})
    yield made
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "app.py":
            assert "FAKE" not in path.read_text(), path


def test_the_state_is_shown_before_and_after_a_rotation(place: Place, tmp_path: Path) -> None:
    found = place.status()
    assert found["healthy"]
    assert {(key["name"], key["versions"][0]["ciphertexts"]) for key in found["keys"]} == {
        ("providers", 3),
        ("other", 2),
    }
    shown = mlkeys("status", cwd=place.folder, env=place.env)
    assert re.search(rf"^{place.mount}/providers +v1 +\d+ min +never +v1 +3 at v1 *$", shown.stdout, re.MULTILINE)
    assert "gateway-a" not in shown.stdout
    assert re.search(
        r"^gateway-a +\S+/hosts/gateway-a/\.env:\d+ +openai_api_key +\S+/providers +v1 +current *$",
        mlkeys("status", "--all", cwd=place.folder, env=place.env).stdout,
        re.MULTILINE,
    )

    dry = place.rotate("--now", "--dry-run", "--key", f"{place.mount}/providers")
    assert f"Predicted account of {place.mount}/providers" in dry
    assert f"The floor (min_decryption_version) of {place.mount}/providers would be raised from v1 to v2." in dry
    assert place.key() == (1, 1)
    assert set(place.versions().values()) == {1}

    young = place.rotate("--key", f"{place.mount}/providers")
    assert re.search(r"/providers was not rotated: v1 is \d+ min old, and due at 90 d \(--older-than\)\.", young)
    assert f"\n  mlkeys rotate --key {place.mount}/providers --now\n" in young
    assert re.search(rf"^{place.mount}/providers of app +0 ", young, re.MULTILINE), "it changes nothing"
    assert f"{place.mount}/providers would be rotated to v2.\n" in dry
    assert place.key() == (1, 1)
    done = mlkeys("rotate", "--now", "--json", cwd=place.folder, env=place.env)
    assert {
        (key["name"], key["state"], key["account"]["clean"], key["account"]["floor"]["after"])
        for key in json.loads(done.stdout)["keys"]
    } == {(f"{place.mount}/providers of app", "done", True, 2), (f"{place.mount}/other of app", "done", True, 2)}
    assert place.key() == place.key("other") == (2, 2)
    assert set(place.versions().values()) == {2}
    assert place.status()["healthy"]
    # A rotation by hand is reported.
    place.bao.done("POST", f"{place.mount}/keys/providers/rotate")
    found = place.status("--fail", status=2)
    assert [problem["severity"] for problem in found["problems"]] == ["warning"]
    page = tmp_path / "status.html"
    history = tmp_path / "status.jsonl"
    shown = mlkeys("status", "--html", page, "--history", history, cwd=place.folder, env=place.env)
    assert history.read_text().count("\n") == 1
    assert "0 of 3" in page.read_text()
    assert "With --fail, this command exits with 2" in shown.stdout.splitlines()[-1]
    assert_self_contained(page.read_text(), "3 ciphertexts on 2 hosts and the controller still use v2")


def assert_self_contained(html: str, text: str) -> None:
    assert text in html
    assert not re.findall(r"<(?:script\s|link|img|iframe)\b|https?://|\burl\(|@import", html)
    assert "vault:v" not in html


def test_what_leaked_is_replaced_everywhere_and_at_once(place: Place) -> None:
    assert "set OPENAI_API_KEY" in place.rotate("--replace", "openai_api_key", env={"OPENAI_API_KEY": ""}, status=1)
    place.rotate("--replace", "openai_api_key", "--trim", env={"OPENAI_API_KEY": NEW})
    assert place.opened() == {base64(NEW)}
    assert place.key() == (2, 2)
    assert place.bao.done("GET", f"{place.mount}/keys/providers")["data"]["min_available_version"] == 2
    question = "New value of openai_api_key"
    shown = mlkeys_on_terminal(
        "rotate",
        "--replace",
        "openai_api_key",
        "--keep-floor",
        cwd=place.folder,
        env={**place.env, "OPENAI_API_KEY": ""},
        answers={question: OLD},
    )
    assert OLD not in shown
    assert place.opened() == {base64(OLD)}
    assert place.key() == (3, 2)


OTHER = """
all:
  hosts:
    x:
      ansible_connection: local
      ansible_python_interpreter: "{{ ansible_playbook_python }}"
      vault_transit_host_paths: ["{{ inventory_dir }}/hosts"]
"""


def base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def test_backups_are_kept_in_a_folder_of_the_callers_also_with_another_project(place: Place, tmp_path: Path) -> None:
    env = place.project / "hosts" / "gateway-a" / ".env"
    other = tmp_path / "other" / "hosts" / "x.env"
    other.parent.mkdir(parents=True)
    other.write_text(env.read_text())
    (tmp_path / "other" / "inventory.yml").write_text(OTHER)
    holder = age_holder()
    (tmp_path / "backups").mkdir()
    options = ("--now", "--backup-dir", "backups", "--backup-recipient", holder.recipient)
    key = ("--key", f"{place.mount}/providers")
    assert "The key 'providers' cannot be backed up" in place.rotate(*key, *options, status=1)
    assert place.key() == (1, 1)
    allowed = {"exportable": True, "allow_plaintext_backup": True}
    place.bao.done("POST", f"{place.mount}/keys/providers/config", allowed)
    shown = place.rotate(*key, *options, "--also", "other/inventory.yml")
    assert place.key() == (2, 2)
    assert "vault:v2:" in other.read_text()
    assert f"Searched for ciphertexts of {place.mount}/providers: other/inventory.yml, app." in shown
    [backup] = (tmp_path / "backups").iterdir()
    assert "latest_version: 2\nmin_decryption_version: 2\n" in backup.read_text()


def test_a_host_that_cannot_be_reached_keeps_floors_down_and_nothing_else(place: Place) -> None:
    inventory = place.project / "inventory" / "hosts.yml"
    before = inventory.read_text()
    lost = "{ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}"
    inventory.write_text(before.replace("gateway-b: {}", f"gateway-b: {lost}"))
    # As a program would have it, but that would write the inventory again.
    two = [word for name in ("providers", "other") for word in ("--key", f"{place.mount}/{name}")]
    output = place.rotate("-i", str(place.project / "inventory"), *two, "--now", status=1)
    assert len(re.findall(r"\n  The floor .* could not be looked at: gateway-b \(unreachable\)", output)) == 2
    assert "PLAY" not in output
    assert re.search(rf"Error: Not finished: {place.mount}/providers of \S+, {place.mount}/other of \S+\.", output)
    assert place.key() == place.key("other") == (2, 1)
    inventory.write_text(before)
    assert "PLAY [Rotate the key" in place.rotate("--verbose")
    assert place.key() == place.key("other") == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (
            ["rotate", "--key", "transit/others"],
            1,
            "transit/others: the program encrypts nothing with this key. Did you",
        ),
        (["rotate", "-i", "hosts.yml"], 1, "name them with --key ENGINE/NAME"),
        (["rotate", "-i", "hosts.yml", "--key", "ml"], 1, "include the engine, as in transit/ml"),
        (["rotate", "--serial", "some"], 2, "give a number of hosts, or a percentage"),
        (["rotate", "--backup-dir", "."], 2, "--backup-dir and --backup-recipient must be used together"),
        (["rotate", "--backup-recipient", "age1"], 2, "--backup-dir and --backup-recipient must be used together"),
        (["rotate", "--replace", "a b"], 1, "this is not the name of a secret"),
        (
            ["rotate", "--replace", "openai_api_kee"],
            1,
            "of this name. Did you mean 'openai_api_key'? No key was rotated",
        ),
        (["rotate", "--key", "transit/other", "--replace", "openai_api_key"], 1, "no secret of this name."),
        (["rotate", "--keep-floor", "--trim"], 2, "--keep-floor and --trim exclude one another"),
        (["rotate", "nothing.py"], 1, "Give a program, or an inventory"),
        (["status", "-i", "hosts.yml", "--stack", "app"], 1, "--stack cannot be used with --inventory"),
        (["status", "-i", "host.yml"], 1, "Inventories do not exist: host.yml."),
        (["rotate", "-i", "hosts.yml", "-i", "b", "--key", "transit/ml", "--now"], 1, "Inventories do not exist: b."),
        (["rotate", "-i", "hosts.yml", "--also", "nowhere", "--key", "transit/ml", "--now"], 2, "'nowhere'"),
        (["status", "-i", "broken.ini"], 1, "Completely failed to parse inventory source"),
        (["status", "--html", "no/folder/status.html"], 1, "no/folder/status.html cannot be written"),
        (["status", "--html", "app.py"], 1, "app.py is not a report of mlkeys and is not replaced: name another file"),
        (["status", "-i", "hosts.yml", "--html", "hosts.yml"], 1, "hosts.yml is not a report of mlkeys"),
        (["status", "-i", "hosts.yml", "--history", "hosts.yml"], 1, "hosts.yml:1: this is not a line of"),
        (["status", "--history", "app.py"], 1, "app.py:1: this is not a line of 'mlkeys status --history'"),
    ],
)
def test_impossible_requests_are_refused(tmp_path: Path, arguments: list[str], status: int, says: str) -> None:
    (tmp_path / "app.py").write_text(PROGRAM.format(mount="transit"))
    (tmp_path / "hosts.yml").write_text("all: {}\n")
    (tmp_path / "broken.ini").write_text("[[[ no group\n")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    assert says in mlkeys(*arguments, cwd=tmp_path, status=status).stderr
    assert {path: path.read_text() for path in tmp_path.iterdir() if path.is_file() and path in before} == before


def test_the_playbooks_refuse_an_inventory_that_does_not_exist(bao: Bao, mount: str, tmp_path: Path) -> None:
    login, engines = {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token}, {"vault_transit_status_backends": [mount]}
    done = run_playbook("mlkeys.transit.status", inventory="nowhere.yml", extra_vars=engines, cwd=tmp_path, env=login)
    assert done.returncode == 2
    assert "Inventories do not exist: " in done.stdout
    assert "nowhere.yml. Correct the path." in done.stdout


def test_what_nobody_can_identify_holds_the_floor_until_it_is_accepted_by_name(place: Place) -> None:
    stray = place.project / "hosts" / "gateway-a" / ".env"
    with stray.open("a") as file:
        file.write(f"SESSION='vault:v1:{'A' * 60}'\n")
    key = ("--key", f"{place.mount}/providers")
    shown = place.rotate(*key, "--now", "--dry-run", status=1)
    assert "would stay at v1:" in shown
    assert place.key() == (1, 1)
    shown = place.rotate(*key, "--now", status=1)
    assert place.key() == (2, 1)
    assert re.search(r"^gateway-a +\S+/hosts/gateway-a/\.env:\d+ +v1 +SESSION ", shown, re.MULTILINE), shown
    [advised] = re.findall(r"^  mlkeys rotate (.* --accept-unknown .*)$", shown, re.MULTILINE)
    shown = place.rotate(*shlex.split(advised))
    assert place.key() == (2, 2)
    assert "Accepted by name: 1" in shown
    # It may be lost, so that nothing is trimmed unless somebody agrees.
    accepting = (*key, "--accept-unknown", "gateway-a:*/hosts/gateway-a/.env")
    [advised] = re.findall(
        r"^  mlkeys rotate (.* --trim-anyway)$", place.rotate(*accepting, "--trim", status=1), re.MULTILINE
    )
    assert "needs a terminal. Nothing was changed." in place.rotate(*shlex.split(advised), status=1)
    assert place.available() == 0
    question = "Destroy the old versions, and lose these ciphertexts?"
    for answer, status, available in (("n", 1, 0), ("y", 0, 2)):
        shown = mlkeys_on_terminal(
            "rotate",
            *shlex.split(advised),
            cwd=place.folder,
            env=place.env,
            answers={question: answer},
            status=status,
        )
        assert "hosts/gateway-a/.env" in plain(shown)[: plain(shown).index(question)].replace("\r\n", "")
        assert place.available() == available


def test_of_a_key_with_one_version_nothing_is_lost_and_nobody_is_asked(place: Place) -> None:
    with (place.project / "hosts" / "gateway-a" / ".env").open("a") as file:
        file.write(f"SESSION='vault:v1:{'A' * 60}'\n")
    accepting = ("--key", f"{place.mount}/providers", "--accept-unknown", "gateway-a:*/hosts/gateway-a/.env")
    assert "needs a terminal" not in place.rotate(*accepting, "--trim-anyway")
    assert (place.key(), place.available()) == ((1, 1), 1)


def test_an_old_branch_is_brought_back_as_advised_also_after_its_versions_are_destroyed(place: Place) -> None:
    """Each piece of advice is followed as it stands, and works."""
    key = ("--key", f"{place.mount}/providers")
    branch = {
        path: path.read_bytes()
        for path in place.folder.rglob("*")
        if path.is_file() and b"vault:v1:" in path.read_bytes()
    }
    place.rotate(*key, "--now")

    def back() -> str:
        for path, content in branch.items():
            path.write_bytes(content)
        done = mlkeys("status", cwd=place.folder, env=place.env)
        assert done.stdout.splitlines()[-1].startswith("Problems were found. With --fail, this command exits with 2")
        [sentence] = [line for line in done.stdout.splitlines() if "at the earliest since" in line]
        assert (
            f"{place.mount}/providers: 3 ciphertexts are at v1, below the floor v2, at the earliest since v2"
            in sentence
        )
        assert re.search(r"was made .* ago \(at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)", sentence)
        return sentence

    assert back().endswith("Bring them back: mlkeys rotate --recover")
    shown = place.rotate(*key, status=1)
    assert "below the floor v2 (version 2 was created at 2" in shown
    assert place.key() == (2, 2)
    assert re.search(rf"^{place.mount}/providers +v1 +too old +3$", shown, re.MULTILINE), shown
    [advised] = re.findall(r"^  mlkeys rotate (.* --recover)$", shown, re.MULTILINE)
    place.rotate(*shlex.split(advised), "--trim")
    assert place.key() == (2, 2)
    assert place.opened() == {base64(OLD)}
    assert place.available() == 2

    sentence = back()
    assert "--recover" not in sentence
    assert sentence.endswith("only a backup of the key, or the original secrets, can help.")
    shown = place.rotate(*key, "--recover", status=1)
    assert "have versions below 2, which are trimmed" in shown
    assert "--recover)" not in shown
    assert not re.findall(r"^  mlkeys rotate .*--recover", shown, re.MULTILINE)
    # The original secret.
    mlkeys("deploy", cwd=place.folder, env={**place.env, "OPENAI_API_KEY": OLD, "HF_TOKEN": TOKEN})
    place.rotate(*key, "--now", "--trim")
    assert place.key() == (3, 3)
    assert place.available() == 3
    assert place.opened() == {base64(OLD)}


def test_a_state_that_could_not_be_determined_shows_why(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    nobody = {"BAO_ADDR": "http://127.0.0.1:1", "BAO_TOKEN": "a-token"}
    shown = mlkeys("status", "-i", "hosts.yml", cwd=tmp_path, env=nobody, status=1).stderr
    assert re.search(
        r"^Error: The state of hosts\.yml could not be determined: .*connection refused.* mlkeys dev -- sh$",
        shown,
        re.MULTILINE,
    )
    shown = mlkeys("rotate", "-i", "hosts.yml", "--key", "transit/ml", cwd=tmp_path, env=nobody, status=1).stderr
    assert re.search(
        r"^Error: Not finished: .*\. Nothing was changed\. Cannot reach .*connection refused.* mlkeys dev -- sh$",
        shown,
        re.MULTILINE,
    )
    # What Ansible itself complains of is on its standard error.
    absent = {**nobody, "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "absent")}
    shown = mlkeys("status", "-i", "hosts.yml", cwd=tmp_path, env=absent, status=1).stderr
    assert re.search(r"could not be determined: .*vault password file .*absent was not found", shown)


def test_a_merge_conflict_ends_a_rotation_before_it_begins(tmp_path: Path) -> None:
    """Ansible's own plugin reads the file, and its error names no conflict."""
    (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "group_vars" / "all" / "keys.transit.yml").write_text(
        "<<<<<<< HEAD\na: b\n=======\na: c\n>>>>>>> branch\n"
    )
    done = mlkeys("rotate", "-i", "hosts.yml", "--key", "transit/ml", cwd=tmp_path, status=1)
    assert re.search(
        r"^Error: Not finished: .*\. Nothing was changed\. .*/keys\.transit\.yml has an unresolved merge conflict "
        r"\(line 1\): .* keep or remove those that only one side has, and remove the marks\.$",
        done.stderr,
        re.MULTILINE,
    )
    assert "ended before anything was changed" in done.stdout


def test_what_trimming_destroys_has_to_be_known_and_agreed_to(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    nobody = {"BAO_ADDR": "http://127.0.0.1:1", "BAO_TOKEN": "a-token"}
    arguments = ("rotate", "-i", "hosts.yml", "--key", "transit/ml", "--trim-anyway", "--yes")
    shown = mlkeys(*arguments, cwd=tmp_path, env=nobody, status=1).stderr
    assert "what transit/ml of hosts.yml would lose could not be determined" in shown
    assert "Nothing was changed." in shown
