# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_vars against a real server: what it writes, and what it leaves alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest

from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import KEPT, KEY, SECRETS, UNDECLARED, VarsFile, actions, encoded
from tests.support.server import Bao

pytestmark = pytest.mark.usefixtures("both_ways")


@pytest.mark.parametrize("derived", [False, True])
def test_a_new_file_holds_all_secrets_and_then_stays_as_it_is(
    bao: Bao, mount: str, tmp_path: Path, derived: bool
) -> None:
    vars_file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    vars_file.make_key(derived=derived)

    done = vars_file.converge(SECRETS)

    assert actions(done) == {"anthropic_api_key": ("added", "new"), "openai_api_key": ("added", "new")}
    assert vars_file.plaintexts() == SECRETS
    own = vars_file.variables()["_transit"]
    assert {name: own[name] for name in ("format", "backend", "key")} == {"format": 1, "backend": mount, "key": KEY}
    assert own["hmac"].keys() == SECRETS.keys()


def test_under_a_derived_key_a_ciphertext_belongs_to_its_name(bao: Bao, vars_file: VarsFile) -> None:
    vars_file.make_key("derived", derived=True)
    vars_file.run(SECRETS, key="derived")
    openai = vars_file.ciphertexts()["openai_api_key"]
    body = {"ciphertext": openai, "context": encoded("anthropic_api_key")}

    status, _answer = bao.request("POST", f"{vars_file.mount}/decrypt/derived", body)

    assert status == 400
    assert vars_file.decrypt("openai_api_key", openai, "derived") == SECRETS["openai_api_key"]


def test_json_is_written_where_the_name_says_so(vars_file: VarsFile, tmp_path: Path) -> None:
    file = VarsFile(vars_file.bao, vars_file.mount, tmp_path / "keys.transit.json")
    file.converge(SECRETS)
    assert file.plaintexts() == SECRETS
    assert json.loads(file.text())["_transit"]["key"] == KEY
    file.converge({"openai_api_key": "sk-another-secret"}, purge=True)
    assert file.plaintexts() == {"openai_api_key": "sk-another-secret"}


