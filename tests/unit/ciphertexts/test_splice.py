# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing where a search found something gives what another search gives, or nothing at all."""

from __future__ import annotations

import io

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import is_ciphertext
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.reader import WINDOW, Sizes
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.replacements import Replacements, RewriteError
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.rewrite import Spots, rewrite, splice
from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.scan import Scan
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ciphertext_forms import FORMS, token

OLD = token(1, bytes(range(45)))
UNPADDED = token(10, bytes(range(48)))


def searched(content: bytes) -> tuple[Scan, list[str]]:
    scan = Scan(io.BytesIO(content))
    return scan, [found.text for found in scan]


def spliced(content: bytes, replacements: dict[str, str], spots: Spots) -> bytes | None:
    target = io.BytesIO()
    done = splice(io.BytesIO(content), target, Replacements(replacements), spots)
    if done is None:
        assert target.getvalue() == b""
        return None
    assert done.total == len(spots.offsets)
    return target.getvalue()


BEFORE = ["", "\n", "KEY='", "\nA_B=", "\n  ", "key: ", "https://a?b=", 's:60:"', "%", "Ab+/"]
BEHIND = ["", "'\n", '"', " ", "\nAbc=", "\nA_B=", "\n  ", "\\", "=", "&", "Ab+/"]
TOKENS = st.builds(token, st.integers(1, 12), st.binary(min_size=28, max_size=50))
FORMED = st.builds(lambda form, text: form.write(text, 20), st.sampled_from([*FORMS.values()]), TOKENS)
PARTS = st.tuples(st.sampled_from(BEFORE), st.one_of(TOKENS, FORMED), st.sampled_from(BEHIND)).map("".join)


@given(st.lists(PARTS, min_size=1, max_size=4), TOKENS)
def test_it_is_what_another_search_gives(parts: list[str], new: str) -> None:
    content = "".join(parts).encode()
    scan, texts = searched(content)
    assert len(scan.offsets) == len(texts)
    for text, offset in zip(texts, scan.offsets, strict=True):
        assert offset < 0 or content[offset:].startswith(text.encode())
    replacements = {text: new for text in texts if is_ciphertext(text)}
    chosen = [offset for text, offset in zip(texts, scan.offsets, strict=True) if text in replacements]
    if not chosen or min(chosen) < 0:
        return
    result = spliced(content, replacements, Spots(scan.digest, chosen))
    if result is not None:
        target = io.BytesIO()
        rewrite(io.BytesIO(content), target, replacements)
        assert result == target.getvalue()


def test_plain_ciphertexts_need_no_other_search() -> None:
    content = f"# ü\nA='{OLD}'\nB={UNPADDED}\nC: \"{OLD}\"\nD={UNPADDED}".encode()
    scan, texts = searched(content)
    new = token(2, bytes(51))
    result = spliced(content, dict.fromkeys(texts, new), Spots(scan.digest, scan.offsets))
    assert result == content.replace(OLD.encode(), new.encode()).replace(UNPADDED.encode(), new.encode())


@pytest.mark.parametrize(
    "other",
    [
        f"A='{OLD}' \n",
        f"B='{OLD}'\n",
        f"A='{OLD}'",
        "",
    ],
)
def test_nothing_is_written_of_another_content(other: str) -> None:
    scan, _texts = searched(f"A='{OLD}'\n".encode())
    assert spliced(other.encode(), {OLD: UNPADDED}, Spots(scan.digest, scan.offsets)) is None


class InPieces(io.BytesIO):
    """A stream that gives less than it could."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, len(OLD) + 5))


def test_what_was_appended_is_not_lost() -> None:
    content = f"A='{OLD}'\n".encode()
    scan, _texts = searched(content)
    spots = Spots(scan.digest, scan.offsets)
    assert splice(InPieces(content + b"B=c\n"), io.BytesIO(), Replacements({OLD: UNPADDED}), spots) is None
    assert splice(InPieces(content), io.BytesIO(), Replacements({OLD: UNPADDED}), spots) is not None


@pytest.mark.parametrize("offsets", [[0], [4], [3, 3], [10**9]])
def test_nothing_is_written_where_no_ciphertext_begins(offsets: list[int]) -> None:
    content = f"A='{OLD}'\n".encode()
    scan, _texts = searched(content)
    assert scan.offsets == [3]
    assert spliced(content, {OLD: UNPADDED}, Spots(scan.digest, offsets)) is None


def test_what_may_continue_a_new_one_gets_another_look() -> None:
    content = f"A={token(1, bytes(40))}text\n".encode()
    scan, texts = searched(content)
    replacements = dict.fromkeys(texts, UNPADDED)
    assert spliced(content, replacements, Spots(scan.digest, scan.offsets)) is None
    with pytest.raises(RewriteError, match="would become part"):
        rewrite(io.BytesIO(content), io.BytesIO(), replacements)


def test_a_file_that_is_not_read_at_once_has_no_digest() -> None:
    small = Scan(io.BytesIO(f"A={OLD}\n".encode()), sizes=Sizes(window=64))
    assert [found.text for found in small] == [OLD]
    assert small.digest == ""
    comment = b"#" * (WINDOW - len(OLD) - 1) + b"\n"
    for content, is_known in ((comment + OLD.encode(), True), (comment + OLD.encode() + b"\n", False), (b"", False)):
        assert bool(searched(content)[0].digest) is is_known
