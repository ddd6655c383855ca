# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""An object where a text is wanted: the message says what to use of it there, and that is accepted there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

import mlkeys
from mlkeys import (
    Agent,
    Annotations,
    AnsibleTask,
    EncryptedVars,
    HostConfig,
    Inventory,
    MlkeysError,
    Secret,
    Stack,
    Template,
    export,
)
from mlkeys import transit as vault
from mlkeys._model.not_text import NotText
from tests.cdk.apps import files, key_in, problems, stack


class App(NamedTuple):
    """One object of each kind."""

    stack: Stack
    engine: Any
    key: Any
    encrypted: Any
    decrypted: Any
    signed: Any
    verified: Any
    role: Any
    policy: Any
    auth: Any
    group: Any
    inventory: Any
    file: Any
    grant: Any
    secret: Any


def app() -> App:
    s = stack("s", targets=("ansible",))
    engine = vault.TransitSecretBackend(s, "engine", path="other")
    key = vault.TransitSecretBackendKey(s, "key", backend=engine.path, name="key", derived=True)
    encrypted = key.encrypt(Secret.env("A"))
    signing = key_in(s, "signing", type="ed25519")
    signed = signing.sign("text")
    role = vault.AppRole(s, "role")
    grant = key.grant_decrypt(role)
    policy = vault.Policy(s, "policy").allow("path", "read")
    inventory = Inventory(s, "inventory")
    return App(
        stack=s,
        engine=engine,
        key=key,
        encrypted=encrypted,
        decrypted=key.decrypt(encrypted),
        signed=signed,
        verified=signing.verify("text", signed),
        role=role,
        policy=policy,
        auth=vault.AppRoleAuth(s, "auth"),
        group=inventory.group("web", ["h"]),
        inventory=inventory,
        file=EncryptedVars(s, "file", key=key, secrets={"openai_api_key": Secret.env("B")}),
        grant=grant,
        secret=Secret.env("C"),
    )


def file_on_hosts(a: App, value: Any, **options: Any) -> None:
    HostConfig(a.stack, "c", hosts=a.group, dest="/etc/x", env={"A": value}, **options)


def agent(a: App, value: Any) -> None:
    unit = "/etc/systemd/system/x.service"
    given = Agent(["/bin/x"], {"A": value}, a.role, address="https://a")
    HostConfig(a.stack, "c", hosts=a.group, dest=unit, agent=given)


#: What gives a value to each place.
PLACES: Mapping[str, Callable[[App, Any], object]] = {
    "env": file_on_hosts,
    "plaintext": lambda a, value: file_on_hosts(a, value, delivery="plaintext"),
    "json": lambda a, value: HostConfig(a.stack, "c", hosts=a.group, dest="/etc/x", json={"a": [{"b": value}]}),
    "agent": agent,
    "variables": lambda a, value: a.inventory.group("more", {"host": {"a": value}}),
    "task": lambda a, value: AnsibleTask(a.stack, "c", task={"ansible.builtin.debug": {"msg": value}}),
    "override": lambda a, value: a.key.add_override("description", value, target="ansible"),
    "output": lambda a, value: export("output", value, scope=a.stack),
    "backend": lambda a, value: vault.TransitSecretBackendKey(a.stack, "c", backend=value, name="c"),
    "cache": lambda a, value: vault.TransitSecretCacheConfig(a.stack, "c", backend=value, size=10),
    "auth": lambda a, value: a.key.grant_encrypt(vault.AppRole(a.stack, "c", backend=value)),
    "policies": lambda a, value: vault.AppRole(a.stack, "c", token_policies=[value]),
    "secrets": lambda a, value: a.key.grant_encrypt(a.role, secrets=[value]),
    "context": lambda a, value: a.key.decrypt("vault:v1:AAAA", context=value),
    "sign": lambda a, value: a.stack.node.find("signing").sign(value),  # type: ignore[union-attr]
    "policy name": lambda a, value: vault.Policy(a.stack, "c", name=value).allow("path", "read"),
    "key": lambda a, value: EncryptedVars(a.stack, "c", key=value),
}

