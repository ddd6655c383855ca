# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable that does not decrypt is undefined wherever it is read, on every ansible-core."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import template as ansible_template
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import marked, undefined

HINT = "token: keys.transit.yml: it does not decrypt"
IS_NEW = hasattr(ansible_template, "trust_as_template")


def trusted(text: str) -> Any:
    return marked(text, template=True)


def templar() -> Templar:
    """What a play has: a secret that does not decrypt, alone, in data, and in the template of another variable."""
    variables: dict[str, Any] = {
        "token": undefined(HINT),
        "data": {"token": undefined(HINT), "good": "G"},
        "dsn": trusted("postgres://u:{{ token }}@db"),
    }
    inventory: Any = SimpleNamespace(get_host=str)
    manager: Any = SimpleNamespace(get_vars=lambda **_host: variables)
    hostvars = HostVars(inventory, manager, DataLoader())
    return Templar(DataLoader(), variables={**variables, "vars": variables, "hostvars": hostvars})


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "token",
            "hostvars.h.token",
            "vars.token",
            "lookup('vars', 'token')",
            "['h'] | map('extract', hostvars, 'token')",
        ),
        *("data.token", "hostvars.h.data.token", "vars.data.token", "data", "hostvars.h.data"),
        *("dsn", "hostvars.h.dsn"),
        *(
            "'a' ~ hostvars.h.token",
            "hostvars.h.token | string",
            "hostvars.h.token | b64encode",
            "hostvars.h.token == 'x'",
        ),
        *("{'a': hostvars.h.token} | to_json", "{'a': hostvars.h.token} | to_yaml", "[hostvars.h.token]"),
        *("hostvars.h.token | mlkeys.transit.quoted('dotenv')", "{'A': vars.token} | mlkeys.transit.shaped('dotenv')"),
    ],
)
def test_what_uses_it_fails_with_its_hint(expression: str) -> None:
    with pytest.raises(AnsibleError, match="it does not decrypt"):
        templar().template(trusted("KEY={{ " + expression + " }}"))


@pytest.mark.parametrize(
    "expression", ["token", "hostvars.h.token", "vars.token", "data.token", "hostvars.h.data.token"]
)
def test_it_is_not_defined(expression: str) -> None:
    assert templar().template(trusted("{{ " + expression + " is defined }}")) is False
    assert templar().template(trusted("{{ " + expression + " | default('other') }}")) == "other"


def test_what_is_beside_it_is_defined() -> None:
    assert templar().template(trusted("{{ data.good }}{{ hostvars.h.data.good }}")) == "GG"


if not IS_NEW:
    # From 2.19 on it is a template, and Ansible evaluates it in each process.

    def test_it_is_the_same_in_another_process() -> None:
        one = undefined(HINT)
        assert copy.deepcopy({"all": one})["all"] is one
        for other in (one, pickle.loads(pickle.dumps(one))):  # noqa: S301  ours
            for use in (str, repr, bool, list):
                with pytest.raises(AnsibleError, match=HINT):
                    use(other)
