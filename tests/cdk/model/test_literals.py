# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A key written into a program is refused wherever it stands, and nothing repeats it, in whatever case."""

from __future__ import annotations

import base64
import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from mlkeys import (
    Agent,
    Annotations,
    AnsibleTask,
    App,
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
from mlkeys._synthesis.synth import synthesize
from tests.cdk.apps import app_of, key_in, stack
from tests.cdk.model.test_shared_schema import CLASSES, WITHOUT_KEYWORDS, keywords_of

CANARY = "sk-proj-CANARYcanary0123456789abcdef"
#: A keyword may take any of these.
FORMS: dict[str, Any] = {
    "text": CANARY,
    "list": [CANARY],
    "value": {"a": CANARY},
    "name": {CANARY: "a"},
    "nested": {"a": [{"b": f"x {CANARY}"}]},
    "bytes": CANARY.encode(),
    "template": Template(f"{{{{ x }}}}{CANARY}"),
}
#: Keys of no known form.
RANDOM: dict[str, str] = {
    "hexadecimal": hashlib.sha256(b"a").hexdigest(),
    "base64": base64.b64encode(hashlib.sha256(b"a").digest()).decode(),
}
#: What a construct needs besides the keyword in question.
REQUIRED: dict[str, dict[str, Any]] = {
    "mlkeys.AnsibleTask": {"task": {"ansible.builtin.debug": {"msg": "x"}}},
    "mlkeys.TerraformBlock": {"block": {"locals": {"a": 1}}},
    "mlkeys.HostConfig": {"dest": "/etc/x"},
    "mlkeys.transit.TransitSecretBackendKey": {"backend": "transit", "name": "k"},
    "mlkeys.transit.TransitSecretCacheConfig": {"backend": "transit", "size": 10},
    "mlkeys.transit.AppRole": {"token_policies": ["default"]},
}
CONTENTS = {"env", "json", "yaml", "toml", "exports", "template", "agent"}
CONSTRUCTS = {
    name: kind
    for name, kind in CLASSES.items()
    if issubclass(kind, Construct) and kind not in {*WITHOUT_KEYWORDS, Construct, App, Inventory}
}


def in_constructor(name: str, keyword: str, form: str) -> Callable[[Stack], object]:
    def plant(s: Stack) -> object:
        given = dict(REQUIRED.get(name, {}))
        if name == "mlkeys.EncryptedVars":
            given["key"] = key_in(s, "other")
        if name == "mlkeys.HostConfig":
            given["hosts"] = Inventory(s, "i").group("web", ["h"])
            given |= {} if keyword in CONTENTS else {"environment_file": {"A": "b"}}
        given[keyword] = FORMS[form]
        place = app_of(s) if name == "mlkeys.Stack" else s
        construct: Any = CONSTRUCTS[name]
        made = construct(place, "planted", **given)
        return made.allow("a", "read") if isinstance(made, vault.Policy) else made

    return plant


def agent(keyword: str, s: Stack, value: object) -> object:
    key, role = key_in(s, "other"), vault.AppRole(s, "r", token_policies=["default"])
    given: dict[str, Any] = {
        "command": ["/x"],
        "env": {"A": key.encrypt(Secret.env("A")).ciphertext},
        "role": role,
        "address": "a",
    }
    web = Inventory(s, "i").group("web", ["h"])
    return HostConfig(s, "f", hosts=web, dest="/etc/systemd/system/f.service", agent=Agent(**{**given, keyword: value}))


def encrypted(source: Callable[[Any], Secret], name: str | None, s: Stack, value: object) -> object:
    return key_in(s).encrypt(source(value), name=name)


def granted(verb: str, s: Stack, value: object) -> object:
    return getattr(key_in(s, derived=True), f"grant_{verb}")(vault.Policy(s, "p"), secrets=value)


def unknown(keyword: object) -> Any:
    return {str(keyword): 1}


def own_key(s: Stack, material: Any) -> object:
    return vault.TransitSecretBackendKey(s, "k", backend="transit", name="k", type="ed25519", material=material)


def methods() -> Iterator[tuple[str, Callable[[Stack, Any], object]]]:
    """Arguments of methods and functions."""
    yield "encrypt name", lambda s, v: key_in(s).encrypt(Secret.env("A"), name=v)
    yield "encrypt", lambda s, v: key_in(s).encrypt(v, name="x")
    for source in (Secret.env, Secret.file, Secret.prompt):
        yield f"Secret.{source.__name__}", partial(encrypted, source, "x")
        yield f"Secret.{source.__name__} unnamed", partial(encrypted, source, None)
    yield "Secret.kv path", lambda s, v: key_in(s).encrypt(Secret.kv(v, "field"))
    yield "Secret.kv field", lambda s, v: key_in(s).encrypt(Secret.kv("path", v))
    yield "Secret.kv mount", lambda s, v: key_in(s).encrypt(Secret.kv("path", "field", mount=v))
    yield "Secret.generated", lambda s, v: key_in(s).encrypt(Secret.generated(characters=v), name="x")
    yield "vars name", lambda s, v: EncryptedVars(s, "v", key=key_in(s)).add(v, Secret.env("A"))
    yield "vars secret", lambda s, v: EncryptedVars(s, "v", key=key_in(s)).add("a", v)
    yield "decrypt", lambda s, v: key_in(s).decrypt(v)
    yield "context", lambda s, v: key_in(s).decrypt("vault:v1:x", context=v)
    yield "datakey", lambda s, v: key_in(s).datakey(v)
    yield "sign", lambda s, v: key_in(s, type="ed25519").sign(v)
    yield "sign context", lambda s, v: key_in(s, type="ed25519").sign("x", context=v)
    yield "sign option", lambda s, v: key_in(s, type="ed25519").sign("x", salt_length=v)
    yield "sign choice", lambda s, v: key_in(s, type="rsa-2048").sign("x", signature_algorithm=v)
    yield "unknown option", lambda s, v: key_in(s, type="ed25519").sign("x", **unknown(v))
    yield "verify", lambda s, v: key_in(s, type="ed25519").verify("x", v)
    yield "material", own_key
    yield "material source", lambda s, v: own_key(s, vault.KeyMaterial(v))
    yield "material place", lambda s, v: own_key(s, vault.KeyMaterial(Secret.env(v)))
    yield "material passphrase", lambda s, v: own_key(s, vault.KeyMaterial(Secret.env("A"), passphrase=v))
    yield "material encoding", lambda s, v: own_key(s, vault.KeyMaterial(Secret.env("A"), encoding=v))
    yield from ((f"grant_{verb}", partial(granted, verb)) for verb in ("encrypt", "decrypt", "rewrap"))
    yield "override", lambda s, v: key_in(s).add_override("description", v)
    yield "override path", lambda s, v: key_in(s).add_override(f"a.{v}", 1)
    yield "override for one", lambda s, v: key_in(s).add_override("x.y", v, target="terraform")
    yield "configure", lambda s, v: key_in(s).configure(type=v)
    yield "unknown keyword", lambda s, v: key_in(s).configure(**unknown(v))
    yield "allow path", lambda s, v: vault.Policy(s, "p").allow(v, "read")
    yield "allow capability", lambda s, v: vault.Policy(s, "p").allow("a", v)
    yield "allow parameters", lambda s, v: vault.Policy(s, "p").allow("a", "read", parameters={"x": v})
    yield "allow parameter", lambda s, v: vault.Policy(s, "p").allow("a", "read", parameters={v: []})
    yield "group name", lambda s, v: Inventory(s, "i").group(v, ["h"])
    yield "group hosts", lambda s, v: Inventory(s, "i").group("web", v)
    yield "group variables", lambda s, v: Inventory(s, "i").group("web", ["h"], variables={"a": v})
    yield "group variable", lambda s, v: Inventory(s, "i").group("web", ["h"], variables={v: 1})
    yield "id", Construct
    yield "id alone", lambda _, v: Construct(v)
    yield "output", lambda s, v: export("o", v, scope=s)
    yield "output name", lambda s, v: export(v, "x", scope=s)
    yield "output description", lambda s, v: export("o", "x", scope=s, description=v)
    yield "note", lambda s, v: Annotations.of(s).info(v)
    yield "warning", lambda s, v: Annotations.of(s).warning("w", v)
    yield "error", lambda s, v: Annotations.of(s).error(v)
    yield "metadata", lambda s, v: s.node.add_metadata("info", v)
    yield "duration", lambda s, v: vault.AppRole(s, "r", token_policies=["default"], token_ttl=Duration.parse(v))
    yield from ((f"agent {name}", partial(agent, name)) for name in sorted(keywords_of(Agent)))


def in_method(plant: Callable[[Stack, Any], object], form: str) -> Callable[[Stack], object]:
    return lambda s: plant(s, FORMS[form])


PLACES = {
    f"{name} {keyword} {form}": in_constructor(name, keyword, form)
    for name, kind in CONSTRUCTS.items()
    for keyword in sorted(keywords_of(kind))
    for form in FORMS
} | {f"{name} {form}": in_method(plant, form) for name, plant in methods() for form in FORMS}


def outcome(plant: Callable[[Stack], object]) -> tuple[str, Mapping[str, str]]:
    """What is shown of an app with the canary in it, and its files when it is not refused."""
    s = stack("s")
    vault.TransitSecretBackend(s, "engine", path="other")
    try:
        plant(s)
        made = synthesize(app_of(s), sources={"a.j2": ""})
    except MlkeysError as refusal:
        return str(refusal), {}
    except (TypeError, AttributeError, KeyError, ValueError) as mistake:
        # Python itself refuses a value of a wrong type, and nothing is written.
        return f"{type(mistake).__name__}: {mistake}", {}
    return "\n".join(map(str, made.warnings)), made.files


@pytest.mark.parametrize("place", PLACES)
def test_a_literal_is_refused_or_left_out_and_never_repeated(place: str) -> None:
    shown, files = outcome(PLACES[place])
    assert "canary" not in shown.lower(), shown
    assert not [name for name, text in files.items() if "canary" in f"{name}\n{text}".lower()]


#: What is random and no secret.
PUBLIC = {"context", "sign", "verify"}
#: Keywords that take no text, so that a text there is a mistake of another kind.
TEXTS = [place for place in PLACES if place.endswith(" text")]


@pytest.mark.parametrize("place", TEXTS)
def test_a_literal_as_text_is_refused(place: str) -> None:
    shown, files = outcome(PLACES[place])
    assert shown
    assert not files


PLACES_OF_RANDOM = [place.removesuffix(" text") for place in TEXTS]


@pytest.mark.parametrize("place", PLACES_OF_RANDOM)
@pytest.mark.parametrize("form", RANDOM)
def test_a_random_literal_is_refused_or_left_out_and_never_repeated(place: str, form: str) -> None:
    before = dict(FORMS)
    FORMS["text"] = RANDOM[form]
    try:
        shown, files = outcome(PLACES[f"{place} text"])
    finally:
        FORMS.update(before)
    assert RANDOM[form].lower() not in shown.lower(), shown
    assert bool(shown) == bool(not files) == (place not in PUBLIC)


def warnings_about(env: dict[str, str]) -> list[str]:
    s = stack("s")
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "f", hosts=web, dest="/etc/x", env=env)
    return [one.message for one in synthesize(app_of(s)).warnings]


