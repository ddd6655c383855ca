# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let Ansible find this checkout as the collection mlkeys.transit."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def collections_path() -> Path:
    """Return a folder for ANSIBLE_COLLECTIONS_PATH, with a link to the checkout under the name of the collection."""
    path = ROOT / ".cache" / "collections"
    link = path / "ansible_collections" / "mlkeys" / "transit"
    link.parent.mkdir(parents=True, exist_ok=True)
    # Several test processes can create it at the same time.
    with contextlib.suppress(FileExistsError):
        link.symlink_to("../../../..", target_is_directory=True)
    return path


def peers_path() -> Path:
    """Return a folder for ANSIBLE_COLLECTIONS_PATH with community.hashi_vault and ansible.posix."""
    path = ROOT / ".cache" / "peer-collections"
    for name in ("community/hashi_vault", "ansible/posix"):
        assert (path / "ansible_collections" / name).is_dir(), f"{name} is not installed: nox -s tests installs it"
    return path


def argument_spec(role: str) -> dict[str, Any]:
    """Return the variables of a role from its argument spec."""
    spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options: dict[str, Any] = spec["argument_specs"]["main"]["options"]
    return options
