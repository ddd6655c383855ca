# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of lookups: Ansible passes on those that do not exist. What hosts get of the controller's connection."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import yaml
from ansible import template
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.options import refuse_unknown

from tests.support.collection import ROOT
from tests.support.lookups import lookup_plugin

SECRET = "sk-planted-value"
LOOKUPS = ("connection", "vault_transit", "vault_transit_vars", "vars_files")


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
        lookup_plugin(name).run(["x"], {}, **given)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("asociated_data", "associated_data"), ("prehased", "prehashed"), ("keyversion", "key_version")],
)
def test_the_option_that_is_meant_is_named(given: str, meant: str) -> None:
    with pytest.raises(AnsibleError, match=f"Did you mean '{meant}'"):
        lookup_plugin("vault_transit").run(["x"], {}, **{given: "db"})


@pytest.mark.parametrize("name", LOOKUPS)
def test_aliases_and_the_options_of_ansible_are_known(name: str) -> None:
    lookup = lookup_plugin(name)
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
        lookup_plugin(name).run(["x"], {})
    assert str(refused.value).startswith(f"{option} ({variable}) is {said}")
    assert str(refused.value).endswith(f" Did you mean '{'approle' if value == 'app-role' else 'warn'}'?")


@pytest.mark.parametrize("name", LOOKUPS)
def test_all_variables_with_bad_values_are_named_at_once(name: str) -> None:
    given = {"timeout": "abc", "auth_method": "app-role", "retries": "-1", "token_revoke": "maybe"}
    with pytest.raises(AnsibleError) as refused:
        lookup_plugin(name).run(["x"], {f"ansible_hashi_vault_{option}": value for option, value in given.items()})
    for option, value in given.items():
        assert f"{option} (ansible_hashi_vault_{option}) is '{value}', but must be " in str(refused.value)


def test_an_option_that_is_misspelt_names_no_source() -> None:
    with pytest.raises(AnsibleError, match=r"^auth_method is 'k8s', but must be one of token, "):
        lookup_plugin("vault_transit").run(["x"], {}, auth_method="k8s")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith(("BAO_", "VAULT_", "ANSIBLE_HASHI_VAULT_"))]:
        monkeypatch.delenv(name)
    return monkeypatch


ADDRESS = "https://vault.test:8200"
ORG = {"namespace": "org"}

_trusted: Callable[[str], str] = getattr(template, "trust_as_template", str)


def for_hosts(variables: dict[str, object]) -> tuple[str, str]:
    """The address and the namespace that hosts get by the defaults of their role."""
    file = ROOT / "roles/vault_transit_host/defaults/main.yml"
    defaults = yaml.safe_load(file.read_text(encoding="utf-8"))
    names = ("url", "namespace", "connection", "controller")
    own = {name: _trusted(defaults[name]) for name in (f"vault_transit_host_{one}" for one in names)}
    templar = Templar(loader=DataLoader(), variables={"hostvars": {}, **own, **variables})
    return templar.template(own["vault_transit_host_url"]), templar.template(own["vault_transit_host_namespace"])


@pytest.mark.parametrize(
    ("variables", "given", "expected"),
    [
        ({}, {}, ("", "")),
        ({}, {"BAO_ADDR": ADDRESS, "BAO_NAMESPACE": "org/team/"}, (ADDRESS, "org/team")),
        ({}, {"VAULT_ADDR": ADDRESS, "VAULT_NAMESPACE": "org"}, (ADDRESS, "org")),
        ({}, {"ANSIBLE_HASHI_VAULT_NAMESPACE": "org", "BAO_NAMESPACE": "x"}, ("", "org")),
        ({"ansible_hashi_vault_namespace": "own"}, {"ANSIBLE_HASHI_VAULT_NAMESPACE": "org"}, ("", "own")),
        (
            {"vault_transit_host_connection": {"namespace": "first"}, "ansible_hashi_vault_namespace": "own"},
            {"BAO_NAMESPACE": "org"},
            ("", "first"),
        ),
        # Where the guides put what the role vault_transit uses.
        ({"hostvars": {"localhost": {"vault_transit_connection": ORG}}}, {"BAO_NAMESPACE": "x"}, ("", "org")),
        (
            {
                "hostvars": {"ctl": {"vault_transit_connection": ORG}, "localhost": {}},
                "vault_transit_controller": "ctl",
            },
            {},
            ("", "org"),
        ),
        (
            {"hostvars": {"localhost": {"vault_transit_connection": {}}}, "vault_transit_connection": ORG},
            {},
            ("", "org"),
        ),
        # Other machines have no agent of the controller's, and do not choose between addresses.
        ({}, {"BAO_AGENT_ADDR": "http://127.0.0.1:8100", "BAO_ADDR": ADDRESS}, (ADDRESS, "")),
        ({}, {"BAO_ADDR": "unix:///run/bao.sock"}, ("", "")),
        ({}, {"BAO_ADDR": f"{ADDRESS},https://b.test"}, ("", "")),
    ],
)
def test_hosts_get_the_address_and_the_namespace_that_lookups_use(
    environment: pytest.MonkeyPatch,
    variables: dict[str, object],
    given: dict[str, str],
    expected: tuple[str, str],
) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    assert for_hosts(variables) == expected


def test_a_setting_that_hosts_do_not_share_is_refused() -> None:
    message = r"connection: the term 'token' must be one of: url, namespace, ca_cert_bytes\."
    with pytest.raises(AnsibleError, match=message):
        lookup_plugin("connection").run(["token"], {})
