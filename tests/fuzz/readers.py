# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads text that others write, and what each of these readers may say about text that it cannot use."""

from __future__ import annotations

import base64
import contextlib
import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from ansible_collections.mlkeys.transit.plugins.module_utils._access.policy import policy_request
from ansible_collections.mlkeys.transit.plugins.module_utils._backup.file import facts_of_backup, read_file
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import RewriteError
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import rewrite
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan
from ansible_collections.mlkeys.transit.plugins.module_utils._connection import adapter, reasons, transport, unwrap
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import settings_from
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.durations import parse_duration
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.policy import same_policy
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import Document
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import parse
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import name_problems
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.vars_files import interpreted

from mlkeys._commands.secrets.environment import pairs, variables
from mlkeys._commands.secrets.names import names_in
from mlkeys._commands.vars_file import plaintext
from mlkeys._errors import MlkeysError
from mlkeys._import import sops_source
from mlkeys._import.comments import with_comments
from mlkeys._import.compose_source import compose_values
from mlkeys._import.dotenv_source import dotenv_values
from mlkeys._import.kubernetes_source import kubernetes_values
from mlkeys._import.litellm_source import litellm_configuration
from mlkeys._import.values import walk, without_default_section
from mlkeys._import.yaml_source import yaml_values
from mlkeys._lint.ciphertexts import loose_ciphertexts
from mlkeys._lint.fixing.moving import moves_in
from mlkeys._lint.reports import known
from mlkeys._lint.secrets import secrets_in
from mlkeys._providers.gitleaks import forms_in
from mlkeys._providers.key_patterns import built_in
from mlkeys._record.record import parsed
from mlkeys._system.decoding import decoded

CORPUS = Path(__file__).parent / "corpus"

#: Seconds of the processor for each 100 KB, and for less.
MOST_SECONDS = 1.0

CIPHERTEXT = "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w=="
NEW = CIPHERTEXT.replace("v1", "v22", 1)

# Small, so that a text of few bytes is read in several steps.
_SMALL = Sizes(window=64, reach=256, context=128)


Step = Callable[[bytes], object]


class Nothing(Exception):
    """What a reader raises that copes with every text."""


