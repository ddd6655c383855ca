# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""References resolve or raise: no comparison silently sees something else than the value."""

from __future__ import annotations

import copy
import fnmatch
import json
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkeys import (
    Annotations,
    Aspect,
    Construct,
    EncryptedVars,
    Group,
    HostConfig,
    Inventory,
    MlkeysError,
    Output,
    Secret,
    export,
)
from mlkeys import transit as vault
from mlkeys._analysis.view import View
from tests.cdk.apps import app_of, files, key_in, problems, stack, terraform

#: Ways to look into a text, with their results for `prod-openai`.
WAYS: dict[str, tuple[Callable[[Any], object], object]] = {
    "startswith": (lambda name: name.startswith("prod-"), True),
    "in": (lambda name: "prod-" in name, True),
    "==": (lambda name: name == "prod-openai", True),
    "reversed ==": (lambda name: "prod-openai" == name, True),  # noqa: SIM300
    "!=": (lambda name: name != "prod-openai", False),
    "<": (lambda name: name < "q", True),
    "slice": (lambda name: name[:5], "prod-"),
    "len": (len, 11),
    "set": (lambda name: name in {"prod-openai", "x"}, True),
    "list": (lambda name: name in ["prod-openai", "x"], True),
    "dict": ({"prod-openai": 1}.get, 1),
    "iteration": (lambda name: [*name][:2], ["p", "r"]),
    "upper": (lambda name: name.upper(), "PROD-OPENAI"),
    "split": (lambda name: name.split("-"), ["prod", "openai"]),
    "replace": (lambda name: name.replace("-", "_"), "prod_openai"),
    "padding": (lambda name: f"{name:>12}", " prod-openai"),
    "%": (lambda name: name % (), "prod-openai"),
    "apply": (lambda name: name.apply(len), 11),
}
#: Functions of C that look at the characters of a text, which no class can forbid.
OF_C: dict[str, tuple[Callable[[Any], object], object]] = {
    "regular expression": (lambda name: bool(re.match("prod-", name)), True),
    "fnmatch": (lambda name: fnmatch.fnmatchcase(name, "prod-*"), True),
    "in another": (lambda name: name in "a prod-openai b", True),
    "json": (json.dumps, '"prod-openai"'),
}
PASSING_ON: dict[str, Callable[[Any], str]] = {
    "f-string": lambda name: f"a {name} b",
    "+": lambda name: "a " + name + " b",
    "%s": lambda name: "a %s b" % name,  # noqa: UP031
    "format": "a {} b".format,
    "str": lambda name: "a " + str(name) + " b",
}


@pytest.mark.parametrize("way", [*WAYS, *OF_C])
def test_a_known_value_is_seen_by_any_code_that_looks(way: str) -> None:
    look, wanted = {**WAYS, **OF_C}[way]
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="prod-openai")
    # A value that is itself a reference, or holds one, is looked up.
    second = vault.TransitSecretBackendKey(s, "k", backend=engine.path, name=f"{engine.path}")
    for reference in (engine.path, second.backend, second.name):
        assert look(reference) == wanted


#: What makes a text of a reference, alone and with the rest of `prod-openai`.
TEXTS: dict[str, Callable[[Any], str]] = {
    "str": str,
    "twice": lambda name: str(str(name)),
    "f-string": lambda name: f"{name}",
    "format": format,
    "+": lambda name: name + "",
    "reversed +": lambda name: "" + name,
    "str and +": lambda name: str(name) + "",
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_text_of_a_reference_shows_the_value(way: str, text: str) -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="prod-openai")
    second = vault.TransitSecretBackendKey(s, "k", backend=engine.path, name=f"{engine.path}")
    look, wanted = WAYS[way]
    assert look(TEXTS[text](second.name)) == wanted
    with pytest.raises(MlkeysError, match=re.escape("<s/k.latest_version> has no value before deployment")):
        look(TEXTS[text](second.latest_version))


