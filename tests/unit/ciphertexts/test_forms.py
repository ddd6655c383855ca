# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ciphertexts in every form in which files hold them: found, and replaced in the same form; nothing else changes."""

from __future__ import annotations

import base64
import hashlib
import io
import textwrap
import time

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import FoundCiphertext, is_ciphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.needles import NEEDLES, SIEVES, WIDE_PARTS
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import RewriteError
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import Rewritten, rewrite
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.runs import IN_LONG_BASE64, UNCLEAR
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.ciphertext_forms import FORMS, Form, token

OLD = token(9, bytes(range(200, 240)) + b"\xfb\xef\xbe\xff\xff")
NEW = token(10, bytes(range(100, 140)) + b"\xfb\xef\xbe\xff\xff")
SHORT = token(1, bytes(range(30)))
LONG = token(1234, bytes(range(90)))
MARK = "\n#§ {} §#\n"
SMALL = Sizes(window=100, reach=2000, context=300)


def found_in(content: bytes, sizes: Sizes | None = None) -> list[FoundCiphertext]:
    return list(Scan(io.BytesIO(content), sizes=sizes))


def rewritten(content: bytes, texts: dict[str, str], sizes: Sizes | None = None) -> tuple[bytes, Rewritten]:
    target = io.BytesIO()
    result = rewrite(io.BytesIO(content), target, texts, sizes=sizes)
    return target.getvalue(), result


