# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys set`, `unset`, `rename`, `show` and `check`, each with the rights that its help names."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from mlkeys._cli import main
from mlkeys._commands.vars_file.writes import Target, in_turn, target
from mlkeys._errors import MlkeysError
from mlkeys._system.replacing import ChangedMeanwhile, check_unchanged
from mlkeys._system.terminal import Line
from tests.cdk.secrets.conftest import SECRETS, Invoke, Process, command_line
from tests.cdk.stores import KEY, content, decrypted, kv_document
from tests.cdk.terminals import on_a_terminal
from tests.support.server import Bao

Allow = Callable[..., None]


def test_values_come_from_standard_input_or_a_variable(
    bao: Bao, stored: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decrypted(bao, stored) == SECRETS
    monkeypatch.setenv("FROM", "sk-other")
    before = content(stored)
    changed = invoke("set", str(stored), "openai_api_key", "--from-env", "FROM")
    assert "updated" in changed.output
    assert "sk-other" not in changed.output
    assert decrypted(bao, stored) == {**SECRETS, "openai_api_key": "sk-other"}
    assert content(stored)["gcp"] == before["gcp"], "other entries stay as they are"
    for given, kept in (("one\r\n", "one"), ("a\r\nb\n\n", "a\r\nb\n"), ("one\r", "one\r")):
        invoke("set", str(stored), "openai_api_key", stdin=given.encode())
        assert decrypted(bao, stored)["openai_api_key"] == kept


def test_no_name_and_no_value_in_a_table_controls_the_terminal(stored: Path, invoke: Invoke, allow: Allow) -> None:
    allow("encrypt", "hmac", "verify", "decrypt")
    invoke("set", str(stored), "gcp", stdin="one\x1b[2Jtwo\x9b31m")
    shown = invoke("show", str(stored), "--reveal", "--force").output
    assert "one\\x1b[2Jtwo\\x9b31m" in shown
    assert invoke("show", str(stored), "gcp", "--reveal", "--force").output == "one\x1b[2Jtwo\x9b31m"
    with stored.open("a") as file:
        file.write('"\\e[2J\\nError: fatal": plain\n')
    assert "not encrypted: \\x1b[2J\\nError: fatal." in invoke("show", str(stored), status=1).output


def test_no_name_of_a_file_controls_the_terminal(stored: Path, invoke: Invoke) -> None:
    hostile = stored.rename(stored.with_name("a\x1b[2J\x9b31m\u202e[x].transit.yml"))
    # The token may not decrypt.
    for command, others, status in (("check", (), 1), ("unset", ("gcp",), 0), ("upgrade", (), 0)):
        shown = invoke(command, str(hostile), *others, status=status).output
        assert "a\\x1b[2J\\x9b31m\\u202e[x].transit.yml" in shown, command
        assert not re.search("[\x1b\x9b\u202e]", shown), command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "{}", "gcp", "SECRET"], "A value comes from a prompt, standard input or --from-env."),
        (["login", "token=SECRET"], "A token or a password comes from a prompt or standard input."),
        (["edit", "{}", "SECRET", "SECRET"], "They may be secret, and are not shown."),
    ],
)
def test_an_argument_too_many_is_not_repeated(stored: Path, invoke: Invoke, arguments: list[str], said: str) -> None:
    shown = invoke(*(argument.format(stored) for argument in arguments), status=2).output
    assert said in shown
    assert "Got unexpected extra argument" in shown
    assert "SECRET" not in shown


def test_commands_that_write_a_file_at_once_take_turns(stored: Path) -> None:
    aim, texts = target(stored, None, None), []
    second = threading.Thread(target=in_turn, args=(aim, lambda now: texts.append(now.before)))

    def first(now: Target) -> None:
        second.start()
        second.join(0.2)
        stored.write_text(f"# first\n{now.before}")
        texts.append("first")

    in_turn(aim, first)
    second.join(30)
    assert texts == ["first", f"# first\n{aim.before}"]


