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
it in other files.

A document in a KV engine may have the same content. A file then only points there::

    _transit:
      format: 1
      store: kv
      kv_mount: secret
      kv_path: ml/llm_gateways
      backend: transit
      key: ml-api-key

It names engine and key as well, which the document must match. Otherwise whoever writes the document could choose where
the reader's token goes.

Nothing here contacts a server or opens a file, and no message repeats a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.mlkeys.transit.plugins.module_utils._ciphertexts.data import digest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.schema import (
    METADATA,
    ciphertext_version,
    mount_problem,
    name_problem,
    path_problem,
)
from ansible_collections.mlkeys.transit.plugins.module_utils._shared.yaml_words import is_reserved
from ansible_collections.mlkeys.transit.plugins.module_utils._vars_file.document import (
    Document,
    content_of,
)

FORMAT = 1

IN_FILE = "file"
IN_KV = "kv"

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STORED = re.compile(r"\s*(vault:v[1-9][0-9]{0,17}:[A-Za-z0-9+/]+={0,2})(?:\s+(sha256:[0-9a-f]{32}))?\s*")


@dataclass(frozen=True)
class Entry:
    """One stored secret.

    Attributes:
        fingerprint: empty if the file has none.
        bound_to: digest of the ciphertext that the fingerprint is for, empty if it does not say.
        before: digest of the ciphertext that this one replaced, empty if there was none.
    """

    name: str
    ciphertext: str
    fingerprint: str = ""
    bound_to: str = ""
    before: str = ""

    @property
    def stored_fingerprint(self) -> str:
        """The fingerprint as the file has it, with the digest of the ciphertext that it is for."""
        return f"{self.fingerprint} {self.bound_to}".rstrip()

    @property
    def is_misbound(self) -> bool:
        """Whether the fingerprint is that of another ciphertext, as after a merge."""
        return bool(self.bound_to) and self.bound_to != digest(self.ciphertext)

    @property
    def version(self) -> int:
        return ciphertext_version(self.ciphertext) or 0


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
    """

    path: str
    text: str = field(default="", repr=False)
    backend: str = ""
    key: str = ""
    fingerprint_key: str = ""
    entries: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    plain: Mapping[Any, Any] = field(default_factory=dict, repr=False)
    place: Place | None = None


def bound(fingerprint: str, ciphertext: str) -> str:
    """A fingerprint as it is stored, with the digest of its ciphertext."""
    return f"{fingerprint} {digest(ciphertext)}"


def fingerprint_input(name: str, value: bytes) -> bytes:
    """The input of the HMAC that is an entry's fingerprint."""
    return name.encode("utf-8") + b"\0" + value


def name_problems(names: Sequence[str]) -> list[str]:
    """The problems of names for variables."""
    return [
        f"'{name}' is not a valid variable name: use letters, digits and '_', and do not begin with a digit"
        for name in names
        if not _VARIABLE_NAME.fullmatch(name)
    ] + [
        f"'{name}' is reserved for {'the file' if name == METADATA else 'YAML'} itself"
        for name in names
        if name == METADATA or is_reserved(name)
    ]


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
    if str(metadata.get("format", FORMAT)) != str(FORMAT):
        raise InvalidOption(f"{path} has an unknown format. This version knows only format {FORMAT}.")
    hmacs = metadata.get("hmac", {})
    damaged = [name for name, value in hmacs.items() if not (isinstance(value, str) and _STORED.fullmatch(value))]
    if damaged:
        raise InvalidOption(f"{path}: the hmac of {_listed(damaged)} is damaged. Remove that line from the file.")
    _check_places(metadata, path)
    secrets = {name: value for name, value in content.items() if name != METADATA and _is_entry(name, value)}
    before = metadata.get("before", {})
    before = before if isinstance(before, dict) else {}
    return VarsFile(
        path,
        text,
        backend=str(metadata.get("backend") or "").strip("/"),
        key=str(metadata.get("key") or ""),
        fingerprint_key=str(metadata.get("fingerprint_key") or ""),
        entries={
            name: Entry(name, value.strip(), *_fingerprint(hmacs.get(name, "")), str(before.get(name, "")))
            for name, value in secrets.items()
        },
        plain={name: value for name, value in content.items() if name != METADATA and name not in secrets},
        place=_place(metadata, path),
    )


