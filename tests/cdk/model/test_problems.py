# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Problems of a program are reported all at once, with file and line, and never with a secret in them."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkeys import (
    Annotations,
    AnsibleTask,
    App,
    AppInvalid,
    Construct,
    Duration,
    EncryptedVars,
    HostConfig,
    Inventory,
    MlkeysError,
    Secret,
    Stack,
    Template,
    TerraformBlock,
    export,
)
from mlkeys import transit as vault
from mlkeys._shared._attributes.key import KEY_ATTRIBUTES
from mlkeys._shared._attributes.mount import MOUNT_ATTRIBUTES
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import app_of, files, key_in, problems, stack

CANARY = "sk-proj-CANARYcanary0123456789abcdef"


def test_all_problems_come_at_once_with_construct_and_line() -> None:
    s = stack("bad")
    wrong: dict[str, Any] = {
        "type": "aes256",
        "convergent_encryption": True,
        "deletion_alowed": True,
        "exportable": "no",
    }
    key = vault.TransitSecretBackendKey(s, "k", backend="transit", name="k", **wrong)
    key.encrypt("sk-not-a-reference")
    found = problems(s)
    for message in (
        "[bad/k] (model/test_problems.py:",
        "unknown keyword 'deletion_alowed'. Did you mean 'deletion_allowed'?",
        "type='aes256' is not a known key type. Did you mean 'aes256-gcm96'?",
        "convergent_encryption needs derived",
        "exportable must be True or False, not 'no'",
        "the plaintext is a literal, which would be written to disk. Use Secret.env('NAME')",
    ):
        assert sum(message in text for text in found) >= 1, (message, found)
    assert len(found) == 5


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({"providers": {"openai": Secret.env("A")}}, "the plaintext is a mapping. A program encrypts single texts."),
        ({"keys": [Secret.env("A"), Secret.env("B")]}, "the plaintext is a list. A program encrypts single texts."),
        ({"providers.openai": Secret.env("A")}, "'providers.openai' is the path of nested data. A program encrypts"),
        ({"providers": {"openai": CANARY}}, "HostConfig(json={'openai': {'api_key': file['openai_api_key']}})"),
    ],
)
def test_nested_secrets_are_refused_with_the_way_to_do_it(secrets: dict[str, Any], said: str) -> None:
    s = stack()
    EncryptedVars(s, "v", key=key_in(s), secrets=secrets)
    [found] = problems(s)
    assert said in found
    assert CANARY not in found


def test_secrets_are_nested_where_they_are_used() -> None:
    s = stack()
    file = EncryptedVars(s, "v", key=key_in(s), secrets={"openai_api_key": Secret.env("A")})
    web = Inventory(s, "inventory").group("web", ["web-1"])
    nested = {"openai": {"api_key": file["openai_api_key"]}}
    HostConfig(s, "config", hosts=web, json=nested, dest="/etc/app.json")
    assert "openai_api_key" in files(s)["ansible/s/site.yml"]


def test_the_place_is_the_line_of_the_program_not_of_the_package() -> None:
    s = stack()
    key = key_in(s)
    key.encrypt("literal", name="x")
    line = __import__("inspect").currentframe().f_lineno - 1
    assert f"(model/test_problems.py:{line})" in " ".join(problems(s)).replace("apps.py", "test_problems.py")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"auto_rotate_period": "59m"}, "at least one hour"),
    ({"auto_rotate_period": "soon"}, "is not a duration"),
    ({"auto_rotate_period": Duration.minutes(5)}, "at least one hour"),
    ({"auto_rotate_period": True}, "auto_rotate_period must be a duration"),
    ({"min_decryption_version": "1"}, "min_decryption_version must be an integer"),
    ({"min_decryption_version": 3, "min_encryption_version": 2}, "below min_decryption_version"),
    ({"min_encryption_version": -1}, "cannot be negative"),
    ({"type": "hmac"}, "requires key_size"),
    ({"type": "hmac", "key_size": 513}, "key_size cannot be 513: a key of type hmac has 32 to 512 bytes"),
    ({"key_size": 64}, "key_size is for keys of type hmac, not aes256-gcm96"),
    ({"external_key_ref": "kms:ml"}, "external_key_ref is for keys of type external-key, not aes256-gcm96"),
    ({"type": "ed25519", "derived": True, "convergent_encryption": True}, "is for keys that encrypt, not ed25519"),
    ({"type": "rsa-2048", "derived": True}, "cannot be derived"),
    ({"type": 5}, "type must be a string"),
    ({"name": "a/b"}, "is not a key name"),
    ({"name": None}, "name is required"),
    ({"backend": None}, "backend is required"),
]


