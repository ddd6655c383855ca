# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`mlkeys edit`."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from mlkeys._commands.errors import failing_plainly
from mlkeys._commands.paths import PathType
from mlkeys._commands.vars_file.plaintext import (
    holds_nested_data,
    merged,
    parsed,
    parsed_leaves,
    rendered,
    swallowed,
)
from mlkeys._commands.vars_file.writes import Change, Planned, Target, refuse_ciphertext, show, target
from mlkeys._errors import MlkeysError
from mlkeys._stored.secrets import answers
from mlkeys._system import collection
from mlkeys._system.editor import Guard, Stopped, chosen_editor, guarding, is_known
from mlkeys._system.private_folder import folder_in_memory, private_folder
from mlkeys._system.replacing import ChangedMeanwhile, check_unchanged
from mlkeys._system.terminal import notice

# Removing one entry of two is an edit like any other.
_FEW = 2
# Give up after losing the race to write a file this many times.
_ATTEMPTS = 3
# Seconds. Nobody reads a text and closes an editor in less.
_AT_ONCE = 1.0
_RETURNED = (
    "Warning: the editor '{editor}' returned at once. If it has opened a window, what you save there is lost: close "
    "it, and set VISUAL or EDITOR with the option that makes it wait, often --wait."
)


@click.command("edit")
@click.argument("file", type=PathType(dir_okay=False, readable=False))
@click.option("--key", metavar="[ENGINE/]NAME", help="Key for a new file.")
@click.option("--backend", metavar="PATH", help="Path of the Transit engine for a new file. Default: transit.")
@click.option(
    "--folder",
    type=PathType(file_okay=False, exists=True),
    metavar="DIR",
    help="Keep the plaintext in this folder while the editor is open, even if it is on a disk.",
)
@click.option("--allow-ciphertext", is_flag=True, help="Encrypt new values although they are ciphertexts.")
@failing_plainly
def command(file: Path, key: str | None, backend: str | None, folder: Path | None, *, allow_ciphertext: bool) -> None:
    """Edit the secrets of FILE, an encrypted vars file (*.transit.yml, .yaml or .json). Creates FILE if needed.

    While the editor is open, the plaintext is in a private file in memory (in XDG_RUNTIME_DIR or /dev/shm, if it is a
    tmpfs). The file is then overwritten and removed, even if a signal ends this command. Memory may be swapped to disk,
    so encrypt the swap space. Only changed values are encrypted. The other ciphertexts, the comments and the order of
    FILE are kept. Removing half of the entries or more requires confirmation. In a file of format 2, nested data and
    the types of YAML are kept; a date is text. What the file leaves unencrypted is shown too, and stays so. A new file
    is of format 2 if you enter nested data.

    Set the editor with VISUAL or EDITOR. It must wait until you close the file: graphical editors often have the option
    --wait for that. Vim runs without swap, backup, undo and viminfo files. Files that other
    editors create beside the plaintext are removed with it; files that they create elsewhere are not.

    The token needs the capability update on decrypt, encrypt, hmac and verify of the key. If FILE points to a KV
    document (store: kv), that document is edited, which needs read, create and update on it.

    Needs Ansible on this machine: pip install 'mlkeys[ansible]'.

    \b
    Examples:
      mlkeys edit group_vars/all/keys.transit.yml
      mlkeys edit group_vars/all/keys.transit.yml --key ml-api-key      create a file
      EDITOR='code --wait' mlkeys edit keys.transit.yml
    """
    # A core dump would contain the plaintext.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    aim = target(file, key, backend)
    place = folder.absolute() if folder else folder_in_memory(os.environ)
    before = _decrypted(aim)
    stopped = 0
    try:
        with guarding() as guard, private_folder(place) as private:
            buffer = private / "secrets.yml"
            changes = _edited(aim, before, guard, buffer, allow_ciphertext=allow_ciphertext)
    except Stopped as signal:
        stopped = signal.number
    if stopped:
        notice(f"Stopped. {file} is unchanged.")
        sys.exit(128 + stopped)
    if any(change.action != "kept" for change in changes):
        # The collection's plan speaks of the secrets that it is given: here, those in the text.
        said = [replace(one, reason="deleted in the text") if one.action == "removed" else one for one in changes]
        show([(change, "") for change in said], str(file))
    else:
        notice(f"No changes. {file} is unchanged.")


