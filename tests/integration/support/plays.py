# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of Ansible over several hosts, and what they ask of the server."""

from __future__ import annotations

import base64
import collections
import contextlib
import json
import secrets
import subprocess
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.support.runs import Ledger
from tests.support.playbook import run_playbook
from tests.support.server import Bao

# The last parts of paths that say what a request is, whatever the mounts are called.
_KINDS = ("login", "revoke-self", "renew-self", "lookup-self", "decrypt", "encrypt")

CALLBACK = {"ANSIBLE_CALLBACKS_ENABLED": "mlkeys.transit.session"}
# Since ansible-core 2.21 modules show their options only if this is set.
INVOCATION_SHOWN = {"ANSIBLE_INJECT_INVOCATION": "true"}
VARS_PLUGIN = {"ANSIBLE_VARS_ENABLED": "host_group_vars,mlkeys.transit.vault_transit"}


def tasks_of_all_kinds(mount: str) -> str:
    """Tasks that log in in each way: a module here, the same one sent, two lookups, and the vars plugin."""
    return f"""
- mlkeys.transit.vault_transit_key_info: {{name: ml, backend: {mount}}}
- mlkeys.transit.vault_transit_key_info: {{name: ml, backend: {mount}}}
  environment: {{SENT: "yes"}}
- ansible.builtin.debug:
    msg: "{{{{ lookup('mlkeys.transit.vault_transit', made, **key) }}}}"
  vars:
    key: {{key: ml, backend: {mount}, context: c}}
    made: "{{{{ lookup('mlkeys.transit.vault_transit', 'by lookup', operation='encrypt', **key) }}}}"
- ansible.builtin.debug: {{msg: "{{{{ token }}}}"}}
"""


@dataclass(frozen=True)
class AppRole:
    """Credentials of an auth mount of its own."""

    mount: str
    role_id: str
    secret_id: str = field(repr=False)

    @property
    def options(self) -> dict[str, str]:
        return {
            "auth_method": "approle",
            "mount_point": self.mount,
            "role_id": self.role_id,
            "secret_id": self.secret_id,
        }

    @property
    def environment(self) -> dict[str, str]:
        return {f"ANSIBLE_HASHI_VAULT_{name.upper()}": value for name, value in self.options.items()}

    @property
    def variables(self) -> dict[str, str]:
        return {f"ansible_hashi_vault_{name}": value for name, value in self.options.items()}

    def logins(self, bao: Bao) -> int:
        """How often it has logged in so far."""
        return [entry["request"]["path"] for entry in bao.audit_entries()].count(f"auth/{self.mount}/login")


@contextlib.contextmanager
def approle(bao: Bao, policy: str, **role: object) -> Iterator[AppRole]:
    """An AppRole that may do what the HCL `policy` says; `role` are further parameters of it."""
    name = f"approle-{secrets.token_hex(4)}"
    bao.done("POST", f"sys/auth/{name}", {"type": "approle"})
    bao.done("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    try:
        bao.done("POST", f"auth/{name}/role/run", {"token_policies": [name], "token_ttl": "10m", **role})
        yield another_secret(bao, name)
    finally:
        bao.done("DELETE", f"sys/auth/{name}")
        bao.done("DELETE", f"sys/policies/acl/{name}")


def another_secret(bao: Bao, mount: str) -> AppRole:
    role_id = bao.done("GET", f"auth/{mount}/role/run/role-id")["data"]["role_id"]
    secret_id = bao.done("POST", f"auth/{mount}/role/run/secret-id", {})["data"]["secret_id"]
    return AppRole(mount, role_id, secret_id)


def may_use(mount: str) -> str:
    """A policy for all keys of an engine."""
    return f'path "{mount}/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}'


def asked(ledger: Ledger) -> dict[str, int]:
    """How many requests of which kind there were."""
    kinds: collections.Counter[str] = collections.Counter()
    for operation, path in ledger.requests:
        kinds[next((kind for kind in _KINDS if kind in path.split("/")), f"{operation} {path}")] += 1
    return dict(kinds)


def live_tokens(bao: Bao, role: AppRole) -> int:
    """How many tokens of this AppRole there are still."""
    status, answer = bao.request("LIST", "auth/token/accessors")
    accessors = answer["data"]["keys"] if status == 200 else []
    looked_up = (bao.request("POST", "auth/token/lookup-accessor", {"accessor": name}) for name in accessors)
    return sum(found["data"]["path"].startswith(f"auth/{role.mount}/") for status, found in looked_up if status == 200)


def make_key(bao: Bao, mount: str, name: str = "ml", *, derived: bool = True) -> str:
    bao.done("POST", f"{mount}/keys/{name}", {"derived": derived})
    return name


def encrypted(bao: Bao, mount: str, values: Mapping[str, str], key: str = "ml") -> dict[str, str]:
    """Ciphertexts of the values, each bound to its name."""
    items = [{"plaintext": _base64(value), "context": _base64(name)} for name, value in values.items()]
    results = bao.done("POST", f"{mount}/encrypt/{key}", {"batch_input": items})["data"]["batch_results"]
    return {name: str(result["ciphertext"]) for name, result in zip(values, results, strict=True)}


def vars_file(bao: Bao, mount: str, values: Mapping[str, str], key: str = "ml") -> str:
    """An encrypted vars file, as JSON, which is YAML as well."""
    return json.dumps(
        {**encrypted(bao, mount, values, key), "_transit": {"format": 1, "backend": mount, "key": key, "hmac": {}}}
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Project:
    """A folder with an inventory of local hosts, a playbook `play.yml` and what else a test writes there."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def hosts(self, count: int, **variables: object) -> None:
        """An inventory of the group `gateways`; `variables` are those of all its hosts."""
        hosts = {f"gateway{number}": None for number in range(count)}
        group = {"hosts": hosts, "vars": {"ansible_connection": "local", **variables}}
        self.write("inventory.yml", json.dumps({"all": {"children": {"gateways": group}}}))

    def play(self, tasks: str, head: str = "") -> None:
        """The playbook: one play for all hosts with these tasks; `head` are further keywords of the play."""
        self.write(
            "play.yml",
            "- hosts: all\n  gather_facts: false\n"
            + textwrap.indent(textwrap.dedent(head), "  ")
            + "  tasks:\n"
            + textwrap.indent(textwrap.dedent(tasks), "    "),
        )

    def run(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        playbook: str = "play.yml",
        forks: int = 10,
        status: int = 0,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run it, and see it end with this status."""
        done = run_playbook(
            playbook,
            inventory="inventory.yml",
            env={**self.environment, "ANSIBLE_FORKS": str(forks), **(env or {})},
            args=args,
            cwd=self.folder,
            timeout=timeout,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done


def messages(output: str) -> list[str]:
    """What the tasks of ansible.builtin.debug showed."""
    return [line.strip().removeprefix('"msg": ').strip('"') for line in output.splitlines() if '"msg": ' in line]


def without(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def options(values: Mapping[str, object]) -> Sequence[str]:
    """As arguments of ansible-playbook. Not for secrets."""
    return ["-e", json.dumps(dict(values))]
