# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""What the collection's playbooks run on: the stacks of a program, or an inventory."""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Concatenate, ParamSpec, TextIO, TypeVar

import click
from click.core import ParameterSource

from mlkeys._analysis.view import View
from mlkeys._commands.fleet.servers import Server, check_recorded, same_servers, server_of
from mlkeys._commands.paths import PathType, program_words
from mlkeys._commands.playbook import Run, ansible_playbook
from mlkeys._commands.project import chosen, out_option, program_argument, stack_option, synthesised
from mlkeys._constructs.encrypted_vars import EncryptedVars
from mlkeys._constructs.key_resource import KeyResource
from mlkeys._errors import MlkeysError
from mlkeys._model.stack import Stack
from mlkeys._shared.printable import printable
from mlkeys._shared.vars_places import missing_inventories
from mlkeys._synthesis.program import modules_of
from mlkeys._targets.state_names import folder_of

P = ParamSpec("P")
T = TypeVar("T")

_CIPHERTEXT_ONLY = {"MLKEYS_TRANSIT_VARS_DECRYPT": "never"}

_inventory_option = click.option(
    "--inventory",
    "-i",
    "inventories",
    multiple=True,
    metavar="PATH",
    type=PathType(path_type=str),
    help="Use an inventory instead of PROGRAM; repeatable.",
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, by engine and name."""

    backend: str
    name: str

    def __str__(self) -> str:
        return f"{self.backend}/{self.name}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """Hosts, and how Ansible finds them.

    Attributes:
        keys: the keys of its ciphertexts and the names of the secrets, as far as a program declares them.
        generated: whether Ansible uses the configuration of the folder and no other.
        sources: the program, and the modules beside it. Ciphertexts may be written into them.
        server: address and namespace, of the program or of the environment.
        owned: those of the keys that it manages.
        selected: whether the command is about it. Others may have ciphertexts of the same keys.
        held: of a program, the folder of all that is generated, and the folder of the ciphertexts of this stack.
        arguments: the words by which a command finds it.
        also: what `--also` names it; empty for those that the command is about. The user knows that it uses their keys.
    """

    name: str
    folder: Path
    inventories: Sequence[str] = ()
    keys: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    generated: bool = False
    sources: Sequence[str] = ()
    server: Server = ("", "")
    owned: frozenset[Key] = frozenset()
    selected: bool = True
    held: tuple[str, ...] = ()
    arguments: Sequence[str] = ()
    also: str = ""

    def secrets_of(self, key: Key) -> frozenset[str]:
        """The names of the secrets that a program encrypts with the key."""
        return self.keys.get(key, frozenset())

    def run(
        self,
        playbook: str,
        variables: Mapping[str, object],
        arguments: Sequence[str] = (),
        *,
        limit: str | None,
        show: TextIO | None,
        brief: bool,
        extra: Mapping[str, str] | None = None,
    ) -> Run:
        """Run one of the collection's playbooks.

        Args:
            variables: extra variables. They become arguments of a process, so they must not contain secrets.
            limit: a pattern of hosts. The controller is always included.
            show, brief: as `ansible_playbook` has them.
            extra: environment variables, which may contain secrets.

        Raises:
            MlkeysError: it cannot be run.
        """
        given = [word for path in self.inventories for word in ("--inventory", path)]
        # A program defines the files of every host, the controller included.
        everywhere: dict[str, object] = {}
        if self.generated:
            everywhere = {
                "vault_transit_hosts": "all",
                "vault_transit_undeclared": True,
                "vault_transit_sources": self.sources,
            }
        if limit is not None and "@" not in limit:
            # The controller alone would be no error of Ansible's.
            everywhere["vault_transit_limit"] = limit
        only = [] if limit is None else ["--limit", f"localhost,{limit}"]
        argv = [*given, "--extra-vars", json.dumps({**everywhere, **variables}), *arguments, *only]
        # These playbooks work on ciphertext: their runs need no secret, and can show none.
        unset = {name: value for name, value in _CIPHERTEXT_ONLY.items() if name not in os.environ}
        return ansible_playbook(
            self.folder,
            f"mlkeys.transit.{playbook}",
            argv,
            show=show,
            generated=self.generated,
            brief=brief,
            extra={**unset, **(extra or {})},
        )


def for_fleets(function: Callable[Concatenate[list[Fleet], P], T]) -> Callable[..., T]:
    """Add the arguments that select fleets to a command, and pass the fleets to the function."""

    @program_argument
    @out_option
    @stack_option
    @_inventory_option
    @functools.wraps(function)
    def command(
        program: Path,
        out: Path | None,
        stacks: tuple[str, ...],
        inventories: tuple[str, ...],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        return function(_fleets(program, out, stacks, inventories), *arguments, **options)

    return command


def _fleets(program: Path, out: Path | None, stacks: Sequence[str], inventories: Sequence[str]) -> list[Fleet]:
    """The stacks of a program, also those that are not selected, or an inventory.

    Raises:
        MlkeysError: neither is given, or it does not exist.
    """
    if inventories:
        if stacks:
            raise MlkeysError("--stack cannot be used with --inventory: an inventory has no stacks.")
        _refuse_parts_of_programs(program)
        if problem := missing_inventories(inventories):
            raise MlkeysError(printable(problem))
        words = [word for one in inventories for word in ("-i", one)]
        return [Fleet(printable(", ".join(inventories)), Path(), inventories, arguments=words)]
    if not program.exists():
        raise MlkeysError(f"{program} does not exist. Give a program, or an inventory with --inventory.")
    # Only a deployment renames folders of stacks.
    app, folder = synthesised(program, out, writes=False)
    sources = _sources(program)
    view, selected = View(app), chosen(app, stacks)
    return [
        Fleet(
            stack.node.id,
            folder / "ansible" / stack.node.id,
            keys=_keys(view, stack),
            generated=True,
            sources=sources,
            server=server_of(stack),
            owned=_owned(view, stack),
            selected=stack in selected,
            arguments=[*([] if out is None else ["--out", str(out)]), *program_words(program)],
            held=(str(folder.resolve()), str(Path(app.node.folder or ".").absolute() / folder_of(stack.node.id))),
        )
        for stack in chosen(app, ())
    ]


def _refuse_parts_of_programs(program: Path) -> None:
    """Refuse what an inventory would leave unused.

    Raises:
        click.UsageError: a program, or its folder of generated files, is named beside an inventory.
    """
    context = click.get_current_context()
    given = [name for name in ("program", "out") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        named = printable(str(program)) if given[0] == "program" else "--out"
        raise click.UsageError(f"{named} cannot be used with --inventory: name a program or an inventory.")


def alongside(paths: Sequence[str], own: Sequence[Fleet] = ()) -> list[Fleet]:
    """The fleets of further programs and inventories, which use the same keys as those of the command.

    Raises:
        MlkeysError: a program cannot be run, a folder has neither, or a project is named twice.
    """
    found: list[Fleet] = []
    seen = {place for fleet in own for place in _places(fleet)}
    for path in paths:
        program = _program_at(Path(path))
        if program is None and Path(path).is_dir() and not any(map(_is_inventory, _listed(Path(path)))):
            raise MlkeysError(
                f"--also {path}: this is neither a program nor an inventory. Name its app.py, or its inventory."
            )
        fleets = _fleets(program, None, (), ()) if program else [_beside(Path(path).absolute())]
        places = {place for fleet in fleets for place in _places(fleet)}
        if places & seen:
            raise MlkeysError(f"--also {path}: this project is named already.")
        seen |= places
        for fleet in fleets:
            name = printable(f"{path}: {fleet.name}" if fleet.generated else path)
            found.append(replace(fleet, name=name, selected=False, also=path))
    return found


#: Files of inventories by their names. Ansible takes each word of any other text for a host.
_INVENTORIES = (".yml", ".yaml", ".json", ".ini", ".toml")
_NAMED = ("hosts", "inventory")


def _listed(folder: Path) -> Iterator[Path]:
    """The files of an inventory that is a folder."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in ("group_vars", "host_vars")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _is_inventory(file: Path) -> bool:
    if file.suffix in _INVENTORIES or file.stem in _NAMED or os.access(file, os.X_OK):
        return True
    try:
        with file.open("rb") as stream:
            return any(line.startswith(b"[") for line in stream.read(_HEAD).splitlines())
    except OSError:
        return False


#: So much of a file shows whether it has groups.
_HEAD = 65536


def _beside(inventory: Path) -> Fleet:
    """The fleet of an inventory of another project, whose `ansible.cfg` applies to it."""
    above = [inventory, *inventory.parents] if inventory.is_dir() else [*inventory.parents]
    marked = (folder for folder in above if any((folder / name).exists() for name in _TOP))
    return Fleet("", next(marked, above[0]), [str(inventory)])


#: One of these is in the folder at the top of a project.
_TOP = ("ansible.cfg", ".git", "galaxy.yml")


def _places(fleet: Fleet) -> set[Path]:
    """What a project is known by: its program, or its inventories."""
    return {Path(place).resolve() for place in (fleet.sources[:1] if fleet.generated else fleet.inventories)}


def _program_at(path: Path) -> Path | None:
    """The program that a path names; None if it names an inventory. Inventories that are programs can be executed."""
    if path.is_dir():
        return path / "app.py" if (path / "app.py").is_file() else None
    return path if path.suffix == ".py" and not os.access(path, os.X_OK) else None


def besides(fleet: Fleet, fleets: Sequence[Fleet]) -> tuple[str, ...]:
    """Where the runs of the other fleets look, and what is generated: another run makes that again."""
    found = list(fleet.held[:1])
    for other in fleets:
        if other.name == fleet.name:
            continue
        if other.generated:
            found += [*other.held, *other.sources]
        else:
            found += [str(Path(one).absolute()) for one in other.inventories]
    return tuple(dict.fromkeys(found))


def check_servers(fleets: Sequence[Fleet], names: Collection[str]) -> None:
    """Check that the ciphertexts of stacks are of the servers that the stacks go to.

    Args:
        fleets: with the addresses of their servers.
        names: of those to check.

    Raises:
        MlkeysError: those of one are not.
    """
    check_recorded({Path(fleet.held[1]): fleet.server for fleet in fleets if fleet.held and fleet.name in names})


def with_one_name_each(fleets: Sequence[Fleet]) -> list[Fleet]:
    """The fleets, with one name for each server on which several of them have a key of the same path."""
    users = Counter(key for fleet in fleets for key in fleet.keys)
    asked = {fleet.name: fleet.server for fleet in fleets if any(users[key] > 1 for key in fleet.keys)}
    known = same_servers(asked)
    return [replace(fleet, server=known.get(fleet.name, fleet.server)) for fleet in fleets]


def _sources(program: Path) -> list[str]:
    """The program, and the modules in its folder that it imported."""
    path = program.resolve()
    beside = {str(file.resolve()) for file in modules_of(program)}
    return [str(path), *sorted(beside - {str(path)})]


def _keys(view: View, stack: Stack) -> dict[Key, frozenset[str]]:
    found: dict[Key, frozenset[str]] = {}
    for file in view.in_stack(stack):
        if isinstance(file, EncryptedVars):
            key = _key(view, file.key)
            found[key] = found.get(key, frozenset()) | {entry.name for entry in file.entries}
    return found


def _owned(view: View, stack: Stack) -> frozenset[Key]:
    return frozenset(_key(view, key) for key in view.of_kind(stack, KeyResource) if key.managed)


def _key(view: View, key: KeyResource) -> Key:
    return Key(view.text(str(key.backend)).strip("/"), view.text(str(key.name)))
