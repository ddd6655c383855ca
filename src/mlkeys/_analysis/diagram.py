# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Diagrams of the tree: constructs below one another, with arrows to what they refer to."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from mlkeys._analysis.view import View
from mlkeys._model.element import Element
from mlkeys._model.tree import Construct

_ROW, _INDENT, _HEIGHT, _CHARACTER, _MARGIN = 34, 28, 24, 7.2, 12


def mermaid(view: View) -> str:
    """Return a Mermaid flowchart."""
    numbers = {construct: f"n{number}" for number, construct in enumerate(_constructs(view))}
    lines = ["flowchart LR"]
    lines += [f'  {number}["{escape(_label(construct))}"]' for construct, number in numbers.items()]
    for construct, number in numbers.items():
        if construct.node.scope in numbers:
            lines.append(f"  {numbers[construct.node.scope]} --- {number}")
    lines += [f"  {numbers[source]} -.-> {numbers[target]}" for source, target in _arrows(view)]
    return "\n".join(lines) + "\n"


def data(view: View) -> dict[str, list[dict[str, str]]]:
    """Return the tree and its references as plain data."""
    return {
        "constructs": [
            {"path": one.node.path, "kind": type(one).__name__, "at": one.node.location_text}
            for one in _constructs(view)
        ],
        "references": [
            {"from": source.node.path, "to": target.node.path} for source, target in dict.fromkeys(_arrows(view))
        ],
    }


def svg(view: View) -> str:
    """Return an SVG image: a row for each construct, arrows on the right."""
    constructs = list(_constructs(view))
    rows = {construct: number for number, construct in enumerate(constructs)}
    edges = {construct: _MARGIN + (len(construct.node.scopes) - 2) * _INDENT for construct in constructs}
    widths = {construct: len(_label(construct)) * _CHARACTER + 16 for construct in constructs}
    right = max((edges[c] + widths[c] for c in constructs), default=0.0) + 20
    arrows = list(dict.fromkeys(_arrows(view)))
    width, height = right + 20 + len(arrows) * 8, len(constructs) * _ROW + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" font-family="monospace"',
        ' font-size="12">',
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">',
        '<path d="M0 0 8 4 0 8z" fill="#57606a"/></marker></defs>',
    ]
    for construct, row in rows.items():
        left, top = edges[construct], row * _ROW + _MARGIN
        scope = construct.node.scope
        if scope in rows:
            start = rows[scope] * _ROW + _MARGIN + _HEIGHT
            parts.append(
                f'<path d="M{edges[scope] + 8} {start}V{top + _HEIGHT // 2}H{left}" fill="none" stroke="#afb8c1"/>'
            )
        parts.append(
            f'<rect x="{left}" y="{top}" width="{widths[construct]:.0f}" height="{_HEIGHT}" rx="4" '
            'fill="#f6f8fa" stroke="#57606a"/>'
            f'<text x="{left + 8}" y="{top + 16}">{escape(_label(construct))}</text>'
        )
    for number, (source, target) in enumerate(arrows):
        lane = right + number * 8
        parts.append(
            f'<path d="M{edges[source] + widths[source]:.0f} {rows[source] * _ROW + _MARGIN + 8}H{lane:.0f}'
            f'V{rows[target] * _ROW + _MARGIN + 16}H{edges[target] + widths[target]:.0f}" fill="none" stroke="#57606a" '
            'stroke-dasharray="3 3" marker-end="url(#head)"/>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _constructs(view: View) -> Iterator[Construct]:
    return (construct for construct in view.app.node.walk() if construct.node.path)


def _label(construct: Construct) -> str:
    return f"{construct.node.id} ({type(construct).__name__})"


def _arrows(view: View) -> Iterator[tuple[Construct, Construct]]:
    for construct in _constructs(view):
        if isinstance(construct, Element):
            for needed in dict.fromkeys(view.references(construct)):
                if needed is not construct.node.scope:
                    yield construct, needed
        for dependency in construct.node.dependencies:
            if dependency.node.path:
                yield construct, dependency
