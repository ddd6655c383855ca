# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What a server answered in this run, kept in memory. **Private** to the collection."""

from __future__ import annotations

from typing import Any, Callable, Hashable, Mapping, NamedTuple, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Settings

#: Asks the server questions, and returns its answers in their order: bytes, or as text the reason why there is none.
#: The answers to the second ones, which cost no request of their own, may follow.
#: Workers send it to another process, so it is a function of a module.
Ask = Callable[[Client, Sequence[Any], Sequence[Any]], Sequence[Any]]


#: Questions that go into the same request as others. Looked up when there is one.
Beside = Callable[[], Sequence[Hashable]]


class Questions(NamedTuple):
    """What a worker sends to the process that asks for it.

    Attributes:
        beside: what goes into the same request if there is one. Nobody waits for these answers.
    """

    settings: Settings
    ask: Ask
    questions: Sequence[Hashable]
    beside: Sequence[Hashable]

    def __repr__(self) -> str:
        return f"Questions({len(self.questions)}, {len(self.beside)})"


class Learned(NamedTuple):
    """What a worker knows without asking, and sends to the process that keeps answers for all.

    Attributes:
        answers: the answers by question.
        same: for further questions, those with the same answer.
    """

    settings: Settings
    ask: Ask
    answers: Mapping[Hashable, bytes]
    same: Mapping[Hashable, Hashable]

    def __repr__(self) -> str:
        return f"Learned({len(self.answers)}, {len(self.same)})"


class Answers:
    """Answers by question. What has none is asked again."""

    def __init__(self) -> None:
        self._known: dict[tuple[Settings, Ask], dict[Hashable, bytes]] = {}

    def of(self, settings: Settings, ask: Ask) -> Mapping[Hashable, bytes]:
        return self._known.get((settings, ask), {})

    def keep(self, settings: Settings, ask: Ask, answers: Mapping[Hashable, Any]) -> None:
        known = self._known.setdefault((settings, ask), {})
        known.update((question, answer) for question, answer in answers.items() if isinstance(answer, bytes))

    def learn(self, learned: Learned) -> None:
        known = self.of(learned.settings, learned.ask)
        same = {one: known[other] for one, other in learned.same.items() if other in known}
        self.keep(learned.settings, learned.ask, {**learned.answers, **same})

    def clear(self) -> None:
        self._known.clear()


def sent(owner: tuple[str, bytes] | None, asked: Settings | Questions | Learned) -> Any:
    """The answer of another process, ``None`` without such a process or its answer."""
    if owner is None or not owner[0]:
        return None
    from multiprocessing import AuthenticationError, connection

    address, key = owner
    try:
        with connection.Client(address, authkey=key) as channel:
            channel.send(asked)
            return channel.recv()
    except (OSError, EOFError, AuthenticationError):
        return None
