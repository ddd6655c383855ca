# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What a reconciler returns, and how it carries out its writes. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import TransitError


@dataclass(frozen=True)
class Outcome:
    """What a run did, or would do.

    Attributes:
        before: the diff's left side, ``after`` its right side; ``None`` for an object that does not exist.
        result: the other return values.
        diffs: for a run over many objects, one diff for each that changes, instead of ``before`` and ``after``.
        failure: why the run failed although it has a result to show, empty when it did not fail.
        text: the file's new text, ``None`` when the file stays as it is.
        beside: what to add to the file's name for a file beside it that keeps the old text, empty for none.
    """

    changed: bool
    before: Mapping[str, Any] | str | None = None
    after: Mapping[str, Any] | str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    diffs: Sequence[Mapping[str, Any]] | None = None
    failure: str = ""
    text: str | None = field(default=None, repr=False)
    beside: str = ""


class Steps:
    """Carries out writes one after the other; an error reports which of them were done before it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def run(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            result = call()
        except TransitError as error:
            raise error.after(self.done) from None
        self.done.append(what)
        return result
