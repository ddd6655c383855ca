# SPDX-FileCopyrightText: 2026 mlkeys contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read encrypted vars files on the controller, with Ansible's own YAML library. **Private** to the collection."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Iterable, Iterator, Mapping

import yaml
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import (
    InvalidOption,
    TransitError,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.reading import opened_to_read
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._files.replacing import MOST_BYTES
from ansible_collections.mlkeys.transit.plugins.module_utils._shared._yaml.limits import yaml_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.merge_conflicts import conflict_in
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import ODD_TEXT_RAISES
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    NESTED,
    Place,
    VarsFile,
    assembled,
    interpret,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.kv import Documents
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.sealed import Sealed, sealed
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.stored import (
    check_key,
    is_controlling,
    resolved,
    too_large,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.marking import (
    as_in_any_file,
    as_no_template,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.project import files_to_load
from jinja2 import Undefined

if TYPE_CHECKING:
    from ansible_collections.mlkeys.transit.plugins.module_utils._connection.client import Client

# Returns a client that is logged in, or raises TransitError.
Connect = Callable[[], "Client"]

# The loader in C is ten times as fast, where PyYAML was built with it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path: str, connect: Connect) -> VarsFile:
    """The file's content, or that of the document in a KV engine that it points to.

    Raises:
        TransitError: it is not an encrypted vars file. The message repeats no line of it.
    """
    return resolved(from_disk(path), connect)


def not_found(path: str) -> str:
    """The sentence about a file that is searched as ``vars_files`` are, and is in none of these places."""
    return f"{path} does not exist beside the playbook, nor in vars of the role."


def stored_content(path: str) -> dict[Any, Any]:
    """What a file holds as it is stored, with its ``_transit``. No text in it is a template.

    Raises:
        TransitError: it is not an encrypted vars file. The message repeats no line of it.
    """
    with _opened(path) as stream:
        content = _content(stream, path)
    check_key(interpret(content, path))
    return {as_no_template(name): as_no_template(value) for name, value in content.items()}


def loaded(content: Mapping[Any, Any], source: str, connect: Connect) -> VarsFile:
    """The same for content that Ansible has loaded.

    Args:
        source: what names it in messages.

    Raises:
        TransitError: it is not that of an encrypted vars file, or its values and its ``_transit`` are of two.
    """
    file = resolved(stored(content, source), connect)
    # Of variables without a common name, the file that Ansible loads last sets _transit for all files. The types of
    # nested data are there.
    strange = [entry.name for entry in file.entries.values() if not entry.fingerprint]
    if file.format == NESTED and strange:
        raise InvalidOption(
            f"the _transit has no fingerprint of {strange[0]}, so the type of its value is not known. It is that of "
            "another file if you load several. Read each with the lookup mlkeys.transit.vault_transit_vars, or load "
            "each under a name of its own: include_vars with 'file' and 'name'."
        )
    return file


def stored(content: Mapping[Any, Any], source: str) -> VarsFile:
    """What content that Ansible has loaded holds itself, without a document that it points to.

    Raises:
        InvalidOption: it is not that of an encrypted vars file.
    """
    data = _as_data(content)
    if METADATA not in data and _holds_ciphertext(list(data.values())):
        raise InvalidOption(
            f"{source} has ciphertext and no {METADATA}, which names its key. Pass {METADATA} of the same file with it."
        )
    return interpret(data, source)


def _holds_ciphertext(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_holds_ciphertext, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and ciphertext_version(value.strip()) is not None


def _as_data(value: Any) -> Any:
    """Data as YAML has them: Ansible evaluates what it loaded when somebody looks at it."""
    if isinstance(value, Mapping):
        return {_as_data(name): _as_data(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_data(inner) for inner in value]
    # The text of what is undefined is an error that says so, and why.
    return str(value) if isinstance(value, (str, Undefined)) else value


def load_document(mount: str, path: str, connect: Connect) -> VarsFile:
    """A document in a KV engine to which no file points.

    Raises:
        TransitError: it cannot be read, or holds something else.
    """
    stored = Documents(connect(), mount).read(path)
    file = interpret(stored.content, f"{mount}/{path}")
    check_key(file)
    return replace(file, place=Place(mount, path))


def names_of_key(path: str) -> tuple[str, str]:
    """The engine and the key that a file names, without a look at a document that it points to.

    Raises:
        TransitError: it is not an encrypted vars file.
    """
    file = from_disk(path)
    return file.backend, file.key


def is_vars_file(path: str) -> bool:
    """Whether a file is an encrypted vars file with entries of its own, whatever its name.

    Not with variables beside them that are not encrypted: nothing writes such a file as a whole.
    """
    try:
        with opened_to_read(path) as stream:
            text = stream.read(MOST_BYTES + 1)
            if METADATA.encode() not in text:
                return False
            stream.seek(0)
            file = interpreted(stream, path)
    except (OSError, TransitError):
        return False
    return bool(file.entries and file.backend and file.key) and not file.plain and file.place is None


def missing_document(file: VarsFile, connect: Connect) -> tuple[int, list[int] | None] | None:
    """The versions of the document of a file, as `Documents.missing` has them; ``None`` if there is nothing missing."""
    return None if file.place is None else Documents(connect(), file.place.mount).missing(file.place.path)


class StoredVariables:
    """The content of files as it is stored. A file that is not valid has none: a run reports what is wrong.

    Values that are not encrypted are never templates. Ansible's own plugin reads the file too, and would evaluate them.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], tuple[dict[str, Any], list[str], list[str]]]] = {}

    def of(self, paths: Iterable[str], *, may_control: bool) -> dict[str, Any]:
        """
        Args:
            may_control: whether values that are not encrypted may set variables that control Ansible.

        Raises:
            InvalidOption: they may not, and a file does.
        """
        found: dict[str, Any] = {}
        for path in paths:
            with contextlib.suppress(TransitError, OSError):
                stored, plain, own = self._of(path)
                found.update(stored)
                controlling = own or ([] if may_control else [name for name in plain if name.startswith("ansible_")])
                if controlling:
                    break
        else:
            return found
        raise InvalidOption(
            f"{path} sets {', '.join(controlling)} without encryption. It controls Ansible and is not a secret: move "
            "it to another vars file."
        )

    def _of(self, path: str) -> tuple[dict[str, Any], list[str], list[str]]:
        """The variables, which of them are not encrypted, and which control a run though only the file allows it.

        Read again when the file has changed.
        """
        status = os.stat(path)
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._known.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        # If the new content is invalid, the old one must not be used.
        self._known.pop(path, None)
        file = from_disk(path)
        variables = {str(name): as_no_template(value) for name, value in file.plain.items()}
        plain, own = list(variables), [name for name in file.open if is_controlling(name)]
        variables.update((name, as_no_template(value)) for name, value in file.open.items())
        variables.update((entry.name, as_in_any_file(entry.ciphertext)) for entry in file.entries.values())
        variables = assembled(file, variables)
        self._known[path] = (mark, (variables, plain, own))
        return variables, plain, own


def when_used(path: str) -> dict[str, Any] | None:
    """The variables of a file as templates, each of which decrypts its variable when somebody uses it.

    Nothing is asked for what nobody uses, and each use evaluates a template. ``None`` for a file whose entries are
    elsewhere, or that is not valid.
    """
    try:
        file = resolved(from_disk(path), _never)
    except TransitError:
        return None
    if file.plain:
        return None
    stored = {name: as_no_template(value) for name, value in file.open.items()}
    variables = assembled(file, {**stored, **{entry.name: "" for entry in file.entries.values()}})
    for name in {entry.name.partition(".")[0] for entry in file.entries.values()}:
        arguments, one = f"{json.dumps(path)}, names=[{json.dumps(name)}]", json.dumps(name)
        variables[name] = as_in_any_file(f"{{{{ lookup('mlkeys.transit.vault_transit_vars', {arguments})[{one}] }}}}")
    return variables


def entries_beside(base: str, backend: str, key: str) -> list[Sealed]:
    """The entries of a key in the files that playbooks of this folder load."""
    found = []
    for path in files_to_load(base):
        with contextlib.suppress(TransitError):
            file = from_disk(path)
            if (file.backend, file.key) == (backend, key):
                found += sealed(backend, key, file.entries.values())
    return found


def _never() -> Client:
    raise InvalidOption("nothing is asked before it is used")


def from_disk(path: str) -> VarsFile:
    """A file as it is on the disk, which may only point to a document of the server.

    Raises:
        TransitError: it cannot be read, or is not valid.
    """
    with _opened(path) as stream:
        return interpreted(stream, path)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with opened_to_read(path) as stream:
            yield stream
    except OSError as error:
        raise InvalidOption(f"{path}: {error.strerror or 'it cannot be read'}.") from None


def interpreted(stream: BinaryIO, path: str) -> VarsFile:
    """The content of a file that is open.

    Raises:
        InvalidOption: it is not an encrypted vars file.
        OSError: it cannot be read.
    """
    return interpret(_content(stream, path), path)


def _content(stream: BinaryIO, path: str) -> Any:
    text = stream.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise too_large(path)
    conflict = conflict_in(text, path)
    if conflict:
        raise InvalidOption(conflict)
    try:
        problem = yaml_problem(text, lambda: yaml.parse(text, Loader=_Loader))
        if problem:
            raise InvalidOption(f"{path} {problem}.")
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  a safe one
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise InvalidOption(f"{path} is not YAML{line}.") from None
    except (yaml.YAMLError, *ODD_TEXT_RAISES):
        raise InvalidOption(f"{path} is not YAML.") from None
    return {} if document is None else document