def _fingerprint(stored: str) -> tuple[str, str]:
    """The fingerprint, and the digest of its ciphertext; empty where there is none."""
    found = _STORED.fullmatch(stored)
    return (found[1], found[2] or "") if found else ("", "")


def _check_places(metadata: Mapping[str, Any], path: str) -> None:
    """Refuse places on the server that cannot be: whoever writes the file must not choose what is requested there."""
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


def pointing(file: VarsFile, place: Place, backend: str, key: str, fingerprint_key: str) -> str:
    """The text of a file that points to a place; its own text if it already does.

    It names the engine and the key too: whoever can write the document must not choose what decrypts it.

    Raises:
        InvalidOption: it holds entries of its own, points elsewhere, or names another key.
    """
    if file.place == place:
        check_ownership(file, backend, key, fingerprint_key, file.path)
        if file.backend and file.key:
            return file.text
    elif file.entries or file.place is not None:
        held = f"points to '{file.place}'" if file.place is not None else f"holds {_listed(file.entries)}"
        raise InvalidOption(
            f"{file.path} {held}, but should point to '{place}'. Move it away, and pass all secrets again to encrypt "
            "them anew."
        )
    document = Document(file.text, file.path)
    metadata = document.content.setdefault(METADATA, {})
    metadata.update({"format": FORMAT, "store": IN_KV, "kv_mount": place.mount, "kv_path": place.path})
    metadata.update({"backend": backend, "key": key})
    if fingerprint_key != key:
        metadata["fingerprint_key"] = fingerprint_key
    return document.text()


def check_document(document: VarsFile, backend: str, key: str) -> None:
    """Refuse a document that names another engine or key than the file or the task that leads to it.

    Raises:
        InvalidOption: it does, or nothing else names them.
    """
    if not (backend and key):
        raise InvalidOption(
            f"{document.path}: what points to this document must name its engine and key. Run vault_transit_vars "
            "again, with path."
        )
    for name, claimed, expected in (("backend", document.backend, backend), ("key", document.key, key)):
        if claimed != expected:
            raise InvalidOption(
                f"{document.path} names {name} '{claimed}', but what points to it names '{expected}'. Somebody may "
                "have changed the document. Nothing was decrypted."
            )


def plain_names_problem(names: Iterable[Any], path: str) -> str:
    """The message about values of a file that are not encrypted."""
    return (
        f"{path}: the value of {_listed(names)} is not ciphertext (vault:vN:...). If it is a plaintext secret, others "
        "may have read it: replace it at its provider, remove it from the file, and pass the new value in secrets."
    )


def _listed(names: Iterable[Any]) -> str:
    """Names to show. A name that no variable can have may be anything, so it is not shown."""
    return ", ".join(name if _is_name(name) else "an entry without a valid name" for name in names)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and _VARIABLE_NAME.fullmatch(name) is not None


def _is_ciphertext(value: Any) -> bool:
    return isinstance(value, str) and ciphertext_version(value.strip()) is not None


def _is_entry(name: Any, value: Any) -> bool:
    return _is_name(name) and _is_ciphertext(value)


def check_ownership(file: VarsFile, backend: str, key: str, fingerprint_key: str, path: str) -> None:
    """Refuse a file that was written with another key.

    Raises:
        InvalidOption: engine, key or fingerprint key differ from those in the file.
    """
    wanted = (("backend", file.backend, backend), ("key", file.key, key))
    differing = [f"{name} '{stored}', not '{asked}'" for name, stored, asked in wanted if stored and stored != asked]
    if (file.key or file.fingerprint_key) and (file.fingerprint_key or file.key) != fingerprint_key:
        differing.append(f"fingerprint_key '{file.fingerprint_key or file.key}', not '{fingerprint_key}'")
    if differing:
        raise InvalidOption(
            f"{path} was written with {' and '.join(differing)}. Use what the file names, or move the file away and "
            "pass all secrets again to encrypt them anew."
        )


def _no_mapping(path: str) -> InvalidOption:
    return InvalidOption(f"{path} is not a vars file: it must hold a mapping of names to ciphertexts.")
