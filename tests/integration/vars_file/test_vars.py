# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vault_transit_vars against a real server: what it writes, what it leaves alone, and what it refuses."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.find import digest

from tests.integration.support.runs import Ledger
from tests.integration.support.vars_files import KEY, VarsFile, actions, encoded
from tests.support.server import Bao, transit_mount

pytestmark = pytest.mark.usefixtures("both_ways")

SECRETS = {"openai_api_key": "sk-first-secret", "anthropic_api_key": "sk-ant-second-secret"}
KEPT = ("kept", "")


@pytest.fixture
def vars_file(bao: Bao, mount: str, tmp_path: Path) -> VarsFile:
    file = VarsFile(bao, mount, tmp_path / "keys.transit.yml")
    file.make_key()
    return file


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


# What it writes


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


def test_only_what_changed_is_written_anew(vars_file: VarsFile) -> None:
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
        "anthropic_api_key": KEPT,
        "openai_api_key": KEPT,
        "hf_token": ("added", "new"),
    }
    assert {**vars_file.ciphertexts(), **before} == vars_file.ciphertexts()
    assert vars_file.plaintexts() == {**SECRETS, "hf_token": "hf_third-secret"}


def test_purge_removes_what_is_not_given(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    done = vars_file.converge({"openai_api_key": SECRETS["openai_api_key"]}, purge=True)
    assert actions(done) == {"anthropic_api_key": ("removed", "not among secrets"), "openai_api_key": KEPT}
    assert [entry["version"] for entry in done["entries"]] == [None, 1]
    assert vars_file.ciphertexts().keys() == vars_file.fingerprints().keys() == {"openai_api_key"}

    vars_file.converge({}, purge=True)
    assert vars_file.ciphertexts() == {}
    assert "vault:v" not in vars_file.text()


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


def test_nothing_at_all_is_no_file(vars_file: VarsFile) -> None:
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

    facts["anthropic_mark"] = vars_file.fingerprints()["anthropic_api_key"]
    facts["before"] = f"  before:\n    anthropic_api_key: {digest(sealed['anthropic_api_key'])}\n"
    anthropic = vars_file.ciphertexts()["anthropic_api_key"]
    assert vars_file.text() == template.format(anthropic=anthropic, **facts)


# Versions of keys


def test_after_a_rotation_everything_moves_up_and_the_plaintexts_stay(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    old = vars_file.fingerprints()
    vars_file.rotate()

    done = vars_file.converge({"openai_api_key": SECRETS["openai_api_key"]})

    assert actions(done) == dict.fromkeys(SECRETS, ("rewrapped", "behind version 2"))
    assert set(vars_file.versions().values()) == {2}
    assert vars_file.plaintexts() == SECRETS
    assert vars_file.fingerprints()["openai_api_key"].startswith("vault:v2:")
    # Without the secret there is nothing to make the fingerprint of.
    assert vars_file.fingerprints()["anthropic_api_key"] == old["anthropic_api_key"]

    later = vars_file.converge(SECRETS)
    assert actions(later)["anthropic_api_key"] == ("refreshed", "fingerprint of an older version")
    assert vars_file.fingerprints()["anthropic_api_key"].startswith("vault:v2:")


def test_a_pinned_version_holds_back_and_takes_nothing_back(vars_file: VarsFile) -> None:
    vars_file.run({"a": "secret-of-a"})
    vars_file.rotate()
    vars_file.rotate()
    vars_file.converge({"a": "secret-of-a", "b": "secret-of-b"}, key_version=2)
    assert vars_file.versions() == {"a": 2, "b": 2}

    vars_file.converge({"c": "secret-of-c"})
    assert vars_file.versions() == {"a": 3, "b": 3, "c": 3}

    done = vars_file.converge({"d": "secret-of-d"}, key_version=1)
    assert actions(done) == {"a": KEPT, "b": KEPT, "c": KEPT, "d": ("added", "new")}
    assert vars_file.versions() == {"a": 3, "b": 3, "c": 3, "d": 1}
    assert vars_file.plaintexts() == {name: f"secret-of-{name}" for name in "abcd"}


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (2, f"key_version 2 does not exist: the latest version of key '{KEY}' is 1."),
        (-1, "key_version must not be negative: it is a version of the key, or 0 for the latest."),
    ],
)
def test_a_version_that_does_not_exist_is_refused(vars_file: VarsFile, version: int, message: str) -> None:
    assert vars_file.refused(SECRETS, key_version=version) == message


