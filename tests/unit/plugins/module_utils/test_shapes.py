# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data in every shape, read back by the program that such files are for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dotenv
import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._shapes import (
    SHAPES,
    Unfit,
    agent_literal,
    quoted,
    rendered,
)
from hypothesis import given, settings
from hypothesis import strategies as st

# Everything that means something to one of the readers, between all other characters.
_PIECES = [
    *("'", '"', "`", "\\", "\\\\", "\\'", '\\"', "\\n", "\n", "\r", "\r\n", "\t", " ", "$", "${", "${A}", "${A:-b}"),
    *("$$", "$A", "$(x)", "}", "#", " #", "=", "%", "%h", ";", "!", "~", "{{", "}}", "{% x %}", "\x7f", "\x85", "\xa0"),
    *("\x01", "\x1b", "\u2028", "\ufeff", "\U0001f600", "export ", "<&>", "é", ": ", "- ", "null", "0x1"),
]
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(CHARACTERS, max_size=4)), max_size=8).map("".join)
# Longer than what means something to a shell itself.
VARIABLES = st.dictionaries(st.from_regex(r"X[A-Z0-9_]{1,8}", fullmatch=True), TEXTS, min_size=8, max_size=30)
CHARACTERS_ONLY = VARIABLES.map(lambda data: {name: "".join(filter(is_character, text)) for name, text in data.items()})

# By which some programs come to know the environment of their own, here as in a service.
SYSTEMD = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")


def is_character(char: str) -> bool:
    return not ("\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFE == 0xFFFE)


def read_dotenv(text: str) -> dict[str, str | None]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_bytes(text.encode())
        return dict(dotenv.dotenv_values(path))


def read_by_shell(text: str) -> dict[str, str]:
    """What a shell has in its environment after it has read the file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_bytes(text.encode())
        script = ["/bin/sh", "-c", "set -a; . ./file; exec env -0"]
        done = subprocess.run(script, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    pairs = (pair.split(b"=", 1) for pair in done.stdout.split(b"\0") if pair)
    return {name.decode(): value.decode() for name, value in pairs if name not in (b"PATH", b"PWD")}


def read_by_rules_of_systemd(text: str) -> dict[str, str]:
    """As `parse_env_file_internal` of systemd's sources does, for what this writes: whole values in quotes."""
    found = {}
    pattern = re.compile(r"""(\w+)=(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|(\w+|-?[\d.e+-]+))\n""", re.DOTALL)
    end = 0
    for match in pattern.finditer(text):
        assert match.start() == end, "something is between the variables"
        end = match.end()
        name, single, double, bare = match.groups()
        if double is not None:
            double = re.sub(r"\\(.)", lambda m: m[1] if m[1] in '"\\`$' else m[0], double, flags=re.DOTALL)
        found[name] = next(value for value in (single, double, bare) if value is not None)
    assert end == len(text)
    return found


def read_by_systemd(text: str) -> dict[str, str]:
    """By the program of systemd that reads such files, which alone also fills in variables where `$` is not doubled."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "environment.d", "x.conf")
        path.parent.mkdir()
        path.write_bytes(text.encode())
        environment = {"XDG_CONFIG_HOME": folder, "HOME": folder}
        done = subprocess.run([SYSTEMD], env=environment, capture_output=True, check=True)
    lines = done.stdout.decode().split("\n")
    own = (line.partition("=") for line in lines)
    return {name: _of_c(value) for name, _equals, value in own if name.startswith("X")}


def _of_c(text: str) -> str:
    """What systemd shows in C's escapes."""
    if not text.startswith('"'):
        return text
    escapes = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "s": " "}

    def one(match: re.Match[str]) -> str:
        return chr(int(match[1], 8)) if match[1] else escapes.get(match[2], match[2])

    return re.sub(r"\\(?:([0-7]{3})|(.))", one, text[1:-1], flags=re.DOTALL)


