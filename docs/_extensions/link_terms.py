# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Link words of the glossary to it, where a page uses them first."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

GLOSSARY = "glossary"
#: Where a word of the glossary is not linked: it is a link already, code, or a heading.
NO_TERMS = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.rubric, nodes.term, pending_xref)
#: Words before a word of the glossary that give it another meaning.
OTHER_MEANINGS = ("service ", "service-", "API ", "private ", "public ", "primary ", "SSH ", "ssh-", "user ", "GPG ")


def name_terms(app: Sphinx, page: nodes.document) -> None:
    """Give the terms of the glossary addresses."""
    if app.env.docname == GLOSSARY:
        for term in page.findall(nodes.term):
            term["ids"].append(nodes.make_id(f"term-{term.astext()}"))


@functools.cache
def _terms(env: BuildEnvironment) -> Mapping[str, str]:
    """The addresses of the terms in the glossary, which is read once for all pages."""
    return {term.astext(): term["ids"][0] for term in env.get_doctree(GLOSSARY).findall(nodes.term)}


def link_terms(app: Sphinx, page: nodes.document, name: str) -> None:
    """Link words to the glossary where a page uses them first."""
    if name == GLOSSARY:
        return
    ids = dict(_terms(app.env))
    for text in list(page.findall(nodes.Text)):
        if ids and _is_prose(text):
            _link_in(text, ids, app.builder.get_relative_uri(name, GLOSSARY))


def _is_prose(text: nodes.Text) -> bool:
    parent = text.parent
    is_in_paragraph = False
    while parent is not None:
        if isinstance(parent, NO_TERMS) or "sd-card" in parent.get("classes", ()):
            return False
        is_in_paragraph |= isinstance(parent, nodes.paragraph)
        parent = parent.parent
    return is_in_paragraph


def _link_in(text: nodes.Text, ids: dict[str, str], glossary: str) -> None:
    """Link the terms of a text. Those that it links are taken out of the mapping."""
    before = "".join(f"(?<!{word})" for word in OTHER_MEANINGS)
    shown, parts, end = str(text), [], 0
    while ids:
        longest = "|".join(re.escape(term) for term in sorted(ids, key=len, reverse=True))
        found = re.compile(rf"(?<![\w-]){before}({longest})s?(?![\w-])", re.IGNORECASE).search(shown, end)
        if not found:
            break
        term = next(term for term in ids if term.lower() == found[1].lower())
        link = nodes.reference("", found[0], internal=True, refuri=f"{glossary}#{ids.pop(term)}", classes=["term"])
        parts += [nodes.Text(shown[end : found.start()]), link]
        end = found.end()
    if parts:
        text.parent.replace(text, [*parts, nodes.Text(shown[end:])])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension. Sphinx calls it."""
    app.connect("doctree-read", name_terms)
    app.connect("doctree-resolved", link_terms)
    return {"parallel_read_safe": True}
