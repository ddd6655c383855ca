# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""What a task wants an encrypted vars file to hold. Pure. **Private** to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Iterable, Mapping

from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.kept_sealed import sealed
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import path_problem
from ansible_collections.mlkeys.transit.plugins.module_utils._transit.options import checked_mount, checked_name
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.entries import (
    FLAT,
    IN_KV,
    NESTED,
    Place,
    VarsFile,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import (
    KeyNotText,
    chosen,
    covers,
    flattened,
    is_path,
    leaf_problems,
    lists_in,
    name_problems,
    split,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import (
    Json,
    NotEncryptable,
    decoded,
    encoded,
)

Secrets = Mapping[str, bytes]


@dataclass(frozen=True)
class VarsRequest:
    """The secrets that a vars file should hold, and the keys to encrypt them with.

    Attributes:
        path: of the file, empty for a document without one.
        text: the file's present text.
        place: the document of a KV engine that holds the entries, ``None`` for a file that holds them or points there.
        ungiven: names of secrets without a value, whose stored ciphertexts stay.
        hollow: names of secrets that are empty mappings or lists, which are values only where nothing is stored below.
        key_version: the version that no entry should be behind, 0 for the latest.
        purge: whether to remove entries that are neither among the secrets nor named by ``keep``.
        left: entries that stay as they are, whatever version they have.
        nests: whether the secrets are nested, and need a file for that.
        lists: the lists among the secrets, with their lengths. What the file holds behind these goes.
        gone: why entries of the file have no place any more beside the secrets.
        plain: values that the file does not want to have encrypted, by name.
        may_lack_fingerprints: whether to write secrets for which the token may not compute, or verify, a fingerprint.
    """

    backend: str
    key: str
    fingerprint_key: str
    secrets: Secrets = field(default_factory=dict, repr=False)
    ungiven: frozenset[str] = frozenset()
    hollow: frozenset[str] = frozenset()
    path: str = ""
    text: str = field(default="", repr=False)
    place: Place | None = None
    key_version: int = 0
    purge: bool = False
    keep: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    refresh_fingerprints: bool = False
    return_successors: bool = False
    nests: bool = False
    lists: Mapping[str, int] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)
    may_lack_fingerprints: bool = False
    plain: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """
        Raises:
            InvalidOption: a key has an invalid name, or there cannot be such a version.
        """
        for name in (self.key, self.fingerprint_key):
            checked_name(name)
        if self.key_version < 0:
            raise InvalidOption("key_version must not be negative: it is a version of the key, or 0 for the latest.")


def vars_request(options: Mapping[str, Any], text: str) -> VarsRequest:
    """The request that the options of ``vault_transit_vars`` make.

    Args:
        text: of the file at the option ``path``.

    Raises:
        InvalidOption: an option is invalid.
    """
    secrets = options["secrets"]
    if options["purge"] and not secrets and options["keep"] is None:
        raise InvalidOption(
            "purge would remove every entry, because neither secrets nor keep names one. Leave purge out to keep them, "
            "or set keep: [] to remove them all."
        )
    leaves = _leaves(secrets)
    meant = _meant_to_be_empty(options["store_empty"], leaves)
    given = {name: value for name, value in leaves.items() if name in meant or not _is_ungiven(value)}
    if not options["allow_ciphertext"]:
        _check_not_sealed(given)
    nests = bool(meant) or any(_is_deep(name) or isinstance(value, (dict, list)) for name, value in secrets.items())
    return VarsRequest(
        backend=checked_mount(options["backend"]),
        key=options["key"],
        fingerprint_key=options["fingerprint_key"] or options["key"],
        secrets=checked_leaves(given, also_named=leaves) if nests else checked_secrets(given, also_named=leaves),
        ungiven=frozenset(leaves) - frozenset(given),
        hollow=frozenset(name for name, value in given.items() if value in ({}, []) and name not in meant),
        path=str(options["path"] or ""),
        text=text,
        place=_place(options) if options["store"] == IN_KV else None,
        key_version=int(options["key_version"]),
        purge=bool(options["purge"]),
        keep=frozenset(options["keep"] or ()),
        left=frozenset(options["leave"]),
        refresh_fingerprints=bool(options["refresh_fingerprints"]),
        return_successors=bool(options["return_successors"]),
        nests=nests,
        lists=dict(lists_in({name: value for name, value in secrets.items() if not _is_deep(name)})),
    )


def nothing_to_keep(names: Iterable[str], path: str, *, typed: bool) -> str:
    """The message about secrets without a value that have no stored ciphertext either.

    Args:
        path: of the file.
        typed: whether it can hold empty values.
    """
    problems = "; ".join(f"the value of '{name}' is empty" for name in names)
    empty = " If it is meant to be empty, name it in store_empty, or use 'mlkeys set --type json'." if typed else ""
    return (
        f"secrets: {problems}, and {path} holds no ciphertext to keep. Pass the value, or encrypt it with 'mlkeys set'."
        f"{empty}"
    )


def _check_not_sealed(given: Mapping[str, Any]) -> None:
    """
    Raises:
        InvalidOption: a value is or contains a ciphertext: what should have decrypted it did not run.
    """
    problems = [
        f"the value of '{name}' {verb} a ciphertext (vault:vN:...)"
        for name, value in given.items()
        if (verb := sealed(value))
    ]
    if problems:
        raise InvalidOption(
            f"secrets: {'; '.join(problems)}, so nothing decrypted it. Run Ansible in the folder of the ansible.cfg "
            "that enables the vars plugin. To encrypt ciphertext, set allow_ciphertext: true."
        )


def _is_deep(name: Any) -> bool:
    """Whether a name is the path of data in a variable."""
    return isinstance(name, str) and "." in name and is_path(name)


def _leaves(secrets: Mapping[Any, Any]) -> dict[str, Any]:
    """
    Raises:
        InvalidOption: a variable cannot have a name, or a key is not text.
    """
    problems = name_problems([str(name) for name in secrets if not _is_deep(name)])
    if problems:
        raise InvalidOption(f"secrets: {'; '.join(problems)}.")
    leaves = {}
    try:
        for name, value in secrets.items():
            below = flattened({"x": value})
            leaves.update({f"{name}{path[1:]}": inner for path, inner in below.items()})
    except KeyNotText as error:
        raise InvalidOption(f"secrets: '{name}{error.above[1:]}' has a key that is not text (quote it).") from None
    return leaves


def checked_secrets(given: Mapping[str, Any], also_named: Iterable[str] = ()) -> dict[str, bytes]:
    """The secrets as they are encrypted.

    Args:
        also_named: names that must be valid too.

    Raises:
        InvalidOption: a name or a value is invalid. The message shows no value.
    """
    problems = name_problems([str(name) for name in dict.fromkeys([*also_named, *given])])
    problems += [
        f"the value of '{name}' is empty, which only a file of format 2 can hold (mlkeys upgrade)"
        for name, value in given.items()
        if value == ""
    ]
    return _encoded(given, problems)


def checked_leaves(given: Mapping[str, Any], also_named: Iterable[str] = ()) -> dict[str, bytes]:
    """The same for leaves of nested data, by path. They may be any values that JSON has."""
    return _encoded(given, leaf_problems(list(dict.fromkeys([*also_named, *given]))))


def _encoded(given: Mapping[str, Any], problems: list[str]) -> dict[str, bytes]:
    values = {}
    for name, value in given.items():
        try:
            values[name] = encoded(value)
        except NotEncryptable as error:
            problems.append(f"the value of '{name}' {error.must}")
    if problems:
        raise InvalidOption(f"secrets: {'; '.join(problems)}.")
    return values


def _meant_to_be_empty(names: Iterable[str], leaves: Mapping[str, Any]) -> frozenset[str]:
    """The leaves whose empty values are values.

    Raises:
        InvalidOption: a name is that of no secret.
    """
    found = {name: [path for path in leaves if covers(name, path)] for name in names}
    unknown = [name for name, paths in found.items() if not paths]
    if unknown:
        raise InvalidOption(f"store_empty names what is not among secrets: {', '.join(unknown)}.")
    return frozenset(path for paths in found.values() for path in paths)


def _is_ungiven(value: Any) -> bool:
    """Whether somebody who has no plaintext passes this: an empty environment variable, for one."""
    return value is None or value == ""


def _place(options: Mapping[str, Any]) -> Place:
    place = Place(str(options["kv_mount"]).strip("/"), str(options["kv_path"] or "").strip("/"))
    if not (place.mount and place.path):
        raise InvalidOption("store: kv needs kv_mount and kv_path.")
    problem = path_problem(place.path)
    if problem:
        raise InvalidOption(f"kv_path: {problem}.")
    return Place(checked_mount(place.mount), place.path)


def fitted(request: VarsRequest, file: VarsFile) -> tuple[VarsRequest, VarsFile]:
    """The request with the names of leaves that the file has, and the file with the format that it needs.

    Raises:
        InvalidOption: the file holds texts alone, and the secrets are nested or no texts.
    """
    kind = NESTED if request.nests and not file.entries else file.format
    if kind == FLAT:
        if request.nests:
            raise InvalidOption(
                f"{file.path} is of format {FLAT}, which holds texts under names of variables, but the secrets are "
                f"nested. Turn it into format {NESTED} first: mlkeys upgrade {file.path}"
            )
        typed = [
            f"the value of '{name}' must be text (quote it)"
            for name, value in request.secrets.items()
            if isinstance(value, Json)
        ]
        if typed:
            raise InvalidOption(f"secrets: {'; '.join(typed)}.")
        return request, file
    request = _without_hollow(request, file)
    request = replace(
        request,
        ungiven=_leaves_of(request.ungiven, file),
        keep=_leaves_of(request.keep, file),
        left=_leaves_of(request.left, file),
    )
    request = _with_plain(replace(request, gone=_without_place(request, file)), file)
    return request, replace(file, format=kind)


def _with_plain(request: VarsRequest, file: VarsFile) -> VarsRequest:
    """The request with what the file leaves unencrypted set apart from the secrets."""
    values = {name: decoded(value) for name, value in request.secrets.items()} if file.unencrypted else {}
    plain = {name: value for name, value in values.items() if file.stays_plain(name, value)}
    return replace(
        request, plain=plain, secrets={name: value for name, value in request.secrets.items() if name not in plain}
    )


def _without_hollow(request: VarsRequest, file: VarsFile) -> VarsRequest:
    """The request without empty mappings and lists that would replace stored secrets, such as ``default({})``."""
    held = frozenset(name for name in request.hollow if any(covers(name, one) and one != name for one in file.entries))
    secrets = {name: value for name, value in request.secrets.items() if name not in held}
    lists = {name: length for name, length in request.lists.items() if name not in held}
    return replace(request, secrets=secrets, ungiven=request.ungiven | held, lists=lists)


def _leaves_of(names: frozenset[str], file: VarsFile) -> frozenset[str]:
    """The leaves that names lead to; a name as it is where the file has none."""
    return frozenset(path for name, paths in chosen(names, file.entries).items() for path in paths or [name])


def _without_place(request: VarsRequest, file: VarsFile) -> dict[str, str]:
    """Entries that cannot stay beside the given secrets, and why."""
    given = {*request.secrets, *request.ungiven}
    gone = {}
    for name in file.entries:
        if name in given:
            continue
        if any(covers(one, name) or covers(name, one) for one in request.secrets):
            gone[name] = "replaced"
        for path, length in request.lists.items():
            if covers(path, name) and path != name:
                index = split(name[len(path) + 1 :])[0]
                if isinstance(index, int) and index >= length:
                    gone[name] = "not in the list"
    return gone
