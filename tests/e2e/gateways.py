# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the LLM gateway example, and parsers for its files."""

from __future__ import annotations

import base64
import contextlib
import re
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

from tests.support.collection import ROOT
from tests.support.server import Bao

KEY = "ml-api-key"
GATEWAYS = ("gateway-a", "gateway-b", "gateway-c")

# Values that reveal errors in quoting, templating and encoding.
PROVIDER_KEYS = {
    "OPENAI_API_KEY": 'sk-canary-openai-Qz7\'"quoted" & +/=',
    "ANTHROPIC_API_KEY": "sk-ant-canary-Wx4{{ 7 * 7 }}{% raw %}",
    "GEMINI_API_KEY": "AIza-canary-Ve9-é-ü-Ω-not-ascii",
    "MISTRAL_API_KEY": "canary-mistral-Ut3\\back\\slash $HOME ${HOME}",
    "HF_TOKEN": "hf_canary_Sr8: # not a comment",
    "LITELLM_MASTER_KEY": "sk-canary-master-Rp2%20percent",
}

_CIPHERTEXT = re.compile(r"vault:v(\d+):[A-Za-z0-9+/]+=*")


def copy_of_example(work: Path) -> Path:
    """Copy the example and return the path of its inventory."""
    shutil.copytree(ROOT / "examples/llm_gateway", work)
    return work / "inventory.yml"


def server_environment(bao: Bao) -> dict[str, str]:
    return {"BAO_ADDR": bao.addr, "BAO_TOKEN": bao.token, **PROVIDER_KEYS}


@contextlib.contextmanager
def free_engine_path(bao: Bao) -> Iterator[str]:
    """A path without an engine. An engine that is there at the end of the block is removed."""
    path = f"gateways-{secrets.token_hex(4)}"
    try:
        yield path
    finally:
        bao.done("DELETE", f"sys/mounts/{path}")


def changes(output: str) -> list[str]:
    """All changes that a run reports, sorted, with one line for each item of a loop."""
    return sorted(line for line in output.splitlines() if line.startswith("changed: "))


def host_files(work: Path) -> dict[str, str]:
    """The text of every file on the gateways, by its path below the work folder."""
    paths = sorted(path for path in (work / "hosts").rglob("*") if path.is_file())
    return {str(path.relative_to(work)): path.read_text(encoding="utf-8") for path in paths}


def versions(text: str) -> set[int]:
    return {int(number) for number in _CIPHERTEXT.findall(text)}


def without_ciphertext(files: Mapping[str, str]) -> dict[str, str]:
    return {path: _CIPHERTEXT.sub("CIPHERTEXT", text) for path, text in files.items()}


def decrypted(bao: Bao, engine: str, ciphertext: str, context: str) -> str:
    """The plaintext of a ciphertext, from the server and not from the code under test."""
    answer = bao.done(
        "POST",
        f"{engine}/decrypt/{KEY}",
        {"ciphertext": ciphertext, "context": base64.b64encode(context.encode()).decode()},
    )
    return base64.b64decode(answer["data"]["plaintext"]).decode()


def ciphertexts_of(root: Path) -> dict[str, dict[str, str]]:
    """The ciphertexts of one gateway by file and variable, read with a parser for each format."""
    config: dict[str, Any] = yaml.safe_load((root / "etc/litellm/config.yaml").read_text(encoding="utf-8"))
    models = [model["litellm_params"]["api_key"] for model in config["model_list"]]
    names = ["openai_api_key", "anthropic_api_key", "gemini_api_key", "mistral_api_key", "hf_token"]
    dotenv = dotenv_values(root / "srv/assistant/.env")
    toml = tomllib.loads((root / "srv/assistant/settings.toml").read_text(encoding="utf-8"))
    return {
        "config.yaml": {
            **dict(zip(names, models, strict=True)),
            "litellm_master_key": config["general_settings"]["master_key"],
        },
        ".env": {name.lower(): dotenv[name] or "" for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN")},
        "settings.toml": {provider["context"]: provider["api_key"] for provider in toml["providers"].values()},
    }
