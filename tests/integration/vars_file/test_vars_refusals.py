# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vault_transit_vars refuses, before anything is asked or written."""

from __future__ import annotations

import json

import pytest

from tests.integration.support.runs import Ledger, no_engine
from tests.integration.support.vars_files import KEY, SECRETS, VarsFile, actions, encoded
from tests.support.server import transit_mount

pytestmark = pytest.mark.usefixtures("both_ways")


SECRET = "sk-planted-secret"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a: [{SECRET}", "is not YAML (line"),
        (f"openai_api_key: {SECRET}\n", "the value of openai_api_key is not ciphertext (vault:vN:...). If it is a"),
        (f"openai_api_key: !!int {SECRET}\n", "is not YAML (line 1)."),
        (f"OPENAI_API_KEY={SECRET}\n", "is not a vars file: it must hold a mapping of names to ciphertexts."),
        ("$ANSIBLE_VAULT;1.1;AES256\n3834\n", "is not a vars file: it must hold a mapping of names to ciphertexts."),
        ("a: vault:v1:QUJD\na: vault:v1:QUJD\n", "contains a duplicate entry (line 2)."),
        ("a: vault:v1:cut off\n", "the value of a is not ciphertext"),
        ("_transit: {format: 9}\n", "has an unknown format. This version knows only formats 1 and 2."),
        ("_transit: {backend: elsewhere}\n", "was written with backend 'elsewhere', not '"),
        ("_transit: {key: other}\n", f"was written with key 'other', not '{KEY}' and fingerprint_key 'other', not "),
        ("_transit: {fingerprint_key: other}\n", f"was written with fingerprint_key 'other', not '{KEY}'. Use what"),
    ],
)
def test_a_file_that_it_did_not_write_is_refused_before_anything_is_asked(
    vars_file: VarsFile, text: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    vars_file.path.write_text(text, encoding="utf-8")
    ledger = Ledger(vars_file.bao)
    said = vars_file.refused(SECRETS)
    assert said.startswith(str(vars_file.path))
    assert message in said
    assert SECRET not in said
    assert vars_file.requests(ledger) == []
    assert capfd.readouterr().err == ""


def test_bytes_that_are_not_text(vars_file: VarsFile) -> None:
    vars_file.path.write_bytes(b"a: \xff\xfe")
    assert vars_file.refused(SECRETS) == f"{vars_file.path}: it is not UTF-8 text."


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"open-ai": SECRET}, "secrets: 'open-ai' is not a valid variable name: use letters, digits and '_', and"),
        ({"_transit": SECRET}, "secrets: '_transit' is reserved for the file itself."),
        ({"a": 5}, "secrets: the value of 'a' must be text (quote it)."),
        ({"a": None}, "secrets: the value of 'a' is empty, and "),
        (
            {"a": None, "open-ai": ""},
            "secrets: 'open-ai' is not a valid variable name: use letters, digits and '_', and",
        ),
        ({"a": {"": {"5": None}}}, "secrets: the value of 'a.%.%35' is empty, and "),
        ({"a": {"b" * 200: SECRET}}, f"secrets: 'a.{'b' * 200}' is not a path: its path has more than 200 characters"),
        ({"a": ""}, "secrets: the value of 'a' is empty, and "),
        ({"b": "", "a": None}, "secrets: the value of 'a' is empty; the value of 'b' is empty, and "),
        ({"a": "", "b": 5}, "secrets: the value of 'b' must be text (quote it)."),
    ],
)
def test_secrets_that_cannot_be_right(vars_file: VarsFile, secrets: dict[str, object], message: str) -> None:
    ledger = Ledger(vars_file.bao)
    assert vars_file.refused(secrets).startswith(message)
    assert vars_file.requests(ledger) == []


def test_secrets_that_are_not_mapping(vars_file: VarsFile) -> None:
    result = vars_file.run(SECRET)
    assert result.failed
    assert SECRET not in json.dumps(result)


