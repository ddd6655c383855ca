# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Find the explanation of an error message that a user pastes into the search box.

The search of the site looks for pages that have every word. A message has paths and names of the user, which no page
has.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

PAGE, SCRIPT = "troubleshooting", "messages.js"


def name_messages(app: Sphinx, page: nodes.document) -> None:
    """Give the messages addresses."""
    if app.env.docname == PAGE:
        for number, quoted in enumerate(page.findall(nodes.block_quote), start=1):
            quoted["ids"].append(f"message-{number}")


def write_messages(app: Sphinx, problem: Exception | None) -> None:
    """Write the messages where the script of the search page reads them."""
    if problem is not None or app.builder.name != "html":
        return
    quoted = app.env.get_doctree(PAGE).findall(nodes.block_quote)
    messages = [[one.astext(), f"{app.builder.get_target_uri(PAGE)}#{one['ids'][-1]}"] for one in quoted]
    script = Path(app.outdir, "_static", SCRIPT)
    code = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    script.write_text(f"const MESSAGES = {json.dumps(messages)};\n{code}", encoding="utf-8")


def add_script(app: Sphinx, name: str, _template: str, _context: object, _page: object) -> None:
    """Load the script on the search page."""
    if name == "search":
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension. Sphinx calls it."""
    app.connect("doctree-read", name_messages)
    app.connect("html-page-context", add_script)
    # The theme copies its files first.
    app.connect("build-finished", write_messages)
    return {"parallel_read_safe": True}
