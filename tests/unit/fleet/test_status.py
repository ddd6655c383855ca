# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is overdue, lost and harmless, decided from what is known of keys and hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.status import Logins, status

DAY = 86400
LIMIT = 90 * DAY


def key(latest: int = 1, floor: int = 1, age: int | None = 0, period: int = 0, **more: Any) -> dict[str, Any]:
    versions = [{"version": number, "age_seconds": age} for number in range(floor, latest + 1) if age is not None]
    return {
        "backend": "transit",
        "name": "ml",
        "type": "aes256-gcm96",
        "latest_version": latest,
        "min_decryption_version": floor,
        "auto_rotate_period": period,
        "versions": versions,
        **more,
    }


def host(*versions: int, name: str = "a", **row: Any) -> dict[str, Any]:
    rows = [
        {"path": "/x", "line": line, "backend": "transit", "key": "ml", "version": version, "state": "current", **row}
        for line, version in enumerate(versions, 1)
    ]
    return {"inventory_hostname": name, "vault_transit_seen": {"ciphertexts": rows}}


@pytest.mark.parametrize(
    ("info", "overdue"),
    [
        (key(age=LIMIT), False),
        (key(age=LIMIT + 1), True),
        (key(age=None), False),
        # What the server does by itself is late only when the server is.
        (key(age=LIMIT + 1, period=2 * LIMIT), False),
        (key(age=DAY + 7200, period=DAY), False),
        (key(age=DAY + 7201, period=DAY), True),
    ],
)
def test_a_key_is_overdue_by_its_age_or_by_its_period(info: dict[str, Any], overdue: bool) -> None:
    report = status([info], [], LIMIT)
    assert report["keys"][0]["overdue"] is overdue
    assert report["healthy"] is not overdue


def test_a_floor_that_a_run_left_down_is_named() -> None:
    found = status([key(2, min_encryption_version=2)], [host(2)], 90)
    assert [one["severity"] for one in found["problems"]] == ["note", "note"]
    assert any("below min_encryption_version v2" in one["text"] for one in found["problems"])
    assert not status([key(2, floor=2, min_encryption_version=2)], [host(2)], 90)["problems"]


def test_since_when_ciphertexts_may_be_below_the_floor_is_named() -> None:
    created = [{"version": 2, "age_seconds": 0, "creation_time": "2026-05-28T09:00:00Z"}]
    report = status([key(2, 2, versions=created)], [host(1, state="too old", secret="x")], LIMIT)
    assert "which nobody can decrypt (v2 was created at 2026-05-28T09:00:00Z): a:/x:1" in report["problems"][0]["text"]


@pytest.mark.parametrize(
    ("variables", "pattern", "named"),
    [
        ({}, (), True),
        ({"vault_transit_host_paths": []}, (), False),
        ({"vault_transit_host_paths": ["/srv"], "vault_transit_seen": {"ciphertexts": []}}, (), False),
        ({"vault_transit_undeclared": True}, (), False),
        ({"groups": {"all": ["a"]}}, (), False),
        ({"vault_transit_hosts": "a"}, ("a",), False),
    ],
    ids=["silent", "empty", "paths", "program", "not-listed", "pattern"],
)
def test_a_listed_controller_that_declares_nothing_is_named(
    variables: dict[str, Any], pattern: tuple[str, ...], named: bool
) -> None:
    listed = {"inventory_hostname": "localhost", "groups": {"all": ["localhost"]}}
    report = status(
        [key()], [{**listed, "vault_transit_seen_here": {"ciphertexts": []}, **variables}], 90, pattern=pattern
    )
    texts = [f"{one['severity']}: {one['text']}" for one in report["problems"]]
    assert len(texts) == named
    assert all(text.startswith("error: localhost could not be looked at: it declares nothing to") for text in texts)
    assert report["healthy"] is not named
    assert report["hosts"]["controller"] == "localhost"


def test_a_controller_that_is_listed_for_its_variables_is_a_note() -> None:
    listed = {"inventory_hostname": "localhost", "groups": {"all": ["localhost"]}, "vault_transit_vars_files": []}
    report = status([key()], [{**listed, "vault_transit_seen_here": {"ciphertexts": []}}], 90)
    [problem] = report["problems"]
    assert problem["severity"] == "note"
    assert problem["text"].startswith("Not searched: localhost (it is in the inventory and")
    assert report["healthy"]


