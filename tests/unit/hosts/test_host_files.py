# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a service are sent to a host, and in which order."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mlkeys.transit.plugins.filter.host_files import host_files
from ansible_collections.mlkeys.transit.plugins.filter.host_seen import host_seen

HAS = ["has user", "has group", "has folder"]
SERVICE: dict[str, Any] = {
    "name": "app",
    "folder": "/etc/mlkeys/app",
    "user": "app",
    "group": "web",
    "command": ["/bin/app"],
    "agent": "agent",
    "places": [
        {"path": "/etc/app.json", "content": "{}", "mode": "0640", "owner": "root", "group": "web"},
        {"path": "/etc/app.env", "state": "link", "target": "/run/mlkeys/app/etc/app.env"},
    ],
}
TEXTS: dict[str, Any] = {"record": "record", "role_id": "id", "fetch": "fetch", "run": "run"}
BOOT: dict[str, Any] = {"boot": "boot", "boot_file": "/etc/cron.d/mlkeys-app", "boot_mode": "0644"}
AGENT = ["agent.hcl", "role_id", "fetch"]


def paths(found: dict[str, Any], name: str) -> list[str]:
    return [place["path"].removeprefix("/etc/mlkeys/app/") for place in found[name]]


def report(name: str, mode: str, owner: str, text: str) -> str:
    return f"is {name} {mode} {owner} {hashlib.sha256(text.encode()).hexdigest()}"


def test_without_accounts_the_record_comes_before_them() -> None:
    found = host_files(SERVICE, [], **TEXTS)
    assert paths(found, "first") == ["/etc/mlkeys", "/etc/mlkeys/app", "placed"]
    assert {place["group"] for place in found["first"]} == {"root"}
    assert [place["mode"] for place in found["first"]] == ["0755", "0700", "0600"]
    files = ["/etc/mlkeys/app", "/etc/app.json", "/etc/app.env", *AGENT, "service"]
    assert paths(found, "files") == files
    assert (found["files"][0]["mode"], found["files"][0]["group"]) == ("0750", "web")
    assert found["watch"] == []


@pytest.mark.parametrize("lacking", ["has user", "has group"])
def test_a_folder_that_is_there_keeps_its_permissions_until_the_accounts_are(lacking: str) -> None:
    found = host_files(SERVICE, [one for one in HAS if one != lacking], **TEXTS)
    assert paths(found, "first") == ["/etc/mlkeys", "placed"]


def test_with_accounts_all_go_at_once_with_the_record_before_what_it_names() -> None:
    found = host_files(SERVICE, HAS, **TEXTS, **BOOT, secret_id_kept=False)
    boots = ["service", "/etc/cron.d", "/etc/cron.d/mlkeys-app"]
    files = ["/etc/app.json", "/etc/app.env", *AGENT, "once", *boots]
    assert found["first"] == []
    assert paths(found, "files") == ["/etc/mlkeys", "/etc/mlkeys/app", "placed", *files]


def test_under_systemd_it_is_a_unit_and_what_watches_is_apart() -> None:
    found = host_files(SERVICE, HAS, **TEXTS, systemd=True, watch=["path", "service"])
    assert paths(found, "files")[-1] == "/etc/systemd/system/app.service"
    units = [("/etc/systemd/system/mlkeys-app.path", "path"), ("/etc/systemd/system/mlkeys-app.service", "service")]
    assert [(place["path"], place["content"]) for place in found["watch"]] == units


def test_without_an_agent_and_a_command_there_are_its_files() -> None:
    found = host_files({**SERVICE, "agent": "", "command": []}, HAS, **TEXTS, **BOOT)
    assert paths(found, "files") == ["/etc/mlkeys", "/etc/mlkeys/app", "placed", "/etc/app.json", "/etc/app.env"]


RIGHT = [
    *HAS,
    "is /etc/mlkeys 755 root:root",
    "is . 750 root:web",
    report("placed", "600", "root:root", "record"),
    report("/etc/app.json", "640", "root:web", "{}"),
    "is /etc/app.env link /run/mlkeys/app/etc/app.env",
    report("agent.hcl", "640", "root:web", "agent"),
    report("role_id", "440", "root:web", "id"),
    report("fetch", "750", "root:web", "fetch"),
    "is once 700 app:web",
    report("service", "750", "root:root", "run"),
    "is /etc/cron.d 755 root:root",
    report("/etc/cron.d/mlkeys-app", "644", "root:root", "boot"),
]


def test_what_is_as_described_is_not_sent() -> None:
    found = host_files(SERVICE, RIGHT, **TEXTS, **BOOT, secret_id_kept=False)
    stamp = found.pop("stamp")
    assert found == {"first": [], "files": [], "watch": []}
    assert stamp == hashlib.sha256(b"runfetchid").hexdigest()


@pytest.mark.parametrize("text", ["run", "fetch", "role_id"])
def test_the_stamp_differs_with_all_that_a_service_is_started_with(text: str) -> None:
    of_service = host_files({**SERVICE, "fingerprint": "other"}, RIGHT, **TEXTS)
    of_text = host_files(SERVICE, RIGHT, **{**TEXTS, text: "other"})
    assert len({found["stamp"] for found in (of_service, of_text, host_files(SERVICE, RIGHT, **TEXTS))}) == 3


@pytest.mark.parametrize("number", range(len(HAS), len(RIGHT)))
def test_what_differs_in_anything_is_sent(number: int) -> None:
    line = RIGHT[number]
    for other in ("", line.replace("root:", "other:", 1), line[:-1] + "x"):
        if other != line:
            seen = [other if one == line else one for one in RIGHT]
            found = host_files(SERVICE, seen, **TEXTS, **BOOT, secret_id_kept=False)
            assert len(found["files"]) == 1, line


def test_texts_are_not_templates_and_options_are_known() -> None:
    found = host_files(SERVICE, HAS, **{**TEXTS, "run": "{{ x }}"})
    assert found["files"][-1]["content"] == "{{ x }}"
    for wrong in ({}, {"record": "", "colour": "red"}):
        with pytest.raises(AnsibleFilterError, match="missing or unknown"):
            host_files(SERVICE, HAS, **wrong)


def test_what_was_reported_is_sorted_by_service() -> None:
    lines = [". systemd", "app has user", "app.two has group", ". program /usr/bin/bao", "app started {{ x }}"]
    assert host_seen(lines) == {
        ".": ["systemd", "program /usr/bin/bao"],
        "app": ["has user", "started {{ x }}"],
        "app.two": ["has group"],
    }
    assert host_seen([]) == {".": []}
