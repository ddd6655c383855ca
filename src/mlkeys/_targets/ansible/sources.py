# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Templates that a program names. jinja2 parses them here, so that errors show before deployment."""

from __future__ import annotations

from collections.abc import Mapping


def problem_of_template(name: str, sources: Mapping[str, str]) -> str | None:
    """Return what is wrong with a template, None when nothing is."""
    text = sources.get(name)
    if text is None:
        return f"cannot read the template {name!r}: the path is relative to the folder of the program"
    # Only programs with templates need it, and importing it takes longer than all the rest.
    import jinja2  # noqa: PLC0415

    try:
        jinja2.Environment(autoescape=False).parse(text)  # noqa: S701  nothing is rendered
    except jinja2.TemplateSyntaxError as mistake:
        line, message = mistake.lineno, mistake.message
    else:
        return None
    return f"the template {name!r} has a syntax error in line {line}: {message}"
