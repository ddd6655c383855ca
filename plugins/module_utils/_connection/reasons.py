# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What a server says about an error, as a message may repeat it: short, and without what was sent.

**Private** to the collection.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._shared.printable import shortened

# Characters of a server's texts in one message; and of one of them, above which nothing of it is shown: a search for
# what was sent would take too long.
_SHOWN, _SEARCHED = 1000, 10_000


def reasons_in(errors: Any, body: Any = None) -> list[str]:
    """What a server says about an error: a list of texts, or what a gateway puts in its place.

    They are as short as a message for people, since a server can say anything.

    Args:
        body: what was sent, and is not repeated.
    """
    reasons: list[str] = []
    left = _SHOWN
    for text in (str(one) for outer in _inner(errors) for one in _inner(outer) if isinstance(one, (str, int, float))):
        if left <= 0:
            return [*reasons, "…"]
        is_long = len(text) > _SEARCHED
        reason = f"a text of {len(text)} characters" if is_long else shortened(scrubbed(text, body), left)
        reasons.append(reason)
        left -= len(reason)
    return reasons


def item_errors(content: Mapping[str, Any], body: Any) -> tuple[str, ...]:
    """The errors of a batch's items alone, empty for good ones: those hold plaintext."""
    return tuple(
        " ".join(reasons_in(result.get("error"), body)) if isinstance(result, dict) else ""
        for result in _results(content)
    )


def with_short_errors(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of a successful response, in which the errors of single items are short."""
    for result in _results(content):
        if isinstance(result, dict) and result.get("error"):
            result["error"] = " ".join(reasons_in(result["error"]))
    return content


def _results(content: Mapping[str, Any]) -> list[Any]:
    """The results of a batch's items, whatever they are; none where they are not a list."""
    data = content.get("data")
    results = data.get("batch_results") if isinstance(data, dict) else None
    return results if isinstance(results, list) else []


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]


def scrubbed(reason: str, body: Any) -> str:
    """The server's words without what was sent: some of its texts repeat the value that they complain about."""
    # The longest first: a short one may be the beginning of a long one, whose rest would stay.
    for text in sorted(_texts(body), key=len, reverse=True):
        if len(text) >= 4 and text in reason:
            reason = reason.replace(text, "***")
    return reason


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def words_of(reasons: Sequence[str]) -> str:
    """The server's reasons as one line."""
    flat: list[str] = []
    for reason in reasons:
        text = " ".join(reason.split())
        if text.startswith("1 error occurred: * "):
            text = text[len("1 error occurred: * ") :]
        # Go's sign for an error that is none.
        flat.append(" ".join(text.replace("%!w(<nil>)", "").split()).rstrip(": "))
    return "; ".join(filter(None, flat))