def _decrypted(aim: Target) -> dict[str, str]:
    """The secrets of the file, and what it leaves unencrypted; of nested data as JSON. Fails without a key to use.

    Raises:
        MlkeysError: a value does not decrypt, or is not text.
    """
    with collection.connected() as client:
        aim.check_key(client)
        asked = client.asked_with("read", f"{aim.backend}/keys/{aim.key}")
        results = answers(client, aim.backend, aim.key, list(aim.file.entries.values()))
    secrets, problems = {}, []
    for name, result in results.items():
        secret, problem = _json(result) if aim.is_nested else _text(result)
        if secret is None:
            problems.append(f"  {name}: {problem}")
        else:
            secrets[name] = secret
    if problems:
        raise MlkeysError(
            "\n".join(
                [
                    f"{aim.path}: some values do not decrypt. Remove the lines by hand if they are lost:",
                    *problems,
                    asked,
                ]
            )
        )
    return {**secrets, **_unencrypted(aim)}


def _unencrypted(aim: Target) -> dict[str, str]:
    """What the file leaves unencrypted, as far as the text can express it."""
    found = {}
    for name, value in aim.file.open.items():
        # A date of YAML would become a text.
        with contextlib.suppress(TypeError):
            found[name] = json.dumps(value)
    return found


def _text(result: bytes | str) -> tuple[str | None, str]:
    """A secret, or the reason why it cannot be edited."""
    if isinstance(result, str):
        return None, result
    try:
        return result.decode(), ""
    except UnicodeDecodeError:
        return None, "it is not UTF-8 text"


def _json(result: bytes | str) -> tuple[str | None, str]:
    """The same for a leaf of nested data. As JSON, a number differs from the text that looks like it, and from 1.0."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import decoded

    if isinstance(result, str):
        return None, result
    try:
        return json.dumps(decoded(result)), ""
    except ValueError:
        return None, "it is neither text nor JSON as the file says"


def _shown(aim: Target, secrets: Mapping[str, str]) -> str:
    """The text to edit.

    Raises:
        MlkeysError: a list has elements that are not shown, so the others would have other places.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import assembled
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import clashes

    if not aim.is_nested:
        return rendered(secrets, str(aim.path))
    if apart := clashes(secrets):
        raise MlkeysError(
            f"{aim.path}: {', '.join(apart)} has dates without encryption, which are not shown here. Use 'mlkeys set' "
            "and 'mlkeys unset'."
        )
    return rendered(assembled(aim.file, _values(aim, secrets)), str(aim.path))


def _understood(aim: Target, text: str) -> dict[str, str]:
    """The secrets in the edited text, as `_decrypted` has them.

    Raises:
        MlkeysError: it has errors.
    """
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import leaf_problems, name_problems

    if not aim.is_nested:
        return parsed(text, name_problems)
    return {name: json.dumps(value) for name, value in parsed_leaves(text, leaf_problems).items()}


