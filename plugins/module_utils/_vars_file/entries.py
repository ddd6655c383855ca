# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause

"""Encrypted vars files: what one holds, and whether it is valid. **Private** to the collection.

Such a file is an ordinary vars file whose values are ciphertext::

    openai_api_key: vault:v3:5Zf...
    _transit:
      format: 1
      backend: transit
      key: ml-api-key
      hmac:
        openai_api_key: vault:v3:Qm1... sha256:5fec...

The HMAC of ``NAME\\0VALUE`` is the entry's fingerprint. It shows without the right to decrypt whether a plaintext is
the stored one. The name in it makes the fingerprints of equal values differ. Encryption is randomised, so only
fingerprints make idempotence possible.
The digest of the ciphertext follows it. A merge may take the ciphertext of one side and the fingerprint of the other,
which then says nothing about that ciphertext. A fingerprint without a digest is one of an older version.
Each entry is encrypted with its name as context: with a derived key it decrypts under that name only.
If a ciphertext replaced another one, ``before`` keeps the digest of that one, so that a rotation can replace copies of
it in other files. If it has the same value, the digest of the first ciphertext with that value follows.

A document in a KV engine may have the same content. A file then only points there::

    _transit:
      format: 1
      store: kv
      kv_mount: secret
      kv_path: ml/llm_gateways
      backend: transit
      key: ml-api-key

It names engine and key as well, which the document must match. Otherwise its writer could choose where the reader's
token goes.

Format 2 is the same for nested data (`paths`), which a file of format 1 becomes by ``mlkeys upgrade`` only::

    providers:
      openai: {api_key: vault:v3:5Zf..., retries: vault:v3:0aQ..., region: eu}
    _transit:
      format: 2
      unencrypted: [providers.openai.region]
      hmac:
        providers.openai.api_key: vault:v3:Qm1... sha256:5fec...
        providers.openai.retries: vault:v3:9tW... sha256:77de... json

An entry is a leaf, its name is the leaf's path, and that is the context and part of the fingerprint. So is the index of
an element: those behind one that comes or goes are encrypted again. ``json`` behind a fingerprint marks a number, a
flag, null, an empty text, or an empty mapping or list, which is encrypted as JSON (`values`); the fingerprint is for
that kind of value only, and the digest for ciphertext and mark. Where it is not that of both, a value that may be
either is of no known type. A leaf is plain only where ``unencrypted`` names it, or data around it. Each leaf is written
once: a changed file has no anchors of data and no merge keys. Keys are texts, each once in its mapping. Readers see
entries, and `assembled` puts values in the places of leaves.

Nothing here contacts a server or opens a file, and no message repeats a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.ciphertext_version import ciphertext_version
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.names import (
    VARIABLE_NAME,
    mount_problem,
    name_problem,
    path_problem,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.vars_files import METADATA
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import Tagged, content_of
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.paths import (
    KeyNotText,
    covers,
    flattened,
    is_path,
    nested,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.values import Json, TypeUnknown, may_be_json

# Of files with texts alone, and of those with nested data.
FLAT = 1
NESTED = 2

IN_FILE = "file"
IN_KV = "kv"

_STORED = re.compile(r"\s*(vault:v[1-9][0-9]{0,17}:[A-Za-z0-9+/]+={0,2})(?:\s+(sha256:[0-9a-f]{32})(?:\s+(json))?)?\s*")


@dataclass(frozen=True)
class Entry:
    """One stored secret.

    Attributes:
        fingerprint: empty if the file has none.
        bound_to: digest of the ciphertext that the fingerprint is for, empty if it does not say.
        before: digest of the ciphertext that this one replaced, empty if there was none.
        first: digest of the first ciphertext with the same value, empty if that is this one.
        is_json: whether the value is encrypted as JSON, since it is not a text.
        has_type: whether it need not be text, as in files of format 2.
    """

    name: str
    ciphertext: str
    fingerprint: str = ""
    bound_to: str = ""
    before: str = ""
    is_json: bool = False
    has_type: bool = False
    first: str = ""

    @property
    def stored_fingerprint(self) -> str:
        """The fingerprint as the file has it, with the digest of the ciphertext that it is for."""
        return f"{self.fingerprint} {self.bound_to}{' json' if self.is_json else ''}".rstrip()

    @property
    def is_misbound(self) -> bool:
        """Whether the fingerprint is that of another ciphertext or type, as after a merge."""
        # At first, the digest was for the ciphertext alone.
        known = (_mark(self.ciphertext, is_json=self.is_json), digest(self.ciphertext))
        return bool(self.bound_to) and self.bound_to not in known

    @property
    def origin(self) -> str:
        """Identifies the value, by the first ciphertext with it if the fingerprint proves that it is the same."""
        return self.first if self.first and self.bound_to and not self.is_misbound else digest(self.ciphertext)

    @property
    def version(self) -> int:
        return ciphertext_version(self.ciphertext) or 0

    def opened(self, content: bytes) -> bytes:
        """What the ciphertext decrypts to, as the kind of value that it is.

        Raises:
            TypeUnknown: nothing says which kind that is.
        """
        if self.has_type and (self.is_misbound or not self.fingerprint):
            if may_be_json(content):
                raise TypeUnknown
            return content
        return Json(content) if self.is_json else content


@dataclass(frozen=True)
class Place:
    """The place of a document in a KV engine."""

    mount: str
    path: str

    def __str__(self) -> str:
        return f"{self.mount}/{self.path}"


@dataclass(frozen=True)
class VarsFile:
    """A parsed file, or a document of a KV engine.

    Attributes:
        plain: entries that are not encrypted, by name.
        place: the KV document with the entries, if the file only points there.
        open: leaves that need no encryption, since the file names them or they hold nothing, by name.
        order: the names of all leaves of format 2, in the order of the file.
        unencrypted: paths of the leaves, or of data around them, that are to stay plain.
    """

    path: str
    text: str = field(default="", repr=False)
    backend: str = ""
    key: str = ""
    fingerprint_key: str = ""
    entries: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    plain: Mapping[Any, Any] = field(default_factory=dict, repr=False)
    place: Place | None = None
    format: int = FLAT
    open: Mapping[str, Any] = field(default_factory=dict, repr=False)
    order: Sequence[str] = ()
    unencrypted: Sequence[str] = ()

    def stays_plain(self, name: str, value: Any) -> bool:
        """Whether to write a value as it is. One that looks like ciphertext would be read as that."""
        return not _is_ciphertext(value) and any(covers(one, name) for one in self.unencrypted)


def assembled(file: VarsFile, leaves: Mapping[str, Any]) -> dict[str, Any]:
    """The variables with these values of leaves, in the order of the file."""
    if file.format == FLAT:
        return dict(leaves)
    return nested({name: leaves[name] for name in file.order if name in leaves})


def bound(fingerprint: str, ciphertext: str, *, is_json: bool = False) -> str:
    """A fingerprint as it is stored, with the digest of its ciphertext."""
    return f"{fingerprint} {_mark(ciphertext, is_json=is_json)}{' json' if is_json else ''}"


def _mark(ciphertext: str, *, is_json: bool) -> str:
    """The digest of a ciphertext, with the type of its value if that is not a text."""
    return digest(f"{ciphertext} json" if is_json else ciphertext)


def fingerprint_input(name: str, value: bytes) -> bytes:
    """The input of the HMAC that is an entry's fingerprint."""
    # No text has this byte: a number has another fingerprint than the text that looks like it.
    kind = b"\xff" if isinstance(value, Json) else b""
    return name.encode("utf-8") + b"\0" + kind + value


