# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines when others act at the same moment, and when a step fails: what no real server does on demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    ChangeImpossible,
    InvalidOption,
    PermissionDenied,
    ServerError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.context import (
    RunContext,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._run.outcome import (
    Outcome,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._attributes.mount import MOUNT_ATTRIBUTES
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.backend import (
    reconcile_backend,
)

from tests.unit.stand_in import Script, refusal

MOUNT: dict[str, Any] = {
    "type": "transit",
    "description": "",
    "config": {"default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": False},
}

MOUNT_OPTIONS: dict[str, Any] = {
    **{attribute.name: None for attribute in MOUNT_ATTRIBUTES},
    "path": "transit",
    "state": "present",
    "force": False,
    "cache_size": None,
    "disable_upsert": None,
}

SYS = "sys/mounts/transit"


def run_mount(script: Script, options: Mapping[str, Any], *, dry_run: bool = False) -> Outcome:
    return reconcile_backend(script, options, RunContext(dry_run, 0.0))


def mount(**options: object) -> dict[str, Any]:
    return {**MOUNT_OPTIONS, **options}


def no_mount() -> ServerError:
    return refusal("GET", SYS, 400, "No secret engine mount at transit/")


def in_use() -> ServerError:
    return refusal("POST", SYS, 400, "path is already in use at transit/")


def test_an_engine_that_somebody_else_enabled_in_the_same_moment_is_tuned() -> None:
    script = Script(
        (f"GET {SYS}", no_mount()),
        (f"POST {SYS}", in_use()),
        (f"GET {SYS}", MOUNT),
        ("GET transit/config/keys", {"disable_upsert": False}),
        (f"POST {SYS}/tune", None),
        ("POST transit/config/keys", {"disable_upsert": True}),
    )
    outcome = run_mount(script, mount(description="ours", disable_upsert=True))
    assert outcome.changed
    assert script.bodies[4:] == [{"description": "ours"}, {"disable_upsert": True}]
    assert not script.exchanges


def test_an_engine_of_another_type_enabled_in_the_same_moment_is_refused() -> None:
    script = Script((f"GET {SYS}", no_mount()), (f"POST {SYS}", in_use()), (f"GET {SYS}", {**MOUNT, "type": "kv"}))
    with pytest.raises(ChangeImpossible, match="an engine of type 'kv' is mounted there"):
        run_mount(script, mount())


def test_an_engine_within_another_is_refused() -> None:
    script = Script((f"GET {SYS}", no_mount()), (f"POST {SYS}", in_use()), (f"GET {SYS}", no_mount()))
    with pytest.raises(ChangeImpossible, match="engines do not nest"):
        run_mount(script, mount())


def test_a_step_that_fails_after_the_engine_was_enabled() -> None:
    script = Script(
        (f"GET {SYS}", no_mount()),
        (f"POST {SYS}", None),
        (
            "POST transit/config/keys",
            refusal("POST", "transit/config/keys", 403, "1 error occurred:\n\t* permission denied"),
        ),
    )
    with pytest.raises(PermissionDenied) as error:
        run_mount(script, mount(disable_upsert=True))
    assert error.value.changed
    assert error.value.message.endswith(" Already done: the engine was enabled.")


@pytest.mark.parametrize("path", ["", "/", "//"])
def test_an_engine_needs_a_path(path: str) -> None:
    with pytest.raises(InvalidOption, match=r"^path must not be empty\.$"):
        run_mount(Script(), mount(path=path))


def test_all_invalid_durations_are_named_before_the_server_is_asked() -> None:
    with pytest.raises(InvalidOption) as error:
        run_mount(Script(), mount(default_lease_ttl="soon", max_lease_ttl="-1"))
    assert error.value.message == (
        "default_lease_ttl: 'soon' is not a duration: write for example 30d, 720h, 1h30m or a number of seconds; "
        "max_lease_ttl: '-1' is not a duration: write for example 30d, 720h, 1h30m or a number of seconds."
    )


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_only_reads(state: str) -> None:
    engine: list[tuple[str, Mapping[str, Any]]] = [(f"GET {SYS}", MOUNT)]
    if state == "absent":
        engine.append(("LIST transit/keys", {"keys": []}))
    script = Script(*engine)
    run_mount(script, mount(state=state, description="new"), dry_run=True)
    assert script.written == []
