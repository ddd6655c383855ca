# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No planted secret, in any encoding, in what a run prints, leaves on disk, writes temporarily, or has in its argv."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.gateways import (
    KEY,
    PROVIDER_KEYS,
    copy_of_example,
    free_engine_path,
    host_files,
    server_environment,
)
from tests.integration.support.backups import age_holder, gpg_holder, key_material, raw_backup
from tests.support.canary import Watcher, leaking_files, leaks, recorders, temporary_folders
from tests.support.collection import ROOT, collections_path, peers_path
from tests.support.core import CORE
from tests.support.key_material import content, der, pem, raw
from tests.support.playbook import run_playbook
from tests.support.server import Bao

SITE = ROOT / "playbooks/site.yml"
WRONG_TOKEN = "s.canary-wrong-token-Lm8"

# Callbacks that record results and times of tasks.
RECORDING = ("ansible.builtin.junit", "ansible.builtin.tree", "everything")
TIMING = ("ansible.posix.profile_tasks", "ansible.posix.profile_roles", "ansible.posix.timer")


def posix(enabled: Sequence[str] = ()) -> dict[str, str]:
    """The environment in which Ansible finds the callbacks of ansible.posix, which many users have, and uses some."""
    found = {"ANSIBLE_COLLECTIONS_PATH": f"{collections_path()}:{peers_path()}"}
    return {**found, "ANSIBLE_CALLBACKS_ENABLED": ",".join(enabled)}


@dataclass
class Canary:
    """A copy of the example with every recorder of Ansible turned on, everything below one folder."""

    bao: Bao
    engine: str
    root: Path
    secrets: dict[str, str]

    @property
    def work(self) -> Path:
        return self.root / "work"

    def play(
        self,
        playbook: Path = SITE,
        args: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        *,
        typed: str = "",
    ) -> subprocess.CompletedProcess[str]:
        watcher = Watcher(temporary_folders(self.root), self.secrets)
        with watcher.watching():
            done = run_playbook(
                playbook,
                inventory=self.work / "inventory.yml",
                extra_vars={"ml_keys_engine": self.engine},
                env={**server_environment(self.bao), **recorders(self.root), **posix(TIMING), **(env or {})},
                args=("-vvvv", "--diff", *args),
                typed=typed,
            )
        (self.root / "stdout").write_text(done.stdout, encoding="utf-8")
        (self.root / "stderr").write_text(done.stderr, encoding="utf-8")
        assert watcher.seen_argv, "the watcher saw no process"
        assert watcher.leaks == set()
        return done

    def assert_silent(self) -> None:
        """No secret is in anything that runs have printed and left behind."""
        assert leaking_files(self.root, self.secrets) == set()


@contextlib.contextmanager
def canary_of(bao: Bao) -> Iterator[Canary]:
    # A short name: newer Ansible puts a socket below it, and the path of one is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="canary-") as folder, free_engine_path(bao) as engine:
        root = Path(folder)
        copy_of_example(root / "work")
        secrets = {**PROVIDER_KEYS, "BAO_TOKEN": bao.token, "the wrong token": WRONG_TOKEN}
        yield Canary(bao, engine, root, secrets)


@pytest.fixture
def canary(bao: Bao) -> Iterator[Canary]:
    """A copy that nothing has been done with."""
    with canary_of(bao) as made:
        yield made


@pytest.fixture(scope="module")
def provisioned(bao: Bao) -> Iterator[Canary]:
    """A copy whose playbook has run. Several tests go on with it."""
    with canary_of(bao) as made:
        assert made.play().returncode == 0
        yield made


def test_forms_are_found_wherever_they_begin() -> None:
    secret = {"it": 'hf_canary-é"\\ &/+'}
    text = secret["it"]

    for prefix in ("", "x", "xy", "xyz"):
        assert leaks(base64.b64encode((prefix + text + "tail").encode()), secret) == {"it"}
    for hidden in (json.dumps({"a": text}), urllib.parse.urlencode({"a": text}), repr([text])):
        assert leaks(hidden.encode(), secret) == {"it"}
    assert leaks(b"vault:v1:AAAA", secret) == set()