@pytest.mark.parametrize("text", ["hunter2", "swordfish", "Winter2024!", "correct horse battery staple", "1234"])
def test_a_text_that_its_name_alone_makes_a_secret_is_a_warning(text: str) -> None:
    (shown,) = warnings_about({"DB_PASSWORD": text, "GREETING": text})
    assert shown.startswith("warning literal-secret: ")
    assert "'DB_PASSWORD'" in shown
    assert text not in shown


STAND_INS = ["", "no", "xxxxxxxx", "****", "${PASSWORD}", "$PASSWORD", "os.environ/DB_PASSWORD", "env:DB"]
STAND_INS += ["https://x.example.com", "/run/secrets/db", "{{ password }}", "<secret>", "changeme", "None", "password"]


@pytest.mark.parametrize("text", STAND_INS)
def test_a_text_that_stands_for_a_secret_is_none(text: str) -> None:
    assert not warnings_about({"DB_PASSWORD": text})


def test_a_form_of_each_kind_is_found_in_nested_data() -> None:
    for construct, keyword in ((AnsibleTask, "task"), (TerraformBlock, "block")):
        s = stack()
        construct(s, "c", **{keyword: {"a": [{"b": (CANARY,)}]}})
        with pytest.raises(MlkeysError, match="an API key"):
            synthesize(app_of(s))


