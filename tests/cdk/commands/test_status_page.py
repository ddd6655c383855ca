# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The page of `mlkeys status --html`, and the file of `--history`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlkeys._commands.fleet.status_history import line, looks, of_fleet
from mlkeys._commands.fleet.status_page import page
from mlkeys._commands.fleet.status_text import FleetStatus, brief, parts, short_hosts, shortened, worst
from mlkeys._errors import MlkeysError

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
PROJECT = Path("/home/user/project")
STATES = {1: "too old", 2: "behind", 3: "current"}
DEEP = "/srv/applications/production/assistant/releases/settings"


def row(host: str, path: str, secret: str, version: int) -> dict[str, Any]:
    place = {"host": host, "path": path, "line": 3, "secret": secret, "name": secret.upper()}
    return {**place, "backend": "transit", "key": "ml", "version": version, "state": STATES[version]}


ROWS = [
    row("a", "/etc/app/x.env", "openai", 3),
    row("a", "/etc/app/y.env", "openai", 2),
    row("a", f"{DEEP}/<b>.env", "mistral", 3),
    row("b", "/etc/app/x.env", "mistral", 1),
    row("b", "/etc/app/x.env", "", 3),
]


def report(rows: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {version: sum(one["version"] == version for one in rows) for version in STATES}
    versions = [
        {"version": version, "age_seconds": 60, "ciphertexts": count, "state": STATES[version]}
        for version, count in counts.items()
    ]
    key = {
        "backend": "transit",
        "name": "ml",
        "type": "aes256-gcm96",
        "latest_version": 3,
        "min_decryption_version": 2,
        "min_available_version": 1,
        "age_seconds": 60,
        "auto_rotate_period": 0,
        "overdue": False,
        "versions": versions,
    }
    hosts = {"seen": ["a", "b"], "controller": "localhost", "looked_at": "2 hosts and the controller", "missing": {}}
    return {"keys": [key], "ciphertexts": rows, "problems": [], "hosts": hosts, "healthy": False}


def test_each_secret_has_its_worst_version_on_each_host() -> None:
    html = page([FleetStatus("fleet", report(ROWS))], NOW, PROJECT)
    (table,) = re.findall(r"<th scope=.col. data-host=.a.>a</th>.*?</table>", html, re.DOTALL)
    cells = re.findall(r'class="state ([a-z-]+)" title="[a-z ]+">([v0-9, ]*)<', table)
    assert cells == [("current", "v3"), ("too-old", "v1"), ("behind", "v2, v3")]
    assert table.count("<tr") == 2, "an unknown secret has no row"


def test_many_hosts_are_shown_in_several_tables_since_paper_does_not_scroll() -> None:
    hosts = [f"node-{number:02}" for number in range(60)]
    rows = [row(host, "/etc/app/x.env", "openai", 3) for host in hosts]
    html = page([FleetStatus("fleet", report([*rows, row("node-59", "/etc/app/y.env", "mistral", 3)]))], NOW, PROJECT)
    tables = re.findall(r'<table class="matrix">.*?</table>', html, re.DOTALL)
    columns = [re.findall(r"<th scope=.col. data-host=.node-[0-9]+.>(node-[0-9]+)</th>", table) for table in tables]
    assert [len(one) for one in columns] == [24, 24, 12]
    assert [host for one in columns for host in one] == hosts
    assert [re.findall(r"<th scope=.row.>(.*?)</th>", table) for table in tables] == [
        ["openai"],
        ["openai"],
        ["mistral", "openai"],
    ]


def whole(html: str) -> str:
    """The page without the places where a path may break."""
    return html.replace("<wbr>", "")


def test_files_are_grouped_by_folder_and_open_where_something_is_to_do() -> None:
    html = whole(page([FleetStatus("fleet", report(ROWS))], NOW, PROJECT))
    folders = re.findall(r'<details( open)?>\s*<summary title="(.*?)">(.*?) \((\d)\)</summary>', html)
    assert folders == [
        (" open", "/etc/app", "/etc/app", "2"),
        ("", DEEP, "/srv/…/releases/settings", "1"),
        (" open", "/etc/app", "/etc/app", "2"),
    ]
    assert "<b>" not in re.sub(r"<b( class=.*?)?>[^<]*</b>", "", html), "names of files are text"


def test_places_of_the_controller_are_named_from_the_project_and_folders_from_their_common_one() -> None:
    rows = [
        row("localhost", f"{PROJECT}/group_vars/keys.transit.yml", "openai", 3),
        row("localhost", "/home/user/projects/other.yml", "openai", 3),
        row("a", "/srv/app/one/x.env", "openai", 3),
        row("a", "/srv/app/two/deep/x.env", "openai", 3),
        row("a", "/srv/app/y.env", "openai", 3),
        row("b", f"{PROJECT}/x.env", "openai", 3),
    ]
    found = report(rows)
    found["problems"] = [{"severity": "error", "text": f"{PROJECT}/group_vars/b.yml: broken"}]
    found["unread"] = [{"host": "localhost", "path": f"{PROJECT}/hidden.yml", "reason": "no right"}]
    html = whole(page([FleetStatus("fleet", found)], NOW, PROJECT))
    folders = re.findall(r'<summary title="(.*?)">(.*?) \(1\)</summary>', html)
    assert folders == [
        ("group_vars", "group_vars"),
        ("/home/user/projects", "/home/user/projects"),
        ("/srv/app/one", "one"),
        ("/srv/app/two/deep", "two/deep"),
        ("/srv/app", "."),
        # The same path on another machine is another place.
        (str(PROJECT), str(PROJECT)),
    ]
    assert "<summary>a: 3 ciphertexts in /srv/app</summary>" in html
    assert "<summary>localhost (the controller): 2 ciphertexts</summary>" in html
    assert ">group_vars/b.yml: broken</span>" in html
    assert '<td class="path">hidden.yml</td>' in html


@pytest.mark.parametrize(
    ("path", "short"),
    [("/", "/"), ("/a/b", "/a/b"), ("/a" * 30, "/a/…/a/a"), ("x" * 90, "x" * 90), ("kv/" + "m" * 60, "kv/" + "m" * 60)],
)
def test_long_paths_lose_their_middle(path: str, short: str) -> None:
    assert shortened(path) == short


def test_a_path_breaks_after_a_slash_first() -> None:
    found = report([row("node-1", "/srv/long/x.env", "openai", 3)])
    found["unread"] = [{"host": "node-1", "path": "/srv/longer/y.env", "reason": "not readable"}]
    html = page([FleetStatus("fleet", found)], NOW, PROJECT)
    assert '<td class="path">/srv/<wbr>longer/<wbr>y.env</td>' in html
    assert "<h3>transit/<wbr>ml</h3>" in html


def test_a_problem_names_its_command_first_and_shortens_paths() -> None:
    found = report(ROWS)
    run = f"mlkeys rotate -i {DEEP}/inventory.yml"
    found["problems"] = [{"severity": "warning", "text": f"transit/ml: still used: a:{DEEP}/x.env:3. Run: {run}"}]
    html = whole(page([FleetStatus("fleet", found)], NOW, PROJECT))
    assert f"Run: <code>{run}</code><br>" in html
    assert ">transit/ml: still used: a:/srv/…/settings/x.env:3.</span>" in html
    assert parts("It is broken.") == ("It is broken.", "")
    assert brief(f"https://a.example.com{DEEP}/x") == f"https://a.example.com{DEEP}/x"


@pytest.mark.parametrize(
    ("hosts", "short", "domain"),
    [
        (["a.x.example.com", "b.example.com", "localhost"], ["a.x", "b", "localhost"], "example.com"),
        (["a.example.com", "localhost"], ["a.example.com", "localhost"], ""),
        (["a.example.com", "b.example.com", "a"], ["a.example.com", "b.example.com", "a"], ""),
        (["a.example.com", "b.example.org"], ["a.example.com", "b.example.org"], ""),
        (["10.0.0.1", "10.1.0.1"], ["10.0.0.1", "10.1.0.1"], ""),
    ],
)
def test_hosts_lose_the_domain_that_they_share(hosts: list[str], short: list[str], domain: str) -> None:
    names, found = short_hosts(hosts)
    assert (list(names.values()), found) == (short, domain)


def test_a_state_that_is_not_known_counts_most() -> None:
    assert worst([{"state": "too old"}, {"state": "new"}, {"state": "current"}]) == "new"


def test_the_history_shows_how_many_used_the_latest_version() -> None:
    text = line("fleet", report(ROWS), NOW) + line("other", report(ROWS), NOW) + line("fleet", report(ROWS[:1]), NOW)
    found = of_fleet(looks(text, Path("h")), "fleet")
    assert [(look.when, look.key, look.total, look.latest) for look in found] == [
        ("2026-11-27 09:30", "transit/ml", 1, 1),
        ("2026-11-27 09:30", "transit/ml", 5, 3),
    ]
    assert "3 of 5" in page([FleetStatus("fleet", report(ROWS), found)], NOW, PROJECT)
    assert all(json.loads(one)["keys"] for one in text.splitlines())


LOOK = '{"time": "2026-01-01T00:00:00", "fleet": "f", "keys": {"k": {"latest_version": 1, "ciphertexts": {"1": 1}}}}'


@pytest.mark.parametrize(
    "wrong",
    [
        *("x", "{}", "[]", "1", '{"time": 1, "fleet": "f", "keys": {}}', '{"time": "2026-01-01", "keys": {"k": {}}}'),
        *(LOOK.replace('"1": 1', one) for one in ('"1": 1e999', '"1": -1', '"1": 1.5', '"1": true', '"-1": 1')),
        LOOK.replace('"1": 1', f'"1": {"9" * 4300}'),
        LOOK.replace('"1": 1', f'"{"9" * 4300}": 1'),
        LOOK.replace('_version": 1', '_version": 1e999'),
        LOOK.replace('_version": 1', f'_version": {"9" * 4300}'),
        LOOK.replace('"k"', '"\\ud800"'),
        LOOK.replace('"f"', '"\\ud800"'),
        LOOK.replace('"f"', "null"),
    ],
)
def test_a_file_that_is_not_a_history_is_refused(wrong: str) -> None:
    with pytest.raises(MlkeysError, match=r"^h:2: this is not a line of 'mlkeys status --history'"):
        looks(line("fleet", report(ROWS), NOW) + wrong + "\n", Path("h"))
    assert looks(LOOK, Path("h"))
