# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys import`: from what people have, into an encrypted vars file, on a real server."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import flattened
from click.testing import CliRunner, Result

from mlkeys._cli import main
from tests.cdk import keys
from tests.cdk.command import mlkeys
from tests.cdk.stores import KEY, KvDocument, content, decrypted, holds_none, kv_document, token_for
from tests.cdk.terminals import on_a_terminal
from tests.cdk.vars_file.importing import ANTHROPIC, OPENAI, OTHER, TARGET, Importing, sealed
from tests.support.canary import Watcher, leaking_files, leaks, recorders, temporary_folders
from tests.support.server import Bao

ENV = f"# Keys\n\nOPENAI_API_KEY={OPENAI}\nexport ANTHROPIC_API_KEY='{ANTHROPIC}'\nOther-Key=\"{OTHER}\"\n"
SECRETS = {"openai_api_key": OPENAI, "anthropic_api_key": ANTHROPIC, "other_key": OTHER}


@pytest.fixture(autouse=True)
def login(import_login: None) -> None:
    """For all tests here."""


def actions(done: Result) -> dict[str, str]:
    """The change of each entry in the table."""
    rows = [line.split() for line in done.stdout.splitlines() if " " in line.strip()]
    words = ("added", "updated", "kept", "skipped")
    return {row[0]: word for row in rows for word in words if word in row}


# dotenv


def test_a_dotenv_file_becomes_an_encrypted_vars_file(bao: Bao, mount: str, importing: Importing) -> None:
    source = Path(".env")
    source.write_text(ENV)
    asked = len(bao.audit_entries())
    done = importing("dotenv", ".env")
    paths = [entry["request"]["path"] for entry in bao.audit_entries()[asked:]]
    assert [path for path in paths if path.startswith(f"{mount}/")][-2:] == [
        f"{mount}/hmac/{KEY}",
        f"{mount}/encrypt/{KEY}",
    ]
    assert paths.count(f"{mount}/hmac/{KEY}") == 1
    assert decrypted(bao, TARGET) == SECRETS
    assert content(TARGET)["_transit"]["key"] == KEY
    assert content(TARGET)["_transit"]["backend"] == mount
    assert stat.S_IMODE(TARGET.stat().st_mode) == 0o600
    assert actions(done) == dict.fromkeys(SECRETS, "added")
    assert "in plain text: delete them there" in done.stderr
    assert source.read_text() == ENV
    holds_none(Path(), SECRETS, but=(source,))
    # A second run finds it all there, without the right to decrypt.
    before = TARGET.read_bytes()
    assert actions(importing("dotenv", ".env")) == dict.fromkeys(SECRETS, "kept")
    assert TARGET.read_bytes() == before