def test_what_was_written_meanwhile_is_read_again(stored: Path) -> None:
    aim, texts = target(stored, None, None), []

    def work(now: Target) -> str:
        texts.append(now.before)
        if len(texts) == 1:
            stored.write_text(f"# theirs\n{now.before}")
        check_unchanged(stored, now.before)
        return "done"

    assert in_turn(aim, work) == "done"
    assert texts == [aim.before, f"# theirs\n{aim.before}"]

    def never_first(now: Target) -> None:
        stored.write_text(f"# again\n{now.before}")
        check_unchanged(stored, now.before)

    with pytest.raises(ChangedMeanwhile):
        in_turn(aim, never_first)


def test_an_empty_mapping_takes_the_place_of_no_secrets(stored: Path, invoke: Invoke) -> None:
    invoke("upgrade", str(stored))
    invoke("set", str(stored), "providers.openai", stdin="sk-1")
    before = stored.read_bytes()
    for empty in ("{}", "[]"):
        refused = invoke("set", str(stored), "providers", "--type", "json", stdin=empty, status=1).output
        assert "holds providers.openai, which cannot stay beside providers" in refused
    assert stored.read_bytes() == before


def test_the_same_value_again_changes_nothing(stored: Path, invoke: Invoke) -> None:
    before = stored.read_bytes()
    assert "already holds this value of gcp" in invoke("set", str(stored), "gcp", stdin=SECRETS["gcp"]).output
    assert stored.read_bytes() == before


def test_the_right_to_encrypt_is_enough(bao: Bao, stored: Path, invoke: Invoke, allow: Allow) -> None:
    allow("encrypt")
    before = content(stored)
    # As old releases wrote it, the fingerprint does not name its ciphertext, and would prove the old value of the new.
    unbound = before["_transit"]["hmac"]["gcp"].split()[0]
    stored.write_text(stored.read_text().replace(before["_transit"]["hmac"]["gcp"], unbound))
    written = invoke("set", str(stored), "gcp", "--json", stdin="other")
    assert "gcp has no fingerprint, because the token may not use hmac of the key." in written.stderr
    change = {"name": "gcp", "change": "updated", "version": 1, "reason": "no fingerprint"}
    assert json.loads(written.stdout)["changes"] == [change]
    invoke("set", str(stored), "added", stdin="new")
    after = content(stored)
    assert set(after["_transit"]["hmac"]) == set(SECRETS) - {"gcp"}
    assert decrypted(bao, stored) == {**SECRETS, "gcp": "other", "added": "new"}
    assert after["openai_api_key"] == before["openai_api_key"]

    # Its values would have no type in a file of nested data.
    unchanged = stored.read_bytes()
    assert "has no fingerprint of added, gcp, and format 2 needs it" in invoke("upgrade", str(stored), status=1).output
    assert stored.read_bytes() == unchanged

    allow("encrypt", "hmac")
    assert "no fingerprint" in invoke("set", str(stored), "gcp", stdin="other").output
    assert "already holds" in invoke("set", str(stored), "gcp", stdin="other").output


def test_a_value_whose_type_is_in_its_fingerprint_is_not_written_without(
    stored: Path, invoke: Invoke, allow: Allow
) -> None:
    invoke("upgrade", str(stored))
    allow("encrypt")
    before = stored.read_bytes()
    for refused in (["--type", "json"], []):
        denied = invoke("set", str(stored), "port", *refused, stdin="8080", status=1).output
        assert "do not grant the capability 'update' on" in denied
        assert "/hmac/" in denied
    assert stored.read_bytes() == before
    invoke("set", str(stored), "providers.openai", stdin="sk-1")
    allow("decrypt")
    assert invoke("show", str(stored), "providers.openai", "--reveal", "--force").output == "sk-1"


def test_a_fingerprint_that_the_token_may_not_verify_is_renewed(
    bao: Bao, stored: Path, invoke: Invoke, allow: Allow, mount: str
) -> None:
    allow("encrypt", "hmac")
    bao.done("POST", f"{mount}/keys/{KEY}/rotate", {})
    assert "updated" in invoke("set", str(stored), "gcp", stdin=SECRETS["gcp"]).output
    assert content(stored)["_transit"]["hmac"]["gcp"].startswith("vault:v2:")


