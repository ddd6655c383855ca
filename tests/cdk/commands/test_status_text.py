# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What `mlkeys status` says of ciphertexts below the floor, and of a playbook that failed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mlkeys._commands.fleet import status
from mlkeys._commands.fleet.status_rows import StatusRow, folded
from mlkeys._commands.fleet.status_text import FleetStatus, reason_in

KEY: dict[str, Any] = {
    "backend": "transit",
    "name": "ml",
    "type": "aes256-gcm96",
    "latest_version": 4,
    "min_decryption_version": 3,
    "min_available_version": 2,
    "age_seconds": 60,
    "auto_rotate_period": 0,
    "overdue": False,
    "versions": [
        {
            "version": 3,
            "age_seconds": 5 * 86400,
            "creation_time": "2026-05-28T09:00:00Z",
            "ciphertexts": 0,
            "state": "behind",
        }
    ],
}


def fleet(**changed: Any) -> FleetStatus:
    rows = [
        {"host": "a", "path": "/x", "line": 1, "backend": "transit", "key": "ml", "version": version, "state": state}
        for version, state in ((1, "too old"), (2, "too old"), (2, "too old"), (4, "current"))
    ]
    hosts = {"seen": ["a"], "controller": "localhost", "looked_at": "1 host and the controller", "missing": {}}
    report = {"keys": [KEY], "ciphertexts": rows, "problems": [], "hosts": hosts, "healthy": True, **changed}
    return FleetStatus("app", report)


def test_an_old_branch_is_shown_with_its_versions_since_when_and_the_remedy() -> None:
    [one] = fleet().too_old
    kept, destroyed = one.sentences
    assert "2 ciphertexts are at v2, below the floor v3, at the earliest since v3 was made 5 d ago" in kept
    assert "(at 2026-05-28T09:00:00Z)" in kept
    assert kept.endswith("mlkeys rotate --recover")
    assert "1 ciphertext is at v1" in destroyed
    assert destroyed.endswith(
        "Their versions are destroyed (trimmed): only a backup of the key, or the original secrets, can help."
    )
    assert "--recover" not in destroyed
    unknown = {name: value for name, value in KEY.items() if name != "min_available_version"}
    [either] = fleet(keys=[unknown]).too_old[0].sentences
    assert "--recover" in either
    assert "Once their versions are destroyed (trimmed), only a backup of the key" in either


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_table_fits_on_a_terminal_and_is_complete_elsewhere(*, is_terminal: bool) -> None:
    path = "/srv/applications/production/assistant/releases/2026-11-01/settings/.env"
    row = {"host": "gateway-a", "path": path, "line": 3, "secret": "openai_api_key", "backend": "transit", "key": "ml"}
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=80 if is_terminal else 500, color_system=None)
    one = fleet(ciphertexts=[{**row, "version": 2, "state": "behind"}])
    status._show_ciphertexts(one, console, every=False)
    if is_terminal:
        assert max(map(len, shown.getvalue().splitlines())) <= 80
        assert "/srv/…/settings/.env:3" in shown.getvalue()
    else:
        assert f"{path}:3" in shown.getvalue()
        assert "transit/ml" in shown.getvalue()


def test_files_of_the_controller_are_named_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"line": 3, "secret": "openai_api_key", "backend": "transit", "key": "ml", "version": 2, "state": "behind"}
    path = tmp_path / "group_vars/all/keys.transit.yml"
    rows = [{**row, "host": host, "path": str(path)} for host in ("localhost", "gateway-a")]
    problem = {"severity": "warning", "text": f"2 ciphertexts still use v1: localhost:{path}:3, gateway-a:{path}:3."}
    status._show([fleet(ciphertexts=rows, problems=[problem], healthy=False)], every=False, fail=True)
    shown = capsys.readouterr().out
    assert "localhost  group_vars/all/keys.transit.yml:3 " in shown
    assert f"localhost:group_vars/all/keys.transit.yml:3, gateway-a:{path}:3." in " ".join(shown.split())
    # A host has folders of its own.
    assert f"gateway-a  {path}:3" in shown


def test_no_name_is_broken_on_a_terminal_where_a_path_is_long() -> None:
    row = {"host": "localhost", "line": 3, "backend": "transit", "version": 2, "state": "behind"}
    rows = [
        {
            **row,
            "path": "/srv/project/inventory/group_vars/all/keys.transit.yml",
            "secret": "openai_api_key",
            "key": "ml-api-key",
        },
        {
            **row,
            "path": "/srv/project/inventory/group_vars/all/more.transit.yml",
            "secret": "hf_token",
            "key": "second-key",
        },
    ]
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=64, color_system=None)
    status._show_ciphertexts(fleet(ciphertexts=rows, keys=[KEY, KEY]), console, every=False)
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert ["transit/ml-api-key:"] in lines
    assert ["transit/second-key:"] in lines
    assert max(map(len, shown.getvalue().splitlines())) <= 64
    for name in ("/srv/…/all/", "keys.transit.yml:3", "more.transit.yml:3", "openai_api_key", "localhost", "behind"):
        assert any(name in line for line in lines), name