def test_a_secret_is_on_no_disk(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in what is written for a moment, nor in what is left in any folder of the user."""
    root = Path("machine").absolute()
    root.mkdir()
    for name, value in {**recorders(root), "XDG_RUNTIME_DIR": str(root / "tmp")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", None)
    Path(".env").write_text(ENV)
    Path("secret.yaml").write_text(f"kind: Secret\nstringData: {{k8s_key: {OPENAI}}}\n")
    Path("config.yaml").write_text(f"model_list:\n  - litellm_params: {{model: a/b, api_key: {ANTHROPIC}}}\n")
    Path("app.env").write_text(f"FIXED_KEY={OPENAI}\n")
    watcher = Watcher((*temporary_folders(root), root / "home"), SECRETS)
    with watcher.watching():
        outputs = [
            importing("dotenv", ".env").output,
            importing("kubernetes", "secret.yaml").output,
            importing("litellm", "config.yaml").output,
            importing("file", "secret.yaml").output,
            CliRunner().invoke(main, ["lint", "--fix", "--to", str(TARGET), "app.env"]).output,
        ]
    assert "moved to" in outputs[-1]
    assert [one for one in outputs if leaks(one.encode(), SECRETS)] == []
    assert watcher.leaks == set()
    for source in (".env", "secret.yaml"):
        Path(source).unlink()
    assert leaking_files(Path(), SECRETS) == set()


def test_a_dry_run_shows_names_and_writes_nothing(bao: Bao, mount: str, importing: Importing) -> None:
    Path(".env").write_text(ENV)
    asked = len(bao.audit_entries())
    done = importing("dotenv", ".env", "--dry-run")
    assert actions(done) == dict.fromkeys(SECRETS, "added")
    assert "Nothing was written (--dry-run)." in done.stderr
    assert not TARGET.exists()
    paths = [entry["request"]["path"] for entry in bao.audit_entries()[asked:]]
    assert not any(path.startswith(f"{mount}/encrypt") for path in paths)


def test_entries_that_are_not_imported_stay_as_they_are(bao: Bao, mount: str, importing: Importing) -> None:
    Path(".env").write_text(ENV)
    importing("dotenv", ".env")
    text = TARGET.read_text().replace("anthropic_api_key: ", "# Anthropic's\nanthropic_api_key: ", 1)
    TARGET.write_text(text)
    TARGET.chmod(0o640)
    # Behind the latest version, they would be rewrapped by the module; this token may not do that.
    bao.done("POST", f"{mount}/keys/{KEY}/rotate")
    Path("more.env").write_text("MORE=a-further-one\n")
    assert actions(importing("dotenv", "more.env")) == {"more": "added"}
    added = [line for line in TARGET.read_text().splitlines() if line not in text.splitlines()]
    assert [line.split(":")[0].strip() for line in added] == ["more", "more"]
    assert all("vault:v2:" in line for line in added)
    assert stat.S_IMODE(TARGET.stat().st_mode) == 0o640
    assert decrypted(bao, TARGET) == {**SECRETS, "more": "a-further-one"}


def test_another_value_is_taken_on_request_only(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text(ENV)
    importing("dotenv", ".env")
    before = TARGET.read_bytes()
    Path(".env").write_text(ENV.replace(OTHER, "another horse") + "NEW=1\n")
    done = importing("dotenv", ".env", status=1)
    assert "other_key exists and has another value: use --replace to overwrite it" in done.stderr
    assert TARGET.read_bytes() == before
    assert "other_key exists and has another value" in importing("dotenv", ".env", "--dry-run").stdout
    assert TARGET.read_bytes() == before
    done = importing("dotenv", ".env", "--replace")
    assert actions(done)["other_key"] == "updated"
    assert decrypted(bao, TARGET) == {**SECRETS, "other_key": "another horse", "new": "1"}


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("A=1\nEMPTY=\nNOTHING\n", ["EMPTY (line 2) is empty", "NOTHING (line 3) contains nothing", "--skip EMPTY"]),
        (f"A=x://u:vault:v1:{'QUJD' * 12}@h\n", ["A (line 1) refers to something else, or is encrypted", "--literal"]),
        ("A=x${B}\n", ["A (line 1) refers to something else", "--literal"]),
        ("A=1\na=2\n", ["A (line 1), a (line 2): all of them would become a", "--rename"]),
        ("A=1\nB=$(pass show b)\n", ["B (line 2) refers to something else", "--literal"]),
        ("1A=1\nNULL=2\n", ["1A (line 1) would become '1a'", "NULL (line 2) would become 'null'", "--rename 1A=NEW"]),
        (
            "A=$A\nB=`b`\nC=op://c\nD=\nE=vault:e\n",
            [
                "A (line 1), B (line 2), C (line 3), E (line 5) (4 values) refer to something else",
                "D (line 4) is empty: use --skip-empty",
            ],
        ),
        ("A=1\nB='x\nC=\"y\n", ["line_2 (line 2) is not an assignment", "line_3 (line 3) is not an assignment"]),
    ],
)
def test_all_decisions_are_asked_for_at_once(importing: Importing, text: str, reasons: list[str]) -> None:
    Path(".env").write_text(f"OPENAI_API_KEY={OPENAI}\n" + text)
    Path(".env").write_text(text)
    done = importing("dotenv", ".env", status=1)
    assert (
        f".env: {len([word for word in reasons if '(line' in word or 'not an assign' in word])} decision" in done.stderr
    )
    for words in reasons:
        assert words in done.stderr
    assert not TARGET.exists()


REFERENCES = [
    "$(pass show openai)",
    "`pass show openai`",
    "$HF_PROD",
    "Bearer $HF_PROD",
    '"it\'s $HF_PROD"',
    "'${HF_PROD}'",
    '"op://Private/OpenAI/credential"',
    '"@Microsoft.KeyVault(SecretUri=https://x.vault.azure.net/secrets/openai)"',
    "sm://project/openai",
    "aws-sm:ml/openai",
    "ssm:/ml/openai",
    "op read Private/OpenAI/credential",
    "vault:secret/data/ml#openai",
    "vault://secret/ml",
    "ref+awssecrets://ml/openai",
    "arn:aws:secretsmanager:eu-west-1:1:secret:ml",
    "projects/1/secrets/openai/versions/latest",
    "os.environ/OPENAI_API_KEY",
    "{{ op://Private/OpenAI/credential }}",
    "'{{ template }}'",
    "vault:v1:5ZfQm1ab3WHDOjf7mq6=",
    "ENC[AES256_GCM,data:x,type:str]",
    "encrypted:BDqDBibm4wsYqMpCjTQ6BsDHmMadg9K3dAt",
]
LITERALS = [
    "pa$$5",
    "a$1b",
    "'a$lit'",
    "'$(literally)'",
    "'a `literal` b'",
    "postgresql://user:pass@host/db",
    "https://example.com/x",
    "a`b",
    "vaults:x",
    "100%",
    "opera://x",
]


@pytest.mark.parametrize("value", REFERENCES)
def test_a_reference_is_not_mistaken_for_the_secret(bao: Bao, importing: Importing, value: str) -> None:
    Path(".env").write_text(f"OPENAI_API_KEY={value}\n")
    assert "refers to something else" in importing("dotenv", ".env", status=1).stderr
    assert not TARGET.exists()
    importing("dotenv", ".env", "--literal")
    assert decrypted(bao, TARGET) == {"openai_api_key": value.strip("\"'")}


def test_what_only_resembles_a_reference_is_a_value(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text("".join(f"V{number}={value}\n" for number, value in enumerate(LITERALS)))
    importing("dotenv", ".env")
    assert decrypted(bao, TARGET) == {f"v{number}": value.strip("'") for number, value in enumerate(LITERALS)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("before", ["", "# my keys\n", "export ", "\n"])
def test_a_dotenv_file_in_another_encoding(bao: Bao, importing: Importing, encoding: str, before: str) -> None:
    Path(".env").write_bytes(f"{before}HF_TOKEN=ü-hf\n".encode(encoding))
    importing("dotenv", ".env")
    assert decrypted(bao, TARGET) == {"hf_token": "ü-hf"}


def test_a_file_that_is_not_unicode_is_refused(importing: Importing) -> None:
    Path(".env").write_bytes("A=ü\n".encode("latin-1"))
    assert ".env: it is not UTF-8 text." in importing("dotenv", ".env", status=1).stderr
    Path(".env").write_bytes(b"A=\0\1\2\3\n")
    assert ".env: it is not text." in importing("dotenv", ".env", status=1).stderr


def test_the_last_of_several_values_is_imported_and_the_others_are_shown(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text("A=first\nB=other\nA=second\nA=last\n")
    done = importing("dotenv", ".env")
    assert decrypted(bao, TARGET) == {"a": "last", "b": "other"}
    assert done.stdout.count("assigned again later") == 2


def test_empty_values_can_be_skipped_at_once(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text("A=one\nB=\nC\nD=''\n")
    done = importing("dotenv", ".env", "--skip-empty")
    assert decrypted(bao, TARGET) == {"a": "one"}
    assert done.stdout.count("--skip-empty") == 3


def test_a_dotenv_file_from_standard_input(bao: Bao, mount: str) -> None:
    arguments = ["import", "dotenv", "-", "--to", str(TARGET), "--key", KEY, "--backend", mount]
    done = CliRunner().invoke(main, arguments, input=ENV)
    assert done.exit_code == 0, done.output
    assert decrypted(bao, TARGET) == SECRETS
    assert f"{TARGET} now holds 3 values from standard input." in done.stderr
    assert "delete them there" not in done.stderr


def test_what_was_decided_is_done(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text("A=x${B}\nB=2\nb=3\nEMPTY=\n1C=4\nD=5\n")
    arguments = ("--literal", "--skip", "EMPTY", "--rename", "b=lower_b", "--rename", "1C=c", "--prefix", "dev_")
    done = importing("dotenv", ".env", *arguments, "--skip", "D")
    assert decrypted(bao, TARGET) == {"dev_a": "x${B}", "dev_b": "2", "lower_b": "3", "c": "4"}
    assert "skipped" in done.stdout
    assert "2 of its values were skipped" in done.stderr


@pytest.fixture
def document(
    bao: Bao, mount: str, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[KvDocument]:
    """What the target points to, and a token that may write it as well."""
    with kv_document(bao, mount, TARGET) as made:
        monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "encrypt", "hmac", "verify", rules=made.rules))
        yield made


def test_entries_get_to_where_the_file_points(mount: str, importing: Importing, document: KvDocument) -> None:
    Path(".env").write_text(ENV)
    new = ("--key", KEY, "--backend", mount)
    importing("dotenv", ".env", *new, "--only", "OPENAI_API_KEY")
    before = document.content()
    importing("dotenv", ".env")
    assert document.decrypted() == SECRETS
    assert document.content()["openai_api_key"] == before["openai_api_key"]
    assert TARGET.read_text() == document.text


def test_without_a_right_to_the_document_nothing_is_written(
    mount: str,
    mint_token: Callable[[str], str],
    importing: Importing,
    document: KvDocument,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "encrypt", "hmac", "verify"))
    Path(".env").write_text(ENV)
    assert "permission denied" in importing("dotenv", ".env", status=1).output.lower()
    assert TARGET.read_text() == document.text


def test_only_takes_what_is_named(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text(ENV)
    importing("dotenv", ".env", "--only", "OPENAI_API_KEY")
    assert decrypted(bao, TARGET) == {"openai_api_key": OPENAI}
    done = importing("dotenv", ".env", "--only", "OPENAI_API_KEI", "--skip", "x", status=1)
    assert "--only OPENAI_API_KEI: no value has this name. Did you mean 'OPENAI_API_KEY'?" in done.stderr
    assert "--skip x: no value has this name." in done.stderr
    assert "--rename takes OLD=NEW" in importing("dotenv", ".env", "--rename", "x", status=2).stderr
    assert "Did you mean 'OPENAI_API_KEY'?" in importing("dotenv", ".env", "--skip", "openai_api_key", status=1).stderr
    done = importing("dotenv", ".env", "--rename", "OPENAI_API_KEY=GW-Key", status=1)
    assert "would become 'GW-Key', which is not a variable name: use --rename OPENAI_API_KEY=gw_key" in done.stderr


def test_a_later_import_says_what_is_there_already(importing: Importing) -> None:
    Path("a.env").write_text("A=one\nB=two\nC=three\n")
    assert "2 of its values were skipped, and exist only there." in importing("dotenv", "a.env", "--only", "A").stderr
    done = importing("dotenv", "a.env", "--only", "B")
    assert "2 of its values were skipped, and 1 of them exists only there." in done.stderr
    done = importing("dotenv", "a.env", "--only", "C")
    assert f"2 of its values were skipped; {TARGET} has entries with these names." in done.stderr
    done = importing("dotenv", "a.env", "--skip", "C")
    assert f"1 of its values was skipped; {TARGET} has an entry with this name." in done.stderr


def test_names_with_odd_characters_are_shown_on_one_line(bao: Bao, importing: Importing) -> None:
    Path("secret.yaml").write_text('kind: Secret\nstringData: {"A\\nB": "", C: "1"}\n')
    kubernetes = ("kubernetes", "secret.yaml")
    assert "A\\nB (line 2) is empty" in importing(*kubernetes, status=1).stderr
    assert "A\\nB" in importing(*kubernetes, "--skip", "A\nB").stdout
    assert "would become 'x\\n" in importing(*kubernetes, "--prefix", "x\n", "--skip-empty", status=1).stderr


# Ansible Vault


def vaulted(text: str, password: str = "vault-password", label: str = "") -> str:
    library = VaultLib([(label or "default", VaultSecret(password.encode()))])
    sealed: bytes = library.encrypt(text, vault_id=label or None)
    return sealed.decode()


def inline(name: str, text: str, password: str = "vault-password", label: str = "") -> str:
    return f"{name}: !vault |\n{indent(vaulted(text, password, label), '  ')}"


@pytest.fixture
def password() -> list[str]:
    Path("password").write_text("vault-password\n")
    return ["--vault-password-file", "password"]


def test_a_whole_file_of_ansible_vault(bao: Bao, importing: Importing, password: list[str]) -> None:
    source = Path("vault.yml")
    source.write_text(f"---\nopenai_api_key: {OPENAI}\nAnthropicKey: '{ANTHROPIC}'\nmultiline: |\n  a\n  b\n")
    subprocess.run(["ansible-vault", "encrypt", *password, "vault.yml"], check=True, capture_output=True)  # noqa: S607
    before = source.read_bytes()
    assert before.startswith(b"$ANSIBLE_VAULT")
    done = importing("ansible-vault", "vault.yml", *password)
    assert decrypted(bao, TARGET) == {"openai_api_key": OPENAI, "anthropickey": ANTHROPIC, "multiline": "a\nb\n"}
    assert "ansible-vault edit vault.yml" in done.stderr
    assert source.read_bytes() == before
    holds_none(Path(), SECRETS)


def test_inline_vaults_are_taken_and_what_was_plain_is_not(bao: Bao, importing: Importing, password: list[str]) -> None:
    text = f"port: 8080\nhosts: [a, b]\nname: app\n{inline('openai_api_key', OPENAI)}{inline('other_key', OTHER)}"
    Path("vars.yml").write_text(text)
    done = importing("ansible-vault", "vars.yml", *password)
    assert decrypted(bao, TARGET) == {"openai_api_key": OPENAI, "other_key": OTHER}
    assert done.stdout.count("not encrypted in the source; import it with --only") == 4
    Path("vars.transit.yml").unlink(missing_ok=True)
    importing("ansible-vault", "vars.yml", *password, "--only", "name", to=Path("b.transit.yml"))
    assert decrypted(bao, Path("b.transit.yml")) == {"name": "app"}


def test_passwords_by_label_and_from_the_configuration(
    bao: Bao, importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("one").write_text("first\n")
    script = Path("two")
    script.write_text("#!/bin/sh\necho second\n")
    script.chmod(0o700)
    Path("vars.yml").write_text(inline("a", OPENAI, "first", "dev") + inline("b", OTHER, "second", "prod"))
    importing("ansible-vault", "vars.yml", "--vault-id", "dev@one", "--vault-id", "prod@two")
    assert decrypted(bao, TARGET) == {"a": OPENAI, "b": OTHER}
    from ansible import constants

    monkeypatch.setattr(constants, "DEFAULT_VAULT_PASSWORD_FILE", "one")
    Path("vars.yml").write_text(inline("c", OPENAI, "first"))
    importing("ansible-vault", "vars.yml")
    assert decrypted(bao, TARGET)["c"] == OPENAI


def test_only_what_is_wanted_is_decrypted(bao: Bao, importing: Importing) -> None:
    Path("one").write_text("first\n")
    text = f"plain: x\n{inline('a', OPENAI, 'first', 'dev')}{inline('b', OTHER, 'second', 'prod')}"
    Path("vars.yml").write_text(text)
    password = ("--vault-id", "dev@one")
    stderr = importing("ansible-vault", "vars.yml", *password, status=1).stderr
    assert "none of the vault passwords decrypts it. Its vault ID is prod." in stderr
    assert not TARGET.exists()
    importing("ansible-vault", "vars.yml", *password, "--only", "a")
    importing("ansible-vault", "vars.yml", *password, "--skip", "b", to=Path("b.transit.yml"))
    assert decrypted(bao, TARGET) == decrypted(bao, Path("b.transit.yml")) == {"a": OPENAI}


def test_advice_about_the_source_can_be_followed(importing: Importing, password: list[str]) -> None:
    Path("vars.yml").write_text(inline("a", f"{OPENAI}\n"))
    done = importing("ansible-vault", "vars.yml", *password)
    assert "ansible-vault edit" not in done.stderr
    assert "delete the !vault entries" in done.stderr
    assert "A newline at the end of a is a part of the value" in done.stderr
    Path("windows.txt").write_bytes(b"secret\r\n")
    done = importing("file", "windows.txt")
    assert "A newline (CRLF, as on Windows) at the end of windows_txt is a part of the value" in done.stderr


def test_a_password_that_is_missing_or_wrong(importing: Importing, password: list[str]) -> None:
    Path("vars.yml").write_text(f"x: 1\n{inline('a', OPENAI, 'another')}")
    done = importing("ansible-vault", "vars.yml", *password, status=1)
    assert "vars.yml, line 2: none of the vault passwords decrypts it." in done.stderr
    Path("whole.yml").write_text(vaulted("a: 1\n", "another"))
    assert "whole.yml: none of" in importing("ansible-vault", "whole.yml", *password, status=1).stderr
    assert "Cannot prompt for the vault password" in importing("ansible-vault", "vars.yml", status=1).stderr
    done = importing("ansible-vault", "vars.yml", "--vault-password-file", "nowhere", status=1)
    assert "No vault password from nowhere" in done.stderr
    assert not TARGET.exists()


def test_the_password_is_asked_for_on_a_terminal(bao: Bao, mount: str, tmp_path: Path) -> None:
    Path("vars.yml").write_text(inline("a", OPENAI))
    argv = [sys.executable, "-m", "mlkeys", "import", "ansible-vault", "vars.yml", "--ask-vault-pass"]
    argv += ["--to", str(TARGET), "--key", KEY, "--backend", mount]
    with on_a_terminal(argv, tmp_path, {}) as terminal:
        terminal.wait_for("Vault password (default): ")
        terminal.type("vault-password\n")
        assert terminal.wait() == 0, terminal.shown
    assert "vault-password" not in terminal.shown
    assert decrypted(bao, TARGET) == {"a": OPENAI}


def test_a_number_that_yaml_reads_in_another_form_is_named(importing: Importing, password: list[str]) -> None:
    texts = {"a": "16", "b": "1.5", "c": "-3", "d": "0644", "e": "1_000", "f": "0x10", "g": "1:30"}
    Path("vault.yml").write_text(vaulted("".join(f"{name}: {text}\n" for name, text in texts.items())))
    stderr = importing("ansible-vault", "vault.yml", *password, status=1).stderr
    assert [line.split(" is a number: ")[0].strip() for line in stderr.splitlines()[1:4]] == [
        "a (line 1)",
        "b (line 2)",
        "c (line 3)",
    ]
    named = "d (line 4), e (line 5), f (line 6), g (line 7) (4 values)"
    assert f"{named} are numbers that YAML reads in another form" in stderr


def test_values_that_are_not_text_are_named_and_decided_on(bao: Bao, importing: Importing, password: list[str]) -> None:
    text = """
        openai: {key: one, organisation: two}
        tokens: [three, four]
        port: 0x10
        flag: yes
        day: 2026-01-02
        nothing:
        empty: {}
        picture: !!binary aGk=
        odd: !thing x
        safe: !unsafe "{{ five }}"
        template: "{{ lookup('env', 'X') }}"
    """
    Path("vault.yml").write_text(vaulted(text))
    stderr = importing("ansible-vault", "vault.yml", *password, status=1).stderr
    for words in (
        "vault.yml: 11 decisions needed. Nothing was written.",
        "openai contains nested values: use --nested to import them as they are, --flatten to import them as ",
        " openai_key and so on, or --skip openai",
        "tokens contains nested values: use --nested to import them as they are, --flatten to import them as tokens_0",
        "port (line 4) is a number that YAML reads in another form: use --as-text to import it as it is written",
        "flag (line 5) is true or false",
        "day (line 6) is a date",
        "nothing (line 7) contains nothing",
        "empty (line 8) contains nothing",
        "picture (line 9) contains something tagged tag:yaml.org,2002:binary",
        "odd (line 10) contains something tagged !thing",
        "safe (line 11) refers to something else",
        "template (line 12) refers to something else",
    ):
        assert words in stderr
    skipped = [word for name in ("nothing", "empty", "picture", "odd") for word in ("--skip", name)]
    importing("ansible-vault", "vault.yml", *password, "--flatten", "--as-text", "--literal", *skipped)
    assert decrypted(bao, TARGET) == {
        "openai_key": "one",
        "openai_organisation": "two",
        "tokens_0": "three",
        "tokens_1": "four",
        "port": "0x10",
        "flag": "yes",
        "day": "2026-01-02",
        "safe": "{{ five }}",
        "template": "{{ lookup('env', 'X') }}",
    }


def test_a_date_that_becomes_text_is_named(importing: Importing, password: list[str]) -> None:
    Path("vault.yml").write_text(vaulted("app: {expires: 2024-01-02, shown: '2024-01-02', port: 80}\n"))
    stderr = importing("ansible-vault", "vault.yml", *password, "--nested").stderr
    assert "Stored as text: app.expires, which YAML reads as a date." in " ".join(stderr.split())


def test_keys_that_are_not_text_need_a_decision(bao: Bao, importing: Importing, password: list[str]) -> None:
    """Templates that use `ports[8080]` or `flags[true]` do not find them under a text. sops refuses such keys."""
    text = "ports: {8080: one, '80': two}\nflags:\n  on: three\n  null: four\n  2026-01-02: {x: five, y: six}\n"
    Path("vault.yml").write_text(vaulted(text))
    source = ("ansible-vault", "vault.yml", *password, "--nested")
    stderr = importing(*source, "--skip", "flags", status=1).stderr
    reason = "ports.8080 ends with a key that YAML reads as a number, and keys are stored as text: use --as-text to "
    assert f"{reason}make them text, or --skip ports.8080" in stderr
    assert "ports.80 " not in stderr
    stderr = importing(*source, status=1).stderr
    listed = "ports.8080, flags.on, flags.null, flags.2026-01-02 (4 values) end with keys that YAML reads as something"
    assert listed in stderr
    assert not TARGET.exists()
    importing(*source, "--as-text", "--rename", "flags.on=flag")
    leaves = {name: value for name, value in content(TARGET).items() if name != "_transit"}
    assert list(flattened(leaves)) == [
        *("ports.%38080", "ports.%380", "flag", "flags.null", "flags.2026-01-02.x", "flags.2026-01-02.y"),
    ]


def test_a_key_that_is_merged_is_another_than_its_text(bao: Bao, importing: Importing, password: list[str]) -> None:
    Path("vault.yml").write_text(vaulted("base: &base {80: one}\nmore:\n  <<: *base\n  '80': two\n"))
    stderr = importing("ansible-vault", "vault.yml", *password, "--nested", "--as-text", status=1).stderr
    assert "all of them would become more.%380" in stderr


def test_anchors_and_merges_mean_what_they_mean_to_ansible(bao: Bao, importing: Importing, password: list[str]) -> None:
    text = "base: &base {a: one, b: two}\nmore:\n  <<: *base\n  b: three\nalias: &x four\nsame: *x\n"
    Path("vault.yml").write_text(vaulted(text))
    importing("ansible-vault", "vault.yml", *password, "--flatten", "--skip", "base")
    assert decrypted(bao, TARGET) == {"more_a": "one", "more_b": "three", "alias": "four", "same": "four"}


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("a: 1\nb: [\n", "vault.yml is not YAML (line 3)."),
        ("- a\n", "vault.yml must contain a mapping of names to values."),
        ("a: &a [*a]\n", "vault.yml contains a value that contains itself."),
        ("a: one\na: two\n", "a (line 1), a (line 2): all of them would become a"),
        ("", "Nothing was imported from vault.yml."),
    ],
)
def test_a_source_that_is_not_a_vars_file(importing: Importing, password: list[str], text: str, reasons: str) -> None:
    Path("vault.yml").write_text(vaulted(text))
    status = 0 if reasons.startswith("Nothing") else 1
    assert reasons in importing("ansible-vault", "vault.yml", *password, status=status).stderr
    assert not TARGET.exists()


# SOPS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", f"OPENAI_API_KEY: {OPENAI}\nother-key: {OTHER} # comment\n"),
        ("s.json", json.dumps({"OPENAI_API_KEY": OPENAI, "other-key": OTHER})),
        ("s.env", f"OPENAI_API_KEY={OPENAI}\nOTHER_KEY={OTHER}\n"),
        ("s.ini", f"OPENAI_API_KEY = {OPENAI}\nother_key = {OTHER}\n"),
    ],
)
def test_every_format_of_sops(bao: Bao, importing: Importing, recipient: str, name: str, text: str) -> None:
    before = Path(sealed(name, text, recipient)).read_bytes()
    done = importing("sops", name)
    assert decrypted(bao, TARGET) == {"openai_api_key": OPENAI, "other_key": OTHER}
    assert f"sops edit {name}" in done.stderr
    assert Path(name).read_bytes() == before
    holds_none(Path(), SECRETS)


def test_nested_values_and_numbers_of_sops(bao: Bao, importing: Importing, recipient: str) -> None:
    text = "providers:\n  openai: {key: one}\n  list: [two]\nport: 1.10\nbig: 123456789012345678\nyes: true\nno: null\n"
    sealed("s.yaml", text, recipient)
    stderr = importing("sops", "s.yaml", status=1).stderr
    assert "--flatten to import them as providers_openai_key" in stderr
    assert "port is a number" in stderr
    assert "no contains nothing" in stderr
    arguments = ("--flatten", "--as-text", "--rename", "yes=flag", "--skip", "no")
    importing("sops", "s.yaml", *arguments)
    assert decrypted(bao, TARGET) == {
        "providers_openai_key": "one",
        "providers_list_0": "two",
        "port": "1.1",
        "big": "123456789012345678",
        "flag": "true",
    }
    sealed("s.ini", "[openai]\nkey = one\n", recipient)
    importing("sops", "s.ini", "--flatten", to=Path("b.transit.json"))
    assert decrypted(bao, Path("b.transit.json")) == {"openai_key": "one"}


def test_several_documents_are_refused(importing: Importing, recipient: str) -> None:
    sealed("s.yaml", "a: one\n---\nb: two\n", recipient)
    assert "s.yaml has 2 YAML documents" in importing("sops", "s.yaml", status=1).stderr
    assert not TARGET.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", f"key: {OPENAI}\nplain: text\nnested:\n  key: {OTHER}\n  port: 80\n"),
        ("s.json", json.dumps({"key": OPENAI, "plain": "text", "nested": {"key": OTHER, "port": 80}})),
        ("s.env", f"key={OPENAI}\nplain=text\n"),
    ],
)
def test_what_sops_left_in_plain_text_is_skipped(
    bao: Bao, importing: Importing, recipient: str, name: str, text: str
) -> None:
    sealed(name, text, recipient, "--encrypted-regex", "^key$")
    done = importing("sops", name, "--flatten")
    nested = {"nested_key": OTHER} if "nested" in text else {}
    assert decrypted(bao, TARGET) == {"key": OPENAI, **nested}
    assert done.stdout.count("not encrypted in the source") == (2 if nested else 1)
    importing("sops", name, "--only", "plain", to=Path("b.transit.yml"))
    assert decrypted(bao, Path("b.transit.yml")) == {"plain": "text"}


def test_merges_of_sops_mean_what_they_mean_to_yaml(bao: Bao, importing: Importing, recipient: str) -> None:
    text = """
        one: &one {a: of one, b: of one}
        two: &two {b: of two, c: of two}
        more: {<<: *one, b: own}
        most: {<<: [*one, *two], d: own, list: [{<<: *two}]}
    """
    sealed("s.yaml", text, recipient)
    importing("sops", "s.yaml", "--flatten", "--skip", "one", "--skip", "two")
    assert decrypted(bao, TARGET) == {
        "more_a": "of one",
        "more_b": "own",
        "most_a": "of one",
        "most_b": "of one",
        "most_c": "of two",
        "most_d": "own",
        "most_list_0_b": "of two",
        "most_list_0_c": "of two",
    }
    # In JSON, it is a name like any other.
    sealed("s.json", json.dumps({"<<": {"a": "x"}}), recipient)
    importing("sops", "s.json", "--flatten", to=Path("b.transit.yml"))
    assert decrypted(bao, Path("b.transit.yml")) == {"a": "x"}


def test_plain_values_of_ini_files_are_skipped(bao: Bao, importing: Importing, recipient: str) -> None:
    sealed("s.ini", "a_unencrypted = 1\nkey = one\n[in]\nb_unencrypted = 2\nkey = two\n", recipient)
    done = importing("sops", "s.ini", "--flatten")
    assert decrypted(bao, TARGET) == {"key": "one", "in_key": "two"}
    assert done.stdout.count("not encrypted in the source") == 2


def test_a_private_key_in_ansible_vault_is_a_file_and_no_vars_file(importing: Importing, password: list[str]) -> None:
    Path("a key").write_text(vaulted(keys.private_key()))
    stderr = importing("ansible-vault", "a key", *password, status=1).stderr
    assert "a key is a key or a certificate (PEM), and no vars file." in stderr
    assert "ansible-vault view 'a key' | mlkeys import file - --to FILE --rename stdin=NAME" in stderr


def test_what_another_program_has_encrypted_is_sent_to_its_command(
    importing: Importing, password: list[str], recipient: str
) -> None:
    Path("a b.env").write_text(vaulted("# ours\n\nexport OPENAI_API_KEY=one\n"))
    stderr = importing("ansible-vault", "a b.env", *password, status=1).stderr
    assert "a b.env is a .env file, and no vars file." in stderr
    assert "ansible-vault view 'a b.env' | mlkeys import dotenv - --to FILE" in stderr
    for command in ("dotenv", "kubernetes", "compose", "file"):
        stderr = importing(command, "a b.env", status=1).stderr
        assert f"ansible-vault view 'a b.env' | mlkeys import {command} - --to FILE" in stderr
    name = sealed("s.env", "A=one\n", recipient)
    for command in ("dotenv", "file"):
        stderr = importing(command, name, status=1).stderr
        assert "s.env is encrypted with SOPS: use mlkeys import sops s.env --to FILE" in stderr
    assert not TARGET.exists()
    importing("file", name, "--literal")


def test_a_value_that_no_program_could_get_is_refused(importing: Importing, password: list[str]) -> None:
    Path("vault.yml").write_text(vaulted('a: one\nb: "x\\0y"\n'))
    assert "b (line 2) contains a NUL character" in importing("ansible-vault", "vault.yml", *password, status=1).stderr
    assert not TARGET.exists()


COMMENTED = """\
# About the file

# Whose it is,
# and since when
openai: "a # b"  # not a comment in it
list:
  # Of the first
  - one
block: |
  # a part of the value
  text
# Of the last
last: x
"""


@pytest.mark.parametrize("source", ["sops", "ansible-vault"])
def test_comments_are_imported_on_request(
    bao: Bao, importing: Importing, recipient: str, password: list[str], source: str
) -> None:
    if source == "sops":
        arguments = ["sops", sealed("s.yaml", COMMENTED, recipient), "--flatten"]
    else:
        Path("vault.yml").write_text(vaulted(COMMENTED))
        arguments = ["ansible-vault", "vault.yml", *password, "--flatten"]
    assert "(--comments)" in importing(*arguments, to=Path("a.transit.yml")).stderr
    assert "#" not in Path("a.transit.yml").read_text()
    importing(*arguments, "--comments")
    lines = [line.split(": vault:")[0] for line in TARGET.read_text().splitlines()]
    # SOPS keeps no empty lines.
    header = ["# About the file"] if source == "sops" else []
    assert lines[1 : 10 + len(header)] == [
        *("block", "# Of the last", "last", "# Of the first", "list_0", *header),
        *("# Whose it is,", "# and since when", "# not a comment in it", "openai"),
    ]
    assert decrypted(bao, TARGET)["block"] == "# a part of the value\ntext\n"
    # What is there already is not commented on again.
    before = TARGET.read_bytes()
    done = importing(*arguments, "--comments")
    assert TARGET.read_bytes() == before
    assert "of entries that were there already were not written: of openai, list_0, last." in done.stderr


def test_a_comment_with_a_secret_is_not_written(bao: Bao, importing: Importing) -> None:
    Path(".env").write_text(f"# Since May\nA=one\n# once {OPENAI}\nB=two\n# as long as three\nC=three\n")
    stderr = importing("dotenv", ".env", "--comments", status=1).stderr
    assert ".env: " in stderr
    assert "the comment in line 3, of B, contains a secret" in stderr
    assert "the comment in line 5, of C, contains a secret" in stderr
    assert "(--comments)" in importing("dotenv", ".env").stderr
    assert (
        "cannot hold comments" in importing("dotenv", ".env", "--comments", status=1, to=Path("a.transit.json")).stderr
    )
    importing("dotenv", ".env", "--comments", "--only", "A", to=Path("a.transit.yml"))
    assert Path("a.transit.yml").read_text().startswith("---\n# Since May\na: vault:")
    # What is left out is as secret.
    Path("left.env").write_text("# the same as hunter2-b\nA=one\nB=hunter2-b\n")
    stderr = importing("dotenv", "left.env", "--comments", "--only", "A", status=1, to=Path("l.transit.yml")).stderr
    assert "the comment in line 1, of A, contains a secret" in stderr
    assert not Path("l.transit.yml").exists()
    # What several lines of a value look like does not count.
    Path(".env").write_text("A='x\n# not for\n'\n# of B\nB=1\n")
    assert "(--comments)" in importing("dotenv", ".env", to=Path("b.transit.yml")).stderr
    importing("dotenv", ".env", "--comments", to=Path("c.transit.yml"))
    assert [line for line in Path("c.transit.yml").read_text().splitlines() if "#" in line] == ["# of B"]


def test_comments_on_the_line_of_a_value_are_kept_and_those_of_no_value_are_named(importing: Importing) -> None:
    Path(".env").write_text(
        "# the file\n\n# above\nA=one # expires soon\nB='two # no'  # quoted\nC=\"a\nb\" # behind\n"
        "D=x#y\nE=x\n#\n# the end\n"
    )
    done = importing("dotenv", ".env", "--comments")
    assert "Comments that belong to no value were not imported: in lines 1, 11." in done.stderr
    lines = [line.split(": vault:")[0] for line in TARGET.read_text().splitlines()]
    assert lines[1:10] == ["# above", "# expires soon", "a", "# quoted", "b", "# behind", "c", "d", "e"]


def test_a_short_secret_is_only_looked_for_as_a_word(importing: Importing) -> None:
    Path(".env").write_text("# Since May\nA=a\n# ask b\nB=b\n")
    stderr = importing("dotenv", ".env", "--comments", status=1).stderr
    assert ".env: 1 decision needed" in stderr
    assert "the comment in line 3, of B, contains a secret" in stderr


@pytest.mark.parametrize("comment", ["OLD=hunter2", "export OLD='hunter2 x'", "password: hunter2 x", "old: hunter2"])
def test_a_value_that_is_commented_out_is_not_written(importing: Importing, comment: str) -> None:
    Path(".env").write_text(f"# Since May: see above\nA=one\n# {comment}\nB=two\n")
    done = importing("dotenv", ".env", "--comments")
    assert "Comments that assign a value" in done.stderr
    assert "were not imported: at B." in done.stderr
    assert "# Since May: see above\n" in TARGET.read_text()
    assert "hunter2" not in TARGET.read_text() + done.output


@pytest.mark.parametrize("name", ["s.bin", "key.pem", "secrets"])
def test_a_binary_file_of_sops_is_taken_byte_for_byte_or_refused(
    bao: Bao, importing: Importing, recipient: str, name: str
) -> None:
    sealed(name, "\ufefffirst: line\r\n{", recipient)
    importing("sops", name)
    assert decrypted(bao, TARGET) == {"data": "\ufefffirst: line\r\n{"}
    Path("raw.bin").write_bytes(b"a\xff\xfe\0b")
    subprocess.run(
        ["sops", "encrypt", "--age", recipient, "--in-place", "raw.bin"],  # noqa: S607
        check=True,
    )
    done = importing("sops", "raw.bin", status=1, to=Path("b.transit.yml"))
    assert "data contains binary data, and variables are text: use --skip data" in done.stderr
    Path("raw.bin").rename("raw.json")
    done = importing("sops", "raw.json", status=1, to=Path("b.transit.yml"))
    assert "data contains U+FFFD, which sops writes for binary data" in done.stderr


def test_values_that_json_has_not_and_base64_of_kubernetes_are_named(importing: Importing, recipient: str) -> None:
    sealed("inf.yaml", f"a: {OPENAI}\nb: .inf\n", recipient)
    done = importing("sops", "inf.yaml", status=1)
    assert (
        "sops failed with status 4: it contains a value that JSON has not, such as .inf or .nan; put it between"
        in done.stderr
    )
    manifest = "apiVersion: v1\nkind: Secret\n{}: {{a: eA==}}\n"
    sealed("k.yaml", manifest.format("data"), recipient, "--encrypted-regex", "^(data|stringData)$")
    done = importing("sops", "k.yaml", "--flatten", status=1)
    assert "sops --decrypt k.yaml | mlkeys import kubernetes - --to FILE" in done.stderr
    sealed("t.yaml", manifest.format("stringData"), recipient, "--encrypted-regex", "^(data|stringData)$")
    importing("sops", "t.yaml", "--flatten", "--dry-run")


def test_the_last_of_several_members_of_json_counts(bao: Bao, importing: Importing, recipient: str) -> None:
    sealed("s.json", '{"a": "one", "a": "two"}', recipient)
    done = importing("sops", "s.json")
    assert decrypted(bao, TARGET) == {"a": "two"}
    assert "assigned again later" in done.stdout


def test_quotes_of_a_dotenv_file_are_not_a_part_of_the_value(bao: Bao, importing: Importing, recipient: str) -> None:
    sealed("s.env", "A=\"x y\"\nB='z'\nC=it's\n", recipient)
    importing("sops", "s.env")
    assert decrypted(bao, TARGET) == {"a": "x y", "b": "z", "c": "it's"}


def test_the_name_need_not_show_the_format(bao: Bao, importing: Importing, recipient: str) -> None:
    Path(sealed("s.env", "A=one\n", recipient)).rename("secrets.enc")
    assert "secrets.enc was encrypted as dotenv" in importing("sops", "secrets.enc", status=1).stderr
    importing("sops", "secrets.enc", "--input-type", "dotenv")
    assert decrypted(bao, TARGET) == {"a": "one"}
    data = Path("secrets.enc").read_bytes()
    for suffix, text in (("yaml", "a: one\n"), ("json", '{"a": "one"}'), ("ini", "[x]\na = one\n")):
        Path(sealed(f"s.{suffix}", text, recipient)).rename("secrets.txt")
        for name, read_as in (("secrets.txt", "binary"), ("secrets.env", "dotenv")):
            Path("secrets.txt").rename(name)
            stderr = importing("sops", name, status=1).stderr
            assert f"encrypted as {suffix}, and would be read as {read_as}: use --input-type {suffix}." in stderr
            Path(name).rename("secrets.txt")
    Path("other.yaml").write_bytes(data)
    assert "use --input-type dotenv" in importing("sops", "other.yaml", status=1).stderr
    # JSON is YAML, too.
    Path(sealed("t.json", '{"a": "one"}', recipient)).rename("t.yaml")
    importing("sops", "t.yaml")


def test_references_in_a_sops_file_are_decided_by_the_user(bao: Bao, importing: Importing, recipient: str) -> None:
    sealed("s.yaml", "a: '{{ b }}'\nc: op://x/y/z\nd: plain\ne: vault:v1:abc\nf: $(x)\n", recipient)
    done = importing("sops", "s.yaml", status=1)
    assert "a, c, e, f (4 values) refer to something else, or are encrypted: use --literal" in done.stderr
    importing("sops", "s.yaml", "--only", "d")
    importing("sops", "s.yaml", "--only", "c", "--literal")
    assert decrypted(bao, TARGET) == {"c": "op://x/y/z", "d": "plain"}
    # A file as a whole is a text, whatever is in it.
    sealed("s.txt", "{{ b }}", recipient)
    importing("sops", "s.txt")


def test_sops_gets_no_secret_and_gives_it_over_a_pipe(importing: Importing, recipient: str) -> None:
    """A program in its place writes down what it was given, and where it was to write to."""
    sealed("s.yaml", f"a: {OPENAI}\n", recipient)
    wrapper = Path("bin/sops")
    wrapper.parent.mkdir()
    real = Path(sys.executable).parent / "sops"
    wrapper.write_text(
        f'#!/bin/sh\nto=$(readlink /proc/$$/fd/1)\n{{ echo "$@"; echo "$to"; env; }} > seen\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o700)
    os.environ["PATH"] = f"{wrapper.parent.absolute()}:{os.environ['PATH']}"
    importing("sops", "s.yaml")
    seen = Path("seen").read_text()
    assert seen.startswith(f"--decrypt --output-type json {Path('s.yaml').absolute()}\npipe:")
    assert OPENAI not in seen


def test_why_sops_failed_is_shown_without_its_values(
    importing: Importing, recipient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed("s.yaml", f"a: {OPENAI}\nb: {OTHER}\n", recipient)
    Path("plain.yaml").write_text("a: 1\n")
    assert "plain.yaml is not encrypted with SOPS." in importing("sops", "plain.yaml", status=1).stderr
    text = Path("s.yaml").read_text()
    Path("moved.yaml").write_text(text.replace("\nb:", "\nc:"))
    assert "moved.yaml: sops failed with status" in importing("sops", "moved.yaml", status=1).stderr
    monkeypatch.delenv("SOPS_AGE_KEY_FILE")
    done = importing("sops", "s.yaml", status=1)
    assert "s.yaml: none of its keys is available. The message of sops:" in done.stderr
    assert recipient in done.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    assert "sops cannot be run: No such file" in importing("sops", "s.yaml", status=1).stderr
    assert not TARGET.exists()


# The target


def test_a_target_that_cannot_be_one_is_refused_before_anything_is_read(mount: str, importing: Importing) -> None:
    Path(".env").write_text(ENV)
    assert "it must end with .transit.yml" in importing("dotenv", ".env", status=1, to=Path("keys.yml")).stderr
    done = importing("dotenv", ".env", status=1, to=Path("nowhere/keys.transit.yml"))
    assert "The folder nowhere does not exist." in done.stderr
    arguments = ["import", "dotenv", ".env", "--to", str(TARGET)]
    assert "does not exist yet: name the key with --key" in CliRunner().invoke(main, arguments).stderr
    importing("dotenv", ".env")
    done = CliRunner().invoke(main, [*arguments, "--key", "another"])
    assert done.exit_code == 1
    assert "was written with key 'ml-api-key', not 'another'" in done.stderr
    TARGET.write_text(TARGET.read_text() + "plain: text\n")
    assert "the value of plain is not ciphertext" in importing("dotenv", ".env", status=1).stderr


def test_refusals_of_the_server_are_reported_and_nothing_is_written(
    bao: Bao, mount: str, importing: Importing, mint_token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text(ENV)
    arguments = ["import", "dotenv", ".env", "--to", str(TARGET), "--backend", mount, "--key", "missing"]
    monkeypatch.setenv("BAO_TOKEN", bao.token)
    for run in (arguments, [*arguments, "--dry-run"]):
        done = CliRunner().invoke(main, run)
        assert done.exit_code == 1
        assert f"The key 'missing' does not exist in the engine '{mount}'." in done.stderr
    # Nor was it made by the way, which this token could have done.
    assert bao.request("GET", f"{mount}/keys/missing")[0] == 404
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "hmac", "verify"))
    assert "'update' on" in importing("dotenv", ".env", status=1).stderr
    assert list(Path().iterdir()) == [Path(".env")]


@pytest.mark.parametrize(
    "source", ["ansible-vault", "compose", "dotenv", "file", "kubernetes", "kv", "litellm", "sops"]
)
def test_each_source_teaches_by_example(source: str) -> None:
    shown = CliRunner().invoke(main, ["import", source, "--help"]).output
    assert f"mlkeys import {source} " in shown.partition("Examples:")[2]
    assert source in CliRunner().invoke(main, ["import", "--help"]).output


def test_as_a_command_of_its_own(bao: Bao, mount: str, tmp_path: Path) -> None:
    """In a process of its own, whose home and folder for temporary files are looked through."""
    Path("home").mkdir()
    Path(".env").write_text(ENV)
    environment = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home")}
    done = mlkeys(
        "import", "dotenv", ".env", "--to", TARGET, "--key", KEY, "--backend", mount, cwd=tmp_path, env=environment
    )
    assert decrypted(bao, TARGET) == SECRETS
    holds_none(tmp_path, SECRETS, but=(tmp_path / ".env",))
    for secret in SECRETS.values():
        assert secret not in done.stdout + done.stderr
