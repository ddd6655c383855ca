# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Anyone who puts another ciphertext into a copy of an encrypted vars file leaves all values and types as they are."""

from __future__ import annotations

import base64
import io
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import (
    Replacements,
    RewriteError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import Spots, rewrite, splice
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    VarsFile,
    bound,
    interpret,
    parse,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import flattened, leaf_problem
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.unit.vars_file.nested_data import DATA, PATHS, changed, decrypted, opened, typed

YAML, JSON = PATHS
TYPES: dict[str, Any] = {"a": 3, "b": {"on": True, "text": "3", "none": None, "empty": "", "list": []}, "c": "sk"}


@dataclass(frozen=True)
class Copy:
    """How another file holds an encrypted vars file."""

    write: Callable[[str], str]
    read: Callable[[str], str]


def unpacked(text: str) -> str:
    return base64.b64decode(json.loads(text)["data"]["keys.yml"]).decode()


def ours(text: str) -> str:
    """That side of each conflict."""
    lines: list[str] = []
    side = ""
    for line in text.splitlines(keepends=True):
        if line[:7] in ("<<<<<<<", "=======", ">>>>>>>"):
            side = line[0].replace(">", "")
        elif side != "=":
            lines.append(line)
    return "".join(lines)


def in_conflict(text: str) -> str:
    """The last fingerprint has another side."""
    *before, last = text.rstrip("\n").split("\n")
    return "\n".join([*before, "<<<<<<< HEAD", last, "=======", last.replace(" json", ""), ">>>>>>> new key", ""])


COPIES = {
    "as it is": Copy(str, str),
    "with plain values": Copy(lambda text: text.replace("---\n", "---\nplain: text\n"), str),
    "conflict": Copy(in_conflict, ours),
    "JSON in JSON": Copy(
        lambda text: json.dumps({"keys": text}).replace("/", "\\/"), lambda text: str(json.loads(text)["keys"])
    ),
    "Secret of Kubernetes": Copy(
        lambda text: json.dumps({"data": {"keys.yml": base64.b64encode(text.encode()).decode()}}), unpacked
    ),
    "percent": Copy(urllib.parse.quote, urllib.parse.unquote),
    "form": Copy(urllib.parse.quote_plus, urllib.parse.unquote_plus),
    "folded": Copy(lambda text: yaml.dump(yaml.safe_load(text), width=20, sort_keys=False), str),
}


def successors(file: VarsFile) -> dict[str, str]:
    return {entry.ciphertext: entry.ciphertext.replace("vault:v1:", "vault:v1234:") for entry in file.entries.values()}


def rewritten(content: bytes, texts: Replacements, sizes: Sizes | None = None) -> bytes:
    target = io.BytesIO()
    rewrite(io.BytesIO(content), target, texts, sizes=sizes)
    return target.getvalue()


def in_parts(content: bytes, texts: Replacements) -> bytes:
    """A few ciphertexts at a time, wherever their digests are."""
    bookmark = None
    while True:
        scan = Scan(io.BytesIO(content), bookmark)
        next(scan.groups(), None)
        end = scan.bookmark
        target = io.BytesIO()
        done = rewrite(io.BytesIO(content), target, texts, begin=bookmark, end=end)
        content = target.getvalue()
        if done.end is None or done.end == bookmark or not done.total:
            return content
        bookmark = done.end


def spliced(content: bytes, texts: Replacements) -> bytes:
    scan = Scan(io.BytesIO(content))
    is_known = {found.text for found in scan} <= set(texts)
    target = io.BytesIO()
    if (
        not is_known
        or -1 in scan.offsets
        or splice(io.BytesIO(content), target, texts, Spots(scan.digest, scan.offsets)) is None
    ):
        return rewritten(content, texts)
    return target.getvalue()


WRITERS: dict[str, Callable[[bytes, Replacements], bytes]] = {
    "rewrite": rewritten,
    "in small pieces": lambda content, texts: rewritten(content, texts, Sizes(window=100, reach=9000, context=300)),
    "in parts": in_parts,
    "splice": spliced,
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
@given(DATA, st.sampled_from(PATHS))
@settings(max_examples=4)
@example(TYPES, YAML)
@example(TYPES, JSON)
def test_values_and_types_stay(
    copy: Copy, writer: Callable[[bytes, Replacements], bytes], data: dict[str, Any], path: str
) -> None:
    assume(not any(map(leaf_problem, flattened(data))))
    path = JSON if copy is COPIES["folded"] else YAML if copy is COPIES["conflict"] else path
    text = changed(parse("", path), data)
    texts = Replacements(successors(parse(text, path)))
    content = copy.read(writer(copy.write(text).encode(), texts).decode())
    file = interpret(yaml.safe_load(content), path)
    assert {entry.version for entry in file.entries.values()} == {1234}
    assert not any(entry.is_misbound for entry in file.entries.values())
    assert typed(decrypted(file)) == typed(data)


def with_other_values() -> tuple[str, Replacements, dict[str, Any]]:
    """A copy of a file, and what the file holds since then: a text that looks like a number for that, and so on."""
    after = {"a": "3", "b": {"on": 1, "text": 3, "none": "sk", "empty": None, "list": "[]"}, "c": {}}
    text = changed(parse("", YAML), TYPES)
    new = parse(changed(parse("", YAML), after, version=12), YAML).entries
    given = {entry.ciphertext: new[name].ciphertext for name, entry in parse(text, YAML).entries.items()}
    prints = {entry.ciphertext: entry.stored_fingerprint for entry in new.values()}
    return text, Replacements(given, prints), after


@pytest.mark.parametrize("copy", [COPIES[name] for name in COPIES if name != "folded"])
def test_other_values_come_with_their_own_fingerprints(copy: Copy) -> None:
    text, texts, after = with_other_values()
    for writer in WRITERS.values():
        content = copy.read(writer(copy.write(text).encode(), texts).decode())
        assert typed(decrypted(interpret(yaml.safe_load(content), YAML))) == typed(after)


def test_a_file_stays_as_it_is_where_the_fingerprint_of_a_new_value_is_not_known() -> None:
    text, texts, _after = with_other_values()
    unknown = Replacements(texts, dict.fromkeys(texts.values(), ""))
    for writer in WRITERS.values():
        with pytest.raises(RewriteError, match="name the file that holds the value in vars_files"):
            writer(text.encode(), unknown)


def test_a_ciphertext_that_cannot_be_replaced_everywhere_keeps_its_digest() -> None:
    text = changed(parse("", YAML), {"a": 3})
    file = parse(text, YAML)
    [old] = [entry.ciphertext for entry in file.entries.values()]
    counted = f'{text}# s:{len(old)}:"{old}"\n'
    with pytest.raises(RewriteError, match="cannot be replaced everywhere"):
        rewritten(counted.encode(), Replacements(successors(file)))


def test_the_digest_of_an_earlier_ciphertext_stays() -> None:
    """It shows copies of which ciphertext the new one replaces."""
    text = changed(parse("", YAML), {"a": 3})
    file = parse(text, YAML)
    [entry] = file.entries.values()
    kept = f"{text}  before:\n    b: {digest(entry.ciphertext)}\n    c: 'sha256:{digest(entry.ciphertext)[7:]}'\n"
    content = rewritten(kept.encode(), Replacements(successors(file))).decode()
    assert content.count(digest(entry.ciphertext)) == 2
    [new] = parse(content, YAML).entries.values()
    assert opened(new.ciphertext) == ("a", b"3")
    assert new.stored_fingerprint == bound(entry.fingerprint, new.ciphertext, is_json=True)
