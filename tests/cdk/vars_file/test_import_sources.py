# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys import` from a KV engine and from files of other programs. And: after an import of any source, `mlkeys run`
and Ansible show what the old tool showed."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from click.testing import CliRunner

from mlkeys._cli import main
from mlkeys._commands.vars_file.import_more import removal
from mlkeys._errors import MlkeysError
from mlkeys._import.kv_source import kv_values
from mlkeys._import.litellm_source import litellm_configuration
from mlkeys._import.selection import Wishes, select
from mlkeys._import.values import NUMBER, Source, Value
from tests.cdk import keys
from tests.cdk.stores import KEY, decrypted, token_for
from tests.cdk.vars_file.importing import ANTHROPIC, OPENAI, OTHER, TARGET, Importing, sealed
from tests.support.server import Bao

REFERS = re.compile(r"\{\{")
PEM = keys.private_key() + "\n"


@pytest.fixture(autouse=True)
def login(import_login: None) -> None:
    """For all tests here."""


# All of them


def test_a_secret_in_the_place_of_a_name_is_not_shown(importing: Importing) -> None:
    random = "Zx81kQmT0aLrB7vYc2Wd"
    bare = [OPENAI, "hunter2x", "x" * 65, f"{OPENAI}=1", random, f"{random}==", f"export {random}"]
    Path(".env").write_text("A=1\n" + "\n".join(bare) + "\nFROM_SHELL\n")
    items = "".join(f"      - {one!r}\n" for one in bare)
    Path("compose.yaml").write_text(f"services:\n  a:\n    environment:\n{items}      - A=1\n")
    Path("secret.yaml").write_text(f"kind: Secret\nstringData: {{{OPENAI}: }}\n")
    for source in (("dotenv", ".env"), ("compose", "compose.yaml"), ("kubernetes", "secret.yaml")):
        for options in ((), ("--skip-empty",), ("--dry-run",)):
            done = importing(*source, *options, status=1)
            assert not [one for one in (*bare, random, OPENAI) if one.lower() in done.output.lower()], done.output
    assert (
        "line_2 (line 2) assigns nothing, and is not shown: use --skip line_2"
        in importing("dotenv", ".env", status=1).stderr
    )
    skips = [word for line in range(2, 9) for word in ("--skip", f"line_{line}")]
    done = importing("dotenv", ".env", *skips, "--skip-empty")
    assert not [one for one in bare if one.lower() in done.output.lower()], done.output
    assert "from_shell" in done.output.lower()


def test_what_cannot_be_read_is_not_empty(importing: Importing) -> None:
    Path("secret.yaml").write_text("kind: Secret\ndata: {bin: //79, ok: YQ==, none: ''}\n")
    done = importing("kubernetes", "secret.yaml", "--skip-empty", status=1)
    assert "bin (line 2) contains binary data, and variables are text: use --skip bin" in done.stderr
    Path(".env").write_text(f"A=1\n#{'x' * 100_000}\nB=x\0y\n")
    assert "B (line 3) contains a NUL character" in importing("dotenv", ".env", status=1).stderr


def test_values_with_the_same_name_and_place_are_renamed_in_the_source() -> None:
    values = kv_values({"a": {"b": "1"}, "a.b": "2"}, "kv/a")
    with pytest.raises(MlkeysError, match=r"would become a_b\. Rename one"):
        select(Source("kv/a", tuple(values)), Wishes(flatten=True))


def test_fields_of_a_secret_in_the_wrong_case_are_named(importing: Importing) -> None:
    Path("secret.yaml").write_text("kind: Secret\nData: {a: YQ==}\nstringdata: {b: x}\nstringData: {c: y}\n")
    done = importing("kubernetes", "secret.yaml", "--flatten", status=1)
    for name in ("Data.a (line 2)", "stringdata.b (line 3)"):
        assert f"{name} is in a field that Kubernetes does not know: it is data: or stringData:" in done.stderr