def test_provisioning_rerun_rotation_and_check_mode_are_silent(provisioned: Canary) -> None:
    canary = provisioned
    assert canary.play().returncode == 0
    canary.bao.done("POST", f"{canary.engine}/keys/{KEY}/rotate")
    assert canary.play(args=("--check",)).returncode == 0
    last = canary.play()

    assert last.returncode == 0
    assert "vault:v2:" in last.stdout, "--diff shows the new ciphertext"
    assert "Playbook run took" in last.stdout, "the callbacks with times were on"
    assert "ROLES RECAP" in last.stdout
    assert (canary.root / "ansible.log").stat().st_size > len(last.stdout), "the log holds all runs"
    assert len(host_files(canary.work)) == 9
    canary.assert_silent()


def test_decrypting_and_making_secrets_with_the_lookup_is_silent(provisioned: Canary, tmp_path: Path) -> None:
    canary = provisioned
    playbook = canary.root / "decrypt.yml"
    common = f"backend=ml_keys_engine, key='{KEY}', context='openai_api_key'"
    playbook.write_text(
        f"""
- hosts: gateway-a
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: lookup('mlkeys.transit.vault_transit', openai_api_key, {common}) ==
          lookup('ansible.builtin.env', 'OPENAI_API_KEY')
    - mlkeys.transit.vault_transit_file:
        path: {tmp_path}/random
        content: "{{{{ lookup('mlkeys.transit.vault_transit', operation='random', backend=ml_keys_engine) }}}}"
    - mlkeys.transit.vault_transit_file:
        path: {tmp_path}/data key
        content: >-
          {{{{ lookup('mlkeys.transit.vault_transit', operation='datakey', type='plaintext', {common}).plaintext }}}}
    - ansible.builtin.debug:
        msg: >-
          {{{{ query('mlkeys.transit.vault_transit', 'good', {{'key_version': 99}}, operation='datakey',
                    type='plaintext', {common}) }}}}
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "{{{{ lookup('mlkeys.transit.vault_transit', openai_api_key, backend=ml_keys_engine, key='{KEY}',
          context='another') }}}}"
"""
    )

    done = canary.play(playbook)

    assert done.returncode != 0
    assert "ok=4 " in done.stdout
    assert "datakey failed for 1 of 2 items" in done.stdout + done.stderr
    # Nobody knew these before.
    made = {name: (tmp_path / name).read_text(encoding="utf-8") for name in ("random", "data key")}
    assert {len(base64.b64decode(text)) for text in made.values()} == {32}
    assert leaking_files(canary.root, {**canary.secrets, **made}) == set()
    assert leaks(canary.bao.audit_log.read_bytes(), made) == set()


FAILURES = """
- hosts: gateway-a
  gather_facts: false
  vars:
    taken: "{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}"
    theirs: "{{ playbook_dir }}/theirs"
  tasks:
    # What the vars plugin decrypted is used, and so marked as secret.
    - ansible.builtin.assert: {that: "openai_api_key == taken", quiet: true}
    - mlkeys.transit.vault_transit_vars: {path: /nowhere.transit.yml, key: k, secret: {a: "{{ openai_api_key }}"}}
      delegate_to: localhost
      ignore_errors: true
    - mlkeys.transit.vault_transit_keys: {keys: [{name: k, nmae: "{{ openai_api_key }}"}]}
      delegate_to: localhost
      ignore_errors: true
    - mlkeys.transit.vault_transit_file: {path: /nowhere/app.env, content: "K={{ openai_api_key }}"}
      delegate_to: localhost
      ignore_errors: true
    # A link of another user, in a folder of that user.
    - mlkeys.transit.vault_transit_file: {path: "{{ theirs }}/link/app.env", content: "K={{ openai_api_key }}"}
      delegate_to: localhost
      ignore_errors: true
    - mlkeys.transit.vault_transit_vars: &hostile
        path: "{{ theirs }}/keys.transit.yml"
        key: k
        secrets: {a: "{{ openai_api_key }}"}
      delegate_to: localhost
      ignore_errors: true
    - mlkeys.transit.vault_transit_vars: {<<: *hostile, path: "{{ theirs }}/hard.transit.yml"}
      delegate_to: localhost
      ignore_errors: true
    - mlkeys.transit.vault_transit_file: {path: /tmp/x, content: "{{ openai_api_key }}{{ missing }}"}
      delegate_to: localhost
"""


