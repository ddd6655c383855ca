# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Imported keys, data keys and signatures of a program: what is generated for them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from mlkeys import App, AppInvalid, Secret, Stack, TerraformBlock, export
from mlkeys import transit as vault
from mlkeys._shared.key_types import KEY_TYPES, import_problem
from tests.cdk.apps import files, key_in, stack

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"  # mlkeys: allow


def imported(s: Stack, material: object, **attributes: Any) -> vault.TransitSecretBackendKey:
    given = {"type": "ed25519", **attributes}
    return vault.TransitSecretBackendKey(
        s, "own", backend="transit", name="own", material=cast("vault.KeyMaterial", material), **given
    )


def problems(s: Stack) -> str:
    with pytest.raises(AppInvalid) as refused:
        files(s)
    return str(refused.value)


@pytest.mark.parametrize(
    ("material", "attributes", "problem"),
    [
        (Secret.env("KEY"), {}, "material must be KeyMaterial(Secret.env('NAME')) or such, not an EnvSecret"),
        (PEM, {}, "material must be KeyMaterial(Secret.env('NAME')) or such, not a str"),
        (vault.KeyMaterial(cast("Secret", PEM)), {}, "the material is a str. Use Secret.env('NAME'), Secret.file(…)"),
        (vault.KeyMaterial(Secret.prompt("Key?")), {}, "the material is a PromptSecret. Use Secret.env('NAME')"),
        (vault.KeyMaterial(Secret.generated()), {}, "the material is a GeneratedSecret. Use Secret.env('NAME')"),
        (
            vault.KeyMaterial(Secret.env("")),
            {},
            "the material: Secret.env requires the name of an environment variable",
        ),
        (
            vault.KeyMaterial(Secret.env("KEY"), passphrase=cast("Secret", "s3cret-passphrase")),
            {},
            "the passphrase is a str. Use Secret.env('NAME')",
        ),
        (vault.KeyMaterial(Secret.env("KEY"), complete=cast("Any", "no")), {}, "complete must be True or False"),
        (vault.KeyMaterial(Secret.env("KEY"), version=0), {}, "the version of the material must be a number from 1"),
        (vault.KeyMaterial(Secret.env("KEY"), encoding=cast("Any", "raw")), {}, "must be one of base64, hex, pem"),
        (vault.KeyMaterial(Secret.env("KEY")), {"type": None}, "material requires type, the type of the key"),
        (
            vault.KeyMaterial(Secret.env("KEY")),
            {"type": "aes256-gcm96", "derived": True, "convergent_encryption": True},
            "a key with convergent_encryption cannot be imported",
        ),
        (
            vault.KeyMaterial(Secret.env("KEY")),
            {"auto_rotate_period": "90d"},
            "auto_rotate_period requires KeyMaterial(…, allow_rotation=True)",
        ),
        (
            vault.KeyMaterial(Secret.env("KEY")),
            {"type": "ed25519", "derived": True},
            "a derived key of type ed25519 cannot be imported",
        ),
    ],
)
def test_material_that_cannot_be_imported_is_refused_without_a_word_of_it(
    material: object, attributes: dict[str, Any], problem: str
) -> None:
    s = stack(targets=("ansible",))
    imported(s, material, **attributes)
    found = problems(s)
    assert problem in found
    assert "MC4CAQ" not in found
    assert "s3cret" not in found


@pytest.mark.parametrize("version", [1, 2])
def test_types_that_no_server_imports_are_refused(version: int) -> None:
    more = {"external-key": {"external_key_ref": "kms:own"}, "managed_key": {"managed_key_name": "own"}}
    for kind in KEY_TYPES:
        s = stack(targets=("ansible",))
        imported(s, vault.KeyMaterial(Secret.env("KEY"), version=version), type=kind, **more.get(kind, {}))
        if problem := import_problem(kind):
            assert problem in problems(s)
        else:
            assert files(s)