def test_a_missing_engine_and_key_are_created_on_request_only(
    bao: Bao, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAO_ADDR", bao.addr)
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    wanted = ["set", "new.transit.yml", "gcp", "--key", "made", "--backend", "made-by-set"]
    refused = invoke(*wanted, stdin="sk-1", status=1).output
    assert "No secrets engine is mounted" in refused
    assert "add --create-key" in refused
    # Without a value nothing is created.
    invoke(*wanted, "--create-key", stdin="", status=1)
    assert bao.request("GET", "sys/mounts/made-by-set")[0] == 400
    try:
        assert "Created the engine made-by-set and the key made." in invoke(*wanted, "--create-key", stdin="1").output
        assert bao.done("GET", "made-by-set/keys/made")["data"]["derived"] is True
        assert "Created" not in invoke(*wanted, "--create-key", stdin="sk-2").output
        # As other commands show keys, and take them.
        other = ["set", "other.transit.yml", "gcp", "--key", "made-by-set/other", "--create-key"]
        refused = invoke(*other[:-1], stdin="sk-1", status=1).output
        assert "does not exist" in refused
        assert "add --create-key" in refused
        assert "Created the key other." in invoke(*other, stdin="sk-1").output
    finally:
        bao.done("DELETE", "sys/mounts/made-by-set")


def test_an_engine_that_would_store_values_gets_none(
    bao: Bao, stored: Path, invoke: Invoke, mount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    bao.done("POST", "sys/mounts/shared-kv", {"type": "kv"})
    try:
        stored.write_text(stored.read_text().replace(f"backend: {mount}", "backend: shared-kv"))
        for arguments in (["other"], ["other", "--key", KEY]):
            refused = invoke("set", str(stored), *arguments, stdin="sk-1", status=1).output
            assert "'shared-kv' is not a Transit engine: its type is 'kv'" in refused
        assert bao.request("LIST", "shared-kv/")[0] == 404
    finally:
        bao.done("DELETE", "sys/mounts/shared-kv")


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ([], "", "standard input is empty"),
        ([], "\n", "standard input is empty"),
        ([], b"\xff", "not UTF-8"),
        ([], "vault:v1:QUJDREVG\n", "is a ciphertext"),
        ([], f"Bearer vault:v1:{'QUJD' * 12}", "contains a ciphertext"),
        (["--from-env", "NO_SUCH_VARIABLE"], None, "NO_SUCH_VARIABLE is not set"),
    ],
)
def test_without_a_value_nothing_is_written(
    stored: Path, invoke: Invoke, arguments: list[str], stdin: str | bytes | None, words: str
) -> None:
    before = stored.read_bytes()
    assert words in invoke("set", str(stored), "new", *arguments, stdin=stdin, status=1).output
    assert stored.read_bytes() == before


def test_a_ciphertext_that_is_stored_is_warned_about(
    stored: Path, invoke: Invoke, process: Process, allow: Allow
) -> None:
    allow("encrypt", "hmac", "verify", "decrypt")
    assert invoke("set", str(stored), "twice", "--allow-ciphertext", stdin="vault:v1:QUJDREVG").output
    done = process("run", "-f", str(stored), "--", "true")
    assert b"twice: what it decrypts to is a ciphertext" in done.stderr
    assert b"vault:v" not in done.stderr


def test_a_prompt_does_not_show_the_value(bao: Bao, stored: Path, tmp_path: Path) -> None:
    with on_a_terminal(command_line(["set", str(stored), "typed"]), tmp_path, os.environ) as terminal:
        terminal.wait_for("Value of typed")
        terminal.type("sk-typed-canary\n")
        assert terminal.wait() == 0
        assert "sk-typed-canary" not in terminal.shown
    assert decrypted(bao, stored)["typed"] == "sk-typed-canary"


# What a shell would run, if the value that was pasted reached it.
KEY_FILE = "{\n  type: account,\ntouch ran\n}\n"


