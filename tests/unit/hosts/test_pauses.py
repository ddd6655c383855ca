# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pauses between attempts to decrypt: short for one host, and spread out for a fleet."""

from __future__ import annotations

import collections
import random
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles" / "vault_transit_host" / "templates" / "fetch.j2"
# Seconds that systemd and the script wait in any case.
BETWEEN = 5.0
LONGEST = 300.0
ATTEMPTS = 13
DAY = 24 * 3600.0


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = jinja2.Environment(autoescape=False)  # noqa: S701  it is a shell script
    environment.filters["quote"] = shlex.quote
    environment.filters["bool"] = bool
    folder = tmp_path_factory.mktemp("service")
    (folder / "runtime").mkdir()
    service = {"name": "gw", "folder": str(folder), "runtime": str(folder / "runtime")}
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        vault_transit_host_service=service,
        vault_transit_host_program=str(folder / "agent"),
    )
    (folder / "fetch").write_text(text, encoding="utf-8")
    return folder / "fetch"


@pytest.fixture(scope="module")
def drawn(script: Path) -> dict[int, list[float]]:
    """Seconds that the script would wait on a host that has just booted, by the number of attempts before."""
    counts = [0] * 400 + [count for count in range(1, ATTEMPTS) for _draw in range(40)]
    pairs = [text for count in counts for text in (str(count), "20")]
    done = subprocess.run(["/bin/sh", str(script), "pause", *pairs], capture_output=True, check=True, text=True)
    found: dict[int, list[float]] = collections.defaultdict(list)
    for count, text in zip(counts, done.stdout.split(), strict=True):
        found[count].append(int(text) / 1000)
    return found


def test_pauses_grow_up_to_a_limit_and_differ(script: Path, drawn: dict[int, list[float]]) -> None:
    assert 0 <= min(drawn[0]) < 1
    assert 9 < max(drawn[0]) < 10
    assert set(drawn[1] + drawn[2]) == {0}
    for count in range(3, ATTEMPTS):
        longest = min(2.0 ** (count - 2), LONGEST)
        assert all(longest / 2 <= pause <= longest for pause in drawn[count])
        assert len(set(drawn[count])) > 20
    # A host that has run for a while does not wait for others.
    words = ["/bin/sh", str(script), "pause", "0", "301", "99999", "1"]
    later = subprocess.run(words, capture_output=True, check=True, text=True).stdout.split()
    assert later[0] == "0"
    assert LONGEST / 2 <= int(later[1]) / 1000 <= LONGEST


def logins(drawn: dict[int, list[float]], away: float, chance: random.Random) -> list[float]:
    """The times at which a host that boots at the time 0 logs in, until the server is back."""
    now = 0.0
    found: list[float] = []
    while True:
        now += chance.choice(drawn[min(len(found), ATTEMPTS - 1)])
        found.append(now)
        if now >= away:
            return found
        now += BETWEEN


@pytest.mark.parametrize(("away", "most"), [(0.0, 200), (600.0, 350), (DAY / 4, 350)])
def test_a_fleet_that_boots_at_once_does_not_storm_the_server(
    drawn: dict[int, list[float]], away: float, most: int
) -> None:
    chance = random.Random(1)  # noqa: S311
    fleet = [logins(drawn, away, chance) for _host in range(1000)]
    each_second = collections.Counter(int(time) for host in fleet for time in host)
    assert max(each_second.values()) <= most
    # Each comes up by itself, soon after the server is back.
    assert max(host[-1] for host in fleet) <= away + LONGEST + BETWEEN + 10
    assert max(len(host) for host in fleet) <= 12 + away / (LONGEST / 2)


def test_an_attempt_counts_those_before_it(script: Path) -> None:
    agent = script.parent / "agent"
    agent.write_text('#!/bin/sh\necho tried >> "$0.log"\nfalse\n', encoding="utf-8")
    agent.chmod(0o755)
    attempts = script.parent / "runtime" / "attempts"
    uptime = int(float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]))
    # An old one counts no more, and what somebody else wrote there does no harm.
    for before, after in ((f"1 {uptime}", "2"), (f"9 {max(uptime - 1000, 0)}", "1"), ("x; y", "1")):
        if after == "1" and uptime < 1400:
            continue
        attempts.write_text(before + "\n", encoding="utf-8")
        left = attempts.with_name("environment")
        left.write_text("left", encoding="utf-8")
        assert subprocess.run(["/bin/sh", str(script), "once"], check=False).returncode == 1
        assert attempts.read_text(encoding="utf-8").split()[0] == after
        assert not left.exists()