def test_no_file_holds_the_material_but_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_KEY", PEM)
    s = stack(targets=("ansible",))
    imported(s, vault.KeyMaterial(Secret.env("OWN_KEY"), version=2, passphrase=Secret.kv("keys/own", "passphrase")))
    made = files(s)
    text = "".join(made.values())
    assert "MC4CAQ" not in text
    site = made["ansible/s/site.yml"]
    assert "lookup('ansible.builtin.env', 'OWN_KEY', default='')" in site
    assert "kv_path='keys/own'" in site
    assert "version: 2" in site
    assert "Secret.env('OWN_KEY')" in site
    assert "complete" not in site
    s = stack(targets=("ansible",))
    imported(s, vault.KeyMaterial(Secret.file("{{ own }}.pem"), complete=True))
    site = files(s)["ansible/s/site.yml"]
    assert "complete: true" in site
    assert """origin: !unsafe "Secret.file('{{ own }}.pem')\"""" in site


def test_an_hmac_key_has_the_size_of_its_material() -> None:
    s = stack(targets=("ansible",))
    imported(s, vault.KeyMaterial(Secret.env("KEY")), type="hmac")
    assert "key_size" not in files(s)["ansible/s/site.yml"]


@pytest.mark.parametrize(
    ("used", "problem"),
    [
        (lambda s: imported(s, vault.KeyMaterial(Secret.env("KEY"))), "Terraform cannot import key material without"),
        (
            lambda s: key_in(s, type="ed25519").sign(f"version {key_in(s, 'other').latest_version}"),
            "Terraform would write what sign() gets, and only a deployment knows, to its plan and state",
        ),
        (
            lambda s: key_in(s, type="ed25519").verify(f"{_opened(s)}", "vault:v1:AAAA"),
            "Terraform would write what verify() gets, and only a deployment knows, to its plan and state",
        ),
    ],
)
def test_terraform_gets_nothing_that_its_state_would_keep(used: Callable[[Stack], object], problem: str) -> None:
    s = stack()
    used(s)
    found = problems(s)
    assert problem in found
    assert "App(targets=['ansible'])" in found
    s = stack(targets=("ansible",))
    used(s)
    assert files(s)


def _opened(s: Stack) -> vault.Decrypted:
    key = key_in(s, "sealing")
    return key.decrypt(key.encrypt(Secret.env("SEALED")))


@pytest.mark.parametrize("mode", ["state", "ephemeral"])
def test_terraform_keeps_no_data_key(mode: str) -> None:
    s = Stack(App(), "s", terraform_secrets=cast("Any", mode), terraform_kv="kv")
    key_in(s).datakey("archive")
    assert "Terraform keeps no data key without writing it to its plan and state" in problems(s)