@pytest.mark.parametrize(
    "pasted", [KEY_FILE, f"\x1b[200~{KEY_FILE}\x1b[201~", f"\x1b[200~{KEY_FILE.rstrip()}\x1b[201~", "\n" + KEY_FILE]
)
def test_several_lines_at_a_prompt_are_refused_and_reach_no_shell(stored: Path, tmp_path: Path, pasted: str) -> None:
    before = stored.read_text()
    script = f"{shlex.join(command_line(['set', str(stored), 'pasted']))}; echo status $?; stty -a; exec sh"
    with on_a_terminal(["sh", "-c", script], tmp_path, os.environ) as terminal:
        terminal.wait_for("Value of pasted")
        terminal.type(pasted)
        terminal.wait_for("status 1")
        terminal.type("exit 7\n")
        assert terminal.wait() == 7
    said = f"The value has several lines: pipe it (mlkeys set {stored} pasted < FILE), or use 'mlkeys import file'."
    assert said in terminal.shown.replace("\r\n", "\n")
    assert " icanon" in terminal.shown
    assert " echo " in terminal.shown
    assert "account" not in terminal.shown
    assert not Path("ran").exists()
    assert stored.read_text() == before


def test_a_line_at_a_prompt_is_stored_whole(bao: Bao, stored: Path, tmp_path: Path) -> None:
    for pasted in ("A" * 6000 + "\n", f"\x1b[200~{'A' * 6000}\x1b[201~\n", f"\x1b[200~{'A' * 6000}\r\x1b[201~"):
        with on_a_terminal(command_line(["set", str(stored), "long"]), tmp_path, os.environ) as terminal:
            terminal.wait_for("Value of long")
            terminal.type(pasted)
            assert terminal.wait() == 0
        assert decrypted(bao, stored)["long"] == "A" * 6000
        assert "AA" not in terminal.shown


@pytest.mark.parametrize(
    ("typed", "number", "status", "words"),
    [
        ("sk-\x03", None, 130, ""),
        ("\x04", None, 1, "Aborted!"),
        ("\n", None, 1, "nothing was entered"),
        ("sk-", signal.SIGTERM, 128 + signal.SIGTERM, ""),
    ],
)
def test_after_a_prompt_the_terminal_is_as_it_was(
    stored: Path, tmp_path: Path, typed: str, number: int | None, status: int, words: str
) -> None:
    before = stored.read_text()
    script = f"{shlex.join(command_line(['set', str(stored), 'typed']))} & echo $!; fg; echo status $?; stty -a"
    with on_a_terminal(["bash", "--norc", "-ic", script], tmp_path, os.environ) as terminal:
        terminal.wait_for("Value of typed")
        terminal.type(typed)
        if number:
            os.kill(int(re.findall(r"^(\d+)\r?$", terminal.shown, re.MULTILINE)[0]), number)
        terminal.wait_for(f"status {status}")
        terminal.wait()
    assert words in terminal.shown
    assert " icanon" in terminal.shown
    assert " echo " in terminal.shown
    assert stored.read_text() == before


def test_a_prompt_can_be_left_for_a_while(bao: Bao, stored: Path, tmp_path: Path) -> None:
    script = f"{shlex.join(command_line(['set', str(stored), 'typed']))}; echo status $?; stty -a; read -r; fg"
    with on_a_terminal(["bash", "--norc", "-ic", script], tmp_path, os.environ) as terminal:
        terminal.wait_for("Value of typed")
        terminal.type("sk-\x1a")
        terminal.wait_for(f"status {128 + signal.SIGTSTP}")
        terminal.type("\n")
        terminal.wait_for("Value of typed")
        terminal.type("typed-canary\n")
        terminal.wait()
    assert " icanon" in terminal.shown
    assert " echo " in terminal.shown
    assert "canary" not in terminal.shown
    assert decrypted(bao, stored)["typed"] == "typed-canary"