@pytest.mark.parametrize(("attributes", "message"), WRONG)
def test_a_wrong_key_is_refused(attributes: dict[str, Any], message: str) -> None:
    s = stack()
    vault.TransitSecretBackendKey(s, "k", **{"backend": "transit", "name": "k", **attributes})
    assert any(message in text for text in problems(s))


def test_a_newer_key_type_can_be_set_with_an_override() -> None:
    s = stack()
    key_in(s).add_override("type", "aes512-future")
    assert "aes512-future" in files(s)["terraform/s/cdk.tf.json"]
    assert "aes512-future" in files(s)["ansible/s/site.yml"]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"audit_non_hmac_request_keys": ["plaintext"]}, "every secret to the audit log"),
        ({"default_lease_ttl": "2h", "max_lease_ttl": "1h"}, "is longer than max_lease_ttl"),
        ({"path": ""}, "path is empty"),
        ({"path": "transit/keys/other/rotate?"}, "is not a path on the server"),
        ({"path": "sys/policies"}, "cannot be an engine's path"),
        ({"path": "a/../b"}, "is not a path on the server"),
        ({"options": ["a"]}, "options must be a dictionary"),
        ({"passthrough_request_headers": "one"}, "a list of strings"),
    ],
)
def test_a_wrong_engine_is_refused(attributes: dict[str, Any], message: str) -> None:
    s = stack()
    vault.TransitSecretBackend(s, "e", **attributes)
    assert any(message in text for text in problems(s))


@pytest.mark.parametrize("path", ["", "a/../b", "a b", "tr*"])
def test_a_wrong_place_is_refused_wherever_it_is_named(path: str) -> None:
    s = stack()
    vault.TransitSecretBackendKey(s, "k", backend=path, name="ml")
    vault.TransitSecretCacheConfig(s, "c", backend=path, size=0)
    vault.AppRole(s, "r", backend=path, token_policies=["p"])
    said = "backend is empty" if not path else "is not a path on the server"
    assert sum(said in text for text in problems(s)) == 3


def test_two_constructs_for_one_object_are_refused_across_stacks_of_a_server() -> None:
    app = App()
    one, two, elsewhere = Stack(app, "one"), Stack(app, "two"), Stack(app, "elsewhere", url="https://other:8200")
    for part in (one, two, elsewhere):
        vault.TransitSecretBackend(part, "engine", path="shared")
    (problem,) = [text for text in problems(one) if "defined twice" in text]
    assert problem.startswith("[two/engine]")
    assert "[one/engine]" in problem


def groups(s: Stack) -> None:
    for number in "12":
        Inventory(s, f"inventory-{number}").group("web", [f"web-{number}"])


def outputs(s: Stack) -> None:
    export("same", 1, scope=Construct(s, "deeper"))
    export("same", 2, scope=s)


def destinations(s: Stack) -> None:
    web = Inventory(s, "inventory").group("web", ["web-1"])
    for number in "12":
        HostConfig(s, f"file-{number}", hosts=web, json={"number": number}, dest="/etc/app.json")


def auth_methods(s: Stack) -> None:
    for number in "12":
        vault.AppRoleAuth(s, f"auth-{number}")


def policies(s: Stack) -> None:
    for name in ("Readers", "readers"):
        vault.Policy(s, f"policy-{name}", name=name).allow("secret/x", "read")


def roles(s: Stack) -> None:
    for name in ("Gateway", "gateway"):
        vault.AppRole(s, f"role-{name}", name=name, token_policies=["p"])


