# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a request waits for its turn."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways import pace
from ansible_collections.mlkeys.transit.plugins.module_utils._connection._ways.pace import Pace
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    """Time that passes only while somebody waits, or works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: made.now, sleep=made.sleep))
    return made


def times(clock: Clock, paced: Pace, count: int) -> list[float]:
    sent = []
    for _one in range(count):
        paced.wait()
        sent.append(round(clock.now - 1000.0, 6))
    return sent


def test_without_a_limit_nothing_waits(clock: Clock) -> None:
    assert times(clock, Pace(None), 1000) == [0.0] * 1000


def test_a_burst_goes_through_and_the_rest_follows_at_the_rate(clock: Clock) -> None:
    assert times(clock, Pace((2.0, 3)), 6) == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]


def test_a_burst_comes_back_with_time(clock: Clock) -> None:
    paced = Pace((2.0, 3))
    times(clock, paced, 3)
    clock.now += 60
    assert times(clock, paced, 5) == [60.0, 60.0, 60.0, 60.5, 61.0]


@given(st.floats(0.1, 50), st.integers(1, 20), st.integers(1, 60))
def test_no_more_than_the_rate_in_any_time(rate: float, burst: int, count: int) -> None:
    now = [1000.0]
    paced = Pace((rate, burst))
    sent = []
    for _one in range(count):
        now[0] += paced._take(now[0])
        sent.append(now[0])
    for first in range(count):
        for last in range(first, count):
            assert last - first + 1 <= burst + rate * (sent[last] - sent[first]) + 1e-3