def controller(*, files: tuple[str, ...] = (), rows: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """What is elsewhere in the project: encrypted vars files of keys, and ciphertexts in other files."""
    unread = [
        {"path": f"/p/{name}.yml", "reason": "why", "kind": "undeclared", "backend": "transit", "key": name}
        for name in files
    ]
    return {
        "inventory_hostname": "localhost",
        "vault_transit_seen_here": {"ciphertexts": []},
        "vault_transit_project": {"unread": unread},
        "vault_transit_seen_elsewhere": {
            "ciphertexts": [{"path": "/p/a.txt", "line": 1, "version": 1, **one} for one in rows]
        },
    }


OURS: dict[str, Any] = {"backend": "transit", "key": "ml", "state": "behind"}
NOBODYS: dict[str, Any] = {"backend": "", "key": "", "state": "unknown"}


@pytest.mark.parametrize(
    ("there", "hosts", "severity", "path"),
    [
        (controller(files=("ml",)), [host(2)], "warning", "/p/ml.yml"),
        (controller(rows=(OURS, OURS)), [host(2)], "warning", "/p/a.txt"),
        (controller(rows=(NOBODYS,)), [host(2)], "note", "/p/a.txt"),
        # A key that nothing here uses is that of another project.
        (controller(files=("ml",)), [], "note", "/p/ml.yml"),
        (controller(rows=(OURS,)), [], "note", "/p/a.txt"),
    ],
)
def test_what_keeps_the_floor_elsewhere_in_the_project_is_named(
    there: dict[str, Any], hosts: list[dict[str, Any]], severity: str, path: str
) -> None:
    """It blocks a rotation, so status does not say that the floor can be raised."""
    report = status([key(2)], [there, *hosts], 90)
    assert [(one["severity"], path in one["text"]) for one in report["problems"]] == [(severity, True)]
    assert [one["path"] for one in report["not_searched"]] == [path]
    assert report["healthy"] is (severity == "note")


@pytest.mark.parametrize("there", [controller(files=("other",)), controller(rows=({**OURS, "state": "foreign"},))])
def test_what_is_proven_to_be_of_other_keys_elsewhere_is_of_no_concern(there: dict[str, Any]) -> None:
    report = status([key(2)], [there, host(2)], 90)
    assert ["Raise it" in one["text"] for one in report["problems"]] == [True]
    assert report["not_searched"] == []


def test_the_floor_is_not_to_be_raised_beside_ciphertexts_of_no_known_key() -> None:
    report = status([key(2)], [host(2), host(1, name="b", **NOBODYS)], 90)
    assert ["Raise it" in one["text"] for one in report["problems"]] == [False]


def test_no_age_is_too_old_where_none_is_given() -> None:
    assert status([key(age=10 * LIMIT)], [], 0)["healthy"]


@pytest.mark.parametrize(
    ("info", "hosts", "expected"),
    [
        (key(), [host(1)], []),
        (key(2), [host(1, 2)], ["warning"]),
        # The floor may be raised when nothing is behind, and all has been seen.
        (key(2), [host(2)], ["note"]),
        (key(2), [], []),
        (key(2), [host(2), {"inventory_hostname": "b", "vault_transit_host_paths": ["/x"]}], ["note"]),
        (
            key(2),
            [
                host(2),
                {"inventory_hostname": "b", "vault_transit_host_paths": ["/x"], "vault_transit_seen": {"failed": True}},
            ],
            ["error"],
        ),
        (key(2), [host(2), {"inventory_hostname": "b"}], ["error"]),
        (key(2), [host(2), {"inventory_hostname": "b", "vault_transit_limit": "a"}], ["note"]),
        (key(2), [host(2), {"inventory_hostname": "b", "vault_transit_host_paths": []}], ["note"]),
        (key(2), [host(2), {"inventory_hostname": "b", "vault_transit_hosts": "a"}], ["note"]),
        (key(2), [host(2), {"inventory_hostname": "localhost", "vault_transit_seen_here": {"files": 1}}], ["note"]),
        (key(2), [host(2), {"inventory_hostname": "b", "vault_transit_hosts": "all", "ansible_limit": "a"}], ["note"]),
        (key(2), [host(2), {"inventory_hostname": "b", "vault_transit_host_paths": False}], ["error"]),
        (key(2), [host(2), {"inventory_hostname": "b", "vault_transit_host_vars_files": ["/x"]}], ["error"]),
        (key(2), [host(2, name="b") | {"vault_transit_hosts_paths": ["/x"]}], ["error"]),
        (key(3, floor=2), [host(1, 2, 3)], ["error", "warning"]),
        (key(exportable=True, deletion_allowed=True, allow_plaintext_backup=True), [], ["note"] * 3),
        (key(), [host(1, backend="", key="", state="foreign")], ["note"]),
        (key(), [host(1, backend="", key="", state="too old")], ["warning"]),
    ],
)
def test_how_much_is_wrong(info: dict[str, Any], hosts: list[dict[str, Any]], expected: list[str]) -> None:
    assert [problem["severity"] for problem in status([info], hosts, LIMIT)["problems"]] == expected


def test_versions_show_how_many_ciphertexts_they_have() -> None:
    report = status([key(3, floor=2, age=DAY, period=30 * DAY)], [host(1, 1, 3), host(2, name="b")], LIMIT)
    assert [(one["version"], one["ciphertexts"], one["state"]) for one in report["keys"][0]["versions"]] == [
        (1, 2, "too old"),
        (2, 1, "behind"),
        (3, 1, "current"),
    ]
    assert report["summary"][0] == (
        "transit/ml: v3, 1 d old, floor v2, rotated every 30 d; ciphertexts: 2 at v1, 1 at v2, 1 at v3"
    )
    assert report["problems"][0]["text"] == (
        "transit/ml: 2 ciphertexts are below the floor v2, which nobody can decrypt: a:/x:1, a:/x:2."
    )


def test_of_many_places_a_few_are_listed() -> None:
    text = status([key(2)], [host(*[1] * 7)], LIMIT)["problems"][0]["text"]
    assert text.startswith("transit/ml: 7 ciphertexts on 1 host still use v1: a:/x:1, a:/x:2 and 5 more.")


def test_a_warning_names_versions_and_hosts_and_the_command_to_run() -> None:
    (found,) = status([key(3)], [host(1, 2, 3), host(1, name="b")], LIMIT)["problems"]
    assert found["text"] == (
        "transit/ml: 3 ciphertexts on 2 hosts still use v1 and v2: a:/x:1, b:/x:1 and 1 more. "
        "The latest is v3. Run: mlkeys rotate --key transit/ml"
    )
    (found,) = status([key(2)], [host(1)], LIMIT, rotate="mlkeys rotate -i 'my hosts.yml'")["problems"]
    assert found["text"].endswith("Run: mlkeys rotate -i 'my hosts.yml' --key transit/ml")
    assert "1 ciphertext on 1 host still uses v1: a:/x:1." in status([key(2)], [host(1)], LIMIT)["problems"][0]["text"]


def test_the_controller_has_its_vars_files_and_may_hold_more() -> None:
    rows = [host(1, path=path)["vault_transit_seen"]["ciphertexts"] for path in ("/vars", "/outputs")]
    controller = {
        "inventory_hostname": "localhost",
        "vault_transit_host_paths": ["/outputs"],
        "vault_transit_seen_here": {"ciphertexts": rows[0]},
    }
    report = status([key()], [controller], LIMIT)
    assert report["hosts"]["missing"] == {"localhost": "left out of this run"}
    report = status([key()], [{**controller, "vault_transit_seen": {"ciphertexts": rows[1]}}], LIMIT)
    assert [row["path"] for row in report["ciphertexts"]] == ["/vars", "/outputs"]
    assert report["hosts"]["missing"] == {}


@pytest.mark.parametrize("more", [{}, {"vault_transit_host_paths": ["/x"], **host()}], ids=["files", "paths"])
def test_the_controller_is_named_apart_from_hosts(more: dict[str, Any]) -> None:
    rows = host(1)["vault_transit_seen"]
    here = {**more, "inventory_hostname": "localhost", "vault_transit_seen_here": rows}
    alone = status([key(2)], [here], LIMIT)
    named = {"controller": "localhost", "missing": {}}
    assert alone["hosts"] == {**named, "seen": [], "looked_at": "the controller"}
    assert alone["problems"][0]["text"].startswith("transit/ml: 1 ciphertext on the controller still uses v1: ")
    report = status([key(2)], [here, host(1), host(1, name="b"), host(2, name="c")], LIMIT)
    assert report["hosts"] == {**named, "seen": ["a", "b", "c"], "looked_at": "3 hosts and the controller"}
    assert " 3 ciphertexts on 2 hosts and the controller still use v1: " in report["problems"][0]["text"]
    only_there = status([key(2)], [{**here, "vault_transit_seen_here": {"ciphertexts": []}}, host(1)], LIMIT)
    assert " 1 ciphertext on 1 host still uses v1: " in only_there["problems"][0]["text"]


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({}, "left out of this run"),
        ({"unreachable": True}, "unreachable"),
        ({"failed": True, "msg": "paths: /x does not exist."}, "failed: paths: /x does not exist"),
    ],
)
def test_a_host_that_was_not_looked_at_has_a_reason(info: dict[str, Any], reason: str) -> None:
    variables = {"inventory_hostname": "a", "vault_transit_host_paths": ["/x"], "vault_transit_seen": info}
    assert status([], [variables], LIMIT)["hosts"]["missing"] == {"a": reason}


