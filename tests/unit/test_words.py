# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text of the repository avoids phrases that readers stumble over, names of files and of tests included.

To see all places: `nox -R -s tests -- tests/unit/test_words.py`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.collection import ROOT

#: A phrase, and what to write instead. `_` between words stands for anything that separates words.
PHRASES = {
    r"told|tell(?!\(\))|tells|telling": "report, show, state, say which",
    r"foretold|foretell|foretells|foretelling": "predict",
    r"(?<!there_)(?:is|are|was|were)_no(?!_longer|_more|_log)": "is not a",
    r"(?:is|are|was|were)_to_be": "must be, will be",
    r"be_it": "also, even",
    r"shall": "must, will",
    r"without_further_ado": "by default",
    r"what_is_behind": "say what it is",
    r"(?:carry|carries|carried|carrying)_(?:(?!or_)\w+_){0,2}(?:over|through)": "rewrap, complete",
    r"mend|mends|mended|mending": "fix",
    r"put_right": "fix",
    r"cannot_be_had": "could not be determined, is not available",
    r"nothing_says_as_what": "could not be determined",
    r"going_by_its_answer": "does not look like",
    r"do(?:es)?_not_serve": "is invalid, does not work",
    r"(?:take|takes|taken|took|taking)_(?:(?!a_function|a_(?:milli)?second|one_|byte_|responsib)\w+_){0,2}"
    r"for(?!_that|_granted|_kind,)": "mistake for, treat as",
    r"not_said": "unset, not given",
    r"says_something": "sets a value",
    r"as_asked,_and_nothing_was_tried": "cannot be reached; nothing was changed",
    r"where_they_are_not_sent": "the redirect was not followed",
    r"its_time_is_over": "expired",
    r"wait_for_one_another": "dependency cycle",
    r"what_is_done_stays": "completed steps are kept",
    r"find_out_why_something": "diagnose problems",
    r"take_away_what": "delete what",
    r"bring_servers_and_hosts_to": "deploy",
    r"anew": "again, re-create",
    r"for_ever": "forever",
    r"for_instance": "for example",
    r"whoever(?!_reads_the_file_has_the_key)": "anyone who, the user",
    r"fates?": "EntryChange, RewrapResult",
    r"sightings?": "FoundCiphertext",
    r"judge": "KeyMatcher",
    r"attendance": "ChildProcess",
    r"unfit": "UnsupportedValue",
    r"(?<!be_)undone": "not_applied",
}

#: Files that contain such phrases on purpose, and why.
EXCEPTIONS = {
    "tests/unit/test_words.py": "the list itself",
    "LICENSES/GPL-3.0-or-later.txt": "the words of the licence",
    "LICENSES/BSD-2-Clause.txt": "the words of the licence",
}

# Line breaks, the marks of comments, quotes and lists, and underscores in names also separate words.
_SEPARATOR = r"(?:[\s_#>*\"'`-]|//)+"


def _pattern(phrase: str) -> re.Pattern[str]:
    """Match the phrase in any case, as whole words. In a look-behind, which has a fixed width, `_` is one character."""
    parts = re.split(r"(\(\?<!\w+\))", phrase)
    texts = [
        part.replace("_", r"[\s_]") if part.startswith("(?<!") else part.replace("_", _SEPARATOR) for part in parts
    ]
    return re.compile(f"(?<![A-Za-z])(?:{''.join(texts)})(?![A-Za-z])", re.IGNORECASE)


PATTERNS = {_pattern(phrase): advice for phrase, advice in PHRASES.items()}


def found_in(text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the phrase as it is written, and what to write instead."""
    for pattern, advice in PATTERNS.items():
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), advice


def texts() -> Iterator[tuple[str, str]]:
    """Path and content of each file that belongs to the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in sorted(set(listed.split("\0")) - {"", *EXCEPTIONS}):
        path = ROOT / name
        if path.is_file() and not path.is_symlink() and path.suffix != ".png":
            yield name, path.read_text(encoding="utf-8")


def places() -> Iterator[str]:
    for name, text in texts():
        for phrase in {phrase for part in Path(name).parts for _line, phrase, _advice in found_in(part)}:
            yield f"{name}: rename, because of {phrase!r}"
        for line, phrase, advice in sorted(found_in(text)):
            yield f"{name}:{line}: {phrase!r}: {advice}"


def test_no_text_uses_a_phrase_of_the_list() -> None:
    if found := list(places()):
        pytest.fail("\n".join([f"{len(found)} places:", *found]), pytrace=False)


def test_the_exceptions_are_files_with_such_phrases() -> None:
    assert {name for name in EXCEPTIONS if not list(found_in((ROOT / name).read_text(encoding="utf-8")))} <= {
        "LICENSES/BSD-2-Clause.txt"
    }


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("It is no key.", ["is no"]),
        ("There is no key. there are no keys, and it is no longer one.", []),
        ("def test_what_is_no_key_is_told():", ["told", "is_no"]),
        ("# it is carried\n# through\n", ["carried # through"]),
        ("It cannot be undone.", []),
        ("undone = []", ["undone"]),
        ("He takes it for a key, and takes a second for that.", ["takes it for"]),
        ("It takes a word for text. It was taken for another.", ["takes a word for", "taken for"]),
        ("It takes one request for each key, and takes a second for all.", []),
        ("It carries ciphertexts over, and takes responsibility for them.", ["carries ciphertexts over"]),
        ("Shall we? No: amended, hotel, intelligent, storytelling", ["Shall"]),
    ],
)
def test_phrases_are_found_as_words_across_lines(text: str, phrases: list[str]) -> None:
    assert [phrase for _line, phrase, _advice in found_in(text)] == phrases


def test_a_place_has_its_line() -> None:
    assert [line for line, _phrase, _advice in found_in("one\n\nthis is\nno word\n")] == [3]
