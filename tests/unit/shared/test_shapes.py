# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data in every shape, read back by the program that such files are for."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import (
    SHAPES,
    UnsupportedValue,
    agent_literal,
    quoted,
    rendered,
    steering_problem,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.shapes import CHARACTERS_ONLY, READERS, SYSTEMD, TEXTS, VARIABLES, read_by_shell, read_by_systemd

# What is tried on a program goes many at once.
quickly = settings(max_examples=60)
by_program = settings(max_examples=12)


@pytest.mark.parametrize("shape", ["dotenv", "environment_file", "shell"])
@by_program
@given(CHARACTERS_ONLY)
def test_variables_are_read_back(shape: str, data: Mapping[str, str]) -> None:
    assert READERS[shape](rendered(shape, data)) == data


ONE_LINE = VARIABLES.map(lambda data: {name: re.sub(r"[\r\n]", "", text) for name, text in data.items()})


@by_program
@given(ONE_LINE)
def test_docker_reads_a_line_as_it_is(data: Mapping[str, str]) -> None:
    assert READERS["docker_env"](rendered("docker_env", data)) == data


@by_program
@given(CHARACTERS_ONLY)
def test_a_shell_reads_the_variables_of_a_service_as_well(data: Mapping[str, str]) -> None:
    assert read_by_shell(rendered("environment_file", data)) == data


# What a shell may expand in an assignment, and what stands beside it.
SIGNS = ("", "ls", *"=:~+-%@,./^#!*?{}[]()<>|&;")


def test_each_shell_reads_the_same_variables() -> None:
    texts = ["".join(parts) for parts in itertools.product(SIGNS, SIGNS, ("", "ls", "=", "root"))]
    data = {f"X{number}": text for number, text in enumerate(texts)}
    written = rendered("environment_file", data)
    for shell in (["sh"], ["bash"], ["dash"], ["zsh", "-f"]):
        if shutil.which(shell[0]):
            assert read_by_shell(written, *shell) == data


@pytest.mark.parametrize("shape", ["dotenv", "environment_file"])
def test_what_zsh_would_expand_is_not_bare(shape: str) -> None:
    for text in ("=ls", "user:=ls", "a:=", "=", "~", "a:~"):
        assert quoted(shape, text) == f"'{text}'"
    for text in ("", "a=b:c", "YQ==", "http://a:80/", ":", "a::b"):
        assert quoted(shape, text) == text


@by_program
@given(CHARACTERS_ONLY)
def test_systemd_reads_the_variables_of_a_service(data: Mapping[str, str]) -> None:
    # It is there wherever systemd is. The rules that the reader above follows are those of the same source.
    if SYSTEMD.exists():
        # To this program, what is empty is unset.
        filled = {name: f"x{value}" for name, value in data.items()}
        doubled = {name: value.replace("$", "$$") for name, value in filled.items()}
        assert read_by_systemd(rendered("environment_file", doubled)) == filled


SCALARS = st.one_of(
    TEXTS, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)


@quickly
@given(st.dictionaries(TEXTS, st.one_of(SCALARS, st.none(), st.lists(SCALARS, max_size=3)), max_size=4))
def test_nested_data_is_read_back(data: dict[str, Any]) -> None:
    nested = {"outer": data, "list": [data, "x", [1, [data]], []], "none": {}}
    assert json.loads(rendered("json", nested)) == nested
    assert READERS["yaml"](rendered("yaml", nested)) == nested


@quickly
@given(st.dictionaries(TEXTS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4))
def test_tables_are_read_back(data: dict[str, Any]) -> None:
    nested = {"first": 1, "inner": {"deep": data}, "table": data}
    assert tomllib.loads(rendered("toml", nested)) == nested


@pytest.mark.parametrize("shape", SHAPES)
def test_what_stands_for_something_is_put_in_wherever_a_value_can_be(shape: str) -> None:
    def leaf(value: Any) -> str | None:
        return (
            quoted(shape, f"the {value['secret']}") if isinstance(value, dict) and list(value) == ["secret"] else None
        )

    if shape in ("docker_env", "dotenv", "environment_file", "shell"):
        assert READERS[shape](rendered(shape, {"A": {"secret": "key"}, "B": "x"}, leaf)) == {"A": "the key", "B": "x"}
        return
    content = {"secret": {"secret": "b"}, "c": [{"secret": "d"}, "secret"]}
    wanted = {"secret": "the b", "c": ["the d", "secret"]}
    assert READERS[shape](rendered(shape, content, leaf)) == wanted


@pytest.mark.parametrize("shape", ["dotenv", "environment_file", "shell"])
def test_plain_values_look_plain(shape: str) -> None:
    head = "export " if shape == "shell" else ""
    # docker reads everything after the first "=" as the value, so quotes stand only where they must.
    key = "'sk-proj_1/2+3='" if shape == "shell" else "sk-proj_1/2+3="
    text = rendered(shape, {"A": "sk-proj_1/2+3=", "B": 4000, "C": True, "D": 'two "words" $HOME'})
    assert text == "".join(f"{head}{line}\n" for line in (f"A={key}", "B=4000", "C=true", "D='two \"words\" $HOME'"))