def test_a_literal_in_a_template_is_refused() -> None:
    s = stack("s")
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "f", hosts=web, dest="/etc/x", template="a.j2")
    with pytest.raises(MlkeysError, match=r"the template 'a\.j2' holds what looks like an API key") as refusal:
        synthesize(app_of(s), sources={"a.j2": f"key: {{{{ x }}}}\nother: {CANARY}\n"})
    assert "canary" not in str(refusal.value).lower()


def test_a_literal_as_target_is_refused() -> None:
    wrong: Any = CANARY
    app = App(targets=[wrong])
    key_in(Stack(app, "s"))
    with pytest.raises(MlkeysError) as refusal:
        synthesize(app)
    assert "canary" not in str(refusal.value).lower()


def test_every_public_construct_is_walked() -> None:
    assert len(CONSTRUCTS) == 11
    assert inspect.isclass(CONSTRUCTS["mlkeys.Stack"])


HEX = "9f86d081884c7d659a2feaa0c55ad015"
NAMED: dict[str, Callable[[Stack], object]] = {
    "environment": lambda s: HostConfig(
        s, "f", hosts=Inventory(s, "i").group("web", ["h"]), dest="/x", env={"AZURE_OPENAI_API_KEY": HEX}
    ),
    "nested": lambda s: HostConfig(
        s, "f", hosts=Inventory(s, "i").group("web", ["h"]), dest="/x", yaml={"azure": [{"api_key": HEX}]}
    ),
    "manifest": lambda s: AnsibleTask(
        s, "t", task={"a.b.c": {"env": [{"name": "AZURE_OPENAI_API_KEY", "value": HEX}]}}
    ),
    "provider": lambda s: TerraformBlock(s, "b", block={"provider": {"vault": {"token": HEX * 2}}}),
    "variables": lambda s: Inventory(s, "i").group("web", ["h"], variables={"azure_openai_api_key": HEX}),
    "host": lambda s: Inventory(s, "i").group("web", {"h": {"azure_openai_api_key": HEX}}),
    "output": lambda s: export("azure_openai_api_key", HEX, scope=s),
    "base64": lambda s: export("o", f"Basic {base64.b64encode(f'u:{CANARY}'.encode()).decode()}", scope=s),
}