def make_hostile(folder: Path) -> None:
    """A folder of another user, with links to elsewhere and a vars file whose metadata lead to another path."""
    folder.mkdir()
    (folder / "link").symlink_to("/etc")
    metadata = {"format": 1, "backend": "transit/keys/other/rotate?", "key": "k", "{{ 6 * 7 }}": "{{ openai_api_key }}"}
    (folder / "keys.transit.yml").write_text(json.dumps({"a": "vault:v1:QUJD", "_transit": metadata}))
    (folder / "hard.transit.yml").hardlink_to(folder / "keys.transit.yml")
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, 1234, 1234, follow_symlinks=False)


def test_callbacks_the_debugger_and_the_inventory_show_nothing(provisioned: Canary) -> None:
    canary = provisioned
    (canary.root / "failures.yml").write_text(FAILURES)
    make_hostile(canary.root / "theirs")
    plugin = {"ANSIBLE_VARS_ENABLED": "host_group_vars,mlkeys.transit.vault_transit"}
    recording = {
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/support/callback"),
        **posix((*RECORDING, *TIMING)),
        "ANSIBLE_CALLBACK_TREE_DIR": str(canary.root / "tree"),
        "JUNIT_OUTPUT_DIR": str(canary.root / "junit"),
        "EVERYTHING": str(canary.root / "everything"),
        "ANSIBLE_STRATEGY": "debug",
        # A callback that shows arguments sees them before any plugin.
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "0",
    }
    typed = "p result._result\\np result._return_data\\np task.args\\nq\\n"
    done = canary.play(canary.root / "failures.yml", env={**plugin, **recording}, typed=typed)
    assert done.returncode != 0
    assert "(debug)" in done.stdout
    assert done.stdout.count("...ignoring") == 6, done.stdout
    for name in ("tree", "junit", "everything"):
        assert (canary.root / name).exists(), name

    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(canary.work / "inventory.yml")]
    environment = {**os.environ, **server_environment(canary.bao), **recorders(canary.root), **plugin}
    listed = subprocess.run(
        [*command, "--list", "--export"], env=environment, capture_output=True, text=True, check=True
    )
    (canary.root / "inventory").write_text(listed.stdout + listed.stderr, encoding="utf-8")
    assert "vault:v" in listed.stdout
    canary.assert_silent()


@pytest.mark.parametrize("sent", [False, True], ids=["in process", "sent"])
@pytest.mark.parametrize("tool", ["age", "gpg"])
def test_backups_are_silent(provisioned: Canary, tool: str, sent: bool) -> None:
    canary, bao, holder = provisioned, provisioned.bao, age_holder()
    twin = f"restored-{tool}{'-sent' if sent else ''}"
    bao.done("POST", f"{canary.engine}/keys/{KEY}/config", {"exportable": True, "allow_plaintext_backup": True})
    canary.secrets.update(key_material(raw_backup(bao, canary.engine, KEY)), identity=holder.identity)
    with gpg_holder("canary-passphrase-Tq5") as gpg:
        canary.secrets["passphrase"] = gpg.passphrase
        recipient = holder.recipient if tool == "age" else gpg.recipient
        common = f"{{backend: '{{{{ ml_keys_engine }}}}', path: {canary.root}/{twin}.backup, gpg_home: {gpg.home}}}"
        playbook = canary.root / "backup.yml"
        playbook.write_text(
            f"""
- hosts: localhost
  gather_facts: false
  environment: {{{"ANY: thing" if sent else ""}}}
  # As in the role: without it Ansible puts a module's options, the token among them, into a file.
  vars: {{ansible_pipelining: true}}
  module_defaults:
    mlkeys.transit.vault_transit_backup: {common}
    mlkeys.transit.vault_transit_restore: {common}
  tasks:
    - mlkeys.transit.vault_transit_backup: {{name: {KEY}, recipients: [{recipient}]}}
    - mlkeys.transit.vault_transit_restore: {{name: {twin}}}
    - mlkeys.transit.vault_transit_backup: {{name: {twin}, recipients: [{recipient}]}}
      ignore_errors: true
    - mlkeys.transit.vault_transit_key: {{name: {twin}, backend: '{{{{ ml_keys_engine }}}}', rotate_older_than: '0'}}
    - mlkeys.transit.vault_transit_restore: {{name: {twin}}}
      ignore_errors: true
    - mlkeys.transit.vault_transit_restore: {{name: {twin}, force: true, destroy_versions: true}}
"""
        )
        identity = {"MLKEYS_AGE_IDENTITY": holder.identity, "MLKEYS_GPG_PASSPHRASE": gpg.passphrase}

        done = canary.play(playbook, env=identity)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=4 " in done.stdout
    assert "ignored=2 " in done.stdout
    canary.assert_silent()
    shown = bao.audit_log.read_bytes()
    assert leaks(shown, {name: canary.secrets[name] for name in ("the backup", "the end of it")}) == set()


