# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup vault_transit_vars against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

from tests.integration.support.plays import asked, make_key, vars_file
from tests.integration.support.runs import Ledger
from tests.support.chains import printed_with
from tests.support.server import Bao

SECRETS = {"openai": "sk-whole-canary-3Kd", "braces": "{{ 6 * 7 }}", "other": "x"}

Lookup = Callable[..., list[Any]]


@pytest.fixture
def file(bao: Bao, mount: str, tmp_path: Path) -> Path:
    make_key(bao, mount)
    path = tmp_path / "keys.transit.yml"
    path.write_text(vars_file(bao, mount, SECRETS), encoding="utf-8")
    return path


@pytest.fixture
def lookup(bao: Bao, tmp_path: Path) -> Lookup:
    loader = DataLoader()
    loader.set_basedir(str(tmp_path))
    plugin = lookup_loader.get(
        "mlkeys.transit.vault_transit_vars", loader=loader, templar=Templar(loader=loader, variables={})
    )

    def run(*terms: object, **options: object) -> list[Any]:
        result: list[Any] = plugin.run([str(term) for term in terms], {}, **{**bao.login, **options})
        return result

    return run


def test_a_file_is_decrypted_with_one_request(bao: Bao, file: Path, lookup: Lookup) -> None:
    ledger = Ledger(bao)
    assert lookup(file) == [SECRETS]
    assert asked(ledger) == {"decrypt": 1}
    # Beside the playbook.
    assert lookup(file.name) == [SECRETS]


def test_only_the_named_secrets_are_asked_for(bao: Bao, file: Path, lookup: Lookup) -> None:
    ledger = Ledger(bao)
    assert lookup(file, names=["other", "openai"]) == [{name: SECRETS[name] for name in ("other", "openai")}]
    (request,) = [entry for entry in ledger.entries if entry["path"].endswith("/decrypt/ml")]
    assert len(request["data"]["batch_input"]) == 2


def test_nothing_is_returned_if_something_is_wrong(bao: Bao, file: Path, lookup: Lookup) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    with pytest.raises(AnsibleError, match=r"has no secret opnai\. Did you mean 'openai'"):
        lookup(file, names=["opnai"])
    with pytest.raises(AnsibleError, match=r"gone\.transit\.yml does not exist"):
        lookup("gone.transit.yml")
    file.write_text(json.dumps({**content, "other": content["openai"]}), encoding="utf-8")
    with pytest.raises(AnsibleError, match=r"keys\.transit\.yml: other: it does not decrypt") as failure:
        lookup(file)
    assert SECRETS["openai"] not in str(failure.value)
    assert printed_with(failure.value) == []
    file.write_text(json.dumps({**content, "plain": "sk-in-the-clear"}), encoding="utf-8")
    with pytest.raises(AnsibleError, match="plain is not ciphertext") as failure:
        lookup(file)
    assert "sk-in-the-clear" not in str(failure.value)
