# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Whether Ansible decrypts the encrypted vars files that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlkeys._commands.declared import loaded
from mlkeys._commands.doctor.check import Check
from mlkeys._commands.vars_plugins import CONFIGURATION, overruled
from mlkeys._lint.declared import is_of_role, loads
from mlkeys._lint.enabled import Uses, uses_in
from mlkeys._lint.findings import LOADED
from mlkeys._lint.ignored_folders import IGNORED_FOLDERS
from mlkeys._shared._files.reading import opened_to_read
from mlkeys._shared.vars_files import METADATA, is_read_by_ansible
from mlkeys._shared.vars_places import beside
from mlkeys._shared.vars_plugins import PLUGIN, SETTING, is_enabled, problem
from mlkeys._system.worktree import Looked, Worktree

MISNAMED = "not decrypted, because the name does not end with .transit.yml"
RENAME = "Rename the file to NAME.transit.yml."
_NAME = "vars plugin"
_ENDINGS = (".yml", ".yaml", ".json")
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """Encrypted vars files of hosts and groups.

    Attributes:
        named: those that the vars plugin reads.
        misnamed: those that it does not, because of their names.
    """

    named: list[str]
    misnamed: list[str]


def encrypted_files(folder: Path) -> Found:
    """The files in a folder, and in its folder `inventory`, as Ansible reads them."""
    found = Found([], [])
    for base in (folder, folder / "inventory"):
        for kind in ("group_vars", "host_vars"):
            for path in sorted((base / kind).rglob("*")):
                shown = path.relative_to(folder).as_posix()
                if is_read_by_ansible(path.name):
                    found.named.append(shown)
                elif path.suffix in _ENDINGS and _has_metadata(path):
                    found.misnamed.append(shown)
    return found


def loaded_files(folder: Path) -> list[str]:
    """Encrypted vars files that a playbook in a folder may load: beside it, and those of roles and in `vars`."""
    found = beside([str(folder)], lambda _problem: None)
    paths = [Path(path).relative_to(folder.resolve()).as_posix() for path in found]
    return [path for path in paths if not path.startswith(("group_vars/", "host_vars/"))]


def _has_metadata(path: Path) -> bool:
    try:
        with opened_to_read(str(path)) as file:
            lines = file.read(_LONGEST).decode(errors="replace").splitlines()
            return any(line.startswith((f"{METADATA}:", f'"{METADATA}"')) for line in lines)
    except OSError:
        return False


def would_use_ciphertext(folder: Path, configuration: str) -> bool:
    """Whether tasks of the project in a folder would get ciphertext from the files of hosts and groups.

    That is so if the folder has what a run starts with, and nothing in it decrypts such files without the vars plugin.

    Args:
        configuration: the file that Ansible reads, empty if it reads none.
    """
    is_configured = bool(configuration) and Path(configuration).resolve().parent == folder.resolve()
    uses = Uses()
    for file in Worktree([folder], ignored=IGNORED_FOLDERS).files():
        if isinstance(file, Looked):
            uses |= uses_in(file.path, file.text)
            if uses.decrypts:
                return False
    return uses.get_ciphertext(configured=is_configured)


def loaded_as_they_are(folder: Path, encrypted: Sequence[str]) -> Iterator[Check]:
    """Where a project loads encrypted vars files as they are (MLK211 of `mlkeys lint`).

    Args:
        encrypted: its encrypted vars files. Without any, the folder is not searched.
    """
    if not encrypted:
        return
    uses = Uses()
    kept = []
    for file in Worktree([folder], ignored=IGNORED_FOLDERS).files():
        if isinstance(file, Looked):
            uses |= uses_in(file.path, file.text)
            if loads(file.text, file.path) or is_of_role(file.path):
                kept.append(file)
    for one in loaded(kept, encrypted, uses.decrypting):
        yield Check("loaded files", "wrong", f"{one.path}:{one.line}: {one.message}", LOADED.advice)


def check(
    found: Found,
    enabled: Sequence[str],
    configuration: str,
    misspelt: Callable[[], Sequence[str]],
    turned_off: Callable[[], tuple[str, str]],
    uses_ciphertext: Callable[[], bool],
) -> Iterator[Check]:
    """Compare the setting with the files.

    Args:
        enabled: the plugins that Ansible's setting lists.
        configuration: the file that Ansible reads, empty if it reads none.
        misspelt: sentences about settings of the vars plugin that have words which they cannot have.
        turned_off: what keeps the vars plugin from decrypting if it is enabled, and what to do; empty if nothing does.
        uses_ciphertext: whether tasks would get ciphertext if the vars plugin is not enabled.
    """
    files = [*found.named, *found.misnamed]
    if wrong := problem(enabled):
        yield Check(_NAME, "wrong", f"{wrong} ({configuration or 'no ansible.cfg'})", "mlkeys init --ansible")
    elif files and not is_enabled(enabled):
        where = f"{configuration} does not list" if configuration else "Ansible finds no ansible.cfg here that lists"
        off = overruled(Path(configuration or CONFIGURATION))
        why = off.why if off else f"{where} {PLUGIN} in {SETTING}"
        remedy = off.remedy if off else "mlkeys init --ansible"
        yield _ciphertext(files, why, remedy, uses_ciphertext)
    elif is_enabled(enabled):
        refused = misspelt()
        yield from (Check(_NAME, "wrong", said.rstrip(".")) for said in refused)
        if found.misnamed:
            yield Check(_NAME, "wrong", f"{_shown(found.misnamed)}: {MISNAMED}", RENAME)
        why, remedy = turned_off()
        if files and why:
            yield _ciphertext(files, why, remedy, uses_ciphertext)
        elif found.named and not refused:
            yield Check(_NAME, "ok", f"Ansible decrypts {_shown(found.named)}")


def _ciphertext(files: Sequence[str], why: str, remedy: str, uses_ciphertext: Callable[[], bool]) -> Check:
    text = f"{why}: variables of {_shown(files)} are ciphertext"
    if uses_ciphertext():
        return Check(_NAME, "wrong", f"{text}, and nothing else here decrypts them", remedy)
    return Check(_NAME, "remark", text, f"If tasks need plaintext: {remedy}")


def _shown(files: Sequence[str]) -> str:
    more = f" and {len(files) - 2} more" if len(files) > 2 else ""
    return f"{', '.join(files[:2])}{more}"
