# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys lint`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import click

from mlkeys._commands.declared import followed, loaded
from mlkeys._commands.errors import refusal, show_json
from mlkeys._commands.paths import PathType
from mlkeys._commands.scanning import Scanned, scanned, scanned_history, scanned_text
from mlkeys._commands.vars_file.documents import Document
from mlkeys._commands.vars_plugins import configurations
from mlkeys._errors import MlkeysError
from mlkeys._lint import enabled, reports
from mlkeys._lint.ciphertexts import loose_ciphertexts
from mlkeys._lint.findings import NOTE, RULES, Finding, in_order
from mlkeys._lint.ignored_folders import IGNORED_FOLDERS
from mlkeys._providers.gitleaks import forms_in
from mlkeys._providers.key_patterns import Form, Patterns, built_in
from mlkeys._shared.printable import printable
from mlkeys._shared.vars_files import METADATA, is_vars_file_name
from mlkeys._system import replacing
from mlkeys._system.terminal import notice
from mlkeys._system.worktree import Looked, Worktree

_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


class Options(TypedDict):
    """The options of the command."""

    output: str
    as_json: bool
    server: bool
    staged: bool
    history: bool
    exclude: tuple[str, ...]
    baseline: Path | None
    update_baseline: bool
    patterns: tuple[Path, ...]
    notes: bool
    fix: bool
    to: Path | None
    key: str | None
    backend: str | None


class _CouldNotCheck(click.ClickException):
    """An error, which has another exit status than findings."""

    exit_code = 2


