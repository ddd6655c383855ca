# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook status: it reports the state of a fleet and changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.fleets import HOSTS, KEY, Fleet
from tests.integration.support.plays import encrypted, make_key
from tests.integration.support.runs import Ledger
from tests.support.server import Bao


def reported(fleet: Fleet, **options: Any) -> dict[str, Any]:
    fleet.run(playbook="status", **options)
    report: dict[str, Any] = json.loads(fleet.report.read_text(encoding="utf-8"))
    assert "vault:v" not in fleet.report.read_text(encoding="utf-8")
    assert fleet.report.stat().st_mode & 0o777 == 0o600
    return report


def used(report: dict[str, Any], key: str = KEY) -> dict[int, tuple[int, str]]:
    [described] = [one for one in report["keys"] if one["name"] == key]
    return {one["version"]: (one["ciphertexts"], one["state"]) for one in described["versions"]}


def test_each_ciphertext_of_the_fleet_is_reported_with_its_key_and_version(fleet: Fleet) -> None:
    ledger = Ledger(fleet.bao)
    report = reported(fleet)
    assert [
        path for operation, path in ledger.requests if operation not in ("read", "list") and "/rewrap/" not in path
    ] == []
    assert report["healthy"]
    looked_at = "2 hosts and the controller"
    assert report["hosts"] == {"seen": [*HOSTS], "controller": "localhost", "looked_at": looked_at, "missing": {}}
    # Two in the vars file, and two in each of four files.
    assert used(report) == {1: (10, "current")}
    places = [(row["host"], Path(row["path"]).name, row["line"], row["secret"]) for row in report["ciphertexts"]]
    assert ("gateway-b", "app.env", 2, "hf_token") in places
    assert len(set(places)) == 10


def test_outdated_lost_or_of_no_key_is_reported(bao: Bao, fleet: Fleet) -> None:
    make_key(bao, fleet.mount, "other")
    bao.done("POST", f"{fleet.mount}/keys/other/config", {"exportable": True})
    theirs = encrypted(bao, fleet.mount, {"x_api_key": "y"}, "other")["x_api_key"]
    fleet.files[0].write_text(f"X_API_KEY={theirs}\nY=vault:v1:{'A' * 60}\n", encoding="utf-8")
    bao.done("POST", f"{fleet.mount}/keys/{KEY}/rotate")
    report = reported(fleet, vault_transit_status_contexts=["x_api_key"])
    assert used(report) == {1: (8, "behind"), 2: (0, "current")}
    assert used(report, "other") == {1: (1, "current")}
    assert not report["healthy"]
    behind = (
        rf"{KEY}: 8 ciphertexts on \d hosts?(?: and the controller)? still use v1: .* and 6 more. The latest is v2. "
        rf"Run: mlkeys rotate -i \S+ --key \S+{KEY}$"
    )
    assert any(re.search(behind, one["text"]) for one in report["problems"] if one["severity"] == "warning")
    assert any("its key material can be read" in problem["text"] for problem in report["problems"])
    nobodys = [one["text"] for one in report["problems"] if "of no key that is known" in one["text"]]
    assert f"gateway-a:{fleet.files[0]}:2." in nobodys[0]
    bao.done("POST", f"{fleet.mount}/keys/{KEY}/config", {"min_decryption_version": 2})
    report = reported(fleet, vault_transit_status_contexts=["x_api_key"])
    # What nobody knows may be of another key.
    assert used(report) == {1: (8, "too old"), 2: (0, "current")}
    assert report["problems"][0]["severity"] == "error"
    assert "below the floor v2, which nobody can decrypt" in report["problems"][0]["text"]


def test_a_host_that_cannot_be_reached_is_named(fleet: Fleet) -> None:
    with fleet.without("gateway-b"):
        report = reported(fleet)
    assert (report["hosts"]["seen"], report["hosts"]["missing"]) == (["gateway-a"], {"gateway-b": "unreachable"})
    assert report["problems"][0] == {"severity": "error", "text": "gateway-b could not be looked at: unreachable."}


def test_a_token_that_lists_reads_and_rewraps_is_enough(fleet: Fleet, mint_token: Callable[[str], str]) -> None:
    policy = f"""
        path "{fleet.mount}/keys" {{ capabilities = ["list"] }}
        path "{fleet.mount}/keys/+" {{ capabilities = ["read"] }}
        path "{fleet.mount}/rewrap/+" {{ capabilities = ["update"] }}
    """
    assert reported(fleet, env={"BAO_TOKEN": mint_token(policy)})["healthy"]