def caches(s: Stack) -> None:
    for size in (10, 20):
        vault.TransitSecretCacheConfig(s, f"cache-{size}", backend="transit", size=size)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (groups, "the group 'web' is defined twice; the other definition is [s/inventory-1/web]"),
        (outputs, "the output 'same' is defined twice; the other definition is [s/deeper/output-same]"),
        (destinations, "the file '/etc/app.json of web' is defined twice"),
        (auth_methods, "the auth method 'approle' is defined twice"),
        (policies, "the policy 'readers' is defined twice; the other definition is 'Readers', [s/policy-Readers]"),
        (roles, "the role 'approle/gateway' is defined twice; the other definition is 'approle/Gateway', [s/role-"),
        (caches, "the cache of 'transit' is defined twice"),
    ],
)
def test_duplicate_names_are_refused(make: Callable[[Stack], None], message: str) -> None:
    s = stack()
    make(s)
    assert any(message in text for text in problems(s))


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../b", "..", "a b", "a//b", ""])
def test_the_name_of_a_policy_stays_inside_its_folder(name: str) -> None:
    s = stack()
    vault.Policy(s, "p" if name else "-", name=name).allow("x", "read")
    assert any("is not a policy name" in text for text in problems(s))


def test_the_name_of_a_policy_may_have_parts() -> None:
    s = stack()
    vault.Policy(s, "p", name="teams/ml.2").allow("x", "read")
    assert "ansible/s/policies/teams/ml.2.hcl" in files(s)


@pytest.mark.parametrize("name", ["item", "force_keys", "outputs", "random_secrets_copies", "ansible_user", "vars"])
def test_a_name_that_ansible_reserves_is_refused(name: str) -> None:
    s = stack()
    key_in(s).encrypt(Secret.env("X"), name=name)
    assert any("is reserved in Ansible" in text for text in problems(s))


def test_a_reference_that_was_cut_apart_or_encoded_is_refused() -> None:
    s = stack()
    text = f"{vault.TransitSecretBackend(s, 'engine', path='p').path}/{key_in(s).latest_version}"
    vault.TransitSecretBackend(s, "cut", path=text[:-1])
    vault.TransitSecretBackend(s, "encoded", path="q", description=json.dumps({"a": text}))
    vault.TransitSecretBackend(s, "upper", path=text[1:].upper())
    found = problems(s)
    assert sum("cut apart or encoded" in text for text in found) == 3


def test_a_file_is_where_rotations_find_it() -> None:
    s = stack()
    hosts = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "f", hosts=hosts, dest=Template("{{ playbook_dir }}/x.env"), env={"A": "b"})
    HostConfig(s, "g", hosts=hosts, dest=Template("{{ inventory_dir }}/x.env"), env={"A": "b"})
    assert [text for text in problems(s) if "use inventory_dir" in text] == problems(s)[:1]


def test_a_value_of_deployment_cannot_be_computed_with() -> None:
    with pytest.raises(MlkeysError, match="has no value before deployment"):
        key_in(stack()).latest_version.apply(int)


def test_a_value_of_deployment_is_refused_where_it_must_be_known() -> None:
    s = stack()
    key = key_in(s)
    vault.TransitSecretBackend(s, "e", path=f"v{key.latest_version}")
    assert any("only known after deployment" in text for text in problems(s))


def test_a_ciphertext_does_not_go_to_hosts_of_another_stack() -> None:
    """Rotations of its own stack would not find it there, and take away the version that it needs."""
    app = App()
    one, two = Stack(app, "one"), Stack(app, "two")
    ciphertext = key_in(one).encrypt(Secret.env("X"))
    hosts = Inventory(two, "i").group("web", ["h"])
    HostConfig(two, "f", hosts=hosts, dest="/x", env={"A": ciphertext.ciphertext})
    assert any("which is in another stack, and rotations" in text for text in problems(one))


def test_plaintext_cannot_stand_in_a_file() -> None:
    s = stack()
    key = key_in(s)
    plaintext = key.decrypt(key.encrypt(Secret.env("X")))
    vault.TransitSecretBackend(s, "e", path="p", description=f"it is {plaintext}")
    hosts = Inventory(s, "hosts").group("web", ["h"])
    HostConfig(s, "file", hosts=hosts, dest="/etc/app.env", env={"X": f"{plaintext}"})
    found = problems(s)
    assert sum("would write the plaintext of" in text for text in found) == 2


NO_TEXT: Any = CANARY.encode()
NOTHING: Any = None

SECRET_FIELDS: list[Callable[[Stack], object]] = [
    lambda s: key_in(s).encrypt(CANARY, name="x"),
    lambda s: EncryptedVars(s, "v", key=key_in(s), secrets={"x": CANARY}),
    lambda s: EncryptedVars(s, "v", key=key_in(s)).add("x", CANARY),
    lambda s: key_in(s).encrypt(NO_TEXT, name="x"),
    lambda s: key_in(s).encrypt(NOTHING, name="x"),
]


