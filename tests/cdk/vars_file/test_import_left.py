# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What sources hold beside the values that are imported, and what no program can get."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlkeys._commands.vars_file.import_run import _about_texts
from mlkeys._errors import MlkeysError
from mlkeys._import import sops_source
from mlkeys._import.compose_source import compose_values
from mlkeys._import.dotenv_source import STANDS_FOR
from mlkeys._import.litellm_source import litellm_configuration
from mlkeys._import.selection import Wishes, select
from mlkeys._import.values import OTHER_NUMBER, TEXT, WITH_NUL, Source, Value, without_nul

COMPOSE = """\
services:
  a:
    environment: {A: x}
    deploy: {replicas: 2, labels: {api_token: one}}
    annotations: {token: two, other: x}
    logging: {driver: splunk, options: {splunk-token: three, splunk-url: x}}
    networks: {n: {driver_opts: {encryption_key: four}}}
    volumes: [{type: volume, source: v, volume: {labels: {password: five}}}]
volumes:
  v: {driver: local, driver_opts: {type: cifs, o: "username=u,password=six"}}
  secret-data: {driver: local}
networks:
  n: {driver_opts: {encryption_key: seven, mtu: 9}, labels: {secret_token: eight}}
models:
  m: {model: x, runtime_flags: ["--api-key=nine"]}
secrets:
  s: {file: ./s.txt}
  e: {external: true}
"""


def test_options_and_labels_of_compose_are_named() -> None:
    named = {value.name for value in compose_values(COMPOSE, "c.yml") if "move it by hand" in value.aside}
    assert named == {
        "services.a.deploy.labels.api_token",
        "services.a.annotations.token",
        "services.a.logging.options.splunk-token",
        "services.a.networks.n.driver_opts.encryption_key",
        "services.a.volumes.0.volume.labels.password",
        "volumes.v.driver_opts.o",
        "networks.n.driver_opts.encryption_key",
        "networks.n.labels.secret_token",
        "models.m.runtime_flags.0",
    }


def test_labels_in_lists_extensions_and_options_of_a_letter_are_named_in_compose() -> None:
    text = """\
x-mine: {db_password: one, other: x}
x-env: &env {DB_PASSWORD: x}
services:
  a:
    environment: {<<: *env}
    labels: [com.example.password=two, com.example.token-file=/x, my.token=$T, a=b]
    healthcheck: {test: "redis-cli -a three ping"}
    x-own: {api_key: four}
  b:
    command: [mysqladmin, -uroot, -pfive]
    entrypoint: [redis-cli, -a, $$PW]
    healthcheck: {test: [CMD, curl, -u, "me:six", "http://x"]}
  c:
    command: mysql -p$$PW -p
    healthcheck: {test: [CMD, tar, -a, x]}
"""
    named = {value.name for value in compose_values(text, "c.yml") if "move it by hand" in value.aside}
    assert named == {
        "x-mine.db_password",
        "services.a.labels.0",
        "services.a.healthcheck.test",
        "services.a.x-own.api_key",
        "services.b.command.0",
        "services.b.healthcheck.test.0",
    }


def test_numbers_of_the_yaml_of_compose_are_asked_about() -> None:
    text = "services: {a: {environment: {A: 1e3, B: 0o17, C: '1e3', D: 1e3x, E: -.5E+2}}}\n"
    kinds = {value.name: value.kind for value in compose_values(text, "c.yml")}
    assert kinds == {"A": OTHER_NUMBER, "B": OTHER_NUMBER, "C": TEXT, "D": TEXT, "E": OTHER_NUMBER}


def test_the_login_of_an_mcp_server_is_imported() -> None:
    text = "mcp_servers:\n  s: {url: https://x, auth_type: bearer_token, auth_value: mcp-9}\n"
    found = litellm_configuration(text, "c.yml")
    assert {value.path: value.text for value in found.values} == {("litellm_auth_value",): "mcp-9"}