@pytest.mark.parametrize(
    ("used", "problem"),
    [
        (
            lambda s: key_in(s).sign("x"),
            "a key of type aes256-gcm96 cannot sign: use a key of type ed25519",
        ),
        (lambda s: key_in(s, type="hmac", key_size=32).verify("x", "vault:v1:A"), "a key of type hmac cannot verify"),
        (lambda s: key_in(s, type="ed25519", derived=True).sign("x"), "a derived key requires a context: sign(…, con"),
        (
            lambda s: key_in(s, type="rsa-2048").sign("x", signature_algorithm=cast("Any", "pkcs")),
            "signature_algorithm must be one of pkcs1v15, pss, not 'pkcs'",
        ),
        (
            lambda s: key_in(s, type="rsa-2048").sign("x", **cast("Any", {"hash": "sha2-256"})),
            "sign() has no hash",
        ),
        (
            lambda s: key_in(s, type="rsa-2048").sign("x", hash_algorithm="none"),
            "hash_algorithm 'none' is for digests, and the server hashes this text itself",
        ),
        (
            lambda s: key_in(s, type="rsa-2048").verify("x", "vault:v1:A", salt_length="long"),
            "salt_length must be 'auto', 'hash' or a number of bytes as a string, not 'long'",
        ),
        (
            lambda s: key_in(s, type="rsa-2048").sign("x", salt_length="0"),
            "salt_length must be 'auto', 'hash' or a number of bytes as a string, not '0'",
        ),
        (
            lambda s: key_in(s, type="rsa-2048").sign("x", salt_length="20", signature_algorithm="pkcs1v15"),
            "salt_length has no effect with signature_algorithm pkcs1v15: leave one of them out",
        ),
        (
            lambda s: key_in(s, type="rsa-2048").sign("x", salt_length="223"),
            "salt_length must be at most 222 with the key of type rsa-2048 and this hash_algorithm, not 223",
        ),
        (
            lambda s: key_in(s, type="rsa-2048").sign("x", salt_length="191", hash_algorithm="sha2-512"),
            "salt_length must be at most 190",
        ),
        (
            lambda s: key_in(s, type="ecdsa-p256").sign("x", signature_algorithm="pss"),
            "signature_algorithm has no effect with the key of type ecdsa-p256, only with keys of type rsa-*: ",
        ),
        (
            lambda s: key_in(s, type="ed25519").sign("x", hash_algorithm="sha2-512"),
            "hash_algorithm has no effect with the key of type ed25519, which hashes in its own way: leave it out",
        ),
        (
            lambda s: key_in(s, type="ed25519").sign("x", context="c"),
            "context has no effect with the key of type ed25519, which is not derived: leave it out, or ",
        ),
        (lambda s: key_in(s, type="ed25519").sign(cast("Any", b"x")), "text must be a string"),
        (lambda s: key_in(s).datakey("archive", bits=cast("Any", 100)), "a data key has 128, 256 or 512 bits"),
        (lambda s: key_in(s).datakey("not a name"), "is not a variable name"),
    ],
)
def test_what_cannot_be_signed_is_refused(used: Callable[[Stack], object], problem: str) -> None:
    s = stack(targets=("ansible",))
    used(s)
    assert problem in problems(s)


def test_options_that_work_are_accepted() -> None:
    s = stack()
    pair = key_in(s, type="rsa-2048")
    pair.sign("x", salt_length="222")
    pair.sign("x", salt_length="hash", signature_algorithm="pss", hash_algorithm="sha3-384")
    key_in(s, "curve", type="ecdsa-p256").sign("x", hash_algorithm="sha2-384", marshaling_algorithm="jws")
    key_in(s, "bound", type="ed25519", derived=True).sign("x", context="c")
    existing = vault.TransitSecretBackendKey.from_existing(s, "there", name="there")
    existing.sign("x", salt_length="400")
    assert files(s)


def test_a_signature_is_a_text_that_only_a_deployment_knows() -> None:
    s = stack()
    key = key_in(s, type="ed25519")
    signature = key.sign("release 1.0")
    export("both", f"{signature} {key.sign('release 1.1')}", scope=s)
    checked = key.verify("release 1.0", signature)
    export("valid", checked.valid, scope=s)
    TerraformBlock(s, "block", block={"locals": {"signature": f"{signature}"}})
    site = files(s)["ansible/s/site.yml"]
    assert "'release 1.1', operation='sign'" in site
    assert "operation='verify'" in site
    assert "data.vault_transit_sign" in files(s)["terraform/s/cdk.tf.json"]
    with pytest.raises(Exception, match="has no value before deployment"):
        len(signature.value)


def test_an_existing_key_signs_as_well() -> None:
    s = stack()
    key = vault.TransitSecretBackendKey.from_existing(s, "key", name="releases")
    export("signature", key.sign("release 1.0"), scope=s)
    assert '"name": "releases"' in files(s)["terraform/s/cdk.tf.json"]
    assert "key='releases'" in files(s)["ansible/s/site.yml"]
