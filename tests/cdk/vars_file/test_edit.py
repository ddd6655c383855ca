# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys edit` on a real server, with scripts and with people's editors."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlkeys._cli import main
from mlkeys._system import private_folder
from mlkeys._system.editor import is_known
from tests.cdk import keys
from tests.cdk.stores import KEY, KvDocument, content, decrypted, holds_none, kv_document, make_key, token_for
from tests.cdk.terminals import on_a_terminal, state_of
from tests.support.server import Bao

FILE = Path("keys.transit.yml")
SECRETS = {"openai_api_key": keys.openai(), "private": "one\ntwo\n", "number": "12"}
MEMORY = Path("/dev/shm")  # noqa: S108  the place that is looked at
COMMAND = [sys.executable, "-m", "mlkeys", "edit", str(FILE)]


@pytest.fixture(autouse=True)
def login(
    bao: Bao, mount: str, mint_token: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A key, and a token that may do what editing needs."""
    make_key(bao, mount)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAO_ADDR", bao.addr)
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "decrypt", "encrypt", "hmac", "verify"))
    monkeypatch.delenv("VISUAL", raising=False)
    # A home in memory of this test's own: what is left in it is seen, and nobody else's is touched.
    runtime = MEMORY / f"test-{os.getpid()}-{time.monotonic_ns()}"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    yield
    locks = runtime / f"mlkeys-locks-{os.geteuid()}"
    left = [path for path in runtime.iterdir() if path != locks]
    left += locks.glob("*")
    shutil.rmtree(runtime)
    assert left == []


@pytest.fixture
def runtime() -> Path:
    return Path(os.environ["XDG_RUNTIME_DIR"])


@pytest.fixture
def edit(monkeypatch: pytest.MonkeyPatch, mount: str) -> Callable[..., Result]:
    def run(script: str, status: int = 0, file: Path = FILE, arguments: tuple[str, ...] = ()) -> Result:
        """Edit with a script, a piece of Python that finds the text as `text` and its path as `path`."""
        monkeypatch.setenv("EDITOR", editor(script))
        new = () if file.exists() else ("--key", KEY, "--backend", mount)
        done = CliRunner().invoke(main, ["edit", str(file), *new, *arguments])
        assert done.exit_code == status, (done.output, done.exception)
        for secret in SECRETS.values():
            assert len(secret) < 5 or secret not in done.output
        return done

    return run


def test_nested_data_are_edited_as_such(edit: Edit, bao: Bao, stored: Path) -> None:
    CliRunner().invoke(main, ["upgrade", str(FILE)], catch_exceptions=False)
    added = {"providers": {"a.b": ["one-canary", {"n": 3, "yes": None}], "t": True, "e": {}}, "s": "3"}
    edit(f"text += {as_yaml(added)!r}")
    assert content(FILE)["_transit"]["format"] == 2
    before = content(FILE)["providers"]
    # A type is a value, too, and an element that comes first gives the others other places.
    done = edit(
        "import yaml; data = yaml.safe_load(text); data['providers']['t'] = 1; data['s'] = 3;"
        "data['providers']['a.b'].insert(0, 'zero-canary'); import json; text = json.dumps(data)"
    )
    assert "canary" not in done.output
    after = content(FILE)["providers"]
    assert len(after["a.b"]) == 3
    assert (after["e"], after["t"] == before["t"]) == (before["e"], False)
    edit(
        "import yaml; data = yaml.safe_load(text);"
        "assert data['providers'] == {'a.b': ['zero-canary', 'one-canary', {'n': 3, 'yes': None}], 't': 1, 'e': {}}, 1;"
        "assert data['s'] == 3 and type(data['providers']['t']) is int and data['number'] == '12', 2"
    )
    same = FILE.read_bytes()
    edit("text = text.replace('t: 1', 't: 1.5')")
    assert FILE.read_bytes() != same
    said = edit("text += 'providers: {b: 1}\\nopen-ai: x\\nports: {8080: x, on: y}\\n'", status=1).output
    assert "ports.8080 ends with a key that is not text (quote it)" in said
    assert "ports.on ends with a key that is not text (quote it)" in said
    assert "'open-ai' is not a path" in said
    assert "providers.b" not in said


def test_what_a_file_leaves_unencrypted_is_edited_too_and_stays_so(edit: Edit, bao: Bao, mount: str) -> None:
    plain = ", ".join(f"providers.0.{name}" for name in ("region", "retries", "since", "zone"))
    FILE.write_text(
        "providers:\n  - region: eu  # where\n    since: 2024-01-02\n    retries: 3\n"
        f"_transit:\n  format: 2\n  backend: {mount}\n  key: {KEY}\n  unencrypted: [{plain}]\n",
        encoding="utf-8",
    )
    edit(
        "import yaml; data = yaml.safe_load(text); data['providers'][0].update(api_key='one-canary', n=2);"
        "import json; text = json.dumps(data)"
    )
    assert "# where" in FILE.read_text(encoding="utf-8")
    sealed = content(FILE)["providers"][0]["api_key"]
    done = edit(
        "import yaml; data = yaml.safe_load(text); one = data['providers'][0];"
        "assert one == {'region': 'eu', 'retries': 3, 'api_key': 'one-canary', 'n': 2}, 1;"
        "del one['region']; one['retries'] = 4.5; one['zone'] = 'b'; import json; text = json.dumps(data)"
    )
    after = content(FILE)["providers"][0]
    assert {name: value for name, value in after.items() if name != "n"} == {
        "since": dt.date(2024, 1, 2),
        "retries": 4.5,
        "api_key": sealed,
        "zone": "b",
    }
    assert re.findall(r"providers\.0\.(\S+) +(updated|added|removed|kept)", done.output) == [
        ("api_key", "kept"),
        ("n", "kept"),
        ("retries", "updated"),
        ("zone", "added"),
        ("region", "removed"),
    ]


def test_a_new_file_of_nested_data(edit: Edit, bao: Bao) -> None:
    said = edit("text += 'providers: {openai: {api_key: sk-canary, open: [}'", status=1)
    assert not FILE.exists()
    assert "canary" not in said.output
    done = edit("text += 'providers: {openai: {api_key: sk-canary, retries: 3, proxy: null}}\\nname: x\\n'")
    assert done.stdout.count("added") == 4
    assert "canary" not in done.output
    assert content(FILE)["_transit"]["format"] == 2
    edit(
        "import yaml; data = yaml.safe_load(text);"
        "assert data == {'providers': {'openai': {'api_key': 'sk-canary', 'retries': 3, 'proxy': None}}, 'name': 'x'}"
    )


@pytest.mark.parametrize("text", ["a: {b: sk-other}", "a: sk-other"])
def test_a_new_file_that_somebody_else_began_in_another_format(edit: Edit, bao: Bao, mount: str, text: str) -> None:
    """What they stored stays, and JSON is never stored as a text."""
    other = Path("other.transit.yml")
    mine = "a: {c: sk-mine}" if "{" not in text else "a: sk-mine"
    edit(f"text += {text!r}", file=other)
    said = edit(f"import shutil; shutil.copy({str(other)!r}, {str(FILE)!r}); text += {mine!r}", status=1)
    assert "another format" in said.output
    assert FILE.read_bytes() == other.read_bytes()


@pytest.fixture
def stored(edit: Edit) -> Path:
    """A file that holds the secrets."""
    edit(f"text += {as_yaml(SECRETS)!r}")
    return FILE


Edit = Callable[..., Result]


def editor(script: str) -> str:
    """A command line with an argument of its own, as EDITOR often has."""
    program = Path("an editor.py").absolute()
    beginning = "import os, pathlib, signal, sys, time\npath = pathlib.Path(sys.argv[2])\ntext = path.read_text()"
    program.write_text(f"{beginning}\n{script}\npath.write_text(text)")
    return f"{sys.executable} '{program}' --wait"


def as_yaml(secrets: Mapping[str, object]) -> str:
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in secrets.items())


def test_a_new_file(bao: Bao, mount: str, edit: Edit) -> None:
    done = edit(f"text += {as_yaml(SECRETS)!r}")
    assert decrypted(bao, FILE) == SECRETS
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert content(FILE)["_transit"]["backend"] == mount
    assert done.stdout.count("added") == 3
    holds_none(Path(), {"openai": SECRETS["openai_api_key"]}, but=(Path("an editor.py"),))


def test_only_what_changed_is_encrypted(bao: Bao, mount: str, edit: Edit, stored: Path) -> None:
    stored.write_text(stored.read_text().replace("number: ", "# a number\nnumber: ", 1))
    before = content(stored)
    # Entries behind stay behind: this token may not rewrap them.
    bao.done("POST", f"{mount}/keys/{KEY}/rotate")
    done = edit("text = text.replace('one', 'three') + 'new: 007\\n'")
    after = content(stored)
    assert decrypted(bao, stored) == {**SECRETS, "private": "three\ntwo\n", "new": "007"}
    for name in ("openai_api_key", "number"):
        assert after[name] == before[name]
        assert after["_transit"]["hmac"][name] == before["_transit"]["hmac"][name]
    assert after["private"].startswith("vault:v2:")
    assert list(after) == ["number", "openai_api_key", "private", "new", "_transit"]
    assert "\n# a number\nnumber: " in stored.read_text()
    shown = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if len(line.split()) > 1}
    assert {name: shown[name] for name in after if name != "_transit"} == {
        "openai_api_key": "kept",
        "private": "updated",
        "number": "kept",
        "new": "added",
    }


def test_a_removed_line_removes_the_entry(bao: Bao, edit: Edit, stored: Path) -> None:
    done = edit("text = ''.join(line for line in text.splitlines(True) if not line.startswith('number'))")
    assert "removed" in done.stdout
    assert "deleted in the text" in done.stdout
    assert list(decrypted(bao, stored)) == ["openai_api_key", "private"]
    assert "number" not in stored.read_text()


@pytest.fixture
def document(
    bao: Bao, mount: str, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, edit: Edit
) -> Iterator[KvDocument]:
    """A file that points to a document, which holds the secrets, and a token that may write it as well."""
    with kv_document(bao, mount, FILE) as made:
        operations = ("decrypt", "encrypt", "hmac", "verify")
        monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, *operations, rules=made.rules))
        edit(f"text += {as_yaml(SECRETS)!r}", arguments=("--key", KEY, "--backend", mount))
        yield made


def test_a_document_that_the_file_points_to(bao: Bao, mount: str, edit: Edit, document: KvDocument) -> None:
    before = document.content()
    bao.done("POST", f"{mount}/keys/{KEY}/rotate")
    edit("text = text.replace('one', 'three').replace(\"number: '12'\\n\", '') + 'new: 007\\n'")
    after = document.content()
    assert document.decrypted() == {
        "openai_api_key": SECRETS["openai_api_key"],
        "private": "three\ntwo\n",
        "new": "007",
    }
    assert after["openai_api_key"] == before["openai_api_key"]
    assert after["private"].startswith("vault:v2:")
    assert set(after["_transit"]["hmac"]) == {"openai_api_key", "private", "new"}
    assert FILE.read_text() == document.text


def test_a_document_that_somebody_else_wrote_meanwhile_is_merged(
    edit: Edit, document: KvDocument, bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = document.content()
    del theirs["number"]
    monkeypatch.setenv("THEIR_TOKEN", bao.token)
    request = f"urllib.request.Request('{bao.addr}/v1/{document.data}', {json.dumps({'data': theirs}).encode()!r}"
    write = f"{request}, {{'X-Vault-Token': os.environ['THEIR_TOKEN']}})"
    edit(f"import urllib.request; urllib.request.urlopen({write}); text += 'new: 007\\n'")
    merged = document.content()
    assert document.decrypted() == {**{name: SECRETS[name] for name in ("openai_api_key", "private")}, "new": "007"}
    assert {name: merged[name] for name in theirs if name != "_transit"} == {
        name: value for name, value in theirs.items() if name != "_transit"
    }


def test_the_editor_sees_every_value_as_it_is(edit: Edit, stored: Path) -> None:
    edit("open('seen', 'w').write(text)")
    text = Path("seen").read_text()
    Path("seen").unlink()
    assert text.endswith(f"number: '12'\nopenai_api_key: {SECRETS['openai_api_key']}\nprivate: |\n  one\n  two\n")
    assert text.startswith("# The secrets of keys.transit.yml, in plain text.")


def test_nothing_is_written_when_nothing_was_changed(
    bao: Bao, mount: str, edit: Edit, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, status = stored.read_bytes(), stored.stat()
    asked = len(bao.audit_entries())
    for script in ("pass", "text += '\\n# a comment\\n'", "text = text.replace(\"'12'\", '12')"):
        assert "No changes." in edit(script).stderr
    assert stored.read_bytes() == before
    assert stored.stat().st_ino == status.st_ino
    paths = {entry["request"]["path"] for entry in bao.audit_entries()[asked:]}
    assert {path for path in paths if path.startswith(mount)} == {f"{mount}/decrypt/{KEY}"}


@pytest.mark.parametrize("status", [1, 130])
def test_an_editor_that_fails_changes_nothing(edit: Edit, stored: Path, status: int) -> None:
    before = stored.read_bytes()
    done = edit(f"path.write_text('x: y'); sys.exit({status})", status=1)
    assert f"The editor failed with status {status}." in done.stderr
    assert stored.read_bytes() == before


def test_an_editor_that_cannot_be_run(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command, reason in (("no-such-editor -x", "No such file"), ("vi 'x", "its command line cannot be read")):
        monkeypatch.setenv("EDITOR", command)
        done = CliRunner().invoke(main, ["edit", str(stored)])
        assert done.exit_code == 1
        assert f"The editor '{command}' cannot be run: {reason}" in done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: one\nb:\n", "line 2: b has no value"),
        ("a: ''\n", "line 1: a has no value"),
        ("a b: one\n", "line 1: 'a b' is not a valid variable name"),
        ("_transit: one\n", "line 1: '_transit' is reserved for the file itself"),
        ("a: one\na: two\n", "line 2: a is already defined in line 1"),
        ("a: one\nb: 'x\n", "The text is not YAML (line"),
        ("a: one\nb: @two\n", "(line 2). Put a value that begins with @ in quotes."),
        ("a: %one\n", "(line 1). Put a value that begins with % in quotes."),
        ("a: `one\n", "(line 1). Put a value that begins with ` in quotes."),
        ("a: &one two\n", "line 1: put a value that begins with & in quotes"),
        ("a: 1\nb: one #two\n", "line 2: put a value with # in quotes, and a comment on a line of its own"),
        ("a: *one\n", "(line 1). Put a value that begins with * in quotes."),
        ("a: one\nb: two: three\n", "(line 2). Put a value with a colon in quotes."),
        ("a: two:\n", "(line 1). Put a value with a colon in quotes."),
        ("a: - two\n", "(line 1). Put a value that begins with - in quotes."),
        ("a: -\nb: two\n", "(line 1). Put a value that begins with - in quotes."),
        ("a: ,two\n", "(line 1). Put a value that begins with , in quotes."),
        ("a: [two\nb: x\n", "Put a value that begins with [ in quotes."),
        ("a: {two\nb: x\n", "Put a value that begins with { in quotes."),
        ('a: "two" three\n', '(line 1). A value that begins with " ends with it, or needs single quotes around it.'),
        ("a: !!str two\n", "line 1: put a value that begins with ! in quotes"),
        ("a: #two\n", "errors:\n  line 1: put a value that begins with # in quotes\n"),
        ("- a\n", "The text must contain a mapping"),
        ("a: !vault x\n", "an Ansible Vault value in line 1"),
        ("a: !!binary aGk=\n", "line 1: a must be text"),
        (f"a: x://u:vault:v1:{'QUJD' * 12}@h\n", "The value of a contains a ciphertext (vault:vN:...), not plaintext."),
        ("a: vault:v1:QUJDREVG\n", "The value of a is a ciphertext (vault:vN:...), not plaintext."),
    ],
)
def test_an_invalid_text_is_refused_with_its_lines(edit: Edit, text: str, reason: str) -> None:
    done = edit(f"text = {text!r}", status=1)
    assert reason in done.stderr
    assert not FILE.exists()


def test_a_ciphertext_is_encrypted_on_request_and_a_stored_one_stays(edit: Edit, bao: Bao) -> None:
    edit("text = 'a: vault:v1:QUJDREVG\\n'", arguments=("--allow-ciphertext",))
    edit("text += 'b: two'")
    assert decrypted(bao, FILE) == {"a": "vault:v1:QUJDREVG", "b": "two"}


@pytest.mark.parametrize(("text", "name"), [("z: one\nb: [x]\n", "b"), ("a: {b: c}\n", "a")])
def test_a_file_of_texts_takes_no_nested_data(edit: Edit, stored: Path, text: str, name: str) -> None:
    before = stored.read_bytes()
    # They are the first lines.
    done = edit(f"text = {text!r} + text", status=1)
    line = text.split("\n").index(next(one for one in text.split("\n") if one.startswith(name))) + 1
    assert f"line {line}: {name} must be text, not a mapping or a list" in done.stderr
    assert stored.read_bytes() == before


def test_most_entries_are_not_removed_without_a_confirmation(edit: Edit, stored: Path) -> None:
    before = stored.read_bytes()
    for script in ("text = ''", "text = '# all gone\\n'", "text = text[: text.index('openai')]"):
        done = edit(script, status=1)
        assert "removes" in done.stderr
        assert "of 3 entries" in done.stderr
        assert stored.read_bytes() == before
    # One that is indented by mistake is a part of the one above.
    inside = "text.replace('private: |\\n', 'private: |\\n  number: 12\\n')"
    done = edit(f"import re; text = re.sub('(?m)^number:.*\\n', '', {inside})", status=1)
    assert "number may now be lines of another value" in done.stderr
    assert stored.read_bytes() == before


def test_the_only_entry_is_removed_by_its_line_but_not_by_an_empty_text(bao: Bao, edit: Edit) -> None:
    edit("text += 'only: one\\n'")
    assert "is empty, which removes 1 of 1 entry: only." in edit("text = ' \\n'", status=1).stderr
    assert decrypted(bao, FILE) == {"only": "one"}
    edit("text = text[: text.index('only')]")
    assert decrypted(bao, FILE) == {}


def test_an_editor_in_the_background_waits_for_the_terminal(bao: Bao, stored: Path, tmp_path: Path) -> None:
    script = f'{shlex.join(COMMAND)} & echo "pid" $!; read -r; fg; echo "status" $?'
    typing = editor("text += 'typed: ' + open('/dev/tty').readline()")
    with on_a_terminal(["bash", "--norc", "-ic", script], tmp_path, {"EDITOR": typing}) as terminal:
        terminal.wait_until(lambda: re.search(r"pid \d+\r", terminal.shown) is not None)
        pid = int(re.findall(r"pid (\d+)\r", terminal.shown)[0])
        terminal.wait_until(lambda: state_of(pid) == "T")
        terminal.type("\n")
        terminal.wait_until(lambda: state_of(pid) == "S")
        terminal.type("key\n")
        terminal.wait_for("status 0")
    assert decrypted(bao, stored) == {**SECRETS, "typed": "key"}


def test_most_entries_are_removed_when_that_is_confirmed(bao: Bao, stored: Path, tmp_path: Path) -> None:
    script = editor("text = 'number: \"12\"\\n'")
    before = stored.read_bytes()
    for answer, status in (("\n", 1), ("y\n", 0)):
        with on_a_terminal(COMMAND, tmp_path, {"EDITOR": script}) as terminal:
            terminal.wait_for("Remove them? [y/N]")
            terminal.type(answer)
            if status:
                terminal.wait_for("Edit again?")
                terminal.type("n\n")
            assert terminal.wait() == status, terminal.shown
        assert (stored.read_bytes() == before) is bool(status)
    assert decrypted(bao, stored) == {"number": "12"}


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("code", "--wait"),
        ("/usr/bin/code -n", "--wait"),
        ("env code", "--wait"),
        ("code-oss", "--wait"),
        ("flatpak run com.visualstudio.code", "--wait"),
        ("subl", "--wait"),
        ("gvim", "--nofork"),
        ("kate", "--block"),
        ("bbedit", "--wait"),
        ("nova", "--wait"),
    ],
)
def test_an_editor_that_returns_at_once_is_named_with_its_option(
    stored: Path, monkeypatch: pytest.MonkeyPatch, command: str, option: str
) -> None:
    monkeypatch.setenv("EDITOR", command)
    done = CliRunner().invoke(main, ["edit", str(stored)])
    assert done.exit_code == 1
    assert f"Set EDITOR='{command} {option}'." in done.stderr
    monkeypatch.setenv("EDITOR", f"no-such-folder/{command} {option}")
    assert "cannot be run" in CliRunner().invoke(main, ["edit", str(stored)]).stderr


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("emacsclient -n -c", "Set EDITOR='emacsclient -c'."),
        ("emacsclient --no-wait", "Set EDITOR='emacsclient'."),
        ("xdg-open", "Set EDITOR to an editor that waits."),
        ("sh -c 'trae \"$1\"' --", "returns before the file is closed. Give trae the option --wait."),
    ],
)
def test_an_editor_with_an_option_not_to_wait_is_refused(
    stored: Path, monkeypatch: pytest.MonkeyPatch, command: str, advice: str
) -> None:
    monkeypatch.setenv("EDITOR", command)
    done = CliRunner().invoke(main, ["edit", str(stored)])
    assert (done.exit_code, advice in done.stderr) == (1, True), done.stderr


def test_an_unknown_editor_that_returns_at_once_is_named(edit: Edit, stored: Path) -> None:
    assert stored.exists()
    # Another than Vim needs more than the text to start.
    assert "returned at once. If it has opened a window" in edit("pass").stderr
    assert "returned at once" not in edit("time.sleep(1)").stderr
    assert "returned at once" not in edit("text += 'other: x\\n'").stderr


def test_problems_can_be_fixed_and_nothing_is_lost(bao: Bao, edit: Edit, stored: Path, tmp_path: Path) -> None:
    script = "text = text.replace('new:', 'new: good') if 'new:' in text else text + 'other: kept\\nnew:\\n'"
    with on_a_terminal(COMMAND, tmp_path, {"EDITOR": editor(script)}) as terminal:
        terminal.wait_for("Edit again? [Y/n]")
        assert "new has no value" in terminal.shown
        terminal.type("y\n")
        assert terminal.wait() == 0
    assert decrypted(bao, stored) == {**SECRETS, "other": "kept", "new": "good"}
    before = stored.read_bytes()
    with on_a_terminal(COMMAND, tmp_path, {"EDITOR": editor("text += 'wrong:\\n'")}) as terminal:
        terminal.wait_for("Edit again?")
        terminal.type("n\n")
        assert terminal.wait() == 1
    assert stored.read_bytes() == before


def test_what_the_server_refuses_can_be_tried_again(bao: Bao, mount: str, stored: Path, tmp_path: Path) -> None:
    """While the editor is open the engine goes away, and comes back: what was typed is not lost."""
    opened = tmp_path / "opened"
    adding = f"text += 'typed: once\\n'; pathlib.Path({str(opened)!r}).touch(); time.sleep(1)"
    with on_a_terminal(COMMAND, tmp_path, {"EDITOR": editor(f"if 'typed' not in text:\n    {adding}")}) as terminal:
        wait_until(opened.exists)
        move(bao, mount, f"{mount}-moved")
        terminal.wait_for("Edit again?")
        move(bao, f"{mount}-moved", mount)
        terminal.type("y\n")
        assert terminal.wait() == 0, terminal.shown
    assert decrypted(bao, stored) == {**SECRETS, "typed": "once"}


def move(bao: Bao, old: str, new: str) -> None:
    bao.done("POST", "sys/remount", {"from": old, "to": new})
    wait_until(lambda: bao.request("GET", f"{new}/keys/{KEY}")[0] == 200)


def theirs_meanwhile(stored: Path, their_text: str) -> str:
    """A script that puts another text into the file while the editor is open."""
    return f"pathlib.Path({str(stored.absolute())!r}).write_text({their_text!r})"


def test_changes_of_somebody_else_are_merged_entry_by_entry(bao: Bao, mount: str, edit: Edit, stored: Path) -> None:
    mine = stored.read_text()
    edit("text = text.replace('one', 'three') + 'theirs: also\\n'")
    theirs = stored.read_text().replace("number:", "# theirs\nnumber:", 1)
    stored.write_text(mine)
    done = edit(f"{theirs_meanwhile(stored, theirs)}; text = text.replace(\"'12'\", \"'13'\") + 'mine: as-well\\n'")
    assert "the changes are merged" in done.stderr
    assert decrypted(bao, stored) == {
        **SECRETS,
        "private": "three\ntwo\n",
        "theirs": "also",
        "number": "13",
        "mine": "as-well",
    }
    assert "# theirs\nnumber:" in stored.read_text()


def test_an_entry_that_both_sides_changed_stays_theirs(edit: Edit, stored: Path, runtime: Path) -> None:
    mine = stored.read_text()
    edit("text = text.replace('one', 'three')")
    theirs = stored.read_text()
    stored.write_text(mine)
    script = "text = text.replace('one', 'secret-of-mine')"
    done = edit(f"{theirs_meanwhile(stored, theirs)}; {script}", 1)
    assert "Somebody else changed the same entries in the meantime: private." in done.stderr
    assert stored.read_text() == theirs
    Path("an editor.py").unlink()
    holds_none(Path(), {"mine": "secret-of-mine"})


def test_where_the_plaintext_is_meanwhile(edit: Edit, stored: Path, runtime: Path) -> None:
    edit("""
status, folder = path.stat(), path.parent.stat()
assert status.st_mode & 0o7777 == 0o600
assert folder.st_mode & 0o7777 == 0o700
assert status.st_uid == folder.st_uid == os.getuid()
assert path.parent.parent == pathlib.Path(os.environ["XDG_RUNTIME_DIR"])
assert os.environ["TMPDIR"] == str(path.parent)
open("where", "w").write(str(path))
""")
    assert Path("where").read_text().startswith(f"{runtime}/mlkeys-edit-")
    Path("folder").mkdir()
    edit("open('where', 'w').write(str(path))", arguments=("--folder", "folder"))
    assert Path("where").read_text().startswith(str(Path("folder").absolute() / "mlkeys-edit-"))
    assert list(Path("folder").iterdir()) == []


def test_what_the_editor_leaves_beside_the_file_is_wiped(edit: Edit, stored: Path, runtime: Path) -> None:
    """Another name for the same content shows what became of it."""
    edit("""
for name in (".secrets.yml.swp", "secrets.yml~", "#secrets.yml#", "deeper/undo"):
    other = path.parent / name
    other.parent.mkdir(exist_ok=True)
    other.write_text(text)
    os.link(other, pathlib.Path(os.environ["XDG_RUNTIME_DIR"]) / f"{name.replace('/', '-')}.seen")
os.link(path, pathlib.Path(os.environ["XDG_RUNTIME_DIR"]) / "itself.seen")
(path.parent / "link").symlink_to(sys.argv[0])
text += "x: y\\n"
""")
    seen = list(runtime.glob("*.seen"))
    assert len(seen) == 5
    for path in seen:
        assert set(path.read_bytes()) == {0}
        path.unlink()
    assert "import os" in Path("an editor.py").read_text()


def test_an_editor_that_puts_a_new_file_in_its_place(bao: Bao, edit: Edit, stored: Path) -> None:
    edit("path.rename(path.with_name('old')); text += 'x: y\\n'")
    assert decrypted(bao, stored)["x"] == "y"
    assert "The editor removed the file." in edit("os._exit(path.unlink() or 0)", status=1).stderr
    assert "is not UTF-8" in edit("path.write_bytes(b'\\xff'); os._exit(0)", status=1).stderr


# Signals


@contextlib.contextmanager
def held_open(runtime: Path, script: str = "") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command, without a terminal, while its editor is open; and the process of the editor."""
    program = editor(f"text += 'typed: before-the-end\\n'; path.write_text(text)\n{script}\n"
                     "open('editor', 'w').write(str(os.getpid())); time.sleep(60)")  # fmt: skip
    process = subprocess.Popen(
        COMMAND,
        env={**os.environ, "EDITOR": program},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: Path("editor").exists() and Path("editor").read_text() != "")
        assert list(runtime.glob("mlkeys-edit-*/secrets.yml"))
        yield process, int(Path("editor").read_text())
    finally:
        process.kill()
        process.communicate()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT])
