# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys merge`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._errors import MlkeysError
from mlkeys._system import collection, replacing
from mlkeys._system.git import run_git
from mlkeys._system.terminal import notice

# Metadata that merge with the entries, or that both sides have in common.
_MERGED = ("format", "backend", "key", "fingerprint_key", "hmac", "before")
_FILE = PathType(exists=True, dir_okay=False)


class Contradiction(MlkeysError):
    """Both sides changed the same entry."""


@click.command("merge")
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@click.argument("name", default="keys.transit.yml")
@failing_plainly
def command(base: Path, ours: Path, theirs: Path, name: str) -> None:
    """Merge two versions of an encrypted vars file, as a merge driver of Git. OURS gets the result.

    Entries that different people added, changed or removed are merged one by one. If both sides changed the value of
    one entry, or something else than entries, Git's own merge marks the conflicts, and the command exits with 1. Needs
    no server, and decrypts nothing.

    'mlkeys init --ansible' writes the line for .gitattributes. Each clone defines the driver once.

    \b
    Examples:
      git config merge.mlkeys.driver "mlkeys merge %O %A %B %P"
      mlkeys merge base.yml ours.yml theirs.yml keys.transit.yml
    """
    texts: list[str] = []
    contradicting: list[str] | None = None
    try:
        texts = [replacing.read(path) or "" for path in (base, ours, theirs)]
        text = _merged(texts, name)
    except Contradiction as problem:
        contradicting = texts
        notice(f"{name}: {problem}")
    except MlkeysError as problem:
        notice(f"{name} is merged as text: {problem}")
    else:
        if text is not None:
            replacing.replace(ours, text, texts[1])
            return
    sys.exit(_as_text(base, ours, theirs, contradicting))


def _as_text(base: Path, ours: Path, theirs: Path, contradicting: Sequence[str] | None) -> int:
    """Let Git merge the lines into our file. The exit code: 1 for conflicts, which the file then marks.

    Args:
        contradicting: the texts of the ancestor, of our side and of theirs, if one entry is a conflict.
    """
    our_label, their_label = _labels()
    labels = [word for label in (our_label, "base", their_label) for word in ("-L", label)]
    done = run_git(Path(), "merge-file", *labels, *(str(path.absolute()) for path in (ours, base, theirs)))
    click.echo(done.stderr.decode(errors="replace"), err=True, nl=False)
    if contradicting is None or done.returncode:
        return min(done.returncode, 1)
    # The lines of the entry are in different places.
    mine, yours = (text if text.endswith("\n") else f"{text}\n" for text in contradicting[1:])
    text = f"<<<<<<< {our_label}\n{mine}=======\n{yours}>>>>>>> {their_label}\n"
    replacing.replace(ours, text, replacing.read(ours))
    return 1


def _labels() -> tuple[str, str]:
    """Names of the sides, as in Git's own marks of conflicts. 'git merge' sets a variable for each branch it merges."""
    branches = [value for name, value in os.environ.items() if name.startswith("GITHEAD_")]
    return ("HEAD", branches[0]) if len(branches) == 1 else ("ours", "theirs")


def _merged(texts: Sequence[str], name: str) -> str | None:
    """The merged text, or None if only the lines can be merged.

    Args:
        texts: of the ancestor, of our side and of theirs.

    Raises:
        Contradiction: both sides changed the same entry.
        MlkeysError: one is not an encrypted vars file.
    """
    base, ours, theirs = texts
    collection.load()
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import update
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import parse
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.merging import merge, of_one_key

    with collection.in_plain_words():
        files = [parse(text, name) for text in texts]
        if not of_one_key(*files):
            return None
        merged = merge(*files)
        if merged.conflicts:
            raise Contradiction(f"both sides changed {', '.join(merged.conflicts)}.")
        others = [(file.open, _other_metadata(file.text, name)) for file in files]
        is_other_changed = others[2] not in others[:2]
        if is_other_changed or _comments(theirs) - _comments(ours) - _comments(base):
            # What is beside the entries must not be lost.
            return None
        return update(files[1], merged.edits)


def _other_metadata(text: str, name: str) -> dict[str, object]:
    """What a file says of itself that does not belong to its entries or its keys, such as ``unencrypted``."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import content_of

    metadata = content_of(text, name).get(METADATA, {})
    return {one: value for one, value in metadata.items() if one not in _MERGED}


def _comments(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if "#" in line}
