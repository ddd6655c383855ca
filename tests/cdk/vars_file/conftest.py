# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""A key on a real server, and `mlkeys import` with a token that may encrypt with it but not decrypt."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlkeys._cli import main
from tests.cdk.stores import KEY, make_key, token_for
from tests.cdk.vars_file.importing import ANTHROPIC, OPENAI, OTHER, TARGET
from tests.support.server import Bao


@pytest.fixture
def import_login(
    bao: Bao, mount: str, mint_token: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key, and a token that may encrypt with it but not decrypt."""
    make_key(bao, mount)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAO_ADDR", bao.addr)
    monkeypatch.setenv("BAO_TOKEN", token_for(mint_token, mount, "encrypt", "hmac", "verify"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.fixture
def importing(mount: str, import_login: None) -> Callable[..., Result]:
    def run(source: str, *arguments: str, status: int = 0, to: Path = TARGET) -> Result:
        """One run. Its output contains no secret."""
        where = [] if to.exists() else ["--key", KEY, "--backend", mount]
        done = CliRunner().invoke(main, ["import", source, *arguments, "--to", str(to), *where])
        assert done.exit_code == status, (done.output, done.exception)
        for secret in (OPENAI, ANTHROPIC, OTHER):
            assert secret not in done.output
        return done

    return run


@pytest.fixture
def recipient(monkeypatch: pytest.MonkeyPatch) -> str:
    identity = importlib.import_module("pyrage").x25519.Identity.generate()
    Path("age.txt").write_text(f"{identity}\n")
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(Path("age.txt").absolute()))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path("config").absolute()))
    return str(identity.to_public())
