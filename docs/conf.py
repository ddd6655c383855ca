# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Configure Sphinx. `make docs` runs antsibull-docs first, which writes the pages of the collection."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import metadata
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from click import Context
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from mlkeys._model.element import Resource

project = "mlkeys"
author = "mlkeys contributors"
project_copyright = f"2026 {author}"
version = release = version_of("mlkeys")

sys.path.insert(0, str(Path(__file__).with_name("_extensions")))

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_antsibull_ext",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxext.opengraph",
    "find_messages",
    "link_terms",
]
exclude_patterns = ["_build"]
nitpicky = True
# Signatures mention types of the standard library and private names, which have no page here.
nitpick_ignore_regex = [("py:.*", ".*")]
default_role = "code"
# Pygments does not know that a block of a policy can be in one line, and highlights it all the same.
suppress_warnings = ["misc.highlighting_failure"]
smartquotes = False  # it would merge the two dashes before an option

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Frameworks that the runtime has adapters for.
autodoc_mock_imports = ["litellm", "pydantic", "pydantic_settings"]
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100

#: Pages of plugins that the collection uses itself.
INTERNAL = (
    "connection_lookup",
    "host_files_filter",
    "host_grants_filter",
    "host_places_filter",
    "host_seen_filter",
    "host_services_filter",
    "report_callback",
    "rotation_account_filter",
    "status_filter",
    "vars_files_lookup",
)

# Cards of links in chats name absolute addresses. A host of documentation sets its own.
SITE = os.environ.get("READTHEDOCS_CANONICAL_URL") or next(
    address.partition(", ")[2] + "/"
    for address in metadata("mlkeys").get_all("Project-URL", [])
    if address.startswith("Homepage, ")
)
ogp_site_url = html_baseurl = SITE
ogp_image = f"{SITE}_static/card.png"
ogp_image_alt = "mlkeys: your API keys stay encrypted until the process that uses them starts"
ogp_enable_meta_description = True
ogp_social_cards = {"enable": False}

