# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Reads generated text back as its tools do."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible import template
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.unsafe_proxy import wrap_var

# Ansible marks text of trusted files as templates; before 2.19 every text could be one.
_trusted: Callable[[str], str] = getattr(template, "trust_as_template", str)


def ansible(text: str) -> Any:
    """Return a YAML file as Ansible loads and templates it."""
    return Templar(DataLoader(), variables={"reference": "VALUE"}).template(
        DataLoader().load(_trusted(text), "/generated.yml")
    )


def ansible_template(text: str, **variables: str) -> str:
    """Return a template file as the module `template` renders it."""
    before_trust = not hasattr(template, "trust_as_template")
    # Before 2.19, what comes from the lookup and the vars plugin is marked, since every other text could be a template.
    values = {name: wrap_var(value) if before_trust else value for name, value in variables.items()}
    templar = Templar(DataLoader(), variables={"reference": "VALUE", **values})
    # There, text that looks like data became data by default.
    as_text: dict[str, Any] = {"convert_data": False} if before_trust else {}
    return str(templar.template(_trusted(text), preserve_trailing_newlines=True, escape_backslashes=False, **as_text))


def terraform_template(text: str) -> str:
    """Evaluate a Terraform template, which must not hold any code but `var.reference`, by its specification."""
    done, rest = "", text
    while rest:
        if rest.startswith(("$${", "%%{")):
            done, rest = done + rest[1:3], rest[3:]
        elif rest.startswith("${"):
            code, closed, rest = rest[2:].partition("}")
            if not closed or not (code == "var.reference" or _is_dollars(code)):
                raise ValueError(f"code in a text: {code!r}")
            done += "VALUE" if code == "var.reference" else json.loads(code)
        elif rest.startswith("%{"):
            raise ValueError("a directive in a text")
        else:
            done, rest = done + rest[0], rest[1:]
    return done


def _is_dollars(code: str) -> bool:
    return code.startswith('"') and set(code[1:-1]) == {"$"}


def by_specification(templates: Sequence[str]) -> list[str]:
    return [terraform_template(text) for text in templates]


def by_terraform(templates: Sequence[str]) -> list[str]:
    """Evaluate templates with Terraform, which needs no provider for outputs."""
    configuration = {
        "variable": {"reference": {"default": "VALUE"}},
        "output": {f"o{number}": {"value": text} for number, text in enumerate(templates)},
    }
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "main.tf.json").write_text(json.dumps(configuration), encoding="utf-8")
        for arguments in (["apply", "-auto-approve"], ["output", "-json"]):
            run = subprocess.run(["terraform", *arguments], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S607
    outputs = json.loads(run.stdout)
    return [outputs[f"o{number}"]["value"] for number in range(len(templates))]


#: Readers of Terraform templates: the real one where it is installed.
TERRAFORM_READERS: list[Callable[[Sequence[str]], list[str]]] = [
    by_specification,
    *([by_terraform] if shutil.which("terraform") else []),
]
