# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A value of a wrong type is a problem of its construct, and not an error of this package at synthesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mlkeys import AnsibleTask, App, EncryptedVars, HostConfig, Inventory, Secret, Stack, TerraformBlock
from mlkeys import transit as vault
from mlkeys._errors import AppInvalid
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import app_of, key_in, problems, stack
from tests.cdk.model.test_literals import CONSTRUCTS, FORMS, in_constructor, methods
from tests.cdk.model.test_shared_schema import keywords_of

SECRET = Secret.env("A")


def construct(s: Stack) -> object:
    return vault.Policy(s, "other").allow("other", "read")


def ciphertext(s: Stack) -> object:
    return key_in(s, "third").encrypt(Secret.env("THIRD"))


#: Values that one keyword or another cannot take.
VALUES: dict[str, Callable[[Stack], object]] = {
    "number": lambda _: 5,
    "none": lambda _: None,
    "flag": lambda _: True,
    "float": lambda _: 1.5,
    "bytes": lambda _: b"x",
    "text": lambda _: "text",
    "nothing": lambda _: "",
    "object": lambda _: object(),
    "numbers": lambda _: [1],
    "objects": lambda _: [object()],
    "set": lambda _: {"a"},
    "mapping": lambda _: {"a": "b"},
    "mapping of objects": lambda _: {"a": [{"b": object()}]},
    "mapping of numbers": lambda _: {1: "a"},
    "secret": lambda _: SECRET,
    "secrets": lambda _: [SECRET],
    "mapping of secrets": lambda _: {"a": [{"b": SECRET}]},
    "construct": construct,
    "constructs": lambda s: [construct(s)],
    "ciphertext": ciphertext,
    "mapping of ciphertexts": lambda s: {"a": ciphertext(s)},
}

Plant = Callable[[Stack], object]


def places(value: Plant, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Plant]:
    """Return what gives the value to each keyword and argument."""

    def in_keyword(name: str, keyword: str) -> Plant:
        def plant(s: Stack) -> object:
            monkeypatch.setitem(FORMS, "wrong", value(s))
            return in_constructor(name, keyword, "wrong")(s)

        return plant

    found = {
        f"{name} {keyword}": in_keyword(name, keyword)
        for name, kind in CONSTRUCTS.items()
        for keyword in sorted(keywords_of(kind))
    }
    return found | {name: (lambda s, plant=plant: plant(s, value(s))) for name, plant in methods()}


def failure(plant: Plant) -> str | None:
    """Return the error with which synthesis fails, None when it ends well or says what is wrong and where."""
    s = stack("s")
    vault.TransitSecretBackend(s, "engine", path="other")
    try:
        plant(s)
    except Exception:  # noqa: BLE001  whatever Python raises in the line of the program itself names that line
        return None
    try:
        synthesize(app_of(s), sources={"a.j2": ""})
    except AppInvalid:
        return None
    except Exception as mistake:  # noqa: BLE001  the test is about which there are
        return f"{type(mistake).__name__}: {mistake}"
    return None


@pytest.mark.parametrize("name", VALUES)
def test_synthesis_says_what_is_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = {place: failure(plant) for place, plant in places(VALUES[name], monkeypatch).items()}
    assert not {place: found for place, found in failures.items() if found}


def in_task(s: Stack, value: Any) -> None:
    AnsibleTask(s, "c", task={"ansible.builtin.debug": {"msg": value}})


def in_block(s: Stack, value: Any) -> None:
    TerraformBlock(s, "c", block={"locals": {"a": [value]}})


def in_variables(s: Stack, value: Any) -> None:
    Inventory(s, "c").group("web", {"h": {"a": value}})


def in_override(s: Stack, value: Any) -> None:
    key_in(s, "c").add_override("description", value)


def in_file(s: Stack, value: Any) -> None:
    HostConfig(s, "c", hosts=Inventory(s, "i").group("web", ["h"]), dest="/etc/x", env={"A": value})


@pytest.mark.parametrize("plant", [in_task, in_block, in_variables, in_override, in_file])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda _: SECRET, "holds Secret.env('A')"),
        (construct, "holds <Policy s/other>: use its .name"),
    ],
    ids=["secret", "construct"],
)
def test_no_construct_stands_in_data(plant: Callable[[Stack, Any], None], value: Plant, message: str) -> None:
    s = stack("s")
    plant(s, value(s))
    line = plant.__code__.co_firstlineno + 1
    (found,) = problems(s)
    assert f"(model/test_types.py:{line})" in found
    assert message in found


def test_a_text_in_place_of_a_group_a_key_or_an_agent_is_named() -> None:
    s, wrong = stack("s"), "web"
    given: dict[str, Any] = {"hosts": wrong, "key": wrong, "agent": wrong}
    HostConfig(s, "f", dest="/etc/x", env={"A": "b"}, hosts=given["hosts"])
    EncryptedVars(s, "v", key=given["key"])
    HostConfig(s, "g", dest="/etc/y", agent=given["agent"], hosts=Inventory(s, "i").group("web", ["h"]))
    found = "\n".join(problems(s))
    assert "hosts must be a group of an inventory, or a list of groups, not 'web'" in found
    assert "key must be a key, not 'web'" in found
    assert "agent must be an Agent, not 'web'" in found


def test_targets_are_a_list() -> None:
    given: Any = "ansible"
    app = App(targets=given)
    key_in(Stack(app, "s"))
    with pytest.raises(AppInvalid, match="targets must be a list of strings, not 'ansible'"):
        synthesize(app)


def test_an_empty_list_of_targets_is_refused() -> None:
    app = App(targets=[])
    key_in(Stack(app, "s"))
    with pytest.raises(AppInvalid, match="targets is empty: leave it out for all"):
        synthesize(app)


@pytest.mark.parametrize(("names", "message"), [([], "secrets is empty"), (["a", ""], "secrets holds an empty name")])
@pytest.mark.parametrize("verb", ["encrypt", "decrypt", "rewrap"])
def test_an_empty_list_of_secrets_grants_nothing(verb: str, names: list[str], message: str) -> None:
    s = stack("s")
    getattr(key_in(s, derived=True), f"grant_{verb}")(vault.Policy(s, "p"), secrets=names)
    (found,) = problems(s)
    assert message in found


def test_an_empty_restriction_of_parameters_is_refused() -> None:
    s = stack("s")
    vault.Policy(s, "p").allow("transit/decrypt/k", "update", parameters={})
    (found,) = problems(s)
    assert "parameters is empty: leave it out to allow requests with all parameters" in found


def test_a_set_is_sorted() -> None:
    names: Any = {f"n{number}" for number in range(20)}
    s = stack("s")
    policy = vault.Policy(s, "p")
    key_in(s, derived=True).grant_decrypt(policy, secrets=names)
    alone = vault.Policy(stack("s"), "p")
    key_in(stack("s"), derived=True).grant_decrypt(alone, secrets=sorted(names))
    assert policy.rules == alone.rules


def test_what_says_which_object_it_is_stays() -> None:
    s, unset = stack("s"), {"path": None, "description": None}
    given: Any = unset
    vault.TransitSecretBackend(s, "e", path="a", description="b").configure(**given)
    (found,) = problems(s)
    assert found.endswith("path cannot be unset")


def test_none_is_the_default() -> None:
    unset: Any = {"path": None}
    s = stack("s")
    assert vault.TransitSecretBackend(s, "e", **unset).path == "transit"
    assert vault.AppRoleAuth(s, "a", **unset).path == "approle"