def _fitting(aim: Target, text: str) -> Target:
    """The target for the edited text: a file without entries becomes what the first ones need."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import NESTED

    if aim.file.entries or aim.is_nested or not holds_nested_data(text):
        return aim
    return replace(aim, file=replace(aim.file, format=NESTED))


def _edited(
    aim: Target, before: dict[str, str], guard: Guard, buffer: Path, *, allow_ciphertext: bool
) -> tuple[Change, ...]:
    """Let the user edit until the text can be written, or the user gives up."""
    editor = chosen_editor(os.environ)
    known = is_known(editor)
    if not known:
        click.echo(
            f"Warning: mlkeys does not know the editor '{editor}'. Check that it keeps no backup, undo or recovery "
            "files.",
            err=True,
        )
    _put(buffer, _shown(aim, before))
    while True:
        begin = time.monotonic()
        status = guard.edit(editor, buffer, os.environ)
        at_once = time.monotonic() - begin < _AT_ONCE
        if status:
            raise MlkeysError(f"The editor failed with status {status}. {aim.path} is unchanged.")
        try:
            text = _taken(buffer)
            fitting = _fitting(aim, text)
            after = _understood(fitting, text)
            if after == before:
                if at_once and not known:
                    click.echo(_RETURNED.format(editor=editor), err=True)
                return ()
            if not allow_ciphertext:
                new = {name: value for name, value in after.items() if before.get(name) != value}
                refuse_ciphertext(_values(fitting, new))
            with guard.waiting():
                _check_removals(before, after, emptied=not text.strip())
            return _merged_and_written(fitting, before, after, guard)
        except ChangedMeanwhile:
            raise
        except MlkeysError as problem:
            reason = str(problem)
        with guard.waiting():
            if not _asks_again(reason):
                raise MlkeysError(f"{reason}\n{aim.path} is unchanged.")


def _check_removals(before: Mapping[str, str], after: Mapping[str, str], *, emptied: bool) -> None:
    """Ask before half of the entries or more are removed, or one became a part of another: it may be a mistake.

    Args:
        emptied: whether the text is empty. An editor that works leaves at least the comment at its top.

    Raises:
        MlkeysError: the user, or nobody, agreed.
    """
    removed = [name for name in before if name not in after]
    inside = swallowed(before, after)
    if not emptied and not inside and (len(removed) < _FEW or 2 * len(removed) < len(before)):
        return
    entries = f"{len(removed)} of {len(before)} {'entry' if len(before) == 1 else 'entries'}: {', '.join(removed)}."
    reason = f"The edited text is empty, which removes {entries}" if emptied else f"The edited text removes {entries}"
    if inside:
        reason += f" Of these, {', '.join(inside)} may now be lines of another value: check the spaces before them."
    if not sys.stdin.isatty():
        raise MlkeysError(f"{reason} Without a terminal to confirm this, remove them line by line, in several steps.")
    click.secho(reason, fg="red", err=True)
    if not click.confirm("Remove them?", default=False, err=True):
        raise MlkeysError("They are not removed.")


def _merged_and_written(
    aim: Target, before: Mapping[str, str], after: dict[str, str], guard: Guard
) -> tuple[Change, ...]:
    """Write the edited secrets, with the entries that were changed in the file meanwhile.

    Raises:
        ChangedMeanwhile: the file keeps changing.
        MlkeysError: an entry was changed on both sides, or something cannot be read or written.
    """
    secrets = after
    for _ in range(_ATTEMPTS):
        try:
            check_unchanged(aim.path, aim.before)
            return _written(aim, secrets, guard)
        except ChangedMeanwhile as changed:
            # The last one is raised after the loop. Python deletes the name of the clause at its end.
            failure = changed
        with guard.waiting():
            was_nested, aim = aim.is_nested, target(aim.path, aim.key, aim.backend)
            if aim.is_nested != was_nested:
                raise MlkeysError(f"{aim.path} has another format since somebody else changed it. Edit it again.")
            secrets = merged(before, after, _decrypted(aim))
        notice(f"{aim.path} was changed in the meantime: the changes are merged.")
    raise failure


def _written(aim: Target, secrets: Mapping[str, str], guard: Guard) -> tuple[Change, ...]:
    # A new login: editing may have taken longer than a token lives.
    with collection.connected() as client:
        with guard.waiting():
            planned = aim.planned(client, _values(aim, secrets), purge=True)
            planned = _without(planned, [name for name in _unencrypted(aim) if name not in secrets])
        aim.write(client, planned)
    return planned.changes


def _without(planned: Planned, names: Sequence[str]) -> Planned:
    """The plan, which also removes these values that the file leaves unencrypted: only entries are purged."""
    from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.changes import REMOVED, EntryChange

    changes = tuple(Change(name, REMOVED, "", None) for name in names)
    plan = replace(planned.plan, changes=[*planned.plan.changes, *(EntryChange(name, REMOVED) for name in names)])
    return Planned((*planned.changes, *changes), plan)


def _values(aim: Target, secrets: Mapping[str, str]) -> dict[str, object]:
    """The values of secrets as `_decrypted` has them."""
    return {name: json.loads(value) if aim.is_nested else value for name, value in secrets.items()}


def _asks_again(reason: str) -> bool:
    if not sys.stdin.isatty():
        return False
    click.secho(reason, fg="red", err=True)
    return click.confirm("Edit again?", default=True, err=True)


def _put(buffer: Path, text: str) -> None:
    descriptor = os.open(buffer, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def _taken(buffer: Path) -> str:
    try:
        return buffer.read_bytes().decode()
    except UnicodeDecodeError:
        raise MlkeysError("The edited text is not UTF-8.") from None
    except OSError:
        raise MlkeysError("The editor removed the file.") from None