IN_DATA = {
    "engine": ".path",
    "key": ".name",
    "encrypted": ".ciphertext",
    "signed": ".value",
    "verified": ".valid",
    "role": ".name",
    "policy": ".name",
    "auth": ".path",
    "group": ".name",
}
NAMES = {"engine": ".path", "key": ".name", "role": ".name", "policy": ".name", "auth": ".path", "group": ".name"}

#: What to use of each object, by place. What is not here has nothing that fits there.
HINTS: Mapping[str, Mapping[str, str]] = {
    "env": IN_DATA,
    "json": IN_DATA,
    "plaintext": {name: hint for name, hint in IN_DATA.items() if name != "encrypted"} | {"decrypted": ".plaintext"},
    "agent": {},
    "variables": IN_DATA,
    "task": IN_DATA,
    "override": NAMES,
    "output": {name: hint for name, hint in IN_DATA.items() if name not in ("encrypted", "signed")},
    "backend": {"engine": ".path", "key": ".backend"},
    "cache": {"engine": ".path", "key": ".backend"},
    "auth": {"auth": ".path", "role": ".backend"},
    "policies": {"policy": ".name", "role": ".grants.name", "grant": ".policy.name"},
    "secrets": {"encrypted": ".name"},
    "context": {"encrypted": ".name"},
    "sign": IN_DATA,
    "policy name": NAMES,
    "key": {"encrypted": ".key", "decrypted": ".key", "signed": ".key", "verified": ".key", "file": ".key"},
}
_HINT = re.compile(r"use its (\.[a-z_.]+[a-z])")
_OBJECTS = [name for name in App._fields if name != "stack"]
#: What is taken as it is.
_FITS = {
    "agent": {"encrypted"}, "output": {"encrypted", "decrypted", "signed"}, "key": {"key"},
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", _OBJECTS)
def test_the_attribute_that_is_right_in_the_place_is_named(place: str, name: str) -> None:
    if name in _FITS.get(place, ()):
        return
    a = app()
    PLACES[place](a, getattr(a, name))
    found = "\n".join(problems(a.stack))
    assert [*dict.fromkeys(_HINT.findall(found))] == [hint for hint in [HINTS[place].get(name)] if hint], found
    assert found


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, hints in HINTS.items() for name in hints])
def test_what_the_message_names_is_accepted(place: str, name: str) -> None:
    a = app()
    value = getattr(a, name)
    for attribute in HINTS[place][name].lstrip(".").split("."):
        value = getattr(value, attribute)
    PLACES[place](a, value)
    others = ("dependency cycle", "is defined twice", "'other' is not", "no vars files has")
    assert [text for text in problems_or_none(a.stack) if not any(word in text for word in others)] == []


def problems_or_none(s: Stack) -> list[str]:
    try:
        files(s)
    except mlkeys.AppInvalid as refused:
        return [str(problem) for problem in refused.problems]
    return []


def test_other_advice_depends_on_the_place_too() -> None:
    def said(place: str, name: str) -> str:
        a = app()
        PLACES[place](a, getattr(a, name))
        return "\n".join(problems(a.stack))

    assert "holds Secret.env('C'): encrypt it, and use the ciphertext" in said("env", "secret")
    assert "decrypt it, and use the .plaintext of that" in said("plaintext", "encrypted")
    assert "Only a HostConfig with delivery='plaintext' may hold the plaintext" in said("env", "decrypted")
    assert "such as file['openai_api_key']" in said("env", "file")
    assert "encrypt it, and use the ciphertext" in said("agent", "secret")
    a = app()
    a.key.encrypt(a.encrypted, name="again")
    EncryptedVars(a.stack, "of-name", key=a.key.name)
    a.key.decrypt(a.secret)
    a.key.grant_encrypt(a.role.name)
    HostConfig(a.stack, "c", hosts=a.inventory, dest="/etc/x", env={"A": "b"})
    found = "\n".join(problems(a.stack))
    assert "the plaintext is an Encrypted: decrypt it first, as in key.encrypt(other.decrypt(…))" in found
    assert "key must be a key, not <s/key.name>: give the construct itself" in found
    assert "not Secret.env('C'): encrypt it, and use the ciphertext" in found
    assert "the grantee of grant_encrypt() must be an AppRole or a Policy, not <s/role.name>: give the" in found
    assert "not <Inventory s/inventory>: use one of its groups, the result of group()" in found


