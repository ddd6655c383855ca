# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation matches the code: options, defaults, variables, attributes, action group, return values."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.mlkeys.transit.plugins.doc_fragments import _attributes, _auth, _connection, _key
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._logins.options import Option
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import OPTIONS
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.attribute import (
    AT_CREATION,
    ON_ONLY,
    Attribute,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend_plan import mount_state
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.key_plan import key_state

from tests.support.collection import ROOT

MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
LOOKUPS = sorted(path.stem for path in (ROOT / "plugins/lookup").glob("*.py"))

Doc = dict[str, Any]

# The line above the one of dashes. A heading without a word has nothing that a screen reader can say.
_HEAD_OF_TABLE = re.compile(r"^\|(.+)\|\n\|[ :|-]+\|$", re.MULTILINE)


def documented(kind: str, name: str) -> tuple[Doc, list[Doc], Doc]:
    """Documentation with its fragments, examples and return values, as Ansible reads them."""
    folder = "modules" if kind == "module" else kind
    path = ROOT / "plugins" / folder / f"{name}.py"
    doc, examples, returns, _metadata = get_docstring(
        str(path), fragment_loader, collection_name="mlkeys.transit", plugin_type=kind
    )
    return doc, yaml.safe_load(examples), returns


class _Specified(Exception):
    """Carries what a module gave to AnsibleModule."""

    def __init__(self, arguments: Doc) -> None:
        super().__init__()
        self.arguments = arguments


def specified(name: str, monkeypatch: pytest.MonkeyPatch) -> Doc:
    module = importlib.import_module(f"ansible_collections.mlkeys.transit.plugins.modules.{name}")

    def record(**arguments: Any) -> None:
        raise _Specified(arguments)

    monkeypatch.setattr(module, "Module", record)
    with pytest.raises(_Specified) as caught:
        module.main()
    return caught.value.arguments


def text(option: Doc) -> str:
    description = option["description"]
    return description if isinstance(description, str) else " ".join(description)


@pytest.mark.parametrize("name", MODULES)
def test_the_documented_options_are_the_modules_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = specified(name, monkeypatch)
    spec = arguments["argument_spec"]
    if arguments.get("add_file_common_args"):
        spec = {**FILE_COMMON_ARGUMENTS, **spec}
    options = documented("module", name)[0]["options"]
    assert set(options) == set(spec)
    for option, facts in options.items():
        for fact, absent in (("type", "str"), ("default", None), ("elements", None), ("required", False)):
            assert facts.get(fact, absent) == spec[option].get(fact, absent), (option, fact)
        assert sorted(facts.get("choices", [])) == sorted(spec[option].get("choices", [])), option
        assert sorted(facts.get("aliases", [])) == sorted(spec[option].get("aliases", [])), option


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_check_mode_and_hides_secrets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = specified(name, monkeypatch)
    assert arguments["supports_check_mode"] is True
    secret = {option.name for option in OPTIONS if option.secret}
    assert secret == {
        *("token", "password", "secret_id", "jwt", "aws_secret_key", "aws_security_token", "azure_client_secret"),
        "client_key_bytes",
    }
    for option in secret | ({"secrets"} & set(arguments["argument_spec"])):
        assert arguments["argument_spec"][option]["no_log"] is True, option


@pytest.mark.parametrize("name", MODULES)
def test_the_action_group_has_every_module(name: str) -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    assert name in runtime["action_groups"]["vault"]
    attributes = documented("module", name)[0]["attributes"]
    assert attributes["action_group"]["membership"] == ["mlkeys.transit.vault"]
    assert {"check_mode", "diff_mode", "idempotent", "action_group"} <= set(attributes)
    assert all("support" in attribute for attribute in attributes.values())


def test_the_action_group_has_nothing_else() -> None:
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    members = [member for member in runtime["action_groups"]["vault"] if isinstance(member, str)]
    assert members == MODULES


@pytest.mark.parametrize(("kind", "name"), [*(("module", n) for n in MODULES), *(("lookup", n) for n in LOOKUPS)])
def test_there_are_examples_and_samples(kind: str, name: str) -> None:
    doc, examples, returns = documented(kind, name)
    assert doc["version_added"]
    assert doc["short_description"]
    assert doc["author"] == ["mlkeys contributors (@mlkeys)"]
    assert examples
    assert all(task["name"][0].isupper() for task in examples)
    assert f"mlkeys.transit.{name}" in str(examples)
    for value, facts in returns.items():
        assert facts.get("sample"), value
        assert facts["description"], value
        assert facts["type"], value


@pytest.mark.parametrize("name", MODULES)
def test_no_return_value_has_a_name_by_which_ansible_knows_what_became_of_a_task(name: str) -> None:
    _doc, _examples, returns = documented("module", name)
    assert not {"skipped", "failed", "unreachable", "skip_reason"} & returns.keys()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: str(option.name))
def test_a_connection_option_names_its_variables(option: Option) -> None:
    fragments: Doc = {}
    for fragment in (_auth, _connection):
        fragments.update(yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"])
    description = text(fragments[option.name])
    for variable in option.all_environment:
        assert f"E({variable})" in description, variable
    named = {part.partition(")")[0] for part in description.split("E(")[1:]}
    assert named == set(option.all_environment)


def test_the_fragments_hold_the_connection_options_and_no_others() -> None:
    for part in ("DOCUMENTATION", "PLUGINS"):
        names: list[str] = []
        for fragment in (_connection, _auth):
            names += yaml.safe_load(getattr(fragment.ModuleDocFragment, part))["options"]
        assert sorted(names) == sorted(option.name for option in OPTIONS)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: str(option.name))