@pytest.mark.parametrize("place", NAMED)
def test_a_literal_that_its_name_or_base64_shows_is_refused(place: str) -> None:
    shown, files = outcome(NAMED[place])
    assert "do not write secrets into a program" in shown
    assert HEX not in shown
    assert base64.b64encode(CANARY.encode()).decode()[4:-4] not in shown
    assert not files


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AZURE_OPENAI_ENDPOINT", "https://azure-9f86d081884c7d65.example.com/openai/v1"),
        ("token", "${var.vault_token_with_1_digit_and_more}"),
        ("image.digest", HEX * 2),
        ("api_key", "os.environ/AZURE_API_KEY_1"),
        ("token", "0" * 32),
    ],
)
def test_what_its_name_does_not_make_a_secret_is_written(name: str, value: str) -> None:
    s = stack("s")
    TerraformBlock(s, "b", block={"locals": {name: value}})
    assert value in synthesize(app_of(s)).files["terraform/s/cdk.tf.json"]


@pytest.mark.parametrize(
    "text",
    [
        "6f1c2f0e-8a3d-4b57-9c1e-2d7a5b0f4e63",
        f"sha256:{HEX * 2}",
        f"registry.example.com/litellm@sha256:{HEX * 2}",
        f"registry.example.com/acme/litellm:main-{HEX}12345678",
        f"git checkout {HEX}12345678",
        f"https://example.com/acme/archive/{HEX}12345678.tar.gz?download=1",
        f"/srv/releases/{HEX}12345678/bin/gateway --port 4000",
        "/nix/store/0c1vl5l2hq5xxw4jgfx2zbn3yckkjy0f-systemd/bin/systemctl restart gateway",
        "sha384-" + base64.b64encode(hashlib.sha384(b"a").digest()).decode(),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + base64.b64encode(hashlib.sha256(b"a").digest()).decode()[:43],
        "HuggingFaceH4/zephyr-7b-beta",
        "meta-llama/Meta-Llama-3.1-405B-Instruct-FP8",
        "gpt-4o-mini-realtime-preview-2024-12-17",
        "InputUnionMember1DecisionInputCustomToolCallOutput",
        "arn:aws:iam::123456789012:role/LiteLLMGatewayProdEuCentral1",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "1" * 40,
        "rg-llm-gateway-prod-westeurope-001",
    ],
)
def test_what_is_public_is_written(text: str) -> None:
    s = stack("s")
    AnsibleTask(s, "t", task={"ansible.builtin.debug": {"msg": text}})
    assert any(text in content for content in synthesize(app_of(s)).files.values())