def test_hosts_of_one_domain_have_short_names_on_a_terminal() -> None:
    row = {"line": 3, "secret": "openai_api_key", "backend": "transit", "key": "ml", "version": 2, "state": "behind"}
    names = [f"gateway-{one}.eu-central-1.example.com" for one in "ab"]
    rows = [{**row, "host": host, "path": "/srv/assistant/.env"} for host in names]
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=80, color_system=None)
    status._show_ciphertexts(fleet(ciphertexts=rows), console, every=False)
    assert "Hosts of eu-central-1.example.com:" in shown.getvalue()
    assert "gateway-a  /srv/assistant/.env:3  openai_api_key" in shown.getvalue()


def test_many_ciphertexts_share_rows_on_a_terminal() -> None:
    base = {"backend": "transit", "key": "ml", "version": 1, "state": "behind"}
    rows = [
        {**base, "host": f"gw-{host:02}.prod.example.com", "path": path, "line": line, "secret": f"s{line}_api_key"}
        for host in range(24)
        for path in ("/etc/litellm/keys.env", "/etc/litellm/more.env", "/srv/assistant/releases/current/settings/.env")
        for line in range(1, 7)
    ]
    odd = {**base, "host": "odd", "path": "/a", "line": 3, "secret": "one", "version": 0, "state": "too old"}
    made = folded([*rows, odd])
    assert sum(row.ciphertexts for row in made) == len(rows) + 1
    assert made == [
        StatusRow("odd", "/a:3", "one", "transit/ml", 0, "too old", 1),
        StatusRow(
            "gw-00 and 23 more",
            "/etc/litellm/ (2 files)",
            "s1_api_key and 5 more",
            "transit/ml",
            1,
            "behind",
            288,
        ),
        StatusRow(
            "gw-00 and 23 more",
            "/srv/…/settings/.env",
            "s1_api_key and 5 more",
            "transit/ml",
            1,
            "behind",
            144,
        ),
    ]
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=80, color_system=None)
    status._show_ciphertexts(fleet(ciphertexts=[*rows, odd]), console, every=False)
    lines = shown.getvalue().splitlines()
    assert len(lines) < 20
    assert max(map(len, lines)) <= 80
    assert "gw-00 and 23 more" in " ".join(shown.getvalue().split()), "no name is broken"


@pytest.mark.parametrize("name", ["unread", "unknown"])
def test_what_was_not_read_or_not_identified_is_a_problem(name: str) -> None:
    assert fleet().healthy
    assert not fleet(**{name: [{"host": "a", "path": "/x"}]}).healthy


def test_the_last_line_claims_no_more_than_was_looked_at() -> None:
    packed = {"host": "a", "path": "/x.gz", "kind": "compressed"}
    pipe = {"host": "a", "path": "/pipe", "kind": "special"}
    hosts = {"seen": ["a"], "controller": "localhost", "looked_at": "1 host and the controller", "missing": {}}
    assert fleet(hosts=hosts, not_searched=[pipe]).verdict == "Nothing is overdue on 1 host and the controller."
    one = fleet(hosts=hosts, not_searched=[packed, pipe])
    assert one.healthy
    assert one.verdict == "Nothing is overdue on 1 host and the controller, but 1 place was not searched."
    assert fleet(hosts=hosts, not_searched=[packed] * 2).verdict.endswith("but 2 places were not searched.")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            'ok: [a]\nfatal: [localhost]: FAILED! => {"changed": false, "msg": "No \\"key\\" here."}\n\nPLAY RECAP',
            'No "key" here.',
        ),
        (
            "ERROR! the playbook: mlkeys.transit.status could not be found\n",
            "the playbook: mlkeys.transit.status could",
        ),
        ("[ERROR]: Unable to parse inventory.yml\nOrigin: x\n", "Unable to parse inventory.yml"),
        ("one\ntwo\n\n", "two"),
        ('fatal: [localhost]: FAILED! => {"msg": "not \\x of JSON"}', "not \\x of JSON"),
        ("", "printed nothing"),
    ],
)
def test_the_reason_of_a_failure_is_taken_from_its_output(output: str, reason: str) -> None:
    assert reason in reason_in(output)


def test_no_heading_of_the_keys_is_cut_off_at_80_columns() -> None:
    name = "ml-api-key-of-the-gateway"
    version = {**KEY["versions"][0], "ciphertexts": 3}
    written = io.StringIO()
    console = Console(file=written, width=80, force_terminal=True, color_system=None)
    status._show_keys(fleet(keys=[{**KEY, "name": name, "versions": [version]}]).keys, console)
    lines = written.getvalue().splitlines()
    assert any(line.startswith(f"transit/{name} ") for line in lines)
    assert "ciphertexts" in written.getvalue()
    assert "…" not in written.getvalue()
    assert max(map(len, lines)) <= 80