#: Public classes whose objects are texts, and those with a text of their own.
TEXTS = {"Duration", "Reference", "MlkeysError", "AppInvalid", "Problem"}
#: As texts they are their value.
VALUES = {"Encrypted", "Decrypted", "Signed"}
AS_TEXT: list[Callable[[object], str]] = [str, "{}".format, "%s".__mod__, lambda one: f"{one}", lambda one: f"{one:>9}"]


def public_classes() -> dict[str, type]:
    found = {name: getattr(module, name) for module in (mlkeys, vault) for name in module.__all__}
    classes = {name: kind for name, kind in found.items() if isinstance(kind, type)}
    # These are only for types.
    return {name: kind for name, kind in classes.items() if name not in ("Aspect", "KeyAttributes")}


@pytest.mark.parametrize("name", sorted({*public_classes()} - TEXTS))
def test_an_object_does_not_become_a_text(name: str) -> None:
    kind = public_classes()[name]
    assert issubclass(kind, NotText)
    own = "__str__" in vars(kind), "__format__" in vars(kind)
    assert own == ((True, True) if name in VALUES else (False, False))


@pytest.mark.parametrize("text", AS_TEXT)
def test_the_message_says_what_to_use_instead(text: Callable[[object], str]) -> None:
    a = app()
    objects = {
        a.key: "use its .name, or repr() in a message",
        a.engine: "use its .path, or repr() in a message",
        a.verified: "use its .valid, or repr() in a message",
        a.stack: "use repr() in a message",
        Template("{{ x }}"): "use repr() in a message",
        a.grant: "use repr() in a message",
        Annotations.of(a.key): "use repr() in a message",
    }
    for one, advice in objects.items():
        with pytest.raises(MlkeysError, match="cannot be formatted as text") as refused:
            text(one)
        assert str(refused.value).endswith(advice)


def test_a_construct_that_has_a_text_is_that_text_in_every_format() -> None:
    a = app()
    given = {str(number): text(a.encrypted) for number, text in enumerate(AS_TEXT[:-1])}
    HostConfig(a.stack, "c", hosts=a.group, dest="/etc/x", json=given)
    (shown,) = (text for name, text in files(a.stack).items() if name.endswith("c.j2"))
    assert shown.count("{{ a | mlkeys.transit.quoted(") == len(given)


@pytest.mark.parametrize(
    "compare",
    [
        lambda key: key == "key",
        lambda key: key != "key",
        lambda key: key == key.name,
        lambda key: key in ("key", "other"),
        lambda key: key.name == key,
    ],
)
def test_a_construct_is_not_compared_with_a_text(compare: Callable[[Any], bool]) -> None:
    a = app()
    with pytest.raises(MlkeysError, match=r"is compared with a text, and is none: use its \.name"):
        compare(a.key)
    assert a.key == a.key
    assert a.key != a.role
    assert {a.key: 1}[a.key] == 1


def test_a_file_of_ciphertexts_knows_its_names() -> None:
    a = app()
    assert "openai_api_key" in a.file
    assert "other" not in a.file
    assert [*a.file] == ["openai_api_key"]


def test_a_ciphertext_of_another_stack_is_not_given_to_an_agent_as_a_construct_either() -> None:
    a = app()
    other = Stack(a.stack.node.root, "other", url="https://a")
    group = Inventory(other, "i").group("web", ["h"])
    role = vault.AppRole(other, "gateway")
    a.key.grant_decrypt(role)
    unit = "/etc/systemd/system/x.service"
    HostConfig(other, "c", hosts=group, dest=unit, agent=Agent(["/bin/x"], {"A": a.encrypted}, role))
    assert any("which is in another stack" in text for text in problems(other))