@pytest.mark.parametrize(
    ("expires", "severity", "text"),
    [
        ("2026-01-15T00:00:00Z", "warning", "a: the secret ID of gw ends in 14 d (2026-01-15T00:00:00Z)"),
        ("2026-01-01T02:00:00.5Z", "warning", "a: the secret ID of gw ends in 2 h (2026-01-01T02:00:00.5Z)"),
        ("2025-12-31T00:00:00Z", "error", "a: the secret ID of gw has ended (2025-12-31T00:00:00Z)"),
    ],
)
def test_a_secret_id_that_ends_soon_is_named_before_it_does(expires: str, severity: str, text: str) -> None:
    report = status([key()], [running(expires)], LIMIT, NOW)
    [problem] = report["problems"]
    assert problem["severity"] == severity
    assert problem["text"].startswith(text)
    assert problem["text"].endswith(
        " Replace it: ansible-playbook -i x site -e vault_transit_host_secret_id_max_age=1s"
    )
    assert not report["healthy"]
    row = {"host": "a", "service": "gw", "versions": [1], "runs": True, "login_expires": expires}
    assert report["services"] == [row]


@pytest.mark.parametrize("expires", ["2026-01-15T00:00:01Z", "0001-01-01T00:00:00Z", "someday", ""])
def test_a_secret_id_that_ends_later_or_never_is_not_named(expires: str) -> None:
    assert status([key()], [running(expires)], LIMIT, NOW)["healthy"]


