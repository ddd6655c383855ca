# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Diagrams of a picture: Mermaid text, and SVG with a column for each kind of box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import ModuleType

from mlkeys._analysis.columns import HEIGHT as _HEIGHT
from mlkeys._analysis.columns import heights
from mlkeys._analysis.picture import COLUMNS, Box, Picture
from mlkeys._analysis.view import View
from mlkeys._model.element import Element
from mlkeys._model.tree import Construct

#: In pixels.
_GAP, _MARGIN, _HEAD = 48, 16, 34
#: The width of a character of a name, and of a detail below it.
_CHARACTER, _SMALL = 7.9, 6.7
#: A picture is at most as wide as a small screen, as long as each text has this many characters. Few are longer.
_WIDEST, _SHORTEST, _LONGEST = 1280, 18, 32

#: By this, a file is known as a picture that the next one may replace.
_GENERATOR = "generator: mlkeys graph"

#: The top of the first box.
FIRST = _MARGIN + _HEAD

#: Fill and border of each kind, light and dark. The headings of the columns say the same in words.
_COLOURS = {
    "engine": ("#ede9fe", "#6d28d9", "#2e1065", "#a78bfa"),
    "key": ("#fef3c7", "#b45309", "#451a03", "#fbbf24"),
    "secret": ("#dcfce7", "#15803d", "#052e16", "#4ade80"),
    "role": ("#ffe4e6", "#be123c", "#4c0519", "#fb7185"),
    "file": ("#dbeafe", "#1d4ed8", "#172554", "#60a5fa"),
    "hosts": ("#f1f5f9", "#475569", "#1e293b", "#94a3b8"),
}

_LIGHT = (
    "svg{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:#fff}text{fill:#111827}"
    ".detail{fill:#4b5563;font-size:11px}.heading{font-weight:600}rect{stroke-width:1.5}"
    ".line{fill:none;stroke:#94a3b8;stroke-width:1.3}.line:hover{stroke:#111827;stroke-width:2.5}"
)
_DARK = "svg{background:#0d1117}text{fill:#f3f4f6}.detail{fill:#cbd5e1}.line{stroke:#64748b}.line:hover{stroke:#fff}"


def mermaid(drawn: Picture) -> str:
    """Return a Mermaid flowchart."""
    numbers = {one: f"n{number}" for number, one in enumerate(drawn.boxes)}
    lines = ["flowchart LR", f"  %% {_GENERATOR}"]
    for kind, heading in COLUMNS.items():
        if inside := [one for one, box in drawn.boxes.items() if box.kind == kind]:
            lines += [f'  subgraph {kind}s["{heading}"]', "    direction TB"]
            lines += [f"    {numbers[one]}{_mermaid_text(drawn.boxes[one])}:::{kind}" for one in inside]
            lines.append("  end")
    lines += [f"  {numbers[start]} -->|{escape(text)}| {numbers[end]}" for (start, end), text in drawn.lines.items()]
    for kind, (fill, border, _dark, _light) in _COLOURS.items():
        lines.append(f"  classDef {kind} fill:{fill},stroke:{border},color:#111827")
    return "\n".join(lines) + "\n"


def _mermaid_text(box: Box) -> str:
    # A quote would end the text, and Mermaid reads `#` as the start of an entity.
    return '["{}"]'.format("<br>".join(escape(text).replace("#", "#35;") for text in (box.name, box.detail) if text))


def data(view: View, drawn: Picture) -> dict[str, str | list[dict[str, str]]]:
    """Return the constructs, their references and the picture as plain data."""
    constructs = [construct for construct in view.app.node.walk() if construct.node.path]
    return {
        # It is the first of the sorted names.
        "_generator": "mlkeys graph",
        "constructs": [
            {"path": one.node.path, "kind": type(one).__name__, "at": one.node.location_text} for one in constructs
        ],
        "references": [
            {"from": source.node.path, "to": target.node.path}
            for source, target in dict.fromkeys(_references(view, constructs))
        ],
        "boxes": [
            {"id": one, "kind": box.kind, "name": box.name, "detail": box.detail, "path": box.path}
            for one, box in drawn.boxes.items()
        ],
        "lines": [{"from": start, "to": end, "meaning": text} for (start, end), text in drawn.lines.items()],
    }


