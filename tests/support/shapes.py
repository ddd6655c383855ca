# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of every shape of file, and texts that are hard to quote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import dotenv
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st


def is_character(char: str) -> bool:
    return not ("\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFE == 0xFFFE)


# Texts with a special meaning to one of the readers. They are mixed with all other characters.
_PIECES = [
    *("'", '"', "`", "\\", "\\\\", "\\'", '\\"', "\\n", "\n", "\r", "\r\n", "\t", " ", "$", "${", "${A}", "${A:-b}"),
    *("$$", "$A", "$(x)", "}", "#", " #", "=", "%", "%h", ";", "!", "~", "{{", "}}", "{% x %}", "\x7f", "\x85", "\xa0"),
    *("\x01", "\x1b", "\u2028", "\ufeff", "\U0001f600", "export ", "<&>", "é", ": ", "- ", "null", "0x1"),
]
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(CHARACTERS, max_size=4)), max_size=8).map("".join)
# Names are longer than those of a shell's own variables.
VARIABLES = st.dictionaries(st.from_regex(r"X[A-Z0-9_]{1,8}", fullmatch=True), TEXTS, min_size=8, max_size=30)
CHARACTERS_ONLY = VARIABLES.map(lambda data: {name: "".join(filter(is_character, text)) for name, text in data.items()})

T = TypeVar("T")


def collected(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Examples of the strategy, all at once: for readers that take a while to start."""
    found: list[T] = []

    @settings(max_examples=count, database=None)
    @given(strategy)
    def collect(one: T) -> None:
        found.append(one)

    collect()
    return found


# The program with which systemd reads files of variables for user sessions.
SYSTEMD = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")


def read_dotenv(text: str) -> dict[str, str | None]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_bytes(text.encode())
        return dict(dotenv.dotenv_values(path))


_OF_SHELLS = (b"PATH", b"PWD", b"OLDPWD", b"SHLVL", b"_", b"HOME", b"LOGNAME")


def read_by_shell(text: str, *shell: str) -> dict[str, str]:
    """The environment of a shell that has read the file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_bytes(text.encode())
        script = [*(shell or ["/bin/sh"]), "-c", "set -a; . ./file; exec env -0"]
        done = subprocess.run(script, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    pairs = (pair.split(b"=", 1) for pair in done.stdout.split(b"\0") if pair)
    return {name.decode(): value.decode() for name, value in pairs if name not in _OF_SHELLS}


def read_by_rules_of_systemd(text: str) -> dict[str, str]:
    """Read like `parse_env_file_internal` of systemd, limited to what the collection writes.

    Values stand whole in quotes, or have none.
    """
    found = {}
    pattern = re.compile(r"""(\w+)=(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\s'"\\`$#;]*))\n""", re.DOTALL)
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
    """Read with systemd's own program. Unlike services, it also expands variables where `$` is not doubled."""
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
    """Undo the C escapes in systemd's output."""
    if not text.startswith('"'):
        return text
    escapes = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "s": " "}

    def one(match: re.Match[str]) -> str:
        return chr(int(match[1], 8)) if match[1] else escapes.get(match[2], match[2])

    return re.sub(r"\\(?:([0-7]{3})|(.))", one, text[1:-1], flags=re.DOTALL)


def read_like_litellm(text: str) -> Any:
    """Read as LiteLLM's proxy loads its configuration, without the package, which is very large."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_bytes(text.encode())
        with path.open("r") as file:
            return yaml.safe_load(file)


def read_by_rules_of_docker(text: str) -> dict[str, str]:
    """Read like `opts.ParseEnvFile` of Docker: lines, without the end that Go's scanner drops."""
    lines = [line.removesuffix("\r").lstrip(" \t") for line in text.split("\n")]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


READERS: dict[str, Callable[[str], Any]] = {
    "docker_env": read_by_rules_of_docker,
    "dotenv": read_dotenv,
    "environment_file": read_by_rules_of_systemd,
    "json": json.loads,
    "shell": read_by_shell,
    "toml": tomllib.loads,
    "yaml": read_like_litellm,
}
