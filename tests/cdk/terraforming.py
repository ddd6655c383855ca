# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The real Terraform with a stand-in provider of the real schema."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cdk.apps import ROOT, SECRETS

BINARY = shutil.which("terraform") or shutil.which("tofu")

NEEDS_BINARY = pytest.mark.skipif(
    BINARY is None, reason="neither terraform nor tofu is on PATH: install one to validate Terraform JSON by it"
)

PLAINTEXT = f"FAKE-{secrets.token_hex(8)}"


class Terraform:
    """The real program, attached to a stand-in provider."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        with (scratch / "asked").open("wb") as asked:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cdk.provider.stub"],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=asked,
            )
        while not self._lines():
            with pytest.raises(subprocess.TimeoutExpired):
                self._process.wait(0.02)
        # No settings of the user, and all secrets that the programs read.
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TF_")},
            **dict.fromkeys(SECRETS, PLAINTEXT),
            "TF_REATTACH_PROVIDERS": self._lines()[0],
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def _lines(self) -> list[str]:
        whole, _, _ = (self._scratch / "asked").read_text(encoding="utf-8").rpartition("\n")
        return whole.splitlines()

    def end(self) -> None:
        self._process.communicate(timeout=10)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests to the provider, in order."""
        return [json.loads(line) for line in self._lines()[1:]]

    def run(self, folder: Path, *arguments: str, status: int = 0, **variables: str) -> str:
        """Run Terraform, expect a status, and return the output."""
        given = {f"TF_VAR_{name}": value for name, value in variables.items()}
        run = subprocess.run(
            [str(BINARY), *arguments], cwd=folder, env={**self._environment, **given}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout

    def deploy(self, folder: Path, **variables: str) -> None:
        """Validate, plan into the file `plan`, and apply that."""
        for arguments in (["validate"], ["plan", "-input=false", "-out=plan"], ["apply", "-input=false", "plan"]):
            self.run(folder, *arguments, status=0, **variables)


def written(configuration: Mapping[str, Any], folder: Path) -> Path:
    folder.mkdir()
    (folder / "cdk.tf.json").write_text(json.dumps(configuration), encoding="utf-8")
    return folder


def kept(folder: Path) -> dict[str, bytes]:
    """Return all that Terraform wrote: its state, and the files of the plan."""
    with zipfile.ZipFile(folder / "plan") as plan:
        packed = {f"plan/{name}": plan.read(name) for name in plan.namelist()}
    return {**packed, **{path.name: path.read_bytes() for path in folder.glob("terraform.tfstate*")}}


def holders(folder: Path, text: str) -> set[str]:
    return {name for name, content in kept(folder).items() if text.encode() in content}