def parse(text: str, path: str) -> VarsFile:
    """The file's content; an empty one for no text.

    Raises:
        InvalidOption: it is not an encrypted vars file, or holds a value that is not encrypted.
    """
    return encrypted(interpret(content_of(text, path), path, text))


def encrypted(file: VarsFile) -> VarsFile:
    """The same file.

    Raises:
        InvalidOption: it holds a value that is not encrypted.
    """
    if file.plain:
        raise InvalidOption(plain_names_problem(file.plain, file.path))
    return file


def interpret(content: Any, path: str, text: str = "") -> VarsFile:
    """The content of a loaded file, with values that are not encrypted set apart.

    Raises:
        InvalidOption: it is not an encrypted vars file.
    """
    if not isinstance(content, dict):
        raise _no_mapping(path)
    metadata = content.get(METADATA, {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get("hmac", {}), dict):
        raise InvalidOption(f"{path}: {METADATA} must be a mapping with format, backend, key and hmac.")
    kind = _FORMATS.get(str(metadata.get("format", FLAT)))
    if kind is None:
        raise InvalidOption(f"{path} has an unknown format. This version knows only formats {FLAT} and {NESTED}.")
    hmacs = metadata.get("hmac", {})
    damaged = [name for name, value in hmacs.items() if not (isinstance(value, str) and _STORED.fullmatch(value))]
    if damaged:
        raise InvalidOption(f"{path}: the hmac of {listed(damaged)} is damaged. Remove that line from the file.")
    _check_places(metadata, path)
    leaves = {name: value for name, value in content.items() if name != METADATA}
    leaves = leaves if kind == FLAT else _leaves(leaves, path)
    secrets = {name: value for name, value in leaves.items() if _is_entry(name, value, kind)}
    unencrypted = _unencrypted(metadata, path) if kind == NESTED else ()
    befores = metadata.get("before", {})
    before = {name: str(value).split() for name, value in befores.items()} if isinstance(befores, dict) else {}
    others = {name: value for name, value in leaves.items() if name not in secrets}
    is_open = {name for name, value in others.items() if kind == NESTED and _is_open(unencrypted, name, value)}
    return VarsFile(
        path,
        text,
        backend=str(metadata.get("backend") or "").strip("/"),
        key=str(metadata.get("key") or ""),
        fingerprint_key=str(metadata.get("fingerprint_key") or ""),
        entries={name: _entry(name, value, hmacs, before, kind) for name, value in secrets.items()},
        plain={name: value for name, value in others.items() if name not in is_open},
        place=_place(metadata, path),
        format=kind,
        open={name: value for name, value in others.items() if name in is_open},
        order=tuple(leaves) if kind == NESTED else (),
        unencrypted=unencrypted,
    )


_FORMATS = {str(FLAT): FLAT, str(NESTED): NESTED}


def _leaves(content: Mapping[Any, Any], path: str) -> dict[str, Any]:
    try:
        return flattened(content)
    except KeyNotText as error:
        above = f"{error.above} has" if error.above else "it has"
        raise InvalidOption(f"{path}: {above} a key that is not text. Put it in quotes.") from None


def _unencrypted(metadata: Mapping[str, Any], path: str) -> Sequence[str]:
    named = metadata.get("unencrypted") or []
    if not isinstance(named, list) or not all(is_path(name) for name in named):
        raise InvalidOption(f"{path}: {METADATA}.unencrypted must be a list of paths, such as providers.openai.region.")
    return tuple(named)


def _is_open(unencrypted: Sequence[str], name: str, value: Any) -> bool:
    """Whether a leaf needs no encryption."""
    return value in ({}, []) or (not isinstance(value, Tagged) and any(covers(one, name) for one in unencrypted))


def _entry(name: str, ciphertext: str, hmacs: Mapping[str, str], before: Mapping[str, list[str]], kind: int) -> Entry:
    mark, (old, first) = _fingerprint(hmacs.get(name, "")), (*before.get(name, []), "", "")[:2]
    return Entry(name, ciphertext.strip(), mark[0], mark[1], old, mark[2], has_type=kind == NESTED, first=first)


def _fingerprint(stored: str) -> tuple[str, str, bool]:
    """The fingerprint, the digest of its ciphertext, and whether its value is JSON; empty where there is none."""
    found = _STORED.fullmatch(stored)
    return (found[1], found[2] or "", bool(found[3])) if found else ("", "", False)


def _check_places(metadata: Mapping[str, Any], path: str) -> None:
    """Refuse places on the server that cannot be: its writer must not choose what is requested there."""
    for name, problem_of in _PLACES.items():
        given = metadata.get(name)
        if given is None or given == "":
            continue
        # What YAML reads as something else has lost how it was written.
        is_text = isinstance(given, (str, int)) and not isinstance(given, bool)
        # A path may begin and end with a slash, a name may not.
        value = str(given) if problem_of is name_problem else str(given).strip("/")
        problem = (problem_of(value) if value else None) if is_text else "it must be text: put it in quotes"
        if problem:
            raise InvalidOption(f"{path}: {METADATA}.{name}: {problem}.")


_PLACES: Mapping[str, Callable[[str], str | None]] = {
    "backend": mount_problem,
    "key": name_problem,
    "fingerprint_key": name_problem,
    "kv_mount": mount_problem,
    "kv_path": path_problem,
}


def _place(metadata: Mapping[str, Any], path: str) -> Place | None:
    store = metadata.get("store", IN_FILE)
    if store == IN_FILE:
        return None
    place = Place(str(metadata.get("kv_mount") or "").strip("/"), str(metadata.get("kv_path") or "").strip("/"))
    if store != IN_KV or not (place.mount and place.path):
        raise InvalidOption(f"{path}: {METADATA} must set store: kv, kv_mount and kv_path together, or none of them.")
    return place


def plain_names_problem(names: Iterable[Any], path: str) -> str:
    """The message about values of a file that are not encrypted."""
    return (
        f"{path}: the value of {listed(names)} is not ciphertext (vault:vN:...). If it is a plaintext secret, others "
        "may have read it: replace it at its provider, remove it from the file, and pass the new value in secrets."
    )


# A text of 1 KB may hold so many names that their list takes a second.
_MOST_NAMED = 20


def listed(names: Iterable[Any]) -> str:
    """Names to show. A name that no variable can have may be anything, so it is not shown."""
    every = list(names)
    shown = ", ".join(name if is_path(name) else "an entry without a valid name" for name in every[:_MOST_NAMED])
    return f"{shown} and {len(every) - _MOST_NAMED} more" if len(every) > _MOST_NAMED else shown


def _is_ciphertext(value: Any) -> bool:
    return isinstance(value, str) and ciphertext_version(value.strip()) is not None


def _is_entry(name: Any, value: Any, kind: int) -> bool:
    if kind == NESTED:
        # Text of no ciphertext is dismissed sooner than a path.
        return _is_ciphertext(value) and is_path(name)
    return isinstance(name, str) and VARIABLE_NAME.fullmatch(name) is not None and _is_ciphertext(value)


def _no_mapping(path: str) -> InvalidOption:
    return InvalidOption(f"{path} is not a vars file: it must hold a mapping of names to ciphertexts.")