def test_texts_of_references_are_compared_by_their_values() -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="prod")
    key = key_in(s, "prod-a")
    assert engine.path + "-a" == key.name
    assert key.name == str(engine.path) + "-a"
    assert str(key.name) == engine.path + "-" + "a"
    assert str(key.name) in {str(engine.path) + "-a": 1}
    assert sorted([str(key.name), "z", "a"]) == ["a", "prod-a", "z"]
    with pytest.raises(MlkeysError, match="has no value before deployment"):
        _ = str(key.name) == key.latest_version


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_of_a_reference_is_a_dependency(text: str) -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="p")
    vault.TransitSecretBackend(s, "other", path="o", description=TEXTS[text](engine.path))
    HostConfig(
        s,
        "file",
        hosts=Inventory(s, "i").group("web", ["h"], variables={"path": TEXTS[text](engine.path)}),
        dest="/etc/x",
        env={"VERSION": TEXTS[text](key_in(s).latest_version), "PATH_OF_ENGINE": TEXTS[text](engine.path)},
    )
    assert terraform(s)["resource"]["vault_mount"]["other"]["description"] == "${vault_mount.engine.path}"


@pytest.mark.parametrize("way", WAYS)
def test_looking_into_a_value_of_deployment_is_an_error_that_names_it(way: str) -> None:
    key = key_in(stack())
    with pytest.raises(MlkeysError, match=re.escape("<s/key.latest_version> has no value before deployment")):
        WAYS[way][0](key.latest_version)


@pytest.mark.parametrize(
    "look",
    [lambda v: v == 3, lambda v: 3 == v, lambda v: v != 3, lambda v: v in (2, 3), int, float],  # noqa: SIM300
    ids=["==", "reflected ==", "!=", "in", "int", "float"],
)
def test_a_version_is_compared_with_no_number(look: Callable[[Any], object]) -> None:
    with pytest.raises(MlkeysError, match=re.escape("<s/key.latest_version> has no value before deployment")):
        look(key_in(stack()).latest_version)


def test_a_value_of_deployment_is_itself_and_is_true() -> None:
    key = key_in(stack())
    first, again = key.latest_version, key.latest_version
    assert first == again
    assert first


@pytest.mark.parametrize("way", PASSING_ON)
def test_a_reference_in_a_text_is_a_dependency(way: str) -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="p")
    key_in(s, "k").configure(type="aes256-gcm96")
    vault.TransitSecretBackend(s, "other", path="o", description=PASSING_ON[way](engine.path))
    export("version", PASSING_ON[way](key_in(s).latest_version), scope=s)
    assert terraform(s)["resource"]["vault_mount"]["other"]["description"] == "a ${vault_mount.engine.path} b"
    assert "a ${vault_transit_secret_backend_key.key.latest_version} b" in files(s)["terraform/s/cdk.tf.json"]
    (other,) = [one for one in View(app_of(s)).elements if one.node.path == "s/other"]
    assert engine in View(app_of(s)).references(other)


class Guard:
    """Closes keys whose names pass a test."""

    def __init__(self, look: Callable[[vault.TransitSecretBackendKey], object]) -> None:
        self.look = look

    def visit(self, construct: Construct) -> None:
        if isinstance(construct, vault.TransitSecretBackendKey) and self.look(construct):
            construct.configure(deletion_allowed=False)


def test_an_aspect_may_look_at_names() -> None:
    s = stack()
    for name in ("prod-a", "dev-a"):
        key_in(s, name, deletion_allowed=True)
    s.node.add_aspect(Guard(lambda key: key.name.startswith("prod-")))
    keys = terraform(s)["resource"]["vault_transit_secret_backend_key"].values()
    assert {body["name"]: body["deletion_allowed"] for body in keys} == {"prod-a": False, "dev-a": True}


