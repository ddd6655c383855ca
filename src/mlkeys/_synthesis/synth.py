# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""From a tree to the contents of files. Reads no file, environment or clock: a program always gives the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlkeys._analysis.checks import problems_of, warnings_of, without_secrets
from mlkeys._analysis.view import View
from mlkeys._constructs.output import Output
from mlkeys._errors import AppInvalid, Problem
from mlkeys._model.aspects import visit_all
from mlkeys._model.marks import has_marks, readable
from mlkeys._model.stack import Root, Stack
from mlkeys._synthesis.tree_file import tree_of
from mlkeys._targets.checks import target_problems_of
from mlkeys._targets.json_text import json_text

MANIFEST = "manifest.json"
FORMAT = 1


class Synthesis(NamedTuple):
    """The result of synthesis.

    Attributes:
        files: contents of files by path, relative to the output folder.
        warnings: warnings that are not acknowledged.
    """

    files: Mapping[str, str]
    warnings: tuple[Problem, ...]


def synthesize(
    app: Root,
    *,
    sources: Mapping[str, str] | None = None,
    program_folder: str = "..",
    floors: Mapping[Stack, Mapping[str, int]] | None = None,
) -> Synthesis:
    """Validate an app and return its files.

    Args:
        sources: contents of the templates that the program names.
        program_folder: path from the output folder to the folder of the program.
        floors: what rotations raised `min_decryption_version` of keys to, as ENGINE/KEY, by stack.

    Raises:
        AppInvalid: with all problems of the app.
    """
    visit_all(app)
    app.node.lock()
    try:
        view = View(app)
        problems = problems_of(view) or target_problems_of(view, sources or {})
        if problems:
            raise AppInvalid(without_secrets(view, problems))
        return _rendered(view, sources or {}, program_folder, warnings_of(view, floors or {}))
    finally:
        app.node.unlock()


def _rendered(view: View, sources: Mapping[str, str], program_folder: str, warnings: tuple[Problem, ...]) -> Synthesis:
    files: dict[str, str] = {}
    addresses: dict[str, dict[str, str]] = {}
    stacks: dict[str, Any] = {}
    for stack in view.app.stacks:
        entry: dict[str, Any] = {"path": stack.node.path, "at": stack.node.location_text, "targets": {}}
        if stack.description:
            entry["description"] = stack.description
        if "ansible" in view.app.targets:
            folder = f"ansible/{stack.node.id}"
            # Importing a target takes longer than synthesis of a small app, so only the needed ones are imported.
            from mlkeys._targets.ansible.project import AnsibleProject  # noqa: PLC0415

            texts = AnsibleProject(view, stack, sources, f"../../{program_folder}").render()
            files |= {f"{folder}/{name}": text for name, text in texts.items()}
            entry["targets"]["ansible"] = {"folder": folder}
        if "terraform" in view.app.targets:
            folder = f"terraform/{stack.node.id}"
            from mlkeys._targets.terraform.stack import TerraformStack, text_of  # noqa: PLC0415

            target = TerraformStack(view, stack, f"../../{program_folder}")
            files[f"{folder}/cdk.tf.json"] = text_of(target.render())
            entry["targets"]["terraform"] = {"folder": folder, "omitted_outputs": sorted(target.omitted)}
            for path, address in target.addresses.items():
                addresses.setdefault(path, {})["terraform"] = address
        entry["outputs"] = _outputs(view, stack)
        entry["dependencies"] = sorted(other.node.id for other in view.needed_stacks(stack))
        stacks[stack.node.id] = entry
    _refuse_marks(view.app, files)
    files["tree.json"] = json_text({"version": "tree-0.1", "tree": tree_of(view.app, addresses)})
    manifest = {
        "format": FORMAT,
        "stacks": stacks,
        "notes": _notes(view.app),
        "warnings": [str(warning) for warning in warnings],
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())},
    }
    files[MANIFEST] = json_text(manifest)
    return Synthesis(files, warnings)


def _refuse_marks(app: Root, files: Mapping[str, str]) -> None:
    """Refuse files in which a reference stands where no target renders any."""
    if marked := [name for name, text in files.items() if has_marks(name) or has_marks(text)]:
        message = f"{', '.join(marked)}: a reference is where only text can be, such as a name in a dictionary"
        raise AppInvalid((Problem("", app.node.location_text, message),))


def _outputs(view: View, stack: Stack) -> dict[str, Any]:
    return {
        element.name: {
            "sensitive": element.sensitive,
            **({"description": element.description} if element.description else {}),
        }
        for element in view.of_kind(stack, Output)
    }


def _notes(app: Root) -> list[str]:
    return [
        f"[{construct.node.path}] {readable(construct, f'{text}')}"
        for construct in app.node.walk()
        for kind, text in construct.node.metadata
        if kind == "info"
    ]
