# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The page that `mlkeys graph --html` writes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import jinja2
import markupsafe

from mlkeys._analysis.diagram import FIRST, svg
from mlkeys._analysis.folding import MOST_BOXES
from mlkeys._analysis.picture import COLUMNS, Picture

_TEMPLATE = Path(__file__).parents[2] / "_pages" / "graph.html.j2"


def page(title: str, drawn: Picture, shown: Picture, igraph: ModuleType) -> str:
    """Return one self-contained HTML page.

    Args:
        drawn: what the tables list.
        shown: what the image shows, which may have several boxes in one.
        igraph: the library that lays it out.
    """
    number = {one: count for count, one in enumerate(drawn.boxes)}
    to: dict[str, list[int]] = {one: [] for one in drawn.boxes}
    following: dict[str, list[str]] = {one: [] for one in drawn.boxes}
    for (start, end), meaning in drawn.lines.items():
        to[start].append(number[end])
        following[start].append(f"{drawn.boxes[end].name} ({meaning})")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        image=markupsafe.Markup(svg(shown, igraph)),  # noqa: S704  every text of it is escaped
        columns=COLUMNS,
        boxes={kind: [(one, box) for one, box in drawn.boxes.items() if box.kind == kind] for kind in COLUMNS},
        following=following,
        number=number,
        to={one: " ".join(map(str, ends)) for one, ends in to.items()},
        place={one: shown.place_of(one) for one in drawn.boxes},
        first=FIRST,
        most=MOST_BOXES,
    )
