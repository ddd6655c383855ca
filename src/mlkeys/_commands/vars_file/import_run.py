# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the sources of `mlkeys import` have in common: options, and the way from values to an encrypted vars file."""

from __future__ import annotations

import re
import resource
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import filterfalse
from pathlib import Path
from typing import Any

import click

from mlkeys._commands.paths import PathType
from mlkeys._commands.vars_file.writes import Change, Target, in_turn, show, target
from mlkeys._errors import MlkeysError
from mlkeys._import.comments import as_written, assigns, holds, secrets_of
from mlkeys._import.data import Nesting
from mlkeys._import.names import shown_by_name
from mlkeys._import.selection import Selection, Wishes, select, variable_of
from mlkeys._import.sops_source import written_by_sops
from mlkeys._import.values import DATE, NOTHING, Comment, Source, Value, refuse, without_nul
from mlkeys._providers.literals import secret_form
from mlkeys._system import collection
from mlkeys._system.decoding import decoded
from mlkeys._system.replacing import bytes_of, whole
from mlkeys._system.terminal import notice

_REFUSED = "refused"
Read = Callable[[Wishes], Source]
After = Callable[[Mapping[tuple[str, ...], str]], str]

ABOUT_SEALED = "When everything works with the new file, remove the values from the old one ({how})."
ABOUT_PLAIN_TEXT = (
    "The source still has these values in plain text: delete them there. If they were ever in a commit, a backup or a "
    "message, replace them at their providers."
)


_OPTIONS = (
    click.option(
        "--to",
        "file",
        required=True,
        type=PathType(dir_okay=False),
        metavar="FILE",
        help="The encrypted vars file (*.transit.yml, .yaml or .json). Created if needed.",
    ),
    click.option("--key", metavar="[ENGINE/]NAME", help="The key to encrypt with. Default: the key of FILE."),
    click.option("--backend", metavar="PATH", help="Path of the Transit engine. Default: that of FILE, or transit."),
    click.option(
        "--only", multiple=True, metavar="NAME", help="Import only this value or mapping, or NAME*; repeatable."
    ),
    click.option("--skip", multiple=True, metavar="NAME", help="Skip this value or mapping, or NAME*; repeatable."),
    click.option(
        "--rename", multiple=True, metavar="OLD=NEW", help="Name the variable for the value OLD NEW; repeatable."
    ),
    click.option("--prefix", default="", metavar="TEXT", help="Prefix for variable names."),
    click.option("--flatten", is_flag=True, help="Import nested values, as parent_child and parent_0."),
    click.option(
        "--nested",
        is_flag=True,
        help="Import nested values, numbers and booleans as they are, into a file of format 2.",
    ),
    click.option(
        "--as-text",
        is_flag=True,
        help="Import numbers, booleans and dates as text; with --nested, only those that cannot be kept.",
    ),
    click.option("--skip-empty", is_flag=True, help="Skip values that are empty."),
    click.option("--literal", is_flag=True, help="Import references, templates and ciphertexts as literal text."),
    click.option("--comments", is_flag=True, help="Also write the comments of the source, in plain text."),
    click.option("--replace", is_flag=True, help="Overwrite entries of FILE that have another value."),
    click.option("--dry-run", is_flag=True, help="Show what would be imported, without writing anything."),
)


def importing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every source."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def text_of(source: Path) -> str:
    """The text of a file in any Unicode encoding, or of standard input for `-`."""
    try:
        text = decoded(_bytes_of(source), errors="strict")
    except UnicodeDecodeError:
        raise MlkeysError(f"{source}: it is not UTF-8 text.") from None
    if text is None:
        raise MlkeysError(f"{source}: it is not text.")
    return text


def exact_text_of(source: Path) -> str:
    """The text whose UTF-8 form is a file, or standard input for `-`, byte for byte."""
    try:
        text = _bytes_of(source).decode()
    except UnicodeDecodeError:
        raise MlkeysError(f"{source}: it is not UTF-8 text, and would be changed by a conversion.") from None
    if "\0" in text:
        raise MlkeysError(f"{source}: it contains a NUL character, which no environment variable can.")
    return text


def _bytes_of(source: Path) -> bytes:
    try:
        return whole(sys.stdin.buffer) if str(source) == "-" else bytes_of(source)
    except OSError as error:
        raise MlkeysError(f"{source}: {error.strerror or 'it cannot be read'}.") from None


def run_import_of_text(
    source: Path,
    values: Callable[[str, str], Iterable[Value]],
    reference: re.Pattern[str],
    options: Mapping[str, Any],
    about_nothing: str = "",
) -> None:
    """Import from a file in plain text.

    Args:
        values: returns the values of a text, given its path for messages.
        reference: what in a value refers to something else.
        about_nothing: as a `Source` has it.
    """

    def read(wishes: Wishes) -> Source:
        text = text_of(source)
        check_plain(text, source, wishes)
        found = tuple(values(text, str(source)))
        return Source(str(source), found, reference, ABOUT_PLAIN_TEXT, about_nothing=about_nothing)

    run_import(read, options)