def test_a_host_whose_services_do_not_answer_is_named() -> None:
    silent = {**running(""), "vault_transit_host_running": {"unreachable": True}}
    [problem] = status([key()], [silent], LIMIT)["problems"]
    assert problem == {"severity": "error", "text": "a could not be looked at: its services did not answer."}


@pytest.mark.parametrize(
    ("lines", "does"),
    [
        (["gone undeclared runs"], "runs with its secrets"),
        # It has noted the versions that it is about to start with.
        (["gone undeclared waits", "gone known yes", "gone waits yes", "gone version 1"], "waits for its secrets"),
    ],
)
def test_a_service_that_nothing_describes_is_named_as_what_it_does(lines: list[str], does: str) -> None:
    [problem] = status([key()], [looked(lines)], LIMIT, NOW)["problems"]
    assert problem["severity"] == "warning"
    assert problem["text"] == (
        f"a: gone {does}, but vault_transit_host_services does not have it. Describe it there, with "
        "state: absent if it has to go, and run ansible-playbook -i x site."
    )


# The first second of 2026.
NOW = Logins(now=1767225600.0, within=14 * DAY, site="ansible-playbook -i x site")


def running(expires: str) -> dict[str, Any]:
    lines = ["gw known yes", "gw runs yes", "gw started yes", "gw version 1", f"gw expires {expires}"]
    return looked(lines)


def looked(lines: list[str]) -> dict[str, Any]:
    return {**host(), "vault_transit_host_running": {"stdout_lines": lines}}


@pytest.mark.parametrize(
    ("lines", "severity", "text"),
    [
        (["gw known yes", "gw started yes"], "error", "a: gw does not run, or waits for its secrets. See its log."),
        (["gw known yes", "gw runs yes"], "warning", "a: gw runs, but what was deployed last did not come up."),
    ],
)
def test_a_service_that_is_down_or_whose_last_start_failed_is_named(lines: list[str], severity: str, text: str) -> None:
    report = status([key()], [looked(lines)], LIMIT, NOW)
    [problem] = report["problems"]
    assert problem["severity"] == severity
    assert problem["text"].startswith(text)
    assert not report["healthy"]


def test_what_a_key_only_calls_too_old_is_blamed_on_no_key() -> None:
    """It says so of each ciphertext below its floor, also of those of other keys."""
    report = status([key(2, 2)], [host(1, state="too old")], LIMIT)
    [row] = report["ciphertexts"]
    assert (row["state"], row["backend"], row["key"]) == ("unknown", "", "")
    assert not any("below the floor" in problem["text"] for problem in report["problems"])
