# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertexts in files of any format: found where they are, put back byte for byte, and nothing else touched."""

from __future__ import annotations

import base64
import json

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext, version_of
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import RewriteError
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ciphertext_forms import token
from tests.support.ciphertexts import find, replace

OLD = "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w=="
NEW = "vault:v12:b/9dd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w="
ESCAPED = NEW.replace("/", "\\/")

ciphertexts = st.builds(
    lambda version, raw: f"vault:v{version}:{base64.b64encode(raw).decode()}",
    st.integers(1, 10**6),
    st.binary(min_size=28, max_size=80),
)


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        (f"OPENAI_API_KEY={OLD}\n", "OPENAI_API_KEY", 1),
        (f"# x\nOPENAI_API_KEY='{OLD}'", "OPENAI_API_KEY", 2),
        (f'export OPENAI_API_KEY="{OLD}"\n', "OPENAI_API_KEY", 1),
        (f"openai_api_key: {OLD}\n", "openai_api_key", 1),
        (f'  api_key:   "{OLD}"  # context\r\n', "api_key", 1),
        (f"a:\n  key: >-\n    {OLD}\n", "key", 3),
        (f'{{"a": {{"api-key": "{OLD}"}}}}', "api-key", 1),
        (f"[providers.gemini]\napi_key = '{OLD}'\n", "api_key", 2),
        (f'Environment="OPENAI_API_KEY={OLD}"\n', "OPENAI_API_KEY", 1),
        (f'contents = "{{{{ with secret \\"t/decrypt/k\\" \\"ciphertext={OLD}\\" }}}}"\n', "ciphertext", 1),
        (f"- {OLD}\n", "", 1),
        (OLD, "", 1),
        (f"\xfe\xff{OLD}\xff", "", 1),
        (f"key := {OLD}", "key", 1),
    ],
)
def test_it_is_found_with_its_name_and_its_line(text: str, name: str, line: int) -> None:
    form = "template without context" if "with secret" in text else "plain"
    assert list(find(text.encode("latin-1"))) == [FoundCiphertext(OLD, line, name, form)]


@pytest.mark.parametrize(
    ("call", "name", "form"),
    [
        ('"t/decrypt/k" "ciphertext={}" "context=b3BlbmFpX2FwaV9rZXk="', "openai_api_key", "template"),
        ('"t/decrypt/k" "context=b3BlbmFpX2FwaV9rZXk=" "ciphertext={}"', "openai_api_key", "template"),
        (r"\"t/decrypt/k\" \"ciphertext={}\" \"context=b3BlbmFpX2FwaV9rZXk=\"", "openai_api_key", "template"),
        ("`t/decrypt/k` `ciphertext={}` `context=b3BlbmFpX2FwaV9rZXk=`", "openai_api_key", "template"),
        ('"t/decrypt/k" "ciphertext={}" "context=/w=="', "base64:/w==", "template"),
        ('"t/decrypt/k" "ciphertext={}"', "ciphertext", "template without context"),
        # What the template computes is not known.
        ('"t/decrypt/k" "ciphertext={}" (printf "context=%s" $x)', "ciphertext", "plain"),
    ],
)
def test_a_template_names_the_context_of_its_ciphertext(call: str, name: str, form: str) -> None:
    before = '{{ with secret "t/decrypt/k" "context=eA==" }}{{ end }}'
    text = f"contents = '{before}A={{{{ with secret {call.format(OLD)} }}}}{before}'\n"
    assert list(find(text.encode())) == [FoundCiphertext(OLD, 1, name, form)]
    assert replace(text.encode(), {OLD: NEW}) == (text.replace(OLD, NEW).encode(), 1)


UNPADDED = token(1, bytes(range(48)))


@pytest.mark.parametrize("line", ["KEY='x'", 'KEY="x"', "  ABC='x'", "ABC=''", "KEY=x", "A_KEY='x'", "KEYS='='"])
def test_the_next_line_is_one_of_its_own(line: str) -> None:
    """Base64 without padding goes on in a next line that ends like it. A name and a quote do not end one."""
    text = f"A={UNPADDED}\n{line}\n"
    assert [(found.text, found.form) for found in find(text.encode())] == [(UNPADDED, "plain")]
    assert replace(text.encode(), {UNPADDED: NEW}) == (text.replace(UNPADDED, NEW).encode(), 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vault:v1:",
        "vault:v0:" + "A" * 40,
        "vault:v1:short==",
        "vault:v1-" + "A" * 40,
        "VAULT:V1:" + "A" * 40,
        "vault:v1: " + "A" * 40,
    ],
)
def test_what_is_none_is_not_found(text: str) -> None:
    assert list(find(text.encode())) == []
    assert replace(text.encode(), {text: NEW}) == (text.encode(), 0)