@pytest.mark.parametrize("new", [NEW, SHORT, LONG], ids=["next version", "shorter", "longer"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_is_found_and_replaced_in_the_same_form(form: Form, new: str) -> None:
    text = form.write(OLD, 40)
    assert form.read(text) == OLD
    found = found_in(text.encode())
    assert [(one.text, one.form, one.problem) for one in found] == [(OLD, form.reported, "")]
    changed, result = rewritten(text.encode(), {OLD: new})
    assert form.read(changed.decode()) == new
    assert result == Rewritten({form.reported: 1})
    assert rewritten(text.encode(), {NEW: OLD})[0] == text.encode()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_keeps_its_shape(form: Form) -> None:
    # Versions of as many digits make texts of one length: what is written again is then what its own writer writes.
    new = token(8, bytes(range(200, 240)) + b"\xfb\xef\xbf\xff\xff")
    changed, _result = rewritten(form.write(OLD, 40).encode(), {OLD: new})
    assert changed.decode() == form.write(new, 40)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-be"])
@pytest.mark.parametrize("between", [" ", "  ", '" "', '", "', "',\n  '", "\\ ", " \n "])
@pytest.mark.parametrize("size", [4, 5, 7, 20, 24, 60])
@pytest.mark.parametrize(
    "content", [OLD.encode(), f"KEY={OLD}\n".encode(), OLD.encode("utf-16-le")], ids=["token", "line", "UTF-16"]
)
def test_base64_in_groups_is_named_and_left_alone(content: bytes, size: int, between: str, encoding: str) -> None:
    encoded = base64.b64encode(content).decode()
    groups = between.join(encoded[place : place + size] for place in range(0, len(encoded), size))
    text = f'value: "{groups}"\n'.encode(encoding)
    found = found_in(text)
    assert found
    # Part of one is a ciphertext that no key decrypts, which blocks as well.
    assert all(one.problem or one.text != OLD for one in found)
    assert rewritten(text, {OLD: NEW})[0] == text


def test_words_behind_the_beginning_of_a_ciphertext_do_not_count_as_base64() -> None:
    begin = base64.b64encode(b"vault:v1:").decode()
    assert not found_in(f"{begin} is what each of them begins with, whatever the key is\n".encode())


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_windows_may_end_anywhere_in_a_form(form: Form) -> None:
    text = form.write(OLD, 40).encode()
    for before in range(0, 2 * SMALL.window, 7):
        content = b"-" * before + b"\n" + text + b"\n" + b"-" * 5000
        assert [one.text for one in found_in(content, SMALL)] == [OLD], before
        changed, _result = rewritten(content, {OLD: NEW}, SMALL)
        assert changed == b"-" * before + b"\n" + rewritten(text, {OLD: NEW})[0] + b"\n" + b"-" * 5000


tokens = st.builds(
    lambda version, size, seed: token(version, hashlib.shake_256(b"%d" % seed).digest(size)),
    st.integers(1, 10**5),
    st.integers(28, 80),
    st.integers(),
)
fillers = st.text(st.sampled_from("abzXYZ059 +/=%\\;:'\"{}<>-_,.\n\t\rüv"), max_size=60)
pieces = st.tuples(fillers, st.sampled_from(sorted(FORMS)), tokens, tokens, st.integers(0, 200))


@given(st.lists(pieces, max_size=5, unique_by=lambda piece: piece[2]), st.integers(1, 3000))
@settings(max_examples=150, deadline=None)
def test_random_documents_hold_what_was_planted_and_nothing_else_changes(
    planted: list[tuple[str, str, str, str, int]], window: int
) -> None:
    parts = []
    for number, (filler, name, old, _new, seed) in enumerate(planted):
        parts += [filler, FORMS[name].write(old, seed), MARK.format(number)]
    marks = [MARK.format(f"{number} of the text") for number in range(len(parts) + 1)]
    text = marks[0] + "".join(part + mark for part, mark in zip(parts, marks[1:], strict=True))
    sizes = Sizes(window=window, reach=3000, context=400)
    found = found_in(text.encode(), sizes)
    assert [one.text for one in found if not one.problem] == [old for _filler, _name, old, _new, _seed in planted]
    assert [one for one in found if one.problem] == []
    changed, result = rewritten(text.encode(), {old: new for _filler, _name, old, new, _seed in planted}, sizes)
    assert (result.total, result.left) == (len(planted), 0)
    rest = changed.decode()
    for part, mark in zip([None, *parts], marks, strict=True):
        got, sign, rest = rest.partition(mark)
        assert sign
        if part is not None and part in (FORMS[name].write(old, seed) for _f, name, old, _n, seed in planted):
            expected = [(name, new) for _f, name, old, new, seed in planted if FORMS[name].write(old, seed) == part]
            assert [(name, FORMS[name].read(got)) for name, _new in expected] == expected
        else:
            assert got == (part or "")
    assert rest == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'x = "{OLD[:30]}" + "{OLD[30:]}"', "cut short"),
        (f"x = '{OLD[:9]}' . '{OLD[9:]}'", "cut short"),
        (f"{OLD[:40]}…", "cut short"),
        (f"vault%5Cu003av9%5Cu003a{OLD[9:]}", "escaped in a way"),
        (f's:{len(OLD)}:"{OLD}";', "length"),
        (f's:{len(OLD) + 4}:"KEY={OLD}";', "length"),
        (f"{len(OLD)}:{OLD},", "length"),
        (f"\xd9{chr(len(OLD))}{OLD}", "length"),
        (f"\xd9{chr(len(OLD) + 4)}KEY={OLD}", "length"),
        (f"\xa1x{chr(len(OLD))}{OLD}", "length"),
        (f"\x12{chr(len(OLD))}{OLD}\x10\x01", "control"),
        (f"\x03\x01 {OLD}", "control"),
        (base64.b64encode(b"\xff\0\1" + OLD.encode() + b"\xff").decode(), "base64"),
        (FORMS["base64 of a file"].write(OLD, 0).replace("=", "A"), "base64"),
    ],
)
def test_what_cannot_be_replaced_safely_is_named_and_stays(text: str, problem: str) -> None:
    content = text.encode("utf-8" if "…" in text else "latin-1")
    found = found_in(content)
    assert [problem in one.problem for one in found] == [True]
    assert found[0].text.startswith("vault")
    changed, result = rewritten(content, {OLD: NEW, found[0].text: NEW})
    assert (changed, result) == (content, Rewritten({}, 1, 1))


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
        "Ciphertexts begin with `vault:v1:`, …",
        "dmF1bHQ6djE6",
        "the word vault, and dmF1bHQ in base64",
        "vault_v1_ vault/v1/secret vault-v1: vault: v1: x",
    ],
)
def test_other_texts_are_not_found(text: str) -> None:
    assert found_in(text.encode()) == []


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        (f"OPENAI_API_KEY={OLD}\n", "OPENAI_API_KEY", 1),
        (f"# x\nOPENAI_API_KEY='{OLD}'", "OPENAI_API_KEY", 2),
        (f'export OPENAI_API_KEY="{OLD}"\n', "OPENAI_API_KEY", 1),
        (f"openai_api_key: {OLD}\n", "openai_api_key", 1),
        (f'  api_key:   "{OLD}"  # context\r\n', "api_key", 1),
        (f"a:\n  key: >-\n    {OLD}\n", "key", 3),
        (f"a:\n  key:\n    {OLD}\n", "key", 3),
        (f'{{"a": {{"api-key": "{OLD}"}}}}', "api-key", 1),
        (f'{{"a": "{{\\"api-key\\": \\"{OLD}\\"}}"}}', "api-key", 1),
        (f"[providers.gemini]\napi_key = '{OLD}'\n", "api_key", 2),
        (f'Environment="OPENAI_API_KEY={OLD}"\n', "OPENAI_API_KEY", 1),
        (f'contents = "{{{{ with secret \\"t/decrypt/k\\" \\"ciphertext={OLD}\\" }}}}"\n', "ciphertext", 1),
        (f"- {OLD}\n", "", 1),
        (OLD, "", 1),
        (f"\xff{OLD}", "", 1),
        (f"key := {OLD}", "key", 1),
        (f"key: ENC({OLD})", "key", 1),
        (f"<hf_token>{OLD}</hf_token>", "hf_token", 1),
        (f'<entry key="hf_token">{OLD}</entry>', "hf_token", 1),
        (f"?hf_token={OLD}&x=1", "hf_token", 1),
        (FORMS["base64"].write(OLD, 0), "key", 1),
        (FORMS["base64 of a file"].write(OLD, 0), "KEY", 1),
        (FORMS["base64, 64 columns"].write(OLD, 0), "key", 3),
        (f"{SHORT}\n{OLD}\n", "", 2),
    ],
)
def test_it_is_found_with_its_name_and_its_line(text: str, name: str, line: int) -> None:
    found = found_in(text.encode("latin-1" if "\xff" in text else "utf-8"))[-1]
    assert (found.text, found.name, found.line) == (OLD, name, line)


