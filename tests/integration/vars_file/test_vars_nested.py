# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_vars with nested data against a real server: each leaf is a secret of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import KEPT, VarsFile, actions
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

KEY = "derived"
DATA: dict[str, Any] = {
    "providers": {
        "openai": {
            "api_key": "sk-first-secret",
            "retries": 3,
            "timeout": 2.5,
            "beta": True,
            "open.ai": "sk-dot-secret",
        },
        "keys": ["sk-one-secret", {"name": "sk-two-secret"}],
        "limits": {},
    },
    "hf_token": "hf_third-secret",
}


def at(data: Any, *parts: str | int) -> Any:
    for part in parts:
        data = data[part]
    return data


def opened(file: VarsFile, path: str, *parts: str | int) -> str:
    return file.decrypt(path, at(file.variables(), *parts), KEY)


@pytest.fixture(params=["keys.transit.yml", "keys.transit.json"])
def nested_file(bao: Bao, mount: str, tmp_path: Path, request: pytest.FixtureRequest) -> VarsFile:
    file = VarsFile(bao, mount, tmp_path / request.param)
    file.make_key(KEY, derived=True)
    return file


def test_each_leaf_is_encrypted_for_its_path(nested_file: VarsFile) -> None:
    file = nested_file
    ledger = Ledger(file.bao)
    done = file.run(DATA, key=KEY)
    assert not done.failed, done
    assert sorted(file.requests(ledger)) == ["encrypt", "hmac"]
    assert set(actions(done)) == {
        *("hf_token", "providers.keys.0", "providers.keys.1.name", "providers.limits", "providers.openai.api_key"),
        *(
            "providers.openai.beta",
            "providers.openai.open%2Eai",
            "providers.openai.retries",
            "providers.openai.timeout",
        ),
    }
    assert file.variables()["_transit"]["format"] == 2
    assert opened(file, "providers.openai.api_key", "providers", "openai", "api_key") == "sk-first-secret"
    assert opened(file, "providers.keys.1.name", "providers", "keys", 1, "name") == "sk-two-secret"
    assert opened(file, "providers.openai.open%2Eai", "providers", "openai", "open.ai") == "sk-dot-secret"
    assert opened(file, "providers.openai.beta", "providers", "openai", "beta") == "true"

    again = file.run(DATA, key=KEY)
    assert not again.changed, again
    changed = {**DATA, "providers": {**DATA["providers"], "openai": {**DATA["providers"]["openai"], "retries": "3"}}}
    done = file.converge(changed, key=KEY)
    found = actions(done)
    assert found.pop("providers.openai.retries") == ("updated", "the value changed")
    assert set(found.values()) == {KEPT}


def test_what_is_not_given_stays_and_a_given_list_is_the_whole(nested_file: VarsFile) -> None:
    file = nested_file
    file.run(DATA, key=KEY)
    done = file.converge({"providers": {"openai": None, "keys": ["", "sk-three-secret"], "limits": "none"}}, key=KEY)
    found = {name: change for name, change in actions(done).items() if change[0] != "kept"}
    assert found == {
        "providers.keys.1": ("added", "new"),
        "providers.keys.1.name": ("removed", "replaced"),
        "providers.limits": ("updated", "the value changed"),
    }
    assert opened(file, "providers.openai.api_key", "providers", "openai", "api_key") == "sk-first-secret"
    done = file.converge({"providers": {"keys": [""]}}, key=KEY)
    assert actions(done)["providers.keys.1"] == ("removed", "not in the list")
    done = file.converge({"providers.openai.api_key": "sk-path-secret"}, key=KEY)
    assert actions(done)["providers.openai.api_key"] == ("updated", "the value changed")
    assert opened(file, "providers.openai.api_key", "providers", "openai", "api_key") == "sk-path-secret"
    done = file.converge({"providers": {"openai": {"api_key": ""}}}, key=KEY, purge=True, keep=["hf_token"])
    assert {name for name, change in actions(done).items() if change[0] == "kept"} == {
        *("hf_token", "providers.openai.api_key"),
    }
    assert file.variables().keys() == {"hf_token", "providers", "_transit"}


def test_nested_secrets_do_not_change_the_format_of_a_file(bao: Bao, mount: str, tmp_path: Path) -> None:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key(KEY, derived=True)
    file.run({"a": "sk-flat-secret"}, key=KEY)
    assert "mlkeys upgrade" in file.refused({"b": {"c": "sk-nested-secret"}}, key=KEY)
    text = file.text().replace("format: 1", "format: 2")
    file.path.write_text(text, encoding="utf-8")
    file.converge({"b": {"c": "sk-nested-secret"}, "n": 5}, key=KEY)
    assert opened(file, "a", "a") == "sk-flat-secret"
    assert yaml.safe_load(file.text())["_transit"]["format"] == 2