@pytest.mark.parametrize("plant", SECRET_FIELDS)
def test_a_literal_is_refused_where_a_secret_belongs_and_not_repeated(plant: Callable[[Stack], object]) -> None:
    s = stack()
    plant(s)
    found = problems(s)
    assert any("Secret.env('NAME')" in text for text in found)
    assert not any("CANARY" in text for text in found)


def other_fields() -> list[tuple[str, Callable[[Stack], object]]]:
    """Every field of every construct that takes text and is not for a secret, with the canary in it."""

    def mount(name: str, value: Any) -> Callable[[Stack], object]:
        given: Any = {name: value}
        return lambda s: vault.TransitSecretBackend(s, "e", **given)

    def key(name: str) -> Callable[[Stack], object]:
        given: dict[str, Any] = {"backend": "transit", "name": "k", name: CANARY}
        return lambda s: vault.TransitSecretBackendKey(s, "k", **given)

    def host(**content: Any) -> Callable[[Stack], object]:
        return lambda s: HostConfig(
            s, "c", hosts=Inventory(s, "i").group("web", ["h"]), **{"dest": "/etc/x.env", **content}
        )

    shaped = {"str": CANARY, "list": [CANARY], "dict": {"a": CANARY}}
    fields: list[tuple[str, Callable[[Stack], object]]] = [
        (f"engine {a.name}", mount(a.name, shaped[a.kind])) for a in MOUNT_ATTRIBUTES if a.kind in shaped
    ]
    fields += [(f"key {a.name}", key(a.name)) for a in KEY_ATTRIBUTES if a.kind == "str"]
    fields += [("key backend", key("backend")), ("key name", key("name")), ("engine path", mount("path", CANARY))]
    fields += [
        ("policy name", lambda s: vault.Policy(s, "p", name=CANARY).allow("a", "read")),
        ("policy description", lambda s: vault.Policy(s, "p", description=CANARY).allow("a", "read")),
        ("policy path", lambda s: vault.Policy(s, "p").allow(CANARY, "read")),
        ("policy parameters", lambda s: vault.Policy(s, "p").allow("a", "read", parameters={"x": [CANARY]})),
        ("role", lambda s: vault.AppRole(s, "r", token_policies=[CANARY])),
        ("output", lambda s: export("o", CANARY, scope=s)),
        ("output description", lambda s: export("o", "x", scope=s, description=CANARY)),
        ("group", lambda s: Inventory(s, "i").group("web", ["h"], variables={"a": {"b": [CANARY]}})),
        ("host", lambda s: Inventory(s, "i").group("web", {"h": {"a": CANARY}})),
        ("env", host(env={"A": CANARY})),
        ("json", host(json={"a": [CANARY]})),
        ("yaml", host(yaml={"a": [CANARY]})),
        ("toml", host(toml={"a": {"b": CANARY}})),
        ("dest", host(dest=f"/etc/{CANARY}", env={"A": "b"})),
        ("decrypt", lambda s: key_in(s).decrypt(CANARY)),
        ("context", lambda s: key_in(s).decrypt("vault:v1:x", context=CANARY)),
        ("task", lambda s: AnsibleTask(s, "t", task={"ansible.builtin.debug": {"msg": CANARY}})),
        ("block", lambda s: TerraformBlock(s, "b", block={"locals": {"x": CANARY}})),
        ("stack url", lambda s: Stack(app_of(s), "t", url=f"https://{CANARY}")),
        ("stack description", lambda s: Stack(app_of(s), "t", description=CANARY)),
        ("annotation", lambda s: Annotations.of(s).info(CANARY)),
        ("warning", lambda s: Annotations.of(s).warning("w", CANARY)),
    ]
    return fields


@pytest.mark.parametrize(("_field", "plant"), other_fields(), ids=[name for name, _ in other_fields()])
def test_a_secret_in_any_other_field_is_found_and_not_repeated(_field: str, plant: Callable[[Stack], object]) -> None:
    s = stack()
    vault.TransitSecretBackend(s, "other", path="other")
    plant(s)
    found = problems(s)
    assert any("an API key" in text for text in found), found
    assert not any("CANARY" in text for text in found), found


def test_a_secret_cannot_be_formatted_or_exported() -> None:
    s = stack()
    with pytest.raises(MlkeysError, match="cannot be formatted as text"):
        f"{Secret.env('X')}"
    export("x", Secret.env("X"), scope=s)
    assert any("a secret cannot be an output" in text for text in problems(s))


