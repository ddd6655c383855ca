# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of a run over many ciphertexts, which does not depend on how many there are."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._module import ciphertexts as _module_ciphertexts

from tests.integration.support.plays import encrypted, make_key
from tests.support.modules import by_action, run_module
from tests.support.server import Bao

AT_ONCE = 500
#: More than is in memory of a file at a time.
FEW, MANY = 4, 16


def peak_of(module: str, options: dict[str, Any]) -> int:
    """Bytes of objects of Python, at most at the same time."""
    gc.collect()
    tracemalloc.start()
    try:
        with by_action():
            result = run_module(module, options, diff=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not result.failed, result.msg
    return peak


def test_memory_is_flat(bao: Bao, mount: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_module_ciphertexts, "AT_ONCE", AT_ONCE)
    make_key(bao, mount, "ml", derived=False)
    # As many as the server takes at once.
    values = {f"key_{number}": f"sk-canary-{number}" for number in range(200)}
    texts = [text for _time in range(MANY * AT_ONCE // 200) for text in encrypted(bao, mount, values).values()]
    options = {**bao.login, "backend": mount, "key": "ml", "paths": [str(tmp_path)]}
    peaks: dict[str, list[int]] = {"vault_transit_ciphertext_info": [], "vault_transit_rewrap": []}
    # The first run of a process has the most to load.
    for count in (1, FEW, MANY):
        lines = [f"KEY='{text}'  # {'x' * 2000}\n" for text in texts[: count * AT_ONCE]]
        (tmp_path / "large.env").write_text("".join(lines), encoding="utf-8")
        bao.done("POST", f"{mount}/keys/ml/rotate")
        for module, own in (("vault_transit_ciphertext_info", {"states": ["unknown"]}), ("vault_transit_rewrap", {})):
            peaks[module].append(peak_of(module, {**options, **own}))
    for module, (_first, few, many) in peaks.items():
        assert many < 1.04 * few, f"{module}: {few:,} bytes, and {many:,} for {MANY // FEW} times as many ciphertexts"