@pytest.mark.parametrize(
    ("entered", "text"),
    [
        ([b"one\x7f\x08ne two\x17three\n"], "one three"),
        (["wrong\x15k\u00fc\x7f\u20ac\x7fey\n".encode()], "key"),
        ([b"\x04key\x04\n\n"], "key"),
        ([b"a\x1b[2", b"00~b\x7f\x1b[20", b"1~c", b"\n"], "ab\x7fc"),
        ([b"a\x1b[200~b\r\n\x1b[201~"], "ab"),
        ([b"a\x1b[Db\n"], "a\x1b[Db"),
        ([b"a\nb"], None),
        ([b"\x1b[200~a\x1b[201~\r\x1b[200~b\x1b[201~"], None),
        ([b"\x1b[200~a\rb\x1b[201~"], None),
        ([b"\xff\n"], None),
    ],
)
def test_a_line_is_edited_and_a_paste_is_taken_as_it_is(entered: list[bytes], text: str | None) -> None:
    control: list[Any] = [b"\0"] * 32
    for place, one in ((termios.VERASE, 0x7F), (termios.VWERASE, 0x17), (termios.VKILL, 0x15), (termios.VEOF, 0x04)):
        control[place] = bytes([one])
    line = Line(control)
    for part in entered:
        line.take(part)
    assert line.is_complete
    if text is None:
        with pytest.raises(MlkeysError, match=r"several lines: pipe it|not UTF-8"):
            line.text("pipe it")
    else:
        assert line.text("pipe it") == text