READERS: dict[str, Callable[[str], Any]] = {
    "dotenv": read_dotenv,
    "environment_file": read_by_rules_of_systemd,
    "json": json.loads,
    "shell": read_by_shell,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}

# What is tried on a program goes many at once.
quickly = settings(max_examples=60)
by_program = settings(max_examples=12)


@pytest.mark.parametrize("shape", ["dotenv", "environment_file", "shell"])
@by_program
@given(CHARACTERS_ONLY)
def test_variables_are_read_back(shape: str, data: Mapping[str, str]) -> None:
    assert READERS[shape](rendered(shape, data)) == data


@by_program
@given(CHARACTERS_ONLY)
def test_a_shell_reads_the_variables_of_a_service_as_well(data: Mapping[str, str]) -> None:
    assert read_by_shell(rendered("environment_file", data)) == data


@by_program
@given(CHARACTERS_ONLY)
def test_systemd_reads_the_variables_of_a_service(data: Mapping[str, str]) -> None:
    # It is there wherever systemd is. The rules that the reader above follows are those of the same source.
    if SYSTEMD.exists():
        # This program takes what is empty for nothing.
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
    assert yaml.safe_load(rendered("yaml", nested)) == nested


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

    if shape in ("dotenv", "environment_file", "shell"):
        assert READERS[shape](rendered(shape, {"A": {"secret": "key"}, "B": "x"}, leaf)) == {"A": "the key", "B": "x"}
        return
    content = {"secret": {"secret": "b"}, "c": [{"secret": "d"}, "secret"]}
    wanted = {"secret": "the b", "c": ["the d", "secret"]}
    assert READERS[shape](rendered(shape, content, leaf)) == wanted


@pytest.mark.parametrize("shape", ["dotenv", "environment_file", "shell"])
def test_plain_values_look_plain(shape: str) -> None:
    head = "export " if shape == "shell" else ""
    text = rendered(shape, {"A": "sk-proj_1/2+3=", "B": 4000, "C": True, "D": 'two "words" $HOME'})
    assert text == "".join(
        f"{head}{line}\n" for line in ("A='sk-proj_1/2+3='", "B=4000", "C=true", "D='two \"words\" $HOME'")
    )


@pytest.mark.parametrize(
    ("shape", "data", "said"),
    [
        ("dotenv", ["A"], "dotenv takes a dictionary"),
        ("dotenv", {"A-B": "x"}, "'A-B' is no name for a variable of the environment"),
        ("shell", {"É": "x"}, "'É' is no name for a variable of the environment"),
        ("environment_file", {"A": ["x"]}, "A is a list: a variable of the environment is text, a number or a flag"),
        ("environment_file", {"A": None}, "A is null"),
        ("dotenv", {"A": "x\0"}, "no variable of an environment can hold the character NUL"),
        ("environment_file", {"A": "x\U0001ffff"}, "systemd reads no text with code points that are no characters"),
        ("json", {"A": float("nan")}, "a float has no place"),
        ("yaml", {"A": b"x"}, "a bytes has no place"),
        ("json", "\ud800", "what is no text has no place"),
        ("toml", [], "toml takes a dictionary"),
        ("toml", {"a": None}, "a: TOML has no place for null"),
        ("toml", {"a": [{}]}, "a: TOML has no place for a table in a list"),
        ("toml", {"b": {1: 2}}, "toml takes a dictionary with texts as names"),
    ],
)
def test_what_does_not_fit_is_refused(shape: str, data: Any, said: str) -> None:
    with pytest.raises(Unfit, match=re.escape(said)):
        rendered(shape, data)


@pytest.mark.parametrize(
    ("text", "written"), [("a", "a"), ("{", '{{ "{" }}'), ("{{x}}", '{{ "{" }}{x}}'), ("{x}{", '{x}{{ "{" }}')]
)
def test_text_is_no_code_of_an_agent(text: str, written: str) -> None:
    assert agent_literal(text) == written
