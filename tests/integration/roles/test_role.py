# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role vault_transit: what it manages, where it runs, how it refuses bad variables, which names it uses."""

from __future__ import annotations

import base64
import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tests.integration.support.plays import encrypted
from tests.support.collection import ROOT, argument_spec
from tests.support.playbook import run_playbook
from tests.support.server import Bao

ROLE = ROOT / "roles/vault_transit"
MODULE_OF = {
    "vault_transit_backends": "vault_transit_backend",
    "vault_transit_keys": "vault_transit_keys",
    "vault_transit_vars_files": "vault_transit_vars",
    "vault_transit_policies": "vault_transit_policy",
    "vault_transit_approles": "vault_transit_approle",
}
# Options of an entry that the role handles itself.
OF_THE_ROLE = {"vault_transit_approles": {"grant_hosts"}, "vault_transit_policies": {"grant_hosts"}}
# Options that the role requires although the module does not: the role manages no auth method alone.
REQUIRED_BY_THE_ROLE = {"vault_transit_approles": {"name"}}

# Variables of the role ansible-community.ansible-vault; one of them is the token of a seal.
NAMES_OF_ANOTHER_ROLE = {
    "vault_transit",
    "vault_transit_address",
    "vault_transit_backend",
    "vault_transit_config",
    "vault_transit_disable_renewal",
    "vault_transit_key_name",
    "vault_transit_mount_path",
    "vault_transit_namespace",
    "vault_transit_tls_ca_cert",
    "vault_transit_tls_ca_cert_file",
    "vault_transit_tls_client_cert",
    "vault_transit_tls_client_cert_file",
    "vault_transit_tls_client_key",
    "vault_transit_tls_client_key_file",
    "vault_transit_tls_server_name",
    "vault_transit_tls_skip_verify",
    "vault_transit_token",
}

