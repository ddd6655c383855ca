# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Take addresses from galaxy.yml, for links of the README as well, and add man pages and completion to the wheel."""

from __future__ import annotations

import re
import sys
import tempfile
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

if TYPE_CHECKING:
    from click import Context

_COMPLETIONS = {
    "bash": "share/bash-completion/completions/mlkeys",
    "zsh": "share/zsh/site-functions/_mlkeys",
    "fish": "share/fish/vendor_completions.d/mlkeys.fish",
}


_ADDRESS = re.compile(r"^(documentation|homepage|issues|repository): (\S+)", re.MULTILINE)
# Of a picture, and of anything else. A link may be absolute already, or lead within the page.
_PICTURE = re.compile(r"!\[(.*?)\]\((?!https?:)(.+?)\)")
_LINK = re.compile(r"(?<!!)\[(.*?)\]\((?!https?:|#)(.+?)\)")


class Addresses(MetadataHookInterface):
    """The addresses are those of the collection: a release sets them in one place.

    Package indexes show the README without the files beside it, so its links lead to the repository.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        described = Path(self.root, "galaxy.yml").read_text(encoding="utf-8")
        addresses = dict(_ADDRESS.findall(described))
        metadata["urls"] = {name.capitalize(): address for name, address in addresses.items()}
        page = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = _PICTURE.sub(rf"![\1]({addresses['repository']}/raw/main/\2)", page)
        text = _LINK.sub(rf"[\1]({addresses['repository']}/blob/main/\2)", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


class SharedFiles(BuildHookInterface[Any]):
    """Makes the files in a temporary folder, from where the builder takes them."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory(prefix="mlkeys-wheel-")
        sys.path.insert(0, str(Path(self.root) / "src"))
        # The build must leave the sources as they are.
        sys.dont_write_bytecode = True
        for target, text in _shared_files(self.metadata.version):
            path = Path(self._folder.name) / Path(target).name
            path.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(path)] = target

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if self._folder is not None:
            self._folder.cleanup()


def _shared_files(version: str) -> list[tuple[str, str]]:
    """Return the files that are installed outside the package, with their texts."""
    import click

    from mlkeys._cli import main
    from mlkeys._commands import COMMANDS
    from mlkeys._commands.completion import SHELLS

    whole = click.Context(main, info_name="mlkeys")
    pages = [("mlkeys", _page(whole, "keep API keys of ML services encrypted", version, list(COMMANDS.items())))]
    for name, summary in COMMANDS.items():
        if (command := main.get_command(whole, name)) is not None:
            context = click.Context(command, whole, name)
            pages.append((f"mlkeys-{name}", _page(context, summary, version, [])))
    scripts = [
        (target, SHELLS[shell](main, {}, "mlkeys", "_MLKEYS_COMPLETE").source())
        for shell, target in _COMPLETIONS.items()
    ]
    return [(f"share/man/man1/{name}.1", text) for name, text in pages] + scripts


def _page(context: Context, summary: str, version: str, commands: list[tuple[str, str]]) -> str:
    import click
    from click_man.man import ManPage

    page = ManPage(context.command_path)
    page.version, page.short_help, page.commands = version, summary.rstrip("."), commands
    page.synopsis = " ".join(context.command.collect_usage_pieces(context))
    page.description = _roff(cleandoc(context.command.help or ""))
    records = [one.get_help_record(context) for one in context.command.params if isinstance(one, click.Option)]
    page.options = [(names, _roff(text)) for names, text in filter(None, records)]
    # It takes the date from SOURCE_DATE_EPOCH: the same sources make the same pages.
    return str(page)


def _roff(text: str) -> str:
    """Return help of click in the language of man pages, where lines of a paragraph after `\\b` stay as they are."""
    shown = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.replace("\\", "\\e").splitlines()
        kept = bool(lines) and lines[0] == "\b"
        # A line that begins with one of these would be an instruction.
        lines = [f"\\&{line}" if line.startswith((".", "'")) else line for line in lines[kept:]]
        shown.append("\n".join([".nf", *lines, ".fi"] if kept else lines))
    return "\n\n".join(shown)