@pytest.mark.parametrize(
    "secret",
    [Secret.env(""), Secret.env("A=B"), Secret.file(""), Secret.kv("", "f"), Secret.kv("p", ""), Secret.generated(4)],
)
def test_an_invalid_source_of_a_secret_is_refused(secret: Secret) -> None:
    s = stack()
    key_in(s).encrypt(secret, name="x")
    assert any("Secret." in text and "[s/key/ciphertexts/x]" in text for text in problems(s))


def test_the_same_name_twice_in_a_stack_is_refused() -> None:
    s = stack()
    one, two = key_in(s, "one"), key_in(s, "two")
    one.encrypt(Secret.env("X"))
    two.encrypt(Secret.env("X"))
    assert any("defined twice" in text for text in problems(s))


def test_a_ciphertext_of_another_key_is_refused() -> None:
    s = stack()
    one, two = key_in(s, "one"), key_in(s, "two")
    two.decrypt(one.encrypt(Secret.env("X")))
    assert any("made with another key, s/one" in text for text in problems(s))


@pytest.mark.parametrize("kind", ["hmac", "ed25519", "ecdsa-p256", "aes256-cmac", "ml-dsa"])
def test_a_key_that_only_signs_is_refused_for_encryption(kind: Any) -> None:
    s = stack()
    key = key_in(s, "k", type=kind, key_size=32)
    key.encrypt(Secret.env("X"))
    key.datakey("archive")
    key.decrypt("vault:v1:abc")
    # Each where the program does it, not where it makes the key.
    found = [text for text in problems(s) if " cannot " in text]
    assert len(found) == 3
    assert all(f"a key of type {kind} cannot " in text and ": use a key of type " in text for text in found)
    for place in ("s/k/ciphertexts/x", "s/k/ciphertexts/archive", "s/k/decrypt"):
        assert sum(f"[{place}]" in text for text in found) == 1


def test_the_type_of_a_key_may_be_set_after_its_use() -> None:
    s = stack()
    key = key_in(s, type="ed25519")
    key.encrypt(Secret.env("X"))
    key.configure(type="aes256-gcm96")
    assert files(s)
    one = stack()
    key_in(one, type="hmac", key_size=32).grant_encrypt(vault.AppRole(one, "r"))
    assert any("a key of type hmac cannot encrypt" in text for text in problems(one))


def test_a_derived_key_requires_the_context_of_a_foreign_ciphertext() -> None:
    s = stack()
    key_in(s, derived=True).decrypt("vault:v1:abc")
    assert any("context='…'" in text for text in problems(s))


@pytest.mark.parametrize(
    ("derived", "context", "warned"), [(None, None, True), (None, "name", False), (False, None, False)]
)
def test_a_foreign_ciphertext_of_a_key_that_may_be_derived_is_a_warning(
    derived: bool | None, context: str | None, warned: bool
) -> None:
    s = stack()
    key = vault.TransitSecretBackendKey.from_existing(s, "theirs", name="theirs", derived=derived)
    key.decrypt("vault:v1:abc", context=context)
    key.decrypt(key.encrypt(Secret.env("A")))
    assert ("warning unknown-context: if the existing key is derived" in files(s)["manifest.json"]) == warned


def test_an_attribute_that_terraform_lacks_is_refused_for_that_target_alone() -> None:
    attributes: dict[str, Any] = {"type": "external-key", "external_key_ref": "config:key"}
    both = stack()
    key_in(both, **attributes)
    assert any("external_key_ref" in text for text in problems(both))
    ansible = stack(targets=("ansible",))
    key_in(ansible, **attributes)
    assert "config:key" in files(ansible)["ansible/s/site.yml"]


def test_warnings_are_in_the_manifest_until_they_are_acknowledged() -> None:
    s = stack()
    key = key_in(s)
    Annotations.of(key).warning("old", "rotate it")
    assert "warning old: rotate it" in files(s)["manifest.json"]
    Annotations.of(s).acknowledge("old")
    assert "rotate it" not in files(s)["manifest.json"]


def test_nothing_is_written_while_there_is_a_problem(tmp_path: Path) -> None:
    s = stack()
    vault.TransitSecretBackend(s, "fine", path="fine")
    Annotations.of(s).error("not yet")
    with pytest.raises(AppInvalid, match="not yet"):
        app_of(s).synth(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AppInvalid):
        synthesize(app_of(s))


