# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of every module, lookup, filter and test run as they stand, on a real server, without a warning."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

from tests.integration.support.backups import age_holder
from tests.support.collection import ROOT
from tests.support.key_material import content, pem
from tests.support.playbook import run_playbook
from tests.support.server import Bao

DOCUMENTED = sorted(
    (kind, path.stem)
    for kind, folder in (("module", "modules"), ("lookup", "lookup"), ("filter", "filter"), ("test", "test"))
    for path in (ROOT / "plugins" / folder).glob("*.py")
)

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


@pytest.mark.parametrize(("kind", "name"), DOCUMENTED, ids=[name for _kind, name in DOCUMENTED])
def test_the_examples_run(bao: Bao, namespace: str, tmp_path: Path, kind: str, name: str) -> None:
    folder = "modules" if kind == "module" else kind
    path = ROOT / "plugins" / folder / f"{name}.py"
    _doc, examples, _returns, _metadata = get_docstring(
        str(path), fragment_loader, collection_name="mlkeys.transit", plugin_type=kind
    )
    tasks = yaml.safe_load(examples)
    play = tmp_path / "play.yml"
    play.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    inventory = tmp_path / "inventory.yml"
    holder = age_holder()
    holder.file(tmp_path)
    inventory.write_text(INVENTORY.format(folder=tmp_path, recipient=holder.recipient), encoding="utf-8")
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    for number, file in enumerate(("artefacts.pem", "artefacts-2.pem"), start=1):
        (tmp_path / file).write_text(pem("ed25519", number), encoding="ascii")
    connection = {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, "BAO_NAMESPACE": namespace}
    result = run_playbook(play, inventory=inventory, env={**connection, **PROVIDERS}, args=["--diff"])
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