@pytest.mark.parametrize(
    ("shape", "data", "said"),
    [
        ("dotenv", ["A"], "dotenv needs a dictionary"),
        ("dotenv", {"A-B": "x"}, "'A-B' is not a valid name of an environment variable"),
        ("shell", {"É": "x"}, "'É' is not a valid name of an environment variable"),
        ("environment_file", {"A": ["x"]}, "A is a list: an environment variable is a string, a number or a boolean"),
        ("environment_file", {"A": None}, "A is null"),
        *(
            ("docker_env", {"A": text}, "docker --env-file cannot hold a line break")
            for text in ("a\nb", "a\r", "x" * 70_000)
        ),
        ("dotenv", {"A": "x\0"}, "an environment variable cannot hold the character NUL"),
        ("environment_file", {"A": "x\U0001ffff"}, "systemd refuses text with code points that are not characters"),
        ("json", {"A": float("nan")}, "a float cannot be written to a file of the shape json"),
        ("yaml", {"A": b"x"}, "a bytes cannot be written to a file of the shape yaml"),
        ("json", "\ud800", "a lone surrogate, which is not text"),
        ("toml", [], "toml needs a dictionary"),
        ("toml", {"a": None}, "a: TOML cannot hold null"),
        ("toml", {"a": [{}]}, "a: TOML cannot hold a table in a list"),
        ("toml", {"b": {1: 2}}, "toml needs a dictionary whose names are strings"),
    ],
)
def test_unsupported_values_are_refused(shape: str, data: Any, said: str) -> None:
    with pytest.raises(UnsupportedValue, match=re.escape(said)):
        rendered(shape, data)


STEERING = [
    "PATH",
    "IFS",
    "ENV",
    "BASH_ENV",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "DYLD_INSERT_LIBRARIES",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PERL5OPT",
    "PERL5LIB",
    "PERLLIB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "GIT_SSH_COMMAND",
    "GIT_CONFIG_COUNT",
    "ANSIBLE_CONFIG",
    "ANSIBLE_CALLBACK_PLUGINS",
    "OPENSSL_CONF",
    "PROMPT_COMMAND",
    "HOME",
    "XDG_CONFIG_HOME",
    "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS",
    "LESSOPEN",
    "VIMINIT",
    "MAKEFLAGS",
    "RUSTC_WRAPPER",
    "GTK_MODULES",
    "GUNICORN_CMD_ARGS",
    "MAVEN_OPTS",
    "NPM_CONFIG_SCRIPT_SHELL",
    "npm_config_node_options",
    "PIP_INDEX_URL",
    "KUBECONFIG",
    "TAR_OPTIONS",
    "ANSIBLE_VAULT_PASSWORD_FILE",
    "ANSIBLE_INVENTORY",
    "ANSIBLE_PYTHON_INTERPRETER",
    "ANSIBLE_SSH_EXECUTABLE",
    "ANSIBLE_BECOME_EXE",
    "ANSIBLE_PRIVATE_KEY_FILE",
    "GIT_DIR",
    "GIT_SSH",
    "GIT_SEQUENCE_EDITOR",
    "RSYNC_RSH",
    "SVN_SSH",
    "SUDO_ASKPASS",
    "SSH_ASKPASS",
    "ERL_FLAGS",
    "ERL_AFLAGS",
    "ELIXIR_ERL_OPTIONS",
    "JULIA_LOAD_PATH",
    "GUILE_LOAD_PATH",
    "BUN_OPTIONS",
    "UWSGI_INI",
]


@pytest.mark.parametrize("name", STEERING)
def test_no_secret_decides_what_code_runs(name: str) -> None:
    assert steering_problem(name) == f"{name} decides what code a program runs, so it cannot hold a secret"
    for shape in ("docker_env", "dotenv", "environment_file", "shell"):
        with pytest.raises(UnsupportedValue, match=f"{name} decides"):
            rendered(shape, {name: {"secret": "a"}}, lambda value: "'x'" if isinstance(value, dict) else None)
        # A plain value is the user's own.
        assert name in rendered(shape, {name: "/opt/app"})


@pytest.mark.parametrize(
    "name",
    [
        *(
            "OPENAI_API_KEY",
            "PYTHONANYWHERE_API_TOKEN",
            "GIT_TOKEN",
            "PATHS",
            "NODE_AUTH_TOKEN",
            "ld_preload",
            "OLD_PW",
        ),
        *("UV_PUBLISH_TOKEN", "UV_INDEX_OURS_PASSWORD", "CARGO_REGISTRY_TOKEN", "NPM_TOKEN", "AWS_SECRET_ACCESS_KEY"),
        *("ANSIBLE_HASHI_VAULT_TOKEN", "ANSIBLE_BECOME_PASS", "ANSIBLE_GALAXY_SERVER_HUB_TOKEN", "GIT_PASSWORD"),
        # They hold a user and a password, or the address of a service that does not exist for others.
        *("HTTPS_PROXY", "OPENAI_BASE_URL", "HF_ENDPOINT", "RSYNC_PASSWORD", "GIT_USERNAME"),
    ],
)
def test_other_variables_hold_secrets(name: str) -> None:
    assert steering_problem(name) == ""


@pytest.mark.parametrize(
    ("text", "written"), [("a", "a"), ("{", '{{ "{" }}'), ("{{x}}", '{{ "{" }}{x}}'), ("{x}{", '{x}{{ "{" }}')]
)
def test_text_is_not_code_of_an_agent(text: str, written: str) -> None:
    assert agent_literal(text) == written