#: Texts of which guards are made, each of an engine `prod` and a key `prod-a`.
GUARDS: dict[str, Callable[[vault.TransitSecretBackendKey], bool]] = {
    "f-string": lambda key: f"{key.backend}/{key.name}".startswith("transit/prod-"),
    "one part": lambda key: f"{key.name}".startswith("prod-"),
    "str": lambda key: str(key.name).startswith("prod-"),
    "%s": lambda key: "%s/%s" % (key.backend, key.name) == "transit/prod-a",  # noqa: UP031
    "format": lambda key: "{}/{}".format(key.backend, key.name) == "transit/prod-a",  # noqa: UP032
    "+": lambda key: key.backend + "/" + key.name == "transit/prod-a",
    "join": lambda key: "/".join([key.backend, key.name]) == "transit/prod-a",  # noqa: FLY002
    "in": lambda key: f"{key.name}" in {"prod-a", "prod-b"},
    "length": lambda key: len(f"{key.name}!") == 7,
    "regular expression": lambda key: re.match("transit/prod-", f"{key.backend}/{key.name}") is not None,
    "json": lambda key: json.dumps({"name": f"{key.name}"}) == '{"name": "prod-a"}',
}


@pytest.mark.parametrize("way", GUARDS)
def test_a_text_in_an_aspect_shows_the_value(way: str) -> None:
    s = stack()
    for name in ("prod-a", "dev-a"):
        key_in(s, name, deletion_allowed=True)
    s.node.add_aspect(Guard(GUARDS[way]))
    keys = terraform(s)["resource"]["vault_transit_secret_backend_key"].values()
    assert {body["name"]: body["deletion_allowed"] for body in keys} == {"prod-a": False, "dev-a": True}


@pytest.mark.parametrize("way", GUARDS)
def test_a_text_in_a_validation_shows_the_value(way: str) -> None:
    s = stack()
    key = key_in(s, "prod-a")
    s.node.add_validation(lambda: ["found"] if GUARDS[way](key) else [])
    assert len(problems(s)) == 1


#: Texts of which guards are made, that the program or a grant has made before.
STORED: dict[str, Callable[[Construct], bool]] = {
    "rule of a grant": lambda c: isinstance(c, vault.Policy) and any(r.path.startswith("prod/") for r in c.rules),
    "policies": lambda c: isinstance(c, vault.AppRole) and "prod-a" in c.policies,
    "values": lambda c: isinstance(c, vault.TransitSecretBackend) and c.values["description"] == "for prod-a",
    "content": lambda c: isinstance(c, HostConfig) and c.content == {"NAME": "prod/prod-a"},
    "regular expression": lambda c: isinstance(c, HostConfig) and bool(re.match("prod/", str(c.content["NAME"]))),
    "owner": lambda c: isinstance(c, HostConfig) and c.owner == "u-prod-a",
    "variables": lambda c: isinstance(c, Group) and c.variables["place"] == "at prod-a",
    "variables of a host": lambda c: isinstance(c, Group) and str(c.hosts["h1"]["own"]).endswith("prod-a"),
    "output": lambda c: isinstance(c, Output) and str(c.value).startswith("prod-a"),
}


@pytest.mark.parametrize("how", ["aspect", "validation"])
@pytest.mark.parametrize("way", STORED)
def test_a_stored_text_shows_the_value(way: str, how: str) -> None:
    s = stack()
    engine = vault.TransitSecretBackend(s, "engine", path="prod")
    key = vault.TransitSecretBackendKey(s, "key", backend=engine.path, name="prod-a")
    engine.configure(description=f"for {key.name}")
    policy = vault.Policy(s, "policy")
    key.grant_decrypt(policy)
    vault.AppRole(s, "role", token_policies=[f"{key.name}"])
    web = Inventory(s, "hosts").group("web", {"h1": {"own": f"of {key.name}"}}, variables={"place": f"at {key.name}"})
    HostConfig(s, "file", hosts=web, dest="/etc/f", env={"NAME": f"{key.backend}/{key.name}"}, owner=f"u-{key.name}")
    export("name", f"{key.name}!", scope=s)
    everything = [*s.node.root.node.walk()]
    if how == "aspect":
        s.node.add_aspect(Refusing(STORED[way]))
    else:
        s.node.add_validation(lambda: ["found" for one in everything if STORED[way](one)])
    assert [text.rpartition(" ")[2] for text in problems(s)] == ["found"]
    # What targets render stays a reference.
    assert not any(STORED[way](one) for one in everything if isinstance(one, vault.Policy))


