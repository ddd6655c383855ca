# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertext in the place of a key is found and named, and never shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

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


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENCODED = [
    quote(SEALED, safe=""),
    f"DATABASE_URL=postgres://u:{quote(SEALED, safe='')}@db/x",
    quote(quote(SEALED, safe=""), safe=""),
    *(in_base64("user:"[:count] + SEALED) for count in range(6)),
    f"x{in_base64(SEALED)}",
    quote(base64.b64encode(f"\u00ff?>{SEALED}".encode()), safe=""),
    f"auth: Basic {in_base64('u:' + quote(SEALED, safe=''))}",
    base64.urlsafe_b64encode(f"\u00ff\u00fe{SEALED}".encode()).decode(),
    base64.encodebytes(f"{'a line before it ' * 9}{SEALED}".encode()).decode(),
    json.dumps({"auths": base64.encodebytes(f"{'before it ' * 9}{SEALED}".encode()).decode()}),
    in_base64(json.dumps({"auths": {"ghcr.io": {"auth": in_base64(f"user:{SEALED}")}}})),
]


@pytest.mark.parametrize("text", ENCODED)
def test_ciphertext_that_was_encoded_is_found(text: str) -> None:
    """Templates encode a password for a URL, and the credentials of a registry in base64."""
    assert holds_ciphertext(text)
    assert lines_with_ciphertext(f"a: b\n{text}")
    with pytest.raises(AnsibleFilterError, match="the value is a ciphertext"):
        in_quotes(text, "json")
    with pytest.raises(AnsibleFilterError, match="DSN is a ciphertext"):
        shaped({"DSN": text}, "json")


OTHERS = [
    "sk-proj-" + "Ab1_-" * 30,
    in_base64("see vault:v1:... there" * 9),
    "100%" + "A" * 99,
    "%zz" * 99,
    "A" * 100000,
]


@pytest.mark.parametrize(
    "text",
    [*OTHERS, "", "sk-FAKE-0001", "vault:v1:", "vault:v0:abcd", "see vault:v1:... there", "vault"],
)
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