def check_plain(text: str, source: Path, wishes: Wishes) -> None:
    """
    Raises:
        MlkeysError: another program has encrypted the file, and the user does not want it as it is.
    """
    if wishes.literal:
        return
    name = shlex.quote(str(source))
    if written_by_sops(text):
        raise MlkeysError(f"{source} is encrypted with SOPS: use mlkeys import sops {name} --to FILE")
    if text.startswith("$ANSIBLE_VAULT;"):
        command = click.get_current_context().info_name
        raise MlkeysError(
            f"{source} is encrypted with Ansible Vault. Decrypt it on the way: "
            f"ansible-vault view {name} | mlkeys import {command} - --to FILE"
        )


def run_import(read: Read, options: Mapping[str, Any], after: After | None = None) -> None:
    """Read, decide, encrypt and report.

    Args:
        after: called when the entries are in the file, with the names of the values and their variables. It returns
            what it did.
    """
    # A core dump would contain the plaintext.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    dry_run = options["dry_run"]
    aim = target(options["file"], options["key"], options["backend"])
    wishes = _wishes(options)
    source = read(wishes)
    source = replace(source, values=without_nul(shown_by_name(source.values)))
    selection = select(source, wishes)
    comments = _comments(source, selection, aim) if wishes.comments else {}
    changes: list[Change] = []
    if selection.chosen:

        def work(now: Target) -> list[Change]:
            return _imported(now, selection, comments, options)

        changes = work(aim) if dry_run else in_turn(aim, work)
    _report(source, selection, changes, f"{'standard input' if source.path == '-' else source.path} -> {aim.path}")
    if dry_run:
        click.echo("Nothing was written (--dry-run).", err=True)
    elif changes:
        done = after({value.path: name for name, value in selection.chosen.items()}) if after else "which is unchanged."
        click.echo(_farewell(source, selection, changes, aim, done, wishes), err=True)


def _imported(
    aim: Target, selection: Selection, comments: Mapping[str, tuple[Comment, ...]], options: Mapping[str, Any]
) -> list[Change]:
    """Encrypt the values, unless it is a dry run, and return what is done with each."""
    with collection.connected() as client:
        aim.check_key(client)
        planned = aim.planned(client, selection.secrets, purge=False)
        changes = [_decided(one, options["replace"]) for one in planned.changes if one.name in selection.chosen]
        if options["dry_run"]:
            return changes
        refuse(str(aim.path), [change.reason for change in changes if change.action == _REFUSED])
        if any(change.action != "kept" for change in changes):
            new = {change.name for change in changes if change.action == "added"}
            aim.write(client, planned, comments={name: texts for name, texts in comments.items() if name in new})
    return changes


def _comments(source: Source, selection: Selection, aim: Target) -> dict[str, tuple[Comment, ...]]:
    """The comments of the values to import, by variable, but for those that assign something.

    Raises:
        MlkeysError: the file can hold none, or one contains a secret.
    """
    kept = {name: tuple(filterfalse(assigns, value.comments)) for name, value in selection.chosen.items()}
    found = {name: comments for name, comments in kept.items() if comments}
    if found and (aim.stored is not None or aim.path.suffix == ".json"):
        raise MlkeysError(f"{aim.path} cannot hold comments: import without --comments.")
    # The others stay secret, too: they were encrypted in the source, as its comments may have been.
    secrets = secrets_of(source.values, selection.chosen.values())
    refuse(
        source.path,
        [
            f"the comment in line {one.line}, of {selection.chosen[name].name}, contains a secret: "
            "remove it, or import without --comments"
            for name, comments in found.items()
            for one in comments
            if secret_form(as_written(one)) or holds(as_written(one), secrets)
        ],
    )
    return found


def _wishes(options: Mapping[str, Any]) -> Wishes:
    renamed = {}
    for pair in options["rename"]:
        old, separator, new = pair.rpartition("=")
        if not (old and separator and new):
            raise click.UsageError(f"--rename takes OLD=NEW, not '{pair}'.")
        renamed[old] = new
    return Wishes(
        only=options["only"],
        skip=options["skip"],
        renamed=renamed,
        prefix=options["prefix"],
        flatten=options["flatten"],
        as_text=options["as_text"],
        skip_empty=options["skip_empty"],
        literal=options["literal"],
        comments=options["comments"],
        nested=_nesting() if options["nested"] else None,
    )


def _nesting() -> Nesting:
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import joined, leaf_problems

    return Nesting(joined, lambda path: "; ".join(leaf_problems([path])))


