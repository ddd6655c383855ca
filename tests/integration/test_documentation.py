# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of every module, lookup, filter and test run as they stand, on a real server, without a warning."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

from tests.integration.support.backups import age_holder
from tests.support.collection import ROOT
from tests.support.key_material import content, pem
from tests.support.playbook import run_playbook
from tests.support.server import Bao

FOLDERS = {"module": "modules", "lookup": "lookup", "filter": "filter", "test": "test"}


def of_kind(kind: str) -> list[tuple[str, str]]:
    return [(kind, path.stem) for path in sorted((ROOT / "plugins" / FOLDERS[kind]).glob("*.py"))]


# Those that change nothing run in one playbook: its start takes longer than they do.
DOCUMENTED = {
    **{f"{name} {kind}": [(kind, name)] for kind, name in [*of_kind("lookup"), *of_kind("module")]},
    "filters and tests": [*of_kind("filter"), *of_kind("test")],
}

PROVIDERS = {
    "OPENAI_API_KEY": "sk-fake-openai-canary-Bv6",
    "ANTHROPIC_API_KEY": "sk-ant-fake-anthropic-canary-Bv6",
    "HF_TOKEN": "hf_fake-canary-Bv6",
    "BROUGHT_ALONG": content("aes256-gcm96"),
}

INVENTORY = """
all:
  hosts:
    gateway:
      ansible_connection: local
      credentials_folder: {folder}
      gateway_root: {folder}
      backup_folder: {folder}
      backup_identity_file: {folder}/identity.txt
      backup_recipient: {recipient}
"""


@pytest.fixture
def namespace(bao: Bao) -> Iterator[str]:
    """A part of the server where the examples' engine, key and role exist, as their readers have them."""
    name = f"reader-{secrets.token_hex(3)}"
    bao.done("POST", f"sys/namespaces/{name}", {})
    bao.done("POST", f"{name}/sys/mounts/transit", {"type": "transit"})
    bao.done("POST", f"{name}/transit/keys/ml-api-key", {"derived": True})
    bao.done("POST", f"{name}/transit/keys/releases", {"type": "ed25519"})
    bao.done("POST", f"{name}/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    bao.done("POST", f"{name}/sys/auth/approle", {"type": "approle"})
    bao.done("POST", f"{name}/auth/approle/role/llm-gateways", {})
    yield name
    bao.done("DELETE", f"{name}/sys/auth/approle")
    for mount in bao.done("GET", f"{name}/sys/mounts")["data"]:
        if "transit" in mount or "secret" in mount:
            bao.done("DELETE", f"{name}/sys/mounts/{mount}")
    bao.done("DELETE", f"sys/namespaces/{name}")


def play_of(kind: str, name: str) -> dict[str, Any]:
    """The examples of a plugin as a play."""
    path = ROOT / "plugins" / FOLDERS[kind] / f"{name}.py"
    _doc, examples, _returns, _metadata = get_docstring(
        str(path), fragment_loader, collection_name="mlkeys.transit", plugin_type=kind
    )
    return {"name": name, "hosts": "all", "gather_facts": False, "tasks": yaml.safe_load(examples)}


@pytest.mark.parametrize("plugins", DOCUMENTED.values(), ids=list(DOCUMENTED))
def test_the_examples_run(bao: Bao, namespace: str, tmp_path: Path, plugins: list[tuple[str, str]]) -> None:
    plays = [play_of(kind, name) for kind, name in plugins]
    tasks = [task for play in plays for task in play["tasks"]]
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump(plays), encoding="utf-8")
    inventory = tmp_path / "inventory.yml"
    holder = age_holder()
    holder.file(tmp_path)
    inventory.write_text(INVENTORY.format(folder=tmp_path, recipient=holder.recipient), encoding="utf-8")
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    for number, file in enumerate(("artefacts.pem", "artefacts-2.pem"), start=1):
        (tmp_path / file).write_text(pem("ed25519", number), encoding="ascii")
    connection = {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, "BAO_NAMESPACE": namespace}
    result = run_playbook(playbook, inventory=inventory, env={**connection, **PROVIDERS}, args=["--diff"])
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert result.stdout.count("TASK [") == len(tasks)
    # A warning about what cannot be undone belongs to the example.
    lasting = " ".join(output.split()).count("is turned on, which cannot be undone")
    assert output.count("[WARNING]") == lasting, output
    for complaint in ("[DEPRECATION", "[ERROR]", "Traceback"):
        assert complaint not in output, output
    for secret in (bao.token, holder.identity, *PROVIDERS.values()):
        assert secret not in output
