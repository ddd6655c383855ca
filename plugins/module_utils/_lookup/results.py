# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Answers for terms as the lookup's results. It sends no requests. **Private** to the collection."""

from __future__ import annotations

import base64
from typing import Any, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import ItemsFailed
from ansible_collections.mlkeys.transit.plugins.module_utils._lookup.terms import Asked
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.item_errors import about_items
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.operations import Answer


def in_order(asked: Sequence[Asked], answers: Sequence[Answer]) -> list[Answer]:
    """An answer for each term: of those that could be asked for, the server's."""
    left = iter(answers)
    return [Answer(problem=one.problem) if one.problem else next(left) for one in asked]


def failed(
    client: Client, backend: str, operation: str, place: str, asked: Sequence[Asked], answers: Sequence[Answer]
) -> ItemsFailed | None:
    """The error for all terms that failed, if there are any.

    Args:
        place: the path of the requests.
    """
    failures = [(one.label, answer.problem) for one, answer in zip(asked, answers) if answer.problem]
    said = about_items(client, backend, place, [problem for _label, problem in failures])
    return ItemsFailed(operation, place, len(asked), failures, said) if failures else None


def as_text(answer: Answer, *, as_base64: bool) -> Answer:
    """The answer with a plaintext as text."""
    if answer.problem:
        return answer
    if as_base64:
        return Answer(base64.b64encode(answer.value).decode("ascii"))
    try:
        return Answer(answer.value.decode("utf-8"))
    except UnicodeDecodeError:
        return Answer(problem="it is not text: ask for encoding base64")


def entries_asked(names: Sequence[Any], known: Mapping[str, Any], place: str) -> list[Asked]:
    """The terms that name entries of a document."""
    return [
        Asked(f"'{name}'", name) if name in known else Asked(f"'{name}'", problem=f"it is not in '{place}'")
        for name in names
    ]
