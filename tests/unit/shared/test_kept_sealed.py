# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertext in the place of a key is found and named, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.filter.quoted import in_quotes
from ansible_collections.mlkeys.transit.plugins.filter.shaped import shaped
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import (
    holds_ciphertext,
    lines_with_ciphertext,
    paths_of_ciphertexts,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.shapes import SHAPES

SEALED = "vault:v12:5ZfQm1ab3WHDOjf7mq6/5ZfQm1ab3WHDOjf7mq6+Qm1=="


@pytest.mark.parametrize("text", [SEALED, f"  {SEALED}\n", f"Bearer {SEALED}", f'KEY="{SEALED}"', "vault:v1:abcd"])
def test_ciphertext_is_found(text: str) -> None:
    assert holds_ciphertext(text)


@pytest.mark.parametrize("text", ["", "sk-FAKE-0001", "vault:v1:", "vault:v0:abcd", "see vault:v1:... there", "vault"])
def test_all_else_is_not(text: str) -> None:
    assert not holds_ciphertext(text)


def test_its_place_is_named() -> None:
    data = {"models": [{"name": "gpt", "api_key": SEALED}], "n": 1, SEALED: {"x": SEALED}}
    assert paths_of_ciphertexts(data) == ["models[0].api_key", "(a name)", "(a name).x"]
    assert paths_of_ciphertexts(SEALED) == [""]
    assert lines_with_ciphertext(f"a\nb: {SEALED}\nc\n{SEALED}") == [2, 4]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("write", "data", "name"),
    [(in_quotes, SEALED, "the value"), (shaped, {"API_KEY": SEALED}, "API_KEY")],
    ids=["quoted", "shaped"],
)
def test_the_filters_refuse_it_unless_it_is_allowed(
    write: Callable[..., Any], data: Any, name: str, shape: str
) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        write(data, shape)
    message = str(caught.value)
    assert f"{name} is a ciphertext" in message
    assert SEALED not in message
    for cause in ("vars_plugins_enabled", "ansible.cfg", ".transit.yml", "allow_ciphertext"):
        assert cause in message
    assert SEALED in write(data, shape, allow_ciphertext=True)


def test_a_secret_that_was_not_decrypted_is_named() -> None:
    data: Any = {"K": {"secret": "hf_token"}}
    with pytest.raises(AnsibleFilterError, match="the secret hf_token is a ciphertext"):
        shaped(data, "json", secrets={"hf_token": SEALED})
    assert SEALED in shaped(data, "json", secrets={"hf_token": SEALED}, allow_ciphertext=True)