def test_modules_in_processes_of_their_own_are_silent(canary: Canary) -> None:
    playbook = canary.root / "processes.yml"
    playbook.write_text(
        """
- hosts: localhost
  gather_facts: false
  environment:
    # A task with an environment of its own does not run in process.
    ANY: thing
  roles:
    - mlkeys.transit.vault_transit
"""
    )

    done = canary.play(playbook)

    assert done.returncode == 0, done.stdout
    assert "changed=3" in done.stdout
    # Newer versions do not report it.
    assert CORE > (2, 19) or "Pipelining is enabled." in done.stdout
    canary.assert_silent()


def test_importing_keys_is_silent(canary: Canary, tmp_path: Path) -> None:
    known = "canary-passphrase-Rm3"
    # The files are outside of the folder that is looked through, as those of a user are.
    (tmp_path / "own.pem").write_text(pem("ed25519"))
    (tmp_path / "locked.pem").write_text(pem("ecdsa-p256", passphrase=known))
    (tmp_path / "own.key").write_bytes(raw("aes256-gcm96"))
    variables = {"content": content("chacha20-poly1305"), "passphrase": known, "pem": pem("rsa-2048")}
    (tmp_path / "vars.yml").write_text(json.dumps(variables))
    planted = {
        "PEM": pem("ed25519").splitlines()[1],
        "DER": der("ed25519")[-32:].hex(),
        "another PEM": pem("rsa-2048").splitlines()[5],
        "bytes": raw("aes256-gcm96").hex(),
        "bytes in base64": content("aes256-gcm96")[:40],
        "content": content("chacha20-poly1305")[:40],
        "passphrase": known,
    }
    canary.secrets.update(planted)
    # Ansible puts the options of a module into a file, if it does not pipeline it. Here it keeps them.
    del canary.secrets["BAO_TOKEN"]
    playbook = canary.root / "import.yml"
    playbook.write_text(
        f"""
- hosts: localhost
  gather_facts: false
  vars: {{ansible_pipelining: false}}
  vars_files: [{tmp_path}/vars.yml]
  # A task with an environment of its own is sent.
  environment: {{ANY: thing}}
  module_defaults: &here
    mlkeys.transit.vault_transit_key: {{backend: '{{{{ ml_keys_engine }}}}', import: {{src: {tmp_path}/own.pem}}}}
  tasks:
    - mlkeys.transit.vault_transit_backend: {{path: '{{{{ ml_keys_engine }}}}'}}
    - mlkeys.transit.vault_transit_key: {{name: pem, type: ed25519}}
    - mlkeys.transit.vault_transit_key:
        name: raw
        type: aes256-gcm96
        import: {{src: {tmp_path}/own.key, encoding: raw}}
    - mlkeys.transit.vault_transit_key:
        name: content
        type: chacha20-poly1305
        import: {{content: '{{{{ content }}}}'}}
    - mlkeys.transit.vault_transit_key: {{name: wrong, type: ed25519, import: {{content: '{{{{ content }}}}'}}}}
      ignore_errors: true
- hosts: localhost
  gather_facts: false
  vars_files: [{tmp_path}/vars.yml]
  module_defaults: *here
  tasks:
    - mlkeys.transit.vault_transit_key:
        name: locked
        type: ecdsa-p256
        import: {{src: {tmp_path}/locked.pem, passphrase: '{{{{ passphrase }}}}'}}
    - mlkeys.transit.vault_transit_key: {{name: rsa, type: rsa-2048, import: {{content: '{{{{ pem }}}}'}}}}
    - mlkeys.transit.vault_transit_key: {{name: wrong, type: ed25519, import: {{content: '{{{{ pem }}}}'}}}}
      ignore_errors: true
    - mlkeys.transit.vault_transit_key: {{name: wrong, type: rsa-2048, import: {{src: '{{{{ pem }}}}'}}}}
      ignore_errors: true
"""
    )

    done = canary.play(playbook, env={"ANSIBLE_KEEP_REMOTE_FILES": "1"})

    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=6 " in done.stdout
    assert "ignored=3 " in done.stdout
    assert list((canary.root / "remote").rglob("AnsiballZ_vault_transit_key.py")), "files of modules were kept"
    canary.assert_silent()
    assert leaks(canary.bao.audit_log.read_bytes(), planted) == set()