class Refusing(Aspect):
    """Reports what a guard finds."""

    def __init__(self, guard: Callable[[Construct], bool]) -> None:
        self.guard = guard

    def visit(self, construct: Construct) -> None:
        if self.guard(construct):
            Annotations.of(construct).error("found")


@pytest.mark.parametrize("way", GUARDS)
def test_a_text_that_is_looked_into_at_once_shows_the_value(way: str) -> None:
    s = stack()
    assert [bool(GUARDS[way](key_in(s, name))) for name in ("prod-a", "dev-a")] == [True, False]


def test_what_looks_into_a_text_where_that_is_made() -> None:
    engine = vault.TransitSecretBackend(stack(), "engine", path="prod")
    assert f"{engine.path}/x"[:5] == "prod/"
    assert f"{engine.path}/x".split("/") == ["prod", "x"]
    assert f"{engine.path}/x" == f"{engine.path!s}/x"
    assert {"prod/x": 1}[f"{engine.path}/x"] == 1
    assert Path("/etc") / engine.path == Path("/etc/prod")
    assert Path(engine.path) == Path("prod")
    assert posixpath.join("/etc", engine.path) == "/etc/prod"
    # What changes nothing of the mark leaves the dependency.
    assert f"{engine.path}/x\n".strip() not in ("prod/x", "")


def compared_later(name: str) -> bool:
    text = f"{name}/x"
    return text == "prod/x"


def begins_later(name: str) -> bool:
    text = f"{name}/x"
    return text.strip().startswith("prod/")


def matches_later(name: str) -> bool:
    text = f"{name}/x"
    match text:
        case "prod/x":
            return True
    return False


def counted_later(name: str) -> int:
    text = f"{name}/x"
    return len(text)


#: What looks into a text of a reference after it was made, or compares it with what may be one or a value.
UNKNOWN: dict[str, Callable[[str], object]] = {
    "variable": lambda name: f"{name}/x" == name,
    "found": lambda name: f"{name}/x" in [*name],
    "later": compared_later,
    "begins later": begins_later,
    "matches later": matches_later,
    "counted later": counted_later,
}


@pytest.mark.parametrize("way", UNKNOWN)
def test_a_text_that_is_compared_otherwise_is_an_error(way: str) -> None:
    engine = vault.TransitSecretBackend(stack(), "engine", path="prod")
    with pytest.raises(MlkeysError, match=re.escape("A text with <s/engine.path> is looked into, and is")):
        UNKNOWN[way](engine.path)
    # A text of the program itself may be compared as ever.
    UNKNOWN[way]("prod")


def test_a_text_of_a_value_of_deployment_is_not_looked_into() -> None:
    key = key_in(stack())
    with pytest.raises(MlkeysError, match=re.escape("<s/key.latest_version> has no value before deployment")):
        _ = f"{key.name}/{key.latest_version}" == "key/3"


class Reader:
    """Adds a policy to each key, and an engine that depends on another."""

    def visit(self, construct: Construct) -> None:
        if isinstance(construct, vault.TransitSecretBackendKey):
            policy = vault.Policy(construct, "reader", name=f"{construct.name}-reader")
            construct.grant_decrypt(policy)
            vault.TransitSecretBackend(construct, "other", path="o", description=f"{construct.name}")


def test_what_an_aspect_adds_depends_on_what_it_names() -> None:
    s = stack()
    key_in(s, "prod-a")
    s.node.add_aspect(Reader())
    made = terraform(s)["resource"]
    (other,) = made["vault_mount"].values()
    assert other["description"] == "${vault_transit_secret_backend_key.prod-a.name}"
    (policy,) = made["vault_policy"].values()
    assert policy["name"] == "prod-a-reader"
    assert "${vault_transit_secret_backend_key.prod-a.name}" in policy["policy"]


def test_an_error_of_an_aspect_names_construct_and_line() -> None:
    s = stack()
    key_in(s)
    s.node.add_aspect(Guard(lambda key: key.latest_version == "3"))
    line = __import__("inspect").currentframe().f_lineno - 1
    (found,) = problems(s)
    assert found.startswith(f"[s/key] (model/test_reference.py:{line}) the aspect Guard failed: <s/key.latest_version>")