@pytest.mark.parametrize(
    "text",
    [
        f"curl -H 'Authorization: Bearer {RANDOM['hexadecimal']}' https://example.com/restart",
        f"postgres://litellm:{RANDOM['base64'].translate(str.maketrans('+/', '-_'))}@db.example.com/litellm",
        f"/bin/restart --credential={RANDOM['base64']}",
        f"https://example.com/hook?code={RANDOM['hexadecimal']}",
    ],
)
def test_a_random_key_within_a_text_is_refused(text: str) -> None:
    s = stack("s")
    web = Inventory(s, "i").group("web", ["h"])
    HostConfig(s, "f", hosts=web, dest="/x", env={"A": "b"}, restart=text)
    with pytest.raises(MlkeysError, match="restart holds what looks like a random key: do not") as refusal:
        synthesize(app_of(s))
    assert not any(random in str(refusal.value) for random in RANDOM.values())


@pytest.mark.parametrize("name", ["git_commit", "release.sha256", "tenantId", "SSH_PUBLIC_KEY", "image"])
def test_a_random_text_under_a_public_name_is_written(name: str) -> None:
    s = stack("s")
    TerraformBlock(s, "b", block={"locals": {name: RANDOM["hexadecimal"]}})
    assert RANDOM["hexadecimal"] in synthesize(app_of(s)).files["terraform/s/cdk.tf.json"]


@pytest.mark.parametrize("name", ["LITELLM_SALT_KEY", "secret_id", "db.password"])
def test_a_shorter_random_text_under_the_name_of_a_secret_is_refused(name: str) -> None:
    s = stack("s")
    TerraformBlock(s, "b", block={"locals": {name: RANDOM["base64"][:20]}})
    with pytest.raises(MlkeysError, match="holds what looks like a secret under the name"):
        synthesize(app_of(s))


def test_a_random_text_that_is_public_can_be_acknowledged() -> None:
    s = stack("s")
    vault.TransitSecretBackend(s, "engine", path="other", description=f"account {RANDOM['hexadecimal']}")
    Annotations.of(s).acknowledge("random-text")
    assert any(RANDOM["hexadecimal"] in text for text in synthesize(app_of(s)).files.values())


def test_a_random_key_in_a_template_is_refused() -> None:
    s = stack("s")
    HostConfig(s, "f", hosts=Inventory(s, "i").group("web", ["h"]), dest="/etc/x", template="a.j2")
    text = f"key: {{{{ x }}}}\nother: {RANDOM['base64']}\ncommit: {RANDOM['hexadecimal']}\n"
    with pytest.raises(MlkeysError, match="the template holds what looks like a random key"):
        synthesize(app_of(s), sources={"a.j2": text})