def test_several_on_a_line_and_without_anything_between() -> None:
    bare = token(3, bytes(30))
    content = f"{OLD} {OLD}\n{bare}{NEW}{bare}{bare}\n".encode()
    assert [one.text for one in found_in(content)] == [OLD, OLD, bare, NEW, bare, bare]
    changed, result = rewritten(content, {bare: LONG, OLD: NEW})
    assert changed == f"{NEW} {NEW}\n{LONG}{NEW}{LONG}{LONG}\n".encode()
    assert result == Rewritten({"plain": 5}, 1)


def test_a_plus_in_an_url_stays_a_plus() -> None:
    new = token(10, b"\xfb\xef\xbe" * 10)
    assert "+" in new
    changed, _result = rewritten(f"curl 'https://a.example/x?b=1&k={SHORT}'".encode(), {SHORT: new})
    assert changed == f"curl 'https://a.example/x?b=1&k={new.replace('+', '%2B')}'".encode()


def test_lines_that_are_base64_each_are_not_one_text() -> None:
    form = FORMS["base64 without padding"]
    same = [token(9, bytes([number]) * 30) for number in range(4)]
    lines = [form.write(one, 0)[2:] for one in same]
    assert [one.text for one in found_in("\n".join(lines).encode())] == same
    changed, _result = rewritten("\n".join(lines).encode(), {same[0]: NEW, same[2]: NEW})
    assert [form.read(f"k={line}") for line in changed.decode().split("\n")] == [NEW, same[1], NEW, same[3]]


def test_a_word_below_base64_is_not_part_of_it() -> None:
    for payload in (bytes(36), bytes(45)):
        line = base64.b64encode(token(1, payload).encode()).decode()
        assert "=" not in line
        content = f"key: {line}\nTRUE\n".encode()
        changed, _result = rewritten(content, {token(1, payload): NEW})
        assert changed == f"key: {base64.b64encode(NEW.encode()).decode()}\nTRUE\n".encode()


@pytest.mark.parametrize(
    "new",
    ["", "********", "vault:v2:********", OLD[:-1], f"{OLD}\n", "vault:v1:short===", f"{OLD[:-4]}A=AA", f"{OLD}{OLD}"],
)
def test_nothing_but_a_ciphertext_is_written(new: str) -> None:
    target = io.BytesIO()
    assert not is_ciphertext(new)
    with pytest.raises(RewriteError, match="1 of 2 replacements"):
        rewrite(io.BytesIO(OLD.encode()), target, {OLD: new, NEW: OLD})
    assert target.getvalue() == b""