def test_lines_that_assign_nothing_are_decided_like_others(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text("A=1\nK: yaml\nN='it''s'\nB=$(id)\nC=\"open\nD=2\n")
    done = importing("dotenv", ".env", status=1)
    for line in (2, 3, 5):
        assert f"line_{line} (line {line}) is not an assignment (NAME=value)" in done.stderr
        assert f"use --skip line_{line}" in done.stderr
    assert "B (line 4) refers to something else" in done.stderr
    importing("dotenv", ".env", "--only", "D")
    importing("dotenv", ".env", *(word for line in (2, 3, 5) for word in ("--skip", f"line_{line}")), "--literal")
    assert decrypted(bao, TARGET) == {"a": "1", "b": "$(id)", "d": "2"}


def test_a_name_that_no_variable_can_have_is_on_the_first_screen() -> None:
    with pytest.raises(MlkeysError) as raised:
        select(Source("a.yml", (Value(("yes_",), "1", NUMBER), Value(("1st",), "{{ x }}")), REFERS), Wishes())
    for words in ("yes_ is a number", "would become 'yes'", "1st refers to something else", "would become '1st'"):
        assert words in str(raised.value)


def test_another_object_is_not_empty(importing: Importing) -> None:
    Path("a.yaml").write_text(
        "kind: Secret\nstringData: {a: x}\n---\nkind: ConfigMap\nmetadata: {name: c}\ndata: {K: x}\n"
    )
    done = importing("kubernetes", "a.yaml", "--skip-empty")
    assert "not a Secret" in done.output
    assert "--skip-empty" not in done.output


# KV


@pytest.fixture
def kv(bao: Bao, mount: str, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An engine of each version, and a token that may also read them."""
    for version in "12":
        bao.done("POST", f"sys/mounts/kv{version}-{mount}", {"type": "kv", "options": {"version": version}})
    rules = f'path "kv1-{mount}/*" {{ capabilities = ["read"] }}\npath "kv2-{mount}/*" {{ capabilities = ["read"] }}'
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "encrypt", "hmac", "verify", rules=rules))
    yield mount
    for version in "12":
        bao.done("DELETE", f"sys/mounts/kv{version}-{mount}")


def test_a_secret_of_a_kv_engine_of_each_version(bao: Bao, importing: Importing, kv: str) -> None:
    bao.done("POST", f"kv1-{kv}/ml", {"openai": OPENAI, "data": OTHER})
    bao.done("POST", f"kv2-{kv}/data/ml", {"data": {"openai": "an older one"}})
    bao.done("POST", f"kv2-{kv}/data/ml", {"data": {"Anthropic-Key": ANTHROPIC, "data": {"key": "x"}, "port": 1.50}})
    importing("kv", f"kv1-{kv}/ml")
    assert "is an address" in importing("kv", f"{bao.addr}/v1/kv2-{kv}/data/ml", status=1).stderr
    done = importing("kv", f"/v1/kv2-{kv}/data/ml", status=1)
    assert "port is a number: use --as-text" in done.stderr
    done = importing("kv", f"kv2-{kv}/data/ml", "--flatten", "--as-text", "--rename", "data.key=x")
    assert f"bao kv metadata delete kv2-{kv}/ml" in done.stderr
    assert "bao delete" not in done.stderr
    assert decrypted(bao, TARGET) == {
        "openai": OPENAI,
        "data": OTHER,
        "anthropic_key": ANTHROPIC,
        "x": "x",
        "port": "1.5",
    }


def test_a_secret_with_skipped_fields_is_not_to_be_deleted(bao: Bao, importing: Importing, kv: str) -> None:
    bao.done("POST", f"kv1-{kv}/ml", {"a": OPENAI, "b": OTHER, "c": ""})
    for options in (("--only", "a", "--only", "b", "--skip", "c"), ("--skip-empty",), ("--only", "a")):
        done = importing("kv", f"kv1-{kv}/ml", *options)
        assert "write the old secret again without the imported fields. Do not delete it" in done.stderr
        assert "bao delete" not in done.stderr


@pytest.mark.parametrize(
    ("path", "version", "command"),
    [
        ("kv/a", "1", "bao delete kv/a"),
        ("kv/data/a", "1", "bao delete kv/data/a"),
        ("a b/data/c/data/d", "2", "bao kv metadata delete 'a b/c/data/d'"),
        ("kv/data/a", "", "bao kv metadata delete kv/a (version 2 of the engine), or bao delete kv/data/a (version 1)"),
        ("kv/a", "", "bao delete kv/a"),
    ],
)
def test_the_command_that_deletes_an_old_secret(path: str, version: str, command: str) -> None:
    made = settings_from({"url": "https://a.test"}, {"BAO_ADDR": "https://a.test"}).connection
    assert removal(path, version, Client(made, print, plain=True).command) == command


def test_the_command_that_deletes_goes_where_the_secret_was_read() -> None:
    made = settings_from({"url": "https://a.test", "namespace": "org"}, {"BAO_ADDR": "https://b.test"}).connection
    assert (
        removal("kv/data/a", "2", Client(made, print, plain=True).command)
        == "bao kv metadata delete -address=https://a.test -namespace=org kv/a"
    )


def test_a_secret_of_version_1_that_looks_like_version_2(bao: Bao, importing: Importing, kv: str) -> None:
    looks_so = {"data": {"x": "inner"}, "metadata": {"version": 3}}
    bao.done("POST", f"kv1-{kv}/data/ml", {**looks_so, "openai": OPENAI})
    bao.done("POST", f"kv1-{kv}/data/two", looks_so)
    done = importing("kv", f"kv1-{kv}/data/ml", "--flatten", "--as-text")
    assert decrypted(bao, TARGET) == {"openai": OPENAI, "data_x": "inner", "metadata_version": "3"}, done.output
    TARGET.unlink()
    importing("kv", f"kv1-{kv}/data/two", "--flatten", "--as-text")
    assert decrypted(bao, TARGET) == {"data_x": "inner", "metadata_version": "3"}


@pytest.mark.parametrize(
    ("path", "more", "about", "version", "names"),
    [
        ("kv/data/a", {}, {}, "1", ["data.x", "metadata.version"]),
        ("kv/data/a", {}, {}, "2", ["x"]),
        ("kv/data/a", {"openai": "y"}, {}, "", ["data.x", "metadata.version", "openai"]),
        ("kv/a", {}, {}, "", ["data.x", "metadata.version"]),
        ("kv/data/a", {}, dict.fromkeys(("created_time", "deletion_time", "destroyed"), ""), "", ["x"]),
    ],
)
def test_only_what_version_2_wraps_is_unwrapped(
    path: str, more: dict[str, Any], about: dict[str, Any], version: str, names: list[str]
) -> None:
    data = {"data": {"x": "z"}, "metadata": {"version": 3, **about}, **more}
    assert [value.name for value in kv_values(data, path, version)] == names


def test_a_secret_of_an_unknown_version_is_not_guessed() -> None:
    with pytest.raises(MlkeysError, match="the secret with x if the engine has version 2, and one with data and"):
        kv_values({"data": {"x": "secret"}, "metadata": {"version": 3}}, "kv/data/a")


def test_references_in_a_kv_engine_are_decided_by_the_user(importing: Importing, bao: Bao, kv: str) -> None:
    bao.done("POST", f"kv1-{kv}/ml", {"a": "{{ b }}", "c": "plain"})
    assert (
        "a refers to something else, or is encrypted: use --literal" in importing("kv", f"kv1-{kv}/ml", status=1).stderr
    )


def test_what_an_engine_keeps_about_a_secret_is_refused(importing: Importing, bao: Bao, kv: str) -> None:
    bao.done("POST", f"kv2-{kv}/data/about", {"data": {"a": "one"}})
    done = importing("kv", f"kv2-{kv}/metadata/about", "--flatten", "--as-text", "--skip-empty", status=1)
    assert f"Import kv2-{kv}/data/about" in done.stderr


def test_a_secret_of_a_kv_engine_that_is_not_there(bao: Bao, importing: Importing, kv: str) -> None:
    bao.done("POST", f"kv2-{kv}/data/ml", {"data": {"a": "1"}})
    bao.done("DELETE", f"kv2-{kv}/data/ml")
    for path in (f"kv2-{kv}/data/ml", f"kv2-{kv}/data/other", f"kv1-{kv}/other"):
        done = importing("kv", path, status=1)
        assert f"There is no secret at {path}" in done.stderr
        # A hint about the other version does not help.
        assert ("is secret/data/ml" in done.stderr) is path.startswith("kv2")
    assert "permission denied" in importing("kv", "sys/mounts", status=1).stderr.lower()
    assert not TARGET.exists()


# Docker Compose

COMPOSE = """
x-common: &common
  LOG_LEVEL: info
services:
  gateway:
    image: litellm
    environment:
      <<: *common
      OPENAI_API_KEY: {openai}
      PASSWORD: pa$$word
      DB: one
  worker:
    environment:
      - OPENAI_API_KEY={openai}
      - DB=two=2
      - "HF_TOKEN= hf "
  plain: {{image: x}}
"""


def test_the_environment_of_services(bao: Bao, importing: Importing) -> None:
    Path("compose.yaml").write_text(COMPOSE.format(openai=OPENAI))
    assert "--flatten to import them as gateway_db" in importing("compose", "compose.yaml", status=1).stderr
    done = importing("compose", "compose.yaml", "--flatten", "--skip", "LOG_LEVEL")
    assert decrypted(bao, TARGET) == {
        "openai_api_key": OPENAI,
        "password": "pa$word",
        "gateway_db": "one",
        "worker_db": "two=2",
        "hf_token": " hf ",
    }
    assert "in plain text: delete them there" in done.stderr


@pytest.mark.parametrize("value", ["${KEY}", "$KEY", "$$${KEY:-x}", "op://a/b/c"])
def test_what_compose_fills_in_is_not_the_secret(bao: Bao, importing: Importing, value: str) -> None:
    Path("compose.yaml").write_text(json.dumps({"services": {"a": {"environment": {"KEY": value}}}}))
    assert "KEY (line 1) refers to something else" in importing("compose", "compose.yaml", status=1).stderr
    importing("compose", "compose.yaml", "--literal")
    assert decrypted(bao, TARGET) == {"key": value}


def test_a_variable_from_the_shell_has_no_value(importing: Importing) -> None:
    Path("compose.yaml").write_text("services: {a: {environment: [A, B=]}, b: {environment: {C: , D: 1.0, E: yes}}}\n")
    stderr = importing("compose", "compose.yaml", status=1).stderr
    for words in ("A (line 1) contains nothing", "B (line 1) is empty", "C (line 1) contains nothing", "D (line 1) is"):
        assert words in stderr
    assert "nothing, since Compose takes the value from its own environment: use --skip-empty, or --skip A" in stderr
    Path("compose.yaml").write_text("services: {a: {environment: [A, B=x]}}\n")
    done = importing("compose", "compose.yaml", "--skip-empty")
    assert "1 of its values was skipped." in done.stderr, "it exists in no file"
    Path("compose.yaml").write_text("services: {a: {image: x}}\n")
    assert "has no environment:" in importing("compose", "compose.yaml", status=1).stderr


def test_what_compose_gives_elsewhere_is_named(importing: Importing) -> None:
    Path("compose.yaml").write_text(f"""\
services:
  a:
    environment: {{A: x}}
    post_start: [{{command: [x], environment: {{PW: {OTHER}}}}}]
    pre_stop: [{{command: [run, --password={OTHER}], environment: ["PW={OTHER}"]}}]
    provider: {{type: x, options: {{size: {OTHER}}}}}
    command: redis-server --requirepass {OTHER}
    entrypoint: [run, --token-file, /run/x, --api-key, "{OTHER}", pg://u:correct@h]
    healthcheck: {{test: "curl -f http://localhost/token && PGPASSWORD=$$PW run --secret $$S"}}
    labels: {{traefik.basicauth.users: {OTHER}, other: x, my.token: "${{T}}"}}
""")
    done = importing("compose", "compose.yaml", status=1)
    for name in ("post_start.0.environment.PW", "pre_stop.0.environment.0", "provider.options.size"):
        assert f"services.a.{name} (line" in done.stderr
    left = ("post_start", "pre_stop.0.environment", "provider")
    skips = [word for one in left for word in ("--skip", f"services.a.{one}")]
    done = importing("compose", "compose.yaml", *skips)
    named = {line.split()[0] for line in done.stdout.splitlines() if "not in environment:" in line}
    rest = ("pre_stop.0.command.1", "command", "entrypoint.3", "entrypoint.5", "labels.traefik.basicauth.users")
    assert named == {f"services.a.{one}" for one in rest}


def test_nothing_in_a_compose_file_is_dropped_silently(bao: Bao, importing: Importing) -> None:
    text = f"""\
include: [base.yaml]
configs: {{a: {{content: {OTHER}}}}}
services:
  a: {{environment: "A={OTHER}", env_file: .env, extends: {{service: b}}}}
  b: {{environment: {{B: {{c: {OTHER}}}, 1: one}}, build: {{args: {{D: {OTHER}}}}}}}
  c: {{environment: [[{OTHER}], {{E: {OTHER}}}, F=x, G=first, G=second]}}
  d: {{environment: {{}}, command: [run, {OPENAI}]}}
"""
    text = text.replace("G=first, G=second", "G=first,\n    G=second")
    Path("compose.yaml").write_text(text)
    done = importing("compose", "compose.yaml", status=1)
    for words in (
        "configs.a.content (line 2) is not in environment:",
        "services.a.environment (line 4) has a shape that Compose refuses",
        "services.b.environment.B.c (line 5) has a shape that Compose refuses",
        "1 (line 5) would become '1'",
        "services.b.build.args.D (line 5) is not in environment:",
        "services.c.environment.0.0 (line 6) has a shape that Compose refuses",
        "services.c.environment.1.E (line 6) has a shape that Compose refuses",
        "services.d.command.1 (line 8) is not in environment:",
        "G (line 6), G (line 7): all of them would become g. Choose with --skip 'G (line 6)', or define it once",
    ):
        assert words in done.stderr
    skipped = ("configs", "services.a.environment", "services.b", "services.c", "services.d", "1", "G (line 6)")
    done = importing("compose", "compose.yaml", *(word for name in skipped for word in ("--skip", name)))
    assert decrypted(bao, TARGET) == {"f": "x", "g": "second"}
    for words in ("a .env file; import it", "a service elsewhere", "another file of Compose"):
        assert words in done.stdout


def test_one_of_several_services_is_chosen_as_the_help_shows(bao: Bao, importing: Importing) -> None:
    Path("compose.yaml").write_text(COMPOSE.format(openai=OPENAI))
    example = CliRunner().invoke(main, ["import", "compose", "--help"]).stdout
    arguments = ("--only", "gateway.OPENAI_API_KEY", "--rename", "gateway.OPENAI_API_KEY=openai_api_key")
    assert " ".join(arguments) in " ".join(example.split())
    done = importing("compose", "compose.yaml", "--only", "gateway.DB", "--rename", "gateway.DB=db")
    assert decrypted(bao, TARGET) == {"db": "one"}
    assert "not in --only" in done.stdout


# Kubernetes


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def a_secret(name: str, **parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **parts}


def test_secrets_of_kubernetes(bao: Bao, importing: Importing) -> None:
    one = a_secret("ml", data={"OPENAI_API_KEY": coded(OPENAI), "a": coded("hidden"), "same": coded("x")})
    one["stringData"] = {"a": ANTHROPIC}
    two = a_secret("db", data={"tls.key": coded(PEM), "same": coded("x"), "a": coded("of db")})
    Path("all.yaml").write_text(yaml.safe_dump_all([one, {"kind": "ConfigMap", "data": {"x": "y"}}, two]) + "---\n")
    done = importing("kubernetes", "all.yaml", "--flatten")
    assert decrypted(bao, TARGET) == {
        "openai_api_key": OPENAI,
        "ml_a": ANTHROPIC,
        "db_a": "of db",
        "same": "x",
        "tls_key": PEM,
    }
    assert "hidden" not in done.output
    listed = {"apiVersion": "v1", "kind": "List", "items": [one, two]}
    arguments = ["import", "kubernetes", "-", "--to", "b.transit.yml", "--key", KEY, "--flatten"]
    arguments += ["--backend", yaml.safe_load(TARGET.read_text())["_transit"]["backend"]]
    assert CliRunner().invoke(main, arguments, input=json.dumps(listed)).exit_code == 0
    assert decrypted(bao, Path("b.transit.yml")) == decrypted(bao, TARGET)


def test_what_is_not_a_readable_secret_of_kubernetes(importing: Importing) -> None:
    data = {"binary": base64.b64encode(b"\xff\xfe").decode(), "wrong": "no base64!", "empty": ""}
    Path("s.yaml").write_text(yaml.safe_dump(a_secret("s", data=data)))
    stderr = importing("kubernetes", "s.yaml", status=1).stderr
    for words in ("contains binary data", "contains data that is not base64", "is empty"):
        assert words in stderr
    Path("s.yaml").write_text("kind: SealedSecret\n---\nkind: ConfigMap\n")
    assert (
        "contains no Secret of Kubernetes, but ConfigMap, SealedSecret"
        in importing("kubernetes", "s.yaml", status=1).stderr
    )


def test_nothing_in_a_manifest_is_dropped_silently(bao: Bao, importing: Importing) -> None:
    listed = {"kind": "SecretList", "items": [{"metadata": {"name": "l"}, "data": {"in_list": coded("x")}}, "lost"]}
    others = [{"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": OTHER}}, {"metadata": {"name": OTHER}}]
    wrong = a_secret("w", data="text", stringData={"deep": {"er": OTHER}, "list": [1]})
    same = [a_secret("n", data={"of": coded(space)}) for space in ("dev", "prod")]
    for one, space in zip(same, ("dev", "prod"), strict=True):
        one["metadata"]["namespace"] = space
    twice = f"kind: Secret\ndata:\n  twice: {coded('1')}\n  twice: {coded('2')}\n  hidden: {coded('y')}\n"
    text = yaml.safe_dump_all([listed, *others, wrong, *same]) + f"---\n{twice}stringData: {{hidden: y}}\n"
    Path("s.yaml").write_text(text)
    done = importing("kubernetes", "s.yaml", status=1)
    for words in (
        "is in an object without a kind",
        "items.1 (line 6) is in an object",
        "w.data (line 19) has a shape that Kubernetes refuses",
        "w.stringData.deep.er (line 25) has a shape",
        "w.stringData.list.0 (line 27) has a shape",
        "all of them would become twice. Choose with --skip 'twice (line ",
    ):
        assert words in done.stderr
    line = 1 + text.splitlines().index(f"  twice: {coded('1')}")
    skipped = ("items.1", "metadata.name", "w", f"twice (line {line})")
    arguments = [word for name in skipped for word in ("--skip", name)]
    done = importing("kubernetes", "s.yaml", "--flatten", *arguments)
    assert decrypted(bao, TARGET) == {
        "in_list": "x",
        "dev_n_of": "dev",
        "prod_n_of": "prod",
        "twice": "2",
        "hidden": "y",
    }
    assert "not a Secret" in done.stdout


# LiteLLM

LITELLM = """\
# The gateway
model_list:
  - model_name: gpt-4o   # the good one
    litellm_params: {{model: openai/gpt-4o, api_key: {openai}}}
  - model_name: gpt-4o-mini
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: "{openai}"  # the same key
      max_tokens: 100
  - model_name: claude
    litellm_params:
      model: anthropic/claude
      api_key: &shared {anthropic}
  - model_name: claude-old
    litellm_params:
      model: anthropic/claude-2
      api_key: *shared
  - model_name: claude-other
    litellm_params:
      model: anthropic/claude-3
      api_key: 'another-key'
  - model_name: claude-other
    litellm_params:
      model: anthropic/claude-3
      api_key: |
        a-third-key
      # after the block
  - model_name: later
    litellm_params: {{model: mistral/large, api_key: os.environ/MISTRAL_API_KEY}}
general_settings:
  master_key: sk-1234
  database_url: postgresql://a:b@c/d
environment_variables:
  HF_TOKEN: hf-value
litellm_settings:
  drop_params: true
"""


def litellm_shows(text: str, environment: dict[str, str]) -> Any:
    """The configuration as LiteLLM reads it: it replaces what begins with os.environ/."""

    def filled(content: Any) -> Any:
        if isinstance(content, dict):
            return {name: filled(inner) for name, inner in content.items()}
        if isinstance(content, list):
            return [filled(inner) for inner in content]
        if isinstance(content, str) and content.startswith("os.environ/"):
            return environment.get(content.removeprefix("os.environ/"), content)
        return content

    return filled(yaml.safe_load(text))


@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "with a mark"])
def test_secrets_of_litellm_are_replaced_by_references_in_place(bao: Bao, importing: Importing, start: str) -> None:
    source = Path("config.yaml")
    before = start + LITELLM.format(openai=OPENAI, anthropic=ANTHROPIC)
    source.write_text(before)
    importing("litellm", "config.yaml", "--dry-run")
    assert source.read_text() == before
    done = importing("litellm", "config.yaml")
    secrets = decrypted(bao, TARGET)
    assert secrets == {
        "openai_api_key": OPENAI,
        "anthropic_api_key": ANTHROPIC,
        "claude_other_api_key": "another-key",
        "claude_other_api_key_2": "a-third-key\n",
        "litellm_master_key": "sk-1234",
        "database_url": "postgresql://a:b@c/d",
        "hf_token": "hf-value",
    }
    after = source.read_text()
    assert "os.environ/NAME: ANTHROPIC_API_KEY, CLAUDE_OTHER_API_KEY" in done.stderr
    environment = {name.upper(): value for name, value in secrets.items()}
    assert litellm_shows(after, environment) == litellm_shows(before, {})
    assert 'api_key: "os.environ/OPENAI_API_KEY"  # the same key' in after
    assert not any(value.strip() in after for value in secrets.values())
    assert [line.partition("#")[2] for line in after.splitlines()] == [
        line.partition("#")[2] for line in before.splitlines() if "a-third-key" not in line
    ]
    # Nothing is left to import.
    assert "contains no literal secret" in importing("litellm", "config.yaml", status=1).stderr


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        # What refers to a name keeps its value.
        (
            (
                "model_list:\n- {model: openai/x, api_key: os.environ/OPENAI_API_KEY}\n- litellm_params:\n"
                "    {model: openai/y, api_key: sk-b}\n"
            ),
            {"openai_y_api_key": "sk-b"},
        ),
        ("headers: {Authorization: bearer os.environ/CO_KEY}\nmaster_key: x\n", {"litellm_master_key": "x"}),
        ("headers: {Authorization: os.environ/LITELLM_PASSWORD}\npassword: x\n", {"litellm_password_2": "x"}),
        # LiteLLM prefers variables of its environment to those that it sets.
        (
            (
                "model_list:\n- litellm_params: {model: openai/y, api_key: sk-model}\n"
                "environment_variables: {OPENAI_API_KEY: sk-env, CLAUDE: os.environ/X}\nclaude: {api_key: 1}\n"
            ),
            {"openai_api_key": "sk-env", "openai_y_api_key": "sk-model", "litellm_api_key": "1"},
        ),
        ("api_key: os.environ/A\nenvironment_variables: {A: x}\n", {"a": "x"}),
        ("environment_variables: {A_B: x, A-B: y}\n", {"a_b": "x", "a_b_2": "y"}),
        ("environment_variables: [x]\nmaster_key: x\n", {"litellm_master_key": "x"}),
    ],
)
def test_no_variable_of_litellm_gets_another_value(text: str, texts: dict[str, str]) -> None:
    found = litellm_configuration(text, "config.yaml")
    assert {value.name: value.text for value in found.values} == texts


def test_a_text_with_a_secret_and_a_reference_is_decided_by_the_user(importing: Importing) -> None:
    Path("config.yaml").write_text(f"headers: {{Authorization: {OPENAI} os.environ/A_KEY}}\n")
    assert "refers to something else" in importing("litellm", "config.yaml", status=1).stderr


OF_OTHER_NAMES = """\
model_list:
  - model_name: mist
    litellm_params:
      model: mistral/x
      api_key: 12345
      extra_headers: {{Authorization: "Bearer a-token", X-Title: mine}}
      tags: [{openai}, public]
general_settings:
  alerting_args: {{hook: https://hooks.slack.com/services/T0/B0/xyz, report: 5}}
  alert_to_webhook_url: {{budget: "https://example.com/hook"}}
  redis: redis://user:a-password@host
  odd: {openai}
  # api_key: {openai}
environment_variables: {{PORT: 5}}
"""


def test_further_names_of_secrets_of_litellm(bao: Bao, importing: Importing) -> None:
    Path("config.yaml").write_text("""\
general_settings: {smtp_pass: one, db_pwd: two, key_passphrase: three, pass_through: x, compass: y}
litellm_settings: {callback_settings: {otel: {headers: "x-honeycomb-team=four", endpoint: z}}, spend_headers: [x-a]}
""")
    done = importing("litellm", "config.yaml")
    assert set(decrypted(bao, TARGET)) == {"smtp_pass", "db_pwd", "key_passphrase", "litellm_headers"}, done.output
    assert "All other values stay in it as they are" in done.stderr


def test_what_litellm_keeps_of_a_moved_value_is_named_by_its_line() -> None:
    text = """\
include: [other.yaml, more.yaml]
model_list:
- model_name: az
  litellm_params:
    model: azure/x
    api_key: 0f5c4b1e8d3a4f6b
    # was: 0f5c4b1e8d3a4f6b
    api_base: https://x/?code=0f5c4b1e8d3a4f6b
    max_tokens: 100
general_settings:
  master_key: sk-1234  # not sk-12345
  # sk-1234, in capitals
  api_keys: [a, b]
  passwords: {mine: c}
  stop_tokens: [d]
"""
    found = litellm_configuration(text, "config.yaml")
    stays = "also contains the value of azure_api_key, which stays"
    assert {value.name: value.problem for value in found.values if value.problem} == {
        "line_7": stays,
        "line_8": stays,
        "line_12": "also contains the value of litellm_master_key, which stays",
        "general_settings.api_keys.0": "is an item of a list, where LiteLLM replaces nothing",
        "general_settings.api_keys.1": "is an item of a list, where LiteLLM replaces nothing",
    }
    assert [value.place for value in found.values if value.aside] == ["include.0 (line 1)", "include.1 (line 1)"]
    assert {value.name for value in found.values if value.text} == {"azure_api_key", "litellm_master_key", "mine"}


def test_a_configuration_of_litellm_is_not_changed_while_a_comment_has_its_key(importing: Importing) -> None:
    before = f"litellm_params: {{model: azure/x, api_key: {OTHER}}}\n# was {OTHER}\n"
    Path("config.yaml").write_text(before)
    assert "use --skip line_2" in importing("litellm", "config.yaml", status=1).stderr
    assert Path("config.yaml").read_text() == before
    importing("litellm", "config.yaml", "--skip", "line_2")


def test_secrets_of_litellm_are_also_known_by_their_form(bao: Bao, importing: Importing) -> None:
    source = Path("config.yaml")
    before = OF_OTHER_NAMES.format(openai=OPENAI)
    source.write_text(before)
    done = importing("litellm", "config.yaml", status=1)
    for words in (
        "mistral_api_key (line 5) is a number: use --as-text",
        "model_list.0.litellm_params.tags.0 (line 7) is an item of a list, where LiteLLM replaces nothing",
        "line_13 (line 13) contains an OpenAI API key in a comment or a name, which stays: use --skip line_13",
        "port (line 14) is a number",
    ):
        assert words in done.stderr
    assert source.read_text() == before
    importing("litellm", "config.yaml", "--as-text", "--skip", "line_13", "--skip", "model_list")
    secrets = decrypted(bao, TARGET)
    assert secrets == {
        "mistral_api_key": "12345",
        "mistral_authorization": "Bearer a-token",
        "hook": "https://hooks.slack.com/services/T0/B0/xyz",
        "budget": "https://example.com/hook",
        "redis": "redis://user:a-password@host",
        "odd": OPENAI,
        "port": "5",
    }
    shown = litellm_shows(source.read_text(), {name.upper(): value for name, value in secrets.items()})
    was = yaml.safe_load(before)
    was["model_list"][0]["litellm_params"]["api_key"] = "12345"
    was["environment_variables"]["PORT"] = "5"
    assert shown == was


@pytest.mark.parametrize("text", ["", "a: \t{}\n", "a: [{}\n", "- {}\n", "a: b\n"])
def test_other_texts_are_not_read_as_litellm(importing: Importing, text: str) -> None:
    Path("config.yaml").write_text(text.format(OPENAI))
    assert OPENAI not in importing("litellm", "config.yaml", status=1).output


def test_chosen_names_are_those_of_the_references(bao: Bao, importing: Importing) -> None:
    source = Path("config.yaml")
    source.write_text(LITELLM.format(openai=OPENAI, anthropic=ANTHROPIC))
    chosen = ("--only", "openai_api_key", "--only", "hf_token", "--rename", "hf_token=hub", "--prefix", "dev_")
    importing("litellm", "config.yaml", *chosen)
    assert decrypted(bao, TARGET) == {"dev_openai_api_key": OPENAI, "hub": "hf-value"}
    assert source.read_text().count("os.environ/DEV_OPENAI_API_KEY") == 2
    assert "HF_TOKEN: os.environ/HUB" in source.read_text()
    assert ANTHROPIC in source.read_text()


# A file as one secret


@pytest.mark.parametrize(
    "text", [json.dumps({"private_key": PEM}, indent=1), PEM, "x", "\n{{ x }} ${y}\r\n", "\ufeff{}\n"]
)
def test_a_file_as_one_secret(bao: Bao, importing: Importing, text: str) -> None:
    Path("Account-1.json").write_text(text, newline="")
    done = importing("file", "Account-1.json")
    assert decrypted(bao, TARGET) == {"account_1_json": text}
    assert "delete them there" in done.stderr
    importing("file", "Account-1.json", "--rename", "Account-1.json=key")
    assert decrypted(bao, TARGET)["key"] == text
    Path("empty").touch()
    assert "empty is empty" in importing("file", "empty", status=1).stderr
    not_utf8 = "it is not UTF-8 text, and would be changed"
    for data, why in (("x".encode("utf-16"), not_utf8), (b"\xff", not_utf8), (b"a\0b", "it contains a NUL character")):
        Path("other").write_bytes(data)
        assert f"other: {why}" in importing("file", "other", status=1).stderr


def test_a_private_key_with_a_passphrase_stays_as_it_is(bao: Bao, importing: Importing) -> None:
    for number, text in enumerate((PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"), f"Proc-Type: 4,ENCRYPTED\n\n{PEM}")):
        Path(f"k{number}").write_text(text)
        said = importing("file", f"k{number}").stderr
        assert f" k{number} is a private key with a passphrase, which is needed as well. " in said
        assert decrypted(bao, TARGET)[f"k{number}"] == text


# Round trips


def shown_by_ansible(bao: Bao) -> dict[str, str]:
    """The variables of the target as a play sees them, with the vars plugin."""
    Path("group_vars").mkdir()
    TARGET.rename("group_vars/all.transit.yml")
    names = [name for name in yaml.safe_load(Path("group_vars/all.transit.yml").read_text()) if name != "_transit"]
    expression = "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json | b64encode }}"
    Path("inventory").write_text("localhost ansible_connection=local\n")
    done = subprocess.run(
        ["ansible", "-i", "inventory", "all", "-m", "ansible.builtin.debug", "-a", f"msg={expression}"],  # noqa: S607
        env={
            **os.environ,
            "BAO_TOKEN": bao.token,
            "ANSIBLE_VARS_ENABLED": "host_group_vars,mlkeys.transit.vault_transit",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline",
        },
        check=True,
        capture_output=True,
        text=True,
    )
    message = done.stdout.split('"msg": "')[1].split('"')[0]
    shown: dict[str, str] = json.loads(base64.b64decode(message))
    return shown


def shown_by_run(bao: Bao) -> dict[str, str]:
    """The variables of the target as a program gets them from `mlkeys run`."""
    names = [name.upper() for name in yaml.safe_load(TARGET.read_text()) if name != "_transit"]
    program = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    run = [sys.executable, "-m", "mlkeys", "run", "-f", str(TARGET), "--", *program]
    environment = {**os.environ, "BAO_TOKEN": bao.token}
    done = subprocess.run(run, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: found[name] for name in names}


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_run_and_ansible_show_what_each_tool_showed(bao: Bao, importing: Importing, kv: str, recipient: str) -> None:
    """A program of each kind reads its file; where there is none here, the definition of the format does."""
    old: dict[str, str] = {}
    tricky = 'it\'s "quoted" $x {{ no template }} \\n ü'

    bao.done("POST", f"kv2-{kv}/data/ml", {"data": {"openai": OPENAI, "odd": tricky}})
    old |= {f"kv_{name}": value for name, value in bao.done("GET", f"kv2-{kv}/data/ml")["data"]["data"].items()}
    importing("kv", f"kv2-{kv}/data/ml", "--literal", "--prefix", "kv_")

    Path(".env").write_text(f'OPENAI={OPENAI}\nODD=\'it\\\'s "quoted" ü\'\nLINES="a\\nb"\n')
    dotenv = [sys.executable, "-c", "import dotenv, json; print(json.dumps(dotenv.dotenv_values('.env')))"]
    old |= {f"env_{name.lower()}": value for name, value in json.loads(output(*dotenv)).items()}
    importing("dotenv", ".env", "--prefix", "env_")

    Path("password").write_text("x\n")
    Path("vault.yml").write_text(yaml.safe_dump({"openai": OPENAI, "odd": tricky, "lines": "a\nb\n"}))
    output("ansible-vault", "encrypt", "--vault-password-file", "password", "vault.yml")
    viewed = yaml.safe_load(output("ansible-vault", "view", "--vault-password-file", "password", "vault.yml"))
    old |= {f"av_{name}": value for name, value in viewed.items()}
    importing("ansible-vault", "vault.yml", "--vault-password-file", "password", "--literal", "--prefix", "av_")

    sealed("s.yaml", yaml.safe_dump({"openai": OPENAI, "odd": tricky, "in": {"ner": "x"}}), recipient)
    opened = yaml.safe_load(output("sops", "decrypt", "s.yaml"))
    old |= {"sops_openai": opened["openai"], "sops_odd": opened["odd"], "sops_in_ner": opened["in"]["ner"]}
    importing("sops", "s.yaml", "--literal", "--flatten", "--prefix", "sops_")

    Path("compose.yaml").write_text(f"services:\n  a:\n    environment:\n      OPENAI: {OPENAI}\n      ODD: a$$b\n")
    old |= {"compose_openai": OPENAI, "compose_odd": "a$b"}
    importing("compose", "compose.yaml", "--prefix", "compose_")

    Path("secret.yaml").write_text(yaml.safe_dump(a_secret("s", data={"openai": coded(OPENAI), "pem": coded(PEM)})))
    data = yaml.safe_load(Path("secret.yaml").read_text())["data"]
    old |= {f"k8s_{name}": base64.b64decode(value).decode() for name, value in data.items()}
    importing("kubernetes", "secret.yaml", "--prefix", "k8s_")

    Path("config.yaml").write_text(LITELLM.format(openai=OPENAI, anthropic=ANTHROPIC))
    configured = litellm_shows(Path("config.yaml").read_text(), {})
    old |= {"llm_openai_api_key": configured["model_list"][0]["litellm_params"]["api_key"]}
    importing("litellm", "config.yaml", "--prefix", "llm_", "--only", "openai_api_key")

    Path("account.json").write_text(json.dumps({"private_key": PEM}, indent=1))
    old |= {"file_account_json": Path("account.json").read_text()}
    importing("file", "account.json", "--prefix", "file_")

    assert shown_by_run(bao) == {name.upper(): value for name, value in old.items()}
    assert shown_by_ansible(bao) == old
