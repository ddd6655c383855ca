# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The comments of a source: which value each belongs to, and a vars file with them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mlkeys._import.values import NOTHING, TRUTH, Comment, Value

# What ends a line of YAML.
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


# A word behind a colon is a value, and behind the name of a secret everything is.
_ASSIGNS = re.compile(
    r"[\w.\-\]\"']\s*:?=\s*\S|^\W*[\"']?[\w.-]+[\"']?\s*:\s+\S+\s*$"
    r"|(?i:key|token|secret|passw\w*|pwd|credentials?)[\"']?\s*:\s*\S"
)


def assigns(comment: str) -> bool:
    """Whether a comment may be a value that is commented out, and so a secret."""
    return _ASSIGNS.search(comment) is not None


# Shorter ones are in any comment.
_SHORTEST, _SHORTEST_LINE = 4, 8
_BASE64_GROUP = 3


def secrets_of(values: Iterable[Value], chosen: Collection[Value]) -> list[str]:
    """What no comment may hold: the texts of values, chosen or not, each in the forms in which people write it."""
    found: dict[str, None] = {}
    for value in chosen:
        found.update(dict.fromkeys((value.text, *forms_of(value.text))))
    for value in values:
        if value.was_secret and value.kind not in (TRUTH, NOTHING):
            found.update(dict.fromkeys(forms_of(value.text)))
    return [form for form in found if form]


def forms_of(text: str) -> Iterator[str]:
    """The forms in which people write a secret; none of a short one, which would be in any text."""
    lines = [line.strip() for line in text.splitlines()]
    whole = text.strip()
    if len(whole) < _SHORTEST:
        return
    yield from (whole, _in_addresses(whole), json.dumps(whole)[1:-1])
    yield from (line for line in lines if len(line) >= _SHORTEST_LINE)
    data = whole.encode(errors="surrogatepass")
    for before in range(_BASE64_GROUP):
        # Behind other text, such as the name of a user: without the characters that also depend on what is around it.
        encoded = base64.b64encode(bytes(before) + data).rstrip(b"=").decode()
        inner = encoded[before + 1 if before else 0 : -1]
        yield from (inner, inner.translate(_FOR_ADDRESSES)) if len(inner) >= _SHORTEST else ()


def _in_addresses(text: str) -> str:
    return _NOT_IN_ADDRESSES.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


_NOT_IN_ADDRESSES = re.compile(r"[^A-Za-z0-9_.~\-\ud800-\udfff]")
_FOR_ADDRESSES = str.maketrans("+/", "-_")


def holds(comment: str, secrets: Iterable[str]) -> bool:
    """Whether a comment contains one of these texts; a short one only as a word."""
    return any(
        one in comment
        if len(one) >= _SHORTEST
        else re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", comment) is not None
        for one in secrets
    )


def as_written(comment: str) -> str:
    """A comment without the characters that are not written with it."""
    return "".join(filter(str.isprintable, comment))


def commented_yaml(values: Sequence[Value], text: str) -> list[Value]:
    """Values with the comments above them and on their lines. What only looks like a comment in a value is none."""
    lines = _BREAK.split(text.removeprefix("\ufeff"))
    inside, trailing = _tokens(lines)
    if inside is None:
        return list(values)
    own = {
        number: line.strip().lstrip("#").strip()
        for number, line in enumerate(lines)
        if number not in inside and line.lstrip().startswith("#")
    }
    return _belonging(values, lines, own, trailing)


def commented_lines(
    values: Sequence[Value], text: str, inside: Container[int], trailing: Mapping[int, str]
) -> list[Value]:
    """Values of a file of assignments, with the comments above them and on their lines.

    Args:
        inside: the numbers of lines that values continue on.
        trailing: the comments behind values, by the number of the line where the value begins.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    own = {
        at: line.strip().lstrip("#").strip()
        for at, line in enumerate(lines)
        if line.lstrip().startswith("#") and at + 1 not in inside
    }
    return _belonging(values, lines, own, {line - 1: comment for line, comment in trailing.items()})


def _tokens(lines: Sequence[str]) -> tuple[set[int] | None, dict[int, str]]:
    """The lines that a value of several lines continues on, and the comments behind values. None if it is unclear."""
    import yaml

    inside: set[int] = set()
    trailing: dict[int, str] = {}
    try:
        for token in yaml.scan("\n".join(lines), Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                first, last, column = token.start_mark.line, token.end_mark.line, token.end_mark.column
                inside.update(range(first + 1, last + (1 if column else 0)))
                rest = lines[last][column:].strip(" ,]}") if column else ""
                if rest.startswith("#"):
                    trailing[last] = rest.lstrip("#").strip()
    except yaml.YAMLError:
        return None, {}
    return inside, trailing


def _belonging(
    values: Sequence[Value], lines: Sequence[str], own: Mapping[int, str], trailing: Mapping[int, str]
) -> list[Value]:
    """Each value with the comments between the one before and itself, down from the last blank line."""
    pending: list[Comment] = []
    lost: list[Comment] = []
    above: dict[int, tuple[list[Comment], list[Comment]]] = {}
    starts = {value.line for value in values}
    for at, line in enumerate(lines):
        if at in own:
            pending += [Comment(own[at], at + 1)] if own[at] else []
        elif at + 1 in starts:
            above[at + 1] = pending, lost
            pending, lost = [], []
        elif not line.strip():
            lost += pending
            pending = []
    found = []
    for value in values:
        before, apart = above.pop(value.line, ([], []))
        behind = trailing.get(value.line - 1)
        comments = (*before, *([Comment(behind, value.line)] if behind else ()))
        found.append(replace(value, comments=comments, apart=tuple(apart)))
    if found:
        found[-1] = replace(found[-1], apart=(*found[-1].apart, *lost, *pending))
    return found


def with_comments(text: str, comments: Mapping[str, Iterable[str]]) -> str:
    """The text of a vars file with comments above its entries."""
    for name, written in comments.items():
        above = "".join(f"# {as_written(one)}\n" for one in written)
        entry = re.search(rf"^{re.escape(name)}:", text, flags=re.MULTILINE)
        if entry:
            text = text[: entry.start()] + above + text[entry.start() :]
    return text