def test_a_new_ciphertext_that_would_run_into_what_follows_is_refused() -> None:
    padded, bare = token(1, bytes(31)), token(1, bytes(30))
    with pytest.raises(RewriteError, match="line 2"):
        rewritten(f"\nkey={padded}suffix\n".encode(), {padded: bare})
    new = token(2, bytes(31))
    assert rewritten(f"\nkey={padded}suffix\n".encode(), {padded: new})[0] == f"\nkey={new}suffix\n".encode()


def test_the_number_of_replacements_is_what_is_expected() -> None:
    content = f"{OLD}\n{OLD}\n".encode()
    assert rewrite(io.BytesIO(content), io.BytesIO(), {OLD: NEW}, expected=2).total == 2
    with pytest.raises(RewriteError, match="2 ciphertexts were replaced, not 3"):
        rewrite(io.BytesIO(content), io.BytesIO(), {OLD: NEW}, expected=3)


def test_each_needle_passes_a_sieve() -> None:
    for needle in NEEDLES:
        words = [*WIDE_PARTS, *(part for parts in SIEVES for part in parts)]
        assert any(word in needle.text for word in words), needle
    for parts in SIEVES:
        places = {(char, place) for part in parts for place, char in enumerate(part)}
        assert len(places) == len({char for char, _place in places})


NASTY = [
    "vault", "vault:", "vault:v1:", "vault:v1:A", "vault:v1:\n", "vault:v1:''", "v\\\na\\\nu\\\n", "dmF1bH",
    "dmF1bHQ6djE6", "dmF1bHQ6djE6 ", "dmF1bHQ6djE6\n", "dmF1bHQ6djE6QUFB\\n", "ZhdWx0OnYx", "%25", "%253", "\\",
    "\\u00", "&amp;", "&#x00", "vault%25", "vault\\\\", "vault%5C%5Cv1%5C", '"\'', "\n ", "=", "A", "_transit:\n",
    '"_transit": {', '="', 's:1:"', "RtRjFiSFE2Z", "dmF1bHQ6djE6QUFBQUFBQUFBQUFBQUFB\n",
    "vault:v1:AAAAAAAAAAAAAAAAAAAA\n", "v\0a\0u\0l\0t\0:\0v\x001\0:\0",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_nothing_takes_long(text: str) -> None:
    content = (text * (100_000 // len(text))).encode()
    for whole in (content, b"vault:v1:" + content, content + OLD.encode(), b"dmF1bHQ6djE6QUFB" + content):
        before = time.process_time()
        found_in(whole)
        assert time.process_time() - before < 1


@given(st.lists(st.one_of(st.sampled_from(NASTY), fillers), max_size=40), st.integers(1, 500))
@settings(max_examples=150, deadline=None)
def test_anything_is_read_the_same_whatever_the_windows_and_copied_as_it_is(parts: list[str], window: int) -> None:
    content = "".join(parts).encode()
    assert found_in(content, Sizes(window=window, reach=10**5, context=400)) == found_in(content)
    assert rewritten(content, {OLD: NEW}, Sizes(window=window, reach=300, context=100))[0] == content


def test_long_base64_on_one_line_is_named_and_left_alone() -> None:
    text = base64.b64encode(f"{'x ' * 1500}\nK={OLD}\n".encode())
    [found] = found_in(text, SMALL)
    assert (found.form, found.problem) == ("base64", IN_LONG_BASE64)
    assert rewritten(text, {OLD: NEW}, SMALL)[0] == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
@pytest.mark.parametrize("before", ["", "K=", "$env:OPENAI_API_KEY = '"])
def test_utf_16_in_base64_is_found_and_left_alone(encoding: str, before: str) -> None:
    """As what PowerShell is given as an encoded command."""
    inner = base64.b64encode(f"{before}{OLD}'\r\n".encode(encoding)).decode()
    for text in (f"powershell -EncodedCommand {inner}\n", "\n".join(textwrap.wrap(inner, 64)) + "\n"):
        [found] = found_in(text.encode())
        assert (found.text, found.form, found.problem) == (OLD, "base64", UNCLEAR)
        content, done = rewritten(text.encode(), {OLD: NEW})
        assert (content, done.total, done.problems) == (text.encode(), 0, 1)