@pytest.mark.parametrize(
    ("name", "text", "expected", "problem"),
    [
        ("export B", "two", ("B", "two"), ""),
        ("exported", "two", ("exported", "two"), ""),
        ("F", "val # comment", ("F", ""), "comment"),
        ("F", "'val # no comment'", ("F", "val # no comment"), ""),
        ("F", "val#ue", ("F", "val#ue"), ""),
        ("F", "a\0b", ("F", "a\0b"), ""),
    ],
)
def test_a_value_of_a_sops_file_is_what_readers_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: tuple[str, str], problem: str
) -> None:
    (tmp_path / "s.env").write_text(f"{name}=ENC[x]\n")
    monkeypatch.setattr(sops_source, "_decrypted", lambda *_arguments: json.dumps({name: text}).encode())
    (value,) = sops_source.sops_values(tmp_path / "s.env", None)
    assert (value.path, value.text) == ((expected[0],), expected[1])
    assert value.was_secret
    assert re.search(problem, value.problem)
    assert bool(value.problem) is bool(problem)


def test_no_value_has_a_character_that_no_variable_can_hold() -> None:
    good, bad = without_nul([Value(("a",), "x"), Value(("b",), "a\0b")])
    assert (good.text, good.problem) == ("x", "")
    assert (bad.text, bad.problem) == ("", WITH_NUL)


def test_a_newline_ends_only_what_has_one() -> None:
    assert not _about_texts({"empty": "", "one": "x", "lines": "x\ny", "key": "-----BEGIN X-----\ny\n"})
    assert "at the end of one, more is" in _about_texts({"empty": "", "one": "x\n", "more": "x\ny\n"})


@pytest.mark.parametrize(
    "value",
    [
        *("op://Private/x/y", "$(pass show x)", "`id`", "${HF_PROD}", "${HF:-none}", "$HF_PROD", "{{ lookup('env') }}"),
        *("{% if x %}a{% endif %}", "ENC[PKCS7,abc]", "vault:v1:abc", "vault:secret/data/x#y", "encrypted:abc"),
    ],
)
def test_what_stands_for_something_else_as_a_whole_is_a_reference(value: str) -> None:
    assert STANDS_FOR.search(value)


@pytest.mark.parametrize(
    "value",
    ["a`b`c", "a${b}c", "$2b$12$abc", "$argon2id$v=19$m=1", "$ecret", "x$(y)", "{}", '{"a": {"b": 1}}', "50%", "a{%b"],
)
def test_a_password_with_signs_of_shells_is_none(value: str) -> None:
    assert not STANDS_FOR.search(value)


def decisions(values: Sequence[Value], wishes: Wishes) -> list[str]:
    with pytest.raises(MlkeysError) as raised:
        select(Source("a", tuple(values)), wishes)
    return str(raised.value).split("\n")[1:]


def test_many_decisions_are_on_one_screen() -> None:
    lines = [Value((f"line_{at}",), "", line=at, problem="is not an assignment") for at in (*range(3, 60), 70)]
    others = [Value((f"n{at}",), "", line=at, problem="contains binary data") for at in range(9)]
    twice = [Value((name,), "x", line=at) for at in range(30) for name in (f"A{at}", f"a{at}")]
    shown = decisions([*lines, *others, *twice], Wishes())
    assert len(shown) == 3
    assert shown[0] == "  each of lines 3-59, 70 (58 values) is not an assignment: use --skip 'line_*'"
    assert shown[1].endswith("(9 values) contains binary data: use --skip NAME for each")
    assert shown[2].startswith(
        "  30 names stand for several values each. Choose with --only, --skip or --rename OLD=NEW"
    )
    assert "a29: A29 (line 29), a29 (line 29)" in shown[2]
    chosen = select(Source("a", (*lines, *others, *twice)), Wishes(skip=("line_*", "n*", "A*")))
    assert set(chosen.chosen) == {f"a{at}" for at in range(30)}
    assert set(select(Source("a", (*lines, *twice)), Wishes(only=("a1*",))).chosen) == {
        "a1",
        *(f"a{at}" for at in range(10, 20)),
    }
    assert decisions(lines, Wishes(skip=("line_*", "b*")))[0].startswith("  --skip b*: no value has this name.")
    assert decisions(twice[:1], Wishes(renamed={"A*": "b"}))[0].startswith("  --rename A*: no value has this name.")