@pytest.mark.parametrize("text", [str, "{}".format, "%s".__mod__, lambda secret: f"{secret}"])
def test_a_secret_does_not_become_text(text: Callable[[Secret], str]) -> None:
    with pytest.raises(MlkeysError, match="cannot be formatted as text"):
        text(Secret.env("OPENAI_API_KEY"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (lambda _: repr(Secret.env("A")), "Secret.env('A')"),
        (lambda _: f"key={Secret.generated()!r}", "Secret.generated(32)"),
        (lambda key: f"{key!r}", "<TransitSecretBackendKey s/key>"),
        (lambda key: f"{key.name!r}", "<s/key.name>"),
        (lambda key: f"{key.encrypt(Secret.env('B'))!r}", "<Encrypted s/key/ciphertexts/b>"),
        (lambda key: f"{key.latest_version!r}", "<s/key.latest_version>"),
    ],
    ids=["secret", "generated", "construct", "name", "ciphertext", "version"],
)
def test_what_is_only_for_messages_is_refused_in_a_file(text: Callable[[Any], str], shown: str) -> None:
    s = stack()
    export("o", text(key_in(s)), scope=s)
    (found,) = problems(s)
    assert f"value holds {shown}, which is only its name for messages" in found


@pytest.mark.parametrize(
    "text", ["a < b > c", "<https://a.b>", "<a b>", "<s/key.type>", "Secret.env", "<s/other.name>"]
)
def test_what_only_looks_like_it_is_text(text: str) -> None:
    s = stack()
    key_in(s)
    export("o", text, scope=s)
    assert text in json.loads(files(s)["terraform/s/cdk.tf.json"])["output"]["o"]["value"]


def test_a_ciphertext_is_not_compared_with_text() -> None:
    key = key_in(stack())
    ciphertext = key.encrypt(Secret.env("A"))
    for one in (ciphertext, key.decrypt(ciphertext)):
        with pytest.raises(MlkeysError, match="has no value before deployment"):
            _ = one == "vault:v1:abc"
        assert one == one  # noqa: PLR0124
        assert one != key
        assert one in {one, key}


def test_a_copy_is_the_same_reference() -> None:
    key = key_in(stack(), "k")
    one = key.encrypt(Secret.env("A"), name="a").ciphertext
    assert copy.deepcopy({"a": [one]})["a"][0] is one
    assert copy.copy(one) is one


def test_an_unknown_secret_of_a_file_is_named_unless_it_is_a_value() -> None:
    s = stack()
    file = EncryptedVars(s, "v", key=key_in(s, "k"), secrets={"openai": Secret.env("A")})
    with pytest.raises(MlkeysError, match=r"has no secret 'opnai'\. Did you mean 'openai'\?"):
        file["opnai"]
    value = f"sk-proj-{'Zk3Jr8Qw2Lx9Tb5N' * 4}"
    with pytest.raises(MlkeysError, match="has no secret") as refused:
        file[value]
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    "made",
    [
        lambda text: json.dumps({"key": text}, ensure_ascii=False),
        lambda text: json.dumps([text], ensure_ascii=False, indent=2),
    ],
    ids=["mapping", "list"],
)
@pytest.mark.parametrize("shape", ["env", "json"])
def test_json_of_a_plaintext_is_refused_as_text(shape: str, made: Callable[[str], str]) -> None:
    s = stack()
    key = key_in(s)
    enc = key.encrypt(Secret.env("A"))
    web = Inventory(s, "hosts").group("web", ["h1"])
    given: dict[str, Any] = {shape: {"INNER": made(f"{key.decrypt(enc)}")}}
    HostConfig(s, "file", hosts=web, dest="/etc/f", delivery="plaintext", **given)
    (problem,) = problems(s)
    assert "would not be escaped: give the data itself, as json={…}, or make it in a template" in problem
    # A ciphertext has no character that JSON escapes.
    other = stack()
    enc = key_in(other).encrypt(Secret.env("A"))
    web = Inventory(other, "hosts").group("web", ["h1"])
    HostConfig(other, "file", hosts=web, dest="/etc/f", env={"INNER": made(f"{enc.ciphertext}")})
    assert files(other)
