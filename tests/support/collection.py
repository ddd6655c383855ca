# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Ansible finds this checkout as the collection mlkeys.transit."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def collections_path() -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH that holds a link to the checkout under the collection's name."""
    path = ROOT / ".cache" / "collections"
    link = path / "ansible_collections" / "mlkeys" / "transit"
    link.parent.mkdir(parents=True, exist_ok=True)
    # Several test processes may make it at the same moment.
    with contextlib.suppress(FileExistsError):
        link.symlink_to("../../../..", target_is_directory=True)
    return path


def argument_spec(role: str) -> dict[str, Any]:
    """The variables of a role, as it says of itself."""
    spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options: dict[str, Any] = spec["argument_specs"]["main"]["options"]
    return options