def _list_rules(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        for rule in RULES:
            click.echo(f"{rule.id}  {rule.level:7}  {rule.name:19}  {rule.summary}")
        ctx.exit()


@click.command("lint")
@click.argument("paths", nargs=-1, type=PathType(readable=False))
@click.option("--format", "output", type=click.Choice(["text", "json", "sarif"]), default="text", help="Output format.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--server", is_flag=True, help="Also compare ciphertext versions with the keys on the server.")
@click.option("--staged", is_flag=True, help="Check what git would commit instead of the files.")
@click.option("--history", is_flag=True, help="Check every version of the files in git, not the files themselves.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Skip paths such as 'tests/*'; repeatable.")
@click.option("--baseline", type=PathType(dir_okay=False), help="Hide the findings that this file lists.")
@click.option("--update-baseline", is_flag=True, help="Write the current findings to the --baseline file.")
@click.option(
    "--patterns",
    multiple=True,
    type=PathType(dir_okay=False),
    metavar="FILE",
    help="Also search for the rules in this TOML file, in the format of gitleaks (for contents only); repeatable.",
)
@click.option("--fix", is_flag=True, help="Move secrets into the file of --to, and replace them with references.")
@click.option("--to", type=PathType(dir_okay=False), metavar="FILE", help="File for --fix.")
@click.option("--key", metavar="[ENGINE/]NAME", help="The key to encrypt with for --fix. Default: the key of the file.")
@click.option("--backend", metavar="PATH", help="Path of the Transit engine for --fix. Default: that of the file.")
@click.option("--notes", is_flag=True, help="Also show notes.")
@click.option("--rules", is_flag=True, is_eager=True, expose_value=False, callback=_list_rules, help="List the rules.")
def command(paths: tuple[Path, ...], **options: Unpack[Options]) -> None:
    """Find plaintext secrets, and problems in encrypted vars files.

    Checks PATHS, which are files or folders (default: the current folder). In a git work tree, ignored files are
    skipped unless you name them, and so are binary files. Compressed files that you name are reported as not checked.
    For each secret, only the prefix common to its kind is shown.

    --staged and --history without PATHS check the whole repository. --history checks each version of each file in all
    commits of all branches and tags, for secrets only, and shows the first commit with each secret. Removing a secret
    from a file does not remove it there: replace it at its provider.

    Encrypted vars files that variables such as vault_transit_vars_files name are checked wherever they are, if their
    paths are known without Ansible. Notes name the others.

    --fix moves secrets from vars files, playbooks, INI inventories and templates of Ansible, files of Docker Compose,
    configurations of LiteLLM and .env files into the encrypted vars file of --to, and replaces them with references.
    For other files, it shows what to do. It needs the capabilities of 'mlkeys import'. You must still replace a secret
    that was in a commit at its provider.

    The comment '# mlkeys: allow' (or //, --, ;, <!--, /*) on a line, or alone on the line before, allows a secret.

    Exits with 1 if there are findings other than notes. Otherwise exits with 2 on errors, or if a file could not be
    checked: the output names it, and --exclude leaves it out. --server needs a token with the capability read on the
    keys (transit/keys/...), and on documents of a KV engine that files or variables name, and nothing else.

    \b
    Examples:
      mlkeys lint
      mlkeys lint --staged                                before a commit
      mlkeys lint --history                               before a repository is published
      mlkeys lint --format sarif > mlkeys.sarif           for a code host
      mlkeys lint --patterns ours.toml                    also find our own tokens
      mlkeys lint --fix --to group_vars/all/keys.transit.yml --key ml-api-key
      mlkeys lint --server inventories                    check that everything still decrypts
      mlkeys lint --baseline known.json --update-baseline accept the current findings
    """
    output = "json" if options["as_json"] else options["output"]
    _check_usage(options)
    tree = Worktree(paths, options["exclude"], ignored=IGNORED_FOLDERS)
    try:
        checked, found = _checked(tree, paths, options)
    except MlkeysError as problem:
        if output == "json":
            show_json(refusal(problem))
        raise _CouldNotCheck(printable(str(problem))) from None
    shown = found if options["notes"] else [one for one in found if one.rule.level != NOTE]
    _show(shown, checked, output, hidden=len(found) - len(shown))
    if any(one.rule.level != NOTE for one in found):
        sys.exit(1)
    sys.exit(2 if checked.unread else 0)


def _check_usage(options: Options) -> None:
    if options["update_baseline"] and options["baseline"] is None:
        raise click.UsageError("--update-baseline needs --baseline FILE.")
    if options["history"] and (options["staged"] or options["server"]):
        raise click.UsageError("--history checks secrets in commits: use it without --staged and --server.")
    if options["fix"] and options["to"] is None:
        raise click.UsageError("--fix needs --to FILE, the encrypted vars file for the secrets.")
    if not options["fix"] and (options["to"] or options["key"] or options["backend"]):
        raise click.UsageError("--to, --key and --backend are for --fix, which moves secrets.")
    if options["fix"] and (options["staged"] or options["history"] or options["update_baseline"]):
        raise click.UsageError("--fix changes files: use it without --staged, --history and --update-baseline.")


def _checked(tree: Worktree, paths: Sequence[Path], options: Options) -> tuple[_Checked, list[Finding]]:
    """The checked files, and the findings that are not known.

    Raises:
        MlkeysError: something cannot be checked at all.
    """
    patterns = _patterns(options["patterns"])
    if options["fix"]:
        _fix(tree, patterns, options)
    checked = _Checked()
    for one in _scanned(tree, patterns, options):
        checked.add(one)
    if not (options["history"] or options["staged"]):
        _add_declared(checked, tree, patterns)
    checked.at_ciphertexts(server=options["server"])
    if not (options["history"] or options["staged"]):
        checked.at_settings(paths)
    found = in_order(checked.found)
    if options["baseline"] is not None:
        found = _unknown(found, options["baseline"], update=options["update_baseline"])
    return checked, found


def _fix(tree: Worktree, patterns: Patterns, options: Options) -> None:
    from mlkeys._commands.vars_file import fix

    baseline = options["baseline"]
    allowed = _known(baseline) if baseline is not None else reports.Known(str)
    aim = fix.Aim(options["to"] or Path(), options["key"], options["backend"])
    for line in fix.moved(tree, patterns, aim, allowed):
        click.echo(reports.on_one_line(line), err=True)


def _scanned(tree: Worktree, patterns: Patterns, options: Options) -> Iterator[Scanned]:
    if options["history"]:
        return scanned_history(tree, patterns)
    if options["staged"]:
        return (scanned_text(file, patterns) for file in tree.staged())
    return scanned(tree, patterns)


def _add_declared(checked: _Checked, tree: Worktree, patterns: Patterns) -> None:
    """Check the encrypted vars files that variables in the checked files name, also those elsewhere."""
    led = followed(tree, checked.with_ciphertexts)
    checked.found += led.findings
    checked.documents += led.documents
    places = {os.path.realpath(file.path) for file in checked.with_ciphertexts}
    for one in led.files.values():
        if os.path.realpath(one.path) not in places:
            looked = tree.look(one)
            if looked is not None:
                checked.add(scanned_text(looked, patterns))


class _Checked:
    """The checked files and the findings. Only files with ciphertexts are kept in memory."""

    def __init__(self) -> None:
        self.files = 0
        self.skipped: list[str] = []
        self.unread = 0
        self.found: list[Finding] = []
        self.with_ciphertexts: list[Looked] = []
        self.documents: list[Document] = []
        self.managed: list[str] = []
        self.uses = enabled.Uses()

    def add(self, one: Scanned) -> None:
        if one.skipped is not None:
            self.skipped.append(f"{one.skipped.path}: {one.skipped.reason}")
            self.unread += 1
            return
        self.files += 1
        self.found += one.findings
        self.uses |= one.uses
        if one.file is not None:
            self.with_ciphertexts.append(one.file)

    def at_ciphertexts(self, *, server: bool) -> None:
        """Check the ciphertexts of encrypted vars files, all at once, and those in other files."""
        managed = {file.path: file.text for file in self.with_ciphertexts if _may_be_managed(file)}
        others: set[str] = set()
        if managed or self.documents:
            from mlkeys._commands.vars_file import checks

            try:
                done = checks.checked(managed, self.documents, server=server)
                self.found += done.findings
                others = done.others
                for one in done.unread:
                    self.add(Scanned(skipped=one))
            except MlkeysError as problem:
                if server:
                    raise
                self.skipped.append(f"encrypted vars files, except for plaintext secrets: {str(problem).rstrip('.')}")
        self.managed = [path for path in managed if path not in others]
        for file in self.with_ciphertexts:
            if file.path not in managed or file.path in others:
                self.found += loose_ciphertexts(file.text, file.path)

    def at_settings(self, paths: Sequence[Path]) -> None:
        """Check whether Ansible decrypts the encrypted vars files that it reads.

        Args:
            paths: what was checked. Only of a whole project it is known that nothing else decrypts them.
        """
        found = configurations(self.managed)
        for one in found.unread:
            self.add(Scanned(skipped=one))
        whole = [path.resolve() for path in paths or (Path(),)]
        has_configuration = self.uses.get_ciphertext(configured=True)
        unused = {path for path in found.texts if has_configuration and Path(path).resolve().parent in whole}
        self.found += enabled.findings(found.texts, found.files, unused)
        self.found += loaded(_in_one(whole, self.with_ciphertexts), self.managed, self.uses.decrypting)
        if self.uses.get_ciphertext():
            without = [file for file in self.with_ciphertexts if file.path in found.without]
            files = ((file.path, file.text) for file in _in_one(whole, without))
            self.found += enabled.findings_without(files, found.overruled)


def _in_one(folders: Sequence[Path], files: Iterable[Looked]) -> list[Looked]:
    """The files in the one folder that was checked. Several may be parts of a project."""
    return [file for file in files if len(folders) == 1 and folders[0] in Path(file.path).resolve().parents]


def _patterns(files: Sequence[Path]) -> Patterns:
    """The built-in patterns, and those of the user's files.

    Raises:
        MlkeysError: a file cannot be read or used.
    """
    forms: list[Form] = []
    for path in files:
        try:
            forms += forms_in(replacing.bytes_of(path).decode(), partial(_extended, path), partial(_warn, path))
        except OSError as error:
            raise MlkeysError(f"{path}: {error.strerror or 'it cannot be read'}.") from None
        except ValueError as error:
            raise MlkeysError(f"{path}: {error}.") from None
    return Patterns((*built_in().forms, *forms)) if forms else built_in()


def _warn(path: Path, sentence: str) -> None:
    click.echo(reports.on_one_line(f"Warning: {path}: {sentence}."), err=True)


def _extended(path: Path, other: str) -> str:
    """The text of a file that another one extends: by its path from here, as for gitleaks, or from that file."""
    for place in (Path(other), path.parent / other):
        if place.is_file():
            return replacing.bytes_of(place).decode()
    raise ValueError(f"it extends {other}, which does not exist")


def _may_be_managed(file: Looked) -> bool:
    """Whether a file may be an encrypted vars file, by its name or its content."""
    return is_vars_file_name(file.path) or (METADATA in file.text and file.path.endswith((".yml", ".yaml", ".json")))


def _unknown(found: list[Finding], baseline: Path, *, update: bool) -> list[Finding]:
    if update:
        before = replacing.read(baseline)
        if before:
            # A mistyped name, or a link in a repository, must not cost another file.
            _findings_of(before, baseline)
        replacing.replace(baseline, reports.baseline(found, partial(_beside, baseline)), before)
        if before is None:
            baseline.chmod(0o644)
        count = "1 known finding" if len(found) == 1 else f"{len(found)} known findings"
        notice(f"Wrote {count} to {baseline}.")
        return []
    known = _known(baseline)
    return [one for one in found if one not in known]


def _known(baseline: Path) -> reports.Known:
    text = replacing.read(baseline)
    if text is None:
        raise MlkeysError(f"{baseline} does not exist. Write it with --update-baseline.")
    return _findings_of(text, baseline)


def _findings_of(text: str, baseline: Path) -> reports.Known:
    try:
        return reports.known(text, partial(_beside, baseline))
    except ValueError as error:
        raise MlkeysError(f"{baseline}: {error}.") from None


def _beside(baseline: Path, path: str) -> str:
    """A path as a baseline has it: from its own folder on, so that it is the same wherever the command runs."""
    # A link may be known by its name only.
    folder, name = os.path.split(path)
    return (Path(os.path.relpath(os.path.realpath(folder), os.path.realpath(baseline.parent))) / name).as_posix()


def _show(found: list[Finding], checked: _Checked, output: str, *, hidden: int) -> None:
    if output == "json":
        click.echo(reports.as_json(found, checked.files, checked.skipped))
    elif output == "sarif":
        # Slow to load, and seldom needed.
        from importlib import metadata

        click.echo(reports.as_sarif(found, checked.skipped, metadata.version("mlkeys")))
    else:
        for one in found:
            click.secho(reports.line(one), fg=_COLOURS[one.rule.level])
        for line in reports.advice(found):
            click.echo(line, err=True)
        for reason in checked.skipped:
            click.secho(reports.on_one_line(f"Not checked: {reason}."), fg="yellow", err=True)
        aside = f" Show {hidden} more with --notes." if hidden else ""
        click.echo(reports.counts(found, checked.files) + aside, err=True)