def wrong_token(canary: Canary) -> dict[str, str]:
    return {"BAO_TOKEN": WRONG_TOKEN}


def wrong_token_in_a_variable(canary: Canary) -> dict[str, str]:
    with (canary.work / "host_vars/localhost.yml").open("a", encoding="utf-8") as file:
        file.write("vault_transit_connection:\n  token: \"{{ lookup('ansible.builtin.env', 'CANARY_TOKEN') }}\"\n")
    return {"CANARY_TOKEN": WRONG_TOKEN}


def vars_file_that_is_not_yaml(canary: Canary) -> dict[str, str]:
    (canary.work / "group_vars/llm_gateways/keys.transit.yml").unlink(missing_ok=True)
    broken = canary.work / "keys.transit.yml"
    broken.write_text("openai_api_key: [vault:v1:\n", encoding="utf-8")
    transit = canary.work / "group_vars/all/transit.yml"
    text = transit.read_text(encoding="utf-8").replace("/group_vars/llm_gateways/keys", "/keys")
    transit.write_text(text, encoding="utf-8")
    return {}


def unknown_option_beside_the_secrets(canary: Canary) -> dict[str, str]:
    variables = canary.work / "host_vars/localhost.yml"
    text = variables.read_text(encoding="utf-8").replace("    secrets:", "    prune: true\n    secrets:")
    variables.write_text(text, encoding="utf-8")
    return {}


def secrets_of_the_wrong_type(canary: Canary) -> dict[str, str]:
    variables = canary.work / "host_vars/localhost.yml"
    before, _secrets, _after = variables.read_text(encoding="utf-8").partition("    secrets:")
    wrong = "    secrets: \"{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}\"\n"
    variables.write_text(before + wrong, encoding="utf-8")
    return {}


def secret_that_is_a_list(canary: Canary) -> dict[str, str]:
    variables = canary.work / "host_vars/localhost.yml"
    before, _secrets, _after = variables.read_text(encoding="utf-8").partition("    secrets:")
    wrong = "    secrets:\n      openai_api_key: [\"{{ lookup('ansible.builtin.env', 'OPENAI_API_KEY') }}\"]\n"
    variables.write_text(before + wrong, encoding="utf-8")
    return {}


def template_with_an_undefined_variable(canary: Canary) -> dict[str, str]:
    with (canary.work / "templates/fastapi.env.j2").open("a", encoding="utf-8") as file:
        file.write("EXTRA='{{ openai_api_key }}{{ not_defined_anywhere }}'\n")
    return {}


@pytest.mark.parametrize(
    ("arrange", "callback"),
    [
        # Each with another callback that shows what happens, in all of its ways to write it.
        (wrong_token, "ansible.builtin.default"),
        (wrong_token_in_a_variable, "ansible.posix.jsonl"),
        (vars_file_that_is_not_yaml, "ansible.builtin.oneline"),
        (unknown_option_beside_the_secrets, "ansible.builtin.minimal"),
        (secrets_of_the_wrong_type, "ansible.posix.json"),
        (secret_that_is_a_list, "ansible.posix.json"),
        (template_with_an_undefined_variable, "ansible.posix.jsonl"),
    ],
)
def test_failures_are_silent(canary: Canary, arrange: Callable[[Canary], dict[str, str]], callback: str) -> None:
    environment = arrange(canary)

    done = canary.play(env={**environment, "ANSIBLE_STDOUT_CALLBACK": callback})

    assert done.returncode != 0, done.stdout
    # Ansible's own ones, which old versions show at this verbosity, are not ours to prevent.
    assert CORE < (2, 19) or "Traceback" not in done.stdout + done.stderr
    assert not re.search(r'File "[^"]*mlkeys/transit/plugins', done.stdout + done.stderr)
    canary.assert_silent()