def test_a_signal_while_the_editor_is_open_leaves_nothing(stored: Path, runtime: Path, number: signal.Signals) -> None:
    before = stored.read_bytes()
    with held_open(runtime) as (process, pid):
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == 128 + number
        assert "Stopped. keys.transit.yml is unchanged." in stderr
        assert list(runtime.iterdir()) == []
        wait_until(lambda: not runs(pid))
    assert stored.read_bytes() == before


def test_an_editor_that_does_not_want_to_end_is_ended(stored: Path, runtime: Path) -> None:
    with held_open(runtime, "signal.signal(signal.SIGTERM, signal.SIG_IGN)") as (process, pid):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 128 + signal.SIGTERM
        assert not runs(pid)
        assert list(runtime.iterdir()) == []


def test_what_a_kill_leaves_is_wiped_by_the_next_run_and_nothing_else_is(
    edit: Edit, stored: Path, runtime: Path
) -> None:
    with held_open(runtime) as (process, pid):
        (left,) = runtime.glob("mlkeys-edit-*")
        (runtime / "mlkeys-edit-seen").mkdir()
        os.link(left / "secrets.yml", runtime / "seen")
        edit("pass")
        # It is in use.
        assert (left / "secrets.yml").exists()
        process.kill()
        process.communicate()
        assert (left / "secrets.yml").exists()
        wait_until(lambda: not runs(pid))
        edit("pass")
        assert not left.exists()
    assert set((runtime / "seen").read_bytes()) == {0}
    (runtime / "seen").unlink()


