# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The page that `mlkeys status --html` writes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import jinja2

from mlkeys._commands.fleet.status_text import (
    FleetStatus,
    below,
    brief,
    common_folder,
    parts,
    place,
    short_hosts,
    shortened,
    worst,
)

_TEMPLATE = Path(__file__).parents[2] / "_pages" / "status.html.j2"


def page(fleets: Iterable[FleetStatus], now: datetime, project: Path) -> str:
    """One self-contained HTML page.

    Args:
        project: the folder that places on the controller are named from: the page may be passed on.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        fleets=[fleet.named_from(project) for fleet in fleets],
        now=now,
        place=place,
        shortened=shortened,
        worst=worst,
        common_folder=common_folder,
        below=below,
        parts=parts,
        brief=brief,
        short_hosts=short_hosts,
    )
