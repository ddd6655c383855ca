# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Small apps and their generated files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

import pytest
import yaml

from mlkeys import App, AppInvalid, Construct, Stack
from mlkeys import transit as vault
from mlkeys._constructs.key_resource import KeyChanges
from mlkeys._model.stack import TargetName
from mlkeys._synthesis.program import load
from mlkeys._synthesis.project import synthesize_for
from mlkeys._synthesis.synth import synthesize

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
#: Whole programs: those of the examples, one that has everything, and one with what Terraform cannot do.
PROGRAMS = {
    "seed": EXAMPLES / "seed" / "app.py",
    "seed-classes": EXAMPLES / "seed" / "classes.py",
    "llm-gateway": EXAMPLES / "llm_gateway" / "app.py",
    "multi-env": EXAMPLES / "multi_env" / "app.py",
    "everything": Path(__file__).parent / "everything.py",
    "own-keys": Path(__file__).parent / "own_keys.py",
}
#: Those with Terraform as a target.
WITH_TERRAFORM = sorted({*PROGRAMS} - {"own-keys"})

#: The environment variables from which the examples take their secrets.
SECRETS = (
    "ML_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "HF_TOKEN",
    "DEV_OPENAI_API_KEY", "STAGE_OPENAI_API_KEY", "PROD_OPENAI_API_KEY",
)  # fmt: skip


def stack(name: str = "s", *, targets: tuple[TargetName, ...] = ("ansible", "terraform")) -> Stack:
    """Return a stack of a new app."""
    return Stack(App(targets=targets), name)


def app_of(part: Stack) -> App:
    root = part.node.root
    assert isinstance(root, App)
    return root


def key_in(scope: Construct, id_: str = "key", **attributes: Unpack[KeyChanges]) -> vault.TransitSecretBackendKey:
    """Return a key in the engine `transit`."""
    return vault.TransitSecretBackendKey(scope, id_, backend="transit", name=id_, **attributes)


def files(part: Stack, sources: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the files of the app that the stack is in."""
    return synthesize(app_of(part), sources=sources).files


def files_of_program(name: str) -> Mapping[str, str]:
    """Return the files of one of `PROGRAMS`."""
    return synthesize_for(load(PROGRAMS[name]), PROGRAMS[name].parent / "mlkeys.out").files


def configurations(name: str) -> dict[str, dict[str, Any]]:
    """Return the Terraform configurations of one of `PROGRAMS`, by stack."""
    made = files_of_program(name)
    return {path.split("/")[1]: json.loads(text) for path, text in made.items() if path.endswith("/cdk.tf.json")}


def terraform(part: Stack) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files(part)[f"terraform/{part.node.id}/cdk.tf.json"])
    return loaded


class _Loader(yaml.SafeLoader):
    """Reads values with the tag `!unsafe` as text."""


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("!unsafe", _as_text)


def plays(part: Stack, name: str = "site.yml") -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.load(files(part)[f"ansible/{part.node.id}/{name}"], _Loader)  # noqa: S506
    return loaded


def tasks(part: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plays(part)[0]["tasks"]
    return found


def task_of(part: Stack, module: str) -> dict[str, Any]:
    """Return the options of the only task that uses a module."""
    (found,) = [task[module] for task in tasks(part) if module in task]
    assert isinstance(found, dict)
    return found


def problems(part: Stack) -> list[str]:
    """Return the problems of the app, which must have some."""
    with pytest.raises(AppInvalid) as refusal:
        files(part)
    return [str(problem) for problem in refusal.value.problems]