@dataclass(frozen=True)
class Reader:
    """Something that reads text of others.

    Attributes:
        steps: each of them reads the text. With what each raises for text that it cannot use.
        words: what texts for it are made of.
        length: of the longest texts, in bytes, that the tests try.
    """

    steps: Mapping[Step, type[Exception]]
    words: tuple[str, ...] = ()
    length: int = 100_000

    def read(self, data: bytes) -> None:
        """Read a text in all ways.

        Raises:
            Exception: something else than a refusal.
            TimeoutError: it took too long.
        """
        for step, refusal in self.steps.items():
            begin = process_time()
            with contextlib.suppress(refusal):
                step(data)
            seconds = process_time() - begin
            if seconds > MOST_SECONDS * max(1.0, len(data) / 100_000):
                raise TimeoutError(f"{seconds:.1f} seconds for {len(data)} bytes in {step.__name__}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


# Encrypted vars files


def edited_vars_file(data: bytes) -> None:
    text = _text(data)
    document = Document(text, "k.transit.yml")
    document.content["added"] = CIPHERTEXT
    document.text()


def vars_file(data: bytes) -> None:
    parse(_text(data), "k.transit.yml")


def vars_file_of_ansible(data: bytes) -> None:
    interpreted(io.BytesIO(data), "k.transit.yml")


# JSON


def vars_file_in_json(data: bytes) -> None:
    parse(_text(data), "k.transit.json")


def answer(data: bytes) -> None:
    response = adapter.Response(200, {}, data)
    content = transport._json(response)
    if content is not None:
        transport._is_health(transport.Request("GET", "sys/health"), content)
        transport._is_from_server("GET", 200, content)
        reasons.item_errors(content, None)
        transport._version(content)


def unwrapped(data: bytes) -> None:
    reasons.reasons_in(unwrap._content(data).get("errors"))


def sops_output(data: bytes) -> None:
    without_default_section(list(walk(sops_source._parsed(data, Path("secrets.ini")))))


def baseline(data: bytes) -> None:
    known(_text(data), str)


def record(data: bytes) -> None:
    parsed(_text(data))


def options(data: bytes) -> None:
    text = _text(data)
    settings_from({"url": "https://bao", "retries": text, "proxies": text}, {})


def backup(data: bytes) -> None:
    facts_of_backup(base64.b64encode(data).decode())


# Ciphertexts


def scanned(data: bytes) -> None:
    for sizes in (None, _SMALL) if len(data) < 5000 else (None,):
        found = list(Scan(io.BytesIO(data), sizes=sizes))
        for one in found:
            ciphertext_version(one.text)


def rewritten(data: bytes) -> None:
    found = list(Scan(io.BytesIO(data)))
    rewrite(io.BytesIO(data), io.BytesIO(), {one.text: NEW for one in found})


# Others


def rules(data: bytes) -> None:
    grants = [{"key": "ml", "allow": ["decrypt"]}]
    asked = {"name": "p", "state": "present", "backend": "transit", "grants": grants, "rules": _text(data)}
    same_policy(policy_request(asked).text, _text(data))


def dotenv(data: bytes) -> None:
    dotenv_values(_text(data), ".env")


def dotenv_value(data: bytes) -> None:
    sops_source._unquoted(_text(data))


def yaml_source(data: bytes) -> None:
    yaml_values(_text(data), "vars.yml", lambda inner, _path, _line: inner, encrypted=False)


def compose(data: bytes) -> None:
    compose_values(_text(data), "compose.yaml")


def kubernetes(data: bytes) -> None:
    kubernetes_values(_text(data), "secret.yaml")


def litellm(data: bytes) -> None:
    found = litellm_configuration(_text(data), "config.yaml")
    names = {value.path: "A" for value in found.values}
    again = litellm_configuration(f"{found.with_references(names)}\nlast: {{key: b}}\n", "config.yaml")
    assert [value.text for value in again.values] == ["b"]


def completed(data: bytes) -> None:
    text = _text(data)
    for names in (names_in(text), names_in(with_comments(text, {"a": [text]}))):
        assert all(name.isidentifier() for name in names)


def program_options(data: bytes) -> None:
    text = _text(data)
    pairs([text, "A=b"], "--env")
    variables(["a", text], "{NAME}", {})


def patterns(data: bytes) -> None:
    for form in forms_in(_text(data), lambda _path: "", str):
        form.is_signed("sk-")


def edited_text(data: bytes) -> None:
    secrets = plaintext.parsed(_text(data), lambda names: name_problems(list(names)))
    assert plaintext.parsed(plaintext.rendered(secrets, "k.yml"), lambda _names: []) == secrets


def sops_file(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for form in ("yaml", "json", "dotenv", "ini"):
            sops_source._sealed(Path(file.name), form)


def backup_file(data: bytes) -> None:
    read_file(_text(data), "ml.backup")


def linted(data: bytes) -> None:
    text = decoded(data) or ""
    secrets_in(text, "a")
    loose_ciphertexts(text, "a")


def fixed(data: bytes) -> None:
    text = _text(data)
    for path in ("vars/a.yml", "compose.yaml", "config.yaml", "a.j2", ".env", "secret.json"):
        moves_in(text, path, built_in(), {}, (), ()).text(text)


def duration(data: bytes) -> None:
    parse_duration(_text(data))


_YAML = (
    "a: ",
    "\n",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!vault |\n  ",
    "? ",
    "|",
    ">-",
    '"',
    "'",
)
_JSON = (
    '{"a":',
    "{",
    "}",
    "[",
    "]",
    '"a"',
    ":",
    ",",
    "null",
    "true",
    "1e400",
    "-",
    "\\u0000",
    "\\ud800",
    '"data"',
    '"errors"',
)
_METADATA = (
    "_transit:\n",
    "  format: 1\n",
    "  backend: transit\n",
    "  key: k\n",
    "  hmac:\n",
    "  store: kv\n",
    "    a: ",
)
_SOURCES = (
    *("services:\n", "  environment:\n", "kind: Secret\n", "kind: List\n", "items:\n", "data:\n", "stringData:\n"),
    *("model_list:\n", "  litellm_params:\n", "    api_key: b\n", "environment_variables:\n", "os.environ/A"),
)
_RULES = (
    *("[[rules]]\n", "[rules]\n", 'id = "a"\n', 'regex = "sk-[a-z]+"\n', 'keywords = ["sk"]\n', "rules = [", "]"),
    *("secretGroup = 1\n", "(?i)", "(", ")", "\\z", 'near = "', '"""', "[[", "{", "}", "marks = "),
)
_BACKUP = ("format: mlkeys transit backup 1\n", "key: ", "versions: 1 2026-01-02T03:04:05Z", "latest_version: ", "\n\n")

READERS: dict[str, Reader] = {
    "vars_file": Reader(
        {vars_file: TransitError, edited_vars_file: TransitError},
        (*_YAML, *_METADATA, CIPHERTEXT),
        # ruamel.yaml takes up to two seconds for 100 KB of lines that are as short as can be.
        length=10_000,
    ),
    "vars_file_of_ansible": Reader({vars_file_of_ansible: TransitError}, (*_YAML, *_METADATA, CIPHERTEXT)),
    "json": Reader(
        {
            vars_file_in_json: TransitError,
            answer: Nothing,
            unwrapped: Nothing,
            sops_output: MlkeysError,
            baseline: ValueError,
            record: ValueError,
            options: TransitError,
            backup: ValueError,
        },
        (*_JSON, '"format"', '"findings"', '"policy"', '"archived_keys"', '"_transit"', '"batch_results"', CIPHERTEXT),
    ),
    "ciphertexts": Reader(
        {scanned: Nothing, rewritten: RewriteError},
        (
            *(CIPHERTEXT, CIPHERTEXT[:30], CIPHERTEXT[30:], "vault:v", "va\\\nult", "%3A", "\\u003a", "&#58;", "\\/"),
            *(
                base64.b64encode(CIPHERTEXT.encode()).decode(),
                "dmF1bHQ",
                "ZG1GMWJIUT",
                "\0",
                "\n  ",
                '" "',
                "PK\x03\x04",
            ),
        ),
    ),
    "hcl": Reader(
        {rules: TransitError}, ('path "', '" {\n', "capabilities = [", "}", "#", "/*", "*/", "\\", "<<EOF\n")
    ),
    "dotenv": Reader(
        {dotenv: MlkeysError, dotenv_value: MlkeysError, program_options: MlkeysError},
        ("A=", "export ", "'", '"', "\\", "${B:-", "}", "#", "\r", "\n"),
    ),
    "yaml": Reader(
        {yaml_source: MlkeysError, edited_text: MlkeysError, sops_file: MlkeysError},
        (*_YAML, "ENC[", "---\n", "%YAML 1.1\n", "0x_", "="),
    ),
    "sources": Reader(
        {compose: MlkeysError, kubernetes: MlkeysError, litellm: MlkeysError, completed: Nothing},
        (*_YAML, *_SOURCES),
        # The loader of PyYAML that counts characters takes a second for 70 KB.
        length=10_000,
    ),
    "patterns": Reader({patterns: ValueError}, _RULES),
    "lint": Reader(
        {linted: Nothing, fixed: Nothing, duration: ValueError},
        (
            "sk-",
            "hf_",
            "sk-ant-api03-",
            "AKIA",
            "-----BEGIN PRIVATE KEY-----\n",
            "c2st",
            "password: ",
            "A" * 48,
            "30d",
            "h",
        ),
    ),
    "backup": Reader({backup_file: TransitError}, (*_BACKUP, "recipient: age1", "taken: ", "type: ", "backend: ")),
}


def corpus(name: str) -> list[Path]:
    """The kept texts for a reader."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
