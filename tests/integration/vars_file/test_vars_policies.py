# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_vars with tokens that may do exactly what its documentation asks for, and with less."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.modules import vault_transit_vars

from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import KEY, VarsFile, actions, encoded
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")

SECRETS = {"openai_api_key": "sk-first-secret", "anthropic_api_key": "sk-ant-second-secret"}
MARKS = "marks"

Mint = Callable[[str], str]


@pytest.fixture
def vars_file(bao: Bao, mount: str, tmp_path: Path) -> VarsFile:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key(derived=True)
    file.make_key(MARKS)
    return file


def update_on(mount: str, *paths: str) -> str:
    return "".join(f'path "{mount}/{path}" {{ capabilities = ["update"] }}\n' for path in paths)


def documented(mount: str, key: str = KEY) -> str:
    """The policy that the module's own notes describe."""
    notes = " ".join(yaml.safe_load(vault_transit_vars.DOCUMENTATION)["notes"])
    paths = re.findall(r"C\(transit/(\w+)/KEY\)", notes)
    assert set(paths) == {"encrypt", "hmac", "rewrap", "verify"}
    return update_on(mount, *(f"{path}/{key}" for path in paths))


def asked(vars_file: VarsFile, ledger: Ledger) -> set[str]:
    return set(vars_file.requests(ledger))


def test_the_documented_policy_suffices_for_a_whole_life(vars_file: VarsFile, mint_token: Mint) -> None:
    token = mint_token(documented(vars_file.mount))
    ledger = Ledger(vars_file.bao)

    vars_file.converge(SECRETS, token=token)
    vars_file.converge({**SECRETS, "openai_api_key": "sk-rolled-secret"}, token=token)
    vars_file.converge({"hf_token": "hf_third-secret"}, token=token)
    vars_file.rotate()
    moved = vars_file.converge({"openai_api_key": "sk-rolled-secret"}, token=token)
    vars_file.converge({"openai_api_key": "sk-rolled-secret"}, token=token, purge=True)

    assert set(actions(moved).values()) == {("rewrapped", "behind version 2")}
    assert vars_file.plaintexts() == {"openai_api_key": "sk-rolled-secret"}
    assert asked(vars_file, ledger) == {"encrypt", "hmac", "verify", "rewrap", "keys", "decrypt"}


@pytest.mark.parametrize("name", [KEY, "plain"])
def test_who_may_not_decrypt_never_asks_to(vars_file: VarsFile, mint_token: Mint, name: str) -> None:
    if name != KEY:
        vars_file.make_key(name)
    token = mint_token(documented(vars_file.mount, name))
    ledger = Ledger(vars_file.bao)
    vars_file.run(SECRETS, token=token, key=name)
    vars_file.rotate(name)
    vars_file.run({**SECRETS, "openai_api_key": "sk-rolled-secret"}, token=token, key=name)
    assert "decrypt" not in asked(vars_file, ledger)


def test_without_rotation_there_is_not_need_to_rewrap_or_verify(vars_file: VarsFile, mint_token: Mint) -> None:
    token = mint_token(update_on(vars_file.mount, f"encrypt/{KEY}", f"hmac/{KEY}"))
    vars_file.converge(SECRETS, token=token)
    vars_file.converge({**SECRETS, "openai_api_key": "sk-rolled-secret"}, token=token)


def test_an_expired_fingerprint_makes_one_who_cannot_decrypt_write_again(vars_file: VarsFile, mint_token: Mint) -> None:
    token = mint_token(documented(vars_file.mount))
    vars_file.run(SECRETS, token=token)
    vars_file.rotate()
    vars_file.run(token=token)
    assert all(text.startswith("vault:v1:") for text in vars_file.fingerprints().values())
    vars_file.configure(min_decryption_version=2)

    done = vars_file.converge(SECRETS, token=token)

    assert actions(done) == dict.fromkeys(SECRETS, ("updated", "fingerprint expired"))
    assert vars_file.plaintexts() == SECRETS


def test_a_file_without_fingerprints_makes_one_who_cannot_decrypt_write_again(
    vars_file: VarsFile, mint_token: Mint
) -> None:
    token = mint_token(documented(vars_file.mount))
    vars_file.run(SECRETS, token=token)
    sealed = vars_file.ciphertexts()
    vars_file.path.write_text("".join(f"{name}: {text}\n" for name, text in sealed.items()), encoding="utf-8")
    assert actions(vars_file.converge(SECRETS, token=token)) == dict.fromkeys(SECRETS, ("updated", "no fingerprint"))