@pytest.mark.parametrize("keyword", ["env", "environment_file", "exports"])
def test_no_secret_decides_what_code_a_program_runs(keyword: str) -> None:
    s = stack()
    group = Inventory(s, "inventory").group("web", ["web-1"])
    text = key_in(s).encrypt(Secret.env("S")).ciphertext
    given: dict[str, Any] = {keyword: {"PYTEST_ADDOPTS": text, "PATH": "/opt/app/bin", "S": text}}
    HostConfig(s, "file", hosts=group, dest="/etc/app", delivery="plaintext", **given)
    found = [problem for problem in problems(s) if "decides" in problem]
    assert len(found) == 1
    assert "PYTEST_ADDOPTS decides what code a program runs" in found[0]


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(f"u:{text}".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"x{text}y".encode()).decode(),
        lambda text: text.encode().hex(),
        urllib.parse.quote,
    ],
    ids=["base64", "base64-behind-two", "base64-behind-one", "hex", "address"],
)
def test_an_encoded_reference_is_refused_with_its_line(encode: Callable[[str], str]) -> None:
    s = stack()
    sealed = key_in(s).encrypt(Secret.env("SECRET"))
    hosts = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "f", hosts=hosts, dest="/x", env={"A": f"Basic {encode(f'{sealed.ciphertext} ')}"})
    (problem,) = problems(s)
    assert problem.startswith("[s/f] (model/test_problems.py:")
    assert "content: a reference was cut apart or encoded" in problem


def test_what_only_looks_like_an_encoded_reference_is_written() -> None:
    s = stack()
    for number, text in enumerate(("7oCA", "vault:v1:7oCAugIAabcdefgh", "ee8080", "u6Ag")):
        vault.TransitSecretBackend(s, f"e{number}", path=f"p{number}", description=text)
    assert files(s)


def test_validations_aspects_and_dependencies_of_another_type_are_refused_with_their_line() -> None:
    s = stack()
    three: Any = 3
    s.node.add_validation(three)
    s.node.add_aspect(three)
    s.node.add_dependency(three)
    s.node.add_validation(lambda: three)
    s.node.add_validation(lambda: "a text")
    s.node.add_validation(lambda: [three])
    found = problems(s)
    assert "add_validation takes a function, not 3" in found[0]
    assert "add_aspect takes an object with a method visit, not 3" in found[1]
    assert "add_dependency takes constructs, not 3" in found[2]
    assert "the validation <lambda> must return a list of texts" in found[3]
    assert all("test_problems.py:" in text for text in found[:3])
    assert len(found) == 4


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("terrafrom", "Did you mean 'terraform'?"),
        ("Terraform", "Did you mean 'terraform'?"),
        ("", "Choices: ansible, terraform."),
    ],
)
def test_an_override_for_a_target_that_does_not_exist_is_refused(target: Any, hint: str) -> None:
    s = stack()
    key_in(s).add_override("auto_rotate_period", 7776000, target=target)
    (found,) = problems(s)
    assert f"target={target!r} is not a valid choice. {hint}" in found
    assert "test_problems.py:" in found


def test_a_file_with_plaintext_holds_no_ciphertext_unless_that_is_meant() -> None:
    s = stack()
    key = key_in(s, derived=True)
    sealed = key.encrypt(Secret.env("A"), name="a")
    web = Inventory(s, "i").group("web", ["w"])
    content = {"shown": key.decrypt(sealed).plaintext, "sealed": [sealed.ciphertext, f"{sealed}"]}
    HostConfig(s, "f", hosts=web, json=content, dest="/etc/f", delivery="plaintext")
    (problem,) = problems(s)
    assert "[s/f]" in problem
    assert "would hold the ciphertext of a: decrypt it with key.decrypt(…), or set allow_ciphertext=True" in problem
    s = stack()
    key = key_in(s, derived=True)
    web = Inventory(s, "i").group("web", ["w"])
    given = {"a": key.encrypt(Secret.env("A"), name="a").ciphertext}
    HostConfig(s, "f", hosts=web, json=given, dest="/etc/f", delivery="plaintext", allow_ciphertext=True)
    assert "allow_ciphertext: true" in files(s)["ansible/s/site.yml"]
