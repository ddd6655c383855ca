# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of an entry of `vault_transit_keys` are those of the schema, of the documentation and of one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.key import KEY_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.modules import vault_transit_keys

from tests.support.collection import ROOT


class _Specified(Exception):
    """Ends the module when it declares its options."""


def specified_entry() -> dict[str, Any]:
    made = mock.Mock(side_effect=_Specified)
    with mock.patch.object(vault_transit_keys, "Module", made), pytest.raises(_Specified):
        vault_transit_keys.main()
    options: dict[str, Any] = made.call_args.kwargs["argument_spec"]["keys"]["options"]
    return options


def documented(module: str) -> dict[str, Any]:
    path = str(ROOT / f"plugins/modules/{module}.py")
    doc = get_docstring(path, fragment_loader, collection_name="mlkeys.transit", plugin_type="module")[0]
    options: dict[str, Any] = doc["options"]
    return options


def facts(option: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": option.get("type", "str"),
        "default": option.get("default"),
        "required": option.get("required", False),
        "choices": sorted(option.get("choices", [])),
        "aliases": sorted(option.get("aliases", [])),
    }


def test_an_entry_takes_what_is_documented_and_what_the_schema_knows() -> None:
    spec = specified_entry()
    documentation = documented("vault_transit_keys")["keys"]["suboptions"]

    assert {name: facts(option) for name, option in spec.items()} == {
        name: facts(option) for name, option in documentation.items()
    }
    own = {"name", "backend", "state", "force", "rotate_older_than", "min_available_version", "soft_deleted", "import"}
    assert set(spec) - own == {attribute.name for attribute in KEY_ATTRIBUTES}


def test_an_entry_is_documented_as_the_single_key_is() -> None:
    many, one = documented("vault_transit_keys"), documented("vault_transit_key")
    entry = many["keys"]["suboptions"]

    assert set(entry) == {name for name in one if name == "backend" or name not in many}
    for name in set(entry) - {"backend"}:
        assert facts(entry[name]) == facts(one[name]), name
        text = [line.replace("O(keys[].", "O(") for line in entry[name]["description"]]
        assert text == one[name]["description"], name
    # Every cross-reference leads to an option of the same entry, but for the default engine.
    references = [line for option in entry.values() for line in option["description"] if "O(" in line]
    assert [line for line in references if "O(keys[]." not in line] == [
        "Where this key's engine is mounted. The default is O(backend)."
    ]