SECRET = "sk-role-canary-Jh5"


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    path = tmp_path / "play.yml"
    path.write_text(
        """
- hosts: all
  connection: local
  gather_facts: false
  roles:
    - mlkeys.transit.vault_transit
  tasks:
    - ansible.builtin.debug:
        msg: "{{ vault_transit_vars_files_result.results | map(attribute='entries') | flatten
          | map(attribute='action') | join(',') }}"
      run_once: true
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def engine(mount: str, bao: Bao) -> str:
    """The path of an engine that does not exist yet."""
    bao.done("DELETE", f"sys/mounts/{mount}")
    return mount


def variables(bao: Bao, engine: str, file: Path, **extra: object) -> dict[str, object]:
    return {
        "vault_transit_connection": bao.login,
        "vault_transit_backends": [{"path": engine, "description": "for tests", "default_lease_ttl": "2h"}],
        "vault_transit_keys": [
            {"name": "ml-api-key", "backend": engine, "derived": True, "auto_rotate_period": "30d"},
            {"name": "other", "backend": engine, "type": "chacha20-poly1305", "min_encryption_version": 1},
        ],
        "vault_transit_vars_files": [
            {
                "path": str(file),
                "backend": engine,
                "key": "ml-api-key",
                "secrets": {"openai_api_key": SECRET, "hf_token": "hf_role"},
            }
        ],
        **extra,
    }


def apply(
    playbook: Path, wanted: Mapping[str, object], *args: str, inventory: str = "localhost,"
) -> subprocess.CompletedProcess[str]:
    return run_playbook(playbook, inventory=inventory, extra_vars=wanted, args=args)


def test_a_second_run_changes_nothing(bao: Bao, engine: str, playbook: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.transit.yml"
    wanted = variables(bao, engine, file)

    first = apply(playbook, wanted)
    second = apply(playbook, wanted)

    assert first.returncode == second.returncode == 0, first.stdout + second.stdout
    assert "changed=3" in first.stdout
    assert "added,added" in first.stdout
    assert "changed=0" in second.stdout
    assert "kept,kept" in second.stdout
    found = bao.done("GET", f"sys/mounts/{engine}")
    assert (found["description"], found["config"]["default_lease_ttl"]) == ("for tests", 7200)
    key = bao.done("GET", f"{engine}/keys/ml-api-key")["data"]
    assert (key["type"], key["derived"], key["auto_rotate_period"]) == ("aes256-gcm96", True, 2592000)
    other = bao.done("GET", f"{engine}/keys/other")["data"]
    assert (other["type"], other["derived"], other["min_encryption_version"]) == ("chacha20-poly1305", False, 1)
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert written["openai_api_key"].startswith("vault:v1:")
    assert written["_transit"]["key"] == "ml-api-key"


def test_check_mode_predicts_and_changes_nothing(bao: Bao, engine: str, playbook: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.transit.yml"

    done = apply(playbook, variables(bao, engine, file), "--check", "--diff")

    assert done.returncode == 0, done.stdout
    assert "changed=3" in done.stdout
    assert "added,added" in done.stdout
    assert not file.exists()
    assert bao.request("GET", f"sys/mounts/{engine}")[0] == 400


def test_it_talks_to_the_server_once_for_any_number_of_hosts(
    bao: Bao, engine: str, playbook: Path, tmp_path: Path
) -> None:
    wanted = variables(bao, engine, tmp_path / "keys.transit.yml")
    earlier = len(bao.audit_entries())

    done = apply(playbook, wanted, inventory="one,two,three,")

    assert done.returncode == 0, done.stdout
    created = [
        entry
        for entry in bao.audit_entries()[earlier:]
        if entry["request"]["path"] == f"sys/mounts/{engine}" and entry["request"]["operation"] == "update"
    ]
    assert len(created) == 1
    assert "[one -> localhost]" in done.stdout
    assert "two ->" not in done.stdout


def test_without_variables_it_does_nothing(playbook: Path) -> None:
    done = apply(playbook, {})

    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout


def test_an_option_of_the_connection_reaches_every_module(
    bao: Bao, engine: str, playbook: Path, tmp_path: Path
) -> None:
    everything = variables(
        bao,
        engine,
        tmp_path / "keys.transit.yml",
        vault_transit_policies=[{"name": "none", "state": "absent"}],
        vault_transit_approles=[{"name": "none", "state": "absent"}],
    )
    for name in MODULE_OF:
        wanted = {**everything, **{other: [] for other in MODULE_OF if other != name}}
        wanted["vault_transit_connection"] = {"url": "ftp://nowhere"}

        done = apply(playbook, wanted)

        assert done.returncode != 0
        assert "ftp://nowhere" in done.stdout, name


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("vault_transit_keys", [{}], "missing required arguments: name found in vault_transit_keys"),
        ("vault_transit_keys", [{"name": "a", "tpye": "hmac"}], "vault_transit_keys.tpye"),
        ("vault_transit_keys", "ml-api-key", "vault_transit_keys"),
        ("vault_transit_backends", [{"state": "gone"}], "value of state must be one of: absent, present, got: gone"),
        ("vault_transit_vars_files", [{"path": "/a"}], "missing required arguments: key"),
        ("vault_transit_policies", [{"name": "a", "grants": [{"allow": ["encript"]}]}], "allow"),
        ("vault_transit_approles", [{"name": "a", "policies": []}], "vault_transit_approles.policies"),
        ("vault_transit_connection", "http://here", "vault_transit_connection"),
    ],
)
def test_bad_variables_are_refused_before_anything_changes(
    bao: Bao, engine: str, playbook: Path, tmp_path: Path, name: str, value: object, message: str
) -> None:
    done = apply(playbook, variables(bao, engine, tmp_path / "keys.transit.yml", **{name: value}))

    assert done.returncode != 0
    assert "Validation of arguments failed" in done.stdout
    assert message in done.stdout
    assert bao.request("GET", f"sys/mounts/{engine}")[0] == 400


@pytest.mark.parametrize("secrets", [SECRET, [SECRET], {"openai api key": {"a": SECRET}}])
def test_bad_secrets_are_refused_without_being_shown(
    bao: Bao, engine: str, playbook: Path, tmp_path: Path, secrets: object
) -> None:
    wanted = variables(bao, engine, tmp_path / "keys.transit.yml")
    wanted["vault_transit_vars_files"] = [
        {"path": str(tmp_path / "keys.transit.yml"), "backend": engine, "key": "ml-api-key", "secrets": secrets}
    ]

    done = apply(playbook, wanted, "-vvvv", "--diff")

    assert done.returncode != 0
    assert SECRET not in done.stdout + done.stderr


def test_the_documented_policy_suffices_to_encrypt_and_to_rewrap(
    bao: Bao, mount: str, playbook: Path, tmp_path: Path, mint_token: Callable[[str], str]
) -> None:
    guide = (ROOT / "docs" / "guides" / "policies.md").read_text(encoding="utf-8")
    policy = guide.partition("# writer.hcl\n")[2].partition("```")[0].replace("transit/", f"{mount}/")
    bao.done("POST", f"{mount}/keys/ml-api-key", {"derived": True})
    wanted = variables(bao, mount, tmp_path / "keys.transit.yml", vault_transit_backends=[], vault_transit_keys=[])
    wanted["vault_transit_connection"] = {"url": bao.addr, "token": mint_token(policy)}

    assert "added,added" in apply(playbook, wanted).stdout
    bao.done("POST", f"{mount}/keys/ml-api-key/rotate")
    assert "rewrapped,rewrapped" in apply(playbook, wanted).stdout
    [file] = cast("list[dict[str, Any]]", wanted["vault_transit_vars_files"])
    dropped, kept = file["secrets"]
    declared = {**file, "secrets": {kept: file["secrets"][kept]}}
    done = apply(playbook, {**wanted, "vault_transit_vars_files": [declared]})
    assert "kept,kept" in done.stdout
    # Where a person sees it, in the lines of a terminal.
    assert f"kept, not declared: {dropped}." in " ".join((done.stdout + done.stderr).split())


@functools.cache
def documented_options(module: str) -> dict[str, Any]:
    name = f"mlkeys.transit.{module}"
    argv = [str(Path(sys.executable).parent / "ansible-doc"), "--json", name]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    options: dict[str, Any] = json.loads(done.stdout)[name]["doc"]["options"]
    return options


def module_options(module: str) -> dict[str, Any]:
    """The options of a module without those of the connection. For the module for many keys, the options of a key."""
    if module == "vault_transit_keys":
        suboptions: dict[str, Any] = documented_options(module)["keys"]["suboptions"]
        return suboptions
    connection = set(documented_options("vault_transit_key_info")) - {"name", "backend"}
    return {name: facts for name, facts in documented_options(module).items() if name not in connection}


def comparable(option: Mapping[str, Any]) -> dict[str, Any]:
    facts = {fact: option.get(fact) for fact in ("type", "elements", "choices", "default")}
    return {**facts, "required": bool(option.get("required"))}


@pytest.mark.parametrize("variable", MODULE_OF)
def test_argument_specs_agree_with_the_modules(variable: str) -> None:
    module = {name: comparable(facts) for name, facts in module_options(MODULE_OF[variable]).items()}
    for name in REQUIRED_BY_THE_ROLE.get(variable, ()):
        module[name]["required"] = True
    options = argument_spec(ROLE.name)[variable]["options"]
    own = OF_THE_ROLE.get(variable, set())
    assert own <= set(options)
    role = {name: comparable(facts) for name, facts in options.items() if name not in own}

    assert role == module


@pytest.mark.parametrize("variable", [name for name in MODULE_OF if name != "vault_transit_keys"])
def test_every_option_is_passed_to_its_module(variable: str) -> None:
    (block,) = yaml.safe_load((ROLE / "tasks/main.yml").read_text(encoding="utf-8"))
    module = f"mlkeys.transit.{MODULE_OF[variable]}"
    arguments = next(task[module] for task in block["block"] if module in task)

    assert set(arguments) == set(argument_spec(ROLE.name)[variable]["options"]) - OF_THE_ROLE.get(variable, set())
    for name, expression in arguments.items():
        assert re.search(rf"\.{name}( |\b)", expression), name


def test_no_variable_has_a_name_that_another_role_owns() -> None:
    files = [path for folder in (ROLE, ROOT / "playbooks") for path in folder.rglob("*.yml")]
    used = {
        word
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith(
            ("role_name:", "name:", "#", "- Engines", "- Keys", "- Encrypted", "- Policies", "- AppRoles")
        )
        for word in re.findall(r"(?<![.\w])vault_transit\w*", line)
    }

    assert set(argument_spec(ROLE.name)) < used
    assert used & NAMES_OF_ANOTHER_ROLE == set()


HOSTS = """
all:
  hosts:
    controller:
      ansible_connection: local
  children:
    gateways:
      vars:
        vault_transit_host_approle: gateways-ENGINE
      hosts:
        gateway-a:
          vault_transit_host_services:
            - name: litellm
              environment:
                OPENAI_API_KEY: openai_api_key
        gateway-b:
          vault_transit_host_services:
            - name: litellm
              files:
                - content:
                    model_list:
                      - api_key: {secret: "{{ 'anthropic' }}_api_key"}
            - name: old
              mode: plaintext
              environment:
                HF_TOKEN: hf_token
    others:
      vars:
        vault_transit_host_approle: others-ENGINE
      hosts:
        stranger:
          vault_transit_host_services:
            - name: own
              environment:
                MISTRAL_API_KEY: mistral_api_key
  vars:
    vault_transit_host_backend: ENGINE
    vault_transit_host_key: ml-api-key
"""


def decrypted_by(bao: Bao, mount: str, role: str, ciphertexts: Mapping[str, str]) -> set[str]:
    """The secrets that a host of the AppRole can decrypt."""
    place = f"auth/approle-{mount}"
    login = {
        "role_id": bao.done("GET", f"{place}/role/{role}/role-id")["data"]["role_id"],
        "secret_id": bao.done("POST", f"{place}/role/{role}/secret-id", {})["data"]["secret_id"],
    }
    token = bao.done("POST", f"{place}/login", login)["auth"]["client_token"]
    found = set()
    for name, ciphertext in ciphertexts.items():
        item = {"ciphertext": ciphertext, "context": base64.b64encode(name.encode()).decode()}
        status, answer = bao.request("POST", f"{mount}/decrypt/ml-api-key", item, token)
        assert status in (200, 403), answer
        found |= {name} if status == 200 else set()
    return found


def test_each_approle_can_decrypt_what_its_hosts_name_and_nothing_else(
    bao: Bao, mount: str, playbook: Path, tmp_path: Path
) -> None:
    role, other = f"gateways-{mount}", f"others-{mount}"
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(HOSTS.replace("ENGINE", mount), encoding="utf-8")
    bao.done("POST", f"{mount}/keys/ml-api-key", {"derived": True})
    names = ("openai_api_key", "anthropic_api_key", "hf_token", "mistral_api_key")
    ciphertexts = encrypted(bao, mount, {name: f"sk-{name}" for name in names}, "ml-api-key")
    common = {"path": f"approle-{mount}", "grant_hosts": True}
    wanted: dict[str, object] = {
        "vault_transit_connection": bao.login,
        "vault_transit_approles": [
            {"name": role, **common, "token_policies": ["base"], "token_ttl": "1h"},
            {"name": other, **common},
        ],
    }
    try:
        first = apply(playbook, wanted, inventory=str(inventory))
        second = apply(playbook, wanted, inventory=str(inventory))
        assert first.returncode == second.returncode == 0, first.stdout + second.stdout
        assert "changed=2" in first.stdout
        assert "changed=0" in second.stdout
        found = bao.done("GET", f"auth/approle-{mount}/role/{role}")["data"]
        assert (found["token_policies"], found["token_ttl"]) == (["base", role], 3600)
        text = bao.done("GET", f"sys/policies/acl/{role}")["data"]["policy"]
        assert text.count("path ") == 1
        # Hosts do not decrypt plaintext files.
        assert decrypted_by(bao, mount, role, ciphertexts) == {"openai_api_key", "anthropic_api_key"}
        assert decrypted_by(bao, mount, other, ciphertexts) == {"mistral_api_key"}
        wanted["vault_transit_approles"] = [{"name": name, **common, "state": "absent"} for name in (role, other)]
        gone = apply(playbook, wanted, inventory=str(inventory))
        assert gone.returncode == 0, gone.stdout
        assert bao.request("GET", f"auth/approle-{mount}/role/{role}")[0] == 404
        assert bao.request("GET", f"sys/policies/acl/{role}")[0] == 404
    finally:
        bao.done("DELETE", f"sys/auth/approle-{mount}")
        for name in (role, other):
            bao.done("DELETE", f"sys/policies/acl/{name}")