def test_fingerprints_move_up_without_the_secrets_where_that_is_asked_for(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    old = vars_file.ciphertexts()
    vars_file.rotate()
    moved = vars_file.converge(refresh_fingerprints=True, return_successors=True)
    assert set(actions(moved).values()) == {("rewrapped", "behind version 2")}
    assert {text.split(":")[1] for text in vars_file.fingerprints().values()} == {"v2"}
    new = vars_file.ciphertexts()
    successors = {digest(old[name]): new[name] for name in SECRETS}
    assert moved["successors"] == vars_file.run(return_successors=True)["successors"] == successors
    vars_file.configure(min_decryption_version=2, min_encryption_version=2)
    # They tell as much as before.
    assert set(actions(vars_file.converge(SECRETS)).values()) == {KEPT}
    assert vars_file.ciphertexts() == new


def test_a_changed_value_follows_to_copies_of_the_old_one(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    old = vars_file.ciphertexts()
    changed = vars_file.run({"openai_api_key": "sk-other-secret"}, return_successors=True)
    new = vars_file.ciphertexts()
    assert changed["successors"] == {digest(old["openai_api_key"]): new["openai_api_key"]}
    assert vars_file.variables()["_transit"]["before"] == {"openai_api_key": digest(old["openai_api_key"])}
    vars_file.converge({"anthropic_api_key": SECRETS["anthropic_api_key"]}, purge=True)
    assert "before" not in vars_file.variables()["_transit"]


def test_fingerprints_alone_move_up_when_ciphertexts_are_there_already(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    vars_file.rotate()
    vars_file.run()
    moved = vars_file.converge(refresh_fingerprints=True, return_successors=True)
    assert set(actions(moved).values()) == {("refreshed", "fingerprint of an older version")}


def test_fingerprints_stay_where_the_token_may_not_decrypt(
    bao: Bao, vars_file: VarsFile, mint_token: Callable[[str], str]
) -> None:
    vars_file.run(SECRETS)
    vars_file.rotate()
    uses = ("encrypt", "hmac", "verify", "rewrap")
    token = mint_token(
        "".join(f'path "{vars_file.mount}/{use}/{KEY}" {{ capabilities = ["update"] }}\n' for use in uses)
    )
    moved = vars_file.run(refresh_fingerprints=True, token=token)
    assert {text.split(":")[1] for text in vars_file.fingerprints().values()} == {"v1"}
    [warning] = moved.warnings
    assert "stay as they are, since the token may not decrypt" in warning


def test_fingerprints_under_a_key_of_their_own_outlive_rotations(vars_file: VarsFile) -> None:
    vars_file.make_key("marks")
    vars_file.converge(SECRETS, fingerprint_key="marks")
    assert vars_file.variables()["_transit"]["fingerprint_key"] == "marks"
    marks = vars_file.fingerprints()
    vars_file.rotate()
    vars_file.configure(min_decryption_version=1)

    done = vars_file.converge(SECRETS, fingerprint_key="marks")

    assert actions(done) == dict.fromkeys(SECRETS, ("rewrapped", "behind version 2"))
    assert vars_file.fingerprints() == marks
    assert vars_file.plaintexts() == SECRETS


def test_an_expired_fingerprint_is_refreshed_by_one_who_may_decrypt(vars_file: VarsFile) -> None:
    vars_file.make_key("marks")
    vars_file.run({**SECRETS, "rolled": "old-secret"}, fingerprint_key="marks")
    before = vars_file.ciphertexts()
    vars_file.rotate("marks")
    vars_file.configure("marks", min_decryption_version=2)

    done = vars_file.converge({**SECRETS, "rolled": "new-secret"}, fingerprint_key="marks")

    assert actions(done) == {
        **dict.fromkeys(SECRETS, ("refreshed", "fingerprint of an older version")),
        "rolled": ("updated", "the value changed"),
    }
    assert {name: vars_file.ciphertexts()[name] for name in SECRETS} == {name: before[name] for name in SECRETS}
    assert vars_file.plaintexts() == {**SECRETS, "rolled": "new-secret"}


def test_a_file_without_fingerprints_gets_them(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    sealed = vars_file.ciphertexts()
    vars_file.path.write_text("".join(f"{name}: {text}\n" for name, text in sealed.items()), encoding="utf-8")

    done = vars_file.converge(SECRETS)

    assert {action for action, _reason in actions(done).values()} == {"refreshed"}
    assert vars_file.ciphertexts() == sealed


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


# The file itself


def test_line_ends_stay(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    vars_file.path.write_bytes(vars_file.path.read_bytes().replace(b"\n", b"\r\n"))
    vars_file.converge({"openai_api_key": "sk-rolled-secret", "hf_token": "hf-new-secret"})
    assert vars_file.path.read_bytes().count(b"\r\n") == vars_file.path.read_bytes().count(b"\n") > 8


def test_a_new_file_is_for_its_owner_alone(vars_file: VarsFile, umask: None) -> None:
    vars_file.converge(SECRETS)
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o600


def test_mode_and_owner_can_be_asked_for(vars_file: VarsFile, umask: None) -> None:
    vars_file.run(SECRETS)
    done = vars_file.run(SECRETS, mode="0640", owner=str(os.getuid()), group=str(os.getgid()))
    assert done.changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o640
    vars_file.converge({"openai_api_key": "sk-rolled-secret"}, mode="0640")
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o640
    assert vars_file.run(mode="u=rw,g=,o=").changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o600


def test_a_file_that_is_there_keeps_its_mode_when_nothing_is_said(vars_file: VarsFile, umask: None) -> None:
    vars_file.run(SECRETS)
    vars_file.path.chmod(0o644)
    assert not vars_file.run(SECRETS).changed
    assert vars_file.run({"openai_api_key": "sk-rolled-secret"}).changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o644


def test_check_mode_predicts_a_change_of_mode(vars_file: VarsFile, umask: None) -> None:
    vars_file.run(SECRETS)
    predicted = vars_file.run(SECRETS, check=True, mode="0644")
    assert predicted.changed
    assert stat.S_IMODE(vars_file.path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(vars_file: VarsFile, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "keys.transit.yml"
    vars_file.path.symlink_to(target)
    vars_file.converge(SECRETS)
    vars_file.converge({"openai_api_key": "sk-rolled-secret"})
    assert vars_file.path.is_symlink()
    assert target.is_file()
    assert not target.is_symlink()


@pytest.mark.parametrize("exists", [False, True])
def test_a_run_that_dies_before_the_last_step_leaves_the_old_file(vars_file: VarsFile, exists: bool) -> None:
    if exists:
        vars_file.run(SECRETS)
    before, files = vars_file.state(), sorted(vars_file.path.parent.iterdir())
    killed = mock.patch.object(AnsibleModule, "atomic_move", side_effect=KeyboardInterrupt)
    with killed as move, pytest.raises(KeyboardInterrupt):
        vars_file.run({"openai_api_key": "sk-rolled-secret"})
    [source, target] = move.call_args.args
    assert target == str(vars_file.path)
    assert vars_file.state() == before
    assert source == str(new_file(vars_file.path))
    assert sorted(vars_file.path.parent.iterdir()) == files


def new_file(path: Path) -> Path:
    """What a run that is killed between writing and renaming leaves."""
    return path.with_name(f".{path.name}.mlkeys-new")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_what_a_killed_run_left_is_taken_away(vars_file: VarsFile, mode: int) -> None:
    left = new_file(vars_file.path)
    left.write_text("half of a fi", encoding="utf-8")
    left.chmod(mode)
    vars_file.converge(SECRETS)
    assert not left.exists()
    assert vars_file.plaintexts() == SECRETS


def test_what_another_run_is_just_writing_is_left_alone(vars_file: VarsFile) -> None:
    left = new_file(vars_file.path)
    with left.open("w", encoding="utf-8") as file:
        file.write("theirs")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "cannot be written (another run is just writing it)" in vars_file.refused(SECRETS)
        assert left.read_text(encoding="utf-8") == "theirs"


def test_a_link_in_the_place_of_the_new_file_is_not_followed(vars_file: VarsFile, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine", encoding="utf-8")
    new_file(vars_file.path).symlink_to(tmp_path / "victim")
    assert "cannot be written" in vars_file.refused(SECRETS)
    assert (tmp_path / "victim").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_missing_is_not_made(vars_file: VarsFile, tmp_path: Path) -> None:
    ledger = Ledger(vars_file.bao)
    missing = tmp_path / "nowhere"
    assert vars_file.refused(SECRETS, path=str(missing / "keys.transit.yml")) == (
        f"The folder {missing} does not exist. Create it first."
    )
    assert not missing.exists()
    assert vars_file.requests(ledger) == []


def test_a_folder_that_takes_no_file(vars_file: VarsFile) -> None:
    # Not even root may make a file here.
    message = vars_file.refused(SECRETS, path="/proc/keys.transit.yml")
    assert "/proc" in message
    assert "cannot be written" in message


def test_a_path_that_is_a_folder(vars_file: VarsFile, tmp_path: Path) -> None:
    assert vars_file.refused(SECRETS, path=str(tmp_path)) == f"{tmp_path}: Is a directory."


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


# What it refuses

SECRET = "sk-planted-secret"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a: [{SECRET}", "is not YAML (line"),
        (f"openai_api_key: {SECRET}\n", "the value of openai_api_key is not ciphertext (vault:vN:...). If it is a"),
        (f"openai_api_key: !!int {SECRET}\n", "is not YAML."),
        (f"OPENAI_API_KEY={SECRET}\n", "is not a vars file: it must hold a mapping of names to ciphertexts."),
        ("$ANSIBLE_VAULT;1.1;AES256\n3834\n", "is not a vars file: it must hold a mapping of names to ciphertexts."),
        ("a: vault:v1:QUJD\na: vault:v1:QUJD\n", "holds a name twice (line 2)."),
        ("a: vault:v1:cut off\n", "the value of a is not ciphertext"),
        ("_transit: {format: 9}\n", "has another format than 1, the only one that this version knows."),
        ("_transit: {backend: elsewhere}\n", "was written with backend 'elsewhere', not '"),
        ("_transit: {key: other}\n", f"was written with key 'other', not '{KEY}' and fingerprint_key 'other', not "),
        ("_transit: {fingerprint_key: other}\n", f"was written with fingerprint_key 'other', not '{KEY}'. Give what"),
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


def test_bytes_that_are_no_text(vars_file: VarsFile) -> None:
    vars_file.path.write_bytes(b"a: \xff\xfe")
    assert vars_file.refused(SECRETS) == f"{vars_file.path}: it is not UTF-8 text."


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"open-ai": SECRET}, "secrets: 'open-ai' is not a name for a variable: letters, digits and '_', not beginn"),
        ({"_transit": SECRET}, "secrets: '_transit' is reserved for the file itself."),
        ({"a": 5}, "secrets: the value of 'a' must be text (quote it)."),
        ({"a": None}, "secrets: the value of 'a' must be text (quote it)."),
        ({"a": [SECRET]}, "secrets: the value of 'a' must be text (quote it)."),
        ({"a": {"b": SECRET}}, "secrets: the value of 'a' must be text (quote it)."),
        ({"a": ""}, "secrets: the value of 'a' is empty."),
        ({"a": "", "b": 5}, "secrets: the value of 'b' must be text (quote it); the value of 'a' is empty."),
    ],
)
def test_secrets_that_cannot_be_right(vars_file: VarsFile, secrets: dict[str, object], message: str) -> None:
    ledger = Ledger(vars_file.bao)
    assert vars_file.refused(secrets).startswith(message)
    assert vars_file.requests(ledger) == []


def test_secrets_that_are_no_mapping(vars_file: VarsFile) -> None:
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
    assert (
        message
        == "No secrets engine is mounted for 'nowhere/hmac/ml-api-key'. Enable it, or correct the engine's path."
    )


def test_a_file_does_not_move_to_another_engine(vars_file: VarsFile) -> None:
    vars_file.run(SECRETS)
    with transit_mount(vars_file.bao) as other:
        vars_file.bao.done("POST", f"{other}/keys/{KEY}", {})
        assert f"was written with backend '{vars_file.mount}', not '{other}'. Give what" in vars_file.refused(
            SECRETS, backend=other
        )


@pytest.mark.parametrize("name", ["a/b", "", "-x", "x y"])
def test_a_name_that_no_key_has(vars_file: VarsFile, name: str) -> None:
    ledger = Ledger(vars_file.bao)
    assert vars_file.refused(SECRETS, key=name).startswith(f"'{name}' is not a key name: letters, digits")
    assert vars_file.requests(ledger) == []