def _decided(change: Change, may_replace: bool) -> Change:
    """A change, refused if it would overwrite another value without --replace."""
    if change.action != "updated" or may_replace:
        return change
    why = "has another value" if change.reason == "the value changed" else f"may have another value ({change.reason})"
    return replace(change, action=_REFUSED, reason=f"{change.name} exists and {why}: use --replace to overwrite it")


def _report(source: Source, selection: Selection, changes: Sequence[Change], title: str) -> None:
    rows = [(change, selection.chosen[change.name].name) for change in changes]
    rows += [(Change("", "skipped", reason, None), value.name) for value, reason in selection.left_out]
    if rows:
        show(rows, title)
    if not changes:
        notice(f"Nothing was imported from {source.path}.")


def _about_comments(source: Source, selection: Selection, changes: Sequence[Change]) -> str:
    """The comments that stay behind: those that may be values, those of no value, and those of older entries."""
    found = ""
    chosen = selection.chosen
    if assigning := [value.name for value in chosen.values() if any(map(assigns, value.comments))]:
        names = ", ".join(dict.fromkeys(assigning))
        found = f" Comments that assign a value, as a value that is commented out does, were not imported: at {names}."
    if lines := sorted({one.line for value in source.values for one in value.apart}):
        where = "line" if len(lines) == 1 else "lines"
        found += f" Comments that belong to no value were not imported: in {where} {', '.join(map(str, lines))}."
    elif source.has_comments and not any(value.comments for value in source.values):
        found += " Its comments were not imported."
    older = {change.name for change in changes if change.action != "added"}
    if left := [name for name in chosen if name in older and not all(map(assigns, chosen[name].comments))]:
        found += f" Comments of entries that were there already were not written: of {', '.join(left)}."
    return found


# A private key with a passphrase, in either form.
_LOCKED = re.compile(r"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)


def _about_texts(texts: Mapping[str, str]) -> str:
    """What may surprise anyone who uses the values."""
    # A key in PEM always ends with one.
    ending = [name for name, text in texts.items() if text.endswith("\n") and not text.startswith("-----BEGIN ")]
    of_windows = any(texts[name].endswith("\r\n") for name in ending)
    newline = "A newline (CRLF, as on Windows)" if of_windows else "A newline"
    lines = f" {newline} at the end of {', '.join(ending)} is a part of the value, as in the source." if ending else ""
    locked = [name for name, text in texts.items() if _LOCKED.search(text)]
    return lines + "".join(f" {name} is a private key with a passphrase, which is needed as well." for name in locked)


def _about_dates(selection: Selection, wishes: Wishes) -> str:
    """Values that have another type than in the source."""
    dates = [name for name, value in selection.chosen.items() if value.kind == DATE]
    if wishes.nested is None or wishes.as_text or not dates:
        return ""
    return f" Stored as text: {', '.join(dates)}, which YAML reads as {'dates' if len(dates) > 1 else 'a date'}."


def _farewell(
    source: Source, selection: Selection, changes: Sequence[Change], aim: Target, state: str, wishes: Wishes
) -> str:
    """What to do with the source now, which is left to the user."""
    left = len(selection.left_out)
    count = len(selection.chosen)
    values = "1 value" if count == 1 else f"{count} values"
    left_there = any(value.comments or value.apart for value in selection.chosen.values())
    has_comments = left_there or source.has_comments
    notes = " Its comments were not imported (--comments)." if has_comments and not wishes.comments else ""
    if wishes.comments:
        notes = _about_comments(source, selection, changes)
    texts = {name: value.text for name, value in selection.chosen.items()}
    about = f"{_about_rest(selection, aim, wishes)}{_about_texts(texts)}{_about_dates(selection, wishes)}{notes}"
    if source.path == "-":
        return f"{aim.path} now holds {values} from standard input.{about}"
    advice = source.advice_on_rest if left and source.advice_on_rest else source.advice
    return f"{aim.path} now holds {values} from {source.path}, {state}{about} {advice}"


def _about_rest(selection: Selection, aim: Target, wishes: Wishes) -> str:
    """What was skipped, and where it is."""
    names = [variable_of(value, wishes) for value, _ in selection.left_out]
    if not names:
        return ""
    without = {variable_of(value, wishes) for value, _ in selection.left_out if value.kind == NOTHING}
    # An earlier import may have been of those that this one skips.
    missing = [name for name in names if name not in {*aim.file.entries, *selection.chosen, *without}]
    one = len(names) == 1
    skipped = "1 of its values was skipped" if one else f"{len(names)} of its values were skipped"
    if not missing and without:
        return f" {skipped}."
    if not missing:
        return f" {skipped}; {aim.path} has {'an entry with this name' if one else 'entries with these names'}."
    if len(missing) < len(names):
        return f" {skipped}, and {len(missing)} of them {'exists' if len(missing) == 1 else 'exist'} only there."
    return f" {skipped}, and {'exists' if one else 'exist'} only there."