def test_ctrl_c_in_the_terminal_is_the_editors(bao: Bao, stored: Path, tmp_path: Path) -> None:
    script = """
signal.signal(signal.SIGINT, lambda *_: open('interrupted', 'w').close())
print("ready", flush=True)
while not os.path.exists('interrupted'):
    time.sleep(0.02)
text += 'typed: after\\n'
"""
    with on_a_terminal(COMMAND, tmp_path, {"EDITOR": editor(script)}) as terminal:
        terminal.wait_for("ready")
        terminal.type("\x03")
        assert terminal.wait() == 0, terminal.shown
    assert decrypted(bao, stored)["typed"] == "after"


def test_ctrl_c_at_the_question_ends_it(stored: Path, runtime: Path, tmp_path: Path) -> None:
    before = stored.read_bytes()
    with on_a_terminal(COMMAND, tmp_path, {"EDITOR": editor("text += 'wrong:\\n'")}) as terminal:
        terminal.wait_for("Edit again?")
        assert list(runtime.glob("mlkeys-edit-*/secrets.yml"))
        # What is typed before it waits for an answer is not yet an answer.
        time.sleep(0.3)
        terminal.type("\x03")
        assert terminal.wait() == 130
    assert stored.read_bytes() == before
    assert list(runtime.iterdir()) == []