def test_letters_before_it_do_not_hide_it() -> None:
    assert [found.text for found in find(b"my" + OLD.encode())] == [OLD]


def test_in_a_binary_file_it_is_found_and_stays() -> None:
    [found] = find(f"\0{OLD}\n".encode())
    assert (found.text, found.problem) == (OLD, "binary file holds a ciphertext")


@pytest.mark.parametrize("wrong", ["", "********", NEW[:-3] + "*" * 3, f"{NEW} ", NEW.partition(":")[2]])
def test_nothing_but_a_ciphertext_takes_its_place(wrong: str) -> None:
    with pytest.raises(RewriteError):
        replace(OLD.encode(), {OLD: wrong})


def test_slashes_with_a_backslash_are_slashes_and_stay_so() -> None:
    content = f'{{"a": "{ESCAPED}", "b": "{OLD}"}}'.encode()
    assert [found.text for found in find(content)] == [NEW, OLD]
    other = NEW.replace("v12", "v13")
    changed, count = replace(content, {NEW: other, OLD: other})
    escaped = other.replace("/", "\\/")
    assert (changed, count) == (f'{{"a": "{escaped}", "b": "{other}"}}'.encode(), 2)
    assert json.loads(changed) == {"a": other, "b": other}


def test_several_on_a_line_and_the_same_twice() -> None:
    content = f"{OLD} {OLD}\n{NEW}{OLD.partition('==')[0]}".encode()
    assert [(found.line, found.version) for found in find(content)][:2] == [(1, 1), (1, 1)]
    changed, count = replace(content, {OLD: NEW})
    assert changed.startswith(f"{NEW} {NEW}\n".encode())
    assert count == 2


FINGERPRINT = "vault:v1:" + base64.b64encode(b"f" * 32).decode()
FILES = [
    f"---\na: {OLD}\n_transit:\n  hmac:\n    a: {FINGERPRINT}\n\n  # last\n    b: {FINGERPRINT}\nc: {OLD}\n",
    f"_transit: {{format: 1, hmac: {{a: {FINGERPRINT}}}}}\na: {OLD}\n\nc: {OLD}",
    json.dumps({"a": OLD, "_transit": {"format": 1, "hmac": {"a": FINGERPRINT}, "key": "k"}, "c": OLD}, indent=2),
    json.dumps({"_transit": {"hmac": {}}, "a": OLD, "c": OLD}),
    f"a: {OLD}\nc: {OLD}\n_transit:\n  hmac:\n    a: {FINGERPRINT}",
]


@pytest.mark.parametrize("text", FILES)
def test_fingerprints_of_a_vars_file_are_not_ciphertexts(text: str) -> None:
    assert [found.name for found in find(text.encode())] == ["a", "c"]
    changed, count = replace(text.encode(), {OLD: NEW, FINGERPRINT: NEW})
    assert count == 2
    loaded = yaml.safe_load(changed)
    assert (loaded["a"], loaded["c"]) == (NEW, NEW)
    assert NEW not in str(loaded["_transit"])


# Control characters and prefixes with a length would make it part of a binary format.
others = st.text(st.sampled_from("abz09 \t\n\"'=:-_{}[]<>&%$#\\/\u00e9"), max_size=20).map(str.encode)


@given(st.lists(st.tuples(others, ciphertexts), max_size=6), others)
def test_all_other_bytes_stay(pieces: list[tuple[bytes, str]], end: bytes) -> None:
    # A blank on both sides, or a neighbour could be part of one.
    content = b"".join(before + b" " + text.encode() + b" " for before, text in pieces) + end
    texts = [found.text for found in find(content)]
    assert [text for text in texts if text in {text for _before, text in pieces}] == [text for _before, text in pieces]
    assert replace(content, {}) == (content, 0)
    assert replace(content, {text: text for text in texts}) == (content, len(texts))
    swapped, count = replace(content, {text: NEW for _before, text in pieces})
    assert count == len(pieces)
    assert swapped == b"".join(before + b" " + NEW.encode() + b" " for before, _text in pieces) + end


@given(ciphertexts)
def test_the_version_is_the_number_in_it(text: str) -> None:
    assert f"vault:v{version_of(text)}:" == text[: text.index(":", 7) + 1]
