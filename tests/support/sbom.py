# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The bill of materials of a release, in the format CycloneDX: its artefacts, and what it was tested with.

It depends on nothing but its input, so that everyone can make the same one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.artefacts import artefacts

SBOM = "sbom.cdx.json"

_PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def bill(version: str, locked: str, project: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """The bill of materials.

    Args:
        locked: the text of a locked requirements file, with all that users install.
        project: the table `project` of pyproject.toml.
        files: the content of the artefacts by their names.
    """
    root = f"pkg:pypi/mlkeys@{version}"
    required = set(_names(project["dependencies"]))
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{number}",
            "name": name,
            "version": number,
            "purl": f"pkg:pypi/{name}@{number}",
            "scope": "required" if name in required else "optional",
        }
        for name, number in sorted(_PIN.findall(locked))
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "mlkeys",
                "version": version,
                "purl": root,
                "licenses": [{"expression": "BSD-2-Clause AND GPL-3.0-or-later"}],
                "components": [_file(name, content) for name, content in sorted(files.items())],
            }
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [one["bom-ref"] for one in components]}],
        # Which of the libraries needs which other one is not a part of it.
        "compositions": [{"aggregate": "incomplete", "dependencies": [root]}],
    }


def _file(name: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"type": "file", "bom-ref": name, "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}


def _names(requirements: Sequence[str]) -> Iterator[str]:
    for requirement in requirements:
        found = _NAME.match(requirement)
        if found:
            yield re.sub(r"[-_.]+", "-", found.group()).lower()


def main() -> None:
    """Write it into a folder with artefacts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("version")
    given = parser.parse_args()
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = Path("requirements/sbom.txt").read_text(encoding="utf-8")
    files = {path.name: path.read_bytes() for path in artefacts(given.folder)}
    text = json.dumps(bill(given.version, locked, project, files), indent=2)
    (given.folder / SBOM).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
