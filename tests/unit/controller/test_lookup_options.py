# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of lookups: Ansible passes on those that do not exist."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import refuse_unknown

SECRET = "sk-planted-value"
LOOKUPS = ("vault_transit", "vault_transit_vars", "vars_files")


def loaded(name: str) -> Any:
    loader = DataLoader()
    return lookup_loader.get(f"mlkeys.transit.{name}", loader=loader, templar=Templar(loader=loader, variables={}))


@pytest.mark.parametrize("name", LOOKUPS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tokn": SECRET}, "does not have the option 'tokn'. Did you mean 'token'?"),
        ({"Url": SECRET}, "does not have the option 'Url'. Did you mean 'url'?"),
        ({"_terms": SECRET}, "does not have the option '_terms'."),
        ({"tokn": 1, "zzzzzz\x1b": 2}, "does not have the options 'tokn' and 'zzzzzz"),
    ],
)
def test_an_option_that_a_lookup_does_not_have_is_refused(name: str, given: dict[str, object], said: str) -> None:
    with pytest.raises(AnsibleError) as refused:
        loaded(name).run(["x"], {}, **given)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("asociated_data", "associated_data"), ("prehased", "prehashed"), ("keyversion", "key_version")],
)
def test_the_option_that_is_meant_is_named(given: str, meant: str) -> None:
    with pytest.raises(AnsibleError, match=f"Did you mean '{meant}'"):
        loaded("vault_transit").run(["x"], {}, **{given: "db"})


@pytest.mark.parametrize("name", LOOKUPS)
def test_aliases_and_the_options_of_ansible_are_known(name: str) -> None:
    lookup = loaded(name)
    more = ["engine_mount_point", "algorithm"] if name == "vault_transit" else []
    given = ["url", "cacert", "wantlist", "errors", "allow_unsafe", *more]
    refuse_unknown(str(lookup._load_name), given)


@pytest.mark.parametrize("name", LOOKUPS)
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ANSIBLE_HASHI_VAULT_AUTH_METHOD", "app-role", "'app-role', but must be one of token,"),
        ("ANSIBLE_HASHI_VAULT_RETRY_ACTION", "wan", "'wan', but must be one of ignore, warn. Did you mean 'warn'?"),
    ],
)
def test_a_variable_that_is_misspelt_is_one_sentence(
    name: str, variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    option = variable.removeprefix("ANSIBLE_HASHI_VAULT_").lower()
    with pytest.raises(AnsibleError) as refused:
        loaded(name).run(["x"], {})
    assert str(refused.value).startswith(f"{option} ({variable}) is {said}")
    assert str(refused.value).endswith(f" Did you mean '{'approle' if value == 'app-role' else 'warn'}'?")


def test_an_option_that_is_misspelt_names_no_source() -> None:
    with pytest.raises(AnsibleError, match=r"^auth_method is 'k8s', but must be one of token, "):
        loaded("vault_transit").run(["x"], {}, auth_method="k8s")
