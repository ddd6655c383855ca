# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The page about controllers has configurations for programs that do not run here: they fit the collection."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS, settings_from
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.docs.blocks import File, blocks_of
from tests.support.collection import ROOT

FILES = {
    block.path: yaml.safe_load(block.content)
    for block in blocks_of(ROOT / "docs/guides/controllers.md")
    if isinstance(block, File) and block.path.endswith(".yml")
}
INPUTS, INJECTORS = FILES["credential-type-inputs.yml"], FILES["credential-type-injectors.yml"]


# The variable of each option, as the lookup documents it.
VARIABLES = {f"ansible_hashi_vault_{option.name}": option for option in OPTIONS}


def injected(**values: str) -> dict[str, str]:
    """The options of a job, as AWX renders their variables (`inject_credential`).

    A field that is not filled in is not defined there, so its name must be none that Jinja itself defines.
    """
    given = {name: value for name, value in values.items() if value}
    environment = ImmutableSandboxedEnvironment()
    rendered = {name: environment.from_string(text).render(given) for name, text in INJECTORS["extra_vars"].items()}
    return {VARIABLES[name].name: text for name, text in rendered.items()}


def test_fields_of_the_credential_type_are_as_awx_takes_them() -> None:
    ids = [field["id"] for field in INPUTS["fields"]]
    assert len(set(ids)) == len(ids)
    assert set(INPUTS) == {"fields", "required"}
    assert set(INPUTS["required"]) <= set(ids)
    for field in INPUTS["fields"]:
        assert set(field) <= {"id", "type", "label", "secret", "multiline", "help_text", "choices", "default"}
        assert field["type"] in ("string", "boolean")
    # What is secret in an option is secret in its field.
    secret = {option.name for option in OPTIONS if option.secret}
    assert {field["id"] for field in INPUTS["fields"] if field.get("secret")} == secret & set(ids)


def test_each_field_is_injected_into_a_variable_that_the_collection_reads() -> None:
    assert set(INJECTORS) == {"extra_vars"}
    assert set(INJECTORS["extra_vars"]) <= set(VARIABLES)
    used = set(re.findall(r"\{\{ (\w+) \}\}", " ".join(INJECTORS["extra_vars"].values())))
    assert used == {field["id"] for field in INPUTS["fields"]}


def test_awx_accepts_the_variables() -> None:
    # AWX itself refuses and ignores these in an environment (validate_env_var_allowed).
    assert not [name for name in INJECTORS.get("env", {}) if name.startswith("ANSIBLE_")]
    # Its pattern for names of extra_vars.
    assert all(re.fullmatch(r"[a-zA-Z_{}]+[a-zA-Z0-9_{}]*", name) for name in INJECTORS["extra_vars"])


@pytest.mark.parametrize("namespace", ["", "org/team-a"])
def test_a_job_gets_settings_that_connect(namespace: str) -> None:
    given = {"url": "https://v.test", "role_id": "r", "secret_id": "s", "server_namespace": namespace}
    settings = settings_from(injected(**given), {})
    assert settings.connection.url == "https://v.test"
    assert settings.connection.namespace == namespace
    # An empty field is not the root namespace, nor an empty list of authorities.
    assert settings.connection.auth_namespace is None
    assert (settings.connection.verify, settings.connection.ca_data) == (True, "")
    assert (settings.auth.method, settings.auth.role_id, settings.auth.secret_id) == ("approle", "r", "s")


def test_an_execution_environment_is_of_the_version_that_the_collection_declares_itself_for() -> None:
    definition: dict[str, Any] = FILES["execution-environment.yml"]
    ours = yaml.safe_load((ROOT / "meta/execution-environment.yml").read_text(encoding="utf-8"))
    assert definition["version"] == ours["version"]
    assert [one["name"] for one in definition["dependencies"]["galaxy"]["collections"]] == ["mlkeys.transit"]
    oldest = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    assert oldest.startswith(definition["dependencies"]["ansible_core"]["package_pip"].removeprefix("ansible-core"))