def with_marks(mount: str) -> str:
    """For a fingerprint key of its own: fingerprints there, and the key to be read for its latest version."""
    return (
        update_on(mount, f"encrypt/{KEY}", f"rewrap/{KEY}", f"hmac/{MARKS}", f"verify/{MARKS}")
        + f'path "{mount}/keys/{KEY}" {{ capabilities = ["read"] }}\n'
    )


def test_a_fingerprint_key_of_its_own_has_its_documented_policy(vars_file: VarsFile, mint_token: Mint) -> None:
    options = yaml.safe_load(vault_transit_vars.DOCUMENTATION)["options"]
    assert "The token then must be able to read O(key)" in " ".join(options["fingerprint_key"]["description"])
    token = mint_token(with_marks(vars_file.mount))
    vars_file.converge(SECRETS, token=token, fingerprint_key=MARKS)
    vars_file.rotate()
    vars_file.rotate(MARKS)
    done = vars_file.converge(SECRETS, token=token, fingerprint_key=MARKS)
    assert actions(done) == dict.fromkeys(SECRETS, ("rewrapped", "behind version 2"))
    assert all(text.startswith("vault:v2:") for text in vars_file.fingerprints().values())
    assert vars_file.plaintexts() == SECRETS


def without(policy: str, path: str) -> str:
    lines = [line for line in policy.splitlines() if f'/{path}"' not in line]
    assert len(lines) == len(policy.splitlines()) - 1
    return "\n".join(lines)


def changes(vars_file: VarsFile) -> None:
    """Bring about that a run has to encrypt, rewrap and verify."""
    vars_file.run(SECRETS)
    vars_file.rotate()


@pytest.mark.parametrize("operation", ["encrypt", "hmac", "rewrap", "verify"])
def test_a_right_that_is_missing_is_named_and_nothing_is_written(
    vars_file: VarsFile, mint_token: Mint, operation: str
) -> None:
    changes(vars_file)
    token = mint_token(without(documented(vars_file.mount), f"{operation}/{KEY}"))
    message = vars_file.refused({**SECRETS, "hf_token": "hf_third-secret"}, token=token)
    assert message.startswith(
        f"Permission denied: the token's policies do not grant the capability 'update' on "
        f"'{vars_file.mount}/{operation}/{KEY}'."
    )


def test_the_right_to_read_the_key_is_named(vars_file: VarsFile, mint_token: Mint) -> None:
    token = mint_token(without(with_marks(vars_file.mount), f"keys/{KEY}"))
    message = vars_file.refused(SECRETS, token=token, fingerprint_key=MARKS)
    assert f"the capability 'read' on '{vars_file.mount}/keys/{KEY}'" in message


@pytest.mark.parametrize(
    "params", [{"key": "mistyped"}, {"key": "mistyped", "fingerprint_key": MARKS}, {"fingerprint_key": "mistyped"}]
)
def test_a_token_that_may_create_keys_creates_none(
    vars_file: VarsFile, mint_token: Mint, params: dict[str, str]
) -> None:
    """The widest rights on the engine, and one that lets an encrypt make its key."""
    vars_file.bao.done("POST", f"{vars_file.mount}/config/keys", {"disable_upsert": False})
    token = mint_token(
        f'path "{vars_file.mount}/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}'
    )
    assert "mistyped" in vars_file.refused(SECRETS, token=token, **params)


def test_a_token_that_is_not_known(vars_file: VarsFile) -> None:
    message = vars_file.refused(SECRETS, token="s.not-a-known-secret")
    assert message.startswith("The server does not accept the token")
    assert "not-a-known" not in message


def test_a_policy_for_one_name_lets_only_that_one_be_decrypted(vars_file: VarsFile, mint_token: Mint) -> None:
    """What a derived key is for: the file is one, the rights are per secret."""
    vars_file.run(SECRETS)
    context = encoded("openai_api_key")
    token = mint_token(
        f'path "{vars_file.mount}/decrypt/{KEY}" {{ capabilities = ["update"]\n'
        'required_parameters = ["ciphertext", "context"]\n'
        f'allowed_parameters = {{ "ciphertext" = [], "context" = ["{context}"] }} }}'
    )
    sealed = vars_file.ciphertexts()
    statuses = {
        name: vars_file.bao.request(
            "POST",
            f"{vars_file.mount}/decrypt/{KEY}",
            {"ciphertext": text, "context": encoded(name)},
            token,
        )[0]
        for name, text in sealed.items()
    }
    assert statuses == {"openai_api_key": 200, "anthropic_api_key": 403}