def test_plugins_read_the_sources_that_users_of_hashi_vault_know(option: Option) -> None:
    sources: Doc = {}
    for fragment in (_connection, _auth):
        sources.update(yaml.safe_load(fragment.ModuleDocFragment.PLUGINS)["options"])
    facts = sources[option.name]
    # BAO_* and VAULT_* rank below everything that Ansible knows: the settings read them.
    assert [source["name"] for source in facts.get("env", [])] == list(option.environment)
    variables = [source["name"] for source in facts["vars"]]
    assert variables[0] == f"ansible_hashi_vault_{option.name}"
    assert variables[1:] == (["ansible_hashi_vault_addr"] if option.name == "url" else [])
    # Credentials do not belong in an ini file.
    credential = option.secret or option.name in ("username", "aws_access_key")
    ini = [("hashi_vault_collection", option.name)] if option.in_configuration else []
    assert option.in_configuration is not (credential or option.name == "validate_certs")
    assert [(source["section"], source["key"]) for source in facts.get("ini", [])] == ini


def test_the_guide_names_the_options_without_a_key_of_ansible_cfg() -> None:
    without = set()
    for fragment in (_connection, _auth):
        options = yaml.safe_load(fragment.ModuleDocFragment.PLUGINS)["options"]
        without |= {name for name, facts in options.items() if not facts.get("ini")}
    guide = (ROOT / "docs/guides/connecting.md").read_text(encoding="utf-8")
    sentence = guide.partition("there is none for secrets")[2].partition("\n\n")[0]
    assert set(sentence.split("`")[1::2]) == without


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_lookup_takes_every_connection_option(name: str) -> None:
    options = documented("lookup", name)[0]["options"]
    for option in OPTIONS:
        facts = options[option.name]
        assert facts.get("default") == option.default, option.name
        assert sorted(facts.get("choices", [])) == sorted(option.choices), option.name
        assert facts["type"] == option.kind, option.name
        assert facts.get("vars"), option.name


KINDS = {"duration": "str", "list": "list", "dict": "dict", "str": "str", "int": "int", "bool": "bool"}


def check_attribute(attribute: Attribute, facts: Doc) -> None:
    assert facts["type"] == KINDS[attribute.kind]
    assert "default" not in facts, "unset options are left unchanged"
    fixed = "can only be set when" in text(facts) or "cannot be changed" in text(facts)
    assert fixed is (attribute.change == AT_CREATION)
    assert ("never off again" in text(facts)) is (attribute.change == ON_ONLY)
    for product in ("OpenBao", "Vault"):
        assert (f"{product} only" in text(facts)) is (attribute.server == product)


@pytest.mark.parametrize("attribute", KEY_ATTRIBUTES, ids=lambda attribute: str(attribute.name))
def test_a_keys_attribute_is_documented_with_its_rule(attribute: Attribute) -> None:
    check_attribute(attribute, yaml.safe_load(_key.ModuleDocFragment.DOCUMENTATION)["options"][attribute.name])


def test_the_key_fragment_holds_the_attributes_in_their_order() -> None:
    options = yaml.safe_load(_key.ModuleDocFragment.DOCUMENTATION)["options"]
    attributes = [attribute.name for attribute in KEY_ATTRIBUTES]
    assert [name for name in options if name in attributes] == attributes


@pytest.mark.parametrize("attribute", MOUNT_ATTRIBUTES, ids=lambda attribute: str(attribute.name))
def test_a_mounts_attribute_is_documented_with_its_rule(attribute: Attribute) -> None:
    check_attribute(attribute, documented("module", "vault_transit_backend")[0]["options"][attribute.name])


KEY_AS_SHOWN = {"name": "ml-api-key", "latest_version": 1}


def test_the_samples_have_the_keys_that_are_returned() -> None:
    key = documented("module", "vault_transit_key")[2]["key"]["sample"]
    assert set(key) == set(key_state(KEY_AS_SHOWN))
    backend = documented("module", "vault_transit_backend")[2]["backend"]["sample"]
    assert set(backend) == {"path", "disable_upsert", *mount_state({})}
    [info] = documented("module", "vault_transit_key_info")[2]["transit_keys"]["sample"]
    assert set(key_state(KEY_AS_SHOWN)) < set(info)


def test_fragments_are_private() -> None:
    folder = ROOT / "plugins/doc_fragments"
    assert all(path.stem.startswith("_") for path in Path(folder).glob("*.py"))
    assert "**Private**" in (_attributes.__doc__ or "")


@pytest.mark.parametrize("file", ["__init__.py", "transit.py", "testing.py", "runtime/__init__.py"])
def test_samples_of_the_package_fit_into_their_page(file: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / "src" / "mlkeys" / file).read_text(encoding="utf-8"))) or ""
    # The page of the package shows this many characters on a phone of 390 pixels.
    assert [line for line in text.splitlines() if line.startswith("    ") and len(line) - 4 > 43] == []


def test_each_column_of_a_table_has_a_heading() -> None:
    pages = {path: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]}
    heads = [(path.name, head) for path, text in pages.items() for head in _HEAD_OF_TABLE.findall(text)]
    assert len(heads) > 5
    assert [one for one in heads if not all(cell.strip() for cell in one[1].split("|"))] == []