def _references(view: View, constructs: Sequence[Construct]) -> Iterator[tuple[Construct, Construct]]:
    for construct in constructs:
        if isinstance(construct, Element):
            for needed in dict.fromkeys(view.references(construct)):
                if needed is not construct.node.scope:
                    yield construct, needed
        for dependency in construct.node.dependencies:
            if dependency.node.path:
                yield construct, dependency


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where boxes are and lines bend, in pixels.

    Attributes:
        left: left edges of columns.
        widths: of the boxes of columns.
        tops: top edges of boxes.
        bends: for a line that crosses columns, the column and height of each crossing.
        longest: how many characters of a text are shown. The whole text is its title.
    """

    left: Mapping[str, float]
    widths: Mapping[str, float]
    tops: Mapping[str, float]
    bends: Mapping[tuple[str, str], Sequence[tuple[str, float]]]
    longest: int

    @property
    def width(self) -> float:
        rights = [left + max(self.widths[kind], _heading_width(kind)) for kind, left in self.left.items()]
        return max(rights, default=0) + _MARGIN

    @property
    def height(self) -> float:
        return max(self.tops.values(), default=0) + _HEIGHT + _MARGIN


def svg(drawn: Picture, igraph: ModuleType) -> str:
    """Return an SVG image that follows the light or dark mode of its reader.

    Args:
        igraph: the library, which orders the boxes of each column so that few lines cross.
    """
    layout = _laid_out(drawn, igraph)
    width, height = f"{layout.width:.0f}", f"{layout.height:.0f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"',
        ' role="img" aria-label="What the program describes">',
        f"<!-- {_GENERATOR} -->",
        f"<style>{_style()}</style>",
    ]
    parts += [
        f'<text class="heading" x="{left:.0f}" y="{_MARGIN + 8}">{escape(COLUMNS[kind])}</text>'
        for kind, left in layout.left.items()
    ]
    parts += [_line(drawn, layout, ends) for ends in drawn.lines]
    parts += [_box(layout, one, box) for one, box in drawn.boxes.items()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _style() -> str:
    light, dark = _LIGHT, _DARK
    for kind, (fill, border, dark_fill, dark_border) in _COLOURS.items():
        light += f".{kind} rect{{fill:{fill};stroke:{border}}}"
        dark += f".{kind} rect{{fill:{dark_fill};stroke:{dark_border}}}"
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


def _box(layout: _Layout, one: str, box: Box) -> str:
    left, top, width = layout.left[box.kind], layout.tops[one], layout.widths[box.kind]
    rows = [("", box.name, 17), ("detail", box.detail, 33)] if box.detail else [("", box.name, 25)]
    texts = "".join(
        f'<text class="{kind}" x="{left + 10:.0f}" y="{top + down:.0f}">{escape(_short(text, layout.longest))}</text>'
        for kind, text, down in rows
    )
    title = " · ".join(text for text in (box.name, box.detail, box.path, ", ".join(box.names.values())) if text)
    return (
        f'<g class="box {box.kind}" data-id="{escape(one)}"><title>{escape(title)}</title>'
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{_HEIGHT}" rx="7"/>{texts}</g>'
    )


def _line(drawn: Picture, layout: _Layout, ends: tuple[str, str]) -> str:
    start, end = (drawn.boxes[one] for one in ends)
    here = (layout.left[start.kind] + layout.widths[start.kind], layout.tops[ends[0]] + _HEIGHT / 2)
    path = f"M{here[0]:.0f} {here[1]:.0f}"
    for kind, height in (*layout.bends.get(ends, ()), (end.kind, layout.tops[ends[1]] + _HEIGHT / 2)):
        there = (layout.left[kind], height)
        middle = (here[0] + there[0]) / 2
        path += f"C{middle:.0f} {here[1]:.0f} {middle:.0f} {there[1]:.0f} {there[0]:.0f} {there[1]:.0f}"
        here = there
        if kind != end.kind:
            here = (layout.left[kind] + layout.widths[kind], height)
            path += f"H{here[0]:.0f}"
    title = f"{start.name} {drawn.lines[ends]} {end.name}"
    return (
        f'<path class="line" data-from="{escape(ends[0])}" data-to="{escape(ends[1])}" d="{path}">'
        f"<title>{escape(title)}</title></path>"
    )


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _laid_out(drawn: Picture, igraph: ModuleType) -> _Layout:
    kinds = [kind for kind in COLUMNS if any(box.kind == kind for box in drawn.boxes.values())]
    tops, bends = heights(drawn, kinds, FIRST, igraph)
    for longest in range(_LONGEST, _SHORTEST - 1, -1):
        widths = {kind: _width(drawn, kind, longest) for kind in kinds}
        left, edge = {}, float(_MARGIN)
        for kind in kinds:
            left[kind] = edge
            edge += max(widths[kind], _heading_width(kind)) + _GAP
        layout = _Layout(left, widths, tops, bends, longest)
        if layout.width <= _WIDEST:
            break
    return layout


def _width(drawn: Picture, kind: str, longest: int) -> float:
    """The width of the boxes of a column."""
    texts = [
        len(_short(text, longest)) * character
        for box in drawn.boxes.values()
        if box.kind == kind
        for text, character in ((box.name, _CHARACTER), (box.detail, _SMALL))
    ]
    return max(texts) + 20


def _heading_width(kind: str) -> float:
    return len(COLUMNS[kind]) * _CHARACTER