html_theme = "furo"
html_title = "mlkeys"
html_static_path = ["_static"]
html_extra_path = ["_static/robots.txt"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_use_index = True
pygments_style = "default"
pygments_dark_style = "github-dark"

# The pages of the collection refer to these pages of Ansible. To use its link index, a build would need the web.
ANSIBLE = "https://docs.ansible.com/ansible/latest/"
ANSIBLE_PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
BUILTIN = "ansible_collections.ansible.builtin."


def link_to_ansible(
    _app: Sphinx, _env: BuildEnvironment, wanted: pending_xref, shown: nodes.TextElement
) -> nodes.reference | None:
    """Return a link to Ansible's documentation, or None for other targets."""
    target = str(wanted.get("reftarget", ""))
    page = ANSIBLE_PAGES.get(target)
    if target.startswith(BUILTIN):
        page = f"collections/ansible/builtin/{target.removeprefix(BUILTIN)}.html"
    if page is None:
        return None
    return nodes.reference("", "", shown, internal=False, refuri=ANSIBLE + page)


def fit_in(app: Sphinx, page: nodes.document) -> None:
    """Adapt the pages of the collection: the theme has its own table of contents, and room only for short titles."""
    if app.env.docname.startswith("collection/"):
        for contents in list(page.findall(nodes.topic)):
            if "contents" in contents["classes"]:
                contents.parent.remove(contents)
        # Titles link back to it.
        for title in page.findall(nodes.title):
            title.attributes.pop("refid", None)
        # Menus use the first entry of the table of contents of a page.
        entry = next(app.env.tocs[app.env.docname].findall(nodes.reference))
        name = entry.astext().removeprefix("mlkeys.transit.").partition(" -- ")[0]
        entry.children = [nodes.Text(name)]


def show_help(_app: Sphinx, _context: Context, lines: list[str]) -> None:
    """Show help texts like a terminal: text after a \\b keeps its columns, and an asterisk is literal."""
    shown: list[str] = []
    columns = False
    for line in lines:
        if line.startswith("|") is not columns:
            columns = not columns
            shown += [".. code-block:: text", ""] if columns else [""]
        shown.append(f"   {line[2:]}" if columns else re.sub(r"(?<!\*)\*(?!\*)", r"\*", line))
    lines[:] = [*shown, ""]


class PlaybookHead(SphinxDirective):
    """Render the comments at the head of a playbook: text, and a list of variables."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        head = Path(path).read_text(encoding="utf-8").partition("\n\n")[2].partition("\n- name:")[0]
        lines: list[str] = []
        for line in head.replace("\n#\n", "\n\n").splitlines():
            if variable := re.fullmatch(r"#   (\w+) +(.+)", line):
                lines += ["", f"``{variable[1]}``", f"   {variable[2]}"]
            elif line.startswith("#    "):
                lines.append(f"   {line.removeprefix('#').strip()}")  # continues the description of the variable above
            else:
                lines.append(line.removeprefix("# "))
        return self.parse_text_to_nodes("\n".join(lines))


def list_attributes(_app: Sphinx, kind: str, _name: str, documented: object, _options: Any, lines: list[str]) -> None:
    """List the keywords of classes with a table of attributes, because their signatures do not show them."""
    if kind != "class" or not (isinstance(documented, type) and issubclass(documented, Resource)):
        return
    lines += ["", "Keywords:", ""]
    for attribute in documented.ATTRIBUTES.values():
        rules = [
            "required" if attribute.name in documented.REQUIRED else "",
            f"the server's default is ``{attribute.default}``" if attribute.default else "",
            "" if attribute.change == "at any time" else attribute.change,
            f"{attribute.server} only" if attribute.server else "",
        ]
        details = ", ".join(filter(None, rules))
        lines.append(
            f"* ``{attribute.name}`` ({attribute.kind}): {attribute.description}{f' ({details})' if details else ''}"
        )
    lines.append("")


def shorten_signature(*given: Any) -> tuple[str | None, str | None]:
    """Sphinx shows types by their last word in a signature that it can parse, which the default of a field prevents."""
    signature, returned = given[-2:]
    return signature and signature.replace("<factory>", "..."), returned


def hide_internal(_app: Sphinx, name: str, source: list[str]) -> None:
    """Keep plugins that only roles and playbooks of the collection use out of the lists. Their pages stay."""
    folder, _slash, page = name.rpartition("/")
    if folder != "collection":
        return
    if page in INTERNAL:
        source[0] = f":orphan:\n\n{source[0]}"
    elif page == "index":
        names = "|".join(one.rpartition("_")[0] for one in INTERNAL)
        # The collection is spelled as in a playbook.
        source[0] = source[0].replace("Mlkeys.Transit", "mlkeys.transit")
        row = rf"^(?:\* :ansplugin:`(?:{names}) \w+ <.*|    (?:{'|'.join(INTERNAL)}))\n"
        source[0] = re.sub(row, "", source[0], flags=re.MULTILINE)


#: What a screen reader or a keyboard needs, and the theme and its extensions leave out.
ACCESSIBLE = {
    'role="heading"': 'role="heading" aria-level="2"',
    "aria-role=": "role=",
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}


def break_between_words(title: re.Match[str]) -> str:
    """A title whose names break on a phone where their words end."""
    return re.sub(r"(?<=\w)([._])(?=\w)", r"\1<wbr>", title[0])


def complete(app: Sphinx, problem: Exception | None) -> None:
    """Complete the pages, once they are written."""
    if problem is None and app.builder.name == "html":
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            for before, after in ACCESSIBLE.items():
                text = text.replace(before, after)
            text = re.sub(r"(?<=<h1>)[^<]+", break_between_words, text)
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register the extensions of this file. Sphinx calls it."""
    app.add_directive("playbook-head", PlaybookHead)
    app.connect("source-read", hide_internal)
    app.connect("build-finished", complete)
    app.connect("missing-reference", link_to_ansible)
    app.connect("doctree-read", fit_in)
    app.connect("autodoc-process-docstring", list_attributes)
    app.connect("autodoc-process-signature", shorten_signature)
    for part in ("description", "options", "epilog"):
        app.connect(f"sphinx-click-process-{part}", show_help)