def test_removing_needs_no_server(bao: Bao, stored: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
    assert "Did you mean 'gcp'" in invoke("unset", str(stored), "gpc", status=1).output
    invoke("unset", str(stored), "gcp")
    assert decrypted(bao, stored) == {"openai_api_key": SECRETS["openai_api_key"]}
    assert "gcp" not in stored.read_text()


def test_a_new_name_decrypts_and_the_old_one_is_gone(bao: Bao, stored: Path, invoke: Invoke, allow: Allow) -> None:
    allow("encrypt", "hmac", "verify", "decrypt")
    assert "is the name that it has" in invoke("rename", str(stored), "gcp", "gcp", status=1).output
    assert "already has an entry 'gcp'" in invoke("rename", str(stored), "openai_api_key", "gcp", status=1).output
    invoke("rename", str(stored), "openai_api_key", "litellm_key")
    assert decrypted(bao, stored) == {"litellm_key": SECRETS["openai_api_key"], "gcp": SECRETS["gcp"]}
    assert "openai_api_key" not in stored.read_text()


def test_documents_of_a_kv_engine_are_changed_in_the_engine(
    bao: Bao, mount: str, allow: Allow, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow("encrypt")
    with kv_document(bao, mount, Path("kv.transit.yml")) as document:
        monkeypatch.setenv("BAO_TOKEN", bao.token)
        for name, value in SECRETS.items():
            invoke("set", "kv.transit.yml", name, stdin=value)
        assert document.decrypted() == SECRETS
        assert "gcp" in invoke("show", "kv.transit.yml").output
        invoke("rename", "kv.transit.yml", "gcp", "google")
        invoke("unset", "kv.transit.yml", "openai_api_key")
        assert document.decrypted() == {"google": SECRETS["gcp"]}
        assert document.pointer.read_text() == document.text


# --- show ---


def test_names_are_shown_without_a_request(
    stored: Path, invoke: Invoke, mount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_ADDR", "http://127.0.0.1:1")
    shown = invoke("show", str(stored)).output
    assert "openai_api_key" in shown
    assert f"{mount}/{KEY}" in shown
    assert json.loads(invoke("show", str(stored), "gcp", "--json").output) == [
        {"name": "gcp", "file": str(stored), "key": f"{mount}/{KEY}", "version": 1, "sensitive": True}
    ]


def test_values_are_only_written_where_nobody_keeps_them(
    stored: Path, invoke: Invoke, allow: Allow, tmp_path: Path
) -> None:
    allow("decrypt")
    refused = invoke("show", str(stored), "gcp", "--reveal", status=1)
    assert "Add --force" in refused.output
    assert SECRETS["gcp"] not in refused.output
    assert invoke("show", str(stored), "gcp", "--reveal", "--force").output == SECRETS["gcp"]
    shown = json.loads(invoke("show", str(stored), "--reveal", "--force", "--json").output)
    assert {one["name"]: one["value"] for one in shown} == SECRETS
    with on_a_terminal(command_line(["show", str(stored), "--reveal"]), tmp_path, os.environ) as terminal:
        terminal.wait_for(SECRETS["openai_api_key"])
        assert terminal.wait() == 0
    allow("decrypt", "encrypt", "hmac", "verify")
    invoke("set", str(stored), "gcp", stdin="one\x1b[2Jtwo")
    with on_a_terminal(command_line(["show", str(stored), "gcp", "--reveal"]), tmp_path, os.environ) as terminal:
        terminal.wait_for("one\\x1b[2Jtwo")
        assert terminal.wait() == 0


# --- check ---


@pytest.mark.parametrize("operation", ["decrypt", "rewrap"])
def test_a_damaged_character_is_found_with_either_right(
    stored: Path, invoke: Invoke, allow: Allow, operation: str
) -> None:
    allow(operation)
    assert "2 of 2 secrets decrypt." in invoke("check").output
    text = stored.read_text()
    sealed = content(stored)["openai_api_key"]
    damaged = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    stored.write_text(text.replace(sealed, damaged))
    shown = invoke("check", str(stored), status=1).output
    assert f"{stored}: openai_api_key: " in shown
    assert "1 of 2 secrets decrypt." in shown
    rows = json.loads(invoke("check", "--json", status=1).output)
    assert [bool(row["problem"]) for row in rows] == [False, True]


def test_files_of_several_groups_may_hold_the_same_names(stored: Path, invoke: Invoke, allow: Allow) -> None:
    allow("decrypt")
    for name in ("a", ".hidden/a", "a/b"):
        Path(name).mkdir(parents=True)
        (Path(name) / stored).write_bytes(stored.read_bytes())
    assert "6 of 6 secrets decrypt." in invoke("check").output
    damaged = Path("a/b") / stored
    sealed = content(stored)
    text = stored.read_text()
    damaged.write_text(text.replace(sealed["gcp"], sealed["openai_api_key"]))
    shown = invoke("check", "a", str(stored), status=1).output
    assert shown.startswith("a/b/keys.transit.yml: gcp: ")
    assert "5 of 6 secrets decrypt." in shown
    again = Path("a") / "again.transit.yml"
    again.write_bytes(stored.read_bytes())
    found = json.loads(invoke("show", "a", "--reveal", "--force", "--json").output)
    assert [(one["name"], one["value"]) for one in found] == [*sorted(SECRETS.items()), *sorted(SECRETS.items())]
    refused = invoke("run", "-f", "a", "--", "true", status=1).output
    assert "Name the files that you want, with one of these." in refused
    # A fingerprint of something else, as a wrong merge leaves it.
    hmac = sealed["_transit"]["hmac"]
    again.write_text(text.replace(hmac["gcp"].split()[1], hmac["openai_api_key"].split()[1]))
    shown = invoke("check", str(again)).output
    assert f"{again}: gcp: the fingerprint is not that of the ciphertext" in shown
    assert [bool(row["warning"]) for row in json.loads(invoke("check", str(again), "--json").output)] == [True, False]


def test_a_bad_file_keeps_no_other_from_being_checked(stored: Path, invoke: Invoke, allow: Allow) -> None:
    allow("decrypt")
    right = stored.read_text()
    for name, text in {
        "a/conflict": "<<<<<<< HEAD\n" + right,
        "a/empty": "# nothing\n",
        "a/other-key": right.replace(f"key: {KEY}", "key: other"),
        "b/good": right,
    }.items():
        file = Path(f"{name}.transit.yml")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    Path("b/lost.transit.yml").symlink_to("nowhere")
    # Editors mark files that they have open so.
    Path("b/.#good.transit.yml").symlink_to("someone@somewhere")
    os.mkfifo("b/pipe.transit.yml")
    os.mkfifo("pipe.transit.yml")
    given = ["nowhere", "pipe.transit.yml", "a", "b"]
    shown = invoke("check", *given, status=1).output
    assert "a/other-key.transit.yml: gcp, openai_api_key: The key for " in shown
    for words in (
        "nowhere does not exist.",
        "pipe.transit.yml: it is not a regular file.",
        "a/conflict.transit.yml is not YAML",
        "a/empty.transit.yml holds no secrets.",
        "b/lost.transit.yml: No such file or directory.",
    ):
        assert f"\n{words}" in shown
    assert shown.endswith("2 of 4 secrets decrypt. 5 files or folders could not be checked.\n")
    rows = json.loads(invoke("check", "--json", *given, status=1).output)
    assert [(row["file"], row["name"]) for row in rows if row["problem"]] == [
        ("a/other-key.transit.yml", "gcp"),
        ("a/other-key.transit.yml", "openai_api_key"),
        ("nowhere", None),
        ("pipe.transit.yml", None),
        ("a/conflict.transit.yml", None),
        ("a/empty.transit.yml", None),
        ("b/lost.transit.yml", None),
    ]
    assert len(rows) == 9


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop rights")
def test_what_the_user_may_not_read_is_named(stored: Path, allow: Allow) -> None:
    allow("decrypt")
    for name in ("good", "closed"):
        Path(name).mkdir()
        (Path(name) / stored).write_bytes(stored.read_bytes())
    Path("closed").chmod(0)
    stored.chmod(0)

    def without_rights(words: str) -> tuple[int, str, str]:
        drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
        done = subprocess.run([*drop, *command_line(words.split())], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    status, shown, _ = without_rights("check --json")
    assert status == 1
    assert [(row["file"], row["problem"]) for row in json.loads(shown)] == [
        *[("good/keys.transit.yml", "")] * 2,
        ("closed", "closed: Permission denied."),
        (str(stored), f"{stored}: Permission denied."),
    ]
    for words in ("show {}", "run -f {} -- true", "unset {} gcp"):
        assert without_rights(words.format(stored)) == (1, "", f"Error: {stored}: Permission denied.\n"), words


@pytest.mark.parametrize("text", ["# nothing\n", "_transit: {format: 1, backend: transit, key: k}\n"])
def test_a_file_without_secrets_is_named(
    stored: Path, invoke: Invoke, process: Process, allow: Allow, text: str
) -> None:
    allow("decrypt")
    stored.write_text(text)
    said = f"{stored} holds no secrets. Restore it, or remove it if it is not needed.\n"
    for words in ("show {}", "check {}"):
        assert said in invoke(*words.format(stored).split(), status=1).output
    for words in ("run -- touch ran", "run --watch -- touch ran"):
        assert process(*words.split(), status=1).stderr.decode() == f"Error: {said}"
    assert not Path("ran").exists()
    for words in ("unset {} gcp", "rename {} gcp g"):
        shown = invoke(*words.format(stored).split(), status=1).output
        assert ("unknown secret 'gcp'.\n" if "key" in text else f"{stored} holds no secrets and names no key.") in shown
    assert stored.read_text() == text


def test_without_either_right_nothing_is_checked(stored: Path, invoke: Invoke) -> None:
    assert "Permission denied" in invoke("check", str(stored), status=1).output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere"], "nowhere does not exist"),
        (["check", "x" * 300], "File name too long."),
        (["check", "empty"], "No encrypted vars file (*.transit.yml) in "),
        (["show", "plain.transit.yml"], "plain.transit.yml has values that are not encrypted: a."),
        (["edit", "new.transit.yml", "--key", "a/k", "--backend", "b"], "--key a/k names the engine a, and --backend"),
        (["show", "keys.transit.yml", "gpc"], "Did you mean 'gcp'"),
    ],
)
def test_what_is_not_found_is_named(stored: Path, invoke: Invoke, arguments: list[str], words: str) -> None:
    assert stored.exists()
    Path("empty").mkdir()
    Path("plain.transit.yml").write_text("a: b\n_transit: {format: 1, backend: transit, key: k}\n")
    assert words in invoke(*arguments, status=1).output.replace("\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_of_secrets_are_completed(stored: Path, invoke: Invoke, shell: str) -> None:
    assert "_MLKEYS_COMPLETE" in invoke("completion", shell).output
    words = {"COMP_WORDS": f"mlkeys show {stored} op", "COMP_CWORD": "3" if shell != "fish" else "op"}
    program = [str(Path(sys.executable).parent / "mlkeys")]
    done = subprocess.run(
        program,
        env={**os.environ, **words, "_MLKEYS_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "openai_api_key" in done.stdout
    assert "gcp" not in done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("run --only op", ["openai_api_key"]),
        ("run -f keys.transit.yml --only g", ["gcp"]),
        ("run -f none.transit.yml --only g", []),
        ("run --env g", ["gcp=GCP"]),
        ("run --file ope", ["openai_api_key=OPENAI_API_KEY"]),
        ("run --file gcp=", ["gcp=GCP"]),
        ("run --file gcp=./k", ["file: ./k"]),
        ("run -- python app_", ["file: app_"]),
        ("run python -c app_", ["file: app_"]),
        ("run -- ./a", ["file: ./a"]),
        ("run -- my_pro", ["my_program"]),
        ("run --watch --signal us", ["USR1", "USR2"]),
        ("show . g", ["gcp"]),
        ("comp", ["completion"]),
    ],
)
def test_words_are_completed(stored: Path, words: str, completed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored.exists()
    monkeypatch.setenv("PATH", "/no/such/folder:bin")
    Path("bin").mkdir()
    for name, mode in (("my_program", 0o755), ("my_protocol", 0o644)):
        Path("bin", name).touch(mode)
    *before, beginning = words.split()
    shell = ShellComplete(main, {}, "mlkeys", "_MLKEYS_COMPLETE")
    found = shell.get_completions(before, beginning)
    assert [f"file: {one.value}" if one.type == "file" else one.value for one in found] == completed


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("run --file gc", "gcp=GCP "),
        ("run --file gcp=", "gcp=GCP "),
        ("run --file gcp=G", "gcp=GCP "),
        ("run --file=gcp=", "gcp=GCP "),
        ("run --only=g", "--only=gcp "),
        ("run --file gcp=./app_m", "gcp=./app_main.py "),
        ("run -- python app_", "python app_main.py "),
    ],
)
def test_bash_completes_the_part_after_a_sign(stored: Path, words: str, completed: str) -> None:
    Path("app_main.py").touch()
    program = Path(sys.executable).parent
    with on_a_terminal(
        ["bash", "--norc", "-i"], stored.absolute().parent, {"PATH": f"{program}:{os.environ['PATH']}", "PS1": "> "}
    ) as terminal:
        terminal.type('eval "$(mlkeys completion bash)"; echo rea""dy\n')
        terminal.wait_for("ready")
        terminal.type(f"mlkeys {words}\t")
        terminal.wait_for(completed)


def test_changes_are_shown_as_json(stored: Path, invoke: Invoke, allow: Allow) -> None:
    def changed(*arguments: str, stdin: str | None = None, status: int = 0) -> Any:
        return json.loads(invoke(*arguments, "--json", stdin=stdin, status=status).stdout)

    allow("encrypt", "decrypt", "hmac", "verify")
    path = str(stored)
    added = {"name": "new", "change": "added", "version": 1, "reason": "new"}
    assert changed("set", path, "new", stdin="sk-new") == {"file": path, "changes": [added]}
    assert changed("set", path, "new", stdin="sk-new")["changes"][0]["change"] == "kept"
    assert changed("rename", path, "new", "newer")["changes"] == [
        {"name": "new", "change": "removed", "version": 1, "reason": "renamed to newer"},
        {"name": "newer", "change": "added", "version": 1, "reason": "renamed from new"},
    ]
    assert changed("unset", path, "newer")["changes"] == [
        {"name": "newer", "change": "removed", "version": 1, "reason": None}
    ]
    assert "unknown secret 'newer'" in changed("unset", path, "newer", status=1)["error"]
