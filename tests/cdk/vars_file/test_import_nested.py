# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A project of nested secrets moves from Ansible Vault and from SOPS, and its template writes what it wrote before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from click.testing import Result

from tests.cdk.stores import KEY, content, token_for
from tests.cdk.vars_file.importing import sealed
from tests.support.playbook import run_playbook
from tests.support.server import Bao

Importing = Callable[..., Result]

PROVIDERS = ("openai", "anthropic", "mistral.ai", "hugging-face")


def data(kind: str) -> dict[str, Any]:
    """Ten nested secrets, some of them in lists, some of them no texts."""
    return {
        f"{kind}_providers": {
            name: {"api_key": f"sk-{kind}-move-{number}", "retries": number, "fallback": number % 2 == 0}
            for number, name in enumerate(PROVIDERS)
        },
        f"{kind}_models": [
            {"name": "gpt", "params": {"api_key": f"{kind}-move-a", "timeout": 2.5, "proxy": None}},
            {
                "name": "claude",
                "params": {"api_key": f"{kind}-move-b: #1", "tags": ["x-secret", "123"], "extra": {}},
            },
        ],
        f"{kind}_token": f"{kind}-move-token",
    }


TEMPLATE = """\
{% for name in providers | sort %}{{ name }}: {{ providers[name].api_key }} {{ providers[name].retries + 1 }} \
{{ 'yes' if providers[name].fallback else 'no' }}
{% endfor %}
{% for one in models %}{{ one.name }} {{ one.params.api_key }} {{ one.params | to_json }}
{% endfor %}
{{ models[0].params.timeout * 2 }} {{ models[1].params.tags | length }} {{ token }}
"""


def expected(kind: str) -> str:
    """What Ansible's template writes of data that are not encrypted."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters["to_json"] = json.dumps
    values = {name.removeprefix(f"{kind}_"): value for name, value in data(kind).items()}
    return environment.from_string(TEMPLATE).render(values)


@pytest.fixture
def project(tmp_path: Path, import_login: None) -> Path:
    tasks = [
        {
            "ansible.builtin.template": {"src": "t.j2", "dest": f"{{{{ playbook_dir }}}}/{kind}.out", "mode": "0600"},
            "vars": {name: f"{{{{ {kind}_{name} }}}}" for name in ("providers", "models", "token")},
        }
        for kind in ("vault", "sops")
    ]
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    (tmp_path / "hosts").write_text("localhost ansible_connection=local\n")
    (tmp_path / "t.j2").write_text(TEMPLATE)
    (tmp_path / "group_vars/all").mkdir(parents=True)
    return tmp_path


def test_templates_stay_as_they_are(
    bao: Bao, mount: str, mint_token: Callable[[str], str], project: Path, importing: Importing, recipient: str
) -> None:
    folder = project / "group_vars/all"
    (project / "password").write_text("vault-password\n")
    vault, sops = folder / "vault.yml", project / "s.sops.yaml"
    vault.write_text(yaml.safe_dump(data("vault"), sort_keys=False))
    subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-vault"),
            "encrypt",
            "--vault-password-file",
            "password",
            str(vault),
        ],
        check=True,
        capture_output=True,
    )
    sealed(sops.name, yaml.safe_dump(data("sops"), sort_keys=False), recipient)
    for source, path, to in (
        (["ansible-vault", str(vault), "--vault-password-file", "password"], vault, folder / "vault.transit.yml"),
        (["sops", str(sops)], sops, folder / "sops.transit.yml"),
    ):
        assert "-move-" not in importing(*source, "--nested", to=to).output
        path.unlink()

    files = [content(folder / f"{kind}.transit.yml") for kind in ("vault", "sops")]
    assert all(file["_transit"]["format"] == 2 and len(file["_transit"]["hmac"]) >= 20 for file in files)
    assert "-move-" not in str(files)
    env = {
        "ANSIBLE_VARS_ENABLED": "host_group_vars,mlkeys.transit.vault_transit",
        "BAO_ADDR": bao.addr,
        "BAO_TOKEN": token_for(mint_token, mount, "decrypt"),
    }
    done = run_playbook("play.yml", inventory="hosts", cwd=project, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in ("vault", "sops"):
        assert (project / f"{kind}.out").read_text() == expected(kind)
    assert {file["_transit"]["key"] for file in files} == {KEY}
