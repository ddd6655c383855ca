# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Which variables a program gets."""

from __future__ import annotations

import pytest

from mlkeys._commands.secrets.environment import inherited, pairs, text_of, variables
from mlkeys._errors import MlkeysError


@pytest.mark.parametrize(
    ("template", "variable"),
    [
        ("{NAME}", "HF_TOKEN"),
        ("{name}", "hf_token"),
        ("APP_{NAME}", "APP_HF_TOKEN"),
        ("TF_VAR_{name}", "TF_VAR_hf_token"),
    ],
)
def test_the_template_names_variables(template: str, variable: str) -> None:
    assert variables(["hf_token"], template, {}) == {"hf_token": variable}


def test_a_given_variable_wins() -> None:
    assert variables(["a", "b"], "{NAME}", {"a": "OTHER"}) == {"a": "OTHER", "b": "B"}


@pytest.mark.parametrize(
    ("names", "template", "given", "words"),
    [
        (["a"], "APP", {}, "must contain"),
        (["a"], "1{name}", {}, "'1a', for the secret 'a', is not a name"),
        (["a"], "{name}", {"a": "A B"}, "'A B', for the secret 'a', is not a name"),
        (["a", "A"], "{NAME}", {}, "Two secrets would be in A. Set another one with --env A=VARIABLE."),
        (["a", "b"], "{name}", {"b": "a"}, "Two secrets would be in a"),
    ],
)
def test_names_that_no_variable_can_have_or_two_would_have(
    names: list[str], template: str, given: dict[str, str], words: str
) -> None:
    with pytest.raises(MlkeysError, match=words):
        variables(names, template, given)


@pytest.mark.parametrize("text", ["a", "a=", "=b", ""])
def test_a_pair_has_two_sides(text: str) -> None:
    with pytest.raises(MlkeysError, match="must have the form NAME=VALUE"):
        pairs([text], "--env")


def test_the_first_sign_separates_name_and_value() -> None:
    assert pairs(["a=b=c", "d=e"], "--env") == {"a": "b=c", "d": "e"}
    with pytest.raises(MlkeysError, match="--env names 'a' twice"):
        pairs(["a=b", "a=c"], "--env")


OUTER = {
    "PATH": "/bin",
    "LC_ALL": "C",
    "EDITOR": "vi",
    "BAO_TOKEN": "t",
    "BAO_ADDR": "http://127.0.0.1",
    "ANSIBLE_HASHI_VAULT_ROLE_ID": "r",
}


@pytest.mark.parametrize(
    ("all_of_it", "keep_login", "names"),
    [
        (True, False, {"PATH", "LC_ALL", "EDITOR", "BAO_ADDR"}),
        (True, True, set(OUTER)),
        (False, False, {"PATH", "LC_ALL"}),
        (False, True, {"PATH", "LC_ALL"}),
    ],
)
def test_what_a_program_inherits(all_of_it: bool, keep_login: bool, names: set[str]) -> None:
    assert set(inherited(OUTER, ["BAO_TOKEN"], all_of_it=all_of_it, keep_login=keep_login)) == names


def test_a_variable_cannot_hold_a_nul_byte() -> None:
    assert text_of("a", b"\xff") == b"\xff"
    with pytest.raises(MlkeysError, match=r"'a' holds a NUL byte, .* Use --file a=VARIABLE"):
        text_of("a", b"x\0y")