def moved_to(vars_file: VarsFile, secrets: dict[str, str]) -> None:
    """Write the file, and rotate, so that every entry has to be rewrapped."""
    vars_file.run(secrets)
    vars_file.rotate()


def test_a_damaged_ciphertext_is_named(vars_file: VarsFile) -> None:
    moved_to(vars_file, SECRETS)
    good = vars_file.ciphertexts()["openai_api_key"]
    vars_file.path.write_text(vars_file.text().replace(good, good[:20] + "AAAAAAAA" + good[28:]), encoding="utf-8")
    message = vars_file.refused()
    assert message.startswith(f"rewrap failed for 1 of 2 items at {vars_file.mount}/rewrap/{KEY}: item 2 (openai_api_")
    assert "another key, another context or associated data, or the ciphertext is damaged" in message
    assert good[20:] not in message


def test_a_ciphertext_of_another_key_is_named(vars_file: VarsFile) -> None:
    vars_file.make_key("foreign")
    moved_to(vars_file, SECRETS)
    foreign = vars_file.bao.done("POST", f"{vars_file.mount}/encrypt/foreign", {"plaintext": encoded(SECRET)})
    text = vars_file.text().replace(vars_file.ciphertexts()["openai_api_key"], foreign["data"]["ciphertext"])
    vars_file.path.write_text(text, encoding="utf-8")
    message = vars_file.refused()
    assert "item 2 (openai_api_key): it does not decrypt: another key" in message


def test_a_ciphertext_under_another_name_is_named_when_the_key_is_derived(vars_file: VarsFile) -> None:
    vars_file.make_key("derived", derived=True)
    vars_file.run(SECRETS, key="derived")
    vars_file.rotate("derived")
    sealed = vars_file.ciphertexts()
    text = vars_file.text().replace(sealed["openai_api_key"], sealed["anthropic_api_key"])
    vars_file.path.write_text(text, encoding="utf-8")
    assert "item 2 (openai_api_key): it does not decrypt" in vars_file.refused(key="derived")


def test_a_ciphertext_that_is_too_old_is_named(vars_file: VarsFile) -> None:
    moved_to(vars_file, SECRETS)
    vars_file.configure(min_decryption_version=2)
    message = vars_file.refused()
    assert "item 1 (anthropic_api_key): its key version is below the key's min_decryption_version: lower" in message
    # With the secrets at hand there is a way on.
    assert set(actions(vars_file.converge(SECRETS)).values()) == {("updated", "fingerprint expired")}
    assert vars_file.plaintexts() == SECRETS


@pytest.mark.parametrize(
    "params", [{"key": "mistyped"}, {"key": "mistyped", "fingerprint_key": KEY}, {"fingerprint_key": "mistyped"}]
)
def test_a_missing_key_is_not_created(vars_file: VarsFile, params: dict[str, str]) -> None:
    vars_file.bao.done("POST", f"{vars_file.mount}/config/keys", {"disable_upsert": False})
    message = vars_file.refused(SECRETS, **params)
    assert "mistyped" in message
    assert "does not exist" in message
    assert vars_file.keys() == [KEY]


def test_a_missing_engine(vars_file: VarsFile) -> None:
    message = vars_file.refused(SECRETS, backend="nowhere")
    assert message == no_engine(vars_file.bao, "nowhere/hmac/ml-api-key")


def test_a_file_does_not_move_to_another_engine(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    with transit_mount(vars_file.bao) as other:
        vars_file.bao.done("POST", f"{other}/keys/{KEY}", {})
        assert f"was written with backend '{vars_file.mount}', not '{other}'. Use what" in vars_file.refused(
            SECRETS, backend=other
        )


@pytest.mark.parametrize("name", ["a/b", "", "-x", "x y"])
def test_a_name_that_no_key_has(vars_file: VarsFile, name: str) -> None:
    ledger = Ledger(vars_file.bao)
    assert vars_file.refused(SECRETS, key=name).startswith(f"'{name}' is not a key name: letters, digits")
    assert vars_file.requests(ledger) == []