def test_only_what_changed_is_written_again(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    vars_file.run({**SECRETS, "openai_api_key": "sk-third-secret"})
    before = vars_file.text().splitlines()

    done = vars_file.converge({**SECRETS, "openai_api_key": "sk-rolled-secret"})

    assert actions(done) == {"anthropic_api_key": KEPT, "openai_api_key": ("updated", "the value changed")}
    assert vars_file.plaintexts() == {**SECRETS, "openai_api_key": "sk-rolled-secret"}
    changed = [line for line, old in zip(vars_file.text().splitlines(), before, strict=True) if line != old]
    # The ciphertext, its fingerprint, and the digest of what was there before.
    assert [line.split(":")[0].strip() for line in changed] == ["openai_api_key"] * 3


def test_what_is_not_given_stays_and_what_is_new_joins_it(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    before = vars_file.ciphertexts()
    done = vars_file.converge({"hf_token": "hf_third-secret"})
    assert actions(done) == {
        "anthropic_api_key": UNDECLARED,
        "openai_api_key": UNDECLARED,
        "hf_token": ("added", "new"),
    }
    [warning] = done.warnings
    assert f"{vars_file.path}: kept, not declared: anthropic_api_key, openai_api_key. " in warning
    # A task that names no secrets leaves them to the file, and names in `keep` are declared.
    unnamed = vars_file.run()
    assert (set(actions(unnamed).values()), unnamed.warnings) == ({KEPT}, [])
    some = vars_file.run({"hf_token": "hf_third-secret"}, keep=["openai_api_key"])
    assert actions(some) == {"anthropic_api_key": UNDECLARED, "openai_api_key": KEPT, "hf_token": KEPT}
    assert ["not declared: anthropic_api_key. " in warning for warning in some.warnings] == [True]
    ungiven = {"openai_api_key": "", "anthropic_api_key": None}
    assert vars_file.run({"hf_token": "hf_third-secret", **ungiven}).warnings == []
    assert {**vars_file.ciphertexts(), **before} == vars_file.ciphertexts()
    assert vars_file.plaintexts() == {**SECRETS, "hf_token": "hf_third-secret"}


def test_purge_removes_what_is_not_given(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    done = vars_file.converge({"openai_api_key": SECRETS["openai_api_key"]}, purge=True)
    assert actions(done) == {"anthropic_api_key": ("removed", "not among secrets"), "openai_api_key": KEPT}
    assert [entry["version"] for entry in done["entries"]] == [None, 1]
    assert vars_file.ciphertexts().keys() == vars_file.fingerprints().keys() == {"openai_api_key"}

    vars_file.converge({}, purge=True, keep=[])
    assert vars_file.ciphertexts() == {}
    assert "vault:v" not in vars_file.text()


def test_purge_keeps_what_is_named(vars_file: VarsFile) -> None:
    vars_file.converge(SECRETS)
    kept = vars_file.converge({}, purge=True, keep=["openai_api_key", "anthropic_api_key"])
    assert {entry["action"] for entry in kept["entries"]} == {"kept"}
    done = vars_file.converge({}, purge=True, keep=["openai_api_key", "never_there"])
    assert {entry["name"]: entry["action"] for entry in done["entries"]} == {
        "openai_api_key": "kept",
        "anthropic_api_key": "removed",
    }
    assert vars_file.plaintexts() == {"openai_api_key": SECRETS["openai_api_key"]}


def test_who_has_no_plaintext_keeps_what_is_stored(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    before = vars_file.state()
    for nothing in ("", None):
        kept = vars_file.converge(dict.fromkeys(SECRETS, nothing), purge=True)
        assert actions(kept) == dict.fromkeys(SECRETS, ("kept", "no value given"))
        assert vars_file.state() == before
    mixed = vars_file.converge({"openai_api_key": "", "hf_token": "hf-new-secret"}, purge=True)
    assert actions(mixed) == {
        "openai_api_key": ("kept", "no value given"),
        "anthropic_api_key": ("removed", "not among secrets"),
        "hf_token": ("added", "new"),
    }
    assert vars_file.plaintexts() == {"openai_api_key": SECRETS["openai_api_key"], "hf_token": "hf-new-secret"}
    assert "'anthropic_api_key' is empty" in vars_file.refused({"anthropic_api_key": ""})
    vars_file.rotate()
    assert actions(vars_file.converge({"openai_api_key": ""}))["openai_api_key"] == ("rewrapped", "behind version 2")


def test_two_names_may_have_the_same_value_and_do_not_show_it(vars_file: VarsFile) -> None:
    vars_file.converge({"one": "sk-same-secret", "two": "sk-same-secret"})
    assert len(set(vars_file.fingerprints().values())) == 2
    assert vars_file.plaintexts() == {"one": "sk-same-secret", "two": "sk-same-secret"}


def test_any_text_is_kept_as_it_is(vars_file: VarsFile) -> None:
    odd = {
        "lines": "-----BEGIN-----\nsecret\n",
        "template": "{{ 7 * 7 }} secret",
        "unicode": "schl\u00fcssel \U0001f511",
        "blanks": "  secret  ",
    }
    vars_file.converge(odd)
    assert vars_file.plaintexts() == odd


def test_nothing_at_all_is_not_file(vars_file: VarsFile) -> None:
    done = vars_file.converge({})
    assert done["entries"] == []
    assert not vars_file.path.exists()


def test_comments_order_and_style_stay(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    sealed, marks = vars_file.ciphertexts(), vars_file.fingerprints()
    template = """\
# Keys of the gateway
---
# the one of billing
openai_api_key: '{openai}'   # quoted

anthropic_api_key: {anthropic}
_transit:
  # not to be edited
  format: 1
  backend: {mount}
  key: ml-api-key
{before}  hmac:
    openai_api_key: {openai_mark}
    anthropic_api_key: {anthropic_mark}
# the end
"""
    facts = {
        "mount": vars_file.mount,
        "openai": sealed["openai_api_key"],
        "openai_mark": marks["openai_api_key"],
        "anthropic_mark": marks["anthropic_api_key"],
        "before": "",
    }
    vars_file.path.write_text(template.format(anthropic=sealed["anthropic_api_key"], **facts), encoding="utf-8")

    vars_file.converge({"anthropic_api_key": "sk-ant-rolled-secret"})

    # What an older version wrote stays, and what is new says which ciphertext it is for.
    assert not vars_file.digests()["openai_api_key"]
    new_mark = vars_file.fingerprints()["anthropic_api_key"]
    facts["anthropic_mark"] = f"{new_mark} {digest(vars_file.ciphertexts()['anthropic_api_key'])}"
    facts["before"] = f"  before:\n    anthropic_api_key: {digest(sealed['anthropic_api_key'])}\n"
    anthropic = vars_file.ciphertexts()["anthropic_api_key"]
    assert vars_file.text() == template.format(anthropic=anthropic, **facts)


# Check mode and diff


def test_the_diff_has_names_versions_and_reasons_only(vars_file: VarsFile) -> None:
    vars_file.run({**SECRETS, "gone": "secret-gone"})
    vars_file.rotate()

    done = vars_file.converge(
        {"openai_api_key": "sk-rolled-secret", "new": "secret-new", "anthropic_api_key": SECRETS["anthropic_api_key"]},
        purge=True,
    )

    assert done["diff"] == {
        "before": {"anthropic_api_key": "v1", "gone": "v1", "openai_api_key": "v1"},
        "after": {
            "anthropic_api_key": "v2 (rewrapped: behind version 2)",
            "openai_api_key": "v2 (updated: the value changed)",
            "new": "v2 (added: new)",
        },
    }
    assert "vault:v" not in json.dumps(done)


def test_check_mode_neither_encrypts_nor_decrypts_what_it_need_not(vars_file: VarsFile) -> None:
    ledger = Ledger(vars_file.bao)
    predicted = vars_file.run(SECRETS, check=True)
    assert predicted.changed
    assert set(vars_file.requests(ledger)) == {"hmac"}
    assert not vars_file.path.exists()


# Many


def test_three_hundred_unchanged_secrets_are_one_request(vars_file: VarsFile) -> None:
    many = {f"secret_{number}": f"value-{number}-secret" for number in range(300)}
    assert vars_file.run(many).changed
    ledger = Ledger(vars_file.bao)

    again = vars_file.run(many)

    assert not again.changed
    assert vars_file.requests(ledger) == ["hmac"]


def test_more_than_fit_in_a_request_take_a_few(vars_file: VarsFile) -> None:
    many = {f"secret_{number}": f"value-{number}-secret" for number in range(1100)}
    ledger = Ledger(vars_file.bao)
    assert vars_file.run(many).changed
    # 499 values fit in a request, 199 with a context and a version, 249 with an HMAC.
    assert Counter(vars_file.requests(ledger)) == {"hmac": 3, "encrypt": 6}

    ledger = Ledger(vars_file.bao)
    assert not vars_file.run(many).changed
    assert Counter(vars_file.requests(ledger)) == {"hmac": 3}

    vars_file.rotate()
    ledger = Ledger(vars_file.bao)
    moved = vars_file.run(many)
    assert Counter(vars_file.requests(ledger)) == {"hmac": 3, "verify": 5, "rewrap": 6}
    assert {entry["action"] for entry in moved["entries"]} == {"rewrapped"}
    assert [entry["name"] for entry in moved["entries"]] == sorted(many)
    sealed = vars_file.ciphertexts()
    for name in ("secret_0", "secret_499", "secret_1099"):
        assert vars_file.decrypt(name, sealed[name]) == many[name]