# Real editors, as far as they are here; the first is always.

_LINE = "openai_api_key: sk-typed"
EDITORS = {
    "sh": ('sh -c \'read line; echo "$line" >> "$1"\' sh', "$", f"{_LINE}\n"),
    "vim": ("vim", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "env": ("env vim", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "bare": ("env -i HOME={home} TERM=xterm vim", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "wrapper": ("./wrapper", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "nvim": ("nvim", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "env-nvim": ("env nvim", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "wrapped-nvim": ("./wrapped-nvim", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "vi": ("vi", "secrets.yml", f"Go{_LINE}\x1byy:w\n:wq\n"),
    "nano": ("nano -t", "secrets.yml", f"\x1b/{_LINE}\n\x18"),
}
# The first word is not the editor.
_PROGRAMS = {"env": "vim", "bare": "vim", "wrapper": "vim", "env-nvim": "nvim", "wrapped-nvim": "nvim"}
_KEEPING = "backup writebackup undofile backupdir=~ undodir=~ directory=~ backupskip="


@pytest.mark.parametrize("name", [name for name in EDITORS if shutil.which(_PROGRAMS.get(name, name))])
def test_a_real_editor_on_a_terminal(bao: Bao, mount: str, tmp_path: Path, runtime: Path, name: str) -> None:
    command, shown, typed = EDITORS[name]
    home = tmp_path / "home"
    home.mkdir()
    command = command.replace("{home}", str(home))
    # Settings that would keep copies of everything edited.
    (home / ".vimrc").write_text(f"set {_KEEPING} viminfo='100,<1000\n")
    (home / ".config/nvim").mkdir(parents=True)
    (home / ".config/nvim/init.vim").write_text(f"set {_KEEPING} shada='100,<1000\n")
    for program, wrapper in (("vim", tmp_path / "wrapper"), ("nvim", tmp_path / "wrapped-nvim")):
        wrapper.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        wrapper.chmod(0o755)
    (home / ".nanorc").write_text("set backup\nset backupdir ~\nset historylog\n")
    environment = {"VISUAL": command if name != "sh" else "", "EDITOR": command, "HOME": str(home)}
    argv = [*COMMAND, "--key", KEY, "--backend", mount]
    with on_a_terminal(argv, tmp_path, environment) as terminal:
        if name == "sh":
            wait_until(lambda: bool(list(runtime.glob("mlkeys-edit-*/secrets.yml"))))
        else:
            terminal.wait_for(shown)
        terminal.type(typed)
        assert terminal.wait() == 0, terminal.shown
    assert decrypted(bao, FILE) == {"openai_api_key": "sk-typed"}
    unknown = "does not know the editor" in terminal.shown
    assert unknown is (name in ("sh", "wrapper", "wrapped-nvim", "nano"))
    if name != "nano":
        kept = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
        assert {path for path in kept if not path.startswith(".ansible")} == {
            *(".vimrc", ".nanorc", ".config/nvim/init.vim"),
        }
        holds_none(tmp_path, {"typed": "sk-typed"})


# Rights, places, files


def test_without_the_right_to_decrypt_no_editor_is_opened(
    edit: Edit, stored: Path, mount: str, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "encrypt", "hmac", "verify"))
    done = edit("open('opened', 'w').close()", status=1)
    assert f"'update' on '{mount}/decrypt/{KEY}'" in done.stderr
    assert not Path("opened").exists()


def test_a_missing_key_is_reported_before_anything_is_typed(
    bao: Bao, mount: str, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    monkeypatch.setenv("EDITOR", editor("open('opened', 'w').close()"))
    arguments = ["edit", str(FILE), "--backend", mount]
    assert "with --key" in CliRunner().invoke(main, arguments).stderr
    done = CliRunner().invoke(main, [*arguments, "--key", "missing"])
    assert done.exit_code == 1
    assert "The key 'missing' does not exist" in done.stderr
    assert not Path("opened").exists()


def test_an_entry_that_does_not_decrypt_is_named(edit: Edit, stored: Path) -> None:
    text = stored.read_text()
    held = content(stored)
    stored.write_text(text.replace(held["number"], held["openai_api_key"], 1))
    done = edit("open('opened', 'w').close()", status=1)
    assert "some values do not decrypt" in done.stderr
    assert "number: it does not decrypt: another key, another context" in done.stderr
    assert not Path("opened").exists()


def test_a_file_in_json(bao: Bao, edit: Edit) -> None:
    file = Path("keys.transit.json")
    edit("text += 'a: one\\n'", file=file)
    edit("text = text.replace('one', 'two')", file=file)
    assert json.loads(file.read_text())["_transit"]["key"] == KEY
    assert decrypted(bao, file) == {"a": "two"}


def test_a_link_stays_a_link(bao: Bao, edit: Edit, stored: Path) -> None:
    link = Path("link.transit.yml")
    link.symlink_to(stored)
    stored.chmod(0o640)
    edit("text += 'x: y\\n'", file=link)
    assert link.is_symlink()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o640
    assert decrypted(bao, stored)["x"] == "y"


def test_a_place_that_is_not_in_memory_is_refused(
    edit: Edit, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert private_folder.is_in_memory(MEMORY)
    assert not private_folder.is_in_memory(tmp_path / "nowhere")
    assert not private_folder.is_in_memory(Path("/proc"))
    real = private_folder.is_in_memory
    monkeypatch.setattr(private_folder, "is_in_memory", lambda folder: folder == MEMORY and real(folder))
    assert private_folder.folder_in_memory({"XDG_RUNTIME_DIR": str(tmp_path)}) == MEMORY
    monkeypatch.setattr(private_folder, "is_in_memory", lambda _folder: False)
    done = edit("open('opened', 'w').close()", status=1)
    assert "Neither XDG_RUNTIME_DIR nor /dev/shm is a writable file system in memory" in done.stderr
    assert "--folder" in done.stderr
    assert not Path("opened").exists()


@pytest.mark.parametrize(
    ("editor", "known"),
    [
        ("vim", True),
        ("vim -u mine.vim", True),
        ("env vim", True),
        ("env LANG=C vim", True),
        ("LANG=C vim", True),
        ("/usr/bin/env -i PATH=/usr/bin TERM=xterm vim", True),
        ("env - vim", True),
        ("env --ignore-environment vim", True),
        ("env -u VIMINIT vim", True),
        ("env --unset=VIMINIT vim", True),
        ("env VIMINIT= vim", True),
        ("VIMINIT= vim", True),
        ("sudo vim", False),
        ("sh -c vim", False),
        ("env", False),
        ("env -u vim", False),
        ("env -S 'vim -u mine.vim'", False),
        ("env -i sudo vim", False),
        ("env -i $VIM vim -u mine.vim", False),
        ("env vim -u mine.vim", True),
        ("env vim --clean", True),
        ("sh -c 'vim -umine'", False),
        ("nano", False),
    ],
)
def test_a_vim_that_ignores_its_settings_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editor: str, known: bool
) -> None:
    (tmp_path / "vim").write_text("#!/bin/sh\n")
    (tmp_path / "vim").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_known(editor) is known
